//! Commits of a window, each cut into the stages that it went through.
//!
//! **Source.** `models::trace::commit` for what the stages are.
//!
//! **Not modelled.** What a backend waits for before it inserts its record is no part of its own:
//! it counts as its own work.

use std::collections::BTreeMap;

use models::trace::commit::Stage;
use models::trace::flow::{Answered, Flow, Flush};
use models::units::{SimTime, UsableBytes};

/// A commit that was answered in the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit<'a> {
    /// From when to when, and whose it is.
    pub answer: &'a Answered,
    /// Its stages, which follow one another from its start on.
    pub stages: Vec<(Stage, SimTime, SimTime)>,
}

/// All of them, in the order in which they began.
pub fn commits(flow: &Flow) -> Vec<Commit<'_>> {
    let Flow { inserted, flushes, answers, .. } = flow;
    let inserted: BTreeMap<UsableBytes, SimTime> =
        inserted.iter().map(|record| (record.end, record.at)).collect();
    let carried: BTreeMap<UsableBytes, Flush> =
        flushes.iter().map(|flush| (flush.to, *flush)).collect();
    let mut answers: Vec<&Answered> = answers.iter().collect();
    answers.sort_by_key(|answer| (answer.start, answer.number));
    let stages = |answer: &Answered| {
        let flush = carried.range(answer.end..).next().map(|(_, flush)| *flush);
        let flush = flush.filter(|flush| flush.from < answer.end);
        stages(answer, inserted.get(&answer.end).copied(), flush)
    };
    answers.into_iter().map(|answer| Commit { answer, stages: stages(answer) }).collect()
}

fn stages(
    answer: &Answered,
    inserted: Option<SimTime>,
    flush: Option<Flush>,
) -> Vec<(Stage, SimTime, SimTime)> {
    let (from, to) = (answer.start, answer.at);
    let mut stages = vec![(Stage::Service, inserted)];
    // Who is answered before the flush is over does not wait for it.
    if let Some(flush) = flush.filter(|flush| flush.done <= to) {
        stages.push((Stage::WalWrite, Some(flush.began)));
        stages.push((Stage::WalSync, Some(flush.done)));
        stages.push((Stage::SyncRep, Some(to)));
    }
    let mut since = from;
    let mut cut = |(stage, until): (Stage, Option<SimTime>)| {
        let began = since;
        since = until.unwrap_or(since).clamp(since, to);
        (stage, began, since)
    };
    stages.into_iter().map(&mut cut).collect()
}
