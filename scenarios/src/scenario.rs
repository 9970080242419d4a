//! One variant of a scenario, resolved: what the simulator is given.
//!
//! A file's defaults are filled in, its presets looked up, its names checked and turned into
//! indices, its settings read by PostgreSQL's rules and its fault schedule resolved. Nothing here
//! can be wrong in itself, so the simulator needs no errors.

use models::latency::Quantiles;
use models::network::Loss;
use models::postgres::PgVersion;
use models::postgres::guc::Settings;
use models::units::{Bytes, Duration, Lsn, Rate, TimelineId};

use crate::action::{Action, Step};
use crate::expect::Expectation;
use crate::expect::order::Order;
use crate::expect::share::Share;
use crate::fault::Fault;
use crate::workload::Workload;

/// An index into [`Scenario::servers`].
pub type ServerIndex = usize;

/// One variant of a scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Catalogue name or file stem, such as `sync/five_levels`.
    pub name: String,
    /// The variant's name; `base` without variants.
    pub variant: String,
    /// What the variant sets: path and value as written.
    pub variant_settings: Vec<(String, String)>,
    /// The file's title.
    pub title: String,
    /// The file's first comment, or empty.
    pub question: String,
    /// Seed of every die.
    pub seed: u64,
    /// Simulated time.
    pub duration: Duration,
    /// Major version of every server.
    pub pg_version: PgVersion,
    /// Where the run starts.
    pub start: Start,
    /// Servers in the order of the file.
    pub servers: Vec<Server>,
    /// One entry for every two servers that talk, whatever link they use.
    pub routes: Vec<Route>,
    /// Links in the order of the file; those made from `[network]` come last.
    pub links: Vec<Link>,
    /// Workloads in the order of the file.
    pub workloads: Vec<Workload>,
    /// The resolved fault schedule, in the order of the file.
    pub faults: Vec<Fault>,
    /// What an operator does at given moments, in the order of the file.
    pub actions: Vec<Action>,
    /// What an operator does one thing after the other.
    pub steps: Vec<Step>,
    /// Every name of a replication slot in the file, once.
    pub slots: Vec<String>,
    /// What is expected of the summary.
    pub expect: Vec<Expectation>,
    /// What is to rise from one variant to the next; the same for all variants of a file.
    pub order: Vec<Order>,
    /// What is expected of many runs together.
    pub shares: Vec<Share>,
    /// Settings that are accepted and that no model reads: `server: name`.
    pub not_modelled: Vec<String>,
}

impl Scenario {
    /// The server without an upstream.
    pub fn primary(&self) -> ServerIndex {
        self.servers.iter().position(|s| s.upstream.is_none()).expect("one server has no upstream")
    }

    /// The link between two servers.
    pub fn link(&self, one: ServerIndex, other: ServerIndex) -> Option<&Link> {
        let ends = |r: &&Route| (r.a, r.b) == (one, other) || (r.b, r.a) == (one, other);
        self.links.get(self.routes.iter().find(ends)?.link)
    }
}

/// Where the run starts (`[start]`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Insert position of the primary, and redo point of its last checkpoint.
    pub lsn: Lsn,
    /// Timeline of every server.
    pub timeline: TimelineId,
    /// How many recycled segments pg_wal holds.
    pub recycled: Recycled,
    /// Files in pg_wal older than the one that holds `lsn`.
    pub files_before: u64,
}

impl Start {
    /// Numbers of the oldest and the newest file of pg_wal on a server with these settings.
    pub fn files(&self, settings: &Settings) -> (u64, u64) {
        let size = settings.wal_segment_size;
        let current = self.lsn.segment(size);
        let after = match self.recycled {
            Recycled::Min => size.segments_in(settings.min_wal_size).saturating_sub(1),
            Recycled::Max => size.segments_in(settings.max_wal_size).saturating_sub(1),
            Recycled::None => 0,
            Recycled::Files(files) => files,
        };
        (current - self.files_before, current + after)
    }
}

/// Recycled segments at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recycled {
    /// `min_wal_size` of them.
    Min,
    /// `max_wal_size` of them: no segment is created while committing.
    Max,
    /// None: every new segment is created in the foreground.
    None,
    /// So many files after the one that holds `lsn`.
    Files(u64),
}

/// One server.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its key in the file; also its `cluster_name` unless that is set.
    pub name: String,
    /// Its site, if the file has sites.
    pub site: Option<String>,
    /// The server it streams from; `None`: the primary.
    pub upstream: Option<ServerIndex>,
    /// The slot it uses on its upstream.
    pub slot: Option<String>,
    /// How it is at the start.
    pub state: ServerState,
    /// The volume of pg_wal.
    pub disk: Disk,
    /// Whether checkpoint writes go to another volume (`wal_disk` was given).
    pub separate_wal_disk: bool,
    /// WAL that the startup process replays a second.
    pub replay: Rate,
    /// Its settings: version's defaults, `conf_file`, `[postgresql]`, `[server.X.postgresql]`.
    pub settings: Settings,
}

/// How a server is at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerState {
    /// Running; a standby streams and is caught up.
    Up,
    /// Shut down cleanly, caught up.
    Down,
}

/// A volume.
#[derive(Clone, Debug)]
pub struct Disk {
    /// Time of an fsync with little to write (nanoseconds).
    pub fsync: Quantiles,
    /// Sequential write: an fsync takes at least as long as its bytes need.
    pub write: Rate,
    /// Time of one write() call into the page cache.
    pub write_call: Duration,
    /// Size, if it can fill up.
    pub capacity: Option<Bytes>,
}

/// The way between two servers: both directions use the same link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// One end.
    pub a: ServerIndex,
    /// The other end.
    pub b: ServerIndex,
    /// Index into [`Scenario::links`].
    pub link: usize,
}

/// A link, shared by all routes that use it; each direction has the whole bandwidth.
#[derive(Clone, Debug)]
pub struct Link {
    /// Its key in the file, or `a-b` for one made from `[network]`.
    pub name: String,
    /// Round trip time (nanoseconds): half of a draw is one direction's delay.
    pub rtt: Quantiles,
    /// Bytes a second, each direction.
    pub bandwidth: Rate,
    /// Unread bytes that a connection may have under way.
    pub window: Bytes,
    /// Packets that are lost, each direction.
    pub loss: Loss,
}
