//! Every metric that an expectation can ask for: its path, what it is compared with, what it means.

use super::Unit;

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its path into a variant of `summary.json`; `X` stands for a name, `Y`
    /// for a workload's.
    pub path: &'static str,
    /// What it is.
    pub unit: Unit,
    /// What it means.
    pub doc: &'static str,
}

const ROLES: &[&str] = &["primary", "standby", "down"];
const SYNC_STATES: &[&str] = &["async", "potential", "sync", "quorum"];
const WAL_STATUS: &[&str] = &["reserved", "extended", "unreserved", "lost"];

const fn metric(path: &'static str, unit: Unit, doc: &'static str) -> Metric {
    Metric { path, unit, doc }
}

/// Every metric; the keys of `summary.json`.
pub static METRICS: &[Metric] = &[
    metric("simulated_seconds", Unit::Seconds, "Simulated time that was played."),
    metric("events", Unit::Number, "Events of the core."),
    metric("digest", Unit::Word(&[]), "Digest of every event."),
    metric("tps", Unit::Number, "Commits acknowledged a second, over the whole run."),
    metric(
        "commits.attempted",
        Unit::Number,
        "Commits begun: the sum of acknowledged, cancelled, unknown, refused and waiting.",
    ),
    metric("commits.acknowledged", Unit::Number, "Commits answered."),
    metric("commits.cancelled", Unit::Number, "Commits whose wait for standbys was cancelled."),
    metric("commits.lost", Unit::Number, "Commits acknowledged, and gone at the end."),
    metric("commits.unknown", Unit::Number, "Commits whose connection ended before the answer."),
    metric("commits.refused", Unit::Number, "Commits that found no primary."),
    metric("commits.waiting", Unit::Number, "Commits without an answer at the end."),
    metric("latency_ms.mean", Unit::Millis, "Commit latency from intended start: mean."),
    metric("latency_ms.p50", Unit::Millis, "Commit latency: median."),
    metric("latency_ms.p90", Unit::Millis, "Commit latency: 90 %."),
    metric("latency_ms.p99", Unit::Millis, "Commit latency: 99 %."),
    metric("latency_ms.p999", Unit::Millis, "Commit latency: 99.9 %."),
    metric("latency_ms.max", Unit::Millis, "Commit latency: largest."),
    metric("servers.X.role", Unit::Word(ROLES), "What it runs as at the end."),
    metric("servers.X.timeline", Unit::Number, "Its timeline at the end."),
    metric(
        "servers.X.insert_lsn",
        Unit::Lsn,
        "Its insert position at the end; on a standby what it has replayed.",
    ),
    metric("servers.X.flush_lsn", Unit::Lsn, "Its flush position at the end."),
    metric("servers.X.pg_wal_bytes.max", Unit::Bytes, "Bytes of the files in pg_wal, at most."),
    metric("servers.X.pg_wal_bytes.end", Unit::Bytes, "The same at the end."),
    metric(
        "servers.X.checkpoints",
        Unit::Number,
        "Checkpoints completed; on a standby restartpoints.",
    ),
    metric(
        "servers.X.downtime_seconds",
        Unit::Seconds,
        "Time during which it accepted no connections.",
    ),
    metric("servers.X.rows.Y", Unit::Number, "Rows of a workload that are visible at the end."),
    metric("standbys.X.upstream", Unit::Word(&[]), "The server it streams from."),
    metric("standbys.X.connected", Unit::Bool, "Whether it streams at the end."),
    metric("standbys.X.lost", Unit::Bool, "Whether the WAL that it needs next is gone."),
    metric("standbys.X.sent_lsn", Unit::Lsn, "As pg_stat_replication last showed it."),
    metric("standbys.X.write_lsn", Unit::Lsn, "As pg_stat_replication last showed it."),
    metric("standbys.X.flush_lsn", Unit::Lsn, "As pg_stat_replication last showed it."),
    metric("standbys.X.replay_lsn", Unit::Lsn, "As pg_stat_replication last showed it."),
    metric(
        "standbys.X.lag_bytes.max",
        Unit::Bytes,
        "The primary's flush_lsn less what it has replayed, at most.",
    ),
    metric("standbys.X.lag_bytes.end", Unit::Bytes, "The same at the end."),
    metric(
        "standbys.X.replay_lag_seconds.max",
        Unit::Seconds,
        "replay_lag as pg_stat_replication showed it, at most.",
    ),
    metric("standbys.X.replay_lag_seconds.end", Unit::Seconds, "The same at the end."),
    metric(
        "standbys.X.lag_bands.good_seconds",
        Unit::Seconds,
        "Time with less than 1 MB and 1 s of lag.",
    ),
    metric(
        "standbys.X.lag_bands.between_seconds",
        Unit::Seconds,
        "Time that was neither good nor concerning.",
    ),
    metric(
        "standbys.X.lag_bands.concerning_seconds",
        Unit::Seconds,
        "Time with more than 100 MB or 10 s of lag.",
    ),
    metric("standbys.X.lag_bands.by_bytes.good_seconds", Unit::Seconds, "By bytes alone."),
    metric("standbys.X.lag_bands.by_bytes.between_seconds", Unit::Seconds, "By bytes alone."),
    metric("standbys.X.lag_bands.by_bytes.concerning_seconds", Unit::Seconds, "By bytes alone."),
    metric("standbys.X.lag_bands.by_time.good_seconds", Unit::Seconds, "By time alone."),
    metric("standbys.X.lag_bands.by_time.between_seconds", Unit::Seconds, "By time alone."),
    metric("standbys.X.lag_bands.by_time.concerning_seconds", Unit::Seconds, "By time alone."),
    metric(
        "standbys.X.sync_state",
        Unit::Word(SYNC_STATES),
        "As pg_stat_replication has it at the end; empty while disconnected.",
    ),
    metric(
        "standbys.X.wal_needed_bytes",
        Unit::Bytes,
        "The smallest wal_keep_size that keeps all it needed; at least so much if it is lost.",
    ),
    metric("slots.X.active", Unit::Bool, "Whether a walsender owns it at the end."),
    metric("slots.X.restart_lsn", Unit::Lsn, "The oldest WAL that it keeps at the end."),
    metric(
        "slots.X.wal_status",
        Unit::Word(WAL_STATUS),
        "As pg_replication_slots has it at the end.",
    ),
    metric(
        "slots.X.wal_status_seen",
        Unit::Words(WAL_STATUS),
        "Every wal_status that it ever had.",
    ),
    metric("slots.X.safe_wal_size", Unit::Bytes, "As pg_replication_slots has it at the end."),
    metric(
        "slots.X.retained_bytes.max",
        Unit::Bytes,
        "WAL from restart_lsn to the insert position, at most.",
    ),
    metric("slots.X.retained_bytes.end", Unit::Bytes, "The same at the end."),
    metric(
        "slots.X.wal_needed_bytes",
        Unit::Bytes,
        "The smallest max_slot_wal_keep_size that keeps it; at least so much if it is lost.",
    ),
    metric("failovers.X.at_seconds", Unit::Seconds, "When the new primary accepted connections."),
    metric("failovers.X.from", Unit::Word(&[]), "The old primary."),
    metric("failovers.X.to", Unit::Word(&[]), "The new primary."),
    metric("failovers.X.timeline", Unit::Number, "The new timeline."),
    metric("failovers.X.lost_commits", Unit::Number, "Acknowledged commits that are not on it."),
    metric("failovers.X.downtime_seconds", Unit::Seconds, "Time without a primary."),
    metric("statements.X.at_seconds", Unit::Seconds, "When the statement was sent."),
    metric("statements.X.value", Unit::Word(&["t", "f"]), "What pg_is_in_recovery() said."),
    metric("statements.X.count", Unit::Number, "Rows that it counted."),
    metric("statements.X.sqlstate", Unit::Word(&[]), "Its SQLSTATE; 00000 if it worked."),
    metric("laws.X.held", Unit::Bool, "Whether the law held."),
    metric("laws.X.violations", Unit::Number, "How often it was broken."),
];

impl Unit {
    /// What it is compared with, in words.
    pub fn describe(self) -> String {
        match self {
            Unit::Number => "a number".to_owned(),
            Unit::Millis => "a time, or milliseconds".to_owned(),
            Unit::Seconds => "a time, or seconds".to_owned(),
            Unit::Bytes => "a size, or bytes".to_owned(),
            Unit::Bool => "true, false".to_owned(),
            Unit::Lsn => "a WAL position".to_owned(),
            Unit::Word([]) => "a word".to_owned(),
            Unit::Word(words) => words.join(", "),
            Unit::Words(words) => format!("whether it has {}", words.join(", ")),
        }
    }
}
