//! The slowest commit of every span of time.

use models::trace::Run;
use models::trace::series::Merge;

use super::Chart;
use super::over_time::OverTime;
use super::panels::{Label, Points, panels, thinned};
use super::scale::Unit;

/// The largest latency among the commits acknowledged in every span of time.
pub fn series(run: &Run) -> Vec<(Label, Points)> {
    vec![(Label::Variant, thinned(&run.samples.latency_max, Merge::Peak, run.duration))]
}

/// The plot.
pub fn chart(runs: &[Run], names: &[String]) -> Chart {
    Chart::OverTime(OverTime {
        title: "Slowest commits over time",
        reading: "The largest latency among the commits acknowledged in each span. A gap is a \
                  span in which no commit was acknowledged.",
        y_title: "largest commit latency, logarithmic",
        unit: Unit::Nanos,
        log: true,
        empty: "no commit was answered",
        duration: super::panels::longest(runs),
        panels: panels(runs, names, series),
        key: None,
        table: None,
    })
}
