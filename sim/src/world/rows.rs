//! The rows that workloads have added, by WAL position: what a session sees where.
//!
//! A workload's n-th commit ends at a position of the WAL. A standby that has replayed up to there
//! shows it; a primary shows it when its wait is over. To answer for any server, the ends of
//! commits are kept from the insert on, for as long as some standby has not replayed them, and
//! only in runs whose file asks for rows: no other pays for them.
//!
//! **Exact** on a primary always, and on a standby while fewer than [`Marks::LIMIT`] commits of the
//! workload are between it and the primary. Further behind, every second of the older half is
//! dropped as often as need be: what a standby in that half shows is then rounded down to the next
//! commit that is kept.
//!
//! **Source.** Walden's own.
//!
//! **Not modelled.** Rows that are deleted; transactions that roll back. A commit with
//! `synchronous_commit = off` that comes during a flush is seen from that flush's end on.

use std::collections::VecDeque;

use models::postgres::server::State;
use models::postgres::statement::{Answer, Asked, Statement};
use models::trace::fact::{Fact, ServerId, What};
use models::units::UsableBytes;

use super::World;

/// Ends of commits, for every workload.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    marks: Vec<Marks>,
    /// Rows of a transaction, for every workload.
    each: Vec<u64>,
    /// Everything up to here has been noted.
    seen: UsableBytes,
}

/// Ends of one workload's commits: (position, how many up to there), in order.
#[derive(Clone, Debug, Default)]
struct Marks {
    kept: VecDeque<(UsableBytes, u64)>,
    /// Commits below all that are kept.
    forgotten: u64,
    total: u64,
}

impl Marks {
    /// How many are kept: 4 MB.
    const LIMIT: usize = 1 << 18;

    fn add(&mut self, end: UsableBytes) {
        self.total += 1;
        self.kept.push_back((end, self.total));
    }

    /// How many commits end at or below a position.
    fn up_to(&self, end: UsableBytes) -> u64 {
        match self.kept.partition_point(|(at, _)| *at <= end) {
            0 => self.forgotten,
            n => self.kept[n - 1].1,
        }
    }

    /// Nobody will ask below `end` any more.
    fn forget(&mut self, end: UsableBytes) {
        while let Some(&(at, count)) = self.kept.front()
            && at <= end
        {
            self.forgotten = count;
            self.kept.pop_front();
        }
    }

    /// The WAL ends here now.
    fn cut(&mut self, end: UsableBytes) {
        while self.kept.back().is_some_and(|(at, _)| *at > end) {
            self.kept.pop_back();
        }
        self.total = self.kept.back().map_or(self.forgotten, |(_, count)| *count);
    }

    /// Drops every second one of the older half.
    fn thin(&mut self) {
        let half = self.kept.len() / 2;
        let newer = self.kept.split_off(half);
        let older = std::mem::take(&mut self.kept);
        let older = older.into_iter().enumerate().filter(|(index, _)| index % 2 == 1);
        self.kept = older.map(|(_, mark)| mark).chain(newer).collect();
    }
}

impl Rows {
    pub(super) fn new(each: Vec<u64>) -> Rows {
        let marks = vec![Marks::default(); each.len()];
        Rows { marks, each, seen: UsableBytes(0) }
    }
}

impl World {
    /// Transactions have been inserted: notes where they end.
    pub(super) fn note_rows(&mut self) {
        let Some(rows) = &mut self.rows else { return };
        let Some(primary) = self.servers[self.primary].primary() else { return };
        for (workload, end) in primary.commits_after(rows.seen) {
            if let Some(marks) = rows.marks.get_mut(usize::from(workload)) {
                marks.add(end);
            }
            rows.seen = rows.seen.max(end);
        }
        if rows.marks.iter().any(|marks| marks.kept.len() >= Marks::LIMIT) {
            self.forget_rows();
        }
    }

