//! What monitoring learns of a run, visit by visit, and what is so meanwhile.
//!
//! The run is played twice. The first time only positions are noted: what each standby shows at
//! each visit. The second time the commits around those are searched for, and every server is
//! asked what postgres_exporter asks.
//!
//! **Source.** Walden's own; `sim::look` for how one moment is looked at.
//!
//! **Not modelled.** The time that queries take; the way from the exporter to a server, which no
//! fault cuts.

use models::postgres::server::Server;
use models::postgres::views::{Query, Session};
use models::trace::fact::ServerId;
use models::trace::scrape::{Answer, Behind, Collector, Scrape, Truth};
use models::units::{Bytes, Duration, Lsn, SimTime};
use scenarios::scenario::Scenario;

use crate::look::{Looks, Unreachable, reach, replayed_since, watch};
use crate::world::World;
use crate::{Outside, RunError};

/// Plays a scenario with a visit of all servers at each of these moments, in order, and hands over
/// what comes of them. How far it is shows in `outside`, first in the one and then in the other.
/// The digests of the run, as far as it was played.
pub fn scrape(
    scenario: &Scenario,
    at: &[SimTime],
    outside: [&Outside; 2],
    take: &mut (dyn FnMut(Scrape) + Send),
) -> Result<Vec<u64>, RunError> {
    let standbys = scenario.servers.iter().enumerate().filter(|(_, s)| s.upstream.is_some());
    let standbys: Vec<usize> = standbys.map(|(index, _)| index).collect();
    let mut positions: Vec<Lsn> = Vec::new();
    let note = &mut |world: &World| {
        let seen = standbys.iter().map(|index| world.servers()[*index].seen(world.now()));
        positions.extend(seen);
    };
    watch(
        scenario,
        Looks { at, commits: &[], hear: true, follow: None, look: note },
        outside[0],
        |_| (),
    )?;
    let names: Vec<String> = scenario.servers.iter().map(|server| server.name.clone()).collect();
    let visit = &mut |world: &World| {
        for (index, server) in world.servers().iter().enumerate() {
            let truth = truth(world, scenario, index);
            let (at, answer) = (world.now(), ask(world, scenario, &names, server.id()));
            take(Scrape { at, server: server.id(), answer, truth });
        }
    };
    let looks = Looks { at, commits: &positions, hear: true, follow: None, look: visit };
    watch(scenario, looks, outside[1], |world| world.digests().to_vec())
}

/// What the exporter gets out of a server.
fn ask(world: &World, scenario: &Scenario, names: &[String], id: ServerId) -> Answer {
    let server = &world.servers()[id.index()];
    match reach(server) {
        Ok(()) => {}
        Err(Unreachable::Refused(_)) => return Answer::Refused,
        Err(Unreachable::HostDown | Unreachable::Frozen) => return Answer::Silence,
    }
    let replayed = replayed_since(server, world.now());
    let primary = &world.servers()[scenario.primary()];
    let session = Session {
        servers: world.servers(),
        names,
        server: id,
        now: world.now(),
        latest_end: world.latest_end(id),
        last_commit: replayed.and_then(|replayed| replayed.last_commit(primary)),
    };
    let results = Collector::ALL.into_iter().filter_map(|collector| {
        // The only errors are those of views that the version does not have.
        session.ask(Query::of(collector)).ok().map(|table| (collector, table))
    });
    Answer::Results(results.collect())
}

fn truth(world: &World, scenario: &Scenario, index: usize) -> Truth {
    let server = &world.servers()[index];
    let files = &server.host.files;
    let oldest = Lsn(files.oldest * files.size.bytes());
    Truth {
        is_up: reach(server).is_ok(),
        flushed: Bytes(files.flushed.0),
        kept: files.written.max(files.flushed).since(oldest),
        behind: scenario.servers[index].upstream.map(|upstream| behind(world, upstream, server)),
    }
}

fn behind(world: &World, upstream: usize, standby: &Server) -> Behind {
    let (now, primary) = (world.now(), &world.servers()[upstream]);
    let files = &primary.host.files;
    let seen = standby.seen(now);
    let (_, unseen) = primary.commits_around(seen);
    let reads = world.sender_of(standby.id()).map(|sender| sender.sent());
    let needed = reads.unwrap_or(standby.flushed()).segment(files.size);
    Behind {
        flush: files.flushed.since(standby.flushed()),
        replay: files.flushed.since(seen),
        age: unseen.map_or(Duration::ZERO, |(_, at)| now.since(at)),
        is_linked: world.is_linked(primary.id(), standby.id()),
        is_lost: needed < files.oldest,
    }
}
