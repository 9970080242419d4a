//! Hosts: a madsim node each, with the server's postmaster as a task on it.
//!
//! The first task of a node is the host's boot: it starts the postmaster if that is enabled there
//! (`systemctl enable`), and agents will be started beside it. A crash of the processes ends the
//! postmaster's task alone; a crash of the host kills the node with all that is on it, and a boot
//! starts what is enabled. Each verb is one function: first it is done to the world, then to
//! madsim's picture of it. The world has no tasks and knows no hosts that boot; it sees a server
//! that crashed and later starts.
//!
//! The postmaster asks for crash recovery by starting, waits until connections are accepted, and
//! lives until it is killed: all that it does besides is the world's.
//!
//! **Source.** `postmaster.c`: `PM_STARTUP` to `PM_RUN`.
//!
//! **Not modelled.** The time that a host takes to boot and a service manager to act (effect:
//! a server starts at the moment its fault heals); immediate restart by a service manager.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;

use models::postgres::command::{Command, StopMode};
use models::trace::fact::{Scope, ServerId};
use scenarios::scenario::{Scenario, ServerIndex, ServerState};

use super::ctl::{apply, with};
use super::task::{Join, Node, kill, node, pause, restart, resume, spawn, spawn_on};
use super::wait_for;
use crate::world::{Action, Watch};

/// How a host and its server are, as far as verbs made them so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Running, or shut down cleanly.
    Sound,
    /// Stopped without dying.
    Frozen(Scope),
    /// Dead.
    Crashed(Scope),
}

/// One host.
#[derive(Debug)]
struct Host {
    node: Node,
    condition: Cell<Condition>,
    service: Rc<Service>,
}

/// PostgreSQL as a service of a host: what outlives a boot.
#[derive(Debug)]
struct Service {
    server: ServerId,
    /// Whether a boot starts it.
    enabled: Cell<bool>,
    /// Whether it was told to shut down since it was started last.
    stopping: Cell<bool>,
    postmaster: RefCell<Option<Join<()>>>,
}

/// All hosts of a run, indexed by server.
#[derive(Debug)]
pub struct Hosts(Vec<Host>);

/// The world's name for a server.
pub(super) fn server_id(index: ServerIndex) -> ServerId {
    ServerId(u8::try_from(index).expect("a scenario has at most 255 servers"))
}

/// The postmaster's life. A server that is up when the run begins is not started; one that is
/// still shutting down is waited for, as a service manager does.
async fn postmaster(service: Rc<Service>) {
    let server = service.server;
    if service.stopping.take() {
        wait_for(Watch::Down(server)).await;
    }
    if with(|world| world.holds(Watch::Down(server))) {
        apply(Action::Start { server });
    }
    wait_for(Watch::Ready(server)).await;
    pending::<()>().await;
}

/// What a host does when it boots.
async fn boot(service: Rc<Service>) {
    if service.enabled.get() {
        *service.postmaster.borrow_mut() = Some(spawn(postmaster(Rc::clone(&service))));
    }
}

impl Hosts {
    /// Makes a host for every server; those that are up have their postmaster.
    pub(super) fn new(scenario: &Scenario) -> Rc<Hosts> {
        let host = |(index, server): (ServerIndex, &scenarios::scenario::Server)| {
            let service = Rc::new(Service {
                server: server_id(index),
                enabled: Cell::new(server.state == ServerState::Up),
                stopping: Cell::new(false),
                postmaster: RefCell::new(None),
            });
            let at_boot = Rc::clone(&service);
            let node = node(&server.name, move || boot(Rc::clone(&at_boot)));
            let condition = Cell::new(Condition::Sound);
            Host { node, condition, service }
        };
        Rc::new(Hosts(scenario.servers.iter().enumerate().map(host).collect()))
    }

    fn of(&self, server: ServerId) -> &Host {
        &self.0[server.index()]
    }

    /// The node to put an agent of this host on. It dies and freezes with the host.
    pub fn node(&self, server: ServerId) -> Node {
        self.of(server).node
    }

    /// How the host is.
    pub fn condition(&self, server: ServerId) -> Condition {
        self.of(server).condition.get()
    }

    /// Whether a boot of the host starts its server: so for all that are up at the start or
    /// were started since.
    pub fn enabled(&self, server: ServerId) -> bool {
        self.of(server).service.enabled.get()
    }

    /// Whether processes of the server run, or are about to. While it shuts down they do.
    fn runs(&self, server: ServerId) -> bool {
        self.enabled(server) || !with(|world| world.holds(Watch::Down(server)))
    }

