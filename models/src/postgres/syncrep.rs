//! Synchronous replication: which standbys a commit waits for, and how far they have got.
//!
//! A backend that commits under synchronous replication flushes its WAL and then sleeps until
//! the standbys named in `synchronous_standby_names` have written, flushed or replayed its
//! commit record: one of three queues, by `synchronous_commit`. What it sleeps on is a single
//! position for each queue, `lsn[mode]`: everything up to there is known to be where it should
//! be. A backend whose commit ends at or before it does not sleep at all, even if no standby is
//! connected any more, for the position never goes back while the server is up.
//!
//! Nobody watches over these positions. They are raised by the walsenders, each when it has
//! processed a reply from its own standby, and at no other time: a standby that dies, another
//! that would take its place, a new value of the setting release nobody until some chosen
//! standby speaks again. A walsender first asks whether its own standby is among the
//! *candidates*: connected, streaming, named by the setting, and with a flush position at all.
//! Under `FIRST n` only the n of highest priority count, equal priorities in the order of their
//! walsender slots, and what has arrived everywhere is the minimum over those n. Under `ANY n`
//! all candidates count, and what has arrived at n of them is the n-th largest position, found
//! for write, flush and replay separately: three different standbys may supply the three. With
//! fewer than n candidates nothing is raised and commits wait, for ever if need be.
//!
//! The rules run at every reply of every standby, so they neither sort nor allocate: they look
//! for the next larger or smaller standby in the walsender slots until they have found enough,
//! which for the usual one to three standbys is a handful of comparisons. One oddity of the
//! original is kept, because `pg_receivewal` meets it: it always reports replay position `0/0`,
//! and in the search for the minimum an invalid position counts as "none yet", so that the
//! standby after it decides.
//!
//! **Source.** `syncrep.c`: `SyncRepReleaseWaiters`, `SyncRepGetSyncRecPtr`,
//! `SyncRepGetOldestSyncRecPtr`, `SyncRepGetNthLatestSyncRecPtr`, `SyncRepGetCandidateStandbys`,
//! `SyncRepUpdateSyncStandbysDefined`; `walsender.c:pg_stat_get_wal_senders`. The same in 13 to
//! 18. Checked against 111 observations of PostgreSQL 15.18.
//!
//! **Not modelled.** Every process reads the configuration file for itself; here a reload
//! reaches all walsenders at one moment, so that their priorities and the list never disagree
//! for longer than the caller lets them. `ANY` numbers beyond 255 work; PostgreSQL keeps the low
//! eight bits of them in one place. Version 19, which re-evaluates the waiters on reload.

mod names;

use std::fmt;

use serde::Serialize;

use crate::units::Lsn;

pub use names::{Method, StandbyNames, StandbyNamesError};

/// What a backend waits for: one queue each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum WaitMode {
    /// `synchronous_commit = remote_write`: handed to the standby's operating system.
    Write,
    /// `synchronous_commit = on`: durable on the standby.
    Flush,
    /// `synchronous_commit = remote_apply`: visible on the standby.
    Apply,
}

impl WaitMode {
    /// All of them, in the order in which their queues are woken.
    pub const ALL: [WaitMode; 3] = [WaitMode::Write, WaitMode::Flush, WaitMode::Apply];
}

/// How far a standby says it is, or how far all that count are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Positions {
    /// Handed to the standby's operating system (`write_lsn`).
    pub write: Lsn,
    /// Durable on the standby (`flush_lsn`). Above `write` only for a moment after a reconnect.
    pub flush: Lsn,
    /// Replayed on the standby (`replay_lsn`).
    pub apply: Lsn,
}

impl Positions {
    /// The position that waiters of `mode` compare with.
    pub fn at(&self, mode: WaitMode) -> Lsn {
        match mode {
            WaitMode::Write => self.write,
            WaitMode::Flush => self.flush,
            WaitMode::Apply => self.apply,
        }
    }

    /// Whether any of them is below what it was `before`.
    #[inline]
    pub fn falls_behind(&self, before: Positions) -> bool {
        (self.write < before.write) | (self.flush < before.flush) | (self.apply < before.apply)
    }

    fn at_mut(&mut self, mode: WaitMode) -> &mut Lsn {
        match mode {
            WaitMode::Write => &mut self.write,
            WaitMode::Flush => &mut self.flush,
            WaitMode::Apply => &mut self.apply,
        }
    }
}

