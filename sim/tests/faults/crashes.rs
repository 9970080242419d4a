//! Servers that die, with their page cache or without: what is lost, who waits, who is told.

use models::trace::Run;
use models::trace::fact::{ConnectionEnd, Refusal, Scope, What};
use models::units::{Bytes, Duration, Lsn, SegmentSize, SimTime, UsableBytes};
use sim::world::{Action, World};

use crate::questions::{PG1, PG2, PG3, facts, ms, play, story, times};
use crate::scenes::scenario;
use crate::{COMMITS, SYNC, assert_all_is_well, cluster, fault, unanswered};

fn crash(server: &str, what: &str, lasts: &str) -> String {
    fault("f", "crash", &format!("server = '{server}'\nwhat = '{what}'\n{lasts}"), "20s")
}

fn streaming(what: &What) -> bool {
    matches!(what, What::StreamingStarted { .. })
}

#[test]
fn a_primary_whose_processes_crashed_recovers_and_its_standby_comes_back() {
    let text = format!("{COMMITS}{}", crash("pg1", "processes", "for = '7s'"));
    let run = play(&cluster(60, 1, &[SYNC], &text));
    let told = story(&run);
    let life: Vec<What> = facts(&run, PG1, |what| {
        matches!(
            what,
            What::Crashed { .. }
                | What::Starting
                | What::RecoveryStarted { .. }
                | What::RecoveryDone { .. }
                | What::Ready
        )
    })
    .into_iter()
    .map(|(_, what)| what)
    .collect();
    let [
        What::Crashed { scope: Scope::Processes, .. },
        What::Starting,
        What::RecoveryStarted { redo },
        What::RecoveryDone { end, took },
        What::Ready,
    ] = life[..]
    else {
        panic!("{told}")
    };
    assert!(redo < end && took > Duration::ZERO, "{told}");
    let lost = facts(&run, PG2, |what| matches!(what, What::ReceiverEnded { .. }));
    assert!(
        matches!(lost[..], [(at, What::ReceiverEnded { why: ConnectionEnd::PeerClosed, .. })]
            if at < ms(20_002)),
        "{told}"
    );
    // Refused at once; 5 s after that; and the next time the primary is there.
    let failed = facts(&run, PG2, |what| matches!(what, What::ConnectFailed { .. }));
    let seconds: Vec<u64> = failed.iter().map(|(at, _)| at.0 / 1_000_000_000).collect();
    assert_eq!(seconds, [20, 25], "{told}");
    let refused =
        |what: &What| matches!(what, What::ConnectFailed { why: Refusal::ConnectionRefused, .. });
    assert!(failed.iter().all(|(_, what)| refused(what)), "{told}");
    let begun = times(&run, PG2, streaming);
    assert!((ms(30_000)..ms(30_010)).contains(&begun[1]), "{told}");
    let commits = run.summary.commits;
    assert_eq!(commits.lost, 0, "{commits:?}");
    // Whoever came during the downtime was refused; nobody else is without an answer.
    let refused = run.summary.servers[0].downtime_seconds * 100.0;
    assert!((refused - unanswered(&run) as f64).abs() < 2.0, "{commits:?}, {refused} refused");
    assert_all_is_well(&run);
}

#[test]
fn a_primary_whose_host_crashed_says_nothing_until_it_is_back() {
    let text = format!("{COMMITS}{}", crash("pg1", "host", "for = '15s'"));
    let run = play(&cluster(60, 1, &[SYNC], &text));
    // The standby hears of it when something it sends again reaches the new kernel: its status
    // update of 30 s goes out 0.2, 0.6, 1.4, 3 and 6.2 s later.
    let lost = facts(&run, PG2, |what| matches!(what, What::ReceiverEnded { .. }));
    assert!(
        matches!(lost[..], [(at, What::ReceiverEnded { why: ConnectionEnd::PeerClosed, .. })]
            if (ms(35_000)..ms(36_300)).contains(&at)),
        "{}",
        story(&run)
    );
    assert_eq!(run.summary.commits.lost, 0);
    assert_all_is_well(&run);
}

