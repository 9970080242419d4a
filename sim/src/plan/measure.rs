//! What outages do: how large pg_wal grows, when the standby is back, when the disk is full.
//!
//! The settings are in force as they are. The time until the disk is full counts from the moment
//! at which the standby leaves, and what matters of it are the short ones: the quantile is that
//! of the accepted share *below*.
//!
//! **Source.** Walden's own.
//!
//! **Not modelled.** pg_wal is looked at two thousand times a trial: a moment is known to that.

use models::units::{Bytes, Duration};

use super::trial::{Stage, Trial};
use super::{Sampling, Watcher};
use crate::RunError;
use crate::estimate::{Quantile, Share};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// The largest pg_wal of the primary, in bytes.
    PgWal,
    /// Time from the standby's return until it has replayed all.
    CaughtUp,
    /// Time from its leaving until pg_wal takes so much.
    DiskFull(Bytes),
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The end of the interval that is on the safe side: bytes, or nanoseconds. `None`: no end is
    /// known, because standbys do not catch up, or because the disk does not fill up.
    pub value: Option<u64>,
    /// The middle of the interval.
    pub middle: Option<u64>,
    /// The other end.
    pub other: Option<u64>,
    /// Trials beyond the value.
    pub beyond: Share,
    /// Every trial, in order.
    pub trials: Vec<Trial>,
}

/// What never comes.
const NEVER: u64 = u64::MAX;

impl Quantity {
    /// What a trial shows: bytes, or nanoseconds; `None`: it never comes.
    pub fn shown(self, trial: &Trial) -> Option<u64> {
        self.told(self.of(trial))
    }

    /// What a trial says; larger is worse.
    pub fn of(self, trial: &Trial) -> u64 {
        match self {
            Quantity::PgWal => trial.pg_wal.0,
            Quantity::CaughtUp => trial.caught_up.map_or(NEVER, |after| after.0),
            Quantity::DiskFull(size) => NEVER - trial.reaches(size).map_or(NEVER, |after| after.0),
        }
    }

    /// A measure as it is told.
    fn told(self, measure: u64) -> Option<u64> {
        let value = match self {
            Quantity::PgWal | Quantity::CaughtUp => measure,
            Quantity::DiskFull(_) => NEVER - measure,
        };
        (value != NEVER).then_some(value)
    }
}

impl Trial {
    /// When pg_wal takes so much, from the moment the standby leaves.
    pub fn reaches(&self, size: Bytes) -> Option<Duration> {
        self.pg_wal_grown.iter().find(|(_, bytes)| *bytes >= size).map(|(after, _)| *after)
    }
}

/// Finds it.
///
/// # Errors
/// As [`crate::run`].
pub fn find(
    quantity: Quantity,
    stage: &Stage,
    sampling: Sampling,
    watcher: &Watcher<'_>,
) -> Result<Found, RunError> {
    let (trials, quantile) = sampling.play(stage, |trial| quantity.of(trial), watcher)?;
    let told = |quantile: &Quantile, at: fn(&Quantile) -> u64| quantity.told(at(quantile));
    Ok(Found {
        value: told(&quantile, Quantile::high),
        middle: told(&quantile, Quantile::middle),
        other: told(&quantile, Quantile::low),
        beyond: quantile.above(quantile.high()),
        trials,
    })
}
