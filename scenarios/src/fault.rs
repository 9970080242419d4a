//! Every fault, its fields, its words; data only.

use models::disk::Slowdown;
use models::latency::Quantiles;
use models::network::Loss;
use models::postgres::command::StopMode;
use models::trace::fact::Scope;
use models::units::{Bytes, Duration, Rate};

use crate::scenario::ServerIndex;

/// One `[fault.X]`, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its key in the file.
    pub name: String,
    /// When it begins.
    pub at: Duration,
    /// How long it holds; `None`: to the end (or it has only a moment).
    pub lasts: Option<Duration>,
    /// What it does.
    pub kind: FaultKind,
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Processes or host die; healing starts them again.
    Crash {
        /// What dies.
        what: Scope,
        /// Whose.
        server: ServerIndex,
    },
    /// Processes or host stop running without dying; healing continues them.
    Freeze {
        /// What stops.
        what: Scope,
        /// Whose.
        server: ServerIndex,
    },
    /// All hosts of a site die, and nothing is heard of them; healing starts them.
    SiteDown {
        /// The servers of the site.
        servers: Vec<ServerIndex>,
    },
    /// Something on the primary writes much WAL while the fault lasts.
    BulkWrite {
        /// How much in all.
        bytes: Bytes,
    },
    /// A server's wall clock is wrong; healing puts it right.
    ClockJump {
        /// Whose.
        server: ServerIndex,
        /// How far it is ahead, or behind if below zero (nanoseconds).
        by: i64,
    },
    /// The server is shut down; healing starts it.
    Stop {
        /// How.
        mode: StopMode,
        /// Which.
        server: ServerIndex,
    },
    /// The volume of pg_wal takes no new file.
    DiskFull {
        /// Whose.
        server: ServerIndex,
    },
    /// The volume of pg_wal is slow.
    DiskSlow {
        /// Whose.
        server: ServerIndex,
        /// How slow.
        slowdown: Slowdown,
    },
    /// The volume of pg_wal completes no fsync; healing lets its queue go on.
    DiskStall {
        /// Whose.
        server: ServerIndex,
    },
    /// A standby receives and replays nothing.
    ReplayPause {
        /// Which.
        server: ServerIndex,
    },
    /// Nothing passes and nobody is told; after healing TCP retransmits.
    LinkCut {
        /// The pairs of servers that are cut from each other.
        between: Vec<(ServerIndex, ServerIndex)>,
    },
    /// Nothing passes, everything is kept, and passes at once after healing.
    LinkHold {
        /// The pairs of servers.
        between: Vec<(ServerIndex, ServerIndex)>,
    },
    /// What is sent on a link fares worse.
    LinkWorse {
        /// Who sends to whom.
        ways: Vec<(ServerIndex, ServerIndex)>,
        /// How.
        how: Worse,
    },
    /// Connections are reset; both ends notice.
    LinkReset {
        /// The pairs of servers.
        between: Vec<(ServerIndex, ServerIndex)>,
    },
}

/// How a link gets worse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Worse {
    /// Messages travel so much longer, one way (nanoseconds).
    Delay(Quantiles),
    /// Packets are lost, beside those that the link loses anyway.
    Loss(Loss),
    /// So much bandwidth is left, unless the link has less anyway. The fault names all that use
    /// the link in this direction.
    Bandwidth(Rate),
}

impl FaultKind {
    /// The word for it in a file.
    pub fn name(&self) -> &'static str {
        match self {
            FaultKind::Crash { .. } => "crash",
            FaultKind::Freeze { .. } => "freeze",
            FaultKind::SiteDown { .. } => "site_down",
            FaultKind::BulkWrite { .. } => "bulk_write",
            FaultKind::ClockJump { .. } => "clock_jump",
            FaultKind::Stop { .. } => "stop",
            FaultKind::DiskFull { .. } => "disk_full",
            FaultKind::DiskSlow { .. } => "disk_slow",
            FaultKind::DiskStall { .. } => "disk_stall",
            FaultKind::ReplayPause { .. } => "replay_pause",
            FaultKind::LinkCut { .. } => "link_cut",
            FaultKind::LinkHold { .. } => "link_hold",
            FaultKind::LinkWorse { how: Worse::Delay(_), .. } => "link_delay",
            FaultKind::LinkWorse { how: Worse::Loss(_), .. } => "link_loss",
            FaultKind::LinkWorse { how: Worse::Bandwidth(_), .. } => "link_bandwidth",
            FaultKind::LinkReset { .. } => "link_reset",
        }
    }

    /// Whether it is over as soon as it began.
    pub fn momentary(&self) -> bool {
        matches!(self, FaultKind::LinkReset { .. })
    }
}
