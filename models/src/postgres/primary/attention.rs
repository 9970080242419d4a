//! What somebody wants to know of a primary's commits that no run keeps.
//!
//! Whoever wants it plays a run again and says so: then the commits around some positions are
//! searched for, or those of a window of time are noted, with the flushes that made them durable.
//!
//! **Source.** Walden's own.
//!
//! **Not modelled.** As in [`super::commit_search`].

use super::{CommitSearch, Primary};
use crate::trace::flow::{Flush, Inserted, Window};
use crate::units::{Lsn, SimTime, UsableBytes};

/// What is looked for.
#[derive(Clone, Debug, Default)]
pub struct Attention {
    /// The commits around some positions.
    pub search: Option<CommitSearch>,
    /// Commits and flushes of a window.
    pub notes: Option<Notes>,
}

/// Commits and flushes of a window.
#[derive(Clone, Debug)]
pub struct Notes {
    window: Window,
    /// When the flush in progress began.
    began: SimTime,
    /// Commit records that were inserted in the window.
    pub inserted: Vec<Inserted>,
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
    /// A commit, when everything up to `flushed` was durable.
    #[cold]
    pub(super) fn commit(&mut self, inserted: Inserted, flushed: UsableBytes) {
        let Inserted { at, end, .. } = inserted;
        if let Some(search) = &mut self.search {
            search.note(end, at, flushed);
        }
        if let Some(notes) = &mut self.notes
            && notes.window.has(at)
        {
            notes.inserted.push(inserted);
        }
    }

    /// A flush begins.
    #[cold]
    pub(super) fn flush_began(&mut self, at: SimTime) {
        if let Some(notes) = &mut self.notes {
            notes.began = at;
        }
    }

    /// A part of it is over.
    #[cold]
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
        if let Some(search) = &mut self.search {
            search.cut(survived);
        }
    }
}

impl Primary {
    /// Commits are noted from now on.
    pub fn attend(&mut self) -> &mut Attention {
        self.attention.get_or_insert_default()
    }

    /// Goes on with what a primary before this one had found.
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
