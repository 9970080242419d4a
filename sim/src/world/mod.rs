//! A stand-in for the data plane: servers that tick, and crash, and remember it in a digest.
//!
//! It has the interface that the control plane is written against and nothing of PostgreSQL: each
//! running server has a data event every 1 to 3 ms that moves its position, an action on links
//! makes one more event at that same moment, and a start is 50 ms of recovery.
//!
//! **Not modelled.** Everything.

use models::trace::Run;
use models::trace::fact::{Fact, Facts, Scope, ServerId, What};
use models::trace::histogram::Histogram;
use models::trace::sample::Samples;
use models::trace::summary::Summary;
use models::units::{Bytes, Die, Duration, Lsn, SimTime, mix};
use scenarios::scenario::{Scenario, ServerState};

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
    /// Crash recovery has ended.
    RecoveryDone(ServerId),
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
    /// Nothing passes between two servers.
    Cut {
        /// One end.
        a: ServerId,
        /// The other end.
        b: ServerId,
    },
    /// It passes again.
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
    /// Their connections are reset.
    Reset {
        /// One end.
        a: ServerId,
        /// The other end.
        b: ServerId,
    },
}

/// One toy server.
#[derive(Clone, Debug)]
struct Server {
    die: Die,
    next: SimTime,
    ready_at: SimTime,
    up: bool,
    frozen: bool,
    lsn: Lsn,
}

/// The data plane: plain data that knows neither tasks nor wakers.
#[derive(Clone, Debug)]
pub struct World {
    now: SimTime,
    end: SimTime,
    servers: Vec<Server>,
    /// One event that an action on a link made at this same moment.
    echo: bool,
    events: u64,
    digest: u64,
    facts: Facts,
    record: bool,
}

impl World {
    /// The world at the start of a run.
    pub fn new(scenario: &Scenario, record: bool) -> World {
        let servers = scenario
            .servers
            .iter()
            .map(|s| Server {
                die: Die::new(scenario.seed, "tick", &s.name),
                next: SimTime(1_000_000),
                ready_at: SimTime::ZERO,
                up: s.state == ServerState::Up,
                frozen: false,
                lsn: scenario.start.lsn,
            })
            .collect();
        World {
            now: SimTime::ZERO,
            end: SimTime::ZERO + scenario.duration,
            servers,
            echo: false,
            events: 0,
            digest: mix(scenario.seed),
            facts: Facts::default(),
            record,
        }
    }

    /// The moment up to which everything was played.
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

    /// Digest of everything so far.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// A server's position.
    pub fn lsn(&self, server: ServerId) -> Lsn {
        self.servers[server.index()].lsn
    }

    /// The facts so far.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Plays all data events up to and including `until`, or to the close of the first moment at
    /// which a watch holds.
    pub fn run_until(&mut self, until: SimTime, watches: &[Watch]) -> Reached {
        loop {
            if self.echo {
                self.echo = false;
                self.event(u64::MAX);
            }
            let running = self.servers.iter().filter(|s| s.up && !s.frozen);
            let next = running.map(|s| s.next).min().unwrap_or(SimTime::NEVER);
            if next > self.now && watches.iter().any(|&w| self.holds(w)) {
                return Reached::Saw;
            }
            if next > until {
                self.now = self.now.max(until);
                return Reached::Until;
            }
            self.now = self.now.max(next);
            let due = |s: &Server| s.up && !s.frozen && s.next == next;
            let Some(index) = self.servers.iter().position(due) else { continue };
            let server = &mut self.servers[index];
            let gap = 1_000_000 + server.die.throw() % 2_000_000;
            server.next = self.now + Duration(gap);
            if self.now >= server.ready_at {
                server.lsn = server.lsn + Bytes(gap % 8192);
            }
            self.event(index as u64);
        }
    }

    fn event(&mut self, what: u64) {
        self.events += 1;
        self.stir(what);
    }

    fn stir(&mut self, what: u64) {
        self.digest = mix(self.digest ^ mix(self.now.0) ^ what.wrapping_mul(0x1f3));
    }

    /// Whether a watch holds now.
    pub fn holds(&self, watch: Watch) -> bool {
        match watch {
            Watch::Ready(s) | Watch::RecoveryDone(s) => {
                let s = &self.servers[s.index()];
                s.up && !s.frozen && self.now >= s.ready_at
            }
            Watch::Flushed(s, lsn) => self.servers[s.index()].lsn >= lsn,
            Watch::Down(s) => !self.servers[s.index()].up,
        }
    }

    /// Does something to the world, now.
    pub fn apply(&mut self, action: Action) {
        let now = self.now;
        match action {
            Action::Crash { server, scope } => {
                let s = &mut self.servers[server.index()];
                (s.up, s.frozen) = (false, false);
                self.fact(Some(server), What::Crashed { scope, lost: Bytes(0) });
            }
            Action::Start { server } => {
                let s = &mut self.servers[server.index()];
                (s.up, s.next, s.ready_at) = (true, now, now + Duration::ms(50));
                self.fact(Some(server), What::Starting);
            }
            Action::Freeze { server, scope } => {
                self.servers[server.index()].frozen = true;
                self.fact(Some(server), What::Frozen { scope });
            }
            Action::Thaw { server } => {
                let s = &mut self.servers[server.index()];
                (s.frozen, s.next) = (false, s.next.max(now));
                self.fact(Some(server), What::Thawed);
            }
            Action::Cut { a, b } => self.link(1, a, b),
            Action::HealCut { a, b } => self.link(2, a, b),
            Action::Hold { a, b } => self.link(3, a, b),
            Action::Release { a, b } => self.link(4, a, b),
            Action::Reset { a, b } => self.link(5, a, b),
        }
    }

    fn link(&mut self, verb: u64, a: ServerId, b: ServerId) {
        self.stir(verb << 16 | u64::from(a.0) << 8 | u64::from(b.0));
        self.echo = true;
    }

    /// Notes something that the control plane knows.
    pub fn fact(&mut self, server: Option<ServerId>, what: What) {
        self.stir(match what {
            What::FaultBegan { fault } => 1 << 32 | u64::from(fault),
            What::FaultHealed { fault } => 2 << 32 | u64::from(fault),
            _ => 3 << 32 | u64::from(server.map_or(255, |s| s.0)),
        });
        if self.record {
            self.facts.push(Fact { at: self.now, server, what });
        }
    }

    /// What is left of it when the run is over.
    pub fn finish(self, scenario: &Scenario) -> Run {
        Run {
            scenario: scenario.name.clone(),
            title: scenario.title.clone(),
            question: scenario.question.clone(),
            variant: scenario.variant.clone(),
            seed: scenario.seed,
            walden: crate::VERSION.to_owned(),
            pg_version: scenario.pg_version,
            duration: scenario.duration,
            servers: scenario.servers.iter().map(|s| s.name.clone()).collect(),
            faults: Vec::new(),
            summary: Summary { events: self.events, ..Summary::default() },
            digest: self.digest,
            moments: Vec::new(),
            latency: Histogram::default(),
            facts: self.facts,
            samples: Samples::new(scenario.duration, &[], &[]),
        }
    }
}
