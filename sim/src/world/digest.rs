//! The digest of a run: 64 bits that every event of the data plane goes into.
//!
//! Two runs with the same digest at the same moment have had the same events in the same order.
//! It is noted at [`MOMENTS`] moments as well, so that a replay can say where it first differs.
//! Not a cryptographic hash: it guards against accidents, not against somebody's intent.

use models::trace::MOMENTS;
use models::units::{Duration, SimTime};

/// The digest so far.
#[derive(Clone, Debug)]
pub struct Digest {
    value: u64,
    moments: Vec<u64>,
    step: Duration,
    next: SimTime,
}

/// Odd, with bits well spread (PCG's multiplier).
const FACTOR: u64 = 6_364_136_223_846_793_005;

impl Digest {
    /// The digest of nothing, for a run of `duration`.
    pub fn new(duration: Duration) -> Digest {
        let step = Duration((duration.0 / MOMENTS as u64).max(1));
        Digest { value: 0x7761_6c64_656e, moments: Vec::new(), step, next: SimTime::ZERO + step }
    }

    /// Takes a number in.
    #[inline]
    pub fn fold(&mut self, x: u64) {
        let mixed = (self.value ^ x).wrapping_mul(FACTOR);
        self.value = mixed ^ (mixed >> 32);
    }

    /// Takes several numbers in, in order.
    #[inline]
    pub fn fold_all(&mut self, all: impl Iterator<Item = u64>) {
        let mut digest = self.value;
        for x in all {
            let mixed = (digest ^ x).wrapping_mul(FACTOR);
            digest = mixed ^ (mixed >> 32);
        }
        self.value = digest;
    }

    /// The digest so far.
    pub fn value(&self) -> u64 {
        self.value
    }

    /// When the next moment is to be noted.
    pub fn next_moment(&self) -> SimTime {
        self.next
    }

    /// Everything before `now` is in: notes the moments that have passed.
    pub fn pass(&mut self, now: SimTime) {
        while self.next < now && self.moments.len() + 1 < MOMENTS {
            self.moments.push(self.value);
            self.next += self.step;
        }
        if self.moments.len() + 1 >= MOMENTS {
            self.next = SimTime::NEVER;
        }
    }

    /// The digests at all moments, the last one at the end.
    pub fn finish(mut self) -> (u64, Vec<u64>) {
        self.moments.resize(MOMENTS, self.value);
        (self.value, self.moments)
    }
}
