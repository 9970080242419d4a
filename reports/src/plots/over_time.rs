//! Quantities over simulated time, with the spans of faults shaded.
//!
//! All panels have the same scales. The names of the faults stand above the first one, in as many
//! lines as they need. Where several lines share a panel each has a marker of its own besides its
//! colour, here and there along it.

use models::trace::FaultSpan;
use models::units::{Duration, SimTime};

use super::hover::{self, Hover};
use super::marks::{self, Band, Key, Limit, Moment};
use super::panels::Points;
use super::scale::{Scale, Unit};
use super::{LEFT, LegendEntry, RIGHT, along, draw_legend, legend_height, no_data, nothing};
use crate::picture::{Anchor, Part, Picture, Place, Shape, shortened, text_width};
use crate::tables::{Cell, Table};
use crate::theme::{self, Ink};

/// How many lines of fault names stand above the panels at most.
const FAULT_LINES: usize = 4;
const FAULT_LINE: i32 = 38;
/// The height that the name of a panel takes.
const NAME: i32 = 66;
/// About how wide a bold letter is.
const BOLD: i32 = 15;
/// How many markers a line has.
const MARKERS: i32 = 7;

/// The numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverTime {
    /// The title.
    pub title: &'static str,
    /// How to read it.
    pub reading: &'static str,
    /// What the y axis measures.
    pub y_title: &'static str,
    /// The y axis' unit.
    pub unit: Unit,
    /// Whether the y axis is logarithmic.
    pub log: bool,
    /// Why there may be nothing to show.
    pub empty: &'static str,
    /// The end of the x axis.
    pub duration: Duration,
    /// From top to bottom.
    pub panels: Vec<Panel>,
    /// What the bands of strips mean, if there are strips.
    pub key: Option<Key>,
    /// The numbers behind it, where a dozen spans of time would not do.
    pub table: Option<Table>,
}

/// One pair of axes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panel {
    /// The index of the run it shows; `None` where all share one.
    pub run: Option<usize>,
    /// What it shows; `None` where that is everything.
    pub name: Option<String>,
    /// What else there is to say, at the right of the name.
    pub note: Option<String>,
    /// Its lines.
    pub lines: Vec<Line>,
    /// What to shade.
    pub faults: Vec<FaultSpan>,
    /// Levels to compare with.
    pub limits: Vec<Limit>,
    /// Moments worth a name.
    pub moments: Vec<Moment>,
}

