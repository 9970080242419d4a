//! Standbys act late while nobody waits for them, and nobody can tell.
//!
//! A workload at `remote_apply` that never runs makes every write, every piece of replay and every
//! status update an event of its own. With and without it, everything that can be seen must be the
//! same.

use models::postgres::guc::SynchronousCommit;
use models::trace::Run;
use models::trace::fact::{ServerId, What};
use models::trace::series::{Merge, Series};
use models::units::{Bytes, Die, Duration, Lsn, SimTime};
use scenarios::file::ScenarioFile;
use scenarios::scenario::Scenario;
use scenarios::workload::{Load, Workload};
use sim::world::{Watch, World};
use sim::{Options, Outside};

/// Plays `text` with and without somebody who forbids standbys to act late.
fn both_ways(name: &str, text: &str) -> [Run; 2] {
    let file = ScenarioFile::parse(name, text, &mut |f| Err(f.to_owned())).expect("a scenario");
    let scenario = file.variants().expect("its variants").remove(0);
    let loud = with_a_listener(scenario.clone());
    [play(&scenario), play(&loud)]
}

#[test]
fn quiet_status_updates_change_nothing_that_can_be_seen() {
    for (name, body) in [
        ("async", "rate = '500/s'\nsynchronous_commit = 'local'"),
        ("off", "rate = '500/s'\nsynchronous_commit = 'off'"),
        ("on", "clients = 4\nthink = '2ms'"),
        ("busy", "rate = '5000/s'\nwal = '2kB'"),
    ] {
        let text = format!(
            "duration = '20s'\n[server.pg1.postgresql]\n\
             synchronous_standby_names = 'FIRST 1 (pg2, pg3)'\n[server.pg1]\n\
             [server.pg2]\nupstream = 'pg1'\nreplay = '3MB/s'\n[server.pg3]\nupstream = 'pg1'\n\
             [network]\nrtt = '3ms'\n[workload.orders]\n{body}\n\
             [fault.cut]\nkind = 'link_cut'\nbetween = ['pg1', 'pg2']\nat = '5s'\nfor = '3s'\n\
             [fault.down]\nkind = 'crash'\nserver = 'pg2'\nat = '12s'\nfor = '2s'\n"
        );
        let [quiet, loud] = both_ways(name, &text);
        assert!(quiet.summary.events < loud.summary.events, "{name}: nothing was quiet");
        assert_eq!(quiet.summary.commits.acknowledged, loud.summary.commits.acknowledged, "{name}");
        assert_eq!(quiet.summary.latency_ms, loud.summary.latency_ms, "{name}");
        let facts = |run: &Run| run.facts.iter().copied().collect::<Vec<_>>();
        assert_eq!(facts(&quiet), facts(&loud), "{name}");
        for (a, b) in quiet.samples.standbys.iter().zip(&loud.samples.standbys) {
            let series = [
                ("sent_lsn", &a.sent_lsn, &b.sent_lsn),
                ("write_lsn", &a.write_lsn, &b.write_lsn),
                ("flush_lsn", &a.flush_lsn, &b.flush_lsn),
                ("replay_lsn", &a.replay_lsn, &b.replay_lsn),
                ("lag_bytes", &a.lag_bytes, &b.lag_bytes),
                ("write_lag", &a.write_lag, &b.write_lag),
                ("flush_lag", &a.flush_lag, &b.flush_lag),
                ("replay_lag", &a.replay_lag, &b.replay_lag),
            ];
            for (series, a_values, b_values) in series {
                for ((at, x), (_, y)) in a_values.iter().zip(b_values.iter()) {
                    assert_eq!(x, y, "{name}: {series} of {} at {at}", a.name);
                }
            }
        }
    }
}

/// Two standbys, delays that vary, and every fault there is.
const SCENARIO: &str = "
title    = 'Quiet or not'
duration = '40s'

[postgresql]
wal_receiver_timeout = '3s'
wal_sender_timeout   = '3s'
checkpoint_timeout   = '30s'

[server.pg1]
disk = { fsync = '1ms' }

[server.pg2]
upstream = 'pg1'
slot     = 'pg2'
disk     = { preset = 'nvme', write_call = '50us' }

[server.pg3]
upstream = 'pg1'

[network]
rtt = { p50 = '1ms', p99 = '3ms', max = '4ms' }

[workload.orders]
rate = '2000/s'
wal  = 'pgbench-simple-update'

[workload.app]
clients = 4
think   = '5ms'
wal     = 'pgbench-insert'

[workload.others]
rate               = '100/s'
wal                = 'pgbench-insert'
synchronous_commit = 'off'

[fault.cable]
kind    = 'link_cut'
between = ['pg1', 'pg2']
at      = '4s'
for     = '2s'

