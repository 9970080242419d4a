//! Quantiles and shares with their intervals, from independent trials.
//!
//! An interval of a quantile has two of the trials as its ends: their ranks are chosen by the
//! binomial distribution alone, whatever is measured. That of a share is the exact one of Clopper
//! and Pearson. Both miss at most one time in twenty, at either end at most one in forty.
//!
//! Only sums, products and quotients are used, so that the ends are the same on every machine.
//!
//! **Source.** David and Nagaraja, *Order Statistics*, 7.1; Clopper and Pearson 1934; of several
//! looks Bonferroni's inequality.
//!
//! **Not modelled.** Nothing.

/// How often an interval may miss at one end.
const TAIL: f64 = 0.025;

/// The ranks, from 1, of the trials at the ends of an interval; `None`: there are too few trials
/// for that end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranks {
    /// Of the lower end.
    pub low: Option<usize>,
    /// Of the upper end.
    pub high: Option<usize>,
}

impl Ranks {
    /// For the quantile of `trials` values that a share of `above` lies above.
    pub fn of(trials: usize, above: f64) -> Ranks {
        let Tails { weights } = tails(trials, 1.0 - above);
        let outside = |weights: &mut dyn Iterator<Item = &f64>| {
            let mut sum = 0.0;
            let within = |weight: &&f64| {
                sum += **weight;
                sum <= TAIL
            };
            weights.take_while(within).count()
        };
        // The lower end is above the quantile if fewer than `low` trials lie below it.
        let low = outside(&mut weights.iter());
        let high = outside(&mut weights.iter().rev());
        let rank = |outside: usize, rank: usize| (outside > 0).then_some(rank);
        Ranks { low: rank(low, low), high: rank(high, trials + 1 - high) }
    }

    /// The smallest number of trials whose interval has an upper end.
    pub fn fewest(above: f64) -> usize {
        let (mut trials, mut none_above) = (0, 1.0);
        while none_above > TAIL {
            none_above *= 1.0 - above;
            trials += 1;
        }
        trials
    }
}

/// What trials measured, and a quantile of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantile {
    /// In order; not empty.
    values: Vec<u64>,
    /// The share above the quantile.
    above: f64,
}

impl Quantile {
    /// The quantile of these values that a share of `above` lies above.
    ///
    /// # Panics
    /// If there are no values.
    pub fn of(mut values: Vec<u64>, above: f64) -> Quantile {
        assert!(!values.is_empty(), "a quantile of nothing");
        values.sort_unstable();
        Quantile { values, above }
    }

    /// The value in the middle of the interval.
    pub fn middle(&self) -> u64 {
        let above = (self.above * self.values.len() as f64) as usize;
        self.values[self.values.len() - 1 - above.min(self.values.len() - 1)]
    }

    /// The lower end; with too few trials the smallest value.
    pub fn low(&self) -> u64 {
        let rank = Ranks::of(self.values.len(), self.above).low;
        self.values[rank.map_or(0, |rank| rank - 1)]
    }

    /// The upper end; with too few trials the largest value.
    pub fn high(&self) -> u64 {
        let rank = Ranks::of(self.values.len(), self.above).high;
        self.values[rank.unwrap_or(self.values.len()) - 1]
    }

    /// Whether both ends are there and no further apart than this share of the upper one.
    pub fn is_within(&self, share: f64) -> bool {
        let ranks = Ranks::of(self.values.len(), self.above);
        let there = ranks.low.is_some() && ranks.high.is_some();
        there && (self.high() - self.low()) as f64 <= share * self.high() as f64
    }

    /// The share of trials above a value.
    pub fn above(&self, value: u64) -> Share {
        let hits = self.values.len() - self.values.partition_point(|v| *v <= value);
        Share::new(hits, self.values.len())
    }
}

/// A share of trials, with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// In how many it was so.
    pub hits: usize,
    /// Of how many.
    pub of: usize,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

impl Share {
    /// It was so in `hits` trials of `of`.
    pub fn new(hits: usize, of: usize) -> Share {
        Share::one_of(1, hits, of)
    }

    /// The same for one of several `looks` at trials as they come, so wide that all of them
    /// together miss no more often than one: whoever stops when he likes what he sees would be
    /// wrong too often.
    pub fn one_of(looks: usize, hits: usize, of: usize) -> Share {
        let tail = TAIL / looks as f64;
        let low = if hits == 0 { 0.0 } else { edge(|p| tails(of, p).at_least(hits) < tail) };
        let high = if hits == of { 1.0 } else { edge(|p| tails(of, p).at_most(hits) > tail) };
        Share { hits, of, low, high }
    }

    /// The share itself; 0 of no trials.
    pub fn value(&self) -> f64 {
        self.hits as f64 / self.of.max(1) as f64
    }
}

/// Where something that is so for small shares ceases to be.
fn edge(is_so: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..40 {
        let middle = (low + high) / 2.0;
        if is_so(middle) { low = middle } else { high = middle }
    }
    high
}

/// The binomial distribution of `trials` with a chance of `p`.
fn tails(trials: usize, p: f64) -> Tails {
    let mut weights = vec![0.0; trials + 1];
    if p <= 0.0 || p >= 1.0 {
        weights[if p <= 0.0 { 0 } else { trials }] = 1.0;
        return Tails { weights };
    }
    // From the mode outward, so that nothing of weight is too small for a float.
    let mode = ((p * (trials + 1) as f64) as usize).min(trials);
    let odds = p / (1.0 - p);
    weights[mode] = 1.0;
    for k in mode..trials {
        weights[k + 1] = weights[k] * odds * (trials - k) as f64 / (k + 1) as f64;
    }
    for k in (0..mode).rev() {
        weights[k] = weights[k + 1] / odds * (k + 1) as f64 / (trials - k) as f64;
    }
    let sum: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= sum);
    Tails { weights }
}

struct Tails {
    weights: Vec<f64>,
}

impl Tails {
    fn at_most(&self, k: usize) -> f64 {
        self.weights[..=k.min(self.weights.len() - 1)].iter().sum()
    }

    fn at_least(&self, k: usize) -> f64 {
        self.weights.iter().skip(k).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_of_shares_are_those_of_the_tables() {
        // Clopper and Pearson, 95 %: 0 of 10, 1 of 20, 10 of 1000.
        let near = |share: Share, low: f64, high: f64| {
            assert!(
                (share.low - low).abs() < 5e-5 && (share.high - high).abs() < 5e-5,
                "{share:?}"
            );
        };
        near(Share::new(0, 10), 0.0, 0.3085);
        near(Share::new(1, 20), 0.0013, 0.2487);
        near(Share::new(10, 1_000), 0.0048, 0.0183);
        near(Share::new(10, 10), 0.6915, 1.0);
    }

    #[test]
    fn ranks_leave_at_most_a_fortieth_at_either_end() {
        for (trials, above) in
            [(60, 0.5), (400, 0.05), (1_000, 0.01), (2_000, 0.01), (10_000, 0.001)]
        {
            let Ranks { low: Some(low), high: Some(high) } = Ranks::of(trials, above) else {
                panic!("enough trials")
            };
            let below = tails(trials, 1.0 - above);
            let missed = [below.at_most(low - 1), below.at_least(high)];
            assert!(missed.iter().all(|m| *m <= TAIL), "{missed:?}");
            assert!(below.at_most(low) > TAIL && below.at_least(high - 1) > TAIL);
        }
        assert_eq!(Ranks::fewest(0.01), 368);
        assert_eq!(Ranks::of(367, 0.01).high, None);
        assert_eq!(Ranks::of(368, 0.01).high, Some(368));
    }
}
