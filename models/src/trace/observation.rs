//! What views showed when somebody looked: rows by time and place.
//!
//! An operator's look writes down the rows of one view of one server, as
//! [`crate::postgres::views`] makes them. A run keeps at most [`Observations::LIMIT`] rows and
//! counts the looks it had no room for.

use serde::Serialize;

use super::fact::ServerId;
use crate::postgres::views::Rows;
use crate::units::SimTime;

/// One look at one view.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Observation {
    /// When.
    pub at: SimTime,
    /// On which server.
    pub server: ServerId,
    /// What it showed.
    pub rows: Rows,
}

/// Observations in order, of at most [`Observations::LIMIT`] rows in all.
#[derive(Clone, Debug, Default)]
pub struct Observations {
    kept: Vec<Observation>,
    rows: usize,
    dropped: u64,
}

impl Observations {
    /// How many rows a run keeps. Views of a few rows are looked at once a second for a day, or a
    /// long list of files a thousand times.
    pub const LIMIT: usize = 200_000;

    /// Adds an observation, or counts it if there is no more room.
    pub fn push(&mut self, observation: Observation) {
        let rows = observation.rows.len().max(1);
        if self.rows + rows <= Observations::LIMIT {
            self.rows += rows;
            self.kept.push(observation);
        } else {
            self.dropped += 1;
        }
    }

    /// All that were kept, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Observation> {
        self.kept.iter()
    }

    /// How many there was no room for.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}
