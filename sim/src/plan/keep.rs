//! Solving for `wal_keep_size` and `max_slot_wal_keep_size`.
//!
//! Trials are played with all WAL kept. Each says what would have been enough, so that one pass
//! gives the risk of every value: exact, monotone, without a search. What is recommended is the
//! upper end of the interval of that quantile.
//!
//! Then some of the trials are played again with the recommended value in force, those nearest to
//! the edge among them. Each must be lost or kept as the first pass says, and they show how large
//! pg_wal grows.
//!
//! **Source.** `xlog.c:KeepLogSeg`.
//!
//! **Not modelled.** Other slots and standbys that keep WAL.

use models::units::{Bytes, Die, Duration, Lsn, SegmentSize};
use scenarios::scenario::Scenario;

use super::history::History;
use super::outage::Outages;
use super::room::{Outcome, TakesDisk};
use super::trial::{Scene, Stage, Trial};
use super::{Sampling, Watcher, play_all};
use crate::estimate::{Quantile, Share};
use crate::{Outside, RunError};

/// A setting that one pass over trials solves for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// `wal_keep_size`, for a standby without a slot.
    WalKeepSize,
    /// `max_slot_wal_keep_size`, for a standby with one.
    MaxSlotWalKeepSize,
}

impl Keep {
    /// The setting's name.
    pub fn name(self) -> &'static str {
        match self {
            Keep::WalKeepSize => "wal_keep_size",
            Keep::MaxSlotWalKeepSize => "max_slot_wal_keep_size",
        }
    }

    /// The same trials with the setting in force; `None`: with all WAL kept.
    pub(super) fn stage(self, stage: &Stage, size: Option<Bytes>) -> Stage {
        Stage { scenario: self.in_force(&stage.scenario, size), ..stage.clone() }
    }

    /// The scenario with the setting in force, and with as much WAL in pg_wal as it keeps there at
    /// all times; `None`: all WAL is kept.
    pub fn in_force(self, scenario: &Scenario, size: Option<Bytes>) -> Scenario {
        let mut scenario = scenario.clone();
        let megabytes = |size: Bytes| (size.0 >> 20).to_string();
        let value = match (self, size) {
            (Keep::WalKeepSize, size) => megabytes(size.unwrap_or(EVERYTHING)),
            (Keep::MaxSlotWalKeepSize, Some(size)) => megabytes(size),
            (Keep::MaxSlotWalKeepSize, None) => "-1".to_owned(),
        };
        for server in &mut scenario.servers {
            server.settings.set(self.name(), &value).expect("a size that the setting takes");
        }
        if let (Keep::WalKeepSize, Some(size)) = (self, size) {
            let primary = scenario.primary();
            let segment = scenario.servers[primary].settings.wal_segment_size;
            let files = segment.segments_in(size);
            let first = Lsn((files + 1) * segment.bytes());
            scenario.start.lsn = Lsn(scenario.start.lsn.0.max(first.0));
            scenario.start.files_before = files;
        }
        scenario
    }
}

/// More than any run writes.
const EVERYTHING: Bytes = Bytes::gb(1 << 20);

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// What trials are made of.
    pub stage: Stage,
    /// All WAL of the history: its records and their images.
    pub history: History,
    /// The share of outages after which the standby may be lost, and how many are tried.
    pub sampling: Sampling,
}

/// What comes of it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The value to set: whole segments. `None`: no value is enough, because standbys do not catch
    /// up.
    pub value: Option<Bytes>,
    /// What the trials say has exactly the accepted risk.
    pub middle: Bytes,
    /// The interval of that.
    pub interval: (Bytes, Bytes),
    /// Standbys lost with the value in force.
    pub lost: Share,
    /// The same with one segment less.
    pub lost_below: Share,
    /// Every trial, in order.
    pub trials: Vec<Trial>,
    /// Those that were played again with the value in force, and their first outcome.
    pub again: Vec<(usize, Trial)>,
    /// Segments of WAL.
    pub segment: SegmentSize,
}

/// Standbys that are not lost by the time of an outage.
#[derive(Clone, Copy, Debug)]
struct Survivors {
    /// Their share.
    share: f64,
    /// How many of them are still away.
    left: usize,
    /// The last loss, if there was one.
    last_loss: Option<Loss>,
}

/// How it was when a standby had been lost.
#[derive(Clone, Copy, Debug)]
struct Loss {
    /// Standbys still away, and not lost.
    left: usize,
    /// Of how many that were there when the last one came back.
    of: usize,
    /// The share of all that is not lost.
    share: f64,
}

/// Trials that are played again, evenly chosen.
const AGAIN: usize = 100;
/// And next to the edge.
const AT_EDGE: usize = 16;

