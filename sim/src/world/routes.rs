//! The ways of messages: from a server's effects to the links, and back to a server.
//!
//! Most replies of a standby only move its write or replay position. While no workload waits for
//! those they are *quiet*: nobody is woken for them. A standby takes note of the end of a piece of
//! replay, and of the reply that it has sent then, when it next has something to do; the primary
//! reads quiet replies with the next one that is not quiet, or when somebody looks. All of it is
//! dated when it happened, so nobody can tell the difference (`sim/tests/quiet.rs`). Quiet ends
//! when something happens that makes the next reply of a standby matter, and begins again when all
//! of them have come.

use models::network::Link;
use models::postgres::effect::Effect;
use models::postgres::protocol::{Body, Message};
use models::trace::fact::ServerId;
use models::units::{Bytes, SimTime};

use super::World;
use super::sessions::RECONNECT;

impl World {
    /// Carries out effects in order, those too that come of them.
    pub(super) fn carry_out(&mut self, server: usize) {
        let id = self.servers[server].id();
        let mut next = 0;
        while next < self.out.effects.len() {
            let effect = self.out.effects[next];
            next += 1;
            match effect {
                Effect::Send { at, to, message } => self.send(at, id, to, &message),
                Effect::Read { from, bytes } => {
                    let now = self.now;
                    self.on_route(from, id, |link, flow| link.take(now, flow, bytes));
                }
                Effect::NeedRoom { to, bytes } => self.ask_for_room(id, to, bytes),
                Effect::Disconnected { session } => {
                    let workload = &mut self.workloads[usize::from(session.workload)];
                    workload.clients.answered(self.now + RECONNECT, session.client);
                }
                Effect::RedoMoved => {
                    self.workloads.iter_mut().for_each(|w| w.clients.redo_moved());
                }
                Effect::CandidatesChanged => self.be_loud(),
                Effect::Fact(what) => self.happened(server, what),
            }
        }
        self.out.effects.clear();
    }

    /// Hands a message to the link; the servers' kernels drop what has no way to go. A status
    /// update that moves nothing that anybody waits for is sent quietly.
    #[inline]
    pub(super) fn send(&mut self, at: SimTime, from: ServerId, to: ServerId, message: &Message) {
        let route = from.index() * self.servers.len() + to.index();
        let Some((link, flow)) = self.routes[route] else { return };
        match message.body {
            Body::StatusUpdate { write, flush, apply, reply_requested } => {
                self.digest.add(fingerprint(message) ^ at.0);
                let last = std::mem::replace(&mut self.updates[route], (flush, write, apply));
                let only_others = last.0 == flush && (last.1, last.2) != (write, apply);
                let primary = self.servers[self.primary].primary();
                let known = || primary.is_some_and(|p| p.serves(from, message.connection));
                if self.quiet && only_others && !reply_requested && known() {
                    self.links[link].send_quietly(at, flow, message);
                    return;
                }
            }
            Body::CopyBoth => self.links[link].forget_window(flow, message.connection),
            _ => {}
        }
        self.links[link].send(at, flow, message);
        self.agenda.set(self.servers.len() + link, self.links[link].next_deadline());
    }

    /// Quiet messages that have arrived are read.
    #[inline]
    pub(super) fn read_quiet(&mut self, from: ServerId, to: ServerId) {
        let route = from.index() * self.servers.len() + to.index();
        let Some((link, flow)) = self.routes[route] else { return };
        while let Some((at, message)) = self.links[link].deliver_quiet(self.now, flow) {
            self.servers[to.index()].receive(at, from, &message, &mut self.out);
        }
    }

    /// All quiet messages that have arrived are read, those too that a standby has not even taken
    /// note of having sent.
    pub(super) fn read_all_quiet(&mut self) {
        if self.quiet_workloads {
            let to = self.servers[self.primary].id();
            for index in 0..self.standbys.len() {
                let standby = self.standbys[index];
                self.servers[standby].catch_up(self.now, &mut self.out);
                if !self.out.effects.is_empty() {
                    self.carry_out(standby);
                }
                let from = self.servers[standby].id();
                self.read_quiet(from, to);
            }
        }
    }

    /// Whether status updates that move only write or replay may be read later.
    pub(super) fn be_quiet(&mut self, quiet: bool) {
        self.quiet = quiet;
        for &standby in &self.standbys {
            self.servers[standby].replay_quietly(quiet);
            self.agenda.set(standby, self.servers[standby].next_deadline());
        }
    }

    /// The next status update of every standby matters: none is quiet until all have come.
    pub(super) fn be_loud(&mut self) {
        self.be_quiet(false);
        for route in 0..self.routes.len() {
            if let Some((link, flow)) = self.routes[route] {
                self.links[link].wake_for_quiet(flow);
                self.agenda.set(self.servers.len() + link, self.links[link].next_deadline());
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
            self.agenda.set(self.servers.len() + link, self.links[link].next_deadline());
        }
    }
}

/// What of a message goes into the digest.
pub(super) fn fingerprint(message: &Message) -> u64 {
    match message.body {
        Body::XLogData { end, .. } => end.0,
        Body::StatusUpdate { write, flush, apply, .. } => {
            write.0 ^ flush.0.rotate_left(16) ^ apply.0.rotate_left(32)
        }
        Body::Connect
        | Body::Accepted
        | Body::Refused(_)
        | Body::IdentifySystem
        | Body::System { .. }
        | Body::StartReplication { .. }
        | Body::CopyBoth
        | Body::Keepalive { .. }
        | Body::Close => u64::from(message.connection.0),
    }
}