/// What `syncrep.c` reads of one walsender slot (`WalSnd`). The default is a free slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standby {
    /// A walsender holds the slot (`pid != 0`).
    pub connected: bool,
    /// Its state is `streaming` or `stopping`, not `startup`, `backup` or `catchup`.
    pub streaming: bool,
    /// [`StandbyNames::priority`] of its application name when it last read the configuration;
    /// 0 on a server in recovery.
    pub priority: u32,
    /// `write_lsn` of its last reply.
    pub write: Lsn,
    /// `flush_lsn` of its last reply, `0/0` before the first.
    pub flush: Lsn,
    /// `replay_lsn` of its last reply.
    pub apply: Lsn,
}

impl Standby {
    /// Whether it can count at all (`SyncRepGetCandidateStandbys`).
    fn is_candidate(&self) -> bool {
        self.connected && self.streaming && self.priority > 0 && self.flush.is_valid()
    }

    /// The positions of its last reply.
    pub fn positions(&self) -> Positions {
        Positions { write: self.write, flush: self.flush, apply: self.apply }
    }
}

/// The column `sync_state` of `pg_stat_replication`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SyncState {
    /// Not named, or without a flush position.
    Async,
    /// Named, but not counted now: others come first, or it is still catching up.
    Potential,
    /// One of the n that count under `FIRST n`.
    Sync,
    /// One of those that count under `ANY n`.
    Quorum,
}

impl SyncState {
    /// The word that `pg_stat_replication` has for it.
    pub fn name(self) -> &'static str {
        match self {
            SyncState::Async => "async",
            SyncState::Potential => "potential",
            SyncState::Sync => "sync",
            SyncState::Quorum => "quorum",
        }
    }
}

impl fmt::Display for SyncState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What one reply did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Release {
    /// The standby that replied is a candidate, and under `FIRST` one of the chosen (`am_sync`).
    /// A walsender that hears this for the first time since it did not announces it; see
    /// [`Announcer`].
    pub among: bool,
    /// The new `lsn[Write]` if this reply raised it: wake the waiters up to here.
    pub write: Option<Lsn>,
    /// The new `lsn[Flush]` if this reply raised it.
    pub flush: Option<Lsn>,
    /// The new `lsn[Apply]` if this reply raised it.
    pub apply: Option<Lsn>,
}

impl Release {
    /// Whether the reply raised anything, so that a waiter may be woken.
    pub fn raised(&self) -> bool {
        self.write.is_some() || self.flush.is_some() || self.apply.is_some()
    }

    /// The new position of one queue, if it rose.
    pub fn at(&self, mode: WaitMode) -> Option<Lsn> {
        match mode {
            WaitMode::Write => self.write,
            WaitMode::Flush => self.flush,
            WaitMode::Apply => self.apply,
        }
    }
}

/// One walsender's memory of whether its standby counted (`announce_next_takeover`): a standby
/// that starts to count is announced once, until it ceases to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Announcer {
    announced: bool,
}

/// The log line a walsender writes when its standby starts to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takeover {
    /// `standby "%s" is now a synchronous standby with priority %u`
    Synchronous {
        /// Its priority, from 1.
        priority: u32,
    },
    /// `standby "%s" is now a candidate for quorum synchronous standby`
    QuorumCandidate,
}

impl Announcer {
    /// Takes note of a reply's outcome; gives the log line that is due. `priority` is the
    /// standby's own, `method` that of the setting.
    pub fn heard(&mut self, release: &Release, method: Method, priority: u32) -> Option<Takeover> {
        let due = release.among && !self.announced;
        self.announced = release.among;
        due.then_some(match method {
            Method::First => Takeover::Synchronous { priority },
            Method::Any => Takeover::QuorumCandidate,
        })
    }
}

/// The part of `WalSndCtl` that synchronous replication owns: volatile, gone with the server.
///
/// Invariant: no position of `lsn` ever falls.
#[derive(Clone, Debug, Default)]
pub struct SyncRep {
    names: StandbyNames,
    /// `sync_standbys_defined`: what committing backends look at, kept by the checkpointer.
    defined: bool,
    lsn: Positions,
}

impl SyncRep {
    /// The state of a server that has just started: all positions `0/0`.
    pub fn new(names: StandbyNames) -> SyncRep {
        let defined = !names.is_empty();
        SyncRep { names, defined, lsn: Positions::default() }
    }