impl Question {
    /// WAL written during times such as these, the quantile above which the accepted share lies:
    /// from the history alone, without any model.
    pub fn written(&self, times: &Outages) -> Bytes {
        let seed = self.stage.seed;
        let die = Die::new(seed, "plan", "outage");
        Bytes(self.by_history(|n| self.history.written(times.draw(&die, n), !seed, n).0))
    }

    /// The quantile, above which the accepted share lies, of something that many paths through the
    /// history say.
    pub fn by_history(&self, of: impl Fn(u64) -> u64) -> u64 {
        Quantile::of((0..WRITTEN).map(of).collect(), self.sampling.risk).middle()
    }
}

impl Answer {
    /// The share of standbys that are not lost with `value` in outages as long as that, by then;
    /// `None` if there were none as long.
    ///
    /// Shorter outages count as far as they go (Kaplan and Meier 1958), so that the share falls
    /// with the length, and does so evenly.
    pub fn survival(&self, outage: Duration, value: Bytes) -> Option<f64> {
        self.survivors(outage, value).map(|survivors| survivors.share)
    }

    /// The interval of [`Answer::survival`]: that of a sample without shorter outages of which as
    /// many are left (Peto and others 1977), upward as many as when the last standby was lost.
    pub fn survival_interval(&self, outage: Duration, value: Bytes) -> Option<(f64, f64)> {
        let Survivors { share, left, last_loss } = self.survivors(outage, value)?;
        // With standbys left the share is above zero.
        let like =
            |left: usize, share: f64| Share::new(left, (left as f64 / share).round() as usize);
        let low = if left == 0 { 0.0 } else { like(left, share).low };
        let high = match last_loss {
            None => 1.0,
            Some(Loss { left: 0, of, .. }) => Share::new(0, of).high,
            Some(Loss { left, share, .. }) => like(left, share).high,
        };
        Some((low, high))
    }

    fn survivors(&self, outage: Duration, value: Bytes) -> Option<Survivors> {
        self.trials.iter().find(|trial| trial.outage >= outage)?;
        // When each standby is lost; else, behind those, when it is back.
        let mut ends: Vec<(Duration, bool)> = Vec::with_capacity(self.trials.len());
        for trial in &self.trials {
            let lost = trial.growth.iter().find(|(_, needed)| *needed > value);
            let lost = lost.map(|(at, _)| *at).filter(|at| *at <= trial.outage);
            ends.push((lost.unwrap_or(trial.outage), lost.is_none()));
        }
        ends.sort_unstable();
        // Of `of` standbys that were there when the last one came back, `left` are; before that it
        // was a share of `before`.
        let (mut before, mut of, mut left) = (1.0, ends.len(), ends.len());
        let mut last_loss = None;
        for (at, back) in ends {
            match back {
                false if at <= outage => {
                    left -= 1;
                    last_loss = Some(Loss { left, of, share: before * left as f64 / of as f64 });
                }
                true if at < outage => {
                    before *= left as f64 / of as f64;
                    left -= 1;
                    of = left;
                }
                false | true => break,
            }
        }
        // Where nobody is left to be lost, it stays as it was.
        let share = if of == 0 { before } else { before * left as f64 / of as f64 };
        Some(Survivors { share, left, last_loss })
    }

    /// Of the trials that were played again, how many came out as the first pass said.
    pub fn as_predicted(&self) -> usize {
        let Some(value) = self.value else { return 0 };
        let predicted = |n: usize| self.trials[n].needed > value;
        self.again.iter().filter(|(n, trial)| trial.lost == predicted(*n)).count()
    }

    /// Largest pg_wal of the trials that were played again: the median, and the largest of all.
    pub fn pg_wal(&self) -> Option<(Bytes, Bytes)> {
        median_and_most(self.again.iter().map(|(_, trial)| trial.pg_wal).collect())
    }

    /// Time to catch up: the median, and the longest of all that did.
    pub fn catch_up(&self) -> Option<(Duration, Duration)> {
        median_and_most(self.trials.iter().filter_map(|trial| trial.caught_up).collect())
    }
}

/// The upper median and the largest.
pub(super) fn median_and_most<T: Ord + Copy>(mut all: Vec<T>) -> Option<(T, T)> {
    all.sort_unstable();
    Some((*all.get(all.len() / 2)?, *all.last()?))
}

