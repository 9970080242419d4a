//! Why: a commit's latency, a standby that is lost or behind, a segment that is still there.
//!
//! Runs keep none of it. They are played again, with somebody who looks; what is then seen is told
//! by the models themselves, and the run's digests say that it is the same run.
//!
//! * [`commit`]: where the time of one commit went.
//! * [`standby`]: what led to a standby's loss, or where its lag sits.
//! * [`wal`]: what keeps each segment of pg_wal.
//!
//! **Source.** Walden's own.
//!
//! **Not modelled.** What would have happened otherwise: `--set` and a second run tell that.

pub mod commit;
pub mod standby;
pub mod wal;
