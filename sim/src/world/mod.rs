//! The data plane: servers, links and clients, and the one loop that plays them.
//!
//! A [`World`] is plain data. It knows no madsim, no task, no waker, no clock but its own, and can
//! be cloned at any moment. [`World::run_until`] plays data events in the order of the
//! [`agenda`]; between two calls the control plane may [`World::apply`] what befalls the world
//! from outside. Everything that happens goes into the [`digest`].
//!
//! Commits are not events. While the primary flushes, whatever is inserted can only wait, so
//! arrivals are drawn when the flush ends ("lazily"); only while no flush runs does the next
//! arrival stand on the agenda, because it may begin one.

pub mod agenda;
pub mod build;
pub mod dice;
pub mod digest;
mod failover;
mod heard;
mod laws;
mod links;
pub(crate) mod needs;
mod patience;
pub mod recorder;
mod routes;
mod rows;
mod sessions;
mod streams;
pub mod summary;
pub mod trail;
mod watch;

use models::clients::{Arrival, Clients};
use models::disk::Slowdown;
use models::network::{Delivery, Impairment, Link};
use models::postgres::command::Command;
use models::postgres::effect::Out;
use models::postgres::guc::SynchronousCommit;
use models::postgres::primary::Primary;
use models::postgres::protocol::{Body, Message};
use models::postgres::server::Server;
use models::postgres::syncrep::WaitMode;
use models::postgres::views::{self, Rows};
use models::trace::fact::{Fact, Scope, ServerId, What};
use models::trace::observation::Observation;
use models::units::{Lsn, SimTime};
use scenarios::action::View;

use crate::checkers::Checkers;
use agenda::Agenda;
use digest::Digest;
use patience::Patience;
use recorder::Recorder;
use routes::fingerprint_of;
use streams::Stream;
pub use watch::{Checkpoints, Watch};

/// Where [`World::run_until`] stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// At the moment asked for.
    Until,
    /// At the close of the first moment at which a watch held.
    Saw,
}

/// What the control plane does to the world.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Processes or host die.
    Crash {
        /// Whose.
        server: ServerId,
        /// What dies.
        scope: Scope,
    },
    /// The postmaster starts.
    Start {
        /// Whose.
        server: ServerId,
    },
    /// Processes or host stop without dying.
    Freeze {
        /// Whose.
        server: ServerId,
        /// What stops.
        scope: Scope,
    },
    /// They go on.
    Thaw {
        /// Whose.
        server: ServerId,
    },
    /// An operator asks something of a server.
    Command {
        /// Of whom.
        server: ServerId,
        /// What.
        command: Command,
    },
    /// The volume of pg_wal takes no new file, or does again.
    FillDisk {
        /// Whose.
        server: ServerId,
        /// Whether it is full.
        full: bool,
    },
    /// The volume of pg_wal is as slow as this.
    SlowDisk {
        /// Whose.
        server: ServerId,
        /// How slow; [`Slowdown::NONE`]: as ever.
        slowdown: Slowdown,
    },
    /// The volume of pg_wal completes no fsync, or goes on.
    StallDisk {
        /// Whose.
        server: ServerId,
        /// Whether it stalls.
        stalled: bool,
    },
    /// A wall clock jumps.
    JumpClock {
        /// Whose.
        server: ServerId,
        /// How far ahead, or back if below zero (nanoseconds).
        by: i64,
    },
    /// Nothing passes between two servers, and nobody is told.
    Cut {
        /// One end.
        a: ServerId,
        /// The other end.
        b: ServerId,
    },
    /// The way is free again.
    HealCut {
        /// One end.
        a: ServerId,
        /// The other end.
        b: ServerId,
    },
    /// Everything between two servers waits.
    Hold {
        /// One end.
        a: ServerId,
        /// The other end.
        b: ServerId,
    },
    /// It passes at once.
    Release {
        /// One end.
        a: ServerId,
        /// The other end.
        b: ServerId,
    },
    /// What one server sends to another is delayed, lost or squeezed like this from now on.
    Impair {
        /// Who sends.
        from: ServerId,
        /// To whom.
        to: ServerId,
        /// How.
        impairment: Impairment,
    },
    /// Their connections are reset; both ends notice.
    Reset {
        /// One end.
        a: ServerId,
        /// The other end.
        b: ServerId,
    },
}

