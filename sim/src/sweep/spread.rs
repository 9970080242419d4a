//! What one metric comes to over many seeds.
//!
//! **Source.** As in [`crate::estimate`].
//!
//! **Not modelled.** Nothing.

use scenarios::expect::{Measured, Unit};

use crate::estimate::Ranks;

/// A metric of a variant.
#[derive(Clone, Debug)]
pub struct Metric {
    /// Path into the summary, such as `latency_ms.p99`.
    pub path: String,
    /// What it is measured in.
    pub unit: Unit,
    /// What each seed measured, in order; `None`: it is absent there.
    pub values: Vec<Option<Measured>>,
}

/// Numbers of many seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Spread {
    /// In order, each with the place of its seed; not empty.
    sorted: Vec<(f64, usize)>,
}

/// A quantile and its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Around {
    /// The quantile of these seeds.
    pub value: f64,
    /// Lower end of the 95 % interval; `None`: there are too few seeds for it.
    pub low: Option<f64>,
    /// Its upper end.
    pub high: Option<f64>,
}

impl Metric {
    /// The numbers that it was; `None`: it never was one.
    pub fn spread(&self) -> Option<Spread> {
        Spread::of(self.values.iter().enumerate().filter_map(|(index, value)| match value {
            Some(Measured::Number(number)) => Some((*number, index)),
            Some(Measured::Word(_)) | None => None,
        }))
    }

    /// How much more each seed measured than with `base`: the same dice, so that what luck does to
    /// both is out of it. `None` if no seed has both.
    pub fn against(&self, base: &Metric) -> Option<Spread> {
        let pairs = self.values.iter().zip(&base.values).enumerate();
        Spread::of(pairs.filter_map(|(index, pair)| match pair {
            (Some(Measured::Number(own)), Some(Measured::Number(base))) => {
                Some((own - base, index))
            }
            (Some(_) | None, Some(_) | None) => None,
        }))
    }

    /// The texts that it was, the most frequent first: each with the number of seeds, and the
    /// place of the first.
    pub fn words(&self) -> Vec<(&str, usize, usize)> {
        let mut found: Vec<(&str, usize, usize)> = Vec::new();
        for (index, value) in self.values.iter().enumerate() {
            let Some(Measured::Word(word)) = value else { continue };
            match found.iter_mut().find(|(known, ..)| known == word) {
                Some((_, times, _)) => *times += 1,
                None => found.push((word, 1, index)),
            }
        }
        found.sort_by_key(|&(_, times, first)| (std::cmp::Reverse(times), first));
        found
    }
}

impl Spread {
    fn of(numbers: impl Iterator<Item = (f64, usize)>) -> Option<Spread> {
        let mut sorted: Vec<(f64, usize)> = numbers.collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        (!sorted.is_empty()).then_some(Spread { sorted })
    }

    /// In how many seeds it was measured.
    pub fn count(&self) -> usize {
        self.sorted.len()
    }

    /// The mean.
    pub fn mean(&self) -> f64 {
        self.sorted.iter().map(|(number, _)| number).sum::<f64>() / self.sorted.len() as f64
    }

    /// The smallest number, and the place of the first seed that measured it.
    pub fn least(&self) -> (f64, usize) {
        self.sorted[0]
    }

    /// The largest number, and the place of the first seed that measured it.
    pub fn most(&self) -> (f64, usize) {
        let (most, _) = self.sorted[self.sorted.len() - 1];
        let first = self.sorted.partition_point(|(number, _)| *number < most);
        self.sorted[first]
    }

    /// Whether every seed measured the same.
    pub fn is_constant(&self) -> bool {
        self.least().0 == self.most().0
    }

    /// The quantile that a share of `above` lies above.
    pub fn quantile(&self, above: f64) -> Around {
        let all = self.sorted.len();
        let ranks = Ranks::of(all, above);
        let at = |rank: usize| self.sorted[rank - 1].0;
        let below = all - ((above * all as f64) as usize).min(all - 1);
        Around { value: at(below), low: ranks.low.map(at), high: ranks.high.map(at) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(values: &[Option<f64>]) -> Metric {
        let measured = |value: &Option<f64>| value.map(Measured::Number);
        let values = values.iter().map(measured).collect();
        Metric { path: "commits.lost".to_owned(), unit: Unit::Number, values }
    }

    #[test]
    fn quantiles_have_runs_as_their_ends() {
        let hundred: Vec<Option<f64>> = (0..100).map(|n| Some(f64::from(n * 37 % 100))).collect();
        let spread = metric(&hundred).spread().expect("numbers");
        assert_eq!((spread.count(), spread.mean()), (100, 49.5));
        // 99 stands at the place of which 37 times is 99 more than hundreds.
        assert_eq!((spread.least(), spread.most()), ((0.0, 0), (99.0, 27)));
        // David and Nagaraja, 7.1: the 40th and the 61st of 100 hold the median with 95 %.
        let median = spread.quantile(0.5);
        assert_eq!((median.value, median.low, median.high), (49.0, Some(39.0), Some(60.0)));
        // The largest of 100 is below the quantile of 99 % more than one time in forty.
        assert_eq!(spread.quantile(0.01).high, None);
    }

    #[test]
    fn pairs_tell_a_small_difference_from_luck() {
        let luck = |n: u32| f64::from(n * 37 % 100);
        let base = metric(&(0..100).map(|n| Some(luck(n))).collect::<Vec<_>>());
        let more = metric(&(0..100).map(|n| Some(luck(n) + 0.5)).collect::<Vec<_>>());
        let median = more.against(&base).expect("pairs").quantile(0.5);
        assert_eq!((median.low, median.high), (Some(0.5), Some(0.5)));
        let absent = metric(&[None, Some(1.0)]);
        assert_eq!(absent.against(&base).expect("a pair").count(), 1);
        assert_eq!(metric(&[None]).against(&base), None);
    }

    #[test]
    fn words_are_counted_from_the_most_frequent_on() {
        let word = |word: &str| Some(Measured::Word(word.to_owned()));
        let mut words = metric(&[]);
        words.values = vec![word("lost"), word("reserved"), None, word("reserved")];
        assert_eq!(words.words(), [("reserved", 2, 1), ("lost", 1, 0)]);
        assert_eq!(words.spread(), None);
    }
}
