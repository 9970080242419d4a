//! A world from a scenario: every machine in its place, and the state at time 0.
//!
//! At the start all servers are up, standbys stream and have everything, named slots exist and are
//! reserved, a checkpoint has just ended, and pg_wal holds the recycled segments that `[start]`
//! asks for.

use std::collections::BTreeMap;

use models::clients::{self, Burst, Clients, ClientsConfig};
use models::disk::Disk;
use models::latency::Quantiles;
use models::network::{Link, LinkConfig};
use models::postgres::command::SlotName;
use models::postgres::guc::SynchronousCommit;
use models::postgres::host::Names;
use models::postgres::protocol::XLOG_DATA_HEADER;
use models::postgres::server::{Server, ServerConfig};
use models::postgres::statement::Statement;
use models::postgres::wal::{Room, WalFiles};
use models::trace::fact::{ServerId, What};
use models::units::{Bytes, Die, Lsn, SimTime, UsableBytes};
use scenarios::action::Deed;
use scenarios::fault::FaultKind;
use scenarios::scenario::{self, Scenario, ServerState};
use scenarios::workload::{self, Load};

use super::agenda::Agenda;
use super::digest::Digest;
use super::failover::Failovers;
use super::patience::Patience;
use super::recorder::Recorder;
use super::rows::Rows;
use super::streams::Stream;
use super::{Checkpoints, Workload, World};
use crate::checkers::Checks;
use models::postgres::effect::Out;

impl World {
    /// The world at the start of a run. Without `record` nothing is written down or held
    /// against the laws.
    pub fn new(scenario: &Scenario, record: bool) -> World {
        let servers: Vec<Server> =
            (0..scenario.servers.len()).map(|index| server(scenario, index)).collect();
        let (links, routes) = network(scenario);
        let primary = scenario.primary();
        let full_page_writes = servers[primary].settings().full_page_writes;
        let own = |workload: &scenarios::workload::Workload| {
            let (config, name) = (clients_config(workload, scenario), &workload.name);
            Workload {
                clients: Clients::new(config, full_page_writes, scenario.seed, name),
                level: workload.synchronous_commit,
                closed: matches!(workload.load, Load::Closed { .. }),
            }
        };
        let workloads = scenario.workloads.iter().map(own);
        let workloads = workloads.chain(bursts(scenario)).collect::<Vec<_>>();
        let standbys: Vec<usize> = (0..scenario.servers.len())
            .filter(|&index| scenario.servers[index].upstream.is_some())
            .collect();
        let shared = |link| scenario.routes.iter().filter(|route| route.link == link).count() > 1;
        let stream = |(standby, server): (usize, &scenarios::scenario::Server)| {
            let (upstream, count) = (server.upstream?, scenario.servers.len());
            let (down, up) = (upstream * count + standby, standby * count + upstream);
            Some(Stream::new(upstream, routes[down]?, routes[up]?))
        };
        let streams = scenario.servers.iter().enumerate().map(stream).collect();
        let mut world = World {
            shares_links: (0..scenario.links.len()).any(shared),
            loses: links.iter().any(Link::loses),
            quiet: false,
            patience: Patience::default(),
            checkpoints: vec![Checkpoints::default(); scenario.servers.len()],
            streams,
            now: SimTime::ZERO,
            end: SimTime::ZERO + scenario.duration,
            agenda: Agenda::new(servers.len() + links.len() + 1),
            digest: Digest::new(scenario.duration, servers.len()),
            recorder: record.then(|| recorder(scenario, &standbys)),
            checkers: None,
            checks_moments: false,
            refused: 0,
            disconnected: 0,
            servers,
            links,
            routes,
            workloads,
            primary,
            standbys,
            events: 0,
            next_look: SimTime::ZERO,
            primary_flushed: Lsn::INVALID,
            held: None,
            sessions_since: SimTime::ZERO,
            touched: true,
            heard: None,
            failovers: Failovers::of(scenario),
            trail: None,
            rows: asks_for_rows(scenario)
                .then(|| Rows::new(scenario.workloads.iter().map(|w| w.rows).collect())),
            out: Out::default(),
        };
        world.begin(scenario);
        if record {
            world.check_laws(Checks::Looks);
        }
        world
    }

