//! Replication slots: what WAL must stay for standbys that are away.
//!
//! A physical slot is a name and a position, `restart_lsn`: the oldest WAL its standby may still
//! ask for. The position follows the flush that the standby reports, in both directions: one that
//! restarts may report less than before. Checkpoints keep WAL from the lowest position on.
//!
//! In shared memory is [`Slot`], on disk [`SavedSlot`]. A slot that is created, dropped or
//! invalidated is saved at once; a position that has moved only at the start of a checkpoint, so
//! that a crash takes it back to what the last checkpoint saw. The minimum that a checkpoint obeys
//! is the one of that moment: what is confirmed while it runs is freed by the next.
//!
//! **Source.** `slot.c`: `ReplicationSlotCreate`, `SaveSlotToPath`, `CheckPointReplicationSlots`,
//! `ReplicationSlotsComputeRequiredLSN`; `walsender.c:PhysicalConfirmReceivedLocation`; `xlog.c:
//! CreateCheckPoint` (`slotsMinReqLSN`).
//!
//! **Not modelled.** Logical and temporary slots, `xmin`. Saving takes no time. After a restart
//! slots stand in the array in the order of their creation, where PostgreSQL takes that of the
//! directory.

use serde::Serialize;

use super::PgVersion;
use super::command::{Refused, SlotName};
use super::effect::Out;
use super::guc::Settings;
use crate::trace::fact::{Obsolete, What};
use crate::units::{Bytes, Duration, Lsn, SegmentSize, SimTime};

/// Why a slot was invalidated (`ReplicationSlotInvalidationCause`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Invalidation {
    /// It was further behind than `max_slot_wal_keep_size` allows.
    WalRemoved,
    /// Nobody used it for `idle_replication_slot_timeout`.
    IdleTimeout,
}

impl Invalidation {
    /// As `pg_replication_slots.invalidation_reason` has it.
    pub fn name(self) -> &'static str {
        match self {
            Invalidation::WalRemoved => "wal_removed",
            Invalidation::IdleTimeout => "idle_timeout",
        }
    }
}

/// A physical replication slot in shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its name.
    pub name: SlotName,
    /// `restart_lsn`; `None`: it keeps nothing, because it was never used or is lost.
    pub restart: Option<Lsn>,
    /// Set when it keeps nothing any more.
    pub invalid: Option<Invalidation>,
    /// The walsender that owns it: an index into the array of walsenders.
    pub owner: Option<usize>,
    /// When its last owner let it go, or the server started.
    pub released_at: SimTime,
}

/// A slot's file in `pg_replslot`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavedSlot {
    name: SlotName,
    restart: Option<Lsn>,
    invalid: Option<Invalidation>,
}

/// The slots of one server.
#[derive(Clone, Debug)]
pub struct Slots {
    version: PgVersion,
    /// `max_replication_slots` when the server started.
    max: usize,
    /// The array in shared memory; a slot that is dropped leaves a gap, which the next one takes.
    array: Vec<Option<Slot>>,
    /// What is on disk.
    saved: Vec<SavedSlot>,
    /// The minimum that the checkpoint in progress obeys (`slotsMinReqLSN`).
    required: Option<Lsn>,
    /// The highest segment removed since the server started, or 0 (`lastRemovedSegNo`).
    last_removed: u64,
}

impl Slots {
    /// No slots yet, and room for `max`.
    pub fn new(version: PgVersion, max: u32) -> Slots {
        let (array, saved) = (Vec::new(), Vec::new());
        Slots { version, max: max as usize, array, saved, required: None, last_removed: 0 }
    }

