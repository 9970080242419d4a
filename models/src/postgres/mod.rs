//! One PostgreSQL server: its processes, its settings, its words.

pub mod backend;
pub mod checkpointer;
pub mod command;
pub mod effect;
pub mod guc;
pub mod host;
pub mod lag;
pub mod output;
pub mod primary;
pub mod protocol;
pub mod server;
pub mod slot;
pub mod standby;
pub mod startup;
pub mod statement;
pub mod syncrep;
pub mod views;
pub mod wal;
pub mod walreceiver;
pub mod walsender;
pub mod walwriter;

use serde::Serialize;
use std::fmt;

/// A connection between two servers, numbered by the standby that opened it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId(pub u32);

/// A major version of PostgreSQL, 13 to 18: decides defaults, view columns and message texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct PgVersion(u8);

impl PgVersion {
    /// The oldest version that is modelled.
    pub const OLDEST: PgVersion = PgVersion(13);
    /// The newest version that is modelled.
    pub const NEWEST: PgVersion = PgVersion(18);
    /// What a scenario gets that names none.
    pub const DEFAULT: PgVersion = PgVersion(17);

    /// `None` unless 13 to 18.
    pub const fn new(major: u8) -> Option<PgVersion> {
        if major >= 13 && major <= 18 { Some(PgVersion(major)) } else { None }
    }

    /// The major version's number.
    pub const fn major(self) -> u8 {
        self.0
    }
}

impl fmt::Display for PgVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
