//! The checkpointer: when a checkpoint starts, when it ends, and which WAL files stay.
//!
//! A checkpoint starts when `checkpoint_timeout` has passed since the last one started, or when
//! WAL has reached its share of `max_wal_size`. Its *redo point* is the insert position at that
//! moment: from there on every page pays a full-page image again. It spreads its writes over
//! `checkpoint_completion_target` of whichever would come first, the timeout or the WAL. Files
//! are removed or recycled only at its end: those below the oldest that redo, `wal_keep_size` or a
//! slot still needs.
//!
//! **Source.** `checkpointer.c:CheckpointerMain`, `IsCheckpointOnSchedule`; `xlog.c:
//! CreateCheckPoint`, `KeepLogSeg`, `XLOGfileslop`, `XLogCheckpointNeeded`,
//! `CalculateCheckpointSegments`.
//!
//! **Not modelled.** The number of dirty buffers: a checkpoint always takes its whole share of
//! the time, where PostgreSQL ends early with little to write. The end of a walsender whose slot is
//! too far behind; restart of a requested checkpoint right after a running one; preallocation.

use super::guc::Settings;
use super::wal::WalFiles;
use crate::trace::fact::CheckpointCause;
use crate::units::{Bytes, Duration, Lsn, SimTime};

/// The checkpointer of a running primary.
#[derive(Clone, Debug)]
pub struct Checkpointer {
    config: CheckpointConfig,
    /// When `checkpoint_timeout` has passed since the last one started.
    timeout_at: SimTime,
    running: Option<Running>,
    /// Redo point of the last checkpoint started (`RedoRecPtr`).
    redo: Lsn,
    /// Insert position right after the last checkpoint's own record: nothing since, nothing to do.
    idle_at: Lsn,
    /// `CheckPointDistanceEstimate`.
    estimate: u64,
}

/// The settings a checkpointer follows.
#[derive(Clone, Copy, Debug)]
pub struct CheckpointConfig {
    /// `checkpoint_timeout`.
    pub timeout: Duration,
    /// `checkpoint_completion_target`, in millionths.
    pub target: u64,
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

#[derive(Clone, Copy, Debug)]
struct Running {
    started: SimTime,
    ends: SimTime,
    /// For a walsender to end.
    waits: bool,
    previous_redo: Lsn,
}

/// A checkpoint that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its redo point.
    pub redo: Lsn,
    /// WAL since the previous redo point.
    pub distance: Bytes,
    /// How long it took.
    pub took: Duration,
}

impl From<&Settings> for CheckpointConfig {
    fn from(settings: &Settings) -> CheckpointConfig {
        CheckpointConfig {
            timeout: settings.checkpoint_timeout,
            target: u64::from(settings.checkpoint_completion_target),
            max_wal_size: settings.max_wal_size,
            min_wal_size: settings.min_wal_size,
            wal_keep_size: settings.wal_keep_size,
            max_slot_wal_keep_size: settings.max_slot_wal_keep_size,
            recycle: settings.wal_recycle,
        }
    }
}

/// One, in the fixed point of `checkpoint_completion_target`.
const ONE: u64 = 1_000_000;

impl Checkpointer {
    /// A checkpointer that starts at `now`, after a checkpoint with its redo point at `redo`.
    pub fn new(now: SimTime, config: CheckpointConfig, redo: Lsn) -> Checkpointer {
        let timeout_at = now + config.timeout;
        Checkpointer { config, timeout_at, running: None, redo, idle_at: redo, estimate: 0 }
    }

    /// Redo point of the last checkpoint started (`RedoRecPtr`).
    pub fn redo(&self) -> Lsn {
        self.redo
    }

    /// Its settings have changed.
    pub fn reload(&mut self, config: CheckpointConfig) {
        let started = self.timeout_at.0.saturating_sub(self.config.timeout.0);
        self.timeout_at = SimTime(started) + config.timeout;
        self.config = config;
    }

