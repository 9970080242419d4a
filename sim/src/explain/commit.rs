//! Why a commit took so long: what was done with it, by whom, and when.
//!
//! A run keeps no commit. It is played again twice: to find the commit, and to note what passed
//! while it was under way ([`crate::world::trail`]). Its path is then read from what backend,
//! flush, walsender, network and walreceiver noted, each for itself: every boundary between two
//! parts of the path is the moment of one such note, so that nothing is left over.
//!
//! **Source.** The way of a commit: `xact.c:RecordTransactionCommit`, `xlog.c:XLogFlush`,
//! `walsender.c:XLogSendPhysical`, `walreceiver.c:XLogWalRcvWrite`, `XLogWalRcvFlush`,
//! `XLogWalRcvSendReply`, `syncrep.c:SyncRepReleaseWaiters`.
//!
//! **Not modelled.** The way between client and server.

use models::postgres::guc::SynchronousCommit;
use models::postgres::protocol::Body;
use models::postgres::syncrep::WaitMode;
use models::trace::fact::ServerId;
use models::trace::flow::{Answered, Flow, Passed, Window};
use models::units::{Bytes, Duration, Lsn, SegmentSize, SimTime, UsableBytes};
use scenarios::scenario::Scenario;

use crate::look::{Looks, watch};
use crate::world::trail::{Sought, Wanted};
use crate::{Outside, RunError};

/// A moment on the way of a commit, which ends one part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// The client's intended start.
    Started,
    /// The backend inserted the commit record.
    Inserted,
    /// The flush that carried it began.
    FlushBegan,
    /// That flush was over.
    Flushed,
    /// The walsender sent the message with the end of the record.
    Sent,
    /// It arrived at the standby's host.
    Arrived,
    /// The standby had written it, and said so.
    Written,
    /// The standby had flushed it, and said so.
    StandbyFlushed,
    /// The standby had replayed it, and said so.
    Applied,
    /// The reply that released the commit arrived.
    Replied,
    /// The client had its answer.
    Answered,
}

/// The way of one commit.
#[derive(Clone, Debug, PartialEq)]
pub struct CommitPath {
    /// The commit.
    pub answered: Answered,
    /// Where its record ends.
    pub end: Lsn,
    /// Its level.
    pub level: SynchronousCommit,
    /// The points in order, from [`Point::Started`] to [`Point::Answered`].
    pub points: Vec<(Point, SimTime)>,
    /// The standby whose reply released it; `None`: none did.
    pub standby: Option<ServerId>,
    /// WAL that had to pass before it: what came through to that standby since the flush.
    pub ahead: Bytes,
    /// Commits that the same flush carried.
    pub together: usize,
}

impl CommitPath {
    /// The parts of the way: what ends each, and how long it took.
    pub fn parts(&self) -> impl Iterator<Item = (Point, Duration)> + '_ {
        self.points.windows(2).map(|pair| (pair[1].0, pair[1].1.since(pair[0].1)))
    }

    /// From the intended start to the answer.
    pub fn latency(&self) -> Duration {
        self.answered.at.since(self.answered.start)
    }
}

/// What was noted of a run that was played again.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The answer that was looked for.
    pub found: Option<Answered>,
    /// Answers up to where it was played.
    pub answers: u64,
    /// What passed in the window.
    pub flow: Flow,
    /// The run's digests at the moments that were reached.
    pub digests: Vec<u64>,
}

/// Plays a run again and notes what is wanted.
///
/// # Errors
/// As [`crate::run`].
pub fn see(
    scenario: &Scenario,
    until: SimTime,
    wanted: Wanted,
    outside: &Outside,
) -> Result<Seen, RunError> {
    let looks =
        Looks { at: &[until], commits: &[], hear: true, follow: Some(wanted), look: &mut |_| () };
    watch(scenario, looks, outside, |world| {
        let (found, answers) = world.found_answer();
        Seen { found, answers, flow: world.flow(), digests: world.digests().to_vec() }
    })
}

/// Finds a commit and notes what passed while it was under way.
///
/// # Errors
/// As [`crate::run`].
pub fn find(
    scenario: &Scenario,
    sought: Sought,
    outside: &Outside,
) -> Result<(Seen, Option<CommitPath>), RunError> {
    let end = SimTime::ZERO + scenario.duration;
    let first = Wanted { window: None, answer: Some(sought) };
    let seen = see(scenario, end, first, outside)?;
    let Some(answered) = seen.found else { return Ok((seen, None)) };
    let window = Some(Window { from: answered.start, to: answered.at });
    let again = see(scenario, answered.at, Wanted { window, answer: None }, outside)?;
    let path = path(&again.flow, &answered, scenario);
    Ok((Seen { digests: again.digests, flow: again.flow, ..seen }, Some(path)))
}

