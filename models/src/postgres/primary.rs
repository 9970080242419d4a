//! A running primary: what its processes share, and how they wake each other.
//!
//! Backends insert and wait; a flush makes them durable and wakes the walsenders; replies of
//! standbys release those that wait for standbys; the walwriter and the checkpointer come round
//! in their own time. Everything here is shared memory: a crash drops it whole.
//!
//! **Source.** As in the files of the parts; `xlog.c:XLogFlush` for `commit_delay`.
//!
//! **Not modelled.** `commit_siblings` counts the backends that wait, which are those
//! with an open transaction as far as the models know.

mod attention;
mod checkpoints;
mod commands;
mod commit_search;
mod reload;
mod senders;
mod shutdown;
mod slots;
mod stages;
mod waits;

pub use attention::{Attention, Notes};
pub(super) use checkpoints::create_next_file;
pub use commands::Job;
pub use commit_search::{CommitAt, CommitSearch};
pub use senders::LATE_FLUSHES;

use std::collections::VecDeque;

use shutdown::Shutdown;
use stages::Stages;

use super::PgVersion;
use super::backend::{Commits, CrashToll, Session, Waiting};
use super::checkpointer::{CheckpointConfig, Checkpointer};
use super::effect::{Effect, Out};
use super::guc::{Settings, SynchronousCommit};
use super::host::Host;
use super::syncrep::{Method, Standby, StandbyNames, SyncRep, WaitMode};
use super::wal::{Wal, record};
use super::walsender::WalSender;
use super::walwriter::{Round, WalWriter};
use crate::clients::{Arrival, ArrivalKind, Clients};
use crate::trace::commit::StageSample;
use crate::trace::flow::Inserted;

use crate::units::{Bytes, Duration, Lsn, SimTime, UsableBytes};

/// The shared memory and the processes of a primary.
#[derive(Clone, Debug)]
pub struct Primary {
    version: PgVersion,
    /// The log's positions and the flush in progress.
    pub wal: Wal,
    commits: Commits,
    /// Where the time of commits goes.
    stages: Stages,
    walwriter: WalWriter,
    checkpointer: Checkpointer,
    syncrep: SyncRep,
    level: SynchronousCommit,
    commit_delay: Duration,
    commit_siblings: usize,
    max_wal_senders: u32,
    /// `idle_replication_slot_timeout`.
    idle_slot_timeout: Option<Duration>,
    sender_timeout: Option<Duration>,
    /// Walsender slots, in array order; the lowest free one is taken.
    senders: Vec<Option<WalSender>>,
    /// What syncrep.c reads of each of them.
    standbys: Vec<Standby>,
    /// Flushes that walsenders have not come to, if they come late.
    late: Option<Vec<Flushed>>,
    /// Up to where all of them can send before something must be known of their standbys.
    sends_freely_to: Lsn,
    /// Earliest moment at which a walsender wants to look at its timeout.
    senders_due: SimTime,
    /// Checkpoints completed.
    pub checkpoints: u64,
    /// Where the record of the last checkpoint starts.
    checkpoint_record: Lsn,
    /// WAL since the redo point that dirtied no buffers.
    plain_wal: Bytes,
    /// Somebody besides commits and walsenders waits for a flush to end.
    busy: bool,
    /// The wall clock has jumped, and no walsender was woken since.
    clock_jumped: bool,
    /// WAL that operators want written, in order.
    jobs: VecDeque<Job>,
    /// A process has died of a PANIC: all of them must.
    panicked: bool,
    /// How far it is with shutting down, if it does.
    shutdown: Option<Shutdown>,
    /// End of the last commit of an operator.
    written: UsableBytes,
    /// Somebody wants to know more of commits than runs keep.
    attention: Option<Box<Attention>>,
    /// End of the WAL that crash recovery has replayed, if there was one.
    replayed: Option<Lsn>,
}

