//! The write-ahead log of one server: positions, the flush that commits share, and its files.
//!
//! Three positions move on: *insert* (reserved and filled), *write* (handed to the operating
//! system) and *flush* (durable), never one past the one before. Who wants its WAL durable calls
//! `XLogFlush`: one backend at a time holds WALWriteLock, writes and fsyncs everything inserted
//! when it looks, and lets go; whoever slept meanwhile looks again, and most find that their WAL
//! went along. That sharing is *group commit*. The models keep the consequence, not the lock: a
//! flush is in progress or it is not, and when one ends with a commit still wanting, the next
//! begins at once, up to everything inserted by then.
//!
//! A flush that crosses the end of a segment is several steps: PostgreSQL fsyncs a segment as
//! soon as its last page is written, and then goes on in the next file, which it may first have
//! to create: zero-filled and fsynced in the foreground. If the volume is full it cannot: whoever
//! writes dies, and all of PostgreSQL with it. What lies in segments that exist is written before.
//!
//! **Source.** `xlog.c:XLogFlush`, `XLogWrite`, `XLogFileInit`, `XLogBackgroundFlush` (13 to 18).
//!
//! **Not modelled.** The WAL insertion locks; the write() of a flush, which takes no time of its
//! own beside the fsync that follows it; a step's flush position becomes visible when the step
//! ends, where PostgreSQL may publish it only with the last step.

use super::PgVersion;
use crate::disk::{Disk, Moved};
use crate::units::{Bytes, Lsn, PAGE, SegmentSize, SimTime, UsableBytes};

/// What is on a server's disk: all that survives when its processes die, and with
/// [`WalFiles::power_cut`] when its host does.
///
/// Invariants: `flushed <= written` on a primary; `oldest <= newest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalFiles {
    /// Segment size of the cluster.
    pub size: SegmentSize,
    /// End of what was handed to the operating system.
    pub written: Lsn,
    /// End of what is durable.
    pub flushed: Lsn,
    /// Number of the oldest segment file.
    pub oldest: u64,
    /// Number of the newest file, recycled ones that wait for their turn included.
    pub newest: u64,
    /// Redo point of the last completed checkpoint or restartpoint (pg_control).
    pub redo: Lsn,
    /// How much room their volume has.
    pub room: Room,
}

/// How much room a volume has for files of pg_wal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// No more files than these fit.
    pub most: u64,
    /// Somebody else has filled it: nothing can be created.
    pub full: bool,
}

/// `ENOSPC`: a file could not be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSpace;

impl Default for Room {
    /// No end of it.
    fn default() -> Room {
        Room { most: u64::MAX, full: false }
    }
}

impl WalFiles {
    /// Bytes of the files in pg_wal.
    pub fn bytes(&self) -> Bytes {
        Bytes((self.newest + 1 - self.oldest) << self.size.bytes().trailing_zeros())
    }

    /// The host died: what the kernel had not written is gone.
    pub fn power_cut(&mut self) {
        self.written = self.written.min(self.flushed);
        self.flushed = self.written;
    }

    /// Creates the files up to the one that holds the byte before `end`, or as many as there is
    /// room for; how many were missing.
    #[inline]
    pub fn extend_to(&mut self, end: Lsn) -> Result<u64, NoSpace> {
        let missing = end.previous_segment(self.size).saturating_sub(self.newest);
        if missing == 0 {
            return Ok(0);
        }
        let created = missing.min(self.free());
        self.newest += created;
        if created < missing { Err(NoSpace) } else { Ok(missing) }
    }

    /// Creates the file behind the newest (`PreallocXlogFiles`).
    pub fn add(&mut self) -> Result<(), NoSpace> {
        if self.free() == 0 {
            return Err(NoSpace);
        }
        self.newest += 1;
        Ok(())
    }

    /// How many files can be created.
    fn free(&self) -> u64 {
        match self.room.full {
            true => 0,
            false => self.room.most.saturating_sub(self.newest + 1 - self.oldest),
        }
    }

    /// Whether a write up to `end` would need a file that cannot be created.
    #[inline]
    pub fn lack_room_for(&self, end: Lsn) -> bool {
        let last = end.previous_segment(self.size);
        last > self.newest && last - self.newest > self.free()
    }

    /// End of the newest file.
    pub fn end(&self) -> Lsn {
        Lsn((self.newest + 1) * self.size.bytes())
    }
}

