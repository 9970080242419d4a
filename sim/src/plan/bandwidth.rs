//! How much bandwidth a standby needs: to be back in time, or never to be far behind.
//!
//! * After an outage: a trial is good if the standby has caught up within a time.
//! * Without: a trial is a stretch of the history, good if the standby has at every moment flushed
//!   all WAL that is older than a time.
//!
//! All WAL is kept. By the history alone the link must carry, for any two moments, the WAL between
//! them in the time between them and the time allowed.
//!
//! **Source.** Walden's own.
//!
//! **Not modelled.** Other traffic on the link. How far behind is looked at two thousand times a
//! stretch: to a second or two.

use models::trace::Run;
use models::units::{Bytes, Die, Duration, Rate};
use scenarios::scenario::Scenario;

use super::keep::Question;
use super::search::Sought;
use super::trial::{Scene, Stage};
use crate::{Outside, RunError};

/// The question.
#[derive(Clone, Copy, Debug)]
pub struct Bandwidth<'a> {
    /// What trials are made of, with all WAL kept.
    pub stage: &'a Stage,
    /// Whether the standby is away.
    pub outage: bool,
    /// How long it may take to catch up, or how far behind it may be.
    pub within: Duration,
    /// Where to look first, in bytes a second.
    pub guess: u64,
}

/// The least bandwidth that is tried, in kbit/s. A decade of the scale has nine hundred steps: all
/// numbers of three digits.
const LEAST: u64 = 100;
const DECADE: usize = 900;
const DECADES: u32 = 7;
/// Stretches without an outage, in times that the standby may be behind; from and to.
const STRETCH: u64 = 200;
const STRETCHES: (Duration, Duration) = (Duration::s(600), Duration::s(3_600));

impl Bandwidth<'_> {
    fn rate(&self, step: usize) -> Rate {
        Rate::new(self.value(step)).expect("the scale begins above zero")
    }

    /// The link that the standby's WAL takes, as fast as that.
    fn change(&self, step: usize) -> impl FnOnce(&mut Scenario) {
        let (standby, rate) = (self.stage.standby, self.rate(step));
        let upstream = self.stage.scenario.servers[standby].upstream;
        move |scenario| {
            let between = |a, b| Some(a) == upstream && b == standby;
            let route = scenario.routes.iter().find(|r| between(r.a, r.b) || between(r.b, r.a));
            let link = route.map(|route| route.link).expect("a standby has a way to its upstream");
            scenario.links[link].bandwidth = rate;
        }
    }
}

impl Sought for Bandwidth<'_> {
    fn steps(&self) -> usize {
        DECADE * DECADES as usize
    }

    /// Bytes a second.
    fn value(&self, step: usize) -> u64 {
        let decade = u32::try_from(step / DECADE).expect("a few decades");
        (LEAST + (step % DECADE) as u64) * 10u64.pow(decade) * 125
    }

    fn guess(&self) -> usize {
        let steps: Vec<usize> = (0..self.steps()).collect();
        steps.partition_point(|step| self.value(*step) < self.guess)
    }

    fn is_good(&self, step: usize, n: u64, outside: &Outside) -> Result<bool, RunError> {
        let change = self.change(step);
        if self.outage {
            // What comes later is too late.
            let change = |scene: &mut Scene| {
                change(&mut scene.scenario);
                let latest = scene.leaves + scene.outage + self.within + Duration::s(1);
                scene.scenario.duration = scene.scenario.duration.min(latest);
            };
            let trial = self.stage.play_with(n, change, outside)?;
            return Ok(trial.caught_up.is_some_and(|after| after <= self.within));
        }
        let run = self.stage.play_stretch(n, stretch(self.within), change, outside)?;
        Ok(behind(&run, self.stage) <= self.within)
    }
}

/// The most that a standby was behind: the age of the oldest WAL that it had not flushed.
fn behind(run: &Run, stage: &Stage) -> Duration {
    let upstream = stage.scenario.servers[stage.standby].upstream.expect("a standby has one");
    let flushed = |server: usize| &run.samples.servers[server].flush_lsn;
    let made: Vec<_> = flushed(upstream).iter().collect();
    let (mut oldest, mut most) = (0, Duration::ZERO);
    for (at, position) in flushed(stage.standby).iter() {
        let has = |of: usize| made[of].1 <= position;
        while oldest < made.len() && made[oldest].0 < at && has(oldest) {
            oldest += 1;
        }
        most = most.max(made.get(oldest).map_or(Duration::ZERO, |(made, _)| at.since(*made)));
    }
    most
}

/// What a link must carry so that WAL made along these points is never older than `within`, in
/// bytes a second: the history's own answer.
pub fn carries(points: &[(Duration, Bytes)], within: Duration) -> u64 {
    let (mut low, mut high) = (0, u64::MAX >> 1);
    while low < high {
        let rate = u64::midpoint(low, high);
        if is_carried(points, within, rate) { high = rate } else { low = rate + 1 }
    }
    low
}

fn is_carried(points: &[(Duration, Bytes)], within: Duration, rate: u64) -> bool {
    let second = u128::from(Duration::s(1).0);
    let carried = |time: u64| u128::from(rate) * u128::from(time);
    // In bytes times nanoseconds a second, so that nothing is rounded.
    let mut waiting = 0u128;
    points.windows(2).all(|pair| {
        let (from, to) = (pair[0], pair[1]);
        let made = u128::from(to.1.0 - from.1.0) * second;
        waiting = (waiting + made).saturating_sub(carried(to.0.0 - from.0.0));
        waiting <= carried(within.0)
    })
}

impl Question {
    /// The bandwidth that the history alone asks for: what is written in an outage and the time
    /// allowed after it, in that time; without an outage, what [`carries`] every stretch.
    pub fn carried(&self, outage: bool, within: Duration) -> u64 {
        let seed = self.stage.seed;
        let die = Die::new(seed, "plan", "outage");
        if !outage {
            let stretch = stretch(within);
            return self
                .by_history(|n| carries(&self.history.path(stretch, !seed, n).points, within));
        }
        self.by_history(|n| {
            let away = self.stage.outages.draw(&die, n);
            let written = self.history.written(away + within, !seed, n);
            let second = u128::from(Duration::s(1).0);
            (u128::from(written.0) * second / u128::from(within.0.max(1))) as u64
        })
    }
}

/// How long a stretch of the history is that is played without an outage.
pub fn stretch(within: Duration) -> Duration {
    Duration(within.0.saturating_mul(STRETCH)).clamp(STRETCHES.0, STRETCHES.1)
}
