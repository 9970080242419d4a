//! How far behind a standby may be before the alarm, by the time that it leaves.

use super::{line, table};
use crate::human;
use crate::plan::Alert;
use crate::plots::curves::{Axis, Curve, Curves, Mark};
use crate::plots::scale::Unit;

/// The one line.
pub fn series(alert: &Alert) -> Curve {
    let point = |(time, behind): &(models::units::Duration, Option<models::units::Bytes>)| {
        (time.0, behind.map(|bytes| bytes.0))
    };
    line("", 0, alert.rows.iter().map(point).collect())
}

/// The plot.
pub fn chart(alert: &Alert) -> Curves {
    let asked = alert.rows.iter().find(|row| row.0 == alert.asked).and_then(|row| row.1);
    let time = human::duration(alert.asked.0);
    let label = match asked {
        Some(behind) => format!("{} leaves {time}", human::bytes(behind.0)),
        None => format!("nothing leaves {time}"),
    };
    let behind = |behind: Option<models::units::Bytes>| {
        behind.map_or_else(|| "–".to_owned(), |behind| human::bytes(behind.0))
    };
    Curves {
        title: "When to warn",
        reading: "How far behind a standby may be before the alarm, by the time that is left to \
                  act, when WAL comes as in the worst hours of the history but for the accepted \
                  risk."
            .to_owned(),
        x: Axis {
            title: "time that the alarm leaves".to_owned(),
            unit: Unit::Nanos,
            begin: 0,
            end: alert.rows.last().map_or(0, |row| row.0.0),
            nines: None,
        },
        y: Axis {
            title: "behind the primary".to_owned(),
            unit: Unit::Bytes,
            begin: 0,
            end: 0,
            nines: None,
        },
        empty: "the setting keeps less WAL than comes in any of these times",
        lines: vec![series(alert)],
        spans: Vec::new(),
        levels: Vec::new(),
        places: vec![Mark { label, at: alert.asked.0 }],
        table: table(
            &["the alarm leaves", "and comes when the standby is so far behind"],
            alert.rows.iter().map(|row| vec![human::duration(row.0.0), behind(row.1)]).collect(),
        ),
    }
}
