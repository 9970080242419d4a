//! A primary reads its configuration files again: what its processes take over at once.
//!
//! **Source.** `checkpointer.c:HandleCheckpointerInterrupts`, `walsender.c:WalSndLoop`,
//! `syncrep.c:SyncRepInitConfig`, `SyncRepUpdateSyncStandbysDefined`.

use super::Primary;
use crate::postgres::checkpointer::CheckpointConfig;
use crate::postgres::effect::Out;
use crate::postgres::guc::Settings;
use crate::postgres::host::Host;
use crate::postgres::syncrep::{StandbyNames, WaitMode};
use crate::units::SimTime;

impl Primary {
    /// The settings are now these.
    pub fn reload(&mut self, now: SimTime, settings: &Settings, host: &Host, out: &mut Out) {
        self.level = settings.synchronous_commit;
        self.commit_delay = settings.commit_delay;
        self.commit_siblings = settings.commit_siblings as usize;
        self.idle_slot_timeout = settings.idle_replication_slot_timeout;
        self.checkpointer.reload(CheckpointConfig::from(settings));
        self.walwriter.reload(settings.wal_writer_delay, settings.wal_writer_flush_after);
        self.sender_timeout = settings.wal_sender_timeout;
        for sender in self.senders.iter_mut().flatten() {
            sender.set_timeout(settings.wal_sender_timeout);
        }
        self.find_senders_due();
        let names = StandbyNames::parse(&settings.synchronous_standby_names).unwrap_or_default();
        if &names != self.syncrep.names() {
            self.rename_standbys(now, names, host, out);
        }
    }

    /// Other standbys are synchronous. Walsenders take their new priorities at once, but release
    /// waiters only at their next replies; only no names at all releases everybody, when the
    /// checkpointer finds them.
    fn rename_standbys(&mut self, now: SimTime, names: StandbyNames, host: &Host, out: &mut Out) {
        self.syncrep.reload(names);
        for (sender, standby) in self.senders.iter().zip(&mut self.standbys) {
            if let Some(sender) = sender {
                let name = host.application_name(sender.standby());
                standby.priority = self.syncrep.names().priority(name);
            }
        }
        if self.checkpointer.heeds_reload(now) {
            self.heed_names(now, out);
        }
        self.candidates_changed(out);
    }

    /// The checkpointer tells backends whether there are names of standbys, and wakes them all if
    /// there are none any more. It does so whenever a checkpoint has ended, too.
    pub(super) fn heed_names(&mut self, now: SimTime, out: &mut Out) {
        if self.syncrep.update_standbys_defined() {
            let flushed = self.wal.flushed();
            for mode in WaitMode::ALL {
                self.stages.synced(now, mode, flushed, &self.commits);
            }
            self.commits.wait_for_no_standby(now, flushed, &mut out.answers);
            self.stages.answered(&self.commits);
        }
    }
}
