//! A running standby: its walreceiver and its startup process, and how they wake each other.
//!
//! The walreceiver makes WAL durable; the startup process replays it and, when it has replayed
//! everything, has the walreceiver say so. When the stream is gone, the startup process first
//! replays what is left, and then asks for a new one.
//!
//! **Source.** `xlogrecovery.c`, `walreceiver.c`, `walreceiverfuncs.c`.
//!
//! **Not modelled.** Cascading: it serves no standbys of its own. A restartpoint is made as soon
//! as a checkpoint record is replayed, at no cost, where PostgreSQL spreads it like a checkpoint.

use super::ConnectionId;
use super::guc::Settings;
use super::protocol::{Body, Message};
use super::server::{Host, Out};
use super::startup::{Retry, Startup};
use super::walreceiver::{Event, ReceiverConfig, WalReceiver};
use crate::trace::fact::{ConnectionEnd, Refusal, ServerId, What};
use crate::units::{Lsn, Rate, SimTime};

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
    /// Restartpoints made.
    pub restartpoints: u64,
    /// What it needs next is gone from its upstream.
    pub lost: bool,
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
        };
        let retry = settings.wal_retrieve_retry_interval;
        let (redo, end) = (host.files.redo, host.files.written.max(host.files.flushed));
        let mut startup = Startup::new(replay, retry, redo.min(end), end);
        startup.go_on(now);
        let receiver = WalReceiver::new(config);
        Standby { receiver, startup, consistent_at, ready: false, restartpoints: 0, lost: false }
    }

    /// It streamed before the run began, and has everything up to `end`.
    pub fn streams_already(&mut self, now: SimTime, connection: ConnectionId, end: Lsn) {
        self.receiver.start_streaming(now, connection, end);
        self.ready = true;
    }

    /// Whether it accepts read-only connections.
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// When it has something to do by itself.
    pub fn next_deadline(&self) -> SimTime {
        self.receiver.next_deadline().min(self.startup.next_deadline())
    }

    /// A message has arrived.
    pub fn message(
        &mut self,
        now: SimTime,
        from: ServerId,
        message: Message,
        host: &mut Host,
        out: &mut Out,
    ) {
        let known = !self.receiver.is_off() && message.connection == self.receiver.connection();
        if !known {
            match message.body {
                Body::Connect => {
                    out.send(from, message.connection, Body::Refused(Refusal::StartingUp));
                }
                Body::Close | Body::Refused(_) => {}
                // The kernel knows no such connection.
                _ => out.send(from, message.connection, Body::Close),
            }
            return;
        }
        let (replayed, files, disk) = (self.startup.replayed(), &mut host.files, &mut host.disk);
        let streaming = self.receiver.is_streaming();
        if let Some(event) = self.receiver.receive(now, message, replayed, files, disk, out) {
            self.react(now, event, streaming, host, out);
        }
    }

    /// Does everything that is due.
    pub fn deadline(&mut self, now: SimTime, host: &mut Host, out: &mut Out) {
        if self.startup.end_piece(now) {
            self.replayed(now, host, out);
        }
        if self.receiver.next_deadline() <= now {
            let replayed = self.startup.replayed();
            let (files, disk) = (&mut host.files, &mut host.disk);
            let streaming = self.receiver.is_streaming();
            if let Some(event) = self.receiver.deadline(now, replayed, files, disk, out) {
                self.react(now, event, streaming, host, out);
            }
        }
        if self.startup.retry_due(now) {
            self.receiver.connect(now, host.next_connection(), out);
        }
    }

    /// It has just started: if nothing is to be replayed it is ready and wants a stream.
    pub fn begin(&mut self, now: SimTime, host: &mut Host, out: &mut Out) {
        out.fact(What::StandbyMode { redo: self.startup.replayed() });
        if self.startup.has_replayed_all() {
            self.replayed(now, host, out);
        }
    }

    fn replayed(&mut self, now: SimTime, host: &mut Host, out: &mut Out) {
        let replayed = self.startup.replayed();
        if !self.ready && replayed >= self.consistent_at {
            self.ready = true;
            out.fact(What::ReadyReadOnly { at: replayed });
        }
        if let Some(redo) = self.receiver.replayed_checkpoint(replayed) {
            self.restartpoints += 1;
            host.files.redo = host.files.redo.max(redo);
            host.remove_below_redo();
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

    /// Everything is replayed and there is no walreceiver.
    fn want_stream(&mut self, now: SimTime, host: &mut Host, out: &mut Out) {
        if !self.startup.waits() {
            self.receiver.connect(now, host.next_connection(), out);
        }
    }

    fn react(
        &mut self,
        now: SimTime,
        event: Event,
        streaming: bool,
        host: &mut Host,
        out: &mut Out,
    ) {
        let upstream = self.receiver.upstream();
        match event {
            Event::Flushed(upto) => {
                self.startup.offer(now, upto);
                return;
            }
            Event::Started => {
                let start = self.startup.replayed().segment_start(host.files.size);
                let timeline = host.timeline;
                self.lost = false;
                out.fact(What::StreamingStarted { upstream, start, timeline });
                return;
            }
            Event::Failed(why) => {
                self.lost = matches!(why, Refusal::SegmentRemoved { .. });
                if !matches!(why, Refusal::ConnectTimeout | Refusal::ConnectionRefused) {
                    out.send(upstream, self.receiver.connection(), Body::Close);
                }
                out.fact(What::ConnectFailed { upstream, why });
            }
            Event::PeerClosed => {
                let why = ConnectionEnd::PeerClosed;
                if streaming {
                    out.fact(What::ReceiverEnded { upstream, why });
                }
            }
            Event::TimedOut => {
                out.send(upstream, self.receiver.connection(), Body::Close);
                out.fact(What::ReceiverEnded { upstream, why: ConnectionEnd::Timeout });
            }
        }
        self.source_failed(now, host, out);
    }

    fn source_failed(&mut self, now: SimTime, host: &mut Host, out: &mut Out) {
        // The walreceiver's last act is to fsync what it wrote (`WalRcvDie`).
        let files = &mut host.files;
        if files.flushed < files.written {
            host.disk.fsync(now, files.written.since(files.flushed));
            files.flushed = files.written;
        }
        self.startup.offer(now, files.flushed);
        match self.startup.source_failed(now) {
            Retry::Later => {
                let at = self.startup.replayed();
                out.fact(What::WaitingForWal { at });
            }
            Retry::Now if self.startup.has_replayed_all() => self.want_stream(now, host, out),
            Retry::Now => {}
        }
    }
}
