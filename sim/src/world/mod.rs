//! The data plane: servers, links and clients, and the one loop that plays them.
//!
//! A [`World`] is plain data. It knows no madsim, no task, no waker, no clock but its own, and can
//! be cloned at any moment. [`World::run_until`] plays data events in the order of the
//! [`agenda`]; between two calls the control plane may [`World::apply`] what befalls the world
//! from outside. Everything that happens goes into the [`digest`].
//!
//! Commits are not events. While the primary flushes, whatever is inserted can only wait, so
//! arrivals are drawn when the flush ends ("lazily"); only while no flush runs does the next
//! arrival stand on the agenda, because it may begin one.
//!
//! **Not modelled.** A client's retry is one second after its connection failed; transactions of
//! an open loop that find no primary fail at once and do not come back.

pub mod agenda;
pub mod build;
pub mod dice;
pub mod digest;
mod links;
pub mod recorder;
pub mod summary;

use models::clients::{Arrival, ArrivalKind, Clients};
use models::network::{Delivery, Link};
use models::postgres::guc::SynchronousCommit;
use models::postgres::primary::{Batch, Primary};
use models::postgres::protocol::{Body, Message};
use models::postgres::server::{Effect, Out, Server, State};
use models::trace::fact::{Fact, Scope, ServerId, What};
use models::units::{Bytes, Duration, Lsn, SimTime};

use agenda::Agenda;
use digest::Digest;
use recorder::Recorder;

/// Where [`World::run_until`] stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// At the moment asked for.
    Until,
    /// At the close of the first moment at which a watch held.
    Saw,
}

/// Something that control code waits for; it holds or it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// The server accepts connections.
    Ready(ServerId),
    /// WAL is durable there up to the position.
    Flushed(ServerId, Lsn),
    /// No postmaster runs.
    Down(ServerId),
}

/// What the control plane does to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Processes or host die.
    Crash {
        /// Whose.
        server: ServerId,
        /// What dies.
        scope: Scope,
    },
    /// The postmaster starts.
    Start {
        /// Whose.
        server: ServerId,
    },
    /// Processes or host stop without dying.
    Freeze {
        /// Whose.
        server: ServerId,
        /// What stops.
        scope: Scope,
    },
    /// They go on.
    Thaw {
        /// Whose.
        server: ServerId,
    },
    /// Nothing passes between two servers, and nobody is told.
    Cut {
        /// One end.
        a: ServerId,
        /// The other end.
        b: ServerId,
    },
    /// The way is free again.
    HealCut {
        /// One end.
        a: ServerId,
        /// The other end.
        b: ServerId,
    },
    /// Everything between two servers waits.
    Hold {
        /// One end.
        a: ServerId,
        /// The other end.
        b: ServerId,
    },
    /// It passes at once.
    Release {
        /// One end.
        a: ServerId,
        /// The other end.
        b: ServerId,
    },
    /// Their connections are reset; both ends notice.
    Reset {
        /// One end.
        a: ServerId,
        /// The other end.
        b: ServerId,
    },
}

/// A workload and where it runs.
#[derive(Clone, Debug)]
struct Workload {
    clients: Clients,
    /// Its own `synchronous_commit`.
    level: Option<SynchronousCommit>,
    closed: bool,
}

/// Servers, links and clients.
#[derive(Clone, Debug)]
pub struct World {
    now: SimTime,
    end: SimTime,
    servers: Vec<Server>,
    /// Two for each link of the scenario, one a direction.
    links: Vec<Link>,
    /// The link and the flow from one server to another: `from * servers + to`.
    routes: Vec<Option<(usize, usize)>>,
    workloads: Vec<Workload>,
    /// The server that clients write to.
    primary: usize,
    /// Servers that stream from another one: what lag is measured for.
    standbys: Vec<usize>,
    agenda: Agenda,
    digest: Digest,
    events: u64,
    recorder: Option<Recorder>,
    /// When the digest or the recorder wants a look.
    next_look: SimTime,
    /// Flush position of the primary when it was looked at last.
    primary_flushed: Lsn,
    /// A transaction that found wal_buffers full.
    held: Option<(usize, Arrival)>,
    /// Sessions went on at this moment at the earliest: the last start or thaw of the primary.
    sessions_since: SimTime,
    /// Something happened that a watch may wait for.
    touched: bool,
    /// No workload waits for a standby's write or replay.
    quiet_workloads: bool,
    /// Status updates that only move those may be read later (see [`models::network`]).
    quiet: bool,
    /// Flush, write and replay of the last status update on each route.
    updates: Vec<(Lsn, Lsn, Lsn)>,
    /// Scratch: effects of the machine in hand.
    out: Out,
}

