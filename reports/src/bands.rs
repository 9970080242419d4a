//! How long a lag was good, and how long concerning.
//!
//! A span of a series counts by its largest value, so a moment over a bound makes its whole span
//! (a two-thousandth of the run) count as such. Where a view shows NULL there is no lag to judge.
//!
//! **Source.** The thresholds are those of the tutorial that many start with: less than 1 MB and
//! 1 s are good, more than 100 MB or 10 s are concerning.

use models::trace::series::Series;
use models::units::Duration;

/// Below this many bytes a lag is good.
pub const GOOD_BYTES: u64 = 1 << 20;
/// Above this many bytes it is concerning.
pub const CONCERNING_BYTES: u64 = 100 << 20;
/// Below this many nanoseconds a lag is good.
pub const GOOD_TIME: u64 = 1_000_000_000;
/// Above this many nanoseconds it is concerning.
pub const CONCERNING_TIME: u64 = 10_000_000_000;

/// Time spent in each band.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bands {
    /// Below the lower bound.
    pub good: Duration,
    /// From the lower to the upper bound.
    pub between: Duration,
    /// Above the upper bound.
    pub concerning: Duration,
    /// Without a value.
    pub unknown: Duration,
}

/// The time that a lag in bytes spent in each band.
pub fn of_bytes(lag: &Series) -> Bands {
    spent(lag, GOOD_BYTES, CONCERNING_BYTES)
}

/// The time that a lag in nanoseconds spent in each band.
pub fn of_time(lag: &Series) -> Bands {
    spent(lag, GOOD_TIME, CONCERNING_TIME)
}

fn spent(lag: &Series, good: u64, concerning: u64) -> Bands {
    let mut bands = Bands::default();
    for (_, value) in lag.iter() {
        let band = match value {
            None => &mut bands.unknown,
            Some(value) if value < good => &mut bands.good,
            Some(value) if value > concerning => &mut bands.concerning,
            Some(_) => &mut bands.between,
        };
        *band = Duration(band.0 + lag.period().0);
    }
    bands
}

#[cfg(test)]
mod tests {
    use models::trace::series::Merge;
    use models::units::SimTime;

    use super::*;

    #[test]
    fn every_span_is_in_one_band() {
        let mut lag = Series::new(Merge::Peak, Duration::s(2));
        for (millis, bytes) in [(0, 0), (1, GOOD_BYTES), (2, CONCERNING_BYTES + 1), (3, 17)] {
            lag.add(SimTime(millis * 1_000_000), bytes);
        }
        let bands = of_bytes(&lag);
        assert_eq!((bands.good, bands.between), (Duration::ms(2), Duration::ms(1)));
        assert_eq!((bands.concerning, bands.unknown), (Duration::ms(1), Duration::ms(1_996)));
    }
}
