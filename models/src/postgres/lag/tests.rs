//! The lag tracker against every sentence of its rules.

use super::*;
use crate::units::Die;

const RING: u64 = LAG_TRACKER_BUFFER_SIZE;

fn at_ms(ms: u64) -> SimTime {
    SimTime::ZERO + Duration::ms(ms)
}

fn positions(write: u64, flush: u64, apply: u64) -> Positions {
    Positions { write: Lsn(write), flush: Lsn(flush), apply: Lsn(apply) }
}

fn all(lsn: u64) -> Positions {
    positions(lsn, lsn, lsn)
}

fn ms(n: u64) -> Option<Duration> {
    Some(Duration::ms(n))
}

fn tracker(samples: &[(u64, u64)]) -> LagTracker {
    let mut tracker = LagTracker::default();
    samples.iter().for_each(|&(lsn, ms)| tracker.sample(Lsn(lsn), at_ms(ms)));
    tracker
}

#[test]
fn the_worked_example_gives_its_numbers() {
    let mut tracker = tracker(&[(1000, 0), (2000, 10)]);
    let mut columns = LagColumns::default();
    let mut reply = |tracker: &mut LagTracker, now, lsn| {
        let lags = tracker.reply(all(lsn), at_ms(now));
        assert!(lags.write == lags.apply && lags.flush == lags.apply);
        columns.reply(lags, all(lsn), Lsn(9999));
        (lags.apply, columns.replay_lag)
    };
    assert_eq!(reply(&mut tracker, 50, 1000), (ms(50), ms(50)));
    assert_eq!(reply(&mut tracker, 60, 1500), (ms(55), ms(55)));
    assert_eq!(reply(&mut tracker, 70, 2000), (ms(60), ms(60)));
    assert_eq!(reply(&mut tracker, 100, 2000), (None, ms(60)));
    tracker.sample(Lsn(3000), at_ms(1000));
    assert_eq!(reply(&mut tracker, 1020, 2500), (ms(20), ms(20)));
    assert_eq!(reply(&mut tracker, 1030, 3000), (ms(30), ms(30)));
}

#[test]
fn an_idle_tracker_knows_nothing_and_owns_nothing() {
    let mut idle = LagTracker::default();
    assert_eq!(idle.reply(all(1000), at_ms(5)), Lags::default());
    idle.sample(Lsn::INVALID, at_ms(6));
    assert_eq!(idle.ring.capacity(), 0);
}

#[test]
fn each_position_has_its_own_place() {
    let mut tracker = tracker(&[(1000, 0), (2000, 10), (3000, 20)]);
    let lags = tracker.reply(positions(3000, 2000, 1000), at_ms(50));
    assert_eq!(lags, Lags { write: ms(30), flush: ms(40), apply: ms(50) });
    let lags = tracker.reply(positions(3000, 3000, 2000), at_ms(60));
    assert_eq!(lags, Lags { write: None, flush: ms(40), apply: ms(50) });
}

#[test]
fn of_several_samples_crossed_the_last_counts() {
    let mut tracker = tracker(&[(1000, 0), (2000, 10), (3000, 20), (4000, 25)]);
    assert_eq!(tracker.reply(all(3500), at_ms(50)).flush, ms(30));
}

#[test]
fn a_flush_position_that_stands_still_is_sampled_once() {
    let mut tracker = tracker(&[(1000, 0), (1000, 40), (1000, 45)]);
    assert_eq!(tracker.reply(all(1000), at_ms(50)).flush, ms(50));
    tracker.sample(Lsn(1000), at_ms(55));
    assert_eq!(tracker.reply(all(1000), at_ms(60)).flush, None);
}

#[test]
fn a_stuck_position_has_a_growing_lag() {
    let mut tracker = tracker(&[(1000, 0), (2000, 10)]);
    assert_eq!(tracker.reply(all(1100), at_ms(20)).apply, ms(20));
    assert_eq!(tracker.reply(all(1100), at_ms(30)).apply, ms(29));
    assert_eq!(tracker.reply(all(1100), at_ms(4030)).apply, ms(4029));
}

