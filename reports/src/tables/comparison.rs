//! The comparison of the variants: what people choose by, a row a variant.
//!
//! Every row after the first says how it differs from the first, with a sign, and whether that is
//! better or worse in words: colour is not needed to read it.

use models::trace::Run;
use models::trace::summary::Summary;

use super::{Cell, Table};
use crate::human::Better;
use crate::{have_commits, human, variant_names};

/// One column: its name, and how its cell is made of a summary and of the first one's.
type Column = (&'static str, fn(&Summary, &Summary) -> Cell);

/// The columns that speak of commits, and say nothing of a run that has none.
const OF_COMMITS: [&str; 5] = ["commits/s", "p50", "p99", "slowest", "commits lost"];

/// What a cell notes that is the same as the first one's.
const SAME: &str = "no difference";

/// The columns behind the name.
const COLUMNS: [Column; 10] = [
    ("commits/s", |s, first| {
        let count = |s: &Summary| s.tps.round() as u64;
        compared(human::count(count(s)), (count(s), count(first)), Better::More)
    }),
    ("p50", |s, first| latency(s, s.latency_ms.p50, first.latency_ms.p50)),
    ("p99", |s, first| latency(s, s.latency_ms.p99, first.latency_ms.p99)),
    ("slowest", |s, first| latency(s, s.latency_ms.max, first.latency_ms.max)),
    ("worst lag, WAL", |s, first| worst(s, first, |standby| standby.lag_bytes.max, human::bytes)),
    ("worst replay_lag", |s, first| {
        let lag = |standby: &models::trace::summary::StandbySummary| {
            human::nanos_of_seconds(standby.replay_lag_seconds.max)
        };
        worst(s, first, lag, human::duration)
    }),
    ("peak pg_wal", peak_pg_wal),
    ("slots", |s, _| slots(s)),
    ("commits lost", |s, first| {
        let (lost, base) = (s.commits.lost, first.commits.lost);
        let of = (lost > 0).then(|| format!("of {}", human::count(s.commits.acknowledged)));
        let more = [(s.commits.cancelled, "cancelled"), (s.commits.unknown, "unknown")];
        let more = more.into_iter().filter(|(commits, _)| *commits > 0);
        let more = more.map(|(commits, what)| format!("{} {what}", human::count(commits)));
        let notes: Vec<_> = of.into_iter().chain(more).collect();
        let cell = compared(human::count(lost), (lost, base), Better::Less);
        let note = match (notes.is_empty(), lost == base) {
            (true, _) => cell.note,
            (false, true) => Some(notes.join(", ")),
            (false, false) => cell.note.map(|note| format!("{}; {note}", notes.join(", "))),
        };
        Cell { note, alarming: lost > 0, ..cell }
    }),
    ("downtime", |s, first| {
        let (down, base) = (downtime(s), downtime(first));
        compared(human::duration(down), (down, base), Better::Less)
    }),
];

/// The comparison of `runs`, in their order.
pub fn comparison(runs: &[Run]) -> Table {
    let names = variant_names(runs);
    let commits = have_commits(runs);
    let shown: Vec<&Column> =
        COLUMNS.iter().filter(|(name, _)| commits || !OF_COMMITS.contains(name)).collect();
    let columns =
        std::iter::once("variant").chain(shown.iter().map(|c| c.0)).map(str::to_owned).collect();
    let Some(first) = runs.first() else { return Table { columns, ..Table::default() } };
    let row = |(i, (run, name)): (usize, (&Run, &String))| {
        let cells = shown.iter().map(|(_, cell)| {
            let mut cell = cell(&run.summary, &first.summary);
            if i == 0 && cell.note.as_deref() == Some(SAME) {
                cell.note = None;
            }
            cell
        });
        std::iter::once(Cell::new(name.clone())).chain(cells).collect()
    };
    let rows = runs.iter().zip(&names).enumerate().map(row).collect();
    Table { columns, rows, runs: (0..runs.len()).collect() }
}

fn compared(text: String, (value, base): (u64, u64), better: Better) -> Cell {
    Cell { note: Some(human::compared(value, base, better)), ..Cell::new(text) }
}

fn latency(summary: &Summary, millis: f64, base: f64) -> Cell {
    if summary.commits.acknowledged == 0 {
        return Cell::new("–");
    }
    let (value, base) = (human::nanos_of_millis(millis), human::nanos_of_millis(base));
    if base == 0 {
        // Nothing was answered there: nothing to compare with.
        return Cell::new(human::duration(value));
    }
    compared(human::duration(value), (value, base), Better::Less)
}

/// The worst standby's value.
fn worst(
    summary: &Summary,
    first: &Summary,
    value: impl Fn(&models::trace::summary::StandbySummary) -> u64,
    text: fn(u64) -> String,
) -> Cell {
    let Some(worst) = summary.standbys.iter().max_by_key(|standby| value(standby)) else {
        return Cell::new("–");
    };
    let base = first.standbys.iter().map(&value).max().unwrap_or(0);
    let mut cell = compared(text(value(worst)), (value(worst), base), Better::Less);
    let lost = |summary: &Summary| summary.standbys.iter().any(|standby| standby.lost);
    if lost(first) && !lost(summary) {
        // The lag of a standby that is lost says nothing to compare with.
        cell.note = None;
    } else if lost(summary) {
        let lost: Vec<_> =
            summary.standbys.iter().filter(|s| s.lost).map(|s| s.name.as_str()).collect();
        cell.note = Some(format!("{} lost", lost.join(", ")));
        cell.alarming = true;
    } else if summary.standbys.len() > 1 && value(worst) > 0 {
        let note = cell.note.filter(|note| note != SAME);
        cell.note = Some(note.map_or(worst.name.clone(), |note| format!("{}, {note}", worst.name)));
    }
    cell
}

/// The largest pg_wal of any server; which one, if it is not the primary.
fn peak_pg_wal(summary: &Summary, first: &Summary) -> Cell {
    let peak = |s: &Summary| s.servers.iter().map(|s| s.pg_wal_bytes.max).max().unwrap_or(0);
    let most = peak(summary);
    let mut cell = compared(human::bytes(most), (most, peak(first)), Better::Less);
    let mut having = summary.servers.iter().filter(|server| server.pg_wal_bytes.max == most);
    if let Some(server) = having.clone().next()
        && having.all(|server| server.role != "primary")
    {
        let note = cell.note.filter(|note| note != SAME);
        cell.note = Some(note.map_or(server.name.clone(), |n| format!("{}, {n}", server.name)));
    }
    cell
}

/// The status that every slot went through: `reserved → lost`.
fn slots(summary: &Summary) -> Cell {
    if summary.slots.is_empty() {
        return Cell::new("none");
    }
    let describe = |slot: &models::trace::summary::SlotSummary| {
        let seen = match slot.wal_status_seen[..] {
            [] => slot.wal_status.unwrap_or("unused").to_owned(),
            _ => slot.wal_status_seen.join("\u{a0}→ "),
        };
        if summary.slots.len() == 1 { seen } else { format!("{}: {seen}", slot.slot_name) }
    };
    let text = summary.slots.iter().map(describe).collect::<Vec<_>>().join("; ");
    let alarming = summary.slots.iter().any(|slot| slot.wal_status == Some("lost"));
    Cell { alarming, ..Cell::new(text) }
}

/// Nanoseconds without a primary: those of the failovers, and without one those of the servers
/// that follow nobody.
fn downtime(summary: &Summary) -> u64 {
    let seconds: f64 = if summary.failovers.is_empty() {
        let follows = |name: &str| summary.standbys.iter().any(|standby| standby.name == name);
        summary.servers.iter().filter(|s| !follows(&s.name)).map(|s| s.downtime_seconds).sum()
    } else {
        summary.failovers.iter().map(|failover| failover.downtime_seconds).sum()
    };
    human::nanos_of_seconds(seconds)
}
