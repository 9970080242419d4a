//! How large pg_wal grows with several values of a setting that keeps WAL.
//!
//! Some of the trials, evenly chosen by the WAL that they need, from the least to the most, are
//! played again with each value in force: the same outages in the same history, so that values
//! differ by nothing else.
//!
//! **Source.** Walden's own.
//!
//! **Not modelled.** Other slots and standbys that keep WAL.

use models::units::Bytes;

use super::keep::median_and_most;
use super::{Answer, Keep, Question, Watcher, play_all};
use crate::RunError;

/// What a value takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// The setting's value: whole segments.
    pub value: Bytes,
    /// The largest pg_wal of a trial, in the median of the trials.
    pub median: Bytes,
    /// The same in the trial with most.
    pub most: Bytes,
}

/// Values that are tried, in quarters of the one that is recommended.
const QUARTERS: [u64; 6] = [1, 2, 3, 4, 5, 6];
/// Trials that each of them is tried in.
const TRIALS: usize = 21;

/// The most trials that are played for it.
pub const MOST_TRIALS: usize = QUARTERS.len() * TRIALS;

/// The disk that values around the recommended one take, in the order of the values; none if no
/// value is recommended.
///
/// # Errors
/// As [`crate::run`].
pub fn taken(
    keep: Keep,
    question: &Question,
    answer: &Answer,
    watcher: &Watcher<'_>,
) -> Result<Vec<Disk>, RunError> {
    let Some(value) = answer.value else { return Ok(Vec::new()) };
    let segment = answer.segment.bytes();
    let mut values = QUARTERS.map(|quarters| value.0 * quarters / 4 / segment * segment).to_vec();
    values.retain(|value| *value > 0);
    values.dedup();
    let chosen = chosen(answer);
    let disk = |value| {
        let stage = keep.stage(&question.stage, Some(Bytes(value)));
        let played = play_all(&chosen, &stage, watcher)?;
        let sizes = played.iter().map(|trial| trial.pg_wal).collect();
        let (median, most) = median_and_most(sizes).unwrap_or_default();
        Ok(Disk { value: Bytes(value), median, most })
    };
    values.into_iter().map(disk).collect()
}

/// Trials from the one that needs least to the one that needs most.
fn chosen(answer: &Answer) -> Vec<usize> {
    let trials = &answer.trials;
    let mut by_need: Vec<usize> = (0..trials.len()).collect();
    by_need.sort_by_key(|n| (trials[*n].needed_to_survive(), *n));
    let last = trials.len().saturating_sub(1);
    let mut places: Vec<usize> = (0..TRIALS).map(|k| k * last / (TRIALS - 1)).collect();
    places.dedup();
    places.into_iter().filter_map(|place| by_need.get(place).copied()).collect()
}
