//! What a server does early or late while nobody waits for it.
//!
//! A standby may be given WAL before it arrives, with its date, and may be told of the ends of its
//! writes and of its replay when it next has something to do. A primary may look at a status update
//! when it arrives and take note of it later. Nobody can tell the difference; the world decides
//! when that is so (`sim/src/world/streams.rs`).
//!
//! **Source.** Walden's own.
//!
//! **Not modelled.** Nothing: this is machinery.

use super::{Server, State};
use crate::clients::Clients;
use crate::network::Parcel;
use crate::postgres::ConnectionId;
use crate::postgres::effect::Out;
use crate::postgres::guc::SynchronousCommit;
use crate::postgres::primary::Flushed;
use crate::postgres::protocol::Update;
use crate::postgres::standby::Standby;
use crate::postgres::syncrep::WaitMode;
use crate::trace::fact::ServerId;
use crate::units::{Lsn, SimTime};

impl Server {
    /// Takes note of what has ended by `now` without anybody waiting for it.
    pub fn catch_up(&mut self, now: SimTime, out: &mut Out) {
        if let (State::Standby(standby), None) = (&mut self.state, self.frozen) {
            standby.catch_up(now, &mut self.host, out);
            self.schedule();
        }
    }

    /// What a standby does with its WAL up to `upto`, each thing at its moment; not what is due by
    /// a timer then. Before each, `before` is told its moment, and the standby and its flush
    /// position until then; at the end as well, with no moment. How many things it did.
    #[inline]
    pub fn play_until(
        &mut self,
        upto: SimTime,
        out: &mut Out,
        mut before: impl FnMut(Option<SimTime>, &Standby, Lsn),
    ) -> u64 {
        let State::Standby(standby) = &mut self.state else { return 0 };
        let (mut done, before_timer) = (0, SimTime(standby.next_timer().0.saturating_sub(1)));
        let upto = upto.min(before_timer);
        loop {
            let next = self.next;
            before((next <= upto).then_some(next), standby, self.host.files.flushed);
            if next > upto {
                return done;
            }
            done += 1;
            out.at = next;
            self.next = standby.deadline(next, &mut self.host, out);
        }
    }

    /// Whether all that a standby will do before its next timer is to take the WAL that it gets,
    /// within a segment.
    pub fn only_takes_wal(&self) -> bool {
        match &self.state {
            State::Standby(standby) => standby.stays_in_segment(self.host.files.size),
            State::Down | State::Recovering { .. } | State::Primary(_) => false,
        }
    }

    /// When a standby has something to do though it gets no WAL.
    #[inline]
    pub fn next_timer(&self) -> SimTime {
        match &self.state {
            State::Standby(standby) => standby.next_timer(),
            State::Down | State::Recovering { .. } | State::Primary(_) => self.next,
        }
    }

    /// A primary whose walsenders send late does what is due before `limit`, as long as that is to
    /// end flushes and to begin the next, with what the clients of its only workload have inserted
    /// meanwhile; `flushed` is told of each end.
    #[inline]
    pub fn flush_ahead(
        &mut self,
        clients: &mut Clients,
        level: Option<SynchronousCommit>,
        limit: SimTime,
        out: &mut Out,
        mut flushed: impl FnMut(SimTime, Lsn),
    ) {
        let State::Primary(primary) = &mut self.state else { return };
        while self.next < limit && out.is_empty() && primary.only_ends_flush(self.next) {
            let now = self.next;
            primary.queue_up(clients, 0, level, now);
            if clients.next_insert() <= now {
                return;
            }
            out.at = now;
            primary.deadline(now, &mut self.host, out);
            self.next = primary.next_deadline();
            flushed(now, self.host.files.flushed);
        }
    }

    /// Whether the walsenders of a primary send late.
    pub fn be_late(&mut self, late: bool) {
        if let State::Primary(primary) = &mut self.state {
            primary.be_late(late);
        }
    }

    /// They send what has become durable, each time as of then; when that was.
    pub fn send_late(&mut self, flushes: &mut Vec<Flushed>, out: &mut Out) {
        if let State::Primary(primary) = &mut self.state {
            primary.send_late(flushes, out);
        }
    }

    /// Status updates have arrived a while ago, and whoever waited for them has been told.
    pub fn note_updates(&mut self, from: ServerId, arrived: &[Update]) {
        if let State::Primary(primary) = &mut self.state {
            primary.note_updates(from, arrived, &mut self.host);
        }
    }

    /// Up to where standbys are known to have flushed (`lsn[SYNC_REP_WAIT_FLUSH]`); invalid if it
    /// is no primary.
    #[inline]
    pub fn synced(&self) -> Lsn {
        match &self.state {
            State::Primary(primary) => primary.syncrep().synced(WaitMode::Flush),
            State::Standby(_) | State::Down | State::Recovering { .. } => Lsn::INVALID,
        }
    }

    /// A status update arrives that will be noted later.
    #[inline]
    pub fn hear_update(&mut self, now: SimTime, from: ServerId, update: &Update, out: &mut Out) {
        if let State::Primary(primary) = &mut self.state {
            out.at = now;
            primary.hear_update(now, from, update, out);
        }
    }

    /// Whether a status update with such a flush position may release commits.
    #[inline]
    pub fn may_release(&self, flush: Lsn) -> bool {
        match &self.state {
            State::Primary(primary) => primary.may_release(WaitMode::Flush, flush),
            State::Standby(_) | State::Down | State::Recovering { .. } => false,
        }
    }

    /// The connection on which it streams, if it does.
    pub fn stream(&self) -> Option<ConnectionId> {
        match &self.state {
            State::Standby(standby) if self.frozen.is_none() && standby.receiver.is_streaming() => {
                Some(standby.receiver.connection())
            }
            State::Standby(_) | State::Down | State::Recovering { .. } | State::Primary(_) => None,
        }
    }

    /// WAL is handed over to a standby before it arrives. Whether that changes when it has
    /// something to do.
    #[inline]
    pub fn keep_wal(&mut self, wal: impl Iterator<Item = Parcel>) -> bool {
        let State::Standby(standby) = &mut self.state else { return false };
        let changes = standby.receiver.keep_wal(wal);
        if changes {
            self.next = standby.next_deadline();
        }
        changes
    }

    /// What was handed over and has not arrived by `now` is given back.
    pub fn give_back(&mut self, now: SimTime) -> Vec<Parcel> {
        let State::Standby(standby) = &mut self.state else { return Vec::new() };
        let coming = standby.receiver.give_back(now);
        self.schedule();
        coming
    }

    /// Whether nobody waits for this server's writes and replay, nor for the replies at their ends,
    /// if it is a standby.
    pub fn be_quiet(&mut self, quiet: bool) {
        self.quiet = quiet;
        if let State::Standby(standby) = &mut self.state {
            standby.be_quiet(quiet);
            self.schedule();
        }
    }
}
