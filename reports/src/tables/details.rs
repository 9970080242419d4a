//! One run in detail: its commits, its standbys' fate and lag, every server's pg_wal, every slot.

use models::trace::Run;

use super::{Cell, Table};
use crate::human;

fn columns(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// What became of the commits, in one row; no row without any.
pub fn commits(run: &Run) -> Table {
    let (commits, latency) = (run.summary.commits, run.summary.latency_ms);
    let count = |value| Cell::new(human::count(value));
    let alarming = |value| Cell { alarming: value > 0, ..count(value) };
    let millis = |value| {
        let text = human::duration(human::nanos_of_millis(value));
        Cell::new(if commits.acknowledged > 0 { text } else { "–".to_owned() })
    };
    let mut fields = vec![
        ("commits", Cell::new("all workloads")),
        ("attempted", count(commits.attempted)),
        ("acknowledged", count(commits.acknowledged)),
        ("lost", alarming(commits.lost)),
        ("unknown", count(commits.unknown)),
    ];
    let rare = [
        ("cancelled", commits.cancelled),
        ("refused", commits.refused),
        ("waiting at the end", commits.waiting),
    ];
    fields.extend(rare.into_iter().filter(|(_, n)| *n > 0).map(|(name, n)| (name, count(n))));
    fields.extend([
        ("a second", count(run.summary.tps.round() as u64)),
        ("mean", millis(latency.mean)),
        ("p50", millis(latency.p50)),
        ("p90", millis(latency.p90)),
        ("p99", millis(latency.p99)),
        ("p99.9", millis(latency.p999)),
        ("slowest", millis(latency.max)),
    ]);
    let (names, row): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
    let rows = if commits.attempted == 0 { Vec::new() } else { vec![row] };
    Table { columns: columns(&names), rows, ..Table::default() }
}

/// A row a standby: how it is in the end, and how far it was behind.
pub fn standbys(run: &Run) -> Table {
    let mut table = Table {
        columns: columns(&[
            "standby",
            "upstream",
            "at the end",
            "sync_state",
            "lag, most",
            "lag at the end",
            "lag good",
            "lag concerning",
            "replay_lag, most",
        ]),
        ..Table::default()
    };
    let duration = human::duration;
    for standby in &run.summary.standbys {
        let fate = match (standby.lost, standby.connected) {
            (true, _) => "lost: the WAL it needs is gone",
            (false, true) => "streaming",
            (false, false) => "not connected",
        };
        let bands = standby.lag_bands.both;
        let seconds = |value| human::duration(human::nanos_of_seconds(value));
        table.rows.push(vec![
            Cell::new(standby.name.clone()),
            Cell::new(standby.upstream.clone()),
            Cell { alarming: standby.lost, ..Cell::new(fate) },
            Cell::new(if standby.sync_state.is_empty() { "–" } else { standby.sync_state }),
            Cell::new(human::bytes(standby.lag_bytes.max)),
            Cell::new(human::bytes(standby.lag_bytes.end)),
            Cell::new(duration(bands.good.0)),
            Cell::new(duration(bands.concerning.0)),
            Cell::new(seconds(standby.replay_lag_seconds.max)),
        ]);
    }
    table
}

/// A row a server: its role, its checkpoints, its pg_wal.
pub fn servers(run: &Run) -> Table {
    let mut table = Table {
        columns: columns(&[
            "server",
            "role at the end",
            "timeline",
            "checkpoints, restartpoints",
            "pg_wal, most",
            "pg_wal at the end",
            "downtime",
        ]),
        ..Table::default()
    };
    for server in &run.summary.servers {
        table.rows.push(vec![
            Cell::new(server.name.clone()),
            Cell::new(server.role),
            Cell::new(server.timeline.to_string()),
            Cell::new(human::count(server.checkpoints)),
            Cell::new(human::bytes(server.pg_wal_bytes.max)),
            Cell::new(human::bytes(server.pg_wal_bytes.end)),
            Cell::new(human::duration(human::nanos_of_seconds(server.downtime_seconds))),
        ]);
    }
    table
}

/// A row a slot.
pub fn slots(run: &Run) -> Table {
    let mut table = Table {
        columns: columns(&[
            "slot",
            "server",
            "wal_status at the end",
            "wal_status seen",
            "retained, most",
            "retained at the end",
            "safe_wal_size",
            "active",
        ]),
        ..Table::default()
    };
    for slot in &run.summary.slots {
        let status = slot.wal_status.unwrap_or("NULL");
        let safe = match slot.safe_wal_size {
            None => "NULL".to_owned(),
            Some(size) if size < 0 => format!("-{}", human::bytes(size.unsigned_abs())),
            Some(size) => human::bytes(size.unsigned_abs()),
        };
        table.rows.push(vec![
            Cell::new(slot.slot_name.clone()),
            Cell::new(slot.server.clone()),
            Cell { alarming: status == "lost", ..Cell::new(status) },
            Cell::new(slot.wal_status_seen.join(" → ")),
            Cell::new(human::bytes(slot.retained_bytes.max)),
            Cell::new(human::bytes(slot.retained_bytes.end)),
            Cell::new(safe),
            Cell::new(if slot.active { "yes" } else { "no" }),
        ]);
    }
    table
}
