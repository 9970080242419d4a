//! What passes in a window of time, for somebody who plays a run again to see it.
//!
//! Messages are noted with both ends when it is known when they arrive, whoever reads them and
//! however late; answers to clients when they are given. Nothing of it has a say in the run.
//!
//! **Source.** Walden's own.
//!
//! **Not modelled.** Messages that are lost on their way are not noted.

use models::network::Parcel;
use models::postgres::protocol::{Message, Update};
use models::trace::fact::ServerId;
use models::trace::flow::{Answered, Flow, Passed, Window};
use models::units::{Lsn, SimTime};

use super::World;

/// Which answer is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sought {
    /// The one with this number, from 1.
    Number(u64),
    /// The first of those that took longest.
    Slowest,
}

/// What is noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Everything that passes then.
    pub window: Option<Window>,
    /// One answer of the whole run.
    pub answer: Option<Sought>,
}

/// What was noted so far.
#[derive(Clone, Debug)]
pub(super) struct Trail {
    wanted: Wanted,
    messages: Vec<Passed>,
    answers: Vec<Answered>,
    /// Answers of the run so far.
    answered: u64,
    found: Option<Answered>,
}

impl Trail {
    fn note(&mut self, passed: Passed) {
        if self.wanted.window.is_some_and(|w| passed.sent <= w.to && passed.arrived >= w.from) {
            self.messages.push(passed);
        }
    }

    /// WAL is on its way from one server to another.
    #[cold]
    pub fn parcel(&mut self, parcel: &Parcel, from: usize, to: usize) {
        let Parcel { sent, arrives, message } = *parcel;
        let id = |server| ServerId(u8::try_from(server).expect("few servers"));
        let (connection, body) = (message.connection, message.body);
        self.note(Passed { sent, arrived: arrives, from: id(from), to: id(to), connection, body });
    }

    /// Status updates have arrived.
    #[cold]
    pub fn updates(&mut self, updates: &[Update], from: ServerId, to: ServerId) {
        updates.iter().for_each(|update| self.note(Passed::of_update(update, from, to)));
    }

    /// What was on its way to a standby takes another one.
    #[cold]
    pub fn take_back(&mut self, now: SimTime, to: ServerId) {
        self.messages.retain(|passed| passed.to != to || passed.arrived <= now);
    }

    fn answer(&mut self, answered: Answered) {
        if self.wanted.window.is_some_and(|window| window.has(answered.at)) {
            self.answers.push(answered);
        }
        let latency = |answered: &Answered| answered.at.since(answered.start);
        let is_wanted = match self.wanted.answer {
            Some(Sought::Number(number)) => answered.number == number,
            Some(Sought::Slowest) => {
                self.found.as_ref().is_none_or(|found| latency(found) < latency(&answered))
            }
            None => false,
        };
        if is_wanted {
            self.found = Some(answered);
        }
    }
}

impl World {
    /// The primary looks from now on for the commits around these positions.
    pub fn look_for_commits(&mut self, positions: &[Lsn]) {
        if !positions.is_empty() {
            self.servers[self.primary].look_for_commits(positions);
        }
    }

    /// Notes what passes from now on.
    pub fn follow(&mut self, wanted: Wanted) {
        if let Some(window) = wanted.window {
            self.servers[self.primary].note_commits(window);
        }
        let (messages, answers) = (Vec::new(), Vec::new());
        let trail = Trail { wanted, messages, answers, answered: 0, found: None };
        self.trail = Some(Box::new(trail));
    }

    /// The answer that was looked for, and how many there were.
    pub fn found_answer(&self) -> (Option<Answered>, u64) {
        self.trail.as_ref().map_or((None, 0), |trail| (trail.found, trail.answered))
    }

    /// How much was noted so far.
    pub fn noted(&self) -> usize {
        let passed =
            self.trail.as_ref().map_or(0, |trail| trail.messages.len() + trail.answers.len());
        let commits = self.servers[self.primary].notes();
        passed + commits.map_or(0, |notes| notes.inserted.len() + notes.flushes.len())
    }

    /// What passed in the window.
    pub fn flow(&self) -> Flow {
        let mut flow = Flow::default();
        if let Some(trail) = &self.trail {
            flow.messages.clone_from(&trail.messages);
            flow.answers.clone_from(&trail.answers);
        }
        // Updates are noted when somebody reads them.
        flow.messages.sort_by_key(|passed| (passed.arrived, passed.sent));
        if let Some(notes) = self.servers[self.primary].notes() {
            flow.inserted.clone_from(&notes.inserted);
            flow.flushes.clone_from(&notes.flushes);
        }
        flow
    }

    /// A message has arrived.
    pub(super) fn note_message(
        &mut self,
        (sent, arrived): (SimTime, SimTime),
        (from, to): (ServerId, ServerId),
        message: &Message,
    ) {
        if let Some(trail) = &mut self.trail {
            let (connection, body) = (message.connection, message.body);
            trail.note(Passed { sent, arrived, from, to, connection, body });
        }
    }

    /// Clients have the answers in hand.
    #[inline]
    pub(super) fn note_answers(&mut self) {
        if self.trail.is_some() {
            self.note_each_answer();
        }
    }

    #[cold]
    fn note_each_answer(&mut self) {
        let Some(trail) = &mut self.trail else { return };
        let at = self.out.answers.at;
        for commit in &self.out.answers.to {
            trail.answered += 1;
            let (start, end, session) = (commit.start, commit.end, commit.session);
            trail.answer(Answered { number: trail.answered, start, at, end, session });
        }
    }
}
