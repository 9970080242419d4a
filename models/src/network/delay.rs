//! How long a message travels on a link.
//!
//! One draw for each window of 100 ms, linear in between.

use crate::latency::Quantiles;
use crate::units::{Die, Duration, SimTime};

/// How long a message travels.
#[derive(Clone, Debug)]
pub(super) struct Delay {
    /// If it is constant.
    fixed: Option<Duration>,
    draws: Quantiles,
    /// A draw is that of a round trip, and half of it one way.
    round_trip: bool,
    die: Die,
    /// A window and the draws at its two ends.
    window: Option<(u64, Duration, Duration)>,
}

/// Length of a window of delay.
const DELAY_WINDOW: Duration = Duration::ms(100);

impl Delay {
    /// Half of a draw of `rtt`; `die` is thrown once a window.
    pub fn new(rtt: &Quantiles, die: Die) -> Delay {
        let fixed = rtt.is_constant().then(|| Duration(rtt.max() / 2));
        Delay { fixed, draws: rtt.clone(), round_trip: true, die, window: None }
    }

    /// A draw of `delay`; `die` is thrown once a window.
    pub fn one_way(delay: &Quantiles, die: Die) -> Delay {
        let fixed = delay.is_constant().then(|| Duration(delay.max()));
        Delay { fixed, draws: delay.clone(), round_trip: false, die, window: None }
    }

    /// The delay of whatever leaves whenever, if it is constant.
    #[inline]
    pub fn fixed(&self) -> Option<Duration> {
        self.fixed
    }

    /// The delay of what leaves at `now`.
    #[inline]
    pub fn at(&mut self, now: SimTime) -> Duration {
        match self.fixed {
            Some(delay) => delay,
            None => self.drawn(now),
        }
    }

    fn drawn(&mut self, now: SimTime) -> Duration {
        let window = now.0 / DELAY_WINDOW.0;
        let along = now.0 % DELAY_WINDOW.0;
        let (from, to) = match self.window {
            Some((current, from, to)) if current == window => (from, to),
            _ => {
                let draw = |n: u64| {
                    let drawn = self.draws.quantile(self.die.at(n));
                    Duration(if self.round_trip { drawn / 2 } else { drawn })
                };
                let ends = (draw(window), draw(window + 1));
                self.window = Some((window, ends.0, ends.1));
                ends
            }
        };
        let weight = |d: Duration, share: u64| d.0 * (share / 1000) / (DELAY_WINDOW.0 / 1000);
        Duration(weight(from, DELAY_WINDOW.0 - along) + weight(to, along))
    }
}
