//! What `pg_stat_wal_receiver` shows of a walreceiver.
//!
//! **Source.** `walreceiver.c:pg_stat_get_wal_receiver`, `ProcessWalSndrMessage`;
//! `walreceiverfuncs.c:RequestXLogStreaming`.
//!
//! **Not modelled.** A keepalive that wants no answer counts as read when it arrives, also while
//! the process is busy.

use super::{Phase, WalReceiver};
use crate::units::{Lsn, SimTime};

/// What `pg_stat_wal_receiver` shows and the process itself has no use for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown {
    /// When the process began.
    pub began: SimTime,
    /// `receive_start_lsn`.
    pub start: Lsn,
    /// Whether it has written any WAL: `written_lsn` is NULL before.
    pub has_written: bool,
    /// When the last message that it has read was sent; when it began, before the first.
    pub sent: SimTime,
    /// When it has read that.
    pub read: SimTime,
}

impl WalReceiver {
    /// Whether there is a connection, so that the view has a row (`ready_to_display`).
    pub fn is_connected(&self) -> bool {
        match self.phase {
            Phase::Off | Phase::Connecting { .. } => false,
            Phase::Identifying | Phase::Starting | Phase::Streaming => true,
        }
    }

    /// What else the view shows.
    pub fn shown(&self) -> Shown {
        self.shown
    }
}
