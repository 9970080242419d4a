//! `write_lag`, `flush_lag` and `replay_lag`: how a walsender turns positions into durations.
//!
//! A standby reports positions, but people ask for time. The walsender therefore keeps a diary:
//! whenever its send routine runs and the local flush position has moved, it writes down that
//! position and the moment. When a reply says that the standby has flushed up to some position,
//! the walsender reads the diary up to there, and the lag is the time that has passed since the
//! last entry it could cross off. Writing, flushing and replaying each have their own place in
//! the diary, so that three durations come out of one reply.
//!
//! A standby that is stuck between two entries crosses nothing off. Its lag is then measured
//! from a moment between the two, in proportion to how far it got, and so keeps growing as it
//! should. A standby that has read everything gives no value at all; when new WAL comes, the
//! lag is measured from the first new entry alone, for the old ones belong to another burst.
//! "No value" leaves the columns as they are. They become NULL again only when the standby says
//! twice in a row that it has everything, which with the default settings is the status reply
//! some ten seconds after the last activity.
//!
//! The diary has 8191 usable entries. A standby that stops replaying while WAL goes on will fill
//! it. Older minor releases then overwrote the newest entry, over and over, so that the two fast
//! positions found nothing to cross off and all three lags stood still. Since late 2025 the slow
//! reader's entry is set aside and serves it until it gets past it, while the others read on;
//! afterwards it continues at the oldest entry that is left.
//!
//! What comes out is the age of a *sampled local flush*, not of data. A standby that reconnects
//! far behind starts near zero, because the diary starts with the connection; and while the
//! socket is blocked the send routine does not run, so nothing is written down.
//!
//! **Source.** `walsender.c`: `LagTrackerWrite`, `LagTrackerRead`, `ProcessStandbyReplyMessage`,
//! `LAG_TRACKER_BUFFER_SIZE`. Of each version the newest minor release is meant: 18.4, 17.10,
//! 16.14, 15.18 and 14.23 park when full and compare whole replies when idle; 13.23 parks, but
//! has the old rule for idle standbys. The earlier rules can be chosen.
//!
//! **Not modelled.** PostgreSQL counts microseconds and cuts each lag to them; here lags have
//! nanoseconds. Its interpolation goes through a `double`, which may differ by a microsecond. A
//! clock that goes backwards cannot happen; should it, there is no value.

use super::PgVersion;
use super::syncrep::Positions;
use crate::units::{Duration, Lsn, SimTime};

/// `LAG_TRACKER_BUFFER_SIZE`. One entry of the ring stays free, to tell full from empty.
pub const LAG_TRACKER_BUFFER_SIZE: u64 = 8192;

/// What happens to a new sample when the slowest reader has not read the oldest one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// It replaces the newest one. Before 18.1, 17.7, 16.11, 15.15, 14.20 and 13.23.
    OverwriteNewest,
    /// It is added; the sample the slow reader needs next is kept aside for it.
    #[default]
    ParkSlowest,
}

impl WhenFull {
    /// The rule of the version's newest minor release.
    pub const fn of(_version: PgVersion) -> WhenFull {
        // Assumption: 13.23 has the fix; its source was not read, only its date compared.
        WhenFull::ParkSlowest
    }
}

/// When the columns of a standby that has everything become NULL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenIdle {
    /// At the second reply in a row that has replayed all that was sent. 13, and before 18.4,
    /// 17.10, 16.14, 15.18 and 14.23.
    AppliedTwice,
    /// At a reply that has flushed and replayed all that was sent and repeats the previous one.
    #[default]
    RepeatedReply,
}

impl WhenIdle {
    /// The rule of the version's newest minor release.
    pub const fn of(version: PgVersion) -> WhenIdle {
        if version.major() >= 14 { WhenIdle::RepeatedReply } else { WhenIdle::AppliedTwice }
    }
}

/// What one reply says about time; `None` is "no value".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lags {
    /// Time since the local flush of what the standby has written.
    pub write: Option<Duration>,
    /// Time since the local flush of what the standby has flushed.
    pub flush: Option<Duration>,
    /// Time since the local flush of what the standby has replayed.
    pub apply: Option<Duration>,
}

/// The local flush position `lsn` was seen at `time` (`WalTimeSample`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sample {
    lsn: Lsn,
    time: SimTime,
}

