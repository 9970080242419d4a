//! A quantity by the number of nines: what every second, tenth, hundredth, ... commit sees.
//!
//! The x axis is the share of commits that were at least as fast, each further nine as wide as the
//! one before, so that the rare slow ones, which people ask about, get the room.

use super::hover::{self, Hover};
use super::scale::{FULL, Scale, Unit};
use super::{LEFT, RIGHT, along, draw_legend, legend_height, nothing};
use crate::picture::{Anchor, Part, Picture, Shape};
use crate::stats::{LABELLED, nines};
use crate::tables::{Cell, Table};
use crate::theme::{self, Ink};

/// The numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Percentiles {
    /// The title.
    pub title: &'static str,
    /// How to read it.
    pub reading: &'static str,
    /// What the y axis measures, in nanoseconds.
    pub y_title: &'static str,
    /// One line a variant.
    pub lines: Vec<Curve>,
}

/// One variant's curve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Curve {
    /// The variant.
    pub label: String,
    /// Share in millionths, and nanoseconds; rising in both.
    pub points: Vec<(u32, u64)>,
    /// The largest, if there is any.
    pub max: Option<u64>,
}

const TOP: i32 = 110;
const BOTTOM: i32 = 740;

/// Why there is nothing to draw, if there is nothing.
pub fn nothing_in(chart: &Percentiles) -> Option<&str> {
    let empty = chart.lines.iter().all(|line| line.points.is_empty());
    empty.then_some("no commit was answered")
}

/// The largest share that is drawn, and where shares are.
fn places(chart: &Percentiles) -> (u32, impl Fn(u32) -> i32) {
    let last = chart.lines.iter().filter_map(|l| l.points.last()).map(|p| p.0).max().unwrap_or(0);
    let widest = nines(last).max(1);
    (last, move |share| LEFT + along(nines(share) * FULL / widest, RIGHT - LEFT))
}

/// What a pointer finds: the labelled shares.
pub(super) fn hover(chart: &Percentiles) -> Hover {
    let (last, x) = places(chart);
    let shares = || LABELLED.into_iter().filter(move |&(share, _)| 0 < share && share <= last);
    let line = |(run, line): (usize, &Curve)| {
        let at = |share| line.points.iter().find(|p| p.0 == share).map(|p| p.1);
        let texts = shares().map(|(share, _)| at(share).map(|v| Unit::Nanos.text(v)));
        hover::Line::new(&line.label, run, run, texts)
    };
    let lines = chart.lines.iter().enumerate().map(line).collect();
    Hover {
        area: (LEFT, RIGHT, TOP, BOTTOM),
        apart: 0,
        places: shares().map(|(share, label)| (x(share), label)).collect(),
        panels: vec![hover::Panel { name: None, run: None, lines }],
    }
}

/// Draws the curves.
pub fn draw(chart: &Percentiles) -> Picture {
    let legend: Vec<_> =
        chart.lines.iter().enumerate().map(|(i, l)| (l.label.as_str(), i, Some(i))).collect();
    let values = || chart.lines.iter().flat_map(|l| l.points.iter().map(|&(_, value)| value));
    let (Some(low), Some(high)) = (values().min(), values().max()) else {
        return nothing(chart.title, nothing_in(chart).unwrap_or_default());
    };
    let mut picture = Picture::new(BOTTOM + 110 + legend_height(&legend));
    picture.title((LEFT, 36), chart.title);
    picture.text((LEFT, 78), Anchor::Start, Ink::Muted, chart.y_title);
    let y_scale = Scale::log(low, high, Unit::Nanos);
    let y = |value: u64| BOTTOM - along(y_scale.place(value), BOTTOM - TOP);
    for tick in y_scale.ticks() {
        picture.rule((LEFT, y(tick)), (RIGHT, y(tick)), Ink::Grid);
        picture.text((LEFT - 16, y(tick)), Anchor::End, Ink::Muted, Unit::Nanos.text(tick));
    }
    let (last, x) = places(chart);
    for (share, label) in LABELLED.into_iter().filter(|&(share, _)| share <= last) {
        picture.rule((x(share), TOP), (x(share), BOTTOM), Ink::Grid);
        picture.text((x(share), BOTTOM + 28), Anchor::Middle, Ink::Muted, label);
    }
    let middle = (LEFT + RIGHT) / 2;
    let text = "share of commits that were at least as fast";
    picture.text((middle, BOTTOM + 72), Anchor::Middle, Ink::Muted, text);
    for (style, line) in chart.lines.iter().enumerate() {
        picture.begin(Part::OfRun(style));
        let (ink, width, dashes) = (Ink::Series(style), theme::LINE_WIDTH, theme::dashes(style));
        let points: Vec<_> = line.points.iter().map(|&(share, at)| (x(share), y(at))).collect();
        let labelled = |share| LABELLED.iter().any(|&(s, _)| s == share);
        for (&(share, _), &at) in line.points.iter().zip(&points) {
            if share > 0 && labelled(share) && chart.lines.len() <= 8 {
                picture.mark(at, style);
            }
        }
        picture.shapes.push(Shape::Line { points, ink, width, dashes });
    }
    draw_legend(&mut picture, BOTTOM + 100, &legend);
    picture
}

/// The labelled points as a table.
pub fn table(chart: &Percentiles) -> Table {
    let shares: Vec<_> = LABELLED.into_iter().filter(|&(share, _)| share > 0).collect();
    let columns = ["variant"]
        .into_iter()
        .chain(shares.iter().map(|&(_, label)| label))
        .chain(["slowest"])
        .map(str::to_owned)
        .collect();
    let rows = chart
        .lines
        .iter()
        .map(|line| {
            let at = |share| line.points.iter().find(|p| p.0 == share).map(|p| p.1);
            let cell = |value: Option<u64>| {
                Cell::new(value.map_or("–".to_owned(), |v| Unit::Nanos.text(v)))
            };
            std::iter::once(Cell::new(line.label.clone()))
                .chain(shares.iter().map(|&(share, _)| cell(at(share))))
                .chain([cell(line.max)])
                .collect()
        })
        .collect();
    Table { columns, rows, runs: (0..chart.lines.len()).collect() }
}
