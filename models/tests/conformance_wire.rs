//! The messages of a stream against a recorded PostgreSQL 15.18: their sizes, their order, and how
//! often they come.
//!
//! The recording (`conformance/o_wire_trace.json`) has what a proxy between a primary and its
//! standby read, when it came in; positions count from where the WAL ended at first. Each case is
//! played with its delays, and an fsync and a round trip that cost 0.35 and 0.65 ms on top, as for
//! every recording of that machine. Transfers that stand for several messages are taken apart.
//!
//! Equal have to be: each message of WAL, its start and its length; each step of written and
//! flushed in the replies, with the pings and their answers; the steps of replayed, and where it
//! stands in the end. Times within 0.1 s, which is what a walreceiver of 15 sleeps.
//!
//! **Not compared.** Whether a reply after a flush had what startup replayed at that very moment,
//! and the forced reply then repeats it: that is a race of microseconds. How often a walreceiver
//! replied within a bulk of some milliseconds, which depends on how its machine handed it the
//! bytes. `replay_lsn` of a switch, which jumps to the end of its segment when the record is
//! replayed and is above `flush_lsn` until the zeroes have come: here replay never passes the
//! flush. The bgwriter's records (one case has 56 bytes that are played as any WAL; another ends
//! with 96 bytes that are left out). Hot standby feedback. `reconnect_handshake` has only sizes of
//! TCP segments, and messages of a connection's start have no sizes here.

mod agreement;
mod common;

use agreement::{Agreement, Unit};
use common::{Plan, Seen, ServerPlan, World};
use models::clients::ArrivalKind;
use models::latency::Quantiles;
use models::postgres::PgVersion;
use models::postgres::command::{Command, StopMode};
use models::postgres::guc::SynchronousCommit;
use models::postgres::protocol::{Body, MAX_SEND_SIZE, Message};
use models::units::{Bytes, Duration, Lsn, Rate, SegmentSize, SimTime, UsableBytes};
use serde_json::Value;

const RECORDING: &str = include_str!("conformance/o_wire_trace.json");
const SEGMENT: Lsn = Lsn(0x300_0000);
/// Where WAL ends at first, unless a case tells where in its page that was.
const START: Lsn = Lsn(0x301_0100);
/// An fsync on the recorded machine, beside what is injected.
const FSYNC: Duration = Duration::us(350);
/// A round trip through the recorded proxy, beside what is injected.
const ROUND_TRIP: Duration = Duration::us(650);
/// WAL of a transaction that inserts a row.
const COMMIT: i64 = 112;
/// A walreceiver of 15 wakes up so often.
const NAP: f64 = 0.1;

/// A message of a stream; positions from where WAL ended at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    /// XLogData.
    Wal { start: i64, length: i64 },
    /// A keepalive, and whether it asks for a reply.
    Keepalive { asks: bool },
    /// A status update.
    Reply { write: i64, flush: i64, apply: i64, asks: bool },
    /// A command, or an answer to one, of the connection's start.
    Start(&'static str),
}

/// A message and when it was sent, in seconds.
type Sent = (f64, Wire);

/// A recorded case.
struct Case(Value);

impl Case {
    fn named(name: &str) -> Case {
        let recording: Value = serde_json::from_str(RECORDING).expect("JSON");
        let cases = recording["observations"].as_array().expect("a list").iter();
        Case(cases.clone().find(|case| case["scenario"] == name).expect("the case").clone())
    }

    fn param(&self, name: &str) -> f64 {
        self.0["params"][name].as_f64().unwrap_or(0.0)
    }

    /// Moments of the events of this kind.
    fn events(&self, kind: &str) -> Vec<f64> {
        let events = self.0["events"].as_array().expect("events").iter();
        let like = events.filter(|e| e[1].as_str().expect("a text").starts_with(kind));
        like.map(|event| event[0].as_f64().expect("seconds")).collect()
    }

    fn messages(&self) -> Vec<Sent> {
        let messages = self.0["msgs"].as_array().expect("messages").iter();
        messages.filter_map(|m| Some((m[0].as_f64().expect("seconds"), recorded(m)?))).collect()
    }

    /// A primary and a standby with the recorded delays, and WAL that ends at `start`.
    fn plan(&self, start: Lsn) -> Plan {
        let version = PgVersion::new(15).expect("a version");
        let ms = |name: &str| Duration((self.param(name) * 1e6) as u64);
        let mut servers = [("pg1", None), ("s1", Some(0))].map(|(name, upstream)| {
            let mut server = ServerPlan::new(name, upstream, version);
            server.fsync = Quantiles::constant(FSYNC.0);
            server.replay = Rate::new(100_000_000).expect("not zero");
            let round_trip = Duration(2 * ms("net_oneway_ms").0) + ROUND_TRIP;
            server.link.rtt = Quantiles::constant(round_trip.0);
            server
        });
        servers[1].fsync = Quantiles::constant((FSYNC + ms("standby_fsync_ms")).0);
        Plan { version, seed: 1, start, servers: servers.into() }
    }
}

