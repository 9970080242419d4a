//! What an operator's session, or the service manager, asks of one server.
//!
//! A command is taken at once and may take its time: a checkpoint spreads nothing but still
//! writes, a shutdown first ends its sessions. Who waits for its end looks at the server's state.
//! A command that the server cannot carry out leaves a [`Refused`] behind as a fact, in
//! PostgreSQL's words, and changes nothing.
//!
//! **Source.** `slotfuncs.c`, `xlogfuncs.c`, `checkpointer.c:RequestCheckpoint`,
//! `postmaster.c:pmdie`.
//!
//! **Not modelled.** The sessions that commands come from: they need no free connection.

use serde::Serialize;

use super::guc::Settings;
use crate::units::{Bytes, Lsn};

/// A replication slot's name: an index into [`crate::trace::Run::slots`], one for each name in the
/// run, on whatever server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct SlotName(pub u16);

/// What is asked of a server.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// `CHECKPOINT`: immediate, forced, waited for. On a standby a restartpoint.
    Checkpoint,
    /// `pg_switch_wal()`.
    SwitchWal,
    /// Writes so much WAL in one transaction, and commits it.
    Write(Bytes),
    /// The same, until the insert position is at least this.
    WriteTo(Lsn),
    /// `ALTER SYSTEM` and `pg_reload_conf()`: the whole configuration as it is from now on. What
    /// needs a restart waits for one.
    Reload(Box<Settings>),
    /// `pg_create_physical_replication_slot(slot, reserve)`.
    SlotCreate {
        /// Its name.
        slot: SlotName,
        /// `immediately_reserve`.
        reserve: bool,
    },
    /// `pg_drop_replication_slot(slot)`.
    SlotDrop {
        /// Its name.
        slot: SlotName,
    },
    /// `pg_wal_replay_pause()`.
    ReplayPause,
    /// `pg_wal_replay_resume()`.
    ReplayResume,
    /// Something befalls sessions whose commits wait for standbys.
    Interrupt {
        /// What.
        how: Interrupt,
        /// Whom.
        waiters: Waiters,
    },
    /// `pg_ctl promote`.
    Promote,
    /// The postmaster shuts down.
    Stop(StopMode),
}

/// What befalls a session whose commit waits for standbys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Interrupt {
    /// `pg_cancel_backend()`, or Ctrl-C in psql: the wait ends, and the client has its answer.
    Cancel,
    /// `pg_terminate_backend()`: the wait ends, and the connection with it.
    Terminate,
    /// Its client is gone: nothing happens on the server until the wait ends.
    Disconnect,
}

/// Sessions whose commits are durable here and wait for standbys: those that
/// `pg_stat_activity` shows with `wait_event = 'SyncRep'`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiters {
    /// Index of their workload.
    pub workload: u16,
    /// Only the n-th of them, from 1, in the order of their commit records; `None`: all.
    pub nth: Option<u32>,
}

/// `pg_ctl stop -m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StopMode {
    /// Sessions are ended, a shutdown checkpoint is made, standbys get all of it.
    Fast,
    /// As a crash of all processes: recovery at the next start.
    Immediate,
}

/// Why a command did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refused {
    /// No server runs that could take it.
    NotRunning,
    /// Recovery is in progress: the command writes WAL.
    RecoveryInProgress,
    /// Recovery is not in progress: the command is for standbys.
    RecoveryNotInProgress,
    /// `replication slot "%s" already exists`.
    SlotExists {
        /// The slot.
        slot: SlotName,
    },
    /// `replication slot "%s" does not exist`.
    NoSuchSlot {
        /// The slot.
        slot: SlotName,
    },
    /// `replication slot "%s" is active for PID %d`.
    SlotActive {
        /// The slot.
        slot: SlotName,
        /// Its owner.
        pid: u32,
    },
    /// `all replication slots are in use`.
    AllSlotsInUse,
    /// No session waits for standbys that a command could be for: the query for its process id
    /// has no row.
    NobodyWaits {
        /// The workload whose sessions were meant.
        workload: u16,
    },
}