/// A workload and where it runs.
#[derive(Clone, Debug)]
struct Workload {
    clients: Clients,
    /// Its own `synchronous_commit`.
    level: Option<SynchronousCommit>,
    closed: bool,
}

/// Servers, links and clients.
#[derive(Clone, Debug)]
pub struct World {
    now: SimTime,
    end: SimTime,
    servers: Vec<Server>,
    /// Two for each link of the scenario, one a direction.
    links: Vec<Link>,
    /// The link and the flow from one server to another: `from * servers + to`.
    routes: Vec<Option<(usize, usize)>>,
    /// Of each server, the stream to its upstream if it is a standby.
    streams: Vec<Option<Stream>>,
    workloads: Vec<Workload>,
    /// The server that clients write to.
    primary: usize,
    /// Servers that stream from another one: what lag is measured for.
    standbys: Vec<usize>,
    agenda: Agenda,
    digest: Digest,
    events: u64,
    recorder: Option<Recorder>,
    /// Who holds the run to the laws.
    checkers: Option<Box<Checkers>>,
    /// They want the close of every moment and every message of WAL.
    checks_moments: bool,
    /// When the digest or the recorder wants a look.
    next_look: SimTime,
    /// Flush position of the primary when it was looked at last.
    primary_flushed: Lsn,
    /// A transaction that found wal_buffers full.
    held: Option<(usize, Arrival)>,
    /// Commits that found no primary.
    refused: u64,
    /// Commits whose connection ended before they were inserted.
    disconnected: u64,
    /// Sessions went on at this moment at the earliest: the last start or thaw of the primary.
    sessions_since: SimTime,
    /// Every server's checkpoints.
    checkpoints: Vec<Checkpoints>,
    /// Something happened that a watch may wait for.
    touched: bool,
    /// Several pairs of servers share a link.
    shares_links: bool,
    /// Some link loses packets: what comes next decides when a lost one is sent again.
    loses: bool,
    /// Status updates that only move those may be read later (see [`models::network`]).
    quiet: bool,
    /// Whether, and how far, the primary runs ahead of its standbys.
    patience: Patience,
    /// Rows that workloads have added, if the file asks for them.
    rows: Option<rows::Rows>,
    /// What walreceivers were told, if somebody is going to look.
    heard: Option<Box<heard::Heard>>,
    /// What promotions cost, if the scenario has any.
    failovers: Option<Box<failover::Failovers>>,
    /// What passes, if somebody looks for that.
    trail: Option<Box<trail::Trail>>,
    /// Scratch: effects of the machine in hand.
    out: Out,
}

impl World {
    /// The moment up to which everything has happened.
    pub fn now(&self) -> SimTime {
        self.now
    }

    /// The end of the run.
    pub fn end(&self) -> SimTime {
        self.end
    }

    /// Data events so far.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The digest of all of them.
    pub fn digest(&self) -> u64 {
        self.digest.value()
    }

    /// The servers, indexed by [`ServerId`].
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// The run ends now.
    pub fn end_here(&mut self) {
        self.end = self.now;
    }

    /// Plays all data events up to and including `until`, or stops at the close of the first
    /// moment at which one of `watches` holds.
    pub fn run_until(&mut self, until: SimTime, watches: &[Watch]) -> Reached {
        let every_moment = self.checks_moments;
        let positions = every_moment || watches.iter().any(|watch| watch.is_of_positions());
        self.touched = true;
        self.patience.watched = positions;
        if positions {
            self.be_impatient();
        }
        loop {
            let (source, at) = self.agenda.first();
            if at > self.now {
                // The moment closes.
                if self.touched || positions {
                    self.touched = false;
                    if positions {
                        self.read_all_quiet(self.now);
                        if self.agenda.first() != (source, at) {
                            continue;
                        }
                    }
                    if every_moment {
                        self.check_all();
                    }
                    if watches.iter().any(|&watch| self.holds(watch)) {
                        self.read_all_quiet(self.now);
                        return Reached::Saw;
                    }
                }
                if at > until {
                    if until > self.next_look {
                        self.look_around(until);
                    }
                    self.now = self.now.max(until);
                    self.read_all_quiet(self.now);
                    return Reached::Until;
                }
                if at > self.next_look {
                    self.look_around(at);
                }
                self.now = at;
            }
            self.step(source, until);
        }
    }

