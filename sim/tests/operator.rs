//! What an operator does is done in order, ends when it should, and is the same every time.

use models::postgres::command::Refused;
use models::trace::Run;
use models::trace::fact::What;
use models::trace::observation::Observation;
use models::units::{Duration, SimTime};
use scenarios::ScenarioFile;
use scenarios::scenario::Scenario;
use sim::control::{self, Played, replay};
use sim::world::World;
use sim::{Options, Outside};

const SERVERS: &str = "pg_version = 17\n[start]\nrecycled = 'max'\n[server.pg1]\n[server.pg2]\n\
                       upstream = 'pg1'\nslot = 'standby_slot'\n";

fn scenario(duration: &str, rest: &str) -> Scenario {
    let text = format!("duration = '{duration}'\n{SERVERS}{rest}");
    let file = ScenarioFile::parse("operator", &text, &mut |_| Err("no files".to_owned()));
    let variants = file.and_then(|f| f.variants()).unwrap_or_else(|e| panic!("{e}"));
    variants.into_iter().next().expect("a variant")
}

fn run(duration: &str, rest: &str) -> Run {
    let scenario = scenario(duration, rest);
    sim::run(&scenario, Options::default(), &Outside::default()).expect("a run")
}

fn play(scenario: &Scenario, options: Options) -> Played {
    control::play(scenario, options, &Outside::default(), |_| (), |played| played).expect("a run")
}

/// Begins and ends of what was done: `ms what`, with `+` and `-`.
fn diary(run: &Run) -> Vec<String> {
    let told = |action: u16, sign: char, at: SimTime| {
        format!("{sign}{} {}", run.actions[usize::from(action)].what, at.0 / 1_000_000)
    };
    run.facts
        .iter()
        .filter_map(|fact| match fact.what {
            What::ActionBegan { action } => Some(told(action, '+', fact.at)),
            What::ActionEnded { action } => Some(told(action, '-', fact.at)),
            _ => None,
        })
        .collect()
}

/// The moment of the first fact like this, in milliseconds.
fn first(run: &Run, like: impl Fn(&What) -> bool) -> Option<u64> {
    run.facts.iter().find(|fact| like(&fact.what)).map(|fact| fact.at.0 / 1_000_000)
}

fn refusals(run: &Run) -> Vec<Refused> {
    let why = run.facts.iter().filter_map(|fact| match fact.what {
        What::CommandRefused { why } => Some(why),
        _ => None,
    });
    why.collect()
}

#[test]
fn the_actions_of_steps_follow_each_other_and_repeat() {
    let run = run(
        "10s",
        "[[step]]\ndo = [{ sleep = '1s' }, { sleep = '500ms' }]\nrepeat = 2\n\
         [[step]]\ndo = [{ sleep = '2s' }]\n",
    );
    let wanted = [
        "+sleep 1s 0",
        "-sleep 1s 1000",
        "+sleep 500ms 1000",
        "-sleep 500ms 1500",
        "+sleep 1s 1500",
        "-sleep 1s 2500",
        "+sleep 500ms 2500",
        "-sleep 500ms 3000",
        "+sleep 2s 3000",
        "-sleep 2s 5000",
    ];
    assert_eq!(diary(&run), wanted);
    let places: Vec<&str> = run.actions.iter().map(|a| a.place.as_str()).collect();
    assert_eq!(places, ["step 1", "step 1", "step 2"]);
    assert!(run.unfinished().is_empty());
}

#[test]
fn an_action_comes_at_its_moment_whatever_the_steps_do() {
    let run = run(
        "10s",
        "[action.tidy]\nkind = 'checkpoint'\nat = '3s'\n[[step]]\ndo = [{ sleep = '5s' }]\n",
    );
    assert!(diary(&run).contains(&"+checkpoint 3000".to_owned()), "{:?}", diary(&run));
    assert_eq!(run.actions[0].place, "action tidy");
}

#[test]
fn a_wait_that_never_comes_true_lasts_to_the_end_and_is_told() {
    let run = run("10s", "[[step]]\ndo = [{ sleep = '1s' }, { wait = 'pg2 lost' }]\n");
    let unfinished = run.unfinished();
    let [(action, since)] = unfinished.as_slice() else { panic!("{unfinished:?}") };
    assert_eq!((action.place.as_str(), action.what.as_str()), ("step 1", "wait until lost"));
    assert_eq!(*since, SimTime::ZERO + Duration::s(1));
}

#[test]
fn waits_follow_a_standby_through_a_cut() {
    let run = run(
        "3min",
        "[workload.w]\nrate = '200/s'\n[fault.cut]\nkind = 'link_cut'\nat = '5s'\nfor = '70s'\n\
         between = ['pg1', 'pg2']\n[[step]]\ndo = [{ wait = 'pg2 streaming' }, \
         { wait = 'pg2 disconnected' }, { wait = 'pg2 streaming' }, { wait = 'pg2 caught_up' }]\n",
    );
    let diary = diary(&run);
    assert_eq!(diary.len(), 8, "{diary:?}");
    assert_eq!(diary[1], "-wait until streaming 0");
    let ended = first(&run, |w| matches!(w, What::SenderEnded { .. })).expect("it ended");
    assert_eq!(diary[3], format!("-wait until disconnected {ended}"));
    assert!(run.unfinished().is_empty(), "{diary:?}");
}

