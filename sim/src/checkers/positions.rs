//! Laws of positions: their order on each server, and that they go forward.
//!
//! **Source.** `xlog.c` (LogwrtResult), `walreceiver.c`, `xlogrecovery.c`; `postgres.md` 12 has the
//! list. What may go back: `restart_lsn`, what a primary is told after a reconnect, and what a
//! restart begins anew (insert, replay, the positions that release commits).
//!
//! **Not modelled.** WAL that a promotion leaves behind.

use models::postgres::server::{Server, State};
use models::postgres::syncrep::WaitMode;
use models::trace::fact::What;
use models::trace::law::Law;
use models::units::{Lsn, TimelineId};

use super::{Findings, View};

/// Where a server was when it was looked at last.
#[derive(Clone, Debug)]
pub(super) struct Past {
    flushed: Lsn,
    redo: Lsn,
    oldest: u64,
    timeline: TimelineId,
    /// Of this life: insert or replay position, and what commits are released by.
    life: Option<(Lsn, [Lsn; 3])>,
}

impl Past {
    pub(super) fn new(server: &Server) -> Past {
        let files = &server.host.files;
        Past {
            flushed: files.flushed,
            redo: files.redo,
            oldest: files.oldest,
            timeline: server.host.timeline,
            life: None,
        }
    }

    /// A life ends, or begins.
    pub(super) fn happened(&mut self, what: &What) {
        if let What::Crashed { .. }
        | What::Panicked { .. }
        | What::ShutDown
        | What::Starting
        | What::RecoveryStarted { .. }
        | What::RecoveryDone { .. }
        | What::Promoted { .. }
        | What::Ready = what
        {
            self.life = None;
        }
    }

    pub(super) fn look(&mut self, server: &Server, view: View<'_>, findings: &mut Findings) {
        self.order(server, view, findings);
        self.forward(server, view, findings);
    }

    fn order(&self, server: &Server, view: View<'_>, findings: &mut Findings) {
        let (files, id) = (&server.host.files, server.id());
        let (written, flushed) = (files.written, files.flushed);
        let mut order = |law: Law, lower: (&str, Lsn), upper: (&str, Lsn)| {
            findings.expect(lower.1 <= upper.1, law, id, |_| {
                format!("{} is at {}, beyond {} at {}", lower.0, lower.1, upper.0, upper.1)
            });
        };
        order(Law::WalOrder, ("flush_lsn", flushed), ("write_lsn", written));
        match server.state() {
            State::Primary(primary) => {
                let insert = primary.wal.insert_lsn();
                order(Law::WalOrder, ("write_lsn", written), ("insert_lsn", insert));
                for (_, sender) in primary.senders() {
                    let sent = sender.sent();
                    order(Law::StreamOrder, ("sent_lsn", sent), ("flush_lsn", flushed));
                }
            }
            State::Standby(standby) => {
                let replayed = standby.replayed_at(view.now);
                order(Law::ReplayOrder, ("replay_lsn", replayed), ("flush_lsn", flushed));
            }
            State::Down | State::Recovering { .. } => {}
        }
        if let Some(upstream) = server.upstream() {
            let there = view.servers[upstream.index()].flushed();
            let upper = ("the upstream's flush_lsn", there);
            order(Law::StreamOrder, ("write_lsn", written), upper);
        }
    }

    fn forward(&mut self, server: &Server, view: View<'_>, findings: &mut Findings) {
        let (files, id) = (&server.host.files, server.id());
        let mut forward = |before: Lsn, now: Lsn, what: &str| {
            findings.expect(before <= now, Law::Forward, id, |_| {
                format!("{what} went from {before} back to {now}")
            });
        };
        forward(self.flushed, files.flushed, "flush_lsn");
        forward(self.redo, files.redo, "the redo point");
        let start = |segment: u64| Lsn(segment * files.size.bytes());
        forward(start(self.oldest), start(files.oldest), "the oldest file");
        let life = match server.state() {
            State::Primary(primary) => {
                let released = WaitMode::ALL.map(|mode| primary.syncrep().synced(mode));
                Some((primary.wal.insert_lsn(), released))
            }
            State::Standby(_) => Some((server.replayed(view.now), [Lsn::INVALID; 3])),
            State::Down | State::Recovering { .. } => None,
        };
        if let (Some((at, released)), Some((at_now, released_now))) = (self.life, life) {
            forward(at, at_now, "the insert or replay position");
            for (before, now) in released.into_iter().zip(released_now) {
                forward(before, now, "the position that releases commits");
            }
        }
        let (before, timeline) = (self.timeline, server.host.timeline);
        findings.expect(before <= timeline, Law::Forward, id, |_| {
            format!("the timeline went from {before} back to {timeline}")
        });
        *self =
            Past { flushed: files.flushed, redo: files.redo, oldest: files.oldest, timeline, life };
    }
}
