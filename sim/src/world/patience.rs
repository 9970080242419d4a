//! A primary that runs ahead of its standbys while nobody acts on the answer to a commit.
//!
//! In an open loop nobody does: when commits are answered changes nothing but what is written
//! down. While the standbys are quiet ([`super::streams`]) the world is then *patient*: walsenders,
//! standbys that only take WAL within a segment, and replies that release commits have no moments
//! on the agenda. They come after several flushes of the primary at once, or when somebody looks:
//! what the walsenders have sent, then each standby by itself, then their replies in the order in
//! which they arrive. Everything is dated when it happened, so nobody can tell the difference
//! (`sim/tests/quiet.rs`): standbys and the answers that they release have chains of their own in
//! the digest, how far a standby lagged at each flush is found out when it comes there, and the
//! laws hold an answer against what the standbys had by then.
//!
//! Whatever is no plain flush of the primary ends patience: a timer, a message, a checkpoint, a
//! segment's end, a socket that may be full. It begins again with a flush after that.

use models::postgres::primary::{Flushed, LATE_FLUSHES, Primary};
use models::postgres::standby::Standby;
use models::units::{Duration, Lsn, SimTime};

use super::World;
use super::digest::Way;

/// Whether, and how far, the primary runs ahead of its standbys.
#[derive(Clone, Debug, Default)]
pub(super) struct Patience {
    /// Standbys, and replies that release commits, may come late.
    pub on: bool,
    /// Somebody watches positions at every moment.
    pub watched: bool,
    /// Flushes of the primary that its standbys have not come to.
    ahead: usize,
    /// Scratch: when they were.
    flushes: Vec<Flushed>,
}

impl World {
    /// The primary has made more WAL durable.
    pub(super) fn flush_moved(&mut self) {
        let primary = &self.servers[self.primary];
        let flushed = primary.flushed();
        self.primary_flushed = flushed;
        if !self.quiet && primary.primary().is_some_and(|primary| self.may_be_quiet(primary)) {
            self.be_quiet(true);
        }
        self.digest.chain(self.primary, Way::Own).take(flushed.0);
        if self.patience.on {
            return self.flushed_ahead();
        }
        self.note_lag(flushed);
        self.try_to_be_patient();
    }

    fn note_lag(&mut self, flushed: Lsn) {
        let Some(recorder) = &mut self.recorder else { return };
        for (index, &standby) in self.standbys.iter().enumerate() {
            recorder.lag(index, flushed.since(self.servers[standby].replayed(self.now)));
        }
    }

    /// Whether nobody acts on the answer to a commit, or will until something befalls the world,
    /// and all standbys are there and not late already.
    fn may_be_patient(&self, primary: &Primary) -> bool {
        let is_ready = |&standby: &usize| {
            let server = &self.servers[standby];
            self.is_served(standby) && server.only_takes_wal() && server.next_deadline() > self.now
        };
        self.quiet
            && !self.patience.watched
            && self.heard.is_none()
            && self.workloads.iter().all(|workload| !workload.closed)
            && !primary.minds_answers()
            && self.servers[self.primary].is_open()
            && self.standbys.iter().all(is_ready)
    }

    /// The primary goes on before anything else happens, as far as it has only flushes to end.
    /// Whether it did.
    pub(super) fn flush_ahead(&mut self, until: SimTime) -> bool {
        let ([workload], None, None) = (self.workloads.as_mut_slice(), &self.held, &self.rows)
        else {
            return false;
        };
        self.agenda.set(self.primary, SimTime::NEVER);
        let others = self.agenda.first().1;
        let limit = others.min(until + Duration(1)).min(self.next_look + Duration(1));
        let (before, source) = (self.patience.ahead, self.primary);
        let (digest, now) = (&mut self.digest, &mut self.now);
        let (ahead, last) = (&mut self.patience.ahead, &mut self.primary_flushed);
        self.servers[self.primary].flush_ahead(
            &mut workload.clients,
            workload.level,
            limit.min(self.end),
            &mut self.out,
            |at, flushed| {
                digest.fold_event(at, source);
                digest.chain(source, Way::Own).take(flushed.0);
                (*now, *last) = (at, flushed);
                *ahead += 1;
            },
        );
        self.events += (self.patience.ahead - before) as u64;
        let went_on = self.patience.ahead > before;
        if went_on {
            self.settle(self.primary);
            if self.patience.ahead >= LATE_FLUSHES {
                self.play_standbys(self.now);
            }
        } else {
            self.agenda.set(self.primary, self.servers[self.primary].next_deadline());
        }
        went_on
    }

