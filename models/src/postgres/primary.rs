//! A running primary: what its processes share, and how they wake each other.
//!
//! Backends insert and wait; a flush makes them durable and wakes the walsenders; replies of
//! standbys release those that wait for standbys; the walwriter and the checkpointer come round
//! in their own time. Everything here is shared memory: a crash drops it whole.
//!
//! **Source.** As in the files of the parts; `xlog.c:XLogFlush` for `commit_delay`.
//!
//! **Not modelled.** Reloads. `commit_siblings` counts the backends that wait, which are those
//! with an open transaction as far as the models know.

use super::backend::{Acknowledged, Commits, CrashToll, Queue, Session, Waiting};
use super::checkpointer::{CheckpointConfig, Checkpointer};
use super::guc::{Settings, SynchronousCommit};
use super::protocol::{Body, Message};
use super::server::{Effect, Host, Out, Slot};
use super::syncrep::{
    Method, Positions, Release, Standby, StandbyNames, SyncRep, Takeover, WaitMode,
};
use super::wal::{Wal, record};
use super::walsender::{Phase, WalSender};
use super::walwriter::{Round, WalWriter};
use super::{ConnectionId, PgVersion};
use crate::clients::{Arrival, ArrivalKind, Clients};
use crate::trace::fact::{CheckpointCause, ConnectionEnd, Refusal, ServerId, What};
use crate::units::{Bytes, Duration, Lsn, SimTime};

/// The shared memory and the processes of a primary.
#[derive(Clone, Debug)]
pub struct Primary {
    version: PgVersion,
    /// The log's positions and the flush in progress.
    pub wal: Wal,
    commits: Commits,
    walwriter: WalWriter,
    checkpointer: Checkpointer,
    syncrep: SyncRep,
    level: SynchronousCommit,
    commit_delay: Duration,
    commit_siblings: usize,
    max_wal_senders: u32,
    sender_timeout: Option<Duration>,
    /// Walsender slots, in array order; the lowest free one is taken.
    senders: Vec<Option<WalSender>>,
    /// What syncrep.c reads of each of them.
    standbys: Vec<Standby>,
    /// Earliest moment at which a walsender wants to look at its timeout.
    senders_due: SimTime,
    /// Checkpoints completed.
    pub checkpoints: u64,
}

/// Transactions of one workload that are to be inserted together.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// Index of their workload.
    pub workload: u16,
    /// Its own `synchronous_commit`.
    pub level: Option<SynchronousCommit>,
    /// Those that want to insert up to here.
    pub until: SimTime,
    /// None of them goes on before.
    pub since: SimTime,
    /// Only the first of them.
    pub only_one: bool,
}

impl Primary {
    /// A primary that starts at `now` with everything up to `end` durable.
    pub fn new(now: SimTime, version: PgVersion, settings: &Settings, end: Lsn) -> Primary {
        let names = StandbyNames::parse(&settings.synchronous_standby_names).unwrap_or_default();
        let size = settings.wal_segment_size;
        Primary {
            version,
            wal: Wal::new(size, settings.wal_buffers, end),
            commits: Commits::default(),
            walwriter: WalWriter::new(
                now,
                settings.wal_writer_delay,
                settings.wal_writer_flush_after,
            ),
            checkpointer: Checkpointer::new(now, CheckpointConfig::from(settings), end),
            syncrep: SyncRep::new(names),
            level: settings.synchronous_commit,
            commit_delay: settings.commit_delay,
            commit_siblings: settings.commit_siblings as usize,
            max_wal_senders: settings.max_wal_senders,
            sender_timeout: settings.wal_sender_timeout,
            senders: Vec::new(),
            standbys: Vec::new(),
            senders_due: SimTime::NEVER,
            checkpoints: 0,
        }
    }

    /// When it has something to do by itself.
    #[inline]
    pub fn next_deadline(&self) -> SimTime {
        self.wal
            .next_deadline()
            .min(self.walwriter.next_deadline())
            .min(self.checkpointer.next_deadline())
            .min(self.senders_due)
    }

