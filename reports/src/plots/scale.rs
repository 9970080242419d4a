//! Axes: where a value is, and which values have a tick.
//!
//! A scale maps a value to a share of the axis in [`FULL`] parts, with integers only.

use crate::human;
use crate::stats::{log2, nines};

/// The whole length of an axis.
pub const FULL: i64 = 1 << 24;

/// What is measured along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Nanoseconds.
    Nanos,
    /// A count a second.
    PerSecond,
    /// Bytes a second.
    BytesPerSecond,
    /// Bytes a second, told in bits.
    BitsPerSecond,
    /// A share, in millionths.
    Share,
    /// The time of a day, in nanoseconds since midnight.
    Clock,
    /// The day of a week, in nanoseconds since the midnight before Monday.
    Weekday,
}

/// Nanoseconds of a second.
const S: u64 = 1_000_000_000;
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

impl Unit {
    /// A value with its unit.
    pub fn text(self, value: u64) -> String {
        match self {
            Unit::Bytes => human::bytes(value),
            Unit::Nanos => human::duration(value),
            Unit::PerSecond => human::count(value),
            Unit::BytesPerSecond => format!("{}/s", human::bytes(value)),
            Unit::BitsPerSecond => human::bits(value),
            Unit::Share => human::share(value as f64 / 1e6),
            Unit::Clock => {
                format!("{:02}:{:02}", value / (3_600 * S) % 24, value / (60 * S) % 60)
            }
            Unit::Weekday => {
                let day = DAYS[(value / (86_400 * S) % 7) as usize];
                match value % (86_400 * S) {
                    0 => day.to_owned(),
                    of_day => format!("{day} {}", Unit::Clock.text(of_day)),
                }
            }
        }
    }
}

/// An axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// From 0 to `max` in steps.
    Linear {
        /// The end of the axis.
        max: u64,
        /// Between two ticks.
        step: u64,
    },
    /// Logarithmic from `min` to `max`, both 1, 2 or 5 times a power of ten.
    Log {
        /// The start of the axis, at least 1.
        min: u64,
        /// Its end, above `min`.
        max: u64,
    },
    /// Shares in millionths by the number of nines, and 1 at the end.
    Nines {
        /// The share that would be where 1 is; all below the end are below it.
        end: u32,
    },
    /// Logarithmic between two powers of two, for bytes.
    Binary {
        /// The exponent of the start of the axis.
        min: u32,
        /// That of its end, above `min`.
        max: u32,
    },
}

impl Scale {
    /// From 0 to at least `peak`, in at most five round steps of `unit`.
    pub fn linear(peak: u64, unit: Unit) -> Scale {
        let peak = peak.max(1);
        let step = match unit {
            Unit::Bytes | Unit::BytesPerSecond => (peak.div_ceil(5)).next_power_of_two(),
            Unit::Nanos | Unit::Clock | Unit::Weekday => time_step(peak, 5),
            Unit::PerSecond | Unit::Share => round_up(peak.div_ceil(5)),
            Unit::BitsPerSecond => round_up(peak.saturating_mul(8).div_ceil(5)).div_ceil(8),
        };
        Scale::Linear { max: peak.div_ceil(step).saturating_mul(step), step }
    }

    /// Time from 0 to exactly `end`.
    pub fn time(end: u64) -> Scale {
        let end = end.max(1);
        Scale::Linear { max: end, step: time_step(end, 9) }
    }

    /// Shares of a sample of so many, from none to all: no other share is as near to all.
    pub fn nines(of: usize) -> Scale {
        let of = u32::try_from(of).unwrap_or(u32::MAX).clamp(2, 500_000);
        Scale::Nines { end: 1_000_000 - 500_000 / of }
    }

    /// From below `low` to above `high`, at least a decade; for bytes from 1 kB to 1 MB at least.
    pub fn log(low: u64, high: u64, unit: Unit) -> Scale {
        if unit == Unit::Bytes {
            let high = high.clamp(1 << 20, 1 << 60).next_power_of_two().ilog2();
            return Scale::Binary { min: 10, max: high };
        }
        let min = round_down(low.max(1));
        let max = round_up(high.max(1).saturating_add(1)).max(min.saturating_mul(10));
        Scale::Log { min, max }
    }

    /// The end of the axis.
    pub fn end(self) -> u64 {
        match self {
            Scale::Linear { max, .. } | Scale::Log { max, .. } => max,
            Scale::Binary { max, .. } => 1 << max,
            Scale::Nines { .. } => 1_000_000,
        }
    }

