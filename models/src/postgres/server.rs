//! One server: its host, what it runs as, and how it crashes and comes back.
//!
//! A server is down, recovering, a primary or a standby. What survives a crash is [`Host`]: the
//! files and the disk; what does not is inside [`State`] and is rebuilt from the host. A frozen
//! server hears nothing until it thaws; then it takes what its kernel kept for it, in order, and
//! does what is overdue.
//!
//! A crash of the *processes* leaves the kernel: what was written survives unsynced, and peers see
//! their connections closed. A crash of the *host* loses what was not fsynced, and peers hear
//! nothing.
//!
//! **Source.** `postmaster.c:PostmasterStateMachine`; `xlog.c:StartupXLOG`.
//!
//! **Not modelled.** The time of a postmaster's start beside recovery. Where recovery ends is
//! exact for what a flush wrote; WAL that only the walwriter wrote page by page ends at a page.

mod clock;
mod gate;
mod life;
mod operator;
mod promotion;
mod quiet;
mod statistics;

pub use clock::WallClock;
pub use life::Toll;
pub use statistics::Statistics;

use std::collections::VecDeque;

use super::command::{Command, SlotName};
use super::effect::Out;
use super::guc::{Settings, SynchronousCommit};
use super::host::{Host, Names};
use super::primary::{Attention, Primary};
use super::protocol::{Body, Message};
use super::slot::Slots;
use super::standby::Standby;
use super::wal::WalFiles;
use super::{ConnectionId, PgVersion};
use crate::clients::Clients;
use crate::disk::{Disk, Moved, Slowdown};
use crate::trace::commit::StageSample;
use crate::trace::fact::{Refusal, Scope, ServerId, What};
use crate::units::{Bytes, Lsn, Rate, SimTime, TimelineId};

/// What the kernel keeps for a frozen server.
#[derive(Clone, Debug, PartialEq)]
enum Postponed {
    /// A message has arrived.
    Message {
        /// The sender.
        from: ServerId,
        /// When it was sent.
        sent: SimTime,
        /// The message.
        message: Message,
    },
    /// A socket that was full has room for so many bytes.
    Room {
        /// The peer.
        to: ServerId,
        /// Bytes it takes without blocking.
        bytes: Bytes,
    },
    /// An operator has asked for something.
    Command(Command),
}

/// Whether a primary takes sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    /// It does.
    Open,
    /// Not yet: the checkpoint at the end of crash recovery is under way.
    Opening,
    /// Not any more: it shuts down.
    Closing,
    /// Not yet: it is a standby that is being promoted. Queries are taken.
    Promoting,
}

/// What pg_control says of the last life (`DBState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Control {
    /// It ended with a shutdown checkpoint, or as a standby in order.
    ShutDown { at: SimTime },
    /// It ended in the middle.
    Interrupted,
}

/// What a server is built from.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Its place in the run.
    pub id: ServerId,
    /// Its settings.
    pub settings: Settings,
    /// The server it streams from; `None`: a primary.
    pub upstream: Option<ServerId>,
    /// WAL replayed a second.
    pub replay: Rate,
    /// Volume of pg_wal.
    pub disk: Disk,
    /// Files of pg_wal at the start.
    pub files: WalFiles,
    /// Timeline at the start.
    pub timeline: TimelineId,
    /// The names that it knows others by.
    pub names: Names,
    /// Slots on this server at the start, with the WAL from the redo point on reserved.
    pub slots: Vec<SlotName>,
    /// The slot it uses at its upstream (`primary_slot_name`).
    pub primary_slot_name: Option<SlotName>,
}

/// One PostgreSQL server and its host.
#[derive(Clone, Debug)]
pub struct Server {
    id: ServerId,
    settings: Settings,
    /// What the configuration files have, once they were changed.
    next_settings: Option<Settings>,
    upstream: Option<ServerId>,
    replay: Rate,
    quiet: bool,
    /// What survives a crash.
    pub host: Host,
    state: State,
    gate: Gate,
    /// What pg_control says while no server runs.
    control: Control,
    host_down: bool,
    frozen: Option<Scope>,
    /// What the kernel keeps for a frozen server.
    postponed: VecDeque<Postponed>,
    /// From here on a standby is consistent after a restart.
    consistent_at: Lsn,
    /// Acknowledged commits that crashes have lost.
    lost_commits: u64,
    unknown_commits: u64,
    /// Commits whose wait for standbys was cancelled.
    cancelled_commits: u64,
    /// Checkpoints or restartpoints made before the last start.
    earlier_checkpoints: u64,
    clock: WallClock,
    /// What earlier lives have counted.
    earlier_statistics: Statistics,
    /// What is looked for, while no primary runs.
    attention: Option<Box<Attention>>,
    next: SimTime,
}

