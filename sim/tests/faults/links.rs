//! Cuts, holds and resets of the link between a primary and its standby.

use models::trace::Run;
use models::trace::fact::{ConnectionEnd, ServerId, What};
use models::units::{Duration, SegmentSize, SimTime};

use crate::questions::{PG1, PG2, facts, ms, play, story, times};
use crate::{BETWEEN, COMMITS, SYNC, assert_all_is_well, cluster, fault, unanswered};

fn cut(at_ms: u64, lasts: &str) -> String {
    fault("f", "link_cut", &format!("{BETWEEN}\n{lasts}"), &format!("{at_ms}ms"))
}

fn ended(what: &What) -> bool {
    matches!(what, What::ReceiverEnded { .. } | What::SenderEnded { .. })
}

fn streaming(what: &What) -> bool {
    matches!(what, What::StreamingStarted { .. })
}

/// When a walsender or walreceiver ended for want of an answer.
fn timed_out(run: &Run) -> [Option<SimTime>; 2] {
    let timeout = |what: &What| {
        matches!(
            what,
            What::ReceiverEnded { why: ConnectionEnd::Timeout, .. }
                | What::SenderEnded { why: ConnectionEnd::Timeout, .. }
        )
    };
    [PG1, PG2].map(|server| times(run, server, timeout).first().copied())
}

#[test]
fn a_short_cut_breaks_no_connection_and_ends_with_a_retransmission() {
    let faults = cut(20_000, "for = '20s'");
    let run = play(&cluster(60, 1, &[SYNC], &format!("{COMMITS}{faults}")));
    let broken = run.facts.iter().any(|f| ended(&f.what));
    assert!(!broken, "{}", story(&run));
    // The first thing lost was sent within 10 ms of the cut, and again 0.2, 0.6, ... 12.6 and
    // 25.4 s later; who waited longest waited for that.
    let longest = run.summary.latency_ms.max;
    assert!((25_380.0..25_420.0).contains(&longest), "{longest}");
    let again = run.facts.iter().find_map(|fact| match fact.what {
        What::SendsAgain { to: PG2, at } if fact.server == Some(PG1) => Some((fact.at, at)),
        _ => None,
    });
    let (told, at) = again.expect("the story says when TCP sends again");
    assert_eq!(told, SimTime::ZERO + Duration::s(40));
    let (from, to) = (Duration::ms(45_400), Duration::ms(45_410));
    assert!((SimTime::ZERO + from..SimTime::ZERO + to).contains(&at), "{at:?}");
    assert!(run.summary.standbys[0].lag_bytes.max >= 2_000 * 500, "{:?}", run.summary.standbys);
    assert!(unanswered(&run) <= 1);
    assert_all_is_well(&run);
}

#[test]
fn a_standby_whose_replies_wait_for_tcp_is_silent_though_wal_reaches_it() {
    let faults = cut(20_000, "for = '40s'");
    let run = play(&cluster(120, 1, &[SYNC], &format!("{COMMITS}{faults}")));
    let again = |server, to: ServerId| {
        let mut facts = run.facts.iter().filter(|fact| fact.server == Some(server));
        facts.find_map(|fact| match fact.what {
            What::SendsAgain { to: other, at } if other == to => Some(at),
            _ => None,
        })
    };
    let (wal, replies) = (again(PG1, PG2), again(PG2, PG1));
    let [Some(gave_up), _] = timed_out(&run) else { panic!("{}", story(&run)) };
    // The walsender has heard nothing for a minute, between the one and the other.
    assert!(wal.is_some_and(|at| at < gave_up), "{}", story(&run));
    assert!(replies.is_some_and(|at| at > gave_up), "{}", story(&run));
    assert_all_is_well(&run);
}

#[test]
fn only_commits_that_wait_for_the_standby_wait_for_the_link() {
    let faults = cut(20_000, "for = '20s'");
    for level in ["off", "local", "remote_write", "on", "remote_apply"] {
        let settings = [SYNC, ("synchronous_commit", level)];
        let run = play(&cluster(60, 1, &settings, &format!("{COMMITS}{faults}")));
        let waits = run.summary.latency_ms.max > 20_000.0;
        assert_eq!(waits, !["off", "local"].contains(&level), "{level}");
        assert!(waits || run.summary.latency_ms.max < 10.0, "{level}");
        assert!(unanswered(&run) <= 1, "{level}");
        assert_all_is_well(&run);
    }
}

