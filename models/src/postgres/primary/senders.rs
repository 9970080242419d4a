//! The walsenders of a primary: who connects, what they report, whom that releases.
//!
//! A standby's connection takes the lowest free slot of the walsender array. Each of its replies
//! moves its positions, may release commits that wait for it, and moves its slot. A walsender ends
//! when its peer is gone, silent for too long, or asks for WAL that is gone.
//!
//! **Source.** `walsender.c:InitWalSenderSlot`, `StartReplication`, `ProcessStandbyReplyMessage`,
//! `PhysicalConfirmReceivedLocation`; `syncrep.c:SyncRepReleaseWaiters`.

use super::{Flushed, Primary};
use crate::postgres::ConnectionId;
use crate::postgres::command::SlotName;
use crate::postgres::effect::{Effect, Out};
use crate::postgres::host::Host;
use crate::postgres::protocol::{Body, Message, Update};
use crate::postgres::syncrep::{Positions, Release, Standby, Takeover, WaitMode};
use crate::postgres::walsender::{Phase, WalSender};
use crate::trace::fact::{ConnectionEnd, Refusal, ServerId, What};
use crate::trace::messages::Process;
use crate::units::{Bytes, Duration, Lsn, SimTime};

/// Flushes that walsenders may come to late, at most.
pub const LATE_FLUSHES: usize = 16;

impl Primary {
    /// A walsender that has room again reads on: it fails if that segment was removed meanwhile.
    /// Others have sent everything, or are about to end themselves.
    fn read_removed(&mut self, index: usize, host: &mut Host, out: &mut Out) -> bool {
        let Some(sender) = &self.senders[index] else { return false };
        let segment = sender.sent().segment(host.files.size);
        // PostgreSQL looks after it has read, by number: a file that is still open does not help,
        // since it may be another segment by now (`CheckXLogRemoved`).
        let removed = sender.sent() < host.files.flushed && segment < host.files.oldest;
        if removed {
            let (to, connection) = (sender.standby(), sender.connection());
            let why = Refusal::SegmentRemoved { segment: host.segment(segment) };
            out.send(to, connection, Body::Refused(why));
            self.end_sender(index, None, host, out);
        }
        removed
    }

    /// WAL is durable up to a new position: walsenders send it, now or late.
    #[inline]
    pub(super) fn wake_senders(&mut self, flushed: Flushed, out: &mut Out) {
        match &mut self.late {
            Some(late) => late.push(flushed),
            None => self.send_all(&[flushed], out),
        }
    }

    /// Whether walsenders send WAL when they are told to ([`Primary::send_late`]), and not when it
    /// is durable: nobody may look at them in between.
    pub fn be_late(&mut self, late: bool) {
        self.late = late.then(Vec::new);
    }

    /// Walsenders send what has become durable, each time as of then; moves those moments to
    /// `flushes`.
    pub fn send_late(&mut self, flushes: &mut Vec<Flushed>, out: &mut Out) {
        if let Some(late) = &mut self.late {
            flushes.append(late);
            self.send_all(flushes, out);
        }
    }

    fn send_all(&mut self, flushes: &[Flushed], out: &mut Out) {
        let (mut caught_up, now) = (false, out.at);
        self.sends_freely_to = Lsn(u64::MAX);
        for sender in self.senders.iter_mut().flatten() {
            for &Flushed { at, upto } in flushes {
                out.at = at;
                caught_up |= sender.send(at, upto, &self.wal, out);
            }
            self.sends_freely_to = self.sends_freely_to.min(sender.sends_freely_to(LATE_FLUSHES));
        }
        out.at = now;
        if caught_up {
            self.caught_up(out);
        }
    }

    pub(super) fn check_senders(&mut self, now: SimTime, host: &mut Host, out: &mut Out) {
        for index in 0..self.senders.len() {
            let Some(sender) = &mut self.senders[index] else { continue };
            if sender.next_deadline() <= now && sender.check_timeout(now, out) {
                out.send(sender.standby(), sender.connection(), Body::Close);
                self.end_sender(index, Some(ConnectionEnd::Timeout), host, out);
            }
        }
        self.find_senders_due();
    }

