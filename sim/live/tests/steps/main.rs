//! Step by step on a real pair and in Walden: what both show after each step, what becomes of
//! commits, and what both write into their logs.
//!
//! Each file beside this one is a scenario in Walden's own format. It is played on two real servers
//! with a proxy between them (`real.rs`), faults of the link at their moments and the steps one
//! after the other, and by Walden: from the same position, each deed at the moment at which it was
//! done, and with WAL written up to where the real primary's went. Equal have to be all rows of
//! every `observe` (`seen.rs`), which commits were answered, how long each waited, and the lines of
//! both logs (`words.rs`).
//!
//! All files are played at the same time: a real server mostly waits.
//!
//! `WALDEN_LIVE_STEPS` names the only file to play.

#![expect(clippy::disallowed_methods, reason = "real servers live in real time")]

#[path = "../common/mod.rs"]
mod common;
mod real;
mod seen;
mod words;

use std::fs;
use std::path::Path;
use std::thread;

use live::divergences::Tally;
use live::{Error, Installation, Server};
use models::trace::Run;
use models::units::{Bytes, UsableBytes};
use scenarios::ScenarioFile;
use scenarios::action::{Action, Deed, View};
use scenarios::scenario::{Recycled, Scenario};
use sim::{Options, Outside};

use common::{Room, installation, room};
use real::Played;

/// How far a commit's latency may be off, in milliseconds: one way of the link that is delayed, half
/// of what a round trip more or less would make.
const LATENCY_MS: f64 = 20.0;
/// The same for the moment at which one that had to wait was released.
const RELEASED_MS: f64 = 400.0;
/// Above this a commit was blocked, and did not only wait for a round trip.
const BLOCKED_MS: f64 = 300.0;

/// A transaction that is there for its commit.
const SMALL: Bytes = Bytes(64);

/// The scenarios, by name.
fn files() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/steps");
    let only = std::env::var("WALDEN_LIVE_STEPS").ok();
    let entries = fs::read_dir(folder).expect("the folder is there").flatten();
    let mut files: Vec<(String, String)> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).expect("a scenario can be read"))
        })
        .filter(|(name, _)| only.as_ref().is_none_or(|only| only == name))
        .collect();
    files.sort();
    files
}

fn scenario(name: &str, text: &str, installed: &Installation) -> Scenario {
    let text = format!("pg_version = {}\n{text}", installed.version);
    let file = ScenarioFile::parse(name, &text, &mut |_: &str| Err("no file".to_owned()));
    let variants = file.and_then(|file| file.variants());
    variants.unwrap_or_else(|problems| panic!("{problems}\n{text}")).swap_remove(0)
}

/// Walden plays the same from where the real servers began, and writes up to where they did.
fn play(mut scenario: Scenario, real: &Played) -> Run {
    scenario.start.lsn = real.start.lsn;
    scenario.start.files_before = real.start.before;
    scenario.start.recycled = Recycled::Files(real.start.after);
    scenario.steps.clear();
    let size = scenario.servers[0].settings.wal_segment_size;
    for (n, done) in real.done.iter().enumerate() {
        let mut act = |deed| {
            let name = format!("{n}");
            scenario.actions.push(Action { name, at: done.at, deed });
        };
        match (&done.deed, done.end) {
            (Deed::Write(server, _), Some(end)) => {
                // Up to there with a commit, whose record takes 40 bytes, so that it is flushed.
                let end = UsableBytes::from_lsn(end, size);
                let before = UsableBytes(end.0 - SMALL.0 - 40).end_lsn(size);
                act(Deed::WriteTo(*server, before));
                act(Deed::Write(*server, SMALL));
            }
            (Deed::Observe(..), _) => {
                act(Deed::Observe(0, vec![View::WalLsn]));
                act(done.deed.clone());
            }
            _ => act(done.deed.clone()),
        }
    }
    sim::run(&scenario, Options::default(), &Outside::default()).expect("a run")
}

/// A commit that was answered: when, and how long it took, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Answered {
    at: f64,
    took: f64,
}

/// The answers of a run in which no two commits come at the same time.
fn answered(run: &Run) -> Vec<Answered> {
    let (commits, sums) = (&run.samples.commits, &run.samples.latency_sum);
    let buckets = commits.iter().zip(sums.iter());
    let some = buckets.filter_map(|((at, count), (_, sum))| {
        let (count, sum) = (count.filter(|count| *count > 0)?, sum?);
        let one = Answered { at: at.0 as f64 / 1e6, took: sum as f64 / count as f64 / 1e6 };
        Some(std::iter::repeat_n(one, count as usize))
    });
    some.flatten().collect()
}

fn compare_commits(name: &str, real: &Played, run: &Run, tally: &mut Tally) {
    let mut real = real.answered.clone();
    real.sort_by(|a, b| a.at.total_cmp(&b.at));
    let ours = answered(run);
    let told = format!("{name}: {real:?} {ours:?}");
    tally.compare(&format!("commits answered, {told}"), None, &real.len(), &ours.len());
    for (real, ours) in real.iter().zip(&ours) {
        let blocked = |answer: &Answered| answer.took > BLOCKED_MS;
        tally.compare(&format!("blocked, {told}"), None, &blocked(real), &blocked(ours));
        let allowed = if blocked(real) { RELEASED_MS } else { LATENCY_MS };
        let near = (real.took - ours.took).abs() <= allowed;
        tally.compare(&format!("latency, {told}"), None, &true, &near);
    }
}

fn hold(
    template: &Server,
    room: &Room,
    installed: &Installation,
    (name, text): &(String, String),
) -> Result<Tally, Error> {
    let scenario = scenario(name, text, installed);
    let real = real::play(template, room, name, &scenario)?;
    let run = play(scenario, &real);
    let mut tally = Tally::default();
    seen::compare(name, &real.looks, &run, &mut tally);
    compare_commits(name, &real, &run, &mut tally);
    words::compare(name, &real, &run, &mut tally);
    Ok(tally)
}

#[test]
fn steps_on_a_real_pair_and_in_walden_show_the_same() {
    let (installed, room) = (installation(), room("steps"));
    let template = Server::create(&installed, &room.join("template"), 1).expect("initdb");
    let files = files();
    let tally = thread::scope(|scope| {
        let (template, room, installed) = (&template, &room, &installed);
        let play = |file| scope.spawn(move || hold(template, room, installed, file));
        let playing: Vec<_> = files.iter().map(play).collect();
        let join = |one: thread::ScopedJoinHandle<'_, Result<Tally, Error>>| match one.join() {
            Ok(tally) => tally.unwrap_or_else(|error| panic!("{error}")),
            Err(panicked) => std::panic::resume_unwind(panicked),
        };
        playing.into_iter().map(join).fold(Tally::default(), Tally::and)
    });
    let expected = words::expected(&installed);
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    tally.holds(100, &expected);
}