    /// Where `value` is, from 0 to [`FULL`].
    pub fn place(self, value: u64) -> i64 {
        let share = |part: i128, whole: i128| {
            (part * i128::from(FULL) / whole.max(1)).clamp(0, i128::from(FULL)) as i64
        };
        match self {
            Scale::Linear { max, .. } => share(i128::from(value), i128::from(max)),
            Scale::Log { min, max } => {
                let from = log2(min);
                share(i128::from(log2(value) - from), i128::from(log2(max) - from))
            }
            Scale::Binary { min, max } => {
                let from = log2(1 << min);
                share(i128::from(log2(value) - from), i128::from(log2(1 << max) - from))
            }
            Scale::Nines { end } => {
                let value = u32::try_from(value).unwrap_or(end).min(end);
                share(i128::from(nines(value)), i128::from(nines(end)))
            }
        }
    }

    /// The values that have a tick.
    pub fn ticks(self) -> Vec<u64> {
        match self {
            Scale::Linear { max, step } => {
                (0..).map(|n| n * step).take_while(|&tick| tick <= max).take(12).collect()
            }
            Scale::Log { min, max } => {
                let all: Vec<u64> = std::iter::successors(Some(min), |&t| next_round(t))
                    .take_while(|&tick| tick <= max)
                    .collect();
                if all.len() <= 7 {
                    return all;
                }
                all.into_iter().filter(|&tick| power_of_ten(tick) == tick).collect()
            }
            Scale::Binary { min, max } => {
                let step = (max - min).div_ceil(6).max(1) as usize;
                (min..=max).step_by(step).map(|exponent| 1 << exponent).collect()
            }
            Scale::Nines { end } => {
                // Losses of 1, 2 and 5 times a power of ten, as far as they are apart from none.
                let rest = u64::from(1_000_000 - end);
                let losses = std::iter::successors(Some(1), |&t| next_round(t));
                let losses = losses.take_while(|&loss| loss <= 1_000_000);
                let mut ticks: Vec<u64> = losses
                    .filter(|&loss| 2 * loss >= 3 * rest && power_of_ten(loss) * 2 != loss)
                    .map(|loss| 1_000_000 - loss)
                    .collect();
                ticks.reverse();
                ticks.push(1_000_000);
                ticks
            }
        }
    }
}

/// The largest power of ten not above `value`.
fn power_of_ten(value: u64) -> u64 {
    10u64.pow(value.max(1).ilog10())
}

/// The largest of 1, 2 and 5 times a power of ten that is not above `value`.
fn round_down(value: u64) -> u64 {
    let power = power_of_ten(value);
    match value / power {
        0..=1 => power,
        2..=4 => 2 * power,
        _ => 5 * power,
    }
}

/// The smallest of 1, 2 and 5 times a power of ten that is not below `value`.
fn round_up(value: u64) -> u64 {
    let below = round_down(value);
    if below == value { below } else { next_round(below).unwrap_or(u64::MAX) }
}

fn next_round(value: u64) -> Option<u64> {
    let power = power_of_ten(value);
    match value / power {
        1 => Some(2 * power),
        2 => Some(5 * power),
        _ => power.checked_mul(10),
    }
}

/// A step that people count time in, at most `most` of which fit into `span` nanoseconds.
fn time_step(span: u64, most: u64) -> u64 {
    let wanted = span.div_ceil(most);
    if wanted <= S {
        return round_up(wanted);
    }
    let steps = [
        1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200,
        86_400, 172_800, 604_800, 1_209_600, 2_592_000,
    ];
    let fits = steps.into_iter().map(|s| s * S).find(|&step| step >= wanted);
    fits.unwrap_or_else(|| wanted.div_ceil(86_400 * S) * 86_400 * S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(Scale::linear(300 << 20, Unit::Bytes).ticks().len(), 6);
        assert_eq!(Scale::linear(0, Unit::PerSecond), Scale::Linear { max: 1, step: 1 });
        let nanos = |low, high| Scale::log(low, high, Unit::Nanos);
        assert_eq!(nanos(180, 9_000).ticks(), [100, 200, 500, 1_000, 2_000, 5_000, 10_000]);
        assert_eq!(nanos(1, 100_000).ticks(), [1, 10, 100, 1_000, 10_000, 100_000]);
        let bytes = Scale::log(1, 3 << 30, Unit::Bytes);
        assert_eq!(bytes, Scale::Binary { min: 10, max: 32 });
        assert_eq!(bytes.ticks().len(), 6);
        let minute = Scale::time(120_000_000_000);
        assert_eq!(minute.ticks().len(), 9);
        for peak in [1, 7, 99, u64::MAX / 2] {
            assert!(!Scale::linear(peak, Unit::Nanos).ticks().is_empty());
        }
    }

    #[test]
    fn places_stay_on_the_axis() {
        let scale = Scale::log(1_000, 1_000_000, Unit::Nanos);
        assert_eq!(scale.place(1_000), 0);
        assert_eq!(scale.place(0), 0);
        assert_eq!(scale.place(u64::MAX), FULL);
        assert_eq!(Scale::time(100).place(50), FULL / 2);
        let bytes = Scale::log(1 << 12, 1 << 30, Unit::Bytes);
        assert_eq!((bytes.place(0), bytes.place(1 << 20)), (0, FULL / 2));
    }
}
