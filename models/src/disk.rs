//! A volume: what an fsync costs, and the queue in front of it.
//!
//! A write() only fills the page cache and costs [`Disk::write_call`]. An fsync takes a drawn
//! latency, or as long as the device needs for the bytes that are dirty, whichever is longer: a
//! small flush is bound by latency, a large one by bandwidth. One fsync runs at a time; the next
//! one waits its turn, so whoever shares the volume shares the queue.
//!
//! **Source.** What `pg_test_fsync` measures: the time of a write of 8 kB with its fdatasync.
//!
//! **Not modelled.** Reads; a device that slows down as its queue grows; write-back by the kernel
//! before the fsync, which would shorten the fsync of a large flush by up to its whole transfer.

use crate::latency::Quantiles;
use crate::units::{Bytes, Die, Duration, Rate, SimTime};

/// A volume with its queue.
#[derive(Clone, Debug)]
pub struct Disk {
    fsync: Quantiles,
    write: Rate,
    write_call: Duration,
    die: Die,
    busy_until: SimTime,
}

impl Disk {
    /// An idle volume. `fsync` is in nanoseconds; `die` is thrown once an fsync.
    pub fn new(fsync: Quantiles, write: Rate, write_call: Duration, die: Die) -> Disk {
        Disk { fsync, write, write_call, die, busy_until: SimTime::ZERO }
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
        self.busy_until = SimTime::ZERO;
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
}
