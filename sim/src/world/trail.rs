//! What passes in a window of time, for somebody who plays a run again to see it.
//!
//! Messages are noted with both ends when it is known when they arrive, whoever reads them and
//! however late; answers to clients when they are given. Nothing of it has a say in the run.
//!
//! **Source.** Walden's own.
//!
//! What a cut or a hold stops is found when the way is free again, or at the end.
//!
//! **Not modelled.** Packets that are lost one by one: such a message arrives later, and nothing
//! says why.

use std::collections::BTreeMap;

use models::network::Parcel;
use models::postgres::ConnectionId;
use models::postgres::protocol::{Body, Message, Update};
use models::trace::fact::ServerId;
use models::trace::flow::{Answered, Flow, Passed, Stop, Window};
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

/// What tells messages apart; those that one sends at the same moment share their fate.
type Letter = (ServerId, ServerId, ConnectionId, SimTime);

/// What was noted so far.
#[derive(Clone, Debug)]
pub(super) struct Trail {
    wanted: Wanted,
    messages: Vec<Passed>,
    lost: Vec<Passed>,
    /// What was stopped, and may have arrived since.
    stopped: BTreeMap<Letter, Stop>,
    answers: Vec<Answered>,
    /// Answers of the run so far.
    answered: u64,
    found: Option<Answered>,
}

impl Trail {
    fn note(&mut self, mut passed: Passed) {
        if !self.stopped.is_empty() {
            let Passed { from, to, connection, sent, .. } = passed;
            passed.stopped = self.stopped.get(&(from, to, connection, sent)).copied();
        }
        if self.wanted.window.is_some_and(|w| passed.sent <= w.to && passed.arrived >= w.from) {
            self.messages.push(passed);
        }
    }

    /// WAL is on its way from one server to another.
    #[cold]
    pub fn parcel(&mut self, parcel: &Parcel, from: usize, to: usize) {
        let id = |server| ServerId(u8::try_from(server).expect("few servers"));
        self.note(on_its_way(parcel, id(from), id(to)));
    }

    /// It never arrives.
    fn lose(&mut self, parcel: &Parcel, from: ServerId, to: ServerId) {
        if self.wanted.window.is_some_and(|window| window.has(parcel.sent)) {
            let (arrived, stopped) = (SimTime::NEVER, Some(Stop::Cut));
            self.lost.push(Passed { arrived, stopped, ..on_its_way(parcel, from, to) });
        }
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

fn on_its_way(parcel: &Parcel, from: ServerId, to: ServerId) -> Passed {
    let Parcel { sent, arrives, message } = *parcel;
    let Message { connection, body } = message;
    Passed { sent, arrived: arrives, stopped: None, from, to, connection, body }
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
        self.trail = Some(Box::new(Trail {
            wanted,
            messages: Vec::new(),
            lost: Vec::new(),
            stopped: BTreeMap::new(),
            answers: Vec::new(),
            answered: 0,
            found: None,
        }));
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
            flow.lost.clone_from(&trail.lost);
            for (from, to) in self.ways() {
                self.under_way(from, to, trail, &mut flow);
            }
        }
        // Updates are noted when somebody reads them.
        flow.messages.sort_by_key(|passed| (passed.arrived, passed.sent));
        flow.waiting.sort_by_key(|passed| (passed.sent, passed.to));
        if let Some(notes) = self.servers[self.primary].notes() {
            flow.inserted.clone_from(&notes.inserted);
            flow.flushes.clone_from(&notes.flushes);
        }
        flow
    }

    fn ways(&self) -> impl Iterator<Item = (ServerId, ServerId)> + '_ {
        let ids = || self.servers.iter().map(models::postgres::server::Server::id);
        ids().flat_map(move |from| ids().map(move |to| (from, to)))
    }

    /// What one server has sent another that it has not got.
    fn under_way(&self, from: ServerId, to: ServerId, trail: &Trail, flow: &mut Flow) {
        let Some(parcels) = self.parcels(from, to) else { return };
        let stop = self.stop(from, to);
        let window = trail.wanted.window;
        for parcel in parcels.filter(|parcel| window.is_some_and(|w| parcel.sent <= w.to)) {
            let mut passed = on_its_way(&parcel, from, to);
            if stop.is_some() {
                (passed.stopped, passed.arrived) = (stop, SimTime::NEVER);
                flow.waiting.push(passed);
            } else {
                let letter = (from, to, passed.connection, passed.sent);
                passed.stopped = trail.stopped.get(&letter).copied();
                flow.messages.push(passed);
            }
        }
    }

    /// What is in the link from one server to another.
    fn parcels(&self, from: ServerId, to: ServerId) -> Option<impl Iterator<Item = Parcel> + '_> {
        let route = self.routes[from.index() * self.servers.len() + to.index()];
        route.map(|(link, flow)| self.links[link].under_way(flow))
    }

    /// What stops messages there now.
    fn stop(&self, from: ServerId, to: ServerId) -> Option<Stop> {
        let (link, flow) = self.routes[from.index() * self.servers.len() + to.index()]?;
        let link = &self.links[link];
        let blocked = link.is_blocked(flow).then_some(Stop::Hold);
        if link.is_cut(flow) { Some(Stop::Cut) } else { blocked }
    }

    /// The way between two servers is about to be freed: what was stopped there is known now.
    pub(super) fn note_stopped(&mut self, a: ServerId, b: ServerId) {
        let Some(mut trail) = self.trail.take() else { return };
        for (from, to) in [(a, b), (b, a)] {
            let (Some(stop), Some(parcels)) = (self.stop(from, to), self.parcels(from, to)) else {
                continue;
            };
            // What would not have arrived by now was not held up.
            let is_late = |parcel: &Parcel| stop == Stop::Cut || parcel.arrives <= self.now;
            for Parcel { sent, message, .. } in parcels.filter(is_late) {
                trail.stopped.insert((from, to, message.connection, sent), stop);
            }
        }
        self.trail = Some(trail);
    }

    /// What is under way from one server to another, and is what is asked for, is about to be lost
    /// for good.
    pub(super) fn note_lost(
        &mut self,
        from: ServerId,
        to: ServerId,
        is_lost: impl Fn(&Message) -> bool,
    ) {
        let Some(mut trail) = self.trail.take() else { return };
        let parcels = self.parcels(from, to).into_iter().flatten();
        for parcel in parcels.filter(|parcel| is_lost(&parcel.message)) {
            trail.lose(&parcel, from, to);
        }
        self.trail = Some(trail);
    }

    /// A connection attempt into a cut link: it is lost as it is sent.
    pub(super) fn note_attempt(&mut self, at: SimTime, from: ServerId, to: ServerId, m: &Message) {
        let is_lost = m.body == Body::Connect && self.stop(from, to) == Some(Stop::Cut);
        if let Some(trail) = self.trail.as_mut().filter(|_| is_lost) {
            let parcel = Parcel { sent: at, arrives: SimTime::NEVER, message: *m };
            trail.lose(&parcel, from, to);
        }
    }

    /// A message has arrived.
    pub(super) fn note_message(
        &mut self,
        (sent, arrived): (SimTime, SimTime),
        (from, to): (ServerId, ServerId),
        message: &Message,
    ) {
        if let Some(trail) = &mut self.trail {
            trail.note(on_its_way(&Parcel { sent, arrives: arrived, message: *message }, from, to));
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
