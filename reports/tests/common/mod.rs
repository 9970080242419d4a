//! Runs as a simulation would leave them, made by hand: an ocean cable is cut, the standby behind
//! it falls behind, and the primary's host dies later.

#![allow(dead_code)] // Every test binary uses another part of it.

use std::path::PathBuf;

use std::collections::BTreeMap;

use models::postgres::PgVersion;
use models::postgres::command::SlotName;
use models::trace::commit::Stage;
use models::trace::fact::{
    CheckpointCause, ConnectionEnd, Fact, Facts, Refusal, Scope, ServerId, What,
};
use models::trace::histogram::Histogram;
use models::trace::observation::Observations;
use models::trace::sample::Samples;
use models::trace::summary::{
    Commits, ExpectationSummary, LagBands, LatencyMs, LawSummary, MaxEnd, ServerSummary,
    SlotSummary, StandbySummary, Summary,
};
use models::trace::{FaultSpan, Run, Setting, WalLimits};
use models::units::{Bytes, Die, Duration, Lsn, SimTime, TimelineId};

/// A moment in milliseconds.
pub fn at(millis: u64) -> SimTime {
    SimTime(millis * 1_000_000)
}

const PG1: ServerId = ServerId(0);
const PG2: ServerId = ServerId(1);
const PG3: ServerId = ServerId(2);

/// Two minutes with a cut cable from 30 s to 50 s and a crash at 80 s. `slow` scales the latency
/// in percent.
pub fn example_run(variant: &str, slow: u64) -> Run {
    let duration = Duration::s(120);
    let servers = ["pg1", "pg2", "pg3"].map(str::to_owned).to_vec();
    let standbys = ["pg2", "pg3"].map(|name| (name.to_owned(), "pg1".to_owned()));
    let mut run = Run {
        actions: Vec::new(),
        scenario: "sync/ocean".to_owned(),
        title: "One standby two rooms away, one across the ocean".to_owned(),
        question: "What does an ocean between the standbys cost, and what does it save?".to_owned(),
        variant: variant.to_owned(),
        seed: 42,
        walden: "0.1.0".to_owned(),
        pg_version: PgVersion::DEFAULT,
        duration,
        samples: Samples::new(duration, &servers, &standbys),
        violations: Default::default(),
        servers,
        slots: vec!["ocean_slot".to_owned()],
        workloads: vec!["orders".to_owned()],
        streams: Vec::new(),
        limits: vec![limits(); 3],
        settings: settings(),
        faults: vec![
            span("cable", "link_cut", 30_000, Some(50_000)),
            span("reset", "link_reset", 62_000, None),
            span("death", "crash", 80_000, Some(92_000)),
        ],
        summary: Summary::default(),
        digest: 0x1234_5678_9abc_def0 ^ slow,
        moments: Vec::new(),
        latency: Histogram::default(),
        facts: facts(),
        observations: Observations::default(),
        looks: Vec::new(),
    };
    fill(&mut run, slow);
    run.summary = summary(&run, slow);
    run
}

fn limits() -> WalLimits {
    WalLimits {
        max_wal_size: Bytes::mb(128),
        wal_keep_size: Bytes::mb(32),
        max_slot_wal_keep_size: Some(Bytes::mb(40)),
        capacity: None,
    }
}

fn settings() -> Vec<Vec<Setting>> {
    let setting = |name: &str, value: &str, default: &str| Setting {
        name: name.to_owned(),
        value: value.to_owned(),
        default: default.to_owned(),
    };
    let everywhere = setting("max_wal_size", "128MB", "1GB");
    let names = setting("synchronous_standby_names", "FIRST 1 (pg2, pg3)", "");
    vec![vec![everywhere.clone(), names], vec![everywhere.clone()], vec![everywhere]]
}

fn span(name: &str, kind: &'static str, from: u64, until: Option<u64>) -> FaultSpan {
    let momentary = kind == "link_reset";
    FaultSpan { name: name.to_owned(), kind, from: at(from), until: until.map(at), momentary }
}

