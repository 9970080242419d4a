//! What stands in a plot over time beside its lines: limits, moments, and strips of bands.
//!
//! A limit is a level line with its name and value. One far above all values is only named, beside
//! the panel's name, so that it does not press the lines flat. A moment is an upright line with a
//! name. Names take a place where they cover no line. A strip lies beneath a panel, for one of its
//! lines, and has bands: the worse a `wal_status`, say, the stronger its band, so that it reads
//! without colour; where there is room the word stands in it.

use models::units::SimTime;

use super::over_time::{Line, Panel};
use super::panels::Points;
use super::scale::Unit;
use super::{LEFT, RIGHT};
use crate::picture::{Anchor, Picture, Place, Shape, text_width};
use crate::theme::{self, Ink};

/// A level that lines are compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The setting, in PostgreSQL's words.
    pub label: String,
    /// Its value, in the plot's unit.
    pub value: u64,
}

/// A stretch of time in a strip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Band {
    /// When it begins.
    pub from: SimTime,
    /// When it ends; `None`: with the run.
    pub until: Option<SimTime>,
    /// How strongly it is drawn, from 0 to 3.
    pub strength: usize,
    /// What stands in it, where there is room.
    pub word: &'static str,
}

/// What the bands of a plot's strips mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// What they show.
    pub title: &'static str,
    /// The word for each strength.
    pub words: &'static [&'static str],
    /// What a place without a band means.
    pub rest: &'static str,
}

/// A moment worth a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The index of the run in which it happened.
    pub run: usize,
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
pub(super) const HALF: i32 = 16;

/// The highest limit that the scale has to reach, where the values reach `peak`.
pub fn near(limits: &[Limit], peak: u64) -> Option<u64> {
    let near = |limit: &&Limit| limit.value <= peak.saturating_mul(FAR);
    limits.iter().filter(near).map(|limit| limit.value).max()
}

/// A rectangle: upper left and lower right corner.
pub(super) type Room = (Place, Place);

fn overlap((a, b): Room, (c, d): Room) -> bool {
    a.0 < d.0 && c.0 < b.0 && a.1 < d.1 && c.1 < b.1
}

/// Where the names of a panel's limits and moments may stand.
pub(super) struct Names {
    /// The panel.
    panel: Room,
    /// The lines' pieces, and the names that have a place already.
    taken: Vec<Room>,
}

impl Names {
    /// The names of a panel with these lines.
    pub(super) fn new(panel: Room, lines: &[Vec<Option<Place>>]) -> Names {
        let pieces = lines.iter().flat_map(|line| line.windows(2));
        let piece = |pair: &[Option<Place>]| {
            let ((ax, ay), (bx, by)) = (pair[0]?, pair[1]?);
            Some(((ax.min(bx) - 2, ay.min(by) - 3), (ax.max(bx) + 2, ay.max(by) + 3)))
        };
        Names { panel, taken: pieces.filter_map(piece).collect() }
    }

    /// Keeps other names off the line from `from` to `to`.
    pub(super) fn keep_off(&mut self, from: Place, to: Place) {
        self.taken.push(((from.0 - 2, from.1 - 2), (to.0 + 2, to.1 + 2)));
    }

