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
    /// When the last reply came.
    replied: SimTime,
    /// Replies whose lags have not been worked out, at most [`PENDING`].
    pending: Vec<Reply>,
    /// One of them has a position below that of the reply before it.
    falling: bool,
    /// What the replies worked out since somebody asked last have said.
    known: Lags,
}

/// A reply and when it came.
#[derive(Clone, Copy, Debug)]
struct Reply {
    at: Positions,
    now: SimTime,
}

/// Some replies in a row.
#[derive(Clone, Copy)]
struct Replies<'a> {
    all: &'a [Reply],
    falling: bool,
}

/// Bound on the replies that wait. Of some in a row, mostly only the last one that moves a
/// position matters.
const PENDING: usize = 256;

/// Replies that move a position and are tried, the last first, for one that crosses a sample.
/// Mostly it is one of the last two.
const TRIALS: usize = 4;

/// Samples that a new ring has room for.
const FIRST_RING: usize = 256;

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

    /// Whether one of the next `count` samples may overrun a reader: all replies until then must be
    /// known.
    #[inline]
    pub fn may_overflow(&self, count: usize) -> bool {
        let longest = LAG_TRACKER_BUFFER_SIZE;
        let kept = self.written - self.first + count as u64;
        self.ring.len() as u64 >= longest && kept >= longest
    }

    /// Where the sample with this ordinal lies.
    fn slot(&self, ordinal: u64) -> usize {
        ordinal as usize & (self.ring.len() - 1)
    }

    /// The ring is full, as far as is known: forgets what every reader has passed, makes the ring
    /// longer, or, where it must not be, lets the oldest sample go if the rule allows it.
    fn make_room(&mut self) -> bool {
        self.work_out();
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
        self.work_out();
        self.replied = now;
        let ring = Ring { samples: &self.ring, written: self.written };
        let lags = Lags {
            write: ring.read_moved(&mut self.write, at.write, now),
            flush: ring.read_moved(&mut self.flush, at.flush, now),
            apply: ring.read_moved(&mut self.apply, at.apply, now),
        };
        self.unmoved().or(lags)
    }

    /// The same for some replies in a row, to be worked out later. They may be told late: samples
    /// that came after a reply do not exist for it. `falling`: one of them has a position below
    /// that of the reply before it.
    #[inline]
    pub fn note_all(
        &mut self,
        replies: impl ExactSizeIterator<Item = (Positions, SimTime)>,
        falling: bool,
    ) {
        if self.pending.len() + replies.len() > PENDING {
            self.work_out();
        }
        self.falling |= falling;
        self.pending.extend(replies.map(|(at, now)| Reply { at, now }));
    }

    /// Works out what was noted.
    fn work_out(&mut self) {
        let Some(last) = self.pending.last() else { return };
        self.replied = last.now;
        let ring = Ring { samples: &self.ring, written: self.written };
        let pending = Replies { all: &self.pending, falling: self.falling };
        let lags = Lags {
            write: ring.read_all(&mut self.write, pending, |at| at.write),
            flush: ring.read_all(&mut self.flush, pending, |at| at.flush),
            apply: ring.read_all(&mut self.apply, pending, |at| at.apply),
        };
        self.known = lags.or(self.known);
        self.pending.clear();
        self.falling = false;
    }

    /// What the replies noted since this was asked last say about the positions they moved.
    fn take_known(&mut self) -> Lags {
        self.work_out();
        std::mem::take(&mut self.known)
    }

    /// The lags, as of the last reply, of the positions that it did not move.
    fn unmoved(&self) -> Lags {
        let ring = Ring { samples: &self.ring, written: self.written };
        let lag = |reader: &Reader| {
            let (mut reader, lsn) = (*reader, reader.reported);
            reader.unmoved.then(|| ring.read(&mut reader, lsn, self.replied)).flatten()
        };
        Lags { write: lag(&self.write), flush: lag(&self.flush), apply: lag(&self.apply) }
    }

    /// The lags that are to be seen now, where any reply since [`LagTracker::take_known`] has said
    /// something.
    fn seen(&self) -> Lags {
        let Some(last) = self.pending.last() else { return self.unmoved().or(self.known) };
        let ring = Ring { samples: &self.ring, written: self.written };
        let lag = |reader: &Reader, position: fn(&Positions) -> Lsn| {
            let mut reader = *reader;
            let pending = Replies { all: &self.pending, falling: self.falling };
            let moved = ring.read_all(&mut reader, pending, position);
            let lsn = reader.reported;
            let unmoved = reader.unmoved.then(|| ring.read(&mut reader, lsn, last.now)).flatten();
            unmoved.or(moved)
        };
        let lags = Lags {
            write: lag(&self.write, |at| at.write),
            flush: lag(&self.flush, |at| at.flush),
            apply: lag(&self.apply, |at| at.apply),
        };
        lags.or(self.known)
    }
}

