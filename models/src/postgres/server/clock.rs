//! A server's wall clock: simulated time, but for the jumps that faults have made.
//!
//! Time 0 of a run is PostgreSQL's own epoch, midnight of 2000-01-01 UTC.
//!
//! **Source.** `timestamp.c:GetCurrentTimestamp`.
//!
//! **Not modelled.** Clocks that drift.

use super::{Server, State};
use crate::units::SimTime;

/// What the wall clock of a server has shown.
#[derive(Clone, Debug, Default)]
pub struct WallClock {
    /// When it has jumped, and how far it was ahead in all from then on (nanoseconds).
    jumps: Vec<(SimTime, i64)>,
}

impl WallClock {
    /// It jumps ahead by so many nanoseconds, or back.
    pub fn jump(&mut self, now: SimTime, by: i64) {
        let ahead = self.jumps.last().map_or(0, |&(_, ahead)| ahead);
        self.jumps.push((now, ahead.saturating_add(by)));
    }

    /// What it showed at `at`: microseconds since 2000-01-01 UTC.
    pub fn at(&self, at: SimTime) -> i64 {
        let after = self.jumps.partition_point(|&(when, _)| when <= at);
        let ahead = if after == 0 { 0 } else { self.jumps[after - 1].1 };
        let shown = i64::try_from(at.0).unwrap_or(i64::MAX).saturating_add(ahead);
        shown.div_euclid(1_000)
    }
}

impl Server {
    /// What its wall clock has shown.
    pub fn clock(&self) -> &WallClock {
        &self.clock
    }

    /// The wall clock jumps ahead, or back if `by` is below zero.
    pub fn jump_clock(&mut self, now: SimTime, by: i64) {
        self.clock.jump(now, by);
        match &mut self.state {
            State::Primary(primary) => primary.jump_clock(by),
            State::Standby(standby) => standby.jump_clock(now, by, self.settings.version()),
            State::Down | State::Recovering { .. } => {}
        }
        self.schedule();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_has_jumped_shows_what_it_showed_before() {
        let mut clock = WallClock::default();
        clock.jump(SimTime(5_000_000), 1_000_000_000);
        clock.jump(SimTime(9_000_000), -1_000_009_000);
        let shown = [4_000_999, 5_000_000, 9_000_000, 9_000_999].map(|at| clock.at(SimTime(at)));
        assert_eq!(shown, [4_000, 1_005_000, 8_991, 8_991]);
    }
}
