//! The checkpointer: when a checkpoint starts, when it ends, and which WAL files stay.
//!
//! A checkpoint starts when `checkpoint_timeout` has passed since the last one started, when
//! WAL has reached its share of `max_wal_size`, or when somebody asks for one; a request that
//! comes while one runs makes another right after it. Its *redo point* is the insert position at
//! that moment: from there on every page pays a full-page image again.
//!
//! It writes the dirty buffers one after the other, and naps for 100 ms after each as long as it
//! is ahead of its schedule: `checkpoint_completion_target` of whichever would come first, the
//! timeout or the WAL. So few buffers are written soon, many take their whole share, and if
//! somebody waits for it nobody naps. No buffer is an event: `Writing` knows when the
//! last is written if the schedule does not press, and looks again as often as WAL may press it.
//!
//! Then its record is inserted and flushed, slots that are too far behind are invalidated, and
//! the files below the oldest that its redo point, `wal_keep_size` or a slot still needs are
//! recycled or removed: only here, never between two checkpoints.
//!
//! **Source.** `checkpointer.c:CheckpointerMain`, `IsCheckpointOnSchedule`, `RequestCheckpoint`;
//! `xlog.c:CreateCheckPoint`, `KeepLogSeg`, `RemoveOldXlogFiles`, `XLOGfileslop`,
//! `PreallocXlogFiles`, `XLogCheckpointNeeded`, `CalculateCheckpointSegments`.
//!
//! **Not modelled.** Which buffers are dirty: see [`dirty_buffers`]. The moment of each buffer's
//! write, and what it costs the disk of the data. `archive_timeout`. An immediate request wakes a
//! napping checkpointer at once, as from 14 on, and so does a reload; 13 finishes its nap of
//! 100 ms.

mod counts;

pub use counts::{Counts, Work};

use super::effect::Out;
use super::guc::Settings;
use super::slot::Limits;
use super::wal::WalFiles;
use crate::trace::fact::{CheckpointCause, What};
use crate::units::{Bytes, Duration, Lsn, PAGE, SegmentSize, SimTime};

/// The checkpointer of a running server.
#[derive(Clone, Debug)]
pub struct Checkpointer {
    config: CheckpointConfig,
    /// When `checkpoint_timeout` has passed since the last one started.
    timeout_at: SimTime,
    /// When the last one started, skipped ones included.
    last_start: SimTime,
    running: Option<Running>,
    /// What was asked for while one ran.
    pending: Option<CheckpointCause>,
    /// Redo point of the last checkpoint started (`RedoRecPtr`).
    redo: Lsn,
    /// Insert position right after the last checkpoint's own record: nothing since, nothing to do.
    idle_at: Lsn,
    /// `CheckPointDistanceEstimate`.
    estimate: u64,
    counts: Counts,
}

/// The settings a checkpointer follows.
#[derive(Clone, Copy, Debug)]
pub struct CheckpointConfig {
    /// `checkpoint_timeout`.
    pub timeout: Duration,
    /// `checkpoint_completion_target`, in millionths.
    pub target: u64,
    /// `checkpoint_warning`; `None`: never.
    pub warning: Option<Duration>,
    /// `shared_buffers`, as a number of buffers.
    pub buffers: u64,
    /// `max_wal_size`.
    pub max_wal_size: Bytes,
    /// `min_wal_size`.
    pub min_wal_size: Bytes,
    /// `wal_keep_size`.
    pub wal_keep_size: Bytes,
    /// `max_slot_wal_keep_size`; `None`: without limit.
    pub max_slot_wal_keep_size: Option<Bytes>,
    /// `wal_recycle`.
    pub recycle: bool,
}

/// A checkpoint in progress.
#[derive(Clone, Copy, Debug)]
struct Running {
    cause: CheckpointCause,
    started: SimTime,
    previous_redo: Lsn,
    buffers: u64,
    step: Step,
    /// How long its writes took.
    wrote: Duration,
}

