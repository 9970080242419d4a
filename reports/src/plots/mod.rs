//! Every plot of the report: the list, and what they share.
//!
//! A plot is two steps. Its `series` takes runs and gives plain numbers, which tests compare with
//! recorded ones and the page shows as a table; [`Chart::draw`] turns the numbers into a
//! [`Picture`]. An empty series is drawn as "no data".
//!
//! To add one: a file beside this one with a `series`, and a line in [`PLOTS`]. The plots of a plan
//! are of no runs and stand in [`planned`].

pub mod bars;
pub mod checkpoints;
pub mod commit_latency;
pub mod commit_stages;
pub mod curves;
pub mod hover;
pub mod lag;
pub mod lag_bytes;
pub mod lag_time;
pub mod latency;
pub mod marks;
pub mod over_time;
pub mod panels;
pub mod percentiles;
pub mod pg_wal;
pub mod planned;
pub mod scale;
pub mod stages_over_time;
pub mod throughput;
pub mod wal_retained;

use models::trace::Run;

use crate::picture::{Anchor, Part, Picture, text_width};
use crate::tables::Table;
use crate::theme::{self, Ink};

/// One kind of plot.
#[derive(Debug)]
pub struct Plot {
    /// Name of its files, without an ending.
    pub file: &'static str,
    /// Whether it says nothing of runs without commits, and is left out of their page.
    pub of_commits: bool,
    /// The numbers it shows. The names are the variants', in the order of the runs.
    pub chart: fn(&[Run], &[String]) -> Chart,
}

/// All plots, in the order of the page.
pub const PLOTS: [Plot; 11] = [
    Plot { file: "commit-latency", of_commits: true, chart: commit_latency::chart },
    Plot { file: "commit-stages", of_commits: true, chart: commit_stages::chart },
    Plot { file: "latency-over-time", of_commits: true, chart: latency::chart },
    Plot { file: "stages-over-time", of_commits: true, chart: stages_over_time::chart },
    Plot { file: "throughput", of_commits: true, chart: throughput::chart },
    Plot { file: "lag", of_commits: false, chart: lag::chart },
    Plot { file: "lag-bytes-by-stage", of_commits: false, chart: lag_bytes::chart },
    Plot { file: "lag-time-by-stage", of_commits: false, chart: lag_time::chart },
    Plot { file: "wal-retained", of_commits: false, chart: wal_retained::chart },
    Plot { file: "pg_wal", of_commits: false, chart: pg_wal::chart },
    Plot { file: "checkpoints", of_commits: false, chart: checkpoints::chart },
];

/// A plot's numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chart {
    /// A quantity by the number of nines.
    Percentiles(percentiles::Percentiles),
    /// A whole and its parts.
    Bars(bars::Bars),
    /// A quantity over simulated time.
    OverTime(over_time::OverTime),
    /// A quantity against another.
    Curves(curves::Curves),
}

impl Chart {
    /// The title.
    pub fn title(&self) -> &str {
        match self {
            Chart::Percentiles(chart) => chart.title,
            Chart::Bars(chart) => chart.title,
            Chart::OverTime(chart) => chart.title,
            Chart::Curves(chart) => chart.title,
        }
    }

    /// How to read it, in a sentence or two.
    pub fn reading(&self) -> &str {
        match self {
            Chart::Percentiles(chart) => chart.reading,
            Chart::Bars(chart) => chart.reading,
            Chart::OverTime(chart) => chart.reading,
            Chart::Curves(chart) => &chart.reading,
        }
    }

    /// Why there is nothing to draw, if there is nothing.
    pub fn nothing(&self) -> Option<&str> {
        match self {
            Chart::Percentiles(chart) => percentiles::nothing_in(chart),
            Chart::Bars(chart) => bars::nothing_in(chart),
            Chart::OverTime(chart) => over_time::nothing_in(chart),
            Chart::Curves(chart) => curves::nothing_in(chart),
        }
    }

    /// The picture.
    pub fn draw(&self) -> Picture {
        match self {
            Chart::Percentiles(chart) => percentiles::draw(chart),
            Chart::Bars(chart) => bars::draw(chart),
            Chart::OverTime(chart) => over_time::draw(chart),
            Chart::Curves(chart) => curves::draw(chart),
        }
    }

    /// What a pointer finds in it; `None`: what the drawing itself says.
    pub fn hover(&self) -> Option<hover::Hover> {
        match self {
            Chart::Percentiles(chart) => Some(percentiles::hover(chart)),
            Chart::OverTime(chart) => Some(over_time::hover(chart)),
            Chart::Bars(_) | Chart::Curves(_) => None,
        }
    }

    /// The numbers as a table.
    pub fn table(&self) -> Table {
        match self {
            Chart::Percentiles(chart) => percentiles::table(chart),
            Chart::Bars(chart) => bars::table(chart),
            Chart::OverTime(chart) => over_time::table(chart),
            Chart::Curves(chart) => chart.table.clone(),
        }
    }
}

/// A picture that says only that there is nothing to draw, and why.
fn nothing(title: &str, why: &str) -> Picture {
    let mut picture = Picture::new(140);
    picture.title((LEFT, 36), title);
    picture.text((LEFT, 92), Anchor::Start, Ink::Muted, format!("no data: {why}"));
    picture
}

/// Says that there is nothing to draw, and why.
fn no_data(picture: &mut Picture, y: i32, why: &str) {
    let text = format!("no data: {why}");
    picture.text(((LEFT + RIGHT) / 2, y), Anchor::Middle, Ink::Muted, text);
}

/// Left edge of every plot's axes.
const LEFT: i32 = 180;
/// Right edge of every plot's axes.
const RIGHT: i32 = theme::WIDTH - 72;
/// Height of a line of the legend.
const LEGEND_LINE: i32 = 44;

/// What the legend says about a line: its label, its style, and its run if that is all it shows.
type LegendEntry<'a> = (&'a str, usize, Option<usize>);

/// Places the entries of a legend in columns: for each its column's left edge and its row.
fn legend_places(entries: &[LegendEntry]) -> Vec<(i32, i32)> {
    let widest = entries.iter().map(|(label, ..)| text_width(label)).max().unwrap_or(0);
    let column = (widest + 140).clamp(240, RIGHT - LEFT);
    let columns = ((RIGHT - LEFT) / column).max(1);
    (0..).zip(entries).map(|(i, _)| (LEFT + i % columns * column, i / columns)).collect()
}

/// The height that [`draw_legend`] takes.
fn legend_height(entries: &[LegendEntry]) -> i32 {
    legend_places(entries).last().map_or(0, |&(_, row)| (row + 1) * LEGEND_LINE + 16)
}

fn draw_legend(picture: &mut Picture, top: i32, entries: &[LegendEntry]) {
    for (&(label, style, run), (x, row)) in entries.iter().zip(legend_places(entries)) {
        picture.begin(run.map_or(Part::Foot, Part::Entry));
        let y = top + 16 + row * LEGEND_LINE + LEGEND_LINE / 2;
        picture.shapes.push(crate::picture::Shape::Line {
            points: vec![(x, y), (x + 72, y)],
            ink: Ink::Series(style),
            width: theme::LINE_WIDTH + 1,
            dashes: theme::dashes(style),
        });
        if entries.len() > 1 {
            picture.mark((x + 36, y), style);
        }
        picture.text((x + 90, y), Anchor::Start, Ink::Text, label);
    }
}

/// Where a share of the axis of `length` half pixels is.
fn along(share: i64, length: i32) -> i32 {
    (share * i64::from(length) / scale::FULL) as i32
}
