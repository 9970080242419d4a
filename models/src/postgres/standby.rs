//! A running standby: its walreceiver and its startup process, and how they wake each other.
//!
//! The walreceiver makes WAL durable; the startup process replays it and, when it has replayed
//! everything, has the walreceiver say so. When the stream is gone, the startup process first
//! replays what is left, and then asks for a new one.
//!
//! If nobody waits for a standby's writes and replay ([`Standby::be_quiet`]), their ends are no
//! moments of their own: they are taken note of when the standby next has something to do, or when
//! somebody looks, as of the moment at which they came.
//!
//! **Source.** `xlogrecovery.c`, `walreceiver.c`, `walreceiverfuncs.c`.
//!
//! **Not modelled.** Cascading: it serves no standbys of its own.

mod promotion;
mod restartpoint;

use promotion::Promotion;

use super::checkpointer::Checkpointer;
use super::effect::Out;
use super::guc::Settings;
use super::host::Host;
use super::protocol::{Body, Message};
use super::startup::{Retry, Startup};
use super::walreceiver::{Event, ReceiverConfig, WalReceiver};
use super::{ConnectionId, PgVersion};
use crate::disk::Moved;
use crate::network::Parcel;
use crate::trace::fact::{ConnectionEnd, Refusal, ServerId, What};
use crate::units::{Bytes, Duration, Lsn, PAGE, Rate, SegmentSize, SimTime, UsableBytes};

/// The processes of a standby.
#[derive(Clone, Debug)]
pub struct Standby {
    /// The walreceiver, running or not.
    pub receiver: WalReceiver,
    /// The startup process.
    pub startup: Startup,
    /// From here on it is consistent and accepts read-only connections (`minRecoveryPoint`).
    consistent_at: Lsn,
    ready: bool,
    /// A stream or an attempt has failed, and startup has not noticed: it still replays.
    failed: bool,
    /// Restartpoints made.
    pub restartpoints: u64,
    checkpointer: Checkpointer,
    /// Redo point of the newest checkpoint record replayed.
    checkpoint: Lsn,
    /// The segment that replay is in.
    segment: u64,
    /// What it needs next is gone from its upstream, or its slot is (18).
    pub lost: bool,
    /// Where it last found no record in pg_wal (`lastComplaint`).
    last_complaint: Lsn,
    /// Nobody waits for the end of a write or of a piece of replay.
    quiet: bool,
    /// `hot_standby`.
    hot_standby: bool,
    /// `idle_replication_slot_timeout`.
    idle_slot_timeout: Option<Duration>,
    /// When it started.
    started: SimTime,
    /// How far it is with becoming a primary.
    promotion: Option<Promotion>,
}

impl Standby {
    /// A standby that starts to replay at the redo point of its last restartpoint.
    pub fn new(
        now: SimTime,
        upstream: ServerId,
        settings: &Settings,
        replay: Rate,
        consistent_at: Lsn,
        host: &Host,
    ) -> Standby {
        let config = ReceiverConfig {
            upstream,
            timeout: settings.wal_receiver_timeout,
            status_interval: settings.wal_receiver_status_interval,
            slot: host.primary_slot_name,
            replies_at_start: settings.version().major() >= 16,
        };
        let retry = settings.wal_retrieve_retry_interval;
        let (redo, end) = (host.files.redo, host.files.written.max(host.files.flushed));
        let mut startup = Startup::new(replay, retry, redo.min(end), end);
        startup.begin_with_stop(now, consistent_at);
        let receiver = WalReceiver::new(config);
        Standby {
            receiver,
            startup,
            consistent_at,
            ready: false,
            failed: false,
            restartpoints: 0,
            checkpointer: Checkpointer::for_restartpoints(now, settings.into(), redo),
            checkpoint: redo,
            segment: redo.segment(host.files.size),
            lost: false,
            last_complaint: Lsn::INVALID,
            quiet: false,
            hot_standby: settings.hot_standby,
            idle_slot_timeout: settings.idle_replication_slot_timeout,
            started: now,
            promotion: None,
        }
    }

