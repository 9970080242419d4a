//! The walreceiver: the standby's end of a stream.
//!
//! One thread that does one thing after the other. It takes every message there is and writes the
//! WAL to its file; when nothing more is readable it replies (write), fsyncs, and replies again
//! (flush). While it fsyncs it does not read. A finished segment is fsynced on the way. Replies
//! go only when write or flush has changed, or `wal_receiver_status_interval` has passed, or when
//! forced: at the start, to a ping, and when the startup process has replayed everything.
//!
//! It always starts at the beginning of a segment, so up to a whole segment is sent again, and
//! until that is passed `write_lsn` is below `flush_lsn`.
//!
//! If there is no room for a segment's file the process ends, and its connection with it. What
//! fits into the segments before is written.
//!
//! A peer that closes the connection, or ends the stream, is heard only when everything before
//! that was read: not while the process writes or fsyncs.
//!
//! **Source.** `walreceiver.c:WalReceiverMain`, `XLogWalRcvProcessMsg`, `XLogWalRcvWrite`,
//! `XLogWalRcvFlush`, `XLogWalRcvSendReply` (13 to 18); `RequestXLogStreaming`.
//!
//! **Not modelled.** The naps of 100 ms of 13 to 15: their timers fire up to 0.1 s later there. A
//! connection's start takes three round trips. Hot standby feedback. The last fsync of a
//! walreceiver that ends occupies the disk, but nobody waits for it.

mod inbox;
mod shown;
mod timers;
mod writing;

use std::collections::VecDeque;

use inbox::Inbox;
pub use shown::Shown;

use super::ConnectionId;
use super::command::SlotName;
use super::effect::Out;
use super::protocol::{Body, Update};
use super::syncrep::Positions;
use super::wal::WalFiles;
use crate::disk::Disk;
use crate::network::Parcel;
use crate::trace::fact::{Refusal, ServerId};
use crate::units::{Duration, Lsn, SimTime};

/// The walreceiver of a standby, running or not.
#[derive(Clone, Debug)]
pub struct WalReceiver {
    config: ReceiverConfig,
    connection: ConnectionId,
    phase: Phase,
    /// What lies in the socket and was not read, in order of arrival; WAL also before it arrives.
    inbox: Inbox,
    work: Work,
    /// When that is done; while it waits, when the next message of `inbox` arrives.
    busy_until: SimTime,
    /// The fsync that follows the write in hand, if nothing comes in between.
    foreseen: Foreseen,
    write: Lsn,
    flush: Lsn,
    /// Where the stream found replay, and took it for flushed.
    began_at: Lsn,
    /// What the view shows besides.
    shown: Shown,
    /// What was flushed before it began, or the start of the first stream (`flushedUpto`).
    received: Lsn,
    /// Write and flush of the last reply.
    replied: (Lsn, Lsn),
    replied_at: SimTime,
    heard: SimTime,
    /// How far the wall clock has jumped since (nanoseconds).
    jumped: i64,
    pinged: bool,
    timer: SimTime,
    /// Everything was replayed while it was busy: a reply is due when it waits again
    /// (`force_reply`).
    force_reply: bool,
    /// Checkpoint records received and not yet replayed: (not before, redo point).
    checkpoints: VecDeque<(Lsn, Lsn)>,
}

/// The settings a walreceiver follows.
#[derive(Clone, Copy, Debug)]
pub struct ReceiverConfig {
    /// The server it streams from.
    pub upstream: ServerId,
    /// `wal_receiver_timeout`.
    pub timeout: Option<Duration>,
    /// `wal_receiver_status_interval`.
    pub status_interval: Option<Duration>,
    /// `primary_slot_name`.
    pub slot: Option<SlotName>,
    /// Its first reply goes when the stream opens: from 16 on.
    pub replies_at_start: bool,
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No process.
    Off,
    /// The kernel sends its n-th connection request.
    Connecting {
        tries: u32,
    },
    Identifying,
    Starting,
    Streaming,
}

/// What the process is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Waiting,
    Writing {
        end: Lsn,
    },
    Fsyncing {
        end: Lsn,
    },
    /// The process ends: a file could not be created, or it has read how the connection ended.
    Ending(Event),
}

/// An fsync that will begin.
#[derive(Clone, Copy, Debug, Default)]
struct Foreseen {
    /// When.
    at: SimTime,
    /// Up to where it goes.
    upto: Lsn,
    /// When it will be done; `at` if there is nothing to fsync.
    done: SimTime,
    /// Until when the disk was busy when that was told.
    queue: SimTime,
    /// The write before it adds WAL, fills no segment and needs no new file.
    usual: bool,
}

