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
//! **Source.** `xact.c:RecordTransactionCommit`; `syncrep.c:SyncRepWaitForLSN`,
//! `SyncRepWakeQueue`.
//!
//! **Not modelled.** The few microseconds between a wake-up and the client's answer; they belong
//! to `workload.X.service`.

use std::collections::VecDeque;

use super::guc::SynchronousCommit;
use super::syncrep::WaitMode;
use crate::units::{SimTime, UsableBytes};

/// The session of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// An answer to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// When the client had it.
    pub at: SimTime,
    /// The commit's intended start.
    pub start: SimTime,
    /// Whose it is.
    pub session: Session,
}

/// All commits that are not over.
#[derive(Clone, Debug, Default)]
pub struct Commits {
    local: Queue,
    remote: [Queue; 3],
    /// Ends of commits that were answered before they were durable.
    unflushed: VecDeque<UsableBytes>,
}

/// Commits that wait for one kind of position, in WAL order.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    /// Those that wait, behind some that were answered.
    waiting: Vec<Waiting>,
    /// How many of them were answered.
    released: usize,
    /// End of the last one that was answered.
    answered: UsableBytes,
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
    pub fn answered_early(&mut self, end: UsableBytes) {
        self.unflushed.push_back(end);
    }

    /// Everything up to `flushed` is durable here.
    pub fn flushed(&mut self, now: SimTime, flushed: UsableBytes, out: &mut Vec<Acknowledged>) {
        if !self.local.waiting.is_empty() {
            self.local.release(now, flushed, out);
        }
        while self.unflushed.front().is_some_and(|&end| end <= flushed) {
            self.unflushed.pop_front();
        }
    }

    /// Standbys have everything up to `synced` in `mode`.
    pub fn synced(
        &mut self,
        now: SimTime,
        mode: WaitMode,
        synced: UsableBytes,
        out: &mut Vec<Acknowledged>,
    ) {
        self.queue(Some(mode)).release(now, synced, out);
    }

    /// Nobody waits for standbys any more, only for the local flush.
    pub fn wait_for_no_standby(
        &mut self,
        now: SimTime,
        flushed: UsableBytes,
        out: &mut Vec<Acknowledged>,
    ) {
        for queue in &mut self.remote {
            let answered = queue.answered;
            queue.release(now, flushed, out);
            self.local.answered = self.local.answered.max(queue.answered);
            self.local.waiting.extend(queue.live());
            *queue = Queue { answered, ..Queue::default() };
        }
        self.local.waiting.drain(..self.local.released);
        self.local.released = 0;
        self.local.waiting.sort_by_key(|waiting| waiting.end);
    }

    /// Whether any backend waits for standbys in `mode`.
    #[inline]
    pub fn waits_for(&self, mode: WaitMode) -> bool {
        !self.remote[mode as usize].live().is_empty()
    }

    /// End of the last commit that was answered in `mode`, or after its local flush alone.
    #[inline]
    pub fn answered(&self, mode: Option<WaitMode>) -> UsableBytes {
        match mode {
            None => self.local.answered,
            Some(mode) => self.remote[mode as usize].answered,
        }
    }

    /// How many backends wait.
    pub fn waiting(&self) -> usize {
        self.local.live().len() + self.remote.iter().map(|queue| queue.live().len()).sum::<usize>()
    }

    /// All processes died, and `survived` is the end of the WAL that is left. Tells whose
    /// connection ended without an answer.
    pub fn crash(&mut self, survived: UsableBytes, mut unknown: impl FnMut(Waiting)) -> CrashToll {
        let mut toll = CrashToll::default();
        for queue in [&mut self.local].into_iter().chain(&mut self.remote) {
            toll.unknown += queue.live().len() as u64;
            queue.live().iter().copied().for_each(&mut unknown);
            *queue = Queue { answered: queue.answered, ..Queue::default() };
        }
        toll.lost = self.unflushed.iter().filter(|&&end| end > survived).count() as u64;
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

impl Queue {
    /// A commit waits.
    #[inline]
    pub fn push(&mut self, waiting: Waiting) {
        self.waiting.push(waiting);
    }

    /// Those that still wait.
    #[inline]
    fn live(&self) -> &[Waiting] {
        &self.waiting[self.released..]
    }

    /// Answers whoever waits for a position up to `upto`.
    #[inline]
    fn release(&mut self, now: SimTime, upto: UsableBytes, out: &mut Vec<Acknowledged>) {
        let live = self.live();
        let released = live.iter().position(|w| w.end > upto).unwrap_or(live.len());
        let answer = |w: &Waiting| Acknowledged { at: now, start: w.start, session: w.session };
        out.extend(live[..released].iter().map(answer));
        if let Some(last) = live[..released].last() {
            self.answered = last.end;
        }
        self.released += released;
        // What is left moves to the front when it is less than what moving it makes room for.
        if self.released * 2 >= self.waiting.len() {
            self.waiting.drain(..self.released);
            self.released = 0;
        }
    }
}
