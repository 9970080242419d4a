//! Many runs: the variants of a file, the seeds of a sweep.
//!
//! Each run has a thread of its own, since the first madsim runtime of a thread is the
//! deterministic one; as many are alive at once as asked for. Runs share nothing, so results are
//! the same bytes for any number of threads, and come back in the order of the scenarios.
//!
//! **Source.** Walden's own.
//!
//! **Not modelled.** Nothing.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use models::trace::Run;
use scenarios::expect::order;
use scenarios::scenario::Scenario;

use crate::{Options, Outside, RunError, run};

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
    judge_orders(scenarios, &mut runs);
    runs
}

/// Holds each variant against those of the same file and seed that its orders name.
fn judge_orders(scenarios: &[Scenario], runs: &mut [Result<Run, RunError>]) {
    for (index, scenario) in scenarios.iter().enumerate() {
        let summary = |index: usize| runs[index].as_ref().ok().map(|run| &run.summary);
        let other = |variant: &str| {
            let of = |s: &Scenario| (&s.name, s.seed) == (&scenario.name, scenario.seed);
            summary(scenarios.iter().position(|s| of(s) && s.variant == variant)?)
        };
        let Some(own) = summary(index).filter(|_| !scenario.order.is_empty()) else { continue };
        let outcomes = order::judge(scenario, own, other);
        if let Ok(run) = &mut runs[index] {
            run.summary.expectations.extend(outcomes);
        }
    }
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