    /// Whether nobody waits for this standby's writes and replay, nor for the replies at their
    /// ends.
    pub fn be_quiet(&mut self, quiet: bool) {
        self.quiet = quiet;
    }

    /// It streamed before the run began, and has everything up to `end`.
    pub fn streams_already(&mut self, now: SimTime, connection: ConnectionId, end: Lsn) {
        self.receiver.start_streaming(now, connection, end);
        self.ready = true;
    }

    /// The settings are now these.
    pub fn reload(&mut self, settings: &Settings) {
        let (timeout, interval) =
            (settings.wal_receiver_timeout, settings.wal_receiver_status_interval);
        self.receiver.reload(timeout, interval);
        self.checkpointer.reload(settings.into());
        self.startup.set_retry_interval(settings.wal_retrieve_retry_interval);
        self.idle_slot_timeout = settings.idle_replication_slot_timeout;
    }

    /// `pg_wal_replay_pause()` and `pg_wal_replay_resume()`: what is received is made durable and
    /// confirmed all the same.
    pub fn pause_replay(&mut self, now: SimTime, pause: bool, host: &mut Host, out: &mut Out) {
        self.catch_up(now, host, out);
        if pause == self.startup.is_paused() {
            return;
        }
        if pause {
            self.startup.pause(now);
            out.fact(What::ReplayPaused { at: self.startup.replayed() });
        } else {
            out.fact(What::ReplayResumed);
            self.startup.resume(now);
            if self.failed && self.startup.has_replayed_all() {
                self.want_stream(now, host, out);
            }
        }
    }

    /// Its processes stop running.
    pub fn freeze(&mut self, now: SimTime, host: &mut Host, out: &mut Out) {
        self.catch_up(now, host, out);
        self.startup.halt(now);
    }

    /// The wall clock jumps.
    pub fn jump_clock(&mut self, now: SimTime, by: i64, version: PgVersion) {
        self.receiver.jump_clock(now, by, version);
        self.checkpointer.jump_clock(by);
    }

    /// The volume of pg_wal has changed its pace; how that moves an fsync in hand.
    pub fn disk_changed(&mut self, moved: Option<Moved>, host: &Host) {
        self.receiver.disk_changed(moved, &host.files, &host.disk);
    }

    /// Whether it is consistent, and accepts read-only connections unless `hot_standby` is off.
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// When it has something to do by itself.
    #[inline]
    pub fn next_deadline(&self) -> SimTime {
        let next = match self.is_quiet() {
            true => self.receiver.next_loud_deadline(),
            false => self.receiver.next_deadline().min(self.startup.piece_done()),
        };
        next.min(self.next_other())
    }

    /// When it has something to do beside the stream and replay.
    #[inline]
    fn next_other(&self) -> SimTime {
        self.startup.retry_at().min(self.checkpointer.next_deadline())
    }

    /// Whether all WAL that it has been given lies in the segment that replay is in, and nothing
    /// else has come.
    #[inline]
    pub fn stays_in_segment(&self, size: SegmentSize) -> bool {
        let within = |end: Lsn| end.segment(size) <= self.segment;
        self.is_quiet() && self.receiver.newest().is_some_and(within)
    }

    /// When it has something to do though no WAL comes.
    #[inline]
    pub fn next_timer(&self) -> SimTime {
        self.next_other().min(self.receiver.next_timer())
    }

    #[inline]
    fn is_quiet(&self) -> bool {
        self.quiet && self.ready && self.receiver.is_streaming()
    }

    /// What it has replayed by `now`.
    #[inline]
    pub fn replayed_at(&self, now: SimTime) -> Lsn {
        self.startup.replayed_at(now)
    }

