//! Why commits took so long: paths whose parts leave nothing over.
//!
//! In windows of ten scenarios every commit is followed. The client says when it began and when it
//! was answered; backend, flush, walsender, network and walreceiver say when they did their part.

use models::postgres::guc::SynchronousCommit;
use models::trace::flow::{Answered, Flow, Window};
use models::units::{Die, Duration, SimTime};
use scenarios::catalog;
use scenarios::file::ScenarioFile;
use scenarios::scenario::Scenario;
use sim::explain::commit::{CommitPath, Point, find, path, see};
use sim::world::trail::{Sought, Wanted};
use sim::{Options, Outside};

const SCENARIOS: [&str; 10] = [
    "basics/one_standby",
    "faults/cut_or_reset",
    "faults/disk_slow",
    "faults/frozen_or_dead",
    "faults/link_delay",
    "sync/any_survives_one",
    "sync/first_and_any",
    "sync/five_levels",
    "sync/quorum_across_ocean",
    "sync/remote_apply_slow_replay",
];
/// Commits of each.
const EACH: u64 = 100;

fn variants(name: &str) -> Vec<Scenario> {
    let entry = catalog::find(name).expect("it is in the catalogue");
    entry.parse().expect("it is valid").variants().expect("its variants")
}

fn seen(scenario: &Scenario, window: Window) -> (Flow, Vec<u64>) {
    let wanted = Wanted { window: Some(window), answer: None };
    let seen = see(scenario, window.to, wanted, &Outside::default()).expect("it plays");
    (seen.flow, seen.digests)
}

/// The points that a commit of a level has.
fn expected(path: &CommitPath, syncs: bool) -> Vec<Point> {
    use Point::{
        Answered, Applied, Arrived, FlushBegan, Flushed, Inserted, Replied, Sent, StandbyFlushed,
        Started, Written,
    };
    let local = [Started, Inserted, FlushBegan, Flushed];
    let sent = [Sent, Arrived, Written];
    match path.level {
        SynchronousCommit::Off => vec![Started, Inserted, Answered],
        SynchronousCommit::Local => [&local[..], &[Answered]].concat(),
        _ if !syncs => [&local[..], &[Answered]].concat(),
        SynchronousCommit::RemoteWrite => [&local[..], &sent, &[Replied, Answered]].concat(),
        SynchronousCommit::On => [&local[..], &sent, &[StandbyFlushed, Replied, Answered]].concat(),
        SynchronousCommit::RemoteApply => {
            [&local[..], &sent, &[StandbyFlushed, Applied, Replied, Answered]].concat()
        }
    }
}

/// What is wrong with a path, if something is.
fn complaint(path: &CommitPath, answered: &Answered, syncs: bool) -> Option<String> {
    let points: Vec<Point> = path.points.iter().map(|(point, _)| *point).collect();
    let sum: u64 = path.parts().map(|(_, took)| took.0).sum();
    let ordered = path.points.windows(2).all(|pair| pair[0].1 <= pair[1].1);
    let wrong = if points != expected(path, syncs) {
        "its points"
    } else if !ordered {
        "their order"
    } else if sum != answered.at.since(answered.start).0 {
        "their sum"
    } else {
        return None;
    };
    Some(format!("{wrong}: {path:?}"))
}

#[test]
fn a_thousand_commits_spend_their_time_in_parts_that_leave_nothing_over() {
    let mut followed = 0;
    for name in SCENARIOS {
        let variants = variants(name);
        let each = EACH.div_ceil(variants.len() as u64);
        for scenario in &variants {
            let mut die = Die::new(11, "explain", &format!("{name}/{}", scenario.variant));
            let names = &scenario.servers[scenario.primary()].settings.synchronous_standby_names;
            let syncs = !names.is_empty();
            let mut wanted = each;
            for _ in 0..40 {
                let length = Duration::s(2);
                let latest = (scenario.duration.0 - length.0).max(1);
                let from = SimTime(die.throw() % latest);
                let window = Window { from, to: from + length };
                let (flow, _) = seen(scenario, window);
                let mut known = flow.answers.clone();
                known.retain(|answered| answered.start >= from);
                for _ in 0..known.len().min(20).min(wanted as usize) {
                    let answered = known.swap_remove(die.throw() as usize % known.len());
                    let path = path(&flow, &answered, scenario);
                    let wrong = complaint(&path, &answered, syncs);
                    assert_eq!(wrong, None, "{name}, {}", scenario.variant);
                    (followed, wanted) = (followed + 1, wanted - 1);
                }
                if wanted == 0 {
                    break;
                }
            }
        }
    }
    assert!(followed >= 1_000, "{followed}");
}

