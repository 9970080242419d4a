//! Servers that stop running without dying.

use models::trace::fact::{ConnectionEnd, Refusal, What};

use crate::questions::{PG1, PG2, facts, ms, play, story, times};
use crate::{COMMITS, SYNC, assert_all_is_well, cluster, fault, unanswered};

fn frozen(server: &str, what: &str, lasts: &str) -> String {
    let keys = format!("server = '{server}'\nwhat = '{what}'\nfor = '{lasts}'");
    fault("f", "freeze", &keys, "20s")
}

fn ended(what: &What) -> bool {
    matches!(what, What::ReceiverEnded { .. } | What::SenderEnded { .. })
}

#[test]
fn a_short_freeze_breaks_no_connection() {
    for (server, what, longest) in [
        ("pg1", "processes", 20_000.0),
        // The standby's status update of 30 s was lost; it comes again 12.6 s later, and the
        // replies behind it.
        ("pg1", "host", 22_593.0),
        ("pg2", "processes", 20_000.0),
        // WAL of 20 s was lost, and comes again 25.4 s later.
        ("pg2", "host", 25_400.0),
    ] {
        let text = format!("{COMMITS}{}", frozen(server, what, "20s"));
        let run = play(&cluster(70, 1, &[SYNC], &text));
        assert!(!run.facts.iter().any(|f| ended(&f.what)), "{server}\n{}", story(&run));
        let found = run.summary.latency_ms.max;
        let bound = longest - 20.0..longest + 20.0;
        assert!(bound.contains(&found), "{server} {what}: {found}");
        assert!(unanswered(&run) <= 1, "{server} {what}");
        assert_all_is_well(&run);
    }
}

#[test]
fn a_frozen_standby_is_given_up_and_streams_again_as_soon_as_it_thaws() {
    for what in ["processes", "host"] {
        let text = format!("{COMMITS}{}", frozen("pg2", what, "90s"));
        let run = play(&cluster(150, 1, &[SYNC], &text));
        let given_up = facts(&run, PG1, ended);
        let [(at, What::SenderEnded { why: ConnectionEnd::Timeout, .. })] = given_up[..] else {
            panic!("{}", story(&run))
        };
        assert!((ms(79_980)..=ms(80_000)).contains(&at), "{at}");
        // Its kernel took the walsender's farewell while its processes stood still; a host that
        // stood still finds that it has heard nothing for too long. WAL that lay before the
        // farewell is fsynced first.
        let why = match what {
            "processes" => ConnectionEnd::PeerClosed,
            _ => ConnectionEnd::Timeout,
        };
        let own = facts(&run, PG2, ended);
        assert!(
            matches!(own[..], [(at, What::ReceiverEnded { why: w, .. })]
                if (ms(110_000)..=ms(110_001)).contains(&at) && w == why),
            "{own:?}"
        );
        let begun = times(&run, PG2, |what| matches!(what, What::StreamingStarted { .. }));
        assert!((ms(110_000)..ms(110_100)).contains(&begun[1]), "{begun:?}");
        let longest = run.summary.latency_ms.max;
        assert!((89_980.0..90_030.0).contains(&longest), "{longest}");
        assert_all_is_well(&run);
    }
}

#[test]
fn a_frozen_primary_is_given_up_and_its_clients_are_answered_when_it_thaws() {
    for what in ["processes", "host"] {
        let text = format!("{COMMITS}{}", frozen("pg1", what, "90s"));
        let run = play(&cluster(180, 1, &[SYNC], &text));
        let given_up = facts(&run, PG2, ended);
        let [(at, What::ReceiverEnded { why: ConnectionEnd::Timeout, .. })] = given_up[..] else {
            panic!("{}", story(&run))
        };
        assert!((ms(79_980)..=ms(80_000)).contains(&at), "{at}");
        let begun = times(&run, PG2, |what| matches!(what, What::StreamingStarted { .. }));
        // Into processes that stand still the connection is made by the kernel; into a host that
        // stands still the request of 111 s (80 + 1 + 2 + 4 + 8 + 16) is the first to arrive.
        let back = if what == "processes" { 110_000 } else { 111_000 };
        assert!((ms(back - 30)..ms(back + 10)).contains(&begun[1]), "{what}: {begun:?}");
        assert!((run.summary.servers[0].downtime_seconds - 90.0).abs() < 1e-9);
        assert!(unanswered(&run) <= 1, "{:?}", run.summary.commits);
        assert_all_is_well(&run);
    }
}

