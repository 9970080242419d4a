//! PostgreSQL's log lines from (fact, run): what a DBA would find in the servers' logs.
//!
//! [`log_lines`] gives the messages of one fact, [`format_log`] a server's whole log in the form
//! of the default `log_line_prefix` (`%m [%p] `). A message belongs to the server that would
//! write it, which is not always the fact's own: a standby that is turned away leaves a line in
//! its upstream's log too. Process ids are fixed per process, so that a log can be filtered by
//! them. Time 0 is midnight of 2000-01-01 UTC: a date that nobody takes for a measurement.
//! [`super::describe`] has the same facts in plain words.
//!
//! **Source.** `xlog.c`, `xlogrecovery.c`, `walreceiver.c`, `walsender.c`, `syncrep.c`, `proc.c`,
//! `slot.c`, libpq's `fe-connect.c`, versions 13 to 18; checkpoint lines from
//! `xlog.c:LogCheckpointStart` and `LogCheckpointEnd`.
//!
//! **Not modelled.** SLRU buffers and the number of files that a checkpoint fsyncs: their fields
//! are printed as 0, and so is CPU time. `redo done at` prints the end of the last record instead
//! of its start. Checkpoints are logged where `log_checkpoints` is on by default (15 and later).
//! Left out are `STATEMENT` lines of sessions, the build in `starting PostgreSQL`, the lines about
//! sockets, and the address that libpq adds to a host name; the port is always 5432.

mod checkpoints;
mod connections;
mod disk;
mod sessions;
mod slots;

use std::fmt::Write;

use super::fact::{ConnectionEnd, Fact, ServerId, What};
use super::{InitialStream, Run};
use crate::postgres::backend::Session;
use crate::postgres::command::{SlotName, StopMode};
use crate::units::{Duration, Lsn, SegmentSize, SimTime, UsableBytes};

/// The severity of a message, in PostgreSQL's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// `LOG`.
    Log,
    /// `WARNING`.
    Warning,
    /// `ERROR`.
    Error,
    /// `FATAL`.
    Fatal,
    /// `PANIC`.
    Panic,
}

impl Level {
    /// As it is printed.
    pub fn name(self) -> &'static str {
        match self {
            Level::Log => "LOG",
            Level::Warning => "WARNING",
            Level::Error => "ERROR",
            Level::Fatal => "FATAL",
            Level::Panic => "PANIC",
        }
    }
}

/// The process that writes a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// The postmaster.
    Postmaster,
    /// The checkpointer.
    Checkpointer,
    /// The startup process.
    Startup,
    /// The logical replication launcher, whose end the postmaster tells.
    Launcher,
    /// The walreceiver.
    WalReceiver,
    /// The walsender of a standby.
    WalSender(ServerId),
    /// The session of an operator.
    Backend,
    /// The session of a workload's client. Of more than 800 some share a process id.
    Client(Session),
}

impl Process {
    /// As PostgreSQL's `backend_type` has it.
    pub fn name(self) -> &'static str {
        match self {
            Process::Postmaster => "postmaster",
            Process::Checkpointer => "checkpointer",
            Process::Startup => "startup",
            Process::Launcher => "logical replication launcher",
            Process::WalReceiver => "walreceiver",
            Process::WalSender(_) => "walsender",
            Process::Backend | Process::Client(_) => "client backend",
        }
    }

    /// The process id in the logs: the same whenever this process of this server writes.
    pub fn pid(self, server: ServerId) -> u32 {
        let first = 1_000 * (u32::from(server.0) + 1);
        match self {
            Process::Postmaster => first,
            Process::Checkpointer => first + 1,
            Process::Startup => first + 3,
            Process::WalReceiver => first + 4,
            Process::Launcher => first + 6,
            Process::Backend => first + 50,
            Process::WalSender(standby) => first + 100 + u32::from(standby.0),
            Process::Client(session) => {
                let place = u32::from(session.workload) * 97 + session.client;
                first + 200 + place % 800
            }
        }
    }
}