    /// When the timeout or the end of a running checkpoint is due.
    pub fn next_deadline(&self) -> SimTime {
        self.running.map_or(self.timeout_at, |running| running.ends)
    }

    /// WAL segments after which a checkpoint starts (`CheckPointSegments`).
    pub fn segments(&self, files: &WalFiles) -> u64 {
        let all = files.size.segments_in(self.config.max_wal_size);
        (all * ONE / (ONE + self.config.target)).max(1)
    }

    /// Whether a checkpoint is to start because of the time, with `insert` the insert position.
    /// Restarts the timer in any case.
    pub fn timeout(&mut self, now: SimTime, insert: Lsn) -> Option<CheckpointCause> {
        if self.running.is_some() || now < self.timeout_at {
            return None;
        }
        self.timeout_at = now + self.config.timeout;
        (insert > self.idle_at).then_some(CheckpointCause::Time)
    }

    /// Whether completing `segment` starts a checkpoint (`XLogCheckpointNeeded`), or, while one
    /// runs, hurries it.
    pub fn completed(
        &mut self,
        now: SimTime,
        segment: u64,
        files: &WalFiles,
    ) -> Option<CheckpointCause> {
        let since_redo = segment.saturating_sub(self.redo.segment(files.size)) + 1;
        let trigger = self.segments(files);
        if let Some(running) = &mut self.running {
            if since_redo * ONE >= trigger * self.config.target && !running.waits {
                running.ends = running.ends.min(now);
            }
            return None;
        }
        (since_redo >= trigger).then_some(CheckpointCause::Wal)
    }

    /// A checkpoint starts with its redo point at `redo`.
    pub fn start(&mut self, now: SimTime, redo: Lsn) {
        let spread = self.config.timeout.0 / 1000 * self.config.target / (ONE / 1000);
        let previous_redo = self.redo;
        let ends = now + Duration(spread);
        self.running = Some(Running { started: now, ends, waits: false, previous_redo });
        self.timeout_at = now + self.config.timeout;
        self.redo = redo;
    }

    /// A walsender has to let its slot go first.
    pub fn wait(&mut self) {
        if let Some(running) = &mut self.running {
            (running.waits, running.ends) = (true, SimTime::NEVER);
        }
    }

    /// A walsender has ended: a checkpoint that waits for one looks again at once.
    pub fn sender_ended(&mut self, now: SimTime) {
        if let Some(running) = &mut self.running
            && std::mem::take(&mut running.waits)
        {
            running.ends = now;
        }
    }

    /// Whether the running checkpoint is to end at `now`.
    pub fn ends(&self, now: SimTime) -> bool {
        self.running.is_some_and(|running| running.ends <= now)
    }

    /// The running checkpoint ends, with its record up to `record_end` inserted: files below what
    /// is still needed are removed or recycled. `slots` is the oldest position that a slot keeps.
    pub fn end(
        &mut self,
        now: SimTime,
        record_end: Lsn,
        slots: Option<Lsn>,
        files: &mut WalFiles,
    ) -> Option<Ended> {
        let running = self.running.take()?;
        let distance = self.redo.since(running.previous_redo);
        self.estimate = match distance.0 > self.estimate {
            true => distance.0,
            false => (self.estimate * 9 + distance.0) / 10,
        };
        files.redo = self.redo;
        self.idle_at = record_end;
        let keep = self.keep_segment(record_end, slots, files);
        self.remove_below(keep, record_end, files);
        Some(Ended { redo: self.redo, distance, took: now.since(running.started) })
    }

