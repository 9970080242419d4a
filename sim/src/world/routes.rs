//! The ways of messages: from a server's effects to the links, and back to a server.
//!
//! Most replies of a standby only move its write or replay position. While no workload waits for
//! those they are *quiet*: nobody is woken for them. A standby does not even send them at their
//! moment, nor does it look at WAL that arrives while it fsyncs, but when it next has something to
//! do; the primary reads quiet replies with the next one that is not quiet. When somebody looks,
//! all of it is done up to then. It is dated when it happened, so nobody can tell the difference
//! (`sim/tests/quiet.rs`). Quiet ends when something happens that makes the next reply of a standby
//! matter, and begins again when all of them have come.

use models::network::Link;
use models::postgres::effect::Effect;
use models::postgres::protocol::{Body, Message, Update};
use models::postgres::syncrep::Positions;
use models::trace::fact::ServerId;
use models::units::{Bytes, SimTime};

use super::World;
use super::sessions::RECONNECT;

/// Bound on the updates that have arrived on a link and were not noted.
const UNNOTED: usize = 128;

impl World {
    /// Carries out effects in order, those too that come of them.
    pub(super) fn carry_out(&mut self, server: usize) {
        let id = self.servers[server].id();
        loop {
            let mut effects = std::mem::take(&mut self.out.effects);
            for effect in &effects {
                match effect {
                    Effect::Send { at, to, message } => self.send(*at, id, *to, message),
                    Effect::NeedRoom { to, bytes } => self.ask_for_room(id, *to, *bytes),
                    Effect::Disconnected { session } => {
                        let workload = &mut self.workloads[usize::from(session.workload)];
                        workload.clients.answered(self.now + RECONNECT, session.client);
                    }
                    Effect::RedoMoved => {
                        self.workloads.iter_mut().for_each(|w| w.clients.redo_moved());
                    }
                    Effect::CandidatesChanged => self.be_loud(),
                    Effect::Fact(what) => self.happened(server, *what),
                }
            }
            effects.clear();
            if self.out.effects.is_empty() {
                self.out.effects = effects;
                return;
            }
        }
    }

    /// Hands a message to the link; the servers' kernels drop what has no way to go.
    #[inline]
    pub(super) fn send(&mut self, at: SimTime, from: ServerId, to: ServerId, message: &Message) {
        let route = from.index() * self.servers.len() + to.index();
        let Some((link, flow)) = self.routes[route] else { return };
        if message.body == Body::CopyBoth {
            self.links[link].forget_window(flow, message.connection);
        }
        self.links[link].send(at, flow, message);
        self.book_link(link);
    }

    /// Hands the status updates of a standby to the link. One that moves nothing that anybody waits
    /// for is quiet, and so is one that repeats the last, unless the standby says that it has
    /// replayed everything: the lag columns may become NULL then.
    pub(super) fn send_updates(&mut self, standby: usize) {
        let server = &self.servers[standby];
        let upstream = server.upstream().map_or(standby, ServerId::index);
        let route = standby * self.servers.len() + upstream;
        let updates = self.out.updates.as_slice();
        if let (Some((link, flow)), Some(first)) = (self.routes[route], updates.first()) {
            let primary = self.servers[self.primary].primary().filter(|_| self.quiet);
            let served = primary.is_some_and(|p| p.serves(server.id(), first.connection));
            let one_connection = updates.iter().all(|u| u.connection == first.connection);
            let (last, digest) = (&mut self.updates[route], &mut self.digest);
            let loud = |update: &Update| {
                let before = std::mem::replace(last, update.positions);
                let Positions { write, flush, apply } = update.positions;
                digest.add(fingerprint(&update.positions) ^ update.at.0);
                let moves = before.write != write || before.apply != apply;
                let quiet = before.flush == flush && (moves || apply < write);
                !quiet || update.reply_requested
            };
            let link_ = &mut self.links[link];
            if served && one_connection {
                link_.send_updates(flow, updates, loud);
            } else {
                link_.send_all(flow, updates, loud);
            }
            self.agenda.set(self.servers.len() + link, self.links[link].next_deadline());
        }
        self.out.updates.clear();
    }

    /// A standby has taken XLogData from its socket buffer.
    pub(super) fn take_reads(&mut self, standby: usize) {
        let upstream = self.servers[standby].upstream().map_or(standby, ServerId::index);
        if let Some((link, flow)) = self.routes[upstream * self.servers.len() + standby] {
            for read in &self.out.reads {
                self.links[link].take(read.at, flow, read.bytes);
            }
        }
        self.out.reads.clear();
    }

    /// Books the next moment of a link. WAL for a standby that looks at it later is none.
    #[inline]
    pub(super) fn book_link(&mut self, link: usize) {
        let mut next = self.links[link].next_deadline();
        if self.quiet
            && next != SimTime::NEVER
            && let Some(reader) = self.readers[link]
            && let Some(connection) =
                self.servers[reader].reads_later(self.links[link].next_arrival())
        {
            next = self.links[link].next_but_wal(connection);
        }
        self.agenda.set(self.servers.len() + link, next);
    }

