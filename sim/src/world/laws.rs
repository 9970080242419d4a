//! Where the world lets the laws look at it (see [`crate::checkers`]). Nothing comes back.

use models::clients::ArrivalKind;
use models::postgres::protocol::Message;
use models::postgres::server::{Server, State, Toll};
use models::trace::fact::{ServerId, What};
use models::trace::law::Violations;

use super::World;
use crate::checkers::{Checkers, Checks, Count, View};

impl World {
    /// Holds the run to the laws from now on, at its beginning.
    pub fn check_laws(&mut self, checks: Checks) {
        self.checks_moments = checks == Checks::Moments;
        self.checkers = match checks {
            Checks::None => None,
            Checks::Looks | Checks::Moments => {
                let name = |server: &Server| server.host.application_name(server.id()).to_owned();
                let names = self.servers.iter().map(name).collect();
                Some(Box::new(Checkers::new(checks, names, self.view())))
            }
        };
    }

    fn view(&self) -> View<'_> {
        View { now: self.now, servers: &self.servers, primary: self.primary }
    }

    /// Hands the checkers out beside a view of the world.
    #[inline]
    fn with_checkers(&mut self, act: impl FnOnce(&mut Checkers, &World)) {
        if let Some(mut checkers) = self.checkers.take() {
            act(&mut checkers, self);
            self.checkers = Some(checkers);
        }
    }

    /// Clients have the answers in `out`. Not inlined: what surrounds it is faster without it.
    #[inline(never)]
    pub(super) fn check_answers(&mut self) {
        let now = self.out.answers.at;
        let view = View { now, servers: &self.servers, primary: self.primary };
        if let Some(checkers) = &mut self.checkers {
            if !self.out.effects.is_empty() {
                checkers.candidates_changed();
            }
            checkers.answered(view, &self.out.answers.to, self.out.released);
        }
        self.out.released = 0;
    }

    /// Something happened on a server.
    pub(super) fn check_fact(&mut self, server: usize, what: &What) {
        let id = self.servers[server].id();
        self.with_checkers(|checkers, world| checkers.happened(world.view(), id, what));
    }

    /// Everything is looked at, as of now.
    pub(super) fn check_all(&mut self) {
        self.with_checkers(|checkers, world| checkers.look(world.view(), world.count()));
    }

    /// Something is going to befall a server.
    pub(super) fn check_before(&mut self) {
        self.with_checkers(|checkers, world| checkers.befalls(world.view(), world.count()));
    }

    /// A server sends a message.
    pub(super) fn check_sent(&mut self, from: usize, to: ServerId, message: &Message) {
        if let Some(checkers) = &mut self.checkers {
            checkers.sent(&self.servers[from], to, message);
        }
    }

    /// What was found, at the end; `None` if nobody looked.
    pub(crate) fn take_violations(&mut self) -> Option<Violations> {
        self.checkers.take().map(|checkers| checkers.into_violations())
    }

    /// What has become of the commits that clients began.
    pub(super) fn count(&self) -> Count {
        let waits = |server: &Server| match server.state() {
            State::Primary(primary) => primary.commits().awaited() as u64,
            State::Down | State::Recovering { .. } | State::Standby(_) => 0,
        };
        let held = self.held.is_some_and(|(_, arrival)| arrival.kind == ArrivalKind::Commit);
        let of = |count: fn(Toll) -> u64| -> u64 {
            self.servers.iter().map(|server| count(server.toll())).sum()
        };
        Count {
            attempted: self.workloads.iter().map(|w| w.clients.started()).sum(),
            cancelled: of(|toll| toll.cancelled),
            unknown: of(|toll| toll.unknown) + self.disconnected,
            refused: self.refused,
            waiting: self.servers.iter().map(waits).sum::<u64>() + u64::from(held),
        }
    }

    /// Something that a wrong model would do.
    #[cfg(test)]
    pub(crate) fn tamper(
        &mut self,
        server: usize,
        act: impl FnOnce(&mut Server, models::units::SimTime, &mut models::postgres::effect::Out),
    ) {
        self.be_loud();
        let (now, id) = (self.now, self.servers[server].id());
        self.out.at = now;
        self.with_server(id, |server, out| act(server, now, out));
    }

    /// The clock goes back.
    #[cfg(test)]
    pub(crate) fn turn_back(&mut self, by: models::units::Duration) {
        self.now.0 -= by.0;
    }
}
