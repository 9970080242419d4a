//! WAL as it was: a history out of which paths are drawn.
//!
//! A path begins at a moment of the week (or of the day, if the history has less than a week)
//! drawn evenly, on one of the days of the history that have that moment. It follows the history
//! as it was for a day, and goes on at the same hour and weekday of a day drawn anew: what happens
//! at an hour stays at that hour, and what belongs together stays together. A history of less than
//! a day has no hours; it is a ring.
//!
//! Where nothing is known (nobody looked, or positions began anew) a path goes on on another day.
//!
//! **Source.** Walden's own; a block bootstrap with blocks of a day (Politis and White 2004 on what
//! the length of blocks does).
//!
//! **Not modelled.** Growth within the history; what never happened in it.

use models::units::{Bytes, Die, Duration};

/// A day.
const DAY: Duration = Duration::s(86_400);
/// A week.
const WEEK: Duration = Duration::s(7 * 86_400);

/// WAL made up to a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Since the first sample.
    pub at: Duration,
    /// WAL since the first sample.
    pub bytes: Bytes,
    /// Whether how much was made since the sample before is known.
    pub known: bool,
}

/// A history of WAL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// In order of time, at least two, the first at zero.
    samples: Vec<Sample>,
    /// After which time it looks the same again.
    season: Duration,
}

impl History {
    /// A history of these samples, in order of time; `None` if they do not make one.
    pub fn new(samples: Vec<Sample>) -> Option<History> {
        let ordered = samples.windows(2).all(|w| w[0].at < w[1].at && w[0].bytes <= w[1].bytes);
        let known = samples.iter().skip(1).any(|sample| sample.known);
        let last = samples.last()?.at;
        let season = match last {
            length if length >= WEEK => WEEK,
            length if length >= DAY => DAY,
            length => length,
        };
        let begins = samples.first()?.at == Duration::ZERO;
        (begins && ordered && known).then_some(History { samples, season })
    }

    /// WAL at a constant rate, in bytes a second.
    pub fn constant(rate: u64) -> History {
        let sample = |s: u64| Sample { at: Duration::s(s), bytes: Bytes(rate * s), known: true };
        History { samples: vec![sample(0), sample(3_600)], season: Duration::s(3_600) }
    }

    /// The same with all times and all WAL multiplied: the rate stays. Exact to the nanosecond and
    /// the byte.
    pub fn stretched(self, numerator: u64, denominator: u64) -> Option<History> {
        let scale = |value: u64| {
            let scaled = u128::from(value) * u128::from(numerator) / u128::from(denominator.max(1));
            u64::try_from(scaled).ok()
        };
        let sample = |s: Sample| {
            Some(Sample { at: Duration(scale(s.at.0)?), bytes: Bytes(scale(s.bytes.0)?), ..s })
        };
        History::new(self.samples.into_iter().map(sample).collect::<Option<_>>()?)
    }

    /// The same times with all WAL multiplied by `numerator / denominator`.
    pub fn grown(self, numerator: u64, denominator: u64) -> Option<History> {
        let grow = |s: Sample| {
            let bytes =
                u128::from(s.bytes.0) * u128::from(numerator) / u128::from(denominator.max(1));
            Some(Sample { bytes: Bytes(u64::try_from(bytes).ok()?), ..s })
        };
        History::new(self.samples.into_iter().map(grow).collect::<Option<_>>()?)
    }

    /// From the first sample to the last.
    pub fn length(&self) -> Duration {
        self.samples.last().map_or(Duration::ZERO, |sample| sample.at)
    }

    /// After which time it is taken to look the same again.
    pub fn season(&self) -> Duration {
        self.season
    }

    /// The samples.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// WAL made up to `at`, linear between samples.
    pub fn bytes_at(&self, at: Duration) -> Bytes {
        let after = self.samples.partition_point(|sample| sample.at <= at);
        let (Some(before), after) = (self.samples[..after].last(), self.samples.get(after)) else {
            return Bytes(0);
        };
        let Some(after) = after else { return before.bytes };
        let (of, span) = (at.0 - before.at.0, after.at.0 - before.at.0);
        let made = u128::from(after.bytes.0 - before.bytes.0) * u128::from(of) / u128::from(span);
        Bytes(before.bytes.0 + made as u64)
    }

    /// WAL in bytes a second of each time that the season has this part of it, `length` long from
    /// `of_season` on; a part of which less than half is known is left out.
    pub fn rates(&self, of_season: Duration, length: Duration) -> Vec<u64> {
        let season = self.season.0;
        // The first of them may have begun before the first sample.
        let ends = (0..=1 + self.length().0 / season)
            .filter_map(|n| (of_season.0 + length.0 + n * season).checked_sub(season));
        let part = |to: u64| self.rate(Duration(to.saturating_sub(length.0)), Duration(to), length);
        ends.filter_map(part).collect()
    }

