//! Laws of pg_wal: what a checkpoint may remove, whom it may invalidate, and that files add up.
//!
//! What must stay is worked out from the promises of the settings, WAL by WAL, not by the function
//! that chose what to remove: the redo point; `wal_keep_size` before the checkpoint's end; from
//! the `restart_lsn` of each valid slot on, `max_slot_wal_keep_size` at most. Sizes count whole
//! segments, rounded down, as PostgreSQL has it. What was gone before nobody can keep.
//!
//! A slot that went back while the checkpoint ran, or had no position when it began, is not in
//! the minimum that the checkpoint obeys; PostgreSQL invalidates it even without a limit.
//!
//! **Source.** Manual, `wal_keep_size`, `max_slot_wal_keep_size`, `idle_replication_slot_timeout`;
//! `xlog.c:CreateCheckPoint`, `RemoveOldXlogFiles`; `slot.c:InvalidatePossiblyObsoleteSlot`.
//!
//! **Not modelled.** What a slot had on disk (18 keeps that, too): it would only keep more.

use std::collections::{BTreeMap, BTreeSet};

use models::postgres::command::SlotName;
use models::postgres::guc::Settings;
use models::postgres::server::Server;
use models::trace::fact::{Obsolete, What};
use models::trace::law::Law;
use models::units::{Bytes, Lsn};

use super::Findings;

/// pg_wal of one server as it was seen last.
#[derive(Clone, Debug)]
pub(super) struct Files {
    oldest: u64,
    newest: u64,
    /// Oldest file before the checkpoint that is about to be reported done.
    oldest_before: u64,
    /// Positions of slots when the checkpoint in progress began.
    restarts: BTreeMap<SlotName, Option<Lsn>>,
    /// Slots that keep nothing any more.
    invalid: BTreeSet<SlotName>,
}

impl Files {
    pub(super) fn new(server: &Server) -> Files {
        let files = &server.host.files;
        Files {
            oldest: files.oldest,
            newest: files.newest,
            oldest_before: files.oldest,
            restarts: restarts(server),
            invalid: BTreeSet::new(),
        }
    }

    pub(super) fn happened(&mut self, server: &Server, what: &What, findings: &mut Findings) {
        match *what {
            What::CheckpointStarted { .. } => self.restarts = restarts(server),
            What::CheckpointFiles { added, removed, recycled, .. } => {
                self.oldest_before = self.oldest;
                self.written(server);
                self.oldest += u64::from(removed) + u64::from(recycled);
                self.newest += u64::from(added) + u64::from(recycled);
                self.add_up(server, findings);
            }
            What::CreatedAhead => self.newest += 1,
            What::CheckpointDone { end, .. } => self.kept(server, end, findings),
            What::SlotInvalidated { slot, why } => {
                self.invalidated(server, slot, why, findings);
                self.invalid.insert(slot);
            }
            What::SlotDropped { slot } => _ = self.invalid.remove(&slot),
            _ => {}
        }
    }

    pub(super) fn look(&mut self, server: &Server, findings: &mut Findings) {
        self.written(server);
        self.add_up(server, findings);
        let (files, id) = (&server.host.files, server.id());
        let needed = files.redo.segment(files.size)..=files.flushed.previous_segment(files.size);
        let there = files.oldest <= *needed.start() && *needed.end() <= files.newest;
        findings.expect(there, Law::WalFiles, id, |_| {
            let (oldest, newest) = (files.oldest, files.newest);
            format!("segments {needed:?} are needed, and {oldest} to {newest} exist")
        });
        let revives = server.settings().version().major() < 16;
        let lives = |name: &SlotName| {
            server.host.slots.find(*name).is_some_and(|slot| slot.invalid.is_none())
        };
        let revived: Vec<SlotName> = self.invalid.iter().copied().filter(lives).collect();
        for slot in revived {
            self.invalid.remove(&slot);
            findings.expect(revives, Law::SlotInvalidation, id, |_| {
                format!("slot {} is valid again", server.host.slot_name(slot))
            });
        }
    }

    /// Files are created as far as WAL is written.
    fn written(&mut self, server: &Server) {
        let files = &server.host.files;
        self.newest = self.newest.max(files.written.previous_segment(files.size));
    }

    /// The files are those that there should be.
    fn add_up(&mut self, server: &Server, findings: &mut Findings) {
        let files = &server.host.files;
        let (oldest, newest) = (self.oldest, self.newest);
        let held = (files.oldest, files.newest) == (oldest, newest);
        findings.expect(held, Law::WalFiles, server.id(), |_| {
            let (first, last) = (files.oldest, files.newest);
            format!(
                "there should be segments {oldest} to {newest}, and {first} to {last} are there"
            )
        });
        (self.oldest, self.newest) = (files.oldest, files.newest);
    }

    /// A checkpoint whose record ends at `end` is done: what must be there is there.
    fn kept(&self, server: &Server, end: Lsn, findings: &mut Findings) {
        let (files, settings) = (&server.host.files, server.settings());
        let segment = |lsn: Lsn| lsn.segment(files.size);
        let mut expect = |needed: u64, whom: &dyn Fn() -> String| {
            let held = files.oldest <= needed.max(self.oldest_before);
            findings.expect(held, Law::WalKept, server.id(), |_| {
                let oldest = files.oldest;
                format!("{} needs segment {needed}, and {oldest} is the oldest left", whom())
            });
        };
        expect(segment(files.redo), &|| format!("the redo point {}", files.redo));
        let kept = files.size.segments_in(settings.wal_keep_size);
        if kept > 0 {
            expect(segment(end).saturating_sub(kept).max(1), &|| "wal_keep_size".to_owned());
        }
        for slot in server.host.slots.iter().filter(|slot| slot.invalid.is_none()) {
            let Some(restart) = slot.restart else { continue };
            let bound = match settings.max_slot_wal_keep_size {
                Some(most) => segment(end).saturating_sub(files.size.segments_in(most)),
                None => 0,
            };
            let name = || format!("slot {} at {restart}", server.host.slot_name(slot.name));
            expect(segment(restart).max(bound), &name);
        }
    }

    fn invalidated(&self, server: &Server, slot: SlotName, why: Obsolete, findings: &mut Findings) {
        let settings = server.settings();
        let held = match why {
            Obsolete::WalRemoved { restart, .. } => {
                let began = self.restarts.get(&slot).copied().flatten();
                began.is_none_or(|began| restart < began) || is_beyond(server, settings, restart)
            }
            Obsolete::IdleTimeout { idle, .. } => {
                settings.idle_replication_slot_timeout.is_some_and(|limit| idle >= limit)
            }
        };
        findings.expect(held, Law::SlotInvalidation, server.id(), |_| {
            let (name, limit) = (server.host.slot_name(slot), settings.max_slot_wal_keep_size);
            let limit = limit.map_or("unlimited".to_owned(), |Bytes(limit)| format!("{limit} B"));
            format!("slot {name} was invalidated ({why:?}); max_slot_wal_keep_size is {limit}")
        });
    }
}

/// Whether a position is further behind than `max_slot_wal_keep_size` allows.
fn is_beyond(server: &Server, settings: &Settings, restart: Lsn) -> bool {
    let files = &server.host.files;
    let behind = files.written.segment(files.size).saturating_sub(restart.segment(files.size));
    settings.max_slot_wal_keep_size.is_some_and(|most| behind > files.size.segments_in(most))
}

fn restarts(server: &Server) -> BTreeMap<SlotName, Option<Lsn>> {
    server.host.slots.iter().map(|slot| (slot.name, slot.restart)).collect()
}