/// One message, with the lines that belong to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// The server in whose log it stands.
    pub server: ServerId,
    /// Its severity.
    pub level: Level,
    /// Who wrote it.
    pub process: Process,
    /// The message; may have several lines.
    pub text: String,
    /// The `DETAIL`, if it has one.
    pub detail: Option<String>,
    /// The `HINT`, if it has one.
    pub hint: Option<String>,
    /// The `STATEMENT`, if it has one: a walsender's command.
    pub statement: Option<String>,
}

/// What the messages of a run need to know about its other facts, looked up once.
#[derive(Debug)]
pub struct Words<'a> {
    run: &'a Run,
    /// For each server: from when on it was a standby (or was not).
    standby: Vec<Vec<(SimTime, bool)>>,
    /// For each server: the streams that began there.
    senders: Vec<Vec<Began>>,
    /// For each server: when a checkpoint completed, and what its line prints of files.
    checkpoints: Vec<Vec<(SimTime, Option<What>)>>,
}

impl<'a> Words<'a> {
    /// Reads the facts of `run` once.
    pub fn new(run: &'a Run) -> Words<'a> {
        let is_standby = |name| run.samples.standbys.iter().any(|s| &s.name == name);
        let mut files = vec![None; run.servers.len()];
        let mut words = Words {
            run,
            standby: run.servers.iter().map(|s| vec![(SimTime::ZERO, is_standby(s))]).collect(),
            senders: vec![Vec::new(); run.servers.len()],
            checkpoints: vec![Vec::new(); run.servers.len()],
        };
        for &InitialStream { upstream, standby, start, slot } in &run.streams {
            let at = SimTime::ZERO;
            words.senders[upstream.index()].push(Began { at, standby, start, slot });
        }
        for fact in run.facts.iter() {
            let Some(server) = fact.server.map(ServerId::index) else { continue };
            let Some(roles) = words.standby.get_mut(server) else { continue };
            if let What::Ready = fact.what {
                roles.push((fact.at, false));
            } else if let What::StandbyMode { .. } = fact.what {
                roles.push((fact.at, true));
            } else if let What::SenderStarted { standby, start, slot } = fact.what {
                words.senders[server].push(Began { at: fact.at, standby, start, slot });
            } else if let What::CheckpointFiles { .. } = fact.what {
                files[server] = Some(fact.what);
            } else if let What::CheckpointDone { .. } = fact.what {
                words.checkpoints[server].push((fact.at, files[server].take()));
            }
        }
        words
    }

    /// A server's name.
    pub fn name(&self, server: ServerId) -> &'a str {
        self.run.servers.get(server.index()).map_or("?", String::as_str)
    }

    /// The run whose words these are.
    pub fn run(&self) -> &'a Run {
        self.run
    }

    /// Whether `server` was a standby at `at`.
    pub fn is_standby(&self, server: ServerId, at: SimTime) -> bool {
        let Some(roles) = self.standby.get(server.index()) else { return false };
        let after = roles.partition_point(|&(from, _)| from <= at);
        after > 0 && roles[after - 1].1
    }

    /// The command of the walsender that serves a standby at `at`.
    fn command_of(&self, server: ServerId, standby: ServerId, at: SimTime) -> Option<String> {
        let began = self.senders.get(server.index())?;
        let before = began.partition_point(|stream| stream.at <= at);
        let stream = began[..before].iter().rev().find(|stream| stream.standby == standby)?;
        Some(self.start_replication(server, stream.start, stream.slot))
    }

    /// `START_REPLICATION` as a walreceiver sends it (`libpqrcv_startstreaming`).
    fn start_replication(&self, server: ServerId, start: Lsn, slot: Option<SlotName>) -> String {
        let slot = slot.map_or(String::new(), |slot| format!("SLOT \"{}\" ", self.slot_name(slot)));
        let timeline = self.run.summary.servers.get(server.index()).map_or(1, |s| s.timeline.0);
        format!("START_REPLICATION {slot}{start} TIMELINE {timeline}")
    }

    /// Whether the logical replication launcher runs: on a primary that is allowed its workers.
    fn has_launcher(&self, server: ServerId, at: SimTime) -> bool {
        let settings = self.run.settings.get(server.index()).map_or(&[][..], Vec::as_slice);
        let workers = settings.iter().find(|s| s.name == "max_logical_replication_workers");
        !self.is_standby(server, at) && workers.is_none_or(|setting| setting.value != "0")
    }

    /// The completed checkpoint that a server in trouble at `at` goes back to: when it ended.
    fn last_checkpoint(&self, server: ServerId, at: SimTime) -> SimTime {
        let past = self.checkpoints.get(server.index()).map_or(&[][..], Vec::as_slice);
        let after = past.partition_point(|&(end, _)| end <= at);
        if after == 0 { SimTime::ZERO } else { past[after - 1].0 }
    }

    /// What the checkpoint that completed at `at` did to files.
    fn files_at(&self, server: ServerId, at: SimTime) -> Option<What> {
        let past = self.checkpoints.get(server.index()).map_or(&[][..], Vec::as_slice);
        let here = past.partition_point(|&(end, _)| end < at);
        past.get(here).and_then(|&(_, files)| files)
    }

    /// A workload's name.
    pub fn workload(&self, workload: u16) -> &'a str {
        self.run.workloads.get(usize::from(workload)).map_or("?", String::as_str)
    }

    /// A slot's name.
    pub fn slot_name(&self, slot: SlotName) -> &'a str {
        self.run.slots.get(usize::from(slot.0)).map_or("?", String::as_str)
    }

    /// What the servers' logs have about `fact`, in order.
    pub fn log_lines(&self, fact: &Fact) -> Vec<LogLine> {
        let major = self.run.pg_version.major();
        let mut log = Lines { words: self, major, at: fact.at, lines: Vec::new() };
        if let Some(server) = fact.server {
            log.fact(server, fact);
        }
        log.lines
    }
}

