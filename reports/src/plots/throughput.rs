//! Commits acknowledged a second, over time.

use models::trace::Run;
use models::trace::series::Merge;

use super::Chart;
use super::over_time::OverTime;
use super::panels::{Label, Points, panels, thinned};
use super::scale::Unit;

/// Commits a second in every span of time.
pub fn series(run: &Run) -> Vec<(Label, Points)> {
    vec![(Label::Variant, thinned(&run.samples.commits, Merge::Sum, run.duration))]
}

/// The plot.
pub fn chart(runs: &[Run], names: &[String]) -> Chart {
    Chart::OverTime(OverTime {
        title: "Throughput",
        reading: "Commits acknowledged, as a rate over each span.",
        y_title: "commits a second",
        unit: Unit::PerSecond,
        log: false,
        duration: super::panels::longest(runs),
        panels: panels(runs, names, series),
        key: None,
        table: None,
    })
}
