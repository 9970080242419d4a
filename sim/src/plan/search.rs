//! The least value of a setting that the run feeds back on, by bisection.
//!
//! Values are the steps of a scale. A trial's *edge* is the first step at which it is good; all
//! values are tried on the same trials, so two values differ in nothing but the value. Wanted is a
//! quantile of the edges. A value is played only in trials whose edge it can still tell: half of
//! those that are left, time and again, drop out.
//!
//! That takes for granted that what is good stays good at larger values. At the end some trials are
//! played at values that the search never tried in them, and what contradicts it is counted.
//!
//! **Source.** Walden's own; the quantile and its interval as in [`crate::estimate`].
//!
//! **Not modelled.** A setting that is best in the middle.

use super::{BATCH, NARROW, Sampling, Watcher, each};
use crate::estimate::{Ranks, Share};
use crate::{Outside, RunError};

/// What is searched for.
pub trait Sought: Sync {
    /// Steps of the scale; more than one.
    fn steps(&self) -> usize;

    /// The value at a step, in the setting's unit.
    fn value(&self, step: usize) -> u64;

    /// Where to look first; best near the answer.
    fn guess(&self) -> usize;

    /// Whether the `n`-th trial is good with the value at that step.
    ///
    /// # Errors
    /// As [`crate::run`].
    fn is_good(&self, step: usize, n: u64, outside: &Outside) -> Result<bool, RunError>;
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Sight {
    /// The upper end of the interval; `None`: no value of the scale is enough.
    pub value: Option<u64>,
    /// What the trials say has exactly the accepted risk.
    pub middle: Option<u64>,
    /// The lower end of the interval.
    pub low: Option<u64>,
    /// Trials that are not good at the value; without one, at the largest that there is.
    pub bad: Share,
    /// The same a step below.
    pub bad_below: Share,
    /// Every value at which all trials are decided, and those that are not good there.
    pub curve: Vec<(u64, Share)>,
    /// Trials played at values that the search could leave out, and how many of them came out as
    /// it took for granted.
    pub checked: (usize, usize),
    /// Trials.
    pub trials: usize,
    /// How often one was played.
    pub plays: usize,
}

/// Finds it.
///
/// # Errors
/// As [`crate::run`].
pub fn search(
    sought: &impl Sought,
    sampling: Sampling,
    watcher: &Watcher<'_>,
) -> Result<Sight, RunError> {
    let most = sampling.most_trials();
    let mut edges = Edges { sought, watcher, ends: Vec::new(), plays: 0 };
    let mut guess = sought.guess().min(sought.steps() - 1);
    let found = loop {
        let trials = most.min(edges.ends.len() + BATCH);
        edges.ends.resize(trials, Ends { low: 0, high: sought.steps() });
        let ranks = Ranks::of(trials, sampling.risk);
        let above = (sampling.risk * trials as f64) as usize;
        let middle = edges.at_rank(trials - above.min(trials - 1), guess)?;
        let high = edges.at_rank(ranks.high.unwrap_or(trials), middle)?;
        let low = edges.at_rank(ranks.low.unwrap_or(1), middle)?;
        let known = ranks.low.is_some() && ranks.high.is_some() && high < sought.steps();
        let narrow = || {
            let (low, high) = (sought.value(low) as f64, sought.value(high) as f64);
            high - low <= NARROW * high || high - low < 2.0 * unit(sought, guess) as f64
        };
        let decided = sampling.trials.is_none() && known && narrow();
        if decided || trials >= most {
            break (low, middle, high);
        }
        guess = middle.min(sought.steps() - 1);
    };
    edges.sight(found)
}

/// The width of a step.
fn unit(sought: &impl Sought, step: usize) -> u64 {
    let below = step.saturating_sub(1);
    sought.value(below + 1).abs_diff(sought.value(below))
}

/// Between which steps a trial's edge lies: `low..=high`.
#[derive(Clone, Copy, Debug)]
struct Ends {
    low: usize,
    high: usize,
}

impl Ends {
    /// Whether the trial is good at a step, if that is known.
    fn is_good(self, step: usize) -> Option<bool> {
        if self.high <= step {
            Some(true)
        } else if self.low > step {
            Some(false)
        } else {
            None
        }
    }
}

struct Edges<'a, S> {
    sought: &'a S,
    watcher: &'a Watcher<'a>,
    /// Of each trial.
    ends: Vec<Ends>,
    plays: usize,
}

