//! What operators write into a primary's WAL: `pg_switch_wal()`, and WAL in large amounts.
//!
//! A large amount does not fit into wal_buffers. Who inserts it writes out the pages in front of
//! him as he goes, and fsyncs each segment that he completes; so it is taken segment by segment:
//! each is inserted whole, and the next one begins when it is durable. Only what a commit asks
//! for is flushed beyond that; the rest is left to the walwriter.
//!
//! **Source.** `xlog.c:ReserveXLogSwitch`, `AdvanceXLInsertBuffer`, `XLogWrite`;
//! `pg_logical_emit_message` for what such WAL is made of.
//!
//! **Not modelled.** The time to make the WAL and to copy it: it costs its fsyncs. A segment is
//! fsynced when its last byte is inserted, where PostgreSQL gets there up to wal_buffers later.

use super::Primary;
use crate::postgres::host::Host;
use crate::postgres::wal::record;
use crate::trace::flow::Inserted;
use crate::units::{Bytes, Lsn, SimTime, UsableBytes};

/// WAL that an operator wants written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// So much more, and then a commit.
    Write(Bytes),
    /// Until the insert position is here.
    WriteTo(Lsn),
}

impl Primary {
    /// `pg_switch_wal()`: nothing at the start of a segment; else the rest of it is zeroes, which
    /// are written, flushed and streamed like any WAL.
    pub fn switch_wal(&mut self, now: SimTime, host: &mut Host) {
        if self.wal.switch() {
            self.wal.want(self.wal.inserted());
            self.flush_if_wanted(now, false, host);
        }
    }

    /// An operator wants WAL written.
    pub fn write(&mut self, now: SimTime, job: Job, host: &mut Host) {
        self.jobs.push_back(job);
        self.go_on_writing(now, host);
    }

    /// Inserts as far as it can without waiting for a flush.
    pub(super) fn go_on_writing(&mut self, now: SimTime, host: &mut Host) {
        while let Some(job) = self.jobs.front_mut() {
            let size = host.files.size;
            let at = self.wal.inserted();
            // A finished segment is durable before the next begins.
            if at.is_segment_start(size) && self.wal.unflushed() > Bytes(0) {
                if !self.wal.flushing() {
                    self.stages.flush_began(now);
                    self.wal.begin_flush(now, &mut host.files, &mut host.disk);
                }
                break;
            }
            let left = match job {
                Job::Write(left) => *left,
                Job::WriteTo(lsn) => {
                    Bytes(UsableBytes::reaching(*lsn, size).0.saturating_sub(at.0))
                }
            };
            let end = at.after(left).min(at.segment_end(size));
            let part = Bytes(end.0 - at.0);
            // Whoever holds WALWriteLock must let go before pages can make room.
            if self.wal.flushing() && !self.wal.has_room(part) {
                break;
            }
            if let Job::Write(left) = job {
                left.0 = left.0.saturating_sub(part.0);
            }
            self.plain_wal.0 += part.0;
            self.wal.insert_up_to(end);
            self.wal.make_room(&mut host.files);
            if left <= part {
                self.finish_job(now, host);
            }
        }
        self.busy |= !self.jobs.is_empty();
    }

    fn finish_job(&mut self, now: SimTime, host: &mut Host) {
        match self.jobs.pop_front() {
            Some(Job::Write(_)) => {
                let end = self.wal.insert(record::COMMIT);
                self.wal.want(end);
                self.note_commit(Inserted { at: now, end, level: None });
                self.written = end;
                self.flush_if_wanted(now, false, host);
            }
            // Without a commit record the end of a transaction is the walwriter's business
            // (`XLogSetAsyncXactLSN`).
            Some(Job::WriteTo(_)) => {
                self.wal.want_soon(self.wal.inserted());
                self.walwriter.asynchronous_commit(now, self.version, &self.wal);
            }
            None => {}
        }
    }

    /// Whether something that operators want written is not, or not yet durable with its commit.
    pub fn is_writing(&self) -> bool {
        !self.jobs.is_empty() || self.written > self.wal.flushed()
    }
}
