//! What befalls the links between servers: cuts, resets, hosts that fall silent, and ways that
//! get worse.
//!
//! A host that dies or freezes is to its peers a cut of every link to it: they send again and
//! again, and hear nothing. Cuts are counted, so that each of several heals by itself.
//!
//! **Source.** product.md, "Delay on a link".
//!
//! **Not modelled.** Cuts of one direction.

use models::network::{Impairment, Link};
use models::postgres::ConnectionId;
use models::postgres::protocol::{Body, Message};
use models::postgres::server::State;
use models::trace::fact::{Scope, ServerId, What};
use models::units::{Duration, SimTime};

use super::World;

/// For so long somebody may ask why a link that is whole again carries nothing.
const WORTH_TELLING: Duration = Duration::s(5);

impl World {
    pub(super) fn cut(&mut self, a: ServerId, b: ServerId) {
        for (from, to) in [(a, b), (b, a)] {
            self.note_lost(from, to, |message| message.body == Body::Connect);
        }
        self.both_ways(a, b, Link::cut);
    }

    pub(super) fn release(&mut self, a: ServerId, b: ServerId) {
        self.note_stopped(a, b);
        let now = self.now;
        self.both_ways(a, b, |link, flow| link.release(now, flow));
    }

    pub(super) fn heal(&mut self, a: ServerId, b: ServerId) {
        self.note_stopped(a, b);
        let now = self.now;
        let [there, back] = [(a, b), (b, a)].map(|(from, to)| {
            let mut again = None;
            self.on_route(from, to, |link, flow| again = link.heal(now, flow));
            again
        });
        for (upstream, standby, wal, replies) in [(a, b, there, back), (b, a, back, there)] {
            let State::Standby(state) = self.servers[standby.index()].state() else { continue };
            let receiver = &state.receiver;
            let streams =
                |connection| receiver.upstream() == upstream && receiver.connection() == connection;
            let when = |again: Option<(ConnectionId, SimTime)>| {
                again.filter(|(connection, _)| streams(*connection)).map(|(_, at)| at)
            };
            let (wal, replies) = (when(wal), when(replies));
            if let Some(at) = wal.filter(|at| *at >= now + WORTH_TELLING) {
                self.happened(upstream.index(), What::SendsAgain { to: standby, at });
            }
            // Without replies the upstream knows nothing of what has arrived.
            let since = wal.map_or(now, |at| at.max(now));
            if let Some(at) = replies.filter(|at| *at >= since + WORTH_TELLING) {
                self.happened(standby.index(), What::SendsAgain { to: upstream, at });
            }
        }
    }

    /// What a server sends is delayed more, and so are the acknowledgements that it sends.
    pub(super) fn impair(&mut self, from: ServerId, to: ServerId, impairment: &Impairment) {
        let now = self.now;
        self.on_route(from, to, |link, flow| link.impair(now, flow, impairment));
        self.on_route(to, from, |link, flow| link.impair_answers(flow, impairment));
        self.loses = self.links.iter().any(Link::loses);
    }

    pub(super) fn both_ways(&mut self, a: ServerId, b: ServerId, act: impl Fn(&mut Link, usize)) {
        self.on_route(a, b, &act);
        self.on_route(b, a, &act);
    }

    pub(super) fn each_peer(&mut self, server: ServerId, act: impl Fn(&mut World, ServerId)) {
        for index in 0..self.servers.len() {
            let peer = self.servers[index].id();
            if peer != server {
                act(self, peer);
            }
        }
    }

    /// A host dies: to its peers that is a cut, into which they send again and again. What it had
    /// under way itself is lost for good.
    pub(super) fn fall_silent(&mut self, server: ServerId) {
        self.each_peer(server, |world, peer| {
            world.cut(server, peer);
            world.note_lost(server, peer, |_| true);
            world.on_route(server, peer, Link::forget);
        });
    }

    pub(super) fn unfreeze_host(&mut self, server: ServerId) {
        if self.servers[server.index()].frozen() == Some(Scope::Host) {
            self.each_peer(server, |world, peer| world.heal(server, peer));
        }
    }

    /// Whether messages pass from one server to the other and back.
    pub fn is_linked(&self, a: ServerId, b: ServerId) -> bool {
        let passes = |from: ServerId, to: ServerId| {
            let route = self.routes[from.index() * self.servers.len() + to.index()];
            route.is_some_and(|(link, flow)| !self.links[link].is_blocked(flow))
        };
        passes(a, b) && passes(b, a)
    }

    /// Both ends of the streams between two servers see their connection reset.
    pub(super) fn reset(&mut self, a: ServerId, b: ServerId) {
        for (standby, upstream) in [(a, b), (b, a)] {
            let State::Standby(state) = self.servers[standby.index()].state() else { continue };
            if state.receiver.upstream() != upstream || state.receiver.is_off() {
                continue;
            }
            let connection = state.receiver.connection();
            let message = Message { connection, body: Body::Close };
            self.receive(self.now, self.now, upstream, standby, &message);
            self.receive(self.now, self.now, standby, upstream, &message);
        }
    }
}