/// What the startup process has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The stream is open.
    Started,
    /// WAL up to here is flushed.
    Flushed(Lsn),
    /// The attempt failed.
    Failed(Refusal),
    /// The peer closed the connection.
    PeerClosed,
    /// The upstream shuts down.
    EndOfWal,
    /// Nothing was heard for `wal_receiver_timeout`.
    TimedOut,
    /// A file could not be created.
    NoSpace,
}

/// Bound on checkpoint records waiting to be replayed.
const CHECKPOINTS_KEPT: usize = 64;

impl WalReceiver {
    /// No process yet.
    pub fn new(config: ReceiverConfig) -> WalReceiver {
        WalReceiver {
            config,
            connection: ConnectionId::default(),
            phase: Phase::Off,
            inbox: Inbox::new(),
            work: Work::Waiting,
            busy_until: SimTime::NEVER,
            foreseen: Foreseen::default(),
            write: Lsn::INVALID,
            flush: Lsn::INVALID,
            began_at: Lsn::INVALID,
            shown: Shown::default(),
            received: Lsn::INVALID,
            replied: (Lsn::INVALID, Lsn::INVALID),
            replied_at: SimTime::ZERO,
            heard: SimTime::ZERO,
            jumped: 0,
            pinged: false,
            timer: SimTime::NEVER,
            force_reply: false,
            checkpoints: VecDeque::new(),
        }
    }

    /// The server it streams from.
    pub fn upstream(&self) -> ServerId {
        self.config.upstream
    }

    /// Its current or last connection.
    pub fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// Whether there is no process.
    pub fn is_off(&self) -> bool {
        self.phase == Phase::Off
    }

    /// Whether the stream is open.
    pub fn is_streaming(&self) -> bool {
        self.phase == Phase::Streaming
    }

    /// `written_lsn` and `flushed_lsn`.
    pub fn positions(&self) -> (Lsn, Lsn) {
        (self.write, self.flush)
    }

    /// Its settings have changed.
    pub fn reload(&mut self, timeout: Option<Duration>, status_interval: Option<Duration>) {
        (self.config.timeout, self.config.status_interval) = (timeout, status_interval);
        if self.phase == Phase::Streaming {
            self.timer = self.due();
        }
    }

    /// `pg_last_wal_receive_lsn()`; `None` before the first stream was asked for.
    pub fn received(&self) -> Option<Lsn> {
        let end = match self.flush > self.began_at {
            true => self.flush.max(self.received),
            false => self.received,
        };
        Some(end).filter(|end| end.is_valid())
    }

    /// When it has something to do.
    #[inline]
    pub fn next_deadline(&self) -> SimTime {
        self.busy_until.min(self.timer)
    }

    /// When it looks at its timers.
    #[inline]
    pub fn next_timer(&self) -> SimTime {
        self.timer
    }

    /// End of the newest WAL that it was given; `None` if something else is in hand.
    #[inline]
    pub fn newest(&self) -> Option<Lsn> {
        match (self.inbox.last().map(|parcel| parcel.message.body), self.work) {
            (Some(Body::XLogData { end, .. }), _) => Some(end),
            (Some(_), _) | (None, Work::Ending(_)) => None,
            (None, Work::Writing { end } | Work::Fsyncing { end }) => Some(end),
            (None, Work::Waiting) => Some(self.write),
        }
    }

    /// The same if nobody waits for the end of a write: what follows it can be told in advance,
    /// unless there is more to read.
    #[inline]
    pub fn next_loud_deadline(&self) -> SimTime {
        match self.work {
            Work::Writing { .. } if !self.has_received(self.busy_until) => {
                self.foreseen.done.min(self.timer)
            }
            _ => self.next_deadline(),
        }
    }

    /// When the write in hand ends; [`SimTime::NEVER`] if there is none.
    #[inline]
    pub fn write_done(&self) -> SimTime {
        match self.work {
            Work::Writing { .. } => self.busy_until,
            Work::Fsyncing { .. } | Work::Waiting | Work::Ending(_) => SimTime::NEVER,
        }
    }

    /// The startup process wants a stream from `start` on: opens a connection.
    pub fn connect(&mut self, now: SimTime, connection: ConnectionId, start: Lsn, out: &mut Out) {
        self.shown = Shown { began: now, start, has_written: false, sent: now, read: now };
        if !self.received.is_valid() {
            self.received = start;
        }
        self.connection = connection;
        self.work = Work::Waiting;
        self.busy_until = SimTime::NEVER;
        self.phase = Phase::Connecting { tries: 0 };
        self.request_connection(now, out);
    }

