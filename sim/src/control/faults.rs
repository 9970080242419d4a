//! The injector: walks the fault schedule and begins and ends each fault at its moment.
//!
//! It is one task that no fault can reach. Begins and ends of one moment are done in one go,
//! begins first, each in the order of the file; so a fault that begins as another ends takes over
//! from it without a gap.
//!
//! Faults may overlap. The injector counts what holds each server and each pair of servers, and
//! the rule is the same for all: *what several faults hold is free when the last of them heals.*
//! * A crashed or frozen server is crashed or frozen once. A host's crash on top of a crash of its
//!   processes takes the page cache too, and a host's freeze on top of one of its processes stops
//!   the agents too; the other way round nothing changes.
//! * A crash ends a freeze, as what is dead cannot be thawed; but the server starts only when
//!   neither crashes nor freezes hold it any more.
//! * A server that a `stop` fault shut down starts when nothing holds it any more. A frozen or dead
//!   server cannot be shut down: it comes back with the fault that made it so.
//! * A server that was shut down when its fault came does not start when that heals; its processes
//!   can neither crash nor freeze.
//! * A server that gave up because its disk was full starts when that is over.
//! * A server that somebody else has started meanwhile is left alone.
//! * Delays that are added to a link add up; packets are lost to any of those that lose them; of
//!   bandwidths the lowest is left.
//! * Faults that make a disk slow multiply their factors; of their tables of fsync the one that
//!   began last holds.
//!
//! A fault without an end lasts to the end of the run.
//!
//! **Source.** Walden's own.
//!
//! **Not modelled.** A fault that ends by halves: a host that boots while its processes are held
//! down by another fault, and a freeze that shrinks from host to processes.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use models::disk::Slowdown;
use models::network::{AddedDelay, Impairment};
use models::postgres::command::Command;
use models::trace::fact::{Scope, ServerId, What};
use models::units::{Die, SimTime};
use scenarios::fault::{Fault, FaultKind, Worse};
use scenarios::scenario::{Scenario, ServerIndex};

use super::ctl::{apply, fact};
use super::host::{Hosts, server_id};
use super::sleep_until;
use crate::world::Action;

/// How many faults hold each thing. A server counts its crashes, freezes and stops in one: each
/// keeps it from running.
struct Injector {
    hosts: Rc<Hosts>,
    scenario: Rc<Scenario>,
    servers: BTreeMap<ServerId, u32>,
    /// Servers that a fault shut down: to be started when nothing holds them any more.
    stopped: BTreeSet<ServerId>,
    full: BTreeMap<ServerId, u32>,
    stalled: BTreeMap<ServerId, u32>,
    /// What slows disks down, by the fault's place in the file, in the order of their begins.
    slow: Vec<(usize, ServerId, Slowdown)>,
    paused: BTreeMap<ServerId, u32>,
    /// What makes links worse, by the fault's place in the file, in the order of their begins.
    worse: Vec<usize>,
    cuts: BTreeMap<Pair, u32>,
    holds: BTreeMap<Pair, u32>,
}

/// Two servers, the lower first: a link's faults have no direction.
type Pair = (ServerId, ServerId);

fn pair(&(a, b): &(ServerIndex, ServerIndex)) -> Pair {
    (server_id(a.min(b)), server_id(a.max(b)))
}

/// One more holds it; whether it is the first.
fn take<K: Ord>(counts: &mut BTreeMap<K, u32>, key: K) -> bool {
    let count = counts.entry(key).or_default();
    *count += 1;
    *count == 1
}

/// One less holds it; whether it was the last.
fn free<K: Ord>(counts: &mut BTreeMap<K, u32>, key: K) -> bool {
    let count = counts.entry(key).or_default();
    assert!(*count > 0, "a fault ends that did not begin");
    *count -= 1;
    *count == 0
}

