//! What led to a standby's loss, or where its lag sits.
//!
//! The loss is read backwards: the segment that it asked for in vain, or its slot's invalidation;
//! the checkpoint that took that segment; when it went away, and the faults it had. Lag is looked
//! at where it was largest: how much of it was not sent, not received, not flushed, not replayed.
//!
//! **Source.** `xlog.c:KeepLogSeg`; `walsender.c` (`requested WAL segment %s has already been
//! removed`); the columns of `pg_stat_replication`.
//!
//! **Not modelled.** Several losses of one standby: the first is told.

use models::postgres::command::SlotName;
use models::postgres::guc::Settings;
use models::trace::Run;
use models::trace::fact::{Fact, Refusal, ServerId, What};
use models::trace::series::Series;
use models::units::{Bytes, Duration, SimTime};
use scenarios::scenario::Scenario;

use crate::world::needs::LastCheckpoint;

/// How a standby was lost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loss {
    /// The segment that is gone.
    pub segment: Option<u64>,
    /// What led to it, in order.
    pub chain: Vec<Fact>,
}

/// Where WAL was when a standby was furthest behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    /// When that was.
    pub at: SimTime,
    /// All of it: flushed on the primary and not replayed here.
    pub all: Bytes,
    /// Not sent; while it is not connected, all that it has not flushed.
    pub unsent: Bytes,
    /// Sent, not written here.
    pub sent: Bytes,
    /// Written, not flushed here.
    pub written: Bytes,
    /// Flushed, not replayed.
    pub flushed: Bytes,
    /// Whether a walsender served it then.
    pub connected: bool,
    /// From when to when it had been away, if it had come back just before.
    pub away: Option<(SimTime, SimTime)>,
    /// WAL made on the primary in the time before, a second.
    pub made: Bytes,
    /// What the standby replayed in that time, a second.
    pub replayed: Bytes,
}

/// What happened so long before the moment of the largest lag is told; rates are of that time.
pub const BEFORE: Duration = Duration::s(60);

/// How a standby was lost; `None` if its WAL is still there.
pub fn loss(run: &Run, scenario: &Scenario, standby: usize) -> Option<Loss> {
    let upstream = scenario.servers[standby].upstream?;
    let (id, up) = (server(standby), server(upstream));
    let settings = &scenario.servers[upstream].settings;
    let slot = scenario.servers[standby].slot.as_deref();
    let facts: Vec<Fact> = run.facts.iter().copied().collect();
    let refused = |fact: &Fact| match fact.what {
        What::ConnectFailed { why: Refusal::SegmentRemoved { segment }, .. }
            if fact.server == Some(id) =>
        {
            Some(segment.number)
        }
        _ => None,
    };
    let named = |name: SlotName| {
        slot.is_some_and(|slot| run.slots.get(usize::from(name.0)).is_some_and(|n| n == slot))
    };
    let invalidated = |fact: &Fact| match fact.what {
        What::SlotInvalidated { slot, .. } => fact.server == Some(up) && named(slot),
        _ => false,
    };
    let end = facts.iter().position(|fact| refused(fact).is_some() || invalidated(fact))?;
    let segment = facts[end..].iter().find_map(refused);
    let left = facts[..end].iter().rposition(|fact| {
        let gone = matches!(fact.what, What::SenderEnded { standby, .. } if standby == id);
        gone && fact.server == Some(up)
    });
    // What befell it began before its walsender noticed.
    let since = facts[..left.unwrap_or(end)].iter().rposition(|fact| starts(fact, id));
    let taken =
        segment.and_then(|segment| taken(&facts[..end], left.unwrap_or(0), up, segment, settings));
    let about = |index: usize, fact: &Fact| {
        let of_it = fact.server == Some(id) && is_telling(&fact.what);
        let fault = matches!(fact.what, What::FaultBegan { .. } | What::FaultHealed { .. });
        Some(index) == left || Some(index) == taken || of_it || fault || invalidated(fact)
    };
    let from = since.map_or(0, |since| since + 1);
    let last = facts.iter().position(|fact| refused(fact).is_some()).unwrap_or(end).max(end);
    let chain = (from..=last).filter(|index| about(*index, &facts[*index]));
    Some(Loss { segment, chain: chain.map(|index| facts[index]).collect() })
}

