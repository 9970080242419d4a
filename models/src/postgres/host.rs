//! A server's host: what survives a crash of its processes, and mostly of the host itself.
//!
//! Files, disk and replication slots. What does not survive, shared memory and processes, is
//! rebuilt from this.
//!
//! **Source.** `slot.c`, `controldata_utils.c`; the manual, "Replication Slots".
//!
//! **Not modelled.** Slots are durable at once, where PostgreSQL saves their position only at
//! checkpoints: after a crash a slot here keeps less WAL than there.

use super::ConnectionId;
use super::wal::WalFiles;
use crate::disk::Disk;
use crate::trace::fact::ServerId;
use crate::units::{Lsn, TimelineId, WalSegment};

/// What survives a crash of a server's processes, and mostly of its host.
#[derive(Clone, Debug)]
pub struct Host {
    /// Files of pg_wal.
    pub files: WalFiles,
    /// The volume they are on.
    pub disk: Disk,
    /// Physical replication slots.
    pub slots: Vec<Slot>,
    /// Its timeline.
    pub timeline: TimelineId,
    application_names: Vec<String>,
    connections: u32,
}

/// A physical replication slot.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Its name.
    pub name: String,
    /// The standby that is configured to use it.
    pub standby: ServerId,
    /// `restart_lsn`.
    pub restart: Option<Lsn>,
    /// The walsender that owns it.
    pub owner: Option<usize>,
    /// Invalidated: WAL that it needs is gone, and it keeps none any more.
    pub lost: bool,
}

impl Slot {
    /// Its owner is gone.
    pub fn give_up(&mut self) {
        self.owner = None;
    }
}

impl Host {
    /// A host with these files and slots; its connections are numbered from `first_connection`.
    pub fn new(
        files: WalFiles,
        disk: Disk,
        slots: Vec<Slot>,
        timeline: TimelineId,
        application_names: Vec<String>,
        first_connection: u32,
    ) -> Host {
        Host { files, disk, slots, timeline, application_names, connections: first_connection }
    }

    /// `application_name` of a standby's connections.
    pub fn application_name(&self, standby: ServerId) -> &str {
        &self.application_names[standby.index()]
    }

    /// The segment with this number on this server's timeline.
    pub fn segment(&self, number: u64) -> WalSegment {
        WalSegment { timeline: self.timeline, number, size: self.files.size }
    }

    /// The oldest position that a slot keeps.
    pub fn oldest_slot(&self) -> Option<Lsn> {
        self.slots.iter().filter_map(|slot| slot.restart).min()
    }

    /// A number for the next connection that this server opens.
    pub fn next_connection(&mut self) -> ConnectionId {
        self.connections += 1;
        ConnectionId(self.connections)
    }

    /// A restartpoint: files below its redo point go.
    pub fn remove_below_redo(&mut self) {
        let files = &mut self.files;
        files.oldest = files.oldest.max(files.redo.segment(files.size));
        files.newest = files.newest.max(files.oldest);
    }
}
