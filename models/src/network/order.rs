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

/// For how long a connection may carry nothing from the begin of a cut of `length` on, if the first
/// thing that it loses is sent at most `first` into it: TCP sends that again at doubling distances,
/// and notices only then that the way is free.
pub fn longest_silence(length: Duration, first: Duration) -> Duration {
    let (mut before, mut at, mut distance) =
        (Duration::ZERO, FIRST_RETRANSMISSION, FIRST_RETRANSMISSION);
    let mut longest = length;
    while before < length {
        // Sent so late that the try before this one still falls into the cut.
        let sent = Duration(first.0.min(length.0 - before.0));
        if sent.0 + at.0 >= length.0 {
            longest = longest.max(Duration(sent.0 + at.0));
        }
        before = at;
        distance = Duration((distance.0 * 2).min(LAST_RETRANSMISSION.0));
        at = Duration(at.0 + distance.0);
    }
    longest
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest of all moments at which the first loss may have been sent.
    fn tried(length: u64, first: u64) -> u64 {
        let silences = (0..=first.min(length)).map(|sent| {
            next_retransmission(SimTime(sent * 1_000_000), SimTime(length * 1_000_000)).0
        });
        silences.max().unwrap_or(0) / 1_000_000
    }

    #[test]
    fn the_longest_silence_is_that_of_the_worst_moment() {
        for length in [1, 150, 201, 700, 20_000, 40_000, 55_000, 600_000] {
            for first in [0, 1, 1_000, 10_000, 60_000] {
                let longest = longest_silence(Duration::ms(length), Duration::ms(first));
                let tried = Duration::ms(tried(length, first));
                let near = tried <= longest && longest <= tried + Duration::ms(1);
                assert!(near, "{length} ms, {first} ms: {longest}, and {tried} was found");
            }
        }
        let cut = longest_silence(Duration::s(40), Duration::s(10));
        assert_eq!(cut, Duration::ms(61_000));
    }
}
