//! The laws that every run is held against: what PostgreSQL never lets happen.
//!
//! The checkers watch the world and never touch it: they own no die and no moment on the agenda,
//! and switching them off changes no byte of a run. They hold what servers *do* against what
//! servers *are*: a commit's answer against the disks of the standbys, not against what the
//! primary believes of them; the files that a checkpoint left against the promises of the
//! settings, not against the function that chose them. A law that is broken is a bug of Walden: it
//! is counted, kept with what happened before it, and fails the verdict; the run goes on.
//!
//! # When
//! * Each time that commits are answered: whether they may be (`answers.rs`). None is left out.
//! * At each fact: checkpoints, slots, crashes (`files.rs`).
//! * At each look of the series (2,000 a run) and of the digest, and before and after everything
//!   that befalls a server: everything else (`positions.rs`).
//! * Under [`Checks::Moments`], for tests, the same at the close of every moment, and every message
//!   of WAL when it is sent (`streams.rs`).
//!
//! **Source.** The invariants of the manual and the source; see [`models::trace::law`].
//!
//! **Not modelled.** Laws of failovers, and of queries on standbys.

mod answers;
mod files;
mod positions;
mod streams;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use models::postgres::backend::Waiting;
use models::postgres::protocol::Message;
use models::postgres::server::{Server, State};
use models::trace::fact::{Fact, ServerId, What};
use models::trace::law::{Law, Violation, Violations};
use models::units::{Lsn, SimTime};

use answers::Answers;
use files::Files;
use positions::Past;
use streams::Streams;

/// How often laws are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checks {
    /// Never.
    None,
    /// Where it costs little; see the head of this file.
    #[default]
    Looks,
    /// Also at the close of every moment: for tests.
    Moments,
}

/// What the laws look at.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Now.
    pub now: SimTime,
    /// All servers, by their ids; everything quiet is done.
    pub servers: &'a [Server],
    /// The server that clients write to.
    pub primary: usize,
}

/// What became of commits, as their clients count it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Started by clients.
    pub attempted: u64,
    /// Their wait for standbys was cancelled.
    pub cancelled: u64,
    /// Their connection ended before the answer.
    pub unknown: u64,
    /// They found no primary.
    pub refused: u64,
    /// They wait for the answer.
    pub waiting: u64,
}

/// All laws, and what they have to remember.
#[derive(Clone, Debug)]
pub struct Checkers {
    findings: Findings,
    answers: Answers,
    streams: Streams,
    past: Vec<Past>,
    files: Vec<Files>,
}

/// What was found so far, and what goes into a finding.
#[derive(Clone, Debug)]
struct Findings {
    violations: Violations,
    /// The servers' names.
    names: Vec<String>,
    /// The last facts.
    recent: VecDeque<Fact>,
    now: SimTime,
}

/// Facts that a violation is kept with.
const BEFORE: usize = 8;

impl Checkers {
    /// For a world that begins like this.
    pub fn new(checks: Checks, names: Vec<String>, view: View<'_>) -> Checkers {
        Checkers {
            findings: Findings {
                violations: Violations::default(),
                names,
                recent: VecDeque::new(),
                now: view.now,
            },
            answers: Answers::new(view.servers.len(), checks == Checks::Moments),
            streams: Streams::new(view.servers.len()),
            past: view.servers.iter().map(Past::new).collect(),
            files: view.servers.iter().map(Files::new).collect(),
        }
    }

    /// Clients of the primary have these answers; `released` is what they had waited for (see
    /// [`models::postgres::effect::Out::released`]).
    #[inline]
    pub fn answered(&mut self, view: View<'_>, commits: &[Waiting], released: u8) {
        self.answers.answered(view, commits, released, &mut self.findings);
    }

    /// Where a standby that is ahead of the answers notes until when it had flushed what.
    pub fn disk(&mut self, standby: usize) -> &mut Vec<(SimTime, Lsn)> {
        self.answers.disk(standby)
    }

    /// No standby is ahead any more.
    pub fn forget_disks(&mut self) {
        self.answers.forget_disks();
    }

    /// Other standbys count as synchronous than before, perhaps.
    #[inline]
    pub fn candidates_changed(&mut self) {
        self.answers.forget_required();
    }

    /// A server sends a message.
    pub fn sent(&mut self, from: &Server, to: ServerId, message: &Message) {
        self.streams.sent(from, to, message, &mut self.findings);
    }

    /// Something happened on a server; `view` is what came of it.
    pub fn happened(&mut self, view: View<'_>, server: ServerId, what: &What) {
        self.findings.go_to(view.now, server);
        self.answers.forget_required();
        let (of, index) = (&view.servers[server.index()], server.index());
        self.past[index].happened(what);
        self.files[index].happened(of, what, &mut self.findings);
        self.findings.remember(Fact { at: view.now, server: Some(server), what: *what });
    }

    /// Something happened outside of all servers.
    pub fn noted(&mut self, fact: Fact) {
        self.findings.remember(fact);
    }

    /// Something is going to befall a server: what standbys have now they may lose.
    pub fn befalls(&mut self, view: View<'_>, count: Count) {
        self.look(view, count);
        self.answers.note_heights(view);
        self.answers.forget_required();
    }

    /// A look at everything.
    pub fn look(&mut self, view: View<'_>, count: Count) {
        let findings = &mut self.findings;
        findings.go_to(view.now, ServerId(view.primary as u8));
        self.answers.look(view, count, findings);
        for (server, (past, files)) in
            view.servers.iter().zip(self.past.iter_mut().zip(&mut self.files))
        {
            past.look(server, view, findings);
            files.look(server, findings);
            self.answers.look_at_reports(server, view, findings);
        }
    }

    /// What was found.
    pub fn into_violations(self) -> Violations {
        self.findings.violations
    }
}

impl Findings {
    /// Breaks the law unless `holds`.
    fn expect(
        &mut self,
        holds: bool,
        law: Law,
        server: ServerId,
        found: impl FnOnce(&[String]) -> String,
    ) {
        if !holds {
            self.broken(law, server, found);
        }
    }

    #[cold]
    fn broken(&mut self, law: Law, server: ServerId, found: impl FnOnce(&[String]) -> String) {
        let (at, names) = (self.now, &self.names);
        let before = || self.recent.iter().copied().collect();
        self.violations.push(law, || Violation {
            law,
            at,
            server,
            found: found(names),
            before: before(),
        });
    }

    /// It is later now, or the same.
    fn go_to(&mut self, now: SimTime, server: ServerId) {
        let before = self.now;
        self.expect(now >= before, Law::Forward, server, |_| {
            format!("the clock went from {before} back to {now}")
        });
        self.now = now;
    }

    fn remember(&mut self, fact: Fact) {
        if self.recent.len() == BEFORE {
            self.recent.pop_front();
        }
        self.recent.push_back(fact);
    }
}

/// What a standby has replayed; nothing that it has not.
fn replayed(server: &Server, now: SimTime) -> Lsn {
    match server.state() {
        State::Standby(_) => server.replayed(now),
        State::Primary(_) | State::Down | State::Recovering { .. } => Lsn::INVALID,
    }
}