    /// The oldest segment to keep (`KeepLogSeg`), at most the one of the redo point.
    pub fn keep_segment(&self, record_end: Lsn, slots: Option<Lsn>, files: &WalFiles) -> u64 {
        let current = record_end.segment(files.size);
        let mut keep = current;
        if let Some(oldest) = slots.filter(|&oldest| oldest < record_end) {
            keep = oldest.segment(files.size);
            if let Some(cap) = self.config.max_slot_wal_keep_size {
                keep = keep.max(current.saturating_sub(files.size.segments_in(cap)));
            }
        }
        let wal_keep = files.size.segments_in(self.config.wal_keep_size);
        if current - keep < wal_keep {
            keep = current.saturating_sub(wal_keep).max(1);
        }
        keep.min(self.redo.segment(files.size))
    }

    /// Removes or recycles the files below `keep` (`RemoveOldXlogFiles`).
    fn remove_below(&self, keep: u64, record_end: Lsn, files: &mut WalFiles) {
        let removable = keep.saturating_sub(files.oldest);
        files.oldest = files.oldest.max(keep);
        files.newest = files.newest.max(record_end.segment(files.size));
        if self.config.recycle {
            let upto = self.recycle_segment(files);
            files.newest += removable.min(upto.saturating_sub(files.newest));
        }
    }

