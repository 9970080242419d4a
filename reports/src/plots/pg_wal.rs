//! The size of pg_wal on every server, over time.

use models::trace::Run;
use models::trace::series::Merge;

use super::Chart;
use super::marks::Limit;
use super::over_time::OverTime;
use super::panels::{Label, Points, add_limits, panels, thinned};
use super::scale::Unit;

/// For each server of a run: the largest size of pg_wal in every span of time.
pub fn series(run: &Run) -> Vec<(Label, Points)> {
    let line = |s: &models::trace::sample::ServerSamples| {
        (Label::of(&s.name), thinned(&s.pg_wal_bytes, Merge::Peak, run.duration))
    };
    run.samples.servers.iter().map(line).collect()
}

/// What people compare it with: max_wal_size, which bounds nothing, and the volume's size.
fn limits(run: &Run) -> Vec<Limit> {
    let limit = |label: &str, value| Limit { label: label.to_owned(), value };
    let of = |server: &models::trace::WalLimits| {
        let asked = limit("max_wal_size (no limit)", server.max_wal_size.0);
        [asked, limit("disk capacity", server.capacity.map_or(0, |b| b.0))]
    };
    run.limits.iter().flat_map(of).collect()
}

/// The plot.
pub fn chart(runs: &[Run], names: &[String]) -> Chart {
    let mut panels = panels(runs, names, series);
    add_limits(&mut panels, runs, names, limits);
    Chart::OverTime(OverTime {
        title: "Size of pg_wal",
        reading: "Bytes of the files in pg_wal; the largest value of each span. It falls only when \
                  a checkpoint removes segments that no slot, no wal_keep_size and no recovery \
                  needs any more.",
        y_title: "pg_wal, bytes",
        unit: Unit::Bytes,
        log: false,
        empty: "nothing was sampled",
        duration: super::panels::longest(runs),
        panels,
        key: None,
        table: None,
    })
}