#[test]
fn a_server_that_is_down_takes_no_commands() {
    let run = run(
        "20s",
        "[fault.death]\nkind = 'crash'\nserver = 'pg2'\nat = '0s'\nfor = '10s'\n\
         [[step]]\ndo = [{ sleep = '1s' }, { checkpoint = 'pg2' }, \
         { observe = ['pg_ls_waldir'], server = 'pg2' }, { stop = 'pg2' }, \
         { wait = 'pg2 ready' }]\n",
    );
    assert_eq!(refusals(&run), [Refused::NotRunning; 3]);
    let diary = diary(&run);
    assert_eq!(diary.last().map(|l| l.starts_with("-wait until ready 1")), Some(true), "{diary:?}");
}

#[test]
fn commands_to_a_frozen_server_wait_until_it_goes_on() {
    let run = run(
        "20s",
        "[fault.cold]\nkind = 'freeze'\nserver = 'pg1'\nat = '1s'\nfor = '4s'\n\
         [[step]]\ndo = [{ sleep = '2s' }, { observe = ['pg_current_wal_lsn'] }]\n",
    );
    assert_eq!(diary(&run).last().map(String::as_str), Some("-observe pg_current_wal_lsn 5000"));
}

#[test]
fn looks_are_written_down_with_their_moment_and_change_nothing() {
    let load = "[workload.w]\nrate = '500/s'\nsynchronous_commit = 'off'\n";
    let looks = "[[step]]\ndo = [{ sleep = '1s' }, { observe = ['pg_replication_slots', \
                 'pg_stat_replication', 'pg_ls_waldir', 'pg_current_wal_lsn', \
                 'pg_control_checkpoint'] }]\nrepeat = 3\n";
    let (seen, plain) = (run("5s", &format!("{load}{looks}")), run("5s", load));
    assert_eq!((seen.digest, seen.summary.events), (plain.digest, plain.summary.events));
    let looks: Vec<&Observation> = seen.observations.iter().collect();
    assert_eq!(looks.len(), 15);
    assert!(looks.iter().all(|look| !look.rows.is_empty()));
    assert_eq!(looks[14].at, SimTime::ZERO + Duration::s(3));
}

/// Everything at once, for determinism.
const BUSY: &str = "[workload.w]\nrate = '300/s'\n\
    [fault.cut]\nkind = 'link_cut'\nat = '4s'\nfor = '3s'\nbetween = ['pg1', 'pg2']\n\
    [fault.cold]\nkind = 'freeze'\nserver = 'pg2'\nat = '9s'\nfor = '2s'\n\
    [fault.pause]\nkind = 'replay_pause'\nserver = 'pg2'\nat = '12s'\nfor = '2s'\n\
    [fault.away]\nkind = 'stop'\nserver = 'pg2'\nat = '20s'\nfor = '5s'\n\
    [fault.full]\nkind = 'disk_full'\nserver = 'pg2'\nat = '15s'\nfor = '2s'\n\
    [action.a]\nkind = 'checkpoint'\nat = '2s'\n\
    [action.b]\nkind = 'set'\nat = '3s'\nsettings = { wal_keep_size = '1GB' }\n\
    [[step]]\ndo = [{ write = '4MB' }, { switch_wal = 'pg1' }, { checkpoint = 'pg1' }, \
    { observe = ['pg_replication_slots'] }, { wait = 'pg2 caught_up' }, { sleep = '700ms' }]\n\
    repeat = 4\n[[step]]\ndo = [{ slot_create = 'spare', reserve = true }, \
    { slot_drop = 'spare' }, { restart = 'pg2' }, { wait = 'pg2 streaming' }]\n";

#[test]
fn madsims_seed_has_no_say_and_the_log_plays_the_same_run_again() {
    let scenario = scenario("40s", BUSY);
    let first = play(&scenario, Options::default());
    let digest = first.world.digest();
    for madsim_seed in 1..8 {
        let options = Options { madsim_seed, record: madsim_seed % 2 == 0, ..Options::default() };
        let again = play(&scenario, options);
        assert_eq!((again.world.digest(), &again.log), (digest, &first.log), "{madsim_seed}");
    }
    let mut bare = World::new(&scenario, true);
    let end = bare.end();
    replay(&mut bare, &first.log, end);
    assert_eq!(bare.digest(), digest);
    let (bare, first) = (bare.finish(&scenario), first.world.finish(&scenario));
    let looks = |run: &Run| run.observations.iter().cloned().collect::<Vec<_>>();
    assert_eq!(looks(&bare), looks(&first));
}