    /// The wall clock jumps. Whoever sleeps finds out when it wakes up; WAL that becomes durable
    /// wakes walsenders.
    pub fn jump_clock(&mut self, by: i64) {
        self.senders.iter_mut().flatten().for_each(|sender| sender.jump_clock(by));
        self.checkpointer.jump_clock(by);
        (self.clock_jumped, self.busy) = (true, true);
    }

    /// WAL has become durable after the clock has jumped.
    pub(super) fn wake_senders_after_jump(&mut self, now: SimTime) {
        if std::mem::take(&mut self.clock_jumped) {
            self.senders.iter_mut().flatten().for_each(|sender| sender.wake_after_jump(now));
            self.find_senders_due();
        }
    }

    pub(super) fn find_senders_due(&mut self) {
        let due = self.senders.iter().flatten().map(WalSender::next_deadline);
        self.senders_due = due.min().unwrap_or(SimTime::NEVER);
    }

    pub(super) fn end_sender(
        &mut self,
        index: usize,
        why: Option<ConnectionEnd>,
        host: &mut Host,
        out: &mut Out,
    ) {
        if let Some(sender) = self.senders[index].take() {
            self.standbys[index] = Standby::default();
            self.candidates_changed(out);
            host.slots.release(out.at, index);
            self.checkpointer.sender_ended(out.at);
            // A client that leaves before it streams is no news.
            // Nor is what breaks a connection whose walsender has said why it ends.
            if let Some(why) = why
                && sender.phase() != Phase::Startup
                && !sender.is_terminating()
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
                Body::Close | Body::Terminate => {}
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
            Body::StartReplication { start, slot } => {
                self.start_replication(now, index, Request { start, slot }, host, out);
            }
            Body::Close => self.end_sender(index, Some(ConnectionEnd::PeerClosed), host, out),
            Body::Terminate => {
                self.end_sender(index, Some(ConnectionEnd::PeerTerminated), host, out);
            }
            Body::Accepted
            | Body::Refused(_)
            | Body::System { .. }
            | Body::CopyBoth
            | Body::CopyDone
            | Body::XLogData { .. }
            | Body::Keepalive { .. } => {
                unreachable!("a standby does not send {:?}", message.body)
            }
        }
    }