    /// Something befalls the world, now.
    pub fn apply(&mut self, action: Action) {
        self.look_around(self.now);
        self.be_loud();
        self.feed(self.now);
        self.check_before();
        self.digest.fold_parts(&action);
        let now = self.now;
        match action {
            Action::Crash { server, scope } => {
                self.unfreeze_host(server);
                if scope == Scope::Host && !self.servers[server.index()].host_is_down() {
                    self.fall_silent(server);
                }
                self.with_server(server, |s, out| s.crash(now, scope, out));
            }
            Action::Start { server } => {
                if self.servers[server.index()].host_is_down() {
                    self.each_peer(server, |world, peer| world.heal(server, peer));
                }
                self.with_server(server, |s, out| s.start(now, out));
            }
            Action::Freeze { server, scope } => {
                if scope == Scope::Host && self.servers[server.index()].frozen() != Some(scope) {
                    self.each_peer(server, |world, peer| world.cut(server, peer));
                }
                self.with_server(server, |s, out| s.freeze(now, scope, out));
            }
            Action::Thaw { server } => {
                self.unfreeze_host(server);
                self.with_server(server, |s, out| s.thaw(now, out));
                // One thing after the other: what comes of each is carried out before the next.
                let mut more = true;
                while more {
                    self.with_server(server, |s, out| more = s.take_kept(now, out));
                }
                self.sessions_since = now;
            }
            Action::Command { server, command } => {
                self.with_server(server, |s, out| s.command(now, &command, out));
            }
            Action::FillDisk { server, full } => {
                self.with_server(server, |s, _| s.fill_disk(full));
            }
            Action::SlowDisk { server, slowdown } => {
                self.with_server(server, |s, _| s.slow_disk(&slowdown));
            }
            Action::StallDisk { server, stalled } => {
                self.with_server(server, |s, _| s.stall_disk(now, stalled));
            }
            Action::JumpClock { server, by } => {
                self.with_server(server, |s, _| s.jump_clock(now, by));
            }
            Action::Cut { a, b } => self.cut(a, b),
            Action::HealCut { a, b } => self.heal(a, b),
            Action::Hold { a, b } => self.both_ways(a, b, |link, flow| link.hold(flow)),
            Action::Release { a, b } => self.release(a, b),
            Action::Impair { from, to, impairment } => self.impair(from, to, &impairment),
            Action::Reset { a, b } => self.reset(a, b),
        }
        self.digest.fold(now.0);
        self.book_clients();
        self.check_all();
        self.touched = true;
    }

    /// Something happened outside of all servers, or the control plane did it.
    pub fn fact(&mut self, server: Option<ServerId>, what: What) {
        // What control code finds next is the same whether or not somebody looked before.
        self.read_all_quiet(self.now);
        let fact = Fact { at: self.now, server, what };
        if let Some(checkers) = &mut self.checkers {
            checkers.noted(fact);
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.fact(fact);
        }
    }

    /// The digests at the moments that have passed.
    pub fn digests(&self) -> &[u64] {
        self.digest.moments()
    }

    /// Everything up to now is taken note of, so that somebody can look at the servers.
    pub fn settle_for_look(&mut self) {
        self.look_around(self.now);
        self.read_all_quiet(self.now);
    }

    /// Somebody looks at a view. Leaves no trace but what it showed.
    pub fn observe(&mut self, server: ServerId, view: View) {
        self.look_around(self.now);
        self.read_all_quiet(self.now);
        let Some(recorder) = &mut self.recorder else { return };
        let looked_at = &self.servers[server.index()];
        let rows = match view {
            View::ReplicationSlots => Rows::ReplicationSlots(views::replication_slots(looked_at)),
            View::LsWaldir => Rows::LsWaldir(views::ls_waldir(looked_at)),
            View::StatReplication => Rows::StatReplication(views::stat_replication(looked_at)),
            View::WalLsn => Rows::WalLsn(views::wal_lsn(looked_at, self.now).into_iter().collect()),
            View::ControlCheckpoint => {
                Rows::ControlCheckpoint(vec![views::control_checkpoint(looked_at)])
            }
            View::StatActivity => Rows::StatActivity(views::stat_activity(looked_at)),
        };
        recorder.observations.push(Observation { at: self.now, server, rows });
    }