impl Lags {
    /// These, or else those.
    fn or(self, other: Lags) -> Lags {
        Lags {
            write: self.write.or(other.write),
            flush: self.flush.or(other.flush),
            apply: self.apply.or(other.apply),
        }
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

    /// [`Ring::read_moved`] for some replies in a row; the last lag that comes out.
    ///
    /// If a reply crosses a sample that the one before it had not reached, those before it have
    /// left no trace: looks for one among the last that move the position.
    fn read_all(
        self,
        reader: &mut Reader,
        replies: Replies<'_>,
        position: impl Fn(&Positions) -> Lsn,
    ) -> Option<Duration> {
        let Replies { all: replies, falling } = replies;
        let before = |index: usize| match index {
            0 => reader.reported,
            _ => position(&replies[index - 1].at),
        };
        let moves = |&index: &usize| position(&replies[index].at) != before(index);
        let trials = if falling || reader.parked.is_some() { 0 } else { TRIALS };
        for index in (0..replies.len()).rev().filter(moves).take(trials) {
            let mut trial = *reader;
            let lag = self.read_moved(&mut trial, position(&replies[index].at), replies[index].now);
            if trial.next > reader.next && self.get(trial.next - 1).lsn > before(index) {
                *reader = trial;
                let rest = replies[index + 1..].iter();
                let lags = rest.map(|r| self.read_moved(reader, position(&r.at), r.now));
                return lags.fold(lag, |known, lag| lag.or(known));
            }
        }
        let lags = replies.iter().map(|r| self.read_moved(reader, position(&r.at), r.now));
        lags.fold(None, |known, lag| lag.or(known))
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

    #[inline(always)]
    fn read_on(
        self,
        reader: &mut Reader,
        lsn: Lsn,
        now: SimTime,
        mut crossed: Option<Sample>,
    ) -> Option<Duration> {
        let ordinal = self.first_beyond(reader.next, lsn, now);
        if ordinal > reader.next {
            crossed = Some(self.get(ordinal - 1));
        }
        let next = (ordinal < self.written).then(|| self.get(ordinal));
        let next = next.filter(|sample| sample.time <= now);
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

impl Ring<'_> {
    /// Ordinal of the first sample, from `from` on, that is beyond `lsn` or came after `now`; it
    /// is mostly near, and may be far.
    fn first_beyond(self, from: u64, lsn: Lsn, now: SimTime) -> u64 {
        let crosses = |ordinal| {
            let sample = self.get(ordinal);
            sample.lsn <= lsn && sample.time <= now
        };
        // It lies from `low` to `high`.
        let (mut low, mut high, mut step) = (from, from, 1);
        while high < self.written && crosses(high) {
            (low, high) = (high + 1, high + step);
            step *= 2;
        }
        high = high.min(self.written);
        while low < high {
            let middle = low + (high - low) / 2;
            match crosses(middle) {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        low
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

    /// A reply comes: what [`LagColumns::reply`] does with the lags of `tracker`, except that they
    /// are left to [`LagColumns::seen`] as long as none becomes NULL.
    #[inline(always)]
    pub fn track(&mut self, tracker: &mut LagTracker, at: Positions, sent: Lsn, now: SimTime) {
        if self.clears(at, sent) {
            self.show(tracker.take_known(), false);
            let lags = tracker.reply(at, now);
            return self.reply(lags, at, sent);
        }
        let before = std::mem::replace(&mut self.previous, at);
        self.applied_all = at.apply == sent;
        tracker.note_all([(at, now)].into_iter(), at.falls_behind(before));
    }

    /// The same for some replies in a row, with the moments at which they came. They are of one
    /// stream, in which no position falls: the last of them is the furthest.
    #[inline]
    pub fn track_all(
        &mut self,
        tracker: &mut LagTracker,
        replies: impl ExactSizeIterator<Item = (Positions, SimTime)> + Clone,
        last: Positions,
        sent: Lsn,
    ) {
        debug_assert!(replies.clone().is_sorted_by(|(at, _), (next, _)| !next.falls_behind(*at)));
        if last.apply >= sent {
            replies.for_each(|(at, now)| self.track(tracker, at, sent, now));
        } else {
            let before = std::mem::replace(&mut self.previous, last);
            self.applied_all = false;
            tracker.note_all(replies, last.falls_behind(before));
        }
    }

    /// The columns as somebody who looks now sees them.
    pub fn seen(&self, tracker: &LagTracker) -> LagColumns {
        let mut seen = *self;
        seen.show(tracker.seen(), false);
        seen
    }

    /// A reply with these positions and lags, when all up to `sent` had been sent
    /// (`ProcessStandbyReplyMessage`). A value is shown; no value leaves the column, unless this
    /// reply makes the standby an idle one.
    pub fn reply(&mut self, lags: Lags, at: Positions, sent: Lsn) {
        let clear = self.clears(at, sent);
        self.applied_all = at.apply == sent;
        self.previous = at;
        self.show(lags, clear);
    }

    fn show(&mut self, lags: Lags, clear: bool) {
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
mod tests;
