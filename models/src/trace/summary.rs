//! The numbers of `summary.json`, one [`Summary`] a variant.
//!
//! The field names are an interface: scenario files address them in `[expect]`
//! (`'latency_ms.p50'`, `standbys.pg2.lost`), and scripts read them. Seconds and milliseconds are
//! for people; nothing here is read back into a model.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::units::{Lsn, TimelineId};

/// One variant in numbers.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// The variant's name.
    pub name: String,
    /// What the variant sets: path and value, as in the file.
    pub settings: BTreeMap<String, String>,
    /// Digest of every event, 16 hexadecimal digits.
    pub digest: String,
    /// Simulated time that was played.
    pub simulated_seconds: f64,
    /// Data events of the core.
    pub events: u64,
    /// What became of the commits.
    pub commits: Commits,
    /// Commits acknowledged a second, over the whole run.
    pub tps: f64,
    /// Commit latency from intended start; all zero without commits.
    pub latency_ms: LatencyMs,
    /// Every server, in the order of the file.
    pub servers: Vec<ServerSummary>,
    /// Every standby, in the order of the file.
    pub standbys: Vec<StandbySummary>,
    /// Every replication slot that ever existed.
    pub slots: Vec<SlotSummary>,
    /// Every failover, in order.
    pub failovers: Vec<FailoverSummary>,
    /// What statements were answered, in order; at most 1,000.
    pub statements: Vec<StatementSummary>,
    /// What the scenario expects, and what was measured.
    pub expectations: Vec<ExpectationSummary>,
    /// The laws that every run is held against.
    pub laws: Vec<LawSummary>,
}

/// What became of the commits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Commits {
    /// Intended starts within the run.
    pub attempted: u64,
    /// Answered with COMMIT.
    pub acknowledged: u64,
    /// Answered with COMMIT behind a warning: the wait for standbys was cancelled, and they may
    /// not have it. Not among `acknowledged`, nor in any latency.
    pub cancelled: u64,
    /// Acknowledged, and absent from the acting primary's timeline at the end.
    pub lost: u64,
    /// The connection ended before an answer came: the client does not know.
    pub unknown: u64,
}

/// A latency's mean and percentiles in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LatencyMs {
    /// Mean.
    pub mean: f64,
    /// Median.
    pub p50: f64,
    /// 90 %.
    pub p90: f64,
    /// 99 %.
    pub p99: f64,
    /// 99.9 %.
    pub p999: f64,
    /// Largest.
    pub max: f64,
}

/// The largest value over the run and the one at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct MaxEnd<T> {
    /// Largest.
    pub max: T,
    /// At the end.
    pub end: T,
}

/// One server.
#[derive(Clone, Debug, Serialize)]
pub struct ServerSummary {
    /// Its name.
    pub name: String,
    /// `primary`, `standby` or `down`, at the end.
    pub role: &'static str,
    /// Its timeline at the end.
    pub timeline: TimelineId,
    /// Its insert position at the end; on a standby what it has replayed.
    pub insert_lsn: Lsn,
    /// Its flush position at the end.
    pub flush_lsn: Lsn,
    /// Bytes of the files in pg_wal.
    pub pg_wal_bytes: MaxEnd<u64>,
    /// Checkpoints (on a standby restartpoints) completed.
    pub checkpoints: u64,
    /// Time during which it accepted no connections.
    pub downtime_seconds: f64,
    /// Rows of each workload that a session sees at the end; only in runs whose file asks for
    /// rows, and only where a session can be had.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rows: BTreeMap<String, u64>,
}

/// A statement and its answer.
#[derive(Clone, Debug, Serialize)]
pub struct StatementSummary {
    /// The `[action.X]` that sent it; of a `[[step]]` its number among all statements.
    pub name: String,
    /// The server.
    pub server: String,
    /// When.
    pub at_seconds: f64,
    /// As SQL.
    pub sql: String,
    /// `t` or `f`; `None` otherwise.
    pub value: Option<&'static str>,
    /// Rows; `None` where none were counted.
    pub count: Option<u64>,
    /// `00000` if it worked; `None` if no server answered.
    pub sqlstate: Option<&'static str>,
    /// Why it failed.
    pub message: Option<String>,
}

/// One standby.
#[derive(Clone, Debug, Serialize)]
pub struct StandbySummary {
    /// Its name.
    pub name: String,
    /// The server it streams from.
    pub upstream: String,
    /// Whether it streams at the end.
    pub connected: bool,
    /// Whether the WAL it needs next is gone from every source it may ask.
    pub lost: bool,
    /// As `pg_stat_replication` last showed it.
    pub sent_lsn: Lsn,
    /// As `pg_stat_replication` last showed it.
    pub write_lsn: Lsn,
    /// As `pg_stat_replication` last showed it.
    pub flush_lsn: Lsn,
    /// As `pg_stat_replication` last showed it.
    pub replay_lsn: Lsn,
    /// The primary's flush_lsn less what this standby has replayed.
    pub lag_bytes: MaxEnd<u64>,
    /// `replay_lag` as the upstream's view shows it; NULL counts as 0.
    pub replay_lag_seconds: MaxEnd<f64>,
    /// `async`, `potential`, `sync` or `quorum` at the end; empty while disconnected.
    pub sync_state: &'static str,
}

/// One replication slot.
#[derive(Clone, Debug, Serialize)]
pub struct SlotSummary {
    /// The server that has it.
    pub server: String,
    /// Its name.
    pub slot_name: String,
    /// Whether a walsender owns it at the end.
    pub active: bool,
    /// Oldest WAL it keeps; `None` if it keeps none.
    pub restart_lsn: Option<Lsn>,
    /// `reserved`, `extended`, `unreserved` or `lost`; `None` where the view shows NULL.
    pub wal_status: Option<&'static str>,
    /// Every status it ever had, in order of first appearance.
    pub wal_status_seen: Vec<&'static str>,
    /// Bytes until it may be lost; `None` where the view shows NULL.
    pub safe_wal_size: Option<i64>,
    /// Insert position less restart_lsn.
    pub retained_bytes: MaxEnd<u64>,
}

/// One failover.
#[derive(Clone, Debug, Serialize)]
pub struct FailoverSummary {
    /// When the new primary accepted connections.
    pub at_seconds: f64,
    /// The old primary.
    pub from: String,
    /// The new primary.
    pub to: String,
    /// The new timeline.
    pub timeline: TimelineId,
    /// Acknowledged commits that are not on it.
    pub lost_commits: u64,
    /// Time without a primary.
    pub downtime_seconds: f64,
}

/// What the scenario expects, and what was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExpectationSummary {
    /// The path into this summary.
    pub metric: String,
    /// The comparison, as in the file.
    pub wanted: String,
    /// What was measured, as text.
    pub measured: String,
    /// Whether it held.
    pub met: bool,
}

/// A law that every run is held against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LawSummary {
    /// Its name.
    pub name: &'static str,
    /// Whether it held.
    pub held: bool,
    /// How often it was broken.
    pub violations: u64,
}
