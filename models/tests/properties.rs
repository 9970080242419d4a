//! What holds in every history: a primary and two standbys live through random commits, crashes,
//! freezes and faults of their links, and laws are checked after every event.
//!
//! Everything random comes from a [`Die`], so a history is named by its seed, which every failure
//! prints: [`history`] with that seed plays it again.

mod common;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use common::{Plan, Seen, ServerPlan, World};
use models::clients::ArrivalKind;
use models::latency::Quantiles;
use models::network::{LinkConfig, Loss};
use models::postgres::effect::Out;
use models::postgres::guc::SynchronousCommit;
use models::postgres::protocol::{Body, Message};
use models::postgres::server::{Server, State};
use models::postgres::{ConnectionId, PgVersion};
use models::trace::fact::{Scope, ServerId};
use models::units::{Bytes, Die, Duration, Lsn, Rate, SimTime};

/// How many histories are played.
const HISTORIES: u64 = 5_000;
/// What befalls the world in each, before everything is healed.
const TROUBLES: u64 = 60;
/// Seconds after which everything must be as it was: the timeouts, a connection attempt that went
/// into the void, and TCP's longest pause.
const HEALING: u64 = 400;

#[test]
fn laws_hold_in_random_histories() {
    let mut events = 0;
    for seed in 0..HISTORIES {
        events += history(seed);
    }
    assert!(events > HISTORIES * 100, "{events} events are no histories");
}

/// One history; how many events it had.
fn history(seed: u64) -> u64 {
    let mut die = Die::new(seed, "history", "properties");
    let plan = plan(seed, &mut die);
    let world = World::new(&plan);
    let laws = Laws::new(seed, &plan, &world);
    let mut play = Play { die, world, laws, cut: [false; 3], held: [false; 3], events: 0 };
    for _ in 0..TROUBLES {
        play.something_befalls();
        let pause = Duration::us(play.pick(10u64.pow(2 + (seed % 5) as u32)));
        play.run(pause);
    }
    play.heal();
    let healed = (0..HEALING).any(|_| {
        play.run(Duration::s(1));
        play.everything_has_arrived()
    });
    assert!(healed, "seed {seed}: not everything has arrived: {}", play.standing());
    play.events
}

fn plan(seed: u64, die: &mut Die) -> Plan {
    let version = PgVersion::new(13 + (die.throw() % 6) as u8).expect("a version");
    let mut pick = |n: u64| die.throw() % n;
    let names = ["", "pg2", "pg2, pg3", "FIRST 2 (pg2, pg3)", "ANY 1 (pg2, pg3)", "ANY 2 (*)"];
    let names = names[pick(6) as usize];
    let mut servers = Vec::new();
    for (index, name) in ["pg1", "pg2", "pg3"].into_iter().enumerate() {
        let mut server = ServerPlan::new(name, (index > 0).then_some(0), version);
        let mut set = |name: &str, value: &str| server.settings.set(name, value).expect(value);
        set("wal_segment_size", "1MB");
        set("min_wal_size", "2MB");
        set("max_wal_size", "8MB");
        set("checkpoint_timeout", "30s");
        set("wal_sender_timeout", ["2s", "10s", "60s"][pick(3) as usize]);
        set("wal_receiver_timeout", ["2s", "10s", "60s"][pick(3) as usize]);
        set("synchronous_standby_names", names);
        set("commit_delay", ["0", "1000"][pick(2) as usize]);
        set("commit_siblings", "1");
        set("wal_keep_size", "2GB");
        server.slot = (pick(2) == 0).then(|| name.to_owned());
        let fsync = 1 + pick(2_000_000);
        server.fsync = Quantiles::uniform(fsync, fsync * 3);
        server.disk = Rate::new(10_000_000 + pick(1_000_000_000)).expect("a rate");
        server.replay = Rate::new(1_000_000 + pick(100_000_000)).expect("a rate");
        server.ahead = pick(4);
        let rtt = pick(20_000_000);
        server.link = LinkConfig {
            rtt: if pick(2) == 0 {
                Quantiles::constant(rtt)
            } else {
                Quantiles::uniform(rtt, rtt * 4)
            },
            bandwidth: Rate::new(1_000_000 + pick(100_000_000)).expect("a rate"),
            window: Bytes(10_000 + pick(4_000_000)),
            loss: Loss::millionths([0, 0, 1_000, 30_000][pick(4) as usize]),
        };
        servers.push(server);
    }
    Plan { version, seed, start: Lsn(0x30_0028), servers }
}