/// What a server is doing.
#[derive(Clone, Debug)]
pub enum State {
    /// No processes.
    Down,
    /// Crash recovery of a primary.
    Recovering {
        /// When it is over.
        until: SimTime,
        /// When it began.
        since: SimTime,
    },
    /// A primary that accepts connections.
    Primary(Box<Primary>),
    /// A standby.
    Standby(Box<Standby>),
}

impl Server {
    /// A server that is down, cleanly: everything is flushed.
    pub fn new(config: ServerConfig) -> Server {
        let files = config.files;
        let slots = existing_slots(&config);
        let mut host =
            Host::new(config.id, files, config.disk, slots, config.timeline, config.names);
        host.primary_slot_name = config.primary_slot_name;
        Server {
            id: config.id,
            upstream: config.upstream,
            replay: config.replay,
            quiet: false,
            host,
            state: State::Down,
            gate: Gate::Open,
            control: Control::ShutDown { at: SimTime::ZERO },
            host_down: false,
            frozen: None,
            postponed: VecDeque::new(),
            consistent_at: files.flushed,
            lost_commits: 0,
            unknown_commits: 0,
            cancelled_commits: 0,
            earlier_checkpoints: 0,
            clock: WallClock::default(),
            earlier_statistics: Statistics::default(),
            attention: None,
            settings: config.settings,
            next_settings: None,
            next: SimTime::NEVER,
        }
    }

    /// Its place in the run.
    pub fn id(&self) -> ServerId {
        self.id
    }

    /// The server it streams from when it is a standby.
    pub fn upstream(&self) -> Option<ServerId> {
        self.upstream
    }

    /// What it is doing.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What was seen of where the time of commits goes, since this was asked last.
    pub fn take_stages(&mut self) -> StageSample {
        match &mut self.state {
            State::Primary(primary) => primary.take_stages(),
            State::Down | State::Recovering { .. } | State::Standby(_) => StageSample::default(),
        }
    }

    /// Its settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether its host is down.
    pub fn host_is_down(&self) -> bool {
        self.host_down
    }

    /// What is frozen, if anything is.
    pub fn frozen(&self) -> Option<Scope> {
        self.frozen
    }

    /// Whether it accepts connections.
    pub fn is_ready(&self) -> bool {
        self.frozen.is_none()
            && match &self.state {
                State::Primary(_) => self.gate == Gate::Open,
                State::Standby(standby) => standby.is_ready(),
                State::Down | State::Recovering { .. } => false,
            }
    }

    /// Whether a primary's sessions are let in: not before the checkpoint at the end of recovery.
    pub fn is_open(&self) -> bool {
        self.gate == Gate::Open
    }

    /// The primary it runs as, frozen or not.
    pub fn primary_state(&self) -> Option<&Primary> {
        match &self.state {
            State::Primary(primary) => Some(primary),
            State::Down | State::Recovering { .. } | State::Standby(_) => None,
        }
    }

    /// The primary it runs as, if it does and is not frozen.
    pub fn primary(&self) -> Option<&Primary> {
        match &self.state {
            State::Primary(primary) if self.frozen.is_none() => Some(primary),
            _ => None,
        }
    }

    /// End of the WAL that is durable here.
    #[inline]
    pub fn flushed(&self) -> Lsn {
        self.host.files.flushed
    }

    /// What a standby has replayed at `now`; a primary has everything it inserted.
    #[inline(always)]
    pub fn replayed(&self, now: SimTime) -> Lsn {
        match &self.state {
            State::Standby(standby) => standby.replayed_at(now),
            State::Primary(primary) => primary.wal.insert_lsn(),
            State::Down | State::Recovering { .. } => self.host.files.flushed,
        }
    }

    /// How far a session's view of a standby's data goes, or would if it ran.
    pub fn seen(&self, now: SimTime) -> Lsn {
        match &self.state {
            State::Standby(_) | State::Primary(_) | State::Recovering { .. } => self.replayed(now),
            State::Down => self.consistent_at.min(self.host.files.flushed),
        }
    }

    /// Commits that did not end as clients hope.
    pub fn toll(&self) -> Toll {
        Toll {
            lost: self.lost_commits,
            cancelled: self.cancelled_commits,
            unknown: self.unknown_commits,
        }
    }

    /// Checkpoints or restartpoints made.
    pub fn checkpoints(&self) -> u64 {
        self.earlier_checkpoints
            + match &self.state {
                State::Primary(primary) => primary.checkpoints,
                State::Standby(standby) => standby.restartpoints,
                State::Down | State::Recovering { .. } => 0,
            }
    }

    /// When it has something to do by itself.
    #[inline]
    pub fn next_deadline(&self) -> SimTime {
        self.next
    }

