//! One primary, its standbys and some clients: what the tests of the commit path play.
//!
//! Everything that does not lie on the path of a commit is out of the way: disks whose fsync does
//! not depend on the bytes, recycled segments in plenty, no full-page images. Links are the
//! standbys' own.

// Each test is a program of its own and uses a part.
#![allow(dead_code)]

use models::latency::Quantiles;
use models::network::Loss;
use models::postgres::PgVersion;
use models::postgres::guc::{Settings, SynchronousCommit};
use models::trace::Run;
use models::trace::fact::ServerId;
use models::units::{Bytes, Duration, Lsn, Rate, SimTime, TimelineId};
use scenarios::scenario::{Disk, Link, Recycled, Route, Scenario, Server, ServerState, Start};
use scenarios::workload::{Load, TransactionWal, Workload};
use sim::world::{Reached, Watch, World};

/// A cluster with clients in a closed loop.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// WAL fsync of the primary.
    pub fsync: Duration,
    /// Standbys `s1`, `s2`, ... in this order.
    pub standbys: Vec<Standby>,
    /// `synchronous_standby_names`.
    pub names: String,
    /// Clients.
    pub clients: u32,
    /// `synchronous_commit` of all of them.
    pub level: SynchronousCommit,
    /// Time of a transaction before its commit, in nanoseconds.
    pub service: Quantiles,
    /// Time from an answer to the next start, in nanoseconds.
    pub think: Quantiles,
    /// WAL of a transaction without its commit record.
    pub records: Bytes,
}

/// A standby and the link to it.
#[derive(Clone, Debug)]
pub struct Standby {
    /// WAL fsync.
    pub fsync: Duration,
    /// Time of one write().
    pub write_call: Duration,
    /// Round trip time, in nanoseconds.
    pub rtt: Quantiles,
    /// Bandwidth of each direction.
    pub bandwidth: Rate,
    /// WAL replayed a second.
    pub replay: Rate,
}

/// A run, and how often the primary made WAL durable in it.
pub struct Played {
    /// The run.
    pub run: Run,
    /// Fsyncs of WAL on the primary, as moves of its flush position: exact where no segment ends.
    pub flushes: u64,
}

/// The version of the servers that were recorded.
pub const VERSION: PgVersion = PgVersion::new(15).expect("it is known");
/// A disk that is never the bottleneck.
const ENDLESS: Rate = Rate::new(1_000_000_000_000).expect("not zero");
const PRIMARY: ServerId = ServerId(0);
/// Where every run starts: the first record of segment 3.
pub const START: Lsn = Lsn(0x300_0028);

impl Cluster {
    /// Plays it.
    pub fn play(&self, seed: u64, duration: Duration) -> Played {
        let scenario = self.scenario(seed, duration);
        let mut world = World::new(&scenario, true);
        let end = SimTime::ZERO + duration;
        let mut flushes = 0;
        loop {
            let further = Lsn(world.servers()[PRIMARY.index()].flushed().0 + 1);
            match world.run_until(end, &[Watch::Flushed(PRIMARY, further)]) {
                Reached::Saw => flushes += 1,
                Reached::Until => break,
            }
        }
        Played { run: world.finish(&scenario), flushes }
    }

    /// As a scenario.
    pub fn scenario(&self, seed: u64, duration: Duration) -> Scenario {
        let mut servers = vec![self.primary()];
        servers.extend(self.standbys.iter().enumerate().map(|(n, standby)| standby.server(n + 1)));
        let link = |(n, standby): (usize, &Standby)| Link {
            name: format!("primary-s{}", n + 1),
            rtt: standby.rtt.clone(),
            bandwidth: standby.bandwidth,
            window: Bytes::mb(6),
            loss: Loss::NONE,
        };
        Scenario {
            name: "commit_path".to_owned(),
            variant: "base".to_owned(),
            variant_settings: Vec::new(),
            title: String::new(),
            question: String::new(),
            seed,
            duration,
            pg_version: VERSION,
            start: Start {
                lsn: START,
                timeline: TimelineId(1),
                recycled: Recycled::Max,
                files_before: 0,
            },
            servers,
            routes: (1..=self.standbys.len()).map(|b| Route { a: 0, b, link: b - 1 }).collect(),
            links: self.standbys.iter().enumerate().map(link).collect(),
            workloads: vec![self.workload()],
            faults: Vec::new(),
            expect: Vec::new(),
            order: Vec::new(),
            shares: Vec::new(),
            actions: Vec::new(),
            steps: Vec::new(),
            slots: Vec::new(),
            not_modelled: Vec::new(),
        }
    }

    fn primary(&self) -> Server {
        let mut settings = Settings::defaults(VERSION);
        settings.set("synchronous_standby_names", &self.names).expect("names in the right form");
        server("primary", None, disk(self.fsync, Duration::ZERO), ENDLESS, settings)
    }

    fn workload(&self) -> Workload {
        let records = Quantiles::constant(self.records.0);
        Workload {
            name: "clients".to_owned(),
            load: Load::Closed { clients: self.clients, think: self.think.clone() },
            wal: TransactionWal { records, pages: Vec::new() },
            synchronous_commit: Some(self.level),
            service: self.service.clone(),
            transactions: None,
            rows: 1,
        }
    }
}

impl Standby {
    fn server(&self, n: usize) -> Server {
        let settings = Settings::defaults(VERSION);
        let disk = disk(self.fsync, self.write_call);
        server(&format!("s{n}"), Some(0), disk, self.replay, settings)
    }
}

fn server(
    name: &str,
    upstream: Option<usize>,
    disk: Disk,
    replay: Rate,
    settings: Settings,
) -> Server {
    Server {
        name: name.to_owned(),
        site: None,
        upstream,
        slot: None,
        state: ServerState::Up,
        disk,
        separate_wal_disk: true,
        replay,
        settings,
    }
}

fn disk(fsync: Duration, write_call: Duration) -> Disk {
    Disk { fsync: Quantiles::constant(fsync.0), write: ENDLESS, write_call, capacity: None }
}
