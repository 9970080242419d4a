//! What views showed at moments spread over a run, for a report that follows the time.
//!
//! The moments are the multiples of a round step, at most [`EVEN`] of them, and the first edges of
//! faults. A look is taken when everything has happened that is due at its moment; it is what
//! anybody gets who asks for the view at that moment of the same run.
//!
//! **Source.** Walden's own.
//!
//! **Not modelled.** What is between two looks.

use super::FaultSpan;
use super::fact::ServerId;
use super::table::Table;
use crate::units::{Duration, SimTime};

/// How many evenly spaced steps a run has at most.
pub const EVEN: u64 = 120;
/// How many edges of faults are looked at at most.
pub const EDGES: usize = 120;

/// One server at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// When.
    pub at: SimTime,
    /// Which server.
    pub server: ServerId,
    /// What it showed; or, if no session could be had, what psql says.
    pub shown: Result<Shown, String>,
}

/// What a session on a server gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// `pg_stat_replication`.
    pub stat_replication: Table,
    /// `pg_replication_slots`.
    pub replication_slots: Table,
}

/// When a run is looked at: rising, from its start to its end.
pub fn moments(duration: Duration, faults: &[FaultSpan]) -> Vec<SimTime> {
    let step = step(duration);
    let even = (0..=duration.0 / step).map(|n| SimTime(n * step));
    let edges = faults.iter().flat_map(|fault| [Some(fault.from), fault.until]);
    let end = SimTime::ZERO + duration;
    let edges = edges.flatten().filter(|&at| at < end).take(EDGES);
    let mut all: Vec<SimTime> = even.chain(edges).chain([end]).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The smallest round step of which a run has at most [`EVEN`], in nanoseconds.
fn step(duration: Duration) -> u64 {
    const S: u64 = 1_000_000_000;
    let decimal = (0..9).flat_map(|power| [1, 2, 5].map(|n| n * 10u64.pow(power)));
    let clock = [
        1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200,
        86_400,
    ];
    let fits = |step: &u64| duration.0.div_ceil(*step) <= EVEN;
    let round = decimal.chain(clock.map(|seconds| seconds * S)).find(fits);
    round.unwrap_or_else(|| duration.0.div_ceil(EVEN * 86_400 * S) * 86_400 * S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_few() {
        let cases = [
            (Duration::s(120), Duration::s(1)),
            (Duration::s(121), Duration::s(2)),
            (Duration::ms(300), Duration::ms(5)),
            (Duration::s(30 * 86_400), Duration::s(21_600)),
            (Duration::s(730 * 86_400), Duration::s(7 * 86_400)),
            (Duration(1), Duration(1)),
        ];
        for (duration, expected) in cases {
            assert_eq!(Duration(step(duration)), expected, "{duration}");
            assert!(moments(duration, &[]).len() as u64 <= EVEN + 1, "{duration}");
        }
    }

    #[test]
    fn the_edges_of_faults_and_the_end_are_moments() {
        let fault = FaultSpan {
            name: "cable".to_owned(),
            kind: "link_cut",
            from: SimTime(1_500_000_000),
            until: Some(SimTime(3_000_000_000)),
            momentary: false,
        };
        let tenths = |at: &SimTime| at.0 / 100_000_000;
        let all = moments(Duration::ms(120_500), &[fault]);
        assert_eq!(all.iter().take(4).map(tenths).collect::<Vec<_>>(), [0, 15, 20, 30]);
        assert_eq!(all.last().map(tenths), Some(1_205));
    }
}
