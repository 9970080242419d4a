//! What an operator's session changes on a server: slots, settings, waits, the pause of replay.
//!
//! A reload takes effect at once on the running processes, except for the settings that need a
//! restart: those wait for the next start, and the log says so. Emptying
//! `synchronous_standby_names` releases whoever waits for standbys, as soon as the checkpointer
//! looks; other names release nobody by themselves, only the next reply does.
//!
//! **Source.** `slotfuncs.c`, `xlogfuncs.c`; `postmaster.c:process_pm_reload_request`;
//! `guc-file.l:ProcessConfigFile`, `guc.c:set_config_option`; `syncrep.c:
//! SyncRepUpdateSyncStandbysDefined`.
//!
//! **Not modelled.** The moment each process takes to notice a reload. A commit that waits for its
//! local flush when names are first given does not wait for standbys. A value of more than 31
//! bytes is cut in the log.

use super::{Postponed, Server, State};
use crate::postgres::command::{Command, Interrupt, Refused, SlotName, Waiters};
use crate::postgres::effect::Out;
use crate::postgres::guc::Settings;
use crate::postgres::primary::Job;
use crate::trace::fact::{Text, What};
use crate::units::{Lsn, SimTime};

impl Server {
    /// An operator asks for something.
    pub fn command(&mut self, now: SimTime, command: &Command, out: &mut Out) {
        if self.frozen.is_some() {
            self.postponed.push_back(Postponed::Command(command.clone()));
            return;
        }
        out.at = now;
        match command {
            Command::Stop(mode) => self.stop(now, *mode, out),
            Command::Checkpoint => self.checkpoint(now, out),
            Command::SwitchWal => {
                self.on_primary(out, |primary, host, _| primary.switch_wal(now, host));
            }
            Command::Write(bytes) => {
                let job = Job::Write(*bytes);
                self.on_primary(out, |primary, host, _| primary.write(now, job, host));
            }
            Command::WriteTo(lsn) => {
                let job = Job::WriteTo(*lsn);
                self.on_primary(out, |primary, host, _| primary.write(now, job, host));
            }
            Command::Reload(settings) => self.reload(now, settings, out),
            Command::SlotCreate { slot, reserve } => self.create_slot(now, *slot, *reserve, out),
            Command::SlotDrop { slot } => self.drop_slot(*slot, out),
            Command::Interrupt { how, waiters } => self.interrupt(*how, *waiters, out),
            Command::Promote => self.promote(now, out),
            Command::ReplayPause => self.pause_replay(now, true, out),
            Command::ReplayResume => self.pause_replay(now, false, out),
        }
        self.schedule();
    }

    /// Refuses a command if no session can be had.
    fn session(&self, out: &mut Out) -> bool {
        let ready = match &self.state {
            State::Primary(_) => true,
            State::Standby(standby) => standby.is_ready() && self.settings.hot_standby,
            State::Down | State::Recovering { .. } => false,
        };
        if !ready {
            out.fact(What::CommandRefused { why: Refused::NotRunning });
        }
        ready
    }

    /// `pg_create_physical_replication_slot(slot, reserve)`.
    pub(super) fn create_slot(
        &mut self,
        now: SimTime,
        slot: SlotName,
        reserve: bool,
        out: &mut Out,
    ) {
        if !self.session(out) {
            return;
        }
        let restart = reserve.then(|| self.redo());
        out.fact(match self.host.slots.create(now, slot, restart) {
            Ok(()) => What::SlotCreated { slot, restart },
            Err(why) => What::CommandRefused { why },
        });
    }

    /// Redo point of the last checkpoint started, or of the last restartpoint (`GetRedoRecPtr`).
    fn redo(&self) -> Lsn {
        match &self.state {
            State::Primary(primary) => primary.redo(),
            State::Standby(_) | State::Down | State::Recovering { .. } => self.host.files.redo,
        }
    }

    /// `pg_drop_replication_slot(slot)`.
    pub(super) fn drop_slot(&mut self, slot: SlotName, out: &mut Out) {
        if !self.session(out) {
            return;
        }
        let pid = |owner| match &self.state {
            State::Primary(primary) => primary.sender_pid(owner, &self.host),
            State::Standby(_) | State::Down | State::Recovering { .. } => 0,
        };
        let active = self.host.slots.find(slot).and_then(|slot| slot.owner).map(pid);
        out.fact(match self.host.slots.drop(slot, active) {
            Ok(()) => What::SlotDropped { slot },
            Err(why) => What::CommandRefused { why },
        });
    }

    /// `pg_reload_conf()` with the whole configuration as the files now have it. A server that is
    /// down reads them when it starts.
    pub(super) fn reload(&mut self, now: SimTime, files: &Settings, out: &mut Out) {
        if let State::Down = &self.state {
            self.settings = files.clone();
            return;
        }
        out.fact(What::Reloaded);
        for change in self.settings.changes(files) {
            let (parameter, value) = (change.name, Text::new(&change.value));
            out.fact(match change.needs_restart {
                true => What::ParameterNeedsRestart { parameter },
                false => What::ParameterChanged { parameter, value },
            });
        }
        self.settings = self.settings.reloaded(files);
        self.next_settings = Some(files.clone());
        match &mut self.state {
            State::Primary(primary) => primary.reload(now, &self.settings, &self.host, out),
            State::Standby(standby) => standby.reload(&self.settings),
            State::Down | State::Recovering { .. } => {}
        }
    }

    /// `pg_cancel_backend()`, `pg_terminate_backend()`, or clients that go away: for sessions that
    /// wait for standbys.
    pub(super) fn interrupt(&mut self, how: Interrupt, waiters: Waiters, out: &mut Out) {
        if !self.session(out) {
            return;
        }
        match &mut self.state {
            State::Primary(primary) => {
                let toll = primary.interrupt(how, waiters, out);
                self.cancelled_commits += toll.cancelled;
                self.unknown_commits += toll.unknown;
            }
            State::Standby(_) | State::Down | State::Recovering { .. } => {
                let why = Refused::NobodyWaits { workload: waiters.workload };
                out.fact(What::CommandRefused { why });
            }
        }
    }

    /// `pg_wal_replay_pause()`, `pg_wal_replay_resume()`.
    pub(super) fn pause_replay(&mut self, now: SimTime, pause: bool, out: &mut Out) {
        match &mut self.state {
            State::Standby(standby) if standby.is_ready() && self.settings.hot_standby => {
                standby.pause_replay(now, pause, &mut self.host, out);
            }
            State::Primary(_) => {
                out.fact(What::CommandRefused { why: Refused::RecoveryNotInProgress });
            }
            State::Standby(_) | State::Down | State::Recovering { .. } => {
                out.fact(What::CommandRefused { why: Refused::NotRunning });
            }
        }
    }
}
