//! A standby is promoted: what it does before, what is lost, and where clients go.

mod scenes;

use models::trace::Run;
use models::trace::fact::What;
use models::units::{Lsn, TimelineId};
use scenarios::scenario::Scenario;
use sim::checkers::Checks;
use sim::sweep::{self, Sweep, Verdict};
use sim::{Options, Outside};

fn scenario(seed: u64, rest: &str) -> Scenario {
    let text = format!(
        "duration = '12s'\nseed = {seed}\n[server.pg1]\n[server.pg2]\nupstream = 'pg1'\n\
         [workload.orders]\nrate = '500/s'\n[expect]\n'servers.pg2.rows.orders' = '> 0'\n{rest}"
    );
    scenes::scenario(&text)
}

/// Plays it, held against the laws at the close of every moment.
fn run(seed: u64, rest: &str) -> Run {
    let options = Options { laws: Checks::Moments, ..Options::default() };
    let run = sim::run(&scenario(seed, rest), options, &Outside::default()).expect("a run");
    scenes::assert_sane(&run);
    run
}

/// The primary dies at some moment, and pg2 is promoted three seconds later.
fn death(what: &str, settings: &str) -> String {
    format!(
        "[network]\nrtt = '20ms'\n[server.pg1.postgresql]\n{settings}\n\
         [fault.death]\nkind = 'crash'\nwhat = '{what}'\nserver = 'pg1'\n\
         at = {{ between = ['4s', '5s'] }}\n\
         [action.failover]\nkind = 'promote'\nserver = 'pg2'\nat = '8s'\n"
    )
}

fn promoted(run: &Run) -> Option<(TimelineId, Lsn)> {
    run.facts.iter().find_map(|fact| match fact.what {
        What::Promoted { timeline, at, .. } => Some((timeline, at)),
        _ => None,
    })
}

/// Rows that the new primary has at the end are those of commits that were answered and not lost,
/// and of some of which nobody knows. Rows are counted by WAL positions of every commit, losses by
/// the answers alone.
fn assert_rows_agree(run: &Run) {
    let commits = run.summary.commits;
    let rows = run.summary.servers[1].rows["orders"];
    let least = commits.acknowledged - commits.lost;
    let told = format!("{rows} rows, {commits:?}");
    assert!((least..=least + commits.unknown).contains(&rows), "{told}");
}

#[test]
fn without_synchronous_standbys_what_was_not_received_is_lost() {
    for seed in 1..=8 {
        let run = run(seed, &death("host", ""));
        let [failover] = &run.summary.failovers[..] else { panic!("one failover") };
        let names = (failover.from.as_str(), failover.to.as_str());
        assert_eq!((names, failover.timeline), (("pg1", "pg2"), TimelineId(2)));
        assert_eq!(run.summary.commits.lost, failover.lost_commits);
        // What was on its way: 10 ms of 500 commits a second, and a flush or two.
        assert!((1..=16).contains(&failover.lost_commits), "seed {seed}: {failover:?}");
        assert!((3.0..=4.1).contains(&failover.downtime_seconds), "seed {seed}: {failover:?}");
        assert_rows_agree(&run);
    }
}

#[test]
fn with_a_synchronous_standby_nothing_is_lost() {
    for level in ["on", "remote_apply", "remote_write"] {
        for seed in 1..=6 {
            let settings =
                format!("synchronous_standby_names = 'pg2'\nsynchronous_commit = '{level}'");
            let run = run(seed, &death("host", &settings));
            assert_eq!(run.summary.commits.lost, 0, "{level}, seed {seed}");
            assert!(run.summary.commits.acknowledged > 3_000, "{level}, seed {seed}");
            assert_rows_agree(&run);
        }
    }
}

#[test]
fn level_off_loses_what_the_walwriter_had_not_flushed_too() {
    let lost = |settings: &str| -> u64 {
        (1..=8).map(|seed| run(seed, &death("host", settings)).summary.commits.lost).sum()
    };
    let (off, local) = (lost("synchronous_commit = 'off'"), lost(""));
    assert!(off > local + 8 * 10, "{off} and {local}");
    // Three times wal_writer_delay, and the way.
    assert!(off <= 8 * (300 + 16), "{off}");
}

/// `walden sweep failover/promote --seeds 1000` and the same of `both_die` play more of them.
#[test]
fn each_level_keeps_its_promise_with_every_seed() {
    for name in ["failover/promote", "failover/both_die"] {
        let file =
            scenarios::catalog::find(name).expect("it is there").parse().expect("it is good");
        let of_seed = |seed| file.with(&[], Some(seed)).and_then(|file| file.variants());
        let mut sweep = Sweep::new(&of_seed(1).expect("variants"));
        for seed in 1..=20 {
            let variants = of_seed(seed).expect("variants");
            let outside: Vec<Outside> = variants.iter().map(|_| Outside::default()).collect();
            let played = sweep::play_all(&variants, 2, Options::default(), &outside);
            sweep.add(seed, &played.expect("runs"));
        }
        for variant in &sweep.variants {
            let broken: Vec<_> = variant.claims.iter().filter(|c| !c.broken.is_empty()).collect();
            assert!(broken.is_empty(), "{name} {}: {broken:?}", variant.name);
        }
        // Twenty are few, and enough for what happens nearly always.
        assert_eq!(sweep.verdict(1), Verdict::Met, "{name}");
    }
}