#[test]
fn clients_of_a_closed_loop_go_on_when_a_frozen_primary_thaws() {
    let clients = "[workload.w]\nclients = 10\nthink = '9ms'\nwal = '500B'\n";
    let run = play(&cluster(60, 1, &[], &format!("{clients}{}", frozen("pg1", "host", "20s"))));
    // Each makes one commit in 10.04 to 11.04 ms, for 40 s; during the freeze each waits in one.
    let commits = run.summary.commits;
    assert!((35_000..40_000).contains(&commits.acknowledged), "{commits:?}");
    assert_eq!((commits.unknown, commits.lost), (0, 0));
    assert!(commits.attempted - commits.acknowledged <= 10, "{commits:?}");
    assert!((19_980.0..20_020.0).contains(&run.summary.latency_ms.max));
}

#[test]
fn a_crash_ends_a_freeze_and_the_server_starts_when_both_have_healed() {
    for (what, starts) in [("processes", 50_000), ("host", 50_000)] {
        let crash = fault("g", "crash", "server = 'pg2'\nfor = '20s'", "30s");
        let text = format!("{COMMITS}{}{crash}", frozen("pg2", what, "15s"));
        let run = play(&cluster(90, 1, &[SYNC], &text));
        let began = times(&run, PG2, |what| matches!(what, What::Starting));
        assert_eq!(began, [ms(starts)], "{}", story(&run));
        assert!(times(&run, PG2, |what| matches!(what, What::Thawed)).is_empty());
        assert_all_is_well(&run);
    }
}

#[test]
fn a_server_that_is_frozen_to_the_end_is_down_to_the_end() {
    for server in ["pg1", "pg2"] {
        let keys = format!("server = '{server}'");
        let text = format!("{COMMITS}{}", fault("f", "freeze", &keys, "20s"));
        let run = play(&cluster(100, 1, &[SYNC], &text));
        let index = usize::from(server == "pg2");
        assert!((run.summary.servers[index].downtime_seconds - 80.0).abs() < 1e-9);
        let waiting = unanswered(&run);
        assert!((7_998..=8_002).contains(&waiting), "{server}: {waiting}");
        if server == "pg1" {
            // No answer and no refusal: the attempt hangs until the kernel gives it up.
            let failed = facts(&run, PG2, |what| matches!(what, What::ConnectFailed { .. }));
            assert!(failed.is_empty(), "{failed:?}");
        }
    }
}

#[test]
fn an_attempt_to_connect_to_a_silent_host_ends_with_the_kernels_patience() {
    let keys = "server = 'pg1'\nwhat = 'host'";
    let text = format!("{COMMITS}{}", fault("f", "freeze", keys, "20s"));
    let run = play(&cluster(400, 1, &[], &text));
    let failed = facts(&run, PG2, |what| matches!(what, What::ConnectFailed { .. }));
    // Given up at 80 s; 127 s later; at once again, as the failure before is long ago.
    let seconds: Vec<u64> = failed.iter().map(|(at, _)| at.0.div_ceil(1_000_000_000)).collect();
    assert_eq!(seconds, [207, 334], "{failed:?}");
    let timeout =
        |what: &What| matches!(what, What::ConnectFailed { why: Refusal::ConnectTimeout, .. });
    assert!(failed.iter().all(|(_, what)| timeout(what)), "{failed:?}");
}