/// How far a checkpoint is.
#[derive(Clone, Copy, Debug)]
enum Step {
    Writing(Writing),
    /// Its record, which ends here, is inserted and not yet durable.
    Recording {
        end: Lsn,
    },
    /// Slots are being invalidated; when to ask again whether all are.
    Invalidating {
        end: Lsn,
        ask_at: SimTime,
    },
}

/// The writing of dirty buffers.
///
/// A buffer a nap from here on: the last is written at `ends`. Where the schedule has got ahead of
/// that, all that is behind is written at once, and `ends` comes earlier by so many naps.
#[derive(Clone, Copy, Debug)]
struct Writing {
    /// Insert position when it started.
    from: Lsn,
    ends: SimTime,
    /// When to look at the schedule again.
    look_at: SimTime,
    /// Time of the fsyncs behind the last write.
    sync: Duration,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    Nothing,
    /// A checkpoint is to start.
    Start(CheckpointCause),
    /// Everything is written: its record is to be inserted.
    Record,
    /// Slots are to be invalidated, and then files to be removed, with the record's end here.
    Removal(Lsn),
}

/// What [`Checkpointer::start`] has to know.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// Why.
    pub cause: CheckpointCause,
    /// Its redo point.
    pub redo: Lsn,
    /// Dirty buffers.
    pub buffers: u64,
    /// Time to fsync what it writes, if it writes all at once.
    pub transfer: Duration,
}

/// A checkpoint that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its redo point.
    pub redo: Lsn,
    /// WAL since the previous redo point.
    pub distance: Bytes,
    /// `CheckPointDistanceEstimate` after it.
    pub estimate: Bytes,
    /// How long it took.
    pub took: Duration,
    /// How long its writes took.
    pub wrote: Duration,
    /// Buffers written.
    pub buffers: u64,
    /// What became of files.
    pub files: FileCounts,
}

impl Ended {
    /// The facts of it, in the order of its log line; `end` is that of its record, or of a
    /// standby's WAL.
    pub fn tell(&self, end: Lsn, config: &CheckpointConfig, out: &mut Out) {
        let FileCounts { added, removed, recycled } = self.files;
        out.fact(What::CheckpointFiles {
            buffers: self.buffers as u32,
            shared_buffers: config.buffers as u32,
            write: self.wrote,
            estimate: self.estimate,
            added: added as u32,
            removed: removed as u32,
            recycled: recycled as u32,
        });
        let (redo, distance, took) = (self.redo, self.distance, self.took);
        out.fact(What::CheckpointDone { redo, end, distance, took });
    }
}

/// What the end of a checkpoint did to the files of pg_wal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileCounts {
    /// Created ahead (`PreallocXlogFiles`).
    pub added: u64,
    /// Deleted.
    pub removed: u64,
    /// Renamed to be written again.
    pub recycled: u64,
}

impl From<&Settings> for CheckpointConfig {
    fn from(settings: &Settings) -> CheckpointConfig {
        CheckpointConfig {
            timeout: settings.checkpoint_timeout,
            target: u64::from(settings.checkpoint_completion_target),
            warning: settings.checkpoint_warning,
            buffers: settings.shared_buffers.0 / PAGE,
            max_wal_size: settings.max_wal_size,
            min_wal_size: settings.min_wal_size,
            wal_keep_size: settings.wal_keep_size,
            max_slot_wal_keep_size: settings.max_slot_wal_keep_size,
            recycle: settings.wal_recycle,
        }
    }
}

impl CheckpointConfig {
    /// WAL segments after which a checkpoint starts (`CheckPointSegments`).
    pub fn segments(&self, size: SegmentSize) -> u64 {
        (size.segments_in(self.max_wal_size) * ONE / (ONE + self.target)).max(1)
    }
}