/// How far WAL was durable at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Flushed {
    /// When.
    pub at: SimTime,
    /// How far.
    pub upto: Lsn,
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
            stages: Stages::default(),
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
            idle_slot_timeout: settings.idle_replication_slot_timeout,
            sender_timeout: settings.wal_sender_timeout,
            senders: Vec::new(),
            standbys: Vec::new(),
            late: None,
            sends_freely_to: Lsn::INVALID,
            senders_due: SimTime::NEVER,
            checkpoints: 0,
            checkpoint_record: Lsn::INVALID,
            plain_wal: Bytes(0),
            busy: false,
            clock_jumped: false,
            jobs: VecDeque::new(),
            panicked: false,
            shutdown: None,
            written: UsableBytes(0),
            attention: None,
            replayed: None,
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

    /// Redo point of the last checkpoint started (`RedoRecPtr`).
    pub fn redo(&self) -> Lsn {
        self.checkpointer.redo()
    }

    /// What syncrep.c reads of each walsender slot.
    pub fn standbys(&self) -> &[Standby] {
        &self.standbys
    }

    /// The state of synchronous replication.
    pub fn syncrep(&self) -> &SyncRep {
        &self.syncrep
    }

    /// Whether a commit waits for standbys in such a mode.
    pub fn has_waiting(&self, mode: impl Fn(WaitMode) -> bool) -> bool {
        WaitMode::ALL.into_iter().any(|each| mode(each) && self.commits.waits_for(each))
    }

    /// The commits of clients.
    #[inline]
    pub fn commits(&self) -> &Commits {
        &self.commits
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
        self.stages.workload(batch.workload, clients.mean_service());
        if !batch.only_one {
            self.queue_up(clients, batch.workload, batch.level, batch.until);
        }
        while clients.next_insert() <= batch.until {
            let arrival = clients.take();
            let arrival = Arrival { at: arrival.at.max(batch.since), ..arrival };
            if !self.insert_one(&arrival, batch.workload, level, host, out) {
                return Some(arrival);
            }
            if batch.only_one || !out.answers.is_empty() {
                break;
            }
        }
        None
    }

    /// While a flush runs, plain transactions that come can only wait: takes those that want to
    /// insert up to `until`, but no more than certainly find room in wal_buffers.
    #[inline]
    pub fn queue_up(
        &mut self,
        clients: &mut Clients,
        workload: u16,
        level: Option<SynchronousCommit>,
        until: SimTime,
    ) {
        let level = self.level(level);
        if level == SynchronousCommit::Off || !self.wal.flushing() || !clients.is_plain() {
            return;
        }
        let mode = self.mode_of(level);
        let queue = self.commits.queue(mode);
        let most = self.wal.room_for(clients.largest() + record::COMMIT_ALIGNED);
        let mut end = self.wal.inserted();
        let taken = clients.take_plain(until, most, |start, client| {
            queue.push(Waiting { end, start, session: Session { workload, client } });
        });
        if taken > 0 {
            self.stages.workload(workload, clients.mean_service());
            clients.plain_wal(queue.last(taken), |waiting, bytes| {
                end = end.after(bytes).after(record::COMMIT_ALIGNED);
                waiting.end = end;
            });
            self.wal.insert_up_to(end);
            self.wal.want(end);
            if let Some(attention) = &mut self.attention {
                let (service, flushed) = (clients.mean_service(), self.wal.flushed());
                for waiting in queue.last(taken) {
                    let (at, end) = (waiting.start + service, waiting.end);
                    attention.commit(Inserted { at, end, level: Some(level) }, flushed);
                }
            }
        }
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
                self.plain_wal.0 += arrival.wal.0;
                self.wal.insert(arrival.wal);
                return true;
            }
            ArrivalKind::Step => {
                self.plain_wal.0 += arrival.wal.0;
                self.step(arrival);
            }
            ArrivalKind::Transactions => self.step(arrival),
            ArrivalKind::Commit => {
                let session = Session { workload, client: arrival.client };
                self.commit(arrival, session, level, out);
            }
        }
        self.flush_if_wanted(arrival.at, false, host);
        true
    }

    /// WAL of many, the last of whom commits.
    fn step(&mut self, arrival: &Arrival) {
        self.wal.insert(arrival.wal);
        let end = self.wal.insert(record::COMMIT);
        self.wal.want(end);
        self.note_commit(Inserted { at: arrival.at, end, level: None });
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
        self.note_commit(Inserted { at, end, level: Some(level) });
        if level == SynchronousCommit::Off {
            self.wal.want_soon(end);
            self.commits.answered_early(end, session.workload);
            self.stages.answered_early(session.workload, at.since(start));
            self.walwriter.asynchronous_commit(at, self.version, &self.wal);
            out.answers.give(at, &[Waiting { end, start, session }]);
            return;
        }
        self.wal.want(end);
        let mode = self.mode_of(level);
        self.commits.queue(mode).push(Waiting { end, start, session });
    }

    #[inline]
    fn note_commit(&mut self, inserted: Inserted) {
        if let Some(attention) = &mut self.attention {
            attention.commit(inserted, self.wal.flushed());
        }
    }

    /// End of the WAL that crash recovery has replayed, if there was one.
    pub fn replayed(&self) -> Option<Lsn> {
        self.replayed
    }

    /// Begins a flush if the lock is free and somebody waits, or must have room.
    #[inline]
    fn flush_if_wanted(&mut self, now: SimTime, need_room: bool, host: &mut Host) {
        if !self.wal.flushing() && (need_room || self.wal.flush_wanted()) {
            self.begin_flush(now, need_room, host);
        }
    }

    fn begin_flush(&mut self, now: SimTime, need_room: bool, host: &mut Host) {
        self.flush_begins(now);
        // The owner sleeps only if enough *other* backends are in a transaction.
        let has_siblings = || self.commits.waiting().saturating_sub(1) >= self.commit_siblings;
        if self.commit_delay > Duration::ZERO && !need_room && has_siblings() {
            self.wal.begin_delay(now + self.commit_delay);
        } else {
            self.wal.begin_flush(now, &mut host.files, &mut host.disk);
        }
    }

    #[inline]
    fn flush_begins(&mut self, now: SimTime) {
        self.stages.flush_began(now);
        if let Some(attention) = &mut self.attention {
            attention.flush_began(now);
        }
    }

    /// Does everything that is due.
    #[inline]
    pub fn deadline(&mut self, now: SimTime, host: &mut Host, out: &mut Out) {
        if self.wal.next_deadline() <= now {
            self.flush_step_ended(now, host, out);
            if self.panicked {
                return;
            }
        }
        if self.walwriter.next_deadline() <= now {
            match self.walwriter.round(now, &self.wal, &host.files) {
                Round::Rest => {}
                Round::Write(target) => self.wal.write(now, target, &mut host.files),
                Round::Flush(target) => {
                    self.flush_begins(now);
                    self.wal.begin_flush_to(now, target, &mut host.files, &mut host.disk);
                }
            }
        }
        if self.checkpointer.next_deadline() <= now {
            self.checkpoint_due(now, host, out);
        }
        if self.senders_due <= now {
            self.check_senders(now, host, out);
        }
    }

    fn flush_step_ended(&mut self, now: SimTime, host: &mut Host, out: &mut Out) {
        let flushed = self.wal.flushed();
        let done = self.wal.end_step(now, &mut host.files, &mut host.disk);
        if done.failed {
            self.panicked = true;
            return;
        }
        if self.wal.flushed() > flushed {
            let step = (flushed, self.wal.flushed());
            self.stages.step_ended(now, step, done.released, &self.commits);
            if let Some(attention) = &mut self.attention {
                attention.flushed(now, step);
            }
        } else {
            self.stages.delay_ended(now);
            if let Some(attention) = &mut self.attention {
                attention.flush_began(now);
            }
        }
        self.commits.flushed(now, self.wal.flushed(), &mut out.answers);
        if !out.answers.is_empty() {
            out.released |= Out::LOCAL;
        }
        if done.released {
            self.flush_if_wanted(now, false, host);
        }
        self.wake_senders(Flushed { at: now, upto: done.flushed }, out);
        if let Some(segment) = done.completed {
            self.segment_completed(now, segment, host, out);
        }
        if self.busy {
            self.flushed_for_others(now, host, out);
        }
    }

    fn segment_completed(&mut self, now: SimTime, segment: u64, host: &mut Host, out: &mut Out) {
        let insert = self.wal.insert_lsn();
        if let Some(cause) = self.checkpointer.completed(now, segment, insert, &host.files) {
            self.start_checkpoint(now, cause, host, out);
        }
    }

    /// WAL has become durable that the checkpointer may wait for.
    fn flushed_for_others(&mut self, now: SimTime, host: &mut Host, out: &mut Out) {
        self.busy = false;
        self.wake_senders_after_jump(now);
        self.checkpoint_flushed(now, host, out);
        self.go_on_writing(now, host);
        self.busy |= self.checkpointer.recording().is_some();
    }

    /// What was seen of where the time of commits goes, since this was asked last.
    pub fn take_stages(&mut self) -> StageSample {
        self.stages.take()
    }

    /// Whether a process has died because pg_wal's volume is full, and all others must with it.
    #[inline]
    pub fn has_panicked(&self) -> bool {
        self.panicked
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
