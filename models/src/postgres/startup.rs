//! The startup process of a standby: replay, and where the next WAL comes from.
//!
//! It replays what is durable here, one record after the other, at a rate. What there is when it
//! looks is one *piece*: only its end is a moment of its own, but whoever looks meanwhile, or
//! replies, is told how far it is. When it has run out it needs a stream: the first time at once;
//! after a stream or an attempt has failed at once as well, unless the failure before was less than
//! `wal_retrieve_retry_interval` ago: then it waits for the rest of that time.
//!
//! **Source.** `xlogrecovery.c:WaitForWALToBecomeAvailable` (13 and 14: `xlog.c`).
//!
//! **Not modelled.** Archives, replay delay, hot standby conflicts. A `remote_apply` commit in the
//! middle of a piece has no reply of its own: the next one tells, at the latest that at the end of
//! the piece. The bounds of records are not known: a position between two looks like one. A switch
//! record, whose replay moves `replay_lsn` to the end of its segment before the zeroes have come.

use crate::units::{Duration, Lsn, Rate, SimTime};

/// The startup process of a running standby.
#[derive(Clone, Debug)]
pub struct Startup {
    rate: Rate,
    retry_interval: Duration,
    /// Where it began to replay.
    began: Lsn,
    /// Start of the piece being replayed, or where it halted; the end of the last if there is none.
    replayed: Lsn,
    /// End of the piece being replayed, or of the one that was halted.
    target: Lsn,
    /// When that piece began, at `replayed`.
    since: SimTime,
    /// When it will be over; never if none is in hand.
    busy_until: SimTime,
    /// It takes longer than [`MOMENT`].
    is_long: bool,
    /// End of the WAL it may replay.
    available: Lsn,
    last_failure: Option<SimTime>,
    retry_at: SimTime,
    /// Somebody has paused replay.
    paused: bool,
}

/// What came of a failed source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Ask for a stream again at once.
    Now,
    /// Wait first.
    Later,
}

impl Startup {
    /// A startup process that has replayed up to `replayed` and finds WAL up to `available`.
    pub fn new(rate: Rate, retry_interval: Duration, replayed: Lsn, available: Lsn) -> Startup {
        Startup {
            rate,
            retry_interval,
            began: replayed,
            replayed,
            target: replayed,
            since: SimTime::ZERO,
            busy_until: SimTime::NEVER,
            is_long: false,
            available,
            last_failure: None,
            retry_at: SimTime::NEVER,
            paused: false,
        }
    }

    /// Where it began to replay.
    pub fn began(&self) -> Lsn {
        self.began
    }

    /// End of the last record replayed (`pg_last_wal_replay_lsn()`) when the piece in hand began;
    /// if there is none, now.
    pub fn replayed(&self) -> Lsn {
        self.replayed
    }

    /// The same at `now`, before the end of the piece in hand.
    #[inline(always)]
    pub fn reached(&self, now: SimTime) -> Lsn {
        if !self.is_long {
            return self.replayed;
        }
        self.part_of(self.replayed, self.target, now.since(self.since))
    }

    /// The same at `now`, though nobody has told it yet that the pieces in hand are done.
    #[inline(always)]
    pub fn replayed_at(&self, now: SimTime) -> Lsn {
        if self.busy_until > now {
            return self.reached(now);
        }
        if self.is_last_piece() {
            return self.target;
        }
        // The next piece is all that was there when this one ended.
        let rest = self.rate.time_for(self.available.since(self.target));
        if self.busy_until + rest <= now {
            self.available
        } else if rest <= MOMENT {
            self.target
        } else {
            self.part_of(self.target, self.available, now.since(self.busy_until))
        }
    }

    /// How far replay has come in a piece so long after its beginning.
    #[inline(never)]
    fn part_of(&self, start: Lsn, end: Lsn, after: Duration) -> Lsn {
        let reached = start + self.rate.bytes_in(after);
        if reached >= end { end } else { start.max(record_end(reached)) }
    }

    /// When the piece in hand is done.
    #[inline]
    pub fn piece_done(&self) -> SimTime {
        self.busy_until
    }

    /// When it asks for a stream again.
    #[inline]
    pub fn retry_at(&self) -> SimTime {
        self.retry_at
    }

