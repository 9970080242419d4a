//! What outages came to: the share of them that is no worse, by how much it is.

use super::{line, millionths, table};
use crate::human;
use crate::plan::Distribution;
use crate::plots::curves::{Axis, Curve, Curves, Mark, Span};
use crate::plots::scale::Unit;
use crate::tables::Table;

/// Shares of the table, in millionths.
const SHARES: [u64; 8] = [500_000, 900_000, 950_000, 980_000, 990_000, 999_000, 999_900, 1_000_000];

/// A step at each value. Rising: outages that came to no more. Falling: to no less.
pub fn series(of: &Distribution) -> Curve {
    let share = |count: usize| Some(count as u64 * 1_000_000 / of.trials.max(1) as u64);
    let good = |count: usize| if of.is_falling { of.trials - count } else { count };
    let mut points = vec![(0, share(good(0)))];
    let mut count = 0;
    for equal in of.values.chunk_by(|a, b| a == b) {
        points.push((equal[0], share(good(count))));
        count += equal.len();
        points.push((equal[0], share(good(count))));
    }
    line("", 0, points)
}

/// The plot.
pub fn chart(of: &Distribution) -> Curves {
    let unit = if of.is_bytes { Unit::Bytes } else { Unit::Nanos };
    let (reading, y) = match of.is_falling {
        true => {
            ("The share of outages in which it takes longer.", "share of outages that take longer")
        }
        false => {
            ("The share of outages that come to no more.", "share of outages that come to no more")
        }
    };
    let span = of.value.zip(of.other).map(|(a, b)| Span {
        from: a.min(b),
        to: a.max(b),
        opacity: 30,
        label: String::new(),
    });
    let value = of.value.map(|at| Mark { label: unit.text(at), at });
    let largest = of.values.last().copied().unwrap_or(0);
    let largest = largest.max(of.value.unwrap_or(0)).max(of.other.unwrap_or(0));
    Curves {
        title: of.title,
        reading: format!(
            "{reading} Each further nine has as much room as the one before. Shaded: the interval \
             (95 %) of what the accepted share lies beyond; the safe end of it is marked."
        ),
        x: Axis {
            title: of.measure.to_owned(),
            unit,
            begin: 0,
            end: largest.saturating_add(largest / 20),
            nines: None,
        },
        y: Axis {
            title: y.to_owned(),
            unit: Unit::Share,
            begin: 0,
            end: 1_000_000,
            nines: Some(of.trials),
        },
        empty: "it never came",
        lines: if of.values.is_empty() { Vec::new() } else { vec![series(of)] },
        spans: span.into_iter().collect(),
        levels: vec![Mark {
            label: format!("accepted risk {}", human::share(of.risk)),
            at: 1_000_000 - millionths(of.risk).min(1_000_000),
        }],
        places: value.into_iter().collect(),
        table: numbers(of, unit),
    }
}

/// What some shares of the outages come to.
fn numbers(of: &Distribution, unit: Unit) -> Table {
    let trials = of.trials as u64;
    let at = |share: u64| {
        let good = (share * trials).div_ceil(1_000_000) as usize;
        let rank = if of.is_falling { (of.trials + 1).checked_sub(good) } else { Some(good) };
        rank.and_then(|rank| of.values.get(rank.checked_sub(1)?))
    };
    let row = |&share: &u64| {
        let value = at(share).map_or_else(|| "never".to_owned(), |&value| unit.text(value));
        vec![Unit::Share.text(share), value]
    };
    let told = if of.is_falling { "not before" } else { "at most" };
    // As far as an outage lies beyond.
    let known = |share: &&u64| **share == 1_000_000 || (1_000_000 - **share) * trials >= 1_000_000;
    table(&["share of outages", told], SHARES.iter().filter(known).map(row).collect())
}
