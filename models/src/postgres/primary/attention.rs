//! What somebody wants to know of a primary's commits that no run keeps.
//!
//! Two things are looked for, each in a run that is played again for it. When the last commit up to
//! a position was made: `pg_last_xact_replay_timestamp()` on a standby is the time in the last
//! commit record that it has replayed; the last one below the position is remembered, and of those
//! that are not durable yet all, because a crash may take them back. And when commits of a window
//! of time were inserted and flushed.
//!
//! **Source.** `xact.c:XactLogCommitRecord` (`xact_time`), `xlogrecovery.c:SetLatestXTime`.
//!
//! **Not modelled.** Aborts, which have a time as well.

use std::collections::VecDeque;

use super::Primary;
use crate::trace::flow::{Flush, Window};
use crate::units::{Lsn, SimTime, UsableBytes};

/// What is looked for.
#[derive(Clone, Debug, Default)]
pub struct Attention {
    /// The last commit up to a position.
    pub last_commit: Option<LastCommit>,
    /// Commits and flushes of a window.
    pub notes: Option<Notes>,
}

/// Commits and flushes of a window.
#[derive(Clone, Debug)]
pub struct Notes {
    window: Window,
    /// When the flush in progress began.
    began: SimTime,
    /// Commit records: when they were inserted, and where they end.
    pub inserted: Vec<(SimTime, UsableBytes)>,
    /// Flushes that were over in the window.
    pub flushes: Vec<Flush>,
}

impl Notes {
    /// Nothing yet.
    pub fn new(window: Window) -> Notes {
        Notes { window, began: SimTime::ZERO, inserted: Vec::new(), flushes: Vec::new() }
    }
}

impl Attention {
    /// A commit at `at`, when everything up to `flushed` was durable.
    pub(super) fn commit(&mut self, end: UsableBytes, at: SimTime, flushed: UsableBytes) {
        if let Some(search) = &mut self.last_commit {
            search.note(end, at, flushed);
        }
        if let Some(notes) = &mut self.notes
            && notes.window.has(at)
        {
            notes.inserted.push((at, end));
        }
    }

    /// A flush begins.
    pub(super) fn flush_began(&mut self, at: SimTime) {
        if let Some(notes) = &mut self.notes {
            notes.began = at;
        }
    }

    /// A part of it is over.
    pub(super) fn flushed(&mut self, done: SimTime, (from, to): (UsableBytes, UsableBytes)) {
        if let Some(notes) = &mut self.notes {
            if notes.window.has(done) {
                notes.flushes.push(Flush { began: notes.began, done, from, to });
            }
            // A flush of several segments goes on with the next.
            notes.began = done;
        }
    }

    /// Only the WAL up to here is left.
    fn cut(&mut self, survived: UsableBytes) {
        if let Some(search) = &mut self.last_commit {
            search.cut(survived);
        }
    }
}

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
    pub fn pay_attention(&mut self, attention: Box<Attention>) {
        self.attention = Some(attention);
    }

    /// What was found, if somebody looks.
    pub fn attention(&self) -> Option<&Attention> {
        self.attention.as_deref()
    }

    /// The processes are gone; the search goes on with those that come.
    pub fn take_attention(&mut self, survived: Lsn) -> Option<Box<Attention>> {
        let mut attention = self.attention.take()?;
        attention.cut(self.wal.usable(survived));
        Some(attention)
    }
}
