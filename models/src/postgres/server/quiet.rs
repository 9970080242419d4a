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
use crate::network::{Coming, Parcel};
use crate::postgres::ConnectionId;
use crate::postgres::effect::Out;
use crate::postgres::protocol::Update;
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

    /// Status updates have arrived a while ago, and whoever waited for them has been told.
    pub fn note_updates(&mut self, from: ServerId, arrived: &[Coming]) {
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
    pub fn keep_wal(&mut self, parcel: Parcel) -> bool {
        let State::Standby(standby) = &mut self.state else { return false };
        let changes = standby.receiver.keep_wal(parcel);
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
