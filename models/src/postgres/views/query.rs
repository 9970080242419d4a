//! The queries that can be asked of a server at a moment: views, functions, and the monitoring
//! queries that tutorials teach.
//!
//! A query is looked up by its name and has its SQL as it would be typed. What it returns is in
//! `tables.rs` and `monitoring.rs`.
//!
//! **Source.** Manual, "Monitoring Database Activity", "System Administration Functions". The
//! monitoring queries are those that beginners are given with a first standby, mistakes included:
//! one asks for a column that does not exist, one computes NULL wherever it is asked.
//!
//! **Not modelled.** Any other SQL.

use crate::postgres::PgVersion;
use crate::trace::scrape::Collector;

/// A query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Query {
    /// `pg_stat_replication`.
    StatReplication,
    /// `pg_stat_wal_receiver`.
    StatWalReceiver,
    /// `pg_replication_slots`.
    ReplicationSlots,
    /// `pg_stat_wal`.
    StatWal,
    /// `pg_stat_bgwriter`.
    StatBgwriter,
    /// `pg_stat_checkpointer`.
    StatCheckpointer,
    /// `pg_ls_waldir()`.
    LsWaldir,
    /// `pg_is_in_recovery()`.
    IsInRecovery,
    /// `pg_current_wal_lsn()`.
    CurrentWalLsn,
    /// `pg_current_wal_insert_lsn()`.
    CurrentWalInsertLsn,
    /// `pg_current_wal_flush_lsn()`.
    CurrentWalFlushLsn,
    /// `pg_last_wal_receive_lsn()`.
    LastWalReceiveLsn,
    /// `pg_last_wal_replay_lsn()`.
    LastWalReplayLsn,
    /// `pg_last_xact_replay_timestamp()`.
    LastXactReplayTimestamp,
    /// Monitoring query 1: how each standby does.
    Status,
    /// Monitoring query 2: lag in bytes and seconds.
    Lag,
    /// Monitoring query 3: what slots keep.
    Slots,
    /// Monitoring query 4: what the server is.
    Role,
    /// Monitoring query 5: when the last transaction replayed was made.
    LastReplay,
    /// Lag by a column that does not exist.
    LagTimestamp,
    /// Of `monitor`: the standbys of a server.
    MonitorStandbys,
    /// Of `monitor`: its slots.
    MonitorSlots,
    /// Of `monitor`: how far it has received and replayed.
    MonitorRecovery,
    /// Of postgres_exporter: lag in seconds.
    ExporterReplication,
    /// Of postgres_exporter: what each slot keeps.
    ExporterReplicationSlots,
    /// Of postgres_exporter: positions of slots, and `wal_status`.
    ExporterSlotPositions,
    /// Of postgres_exporter: lag in bytes.
    ExporterStatReplication,
    /// Of postgres_exporter: the walreceiver.
    ExporterStatWalReceiver,
    /// Of postgres_exporter: the files of pg_wal.
    ExporterWal,
}

impl Query {
    /// Those that go by a name, in the order in which they are listed.
    pub const NAMED: [Query; 20] = [
        Query::StatReplication,
        Query::StatWalReceiver,
        Query::ReplicationSlots,
        Query::StatWal,
        Query::StatBgwriter,
        Query::StatCheckpointer,
        Query::LsWaldir,
        Query::IsInRecovery,
        Query::CurrentWalLsn,
        Query::CurrentWalInsertLsn,
        Query::CurrentWalFlushLsn,
        Query::LastWalReceiveLsn,
        Query::LastWalReplayLsn,
        Query::LastXactReplayTimestamp,
        Query::Status,
        Query::Lag,
        Query::Slots,
        Query::Role,
        Query::LastReplay,
        Query::LagTimestamp,
    ];

    /// What a collector of postgres_exporter asks.
    pub fn of(collector: Collector) -> Query {
        match collector {
            Collector::Replication => Query::ExporterReplication,
            Collector::ReplicationSlots => Query::ExporterReplicationSlots,
            Collector::SlotPositions => Query::ExporterSlotPositions,
            Collector::StatReplication => Query::ExporterStatReplication,
            Collector::StatWalReceiver => Query::ExporterStatWalReceiver,
            Collector::Wal => Query::ExporterWal,
            Collector::StatBgwriter => Query::StatBgwriter,
            Collector::StatCheckpointer => Query::StatCheckpointer,
        }
    }

    /// The query of that name, with or without `()`.
    pub fn named(name: &str) -> Option<Query> {
        let name = name.strip_suffix("()").unwrap_or(name);
        Query::NAMED.into_iter().find(|query| query.name() == name)
    }