    /// Writes a name whose left end is at the first of `places` that is inside the panel and
    /// covers least; if that is something, it is faded.
    pub(super) fn write(
        &mut self,
        picture: &mut Picture,
        ink: Ink,
        text: String,
        places: &[Place],
    ) {
        let (upper, lower) = self.panel;
        let room = |&(x, y): &Place| ((x, y - HALF), (x + text_width(&text), y + HALF));
        let inside =
            |(a, b): Room| upper.0 <= a.0 && upper.1 <= a.1 && b.0 <= lower.0 && b.1 <= lower.1;
        let covered = |room: Room| match inside(room) {
            true => self.taken.iter().filter(|&&t| overlap(t, room)).count(),
            false => usize::MAX,
        };
        let Some(&at) = places.iter().min_by_key(|place| covered(room(place))) else { return };
        let room = room(&at);
        if covered(room) > 0 {
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
    (panel, unit): (&Panel, Unit),
    lines: &[Vec<Option<Place>>],
    (top, bottom, end): (i32, i32, u64),
    (x, y): (impl Fn(SimTime) -> i32, impl Fn(u64) -> i32),
) {
    let mut names = Names::new(((LEFT, top - 2), (RIGHT, bottom)), lines);
    let near: Vec<&Limit> = panel.limits.iter().filter(|l| l.value <= end).collect();
    panel.begin(picture, None);
    for limit in &near {
        let (from, to) = ((LEFT, y(limit.value)), (RIGHT, y(limit.value)));
        names.keep_off(from, to);
        let line =
            Shape::Line { points: vec![from, to], ink: Ink::Text, width: 2, dashes: &[12, 8] };
        picture.shapes.push(line);
    }
    for moment in &panel.moments {
        panel.begin(picture, Some(moment.run));
        let (from, to) = ((x(moment.at), top), (x(moment.at), bottom));
        names.keep_off(from, to);
        let line =
            Shape::Line { points: vec![from, to], ink: Ink::Text, width: 3, dashes: &[3, 6] };
        picture.shapes.push(line);
    }
    let full = |limit: &Limit| format!("{} {}", limit.label, unit.text(limit.value));
    // From the right end leftwards, above and below; a sixth of the width at a time.
    let step = (RIGHT - LEFT) / 6;
    let along = |text: &str| {
        let right = RIGHT - 8 - text_width(text);
        (0..6).map(move |n| right - n * step).chain([LEFT + 12])
    };
    for moment in &panel.moments {
        panel.begin(picture, Some(moment.run));
        let at = x(moment.at);
        let sides = [at + 10, at - 10 - text_width(&moment.label)];
        let heights = (top + HALF..bottom - HALF).step_by(8);
        let places: Vec<Place> = heights.flat_map(|y| sides.map(|x| (x, y))).collect();
        names.write(picture, Ink::Text, moment.label.clone(), &places);
    }
    panel.begin(picture, None);
    for limit in near {
        let (text, at) = (full(limit), y(limit.value));
        // Close to the line, else a little away from it: the name has the value in it.
        let rows = [20, 48, 76].map(|away| [at - away, at + away]);
        let rows =
            rows.into_iter().map(|rows| along(&text).flat_map(move |x| rows.map(|y| (x, y))));
        let places: Vec<Place> = rows.flatten().collect();
        names.write(picture, Ink::Text, text, &places);
    }
}

/// The limits of a panel whose scale ends at `end` before it reaches them, in words.
pub fn far(panel: &Panel, unit: Unit, end: u64) -> Option<String> {
    let far = panel.limits.iter().filter(|limit| limit.value > end);
    let named = far.map(|limit| format!("{} {}", limit.label, unit.text(limit.value)));
    let named = named.collect::<Vec<_>>().join(", ");
    (!named.is_empty()).then(|| format!("out of sight: {named}"))
}

/// The height that the strips of a panel take.
pub fn strips_height(panel: &Panel) -> i32 {
    strips(panel).count() as i32 * STRIP
}

fn strips(panel: &Panel) -> impl Iterator<Item = &Line> {
    panel.lines.iter().filter(|line| !line.strip.is_empty())
}

/// Draws the strips of a panel beneath `top`.
pub fn draw_strips(picture: &mut Picture, panel: &Panel, top: i32, x: impl Fn(SimTime) -> i32) {
    for (row, line) in (1..).zip(strips(panel)) {
        let base = top + row * STRIP;
        panel.begin(picture, Some(line.run));
        picture.shapes.push(Shape::Line {
            points: vec![(LEFT - 96, base - BAND / 2), (LEFT - 16, base - BAND / 2)],
            ink: Ink::Series(line.style),
            width: theme::LINE_WIDTH + 1,
            dashes: theme::dashes(line.style),
        });
        if panel.lines.len() > 1 {
            picture.mark((LEFT - 56, base - BAND / 2), line.style);
        }
        picture.rule((LEFT, base), (RIGHT, base), Ink::Muted);
        for band in &line.strip {
            let from = x(band.from);
            let to = band.until.map_or(RIGHT, &x).max(from + 6);
            draw_band(picture, (from, to), base, band.strength);
            if text_width(band.word) + 16 < to - from {
                let ink = if band.strength > 1 { Ink::Paper } else { Ink::Text };
                picture.text((from + 10, base - BAND / 2), Anchor::Start, ink, band.word);
            }
        }
    }
}

/// A band, with a sharp edge where it begins.
fn draw_band(picture: &mut Picture, (from, to): (i32, i32), base: i32, strength: usize) {
    picture.area((from, base - BAND), (to, base), Ink::Text, [8, 26, 62, 100][strength.min(3)]);
    picture.area((from, base - BAND), (from + 2, base), Ink::Text, 100);
}

/// A band for every stretch of one code; its strength is the code.
pub fn bands(points: &Points, word: fn(u64) -> &'static str) -> Vec<Band> {
    let mut bands = Vec::new();
    let mut next = 0;
    for stretch in points.chunk_by(|a, b| a.1 == b.1) {
        next += stretch.len();
        if let [(from, Some(code)), ..] = *stretch {
            let until = points.get(next).map(|point| point.0);
            bands.push(Band { from, until, strength: code as usize, word: word(code) });
        }
    }
    bands
}

/// The height that [`draw_key`] takes.
pub const KEY_HEIGHT: i32 = 52;

/// Explains the bands.
pub fn draw_key(picture: &mut Picture, y: i32, key: &Key) {
    picture.text((LEFT, y), Anchor::Start, Ink::Text, key.title);
    let mut x = LEFT + text_width(key.title) + 24;
    for (strength, word) in key.words.iter().enumerate() {
        draw_band(picture, (x, x + 56), y + BAND / 2, strength);
        picture.text((x + 68, y), Anchor::Start, Ink::Text, *word);
        x += 68 + text_width(word) + 48;
    }
    picture.text((x, y), Anchor::Start, Ink::Muted, key.rest);
}
