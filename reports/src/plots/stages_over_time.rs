//! Where the time of commits goes, over time: a panel a variant, a line a stage.

use models::trace::Run;
use models::trace::commit::Stage;

use super::Chart;
use super::over_time::OverTime;
use super::panels::{Part, Points, longest, mean, panel_each};
use super::scale::Unit;

/// The mean time in each stage of the commits acknowledged in every span. A stage that none of
/// them spent time in has no value.
pub fn series(run: &Run) -> Vec<(&'static str, Points)> {
    let stages = Stage::ALL.iter().zip(&run.samples.stages);
    let line = stages
        .map(|(stage, times)| (stage.name(run.pg_version), mean(times, &run.samples.commits)));
    line.collect()
}

fn parts(run: &Run) -> Vec<Part> {
    vec![(String::new(), series(run))]
}

/// The plot.
pub fn chart(runs: &[Run], names: &[String]) -> Chart {
    Chart::OverTime(OverTime {
        title: "Where the time of commits goes, over time",
        reading: "The mean time that the commits acknowledged in each span spent in each stage. A \
                  line that rises tells what commits waited for: another's flush, their own, or \
                  standbys.",
        y_title: "mean time in the stage, logarithmic",
        unit: Unit::Nanos,
        log: true,
        empty: "no commit was answered",
        duration: longest(runs),
        panels: panel_each(runs, names, parts),
        key: None,
        table: None,
    })
}
