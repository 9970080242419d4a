//! Views and functions as tables: every column that the server's version has, in its order.
//!
//! **Source.** `system_views.sql` and `pg_proc.dat` of 13 to 18 for the columns, held against real
//! servers (`models/tests/psql/`); `walreceiver.c:pg_stat_get_wal_receiver`;
//! `pgstatfuncs.c:pg_stat_get_wal`, `pg_stat_get_checkpointer_*`; `xlogfuncs.c`.
//!
//! **Not modelled.** What [`Query::not_modelled`] names is NULL.

use super::session::{
    PORT, REPLICATION_ROLE, REPLICATION_ROLE_OID, Session, address, client_port, receiver_pid,
    recovery_in_progress,
};
use super::{Query, WalLsn, ls_waldir as files, replication_slots as slots};
use crate::postgres::PgVersion;
use crate::postgres::checkpointer::Work;
use crate::postgres::output;
use crate::postgres::server::State;
use crate::trace::table::{SqlError, SqlType, Table, TableColumn};
use crate::units::{Duration, Lsn, TimelineId};

use SqlType::{
    Bigint, Boolean, DoublePrecision, Inet, Integer, Interval, Name, Numeric, Oid, PgLsn, Text,
    Timestamptz, Xid,
};

/// A value, or NULL.
pub(super) type Cell = Option<String>;

/// A table without rows.
pub(super) fn empty(columns: &[(&str, SqlType)]) -> Table {
    let column = |&(name, sql_type): &(&str, SqlType)| TableColumn { name: name.into(), sql_type };
    Table { columns: columns.iter().map(column).collect(), rows: Vec::new() }
}

/// A table of one row.
pub(super) fn single(cells: Vec<(&str, SqlType, Cell)>) -> Table {
    let columns: Vec<_> = cells.iter().map(|&(name, sql_type, _)| (name, sql_type)).collect();
    let row = cells.into_iter().map(|(_, _, cell)| cell).collect();
    Table { rows: vec![row], ..empty(&columns) }
}

pub(super) fn some(value: impl ToString) -> Cell {
    Some(value.to_string())
}

pub(super) fn lsn(position: Option<Lsn>) -> Cell {
    position.map(|lsn| lsn.to_string())
}

pub(super) fn lag(span: Option<Duration>) -> Cell {
    span.map(|span| output::interval((span.0 / 1_000) as i64))
}

fn boolean(value: bool) -> Cell {
    Some(output::boolean(value))
}

/// What a server says whose version has no such view.
fn no_such_relation(query: Query) -> SqlError {
    let name = query.name();
    SqlError {
        message: format!("relation \"{name}\" does not exist"),
        position: query.sql().find(name),
        hint: None,
    }
}

const STAT_REPLICATION: [(&str, SqlType); 20] = [
    ("pid", Integer),
    ("usesysid", Oid),
    ("usename", Name),
    ("application_name", Text),
    ("client_addr", Inet),
    ("client_hostname", Text),
    ("client_port", Integer),
    ("backend_start", Timestamptz),
    ("backend_xmin", Xid),
    ("state", Text),
    ("sent_lsn", PgLsn),
    ("write_lsn", PgLsn),
    ("flush_lsn", PgLsn),
    ("replay_lsn", PgLsn),
    ("write_lag", Interval),
    ("flush_lag", Interval),
    ("replay_lag", Interval),
    ("sync_priority", Integer),
    ("sync_state", Text),
    ("reply_time", Timestamptz),
];

pub(super) fn stat_replication(session: &Session<'_>) -> Table {
    let mut table = empty(&STAT_REPLICATION);
    let State::Primary(primary) = session.here().state() else { return table };
    let rows = super::stat_replication(session.here());
    for (row, (_, sender)) in rows.into_iter().zip(primary.senders()) {
        let standby = sender.standby();
        table.rows.push(vec![
            some(row.pid),
            some(REPLICATION_ROLE_OID),
            some(REPLICATION_ROLE),
            Some(row.application_name),
            some(address(standby)),
            None,
            some(client_port(sender.connection())),
            some(session.moment(session.server, sender.started())),
            None,
            some(row.state),
            lsn(row.sent_lsn),
            lsn(row.write_lsn),
            lsn(row.flush_lsn),
            lsn(row.replay_lsn),
            lag(row.write_lag),
            lag(row.flush_lag),
            lag(row.replay_lag),
            some(row.sync_priority),
            some(row.sync_state.name()),
            sender.replied().map(|sent| session.moment(standby, sent)),
        ]);
    }
    table
}