/// A stream that began.
#[derive(Clone, Copy, Debug)]
struct Began {
    at: SimTime,
    standby: ServerId,
    start: Lsn,
    slot: Option<SlotName>,
}

/// What the servers' logs have about `fact`, in order. [`Words`] does it faster for many facts.
pub fn log_lines(fact: &Fact, run: &Run) -> Vec<LogLine> {
    Words::new(run).log_lines(fact)
}

/// The log of the server named `server`, as PostgreSQL writes it, with simulated time.
pub fn format_log(run: &Run, server: &str) -> String {
    let words = Words::new(run);
    let mut log = String::new();
    for fact in run.facts.iter() {
        for line in words.log_lines(fact) {
            if words.name(line.server) == server {
                write_line(&mut log, fact.at, &line);
            }
        }
    }
    log
}

fn write_line(log: &mut String, at: SimTime, line: &LogLine) {
    let prefix = format!("{} [{}]", timestamp(at, true), line.process.pid(line.server));
    let parts = [
        (line.level.name(), Some(&line.text)),
        ("DETAIL", line.detail.as_ref()),
        ("HINT", line.hint.as_ref()),
        ("STATEMENT", line.statement.as_ref()),
    ];
    for (what, text) in parts {
        let Some(text) = text else { continue };
        // A message of several lines goes on behind a tab (elog.c:append_with_tabs).
        let text = text.replace('\n', "\n\t");
        // Writing to a String does not fail.
        let _ = writeln!(log, "{prefix} {what}:  {text}");
    }
}

/// A moment as `%m` (with milliseconds) or `%t` prints it; day 0 is 2000-01-01.
pub fn timestamp(at: SimTime, millis: bool) -> String {
    let seconds = at.0 / 1_000_000_000;
    let (year, month, day) = date(seconds / 86_400);
    let (h, m, s) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    let fraction = if millis { format!(".{:03}", at.0 / 1_000_000 % 1_000) } else { String::new() };
    format!("{year}-{month:02}-{day:02} {h:02}:{m:02}:{s:02}{fraction} UTC")
}

/// The Gregorian date `days` after 2000-01-01.
fn date(mut days: u64) -> (u64, usize, u64) {
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 2000 + 400 * (days / 146_097);
    days %= 146_097;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    (year, month + 1, days + 1)
}

/// The lines of one fact, being collected.
struct Lines<'w, 'a> {
    words: &'w Words<'a>,
    major: u8,
    /// When the fact was.
    at: SimTime,
    lines: Vec<LogLine>,
}

impl Lines<'_, '_> {
    fn add(&mut self, server: ServerId, process: Process, level: Level, text: String) {
        let (detail, hint, statement) = (None, None, None);
        self.lines.push(LogLine { server, level, process, text, detail, hint, statement });
    }

