//! Checkpoints over time: how long each took and why it came, and the WAL between them.

use models::trace::Run;
use models::trace::fact::{CheckpointCause, ServerId, What};
use models::trace::series::{Merge, Series};
use models::units::{Bytes, Duration, Lsn, SimTime};

use super::Chart;
use super::marks::{Band, Key, Limit};
use super::over_time::OverTime;
use super::panels::{Points, add_limits, longest, panel_each, thinned};
use super::scale::Unit;
use crate::human;
use crate::tables::{Cell, Table};

/// How many checkpoints of a run the table has.
const ROWS: usize = 60;

/// One checkpoint, or on a standby one restartpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// On which server.
    pub server: ServerId,
    /// When it started.
    pub from: SimTime,
    /// When it completed; `None`: not before the end, or the server died first.
    pub until: Option<SimTime>,
    /// Why it started.
    pub cause: CheckpointCause,
    /// Its redo point.
    pub redo: Lsn,
    /// WAL since the redo point before, once completed.
    pub distance: Bytes,
    /// What it did, once completed.
    pub work: Work,
}

/// What a checkpoint wrote, for how long, and what became of WAL files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Buffers written.
    pub buffers: u32,
    /// Time of the writes.
    pub write: Duration,
    /// WAL expected until the next redo point.
    pub estimate: Bytes,
    /// Files added, removed and recycled.
    pub files: (u32, u32, u32),
}

/// All checkpoints of a run, in the order in which they started.
pub fn checkpoints(run: &Run) -> Vec<Checkpoint> {
    let mut all: Vec<Checkpoint> = Vec::new();
    for fact in run.facts.iter() {
        let Some(server) = fact.server else { continue };
        if let What::CheckpointStarted { cause, redo } = fact.what {
            let (from, distance, work) = (fact.at, Bytes(0), Work::default());
            all.push(Checkpoint { server, from, until: None, cause, redo, distance, work });
        }
        let last = all.iter_mut().rev().find(|checkpoint| checkpoint.server == server);
        let Some(running) = last.filter(|last| last.until.is_none()) else { continue };
        if let What::CheckpointFiles {
            buffers, write, estimate, added, removed, recycled, ..
        } = fact.what
        {
            running.work = Work { buffers, write, estimate, files: (added, removed, recycled) };
        }
        if let What::CheckpointDone { distance, .. } = fact.what {
            (running.until, running.distance) = (Some(fact.at), distance);
        }
    }
    all
}

