//! The startup process of a standby: replay, and where the next WAL comes from.
//!
//! It replays what is durable here, one record after the other, at a rate. When it has run out it
//! needs a stream: the first time at once; after a stream or an attempt has failed at once as
//! well, unless the failure before was less than `wal_retrieve_retry_interval` ago: then it waits
//! for the rest of that time.
//!
//! **Source.** `xlogrecovery.c:WaitForWALToBecomeAvailable` (13 and 14: `xlog.c`).
//!
//! **Not modelled.** Archives, replay delay, hot standby conflicts. Everything flushed
//! when replay looks is replayed as one piece: a `remote_apply` commit in its middle is reported
//! with its end, later by at most the replay time of that piece.

use crate::units::{Bytes, Duration, Lsn, Rate, SimTime};

/// The startup process of a running standby.
#[derive(Clone, Debug)]
pub struct Startup {
    rate: Rate,
    retry_interval: Duration,
    /// Where it began to replay.
    began: Lsn,
    replayed: Lsn,
    /// End of the piece being replayed.
    target: Lsn,
    busy_until: SimTime,
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
            busy_until: SimTime::NEVER,
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

    /// End of the last record replayed (`pg_last_wal_replay_lsn()`).
    pub fn replayed(&self) -> Lsn {
        self.replayed
    }

    /// The same at `now`, though nobody has told it yet that the pieces in hand are done.
    #[inline]
    pub fn replayed_at(&self, now: SimTime) -> Lsn {
        if self.busy_until > now {
            return self.replayed;
        }
        // The next piece is all that was there when this one ended.
        let rest = self.rate.time_for(self.available.since(self.target));
        if self.busy_until + rest <= now { self.available.max(self.target) } else { self.target }
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
            self.target = self.available;
            self.busy_until = now + self.rate.time_for(self.available.since(self.replayed));
        }
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
        self.busy_until = SimTime::NEVER;
        self.replayed = self.target;
        self.go_on(now);
    }

    /// The same if nothing more is there.
    #[inline]
    pub fn end_last_piece(&mut self) {
        self.busy_until = SimTime::NEVER;
        self.replayed = self.target;
    }

    /// Somebody pauses replay: what is left of the piece in hand stays.
    pub fn pause(&mut self, now: SimTime) {
        self.paused = true;
        if self.busy_until == SimTime::NEVER {
            return;
        }
        // Replay stops between two records; their bounds are not known, so anywhere will do.
        let mut left = self.target.since(self.replayed).0;
        let (mut low, wanted) = (0, self.busy_until.since(now));
        while low < left {
            let half = low + (left - low) / 2;
            let enough = self.rate.time_for(Bytes(half)) >= wanted;
            (low, left) = if enough { (low, half) } else { (half + 1, left) };
        }
        self.replayed = self.replayed.max(Lsn((self.target.0 - left) & !7));
        self.busy_until = SimTime::NEVER;
    }

    /// Replay goes on.
    pub fn resume(&mut self, now: SimTime) {
        self.paused = false;
        self.go_on(now);
    }

    /// Whether somebody has paused replay.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// `wal_retrieve_retry_interval` has changed.
    pub fn set_retry_interval(&mut self, interval: Duration) {
        self.retry_interval = interval;
    }

    /// It did not run for a while: a piece that would have ended meanwhile ends now.
    pub fn thaw(&mut self, now: SimTime) {
        self.busy_until = self.busy_until.max(now);
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
