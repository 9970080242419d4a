//! The facts that mattered, in order, for a person to read.
//!
//! Checkpoints, catching up and waiting are left out: they are in `facts.jsonl` and in the logs.
//! What repeats (a standby that asks its upstream every five seconds) is said once, with how
//! often and until when.

use models::trace::Run;
use models::trace::fact::{Fact, Refusal, What};
use models::trace::messages::Words;
use models::units::SimTime;

/// What happened, once or repeatedly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When, or when first.
    pub at: SimTime,
    /// When last; the same as `at` if once.
    pub until: SimTime,
    /// How often.
    pub times: u64,
    /// In plain words, with the server's name.
    pub plain: String,
    /// PostgreSQL's message, if it has one.
    pub quote: Option<String>,
    /// Whether it is the begin or end of a fault of the schedule.
    pub fault: bool,
    /// Whether an operator did it.
    pub action: bool,
}

/// The facts that mattered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    /// In order, at most as many as asked for.
    pub entries: Vec<Entry>,
    /// How many entries there was no room for.
    pub left_out: u64,
    /// How many facts are not said because they matter less, or because the run had no room.
    pub minor: u64,
}

/// The first `limit` entries of the timeline of `run`.
pub fn timeline(run: &Run, limit: usize) -> Timeline {
    let words = Words::new(run);
    let mut timeline = Timeline { minor: run.facts.dropped(), ..Timeline::default() };
    // For every server (and for what is outside of all) the fact it said last, and its entry.
    let mut last: Vec<Option<(What, usize)>> = vec![None; run.servers.len() + 1];
    for (index, fact) in run.facts.iter().enumerate() {
        let said = matters(&fact.what) && !is_idle(run, &fact.what);
        if !said || is_in_vain(fact, run.facts.iter().skip(index + 1)) {
            timeline.minor += 1;
            continue;
        }
        let place = fact.server.map_or(run.servers.len(), |s| s.index().min(run.servers.len()));
        if let Some((what, entry)) = last[place]
            && repeats(&what, &fact.what)
            && let Some(entry) = timeline.entries.get_mut(entry)
        {
            entry.until = fact.at;
            entry.times += 1;
        } else if timeline.entries.len() < limit {
            last[place] = Some((fact.what, timeline.entries.len()));
            timeline.entries.push(entry(&words, fact));
        } else {
            timeline.left_out += 1;
        }
    }
    timeline
}

fn entry(words: &Words, fact: &Fact) -> Entry {
    Entry {
        at: fact.at,
        until: fact.at,
        times: 1,
        plain: words.plain(fact),
        quote: words.quote(fact),
        fault: matches!(fact.what, What::FaultBegan { .. } | What::FaultHealed { .. }),
        action: matches!(fact.what, What::ActionBegan { .. }),
    }
}

/// Whether it is an operator's look or wait, which only `facts.jsonl` has.
fn is_idle(run: &Run, what: &What) -> bool {
    let What::ActionBegan { action } = what else { return false };
    run.actions.get(usize::from(*action)).is_some_and(|action| action.idle)
}

/// Whether a stream started only to be told that its WAL is gone: then that is what matters.
fn is_in_vain<'a>(fact: &Fact, mut later: impl Iterator<Item = &'a Fact>) -> bool {
    let What::StreamingStarted { .. } = fact.what else { return false };
    let next = later.find(|next| next.server == fact.server);
    next.is_some_and(|next| {
        matches!(next.what, What::ConnectFailed { why: Refusal::SegmentRemoved { .. }, .. })
    })
}

/// Whether the timeline says it.
fn matters(what: &What) -> bool {
    match what {
        What::FaultBegan { .. }
        | What::FaultHealed { .. }
        | What::SendsAgain { .. }
        | What::Crashed { .. }
        | What::Panicked { .. }
        | What::Frozen { .. }
        | What::Thawed
        | What::RecoveryStarted { .. }
        | What::RecoveryDone { .. }
        | What::StopRequested { .. }
        | What::ShutDown
        | What::PromoteNoticed
        | What::Promoted { .. }
        | What::Ready
        | What::ReadyReadOnly { .. }
        | What::StreamingStarted { .. }
        | What::ConnectFailed { .. }
        | What::ReceiverEnded { .. }
        | What::SenderEnded { .. }
        | What::SyncStandby { .. }
        | What::SlotCreated { .. }
        | What::SlotDropped { .. }
        | What::SlotOwnerTerminated { .. }
        | What::SlotInvalidated { .. }
        | What::ParameterChanged { .. }
        | What::ParameterNeedsRestart { .. }
        | What::ReplayPaused { .. }
        | What::ReplayResumed
        | What::Statement { .. }
        | What::Consistent { .. }
        | What::WaitInterrupted { .. }
        | What::ActionBegan { .. }
        | What::CommandRefused { .. }
        | What::QueueFull { .. } => true,
        What::Starting
        | What::CreatedAhead
        | What::WasShutDown { .. }
        | What::InterruptedInRecovery
        | What::ShuttingDown
        | What::EndOfWal { .. }
        | What::StandbyMode { .. }
        | What::ActionEnded { .. }
        | What::SenderStarted { .. }
        | What::SenderStreaming { .. }
        | What::WaitingForWal { .. }
        | What::StreamTerminated { .. }
        | What::RedoDone { .. }
        | What::TimelineSelected { .. }
        | What::Reloaded
        | What::CheckpointStarted { .. }
        | What::CheckpointFiles { .. }
        | What::NoRoomAhead
        | What::CheckpointsTooFrequent { .. }
        | What::CheckpointDone { .. } => false,
    }
}

/// Whether the second fact of a server says nothing new after the first.
fn repeats(first: &What, then: &What) -> bool {
    if let (
        What::WaitInterrupted { how, session },
        What::WaitInterrupted { how: again, session: other },
    ) = (first, then)
    {
        return how == again && session.workload == other.workload;
    }
    matches!(
        (first, then),
        (What::ConnectFailed { .. }, What::ConnectFailed { .. })
            | (What::QueueFull { .. }, What::QueueFull { .. })
    ) && first == then
}
