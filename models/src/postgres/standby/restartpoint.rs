//! A standby's restartpoints: checkpoints without a record of their own.
//!
//! A standby cannot write WAL, so it can only make a checkpoint of one that its primary has made:
//! of the newest checkpoint record it has replayed. The checkpointer's timer and the share of
//! `max_wal_size`, here of what is replayed, ask for one; if no new record has come since the
//! last, it is tried again after 15 s. At its end files are removed or recycled as on a primary,
//! and from now on a restart replays from its redo point.
//!
//! **Source.** `xlog.c:CreateRestartPoint`, `RecoveryRestartPoint`; `xlogrecovery.c:XLogPageRead`.
//!
//! **Not modelled.** Checkpoint records in local WAL that is replayed after a restart: the first
//! restartpoint after one waits for a record from the stream.

use super::Standby;
use crate::postgres::checkpointer::{Counts, Due, Start, dirty_buffers, next_is_missing};
use crate::postgres::effect::Out;
use crate::postgres::host::Host;
use crate::postgres::primary::create_next_file;
use crate::trace::fact::{CheckpointCause, What};
use crate::units::{Bytes, Lsn, PAGE, SimTime};

impl Standby {
    /// Notes the newest checkpoint record that is replayed.
    pub(super) fn note_checkpoint(&mut self, now: SimTime) {
        if let Some(redo) = self.receiver.replayed_checkpoint(self.startup.reached(now)) {
            self.checkpoint = self.checkpoint.max(redo);
        }
    }

    /// Whether replay has come into another segment since it was last asked, and that makes a
    /// restartpoint. A stream asks at the end of each flush: that is a moment of its own whether
    /// or not the ends of replay are.
    pub(super) fn look_at_segments(&mut self, now: SimTime, host: &mut Host, out: &mut Out) {
        let replayed = self.startup.reached(now);
        let segment = replayed.segment(host.files.size);
        if segment > self.segment {
            self.segment = segment;
            let done = segment - 1;
            if let Some(cause) = self.checkpointer.completed(now, done, replayed, &host.files) {
                self.start_restartpoint(now, cause, host, out);
            }
        }
    }

    /// What the checkpointer has counted.
    pub fn checkpoint_counts(&self) -> Counts {
        self.checkpointer.counts()
    }

    /// The checkpointer's deadline has come.
    pub(super) fn restartpoint_due(&mut self, now: SimTime, host: &mut Host, out: &mut Out) {
        match self.checkpointer.due(now, self.startup.reached(now), &host.files) {
            Due::Nothing => {}
            Due::Start(cause) => self.start_restartpoint(now, cause, host, out),
            Due::Record | Due::Removal(_) => self.end_restartpoint(now, host, out),
        }
    }

    /// `CHECKPOINT` on a standby.
    pub fn request_restartpoint(&mut self, now: SimTime, host: &mut Host, out: &mut Out) {
        let cause = CheckpointCause::RESTARTPOINT;
        if self.checkpointer.request(now, cause) {
            self.start_restartpoint(now, cause, host, out);
        }
    }

    /// The last one before the server ends, if there is a record to make it of.
    pub(super) fn shutdown_restartpoint(&mut self, now: SimTime, host: &mut Host, out: &mut Out) {
        if self.checkpointer.is_running() {
            self.end_restartpoint(now, host, out);
        }
        self.checkpointer.count_request(CheckpointCause::SHUTDOWN);
        if !self.checkpointer.is_running() {
            self.start_restartpoint(now, CheckpointCause::SHUTDOWN, host, out);
        }
        if self.checkpointer.is_running() {
            self.end_restartpoint(now, host, out);
        }
    }

    fn start_restartpoint(
        &mut self,
        now: SimTime,
        cause: CheckpointCause,
        host: &mut Host,
        out: &mut Out,
    ) {
        self.note_checkpoint(now);
        let (redo, replayed) = (self.checkpoint, self.startup.reached(now));
        if redo <= self.checkpointer.redo() {
            return self.checkpointer.no_restartpoint(now);
        }
        // Assumption: replay dirties a buffer with every 8 kB, whatever made the WAL.
        let distance = redo.since(self.checkpointer.redo());
        let buffers = dirty_buffers(self.checkpointer.config(), distance, Bytes(0));
        let transfer = host.disk.transfer(Bytes(buffers * PAGE));
        let start = Start { cause, redo, buffers, transfer };
        self.checkpointer.start(now, start, replayed, &host.files);
        host.slots.begin_checkpoint();
        out.fact(What::CheckpointStarted { cause, redo });
    }

    fn end_restartpoint(&mut self, now: SimTime, host: &mut Host, out: &mut Out) {
        // Nothing is recorded, and nothing is ever too little to make another.
        self.checkpointer.record(now, Lsn::INVALID);
        self.checkpointer.recorded(now, &mut host.files);
        host.checkpoint = self.checkpointer.redo();
        let end = host.files.flushed.max(self.startup.reached(now));
        let keep = self.checkpointer.keep_segment(end, host.slots.required(), &host.files);
        let start = Lsn(keep * host.files.size.bytes());
        // No walsender runs here that might own one.
        if host.slots.invalidate_free(now, start, self.idle_slot_timeout, out) {
            host.slots.require_again();
        }
        let ended = self.checkpointer.end(now, end, host.slots.required(), &mut host.files);
        let Some(mut ended) = ended else { return };
        self.restartpoints += 1;
        host.slots.note_removed(host.files.oldest.saturating_sub(1));
        if next_is_missing(end, &host.files) {
            create_next_file(now, &mut ended.files, host, out);
        }
        ended.tell(end, self.checkpointer.config(), out);
        if let Some(cause) = self.checkpointer.next_request(now) {
            self.start_restartpoint(now, cause, host, out);
        }
    }
}
