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
    local: VecDeque<Waiting>,
    remote: [VecDeque<Waiting>; 3],
    /// Ends of commits that were answered before they were durable.
    unflushed: VecDeque<UsableBytes>,
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
        self.queue(mode).push_back(waiting);
    }

    /// A commit was answered although its record is not durable.
    pub fn answered_early(&mut self, end: UsableBytes) {
        self.unflushed.push_back(end);
    }

    /// Everything up to `flushed` is durable here.
    pub fn flushed(&mut self, now: SimTime, flushed: UsableBytes, out: &mut Vec<Acknowledged>) {
        release(&mut self.local, now, flushed, out);
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
        release(self.queue(Some(mode)), now, synced, out);
    }

    /// Whether any backend waits for standbys in `mode`.
    #[inline]
    pub fn waits_for(&self, mode: WaitMode) -> bool {
        !self.remote[mode as usize].is_empty()
    }

    /// How many backends wait.
    pub fn waiting(&self) -> usize {
        self.local.len() + self.remote.iter().map(VecDeque::len).sum::<usize>()
    }

    /// All processes died, and `survived` is the end of the WAL that is left. Tells whose
    /// connection ended without an answer.
    pub fn crash(&mut self, survived: UsableBytes, mut unknown: impl FnMut(Waiting)) -> CrashToll {
        let mut toll = CrashToll::default();
        for queue in [&mut self.local].into_iter().chain(&mut self.remote) {
            toll.unknown += queue.len() as u64;
            queue.drain(..).for_each(&mut unknown);
        }
        toll.lost = self.unflushed.iter().filter(|&&end| end > survived).count() as u64;
        self.unflushed.clear();
        toll
    }

    #[inline]
    fn queue(&mut self, mode: Option<WaitMode>) -> &mut VecDeque<Waiting> {
        match mode {
            None => &mut self.local,
            Some(mode) => &mut self.remote[mode as usize],
        }
    }
}

#[inline]
fn release(
    queue: &mut VecDeque<Waiting>,
    now: SimTime,
    upto: UsableBytes,
    out: &mut Vec<Acknowledged>,
) {
    let answer = |w: &Waiting| Acknowledged { at: now, start: w.start, session: w.session };
    let (first, second) = queue.as_slices();
    let released = first.iter().take_while(|w| w.end <= upto).count();
    out.extend(first[..released].iter().map(answer));
    let mut all = released;
    if released == first.len() {
        let released = second.iter().take_while(|w| w.end <= upto).count();
        out.extend(second[..released].iter().map(answer));
        all += released;
    }
    queue.drain(..all);
}
