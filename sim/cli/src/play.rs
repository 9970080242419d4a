//! From scenario files to runs: what `run` and `replay` have in common.

use std::thread;

use models::trace::Run;
use models::units::Duration;
use scenarios::Problems;
use scenarios::ScenarioFile;
use scenarios::scenario::Scenario;
use sim::omissions::{OMISSIONS, Omission};
use sim::sweep::run_all;
use sim::{Options, Outside, RunError};

use crate::errors::Failure;
use crate::progress::{self, Shown};
use crate::stop::Stop;

/// All that is to be played, in the order in which it is reported.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The scenario's name, or several joined by `+`.
    pub name: String,
    /// The seed of every die.
    pub seed: u64,
    /// Every variant of every file.
    pub scenarios: Vec<Scenario>,
}

impl Plan {
    /// The variants of all files.
    pub fn new(files: &[ScenarioFile]) -> Result<Plan, Problems> {
        let mut scenarios = Vec::new();
        for file in files {
            scenarios.extend(file.variants()?);
        }
        let names: Vec<&str> = files.iter().map(ScenarioFile::name).collect();
        let seed = scenarios.first().map_or(1, |scenario| scenario.seed);
        Ok(Plan { name: names.join("+"), seed, scenarios })
    }

    /// Settings that are accepted and that no model reads, each once.
    pub fn not_modelled(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for setting in self.scenarios.iter().flat_map(|scenario| &scenario.not_modelled) {
            if !all.contains(setting) {
                all.push(setting.clone());
            }
        }
        all
    }

    /// What the models leave out, and whether it weighs something for any of the scenarios.
    pub fn omissions(&self) -> Vec<reports::Omission> {
        let omission = |omission: &Omission| reports::Omission {
            what: omission.what.to_owned(),
            touches: self.scenarios.iter().any(omission.touches),
        };
        OMISSIONS.iter().map(omission).collect()
    }

    /// Simulated time of all variants together.
    pub fn total(&self) -> Duration {
        Duration(self.scenarios.iter().map(|scenario| scenario.duration.0).sum())
    }
}

/// How to play.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// Variants at once; `None`: as many as there are cores.
    pub threads: Option<usize>,
    /// Without a progress bar.
    pub quiet: bool,
    /// Whether somebody reads what views showed meanwhile.
    pub looks: bool,
}

/// Plays everything. The results do not depend on `how`.
pub fn play(plan: &Plan, how: How, stop: &Stop) -> Result<Vec<Run>, Failure> {
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let threads = how.threads.unwrap_or_else(cores).max(1);
    let outside: Vec<Outside> = plan.scenarios.iter().map(|_| Outside::default()).collect();
    let options = Options { looks: how.looks, ..Options::default() };
    let shown = Shown { what: &plan.name, total: plan.total().0, quiet: how.quiet };
    let played = progress::watch(shown, &progress::of(&outside), &outside, stop, || {
        run_all(&plan.scenarios, threads, options, &outside)
    })?;
    stop.check()?;
    played.into_iter().map(|run| run.map_err(|error| failure(&error, stop))).collect()
}

/// Why a run did not reach its end.
pub fn failure(error: &RunError, stop: &Stop) -> Failure {
    match error {
        RunError::Stopped(_) if stop.asked() => stop.failure(),
        RunError::Stopped(_) | RunError::Internal { .. } => {
            Failure::Internal { message: format!("{error} (Walden {})", sim::VERSION) }
        }
    }
}
