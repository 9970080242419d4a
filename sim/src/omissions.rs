//! What the models leave out, in one list, with the scenarios for which it weighs something.
//!
//! The module headers of `models` say the same beside the code that it is about, in more detail
//! and with small things that no number shows. A line that a model learns to do goes from here.

use models::network::Loss;
use models::postgres::guc::SynchronousCommit;
use models::units::Duration;
use scenarios::fault::FaultKind;
use scenarios::scenario::Scenario;
use scenarios::workload::Load;

/// One thing that is left out.
#[derive(Clone, Copy, Debug)]
pub struct Omission {
    /// What, and what it does to the numbers.
    pub what: &'static str,
    /// Whether a scenario is of a kind for which it weighs something.
    pub touches: fn(&Scenario) -> bool,
}

/// All of them, those that touch most scenarios first.
pub const OMISSIONS: [Omission; 20] = [
    Omission {
        what: "The network between clients and the primary, and a pooler on the way: latencies \
               are those that a client on the primary's host would see.",
        touches: has_commits,
    },
    Omission {
        what: "Locks between transactions, CPU time beside the workload's service, and \
               max_connections: a server that is short of CPU or of connections would be slower.",
        touches: has_commits,
    },
    Omission {
        what: "Queries on standbys: their conflicts with replay, and what hot_standby_feedback \
               does about them. Replay here is never held up by a query.",
        touches: has_standbys,
    },
    Omission {
        what: "Failover: nobody takes over from a primary that is gone, and commits fail until it \
               is back.",
        touches: primary_fails,
    },
    Omission {
        what: "Clients' reconnecting: a closed loop's clients come back after 1 s, an open loop's \
               transactions that find no primary fail at once.",
        touches: primary_fails,
    },
    Omission {
        what: "The time that a postmaster needs to start, beside recovery, and backends to end: \
               milliseconds for each.",
        touches: somebody_fails,
    },
    Omission {
        what: "Authentication and TLS: one to three more round trips for every new connection.",
        touches: somebody_fails,
    },
    Omission {
        what: "A WAL archive: a standby that finds its WAL gone cannot fetch it from there.",
        touches: may_lose_wal,
    },
    Omission {
        what: "Congestion control and slow start: after an idle time a long link takes its whole \
               window at once, where TCP needs a few round trips; lost packets do not narrow it.",
        touches: has_long_links,
    },
    Omission {
        what: "TCP giving up after about 15 minutes without an answer.",
        touches: is_cut_for_long,
    },
    Omission {
        what: "Which buffers a checkpoint finds dirty is estimated from the WAL, and what its \
               writes cost the disk of the data is left out.",
        touches: has_checkpoints,
    },
    Omission {
        what: "A disk that becomes slower as its queue grows, and write-back by the kernel before \
               the fsync, which would shorten large flushes by up to their transfer.",
        touches: has_commits,
    },
    Omission {
        what: "A remote_apply commit in the middle of what a standby replays at a stretch has no \
               reply of its own: the next one tells, at the latest the one at the end.",
        touches: waits_for_replay,
    },
    Omission {
        what: "A transaction's WAL is inserted with its commit record, so that of a long one \
               comes later than it would, by up to its service time.",
        touches: has_long_transactions,
    },
    Omission {
        what: "commit_siblings counts the backends that wait instead of all with an open \
               transaction.",
        touches: |scenario| {
            scenario.servers.iter().any(|server| server.settings.commit_delay > Duration::ZERO)
        },
    },
    Omission {
        what: "What a stalled disk holds up besides fsyncs: writes into a page cache that is too \
               dirty, the buffers of a checkpoint, and the end of a server that is told to stop.",
        touches: |scenario| {
            let stalls = |kind: &FaultKind| matches!(kind, FaultKind::DiskStall { .. });
            scenario.faults.iter().any(|fault| stalls(&fault.kind))
        },
    },
    Omission {
        what: "What a clock that jumps changes besides timeouts and checkpoints by time: log lines \
               have simulated time, and so has what a standby would tell from time stamps in WAL.",
        touches: |scenario| {
            let jumps = |kind: &FaultKind| matches!(kind, FaultKind::ClockJump { .. });
            scenario.faults.iter().any(|fault| jumps(&fault.kind))
        },
    },
    Omission {
        what: "A record torn by a full volume: recovery would end before it.",
        touches: |scenario| {
            let full = |kind: &FaultKind| matches!(kind, FaultKind::DiskFull { .. });
            scenario.faults.iter().any(|fault| full(&fault.kind))
                || scenario.servers.iter().any(|server| server.disk.capacity.is_some())
        },
    },
    Omission { what: "Logical replication, logical and temporary slots.", touches: |_| false },
    Omission {
        what: "Base backups and pg_rewind: a standby that is lost stays lost.",
        touches: may_lose_wal,
    },
];