    /// The same by the walsender of a standby, with its command.
    fn add_of_sender(&mut self, server: ServerId, standby: ServerId, level: Level, text: &str) {
        self.add(server, Process::WalSender(standby), level, text.to_owned());
        let command = self.words.command_of(server, standby, self.at);
        if let Some(line) = self.lines.last_mut() {
            line.statement = command;
        }
    }

    fn log(&mut self, server: ServerId, process: Process, text: impl Into<String>) {
        self.add(server, process, Level::Log, text.into());
    }

    fn fact(&mut self, server: ServerId, fact: &Fact) {
        match fact.what {
            What::FaultBegan { .. }
            | What::FaultHealed { .. }
            | What::SendsAgain { .. }
            | What::CreatedAhead
            | What::Crashed { .. }
            | What::Frozen { .. }
            | What::Thawed
            | What::SenderStarted { .. }
            | What::SenderStreaming { .. }
            | What::CheckpointFiles { .. }
            | What::SlotCreated { .. }
            | What::SlotDropped { .. }
            | What::ActionBegan { .. }
            | What::ActionEnded { .. }
            | What::QueueFull { .. } => {}
            What::Panicked { during } => self.panicked(server, during),
            What::NoRoomAhead => self.no_space(server, Process::Checkpointer, Level::Error),
            what @ (What::SlotOwnerTerminated { .. } | What::SlotInvalidated { .. }) => {
                self.slot_obsolete(server, what);
            }
            What::Reloaded
            | What::ParameterChanged { .. }
            | What::ParameterNeedsRestart { .. }
            | What::ReplayPaused { .. }
            | What::ReplayResumed => self.operated(server, fact.what),
            What::WaitInterrupted { how, session } => {
                self.wait_interrupted(server, how, session);
            }
            What::Statement { answer, .. } => self.answered(server, answer),
            What::EndOfWal { at } => self.invalid_record(server, at),
            What::CommandRefused { why } => self.command_refused(server, why),
            What::Starting
            | What::RecoveryStarted { .. }
            | What::RecoveryDone { .. }
            | What::Ready
            | What::StandbyMode { .. }
            | What::ReadyReadOnly { .. }
            | What::Consistent { .. } => self.started(server, fact),
            What::WasShutDown { .. }
            | What::InterruptedInRecovery
            | What::StopRequested { .. }
            | What::ShuttingDown
            | What::ShutDown
            | What::StreamTerminated { .. } => self.shut_down(server, fact),
            What::StreamingStarted { .. }
            | What::ConnectFailed { .. }
            | What::ReceiverEnded { .. }
            | What::SenderEnded { .. } => self.streamed(server, fact.what),
            What::PromoteNoticed
            | What::RedoDone { .. }
            | What::TimelineSelected { .. }
            | What::Promoted { .. } => self.promoted(server, fact.what),
            What::SyncStandby { standby, priority } => {
                self.sync_standby(server, standby, priority);
            }
            What::WaitingForWal { at } if self.major >= 15 => {
                let text = format!("waiting for WAL to become available at {at}");
                self.log(server, Process::Startup, text);
            }
            What::WaitingForWal { .. } => {}
            What::CheckpointStarted { cause, redo: _ } => {
                self.checkpoint_started(server, fact.at, cause);
            }
            What::CheckpointDone { .. } => self.checkpoint_done(server, fact),
            What::CheckpointsTooFrequent { seconds } => self.too_frequent(server, seconds),
        }
    }

    /// The start of a server, up to where it accepts connections.
    fn started(&mut self, server: ServerId, fact: &Fact) {
        use Process::{Postmaster, Startup};
        let major = self.major;
        match fact.what {
            What::Starting => self.log(server, Postmaster, format!("starting PostgreSQL {major}")),
            What::RecoveryStarted { redo } => self.recovery_started(server, fact.at, redo),
            What::RecoveryDone { end, took } => self.recovery_done(server, end, took),
            What::Ready => {
                self.log(server, Postmaster, "database system is ready to accept connections");
            }
            What::StandbyMode { redo } => {
                self.log(server, Startup, "entering standby mode");
                self.log(server, Startup, format!("redo starts at {redo}"));
            }
            What::Consistent { at } => {
                self.log(server, Startup, format!("consistent recovery state reached at {at}"));
            }
            What::ReadyReadOnly { at } => {
                self.log(server, Startup, format!("consistent recovery state reached at {at}"));
                let kind = if major >= 14 { "read-only" } else { "read only" };
                let text = format!("database system is ready to accept {kind} connections");
                self.log(server, Postmaster, text);
            }
            other => unreachable!("{other:?} is not about a start"),
        }
    }

