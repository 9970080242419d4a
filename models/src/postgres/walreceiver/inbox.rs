//! What lies in the socket of a walreceiver and was not read, in order of arrival; WAL also before
//! it arrives.
//!
//! When the first of it arrives is asked much more often than it changes, so that is kept.

use std::collections::VecDeque;

use super::{WalReceiver, Work};
use crate::network::Parcel;
use crate::postgres::protocol::Body;
use crate::units::SimTime;

/// Parcels in order of arrival.
#[derive(Clone, Debug)]
pub(super) struct Inbox {
    parcels: VecDeque<Parcel>,
    /// When the first of them arrives; [`SimTime::NEVER`] if there is none.
    next: SimTime,
}

impl Inbox {
    pub fn new() -> Inbox {
        Inbox { parcels: VecDeque::new(), next: SimTime::NEVER }
    }

    /// When the first arrives.
    #[inline]
    pub fn next(&self) -> SimTime {
        self.next
    }

    /// The first.
    #[inline]
    pub fn first(&self) -> Option<&Parcel> {
        self.parcels.front()
    }

    /// The last.
    pub fn last(&self) -> Option<&Parcel> {
        self.parcels.back()
    }

    /// One more, which arrives after all others.
    #[inline]
    pub fn push(&mut self, parcel: Parcel) {
        if self.parcels.is_empty() {
            self.next = parcel.arrives;
        }
        self.parcels.push_back(parcel);
    }

    /// One more, before those that arrive later.
    pub fn insert(&mut self, parcel: Parcel) {
        let later = |other: &&Parcel| other.arrives > parcel.arrives;
        let later = self.parcels.iter().rev().take_while(later).count();
        self.parcels.insert(self.parcels.len() - later, parcel);
        self.find_next();
    }

    /// The first is read.
    #[inline]
    pub fn pop(&mut self) {
        self.parcels.pop_front();
        self.find_next();
    }

    /// Those that have arrived by `now` are taken out.
    pub fn take_arrived(&mut self, now: SimTime) -> VecDeque<Parcel> {
        let coming = self.take_coming(now);
        let arrived = std::mem::replace(&mut self.parcels, coming);
        self.find_next();
        arrived
    }

    /// Those that have not are.
    pub fn take_coming(&mut self, now: SimTime) -> VecDeque<Parcel> {
        let arrived = self.parcels.iter().take_while(|parcel| parcel.arrives <= now).count();
        let coming = self.parcels.split_off(arrived);
        self.find_next();
        coming
    }

    #[inline]
    fn find_next(&mut self) {
        self.next = self.parcels.front().map_or(SimTime::NEVER, |first| first.arrives);
    }
}

impl WalReceiver {
    /// WAL lies in the socket, or will: it may be handed over before it arrives. Whether it changes
    /// what comes next.
    #[inline(always)]
    pub fn keep_wal(&mut self, wal: impl Iterator<Item = Parcel>) -> bool {
        let mut first = SimTime::NEVER;
        for parcel in wal {
            first = first.min(parcel.arrives);
            self.inbox.push(parcel);
        }
        match self.work {
            Work::Waiting => {
                self.wait();
                true
            }
            Work::Writing { .. } => first < self.busy_until,
            Work::Fsyncing { .. } | Work::Ending(_) => false,
        }
    }

    /// A message of the stream lies in the socket.
    pub(super) fn keep(&mut self, parcel: Parcel) {
        match parcel.message.body {
            Body::XLogData { .. } => _ = self.keep_wal(std::iter::once(parcel)),
            Body::Keepalive { reply_requested } => {
                self.heard(parcel.arrives);
                if !reply_requested {
                    (self.shown.sent, self.shown.read) = (parcel.sent, parcel.arrives);
                    return;
                }
                self.inbox.insert(parcel);
            }
            _ => {}
        }
    }

    /// What was handed over and has not arrived by `now` is given back.
    pub fn give_back(&mut self, now: SimTime) -> Vec<Parcel> {
        let coming = self.inbox.take_coming(now);
        if self.work == Work::Waiting {
            self.wait();
        }
        coming.into()
    }
}
