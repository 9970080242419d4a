//! The size of pg_wal on every server, over time.

use models::trace::Run;
use models::trace::series::Merge;

use super::Chart;
use super::over_time::{Label, OverTime, Points, panels, thinned};
use super::scale::Unit;

/// For each server of a run: the largest size of pg_wal in every span of time.
pub fn series(run: &Run) -> Vec<(Label, Points)> {
    let line = |s: &models::trace::sample::ServerSamples| {
        (Label::of(&s.name), thinned(&s.pg_wal_bytes, Merge::Peak, run.duration))
    };
    run.samples.servers.iter().map(line).collect()
}

/// The plot.
pub fn chart(runs: &[Run], names: &[String]) -> Chart {
    Chart::OverTime(OverTime {
        title: "Size of pg_wal",
        reading: "Bytes of the files in pg_wal; the largest value of each span. It falls only when \
                  a checkpoint removes segments that no slot, no wal_keep_size and no recovery \
                  needs any more.",
        y_title: "pg_wal, bytes",
        unit: Unit::Bytes,
        log: false,
        duration: super::over_time::longest(runs),
        panels: panels(runs, names, series),
    })
}