    /// The walsenders that are connected, with their places in the array.
    pub fn senders(&self) -> impl Iterator<Item = (usize, &WalSender)> {
        self.senders.iter().enumerate().filter_map(|(i, s)| s.as_ref().map(|s| (i, s)))
    }

    /// What syncrep.c reads of each walsender slot.
    pub fn standbys(&self) -> &[Standby] {
        &self.standbys
    }

    /// The state of synchronous replication.
    pub fn syncrep(&self) -> &SyncRep {
        &self.syncrep
    }

    /// The level of a commit whose workload sets `level`.
    pub fn level(&self, level: Option<SynchronousCommit>) -> SynchronousCommit {
        level.unwrap_or(self.level)
    }

    /// What a commit waits for on standbys, if it does.
    #[inline]
    fn mode_of(&self, level: SynchronousCommit) -> Option<WaitMode> {
        if self.syncrep.defines_standbys() { level.wait_mode() } else { None }
    }

    /// Backends insert what arrives up to `batch.until`, one after the other, until one is answered
    /// at once. The one that finds wal_buffers full is given back: it comes again when some are
    /// written.
    #[inline]
    pub fn insert(
        &mut self,
        clients: &mut Clients,
        batch: Batch,
        host: &mut Host,
        out: &mut Out,
    ) -> Option<Arrival> {
        let level = self.level(batch.level);
        let only_wait = level != SynchronousCommit::Off && self.wal.flushing();
        if only_wait && clients.is_plain() && !batch.only_one {
            let mode = self.mode_of(level);
            join_queue(&mut self.wal, self.commits.queue(mode), clients, &batch);
        }
        while clients.next_insert() <= batch.until {
            let arrival = clients.take();
            let arrival = Arrival { at: arrival.at.max(batch.since), ..arrival };
            if !self.insert_one(&arrival, batch.workload, level, host, out) {
                return Some(arrival);
            }
            if batch.only_one || !out.acknowledged.is_empty() {
                break;
            }
        }
        None
    }

    /// A backend inserts. False if wal_buffers are full.
    pub fn insert_one(
        &mut self,
        arrival: &Arrival,
        workload: u16,
        level: SynchronousCommit,
        host: &mut Host,
        out: &mut Out,
    ) -> bool {
        if !self.wal.has_room(arrival.wal + record::COMMIT_ALIGNED) {
            self.flush_if_wanted(arrival.at, true, host);
            return false;
        }
        match arrival.kind {
            ArrivalKind::Records => {
                self.wal.insert(arrival.wal);
                return true;
            }
            ArrivalKind::Step => {
                self.wal.insert(arrival.wal);
                let end = self.wal.insert(record::COMMIT);
                self.wal.want(end);
            }
            ArrivalKind::Commit => {
                let session = Session { workload, client: arrival.client };
                self.commit(arrival, session, level, out);
            }
        }
        self.flush_if_wanted(arrival.at, false, host);
        true
    }

    fn commit(
        &mut self,
        arrival: &Arrival,
        session: Session,
        level: SynchronousCommit,
        out: &mut Out,
    ) {
        let (at, start) = (arrival.at, arrival.start);
        self.wal.insert(arrival.wal);
        let end = self.wal.insert(record::COMMIT);
        if level == SynchronousCommit::Off {
            self.wal.want_soon(end);
            self.commits.answered_early(end);
            self.walwriter.asynchronous_commit(at, self.wal.unflushed());
            out.acknowledged.push(Acknowledged { at, start, session });
            return;
        }
        self.wal.want(end);
        let mode = self.mode_of(level);
        self.commits.queue(mode).push(Waiting { end, start, session });
    }

    /// Begins a flush if the lock is free and somebody waits, or must have room.
    #[inline]
    fn flush_if_wanted(&mut self, now: SimTime, need_room: bool, host: &mut Host) {
        if !self.wal.flushing() && (need_room || self.wal.flush_wanted()) {
            self.begin_flush(now, need_room, host);
        }
    }