/// How far one of the three positions has read the samples.
#[derive(Clone, Copy, Debug, Default)]
struct Reader {
    /// Ordinal of the sample it reads next (`read_heads`). Means nothing while `parked`.
    next: u64,
    /// The last sample it read, unless it has read all since (`last_read`).
    last: Option<Sample>,
    /// The sample it waits to pass since the ring overran it (`overflowed`).
    parked: Option<Sample>,
    /// The position of the last reply.
    reported: Lsn,
    /// The last reply did not move it, and its lag has not been worked out.
    unmoved: bool,
}

impl Reader {
    /// Ordinal of the oldest sample it may still read, of `written` in all.
    fn floor(&self, written: u64) -> u64 {
        match self.parked {
            Some(_) => oldest(written),
            None => self.next,
        }
    }
}

/// Ordinal of the oldest sample a ring that has seen `written` samples still offers.
fn oldest(written: u64) -> u64 {
    (written + 1).saturating_sub(LAG_TRACKER_BUFFER_SIZE)
}

/// One walsender's samples (`LagTracker`). It lives as long as the walsender; an idle one owns
/// no memory.
///
/// Invariants: samples are numbered in the order they came, and sample n lies at n modulo the
/// ring's length, a power of two; those from `first` to `written` - 1 are kept, at most 8191; no
/// reader that is not parked is below `first`.
#[derive(Clone, Debug, Default)]
pub struct LagTracker {
    when_full: WhenFull,
    /// The position of the newest sample, `0/0` before the first.
    last_lsn: Lsn,
    ring: Vec<Sample>,
    /// Ordinal of the oldest sample that a reader may still want, or one before it.
    first: u64,
    written: u64,
    write: Reader,
    flush: Reader,
    apply: Reader,
    /// When the last reply came, and how many samples there were.
    replied: (SimTime, u64),
}

/// Samples that a new ring has room for.
const FIRST_RING: usize = 16;

impl LagTracker {
    /// No samples yet.
    pub fn new(when_full: WhenFull) -> LagTracker {
        LagTracker { when_full, ..LagTracker::default() }
    }

    /// The send routine runs at `now` and sees the local flush position `lsn`
    /// (`LagTrackerWrite`). Ignored if the position has not moved since the last sample.
    #[inline]
    pub fn sample(&mut self, lsn: Lsn, now: SimTime) {
        if lsn == self.last_lsn {
            return;
        }
        self.last_lsn = lsn;
        let sample = Sample { lsn, time: now };
        if self.written - self.first + 1 >= self.ring.len() as u64 && !self.make_room() {
            let newest = self.slot(self.written - 1);
            self.ring[newest] = sample;
            return;
        }
        let slot = self.slot(self.written);
        self.ring[slot] = sample;
        self.written += 1;
    }

    /// Where the sample with this ordinal lies.
    fn slot(&self, ordinal: u64) -> usize {
        ordinal as usize & (self.ring.len() - 1)
    }

    /// The ring is full, as far as is known: forgets what every reader has passed, makes the ring
    /// longer, or, where it must not be, lets the oldest sample go if the rule allows it.
    fn make_room(&mut self) -> bool {
        let readers = [&self.write, &self.flush, &self.apply];
        let floor = readers.into_iter().map(|r| r.floor(self.written)).min();
        self.first = self.first.max(floor.unwrap_or(0));
        if self.written - self.first + 1 < self.ring.len() as u64 {
            return true;
        }
        if (self.ring.len() as u64) < LAG_TRACKER_BUFFER_SIZE {
            self.grow();
            return true;
        }
        let oldest = self.ring[self.slot(self.first)];
        for reader in [&mut self.write, &mut self.flush, &mut self.apply] {
            if reader.parked.is_some() || reader.next > self.first {
                continue;
            }
            match self.when_full {
                WhenFull::OverwriteNewest => return false,
                WhenFull::ParkSlowest => reader.parked = Some(oldest),
            }
        }
        self.first += 1;
        true
    }

    fn grow(&mut self) {
        let longer = (self.ring.len() * 2).max(FIRST_RING);
        let mut ring = vec![Sample { lsn: Lsn::INVALID, time: SimTime::ZERO }; longer];
        for ordinal in self.first..self.written {
            ring[ordinal as usize & (longer - 1)] = self.ring[self.slot(ordinal)];
        }
        self.ring = ring;
    }

    /// A reply arrives at `now` (`LagTrackerRead`, for each of its positions).
    pub fn reply(&mut self, at: Positions, now: SimTime) -> Lags {
        let moved = self.reply_moved(at, now);
        let unmoved = self.unmoved();
        Lags {
            write: moved.write.or(unmoved.write),
            flush: moved.flush.or(unmoved.flush),
            apply: moved.apply.or(unmoved.apply),
        }
    }

