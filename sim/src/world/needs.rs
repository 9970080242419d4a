//! How much WAL each standby and each slot would have needed to be kept.
//!
//! A segment goes when a checkpoint ends whose redo point lies beyond it and from whose record on
//! `wal_keep_size`, or for a slot `max_slot_wal_keep_size`, does not reach back to it. Turned
//! round: at the end of each checkpoint whoever still needs the segment `s`, below that of the redo
//! point, needs all from `s` to the segment of the record's end. The largest over a run is the
//! smallest setting with which nothing would have been lost: exactly if nothing was, else at least
//! so much, because a run that lost something says nothing about what came after.
//!
//! A walsender needs what it reads next; a standby that connects, what it asks for, after all
//! checkpoints that ended while it was away; one that has not come back, what it would ask for.
//!
//! **Source.** `xlog.c:KeepLogSeg`, `CreateCheckPoint`; `walsender.c:XLogSendPhysical`.
//!
//! **Not modelled.** Nothing more than the machines do not model.

use models::postgres::server::State;
use models::postgres::walsender::WalSender;
use models::trace::fact::{Refusal, ServerId, What};
use models::units::{Bytes, Lsn, SegmentSize};
use scenarios::scenario::Scenario;

use super::World;

/// The last checkpoint of a server, in segments.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LastCheckpoint {
    /// That of its redo point.
    redo: u64,
    /// That of its record's end.
    end: u64,
}

impl LastCheckpoint {
    /// A checkpoint with this redo point, whose record ends there.
    pub fn new(redo: Lsn, end: Lsn, size: SegmentSize) -> LastCheckpoint {
        LastCheckpoint { redo: redo.segment(size), end: end.segment(size) }
    }

    /// What has to be kept for somebody who needs `segment`.
    pub fn keeps(self, segment: u64, size: SegmentSize) -> Bytes {
        let segments = if segment < self.redo { self.end.saturating_sub(segment) } else { 0 };
        Bytes(segments * size.bytes())
    }
}

impl World {
    /// Something happened on a server: what does it say about WAL that has to be kept?
    pub(super) fn note_needs(&mut self, server: usize, what: &What) {
        match *what {
            What::CheckpointDone { redo, end, .. } => {
                let size = self.servers[server].host.files.size;
                let last = LastCheckpoint::new(redo, end, size);
                if let Some(recorder) = &mut self.recorder {
                    recorder.servers[server].last_checkpoint = last;
                }
                self.note_readers(server);
                self.note_slots(server);
            }
            What::CheckpointFiles { added, removed, .. } => self.note_files(server, added, removed),
            What::SenderStarted { standby, start, .. } => {
                let size = self.servers[server].host.files.size;
                self.note_reader(server, standby, start.segment(size));
            }
            What::ConnectFailed { upstream, why: Refusal::SegmentRemoved { segment }, .. } => {
                let standby = self.servers[server].id();
                self.note_reader(upstream.index(), standby, segment.number);
            }
            _ => {}
        }
    }

    /// The run is over: who is away now would ask for what it lacks.
    pub(super) fn note_absent(&mut self, scenario: &Scenario) {
        for index in 0..self.standbys.len() {
            let standby = &self.servers[self.standbys[index]];
            let (id, asks) = (standby.id(), standby.flushed().segment(standby.host.files.size));
            let Some(upstream) = scenario.servers[id.index()].upstream else { continue };
            let State::Primary(primary) = self.servers[upstream].state() else { continue };
            if !primary.senders().any(|(_, sender)| sender.standby() == id) {
                self.note_reader(upstream, id, asks);
            }
        }
    }

    fn note_readers(&mut self, server: usize) {
        let State::Primary(primary) = self.servers[server].state() else { return };
        let size = self.servers[server].host.files.size;
        let reads = |sender: &WalSender| (sender.standby(), sender.sent().segment(size));
        let readers: Vec<_> = primary.senders().map(|(_, sender)| reads(sender)).collect();
        for (standby, segment) in readers {
            self.note_reader(server, standby, segment);
        }
    }

    fn note_reader(&mut self, upstream: usize, standby: ServerId, segment: u64) {
        let size = self.servers[upstream].host.files.size;
        let index = self.standbys.iter().position(|s| *s == standby.index());
        if let (Some(recorder), Some(index)) = (&mut self.recorder, index) {
            let needed = recorder.servers[upstream].last_checkpoint.keeps(segment, size);
            let record = &mut recorder.standbys[index];
            record.needed = record.needed.max(needed);
        }
    }

    fn note_slots(&mut self, server: usize) {
        let host = &self.servers[server].host;
        let Some(recorder) = &mut self.recorder else { return };
        let last = recorder.servers[server].last_checkpoint;
        for slot in host.slots.iter() {
            let Some(restart) = slot.restart else { continue };
            let needed = last.keeps(restart.segment(host.files.size), host.files.size);
            let record = recorder.slots.entry((server, slot.name)).or_default();
            record.needed = record.needed.max(needed);
        }
    }
}