    /// Starts what is up, and connects what streams.
    fn begin(&mut self, scenario: &Scenario) {
        let now = self.now;
        for (index, config) in scenario.servers.iter().enumerate() {
            if config.state == ServerState::Up {
                self.servers[index].start_running(now, scenario.pg_version);
            }
        }
        for (index, config) in scenario.servers.iter().enumerate() {
            let (Some(upstream), ServerState::Up) = (config.upstream, config.state) else {
                continue;
            };
            if !self.servers[upstream].has_free_walsender() {
                self.with_server(id_of(index), |standby, out| standby.begin_standby(now, out));
                continue;
            }
            let id = self.servers[index].id();
            if let Some(connection) = self.servers[index].start_streaming(now) {
                let size = scenario.servers[index].settings.wal_segment_size;
                let start = scenario.start.lsn.segment_start(size);
                let timeline = scenario.start.timeline;
                let what = What::StreamingStarted { upstream: id_of(upstream), start, timeline };
                self.fact(Some(id), what);
                let slot = slot_name(scenario, config);
                self.servers[upstream].serve_streaming(now, id, connection, slot);
            }
        }
        for index in 0..self.servers.len() {
            self.settle(index);
            let ready = self.takes_sessions(index);
            if let Some(recorder) = &mut self.recorder {
                recorder.available(index, now, ready);
            }
        }
        self.book_looks();
    }
}

/// Whether anything in the file counts rows.
fn asks_for_rows(scenario: &Scenario) -> bool {
    let counts = |deed: &Deed| {
        matches!(deed, Deed::WaitRows { .. } | Deed::Statement(_, Statement::Count { .. }))
    };
    scenario.deeds().any(counts)
        || scenario.expect.iter().any(|expectation| expectation.metric.contains(".rows."))
}

fn id_of(index: usize) -> ServerId {
    ServerId(u8::try_from(index).expect("a scenario has at most 16 servers"))
}

fn recorder(scenario: &Scenario, standbys: &[usize]) -> Recorder {
    let name = |index: usize| scenario.servers[index].name.clone();
    let servers: Vec<String> = (0..scenario.servers.len()).map(name).collect();
    let standbys: Vec<(String, String)> = standbys
        .iter()
        .filter_map(|&index| Some((name(index), name(scenario.servers[index].upstream?))))
        .collect();
    Recorder::new(scenario.duration, &servers, &standbys)
}

fn server(scenario: &Scenario, index: usize) -> Server {
    let config = &scenario.servers[index];
    let application_name = |server: &scenario::Server| {
        let own = &server.settings.cluster_name;
        if own.is_empty() { server.name.clone() } else { own.clone() }
    };
    let mine = |other: &&scenario::Server| other.upstream == Some(index);
    let slot = |other: &scenario::Server| slot_name(scenario, other);
    Server::new(ServerConfig {
        id: id_of(index),
        settings: config.settings.clone(),
        upstream: config.upstream.map(id_of),
        replay: config.replay,
        disk: disk(config, scenario.seed),
        files: files(scenario, index),
        timeline: scenario.start.timeline,
        names: Names {
            applications: scenario.servers.iter().map(application_name).collect(),
            slots: scenario.slots.clone(),
            workloads: scenario.workloads.iter().map(|w| w.name.clone()).collect(),
        },
        slots: scenario.servers.iter().filter(mine).filter_map(slot).collect(),
        primary_slot_name: slot_name(scenario, config),
    })
}

/// The slot that a standby uses.
fn slot_name(scenario: &Scenario, standby: &scenario::Server) -> Option<SlotName> {
    let name = standby.slot.as_ref()?;
    let index = scenario.slots.iter().position(|slot| slot == name)?;
    u16::try_from(index).ok().map(SlotName)
}