#[test]
fn what_a_hold_kept_passes_at_once() {
    let faults = fault("f", "link_hold", &format!("{BETWEEN}\nfor = '20s'"), "20s");
    let run = play(&cluster(60, 1, &[SYNC], &format!("{COMMITS}{faults}")));
    assert!(!run.facts.iter().any(|f| ended(&f.what)), "{}", story(&run));
    let longest = run.summary.latency_ms.max;
    assert!((19_980.0..20_010.0).contains(&longest), "{longest}");
    assert_all_is_well(&run);
}

#[test]
fn a_long_cut_is_noticed_by_both_ends_and_the_stream_begins_again_at_a_segment() {
    let faults = cut(20_000, "for = '70s'");
    let run = play(&cluster(120, 1, &[SYNC], &format!("{COMMITS}{faults}")));
    // With traffic each end has heard the other within 10 ms of the cut.
    for (server, at) in ["pg1", "pg2"].iter().zip(timed_out(&run)) {
        let at = at.unwrap_or_else(|| panic!("{server} notices\n{}", story(&run)));
        assert!((ms(79_980)..=ms(80_000)).contains(&at), "{server} at {at}");
    }
    // The new connection's requests go out 1, 2, 4, 8 s apart from 80 s on: that of 95 s arrives.
    let begun = facts(&run, PG2, streaming);
    let [_, (at, What::StreamingStarted { start, .. })] = begun[..] else { panic!("{begun:?}") };
    assert!((ms(94_980)..=ms(95_010)).contains(&at), "{at}");
    assert_eq!(start, start.segment_start(SegmentSize::DEFAULT));
    // Whoever waited was answered then.
    let longest = run.summary.latency_ms.max;
    assert!((74_900.0..75_100.0).contains(&longest), "{longest}");
    assert!(unanswered(&run) <= 1);
    assert_all_is_well(&run);
}

#[test]
fn commits_wait_to_the_end_of_a_cut_that_does_not_heal() {
    let faults = cut(20_000, "");
    let run = play(&cluster(60, 1, &[SYNC], &format!("{COMMITS}{faults}")));
    assert!((3_998..=4_002).contains(&unanswered(&run)), "{:?}", run.summary.commits);
    let standby = &run.summary.standbys[0];
    assert!(!standby.connected || standby.lag_bytes.end >= 2_000 * 500, "{standby:?}");
    // The socket takes what is sent until it is full.
    assert!(standby.sent_lsn >= standby.flush_lsn, "{standby:?}");
}

/// How long after a cut of an idle link each end notices, for cuts at many moments.
fn detection(settings: &[(&str, &str)], moments: u64, apart: u64) -> [Vec<Duration>; 2] {
    let mut found = [Vec::new(), Vec::new()];
    for n in 0..moments {
        let at = 100_000 + n * apart;
        let run = play(&cluster(200, 1, settings, &cut(at, "")));
        for (found, ended) in found.iter_mut().zip(timed_out(&run)) {
            found.extend(ended.map(|ended| ended.since(ms(at))));
        }
    }
    found
}

fn assert_spread(what: &str, found: &[Duration], from: u64, to: u64) {
    let (low, high) = (Duration::ms(from), Duration::ms(to));
    assert!(found.iter().all(|d| (low..=high).contains(d)), "{what}: {found:?}");
    let (first, last) = (found.iter().min(), found.iter().max());
    let (Some(first), Some(last)) = (first, last) else { panic!("{what}: nobody notices") };
    let spread = *last - *first;
    assert!(spread.0 * 10 >= (high - low).0 * 8, "{what}: {first:?} to {last:?}");
}

