//! From scenario files to runs: what `run` and `replay` have in common.

use std::thread;

use models::trace::Run;
use models::units::Duration;
use scenarios::scenario::Scenario;
use sim::{Options, Outside, RunError};

use crate::errors::Failure;
use crate::progress::{self, Shown};
use crate::standin::{ScenarioFile, run_all};
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
    /// Whether more than one file was named: variants then carry their scenario's name.
    pub several: bool,
}

impl Plan {
    /// The variants of all files. They share a seed, so that they throw the same dice.
    pub fn new(files: &[ScenarioFile]) -> Result<Plan, Failure> {
        let mut scenarios = Vec::new();
        for file in files {
            scenarios.extend(file.variants().map_err(Failure::Scenario)?);
        }
        let names: Vec<&str> = files.iter().map(ScenarioFile::name).collect();
        let seed = scenarios.first().map_or(1, |scenario| scenario.seed);
        for scenario in &mut scenarios {
            scenario.seed = seed;
        }
        Ok(Plan { name: names.join("+"), seed, scenarios, several: files.len() > 1 })
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
}

/// Plays everything. The results do not depend on `how`.
pub fn play(plan: &Plan, how: How, stop: &Stop) -> Result<Vec<Run>, Failure> {
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let threads = how.threads.unwrap_or_else(cores).max(1);
    let outside: Vec<Outside> = plan.scenarios.iter().map(|_| Outside::default()).collect();
    let shown = Shown { what: &plan.name, total: plan.total(), quiet: how.quiet };
    let played = progress::watch(shown, &outside, stop, || {
        run_all(&plan.scenarios, threads, Options::default(), &outside)
    })?;
    stop.check()?;
    let mut runs = Vec::with_capacity(played.len());
    for run in played {
        let mut run = run.map_err(|error| failure(&error, stop))?;
        if plan.several {
            run.variant = format!("{}/{}", run.scenario, run.variant);
            run.summary.name.clone_from(&run.variant);
        }
        runs.push(run);
    }
    Ok(runs)
}

fn failure(error: &RunError, stop: &Stop) -> Failure {
    match error {
        RunError::Stopped(_) if stop.asked() => stop.failure(),
        RunError::Stopped(_) | RunError::Internal { .. } => {
            Failure::Internal { message: format!("{error} (Walden {})", sim::VERSION) }
        }
    }
}
