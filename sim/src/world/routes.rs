//! The ways of messages: from a server's effects to the links.

use models::network::{Link, Parcel};
use models::postgres::effect::{Effect, Sent};
use models::postgres::protocol::{Body, Message};
use models::trace::fact::{Fact, ServerId, What};
use models::units::{Bytes, SimTime};

use super::World;
use super::sessions::RECONNECT;

impl World {
    /// Carries out effects in order, those too that come of them.
    pub(super) fn carry_out(&mut self, server: usize) {
        let id = self.servers[server].id();
        while !self.out.effects.is_empty() {
            let mut effects = std::mem::take(&mut self.out.effects);
            for effect in &effects {
                match effect {
                    Effect::Send { at, to, message } => self.send(*at, id, *to, message),
                    Effect::NeedRoom { to, bytes } => self.ask_for_room(id, *to, *bytes),
                    Effect::Disconnected { session } => {
                        let workload = &mut self.workloads[usize::from(session.workload)];
                        workload.clients.answered(self.now + RECONNECT, session.client);
                    }
                    Effect::Cancelled { session } => {
                        let workload = &mut self.workloads[usize::from(session.workload)];
                        workload.clients.answered(self.now, session.client);
                    }
                    Effect::RedoMoved if server != self.primary => {}
                    Effect::RedoMoved => {
                        self.workloads.iter_mut().for_each(|w| w.clients.redo_moved());
                    }
                    Effect::CandidatesChanged => {
                        if let Some(checkers) = &mut self.checkers {
                            checkers.candidates_changed();
                        }
                        self.be_loud();
                    }
                    Effect::Fact(what) => self.happened(server, *what),
                }
            }
            self.send_wal(id);
            effects.clear();
            if self.out.effects.is_empty() {
                self.out.effects = effects;
            }
        }
    }

    /// Something happened on a server.
    pub(super) fn happened(&mut self, server: usize, what: What) {
        self.touched = true;
        self.checkpoints[server].happened(&what);
        if server == self.primary && matches!(what, What::Panicked { .. }) {
            // Nobody told the world to make it crash: what else hangs on that is done here.
            self.be_loud();
        }
        if server == self.primary && matches!(what, What::Starting | What::RecoveryStarted { .. }) {
            self.cut_rows();
        }
        if server == self.primary && matches!(what, What::Crashed { .. }) {
            self.disconnect_held();
        }
        if server == self.primary && what == What::Ready {
            self.sessions_since = self.now;
            self.refuse_clients();
        }
        if self.failovers.is_some() {
            self.promoted(server, &what);
            if let What::Crashed { .. } | What::ShutDown | What::Ready = what {
                self.choose_primary();
            }
        }
        let ready = self.takes_sessions(server);
        self.check_fact(server, &what);
        if let Some(heard) = &mut self.heard {
            heard.happened(&self.servers, server, &what);
        }
        self.note_needs(server, &what);
        if let Some(recorder) = &mut self.recorder {
            let id = Some(self.servers[server].id());
            recorder.fact(Fact { at: self.now, server: id, what });
            recorder.available(server, self.now, ready);
        }
    }

    /// A server sends WAL to its standbys.
    #[inline]
    pub(super) fn send_wal(&mut self, from: ServerId) {
        let mut wal = std::mem::take(&mut self.out.wal);
        for Sent { at, to, message } in &wal {
            self.send(*at, from, *to, message);
        }
        wal.clear();
        self.out.wal = wal;
    }

    /// Hands a message to the link; the servers' kernels drop what has no way to go.
    #[inline]
    pub(super) fn send(&mut self, at: SimTime, from: ServerId, to: ServerId, message: &Message) {
        if self.checks_moments {
            self.check_sent(from.index(), to, message);
        }
        if let Some(heard) = &mut self.heard {
            heard.said(&self.servers, at, from, to, message);
        }
        let route = from.index() * self.servers.len() + to.index();
        if self.hand_over(&[Sent { at, to, message: *message }]) {
            if let (Some(trail), Some((link, flow))) = (&mut self.trail, self.routes[route]) {
                let arrives = self.links[link].last_arrival(flow);
                let parcel = Parcel { sent: at, arrives, message: *message };
                trail.parcel(&parcel, from.index(), to.index());
            }
            return;
        }
        let Some((link, flow)) = self.routes[route] else { return };
        if self.trail.is_some() {
            self.note_attempt(at, from, to, message);
        }
        if message.body == Body::CopyBoth {
            self.links[link].forget_window(flow, message.connection);
        }
        self.links[link].send(at, flow, message);
        self.book_link(link);
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

/// What of a message goes into the digest, unless it is a status update.
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
        | Body::CopyDone
        | Body::Keepalive { .. }
        | Body::StatusUpdate { .. }
        | Body::Terminate
        | Body::Close => u64::from(message.connection.0),
    }
}
