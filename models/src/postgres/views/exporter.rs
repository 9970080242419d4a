//! What the queries of postgres_exporter return: its metrics are these numbers and no others.
//!
//! * `lag` is 0 wherever all that was received is replayed, so on a standby that is cut off; and
//!   `GREATEST` passes over NULL, so also where nothing was replayed yet.
//! * `last_replay` is the age of the last transaction: it grows while nothing happens.
//! * The walreceiver's row is there as long as its process is, cut off or not.
//!
//! **Source.** postgres_exporter's `collector/pg_replication.go`, `pg_replication_slots.go`,
//! `pg_stat_replication.go`, `pg_stat_walreceiver.go`, `pg_wal.go`; `network.c:inet_text` for the
//! length of an address's prefix.
//!
//! **Not modelled.** Positions of 10^15 bytes and more, which `double precision` shows with an
//! exponent.

use super::monitoring::diff;
use super::session::{Session, address};
use super::tables::{Cell, Receiver, empty, single, some};
use super::{WalLsn, ls_waldir, replication_slots, stat_replication};
use crate::postgres::output;
use crate::postgres::server::State;
use crate::trace::table::{SqlType, Table};
use crate::units::Lsn;

use SqlType::{Bigint, Boolean, DoublePrecision, Integer, Name, Numeric, Text};

/// What `extract(epoch from ...)` gives.
fn epoch_type(session: &Session<'_>) -> SqlType {
    if session.since(14) { Numeric } else { DoublePrecision }
}

/// `GREATEST(0, EXTRACT(EPOCH FROM (now() - pg_last_xact_replay_timestamp())))`.
fn age(session: &Session<'_>) -> Cell {
    let age = session.last_xact_replay().map(|then| session.clock_here() - then);
    Some(match age {
        Some(age) if age > 0 => output::epoch(age, session.version()),
        Some(_) | None => "0".to_owned(),
    })
}

pub(super) fn replication(session: &Session<'_>) -> Table {
    let WalLsn { in_recovery, receive_lsn, replay_lsn, .. } = session.positions();
    let all_replayed = receive_lsn.is_some() && receive_lsn == replay_lsn;
    let lag = if in_recovery && !all_replayed { age(session) } else { some(0) };
    let seconds = epoch_type(session);
    single(vec![
        ("lag", seconds, lag),
        ("is_replica", Integer, some(u8::from(in_recovery))),
        ("last_replay", seconds, age(session)),
    ])
}

/// What the exporter takes for the end of WAL: of a standby, what it has received.
fn current(session: &Session<'_>) -> Option<Lsn> {
    let positions = session.positions();
    if positions.in_recovery { positions.receive_lsn } else { positions.write_lsn }
}

fn difference(current: Option<Lsn>, from: Option<Lsn>) -> Cell {
    some(diff(current?, from?))
}

pub(super) fn replication_slots_kept(session: &Session<'_>) -> Table {
    let columns = [
        ("slot_name", Name),
        ("database", Name),
        ("active", Boolean),
        ("pg_wal_lsn_diff", Numeric),
    ];
    let current = current(session);
    let rows = replication_slots(session.here()).into_iter().map(|slot| {
        let kept = difference(current, slot.restart_lsn);
        vec![Some(slot.slot_name), slot.database, Some(output::boolean(slot.active)), kept]
    });
    Table { rows: rows.collect(), ..empty(&columns) }
}

pub(super) fn slot_positions(session: &Session<'_>) -> Table {
    let columns = [
        ("slot_name", Name),
        ("slot_type", Text),
        ("current_wal_lsn", Numeric),
        ("confirmed_flush_lsn", Numeric),
        ("active", Boolean),
        ("safe_wal_size", Bigint),
        ("wal_status", Text),
    ];
    let current = current(session);
    let rows = replication_slots(session.here()).into_iter().map(|slot| {
        vec![
            Some(slot.slot_name),
            some(slot.slot_type),
            current.map(|lsn| lsn.0.to_string()),
            some(slot.confirmed_flush_lsn.map_or(0, |lsn| lsn.0)),
            Some(output::boolean(slot.active)),
            slot.safe_wal_size.map(|size| size.to_string()),
            slot.wal_status.map(|status| status.name().to_owned()),
        ]
    });
    Table { rows: rows.collect(), ..empty(&columns) }
}

pub(super) fn standbys(session: &Session<'_>) -> Table {
    let mut table = empty(&[
        ("application_name", Text),
        ("client_addr", Text),
        ("state", Text),
        ("slot_name", Name),
        ("pid", Integer),
        ("pg_current_wal_lsn_bytes", DoublePrecision),
        ("pg_wal_lsn_diff", DoublePrecision),
    ]);
    let State::Primary(primary) = session.here().state() else { return table };
    let (current, slots) = (current(session), replication_slots(session.here()));
    let rows = stat_replication(session.here()).into_iter().zip(primary.senders());
    table.rows.extend(rows.map(|(row, (_, sender))| {
        let slot = slots.iter().find(|slot| slot.active_pid == Some(row.pid));
        vec![
            Some(row.application_name),
            some(address(sender.standby()) + "/32"),
            some(row.state),
            slot.map(|slot| slot.slot_name.clone()),
            some(row.pid),
            current.map(|lsn| lsn.0.to_string()),
            difference(current, row.replay_lsn),
        ]
    }));
    table
}

pub(super) fn wal_receiver(session: &Session<'_>) -> Table {
    let seconds = epoch_type(session);
    let mut table = empty(&[
        ("upstream_host", Text),
        ("slot_name", Text),
        ("status", Text),
        ("receive_start_lsn", Numeric),
        ("flushed_lsn", Numeric),
        ("receive_start_tli", Integer),
        ("received_tli", Integer),
        ("last_msg_send_time", seconds),
        ("last_msg_receipt_time", seconds),
        ("latest_end_lsn", Numeric),
        ("latest_end_time", seconds),
        ("upstream_node", Text),
    ]);
    let Some(row) = Receiver::of(session) else { return table };
    // `% (2^52)::bigint`
    let bytes = |lsn: Lsn| some(lsn.0 % (1 << 52));
    let epoch = |clock: i64| Some(output::epoch(clock + UNIX_EPOCH, session.version()));
    table.rows.push(vec![
        some(row.upstream),
        row.slot.map(str::to_owned),
        some("streaming"),
        bytes(row.start),
        bytes(row.flushed),
        some(row.timeline),
        some(row.timeline),
        epoch(row.sent),
        epoch(row.read),
        row.latest_end.and_then(bytes),
        epoch(row.latest_end_at),
        row.slot.and_then(repmgr_node),
    ]);
    table
}

/// Midnight of 2000-01-01 UTC, in microseconds of Unix time.
const UNIX_EPOCH: i64 = 946_684_800_000_000;

/// `substring(slot_name from 'repmgr_slot_([0-9]*)')`.
fn repmgr_node(slot: &str) -> Cell {
    let (_, rest) = slot.split_once("repmgr_slot_")?;
    Some(rest.chars().take_while(char::is_ascii_digit).collect())
}

pub(super) fn wal(session: &Session<'_>) -> Table {
    let files = ls_waldir(session.here());
    let size: u64 = files.iter().map(|file| file.size.0).sum();
    let size = if files.is_empty() { None } else { some(size) };
    single(vec![("segments", Bigint, some(files.len())), ("size", Numeric, size)])
}
