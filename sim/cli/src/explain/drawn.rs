//! The messages on the way of one commit, as a picture.

use models::postgres::protocol::Body;
use models::trace::flow::Window;
use models::units::{Duration, Lsn, SimTime, UsableBytes};
use reports::export::diagram::{Diagram, Followed};
use sim::explain::commit::CommitPath;
use sim::passage::{Passage, passage};

use super::Asked;
use crate::errors::Failure;

/// For so long after its answer a commit is followed on its way to standbys.
const FOLLOWED: Duration = Duration::s(1);

/// Draws it.
pub fn svg(asked: &Asked<'_>, path: &CommitPath, followed: Followed) -> Result<String, Failure> {
    let scenario = asked.scenario();
    let answered = &path.answered;
    let play = |to: SimTime| {
        let window = Window { from: answered.start, to };
        asked.play(1, |outside| passage(scenario, window, outside))
    };
    let end = SimTime::ZERO + scenario.duration;
    let passed = match play((answered.at + FOLLOWED).min(end))? {
        Some(passed) => Some(passed),
        None => play(answered.at)?,
    };
    let Some(passed) = passed else {
        let message = "too much passed while the commit was under way".to_owned();
        return Err(Failure::Argument { message, help: None });
    };
    asked.run.check_repeats(asked.variant, &passed.digests)?;
    let window = Window { from: answered.start, to: until(&passed, path) };
    let Passage { run, flow, primary, size, .. } = &passed;
    let (primary, size) = (*primary, *size);
    Diagram { run, primary, flow, window, size, commit: Some(&followed) }.svg().map_err(|_| {
        // Of those that have nothing to do with the commit it takes only some.
        Failure::Internal { message: "the way of a commit has few messages".to_owned() }
    })
}

/// Until when there is something to see: until every standby has said that it has flushed the
/// commit, and, if that comes soon after, that it has replayed it.
fn until(passed: &Passage, path: &CommitPath) -> SimTime {
    let answered = &path.answered;
    let covers =
        |lsn: Lsn| lsn.is_valid() && UsableBytes::from_lsn(lsn, passed.size) >= answered.end;
    // When the last of the standbys that say so by then has first said that it has the commit.
    let said_by = |latest: SimTime, has: &dyn Fn(&Body) -> bool| {
        let first = |standby| {
            let own = passed.flow.messages.iter().filter(|message| message.from == standby);
            own.filter(|message| has(&message.body)).map(|message| message.arrived).min()
        };
        let standbys = passed.run.streams.iter().map(|stream| stream.standby);
        standbys.filter_map(first).filter(|at| *at <= latest).max()
    };
    let flushed = said_by(answered.at + FOLLOWED, &|body| match *body {
        Body::StatusUpdate { flush, .. } => covers(flush),
        _ => false,
    });
    let flushed = flushed.unwrap_or(answered.at).max(answered.at);
    let soon = flushed + flushed.since(answered.start);
    let replayed = said_by(soon, &|body| match *body {
        Body::StatusUpdate { apply, .. } => covers(apply),
        _ => false,
    });
    replayed.unwrap_or(flushed).max(flushed)
}
