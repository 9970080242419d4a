//! What a run leaves behind: facts, samples, a latency histogram and a summary.
//!
//! Machines never read a trace; reports read nothing else. Everything here is bounded, whatever
//! the simulated time: a histogram of fixed size, series of at most [`series::BUCKETS`] values,
//! and as many facts as [`fact::Facts`] allows.
//!
//! Reading order: [`fact`] (what happened), [`messages`] (the same in PostgreSQL's words),
//! [`describe`] (in plain words),
//! [`commit`] (where the time of a commit goes), [`flow`] (what passes in a window of time),
//! [`observation`] (what views showed), [`look`] (the same at moments spread over the run),
//! [`series`] and [`sample`] (over time), [`histogram`], [`law`] (what never happens), [`summary`]
//! (the numbers of `summary.json`), [`table`] (what a query returns), [`scrape`] (what a monitoring
//! agent learns).

pub mod commit;
pub mod describe;
pub mod fact;
pub mod flow;
pub mod histogram;
pub mod law;
pub mod look;
pub mod messages;
pub mod observation;
pub mod sample;
pub mod scrape;
pub mod series;
pub mod summary;
pub mod table;

use crate::postgres::PgVersion;
use crate::postgres::command::SlotName;
use crate::units::{Bytes, Duration, Lsn, SimTime};

use fact::{Facts, ServerId, What};
use histogram::Histogram;
use law::Violations;
use look::Look;
use observation::Observations;
use sample::Samples;
use summary::Summary;

/// One variant of a scenario, played once.
#[derive(Clone, Debug)]
pub struct Run {
    /// The scenario's name: its catalogue name or file stem, such as `sync/five_levels`.
    pub scenario: String,
    /// The scenario's title.
    pub title: String,
    /// The question it answers: the first comment of the file, or empty.
    pub question: String,
    /// The variant's name; `base` where the file has no variants.
    pub variant: String,
    /// The seed of every die.
    pub seed: u64,
    /// The version of Walden that played it.
    pub walden: String,
    /// The major version of PostgreSQL.
    pub pg_version: PgVersion,
    /// Simulated time that was asked for.
    pub duration: Duration,
    /// Server names, indexed by [`fact::ServerId`].
    pub servers: Vec<String>,
    /// Workloads' names, indexed by [`crate::postgres::backend::Session::workload`].
    pub workloads: Vec<String>,
    /// Slot names, indexed by [`crate::postgres::command::SlotName`].
    pub slots: Vec<String>,
    /// The streams that there were at the start.
    pub streams: Vec<InitialStream>,
    /// What bounds pg_wal, one entry a server.
    pub limits: Vec<WalLimits>,
    /// Settings that differ from the version's defaults at the start, one entry a server.
    pub settings: Vec<Vec<Setting>>,
    /// The faults' spans, in the order of the file: what plots shade.
    pub faults: Vec<FaultSpan>,
    /// What an operator was to do: actions, then steps, in the order of the file.
    pub actions: Vec<OperatorAction>,
    /// The numbers of `summary.json`.
    pub summary: Summary,
    /// Digest of every event.
    pub digest: u64,
    /// The digest at [`MOMENTS`] moments, evenly spread; the last one is at the end.
    pub moments: Vec<u64>,
    /// Commit latencies, from intended start to acknowledgement.
    pub latency: Histogram,
    /// What happened, in order.
    pub facts: Facts,
    /// What an operator's looks at views showed, in order.
    pub observations: Observations,
    /// What views showed at moments spread over the run, in order; empty if nobody wanted that.
    pub looks: Vec<Look>,
    /// How it went over time.
    pub samples: Samples,
    /// The laws that were broken.
    pub violations: Violations,
}

/// A stream of WAL that a standby had from its upstream when the run began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitialStream {
    /// Whose walsender it is.
    pub upstream: ServerId,
    /// Whom it serves.
    pub standby: ServerId,
    /// Where it was asked to start.
    pub start: Lsn,
    /// The slot that it uses.
    pub slot: Option<SlotName>,
}

/// One thing that an operator was to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorAction {
    /// Where the file has it, such as `action tidy` or `step 2`.
    pub place: String,
    /// What it is, such as `write 48MB`.
    pub what: String,
    /// It only looks or waits.
    pub idle: bool,
}

impl Run {
    /// What an operator had begun and not ended when the run was over, and since when.
    pub fn unfinished(&self) -> Vec<(&OperatorAction, SimTime)> {
        let mut begun: Vec<(u16, SimTime)> = Vec::new();
        for fact in self.facts.iter() {
            match fact.what {
                What::ActionBegan { action } => begun.push((action, fact.at)),
                What::ActionEnded { action } => begun.retain(|(a, _)| *a != action),
                _ => {}
            }
        }
        let named = |(a, at): (u16, SimTime)| Some((self.actions.get(usize::from(a))?, at));
        begun.into_iter().filter_map(named).collect()
    }
}

/// How many times a run notes its digest, so that a replay can say where it first differs.
pub const MOMENTS: usize = 64;

/// What bounds the WAL that a server keeps, from its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalLimits {
    /// `max_wal_size`: when a checkpoint is asked for. It bounds nothing.
    pub max_wal_size: Bytes,
    /// `wal_keep_size`: what is kept at least.
    pub wal_keep_size: Bytes,
    /// `max_slot_wal_keep_size`: what a slot may keep; `None`: without limit.
    pub max_slot_wal_keep_size: Option<Bytes>,
    /// The size of pg_wal's volume; `None`: it never fills up.
    pub capacity: Option<Bytes>,
}

/// A setting that is not what a new server has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name, as `pg_settings` spells it.
    pub name: String,
    /// As `SHOW` prints it.
    pub value: String,
    /// The default of its version, in the same form.
    pub default: String,
}

/// When a fault held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultSpan {
    /// Its name in the file.
    pub name: String,
    /// Its kind, such as `link_cut`.
    pub kind: &'static str,
    /// When it began.
    pub from: SimTime,
    /// When it healed; `None`: it lasted to the end, or was over at once (see `momentary`).
    pub until: Option<SimTime>,
    /// A fault that only has a moment, such as `link_reset`.
    pub momentary: bool,
}
