//! Where the time of a commit goes: stages that follow one another and sum to its latency.
//!
//! A commit's latency runs from its intended start to its answer. First comes the backend's own
//! work, then, where the server cannot take it yet, a wait before its WAL is inserted; then it
//! waits until another flush is over, then for the fsync that makes it durable here, then for
//! standbys. Stages in which PostgreSQL's backends sleep carry the name of the wait event.
//!
//! Of the backends that share a flush only one fsyncs and shows `WALSync`; the others show
//! `WALWrite` until it is done. A stage is the reason for the wait, so for all of them the time of
//! the fsync that carried them counts as such.
//!
//! **Source.** The wait events of `pg_stat_activity` (manual, "The Cumulative Statistics System";
//! `wait_event.c`, from 17 on `wait_event_names.txt`).

use crate::postgres::PgVersion;

/// A part of a commit's latency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The backend's own time before it inserts its commit record (`workload.X.service`).
    Service,
    /// Waiting to go on at all: the server was frozen, or wal_buffers were full.
    Queue,
    /// Waiting until a flush is over that did not take it along; also `commit_delay`.
    WalWrite,
    /// The flush that made it durable here.
    WalSync,
    /// Waiting for standbys.
    SyncRep,
}

impl Stage {
    /// All of them, in the order in which a commit goes through them.
    pub const ALL: [Stage; 5] =
        [Stage::Service, Stage::Queue, Stage::WalWrite, Stage::WalSync, Stage::SyncRep];

    /// What a report calls it: the wait event as this version spells it, where there is one.
    pub fn name(self, version: PgVersion) -> &'static str {
        match self {
            Stage::Service => "service",
            Stage::Queue => "queueing",
            Stage::WalWrite => "LWLock:WALWrite",
            Stage::WalSync if version.major() < 17 => "IO:WALSync",
            Stage::WalSync => "IO:WalSync",
            Stage::SyncRep => "IPC:SyncRep",
        }
    }

    /// Its name in columns of data, the same for every version.
    pub fn key(self) -> &'static str {
        match self {
            Stage::Service => "service",
            Stage::Queue => "queue",
            Stage::WalWrite => "wal_write",
            Stage::WalSync => "wal_sync",
            Stage::SyncRep => "sync_rep",
        }
    }
}

/// Nanoseconds spent in each stage, by some commits together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageTimes(pub [u64; Stage::ALL.len()]);

impl StageTimes {
    /// The latency of those commits together.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Adds time to a stage.
    pub fn add(&mut self, stage: Stage, nanos: u64) {
        self.0[stage as usize] += nanos;
    }

    /// Adds the times of others.
    pub fn add_all(&mut self, others: &StageTimes) {
        for (own, other) in self.0.iter_mut().zip(others.0) {
            *own += other;
        }
    }

    /// The same shares of another total; what rounding leaves over goes to the largest.
    pub fn scaled_to(&self, total: u64) -> StageTimes {
        let whole = u128::from(self.total());
        if whole == 0 {
            return StageTimes::default();
        }
        let scale = |part: u64| (u128::from(part) * u128::from(total) / whole) as u64;
        let mut scaled = StageTimes(self.0.map(scale));
        let rest = total - scaled.total();
        if let Some(largest) = scaled.0.iter_mut().max() {
            *largest += rest;
        }
        scaled
    }
}

/// What was seen of the commits that were answered in some span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageSample {
    /// All that were answered without waiting for a flush (`synchronous_commit = off`).
    pub early: StageTimes,
    /// Some of the others: those of whole flushes.
    pub followed: StageTimes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_another_total_sum_to_it() {
        let mut times = StageTimes::default();
        times.add(Stage::Service, 40);
        times.add(Stage::WalSync, 400);
        times.add(Stage::SyncRep, 5_000);
        for total in [0, 1, 5_440, 999_999_999_999] {
            assert_eq!(times.scaled_to(total).total(), total);
        }
        assert_eq!(times.scaled_to(5_440), times);
    }
}
