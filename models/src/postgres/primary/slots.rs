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
use crate::trace::fact::{Obsolete, Refusal, What};
use crate::units::{Lsn, SimTime};

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
            let (limit, idle) = (keep_segment_start, self.idle_slot_timeout);
            while let Some((why, owner)) = host.slots.obsolete(now, name, limit, idle) {
                let Some(owner) = owner else {
                    host.slots.invalidate_for(name, why, out);
                    host.slots.require_again();
                    break;
                };
                if !self.terminate_sender(owner, name, why, host, out) {
                    return false;
                }
            }
        }
        true
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