/// One, in the fixed point of `checkpoint_completion_target`.
const ONE: u64 = 1_000_000;
/// The nap after a buffer that was written ahead of the schedule (`CheckpointWriteDelay`).
const NAP: Duration = Duration::ms(100);
/// Assumption: fsyncs of a checkpoint's files, as on the recorded servers; what an immediate
/// checkpoint of a small database takes.
pub const SYNC: Duration = Duration::ms(1);
/// A restartpoint that found no new checkpoint record is tried again after so long.
const RETRY_RESTARTPOINT: Duration = Duration::s(15);

/// How many buffers are dirty after so many bytes of WAL, of which `plain` came from loads that
/// write nothing but WAL.
///
/// Assumption: transactions dirty a buffer with every 8 kB of their WAL, be it images of pages or
/// rows that fill new ones; and two are dirty in any case. Few buffers make a checkpoint short;
/// from `10 * checkpoint_timeout * checkpoint_completion_target` on their number does not matter.
/// The recorded servers, which wrote nothing but WAL, had 1 to 5.
pub fn dirty_buffers(config: &CheckpointConfig, wal: Bytes, plain: Bytes) -> u64 {
    (wal.0.saturating_sub(plain.0) / PAGE + 2).min(config.buffers)
}

impl Writing {
    /// Takes note of the schedule: `progress` millionths of all must be written by `now`.
    fn press(&mut self, now: SimTime, buffers: u64, progress: u64) {
        let left = u128::from(buffers * NAP.0) * u128::from(ONE - progress.min(ONE));
        let naps = Duration((left / u128::from(ONE)) as u64);
        self.ends = self.ends.min(now + Duration(naps.0 + self.sync.0));
    }
}

impl Running {
    /// When the next step is to be looked at.
    #[inline(never)]
    fn next_deadline(&self) -> SimTime {
        match self.step {
            Step::Writing(writing) => writing.ends.min(writing.look_at),
            Step::Recording { .. } => SimTime::NEVER,
            Step::Invalidating { ask_at, .. } => ask_at,
        }
    }
}

impl Checkpointer {
    /// A checkpointer that starts at `now`, after a checkpoint with its redo point at `redo`.
    pub fn new(now: SimTime, config: CheckpointConfig, redo: Lsn) -> Checkpointer {
        Checkpointer {
            config,
            timeout_at: now + config.timeout,
            last_start: now,
            running: None,
            pending: None,
            redo,
            idle_at: redo,
            estimate: 0,
            counts: Counts::default(),
        }
    }

    /// The same on a standby: what was replayed is always something to do.
    pub fn for_restartpoints(now: SimTime, config: CheckpointConfig, redo: Lsn) -> Checkpointer {
        Checkpointer { idle_at: Lsn::INVALID, ..Checkpointer::new(now, config, redo) }
    }

    /// The last checkpoint has its redo point here, and there is WAL behind it.
    pub fn recovered_from(&mut self, redo: Lsn) {
        (self.redo, self.idle_at) = (redo, redo.min(self.idle_at));
    }

    /// The settings it follows.
    pub fn config(&self) -> &CheckpointConfig {
        &self.config
    }

    /// Redo point of the last checkpoint started (`RedoRecPtr`).
    pub fn redo(&self) -> Lsn {
        self.redo
    }

    /// Whether a checkpoint runs.
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Whether it looks at a reload at once: between checkpoints, and where it naps between two
    /// buffers (`CheckpointWriteDelay`), but neither while somebody waits for the checkpoint nor
    /// while it fsyncs and writes its record.
    pub fn heeds_reload(&self, now: SimTime) -> bool {
        match &self.running {
            None => true,
            Some(running) => match running.step {
                Step::Writing(writing) => writing.ends > now + writing.sync,
                Step::Recording { .. } | Step::Invalidating { .. } => false,
            },
        }
    }

    /// Its settings have changed.
    pub fn reload(&mut self, config: CheckpointConfig) {
        let started = self.timeout_at.0.saturating_sub(self.config.timeout.0);
        self.timeout_at = SimTime(started) + config.timeout;
        self.config = config;
    }