    /// Bytes a second of what is known between two moments, if that is half of `length` or more.
    fn rate(&self, from: Duration, to: Duration, length: Duration) -> Option<u64> {
        let first = self.samples.partition_point(|sample| sample.at <= from);
        let (mut at, mut known, mut bytes) = (from, 0, 0);
        for sample in &self.samples[first..] {
            let until = sample.at.min(to);
            if sample.known {
                known += until.0 - at.0;
                bytes += self.bytes_at(until).0 - self.bytes_at(at).0;
            }
            at = until;
            if at >= to {
                break;
            }
        }
        let rate = u128::from(bytes) * 1_000_000_000 / u128::from(known.max(1));
        (known > 0 && 2 * known >= length.0).then(|| u64::try_from(rate).unwrap_or(u64::MAX))
    }

    /// Whether a moment lies where something is known; the end does not.
    fn knows(&self, at: Duration) -> bool {
        let after = self.samples.partition_point(|sample| sample.at <= at);
        self.samples.get(after).is_some_and(|sample| sample.known)
    }

    /// Where what is known from `at` on ends.
    fn known_until(&self, at: Duration) -> Duration {
        let after = self.samples.partition_point(|sample| sample.at <= at);
        let known = self.samples[after..].iter().take_while(|sample| sample.known).last();
        known.map_or(at, |sample| sample.at)
    }

    /// A moment of the history at this time of its season, by a die; `None` if there is none.
    fn moment(&self, of_season: Duration, throw: u64) -> Option<Duration> {
        let times = 1 + self.length().0.saturating_sub(of_season.0) / self.season.0;
        let nth = |k: u64| Duration(of_season.0 + k * self.season.0);
        let known = |k: &u64| self.knows(nth(*k));
        let count = (0..times).filter(known).count() as u128;
        let chosen = ((u128::from(throw) * count) >> 64) as usize;
        (0..times).filter(known).nth(chosen).map(nth)
    }

    /// The `n`-th path of a die, `length` long: bytes since its start at moments since its start.
    pub fn path(&self, length: Duration, seed: u64, n: u64) -> Path {
        let mut die = Die::new(seed, "history", "path");
        die.branch(n);
        let (mut of_season, mut from) = loop {
            let drawn = (u128::from(die.throw()) * u128::from(self.season.0)) >> 64;
            let of_season = Duration(drawn as u64);
            if let Some(from) = self.moment(of_season, die.throw()) {
                break (of_season, from);
            }
        };
        let starts = from;
        let mut points = vec![(Duration::ZERO, Bytes(0))];
        let (mut at, mut bytes) = (Duration::ZERO, Bytes(0));
        while at < length {
            let block = DAY.min(self.season).min(Duration(length.0 - at.0));
            let until = self.known_until(from).min(from + block);
            let (begin, end) = (self.bytes_at(from), self.bytes_at(until));
            let first = self.samples.partition_point(|sample| sample.at <= from);
            for sample in self.samples[first..].iter().take_while(|sample| sample.at < until) {
                let made = Bytes(bytes.0 + (sample.bytes.0 - begin.0));
                points.push((at + Duration(sample.at.0 - from.0), made));
            }
            let lasted = Duration(until.0 - from.0);
            (at, bytes) = (at + lasted, Bytes(bytes.0 + (end.0 - begin.0)));
            points.push((at, bytes));
            of_season = Duration((of_season.0 + lasted.0) % self.season.0);
            from = self.same_moment(of_season, &mut die);
        }
        Path { starts, points }
    }

    /// WAL of the `n`-th path of a die, `length` long.
    pub fn written(&self, length: Duration, seed: u64, n: u64) -> Bytes {
        let path = self.path(length, seed, n);
        path.points.last().map_or(Bytes(0), |(_, bytes)| *bytes)
    }

    /// Another day's moment; where no day knows that moment, the next that one knows.
    fn same_moment(&self, of_season: Duration, die: &mut Die) -> Duration {
        let throw = die.throw();
        let steps = (0..).map(|minutes| Duration::s(60 * minutes));
        let moments = steps.map(|step| Duration((of_season.0 + step.0) % self.season.0));
        let mut known = moments.filter_map(|moment| self.moment(moment, throw));
        known.next().expect("something of the history is known")
    }
}

/// A path through a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// Where in the history it begins.
    pub starts: Duration,
    /// Bytes since its start, at moments since its start; from zero to its length.
    pub points: Vec<(Duration, Bytes)>,
}
