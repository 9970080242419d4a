//! Standbys and their streams while most of what they do wakes nobody.
//!
//! Most replies of a standby only move its write or replay position. While no workload waits for
//! those they are *quiet*: nobody is woken for them. A standby does not even send them at their
//! moment, nor does it look at WAL that arrives while it fsyncs, but when it next has something to
//! do; the primary takes note of replies many at a time, and when they arrive only looks at those
//! that are *loud*, because they may release commits. When somebody looks, all of it is done up to
//! then. It is dated when it happened, so nobody can tell the difference (`sim/tests/quiet.rs`).
//! Quiet ends when something happens that makes the next reply of a standby matter, and begins
//! again when all of them have come.

use models::postgres::ConnectionId;
use models::postgres::protocol::Update;
use models::postgres::syncrep::Positions;
use models::units::SimTime;

use super::World;
use super::routes::fingerprint_of;

/// The stream between a standby and its upstream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    /// The link that WAL takes, and the flow on it.
    pub down: (usize, usize),
    /// Those that status updates take.
    pub up: (usize, usize),
    /// The connection that a walsender serves, known while the world is quiet.
    served: Option<ConnectionId>,
    /// What the last status update said.
    last: Positions,
}

/// Bound on the updates that have arrived on a link and were not noted.
const UNNOTED: usize = 128;

impl Stream {
    /// A stream over these links, on which nothing was sent.
    pub fn new(down: (usize, usize), up: (usize, usize)) -> Stream {
        Stream { down, up, served: None, last: Positions::default() }
    }

    /// Whether a status update wakes the primary. One that moves nothing that anybody waits for is
    /// quiet, and so is one that repeats the last, unless the standby says that it has replayed
    /// everything: the lag columns may become NULL then.
    #[inline]
    fn is_loud(&mut self, update: &Update) -> bool {
        let before = std::mem::replace(&mut self.last, update.positions);
        let Positions { write, flush, apply } = update.positions;
        let moves = before.write != write || before.apply != apply;
        before.flush != flush || !(moves || apply < write) || update.reply_requested
    }
}

impl World {
    /// A standby's moment has come.
    #[inline]
    pub(super) fn standby_due(&mut self, standby: usize) {
        if self.quiet {
            self.read_wal(self.now, standby);
        }
        self.servers[standby].deadline(self.now, &mut self.out);
        self.settle_standby(standby);
    }

    /// Carries out what a standby has done, and books its next moment.
    #[inline]
    pub(super) fn settle_standby(&mut self, standby: usize) {
        if let Some(stream) = &mut self.streams[standby] {
            let (link, flow) = stream.up;
            let out = &mut self.out;
            let (up, digest) = (&mut self.links[link], &mut self.digest);
            if let Some(first) = out.updates.first() {
                let served = self.quiet && stream.served == Some(first.connection);
                let loud = |update: &Update| {
                    digest.add(fingerprint(&update.positions) ^ update.at.0);
                    stream.is_loud(update)
                };
                match served {
                    true => up.send_updates(flow, &out.updates, loud),
                    false => up.send_all(flow, &out.updates, loud),
                }
                self.agenda.set(self.servers.len() + link, up.next_deadline());
                out.updates.clear();
            }
            let (link, flow) = stream.down;
            let down = &mut self.links[link];
            for read in &out.reads {
                down.take(read.at, flow, read.bytes);
            }
            out.reads.clear();
            let (comes, acts) = (down.next_deadline(), !out.effects.is_empty());
            if acts {
                self.carry_out(standby);
            }
            if acts || comes != SimTime::NEVER {
                self.book_link(link);
            } else {
                self.agenda.set(self.servers.len() + link, comes);
            }
        } else {
            self.out.updates.clear();
            self.out.reads.clear();
            self.carry_out(standby);
        }
        self.agenda.set(standby, self.servers[standby].next_deadline());
    }

    /// Books the next moment of a link. WAL for a standby that looks at it later is none.
    #[inline]
    pub(super) fn book_link(&mut self, link: usize) {
        let way = &self.links[link];
        let mut next = way.next_deadline();
        if self.quiet
            && next != SimTime::NEVER
            && let Some(reader) = self.readers[link]
            && let Some(connection) = self.servers[reader].reads_later(way.next_arrival())
        {
            next = way.next_but_wal(connection);
        }
        self.agenda.set(self.servers.len() + link, next);
    }

