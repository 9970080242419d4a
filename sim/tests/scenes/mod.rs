//! What tests of whole runs share: a scenario from its text, and what every run must keep.

use models::trace::Run;
use models::units::SimTime;
use scenarios::ScenarioFile;
use scenarios::scenario::Scenario;

/// The first variant of a scenario, read as a user's file is.
pub fn scenario(text: &str) -> Scenario {
    let mut nothing = |_: &str| Err("no such file".to_owned());
    let file = ScenarioFile::parse("test", text, &mut nothing);
    let file = file.unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    file.variants().expect("it was parsed").swap_remove(0)
}

/// What must be so in every run.
pub fn assert_sane(run: &Run) {
    let summary = &run.summary;
    let commits = summary.commits;
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
    assert!(summary.laws.iter().all(|law| law.held), "{:?}", run.violations);
    let answered = commits.acknowledged + commits.cancelled;
    let sum = answered + commits.unknown + commits.refused + commits.waiting;
    assert_eq!(commits.attempted, sum, "{commits:?}");
    let times: Vec<SimTime> = run.facts.iter().map(|f| f.at).collect();
    assert!(times.is_sorted(), "facts are out of order");
}
