//! Clients and the WAL they make.

pub use models::clients::{PageSet, WalProfile};

use models::latency::Quantiles;
use models::postgres::guc::SynchronousCommit;
use models::units::{Bytes, Duration};

/// One `[workload.X]`, resolved. It runs against the primary.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Its key in the file.
    pub name: String,
    /// When transactions come.
    pub load: Load,
    /// What a transaction writes.
    pub wal: TransactionWal,
    /// Its own `synchronous_commit`; `None`: the server's.
    pub synchronous_commit: Option<SynchronousCommit>,
    /// Backend time of a transaction before its commit (nanoseconds).
    pub service: Quantiles,
    /// So many transactions of an open or closed loop, and no more.
    pub transactions: Option<u64>,
    /// Rows that a transaction adds to the table of the workload's name.
    pub rows: u64,
}

/// When transactions come.
#[derive(Clone, Debug)]
pub enum Load {
    /// At a rate, however slow the answers are; latency counts from the intended start.
    Open {
        /// Mean gap between two starts.
        gap: Duration,
        /// How gaps vary.
        arrivals: Arrivals,
    },
    /// Clients that wait for an answer, think, and start again.
    Closed {
        /// How many.
        clients: u32,
        /// Time from an answer to the next start (nanoseconds).
        think: Quantiles,
    },
    /// WAL alone, in steps: each step is one insert, flushed; no latency is measured.
    Wal {
        /// Length of a step.
        step: Duration,
        /// How much WAL, when.
        profile: WalProfile,
    },
    /// One large transaction: WAL at a rate, a commit at its end.
    Bulk {
        /// When it starts.
        at: Duration,
        /// Start again this long after each start; `None`: once.
        every: Option<Duration>,
        /// WAL of the whole transaction.
        bytes: Bytes,
        /// Time over which it is written.
        over: Duration,
    },
}

/// How the gaps of an open loop vary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// Poisson: exponential gaps.
    Poisson,
    /// Constant gaps.
    Constant,
}

/// What one transaction writes.
#[derive(Clone, Debug)]
pub struct TransactionWal {
    /// Its records without images and without the commit record, in bytes; the models add the
    /// commit record (`postgres.md` 1.3: 34 bytes, aligned to 40).
    pub records: Quantiles,
    /// Sets of pages it touches, each of which may need a full-page image.
    pub pages: Vec<PageSet>,
}