    fn begin_flush(&mut self, now: SimTime, need_room: bool, host: &mut Host) {
        // The owner sleeps only if enough *other* backends are in a transaction.
        let siblings = self.commits.waiting().saturating_sub(1);
        if self.commit_delay > Duration::ZERO && siblings >= self.commit_siblings && !need_room {
            self.wal.begin_delay(now + self.commit_delay);
        } else {
            self.wal.begin_flush(now, &mut host.files, &mut host.disk);
        }
    }

    /// Does everything that is due.
    #[inline]
    pub fn deadline(&mut self, now: SimTime, host: &mut Host, out: &mut Out) {
        if self.wal.next_deadline() <= now {
            self.flush_step_ended(now, host, out);
        }
        if self.walwriter.next_deadline() <= now {
            match self.walwriter.round(now, &self.wal, &host.files) {
                Round::Rest => {}
                Round::Write(target) => self.wal.write(target, &mut host.files),
                Round::Flush(target) => {
                    self.wal.begin_flush_to(now, target, &mut host.files, &mut host.disk);
                }
            }
        }
        if self.checkpointer.next_deadline() <= now {
            if self.checkpointer.ends(now) {
                self.end_checkpoint(now, host, out);
            } else if let Some(cause) = self.checkpointer.timeout(now, self.wal.insert_lsn()) {
                self.start_checkpoint(now, cause, out);
            }
        }
        if self.senders_due <= now {
            self.check_senders(now, host, out);
        }
    }

    fn flush_step_ended(&mut self, now: SimTime, host: &mut Host, out: &mut Out) {
        let done = self.wal.end_step(now, &mut host.files, &mut host.disk);
        self.commits.flushed(now, self.wal.flushed(), &mut out.acknowledged);
        if done.released {
            self.flush_if_wanted(now, false, host);
        }
        for sender in self.senders.iter_mut().flatten() {
            sender.send(now, done.flushed, &self.wal, out);
        }
        let due = |segment| self.checkpointer.completed(now, segment, &host.files);
        if let Some(cause) = done.completed.and_then(due) {
            self.start_checkpoint(now, cause, out);
        }
    }

    fn start_checkpoint(&mut self, now: SimTime, cause: CheckpointCause, out: &mut Out) {
        let redo = self.wal.next_record();
        if let Some(size) = record::checkpoint_redo(self.version) {
            self.wal.insert(size);
        }
        self.checkpointer.start(now, redo);
        out.fact(What::CheckpointStarted { cause, redo });
        out.effect(Effect::RedoMoved);
    }

    fn end_checkpoint(&mut self, now: SimTime, host: &mut Host, out: &mut Out) {
        let end = self.wal.insert(record::CHECKPOINT);
        self.wal.want(end);
        let record_end = self.wal.insert_lsn();
        let slots = host.slots.iter().filter_map(|slot| slot.restart).min();
        let ended = self.checkpointer.end(now, record_end, slots, &mut host.files);
        if let Some(ended) = ended {
            self.wal.note_checkpoint(ended.redo);
            self.checkpoints += 1;
            let (redo, distance, took) = (ended.redo, ended.distance, ended.took);
            out.fact(What::CheckpointDone { redo, end: record_end, distance, took });
        }
        self.flush_if_wanted(now, false, host);
        self.end_senders_without_wal(host, out);
    }

    /// A walsender whose next segment is gone fails when it reads it.
    fn end_senders_without_wal(&mut self, host: &mut Host, out: &mut Out) {
        for index in 0..self.senders.len() {
            let Some(sender) = &self.senders[index] else { continue };
            let segment = sender.sent().segment(host.files.size);
            let reads = sender.phase() != Phase::Startup && sender.sent() < host.files.flushed;
            if reads && segment < host.files.oldest {
                let (to, connection) = (sender.standby(), sender.connection());
                let why = Refusal::SegmentRemoved { segment: host.segment(segment) };
                out.send(to, connection, Body::Refused(why));
                self.end_sender(index, None, host, out);
            }
        }
    }