    /// How the two ends of a stream begin and end.
    fn streamed(&mut self, server: ServerId, what: What) {
        use Process::WalReceiver;
        match what {
            What::StreamingStarted { upstream: _, start, timeline } => self.log(
                server,
                WalReceiver,
                format!("started streaming WAL from primary at {start} on timeline {timeline}"),
            ),
            What::ConnectFailed { upstream, why, start } => {
                self.connect_failed(server, upstream, why, start);
            }
            What::ReceiverEnded { upstream: _, why } => self.receiver_ended(server, why),
            What::SenderEnded { standby, why } => match why {
                ConnectionEnd::PeerClosed => {
                    let text = "unexpected EOF on standby connection";
                    self.add_of_sender(server, standby, Level::Log, text);
                }
                ConnectionEnd::Timeout => {
                    let text = "terminating walsender process due to replication timeout";
                    self.add_of_sender(server, standby, Level::Log, text);
                }
                // A walsender that is told to stop says nothing
                // (`walsender.c:ProcessRepliesIfAny`).
                ConnectionEnd::PeerTerminated
                | ConnectionEnd::Shutdown
                | ConnectionEnd::Terminated
                | ConnectionEnd::NoSpace => {}
            },
            other => unreachable!("{other:?} is not about a stream"),
        }
    }

    /// A standby becomes a primary.
    fn promoted(&mut self, server: ServerId, what: What) {
        let text = match what {
            What::PromoteNoticed => "received promote request".to_owned(),
            What::RedoDone { end, took } => return self.recovery_done(server, end, took),
            What::TimelineSelected { timeline } => {
                format!("selected new timeline ID: {timeline}")
            }
            What::Promoted { .. } => "archive recovery complete".to_owned(),
            other => unreachable!("{other:?} is not about a promotion"),
        };
        self.log(server, Process::Startup, text);
    }

    /// The end of a server, and the traces that it finds when it starts again.
    fn shut_down(&mut self, server: ServerId, fact: &Fact) {
        use Process::{Postmaster, Startup, WalReceiver};
        match fact.what {
            What::WasShutDown { at, in_recovery } => {
                let how = if in_recovery { "shut down in recovery" } else { "shut down" };
                let at = timestamp(at, false);
                self.log(server, Startup, format!("database system was {how} at {at}"));
            }
            What::InterruptedInRecovery => self.interrupted_in_recovery(server, fact.at),
            What::StopRequested { mode } => self.stop_requested(server, fact.at, mode),
            What::ShuttingDown => self.log(server, Process::Checkpointer, "shutting down"),
            What::ShutDown => self.log(server, Postmaster, "database system is shut down"),
            What::StreamTerminated { upstream: _, timeline, at } => {
                self.log(server, WalReceiver, "replication terminated by primary server");
                if let Some(line) = self.lines.last_mut() {
                    let detail = format!("End of WAL reached on timeline {timeline} at {at}.");
                    line.detail = Some(detail);
                }
            }
            other => unreachable!("{other:?} is not about a shutdown"),
        }
    }

    /// What operators change.
    fn operated(&mut self, server: ServerId, what: What) {
        use Process::{Postmaster, Startup};
        match what {
            What::Reloaded => {
                let text = "received SIGHUP, reloading configuration files";
                self.log(server, Postmaster, text);
            }
            What::ParameterChanged { parameter, value } => {
                let value = value.as_str();
                let text = format!("parameter \"{parameter}\" changed to \"{value}\"");
                self.log(server, Postmaster, text);
            }
            What::ParameterNeedsRestart { parameter } => {
                let text = format!(
                    "parameter \"{parameter}\" cannot be changed without restarting the server"
                );
                self.log(server, Postmaster, text);
            }
            What::ReplayPaused { .. } => {
                self.log(server, Startup, "recovery has paused");
                self.explain(None, Some("Execute pg_wal_replay_resume() to continue.".to_owned()));
            }
            What::ReplayResumed => {}
            other => unreachable!("{other:?} is not an operator's"),
        }
    }