#[test]
fn slots_are_made_and_dropped_and_settings_change_in_order() {
    let run = run(
        "10s",
        "[[step]]\ndo = [{ slot_create = 'spare' }, { slot_create = 'spare' }, \
         { slot_create = 'kept', reserve = true }, { observe = 'pg_replication_slots' }, \
         { slot_drop = 'spare' }, { slot_drop = 'spare' }, { slot_drop = 'standby_slot' }, \
         { set = { wal_keep_size = '1GB' } }, { set = { max_slot_wal_keep_size = '2GB' } }]\n",
    );
    let refused = refusals(&run);
    let [Refused::SlotExists { .. }, Refused::NoSuchSlot { .. }, Refused::SlotActive { .. }] =
        refused.as_slice()
    else {
        panic!("{refused:?}")
    };
    let looks: Vec<&Observation> = run.observations.iter().collect();
    assert_eq!(looks.len(), 1);
    assert_eq!(looks[0].rows.len(), 3);
    let changed = run.facts.iter().filter_map(|fact| match fact.what {
        What::ParameterChanged { parameter, .. } => Some(parameter),
        _ => None,
    });
    // The second reload says nothing of the first change: it adds to it.
    assert_eq!(changed.collect::<Vec<_>>(), ["wal_keep_size", "max_slot_wal_keep_size"]);
}

#[test]
fn a_fault_pauses_replay_and_its_end_resumes_it() {
    let run = run(
        "20s",
        "[workload.w]\nrate = '200/s'\n[fault.slow]\nkind = 'replay_pause'\nserver = 'pg2'\n\
         at = '5s'\nfor = '5s'\n[[step]]\ndo = [{ sleep = '6s' }, { wait = 'pg2 caught_up' }]\n",
    );
    assert_eq!(first(&run, |w| matches!(w, What::ReplayPaused { .. })), Some(5000));
    assert_eq!(first(&run, |w| matches!(w, What::ReplayResumed)), Some(10_000));
    let diary = diary(&run);
    let end = diary.last().expect("an end");
    assert!(end.starts_with("-wait until caught_up 10"), "{diary:?}");
}

#[test]
fn each_deed_ends_before_the_next_begins() {
    let run = run(
        "2min",
        "[[step]]\ndo = [{ wait = 'pg2 streaming' }, { write = '40MB' }, \
         { write_to = '0/8000000' }, { switch_wal = 'pg1' }, { checkpoint = 'pg1' }, \
         { stop = 'pg2' }, { checkpoint = 'pg1' }, { start = 'pg2' }, \
         { wait = 'pg2 streaming' }, { restart = 'pg1', mode = 'immediate' }, \
         { wait = 'pg2 caught_up' }]\n",
    );
    assert_eq!((refusals(&run), run.unfinished().len()), (Vec::new(), 0), "{:?}", diary(&run));
    let ends = |name: &str| -> Vec<u64> {
        let lines = diary(&run).into_iter().filter(|l| l.starts_with(&format!("-{name}")));
        lines.filter_map(|l| l.rsplit(' ').next()?.parse().ok()).collect()
    };
    let done = run.facts.iter().filter(|f| matches!(f.what, What::CheckpointDone { .. }));
    let done: Vec<u64> = done.map(|f| f.at.0 / 1_000_000).collect();
    assert_eq!(ends("checkpoint"), &done[..2]);
    // 40 MB at 1,500 MB/s at the least.
    assert!(ends("write 40MB")[0] >= 26, "{:?}", diary(&run));
    let down = first(&run, |w| matches!(w, What::ShutDown)).expect("pg2 was shut down");
    assert_eq!(ends("stop"), [down]);
    let after = |ms: u64| move |at: &&u64| **at >= ms;
    let ready: Vec<u64> = run
        .facts
        .iter()
        .filter(|f| matches!(f.what, What::Ready | What::ReadyReadOnly { .. }))
        .map(|f| f.at.0 / 1_000_000)
        .collect();
    assert_eq!(ends("start").first(), ready.iter().find(after(down)));
    assert!(ends("restart")[0] > ends("start")[0]);
}

#[test]
fn what_an_operator_stopped_stays_down_when_its_host_boots() {
    let run = run(
        "1min",
        "[fault.death]\nkind = 'crash'\nwhat = 'host'\nserver = 'pg2'\nat = '10s'\nfor = '5s'\n\
         [action.a]\nkind = 'stop'\nserver = 'pg2'\nat = '5s'\n\
         [action.b]\nkind = 'start'\nserver = 'pg2'\nat = '30s'\n",
    );
    let starts = run.facts.iter().filter(|f| matches!(f.what, What::Starting));
    let starts: Vec<u64> = starts.map(|f| f.at.0 / 1_000_000).collect();
    assert_eq!(starts, [30_000]);
}

#[test]
fn a_stop_fault_ends_with_a_start() {
    let run = run(
        "1min",
        "[fault.away]\nkind = 'stop'\nserver = 'pg2'\nat = '5s'\nfor = '20s'\n\
         [fault.death]\nkind = 'crash'\nwhat = 'host'\nserver = 'pg2'\nat = '10s'\nfor = '5s'\n",
    );
    let starts = run.facts.iter().filter(|f| matches!(f.what, What::Starting));
    let starts: Vec<u64> = starts.map(|f| f.at.0 / 1_000_000).collect();
    assert_eq!(starts, [25_000]);
    assert!(run.summary.standbys[0].connected);
}