    /// The wall clock jumps. It sleeps until `checkpoint_timeout` was over by another clock: ahead
    /// changes nothing, but if the clock went back it finds that the time is not over.
    pub fn jump_clock(&mut self, by: i64) {
        if by < 0 {
            self.timeout_at = self.timeout_at.shifted(by.saturating_neg());
        }
    }

    /// When it has something to do by itself.
    #[inline]
    pub fn next_deadline(&self) -> SimTime {
        match &self.running {
            None => self.timeout_at,
            Some(running) => running.next_deadline(),
        }
    }

    /// WAL segments after which a checkpoint starts (`CheckPointSegments`).
    pub fn segments(&self, files: &WalFiles) -> u64 {
        self.config.segments(files.size)
    }

    /// What is due at `now`, with `insert` the insert position (replayed on a standby). The timer
    /// starts anew even if nothing was written since the last checkpoint.
    pub fn due(&mut self, now: SimTime, insert: Lsn, files: &WalFiles) -> Due {
        let Some(running) = &self.running else {
            return if now >= self.timeout_at { self.timeout(now, insert) } else { Due::Nothing };
        };
        match running.step {
            Step::Writing(writing) if writing.ends <= now => Due::Record,
            Step::Writing(_) => {
                self.look_at_schedule(now, insert, files);
                let ended = self.next_deadline() <= now;
                if ended { Due::Record } else { Due::Nothing }
            }
            Step::Invalidating { end, ask_at } if ask_at <= now => Due::Removal(end),
            Step::Recording { .. } | Step::Invalidating { .. } => Due::Nothing,
        }
    }

    fn timeout(&mut self, now: SimTime, insert: Lsn) -> Due {
        (self.timeout_at, self.last_start) = (now + self.config.timeout, now);
        self.counts.timed += 1;
        match insert > self.idle_at {
            true => Due::Start(CheckpointCause::TIME),
            false => Due::Nothing,
        }
    }

    /// Somebody asks for a checkpoint: true if it is to start now. If one runs, another follows
    /// it, and an immediate request makes the running one stop to nap.
    pub fn request(&mut self, now: SimTime, cause: CheckpointCause) -> bool {
        let Some(running) = &mut self.running else {
            self.count_request(cause);
            return true;
        };
        self.pending = Some(self.pending.map_or(cause, |pending| pending.and(cause)));
        if let (Step::Writing(writing), true) = (&mut running.step, cause.is_immediate()) {
            writing.ends = writing.ends.min(now + writing.sync);
        }
        false
    }

    /// What was asked for while the last checkpoint ran, now that it is over; the timeout, if it
    /// has passed meanwhile, joins in.
    pub fn next_request(&mut self, now: SimTime) -> Option<CheckpointCause> {
        let pending = self.pending.take()?;
        self.count_request(pending);
        let late = now >= self.timeout_at;
        Some(if late { pending.and(CheckpointCause::TIME) } else { pending })
    }

    /// Whether completing `segment` asks for a checkpoint (`XLogCheckpointNeeded`). While one
    /// runs it presses that one on.
    pub fn completed(
        &mut self,
        now: SimTime,
        segment: u64,
        insert: Lsn,
        files: &WalFiles,
    ) -> Option<CheckpointCause> {
        self.look_at_schedule(now, insert, files);
        let since_redo = segment.saturating_sub(self.redo.segment(files.size)) + 1;
        let needed = since_redo >= self.segments(files);
        (needed && self.request(now, CheckpointCause::WAL)).then_some(CheckpointCause::WAL)
    }

    /// How many seconds after the last one a checkpoint starts because of WAL, if that is less
    /// than `checkpoint_warning`.
    pub fn too_frequent(&self, now: SimTime, cause: CheckpointCause) -> Option<u64> {
        let second = |at: SimTime| at.0 / Duration::s(1).0;
        let apart = second(now) - second(self.last_start);
        let warns = self.config.warning.is_some_and(|limit| Duration::s(apart) < limit);
        (warns && cause.is_wal()).then_some(apart)
    }

