//! What a measurement looks like to the models: a quantile function with a few points.
//!
//! People have percentiles (`p50`, `p99`, `max`), so a random quantity is its quantile function,
//! linear between the known points. A throw of a die picks the quantile. The same type serves
//! durations (nanoseconds) and sizes (bytes). Integers only: results have the same bits on every
//! machine. [`exponential`] gives the gaps of Poisson arrivals from a table made with integers,
//! since `ln` differs between math libraries.
//!
//! **Source.** product.md's quantile rule: p0 is half of p50 unless given.
//!
//! **Not modelled.** Correlation between one draw and the next.

use crate::units::Die;

/// A quantile function over whole numbers: constant, or linear between points.
///
/// Invariants: probabilities and values never fall from one point to the next; the first point
/// is at probability 0 and the last at 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quantiles {
    /// The last value, and the only one if there are no segments.
    max: u64,
    segments: Vec<Segment>,
}

/// One straight piece, from `from` (a probability in 2^-32) on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    from: u64,
    value: u64,
    /// Probability from `from` to the next point, in 2^-32; never zero.
    width: u64,
    rise: u64,
    /// `rise / width`, rounded down to 2^-32: a multiplication is cheaper than a division. The
    /// whole of it, and the rest in 2^-32.
    slope: (u64, u64),
}

impl Segment {
    /// The value at a probability in it.
    #[inline]
    fn at(&self, p: u64) -> u64 {
        // Nothing wraps: `along` and `rest` are below 2^32, and the sum is at most the last value.
        let (along, (whole, rest)) = (p.wrapping_sub(self.from), self.slope);
        let risen = along.wrapping_mul(whole).wrapping_add(along.wrapping_mul(rest) >> 32);
        self.value.wrapping_add(risen)
    }
}

/// Probability 1 in the fixed point of [`Quantiles`].
pub const ONE: u64 = 1 << 32;

impl Quantiles {
    /// Always `value`.
    pub fn constant(value: u64) -> Quantiles {
        Quantiles { max: value, segments: Vec::new() }
    }

    /// Every value from `min` to `max` equally likely.
    pub fn uniform(min: u64, max: u64) -> Quantiles {
        Quantiles::new(&[(0, min), (ONE, max)]).expect("two points in order")
    }

    /// From points (probability in 2^-32, value). `None` unless probabilities rise strictly from
    /// 0 to [`ONE`] and values never fall.
    pub fn new(points: &[(u64, u64)]) -> Option<Quantiles> {
        let (first, last) = (points.first()?, points.last()?);
        let rising = points.windows(2).all(|w| w[0].0 < w[1].0 && w[0].1 <= w[1].1);
        if first.0 != 0 || last.0 != ONE || !rising {
            return None;
        }
        if first.1 == last.1 {
            return Some(Quantiles::constant(first.1));
        }
        let segments = points
            .windows(2)
            .map(|w| {
                let (width, rise) = (w[1].0 - w[0].0, w[1].1 - w[0].1);
                let slope = (rise / width, ((rise % width) << 32) / width);
                Segment { from: w[0].0, value: w[0].1, width, rise, slope }
            })
            .collect();
        Some(Quantiles { max: last.1, segments })
    }

    /// Whether every draw gives the same value.
    pub fn is_constant(&self) -> bool {
        self.segments.is_empty()
    }

    /// The same quantile function with every value times `factor / one`, rounded down.
    pub fn times(&self, factor: u64, one: u64) -> Quantiles {
        self.map(|value| {
            let product = u128::from(value) * u128::from(factor) / u128::from(one);
            u64::try_from(product).unwrap_or(u64::MAX)
        })
    }

    /// The quantile function of another value, which never falls as this one rises.
    fn map(&self, value: impl Fn(u64) -> u64) -> Quantiles {
        let mut points: Vec<(u64, u64)> =
            self.segments.iter().map(|segment| (segment.from, value(segment.value))).collect();
        points.push((ONE, value(self.max)));
        Quantiles::new(&points).unwrap_or_else(|| Quantiles::constant(value(self.max)))
    }

    /// The value at the quantile that a die's `throw` picks.
    #[inline]
    pub fn quantile(&self, throw: u64) -> u64 {
        let p = throw >> 32;
        for segment in self.segments.iter().rev() {
            if p >= segment.from {
                return segment.at(p);
            }
        }
        self.max
    }

    /// A value drawn with a throw of a die, which a constant leaves alone.
    #[inline]
    pub fn drawn_with(&self, throw: impl FnOnce() -> u64) -> u64 {
        match self.segments.as_slice() {
            [] => self.max,
            [segment] => segment.at(throw() >> 32),
            _ => self.quantile(throw()),
        }
    }