/// A client that lost its connection tries again after this long.
const RECONNECT: Duration = Duration::s(1);

impl World {
    /// The moment up to which everything has happened.
    pub fn now(&self) -> SimTime {
        self.now
    }

    /// The end of the run.
    pub fn end(&self) -> SimTime {
        self.end
    }

    /// Data events so far.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The digest of all of them.
    pub fn digest(&self) -> u64 {
        self.digest.value()
    }

    /// The servers, indexed by [`ServerId`].
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// Plays all data events up to and including `until`, or stops at the close of the first
    /// moment at which one of `watches` holds.
    pub fn run_until(&mut self, until: SimTime, watches: &[Watch]) -> Reached {
        let positions = watches.iter().any(|watch| matches!(watch, Watch::Flushed(..)));
        self.touched = true;
        loop {
            let (source, at) = self.agenda.first();
            if at > self.now {
                // The moment closes.
                if self.touched || positions {
                    self.touched = false;
                    if watches.iter().any(|&watch| self.holds(watch)) {
                        return Reached::Saw;
                    }
                }
                if at > until {
                    if until > self.next_look {
                        self.look_around(until);
                    }
                    self.now = self.now.max(until);
                    return Reached::Until;
                }
                if at > self.next_look {
                    self.look_around(at);
                }
                self.now = at;
            }
            self.step(source, until);
        }
    }

    /// Whether what a watch waits for is so.
    pub fn holds(&self, watch: Watch) -> bool {
        match watch {
            Watch::Ready(server) => self.servers[server.index()].is_ready(),
            Watch::Flushed(server, lsn) => self.servers[server.index()].flushed() >= lsn,
            Watch::Down(server) => {
                matches!(self.servers[server.index()].state(), State::Down)
            }
        }
    }

    /// Something befalls the world, now.
    pub fn apply(&mut self, action: Action) {
        self.look_around(self.now);
        self.read_all_quiet();
        self.be_loud();
        self.feed(self.now);
        let now = self.now;
        match action {
            Action::Crash { server, scope } => {
                self.unfreeze_host(server);
                if scope == Scope::Host && !self.servers[server.index()].host_is_down() {
                    self.fall_silent(server);
                }
                self.with_server(server, |s, out| s.crash(now, scope, out));
            }
            Action::Start { server } => {
                if self.servers[server.index()].host_is_down() {
                    self.each_peer(server, |world, peer| world.heal(server, peer));
                }
                self.with_server(server, |s, out| s.start(now, out));
            }
            Action::Freeze { server, scope } => {
                if scope == Scope::Host && self.servers[server.index()].frozen() != Some(scope) {
                    self.each_peer(server, |world, peer| world.cut(server, peer));
                }
                self.with_server(server, |s, out| s.freeze(scope, out));
            }
            Action::Thaw { server } => {
                self.unfreeze_host(server);
                self.with_server(server, |s, out| s.thaw(now, out));
                self.sessions_since = now;
            }
            Action::Cut { a, b } => self.cut(a, b),
            Action::HealCut { a, b } => self.heal(a, b),
            Action::Hold { a, b } => self.both_ways(a, b, |link, flow| link.hold(flow)),
            Action::Release { a, b } => self.both_ways(a, b, |link, flow| link.release(now, flow)),
            Action::Reset { a, b } => self.reset(a, b),
        }
        self.digest.fold(now.0);
        self.book_clients();
        self.touched = true;
    }

