//! Slots that are too far behind: invalidated at the end of a checkpoint, their walsenders ended.
//!
//! A slot whose `restart_lsn` is below what the checkpoint keeps is invalidated. If a walsender
//! owns it, that one is told to end first, and the checkpoint waits until it has: a walsender
//! that finds its socket full waits in turn, in the sending of its own last words, until its
//! standby takes something or the connection breaks. `wal_sender_timeout` does not help any more.
//! A slot that has caught up meanwhile is spared.
//!
//! **Source.** `slot.c:InvalidateObsoleteReplicationSlots`, `InvalidatePossiblyObsoleteSlot`,
//! `CanInvalidateIdleSlot`; `postgres.c:ProcessInterrupts`.
//!
//! **Not modelled.** A walsender that is about to end still notes replies that its standby sent
//! before the socket was full.

use super::Primary;
use crate::postgres::command::SlotName;
use crate::postgres::effect::Out;
use crate::postgres::host::Host;
use crate::postgres::protocol::Body;
use crate::postgres::slot::{Invalidation, Slot};
use crate::trace::fact::{Obsolete, Refusal, What};
use crate::units::{Duration, Lsn, SimTime};

impl Primary {
    /// Invalidates the slots whose `restart_lsn` is below the start of the oldest segment that is
    /// kept, in the order of the array. False: it waits for a walsender to let its slot go, and
    /// is to be called again.
    pub(super) fn invalidate_slots(
        &mut self,
        now: SimTime,
        keep_segment_start: Lsn,
        host: &mut Host,
        out: &mut Out,
    ) -> bool {
        let names: Vec<SlotName> = host.slots.iter().map(|slot| slot.name).collect();
        for name in names {
            while let Some((why, owner)) = self.obsolete(now, name, keep_segment_start, host) {
                let Some(owner) = owner else {
                    host.slots.invalidate(name, why.cause());
                    host.slots.require_again();
                    out.fact(What::SlotInvalidated { slot: name, why });
                    break;
                };
                if !self.terminate_sender(owner, name, why, host, out) {
                    return false;
                }
            }
        }
        true
    }

    /// Why a slot is to be invalidated, if it is, and the walsender that owns it.
    fn obsolete(
        &self,
        now: SimTime,
        name: SlotName,
        limit: Lsn,
        host: &Host,
    ) -> Option<(Obsolete, Option<usize>)> {
        let slot = host.slots.find(name).filter(|slot| slot.invalid.is_none())?;
        let restart = slot.restart?;
        if restart < limit {
            let why = Obsolete::WalRemoved { restart, excess: limit.since(restart) };
            return Some((why, slot.owner));
        }
        self.idle_for_too_long(now, slot).map(|why| (why, None))
    }

    fn idle_for_too_long(&self, now: SimTime, slot: &Slot) -> Option<Obsolete> {
        let limit = self.idle_slot_timeout.filter(|_| slot.owner.is_none())?;
        let idle = now.since(slot.released_at);
        (idle.0 / Duration::s(1).0 >= limit.0 / Duration::s(1).0)
            .then_some(Obsolete::IdleTimeout { idle, limit })
    }

    /// SIGTERM for a walsender; true if it has ended.
    fn terminate_sender(
        &mut self,
        index: usize,
        slot: SlotName,
        why: Obsolete,
        host: &mut Host,
        out: &mut Out,
    ) -> bool {
        let Some(sender) = &mut self.senders[index] else { return true };
        if sender.is_terminating() {
            return false;
        }
        let standby = sender.standby();
        let ends = sender.terminate();
        out.fact(What::SlotOwnerTerminated { slot, standby, why });
        if ends {
            self.end_terminated(index, host, out);
        }
        ends
    }

    /// A walsender that was told to end has room for its last words.
    pub(super) fn end_terminated(&mut self, index: usize, host: &mut Host, out: &mut Out) {
        let Some(sender) = &self.senders[index] else { return };
        let (to, connection) = (sender.standby(), sender.connection());
        out.send(to, connection, Body::Refused(Refusal::Terminated));
        self.end_sender(index, None, host, out);
    }
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
