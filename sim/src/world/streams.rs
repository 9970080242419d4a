//! Standbys and their streams while most of what they do wakes nobody.
//!
//! Most replies of a standby only move its write or replay position. While no workload waits for
//! those they are *quiet*: nobody is woken for them. A standby does not even send them at their
//! moment, but when it next has something to do. WAL is handed to it as it is sent, with the moment
//! at which it arrives, and wakes it only if it waits for that. The primary takes note of replies
//! many at a time, and when they arrive only looks at those that are *loud*, because they may
//! release commits. When somebody looks, all of it is done up to then, dated when it happened: so
//! nobody can tell the difference (`sim/tests/quiet.rs`). Quiet ends when something happens that
//! makes the next reply of a standby matter, and begins again when all of them have come.

use models::postgres::ConnectionId;
use models::postgres::effect::Sent;
use models::postgres::protocol::{Body, Message, Update};
use models::postgres::syncrep::Positions;
use models::units::{Lsn, SimTime};

use super::World;
use super::digest::Way;
use super::routes::fingerprint_of;

/// The stream between a standby and its upstream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    /// The server that sends.
    pub upstream: usize,
    /// The link that WAL takes, and the flow on it.
    pub down: (usize, usize),
    /// Those that status updates take.
    pub up: (usize, usize),
    /// The connection that a walsender serves, known while the world is quiet.
    served: Option<ConnectionId>,
    /// Flush position of the last status update.
    last: Lsn,
}

/// Bound on the updates on a link that were not noted, beside those under way.
const UNNOTED: usize = 128;

impl Stream {
    /// A stream over these links, on which nothing was sent.
    pub fn new(upstream: usize, down: (usize, usize), up: (usize, usize)) -> Stream {
        Stream { upstream, down, up, served: None, last: Lsn::INVALID }
    }
}

impl World {
    /// A standby's moment has come.
    #[inline]
    pub(super) fn standby_due(&mut self, standby: usize) {
        if self.patience.on {
            // What it does now may be something that others act on.
            self.play_standbys(SimTime(self.now.0.saturating_sub(1)));
            self.be_impatient();
        }
        self.events += 1;
        self.digest.chain(standby, Way::Own).take(self.now.0);
        self.servers[standby].deadline(self.now, &mut self.out);
        self.settle_standby(standby);
    }

    /// Carries out what a standby has done, and books its next moment.
    #[inline]
    pub(super) fn settle_standby(&mut self, standby: usize) {
        if self.out.asks {
            // What has arrived is noted as of then; the rest comes as messages.
            self.note_updates(self.now, standby);
        }
        let out = &mut self.out;
        let mut many = false;
        if let Some(stream) = &mut self.streams[standby] {
            let synced = self.servers[stream.upstream].synced();
            if let Some(first) = out.updates.first() {
                let (link, flow) = stream.up;
                let (up, digest) = (&mut self.links[link], self.digest.chain(standby, Way::Up));
                let served = stream.served == Some(first.connection);
                let (mut chain, mut last) = (*digest, stream.last);
                let loud = |update: &Update| {
                    chain.take(fingerprint(update));
                    is_loud(update, std::mem::replace(&mut last, update.positions.flush), synced)
                };
                // Somebody has to answer whoever asks.
                match served && !out.asks {
                    true => up.send_updates(flow, &mut out.updates, loud),
                    false => up.send_all(flow, &mut out.updates, loud),
                }
                (*digest, stream.last) = (chain, last);
                many = up.unnoted(flow) > UNNOTED;
                if !self.patience.on || !served {
                    self.agenda.set(self.servers.len() + link, up.next_deadline());
                }
            }
            let (link, flow) = stream.down;
            let down = &mut self.links[link];
            if !out.reads.is_empty() && down.take(flow, &mut out.reads) {
                self.agenda.set(self.servers.len() + link, down.next_deadline());
            }
        }
        out.updates.clear();
        out.reads.clear();
        out.asks = false;
        if !out.effects.is_empty() {
            self.carry_out(standby);
            self.forget_stream(standby);
        }
        if many {
            self.note_updates(self.now, standby);
        }
        self.book_standby(standby);
    }