    /// Its name: that of the view or function.
    pub fn name(self) -> &'static str {
        match self {
            Query::StatReplication => "pg_stat_replication",
            Query::StatWalReceiver => "pg_stat_wal_receiver",
            Query::ReplicationSlots => "pg_replication_slots",
            Query::StatWal => "pg_stat_wal",
            Query::StatBgwriter => "pg_stat_bgwriter",
            Query::StatCheckpointer => "pg_stat_checkpointer",
            Query::LsWaldir => "pg_ls_waldir",
            Query::IsInRecovery => "pg_is_in_recovery",
            Query::CurrentWalLsn => "pg_current_wal_lsn",
            Query::CurrentWalInsertLsn => "pg_current_wal_insert_lsn",
            Query::CurrentWalFlushLsn => "pg_current_wal_flush_lsn",
            Query::LastWalReceiveLsn => "pg_last_wal_receive_lsn",
            Query::LastWalReplayLsn => "pg_last_wal_replay_lsn",
            Query::LastXactReplayTimestamp => "pg_last_xact_replay_timestamp",
            Query::Status => "status",
            Query::Lag => "lag",
            Query::Slots => "slots",
            Query::Role => "role",
            Query::LastReplay => "last_replay",
            Query::LagTimestamp => "lag_timestamp",
            Query::MonitorStandbys => "monitor_standbys",
            Query::MonitorSlots => "monitor_slots",
            Query::MonitorRecovery => "monitor_recovery",
            Query::ExporterReplication => "exporter_replication",
            Query::ExporterReplicationSlots => "exporter_replication_slots",
            Query::ExporterSlotPositions => "exporter_slot_positions",
            Query::ExporterStatReplication => "exporter_stat_replication",
            Query::ExporterStatWalReceiver => "exporter_stat_wal_receiver",
            Query::ExporterWal => "exporter_wal",
        }
    }

    /// What it tells.
    pub fn doc(self) -> &'static str {
        match self {
            Query::StatReplication => "Of a primary, its walsenders: how far each standby is.",
            Query::StatWalReceiver => "Of a standby, its walreceiver; no row without a connection.",
            Query::ReplicationSlots => "Slots, and whether the WAL that they need is kept.",
            Query::StatWal => "WAL made since time 0 or a crash. 14 and later.",
            Query::StatBgwriter => {
                "To 16 checkpoints; the background writer itself is not modelled."
            }
            Query::StatCheckpointer => "Checkpoints and restartpoints. 17 and later.",
            Query::LsWaldir => "The files of pg_wal, by name.",
            Query::IsInRecovery => "Whether the server is a standby.",
            Query::CurrentWalLsn => "End of what is written to files; an error on a standby.",
            Query::CurrentWalInsertLsn => "End of what is inserted; an error on a standby.",
            Query::CurrentWalFlushLsn => "End of what is durable; an error on a standby.",
            Query::LastWalReceiveLsn => "End of what a standby has received and made durable.",
            Query::LastWalReplayLsn => "End of what a standby has replayed.",
            Query::LastXactReplayTimestamp => {
                "When the last transaction was made that a standby has replayed, by the clock of \
                 its primary."
            }
            Query::Status => "Monitoring query 1: how each standby does.",
            Query::Lag => {
                "Monitoring query 2: lag in bytes and seconds. The seconds are NULL on a primary, \
                 and a standby has no rows."
            }
            Query::Slots => {
                "Monitoring query 3: what each slot keeps; an error on a standby's slots."
            }
            Query::Role => "Monitoring query 4: what the server is.",
            Query::LastReplay => {
                "Monitoring query 5: the age of the last transaction replayed, which grows while \
                 nothing happens."
            }
            Query::LagTimestamp => {
                "A lag query that fails everywhere: pg_stat_replication has no replay_timestamp."
            }
            Query::MonitorStandbys => "Of `monitor`: the standbys of a server.",
            Query::MonitorSlots => "Of `monitor`: its slots.",
            Query::MonitorRecovery => "Of `monitor`: how far it has received and replayed.",
            Query::ExporterReplication => "Of postgres_exporter: lag in seconds.",
            Query::ExporterReplicationSlots => "Of postgres_exporter: what each slot keeps.",
            Query::ExporterSlotPositions => {
                "Of postgres_exporter: positions of slots, and `wal_status`."
            }
            Query::ExporterStatReplication => "Of postgres_exporter: lag in bytes.",
            Query::ExporterStatWalReceiver => "Of postgres_exporter: the walreceiver.",
            Query::ExporterWal => "Of postgres_exporter: the files of pg_wal.",
        }
    }

    /// As it is typed.
    pub fn sql(self) -> String {
        match self {
            Query::StatReplication
            | Query::StatWalReceiver
            | Query::ReplicationSlots
            | Query::StatWal
            | Query::StatBgwriter
            | Query::StatCheckpointer => format!("select * from {}", self.name()),
            Query::LsWaldir => "select * from pg_ls_waldir() order by name".to_owned(),
            Query::IsInRecovery
            | Query::CurrentWalLsn
            | Query::CurrentWalInsertLsn
            | Query::CurrentWalFlushLsn
            | Query::LastWalReceiveLsn
            | Query::LastWalReplayLsn
            | Query::LastXactReplayTimestamp => format!("select {}()", self.name()),
            Query::Status => include_str!("monitoring/status.sql").trim_end().to_owned(),
            Query::Lag => include_str!("monitoring/lag.sql").trim_end().to_owned(),
            Query::Slots => include_str!("monitoring/slots.sql").trim_end().to_owned(),
            Query::Role => include_str!("monitoring/role.sql").trim_end().to_owned(),
            Query::LastReplay => include_str!("monitoring/last_replay.sql").trim_end().to_owned(),
            Query::LagTimestamp => {
                include_str!("monitoring/lag_timestamp.sql").trim_end().to_owned()
            }
            Query::MonitorStandbys => {
                include_str!("monitoring/monitor_standbys.sql").trim_end().to_owned()
            }
            Query::MonitorSlots => {
                include_str!("monitoring/monitor_slots.sql").trim_end().to_owned()
            }
            Query::MonitorRecovery => {
                include_str!("monitoring/monitor_recovery.sql").trim_end().to_owned()
            }
            Query::ExporterReplication => {
                include_str!("monitoring/exporter_replication.sql").trim_end().to_owned()
            }
            Query::ExporterReplicationSlots => {
                include_str!("monitoring/exporter_replication_slots.sql").trim_end().to_owned()
            }
            Query::ExporterSlotPositions => {
                include_str!("monitoring/exporter_slot_positions.sql").trim_end().to_owned()
            }
            Query::ExporterStatReplication => {
                include_str!("monitoring/exporter_stat_replication.sql").trim_end().to_owned()
            }
            Query::ExporterStatWalReceiver => {
                include_str!("monitoring/exporter_stat_wal_receiver.sql").trim_end().to_owned()
            }
            Query::ExporterWal => include_str!("monitoring/exporter_wal.sql").trim_end().to_owned(),
        }
    }

    /// Whether it shows when a transaction was made that a standby has replayed.
    pub fn shows_commit_time(self) -> bool {
        match self {
            Query::LastXactReplayTimestamp
            | Query::Lag
            | Query::LastReplay
            | Query::MonitorRecovery
            | Query::ExporterReplication => true,
            Query::StatReplication
            | Query::StatWalReceiver
            | Query::ReplicationSlots
            | Query::StatWal
            | Query::StatBgwriter
            | Query::StatCheckpointer
            | Query::LsWaldir
            | Query::IsInRecovery
            | Query::CurrentWalLsn
            | Query::CurrentWalInsertLsn
            | Query::CurrentWalFlushLsn
            | Query::LastWalReceiveLsn
            | Query::LastWalReplayLsn
            | Query::Status
            | Query::Slots
            | Query::Role
            | Query::LagTimestamp
            | Query::MonitorStandbys
            | Query::MonitorSlots
            | Query::ExporterReplicationSlots
            | Query::ExporterSlotPositions
            | Query::ExporterStatReplication
            | Query::ExporterStatWalReceiver
            | Query::ExporterWal => false,
        }
    }

    /// Columns that are shown as NULL where no model knows them, and on a real server never are.
    pub fn not_modelled(self, version: PgVersion) -> &'static [&'static str] {
        match self {
            Query::StatWal if version.major() >= 18 => {
                &["wal_records", "wal_fpi", "wal_buffers_full"]
            }
            Query::StatWal => &["wal_records", "wal_fpi", "wal_buffers_full", "wal_write"],
            Query::StatBgwriter if version.major() >= 17 => {
                &["buffers_clean", "maxwritten_clean", "buffers_alloc"]
            }
            Query::StatBgwriter => &[
                "buffers_clean",
                "maxwritten_clean",
                "buffers_backend",
                "buffers_backend_fsync",
                "buffers_alloc",
            ],
            Query::StatCheckpointer if version.major() >= 18 => &["slru_written"],
            Query::LsWaldir => &["modification"],
            Query::StatReplication
            | Query::StatWalReceiver
            | Query::ReplicationSlots
            | Query::StatCheckpointer
            | Query::IsInRecovery
            | Query::CurrentWalLsn
            | Query::CurrentWalInsertLsn
            | Query::CurrentWalFlushLsn
            | Query::LastWalReceiveLsn
            | Query::LastWalReplayLsn
            | Query::LastXactReplayTimestamp
            | Query::Status
            | Query::Lag
            | Query::Slots
            | Query::Role
            | Query::LastReplay
            | Query::LagTimestamp
            | Query::MonitorStandbys
            | Query::MonitorSlots
            | Query::MonitorRecovery
            | Query::ExporterReplication
            | Query::ExporterReplicationSlots
            | Query::ExporterSlotPositions
            | Query::ExporterStatReplication
            | Query::ExporterStatWalReceiver
            | Query::ExporterWal => &[],
        }
    }
}
