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
    /// Where the timelines before it ended here, the oldest first.
    pub history: Vec<(TimelineId, Lsn)>,
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
            history: Vec::new(),
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

    /// A new timeline begins here, where the one before ends.
    pub fn begin_timeline(&mut self, end: Lsn) {
        self.history.push((self.timeline, end));
        self.timeline = self.timeline.next();
    }

    /// The files of pg_wal, in the order of their names. Where a timeline ended within a segment,
    /// that is there twice: the copy belongs to the next.
    pub fn wal_files(&self) -> impl Iterator<Item = WalSegment> {
        let WalFiles { size, oldest, newest, .. } = self.files;
        let mut first = 0;
        let mut spans: Vec<(TimelineId, u64, u64)> = Vec::new();
        for &(timeline, end) in &self.history {
            spans.push((timeline, first, end.previous_segment(size)));
            first = end.segment(size);
        }
        spans.push((self.timeline, first, newest));
        spans.into_iter().flat_map(move |(timeline, first, last)| {
            let numbers = first.max(oldest)..=last.min(newest);
            numbers.map(move |number| WalSegment { timeline, number, size })
        })
    }

    /// Bytes of the files in pg_wal.
    pub fn pg_wal(&self) -> Bytes {
        let size = self.files.size;
        let is_copied = |(_, end): &&(TimelineId, Lsn)| {
            *end != end.segment_start(size) && end.segment(size) >= self.files.oldest
        };
        let copies = self.history.iter().filter(is_copied).count() as u64;
        Bytes(self.files.bytes().0 + copies * size.bytes())
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