    /// A value for each of `things`, drawn one after the other.
    #[inline]
    pub fn draw_each<T>(&self, die: &mut Die, things: &mut [T], mut give: impl FnMut(&mut T, u64)) {
        let mut own = *die;
        match self.segments.as_slice() {
            [] => things.iter_mut().for_each(|thing| give(thing, self.max)),
            &[segment] => {
                things.iter_mut().for_each(|thing| give(thing, segment.at(own.throw() >> 32)));
            }
            _ => things.iter_mut().for_each(|thing| give(thing, self.quantile(own.throw()))),
        }
        *die = own;
    }

    /// The largest value.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The mean, rounded down.
    pub fn mean(&self) -> u64 {
        if self.is_constant() {
            return self.max;
        }
        let area: u128 = self
            .segments
            .iter()
            .map(|s| (2 * s.value as u128 + s.rise as u128) * s.width as u128)
            .sum();
        (area / (2 * ONE as u128)) as u64
    }
}

/// Fraction bits of the exponential table.
const FRACTION: u32 = 32;
/// Points of the table over one octave.
const STEPS: usize = 1024;

/// log2(1 + i/STEPS) in 2^-32, by the bit-by-bit squaring method, and how far it is to the next.
static LOG2: [(u64, u64); STEPS] = {
    let mut table = [(0, 0); STEPS];
    let mut next = 1 << FRACTION;
    let mut i = STEPS;
    while i > 0 {
        i -= 1;
        // The mantissa in 2^-62, from 1 to 2.
        let mut m: u128 = (1 << 62) + (i as u128) * ((1 << 62) / STEPS as u128);
        let mut log: u64 = 0;
        let mut bit = FRACTION;
        while bit > 0 {
            bit -= 1;
            m = (m * m) >> 62;
            if m >= 1 << 63 {
                m >>= 1;
                log |= 1 << bit;
            }
        }
        table[i] = (log, next - log);
        next = log;
    }
    table
};

/// ln 2 in 2^-32.
const LN_2: u64 = 2_977_044_472;

/// An exponentially distributed value with the given mean, as `throw` picks it: the gap between
/// two Poisson arrivals. Exact to about one part in ten million; at most 44 times the mean.
#[inline]
pub fn exponential(mean: u64, throw: u64) -> u64 {
    // -ln(u) = (64 - (octave + log2(mantissa))) * ln 2, with u = throw / 2^64. What follows the
    // first bit of u is turned to the top, and that bit to the end, where nobody looks.
    let u = throw | 1;
    let octave = u.ilog2();
    let mantissa = u.rotate_right(octave);
    let index = (mantissa >> (64 - 10)) as usize;
    let rest = (mantissa << 10) >> 32;
    // Nothing can wrap: a step rises by less than 2^23, and log2 of a mantissa is below 1.
    let (low, rise) = LOG2[index];
    let log2 = low.wrapping_add(rise.wrapping_mul(rest) >> 32);
    let e = (64u64 << FRACTION).wrapping_sub((u64::from(octave) << FRACTION).wrapping_add(log2));
    // 6 bits of octaves and 32 of fraction times 32 bits of ln 2 need 70 bits.
    let nats = ((u128::from(e) * u128::from(LN_2)) >> FRACTION) as u64;
    ((u128::from(nats) * u128::from(mean)) >> FRACTION) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_linear_between_points() {
        let q = Quantiles::new(&[(0, 100), (ONE / 2, 200), (ONE, 1000)]).expect("points");
        let at = |p: u64| q.quantile(p << 32);
        assert_eq!(at(0), 100);
        assert_eq!(at(ONE / 4), 150);
        assert_eq!(at(ONE / 2), 200);
        assert_eq!(at(ONE / 4 * 3), 600);
        assert_eq!(q.quantile(u64::MAX), 999);
        assert_eq!(q.mean(), 75 + 300);
    }

    #[test]
    fn points_out_of_order_are_refused() {
        assert!(Quantiles::new(&[(0, 2), (ONE, 1)]).is_none());
        assert!(Quantiles::new(&[(1, 1), (ONE, 2)]).is_none());
        assert!(Quantiles::new(&[(0, 1)]).is_none());
    }

    #[test]
    fn exponential_gaps_have_the_right_mean_and_tail() {
        let mut die = Die::new(1, "arrival", "test");
        let n = 1_000_000u64;
        let (mut sum, mut over) = (0u128, 0u64);
        for _ in 0..n {
            let gap = exponential(1_000_000, die.throw());
            sum += u128::from(gap);
            over += u64::from(gap > 3_000_000);
        }
        let mean = (sum / u128::from(n)) as u64;
        assert!((997_000..=1_003_000).contains(&mean), "{mean}");
        // e^-3 = 4.979 %.
        assert!((49_000..=50_600).contains(&over), "{over}");
    }
}