/// The log of a running primary: what lies in shared memory.
#[derive(Clone, Debug)]
pub struct Wal {
    size: SegmentSize,
    buffers: Bytes,
    insert: UsableBytes,
    /// [`WalFiles::written`] and [`WalFiles::flushed`] as usable positions.
    written: UsableBytes,
    flushed: UsableBytes,
    /// End of the newest commit that asked the walwriter to flush it (`asyncXactLSN`).
    asynchronous: UsableBytes,
    /// End of the newest record that somebody waits for.
    wanted: UsableBytes,
    /// The flush in progress: who holds WALWriteLock.
    flush: Option<Flush>,
    /// Checkpoint records not yet passed on: (end of the record, its redo point).
    checkpoints: Vec<(Lsn, Lsn)>,
    /// Where this life began to insert.
    began: UsableBytes,
    syncs: u64,
}

/// A flush in progress.
#[derive(Clone, Copy, Debug)]
struct Flush {
    /// How far it goes in all.
    target: Lsn,
    /// How far the current step goes; below `target` if a segment ends in between.
    step: Lsn,
    /// The same as a usable position.
    usable: UsableBytes,
    /// When the step, or the sleep of commit_delay before the first, is over.
    done: SimTime,
    /// The owner sleeps commit_delay before it looks how far it can go.
    delaying: bool,
    /// It needs a file that cannot be created.
    fails: bool,
}

/// What the end of a step brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepDone {
    /// The flush position now.
    pub flushed: Lsn,
    /// Whether the whole flush is over, and WALWriteLock free.
    pub released: bool,
    /// The segment that this step completed.
    pub completed: Option<u64>,
    /// There was no room for the next file: the process dies.
    pub failed: bool,
}

/// Records of which only the size matters here (`postgres.md` 1.3), before alignment.
pub mod record {
    use super::{Bytes, PgVersion};

    /// COMMIT: 34 bytes, 38 with the flag that `remote_apply` sets; both align to 40.
    pub const COMMIT: Bytes = Bytes(34);
    /// The same, aligned.
    pub const COMMIT_ALIGNED: Bytes = Bytes(40);

    /// CHECKPOINT_REDO at the redo point of an online checkpoint (17 and later).
    pub fn checkpoint_redo(version: PgVersion) -> Option<Bytes> {
        (version.major() >= 17).then_some(Bytes(30))
    }

    /// RUNNING_XACTS, when no transaction is open.
    pub const RUNNING_XACTS: Bytes = Bytes(50);
    /// END_OF_RECOVERY.
    pub const END_OF_RECOVERY: Bytes = Bytes(42);
    /// SWITCH.
    pub const SWITCH: Bytes = Bytes(24);
    /// CHECKPOINT_ONLINE and CHECKPOINT_SHUTDOWN.
    pub const CHECKPOINT: Bytes = Bytes(114);
}

impl Wal {
    /// The log of a server that starts, with everything up to `end` durable.
    pub fn new(size: SegmentSize, buffers: Bytes, end: Lsn) -> Wal {
        let insert = UsableBytes::from_lsn(end, size);
        Wal {
            size,
            buffers,
            insert,
            written: insert,
            flushed: insert,
            asynchronous: insert,
            wanted: insert,
            flush: None,
            checkpoints: Vec::new(),
            began: insert,
            syncs: 0,
        }
    }

    /// End of everything inserted (`pg_current_wal_insert_lsn()`).
    pub fn insert_lsn(&self) -> Lsn {
        self.insert.end_lsn(self.size)
    }

    /// What was inserted since the server started: records, each rounded up to 8 bytes.
    pub fn made(&self) -> Bytes {
        Bytes(self.insert.0 - self.began.0)
    }

    /// How many fsyncs flushes have ended with since the server started.
    pub fn syncs(&self) -> u64 {
        self.syncs
    }

    /// Where the next record would start: the redo point of a checkpoint that begins now.
    pub fn next_record(&self) -> Lsn {
        self.insert.start_lsn(self.size)
    }

    /// The usable position of an LSN, to compare with ends of commits.
    #[inline]
    pub fn usable(&self, lsn: Lsn) -> UsableBytes {
        UsableBytes::from_lsn(lsn, self.size)
    }

    /// Whether `bytes` more fit into wal_buffers, or a backend has to wait until some are written.
    #[inline]
    pub fn has_room(&self, bytes: Bytes) -> bool {
        let unwritten = self.insert.0.saturating_sub(self.written.0);
        unwritten == 0 || unwritten + bytes.0 <= self.buffers.0
    }

    /// Inserts records of `bytes` in all; returns their end.
    #[inline]
    pub fn insert(&mut self, bytes: Bytes) -> UsableBytes {
        self.insert = self.insert.after(bytes);
        self.insert
    }

