//! A look at one moment: it is a moment of the very run, and what it shows follows from what is
//! known of it.

mod scenes;

use models::postgres::statement::Failure;
use models::postgres::views::Query;
use models::trace::fact::ServerId;
use models::trace::look::Shown;
use models::trace::table::Table;
use models::units::{Lsn, SimTime};
use scenarios::scenario::Scenario;
use sim::look::{Moment, Unreachable};
use sim::{Options, Outside};

const PG1: ServerId = ServerId(0);
const PG2: ServerId = ServerId(1);

/// A commit every 10 ms, at 0.04 ms after it; a round trip takes 100 ms, an fsync 1 ms.
const STEADY: &str = "\
duration = '2min'

[server.pg1]
disk = { fsync = '1ms', write = '1GB/s' }

[server.pg2]
upstream = 'pg1'
slot     = 'standby_slot'
disk     = { fsync = '1ms', write = '1GB/s' }

[network]
rtt       = '100ms'
bandwidth = '10Gbit/s'

[workload.orders]
rate     = '100/s'
arrivals = 'constant'
wal      = '200B'
";

fn look(scenario: &Scenario, at: SimTime, commits: &[ServerId]) -> Moment {
    let moment = Moment::of(scenario, at, commits, &Outside::default());
    moment.unwrap_or_else(|error| panic!("{error}"))
}

fn ms(ms: u64) -> SimTime {
    SimTime(ms * 1_000_000)
}

fn table(moment: &Moment, server: ServerId, query: Query) -> Table {
    let answer = moment.ask(server, query).expect("a session can be had");
    answer.unwrap_or_else(|error| panic!("{error:?}"))
}

/// A column of the first row.
fn cell(table: &Table, column: &str) -> Option<String> {
    let index = table.columns.iter().position(|c| c.name == column).expect("a column");
    table.rows.first().expect("a row")[index].clone()
}

/// Milliseconds, cut, of a moment of the first minute.
fn millis(moment: &str) -> u64 {
    let time = moment.strip_prefix("2000-01-01 00:").and_then(|m| m.strip_suffix("+00"));
    let (minutes, seconds) = time.and_then(|m| m.split_once(':')).expect("a moment");
    let (whole, part) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let number = |text: &str| text.parse::<u64>().expect("digits");
    (number(minutes) * 60 + number(whole)) * 1_000 + number(&format!("{part:0<6}")) / 1_000
}

#[test]
fn a_look_at_any_moment_is_of_the_same_run() {
    let stormy = scenes::scenario(include_str!("scenes/stormy.toml"));
    for seed in 1..=8 {
        let scenario = Scenario { seed, ..stormy.clone() };
        let whole = sim::run(&scenario, Options::default(), &Outside::default());
        let whole = whole.unwrap_or_else(|error| panic!("{error}"));
        scenes::assert_sane(&whole);
        for part in 1..=4 {
            let at = SimTime(scenario.duration.0 / 4 * part);
            let moment = look(&scenario, at, &[]);
            let seen = moment.digests();
            let wanted = (part as usize * 16).saturating_sub(1);
            assert!(seen.len() >= wanted, "seed {seed}: {} of {wanted}", seen.len());
            assert_eq!(seen, &whole.moments[..seen.len()], "seed {seed} at {at}");
        }
    }
}

#[test]
fn what_an_operator_observes_is_what_a_look_shows() {
    let observed = "[[step]]\ndo = [{ sleep = '7s' }, { observe = ['pg_stat_replication', \
                    'pg_replication_slots', 'pg_current_wal_lsn'], server = 'pg1' }]\n";
    let scenario = scenes::scenario(&format!("{STEADY}\n{observed}"));
    let run = sim::run(&scenario, Options::default(), &Outside::default()).expect("it plays");
    let seen = look(&scenario, ms(7_000), &[]);
    let observations = serde_json::to_value(run.observations.iter().collect::<Vec<_>>());
    let observations = observations.expect("JSON");
    let rows = |view: usize| &observations[view]["rows"]["rows"][0];
    let senders = table(&seen, PG1, Query::StatReplication);
    for column in ["state", "sent_lsn", "write_lsn", "flush_lsn", "replay_lsn", "sync_state"] {
        assert_eq!(cell(&senders, column).as_deref(), rows(0)[column].as_str(), "{column}");
    }
    let slots = table(&seen, PG1, Query::ReplicationSlots);
    for column in ["slot_name", "restart_lsn", "wal_status"] {
        assert_eq!(cell(&slots, column).as_deref(), rows(1)[column].as_str(), "{column}");
    }
    let current = table(&seen, PG1, Query::CurrentWalLsn);
    assert_eq!(cell(&current, "pg_current_wal_lsn").as_deref(), rows(2)["write_lsn"].as_str());
}

