//! The plots of a plan: a file for each, from its numbers to a chart.

pub mod alert;
pub mod disk;
pub mod distribution;
pub mod season;
pub mod survival;
pub mod tried;

use super::Chart;
use super::curves::Curve;
use crate::plan::Figure;
use crate::tables::{Cell, Table};

/// The plot of a figure.
pub fn chart(figure: &Figure) -> Chart {
    Chart::Curves(match figure {
        Figure::Season(season) => season::chart(season),
        Figure::Survival(survival) => survival::chart(survival),
        Figure::Disk(disk) => disk::chart(disk),
        Figure::Alert(alert) => alert::chart(alert),
        Figure::Distribution(distribution) => distribution::chart(distribution),
        Figure::Tried(tried) => tried::chart(tried),
    })
}

/// A line without a band.
fn line(label: impl Into<String>, style: usize, points: Vec<(u64, Option<u64>)>) -> Curve {
    Curve { label: label.into(), style, points, band: Vec::new(), marked: false }
}

/// What the value that is enough is called.
fn enough(label: &str, is_recommended: bool) -> String {
    format!("{label}{}", if is_recommended { ", recommended" } else { "" })
}

/// A share in millionths.
fn millionths(share: f64) -> u64 {
    // The cast saturates; a share is never negative.
    (share * 1e6).round() as u64
}

fn table(columns: &[&str], rows: Vec<Vec<String>>) -> Table {
    let cells = |row: Vec<String>| row.into_iter().map(Cell::new).collect();
    Table {
        columns: columns.iter().map(|&column| column.to_owned()).collect(),
        rows: rows.into_iter().map(cells).collect(),
        ..Table::default()
    }
}
