//! A session on a server, as somebody who looks at its views has one.
//!
//! # What no model knows
//! Some columns tell of things that a run does not have. They get values that are always made the
//! same way, so that the rows can be read as those of a server:
//!
//! * Process ids are those of the logs ([`Process::pid`]).
//! * The n-th server of the file has the address 192.0.2.n, which is set aside for examples, and
//!   its own name as its host name; every server listens on port 5432.
//! * Standbys connect as the role `replicator` with the oid 16384, the first that a new cluster
//!   gives; the n-th connection of a standby comes from port 40000 + n (after 20,000, from the
//!   beginning again).
//! * `client_hostname` is NULL, since `log_hostname` is off by default; so is `backend_xmin`, since
//!   feedback is not modelled.
//! * `conninfo` is what a server of that version on Debian shows for
//!   `host=UPSTREAM port=5432 user=replicator`.
//! * A stream that runs since before the run counts as begun at time 0, and the last reply and
//!   the last message as of then.
//! * `stats_reset` is time 0, or the start after a crash; all counters begin there.
//! * Numbers that nothing counts are NULL, and [`Query::not_modelled`] names them.
//!
//! **Source.** RFC 5737 for the addresses; `transam.h:FirstNormalObjectId`.
//!
//! **Not modelled.** Time zones other than UTC; users without the right to see everything.

use super::query::Query;
use super::{WalLsn, exporter, monitoring, tables, wal_lsn};
use crate::postgres::ConnectionId;
use crate::postgres::PgVersion;
use crate::postgres::output;
use crate::postgres::server::{Server, State};
use crate::trace::fact::ServerId;
use crate::trace::messages::Process;
use crate::trace::table::{SqlError, SqlType, Table};
use crate::units::{Lsn, SimTime};

/// The port of every server.
pub const PORT: u32 = 5432;
/// The role that standbys connect as.
pub const REPLICATION_ROLE: &str = "replicator";
/// Its oid.
pub const REPLICATION_ROLE_OID: u32 = 16_384;

/// A session at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Session<'a> {
    /// All servers of the run.
    pub servers: &'a [Server],
    /// Their names.
    pub names: &'a [String],
    /// Which of them the session is on.
    pub server: ServerId,
    /// The moment.
    pub now: SimTime,
    /// What its walreceiver was told last of the upstream's end of WAL, if that is known.
    pub latest_end: Option<LatestEnd>,
    /// When the last transaction was made that it has replayed, if there is one.
    pub last_commit: Option<SimTime>,
}

/// `pg_stat_wal_receiver.latest_end_lsn` and since when it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatestEnd {
    /// The end of WAL in the last message.
    pub lsn: Lsn,
    /// When the message was sent that raised it last; `None` if the walreceiver has heard of no
    /// more since it began.
    pub raised: Option<SimTime>,
}

