//! A quantity over time in a fixed number of buckets.
//!
//! The duration of a run is known when it starts, so a bucket's width is too: memory does not
//! depend on simulated time, and variants of a scenario share their time axis.

use crate::units::{Duration, SimTime};

/// The most buckets a series has.
pub const BUCKETS: u64 = 2_000;
/// The narrowest bucket.
const NARROWEST: Duration = Duration::ms(1);
/// Marks a bucket that saw no value.
const NONE: u64 = u64::MAX;

/// How the values that fall into one bucket become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// The sum: counts. A bucket without values is 0.
    Sum,
    /// The largest: lags, sizes.
    Peak,
    /// The last: positions.
    Last,
}

/// A quantity over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    merge: Merge,
    period: Duration,
    values: Vec<u64>,
}

impl Series {
    /// An empty series for a run of `duration`.
    pub fn new(merge: Merge, duration: Duration) -> Series {
        let period = Duration(duration.0.div_ceil(BUCKETS).max(NARROWEST.0));
        let buckets = duration.0.div_ceil(period.0).max(1);
        let empty = if merge == Merge::Sum { 0 } else { NONE };
        Series { merge, period, values: vec![empty; buckets as usize] }
    }

    /// An empty series with the same buckets.
    pub fn empty_like(&self, merge: Merge) -> Series {
        let empty = if merge == Merge::Sum { 0 } else { NONE };
        Series { merge, period: self.period, values: vec![empty; self.values.len()] }
    }

    /// Width of a bucket.
    pub fn period(&self) -> Duration {
        self.period
    }

    /// Adds `value` at `at`. What lies behind the end counts for the last bucket.
    pub fn add(&mut self, at: SimTime, value: u64) {
        let last = self.values.len() - 1;
        let bucket = usize::try_from(at.0 / self.period.0).map_or(last, |i| i.min(last));
        let slot = &mut self.values[bucket];
        *slot = match self.merge {
            Merge::Sum => slot.saturating_add(value),
            Merge::Peak if *slot == NONE => value,
            Merge::Peak => value.max(*slot),
            Merge::Last => value,
        };
    }

    /// The buckets in order: start of the bucket, and its value if it saw one.
    pub fn iter(&self) -> impl Iterator<Item = (SimTime, Option<u64>)> + '_ {
        self.values
            .iter()
            .enumerate()
            .map(|(i, &v)| (SimTime(i as u64 * self.period.0), (v != NONE).then_some(v)))
    }

    /// Number of buckets, at least 1.
    pub fn buckets(&self) -> usize {
        self.values.len()
    }

    /// The value of a bucket, if it saw one.
    pub fn get(&self, bucket: usize) -> Option<u64> {
        self.values.get(bucket).copied().filter(|&v| v != NONE)
    }

    /// The largest value, if any bucket saw one.
    pub fn peak(&self) -> Option<u64> {
        self.values.iter().copied().filter(|&v| v != NONE).max()
    }
}
