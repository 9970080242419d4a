//! Backends that commit: who waits for what, and who is released.
//!
//! A commit inserts its record and then, by its `synchronous_commit`, waits for nothing (`off`),
//! for the local flush (`local`), or for standbys as well. A backend that waits for standbys
//! first waits for the local flush; since a standby can only have what is flushed here, its
//! release implies the flush, and one queue for each of [`WaitMode`] is enough. All queues are in
//! WAL order, as PostgreSQL's are, so a release is a scan from the front.
//!
//! Commits with `off` are answered at once. Their ends are kept until they are durable, because a
//! crash before that loses them although they were acknowledged.
//!
//! A wait for standbys can be interrupted, the local flush before it cannot: who asks for that
//! means the sessions that `pg_stat_activity` shows in it. A session whose client is gone waits on
//! as any other, and only then finds nobody to answer.
//!
//! **Source.** `xact.c:RecordTransactionCommit`; `syncrep.c:SyncRepWaitForLSN`,
//! `SyncRepWakeQueue`, `SyncRepCancelWait`.
//!
//! **Not modelled.** A cancel request that comes during the local flush: in PostgreSQL it ends the
//! wait behind it. The few microseconds between a wake-up and the client's answer; they belong
//! to `workload.X.service`.

use std::collections::VecDeque;

use serde::Serialize;

use super::command::{Interrupt, Waiters};
use super::guc::SynchronousCommit;
use super::syncrep::WaitMode;
use crate::units::{SimTime, UsableBytes};

/// The session of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Session {
    /// Index of its workload.
    pub workload: u16,
    /// Its client within the workload.
    pub client: u32,
}

/// A commit whose client waits for the answer.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    /// End of its commit record.
    pub end: UsableBytes,
    /// Its intended start.
    pub start: SimTime,
    /// Whose it is.
    pub session: Session,
}

/// Answers to clients, all given at one moment.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// When the clients have them.
    pub at: SimTime,
    /// The commits that they are for, in order.
    pub to: Vec<Waiting>,
}

/// All commits that are not over.
#[derive(Clone, Debug, Default)]
pub struct Commits {
    local: Queue,
    remote: [Queue; 3],
    /// Those that wait for standbys although their clients are gone, in no order.
    abandoned: Vec<(WaitMode, Waiting)>,
    /// Ends of commits that were answered before they were durable, and their workloads.
    unflushed: VecDeque<(UsableBytes, u16)>,
}

/// Commits that wait for one kind of position, in WAL order.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    /// Those that wait, behind some that were answered.
    waiting: Vec<Waiting>,
    /// How many of them were answered.
    released: usize,
}

/// A session that waits for standbys.
#[derive(Clone, Copy, Debug)]
pub struct Interruptible {
    /// What its commit waits for.
    pub mode: WaitMode,
    /// Its commit.
    pub waiting: Waiting,
    /// Whether its client is gone.
    pub abandoned: bool,
}

/// What a crash does to commits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CrashToll {
    /// Acknowledged, and not in the WAL that survived.
    pub lost: u64,
    /// Not answered: the client does not know.
    pub unknown: u64,
}

impl SynchronousCommit {
    /// The standby position a commit waits for, if any.
    pub fn wait_mode(self) -> Option<WaitMode> {
        match self {
            SynchronousCommit::Off | SynchronousCommit::Local => None,
            SynchronousCommit::RemoteWrite => Some(WaitMode::Write),
            SynchronousCommit::On => Some(WaitMode::Flush),
            SynchronousCommit::RemoteApply => Some(WaitMode::Apply),
        }
    }
}

impl Commits {
    /// A commit waits: for standbys in `mode`, or for the local flush alone.
    #[inline]
    pub fn wait(&mut self, mode: Option<WaitMode>, waiting: Waiting) {
        self.queue(mode).push(waiting);
    }

    /// A commit was answered although its record is not durable.
    pub fn answered_early(&mut self, end: UsableBytes, workload: u16) {
        self.unflushed.push_back((end, workload));
    }

    /// Everything up to `flushed` is durable here.
    pub fn flushed(&mut self, now: SimTime, flushed: UsableBytes, out: &mut Answers) {
        if !self.local.waiting.is_empty() {
            self.local.release(now, flushed, out);
        }
        while self.unflushed.front().is_some_and(|&(end, _)| end <= flushed) {
            self.unflushed.pop_front();
        }
    }

    /// Standbys have everything up to `synced` in `mode`.
    pub fn synced(&mut self, now: SimTime, mode: WaitMode, synced: UsableBytes, out: &mut Answers) {
        self.queue(Some(mode)).release(now, synced, out);
        if !self.abandoned.is_empty() {
            self.abandoned.retain(|(of, waiting)| *of != mode || waiting.end > synced);
        }
    }

