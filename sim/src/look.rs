//! A look at one moment of a run: the run is played again up to there.
//!
//! The look is taken when everything has happened that is due at that moment, what was booked for
//! it by faults and operators included. When the last commit was made that a standby has replayed
//! is not kept by any run: if a query shows it, the run is played a second time, with a search for
//! that commit.
//!
//! A report wants many moments of each run. Those are looked at while it is played for the report:
//! see [`models::trace::look`].
//!
//! **Source.** Walden's own.
//!
//! **Not modelled.** The time that a query takes.

use models::postgres::PgVersion;
use models::postgres::server::{Server, State};
use models::postgres::statement::Failure;
use models::postgres::views::{PORT, Query, Session, address};
use models::trace::Run;
use models::trace::fact::{Scope, ServerId};
use models::trace::look::{Look, Shown, moments};
use models::trace::table::{SqlError, Table};
use models::units::{Lsn, SimTime, UsableBytes};
use scenarios::action::Deed;
use scenarios::scenario::Scenario;

use crate::checkers::Checks;
use crate::world::World;
use crate::world::summary::span;
use crate::world::trail::Wanted;
use crate::{Options, Outside, RunError, control};

/// Who looks at a run while it is played.
pub struct Looks<'a> {
    /// When, in order. The run ends with the last.
    pub at: &'a [SimTime],
    /// Positions of the primary's WAL: the commits around them are searched for.
    pub commits: &'a [Lsn],
    /// Whether somebody asks what walreceivers were told of their upstream's end of WAL.
    pub hear: bool,
    /// What passes and is to be noted.
    pub follow: Option<Wanted>,
    /// Is shown the world at each of these moments that the run reaches.
    pub look: &'a mut (dyn FnMut(&World) + Send),
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

impl Unreachable {
    /// What psql 15 says where it gets no session on a server of this name.
    pub fn told(self, name: &str, server: ServerId, version: PgVersion) -> String {
        let nobody = "\n\tIs the server running on that host and accepting TCP/IP connections?";
        let why = match self {
            Unreachable::Refused(Failure::NoServer) => format!("Connection refused{nobody}"),
            Unreachable::HostDown => format!("Connection timed out{nobody}"),
            Unreachable::Frozen => "timeout expired".to_owned(),
            Unreachable::Refused(failure) => {
                let (message, detail) = failure.message(version);
                let detail = detail.map_or(String::new(), |detail| format!("\nDETAIL:  {detail}"));
                format!("FATAL:  {message}{detail}")
            }
        };
        let place = format!("connection to server at \"{name}\" ({})", address(server));
        format!("psql: error: {place}, port {PORT} failed: {why}\n")
    }
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
        let world = play(scenario, at, &[], outside)?;
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
        let Some(replayed) = replayed_since(self.server(server), now) else { return Ok(None) };
        let world = play(scenario, now, &[replayed.upto], outside)?;
        Ok(replayed.last_commit(&world.servers()[scenario.primary()]))
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
        reach(self.server(server))?;
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

/// Whether somebody on another host gets a session.
pub(crate) fn reach(server: &Server) -> Result<(), Unreachable> {
    if server.host_is_down() {
        return Err(Unreachable::HostDown);
    }
    if let Some(scope) = server.frozen() {
        return Err(match scope {
            Scope::Host => Unreachable::HostDown,
            Scope::Processes => Unreachable::Frozen,
        });
    }
    server.refuses_sessions().map_or(Ok(()), |failure| Err(Unreachable::Refused(failure)))
}

/// What a standby has replayed since it began to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replayed {
    began: UsableBytes,
    /// Up to here.
    pub upto: Lsn,
}

impl Replayed {
    /// When the last commit of it was made, if the primary has looked for it.
    pub fn last_commit(&self, primary: &Server) -> Option<SimTime> {
        let (last, _) = primary.commits_around(self.upto);
        last.filter(|(end, _)| *end > self.began).map(|(_, at)| at)
    }
}

/// What a server has replayed, if it runs as a standby.
pub(crate) fn replayed_since(server: &Server, now: SimTime) -> Option<Replayed> {
    let State::Standby(running) = server.state() else { return None };
    let began = UsableBytes::from_lsn(running.startup.began(), server.host.files.size);
    Some(Replayed { began, upto: server.replayed(now) })
}

fn play(
    scenario: &Scenario,
    at: SimTime,
    commits: &[Lsn],
    outside: &Outside,
) -> Result<World, RunError> {
    watch(
        scenario,
        Looks { at: &[at], commits, hear: true, follow: None, look: &mut |_| () },
        outside,
        |world| world,
    )
}

/// Plays a scenario for somebody who looks at it, and makes of the world of the last look what is
/// wanted.
pub(crate) fn watch<T: Send>(
    scenario: &Scenario,
    looks: Looks<'_>,
    outside: &Outside,
    last: impl FnOnce(World) -> T + Send,
) -> Result<T, RunError> {
    let options = Options { record: false, laws: Checks::None, ..Options::default() };
    let epilogue = |played: control::Played| last(played.world);
    control::play_watched(scenario, options, outside, Some(looks), |_| (), epilogue)
}

/// Plays a scenario and looks at views meanwhile, on every server that standbys stream from or
/// that is promoted.
pub(crate) fn run_and_look(
    scenario: &Scenario,
    options: Options,
    outside: &Outside,
) -> Result<Run, RunError> {
    let faults: Vec<_> = scenario.faults.iter().map(|f| span(f, scenario.duration)).collect();
    let at = moments(scenario.duration, &faults);
    let names: Vec<String> = scenario.servers.iter().map(|server| server.name.clone()).collect();
    let serves = |index: &usize| scenario.servers.iter().any(|s| s.upstream == Some(*index));
    let promotes = |index: &usize| scenario.deeds().any(|deed| *deed == Deed::Promote(*index));
    let looked_at =
        |index: &usize| *index == scenario.primary() || serves(index) || promotes(index);
    let looked_at: Vec<usize> = (0..names.len()).filter(looked_at).collect();
    let mut seen = Vec::with_capacity(at.len() * looked_at.len());
    let look = &mut |world: &World| {
        let of = |index: &usize| look_at(world, &names, &world.servers()[*index]);
        seen.extend(looked_at.iter().map(of));
    };
    let looks = Looks { at: &at, commits: &[], hear: false, follow: None, look };
    let finish = |played: control::Played| played.world.finish(scenario);
    let mut run = control::play_watched(scenario, options, outside, Some(looks), |_| (), finish)?;
    run.looks = seen;
    Ok(run)
}

fn look_at(world: &World, names: &[String], server: &Server) -> Look {
    let (at, id) = (world.now(), server.id());
    let shown = || {
        let name = &names[id.index()];
        reach(server).map_err(|why| why.told(name, id, server.settings().version()))?;
        // Neither view shows what is `None` here.
        let (latest_end, last_commit) = (None, None);
        let session = Session {
            servers: world.servers(),
            names,
            server: id,
            now: at,
            latest_end,
            last_commit,
        };
        let ask = |query| session.ask(query).map_err(|error: SqlError| error.message);
        Ok(Shown {
            stat_replication: ask(Query::StatReplication)?,
            replication_slots: ask(Query::ReplicationSlots)?,
        })
    };
    Look { at, server: id, shown: shown() }
}