#[test]
fn a_standby_that_connects_far_behind_starts_near_zero() {
    let mut tracker = tracker(&[(1_000_000, 100), (1_001_000, 200)]);
    assert_eq!(tracker.reply(all(10), at_ms(101)).apply, ms(1));
    assert_eq!(tracker.reply(all(500_000), at_ms(900)).apply, ms(800));
    assert_eq!(tracker.reply(all(1_000_000), at_ms(1000)).apply, ms(900));
}

#[test]
fn positions_or_clocks_that_go_back_give_no_value() {
    let mut one = tracker(&[(1000, 0), (2000, 10)]);
    assert_eq!(one.reply(all(1200), at_ms(20)).apply, ms(20));
    assert_eq!(one.reply(all(900), at_ms(30)).apply, None);
    assert_eq!(one.reply(all(1500), at_ms(40)).apply, ms(35));
    assert_eq!(one.reply(all(2000), at_ms(5)).apply, None);
    // The local flush position itself goes back.
    let mut one = tracker(&[(1000, 0), (500, 10)]);
    assert_eq!(one.reply(all(700), at_ms(20)).apply, ms(20));
    let mut one = tracker(&[(1000, 0), (2000, 10), (1500, 20)]);
    assert_eq!(one.reply(all(1200), at_ms(30)).apply, ms(30));
    assert_eq!(one.reply(all(2000), at_ms(30)).apply, ms(10));
}

#[test]
fn interpolation_survives_the_largest_positions_and_times() {
    let mut one = LagTracker::default();
    one.sample(Lsn(1), SimTime(1));
    one.sample(Lsn(u64::MAX), SimTime(u64::MAX - 1));
    one.reply(all(1), SimTime(2));
    let lag = one.reply(all(u64::MAX / 2), SimTime(u64::MAX)).apply;
    assert!(lag.is_some_and(|lag| lag.0 / 2 < u64::MAX / 4 + 2));
}

/// A sample each millisecond, position and time equal, from 1 to `last`; writing and
/// flushing follow with every sample, replay stays at 0.
fn with_stuck_replay(when_full: WhenFull, last: u64) -> (LagTracker, Lags) {
    let mut tracker = LagTracker::new(when_full);
    let mut lags = Lags::default();
    for n in 1..=last {
        tracker.sample(Lsn(n), at_ms(n));
        lags = tracker.reply(positions(n, n, 0), at_ms(n + 5));
    }
    (tracker, lags)
}

#[test]
fn a_full_ring_that_overwrites_stops_the_fast_positions() {
    let (_, lags) = with_stuck_replay(WhenFull::OverwriteNewest, RING - 1);
    assert_eq!(lags, Lags { write: ms(5), flush: ms(5), apply: ms(RING + 3) });
    let (mut tracker, lags) = with_stuck_replay(WhenFull::OverwriteNewest, RING + 100);
    assert_eq!(lags, Lags { write: None, flush: None, apply: ms(RING + 104) });
    // The samples in between are lost: replay is interpolated over the gap.
    let now = at_ms(RING + 200);
    assert_eq!(tracker.reply(all(RING - 2), now).apply, ms(202));
    assert_eq!(tracker.reply(all(RING + 49), now).apply, ms(151));
    assert_eq!(tracker.reply(all(RING + 100), now).apply, ms(100));
}