/// A recorded message, if it is one that is played.
fn recorded(message: &Value) -> Option<Wire> {
    let number = |index: usize| message[index].as_i64().expect("a number");
    Some(match message[2].as_str().expect("a type") {
        "w" => Wire::Wal { start: number(3), length: number(4) },
        "k" => Wire::Keepalive { asks: number(4) == 1 },
        "r" => {
            let [write, flush, apply] = [3, 4, 5].map(number);
            Wire::Reply { write, flush, apply, asks: number(6) == 1 }
        }
        "Startup" => Wire::Start("connect"),
        "other:K" => Wire::Start("accepted"),
        "other:W" => Wire::Start("CopyBoth"),
        "other:D" => Wire::Start("system"),
        "other:Q" => match message[3].as_str().expect("a command") {
            text if text.starts_with("IDENTIFY_SYSTEM") => Wire::Start("IDENTIFY_SYSTEM"),
            text if text.starts_with("START_REPLICATION 0/3000000 ") => {
                Wire::Start("START_REPLICATION")
            }
            text => panic!("what is {text}?"),
        },
        "SSLRequest" | "resp:N" | "other:R" | "other:S" | "other:Z" | "other:T" | "other:C"
        | "h" => return None,
        other => panic!("what is {other}?"),
    })
}

/// The same of a message that was played.
fn played(message: &Message, from: Lsn) -> Vec<Wire> {
    let since = |lsn: Lsn| lsn.0 as i64 - from.0 as i64;
    match message.body {
        Body::XLogData { mut start, end, chunks, .. } => {
            let mut messages = Vec::new();
            while start < end {
                // Each but the last goes up to a page's end (`XLogSendPhysical`).
                let full = (start + Bytes(MAX_SEND_SIZE)).page_start();
                let next = if start + Bytes(MAX_SEND_SIZE) < end { full } else { end };
                messages
                    .push(Wire::Wal { start: since(start), length: since(next) - since(start) });
                start = next;
            }
            assert_eq!(messages.len(), chunks as usize, "{message:?}");
            messages
        }
        Body::Keepalive { reply_requested } => vec![Wire::Keepalive { asks: reply_requested }],
        Body::StatusUpdate { write, flush, apply, reply_requested } => {
            let [write, flush, apply] = [write, flush, apply].map(since);
            vec![Wire::Reply { write, flush, apply, asks: reply_requested }]
        }
        Body::Connect => vec![Wire::Start("connect")],
        Body::Accepted => vec![Wire::Start("accepted")],
        Body::IdentifySystem => vec![Wire::Start("IDENTIFY_SYSTEM")],
        Body::System { .. } => vec![Wire::Start("system")],
        Body::StartReplication { start, .. } => {
            assert_eq!(start, SEGMENT, "it asks for the start of a segment");
            vec![Wire::Start("START_REPLICATION")]
        }
        Body::CopyBoth => vec![Wire::Start("CopyBoth")],
        Body::Refused(_) | Body::CopyDone | Body::Terminate | Body::Close => Vec::new(),
    }
}

fn moment(seconds: f64) -> SimTime {
    SimTime((seconds * 1e9).round() as u64)
}

/// All messages between the two until `end`.
fn run(world: &mut World, from: Lsn, end: f64) -> Vec<Sent> {
    world.run_until(moment(end));
    let seen = world.seen.iter().filter_map(|(at, seen)| match seen {
        Seen::Sent(_, _, message) => Some((at, played(message, from))),
        _ => None,
    });
    seen.flat_map(|(at, wire)| wire.into_iter().map(move |w| (at.0 as f64 / 1e9, w))).collect()
}

fn commit(world: &mut World, at: f64, wal: u64, level: SynchronousCommit) {
    let after = moment(at).since(world.now);
    world.commit(after, Bytes(wal), Some(level), ArrivalKind::Commit);
}

fn wal(messages: &[Sent]) -> Vec<Wire> {
    let all = messages.iter().map(|(_, wire)| *wire);
    all.filter(|wire| matches!(wire, Wire::Wal { .. })).collect()
}

/// What is not a race: all but replies, and each step of written and flushed.
fn steps(messages: &[Sent]) -> Vec<Wire> {
    let told = messages.iter().map(|(_, wire)| match *wire {
        Wire::Reply { write, flush, asks, .. } => Wire::Reply { write, flush, apply: 0, asks },
        other => other,
    });
    let (mut steps, mut last) = (Vec::new(), None);
    for wire in told {
        // A reply that repeats another tells that replay has moved, or that nothing has.
        let is_reply = matches!(wire, Wire::Reply { asks: false, .. });
        if !is_reply || last != Some(wire) {
            steps.push(wire);
        }
        last = if is_reply { Some(wire) } else { last };
    }
    steps
}

