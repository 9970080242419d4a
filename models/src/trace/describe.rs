//! Facts in plain words, for the screen, the report's timeline and `facts.jsonl`.
//!
//! [`Words::plain`] says what happened to somebody who has never read a PostgreSQL log;
//! [`Words::describe`] puts PostgreSQL's own message behind it, where there is one.

use super::Run;
use super::fact::{
    CheckpointCause, ConnectionEnd, Fact, Obsolete, Phase, Refusal, Scope, ServerId, What,
};
use super::messages::{Level, Words};
use crate::postgres::backend::Session;
use crate::postgres::command::{Interrupt, Refused, StopMode};
use crate::postgres::statement::{Answer, Statement};
use crate::units::{Bytes, Duration};

/// One line: what happened in plain words, and PostgreSQL's message if it has one.
/// [`Words::describe`] does it faster for many facts.
pub fn describe(fact: &Fact, run: &Run) -> String {
    Words::new(run).describe(fact)
}

impl Words<'_> {
    /// One line: what happened in plain words, and PostgreSQL's message if it has one.
    pub fn describe(&self, fact: &Fact) -> String {
        let plain = self.plain(fact);
        match self.quote(fact) {
            Some(quote) => format!("{plain} ({quote})"),
            None => plain,
        }
    }

    /// PostgreSQL's most telling message about `fact` on its own server, as one line:
    /// `FATAL:  terminating walreceiver due to timeout`.
    pub fn quote(&self, fact: &Fact) -> Option<String> {
        let lines = self.log_lines(fact);
        let own = || lines.iter().filter(|l| Some(l.server) == fact.server);
        // Where a fact has several messages, a failure says more than what surrounds it, and the
        // last more than those that lead to it.
        let line = own().find(|l| l.level != Level::Log).or_else(|| own().next_back())?;
        let text = line.text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        Some(format!("{}:  {text}", line.level.name()))
    }

    /// What happened, in plain words.
    pub fn plain(&self, fact: &Fact) -> String {
        let happened = self.happened(fact);
        match fact.server {
            Some(server) => format!("{}: {happened}", self.name(server)),
            None => happened,
        }
    }

    fn fault(&self, index: u16) -> String {
        match self.run().faults.get(usize::from(index)) {
            Some(fault) => format!("fault {} ({})", fault.name, fault.kind),
            None => format!("fault {index}"),
        }
    }

    fn action(&self, index: u16) -> String {
        match self.run().actions.get(usize::from(index)) {
            Some(action) => format!("{} ({})", action.what, action.place),
            None => format!("action {index}"),
        }
    }

    fn happened(&self, fact: &Fact) -> String {
        match fact.what {
            What::FaultBegan { fault } => {
                let momentary =
                    self.run().faults.get(usize::from(fault)).is_some_and(|f| f.momentary);
                format!("{} {}", self.fault(fault), if momentary { "strikes" } else { "begins" })
            }
            What::FaultHealed { fault } => format!("{} is over", self.fault(fault)),
            What::SendsAgain { to, at } => self.sends_again(to, at.since(fact.at)),
            What::Panicked { during } => panicked(during).to_owned(),
            What::CreatedAhead
            | What::NoRoomAhead
            | What::Crashed { .. }
            | What::Frozen { .. }
            | What::Thawed
            | What::Starting
            | What::RecoveryStarted { .. }
            | What::WasShutDown { .. }
            | What::InterruptedInRecovery
            | What::StopRequested { .. }
            | What::ShuttingDown
            | What::ShutDown
            | What::RecoveryDone { .. }
            | What::Ready
            | What::StandbyMode { .. }
            | What::ReadyReadOnly { .. }
            | What::Consistent { .. } => lived(fact.what),
            What::StreamingStarted { .. }
            | What::StreamTerminated { .. }
            | What::ConnectFailed { .. }
            | What::ReceiverEnded { .. }
            | What::SenderStarted { .. }
            | What::SenderStreaming { .. }
            | What::SenderEnded { .. }
            | What::SyncStandby { .. } => self.streamed(fact.what),
            What::PromoteNoticed
            | What::RedoDone { .. }
            | What::TimelineSelected { .. }
            | What::Promoted { .. } => promoted(fact.what),
            What::WaitingForWal { at } => {
                format!("waits before it asks its upstream again for WAL at {at}")
            }
            What::CheckpointStarted { .. }
            | What::CheckpointDone { .. }
            | What::CheckpointFiles { .. }
            | What::CheckpointsTooFrequent { .. } => self.checkpoint(fact),
            What::EndOfWal { at } => format!("finds no more WAL at {at}"),
            What::SlotCreated { .. }
            | What::SlotDropped { .. }
            | What::SlotOwnerTerminated { .. }
            | What::SlotInvalidated { .. }
            | What::Reloaded
            | What::ParameterChanged { .. }
            | What::ParameterNeedsRestart { .. }
            | What::ReplayPaused { .. }
            | What::ReplayResumed
            | What::ActionBegan { .. }
            | What::ActionEnded { .. }
            | What::CommandRefused { .. } => self.operated(fact.what),
            What::WaitInterrupted { how, session } => self.interrupted(how, session),
            What::Statement { statement, answer } => self.asked(statement, answer),
            What::QueueFull { limit } => {
                format!("a queue is full at {limit}; what comes now is turned away")
            }
        }
    }

    fn sends_again(&self, to: ServerId, wait: Duration) -> String {
        let (to, wait) = (self.name(to), seconds(wait.0));
        format!("TCP tries {to} again in {wait}: its pauses have grown with the outage")
    }

    /// What befell a session that waited for standbys.
    fn interrupted(&self, how: Interrupt, session: Session) -> String {
        let whose = self.workload(session.workload);
        match how {
            Interrupt::Cancel => format!(
                "a commit of {whose} waits for standbys no more: cancelled, it is committed here"
            ),
            Interrupt::Terminate => format!(
                "a commit of {whose} waits for standbys no more: its session is terminated, it is \
                 committed here"
            ),
            Interrupt::Disconnect => {
                format!("a client of {whose} is gone; its session waits for standbys as before")
            }
        }
    }

    /// A statement and its answer.
    fn asked(&self, statement: Statement, answer: Answer) -> String {
        let table = statement.workload().map_or("", |workload| self.workload(workload));
        let sql = statement.sql(table);
        match answer {
            Answer::Bool(yes) => format!("{sql}: {}", if yes { "t" } else { "f" }),
            Answer::Count(rows) => format!("{sql}: {rows}"),
            Answer::Done => format!("{sql}: done"),
            Answer::Failed(why) => format!("{sql}: {}", why.message(self.run().pg_version).0),
        }
    }

    /// How the two ends of a stream begin and end.
    fn streamed(&self, what: What) -> String {
        match what {
            What::StreamTerminated { upstream, at, .. } => {
                format!("{} has no more WAL after {at}", self.name(upstream))
            }
            What::StreamingStarted { upstream, start, timeline } => {
                let upstream = self.name(upstream);
                format!("streams from {upstream}, from {start} on timeline {timeline}")
            }
            What::ConnectFailed { upstream, why, .. } => self.refused(self.name(upstream), why),
            What::ReceiverEnded { upstream, why } => {
                format!("its stream from {} ended: {}", self.name(upstream), ended(why))
            }
            What::SenderStarted { standby, start, .. } => {
                format!("serves {} from {start}", self.name(standby))
            }
            What::SenderStreaming { standby } => format!("{} has caught up", self.name(standby)),
            What::SenderEnded { standby, why } => {
                format!("stopped serving {}: {}", self.name(standby), ended(why))
            }
            What::SyncStandby { standby, priority } => {
                let how = match priority {
                    Some(_) => "commits now wait for",
                    None => "the quorum that commits wait for now includes",
                };
                format!("{how} {}", self.name(standby))
            }
            other => unreachable!("{other:?} is not about a stream"),
        }
    }

    /// What a checkpoint does.
    fn checkpoint(&self, fact: &Fact) -> String {
        match fact.what {
            What::CheckpointStarted { cause, redo } => {
                let kind = self.checkpoint_kind(fact);
                format!("a {kind} starts ({}); redo at {redo}", because(cause))
            }
            What::CheckpointDone { distance, took, .. } => format!(
                "a {} completed after {}; {} kB of WAL since the one before",
                self.checkpoint_kind(fact),
                seconds(took.0),
                distance.0 / 1_024
            ),
            What::CheckpointFiles { added, removed, recycled, .. } => format!(
                "of its WAL files {recycled} are recycled and {removed} removed, {added} added"
            ),
            What::CheckpointsTooFrequent { seconds } => {
                format!("checkpoints because of WAL are only {seconds} s apart")
            }
            other => unreachable!("{other:?} is not about a checkpoint"),
        }
    }

    /// What operators do, and what becomes of it.
    fn operated(&self, what: What) -> String {
        match what {
            What::SlotCreated { slot, restart } => {
                let slot = self.slot_name(slot);
                match restart {
                    Some(restart) => format!("slot {slot} is created; it keeps WAL from {restart}"),
                    None => format!("slot {slot} is created; it keeps nothing until it is used"),
                }
            }
            What::SlotDropped { slot } => format!("slot {} is dropped", self.slot_name(slot)),
            What::SlotOwnerTerminated { slot, standby, why: _ } => format!(
                "a checkpoint ends the walsender of {}, whose slot {} is too far behind",
                self.name(standby),
                self.slot_name(slot)
            ),
            What::SlotInvalidated { slot, why } => {
                format!("slot {} keeps nothing any more: {}", self.slot_name(slot), obsolete(why))
            }
            What::Reloaded => "reads its configuration again".to_owned(),
            What::ParameterChanged { parameter, value } => {
                format!("{parameter} is now '{}'", value.as_str())
            }
            What::ParameterNeedsRestart { parameter } => {
                format!("{parameter} changes at the next start")
            }
            What::ReplayPaused { at } => format!("replay is paused at {at}"),
            What::ReplayResumed => "replay goes on".to_owned(),
            What::ActionBegan { action } => self.action(action),
            What::ActionEnded { action } => format!("done: {}", self.action(action)),
            What::CommandRefused { why: Refused::NobodyWaits { workload } } => {
                let whose = self.workload(workload);
                format!("no session of {whose} waits for standbys: nothing to do")
            }
            What::CommandRefused { why } => format!("a command was refused: {}", refused(why)),
            other => unreachable!("{other:?} is not an operator's"),
        }
    }

    fn checkpoint_kind(&self, fact: &Fact) -> &'static str {
        let standby = fact.server.is_some_and(|server| self.is_standby(server, fact.at));
        if standby { "restartpoint" } else { "checkpoint" }
    }

    fn refused(&self, upstream: &str, why: Refusal) -> String {
        let why = match why {
            Refusal::ConnectionRefused => "nothing listens there".to_owned(),
            Refusal::ConnectTimeout => "no answer".to_owned(),
            Refusal::StartingUp => "it is still starting up".to_owned(),
            Refusal::ShuttingDown => "it is shutting down".to_owned(),
            Refusal::TooManySenders { max } => {
                format!("all {max} of its max_wal_senders are taken")
            }
            Refusal::SegmentRemoved { segment } => {
                format!("the WAL segment {segment} it needs is already removed there")
            }
            Refusal::SlotActive { slot: _, pid } => {
                format!("the slot is still held by its process {pid}")
            }
            Refusal::NoSuchSlot { slot } => {
                format!("there is no slot {} there", self.slot_name(slot))
            }
            Refusal::SlotInvalid { slot, why: _ } => {
                format!("its slot {} there keeps nothing any more", self.slot_name(slot))
            }
            Refusal::Terminated => "its walsender was told to end".to_owned(),
        };
        format!("could not stream from {upstream}: {why}")
    }
}