    /// Every slot, in the order of the array.
    pub fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.array.iter().flatten()
    }

    /// The slot of this name.
    pub fn find(&self, name: SlotName) -> Option<&Slot> {
        self.iter().find(|slot| slot.name == name)
    }

    /// The same, to be changed.
    pub fn find_mut(&mut self, name: SlotName) -> Option<&mut Slot> {
        self.array.iter_mut().flatten().find(|slot| slot.name == name)
    }

    /// The highest segment removed since the server started, or 0.
    pub fn last_removed(&self) -> u64 {
        self.last_removed
    }

    /// Files up to this segment were removed or recycled (`UpdateLastRemovedPtr`).
    pub fn note_removed(&mut self, segment: u64) {
        self.last_removed = self.last_removed.max(segment);
    }

    /// `pg_create_physical_replication_slot`: keeps WAL from `restart` on, or nothing yet.
    pub fn create(
        &mut self,
        now: SimTime,
        name: SlotName,
        restart: Option<Lsn>,
    ) -> Result<(), Refused> {
        if self.find(name).is_some() {
            return Err(Refused::SlotExists { slot: name });
        }
        let slot = Slot { name, restart, invalid: None, owner: None, released_at: now };
        match self.array.iter().position(Option::is_none) {
            Some(gap) => self.array[gap] = Some(slot),
            None if self.array.len() < self.max => self.array.push(Some(slot)),
            None => return Err(Refused::AllSlotsInUse),
        }
        self.save(name);
        Ok(())
    }

    /// `pg_drop_replication_slot`; `active_pid` is the process id of its owner.
    pub fn drop(&mut self, name: SlotName, active_pid: Option<u32>) -> Result<(), Refused> {
        self.find(name).ok_or(Refused::NoSuchSlot { slot: name })?;
        if let Some(pid) = active_pid {
            return Err(Refused::SlotActive { slot: name, pid });
        }
        self.saved.retain(|saved| saved.name != name);
        self.array
            .iter_mut()
            .filter(|slot| slot.is_some_and(|s| s.name == name))
            .for_each(|slot| *slot = None);
        Ok(())
    }

    /// The standby of a walsender has flushed up to here.
    #[inline]
    pub fn confirm(&mut self, owner: usize, flush: Lsn) {
        let mine = |slot: &&mut Slot| slot.owner == Some(owner);
        if let Some(slot) = self.array.iter_mut().flatten().find(mine)
            && slot.restart != Some(flush)
        {
            slot.restart = Some(flush);
            // Until 15 a slot is invalid only as long as it has no position.
            if self.version.major() < 16 {
                slot.invalid = None;
            }
        }
    }

    /// A walsender has ended and lets its slot go.
    pub fn release(&mut self, now: SimTime, owner: usize) {
        for slot in self.array.iter_mut().flatten().filter(|s| s.owner == Some(owner)) {
            slot.owner = None;
            slot.released_at = now;
        }
    }

    /// Why a slot is to be invalidated, if it is, when WAL is kept from `limit` on and a slot may
    /// be unused for so long; and who owns it (`DetermineSlotInvalidationCause`).
    pub fn obsolete(
        &self,
        now: SimTime,
        name: SlotName,
        limit: Lsn,
        idle: Option<Duration>,
    ) -> Option<(Obsolete, Option<usize>)> {
        let slot = self.find(name).filter(|slot| slot.invalid.is_none())?;
        let restart = slot.restart?;
        if restart < limit {
            let why = Obsolete::WalRemoved { restart, excess: limit.since(restart) };
            return Some((why, slot.owner));
        }
        let limit = idle.filter(|_| slot.owner.is_none())?;
        let idle = now.since(slot.released_at);
        let seconds = |span: Duration| span.0 / Duration::s(1).0;
        let why = Obsolete::IdleTimeout { idle, limit };
        (seconds(idle) >= seconds(limit)).then_some((why, None))
    }

    /// Invalidates what nobody owns and is obsolete; whether there was any.
    pub fn invalidate_free(
        &mut self,
        now: SimTime,
        limit: Lsn,
        idle: Option<Duration>,
        out: &mut Out,
    ) -> bool {
        let names: Vec<SlotName> = self.iter().map(|slot| slot.name).collect();
        let mut any = false;
        for name in names {
            if let Some((why, None)) = self.obsolete(now, name, limit, idle) {
                self.invalidate_for(name, why, out);
                any = true;
            }
        }
        any
    }

    /// A slot is invalidated, and the log says so.
    pub fn invalidate_for(&mut self, name: SlotName, why: Obsolete, out: &mut Out) {
        self.invalidate(name, why.cause());
        out.fact(What::SlotInvalidated { slot: name, why });
    }

    /// A slot keeps nothing from now on; it is saved at once.
    fn invalidate(&mut self, name: SlotName, why: Invalidation) {
        let Some(slot) = self.find_mut(name) else { return };
        slot.invalid = Some(why);
        if why == Invalidation::WalRemoved {
            slot.restart = None;
        }
        self.save(name);
    }

    /// The oldest position that a slot keeps now (`replicationSlotMinLSN`).
    pub fn minimum(&self) -> Option<Lsn> {
        self.iter().filter_map(|slot| self.kept_by(slot)).min()
    }

    /// From where on a slot keeps WAL, if it does.
    fn kept_by(&self, slot: &Slot) -> Option<Lsn> {
        let restart = slot.restart.filter(|_| slot.invalid.is_none())?;
        if self.version.major() < 18 {
            return Some(restart);
        }
        // Since 18 nothing is given up that a crash would want back.
        let saved = self.saved.iter().find(|saved| saved.name == slot.name);
        Some(saved.and_then(|saved| saved.restart).map_or(restart, |saved| saved.min(restart)))
    }

    /// A checkpoint begins: saves what has moved, and notes the minimum that it will obey. Since 18
    /// that is worked out again behind the save, which it depends on.
    pub fn begin_checkpoint(&mut self) {
        self.save_all();
        self.required = self.minimum();
    }

    /// Saves every slot whose position has moved (`CheckPointReplicationSlots`).
    pub fn save_all(&mut self) {
        for slot in self.array.iter().flatten() {
            let Slot { name, restart, invalid, .. } = *slot;
            if let Some(file) = self.saved.iter_mut().find(|saved| saved.name == name) {
                *file = SavedSlot { name, restart, invalid };
            }
        }
    }

    /// The oldest position that the checkpoint in progress leaves to slots.
    pub fn required(&self) -> Option<Lsn> {
        self.required
    }

    /// Slots were invalidated: the checkpoint obeys what is left.
    pub fn require_again(&mut self) {
        self.required = self.minimum();
    }

    /// Shared memory is gone, or made anew at a start: slots are what their files say, and nobody
    /// owns them (`StartupReplicationSlots`).
    pub fn restore(&mut self, now: SimTime) {
        let slot = |&SavedSlot { name, restart, invalid }: &SavedSlot| {
            Some(Slot { name, restart, invalid, owner: None, released_at: now })
        };
        self.array = self.saved.iter().map(slot).collect();
        (self.required, self.last_removed) = (None, 0);
    }

    /// The server starts with this configuration.
    pub fn set_max(&mut self, max: u32) {
        self.max = max as usize;
    }

    /// `SaveSlotToPath`.
    fn save(&mut self, name: SlotName) {
        let Some(&Slot { restart, invalid, .. }) = self.find(name) else { return };
        let file = SavedSlot { name, restart, invalid };
        match self.saved.iter_mut().find(|saved| saved.name == name) {
            Some(saved) => *saved = file,
            None => self.saved.push(file),
        }
    }
}