    fn check_senders(&mut self, now: SimTime, host: &mut Host, out: &mut Out) {
        for index in 0..self.senders.len() {
            let Some(sender) = &mut self.senders[index] else { continue };
            if sender.next_deadline() <= now && sender.check_timeout(now, out) {
                out.send(sender.standby(), sender.connection(), Body::Close);
                self.end_sender(index, Some(ConnectionEnd::Timeout), host, out);
            }
        }
        self.find_senders_due();
    }

    fn find_senders_due(&mut self) {
        let due = self.senders.iter().flatten().map(WalSender::next_deadline);
        self.senders_due = due.min().unwrap_or(SimTime::NEVER);
    }

    fn end_sender(
        &mut self,
        index: usize,
        why: Option<ConnectionEnd>,
        host: &mut Host,
        out: &mut Out,
    ) {
        if let Some(sender) = self.senders[index].take() {
            self.standbys[index] = Standby::default();
            self.candidates_changed(out);
            host.slots.iter_mut().filter(|s| s.owner == Some(index)).for_each(Slot::give_up);
            // A client that leaves before it streams is no news.
            if let Some(why) = why
                && sender.phase() != Phase::Startup
            {
                out.fact(What::SenderEnded { standby: sender.standby(), why });
            }
        }
        self.find_senders_due();
    }

    /// A message of a standby has arrived.
    pub fn message(
        &mut self,
        now: SimTime,
        from: ServerId,
        message: &Message,
        host: &mut Host,
        out: &mut Out,
    ) {
        let connection = message.connection;
        let Some(index) = self.find_sender(from, connection) else {
            match message.body {
                Body::Connect => self.accept(now, from, connection, host, out),
                Body::Close => {}
                // The kernel knows no such connection.
                _ => out.send(from, connection, Body::Close),
            }
            return;
        };
        match message.body {
            Body::StatusUpdate { write, flush, apply, reply_requested } => {
                let positions = Positions { write, flush, apply };
                self.status(now, index, positions, reply_requested, host, out);
            }
            Body::Connect => {} // A connection request that was sent twice.
            Body::IdentifySystem => {
                out.send(from, connection, Body::System { timeline: host.timeline });
            }
            Body::StartReplication { start } => {
                self.start_replication(now, index, start, host, out);
            }
            Body::Close => self.end_sender(index, Some(ConnectionEnd::PeerClosed), host, out),
            Body::Accepted
            | Body::Refused(_)
            | Body::System { .. }
            | Body::CopyBoth
            | Body::XLogData { .. }
            | Body::Keepalive { .. } => {
                unreachable!("a standby does not send {:?}", message.body)
            }
        }
    }

    /// The socket to a standby has room again.
    pub fn room(&mut self, now: SimTime, to: ServerId, bytes: Bytes, host: &Host, out: &mut Out) {
        let of_standby = self.senders.iter_mut().flatten().filter(|s| s.standby() == to);
        let streams = of_standby.filter(|s| s.phase() != Phase::Startup);
        // Connections before the newest are dead at the standby's end.
        if let Some(sender) = streams.max_by_key(|s| s.connection()) {
            sender.room(bytes);
            sender.send(now, host.files.flushed, &self.wal, out);
        }
    }

    #[inline]
    fn find_sender(&self, from: ServerId, connection: ConnectionId) -> Option<usize> {
        self.senders.iter().position(|s| {
            s.as_ref().is_some_and(|s| s.standby() == from && s.connection() == connection)
        })
    }

