//! One trial: an outage of a standby, placed in a history and played by the real models.
//!
//! The run begins a checkpoint cycle before the outage and some part of a second one, drawn evenly
//! between none and all: the standby leaves at any phase of a cycle. It ends when the standby has
//! caught up, or can be said never to.
//!
//! **Source.** Walden's own.
//!
//! **Not modelled.** What the outage does to the workload: clients go on as in the history.

use models::latency::Quantiles;
use models::trace::Run;
use models::trace::fact::Scope;
use models::trace::fact::{ServerId, What};
use models::trace::series::Series;
use models::units::{Bytes, Die, Duration, SegmentSize, SimTime};
use scenarios::fault::{Fault, FaultKind};
use scenarios::scenario::{Scenario, ServerIndex};
use scenarios::workload::{Load, TransactionWal, WalProfile, Workload};

use super::history::History;
use super::outage::Outages;
use crate::checkers::Checks;
use crate::control::{self, finish, sleep_until, wait_for};
use crate::world::Watch;
use crate::world::needs::LastCheckpoint;
use crate::{Options, Outside, RunError};

/// What trials are made of.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Servers, links and settings; its workloads, faults and actions are left out.
    pub scenario: Scenario,
    /// The standby that goes away.
    pub standby: ServerIndex,
    /// The WAL.
    pub history: History,
    /// Transactions that the WAL is made of, with all of their records; their images come in
    /// addition.
    pub transactions: TransactionWal,
    /// How long the standby is away.
    pub outages: Outages,
    /// Seed of all trials.
    pub seed: u64,
}

/// What a trial plays.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Servers, WAL and the outage.
    pub scenario: Scenario,
    /// Where in the history the standby leaves.
    pub left: Duration,
    /// When it leaves.
    pub leaves: Duration,
    /// How long it is away.
    pub outage: Duration,
}

/// What a trial showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Where in the history the standby left.
    pub left: Duration,
    /// How long it was away.
    pub outage: Duration,
    /// WAL that had to be kept for it: by `wal_keep_size`, or by its slot.
    pub needed: Bytes,
    /// How that grew: the time since it left, and what was needed then.
    pub growth: Vec<(Duration, Bytes)>,
    /// Whether WAL that it needs is gone.
    pub lost: bool,
    /// From its return until it had replayed all; `None` if it never did.
    pub caught_up: Option<Duration>,
    /// The largest pg_wal of its upstream.
    pub pg_wal: Bytes,
    /// How that grew from the moment the standby left: whenever it was larger than ever since.
    pub pg_wal_grown: Vec<(Duration, Bytes)>,
}

/// The longest that a trial waits for the standby to catch up, in lengths of the outage.
const PATIENCE: u64 = 4;
/// And at least.
const LEAST_PATIENCE: Duration = Duration::s(3_600);
/// Steps in which the WAL of a trial is made, at most.
const STEPS: u64 = 20_000;

/// Laws are for scenarios.
fn options() -> Options {
    Options { laws: Checks::None, ..Options::default() }
}

impl Stage {
    /// The primary's segments.
    pub fn segment(&self) -> SegmentSize {
        self.scenario.servers[self.scenario.primary()].settings.wal_segment_size
    }

    /// Plays the `n`-th trial.
    ///
    /// # Errors
    /// As [`crate::run`].
    pub fn play(&self, n: u64, outside: &Outside) -> Result<Trial, RunError> {
        self.play_with(n, |_| (), outside)
    }

    /// Plays the `n`-th trial with its servers, links, settings or end changed: the same outage and
    /// the same WAL, whatever the change.
    ///
    /// # Errors
    /// As [`crate::run`].
    pub fn play_with(
        &self,
        n: u64,
        change: impl FnOnce(&mut Scene),
        outside: &Outside,
    ) -> Result<Trial, RunError> {
        let mut scene = self.scene(n);
        change(&mut scene);
        let back = SimTime::ZERO + scene.leaves + scene.outage;
        let standby = ServerId(u8::try_from(self.standby).expect("few servers"));
        let watch = async move {
            sleep_until(back).await;
            let lost = async { wait_for(Watch::Lost(standby)).await };
            let caught_up = async { wait_for(Watch::CaughtUp(standby)).await };
            futures_util::future::select(Box::pin(lost), Box::pin(caught_up)).await;
            finish();
        };
        let cast = |_: &std::rc::Rc<control::Hosts>| _ = control::spawn(watch);
        let scenario = &scene.scenario;
        let end = |played: control::Played| (played.world.now(), played.world.finish(scenario));
        let (ended, run) = control::play(scenario, options(), outside, cast, end)?;
        Ok(self.measure(&run, &scene, ended))
    }

