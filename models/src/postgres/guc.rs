//! THE table of GUCs: what a server can be told, and what its version makes of it.
//!
//! A [`Guc`] is a row: name, versions, context, type with unit and range, default. [`Settings`]
//! is one server's configuration: text goes in as in `postgresql.conf` and is checked by
//! PostgreSQL's own rules with its own messages; the settings that machines read come out as
//! typed fields ([`Modelled`]). Every real setting is accepted, also the many that no machine
//! reads, so that a production file can be used as it is.
//!
//! **Source.** `guc.c`, `guc_tables.c` and `pg_settings` of PostgreSQL 13 to 18; see
//! `guc/table.rs` for the servers that were asked.
//!
//! **Not modelled.** Who may set what and when ([`Context`] is only told), and the checks that
//! single settings make on their text (`DateStyle`, `TimeZone`, `recovery_target_lsn`, ...);
//! `synchronous_standby_names` is parsed where it is used.

mod error;
mod settings;
mod table;
mod units;
mod values;

pub use error::SettingError;
pub use settings::{ArchiveMode, MODELLED, Modelled, Settings, SynchronousCommit, WalLevel};
pub use units::Unit;

use std::cmp::Ordering;

use super::PgVersion;

/// A row of the table: one form of one setting, in one range of versions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guc {
    /// As `pg_settings` spells it (`TimeZone`); names are compared without regard to case.
    pub name: &'static str,
    /// The first major version this row holds for; 13 may mean earlier.
    pub since: u8,
    /// The last major version this row holds for; 18 may mean later.
    pub until: u8,
    /// When it can be changed.
    pub context: Context,
    /// Its type, unit and range.
    pub kind: Kind,
    /// The default, in the setting's own unit where it has one.
    pub default: &'static str,
}

impl Guc {
    /// Whether `version` has this form of the setting.
    pub fn is_in(&self, version: PgVersion) -> bool {
        (self.since..=self.until).contains(&version.major())
    }

    /// Whether nothing that is written can change it: it tells how the server was built.
    pub fn is_fixed(&self) -> bool {
        self.context == Context::Internal && !settings::INITDB.contains(&self.name)
    }
}

/// When a setting can be changed, `pg_settings.context`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Never: it reports how the server was built or initialised.
    Internal,
    /// At server start.
    Postmaster,
    /// By reloading the configuration files.
    Sighup,
    /// At session start, by superusers.
    SuperuserBackend,
    /// At session start.
    Backend,
    /// In a session, by superusers and those they let.
    Superuser,
    /// In a session, by anyone.
    User,
}

/// The type of a setting, `pg_settings.vartype`, with what it allows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// `on` or `off`.
    Bool,
    /// A whole number of units, from the least to the most, both allowed.
    Integer(Unit, i32, i32),
    /// A number of units, from the least to the most, both allowed.
    Real(Unit, f64, f64),
    /// Any text.
    Text,
    /// One of the words of the first list; the second has words that are taken but never shown,
    /// each with the word it stands for.
    Enum(&'static [&'static str], &'static [(&'static str, &'static str)]),
}

/// The setting of this name in `version`, also by a name it had before.
pub fn find(name: &str, version: PgVersion) -> Option<&'static Guc> {
    let new = OLD_NAMES
        .iter()
        .find(|(old, _, since)| name.eq_ignore_ascii_case(old) && *since <= version.major());
    let name = new.map_or(name, |(_, new, _)| new);
    rows(name).iter().find(|guc| guc.is_in(version))
}

/// The names of all settings of `version`, alphabetically.
pub fn names(version: PgVersion) -> impl Iterator<Item = &'static str> {
    table::TABLE.iter().filter(move |guc| guc.is_in(version)).map(|guc| guc.name)
}

/// The names that settings of `version` had before and are still taken by.
pub fn old_names(version: PgVersion) -> impl Iterator<Item = (&'static str, &'static str)> {
    let known = OLD_NAMES.iter().filter(move |(_, _, since)| *since <= version.major());
    known.map(|(old, new, _)| (*old, *new))
}

/// Every row of this name; those of different versions follow one another.
pub fn rows(name: &str) -> &'static [Guc] {
    let start = table::TABLE.partition_point(|guc| order(guc.name, name) == Ordering::Less);
    let rows = &table::TABLE[start..];
    &rows[..rows.iter().take_while(|guc| order(guc.name, name) == Ordering::Equal).count()]
}

/// Where in the table this row of it is.
fn index(guc: &Guc) -> usize {
    let start = table::TABLE.partition_point(|row| order(row.name, guc.name) == Ordering::Less);
    start + rows(guc.name).iter().take_while(|row| row.since != guc.since).count()
}

/// `guc_name_compare`: without regard to the case of ASCII letters.
fn order(a: &str, b: &str) -> Ordering {
    let a = a.bytes().map(|byte| byte.to_ascii_lowercase());
    a.cmp(b.bytes().map(|byte| byte.to_ascii_lowercase()))
}

/// Names that are still taken for another (`map_old_guc_names`), and since which version.
const OLD_NAMES: &[(&str, &str, u8)] = &[
    ("sort_mem", "work_mem", 13),
    ("vacuum_mem", "maintenance_work_mem", 13),
    ("ssl_ecdh_curve", "ssl_groups", 18),
];

#[cfg(test)]
mod tests;