    /// Whether everything it may replay is replayed.
    pub fn has_replayed_all(&self) -> bool {
        self.replayed >= self.available
    }

    /// WAL up to `available` may be replayed.
    #[inline(always)]
    pub fn offer(&mut self, now: SimTime, available: Lsn) {
        self.available = self.available.max(available);
        self.go_on(now);
    }

    /// Begins with the next piece, unless it is busy.
    #[inline(always)]
    pub fn go_on(&mut self, now: SimTime) {
        if self.busy_until == SimTime::NEVER && self.available > self.replayed && !self.paused {
            self.begin(now, self.available);
        }
    }

    /// Begins with all there is, in two pieces if something happens at `at` on the way.
    pub fn begin_with_stop(&mut self, now: SimTime, at: Lsn) {
        match self.replayed < at && at < self.available {
            true => self.begin(now, at),
            false => self.go_on(now),
        }
    }

    #[inline(always)]
    fn begin(&mut self, now: SimTime, target: Lsn) {
        self.target = target;
        self.since = now;
        let takes = self.rate.time_for(target.since(self.replayed));
        (self.busy_until, self.is_long) = (now + takes, takes > MOMENT);
    }

    /// End of the piece in hand.
    #[inline]
    pub fn target(&self) -> Lsn {
        self.target
    }

    /// Whether nothing more is there when the piece in hand is done.
    #[inline]
    pub fn is_last_piece(&self) -> bool {
        self.available <= self.target
    }

    /// Ends the piece in hand, whose time has come, and begins the next.
    #[inline]
    pub fn end_piece(&mut self, now: SimTime) {
        (self.busy_until, self.is_long) = (SimTime::NEVER, false);
        self.replayed = self.target;
        self.go_on(now);
    }

    /// The same if nothing more is there.
    #[inline]
    pub fn end_last_piece(&mut self) {
        (self.busy_until, self.is_long) = (SimTime::NEVER, false);
        self.replayed = self.target;
    }

    /// Stops between two records: what is left of the piece in hand stays.
    pub fn halt(&mut self, now: SimTime) {
        debug_assert!(self.busy_until >= now, "{:?} was over at {:?}", self, now);
        self.replayed = self.reached(now);
        (self.busy_until, self.is_long) = (SimTime::NEVER, false);
    }

    /// It has halted and may go on.
    pub fn go_on_halted(&mut self, now: SimTime) {
        if self.busy_until == SimTime::NEVER && self.target > self.replayed && !self.paused {
            self.begin(now, self.target);
        }
        self.go_on(now);
    }

    /// Somebody pauses replay.
    pub fn pause(&mut self, now: SimTime) {
        self.halt(now);
        self.paused = true;
    }

    /// Replay goes on.
    pub fn resume(&mut self, now: SimTime) {
        self.paused = false;
        self.go_on_halted(now);
    }

    /// Whether somebody has paused replay.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// `wal_retrieve_retry_interval` has changed.
    pub fn set_retry_interval(&mut self, interval: Duration) {
        self.retry_interval = interval;
    }

    /// It does not ask for a stream again.
    pub fn stop_asking(&mut self) {
        self.retry_at = SimTime::NEVER;
    }

    /// The stream is gone and nothing is left to replay.
    pub fn source_failed(&mut self, now: SimTime) -> Retry {
        match self.last_failure {
            Some(last) if now < last + self.retry_interval => {
                self.retry_at = last + self.retry_interval;
                Retry::Later
            }
            _ => {
                self.last_failure = Some(now);
                Retry::Now
            }
        }
    }

    /// Whether it waits before it asks for a stream again.
    pub fn waits(&self) -> bool {
        self.retry_at != SimTime::NEVER
    }

    /// Whether that wait is over at `now`.
    pub fn retry_due(&mut self, now: SimTime) -> bool {
        let due = self.retry_at <= now;
        if due {
            self.retry_at = SimTime::NEVER;
            self.last_failure = Some(now);
        }
        due
    }
}

/// Assumption: a piece that takes no longer than this is told only with its end, so that a position
/// is old by at most so much. It saves the usual small piece the arithmetic.
const MOMENT: Duration = Duration::us(200);

/// The last position up to `end` at which a record can end (`MAXALIGN`).
#[inline]
fn record_end(end: Lsn) -> Lsn {
    Lsn(end.0 & !7)
}