/// The settings that bound the WAL that slots may keep.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Segment size of the cluster.
    pub size: SegmentSize,
    /// `max_slot_wal_keep_size`; `None`: any amount.
    pub max_slot_wal_keep_size: Option<Bytes>,
    /// `wal_keep_size`.
    pub wal_keep_size: Bytes,
    /// `max_wal_size`.
    pub max_wal_size: Bytes,
    /// `idle_replication_slot_timeout`; `None`: for ever.
    pub idle: Option<Duration>,
}

impl Limits {
    /// Those of a server with these settings.
    pub fn new(settings: &Settings) -> Limits {
        Limits {
            size: settings.wal_segment_size,
            max_slot_wal_keep_size: settings.max_slot_wal_keep_size,
            wal_keep_size: settings.wal_keep_size,
            max_wal_size: settings.max_wal_size,
            idle: settings.idle_replication_slot_timeout,
        }
    }

    // ANCHOR: keep_segment
    /// `KeepLogSeg`, from the segment of the write position downward.
    pub fn keep_segment(&self, write: Lsn, minimum: Option<Lsn>) -> u64 {
        let current = write.segment(self.size);
        let mut keep = current;
        if let Some(oldest) = minimum.filter(|&oldest| oldest < write) {
            keep = oldest.segment(self.size);
            if let Some(cap) = self.max_slot_wal_keep_size {
                keep = keep.max(current.saturating_sub(self.size.segments_in(cap)));
            }
        }
        let wal_keep = self.size.segments_in(self.wal_keep_size);
        if wal_keep > 0 && current - keep < wal_keep {
            keep = if current <= wal_keep { 1 } else { current - wal_keep };
        }
        keep
    }
    // ANCHOR_END: keep_segment
}