/// Begins and ends all faults, each at its moment.
pub(super) async fn inject(hosts: Rc<Hosts>, scenario: Scenario) {
    let scenario = Rc::new(scenario);
    let faults = &scenario.faults;
    let mut injector = Injector {
        hosts,
        scenario: Rc::clone(&scenario),
        servers: BTreeMap::new(),
        stopped: BTreeSet::new(),
        full: BTreeMap::new(),
        stalled: BTreeMap::new(),
        slow: Vec::new(),
        paused: BTreeMap::new(),
        worse: Vec::new(),
        cuts: BTreeMap::new(),
        holds: BTreeMap::new(),
    };
    let mut steps: Vec<(SimTime, Step, usize)> = Vec::new();
    for (index, fault) in faults.iter().enumerate() {
        let at = SimTime::ZERO + fault.at;
        steps.push((at, Step::Begin, index));
        if let (Some(lasts), false) = (fault.lasts, fault.kind.momentary()) {
            steps.push((at + lasts, Step::End, index));
        }
    }
    steps.sort_unstable();
    let mut due = SimTime::NEVER;
    for (at, step, index) in steps {
        if at != due {
            sleep_until(at).await;
            due = at;
        }
        let fault = u16::try_from(index).expect("a scenario has at most 65536 faults");
        match step {
            Step::Begin => {
                fact(None, What::FaultBegan { fault });
                injector.begin(index, &faults[index].kind);
            }
            Step::End => {
                fact(None, What::FaultHealed { fault });
                injector.end(index, &faults[index].kind);
            }
        }
    }
}

/// Ordered: at one moment begins come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Begin,
    End,
}

impl Injector {
    fn begin(&mut self, fault: usize, kind: &FaultKind) {
        match kind {
            FaultKind::Crash { what, server } => {
                take(&mut self.servers, server_id(*server));
                self.hosts.crash(server_id(*server), *what);
            }
            FaultKind::Freeze { what, server } => {
                take(&mut self.servers, server_id(*server));
                self.hosts.freeze(server_id(*server), *what);
            }
            FaultKind::Stop { mode, server } => {
                let server = server_id(*server);
                take(&mut self.servers, server);
                if self.hosts.stop(server, *mode) {
                    self.stopped.insert(server);
                }
            }
            FaultKind::SiteDown { servers } => {
                for server in servers.iter().map(|server| server_id(*server)) {
                    take(&mut self.servers, server);
                    self.hosts.crash(server, Scope::Host);
                }
            }
            // Its WAL comes from the world's clients.
            FaultKind::BulkWrite { .. } => {}
            FaultKind::ClockJump { server, by } => {
                apply(Action::JumpClock { server: server_id(*server), by: *by });
            }
            FaultKind::DiskFull { server } => {
                let server = server_id(*server);
                if take(&mut self.full, server) {
                    apply(Action::FillDisk { server, full: true });
                }
            }
            FaultKind::DiskSlow { server, slowdown } => {
                self.slow.push((fault, server_id(*server), slowdown.clone()));
                self.slow_disk(server_id(*server));
            }
            FaultKind::DiskStall { server } => {
                let server = server_id(*server);
                if take(&mut self.stalled, server) {
                    apply(Action::StallDisk { server, stalled: true });
                }
            }
            FaultKind::ReplayPause { server } => {
                let server = server_id(*server);
                if take(&mut self.paused, server) {
                    apply(Action::Command { server, command: Command::ReplayPause });
                }
            }
            FaultKind::LinkCut { between } => {
                let pairs = between.iter().map(pair).filter(|pair| take(&mut self.cuts, *pair));
                pairs.for_each(|(a, b)| apply(Action::Cut { a, b }));
            }
            FaultKind::LinkHold { between } => {
                let pairs = between.iter().map(pair).filter(|pair| take(&mut self.holds, *pair));
                pairs.for_each(|(a, b)| apply(Action::Hold { a, b }));
            }
            FaultKind::LinkWorse { ways, .. } => {
                self.worse.push(fault);
                self.impair(ways);
            }
            FaultKind::LinkReset { between } => {
                for (a, b) in between.iter().map(pair) {
                    apply(Action::Reset { a, b });
                }
            }
        }
    }

