//! When checkpoints start and end, and what they do with files.

use super::*;
use crate::postgres::PgVersion;
use crate::postgres::wal::Room;
use crate::units::SegmentSize;

#[test]
fn max_wal_size_bounds_what_is_recycled_even_below_min_wal_size() {
    let mut settings = Settings::defaults(PgVersion::DEFAULT);
    settings.set("max_wal_size", "32MB").expect("a setting");
    let redo = Lsn(0x300_0028);
    let checkpointer = Checkpointer::new(SimTime::ZERO, CheckpointConfig::from(&settings), redo);
    let size = SegmentSize::DEFAULT;
    let (oldest, newest, room) = (3, 3, Room::default());
    let files = WalFiles { size, written: redo, flushed: redo, oldest, newest, redo, room };
    // PostgreSQL raises it to min_wal_size first, and then cuts it at max_wal_size.
    assert_eq!(checkpointer.recycle_segment(&files), 3 + 2 - 1);
}

const MB: u64 = 1 << 20;
const S: u64 = 16 * MB;

fn config(max_wal_size: u64, target: u64) -> CheckpointConfig {
    CheckpointConfig {
        timeout: Duration::s(300),
        target,
        warning: None,
        buffers: 16_384,
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
    WalFiles { size, written, flushed, oldest: 1, newest: 1, redo, room: Room::default() }
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
    let mut completed = |n| checkpointer.completed(SimTime::ZERO, n, Lsn(n * S), &files());
    assert_eq!(completed(9), None);
    assert_eq!(completed(10), Some(CheckpointCause::WAL));
}

#[test]
fn the_distance_estimate_rises_at_once_and_falls_by_tenths() {
    let mut files = files();
    let now = SimTime::ZERO;
    let mut checkpointer = Checkpointer::new(now, config(1024, 900_000), Lsn(0));
    let mut redo = Lsn(0);
    for (distance, estimate) in [(100, 100), (50, 95), (200, 200), (0, 180)] {
        redo = redo + Bytes::mb(distance);
        checkpointer.start(now, start(CheckpointCause::WAL, redo, 2), redo, &files);
        checkpointer.record(now, redo);
        checkpointer.recorded(now, &mut files);
        let ended = checkpointer.end(now, redo, None, &mut files).expect("it runs");
        assert_eq!((ended.distance, ended.estimate), (Bytes::mb(distance), Bytes::mb(estimate)));
    }
}

fn start(cause: CheckpointCause, redo: Lsn, buffers: u64) -> Start {
    Start { cause, redo, buffers, transfer: Duration::ZERO }
}

/// How long a checkpoint of so many buffers takes with so many bytes of WAL a second.
fn took(buffers: u64, rate: u64, max_wal_size: u64) -> Duration {
    let redo = Lsn(3 * S + 40);
    let mut checkpointer = Checkpointer::new(SimTime::ZERO, config(max_wal_size, 900_000), redo);
    let start = start(CheckpointCause::WAL, redo, buffers);
    checkpointer.start(SimTime::ZERO, start, redo, &files());
    let at = |now: SimTime| redo + Bytes(now.0 / 1_000 * rate / 1_000_000);
    let mut now = SimTime::ZERO;
    for step in 1.. {
        assert!(step < 50, "few looks are enough");
        now = checkpointer.next_deadline();
        if checkpointer.due(now, at(now), &files()) == Due::Record {
            break;
        }
    }
    now.since(SimTime::ZERO)
}

#[test]
fn few_buffers_take_a_nap_each() {
    assert_eq!(took(2, 1_000_000, 1024), Duration::ms(201));
    assert_eq!(took(26, 1_000_000, 1024), Duration::ms(2_601));
    // Many take their share of checkpoint_timeout: 0.9 * 300 s.
    assert_eq!(took(10_000, 0, 1024), Duration::ms(270_001));
}

#[test]
fn wal_presses_a_checkpoint_on() {
    // Two segments are its share: 0.9 of them, 30.2 MB, pass in 1.51 s.
    let took = took(10_000, 20_000_000, 64);
    assert!((1_500..1_620).contains(&(took.0 / 1_000_000)), "{took:?}");
}

#[test]
fn an_immediate_request_hurries_the_running_one_and_follows_it() {
    let (now, redo) = (SimTime::ZERO, Lsn(3 * S + 40));
    let mut checkpointer = Checkpointer::new(now, config(1024, 900_000), redo);
    checkpointer.start(now, start(CheckpointCause::TIME, redo, 10_000), redo, &files());
    let later = now + Duration::s(10);
    assert_eq!(checkpointer.due(later, redo, &files()), Due::Nothing);
    assert!(!checkpointer.request(later, CheckpointCause::WAL));
    assert!(!checkpointer.request(later, CheckpointCause::REQUESTED));
    assert_eq!(checkpointer.next_deadline(), later + SYNC);
    let next = checkpointer.next_request(later).expect("two were asked for");
    assert_eq!(next.flags(), "immediate force wait wal");
}

#[test]
fn files_are_recycled_first_and_removed_beyond() {
    let mut files = files();
    (files.oldest, files.newest) = (1, 20);
    // 80 MB from segment 20 on are worth a file: 20 to 24, of which 20 is there.
    let checkpointer = Checkpointer::new(SimTime::ZERO, config(1024, 900_000), Lsn(20 * S + 40));
    let counts = checkpointer.remove_below(20, Lsn(20 * S + 1000), &mut files);
    assert_eq!(counts, FileCounts { added: 0, removed: 15, recycled: 4 });
    assert_eq!((files.oldest, files.newest), (20, 24));
}

#[test]
fn the_next_file_is_created_ahead_from_three_quarters_on() {
    let mut files = files();
    (files.oldest, files.newest) = (3, 5);
    let missing = |offset, files: &WalFiles| next_is_missing(Lsn(5 * S + offset), files);
    assert!(!missing(12 * MB, &files) && missing(12 * MB + 1, &files));
    assert!(missing(16 * MB, &files));
    files.newest = 6;
    assert!(!missing(15 * MB, &files));
}
