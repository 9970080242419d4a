//! When the last commit up to a position was made.
//!
//! `pg_last_xact_replay_timestamp()` on a standby is the time in the last commit record that it has
//! replayed. A run keeps no time of each commit. Whoever wants to know plays the run again and
//! says up to which position: then the last commit below it is remembered, and of those that are
//! not durable yet all, because a crash may take them back.
//!
//! **Source.** `xact.c:XactLogCommitRecord` (`xact_time`), `xlogrecovery.c:SetLatestXTime`.
//!
//! **Not modelled.** Aborts, which have a time as well.

use std::collections::VecDeque;

use super::Primary;
use crate::units::{Lsn, SimTime, UsableBytes};

/// The search for a commit.
#[derive(Clone, Debug)]
pub struct LastCommit {
    upto: UsableBytes,
    /// Ends and times: the last one that is durable, then those that are not.
    found: VecDeque<(UsableBytes, SimTime)>,
}

impl LastCommit {
    /// A search for the last commit that ends at `upto` or below.
    pub fn new(upto: UsableBytes) -> LastCommit {
        LastCommit { upto, found: VecDeque::new() }
    }

    /// A commit at `at`, when everything up to `flushed` was durable.
    pub(super) fn note(&mut self, end: UsableBytes, at: SimTime, flushed: UsableBytes) {
        if end <= self.upto {
            self.found.push_back((end, at));
            while self.found.get(1).is_some_and(|&(end, _)| end <= flushed) {
                self.found.pop_front();
            }
        }
    }

    /// Only the WAL up to here is left.
    pub fn cut(&mut self, survived: UsableBytes) {
        while self.found.back().is_some_and(|&(end, _)| end > survived) {
            self.found.pop_back();
        }
    }

    /// The end of the last commit so far, and when it was made.
    pub fn found(&self) -> Option<(UsableBytes, SimTime)> {
        self.found.back().copied()
    }
}

impl Primary {
    /// Commits are noted from now on.
    pub fn look_for_commit(&mut self, search: Box<LastCommit>) {
        self.last_commit = Some(search);
    }

    /// The search, which somebody has begun.
    pub fn last_commit(&self) -> Option<&LastCommit> {
        self.last_commit.as_deref()
    }

    /// The processes are gone; the search goes on with those that come.
    pub fn take_last_commit(&mut self, survived: Lsn) -> Option<Box<LastCommit>> {
        let mut search = self.last_commit.take()?;
        search.cut(self.wal.usable(survived));
        Some(search)
    }
}
