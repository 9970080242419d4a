//! WAL over the week or the day, and where the outages begin that come to the worst.

use super::{line, table};
use crate::plan::{Clock, Season, SeasonPart};
use crate::plots::curves::{Axis, Curve, Curves, Span};
use crate::plots::scale::Unit;
use crate::tables::Table;

/// Opacity of the stretch in which most of the worst outages begin, and of one with hardly any.
const SHADES: (usize, usize) = (12, 55);

/// The rates as steps: two points a part.
pub fn series(season: &Season) -> Vec<Curve> {
    let steps = |of: fn(&SeasonPart) -> Option<u64>| {
        let part = |part: &SeasonPart| [(part.from.0, of(part)), (part.to.0, of(part))];
        season.parts.iter().flat_map(part).collect::<Vec<_>>()
    };
    let (median, most) = (steps(|part| part.median), steps(|part| part.most));
    if season.times < 2 || median == most {
        return vec![line("", 0, median)];
    }
    let of = match season.clock {
        Clock::Week => format!("{} weeks", season.times),
        Clock::Day => format!("{} days", season.times),
        Clock::Unknown => format!("{} times", season.times),
    };
    vec![line(format!("largest of {of}"), 1, most), line(format!("median of {of}"), 0, median)]
}

/// Stretches of parts in which some of the worst outages begin, each with its share of them.
pub fn binding(season: &Season) -> Vec<Span> {
    let worst: usize = season.parts.iter().map(|part| part.worst).sum();
    let highest = season.parts.iter().map(|part| part.worst).max().unwrap_or(0).max(1);
    let mut spans = Vec::new();
    let mut most = 0;
    for stretch in season.parts.chunk_by(|a, b| (a.worst > 0) == (b.worst > 0)) {
        let inside: usize = stretch.iter().map(|part| part.worst).sum();
        let parts = stretch.iter().filter(|part| part.worst > 0);
        let begun = spans.len();
        spans.extend(parts.map(|part| Span {
            from: part.from.0,
            to: part.to.0,
            opacity: (SHADES.0 + (SHADES.1 - SHADES.0) * part.worst / highest) as u8,
            label: String::new(),
        }));
        // The largest stretch alone has a name, if it has a part worth naming.
        if inside > most && 4 * inside >= worst {
            most = inside;
            spans.iter_mut().for_each(|span| span.label.clear());
            if let Some(span) = spans.get_mut(begun..).and_then(<[Span]>::last_mut) {
                span.label = format!("{inside} of {worst} begin here");
            }
        }
    }
    spans
}

fn unit(season: &Season) -> (Unit, &'static str) {
    match season.clock {
        Clock::Week => (Unit::Weekday, "day of the week, UTC"),
        Clock::Day => (Unit::Clock, "hour of the day, UTC"),
        Clock::Unknown => (Unit::Nanos, "time in the history"),
    }
}

/// The plot.
pub fn chart(season: &Season) -> Curves {
    let (unit, title) = unit(season);
    let worst: usize = season.parts.iter().map(|part| part.worst).sum();
    let shaded = match worst {
        0 => String::new(),
        1 => format!(" Shaded: where the outage begins {}.", season.worst),
        _ => format!(
            " Shaded: where the {worst} outages begin {}; the darker, the more of them.",
            season.worst
        ),
    };
    Curves {
        title: match season.clock {
            Clock::Week => "WAL over the week",
            Clock::Day => "WAL over the day",
            Clock::Unknown => "WAL over the history",
        },
        reading: format!("How much WAL the history has, and when.{shaded}"),
        x: Axis {
            title: title.to_owned(),
            unit,
            begin: 0,
            end: season.parts.last().map_or(0, |part| part.to.0),
            nines: None,
        },
        y: Axis {
            title: "WAL a second".to_owned(),
            unit: Unit::BytesPerSecond,
            begin: 0,
            end: 0,
            nines: None,
        },
        empty: "nothing of the history is known",
        lines: series(season),
        spans: binding(season),
        levels: Vec::new(),
        places: Vec::new(),
        table: numbers(season, unit),
    }
}

/// A row for each part that differs from the one before, or in which worst outages begin.
fn numbers(season: &Season, unit: Unit) -> Table {
    let rate = |rate: Option<u64>| {
        rate.map_or_else(|| "–".to_owned(), |rate| Unit::BytesPerSecond.text(rate))
    };
    let from = |part: &SeasonPart| match (unit, part.from.0) {
        (Unit::Weekday, at) if at.is_multiple_of(86_400_000_000_000) => {
            format!("{} 00:00", unit.text(at))
        }
        (_, at) => unit.text(at),
    };
    let row = |part: &SeasonPart| {
        vec![from(part), rate(part.median), rate(part.most), part.worst.to_string()]
    };
    let mut rows: Vec<Vec<String>> = season.parts.iter().map(row).collect();
    rows.dedup_by(|next, row| next[3] == "0" && next[1..] == row[1..]);
    table(&["from", "WAL rate, median", "WAL rate, largest", "worst outages that begin"], rows)
}