    /// The setting as the walsenders have read it.
    pub fn names(&self) -> &StandbyNames {
        &self.names
    }

    /// New names after a reload. Nobody is woken and no position moves; the caller gives every
    /// walsender its new priority, and lets the checkpointer notice with
    /// [`SyncRep::update_standbys_defined`].
    pub fn reload(&mut self, names: StandbyNames) {
        self.names = names;
    }

    /// The checkpointer's share of a reload (`SyncRepUpdateSyncStandbysDefined`). True if the
    /// names have become empty: every waiter of every queue is then to be woken.
    pub fn update_standbys_defined(&mut self) -> bool {
        let emptied = self.defined && self.names.is_empty();
        self.defined = !self.names.is_empty();
        emptied
    }

    /// Whether commits wait for standbys at all, as far as backends know.
    pub fn defines_standbys(&self) -> bool {
        self.defined
    }

    /// The position up to which waiters of `mode` are released (`lsn[mode]`).
    pub fn synced(&self, mode: WaitMode) -> Lsn {
        self.lsn.at(mode)
    }

    /// Whether a commit that ends at `lsn` has to join the queue of `mode`
    /// (`SyncRepWaitForLSN`, its fast exits).
    pub fn must_wait(&self, mode: WaitMode, lsn: Lsn) -> bool {
        self.defined && lsn > self.lsn.at(mode)
    }

    /// The walsender in slot `index` has processed a reply and stored its positions
    /// (`SyncRepReleaseWaiters`). `standbys` are all walsender slots in array order; an `index`
    /// outside them releases nothing.
    #[inline]
    pub fn release(&mut self, standbys: &[Standby], index: usize) -> Release {
        match self.names.method == Method::Any && self.names.number == 1 {
            true => self.release_any_one(standbys, index),
            false => self.release_in_general(standbys, index),
        }
    }

    fn release_in_general(&mut self, standbys: &[Standby], index: usize) -> Release {
        let mut release = Release::default();
        let count = match self.standing(standbys, index) {
            Standing::Chosen { candidates } => candidates,
            Standing::Candidate | Standing::None => return release,
        };
        release.among = true;
        let number = self.number();
        if count < number {
            return release;
        }
        let synced = match self.names.method {
            Method::First if count == number => {
                standbys.iter().filter(|s| s.is_candidate()).fold(Positions::default(), older)
            }
            Method::First => {
                in_order_of_priority(standbys).take(number).fold(Positions::default(), older)
            }
            Method::Any => Positions {
                write: nth_latest(standbys, number, |s| s.write),
                flush: nth_latest(standbys, number, |s| s.flush),
                apply: nth_latest(standbys, number, |s| s.apply),
            },
        };
        release.write = self.raise(WaitMode::Write, synced);
        release.flush = self.raise(WaitMode::Flush, synced);
        release.apply = self.raise(WaitMode::Apply, synced);
        release
    }

    /// The same for `ANY 1`, in one pass: the largest of each position.
    #[inline]
    fn release_any_one(&mut self, standbys: &[Standby], index: usize) -> Release {
        let among = standbys.get(index).is_some_and(Standby::is_candidate);
        let mut release = Release { among, ..Release::default() };
        if among {
            let mut synced = Positions::default();
            for standby in standbys.iter().filter(|standby| standby.is_candidate()) {
                synced.write = synced.write.max(standby.write);
                synced.flush = synced.flush.max(standby.flush);
                synced.apply = synced.apply.max(standby.apply);
            }
            release.write = self.raise(WaitMode::Write, synced);
            release.flush = self.raise(WaitMode::Flush, synced);
            release.apply = self.raise(WaitMode::Apply, synced);
        }
        release
    }

    /// Raises one position, or leaves it.
    fn raise(&mut self, mode: WaitMode, synced: Positions) -> Option<Lsn> {
        let (lsn, synced) = (self.lsn.at_mut(mode), synced.at(mode));
        if *lsn >= synced {
            return None;
        }
        *lsn = synced;
        Some(synced)
    }