#[test]
fn at_defaults_a_walsender_notices_a_cut_of_an_idle_link_after_50_to_60_s() {
    let [senders, receivers] = detection(&[], 20, 1_510);
    assert_eq!((senders.len(), receivers.len()), (20, 20));
    assert_spread("walsender", &senders, 50_000, 60_000);
    // It pings after half of its timeout, and hears nothing else on an idle link.
    assert_spread("walreceiver", &receivers, 30_000, 60_000);
}

#[test]
fn with_a_short_timeout_the_pings_decide_when_a_cut_is_noticed() {
    let settings = [("wal_sender_timeout", "3s"), ("wal_receiver_timeout", "0")];
    let [senders, receivers] = detection(&settings, 30, 157);
    assert_eq!((senders.len(), receivers.len()), (30, 0));
    assert_spread("walsender", &senders, 1_500, 3_000);
    let settings = [("wal_receiver_timeout", "4s"), ("wal_sender_timeout", "0")];
    let [senders, receivers] = detection(&settings, 30, 157);
    assert_eq!((senders.len(), receivers.len()), (0, 30));
    assert_spread("walreceiver", &receivers, 2_000, 4_000);
}

#[test]
fn a_reset_is_noticed_at_once_and_only_the_second_retry_waits() {
    let reset = |name, at| fault(name, "link_reset", BETWEEN, at);
    let faults = reset("a", "20s") + &reset("b", "22s") + &reset("c", "40s");
    let run = play(&cluster(60, 1, &[SYNC], &format!("{COMMITS}{faults}")));
    for server in [PG1, PG2] {
        assert_eq!(times(&run, server, ended), [ms(20_000), ms(22_000), ms(40_000)]);
    }
    let begun = times(&run, PG2, streaming);
    // At once; then 5 s after the first failure; then at once, as the last failure is long ago.
    for (at, wanted) in begun[1..].iter().zip([20_000, 25_000, 40_000]) {
        assert!((ms(wanted)..ms(wanted + 5)).contains(at), "{begun:?}");
    }
    assert_eq!(begun.len(), 4);
    assert_eq!(times(&run, PG2, |what| matches!(what, What::WaitingForWal { .. })), [ms(22_000)]);
    assert_all_is_well(&run);
}

#[test]
fn a_cut_heals_when_the_last_of_two_that_overlap_does() {
    let two = fault("a", "link_cut", &format!("{BETWEEN}\nfor = '10s'"), "20s")
        + &fault("b", "link_cut", &format!("{BETWEEN}\nfor = '10s'"), "25s")
        + &fault("c", "link_hold", &format!("{BETWEEN}\nfor = '3s'"), "33s");
    let run = play(&cluster(80, 1, &[SYNC], &format!("{COMMITS}{two}")));
    // Healed at 35 s; sent again at 32.6 and 45.4 s. The hold ends at 36 s and delays nothing.
    let longest = run.summary.latency_ms.max;
    assert!((25_380.0..25_420.0).contains(&longest), "{longest}");
    assert_all_is_well(&run);
}

#[test]
fn positions_after_a_reconnect_begin_at_the_segment_and_catch_up() {
    // 40 MB before the cut: the segment's start is well above the start of the run.
    let bulk = "[workload.b]\nbulk = '40MB'\nat = '1s'\nover = '2s'\n";
    let timeouts = [("wal_sender_timeout", "4s"), ("wal_receiver_timeout", "4s")];
    let text = cluster(60, 1, &timeouts, &format!("{bulk}{COMMITS}{}", cut(20_000, "for = '9s'")));
    let run = play(&text);
    let begun = facts(&run, PG2, streaming);
    let [
        (_, What::StreamingStarted { start: first, .. }),
        (_, What::StreamingStarted { start, .. }),
    ] = begun[..]
    else {
        panic!("{}", story(&run))
    };
    assert!(start.since(first).0 >= 32 << 20, "{first} {start}");
    assert_eq!(start, start.segment_start(SegmentSize::DEFAULT));
    let asked = facts(&run, PG1, |what| matches!(what, What::SenderStarted { .. }));
    assert!(
        matches!(asked[..], [(_, What::SenderStarted { start: asked, .. })] if asked == start),
        "{asked:?}"
    );
    assert_all_is_well(&run);
}