    fn recovery_started(&mut self, server: ServerId, at: SimTime, redo: Lsn) {
        let known = timestamp(self.words.last_checkpoint(server, at), false);
        let text = format!("database system was interrupted; last known up at {known}");
        self.log(server, Process::Startup, text);
        let text = "database system was not properly shut down; automatic recovery in progress";
        self.log(server, Process::Startup, text);
        self.log(server, Process::Startup, format!("redo starts at {redo}"));
    }

    /// A standby's redo point has a log time where PostgreSQL has its checkpoint's.
    fn interrupted_in_recovery(&mut self, server: ServerId, at: SimTime) {
        let time = timestamp(self.words.last_checkpoint(server, at), false);
        let text = format!("database system was interrupted while in recovery at log time {time}");
        self.log(server, Process::Startup, text);
        if let Some(line) = self.lines.last_mut() {
            let hint = "If this has occurred more than once some data might be corrupted and you \
                        might need to choose an earlier recovery target.";
            line.hint = Some(hint.to_owned());
        }
    }

    fn stop_requested(&mut self, server: ServerId, at: SimTime, mode: StopMode) {
        match mode {
            StopMode::Fast => {
                self.log(server, Process::Postmaster, "received fast shutdown request");
                self.log(server, Process::Postmaster, "aborting any active transactions");
                if self.words.has_launcher(server, at) {
                    let pid = Process::Launcher.pid(server);
                    let text = format!(
                        "background worker \"logical replication launcher\" (PID {pid}) exited \
                         with exit code 1"
                    );
                    self.log(server, Process::Postmaster, text);
                }
            }
            StopMode::Immediate => {
                self.log(server, Process::Postmaster, "received immediate shutdown request");
            }
        }
    }

    fn recovery_done(&mut self, server: ServerId, end: Lsn, took: Duration) {
        self.invalid_record(server, next_record(end));
        let mut text = format!("redo done at {end}");
        if self.major >= 14 {
            let (s, hundredths) = (took.0 / 1_000_000_000, took.0 / 10_000_000 % 100);
            let _ = write!(
                text,
                " system usage: CPU: user: 0.00 s, system: 0.00 s, elapsed: {s}.{hundredths:02} s"
            );
        }
        self.log(server, Process::Startup, text);
    }

    /// Where a record should start there is none.
    fn invalid_record(&mut self, server: ServerId, at: Lsn) {
        let wanted = if self.major >= 16 { "expected at least" } else { "wanted" };
        let text = format!("invalid record length at {at}: {wanted} 24, got 0");
        self.log(server, Process::Startup, text);
    }
}

/// Where the record after one that ends at `end` starts: behind a page's header.
fn next_record(end: Lsn) -> Lsn {
    let size = SegmentSize::DEFAULT;
    UsableBytes::from_lsn(end, size).start_lsn(size)
}

/// Where the checkpoint record that ends at `end` starts: it takes 114 bytes, aligned to 120.
fn record_start(end: Lsn) -> Lsn {
    let size = SegmentSize::DEFAULT;
    let end = UsableBytes::from_lsn(end, size);
    UsableBytes(end.0.saturating_sub(120)).start_lsn(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_the_calendars() {
        assert_eq!(timestamp(SimTime::ZERO, true), "2000-01-01 00:00:00.000 UTC");
        let day = 86_400 * 1_000_000_000;
        let at = |days: u64| timestamp(SimTime(days * day + 3_723_000_000_000), false);
        assert_eq!(at(59), "2000-02-29 01:02:03 UTC");
        assert_eq!(at(366), "2001-01-01 01:02:03 UTC");
        assert_eq!(at(36_525), "2100-01-01 01:02:03 UTC");
        assert_eq!(at(36_525 + 59), "2100-03-01 01:02:03 UTC");
    }

    #[test]
    fn a_record_starts_before_it_ends() {
        assert_eq!(record_start(Lsn(0x300_0148)), Lsn(0x300_00D0));
    }
}