fn disk(config: &scenario::Server, seed: u64) -> Disk {
    let die = Die::new(seed, "fsync", &config.name);
    // With fsync = off PostgreSQL never waits for the device.
    let fsync = match config.settings.fsync {
        true => config.disk.fsync.clone(),
        false => Quantiles::constant(0),
    };
    Disk::new(fsync, config.disk.write, config.disk.write_call, die)
}

fn files(scenario: &Scenario, index: usize) -> WalFiles {
    let settings = &scenario.servers[index].settings;
    let size = settings.wal_segment_size;
    let start = UsableBytes::from_lsn(scenario.start.lsn, size);
    let (lsn, redo) = (start.end_lsn(size), start.start_lsn(size));
    let (oldest, newest) = scenario.start.files(settings);
    let capacity = scenario.servers[index].disk.capacity;
    let most = capacity.map_or(u64::MAX, |capacity| capacity.0 / size.bytes());
    let room = Room { most, full: false };
    WalFiles { size, written: lsn, flushed: lsn, oldest, newest, redo, room }
}

/// Two directed links for each link, and the way from each server to each other.
fn network(scenario: &Scenario) -> (Vec<Link>, Vec<Option<(usize, usize)>>) {
    let count = scenario.servers.len();
    let mut links = Vec::new();
    for link in &scenario.links {
        for direction in ["there", "back"] {
            let owner = format!("{}/{direction}", link.name);
            let config = LinkConfig {
                rtt: link.rtt.clone(),
                bandwidth: link.bandwidth,
                // A window always takes a message of its own.
                window: Bytes(link.window.0.max(XLOG_DATA_HEADER + 1)),
                loss: link.loss,
            };
            links.push(Link::new(config, Die::new(scenario.seed, "delay", &owner)));
        }
    }
    let mut routes = vec![None; count * count];
    for route in &scenario.routes {
        for (direction, (from, to)) in
            [(route.a, route.b), (route.b, route.a)].into_iter().enumerate()
        {
            let link = route.link * 2 + direction;
            let flow = links[link].add_flow(id_of(from), id_of(to));
            routes[from * count + to] = Some((link, flow));
        }
    }
    (links, routes)
}

fn clients_config(workload: &workload::Workload, scenario: &Scenario) -> ClientsConfig {
    ClientsConfig {
        load: load(&workload.load),
        records: workload.wal.records.clone(),
        pages: workload.wal.pages.clone(),
        service: workload.service.clone(),
        transactions: workload.transactions,
        end: SimTime::ZERO + scenario.duration,
    }
}

/// What `bulk_write` faults write: one machine for each of their names.
fn bursts(scenario: &Scenario) -> Vec<Workload> {
    let mut named: BTreeMap<&str, Vec<Burst>> = BTreeMap::new();
    for fault in &scenario.faults {
        if let (FaultKind::BulkWrite { bytes }, Some(over)) = (&fault.kind, fault.lasts) {
            let burst = Burst { at: SimTime::ZERO + fault.at, bytes: *bytes, over };
            named.entry(&fault.name).or_default().push(burst);
        }
    }
    let clients = |(name, bursts): (&str, Vec<Burst>)| {
        let config = ClientsConfig {
            load: clients::Load::Bursts(bursts),
            records: Quantiles::constant(0),
            pages: Vec::new(),
            service: Quantiles::constant(0),
            transactions: None,
            end: SimTime::ZERO + scenario.duration,
        };
        let clients = Clients::new(config, false, scenario.seed, name);
        Workload { clients, level: Some(SynchronousCommit::Local), closed: false }
    };
    named.into_iter().map(clients).collect()
}

fn load(load: &Load) -> clients::Load {
    match load {
        Load::Open { gap, arrivals } => {
            let poisson = *arrivals == workload::Arrivals::Poisson;
            clients::Load::Open { gap: *gap, poisson }
        }
        Load::Closed { clients, think } => {
            clients::Load::Closed { clients: *clients, think: think.clone() }
        }
        Load::Wal { step, profile } => clients::Load::Wal { step: *step, profile: profile.clone() },
        Load::Bulk { at, every, bytes, over } => clients::Load::Bulk {
            at: SimTime::ZERO + *at,
            every: *every,
            bytes: *bytes,
            over: *over,
        },
    }
}
