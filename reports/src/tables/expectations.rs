//! What was expected, what was measured, and the laws that every run is held against.

use models::trace::Run;

use crate::variant_names;

/// One expectation or law of one variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The variant.
    pub variant: String,
    /// The metric's path, or the law's name.
    pub what: String,
    /// The comparison; empty for a law.
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
    for (run, name) in runs.iter().zip(&names) {
        for expectation in &run.summary.expectations {
            all.push(Outcome {
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

/// The laws that were broken, in order.
pub fn laws(runs: &[Run]) -> Vec<Outcome> {
    let names = variant_names(runs);
    let mut broken = Vec::new();
    for (run, name) in runs.iter().zip(&names) {
        for law in run.summary.laws.iter().filter(|law| !law.held) {
            broken.push(Outcome {
                variant: name.clone(),
                what: law.name.to_owned(),
                wanted: String::new(),
                measured: format!("broken {} times", law.violations),
                met: false,
            });
        }
    }
    broken
}
