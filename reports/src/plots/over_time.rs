//! Quantities over simulated time, with the spans of faults shaded.
//!
//! Few lines share one panel. Many become a panel a variant, below one another with the same
//! scales, so that twenty variants stay as readable as two. The names of the faults stand above
//! the first panel, in as many lines as they need.

use models::trace::series::{Merge, Series};
use models::trace::{FaultSpan, Run};
use models::units::{Duration, SimTime};

use super::marks::{self, Limit, Moment};
use super::percentiles::no_data;
use super::scale::{Scale, Unit};
use super::{LEFT, RIGHT, along, draw_legend, legend_height};
use crate::picture::{Anchor, Picture, Place, Shape, shortened, text_width};
use crate::tables::{Cell, Table};
use crate::theme::{self, Ink};

/// How many points a line has at most.
const POINTS: usize = 500;
/// How many lines share a panel at most, where every variant has one.
const SHARED: usize = 6;
/// The same, where lines are those of servers, standbys or slots: the variants' often lie on top
/// of one another.
const SHARED_OF_SERVERS: usize = 4;
/// How many lines of fault names stand above the panels at most.
const FAULT_LINES: usize = 4;
const FAULT_LINE: i32 = 38;

/// Start of a span of time, and the value there, if any; in order.
pub type Points = Vec<(SimTime, Option<u64>)>;

/// What a line is called within its variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Label {
    /// It is the variant's only line.
    Variant,
    /// A server.
    Server(String),
}

impl Label {
    /// The line of a server.
    pub fn of(server: &str) -> Label {
        Label::Server(shortened(server, 32))
    }
}

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
    /// The end of the x axis.
    pub duration: Duration,
    /// From top to bottom.
    pub panels: Vec<Panel>,
}

/// One pair of axes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panel {
    /// The variant it shows; `None` where all share one.
    pub name: Option<String>,
    /// Its lines.
    pub lines: Vec<Line>,
    /// What to shade.
    pub faults: Vec<FaultSpan>,
    /// Levels to compare with.
    pub limits: Vec<Limit>,
    /// Moments worth a name.
    pub moments: Vec<Moment>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its name.
    pub label: String,
    /// Its colour and dash pattern.
    pub style: usize,
    /// Its values.
    pub points: Points,
    /// The codes of the strip beneath it; empty: it has none.
    pub statuses: Points,
}

/// The longest duration among the runs.
pub fn longest(runs: &[Run]) -> Duration {
    runs.iter().map(|run| run.duration).max().unwrap_or(Duration::ZERO)
}

/// A series in at most 500 spans: the largest or the last of its buckets, or for a sum the
/// rate a second.
pub fn thinned(series: &Series, merge: Merge, duration: Duration) -> Points {
    let buckets = series.buckets();
    let group = buckets.div_ceil(POINTS).max(1);
    let period = series.period().0;
    let reduce = |from: usize| {
        let to = (from + group).min(buckets);
        let mut values = (from..to).filter_map(|bucket| series.get(bucket));
        let start = from as u64 * period;
        let value = match merge {
            Merge::Peak => values.max(),
            Merge::Last => values.next_back(),
            Merge::Sum => {
                // The last bucket ends with the run.
                let end = (to as u64 * period).min(duration.0).max(start + 1);
                let sum = u128::from(values.sum::<u64>());
                let rate = sum * 1_000_000_000 / u128::from(end - start);
                Some(u64::try_from(rate).unwrap_or(u64::MAX))
            }
        };
        (SimTime(start), value)
    };
    (0..buckets).step_by(group).map(reduce).collect()
}