    /// Something happened outside of all servers, or the control plane did it.
    pub fn fact(&mut self, server: Option<ServerId>, what: What) {
        if let Some(recorder) = &mut self.recorder {
            recorder.fact(Fact { at: self.now, server, what });
        }
    }

    /// One event of the source that comes next. A thawed server's deadlines may lie in the past:
    /// they are due now.
    #[inline]
    fn step(&mut self, source: usize, until: SimTime) {
        self.count_event(source);
        if source < self.servers.len() {
            if source == self.primary {
                self.read_all_quiet();
                self.feed(self.now);
            }
            self.servers[source].deadline(self.now, &mut self.out);
            self.settle(source);
        } else if source < self.servers.len() + self.links.len() {
            self.deliver(source - self.servers.len());
        } else {
            self.arrive(until);
        }
    }

    #[inline]
    fn count_event(&mut self, source: usize) {
        self.events += 1;
        self.digest.fold(self.now.0 ^ (source as u64) << 56);
    }

    /// What a link has brought.
    fn deliver(&mut self, link: usize) {
        let delivery = self.links[link].deliver(self.now);
        self.agenda.set(self.servers.len() + link, self.links[link].next_deadline());
        match delivery {
            Some(Delivery::Message { from, to, message }) => {
                if !matches!(message.body, Body::StatusUpdate { .. }) {
                    self.digest.fold(fingerprint(&message));
                }
                self.receive(from, to, &message);
            }
            Some(Delivery::Room { from, to, bytes }) => {
                self.servers[from.index()].room(self.now, to, bytes, &mut self.out);
                self.settle(from.index());
            }
            None => {}
        }
    }

    /// Transactions while no flush runs: one after the other until one begins a flush, or
    /// something else comes first. Each is an event of its own, so that it makes no difference
    /// where somebody has the world stop or wants to look.
    fn arrive(&mut self, until: SimTime) {
        let source = self.servers.len() + self.links.len();
        let others = self.agenda.earliest_of(source);
        let limit = until.min(self.next_look);
        loop {
            self.insert(self.now, true);
            let next = self.next_arrival().map_or(SimTime::NEVER, |(_, at)| at);
            let server = &self.servers[self.primary];
            let waits = next >= others.min(server.next_deadline());
            if server.flushing() != Some(false) || next > limit || waits {
                break;
            }
            self.now = self.now.max(next);
            self.count_event(source);
        }
        self.settle(self.primary);
    }

    /// Inserts everything that arrived up to `now`.
    fn feed(&mut self, now: SimTime) {
        if self.held.is_some() || self.workloads.iter().any(|w| w.clients.next_insert() <= now) {
            self.insert(now, false);
        }
    }

    /// The workload whose transaction comes next, and when.
    #[inline]
    fn next_arrival(&self) -> Option<(usize, SimTime)> {
        if let Some((workload, arrival)) = self.held {
            return Some((workload, arrival.at));
        }
        next_of(&self.workloads).filter(|next| next.1 <= self.end)
    }

    /// Inserts what arrived up to `upto`, or only one transaction. Answers that come at once are
    /// given in between, since in a closed loop they bring the next transaction.
    fn insert(&mut self, upto: SimTime, only_one: bool) {
        let upto = upto.min(self.end);
        let mut more = true;
        while more {
            let (held, since, now) = (&mut self.held, self.sessions_since, self.now);
            let (workloads, out) = (&mut self.workloads, &mut self.out);
            let server = &mut self.servers[self.primary];
            more = server.with_backends(|primary, host| match held.take() {
                Some((index, arrival)) => {
                    let level = primary.level(workloads[index].level);
                    let inserted = primary.insert_one(&arrival, index as u16, level, host, out);
                    if !inserted {
                        *held = Some((index, arrival));
                    }
                    inserted && !only_one
                }
                None => {
                    let Some((index, batch)) = next_batch(workloads, upto, since, only_one) else {
                        return false;
                    };
                    let clients = &mut workloads[index].clients;
                    let refused = primary.insert(clients, batch, host, out);
                    // It inserts when some of the buffers are written, at the earliest.
                    *held = refused.map(|a| (index, Arrival { at: a.at.max(now), ..a }));
                    // There may be more of another workload, or from whoever is answered.
                    let more = batch.until < upto || !out.acknowledged.is_empty();
                    more && !only_one && held.is_none()
                }
            }) == Some(true);
            if !self.out.acknowledged.is_empty() {
                self.answer_clients();
            }
        }
    }