    /// The same for the positions that this reply moves; those of the others are worked out by
    /// [`LagTracker::unmoved`] if somebody looks before the next reply.
    #[inline]
    pub fn reply_moved(&mut self, at: Positions, now: SimTime) -> Lags {
        self.replied = (now, self.written);
        let ring = Ring { samples: &self.ring, written: self.written };
        Lags {
            write: ring.read_moved(&mut self.write, at.write, now),
            flush: ring.read_moved(&mut self.flush, at.flush, now),
            apply: ring.read_moved(&mut self.apply, at.apply, now),
        }
    }

    /// The lags, as of the last reply, of the positions that it did not move.
    pub fn unmoved(&self) -> Lags {
        let (now, written) = self.replied;
        let ring = Ring { samples: &self.ring, written };
        let lag = |reader: &Reader| {
            let (mut reader, lsn) = (*reader, reader.reported);
            reader.unmoved.then(|| ring.read(&mut reader, lsn, now)).flatten()
        };
        Lags { write: lag(&self.write), flush: lag(&self.flush), apply: lag(&self.apply) }
    }
}

/// The samples while the readers move over them.
#[derive(Clone, Copy)]
struct Ring<'a> {
    samples: &'a [Sample],
    written: u64,
}

impl Ring<'_> {
    /// The sample with this ordinal, which has been written.
    #[inline]
    fn get(&self, ordinal: u64) -> Sample {
        self.samples[ordinal as usize & (self.samples.len() - 1)]
    }

    /// [`Ring::read`], unless the reply before said the same.
    #[inline]
    fn read_moved(self, reader: &mut Reader, lsn: Lsn, now: SimTime) -> Option<Duration> {
        reader.unmoved = reader.reported == lsn && reader.parked.is_none();
        if reader.unmoved {
            return None;
        }
        reader.reported = lsn;
        self.read(reader, lsn, now)
    }

    /// Moves `reader` past all samples up to `lsn`; the lag at `now`.
    #[inline]
    fn read(self, reader: &mut Reader, lsn: Lsn, now: SimTime) -> Option<Duration> {
        if reader.parked.is_some() {
            return self.read_parked(reader, lsn, now);
        }
        self.read_on(reader, lsn, now, None)
    }

    /// The sample that was kept aside comes first; behind it lies what the ring still has.
    fn read_parked(self, reader: &mut Reader, lsn: Lsn, now: SimTime) -> Option<Duration> {
        let parked = reader.parked?;
        if parked.lsn > lsn {
            return elapsed(parked.time, now);
        }
        reader.parked = None;
        reader.next = oldest(self.written);
        self.read_on(reader, lsn, now, Some(parked))
    }

    #[inline]
    fn read_on(
        self,
        reader: &mut Reader,
        lsn: Lsn,
        now: SimTime,
        mut crossed: Option<Sample>,
    ) -> Option<Duration> {
        let mut ordinal = reader.next;
        let next = loop {
            if ordinal == self.written {
                break None;
            }
            let sample = self.get(ordinal);
            if sample.lsn > lsn {
                break Some(sample);
            }
            crossed = Some(sample);
            ordinal += 1;
        };
        reader.next = ordinal;
        match (crossed, next) {
            (Some(crossed), _) => {
                reader.last = next.map(|_| crossed);
                elapsed(crossed.time, now)
            }
            // Everything has been read.
            (None, None) => None,
            (None, Some(next)) => match reader.last {
                Some(last) => elapsed(between(last, next, lsn)?, now),
                // A new burst, or a new connection: as if that sample were reached now.
                None => elapsed(next.time, now),
            },
        }
    }
}

/// When the local flush passed `lsn`, if it went evenly from one sample to the next. `None` if
/// the position or the clock went backwards.
fn between(last: Sample, next: Sample, lsn: Lsn) -> Option<SimTime> {
    let whole = next.lsn.0.checked_sub(last.lsn.0).filter(|&bytes| bytes > 0)?;
    let part = lsn.0.checked_sub(last.lsn.0)?;
    let took = next.time.0.checked_sub(last.time.0)?;
    // Most products fit 64 bits, and 128-bit division is slow.
    let offset = match took.checked_mul(part) {
        Some(product) => product / whole,
        None => u64::try_from(u128::from(took) * u128::from(part) / u128::from(whole)).ok()?,
    };
    Some(last.time + Duration(offset))
}

