//! What can happen in a run, as a closed list, with time and place.
//!
//! A fact is small and `Copy`, with ids instead of names; the words that PostgreSQL's log has for
//! it are made from (fact, version) in [`super::messages`]. Facts come at the pace of faults,
//! connections and checkpoints, never of commits: a run keeps at most [`Facts::LIMIT`] and counts
//! the rest.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::postgres::backend::Session;
use crate::postgres::command::{Interrupt, Refused, SlotName, StopMode};
use crate::postgres::slot::Invalidation;
use crate::postgres::statement::{Answer, Statement};
use crate::units::{Bytes, Duration, Lsn, SimTime, TimelineId, WalSegment};

/// A server of the run: an index into [`super::Run::servers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ServerId(pub u8);

impl ServerId {
    /// The index as such.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    /// When.
    pub at: SimTime,
    /// On which server; `None` for what is outside of all of them.
    pub server: Option<ServerId>,
    /// What.
    pub what: What,
}

/// Whether a fault strikes PostgreSQL's processes or the whole host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The processes: the kernel, its page cache and its sockets live on.
    Processes,
    /// The host: unsynced page cache is lost, peers hear nothing.
    Host,
}

/// Why a walsender's or walreceiver's connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionEnd {
    /// The peer closed it: end of file or a reset.
    PeerClosed,
    /// The walreceiver said goodbye: its process ended in order, if only with an error.
    PeerTerminated,
    /// Nothing was heard for `wal_sender_timeout` or `wal_receiver_timeout`.
    Timeout,
    /// This side's server went down.
    Shutdown,
    /// The upstream had sent all of its WAL and shut down.
    Terminated,
    /// There was no room for the next segment's file.
    NoSpace,
}

/// What a primary was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It took sessions.
    Running,
    /// The checkpoint at the end of crash recovery.
    Recovery,
    /// The last checkpoint of a shutdown.
    Shutdown,
    /// Crash recovery, when redo is over.
    Redone,
    /// A start after an orderly shutdown.
    Start,
}

/// Why a connection attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Nothing listens there.
    ConnectionRefused,
    /// No answer within the kernel's connect timeout.
    ConnectTimeout,
    /// The upstream is starting up or recovering (`the database system is starting up`).
    StartingUp,
    /// The upstream shuts down (`the database system is shutting down`).
    ShuttingDown,
    /// `max_wal_senders` are connected.
    TooManySenders {
        /// The upstream's `max_wal_senders`.
        max: u32,
    },
    /// The segment it asked for is gone.
    SegmentRemoved {
        /// The segment.
        segment: WalSegment,
    },
    /// There is no slot of the name it asked for.
    NoSuchSlot {
        /// The slot.
        slot: SlotName,
    },
    /// The slot keeps nothing any more (18 and later).
    SlotInvalid {
        /// The slot.
        slot: SlotName,
        /// Why not.
        why: Invalidation,
    },
    /// The walsender was told to end.
    Terminated,
    /// The named slot is in use.
    SlotActive {
        /// The slot.
        slot: SlotName,
        /// Process id of its owner.
        pid: u32,
    },
}

/// Why a checkpoint started: flags, as `checkpoint starting:` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointCause(u8);

impl CheckpointCause {
    /// `checkpoint_timeout` elapsed.
    pub const TIME: CheckpointCause = CheckpointCause(1 << 6);
    /// WAL since the last one reached its share of `max_wal_size`.
    pub const WAL: CheckpointCause = CheckpointCause(1 << 5);
    /// `CHECKPOINT`.
    pub const REQUESTED: CheckpointCause = CheckpointCause(IMMEDIATE | FORCE | 1 << 4);
    /// `CHECKPOINT` on a standby, which is not forced: without a new record there is nothing to do.
    pub const RESTARTPOINT: CheckpointCause = CheckpointCause(IMMEDIATE | 1 << 4);
    /// Crash recovery ended.
    pub const END_OF_RECOVERY: CheckpointCause = CheckpointCause(1 << 1 | IMMEDIATE | 1 << 4);
    /// A standby was promoted: spread, but made in any case.
    pub const PROMOTION: CheckpointCause = CheckpointCause(FORCE);
    /// The server shuts down.
    pub const SHUTDOWN: CheckpointCause = CheckpointCause(1 | IMMEDIATE);

