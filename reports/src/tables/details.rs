//! One run in detail: its commits, its standbys' fate and lag, every server's pg_wal, every slot.

use models::trace::Run;
use models::trace::sample::StandbySamples;

use super::{Cell, Table};
use crate::bands::{self, Bands};
use crate::human;

fn columns(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// What became of the commits, in one row; no row without any.
pub fn commits(run: &Run) -> Table {
    let columns = columns(&[
        "commits",
        "attempted",
        "acknowledged",
        "lost",
        "unknown",
        "a second",
        "mean",
        "p50",
        "p90",
        "p99",
        "p99.9",
        "slowest",
    ]);
    let (commits, latency) = (run.summary.commits, run.summary.latency_ms);
    if commits.attempted == 0 {
        return Table { columns, rows: Vec::new() };
    }
    let count = |value| Cell::new(human::count(value));
    let alarming = |value| Cell { alarming: value > 0, ..count(value) };
    let millis = |value| {
        let text = human::duration(human::nanos_of_millis(value));
        Cell::new(if commits.acknowledged > 0 { text } else { "–".to_owned() })
    };
    let row = vec![
        Cell::new("all workloads"),
        count(commits.attempted),
        count(commits.acknowledged),
        alarming(commits.lost),
        count(commits.unknown),
        count(run.summary.tps.round() as u64),
        millis(latency.mean),
        millis(latency.p50),
        millis(latency.p90),
        millis(latency.p99),
        millis(latency.p999),
        millis(latency.max),
    ];
    Table { columns, rows: vec![row] }
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
            "replay_lag good",
            "replay_lag concerning",
        ]),
        rows: Vec::new(),
    };
    let duration = human::duration;
    for standby in &run.summary.standbys {
        let fate = match (standby.lost, standby.connected) {
            (true, _) => "lost: the WAL it needs is gone",
            (false, true) => "streaming",
            (false, false) => "not connected",
        };
        let samples = run.samples.standbys.iter().find(|samples| samples.name == standby.name);
        let spent = |of: fn(&StandbySamples) -> Bands| samples.map(of).unwrap_or_default();
        let bytes = spent(|samples| bands::of_bytes(&samples.lag_bytes));
        let time = spent(|samples| bands::of_time(&samples.replay_lag));
        let seconds = |value| human::duration(human::nanos_of_seconds(value));
        table.rows.push(vec![
            Cell::new(standby.name.clone()),
            Cell::new(standby.upstream.clone()),
            Cell { alarming: standby.lost, ..Cell::new(fate) },
            Cell::new(if standby.sync_state.is_empty() { "–" } else { standby.sync_state }),
            Cell::new(human::bytes(standby.lag_bytes.max)),
            Cell::new(human::bytes(standby.lag_bytes.end)),
            Cell::new(duration(bytes.good.0)),
            Cell::new(duration(bytes.concerning.0)),
            Cell::new(seconds(standby.replay_lag_seconds.max)),
            Cell::new(duration(time.good.0)),
            Cell::new(duration(time.concerning.0)),
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
        rows: Vec::new(),
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
        rows: Vec::new(),
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