/// How a server ends and starts.
fn lived(what: What) -> String {
    match what {
        What::CreatedAhead => "creates the next WAL file ahead".to_owned(),
        What::NoRoomAhead => "no room to create a WAL file ahead".to_owned(),
        What::Crashed { scope, lost } => crashed(scope, lost),
        What::Frozen { scope: Scope::Processes } => "PostgreSQL's processes froze".to_owned(),
        What::Frozen { scope: Scope::Host } => "the host froze".to_owned(),
        What::Thawed => "it runs again where it stopped".to_owned(),
        What::Starting => "PostgreSQL starts".to_owned(),
        What::RecoveryStarted { redo } => {
            format!("crash recovery replays WAL from {redo}")
        }
        What::WasShutDown { .. } => "it was shut down in order".to_owned(),
        What::InterruptedInRecovery => "it was interrupted in recovery".to_owned(),
        What::StopRequested { mode: StopMode::Fast } => "shuts down".to_owned(),
        What::StopRequested { mode: StopMode::Immediate } => "stops at once".to_owned(),
        What::ShuttingDown => "all sessions are gone".to_owned(),
        What::ShutDown => "is shut down".to_owned(),
        What::RecoveryDone { end, took } => {
            format!("crash recovery ended at {end} after {}", seconds(took.0))
        }
        What::Ready => "accepts connections as a primary".to_owned(),
        What::StandbyMode { redo } => format!("enters standby mode, replaying from {redo}"),
        What::ReadyReadOnly { at } => {
            format!("consistent at {at}; accepts read-only connections")
        }
        What::Consistent { at } => {
            format!("consistent at {at}; accepts no connections, since hot_standby is off")
        }
        other => unreachable!("{other:?} is not about a server's life"),
    }
}