    /// Both: the flags of requests that are served by one checkpoint.
    pub fn and(self, other: CheckpointCause) -> CheckpointCause {
        CheckpointCause(self.0 | other.0)
    }

    /// Whether it writes without naps.
    pub fn is_immediate(self) -> bool {
        self.0 & IMMEDIATE != 0
    }

    /// Whether it is made even if nothing was written since the last one.
    pub fn is_forced(self) -> bool {
        self.0 & (FORCE | 1 | 1 << 1) != 0
    }

    /// Whether WAL asked for it.
    pub fn is_wal(self) -> bool {
        self.0 & CheckpointCause::WAL.0 != 0
    }

    /// Whether the server shuts down with it.
    pub fn is_shutdown(self) -> bool {
        self.0 & 1 != 0
    }

    /// Whether its record is the only WAL since its redo point: nobody else can write.
    pub fn is_alone(self) -> bool {
        self.0 & (1 | 1 << 1) != 0
    }

    /// The flags in PostgreSQL's order (`LogCheckpointStart`).
    pub fn flags(self) -> String {
        let names = FLAGS.iter().enumerate();
        let set = names.filter(|&(bit, _)| self.0 & (1 << bit) != 0).map(|(_, name)| *name);
        set.collect::<Vec<_>>().join(" ")
    }
}

/// By bit, in the order in which they are printed.
const FLAGS: [&str; 7] =
    ["shutdown", "end-of-recovery", "immediate", "force", "wait", "wal", "time"];
const IMMEDIATE: u8 = 1 << 2;
const FORCE: u8 = 1 << 3;

impl Serialize for CheckpointCause {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.flags())
    }
}

/// Why a slot is invalidated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Obsolete {
    /// It is further behind than `max_slot_wal_keep_size` allows.
    WalRemoved {
        /// Its `restart_lsn`.
        restart: Lsn,
        /// How far that is below what is kept.
        excess: Bytes,
    },
    /// Nobody used it for too long.
    IdleTimeout {
        /// For how long.
        idle: Duration,
        /// `idle_replication_slot_timeout`.
        limit: Duration,
    },
}

