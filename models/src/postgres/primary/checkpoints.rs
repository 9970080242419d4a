//! A primary's checkpoints: from the request to the files that go.
//!
//! The steps are PostgreSQL's. The redo point is the insert position at the start. When the
//! buffers are written, RUNNING_XACTS and the checkpoint's own record are inserted, and the
//! checkpointer flushes them as a commit does. Only when they are durable pg_control names the
//! new checkpoint; then slots that are too far behind are invalidated, which may have to wait for
//! their walsenders to end; then files are removed or recycled, and one is created ahead if it
//! will soon be needed.
//!
//! **Source.** `xlog.c:CreateCheckPoint`; `checkpointer.c:CheckpointerMain`.
//!
//! **Not modelled.** Creating the file ahead delays other fsyncs, but not the checkpoint's end. If
//! it fails for lack of space, PostgreSQL's checkpoint is over but does not log its end, and the
//! checkpointer sleeps for 1 s.

use super::Primary;
use crate::postgres::checkpointer::{
    Counts, Due, FileCounts, Start, dirty_buffers, next_is_missing,
};
use crate::postgres::effect::{Effect, Out};
use crate::postgres::host::Host;
use crate::postgres::wal::record;
use crate::trace::fact::{CheckpointCause, What};
use crate::units::{Bytes, Lsn, PAGE, SimTime};

impl Primary {
    /// The checkpointer's deadline has come.
    pub(super) fn checkpoint_due(&mut self, now: SimTime, host: &mut Host, out: &mut Out) {
        match self.checkpointer.due(now, self.wal.insert_lsn(), &host.files) {
            Due::Nothing => {}
            Due::Start(cause) => self.start_checkpoint(now, cause, host, out),
            Due::Record => self.insert_checkpoint(now, host),
            Due::Removal(end) => self.end_checkpoint(now, end, host, out),
        }
    }

    /// Crash recovery began at the last checkpoint's redo point and has replayed up to `end`.
    pub fn recovered(&mut self, redo: Lsn, end: Lsn) {
        self.checkpointer.recovered_from(redo);
        self.replayed = Some(end);
    }

    /// A standby has become this primary: that is its first record.
    pub fn end_recovery(&mut self, now: SimTime, host: &mut Host) {
        let end = self.wal.insert(record::END_OF_RECOVERY);
        self.wal.want(end);
        self.flush_if_wanted(now, false, host);
    }

    /// What the checkpointer has counted.
    pub fn checkpoint_counts(&self) -> Counts {
        self.checkpointer.counts()
    }

    /// Whether a checkpoint runs.
    pub fn is_checkpointing(&self) -> bool {
        self.checkpointer.is_running()
    }

    /// Somebody asks for a checkpoint: if one runs, another follows it.
    pub fn request_checkpoint(
        &mut self,
        now: SimTime,
        cause: CheckpointCause,
        host: &mut Host,
        out: &mut Out,
    ) {
        if self.checkpointer.request(now, cause) {
            self.start_checkpoint(now, cause, host, out);
        }
    }

    pub(super) fn start_checkpoint(
        &mut self,
        now: SimTime,
        cause: CheckpointCause,
        host: &mut Host,
        out: &mut Out,
    ) {
        if let Some(seconds) = self.checkpointer.too_frequent(now, cause) {
            out.fact(What::CheckpointsTooFrequent { seconds: seconds as u32 });
        }
        let (insert, redo) = (self.wal.insert_lsn(), self.wal.next_record());
        // Without page headers, as `plain_wal` is.
        let before = self.wal.usable(self.checkpointer.redo());
        let distance = Bytes(self.wal.usable(redo).0.saturating_sub(before.0));
        let buffers = match self.checkpointer.skips(CheckpointCause::TIME, insert) {
            true => 0,
            false => dirty_buffers(self.checkpointer.config(), distance, self.plain_wal),
        };
        self.plain_wal = Bytes(0);
        if let (Some(size), false) = (record::checkpoint_redo(self.version), cause.is_alone()) {
            self.wal.insert(size);
        }
        let transfer = host.disk.transfer(Bytes(buffers * PAGE));
        let start = Start { cause, redo, buffers, transfer };
        self.checkpointer.start(now, start, insert, &host.files);
        host.slots.begin_checkpoint();
        out.fact(What::CheckpointStarted { cause, redo });
        out.effect(Effect::RedoMoved);
    }

    /// Everything is written: the record follows, and the checkpointer waits until it is durable.
    fn insert_checkpoint(&mut self, now: SimTime, host: &mut Host) {
        let alone = self.checkpointer.cause().is_some_and(CheckpointCause::is_alone);
        if !alone {
            self.wal.insert(record::RUNNING_XACTS);
        }
        self.checkpoint_record = self.wal.next_record();
        let end = self.wal.insert(record::CHECKPOINT);
        self.wal.want(end);
        self.wal.note_checkpoint(self.checkpointer.redo());
        self.checkpointer.record(now, self.wal.insert_lsn());
        self.busy = true;
        self.flush_if_wanted(now, false, host);
    }

    /// WAL has become durable, perhaps the checkpoint's record.
    pub(super) fn checkpoint_flushed(&mut self, now: SimTime, host: &mut Host, out: &mut Out) {
        let Some(end) = self.checkpointer.recording() else { return };
        if host.files.flushed >= end {
            self.checkpointer.recorded(now, &mut host.files);
            host.checkpoint = self.checkpoint_record;
            self.end_checkpoint(now, end, host, out);
        }
    }

    /// Slots, then files. Comes again if a slot's walsender has to end first.
    fn end_checkpoint(&mut self, now: SimTime, end: Lsn, host: &mut Host, out: &mut Out) {
        let keep = self.checkpointer.keep_segment(end, host.slots.required(), &host.files);
        let start = Lsn(keep * host.files.size.bytes());
        if !self.invalidate_slots(now, start, host, out) {
            return self.checkpointer.wait();
        }
        let cause = self.checkpointer.cause();
        let ended = self.checkpointer.end(now, end, host.slots.required(), &mut host.files);
        let Some(mut ended) = ended else { return };
        self.checkpoints += 1;
        host.slots.note_removed(host.files.oldest - 1);
        if next_is_missing(end, &host.files) && !self.is_shutting_down() {
            create_next_file(now, &mut ended.files, host, out);
        }
        ended.tell(end, self.checkpointer.config(), out);
        self.heed_names(now, out);
        self.shutdown_checkpoint_done(cause);
        if let Some(cause) = self.checkpointer.next_request(now)
            && !self.checkpointer.skips(cause, self.wal.insert_lsn())
        {
            self.start_checkpoint(now, cause, host, out);
        }
    }
}

/// The checkpointer's `PreallocXlogFiles`. Without room for the file there is none, and nothing
/// else happens.
pub(in crate::postgres) fn create_next_file(
    now: SimTime,
    counts: &mut FileCounts,
    host: &mut Host,
    out: &mut Out,
) {
    match host.add_file(now) {
        Ok(()) => counts.added += 1,
        Err(_) => out.fact(What::NoRoomAhead),
    }
}