[fault.death]
kind   = 'crash'
server = 'pg3'
at     = '9s'

[fault.stall]
kind   = 'freeze'
server = 'pg2'
at     = '14s'
for    = '2s'

[fault.primary]
kind   = 'crash'
server = 'pg1'
at     = '20s'

[fault.silence]
kind    = 'link_cut'
between = ['pg1', 'pg3']
at      = '25s'
for     = '8s'

[fault.sluggish]
kind   = 'disk_slow'
server = 'pg2'
factor = 7.5
at     = '2s'
for    = '1s'

[fault.tired]
kind   = 'disk_slow'
server = 'pg1'
fsync  = { p50 = '3ms', max = '9ms' }
at     = '7s'
for    = '3s'

[fault.hiccup]
kind   = 'disk_stall'
server = 'pg2'
at     = '11s'
for    = '500ms'

[fault.hanging]
kind   = 'disk_stall'
server = 'pg3'
at     = '22s'
for    = '5s'

[fault.detour]
kind    = 'link_delay'
between = ['pg1', 'pg3']
delay   = { min = '1ms', p50 = '5ms', max = '20ms' }
at      = '3s'
for     = '2s'

[fault.noise]
kind    = 'link_loss'
between = ['pg1', 'pg2']
loss    = 0.02
at      = '16500ms'
for     = '2s'

[fault.narrow]
kind      = 'link_bandwidth'
between   = ['pg1', 'pg2']
from      = 'pg1'
bandwidth = '2MB/s'
at        = '30s'
for       = '3s'

[fault.clock]
kind   = 'clock_jump'
server = 'pg1'
by     = '5s'
at     = '13s'
for    = '100ms'

[fault.clock2]
kind   = 'clock_jump'
server = 'pg2'
by     = '4s'
at     = '34s'

[fault.burst]
kind  = 'bulk_write'
bytes = '20MB'
at    = '1s'
for   = '500ms'
every = '6500ms'

[fault.pause]
kind    = 'link_hold'
between = ['pg1', 'pg2']
at      = '35s'
for     = '300ms'
";

/// The scenario with `names` as the synchronous standbys.
fn scenario(names: &str) -> Scenario {
    let file = ScenarioFile::parse("quiet", SCENARIO, &mut |path| Err(format!("no {path}")));
    let mut scenario = file.expect("a scenario").variants().expect("a variant").remove(0);
    let set = scenario.servers[0].settings.set("synchronous_standby_names", names);
    set.expect("names of standbys");
    scenario
}

/// The same with somebody who would wait for replay, but never comes to it.
fn with_a_listener(mut scenario: Scenario) -> Scenario {
    let load = Load::Bulk {
        at: Duration::s(3_600),
        every: None,
        bytes: Bytes::kb(1),
        over: Duration::s(1),
    };
    scenario.workloads.push(Workload {
        name: "listener".to_owned(),
        load,
        synchronous_commit: Some(SynchronousCommit::RemoteApply),
        ..scenario.workloads[0].clone()
    });
    scenario
}

fn play(scenario: &Scenario) -> Run {
    sim::run(scenario, Options::default(), &Outside::default()).expect("a run")
}

/// All that people see of a run, but for what counts events.
fn told(run: &Run) -> String {
    let mut summary = run.summary.clone();
    summary.events = 0;
    summary.digest.clear();
    format!("{summary:#?}\n{:#?}\n{:#?}", run.facts, run.samples)
}

#[test]
fn nobody_can_tell_whether_standbys_act_late() {
    let names = ["", "ANY 1 (*)", "FIRST 1 (pg2, pg3)", "FIRST 2 (pg2, pg3)"];
    for (names, seed) in names.into_iter().flat_map(|names| (1..=4).map(move |seed| (names, seed)))
    {
        let quiet = Scenario { seed, ..scenario(names) };
        let loud = with_a_listener(quiet.clone());
        let (quiet, loud) = (play(&quiet), play(&loud));
        assert!(quiet.summary.events < loud.summary.events, "{names:?}, seed {seed}");
        let (quiet, loud) = (told(&quiet), told(&loud));
        let differing = quiet.lines().zip(loud.lines()).find(|(quiet, loud)| quiet != loud);
        assert!(quiet == loud, "{names:?}, seed {seed}: {differing:?}");
    }
}

#[test]
fn whoever_looks_changes_no_bit_of_the_digest() {
    let scenario = scenario("ANY 1 (*)");
    let play = |record: bool, steps: u64| {
        let mut world = World::new(&scenario, record);
        for step in 1..=steps {
            world.run_until(SimTime(scenario.duration.0 * step / steps), &[]);
        }
        (world.events(), world.finish(&scenario).digest)
    };
    let expected = play(true, 1);
    assert_eq!(play(false, 1), expected);
    assert_eq!(play(false, 1_000), expected);
    assert_eq!(play(true, 997), expected);
}