/// Everything that can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// A fault of the schedule began; an index into [`super::Run::faults`].
    FaultBegan {
        /// Index of the fault.
        fault: u16,
    },
    /// A fault of the schedule healed.
    FaultHealed {
        /// Index of the fault.
        fault: u16,
    },
    /// The way to a standby, or that of its replies, is free again. TCP finds that out when it
    /// sends again, at distances that doubled as long as nothing came back.
    SendsAgain {
        /// The standby, or its upstream if it is the standby that sends.
        to: ServerId,
        /// When it sends the first thing again that was lost.
        at: SimTime,
    },
    /// The server's processes or its host died.
    Crashed {
        /// What died.
        scope: Scope,
        /// WAL that was written but not flushed, and did not survive.
        lost: Bytes,
    },
    /// A process of a primary could not create a segment's file for lack of space, and died: so do
    /// all others.
    Panicked {
        /// What the server was doing.
        during: Phase,
    },
    /// A checkpoint could not create a segment's file ahead for lack of space.
    NoRoomAhead,
    /// A start has created the next segment's file ahead.
    CreatedAhead,
    /// The server's processes or its host stopped running, without dying.
    Frozen {
        /// What stopped.
        scope: Scope,
    },
    /// A frozen server runs again.
    Thawed,
    /// The postmaster starts.
    Starting,
    /// Startup found that the last shutdown was a crash; redo begins at the last checkpoint.
    RecoveryStarted {
        /// Redo point of the last completed checkpoint.
        redo: Lsn,
    },
    /// Startup found that the last shutdown was in order.
    WasShutDown {
        /// When that was.
        at: SimTime,
        /// Whether the server was a standby.
        in_recovery: bool,
    },
    /// A standby starts again after a crash.
    InterruptedInRecovery,
    /// The postmaster was told to shut down.
    StopRequested {
        /// How.
        mode: StopMode,
    },
    /// Sessions are gone: what is left is a last checkpoint.
    ShuttingDown,
    /// The postmaster has ended.
    ShutDown,
    /// A walreceiver was told that there is no more WAL: its upstream shuts down.
    StreamTerminated {
        /// The server it streamed from.
        upstream: ServerId,
        /// The timeline it streamed.
        timeline: TimelineId,
        /// End of what it received.
        at: Lsn,
    },
    /// Crash recovery applied all that was left of the WAL.
    RecoveryDone {
        /// End of the last valid record.
        end: Lsn,
        /// Time that redo took.
        took: Duration,
    },
    /// A primary accepts connections.
    Ready,
    /// A standby entered standby mode.
    StandbyMode {
        /// Where its redo starts.
        redo: Lsn,
    },
    /// A standby reached a consistent state and accepts read-only connections.
    ReadyReadOnly {
        /// Where it became consistent.
        at: Lsn,
    },
    /// A standby reached a consistent state and takes no connections: `hot_standby = off`.
    Consistent {
        /// Where it became consistent.
        at: Lsn,
    },
    /// A walreceiver started streaming.
    StreamingStarted {
        /// The server it streams from.
        upstream: ServerId,
        /// Start position: always the start of a segment.
        start: Lsn,
        /// The timeline it streams.
        timeline: TimelineId,
    },
    /// A walreceiver could not connect or start.
    ConnectFailed {
        /// The server it wanted.
        upstream: ServerId,
        /// Why not.
        why: Refusal,
        /// Where it wanted to start.
        start: Lsn,
    },
    /// A walreceiver's stream ended.
    ReceiverEnded {
        /// The server it streamed from.
        upstream: ServerId,
        /// Why.
        why: ConnectionEnd,
    },
    /// A walsender began to serve a standby.
    SenderStarted {
        /// The standby.
        standby: ServerId,
        /// Requested start position.
        start: Lsn,
        /// The slot it uses.
        #[serde(skip_serializing_if = "Option::is_none")]
        slot: Option<SlotName>,
    },
    /// A walsender went from catchup to streaming.
    SenderStreaming {
        /// The standby.
        standby: ServerId,
    },
    /// A walsender ended.
    SenderEnded {
        /// The standby.
        standby: ServerId,
        /// Why.
        why: ConnectionEnd,
    },
    /// A standby became one that commits wait for.
    SyncStandby {
        /// The standby.
        standby: ServerId,
        /// Its priority; `None` in a quorum (`ANY`).
        priority: Option<u32>,
    },
    /// Startup waits before it asks its upstream again (15 and later log it).
    WaitingForWal {
        /// The end of what it asks for.
        at: Lsn,
    },
    /// A checkpoint began.
    CheckpointStarted {
        /// Why.
        cause: CheckpointCause,
        /// Its redo point.
        redo: Lsn,
    },
    /// A checkpoint completed.
    CheckpointDone {
        /// Its redo point.
        redo: Lsn,
        /// End of its record.
        end: Lsn,
        /// WAL since the previous redo point.
        distance: Bytes,
        /// Time from start to end.
        took: Duration,
    },
    /// What the checkpoint that now completes did to buffers and files.
    CheckpointFiles {
        /// Buffers written.
        buffers: u32,
        /// `shared_buffers`, as a number of buffers.
        shared_buffers: u32,
        /// Time of the writes.
        write: Duration,
        /// WAL expected until the next redo point (`CheckPointDistanceEstimate`).
        estimate: Bytes,
        /// Files created ahead.
        added: u32,
        /// Files deleted.
        removed: u32,
        /// Files renamed to be written again.
        recycled: u32,
    },
    /// Checkpoints start because of WAL, less than `checkpoint_warning` apart.
    CheckpointsTooFrequent {
        /// Seconds since the last one started.
        seconds: u32,
    },
    /// A slot was created.
    SlotCreated {
        /// The slot.
        slot: SlotName,
        /// From where on it keeps WAL, if it does yet.
        restart: Option<Lsn>,
    },
    /// A slot was dropped.
    SlotDropped {
        /// The slot.
        slot: SlotName,
    },
    /// A checkpoint tells the walsender that owns a slot to end.
    SlotOwnerTerminated {
        /// The slot.
        slot: SlotName,
        /// The walsender's standby.
        standby: ServerId,
        /// Why the slot is to be invalidated.
        why: Obsolete,
    },
    /// A checkpoint invalidated a slot: it keeps nothing any more.
    SlotInvalidated {
        /// The slot.
        slot: SlotName,
        /// Why.
        why: Obsolete,
    },
    /// The postmaster was told to read its configuration files again.
    Reloaded,
    /// A reload changed a setting.
    ParameterChanged {
        /// Its name.
        parameter: &'static str,
        /// Its value.
        value: Text,
    },
    /// A reload found a change that waits for a restart.
    ParameterNeedsRestart {
        /// The setting's name.
        parameter: &'static str,
    },
    /// A standby has replayed all it has received, and goes on to become a primary.
    PromoteNoticed,
    /// It has replayed the last of it.
    RedoDone {
        /// Where its WAL ends.
        end: Lsn,
        /// Time since it started.
        took: Duration,
    },
    /// It has chosen the number of the timeline that it begins.
    TimelineSelected {
        /// That one.
        timeline: TimelineId,
    },
    /// A standby has become a primary.
    Promoted {
        /// Its timeline from now on.
        timeline: TimelineId,
        /// Where that begins: the end of what it has of the one before.
        at: Lsn,
        /// The server that it streamed from.
        from: ServerId,
    },
    /// Replay of a standby is paused.
    ReplayPaused {
        /// What it has replayed.
        at: Lsn,
    },
    /// Replay of a standby goes on.
    ReplayResumed,
    /// Replay looked for a record where none is (yet).
    EndOfWal {
        /// Where it should start.
        at: Lsn,
    },
    /// Something befell a session whose commit waited for standbys.
    WaitInterrupted {
        /// What.
        how: Interrupt,
        /// Whose.
        session: Session,
    },
    /// Somebody sent a statement.
    Statement {
        /// What was sent.
        statement: Statement,
        /// What came back.
        answer: Answer,
    },
    /// An operator began to do something; an index into [`super::Run::actions`].
    ActionBegan {
        /// Index of the action.
        action: u16,
    },
    /// It has ended.
    ActionEnded {
        /// Index of the action.
        action: u16,
    },
    /// A command of an operator could not be carried out.
    CommandRefused {
        /// Why not.
        why: Refused,
    },
    /// A queue reached its bound; what came next was turned away.
    QueueFull {
        /// The bound.
        limit: u32,
    },
}

/// A few words in a fact: at most 31 bytes, the rest is cut.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Text {
    length: u8,
    bytes: [u8; Text::ROOM],
}

impl Text {
    const ROOM: usize = 31;

    /// As much of `text` as there is room for.
    pub fn new(text: &str) -> Text {
        let length = text.floor_char_boundary(Text::ROOM);
        let mut bytes = [0; Text::ROOM];
        bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
        Text { length: length as u8, bytes }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Facts in order, at most [`Facts::LIMIT`].
#[derive(Clone, Debug, Default)]
pub struct Facts {
    kept: Vec<Fact>,
    dropped: u64,
}

impl Facts {
    /// How many facts a run keeps: enough for a fault a second for a day.
    pub const LIMIT: usize = 100_000;

    /// Adds a fact, or counts it if there is no more room.
    pub fn push(&mut self, fact: Fact) {
        if self.kept.len() < Facts::LIMIT {
            self.kept.push(fact);
        } else {
            self.dropped += 1;
        }
    }

    /// All that were kept, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Fact> {
        self.kept.iter()
    }

    /// How many there was no room for.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}
