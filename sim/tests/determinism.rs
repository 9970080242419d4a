//! The same scenario, seed and version give the same bytes: watched or not, on any thread, with
//! any seed of madsim's, with tasks or from their log, in any build and on any machine.
//!
//! The digest takes in every event, so equal digests are equal runs. What compares builds and
//! machines are the golden files: `UPDATE_GOLDENFILES=1` records them anew.

mod scenes;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use models::postgres::command::{Command, Interrupt, SlotName, Waiters};
use models::trace::Run;
use models::trace::fact::ServerId;
use scenarios::catalog::{self, CatalogEntry};
use scenarios::scenario::Scenario;
use sim::checkers::Checks;
use sim::world::{Action, World};
use sim::{Options, Outside, control, sweep};

const SEEDS: u64 = 100;

/// Everything that has a die or an order.
const STORMY: &str = include_str!("scenes/stormy.toml");

fn stormy() -> Vec<Scenario> {
    let scenario = scenes::scenario(STORMY);
    (1..=SEEDS).map(|seed| Scenario { seed, ..scenario.clone() }).collect()
}

/// What is to be equal of two runs; the second half is empty unless they are recorded.
fn essence(run: &Run) -> (u64, Vec<u64>, String) {
    (run.digest, run.moments.clone(), format!("{:?}{:?}", run.summary, run.latency))
}

fn play_all(scenarios: &[Scenario], threads: usize, options: Options) -> Vec<Run> {
    let outside: Vec<Outside> = scenarios.iter().map(|_| Outside::default()).collect();
    let runs = sweep::run_all(scenarios, threads, options, &outside);
    runs.into_iter().map(|run| run.unwrap_or_else(|error| panic!("{error}"))).collect()
}

#[test]
fn a_hundred_seeds_play_the_same_again_on_any_thread_and_with_any_seed_of_madsims() {
    let scenarios = stormy();
    let reference = play_all(&scenarios, 1, Options::default());
    reference.iter().for_each(scenes::assert_sane);
    for (threads, madsim_seed) in [(1, 0), (2, 0), (2, 0x5eed)] {
        let options = Options { madsim_seed, ..Options::default() };
        let again = play_all(&scenarios, threads, options);
        for (first, second) in reference.iter().zip(&again) {
            let what = format!("seed {}, {threads} threads, madsim {madsim_seed}", first.seed);
            assert_eq!(first.seed, second.seed, "{what}: out of order");
            assert!(essence(first) == essence(second), "{what}");
            assert!(first.facts.iter().eq(second.facts.iter()), "{what}");
        }
    }
    let mut digests: Vec<u64> = reference.iter().map(|run| run.digest).collect();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len() as u64, SEEDS, "another seed is another run");
}

#[test]
fn nobody_who_watches_changes_a_run() {
    let scenarios = stormy();
    let watched = play_all(&scenarios, 2, Options::default());
    let nobody = Options { record: false, laws: Checks::None, ..Options::default() };
    let alone = play_all(&scenarios, 2, nobody);
    for (watched, alone) in watched.iter().zip(&alone) {
        assert_eq!(watched.digest, alone.digest, "seed {}", watched.seed);
        assert_eq!(watched.moments, alone.moments, "seed {}", watched.seed);
        assert_eq!(watched.summary.events, alone.summary.events, "seed {}", watched.seed);
        assert_eq!(alone.facts.iter().count(), 0);
    }
}

#[test]
fn holding_a_run_to_the_laws_changes_no_byte_of_it() {
    let scenarios = &stormy()[..20];
    let play = |laws| play_all(scenarios, 2, Options { laws, ..Options::default() });
    let unchecked = play(Checks::None);
    for laws in [Checks::Looks, Checks::Moments] {
        for (checked, unchecked) in play(laws).iter_mut().zip(&unchecked) {
            assert!(!checked.summary.laws.is_empty() && unchecked.summary.laws.is_empty());
            checked.summary.laws.clear();
            assert!(essence(checked) == essence(unchecked), "seed {}, {laws:?}", checked.seed);
            assert!(checked.facts.iter().eq(unchecked.facts.iter()), "seed {}", checked.seed);
        }
    }
}

#[test]
fn the_log_of_the_control_plane_on_a_bare_world_gives_the_same_run() {
    for scenario in stormy() {
        let outside = Outside::default();
        let played =
            control::play(&scenario, Options::default(), &outside, |_| (), |played| played);
        let played = played.unwrap_or_else(|error| panic!("{error}"));
        let mut bare = World::new(&scenario, true);
        control::replay(&mut bare, &played.log, played.world.now());
        let (first, second) = (played.world.finish(&scenario), bare.finish(&scenario));
        assert!(essence(&first) == essence(&second), "seed {}", scenario.seed);
        assert!(first.facts.iter().eq(second.facts.iter()), "seed {}", scenario.seed);
    }
}