    /// Nobody waits for standbys any more, only for the local flush.
    pub fn wait_for_no_standby(&mut self, now: SimTime, flushed: UsableBytes, out: &mut Answers) {
        for queue in &mut self.remote {
            queue.release(now, flushed, out);
            self.local.waiting.extend(queue.live());
            *queue = Queue::default();
        }
        self.local.waiting.drain(..self.local.released);
        self.local.released = 0;
        self.local.waiting.sort_by_key(|waiting| waiting.end);
        self.abandoned.clear();
    }

    /// Commits that end behind `end` and are not over, with their workloads, in WAL order; those
    /// that were answered before they were durable are among them.
    pub fn after(&self, end: UsableBytes) -> Vec<(u16, UsableBytes)> {
        let mut all: Vec<(u16, UsableBytes)> = Vec::new();
        for queue in [&self.local].into_iter().chain(&self.remote) {
            let newest = queue.live().iter().rev().take_while(|waiting| waiting.end > end);
            all.extend(newest.map(|waiting| (waiting.session.workload, waiting.end)));
        }
        let newest = self.unflushed.iter().rev().take_while(|(at, _)| *at > end);
        all.extend(newest.map(|&(at, workload)| (workload, at)));
        all.sort_by_key(|(_, at)| *at);
        all
    }

    /// Commits of a workload that nobody sees: their clients wait, or did.
    pub fn unseen(&self, workload: u16) -> u64 {
        let queues = [&self.local].into_iter().chain(&self.remote);
        let waiting = queues.flat_map(|queue| queue.live());
        let abandoned = self.abandoned.iter().map(|(_, waiting)| waiting);
        let all = waiting.chain(abandoned);
        all.filter(|waiting| waiting.session.workload == workload).count() as u64
    }

    /// Sessions whose commits are durable here and wait for standbys, in WAL order.
    pub fn waiting_for_standbys(&self, flushed: UsableBytes) -> Vec<Interruptible> {
        let mut all = Vec::new();
        for mode in WaitMode::ALL {
            let live = self.remote[mode as usize].live().iter();
            let durable = live.take_while(|waiting| waiting.end <= flushed);
            all.extend(durable.map(|&waiting| Interruptible { mode, waiting, abandoned: false }));
        }
        let abandoned = self.abandoned.iter();
        all.extend(abandoned.map(|&(mode, waiting)| Interruptible {
            mode,
            waiting,
            abandoned: true,
        }));
        all.sort_by_key(|session| session.waiting.end);
        all
    }

    /// Sessions that wait for standbys wait no more, or their clients do not. Which ones.
    pub fn interrupt(
        &mut self,
        how: Interrupt,
        whom: Waiters,
        flushed: UsableBytes,
    ) -> Vec<Interruptible> {
        let disconnect = how == Interrupt::Disconnect;
        let mut meant = self.waiting_for_standbys(flushed);
        meant.retain(|session| {
            // A client cannot go twice.
            session.waiting.session.workload == whom.workload && !(disconnect && session.abandoned)
        });
        if let Some(nth) = whom.nth {
            let index = nth.saturating_sub(1) as usize;
            meant = meant.get(index).copied().into_iter().collect();
        }
        let is_meant = |waiting: &Waiting| {
            meant.binary_search_by_key(&waiting.end, |session| session.waiting.end).is_ok()
        };
        for queue in &mut self.remote {
            queue.waiting.drain(..queue.released);
            queue.released = 0;
            queue.waiting.retain(|waiting| !is_meant(waiting));
        }
        self.abandoned.retain(|(_, waiting)| !is_meant(waiting));
        if disconnect {
            self.abandoned.extend(meant.iter().map(|session| (session.mode, session.waiting)));
        }
        meant
    }

    /// Those that wait for standbys in `mode`, or for the local flush alone, and whose commit ends
    /// behind `from` and not behind `to`.
    pub fn waiting_between(
        &self,
        mode: Option<WaitMode>,
        from: UsableBytes,
        to: UsableBytes,
    ) -> &[Waiting] {
        let queue = mode.map_or(&self.local, |mode| &self.remote[mode as usize]);
        let live = queue.live();
        let first = live.partition_point(|waiting| waiting.end <= from);
        let behind = live.partition_point(|waiting| waiting.end <= to);
        &live[first..behind.max(first)]
    }

    /// End of the first commit that waits for standbys in `mode`.
    #[inline]
    pub fn first_waiting(&self, mode: WaitMode) -> Option<UsableBytes> {
        self.remote[mode as usize].live().first().map(|waiting| waiting.end)
    }

    /// Whether any backend waits for standbys in `mode`.
    #[inline]
    pub fn waits_for(&self, mode: WaitMode) -> bool {
        !self.remote[mode as usize].live().is_empty()
            || self.abandoned.iter().any(|(of, _)| *of == mode)
    }

