//! Commits acknowledged a second, over time.

use models::trace::Run;
use models::trace::series::Merge;

use super::Chart;
use super::over_time::{OverTime, Panel};
use super::panels::{Label, Points, panels, thinned};
use super::scale::Unit;

/// Commits a second in every span of time.
pub fn series(run: &Run) -> Vec<(Label, Points)> {
    vec![(Label::Variant, thinned(&run.samples.commits, Merge::Sum, run.duration))]
}

/// Whether some rates are so far above the usual that these would lie flat beside them, as when
/// all commits that waited for a standby are answered at once.
fn has_bursts(panels: &[Panel]) -> bool {
    let lines = panels.iter().flat_map(|panel| &panel.lines);
    let points = lines.flat_map(|line| line.points.iter().filter_map(|point| point.1));
    let mut rates: Vec<u64> = points.filter(|&rate| rate > 0).collect();
    rates.sort_unstable();
    let usual = rates.get(rates.len() / 2).copied().unwrap_or(0);
    rates.last().is_some_and(|&most| most / 4 > usual)
}

/// The plot.
pub fn chart(runs: &[Run], names: &[String]) -> Chart {
    let panels = panels(runs, names, series);
    let log = has_bursts(&panels);
    Chart::OverTime(OverTime {
        title: "Throughput",
        reading: "Commits acknowledged, as a rate over each span.",
        y_title: if log { "commits a second, logarithmic" } else { "commits a second" },
        unit: Unit::PerSecond,
        log,
        empty: "no commit was answered",
        duration: super::panels::longest(runs),
        panels,
        key: None,
        table: None,
    })
}
