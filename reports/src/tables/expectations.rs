//! What was expected, what was measured, and the laws that every run is held against.

use models::trace::Run;
use models::trace::fact::Fact;
use models::trace::law::Violation;
use models::trace::messages::Words;

use crate::variant_names;

/// One expectation of one variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The index of its run.
    pub run: usize,
    /// The variant.
    pub variant: String,
    /// The metric's path.
    pub what: String,
    /// The comparison.
    pub wanted: String,
    /// What was measured.
    pub measured: String,
    /// Whether it held.
    pub met: bool,
}

/// Every expectation of every variant, in order.
pub fn expectations(runs: &[Run]) -> Vec<Outcome> {
    let names = variant_names(runs);
    let mut all = Vec::new();
    for (index, (run, name)) in runs.iter().zip(&names).enumerate() {
        for expectation in &run.summary.expectations {
            all.push(Outcome {
                run: index,
                variant: name.clone(),
                what: expectation.metric.clone(),
                wanted: expectation.wanted.clone(),
                measured: expectation.measured.clone(),
                met: expectation.met,
            });
        }
    }
    all
}

/// A law that was broken by one variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The variant.
    pub variant: String,
    /// The law's name.
    pub law: &'static str,
    /// How often, and what was found first.
    pub found: String,
    /// What happened last before, a line each.
    pub before: Vec<String>,
}

/// The laws that were broken, in order.
pub fn laws(runs: &[Run]) -> Vec<Broken> {
    let names = variant_names(runs);
    let mut broken = Vec::new();
    for (run, name) in runs.iter().zip(&names) {
        for law in run.summary.laws.iter().filter(|law| !law.held) {
            let often = match law.violations {
                1 => "broken once".to_owned(),
                n => format!("broken {n} times"),
            };
            let first = run.violations.iter().find(|violation| violation.law.name() == law.name);
            let (found, before) = match first {
                Some(first) => (found(run, &often, first), before(run, first)),
                None => (often, Vec::new()),
            };
            broken.push(Broken { variant: name.clone(), law: law.name, found, before });
        }
    }
    broken
}

fn found(run: &Run, often: &str, first: &Violation) -> String {
    let server = run.servers.get(first.server.index()).map_or("?", String::as_str);
    let when = if often.ends_with("once") { "at" } else { "first at" };
    format!("{often}, {when} {} on {server}: {}", first.at, first.found)
}

fn before(run: &Run, first: &Violation) -> Vec<String> {
    let words = Words::new(run);
    let line = |fact: &Fact| format!("{}  {}", fact.at, words.describe(fact));
    first.before.iter().map(line).collect()
}