    /// The last segment worth a recycled file (`XLOGfileslop`).
    fn recycle_segment(&self, files: &WalFiles) -> u64 {
        let first = self.redo.segment(files.size);
        let least = first + files.size.segments_in(self.config.min_wal_size) - 1;
        let most = first + files.size.segments_in(self.config.max_wal_size) - 1;
        let expected = u128::from(self.estimate) * u128::from(ONE + self.config.target) * 11;
        let end = u128::from(self.redo.0) + expected / u128::from(10 * ONE);
        let segment = end.div_ceil(u128::from(files.size.bytes())) as u64;
        // min_wal_size may be the larger of the two; then max_wal_size counts.
        segment.max(least).min(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::PgVersion;
    use crate::units::SegmentSize;

    #[test]
    fn max_wal_size_bounds_what_is_recycled_even_below_min_wal_size() {
        let mut settings = Settings::defaults(PgVersion::DEFAULT);
        settings.set("max_wal_size", "32MB").expect("a setting");
        let redo = Lsn(0x300_0028);
        let checkpointer =
            Checkpointer::new(SimTime::ZERO, CheckpointConfig::from(&settings), redo);
        let size = SegmentSize::DEFAULT;
        let (oldest, newest) = (3, 3);
        let files = WalFiles { size, written: redo, flushed: redo, oldest, newest, redo };
        // PostgreSQL raises it to min_wal_size first, and then cuts it at max_wal_size.
        assert_eq!(checkpointer.recycle_segment(&files), 3 + 2 - 1);
    }

    const MB: u64 = 1 << 20;
    const S: u64 = 16 * MB;

    fn config(max_wal_size: u64, target: u64) -> CheckpointConfig {
        CheckpointConfig {
            timeout: Duration::s(300),
            target,
            max_wal_size: Bytes::mb(max_wal_size),
            min_wal_size: Bytes::mb(80),
            wal_keep_size: Bytes(0),
            max_slot_wal_keep_size: None,
            recycle: true,
        }
    }

    fn files() -> WalFiles {
        let size = SegmentSize::DEFAULT;
        let (written, flushed, redo) = (Lsn(S), Lsn(S), Lsn(S));
        WalFiles { size, written, flushed, oldest: 1, newest: 1, redo }
    }

    /// `KeepLogSeg` with the checkpoint's record in segment `cur` and its redo point in `redo`.
    fn keep(cur: u64, redo: u64, slot: Option<u64>, cap: Option<u64>, wal_keep: u64) -> u64 {
        let mut config = config(1024, 900_000);
        config.wal_keep_size = Bytes::mb(wal_keep);
        config.max_slot_wal_keep_size = cap.map(Bytes::mb);
        let checkpointer = Checkpointer::new(SimTime::ZERO, config, Lsn(redo * S + 40));
        let slot = slot.map(|segment| Lsn(segment * S + 1000));
        checkpointer.keep_segment(Lsn(cur * S + 2000), slot, &files())
    }

    #[test]
    fn what_is_kept_is_what_keep_log_seg_says() {
        assert_eq!(keep(100, 98, None, None, 0), 98);
        assert_eq!(keep(100, 98, None, None, 160), 90);
        assert_eq!(keep(100, 98, Some(20), None, 0), 20);
        assert_eq!(keep(100, 98, Some(20), Some(512), 0), 68);
        assert_eq!(keep(100, 98, Some(20), Some(0), 0), 98);
        assert_eq!(keep(100, 98, Some(20), Some(512), 2048), 1);
        assert_eq!(keep(5, 4, None, None, 1024), 1);
        // A slot ahead of the checkpoint's record keeps nothing.
        assert_eq!(keep(100, 98, Some(101), None, 0), 98);
        // Sizes are cut to whole segments: 8 MB are none.
        assert_eq!(keep(100, 98, None, None, 8), 98);
    }

    /// A standby without a slot that needs segment 3 survives until the checkpoint ends in `cur`.
    #[test]
    fn a_standby_without_slot_survives_as_long_as_on_a_real_server() {
        for (wal_keep, cur) in [(0, 4), (64, 8), (100, 10), (256, 20)] {
            assert!(keep(cur - 1, cur - 1, None, None, wal_keep) <= 3, "{wal_keep} MB");
            assert!(keep(cur, cur, None, None, wal_keep) > 3, "{wal_keep} MB");
        }
    }

    #[test]
    fn files_are_recycled_as_far_as_xlogfileslop_says() {
        let recycle = |target, estimate| {
            let redo = Lsn(0x4000_0000);
            let mut checkpointer = Checkpointer::new(SimTime::ZERO, config(1024, target), redo);
            checkpointer.estimate = estimate;
            checkpointer.recycle_segment(&files())
        };
        assert_eq!(recycle(900_000, 0), 68);
        assert_eq!(recycle(900_000, 100 * MB), 78);
        assert_eq!(recycle(900_000, 528 * MB), 127);
        assert_eq!(recycle(500_000, 100 * MB), 75);
    }

    #[test]
    fn a_checkpoint_starts_after_its_share_of_max_wal_size() {
        let segments = |max_wal_size, target| {
            let config = config(max_wal_size, target);
            Checkpointer::new(SimTime::ZERO, config, Lsn(S)).segments(&files())
        };
        assert_eq!(segments(1024, 900_000), 33);
        assert_eq!(segments(1024, 500_000), 42);
        assert_eq!(segments(4096, 900_000), 134);
        assert_eq!(segments(256, 900_000), 8);
        assert_eq!(segments(80, 900_000), 2);
    }

    #[test]
    fn the_segment_that_fills_the_share_starts_it() {
        let redo = Lsn(3 * S + 40);
        let mut checkpointer = Checkpointer::new(SimTime::ZERO, config(256, 900_000), redo);
        let now = SimTime::ZERO;
        assert_eq!(checkpointer.completed(now, 9, &files()), None);
        assert_eq!(checkpointer.completed(now, 10, &files()), Some(CheckpointCause::Wal));
    }

    #[test]
    fn the_distance_estimate_rises_at_once_and_falls_by_tenths() {
        let mut files = files();
        let mut checkpointer = Checkpointer::new(SimTime::ZERO, config(1024, 900_000), Lsn(0));
        let mut redo = Lsn(0);
        for (distance, estimate) in [(100, 100), (50, 95), (200, 200), (0, 180)] {
            redo = redo + Bytes::mb(distance);
            checkpointer.start(SimTime::ZERO, redo);
            let ended = checkpointer.end(SimTime::ZERO, redo, None, &mut files);
            assert_eq!(ended.map(|ended| ended.distance), Some(Bytes::mb(distance)));
            assert_eq!(checkpointer.estimate, estimate * MB);
        }
    }
}