impl Panel {
    /// What is drawn from now on is of one run or of all. A run's own panel is of that run anyway.
    pub(super) fn begin(&self, picture: &mut Picture, run: Option<usize>) {
        if self.run.is_none() {
            picture.begin(run.map_or(Part::Whole, Part::OfRun));
        }
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The index of its run.
    pub run: usize,
    /// Its name.
    pub label: String,
    /// Its colour and dash pattern.
    pub style: usize,
    /// Its values.
    pub points: Points,
    /// The strip beneath the panel that belongs to it; empty: it has none.
    pub strip: Vec<Band>,
}

/// The scales that all panels share; `None` without any value.
fn scales(chart: &OverTime) -> Option<(Scale, Scale)> {
    let lines = || chart.panels.iter().flat_map(|panel| &panel.lines);
    let values = || lines().flat_map(|line| line.points.iter().filter_map(|point| point.1));
    let peak = values().max()?;
    let limits = chart.panels.iter().filter_map(|panel| marks::near(&panel.limits, peak));
    let high = limits.max().unwrap_or(0).max(peak);
    let y = if chart.log {
        Scale::log(values().filter(|&v| v > 0).min().unwrap_or(1), high, chart.unit)
    } else {
        Scale::linear(high, chart.unit)
    };
    Some((Scale::time(chart.duration.0), y))
}

/// Why there is nothing to draw, if there is nothing.
pub fn nothing_in(chart: &OverTime) -> Option<&str> {
    scales(chart).is_none().then_some(chart.empty)
}

/// Where the panels are.
struct Layout {
    /// The first one's upper edge.
    first_top: i32,
    /// That of each.
    height: i32,
    /// Between two of them, with the strips there.
    gap: i32,
    /// The strips below each.
    strips: i32,
    /// The lower edge of the last one's strips.
    bottom: i32,
}

fn layout(chart: &OverTime, names: &[FaultName]) -> Layout {
    let (height, gap) = match chart.panels.len() {
        0..=1 => (560, 0),
        2..=3 => (280, NAME),
        4..=6 => (210, NAME),
        _ => (170, NAME),
    };
    let fault_lines = names.iter().map(|name| name.line + 1).max().unwrap_or(0) as i32;
    let named = chart.panels.iter().any(|panel| panel.name.is_some());
    let first_top = 110 + fault_lines * FAULT_LINE + if named { NAME } else { 0 };
    let panels = chart.panels.len().max(1) as i32;
    let strips = chart.panels.iter().map(marks::strips_height).max().unwrap_or(0);
    let gap = gap + strips;
    let bottom = first_top + panels * height + (panels - 1) * gap + strips;
    Layout { first_top, height, gap, strips, bottom }
}

/// What a pointer finds: every value that is drawn.
pub(super) fn hover(chart: &OverTime) -> Hover {
    let all_faults: Vec<&FaultSpan> = chart.panels.iter().flat_map(|p| &p.faults).collect();
    let Layout { first_top, height, gap, bottom, .. } =
        layout(chart, &fault_names(chart.duration, &all_faults));
    let line = |line: &Line| {
        let texts = line.points.iter().map(|(_, value)| value.map(|v| chart.unit.text(v)));
        let told = hover::Line::new(&line.label, line.run, line.style, texts);
        told.over_time(&line.points, &line.strip)
    };
    let panel = |panel: &Panel| hover::Panel {
        name: panel.name.clone(),
        run: panel.run,
        lines: panel.lines.iter().map(line).collect(),
    };
    Hover {
        area: (LEFT, RIGHT, first_top, bottom),
        apart: height + gap,
        places: Vec::new(),
        panels: chart.panels.iter().map(panel).collect(),
    }
}

/// Draws the panels.
pub fn draw(chart: &OverTime) -> Picture {
    if let Some(why) = nothing_in(chart) {
        return nothing(chart.title, why);
    }
    let all_faults: Vec<&FaultSpan> = chart.panels.iter().flat_map(|p| &p.faults).collect();
    let names = fault_names(chart.duration, &all_faults);
    let Layout { first_top, height, gap, strips, bottom } = layout(chart, &names);
    let key = chart.key.filter(|_| strips > 0);
    let key_height = key.map_or(0, |_| marks::KEY_HEIGHT);
    let legend = legend(chart);
    let mut picture = Picture::new(bottom + 110 + key_height + legend_height(&legend));
    picture.title((LEFT, 36), chart.title);
    picture.text((LEFT, 78), Anchor::Start, Ink::Muted, chart.y_title);
    for (i, panel) in (0..).zip(&chart.panels) {
        let top = first_top + i * (height + gap);
        let own = |run| Part::Panel { place: i as usize, run };
        picture.begin(panel.run.map_or(Part::Whole, own));
        draw_panel(&mut picture, chart, panel, (top, top + height));
    }
    picture.begin(Part::Whole);
    for name in &names {
        let y = 110 + name.line as i32 * FAULT_LINE + FAULT_LINE / 2;
        picture.text((name.x, y), Anchor::Start, Ink::FaultName, name.text.clone());
    }
    picture.begin(Part::Foot);
    if let Some((x_scale, _)) = scales(chart) {
        for tick in x_scale.ticks() {
            let x = LEFT + along(x_scale.place(tick), RIGHT - LEFT);
            let text = Unit::Nanos.text(tick);
            picture.text((x, bottom + 28), Anchor::Middle, Ink::Muted, text);
        }
    }
    let middle = ((LEFT + RIGHT) / 2, bottom + 72);
    let axis = match all_faults.is_empty() {
        true => "simulated time",
        false => "simulated time; faults are shaded",
    };
    picture.text(middle, Anchor::Middle, Ink::Muted, axis);
    if let Some(key) = &key {
        marks::draw_key(&mut picture, bottom + 124, key);
    }
    draw_legend(&mut picture, bottom + 100 + key_height, &legend);
    picture
}

/// What the legend explains: nothing, where the panels' names say it all.
fn legend(chart: &OverTime) -> Vec<LegendEntry<'_>> {
    let mut entries: Vec<LegendEntry> = Vec::new();
    for (panel, line) in chart.panels.iter().flat_map(|p| p.lines.iter().map(move |l| (p, l))) {
        let run = panel.run.is_none().then_some(line.run);
        let entry = (line.label.as_str(), line.style, run);
        let drawn = line.points.iter().any(|point| point.1.is_some());
        if drawn && !line.label.is_empty() && !entries.contains(&entry) {
            entries.push(entry);
        }
    }
    entries
}

