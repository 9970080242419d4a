//! What a walreceiver writes and fsyncs, and when.
//!
//! **Source.** `walreceiver.c:XLogWalRcvProcessMsg`, `XLogWalRcvWrite`, `XLogWalRcvFlush`.

use super::{CHECKPOINTS_KEPT, Event, Foreseen, Phase, WalReceiver, Work, ending};
use crate::disk::{Disk, Moved};
use crate::network::Parcel;
use crate::postgres::effect::{Out, Read};
use crate::postgres::protocol::{Body, Message, transfer_size};
use crate::postgres::wal::{NoSpace, WalFiles};
use crate::units::{Bytes, Duration, Lsn, SegmentSize, SimTime};

impl WalReceiver {
    /// Takes what has come before `before`, up to the end of a segment, and writes it.
    #[inline(always)]
    pub(super) fn take_all(
        &mut self,
        before: SimTime,
        now: SimTime,
        replayed: Lsn,
        files: &mut WalFiles,
        disk: &mut Disk,
        out: &mut Out,
    ) {
        let (mut writes, mut end, mut taken) = (0, Lsn::INVALID, 0);
        let boundary = self.flush.max(self.write).segment_start(files.size).0 + files.size.bytes();
        while self.has_received(before)
            && let Some(&Parcel { sent, arrives, message: Message { body, .. } }) =
                self.inbox.first()
        {
            match body {
                Body::XLogData { start, end: upto, chunks, redo } => {
                    self.inbox.pop();
                    writes += 1;
                    taken += transfer_size(start, upto, chunks);
                    end = upto;
                    (self.shown.sent, self.shown.read) = (sent, now);
                    self.heard(arrives);
                    if redo.is_valid() && self.checkpoints.len() < CHECKPOINTS_KEPT {
                        self.checkpoints.push_back((upto, redo));
                    }
                    if upto.0 >= boundary {
                        break;
                    }
                }
                Body::CopyDone | Body::Close => {
                    // What came before it is written and fsynced first.
                    if writes == 0 {
                        self.inbox.pop();
                        return (self.work, self.busy_until) = (Work::Ending(ending(body)), now);
                    }
                    break;
                }
                _ => {
                    // Somebody asks for a reply.
                    self.inbox.pop();
                    (self.shown.sent, self.shown.read) = (sent, now);
                    self.reply(now, replayed, true, false, out);
                }
            }
        }
        if taken > 0 {
            out.reads.push(Read { at: out.at, bytes: Bytes(taken) });
        }
        if writes == 0 {
            return self.flush_and_reply(now, replayed, disk, out);
        }
        let call = disk.write_call();
        if call > Duration::ZERO {
            self.work = Work::Writing { end };
            self.busy_until = now + Duration(call.0 * writes);
            return self.foresee(end, files, disk);
        }
        self.write_up_to(now, end, replayed, files, disk, out);
    }

    /// Whether the fsync after the write in hand ends at `now`, with nothing else done than to
    /// write, to reply, to fsync and to reply again: nothing came before the write ended, nobody
    /// else has used the disk, and no timer is due.
    #[inline(always)]
    pub fn has_usual_round(&self, now: SimTime, disk: &Disk) -> bool {
        let Foreseen { at, done, queue, usual, .. } = &self.foreseen;
        matches!(self.work, Work::Writing { .. })
            && *done == now
            && *usual
            && *queue == disk.busy_until()
            && !self.has_received(*at)
            && self.checkpoints.is_empty()
            && self.config.status_interval.is_some()
            && self.timer > now
    }

    /// That round ends, with replay where it was when the write ended and where it is now. Takes
    /// what came meanwhile; how far WAL is durable.
    #[inline(always)]
    pub fn end_usual_round(
        &mut self,
        now: SimTime,
        [at_write, replayed]: [Lsn; 2],
        files: &mut WalFiles,
        disk: &mut Disk,
        out: &mut Out,
    ) -> Lsn {
        let Foreseen { at, upto: end, done, .. } = self.foreseen;
        (self.write, files.written) = (end, end);
        self.shown.has_written = true;
        let written = self.update(at, at_write, false);
        disk.fsync_until(done);
        (self.work, self.busy_until) = (Work::Waiting, SimTime::NEVER);
        (self.flush, files.flushed) = (end, end);
        out.updates.extend([written, self.update(now, replayed, false)]);
        (self.replied, self.replied_at) = ((end, end), now);
        self.reply_if_forced(now, replayed, out);
        match self.has_received(now) {
            true => self.take_all(now, now, replayed, files, disk, out),
            false => self.wait(),
        }
        end
    }

