//! What passes in a window: every message is there once, whatever becomes of it.
//!
//! WAL tells whether something is missing: on one connection each message begins where the one
//! before it ended.

use std::collections::{BTreeMap, BTreeSet};

use models::postgres::protocol::Body;
use models::trace::flow::{Flow, Passed, Stop, Window};
use models::units::{Duration, SimTime};
use scenarios::catalog;
use scenarios::scenario::Scenario;
use sim::Outside;
use sim::passage::passage;

fn scenario(name: &str, variant: &str) -> Scenario {
    let entry = catalog::find(name).expect("it is in the catalogue");
    let variants = entry.parse().expect("it is valid").variants().expect("its variants");
    variants.into_iter().find(|scenario| scenario.variant == variant).expect("there is one")
}

fn parsed(text: &str) -> Scenario {
    let file = scenarios::ScenarioFile::parse("mine", text, &mut |f| Err(f.to_owned()));
    file.expect("it is valid").variants().expect("its variants").remove(0)
}

fn ms(at: u64) -> SimTime {
    SimTime::ZERO + Duration::ms(at)
}

fn flow(scenario: &Scenario, from: SimTime, to: SimTime) -> Flow {
    let passed = passage(scenario, Window { from, to }, &Outside::default()).expect("it plays");
    passed.expect("it is not too much").flow
}

fn all(flow: &Flow) -> Vec<Passed> {
    [&flow.messages[..], &flow.waiting, &flow.lost].concat()
}

/// What tells messages apart.
fn key(passed: &Passed) -> String {
    let Passed { sent, from, to, connection, body, .. } = passed;
    format!("{sent:?} {from:?} {to:?} {connection:?} {body:?}")
}

fn is_whole(name: &str, flow: &Flow, window: Window) {
    let mut seen = BTreeSet::new();
    let mut streams: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for passed in all(flow) {
        // Replies of one moment arrive one after the other.
        let new = seen.insert((key(&passed), passed.arrived));
        assert!(new || passed.arrived == SimTime::NEVER, "{name}: twice: {passed:?}");
        assert!(passed.sent <= passed.arrived && passed.sent <= window.to, "{name}: {passed:?}");
        assert!(passed.arrived >= window.from, "{name}: {passed:?}");
        if let Body::XLogData { start, end, .. } = passed.body {
            let stream = streams.entry((passed.to, passed.connection)).or_default();
            stream.push((passed.sent, start, end));
        }
    }
    assert!(!streams.is_empty(), "{name}: no WAL");
    for (stream, mut wal) in streams {
        wal.sort_unstable();
        for pair in wal.windows(2) {
            assert_eq!(pair[0].2, pair[1].1, "{name}: a gap or an overlap in {stream:?}");
        }
    }
    assert!(flow.messages.iter().all(|passed| passed.arrived < SimTime::NEVER), "{name}");
    let missing = || flow.waiting.iter().chain(&flow.lost);
    assert!(missing().all(|p| p.arrived == SimTime::NEVER && p.stopped.is_some()), "{name}");
}

#[test]
fn every_message_is_there_once_and_no_wal_is_missing() {
    for (name, variant, from, to) in [
        ("sync/five_levels", "on", 5_000, 6_000),
        ("sync/five_levels", "off", 5_000, 6_000),
        ("sync/quorum_across_ocean", "both", 5_000, 6_000),
        ("faults/cut_or_reset", "base", 59_900, 60_400),
        ("faults/hold_or_cut", "base", 59_500, 70_500),
        ("faults/frozen_or_dead", "dead", 59_000, 62_000),
    ] {
        let scenario = scenario(name, variant);
        let window = Window { from: ms(from), to: ms(to) };
        let whole = flow(&scenario, window.from, window.to);
        is_whole(name, &whole, window);
        // Two windows side by side have what one over both has.
        let middle = ms((from + to) / 2);
        let parts = [(window.from, middle), (middle, window.to)];
        let parts = parts.map(|(from, to)| flow(&scenario, from, to));
        let keys = |flow: &Flow| all(flow).iter().map(key).collect::<BTreeSet<_>>();
        let [first, second] = [keys(&parts[0]), keys(&parts[1])];
        let both: BTreeSet<String> = first.union(&second).cloned().collect();
        assert_eq!(both, keys(&whole), "{name}");
    }
}

