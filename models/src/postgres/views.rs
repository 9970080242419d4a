//! What PostgreSQL's monitoring views show of a server: pure functions of its state.
//!
//! Each function gives the rows of one view or function at one moment, with the columns that the
//! server's version has. SQL's NULL is `None`. A column that not all versions have is a
//! [`Column`]: `None` where the version lacks it, and then it is not written out at all.
//!
//! **Source.** Manual, "Monitoring Database Activity", "System Views", "System Administration
//! Functions"; `slotfuncs.c:pg_get_replication_slots`, `xlog.c:GetWALAvailability`,
//! `walsender.c:pg_stat_get_wal_senders`, `genfile.c:pg_ls_waldir`,
//! `pg_controldata.c:pg_control_checkpoint`.
//!
//! **Not modelled.** Sessions in `pg_stat_activity` other than those that wait for standbys.
//! In [`Rows`]: columns about users, addresses and times of backends ([`Session`] has them). The
//! modification time of WAL files; everything else in pg_control. On a standby `wal_status` and
//! `safe_wal_size` count from the end of the WAL it has written.

mod exporter;
mod monitoring;
mod query;
mod session;
mod tables;

pub use query::Query;
pub use session::{LatestEnd, PORT, REPLICATION_ROLE, Session, address};
pub use tables::conninfo;

use serde::Serialize;

use super::backend::Waiting;
use super::host::Host;
use super::primary::Primary;
use super::server::{Server, State};
use super::slot::{Limits, Slot};
use super::syncrep::SyncState;
use super::walsender::Phase;
use crate::trace::messages::Process;
use crate::units::{Bytes, Duration, Lsn, SimTime, TimelineId, WalSegment};

/// A column that not every version has.
pub type Column<T> = Option<T>;

/// The rows of one view.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "view", content = "rows")]
pub enum Rows {
    /// `pg_replication_slots`.
    #[serde(rename = "pg_replication_slots")]
    ReplicationSlots(Vec<ReplicationSlot>),
    /// `pg_ls_waldir()`.
    #[serde(rename = "pg_ls_waldir")]
    LsWaldir(Vec<WalFile>),
    /// `pg_stat_replication`.
    #[serde(rename = "pg_stat_replication")]
    StatReplication(Vec<StatReplication>),
    /// The WAL positions.
    #[serde(rename = "pg_current_wal_lsn")]
    WalLsn(Vec<WalLsn>),
    /// `pg_control_checkpoint()`.
    #[serde(rename = "pg_control_checkpoint")]
    ControlCheckpoint(Vec<ControlCheckpoint>),
    /// `pg_stat_activity`, of sessions that wait for standbys.
    #[serde(rename = "pg_stat_activity")]
    StatActivity(Vec<StatActivity>),
}

impl Rows {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Rows::ReplicationSlots(rows) => rows.len(),
            Rows::LsWaldir(rows) => rows.len(),
            Rows::StatReplication(rows) => rows.len(),
            Rows::WalLsn(rows) => rows.len(),
            Rows::ControlCheckpoint(rows) => rows.len(),
            Rows::StatActivity(rows) => rows.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// `pg_replication_slots.wal_status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WalStatus {
    /// Its WAL is within `max_wal_size`.
    Reserved,
    /// Beyond that, but kept.
    Extended,
    /// Not kept any more: the next checkpoint may remove it.
    Unreserved,
    /// Removed.
    Lost,
}

impl WalStatus {
    /// As the view has it.
    pub fn name(self) -> &'static str {
        match self {
            WalStatus::Reserved => "reserved",
            WalStatus::Extended => "extended",
            WalStatus::Unreserved => "unreserved",
            WalStatus::Lost => "lost",
        }
    }
}

/// A row of `pg_replication_slots`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReplicationSlot {
    /// Its name.
    pub slot_name: String,
    /// NULL for a physical slot.
    pub plugin: Option<String>,
    /// `physical`.
    pub slot_type: &'static str,
    /// NULL for a physical slot.
    pub datoid: Option<u32>,
    /// NULL for a physical slot.
    pub database: Option<String>,
    /// Never.
    pub temporary: bool,
    /// Whether a walsender owns it.
    pub active: bool,
    /// Which one.
    pub active_pid: Option<u32>,
    /// Not modelled.
    pub xmin: Option<u32>,
    /// NULL for a physical slot.
    pub catalog_xmin: Option<u32>,
    /// Oldest WAL it keeps.
    pub restart_lsn: Option<Lsn>,
    /// NULL for a physical slot.
    pub confirmed_flush_lsn: Option<Lsn>,
    /// Whether that WAL is kept.
    pub wal_status: Option<WalStatus>,
    /// Bytes that can be written before it is in danger; negative when that is passed.
    pub safe_wal_size: Option<i64>,
    /// 14 and later; never for a physical slot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub two_phase: Column<bool>,
    /// 18 and later; NULL for a physical slot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub two_phase_at: Column<Option<Lsn>>,
    /// 17 and later: since when nobody owns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inactive_since: Column<Option<SimTime>>,
    /// 16 and later; NULL for a physical slot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conflicting: Column<Option<bool>>,
    /// 17 and later: why it is lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invalidation_reason: Column<Option<&'static str>>,
    /// 17 and later; never for a physical slot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failover: Column<bool>,
    /// 17 and later; never for a physical slot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synced: Column<bool>,
}