/// A commit is flushed after 1 ms, arrives after 50 more, is flushed and replayed after 1 ms.
#[test]
fn the_last_transaction_replayed_is_the_one_that_was_made_last_of_those() {
    let scenario = scenes::scenario(STEADY);
    for (at, made) in [(10_055, "10"), (10_051, "09.99"), (10_061, "10"), (10_063, "10.01")] {
        let seen = look(&scenario, ms(at), &[PG2]);
        let shown = cell(
            &table(&seen, PG2, Query::LastXactReplayTimestamp),
            "pg_last_xact_replay_timestamp",
        );
        let made = format!("{made:0<5}").replace("10000", "10.00");
        let wanted = format!("2000-01-01 00:00:{made}004+00");
        assert_eq!(shown.as_deref(), Some(&*wanted), "at {at} ms");
    }
    let seen = look(&scenario, ms(20), &[PG2]);
    let last = table(&seen, PG2, Query::LastReplay);
    assert_eq!(last.rows, [[None, None]], "nothing was replayed since the run began");
}

#[test]
fn times_of_messages_are_those_of_their_way() {
    let scenario = scenes::scenario(STEADY);
    let seen = look(&scenario, ms(30_000), &[]);
    let receiver = table(&seen, PG2, Query::StatWalReceiver);
    let at = |column: &str| millis(&cell(&receiver, column).expect("a moment"));
    // Sent right after the flush of the commit at ..40 ms, 50 ms before it is read.
    assert_eq!(at("last_msg_send_time"), 29_941);
    assert_eq!(at("last_msg_receipt_time"), 29_991);
    assert_eq!(cell(&receiver, "latest_end_time"), cell(&receiver, "last_msg_send_time"));
    assert_eq!(cell(&receiver, "latest_end_lsn"), cell(&receiver, "written_lsn"));
    let sender = table(&seen, PG1, Query::StatReplication);
    // The reply to the flush, or to the write, of what was read 50 ms before at the most.
    let replied = millis(&cell(&sender, "reply_time").expect("a moment"));
    assert!((29_941..=29_950).contains(&replied), "{replied}");
    assert_eq!(cell(&sender, "backend_start").as_deref(), Some("2000-01-01 00:00:00+00"));
}

#[test]
fn a_standby_that_is_behind_knows_of_more_wal_than_it_has() {
    let slow = STEADY.replace("10Gbit/s", "200kB/s").replace("'200B'", "'1MB'");
    let seen = look(&scenes::scenario(&slow), ms(100_000), &[]);
    let receiver = table(&seen, PG2, Query::StatWalReceiver);
    let lsn = |column: &str| {
        let text = cell(&receiver, column).expect("a position");
        text.parse::<Lsn>().expect("a position").0
    };
    assert!(lsn("latest_end_lsn") > lsn("written_lsn") + (1 << 20), "{receiver:?}");
}

/// The position is reset with the process, what was flushed outlives it.
#[test]
fn a_stream_that_begins_again_has_written_nothing_yet() {
    let fault = "[fault.reset]\nkind = 'link_reset'\nbetween = ['pg1', 'pg2']\nat = '30s'\n";
    let scenario = scenes::scenario(&format!("{STEADY}\n{fault}"));
    let null = |at: u64| {
        let receiver = table(&look(&scenario, ms(at), &[]), PG2, Query::StatWalReceiver);
        (receiver.rows.len() == 1)
            .then(|| (cell(&receiver, "written_lsn"), cell(&receiver, "flushed_lsn")))
    };
    // Three round trips: connected after one, streaming after three, with WAL half one later.
    assert_eq!(null(30_020), None, "no row while it connects");
    let (written, flushed) = null(30_150).expect("a row as soon as there is a connection");
    assert!(written.is_none() && flushed.is_some(), "{written:?} {flushed:?}");
    let (written, _) = null(31_000).expect("it streams");
    assert!(written.is_some());
    let senders = table(&look(&scenario, ms(31_000), &[]), PG1, Query::StatReplication);
    let began = millis(&cell(&senders, "backend_start").expect("a moment"));
    assert!((30_050..30_150).contains(&began), "{began}");
    assert_eq!(cell(&senders, "client_port").as_deref(), Some("40002"));
}

