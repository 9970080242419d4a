//! One quantity against another: lines with their names beside them, shaded stretches, and levels
//! and places to compare with.
//!
//! Every name takes a place where it covers no line, so that no legend has to be looked up.

use super::marks::{HALF, Names};
use super::scale::{Scale, Unit};
use super::{LEFT, RIGHT, along, nothing};
use crate::picture::{Anchor, Picture, Place, Shape, shortened, text_width};
use crate::tables::Table;
use crate::theme::{self, Ink};

/// The numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Curves {
    /// The title.
    pub title: &'static str,
    /// How to read it.
    pub reading: String,
    /// From left to right, up to its end.
    pub x: Axis,
    /// From bottom to top, at least up to its end.
    pub y: Axis,
    /// Why there may be nothing to show.
    pub empty: &'static str,
    /// The lines.
    pub lines: Vec<Curve>,
    /// Stretches of the x axis to shade.
    pub spans: Vec<Span>,
    /// Values of y to compare with.
    pub levels: Vec<Mark>,
    /// Values of x to compare with.
    pub places: Vec<Mark>,
    /// The numbers behind it.
    pub table: Table,
}

/// What is measured along an axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// What it is.
    pub title: String,
    /// Its unit.
    pub unit: Unit,
    /// Where it begins at the latest: at the round value before. Upward it begins with 0.
    pub begin: u64,
    /// Its end.
    pub end: u64,
    /// Of how many the shares are, where they are drawn by the number of nines.
    pub nines: Option<usize>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Curve {
    /// Its name.
    pub label: String,
    /// Its colour and dash pattern.
    pub style: usize,
    /// Its values, with gaps; rising in x.
    pub points: Vec<(u64, Option<u64>)>,
    /// Where it may lie as well: x, the lowest and the highest y.
    pub band: Vec<(u64, u64, u64)>,
    /// Whether each point is marked.
    pub marked: bool,
}

/// A shaded stretch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where it begins.
    pub from: u64,
    /// Where it ends.
    pub to: u64,
    /// Opacity in percent.
    pub opacity: u8,
    /// What it is; empty: the other stretches tell.
    pub label: String,
}

/// A value worth a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its name.
    pub label: String,
    /// The value.
    pub at: u64,
}

const TOP: i32 = 110;
const BOTTOM: i32 = 670;
/// How many places along a line its name tries.
const TRIES: i32 = 12;

/// Why there is nothing to draw, if there is nothing.
pub fn nothing_in(chart: &Curves) -> Option<&str> {
    let point = |line: &Curve| line.points.iter().any(|point| point.1.is_some());
    (!chart.lines.iter().any(point)).then_some(chart.empty)
}

impl Axis {
    /// From 0 to exactly its end, in about so many steps.
    fn scale(&self, steps: u64) -> Scale {
        if let Some(of) = self.nines {
            return Scale::nines(of);
        }
        match self.unit {
            Unit::Nanos | Unit::Clock | Unit::Weekday => Scale::time(self.end),
            Unit::Share => Scale::Linear { max: 1_000_000, step: 1_000_000 / steps },
            Unit::Bytes | Unit::PerSecond | Unit::BytesPerSecond | Unit::BitsPerSecond => {
                // Steps are found for five of them.
                let part = (self.end - self.begin.min(self.end)).saturating_mul(5) / steps;
                match Scale::linear(part, self.unit) {
                    Scale::Linear { step, .. } => Scale::Linear { max: self.end.max(1), step },
                    scale => scale,
                }
            }
        }
    }
}

/// The scale upward, as far as lines, bands and levels reach.
fn upward(chart: &Curves) -> Scale {
    if chart.y.unit == Unit::Share {
        return chart.y.scale(5);
    }
    let points = chart.lines.iter().flat_map(|line| &line.points).filter_map(|point| point.1);
    let bands = chart.lines.iter().flat_map(|line| &line.band).map(|band| band.2);
    let levels = chart.levels.iter().map(|level| level.at);
    let peak = points.chain(bands).chain(levels).max().unwrap_or(0);
    Scale::linear(peak.max(chart.y.end), chart.y.unit)
}