#[test]
fn a_primary_that_recovers_refuses_connections_until_it_is_ready() {
    // 400 MB to replay at 40 MB/s.
    let bulk = "[workload.b]\nbulk = '400MB'\nat = '1s'\nover = '2s'\n";
    let text = cluster(60, 1, &[], &format!("{bulk}{}", crash("pg1", "processes", "for = '1s'")));
    let text = text.replace("[server.pg1]\n", "[server.pg1]\nreplay = '40MB/s'\n");
    let run = play(&text);
    let ready = times(&run, PG1, |what| matches!(what, What::Ready));
    assert!((ms(30_500)..ms(32_500)).contains(&ready[0]), "{}", story(&run));
    let starting_up =
        |what: &What| matches!(what, What::ConnectFailed { why: Refusal::StartingUp, .. });
    assert_eq!(times(&run, PG2, starting_up).len(), 2, "{}", story(&run));
    assert_all_is_well(&run);
}

/// A world that crashes at a moment; the commits it should have lost, and its summary.
fn crashed_at(at: SimTime, scope: Scope, settings: &[(&str, &str)]) -> (u64, u64, Run) {
    // Nothing but commits of 500 bytes writes WAL before 60 s.
    let scenario = scenario(&cluster(10, 0, settings, &COMMITS.replace("100/s", "1000/s")));
    let mut world = World::new(&scenario, true);
    world.run_until(at, &[]);
    let server = &world.servers()[PG1.index()];
    let inserted = server.replayed(at);
    let survives = match scope {
        Scope::Host => server.flushed(),
        Scope::Processes => server.host.files.written,
    };
    world.apply(Action::Crash { server: PG1, scope });
    let usable = |lsn: Lsn| UsableBytes::from_lsn(lsn, SegmentSize::DEFAULT).0;
    let missing = Bytes(usable(inserted) - usable(survives));
    let commits = missing.0.div_ceil(504);
    let survived = world.servers()[PG1.index()].host.files.written;
    assert!(survived <= survives, "{survived} is left of {survives}");
    (commits, missing.0, world.finish(&scenario))
}

#[test]
fn what_a_crash_loses_of_commits_with_off_is_what_was_not_durable() {
    for scope in [Scope::Host, Scope::Processes] {
        for n in 0..40 {
            let at = ms(3_000) + Duration::us(n * 37_111);
            let (missing, bytes, run) = crashed_at(at, scope, &[("synchronous_commit", "off")]);
            let commits = run.summary.commits;
            assert_eq!(commits.lost, missing, "{scope:?} at {at}: {bytes} bytes are missing");
            // Every answer came when the commit was inserted, 40 us after its start.
            assert_eq!(commits.unknown, 0);
            assert!(commits.acknowledged.abs_diff(at.0 / 1_000_000) <= 1, "{commits:?} at {at}");
            assert_eq!(commits.attempted, 9_999, "every intended start counts");
        }
    }
}

#[test]
fn commits_with_off_lose_at_most_three_times_wal_writer_delay() {
    for (delay, flush_after, rate) in [(200, "1MB", 1), (1_000, "1GB", 1), (50, "1MB", 1)] {
        let value = format!("{delay}ms");
        let settings = [
            ("synchronous_commit", "off"),
            ("wal_writer_delay", value.as_str()),
            ("wal_writer_flush_after", flush_after),
        ];
        let lost: Vec<u64> = (0..60)
            .map(|n| {
                let at = ms(3_000) + Duration::us(n * 51_733);
                crashed_at(at, Scope::Host, &settings).2.summary.commits.lost
            })
            .collect();
        let (most, worst) = (3 * delay * rate, lost.iter().max().copied().unwrap_or(0));
        assert!(worst <= most, "{delay} ms: {worst} of at most {most}");
        assert!(worst * 2 >= delay * rate, "{delay} ms: {lost:?}");
    }
}

