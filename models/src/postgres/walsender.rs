//! The walsender: the upstream's end of a stream.
//!
//! It sends only what is flushed here, one message of at most 128 kB at a time, and only while
//! the socket takes it. `sent_lsn` is what the socket took, not what arrived. From catchup it goes
//! to streaming once everything flushed is handed over, and never back. If nothing was heard for
//! half of `wal_sender_timeout` it asks for a reply; after all of it, it ends.
//!
//! **Source.** `walsender.c:WalSndLoop`, `XLogSendPhysical`, `WalSndCheckTimeOut`,
//! `WalSndKeepaliveIfNecessary` (13 to 18).
//!
//! **Not modelled.** A long backlog goes in transfers of up to eight full chunks, as many as pass
//! the link in 10 ms: the first of them arrives as late as the last. WAL is read without cost.

use super::effect::{Effect, Out};
use super::lag::{LagColumns, LagTracker, WhenFull, WhenIdle};
use super::protocol::{
    Body, MAX_SEND_SIZE, MESSAGES_AT_ONCE, Update, XLOG_DATA_HEADER, transfer_size,
};
use super::syncrep::{Announcer, Positions};
use super::wal::Wal;
use super::{ConnectionId, PgVersion};
use crate::trace::fact::{ServerId, What};
use crate::units::{Bytes, Duration, Lsn, SimTime};

/// The walsender of one standby.
#[derive(Clone, Debug)]
pub struct WalSender {
    standby: ServerId,
    connection: ConnectionId,
    phase: Phase,
    sent: Lsn,
    /// Bytes that the socket takes without blocking.
    room: u64,
    /// What it took when it last said so: no transfer is larger.
    granted: u64,
    /// The socket is full; it says when it has room again.
    blocked: bool,
    timeout: Option<Duration>,
    /// When it began.
    started: SimTime,
    /// When the last reply was sent.
    replied: Option<SimTime>,
    heard: SimTime,
    /// How far the wall clock has jumped since (nanoseconds).
    jumped: i64,
    pinged: bool,
    /// When to look at the timeout again; never later than it is due.
    timer: SimTime,
    sampled: Lsn,
    lag: LagTracker,
    columns: LagColumns,
    /// The candidates for synchronous standbys may have changed since its last reply.
    pub recheck_candidates: bool,
    /// Notes whether it has announced its standby as synchronous.
    pub announcer: Announcer,
    /// It was told to end and cannot yet: its socket is full.
    terminating: bool,
}

/// `pg_stat_replication.state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Connected, not asked to stream yet.
    Startup,
    /// Streaming, but there was more to send ever since.
    Catchup,
    /// Everything flushed had been sent once.
    Streaming,
}

impl WalSender {
    /// A walsender for a connection that `standby` has just opened.
    pub fn new(
        now: SimTime,
        standby: ServerId,
        connection: ConnectionId,
        timeout: Option<Duration>,
        version: PgVersion,
    ) -> WalSender {
        let mut sender = WalSender {
            standby,
            connection,
            phase: Phase::Startup,
            sent: Lsn::INVALID,
            room: 0,
            granted: 0,
            blocked: false,
            timeout,
            started: now,
            replied: None,
            heard: now,
            jumped: 0,
            pinged: false,
            timer: SimTime::NEVER,
            sampled: Lsn::INVALID,
            lag: LagTracker::new(WhenFull::of(version)),
            columns: LagColumns::new(WhenIdle::of(version)),
            recheck_candidates: true,
            announcer: Announcer::default(),
            terminating: false,
        };
        sender.heard(now);
        sender.timer = sender.due();
        sender
    }

    /// The standby it serves.
    pub fn standby(&self) -> ServerId {
        self.standby
    }

    /// Its connection.
    pub fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// Its state.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// End of what the socket took (`sent_lsn`).
    pub fn sent(&self) -> Lsn {
        self.sent
    }

    /// When it began (`backend_start`).
    pub fn started(&self) -> SimTime {
        self.started
    }

    /// When its standby sent the last reply that it has read; `None` before the first.
    pub fn replied(&self) -> Option<SimTime> {
        self.replied
    }

    /// `write_lag`, `flush_lag` and `replay_lag` as the view shows them.
    pub fn columns(&self) -> LagColumns {
        self.columns.seen(&self.lag)
    }

    /// `START_REPLICATION`: streams from `start` on.
    pub fn start(&mut self, start: Lsn) {
        self.phase = Phase::Catchup;
        self.sent = start;
        self.sampled = Lsn::INVALID;
    }

    /// Its standby streamed before the run began: everything up to `flushed` is long sent.
    pub fn start_streaming(&mut self, flushed: Lsn) {
        self.phase = Phase::Streaming;
        self.sent = flushed;
        self.sampled = flushed;
        self.replied = Some(self.started);
    }