/// Commits, latencies and lags over time.
fn fill(run: &mut Run, slow: u64) {
    let die = Die::new(run.seed, "test", "latency");
    let mut n = 0;
    for tick in 0..12_000u64 {
        let now = at(tick * 10);
        let down = (8_000..9_200).contains(&tick);
        let cut = (3_000..5_000).contains(&tick);
        for _ in 0..if down { 0 } else { 40 } {
            n += 1;
            let luck = die.at(n) % 100_000;
            let tail = if luck < 10 {
                40_000
            } else if luck < 1_000 {
                4_000
            } else {
                luck % 300
            };
            let stall = if cut && tick < 3_100 { (3_100 - tick) * 10_000 } else { 0 };
            let latency = Duration::us((600 + tail + stall) * slow / 100);
            run.latency.record(latency);
            run.samples.commits.add(now, 1);
            run.samples.latency_sum.add(now, latency.0);
            run.samples.latency_max.add(now, latency.0);
            let service = latency.0.min(40_000);
            let parts = [service, 0, (latency.0 - service) / 4, (latency.0 - service) / 2];
            for (stage, nanos) in parts.into_iter().enumerate() {
                run.samples.stages[stage].add(now, nanos);
            }
            let rest = latency.0 - parts.iter().sum::<u64>();
            run.samples.stages[Stage::SyncRep as usize].add(now, rest);
        }
        let wal = 0x300_0000 + n * 620;
        let behind = match tick {
            3_000..5_000 => (tick - 3_000) * 24_800,
            5_000..6_000 => (6_000 - tick) * 49_600,
            _ => die.at(tick) % 40_000,
        };
        for (i, server) in run.samples.servers.iter_mut().enumerate() {
            if i == 0 {
                server.insert_lsn.add(now, wal);
            }
            server.flush_lsn.add(now, wal);
            let kept = if i == 0 { behind } else { 0 };
            server.pg_wal_bytes.add(now, (80 << 20) + (wal % (64 << 20)) + kept);
            server.oldest_lsn.add(now, wal.saturating_sub(32 << 20) >> 24 << 24);
        }
        let slot = run.samples.slot(0, "ocean_slot");
        slot.retained_bytes.add(now, behind);
        slot.safe_wal_size.add(now, (40u64 << 20).saturating_sub(behind));
        slot.wal_status.add(now, (behind / (16 << 20)).min(2));
        slot.active.add(now, u64::from(!down && !cut));
        for (i, standby) in run.samples.standbys.iter_mut().enumerate() {
            let behind = if i == 1 { behind * slow / 100 } else { die.at(tick) % 9_000 };
            standby.lag_bytes.add(now, behind);
            let connected = !down && (i != 1 || !cut);
            if connected {
                standby.sent_lsn.add(now, wal);
                standby.replay_lsn.add(now, wal - behind.min(wal));
                standby.replay_lag.add(now, 1_000_000 + behind * 100);
            }
        }
    }
}

/// Every kind of fact, in an order that could be.
pub fn facts() -> Facts {
    // As a simulation would leave them: in order.
    let mut all = before_the_crash();
    all.extend(after_the_crash());
    all.sort_by_key(|fact| fact.at);
    let mut facts = Facts::default();
    all.into_iter().for_each(|fact| facts.push(fact));
    facts
}

fn stream(upstream: ServerId) -> What {
    What::StreamingStarted { upstream, start: Lsn(0x300_0000), timeline: TimelineId(1) }
}

fn refused(why: Refusal) -> What {
    What::ConnectFailed { upstream: PG1, why, start: Lsn(0x300_0000) }
}

fn ended(why: ConnectionEnd) -> What {
    What::ReceiverEnded { upstream: PG1, why }
}

fn before_the_crash() -> Vec<Fact> {
    let mut all = Vec::new();
    let mut add = |millis, server, what| all.push(Fact { at: at(millis), server, what });
    add(1, Some(PG1), What::SyncStandby { standby: PG2, priority: Some(1) });
    add(2, Some(PG1), What::SyncStandby { standby: PG3, priority: None });
    add(
        20_000,
        Some(PG1),
        What::CheckpointStarted { cause: CheckpointCause::WAL, redo: Lsn(0x500_0028) },
    );
    add(
        26_500,
        Some(PG1),
        What::CheckpointFiles {
            buffers: 65,
            shared_buffers: 16_384,
            write: Duration::ms(6_480),
            estimate: Bytes::mb(33),
            added: 0,
            removed: 1,
            recycled: 2,
        },
    );
    add(
        26_500,
        Some(PG1),
        What::CheckpointDone {
            redo: Lsn(0x500_0028),
            end: Lsn(0x580_0140),
            distance: Bytes::mb(33),
            took: Duration::ms(6_500),
        },
    );
    add(30_000, None, What::FaultBegan { fault: 0 });
    add(50_000, Some(PG1), What::SenderEnded { standby: PG3, why: ConnectionEnd::Timeout });
    for attempt in 0..6 {
        add(
            45_100 + attempt * 700,
            Some(PG3),
            refused(Refusal::SlotActive { slot: SlotName(0), pid: 1_102 }),
        );
        add(45_101 + attempt * 700, Some(PG3), What::WaitingForWal { at: Lsn(0x580_0158) });
    }
    add(50_000, None, What::FaultHealed { fault: 0 });
    add(45_000, Some(PG3), ended(ConnectionEnd::Timeout));
    add(53_000, Some(PG3), stream(PG1));
    add(
        53_000,
        Some(PG1),
        What::SenderStarted { standby: PG3, start: Lsn(0x300_0000), slot: None },
    );
    add(54_000, Some(PG1), What::SenderStreaming { standby: PG3 });
    add(62_000, None, What::FaultBegan { fault: 1 });
    add(62_000, Some(PG1), What::SenderEnded { standby: PG2, why: ConnectionEnd::PeerClosed });
    add(80_000, None, What::FaultBegan { fault: 2 });
    all
}