fn draw_panel(picture: &mut Picture, chart: &OverTime, panel: &Panel, (top, bottom): (i32, i32)) {
    draw_name(picture, chart, panel, top);
    let time = Scale::time(chart.duration.0);
    let x = |at: SimTime| LEFT + along(time.place(at.0), RIGHT - LEFT);
    for fault in &panel.faults {
        let from = x(fault.from);
        if fault.momentary {
            picture.rule((from, top), (from, bottom), Ink::FaultName);
        } else {
            let to = fault.until.map_or(RIGHT, x).max(from + 4);
            picture.area((from, top), (to, bottom), Ink::Fault, 30);
        }
    }
    let Some((_, y_scale)) = scales(chart) else { return };
    let y = |value: u64| bottom - along(y_scale.place(value), bottom - top);
    let ticks = y_scale.ticks();
    // A low panel has room for a few labels only.
    let every = ticks.len().div_ceil(((bottom - top) / 52).max(1) as usize).max(1);
    for &tick in ticks.iter().step_by(every) {
        picture.rule((LEFT, y(tick)), (RIGHT, y(tick)), Ink::Grid);
        picture.text((LEFT - 16, y(tick)), Anchor::End, Ink::Muted, chart.unit.text(tick));
    }
    picture.rule((LEFT, bottom), (RIGHT, bottom), Ink::Muted);
    if panel.lines.iter().all(|line| line.points.iter().all(|p| p.1.is_none())) {
        return no_data(picture, (top + bottom) / 2, chart.empty);
    }
    let places = |line: &Line| {
        line.points.iter().map(|&(at, v)| v.map(|v| (x(at), y(v)))).collect::<Vec<_>>()
    };
    let all: Vec<_> = panel.lines.iter().map(places).collect();
    for (i, (line, points)) in panel.lines.iter().zip(&all).enumerate() {
        panel.begin(picture, Some(line.run));
        let (ink, dashes) = (Ink::Series(line.style), theme::dashes(line.style));
        let mut add = |mut points: Vec<_>, width| {
            // A value alone between two gaps would be a line without length.
            if let [(only_x, only_y)] = points[..] {
                points.push((only_x + 4, only_y));
            }
            without_level_points(&mut points);
            if !points.is_empty() {
                picture.shapes.push(Shape::Line { points, ink, width, dashes });
            }
        };
        for (width, points) in covered(points, &all[i + 1..]) {
            add(points, width);
        }
        for stretch in points.split(Option::is_none) {
            add(stretch.iter().copied().flatten().collect(), theme::LINE_WIDTH);
        }
    }
    draw_markers(picture, panel, &all);
    let frame = (top, bottom, y_scale.end());
    marks::draw_limits_and_moments(picture, (panel, chart.unit), &all, frame, (x, y));
    marks::draw_strips(picture, panel, bottom, x);
}

/// Writes what a panel shows, and at the right what else there is to say: in a panel without a
/// name that stands beside the title of the axis.
fn draw_name(picture: &mut Picture, chart: &OverTime, panel: &Panel, top: i32) {
    let end = scales(chart).map_or(0, |(_, y)| y.end());
    let far = marks::far(panel, chart.unit, end);
    let note: Vec<String> = panel.note.clone().into_iter().chain(far).collect();
    let note = note.join(" · ");
    let y = if panel.name.is_some() { top - 24 } else { 78 };
    if !note.is_empty() {
        picture.text((RIGHT, y), Anchor::End, Ink::Muted, note.clone());
    }
    if let Some(name) = &panel.name {
        let room = RIGHT - LEFT - text_width(&note) - 40;
        let text = shortened(name, (room / BOLD).max(12) as usize);
        let (at, size) = ((LEFT, y), theme::TEXT_SIZE);
        let (ink, anchor) = (Ink::Text, Anchor::Start);
        picture.shapes.push(Shape::Text { at, text, ink, size, anchor, bold: true });
    }
}

/// Marks each line of several here and there, none where another one is marked.
fn draw_markers(picture: &mut Picture, panel: &Panel, lines: &[Vec<Option<Place>>]) {
    let several = lines.len().min(8) as i32;
    if several < 2 {
        return;
    }
    let apart = (RIGHT - LEFT) / MARKERS;
    for ((i, line), points) in (0..).zip(&panel.lines).zip(lines) {
        panel.begin(picture, Some(line.run));
        for n in 0..MARKERS {
            let wanted = LEFT + n * apart + (2 * (i % several) + 1) * apart / (2 * several);
            let near = |at: &&Place| (at.0 - wanted).abs();
            let Some(&at) = points.iter().flatten().min_by_key(near) else { continue };
            // Near a gap there may be no point close enough.
            if (at.0 - wanted).abs() < apart / several {
                picture.mark(at, line.style);
            }
        }
    }
}