const STAT_WAL_RECEIVER: [(&str, SqlType); 15] = [
    ("pid", Integer),
    ("status", Text),
    ("receive_start_lsn", PgLsn),
    ("receive_start_tli", Integer),
    ("written_lsn", PgLsn),
    ("flushed_lsn", PgLsn),
    ("received_tli", Integer),
    ("last_msg_send_time", Timestamptz),
    ("last_msg_receipt_time", Timestamptz),
    ("latest_end_lsn", PgLsn),
    ("latest_end_time", Timestamptz),
    ("slot_name", Text),
    ("sender_host", Text),
    ("sender_port", Integer),
    ("conninfo", Text),
];

/// What `pg_stat_wal_receiver` tells; moments are microseconds of a server's clock.
pub(super) struct Receiver<'a> {
    /// The name of the server that it streams from.
    pub upstream: &'a str,
    /// The slot that it uses.
    pub slot: Option<&'a str>,
    /// `receive_start_lsn`.
    pub start: Lsn,
    /// `written_lsn`.
    pub written: Option<Lsn>,
    /// `flushed_lsn`.
    pub flushed: Lsn,
    /// `receive_start_tli` and `received_tli`.
    pub timeline: TimelineId,
    /// `last_msg_send_time`.
    pub sent: i64,
    /// `last_msg_receipt_time`.
    pub read: i64,
    /// `latest_end_lsn`.
    pub latest_end: Option<Lsn>,
    /// `latest_end_time`.
    pub latest_end_at: i64,
}