/// Each position that replay was at.
fn replayed(messages: &[Sent]) -> Vec<i64> {
    let mut positions: Vec<i64> = messages
        .iter()
        .filter_map(|(_, wire)| match *wire {
            Wire::Reply { apply, .. } => Some(apply),
            _ => None,
        })
        .collect();
    positions.dedup();
    positions
}

/// How many messages are the same, in the same order.
fn in_common(a: &[Sent], b: &[Sent]) -> usize {
    let mut best = vec![0; b.len() + 1];
    for (_, wire) in a {
        let mut diagonal = 0;
        for (n, (_, other)) in b.iter().enumerate() {
            let above = best[n + 1];
            best[n + 1] = if wire == other { diagonal + 1 } else { above.max(best[n]) };
            diagonal = above;
        }
    }
    best[b.len()]
}

/// Compares a case as the header says. Of the recorded messages, all but `raced` are played as
/// they are.
fn compare(
    agreement: &mut Agreement,
    name: &str,
    recorded: &[Sent],
    played: &[Sent],
    raced: usize,
) {
    assert_eq!(steps(recorded), steps(played), "{name}");
    assert_eq!(replayed(recorded), replayed(played), "{name}: replay");
    assert_eq!(in_common(recorded, played) + raced, recorded.len(), "{name}: {played:?}");
    agreement.found(recorded.len() - raced, recorded.len());
}

/// Nothing yet of this recording.
fn nothing_yet() -> Agreement {
    Agreement::told_in("messages of a stream", Unit::Of("s"))
}

#[test]
fn single_commits_are_sent_and_confirmed_as_recorded() {
    let mut agreement = nothing_yet();
    for (name, level, raced) in [
        ("single_commits_on", SynchronousCommit::On, 0),
        ("single_commits_remote_apply", SynchronousCommit::RemoteApply, 2),
    ] {
        let case = Case::named(name);
        let mut world = World::new(&case.plan(START));
        for at in case.events("begin") {
            commit(&mut world, at, 72, level);
        }
        let played = run(&mut world, START, 0.5);
        compare(&mut agreement, name, &case.messages(), &played, raced);
    }
    agreement.holds("o-wire_trace-single", 1);
}

/// The recorded walwriter came round 39 ms after the case began; here it does so at 200 ms.
#[test]
fn commits_of_off_go_when_the_walwriter_has_flushed_them() {
    let case = Case::named("single_commits_off");
    let mut world = World::new(&case.plan(START));
    for at in case.events("begin") {
        commit(&mut world, at + 0.161, 72, SynchronousCommit::Off);
    }
    let mut agreement = nothing_yet();
    compare(&mut agreement, "off", &case.messages(), &run(&mut world, START, 0.9), 1);
    agreement.holds("o-wire_trace-off", 1);
}

/// Commits of `local` come while the standby fsyncs: it takes those that have come together. The
/// recorded fsyncs were up to 1.3 ms longer, so one commit may be taken a round earlier or later.
#[test]
fn a_standby_takes_what_came_while_it_fsynced() {
    let case = Case::named("local_commits_2ms_apart_standby_fsync20");
    let messages = case.messages();
    let mut world = World::new(&case.plan(START));
    for (sent, wire) in &messages {
        if let Wire::Wal { .. } = wire {
            commit(&mut world, sent - FSYNC.as_seconds(), 72, SynchronousCommit::Local);
        }
    }
    let played = run(&mut world, START, 0.2);
    assert_eq!(wal(&messages), wal(&played));
    let replies = |messages: &[Sent]| -> Vec<[i64; 2]> {
        let told = steps(messages).into_iter().filter_map(|wire| match wire {
            Wire::Reply { write, flush, .. } => Some([write, flush]),
            _ => None,
        });
        told.collect()
    };
    let (recorded, played) = (replies(&messages), replies(&played));
    assert_eq!(recorded.len(), played.len(), "{recorded:?} {played:?}");
    for (recorded, played) in recorded.iter().zip(&played) {
        let near = |n: usize| (recorded[n] - played[n]).abs() <= COMMIT;
        assert!(near(0) && near(1), "{recorded:?} {played:?}");
    }
    let mut agreement = nothing_yet();
    let of_wal = wal(&messages).len();
    agreement.found(of_wal, of_wal);
    agreement.holds("o-wire_trace-gathered", 1);
}