    #[inline]
    fn status(
        &mut self,
        now: SimTime,
        index: usize,
        positions: Positions,
        reply_requested: bool,
        host: &mut Host,
        out: &mut Out,
    ) {
        let Some(sender) = &mut self.senders[index] else { return };
        sender.status(now, positions, reply_requested, out);
        let streaming = sender.phase() == Phase::Streaming;
        let Positions { write, flush, apply } = positions;
        let known = &mut self.standbys[index];
        let candidates_changed = known.streaming != streaming || !known.flush.is_valid();
        (known.streaming, known.write, known.flush, known.apply) = (streaming, write, flush, apply);
        if candidates_changed {
            self.candidates_changed(out);
        }
        self.release(now, index, positions, out);
        if flush.is_valid() {
            for slot in host.slots.iter_mut().filter(|slot| slot.owner == Some(index)) {
                slot.restart = Some(flush);
            }
        }
    }

    /// A walsender has processed a reply: releases whoever waited for it.
    ///
    /// A position rises only if that of the standby that replied is above it, or the candidates
    /// are others than at its last reply; and it matters only if somebody waits, since who comes
    /// later waits for WAL that no standby has yet. Otherwise there is nothing to do.
    #[inline]
    fn release(&mut self, now: SimTime, index: usize, reply: Positions, out: &mut Out) {
        let Some(sender) = &mut self.senders[index] else { return };
        let recheck = std::mem::take(&mut sender.recheck_candidates);
        let matters =
            |mode| reply.at(mode) > self.syncrep.synced(mode) && self.commits.waits_for(mode);
        if !recheck && !WaitMode::ALL.into_iter().any(matters) {
            return;
        }
        let release = self.syncrep.release(&self.standbys, index);
        for mode in WaitMode::ALL {
            if let Some(synced) = release.at(mode) {
                let synced = self.wal.usable(synced);
                self.commits.synced(now, mode, synced, &mut out.acknowledged);
            }
        }
        if recheck {
            self.announce(index, &release, out);
        }
    }

    /// Whether a walsender serves this connection.
    #[inline]
    pub fn serves(&self, standby: ServerId, connection: ConnectionId) -> bool {
        self.find_sender(standby, connection).is_some()
    }

    /// Whether every walsender streams, and has looked at the candidates since they changed last.
    pub fn is_settled(&self) -> bool {
        self.senders()
            .all(|(index, sender)| self.standbys[index].streaming && !sender.recheck_candidates)
    }

    /// Every walsender has to look again at its next reply.
    fn candidates_changed(&mut self, out: &mut Out) {
        out.effect(Effect::CandidatesChanged);
        for sender in self.senders.iter_mut().flatten() {
            sender.recheck_candidates = true;
        }
    }

    /// A standby that counts for the first time is announced.
    fn announce(&mut self, index: usize, release: &Release, out: &mut Out) {
        let method = self.syncrep.names().method();
        let priority = self.standbys[index].priority;
        let Some(sender) = &mut self.senders[index] else { return };
        if let Some(takeover) = sender.announcer.heard(release, method, priority) {
            let priority = match takeover {
                Takeover::Synchronous { priority } => Some(priority),
                Takeover::QuorumCandidate => None,
            };
            out.fact(What::SyncStandby { standby: sender.standby(), priority });
        }
    }

    fn accept(
        &mut self,
        now: SimTime,
        from: ServerId,
        connection: ConnectionId,
        host: &mut Host,
        out: &mut Out,
    ) {
        match self.take_sender(now, from, connection, host) {
            Some(_) => {
                out.send(from, connection, Body::Accepted);
                self.candidates_changed(out);
            }
            None => {
                let why = Refusal::TooManySenders { max: self.max_wal_senders };
                out.send(from, connection, Body::Refused(why));
            }
        }
    }

    fn take_sender(
        &mut self,
        now: SimTime,
        from: ServerId,
        connection: ConnectionId,
        host: &Host,
    ) -> Option<usize> {
        let free = self.senders.iter().position(Option::is_none);
        let index = free.unwrap_or(self.senders.len());
        if index >= self.max_wal_senders as usize {
            return None;
        }
        if index == self.senders.len() {
            self.senders.push(None);
            self.standbys.push(Standby::default());
        }
        self.senders[index] =
            Some(WalSender::new(now, from, connection, self.sender_timeout, self.version));
        let priority = self.syncrep.names().priority(host.application_name(from));
        self.standbys[index] = Standby { connected: true, priority, ..Standby::default() };
        self.find_senders_due();
        Some(index)
    }