    /// Processes or host die; whatever was frozen is dead, not frozen. Nothing happens to what is
    /// dead already, or to the processes of a server that was shut down; but a host's crash on
    /// top of one of its processes takes the page cache too.
    pub fn crash(&self, server: ServerId, scope: Scope) {
        let host = self.of(server);
        let strikes = match (host.condition.get(), scope) {
            (Condition::Crashed(Scope::Host), _) => false,
            (Condition::Crashed(Scope::Processes), Scope::Processes) => false,
            (Condition::Sound | Condition::Frozen(_), Scope::Processes) => self.runs(server),
            (_, Scope::Host) => true,
        };
        if !strikes {
            return;
        }
        apply(Action::Crash { server, scope });
        host.condition.set(Condition::Crashed(scope));
        match scope {
            Scope::Processes => {
                if let Some(postmaster) = host.service.postmaster.take() {
                    postmaster.abort();
                }
                resume(host.node);
            }
            Scope::Host => kill(host.node),
        }
    }

    /// What crashed comes back: a dead host boots, and an enabled server starts.
    pub fn revive(&self, server: ServerId) {
        let host = self.of(server);
        match host.condition.get() {
            Condition::Sound | Condition::Frozen(_) => return,
            Condition::Crashed(Scope::Processes) => _ = spawn_on(host.node, boot_of(host)),
            Condition::Crashed(Scope::Host) => restart(host.node),
        }
        host.condition.set(Condition::Sound);
    }

    /// From now on every boot of the host starts its server.
    pub fn enable(&self, server: ServerId) {
        self.of(server).service.enabled.set(true);
    }

    /// Starts a server, whatever it was before, and from now on with every boot of its host.
    pub fn start(&self, server: ServerId) {
        let host = self.of(server);
        let ran = host.service.enabled.replace(true);
        if host.condition.get() == Condition::Sound && (!ran || self.gave_up(server)) {
            if let Some(postmaster) = host.service.postmaster.take() {
                postmaster.abort();
            }
            drop(spawn_on(host.node, boot_of(host)));
        }
        self.revive(server);
    }

    /// Whether the postmaster has ended although nobody told it to and its host is alive: it could
    /// not start.
    pub fn gave_up(&self, server: ServerId) -> bool {
        let dead = matches!(self.condition(server), Condition::Crashed(_));
        !dead && self.enabled(server) && with(|world| world.holds(Watch::Down(server)))
    }

    /// Shuts a server down; from now on no boot of its host starts it. Nothing happens to what is
    /// dead or frozen, or is shut down already. Whether it is shutting down because of this.
    pub fn stop(&self, server: ServerId, mode: StopMode) -> bool {
        let host = self.of(server);
        if host.condition.get() != Condition::Sound || !host.service.enabled.get() {
            return false;
        }
        host.service.enabled.set(false);
        host.service.stopping.set(true);
        apply(Action::Command { server, command: Command::Stop(mode) });
        if let Some(postmaster) = host.service.postmaster.take() {
            postmaster.abort();
        }
        true
    }

    /// Processes or host stop without dying; agents stop with the host alone. Nothing happens to
    /// a server that is dead, shut down, or frozen as deep already.
    pub fn freeze(&self, server: ServerId, scope: Scope) {
        let host = self.of(server);
        let strikes = match (host.condition.get(), scope) {
            (Condition::Crashed(_) | Condition::Frozen(Scope::Host), _) => false,
            (Condition::Frozen(Scope::Processes), Scope::Processes) => false,
            (Condition::Frozen(Scope::Processes), Scope::Host) => true,
            (Condition::Sound, _) => self.runs(server),
        };
        if !strikes {
            return;
        }
        apply(Action::Freeze { server, scope });
        host.condition.set(Condition::Frozen(scope));
        match scope {
            // The postmaster waits for the world, and the world has stopped it.
            Scope::Processes => {}
            Scope::Host => pause(host.node),
        }
    }

    /// What was frozen goes on.
    pub fn thaw(&self, server: ServerId) {
        let host = self.of(server);
        if matches!(host.condition.get(), Condition::Frozen(_)) {
            apply(Action::Thaw { server });
            host.condition.set(Condition::Sound);
            resume(host.node);
        }
    }
}

fn boot_of(host: &Host) -> impl Future<Output = ()> + 'static {
    boot(Rc::clone(&host.service))
}
