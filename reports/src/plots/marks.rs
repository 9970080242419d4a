//! What stands in a plot over time beside its lines: limits, and strips of `wal_status`.
//!
//! A limit is a level line with its name and value. One far above all values is only named, at the
//! top, so that it does not press the lines flat. A strip is a band beneath a panel for one of its
//! lines: the worse the status, the higher and darker the band, so that it reads without colour;
//! where there is room the word stands in it.

use models::trace::sample::{WAL_STATUSES, status_name};
use models::units::SimTime;

use super::over_time::{Line, Panel, Points};
use super::{LEFT, RIGHT};
use crate::human;
use crate::picture::{Anchor, Picture, Shape, text_width};
use crate::theme::{self, Ink};

/// A level that lines are compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The setting, in PostgreSQL's words.
    pub label: String,
    /// Its value, in bytes.
    pub value: u64,
}

/// Height of a strip with the room above it.
const STRIP: i32 = 46;
/// Height of the band of the worst status.
const BAND: i32 = 36;
/// A limit this many times as high as all values is only named.
const FAR: u64 = 3;

/// The highest limit that the scale has to reach, where the values reach `peak`.
pub fn near(limits: &[Limit], peak: u64) -> Option<u64> {
    let near = |limit: &&Limit| limit.value <= peak.saturating_mul(FAR);
    limits.iter().filter(near).map(|limit| limit.value).max()
}

/// Draws the limits of a panel whose scale ends at `end`.
pub fn draw_limits(
    picture: &mut Picture,
    limits: &[Limit],
    end: u64,
    top: i32,
    y: impl Fn(u64) -> i32,
) {
    let mut far = Vec::new();
    let mut taken: Vec<i32> = Vec::new();
    for limit in limits {
        let text = format!("{} {}", limit.label, human::bytes(limit.value));
        if limit.value > end {
            far.push(text);
            continue;
        }
        let at = y(limit.value);
        let points = vec![(LEFT, at), (RIGHT, at)];
        picture.shapes.push(Shape::Line { points, ink: Ink::Text, width: 2, dashes: &[12, 8] });
        // Two limits close to one another must not print over each other.
        let mut place = at - 20;
        while taken.iter().any(|&other: &i32| (other - place).abs() < 34) {
            place += 38;
        }
        taken.push(place);
        // A line behind the text would make it hard to read.
        let from = (RIGHT - 16 - text_width(&text), place - 17);
        picture.area(from, (RIGHT, place + 15), Ink::Paper, 85);
        picture.text((RIGHT - 8, place), Anchor::End, Ink::Text, text);
    }
    if !far.is_empty() {
        let text = format!("above: {}", far.join(", "));
        picture.text((LEFT + 12, top + 20), Anchor::Start, Ink::Muted, text);
    }
}

/// The height that the strips of a panel take.
pub fn strips_height(panel: &Panel) -> i32 {
    strips(panel).count() as i32 * STRIP
}

fn strips(panel: &Panel) -> impl Iterator<Item = &Line> {
    panel.lines.iter().filter(|line| line.statuses.iter().any(|point| point.1.is_some()))
}

/// Draws the strips of a panel beneath `top`.
pub fn draw_strips(picture: &mut Picture, panel: &Panel, top: i32, x: impl Fn(SimTime) -> i32) {
    for (row, line) in (1..).zip(strips(panel)) {
        let base = top + row * STRIP;
        picture.shapes.push(Shape::Line {
            points: vec![(LEFT - 96, base - BAND / 2), (LEFT - 16, base - BAND / 2)],
            ink: Ink::Series(line.style),
            width: theme::LINE_WIDTH + 1,
            dashes: theme::dashes(line.style),
        });
        picture.rule((LEFT, base), (RIGHT, base), Ink::Muted);
        for (from, until, status) in stretches(&line.statuses) {
            let from = x(from);
            let to = until.map_or(RIGHT, &x).max(from + 2);
            draw_band(picture, (from, to), base, status);
            let word = status_name(status);
            if text_width(word) + 16 < to - from {
                let ink = if status > 1 { Ink::Paper } else { Ink::Text };
                picture.text((from + 8, base - BAND / 2), Anchor::Start, ink, word);
            }
        }
    }
}

/// The band of a status, higher and darker the worse it is.
fn draw_band(picture: &mut Picture, (from, to): (i32, i32), base: i32, status: u64) {
    let step = i32::try_from(status).unwrap_or(3).min(3);
    let height = BAND * (step + 1) / 4;
    let opacity = [14, 30, 75, 100][step as usize];
    picture.area((from, base - height), (to, base), Ink::Text, opacity);
}

/// The stretches of one status: from, until (none: to the end), code.
fn stretches(points: &Points) -> Vec<(SimTime, Option<SimTime>, u64)> {
    let mut found = Vec::new();
    for stretch in points.chunk_by(|a, b| a.1 == b.1) {
        if let [(from, Some(code)), ..] = stretch {
            found.push((*from, None, *code));
        } else {
            continue;
        }
        let after = points.iter().find(|p| p.0 > stretch[stretch.len() - 1].0);
        if let Some(last) = found.last_mut() {
            last.1 = after.map(|p| p.0);
        }
    }
    found
}

/// The height that [`draw_key`] takes; nothing without strips.
pub fn key_height(panels: &[Panel]) -> i32 {
    if panels.iter().any(|panel| strips_height(panel) > 0) { 52 } else { 0 }
}

/// Explains the bands.
pub fn draw_key(picture: &mut Picture, y: i32) {
    picture.text((LEFT, y), Anchor::Start, Ink::Text, "wal_status:");
    let mut x = LEFT + text_width("wal_status:") + 24;
    for (code, word) in (0..).zip(WAL_STATUSES) {
        draw_band(picture, (x, x + 56), y + BAND / 2, code);
        picture.text((x + 68, y), Anchor::Start, Ink::Text, word);
        x += 68 + text_width(word) + 48;
    }
    picture.text((x, y), Anchor::Start, Ink::Muted, "no band: NULL");
}