    fn end(&mut self, fault: usize, kind: &FaultKind) {
        match kind {
            FaultKind::Crash { server, .. }
            | FaultKind::Freeze { server, .. }
            | FaultKind::Stop { server, .. } => self.free_server(server_id(*server)),
            FaultKind::SiteDown { servers } => {
                for server in servers {
                    self.free_server(server_id(*server));
                }
            }
            FaultKind::BulkWrite { .. } => {}
            FaultKind::ClockJump { server, by } => {
                apply(Action::JumpClock { server: server_id(*server), by: -by });
            }
            FaultKind::DiskFull { server } => {
                let server = server_id(*server);
                if free(&mut self.full, server) {
                    apply(Action::FillDisk { server, full: false });
                    self.start_again(server);
                }
            }
            FaultKind::DiskSlow { server, .. } => {
                self.slow.retain(|(of, _, _)| *of != fault);
                self.slow_disk(server_id(*server));
            }
            FaultKind::DiskStall { server } => {
                let server = server_id(*server);
                if free(&mut self.stalled, server) {
                    apply(Action::StallDisk { server, stalled: false });
                }
            }
            FaultKind::ReplayPause { server } => {
                let server = server_id(*server);
                if free(&mut self.paused, server) {
                    apply(Action::Command { server, command: Command::ReplayResume });
                }
            }
            FaultKind::LinkCut { between } => {
                for (a, b) in between.iter().map(pair) {
                    if free(&mut self.cuts, (a, b)) {
                        apply(Action::HealCut { a, b });
                    }
                }
            }
            FaultKind::LinkHold { between } => {
                for (a, b) in between.iter().map(pair) {
                    if free(&mut self.holds, (a, b)) {
                        apply(Action::Release { a, b });
                    }
                }
            }
            FaultKind::LinkWorse { ways, .. } => {
                self.worse.retain(|of| *of != fault);
                self.impair(ways);
            }
            FaultKind::LinkReset { .. } => {}
        }
    }

    /// A disk is as slow as all its faults make it.
    fn slow_disk(&self, server: ServerId) {
        let mut slowdown = Slowdown::NONE;
        for (_, _, one) in self.slow.iter().filter(|(_, of, _)| *of == server) {
            slowdown = slowdown.and(one);
        }
        apply(Action::SlowDisk { server, slowdown });
    }

    /// Each of these ways is as bad as all its faults make it.
    fn impair(&self, ways: &[(ServerIndex, ServerIndex)]) {
        let Scenario { seed, servers, faults, .. } = &*self.scenario;
        for &(from, to) in ways {
            let mut impairment = Impairment::default();
            for Fault { name, kind, .. } in self.worse.iter().map(|fault| &faults[*fault]) {
                let FaultKind::LinkWorse { ways, how } = kind else { continue };
                if !ways.contains(&(from, to)) {
                    continue;
                }
                match how {
                    Worse::Delay(delay) => {
                        let owner = format!("{name}/{}/{}", servers[from].name, servers[to].name);
                        let die = Die::new(*seed, "added delay", &owner);
                        impairment.added.push(AddedDelay { delay: delay.clone(), die });
                    }
                    Worse::Loss(loss) => impairment.loss = impairment.loss.and(*loss),
                    Worse::Bandwidth(left) => {
                        let least = impairment.bandwidth.map_or(*left, |rate| rate.min(*left));
                        impairment.bandwidth = Some(least);
                    }
                }
            }
            apply(Action::Impair { from: server_id(from), to: server_id(to), impairment });
        }
    }

    /// There is room again: a server that gave up for lack of it starts, once it can.
    fn start_again(&mut self, server: ServerId) {
        if !self.hosts.gave_up(server) {
            return;
        }
        if self.servers.get(&server).is_some_and(|&holds| holds > 0) {
            self.stopped.insert(server);
        } else {
            self.hosts.start(server);
        }
    }

    /// One fault less holds a server; when it was the last, the server goes on or comes back.
    fn free_server(&mut self, server: ServerId) {
        if free(&mut self.servers, server) {
            self.hosts.thaw(server);
            if self.stopped.remove(&server) {
                self.hosts.start(server);
            } else {
                self.hosts.revive(server);
            }
        }
    }
}
