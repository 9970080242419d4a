//! Volumes that get slow, and volumes that complete no fsync for a while.

use models::trace::fact::{ConnectionEnd, What};

use crate::questions::{PG1, PG2, facts, ms, play, story, times};
use crate::{COMMITS, SYNC, assert_all_is_well, cluster, fault, unanswered};

fn stall(server: &str, lasts: &str) -> String {
    fault("f", "disk_stall", &format!("server = '{server}'\n{lasts}"), "20s")
}

fn slow(name: &str, server: &str, keys: &str, at: &str) -> String {
    fault(name, "disk_slow", &format!("server = '{server}'\n{keys}"), at)
}

fn ended(what: &What) -> bool {
    matches!(what, What::ReceiverEnded { .. } | What::SenderEnded { .. })
}

/// The longest commit at each level.
fn longest(faults: &str) -> [f64; 5] {
    ["off", "local", "remote_write", "on", "remote_apply"].map(|level| {
        let settings = [SYNC, ("synchronous_commit", level)];
        let run = play(&cluster(60, 1, &settings, &format!("{COMMITS}{faults}")));
        assert!(unanswered(&run) <= 1, "{level}");
        assert_all_is_well(&run);
        run.summary.latency_ms.max
    })
}

fn assert_near(what: &str, found: f64, wanted: f64) {
    assert!((wanted - 0.3..wanted + 0.6).contains(&found), "{what}: {found}, wanted {wanted}");
}

#[test]
fn a_slow_disk_is_paid_by_whoever_waits_for_it() {
    // 1 ms here, 1 ms there, 0.5 ms between them.
    let at_home = longest(&slow("f", "pg1", "factor = 5\nfor = '20s'", "20s"));
    let wanted = [0.04, 5.0, 5.5, 6.5, 6.5];
    for (found, wanted) in at_home.iter().zip(wanted) {
        assert_near("the primary's", *found, wanted);
    }
    let away = longest(&slow("f", "pg2", "fsync = '5ms'\nfor = '20s'", "20s"));
    let wanted = [0.04, 1.0, 1.5, 6.5, 6.5];
    for (found, wanted) in away.iter().zip(wanted) {
        assert_near("the standby's", *found, wanted);
    }
}

#[test]
fn faults_of_one_disk_multiply_and_its_last_table_goes_first() {
    let settings = [SYNC, ("synchronous_commit", "local")];
    let faults = slow("a", "pg1", "factor = 2\nfor = '20s'", "10s")
        + &slow("b", "pg1", "factor = 1.5\nfor = '20s'", "20s")
        + &slow("c", "pg1", "fsync = '3ms'\nfor = '5s'", "22s")
        + &slow("d", "pg1", "fsync = '1.5ms'\nfor = '5s'", "23s");
    let run = play(&cluster(60, 1, &settings, &format!("{COMMITS}{faults}")));
    // From 22 to 23 s and from 28 s on 3 ms, times 3.
    assert_near("together", run.summary.latency_ms.max, 9.0);
    assert_near("mostly", run.summary.latency_ms.p50, 1.0);
}

#[test]
fn a_standby_whose_disk_stalls_reads_nothing_so_remote_write_waits_too() {
    let [off, local, remote_write, on, remote_apply] = longest(&stall("pg2", "for = '20s'"));
    assert!(off < 1.0 && local < 2.0, "{off} {local}");
    // The first fsync of the stall is in hand; commits behind it are not even read.
    for waited in [remote_write, on, remote_apply] {
        assert!((19_980.0..20_020.0).contains(&waited), "{waited}");
    }
}

#[test]
fn a_primary_whose_disk_stalls_answers_only_asynchronous_commits() {
    let [off, local, ..] = longest(&stall("pg1", "for = '20s'"));
    assert!(off < 1.0, "{off}");
    assert!((19_980.0..20_020.0).contains(&local), "{local}");
    let run = play(&cluster(60, 1, &[SYNC], &format!("{COMMITS}{}", stall("pg1", ""))));
    // It lives on: keepalives and status updates go on, and nobody is told.
    assert!(!run.facts.iter().any(|f| ended(&f.what)), "{}", story(&run));
    assert!((3_998..=4_002).contains(&unanswered(&run)), "{:?}", run.summary.commits);
}

/// A walsender gives a standby up that is silent; the standby's process hangs in its fsync and
/// hears of it only afterwards.
#[test]
fn a_stall_longer_than_the_timeout_is_noticed_by_the_primary_alone() {
    let text = cluster(120, 1, &[SYNC], &format!("{COMMITS}{}", stall("pg2", "for = '80s'")));
    let run = play(&text);
    let told = || story(&run);
    let gone = facts(&run, PG1, |what| matches!(what, What::SenderEnded { .. }));
    let [(at, What::SenderEnded { why: ConnectionEnd::Timeout, .. })] = gone[..] else {
        panic!("{}", told())
    };
    assert!((ms(79_900)..=ms(80_100)).contains(&at), "{at}");
    let ends = times(&run, PG2, |what| matches!(what, What::ReceiverEnded { .. }));
    assert!(matches!(ends[..], [at] if (ms(100_000)..ms(100_010)).contains(&at)), "{}", told());
    assert!(unanswered(&run) <= 1);
    assert_all_is_well(&run);
}

#[test]
fn a_crash_in_a_stall_is_over_only_when_the_disk_goes_on() {
    let crash = |what| {
        let keys = format!("server = 'pg1'\nwhat = '{what}'\nfor = '2s'");
        fault("c", "crash", &keys, "25s")
    };
    for what in ["processes", "host"] {
        let faults = stall("pg1", "for = '20s'") + &crash(what);
        let run = play(&cluster(60, 1, &[SYNC], &format!("{COMMITS}{faults}")));
        // The checkpoint that ends recovery needs the disk.
        let ready = times(&run, PG1, |what| *what == What::Ready);
        assert!(matches!(ready[..], [at] if at >= ms(40_000)), "{what}\n{}", story(&run));
        assert_all_is_well(&run);
        assert_eq!(run.summary.commits.lost, 0, "{what}");
    }
}

#[test]
fn a_stall_is_over_when_the_last_of_two_that_overlap_is() {
    let two = stall("pg2", "for = '10s'")
        + &fault("g", "disk_stall", "server = 'pg2'\nfor = '10s'", "25s");
    let run = play(&cluster(60, 1, &[SYNC], &format!("{COMMITS}{two}")));
    let longest = run.summary.latency_ms.max;
    assert!((14_980.0..15_020.0).contains(&longest), "{longest}");
}