/// A row of `pg_ls_waldir()`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WalFile {
    /// Its name.
    pub name: WalSegment,
    /// Its size: always that of a segment.
    pub size: Bytes,
}

/// A row of `pg_stat_replication`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StatReplication {
    /// Process id of the walsender: fictitious, the one of the logs.
    pub pid: u32,
    /// The standby.
    pub application_name: String,
    /// `startup`, `catchup`, `streaming` or `stopping`.
    pub state: &'static str,
    /// End of what was handed to the socket. Positions are NULL until they are known.
    pub sent_lsn: Option<Lsn>,
    /// Written by the standby.
    pub write_lsn: Option<Lsn>,
    /// Flushed by the standby.
    pub flush_lsn: Option<Lsn>,
    /// Replayed by the standby.
    pub replay_lsn: Option<Lsn>,
    /// Time since the local flush of what was written there.
    pub write_lag: Option<Duration>,
    /// The same for its flush.
    pub flush_lag: Option<Duration>,
    /// The same for its replay.
    pub replay_lag: Option<Duration>,
    /// Its place in `synchronous_standby_names`, from 1; 0: none.
    pub sync_priority: u32,
    /// `async`, `potential`, `sync` or `quorum`.
    pub sync_state: SyncState,
}

/// The WAL positions of a server, each of its own function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WalLsn {
    /// `pg_is_in_recovery()`.
    pub in_recovery: bool,
    /// `pg_current_wal_insert_lsn()`; it and the next two are errors on a standby, here NULL.
    pub insert_lsn: Option<Lsn>,
    /// `pg_current_wal_lsn()`.
    pub write_lsn: Option<Lsn>,
    /// `pg_current_wal_flush_lsn()`.
    pub flush_lsn: Option<Lsn>,
    /// `pg_last_wal_receive_lsn()`; NULL on a primary.
    pub receive_lsn: Option<Lsn>,
    /// `pg_last_wal_replay_lsn()`; NULL on a primary that has recovered from nothing.
    pub replay_lsn: Option<Lsn>,
}

/// `pg_control_checkpoint()`, in part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ControlCheckpoint {
    /// Start of the record of the last completed checkpoint or restartpoint.
    pub checkpoint_lsn: Lsn,
    /// Its redo point.
    pub redo_lsn: Lsn,
    /// The file that holds it.
    pub redo_wal_file: WalSegment,
    /// Its timeline.
    pub timeline_id: TimelineId,
}

/// A row of `pg_stat_activity`, in part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StatActivity {
    /// Process id of the backend: fictitious, the one of the logs.
    pub pid: u32,
    /// The workload.
    pub application_name: String,
    /// When its statement began.
    pub query_start: SimTime,
    /// `IPC`.
    pub wait_event_type: &'static str,
    /// `SyncRep`.
    pub wait_event: &'static str,
    /// `active`.
    pub state: &'static str,
    /// `client backend`.
    pub backend_type: &'static str,
}

/// `pg_stat_activity where wait_event = 'SyncRep'`: in the order of their commit records. A
/// session whose client is gone is no other than the rest.
pub fn stat_activity(server: &Server) -> Vec<StatActivity> {
    let State::Primary(primary) = server.state() else { return Vec::new() };
    let rows = primary.waiting_for_standbys().into_iter().map(|interruptible| {
        let Waiting { session, start, .. } = interruptible.waiting;
        let process = Process::Client(session);
        StatActivity {
            pid: process.pid(server.id()),
            application_name: server.host.client_name(session).to_owned(),
            query_start: start,
            wait_event_type: "IPC",
            wait_event: "SyncRep",
            state: "active",
            backend_type: process.name(),
        }
    });
    rows.collect()
}