    fn start_replication(
        &mut self,
        now: SimTime,
        index: usize,
        start: Lsn,
        host: &mut Host,
        out: &mut Out,
    ) {
        let Some(sender) = &mut self.senders[index] else { return };
        let (standby, connection) = (sender.standby(), sender.connection());
        if let Some(slot) = host.slots.iter_mut().find(|slot| slot.standby == standby) {
            if let Some(owner) = slot.owner {
                let why = Refusal::SlotActive { pid: sender_pid(owner) };
                out.send(standby, connection, Body::Refused(why));
                return;
            }
            slot.owner = Some(index);
        }
        out.send(standby, connection, Body::CopyBoth);
        out.fact(What::SenderStarted { standby, start });
        let segment = start.segment(host.files.size);
        if segment < host.files.oldest {
            let why = Refusal::SegmentRemoved { segment: host.segment(segment) };
            out.send(standby, connection, Body::Refused(why));
            self.end_sender(index, None, host, out);
            return;
        }
        sender.start(start);
        sender.send(now, host.files.flushed, &self.wal, out);
        for other in self.senders.iter_mut().flatten().filter(|s| s.standby() == standby) {
            if other.connection() < connection {
                other.desert();
            }
        }
    }

    /// A standby that streamed before the run began, and has everything.
    pub fn streams_already(
        &mut self,
        now: SimTime,
        standby: ServerId,
        connection: ConnectionId,
        host: &mut Host,
    ) {
        let Some(index) = self.take_sender(now, standby, connection, host) else { return };
        let end = host.files.flushed;
        if let Some(sender) = &mut self.senders[index] {
            sender.start_streaming(end);
        }
        for slot in host.slots.iter_mut().filter(|slot| slot.standby == standby) {
            slot.owner = Some(index);
            slot.restart = Some(end);
        }
        let known = &mut self.standbys[index];
        *known = Standby { streaming: true, write: end, flush: end, apply: end, ..*known };
        let release = self.syncrep.release(&self.standbys, index);
        let (method, priority) = (self.syncrep.names().method(), self.standbys[index].priority);
        if let Some(sender) = &mut self.senders[index] {
            let _already_announced = sender.announcer.heard(&release, method, priority);
        }
    }

    /// Every process dies. `survived` is the end of the WAL that is left.
    pub fn crash(&mut self, survived: Lsn, out: &mut Out) -> CrashToll {
        let survived = self.wal.usable(survived);
        self.commits.crash(survived, |waiting| {
            out.effect(Effect::Disconnected { session: waiting.session });
        })
    }

    /// Whether `FIRST` or `ANY` names standbys that count as a quorum.
    pub fn method(&self) -> Method {
        self.syncrep.names().method()
    }
}

/// The usual case: while a flush runs, whoever comes can only wait. Stops when wal_buffers may be
/// too full for one more.
fn join_queue(wal: &mut Wal, queue: &mut Queue, clients: &mut Clients, batch: &Batch) {
    let full_at = wal.full_for(clients.largest() + record::COMMIT_ALIGNED);
    let (mut end, workload) = (wal.inserted(), batch.workload);
    if end > full_at {
        return;
    }
    clients.take_plain(batch.until, |start, client, bytes| {
        end = end.after(bytes + record::COMMIT_ALIGNED);
        queue.push(Waiting { end, start, session: Session { workload, client } });
        end <= full_at
    });
    wal.insert_up_to(end);
    wal.want(end);
}

/// Process id of the walsender in a slot of the array: fictitious, stable.
fn sender_pid(index: usize) -> u32 {
    1000 + index as u32
}