    /// End of everything inserted, to compare with ends of commits.
    pub fn inserted(&self) -> UsableBytes {
        self.insert
    }

    /// How many times at least wal_buffers have room for records of `bytes` in all.
    pub fn room_for(&self, bytes: Bytes) -> u64 {
        let free = (self.written.0 + self.buffers.0).saturating_sub(self.insert.0);
        free / UsableBytes(0).after(bytes).0.max(1)
    }

    /// A switch record, unless a segment begins here: the rest of the segment is used up
    /// (`ReserveXLogSwitch`). Whether there was anything to do.
    pub fn switch(&mut self) -> bool {
        if self.insert.is_segment_start(self.size) {
            return false;
        }
        let end = self.insert.after(record::SWITCH);
        self.insert =
            if end.is_segment_start(self.size) { end } else { end.segment_end(self.size) };
        true
    }

    /// Writes pages out, without an fsync, until wal_buffers hold all that is not written. Never
    /// beyond the segment of what is written: finishing that takes an fsync.
    pub fn make_room(&mut self, files: &mut WalFiles) {
        let target = UsableBytes(self.insert.0.saturating_sub(self.buffers.0));
        let target = target.min(self.written.segment_end(self.size));
        // Without room for its file the flush to come will say so.
        if target > self.written && !files.lack_room_for(target.end_lsn(self.size)) {
            let target = target.end_lsn(self.size).page_start();
            files.written = files.written.max(target);
            self.written = self.usable(files.written);
        }
    }

    /// Records were inserted that end here.
    pub fn insert_up_to(&mut self, end: UsableBytes) {
        self.insert = self.insert.max(end);
    }

    /// Notes a checkpoint record that ends at the insert position.
    pub fn note_checkpoint(&mut self, redo: Lsn) {
        if self.checkpoints.len() == CHECKPOINTS_KEPT {
            self.checkpoints.remove(0);
        }
        self.checkpoints.push((self.insert_lsn(), redo));
    }

    /// The redo point of the last checkpoint record that ends in (`start`, `end`]; invalid if
    /// there is none.
    pub fn checkpoint_between(&self, start: Lsn, end: Lsn) -> Lsn {
        let mut newer = self.checkpoints.iter().rev().take_while(|(at, _)| start < *at);
        newer.find(|(at, _)| *at <= end).map_or(Lsn::INVALID, |&(_, redo)| redo)
    }

    /// Somebody waits until `end` is durable.
    #[inline]
    pub fn want(&mut self, end: UsableBytes) {
        self.wanted = self.wanted.max(end);
    }

    /// A commit that nobody waits for ends here; the walwriter is to flush it.
    pub fn want_soon(&mut self, end: UsableBytes) {
        self.asynchronous = self.asynchronous.max(end);
    }

    /// End of the newest commit that nobody waits for.
    pub fn asynchronous(&self) -> Lsn {
        self.asynchronous.end_lsn(self.size)
    }

    /// Whether a page is complete, with the end of a commit that nobody waits for behind it, and
    /// not yet with the operating system.
    pub fn has_unwritten_page(&self) -> bool {
        self.asynchronous().page_start() > self.written.end_lsn(self.size)
    }

    /// Inserted bytes that are not durable.
    pub fn unflushed(&self) -> Bytes {
        Bytes(self.insert.0.saturating_sub(self.flushed.0))
    }

    /// The flush position, to compare with ends of commits.
    pub fn flushed(&self) -> UsableBytes {
        self.flushed
    }

    /// Hands WAL up to `target` to the operating system, without an fsync.
    pub fn write(&mut self, now: SimTime, target: Lsn, files: &mut WalFiles) {
        let target = files.written.max(target);
        match files.extend_to(target) {
            Ok(_) => files.written = target,
            Err(NoSpace) => {
                files.written = files.end();
                self.flush = Some(self.fail(now, target, files));
            }
        }
        self.written = self.usable(files.written);
    }

    /// Whoever holds WALWriteLock cannot create a file, and finds that out at once.
    #[cold]
    fn fail(&self, now: SimTime, target: Lsn, files: &WalFiles) -> Flush {
        let (step, usable) = (files.flushed, self.flushed);
        Flush { target, step, usable, done: now, delaying: false, fails: true }
    }

    /// Whether a flush is in progress.
    #[inline]
    pub fn flushing(&self) -> bool {
        self.flush.is_some()
    }

    /// Whether somebody waits for WAL that is not durable.
    #[inline]
    pub fn flush_wanted(&self) -> bool {
        self.wanted > self.flushed
    }