#[test]
fn a_full_ring_that_parks_leaves_the_fast_positions_alone() {
    let (mut tracker, lags) = with_stuck_replay(WhenFull::ParkSlowest, 3 * RING);
    assert_eq!(lags, Lags { write: ms(5), flush: ms(5), apply: ms(3 * RING + 4) });
    let (total, now) = (3 * RING, at_ms(3 * RING + 10));
    assert_eq!(tracker.written - tracker.first, RING - 1);
    // Past the parked sample, but not at what the ring still has: the parked one counts,
    // then the way from it to the oldest sample left.
    let reply =
        |tracker: &mut LagTracker, apply| tracker.reply(positions(total, total, apply), now).apply;
    assert_eq!(reply(&mut tracker, 1), ms(total + 9));
    assert_eq!(reply(&mut tracker, 1000), ms(total + 10 - 1000));
    let left = 2 * RING + 2;
    assert_eq!(reply(&mut tracker, left), ms(total + 10 - left));
    assert_eq!(reply(&mut tracker, total), ms(10));
    assert_eq!(reply(&mut tracker, total), None);
}

#[test]
fn a_reader_can_be_parked_again_and_again() {
    let (mut tracker, _) = with_stuck_replay(WhenFull::ParkSlowest, RING + 10);
    let total = RING + 10;
    assert_eq!(tracker.reply(positions(total, total, 5), at_ms(total)).apply, ms(total - 1));
    assert_eq!(tracker.reply(positions(total, total, 5), at_ms(total)).apply, ms(total - 5));
    // The next sample parks it anew, at the oldest sample there was.
    tracker.sample(Lsn(total + 1), at_ms(total + 1));
    assert_eq!(tracker.apply.parked.map(|sample| sample.lsn), Some(Lsn(12)));
}

/// The ring as an array with wrapping heads, -1 for a parked one: slow, but plain.
struct Plain {
    when_full: WhenFull,
    buffer: Vec<(u64, u64)>,
    last_lsn: u64,
    write_head: i64,
    heads: [i64; 3],
    last: [Option<(u64, u64)>; 3],
    parked: [(u64, u64); 3],
}

impl Plain {
    fn new(when_full: WhenFull) -> Plain {
        let (buffer, parked) = (vec![(0, 0); RING as usize], [(0, 0); 3]);
        Plain {
            when_full,
            buffer,
            last_lsn: 0,
            write_head: 0,
            heads: [0; 3],
            last: [None; 3],
            parked,
        }
    }

    fn after(head: i64) -> i64 {
        (head + 1) % RING as i64
    }

    fn sample(&mut self, lsn: u64, time: u64) {
        if lsn == self.last_lsn {
            return;
        }
        self.last_lsn = lsn;
        let new_head = Plain::after(self.write_head);
        if self.when_full == WhenFull::OverwriteNewest && self.heads.contains(&new_head) {
            let newest = (self.write_head + RING as i64 - 1) % RING as i64;
            self.buffer[newest as usize] = (lsn, time);
            return;
        }
        for i in 0..3 {
            if self.heads[i] == new_head {
                self.parked[i] = self.buffer[new_head as usize];
                self.heads[i] = -1;
            }
        }
        self.buffer[self.write_head as usize] = (lsn, time);
        self.write_head = new_head;
    }

    fn read(&mut self, i: usize, lsn: u64, now: u64) -> Option<u64> {
        let mut time = None;
        if self.heads[i] == -1 {
            if self.parked[i].0 > lsn {
                return Some(now - self.parked[i].1);
            }
            time = Some(self.parked[i].1);
            self.last[i] = Some(self.parked[i]);
            self.heads[i] = Plain::after(self.write_head);
        }
        while self.heads[i] != self.write_head && self.buffer[self.heads[i] as usize].0 <= lsn {
            self.last[i] = Some(self.buffer[self.heads[i] as usize]);
            time = self.last[i].map(|sample| sample.1);
            self.heads[i] = Plain::after(self.heads[i]);
        }
        if self.heads[i] == self.write_head {
            self.last[i] = None;
        }
        if let Some(time) = time {
            return Some(now - time);
        }
        if self.heads[i] == self.write_head {
            return None;
        }
        let next = self.buffer[self.heads[i] as usize];
        let Some(last) = self.last[i] else { return Some(now - next.1) };
        if lsn < last.0 {
            return None;
        }
        Some(now - last.1 - (next.1 - last.1) * (lsn - last.0) / (next.0 - last.0))
    }
}

