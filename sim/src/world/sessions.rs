//! Clients' sessions: when transactions reach the primary, and what becomes of their clients.
//!
//! While a flush runs, whatever is inserted can only wait, so arrivals are handed over in batches
//! when somebody looks. While none runs, each arrival is an event, because it may begin one.
//!
//! **Not modelled.** A client's retry is one second after its connection failed; transactions of
//! an open loop that find no primary fail at once and do not come back.

use models::clients::{Arrival, ArrivalKind};
use models::postgres::backend::Waiting;
use models::postgres::effect::Out;
use models::postgres::primary::Batch;
use models::units::{Duration, SimTime};

use super::digest::Chain;
use super::{Workload, World};

/// A client that lost its connection tries again after this long.
pub(super) const RECONNECT: Duration = Duration::s(1);

impl World {
    /// Transactions while no flush runs: one after the other until one begins a flush, or
    /// something else comes first. Each is an event of its own, so that it makes no difference
    /// where somebody has the world stop or wants to look.
    pub(super) fn arrive(&mut self, until: SimTime) {
        let source = self.servers.len() + self.links.len();
        let others = self.agenda.earliest_of(source);
        let limit = until.min(self.next_look);
        loop {
            self.insert(self.now, true);
            let next = self.next_arrival().map_or(SimTime::NEVER, |(_, at)| at);
            let server = &self.servers[self.primary];
            let waits = next >= others.min(server.next_deadline());
            if server.flushing() != Some(false) || next > limit || waits {
                break;
            }
            self.now = self.now.max(next);
            self.count_event(source);
        }
        self.settle(self.primary);
    }

    /// Inserts everything that arrived up to `now`.
    pub(super) fn feed(&mut self, now: SimTime) {
        if let (None, [workload]) = (&self.held, self.workloads.as_mut_slice()) {
            let (clients, upto) = (&mut workload.clients, now.min(self.end));
            if self.servers[self.primary].queue_up(clients, workload.level, upto) {
                if self.rows.is_some() {
                    self.note_rows();
                }
                return;
            }
        }
        if self.held.is_some() || self.workloads.iter().any(|w| w.clients.next_insert() <= now) {
            self.insert(now, false);
        }
    }

    /// The workload whose transaction comes next, and when.
    #[inline]
    pub(super) fn next_arrival(&self) -> Option<(usize, SimTime)> {
        if let Some((workload, arrival)) = self.held {
            return Some((workload, arrival.at));
        }
        next_of(&self.workloads).filter(|next| next.1 <= self.end)
    }

    /// Inserts what arrived up to `upto`, or only one transaction. Answers that come at once are
    /// given in between, since in a closed loop they bring the next transaction.
    pub(super) fn insert(&mut self, upto: SimTime, only_one: bool) {
        let upto = upto.min(self.end);
        let mut more = true;
        while more {
            let (held, since, now) = (&mut self.held, self.sessions_since, self.now);
            let (workloads, out) = (&mut self.workloads, &mut self.out);
            let server = &mut self.servers[self.primary];
            more = server.with_backends(|primary, host| match held.take() {
                Some((index, arrival)) => {
                    let level = primary.level(workloads[index].level);
                    let inserted = primary.insert_one(&arrival, index as u16, level, host, out);
                    if !inserted {
                        *held = Some((index, arrival));
                    }
                    inserted && !only_one
                }
                None => {
                    let Some((index, batch)) = next_batch(workloads, upto, since, only_one) else {
                        return false;
                    };
                    let clients = &mut workloads[index].clients;
                    let refused = primary.insert(clients, batch, host, out);
                    // It inserts when some of the buffers are written, at the earliest.
                    *held = refused.map(|a| (index, Arrival { at: a.at.max(now), ..a }));
                    // There may be more of another workload, or from whoever is answered.
                    let more = batch.until < upto || !out.answers.is_empty();
                    more && !only_one && held.is_none()
                }
            }) == Some(true);
            if !self.out.answers.is_empty() {
                self.answer_clients();
            }
        }
        if self.rows.is_some() {
            self.note_rows();
        }
    }

    pub(super) fn answer_clients(&mut self) {
        let standbys_released = self.out.released & !Out::LOCAL != 0;
        self.check_answers();
        self.note_answers();
        self.note_commits_answered();
        let (at, commits) = (self.out.answers.at, &self.out.answers.to);
        let mut all = Chain::default();
        let latencies = commits.iter().map(|commit| {
            let latency = at.0 - commit.start.0;
            all.take(latency);
            Duration(latency)
        });
        match &mut self.recorder {
            Some(recorder) => recorder.answered(at, latencies),
            None => latencies.for_each(drop),
        }
        match standbys_released {
            true => self.digest.released().take(all.value()),
            false => self.digest.fold(all.value()),
        }
        if self.workloads.iter().any(|workload| workload.closed) {
            for Waiting { session, .. } in &self.out.answers.to {
                let workload = &mut self.workloads[usize::from(session.workload)];
                if workload.closed {
                    workload.clients.answered(at, session.client);
                }
            }
            self.book_clients();
        }
        self.out.answers.to.clear();
    }

    /// Whoever waited for room in wal_buffers has lost the connection.
    pub(super) fn disconnect_held(&mut self) {
        if let Some((workload, arrival)) = self.held.take()
            && arrival.kind == ArrivalKind::Commit
        {
            self.disconnected += 1;
            let clients = &mut self.workloads[workload].clients;
            clients.answered(self.now + RECONNECT, arrival.client);
        }
    }

    /// Whoever came while there was no primary was refused.
    pub(super) fn refuse_clients(&mut self) {
        while let Some((workload, at)) = self.next_arrival()
            && at < self.now
        {
            let clients = &mut self.workloads[workload].clients;
            let arrival = clients.take();
            if arrival.kind == ArrivalKind::Commit {
                self.refused += 1;
                clients.answered(arrival.at + RECONNECT, arrival.client);
            }
        }
    }

    /// The next transaction is on the agenda only while it could begin a flush.
    #[inline]
    pub(super) fn book_clients(&mut self) {
        let next = match self.servers[self.primary].flushing() {
            Some(false) => self.next_arrival().map_or(SimTime::NEVER, |(_, at)| at),
            Some(true) | None => SimTime::NEVER,
        };
        self.agenda.set(self.servers.len() + self.links.len(), next);
    }
}

/// What arrives up to `upto`, as long as no other workload comes first; `None` if nothing does.
#[inline]
fn next_batch(
    workloads: &[Workload],
    upto: SimTime,
    since: SimTime,
    only_one: bool,
) -> Option<(usize, Batch)> {
    let (index, at) = next_of(workloads).filter(|next| next.1 <= upto)?;
    let mut until = upto;
    for (other, workload) in workloads.iter().enumerate() {
        let next = workload.clients.next_insert();
        if other != index && next <= until {
            until = at.max(SimTime(next.0 - 1));
        }
    }
    let level = workloads[index].level;
    Some((index, Batch { workload: index as u16, level, until, since, only_one }))
}

/// The workload whose transaction comes next, and when.
#[inline]
fn next_of(workloads: &[Workload]) -> Option<(usize, SimTime)> {
    let (mut first, mut earliest) = (0, SimTime::NEVER);
    for (index, workload) in workloads.iter().enumerate() {
        let at = workload.clients.next_insert();
        if at < earliest {
            (first, earliest) = (index, at);
        }
    }
    (earliest != SimTime::NEVER).then_some((first, earliest))
}
