//! A volume: what an fsync costs, and the queue in front of it.
//!
//! A write() only fills the page cache and costs [`Disk::write_call`]. An fsync takes a drawn
//! latency, or as long as the device needs for the bytes that are dirty, whichever is longer: a
//! small flush is bound by latency, a large one by bandwidth. One fsync runs at a time; the next
//! one waits its turn, so whoever shares the volume shares the queue.
//!
//! A *slow* device takes a multiple of the time that it would have taken, or draws the latency
//! from another table; what is queued already keeps its time. A device that *stalls* completes
//! nothing until it goes on. Then its queue goes on too, each fsync with what was left of it: the
//! device's own time has stood still.
//!
//! **Source.** What `pg_test_fsync` measures: the time of a write of 8 kB with its fdatasync.
//!
//! **Not modelled.** What a stalled device holds up besides fsyncs: a write() that finds too many
//! dirty pages, the buffers of a checkpoint, the last fsync of a process that is told to end.
//! Reads; a device that slows down as its queue grows; write-back by the kernel before the fsync,
//! which would shorten the fsync of a large flush by up to its whole transfer.

use crate::latency::Quantiles;
use crate::units::{Bytes, Die, Duration, Rate, SimTime};

/// A volume with its queue.
#[derive(Clone, Debug)]
pub struct Disk {
    /// What an fsync takes now.
    fsync: Quantiles,
    /// What the device moves now.
    write: Rate,
    /// Both when nothing slows it down.
    sound: (Quantiles, Rate),
    write_call: Duration,
    die: Die,
    /// When all that is queued is done: beyond [`STANDSTILL`] while the device stalls.
    busy_until: SimTime,
    /// Since when the device stalls.
    stalled: Option<SimTime>,
}

/// What slows a volume down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slowdown {
    /// What an fsync takes, in nanoseconds; `None`: what it takes otherwise.
    pub fsync: Option<Quantiles>,
    /// How many times as long everything takes, in millionths.
    pub factor: u64,
}

/// What [`Slowdown::factor`] is if nothing takes longer.
pub const FACTOR_ONE: u64 = 1_000_000;

impl Slowdown {
    /// None at all.
    pub const NONE: Slowdown = Slowdown { fsync: None, factor: FACTOR_ONE };

    /// This one and another on top of it: their factors multiply, and the other's table goes first.
    pub fn and(self, other: &Slowdown) -> Slowdown {
        let factor = u128::from(self.factor) * u128::from(other.factor) / u128::from(FACTOR_ONE);
        Slowdown {
            fsync: other.fsync.clone().or(self.fsync),
            factor: u64::try_from(factor).unwrap_or(u64::MAX),
        }
    }
}

/// Moments from here on (36 years) lie behind the end of a stall that has not ended.
const STANDSTILL: Duration = Duration(1 << 60);

/// When things will be done that a device had in hand as it stalled or went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// The device has stalled: what was not done by then waits.
    Stalled(SimTime),
    /// It has gone on after so long.
    WentOn(Duration),
}

impl Moved {
    /// When what was to be done at `done` will be. [`SimTime::NEVER`] stays what it is.
    pub fn of(self, done: SimTime) -> SimTime {
        match self {
            Moved::Stalled(since) if done > since => done + STANDSTILL,
            Moved::WentOn(after) if done.0 >= STANDSTILL.0 && done != SimTime::NEVER => {
                SimTime(done.0 - STANDSTILL.0) + after
            }
            Moved::Stalled(_) | Moved::WentOn(_) => done,
        }
    }
}

impl Disk {
    /// An idle volume. `fsync` is in nanoseconds; `die` is thrown once an fsync.
    pub fn new(fsync: Quantiles, write: Rate, write_call: Duration, die: Die) -> Disk {
        let sound = (fsync.clone(), write);
        Disk { fsync, write, sound, write_call, die, busy_until: SimTime::ZERO, stalled: None }
    }

    /// What is queued from now on takes longer, or as long as ever.
    pub fn slow(&mut self, slowdown: &Slowdown) {
        let (fsync, write) = &self.sound;
        let fsync = slowdown.fsync.as_ref().unwrap_or(fsync);
        self.fsync = fsync.times(slowdown.factor, FACTOR_ONE);
        self.write = write.divided(slowdown.factor, FACTOR_ONE);
    }

    /// The device completes nothing from now on. How that moves what was told to be done later;
    /// `None` if it stalls already.
    pub fn stall(&mut self, now: SimTime) -> Option<Moved> {
        if self.stalled.is_some() {
            return None;
        }
        self.stalled = Some(now);
        self.busy_until = self.busy_until.max(now) + STANDSTILL;
        Some(Moved::Stalled(now))
    }