    /// Tells in advance which fsync follows the write in hand.
    #[inline(always)]
    fn foresee(&mut self, end: Lsn, files: &WalFiles, disk: &Disk) {
        let upto = self.fsync_after(end, files.size);
        // Without room for the file there will be no fsync: the process ends with the write.
        let done = match upto > self.flush && !files.lack_room_for(end) {
            true => disk.fsync_done(self.busy_until, upto.since(self.flush)),
            false => self.busy_until,
        };
        let fills_none = upto == end && end.segment_start(files.size) <= self.flush;
        let has_file = end > files.written && end.previous_segment(files.size) <= files.newest;
        let usual = done > self.busy_until && fills_none && has_file && files.flushed <= end;
        let queue = disk.busy_until();
        self.foreseen = Foreseen { at: self.busy_until, upto, done, queue, usual };
    }

    /// The volume has changed its pace. How that moves the fsync in hand; one that will follow the
    /// write in hand is foreseen anew.
    pub fn disk_changed(&mut self, moved: Option<Moved>, files: &WalFiles, disk: &Disk) {
        match (self.work, moved) {
            (Work::Writing { end }, _) => self.foresee(end, files, disk),
            (Work::Fsyncing { .. }, Some(moved)) => {
                self.busy_until = moved.of(self.busy_until);
                // It may have been told to look again at its timers when it is not busy.
                self.timer = moved.of(self.timer).min(self.timer);
            }
            (Work::Fsyncing { .. }, None) | (Work::Waiting | Work::Ending(_), _) => {}
        }
    }

    /// WAL up to `end` is written, or as much of it as there is room for.
    #[inline(always)]
    pub(super) fn write_up_to(
        &mut self,
        now: SimTime,
        end: Lsn,
        replayed: Lsn,
        files: &mut WalFiles,
        disk: &mut Disk,
        out: &mut Out,
    ) {
        match self.written(end, files) {
            Ok(()) => self.after_write(now, replayed, files, disk, out),
            Err(NoSpace) => (self.work, self.busy_until) = (Work::Ending(Event::NoSpace), now),
        }
    }

    /// How far the fsync goes that follows a write up to `end`.
    #[inline]
    fn fsync_after(&self, end: Lsn, size: SegmentSize) -> Lsn {
        let completed = end.segment_start(size);
        if completed > self.flush { completed } else { end }
    }

    /// A write is over. A segment that it completed is fsynced at once; otherwise go on reading.
    #[inline]
    fn after_write(
        &mut self,
        now: SimTime,
        replayed: Lsn,
        files: &mut WalFiles,
        disk: &mut Disk,
        out: &mut Out,
    ) {
        let completed = self.write.segment_start(files.size);
        if completed > self.flush {
            self.fsync(now, completed, disk);
        } else {
            self.go_on(now, replayed, files, disk, out);
        }
    }

    /// Nothing is readable: reply (write), and begin to fsync what is not yet durable.
    #[inline]
    pub(super) fn flush_and_reply(
        &mut self,
        now: SimTime,
        replayed: Lsn,
        disk: &mut Disk,
        out: &mut Out,
    ) {
        self.reply(now, replayed, false, false, out);
        if self.flush < self.write {
            self.fsync(now, self.write, disk);
        } else {
            self.reply_if_forced(now, replayed, out);
            self.wait();
        }
    }

    #[inline]
    fn fsync(&mut self, now: SimTime, end: Lsn, disk: &mut Disk) {
        let Foreseen { at, upto, queue, .. } = self.foreseen;
        // Right after the write, nothing has changed, unless another process used the disk.
        self.busy_until = match at == now && upto == end && queue == disk.busy_until() {
            true => disk.fsync_until(self.foreseen.done),
            false => disk.fsync(now, end.since(self.flush)),
        };
        self.work = Work::Fsyncing { end };
    }

    #[inline]
    fn written(&mut self, end: Lsn, files: &mut WalFiles) -> Result<(), NoSpace> {
        self.write = end;
        self.shown.has_written = true;
        if end > files.written {
            let created = files.extend_to(end);
            self.write = end.min(files.end());
            files.written = self.write;
            created?;
        }
        Ok(())
    }

    /// WAL up to `end` is durable.
    #[inline]
    pub(super) fn fsynced(&mut self, end: Lsn, files: &mut WalFiles) {
        self.flush = self.flush.max(end);
        files.flushed = files.flushed.max(self.flush);
    }

    /// The connection has ended: what came before that is read and written, and the ending process
    /// fsyncs it (`WalRcvDie`).
    pub(super) fn flush_before_end(&mut self, now: SimTime, files: &mut WalFiles, disk: &mut Disk) {
        if self.phase != Phase::Streaming {
            return;
        }
        let writing = match self.work {
            Work::Writing { end } => Some(end),
            Work::Fsyncing { .. } | Work::Waiting | Work::Ending(_) => None,
        };
        let arrived = self.inbox.take_arrived(now);
        let ends = arrived.into_iter().filter_map(|parcel| match parcel.message.body {
            Body::XLogData { end, .. } => Some(end),
            _ => None,
        });
        // It ends in any case; what there is no room for is not written.
        let _ = writing.into_iter().chain(ends).try_for_each(|end| self.written(end, files));
        if files.flushed < files.written {
            disk.fsync(now, files.written.since(files.flushed));
            files.flushed = files.written;
        }
    }
}
