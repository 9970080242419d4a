//! The numbers of `summary.json`, one [`Summary`] a variant.
//!
//! The field names are an interface: scenario files address them in `[expect]`
//! (`'latency_ms.p50'`, `standbys.pg2.lost`), and scripts read them. Seconds and milliseconds are
//! for people; nothing here is read back into a model.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::units::{Bytes, Duration, Lsn, TimelineId};

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
    /// Intended starts within the run: the sum of `acknowledged`, `cancelled`, `unknown`,
    /// `refused` and `waiting`.
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
    /// There was no primary to connect to.
    pub refused: u64,
    /// Neither answered nor over when the run ended.
    pub waiting: u64,
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

/// How long a standby's lag was in which band, by what it really lacks: whether or not it is
/// connected, and in seconds since the primary flushed the first WAL that it has not replayed, to
/// the two-thousandth part of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LagBands {
    /// Good by bytes and by time, concerning by either.
    #[serde(flatten)]
    pub both: TimeInBands,
    /// By [`LagBands::BYTES`].
    pub by_bytes: TimeInBands,
    /// By [`LagBands::TIME`].
    pub by_time: TimeInBands,
}

impl LagBands {
    /// Good is below the first, concerning above the second: what monitoring of PostgreSQL
    /// commonly starts with.
    pub const BYTES: (Bytes, Bytes) = (Bytes(1 << 20), Bytes(100 << 20));
    /// Likewise.
    pub const TIME: (Duration, Duration) = (Duration::s(1), Duration::s(10));

    /// A standby was so many bytes and so much time behind, for `spent`.
    pub fn add(&mut self, behind: Bytes, age: Duration, spent: Duration) {
        let by_bytes = Band::of(behind, Self::BYTES);
        let by_time = Band::of(age, Self::TIME);
        self.both.add(by_bytes.max(by_time), spent);
        self.by_bytes.add(by_bytes, spent);
        self.by_time.add(by_time, spent);
    }
}

/// A band, from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Band {
    Good,
    Between,
    Concerning,
}

impl Band {
    fn of<T: PartialOrd>(lag: T, (good, concerning): (T, T)) -> Band {
        match lag {
            lag if lag < good => Band::Good,
            lag if lag > concerning => Band::Concerning,
            _ => Band::Between,
        }
    }
}

/// The time spent in each band.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct TimeInBands {
    /// Below the lower bound.
    #[serde(rename = "good_seconds", serialize_with = "seconds")]
    pub good: Duration,
    /// From the lower to the upper bound.
    #[serde(rename = "between_seconds", serialize_with = "seconds")]
    pub between: Duration,
    /// Above the upper bound.
    #[serde(rename = "concerning_seconds", serialize_with = "seconds")]
    pub concerning: Duration,
}

impl TimeInBands {
    fn add(&mut self, band: Band, spent: Duration) {
        *match band {
            Band::Good => &mut self.good,
            Band::Between => &mut self.between,
            Band::Concerning => &mut self.concerning,
        } += spent;
    }
}

fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_seconds())
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
    /// How long it was close to the primary, and how long far behind.
    pub lag_bands: LagBands,
    /// `replay_lag` as the upstream's view shows it; NULL counts as 0.
    pub replay_lag_seconds: MaxEnd<f64>,
    /// `async`, `potential`, `sync` or `quorum` at the end; empty while disconnected.
    pub sync_state: &'static str,
    /// The smallest `wal_keep_size` with which its upstream would have kept all WAL that it needed;
    /// at least so much if it is lost.
    pub wal_needed_bytes: u64,
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
    /// The smallest `max_slot_wal_keep_size` with which no checkpoint would have wanted to
    /// invalidate it; at least so much if one did.
    pub wal_needed_bytes: u64,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_is_good_by_both_measures_and_concerning_by_either() {
        let mut bands = LagBands::default();
        let (small, large) = (Bytes(0), Bytes((100 << 20) + 1));
        bands.add(small, Duration::ms(999), Duration::s(1));
        bands.add(small, Duration::s(10), Duration::s(2));
        bands.add(large, Duration::ZERO, Duration::s(4));
        let spent = |good, between, concerning| TimeInBands {
            good: Duration::s(good),
            between: Duration::s(between),
            concerning: Duration::s(concerning),
        };
        assert_eq!(bands.both, spent(1, 2, 4));
        assert_eq!(bands.by_bytes, spent(3, 0, 4));
        assert_eq!(bands.by_time, spent(5, 2, 0));
    }
}