/// What the setting has to be.
///
/// # Errors
/// As [`crate::run`].
pub fn solve(keep: Keep, question: &Question, watcher: &Watcher<'_>) -> Result<Answer, RunError> {
    let kept = |size| keep.stage(&question.stage, size);
    let needed = |trial: &Trial| trial.needed_to_survive().0;
    let (trials, quantile) = question.sampling.play(&kept(None), needed, watcher)?;
    let segment = question.stage.segment();
    let value = Some(Bytes(quantile.high())).filter(|value| *value < EVERYTHING);
    let mut again = Vec::new();
    if let Some(value) = value {
        let chosen = worth_playing_again(&trials, value);
        let stage = kept(Some(value));
        let played = play_all(&chosen, &stage, watcher)?;
        again = chosen.into_iter().zip(played).collect();
    }
    Ok(Answer {
        value,
        middle: Bytes(quantile.middle()),
        interval: (Bytes(quantile.low()), Bytes(quantile.high())),
        lost: quantile.above(quantile.high()),
        lost_below: quantile.above(quantile.high().saturating_sub(segment.bytes())),
        trials,
        again,
        segment,
    })
}

/// Trials that tell most: those nearest to the edge on both sides, and some of all.
fn worth_playing_again(trials: &[Trial], value: Bytes) -> Vec<usize> {
    let mut by_need: Vec<usize> = (0..trials.len()).collect();
    by_need.sort_by_key(|n| (trials[*n].needed_to_survive(), *n));
    let edge = by_need.partition_point(|n| trials[*n].needed_to_survive() <= value);
    let near = edge.saturating_sub(AT_EDGE / 2)..by_need.len().min(edge + AT_EDGE / 2);
    let mut chosen: Vec<usize> = by_need[near].to_vec();
    chosen.extend((0..AGAIN).map(|k| k * trials.len() / AGAIN));
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

/// A setting that keeps WAL, and what it is tried on.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    /// The setting.
    pub keep: Keep,
    /// What trials are made of.
    pub stage: &'a Stage,
    /// How they came out with all WAL kept.
    pub trials: &'a [Trial],
}

impl TakesDisk for Kept<'_> {
    fn segment(&self) -> SegmentSize {
        self.stage.segment()
    }

    fn fewest(&self) -> u64 {
        0
    }

    fn most(&self, n: u64) -> Option<Bytes> {
        // Less WAL for a slot is never more WAL.
        let capped = self.keep == Keep::MaxSlotWalKeepSize;
        self.trials.get(n as usize).filter(|_| capped).map(|trial| trial.pg_wal)
    }

    fn outcome(&self, value: Bytes, n: u64, outside: &Outside) -> Result<Outcome, RunError> {
        if let (Some(pg_wal), Some(trial)) = (self.most(n), self.trials.get(n as usize))
            && trial.needed_to_survive() <= value
        {
            // The limit is never reached.
            return Ok(Outcome { pg_wal, bad: false });
        }
        let force = |scene: &mut Scene| {
            scene.scenario = self.keep.in_force(&scene.scenario, Some(value));
        };
        let trial = self.stage.play_with(n, force, outside)?;
        Ok(Outcome { pg_wal: trial.pg_wal, bad: trial.lost })
    }
}

/// Outages whose WAL is looked up in the history.
const WRITTEN: u64 = 2_000;

impl Trial {
    /// The smallest value with which the standby would not have been lost: more than any if it
    /// never catches up.
    pub fn needed_to_survive(&self) -> Bytes {
        if self.caught_up.is_some() { self.needed } else { EVERYTHING }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An outage that needs more than a byte from some time on, if ever.
    fn trial(outage: u64, from: Option<u64>) -> Trial {
        Trial {
            left: Duration::ZERO,
            outage: Duration::s(outage),
            needed: Bytes(0),
            growth: from.map(|at| (Duration::s(at), Bytes(2))).into_iter().collect(),
            lost: false,
            caught_up: Some(Duration::ZERO),
            pg_wal: Bytes(0),
            pg_wal_grown: Vec::new(),
        }
    }

    #[test]
    fn nobody_left_to_be_lost_leaves_the_share_as_it_was() {
        // The longest outage loses its standby early, all others are over before it is.
        let trials = vec![trial(9, Some(1)), trial(3, None), trial(4, None), trial(5, None)];
        let answer = Answer {
            value: Some(Bytes(1)),
            middle: Bytes(1),
            interval: (Bytes(1), Bytes(1)),
            lost: Share::new(0, 4),
            lost_below: Share::new(0, 4),
            trials,
            again: Vec::new(),
            segment: SegmentSize::DEFAULT,
        };
        for seconds in [1, 4, 9] {
            let share = answer.survival(Duration::s(seconds), Bytes(1)).expect("one is as long");
            assert!((share - 0.75).abs() < 1e-12, "{seconds}: {share}");
            let (low, high) =
                answer.survival_interval(Duration::s(seconds), Bytes(1)).expect("one is as long");
            assert!(low <= share && share <= high && high <= 1.0, "{seconds}: {low} {high}");
        }
    }
}