impl<'a> Session<'a> {
    /// What the query returns.
    pub fn ask(&self, query: Query) -> Result<Table, SqlError> {
        match query {
            Query::StatReplication => Ok(tables::stat_replication(self)),
            Query::StatWalReceiver => Ok(tables::stat_wal_receiver(self)),
            Query::ReplicationSlots => Ok(tables::replication_slots(self)),
            Query::StatWal => tables::stat_wal(self),
            Query::StatBgwriter => Ok(tables::stat_bgwriter(self)),
            Query::StatCheckpointer => tables::stat_checkpointer(self),
            Query::LsWaldir => Ok(tables::ls_waldir(self)),
            Query::IsInRecovery => Ok(tables::is_in_recovery(self)),
            Query::CurrentWalLsn => tables::current(self, query, |at| at.write_lsn),
            Query::CurrentWalInsertLsn => tables::current(self, query, |at| at.insert_lsn),
            Query::CurrentWalFlushLsn => tables::current(self, query, |at| at.flush_lsn),
            Query::LastWalReceiveLsn => {
                Ok(tables::value(query, SqlType::PgLsn, tables::lsn(self.positions().receive_lsn)))
            }
            Query::LastWalReplayLsn => {
                Ok(tables::value(query, SqlType::PgLsn, tables::lsn(self.positions().replay_lsn)))
            }
            Query::LastXactReplayTimestamp => {
                let replayed = self.last_xact_replay().map(output::timestamptz);
                Ok(tables::value(query, SqlType::Timestamptz, replayed))
            }
            Query::Status => Ok(monitoring::status(self)),
            Query::Lag => monitoring::lag(self),
            Query::Slots => monitoring::slots(self),
            Query::Role => Ok(monitoring::role(self)),
            Query::LastReplay => Ok(monitoring::last_replay(self)),
            Query::LagTimestamp => Err(monitoring::no_such_column(query, "replay_timestamp")),
            Query::MonitorStandbys => monitoring::monitor_standbys(self),
            Query::MonitorSlots => monitoring::monitor_slots(self),
            Query::MonitorRecovery => Ok(monitoring::monitor_recovery(self)),
            Query::ExporterReplication => Ok(exporter::replication(self)),
            Query::ExporterReplicationSlots => Ok(exporter::replication_slots_kept(self)),
            Query::ExporterSlotPositions => Ok(exporter::slot_positions(self)),
            Query::ExporterStatReplication => Ok(exporter::standbys(self)),
            Query::ExporterStatWalReceiver => Ok(exporter::wal_receiver(self)),
            Query::ExporterWal => Ok(exporter::wal(self)),
        }
    }

    /// The server.
    pub(super) fn here(&self) -> &'a Server {
        &self.servers[self.server.index()]
    }

    pub(super) fn version(&self) -> PgVersion {
        self.here().settings().version()
    }

    /// Whether its version is that or a later one.
    pub(super) fn since(&self, major: u8) -> bool {
        self.version().major() >= major
    }

    pub(super) fn name_of(&self, server: ServerId) -> &'a str {
        self.names.get(server.index()).map_or("?", String::as_str)
    }

    /// `pg_is_in_recovery()`.
    pub(super) fn in_recovery(&self) -> bool {
        matches!(self.here().state(), State::Standby(_))
    }

    /// A moment as the clock of a server showed it: microseconds since 2000-01-01 UTC.
    pub(super) fn clock(&self, server: ServerId, at: SimTime) -> i64 {
        self.servers[server.index()].clock().at(at)
    }

    /// The same as a `timestamptz`.
    pub(super) fn moment(&self, server: ServerId, at: SimTime) -> String {
        output::timestamptz(self.clock(server, at))
    }

    /// `now()`, in microseconds.
    pub(super) fn clock_here(&self) -> i64 {
        self.clock(self.server, self.now)
    }

    /// `pg_last_xact_replay_timestamp()` in microseconds, by the clock of whoever committed.
    pub(super) fn last_xact_replay(&self) -> Option<i64> {
        let State::Standby(standby) = self.here().state() else { return None };
        Some(self.clock(standby.receiver.upstream(), self.last_commit?))
    }

    /// The WAL positions of the server.
    pub(super) fn positions(&self) -> WalLsn {
        wal_lsn(self.here(), self.now).unwrap_or_default()
    }

    /// `pg_current_wal_lsn()`.
    pub(super) fn current_wal_lsn(&self) -> Result<Lsn, SqlError> {
        self.positions().write_lsn.ok_or_else(recovery_in_progress)
    }
}

/// What a standby says where only a primary has an answer.
pub(super) fn recovery_in_progress() -> SqlError {
    SqlError {
        message: "recovery is in progress".to_owned(),
        position: None,
        hint: Some("WAL control functions cannot be executed during recovery."),
    }
}

/// `client_addr` of a server.
pub fn address(server: ServerId) -> String {
    format!("192.0.2.{}", u32::from(server.0) + 1)
}

/// `client_port` of a connection: those of a server are numbered from 1.
pub(super) fn client_port(connection: ConnectionId) -> u32 {
    40_000 + (connection.0 & 0xff_ffff) % 20_000
}

/// Process id of the walreceiver.
pub(super) fn receiver_pid(server: ServerId) -> u32 {
    Process::WalReceiver.pid(server)
}
