//! What logs have about slots and about what operators ask for.
//!
//! **Source.** `slot.c:ReportSlotInvalidation`, `ReplicationSlotCreate`, `ReplicationSlotAcquire`;
//! `xlogfuncs.c`; `postgres.c:ProcessInterrupts`.

use std::fmt::Write;

use super::super::fact::{Obsolete, Refusal, ServerId, What};
use super::{Level, Lines, Process};
use crate::postgres::command::Refused;
use crate::units::{Duration, Lsn};

impl Lines<'_, '_> {
    /// `START_REPLICATION` failed because of its slot.
    pub(super) fn slot_refused(
        &mut self,
        server: ServerId,
        upstream: ServerId,
        why: Refusal,
        start: Lsn,
    ) {
        let (asked, text, detail) = match why {
            Refusal::SlotActive { slot, pid } => {
                let name = self.words.slot_name(slot);
                (slot, format!("replication slot \"{name}\" is active for PID {pid}"), None)
            }
            Refusal::SlotInvalid { slot, why } => {
                let (name, why) = (self.words.slot_name(slot), why.name());
                let detail =
                    format!("This replication slot has been invalidated due to \"{why}\".");
                (slot, format!("can no longer access replication slot \"{name}\""), Some(detail))
            }
            Refusal::NoSuchSlot { slot } => {
                let name = self.words.slot_name(slot);
                (slot, format!("replication slot \"{name}\" does not exist"), None)
            }
            Refusal::ConnectionRefused
            | Refusal::ConnectTimeout
            | Refusal::StartingUp
            | Refusal::ShuttingDown
            | Refusal::TooManySenders { .. }
            | Refusal::SegmentRemoved { .. }
            | Refusal::Terminated => return,
        };
        let mut received = format!("could not start WAL streaming: ERROR:  {text}");
        if let Some(detail) = &detail {
            let _ = write!(received, "\nDETAIL:  {detail}");
        }
        self.add(upstream, Process::WalSender(server), Level::Error, text);
        self.explain(detail, None);
        let command = self.words.start_replication(upstream, start, Some(asked));
        if let Some(line) = self.lines.last_mut() {
            line.statement = Some(command);
        }
        self.add(server, Process::WalReceiver, Level::Fatal, received);
    }

    /// A slot is too far behind, or unused for too long.
    pub(super) fn slot_obsolete(&mut self, server: ServerId, what: What) {
        let (text, why, ended) = match what {
            What::SlotOwnerTerminated { slot, standby, why } => {
                let pid = Process::WalSender(standby).pid(server);
                let slot = self.words.slot_name(slot);
                let text =
                    format!("terminating process {pid} to release replication slot \"{slot}\"");
                (text, why, Some(standby))
            }
            What::SlotInvalidated { slot, why } => {
                let slot = self.words.slot_name(slot);
                let text = match why {
                    Obsolete::WalRemoved { restart, .. } if self.major < 16 => format!(
                        "invalidating slot \"{slot}\" because its restart_lsn {restart} exceeds \
                         max_slot_wal_keep_size"
                    ),
                    Obsolete::WalRemoved { .. } | Obsolete::IdleTimeout { .. } => {
                        format!("invalidating obsolete replication slot \"{slot}\"")
                    }
                };
                (text, why, None)
            }
            _ => return,
        };
        self.log(server, Process::Checkpointer, text);
        if self.major >= 16 {
            let (detail, hint) = self.obsolete(why);
            self.explain(Some(detail), Some(hint));
        }
        if let Some(standby) = ended {
            let text = "terminating connection due to administrator command";
            self.add_of_sender(server, standby, Level::Fatal, text);
        }
    }

    fn obsolete(&self, why: Obsolete) -> (String, String) {
        let (detail, name) = match why {
            Obsolete::WalRemoved { restart, excess } => {
                let bytes = if excess.0 == 1 { "byte" } else { "bytes" };
                let excess = excess.0;
                let detail = format!(
                    "The slot's restart_lsn {restart} exceeds the limit by {excess} {bytes}."
                );
                (detail, "max_slot_wal_keep_size")
            }
            Obsolete::IdleTimeout { idle, limit } => {
                let seconds = |span: Duration| span.0 / Duration::s(1).0;
                let name = "idle_replication_slot_timeout";
                let detail = format!(
                    "The slot's idle time of {}s exceeds the configured \"{name}\" duration of \
                     {}s.",
                    seconds(idle),
                    seconds(limit)
                );
                (detail, name)
            }
        };
        let quote = if self.major >= 17 { "\"" } else { "" };
        (detail, format!("You might need to increase {quote}{name}{quote}."))
    }

    /// An operator's session was told that it cannot have what it asked for.
    pub(super) fn command_refused(&mut self, server: ServerId, why: Refused) {
        let (text, hint) = match why {
            // Nothing was called: the query has no row.
            Refused::NotRunning | Refused::NobodyWaits { .. } => return,
            Refused::RecoveryInProgress => (
                "recovery is in progress".to_owned(),
                Some("WAL control functions cannot be executed during recovery.".to_owned()),
            ),
            Refused::RecoveryNotInProgress => (
                "recovery is not in progress".to_owned(),
                Some("Recovery control functions can only be executed during recovery.".to_owned()),
            ),
            Refused::SlotExists { slot } => {
                let slot = self.words.slot_name(slot);
                (format!("replication slot \"{slot}\" already exists"), None)
            }
            Refused::NoSuchSlot { slot } => {
                let slot = self.words.slot_name(slot);
                (format!("replication slot \"{slot}\" does not exist"), None)
            }
            Refused::SlotActive { slot, pid } => {
                let slot = self.words.slot_name(slot);
                (format!("replication slot \"{slot}\" is active for PID {pid}"), None)
            }
            Refused::AllSlotsInUse => {
                let quote = if self.major >= 17 { "\"" } else { "" };
                let hint = format!("Free one or increase {quote}max_replication_slots{quote}.");
                ("all replication slots are in use".to_owned(), Some(hint))
            }
        };
        self.add(server, Process::Backend, Level::Error, text);
        self.explain(None, hint);
    }

    /// DETAIL and HINT of the last line.
    pub(super) fn explain(&mut self, detail: Option<String>, hint: Option<String>) {
        if let Some(line) = self.lines.last_mut() {
            (line.detail, line.hint) = (detail, hint);
        }
    }
}
