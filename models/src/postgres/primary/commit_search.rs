//! Which commits end just below and just beyond a position, and when they were made.
//!
//! `pg_last_xact_replay_timestamp()` on a standby is the time in the last commit record that it has
//! replayed, and how stale a standby is depends on the first that it has not. A run keeps no time
//! of each commit. Whoever wants to know plays the run again and says at which positions: then the
//! commits around those are remembered, and of those that are not durable yet all, because a crash
//! may take them back.
//!
//! **Source.** `xact.c:XactLogCommitRecord` (`xact_time`), `xlogrecovery.c:SetLatestXTime`.
//!
//! **Not modelled.** Aborts, which have a time as well.

use std::collections::VecDeque;

use crate::units::{SimTime, UsableBytes};

/// A commit: where its record ends, and when it was made.
pub type CommitAt = (UsableBytes, SimTime);

/// The search for commits.
#[derive(Clone, Debug)]
pub struct CommitSearch {
    /// The positions that somebody asks for, in order.
    positions: Vec<UsableBytes>,
    /// Durable commits in order: those that are next to a position, and the newest.
    kept: Vec<CommitAt>,
    /// Commits that are not durable yet, in order.
    fresh: VecDeque<CommitAt>,
}

impl CommitSearch {
    /// A search for the commits around these positions.
    pub fn new(mut positions: Vec<UsableBytes>) -> CommitSearch {
        positions.sort_unstable();
        positions.dedup();
        CommitSearch { positions, kept: Vec::new(), fresh: VecDeque::new() }
    }

    /// A commit at `at`, when everything up to `flushed` was durable.
    pub(super) fn note(&mut self, end: UsableBytes, at: SimTime, flushed: UsableBytes) {
        self.fresh.push_back((end, at));
        while let Some(&commit) = self.fresh.front().filter(|(end, _)| *end <= flushed) {
            self.fresh.pop_front();
            self.keep(commit);
        }
    }

    /// Forgets the last one kept if no position lies between those beside it.
    fn keep(&mut self, commit: CommitAt) {
        if let [.., (before, _), last] = &mut self.kept[..] {
            let next = self.positions.partition_point(|position| position < before);
            if self.positions.get(next).is_none_or(|position| *position >= commit.0) {
                *last = commit;
                return;
            }
        }
        self.kept.push(commit);
    }

    /// Only the WAL up to here is left.
    pub fn cut(&mut self, survived: UsableBytes) {
        while self.fresh.back().is_some_and(|&(end, _)| end > survived) {
            self.fresh.pop_back();
        }
        while self.kept.last().is_some_and(|&(end, _)| end > survived) {
            self.kept.pop();
        }
    }

    /// The last commit that ends at a position or below, and the first that ends beyond it, of
    /// those so far. The position is one of those that were asked for.
    pub fn around(&self, position: UsableBytes) -> (Option<CommitAt>, Option<CommitAt>) {
        let below = |&(end, _): &CommitAt| end <= position;
        let (kept, fresh) = (self.kept.partition_point(below), self.fresh.partition_point(below));
        let last = match (fresh, kept) {
            (0, 0) => None,
            (0, kept) => Some(self.kept[kept - 1]),
            (fresh, _) => Some(self.fresh[fresh - 1]),
        };
        (last, self.kept.get(kept).or_else(|| self.fresh.get(fresh)).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Die;

    /// Every commit kept, and the search, asked at every moment for every position.
    #[test]
    fn a_search_finds_what_a_list_of_all_commits_has() {
        let mut die = Die::new(7, "commit search", "test");
        let mut throw = |below: u64| die.throw() % below;
        for _ in 0..50 {
            let positions: Vec<_> = (0..5).map(|_| UsableBytes(throw(400))).collect();
            let mut search = CommitSearch::new(positions.clone());
            let (mut all, mut end, mut flushed) = (Vec::new(), 0, 0);
            for at in 0..100 {
                end += 1 + throw(6);
                flushed += throw(end - flushed + 1);
                search.note(UsableBytes(end), SimTime(at), UsableBytes(flushed));
                all.push((UsableBytes(end), SimTime(at)));
                if throw(20) == 0 {
                    search.cut(UsableBytes(flushed));
                    all.retain(|(end, _)| end.0 <= flushed);
                    end = flushed;
                }
                for &position in &positions {
                    let after = all.partition_point(|(end, _)| *end <= position);
                    let last = after.checked_sub(1).map(|last| all[last]);
                    let wanted = (last, all.get(after).copied());
                    assert_eq!(search.around(position), wanted, "{position:?} at {at}");
                }
            }
            assert!(search.kept.len() <= 2 * positions.len() + 2, "{:?}", search.kept);
        }
    }
}
