//! The lines of checkpoints and restartpoints.
//!
//! **Source.** `xlog.c:LogCheckpointStart`, `LogCheckpointEnd`; `checkpointer.c`.

use std::fmt::Write;

use super::{Lines, Process, record_start};
use crate::trace::fact::{CheckpointCause, Fact, ServerId, What};
use crate::units::{Bytes, Duration, SimTime};

impl Lines<'_, '_> {
    pub(super) fn checkpoint_started(
        &mut self,
        server: ServerId,
        at: SimTime,
        cause: CheckpointCause,
    ) {
        if self.major < 15 {
            return;
        }
        let kind = self.checkpoint_kind(server, at);
        self.log(server, Process::Checkpointer, format!("{kind} starting: {}", cause.flags()));
    }

    fn checkpoint_kind(&self, server: ServerId, at: SimTime) -> &'static str {
        if self.words.is_standby(server, at) { "restartpoint" } else { "checkpoint" }
    }

    pub(super) fn too_frequent(&mut self, server: ServerId, seconds: u32) {
        let unit = if seconds == 1 { "second" } else { "seconds" };
        let text = format!("checkpoints are occurring too frequently ({seconds} {unit} apart)");
        self.log(server, Process::Checkpointer, text);
        if let Some(line) = self.lines.last_mut() {
            let hint = "Consider increasing the configuration parameter \"max_wal_size\".";
            line.hint = Some(hint.to_owned());
        }
    }

    pub(super) fn checkpoint_done(&mut self, server: ServerId, fact: &Fact) {
        let What::CheckpointDone { redo, end, distance, took } = fact.what else { return };
        if self.major < 15 {
            return;
        }
        let kind = self.checkpoint_kind(server, fact.at);
        let seconds = |d: Duration| format!("{}.{:03}", d.0 / NANOS, d.0 / 1_000_000 % 1_000);
        let mut text = format!("{kind} complete: ");
        let (mut write, mut estimate) = (Duration::ZERO, Bytes(0));
        if let Some(What::CheckpointFiles {
            buffers,
            shared_buffers,
            write: wrote,
            estimate: expected,
            added,
            removed,
            recycled,
        }) = self.words.files_at(server, fact.at)
        {
            let tenths =
                (u64::from(buffers) * 2_000 / u64::from(shared_buffers.max(1))).div_ceil(2);
            let slru = if self.major >= 18 { ", wrote 0 SLRU buffers" } else { "" };
            let _ = write!(
                text,
                "wrote {buffers} buffers ({}.{}%){slru}; {added} WAL file(s) added, {removed} \
                 removed, {recycled} recycled; ",
                tenths / 10,
                tenths % 10
            );
            (write, estimate) = (wrote, expected);
        }
        let _ = write!(
            text,
            "write={} s, sync={} s, total={} s; sync files=0, longest=0.000 s, average=0.000 s; \
             distance={} kB, estimate={} kB",
            seconds(write),
            seconds(Duration(took.0.min(write.0 + NANOS / 1_000) - write.0.min(took.0))),
            seconds(took),
            distance.0 / 1_024,
            estimate.0 / 1_024,
        );
        if self.major >= 16 {
            let _ = write!(text, "; lsn={}, redo lsn={redo}", record_start(end));
        }
        self.log(server, Process::Checkpointer, text);
        if kind == "restartpoint" {
            let text = format!("recovery restart point at {redo}");
            self.log(server, Process::Checkpointer, text);
        }
    }
}

/// Nanoseconds of a second.
const NANOS: u64 = 1_000_000_000;