/// The lines of all runs, in one panel if they are few.
pub fn panels(
    runs: &[Run],
    names: &[String],
    series: fn(&Run) -> Vec<(Label, Points)>,
) -> Vec<Panel> {
    let all: Vec<_> = runs.iter().map(series).collect();
    let lines: usize = all.iter().map(Vec::len).sum();
    let of_variants = all.iter().flatten().all(|(label, _)| *label == Label::Variant);
    let shared = if of_variants { SHARED } else { SHARED_OF_SERVERS };
    if lines > shared && runs.len() > 1 {
        // What has the same name looks the same in every panel.
        let mut known: Vec<Label> = Vec::new();
        for (label, _) in all.iter().flatten() {
            if !known.contains(label) {
                known.push(label.clone());
            }
        }
        let line = |(label, points)| {
            let style = known.iter().position(|other| *other == label).unwrap_or(0);
            let label = match label {
                Label::Variant => String::new(),
                Label::Server(server) => server,
            };
            Line { label, style, points, statuses: Vec::new() }
        };
        let panel = |((run, name), lines): ((&Run, &String), Vec<(Label, Points)>)| Panel {
            name: Some(shortened(name, 60)),
            lines: lines.into_iter().map(line).collect(),
            faults: run.faults.clone(),
            limits: Vec::new(),
            moments: Vec::new(),
        };
        return runs.iter().zip(names).zip(all).map(panel).collect();
    }
    let mut faults: Vec<FaultSpan> = Vec::new();
    for fault in runs.iter().flat_map(|run| &run.faults) {
        if !faults.contains(fault) {
            faults.push(fault.clone());
        }
    }
    let full = |name: &str, label| match label {
        Label::Variant => shortened(name, 48),
        Label::Server(server) if runs.len() == 1 => server,
        Label::Server(server) => format!("{} · {server}", shortened(name, 48)),
    };
    // A colour for each variant, a dash pattern for each of its servers.
    let lines = names.iter().zip(all).enumerate().flat_map(|(i, (name, lines))| {
        (0..).zip(lines).map(move |(j, (label, points))| {
            let style = if runs.len() == 1 { j } else { theme::style(i, j) };
            Line { label: full(name, label), style, points, statuses: Vec::new() }
        })
    });
    let lines = lines.collect();
    vec![Panel { name: None, lines, faults, limits: Vec::new(), moments: Vec::new() }]
}

/// Gives every panel the limits of its runs, each once. A limit of 0 is none; one that not every
/// run of the panel has carries the name of its variant.
pub fn add_limits(
    panels: &mut [Panel],
    runs: &[Run],
    names: &[String],
    limits: fn(&Run) -> Vec<Limit>,
) {
    let single = panels.len() == 1;
    for (i, panel) in panels.iter_mut().enumerate() {
        let shown: Vec<_> = (0..).zip(runs.iter().zip(names)).collect();
        let shown: Vec<_> = shown.into_iter().filter(|&(j, _)| single || i == j).collect();
        for (_, (run, name)) in &shown {
            for mut limit in limits(run).into_iter().filter(|limit| limit.value > 0) {
                if shown.iter().any(|(_, (run, _))| !limits(run).contains(&limit)) {
                    limit.label = format!("{} · {}", shortened(name, 32), limit.label);
                }
                if !panel.limits.contains(&limit) {
                    panel.limits.push(limit);
                }
            }
        }
    }
}

/// Gives every panel the moments of its runs.
pub fn add_moments(
    panels: &mut [Panel],
    runs: &[Run],
    names: &[String],
    moments: fn(&Run) -> Vec<Moment>,
) {
    let single = panels.len() == 1;
    for (i, (run, name)) in runs.iter().zip(names).enumerate() {
        let Some(panel) = panels.get_mut(if single { 0 } else { i }) else { continue };
        for mut moment in moments(run) {
            if single && runs.len() > 1 {
                moment.label = format!("{} · {}", shortened(name, 32), moment.label);
            }
            panel.moments.push(moment);
        }
    }
}

/// The scales that all panels share; `None` without any value.
fn scales(chart: &OverTime) -> Option<(Scale, Scale)> {
    let lines = || chart.panels.iter().flat_map(|panel| &panel.lines);
    let values = || lines().flat_map(|line| line.points.iter().filter_map(|point| point.1));
    let peak = values().max()?;
    let limits = chart.panels.iter().filter_map(|panel| marks::near(&panel.limits, peak));
    let high = limits.max().unwrap_or(0).max(peak);
    let y = if chart.log {
        Scale::log(values().filter(|&v| v > 0).min().unwrap_or(1), high)
    } else {
        Scale::linear(high, chart.unit)
    };
    Some((Scale::time(chart.duration.0), y))
}