/// Time from `then` to `now`, unless the clock went backwards.
fn elapsed(then: SimTime, now: SimTime) -> Option<Duration> {
    (then <= now).then(|| now.since(then))
}

/// The lag columns of one row of `pg_stat_replication`, NULL as `None`, and what decides when
/// they become NULL again. All start NULL with the walsender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LagColumns {
    /// Time since the local flush of what the standby has written, at the last reply that knew.
    pub write_lag: Option<Duration>,
    /// The same for what it has flushed.
    pub flush_lag: Option<Duration>,
    /// The same for what it has replayed.
    pub replay_lag: Option<Duration>,
    when_idle: WhenIdle,
    /// The previous reply had replayed all that was sent (`fullyAppliedLastTime`).
    applied_all: bool,
    /// The positions of the previous reply, `0/0` before the first.
    previous: Positions,
}

impl LagColumns {
    /// All NULL.
    pub fn new(when_idle: WhenIdle) -> LagColumns {
        LagColumns { when_idle, ..LagColumns::default() }
    }

    /// Whether a reply makes the standby an idle one, so that a lag without a value becomes NULL.
    #[inline]
    fn clears(&self, at: Positions, sent: Lsn) -> bool {
        let applied_all = at.apply == sent;
        match self.when_idle {
            WhenIdle::AppliedTwice => applied_all && self.applied_all,
            WhenIdle::RepeatedReply => applied_all && at.flush == sent && at == self.previous,
        }
    }

    /// A reply comes: what [`LagColumns::reply`] does with the lags of `tracker`, except that
    /// those of positions it does not move are left to [`LagColumns::seen`].
    #[inline]
    pub fn track(&mut self, tracker: &mut LagTracker, at: Positions, sent: Lsn, now: SimTime) {
        let lags = match self.clears(at, sent) {
            true => tracker.reply(at, now),
            false => tracker.reply_moved(at, now),
        };
        self.reply(lags, at, sent);
    }

    /// The columns as somebody who looks now sees them.
    pub fn seen(&self, tracker: &LagTracker) -> LagColumns {
        let unmoved = tracker.unmoved();
        LagColumns {
            write_lag: unmoved.write.or(self.write_lag),
            flush_lag: unmoved.flush.or(self.flush_lag),
            replay_lag: unmoved.apply.or(self.replay_lag),
            ..*self
        }
    }