    /// Takes note of pieces of replay, and of writes that nobody waits for, that have ended.
    pub fn catch_up(&mut self, now: SimTime, host: &mut Host, out: &mut Out) {
        loop {
            let piece = self.startup.piece_done();
            let write = if self.is_quiet() { self.receiver.write_done() } else { SimTime::NEVER };
            if piece.min(write) > now {
                return;
            }
            if piece <= write {
                out.at = piece;
                self.startup.end_piece(piece);
                self.replayed(piece, host, out);
            } else {
                out.at = write;
                let (files, disk) = (&mut host.files, &mut host.disk);
                self.receiver.end_write(write, self.startup.reached(write), files, disk, out);
            }
            out.at = now;
        }
    }

    /// A message has arrived.
    pub fn message(
        &mut self,
        now: SimTime,
        from: ServerId,
        message: &Message,
        host: &mut Host,
        out: &mut Out,
    ) {
        self.catch_up(now, host, out);
        let known = !self.receiver.is_off() && message.connection == self.receiver.connection();
        if !known {
            match message.body {
                Body::Connect => {
                    out.send(from, message.connection, Body::Refused(Refusal::StartingUp));
                }
                Body::Close | Body::Terminate | Body::Refused(_) => {}
                // The kernel knows no such connection.
                _ => out.send(from, message.connection, Body::Close),
            }
            return;
        }
        let (replayed, files, disk) = (self.startup.reached(now), &mut host.files, &mut host.disk);
        let streaming = self.receiver.is_streaming();
        let parcel = Parcel { sent: host.sent, arrives: now, message: *message };
        if let Some(event) = self.receiver.receive(&parcel, replayed, files, disk, out) {
            self.react(now, event, streaming, host, out);
        }
    }

    /// Does everything that is due; when it has something to do next.
    #[inline(always)]
    pub fn deadline(&mut self, now: SimTime, host: &mut Host, out: &mut Out) -> SimTime {
        if self.is_quiet() && self.usual_round(now, host, out) {
            return self.receiver.next_loud_deadline().min(self.next_other());
        }
        self.catch_up(now, host, out);
        if self.receiver.next_deadline() <= now {
            self.receiver_due(now, host, out);
        }
        if self.startup.retry_due(now) {
            self.connect(now, host, out);
        }
        if self.checkpointer.next_deadline() <= now {
            self.restartpoint_due(now, host, out);
        }
        self.next_deadline()
    }

    /// The usual case while nobody waits for its writes, all at once: what it had in hand is
    /// written and fsynced as foreseen, and replay has come to the end of what was there before.
    /// False, with nothing done, if it is not so.
    #[inline(always)]
    fn usual_round(&mut self, now: SimTime, host: &mut Host, out: &mut Out) -> bool {
        let (piece, before) = (self.startup.piece_done(), self.startup.replayed());
        let replays = piece != SimTime::NEVER;
        let replayed = if replays { self.startup.target() } else { before };
        let usual = (!replays || (piece <= now && self.startup.is_last_piece()))
            && replayed.segment(host.files.size) <= self.segment
            && self.startup.retry_at() > now
            && self.checkpointer.next_deadline() > now
            && self.receiver.has_usual_round(now, &host.disk);
        if !usual {
            return false;
        }
        let write = self.receiver.write_done();
        let at_write = if piece <= write { replayed } else { self.startup.reached(write) };
        if replays {
            self.startup.end_last_piece();
            self.receiver.replayed_meanwhile();
        }
        let (files, disk) = (&mut host.files, &mut host.disk);
        let flushed = self.receiver.end_usual_round(now, [at_write, replayed], files, disk, out);
        self.startup.offer(now, flushed);
        true
    }

    #[inline]
    fn receiver_due(&mut self, now: SimTime, host: &mut Host, out: &mut Out) {
        let replayed = self.startup.reached(now);
        let streaming = self.receiver.is_streaming();
        let (files, disk) = (&mut host.files, &mut host.disk);
        if let Some(event) = self.receiver.deadline(now, replayed, files, disk, out) {
            self.react(now, event, streaming, host, out);
        }
    }

