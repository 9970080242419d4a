//! Commit latency by the number of nines, a line a variant.

use models::trace::Run;

use super::Chart;
use super::percentiles::{Curve, Percentiles};
use crate::picture::shortened;
use crate::stats::percentiles;

/// The latency at every share of [`crate::stats::SHARES`] that the number of commits supports.
pub fn series(runs: &[Run], names: &[String]) -> Vec<Curve> {
    let curve = |(run, name): (&Run, &String)| Curve {
        label: shortened(name, 48),
        points: percentiles(&run.latency),
        max: run.latency.max().map(|d| d.0),
    };
    runs.iter().zip(names).map(curve).collect()
}

/// The plot.
pub fn chart(runs: &[Run], names: &[String]) -> Chart {
    Chart::Percentiles(Percentiles {
        title: "Commit latency",
        reading: "Lower is better. At 99% stands the latency that one commit in a hundred exceeds; \
                  each further nine is as wide as the one before. A commit counts from its \
                  intended start, so time spent waiting for a stalled server is included.",
        y_title: "latency, logarithmic",
        lines: series(runs, names),
    })
}