    /// Whether a checkpoint for `cause` has nothing to do, with `insert` the insert position.
    pub fn skips(&self, cause: CheckpointCause, insert: Lsn) -> bool {
        !cause.is_forced() && insert <= self.idle_at
    }

    /// A checkpoint starts, with `insert` the insert position.
    pub fn start(&mut self, now: SimTime, start: Start, insert: Lsn, files: &WalFiles) {
        let naps = Duration(start.buffers * NAP.0);
        let share = Duration(self.config.timeout.0 / 1000 * self.config.target / (ONE / 1000));
        let sync = if start.buffers == 0 { Duration::ZERO } else { SYNC };
        let mut writing = Writing { from: insert, ends: now + sync, look_at: SimTime::NEVER, sync };
        if start.cause.is_immediate() {
            writing.sync = sync.max(start.transfer);
            writing.ends = now + writing.sync;
        } else {
            writing.ends = now + Duration(naps.0.min(share.0) + sync.0);
        }
        self.running = Some(Running {
            cause: start.cause,
            started: now,
            previous_redo: self.redo,
            buffers: start.buffers,
            step: Step::Writing(writing),
            wrote: Duration::ZERO,
        });
        (self.timeout_at, self.last_start) = (now + self.config.timeout, now);
        self.redo = start.redo;
        self.look_at_schedule(now, insert, files);
    }

    /// `IsCheckpointOnSchedule`, for WAL: is more of it used up than buffers are written? Looks
    /// again when half of what is left may be used up at the pace so far, or with the next
    /// segment.
    fn look_at_schedule(&mut self, now: SimTime, insert: Lsn, files: &WalFiles) {
        let share = u128::from(self.segments(files) * files.size.bytes());
        let target = self.config.target;
        let Some(Running { step: Step::Writing(writing), buffers, started, .. }) =
            &mut self.running
        else {
            return;
        };
        let used = insert.0.saturating_sub(writing.from.0);
        let due = share * u128::from(target) / u128::from(ONE);
        let progress = (u128::from(used) * u128::from(ONE)).checked_div(due);
        writing.press(now, *buffers, progress.map_or(ONE, |progress| progress as u64));
        let left = due.saturating_sub(u128::from(used));
        let elapsed = now.since(*started).0;
        let half = (u128::from(elapsed) * left / 2).checked_div(u128::from(used));
        writing.look_at = now + Duration(half.map_or(elapsed, |wait| wait as u64).max(NAP.0));
    }

    /// Everything is written, and the record is inserted: it ends at `end`.
    pub fn record(&mut self, now: SimTime, end: Lsn) {
        self.end_writes(now);
        let Some(running) = &mut self.running else { return };
        running.step = Step::Recording { end };
        self.idle_at = end;
    }

    /// Whether the record waits to be durable; its end.
    #[inline]
    pub fn recording(&self) -> Option<Lsn> {
        match &self.running {
            Some(Running { step: Step::Recording { end }, .. }) => Some(*end),
            _ => None,
        }
    }

    /// The record is durable, and everything up to it is a checkpoint: pg_control says so.
    pub fn recorded(&mut self, now: SimTime, files: &mut WalFiles) {
        let Some(running) = &mut self.running else { return };
        if let Step::Recording { end } = running.step {
            running.step = Step::Invalidating { end, ask_at: now };
            files.redo = self.redo;
            self.estimate = estimate(self.estimate, self.redo.since(running.previous_redo).0);
        }
    }

    /// A walsender has to let its slot go first.
    pub fn wait(&mut self) {
        if let Some(Running { step: Step::Invalidating { ask_at, .. }, .. }) = &mut self.running {
            *ask_at = SimTime::NEVER;
        }
    }

    /// A walsender has ended: a checkpoint that waits for one looks again at once.
    pub fn sender_ended(&mut self, now: SimTime) {
        if let Some(Running { step: Step::Invalidating { ask_at, .. }, .. }) = &mut self.running {
            *ask_at = now;
        }
    }