/// Each moment is shown by the clock of whoever noted it.
#[test]
fn a_clock_that_has_jumped_shows_in_the_moments_of_its_server_alone() {
    let fault = "[fault.jump]\nkind = 'clock_jump'\nserver = 'pg2'\nby = '5min'\nat = '30s'\n";
    let scenario = scenes::scenario(&format!("{STEADY}\n{fault}"));
    let seen = look(&scenario, ms(40_000), &[PG2]);
    let receiver = table(&seen, PG2, Query::StatWalReceiver);
    let at = |column: &str| millis(&cell(&receiver, column).expect("a moment"));
    assert_eq!((at("last_msg_send_time"), at("last_msg_receipt_time")), (39_941, 339_991));
    let sender = table(&seen, PG1, Query::StatReplication);
    let replied = millis(&cell(&sender, "reply_time").expect("a moment"));
    assert!((339_941..=339_950).contains(&replied), "{replied}");
    // The commit has the primary's time, and `now()` is the standby's.
    let lag = cell(&table(&seen, PG2, Query::LastReplay), "replay_lag").expect("an interval");
    assert!(lag.starts_with("00:05:00.05"), "{lag}");
}

/// What was counted of checkpoints: requested, done.
fn checkpoints(moment: &Moment, server: ServerId, version: u8) -> [Option<String>; 2] {
    match version {
        13..=16 => {
            let view = table(moment, server, Query::StatBgwriter);
            [cell(&view, "checkpoints_req"), None]
        }
        17 => [cell(&table(moment, server, Query::StatCheckpointer), "num_requested"), None],
        _ => {
            let view = table(moment, server, Query::StatCheckpointer);
            [cell(&view, "num_requested"), cell(&view, "num_done")]
        }
    }
}

/// Recorded on 13.23, 14.23, 15.18 and 18.4: after a CHECKPOINT, a second one with nothing to do, a
/// restart in order, a crash. The statistics live through the restart and not through the crash;
/// which of the checkpoints at a shutdown and after a crash count depends on the version.
#[test]
fn checkpoints_are_counted_as_each_version_counts_them() {
    let steps = "[[step]]\ndo = [{ sleep = '10s' }, { checkpoint = 'pg1' }, { sleep = '10s' }, \
                 { checkpoint = 'pg1' }, { sleep = '10s' }, { restart = 'pg1' }]\n\
                 [fault.death]\nkind = 'crash'\nserver = 'pg1'\nat = '60s'\nfor = '5s'\n";
    for (version, requested, done) in [
        (13, ["1", "2", "2", "0"], [None; 4]),
        (14, ["1", "2", "3", "0"], [None; 4]),
        (15, ["1", "2", "3", "1"], [None; 4]),
        (18, ["1", "2", "3", "1"], [Some("1"), Some("2"), Some("2"), Some("1")]),
    ] {
        let text = format!("pg_version = {version}\n{STEADY}\n{steps}");
        let scenario = scenes::scenario(&text);
        for (index, at) in [19_000, 29_000, 50_000, 100_000].into_iter().enumerate() {
            let seen = checkpoints(&look(&scenario, ms(at), &[]), PG1, version);
            let wanted = [Some(requested[index]), done[index]];
            assert_eq!(seen.each_ref().map(|c| c.as_deref()), wanted, "{version} at {at} ms");
        }
    }
}

#[test]
fn statistics_begin_again_with_a_crash() {
    let faults = "[[step]]\ndo = [{ sleep = '20s' }, { restart = 'pg1' }]\n\
                  [fault.death]\nkind = 'crash'\nserver = 'pg1'\nat = '60s'\nfor = '5s'\n";
    let scenario = scenes::scenario(&format!("{STEADY}\n{faults}"));
    let shown = |at: u64| {
        let wal = table(&look(&scenario, ms(at), &[]), PG1, Query::StatWal);
        let bytes: u64 = cell(&wal, "wal_bytes").expect("a number").parse().expect("a number");
        (cell(&wal, "stats_reset"), bytes)
    };
    let ((first, before), (second, after)) = (shown(19_000), shown(50_000));
    assert_eq!(first.as_deref(), Some("2000-01-01 00:00:00+00"));
    assert!(second == first && after > 2 * before, "{before}, {after}");
    let (third, crashed) = shown(100_000);
    assert_eq!(third.as_deref(), Some("2000-01-01 00:01:05+00"));
    assert!(crashed < after);
}

