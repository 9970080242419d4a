//! Packets that are lost, and what TCP does about it.
//!
//! A message travels in segments of 1,448 bytes, and each of them is lost with the same
//! probability. If data follow on the connection the sender learns of the gap from them, and sends
//! again one round trip after they left; behind the last segment nothing follows, until the next
//! message does or the retransmission timer fires, at doubling distances. What is sent again may be
//! lost again, which costs the same once more. Order is kept, so what comes behind waits.
//!
//! Each segment has a throw of its own, in the order of the segments that were sent while any could
//! be lost: a segment that is lost at some probability is lost at any higher one.
//!
//! **Source.** RFC 6298; RFC 8985 (RACK), which Linux follows since 4.18; its `TCP_RTO_MIN`. 1,448
//! bytes are an Ethernet frame without the headers of IP and TCP with timestamps.
//!
//! **Not modelled.** The congestion window: loss does not make the sender send less than its window
//! allows, so throughput falls only as far as waiting makes it. Whether data still follow when a
//! segment is lost for the second time: they are taken to. Tail loss probes, which would beat the
//! timer on a short link. Acknowledgements that are lost.

use super::{FIRST_RETRANSMISSION, Flow, LAST_RETRANSMISSION, Parcel};
use crate::postgres::ConnectionId;
use crate::units::{Bytes, Die, Duration, SimTime, mix};

/// Bytes of a full segment.
const SEGMENT: u64 = 1_448;
/// `tcp_retries2`: a segment is sent no more often than this; the model then lets it arrive.
const MOST_LOSSES: u32 = 15;

/// A share of segments that are lost, as a probability in 2^-32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loss(u32);

impl Loss {
    /// None is lost.
    pub const NONE: Loss = Loss(0);

    /// From millionths, below a million.
    pub fn millionths(millionths: u64) -> Loss {
        let share = (u128::from(millionths) << 32) / 1_000_000;
        Loss(u32::try_from(share).unwrap_or(u32::MAX))
    }

    /// Lost here or there.
    pub fn and(self, other: Loss) -> Loss {
        let kept = |loss: Loss| u64::from(u32::MAX - loss.0) + 1;
        let both = u128::from(kept(self)) * u128::from(kept(other));
        Loss(((1u128 << 32) - (both >> 32)).try_into().unwrap_or(u32::MAX))
    }

    fn strikes(self, throw: u64) -> bool {
        throw >> 32 < u64::from(self.0)
    }
}

/// What befell a message, counted from the moment at which it would have arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Losses {
    /// How much later its gaps are filled that have data of its own behind them.
    pub gaps: Duration,
    /// Its last segment was lost.
    pub end: Option<LostEnd>,
}

/// The last segment of a message was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LostEnd {
    /// How much later it arrives if only the timer tells.
    pub by_timer: Duration,
    /// How much later than the next message's segments it arrives if those come first.
    pub if_followed: Duration,
}

/// The luck of one flow's segments.
#[derive(Clone, Debug)]
pub(super) struct Luck {
    die: Die,
}

impl Luck {
    pub fn new(die: Die) -> Luck {
        Luck { die }
    }

    /// Sends a message of `size` with a round trip of `rtt`. `None` if all of it arrives.
    pub fn send(&mut self, loss: Loss, size: Bytes, rtt: Duration) -> Option<Losses> {
        let segments = size.0.div_ceil(SEGMENT).max(1);
        let timer = timer(rtt);
        let (mut gaps, mut end) = (Duration::ZERO, None);
        for segment in 1..=segments {
            let throw = self.die.throw();
            if !loss.strikes(throw) {
                continue;
            }
            let again = repeats(loss, throw);
            let if_followed = Duration(rtt.0 * (u64::from(again) + 1));
            if segment < segments {
                gaps = gaps.max(if_followed);
            } else {
                end = Some(LostEnd { by_timer: waited(timer, again + 1), if_followed });
            }
        }
        (gaps > Duration::ZERO || end.is_some()).then_some(Losses { gaps, end })
    }
}

/// How often what was lost with that throw is lost again.
fn repeats(loss: Loss, throw: u64) -> u32 {
    let (mut again, mut throw) = (0, throw);
    while again < MOST_LOSSES {
        throw = mix(throw);
        if !loss.strikes(throw) {
            break;
        }
        again += 1;
    }
    again
}

/// The retransmission timer.
fn timer(rtt: Duration) -> Duration {
    Duration((2 * rtt.0).max(FIRST_RETRANSMISSION.0))
}