#[test]
fn what_a_cut_or_a_hold_stops_says_so() {
    let text = |kind: &str| {
        format!(
            "duration = '20s'\n[server.pg1]\n[server.pg2]\nupstream = 'pg1'\n[workload.w]\n\
             clients = 1\nthink = '10ms'\n[fault.f]\nkind = '{kind}'\nbetween = ['pg1', 'pg2']\n\
             at = '10s'\nfor = '300ms'\n"
        )
    };
    for (kind, stop) in [("link_cut", Stop::Cut), ("link_hold", Stop::Hold)] {
        let scenario = parsed(&text(kind));
        let during = flow(&scenario, ms(9_950), ms(10_200));
        is_whole(kind, &during, Window { from: ms(9_950), to: ms(10_200) });
        assert!(during.waiting.len() > 10, "{kind}: {:?}", during.waiting);
        assert!(during.waiting.iter().all(|passed| passed.stopped == Some(stop)));
        assert!(during.messages.iter().all(|passed| passed.arrived < ms(10_001)));
        // The same messages arrive when it is over, and say what stopped them.
        let after = flow(&scenario, ms(9_950), ms(11_000));
        let late: BTreeMap<String, &Passed> =
            after.messages.iter().map(|passed| (key(passed), passed)).collect();
        for passed in &during.waiting {
            let late = late[&key(passed)];
            assert!(late.stopped == Some(stop) && late.arrived >= ms(10_300), "{late:?}");
        }
        let stopped = after.messages.iter().filter(|passed| passed.stopped.is_some());
        assert!(stopped.into_iter().all(|passed| passed.arrived >= ms(10_300)), "{kind}");
    }
}

#[test]
fn what_a_dead_host_had_sent_is_lost() {
    let scenario = parsed(
        "duration = '20s'\n[server.pg1]\n[server.pg2]\nupstream = 'pg1'\n[network]\n\
         rtt = '80ms'\n[workload.w]\nrate = '100/s'\n[fault.f]\nkind = 'crash'\n\
         what = 'host'\nserver = 'pg1'\nat = '10s'\n",
    );
    let seen = flow(&scenario, ms(9_900), ms(11_000));
    is_whole("dead", &seen, Window { from: ms(9_900), to: ms(11_000) });
    let of_primary = |passed: &&Passed| passed.from.index() == 0;
    let lost: Vec<&Passed> = seen.lost.iter().filter(of_primary).collect();
    assert!(lost.iter().all(|passed| passed.sent > ms(9_959) && passed.sent <= ms(10_000)));
    assert!((3..8).contains(&lost.len()), "40 ms of 100 commits a second: {lost:?}");
    let last = seen.messages.iter().filter(of_primary).map(|passed| passed.arrived).max();
    assert!(last.is_some_and(|at| at <= ms(10_000)), "{last:?}");
}

#[test]
fn attempts_to_connect_into_a_cut_are_lost() {
    let scenario = parsed(
        "duration = '3min'\n[server.pg1]\n[server.pg2]\nupstream = 'pg1'\n[workload.w]\n\
         clients = 1\nthink = '100ms'\n[fault.f]\nkind = 'link_cut'\n\
         between = ['pg1', 'pg2']\nat = '10s'\nfor = '2min'\n",
    );
    let seen = flow(&scenario, ms(9_000), ms(170_000));
    let attempts = seen.lost.iter().filter(|passed| passed.body == Body::Connect);
    assert!(attempts.count() > 1, "{:?}", seen.lost);
}