fn after_the_crash() -> Vec<Fact> {
    let mut all = Vec::new();
    let mut add = |millis, server, what| all.push(Fact { at: at(millis), server, what });
    add(80_000, Some(PG1), What::Crashed { scope: Scope::Host, lost: Bytes::kb(48) });
    add(80_001, Some(PG2), ended(ConnectionEnd::PeerClosed));
    add(80_002, Some(PG2), refused(Refusal::ConnectionRefused));
    add(81_000, Some(PG2), refused(Refusal::ConnectTimeout));
    add(92_000, None, What::FaultHealed { fault: 2 });
    add(92_010, Some(PG1), What::Starting);
    add(92_020, Some(PG1), What::RecoveryStarted { redo: Lsn(0x500_0028) });
    add(92_030, Some(PG2), refused(Refusal::StartingUp));
    add(93_420, Some(PG1), What::RecoveryDone { end: Lsn(0x6AB_CD00), took: Duration::ms(1_400) });
    add(
        93_421,
        Some(PG1),
        What::CheckpointStarted { cause: CheckpointCause::END_OF_RECOVERY, redo: Lsn(0x6AB_CD28) },
    );
    add(
        93_900,
        Some(PG1),
        What::CheckpointFiles {
            buffers: 3,
            shared_buffers: 16_384,
            write: Duration::ms(470),
            estimate: Bytes::mb(32),
            added: 1,
            removed: 0,
            recycled: 0,
        },
    );
    add(
        93_900,
        Some(PG1),
        What::CheckpointDone {
            redo: Lsn(0x6AB_CD28),
            end: Lsn(0x6AB_CDA0),
            distance: Bytes::mb(26),
            took: Duration::ms(479),
        },
    );
    add(93_950, Some(PG1), What::Ready);
    add(94_000, Some(PG3), refused(Refusal::TooManySenders { max: 1 }));
    add(95_000, Some(PG2), What::Frozen { scope: Scope::Processes });
    add(96_000, Some(PG2), What::Thawed);
    add(97_000, Some(PG2), What::Crashed { scope: Scope::Processes, lost: Bytes(0) });
    add(97_100, Some(PG2), What::Starting);
    add(97_200, Some(PG2), What::StandbyMode { redo: Lsn(0x500_0028) });
    add(97_900, Some(PG2), What::ReadyReadOnly { at: Lsn(0x6AB_CD28) });
    add(98_000, Some(PG2), stream(PG1));
    add(
        99_000,
        Some(PG2),
        What::CheckpointStarted { cause: CheckpointCause::TIME, redo: Lsn(0x6AB_CD28) },
    );
    add(99_500, Some(PG2), ended(ConnectionEnd::Shutdown));
    add(99_600, Some(PG1), What::SenderEnded { standby: PG2, why: ConnectionEnd::Shutdown });
    add(99_700, Some(PG1), What::QueueFull { limit: 1_000_000 });
    add(99_800, Some(PG2), What::Frozen { scope: Scope::Host });
    all
}

