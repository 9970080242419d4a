//! How a server dies, starts and recovers.
//!
//! A start finds in pg_control how the last life ended. A primary that was shut down in order is
//! ready at once; one that was interrupted replays from the last checkpoint's redo point, and
//! then makes a checkpoint before it takes sessions. A standby replays from its last
//! restartpoint in either case.
//!
//! A PANIC ends every process, and the postmaster begins anew without having ended. If the
//! checkpoint at the end of recovery meets the same trouble, it gives up: then somebody has to
//! start it again.
//!
//! **Source.** `xlog.c:StartupXLOG`, `xlogrecovery.c:InitWalRecovery`;
//! `postmaster.c:HandleChildCrash`, `PostmasterStateMachine`.
//!
//! **Not modelled.** The time in which a start fills the next file with zeroes. A record that a
//! full volume tore at the end of a segment: recovery would end before it, and the space may be
//! enough for the checkpoint's record. Such a server comes back for a moment before it dies again
//! and gives up.

use super::{Control, Gate, Server, State};
use crate::postgres::checkpointer::next_is_missing;
use crate::postgres::effect::Out;
use crate::postgres::primary::{Attention, CommitAt, CommitSearch, Notes, Primary};
use crate::postgres::protocol::Body;
use crate::postgres::standby::Standby;
use crate::trace::fact::{CheckpointCause, ConnectionEnd, Phase, Scope, What};
use crate::trace::flow::Window;
use crate::units::{Bytes, Duration, Lsn, SimTime, UsableBytes};

/// Assumption: the postmaster needs so long to end all processes after a PANIC and to begin anew.
/// It bounds how often a server that dies again and again does so.
const REINITIALIZE: Duration = Duration::ms(100);

/// Commits of a server that did not end as clients hope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Toll {
    /// Acknowledged, and lost in a crash.
    pub lost: u64,
    /// Answered with a warning: the wait for standbys was cancelled.
    pub cancelled: u64,
    /// The connection ended before an answer: their clients do not know.
    pub unknown: u64,
}

impl Server {
    /// The processes, or the whole host, die.
    pub fn crash(&mut self, now: SimTime, scope: Scope, out: &mut Out) {
        out.at = now;
        let lost = self.die(now, scope, out);
        out.fact(What::Crashed { scope, lost });
        self.schedule();
    }

    /// The same without a word. How much of the written WAL is lost.
    pub(super) fn die(&mut self, now: SimTime, scope: Scope, out: &mut Out) -> Bytes {
        let written = self.host.files.written;
        let survived = match scope {
            Scope::Processes => self.host.files.written.max(self.host.files.flushed),
            Scope::Host => self.host.files.flushed,
        };
        self.earlier_checkpoints = self.checkpoints();
        self.gate = Gate::Open;
        let state = std::mem::replace(&mut self.state, State::Down);
        if !matches!(state, State::Down) {
            self.control = Control::Interrupted;
        }
        match state {
            State::Primary(mut primary) => {
                self.attention = primary.take_attention(survived);
                let toll = primary.crash(survived, out);
                self.lost_commits += toll.lost;
                self.unknown_commits += toll.unknown;
                if scope == Scope::Processes {
                    for (_, sender) in primary.senders() {
                        out.send(sender.standby(), sender.connection(), Body::Close);
                        let (standby, why) = (sender.standby(), ConnectionEnd::Shutdown);
                        out.fact(What::SenderEnded { standby, why });
                    }
                }
            }
            State::Standby(standby) => {
                self.consistent_at = standby.replayed_at(now);
                if scope == Scope::Processes && !standby.receiver.is_off() {
                    let (to, connection) =
                        (standby.receiver.upstream(), standby.receiver.connection());
                    out.send(to, connection, Body::Close);
                }
            }
            State::Down | State::Recovering { .. } => {}
        }
        self.host.slots.restore(now);
        self.frozen = None;
        self.postponed.clear();
        if scope == Scope::Host {
            self.host_down = true;
            self.host.disk.power_cut();
            self.host.files.power_cut();
        }
        written.since(survived)
    }

    /// The host is up and the postmaster starts. Nothing happens if it runs.
    pub fn start(&mut self, now: SimTime, out: &mut Out) {
        self.host_down = false;
        out.at = now;
        if !matches!(self.state, State::Down) {
            return;
        }
        if let Some(settings) = self.next_settings.take() {
            self.settings = settings;
        }
        self.host.slots.set_max(self.settings.max_replication_slots);
        self.host.slots.restore(now);
        out.fact(What::Starting);
        let files = &mut self.host.files;
        let end = files.written.max(files.flushed);
        // After a crash PostgreSQL first fsyncs the whole data directory (`SyncDataDirectory`).
        (files.written, files.flushed) = (end, end);
        match self.upstream {
            None if self.control != Control::Interrupted => {
                let Control::ShutDown { at } = self.control else { return };
                out.fact(What::WasShutDown { at, in_recovery: false });
                self.state = State::Recovering { until: now, since: now };
            }
            None => self.begin_recovery(now, now, out),
            Some(upstream) => {
                if self.control == Control::Interrupted {
                    self.discard_statistics(now);
                }
                out.fact(match self.control {
                    Control::ShutDown { at } => What::WasShutDown { at, in_recovery: true },
                    Control::Interrupted => What::InterruptedInRecovery,
                });
                let (at, replay) = (self.consistent_at.min(end), self.replay);
                let standby = Standby::new(now, upstream, &self.settings, replay, at, &self.host);
                let mut standby = Box::new(standby);
                standby.be_quiet(self.quiet);
                standby.begin(now, &mut self.host, out);
                if self.frozen.is_some() {
                    standby.freeze(now, &mut self.host, out);
                }
                self.state = State::Standby(standby);
            }
        }
        self.schedule();
    }