    /// The columns `sync_state` and `sync_priority` of the walsender in slot `index`.
    pub fn sync_state(&self, standbys: &[Standby], index: usize) -> (SyncState, u32) {
        let priority = match standbys.get(index) {
            Some(standby) if standby.flush.is_valid() => standby.priority,
            Some(_) | None => 0,
        };
        let state = match (priority, self.standing(standbys, index), self.names.method) {
            (0, _, _) => SyncState::Async,
            (_, Standing::Chosen { .. }, Method::First) => SyncState::Sync,
            (_, Standing::Chosen { .. }, Method::Any) => SyncState::Quorum,
            (_, Standing::Candidate | Standing::None, _) => SyncState::Potential,
        };
        (state, priority)
    }

    /// Where the standby in slot `index` stands among the others, in one pass over them.
    fn standing(&self, standbys: &[Standby], index: usize) -> Standing {
        let me = match standbys.get(index) {
            Some(standby) if standby.is_candidate() && !self.names.is_empty() => standby,
            Some(_) | None => return Standing::None,
        };
        let (mut candidates, mut ahead) = (0, 0);
        for (slot, other) in standbys.iter().enumerate() {
            if other.is_candidate() {
                candidates += 1;
                ahead += usize::from((other.priority, slot) < (me.priority, index));
            }
        }
        let chosen = match self.names.method {
            Method::First => ahead < self.number(),
            Method::Any => true,
        };
        if chosen { Standing::Chosen { candidates } } else { Standing::Candidate }
    }

    /// How many standbys are waited for, as a count of slots.
    fn number(&self) -> usize {
        usize::try_from(self.names.number).unwrap_or(usize::MAX)
    }
}

/// How a standby counts at this moment.
enum Standing {
    /// It does not.
    None,
    /// It would, if standbys of higher priority were not there.
    Candidate,
    /// It does, as one of this many candidates.
    Chosen { candidates: usize },
}

/// The candidates by (priority, slot), each found by one more pass over the slots.
fn in_order_of_priority(standbys: &[Standby]) -> impl Iterator<Item = &Standby> {
    let mut last = None;
    std::iter::from_fn(move || {
        let mut next: Option<(u32, usize, &Standby)> = None;
        for (slot, standby) in standbys.iter().enumerate() {
            let place = (standby.priority, slot);
            let behind = last.is_none_or(|last| place > last);
            let first = next.is_none_or(|(priority, slot, _)| place < (priority, slot));
            if behind && first && standby.is_candidate() {
                next = Some((standby.priority, slot, standby));
            }
        }
        let (priority, slot, standby) = next?;
        last = Some((priority, slot));
        Some(standby)
    })
}

/// One step of the minimum over the chosen (`SyncRepGetOldestSyncRecPtr`): an invalid minimum
/// is "none yet", whoever it came from.
fn older(oldest: Positions, standby: &Standby) -> Positions {
    let pick = |oldest: Lsn, lsn: Lsn| {
        if !oldest.is_valid() || oldest > lsn { lsn } else { oldest }
    };
    Positions {
        write: pick(oldest.write, standby.write),
        flush: pick(oldest.flush, standby.flush),
        apply: pick(oldest.apply, standby.apply),
    }
}