#[test]
fn no_crash_loses_a_commit_that_waited_for_its_flush() {
    for level in ["local", "on"] {
        for scope in [Scope::Host, Scope::Processes] {
            for n in 0..20 {
                let at = ms(3_000) + Duration::us(n * 37_111);
                let (_, _, run) = crashed_at(at, scope, &[("synchronous_commit", level)]);
                let commits = run.summary.commits;
                assert_eq!(commits.lost, 0);
                let done = at.0 / 1_000_000;
                assert!((commits.acknowledged + commits.unknown).abs_diff(done) <= 1);
                assert!(commits.unknown <= 3, "{commits:?}: an fsync takes 1 ms");
            }
        }
    }
}

#[test]
fn commits_that_waited_for_a_standby_when_the_primary_died_are_unknown() {
    let cut = fault("c", "link_cut", "between = ['pg1', 'pg2']\nfor = '20s'", "15s");
    let text = format!("{COMMITS}{cut}{}", crash("pg1", "processes", "for = '1s'"));
    let run = play(&cluster(100, 1, &[SYNC], &text));
    let commits = run.summary.commits;
    // From 15 s to 20 s; the second after that refuses.
    assert!((499..=502).contains(&commits.unknown), "{commits:?}");
    let refused = run.summary.servers[0].downtime_seconds * 100.0;
    assert!((refused - unanswered(&run) as f64).abs() < 2.0, "{commits:?}, {refused} refused");
    assert_eq!(commits.lost, 0);
    assert_all_is_well(&run);
}

#[test]
fn a_crash_of_the_host_loses_what_was_not_fsynced() {
    let off = [("synchronous_commit", "off")];
    let text = format!("{COMMITS}{}", crash("pg1", "host", "for = '5s'"));
    let run = play(&cluster(120, 1, &off, &text));
    let what =
        facts(&run, PG1, |what| matches!(what, What::Crashed { .. } | What::RecoveryDone { .. }));
    let [(_, What::Crashed { lost, .. }), (_, What::RecoveryDone { end, .. })] = what[..] else {
        panic!("{}", story(&run))
    };
    let commits = run.summary.commits;
    assert!(commits.lost > 0 && commits.lost <= 60, "{commits:?}, {lost} of written WAL lost");
    // New WAL goes on where the old ended, and the standby follows.
    assert!(run.summary.servers[0].insert_lsn > end);
    assert_all_is_well(&run);
}

/// The longest latency when one of two standbys is gone for 100 s, in seconds.
fn longest_wait(names: &str, what: &str, gone: &str) -> f64 {
    let settings = [("synchronous_standby_names", names)];
    let text = format!("{COMMITS}{}", crash(gone, what, "for = '100s'"));
    let run = play(&cluster(200, 2, &settings, &text));
    assert_eq!(run.summary.commits.lost, 0);
    assert!(unanswered(&run) <= 1, "{names}: {:?}", run.summary.commits);
    assert_all_is_well(&run);
    run.summary.latency_ms.max / 1_000.0
}

#[test]
fn first_and_any_wait_for_a_lost_standby_as_long_as_postgresql_does() {
    // A crash of processes is noticed at once, one of a host after wal_sender_timeout.
    for (names, gone, processes, host) in [
        // The next one takes over at its next reply: WAL comes all the time.
        ("FIRST 1 (pg2, pg3)", "pg2", 0.0, 60.0),
        ("FIRST 1 (pg2, pg3)", "pg3", 0.0, 0.0),
        ("ANY 1 (pg2, pg3)", "pg2", 0.0, 0.0),
        ("ANY 1 (pg2, pg3)", "pg3", 0.0, 0.0),
        ("FIRST 2 (pg2, pg3)", "pg3", 100.0, 100.0),
        ("ANY 2 (pg2, pg3)", "pg2", 100.0, 100.0),
        ("pg3", "pg3", 100.0, 100.0),
        ("*", "pg2", 0.0, 60.0),
    ] {
        for (what, wanted) in [("processes", processes), ("host", host)] {
            let found = longest_wait(names, what, gone);
            assert!((found - wanted).abs() < 0.2, "{names}, {what} of {gone}: {found} s");
        }
    }
}

