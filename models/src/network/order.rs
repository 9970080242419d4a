//! What is under way arrives at other moments: after a hold, a cut, or a change of bandwidth.
//!
//! Each connection keeps its order. Connections do not wait for each other.
//!
//! **Source.** RFC 6298 for retransmission.

use super::{FIRST_RETRANSMISSION, Flow, LAST_RETRANSMISSION, Parcel};
use crate::postgres::ConnectionId;
use crate::units::{Duration, SimTime};

impl Flow {
    /// Nothing under way arrives before `at`.
    pub(super) fn arrive_from(&mut self, at: SimTime) {
        self.delay_until(|_| at);
        for (known, _) in &mut self.taken {
            *known = (*known).max(at);
        }
    }

    /// What a cut has lost arrives with each connection's next retransmission. They do not wait
    /// for each other: one that was given up does not hold back the one that followed it. Which
    /// is the first, and when.
    pub(super) fn resume(
        &mut self,
        now: SimTime,
        delay: Duration,
    ) -> Option<(ConnectionId, SimTime)> {
        self.delay_until(|first| next_retransmission(first.sent, now) + delay);
        let Parcel { arrives, message, .. } = self.under_way.front()?;
        self.taken.iter_mut().for_each(|(known, _)| *known = (*known).max(*arrives));
        Some((message.connection, SimTime(arrives.0 - delay.0)))
    }

    /// What was under way has been given other moments: each connection keeps its order.
    pub(super) fn settle_order(&mut self) {
        let newest = self.under_way.iter().rev().find(|p| p.message.connection == self.last.0);
        if let Some(newest) = newest {
            self.last.1 = newest.arrives;
        }
        self.delay_until(|_| SimTime::ZERO);
    }

    /// What each connection has under way arrives from a moment on, which its first parcel
    /// decides, in its order.
    fn delay_until(&mut self, from: impl Fn(&Parcel) -> SimTime) {
        let mut earliest: Vec<(ConnectionId, SimTime)> = Vec::new();
        for parcel in &mut self.under_way {
            let connection = parcel.message.connection;
            let known = earliest.iter().position(|(of, _)| *of == connection);
            let index = known.unwrap_or_else(|| {
                earliest.push((connection, from(parcel)));
                earliest.len() - 1
            });
            parcel.arrives = parcel.arrives.max(earliest[index].1);
            earliest[index].1 = parcel.arrives + Duration(1);
        }
        self.under_way.make_contiguous().sort_by_key(|parcel| parcel.arrives);
        if let Some(&(_, end)) = earliest.iter().find(|(of, _)| *of == self.last.0) {
            self.last.1 = self.last.1.max(end);
        }
    }
}

/// When TCP sends again, from `now` on, what it first sent at `sent`.
fn next_retransmission(sent: SimTime, now: SimTime) -> SimTime {
    let (mut at, mut distance) = (sent + FIRST_RETRANSMISSION, FIRST_RETRANSMISSION);
    while at < now {
        distance = Duration((distance.0 * 2).min(LAST_RETRANSMISSION.0));
        at += distance;
    }
    at
}
