//! The laws that every run is held against, as a closed list, and how one was broken.
//!
//! A law says what PostgreSQL never lets happen, whatever befalls its servers. A run that breaks
//! one shows a bug of Walden, not of the cluster: its verdict is `failed`, and its numbers are not
//! to be believed. Who looks, and when, is in `sim/src/checkers`.
//!
//! **Source.** The invariants of the manual and of the source, named with each law.
//!
//! **Not modelled.** Laws of what does not exist yet: one writable primary, and what a promotion
//! may lose.

use serde::Serialize;

use super::fact::{Fact, ServerId};
use super::summary::LawSummary;
use crate::units::SimTime;

/// Something that never happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Law {
    /// Commits are answered only when they are where their level promises them.
    CommitLevel,
    /// A crash of the primary takes back no commit that was answered at `local` or above.
    CommitDurability,
    /// Every commit that was attempted is accounted for.
    CommitCount,
    /// flush <= write <= insert.
    WalOrder,
    /// Only flushed WAL is sent, without a gap, and standbys hold nothing else.
    StreamOrder,
    /// Only flushed WAL is replayed.
    ReplayOrder,
    /// Views never show more of a standby than it has.
    StandbyReport,
    /// What is needed is not removed.
    WalKept,
    /// Slots are invalidated only beyond their bounds.
    SlotInvalidation,
    /// The files of pg_wal add up.
    WalFiles,
    /// Time and positions go forward.
    Forward,
}

impl Law {
    /// All of them, in the order in which they are reported.
    pub const ALL: [Law; 11] = [
        Law::CommitLevel,
        Law::CommitDurability,
        Law::CommitCount,
        Law::WalOrder,
        Law::StreamOrder,
        Law::ReplayOrder,
        Law::StandbyReport,
        Law::WalKept,
        Law::SlotInvalidation,
        Law::WalFiles,
        Law::Forward,
    ];

    /// Its name in `summary.json` and in `[expect]`.
    pub fn name(self) -> &'static str {
        match self {
            Law::CommitLevel => "commit_level",
            Law::CommitDurability => "commit_durability",
            Law::CommitCount => "commit_count",
            Law::WalOrder => "wal_order",
            Law::StreamOrder => "stream_order",
            Law::ReplayOrder => "replay_order",
            Law::StandbyReport => "standby_report",
            Law::WalKept => "wal_kept",
            Law::SlotInvalidation => "slot_invalidation",
            Law::WalFiles => "wal_files",
            Law::Forward => "forward",
        }
    }

    /// What it says.
    pub fn doc(self) -> &'static str {
        match self {
            Law::CommitLevel => {
                "A commit is answered only when it is where its synchronous_commit promises it: \
                 off: inserted; local: flushed by the primary; remote_write, on, remote_apply: \
                 also written, flushed, replayed by the standbys that synchronous_standby_names \
                 asks for at that moment, by these standbys' own state."
            }
            Law::CommitDurability => {
                "No commit that was answered at local or above is lost when the primary's \
                 processes or its host crash."
            }
            Law::CommitCount => {
                "Every commit that was attempted is acknowledged, unknown, refused or waiting."
            }
            Law::WalOrder => "flush_lsn <= write_lsn <= insert_lsn on every server.",
            Law::StreamOrder => {
                "A walsender sends only what its server has flushed, each message where the last \
                 one ended; a standby has no WAL that its upstream has not flushed."
            }
            Law::ReplayOrder => "A standby replays only what it has flushed.",
            Law::StandbyReport => {
                "What a primary knows of a standby (write_lsn, flush_lsn, replay_lsn) and the \
                 restart_lsn of its slot never exceed what the standby really had."
            }
            Law::WalKept => {
                "A checkpoint removes no WAL that the redo point, wal_keep_size or a valid slot \
                 within max_slot_wal_keep_size needs."
            }
            Law::SlotInvalidation => {
                "A slot is invalidated only if it is further behind than max_slot_wal_keep_size, \
                 has gone back during the checkpoint, or was idle for too long; until 15 only a \
                 standby that returns revives it, later nothing does."
            }
            Law::WalFiles => {
                "The files of pg_wal are those there were, plus those created, less those \
                 removed; all from the redo point to the flush position exist."
            }
            Law::Forward => {
                "Time, timelines, flushed WAL, redo points and the oldest file never go back; \
                 insert, replay and released positions only with a restart."
            }
        }
    }
}

/// A law was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub law: Law,
    /// When that was seen.
    pub at: SimTime,
    /// On which server.
    pub server: ServerId,
    /// What was found, with the values.
    pub found: String,
    /// What happened last before, in order.
    pub before: Vec<Fact>,
}

/// The violations of a run: the first few of each law, and how many there were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violations {
    kept: Vec<Violation>,
    counts: [u64; Law::ALL.len()],
}

impl Violations {
    /// How many of each law are kept.
    pub const KEPT: u64 = 3;

    /// Counts a violation, and keeps it if it is one of the first.
    pub fn push(&mut self, law: Law, violation: impl FnOnce() -> Violation) {
        let count = &mut self.counts[law as usize];
        if *count < Violations::KEPT {
            self.kept.push(violation());
        }
        *count += 1;
    }

    /// Those that were kept, in order of time.
    pub fn iter(&self) -> std::slice::Iter<'_, Violation> {
        self.kept.iter()
    }

    /// How often a law was broken.
    pub fn count(&self, law: Law) -> u64 {
        self.counts[law as usize]
    }

    /// A line a law.
    pub fn summary(&self) -> Vec<LawSummary> {
        let line = |law: Law| {
            let violations = self.count(law);
            LawSummary { name: law.name(), held: violations == 0, violations }
        };
        Law::ALL.into_iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws_are_listed_once_each_in_the_order_of_their_numbers() {
        for (number, law) in Law::ALL.into_iter().enumerate() {
            assert_eq!(law as usize, number, "{law:?}");
            let serialized = serde_json::to_value(law).expect("a word");
            assert_eq!(serialized, law.name());
        }
    }
}