    /// One event of the source that comes next. A thawed server's deadlines may lie in the past:
    /// they are due now.
    #[inline]
    fn step(&mut self, source: usize, until: SimTime) {
        if source == self.primary {
            if self.patience.on && self.flush_ahead(until) {
                return;
            }
            self.count_event(source);
            self.prepare_primary();
            self.feed(self.now);
            self.servers[source].deadline(self.now, &mut self.out);
            self.settle(source);
        } else if source < self.servers.len() {
            match self.streams[source] {
                Some(_) => self.standby_due(source),
                None => self.idle_primary_due(source),
            }
        } else if source < self.servers.len() + self.links.len() {
            self.link_due(source - self.servers.len());
        } else {
            self.count_event(source);
            self.arrive(until);
        }
    }

    /// The primary is going to do something: what it may look at must be known, and walsenders
    /// that may have to wait are in time.
    #[inline]
    fn prepare_primary(&mut self) {
        if self.servers[self.primary].primary().is_some_and(|p| p.looks_at_senders(self.now)) {
            self.read_all_quiet(self.now);
            self.be_impatient();
        }
    }

    #[inline]
    fn count_event(&mut self, source: usize) {
        self.events += 1;
        self.digest.fold_event(self.now, source);
    }

    /// A link's moment has come. An update that is heard is no event: by who looks when, more or
    /// fewer of them are loud.
    fn link_due(&mut self, link: usize) {
        if self.patience.on {
            self.play_standbys(self.now);
            self.be_impatient();
        } else if self.quiet && self.links[link].next_update() <= self.now {
            return self.hear_update(self.now, link);
        }
        self.count_event(self.servers.len() + link);
        self.deliver(link);
    }

    /// What a link has brought.
    fn deliver(&mut self, link: usize) {
        let at = self.now;
        match self.links[link].deliver(at) {
            Some(Delivery::Message { from, to, sent, message }) => {
                match message.body {
                    Body::StatusUpdate { .. } => {}
                    _ => self.digest.fold(fingerprint_of(&message)),
                }
                self.note_message((sent, at), (from, to), &message);
                self.receive(at, sent, from, to, &message);
            }
            Some(Delivery::Room { from, to, bytes }) => {
                self.prepare_primary();
                self.servers[from.index()].room(self.now, to, bytes, &mut self.out);
                self.settle(from.index());
            }
            None => {}
        }
        self.book_link(link);
    }

    #[inline]
    fn receive(
        &mut self,
        at: SimTime,
        sent: SimTime,
        from: ServerId,
        to: ServerId,
        message: &Message,
    ) {
        if to.index() == self.primary {
            self.note_updates(at, from.index());
        }
        let server = &mut self.servers[to.index()];
        if !server.host_is_down() {
            server.receive(at, sent, from, message, &mut self.out);
            self.settle(to.index());
        }
    }

    fn with_server(&mut self, server: ServerId, act: impl FnOnce(&mut Server, &mut Out)) {
        act(&mut self.servers[server.index()], &mut self.out);
        self.settle(server.index());
    }

    /// Carries out the effects of a server, and books its next moment.
    #[inline]
    fn settle(&mut self, server: usize) {
        if server != self.primary {
            return match self.streams[server] {
                Some(_) => self.settle_standby(server),
                None => self.settle_idle_primary(server),
            };
        }
        if !self.out.answers.is_empty() {
            self.answer_clients();
        }
        if !self.out.wal.is_empty() {
            self.send_wal(self.servers[server].id());
        }
        if !self.out.effects.is_empty() {
            self.carry_out(server);
        }
        self.agenda.set(server, self.servers[server].next_deadline());
        self.book_clients();
        if self.servers[server].flushed() != self.primary_flushed {
            self.flush_moved();
        }
    }

    /// Whether nobody waits for a standby's write or replay, or will until something befalls the
    /// world.
    fn may_be_quiet(&self, primary: &Primary) -> bool {
        let heeds = |mode| matches!(mode, WaitMode::Write | WaitMode::Apply);
        let levels = self.workloads.iter().map(|workload| primary.level(workload.level));
        // On a shared link a message sent late could find another one before it.
        !self.shares_links
            && !self.loses
            && self.failovers.is_none()
            && primary.is_settled()
            && !primary.has_waiting(heeds)
            && !levels.filter_map(SynchronousCommit::wait_mode).any(heeds)
    }

    /// Whether a client can have a session there.
    fn takes_sessions(&self, server: usize) -> bool {
        let server = &self.servers[server];
        server.is_ready() && server.refuses_sessions().is_none()
    }
}