impl<'a> Receiver<'a> {
    /// None unless there is a connection. Before the first message, its times are that of the
    /// process's start, by its own clock; a message has been sent by the upstream's.
    pub fn of(session: &Session<'a>) -> Option<Receiver<'a>> {
        let State::Standby(standby) = session.here().state() else { return None };
        let (receiver, host) = (&standby.receiver, &session.here().host);
        if !receiver.is_connected() {
            return None;
        }
        let (shown, upstream) = (receiver.shown(), receiver.upstream());
        let start = shown.start.segment_start(host.files.size);
        let sent_by = if shown.sent > shown.began { upstream } else { session.server };
        let (latest, raised) =
            session.latest_end.map_or((None, None), |end| (Some(end.lsn), end.raised));
        Some(Receiver {
            upstream: session.name_of(upstream),
            slot: host.primary_slot_name.map(|slot| host.slot_name(slot)),
            start,
            written: shown.has_written.then(|| receiver.positions().0),
            flushed: receiver.received().unwrap_or(start),
            timeline: host.timeline,
            sent: session.clock(sent_by, shown.sent),
            read: session.clock(session.server, shown.read),
            latest_end: latest.filter(|lsn| lsn.is_valid()),
            latest_end_at: match raised {
                Some(sent) => session.clock(upstream, sent),
                None => session.clock(session.server, shown.began),
            },
        })
    }
}

pub(super) fn stat_wal_receiver(session: &Session<'_>) -> Table {
    let mut table = empty(&STAT_WAL_RECEIVER);
    let Some(row) = Receiver::of(session) else { return table };
    let application = session.here().host.application_name(session.server);
    let moment = |clock| Some(output::timestamptz(clock));
    table.rows.push(vec![
        some(receiver_pid(session.server)),
        some("streaming"),
        some(row.start),
        some(row.timeline),
        lsn(row.written),
        some(row.flushed),
        some(row.timeline),
        moment(row.sent),
        moment(row.read),
        lsn(row.latest_end),
        moment(row.latest_end_at),
        row.slot.map(str::to_owned),
        some(row.upstream),
        some(PORT),
        some(conninfo(session.version(), row.upstream, application)),
    ]);
    table
}

/// `conninfo` of a standby: libpq's parameters, of which each version has more than the one before
/// (`libpqrcv_get_conninfo`).
pub fn conninfo(version: PgVersion, upstream: &str, application: &str) -> String {
    let since = |major: u8, text: &'static str| if version.major() >= major { text } else { "" };
    format!(
        "user={REPLICATION_ROLE} passfile=/var/lib/postgresql/.pgpass channel_binding=prefer \
         dbname=replication host={upstream} port={PORT} fallback_application_name={application} \
         sslmode=prefer {}sslcompression=0 {}{}ssl_min_protocol_version=TLSv1.2 gssencmode=prefer \
         krbsrvname=postgres {}target_session_attrs=any{}",
        since(17, "sslnegotiation=postgres "),
        since(16, "sslcertmode=allow "),
        since(14, "sslsni=1 "),
        since(16, "gssdelegation=0 "),
        since(16, " load_balance_hosts=disable"),
    )
}

/// Columns of `pg_replication_slots`, and since which version there are.
const REPLICATION_SLOTS: [(&str, SqlType, u8); 21] = [
    ("slot_name", Name, 13),
    ("plugin", Name, 13),
    ("slot_type", Text, 13),
    ("datoid", Oid, 13),
    ("database", Name, 13),
    ("temporary", Boolean, 13),
    ("active", Boolean, 13),
    ("active_pid", Integer, 13),
    ("xmin", Xid, 13),
    ("catalog_xmin", Xid, 13),
    ("restart_lsn", PgLsn, 13),
    ("confirmed_flush_lsn", PgLsn, 13),
    ("wal_status", Text, 13),
    ("safe_wal_size", Bigint, 13),
    ("two_phase", Boolean, 14),
    ("two_phase_at", PgLsn, 18),
    ("inactive_since", Timestamptz, 17),
    ("conflicting", Boolean, 16),
    ("invalidation_reason", Text, 17),
    ("failover", Boolean, 17),
    ("synced", Boolean, 17),
];

pub(super) fn replication_slots(session: &Session<'_>) -> Table {
    let here = REPLICATION_SLOTS.iter().filter(|(_, _, since)| session.since(*since));
    let columns: Vec<_> = here.map(|&(name, sql_type, _)| (name, sql_type)).collect();
    let row = |slot: super::ReplicationSlot| {
        let moment = |at| session.moment(session.server, at);
        let cells = [
            Some(slot.slot_name),
            slot.plugin,
            some(slot.slot_type),
            slot.datoid.map(|oid| oid.to_string()),
            slot.database,
            boolean(slot.temporary),
            boolean(slot.active),
            slot.active_pid.map(|pid| pid.to_string()),
            slot.xmin.map(|xid| xid.to_string()),
            slot.catalog_xmin.map(|xid| xid.to_string()),
            lsn(slot.restart_lsn),
            lsn(slot.confirmed_flush_lsn),
            slot.wal_status.map(|status| status.name().to_owned()),
            slot.safe_wal_size.map(|size| size.to_string()),
            slot.two_phase.map(output::boolean),
            lsn(slot.two_phase_at.flatten()),
            slot.inactive_since.flatten().map(moment),
            slot.conflicting.flatten().map(output::boolean),
            slot.invalidation_reason.flatten().map(str::to_owned),
            slot.failover.map(output::boolean),
            slot.synced.map(output::boolean),
        ];
        let all = cells.into_iter().zip(&REPLICATION_SLOTS);
        all.filter(|(_, (_, _, since))| session.since(*since)).map(|(cell, _)| cell).collect()
    };
    let rows = slots(session.here()).into_iter().map(row).collect();
    Table { rows, ..empty(&columns) }
}

/// What is counted of WAL: a standby makes none, and what its walreceiver writes does not count.
pub(super) fn stat_wal(session: &Session<'_>) -> Result<Table, SqlError> {
    if !session.since(14) {
        return Err(no_such_relation(Query::StatWal));
    }
    let counted = session.here().statistics();
    // Nobody counts what a primary makes but its bytes and fsyncs.
    let none = session.in_recovery().then(|| "0".to_owned());
    let mut cells = vec![
        ("wal_records", Bigint, none.clone()),
        ("wal_fpi", Bigint, none.clone()),
        ("wal_bytes", Numeric, some(counted.wal_bytes)),
        ("wal_buffers_full", Bigint, none.clone()),
    ];
    if !session.since(18) {
        // `track_wal_io_timing` is off by default: the times stay 0.
        cells.extend([
            ("wal_write", Bigint, none),
            ("wal_sync", Bigint, some(counted.wal_syncs)),
            ("wal_write_time", DoublePrecision, some(0)),
            ("wal_sync_time", DoublePrecision, some(0)),
        ]);
    }
    cells.push(("stats_reset", Timestamptz, some(stats_reset(session))));
    Ok(single(cells))
}

fn stats_reset(session: &Session<'_>) -> String {
    session.moment(session.server, session.here().statistics().since)
}

/// What the checkpointer's work comes to: a shutdown's counts since 14, the end of crash recovery
/// since 15, when the checkpointer makes that checkpoint too.
fn work(session: &Session<'_>) -> Work {
    let counts = session.here().statistics().checkpoints;
    let shutdown = if session.since(14) { counts.shutdown } else { Work::default() };
    let recovery = if session.since(15) { counts.recovery } else { Work::default() };
    counts.usual.and(shutdown).and(recovery)
}

/// To 16 with checkpoints, on a standby restartpoints among them.
pub(super) fn stat_bgwriter(session: &Session<'_>) -> Table {
    let (timed, work) = (session.here().statistics().checkpoints.timed, work(session));
    let mut cells = Vec::new();
    if !session.since(17) {
        cells.extend([
            ("checkpoints_timed", Bigint, some(timed)),
            ("checkpoints_req", Bigint, some(work.requested)),
            ("checkpoint_write_time", DoublePrecision, some(work.write_ms)),
            ("checkpoint_sync_time", DoublePrecision, some(work.sync_ms)),
            ("buffers_checkpoint", Bigint, some(work.buffers)),
        ]);
    }
    cells.extend([("buffers_clean", Bigint, None), ("maxwritten_clean", Bigint, None)]);
    if !session.since(17) {
        cells.extend([("buffers_backend", Bigint, None), ("buffers_backend_fsync", Bigint, None)]);
    }
    cells.push(("buffers_alloc", Bigint, None));
    cells.push(("stats_reset", Timestamptz, some(stats_reset(session))));
    single(cells)
}

/// Since 17. The restartpoint at a standby's shutdown counts among the checkpoints requested.
pub(super) fn stat_checkpointer(session: &Session<'_>) -> Result<Table, SqlError> {
    if !session.since(17) {
        return Err(no_such_relation(Query::StatCheckpointer));
    }
    let (counts, work) = (session.here().statistics().checkpoints, work(session));
    let standby = session.in_recovery();
    let of = |here: bool, count: u64| some(if here { count } else { 0 });
    let restartpoints = if standby { counts.usual.requested } else { 0 };
    let mut cells = vec![
        ("num_timed", Bigint, of(!standby, counts.timed)),
        ("num_requested", Bigint, some(work.requested - restartpoints)),
    ];
    if session.since(18) {
        cells.push(("num_done", Bigint, of(!standby, counts.done)));
    }
    cells.extend([
        ("restartpoints_timed", Bigint, of(standby, counts.timed)),
        ("restartpoints_req", Bigint, some(restartpoints)),
        ("restartpoints_done", Bigint, of(standby, counts.done)),
        ("write_time", DoublePrecision, some(work.write_ms)),
        ("sync_time", DoublePrecision, some(work.sync_ms)),
        ("buffers_written", Bigint, some(work.buffers)),
    ]);
    if session.since(18) {
        cells.push(("slru_written", Bigint, None));
    }
    cells.push(("stats_reset", Timestamptz, some(stats_reset(session))));
    Ok(single(cells))
}

pub(super) fn ls_waldir(session: &Session<'_>) -> Table {
    let columns = [("name", Text), ("size", Bigint), ("modification", Timestamptz)];
    let file = |file: super::WalFile| vec![some(file.name), some(file.size.0), None];
    Table { rows: files(session.here()).into_iter().map(file).collect(), ..empty(&columns) }
}

/// A function that gives one value.
pub(super) fn value(query: Query, sql_type: SqlType, cell: Cell) -> Table {
    single(vec![(query.name(), sql_type, cell)])
}

pub(super) fn is_in_recovery(session: &Session<'_>) -> Table {
    value(Query::IsInRecovery, Boolean, boolean(session.in_recovery()))
}

/// A function of the current WAL: on a standby that is an error.
pub(super) fn current(
    session: &Session<'_>,
    query: Query,
    position: impl Fn(WalLsn) -> Option<Lsn>,
) -> Result<Table, SqlError> {
    let lsn = position(session.positions()).ok_or_else(recovery_in_progress)?;
    Ok(value(query, PgLsn, some(lsn)))
}