#[test]
fn the_tracker_is_a_ring_with_wrapping_heads() {
    for (when_full, seed) in [WhenFull::OverwriteNewest, WhenFull::ParkSlowest]
        .into_iter()
        .flat_map(|when_full| (0..20).map(move |seed| (when_full, seed)))
    {
        let mut die = Die::new(seed, "replies", "lag");
        let (mut tracker, mut plain) = (LagTracker::new(when_full), Plain::new(when_full));
        let (mut lsn, mut now, mut at, mut full) = (0, 0, [0; 3], 0);
        for round in 0..600 {
            let bursts = [1, 3, 20, 3000];
            for _ in 0..die.throw() % bursts[(die.throw() % 4) as usize] {
                lsn += die.throw() % 4;
                now += die.throw() % 50;
                tracker.sample(Lsn(lsn), SimTime(now));
                full += u64::from((tracker.written - tracker.first) == RING - 1);
                plain.sample(lsn, now);
            }
            for (i, position) in at.iter_mut().enumerate() {
                // Writing moves at every reply, flushing and replay are often stuck.
                if !die.throw().is_multiple_of(1 + 30 * i as u64) {
                    continue;
                }
                let left = lsn.saturating_sub(*position);
                match die.throw() % 8 {
                    0 => *position = lsn,
                    1 => *position = position.saturating_sub(die.throw() % 30),
                    2..5 => *position += die.throw() % (left + 1),
                    _ => {}
                }
            }
            now += die.throw() % 50;
            let lags = tracker.reply(positions(at[0], at[1], at[2]), SimTime(now));
            let ours = [lags.write, lags.flush, lags.apply].map(|lag| lag.map(|lag| lag.0));
            let theirs: [_; 3] = std::array::from_fn(|i| plain.read(i, at[i], now));
            assert_eq!(ours, theirs, "{when_full:?}, seed {seed}, round {round}");
            assert!(tracker.ring.len() <= RING as usize);
        }
        assert!(full > 0, "{when_full:?}, seed {seed}: the ring was never full");
    }
}

const VALUE: Lags = Lags {
    write: Some(Duration::ms(1)),
    flush: Some(Duration::ms(2)),
    apply: Some(Duration::ms(3)),
};
const NO_VALUE: Lags = Lags { write: None, flush: None, apply: None };

#[test]
fn columns_start_null_and_keep_what_was_known() {
    let mut columns = LagColumns::new(WhenIdle::RepeatedReply);
    columns.reply(NO_VALUE, all(100), Lsn(200));
    assert_eq!((columns.write_lag, columns.flush_lag, columns.replay_lag), (None, None, None));
    columns.reply(VALUE, all(150), Lsn(200));
    let partly = Lags { write: ms(7), ..NO_VALUE };
    columns.reply(partly, positions(160, 150, 150), Lsn(200));
    assert_eq!((columns.write_lag, columns.flush_lag, columns.replay_lag), (ms(7), ms(2), ms(3)));
}

#[test]
fn the_old_rule_clears_at_the_second_reply_that_has_replayed_all() {
    let mut columns = LagColumns::new(WhenIdle::AppliedTwice);
    columns.reply(VALUE, all(200), Lsn(200));
    // The sent position has moved on, so the count starts again.
    columns.reply(NO_VALUE, all(200), Lsn(300));
    columns.reply(NO_VALUE, all(300), Lsn(300));
    assert_eq!(columns.replay_lag, ms(3));
    columns.reply(Lags { apply: ms(9), ..NO_VALUE }, all(400), Lsn(400));
    // A second time in a row, but with one value: only the others are cleared.
    assert_eq!((columns.write_lag, columns.flush_lag, columns.replay_lag), (None, None, ms(9)));
}