/// For each server that ever was primary: the WAL inserted since the redo point of the last
/// checkpoint that started, and the WAL that the checkpointer expects between two of them.
pub fn series(run: &Run) -> Vec<(String, Vec<(&'static str, Points)>)> {
    let all = checkpoints(run);
    let mut parts = Vec::new();
    for (id, server) in (0..).zip(&run.samples.servers) {
        if server.insert_lsn.iter().all(|(_, insert)| insert.is_none()) {
            continue;
        }
        let own: Vec<&Checkpoint> = all.iter().filter(|c| c.server == ServerId(id)).collect();
        let since = thinned(&since_redo(&server.insert_lsn, &own), Merge::Peak, run.duration);
        let estimate = thinned(&estimates(&server.insert_lsn, &own), Merge::Last, run.duration);
        let lines = vec![("WAL since the redo point", since), ("estimate", estimate)];
        parts.push((server.name.clone(), lines));
    }
    parts
}

/// The insert position less the redo point in force. At time 0 that is where the run starts.
fn since_redo(insert: &Series, own: &[&Checkpoint]) -> Series {
    let mut since = insert.empty_like(Merge::Peak);
    let Some(start) = insert.iter().find_map(|(_, lsn)| lsn) else { return since };
    for (at, lsn) in insert.iter() {
        let redo = own.iter().rev().find(|c| c.from <= at).map_or(start, |c| c.redo.0);
        if let Some(lsn) = lsn {
            since.add(at, lsn.saturating_sub(redo));
        }
    }
    since
}

/// `CheckPointDistanceEstimate` from the first completed checkpoint on.
fn estimates(insert: &Series, own: &[&Checkpoint]) -> Series {
    let mut estimates = insert.empty_like(Merge::Last);
    for (at, lsn) in insert.iter() {
        let done = own.iter().rev().find(|c| c.until.is_some_and(|until| until <= at));
        if let (Some(_), Some(checkpoint)) = (lsn, done) {
            estimates.add(at, checkpoint.work.estimate.0);
        }
    }
    estimates
}

/// How strongly a cause is drawn: WAL presses more than time.
fn strength(cause: CheckpointCause) -> usize {
    if cause.is_wal() {
        2
    } else if cause == CheckpointCause::TIME {
        0
    } else {
        1
    }
}

/// What the bands mean.
const CAUSES: Key = Key {
    title: "checkpoint running because of:",
    words: &["time", "a request", "wal"],
    rest: "no band: none runs",
};

fn strip(run: &Run, server: &str) -> Vec<Band> {
    let named = |id: ServerId| run.servers.get(id.index()).is_some_and(|name| name == server);
    let own = checkpoints(run).into_iter().filter(|c| named(c.server));
    let band = |c: Checkpoint| {
        let strength = strength(c.cause);
        Band { from: c.from, until: c.until, strength, word: CAUSES.words[strength] }
    };
    own.map(band).collect()
}

/// A row a checkpoint; of very many the first ones.
fn table(runs: &[Run], names: &[String]) -> Table {
    let mut columns = vec!["variant"];
    columns.extend([
        "server",
        "from",
        "cause",
        "write",
        "sync",
        "total",
        "distance",
        "estimate",
        "buffers",
        "files added",
        "removed",
        "recycled",
    ]);
    let several = runs.len() > 1;
    let (mut rows, mut of) = (Vec::new(), Vec::new());
    for (i, (run, name)) in runs.iter().zip(names).enumerate() {
        let all = checkpoints(run);
        rows.extend(all.iter().take(ROWS).map(|c| row(run, several.then_some(name), c)));
        if all.len() > ROWS {
            let mut row = vec![Cell::new(""); columns.len() - usize::from(!several)];
            let rest = human::count((all.len() - ROWS) as u64);
            row[0] = Cell::new(format!("and {rest} more in facts.jsonl"));
            rows.push(row);
        }
        of.resize(rows.len(), i);
    }
    let columns = columns.into_iter().skip(usize::from(!several)).map(str::to_owned).collect();
    Table { columns, rows, runs: of }
}

fn row(run: &Run, variant: Option<&String>, checkpoint: &Checkpoint) -> Vec<Cell> {
    let Checkpoint { server, from, until, cause, distance, work, .. } = *checkpoint;
    let server = run.servers.get(server.index()).cloned().unwrap_or_default();
    let (added, removed, recycled) = work.files;
    let done = |text: String| Cell::new(if until.is_some() { text } else { "–".to_owned() });
    let total = until.map_or(Duration::ZERO, |until| until.since(from));
    let sync = Duration(total.0.saturating_sub(work.write.0));
    let count = |n: u32| done(human::count(u64::from(n)));
    let cells = [
        Cell::new(server),
        Cell::new(human::moment(from.0)),
        Cell::new(cause.flags()),
        done(human::duration(work.write.0)),
        done(human::duration(sync.0)),
        done(human::duration(total.0)),
        done(human::bytes(distance.0)),
        done(human::bytes(work.estimate.0)),
        count(work.buffers),
        count(added),
        count(removed),
        count(recycled),
    ];
    variant.map(|name| Cell::new(name.clone())).into_iter().chain(cells).collect()
}

/// `max_wal_size` of every server that ever was primary.
fn limits(run: &Run) -> Vec<Limit> {
    let primary = |name: &String| {
        let own = run.samples.servers.iter().find(|server| server.name == *name);
        own.is_some_and(|own| own.insert_lsn.iter().any(|(_, insert)| insert.is_some()))
    };
    let all = run.limits.iter().zip(&run.servers).filter(|(_, name)| primary(name));
    let limit = |value| Limit { label: "max_wal_size".to_owned(), value };
    all.map(|(limits, _)| limit(limits.max_wal_size.0)).collect()
}

/// The plot.
pub fn chart(runs: &[Run], names: &[String]) -> Chart {
    let mut panels = panel_each(runs, names, series);
    let strips = |run| series(run).into_iter().map(move |(server, _)| strip(run, &server));
    let strips = runs.iter().flat_map(strips);
    for (panel, strip) in panels.iter_mut().zip(strips) {
        if let Some(line) = panel.lines.first_mut() {
            line.strip = strip;
        }
    }
    add_limits(&mut panels, runs, names, limits);
    Chart::OverTime(OverTime {
        title: "Checkpoints",
        reading: "The WAL since the redo point, to which a crash recovery would go back, and the \
                  estimate of the WAL between two checkpoints. Beneath: when a checkpoint runs, \
                  and why it started; too much WAL presses more than time. A redo point moves \
                  when a checkpoint starts, and is in force when it completes.",
        y_title: "WAL of the primary since the last checkpoint's start, bytes",
        unit: Unit::Bytes,
        log: false,
        empty: "no server was ever primary",
        duration: longest(runs),
        panels,
        key: Some(CAUSES),
        table: Some(table(runs, names)),
    })
}
