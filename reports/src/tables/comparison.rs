//! The comparison of the variants: what people choose by, a row a variant.
//!
//! Every row after the first says in words how it differs from the first: colour is not needed to
//! read it.

use models::trace::Run;
use models::trace::summary::Summary;

use super::{Cell, Table};
use crate::{human, variant_names};

/// One column: its name, and how its cell is made of a summary and of the first one's.
type Column = (&'static str, fn(&Summary, &Summary, &str) -> Cell);

/// The columns behind the name.
const COLUMNS: [Column; 10] = [
    ("commits/s", |s, first, name| {
        let count = |s: &Summary| s.tps.round() as u64;
        compared(human::count(count(s)), count(s), count(first), name)
    }),
    ("p50", |s, first, name| latency(s, s.latency_ms.p50, first.latency_ms.p50, name)),
    ("p99", |s, first, name| latency(s, s.latency_ms.p99, first.latency_ms.p99, name)),
    ("slowest", |s, first, name| latency(s, s.latency_ms.max, first.latency_ms.max, name)),
    ("worst lag, WAL", |s, first, name| {
        worst(s, first, name, |standby| standby.lag_bytes.max, human::bytes)
    }),
    ("worst replay_lag", |s, first, name| {
        let lag = |standby: &models::trace::summary::StandbySummary| {
            human::nanos_of_seconds(standby.replay_lag_seconds.max)
        };
        worst(s, first, name, lag, human::duration)
    }),
    ("peak pg_wal", |s, first, name| {
        let peak = |s: &Summary| s.servers.iter().map(|s| s.pg_wal_bytes.max).max().unwrap_or(0);
        compared(human::bytes(peak(s)), peak(s), peak(first), name)
    }),
    ("slots", |s, _, _| slots(s)),
    ("commits lost", |s, first, name| {
        let (lost, base) = (s.commits.lost, first.commits.lost);
        let of = (lost > 0).then(|| format!("of {}", human::count(s.commits.acknowledged)));
        let cell = compared(human::count(lost), lost, base, name);
        Cell { note: of.or(cell.note), alarming: lost > 0, ..cell }
    }),
    ("downtime", |s, first, name| {
        let (down, base) = (downtime(s), downtime(first));
        compared(human::duration(down), down, base, name)
    }),
];

/// The comparison of `runs`, in their order.
pub fn comparison(runs: &[Run]) -> Table {
    let names = variant_names(runs);
    let columns =
        std::iter::once("variant").chain(COLUMNS.iter().map(|c| c.0)).map(str::to_owned).collect();
    let Some(first) = runs.first() else { return Table { columns, rows: Vec::new() } };
    let row = |(i, (run, name)): (usize, (&Run, &String))| {
        let cells = COLUMNS.iter().map(|(_, cell)| {
            let mut cell = cell(&run.summary, &first.summary, &names[0]);
            if i == 0 && !cell.alarming && cell.note.as_deref() == Some("same") {
                cell.note = None;
            }
            cell
        });
        std::iter::once(Cell::new(name.clone())).chain(cells).collect()
    };
    Table { columns, rows: runs.iter().zip(&names).enumerate().map(row).collect() }
}

fn compared(text: String, value: u64, base: u64, name: &str) -> Cell {
    // A long name would not fit below a number.
    let name = if name.chars().count() <= 12 { name } else { "the first" };
    Cell { note: human::compared(value, base, name), ..Cell::new(text) }
}

fn latency(summary: &Summary, millis: f64, base: f64, name: &str) -> Cell {
    if summary.commits.acknowledged == 0 {
        return Cell::new("–");
    }
    let (value, base) = (human::nanos_of_millis(millis), human::nanos_of_millis(base));
    compared(human::duration(value), value, base, name)
}

/// The worst standby's value.
fn worst(
    summary: &Summary,
    first: &Summary,
    name: &str,
    value: impl Fn(&models::trace::summary::StandbySummary) -> u64,
    text: fn(u64) -> String,
) -> Cell {
    let Some(worst) = summary.standbys.iter().max_by_key(|standby| value(standby)) else {
        return Cell::new("–");
    };
    let base = first.standbys.iter().map(&value).max().unwrap_or(0);
    let mut cell = compared(text(value(worst)), value(worst), base, name);
    if summary.standbys.iter().any(|standby| standby.lost) {
        let lost: Vec<_> =
            summary.standbys.iter().filter(|s| s.lost).map(|s| s.name.as_str()).collect();
        cell.note = Some(format!("{} lost", lost.join(", ")));
        cell.alarming = true;
    } else if summary.standbys.len() > 1 && value(worst) > 0 {
        let note = cell.note.filter(|note| note != "same");
        cell.note = Some(note.map_or(worst.name.clone(), |note| format!("{}, {note}", worst.name)));
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
            _ => slot.wal_status_seen.join(" → "),
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