/// Draws it.
pub fn draw(chart: &Curves) -> Picture {
    if let Some(why) = nothing_in(chart) {
        return nothing(chart.title, why);
    }
    let mut picture = Picture::new(BOTTOM + 110);
    picture.title((LEFT, 36), chart.title);
    picture.text((LEFT, 78), Anchor::Start, Ink::Muted, chart.y.title.clone());
    let (across, upward) = (chart.x.scale(9), upward(chart));
    let ticks = ticks(&chart.x, across);
    let begin = ticks.first().copied().unwrap_or(0);
    let length = across.end().saturating_sub(begin).max(1);
    let from_begin = Scale::Linear { max: length, step: length };
    let x = |value: u64| LEFT + along(from_begin.place(value.saturating_sub(begin)), RIGHT - LEFT);
    let y = |value: u64| BOTTOM - along(upward.place(value), BOTTOM - TOP);
    for span in &chart.spans {
        let (from, to) = (x(span.from), x(span.to).max(x(span.from) + 4));
        picture.area((from, TOP), (to, BOTTOM), Ink::Fault, span.opacity);
    }
    for tick in upward.ticks() {
        picture.rule((LEFT, y(tick)), (RIGHT, y(tick)), Ink::Grid);
        let text = chart.y.unit.text(tick);
        picture.text((LEFT - 16, y(tick)), Anchor::End, Ink::Muted, text);
    }
    draw_ticks(&mut picture, &chart.x, &ticks, x);
    for line in &chart.lines {
        let upper = line.band.iter().map(|&(at, _, high)| (x(at), y(high)));
        let lower = line.band.iter().rev().map(|&(at, low, _)| (x(at), y(low)));
        let (corners, ink) = (upper.chain(lower).collect::<Vec<_>>(), Ink::Series(line.style));
        if corners.len() > 2 {
            picture.shapes.push(Shape::Surface { corners, ink, opacity: 18 });
        }
    }
    let place = |&(at, value): &(u64, Option<u64>)| value.map(|value| (x(at), y(value)));
    let all: Vec<Vec<Option<Place>>> =
        chart.lines.iter().map(|line| line.points.iter().map(place).collect()).collect();
    for (n, (line, places)) in chart.lines.iter().zip(&all).enumerate() {
        draw_line(&mut picture, line, places, &all[n + 1..]);
    }
    let mut names = Names::new(((LEFT, TOP - 2), (RIGHT, BOTTOM)), &all);
    draw_marks(&mut picture, chart, &mut names, (&x, &y));
    for (line, places) in chart.lines.iter().zip(&all) {
        name_line(&mut picture, &mut names, line, places);
    }
    picture
}

/// The ticks of an axis; the first one is where it begins.
fn ticks(axis: &Axis, scale: Scale) -> Vec<u64> {
    match scale {
        Scale::Linear { max, step } => {
            let first = axis.begin.min(max) / step.max(1);
            (first..).map(|n| n * step.max(1)).take_while(|tick| *tick <= max).take(24).collect()
        }
        Scale::Log { .. } | Scale::Binary { .. } | Scale::Nines { .. } => scale.ticks(),
    }
}

fn draw_ticks(picture: &mut Picture, axis: &Axis, ticks: &[u64], x: impl Fn(u64) -> i32) {
    for (n, &tick) in ticks.iter().enumerate() {
        picture.rule((x(tick), TOP), (x(tick), BOTTOM), Ink::Grid);
        // The name of a day stands in its middle.
        let at = match (axis.unit, ticks.get(n + 1)) {
            (Unit::Weekday, None) => continue,
            (Unit::Weekday, Some(&next)) => (x(tick) + x(next)) / 2,
            _ => x(tick),
        };
        picture.text((at, BOTTOM + 28), Anchor::Middle, Ink::Muted, axis.unit.text(tick));
    }
    picture.rule((LEFT, BOTTOM), (RIGHT, BOTTOM), Ink::Muted);
    let middle = ((LEFT + RIGHT) / 2, BOTTOM + 72);
    picture.text(middle, Anchor::Middle, Ink::Muted, axis.title.clone());
}

