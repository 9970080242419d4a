//! Many runs: the variants of a file, the seeds of a sweep.
//!
//! Each run has a thread of its own, since the first madsim runtime of a thread is the
//! deterministic one; as many are alive at once as asked for. Runs share nothing, so results are
//! the same bytes for any number of threads, and come back in the order of the scenarios.
//!
//! **Source.** Walden's own.
//!
//! **Not modelled.** Nothing.

mod seeds;
mod spread;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use models::trace::Run;
use models::trace::summary::{ExpectationSummary, Summary};
use scenarios::expect::order;
use scenarios::scenario::Scenario;

use crate::{Options, Outside, RunError, run};

pub use seeds::{Asked, Claim, Sweep, Variant, Verdict};
pub use spread::{Around, Metric, Spread};

/// Plays all scenarios, `threads` at once; `outside` has one entry for each. Results are in the
/// order of the scenarios. What a file expects of one variant against another is judged when all
/// are there.
///
/// # Panics
/// If `outside` does not have as many entries as `scenarios`.
pub fn run_all(
    scenarios: &[Scenario],
    threads: usize,
    options: Options,
    outside: &[Outside],
) -> Vec<Result<Run, RunError>> {
    let mut runs = run_each(scenarios, threads, options, outside, |_, run| run);
    let summaries: Vec<_> =
        runs.iter().map(|run| run.as_ref().ok().map(|run| &run.summary)).collect();
    let outcomes = orders(scenarios, &summaries);
    for (run, outcomes) in runs.iter_mut().zip(outcomes) {
        run.iter_mut().for_each(|run| run.summary.expectations.extend(outcomes.iter().cloned()));
    }
    runs
}

/// What a run came to, without what happened in it.
#[derive(Clone, Debug)]
pub struct Played {
    /// Its numbers.
    pub summary: Summary,
    /// Digest of every event.
    pub digest: u64,
}

/// As [`run_all`], but only numbers are kept.
///
/// # Errors
/// The first run that did not reach its end.
///
/// # Panics
/// If `outside` does not have as many entries as `scenarios`.
pub fn play_all(
    scenarios: &[Scenario],
    threads: usize,
    options: Options,
    outside: &[Outside],
) -> Result<Vec<Played>, RunError> {
    let numbers = |_: usize, run: Result<Run, RunError>| {
        run.map(|run| Played { summary: run.summary, digest: run.digest })
    };
    let played = run_each(scenarios, threads, options, outside, numbers);
    let mut played = played.into_iter().collect::<Result<Vec<_>, _>>()?;
    let outcomes = orders(scenarios, &played.iter().map(|p| Some(&p.summary)).collect::<Vec<_>>());
    for (played, outcomes) in played.iter_mut().zip(outcomes) {
        played.summary.expectations.extend(outcomes);
    }
    Ok(played)
}

/// Holds each variant against those of the same file and seed that its orders name; `None`: it did
/// not reach its end.
fn orders(scenarios: &[Scenario], summaries: &[Option<&Summary>]) -> Vec<Vec<ExpectationSummary>> {
    let of_one = |(scenario, own): (&Scenario, &Option<&Summary>)| {
        let other = |variant: &str| {
            let of = |s: &Scenario| (&s.name, s.seed) == (&scenario.name, scenario.seed);
            summaries[scenarios.iter().position(|s| of(s) && s.variant == variant)?]
        };
        own.map_or(Vec::new(), |own| order::judge(scenario, own, other))
    };
    scenarios.iter().zip(summaries).map(of_one).collect()
}

/// The same, but `keep` makes of each run what is to be kept of it as soon as it is over, on the
/// thread that waited for it: a sweep of a thousand seeds need not hold a thousand runs.
///
/// # Panics
/// If `outside` does not have as many entries as `scenarios`.
pub fn run_each<T: Send>(
    scenarios: &[Scenario],
    threads: usize,
    options: Options,
    outside: &[Outside],
    keep: impl Fn(usize, Result<Run, RunError>) -> T + Sync,
) -> Vec<T> {
    assert_eq!(scenarios.len(), outside.len(), "one outside for every scenario");
    let next = AtomicUsize::new(0);
    let kept = Mutex::new(Vec::with_capacity(scenarios.len()));
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(scenario) = scenarios.get(index) else { return };
            let result = keep(index, run(scenario, options, &outside[index]));
            kept.lock().expect("nobody panics while holding this").push((index, result));
        }
    };
    std::thread::scope(|scope| {
        // The caller's thread works too.
        for _ in 1..threads.min(scenarios.len()) {
            scope.spawn(work);
        }
        work();
    });
    let mut kept = kept.into_inner().expect("nobody panics while holding this");
    kept.sort_unstable_by_key(|(index, _)| *index);
    kept.into_iter().map(|(_, result)| result).collect()
}
