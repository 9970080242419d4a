//! Solving for a setting: from a WAL history, outages and an accepted risk to its value.
//!
//! A [`trial`] is one outage of a standby, placed in a [`history`] by chance and played by the real
//! models with all WAL kept. It yields the smallest value that would have been enough, so that one
//! pass over the trials gives the risk of every value: exact, monotone, without a search. What is
//! recommended is the upper end of the interval of that quantile ([`estimate`]): the risk is below
//! the accepted one unless one set of trials in forty misleads.
//!
//! Then some of the trials are played again with the recommended value in force, those nearest to
//! the edge among them. Each must be lost or kept as the first pass says, and they show how large
//! pg_wal grows.
//!
//! **Source.** Walden's own.
//!
//! **Not modelled.** A future unlike the history: `growth` and `stress` ask what if.

pub mod estimate;
pub mod history;
pub mod outage;
pub mod sawtooth;
pub mod trial;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use models::units::{Bytes, Die, Duration, Lsn, SegmentSize};
use scenarios::scenario::Scenario;

use crate::{Outside, RunError};
use estimate::{Ranks, Share};
use history::History;
use outage::Outages;
use trial::{Stage, Trial};

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
    /// The setting.
    pub keep: Keep,
    /// What trials are made of.
    pub stage: Stage,
    /// All WAL of the history: its records and their images.
    pub history: History,
    /// The share of outages after which the standby may be lost; between 0 and 1.
    pub risk: f64,
    /// So many trials instead of as many as decide.
    pub trials: Option<usize>,
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

/// Who is told how far it is, and can end it.
pub struct Watcher<'a> {
    /// Trials at once.
    pub threads: usize,
    /// Told of the end of each trial.
    pub progress: &'a (dyn Fn() + Sync),
    /// Somebody outside.
    pub outside: &'a Outside,
}

/// Trials between two looks at whether they decide.
const BATCH: usize = 200;
/// Trials, in the average number of them that lie above the quantile.
const MOST_ABOVE: f64 = 10.0;
/// An interval this narrow decides: a share of its upper end.
const NARROW: f64 = 0.02;
/// Trials that are played again, evenly chosen.
const AGAIN: usize = 100;
/// And next to the edge.
const AT_EDGE: usize = 16;

impl Question {
    /// The most trials that are played to decide.
    pub fn most_trials(&self) -> usize {
        let most = self.trials.unwrap_or((MOST_ABOVE / self.risk) as usize);
        most.max(Ranks::fewest(self.risk))
    }

    /// WAL written during times such as these, the quantile above which the accepted share lies:
    /// from the history alone, without any model.
    pub fn written(&self, times: &Outages) -> Bytes {
        let seed = self.stage.seed;
        let die = Die::new(seed, "plan", "outage");
        let written = |n: u64| self.history.written(times.draw(&die, n), !seed, n);
        let mut all: Vec<Bytes> = (0..WRITTEN).map(written).collect();
        all.sort_unstable();
        let above = (self.risk * WRITTEN as f64) as usize;
        all[all.len() - 1 - above.min(all.len() - 1)]
    }
}

impl Answer {
    /// The share of outages as long as `outage` or longer that a standby survives with `value` as
    /// far as that length; `None` if there were none.
    pub fn survival(&self, outage: Duration, value: Bytes) -> Option<f64> {
        let long = || self.trials.iter().filter(|trial| trial.outage >= outage);
        let survives = |trial: &&Trial| {
            let until = trial.growth.iter().take_while(|(at, _)| *at <= outage);
            until.map(|(_, needed)| *needed).max().unwrap_or_default() <= value
        };
        let of = long().count();
        (of > 0).then(|| long().filter(survives).count() as f64 / of as f64)
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

fn median_and_most<T: Ord + Copy>(mut all: Vec<T>) -> Option<(T, T)> {
    all.sort_unstable();
    Some((*all.get(all.len() / 2)?, *all.last()?))
}

/// Answers the question.
///
/// # Errors
/// As [`crate::run`].
pub fn solve(question: &Question, watcher: &Watcher<'_>) -> Result<Answer, RunError> {
    let kept = |size| Stage {
        scenario: question.keep.in_force(&question.stage.scenario, size),
        ..question.stage.clone()
    };
    let trials = enough_trials(question, &kept(None), watcher)?;
    let segment = question.stage.segment();
    let mut needed: Vec<Bytes> = trials.iter().map(Trial::needed_to_survive).collect();
    needed.sort_unstable();
    let ranks = Ranks::of(needed.len(), question.risk);
    let end = |rank: Option<usize>| rank.map(|rank| needed[rank - 1]);
    let low = end(ranks.low).unwrap_or(needed[0]);
    let high = end(ranks.high).unwrap_or(needed[needed.len() - 1]);
    let above =
        |value: Bytes| Share::new(needed.iter().filter(|n| **n > value).count(), needed.len());
    let value = (high < EVERYTHING).then_some(high);
    let mut again = Vec::new();
    if let Some(value) = value {
        let chosen = worth_playing_again(&trials, value);
        let stage = kept(Some(value));
        let played = play_all(&chosen, &stage, watcher)?;
        again = chosen.into_iter().zip(played).collect();
    }
    Ok(Answer {
        value,
        middle: needed[needed.len() - 1 - (question.risk * needed.len() as f64) as usize],
        interval: (low, high),
        lost: above(high),
        lost_below: above(Bytes(high.0.saturating_sub(segment.bytes()))),
        trials,
        again,
        segment,
    })
}

/// Plays trials until they decide.
fn enough_trials(
    question: &Question,
    stage: &Stage,
    watcher: &Watcher<'_>,
) -> Result<Vec<Trial>, RunError> {
    let most = question.most_trials();
    let mut trials = Vec::new();
    while trials.len() < most {
        let batch: Vec<usize> = (trials.len()..most.min(trials.len() + BATCH)).collect();
        trials.extend(play_all(&batch, stage, watcher)?);
        if question.trials.is_none() && is_decided(&trials, question) {
            break;
        }
    }
    Ok(trials)
}

/// Whether more trials would hardly change the answer.
fn is_decided(trials: &[Trial], question: &Question) -> bool {
    let Ranks { low: Some(low), high: Some(high) } = Ranks::of(trials.len(), question.risk) else {
        return false;
    };
    let mut needed: Vec<Bytes> = trials.iter().map(Trial::needed_to_survive).collect();
    needed.sort_unstable();
    let (low, high) = (needed[low - 1].0, needed[high - 1].0);
    (high - low) as f64 <= NARROW * high as f64
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

/// Plays these trials, as many at once as there are threads, and returns them in that order.
///
/// # Errors
/// As [`crate::run`].
pub fn play_all(
    numbers: &[usize],
    stage: &Stage,
    watcher: &Watcher<'_>,
) -> Result<Vec<Trial>, RunError> {
    let next = AtomicUsize::new(0);
    let played = Mutex::new(Vec::with_capacity(numbers.len()));
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(&number) = numbers.get(index) else { return };
            let result = stage.play(number as u64, watcher.outside);
            played.lock().expect("nobody panics while holding this").push((index, result));
            (watcher.progress)();
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..watcher.threads.min(numbers.len()) {
            scope.spawn(work);
        }
        work();
    });
    let mut played = played.into_inner().expect("nobody panics while holding this");
    played.sort_unstable_by_key(|(index, _)| *index);
    played.into_iter().map(|(_, result)| result).collect()
}

impl Stage {
    /// The primary's segments.
    fn segment(&self) -> SegmentSize {
        self.scenario.servers[self.scenario.primary()].settings.wal_segment_size
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
