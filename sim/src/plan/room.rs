//! The other risk of a setting that takes disk: how large it may be before pg_wal's volume is full.
//!
//! The trials of the plan are played again with the setting in force. The largest value is searched
//! for with which pg_wal stays below the volume's size in all but the accepted share.
//!
//! **Source.** Walden's own.
//!
//! **Not modelled.** Anything else on the volume; what its file system needs for itself.

use models::units::{Bytes, SegmentSize};

use super::search::{Sought, search};
use super::{Sampling, Watcher, each};
use crate::estimate::Share;
use crate::{Outside, RunError};

/// A setting that takes disk, in segments.
pub trait TakesDisk: Sync {
    /// Segments of WAL.
    fn segment(&self) -> SegmentSize;

    /// The smallest value that it takes, in segments.
    fn fewest(&self) -> u64;

    /// What the `n`-th trial's pg_wal is at most, whatever the value; `None`: that is not known.
    fn most(&self, n: u64) -> Option<Bytes>;

    /// What the `n`-th trial comes to with the setting in force.
    ///
    /// # Errors
    /// As [`crate::run`].
    fn outcome(&self, value: Bytes, n: u64, outside: &Outside) -> Result<Outcome, RunError>;
}

/// What a trial came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The largest pg_wal.
    pub pg_wal: Bytes,
    /// Whether it came to what the setting is to prevent.
    pub bad: bool,
}

/// The two risks.
#[derive(Clone, Debug, PartialEq)]
pub struct Room {
    /// The largest value with which the volume does not become full, but for the accepted share;
    /// `None`: it becomes full with any.
    pub largest: Option<Bytes>,
    /// Both risks with that value.
    pub at_largest: Option<Risks>,
    /// Both risks with the value that the plan recommends.
    pub at_value: Option<Risks>,
}

/// Both risks of a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Risks {
    /// Trials in which the volume is full.
    pub full: Share,
    /// Trials that come to what the setting is to prevent.
    pub bad: Share,
}

/// Weighs a recommended value against the size of the volume.
///
/// # Errors
/// As [`crate::run`].
pub fn room(
    of: &impl TakesDisk,
    value: Option<Bytes>,
    volume: Bytes,
    sampling: Sampling,
    watcher: &Watcher<'_>,
) -> Result<Room, RunError> {
    let segments = of.segment().segments_in(volume);
    let steps = segments.saturating_sub(of.fewest()).max(1) as usize + 1;
    let guess = value.map_or(0, |value| segments.saturating_sub(of.segment().segments_in(value)));
    let fits = Fits { of, volume, steps, guess: guess as usize };
    let sight = search(&fits, sampling, watcher)?;
    let numbers: Vec<usize> = (0..sight.trials).collect();
    let risks = |value: Bytes| {
        let all = each(&numbers, watcher, |n| of.outcome(value, n, watcher.outside))?;
        let share = |is: &dyn Fn(&Outcome) -> bool| {
            Share::new(all.iter().filter(|outcome| is(outcome)).count(), all.len())
        };
        let full = share(&|outcome| outcome.pg_wal >= volume);
        Ok(Risks { full, bad: share(&|outcome| outcome.bad) })
    };
    let largest = sight.value.map(Bytes);
    Ok(Room {
        largest,
        at_largest: largest.map(risks).transpose()?,
        at_value: value.map(risks).transpose()?,
    })
}

/// Whether pg_wal fits; the scale goes down from the volume's size.
struct Fits<'a, S> {
    of: &'a S,
    volume: Bytes,
    steps: usize,
    guess: usize,
}

impl<S: TakesDisk> Sought for Fits<'_, S> {
    fn steps(&self) -> usize {
        self.steps
    }

    /// Bytes.
    fn value(&self, step: usize) -> u64 {
        (self.of.fewest() + (self.steps - 1 - step) as u64) * self.of.segment().bytes()
    }

    fn guess(&self) -> usize {
        self.guess
    }

    fn is_good(&self, step: usize, n: u64, outside: &Outside) -> Result<bool, RunError> {
        if self.of.most(n).is_some_and(|most| most < self.volume) {
            return Ok(true);
        }
        let outcome = self.of.outcome(Bytes(self.value(step)), n, outside)?;
        Ok(outcome.pg_wal < self.volume)
    }
}
