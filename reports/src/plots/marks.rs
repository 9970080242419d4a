//! What stands in a plot over time beside its lines: limits, moments, and strips of `wal_status`.
//!
//! A limit is a level line with its name and value. One far above all values is only named, at the
//! top, so that it does not press the lines flat. A moment is an upright line with a name. Names
//! take a place where they cover no line. A strip is a band beneath a panel for one of its lines:
//! the worse the status, the stronger the band, so that it reads without colour; where there is
//! room the word stands in it.

use models::trace::sample::{WAL_STATUSES, status_name};
use models::units::SimTime;

use super::over_time::{Line, Panel, Points};
use super::{LEFT, RIGHT};
use crate::human;
use crate::picture::{Anchor, Picture, Place, Shape, text_width};
use crate::theme::{self, Ink};

/// A level that lines are compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The setting, in PostgreSQL's words.
    pub label: String,
    /// Its value, in bytes.
    pub value: u64,
}

/// A moment worth a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// What happened, in a word or two.
    pub label: String,
    /// When.
    pub at: SimTime,
}

/// Height of a strip with the room above it.
const STRIP: i32 = 46;
/// Height of a band.
const BAND: i32 = 36;
/// A limit more than this many times as high as all values is only named.
const FAR: u64 = 2;
/// Half the height of a name.
const HALF: i32 = 16;

/// The highest limit that the scale has to reach, where the values reach `peak`.
pub fn near(limits: &[Limit], peak: u64) -> Option<u64> {
    let near = |limit: &&Limit| limit.value <= peak.saturating_mul(FAR);
    limits.iter().filter(near).map(|limit| limit.value).max()
}

/// A rectangle: upper left and lower right corner.
type Room = (Place, Place);

fn overlap((a, b): Room, (c, d): Room) -> bool {
    a.0 < d.0 && c.0 < b.0 && a.1 < d.1 && c.1 < b.1
}

/// Where the names of a panel's limits and moments may stand.
struct Names {
    /// The panel.
    panel: Room,
    /// The lines' pieces, and the names that have a place already.
    taken: Vec<Room>,
}

impl Names {
    /// The names of a panel with these lines.
    fn new(panel: Room, lines: &[Vec<Option<Place>>]) -> Names {
        let pieces = lines.iter().flat_map(|line| line.windows(2));
        let piece = |pair: &[Option<Place>]| {
            let ((ax, ay), (bx, by)) = (pair[0]?, pair[1]?);
            Some(((ax.min(bx) - 2, ay.min(by) - 3), (ax.max(bx) + 2, ay.max(by) + 3)))
        };
        Names { panel, taken: pieces.filter_map(piece).collect() }
    }

    /// Keeps other names off the line from `from` to `to`.
    fn keep_off(&mut self, from: Place, to: Place) {
        self.taken.push(((from.0 - 2, from.1 - 2), (to.0 + 2, to.1 + 2)));
    }

    /// Writes a name whose left end is at the first of `places` that is inside the panel and
    /// free; if none is, at the first one, with what lies behind it faded.
    fn write(&mut self, picture: &mut Picture, ink: Ink, text: String, places: &[Place]) {
        let (upper, lower) = self.panel;
        let room = |&(x, y): &Place| ((x, y - HALF), (x + text_width(&text), y + HALF));
        let inside =
            |(a, b): Room| upper.0 <= a.0 && upper.1 <= a.1 && b.0 <= lower.0 && b.1 <= lower.1;
        let free = |room: Room| inside(room) && !self.taken.iter().any(|&t| overlap(t, room));
        let found = places.iter().copied().find(|place| free(room(place)));
        let Some(at) = found.or(places.first().copied()) else { return };
        let room = room(&at);
        if found.is_none() {
            picture.area(room.0, room.1, Ink::Paper, 85);
        }
        self.taken.push(room);
        picture.text(at, Anchor::Start, ink, text);
    }
}

/// Draws the limits and the moments of a panel, whose scale ends at `end` and whose lines run
/// through `lines`.
pub fn draw_limits_and_moments(
    picture: &mut Picture,
    panel: &Panel,
    lines: &[Vec<Option<Place>>],
    (top, bottom, end): (i32, i32, u64),
    (x, y): (impl Fn(SimTime) -> i32, impl Fn(u64) -> i32),
) {
    let mut names = Names::new(((LEFT, top - 2), (RIGHT, bottom)), lines);
    let (near, far): (Vec<&Limit>, Vec<_>) = panel.limits.iter().partition(|l| l.value <= end);
    for limit in &near {
        let (from, to) = ((LEFT, y(limit.value)), (RIGHT, y(limit.value)));
        names.keep_off(from, to);
        let line =
            Shape::Line { points: vec![from, to], ink: Ink::Text, width: 2, dashes: &[12, 8] };
        picture.shapes.push(line);
    }
    for moment in &panel.moments {
        let (from, to) = ((x(moment.at), top), (x(moment.at), bottom));
        names.keep_off(from, to);
        let line =
            Shape::Line { points: vec![from, to], ink: Ink::Text, width: 3, dashes: &[3, 6] };
        picture.shapes.push(line);
    }
    let full = |limit: &Limit| format!("{} {}", limit.label, human::bytes(limit.value));
    // From the right end leftwards, above and below; a sixth of the width at a time.
    let step = (RIGHT - LEFT) / 6;
    let along = |text: &str| {
        let right = RIGHT - 8 - text_width(text);
        (0..6).map(move |n| right - n * step).chain([LEFT + 12])
    };
    for moment in &panel.moments {
        let at = x(moment.at);
        let sides = [at + 10, at - 10 - text_width(&moment.label)];
        let heights = (top + HALF..bottom - HALF).step_by(8);
        let places: Vec<Place> = heights.flat_map(|y| sides.map(|x| (x, y))).collect();
        names.write(picture, Ink::Text, moment.label.clone(), &places);
    }
    for limit in near {
        let (text, at) = (full(limit), y(limit.value));
        let places: Vec<Place> = along(&text).flat_map(|x| [(x, at - 20), (x, at + 20)]).collect();
        names.write(picture, Ink::Text, text, &places);
    }
    if !far.is_empty() {
        let far: Vec<String> = far.into_iter().map(full).collect();
        let text = format!("above: {}", far.join(", "));
        let places: Vec<Place> = along(&text).map(|x| (x, top + 18)).collect();
        names.write(picture, Ink::Muted, text, &places);
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
            let to = until.map_or(RIGHT, &x).max(from + 6);
            draw_band(picture, (from, to), base, status);
            let word = status_name(status);
            if text_width(word) + 16 < to - from {
                let ink = if status > 1 { Ink::Paper } else { Ink::Text };
                picture.text((from + 10, base - BAND / 2), Anchor::Start, ink, word);
            }
        }
    }
}

/// The band of a status, stronger the worse it is, with a sharp edge where it begins.
fn draw_band(picture: &mut Picture, (from, to): (i32, i32), base: i32, status: u64) {
    let step = status.min(3) as usize;
    picture.area((from, base - BAND), (to, base), Ink::Text, [8, 26, 62, 100][step]);
    picture.area((from, base - BAND), (from + 2, base), Ink::Text, 100);
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
