//! The messages between a walsender and a walreceiver, and their sizes on the wire.
//!
//! A connection is opened by the standby: it connects, asks who the upstream is, and starts to
//! stream. From then on the upstream sends WAL and keepalives, the standby status updates. Every
//! message carries the connection it belongs to, so that what was under way when a connection
//! died is recognised and answered with a reset, as a kernel does.
//!
//! **Source.** Manual, "Streaming Replication Protocol"; `walsender.c`, `walreceiver.c`. Sizes:
//! CopyData has 5 bytes, XLogData 1 + 24 before the WAL, a keepalive 18, a status update 34.
//!
//! **Not modelled.** Authentication and TLS, one to three more round trips a connection. The
//! messages of a connection's start count 100 bytes each.

use super::ConnectionId;
use super::command::SlotName;
use super::syncrep::Positions;
use crate::trace::fact::Refusal;
use crate::units::{Bytes, Lsn, PAGE, SimTime, TimelineId};

/// A message of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// The connection it belongs to.
    pub connection: ConnectionId,
    /// What it says.
    pub body: Body,
}

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// A standby opens a connection.
    Connect,
    /// The upstream forked a walsender for it.
    Accepted,
    /// The connection or the command is refused.
    Refused(Refusal),
    /// `IDENTIFY_SYSTEM`.
    IdentifySystem,
    /// Its answer.
    System {
        /// The upstream's timeline.
        timeline: TimelineId,
    },
    /// `START_REPLICATION`.
    StartReplication {
        /// Start position: the start of a segment.
        start: Lsn,
        /// `SLOT`.
        slot: Option<SlotName>,
    },
    /// CopyBothResponse: the stream is open.
    CopyBoth,
    /// 'w': WAL, possibly several full chunks in a row sent as one transfer.
    XLogData {
        /// First byte.
        start: Lsn,
        /// First byte not included.
        end: Lsn,
        /// Messages of at most 131,072 bytes that the transfer stands for.
        chunks: u32,
        /// Redo point of the last checkpoint whose record lies in it; invalid if there is none.
        redo: Lsn,
    },
    /// 'k'.
    Keepalive {
        /// Whether an answer is wanted at once.
        reply_requested: bool,
    },
    /// 'r': standby status update.
    StatusUpdate {
        /// Written by the standby.
        write: Lsn,
        /// Flushed by the standby.
        flush: Lsn,
        /// Replayed by the standby.
        apply: Lsn,
        /// Whether an answer is wanted at once.
        reply_requested: bool,
    },
    /// The upstream has sent all of its WAL and shuts down: CommandComplete, then end of file.
    CopyDone,
    /// libpq's goodbye (`PQfinish`), then end of file.
    Terminate,
    /// End of file: the peer's kernel closed the connection.
    Close,
}

/// A status update on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Update {
    /// When it is sent: now, or a moment ago.
    pub at: SimTime,
    /// When it arrives, as soon as the link knows.
    pub arrives: SimTime,
    /// How far the standby is.
    pub positions: Positions,
    /// The connection it belongs to.
    pub connection: ConnectionId,
    /// Whether an answer is wanted at once.
    pub reply_requested: bool,
    /// Whether it wakes whoever gets it when it arrives, as soon as the world has said so.
    pub loud: bool,
}

/// Bytes before the WAL of one XLogData message: CopyData 5, type 1, header 24.
pub const XLOG_DATA_HEADER: u64 = 30;
/// `MAX_SEND_SIZE`: WAL of one XLogData message at most, 16 pages.
pub const MAX_SEND_SIZE: u64 = 16 * PAGE;
/// Full messages that go as one transfer at most when a standby is behind.
pub const MESSAGES_AT_ONCE: u64 = 8;
/// Bytes of such a transfer on the wire.
pub const MAX_TRANSFER: u64 = MESSAGES_AT_ONCE * (MAX_SEND_SIZE + XLOG_DATA_HEADER);
/// Bytes of a status update: CopyData 5, the rest 34.
pub const STATUS_UPDATE: Bytes = Bytes(5 + 34);
/// Assumption: a message of a connection's start; no effect once a stream runs.
const START_MESSAGE: u64 = 100;

impl Update {
    /// The message that says so.
    pub fn message(&self) -> Message {
        let Positions { write, flush, apply } = self.positions;
        let reply_requested = self.reply_requested;
        let body = Body::StatusUpdate { write, flush, apply, reply_requested };
        Message { connection: self.connection, body }
    }
}

/// Bytes on the wire of WAL that goes as so many messages.
#[inline]
pub fn transfer_size(start: Lsn, end: Lsn, chunks: u32) -> u64 {
    (end.0 - start.0) + XLOG_DATA_HEADER * u64::from(chunks)
}

impl Message {
    /// Bytes on the wire.
    #[inline(always)]
    pub fn size(&self) -> Bytes {
        match self.body {
            Body::XLogData { start, end, chunks, .. } => Bytes(transfer_size(start, end, chunks)),
            _ => self.other_size(),
        }
    }

    /// Bytes on the wire of whatever is no WAL.
    fn other_size(&self) -> Bytes {
        Bytes(match self.body {
            Body::XLogData { start, end, chunks, .. } => transfer_size(start, end, chunks),
            Body::Keepalive { .. } => 5 + 18,
            Body::StatusUpdate { .. } => STATUS_UPDATE.0,
            Body::Connect
            | Body::Accepted
            | Body::Refused(_)
            | Body::IdentifySystem
            | Body::System { .. }
            | Body::StartReplication { .. }
            | Body::CopyBoth
            | Body::CopyDone
            | Body::Terminate
            | Body::Close => START_MESSAGE,
        })
    }
}
