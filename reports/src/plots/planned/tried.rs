//! The share of trials that are not bad, by the value of the setting.

use super::{enough, line, millionths, table};
use crate::human;
use crate::plan::{Tried, TriedRow};
use crate::plots::curves::{Axis, Curve, Curves, Mark, Span};
use crate::plots::scale::Unit;

/// The axis reaches so many times as far as the value that is enough.
const REACH: u64 = 2;

/// The share by the value, as far as the axis reaches, with the interval.
pub fn series(tried: &Tried) -> Curve {
    let rows = || tried.rows.iter().filter(|row| row.value <= tried.enough * REACH);
    let good = |bad: f64| millionths(1.0 - bad);
    let mut curve = line("", 0, rows().map(|row| (row.value, Some(good(row.bad)))).collect());
    curve.band =
        rows().map(|row| (row.value, good(row.interval.1), good(row.interval.0))).collect();
    curve.marked = true;
    curve
}

/// The plot.
pub fn chart(tried: &Tried) -> Curves {
    let unit = if tried.is_bandwidth { Unit::BitsPerSecond } else { Unit::Bytes };
    let line = series(tried);
    let label = tried.rows.iter().find(|row| row.value == tried.enough);
    let label = label.map_or_else(|| unit.text(tried.enough), |row| row.label.clone());
    let row = |row: &TriedRow| {
        let (low, high) = row.interval;
        vec![
            row.label.clone(),
            human::share(row.bad),
            format!("{} to {}", human::share(low), human::share(high)),
        ]
    };
    Curves {
        title: "Values that were tried",
        reading: format!(
            "The share of trials without what {} is to prevent ({}), by its value. Each further \
             nine has as much room as the one before. The band is the interval (95 %) of the \
             share, the shade that of the value with the accepted risk.",
            tried.setting, tried.bad
        ),
        x: Axis {
            title: tried.setting.to_owned(),
            unit,
            begin: line.points.first().map_or(0, |point| point.0).min(tried.low),
            end: line.points.last().map_or(0, |point| point.0),
            nines: None,
        },
        y: Axis {
            title: "share of trials that are good".to_owned(),
            unit: Unit::Share,
            begin: 0,
            end: 1_000_000,
            nines: Some(tried.trials),
        },
        empty: "no value was tried",
        lines: vec![line],
        spans: vec![Span { from: tried.low, to: tried.enough, opacity: 30, label: String::new() }],
        levels: vec![Mark {
            label: format!("accepted risk {}", human::share(tried.risk)),
            at: 1_000_000 - millionths(tried.risk).min(1_000_000),
        }],
        places: vec![Mark { label: enough(&label, tried.is_recommended), at: tried.enough }],
        table: table(
            &[tried.setting, tried.bad.as_str(), "interval (95 %)"],
            tried.rows.iter().map(row).collect(),
        ),
    }
}