    /// The socket to a standby has room again.
    pub fn room(
        &mut self,
        now: SimTime,
        to: ServerId,
        bytes: Bytes,
        host: &mut Host,
        out: &mut Out,
    ) {
        // Connections before the newest are dead at the standby's end.
        let newest = self.senders().filter(|(_, s)| s.standby() == to);
        let newest = newest.filter(|(_, s)| s.phase() != Phase::Startup);
        let Some(index) = newest.max_by_key(|(_, s)| s.connection()).map(|(index, _)| index) else {
            return;
        };
        if self.senders[index].as_ref().is_some_and(WalSender::is_terminating) {
            return self.end_terminated(index, host, out);
        }
        if self.read_removed(index, host, out) {
            return;
        }
        let Some(sender) = &mut self.senders[index] else { return };
        sender.room(bytes);
        if sender.send(now, host.files.flushed, &self.wal, out) {
            self.caught_up(out);
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
        sender.status(now, host.sent, positions, reply_requested, out);
        let Positions { write, flush, apply } = positions;
        let known = &mut self.standbys[index];
        let first = !known.flush.is_valid();
        (known.write, known.flush, known.apply) = (write, flush, apply);
        if first {
            self.candidates_changed(out);
        }
        self.release(now, index, positions, out);
        if flush.is_valid() {
            host.slots.confirm(index, flush);
        }
    }

    /// Takes note of status updates of a standby, which have arrived a while ago: whoever they
    /// could release is released. A walsender that has ended since has no use for them.
    pub fn note_updates(&mut self, from: ServerId, arrived: &[Update], host: &mut Host) {
        let Some(last) = arrived.last() else { return };
        let Some(index) = self.find_sender(from, last.connection) else { return };
        let Some(sender) = &mut self.senders[index] else { return };
        // Those of an older connection come first.
        let first = arrived.partition_point(|update| update.connection != last.connection);
        sender.note_statuses(&arrived[first..]);
        let Positions { write, flush, apply } = last.positions;
        let known = &mut self.standbys[index];
        (known.write, known.flush, known.apply) = (write, flush, apply);
        if flush.is_valid() {
            host.slots.confirm(index, flush);
        }
    }

    /// A status update of a standby arrives that will be noted later, and may release somebody:
    /// releases whoever waits for it. Nobody waits for a write or for replay then.
    #[inline]
    pub fn hear_update(&mut self, now: SimTime, from: ServerId, update: &Update, out: &mut Out) {
        if let Some(index) = self.find_sender(from, update.connection) {
            let Positions { write, flush, apply } = update.positions;
            let known = &mut self.standbys[index];
            (known.write, known.flush, known.apply) = (write, flush, apply);
            self.release_waiters(now, index, out);
        }
    }

    /// Whether a reply with such a position may release somebody. A standby behind what is
    /// synchronous already raises nothing, whichever standbys count.
    #[inline]
    pub fn may_release(&self, mode: WaitMode, position: Lsn) -> bool {
        position > self.syncrep.synced(mode) && self.commits.waits_for(mode)
    }

    /// Whether it is to look at what walsenders have heard, or at slots: at timeouts, where a
    /// checkpoint may end, and when a lag tracker is full.
    #[inline]
    pub fn looks_at_senders(&self, now: SimTime) -> bool {
        self.busy
            || self.senders_due.min(self.checkpointer.next_deadline()) <= now
            || self.wal.completes_segment(now)
            || self.wal.flush_target() > self.sends_freely_to
    }

    /// Whether all that is due at `now` is the end of a flush, and nothing is looked at then, nor
    /// anybody sent late that must not be later.
    #[inline]
    pub fn only_ends_flush(&self, now: SimTime) -> bool {
        self.wal.next_deadline() <= now
            && self.walwriter.next_deadline() > now
            && self.late.as_ref().is_some_and(|late| late.len() < LATE_FLUSHES)
            && !self.looks_at_senders(now)
    }

    /// Whether it does anything else by whether commits are answered, or is held up by a standby
    /// that does not read.
    pub fn minds_answers(&self) -> bool {
        self.commit_delay > Duration::ZERO
            || self.senders.iter().flatten().any(WalSender::is_blocked)
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
        let matters = |mode| self.may_release(mode, reply.at(mode));
        if recheck || WaitMode::ALL.into_iter().any(matters) {
            let release = self.release_waiters(now, index, out);
            if recheck {
                self.announce(index, &release, out);
            }
        }
    }

    /// Releases whoever has waited for the last reply of a walsender.
    #[inline]
    fn release_waiters(&mut self, now: SimTime, index: usize, out: &mut Out) -> Release {
        let release = self.syncrep.release(&self.standbys, index);
        for mode in WaitMode::ALL {
            if let Some(synced) = release.at(mode)
                && self.commits.waits_for(mode)
            {
                let synced = self.wal.usable(synced);
                let followed = self.stages.follow(synced);
                if followed {
                    self.stages.synced(now, mode, synced, &self.commits);
                }
                self.commits.synced(now, mode, synced, &mut out.answers);
                if followed {
                    self.stages.answered(&self.commits);
                }
                if !out.answers.is_empty() {
                    out.released |= 1 << mode as u8;
                }
            }
        }
        release
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

    /// A walsender streams from now on: its standby counts at once (`WalSndSetState`).
    #[cold]
    pub(super) fn caught_up(&mut self, out: &mut Out) {
        for (sender, standby) in self.senders.iter().zip(&mut self.standbys) {
            standby.streaming = sender.as_ref().is_some_and(|s| s.phase() == Phase::Streaming);
        }
        self.candidates_changed(out);
    }

    /// Every walsender has to look again at its next reply.
    pub(super) fn candidates_changed(&mut self, out: &mut Out) {
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

    /// Whether fewer standbys are connected than `max_wal_senders` says.
    pub fn has_free_walsender(&self) -> bool {
        self.senders().count() < self.max_wal_senders as usize
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
        request: Request,
        host: &mut Host,
        out: &mut Out,
    ) {
        let Request { start, slot } = request;
        let Some(sender) = &self.senders[index] else { return };
        let (standby, connection) = (sender.standby(), sender.connection());
        if let Some(slot) = slot
            && let Err(why) = self.acquire(slot, index, host)
        {
            out.send(standby, connection, Body::Refused(why));
            return;
        }
        out.send(standby, connection, Body::CopyBoth);
        out.fact(What::SenderStarted { standby, start, slot });
        let segment = start.segment(host.files.size);
        if segment < host.files.oldest {
            let why = Refusal::SegmentRemoved { segment: host.segment(segment) };
            out.send(standby, connection, Body::Refused(why));
            self.end_sender(index, None, host, out);
            return;
        }
        if let Some(sender) = &mut self.senders[index] {
            sender.start(start);
            if sender.send(now, host.files.flushed, &self.wal, out) {
                self.caught_up(out);
            }
        }
        for other in self.senders.iter_mut().flatten().filter(|s| s.standby() == standby) {
            if other.connection() < connection {
                other.desert();
            }
        }
    }

    /// A walsender takes a slot (`ReplicationSlotAcquire`).
    fn acquire(&self, name: SlotName, index: usize, host: &mut Host) -> Result<(), Refusal> {
        let slot = host.slots.find(name).ok_or(Refusal::NoSuchSlot { slot: name })?;
        if let Some(owner) = slot.owner {
            let pid = self.sender_pid(owner, host);
            return Err(Refusal::SlotActive { slot: name, pid });
        }
        if let Some(why) = slot.invalid
            && self.version.major() >= 18
        {
            return Err(Refusal::SlotInvalid { slot: name, why });
        }
        if let Some(slot) = host.slots.find_mut(name) {
            slot.owner = Some(index);
        }
        Ok(())
    }

    /// Process id of the walsender in a place of the array: fictitious, the one of the logs.
    pub fn sender_pid(&self, index: usize, host: &Host) -> u32 {
        let sender = self.senders.get(index).and_then(Option::as_ref);
        sender.map_or(0, |sender| Process::WalSender(sender.standby()).pid(host.id()))
    }

    /// A standby that streamed before the run began, and has everything.
    pub fn streams_already(
        &mut self,
        now: SimTime,
        standby: ServerId,
        connection: ConnectionId,
        slot: Option<SlotName>,
        host: &mut Host,
    ) {
        let Some(index) = self.take_sender(now, standby, connection, host) else { return };
        let end = host.files.flushed;
        if let Some(sender) = &mut self.senders[index] {
            sender.start_streaming(end);
        }
        if let Some(slot) = slot
            && self.acquire(slot, index, host).is_ok()
        {
            host.slots.confirm(index, end);
        }
        let known = &mut self.standbys[index];
        *known = Standby { streaming: true, write: end, flush: end, apply: end, ..*known };
        let release = self.syncrep.release(&self.standbys, index);
        let (method, priority) = (self.syncrep.names().method(), self.standbys[index].priority);
        if let Some(sender) = &mut self.senders[index] {
            let _already_announced = sender.announcer.heard(&release, method, priority);
        }
    }
}

/// What `START_REPLICATION` asks for.
#[derive(Clone, Copy, Debug)]
struct Request {
    start: Lsn,
    slot: Option<SlotName>,
}