/// How a standby becomes a primary.
fn promoted(what: What) -> String {
    match what {
        What::PromoteNoticed => "has replayed all it has, and is to become a primary".to_owned(),
        What::RedoDone { end, .. } => format!("its WAL ends at {end}"),
        What::TimelineSelected { timeline } => format!("begins timeline {timeline}"),
        What::Promoted { timeline, at, .. } => {
            format!("is promoted: timeline {timeline} begins at {at}")
        }
        other => unreachable!("{other:?} is not about a promotion"),
    }
}

fn panicked(during: Phase) -> &'static str {
    match during {
        Phase::Running => "no room for the next WAL file: PostgreSQL dies and starts again",
        Phase::Recovery => "no room for the WAL that ends recovery: PostgreSQL gives up",
        Phase::Redone | Phase::Start => {
            "no room to create a WAL file ahead: PostgreSQL does not start"
        }
        Phase::Shutdown => "no room for the last checkpoint's WAL: PostgreSQL dies",
    }
}

fn crashed(scope: Scope, lost: Bytes) -> String {
    let what = match scope {
        Scope::Processes => "PostgreSQL's processes died",
        Scope::Host => "the host died",
    };
    if lost.0 == 0 {
        what.to_owned()
    } else {
        format!("{what}; {lost} of written WAL were not flushed and are gone")
    }
}

