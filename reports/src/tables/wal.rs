//! What became of WAL: every slot, every standby's fate, every server's pg_wal and checkpoints.

use models::trace::Run;

use super::{Cell, Table};
use crate::{human, variant_names};

fn columns(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// The name of a row: in a report of several variants with the variant's.
fn row_name(runs: &[Run], variant: &str, name: &str) -> Cell {
    Cell::new(if runs.len() > 1 { format!("{variant} · {name}") } else { name.to_owned() })
}

/// A row a slot of every run.
pub fn slots(runs: &[Run]) -> Table {
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
    for (run, variant) in runs.iter().zip(variant_names(runs)) {
        for slot in &run.summary.slots {
            let status = slot.wal_status.unwrap_or("NULL");
            let safe = match slot.safe_wal_size {
                None => "NULL".to_owned(),
                Some(size) if size < 0 => format!("-{}", human::bytes(size.unsigned_abs())),
                Some(size) => human::bytes(size.unsigned_abs()),
            };
            table.rows.push(vec![
                row_name(runs, &variant, &slot.slot_name),
                Cell::new(slot.server.clone()),
                Cell { alarming: status == "lost", ..Cell::new(status) },
                Cell::new(slot.wal_status_seen.join(" → ")),
                Cell::new(human::bytes(slot.retained_bytes.max)),
                Cell::new(human::bytes(slot.retained_bytes.end)),
                Cell::new(safe),
                Cell::new(if slot.active { "yes" } else { "no" }),
            ]);
        }
    }
    table
}

/// A row a server of every run: its pg_wal, its checkpoints, and if it is a standby its fate.
pub fn servers(runs: &[Run]) -> Table {
    let mut table = Table {
        columns: columns(&[
            "server",
            "role at the end",
            "replication",
            "checkpoints, restartpoints",
            "pg_wal, most",
            "pg_wal at the end",
        ]),
        rows: Vec::new(),
    };
    for (run, variant) in runs.iter().zip(variant_names(runs)) {
        for server in &run.summary.servers {
            let standby = run.summary.standbys.iter().find(|s| s.name == server.name);
            let fate = match standby {
                Some(standby) if standby.lost => "lost: the WAL it needs is gone",
                Some(standby) if standby.connected => "streaming",
                Some(_) => "not connected",
                None => "–",
            };
            let lost = standby.is_some_and(|standby| standby.lost);
            table.rows.push(vec![
                row_name(runs, &variant, &server.name),
                Cell::new(server.role),
                Cell { alarming: lost, ..Cell::new(fate) },
                Cell::new(human::count(server.checkpoints)),
                Cell::new(human::bytes(server.pg_wal_bytes.max)),
                Cell::new(human::bytes(server.pg_wal_bytes.end)),
            ]);
        }
    }
    table
}