/// The stretches of a line that later ones cover, and how wide to draw them so that the line looks
/// out on both sides. Lines that only meet or cross stay as they are.
fn covered(line: &[Option<Place>], later: &[Vec<Option<Place>>]) -> Vec<(u32, Vec<Place>)> {
    /// From how many points on a stretch is widened.
    const LONG: usize = 8;
    let over = |i: usize, (_, y): Place| {
        let close = |other: &&Vec<Option<Place>>| {
            other.get(i).copied().flatten().is_some_and(|(_, other)| (other - y).abs() < 3)
        };
        later.iter().filter(close).count().min(2) as u32
    };
    let points = line.iter().enumerate().map(|(i, at)| at.map(|at| (over(i, at), at)));
    let points: Vec<_> = points.map(|point| point.filter(|(over, _)| *over > 0)).collect();
    let mut stretches = Vec::new();
    for stretch in points.split(Option::is_none).filter(|stretch| stretch.len() >= LONG) {
        let stretch: Vec<(u32, Place)> = stretch.iter().copied().flatten().collect();
        let mut begun: Option<Place> = None;
        for part in stretch.chunk_by(|a, b| a.0 == b.0) {
            // Short parts all have one width, so that the edge does not tremble.
            let over = if part.len() < LONG { 1 } else { part[0].0 };
            let places = begun.into_iter().chain(part.iter().map(|&(_, at)| at));
            stretches.push((theme::LINE_WIDTH + 5 * over, places.collect()));
            begun = part.last().map(|&(_, at)| at);
        }
    }
    stretches
}

/// Drops the points inside a level stretch, which change nothing but the size of the file.
fn without_level_points(points: &mut Vec<(i32, i32)>) {
    let mut kept: Vec<(i32, i32)> = Vec::with_capacity(points.len());
    for &point in points.iter() {
        if let [.., before, last] = kept[..]
            && before.1 == last.1
            && last.1 == point.1
        {
            kept.pop();
        }
        kept.push(point);
    }
    *points = kept;
}

/// The name of a fault above the panels.
struct FaultName {
    x: i32,
    line: usize,
    text: String,
}

/// Places the names of the faults so that none covers another; those that find no room are
/// counted in the last name.
fn fault_names(duration: Duration, faults: &[&FaultSpan]) -> Vec<FaultName> {
    let time = Scale::time(duration.0);
    let mut spans: Vec<&&FaultSpan> = Vec::new();
    for fault in faults {
        if !spans.iter().any(|known| known.name == fault.name && known.from == fault.from) {
            spans.push(fault);
        }
    }
    spans.sort_by_key(|fault| fault.from);
    let mut ends: Vec<i32> = Vec::new();
    let mut names: Vec<FaultName> = Vec::new();
    let mut left_out = 0;
    for fault in spans {
        let text = shortened(&fault.name, 40);
        let width = text_width(&text) + 24;
        let x = LEFT + along(time.place(fault.from.0), RIGHT - LEFT);
        let x = x.min(RIGHT - width).max(LEFT);
        let free = ends.iter().position(|&end| end <= x);
        let line = free.unwrap_or(ends.len());
        if line >= FAULT_LINES {
            left_out += 1;
            continue;
        }
        if free.is_none() {
            ends.push(0);
        }
        ends[line] = x + width;
        names.push(FaultName { x, line, text });
    }
    if let (Some(last), 1..) = (names.last_mut(), left_out) {
        last.text = format!("{} and {left_out} more", last.text);
    }
    names
}

/// A dozen spans of time as a table, a row a line.
pub fn table(chart: &OverTime) -> Table {
    if let Some(table) = &chart.table {
        return table.clone();
    }
    const SPANS: u64 = 12;
    let span = (chart.duration.0 / SPANS).max(1);
    let edge = |n: u64| Unit::Nanos.text(n * span);
    let columns = std::iter::once("largest in the span from".to_owned())
        .chain((0..SPANS).map(edge))
        .collect();
    let row = |panel: &Panel, line: &Line| {
        let name = match &panel.name {
            None => line.label.clone(),
            Some(name) if line.label.is_empty() => name.clone(),
            Some(name) => format!("{name} · {}", line.label),
        };
        let cell = |n: u64| {
            let inside = |at: &SimTime| at.0 / span == n;
            let values = line.points.iter().filter(|(at, _)| inside(at)).filter_map(|p| p.1);
            Cell::new(values.max().map_or("–".to_owned(), |v| chart.unit.text(v)))
        };
        std::iter::once(Cell::new(name)).chain((0..SPANS).map(cell)).collect()
    };
    let lines = || chart.panels.iter().flat_map(|p| p.lines.iter().map(move |l| (p, l)));
    let rows = lines().map(|(panel, line)| row(panel, line)).collect();
    Table { columns, rows, runs: lines().map(|(_, line)| line.run).collect() }
}
