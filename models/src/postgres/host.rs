//! A server's host: what survives a crash of its processes, and mostly of the host itself.
//!
//! Files, disk and replication slots. What does not survive, shared memory and processes, is
//! rebuilt from this.
//!
//! **Source.** `controldata_utils.c`.
//!
//! **Not modelled.** What pg_control holds beside the last checkpoint.

use super::ConnectionId;
use super::backend::Session;
use super::command::SlotName;
use super::slot::Slots;
use super::wal::{NoSpace, WalFiles};
use crate::disk::Disk;
use crate::trace::fact::ServerId;
use crate::units::{Bytes, Lsn, SegmentSize, SimTime, TimelineId, UsableBytes, WalSegment};

/// What survives a crash of a server's processes, and mostly of its host.
#[derive(Clone, Debug)]
pub struct Host {
    /// Files of pg_wal.
    pub files: WalFiles,
    /// The volume they are on.
    pub disk: Disk,
    /// Physical replication slots.
    pub slots: Slots,
    /// Its timeline.
    pub timeline: TimelineId,
    /// Start of the last checkpoint's record (pg_control).
    pub checkpoint: Lsn,
    /// The slot it uses at its upstream (`primary_slot_name`).
    pub primary_slot_name: Option<SlotName>,
    /// When the message in hand was sent: views show it.
    pub sent: SimTime,
    id: ServerId,
    names: Names,
    connections: u32,
}

/// The names that a server knows others by.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// `application_name` of every server of the run, indexed by [`ServerId`].
    pub applications: Vec<String>,
    /// Names of slots, indexed by [`SlotName`].
    pub slots: Vec<String>,
    /// Names of workloads, indexed by [`Session::workload`].
    pub workloads: Vec<String>,
}

impl Host {
    /// Creates the file behind the newest (`PreallocXlogFiles`), zero-filled and fsynced in the
    /// background.
    pub fn add_file(&mut self, now: SimTime) -> Result<(), NoSpace> {
        self.files.add()?;
        self.disk.fsync(now, Bytes(self.files.size.bytes()));
        Ok(())
    }

    /// The host of server `id`, with these files and slots.
    pub fn new(
        id: ServerId,
        files: WalFiles,
        disk: Disk,
        slots: Slots,
        timeline: TimelineId,
        names: Names,
    ) -> Host {
        let connections = u32::from(id.0) << 24;
        let checkpoint = files.redo;
        Host {
            files,
            disk,
            slots,
            timeline,
            checkpoint,
            primary_slot_name: None,
            sent: SimTime::ZERO,
            id,
            names,
            connections,
        }
    }

    /// Its server.
    pub fn id(&self) -> ServerId {
        self.id
    }

    /// `application_name` of a standby's connections.
    pub fn application_name(&self, standby: ServerId) -> &str {
        &self.names.applications[standby.index()]
    }

    /// The name of a slot.
    pub fn slot_name(&self, slot: SlotName) -> &str {
        self.names.slots.get(usize::from(slot.0)).map_or("?", String::as_str)
    }

    /// `application_name` of a client's session: the workload.
    pub fn client_name(&self, session: Session) -> &str {
        self.names.workloads.get(usize::from(session.workload)).map_or("?", String::as_str)
    }

    /// The segment with this number on this server's timeline.
    pub fn segment(&self, number: u64) -> WalSegment {
        WalSegment { timeline: self.timeline, number, size: self.files.size }
    }

    /// A number for the next connection that this server opens.
    pub fn next_connection(&mut self) -> ConnectionId {
        self.connections += 1;
        ConnectionId(self.connections)
    }
}

/// Where the checkpoint record that ends at `end` starts: it takes 114 bytes, aligned to 120.
pub fn checkpoint_record_start(end: Lsn, size: SegmentSize) -> Lsn {
    let end = UsableBytes::from_lsn(end, size);
    UsableBytes(end.0.saturating_sub(120)).start_lsn(size)
}
