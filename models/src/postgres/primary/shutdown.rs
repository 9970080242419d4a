//! How a primary shuts down cleanly, with all of its WAL at its standbys.
//!
//! Sessions are gone at once: commits that waited have no answer. The checkpointer hurries a
//! checkpoint that runs, and makes one that is the last record of the WAL. Only then are
//! walsenders told to end, and they do when their standbys have flushed all of it. A standby that
//! does not answer holds this up until `wal_sender_timeout`.
//!
//! **Source.** `postmaster.c:PostmasterStateMachine`; `xlog.c:ShutdownXLOG`;
//! `walsender.c:WalSndDone`.
//!
//! **Not modelled.** The milliseconds that backends take to end.

use super::Primary;
use crate::postgres::backend::CrashToll;
use crate::postgres::effect::{Effect, Out};
use crate::postgres::host::Host;
use crate::postgres::protocol::Body;
use crate::postgres::walsender::Phase;
use crate::trace::fact::{CheckpointCause, ConnectionEnd, What};
use crate::units::SimTime;

/// How far a shutdown is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// The last checkpoint is made, perhaps after one that runs.
    Checkpoint,
    /// Walsenders send what is left.
    Senders,
    /// Everything is done.
    Done,
}

impl Primary {
    /// Whether the server shuts down.
    pub fn is_shutting_down(&self) -> bool {
        self.shutdown.is_some()
    }

    /// Whether it has shut down.
    pub fn is_shut_down(&self) -> bool {
        self.shutdown == Some(Shutdown::Done)
    }

    /// Sessions end, and the last checkpoint begins.
    pub fn shut_down(&mut self, now: SimTime, host: &mut Host, out: &mut Out) -> CrashToll {
        self.terminate_waits(out);
        let everything = self.wal.inserted();
        let toll = self.commits.crash(everything, |waiting| {
            out.effect(Effect::Disconnected { session: waiting.session });
        });
        self.jobs.clear();
        self.shutdown = Some(Shutdown::Checkpoint);
        out.fact(What::ShuttingDown);
        self.request_checkpoint(now, CheckpointCause::SHUTDOWN, host, out);
        toll
    }

    /// A checkpoint has ended while the server shuts down: was it the last?
    pub(super) fn shutdown_checkpoint_done(&mut self, cause: Option<CheckpointCause>) {
        let last = cause.is_some_and(CheckpointCause::is_alone);
        if self.shutdown == Some(Shutdown::Checkpoint) && last {
            self.shutdown = Some(Shutdown::Senders);
        }
    }

    /// Ends the walsenders whose standbys have everything, and the server after the last.
    pub fn go_on_shutting_down(&mut self, host: &mut Host, out: &mut Out) {
        if self.shutdown != Some(Shutdown::Senders) {
            return;
        }
        let end = host.files.flushed;
        for index in 0..self.senders.len() {
            let Some(sender) = &self.senders[index] else { continue };
            let known = self.standbys[index];
            let position = if known.flush.is_valid() { known.flush } else { known.write };
            let starting = sender.phase() == Phase::Startup;
            if starting || (sender.sent() >= end && position >= end) {
                let (to, connection) = (sender.standby(), sender.connection());
                let last_words = if starting { Body::Close } else { Body::CopyDone };
                out.send(to, connection, last_words);
                self.end_sender(index, Some(ConnectionEnd::Shutdown), host, out);
            }
        }
        if self.senders.iter().all(Option::is_none) {
            self.shutdown = Some(Shutdown::Done);
        }
    }
}