    /// [`Server::next_deadline`] has come.
    #[inline]
    pub fn deadline(&mut self, now: SimTime, out: &mut Out) {
        if self.frozen.is_some() {
            return;
        }
        out.at = now;
        match &mut self.state {
            State::Primary(primary) => {
                primary.deadline(now, &mut self.host, out);
                if primary.has_panicked() {
                    return self.panicked(now, out);
                }
                self.next = primary.next_deadline();
                if self.gate != Gate::Open {
                    self.behind_the_gate(now, out);
                }
            }
            State::Standby(standby) => {
                self.next = standby.deadline(now, &mut self.host, out);
                if self.gate != Gate::Open {
                    self.go_on_promoting(now, out);
                }
            }
            State::Recovering { until, .. } if now < *until => {}
            State::Recovering { .. } => {
                self.recovered(now, out);
                self.schedule();
            }
            State::Down => {}
        }
    }

    /// A message has arrived that was `sent` then.
    #[inline]
    pub fn receive(
        &mut self,
        now: SimTime,
        sent: SimTime,
        from: ServerId,
        message: &Message,
        out: &mut Out,
    ) {
        if self.frozen.is_some() {
            self.postponed.push_back(Postponed::Message { from, sent, message: *message });
            return;
        }
        out.at = now;
        self.host.sent = sent;
        if self.gate != Gate::Open {
            return self.receive_behind_the_gate(now, from, message, out);
        }
        match &mut self.state {
            State::Primary(primary) => {
                primary.message(now, from, message, &mut self.host, out);
                self.next = primary.next_deadline();
            }
            State::Standby(standby) => {
                standby.message(now, from, message, &mut self.host, out);
                self.next = standby.next_deadline();
            }
            State::Recovering { .. } => turn_away(from, message, Refusal::StartingUp, out),
            State::Down if self.host_down => {}
            State::Down => turn_away(from, message, Refusal::ConnectionRefused, out),
        }
    }

    /// A socket that was full takes so many bytes without blocking.
    pub fn room(&mut self, now: SimTime, to: ServerId, bytes: Bytes, out: &mut Out) {
        if self.frozen.is_some() {
            self.postponed.push_back(Postponed::Room { to, bytes });
        } else if let State::Primary(primary) = &mut self.state {
            out.at = now;
            primary.room(now, to, bytes, &mut self.host, out);
            self.next = primary.next_deadline();
        }
    }

    /// The usual case: a flush runs, and those of the only workload that arrive up to `until` can
    /// only wait for what comes after it. False if there is more to it.
    #[inline]
    pub fn queue_up(
        &mut self,
        clients: &mut Clients,
        level: Option<SynchronousCommit>,
        until: SimTime,
    ) -> bool {
        match &mut self.state {
            State::Primary(primary) if self.frozen.is_none() && self.gate == Gate::Open => {
                primary.queue_up(clients, 0, level, until);
                clients.next_insert() > until
            }
            _ => false,
        }
    }

    /// Clients' transactions want to insert: hands the primary that takes them to `insert`, if it
    /// runs and is not frozen.
    #[inline]
    pub fn with_backends<R>(
        &mut self,
        insert: impl FnOnce(&mut Primary, &mut Host) -> R,
    ) -> Option<R> {
        let State::Primary(primary) = &mut self.state else { return None };
        if self.frozen.is_some() || self.gate != Gate::Open {
            return None;
        }
        let result = insert(primary, &mut self.host);
        self.next = primary.next_deadline();
        Some(result)
    }

    /// Whether a flush runs, so that whatever is inserted can only wait; `None` without a primary.
    #[inline]
    pub fn flushing(&self) -> Option<bool> {
        match &self.state {
            State::Primary(primary) if self.frozen.is_none() && self.gate == Gate::Open => {
                Some(primary.wal.flushing())
            }
            _ => None,
        }
    }

    /// Up from the first moment, without a recovery; a standby has everything up to its flush.
    pub fn start_running(&mut self, now: SimTime, version: PgVersion) {
        let end = self.host.files.flushed;
        self.state = match self.upstream {
            None => State::Primary(Box::new(Primary::new(now, version, &self.settings, end))),
            Some(upstream) => {
                let standby =
                    Standby::new(now, upstream, &self.settings, self.replay, end, &self.host);
                State::Standby(Box::new(standby))
            }
        };
        self.schedule();
    }

    /// A standby that finds no free walsender at the first moment: it asks for a stream.
    pub fn begin_standby(&mut self, now: SimTime, out: &mut Out) {
        if let State::Standby(standby) = &mut self.state {
            standby.begin(now, &mut self.host, out);
            self.schedule();
        }
    }

