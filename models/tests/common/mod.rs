//! A miniature world: a few servers, a link between each standby and its upstream, and commits
//! that somebody hands in. What `sim` does with dice, faults and reports on top, this does by
//! hand, so that scripts and properties of the machines need nothing but the machines.
//!
//! Of several things due at one moment servers come first, then links, then commits, each in the
//! order of their indices. Everything that can be seen goes into [`World::seen`], for the caller
//! to read and clear.

#![allow(dead_code, reason = "each test uses a part of it")]

pub mod script;
pub mod wire;

use std::collections::VecDeque;

use models::clients::{Arrival, ArrivalKind};
use models::disk::Disk;
use models::latency::Quantiles;
use models::network::{Delivery, Link, LinkConfig, Loss};
use models::postgres::PgVersion;
use models::postgres::command::SlotName;
use models::postgres::effect::{Effect, Out, Sent};
use models::postgres::guc::{Settings, SynchronousCommit};
use models::postgres::host::Names;
use models::postgres::protocol::{Body, Message};
use models::postgres::server::{Server, ServerConfig};
use models::postgres::wal::{Room, WalFiles};
use models::trace::fact::{Scope, ServerId, What};
use models::units::{
    Bytes, Die, Duration, Lsn, Rate, SegmentSize, SimTime, TimelineId, UsableBytes,
};

/// What a world is built from.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Major version of all servers.
    pub version: PgVersion,
    /// Seed of all dice.
    pub seed: u64,
    /// Where the WAL of all servers ends at first.
    pub start: Lsn,
    /// The servers; the first is the primary.
    pub servers: Vec<ServerPlan>,
}

impl Plan {
    /// Names of slots: those that standbys use, and then a few more.
    pub fn slots(&self) -> Vec<String> {
        let used = self.servers.iter().filter_map(|server| server.slot.clone());
        let mut names: Vec<String> = used.chain(["a", "b", "c"].map(str::to_owned)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The slot of this name.
    pub fn slot_name(&self, name: &str) -> Option<SlotName> {
        let index = self.slots().iter().position(|slot| slot == name)?;
        u16::try_from(index).ok().map(SlotName)
    }
}

/// A server, its host, and the link to its upstream.
#[derive(Clone, Debug)]
pub struct ServerPlan {
    /// Its name, which is its application name as well.
    pub name: String,
    /// Its settings.
    pub settings: Settings,
    /// The server it streams from.
    pub upstream: Option<usize>,
    /// The slot it uses there.
    pub slot: Option<String>,
    /// That slot is not there at first.
    pub slot_is_missing: bool,
    /// WAL replayed a second.
    pub replay: Rate,
    /// Time of an fsync.
    pub fsync: Quantiles,
    /// Bytes its disk takes a second.
    pub disk: Rate,
    /// Segment files that wait to be written to, at first.
    pub ahead: u64,
    /// Segment files that there is room for.
    pub most: u64,
    /// Whether it is down at first.
    pub down: bool,
    /// The link to its upstream.
    pub link: LinkConfig,
}

/// Fast enough that no story of a few kilobytes notices.
pub const FAST: Rate = Rate::new(1_000_000_000_000).expect("not zero");

impl ServerPlan {
    /// A server with a disk of 1 ms and a link of 2 ms there and back.
    pub fn new(name: &str, upstream: Option<usize>, version: PgVersion) -> ServerPlan {
        ServerPlan {
            name: name.to_owned(),
            settings: Settings::defaults(version),
            upstream,
            slot: None,
            slot_is_missing: false,
            replay: FAST,
            fsync: Quantiles::constant(Duration::ms(1).0),
            disk: FAST,
            ahead: 4,
            most: u64::MAX,
            down: false,
            link: LinkConfig {
                rtt: Quantiles::constant(Duration::ms(2).0),
                bandwidth: FAST,
                window: Bytes::mb(4),
                loss: Loss::NONE,
            },
        }
    }
}

/// Something to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A message was handed to a link.
    Sent(ServerId, ServerId, Message),
    /// A message has arrived.
    Arrived(ServerId, ServerId, Message),
    /// Something happened on a server.
    Fact(ServerId, What),
    /// A commit was inserted; its end.
    Inserted(u32, Lsn),
    /// A commit was answered, so long after it was handed in.
    Answered(u32, Duration),
    /// A commit's connection ended without an answer.
    Disconnected(u32),
    /// A commit was answered with a warning.
    Cancelled(u32),
    /// There was no primary to take a commit.
    Refused(u32),
}

/// A commit to come.
#[derive(Clone, Copy, Debug)]
struct Pending {
    arrival: Arrival,
    level: Option<SynchronousCommit>,
}

/// Servers, links, and commits to come.
#[derive(Clone, Debug)]
pub struct World {
    /// The moment.
    pub now: SimTime,
    /// The servers, by [`ServerId`].
    pub servers: Vec<Server>,
    /// What was seen since somebody cleared it.
    pub seen: Vec<(SimTime, Seen)>,
    links: Vec<Link>,
    /// The link from one server to another: `from * servers + to`; each has one flow.
    routes: Vec<Option<usize>>,
    pending: VecDeque<Pending>,
    /// The first of them found wal_buffers full.
    blocked: bool,
    commits: u32,
    out: Out,
}

impl World {
    /// Everything that is not down runs and streams from the first moment.
    pub fn new(plan: &Plan) -> World {
        let count = plan.servers.len();
        let mut world = World {
            now: SimTime::ZERO,
            servers: (0..count).map(|index| server(plan, index)).collect(),
            seen: Vec::new(),
            links: Vec::new(),
            routes: vec![None; count * count],
            pending: VecDeque::new(),
            blocked: false,
            commits: 0,
            out: Out::default(),
        };
        for (index, server) in plan.servers.iter().enumerate() {
            if let Some(upstream) = server.upstream {
                world.connect(plan.seed, index, upstream, &server.link);
            }
            if !server.down {
                world.servers[index].start_running(SimTime::ZERO, plan.version);
            }
        }
        for (index, server) in plan.servers.iter().enumerate() {
            let Some(upstream) = server.upstream else { continue };
            if server.down || plan.servers[upstream].down {
                continue;
            }
            if let Some(connection) = world.servers[index].start_streaming(SimTime::ZERO) {
                let standby = world.servers[index].id();
                let slot = server.slot.as_deref().and_then(|slot| plan.slot_name(slot));
                world.servers[upstream].serve_streaming(SimTime::ZERO, standby, connection, slot);
            }
        }
        world
    }