    /// Sends what is flushed and not yet sent, as far as the socket takes it. Whether it streams
    /// from now on.
    #[inline(always)]
    pub fn send(&mut self, now: SimTime, flushed: Lsn, wal: &Wal, out: &mut Out) -> bool {
        if self.phase == Phase::Startup {
            return false;
        }
        while !self.blocked {
            if self.sampled != flushed {
                self.sampled = flushed;
                self.lag.sample(flushed, now);
            }
            if self.sent >= flushed {
                if self.phase == Phase::Catchup {
                    self.phase = Phase::Streaming;
                    out.fact(What::SenderStreaming { standby: self.standby });
                    return true;
                }
                return false;
            }
            let (mut end, mut chunks) = next_transfer(self.sent, flushed, MESSAGES_AT_ONCE);
            let wanted = transfer_size(self.sent, end, chunks);
            let mut size = wanted;
            if wanted > self.granted {
                let fit = self.granted / (MAX_SEND_SIZE + XLOG_DATA_HEADER);
                (end, chunks) = next_transfer(self.sent, flushed, fit.max(1));
                size = transfer_size(self.sent, end, chunks);
            }
            if self.room < size {
                self.blocked = true;
                out.effect(Effect::NeedRoom { to: self.standby, bytes: Bytes(wanted) });
                return false;
            }
            self.room -= size;
            let redo = wal.checkpoint_between(self.sent, end);
            let body = Body::XLogData { start: self.sent, end, chunks, redo };
            self.sent = end;
            out.send_wal(self.standby, self.connection, body);
            if end == flushed && self.phase == Phase::Streaming {
                break;
            }
        }
        false
    }

    /// The socket has room for `bytes`.
    pub fn room(&mut self, bytes: Bytes) {
        self.room = bytes.0;
        self.granted = bytes.0;
        self.blocked = false;
    }

    /// Somebody wants it to end (SIGTERM): true if it can at once. If its socket is full it is
    /// stuck until its last words fit, and minds nothing else.
    pub fn terminate(&mut self) -> bool {
        self.terminating = true;
        self.timer = SimTime::NEVER;
        !self.blocked
    }

    /// Whether it was told to end and could not yet.
    pub fn is_terminating(&self) -> bool {
        self.terminating
    }

    /// Its standby has opened another connection: whatever it still sends counts against no
    /// window, since nobody takes it.
    pub fn desert(&mut self) {
        self.room = u64::MAX;
        self.blocked = false;
    }

    /// A status update has come that was `sent` then: notes the moment, works out the lag
    /// columns, answers a ping.
    #[inline]
    pub fn status(
        &mut self,
        now: SimTime,
        sent: SimTime,
        positions: Positions,
        reply_requested: bool,
        out: &mut Out,
    ) {
        self.replied = Some(sent);
        self.heard(now);
        self.columns.track(&mut self.lag, positions, self.sent, now);
        if reply_requested {
            self.post(Body::Keepalive { reply_requested: false }, out);
        }
    }

    /// The same for some that want no answer, which arrived a while ago.
    #[inline]
    pub fn note_statuses(&mut self, arrived: &[Update]) {
        let Some(last) = arrived.last() else { return };
        self.heard(last.arrives);
        self.replied = Some(last.at);
        let replies = arrived.iter().map(|update| (update.positions, update.arrives));
        self.columns.track_all(&mut self.lag, replies, last.positions, self.sent);
    }

    /// Up to where it can send, in `most` messages or in full ones, before replies or what its
    /// standby has read must be known: it may have to ask for room, or its samples be overrun.
    #[inline]
    pub fn sends_freely_to(&self, most: usize) -> Lsn {
        if self.lag.may_overflow(most) {
            return self.sent;
        }
        // A full message has a header as well.
        let headers = (most as u64 + self.room / MAX_SEND_SIZE) * XLOG_DATA_HEADER;
        self.sent + Bytes(self.room.saturating_sub(headers))
    }

    /// Whether its socket is full.
    pub fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// `wal_sender_timeout` has changed.
    pub fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.timeout = timeout;
        if !self.terminating {
            self.timer = self.due();
        }
    }

    /// When the timeout is to be looked at.
    pub fn next_deadline(&self) -> SimTime {
        self.timer
    }

    /// Looks at the timeout; true if it has struck and the walsender is to end.
    pub fn check_timeout(&mut self, now: SimTime, out: &mut Out) -> bool {
        if now >= self.due() {
            let timed_out = |t| now >= (self.heard + t).shifted(self.jumped.saturating_neg());
            if self.pinged || self.timeout.is_some_and(timed_out) {
                return true;
            }
            self.pinged = true;
            self.post(Body::Keepalive { reply_requested: true }, out);
        }
        self.timer = self.due();
        false
    }

    /// The wall clock jumps: what was heard is so much longer ago. It finds out when it wakes up
    /// next: its sleep goes by another clock.
    pub fn jump_clock(&mut self, by: i64) {
        self.jumped = self.jumped.saturating_add(by);
    }

    /// Wakes up now, if the clock has jumped since it heard of its standby.
    pub fn wake_after_jump(&mut self, now: SimTime) {
        if self.jumped != 0 && !self.terminating {
            self.timer = self.timer.min(now);
        }
    }

    fn heard(&mut self, now: SimTime) {
        self.heard = now;
        self.jumped = 0;
        self.pinged = false;
    }

    fn due(&self) -> SimTime {
        let due = match self.timeout {
            None => SimTime::NEVER,
            Some(timeout) if self.pinged => self.heard + timeout,
            Some(timeout) => self.heard + timeout.half(),
        };
        due.shifted(self.jumped.saturating_neg())
    }

    fn post(&self, body: Body, out: &mut Out) {
        out.send(self.standby, self.connection, body);
    }
}

/// End of the next transfer of at most so many messages, and how many it stands for
/// (`XLogSendPhysical`).
fn next_transfer(sent: Lsn, flushed: Lsn, most: u64) -> (Lsn, u32) {
    let left = flushed.since(sent).0;
    if left <= MAX_SEND_SIZE {
        return (flushed, 1);
    }
    let chunks = (left / MAX_SEND_SIZE).min(most);
    (Lsn(sent.0 + chunks * MAX_SEND_SIZE).page_start(), chunks as u32)
}