    /// It streamed before the run began, and has everything up to `end`.
    pub fn start_streaming(&mut self, now: SimTime, connection: ConnectionId, end: Lsn) {
        self.connection = connection;
        self.shown = Shown { began: now, start: end, has_written: true, sent: now, read: now };
        self.begin_stream(now, end, end);
    }

    /// The process is told to end: first it fsyncs what it has read.
    pub fn terminate(&mut self, now: SimTime, files: &mut WalFiles, disk: &mut Disk) {
        self.flush_before_end(now, files, disk);
        self.stop(now);
    }

    /// The process ends; what it had under way is forgotten.
    pub fn stop(&mut self, now: SimTime) {
        self.phase = Phase::Off;
        self.inbox.take_arrived(now);
        self.work = Work::Waiting;
        self.busy_until = SimTime::NEVER;
        self.timer = SimTime::NEVER;
    }

    /// A message of its connection has arrived.
    #[inline]
    pub fn receive(
        &mut self,
        parcel: &Parcel,
        replayed: Lsn,
        files: &mut WalFiles,
        disk: &mut Disk,
        out: &mut Out,
    ) -> Option<Event> {
        let Parcel { arrives: now, message, .. } = *parcel;
        match (self.phase, message.body) {
            (Phase::Connecting { .. }, Body::Accepted) => {
                self.phase = Phase::Identifying;
                self.heard(now);
                self.post(Body::IdentifySystem, out);
                None
            }
            (Phase::Identifying, Body::System { .. }) => {
                self.phase = Phase::Starting;
                self.heard(now);
                let start = replayed.segment_start(files.size);
                self.post(Body::StartReplication { start, slot: self.config.slot }, out);
                None
            }
            (Phase::Starting, Body::CopyBoth) => {
                let received = self.received().unwrap_or(replayed.segment_start(files.size));
                self.begin_stream(now, replayed, received);
                self.first_reply(now, replayed, out);
                Some(Event::Started)
            }
            (Phase::Streaming, Body::XLogData { .. } | Body::Keepalive { .. }) => {
                self.keep(*parcel);
                match self.work {
                    Work::Waiting => self.read(now, replayed, files, disk, out),
                    Work::Writing { .. } | Work::Fsyncing { .. } | Work::Ending(_) => {}
                }
                None
            }
            (_, Body::Refused(why)) => {
                self.flush_before_end(now, files, disk);
                self.stop(now);
                Some(Event::Failed(why))
            }
            (Phase::Streaming, Body::CopyDone | Body::Close) if self.is_busy() => {
                self.inbox.push(*parcel);
                None
            }
            (Phase::Streaming, Body::CopyDone) | (_, Body::Close) => {
                self.terminate(now, files, disk);
                Some(ending(message.body))
            }
            (_, _) => None,
        }
    }

    /// Nothing is in hand: the next message is what comes next.
    #[inline]
    fn wait(&mut self) {
        self.busy_until = match self.phase == Phase::Streaming {
            true => self.inbox.next(),
            false => SimTime::NEVER,
        };
    }

    /// What it was busy with is done, or a timer is due.
    #[inline(always)]
    pub fn deadline(
        &mut self,
        now: SimTime,
        replayed: Lsn,
        files: &mut WalFiles,
        disk: &mut Disk,
        out: &mut Out,
    ) -> Option<Event> {
        if self.busy_until <= now {
            match self.work {
                Work::Writing { .. } => {
                    self.end_write(now, replayed, files, disk, out);
                    return None;
                }
                Work::Fsyncing { .. } => {
                    return Some(Event::Flushed(self.end_fsync(now, replayed, files, disk, out)));
                }
                Work::Ending(why) => {
                    self.terminate(now, files, disk);
                    return Some(why);
                }
                Work::Waiting if self.timer > now => {
                    self.read(now, replayed, files, disk, out);
                    return None;
                }
                // A timer goes before a message of the same moment.
                Work::Waiting => {}
            }
        }
        if self.timer <= now { self.check_timers(now, replayed, out) } else { None }
    }

    /// The write in hand is over.
    #[inline(always)]
    pub fn end_write(
        &mut self,
        now: SimTime,
        replayed: Lsn,
        files: &mut WalFiles,
        disk: &mut Disk,
        out: &mut Out,
    ) {
        let Work::Writing { end } = self.work else { return };
        (self.work, self.busy_until) = (Work::Waiting, SimTime::NEVER);
        self.write_up_to(now, end, replayed, files, disk, out);
    }

