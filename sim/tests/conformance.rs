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

mod commit_path;

use std::collections::BTreeMap;
use std::fmt::Write;

use commit_path::{Cluster, Played, Standby};
use models::latency::Quantiles;
use models::postgres::PgVersion;
use models::postgres::guc::{Settings, SynchronousCommit};
use models::units::{Bytes, Duration, Rate};
use serde_json::Value;

const BASE_COSTS: &str = include_str!("conformance/base_costs.toml");
const COMMIT_LATENCY: &str = include_str!("conformance/a_commit_latency.json");
const GROUP_COMMIT: &str = include_str!("conformance/b_group_commit.json");

/// How far a median of one client may be off, in milliseconds.
const LATENCY_MS: f64 = 0.5;
/// How far a number of many clients may be off.
const SHARE: f64 = 0.1;

/// What is injected in a row. Microseconds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    level: String,
    clients: u32,
    one_way: u64,
    primary_fsync: u64,
    standby_fsync: u64,
}

impl Row {
    fn of(run: &Value, level: &str) -> Row {
        let delay = |key: &str| (number(&run[key]) * 1000.0) as u64;
        Row {
            level: run[level].as_str().expect("a level").to_owned(),
            clients: run["clients"].as_u64().unwrap_or(1) as u32,
            one_way: delay("net_oneway_ms"),
            primary_fsync: delay("primary_fsync_ms"),
            standby_fsync: delay("standby_fsync_ms"),
        }
    }

    fn has_delay(&self) -> bool {
        self.one_way + self.primary_fsync + self.standby_fsync > 0
    }

    /// The row with the base costs.
    fn cluster(&self) -> Cluster {
        let costs: toml::Table = BASE_COSTS.parse().expect("TOML");
        let ms = |value: &toml::Value| {
            let ms = value.as_float().expect("a number of milliseconds");
            Duration((ms * 1e6).round() as u64)
        };
        let whole =
            |key: &str| u64::try_from(costs[key].as_integer().expect("whole")).expect("> 0");
        let rate = |key| Rate::new(whole(key)).expect("not zero");
        let fsync = |injected| Duration::us(injected) + ms(&costs["fsync_ms"]);
        let trip = if self.one_way > 0 { "round_trip_ms" } else { "undelayed_round_trip_ms" };
        let round_trip = Duration::us(2 * self.one_way) + ms(&costs[trip]);
        Cluster {
            fsync: fsync(self.primary_fsync),
            standbys: vec![Standby {
                fsync: fsync(self.standby_fsync),
                write_call: Duration::ZERO,
                rtt: Quantiles::constant(round_trip.0),
                bandwidth: rate("bandwidth_bytes_per_second"),
                replay: rate("replay_bytes_per_second"),
            }],
            names: "s1".to_owned(),
            clients: self.clients,
            level: level(&self.level),
            service: Quantiles::constant(ms(&costs["service_ms"]).0),
            think: Quantiles::constant(0),
            records: Bytes(whole("records_bytes")),
        }
    }
}

/// The level that a recording calls by its value of `synchronous_commit`.
fn level(name: &str) -> SynchronousCommit {
    let mut settings = Settings::defaults(PgVersion::DEFAULT);
    settings.set("synchronous_commit", name).expect("a level of PostgreSQL");
    settings.synchronous_commit
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"))
}

/// The recorded runs of each row; which field of a run is the level differs between recordings.
fn runs<'a>(recording: &'a Value, level: &str) -> BTreeMap<Row, Vec<&'a Value>> {
    let mut rows: BTreeMap<Row, Vec<&Value>> = BTreeMap::new();
    for run in recording["observations"].as_array().expect("a list of runs") {
        rows.entry(Row::of(run, level)).or_default().push(run);
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

/// Numbers of the recording beside the simulation's, as a table that says which are off.
#[derive(Default)]
struct Comparison {
    table: String,
    compared: u32,
    off: u32,
}

impl Comparison {
    fn compare(&mut self, row: &Row, what: &str, recorded: f64, simulated: f64, allowed: f64) {
        let Row { level, clients, one_way, primary_fsync, standby_fsync } = row;
        let difference = simulated - recorded;
        let mark = if difference.abs() <= allowed { "" } else { "OFF" };
        self.compared += 1;
        self.off += u32::from(!mark.is_empty());
        writeln!(
            self.table,
            "{level:<12} {clients:>3} clients, one way {one_way:>5} us, fsync {primary_fsync:>4} \
             and {standby_fsync:>4} us: {what:<17} {recorded:>8.3} {simulated:>8.3} \
             {difference:>+7.3} of {allowed:.3} {mark}"
        )
        .expect("a string takes everything");
    }

    /// Every number that was to be compared was, and none is off.
    fn assert_all(self, numbers: u32) {
        let Comparison { table, compared, off } = self;
        assert!(off == 0 && compared == numbers, "{off} of {compared} are off:\n{table}");
    }
}

#[test]
fn one_client_waits_as_long_as_recorded_at_every_level() {
    let recording = serde_json::from_str(COMMIT_LATENCY).expect("JSON");
    let mut comparison = Comparison::default();
    for (row, runs) in runs(&recording, "level") {
        if row.has_delay() {
            let recorded = number(&best(&runs)["lat"]["p50"]);
            let simulated = median_ms(&row.cluster().play(1, Duration::s(5)));
            comparison.compare(&row, "p50 (ms)", recorded, simulated, LATENCY_MS);
        }
    }
    // Five levels, two one-way delays, two fsyncs on either side, less the five without a delay.
    comparison.assert_all(35);
}

#[test]
fn clients_share_fsyncs_as_recorded() {
    let recording = serde_json::from_str(GROUP_COMMIT).expect("JSON");
    let mut comparison = Comparison::default();
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
            comparison.compare(&row, what, recorded, simulated, SHARE * recorded);
        }
    }
    // Two levels, six numbers of clients, three numbers each.
    comparison.assert_all(36);
}
