//! What ends a commit's wait for standbys before they have it, and what does not.
//!
//! The transaction is committed here, durably, when the wait begins: it can no longer be undone,
//! nor may its client be told so. Therefore a cancel request only ends the wait, with a warning
//! before the answer; a request to terminate ends it with the same warning and then the
//! connection, and the client does not know. A client that goes away ends nothing, since nobody
//! looks at its socket while interrupts are held, not even with
//! `client_connection_check_interval` (14 and later): its backend waits on, keeps its locks and
//! keeps the transaction from being seen. Timeouts of statements and locks were switched off
//! before the commit began.
//!
//! **Source.** `syncrep.c:SyncRepWaitForLSN`; `xact.c:CommitTransaction` (`HOLD_INTERRUPTS`);
//! `postgres.c:finish_xact_command`, `ProcessInterrupts`.
//!
//! **Not modelled.** What the log has when the wait of a client that is gone ends at last:
//! nothing, or that the connection was lost, by how the client's kernel took leave.

use super::Primary;
use crate::postgres::backend::Interruptible;
use crate::postgres::command::{Interrupt, Refused, Waiters};
use crate::postgres::effect::{Effect, Out};
use crate::trace::fact::What;
use crate::units::UsableBytes;

/// What became of the clients of interrupted sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interrupted {
    /// They have an answer, with a warning.
    pub cancelled: u64,
    /// They have none.
    pub unknown: u64,
}

impl Primary {
    /// Something befalls sessions that wait for standbys.
    pub fn interrupt(&mut self, how: Interrupt, whom: Waiters, out: &mut Out) -> Interrupted {
        let mut toll = Interrupted::default();
        let sessions = self.commits.interrupt(how, whom, self.wal.flushed());
        if sessions.is_empty() {
            let why = Refused::NobodyWaits { workload: whom.workload };
            out.fact(What::CommandRefused { why });
        }
        for interrupted in &sessions {
            let session = interrupted.waiting.session;
            out.fact(What::WaitInterrupted { how, session });
            if interrupted.abandoned {
                continue;
            }
            match how {
                Interrupt::Cancel => {
                    toll.cancelled += 1;
                    out.effect(Effect::Cancelled { session });
                }
                Interrupt::Terminate | Interrupt::Disconnect => {
                    toll.unknown += 1;
                    out.effect(Effect::Disconnected { session });
                }
            }
        }
        toll
    }

    /// The server shuts down: every session is terminated, those that wait for standbys with a
    /// warning each. Those that still flush come to the same.
    pub(super) fn terminate_waits(&self, out: &mut Out) {
        for interrupted in self.commits.waiting_for_standbys(self.wal.inserted()) {
            let session = interrupted.waiting.session;
            out.fact(What::WaitInterrupted { how: Interrupt::Terminate, session });
        }
    }

    /// Commits that end behind `end`, with their workloads, in WAL order: those that are not over,
    /// or not durable.
    pub fn commits_after(&self, end: UsableBytes) -> Vec<(u16, UsableBytes)> {
        self.commits.after(end)
    }

    /// Commits of a workload that nobody sees yet: their records are in the WAL, and their
    /// sessions still wait.
    pub fn unseen(&self, workload: u16) -> u64 {
        self.commits.unseen(workload)
    }

    /// Sessions whose commits are durable here and wait for standbys, in WAL order: those that
    /// `pg_stat_activity` shows with `wait_event = 'SyncRep'`.
    pub fn waiting_for_standbys(&self) -> Vec<Interruptible> {
        self.commits.waiting_for_standbys(self.wal.flushed())
    }
}