    /// A reply with these positions and lags, when all up to `sent` had been sent
    /// (`ProcessStandbyReplyMessage`). A value is shown; no value leaves the column, unless this
    /// reply makes the standby an idle one.
    pub fn reply(&mut self, lags: Lags, at: Positions, sent: Lsn) {
        let clear = self.clears(at, sent);
        self.applied_all = at.apply == sent;
        self.previous = at;
        let show = |column: &mut Option<Duration>, lag: Option<Duration>| {
            if lag.is_some() || clear {
                *column = lag;
            }
        };
        show(&mut self.write_lag, lags.write);
        show(&mut self.flush_lag, lags.flush);
        show(&mut self.replay_lag, lags.apply);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Die;

    const RING: u64 = LAG_TRACKER_BUFFER_SIZE;

    fn at_ms(ms: u64) -> SimTime {
        SimTime::ZERO + Duration::ms(ms)
    }

    fn positions(write: u64, flush: u64, apply: u64) -> Positions {
        Positions { write: Lsn(write), flush: Lsn(flush), apply: Lsn(apply) }
    }

    fn all(lsn: u64) -> Positions {
        positions(lsn, lsn, lsn)
    }

    fn ms(n: u64) -> Option<Duration> {
        Some(Duration::ms(n))
    }

    fn tracker(samples: &[(u64, u64)]) -> LagTracker {
        let mut tracker = LagTracker::default();
        samples.iter().for_each(|&(lsn, ms)| tracker.sample(Lsn(lsn), at_ms(ms)));
        tracker
    }

    #[test]
    fn the_worked_example_gives_its_numbers() {
        let mut tracker = tracker(&[(1000, 0), (2000, 10)]);
        let mut columns = LagColumns::default();
        let mut reply = |tracker: &mut LagTracker, now, lsn| {
            let lags = tracker.reply(all(lsn), at_ms(now));
            assert!(lags.write == lags.apply && lags.flush == lags.apply);
            columns.reply(lags, all(lsn), Lsn(9999));
            (lags.apply, columns.replay_lag)
        };
        assert_eq!(reply(&mut tracker, 50, 1000), (ms(50), ms(50)));
        assert_eq!(reply(&mut tracker, 60, 1500), (ms(55), ms(55)));
        assert_eq!(reply(&mut tracker, 70, 2000), (ms(60), ms(60)));
        assert_eq!(reply(&mut tracker, 100, 2000), (None, ms(60)));
        tracker.sample(Lsn(3000), at_ms(1000));
        assert_eq!(reply(&mut tracker, 1020, 2500), (ms(20), ms(20)));
        assert_eq!(reply(&mut tracker, 1030, 3000), (ms(30), ms(30)));
    }

    #[test]
    fn an_idle_tracker_knows_nothing_and_owns_nothing() {
        let mut idle = LagTracker::default();
        assert_eq!(idle.reply(all(1000), at_ms(5)), Lags::default());
        idle.sample(Lsn::INVALID, at_ms(6));
        assert_eq!(idle.ring.capacity(), 0);
    }

    #[test]
    fn each_position_has_its_own_place() {
        let mut tracker = tracker(&[(1000, 0), (2000, 10), (3000, 20)]);
        let lags = tracker.reply(positions(3000, 2000, 1000), at_ms(50));
        assert_eq!(lags, Lags { write: ms(30), flush: ms(40), apply: ms(50) });
        let lags = tracker.reply(positions(3000, 3000, 2000), at_ms(60));
        assert_eq!(lags, Lags { write: None, flush: ms(40), apply: ms(50) });
    }

    #[test]
    fn of_several_samples_crossed_the_last_counts() {
        let mut tracker = tracker(&[(1000, 0), (2000, 10), (3000, 20), (4000, 25)]);
        assert_eq!(tracker.reply(all(3500), at_ms(50)).flush, ms(30));
    }

    #[test]
    fn a_flush_position_that_stands_still_is_sampled_once() {
        let mut tracker = tracker(&[(1000, 0), (1000, 40), (1000, 45)]);
        assert_eq!(tracker.reply(all(1000), at_ms(50)).flush, ms(50));
        tracker.sample(Lsn(1000), at_ms(55));
        assert_eq!(tracker.reply(all(1000), at_ms(60)).flush, None);
    }

    #[test]
    fn a_stuck_position_has_a_growing_lag() {
        let mut tracker = tracker(&[(1000, 0), (2000, 10)]);
        assert_eq!(tracker.reply(all(1100), at_ms(20)).apply, ms(20));
        assert_eq!(tracker.reply(all(1100), at_ms(30)).apply, ms(29));
        assert_eq!(tracker.reply(all(1100), at_ms(4030)).apply, ms(4029));
    }

    #[test]
    fn a_standby_that_connects_far_behind_starts_near_zero() {
        let mut tracker = tracker(&[(1_000_000, 100), (1_001_000, 200)]);
        assert_eq!(tracker.reply(all(10), at_ms(101)).apply, ms(1));
        assert_eq!(tracker.reply(all(500_000), at_ms(900)).apply, ms(800));
        assert_eq!(tracker.reply(all(1_000_000), at_ms(1000)).apply, ms(900));
    }

    #[test]
    fn positions_or_clocks_that_go_back_give_no_value() {
        let mut one = tracker(&[(1000, 0), (2000, 10)]);
        assert_eq!(one.reply(all(1200), at_ms(20)).apply, ms(20));
        assert_eq!(one.reply(all(900), at_ms(30)).apply, None);
        assert_eq!(one.reply(all(1500), at_ms(40)).apply, ms(35));
        assert_eq!(one.reply(all(2000), at_ms(5)).apply, None);
        // The local flush position itself goes back.
        let mut one = tracker(&[(1000, 0), (500, 10)]);
        assert_eq!(one.reply(all(700), at_ms(20)).apply, ms(20));
        let mut one = tracker(&[(1000, 0), (2000, 10), (1500, 20)]);
        assert_eq!(one.reply(all(1200), at_ms(30)).apply, ms(30));
        assert_eq!(one.reply(all(2000), at_ms(30)).apply, ms(10));
    }

    #[test]
    fn interpolation_survives_the_largest_positions_and_times() {
        let mut one = LagTracker::default();
        one.sample(Lsn(1), SimTime(1));
        one.sample(Lsn(u64::MAX), SimTime(u64::MAX - 1));
        one.reply(all(1), SimTime(2));
        let lag = one.reply(all(u64::MAX / 2), SimTime(u64::MAX)).apply;
        assert!(lag.is_some_and(|lag| lag.0 / 2 < u64::MAX / 4 + 2));
    }

    /// A sample each millisecond, position and time equal, from 1 to `last`; writing and
    /// flushing follow with every sample, replay stays at 0.
    fn with_stuck_replay(when_full: WhenFull, last: u64) -> (LagTracker, Lags) {
        let mut tracker = LagTracker::new(when_full);
        let mut lags = Lags::default();
        for n in 1..=last {
            tracker.sample(Lsn(n), at_ms(n));
            lags = tracker.reply(positions(n, n, 0), at_ms(n + 5));
        }
        (tracker, lags)
    }

    #[test]
    fn a_full_ring_that_overwrites_stops_the_fast_positions() {
        let (_, lags) = with_stuck_replay(WhenFull::OverwriteNewest, RING - 1);
        assert_eq!(lags, Lags { write: ms(5), flush: ms(5), apply: ms(RING + 3) });
        let (mut tracker, lags) = with_stuck_replay(WhenFull::OverwriteNewest, RING + 100);
        assert_eq!(lags, Lags { write: None, flush: None, apply: ms(RING + 104) });
        // The samples in between are lost: replay is interpolated over the gap.
        let now = at_ms(RING + 200);
        assert_eq!(tracker.reply(all(RING - 2), now).apply, ms(202));
        assert_eq!(tracker.reply(all(RING + 49), now).apply, ms(151));
        assert_eq!(tracker.reply(all(RING + 100), now).apply, ms(100));
    }

    #[test]
    fn a_full_ring_that_parks_leaves_the_fast_positions_alone() {
        let (mut tracker, lags) = with_stuck_replay(WhenFull::ParkSlowest, 3 * RING);
        assert_eq!(lags, Lags { write: ms(5), flush: ms(5), apply: ms(3 * RING + 4) });
        let (total, now) = (3 * RING, at_ms(3 * RING + 10));
        assert_eq!(tracker.written - tracker.first, RING - 1);
        // Past the parked sample, but not at what the ring still has: the parked one counts,
        // then the way from it to the oldest sample left.
        let reply = |tracker: &mut LagTracker, apply| {
            tracker.reply(positions(total, total, apply), now).apply
        };
        assert_eq!(reply(&mut tracker, 1), ms(total + 9));
        assert_eq!(reply(&mut tracker, 1000), ms(total + 10 - 1000));
        let left = 2 * RING + 2;
        assert_eq!(reply(&mut tracker, left), ms(total + 10 - left));
        assert_eq!(reply(&mut tracker, total), ms(10));
        assert_eq!(reply(&mut tracker, total), None);
    }

    #[test]
    fn a_reader_can_be_parked_again_and_again() {
        let (mut tracker, _) = with_stuck_replay(WhenFull::ParkSlowest, RING + 10);
        let total = RING + 10;
        assert_eq!(tracker.reply(positions(total, total, 5), at_ms(total)).apply, ms(total - 1));
        assert_eq!(tracker.reply(positions(total, total, 5), at_ms(total)).apply, ms(total - 5));
        // The next sample parks it anew, at the oldest sample there was.
        tracker.sample(Lsn(total + 1), at_ms(total + 1));
        assert_eq!(tracker.apply.parked.map(|sample| sample.lsn), Some(Lsn(12)));
    }

    /// The ring as an array with wrapping heads, -1 for a parked one: slow, but plain.
    struct Plain {
        when_full: WhenFull,
        buffer: Vec<(u64, u64)>,
        last_lsn: u64,
        write_head: i64,
        heads: [i64; 3],
        last: [Option<(u64, u64)>; 3],
        parked: [(u64, u64); 3],
    }

    impl Plain {
        fn new(when_full: WhenFull) -> Plain {
            let (buffer, parked) = (vec![(0, 0); RING as usize], [(0, 0); 3]);
            Plain {
                when_full,
                buffer,
                last_lsn: 0,
                write_head: 0,
                heads: [0; 3],
                last: [None; 3],
                parked,
            }
        }

        fn after(head: i64) -> i64 {
            (head + 1) % RING as i64
        }

        fn sample(&mut self, lsn: u64, time: u64) {
            if lsn == self.last_lsn {
                return;
            }
            self.last_lsn = lsn;
            let new_head = Plain::after(self.write_head);
            if self.when_full == WhenFull::OverwriteNewest && self.heads.contains(&new_head) {
                let newest = (self.write_head + RING as i64 - 1) % RING as i64;
                self.buffer[newest as usize] = (lsn, time);
                return;
            }
            for i in 0..3 {
                if self.heads[i] == new_head {
                    self.parked[i] = self.buffer[new_head as usize];
                    self.heads[i] = -1;
                }
            }
            self.buffer[self.write_head as usize] = (lsn, time);
            self.write_head = new_head;
        }

        fn read(&mut self, i: usize, lsn: u64, now: u64) -> Option<u64> {
            let mut time = None;
            if self.heads[i] == -1 {
                if self.parked[i].0 > lsn {
                    return Some(now - self.parked[i].1);
                }
                time = Some(self.parked[i].1);
                self.last[i] = Some(self.parked[i]);
                self.heads[i] = Plain::after(self.write_head);
            }
            while self.heads[i] != self.write_head && self.buffer[self.heads[i] as usize].0 <= lsn {
                self.last[i] = Some(self.buffer[self.heads[i] as usize]);
                time = self.last[i].map(|sample| sample.1);
                self.heads[i] = Plain::after(self.heads[i]);
            }
            if self.heads[i] == self.write_head {
                self.last[i] = None;
            }
            if let Some(time) = time {
                return Some(now - time);
            }
            if self.heads[i] == self.write_head {
                return None;
            }
            let next = self.buffer[self.heads[i] as usize];
            let Some(last) = self.last[i] else { return Some(now - next.1) };
            if lsn < last.0 {
                return None;
            }
            Some(now - last.1 - (next.1 - last.1) * (lsn - last.0) / (next.0 - last.0))
        }
    }

    #[test]
    fn the_tracker_is_a_ring_with_wrapping_heads() {
        for (when_full, seed) in [WhenFull::OverwriteNewest, WhenFull::ParkSlowest]
            .into_iter()
            .flat_map(|when_full| (0..20).map(move |seed| (when_full, seed)))
        {
            let mut die = Die::new(seed, "replies", "lag");
            let (mut tracker, mut plain) = (LagTracker::new(when_full), Plain::new(when_full));
            let (mut lsn, mut now, mut at, mut full) = (0, 0, [0; 3], 0);
            for round in 0..600 {
                let bursts = [1, 3, 20, 3000];
                for _ in 0..die.throw() % bursts[(die.throw() % 4) as usize] {
                    lsn += die.throw() % 4;
                    now += die.throw() % 50;
                    tracker.sample(Lsn(lsn), SimTime(now));
                    full += u64::from((tracker.written - tracker.first) == RING - 1);
                    plain.sample(lsn, now);
                }
                for (i, position) in at.iter_mut().enumerate() {
                    // Writing moves at every reply, flushing and replay are often stuck.
                    if !die.throw().is_multiple_of(1 + 30 * i as u64) {
                        continue;
                    }
                    let left = lsn.saturating_sub(*position);
                    match die.throw() % 8 {
                        0 => *position = lsn,
                        1 => *position = position.saturating_sub(die.throw() % 30),
                        2..5 => *position += die.throw() % (left + 1),
                        _ => {}
                    }
                }
                now += die.throw() % 50;
                let lags = tracker.reply(positions(at[0], at[1], at[2]), SimTime(now));
                let ours = [lags.write, lags.flush, lags.apply].map(|lag| lag.map(|lag| lag.0));
                let theirs: [_; 3] = std::array::from_fn(|i| plain.read(i, at[i], now));
                assert_eq!(ours, theirs, "{when_full:?}, seed {seed}, round {round}");
                assert!(tracker.ring.len() <= RING as usize);
            }
            assert!(full > 0, "{when_full:?}, seed {seed}: the ring was never full");
        }
    }

    const VALUE: Lags = Lags {
        write: Some(Duration::ms(1)),
        flush: Some(Duration::ms(2)),
        apply: Some(Duration::ms(3)),
    };
    const NO_VALUE: Lags = Lags { write: None, flush: None, apply: None };

    #[test]
    fn columns_start_null_and_keep_what_was_known() {
        let mut columns = LagColumns::new(WhenIdle::RepeatedReply);
        columns.reply(NO_VALUE, all(100), Lsn(200));
        assert_eq!((columns.write_lag, columns.flush_lag, columns.replay_lag), (None, None, None));
        columns.reply(VALUE, all(150), Lsn(200));
        let partly = Lags { write: ms(7), ..NO_VALUE };
        columns.reply(partly, positions(160, 150, 150), Lsn(200));
        assert_eq!(
            (columns.write_lag, columns.flush_lag, columns.replay_lag),
            (ms(7), ms(2), ms(3))
        );
    }

    #[test]
    fn the_old_rule_clears_at_the_second_reply_that_has_replayed_all() {
        let mut columns = LagColumns::new(WhenIdle::AppliedTwice);
        columns.reply(VALUE, all(200), Lsn(200));
        // The sent position has moved on, so the count starts again.
        columns.reply(NO_VALUE, all(200), Lsn(300));
        columns.reply(NO_VALUE, all(300), Lsn(300));
        assert_eq!(columns.replay_lag, ms(3));
        columns.reply(Lags { apply: ms(9), ..NO_VALUE }, all(400), Lsn(400));
        // A second time in a row, but with one value: only the others are cleared.
        assert_eq!((columns.write_lag, columns.flush_lag, columns.replay_lag), (None, None, ms(9)));
    }

    #[test]
    fn the_new_rule_clears_at_a_reply_that_repeats_the_previous_one() {
        let mut columns = LagColumns::new(WhenIdle::RepeatedReply);
        columns.reply(VALUE, all(200), Lsn(200));
        columns.reply(NO_VALUE, all(300), Lsn(300));
        assert_eq!(columns.replay_lag, ms(3), "two replies that have all, but not the same");
        columns.reply(NO_VALUE, all(300), Lsn(400));
        assert_eq!(columns.replay_lag, ms(3), "the same reply, but more was sent");
        let unflushed = positions(400, 300, 400);
        columns.reply(NO_VALUE, unflushed, Lsn(400));
        columns.reply(NO_VALUE, unflushed, Lsn(400));
        assert_eq!(columns.replay_lag, ms(3), "the same reply, but not flushed");
        columns.reply(NO_VALUE, all(400), Lsn(400));
        columns.reply(NO_VALUE, all(400), Lsn(400));
        assert_eq!((columns.write_lag, columns.flush_lag, columns.replay_lag), (None, None, None));
    }

    #[test]
    fn the_status_reply_after_the_activity_makes_the_columns_null() {
        for when_idle in [WhenIdle::AppliedTwice, WhenIdle::RepeatedReply] {
            let mut tracker = tracker(&[(1000, 0)]);
            let mut columns = LagColumns::new(when_idle);
            let mut reply = |at: Positions, now: u64| {
                columns.reply(tracker.reply(at, at_ms(now)), at, Lsn(1000));
                (columns.write_lag, columns.flush_lag, columns.replay_lag)
            };
            assert_eq!(reply(positions(1000, 1, 1), 3), (ms(3), ms(3), ms(3)));
            assert_eq!(reply(positions(1000, 1000, 1), 5), (ms(3), ms(5), ms(5)));
            assert_eq!(reply(all(1000), 6), (ms(3), ms(5), ms(6)));
            assert_eq!(reply(all(1000), 10_006), (None, None, None));
        }
    }

    #[test]
    fn the_newest_minor_releases_have_these_rules() {
        for major in 13..=18 {
            let version = PgVersion::new(major).expect("a version");
            assert_eq!(WhenFull::of(version), WhenFull::ParkSlowest);
            assert_eq!(WhenIdle::of(version) == WhenIdle::AppliedTwice, major == 13);
        }
    }

    #[test]
    fn what_is_left_until_somebody_looks_is_what_was_to_be_seen() {
        let mut die = Die::new(3, "replies", "test");
        for round in 0..200 {
            let (mut eager, mut lazy) = (LagTracker::default(), LagTracker::default());
            let mut shown = LagColumns::new(WhenIdle::RepeatedReply);
            let mut kept = shown;
            let (mut sent, mut at) = (0, positions(0, 0, 0));
            for step in 1..400 {
                let now = at_ms(step * 3 + die.throw() % 3);
                if die.throw().is_multiple_of(3) {
                    sent += die.throw() % 500;
                    eager.sample(Lsn(sent), now);
                    lazy.sample(Lsn(sent), now);
                    continue;
                }
                let mut forward = |from: Lsn| match die.throw() % 3 {
                    0 => Lsn((from.0 + die.throw() % 700).min(sent)),
                    _ => from,
                };
                at.write = forward(at.write);
                at.flush = forward(at.flush).min(at.write);
                at.apply = forward(at.apply).min(at.flush);
                let lags = eager.reply(at, now);
                shown.reply(lags, at, Lsn(sent));
                kept.track(&mut lazy, at, Lsn(sent), now);
                let seen = kept.seen(&lazy);
                let columns = |c: &LagColumns| (c.write_lag, c.flush_lag, c.replay_lag);
                assert_eq!(columns(&seen), columns(&shown), "round {round}, step {step}");
            }
        }
    }
}
