//! The timers of a walreceiver: silence, status updates, and connection requests.
//!
//! **Source.** `walreceiver.c:WalReceiverMain`, `WalRcvComputeNextWakeup`.

use super::{Phase, WalReceiver, Work};
use crate::postgres::PgVersion;
use crate::postgres::effect::Out;
use crate::postgres::protocol::Body;
use crate::postgres::walreceiver::Event;
use crate::trace::fact::Refusal;
use crate::units::{Duration, Lsn, SimTime};

/// Linux gives up a connection attempt after this many requests, sent 1 s, 2 s, 4 s, ... apart
/// (`tcp_syn_retries` = 6: 127 s in all).
const CONNECTION_REQUESTS: u32 = 7;

/// `NAPTIME_PER_CYCLE`, up to 15.
const NAP: Duration = Duration::ms(100);

impl WalReceiver {
    /// Timers count only while the process waits for its socket; they are looked at again when
    /// it does.
    #[cold]
    pub(super) fn check_timers(
        &mut self,
        now: SimTime,
        replayed: Lsn,
        out: &mut Out,
    ) -> Option<Event> {
        if let Phase::Connecting { tries } = self.phase {
            if tries >= CONNECTION_REQUESTS {
                self.stop(now);
                return Some(Event::Failed(Refusal::ConnectTimeout));
            }
            self.request_connection(now, out);
            return None;
        }
        if self.work != Work::Waiting {
            self.timer = self.due().max(self.busy_until);
            return None;
        }
        if let Some(timeout) = self.config.timeout {
            if self.timed_out(now, timeout) {
                self.stop(now);
                return Some(Event::TimedOut);
            }
            if self.timed_out(now, timeout.half()) && !self.pinged {
                self.pinged = true;
                self.reply(now, replayed, true, true, out);
            }
        }
        self.reply(now, replayed, false, false, out);
        self.timer = self.due().max(SimTime(now.0 + 1));
        None
    }

    pub(super) fn due(&self) -> SimTime {
        let silence = match self.config.timeout {
            None => SimTime::NEVER,
            Some(timeout) if self.pinged => self.heard + timeout,
            Some(timeout) => self.heard + timeout.half(),
        };
        let status = match (self.phase, self.config.status_interval) {
            (Phase::Streaming, Some(interval)) => self.replied_at + interval,
            (_, _) => SimTime::NEVER,
        };
        silence.shifted(self.jumped.saturating_neg()).min(status)
    }

    /// The wall clock jumps: what was heard is so much longer ago. It finds out when its sleep is
    /// over, which goes by another clock: up to 15 that is 100 ms at most.
    pub fn jump_clock(&mut self, now: SimTime, by: i64, version: PgVersion) {
        if self.phase != Phase::Streaming {
            return;
        }
        self.jumped = self.jumped.saturating_add(by);
        if version.major() < 16 {
            self.timer = self.timer.min(now + NAP);
        }
    }

    /// The stream is open: from 16 on it replies at once, before with the first WAL, or when it has
    /// slept without any.
    pub(super) fn first_reply(&mut self, now: SimTime, replayed: Lsn, out: &mut Out) {
        if self.config.replies_at_start {
            return self.reply(now, replayed, true, false, out);
        }
        self.replied = (Lsn::INVALID, Lsn::INVALID);
        self.timer = self.timer.min(now + NAP);
    }

    /// Whether nothing was heard for so long, by the wall clock.
    fn timed_out(&self, now: SimTime, timeout: Duration) -> bool {
        now >= (self.heard + timeout).shifted(self.jumped.saturating_neg())
    }

    pub(super) fn request_connection(&mut self, now: SimTime, out: &mut Out) {
        if let Phase::Connecting { tries } = self.phase {
            self.phase = Phase::Connecting { tries: tries + 1 };
            self.timer = now + Duration::s(1 << tries);
            self.post(Body::Connect, out);
        }
    }

    #[inline]
    pub(super) fn heard(&mut self, at: SimTime) {
        self.heard = self.heard.max(at);
        self.jumped = 0;
        self.pinged = false;
        if self.phase != Phase::Streaming {
            self.timer = self.due();
        }
    }

    pub(super) fn reply_due(&self, now: SimTime) -> bool {
        let Some(interval) = self.config.status_interval else { return false };
        self.replied != (self.write, self.flush) || now >= self.replied_at + interval
    }
}
