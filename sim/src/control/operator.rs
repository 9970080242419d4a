//! The operator: does what `[action.X]` and `[[step]]` say.
//!
//! Every `[action.X]` is a task that sleeps until its moment; all `[[step]]` tables are one task,
//! in which each deed begins when the one before has ended. No fault can reach either.
//!
//! A deed is a command to the world ([`Action::Command`]) or a verb of [`Hosts`], and a watch for
//! its end. A command to a server that is down is refused, which the world leaves behind as a
//! fact, and its deed is over; to one that is frozen it waits until that goes on, as a
//! session's query would. If the server dies, what was asked of it is over too. A wait that never
//! comes true lasts to the end of the run.
//!
//! `ALTER SYSTEM` changes what is in the server's files: the operator keeps them for each server,
//! so that several changes add up. What takes effect when is the server's business.
//!
//! **Source.** Walden's own; `pg_ctl.c` for stop, start and restart.
//!
//! **Not modelled.** The time that a session takes to connect.

use std::cell::RefCell;
use std::rc::Rc;

use models::postgres::command::{Command, Refused, SlotName, StopMode, Waiters};
use models::postgres::guc::Settings;
use models::postgres::statement::Statement;
use models::trace::fact::{Scope, ServerId, What};
use models::units::SimTime;
use scenarios::action::{Condition, Deed, Step, View};
use scenarios::scenario::Scenario;

use super::ctl::{apply, ask, fact, observe, with};
use super::host::{Condition as HostCondition, Hosts, server_id};
use super::task::spawn;
use super::{sleep, sleep_until, wait_for};
use crate::world::{Action, Watch};

/// What all tasks of the operator share.
struct Operator {
    hosts: Rc<Hosts>,
    /// Every server's configuration files.
    settings: RefCell<Vec<Settings>>,
}

/// Spawns a task for each action, and one for all steps.
pub(super) fn operate(hosts: &Rc<Hosts>, scenario: &Scenario) {
    let settings = scenario.servers.iter().map(|server| server.settings.clone()).collect();
    let operator = Rc::new(Operator { hosts: Rc::clone(hosts), settings: RefCell::new(settings) });
    for (index, action) in scenario.actions.iter().enumerate() {
        let (operator, action) = (Rc::clone(&operator), action.clone());
        drop(spawn(async move {
            sleep_until(SimTime::ZERO + action.at).await;
            operator.carry_out(index, &action.deed).await;
        }));
    }
    if !scenario.steps.is_empty() {
        let (first, steps) = (scenario.actions.len(), scenario.steps.clone());
        drop(spawn(async move { operator.walk(first, &steps).await }));
    }
}

/// `pg_ctl` and psql at work.
impl Operator {
    /// All steps in order; their deeds are numbered from `first` on, as [`World::finish`] does.
    ///
    /// [`World::finish`]: crate::world::World::finish
    async fn walk(&self, first: usize, steps: &[Step]) {
        // What happens at the first moment comes before.
        sleep(models::units::Duration::ZERO).await;
        let mut first = first;
        for step in steps {
            for _ in 0..step.repeat {
                for (index, deed) in step.deeds.iter().enumerate() {
                    self.carry_out(first + index, deed).await;
                }
            }
            first += step.deeds.len();
        }
    }

    /// Does one thing, and notes its begin and end.
    async fn carry_out(&self, index: usize, deed: &Deed) {
        let action = u16::try_from(index).expect("a scenario has at most 11000 deeds");
        let server = deed.server().map(server_id);
        fact(server, What::ActionBegan { action });
        self.perform(action, deed).await;
        fact(server, What::ActionEnded { action });
    }