/// `pg_replication_slots`.
pub fn replication_slots(server: &Server) -> Vec<ReplicationSlot> {
    let major = server.settings().version().major();
    let since = |version| major >= version;
    let row = |slot: &Slot| {
        let wal_status = wal_status(server, slot);
        ReplicationSlot {
            slot_name: server.host.slot_name(slot.name).to_owned(),
            plugin: None,
            slot_type: "physical",
            datoid: None,
            database: None,
            temporary: false,
            active: slot.owner.is_some(),
            active_pid: slot.owner.map(|owner| owner_pid(server, owner)),
            xmin: None,
            catalog_xmin: None,
            restart_lsn: slot.restart,
            confirmed_flush_lsn: None,
            wal_status,
            safe_wal_size: safe_wal_size(server, slot),
            two_phase: since(14).then_some(false),
            two_phase_at: since(18).then_some(None),
            inactive_since: since(17).then(|| inactive_since(slot)),
            conflicting: since(16).then_some(None),
            invalidation_reason: since(17).then(|| slot.invalid.map(|why| why.name())),
            failover: since(17).then_some(false),
            synced: since(17).then_some(false),
        }
    };
    server.host.slots.iter().map(row).collect()
}

/// `inactive_since`: when the slot was let go; NULL while somebody owns it.
fn inactive_since(slot: &Slot) -> Option<SimTime> {
    slot.owner.is_none().then_some(slot.released_at)
}

fn owner_pid(server: &Server, owner: usize) -> u32 {
    match server.state() {
        State::Primary(primary) => primary.sender_pid(owner, &server.host),
        State::Standby(_) | State::Recovering { .. } | State::Down => 0,
    }
}

/// `pg_ls_waldir()`: the segment files, in the order of their names.
pub fn ls_waldir(server: &Server) -> Vec<WalFile> {
    let files = &server.host.files;
    let size = Bytes(files.size.bytes());
    server.host.wal_files().map(|name| WalFile { name, size }).collect()
}

/// `pg_stat_replication`.
pub fn stat_replication(server: &Server) -> Vec<StatReplication> {
    match server.state() {
        State::Primary(primary) => walsenders(primary, &server.host),
        State::Standby(_) | State::Recovering { .. } | State::Down => Vec::new(),
    }
}

fn walsenders(primary: &Primary, host: &Host) -> Vec<StatReplication> {
    let known = |lsn: Lsn| Some(lsn).filter(|lsn| lsn.is_valid());
    let rows = primary.senders().map(|(index, sender)| {
        let standby = &primary.standbys()[index];
        let (sync_state, sync_priority) = primary.syncrep().sync_state(primary.standbys(), index);
        let lags = sender.columns();
        StatReplication {
            pid: primary.sender_pid(index, host),
            application_name: host.application_name(sender.standby()).to_owned(),
            state: match sender.phase() {
                Phase::Startup => "startup",
                Phase::Catchup => "catchup",
                Phase::Streaming => "streaming",
            },
            sent_lsn: known(sender.sent()),
            write_lsn: known(standby.write),
            flush_lsn: known(standby.flush),
            replay_lsn: known(standby.apply),
            write_lag: lags.write_lag,
            flush_lag: lags.flush_lag,
            replay_lag: lags.replay_lag,
            sync_priority,
            sync_state,
        }
    });
    rows.collect()
}

/// The WAL positions; none of a server that does not run.
pub fn wal_lsn(server: &Server, now: SimTime) -> Option<WalLsn> {
    let files = &server.host.files;
    match server.state() {
        State::Primary(primary) => Some(WalLsn {
            // `XLogBytePosToRecPtr`: at the end of a page it skips the next one's header.
            insert_lsn: Some(primary.wal.next_record()),
            write_lsn: Some(files.written),
            flush_lsn: Some(files.flushed),
            replay_lsn: primary.replayed(),
            ..WalLsn::default()
        }),
        State::Standby(standby) => Some(WalLsn {
            in_recovery: true,
            receive_lsn: standby.receiver.received(),
            replay_lsn: Some(standby.replayed_at(now)),
            ..WalLsn::default()
        }),
        State::Recovering { .. } | State::Down => None,
    }
}

/// `pg_control_checkpoint()`.
pub fn control_checkpoint(server: &Server) -> ControlCheckpoint {
    let files = &server.host.files;
    ControlCheckpoint {
        checkpoint_lsn: server.host.checkpoint,
        redo_lsn: files.redo,
        redo_wal_file: server.host.segment(files.redo.segment(files.size)),
        timeline_id: server.host.timeline,
    }
}

