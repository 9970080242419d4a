//! Percentiles by the number of nines, and a logarithm that is the same on every machine.
//!
//! The standard library's `ln` is the platform's, and platforms differ in the last bit, which can
//! move a point by a pixel. [`log2`] squares a mantissa bit by bit in integers instead.

use models::trace::histogram::Histogram;

/// Fractional bits of [`log2`].
const BITS: u32 = 20;
/// 10 as [`log2`] has it: what a decade measures.
pub const DECADE: i64 = 3_483_294;

/// The logarithm to base 2 of `value` in units of 2^-20, rounded down; 0 counts as 1.
pub fn log2(value: u64) -> i64 {
    let value = value.max(1);
    let whole = 63 - value.leading_zeros();
    // The mantissa, from 1 to 2, with 31 fractional bits.
    let mut mantissa = if whole >= 31 { value >> (whole - 31) } else { value << (31 - whole) };
    let mut log = u64::from(whole);
    for _ in 0..BITS {
        mantissa = (mantissa * mantissa) >> 31;
        log <<= 1;
        if mantissa >= 1 << 32 {
            mantissa >>= 1;
            log += 1;
        }
    }
    log as i64
}

/// Shares in millionths at which a latency curve has a point: evenly spread over the nines.
pub const SHARES: [u32; 27] = [
    0, 200_000, 400_000, 500_000, 600_000, 700_000, 800_000, 850_000, 900_000, 930_000, 950_000,
    970_000, 980_000, 990_000, 993_000, 995_000, 998_000, 999_000, 999_300, 999_500, 999_800,
    999_900, 999_950, 999_980, 999_990, 999_998, 999_999,
];

/// Shares with a label on the axis.
pub const LABELLED: [(u32, &str); 7] = [
    (0, "0%"),
    (500_000, "50%"),
    (900_000, "90%"),
    (990_000, "99%"),
    (999_000, "99.9%"),
    (999_900, "99.99%"),
    (999_990, "99.999%"),
];

/// Number of nines of a share in millionths, in units of [`DECADE`]: 90 % is one, 99 % two.
pub fn nines(share: u32) -> i64 {
    log2(1_000_000) - log2(u64::from(1_000_000u32.saturating_sub(share)))
}

/// The percentiles of `latency` at [`SHARES`] (share, nanoseconds), as far as at least one commit
/// was slower.
pub fn percentiles(latency: &Histogram) -> Vec<(u32, u64)> {
    let enough =
        |share: u32| u128::from(latency.count()) * u128::from(1_000_000 - share) >= 1_000_000;
    SHARES
        .into_iter()
        .filter(|&share| enough(share))
        .filter_map(|share| latency.percentile(share).map(|at| (share, at.0)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_right_to_a_millionth() {
        assert_eq!(log2(1), 0);
        assert_eq!(log2(8), 3 << BITS);
        assert_eq!(log2(10), DECADE);
        for value in [3, 7, 1_000, 123_456_789, u64::MAX / 3] {
            let exact = (value as f64).log2() * f64::from(1 << BITS);
            assert!((exact - log2(value) as f64).abs() < 2.0, "{value}");
        }
    }

    #[test]
    fn ninety_nine_percent_has_two_nines() {
        assert_eq!(nines(0), 0);
        assert!((nines(990_000) - 2 * DECADE).abs() < 3);
    }
}
