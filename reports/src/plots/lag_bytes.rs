//! How far each standby is behind in bytes, by stage: sent, written, flushed, replayed.

use models::trace::Run;
use models::trace::sample::StandbySamples;
use models::trace::series::{Merge, Series};
use models::trace::summary::{LagBands, TimeInBands};
use models::units::Duration;

use super::Chart;
use super::marks::Limit;
use super::over_time::OverTime;
use super::panels::{Points, longest, panel_each, thinned};
use super::scale::Unit;
use crate::human;

/// For each standby of a run: what the primary has flushed, less each position that its upstream's
/// pg_stat_replication shows. Nothing while it shows no row.
pub fn series(run: &Run) -> Vec<(String, Vec<(&'static str, Points)>)> {
    let primary = primary_flush(run);
    let part = |standby: &StandbySamples| {
        let stages = [
            ("sent_lsn", &standby.sent_lsn),
            ("write_lsn", &standby.write_lsn),
            ("flush_lsn", &standby.flush_lsn),
            ("replay_lsn", &standby.replay_lsn),
        ];
        let behind = |position: &Series| {
            let mut bytes = primary.empty_like(Merge::Peak);
            for (bucket, (at, flushed)) in primary.iter().enumerate() {
                if let (Some(flushed), Some(position)) = (flushed, position.get(bucket)) {
                    bytes.add(at, flushed.saturating_sub(position));
                }
            }
            thinned(&bytes, Merge::Peak, run.duration)
        };
        (standby.name.clone(), stages.map(|(name, position)| (name, behind(position))).to_vec())
    };
    run.samples.standbys.iter().map(part).collect()
}

/// What the primary, whoever it is, has flushed.
fn primary_flush(run: &Run) -> Series {
    let mut flushed = run.samples.commits.empty_like(Merge::Peak);
    for server in &run.samples.servers {
        for (bucket, (at, insert)) in server.insert_lsn.iter().enumerate() {
            if let (Some(_), Some(own)) = (insert, server.flush_lsn.get(bucket)) {
                flushed.add(at, own);
            }
        }
    }
    flushed
}

/// The time spent in the bands that were seen.
pub(super) fn in_words(spent: &TimeInBands) -> String {
    let all = [(spent.good, "good"), (spent.between, "between"), (spent.concerning, "concerning")];
    let seen = all.into_iter().filter(|(time, _)| *time > Duration::ZERO);
    let said = seen.map(|(time, what)| format!("{what} {}", human::duration(time.0)));
    said.collect::<Vec<_>>().join(" · ")
}

/// The bounds of good and concerning.
pub(super) fn limits(good: u64, concerning: u64) -> Vec<Limit> {
    let limit = |label: &str, value| Limit { label: label.to_owned(), value };
    vec![limit("good below", good), limit("concerning above", concerning)]
}

/// The plot.
pub fn chart(runs: &[Run], names: &[String]) -> Chart {
    let mut panels = panel_each(runs, names, series);
    let standbys = runs.iter().flat_map(|run| &run.summary.standbys);
    let (good, concerning) = LagBands::BYTES;
    for (panel, standby) in panels.iter_mut().zip(standbys) {
        panel.note = Some(in_words(&standby.lag_bands.by_bytes));
        panel.limits = limits(good.0, concerning.0);
    }
    Chart::OverTime(OverTime {
        title: "Lag by stage, in bytes",
        reading: "The primary's flush_lsn less what pg_stat_replication shows of each standby. The \
                  first line that rises tells where WAL piles up: sent_lsn before the link, \
                  write_lsn on the link, flush_lsn at the standby's disk, replay_lsn in replay. A \
                  gap: the view has no row. The times above each panel are those that the whole \
                  lag, up to replay, was in each band, also while the view has no row.",
        y_title: "bytes behind the primary's flush_lsn, logarithmic",
        unit: Unit::Bytes,
        log: true,
        empty: "no standby was ever connected",
        duration: longest(runs),
        panels,
        key: None,
        table: None,
    })
}
