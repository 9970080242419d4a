//! Follows some commits through their stages, whole flushes at a time, and costs the others
//! nothing.
//!
//! A flush is followed unless one that began less than 10 ms before it was: all of them on a quiet
//! server, and on a busy one enough for shares and too few to be felt. When a followed flush ends,
//! those that it answers are looked at one by one, and those that wait for standbys when a reply
//! answers them. Who looks scales the shares to all commits that were answered meanwhile.
//!
//! **Not modelled.** The service of a commit whose workload's service varies counts with its mean.

use std::collections::VecDeque;

use crate::postgres::backend::{Commits, Waiting};
use crate::postgres::syncrep::WaitMode;
use crate::trace::commit::{Stage, StageSample, StageTimes};
use crate::units::{Duration, SimTime, UsableBytes};

/// The flushes that begin so soon after a followed one are not followed.
const APART: Duration = Duration::ms(10);

/// What is known of stages since somebody looked.
#[derive(Clone, Debug)]
pub struct Stages {
    sample: StageSample,
    /// Mean service of each workload, once it has come.
    services: Vec<Duration>,
    /// When the last flush began.
    last_begin: SimTime,
    /// The flush in progress, if it is followed.
    following: Option<Cycle>,
    /// Flushes that were followed, and whose commits wait for standbys, in WAL order.
    durable: VecDeque<Cycle>,
    /// The next flush is followed if it begins then or later.
    next: SimTime,
}

/// A flush that is followed.
#[derive(Clone, Copy, Debug)]
struct Cycle {
    /// It makes durable what ends behind this, up to `to`.
    from: UsableBytes,
    to: UsableBytes,
    /// The longest that a commit may have waited for the one before.
    waited: Duration,
    begin: SimTime,
    done: SimTime,
}

impl Default for Stages {
    fn default() -> Stages {
        Stages {
            sample: StageSample::default(),
            services: Vec::new(),
            last_begin: SimTime::ZERO,
            following: None,
            durable: VecDeque::new(),
            next: SimTime::ZERO,
        }
    }
}

impl Stages {
    /// What was seen since this was asked last.
    pub fn take(&mut self) -> StageSample {
        std::mem::take(&mut self.sample)
    }

    /// Notes the mean service of a workload whose transactions come now.
    #[inline]
    pub fn workload(&mut self, workload: u16, service: Duration) {
        let index = usize::from(workload);
        if index >= self.services.len() {
            self.services.resize(index + 1, Duration::ZERO);
        }
        self.services[index] = service;
    }

    /// A commit was answered before it is durable, so long after its intended start.
    #[inline]
    pub fn answered_early(&mut self, workload: u16, latency: Duration) {
        let service = self.service(workload).min(latency);
        self.sample.early.add(Stage::Service, service.0);
        self.sample.early.add(Stage::Queue, latency.0 - service.0);
    }

    /// A flush begins, or its owner's sleep of commit_delay.
    #[inline]
    pub fn flush_began(&mut self, now: SimTime) {
        if now >= self.next {
            self.follow_flush(now);
        }
        self.last_begin = now;
    }

    fn follow_flush(&mut self, now: SimTime) {
        let (none, waited) = (UsableBytes::default(), now.since(self.last_begin));
        self.following = Some(Cycle { from: none, to: none, waited, begin: now, done: now });
        self.next = now + APART;
    }

    /// The owner of the flush has slept commit_delay and begins to write.
    pub fn delay_ended(&mut self, now: SimTime) {
        if let Some(cycle) = &mut self.following {
            cycle.waited = Duration(cycle.waited.0 + now.since(cycle.begin).0);
            cycle.begin = now;
        }
    }

    /// A step of the flush in progress is over, which made `from` to `to` durable; nobody who
    /// waited for it is answered yet.
    #[inline]
    pub fn step_ended(
        &mut self,
        now: SimTime,
        (from, to): (UsableBytes, UsableBytes),
        last: bool,
        commits: &Commits,
    ) {
        if let Some(cycle) = self.following {
            if last {
                self.following = None;
            }
            self.durable_now(Cycle { from, to, done: now, ..cycle }, commits);
        }
    }

    fn durable_now(&mut self, cycle: Cycle, commits: &Commits) {
        self.add(cycle.done, &cycle, commits.waiting_between(None, cycle.from, cycle.to));
        if waits_for_standbys(&cycle, commits) {
            self.durable.push_back(cycle);
        }
    }

    /// Whether somebody who is followed may have waited for standbys to have everything up to
    /// `synced`.
    #[inline]
    pub fn follow(&self, synced: UsableBytes) -> bool {
        self.durable.front().is_some_and(|cycle| cycle.from < synced)
    }

    /// Standbys have everything up to `synced`; nobody who waited for it is answered yet.
    pub fn synced(&mut self, now: SimTime, mode: WaitMode, synced: UsableBytes, commits: &Commits) {
        for index in 0..self.durable.len() {
            let cycle = self.durable[index];
            if cycle.from >= synced {
                break;
            }
            let to = cycle.to.min(synced);
            self.add(now, &cycle, commits.waiting_between(Some(mode), cycle.from, to));
        }
    }

    /// Whoever could be was answered: forgets the flushes whose commits are all over.
    pub fn answered(&mut self, commits: &Commits) {
        while self.durable.front().is_some_and(|cycle| !waits_for_standbys(cycle, commits)) {
            self.durable.pop_front();
        }
    }

    /// Adds what commits of one flush went through that are answered now.
    fn add(&mut self, now: SimTime, cycle: &Cycle, waiting: &[Waiting]) {
        let mut times = StageTimes::default();
        let count = waiting.len() as u64;
        times.add(Stage::WalSync, count * cycle.done.since(cycle.begin).0);
        times.add(Stage::SyncRep, count * now.since(cycle.done).0);
        for commit in waiting {
            let before = cycle.begin.since(commit.start);
            let service = self.service(commit.session.workload).min(before);
            let waited = Duration(before.0 - service.0);
            let locked = waited.min(cycle.waited);
            times.add(Stage::Service, service.0);
            times.add(Stage::WalWrite, locked.0);
            times.add(Stage::Queue, waited.0 - locked.0);
        }
        self.sample.followed.add_all(&times);
    }

    fn service(&self, workload: u16) -> Duration {
        self.services.get(usize::from(workload)).copied().unwrap_or(Duration::ZERO)
    }
}

/// Whether a commit of a flush, or of one before it, waits for standbys.
fn waits_for_standbys(cycle: &Cycle, commits: &Commits) -> bool {
    let waits = |mode| commits.first_waiting(mode).is_some_and(|end| end <= cycle.to);
    WaitMode::ALL.into_iter().any(waits)
}
