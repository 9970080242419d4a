//! What a full volume of pg_wal makes PostgreSQL say.
//!
//! **Source.** `xlog.c:XLogFileInitInternal`; `postmaster.c:LogChildExit`, `HandleChildCrash`,
//! `PostmasterStateMachine` (13 to 18).
//!
//! **Not modelled.** Which process needed the segment: while sessions run it is always one of
//! them. From 15 on the postmaster begins anew when the checkpointer dies at the end of recovery,
//! and gives up only when startup itself fails: here it always gives up, as before 15.

use super::{Level, Lines, Process};
use crate::trace::fact::{Phase, ServerId};

impl Lines<'_, '_> {
    /// A segment's file could not be created.
    pub(super) fn no_space(&mut self, server: ServerId, process: Process, level: Level) {
        let pid = process.pid(server);
        let text =
            format!("could not write to file \"pg_wal/xlogtemp.{pid}\": No space left on device");
        self.add(server, process, level, text);
    }

    /// The same where nobody can go on without it.
    pub(super) fn panicked(&mut self, server: ServerId, during: Phase) {
        let (process, name) = match during {
            Phase::Running => (Process::Backend, "server"),
            Phase::Recovery | Phase::Redone | Phase::Start => (Process::Startup, "startup"),
            Phase::Shutdown => (Process::Checkpointer, "checkpointer"),
        };
        let (level, end) = match during {
            Phase::Redone | Phase::Start => (Level::Fatal, "exited with exit code 1"),
            Phase::Running | Phase::Recovery | Phase::Shutdown => {
                (Level::Panic, "was terminated by signal 6: Aborted")
            }
        };
        self.no_space(server, process, level);
        let text = format!("{name} process (PID {}) {end}", process.pid(server));
        self.log(server, Process::Postmaster, text);
        let then: &[&str] = match during {
            Phase::Running => &[
                "terminating any other active server processes",
                "all server processes terminated; reinitializing",
            ],
            Phase::Redone => &[
                "terminating any other active server processes",
                "shutting down due to startup process failure",
            ],
            Phase::Recovery | Phase::Start => &["aborting startup due to startup process failure"],
            Phase::Shutdown => &[
                "terminating any other active server processes",
                "abnormal database system shutdown",
            ],
        };
        for text in then {
            self.log(server, Process::Postmaster, *text);
        }
    }
}