    /// Books the next moment of a standby.
    #[inline]
    pub(super) fn book_standby(&mut self, standby: usize) {
        let next = match self.patience.on {
            true => self.servers[standby].next_timer(),
            false => self.servers[standby].next_deadline(),
        };
        self.agenda.set(standby, next);
    }

    /// Books the next moment of a link.
    #[inline]
    pub(super) fn book_link(&mut self, link: usize) {
        let next = match self.patience.on {
            true => self.links[link].next_message(),
            false => self.links[link].next_deadline(),
        };
        self.agenda.set(self.servers.len() + link, next);
    }

    /// WAL for one standby is handed to it before it arrives. False if it is none, or not for a
    /// standby that takes it so, or the way is blocked.
    #[inline]
    pub(super) fn hand_over(&mut self, wal: &[Sent]) -> bool {
        let Some(to) = wal.first().map(|sent| sent.to.index()) else { return true };
        let Some(Stream { down: (link, flow), served: Some(served), .. }) = self.streams[to] else {
            return false;
        };
        let is_served = |Sent { message: Message { connection, body }, .. }: &Sent| {
            *connection == served && matches!(body, Body::XLogData { .. })
        };
        // All of it is of one walsender.
        if !wal.first().is_some_and(is_served) {
            return false;
        }
        debug_assert!(wal.iter().all(is_served), "{wal:?}");
        let Some(parcels) = self.links[link].hand_over(flow, wal) else { return false };
        let digest = self.digest.chain(to, Way::Down);
        let mut chain = *digest;
        let parcels = parcels.inspect(|parcel| {
            chain.take(fingerprint_of(&parcel.message) ^ parcel.arrives.0.rotate_left(32));
        });
        let changes = self.servers[to].keep_wal(parcels);
        *digest = chain;
        if changes && !self.patience.on {
            self.book_standby(to);
        }
        true
    }

    /// What was handed to a standby and has not arrived is under way as anything else.
    fn take_back(&mut self, standby: usize) {
        let Some(Stream { down: (link, flow), .. }) = self.streams[standby] else { return };
        let coming = self.servers[standby].give_back(self.now);
        if let Some(trail) = &mut self.trail {
            trail.take_back(self.now, self.servers[standby].id());
        }
        self.links[link].take_back(flow, coming);
        self.book_link(link);
    }

    /// Updates of a standby that have arrived by `upto` are noted.
    pub(super) fn note_updates(&mut self, upto: SimTime, standby: usize) {
        let Some(Stream { upstream, up: (link, flow), .. }) = self.streams[standby] else {
            return;
        };
        let arrived = self.links[link].arrived_updates(upto, flow);
        if !arrived.is_empty() {
            if let Some(trail) = &mut self.trail {
                let to = self.servers[upstream].id();
                trail.updates(arrived, self.servers[standby].id(), to);
            }
            let (from, count) = (self.servers[standby].id(), arrived.len());
            self.servers[upstream].note_updates(from, arrived);
            self.links[link].forget_updates(flow, count);
        }
    }

    /// A loud update has arrived at the primary at `at`.
    #[inline]
    pub(super) fn hear_update(&mut self, at: SimTime, link: usize) {
        let way = &mut self.links[link];
        let Some(update) = way.loud_update() else { return };
        let (from, primary) = (way.sender(), &mut self.servers[self.primary]);
        if primary.may_release(update.positions.flush) {
            primary.hear_update(at, from, update, &mut self.out);
        }
        way.pass_update();
        if !self.patience.on {
            self.book_link(link);
        }
        if !self.out.answers.is_empty() {
            self.answer_clients();
        }
        if !self.out.effects.is_empty() {
            self.settle(self.primary);
        }
    }

