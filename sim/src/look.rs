//! A look at one moment of a run: the run is played again up to there.
//!
//! The look is taken when everything has happened that is due at that moment, what was booked for
//! it by faults and operators included. When the last commit was made that a standby has replayed
//! is not kept by any run: if a query shows it, the run is played a second time, with a search for
//! that commit.
//!
//! **Source.** Walden's own.
//!
//! **Not modelled.** The time that a query takes.

use models::postgres::server::{Server, State};
use models::postgres::statement::Failure;
use models::postgres::views::{Query, Session};
use models::trace::fact::{Scope, ServerId};
use models::trace::table::{SqlError, Table};
use models::units::{Lsn, SimTime, UsableBytes};
use scenarios::scenario::Scenario;

use crate::checkers::Checks;
use crate::world::World;
use crate::world::trail::Looks;
use crate::{Options, Outside, RunError, control};

/// How far a run is played, and what is looked for meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Focus {
    /// Up to this moment and no further.
    pub until: SimTime,
    /// Looks for the last commit up to here.
    pub commit: Option<Lsn>,
    /// Notes what passes.
    pub looks: Option<Looks>,
}

/// The servers of a run at one moment.
#[derive(Clone, Debug)]
pub struct Moment {
    world: World,
    names: Vec<String>,
    /// For each server, when the last commit was made that it has replayed since it began to.
    commits: Vec<Option<SimTime>>,
}

/// Why no session can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// The server, or the kernel of its host, says so.
    Refused(Failure),
    /// Its host is down: nobody answers, and the kernel gives up.
    HostDown,
    /// It is frozen: the connection stays without an answer.
    Frozen,
}

impl Moment {
    /// Plays a scenario up to `at`. `commit_times`: on which standbys somebody asks when the last
    /// transaction was made that they have replayed.
    pub fn of(
        scenario: &Scenario,
        at: SimTime,
        commit_times: &[ServerId],
        outside: &Outside,
    ) -> Result<Moment, RunError> {
        let world = play(scenario, Focus { until: at, commit: None, looks: None }, outside)?;
        let servers = world.servers().len();
        let names = scenario.servers.iter().map(|server| server.name.clone()).collect();
        let mut moment = Moment { world, names, commits: vec![None; servers] };
        for &server in commit_times {
            moment.commits[server.index()] = moment.find_commit(scenario, server, outside)?;
        }
        Ok(moment)
    }

    /// When the last commit was made that a standby has replayed since it began to.
    fn find_commit(
        &self,
        scenario: &Scenario,
        server: ServerId,
        outside: &Outside,
    ) -> Result<Option<SimTime>, RunError> {
        let now = self.world.now();
        let standby = self.server(server);
        let State::Standby(running) = standby.state() else { return Ok(None) };
        let (began, replayed) = (running.startup.began(), standby.replayed(now));
        let world =
            play(scenario, Focus { until: now, commit: Some(replayed), looks: None }, outside)?;
        let found = world.servers()[scenario.primary()].last_commit();
        let began = UsableBytes::from_lsn(began, standby.host.files.size);
        Ok(found.filter(|(end, _)| *end > began).map(|(_, at)| at))
    }

    /// Its servers' names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The run's digests up to here, at its moments.
    pub fn digests(&self) -> &[u64] {
        self.world.digests()
    }

    /// A server.
    pub fn server(&self, server: ServerId) -> &Server {
        &self.world.servers()[server.index()]
    }

    /// What a query returns in a session on a server; the outer error: no session can be had.
    pub fn ask(
        &self,
        server: ServerId,
        query: Query,
    ) -> Result<Result<Table, SqlError>, Unreachable> {
        let looked_at = self.server(server);
        if looked_at.host_is_down() {
            return Err(Unreachable::HostDown);
        }
        if let Some(scope) = looked_at.frozen() {
            return Err(match scope {
                Scope::Host => Unreachable::HostDown,
                Scope::Processes => Unreachable::Frozen,
            });
        }
        if let Some(failure) = looked_at.refuses_sessions() {
            return Err(Unreachable::Refused(failure));
        }
        let session = Session {
            servers: self.world.servers(),
            names: &self.names,
            server,
            now: self.world.now(),
            latest_end: self.world.latest_end(server),
            last_commit: self.commits[server.index()],
        };
        Ok(session.ask(query))
    }
}

/// Plays a run again, with a focus.
pub(crate) fn play(
    scenario: &Scenario,
    focus: Focus,
    outside: &Outside,
) -> Result<World, RunError> {
    let options =
        Options { record: false, laws: Checks::None, focus: Some(focus), ..Options::default() };
    let settle = |mut played: control::Played| {
        played.world.settle_for_look();
        played.world
    };
    control::play(scenario, options, outside, |_| (), settle)
}