/// Draws a line; wider, where later ones lie on all of it.
fn draw_line(
    picture: &mut Picture,
    line: &Curve,
    places: &[Option<Place>],
    later: &[Vec<Option<Place>>],
) {
    let on = |a: &Option<Place>, b: &Option<Place>| match (a, b) {
        (Some(a), Some(b)) => a.0 == b.0 && (a.1 - b.1).abs() <= 3,
        (None, _) => true,
        (Some(_), None) => false,
    };
    let covers = |other: &Vec<_>| {
        other.len() == places.len() && places.iter().zip(other).all(|(a, b)| on(a, b))
    };
    let width = theme::LINE_WIDTH + if later.iter().any(covers) { 6 } else { 0 };
    let (ink, dashes) = (Ink::Series(line.style), theme::dashes(line.style));
    for stretch in places.split(Option::is_none) {
        let mut points: Vec<Place> = stretch.iter().copied().flatten().collect();
        points.dedup();
        if let [(only_x, only_y)] = points[..] {
            points.push((only_x + 4, only_y));
        }
        if !points.is_empty() {
            picture.shapes.push(Shape::Line { points, ink, width, dashes });
        }
    }
    if line.marked {
        places.iter().flatten().for_each(|&at| picture.mark(at, line.style));
    }
}

/// Draws levels and places with their names, and writes those of the shaded stretches.
fn draw_marks(
    picture: &mut Picture,
    chart: &Curves,
    names: &mut Names,
    (x, y): (&impl Fn(u64) -> i32, &impl Fn(u64) -> i32),
) {
    for (mark, dashes) in chart.levels.iter().map(|level| (level, &[12, 8])) {
        let (from, to) = ((LEFT, y(mark.at)), (RIGHT, y(mark.at)));
        names.keep_off(from, to);
        picture.shapes.push(Shape::Line {
            points: vec![from, to],
            ink: Ink::Text,
            width: 2,
            dashes,
        });
    }
    let inside = |mark: &&Mark| mark.at <= chart.x.end;
    for mark in chart.places.iter().filter(inside) {
        let (from, to) = ((x(mark.at), TOP), (x(mark.at), BOTTOM));
        names.keep_off(from, to);
        picture.shapes.push(Shape::Line {
            points: vec![from, to],
            ink: Ink::Text,
            width: 3,
            dashes: &[3, 6],
        });
    }
    for span in &chart.spans {
        names.keep_off((x(span.from), TOP), (x(span.to), BOTTOM));
    }
    let beside = |left: i32, right: i32, text: &str| {
        let sides = [right + 10, left - 10 - text_width(text)];
        let heights = (TOP + HALF + 6..BOTTOM - HALF).step_by(8);
        heights.flat_map(move |y| sides.map(|x| (x, y))).collect::<Vec<Place>>()
    };
    for mark in chart.places.iter().filter(inside) {
        let places = beside(x(mark.at), x(mark.at), &mark.label);
        names.write(picture, Ink::Text, mark.label.clone(), &places);
    }
    for span in chart.spans.iter().filter(|span| !span.label.is_empty()) {
        let places = beside(x(span.from), x(span.to), &span.label);
        names.write(picture, Ink::FaultName, span.label.clone(), &places);
    }
    let step = (RIGHT - LEFT) / TRIES;
    for level in &chart.levels {
        let right = RIGHT - 8 - text_width(&level.label);
        let rows = [20, -20, 48, -48].map(|away| y(level.at) - away);
        let places = rows.iter().flat_map(|&y| (0..TRIES).map(move |n| (right - n * step, y)));
        let places: Vec<Place> = places.collect();
        names.write(picture, Ink::Text, level.label.clone(), &places);
    }
}

/// Writes a line's name beside it, as far to the right as there is room.
fn name_line(picture: &mut Picture, names: &mut Names, line: &Curve, places: &[Option<Place>]) {
    let text = shortened(&line.label, 48);
    if text.is_empty() {
        return;
    }
    let known: Vec<Place> = places.iter().copied().flatten().collect();
    let (Some(first), Some(last)) = (known.first(), known.last()) else { return };
    let (width, step) = (text_width(&text), (RIGHT - LEFT) / TRIES / 2);
    let beside = |n: i32| {
        let x = last.0.min(RIGHT - 8) - width - n * step;
        // The highest and the lowest place of the line beside the name.
        let beside = || known.iter().filter(|at| (x - 4..=x + width + 4).contains(&at.0));
        let near = known.iter().min_by_key(|at| (at.0 - x - width / 2).abs());
        let high = beside().chain(near).map(|at| at.1).min().unwrap_or(first.1);
        let low = beside().chain(near).map(|at| at.1).max().unwrap_or(first.1);
        [(x, high - 24), (x, low + 24)]
    };
    let places: Vec<Place> = (0..2 * TRIES).flat_map(beside).collect();
    names.write(picture, Ink::Series(line.style), text, &places);
}