/// A history under way.
struct Play {
    die: Die,
    world: World,
    laws: Laws,
    /// Whether the link of a standby is cut, or held.
    cut: [bool; 3],
    held: [bool; 3],
    events: u64,
}

impl Play {
    fn pick(&mut self, n: u64) -> u64 {
        self.die.throw() % n
    }

    /// Plays on, looking at the laws after each event.
    fn run(&mut self, span: Duration) {
        let until = self.world.now + span;
        while self.world.next_event() <= until {
            self.world.step();
            self.events += 1;
            assert!(self.events < 2_000_000, "seed {}: it never rests", self.laws.seed);
            self.laws.check(&mut self.world);
        }
        self.world.run_until(until);
    }

    fn something_befalls(&mut self) {
        let server = self.pick(3) as usize;
        let standby = 1 + self.pick(2) as usize;
        let scope = if self.pick(2) == 0 { Scope::Processes } else { Scope::Host };
        match self.pick(24) {
            0 => self.world.crash(server, scope),
            1..3 => self.world.start(server),
            3 => self.world.freeze(server, scope),
            4..6 => self.world.thaw(server),
            6 if !self.cut[standby] => {
                self.cut[standby] = true;
                self.world.link(0, standby, |link, _| link.cut(0));
            }
            7..9 => self.heal_cut(standby),
            9 if !self.held[standby] => {
                self.held[standby] = true;
                self.world.link(0, standby, |link, _| link.hold(0));
            }
            10..12 => self.release(standby),
            12 => self.stale_deadlines(),
            13 => {
                let bytes = Bytes(self.pick(3 << 20));
                self.commit(bytes, ArrivalKind::Step);
            }
            _ => {
                for _ in 0..=self.pick(4) {
                    let most = 1 << (4 + self.pick(14));
                    let bytes = Bytes(self.pick(most));
                    self.commit(bytes, ArrivalKind::Commit);
                }
            }
        }
        self.laws.check(&mut self.world);
    }

    fn commit(&mut self, bytes: Bytes, kind: ArrivalKind) {
        use SynchronousCommit::{Local, Off, On, RemoteApply, RemoteWrite};
        let level = [Off, Local, RemoteWrite, On, RemoteApply][self.pick(5) as usize];
        let after = Duration::us(self.pick(2000));
        let commit = self.world.commit(after, bytes, Some(level), kind);
        self.laws.levels.insert(commit, level);
    }

    /// A deadline that is not due changes nothing.
    fn stale_deadlines(&mut self) {
        for server in 0..3 {
            if self.world.servers[server].next_deadline() <= self.world.now {
                continue;
            }
            let before = format!("{:?}", self.world.servers[server]);
            let mut out = Out::default();
            self.world.servers[server].deadline(self.world.now, &mut out);
            let after = format!("{:?}", self.world.servers[server]);
            assert!(out.effects.is_empty() && out.answers.is_empty(), "{before} {:?}", out.effects);
            assert_eq!(before, after, "seed {}: a stale deadline", self.laws.seed);
        }
    }

    /// Every fault is over, and everything runs.
    fn heal(&mut self) {
        for server in 0..3 {
            self.world.thaw(server);
            self.world.start(server);
        }
        for standby in 1..3 {
            self.heal_cut(standby);
            self.release(standby);
        }
        self.laws.check(&mut self.world);
    }

    fn heal_cut(&mut self, standby: usize) {
        if std::mem::take(&mut self.cut[standby]) {
            self.world.link(0, standby, |link, now| {
                link.heal(now, 0);
            });
        }
    }

    fn release(&mut self, standby: usize) {
        if std::mem::take(&mut self.held[standby]) {
            self.world.link(0, standby, |link, now| link.release(now, 0));
        }
    }

