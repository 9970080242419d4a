//! Which primary clients write to, and what a promotion costs.
//!
//! Clients connect as with a list of all hosts and `target_session_attrs=read-write`: those that
//! have a session keep it as long as its server runs; without one they take whichever server
//! accepts writes. So an old primary that still runs keeps them, and whatever it answers from the
//! fork on is not on the new timeline.
//!
//! A commit is *lost* if it was answered, and its record ends behind the place where the new
//! timeline begins.
//!
//! **Source.** libpq's `target_session_attrs`; `postgres.md` 9.2.
//!
//! **Not modelled.** Clients that leave a primary that runs but cannot be reached, or is frozen;
//! the time that a client takes to try one host after the other.

use std::collections::VecDeque;

use models::postgres::server::State;
use models::trace::fact::What;
use models::trace::summary::FailoverSummary;
use models::units::{Duration, Lsn, SimTime, TimelineId, UsableBytes};
use scenarios::action::Deed;
use scenarios::scenario::Scenario;

use super::World;

/// What a run that promotes a standby has to know besides.
#[derive(Clone, Debug)]
pub(super) struct Failovers {
    done: Vec<Failover>,
    /// Of each server, the ends of the commits it answered that some standby may lack.
    answered: Vec<VecDeque<UsableBytes>>,
    /// How long those may become before they are gone through.
    most: usize,
}

/// A standby has become a primary.
#[derive(Clone, Copy, Debug)]
struct Failover {
    at: SimTime,
    from: usize,
    to: usize,
    timeline: TimelineId,
    /// Where its timeline begins.
    fork: Lsn,
    downtime: Duration,
    /// Commits that the old primary had lost in crashes by then: no standby ever had them.
    crashed: u64,
}

/// Answered commits that are kept before they are gone through for the first time.
const KEPT: usize = 1 << 16;

impl Failovers {
    /// For a scenario that promotes a standby; `None` for any other.
    pub fn of(scenario: &Scenario) -> Option<Box<Failovers>> {
        let promotes = |deed: &Deed| matches!(deed, Deed::Promote(_));
        scenario.deeds().any(promotes).then(|| {
            let answered = vec![VecDeque::new(); scenario.servers.len()];
            Box::new(Failovers { done: Vec::new(), answered, most: KEPT })
        })
    }
}

impl World {
    /// The primary has given the answers in `out`.
    pub(super) fn note_commits_answered(&mut self) {
        let Some(failovers) = &mut self.failovers else { return };
        let answered = &mut failovers.answered[self.primary];
        answered.extend(self.out.answers.to.iter().map(|commit| commit.end));
        if answered.len() > failovers.most {
            // What every standby has made durable, no promotion loses.
            let size = self.servers[self.primary].host.files.size;
            let durable = self.standbys.iter().map(|&s| self.servers[s].flushed()).min();
            let durable = UsableBytes::from_lsn(durable.unwrap_or(Lsn::INVALID), size);
            answered.retain(|end| *end > durable);
            failovers.most = KEPT.max(2 * answered.len());
        }
    }

    /// A standby has become a primary.
    pub(super) fn promoted(&mut self, server: usize, what: &What) {
        let What::Promoted { timeline, at: fork, from } = *what else { return };
        self.be_loud();
        self.streams[server] = None;
        let from = from.index();
        let record = self.recorder.as_ref().and_then(|recorder| recorder.servers.get(from));
        let down = record.and_then(|record| record.down_since);
        let failover = Failover {
            at: self.now,
            from,
            to: server,
            timeline,
            fork,
            downtime: down.map_or(Duration::ZERO, |since| self.now.since(since)),
            crashed: self.servers[from].toll().lost,
        };
        if let Some(failovers) = &mut self.failovers {
            failovers.done.push(failover);
        }
    }

    /// Clients without a session look for a server that takes them.
    pub(super) fn choose_primary(&mut self) {
        if !matches!(self.servers[self.primary].state(), State::Down) {
            return;
        }
        let takes = |server: usize| {
            self.servers[server].primary_state().is_some() && self.servers[server].is_open()
        };
        if let Some(other) = (0..self.servers.len()).find(|&server| takes(server)) {
            self.primary = other;
            self.primary_flushed = self.servers[other].flushed();
            self.cut_rows();
            // It has begun a checkpoint of its own.
            self.workloads.iter_mut().for_each(|workload| workload.clients.redo_moved());
            self.sessions_since = self.now;
            self.refuse_clients();
            self.agenda.set(other, self.servers[other].next_deadline());
            self.book_clients();
        }
    }

    /// The moment has come of a primary that no client writes to.
    #[cold]
    pub(super) fn idle_primary_due(&mut self, server: usize) {
        self.count_event(server);
        self.servers[server].deadline(self.now, &mut self.out);
        self.settle_idle_primary(server);
    }

    #[cold]
    pub(super) fn settle_idle_primary(&mut self, server: usize) {
        self.send_wal(self.servers[server].id());
        self.carry_out(server);
        self.agenda.set(server, self.servers[server].next_deadline());
    }

    /// Every failover, in order.
    pub(super) fn failover_summaries(&self, scenario: &Scenario) -> Vec<FailoverSummary> {
        let name = |server: usize| scenario.servers[server].name.clone();
        let summary = |failover: &Failover| FailoverSummary {
            at_seconds: Duration(failover.at.0).as_seconds(),
            from: name(failover.from),
            to: name(failover.to),
            timeline: failover.timeline,
            lost_commits: self.lost_by(failover),
            downtime_seconds: failover.downtime.as_seconds(),
        };
        self.failovers.iter().flat_map(|failovers| failovers.done.iter().map(summary)).collect()
    }

    /// Commits that were answered, and are not on the timeline of the last primary.
    pub(super) fn lost_commits(&self) -> u64 {
        let crashed: u64 = self.servers.iter().map(|server| server.toll().lost).sum();
        let of = |failover: &Failover| (self.lost_by(failover), failover.crashed);
        let failovers = self.failovers.iter().flat_map(|failovers| failovers.done.iter().map(of));
        // What was lost in a crash before is among what the failover lost.
        failovers.fold(crashed, |all, (lost, crashed)| all + lost - crashed.min(lost))
    }

    fn lost_by(&self, failover: &Failover) -> u64 {
        let size = self.servers[failover.to].host.files.size;
        let fork = UsableBytes::from_lsn(failover.fork, size);
        let answered = self.failovers.iter().flat_map(|f| &f.answered[failover.from]);
        answered.filter(|end| **end > fork).count() as u64
    }
}