fn summary(run: &Run, slow: u64) -> Summary {
    let millis = |share| run.latency.percentile(share).map_or(0.0, Duration::as_millis);
    let lost = if slow < 100 { 412 } else { 0 };
    let count = run.latency.count();
    let mut settings = std::collections::BTreeMap::new();
    if run.variant != "base" {
        let level = if slow < 100 { "local" } else { "remote_apply" };
        settings
            .insert("server.pg1.postgresql.synchronous_commit".to_owned(), format!("'{level}'"));
    }
    Summary {
        statements: Vec::new(),
        name: run.variant.clone(),
        settings,
        digest: format!("{:016x}", run.digest),
        simulated_seconds: run.duration.as_seconds(),
        events: 1_234_567,
        commits: Commits {
            attempted: count + 900,
            acknowledged: count,
            cancelled: 0,
            lost,
            unknown: 40,
            refused: 860,
            waiting: 0,
        },
        tps: count as f64 / 120.0,
        latency_ms: LatencyMs {
            mean: run.latency.mean().map_or(0.0, Duration::as_millis),
            p50: millis(500_000),
            p90: millis(900_000),
            p99: millis(990_000),
            p999: millis(999_000),
            max: run.latency.max().map_or(0.0, Duration::as_millis),
        },
        servers: servers(run),
        standbys: standbys(run),
        slots: vec![SlotSummary {
            server: "pg1".to_owned(),
            slot_name: "ocean_slot".to_owned(),
            active: true,
            restart_lsn: Some(Lsn(0x6AB_CD28)),
            wal_status: Some("reserved"),
            wal_status_seen: vec!["reserved", "extended"],
            safe_wal_size: None,
            retained_bytes: MaxEnd { max: 50 << 20, end: 0 },
            wal_needed_bytes: 48 << 20,
        }],
        failovers: Vec::new(),
        expectations: vec![
            ExpectationSummary {
                metric: "commits.lost".to_owned(),
                wanted: "== 0".to_owned(),
                measured: lost.to_string(),
                met: lost == 0,
            },
            ExpectationSummary {
                metric: "latency_ms.p99".to_owned(),
                wanted: "< 50".to_owned(),
                measured: format!("{:.3}", millis(990_000)),
                met: true,
            },
        ],
        laws: vec![LawSummary { name: "no_synchronous_commit_is_lost", held: true, violations: 0 }],
    }
}

fn servers(run: &Run) -> Vec<ServerSummary> {
    run.samples
        .servers
        .iter()
        .enumerate()
        .map(|(i, s)| ServerSummary {
            name: s.name.clone(),
            role: if i == 0 { "primary" } else { "standby" },
            timeline: TimelineId(1),
            insert_lsn: Lsn(0x6AB_CD28),
            flush_lsn: Lsn(0x6AB_CD28),
            pg_wal_bytes: MaxEnd { max: s.pg_wal_bytes.peak().unwrap_or(0), end: 80 << 20 },
            checkpoints: 2,
            downtime_seconds: if i == 0 { 13.95 } else { 0.0 },
            rows: BTreeMap::new(),
        })
        .collect()
}

fn bands() -> LagBands {
    let mut bands = LagBands::default();
    bands.add(Bytes(0), Duration::ZERO, Duration::s(50));
    bands.add(Bytes(2 << 20), Duration::s(2), Duration::s(8));
    bands.add(Bytes(2 << 20), Duration::s(12), Duration::s(2));
    bands
}

fn standbys(run: &Run) -> Vec<StandbySummary> {
    run.samples
        .standbys
        .iter()
        .map(|s| StandbySummary {
            lag_bands: bands(),
            name: s.name.clone(),
            upstream: s.upstream.clone(),
            connected: true,
            lost: false,
            sent_lsn: Lsn(0x6AB_CD28),
            write_lsn: Lsn(0x6AB_CD28),
            flush_lsn: Lsn(0x6AB_CD28),
            replay_lsn: Lsn(0x6AB_CD28),
            lag_bytes: MaxEnd { max: s.lag_bytes.peak().unwrap_or(0), end: 0 },
            replay_lag_seconds: MaxEnd {
                max: Duration(s.replay_lag.peak().unwrap_or(0)).as_seconds(),
                end: 0.001,
            },
            sync_state: "async",
            wal_needed_bytes: 0,
        })
        .collect()
}

/// Three variants of one scenario.
pub fn example_runs() -> Vec<Run> {
    vec![example_run("base", 100), example_run("async", 55), example_run("remote_apply", 240)]
}

/// A run in which nothing happened, in a single bucket, on a server without standbys.
pub fn empty_run() -> Run {
    let servers = vec!["pg1".to_owned()];
    let mut run = example_run("base", 100);
    run.duration = Duration::us(10);
    run.samples = Samples::new(run.duration, &servers, &[]);
    run.servers = servers;
    run.settings = vec![Vec::new()];
    run.faults.clear();
    run.facts = Facts::default();
    run.latency = Histogram::default();
    run.summary = Summary { name: "base".to_owned(), ..Summary::default() };
    run
}

/// An empty directory of this test.
pub fn directory(test: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    if dir.exists() {
        std::fs::remove_dir_all(&dir).expect("the directory of an earlier test run");
    }
    std::fs::create_dir_all(&dir).expect("a directory below target");
    dir
}

/// Compares with a recorded file, or records it where `UPDATE_GOLDENFILES=1`.
pub fn golden(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("tests/golden");
        std::fs::write(&path, text).expect("a golden file");
    }
    let recorded = std::fs::read_to_string(&path).expect("run with UPDATE_GOLDENFILES=1 first");
    assert!(recorded == text, "{name} has changed; UPDATE_GOLDENFILES=1 and read the diff");
}