    /// The running checkpoint ends, with its record up to `record_end`: files below what is still
    /// needed are removed or recycled. `slots` is the oldest position that a slot keeps.
    pub fn end(
        &mut self,
        now: SimTime,
        record_end: Lsn,
        slots: Option<Lsn>,
        files: &mut WalFiles,
    ) -> Option<Ended> {
        let running = self.running.take()?;
        self.count_done(running.cause);
        let keep = self.keep_segment(record_end, slots, files);
        Some(Ended {
            redo: self.redo,
            distance: self.redo.since(running.previous_redo),
            estimate: Bytes(self.estimate),
            took: now.since(running.started),
            wrote: running.wrote,
            buffers: running.buffers,
            files: self.remove_below(keep, record_end, files),
        })
    }

    /// Why the running checkpoint was started.
    pub fn cause(&self) -> Option<CheckpointCause> {
        self.running.map(|running| running.cause)
    }

    /// There was no new checkpoint record to make a restartpoint of: again in 15 s.
    pub fn no_restartpoint(&mut self, now: SimTime) {
        self.timeout_at = now + RETRY_RESTARTPOINT;
    }

    /// The oldest segment to keep (`KeepLogSeg`), at most the one of the redo point.
    pub fn keep_segment(&self, record_end: Lsn, slots: Option<Lsn>, files: &WalFiles) -> u64 {
        let limits = Limits {
            size: files.size,
            max_slot_wal_keep_size: self.config.max_slot_wal_keep_size,
            wal_keep_size: self.config.wal_keep_size,
            max_wal_size: self.config.max_wal_size,
            idle: None,
        };
        limits.keep_segment(record_end, slots).min(self.redo.segment(files.size))
    }

    /// Removes or recycles the files below `keep` (`RemoveOldXlogFiles`).
    fn remove_below(&self, keep: u64, record_end: Lsn, files: &mut WalFiles) -> FileCounts {
        let mut old = keep.min(files.newest + 1).saturating_sub(files.oldest);
        files.oldest += old;
        let mut counts = FileCounts::default();
        if self.config.recycle {
            // The first number without a file from that of the record's end on.
            let next = (files.newest + 1).max(record_end.segment(files.size));
            counts.recycled = old.min((self.recycle_segment(files) + 1).saturating_sub(next));
            files.newest += counts.recycled;
            old -= counts.recycled;
        }
        counts.removed = old;
        counts
    }

    /// The last segment worth a recycled file (`XLOGfileslop`).
    fn recycle_segment(&self, files: &WalFiles) -> u64 {
        let first = self.redo.segment(files.size);
        let least = first + files.size.segments_in(self.config.min_wal_size) - 1;
        let most = first + files.size.segments_in(self.config.max_wal_size) - 1;
        let unit = u128::from(10 * ONE);
        let expected = u128::from(self.estimate) * u128::from(ONE + self.config.target) * 11;
        let end = u128::from(self.redo.0) * unit + expected;
        let segment = end.div_ceil(u128::from(files.size.bytes()) * unit) as u64;
        // min_wal_size may be the larger of the two; then max_wal_size counts.
        segment.max(least).min(most)
    }
}

/// `UpdateCheckPointDistanceEstimate`: up at once, down by a tenth of the way.
fn estimate(before: u64, distance: u64) -> u64 {
    if distance > before { distance } else { (before * 9 + distance) / 10 }
}

/// Whether `PreallocXlogFiles` creates the next file when a checkpoint's record ends at `end`: if
/// three quarters of the segment are used and the next is missing.
pub fn next_is_missing(end: Lsn, files: &WalFiles) -> bool {
    let segment = end.previous_segment(files.size);
    let last_byte = end.0 - 1 - segment * files.size.bytes();
    last_byte >= files.size.bytes() / 4 * 3 && files.newest <= segment
}

#[cfg(test)]
mod tests;