    fn connect(&mut self, seed: u64, standby: usize, upstream: usize, link: &LinkConfig) {
        for (from, to) in [(standby, upstream), (upstream, standby)] {
            self.routes[from * self.servers.len() + to] = Some(self.links.len());
            let mut link = Link::new(link.clone(), Die::new(seed, "delay", &format!("{from}{to}")));
            link.add_flow(id(from), id(to));
            self.links.push(link);
        }
    }

    /// When something happens next; [`SimTime::NEVER`] if nothing will.
    pub fn next_event(&self) -> SimTime {
        self.next().1
    }

    fn next(&self) -> (usize, SimTime) {
        let commits = match (self.pending.front(), self.blocked) {
            (Some(first), false) => first.arrival.at,
            (Some(_), true) | (None, _) => SimTime::NEVER,
        };
        let servers = self.servers.iter().map(Server::next_deadline);
        let links = self.links.iter().map(Link::next_deadline);
        let all = servers.chain(links).chain([commits]).enumerate();
        all.min_by_key(|&(index, at)| (at, index)).expect("commits are always there")
    }

    /// The next thing happens.
    pub fn step(&mut self) {
        let (source, at) = self.next();
        assert!(at != SimTime::NEVER, "nothing will happen");
        self.now = self.now.max(at);
        if source < self.servers.len() {
            self.with_server(source, |server, now, out| server.deadline(now, out));
        } else if let Some(link) = self.links.get_mut(source - self.servers.len()) {
            match link.deliver(self.now) {
                Some(Delivery::Message { from, to, sent, message }) => {
                    self.see(Seen::Arrived(from, to, message));
                    if !self.servers[to.index()].host_is_down() {
                        self.with_server(to.index(), |server, now, out| {
                            server.receive(now, sent, from, &message, out);
                        });
                    }
                }
                Some(Delivery::Room { from, to, bytes }) => {
                    self.with_server(from.index(), |server, now, out| {
                        server.room(now, to, bytes, out);
                    });
                }
                None => {}
            }
        } else {
            self.insert();
        }
        if self.blocked && self.pending.front().is_some_and(|p| p.arrival.at <= self.now) {
            self.insert();
        }
    }

