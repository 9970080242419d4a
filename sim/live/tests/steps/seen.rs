//! What a view shows, as far as it has to be the same: a text for each row.
//!
//! Positions are told by what they are equal to, or by their segment; `pg_ls_waldir` has the names
//! of the files; of `safe_wal_size` there is the position at which it is zero.
//!
//! **Not compared.** Process ids, addresses, times, lags.

use live::divergences::Tally;
use live::{Error, Server};
use models::postgres::views::{
    ControlCheckpoint, ReplicationSlot, Rows, StatActivity, StatReplication, WalLsn,
};
use models::trace::Run;
use models::trace::observation::Observation;
use models::units::{Lsn, SegmentSize};
use scenarios::action::View;

/// What a view of a server showed.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    pub server: usize,
    /// Whether it is the first of its `observe`.
    pub first: bool,
    pub view: View,
    pub rows: Vec<String>,
}

fn size() -> SegmentSize {
    SegmentSize::new(1 << 20).expect("a power of two")
}

/// Asks a real server.
pub fn look(server: &Server, index: usize, view: View, first: bool) -> Result<Look, Error> {
    let printed = server.query(sql(view))?;
    let rows = printed.lines().filter(|line| !line.is_empty()).map(str::to_owned);
    Ok(Look { server: index, first, view, rows: rows.collect() })
}

/// The columns of [`ours`], of a real server.
fn sql(view: View) -> &'static str {
    match view {
        View::StatReplication => {
            "SELECT concat_ws(' ', application_name, state, sync_state, sync_priority, \
             CASE WHEN sent_lsn = end_lsn THEN 'all' ELSE 'part' END, \
             CASE WHEN write_lsn = end_lsn THEN 'all' ELSE 'part' END, \
             CASE WHEN flush_lsn = end_lsn THEN 'all' ELSE 'part' END, \
             CASE WHEN replay_lsn = end_lsn THEN 'all' ELSE 'part' END) \
             FROM pg_stat_replication, pg_current_wal_flush_lsn() end_lsn"
        }
        View::ReplicationSlots => {
            "SELECT concat_ws(' ', slot_name, active, \
             coalesce(trunc(pg_wal_lsn_diff(restart_lsn, '0/0') / 1048576)::text, '-'), \
             coalesce(wal_status, '-'), \
             coalesce(((safe_wal_size + pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')) \
             / 1048576)::numeric(9, 2)::text, '-')) \
             FROM pg_replication_slots ORDER BY slot_name"
        }
        View::LsWaldir => {
            "SELECT name FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$' ORDER BY name"
        }
        View::StatActivity => {
            "SELECT concat_ws(' ', application_name, wait_event_type, wait_event, state) \
             FROM pg_stat_activity WHERE wait_event = 'SyncRep' ORDER BY application_name"
        }
        View::WalLsn => {
            "SELECT concat_ws(' ', pg_is_in_recovery(), \
             CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 'all' \
             ELSE 'part' END)"
        }
        View::ControlCheckpoint => {
            "SELECT trunc(pg_wal_lsn_diff(redo_lsn, '0/0') / 1048576) FROM pg_control_checkpoint()"
        }
    }
}

/// Walden's rows in the same form, with what the primary has written and flushed.
fn ours(look: &Observation, [written, flushed]: [Lsn; 2]) -> (View, Vec<String>) {
    let reached = |lsn: Option<Lsn>| if lsn == Some(flushed) { "all" } else { "part" };
    let letter = |yes: bool| if yes { "t" } else { "f" };
    let segment = |lsn: Option<Lsn>| {
        lsn.map_or_else(|| "-".to_owned(), |lsn| lsn.segment(size()).to_string())
    };
    match &look.rows {
        Rows::StatReplication(rows) => {
            let row = |row: &StatReplication| {
                format!(
                    "{} {} {} {} {} {} {} {}",
                    row.application_name,
                    row.state,
                    row.sync_state,
                    row.sync_priority,
                    reached(row.sent_lsn),
                    reached(row.write_lsn),
                    reached(row.flush_lsn),
                    reached(row.replay_lsn)
                )
            };
            (View::StatReplication, rows.iter().map(row).collect())
        }
        Rows::ReplicationSlots(rows) => {
            let row = |row: &ReplicationSlot| {
                let zero = row.safe_wal_size.map(|safe| {
                    let end = i64::try_from(written.0).expect("small");
                    format!("{:.2}", (safe + end) as f64 / 1_048_576.0)
                });
                format!(
                    "{} {} {} {} {}",
                    row.slot_name,
                    letter(row.active),
                    segment(row.restart_lsn),
                    row.wal_status.map_or("-", |status| status.name()),
                    zero.unwrap_or_else(|| "-".to_owned())
                )
            };
            (View::ReplicationSlots, rows.iter().map(row).collect())
        }
        Rows::LsWaldir(rows) => {
            (View::LsWaldir, rows.iter().map(|file| file.name.to_string()).collect())
        }
        Rows::StatActivity(rows) => {
            let row = |row: &StatActivity| {
                let (kind, event) = (row.wait_event_type, row.wait_event);
                format!("{} {kind} {event} {}", row.application_name, row.state)
            };
            let mut rows: Vec<String> = rows.iter().map(row).collect();
            rows.sort();
            (View::StatActivity, rows)
        }
        Rows::WalLsn(rows) => {
            let row = |row: &WalLsn| {
                let same = row.receive_lsn.is_some() && row.receive_lsn == row.replay_lsn;
                format!("{} {}", letter(row.in_recovery), if same { "all" } else { "part" })
            };
            (View::WalLsn, rows.iter().map(row).collect())
        }
        Rows::ControlCheckpoint(rows) => {
            let row = |row: &ControlCheckpoint| segment(Some(row.redo_lsn));
            (View::ControlCheckpoint, rows.iter().map(row).collect())
        }
    }
}

/// Compares all looks, in order. Each `observe` of Walden's follows one of the positions of the
/// first server, if that runs.
pub fn compare(name: &str, real: &[Look], run: &Run, tally: &mut Tally) {
    let mut looks = run.observations.iter().peekable();
    let mut end = [Lsn::INVALID; 2];
    for (n, real) in real.iter().enumerate() {
        let of_first = looks.next_if(|look| real.first && look.server.index() == 0);
        if let Some(Rows::WalLsn(rows)) = of_first.map(|look| &look.rows) {
            let row = rows.first();
            let known = |lsn: Option<Lsn>, before: Lsn| lsn.unwrap_or(before);
            let written = row.and_then(|row| row.write_lsn);
            let flushed = row.and_then(|row| row.flush_lsn);
            end = [known(written, end[0]), known(flushed, end[1])];
        }
        let look = looks.next().expect("as many looks");
        let (view, rows) = ours(look, end);
        assert_eq!((view, look.server.index()), (real.view, real.server), "{name}: the same view");
        let what = format!("{name}, look {n} at {} ms: {}", look.at.0 / 1_000_000, view.name());
        tally.compare(&what, None, &real.rows, &rows);
    }
}
