//! How far each standby is behind in time, by stage: `write_lag`, `flush_lag`, `replay_lag`.

use models::trace::Run;
use models::trace::sample::StandbySamples;
use models::trace::series::{Merge, Series};
use models::trace::summary::LagBands;

use super::Chart;
use super::lag_bytes::{in_words, limits};
use super::over_time::OverTime;
use super::panels::{Points, longest, panel_each, thinned};
use super::scale::Unit;

/// For each standby of a run the three lags of its upstream's pg_stat_replication. Nothing where
/// the view shows NULL, or no row.
pub fn series(run: &Run) -> Vec<(String, Vec<(&'static str, Points)>)> {
    let part = |standby: &StandbySamples| {
        let thin = |lag: &Series| thinned(lag, Merge::Peak, run.duration);
        let lines = vec![
            ("write_lag", thin(&standby.write_lag)),
            ("flush_lag", thin(&standby.flush_lag)),
            ("replay_lag", thin(&standby.replay_lag)),
        ];
        (standby.name.clone(), lines)
    };
    run.samples.standbys.iter().map(part).collect()
}

/// The plot.
pub fn chart(runs: &[Run], names: &[String]) -> Chart {
    let mut panels = panel_each(runs, names, series);
    let standbys = runs.iter().flat_map(|run| &run.summary.standbys);
    let (good, concerning) = LagBands::TIME;
    for (panel, standby) in panels.iter_mut().zip(standbys) {
        panel.note = Some(in_words(&standby.lag_bands.by_time));
        panel.limits = limits(good.0, concerning.0);
    }
    Chart::OverTime(OverTime {
        title: "Lag by stage, in time",
        reading: "write_lag, flush_lag and replay_lag as pg_stat_replication shows them; the \
                  largest value of each span. They stand still while a standby is silent, so a \
                  level line may hide a growing lag in bytes. A gap: NULL, because everything is \
                  replayed and nothing new came, or because the standby is away. The times above \
                  each panel go by the age of the oldest WAL that is not replayed, also then.",
        y_title: "lag, logarithmic",
        unit: Unit::Nanos,
        log: true,
        empty: "pg_stat_replication never showed a lag",
        duration: longest(runs),
        panels,
        key: None,
        table: None,
    })
}