    /// Where everything stands, for a failure.
    fn standing(&self) -> String {
        let mut text = format!("at {}", self.world.now);
        for server in &self.world.servers {
            let state = match server.state() {
                State::Down => "down".to_owned(),
                State::Recovering { until, .. } => format!("recovers until {until}"),
                State::Primary(primary) => {
                    let senders = primary.senders();
                    let senders = senders.map(|(_, s)| (s.standby(), s.phase(), s.sent()));
                    format!("primary {} {:?}", primary.wal.insert_lsn(), Vec::from_iter(senders))
                }
                State::Standby(standby) => format!("{:?}", standby.receiver),
            };
            let (flushed, replayed) = (server.flushed(), server.replayed(self.world.now));
            text += &format!("\n{state}\n  flushed {flushed} replayed {replayed}");
        }
        text
    }

    /// Both standbys stream and have replayed what their primary has flushed.
    fn everything_has_arrived(&self) -> bool {
        let flushed = self.world.servers[0].flushed();
        let nobody_waits = match self.world.servers[0].state() {
            State::Primary(primary) => !primary.wal.flush_wanted(),
            State::Down | State::Recovering { .. } | State::Standby(_) => false,
        };
        nobody_waits
            && self.world.servers[1..].iter().all(|server| match server.state() {
                State::Standby(standby) => {
                    standby.receiver.is_streaming() && server.replayed(self.world.now) == flushed
                }
                State::Down | State::Recovering { .. } | State::Primary(_) => false,
            })
    }
}

/// What must hold, and what has to be remembered to tell.
struct Laws {
    seed: u64,
    /// `synchronous_commit` of each commit.
    levels: BTreeMap<u32, SynchronousCommit>,
    /// Ends of the commits that are not answered.
    ends: BTreeMap<u32, Lsn>,
    /// How many of which standbys a commit waits for.
    synchronous: (usize, Vec<usize>),
    /// Highest insert, written and durable positions of each server; written and replayed never
    /// fall while it is up.
    durable: [Lsn; 3],
    written: [Lsn; 3],
    replayed: [Lsn; 3],
    /// End of the last commit answered, for each level that waits in a queue of its own.
    answered: BTreeMap<SynchronousCommit, Lsn>,
    /// What each connection has under way, by sender and receiver.
    under_way: BTreeMap<(ServerId, ServerId, ConnectionId), VecDeque<Message>>,
}

impl Laws {
    fn new(seed: u64, plan: &Plan, world: &World) -> Laws {
        let synchronous = match plan.servers[0].settings.synchronous_standby_names.as_str() {
            "" => (0, vec![]),
            "pg2" => (1, vec![1]),
            "pg2, pg3" | "ANY 1 (pg2, pg3)" => (1, vec![1, 2]),
            "FIRST 2 (pg2, pg3)" | "ANY 2 (*)" => (2, vec![1, 2]),
            names => panic!("how many are {names}?"),
        };
        let end = world.servers[0].flushed();
        Laws {
            seed,
            levels: BTreeMap::new(),
            ends: BTreeMap::new(),
            synchronous,
            durable: [end; 3],
            written: [end; 3],
            replayed: [end; 3],
            answered: BTreeMap::new(),
            under_way: BTreeMap::new(),
        }
    }

    /// Looks at what was seen, and at where everything stands now.
    fn check(&mut self, world: &mut World) {
        for (index, server) in world.servers.iter().enumerate() {
            self.positions(index, server, world.now);
        }
        let primary = &world.servers[0];
        for (index, server) in world.servers.iter().enumerate().skip(1) {
            let (files, limit) = (&server.host.files, primary.flushed());
            assert!(files.written <= limit, "{}: pg{} is ahead of pg1", self.seed, index + 1);
            let replayed = server.replayed(world.now);
            assert!(replayed <= files.flushed, "{}: pg{} replays too far", self.seed, index + 1);
        }
        for (_, seen) in std::mem::take(&mut world.seen) {
            match seen {
                Seen::Sent(from, to, message) => self.sent(from, to, message, world),
                Seen::Arrived(from, to, message) => self.arrived(from, to, message, world),
                Seen::Inserted(commit, end) => _ = self.ends.insert(commit, end),
                Seen::Answered(commit, _) => self.answered(commit, world),
                Seen::Disconnected(_) => self.answered.clear(),
                Seen::Fact(..) | Seen::Refused(_) | Seen::Cancelled(_) => {}
            }
        }
    }