    /// How many clients wait for the answer to a commit.
    pub fn awaited(&self) -> usize {
        self.local.live().len() + self.remote.iter().map(|queue| queue.live().len()).sum::<usize>()
    }

    /// How many backends wait.
    pub fn waiting(&self) -> usize {
        let remote: usize = self.remote.iter().map(|queue| queue.live().len()).sum();
        self.local.live().len() + remote + self.abandoned.len()
    }

    /// All processes died, and `survived` is the end of the WAL that is left. Tells whose
    /// connection ended without an answer.
    pub fn crash(&mut self, survived: UsableBytes, mut unknown: impl FnMut(Waiting)) -> CrashToll {
        let mut toll = CrashToll::default();
        for queue in [&mut self.local].into_iter().chain(&mut self.remote) {
            toll.unknown += queue.live().len() as u64;
            queue.live().iter().copied().for_each(&mut unknown);
            *queue = Queue::default();
        }
        self.abandoned.clear();
        toll.lost = self.unflushed.iter().filter(|&&(end, _)| end > survived).count() as u64;
        self.unflushed.clear();
        toll
    }

    /// The queue of commits that wait for standbys in `mode`, or for the local flush alone.
    #[inline]
    pub fn queue(&mut self, mode: Option<WaitMode>) -> &mut Queue {
        match mode {
            None => &mut self.local,
            Some(mode) => &mut self.remote[mode as usize],
        }
    }
}

impl Answers {
    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.to.is_empty()
    }

    /// Some commits are answered at `now`.
    #[inline]
    pub fn give(&mut self, now: SimTime, to: &[Waiting]) {
        debug_assert!(self.at == now || self.is_empty(), "answers of {} at {now}", self.at);
        self.at = now;
        self.to.extend_from_slice(to);
    }
}

impl Queue {
    /// A commit waits.
    #[inline]
    pub fn push(&mut self, waiting: Waiting) {
        self.waiting.push(waiting);
    }

    /// The last `count` of them.
    #[inline]
    pub fn last(&mut self, count: usize) -> &mut [Waiting] {
        let first = self.waiting.len() - count;
        &mut self.waiting[first..]
    }

    /// Those that still wait.
    #[inline]
    fn live(&self) -> &[Waiting] {
        &self.waiting[self.released..]
    }

    /// Answers whoever waits for a position up to `upto`.
    #[inline]
    fn release(&mut self, now: SimTime, upto: UsableBytes, out: &mut Answers) {
        let live = self.live();
        let released = live.iter().position(|w| w.end > upto).unwrap_or(live.len());
        out.give(now, &live[..released]);
        self.released += released;
        // What is left moves to the front when it is less than what moving it makes room for.
        if self.released * 2 >= self.waiting.len() {
            self.waiting.drain(..self.released);
            self.released = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(end: u64, workload: u16) -> Waiting {
        let session = Session { workload, client: 0 };
        Waiting { end: UsableBytes(end), start: SimTime::ZERO, session }
    }

    /// `RecordTransactionCommit`: a commit is over when its record is durable here and whoever
    /// waits for standbys has been released; a crash that keeps less takes it back or leaves its
    /// client without an answer.
    #[test]
    fn commits_that_are_not_over_are_told_in_wal_order_whatever_they_wait_for() {
        let mut commits = Commits::default();
        commits.wait(Some(WaitMode::Apply), commit(10, 3));
        commits.wait(Some(WaitMode::Flush), commit(20, 0));
        commits.wait(None, commit(30, 1));
        commits.answered_early(UsableBytes(40), 0);
        commits.wait(Some(WaitMode::Flush), commit(50, 2));
        let after = |end| commits.after(UsableBytes(end));
        let told = [(3, 10), (0, 20), (1, 30), (0, 40), (2, 50)];
        let told = told.map(|(workload, end)| (workload, UsableBytes(end)));
        assert_eq!(after(0), told);
        assert_eq!(after(30), told[3..]);
        assert_eq!(after(50), []);
        // Four clients wait for an answer; one of the five has it.
        assert_eq!((commits.awaited(), commits.waiting()), (4, 4));
    }

    /// `XLogSetAsyncXactLSN`: what was answered early is at risk until a flush has passed it.
    #[test]
    fn commits_that_were_answered_early_are_at_risk_until_they_are_flushed() {
        let mut commits = Commits::default();
        for end in [20, 40] {
            commits.answered_early(UsableBytes(end), 0);
        }
        let mut at_risk = |flushed| {
            commits.flushed(SimTime::ZERO, UsableBytes(flushed), &mut Answers::default());
            let ends: Vec<u64> = commits.after(UsableBytes(0)).iter().map(|(_, e)| e.0).collect();
            ends
        };
        assert_eq!(at_risk(19), [20, 40]);
        assert_eq!(at_risk(20), [40]);
        assert_eq!(at_risk(39), [40]);
        assert!(at_risk(40).is_empty());
    }
}
