//! How large pg_wal grows, by the value of the setting.

use super::{enough, line, table};
use crate::human;
use crate::plan::{Disk, DiskRow};
use crate::plots::curves::{Axis, Curve, Curves, Mark};
use crate::plots::scale::Unit;

/// The largest outage and the median one.
pub fn series(disk: &Disk) -> Vec<Curve> {
    let points = |of: fn(&DiskRow) -> u64| {
        disk.rows.iter().map(|row| (row.value.0, Some(of(row)))).collect()
    };
    let mut lines = vec![
        line("largest", 1, points(|row| row.most.0)),
        line("median", 0, points(|row| row.median.0)),
    ];
    lines.iter_mut().for_each(|line| line.marked = true);
    lines
}

/// The plot.
pub fn chart(disk: &Disk) -> Curves {
    let label = disk.rows.iter().find(|row| row.value == disk.enough);
    let label = label.map_or_else(|| human::bytes(disk.enough.0), |row| row.label.clone());
    let volume = disk.volume.map(|volume| Mark {
        label: format!("pg_wal's volume {}", human::bytes(volume.0)),
        at: volume.0,
    });
    let row = |row: &DiskRow| {
        vec![row.label.clone(), human::bytes(row.median.0), human::bytes(row.most.0)]
    };
    Curves {
        title: "Disk that pg_wal takes",
        reading: format!(
            "The largest pg_wal of an outage, by the value of {}: the same outages are played \
             again with each value.",
            disk.setting
        ),
        x: Axis {
            title: disk.setting.to_owned(),
            unit: Unit::Bytes,
            begin: 0,
            end: disk.rows.last().map_or(0, |row| row.value.0),
            nines: None,
        },
        y: Axis {
            title: "pg_wal at its largest".to_owned(),
            unit: Unit::Bytes,
            begin: 0,
            end: 0,
            nines: None,
        },
        empty: "no value was tried",
        lines: series(disk),
        spans: Vec::new(),
        levels: volume.into_iter().collect(),
        places: vec![Mark { label: enough(&label, disk.is_recommended), at: disk.enough.0 }],
        table: table(
            &[disk.setting, "pg_wal, median outage", "pg_wal, largest"],
            disk.rows.iter().map(row).collect(),
        ),
    }
}
