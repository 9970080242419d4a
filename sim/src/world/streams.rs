//! Standbys and their streams while most of what they do wakes nobody.
//!
//! Most replies of a standby only move its write or replay position. While no workload waits for
//! those they are *quiet*: nobody is woken for them. A standby does not even send them at their
//! moment, but when it next has something to do. WAL is handed to it as it is sent, with the moment
//! at which it arrives, and wakes it only if it waits for that. The primary takes note of replies
//! many at a time, and when they arrive only looks at those that are *loud*, because they may
//! release commits. When somebody looks, all of it is done up to then, dated when it happened: so
//! nobody can tell the difference (`sim/tests/quiet.rs`). Quiet ends when something happens that
//! makes the next reply of a standby matter, and begins again when all of them have come.

use models::network::Parcel;
use models::postgres::ConnectionId;
use models::postgres::protocol::{Body, Message, Update};
use models::postgres::syncrep::Positions;
use models::units::{Lsn, SimTime};

use super::World;
use super::digest::Way;

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

/// Bound on the updates on a link that were not noted, beside those under way.
const UNNOTED: usize = 128;

impl Stream {
    /// A stream over these links, on which nothing was sent.
    pub fn new(down: (usize, usize), up: (usize, usize)) -> Stream {
        Stream { down, up, served: None, last: Positions::default() }
    }

    /// Whether a status update wakes the primary. One that moves nothing that anybody waits for is
    /// quiet, and so is one that repeats the last, unless the standby says that it has replayed
    /// everything: the lag columns may become NULL then. Nobody waits for what is `synced`.
    #[inline]
    fn is_loud(&mut self, update: &Update, synced: Lsn) -> bool {
        let before = std::mem::replace(&mut self.last, update.positions);
        let Positions { write, flush, apply } = update.positions;
        let moves = before.write != write || before.apply != apply;
        let awaited = before.flush != flush && flush > synced;
        awaited || !(before.flush != flush || moves || apply < write) || update.reply_requested
    }
}

impl World {
    /// A standby's moment has come.
    #[inline]
    pub(super) fn standby_due(&mut self, standby: usize) {
        self.servers[standby].deadline(self.now, &mut self.out);
        self.settle_standby(standby);
    }

    /// Carries out what a standby has done, and books its next moment.
    #[inline]
    pub(super) fn settle_standby(&mut self, standby: usize) {
        if self.out.asks {
            // What has arrived is noted as of then; the rest comes as messages.
            self.note_updates(self.now, standby);
        }
        let (out, synced) = (&mut self.out, self.servers[self.primary].synced());
        let mut many = false;
        if let Some(stream) = &mut self.streams[standby] {
            if let Some(first) = out.updates.first() {
                let (link, flow) = stream.up;
                let (up, digest) = (&mut self.links[link], self.digest.chain(standby, Way::Up));
                let served = stream.served == Some(first.connection);
                let loud = |update: &Update| {
                    digest.take(fingerprint(&update.positions));
                    digest.take(update.at.0);
                    stream.is_loud(update, synced)
                };
                // Somebody has to answer whoever asks.
                match served && !out.asks {
                    true => up.send_updates(flow, &out.updates, loud),
                    false => up.send_all(flow, &out.updates, loud),
                }
                self.agenda.set(self.servers.len() + link, up.next_deadline());
                many = up.unnoted(flow) > UNNOTED;
            }
            let (link, flow) = stream.down;
            let down = &mut self.links[link];
            let mut awaited = false;
            for read in &out.reads {
                awaited |= down.take(read.at, flow, read.bytes);
            }
            if awaited {
                self.agenda.set(self.servers.len() + link, down.next_deadline());
            }
        }
        out.updates.clear();
        out.reads.clear();
        out.asks = false;
        if !out.effects.is_empty() {
            self.carry_out(standby);
            self.forget_stream(standby);
        }
        if many {
            self.note_updates(self.now, standby);
        }
        self.agenda.set(standby, self.servers[standby].next_deadline());
    }

    /// Books the next moment of a link.
    #[inline]
    pub(super) fn book_link(&mut self, link: usize) {
        self.agenda.set(self.servers.len() + link, self.links[link].next_deadline());
    }

    /// WAL is handed to a standby before it arrives. False if it is none, or not for a standby that
    /// takes it so, or the way is blocked.
    #[inline]
    pub(super) fn hand_over(&mut self, at: SimTime, standby: usize, message: &Message) -> bool {
        let Some(Stream { down: (link, flow), served, .. }) = self.streams[standby] else {
            return false;
        };
        let Body::XLogData { end, .. } = message.body else { return false };
        if served != Some(message.connection) {
            return false;
        }
        let Some(arrives) = self.links[link].hand_over(at, flow, message) else { return false };
        let digest = self.digest.chain(standby, Way::Down);
        digest.take(end.0);
        digest.take(arrives.0);
        if self.servers[standby].keep_wal(Parcel { sent: at, arrives, message: *message }) {
            self.agenda.set(standby, self.servers[standby].next_deadline());
        }
        true
    }

    /// What was handed to a standby and has not arrived is under way as anything else.
    fn take_back(&mut self, standby: usize) {
        let Some(Stream { down: (link, flow), .. }) = self.streams[standby] else { return };
        let coming = self.servers[standby].give_back(self.now);
        self.links[link].take_back(flow, coming);
        self.book_link(link);
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
        let Some(update) = way.loud_update() else { return };
        let from = way.sender();
        self.servers[self.primary].hear_update(self.now, from, update, &mut self.out);
        way.pass_update();
        self.agenda.set(self.servers.len() + link, way.next_deadline());
        if !self.out.answers.is_empty() {
            self.answer_clients();
        }
        if !self.out.effects.is_empty() {
            self.settle(self.primary);
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
            let served = self.served(standby).filter(|_| quiet);
            if !quiet {
                self.take_back(standby);
            }
            if let Some(stream) = &mut self.streams[standby] {
                stream.served = served;
                let (link, flow) = stream.down;
                if let Some(connection) = served {
                    for parcel in self.links[link].take_wal(flow, connection) {
                        self.servers[standby].keep_wal(parcel);
                    }
                }
                self.book_link(link);
            }
            self.settle_standby(standby);
        }
    }

    /// A standby's stream may have ended: then nothing is handed over any more.
    fn forget_stream(&mut self, standby: usize) {
        let now = self.servers[standby].stream();
        if let Some(stream) = &mut self.streams[standby]
            && stream.served.is_some()
            && stream.served != now
        {
            stream.served = None;
            self.take_back(standby);
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
