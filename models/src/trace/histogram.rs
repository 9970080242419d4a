//! Latencies in log-linear buckets: every commit counted, in memory that fits the cache.
//!
//! A bucket's width is at most 1/64 of its values, so a percentile is off by less than 0.8 %
//! when the middle of the bucket is reported, and exact for a constant, because each percentile
//! is clamped to the smallest and largest value seen. Counts are `u32`; one that would overflow
//! (four thousand million commits in one bucket) moves the whole histogram to halves, noted in
//! [`Histogram::halvings`].

use crate::units::Duration;

/// Bits of a value that choose the bucket within its octave.
const BITS: u32 = 6;
/// Octaves above the first: values up to 2^42 ns (73 minutes) have a bucket of their own.
const OCTAVES: u32 = 42 - BITS;
const BUCKETS: usize = ((OCTAVES + 1) as usize) << BITS;

/// Counts of latencies.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Box<[u32; BUCKETS]>,
    /// Latencies that halving has taken out of `counts`.
    uncounted: u64,
    sum: u128,
    min: u64,
    max: u64,
    halvings: u32,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram {
            counts: Box::new([0; BUCKETS]),
            uncounted: 0,
            sum: 0,
            min: u64::MAX,
            max: 0,
            halvings: 0,
        }
    }
}

impl Histogram {
    /// Counts one latency.
    pub fn record(&mut self, latency: Duration) {
        self.record_all([latency].into_iter());
    }

    /// Counts some latencies; their sum and the largest of them.
    #[inline]
    pub fn record_all(&mut self, latencies: impl Iterator<Item = Duration>) -> (u64, u64) {
        let (mut sum, mut min, mut max) = (0, self.min, 0);
        for Duration(value) in latencies {
            sum += value;
            min = min.min(value);
            max = max.max(value);
            let counted = match self.counts.get_mut(bucket_of(value)) {
                Some(bucket) => count(bucket),
                None => count(&mut self.counts[BUCKETS - 1]),
            };
            if !counted {
                self.halve();
            }
        }
        self.sum += u128::from(sum);
        self.min = min;
        self.max = self.max.max(max);
        (sum, max)
    }

    #[cold]
    fn halve(&mut self) {
        let before = self.count() + 1;
        self.counts.iter_mut().for_each(|c| *c /= 2);
        self.halvings += 1;
        self.uncounted = 0;
        self.uncounted = before - self.count();
    }

    /// How many latencies were counted.
    pub fn count(&self) -> u64 {
        self.uncounted + self.counts.iter().map(|&count| u64::from(count)).sum::<u64>()
    }

    /// How often all counts were halved to make room.
    pub fn halvings(&self) -> u32 {
        self.halvings
    }

    /// The mean; `None` without values.
    pub fn mean(&self) -> Option<Duration> {
        let count = u128::from(self.count());
        (count > 0).then(|| Duration((self.sum / count) as u64))
    }

    /// The largest value; `None` without values.
    pub fn max(&self) -> Option<Duration> {
        (self.count() > 0).then_some(Duration(self.max))
    }

    /// The value that `share` (in millionths) of the latencies do not exceed; `None` without
    /// values. Interpolated within its bucket.
    pub fn percentile(&self, share: u32) -> Option<Duration> {
        let total: u64 = self.counts.iter().map(|&c| u64::from(c)).sum();
        if total == 0 {
            return None;
        }
        let rank = (u128::from(total) * u128::from(share)).div_ceil(1_000_000).max(1) as u64;
        let mut below = 0;
        for (bucket, &count) in self.counts.iter().enumerate() {
            let count = u64::from(count);
            if below + count >= rank {
                let (low, width) = bounds_of(bucket);
                let along = u128::from(width) * (2 * u128::from(rank - below) - 1);
                let value = low + (along / (2 * u128::from(count))) as u64;
                return Some(Duration(value.clamp(self.min, self.max)));
            }
            below += count;
        }
        Some(Duration(self.max))
    }

    /// Adds another histogram's counts.
    pub fn merge(&mut self, other: &Histogram) {
        for (mine, &theirs) in self.counts.iter_mut().zip(other.counts.iter()) {
            *mine = mine.saturating_add(theirs);
        }
        self.uncounted += other.uncounted;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }
}

/// The bucket of a value; the last one takes all beyond it as well.
#[inline]
fn bucket_of(value: u64) -> usize {
    // How far the value's first 1 + BITS bits are shifted: 0 in the first two octaves.
    let shift = (value | 1 << BITS).ilog2() - BITS;
    // Nothing wraps: both parts are small.
    (u64::from(shift) << BITS).wrapping_add(value >> shift) as usize
}

/// One more; false if there is no room for it.
#[inline]
fn count(bucket: &mut u32) -> bool {
    let more = bucket.checked_add(1);
    *bucket = more.unwrap_or(*bucket);
    more.is_some()
}

/// The smallest value of a bucket and the bucket's width.
fn bounds_of(bucket: usize) -> (u64, u64) {
    let bucket = bucket as u64;
    let octave = bucket >> BITS;
    if octave <= 1 {
        return (bucket, 1);
    }
    let shift = octave - 1;
    let within = bucket - (shift << BITS);
    (within << shift, 1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Die;

    #[test]
    fn every_value_lies_in_its_bucket() {
        for value in (0..5_000).chain((1..42).flat_map(|b| [(1 << b) - 1, 1 << b, (1 << b) + 1])) {
            let (low, width) = bounds_of(bucket_of(value));
            assert!(low <= value && value < low + width, "{value}: {low} + {width}");
            assert!(width == 1 || width * 64 <= low, "{value}: {low} + {width}");
        }
        assert!(bucket_of(u64::MAX) >= BUCKETS);
    }

    #[test]
    fn percentiles_agree_with_sorting() {
        let mut die = Die::new(1, "latency", "test");
        let mut histogram = Histogram::default();
        let mut values: Vec<u64> = (0..100_000).map(|_| die.throw() >> 40).collect();
        values.iter().for_each(|&v| histogram.record(Duration(v)));
        values.sort_unstable();
        for share in [1_000, 500_000, 900_000, 990_000, 999_000] {
            let exact = values[values.len() * share as usize / 1_000_000 - 1];
            let got = histogram.percentile(share).expect("values").0;
            assert!(got.abs_diff(exact) * 100 <= exact + 100, "{share}: {got} for {exact}");
        }
    }

    #[test]
    fn a_constant_is_reported_exactly() {
        let mut histogram = Histogram::default();
        (0..10).for_each(|_| histogram.record(Duration(3_391_234)));
        assert_eq!(histogram.percentile(500_000), Some(Duration(3_391_234)));
        assert_eq!(histogram.mean(), Some(Duration(3_391_234)));
    }
}
