//! The monitoring queries that tutorials teach, as a server answers them: with their errors, their
//! NULLs and their empty results.
//!
//! * `lag_seconds` of query 2 is NULL on every primary that never was a standby, since such a one
//!   has replayed nothing; and a standby without standbys of its own returns no rows.
//! * Query 3 asks for the current position, which a standby that has slots answers with an error.
//! * `replay_lag` of query 5 is the age of the last transaction, so it grows on while nothing
//!   happens.
//! * `pg_stat_replication` has `replay_lag`, `reply_time` and no `replay_timestamp`.
//!
//! **Source.** `pg_lsn.c:pg_lsn_mi`, `dbsize.c`, `timestamp.c:timestamp_mi`.
//!
//! **Not modelled.** Nothing more than the views that they read.

use super::session::{Session, address};
use super::tables::{Cell, empty, lag as lag_cell, lsn, single, some};
use super::{Query, StatReplication, replication_slots, stat_replication};
use crate::postgres::output;
use crate::postgres::server::State;
use crate::trace::table::{SqlError, SqlType, Table};
use crate::units::Lsn;

use SqlType::{Boolean, DoublePrecision, Inet, Interval, Name, Numeric, PgLsn, Text, Timestamptz};

/// Rows of `pg_stat_replication` with the addresses of their standbys.
fn standbys(session: &Session<'_>) -> Vec<(StatReplication, String)> {
    let State::Primary(primary) = session.here().state() else { return Vec::new() };
    let addresses = primary.senders().map(|(_, sender)| address(sender.standby()));
    stat_replication(session.here()).into_iter().zip(addresses).collect()
}

/// `pg_wal_lsn_diff(a, b)`.
pub(super) fn diff(a: Lsn, b: Lsn) -> i64 {
    (i128::from(a.0) - i128::from(b.0)) as i64
}

pub(super) fn status(session: &Session<'_>) -> Table {
    let columns = [
        ("application_name", Text),
        ("client_addr", Inet),
        ("state", Text),
        ("sent_lsn", PgLsn),
        ("write_lsn", PgLsn),
        ("flush_lsn", PgLsn),
        ("replay_lsn", PgLsn),
        ("sync_state", Text),
        ("replay_lag", Interval),
    ];
    let row = |(row, address): (StatReplication, String)| {
        vec![
            Some(row.application_name),
            Some(address),
            some(row.state),
            lsn(row.sent_lsn),
            lsn(row.write_lsn),
            lsn(row.flush_lsn),
            lsn(row.replay_lsn),
            some(row.sync_state.name()),
            lag_cell(row.replay_lag),
        ]
    };
    Table { rows: standbys(session).into_iter().map(row).collect(), ..empty(&columns) }
}

/// `extract(epoch from ...)` is `numeric` since 14.
fn seconds(session: &Session<'_>) -> SqlType {
    if session.since(14) { Numeric } else { DoublePrecision }
}

/// `now() - pg_last_xact_replay_timestamp()`, in microseconds.
fn age(session: &Session<'_>) -> Option<i64> {
    Some(session.clock_here() - session.last_xact_replay()?)
}

pub(super) fn lag(session: &Session<'_>) -> Result<Table, SqlError> {
    let columns =
        [("application_name", Text), ("lag_size", Text), ("lag_seconds", seconds(session))];
    let mut table = empty(&columns);
    let version = session.version();
    for (row, _) in standbys(session) {
        let current = session.current_wal_lsn()?;
        let size = row.replay_lsn.map(|replay| output::size_pretty(diff(current, replay), version));
        let seconds = age(session).map(|age| output::epoch(age, version));
        table.rows.push(vec![Some(row.application_name), size, seconds]);
    }
    Ok(table)
}

/// Slots with what `pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)` is of each.
fn retained(
    session: &Session<'_>,
    show: impl Fn(i64) -> String,
) -> Result<Vec<Vec<Cell>>, SqlError> {
    let slots = replication_slots(session.here()).into_iter();
    let rows = slots.map(|slot| {
        let current = session.current_wal_lsn()?;
        let restart = slot.restart_lsn;
        Ok(vec![
            Some(slot.slot_name),
            some(slot.slot_type),
            Some(output::boolean(slot.active)),
            lsn(restart),
            restart.map(|restart| show(diff(current, restart))),
        ])
    });
    rows.collect()
}

