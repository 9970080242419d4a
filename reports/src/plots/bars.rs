//! Bars of parts that follow one another, a bar a variant: a whole and what it consists of.
//!
//! Each part has a colour and the marker of its stage in it, and what it measures where there is
//! room; the whole stands behind the bar's name. Where one whole is so large that the others' bars
//! would be slivers beside it, all bars are equally long and show shares.

use super::scale::{Scale, Unit};
use super::{LEFT, LegendEntry, RIGHT, along, draw_legend, legend_height, nothing};
use crate::human;
use crate::picture::{Anchor, Part, Picture, Shape, text_width};
use crate::tables::{Cell, Table};
use crate::theme::{self, Ink};

/// The numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bars {
    /// The title.
    pub title: &'static str,
    /// How to read it.
    pub reading: &'static str,
    /// What the x axis measures, in nanoseconds.
    pub x_title: &'static str,
    /// Why there may be nothing to show.
    pub empty: &'static str,
    /// From top to bottom.
    pub bars: Vec<Bar>,
}

/// One variant's bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// The variant.
    pub label: String,
    /// Names and values of its parts, in order; the same names in every bar. None: no data.
    pub parts: Vec<(&'static str, u64)>,
}

impl Bar {
    fn total(&self) -> u64 {
        self.parts.iter().map(|part| part.1).sum()
    }
}

const TOP: i32 = 110;
/// Height of a bar with its name.
const ROW: i32 = 104;
const NAME: i32 = 44;
const THICK: i32 = 44;
/// A whole so many times the usual one makes the bars show shares.
const FAR: u64 = 20;

/// Why there is nothing to draw, if there is nothing.
pub fn nothing_in(chart: &Bars) -> Option<&str> {
    chart.bars.iter().all(|bar| bar.total() == 0).then_some(chart.empty)
}

/// Draws the bars.
pub fn draw(chart: &Bars) -> Picture {
    if let Some(why) = nothing_in(chart) {
        return nothing(chart.title, why);
    }
    let legend = legend(chart);
    let bottom = TOP + chart.bars.len() as i32 * ROW;
    let mut picture = Picture::new(bottom + 110 + legend_height(&legend));
    picture.title((LEFT, 36), chart.title);
    let shares = show_shares(&chart.bars);
    let longest = chart.bars.iter().map(Bar::total).max().unwrap_or(1);
    let axis = if shares {
        Scale::Linear { max: 100, step: 25 }
    } else {
        Scale::linear(longest, Unit::Nanos)
    };
    for tick in axis.ticks() {
        let x = LEFT + along(axis.place(tick), RIGHT - LEFT);
        picture.rule((x, TOP), (x, bottom), Ink::Grid);
        let text = if shares { format!("{tick}%") } else { Unit::Nanos.text(tick) };
        picture.text((x, bottom + 28), Anchor::Middle, Ink::Muted, text);
    }
    for ((run, bar), top) in (0..).zip(&chart.bars).zip((TOP..).step_by(ROW as usize)) {
        let max = bar.total().max(1);
        let scale = if shares { Scale::Linear { max, step: max } } else { axis };
        let x = |value| LEFT + along(scale.place(value), RIGHT - LEFT);
        draw_bar(&mut picture, (run, bar), top, x);
    }
    picture.begin(Part::Foot);
    let middle = ((LEFT + RIGHT) / 2, bottom + 72);
    let title = format!("{}{}", if shares { "share of the " } else { "" }, chart.x_title);
    picture.text(middle, Anchor::Middle, Ink::Muted, title);
    draw_legend(&mut picture, bottom + 100, &legend);
    picture
}

/// Whether the longest bar is so long that the usual one could not be read beside it.
fn show_shares(bars: &[Bar]) -> bool {
    let mut totals: Vec<u64> = bars.iter().map(Bar::total).filter(|&total| total > 0).collect();
    totals.sort_unstable();
    let usual = totals.get(totals.len().saturating_sub(1) / 2).copied().unwrap_or(0);
    totals.last().is_some_and(|&longest| longest / FAR > usual)
}

fn draw_bar(picture: &mut Picture, (run, bar): (usize, &Bar), top: i32, x: impl Fn(u64) -> i32) {
    picture.begin(Part::OfRun(run));
    let total = match bar.total() {
        0 => "no data".to_owned(),
        total => human::duration(total),
    };
    let (text, size) = (format!("{}: {total}", bar.label), theme::TEXT_SIZE);
    let (at, ink, anchor) = ((LEFT, top + NAME / 2), Ink::Text, Anchor::Start);
    picture.shapes.push(Shape::Text { at, text, ink, size, anchor, bold: true });
    let (from, to) = (top + NAME, top + NAME + THICK);
    let mut before = 0;
    for (stage, &(name, value)) in bar.parts.iter().enumerate() {
        let (left, right) = (x(before), x(before + value));
        before += value;
        if value == 0 {
            continue;
        }
        let said = format!("{} · {name}: {} of {total}", bar.label, human::duration(value));
        picture.begin(Part::Said(run, said));
        picture.area((left, from), (right.max(left + 2), to), Ink::Series(stage), 100);
        // A gap tells the parts apart without their colours.
        picture.area((right - 2, from), (right, to), Ink::Paper, 100);
        let (text, middle) = (human::duration(value), (from + to) / 2);
        if text_width(&text) + 60 < right - left {
            picture.marker((left + 22, middle), stage, Ink::Paper);
            picture.text((left + 40, middle), Anchor::Start, Ink::Paper, text);
        } else if right - left > 28 {
            picture.marker(((left + right) / 2, middle), stage, Ink::Paper);
        }
    }
}

fn legend(chart: &Bars) -> Vec<LegendEntry<'_>> {
    let mut entries: Vec<LegendEntry> = Vec::new();
    for bar in &chart.bars {
        for (stage, &(name, value)) in bar.parts.iter().enumerate() {
            if value > 0 && !entries.contains(&(name, stage, None)) {
                entries.push((name, stage, None));
            }
        }
    }
    entries.sort_by_key(|entry| entry.1);
    entries
}

/// The parts and the whole as a table, a row a bar.
pub fn table(chart: &Bars) -> Table {
    let Some(widest) = chart.bars.iter().find(|bar| !bar.parts.is_empty()) else {
        return Table::default();
    };
    let names = widest.parts.iter().map(|part| part.0);
    let columns = ["variant"].into_iter().chain(names).chain(["together"]);
    let row = |bar: &Bar| {
        let parts = (0..widest.parts.len()).map(|i| bar.parts.get(i).map(|part| part.1));
        let total = Some(bar.total()).filter(|&total| total > 0);
        let text = |value: Option<u64>| value.map_or("–".to_owned(), human::duration);
        let cells = parts.chain([total]).map(|value| Cell::new(text(value)));
        std::iter::once(Cell::new(bar.label.clone())).chain(cells).collect()
    };
    Table {
        columns: columns.map(str::to_owned).collect(),
        rows: chart.bars.iter().map(row).collect(),
        runs: (0..chart.bars.len()).collect(),
    }
}
