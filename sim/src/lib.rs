//! Plays a scenario: a pure event core ([`world`]) and a control plane on madsim ([`control`]).
//!
//! * [`world`]: servers, clients, links: all of PostgreSQL, and all the speed.
//! * [`checkers`]: laws that hold in every run.
//! * [`control`]: hosts, postmasters and the fault schedule, as async tasks.
//! * [`sweep`]: many runs at once, and by [`estimate`] what they come to. [`look`]: one moment of
//!   one. [`scrape`]: many of them.
//! * [`omissions`]: what all of it leaves out.

pub mod checkers;
pub mod control;
pub mod estimate;
pub mod explain;
pub mod look;
pub mod omissions;
pub mod passage;
pub mod plan;
pub mod scrape;
pub mod sweep;
pub mod world;

#[cfg(not(madsim))]
compile_error!(
    "sim needs `--cfg madsim`: RUSTFLAGS is set and replaces .cargo/config.toml. \
     Run `RUSTFLAGS='--cfg madsim' cargo build`, or unset RUSTFLAGS."
);

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use models::trace::Run;
use scenarios::scenario::Scenario;

/// The version that results carry and `replay` insists on.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How somebody outside watches a run and stops it.
#[derive(Debug, Default)]
pub struct Outside {
    /// Simulated time played so far, in nanoseconds.
    pub played: AtomicU64,
    /// Set to end the run early.
    pub stop: AtomicBool,
}

impl Outside {
    /// Asks the run to end.
    pub fn ask_to_stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// What a run takes besides the scenario.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether facts, samples and latencies are kept. Off changes no byte of the digest.
    pub record: bool,
    /// How often the run is held against the laws. Changes no byte of the digest either.
    pub laws: checkers::Checks,
    /// Whether views are looked at from time to time, for [`Run::looks`]. Nothing else changes.
    pub looks: bool,
    /// Seed of madsim's own dice, which have no say in any result; a test varies it.
    pub madsim_seed: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options { record: true, laws: checkers::Checks::Looks, looks: false, madsim_seed: 0 }
    }
}

/// A run that did not reach its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Somebody asked it to stop.
    #[error("stopped after {0} of simulated time")]
    Stopped(models::units::SimTime),
    /// A model found an impossible state: a bug in Walden.
    #[error("internal error in scenario {scenario}, variant {variant}, seed {seed}: {message}")]
    Internal {
        /// The scenario.
        scenario: String,
        /// The variant.
        variant: String,
        /// The seed.
        seed: u64,
        /// What was found, and where.
        message: String,
    },
}

/// Plays one variant from start to end, on a thread of its own.
pub fn run(scenario: &Scenario, options: Options, outside: &Outside) -> Result<Run, RunError> {
    if options.looks {
        return look::run_and_look(scenario, options, outside);
    }
    control::play(scenario, options, outside, |_| (), |played| played.world.finish(scenario))
}