/// How long the timer takes to fire so many times, at doubling distances.
fn waited(timer: Duration, times: u32) -> Duration {
    let mut distance = timer;
    let mut sum = Duration::ZERO;
    for _ in 0..times {
        sum += distance;
        distance = Duration((distance.0 * 2).min(LAST_RETRANSMISSION.0));
    }
    sum
}

/// The newest message of a flow, if the end of it was lost and nothing has followed yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tail {
    /// When the rest of it is whole.
    due: SimTime,
    if_followed: Duration,
}

impl Flow {
    /// When a message arrives whose segments would arrive at `arrives`. If the end of the message
    /// before it was lost, this one tells, and it is sent again.
    pub(super) fn lose(
        &mut self,
        arrives: SimTime,
        size: Bytes,
        connection: ConnectionId,
        rtt: Duration,
    ) -> SimTime {
        if let Some(tail) = self.tail.take().filter(|_| self.last.0 == connection) {
            self.tell_of(tail, arrives);
        }
        let Some(losses) = self.luck.send(self.loss, size, rtt) else { return arrives };
        let due = arrives + losses.gaps;
        let Some(LostEnd { by_timer, if_followed }) = losses.end else { return due };
        self.tail = Some(Tail { due, if_followed });
        due.max(arrives + by_timer)
    }

    /// Segments that arrive at `followed` tell that the end of the newest message is missing.
    fn tell_of(&mut self, tail: Tail, followed: SimTime) {
        let own = |parcel: &Parcel| parcel.message.connection == self.last.0;
        let Some(place) = self.under_way.iter().rposition(own) else { return };
        let Some(mut parcel) = self.under_way.remove(place) else { return };
        let again = tail.due.max(followed + tail.if_followed);
        let before = self.under_way.iter().rev().find(|parcel| own(parcel));
        let earliest = before.map_or(SimTime::ZERO, |parcel| parcel.arrives + Duration(1));
        parcel.arrives = parcel.arrives.min(again).max(earliest);
        self.last.1 = parcel.arrives;
        self.queue(parcel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luck() -> Luck {
        Luck::new(Die::new(1, "loss", "test"))
    }

    #[test]
    fn the_share_of_lost_segments_is_the_share_asked_for() {
        let rtt = Duration::ms(10);
        let mut luck = luck();
        let loss = Loss::millionths(20_000);
        let hit = (0..100_000).filter_map(|_| luck.send(loss, Bytes(100), rtt)).count();
        assert!((1_850..2_150).contains(&hit), "{hit}");
        let five = (0..100_000).filter_map(|_| luck.send(loss, Bytes(5 * SEGMENT), rtt)).count();
        // 1 - 0.98^5.
        assert!((9_300..9_900).contains(&five), "{five}");
        assert_eq!(Loss::millionths(500_000).and(Loss::millionths(500_000)), Loss(3 << 30));
        assert_eq!(Loss::NONE.and(loss), loss);
    }

    #[test]
    fn what_is_lost_is_lost_at_any_higher_share_too() {
        let rtt = Duration::ms(10);
        let (mut few, mut many) = (luck(), luck());
        for _ in 0..10_000 {
            let less = few.send(Loss::millionths(10_000), Bytes(3_000), rtt);
            let more = many.send(Loss::millionths(30_000), Bytes(3_000), rtt);
            assert!(less.is_none() || more.is_some());
        }
    }

    #[test]
    fn a_gap_costs_a_round_trip_and_a_lost_end_the_timer() {
        let rtt = Duration::ms(10);
        let sure = Loss::millionths(999_999);
        // Every try but the last is lost: 0.2, 0.6, 1.4 s, ... capped at 120 s apart.
        let all = luck().send(sure, Bytes(100), rtt).expect("it is lost");
        let by_timer = all.end.map(|end| end.by_timer);
        assert!(by_timer > Some(Duration::s(500)), "{all:?}");
        let mut luck = luck();
        let some = Loss::millionths(1_000);
        let lates: Vec<Losses> =
            (0..50_000).filter_map(|_| luck.send(some, Bytes(2 * SEGMENT), rtt)).collect();
        let once = |want: Losses| lates.iter().filter(|l| **l == want).count();
        let gap = Losses { gaps: rtt, end: None };
        let end = LostEnd { by_timer: Duration::ms(200), if_followed: rtt };
        let tail = Losses { gaps: Duration::ZERO, end: Some(end) };
        assert!(once(gap) > 30 && once(tail) > 30, "{lates:?}");
        assert!(once(gap) + once(tail) + 3 >= lates.len(), "{lates:?}");
    }
}
