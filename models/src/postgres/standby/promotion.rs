//! How a standby comes to the end of its WAL when it is promoted.
//!
//! It notices only when it has replayed all that it has received; as long as more comes faster than
//! it replays, it goes on. Then the walreceiver is stopped, and what that flushed last is replayed
//! too. Where WAL ends now, a new timeline begins: its history is written down, and the part of the
//! segment up to there is copied into a file of its own.
//!
//! **Source.** `xlogrecovery.c:WaitForWALToBecomeAvailable`, `CheckForStandbyTrigger`,
//! `FinishWalRecovery`; `xlog.c:StartupXLOG`, `XLogInitNewTimeline`.
//!
//! **Not modelled.** Room for the copy; the line `last completed transaction was at log time`. The
//! bounds of records are not known: WAL ends where the last message did, not at a record.

use super::Standby;
use crate::postgres::effect::Out;
use crate::postgres::host::Host;
use crate::postgres::protocol::Body;
use crate::trace::fact::{ConnectionEnd, What};
use crate::units::{Bytes, Lsn, SimTime};

/// How far a promotion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promotion {
    /// Somebody has asked for it.
    Asked,
    /// Nothing is received any more; what there is gets replayed.
    Ending,
    /// The new timeline is being written down, until then.
    Forking { until: SimTime },
}

impl Standby {
    /// `pg_ctl promote`: also ends a pause of replay.
    pub fn promote(&mut self, now: SimTime, host: &mut Host, out: &mut Out) {
        self.catch_up(now, host, out);
        self.be_quiet(false);
        self.promotion.get_or_insert(Promotion::Asked);
        if self.startup.is_paused() {
            self.startup.resume(now);
        }
    }

    /// When the new timeline is written down; never before that has begun.
    pub fn promoted_at(&self) -> SimTime {
        match self.promotion {
            Some(Promotion::Forking { until }) => until,
            Some(Promotion::Asked | Promotion::Ending) | None => SimTime::NEVER,
        }
    }

    /// Goes on as far as it can; when it is over, where its WAL ends.
    pub fn go_on_promoting(&mut self, now: SimTime, host: &mut Host, out: &mut Out) -> Option<Lsn> {
        if self.promotion == Some(Promotion::Asked) && self.startup.has_replayed_all() {
            out.fact(What::PromoteNoticed);
            self.stop_receiving(now, host, out);
            self.promotion = Some(Promotion::Ending);
        }
        if self.promotion == Some(Promotion::Ending) && self.startup.has_replayed_all() {
            let (end, size) = (self.startup.replayed(), Bytes(host.files.size.bytes()));
            out.fact(What::RedoDone { end, took: now.since(self.started) });
            out.fact(What::TimelineSelected { timeline: host.timeline.next() });
            // The history file, then the copy of the segment, which is filled with zeroes.
            let history = host.disk.fsync(now, Bytes(0));
            let until = match end == end.segment_start(host.files.size) {
                true => history,
                false => host.disk.fsync(now, size),
            };
            self.promotion = Some(Promotion::Forking { until });
        }
        (self.promoted_at() <= now).then(|| self.startup.replayed())
    }

    /// The walreceiver ends, and nothing asks for another.
    fn stop_receiving(&mut self, now: SimTime, host: &mut Host, out: &mut Out) {
        if !self.receiver.is_off() {
            let upstream = self.receiver.upstream();
            self.receiver.terminate(now, &mut host.files, &mut host.disk);
            out.send(upstream, self.receiver.connection(), Body::Terminate);
            out.fact(What::ReceiverEnded { upstream, why: ConnectionEnd::Shutdown });
        }
        self.startup.stop_asking();
        self.startup.offer(now, host.files.written);
    }
}
