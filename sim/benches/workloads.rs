//! The reference workloads as scenarios.
//!
//! R1 to R3 are one cluster at three rates: a primary with two standbys, of which any one must
//! have flushed. Nothing but the commit path colours them: `recycled = 'max'`, service 0, no
//! full-page images, disks whose fsync does not depend on the bytes. Their numbers are
//! [`madsim_only`]'s, so that the two versions cannot drift apart. R4 is a month of WAL in steps of
//! a second with one standby that has a slot and one that has none, checkpoints, and an outage a
//! day.

use models::latency::Quantiles;
use models::network::Loss;
use models::postgres::PgVersion;
use models::postgres::guc::Settings;
use models::units::{Bytes, Duration, Lsn, Rate, TimelineId};
use scenarios::fault::{Fault, FaultKind};
use scenarios::scenario::{Disk, Link, Recycled, Route, Scenario, Server, ServerState, Start};
use scenarios::workload::{Arrivals, Load, TransactionWal, WalProfile, Workload};

use crate::madsim_only::{
    self, BANDWIDTH, DELAY, FSYNC, GAP, REPLAY, SERVERS, WORKLOAD, WRITE_CALL,
};

/// The commit record that the models add to a transaction's own WAL, aligned.
const COMMIT_RECORD: u64 = 40;
/// A disk that is never the bottleneck.
const ENDLESS: Rate = Rate::new(1_000_000_000_000).expect("not zero");
/// One commit in this time: R2's and R3's rates.
const SLOW_GAP: Duration = Duration::ms(1);
const FAST_GAP: Duration = Duration::us(10);
const DAY: u64 = 86_400;

/// The workload called `name`; `None` if there is none.
pub fn scenario(name: &str, seed: u64, duration: Duration) -> Option<Scenario> {
    let scenario = match name {
        "R1" => cluster(name, commits(GAP)),
        "R2" => cluster(name, commits(SLOW_GAP)),
        "R3" => cluster(name, commits(FAST_GAP)),
        "R4" => month(duration),
        _ => return None,
    };
    Some(Scenario { seed, duration, ..scenario })
}

fn cluster(name: &str, workload: Workload) -> Scenario {
    let primary_settings = [("synchronous_standby_names", "ANY 1 (*)")];
    let mut servers = vec![server(SERVERS[0], None, Duration::ZERO, &primary_settings)];
    servers.extend(SERVERS[1..].iter().map(|name| server(name, Some(0), WRITE_CALL, &[])));
    let links = SERVERS[1..].iter().map(|name| link(SERVERS[0], name)).collect();
    Scenario {
        name: format!("reference/{name}"),
        variant: "base".to_owned(),
        variant_settings: Vec::new(),
        title: format!("Reference workload {name}"),
        question: String::new(),
        seed: 1,
        duration: Duration::ZERO,
        pg_version: PgVersion::DEFAULT,
        start: Start {
            lsn: Lsn(0x300_0028),
            timeline: TimelineId(1),
            recycled: Recycled::Max,
            files_before: 0,
        },
        servers,
        routes: (1..SERVERS.len()).map(|b| Route { a: 0, b, link: b - 1 }).collect(),
        links,
        workloads: vec![workload],
        faults: Vec::new(),
        expect: Vec::new(),
        order: Vec::new(),
        shares: Vec::new(),
        actions: Vec::new(),
        steps: Vec::new(),
        slots: SERVERS[1..].iter().map(|&name| name.to_owned()).collect(),
        not_modelled: Vec::new(),
    }
}

fn server(
    name: &str,
    upstream: Option<usize>,
    write_call: Duration,
    values: &[(&str, &str)],
) -> Server {
    let fsync = Quantiles::uniform(FSYNC.0, FSYNC.1);
    Server {
        name: name.to_owned(),
        site: None,
        upstream,
        slot: upstream.map(|_| name.to_owned()),
        state: ServerState::Up,
        disk: Disk { fsync, write: ENDLESS, write_call, capacity: None },
        separate_wal_disk: true,
        replay: REPLAY,
        settings: settings(values),
    }
}

/// The settings of one server: the version's defaults and these.
fn settings(values: &[(&str, &str)]) -> Settings {
    let mut settings = Settings::defaults(PgVersion::DEFAULT);
    for (name, value) in values {
        settings.set(name, value).expect("a reference workload's setting is right");
    }
    settings
}

fn link(a: &str, b: &str) -> Link {
    Link {
        name: format!("{a}-{b}"),
        rtt: Quantiles::constant(2 * DELAY.0),
        bandwidth: BANDWIDTH,
        window: Bytes::mb(6),
        loss: Loss::NONE,
    }
}

/// Commits in an open loop.
fn commits(gap: Duration) -> Workload {
    let (low, high) = madsim_only::WAL;
    let records = Quantiles::uniform(low - COMMIT_RECORD, high - COMMIT_RECORD);
    Workload {
        name: WORKLOAD.to_owned(),
        load: Load::Open { gap, arrivals: Arrivals::Poisson },
        wal: TransactionWal { records, pages: Vec::new() },
        synchronous_commit: None,
        service: Quantiles::constant(0),
        transactions: None,
        rows: 1,
    }
}

/// R4: WAL of a working day, thirty times over; the links to both standbys are cut for twenty
/// minutes each noon, which `wal_keep_size` and the slot must bridge.
fn month(duration: Duration) -> Scenario {
    let mb = |n: u64| n << 20;
    let night = vec![mb(1) / 2; 7];
    let day = [1, 2, 3, 3, 3, 2, 3, 3, 3, 2, 2, 1, 1].map(mb);
    let profile = WalProfile::Daily([night, day.to_vec(), vec![mb(1); 4]].concat());
    let workload = Workload {
        name: WORKLOAD.to_owned(),
        load: Load::Wal { step: Duration::s(1), profile },
        wal: TransactionWal { records: Quantiles::constant(0), pages: Vec::new() },
        synchronous_commit: None,
        service: Quantiles::constant(0),
        transactions: None,
        rows: 1,
    };
    let mut scenario = cluster("R4", workload);
    scenario.servers[0].settings = settings(&[
        ("wal_keep_size", "6GB"),
        ("max_slot_wal_keep_size", "20GB"),
        ("max_wal_size", "4GB"),
    ]);
    scenario.servers[2].slot = None;
    let outages = duration.0.div_ceil(Duration::s(DAY).0);
    scenario.faults = (0..outages)
        .map(|day| Fault {
            name: format!("day{day}"),
            at: Duration::s(day * DAY + DAY / 2),
            lasts: Some(Duration::s(20 * 60)),
            kind: FaultKind::LinkCut { between: vec![(0, 1), (0, 2)] },
        })
        .filter(|fault| fault.at < duration)
        .collect();
    scenario
}