    async fn perform(&self, action: u16, deed: &Deed) {
        if let (Some(server), false) =
            (deed.server(), matches!(deed, Deed::Wait(..) | Deed::WaitRows { .. }))
        {
            wait_for(Watch::Thawed(server_id(server))).await;
        }
        match deed {
            Deed::Checkpoint(server) => checkpoint(server_id(*server)).await,
            Deed::SwitchWal(server) => command(server_id(*server), Command::SwitchWal),
            Deed::Write(server, bytes) => write(server_id(*server), Command::Write(*bytes)).await,
            Deed::WriteTo(server, lsn) => write(server_id(*server), Command::WriteTo(*lsn)).await,
            Deed::Set(server, changes) => self.set(server_id(*server), changes),
            Deed::SlotCreate { server, slot, reserve } => {
                let slot = slot_name(*slot);
                command(server_id(*server), Command::SlotCreate { slot, reserve: *reserve });
            }
            Deed::SlotDrop { server, slot } => {
                command(server_id(*server), Command::SlotDrop { slot: slot_name(*slot) });
            }
            Deed::Interrupt { server, how, workload, nth } => {
                let workload = u16::try_from(*workload).expect("at most 32 workloads");
                let waiters = Waiters { workload, nth: *nth };
                command(server_id(*server), Command::Interrupt { how: *how, waiters });
            }
            Deed::Stop(server, mode) => self.stop(server_id(*server), *mode).await,
            Deed::Start(server) => self.start(server_id(*server)).await,
            Deed::Restart(server, mode) => {
                self.stop(server_id(*server), *mode).await;
                self.start(server_id(*server)).await;
            }
            Deed::Promote(server) => promote(server_id(*server)).await,
            Deed::Observe(server, views) => look(server_id(*server), views),
            Deed::Statement(server, statement) => ask(server_id(*server), *statement, action),
            Deed::WaitRows { server, workload, at_least } => {
                let server = server_id(*server);
                wait_for(Watch::Rows(server, *workload, *at_least)).await;
                ask(server, Statement::Count { workload: *workload }, action);
            }
            Deed::Wait(server, condition) => {
                wait_for(watch(server_id(*server), *condition)).await;
            }
            Deed::Sleep(time) => sleep(*time).await,
        }
    }

    fn set(&self, server: ServerId, changes: &[(String, String)]) {
        let mut files = self.settings.borrow_mut();
        let mut settings = files[server.index()].clone();
        for (name, value) in changes {
            settings.set(name, value).expect("checked when the scenario was read");
        }
        if with(|world| world.holds(Watch::Ready(server))) {
            files[server.index()] = settings.clone();
        }
        command(server, Command::Reload(Box::new(settings)));
    }

    async fn stop(&self, server: ServerId, mode: StopMode) {
        if self.hosts.stop(server, mode) {
            wait_for(Watch::Down(server)).await;
        } else if with(|world| world.holds(Watch::Down(server))) {
            fact(Some(server), What::CommandRefused { why: Refused::NotRunning });
        } else {
            // Somebody else shuts it down.
            wait_for(Watch::Down(server)).await;
        }
    }

    /// A host that is dead starts its server when it boots.
    async fn start(&self, server: ServerId) {
        match self.hosts.condition(server) {
            HostCondition::Crashed(Scope::Host) => self.hosts.enable(server),
            HostCondition::Crashed(Scope::Processes)
            | HostCondition::Frozen(_)
            | HostCondition::Sound => self.hosts.start(server),
        }
        wait_for(Watch::Ready(server)).await;
    }
}

fn command(server: ServerId, command: Command) {
    apply(Action::Command { server, command });
}

fn slot_name(index: usize) -> SlotName {
    SlotName(u16::try_from(index).expect("a scenario has at most 11000 slots"))
}

/// Ends with the checkpoint that was asked for: if one runs, with the one after that. A checkpoint
/// that is refused, or skipped as a restartpoint may be, is over at once.
async fn checkpoint(server: ServerId) {
    let before = with(|world| world.checkpoints(server));
    command(server, Command::Checkpoint);
    let wanted = before.done + if before.running { 2 } else { 1 };
    wait_for(Watch::Checkpoints(server, wanted)).await;
}

/// Ends when it is a primary; at once if it is none that could be promoted.
async fn promote(server: ServerId) {
    command(server, Command::Promote);
    wait_for(Watch::OutOfRecovery(server)).await;
}

/// Ends when all is written and its commit, if it has one, is durable.
async fn write(server: ServerId, what: Command) {
    command(server, what);
    wait_for(Watch::Written(server)).await;
}

/// Writes down what views show.
fn look(server: ServerId, views: &[View]) {
    if !with(|world| world.holds(Watch::Ready(server))) {
        return fact(Some(server), What::CommandRefused { why: Refused::NotRunning });
    }
    for view in views {
        observe(server, *view);
    }
}

fn watch(server: ServerId, condition: Condition) -> Watch {
    match condition {
        Condition::Ready => Watch::Ready(server),
        Condition::Down => Watch::Down(server),
        Condition::Streaming => Watch::Streaming(server),
        Condition::CaughtUp => Watch::CaughtUp(server),
        Condition::Disconnected => Watch::Disconnected(server),
        Condition::Lost => Watch::Lost(server),
    }
}