    /// Crash recovery begins at `since`: redo starts at the last checkpoint.
    fn begin_recovery(&mut self, now: SimTime, since: SimTime, out: &mut Out) {
        self.discard_statistics(now);
        let files = &self.host.files;
        out.fact(What::RecoveryStarted { redo: files.redo });
        let end = files.written.max(files.flushed);
        let took = self.replay.time_for(end.since(files.redo));
        debug_assert!(since >= now, "recovery begins now or later");
        self.state = State::Recovering { until: since + took, since };
    }

    /// A process of the primary has died of a PANIC, because pg_wal's volume is full: all others
    /// are ended, and the postmaster starts crash recovery. If it was that, or the last checkpoint
    /// of a shutdown, that failed, the server ends.
    #[cold]
    pub(super) fn panicked(&mut self, now: SimTime, out: &mut Out) {
        let during = match self.gate {
            Gate::Open => Phase::Running,
            Gate::Opening | Gate::Promoting => Phase::Recovery,
            Gate::Closing => Phase::Shutdown,
        };
        out.fact(What::Panicked { during });
        let lost = self.die(now, Scope::Processes, out);
        if during == Phase::Running {
            out.fact(What::Crashed { scope: Scope::Processes, lost });
            self.begin_recovery(now, now + REINITIALIZE, out);
        } else {
            out.fact(What::ShutDown);
        }
        self.schedule();
    }

    /// Redo is over: the server makes a checkpoint, and then accepts connections.
    pub(super) fn recovered(&mut self, now: SimTime, out: &mut Out) {
        let State::Recovering { since, .. } = self.state else { return };
        let files = &mut self.host.files;
        let end = files.written.max(files.flushed);
        (files.written, files.flushed) = (end, end);
        if let Control::ShutDown { .. } = self.control {
            if !self.looks_ahead(now, end, Phase::Start, out) {
                return;
            }
            let version = self.settings.version();
            let mut primary = Primary::new(now, version, &self.settings, end);
            if let Some(attention) = self.attention.take() {
                primary.pay_attention(attention);
            }
            self.state = State::Primary(Box::new(primary));
            return out.fact(What::Ready);
        }
        out.fact(What::RecoveryDone { end, took: now.since(since) });
        // Before 15 it does so behind the checkpoint, which has done it then.
        let first = self.settings.version().major() >= 15;
        if first && !self.looks_ahead(now, end, Phase::Redone, out) {
            return;
        }
        let version = self.settings.version();
        let mut primary = Primary::new(now, version, &self.settings, end);
        primary.recovered(self.host.files.redo, end);
        if let Some(attention) = self.attention.take() {
            primary.pay_attention(attention);
        }
        let cause = CheckpointCause::END_OF_RECOVERY;
        primary.request_checkpoint(now, cause, &mut self.host, out);
        self.state = State::Primary(Box::new(primary));
        self.gate = Gate::Opening;
    }

    /// The startup process creates the file behind the one where WAL ends, if most of that is used.
    /// Whether it lived through it: an error ends it, and with it the server.
    fn looks_ahead(&mut self, now: SimTime, end: Lsn, during: Phase, out: &mut Out) -> bool {
        if !next_is_missing(end, &self.host.files) {
            return true;
        }
        if self.host.add_file(now).is_ok() {
            out.fact(What::CreatedAhead);
            return true;
        }
        out.fact(What::Panicked { during });
        self.state = State::Down;
        out.fact(What::ShutDown);
        false
    }

    /// Looks from now on for the commits around these positions, on a primary.
    pub fn look_for_commits(&mut self, positions: &[Lsn]) {
        if let State::Primary(primary) = &mut self.state {
            let positions = positions.iter().map(|lsn| primary.wal.usable(*lsn)).collect();
            primary.attend().search = Some(CommitSearch::new(positions));
        }
    }

    /// Notes the commits and flushes of a window, on a primary.
    pub fn note_commits(&mut self, window: Window) {
        if let State::Primary(primary) = &mut self.state {
            primary.attend().notes = Some(Notes::new(window));
        }
    }

    /// What was found so far: the last commit that ends at the position or below, and the first
    /// beyond it.
    pub fn commits_around(&self, lsn: Lsn) -> (Option<CommitAt>, Option<CommitAt>) {
        let search = self.attention().and_then(|attention| attention.search.as_ref());
        let position = UsableBytes::from_lsn(lsn, self.host.files.size);
        search.map_or((None, None), |search| search.around(position))
    }

    /// The notes, if any were wanted.
    pub fn notes(&self) -> Option<&Notes> {
        self.attention()?.notes.as_ref()
    }

    fn attention(&self) -> Option<&Attention> {
        let running = self.primary_state().and_then(Primary::attention);
        running.or(self.attention.as_deref())
    }
}
