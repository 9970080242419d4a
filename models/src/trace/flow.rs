//! What passes through a cluster in a window of time: records and flushes on the primary, messages
//! on links, answers to clients.
//!
//! No run keeps this: it would be most of what happens. A run is played again with a window, and
//! every model says for itself when it did its part.
//!
//! **Source.** Walden's own.

use crate::postgres::ConnectionId;
use crate::postgres::backend::Session;
use crate::postgres::guc::SynchronousCommit;
use crate::postgres::protocol::{Body, Message, Update};
use crate::trace::fact::ServerId;
use crate::units::{Bytes, Lsn, SimTime, UsableBytes};

/// All of it, each in order of time.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    /// Commit records that were inserted.
    pub inserted: Vec<Inserted>,
    /// Flushes of the primary's WAL.
    pub flushes: Vec<Flush>,
    /// Messages between servers, by the moment at which they arrive, which may be after the window.
    pub messages: Vec<Passed>,
    /// Messages that wait at its end for a way that is blocked, by when they were sent.
    pub waiting: Vec<Passed>,
    /// Messages that never arrive, by when they were sent: nobody sends them again.
    pub lost: Vec<Passed>,
    /// Answers to clients.
    pub answers: Vec<Answered>,
}

/// A commit record that was inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inserted {
    /// When.
    pub at: SimTime,
    /// Where it ends.
    pub end: UsableBytes,
    /// `synchronous_commit` in its session; `None`: no client is answered for it.
    pub level: Option<SynchronousCommit>,
}

/// A flush, or a part of one: `fsync` by segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flush {
    /// When the backend that does it had the lock, and had slept `commit_delay`.
    pub began: SimTime,
    /// When it was over.
    pub done: SimTime,
    /// It made durable what ends behind this.
    pub from: UsableBytes,
    /// And up to here.
    pub to: UsableBytes,
}

/// What keeps a message from arriving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The link was cut, or a host silent: it was lost, and is sent again until it arrives.
    Cut,
    /// The link held it.
    Hold,
}

/// A message on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// When it was sent.
    pub sent: SimTime,
    /// When it arrived; [`SimTime::NEVER`] if it did not, or nobody knows when it will.
    pub arrived: SimTime,
    /// What stopped it on its way, if something did.
    pub stopped: Option<Stop>,
    /// Who sent it.
    pub from: ServerId,
    /// To whom.
    pub to: ServerId,
    /// The connection it belongs to.
    pub connection: ConnectionId,
    /// What it says.
    pub body: Body,
}

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It brings WAL.
    Wal,
    /// It says how far a standby is.
    Reply,
    /// It says that there is nothing to say.
    Keepalive,
    /// It opens or closes a connection.
    Other,
}

impl Passed {
    /// What the message is for.
    pub fn kind(&self) -> Kind {
        match self.body {
            Body::XLogData { .. } => Kind::Wal,
            Body::StatusUpdate { .. } => Kind::Reply,
            Body::Keepalive { .. } => Kind::Keepalive,
            Body::Connect
            | Body::Accepted
            | Body::Refused(_)
            | Body::IdentifySystem
            | Body::System { .. }
            | Body::StartReplication { .. }
            | Body::CopyBoth
            | Body::CopyDone
            | Body::Terminate
            | Body::Close => Kind::Other,
        }
    }

    /// Whether it asks for a reply at once.
    pub fn asks_for_a_reply(&self) -> bool {
        match self.body {
            Body::StatusUpdate { reply_requested, .. } | Body::Keepalive { reply_requested } => {
                reply_requested
            }
            _ => false,
        }
    }

    /// What the message is called: the manual's word, where it has one.
    pub fn name(&self) -> &'static str {
        match self.body {
            Body::Connect => "connect",
            Body::Accepted => "accepted",
            Body::Refused(_) => "refused",
            Body::IdentifySystem => "IDENTIFY_SYSTEM",
            Body::System { .. } => "system identifier",
            Body::StartReplication { .. } => "START_REPLICATION",
            Body::CopyBoth => "CopyBothResponse",
            Body::XLogData { .. } => "XLogData",
            Body::Keepalive { .. } => "keepalive",
            Body::StatusUpdate { .. } => "status update",
            Body::CopyDone => "CopyDone",
            Body::Terminate => "Terminate",
            Body::Close => "close",
        }
    }

    /// The positions in it, by their names.
    pub fn positions(&self) -> Vec<(&'static str, Lsn)> {
        match self.body {
            Body::XLogData { start, end, .. } => vec![("start_lsn", start), ("end_lsn", end)],
            Body::StatusUpdate { write, flush, apply, .. } => {
                vec![("write_lsn", write), ("flush_lsn", flush), ("replay_lsn", apply)]
            }
            Body::StartReplication { start, .. } => vec![("start_lsn", start)],
            Body::Connect
            | Body::Accepted
            | Body::Refused(_)
            | Body::IdentifySystem
            | Body::System { .. }
            | Body::CopyBoth
            | Body::Keepalive { .. }
            | Body::CopyDone
            | Body::Terminate
            | Body::Close => Vec::new(),
        }
    }

    /// Its bytes on the wire.
    pub fn size(&self) -> Bytes {
        Message { connection: self.connection, body: self.body }.size()
    }

    /// A status update of a standby to its upstream.
    pub fn of_update(update: &Update, from: ServerId, to: ServerId) -> Passed {
        let Update { at, arrives, positions, connection, reply_requested, .. } = *update;
        let (write, flush, apply) = (positions.write, positions.flush, positions.apply);
        let body = Body::StatusUpdate { write, flush, apply, reply_requested };
        Passed { sent: at, arrived: arrives, stopped: None, from, to, connection, body }
    }
}

/// A commit whose client has its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Its number among all answers of the run, from 1.
    pub number: u64,
    /// Its intended start.
    pub start: SimTime,
    /// When the client had the answer.
    pub at: SimTime,
    /// Where its commit record ends.
    pub end: UsableBytes,
    /// Whose it is.
    pub session: Session,
}

/// From when to when something is looked at, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// From.
    pub from: SimTime,
    /// To.
    pub to: SimTime,
}

impl Window {
    /// Whether a moment lies in it.
    pub fn has(&self, at: SimTime) -> bool {
        self.from <= at && at <= self.to
    }
}