#[test]
fn the_new_rule_clears_at_a_reply_that_repeats_the_previous_one() {
    let mut columns = LagColumns::new(WhenIdle::RepeatedReply);
    columns.reply(VALUE, all(200), Lsn(200));
    columns.reply(NO_VALUE, all(300), Lsn(300));
    assert_eq!(columns.replay_lag, ms(3), "two replies that have all, but not the same");
    columns.reply(NO_VALUE, all(300), Lsn(400));
    assert_eq!(columns.replay_lag, ms(3), "the same reply, but more was sent");
    let unflushed = positions(400, 300, 400);
    columns.reply(NO_VALUE, unflushed, Lsn(400));
    columns.reply(NO_VALUE, unflushed, Lsn(400));
    assert_eq!(columns.replay_lag, ms(3), "the same reply, but not flushed");
    columns.reply(NO_VALUE, all(400), Lsn(400));
    columns.reply(NO_VALUE, all(400), Lsn(400));
    assert_eq!((columns.write_lag, columns.flush_lag, columns.replay_lag), (None, None, None));
}

#[test]
fn the_status_reply_after_the_activity_makes_the_columns_null() {
    for when_idle in [WhenIdle::AppliedTwice, WhenIdle::RepeatedReply] {
        let mut tracker = tracker(&[(1000, 0)]);
        let mut columns = LagColumns::new(when_idle);
        let mut reply = |at: Positions, now: u64| {
            columns.reply(tracker.reply(at, at_ms(now)), at, Lsn(1000));
            (columns.write_lag, columns.flush_lag, columns.replay_lag)
        };
        assert_eq!(reply(positions(1000, 1, 1), 3), (ms(3), ms(3), ms(3)));
        assert_eq!(reply(positions(1000, 1000, 1), 5), (ms(3), ms(5), ms(5)));
        assert_eq!(reply(all(1000), 6), (ms(3), ms(5), ms(6)));
        assert_eq!(reply(all(1000), 10_006), (None, None, None));
    }
}

#[test]
fn the_newest_minor_releases_have_these_rules() {
    for major in 13..=18 {
        let version = PgVersion::new(major).expect("a version");
        assert_eq!(WhenFull::of(version), WhenFull::ParkSlowest);
        assert_eq!(WhenIdle::of(version) == WhenIdle::AppliedTwice, major == 13);
    }
}

#[test]
fn what_is_left_until_somebody_looks_is_what_was_to_be_seen() {
    let mut die = Die::new(3, "replies", "test");
    for round in 0..200 {
        let (mut eager, mut lazy) = (LagTracker::default(), LagTracker::default());
        let mut shown = LagColumns::new(WhenIdle::RepeatedReply);
        let mut kept = shown;
        let (mut sent, mut at) = (0, positions(0, 0, 0));
        for step in 1..400 {
            let now = at_ms(step * 3 + die.throw() % 3);
            if die.throw().is_multiple_of(3) {
                sent += die.throw() % 500;
                eager.sample(Lsn(sent), now);
                lazy.sample(Lsn(sent), now);
                continue;
            }
            let mut forward = |from: Lsn| match die.throw() % 3 {
                0 => Lsn((from.0 + die.throw() % 700).min(sent)),
                _ => from,
            };
            at.write = forward(at.write);
            at.flush = forward(at.flush).min(at.write);
            at.apply = forward(at.apply).min(at.flush);
            let lags = eager.reply(at, now);
            shown.reply(lags, at, Lsn(sent));
            kept.track(&mut lazy, at, Lsn(sent), now);
            let seen = kept.seen(&lazy);
            let columns = |c: &LagColumns| (c.write_lag, c.flush_lag, c.replay_lag);
            assert_eq!(columns(&seen), columns(&shown), "round {round}, step {step}");
        }
    }
}
