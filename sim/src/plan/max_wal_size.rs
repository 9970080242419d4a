//! How large `max_wal_size` must be so that checkpoints come by time and not because of WAL.
//!
//! A trial is a stretch of the history of two times `checkpoint_timeout`. It is good if no
//! checkpoint of its second half was asked for by WAL. The setting feeds back on the WAL: a
//! checkpoint that comes early makes full-page images anew.
//!
//! By the history alone it is the WAL of one `checkpoint_timeout`, and what a checkpoint adds to it
//! while it is spread (`CalculateCheckpointSegments`).
//!
//! **Source.** `xlog.c:CalculateCheckpointSegments`, `XLogCheckpointNeeded`.
//!
//! **Not modelled.** Checkpoints that somebody else asks for.

use models::postgres::checkpointer::CheckpointConfig;
use models::trace::Run;
use models::trace::fact::{Fact, What};
use models::units::{Bytes, Duration, Rate, SegmentSize, SimTime};
use scenarios::scenario::Scenario;

use super::room::{Outcome, TakesDisk};
use super::search::Sought;
use super::trial::Stage;
use super::{Watcher, each};
use crate::{Outside, RunError};

/// The question.
#[derive(Clone, Copy, Debug)]
pub struct MaxWalSize<'a> {
    /// What trials are made of.
    pub stage: &'a Stage,
    /// Where to look first.
    pub guess: Bytes,
}

/// The most segments that are tried.
const MOST: usize = 1 << 20;
/// The fewest that PostgreSQL takes.
const FEWEST: usize = 2;

/// What a value of `max_wal_size` brings with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brings {
    /// The largest pg_wal.
    pub pg_wal: Bytes,
    /// The most WAL that a crash would have to be recovered from.
    pub redo: Bytes,
    /// How long that takes at the primary's replay rate.
    pub recovery: Duration,
}

impl MaxWalSize<'_> {
    fn primary(&self) -> usize {
        self.stage.scenario.primary()
    }

    fn timeout(&self) -> Duration {
        self.stage.scenario.servers[self.primary()].settings.checkpoint_timeout
    }

    /// What `max_wal_size` has to be for so much WAL between two redo points.
    pub fn for_wal(stage: &Stage, wal: Bytes) -> Bytes {
        let settings = &stage.scenario.servers[stage.scenario.primary()].settings;
        let size = settings.wal_segment_size;
        let mut config = CheckpointConfig::from(settings);
        // A checkpoint is due when the segment is complete that makes it so many.
        let wanted = wal.0.div_ceil(size.bytes()) + 1;
        let of = |segments: u64| Bytes(segments * size.bytes());
        let mut segments = wanted.max(FEWEST as u64);
        config.max_wal_size = of(segments);
        while config.segments(size) < wanted {
            segments += (wanted - config.segments(size)).max(1);
            config.max_wal_size = of(segments);
        }
        of(segments)
    }

    fn play(&self, value: Bytes, n: u64, outside: &Outside) -> Result<Run, RunError> {
        let value = (value.0 >> 20).to_string();
        let change = |scenario: &mut Scenario| {
            for server in &mut scenario.servers {
                let settings = &mut server.settings;
                settings.set("max_wal_size", &value).expect("a size that the setting takes");
            }
        };
        self.stage.play_stretch(n, Duration(2 * self.timeout().0), change, outside)
    }

    /// What a value brings with it, trial by trial.
    ///
    /// # Errors
    /// As [`crate::run`].
    pub fn brings(
        &self,
        value: Bytes,
        trials: &[usize],
        watcher: &Watcher<'_>,
    ) -> Result<Vec<Brings>, RunError> {
        each(trials, watcher, |n| Ok(self.brought(&self.play(value, n, watcher.outside)?)))
    }

    /// Whether WAL asked for a checkpoint in the second half.
    fn is_early(&self, run: &Run) -> bool {
        let second = SimTime::ZERO + self.timeout();
        run.facts.iter().filter(|fact| fact.at >= second && self.is_here(fact)).any(
            |fact| matches!(fact.what, What::CheckpointStarted { cause, .. } if cause.is_wal()),
        )
    }

    fn is_here(&self, fact: &Fact) -> bool {
        fact.server.is_some_and(|server| server.index() == self.primary())
    }

    fn brought(&self, run: &Run) -> Brings {
        let server = &run.summary.servers[self.primary()];
        let (mut redo, mut most) = (None, 0);
        for fact in run.facts.iter() {
            let What::CheckpointDone { redo: next, end, .. } = fact.what else { continue };
            if self.is_here(fact) {
                // Until the new checkpoint's record is there, recovery begins at the old one.
                most = most.max(end.0 - redo.unwrap_or(next).0);
                redo = Some(next);
            }
        }
        let replay: Rate = self.stage.scenario.servers[self.primary()].replay;
        Brings {
            pg_wal: Bytes(server.pg_wal_bytes.max),
            redo: Bytes(most),
            recovery: replay.time_for(Bytes(most)),
        }
    }
}

impl Sought for MaxWalSize<'_> {
    fn steps(&self) -> usize {
        MOST
    }

    /// Bytes.
    fn value(&self, step: usize) -> u64 {
        (step + FEWEST) as u64 * self.stage.segment().bytes()
    }

    fn guess(&self) -> usize {
        (self.stage.segment().segments_in(self.guess) as usize).saturating_sub(FEWEST)
    }

    fn is_good(&self, step: usize, n: u64, outside: &Outside) -> Result<bool, RunError> {
        Ok(!self.is_early(&self.play(Bytes(self.value(step)), n, outside)?))
    }
}

impl TakesDisk for MaxWalSize<'_> {
    fn segment(&self) -> SegmentSize {
        self.stage.segment()
    }

    fn fewest(&self) -> u64 {
        FEWEST as u64
    }

    fn most(&self, _: u64) -> Option<Bytes> {
        None
    }

    fn outcome(&self, value: Bytes, n: u64, outside: &Outside) -> Result<Outcome, RunError> {
        let run = self.play(value, n, outside)?;
        Ok(Outcome { pg_wal: self.brought(&run).pg_wal, bad: self.is_early(&run) })
    }
}
