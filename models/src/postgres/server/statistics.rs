//! The cumulative statistics of a server, as far as its processes count.
//!
//! They begin at 0 with the run, live through a restart in order, and begin again after a crash.
//!
//! **Source.** `pgstat.c`: `pgstat_restore_stats`, `pgstat_discard_stats` (to 14:
//! `pgstat_read_statsfiles`, `pgstat_reset_all`).
//!
//! **Not modelled.** The second or so until a process has reported what it counts.

use super::{Server, State};
use crate::postgres::checkpointer::Counts;
use crate::units::SimTime;

/// What was counted since a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// `stats_reset`.
    pub since: SimTime,
    /// Checkpoints, on a standby restartpoints.
    pub checkpoints: Counts,
    /// WAL inserted: bytes of records, each rounded up to 8.
    pub wal_bytes: u64,
    /// Fsyncs of WAL files by backends and the walwriter.
    pub wal_syncs: u64,
}

impl Server {
    /// What was counted so far.
    pub fn statistics(&self) -> Statistics {
        let Statistics { since, checkpoints, wal_bytes, wal_syncs } = self.earlier_statistics;
        let (counts, bytes, syncs) = match &self.state {
            State::Primary(primary) => {
                (primary.checkpoint_counts(), primary.wal.made().0, primary.wal.syncs())
            }
            State::Standby(standby) => (standby.checkpoint_counts(), 0, 0),
            State::Down | State::Recovering { .. } => (Counts::default(), 0, 0),
        };
        Statistics {
            since,
            checkpoints: checkpoints.and(counts),
            wal_bytes: wal_bytes + bytes,
            wal_syncs: wal_syncs + syncs,
        }
    }

    /// The processes end in order: what they counted is written down.
    pub(super) fn keep_statistics(&mut self) {
        self.earlier_statistics = self.statistics();
    }

    /// A server starts after a crash: what was counted is worth nothing.
    pub(super) fn discard_statistics(&mut self, now: SimTime) {
        self.earlier_statistics = Statistics { since: now, ..Statistics::default() };
    }
}