    /// flush <= write <= insert; durable WAL is never lost.
    fn positions(&mut self, index: usize, server: &Server, now: SimTime) {
        let (seed, files) = (self.seed, &server.host.files);
        assert!(files.flushed <= files.written, "{seed}: {index} flushed more than it wrote");
        assert!(files.flushed >= self.durable[index], "{seed}: {index} lost durable WAL");
        assert!(files.oldest <= files.redo.segment(files.size), "{seed}: {index} cannot recover");
        assert!(files.newest >= files.written.previous_segment(files.size), "{seed}: no file");
        if let State::Primary(primary) = server.state() {
            assert!(files.written <= primary.wal.insert_lsn(), "{seed}: wrote more than there is");
        }
        self.durable[index] = files.flushed;
        self.written[index] = self.written[index].max(files.written);
        self.replayed[index] = self.replayed[index].max(server.replayed(now));
    }

    /// Only durable WAL is sent, and only durable WAL is reported.
    fn sent(&mut self, from: ServerId, to: ServerId, message: Message, world: &World) {
        let (seed, files) = (self.seed, &world.servers[from.index()].host.files);
        match message.body {
            Body::XLogData { start, end, .. } => {
                assert!(start < end && end <= files.flushed, "{seed}: sent what is not flushed");
            }
            Body::StatusUpdate { write, flush, apply, .. } => {
                assert!(write <= files.written, "{seed}: reports more than is written");
                assert!(flush <= files.flushed, "{seed}: reports more than is flushed");
                assert!(apply <= files.flushed, "{seed}: replayed more than is flushed");
            }
            _ => {}
        }
        if message.body != Body::Connect {
            let key = (from, to, message.connection);
            self.under_way.entry(key).or_default().push_back(message);
        }
    }

    /// Each connection delivers what it was given, in order; a slot follows the reported flush.
    fn arrived(&mut self, from: ServerId, to: ServerId, message: Message, world: &World) {
        let seed = self.seed;
        if message.body != Body::Connect {
            let queue = self.under_way.get_mut(&(from, to, message.connection));
            let sent = queue.and_then(VecDeque::pop_front);
            assert_eq!(sent, Some(message), "{seed}: another message was sent");
        }
        let server = &world.servers[to.index()];
        let (Body::StatusUpdate { flush, .. }, Some(primary)) = (message.body, server.primary())
        else {
            return;
        };
        let mine = |sender: &models::postgres::walsender::WalSender| {
            sender.standby() == from && sender.connection() == message.connection
        };
        let index = primary.senders().find(|(_, sender)| mine(sender)).map(|(index, _)| index);
        for slot in server.host.slots.iter().filter(|s| s.owner.is_some() && s.owner == index) {
            assert_eq!(slot.restart, Some(flush), "{seed}: restart_lsn is not the reported flush");
        }
    }

    /// Invariant 3: an answered commit is where its level says, and commits are answered in the
    /// order of their WAL.
    fn answered(&mut self, commit: u32, world: &World) {
        let (seed, level) = (self.seed, self.levels[&commit]);
        let end = self.ends.remove(&commit).expect("it was inserted");
        if level == SynchronousCommit::Off {
            return;
        }
        assert!(world.servers[0].flushed() >= end, "{seed}: {commit} is not flushed");
        let queue = if self.synchronous.0 == 0 { SynchronousCommit::Local } else { level };
        let before = self.answered.insert(queue, end);
        assert!(before.is_none_or(|before| before <= end), "{seed}: {commit} out of turn");
        let has = match level {
            SynchronousCommit::Off | SynchronousCommit::Local => return,
            SynchronousCommit::RemoteWrite => &self.written,
            SynchronousCommit::On => &self.durable,
            SynchronousCommit::RemoteApply => &self.replayed,
        };
        let there = self.synchronous.1.iter().filter(|&&standby| has[standby] >= end).count();
        let twice = walsenders_too_many(&world.servers[0]);
        let enough = there + twice >= self.synchronous.0;
        assert!(enough, "{seed}: {commit} is only on {there} standbys");
    }
}

/// Walsenders that serve a standby beside another one: PostgreSQL counts each as a standby, also
/// the one that has not noticed that its connection is gone.
fn walsenders_too_many(server: &Server) -> usize {
    let State::Primary(primary) = server.state() else { return 0 };
    let standbys: BTreeSet<ServerId> = primary.senders().map(|(_, s)| s.standby()).collect();
    primary.senders().count() - standbys.len()
}