#[test]
fn the_slowest_and_the_nth_commit_are_found_and_the_run_repeats() {
    let scenario = variants("sync/five_levels").remove(3);
    let run = sim::run(&scenario, Options::default(), &Outside::default()).expect("it plays");
    let (seen, slowest) = find(&scenario, Sought::Slowest, &Outside::default()).expect("it plays");
    let slowest = slowest.expect("there is one");
    assert_eq!(seen.answers, run.summary.commits.acknowledged);
    let millis = slowest.latency().0 as f64 / 1e6;
    assert!((millis - run.summary.latency_ms.max).abs() <= 0.01 * millis, "{millis}");
    let played = seen.digests.len();
    assert_eq!(seen.digests[..], run.moments[..played]);
    let number = slowest.answered.number;
    let (_, nth) = find(&scenario, Sought::Number(number), &Outside::default()).expect("plays");
    assert_eq!(nth, Some(slowest));
    let beyond = Sought::Number(seen.answers + 1);
    let (_, none) = find(&scenario, beyond, &Outside::default()).expect("it plays");
    assert_eq!(none, None);
}

/// A commit behind two megabytes of somebody else waits for the link.
#[test]
fn a_commit_waits_for_the_wal_that_is_under_way_before_it() {
    let text = "duration = '20s'\n[postgresql]\nsynchronous_standby_names = 'pg2'\n\
                [server.pg1]\n[server.pg2]\nupstream = 'pg1'\n[network]\nbandwidth = '16Mbit/s'\n\
                [workload.w]\nclients = 1\nthink = '50ms'\n\
                [action.bulk]\nkind = 'write'\nserver = 'pg1'\nsize = '2MB'\nat = '10s'\n";
    let file = ScenarioFile::parse("bulk", text, &mut |f| Err(f.to_owned())).expect("valid");
    let scenario = file.variants().expect("its variants").remove(0);
    let (_, slowest) = find(&scenario, Sought::Slowest, &Outside::default()).expect("plays");
    let slowest = slowest.expect("there is one");
    let arrived = slowest.parts().find(|(point, _)| *point == Point::Arrived).expect("it is sent");
    assert!(slowest.ahead.0 > 1 << 20, "{slowest:?}");
    // 2 MB through 2 MB/s.
    assert!(arrived.1 > Duration::ms(500), "{slowest:?}");
}

/// The level is what was set when the commit was made, not what the file says.
#[test]
fn a_reload_of_synchronous_commit_changes_what_later_commits_wait_for() {
    let text = "duration = '20s'\n[postgresql]\nsynchronous_standby_names = 'pg2'\n\
                [server.pg1]\n[server.pg2]\nupstream = 'pg1'\n[workload.w]\n\
                clients = 1\nthink = '50ms'\n[action.faster]\nkind = 'set'\n\
                settings = { synchronous_commit = 'local' }\nat = '10s'\n";
    let file = ScenarioFile::parse("reload", text, &mut |f| Err(f.to_owned())).expect("valid");
    let scenario = file.variants().expect("its variants").remove(0);
    let of = |number| {
        let found = find(&scenario, Sought::Number(number), &Outside::default()).expect("plays");
        (found.1.expect("there is one"), found.0.answers)
    };
    let (first, answers) = of(1);
    assert_eq!(complaint(&first, &first.answered, true), None);
    assert_eq!(first.level, SynchronousCommit::On);
    let (last, _) = of(answers);
    assert_eq!(complaint(&last, &last.answered, true), None);
    assert_eq!(last.level, SynchronousCommit::Local);
}