#[test]
fn whoever_watches_every_moment_changes_no_bit_of_the_digest() {
    // In an open loop the primary runs ahead of its standbys, unless somebody watches positions.
    let text = "duration = '10s'\n[postgresql]\nwal_segment_size = '1MB'\n\
                checkpoint_timeout = '30s'\n[server.pg1]\n[server.pg1.postgresql]\n\
                synchronous_standby_names = 'ANY 1 (*)'\n[server.pg2]\nupstream = 'pg1'\n\
                slot = 'pg2'\n[server.pg3]\nupstream = 'pg1'\n[network]\nrtt = '1ms'\n\
                [workload.orders]\nrate = '3000/s'\n";
    let file = ScenarioFile::parse("ahead", text, &mut |path| Err(format!("no {path}")));
    let scenario = file.expect("a scenario").variants().expect("a variant").remove(0);
    let play = |watches: &[Watch]| {
        let mut world = World::new(&scenario, true);
        world.run_until(SimTime(scenario.duration.0), watches);
        (world.events(), world.finish(&scenario))
    };
    let never = Watch::Flushed(ServerId(1), Lsn(u64::MAX));
    let ((events, ahead), (events_watched, watched)) = (play(&[]), play(&[never]));
    assert_eq!((events, ahead.digest), (events_watched, watched.digest));
    assert_eq!(told(&ahead), told(&watched));
}

#[test]
fn a_reload_that_makes_commits_wait_for_replay_ends_the_quiet() {
    // Replay takes 20 ms a commit: with remote_apply in force latencies show it, before and after
    // they do not.
    let text = "duration = '30s'\n[server.pg1.postgresql]\nsynchronous_standby_names = 'pg2'\n\
                [server.pg1]\n[server.pg2]\nupstream = 'pg1'\nreplay = '3MB/s'\n\
                [network]\nrtt = '3ms'\n[workload.orders]\nclients = 3\nthink = '5ms'\n\
                [action.careful]\nkind = 'set'\nserver = 'pg1'\nat = '10s'\n\
                settings = { synchronous_commit = 'remote_apply' }\n\
                [action.careless]\nkind = 'set'\nserver = 'pg1'\nat = '20s'\n\
                settings = { synchronous_commit = 'on' }\n";
    let [quiet, loud] = both_ways("reload", text);
    assert!(quiet.summary.events < loud.summary.events, "nothing was quiet");
    assert_eq!(quiet.summary.latency_ms, loud.summary.latency_ms);
    assert_eq!(told(&quiet), told(&loud));
}

#[test]
fn restartpoints_that_create_files_can_be_told_neither() {
    for fsync in ["0.1ms", "2ms", "30ms"] {
        let text = format!(
            "duration = '60s'\n[server.pg1]\n[postgresql]\nmax_wal_size = '64MB'\n\
             min_wal_size = '32MB'\n[server.pg2]\nupstream = 'pg1'\n\
             disk = {{ fsync = '{fsync}', write = '60MB/s', write_call = '300us' }}\n\
             [network]\nrtt = '3ms'\n[workload.orders]\nrate = '1000/s'\nwal = '6kB'\n"
        );
        let [quiet, loud] = both_ways("restartpoints", &text);
        let created = quiet.facts.iter().filter(|fact| match fact.what {
            What::CheckpointFiles { added, .. } => fact.server == Some(ServerId(1)) && added > 0,
            _ => false,
        });
        assert!(created.count() > 0, "{fsync}: no restartpoint created a file");
        assert!(quiet.summary.events < loud.summary.events, "{fsync}: nothing was quiet");
        assert_eq!(told(&quiet), told(&loud), "{fsync}");
    }
}

#[test]
fn a_walreceiver_that_asks_is_answered() {
    let text = "duration = '1min'\n[postgresql]\nwal_receiver_timeout = '4s'\n[server.pg1]\n\
                [server.pg2]\nupstream = 'pg1'\n[workload.orders]\nclients = 1\nthink = '20s'\n";
    let [quiet, loud] = both_ways("idle", text);
    let ended =
        |run: &Run| run.facts.iter().any(|fact| matches!(fact.what, What::ReceiverEnded { .. }));
    assert!(!ended(&quiet) && !ended(&loud), "an idle stream has ended");
    assert_eq!(told(&quiet), told(&loud));
}