/// The way of a commit, from what passed while it was under way.
pub fn path(flow: &Flow, answered: &Answered, scenario: &Scenario) -> CommitPath {
    let primary = scenario.primary();
    let settings = &scenario.servers[primary].settings;
    let (size, end) = (settings.wal_segment_size, answered.end);
    let own = scenario.workloads[usize::from(answered.session.workload)].synchronous_commit;
    // A reload may have changed the server's.
    let record = flow.inserted.iter().find(|record| record.end == end);
    let level = record.and_then(|record| record.level);
    let level = level.unwrap_or(own.unwrap_or(settings.synchronous_commit));
    let mut points = vec![(Point::Started, answered.start)];
    let mut add = |point, at: Option<SimTime>| points.extend(at.map(|at| (point, at)));
    add(Point::Inserted, record.map(|record| record.at));
    // Who does not wait for the flush is answered before it.
    let carried = flow.flushes.iter().find(|f| f.from < end && end <= f.to);
    let carried = carried.filter(|_| level != SynchronousCommit::Off);
    add(Point::FlushBegan, carried.map(|flush| flush.began));
    add(Point::Flushed, carried.map(|flush| flush.done));
    let mode = level.wait_mode().filter(|_| level != SynchronousCommit::Off);
    let replies = Replies { flow, size, end, primary: id(primary) };
    let release = mode.and_then(|mode| replies.release(mode, answered.at));
    let sent = release.and_then(|release| replies.brought(release));
    if let (Some(release), Some(mode)) = (release, mode) {
        add(Point::Sent, sent.map(|sent| sent.sent));
        add(Point::Arrived, sent.map(|sent| sent.arrived));
        add(Point::Written, replies.first(release, WaitMode::Write));
        if mode != WaitMode::Write {
            add(Point::StandbyFlushed, replies.first(release, WaitMode::Flush));
        }
        if mode == WaitMode::Apply {
            add(Point::Applied, replies.first(release, WaitMode::Apply));
        }
        add(Point::Replied, Some(release.arrived));
    }
    points.push((Point::Answered, answered.at));
    let is_with = |e: UsableBytes| carried.is_some_and(|f| f.from < e && e <= f.to);
    CommitPath {
        answered: *answered,
        end: end.end_lsn(size),
        level,
        points,
        standby: release.map(|release| release.from),
        ahead: sent
            .zip(carried)
            .map_or(Bytes(0), |(sent, flush)| replies.ahead_of(sent, flush.done)),
        together: flow.inserted.iter().filter(|record| is_with(record.end)).count(),
    }
}

fn id(server: usize) -> ServerId {
    ServerId(u8::try_from(server).expect("few servers"))
}

/// What standbys said while a commit was under way.
struct Replies<'a> {
    flow: &'a Flow,
    size: SegmentSize,
    end: UsableBytes,
    primary: ServerId,
}

impl Replies<'_> {
    /// Whether somebody has the record, who is there.
    fn has(&self, position: Lsn) -> bool {
        position.is_valid() && UsableBytes::from_lsn(position, self.size) >= self.end
    }

    /// The position of a kind in a status update.
    fn position(passed: &Passed, mode: WaitMode) -> Option<Lsn> {
        let Body::StatusUpdate { write, flush, apply, .. } = passed.body else { return None };
        Some(match mode {
            WaitMode::Write => write,
            WaitMode::Flush => flush,
            WaitMode::Apply => apply,
        })
    }

    /// The reply that arrived when the client was answered and has what it waited for.
    fn release(&self, mode: WaitMode, at: SimTime) -> Option<&Passed> {
        self.flow.messages.iter().find(|passed| {
            let has = Self::position(passed, mode).is_some_and(|position| self.has(position));
            passed.to == self.primary && passed.arrived == at && has
        })
    }

    /// When the standby that released it first said, on that connection, that it has the record so.
    fn first(&self, release: &Passed, mode: WaitMode) -> Option<SimTime> {
        let of_it = |passed: &&Passed| {
            passed.from == release.from && passed.connection == release.connection
        };
        let has = |passed: &&Passed| {
            Self::position(passed, mode).is_some_and(|position| self.has(position))
        };
        self.flow.messages.iter().filter(of_it).filter(has).map(|passed| passed.sent).min()
    }

    /// The message that brought the end of the record to that standby.
    fn brought(&self, release: &Passed) -> Option<&Passed> {
        self.flow.messages.iter().find(|passed| {
            let wal = wal(passed);
            passed.to == release.from
                && passed.connection == release.connection
                && !self.has(wal.start)
                && self.has(wal.end)
        })
    }

    /// WAL that came through on the same connection from a moment on, up to the record.
    fn ahead_of(&self, sent: &Passed, since: SimTime) -> Bytes {
        let before = self.flow.messages.iter().filter(|passed| {
            passed.to == sent.to
                && passed.connection == sent.connection
                && passed.arrived > since
                && wal(passed).end <= wal(sent).start
        });
        let others: u64 = before.map(|passed| wal(passed).end.0 - wal(passed).start.0).sum();
        Bytes(others + self.end.end_lsn(self.size).0.saturating_sub(wal(sent).start.0))
    }
}

/// The WAL in a message.
fn wal(passed: &Passed) -> std::ops::Range<Lsn> {
    match passed.body {
        Body::XLogData { start, end, .. } => start..end,
        _ => Lsn::INVALID..Lsn::INVALID,
    }
}
