//! How far each standby's replay is behind the primary, in bytes over time.

use models::trace::Run;
use models::trace::series::Merge;

use super::Chart;
use super::over_time::OverTime;
use super::panels::{Label, Points, add_moments, panels, thinned};
use super::scale::Unit;
use super::wal_retained::lost;

/// For each standby of a run: the largest lag of every span of time.
pub fn series(run: &Run) -> Vec<(Label, Points)> {
    let line = |s: &models::trace::sample::StandbySamples| {
        (Label::of(&s.name), thinned(&s.lag_bytes, Merge::Peak, run.duration))
    };
    run.samples.standbys.iter().map(line).collect()
}

/// The plot.
pub fn chart(runs: &[Run], names: &[String]) -> Chart {
    let mut panels = panels(runs, names, series);
    add_moments(&mut panels, runs, names, lost);
    Chart::OverTime(OverTime {
        title: "Lag of the standbys",
        reading: "WAL that the primary has flushed and the standby has not replayed; the largest \
                  value of each span. What a failover to that standby at that moment would have \
                  to find elsewhere, or lose. A dotted upright line: a standby asked for WAL \
                  that is gone, and falls behind for good.",
        y_title: "primary's flush_lsn less replay_lsn, bytes",
        unit: Unit::Bytes,
        log: false,
        empty: "there is no standby",
        duration: super::panels::longest(runs),
        panels,
        key: None,
        table: None,
    })
}