/// The n-th largest position over all candidates (`SyncRepGetNthLatestSyncRecPtr`), counted from
/// 1: the positions are visited downwards, equal ones together. `0/0` if there are fewer than n.
fn nth_latest(standbys: &[Standby], n: usize, position: impl Fn(&Standby) -> Lsn) -> Lsn {
    let mut below = None;
    let mut seen = 0;
    loop {
        let mut largest = Lsn::INVALID;
        let mut here = 0;
        for standby in standbys.iter().filter(|s| s.is_candidate()) {
            let lsn = position(standby);
            if below.is_some_and(|below| lsn >= below) {
                continue;
            }
            if here == 0 || lsn > largest {
                (largest, here) = (lsn, 1);
            } else if lsn == largest {
                here += 1;
            }
        }
        seen += here;
        if seen >= n || here == 0 {
            return largest;
        }
        below = Some(largest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Die;

    const BEFORE: Lsn = Lsn(1000);
    const COMMIT: Lsn = Lsn(2000);

    fn at(lsn: Lsn) -> Standby {
        let (write, flush, apply) = (lsn, lsn, lsn);
        Standby { connected: true, streaming: true, priority: 0, write, flush, apply }
    }

    /// A primary with this setting, and standbys of these names that have all flushed `lsn`.
    fn primary(setting: &str, names: &[&str], lsn: Lsn) -> (SyncRep, Vec<Standby>) {
        let parsed = StandbyNames::parse(setting).expect(setting);
        let priority = |name: &&str| Standby { priority: parsed.priority(name), ..at(lsn) };
        let standbys = names.iter().map(priority).collect();
        (SyncRep::new(parsed), standbys)
    }

    fn states(setting: &str, names: &[&str]) -> Vec<(SyncState, u32)> {
        let (syncrep, standbys) = primary(setting, names, BEFORE);
        (0..standbys.len()).map(|index| syncrep.sync_state(&standbys, index)).collect()
    }

    #[test]
    fn sync_state_says_who_counts() {
        use SyncState::{Async, Potential, Quorum, Sync};
        let names = ["s1", "s2", "s3"];
        for (setting, expected) in [
            ("s1, s2", [(Sync, 1), (Potential, 2), (Async, 0)]),
            ("FIRST 2 (s1, nosuch, s3)", [(Sync, 1), (Async, 0), (Sync, 3)]),
            ("ANY 1 (s1, s2)", [(Quorum, 1), (Quorum, 1), (Async, 0)]),
            ("*", [(Sync, 1), (Potential, 1), (Potential, 1)]),
            ("FIRST 2 (s1)", [(Sync, 1), (Async, 0), (Async, 0)]),
            ("", [(Async, 0); 3]),
        ] {
            assert_eq!(states(setting, &names), expected, "{setting}");
        }
    }

    #[test]
    fn a_listed_standby_in_catchup_is_potential() {
        for (setting, other) in
            [("FIRST 1 (s1, s2)", (SyncState::Sync, 2)), ("ANY 1 (s1, s2)", (SyncState::Quorum, 1))]
        {
            let (syncrep, mut standbys) = primary(setting, &["s1", "s2"], BEFORE);
            standbys[0].streaming = false;
            assert_eq!(syncrep.sync_state(&standbys, 0), (SyncState::Potential, 1));
            assert_eq!(syncrep.sync_state(&standbys, 1), other);
        }
    }

    #[test]
    fn a_standby_that_never_reported_a_flush_shows_priority_zero() {
        let (mut syncrep, mut standbys) = primary("*", &["pg_basebackup"], BEFORE);
        standbys[0].flush = Lsn::INVALID;
        assert_eq!(syncrep.sync_state(&standbys, 0), (SyncState::Async, 0));
        assert_eq!(syncrep.release(&standbys, 0), Release::default());
    }

    /// Whether a commit still waits after `stalled` stayed silent, `gone` went, the rest replied.
    fn blocks(setting: &str, names: &[&str], stalled: &[usize], gone: &[usize]) -> bool {
        let (mut syncrep, mut standbys) = primary(setting, names, BEFORE);
        for index in 0..standbys.len() {
            syncrep.release(&standbys, index);
        }
        gone.iter().for_each(|&index| standbys[index] = Standby::default());
        for index in 0..standbys.len() {
            if standbys[index].connected && !stalled.contains(&index) {
                standbys[index] = Standby { priority: standbys[index].priority, ..at(COMMIT) };
                syncrep.release(&standbys, index);
            }
        }
        syncrep.must_wait(WaitMode::Flush, COMMIT)
    }

    #[test]
    fn a_commit_blocks_when_too_few_of_the_chosen_answer() {
        let names = ["s1", "s2", "s3"];
        for (setting, stalled, gone, expected) in [
            ("s1, s2", &[0][..], &[][..], true),
            ("s1, s2", &[1], &[], false),
            ("s1, s2", &[], &[0], false),
            ("FIRST 2 (s1,s2,s3)", &[0], &[], true),
            ("FIRST 2 (s1,s2,s3)", &[1], &[], true),
            ("FIRST 2 (s1,s2,s3)", &[2], &[], false),
            ("FIRST 2 (s1,s2,s3)", &[], &[0], false),
            ("FIRST 2 (s1,s2,s3)", &[], &[0, 1], true),
            ("ANY 1 (s1,s2,s3)", &[0, 1], &[], false),
            ("ANY 1 (s1,s2,s3)", &[0, 1, 2], &[], true),
            ("ANY 2 (s1,s2,s3)", &[2], &[], false),
            ("ANY 2 (s1,s2,s3)", &[1, 2], &[], true),
            ("ANY 2 (s1,s2,s3)", &[], &[0], false),
            ("ANY 2 (s1,s2,s3)", &[1], &[0], true),
            ("*", &[0], &[], true),
            ("*", &[1, 2], &[], false),
            ("*", &[], &[0], false),
            ("ANY 2 (s1)", &[], &[], true),
            ("FIRST 2 (s1)", &[], &[], true),
            ("nosuch", &[], &[], true),
            ("", &[0, 1, 2], &[], false),
        ] {
            let blocked = blocks(setting, &names, stalled, gone);
            assert_eq!(blocked, expected, "{setting} stalled {stalled:?} gone {gone:?}");
        }
        for setting in ["FIRST 2 (s1)", "ANY 2 (s1)"] {
            assert!(!blocks(setting, &["s1", "s1"], &[], &[]), "two of one name: {setting}");
        }
    }

    #[test]
    fn only_a_reply_from_one_of_the_chosen_releases() {
        let (mut syncrep, mut standbys) = primary("s1, s2", &["s1", "s2"], BEFORE);
        standbys[1] = Standby { priority: 2, ..at(COMMIT) };
        assert_eq!(syncrep.release(&standbys, 1), Release::default());
        // The chosen one dies: nothing happens until the other speaks.
        standbys[0] = Standby::default();
        assert_eq!(syncrep.synced(WaitMode::Flush), Lsn::INVALID);
        assert_eq!(syncrep.release(&standbys, 1).flush, Some(COMMIT));
        // Saying it again raises nothing.
        let again = syncrep.release(&standbys, 1);
        assert!(again.among && !again.raised());
        assert_eq!(syncrep.release(&standbys, 9), Release::default());
    }

    #[test]
    fn any_takes_each_position_from_whom_it_likes() {
        let (mut syncrep, mut standbys) = primary("ANY 2 (*)", &["a", "b", "c"], BEFORE);
        (standbys[0].write, standbys[0].flush, standbys[0].apply) = (Lsn(90), Lsn(10), Lsn(50));
        (standbys[1].write, standbys[1].flush, standbys[1].apply) = (Lsn(70), Lsn(30), Lsn(0));
        (standbys[2].write, standbys[2].flush, standbys[2].apply) = (Lsn(80), Lsn(20), Lsn(40));
        let release = syncrep.release(&standbys, 1);
        assert_eq!(release.write, Some(Lsn(80)));
        assert_eq!(release.flush, Some(Lsn(20)));
        assert_eq!(release.apply, Some(Lsn(40)));
    }

    #[test]
    fn an_invalid_minimum_is_forgotten_for_the_next_standby() {
        let (mut syncrep, mut standbys) = primary("FIRST 2 (*)", &["receivewal", "s"], BEFORE);
        standbys[0].apply = Lsn::INVALID;
        assert_eq!(syncrep.release(&standbys, 0).apply, Some(BEFORE));
        // In the other order it stays the minimum.
        let (mut syncrep, mut standbys) = primary("FIRST 2 (*)", &["s", "receivewal"], BEFORE);
        standbys[1].apply = Lsn::INVALID;
        assert_eq!(syncrep.release(&standbys, 0).apply, None);
    }

    #[test]
    fn a_takeover_is_announced_once_even_with_too_few_standbys() {
        let (mut syncrep, mut standbys) = primary("FIRST 2 (s1)", &["s1"], BEFORE);
        let mut announcer = Announcer::default();
        let mut hear = |syncrep: &mut SyncRep, standbys: &[Standby]| {
            let release = syncrep.release(standbys, 0);
            announcer.heard(&release, syncrep.names().method(), standbys[0].priority)
        };
        let synchronous = Some(Takeover::Synchronous { priority: 1 });
        assert_eq!(hear(&mut syncrep, &standbys), synchronous);
        assert_eq!(hear(&mut syncrep, &standbys), None);
        standbys[0].streaming = false;
        assert_eq!(hear(&mut syncrep, &standbys), None);
        standbys[0].streaming = true;
        assert_eq!(hear(&mut syncrep, &standbys), synchronous);
        syncrep.reload(StandbyNames::parse("ANY 1 (s1)").expect("names"));
        assert_eq!(hear(&mut syncrep, &standbys), None);
    }

    #[test]
    fn emptied_names_stop_the_waiting_when_the_checkpointer_notices() {
        let (mut syncrep, standbys) = primary("s1", &["s1"], BEFORE);
        syncrep.reload(StandbyNames::default());
        assert!(syncrep.must_wait(WaitMode::Flush, COMMIT));
        // A walsender that has not recomputed its priority yet.
        assert_eq!(syncrep.sync_state(&standbys, 0), (SyncState::Potential, 1));
        assert!(syncrep.update_standbys_defined());
        assert!(!syncrep.must_wait(WaitMode::Flush, COMMIT) && !syncrep.defines_standbys());
        assert!(!syncrep.update_standbys_defined());
        syncrep.reload(StandbyNames::parse("s1").expect("names"));
        assert!(!syncrep.update_standbys_defined());
        assert!(syncrep.defines_standbys());
    }

    /// Up to 20 slots in any condition, with few different values so that ties are common.
    fn any_standbys(die: &mut Die) -> Vec<Standby> {
        let mut small = |n: u64| die.throw() % n;
        let slots = small(21);
        let mut standby = || Standby {
            connected: small(8) > 0,
            streaming: small(8) > 0,
            priority: small(4) as u32,
            write: Lsn(small(9)),
            flush: Lsn(small(9)),
            apply: Lsn(small(9)),
        };
        (0..slots).map(|_| standby()).collect()
    }

    /// The rules by sorting, as PostgreSQL does it: the chosen, or `None` if `index` is not one.
    fn chosen(names: &StandbyNames, all: &[Standby], index: usize) -> Option<Vec<Standby>> {
        let mut chosen: Vec<usize> = (0..all.len()).filter(|&i| all[i].is_candidate()).collect();
        let number = names.number() as usize;
        if names.method() == Method::First && chosen.len() > number {
            chosen.sort_by_key(|&i| (all[i].priority, i));
            chosen.truncate(number);
        }
        chosen.contains(&index).then(|| chosen.iter().map(|&i| all[i]).collect())
    }

    /// The minimum, or the n-th largest, of one position by sorting.
    fn reference(names: &StandbyNames, mut lsns: Vec<Lsn>) -> Lsn {
        if names.method() == Method::Any {
            lsns.sort_by(|a, b| b.cmp(a));
            return lsns[names.number() as usize - 1];
        }
        let mut oldest = Lsn::INVALID;
        for lsn in lsns {
            if oldest == Lsn::INVALID || lsn < oldest {
                oldest = lsn;
            }
        }
        oldest
    }

    #[test]
    fn release_agrees_with_sorting_and_never_goes_back() {
        let mut die = Die::new(7, "standbys", "syncrep");
        for round in 0..200_000 {
            let method = if die.throw().is_multiple_of(2) { "FIRST" } else { "ANY" };
            let setting = format!("{method} {} (*)", 1 + die.throw() % 5);
            let mut syncrep = SyncRep::new(StandbyNames::parse(&setting).expect("names"));
            for _ in 0..3 {
                let standbys = any_standbys(&mut die);
                let index = (die.throw() % 21) as usize;
                let before = syncrep.lsn;
                let release = syncrep.release(&standbys, index);
                let chosen = chosen(&syncrep.names, &standbys, index);
                assert_eq!(release.among, chosen.is_some(), "round {round}: {standbys:?}");
                let enough = chosen.filter(|c| c.len() >= syncrep.number());
                for mode in WaitMode::ALL {
                    let expected = enough.as_ref().map_or(Lsn::INVALID, |chosen| {
                        let lsns = chosen.iter().map(|s| s.positions().at(mode)).collect();
                        reference(&syncrep.names, lsns)
                    });
                    let synced = syncrep.synced(mode);
                    assert_eq!(synced, before.at(mode).max(expected), "round {round} {mode:?}");
                    let rose = (synced > before.at(mode)).then_some(synced);
                    assert_eq!(release.at(mode), rose, "round {round} {mode:?}");
                }
            }
        }
    }

    #[test]
    fn sync_state_agrees_with_who_may_release() {
        let mut die = Die::new(8, "standbys", "sync_state");
        for _ in 0..50_000 {
            let (mut syncrep, _) = primary("FIRST 2 (a, b, c)", &[], BEFORE);
            let standbys = any_standbys(&mut die);
            for index in 0..standbys.len() {
                let (state, priority) = syncrep.sync_state(&standbys, index);
                let among = syncrep.release(&standbys, index).among;
                assert_eq!(state == SyncState::Sync, among);
                assert_eq!(state == SyncState::Async, priority == 0);
            }
        }
    }
}