#[test]
fn what_has_been_received_is_replayed_first() {
    let run = run(
        1,
        "[action.pause]\nkind = 'write'\nserver = 'pg1'\nsize = '64MB'\nat = '2s'\n\
         [fault.pause]\nkind = 'replay_pause'\nserver = 'pg2'\nat = '1s'\nfor = '10s'\n\
         [fault.death]\nkind = 'crash'\nserver = 'pg1'\nat = '5s'\n\
         [action.failover]\nkind = 'promote'\nserver = 'pg2'\nat = '6s'\n",
    );
    let at = |like: fn(&What) -> bool| {
        let fact = run.facts.iter().find(|fact| like(&fact.what)).expect("it happens");
        fact.at.0 as f64 / 1e9
    };
    // The pause ends; then 64 MB and more are replayed before it even notices.
    let noticed = at(|what| *what == What::PromoteNoticed);
    assert!((6.2..=8.0).contains(&noticed), "{noticed}");
    let ready = at(|what| matches!(what, What::Promoted { .. }));
    assert!(noticed < ready && ready < noticed + 1.0, "{noticed}, {ready}");
    assert_eq!(run.summary.commits.lost, 0);
}

#[test]
fn an_old_primary_that_runs_keeps_its_clients_and_loses_what_it_answers() {
    let run = run(3, "[action.failover]\nkind = 'promote'\nserver = 'pg2'\nat = '6s'\n");
    let [failover] = &run.summary.failovers[..] else { panic!("one failover") };
    assert_eq!(failover.downtime_seconds, 0.0);
    // From the fork on everything: 6 s of 500 commits a second.
    assert!((2_700..=3_300).contains(&failover.lost_commits), "{failover:?}");
    let roles: Vec<&str> = run.summary.servers.iter().map(|server| server.role).collect();
    assert_eq!(roles, ["primary", "primary"]);
}

#[test]
fn clients_stay_when_the_old_primary_comes_back() {
    let back = death("processes", "").replace("[action", "for = '5s'\n[action");
    let run = run(2, &back);
    let (timeline, fork) = promoted(&run).expect("pg2 is promoted");
    assert_eq!(timeline, TimelineId(2));
    let [pg1, pg2] = &run.summary.servers[..] else { panic!("two servers") };
    assert_eq!((pg1.role, pg1.timeline), ("primary", TimelineId(1)));
    // Its checkpoint is all that it has written since.
    assert!(pg1.insert_lsn < fork + models::units::Bytes::mb(1), "{pg1:?}");
    assert!(pg2.insert_lsn > fork + models::units::Bytes::mb(1), "{pg2:?}");
}

#[test]
fn a_promotion_is_told_in_postgresqls_words_and_order() {
    let run = run(1, &death("host", ""));
    let log = models::trace::messages::format_log(&run, "pg2");
    let lines: Vec<&str> =
        log.lines().filter_map(|line| line.split_once("] ")).map(|l| l.1).collect();
    let from = lines.iter().position(|l| l.contains("promote request")).expect("it is asked");
    let shown: Vec<&str> =
        lines[from..].iter().map(|l| l.split(" at ").next().unwrap_or(l)).collect();
    assert_eq!(
        shown[..8],
        [
            "LOG:  received promote request",
            "FATAL:  terminating walreceiver process due to administrator command",
            "LOG:  invalid record length",
            "LOG:  redo done",
            "LOG:  selected new timeline ID: 2",
            "LOG:  checkpoint starting: force",
            "LOG:  archive recovery complete",
            "LOG:  database system is ready to accept connections",
        ]
    );
}

#[test]
fn the_segment_of_the_fork_is_there_twice() {
    let text = format!(
        "{}[action.look]\nkind = 'observe'\nviews = ['pg_ls_waldir']\nserver = 'pg2'\nat = '9s'\n",
        death("host", "")
    );
    let run = run(1, &text);
    let (_, fork) = promoted(&run).expect("pg2 is promoted");
    let rows = format!("{:?}", run.observations.iter().last().expect("a look").rows);
    let number = fork.0 >> 24;
    for timeline in [1, 2] {
        let name = format!("timeline: TimelineId({timeline}), number: {number},");
        assert_eq!(rows.matches(&name).count(), 1, "{name} in {rows}");
    }
    let before = format!("timeline: TimelineId(2), number: {},", number - 1);
    assert!(!rows.contains(&before), "{rows}");
}
