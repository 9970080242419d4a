//! What tests of whole runs share: a scenario from its text, a run of it, and questions to its
//! facts.

use models::trace::Run;
use models::trace::fact::{Fact, ServerId, What};
use models::units::{Duration, SimTime};
use scenarios::ScenarioFile;
use scenarios::scenario::Scenario;
use sim::{Options, Outside};

/// The servers in the order of the file.
pub const PG1: ServerId = ServerId(0);
pub const PG2: ServerId = ServerId(1);
pub const PG3: ServerId = ServerId(2);

/// The first variant of a scenario, read as a user's file is.
pub fn scenario(text: &str) -> Scenario {
    let mut nothing = |_: &str| Err("no such file".to_owned());
    let file = ScenarioFile::parse("test", text, &mut nothing);
    let file = file.unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    file.variants().expect("it was parsed").swap_remove(0)
}

/// Plays it to its end, and holds what every run must keep.
pub fn play(text: &str) -> Run {
    let scenario = scenario(text);
    let run = sim::run(&scenario, Options::default(), &Outside::default());
    let run = run.unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_sane(&run);
    run
}

/// What must be so in every run.
pub fn assert_sane(run: &Run) {
    let summary = &run.summary;
    let commits = summary.commits;
    assert!(commits.acknowledged + commits.unknown <= commits.attempted, "{commits:?}");
    assert!(commits.lost <= commits.acknowledged, "{commits:?}");
    let l = summary.latency_ms;
    let rising = [0.0, l.p50, l.p90, l.p99, l.p999, l.max];
    assert!(rising.is_sorted() && l.mean <= l.max, "{l:?}");
    let seconds = summary.simulated_seconds;
    for server in &summary.servers {
        assert!((0.0..=seconds).contains(&server.downtime_seconds), "{server:?}");
        assert!(server.pg_wal_bytes.end <= server.pg_wal_bytes.max, "{server:?}");
    }
    for standby in &summary.standbys {
        assert!(standby.lag_bytes.end <= standby.lag_bytes.max, "{standby:?}");
        let lag = standby.replay_lag_seconds;
        assert!(lag.end <= lag.max && (0.0..=seconds).contains(&lag.max), "{standby:?}");
    }
    let times: Vec<SimTime> = run.facts.iter().map(|f| f.at).collect();
    assert!(times.is_sorted(), "facts are out of order");
    assert_eq!(run.facts.dropped(), 0, "more facts than anybody can want");
}

/// The facts of one server that `wanted` picks, with their moments.
pub fn facts(run: &Run, server: ServerId, wanted: impl Fn(&What) -> bool) -> Vec<(SimTime, What)> {
    let of_server = |f: &&Fact| f.server == Some(server) && wanted(&f.what);
    run.facts.iter().filter(of_server).map(|f| (f.at, f.what)).collect()
}

/// The same, the moments alone.
pub fn times(run: &Run, server: ServerId, wanted: impl Fn(&What) -> bool) -> Vec<SimTime> {
    facts(run, server, wanted).into_iter().map(|(at, _)| at).collect()
}

/// All facts, one a line, for messages.
pub fn story(run: &Run) -> String {
    let line = |f: &Fact| format!("{} {:?} {:?}\n", f.at, f.server.map(|s| s.0), f.what);
    run.facts.iter().map(line).collect()
}

/// A moment in milliseconds of simulated time.
pub fn ms(n: u64) -> SimTime {
    SimTime::ZERO + Duration::ms(n)
}