/// A scenario as a die picks it. Most of its numbers are multiples of a quarter of a millisecond,
/// so that things often happen at the same moment.
fn any_scenario(seed: u64) -> String {
    let mut die = Die::new(seed, "scenario", "quiet");
    let mut pick = |all: &[&str]| all[(die.throw() % all.len() as u64) as usize].to_owned();
    let fsync =
        ["'0.25ms'", "'1ms'", "'1ms'", "'4ms'", "{ p50 = '1ms', p99 = '9ms', max = '20ms' }"];
    let mut disk = || {
        let (fsync, write_call) = (pick(&fsync), pick(&["0", "'20us'", "'250us'", "'1ms'"]));
        format!("disk = {{ fsync = {fsync}, write_call = {write_call}, write = '100MB/s' }}")
    };
    let disks = [disk(), disk(), disk()];
    let rtt = pick(&[
        "'0.1ms'",
        "'0.5ms'",
        "'1ms'",
        "'2ms'",
        "{ p50 = '1ms', p99 = '5ms', max = '9ms' }",
    ]);
    let replay = [pick(&["'1MB/s'", "'20MB/s'", "'1GB/s'"]), pick(&["'2MB/s'", "'200MB/s'"])];
    let names = pick(&["", "ANY 1 (*)", "ANY 2 (*)", "FIRST 1 (pg2, pg3)", "FIRST 2 (pg3, pg2)"]);
    let commit = pick(&["on", "on", "on", "local", "off"]);
    let load = pick(&[
        "rate = '1000/s'\narrivals = 'constant'",
        "rate = '4000/s'\narrivals = 'constant'",
        "rate = '3000/s'",
        "rate = '30/s'",
        "clients = 20\nthink = '1ms'",
        "clients = 3\nthink = '0'",
    ]);
    let wal = pick(&["300B", "2kB", "9kB"]);
    let segment = pick(&["1MB", "16MB"]);
    let kind = |kind: &str, who: &str, at: &str, lasts: &str| {
        format!("[fault.{kind}]\nkind = '{kind}'\n{who}\nat = '{at}'\n{lasts}\n")
    };
    let (one, pair) = ("server = 'pg2'", "between = ['pg1', 'pg3']");
    let faults = [
        kind("link_cut", pair, &pick(&["2s", "2.1s"]), "for = '1.5s'"),
        kind("link_hold", "between = ['pg1', 'pg2']", &pick(&["5s", "5.01s"]), "for = '250ms'"),
        kind("disk_stall", one, &pick(&["6s", "6.25s"]), "for = '700ms'"),
        kind("freeze", one, &pick(&["8s", "8.003s"]), "for = '500ms'"),
        kind("crash", &pick(&["server = 'pg1'", "server = 'pg3'"]), "10s", "for = '1s'"),
    ];
    format!(
        "duration = '13s'\n[postgresql]\nwal_segment_size = '{segment}'\n\
         wal_receiver_timeout = '2s'\nwal_sender_timeout = '2s'\n\
         wal_receiver_status_interval = '1s'\nmax_wal_size = '64MB'\nmin_wal_size = '32MB'\n\
         [server.pg1]\n{}\n\
         [server.pg1.postgresql]\nsynchronous_standby_names = '{names}'\n\
         [server.pg2]\nupstream = 'pg1'\nslot = 'pg2'\nreplay = {}\n{}\n\
         [server.pg3]\nupstream = 'pg1'\nreplay = {}\n{}\n[network]\nrtt = {rtt}\n\
         [workload.orders]\n{load}\nwal = '{wal}'\nsynchronous_commit = '{commit}'\n{}",
        disks[0],
        replay[0],
        disks[1],
        replay[1],
        disks[2],
        faults.concat()
    )
}

/// A run without the samples of what was inserted: what arrives while a flush runs is inserted when
/// the primary next does something, so they say how far that was. A commit that waits for no flush
/// counts in the stages of the span in which it was inserted.
fn without_inserts(mut run: Run) -> Run {
    let none = Series::new(Merge::Last, Duration::s(1));
    run.samples.servers.iter_mut().for_each(|server| server.insert_lsn = none.clone());
    run.samples.slots.iter_mut().for_each(|slot| slot.retained_bytes = none.clone());
    run.samples.stages.iter_mut().for_each(|stage| *stage = none.clone());
    run
}

#[test]
fn whatever_is_played_nobody_can_tell() {
    let mut quieter = 0;
    for seed in 0..100 {
        let text = any_scenario(seed);
        let [quiet, loud] = both_ways("any", &text).map(without_inserts);
        quieter += u64::from(quiet.summary.events < loud.summary.events);
        let (quiet, loud) = (told(&quiet), told(&loud));
        let differing = quiet.lines().zip(loud.lines()).find(|(quiet, loud)| quiet != loud);
        assert!(quiet == loud, "seed {seed}: {differing:?}\n{text}");
    }
    assert!(quieter > 70, "only {quieter} were quieter");
}