    /// Everything up to and including `until` happens.
    pub fn run_until(&mut self, until: SimTime) {
        while self.next_event() <= until {
            self.step();
        }
        self.now = self.now.max(until);
    }

    /// A commit of `wal` bytes beside its own record, `after` from now; its number.
    pub fn commit(
        &mut self,
        after: Duration,
        wal: Bytes,
        level: Option<SynchronousCommit>,
        kind: ArrivalKind,
    ) -> u32 {
        self.commits += 1;
        let at = self.now + after;
        let arrival = Arrival { at, start: at, client: self.commits, wal, kind };
        let place = self.pending.iter().position(|p| p.arrival.at > at);
        let place = place.unwrap_or(self.pending.len());
        self.pending.insert(place, Pending { arrival, level });
        self.commits
    }

    /// Hands the first commit to the primary.
    fn insert(&mut self) {
        let Some(mut first) = self.pending.pop_front() else { return };
        first.arrival.at = self.now;
        let (arrival, out) = (first.arrival, &mut self.out);
        let inserted = self.servers[0].with_backends(|primary, host| {
            let level = primary.level(first.level);
            let inserted = primary.insert_one(&arrival, 0, level, host, out);
            (inserted, primary.wal.insert_lsn())
        });
        self.blocked = matches!(inserted, Some((false, _)));
        match inserted {
            Some((true, end)) => self.see(Seen::Inserted(arrival.client, end)),
            Some((false, _)) => self.pending.push_front(first),
            None => self.see(Seen::Refused(arrival.client)),
        }
        self.settle(0);
    }

    /// A server does something.
    pub fn with_server(&mut self, server: usize, act: impl FnOnce(&mut Server, SimTime, &mut Out)) {
        act(&mut self.servers[server], self.now, &mut self.out);
        self.settle(server);
    }

    /// Processes or host die.
    pub fn crash(&mut self, server: usize, scope: Scope) {
        self.thaw_host(server);
        self.blocked = false;
        self.with_server(server, |server, now, out| server.crash(now, scope, out));
    }

    /// The postmaster starts.
    pub fn start(&mut self, server: usize) {
        self.with_server(server, |server, now, out| server.start(now, out));
    }

    /// Processes or host stop without dying.
    pub fn freeze(&mut self, server: usize, scope: Scope) {
        if self.servers[server].frozen().is_some() {
            return;
        }
        if scope == Scope::Host {
            self.each_peer(server, |link, _| link.cut(0));
        }
        self.with_server(server, |server, now, out| server.freeze(now, scope, out));
    }

    /// They go on.
    pub fn thaw(&mut self, server: usize) {
        self.thaw_host(server);
        if self.servers[server].frozen().is_some() {
            self.with_server(server, |server, now, out| server.thaw(now, out));
            let mut more = true;
            while more {
                self.with_server(server, |server, now, out| more = server.take_kept(now, out));
            }
        }
    }

    fn thaw_host(&mut self, server: usize) {
        if self.servers[server].frozen() == Some(Scope::Host) {
            self.each_peer(server, |link, now| {
                link.heal(now, 0);
            });
        }
    }

    /// Both directions of the link between two servers.
    pub fn link(&mut self, a: usize, b: usize, act: impl Fn(&mut Link, SimTime)) {
        for (from, to) in [(a, b), (b, a)] {
            if let Some(link) = self.routes[from * self.servers.len() + to] {
                act(&mut self.links[link], self.now);
            }
        }
    }

    fn each_peer(&mut self, server: usize, act: impl Fn(&mut Link, SimTime)) {
        (0..self.servers.len()).for_each(|peer| self.link(server, peer, &act));
    }

