//! Sites that go down, bursts of WAL, clocks that jump, and faults that come again.

use models::trace::fact::{ConnectionEnd, What};

use crate::questions::{PG1, PG2, PG3, facts, ms, play, story, times};
use crate::{COMMITS, SYNC, assert_all_is_well, cluster, fault, unanswered};

#[test]
fn a_site_takes_all_its_hosts_down_and_brings_them_back() {
    let text = "duration = '60s'\n[server.pg1]\nsite = 'a'\n[server.pg2]\nsite = 'b'\n\
                upstream = 'pg1'\n[server.pg3]\nsite = 'b'\nupstream = 'pg1'\n"
        .to_owned()
        + COMMITS
        + &fault("f", "site_down", "site = 'b'\nfor = '20s'", "20s")
        // Whoever is held by another fault too comes back with the last of them.
        + &fault("g", "crash", "server = 'pg3'\nfor = '20s'", "25s");
    let run = play(&text);
    let crashed = |what: &What| matches!(what, What::Crashed { .. });
    for server in [PG2, PG3] {
        assert_eq!(times(&run, server, crashed), [ms(20_000)], "{}", story(&run));
    }
    let starts = |server| times(&run, server, |what| matches!(what, What::Starting));
    assert_eq!((starts(PG2), starts(PG3)), (vec![ms(40_000)], vec![ms(45_000)]));
    assert!(times(&run, PG1, crashed).is_empty());
    assert_all_is_well(&run);
}

#[test]
fn a_burst_writes_its_wal_while_it_lasts_and_counts_no_commit() {
    let quiet = play(&cluster(60, 1, &[], COMMITS));
    let faults = fault("f", "bulk_write", "bytes = '100MB'\nfor = '10s'", "20s")
        + &fault("g", "bulk_write", "bytes = '50MB'\nfor = '5s'\nevery = '10s'", "22s");
    let run = play(&cluster(60, 1, &[], &format!("{COMMITS}{faults}")));
    let made = run.summary.servers[0].insert_lsn.since(quiet.summary.servers[0].insert_lsn).0;
    // At 22, 32, 42 and 52 s.
    let wanted = (100 + 4 * 50) << 20;
    assert!((wanted..wanted + wanted / 50).contains(&made), "{made}");
    assert_eq!(run.summary.commits, quiet.summary.commits);
    assert_all_is_well(&run);
}

/// With traffic a walsender wakes up at once and finds that it has heard nothing for too long.
#[test]
fn a_clock_that_jumps_ahead_ends_streams_whose_timeout_it_passes() {
    let jump =
        |by: &str| fault("f", "clock_jump", &format!("server = 'pg1'\nby = '{by}'"), "20005ms");
    let run = play(&cluster(60, 1, &[SYNC], &format!("{COMMITS}{}", jump("61s"))));
    let gone = facts(&run, PG1, |what| matches!(what, What::SenderEnded { .. }));
    let [(at, What::SenderEnded { why: ConnectionEnd::Timeout, .. })] = gone[..] else {
        panic!("{}", story(&run))
    };
    assert!((ms(20_005)..ms(20_020)).contains(&at), "{at}");
    assert_eq!(unanswered(&run), 0);
    assert_all_is_well(&run);
    for harmless in ["59s", "-1h"] {
        let run = play(&cluster(60, 1, &[SYNC], &format!("{COMMITS}{}", jump(harmless))));
        let ended = times(&run, PG1, |what| matches!(what, What::SenderEnded { .. }));
        assert!(ended.is_empty(), "{harmless}\n{}", story(&run));
    }
}

#[test]
fn a_standby_whose_clock_jumps_gives_up_only_if_nothing_comes_meanwhile() {
    let jump = fault("f", "clock_jump", "server = 'pg2'\nby = '61s'", "20005ms");
    let ended = |commits: &str| {
        let run = play(&cluster(60, 1, &[], &format!("{commits}{jump}")));
        assert_all_is_well(&run);
        times(&run, PG2, |what| matches!(what, What::ReceiverEnded { .. }))
    };
    assert!(ended(COMMITS).is_empty());
    // Idle, it sleeps until its next status update is due.
    let idle = ended("");
    assert!(matches!(idle[..], [at] if (ms(20_005)..ms(30_010)).contains(&at)), "{idle:?}");
}

#[test]
fn a_clock_that_goes_back_hides_a_cut_and_puts_off_checkpoints() {
    let cut = fault("c", "link_cut", "between = ['pg1', 'pg2']", "20s");
    let back = fault("f", "clock_jump", "server = 'pg1'\nby = '-30s'", "21s");
    let run = play(&cluster(150, 1, &[], &format!("{COMMITS}{cut}{back}")));
    let gone = times(&run, PG1, |what| matches!(what, What::SenderEnded { .. }));
    // A minute after it was heard last, and 30 s of the clock's.
    assert!(matches!(gone[..], [at] if (ms(109_900)..ms(110_100)).contains(&at)), "{gone:?}");
    let settings = [("checkpoint_timeout", "60s")];
    let run = play(&cluster(150, 1, &settings, &format!("{COMMITS}{back}")));
    let begun = times(&run, PG1, |what| matches!(what, What::CheckpointStarted { .. }));
    assert_eq!(begun, [ms(90_000), ms(150_000)]);
}

#[test]
fn faults_come_again_and_at_moments_that_the_seed_decides() {
    let resets =
        fault("f", "link_reset", "between = ['pg1', 'pg2']\nevery = '20s'\ntimes = 3", "10s");
    let run = play(&cluster(90, 1, &[], &format!("{COMMITS}{resets}")));
    let ended = |what: &What| matches!(what, What::SenderEnded { .. });
    assert_eq!(times(&run, PG1, ended), [ms(10_000), ms(30_000), ms(50_000)]);
    let text = format!(
        "duration = '10min'\n[server.pg1]\n{COMMITS}[fault.f]\nkind = 'freeze'\nserver = 'pg1'\n\
         at = {{ between = ['10s', '20s'] }}\nfor = {{ min = '1s', max = '3s' }}\nevery = '60s'\n"
    );
    let run = play(&text);
    let frozen = times(&run, PG1, |what| matches!(what, What::Frozen { .. }));
    let thawed = times(&run, PG1, |what| matches!(what, What::Thawed));
    assert_eq!((frozen.len(), thawed.len()), (10, 10), "{}", story(&run));
    for (n, (from, to)) in frozen.iter().zip(&thawed).enumerate() {
        let minute = 60_000 * n as u64;
        assert!((ms(minute + 10_000)..=ms(minute + 20_000)).contains(from), "{from}");
        assert!((1_000_000_000..=3_000_000_000).contains(&to.since(*from).0), "{from} {to}");
    }
    let distances: Vec<u64> = frozen.windows(2).map(|two| two[1].since(two[0]).0).collect();
    assert!(distances.iter().any(|d| *d != distances[0]), "{distances:?}");
}
