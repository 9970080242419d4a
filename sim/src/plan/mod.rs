//! Planning: from a WAL history, outages and an accepted risk to a value.
//!
//! A [`trial`] is one outage of a standby, placed in a [`history`] by chance and played by the real
//! models, from a checkpoint cycle before it until the standby has caught up. Trials are played
//! until the quantile that is asked for is known well enough ([`crate::estimate`]).
//!
//! * [`keep`]: what a setting has to be so that the standby is not lost. [`disk`]: what it takes.
//! * [`measure`]: how large pg_wal grows, when the standby is back, when the disk is full.
//! * [`max_wal_size`], [`bandwidth`]: what the run feeds back on, by [`search`].
//! * [`room`]: the other risk of a setting that takes disk: a full one.
//! * [`outage`]: how long outages last. [`sawtooth`]: full-page images made anew.
//!
//! **Source.** Walden's own.
//!
//! **Not modelled.** A future unlike the history.

pub mod bandwidth;
pub mod disk;
pub mod history;
pub mod keep;
pub mod max_wal_size;
pub mod measure;
pub mod outage;
pub mod room;
pub mod sawtooth;
pub mod search;
pub mod trial;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::estimate::{Quantile, Ranks};
use crate::{Outside, RunError};
pub use keep::{Answer, Keep, Question, solve};
use trial::{Stage, Trial};

/// Who is told how far it is, and can end it.
pub struct Watcher<'a> {
    /// Trials at once.
    pub threads: usize,
    /// Told of the end of each trial.
    pub progress: &'a (dyn Fn() + Sync),
    /// Somebody outside.
    pub outside: &'a Outside,
}

/// How many trials are played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// The share of outages that may be worse; between 0 and 1.
    pub risk: f64,
    /// So many trials instead of as many as decide.
    pub trials: Option<usize>,
}

/// Trials between two looks at whether they decide.
const BATCH: usize = 200;
/// Trials, in the average number of them that lie above the quantile.
const MOST_ABOVE: f64 = 10.0;
/// An interval this narrow decides: a share of its upper end.
const NARROW: f64 = 0.02;

impl Sampling {
    /// The most trials that are played to decide.
    pub fn most_trials(&self) -> usize {
        let most = self.trials.unwrap_or((MOST_ABOVE / self.risk) as usize);
        most.max(Ranks::fewest(self.risk))
    }

    /// Plays trials until they decide on a quantile of what they measure: where a share of `risk`
    /// lies above.
    pub(crate) fn play(
        &self,
        stage: &Stage,
        measure: impl Fn(&Trial) -> u64,
        watcher: &Watcher<'_>,
    ) -> Result<(Vec<Trial>, Quantile), RunError> {
        let most = self.most_trials();
        let mut trials = Vec::new();
        loop {
            let batch: Vec<usize> = (trials.len()..most.min(trials.len() + BATCH)).collect();
            trials.extend(play_all(&batch, stage, watcher)?);
            let quantile = Quantile::of(trials.iter().map(&measure).collect(), self.risk);
            let decided = self.trials.is_none() && quantile.is_within(NARROW);
            if decided || trials.len() >= most {
                return Ok((trials, quantile));
            }
        }
    }
}

/// Plays these trials, as many at once as there are threads, and returns them in that order.
///
/// # Errors
/// As [`crate::run`].
pub fn play_all(
    numbers: &[usize],
    stage: &Stage,
    watcher: &Watcher<'_>,
) -> Result<Vec<Trial>, RunError> {
    each(numbers, watcher, |n| stage.play(n, watcher.outside))
}

/// Does the same for each of these numbers, as many at once as there are threads, and returns what
/// comes of it in that order.
fn each<T: Send>(
    numbers: &[usize],
    watcher: &Watcher<'_>,
    play: impl Fn(u64) -> Result<T, RunError> + Sync,
) -> Result<Vec<T>, RunError> {
    let next = AtomicUsize::new(0);
    let played = Mutex::new(Vec::with_capacity(numbers.len()));
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(&number) = numbers.get(index) else { return };
            let result = play(number as u64);
            played.lock().expect("nobody panics while holding this").push((index, result));
            (watcher.progress)();
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..watcher.threads.min(numbers.len()) {
            scope.spawn(work);
        }
        work();
    });
    let mut played = played.into_inner().expect("nobody panics while holding this");
    played.sort_unstable_by_key(|(index, _)| *index);
    played.into_iter().map(|(_, result)| result).collect()
}
