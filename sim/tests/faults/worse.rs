//! Links that get worse: more delay, less bandwidth, lost packets.

use models::trace::Run;
use models::trace::fact::What;

use crate::questions::{PG1, PG2, facts, ms, play, story, times};
use crate::{BETWEEN, COMMITS, SYNC, assert_all_is_well, cluster, fault, unanswered};

fn worse(name: &str, kind: &str, keys: &str, at: &str) -> String {
    fault(name, kind, &format!("{BETWEEN}\n{keys}"), at)
}

fn commits(seconds: u32, settings: &[(&str, &str)], faults: &str) -> Run {
    let run = play(&cluster(seconds, 1, settings, &format!("{COMMITS}{faults}")));
    assert!(unanswered(&run) <= 1, "{}", story(&run));
    assert_all_is_well(&run);
    run
}

fn assert_near(what: &str, found: f64, wanted: f64) {
    assert!((wanted - 0.3..wanted + 0.6).contains(&found), "{what}: {found}, wanted {wanted}");
}

#[test]
fn a_delay_is_added_to_each_way_that_is_meant() {
    // 1 ms here, 1 ms there, 0.5 ms between them.
    for (from, wanted) in [("", 42.5), ("from = 'pg1'", 22.5), ("from = 'pg2'", 22.5)] {
        let run = commits(
            60,
            &[SYNC],
            &worse("f", "link_delay", &format!("delay = '20ms'\n{from}\nfor = '20s'"), "20s"),
        );
        assert_near(from, run.summary.latency_ms.max, wanted);
        assert_near(from, run.summary.latency_ms.p50, 2.5);
    }
    let two = worse("f", "link_delay", "delay = '20ms'\nfor = '20s'", "20s")
        + &worse("g", "link_delay", "delay = { min = '5ms', max = '10ms' }\nfor = '10s'", "25s");
    let run = commits(60, &[SYNC], &two);
    let longest = run.summary.latency_ms.max;
    assert!((55.0..63.5).contains(&longest), "{longest}");
}

#[test]
fn a_link_with_too_little_bandwidth_falls_behind_and_catches_up() {
    let bulk = "[workload.b]\nwal_rate = '2MB/s'\n";
    let faults = worse("f", "link_bandwidth", "bandwidth = '1MB/s'\nfor = '20s'", "20s");
    let run = play(&cluster(60, 1, &[], &format!("{bulk}{faults}")));
    let standby = &run.summary.standbys[0];
    // 2 MB/s come, 1 MB/s go.
    let lag = standby.lag_bytes.max as f64 / f64::from(1 << 20);
    assert!((19.0..21.5).contains(&lag), "{lag}");
    assert_all_is_well(&run);
    assert!(standby.lag_bytes.end < 1 << 20, "{standby:?}");
    assert!(!run.facts.iter().any(|f| matches!(f.what, What::SenderEnded { .. })));
}

/// What waits for bandwidth leaves at once when it is back: 6 MB of socket buffers would take
/// another 6 s at the old rate.
#[test]
fn what_waited_for_bandwidth_leaves_at_the_new_rate() {
    let bulk = "[workload.b]\nwal_rate = '2MB/s'\n";
    let faults = worse("f", "link_bandwidth", "bandwidth = '1MB/s'\nfor = '20s'", "20s");
    let late = "[workload.c]\nrate = '10/s'\nwal = '500B'\n";
    let run = play(&cluster(45, 1, &[SYNC], &format!("{bulk}{late}{faults}")));
    let standby = &run.summary.standbys[0];
    assert!(standby.lag_bytes.end < 1 << 20, "{standby:?}");
    let longest = run.summary.latency_ms.max;
    assert!((9_000.0..20_000.0).contains(&longest), "{longest}");
}

#[test]
fn a_lost_packet_costs_the_timer_unless_more_comes() {
    // One message a direction each 10 ms: nothing follows within a round trip of 0.5 ms, but the
    // next message tells of the loss.
    let faults = worse("f", "link_loss", "loss = 0.02\nfrom = 'pg1'\nfor = '50s'", "5s");
    let run = commits(60, &[SYNC], &faults);
    let l = run.summary.latency_ms;
    assert_near("the median", l.p50, 2.5);
    assert!((11.0..16.0).contains(&l.p99), "{l:?}");
    // Alone on the link, every loss costs 200 ms.
    let lonely = COMMITS.replace("100/s", "1/s");
    let run = play(&cluster(
        600,
        1,
        &[SYNC],
        &format!("{lonely}{}", worse("f", "link_loss", "loss = 0.05\nfrom = 'pg1'", "0s")),
    ));
    let l = run.summary.latency_ms;
    assert!((200.0..215.0).contains(&l.p99), "{l:?}");
    assert_near("the median", l.p50, 2.5);
}

#[test]
fn more_loss_is_never_less_and_the_same_loss_in_a_file_is_the_same() {
    let longest = |loss: &str| {
        let run = commits(60, &[SYNC], &worse("f", "link_loss", &format!("loss = {loss}"), "0s"));
        run.summary.latency_ms
    };
    let all = ["0", "0.001", "0.01", "0.05"].map(|loss| longest(loss).mean);
    assert!(all.is_sorted(), "{all:?}");
    let network = "[network]\nloss = 0.01\n";
    let run = commits(60, &[SYNC], network);
    assert_eq!(run.summary.latency_ms, longest("0.01"));
}

#[test]
fn a_worse_link_heals_to_what_it_was_and_breaks_no_connection() {
    let faults = worse("a", "link_loss", "loss = 0.3\nfor = '10s'", "20s")
        + &worse("b", "link_delay", "delay = '300ms'\nfor = '10s'", "25s")
        + &worse("c", "link_bandwidth", "bandwidth = '100kB/s'\nfor = '10s'", "30s")
        + &worse("d", "link_cut", "for = '2s'", "33s");
    let run = commits(90, &[SYNC], &faults);
    let ended = |what: &What| matches!(what, What::SenderEnded { .. } | What::ReceiverEnded { .. });
    for server in [PG1, PG2] {
        assert!(times(&run, server, ended).is_empty(), "{}", story(&run));
    }
    assert_near("the median", run.summary.latency_ms.p50, 2.5);
    let healed = facts(&run, PG2, |_| true).into_iter().filter(|(at, _)| *at > ms(40_000));
    assert_eq!(healed.count(), 0, "{}", story(&run));
}