/// Nothing comes of any of these on a primary that has no such session, slot or standby.
#[test]
fn what_an_operator_asks_for_is_in_the_digest_whatever_comes_of_it() {
    let scenario = &stormy()[0];
    let waiters = |nth| Waiters { workload: 0, nth };
    let interrupt = |how, nth| Command::Interrupt { how, waiters: waiters(nth) };
    let commands = [
        Command::ReplayPause,
        Command::ReplayResume,
        interrupt(Interrupt::Cancel, None),
        interrupt(Interrupt::Terminate, None),
        interrupt(Interrupt::Terminate, Some(7)),
        interrupt(Interrupt::Disconnect, None),
        Command::SlotDrop { slot: SlotName(40) },
        Command::SlotDrop { slot: SlotName(41) },
    ];
    let digest = |command: &Command, server| {
        let mut world = World::new(scenario, false);
        let (server, command) = (ServerId(server), command.clone());
        world.apply(Action::Command { server, command });
        world.digest()
    };
    let mut digests: Vec<u64> = commands.iter().map(|command| digest(command, 0)).collect();
    digests.push(digest(&commands[2], 1));
    for (n, one) in digests.iter().enumerate() {
        assert!(!digests[..n].contains(one), "{:?}", commands.get(n));
    }
}

#[test]
fn a_world_that_is_played_in_other_steps_is_the_same_world() {
    for scenario in stormy().into_iter().take(20) {
        let digest = |step: u64| {
            let mut world = World::new(&scenario, false);
            let mut at = world.now();
            while world.now() < world.end() {
                at += models::units::Duration(step);
                world.run_until(at.min(world.end()), &[]);
            }
            (world.digest(), world.events())
        };
        let whole = digest(scenario.duration.0);
        for step in [100_000_000, 7_777_777, 50_001] {
            assert_eq!(digest(step), whole, "seed {}, steps of {step} ns", scenario.seed);
        }
    }
}

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// Compares with a golden file, or records it.
fn hold(name: &str, found: &str) {
    let path = golden(name);
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        fs::write(&path, found).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        return;
    }
    let wanted = fs::read_to_string(&path).unwrap_or_default();
    for (line, (found, wanted)) in found.lines().zip(wanted.lines()).enumerate() {
        assert_eq!(found, wanted, "{name}, line {}", line + 1);
    }
    let lines = |text: &str| text.lines().count();
    assert_eq!(lines(found), lines(&wanted), "lines of {name}; UPDATE_GOLDENFILES=1 records");
}

fn variants(entry: &CatalogEntry) -> Vec<Run> {
    let file = entry.parse().unwrap_or_else(|problems| panic!("{problems}"));
    let scenarios = file.variants().unwrap_or_else(|problems| panic!("{problems}"));
    play_all(&scenarios, 2, Options::default())
}

/// A run in about twenty lines, for the eyes of whoever reads a diff.
fn in_brief(run: &Run) -> String {
    let (s, mut out) = (&run.summary, String::new());
    let c = s.commits;
    let mut line = |text: String| writeln!(out, "{text}").expect("a string takes all");
    line(format!("[{}] {} s, {} events", s.name, s.simulated_seconds, s.events));
    line(format!(
        "commits   {} attempted, {} acknowledged, {} lost, {} unknown",
        c.attempted, c.acknowledged, c.lost, c.unknown
    ));
    let l = s.latency_ms;
    line(format!(
        "latency   mean {:.3} p50 {:.3} p90 {:.3} p99 {:.3} p99.9 {:.3} max {:.3} ms",
        l.mean, l.p50, l.p90, l.p99, l.p999, l.max
    ));
    for server in &s.servers {
        let (max, end) = (server.pg_wal_bytes.max, server.pg_wal_bytes.end);
        line(format!("server    {} {}, timeline {}", server.name, server.role, server.timeline.0));
        line(format!("          insert {} flush {}", server.insert_lsn, server.flush_lsn));
        line(format!("          pg_wal {} MB at most, {} MB at the end", max >> 20, end >> 20));
        let (checkpoints, down) = (server.checkpoints, server.downtime_seconds);
        line(format!("          {checkpoints} checkpoints, down for {down:.3} s"));
    }
    for standby in &s.standbys {
        let (name, state) = (&standby.name, standby.sync_state);
        let (connected, lost) = (standby.connected, standby.lost);
        line(format!("standby   {name} connected {connected}, lost {lost}, {state}"));
        let (max, end) = (standby.lag_bytes.max, standby.lag_bytes.end);
        line(format!("          lag {max} bytes at most, {end} at the end"));
        let lag = standby.replay_lag_seconds.max;
        line(format!("          replay_lag {:.3} ms at most", lag * 1_000.0));
    }
    for slot in &s.slots {
        let (name, status) = (&slot.slot_name, slot.wal_status.unwrap_or("none"));
        line(format!("slot      {name} {status}, retains {} bytes", slot.retained_bytes.end));
    }
    for e in &s.expectations {
        line(format!("expected  {} {}: {}", e.metric, e.wanted, if e.met { "met" } else { "not" }));
    }
    out
}

#[test]
fn the_catalogue_plays_as_it_did_in_every_build_and_on_every_machine() {
    let mut digests = String::new();
    for entry in catalog::all() {
        let runs = variants(entry);
        runs.iter().for_each(scenes::assert_sane);
        for run in &runs {
            let expectations = &run.summary.expectations;
            let unmet: Vec<_> = expectations.iter().filter(|e| !e.met).collect();
            assert!(unmet.is_empty(), "{} {}: {unmet:?}", entry.name, run.variant);
            assert!(!expectations.is_empty(), "{} expects nothing", entry.name);
            let name = format!("{}/{}", entry.name, run.variant);
            writeln!(digests, "{:016x} seed {} {name}", run.digest, run.seed).expect("a string");
        }
        let brief: Vec<String> = runs.iter().map(in_brief).collect();
        hold(&format!("{}.txt", entry.name.replace('/', "-")), &brief.join("\n"));
    }
    hold("digests.txt", &digests);
}
