//! The walwriter: makes WAL durable that nobody waits for.
//!
//! Every `wal_writer_delay` it looks for complete pages that are not written, and, if there are
//! none, for the end of the newest commit that was answered early. It always writes what it
//! found; it fsyncs only if the last time is `wal_writer_delay` ago or `wal_writer_flush_after`
//! has piled up. After fifty useless rounds it sleeps 25 times as long, until such a commit wakes
//! it. Up to 16 such a commit also wakes it whenever a page is complete and not written, so that
//! a crash of the processes alone loses no more than a page or two.
//!
//! **Source.** `walwriter.c:WalWriterMain`, `xlog.c:XLogBackgroundFlush`, `XLogSetAsyncXactLSN`.
//!
//! **Not modelled.** If a backend is flushing when the walwriter's round comes, it leaves the work
//! to that flush instead of waiting for its turn.

use super::PgVersion;
use super::wal::{Wal, WalFiles};
use crate::units::{Bytes, Duration, Lsn, SimTime};

/// The walwriter of a running primary.
#[derive(Clone, Debug)]
pub struct WalWriter {
    delay: Duration,
    flush_after: Bytes,
    next: SimTime,
    last_flush: SimTime,
    useless_rounds: u32,
}

/// What a round decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// Nothing to do.
    Rest,
    /// Hand WAL up to here to the operating system.
    Write(Lsn),
    /// Write and fsync up to here.
    Flush(Lsn),
}

/// `LOOPS_UNTIL_HIBERNATE`.
const LOOPS_UNTIL_HIBERNATE: u32 = 50;
/// `HIBERNATE_FACTOR`.
const HIBERNATE_FACTOR: u64 = 25;

impl WalWriter {
    /// A walwriter that starts at `now`.
    pub fn new(now: SimTime, delay: Duration, flush_after: Bytes) -> WalWriter {
        WalWriter { delay, flush_after, next: now + delay, last_flush: now, useless_rounds: 0 }
    }

    /// Its settings have changed.
    pub fn reload(&mut self, delay: Duration, flush_after: Bytes) {
        (self.delay, self.flush_after) = (delay, flush_after);
    }

    /// When the next round is due.
    pub fn next_deadline(&self) -> SimTime {
        self.next
    }

    /// A commit was answered early: wakes a hibernating walwriter, or one that has enough to do:
    /// a whole page from 17 on only if `wal_writer_flush_after` has piled up, before at once.
    pub fn asynchronous_commit(&mut self, now: SimTime, version: PgVersion, wal: &Wal) {
        let unflushed = wal.unflushed();
        if version.major() < 17 && wal.has_unwritten_page() && !wal.flushing() {
            self.useless_rounds = 0;
            self.next = self.next.min(now);
        }
        if self.useless_rounds >= LOOPS_UNTIL_HIBERNATE || unflushed >= self.flush_after {
            self.useless_rounds = 0;
            self.next = self.next.min(now);
        }
    }

    /// One round.
    pub fn round(&mut self, now: SimTime, wal: &Wal, files: &WalFiles) -> Round {
        let pages = wal.insert_lsn().page_start();
        let target = if pages > files.flushed { pages } else { wal.asynchronous() };
        let useful = target > files.flushed;
        self.useless_rounds = if useful { 0 } else { self.useless_rounds.saturating_add(1) };
        let hibernates = self.useless_rounds >= LOOPS_UNTIL_HIBERNATE;
        self.next = now + Duration(self.delay.0 * if hibernates { HIBERNATE_FACTOR } else { 1 });
        if !useful || wal.flushing() {
            return Round::Rest;
        }
        let enough = target.since(files.flushed.page_start()) >= self.flush_after;
        if enough || now.since(self.last_flush) >= self.delay {
            self.last_flush = now;
            Round::Flush(target)
        } else {
            Round::Write(target)
        }
    }
}