    /// The same for the link that brings WAL to a standby.
    #[inline]
    pub(super) fn book_link_to(&mut self, standby: usize) {
        if let Some((link, _)) = self.routes[self.primary * self.servers.len() + standby] {
            self.book_link(link);
        }
    }

    /// A quiet standby reads the WAL that has arrived before `before`.
    #[inline]
    pub(super) fn read_wal(&mut self, before: SimTime, standby: usize) {
        let route = self.primary * self.servers.len() + standby;
        let Some((link, _)) = self.routes[route] else { return };
        let (link, server) = (&mut self.links[link], &mut self.servers[standby]);
        let Some(connection) = server.reads_later(link.next_arrival()) else { return };
        while let Some((at, message)) = link.take_wal(before, connection) {
            self.digest.add(fingerprint_of(&message) ^ at.0);
            server.keep_wal(at, &message);
        }
    }

    /// Updates that have arrived by `upto` are noted.
    #[inline]
    pub(super) fn note_updates(&mut self, upto: SimTime, from: ServerId, to: ServerId) {
        let route = from.index() * self.servers.len() + to.index();
        let Some((link, flow)) = self.routes[route] else { return };
        let arrived = self.links[link].arrived_updates(upto, flow);
        if !arrived.is_empty() {
            let count = arrived.len();
            self.servers[to.index()].note_updates(from, arrived);
            self.links[link].forget_updates(flow, count);
        }
    }

    /// A loud update has arrived at the primary.
    pub(super) fn hear_update(&mut self, link: usize) {
        let from = self.links[link].sender();
        if let Some((update, arrived)) = self.links[link].look_at_update() {
            self.servers[self.primary].hear_update(self.now, from, &update, &mut self.out);
            if !self.out.is_empty() {
                self.settle(self.primary);
            }
            if arrived > UNNOTED {
                self.note_updates(self.now, from, self.servers[self.primary].id());
            }
        }
        self.agenda.set(self.servers.len() + link, self.links[link].next_deadline());
    }

    /// What standbys do without anybody waiting for it is done up to `upto`, and all quiet
    /// messages that have arrived by then are read.
    pub(super) fn read_all_quiet(&mut self, upto: SimTime) {
        if !self.quiet_workloads {
            return;
        }
        let to = self.servers[self.primary].id();
        for index in 0..self.standbys.len() {
            let standby = self.standbys[index];
            if self.quiet {
                self.read_wal(SimTime(upto.0 + 1), standby);
                self.servers[standby].catch_up(upto, &mut self.out);
                self.settle(standby);
            }
            self.note_updates(upto, self.servers[standby].id(), to);
        }
    }

    /// Whether status updates that move only write or replay may be read later.
    pub(super) fn be_quiet(&mut self, quiet: bool) {
        self.quiet = quiet;
        for index in 0..self.standbys.len() {
            let standby = self.standbys[index];
            self.servers[standby].be_quiet(quiet);
            self.agenda.set(standby, self.servers[standby].next_deadline());
            self.book_link_to(standby);
        }
    }

    /// The next status update of every standby matters: none is quiet until all have come.
    pub(super) fn be_loud(&mut self) {
        self.read_all_quiet(self.now);
        self.be_quiet(false);
        for route in 0..self.routes.len() {
            if let Some((link, flow)) = self.routes[route] {
                self.links[link].wake_for_quiet(flow);
                self.book_link(link);
            }
        }
    }

    pub(super) fn ask_for_room(&mut self, from: ServerId, to: ServerId, bytes: Bytes) {
        let (now, mut room) = (self.now, None);
        self.on_route(from, to, |link, flow| room = link.ask_for_room(now, flow, bytes));
        if let Some(bytes) = room {
            // Its walsender goes on; what it sends comes behind the effects in hand.
            self.servers[from.index()].room(now, to, bytes, &mut self.out);
        }
    }

    pub(super) fn on_route(
        &mut self,
        from: ServerId,
        to: ServerId,
        act: impl FnOnce(&mut Link, usize),
    ) {
        let route = from.index() * self.servers.len() + to.index();
        if let Some((link, flow)) = self.routes[route] {
            act(&mut self.links[link], flow);
            self.book_link(link);
        }
    }
}

/// What of a status update goes into the digest.
fn fingerprint(at: &Positions) -> u64 {
    at.write.0 ^ at.flush.0.rotate_left(16) ^ at.apply.0.rotate_left(32)
}

/// What of any other message does.
pub(super) fn fingerprint_of(message: &Message) -> u64 {
    match message.body {
        Body::XLogData { end, .. } => end.0,
        Body::Connect
        | Body::Accepted
        | Body::Refused(_)
        | Body::IdentifySystem
        | Body::System { .. }
        | Body::StartReplication { .. }
        | Body::CopyBoth
        | Body::Keepalive { .. }
        | Body::StatusUpdate { .. }
        | Body::Close => u64::from(message.connection.0),
    }
}
