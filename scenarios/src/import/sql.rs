//! The statements that collect what can be imported, for psql.
//!
//! Everything here is read-only but the table of the history, which is made once. Columns that a
//! version does not have are left out by asking for `server_version_num`, so that one text suits
//! 13 to 18.
//!
//! **Source.** Columns by version: `monitoring.sgml`, PostgreSQL 13 to 18; a server of 15 takes
//! them all.

use super::source::Source;

/// The statements of a source, or of every source that has any.
pub fn statements(only: Option<Source>) -> String {
    let all = [
        (Source::LsnSamples, LSN_SAMPLES),
        (Source::PgSettings, PG_SETTINGS),
        (Source::PgStatWal, PG_STAT_WAL),
        (Source::PgStatReplication, PG_STAT_REPLICATION),
    ];
    let wanted = all.iter().filter(|(source, _)| only.is_none_or(|only| only == *source));
    wanted.map(|(_, text)| *text).collect::<Vec<_>>().join("\n")
}

const LSN_SAMPLES: &str = include_str!("sql/lsn_samples.sql");
const PG_SETTINGS: &str = include_str!("sql/pg_settings.sql");
const PG_STAT_WAL: &str = include_str!("sql/pg_stat_wal.sql");
const PG_STAT_REPLICATION: &str = include_str!("sql/pg_stat_replication.sql");