    /// When the step in progress ends.
    #[inline]
    pub fn next_deadline(&self) -> SimTime {
        self.flush.as_ref().map_or(SimTime::NEVER, |flush| flush.done)
    }

    /// How far the flush in progress goes.
    #[inline]
    pub fn flush_target(&self) -> Lsn {
        self.flush.as_ref().map_or(Lsn::INVALID, |flush| flush.target)
    }

    /// Whether a step ends by `now`, and with it a segment, or everything.
    #[inline]
    pub fn completes_segment(&self, now: SimTime) -> bool {
        let ends = |flush: &Flush| {
            flush.done <= now && (flush.step == flush.step.segment_start(self.size) || flush.fails)
        };
        self.flush.as_ref().is_some_and(ends)
    }

    /// The device has stalled or gone on: the fsync in hand is done at another moment.
    pub fn disk_moved(&mut self, moved: Moved) {
        if let Some(flush) = self.flush.as_mut().filter(|flush| !flush.delaying && !flush.fails) {
            flush.done = moved.of(flush.done);
        }
    }

    /// The owner of the lock sleeps until `until` before it looks how far it can go.
    pub fn begin_delay(&mut self, until: SimTime) {
        let (target, step, usable) = (Lsn::INVALID, Lsn::INVALID, UsableBytes::default());
        self.flush =
            Some(Flush { target, step, usable, done: until, delaying: true, fails: false });
    }

    /// Begins to write and fsync everything inserted.
    #[inline]
    pub fn begin_flush(&mut self, now: SimTime, files: &mut WalFiles, disk: &mut Disk) {
        let target = (self.insert_lsn(), self.insert);
        self.flush = Some(self.step(now, target, files, disk));
    }

    /// Begins to write and fsync up to `target`, which is inserted.
    pub fn begin_flush_to(
        &mut self,
        now: SimTime,
        target: Lsn,
        files: &mut WalFiles,
        disk: &mut Disk,
    ) {
        let target = (target, self.usable(target));
        self.flush = Some(self.step(now, target, files, disk));
    }

    /// The step in progress is over: what it made durable, and the next one begun if there is one.
    pub fn end_step(&mut self, now: SimTime, files: &mut WalFiles, disk: &mut Disk) -> StepDone {
        let flush = self.flush.expect("a deadline of the log belongs to a flush");
        if flush.delaying {
            self.begin_flush(now, files, disk);
        }
        if flush.delaying || flush.fails {
            let (flushed, failed) = (files.flushed, flush.fails);
            return StepDone { flushed, released: false, completed: None, failed };
        }
        files.flushed = flush.step;
        self.flushed = flush.usable;
        self.syncs += 1;
        let ended = flush.step == flush.step.segment_start(self.size);
        let completed = ended.then(|| flush.step.previous_segment(self.size));
        let released = flush.step >= flush.target;
        self.flush = None;
        if !released {
            let target = (flush.target, self.usable(flush.target));
            self.flush = Some(self.step(now, target, files, disk));
        }
        StepDone { flushed: files.flushed, released, completed, failed: false }
    }

    #[inline(always)]
    fn step(
        &mut self,
        now: SimTime,
        (target, target_usable): (Lsn, UsableBytes),
        files: &mut WalFiles,
        disk: &mut Disk,
    ) -> Flush {
        let segment_end = files.flushed.segment_start(self.size) + Bytes(self.size.bytes());
        let step = target.min(segment_end);
        match files.extend_to(step) {
            Ok(0) => {}
            Ok(_) => _ = disk.fsync(now, Bytes(self.size.bytes())),
            Err(NoSpace) => return self.fail(now, target, files),
        }
        let first_page = files.flushed.page_start().0;
        let dirty = Bytes(step.0.next_multiple_of(PAGE) - first_page);
        let usable = if step == target { target_usable } else { self.usable(step) };
        if step > files.written {
            files.written = step;
            self.written = usable;
        }
        Flush { target, step, usable, done: disk.fsync(now, dirty), delaying: false, fails: false }
    }
}

/// Bound on checkpoint records remembered for standbys that are behind: older ones only make a
/// restarted standby's redo begin earlier.
const CHECKPOINTS_KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// `pg_ls_waldir()`: a file counts with its whole segment, used or recycled.
    #[test]
    fn pg_wal_is_as_large_as_its_files() {
        let size = SegmentSize::DEFAULT;
        let at = Lsn(7 * size.bytes() + 100);
        let (written, flushed, redo) = (at, at, at);
        let room = Room::default();
        let files = WalFiles { size, written, flushed, oldest: 4, newest: 9, redo, room };
        assert_eq!(files.bytes(), Bytes::mb(6 * 16));
    }
}