/// `pg_replication_slots.wal_status`.
pub fn wal_status(server: &Server, slot: &Slot) -> Option<WalStatus> {
    let (host, limits) = (&server.host, Limits::new(server.settings()));
    let status = match (slot.invalid, slot.restart) {
        (None, None) => return None,
        (Some(_), _) => WalStatus::Lost,
        (None, Some(restart)) => {
            let minimum = host.slots.minimum();
            limits.availability(restart, host.files.written, minimum, host.slots.last_removed())
        }
    };
    // Its walsender still has an open file, or has WAL in hand that was removed meanwhile.
    let held = status == WalStatus::Lost && slot.restart.is_some() && slot.owner.is_some();
    Some(if held { WalStatus::Unreserved } else { status })
}

/// `pg_replication_slots.safe_wal_size`: also of a slot that was never used, as if it kept
/// segment 0.
pub fn safe_wal_size(server: &Server, slot: &Slot) -> Option<i64> {
    if wal_status(server, slot) == Some(WalStatus::Lost) {
        return None;
    }
    Limits::new(server.settings()).safe_wal_size(slot.restart, server.host.files.written)
}

impl Limits {
    // ANCHOR: availability
    /// `GetWALAvailability`, with the write position, the minimum of all slots, and the highest
    /// segment removed.
    fn availability(
        &self,
        restart: Lsn,
        write: Lsn,
        minimum: Option<Lsn>,
        last_removed: u64,
    ) -> WalStatus {
        let (current, target) = (write.segment(self.size), restart.segment(self.size));
        let most = self.size.segments_in(self.max_wal_size) + 1;
        let oldest_in_max = if current > most { current - most } else { 1 };
        if target >= self.keep_segment(write, minimum) {
            return match target >= oldest_in_max {
                true => WalStatus::Reserved,
                false => WalStatus::Extended,
            };
        }
        if target > last_removed { WalStatus::Unreserved } else { WalStatus::Lost }
    }
    // ANCHOR_END: availability

    fn safe_wal_size(&self, restart: Option<Lsn>, write: Lsn) -> Option<i64> {
        let target = restart.map_or(0, |restart| restart.segment(self.size));
        let cap = self.size.segments_in(self.max_slot_wal_keep_size?);
        let kept = cap.max(self.size.segments_in(self.wal_keep_size));
        let end = i128::from(target + kept + 1) * i128::from(self.size.bytes());
        i64::try_from(end - i128::from(write.0)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::SegmentSize;

    const S: u64 = 16 << 20;
    const WRITE: Lsn = Lsn(100 * S + 0x28);

    fn limits(cap: Option<u64>, keep: u64) -> Limits {
        Limits {
            size: SegmentSize::DEFAULT,
            max_slot_wal_keep_size: cap.map(Bytes::mb),
            wal_keep_size: Bytes::mb(keep),
            max_wal_size: Bytes::mb(1024),
            idle: None,
        }
    }

    /// A single slot in segment `target`, with WAL written up to segment 100.
    fn shown(target: u64, cap: Option<u64>, keep: u64, removed: u64) -> (WalStatus, Option<i64>) {
        let (limits, restart) = (limits(cap, keep), Lsn(target * S));
        let status = limits.availability(restart, WRITE, Some(restart), removed);
        let safe = limits.safe_wal_size(Some(restart), WRITE);
        (status, safe.filter(|_| status != WalStatus::Lost))
    }

    #[test]
    fn wal_status_and_safe_wal_size_are_postgresqls() {
        use WalStatus::{Extended, Lost, Reserved, Unreserved};
        assert_eq!(shown(35, None, 0, 0), (Reserved, None));
        assert_eq!(shown(34, None, 0, 0), (Extended, None));
        assert_eq!(shown(68, Some(512), 0, 0), (Reserved, Some(16_777_176)));
        assert_eq!(shown(67, Some(512), 0, 60), (Unreserved, Some(-40)));
        assert_eq!(shown(20, Some(512), 0, 60), (Lost, None));
        assert_eq!(shown(67, Some(512), 640, 0), (Reserved, Some(134_217_688)));
    }

    /// Recorded on 15.18.
    #[test]
    fn safe_wal_size_goes_below_zero() {
        let (restart, write) = (Lsn(0x300_00D8), Lsn(0xC06_A000));
        let limits = limits(Some(128), 0);
        assert_eq!(limits.safe_wal_size(Some(restart), write), Some(-434_176));
        let status = limits.availability(restart, write, Some(restart), 0);
        assert_eq!(status, WalStatus::Unreserved);
    }

    /// Recorded on 15.18: a slot that was never used counts as if it kept segment 0.
    #[test]
    fn safe_wal_size_of_an_unused_slot_is_a_number() {
        let safe = limits(Some(128), 1024).safe_wal_size(None, Lsn(0x150_0790));
        assert_eq!(safe, Some(1_068_497_008));
    }
}
