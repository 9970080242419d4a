//! The commit path against a recorded PostgreSQL 15.18: the latency of one client at every level,
//! and what clients share.
//!
//! The recordings are of a primary and a standby on one host, with delays injected into fsync and
//! into the network, and pgbench inserting single rows. Each row is played with its delays and
//! the costs of `conformance/base_costs.toml`, one profile for all of them. Of a row's runs the one
//! with the lowest median counts: what else the machine did only ever adds to a wait. Commits per
//! fsync are the lowest of the runs, since a flush that is held up takes in more of them.
//!
//! pgbench leaves the beginning of each run out of `lat.n`, and counts it in `tps`: commits are
//! `tps x secs`, which is what one client's fsyncs agree with.
//!
//! With `on` the clients of group commit come back 11.0 ms after a flush of 5.35 ms, hardly more
//! than two of them: 0.35 ms less on the way, and the law of `closed_form.rs` would have three
//! cohorts where the server had four. Those rows hold the base costs as much as the models.
//!
//! **Not compared.** Rows without any injected delay, which measure the recorded machine, and the
//! throughput of `off`; percentiles above the median.

#[path = "../../models/tests/agreement/mod.rs"]
mod agreement;
#[path = "commit_path/base_costs.rs"]
mod base_costs;
mod commit_path;

use std::collections::BTreeMap;

use agreement::{Agreement, Unit};
use base_costs::Injected;
use commit_path::Played;
use models::units::Duration;
use serde_json::Value;

const COMMIT_LATENCY: &str = include_str!("conformance/a_commit_latency.json");
const GROUP_COMMIT: &str = include_str!("conformance/b_group_commit.json");

/// How far a median of one client may be off, in milliseconds.
const LATENCY_MS: f64 = 0.5;
/// How far a number of many clients may be off.
const SHARE: f64 = 0.1;

/// What is injected in a recorded run.
fn row(run: &Value, level: &str) -> Injected {
    let delay = |key: &str| (number(&run[key]) * 1000.0) as u64;
    Injected {
        level: run[level].as_str().expect("a level").to_owned(),
        clients: run["clients"].as_u64().unwrap_or(1) as u32,
        one_way: delay("net_oneway_ms"),
        primary_fsync: delay("primary_fsync_ms"),
        standby_fsync: delay("standby_fsync_ms"),
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"))
}

/// The recorded runs of each row; which field of a run is the level differs between recordings.
fn runs<'a>(recording: &'a Value, level: &str) -> BTreeMap<Injected, Vec<&'a Value>> {
    let mut rows: BTreeMap<Injected, Vec<&Value>> = BTreeMap::new();
    for run in recording["observations"].as_array().expect("a list of runs") {
        rows.entry(row(run, level)).or_default().push(run);
    }
    rows
}

/// The run with the lowest median.
fn best<'a>(runs: &[&'a Value]) -> &'a Value {
    let median = |run: &Value| number(&run["lat"]["p50"]);
    runs.iter().min_by(|a, b| median(a).total_cmp(&median(b))).expect("a row has runs")
}

/// The lowest commits per fsync of the runs.
fn least_shared(runs: &[&Value]) -> f64 {
    let shared = |run: &&Value| {
        let commits = number(&run["lat"]["tps"]) * number(&run["secs"]);
        commits / number(&run["primary_wal_syncs"])
    };
    runs.iter().map(shared).min_by(f64::total_cmp).expect("a row has runs")
}

fn median_ms(played: &Played) -> f64 {
    played.run.latency.percentile(500_000).expect("commits").as_millis()
}

/// A number of a row, to name it.
fn named(row: &Injected, what: &str) -> String {
    let Injected { level, clients, one_way, primary_fsync, standby_fsync } = row;
    format!(
        "{level}, {clients} clients, one way {one_way} us, fsync {primary_fsync} and \
         {standby_fsync} us: {what}"
    )
}

#[test]
fn one_client_waits_as_long_as_recorded_at_every_level() {
    let recording = serde_json::from_str(COMMIT_LATENCY).expect("JSON");
    let what = "latency of commits, five levels, delays";
    let mut agreement = Agreement::told_in(what, Unit::Of("ms"));
    for (row, runs) in runs(&recording, "level") {
        if row.one_way + row.primary_fsync + row.standby_fsync > 0 {
            let recorded = number(&best(&runs)["lat"]["p50"]);
            let simulated = median_ms(&row.cluster().play(1, Duration::s(5)));
            agreement.within(&named(&row, "p50 (ms)"), recorded, simulated, LATENCY_MS);
        }
    }
    // Five levels, two one-way delays, two fsyncs on either side, less the five without a delay.
    agreement.holds("a-commit_latency", 35);
}

#[test]
fn clients_share_fsyncs_as_recorded() {
    let recording = serde_json::from_str(GROUP_COMMIT).expect("JSON");
    let mut agreement = Agreement::of("group commit, 1 to 64 clients");
    for (row, runs) in runs(&recording, "mode") {
        let best = best(&runs);
        assert_eq!(best["commit_delay_us"], 0, "commit_delay is not played");
        let duration = Duration::s(20);
        let played = row.cluster().play(1, duration);
        let commits = played.run.latency.count() as f64;
        for (what, recorded, simulated) in [
            ("p50 (ms)", number(&best["lat"]["p50"]), median_ms(&played)),
            ("tps", number(&best["lat"]["tps"]), commits / duration.as_seconds()),
            ("commits per fsync", least_shared(&runs), commits / played.flushes as f64),
        ] {
            agreement.within(&named(&row, what), recorded, simulated, SHARE * recorded);
        }
    }
    // Two levels, six numbers of clients, three numbers each.
    agreement.holds("b-group_commit", 36);
}
