//! Statements that somebody sends to a server, and what it answers.
//!
//! There is no SQL here and no data: a workload adds rows to a table of its name, and what can be
//! asked is how many of them a session sees, whether the server is in recovery, and what becomes
//! of a statement that writes. A standby shows the rows of commits that it has replayed. A primary
//! shows those of commits that have ended: one that waits for standbys is not seen there, and may
//! be on the standby already.
//!
//! **Source.** `xact.c:CommitTransaction` (`ProcArrayEndTransaction` behind the wait);
//! `utility.c:PreventCommandIfReadOnly`; `postmaster.c:canAcceptConnections`,
//! `ProcessStartupPacket` (14 to 18: `backend_startup.c`, `hot standby mode`). Versions 13 to 18.
//!
//! **Not modelled.** The time that a statement takes; `max_connections`; conflicts of queries with
//! replay; what a statement that writes would change on a primary.

use serde::Serialize;

use super::PgVersion;
use super::server::{Server, State};
use crate::units::SimTime;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Statement {
    /// `select pg_is_in_recovery()`.
    IsInRecovery,
    /// `select count(*)` of the table of a workload.
    Count {
        /// Index of the workload.
        workload: u16,
    },
    /// A statement that writes to the table of a workload.
    Write {
        /// Which.
        command: WriteCommand,
        /// Index of the workload.
        workload: u16,
    },
}

/// A statement that writes, as its command tag has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteCommand {
    /// `INSERT`.
    Insert,
    /// `UPDATE`.
    Update,
    /// `DELETE`.
    Delete,
    /// `TRUNCATE TABLE`.
    Truncate,
}

impl WriteCommand {
    /// All of them.
    pub const ALL: [WriteCommand; 4] =
        [WriteCommand::Insert, WriteCommand::Update, WriteCommand::Delete, WriteCommand::Truncate];

    /// Its command tag (`CreateCommandName`).
    pub fn tag(self) -> &'static str {
        match self {
            WriteCommand::Insert => "INSERT",
            WriteCommand::Update => "UPDATE",
            WriteCommand::Delete => "DELETE",
            WriteCommand::Truncate => "TRUNCATE TABLE",
        }
    }

    /// How it begins, up to the table's name.
    pub fn words(self) -> &'static str {
        match self {
            WriteCommand::Insert => "insert into",
            WriteCommand::Update => "update",
            WriteCommand::Delete => "delete from",
            WriteCommand::Truncate => "truncate table",
        }
    }
}

impl Statement {
    /// As SQL, with the name of the workload's table.
    pub fn sql(self, table: &str) -> String {
        match self {
            Statement::IsInRecovery => "select pg_is_in_recovery()".to_owned(),
            Statement::Count { .. } => format!("select count(*) from {table}"),
            Statement::Write { command, .. } => format!("{} {table}", command.words()),
        }
    }

    /// The workload whose table it is about.
    pub fn workload(self) -> Option<u16> {
        match self {
            Statement::IsInRecovery => None,
            Statement::Count { workload } | Statement::Write { workload, .. } => Some(workload),
        }
    }
}

/// What comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// `t` or `f`.
    Bool(bool),
    /// So many rows are seen.
    Count(u64),
    /// A primary carries it out; what that changes is not modelled.
    Done,
    /// It fails.
    Failed(Failure),
}

/// Why a statement fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// Nothing listens there.
    NoServer,
    /// The server recovers, or has not begun to.
    StartingUp,
    /// The server shuts down.
    ShuttingDown,
    /// A standby is not consistent yet.
    NotConsistent,
    /// A standby has `hot_standby = off`.
    HotStandbyOff,
    /// It writes, and the server is in recovery.
    ReadOnly {
        /// What it is.
        command: WriteCommand,
    },
}

impl Failure {
    /// Its SQLSTATE; `None` where no server answers.
    pub fn sqlstate(self) -> Option<&'static str> {
        match self {
            Failure::NoServer => None,
            // ERRCODE_CANNOT_CONNECT_NOW.
            Failure::StartingUp
            | Failure::ShuttingDown
            | Failure::NotConsistent
            | Failure::HotStandbyOff => Some("57P03"),
            // ERRCODE_READ_ONLY_SQL_TRANSACTION.
            Failure::ReadOnly { .. } => Some("25006"),
        }
    }

    /// The message, and its `DETAIL` if it has one.
    pub fn message(self, version: PgVersion) -> (String, Option<&'static str>) {
        let says_more = version.major() >= 14;
        let (text, detail) = match self {
            Failure::NoServer => ("Connection refused", None),
            Failure::ShuttingDown => ("the database system is shutting down", None),
            Failure::NotConsistent if says_more => (
                "the database system is not yet accepting connections",
                Some("Consistent recovery state has not been yet reached."),
            ),
            Failure::HotStandbyOff if says_more => (
                "the database system is not accepting connections",
                Some("Hot standby mode is disabled."),
            ),
            Failure::StartingUp | Failure::NotConsistent | Failure::HotStandbyOff => {
                ("the database system is starting up", None)
            }
            Failure::ReadOnly { command } => {
                let text = format!("cannot execute {} in a read-only transaction", command.tag());
                return (text, None);
            }
        };
        (text.to_owned(), detail)
    }
}

impl Server {
    /// What a new session hears. `rows` are those of a workload's commits that are over here.
    pub fn answer(&self, statement: Statement, rows: impl FnOnce(u16) -> u64) -> Answer {
        if let Some(failure) = self.refuses_sessions() {
            return Answer::Failed(failure);
        }
        let in_recovery = matches!(self.state(), State::Standby(_));
        match statement {
            Statement::IsInRecovery => Answer::Bool(in_recovery),
            Statement::Count { workload } => Answer::Count(rows(workload)),
            Statement::Write { command, .. } if in_recovery => {
                Answer::Failed(Failure::ReadOnly { command })
            }
            Statement::Write { .. } => Answer::Done,
        }
    }

    /// Why no session can be had, if none can.
    pub fn refuses_sessions(&self) -> Option<Failure> {
        match self.state() {
            State::Down => Some(Failure::NoServer),
            State::Recovering { .. } => Some(Failure::StartingUp),
            State::Primary(primary) if primary.is_shutting_down() => Some(Failure::ShuttingDown),
            State::Primary(_) if !self.is_open() => Some(Failure::StartingUp),
            State::Primary(_) => None,
            State::Standby(_) if !self.settings().hot_standby => Some(Failure::HotStandbyOff),
            State::Standby(standby) if !standby.is_ready() => Some(Failure::NotConsistent),
            State::Standby(_) => None,
        }
    }
}

/// A statement and its answer, as a run keeps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// When.
    pub at: SimTime,
    /// What was sent.
    pub statement: Statement,
    /// What came back.
    pub answer: Answer,
}