    /// What the `n`-th trial plays.
    pub fn scene(&self, n: u64) -> Scene {
        let upstream = self.scenario.servers[self.standby].upstream.expect("a standby has one");
        let cycle = self.scenario.servers[upstream].settings.checkpoint_timeout;
        let phase = Die::new(self.seed, "plan", "phase").at(n);
        let leaves = cycle + Duration(((u128::from(phase) * u128::from(cycle.0)) >> 64) as u64);
        let outage = self.outages.draw(&Die::new(self.seed, "plan", "outage"), n);
        let patience = LEAST_PATIENCE.max(Duration(PATIENCE * outage.0));
        let (mut scenario, starts) = self.stretch(n, leaves + outage + patience);
        scenario.faults = vec![Fault {
            name: "outage".to_owned(),
            at: leaves,
            lasts: Some(outage),
            kind: FaultKind::Crash { what: Scope::Host, server: self.standby },
        }];
        Scene { scenario, left: starts + leaves, leaves, outage }
    }

    /// A stretch of the history, in which nothing else happens, and where in it that begins.
    pub fn stretch(&self, n: u64, length: Duration) -> (Scenario, Duration) {
        let path = self.history.path(length, self.seed, n);
        let mut scenario = self.scenario.clone();
        scenario.seed = self.seed ^ n;
        scenario.duration = length;
        let step = Duration::s((length.0 / STEPS / Duration::s(1).0).max(1));
        scenario.workloads = vec![Workload {
            name: "history".to_owned(),
            load: Load::Wal { step, profile: WalProfile::History(path.points) },
            wal: self.transactions.clone(),
            synchronous_commit: None,
            service: Quantiles::constant(0),
            transactions: None,
            rows: 0,
        }];
        scenario.faults = Vec::new();
        (scenario.actions, scenario.steps) = (Vec::new(), Vec::new());
        (scenario, path.starts)
    }

    /// Plays the `n`-th stretch with its servers, links or settings changed.
    ///
    /// # Errors
    /// As [`crate::run`].
    pub fn play_stretch(
        &self,
        n: u64,
        length: Duration,
        change: impl FnOnce(&mut Scenario),
        outside: &Outside,
    ) -> Result<Run, RunError> {
        let (mut scenario, _) = self.stretch(n, length);
        change(&mut scenario);
        let end = |played: control::Played| played.world.finish(&scenario);
        control::play(&scenario, options(), outside, |_: &std::rc::Rc<control::Hosts>| (), end)
    }

    fn measure(&self, run: &Run, scene: &Scene, ended: SimTime) -> Trial {
        let Scene { scenario, left, leaves, outage } = scene;
        let name = &scenario.servers[self.standby].name;
        let standby = run.summary.standbys.iter().find(|s| s.name == *name);
        let (lost, needed) = standby.map_or((false, 0), |s| (s.lost, s.wal_needed_bytes));
        let slot = scenario.servers[self.standby].slot.as_ref();
        let slot = slot.and_then(|n| run.summary.slots.iter().find(|s| s.slot_name == *n));
        let upstream = scenario.servers[self.standby].upstream.expect("a standby has one");
        let back = SimTime::ZERO + *leaves + *outage;
        let waited = ended < SimTime::ZERO + scenario.duration;
        Trial {
            left: *left,
            outage: *outage,
            needed: Bytes(slot.map_or(needed, |slot| slot.wal_needed_bytes)),
            growth: self.growth(run, upstream, SimTime::ZERO + *leaves, back),
            lost: lost || slot.is_some_and(|slot| slot.wal_status == Some("lost")),
            caught_up: (waited && !lost).then(|| ended.since(back)),
            pg_wal: Bytes(run.summary.servers[upstream].pg_wal_bytes.max),
            pg_wal_grown: grown(&run.samples.servers[upstream].pg_wal_bytes, *leaves),
        }
    }

    /// What checkpoints would have taken from the standby while it was away.
    fn growth(
        &self,
        run: &Run,
        upstream: ServerIndex,
        left: SimTime,
        back: SimTime,
    ) -> Vec<(Duration, Bytes)> {
        let size = self.scenario.servers[upstream].settings.wal_segment_size;
        let asked = run.facts.iter().filter(|fact| fact.at >= back).find_map(|f| match f.what {
            What::SenderStarted { standby, start, .. } if standby.index() == self.standby => {
                Some(start.segment(size))
            }
            _ => None,
        });
        let Some(asked) = asked else { return Vec::new() };
        let away = run.facts.iter().filter(|f| left <= f.at && f.at < back);
        let needed = away.filter_map(|fact| match fact.what {
            What::CheckpointDone { redo, end, .. }
                if fact.server.is_some_and(|server| server.index() == upstream) =>
            {
                let needed = LastCheckpoint::new(redo, end, size).keeps(asked, size);
                (needed > Bytes(0)).then(|| (fact.at.since(left), needed))
            }
            _ => None,
        });
        needed.collect()
    }
}

/// Each new peak of a series from a moment on, by the time since then.
fn grown(series: &Series, from: Duration) -> Vec<(Duration, Bytes)> {
    let mut peaks: Vec<(Duration, Bytes)> = Vec::new();
    let from = SimTime::ZERO + from;
    for (at, bytes) in series.iter().filter(|(at, _)| *at >= from) {
        let Some(bytes) = bytes.map(Bytes) else { continue };
        if peaks.last().is_none_or(|(_, most)| *most < bytes) {
            peaks.push((at.since(from), bytes));
        }
    }
    peaks
}