    #[inline]
    fn receive(&mut self, from: ServerId, to: ServerId, message: &Message) {
        if to.index() == self.primary {
            self.read_quiet(from, to);
        }
        let server = &mut self.servers[to.index()];
        if !server.host_is_down() {
            server.receive(self.now, from, message, &mut self.out);
            self.settle(to.index());
        }
    }

    fn with_server(&mut self, server: ServerId, act: impl FnOnce(&mut Server, &mut Out)) {
        act(&mut self.servers[server.index()], &mut self.out);
        self.settle(server.index());
    }

    /// Carries out the effects of a server, and books its next moment.
    #[inline]
    fn settle(&mut self, server: usize) {
        if !self.out.acknowledged.is_empty() {
            self.answer_clients();
        }
        if !self.out.effects.is_empty() {
            self.carry_out(server);
        }
        self.agenda.set(server, self.servers[server].next_deadline());
        if server == self.primary {
            self.book_clients();
            let flushed = self.servers[server].flushed();
            if flushed != self.primary_flushed {
                self.primary_flushed = flushed;
                let primary = self.servers[self.primary].primary();
                if self.quiet_workloads && !self.quiet && primary.is_some_and(Primary::is_settled) {
                    self.be_quiet(true);
                }
                self.digest.fold(flushed.0);
                self.note_lag(flushed);
            }
        }
    }

