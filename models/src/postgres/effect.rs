//! What a server does to the world.
//!
//! A server that is handed an input writes its effects into an [`Out`], in order; whoever drives
//! it carries them out. Answers to clients, status updates and what is read have lists of their
//! own, because they are many.

use super::ConnectionId;
use super::backend::{Answers, Session};
use super::protocol::{Body, Message, Update};
use crate::trace::fact::{ServerId, What};
use crate::units::{Bytes, SimTime};

/// What a server does to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Sends a message.
    Send {
        /// When: now, or a moment ago, when a piece of replay ended.
        at: SimTime,
        /// To whom.
        to: ServerId,
        /// What.
        message: Message,
    },
    /// Other standbys count as synchronous than before: the next reply of each matters.
    CandidatesChanged,
    /// A socket is full; wants to know when it has room for so many bytes.
    NeedRoom {
        /// The peer.
        to: ServerId,
        /// Bytes of the next message.
        bytes: Bytes,
    },
    /// A client's connection ended without an answer.
    Disconnected {
        /// Whose.
        session: Session,
    },
    /// A commit's wait for standbys was cancelled: its client has its answer, with a warning.
    Cancelled {
        /// Whose.
        session: Session,
    },
    /// A checkpoint began: page images are due again.
    RedoMoved,
    /// Something happened.
    Fact(What),
}

/// A standby took WAL of its upstream from the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// When: now, or a moment ago.
    pub at: SimTime,
    /// How many bytes of XLogData.
    pub bytes: Bytes,
}

/// WAL for a standby.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// When it is sent: now, or a moment ago.
    pub at: SimTime,
    /// To whom.
    pub to: ServerId,
    /// What.
    pub message: Message,
}

/// Where effects go.
#[derive(Clone, Debug, Default)]
pub struct Out {
    /// The moment of what is sent.
    pub at: SimTime,
    /// WAL for standbys, in order for each. It leaves before the effects.
    pub wal: Vec<Sent>,
    /// Status updates to the upstream, in order. They leave before the effects.
    pub updates: Vec<Update>,
    /// One of them asks for an answer.
    pub asks: bool,
    /// What was read from the upstream, in order.
    pub reads: Vec<Read>,
    /// Effects in order.
    pub effects: Vec<Effect>,
    /// Answers to clients.
    pub answers: Answers,
    /// What the answers had waited for: a bit for each of `WaitMode`, and [`Out::LOCAL`].
    pub released: u8,
}

impl Out {
    /// Commits were answered that waited for the local flush alone.
    pub const LOCAL: u8 = 1 << 3;

    /// Whether there is nothing to carry out.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.effects.is_empty()
            && self.wal.is_empty()
            && self.answers.is_empty()
            && self.updates.is_empty()
            && self.reads.is_empty()
    }

    /// Adds an effect.
    #[inline]
    pub fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Adds a fact.
    #[inline]
    pub fn fact(&mut self, what: What) {
        self.effect(Effect::Fact(what));
    }

    /// Sends WAL.
    #[inline]
    pub fn send_wal(&mut self, to: ServerId, connection: ConnectionId, body: Body) {
        // It is not to overtake what was said before.
        match self.effects.is_empty() {
            true => self.wal.push(Sent { at: self.at, to, message: Message { connection, body } }),
            false => self.send(to, connection, body),
        }
    }

    /// Sends a message.
    #[inline]
    pub fn send(&mut self, to: ServerId, connection: ConnectionId, body: Body) {
        let message = Message { connection, body };
        self.effect(Effect::Send { at: self.at, to, message });
    }
}