/// Draws the panels.
pub fn draw(chart: &OverTime) -> Picture {
    let single = chart.panels.len() <= 1;
    let (height, gap) = if single { (560, 0) } else { (170, 66) };
    let all_faults: Vec<&FaultSpan> = chart.panels.iter().flat_map(|p| &p.faults).collect();
    let names = fault_names(chart.duration, &all_faults);
    let fault_lines = names.iter().map(|name| name.line + 1).max().unwrap_or(0) as i32;
    let first_top = 110 + fault_lines * FAULT_LINE + if single { 0 } else { gap };
    let panels = chart.panels.len().max(1) as i32;
    let strips = chart.panels.iter().map(marks::strips_height).max().unwrap_or(0);
    let gap = gap + strips;
    let bottom = first_top + panels * height + (panels - 1) * gap + strips;
    let key = marks::key_height(&chart.panels);
    let legend = legend(chart);
    let mut picture = Picture::new(bottom + 110 + key + legend_height(&legend));
    picture.title((LEFT, 36), chart.title);
    picture.text((LEFT, 78), Anchor::Start, Ink::Muted, chart.y_title);
    for (i, panel) in (0..).zip(&chart.panels) {
        let top = first_top + i * (height + gap);
        draw_panel(&mut picture, chart, panel, (top, top + height));
    }
    for name in &names {
        let y = 110 + name.line as i32 * FAULT_LINE + FAULT_LINE / 2;
        picture.text((name.x, y), Anchor::Start, Ink::FaultName, name.text.clone());
    }
    if let Some((x_scale, _)) = scales(chart) {
        for tick in x_scale.ticks() {
            let x = LEFT + along(x_scale.place(tick), RIGHT - LEFT);
            let text = Unit::Nanos.text(tick);
            picture.text((x, bottom + 28), Anchor::Middle, Ink::Muted, text);
        }
    }
    let middle = ((LEFT + RIGHT) / 2, bottom + 72);
    picture.text(middle, Anchor::Middle, Ink::Muted, "simulated time; faults are shaded");
    if key > 0 {
        marks::draw_key(&mut picture, bottom + 124);
    }
    draw_legend(&mut picture, bottom + 100 + key, &legend);
    picture
}

/// What the legend explains: nothing, where the panels' names say it all.
fn legend(chart: &OverTime) -> Vec<(&str, usize)> {
    let mut entries: Vec<(&str, usize)> = Vec::new();
    for line in chart.panels.iter().flat_map(|panel| &panel.lines) {
        let entry = (line.label.as_str(), line.style);
        if !line.label.is_empty() && !entries.contains(&entry) {
            entries.push(entry);
        }
    }
    entries
}

fn draw_panel(picture: &mut Picture, chart: &OverTime, panel: &Panel, (top, bottom): (i32, i32)) {
    if let Some(name) = &panel.name {
        let (at, text, size) = ((LEFT, top - 24), name.clone(), theme::TEXT_SIZE);
        let (ink, anchor) = (Ink::Text, Anchor::Start);
        picture.shapes.push(Shape::Text { at, text, ink, size, anchor, bold: true });
    }
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
    let Some((_, y_scale)) = scales(chart) else {
        picture.rule((LEFT, bottom), (RIGHT, bottom), Ink::Muted);
        return no_data(picture, (top + bottom) / 2);
    };
    let y = |value: u64| bottom - along(y_scale.place(value), bottom - top);
    let ticks = y_scale.ticks();
    // A low panel has room for a few labels only.
    let every = if bottom - top < 300 { ticks.len().div_ceil(3).max(1) } else { 1 };
    for &tick in ticks.iter().step_by(every) {
        picture.rule((LEFT, y(tick)), (RIGHT, y(tick)), Ink::Grid);
        picture.text((LEFT - 16, y(tick)), Anchor::End, Ink::Muted, chart.unit.text(tick));
    }
    picture.rule((LEFT, bottom), (RIGHT, bottom), Ink::Muted);
    if panel.lines.iter().all(|line| line.points.iter().all(|p| p.1.is_none())) {
        return no_data(picture, (top + bottom) / 2);
    }
    let places = |line: &Line| {
        line.points.iter().map(|&(at, v)| v.map(|v| (x(at), y(v)))).collect::<Vec<_>>()
    };
    let all: Vec<_> = panel.lines.iter().map(places).collect();
    for (i, (line, points)) in panel.lines.iter().zip(&all).enumerate() {
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
    let frame = (top, bottom, y_scale.end());
    marks::draw_limits_and_moments(picture, panel, &all, frame, (x, y));
    marks::draw_strips(picture, panel, bottom, x);
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
        later.iter().filter(close).count().min(3) as u32
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
            stretches.push((theme::LINE_WIDTH + 6 * over, places.collect()));
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
    let rows = chart.panels.iter().flat_map(|p| p.lines.iter().map(move |l| row(p, l))).collect();
    Table { columns, rows }
}
