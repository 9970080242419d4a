//! What a monitoring agent learns of a server when it asks, and what is really so.
//!
//! A scrape is one visit of postgres_exporter: one result for each of its collectors, or none at
//! all if it gets no session. Beside it stands the truth, which nobody can ask a server for.
//!
//! **Source.** postgres_exporter 0.20 and its `main` of August 2026, `collector/*.go`.
//!
//! **Not modelled.** Collectors that tell nothing of WAL or of replication.

use crate::trace::fact::ServerId;
use crate::trace::table::Table;
use crate::units::{Bytes, Duration, SimTime};

/// A query of one of the exporter's collectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Collector {
    /// `replication`: lag in seconds.
    Replication,
    /// `replication_slots`, its first query: what each slot keeps.
    ReplicationSlots,
    /// `replication_slots`, its second query: positions and `wal_status`.
    SlotPositions,
    /// `stat_replication`: lag in bytes.
    StatReplication,
    /// `stat_wal_receiver`, which is off unless asked for.
    StatWalReceiver,
    /// `wal`: the files of pg_wal.
    Wal,
    /// `stat_bgwriter`: checkpoints, to 16.
    StatBgwriter,
    /// `stat_checkpointer`, which is off unless asked for: checkpoints since 17.
    StatCheckpointer,
}

impl Collector {
    /// All of them, in the order in which they are asked.
    pub const ALL: [Collector; 8] = [
        Collector::Replication,
        Collector::ReplicationSlots,
        Collector::SlotPositions,
        Collector::StatReplication,
        Collector::StatWalReceiver,
        Collector::Wal,
        Collector::StatBgwriter,
        Collector::StatCheckpointer,
    ];
}

/// One visit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scrape {
    /// When.
    pub at: SimTime,
    /// Of which server.
    pub server: ServerId,
    /// What came of it.
    pub answer: Answer,
    /// What is so.
    pub truth: Truth,
}

/// What came of a visit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// What each collector's query returned; no entry where its version has no such view.
    Results(Vec<(Collector, Table)>),
    /// The server, or the kernel of its host, refuses a session.
    Refused,
    /// Nobody answers: the visit takes longer than whoever wants its result waits.
    Silence,
}

/// What is so on a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truth {
    /// Whether it accepts sessions.
    pub is_up: bool,
    /// End of the WAL that is durable there.
    pub flushed: Bytes,
    /// WAL in its pg_wal, from the start of the oldest file to the end of what is written.
    pub kept: Bytes,
    /// Of a standby, how far it is behind.
    pub behind: Option<Behind>,
}

/// How far a standby is behind its primary, whether or not either runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind {
    /// WAL that is durable on the primary and not here: gone if the primary's disk is.
    pub flush: Bytes,
    /// WAL that is durable on the primary and not replayed here.
    pub replay: Bytes,
    /// How long ago the oldest transaction was made that a session here does not see; zero if
    /// there is none.
    pub age: Duration,
    /// Whether messages from the primary pass: their link is neither cut nor held.
    pub is_linked: bool,
    /// Whether the primary has removed WAL that is needed here next.
    pub is_lost: bool,
}