    /// The device goes on with its queue. How that moves what was told meanwhile; `None` if it
    /// does not stall.
    pub fn go_on(&mut self, now: SimTime) -> Option<Moved> {
        let moved = Moved::WentOn(now.since(self.stalled.take()?));
        self.busy_until = moved.of(self.busy_until);
        Some(moved)
    }

    /// Time of one write() into the page cache.
    pub fn write_call(&self) -> Duration {
        self.write_call
    }

    /// When all that is queued is done.
    #[inline(always)]
    pub fn busy_until(&self) -> SimTime {
        self.busy_until
    }

    /// When an fsync of `dirty` bytes would be done that is the next to be queued, at `now`.
    #[inline(always)]
    pub fn fsync_done(&self, now: SimTime, dirty: Bytes) -> SimTime {
        let latency = self.fsync.drawn_with(|| self.die.next());
        now.max(self.busy_until) + Duration(latency).max(self.write.time_for(dirty))
    }

    /// Queues an fsync of `dirty` bytes; returns when it is done.
    #[inline]
    pub fn fsync(&mut self, now: SimTime, dirty: Bytes) -> SimTime {
        let done = self.fsync_done(now, dirty);
        self.fsync_until(done)
    }

    /// Queues the fsync that [`Disk::fsync_done`] has told about.
    #[inline]
    pub fn fsync_until(&mut self, done: SimTime) -> SimTime {
        debug_assert!(done >= self.busy_until, "two fsyncs at a time");
        self.die.throw();
        self.busy_until = done;
        done
    }

    /// Time that the device needs for so many bytes, if nothing else is under way.
    pub fn transfer(&self, bytes: Bytes) -> Duration {
        self.write.time_for(bytes)
    }

    /// The host died: what was queued is forgotten.
    pub fn power_cut(&mut self) {
        self.busy_until = self.stalled.map_or(SimTime::ZERO, |since| since + STANDSTILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_flush_is_bound_by_latency_and_a_large_one_by_bandwidth() {
        let rate = Rate::new(100 << 20).expect("a rate");
        let die = Die::new(1, "fsync", "pg1");
        let mut disk = Disk::new(Quantiles::constant(1_000_000), rate, Duration::ZERO, die);
        assert_eq!(disk.fsync(SimTime::ZERO, Bytes::kb(8)), SimTime(1_000_000));
        // The second waits for the first, then moves 200 MB in two seconds.
        assert_eq!(disk.fsync(SimTime(10), Bytes::mb(200)), SimTime(2_001_000_000));
    }

    fn disk() -> Disk {
        let rate = Rate::new(100 << 20).expect("a rate");
        let die = Die::new(1, "fsync", "pg1");
        Disk::new(Quantiles::uniform(1_000_000, 3_000_000), rate, Duration::ZERO, die)
    }

    #[test]
    fn a_slow_device_keeps_its_luck() {
        let (mut sound, mut slow) = (disk(), disk());
        let ten = Slowdown { fsync: None, factor: 10 * FACTOR_ONE };
        for n in 0..9 {
            let at = SimTime(n * 1_000_000_000);
            match n {
                3 => slow.slow(&ten),
                6 => slow.slow(&Slowdown::NONE),
                _ => {}
            }
            let took = sound.fsync(at, Bytes(1)).since(at).0;
            let wanted = if (3..6).contains(&n) { took * 10 } else { took };
            let slowly = slow.fsync(at, Bytes(1)).since(at).0;
            // Ten times a value that was rounded down.
            assert!(slowly.abs_diff(wanted) < 10, "{n}: {slowly}, wanted {wanted}");
        }
        let table = Slowdown { fsync: Some(Quantiles::constant(7)), factor: 2 * FACTOR_ONE };
        slow.slow(&table);
        assert_eq!(slow.fsync_done(SimTime(20_000_000_000), Bytes(0)), SimTime(20_000_000_014));
    }

    #[test]
    fn after_a_stall_the_queue_goes_on_where_it_stood() {
        let fsync = Quantiles::constant(1_000);
        let rate = Rate::new(100 << 20).expect("a rate");
        let die = Die::new(1, "fsync", "pg1");
        let mut disk = Disk::new(fsync, rate, Duration::ZERO, die);
        let first = disk.fsync(SimTime(0), Bytes(1));
        let stalled = disk.stall(SimTime(400)).expect("it has not stalled before");
        assert_eq!(disk.stall(SimTime(500)), None);
        let first = stalled.of(first);
        assert!(first > SimTime(1 << 59));
        let second = disk.fsync(SimTime(600), Bytes(1));
        let went_on = disk.go_on(SimTime(10_400)).expect("it stalled");
        assert_eq!(disk.go_on(SimTime(10_400)), None);
        assert_eq!(
            [first, second].map(|done| went_on.of(done)),
            [SimTime(11_000), SimTime(12_000)]
        );
        assert_eq!(went_on.of(SimTime::NEVER), SimTime::NEVER);
        assert_eq!(disk.busy_until(), SimTime(12_000));
    }
}