    /// A standby that streams from the first moment; `None` if it is not one. Its connection.
    pub fn start_streaming(&mut self, now: SimTime) -> Option<ConnectionId> {
        let connection = self.host.next_connection();
        let end = self.host.files.flushed;
        if let State::Standby(standby) = &mut self.state {
            standby.streams_already(now, connection, end);
            self.schedule();
            return Some(connection);
        }
        None
    }

    /// Whether it could serve one more standby, now.
    pub fn has_free_walsender(&self) -> bool {
        match &self.state {
            State::Primary(primary) => primary.has_free_walsender(),
            State::Standby(_) | State::Down | State::Recovering { .. } => false,
        }
    }

    /// A standby of this primary streams from the first moment, with a slot if it names one.
    pub fn serve_streaming(
        &mut self,
        now: SimTime,
        standby: ServerId,
        connection: ConnectionId,
        slot: Option<SlotName>,
    ) {
        if let State::Primary(primary) = &mut self.state {
            primary.streams_already(now, standby, connection, slot, &mut self.host);
            self.schedule();
        }
    }

    /// pg_wal's volume takes no new file from now on, or does again.
    pub fn fill_disk(&mut self, full: bool) {
        self.host.files.room.full = full;
        self.disk_changed(None);
    }

    /// pg_wal's volume is as slow as this from now on, for what is not queued yet.
    pub fn slow_disk(&mut self, slowdown: &Slowdown) {
        self.host.disk.slow(slowdown);
        self.disk_changed(None);
    }

    /// pg_wal's volume completes no fsync from now on, or goes on with its queue.
    pub fn stall_disk(&mut self, now: SimTime, stalled: bool) {
        let disk = &mut self.host.disk;
        let moved = if stalled { disk.stall(now) } else { disk.go_on(now) };
        self.disk_changed(moved);
    }

    fn disk_changed(&mut self, moved: Option<Moved>) {
        match (&mut self.state, moved) {
            (State::Primary(primary), Some(moved)) => primary.wal.disk_moved(moved),
            (State::Standby(standby), moved) => standby.disk_changed(moved, &self.host),
            (State::Primary(_) | State::Down | State::Recovering { .. }, _) => {}
        }
        self.schedule();
    }

    /// Stops running without dying.
    pub fn freeze(&mut self, now: SimTime, scope: Scope, out: &mut Out) {
        out.at = now;
        if let (State::Standby(standby), None) = (&mut self.state, self.frozen) {
            standby.freeze(now, &mut self.host, out);
        }
        self.frozen = Some(scope);
        out.fact(What::Frozen { scope });
        self.schedule();
    }

    /// Runs again. What the kernel kept for it comes with [`Server::take_kept`].
    pub fn thaw(&mut self, now: SimTime, out: &mut Out) {
        self.frozen = None;
        out.fact(What::Thawed);
        if let State::Standby(standby) = &mut self.state {
            standby.startup.go_on_halted(now);
        }
        self.schedule();
    }

    /// A server that runs again takes the next thing that the kernel kept for it, if there is one.
    pub fn take_kept(&mut self, now: SimTime, out: &mut Out) -> bool {
        let kept = if self.frozen.is_some() { None } else { self.postponed.pop_front() };
        match kept {
            Some(Postponed::Message { from, sent, message }) => {
                self.receive(now, sent, from, &message, out);
            }
            Some(Postponed::Room { to, bytes }) => self.room(now, to, bytes, out),
            Some(Postponed::Command(command)) => self.command(now, &command, out),
            None => return false,
        }
        true
    }

    fn schedule(&mut self) {
        self.next = match &self.state {
            _ if self.frozen.is_some() => SimTime::NEVER,
            State::Down => SimTime::NEVER,
            State::Recovering { until, .. } => *until,
            State::Primary(primary) => primary.next_deadline(),
            State::Standby(standby) => standby.next_deadline().min(standby.promoted_at()),
        };
    }
}

/// The slots of a server that has just been made.
fn existing_slots(config: &ServerConfig) -> Slots {
    let settings = &config.settings;
    let mut slots = Slots::new(settings.version(), settings.max_replication_slots);
    for &slot in &config.slots {
        // Names are given once each, and how many there may be was checked with the settings.
        let created =
            slots.create(SimTime::ZERO, slot, Some(config.files.redo.min(config.files.flushed)));
        debug_assert_eq!(created, Ok(()), "{slot:?}");
    }
    slots
}

/// Nobody serves this connection: a request is refused, anything else is answered with a reset.
fn turn_away(from: ServerId, message: &Message, why: Refusal, out: &mut Out) {
    match message.body {
        Body::Connect => out.send(from, message.connection, Body::Refused(why)),
        Body::Close | Body::Terminate | Body::Refused(_) => {}
        _ => out.send(from, message.connection, Body::Close),
    }
}