    /// A quiet standby keeps the WAL that has arrived before `before`.
    #[inline]
    pub(super) fn read_wal(&mut self, before: SimTime, standby: usize) {
        let Some(Stream { down, .. }) = self.streams[standby] else { return };
        let link = &mut self.links[down.0];
        let first = link.next_arrival();
        if first >= before {
            return;
        }
        if self.checks_moments {
            return self.read_wal_checked(before, standby);
        }
        let server = &mut self.servers[standby];
        if let Some(connection) = server.reads_later(first) {
            link.take_wal(before, connection, |at, message| {
                self.digest.add(fingerprint_of(message) ^ at.0);
                server.keep_wal(at, message);
            });
        }
    }

    /// The same, and each message is held against the laws.
    #[cold]
    fn read_wal_checked(&mut self, before: SimTime, standby: usize) {
        let Some(Stream { down, .. }) = self.streams[standby] else { return };
        let link = &mut self.links[down.0];
        let (from, server) = (link.sender(), &mut self.servers[standby]);
        if let Some(connection) = server.reads_later(link.next_arrival()) {
            link.take_wal(before, connection, |at, message| {
                self.digest.add(fingerprint_of(message) ^ at.0);
                if let Some(checkers) = &mut self.checkers {
                    checkers.arrived(from, server.id(), message);
                }
                server.keep_wal(at, message);
            });
        }
    }

    /// Updates of a standby that have arrived by `upto` are noted.
    pub(super) fn note_updates(&mut self, upto: SimTime, standby: usize) {
        let Some(Stream { up: (link, flow), .. }) = self.streams[standby] else { return };
        let arrived = self.links[link].arrived_updates(upto, flow);
        if !arrived.is_empty() {
            let (from, count) = (self.servers[standby].id(), arrived.len());
            self.servers[self.primary].note_updates(from, arrived);
            self.links[link].forget_updates(flow, count);
        }
    }

    /// A loud update has arrived at the primary.
    #[inline]
    pub(super) fn hear_update(&mut self, link: usize) {
        let way = &mut self.links[link];
        let Some((update, arrived)) = way.loud_update() else { return };
        let from = way.sender();
        self.servers[self.primary].hear_update(self.now, from, update, &mut self.out);
        way.pass_update();
        self.agenda.set(self.servers.len() + link, way.next_deadline());
        if !self.out.acknowledged.is_empty() {
            self.answer_clients();
        }
        if !self.out.effects.is_empty() {
            self.settle(self.primary);
        }
        if arrived > UNNOTED {
            self.note_updates(self.now, from.index());
        }
    }

    /// What standbys do without anybody waiting for it is done up to `upto`, and all updates that
    /// have arrived by then are noted.
    pub(super) fn read_all_quiet(&mut self, upto: SimTime) {
        if self.shares_links {
            return;
        }
        for index in 0..self.standbys.len() {
            let standby = self.standbys[index];
            if self.quiet {
                self.read_wal(SimTime(upto.0 + 1), standby);
                self.servers[standby].catch_up(upto, &mut self.out);
                self.settle_standby(standby);
            }
            self.note_updates(upto, standby);
        }
    }

    /// Whether standbys may act late from now on.
    pub(super) fn be_quiet(&mut self, quiet: bool) {
        self.quiet = quiet;
        for index in 0..self.standbys.len() {
            let standby = self.standbys[index];
            self.servers[standby].be_quiet(quiet);
            let served = self.served(standby);
            if let Some(stream) = &mut self.streams[standby] {
                stream.served = served;
            }
            self.settle_standby(standby);
        }
    }

    /// The connection of a standby that a walsender of the primary serves.
    fn served(&self, standby: usize) -> Option<ConnectionId> {
        let (server, primary) = (&self.servers[standby], self.servers[self.primary].primary()?);
        let connection = server.stream()?;
        primary.serves(server.id(), connection).then_some(connection)
    }

    /// The next status update of every standby matters: none is quiet until all have come.
    pub(super) fn be_loud(&mut self) {
        self.read_all_quiet(self.now);
        self.be_quiet(false);
        for link in 0..self.links.len() {
            self.links[link].wake_for_updates();
            self.book_link(link);
        }
    }
}

/// What of a status update goes into the digest.
fn fingerprint(at: &Positions) -> u64 {
    at.write.0 ^ at.flush.0.rotate_left(16) ^ at.apply.0.rotate_left(32)
}
