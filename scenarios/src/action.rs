//! What an operator does, its fields, its words; data only.
//!
//! A [`Deed`] is one thing done to one server, or one look or wait. `[action.X]` does one at a
//! moment; the deeds of a `[[step]]` follow each other, each when the one before has ended.

use models::postgres::command::StopMode;
use models::units::{Bytes, Duration, Lsn};

use crate::scenario::ServerIndex;

/// One `[action.X]`, resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// Its key in the file.
    pub name: String,
    /// When it is done.
    pub at: Duration,
    /// What is done.
    pub deed: Deed,
}

/// One thing done.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// `CHECKPOINT`; ends with the checkpoint.
    Checkpoint(ServerIndex),
    /// `pg_switch_wal()`.
    SwitchWal(ServerIndex),
    /// Writes so much WAL in one transaction; ends when it is flushed.
    Write(ServerIndex, Bytes),
    /// Writes WAL until the insert position is at least this; ends when it is flushed.
    WriteTo(ServerIndex, Lsn),
    /// `ALTER SYSTEM SET` of each, and a reload.
    Set(ServerIndex, Vec<(String, String)>),
    /// `pg_create_physical_replication_slot`.
    SlotCreate {
        /// Where.
        server: ServerIndex,
        /// Index into [`crate::scenario::Scenario::slots`].
        slot: usize,
        /// `immediately_reserve`.
        reserve: bool,
    },
    /// `pg_drop_replication_slot`.
    SlotDrop {
        /// Where.
        server: ServerIndex,
        /// Index into [`crate::scenario::Scenario::slots`].
        slot: usize,
    },
    /// `pg_ctl stop`; ends when the server is down.
    Stop(ServerIndex, StopMode),
    /// `pg_ctl start`; ends when connections are accepted.
    Start(ServerIndex),
    /// `pg_ctl restart`.
    Restart(ServerIndex, StopMode),
    /// Writes down what views show.
    Observe(ServerIndex, Vec<View>),
    /// Goes on when this holds.
    Wait(ServerIndex, Condition),
    /// Lets time pass.
    Sleep(Duration),
}

/// A view that [`Deed::Observe`] writes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// `pg_replication_slots`.
    ReplicationSlots,
    /// `pg_ls_waldir()`: the files of pg_wal.
    LsWaldir,
    /// `pg_stat_replication`.
    StatReplication,
    /// `pg_current_wal_insert_lsn()`, `pg_current_wal_lsn()`, `pg_current_wal_flush_lsn()`, on a
    /// standby `pg_last_wal_receive_lsn()` and `pg_last_wal_replay_lsn()`.
    WalLsn,
    /// `pg_control_checkpoint()`.
    ControlCheckpoint,
}

/// What [`Deed::Wait`] waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The server accepts connections.
    Ready,
    /// No postmaster runs.
    Down,
    /// Its upstream shows it in state `streaming`.
    Streaming,
    /// It has replayed all that its upstream has flushed.
    CaughtUp,
    /// No walsender serves it.
    Disconnected,
    /// The WAL it needs next is gone.
    Lost,
}

/// One `[[step]]`: begins when the one before has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What is done, one after the other.
    pub deeds: Vec<Deed>,
    /// How often the whole step is done.
    pub repeat: u32,
}