    /// What standbys do without anybody waiting for it is done up to `upto`, and all updates that
    /// have arrived by then are noted.
    pub(super) fn read_all_quiet(&mut self, upto: SimTime) {
        if self.shares_links {
            return;
        }
        if self.patience.on {
            self.play_standbys(upto);
        }
        for index in 0..self.standbys.len() {
            let standby = self.standbys[index];
            if self.quiet {
                self.servers[standby].catch_up(upto, &mut self.out);
                self.settle_standby(standby);
            }
            self.note_updates(upto, standby);
        }
    }

    /// Whether standbys may act late from now on.
    pub(super) fn be_quiet(&mut self, quiet: bool) {
        self.quiet = quiet;
        self.be_impatient();
        for index in 0..self.standbys.len() {
            let standby = self.standbys[index];
            self.servers[standby].be_quiet(quiet);
            let served = self.served(standby).filter(|_| quiet);
            if !quiet {
                self.take_back(standby);
            }
            if let Some(stream) = &mut self.streams[standby] {
                stream.served = served;
                let (link, flow) = stream.down;
                if let Some(connection) = served {
                    let wal = self.links[link].take_wal(flow, connection);
                    if let Some(trail) = &mut self.trail {
                        let from = self.primary;
                        wal.iter().for_each(|parcel| trail.parcel(parcel, from, standby));
                    }
                    self.servers[standby].keep_wal(wal.into_iter());
                }
                self.book_link(link);
            }
            self.settle_standby(standby);
        }
    }

    /// A standby's stream may have ended: then nothing is handed over any more.
    fn forget_stream(&mut self, standby: usize) {
        let now = self.servers[standby].stream();
        if let Some(stream) = &mut self.streams[standby]
            && stream.served.is_some()
            && stream.served != now
        {
            stream.served = None;
            self.take_back(standby);
            self.be_impatient();
        }
    }

    /// Whether a walsender of the primary serves a standby, while the world is quiet, and both
    /// ways are free.
    pub(super) fn is_served(&self, standby: usize) -> bool {
        self.streams[standby].is_some_and(|Stream { down, up, served, .. }| {
            let free = |(link, flow): (usize, usize)| !self.links[link].is_blocked(flow);
            served.is_some() && free(down) && free(up)
        })
    }

    /// The link and the flow that a standby's updates take.
    #[inline]
    pub(super) fn way_up(&self, standby: usize) -> Option<(usize, usize)> {
        self.streams[standby].map(|stream| stream.up)
    }

    /// The connection of a standby that a walsender of the primary serves.
    fn served(&self, standby: usize) -> Option<ConnectionId> {
        let (server, primary) = (&self.servers[standby], self.servers[self.primary].primary()?);
        let connection = server.stream()?;
        primary.serves(server.id(), connection).then_some(connection)
    }

    /// The next status update of every standby matters: none is quiet until all have come.
    pub(super) fn be_loud(&mut self) {
        self.read_all_quiet(self.now);
        self.be_quiet(false);
        for link in 0..self.links.len() {
            self.links[link].wake_for_updates();
            self.book_link(link);
        }
    }
}

/// Whether a status update wakes the primary: if it moves the flush position that was `before`,
/// and somebody may wait for that, or asks for an answer. Nobody waits for what is `synced`.
#[inline]
fn is_loud(update: &Update, before: Lsn, synced: Lsn) -> bool {
    let flush = update.positions.flush;
    before != flush && flush > synced || update.reply_requested
}

/// What of a status update goes into the digest.
fn fingerprint(Update { at, positions, .. }: &Update) -> u64 {
    let Positions { write, flush, apply } = positions;
    at.0 ^ write.0.rotate_left(16) ^ flush.0.rotate_left(32) ^ apply.0.rotate_left(48)
}
