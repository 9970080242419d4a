//! What is missing after the primary crashed: on its standby if that is promoted, and on the
//! primary once it has recovered.
//!
//! Each case is played with its delays and the base costs. The recorded processes were stopped
//! one after the other for `freeze_ms` before the crash, while the link was silent already; so is
//! the link here. A crash is played at 20 phases of the clients' rounds.
//!
//! A standby that is promoted replays all that it has received, and has what it made durable: an
//! acknowledged commit above that is missing. Equal have to be the zeroes: the standby misses
//! nothing of `remote_write`, `on` and `remote_apply` when the primary alone dies, nothing of `on`
//! and `remote_apply` when both hosts do, and the primary nothing of any level but `off`. With
//! `local` what is missing was acknowledged less than the way to the standby and the freeze
//! before the crash, in the recording and here; where a commit waits for an fsync of 5 ms, so that
//! the machine does not decide how many there were, the recorded number has to be one that some
//! phase gives, give or take the commits of one flush.
//!
//! With `off`, both windows have to be within the time in which a walwriter makes WAL durable, or,
//! where only the processes died, hands it to the kernel: page by page, as they fill.
//!
//! **Not compared.** How many commits of `off`, and of `local` without an fsync, are missing:
//! that is the recorded machine's speed. Promotion itself, which is not modelled.

use models::trace::Run;
use models::trace::fact::Scope;
use models::units::{Duration, Lsn, SegmentSize, SimTime, UsableBytes};
use serde_json::Value;
use sim::world::{Action, World};

use super::agreement::{Agreement, Unit};
use super::base_costs::Injected;
use super::commit_path::START;
use super::{PRIMARY, STANDBY, observations};

const RECORDING: &str = include_str!("h_crash.json");
const PHASES: u64 = 20;
/// What comes on top of the freeze here: a flush that was acknowledged and not yet sent, and the
/// grain in which a run's commits are counted. Milliseconds.
const SLACK: f64 = 5.0;
/// The same of the recorded machine, which stopped once for more than 10 ms.
const RECORDED_SLACK: f64 = 15.0;
/// Commits that share a flush: half of the clients.
const GROUP: u64 = 2;

struct Case(Value);

/// What is missing, and how long before the crash the oldest of it was acknowledged.
#[derive(Clone, Copy, Debug, Default)]
struct Missing {
    commits: u64,
    window: f64,
}

impl Case {
    fn number(&self, key: &str) -> f64 {
        self.0[key].as_f64().unwrap_or_else(|| panic!("no {key} in {}", self.0))
    }

    fn is(&self, key: &str, value: &str) -> bool {
        self.0[key] == value
    }

    fn name(&self) -> String {
        let [level, crash, link, config] =
            ["level", "crash", "link", "cfg"].map(|key| self.0[key].to_string());
        format!("{level} {crash} {link} {config} rep {}", self.0["rep"])
    }

    fn recorded(&self, whose: &str) -> Missing {
        let commits = self.0[format!("missing_{whose}")].as_u64().expect("a count");
        Missing { commits, window: self.number(&format!("missing_{whose}_window_ms")) }
    }

    /// On the standby and on the primary.
    fn played(&self, phase: u64) -> [Missing; 2] {
        let us = |key: &str| (self.number(key) * 1e3) as u64;
        let injected = Injected {
            level: self.0["level"].as_str().expect("a level").to_owned(),
            clients: 4,
            one_way: us("net_oneway_ms"),
            primary_fsync: us("primary_fsync_ms"),
            standby_fsync: us("standby_fsync_ms"),
        };
        let mut cluster = injected.cluster();
        cluster.names = self.0["sync_names"].as_str().expect("names").to_owned();
        let mut scenario = cluster.scenario(phase + 1, Duration::ms(2_500));
        if let Some(settings) = self.0["cfg"].as_object() {
            for (name, value) in settings {
                let value = value.as_str().expect("a value");
                scenario.servers[0].settings.set(name, value).expect("a setting");
            }
        }
        let mut world = World::new(&scenario, true);
        let silent = SimTime::ZERO + Duration::us(1_500_000 + phase * 530);
        let crash = silent + Duration::us(us("freeze_ms"));
        if self.is("link", "cut") {
            world.run_until(silent, &[]);
            world.apply(Action::Cut { a: PRIMARY, b: STANDBY });
        }
        world.run_until(crash, &[]);
        let scope = if self.is("crash", "kill9") { Scope::Processes } else { Scope::Host };
        world.apply(Action::Crash { server: PRIMARY, scope });
        if self.is("crash", "both_power") {
            world.apply(Action::Crash { server: STANDBY, scope: Scope::Host });
        }
        world.run_until(crash + Duration::ms(300), &[]);
        let has = world.servers()[STANDBY.index()].flushed();
        let run = world.finish(&scenario);
        let answered = run.summary.commits.acknowledged;
        let size = cluster.records.0 + 40;
        let kept = |at: Lsn| (usable(at) - usable(START)) / size;
        let missing = |commits: u64| Missing {
            commits,
            window: window(&run, crash, answered - commits).unwrap_or(0.0),
        };
        [answered.saturating_sub(kept(has)), run.summary.commits.lost].map(missing)
    }
}

