//! Where the time of a commit goes: a bar a variant, a piece a stage.

use models::trace::Run;
use models::trace::commit::Stage;

use super::Chart;
use super::bars::{Bar, Bars};
use crate::picture::shortened;

/// The mean time of a commit in each stage, in nanoseconds; none without commits.
pub fn series(run: &Run) -> Vec<(&'static str, u64)> {
    let sum =
        |series: &models::trace::series::Series| series.iter().filter_map(|p| p.1).sum::<u64>();
    let commits = sum(&run.samples.commits);
    let stages = Stage::ALL.iter().zip(&run.samples.stages);
    let mean = stages.map(|(stage, times)| {
        (stage.name(run.pg_version), sum(times).checked_div(commits).unwrap_or(0))
    });
    if commits == 0 { Vec::new() } else { mean.collect() }
}

/// The plot.
pub fn chart(runs: &[Run], names: &[String]) -> Chart {
    let bar = |(run, name): (&Run, &String)| Bar { label: shortened(name, 64), parts: series(run) };
    Chart::Bars(Bars {
        title: "Where the time of a commit goes",
        reading: "The mean latency of a commit, cut into what it waited for, in order: the \
                  backend's own service, queueing (the server was frozen or wal_buffers were \
                  full), LWLock:WALWrite (until another's flush was over), the fsync that made it \
                  durable, and IPC:SyncRep (standbys). The parts sum to the latency; their shares \
                  are those of whole flushes that were followed.",
        x_title: "mean latency",
        empty: "no commit was answered",
        bars: runs.iter().zip(names).map(bar).collect(),
    })
}