    fn see(&mut self, seen: Seen) {
        self.seen.push((self.now, seen));
    }

    /// Carries out what a server has done to the world.
    fn settle(&mut self, server: usize) {
        let answers = std::mem::take(&mut self.out.answers);
        assert!(answers.at <= self.now, "answered in the future");
        for commit in answers.to {
            self.see(Seen::Answered(commit.session.client, answers.at.since(commit.start)));
        }
        let id = id(server);
        let now = self.now;
        for update in std::mem::take(&mut self.out.updates) {
            assert_eq!(update.at, now, "nothing is quiet here, so nothing is sent late");
            let upstream = self.servers[server].upstream().expect("a standby has an upstream");
            self.see(Seen::Sent(id, upstream, update.message()));
            if let Some(link) = self.route(server, upstream) {
                link.send(now, 0, &update.message());
            }
        }
        let mut reads = std::mem::take(&mut self.out.reads);
        if !reads.is_empty() {
            let upstream = self.servers[server].upstream().expect("a standby has an upstream");
            if let Some(link) = self.route(upstream.index(), id) {
                link.take(0, &mut reads);
            }
        }
        let wal = std::mem::take(&mut self.out.wal).into_iter();
        let wal = wal.map(|Sent { at, to, message }| Effect::Send { at, to, message });
        for effect in wal.chain(std::mem::take(&mut self.out.effects)) {
            match effect {
                Effect::Send { at, to, message } => {
                    assert_eq!(at, now, "nothing is quiet here, so nothing is sent late");
                    self.see(Seen::Sent(id, to, message));
                    if let Some(link) = self.route(server, to) {
                        if message.body == Body::CopyBoth {
                            link.forget_window(0, message.connection);
                        }
                        link.send(now, 0, &message);
                    }
                }
                Effect::NeedRoom { to, bytes } => {
                    let room = self.route(server, to).and_then(|l| l.ask_for_room(now, 0, bytes));
                    if let Some(bytes) = room {
                        self.servers[server].room(now, to, bytes, &mut self.out);
                    }
                }
                Effect::Disconnected { session } => self.see(Seen::Disconnected(session.client)),
                Effect::Cancelled { session } => self.see(Seen::Cancelled(session.client)),
                Effect::RedoMoved | Effect::CandidatesChanged => {}
                Effect::Fact(what) => self.see(Seen::Fact(id, what)),
            }
        }
        if !self.out.is_empty() {
            self.settle(server);
        }
    }

    fn route(&mut self, from: usize, to: ServerId) -> Option<&mut Link> {
        let link = self.routes[from * self.servers.len() + to.index()]?;
        self.links.get_mut(link)
    }
}

fn id(index: usize) -> ServerId {
    ServerId(u8::try_from(index).expect("a few servers"))
}

fn server(plan: &Plan, index: usize) -> Server {
    let config = &plan.servers[index];
    let size: SegmentSize = config.settings.wal_segment_size;
    let end = UsableBytes::from_lsn(plan.start, size).end_lsn(size);
    let oldest = end.segment(size);
    let files = WalFiles {
        size,
        written: end,
        flushed: end,
        oldest,
        newest: oldest + config.ahead,
        redo: end,
        room: Room { most: config.most, full: false },
    };
    let mine = |other: &&ServerPlan| other.upstream == Some(index) && !other.slot_is_missing;
    let slot = |other: &ServerPlan| plan.slot_name(other.slot.as_deref()?);
    Server::new(ServerConfig {
        id: id(index),
        settings: config.settings.clone(),
        upstream: config.upstream.map(id),
        replay: config.replay,
        disk: Disk::new(
            config.fsync.clone(),
            config.disk,
            Duration::ZERO,
            Die::new(plan.seed, "fsync", &config.name),
        ),
        files,
        timeline: TimelineId(1),
        names: Names {
            applications: plan.servers.iter().map(|server| server.name.clone()).collect(),
            slots: plan.slots(),
            workloads: vec!["commits".to_owned()],
        },
        slots: plan.servers.iter().filter(mine).filter_map(slot).collect(),
        primary_slot_name: config.slot.as_deref().and_then(|slot| plan.slot_name(slot)),
    })
}