    /// The server shuts down in order: a restartpoint, if there is something to make it of.
    pub fn shut_down(&mut self, now: SimTime, host: &mut Host, out: &mut Out) {
        self.catch_up(now, host, out);
        if !self.receiver.is_off() {
            let upstream = self.receiver.upstream();
            self.receiver.terminate(now, &mut host.files, &mut host.disk);
            out.send(upstream, self.receiver.connection(), Body::Terminate);
            out.fact(What::ReceiverEnded { upstream, why: ConnectionEnd::Shutdown });
        }
        out.fact(What::ShuttingDown);
        self.startup.halt(now);
        self.shutdown_restartpoint(now, host, out);
    }

    /// It has just started: if nothing is to be replayed it is ready and wants a stream.
    pub fn begin(&mut self, now: SimTime, host: &mut Host, out: &mut Out) {
        out.fact(What::StandbyMode { redo: self.startup.replayed() });
        if self.startup.has_replayed_all() {
            self.replayed(now, host, out);
        }
    }

    #[inline]
    fn replayed(&mut self, now: SimTime, host: &mut Host, out: &mut Out) {
        let replayed = self.startup.replayed();
        if !self.ready && replayed >= self.consistent_at {
            self.ready = true;
            out.fact(match self.hot_standby {
                true => What::ReadyReadOnly { at: replayed },
                false => What::Consistent { at: replayed },
            });
        }
        self.note_checkpoint(now);
        if !self.receiver.is_streaming() {
            self.look_at_segments(now, host, out);
        }
        if !self.startup.has_replayed_all() {
            return;
        }
        if self.receiver.is_off() {
            self.want_stream(now, host, out);
        } else {
            self.receiver.replayed_all(now, replayed, out);
        }
    }

    /// Everything is replayed and there is no walreceiver: startup has looked for more in pg_wal.
    fn want_stream(&mut self, now: SimTime, host: &mut Host, out: &mut Out) {
        if matches!(self.promotion, Some(Promotion::Ending | Promotion::Forking { .. })) {
            return;
        }
        self.complain(host, out);
        if std::mem::take(&mut self.failed) && self.startup.source_failed(now) == Retry::Later {
            let received = self.receiver.received();
            let at = asked_for(self.startup.replayed(), received, host.files.size);
            out.fact(What::WaitingForWal { at });
        }
        if !self.startup.waits() {
            self.connect(now, host, out);
        }
    }

    /// Asks for a stream from the segment on that it needs next (`RequestXLogStreaming`).
    fn connect(&mut self, now: SimTime, host: &mut Host, out: &mut Out) {
        let start = self.startup.replayed().segment_start(host.files.size);
        self.receiver.connect(now, host.next_connection(), start, out);
    }

    /// pg_wal holds no further record: said once for each position (`emode_for_corrupt_record`).
    fn complain(&mut self, host: &Host, out: &mut Out) {
        let size = host.files.size;
        let at = UsableBytes::from_lsn(self.startup.replayed(), size).start_lsn(size);
        // Without a file there is nothing to complain about.
        if at != self.last_complaint && at.segment(size) <= host.files.newest {
            self.last_complaint = at;
            out.fact(What::EndOfWal { at });
        }
    }

    #[inline]
    fn react(
        &mut self,
        now: SimTime,
        event: Event,
        streaming: bool,
        host: &mut Host,
        out: &mut Out,
    ) {
        match event {
            Event::Flushed(upto) => {
                self.startup.offer(now, upto);
                if self.startup.reached(now).segment(host.files.size) > self.segment {
                    self.look_at_segments(now, host, out);
                }
            }
            event => self.stream_changed(now, event, streaming, host, out),
        }
    }