/// Recorded on 13.23 to 18.4: the position is there as soon as a stream was asked for.
#[test]
fn a_standby_that_never_got_a_connection_knows_where_it_asked_for_one() {
    let faults = "[fault.primary]\nkind = 'crash'\nserver = 'pg1'\nat = '10s'\nfor = '60s'\n\
                  [fault.standby]\nkind = 'crash'\nserver = 'pg2'\nat = '12s'\nfor = '5s'\n";
    let scenario = scenes::scenario(&format!("{STEADY}\n{faults}"));
    let seen = look(&scenario, ms(30_000), &[]);
    assert_eq!(table(&seen, PG2, Query::StatWalReceiver).rows.len(), 0);
    let received = table(&seen, PG2, Query::LastWalReceiveLsn);
    assert_eq!(received.rows, [[Some("0/3000000".to_owned())]]);
}

#[test]
fn a_server_that_is_not_there_gives_no_session() {
    let faults = "[fault.death]\nkind = 'crash'\nserver = 'pg2'\nat = '10s'\nfor = '5s'\n\
                  [fault.dead_host]\nkind = 'crash'\nwhat = 'host'\nserver = 'pg2'\nat = '30s'\n\
                  for = '5s'\n\
                  [fault.ice]\nkind = 'freeze'\nserver = 'pg1'\nat = '50s'\nfor = '5s'\n";
    let scenario = scenes::scenario(&format!("{STEADY}\n{faults}"));
    let why = |at, server| {
        let answer = look(&scenario, ms(at), &[]).ask(server, Query::IsInRecovery);
        answer.map(|_| ())
    };
    assert_eq!(why(9_000, PG2), Ok(()));
    assert_eq!(why(12_000, PG2), Err(Unreachable::Refused(Failure::NoServer)));
    assert_eq!(why(32_000, PG2), Err(Unreachable::HostDown));
    assert_eq!(why(52_000, PG1), Err(Unreachable::Frozen));
}

/// Whoever looks at a run changes no byte of it, and sees what anybody sees who asks for that
/// moment later.
#[test]
fn looks_during_a_run_leave_no_trace_and_show_what_is_asked_for_later() {
    let stormy = scenes::scenario(include_str!("scenes/stormy.toml"));
    for seed in 1..=4 {
        let scenario = Scenario { seed, ..stormy.clone() };
        let play = |looks| {
            let options = Options { looks, ..Options::default() };
            let run = sim::run(&scenario, options, &Outside::default());
            run.unwrap_or_else(|error| panic!("{error}"))
        };
        let mut looked_at = play(true);
        let looks = std::mem::take(&mut looked_at.looks);
        assert_eq!(format!("{looked_at:?}"), format!("{:?}", play(false)), "seed {seed}");
        let end = SimTime::ZERO + scenario.duration;
        assert_eq!(looks.first().map(|look| look.at), Some(SimTime::ZERO));
        assert_eq!(looks.last().map(|look| look.at), Some(end));
        let silent = looks.iter().filter(|look| look.shown.is_err()).count();
        assert!(silent > 0 && silent < looks.len() / 2, "{silent} of {}", looks.len());
        for seen in looks.iter().step_by(7) {
            let moment = look(&scenario, seen.at, &[]);
            let ask = |query| {
                let told = |why: Unreachable| {
                    let version = moment.server(seen.server).settings().version();
                    why.told(&moment.names()[seen.server.index()], seen.server, version)
                };
                let answer = moment.ask(seen.server, query).map_err(told);
                answer.map(|answer| answer.unwrap_or_else(|error| panic!("{error:?}")))
            };
            let shown = seen.shown.as_ref();
            let shown =
                |table: fn(&Shown) -> &Table| shown.map(table).cloned().map_err(Clone::clone);
            assert_eq!(shown(|s| &s.stat_replication), ask(Query::StatReplication), "{seen:?}");
            assert_eq!(shown(|s| &s.replication_slots), ask(Query::ReplicationSlots), "{seen:?}");
        }
    }
}
