//! pg_wal's volume is full: a primary dies of it, a standby waits, and both come back with the
//! room.

use models::trace::Run;
use models::trace::fact::{ConnectionEnd, Phase, ServerId, What};
use models::units::{Duration, SimTime};
use scenarios::file::ScenarioFile;
use sim::{Options, Outside};

const PG1: ServerId = ServerId(0);
const PG2: ServerId = ServerId(1);

/// A primary and a standby with a slot, 2 MB/s, and what else `more` says; played twice.
fn run(disk: &str, more: &str) -> Run {
    let text = format!(
        "duration = '20min'\n[postgresql]\nmax_wal_size = '256MB'\ncheckpoint_timeout = '1min'\n\
         [server.pg1]\n{disk}\n[server.pg2]\nupstream = 'pg1'\nslot = 's'\n\
         [workload.w]\nwal_rate = '2MB/s'\n[workload.c]\nrate = '50/s'\n{more}"
    );
    let file = ScenarioFile::parse("full", &text, &mut |f| Err(f.to_owned())).expect("a scenario");
    let scenario = file.variants().expect("its variants").remove(0);
    let play = || sim::run(&scenario, Options::default(), &Outside::default()).expect("a run");
    let (run, again) = (play(), play());
    assert_eq!(run.digest, again.digest);
    run
}

fn when(run: &Run, server: ServerId, is: impl Fn(&What) -> bool) -> Vec<SimTime> {
    let of = run.facts.iter().filter(|f| f.server == Some(server) && is(&f.what));
    of.map(|f| f.at).collect()
}

#[test]
fn a_slot_fills_the_volume_and_the_primary_gives_up() {
    // 1 GB at 2 MB/s and more: full after 8 minutes, which pg2 spends dead.
    let away = "[fault.away]\nkind = 'stop'\nserver = 'pg2'\nat = '1min'\n";
    let run = run("disk = { preset = 'nvme', capacity = '1GB' }", away);
    let pg1 = &run.summary.servers[0];
    assert_eq!(pg1.pg_wal_bytes.max, 1 << 30);
    let panics = when(&run, PG1, |what| matches!(what, What::Panicked { .. }));
    assert_eq!(panics.len(), 2, "one running, one when redo is over: {panics:?}");
    assert!((SimTime(0) + Duration::s(420)..SimTime(0) + Duration::s(600)).contains(&panics[0]));
    let down = run.duration.0 - panics[0].0;
    assert_eq!(pg1.downtime_seconds, down as f64 / 1e9);
    assert_eq!(when(&run, PG1, |what| *what == What::ShutDown), [panics[1]]);
    assert_eq!(run.facts.dropped(), 0);
}

#[test]
fn a_primary_starts_when_there_is_room_again() {
    let full = "[fault.full]\nkind = 'disk_full'\nserver = 'pg1'\nat = '2min'\nfor = '5min'\n";
    let run = run("", full);
    let during = |phase| move |what: &What| *what == What::Panicked { during: phase };
    let panics = when(&run, PG1, during(Phase::Running));
    assert_eq!((panics.len(), when(&run, PG1, during(Phase::Redone)).len()), (1, 1));
    let ready = when(&run, PG1, |what| *what == What::Ready);
    let [ready] = ready[..] else { panic!("it comes back once: {ready:?}") };
    let healed = SimTime(0) + Duration::s(420);
    assert!((healed..healed + Duration::s(30)).contains(&ready), "{ready:?}");
    let down = ready.since(panics[0]).0 as f64 / 1e9;
    assert!((run.summary.servers[0].downtime_seconds - down).abs() < 1e-6);
    assert!(run.summary.standbys[0].connected);
    // What was durable is there; whoever waited does not know.
    assert_eq!(run.summary.commits.lost, 0);
}

#[test]
fn a_standby_asks_again_until_there_is_room() {
    let full = "[fault.full]\nkind = 'disk_full'\nserver = 'pg2'\nat = '2min'\nfor = '5min'\n";
    let run = run("", full);
    let no_space =
        |what: &What| matches!(what, What::ReceiverEnded { why: ConnectionEnd::NoSpace, .. });
    let ends = when(&run, PG2, no_space);
    // Every five seconds, once there was no recycled file left.
    assert!((20..=61).contains(&ends.len()), "{}", ends.len());
    assert!(ends.iter().all(|&end| end < SimTime(0) + Duration::s(421)));
    assert!(run.summary.servers.iter().all(|server| server.downtime_seconds == 0.0));
    let standby = &run.summary.standbys[0];
    assert!(standby.connected && !standby.lost, "{standby:?}");
    assert_eq!(when(&run, PG1, |what| matches!(what, What::Panicked { .. })).len(), 0);
}
