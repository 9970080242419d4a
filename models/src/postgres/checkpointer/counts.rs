//! What a checkpointer counts for `pg_stat_checkpointer` (to 16: `pg_stat_bgwriter`).
//!
//! A checkpoint that the timer asks for is counted whether or not there is anything to do; one
//! that somebody asks for is counted once, however many asked meanwhile. Which view counts the
//! checkpoints at the end of a life and of a recovery depends on the version.
//!
//! **Source.** `checkpointer.c:CheckpointerMain`, `xlog.c:LogCheckpointEnd`.
//!
//! **Not modelled.** Buffers are counted when all of a checkpoint's are written.

use super::{Checkpointer, Step};
use crate::trace::fact::CheckpointCause;
use crate::units::{Duration, SimTime};

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Asked for by the timer, those skipped included.
    pub timed: u64,
    /// Completed, those at a shutdown not included.
    pub done: u64,
    /// Of those that WAL or a session asked for, and of the timer's.
    pub usual: Work,
    /// Of those at a shutdown.
    pub shutdown: Work,
    /// Of those at the end of crash recovery.
    pub recovery: Work,
}

/// What some checkpoints come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// How often they were asked for.
    pub requested: u64,
    /// Buffers written.
    pub buffers: u64,
    /// Milliseconds of writing, each checkpoint's rounded up.
    pub write_ms: u64,
    /// Milliseconds of fsyncs, each checkpoint's rounded up.
    pub sync_ms: u64,
}

impl Counts {
    /// Those of two lives.
    pub fn and(self, other: Counts) -> Counts {
        Counts {
            timed: self.timed + other.timed,
            done: self.done + other.done,
            usual: self.usual.and(other.usual),
            shutdown: self.shutdown.and(other.shutdown),
            recovery: self.recovery.and(other.recovery),
        }
    }

    fn of(&mut self, cause: CheckpointCause) -> &mut Work {
        match (cause.is_alone(), cause.is_shutdown()) {
            (false, _) => &mut self.usual,
            (true, true) => &mut self.shutdown,
            (true, false) => &mut self.recovery,
        }
    }
}

impl Work {
    /// Both together.
    pub fn and(self, other: Work) -> Work {
        Work {
            requested: self.requested + other.requested,
            buffers: self.buffers + other.buffers,
            write_ms: self.write_ms + other.write_ms,
            sync_ms: self.sync_ms + other.sync_ms,
        }
    }
}

impl Checkpointer {
    /// What it has counted since it began.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Somebody's request is being served.
    pub(in crate::postgres) fn count_request(&mut self, cause: CheckpointCause) {
        self.counts.of(cause).requested += 1;
    }

    /// Everything is written and fsynced: tells writes and fsyncs apart, and counts them.
    pub(super) fn end_writes(&mut self, now: SimTime) {
        let Some(running) = &mut self.running else { return };
        let Step::Writing(writing) = running.step else { return };
        running.wrote = Duration(now.since(running.started).0.saturating_sub(writing.sync.0));
        let work = self.counts.of(running.cause);
        work.buffers += running.buffers;
        work.write_ms += milliseconds(running.wrote);
        work.sync_ms += milliseconds(writing.sync);
    }

    /// A checkpoint has completed.
    pub(super) fn count_done(&mut self, cause: CheckpointCause) {
        self.counts.done += u64::from(!cause.is_shutdown());
    }
}

/// Rounded up (`TimestampDifferenceMilliseconds`).
fn milliseconds(span: Duration) -> u64 {
    span.0.div_ceil(Duration::ms(1).0)
}
