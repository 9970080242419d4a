//! What logs have about sessions that wait for standbys, and about whom they wait for.
//!
//! **Source.** `syncrep.c:SyncRepWaitForLSN`, `SyncRepReleaseWaiters`;
//! `postgres.c:ProcessInterrupts`. The same in 13 to 18.
//!
//! **Not modelled.** The prompt `backend> ` that a terminated session prints to standard output,
//! since its output was switched off, before it ends.

use super::super::fact::ServerId;
use super::{Level, Lines, Process};
use crate::postgres::backend::Session;
use crate::postgres::command::Interrupt;
use crate::postgres::statement::{Answer, Failure};

impl Lines<'_, '_> {
    /// A wait for standbys has ended, or its client is gone.
    pub(super) fn wait_interrupted(&mut self, server: ServerId, how: Interrupt, session: Session) {
        let text = match how {
            Interrupt::Cancel => "canceling wait for synchronous replication due to user request",
            Interrupt::Terminate => {
                "canceling the wait for synchronous replication and terminating connection due to \
                 administrator command"
            }
            Interrupt::Disconnect => return,
        };
        let detail = "The transaction has already committed locally, but might not have been \
                      replicated to the standby.";
        self.add(server, Process::Client(session), Level::Warning, text.to_owned());
        self.explain(Some(detail.to_owned()), None);
        if how == Interrupt::Terminate {
            let text = "terminating connection due to administrator command".to_owned();
            self.add(server, Process::Client(session), Level::Fatal, text);
        }
    }

    /// A statement that fails, or a session that cannot be had.
    pub(super) fn answered(&mut self, server: ServerId, answer: Answer) {
        let failure = match answer {
            Answer::Bool(_) | Answer::Count(_) | Answer::Done => return,
            // Nobody is there to write it down.
            Answer::Failed(Failure::NoServer) => return,
            Answer::Failed(failure) => failure,
        };
        let level = match failure {
            Failure::ReadOnly { .. } => Level::Error,
            Failure::NoServer
            | Failure::StartingUp
            | Failure::ShuttingDown
            | Failure::NotConsistent
            | Failure::HotStandbyOff => Level::Fatal,
        };
        let (text, detail) = failure.message(self.words.run().pg_version);
        self.add(server, Process::Backend, level, text);
        self.explain(detail.map(str::to_owned), None);
    }

    /// A standby is one that commits wait for.
    pub(super) fn sync_standby(
        &mut self,
        server: ServerId,
        standby: ServerId,
        priority: Option<u32>,
    ) {
        let name = self.words.name(standby);
        let text = match priority {
            Some(priority) => {
                format!("standby \"{name}\" is now a synchronous standby with priority {priority}")
            }
            None => {
                format!("standby \"{name}\" is now a candidate for quorum synchronous standby")
            }
        };
        self.add_of_sender(server, standby, Level::Log, &text);
    }
}