    /// Forgets what every standby has replayed, and thins out what is left if that is too much.
    fn forget_rows(&mut self) {
        self.read_all_quiet(self.now);
        let mut low = UsableBytes(u64::MAX);
        for &standby in &self.standbys {
            let server = &self.servers[standby];
            let lsn = match server.state() {
                State::Standby(standby) if standby.is_ready() => server.replayed(self.now),
                // Where it will be when it is back is not known.
                State::Standby(_) | State::Down | State::Recovering { .. } | State::Primary(_) => {
                    server.host.files.redo
                }
            };
            low = low.min(UsableBytes::from_lsn(lsn, server.host.files.size));
        }
        let Some(rows) = &mut self.rows else { return };
        for marks in &mut rows.marks {
            marks.forget(low);
            if marks.kept.len() > Marks::LIMIT / 2 {
                marks.thin();
            }
        }
    }

    /// The primary's WAL ends where its files do: what was not written is gone.
    pub(super) fn cut_rows(&mut self) {
        let files = &self.servers[self.primary].host.files;
        let end = UsableBytes::from_lsn(files.written.max(files.flushed), files.size);
        if let Some(rows) = &mut self.rows {
            rows.marks.iter_mut().for_each(|marks| marks.cut(end));
            rows.seen = rows.seen.min(end);
        }
    }

    /// Rows of a workload that a session on a server sees, if one can be had there and the run
    /// keeps them.
    pub(super) fn rows(&self, server: usize, workload: u16) -> Option<u64> {
        let rows = self.rows.as_ref()?;
        let (marks, each) =
            (rows.marks.get(usize::from(workload))?, rows.each.get(usize::from(workload))?);
        let server = &self.servers[server];
        let commits = match server.state() {
            State::Primary(primary) => marks.total.saturating_sub(primary.unseen(workload)),
            State::Standby(_) => {
                let replayed = server.replayed(self.now);
                marks.up_to(UsableBytes::from_lsn(replayed, server.host.files.size))
            }
            State::Down | State::Recovering { .. } => return None,
        };
        Some(commits * each)
    }

    /// What a session on a server would hear.
    pub fn answer(&self, server: ServerId, statement: Statement) -> Answer {
        let index = server.index();
        let rows = |workload| self.rows(index, workload).unwrap_or(0);
        self.servers[index].answer(statement, rows)
    }

    /// Somebody sends a statement. Leaves no trace but what is written down; `action` is the one
    /// that did it.
    pub fn ask(&mut self, server: ServerId, statement: Statement, action: u16) {
        self.look_around(self.now);
        self.read_all_quiet(self.now);
        let answer = self.answer(server, statement);
        let Some(recorder) = &mut self.recorder else { return };
        let what = What::Statement { statement, answer };
        recorder.fact(Fact { at: self.now, server: Some(server), what });
        recorder.asked(server, action, Asked { at: self.now, statement, answer });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_counted_up_to_a_position() {
        let mut marks = Marks::default();
        (1..=10).for_each(|n| marks.add(UsableBytes(n * 100)));
        let count = |marks: &Marks, at: u64| marks.up_to(UsableBytes(at));
        assert_eq!((count(&marks, 99), count(&marks, 100), count(&marks, 999)), (0, 1, 9));
        marks.forget(UsableBytes(450));
        assert_eq!((count(&marks, 450), count(&marks, 500), count(&marks, 5_000)), (4, 5, 10));
        marks.cut(UsableBytes(750));
        assert_eq!((marks.total, count(&marks, 5_000)), (7, 7));
        marks.add(UsableBytes(800));
        assert_eq!(count(&marks, 800), 8);
    }

    #[test]
    fn what_is_thinned_out_is_rounded_down_in_the_older_half_alone() {
        let mut marks = Marks::default();
        (1..=100).for_each(|n| marks.add(UsableBytes(n)));
        marks.thin();
        for n in 1..=100 {
            let count = marks.up_to(UsableBytes(n));
            assert_eq!(count, if n <= 50 { n / 2 * 2 } else { n }, "{n}");
        }
    }
}