impl Obsolete {
    /// What the slot is marked with.
    fn cause(self) -> Invalidation {
        match self {
            Obsolete::WalRemoved { .. } => Invalidation::WalRemoved,
            Obsolete::IdleTimeout { .. } => Invalidation::IdleTimeout,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: SlotName = SlotName(0);
    const B: SlotName = SlotName(1);
    const C: SlotName = SlotName(2);
    const NOW: SimTime = SimTime::ZERO;

    fn slots(major: u8, max: u32) -> Slots {
        Slots::new(PgVersion::new(major).expect("a version"), max)
    }

    fn owned(slots: &mut Slots, name: SlotName, owner: usize) {
        slots.find_mut(name).expect("a slot").owner = Some(owner);
    }

    fn restart(slots: &Slots, name: SlotName) -> Option<Lsn> {
        slots.find(name).expect("a slot").restart
    }

    #[test]
    fn there_is_room_for_max_replication_slots() {
        let mut slots = slots(17, 2);
        assert_eq!(slots.create(NOW, A, None), Ok(()));
        assert_eq!(slots.create(NOW, A, None), Err(Refused::SlotExists { slot: A }));
        assert_eq!(slots.create(NOW, B, None), Ok(()));
        assert_eq!(slots.create(NOW, C, None), Err(Refused::AllSlotsInUse));
        assert_eq!(slots.drop(A, None), Ok(()));
        assert_eq!(slots.create(NOW, C, None), Ok(()));
        let order: Vec<SlotName> = slots.iter().map(|slot| slot.name).collect();
        assert_eq!(order, [C, B], "the first gap is taken");
    }

    #[test]
    fn a_slot_in_use_cannot_be_dropped() {
        let mut slots = slots(17, 1);
        assert_eq!(slots.create(NOW, A, None), Ok(()));
        owned(&mut slots, A, 3);
        let active = Refused::SlotActive { slot: A, pid: 1003 };
        assert_eq!(slots.drop(A, Some(1003)), Err(active));
        slots.release(NOW, 3);
        assert_eq!(slots.drop(A, None), Ok(()));
        assert_eq!(slots.drop(A, None), Err(Refused::NoSuchSlot { slot: A }));
    }

    #[test]
    fn a_position_moves_both_ways_and_a_crash_takes_it_back() {
        let mut slots = slots(17, 1);
        assert_eq!(slots.create(NOW, A, None), Ok(()));
        assert_eq!(slots.minimum(), None);
        owned(&mut slots, A, 0);
        slots.confirm(0, Lsn(500));
        slots.begin_checkpoint();
        slots.confirm(0, Lsn(900));
        slots.confirm(0, Lsn(700));
        assert_eq!(slots.minimum(), Some(Lsn(700)));
        slots.restore(NOW);
        assert_eq!(restart(&slots, A), Some(Lsn(500)));
        assert_eq!(slots.find(A).and_then(|slot| slot.owner), None);
    }

    #[test]
    fn a_slot_is_on_disk_as_soon_as_it_is_made_or_lost() {
        let mut slots = slots(17, 2);
        assert_eq!(slots.create(NOW, A, Some(Lsn(100))), Ok(()));
        assert_eq!(slots.create(NOW, B, Some(Lsn(100))), Ok(()));
        slots.invalidate(A, Invalidation::WalRemoved);
        assert_eq!(slots.drop(B, None), Ok(()));
        slots.restore(NOW);
        assert_eq!(slots.iter().count(), 1);
        assert_eq!(restart(&slots, A), None);
        assert_eq!(slots.find(A).and_then(|s| s.invalid), Some(Invalidation::WalRemoved));
    }

    /// What is confirmed meanwhile is for the next one.
    #[test]
    fn a_checkpoint_obeys_the_minimum_of_its_start() {
        for (major, next) in [(17, Lsn(900)), (18, Lsn(500))] {
            let mut slots = slots(major, 1);
            assert_eq!(slots.create(NOW, A, Some(Lsn(100))), Ok(()));
            owned(&mut slots, A, 0);
            slots.confirm(0, Lsn(500));
            slots.begin_checkpoint();
            assert_eq!(slots.required(), Some(Lsn(500)), "version {major}");
            slots.confirm(0, Lsn(900));
            assert_eq!(slots.required(), Some(Lsn(500)), "version {major}");
            // Since 18 the lower of what is in memory and what is saved.
            assert_eq!(slots.minimum(), Some(next), "version {major}");
        }
    }

    #[test]
    fn a_standby_that_comes_back_revives_its_slot_until_15() {
        for (major, minimum) in [(13, Some(Lsn(700))), (15, Some(Lsn(700))), (16, None)] {
            let mut slots = slots(major, 1);
            assert_eq!(slots.create(NOW, A, Some(Lsn(100))), Ok(()));
            slots.invalidate(A, Invalidation::WalRemoved);
            assert_eq!(slots.minimum(), None);
            owned(&mut slots, A, 0);
            slots.confirm(0, Lsn(700));
            assert_eq!(slots.minimum(), minimum, "version {major}");
            assert_eq!(restart(&slots, A), Some(Lsn(700)));
        }
    }

    #[test]
    fn a_slot_that_was_idle_for_too_long_keeps_its_position_and_no_wal() {
        let mut slots = slots(18, 1);
        assert_eq!(slots.create(NOW, A, Some(Lsn(100))), Ok(()));
        slots.invalidate(A, Invalidation::IdleTimeout);
        assert_eq!(restart(&slots, A), Some(Lsn(100)));
        assert_eq!(slots.minimum(), None);
    }
}
