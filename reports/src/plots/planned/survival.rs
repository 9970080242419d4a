//! The share of standbys that are not lost, by the length of the outage: a line a value.

use super::{enough, line, millionths, table};
use crate::human;
use crate::plan::{Survival, SurvivalLine};
use crate::plots::curves::{Axis, Curve, Curves, Mark};
use crate::plots::scale::Unit;
use crate::tables::Table;

/// Rows of the table, at most.
const ROWS: usize = 6;

/// The share by the length of the outage; the recommended value, which is the last, with the
/// interval.
pub fn series(survival: &Survival) -> Vec<Curve> {
    let last = survival.lines.len().saturating_sub(1);
    let curve = |(n, of): (usize, &SurvivalLine)| {
        let points = of.points.iter().map(|(at, share)| (at.0, share.map(millionths)));
        let label = enough(&of.label, n == last && survival.is_recommended);
        let mut curve = line(label, last - n, points.collect());
        if n == last {
            let band = survival.interval.iter();
            let band = band.map(|(at, low, high)| (at.0, millionths(*low), millionths(*high)));
            curve.band = band.collect();
        }
        curve
    };
    survival.lines.iter().enumerate().map(curve).collect()
}

/// The plot.
pub fn chart(survival: &Survival) -> Curves {
    let longest = survival.lines.iter().filter_map(|line| line.points.last()).map(|p| p.0.0).max();
    Curves {
        title: "Standbys that survive",
        reading: format!(
            "Of the outages that last so long or longer, the share in which the standby is not \
             lost by then, for several values of {}. Each further nine has as much room as the one \
             before. The band is the interval (95 %) for the largest of them.",
            survival.setting
        ),
        x: Axis {
            title: "length of the outage".to_owned(),
            unit: Unit::Nanos,
            begin: 0,
            end: longest.unwrap_or(0),
            nines: None,
        },
        y: Axis {
            title: "share of standbys".to_owned(),
            unit: Unit::Share,
            begin: 0,
            end: 1_000_000,
            nines: Some(survival.trials),
        },
        empty: "no outage was played",
        lines: series(survival),
        spans: Vec::new(),
        levels: vec![Mark {
            label: format!("accepted risk {}", human::share(survival.risk)),
            at: 1_000_000 - millionths(survival.risk).min(1_000_000),
        }],
        places: Vec::new(),
        table: numbers(survival),
    }
}

/// A row for some of the lengths, the longest last.
fn numbers(survival: &Survival) -> Table {
    let mut columns = vec!["length of the outage"];
    columns.extend(survival.lines.iter().map(|line| line.label.as_str()));
    let count = survival.lines.first().map_or(0, |line| line.points.len());
    let every = (count.saturating_sub(1) / ROWS).max(1);
    let row = |n: usize| {
        let at = survival.lines.first().map_or(0, |line| line.points[n].0.0);
        let share = |line: &SurvivalLine| {
            let share = line.points.get(n).and_then(|point| point.1);
            share.map_or_else(|| "–".to_owned(), human::share)
        };
        std::iter::once(human::duration(at)).chain(survival.lines.iter().map(share)).collect()
    };
    let rows = (1..count).filter(|n| (count - 1 - n).is_multiple_of(every)).map(row).collect();
    table(&columns, rows)
}
