//! What a walreceiver writes and fsyncs, and when.
//!
//! **Source.** `walreceiver.c:XLogWalRcvProcessMsg`, `XLogWalRcvWrite`, `XLogWalRcvFlush`.

use super::{CHECKPOINTS_KEPT, Event, Foreseen, Phase, WalReceiver, Work, ending};
use crate::disk::{Disk, Moved};
use crate::network::Parcel;
use crate::postgres::effect::{Out, Read};
use crate::postgres::protocol::Body;
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
        while let Some(parcel) = self.inbox.pop_front_if(|parcel| parcel.arrives < before) {
            match parcel.message.body {
                Body::XLogData { end: upto, redo, .. } => {
                    writes += 1;
                    taken += parcel.message.size().0;
                    end = upto;
                    self.heard(parcel.arrives);
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
                        let why = ending(parcel.message.body);
                        return (self.work, self.busy_until) = (Work::Ending(why), now);
                    }
                    self.inbox.push_front(parcel);
                    break;
                }
                // Somebody asks for a reply.
                _ => self.reply(now, replayed, true, false, out),
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

    /// Whether a write is in hand at whose end nothing else is to be done than to reply and to
    /// begin the fsync that was foreseen: nothing comes before it ends, it fills no segment and
    /// needs no file, and nobody else has used the disk.
    #[inline]
    pub fn is_as_foreseen(&self, files: &WalFiles, disk: &Disk) -> bool {
        let Work::Writing { end } = self.work else { return false };
        let Foreseen { at, upto, done, queue } = self.foreseen;
        let fsyncs = done > at && queue == disk.busy_until();
        let fills_none = upto == end && end.segment_start(files.size) <= self.flush;
        let has_file = end > files.written && end.previous_segment(files.size) <= files.newest;
        fsyncs
            && fills_none
            && has_file
            && !self.has_received(at)
            && self.checkpoints.is_empty()
            && self.config.status_interval.is_some()
    }

    /// That write ends, with replay at `apply`.
    #[inline]
    pub fn begin_foreseen_fsync(
        &mut self,
        apply: Lsn,
        files: &mut WalFiles,
        disk: &mut Disk,
        out: &mut Out,
    ) {
        let Foreseen { at, upto: end, done, .. } = self.foreseen;
        (self.write, files.written) = (end, end);
        self.say(at, apply, false, out);
        (self.work, self.busy_until) = (Work::Fsyncing { end }, disk.fsync_until(done));
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
        self.foreseen = Foreseen { at: self.busy_until, upto, done, queue: disk.busy_until() };
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
        let arrived = self.inbox.iter().take_while(|parcel| parcel.arrives <= now).count();
        let arrived: Vec<Parcel> = self.inbox.drain(..arrived).collect();
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