#[test]
fn the_standby_that_takes_over_says_so_once() {
    let settings = [("synchronous_standby_names", "pg2, pg3")];
    let text = format!("{COMMITS}{}", crash("pg2", "processes", "for = '10s'"));
    let run = play(&cluster(60, 2, &settings, &text));
    let named = facts(&run, PG1, |what| matches!(what, What::SyncStandby { .. }));
    let named: Vec<_> = named
        .iter()
        .map(|(_, what)| match what {
            What::SyncStandby { standby, priority } => (*standby, *priority),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(named, [(PG3, Some(2)), (PG2, Some(1))], "{}", story(&run));
    let states: Vec<&str> = run.summary.standbys.iter().map(|s| s.sync_state).collect();
    assert_eq!(states, ["sync", "potential"]);
}

#[test]
fn a_rebooted_standby_meets_its_own_walsender_in_the_slot() {
    let text = format!("{COMMITS}{}", crash("pg2", "host", "for = '15s'"));
    let text = cluster(90, 1, &[], &text).replace("[server.pg2]\n", "[server.pg2]\nslot = 's'\n");
    let run = play(&text);
    // WAL of 20 s is sent again at 45.4 s; then the old walsender learns that it speaks to nobody.
    let active =
        |what: &What| matches!(what, What::ConnectFailed { why: Refusal::SlotActive { .. }, .. });
    let refused = times(&run, PG2, active);
    let seconds: Vec<u64> = refused.iter().map(|at| at.0 / 1_000_000_000).collect();
    assert_eq!(seconds, [35, 35, 40, 45], "{}", story(&run));
    let given_up = times(&run, PG1, |what| matches!(what, What::SenderEnded { .. }));
    assert!((ms(45_380)..ms(45_420)).contains(&given_up[0]), "{}", story(&run));
    let begun = times(&run, PG2, streaming);
    assert!((ms(50_000)..ms(50_020)).contains(&begun[1]), "{}", story(&run));
    assert_all_is_well(&run);
}

#[test]
fn a_standby_never_reports_what_a_crash_of_its_host_could_take_away() {
    let settings = [SYNC, ("wal_retrieve_retry_interval", "1ms")];
    let text = COMMITS.replace("100/s", "3000/s");
    let scenario = scenario(&cluster(60, 1, &settings, &text));
    let mut world = World::new(&scenario, false);
    let mut reported = Lsn::INVALID;
    for n in 0..4_000_u64 {
        let at = ms(20_000) + Duration::us(n * 9_001);
        world.run_until(at, &[]);
        if n % 11 == 0 {
            // Its stream ends in the middle of whatever it does.
            world.apply(Action::Reset { a: PG1, b: PG2 });
        }
        let standby = &world.servers()[PG2.index()];
        let primary = world.servers()[PG1.index()].primary().expect("it never crashes");
        for known in primary.standbys() {
            reported = reported.max(known.flush);
        }
        assert!(standby.flushed() >= reported, "{} reported {reported}", standby.flushed());
    }
}

#[test]
fn clients_come_back_after_a_crash_in_an_open_and_in_a_closed_loop() {
    let closed = "[workload.w]\nclients = 20\nthink = '10ms'\nwal = '500B'\n";
    for (load, buffers) in [(closed, "-1"), (COMMITS, "-1"), (closed, "64kB")] {
        let settings = [("wal_buffers", buffers)];
        let text = format!("{load}{}", crash("pg1", "processes", "for = '5s'"));
        let run = play(&cluster(60, 1, &settings, &text));
        let commits = run.summary.commits;
        assert!(commits.unknown <= 20 && commits.lost == 0, "{commits:?}");
        // As many a second afterwards as before; a client tries again after a second.
        let rate = |from: u64, to: u64| {
            let rows = &run.samples.commits;
            let of = |at: SimTime| (ms(from)..ms(to)).contains(&at);
            rows.iter().filter(|row| of(row.0)).filter_map(|row| row.1).sum::<u64>() as f64
        };
        let (before, after) = (rate(5_000, 20_000), rate(40_000, 55_000));
        assert!((before - after).abs() <= before * 0.02, "{before} before, {after} after");
        assert_eq!(rate(20_100, 24_900), 0.0);
        assert_all_is_well(&run);
    }
}

#[test]
fn a_transaction_that_waits_for_wal_buffers_does_not_outlive_a_crash() {
    for load in ["rate = '4000/s'", "clients = 200\nthink = '1ms'"] {
        for (kind, lasts) in [("crash", "for = '1s'"), ("crash", ""), ("freeze", "")] {
            let workload = format!("[workload.w]\n{load}\nwal = '4kB'\n");
            let keys = format!("server = 'pg1'\n{lasts}");
            let text = format!("{workload}{}", fault("f", kind, &keys, "5s"));
            let text = cluster(15, 1, &[("wal_buffers", "64kB")], &text);
            let run = play(&text.replace("1ms' }", "50ms' }"));
            let commits = run.summary.commits;
            assert!(commits.acknowledged > 0 && commits.lost == 0, "{commits:?}");
            if load.starts_with("rate") {
                assert!(commits.attempted.abs_diff(60_000) < 1_500, "{commits:?}");
            }
        }
    }
}

#[test]
fn crashes_to_the_end_leave_a_summary_that_says_so() {
    for (server, what) in
        [("pg1", "processes"), ("pg1", "host"), ("pg2", "processes"), ("pg2", "host")]
    {
        let run = play(&cluster(60, 1, &[], &format!("{COMMITS}{}", crash(server, what, ""))));
        let index = usize::from(server == "pg2");
        assert_eq!(run.summary.servers[index].role, "down");
        assert!((run.summary.servers[index].downtime_seconds - 40.0).abs() < 1e-9);
        assert!(!run.summary.standbys[0].connected);
        assert!(run.summary.commits.attempted >= 5_998, "{:?}", run.summary.commits);
        let answered = if server == "pg1" { 1_998..=2_000 } else { 5_998..=6_000 };
        assert!(answered.contains(&run.summary.commits.acknowledged), "{:?}", run.summary.commits);
    }
}

#[test]
fn a_crash_during_recovery_begins_it_again() {
    let bulk = "[workload.b]\nbulk = '400MB'\nat = '1s'\nover = '2s'\n";
    let again = fault("g", "crash", "server = 'pg1'\nwhat = 'host'\nfor = '2s'", "24s");
    let faults = format!("{}{again}", crash("pg1", "processes", "for = '1s'"));
    let text = cluster(60, 1, &[], &format!("{bulk}{faults}"));
    let run = play(&text.replace("[server.pg1]\n", "[server.pg1]\nreplay = '40MB/s'\n"));
    let recovery = facts(&run, PG1, |what| {
        matches!(what, What::RecoveryStarted { .. } | What::RecoveryDone { .. })
    });
    let [
        (_, What::RecoveryStarted { redo: first }),
        (at, What::RecoveryStarted { redo: second }),
        (done, What::RecoveryDone { took, .. }),
    ] = recovery[..]
    else {
        panic!("{}", story(&run))
    };
    assert_eq!((first, at), (second, ms(26_000)));
    assert!(took > Duration::s(9) && done == at + took, "{}", story(&run));
    assert_all_is_well(&run);
}

#[test]
fn a_standby_that_comes_back_does_not_share_its_window_with_a_dead_connection() {
    // The cut keeps its farewell from the old walsender, which goes on sending to nobody.
    let cut = fault("c", "link_cut", "between = ['pg1', 'pg2']\nfor = '18s'", "10s");
    let text = format!(
        "[workload.w]\nwal_rate = '5MB/s'\n{cut}{}",
        crash("pg2", "processes", "for = '2s'")
    );
    let run = play(&cluster(70, 1, &[], &text));
    let given_up = times(&run, PG1, |what| matches!(what, What::SenderEnded { .. }));
    let begun = times(&run, PG2, streaming);
    assert!(given_up[0] > begun[1], "both are there for a while\n{}", story(&run));
    assert_all_is_well(&run);
}