    /// Carries out effects in order, those too that come of them.
    fn carry_out(&mut self, server: usize) {
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
    fn send(&mut self, at: SimTime, from: ServerId, to: ServerId, message: &Message) {
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
    fn read_quiet(&mut self, from: ServerId, to: ServerId) {
        let route = from.index() * self.servers.len() + to.index();
        let Some((link, flow)) = self.routes[route] else { return };
        while let Some((at, message)) = self.links[link].deliver_quiet(self.now, flow) {
            self.servers[to.index()].receive(at, from, &message, &mut self.out);
        }
    }

    /// All quiet messages that have arrived are read, those too that a standby has not even taken
    /// note of having sent.
    fn read_all_quiet(&mut self) {
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
    fn be_quiet(&mut self, quiet: bool) {
        self.quiet = quiet;
        for &standby in &self.standbys {
            self.servers[standby].replay_quietly(quiet);
            self.agenda.set(standby, self.servers[standby].next_deadline());
        }
    }

    /// The next status update of every standby matters: none is quiet until all have come.
    fn be_loud(&mut self) {
        self.be_quiet(false);
        for route in 0..self.routes.len() {
            if let Some((link, flow)) = self.routes[route] {
                self.links[link].wake_for_quiet(flow);
                self.agenda.set(self.servers.len() + link, self.links[link].next_deadline());
            }
        }
    }

    fn ask_for_room(&mut self, from: ServerId, to: ServerId, bytes: Bytes) {
        let (now, mut room) = (self.now, None);
        self.on_route(from, to, |link, flow| room = link.ask_for_room(now, flow, bytes));
        if let Some(bytes) = room {
            // Its walsender goes on; what it sends comes behind the effects in hand.
            self.servers[from.index()].room(now, to, bytes, &mut self.out);
        }
    }

    fn on_route(&mut self, from: ServerId, to: ServerId, act: impl FnOnce(&mut Link, usize)) {
        let route = from.index() * self.servers.len() + to.index();
        if let Some((link, flow)) = self.routes[route] {
            act(&mut self.links[link], flow);
            self.agenda.set(self.servers.len() + link, self.links[link].next_deadline());
        }
    }

    fn answer_clients(&mut self) {
        self.digest.fold_all(self.out.acknowledged.iter().map(|a| a.at.0 - a.start.0));
        if let Some(recorder) = &mut self.recorder {
            recorder.acknowledged(&self.out.acknowledged);
        }
        if self.workloads.iter().any(|workload| workload.closed) {
            for answer in &self.out.acknowledged {
                let workload = &mut self.workloads[usize::from(answer.session.workload)];
                if workload.closed {
                    workload.clients.answered(answer.at, answer.session.client);
                }
            }
        }
        self.out.acknowledged.clear();
    }

    fn happened(&mut self, server: usize, what: What) {
        self.touched = true;
        if server == self.primary && matches!(what, What::Crashed { .. }) {
            self.disconnect_held();
        }
        if server == self.primary && what == What::Ready {
            self.sessions_since = self.now;
            self.refuse_clients();
        }
        let ready = self.servers[server].is_ready();
        if let Some(recorder) = &mut self.recorder {
            let id = Some(self.servers[server].id());
            recorder.fact(Fact { at: self.now, server: id, what });
            recorder.available(server, self.now, ready);
        }
    }

    /// Whoever waited for room in wal_buffers has lost the connection.
    fn disconnect_held(&mut self) {
        if let Some((workload, arrival)) = self.held.take()
            && arrival.kind == ArrivalKind::Commit
        {
            let clients = &mut self.workloads[workload].clients;
            clients.answered(self.now + RECONNECT, arrival.client);
        }
    }

    /// Whoever came while there was no primary was refused.
    fn refuse_clients(&mut self) {
        while let Some((workload, at)) = self.next_arrival()
            && at < self.now
        {
            let clients = &mut self.workloads[workload].clients;
            let arrival = clients.take();
            if arrival.kind == ArrivalKind::Commit {
                clients.answered(arrival.at + RECONNECT, arrival.client);
            }
        }
    }

    /// The next transaction is on the agenda only while it could begin a flush.
    #[inline]
    fn book_clients(&mut self) {
        let next = match self.servers[self.primary].flushing() {
            Some(false) => self.next_arrival().map_or(SimTime::NEVER, |(_, at)| at),
            Some(true) | None => SimTime::NEVER,
        };
        self.agenda.set(self.servers.len() + self.links.len(), next);
    }

    fn note_lag(&mut self, flushed: Lsn) {
        let Some(recorder) = &mut self.recorder else { return };
        for (index, &standby) in self.standbys.iter().enumerate() {
            recorder.lag(index, flushed.since(self.servers[standby].replayed(self.now)));
        }
    }
}

/// What arrives up to `upto`, as long as no other workload comes first; `None` if nothing does.
#[inline]
fn next_batch(
    workloads: &[Workload],
    upto: SimTime,
    since: SimTime,
    only_one: bool,
) -> Option<(usize, Batch)> {
    let (index, at) = next_of(workloads).filter(|next| next.1 <= upto)?;
    let mut until = upto;
    for (other, workload) in workloads.iter().enumerate() {
        let next = workload.clients.next_insert();
        if other != index && next <= until {
            until = at.max(SimTime(next.0 - 1));
        }
    }
    let level = workloads[index].level;
    Some((index, Batch { workload: index as u16, level, until, since, only_one }))
}

/// The workload whose transaction comes next, and when.
#[inline]
fn next_of(workloads: &[Workload]) -> Option<(usize, SimTime)> {
    let (mut first, mut earliest) = (0, SimTime::NEVER);
    for (index, workload) in workloads.iter().enumerate() {
        let at = workload.clients.next_insert();
        if at < earliest {
            (first, earliest) = (index, at);
        }
    }
    (earliest != SimTime::NEVER).then_some((first, earliest))
}

/// What of a message goes into the digest.
fn fingerprint(message: &Message) -> u64 {
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