#[test]
fn a_bulk_goes_in_messages_of_128_kb_that_end_with_a_page() {
    let case = Case::named("bulk_8MB_one_tx");
    let messages = case.messages();
    // The first message tells where in its page the WAL ended.
    let Wire::Wal { length, .. } = messages[0].1 else { panic!("{:?}", messages[0]) };
    let start = SEGMENT + Bytes(MAX_SEND_SIZE - u64::try_from(length).expect("some"));
    let total = case.0["w_bytes"].as_u64().expect("bytes");
    let mut world = World::new(&case.plan(start));
    let usable = |lsn: Lsn| UsableBytes::from_lsn(lsn, SegmentSize::DEFAULT);
    let bytes = Bytes(usable(start + Bytes(total)).0 - usable(start).0 - 40);
    world.with_server(0, |server, now, out| server.command(now, &Command::Write(bytes), out));
    let played = run(&mut world, start, 1.0);
    assert_eq!(wal(&messages), wal(&played));
    assert_eq!(messages.last().map(|m| m.1), played.last().map(|m| m.1), "all is confirmed");
    let mut agreement = nothing_yet();
    let messages = wal(&messages).len() + 1;
    agreement.found(messages, messages);
    agreement.holds("o-wire_trace-bulk", 1);
}

#[test]
fn a_switch_sends_the_rest_of_its_segment() {
    let case = Case::named("pg_switch_wal");
    let messages = case.messages();
    let recorded: Vec<Wire> = wal(&messages).into_iter().take(61).collect();
    let total: i64 =
        recorded.iter().map(|w| if let Wire::Wal { length, .. } = w { *length } else { 0 }).sum();
    let start = Lsn(SEGMENT.0 + SegmentSize::DEFAULT.bytes() - u64::try_from(total).expect("some"));
    let mut world = World::new(&case.plan(start));
    world.with_server(0, |server, now, out| server.command(now, &Command::SwitchWal, out));
    let played = run(&mut world, start, 1.0);
    assert_eq!(recorded, wal(&played));
    let end = Wire::Reply { write: total, flush: total, apply: total, asks: false };
    assert_eq!(played.last().map(|m| m.1), Some(end));
    assert!(messages.iter().any(|m| m.1 == end), "recorded as well");
    let mut agreement = nothing_yet();
    agreement.found(recorded.len() + 1, recorded.len() + 1);
    agreement.holds("o-wire_trace-switch", 1);
}

/// Compares messages and their times, which the recorded clock tells `ahead` earlier.
fn compare_times(file: &str, case: &Case, played: &[Sent], ahead: f64) {
    let recorded = case.messages();
    let mut agreement = nothing_yet();
    compare(&mut agreement, file, &recorded, played, 0);
    assert_eq!(recorded.len(), played.len(), "{played:?}");
    // Each nap comes on top of those before it.
    let mut worst = 0.0_f64;
    for (n, (recorded, played)) in recorded.iter().zip(played).enumerate() {
        let off = recorded.0 + ahead - played.0;
        assert!((-0.01..=NAP * (n + 1) as f64).contains(&off), "{off} at {recorded:?} {played:?}");
        worst = worst.max(off.abs());
    }
    agreement.near(played.len(), worst);
    agreement.holds(file, 1);
}

#[test]
fn an_idle_standby_replies_ten_seconds_after_its_last_reply() {
    let case = Case::named("idle_33s_defaults");
    let messages = case.messages();
    let ahead = 10.0 - messages[0].0;
    let mut world = World::new(&case.plan(START));
    let after = moment(messages[1].0 + ahead - FSYNC.as_seconds()).since(world.now);
    // A commit record of 40 bytes is on top.
    world.commit(after, Bytes(16), None, ArrivalKind::Step);
    compare_times("o-wire_trace-replies", &case, &run(&mut world, START, 35.0), ahead);
}

#[test]
fn a_walreceiver_pings_at_half_its_timeout() {
    let case = Case::named("idle_14s_receiver_timeout4");
    let mut plan = case.plan(START);
    plan.servers[1].settings.set("wal_receiver_timeout", "4s").expect("a time");
    let mut world = World::new(&plan);
    let ahead = 2.0 - case.messages()[0].0;
    compare_times("o-wire_trace-pings", &case, &run(&mut world, START, 17.0), ahead);
}

/// The standby was down during one commit.
#[test]
fn a_standby_that_comes_back_says_nothing_before_it_has_received() {
    let case = Case::named("reconnect_handshake_standby_restart");
    let end = Lsn(SEGMENT.0 + 124_384);
    let mut world = World::new(&case.plan(Lsn(end.0 - 112)));
    world.with_server(1, |server, now, out| {
        server.command(now, &Command::Stop(StopMode::Fast), out);
    });
    commit(&mut world, 0.1, 72, SynchronousCommit::Local);
    world.run_until(moment(1.0));
    world.seen.clear();
    world.start(1);
    let played = run(&mut world, end, 3.0);
    let mut agreement = nothing_yet();
    compare(&mut agreement, "restart", &case.messages(), &played, 1);
    agreement.holds("o-wire_trace-restart", 1);
}
