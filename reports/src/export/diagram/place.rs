//! Where the moments and the processes of a diagram are.
//!
//! Time is to scale where little happens. Where things would lie on top of each other it is
//! stretched, so that each line of text has a row: moments keep their order, and equal moments
//! their height. All of it is done with integers, in half pixels.

use std::collections::BTreeMap;

use models::trace::fact::ServerId;
use models::trace::flow::Window;
use models::units::SimTime;

/// The height that a window has which nothing stretches.
const TO_SCALE: u64 = 900;
/// Height of a line of text.
pub const ROW: i32 = 32;
/// What is nearer above a line of text goes through it.
const ABOVE: i32 = 22;
/// Two moments are so far apart at least.
const NEAR: i32 = 4;

/// What stands in rows of its own: at a moment, and beside others of the same column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// What a server's messages say.
    Said(ServerId),
    /// Points of the commit.
    Steps,
    /// Names at the right edge.
    Edge,
}

/// Heights of moments.
#[derive(Clone, Debug)]
pub struct Scale {
    known: Vec<(SimTime, i32)>,
}

impl Scale {
    /// Room for `rows`, and for moments without text.
    pub fn new(
        window: Window,
        top: i32,
        mut rows: Vec<(SimTime, Column)>,
        bare: impl Iterator<Item = SimTime>,
    ) -> Scale {
        rows.sort_unstable();
        rows.dedup();
        let ends = [window.from, window.to];
        let shown = rows.iter().map(|(at, _)| *at).chain(bare).filter(|at| window.has(*at));
        let mut moments: Vec<SimTime> = shown.chain(ends).collect();
        moments.sort_unstable();
        moments.dedup();
        let whole = window.to.since(window.from).0.max(1);
        let to_scale = |nanos: u64| {
            let length = u128::from(nanos) * u128::from(TO_SCALE) / u128::from(whole);
            i32::try_from(length).unwrap_or(0)
        };
        let mut rows = rows.into_iter().peekable();
        let mut last: BTreeMap<Column, i32> = BTreeMap::new();
        let mut known: Vec<(SimTime, i32)> = Vec::with_capacity(moments.len());
        for at in moments {
            let mut y = match known.last() {
                None => top,
                Some((before, y)) => y + to_scale(at.since(*before).0).max(NEAR),
            };
            let (before, mut here) = (known.last().map_or(top, |(_, y)| *y), Vec::new());
            while let Some((_, column)) = rows.next_if(|(row, _)| *row <= at) {
                y = y.max(last.get(&column).map_or(top, |last| last + ROW)).max(before + ABOVE);
                here.push(column);
            }
            last.extend(here.into_iter().map(|column| (column, y)));
            known.push((at, y));
        }
        Scale { known }
    }

    /// The height of a moment; what lies outside the window is at its edge.
    pub fn y(&self, at: SimTime) -> i32 {
        let after = self.known.partition_point(|(known, _)| *known < at);
        match (self.known.get(after), after.checked_sub(1).map(|before| self.known[before])) {
            (Some((known, y)), None) => {
                debug_assert!(at <= *known);
                *y
            }
            (Some((known, y)), Some(_)) if *known == at => *y,
            (Some((next, below)), Some((before, above))) => {
                let (part, whole) = (at.since(before).0, next.since(before).0);
                above + share(below - above, part, whole)
            }
            (None, Some((_, y))) => y,
            (None, None) => 0,
        }
    }

    /// The height of the window's end.
    pub fn bottom(&self) -> i32 {
        self.known.last().map_or(0, |(_, y)| *y)
    }

    /// All moments that have a height of their own.
    pub fn moments(&self) -> impl Iterator<Item = (SimTime, i32)> + '_ {
        self.known.iter().copied()
    }
}

/// A part of a length.
pub fn share(length: i32, part: u64, whole: u64) -> i32 {
    let scaled = i128::from(length) * i128::from(part) / i128::from(whole.max(1));
    i32::try_from(scaled).unwrap_or(length)
}

/// Where on a way from `x1` to `x2` a message is that was sent and arrives at these moments.
pub fn along((x1, x2): (i32, i32), (sent, arrived): (SimTime, SimTime), at: SimTime) -> i32 {
    x1 + share(x2 - x1, at.since(sent).0, arrived.since(sent).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_to_scale_but_where_text_needs_room() {
        let s = |n: u64| SimTime(n * 1_000_000_000);
        let window = Window { from: s(0), to: s(90) };
        let column = Column::Steps;
        let rows = vec![(s(10), column), (SimTime(s(10).0 + 1), column), (s(60), column)];
        let scale = Scale::new(window, 100, rows, std::iter::once(s(60)));
        let y = |at| scale.y(at);
        assert_eq!([y(s(0)), y(s(10))], [100, 200]);
        assert_eq!(y(SimTime(s(10).0 + 1)), 200 + ROW);
        assert_eq!(y(s(60)) - y(SimTime(s(10).0 + 1)), 499);
        assert_eq!([y(s(90)), scale.bottom()], [y(s(60)) + 300, y(s(60)) + 300]);
        assert_eq!(y(s(75)), y(s(60)) + 150);
        assert_eq!(along((0, 100), (s(10), s(30)), s(15)), 25);
    }
}