    /// The fsync in hand is over: replies, and goes on. How far WAL is durable.
    #[inline(always)]
    fn end_fsync(
        &mut self,
        now: SimTime,
        replayed: Lsn,
        files: &mut WalFiles,
        disk: &mut Disk,
        out: &mut Out,
    ) -> Lsn {
        let Work::Fsyncing { end } = self.work else { return self.flush };
        (self.work, self.busy_until) = (Work::Waiting, SimTime::NEVER);
        self.fsynced(end, files);
        self.reply(now, replayed, false, false, out);
        if self.flush >= self.write {
            self.reply_if_forced(now, replayed, out);
        }
        self.go_on(now, replayed, files, disk, out);
        self.flush
    }

    /// The startup process has replayed everything: a forced reply, once the process is not busy.
    pub fn replayed_all(&mut self, now: SimTime, replayed: Lsn, out: &mut Out) {
        self.force_reply = true;
        if self.work == Work::Waiting {
            self.reply_if_forced(now, replayed, out);
        }
    }

    /// The same while it was writing or fsyncing.
    #[inline]
    pub fn replayed_meanwhile(&mut self) {
        self.force_reply = true;
    }

    #[inline]
    fn reply_if_forced(&mut self, now: SimTime, replayed: Lsn, out: &mut Out) {
        if std::mem::take(&mut self.force_reply) && self.phase == Phase::Streaming {
            self.say(now, replayed, false, out);
        }
    }

    /// The redo point of the newest checkpoint whose record is replayed, if one was since.
    pub fn replayed_checkpoint(&mut self, replayed: Lsn) -> Option<Lsn> {
        let mut newest = None;
        while let Some(&(at, redo)) = self.checkpoints.front()
            && at <= replayed
        {
            newest = Some(redo);
            self.checkpoints.pop_front();
        }
        newest
    }

    /// Takes what there is; when there is nothing more, replies and fsyncs.
    #[inline]
    fn go_on(
        &mut self,
        now: SimTime,
        replayed: Lsn,
        files: &mut WalFiles,
        disk: &mut Disk,
        out: &mut Out,
    ) {
        match self.has_received(now) {
            true => self.take_all(now, now, replayed, files, disk, out),
            false => self.flush_and_reply(now, replayed, disk, out),
        }
    }

    /// It waits, and a message arrives.
    fn read(
        &mut self,
        now: SimTime,
        replayed: Lsn,
        files: &mut WalFiles,
        disk: &mut Disk,
        out: &mut Out,
    ) {
        self.take_all(SimTime(now.0 + 1), now, replayed, files, disk, out);
    }

    /// Whether it writes or fsyncs, and does not look at its socket.
    fn is_busy(&self) -> bool {
        match self.work {
            Work::Writing { .. } | Work::Fsyncing { .. } | Work::Ending(_) => true,
            Work::Waiting => false,
        }
    }

    /// Whether there is anything to read when it looks at `now`: what comes at that very moment
    /// comes after it has looked.
    #[inline]
    fn has_received(&self, now: SimTime) -> bool {
        self.inbox.next() < now
    }

    fn begin_stream(&mut self, now: SimTime, at: Lsn, received: Lsn) {
        (self.began_at, self.received) = (at, received);
        self.phase = Phase::Streaming;
        self.write = at;
        self.flush = at;
        self.replied = (at, at);
        self.replied_at = now;
        self.force_reply = false;
        self.checkpoints.clear();
        self.heard(now);
        self.timer = self.due();
    }

    /// `XLogWalRcvSendReply`.
    #[inline]
    fn reply(&mut self, now: SimTime, apply: Lsn, force: bool, ping: bool, out: &mut Out) {
        if self.phase != Phase::Streaming || !(force || self.reply_due(now)) {
            return;
        }
        self.say(now, apply, ping, out);
    }

    /// Tells how far it is. `now`: when that is looked at.
    #[inline(always)]
    fn say(&mut self, now: SimTime, apply: Lsn, ping: bool, out: &mut Out) {
        (self.replied, self.replied_at) = ((self.write, self.flush), now);
        out.asks |= ping;
        out.updates.push(self.update(now, apply, ping));
    }

    #[inline(always)]
    fn update(&self, now: SimTime, apply: Lsn, ping: bool) -> Update {
        Update {
            at: now,
            arrives: SimTime::NEVER,
            positions: Positions { write: self.write, flush: self.flush, apply },
            connection: self.connection,
            reply_requested: ping,
            loud: true,
        }
    }

    #[inline]
    fn post(&self, body: Body, out: &mut Out) {
        out.send(self.config.upstream, self.connection, body);
    }
}

/// What the end of a stream means: CopyDone comes from an upstream that shuts down.
fn ending(body: Body) -> Event {
    match body {
        Body::CopyDone => Event::EndOfWal,
        _ => Event::PeerClosed,
    }
}