    #[cold]
    fn stream_changed(
        &mut self,
        now: SimTime,
        event: Event,
        streaming: bool,
        host: &mut Host,
        out: &mut Out,
    ) {
        let upstream = self.receiver.upstream();
        match event {
            Event::Flushed(_) => return,
            Event::Started => {
                let start = self.startup.replayed().segment_start(host.files.size);
                let timeline = host.timeline;
                self.lost = false;
                out.fact(What::StreamingStarted { upstream, start, timeline });
                return;
            }
            Event::Failed(why) => {
                // Neither comes back by asking again.
                self.lost =
                    matches!(why, Refusal::SegmentRemoved { .. } | Refusal::SlotInvalid { .. });
                if !matches!(why, Refusal::ConnectTimeout | Refusal::ConnectionRefused) {
                    out.send(upstream, self.receiver.connection(), Body::Terminate);
                }
                let start = self.startup.replayed().segment_start(host.files.size);
                out.fact(What::ConnectFailed { upstream, why, start });
            }
            Event::PeerClosed => {
                let why = ConnectionEnd::PeerClosed;
                if streaming {
                    out.fact(What::ReceiverEnded { upstream, why });
                }
            }
            Event::EndOfWal => {
                let at = host.files.written;
                out.fact(What::StreamTerminated { upstream, timeline: host.timeline, at });
                out.fact(What::ReceiverEnded { upstream, why: ConnectionEnd::Terminated });
            }
            Event::NoSpace => {
                out.send(upstream, self.receiver.connection(), Body::Terminate);
                out.fact(What::ReceiverEnded { upstream, why: ConnectionEnd::NoSpace });
            }
            Event::TimedOut => {
                out.send(upstream, self.receiver.connection(), Body::Terminate);
                out.fact(What::ReceiverEnded { upstream, why: ConnectionEnd::Timeout });
            }
        }
        self.source_failed(now, host, out);
    }

    /// The source is gone: startup notices when it has replayed what is left.
    fn source_failed(&mut self, now: SimTime, host: &mut Host, out: &mut Out) {
        self.failed = true;
        // The walreceiver's last act is to fsync what it wrote (`WalRcvDie`).
        self.startup.offer(now, host.files.written);
        if self.startup.has_replayed_all() && !self.startup.is_paused() {
            self.want_stream(now, host, out);
        }
    }
}

/// The end of what startup asks for when it needs the record after `replayed`: that record's
/// header, as far as its page goes; of a page that begins there, the page's header. But it looks at
/// a segment anew, at its first page before any other (`xlogreader.c:ReadPageInternal`): if no
/// walreceiver of this startup process has flushed that, it is what it asks for.
fn asked_for(replayed: Lsn, received: Option<Lsn>, size: SegmentSize) -> Lsn {
    let first_page_end = replayed.segment_start(size) + Bytes(PAGE);
    if replayed >= first_page_end && received.is_none_or(|flushed| flushed <= first_page_end) {
        return first_page_end;
    }
    (replayed + Bytes(RECORD_HEADER)).min(replayed.page_start() + Bytes(PAGE))
}

/// `SizeOfXLogRecord`.
const RECORD_HEADER: u64 = 24;

#[cfg(test)]
mod tests {
    use super::*;

    /// All recorded on 15.18, with segments of 16 MB and of 1 MB.
    #[test]
    fn startup_asks_for_a_record_or_for_the_first_page_of_its_segment() {
        let small = SegmentSize::new(1 << 20).expect("a segment size");
        let (large, asked) = (SegmentSize::DEFAULT, asked_for);
        // After a restart, in the segment's first page and beyond it.
        assert_eq!(asked(Lsn(0x80_00D8), None, small), Lsn(0x80_00F0));
        assert_eq!(asked(Lsn(0x301_6078), None, large), Lsn(0x300_2000));
        assert_eq!(asked(Lsn(0x301_6078), Some(Lsn(0x300_0000)), large), Lsn(0x300_2000));
        // After a stream that had come as far; after a switch, where the next page is not there.
        let received = |lsn, size| asked(Lsn(lsn), Some(Lsn(lsn)), size);
        assert_eq!(received(0x306_C0B8, large), Lsn(0x306_C0D0));
        assert_eq!(received(0x82_8610, small), Lsn(0x82_8628));
        assert_eq!(received(0x90_0000, small), Lsn(0x90_0018));
    }
}