fn server(index: usize) -> ServerId {
    ServerId(u8::try_from(index).expect("few servers"))
}

/// Whether a standby's stream begins.
fn starts(fact: &Fact, standby: ServerId) -> bool {
    fact.server == Some(standby) && matches!(fact.what, What::StreamingStarted { .. })
}

/// The checkpoint that took a segment away from a standby without a slot: the first for which
/// `wal_keep_size` was too small.
fn taken(
    facts: &[Fact],
    left: usize,
    upstream: ServerId,
    segment: u64,
    settings: &Settings,
) -> Option<usize> {
    let size = settings.wal_segment_size;
    (left..facts.len()).find(|&index| {
        let What::CheckpointDone { redo, end, .. } = facts[index].what else { return false };
        let here = facts[index].server == Some(upstream);
        here && LastCheckpoint::new(redo, end, size).keeps(segment, size) > settings.wal_keep_size
    })
}

/// Whether something that happened to a standby tells why it was away.
fn is_telling(what: &What) -> bool {
    matches!(
        what,
        What::Crashed { .. }
            | What::Frozen { .. }
            | What::Thawed
            | What::Starting
            | What::ShutDown
            | What::ReceiverEnded { .. }
            | What::ConnectFailed { why: Refusal::SegmentRemoved { .. }, .. }
    )
}

/// Where a standby's lag sat when it was largest; `None` if it never had any.
pub fn lag(run: &Run, scenario: &Scenario, standby: usize) -> Option<Lag> {
    let name = &scenario.servers[standby].name;
    let samples = run.samples.standbys.iter().find(|samples| samples.name == *name)?;
    let primary = &run.samples.servers[scenario.primary()].flush_lsn;
    let own = &run.samples.servers[standby].flush_lsn;
    let values: Vec<(SimTime, Option<u64>)> = samples.lag_bytes.iter().collect();
    let most = (0..values.len()).max_by_key(|n| (values[*n].1, usize::MAX - n))?;
    let all = values[most].1.filter(|lag| *lag > 0)?;
    let at = |series: &Series| series.get(most);
    let flushed_here = at(own)?;
    let made = at(primary)?;
    let replayed = made.saturating_sub(all);
    let sent = at(&samples.sent_lsn);
    let written = at(&samples.write_lsn).unwrap_or(flushed_here).max(flushed_here);
    let gap = |from: u64, to: u64| Bytes(from.saturating_sub(to));
    let period = run.samples.commits.period();
    let back = ((BEFORE.0 / period.0.max(1)) as usize).clamp(1, most.max(1)).min(most);
    let seconds = (back as f64 * period.as_seconds()).max(1e-9);
    let rate = |now: u64, before: Option<u64>| {
        Bytes((now.saturating_sub(before.unwrap_or(now)) as f64 / seconds) as u64)
    };
    let earlier = most - back;
    let earlier_made = primary.get(earlier);
    let earlier_replayed =
        earlier_made.zip(values[earlier].1).map(|(made, lag)| made - lag.min(made));
    Some(Lag {
        at: values[most].0,
        all: Bytes(all),
        unsent: gap(made, sent.unwrap_or(flushed_here)),
        sent: sent.map_or(Bytes(0), |sent| gap(sent, written)),
        written: gap(written, flushed_here),
        flushed: gap(flushed_here, replayed),
        connected: sent.is_some(),
        away: away(run, server(standby), values[most].0),
        made: rate(made, earlier_made),
        replayed: rate(replayed, earlier_replayed),
    })
}

/// When a standby had gone and come back, if that was at most [`BEFORE`] before a moment.
fn away(run: &Run, standby: ServerId, at: SimTime) -> Option<(SimTime, SimTime)> {
    let before = || run.facts.iter().filter(|fact| fact.at <= at);
    let back = before().rfind(|fact| starts(fact, standby))?.at;
    let ended =
        |fact: &&Fact| matches!(fact.what, What::SenderEnded { standby: of, .. } if of == standby);
    let left = before().filter(|fact| fact.at <= back).rfind(ended)?.at;
    (at.since(back) <= BEFORE).then_some((left, back))
}