    /// The primary has flushed: its standbys come to that now or later.
    #[inline]
    pub(super) fn flushed_ahead(&mut self) {
        self.patience.ahead += 1;
        if self.patience.ahead >= LATE_FLUSHES {
            self.play_standbys(self.now);
        }
    }

    /// The world becomes patient if it may.
    pub(super) fn try_to_be_patient(&mut self) {
        let primary = self.servers[self.primary].primary();
        if primary.is_some_and(|primary| self.may_be_patient(primary)) {
            self.patience.on = true;
            self.servers[self.primary].be_late(true);
            self.book_followers();
        }
    }

    /// Standbys and their replies are to be in time again; everything before now is done.
    pub(super) fn be_impatient(&mut self) {
        if self.patience.on {
            self.patience.on = false;
            self.servers[self.primary].be_late(false);
            self.book_followers();
        }
    }

    fn book_followers(&mut self) {
        for index in 0..self.standbys.len() {
            let standby = self.standbys[index];
            self.book_standby(standby);
            if let Some((link, _)) = self.way_up(standby) {
                self.book_link(link);
            }
        }
    }

    /// What walsenders and standbys do up to `upto`, and then what of it the primary hears by then.
    pub(super) fn play_standbys(&mut self, upto: SimTime) {
        self.servers[self.primary].send_late(&mut self.patience.flushes, &mut self.out);
        let mut wal = std::mem::take(&mut self.out.wal);
        for wal in wal.chunk_by(|before, next| before.to == next.to) {
            let handed_over = self.hand_over(wal);
            debug_assert!(handed_over, "{wal:?}");
        }
        wal.clear();
        self.out.wal = wal;
        debug_assert!(self.out.effects.is_empty(), "{:?}", self.out.effects);
        for index in 0..self.standbys.len() {
            self.play_standby(index, upto);
        }
        self.patience.flushes.clear();
        self.patience.ahead = 0;
        self.hear_updates(upto);
        if let Some(checkers) = &mut self.checkers {
            checkers.forget_disks();
        }
    }

    fn play_standby(&mut self, index: usize, upto: SimTime) {
        let standby = self.standbys[index];
        // At one moment the server with the lower number comes first.
        let first = u64::from(self.primary < standby);
        let mut flushes = self.patience.flushes.as_slice();
        let mut lag = self.recorder.as_mut().map(|recorder| recorder.lag_of(index));
        let mut disk = self.checkers.as_mut().map(|checkers| checkers.disk(standby));
        let chain = self.digest.chain(standby, Way::Own);
        let mut own = *chain;
        let before = |due: Option<SimTime>, standby: &Standby, on_disk: Lsn| {
            let end = due.map_or(u64::MAX, |due| due.0 + first);
            while let [Flushed { at, upto }, rest @ ..] = flushes
                && at.0 < end
            {
                if let Some(lag) = &mut lag {
                    **lag = (**lag).max(upto.since(standby.replayed_at(*at)).0);
                }
                flushes = rest;
            }
            if let Some(due) = due {
                own.take(due.0);
                if let Some(disk) = &mut disk {
                    disk.push((due, on_disk));
                }
            }
        };
        self.events += self.servers[standby].play_until(upto, &mut self.out, before);
        *chain = own;
        debug_assert!(self.out.effects.is_empty(), "{:?}", self.out.effects);
        self.settle_standby(standby);
    }

    /// The primary hears the updates that have arrived by `upto` and may release commits.
    fn hear_updates(&mut self, upto: SimTime) {
        while let Some((at, link)) = self.next_reply().filter(|(at, _)| *at <= upto) {
            self.hear_update(at, link);
        }
    }

    /// The link that brings the next update that may release commits, and when.
    fn next_reply(&mut self) -> Option<(SimTime, usize)> {
        let mut next = None;
        for index in 0..self.standbys.len() {
            let Some((link, _)) = self.way_up(self.standbys[index]) else { continue };
            let way = &mut self.links[link];
            while let Some(update) = way.loud_update() {
                if self.servers[self.primary].may_release(update.positions.flush) {
                    let reply = (update.arrives, link);
                    next = Some(next.map_or(reply, |next: (SimTime, usize)| next.min(reply)));
                    break;
                }
                way.pass_update();
            }
        }
        next
    }
}