fn obsolete(why: Obsolete) -> String {
    match why {
        Obsolete::WalRemoved { restart, excess } => {
            format!("its restart_lsn {restart} is {excess} behind what may be kept")
        }
        Obsolete::IdleTimeout { idle, .. } => {
            format!("nobody used it for {}", seconds(idle.0))
        }
    }
}

fn refused(why: Refused) -> String {
    match why {
        Refused::NotRunning => "no server runs".to_owned(),
        Refused::RecoveryInProgress => "recovery is in progress".to_owned(),
        Refused::RecoveryNotInProgress => "recovery is not in progress".to_owned(),
        Refused::SlotExists { .. } => "the slot exists already".to_owned(),
        Refused::NoSuchSlot { .. } => "there is no such slot".to_owned(),
        Refused::SlotActive { slot: _, pid } => format!("the slot is held by process {pid}"),
        Refused::AllSlotsInUse => "all of max_replication_slots are in use".to_owned(),
        Refused::NobodyWaits { .. } => "no session waits for standbys".to_owned(),
    }
}

fn because(cause: CheckpointCause) -> &'static str {
    match cause {
        CheckpointCause::TIME => "checkpoint_timeout elapsed",
        CheckpointCause::WAL => "max_wal_size approaches",
        CheckpointCause::END_OF_RECOVERY => "recovery ended",
        CheckpointCause::PROMOTION => "it was promoted",
        CheckpointCause::SHUTDOWN => "the server shuts down",
        _ => "somebody asked for it",
    }
}

fn ended(why: ConnectionEnd) -> &'static str {
    match why {
        ConnectionEnd::PeerClosed => "the other side closed the connection",
        ConnectionEnd::PeerTerminated => "the other side ended it",
        ConnectionEnd::Timeout => "nothing was heard for too long",
        ConnectionEnd::Shutdown => "this server went down",
        ConnectionEnd::NoSpace => "there is no room for the next WAL file",
        ConnectionEnd::Terminated => "its upstream shut down",
    }
}

/// Nanoseconds as seconds with three decimals.
fn seconds(nanos: u64) -> String {
    format!("{}.{:03} s", nanos / 1_000_000_000, nanos / 1_000_000 % 1_000)
}