pub(super) fn slots(session: &Session<'_>) -> Result<Table, SqlError> {
    let columns =
        [("slot_name", Name), ("slot_type", Text), ("active", Boolean), ("retained_wal", Text)];
    let mut rows = retained(session, |bytes| output::size_pretty(bytes, session.version()))?;
    for row in &mut rows {
        row.remove(3);
    }
    Ok(Table { rows, ..empty(&columns) })
}

fn role_name(session: &Session<'_>) -> Cell {
    some(if session.in_recovery() { "STANDBY (Read-Only)" } else { "PRIMARY (Read-Write)" })
}

pub(super) fn role(session: &Session<'_>) -> Table {
    single(vec![("server_role", Text, role_name(session))])
}

/// `now() - pg_last_xact_replay_timestamp()`.
fn replay_age(session: &Session<'_>) -> Cell {
    Some(output::difference(session.last_xact_replay()?, session.clock_here()))
}

pub(super) fn last_replay(session: &Session<'_>) -> Table {
    single(vec![
        ("last_replay", Timestamptz, session.last_xact_replay().map(output::timestamptz)),
        ("replay_lag", Interval, replay_age(session)),
    ])
}

/// What a server says to a query that names a column that there is not.
pub(super) fn no_such_column(query: Query, column: &str) -> SqlError {
    SqlError {
        message: format!("column \"{column}\" does not exist"),
        position: query.sql().find(column),
        hint: None,
    }
}

pub(super) fn monitor_standbys(session: &Session<'_>) -> Result<Table, SqlError> {
    let columns = [
        ("application_name", Text),
        ("client_addr", Inet),
        ("state", Text),
        ("sync_state", Text),
        ("sent_lsn", PgLsn),
        ("write_lsn", PgLsn),
        ("flush_lsn", PgLsn),
        ("replay_lsn", PgLsn),
        ("lag_bytes", Numeric),
        ("write_lag", Interval),
        ("flush_lag", Interval),
        ("replay_lag", Interval),
    ];
    let mut table = empty(&columns);
    for (row, address) in standbys(session) {
        let current = session.current_wal_lsn()?;
        table.rows.push(vec![
            Some(row.application_name),
            Some(address),
            some(row.state),
            some(row.sync_state.name()),
            lsn(row.sent_lsn),
            lsn(row.write_lsn),
            lsn(row.flush_lsn),
            lsn(row.replay_lsn),
            row.replay_lsn.map(|replay| diff(current, replay).to_string()),
            lag_cell(row.write_lag),
            lag_cell(row.flush_lag),
            lag_cell(row.replay_lag),
        ]);
    }
    Ok(table)
}

pub(super) fn monitor_slots(session: &Session<'_>) -> Result<Table, SqlError> {
    let columns = [
        ("slot_name", Name),
        ("slot_type", Text),
        ("active", Boolean),
        ("restart_lsn", PgLsn),
        ("retained_bytes", Numeric),
    ];
    Ok(Table { rows: retained(session, |bytes| bytes.to_string())?, ..empty(&columns) })
}

pub(super) fn monitor_recovery(session: &Session<'_>) -> Table {
    let positions = session.positions();
    let (received, replayed) = (positions.receive_lsn, positions.replay_lsn);
    let lag = received.zip(replayed).map(|(a, b)| diff(a, b).to_string());
    single(vec![
        ("server_mode", Text, role_name(session)),
        ("last_received_lsn", PgLsn, lsn(received)),
        ("last_replayed_lsn", PgLsn, lsn(replayed)),
        ("replay_lag_bytes", Numeric, lag),
        ("last_replay_time", Timestamptz, session.last_xact_replay().map(output::timestamptz)),
        ("replication_delay", Interval, replay_age(session)),
    ])
}