/// How far the first look goes beyond the guess, in steps; the next twice as far.
const STRIDE: usize = 8;
/// Trials that are looked at again on either side of the edge, and as many of all.
const AGAIN: usize = 12;

impl<S: Sought> Edges<'_, S> {
    /// Trials that are good at a step.
    fn good(&mut self, step: usize) -> Result<usize, RunError> {
        let open: Vec<usize> =
            (0..self.ends.len()).filter(|n| self.ends[*n].is_good(step).is_none()).collect();
        for (n, good) in open.iter().zip(self.play(step, &open)?) {
            let ends = &mut self.ends[*n];
            if good { ends.high = step } else { ends.low = step + 1 }
        }
        Ok(self.ends.iter().filter(|ends| ends.high <= step).count())
    }

    fn play(&mut self, step: usize, numbers: &[usize]) -> Result<Vec<bool>, RunError> {
        self.plays += numbers.len();
        each(numbers, self.watcher, |n| self.sought.is_good(step, n, self.watcher.outside))
    }

    /// The first step at which `rank` trials are good; the number of steps if there is none.
    fn at_rank(&mut self, rank: usize, from: usize) -> Result<usize, RunError> {
        let (mut low, mut high) = (0, self.sought.steps());
        let (mut step, mut stride) = (from.min(high - 1), STRIDE);
        while low < high {
            let enough = self.good(step)? >= rank;
            if enough {
                high = step
            } else {
                low = step + 1
            }
            let bracketed = low > 0 && high < self.sought.steps();
            step = match enough {
                _ if bracketed => usize::midpoint(low, high.max(1) - 1),
                true => high.saturating_sub(stride).max(low),
                false => (low + stride).min(self.sought.steps() - 1),
            };
            stride *= 2;
        }
        Ok(low)
    }

    fn sight(&mut self, (low, middle, high): (usize, usize, usize)) -> Result<Sight, RunError> {
        let steps = self.sought.steps();
        let last = high.min(steps - 1);
        let bad = self.bad(last)?;
        let bad_below = self.bad(last.saturating_sub(1))?;
        let checked = self.check(last)?;
        let value = |step: usize| (step < steps).then(|| self.sought.value(step));
        Ok(Sight {
            value: value(high),
            middle: value(middle),
            low: value(low),
            bad,
            bad_below,
            curve: self.curve(),
            checked,
            trials: self.ends.len(),
            plays: self.plays,
        })
    }

    fn bad(&mut self, step: usize) -> Result<Share, RunError> {
        let of = self.ends.len();
        Ok(Share::new(of - self.good(step)?, of))
    }

    /// What is known of every value at which nothing is open.
    fn curve(&self) -> Vec<(u64, Share)> {
        let looked_at = |ends: &Ends| [ends.low.saturating_sub(1), ends.low, ends.high];
        let mut tried: Vec<usize> = self.ends.iter().flat_map(looked_at).collect();
        tried.sort_unstable();
        tried.dedup();
        let all = |step: usize| {
            let good: Option<Vec<bool>> = self.ends.iter().map(|ends| ends.is_good(step)).collect();
            let bad = good?.iter().filter(|good| !**good).count();
            Some((self.sought.value(step), Share::new(bad, self.ends.len())))
        };
        tried.into_iter().filter(|step| *step < self.sought.steps()).filter_map(all).collect()
    }

    /// Plays trials at values that nothing was played at: of those whose edge is nearest, and of
    /// all.
    fn check(&mut self, step: usize) -> Result<(usize, usize), RunError> {
        let mut near: Vec<usize> = (0..self.ends.len()).collect();
        near.sort_by_key(|n| (self.ends[*n].high.abs_diff(step), *n));
        near.truncate(2 * AGAIN);
        near.extend((0..AGAIN).map(|k| k * self.ends.len() / AGAIN));
        near.sort_unstable();
        near.dedup();
        let (mut played, mut as_expected) = (0, 0);
        let last = self.sought.steps() - 1;
        for away in [step / 2, step - step / 8, step, (step + step / 8).min(last), last] {
            let expected = |n: &usize| self.ends[*n].is_good(away);
            let expected: Vec<(usize, bool)> =
                near.iter().filter_map(|n| Some((*n, expected(n)?))).collect();
            let numbers: Vec<usize> = expected.iter().map(|(n, _)| *n).collect();
            let found = self.play(away, &numbers)?;
            played += found.len();
            as_expected += expected.iter().zip(found).filter(|((_, e), f)| e == f).count();
        }
        Ok((played, as_expected))
    }
}
