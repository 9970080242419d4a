//! How long outages last: one length, quantiles, or those that there have been.
//!
//! **Source.** Walden's own.
//!
//! **Not modelled.** Outages that come in clusters: each is drawn for itself.

use models::latency::Quantiles;
use models::units::{Die, Duration};

/// Lengths of outages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outages {
    /// All last as long.
    Fixed(Duration),
    /// Points of their quantile function (nanoseconds).
    Spread(Quantiles),
    /// One of these, each as likely; not empty.
    Past(Vec<Duration>),
}

impl Outages {
    /// The `n`-th outage of a die.
    pub fn draw(&self, die: &Die, n: u64) -> Duration {
        match self {
            Outages::Fixed(length) => *length,
            Outages::Spread(lengths) => Duration(lengths.quantile(die.at(n))),
            Outages::Past(lengths) => {
                let place = (u128::from(die.at(n)) * lengths.len() as u128) >> 64;
                lengths[place as usize]
            }
        }
    }

    /// The longest that can be drawn.
    pub fn longest(&self) -> Duration {
        match self {
            Outages::Fixed(length) => *length,
            Outages::Spread(lengths) => Duration(lengths.max()),
            Outages::Past(lengths) => lengths.iter().copied().max().unwrap_or_default(),
        }
    }
}