fn has_standbys(scenario: &Scenario) -> bool {
    scenario.servers.len() > 1
}

fn has_commits(scenario: &Scenario) -> bool {
    let waits = |load: &Load| match load {
        Load::Open { .. } | Load::Closed { .. } | Load::Bulk { .. } => true,
        Load::Wal { .. } => false,
    };
    scenario.workloads.iter().any(|workload| waits(&workload.load))
}

fn has_long_transactions(scenario: &Scenario) -> bool {
    let long = |load: &Load| matches!(load, Load::Bulk { .. });
    let slow = |service: u64| service > Duration::ms(10).0;
    scenario.workloads.iter().any(|w| long(&w.load) || slow(w.service.max()))
}

/// The servers that a fault takes away.
fn failing(scenario: &Scenario) -> impl Iterator<Item = usize> {
    scenario.faults.iter().flat_map(|fault| match &fault.kind {
        FaultKind::SiteDown { servers } => servers.clone(),
        FaultKind::Crash { server, .. }
        | FaultKind::Freeze { server, .. }
        | FaultKind::Stop { server, .. }
        | FaultKind::DiskFull { server } => vec![*server],
        FaultKind::BulkWrite { .. }
        | FaultKind::ClockJump { .. }
        | FaultKind::DiskSlow { .. }
        | FaultKind::DiskStall { .. }
        | FaultKind::ReplayPause { .. }
        | FaultKind::LinkCut { .. }
        | FaultKind::LinkHold { .. }
        | FaultKind::LinkWorse { .. }
        | FaultKind::LinkReset { .. } => Vec::new(),
    })
}

fn primary_fails(scenario: &Scenario) -> bool {
    failing(scenario).any(|server| server == scenario.primary())
}

fn somebody_fails(scenario: &Scenario) -> bool {
    !scenario.faults.is_empty()
}

/// Whether some standby has no slot, or one that may be invalidated.
fn may_lose_wal(scenario: &Scenario) -> bool {
    let bounded = scenario.servers[scenario.primary()].settings.max_slot_wal_keep_size.is_some();
    let standbys = || scenario.servers.iter().filter(|server| server.upstream.is_some());
    somebody_fails(scenario) && standbys().any(|standby| bounded || standby.slot.is_none())
}

fn has_long_links(scenario: &Scenario) -> bool {
    let worse = |kind: &FaultKind| matches!(kind, FaultKind::LinkWorse { .. });
    scenario.links.iter().any(|link| link.rtt.max() >= Duration::ms(10).0 || link.loss > Loss::NONE)
        || scenario.faults.iter().any(|fault| worse(&fault.kind))
}

fn is_cut_for_long(scenario: &Scenario) -> bool {
    let cut = |kind: &FaultKind| matches!(kind, FaultKind::LinkCut { .. });
    let long = |lasts: Option<Duration>| lasts.is_none_or(|lasts| lasts >= Duration::s(900));
    scenario.duration >= Duration::s(900)
        && scenario.faults.iter().any(|fault| cut(&fault.kind) && long(fault.lasts))
}

fn has_checkpoints(scenario: &Scenario) -> bool {
    let timeout = |server: &scenarios::scenario::Server| server.settings.checkpoint_timeout;
    let shortest = scenario.servers.iter().map(timeout).min();
    shortest.is_some_and(|timeout| scenario.duration >= timeout)
}

fn waits_for_replay(scenario: &Scenario) -> bool {
    let applies = |level: SynchronousCommit| level == SynchronousCommit::RemoteApply;
    scenario.servers.iter().any(|server| applies(server.settings.synchronous_commit))
        || scenario.workloads.iter().any(|w| w.synchronous_commit.is_some_and(applies))
}