fn usable(lsn: Lsn) -> u64 {
    UsableBytes::from_lsn(lsn, SegmentSize::DEFAULT).0
}

/// How long before the crash the commit after the first so many was answered, in milliseconds.
fn window(run: &Run, crash: SimTime, before: u64) -> Option<f64> {
    let mut answered = 0;
    let mut buckets = run.samples.commits.iter();
    let (at, _) = buckets.find(|(_, commits)| {
        answered += commits.unwrap_or(0);
        answered > before
    })?;
    Some(crash.0.saturating_sub(at.0) as f64 / 1e6)
}

/// How old an acknowledged commit may be that is missing, in milliseconds.
fn oldest(case: &Case, whose: &str) -> f64 {
    let freeze = case.number("freeze_ms");
    let way = if case.is("link", "cut") { case.number("net_oneway_ms") } else { 0.0 };
    let delay = if case.0["cfg"].is_null() { 200.0 } else { 1_000.0 };
    match (case.0["level"].as_str(), whose) {
        (Some("off"), "primary") if case.is("crash", "kill9") => freeze,
        // WAL is durable after three times wal_writer_delay at the latest.
        (Some("off"), "primary") => freeze + 3.0 * delay,
        (Some("off"), _) => freeze + way + 3.0 * delay,
        _ => freeze + way,
    }
}

fn compare(case: &Case, agreement: &mut Agreement) {
    let played: Vec<[Missing; 2]> = (0..PHASES).map(|phase| case.played(phase)).collect();
    for (n, whose) in ["standby", "primary"].into_iter().enumerate() {
        let recorded = case.recorded(whose);
        let played: Vec<Missing> = played.iter().map(|missing| missing[n]).collect();
        let most = played.iter().map(|missing| missing.commits).max().unwrap_or(0);
        let least = played.iter().map(|missing| missing.commits).min().unwrap_or(0);
        let what = |what: &str| format!("{what} on the {whose}, {}", case.name());
        let level = case.0["level"].as_str().expect("a level");
        let nothing = match (whose, case.0["crash"].as_str()) {
            ("primary", _) => level != "off",
            (_, Some("both_power")) => level == "on" || level == "remote_apply",
            _ => level != "off" && level != "local",
        };
        if nothing {
            agreement.equal(&what("nothing"), &(0, 0), &(recorded.commits, most));
            continue;
        }
        let oldest = oldest(case, whose);
        let late = played.iter().filter(|missing| missing.window > oldest + SLACK).count();
        agreement.equal(&what("windows played"), &0, &late);
        let late = recorded.window > oldest + RECORDED_SLACK;
        agreement.equal(&what("window recorded"), &false, &late);
        if level == "local" && case.is("link", "cut") {
            let window = played[0].window;
            agreement.within(&what("window"), recorded.window, window, RECORDED_SLACK);
        }
        let sized = case.number("primary_fsync_ms") == 5.0 && level == "local";
        if sized || level == "remote_write" {
            let span = least.saturating_sub(GROUP)..=most + GROUP;
            let within = span.contains(&recorded.commits);
            agreement.equal(&what("commits"), &true, &within);
        }
    }
}

#[test]
fn a_crash_loses_what_the_recorded_one_did() {
    let mut agreement = Agreement::told_in("commits missing after a crash", Unit::Of("ms"));
    for case in observations(RECORDING).into_iter().map(Case) {
        compare(&case, &mut agreement);
    }
    agreement.holds("h-crash", 170);
}
