//! `walden export` from outside: the same numbers as `walden view` at the same moments, the same
//! bytes each time, what is wrong with a command line, and files that are in the way.
//!
//! `UPDATE_GOLDENFILES=1 cargo test -p walden --test export` records `tests/export/*.txt` anew.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use common::Room;
use serde_json::Value;

/// Two standbys, one of them with a slot and away for a while; a primary that freezes.
const PLAYED: &str = "\
duration   = '2min'

[postgresql]
max_slot_wal_keep_size = '512MB'

[server.pg1]

[server.pg2]
upstream = 'pg1'
replay   = '1MB/s'

[server.pg3]
upstream = 'pg1'
slot     = 'standby_slot'

[workload.orders]
rate = '500/s'
wal  = '4kB'

[action.tidy]
kind   = 'checkpoint'
server = 'pg1'
at     = '40s'

[fault.away]
kind   = 'crash'
server = 'pg3'
at     = '58s'
for    = '20s'

[fault.ice]
kind   = 'freeze'
server = 'pg1'
at     = '100s'
for    = '5s'
";

fn room(test: &str, version: u8) -> Room {
    let room = Room::new(test);
    room.write("x.toml", format!("pg_version = {version}\n{PLAYED}"));
    room.run(&["run", "x.toml", "--quiet"]).ends(0);
    room
}

/// Samples by series and time since the start, in seconds.
fn samples(text: &str) -> BTreeMap<(&str, u64), &str> {
    let sample = |line| {
        let (series, rest) = str::rsplit_once(line, "} ").expect("labels");
        let (value, at) = rest.split_once(' ').expect("a value and a moment");
        let at: u64 = at.parse().expect("whole seconds");
        ((&line[..=series.len()], at - 946_684_800), value)
    };
    text.lines().filter(|line| !line.starts_with('#')).map(sample).collect()
}

/// The cell of a view as CSV: of the first row whose first columns are these.
fn cell(room: &Room, at: u64, server: &str, view: &str, column: &str) -> Option<String> {
    let at = format!("{at}s");
    let args = ["view", "x.toml", view, "--at", &at, "--server", server, "--csv", "-q"];
    let out = room.run(&args).ends(0).out;
    let mut lines = out.lines();
    let names: Vec<&str> = lines.next().expect("a head").split(',').collect();
    let index = names.iter().position(|name| *name == column).expect("such a column");
    let row: Vec<&str> = lines.next()?.split(',').collect();
    Some(row[index].to_owned())
}

/// A WAL position as bytes.
fn bytes(lsn: &str) -> i64 {
    let (high, low) = lsn.split_once('/').expect("a position");
    let part = |digits| i64::from_str_radix(digits, 16).expect("hexadecimal");
    (part(high) << 32) + part(low)
}

#[test]
fn every_number_is_what_the_view_shows_at_that_moment() {
    for version in [14, 17] {
        let room = room(&format!("export-views-{version}"), version);
        let text = room.run(&["export", "x.toml", "-f", "openmetrics"]).ends(0).out;
        let samples = samples(&text);
        let at = |series: &str, at: u64| {
            let found = samples.get(&(series, at));
            (*found.unwrap_or_else(|| panic!("{series} at {at}"))).to_owned()
        };
        let of =
            |name: &str, server: &str| format!("{name}{{job=\"postgres\",instance=\"{server}\"}}");
        for moment in [15, 45, 90] {
            let see = |server: &str, view: &str, column: &str| {
                cell(&room, moment, server, view, column).expect("a row")
            };
            let current = see("pg1", "pg_current_wal_lsn", "pg_current_wal_lsn");
            let replay = see("pg1", "pg_stat_replication", "replay_lsn");
            let sender = "pg_stat_replication_pg_wal_lsn_diff{job=\"postgres\",instance=\"pg1\",\
                          application_name=\"pg2\",client_addr=\"192.0.2.2/32\",\
                          state=\"streaming\",slot_name=\"\",pid=\"1101\"}";
            let diff = (bytes(&current) - bytes(&replay)).to_string();
            assert_eq!(at(sender, moment), diff, "version {version}, {moment} s");

            let restart = see("pg1", "pg_replication_slots", "restart_lsn");
            let slot = "{job=\"postgres\",instance=\"pg1\",slot_name=\"standby_slot\",";
            let diff = (bytes(&current) - bytes(&restart)).to_string();
            let kept = format!("pg_replication_slots_pg_wal_lsn_diff{slot}database=\"\"}}");
            assert_eq!(at(&kept, moment), diff);
            let safe =
                format!("pg_replication_slots_safe_wal_size_bytes{slot}slot_type=\"physical\"}}");
            assert_eq!(at(&safe, moment), see("pg1", "pg_replication_slots", "safe_wal_size"));

            let age = see("pg2", "last_replay", "replay_lag");
            let (_, seconds) = age.rsplit_once(':').expect("an interval");
            let age: f64 = seconds.parse().expect("seconds");
            for name in ["pg_replication_lag_seconds", "pg_replication_last_replay_seconds"] {
                let shown: f64 = at(&of(name, "pg2"), moment).parse().expect("a number");
                assert_eq!(shown, age, "{name}: pg2 has received more than it has replayed");
            }
            let timed = match version {
                14 => ("pg_stat_bgwriter", "checkpoints_req"),
                _ => ("pg_stat_checkpointer", "num_requested"),
            };
            let asked = at(&of(&format!("{}_{}_total", timed.0, timed.1), "pg1"), moment);
            assert_eq!(asked, see("pg1", timed.0, timed.1));
            let received = at(
                "pg_stat_walreceiver_flushed_lsn{job=\"postgres\",instance=\"pg3\",\
                 upstream_host=\"pg1\",slot_name=\"standby_slot\",status=\"streaming\"}",
                moment,
            );
            let flushed = see("pg3", "pg_stat_wal_receiver", "flushed_lsn");
            assert_eq!(received, bytes(&flushed).to_string());
        }
    }
}

#[test]
fn who_cannot_be_asked_leaves_nothing_but_that() {
    let room = room("export-nobody", 17);
    let args = ["export", "latest", "-f", "openmetrics", "--every", "1s"];
    let text = room.run(&args).ends(0).out;
    let samples = samples(&text);
    let shown = |server: &str, at: u64| {
        let of = |(series, moment): &&(&str, u64)| {
            *moment == at && series.contains(&format!("instance=\"{server}\""))
        };
        let named = |(series, moment): &(&str, u64)| {
            let name = series.split('{').next().expect("a name").to_owned();
            (name, samples[&(*series, *moment)])
        };
        samples
            .keys()
            .filter(of)
            .map(named)
            .filter(|(name, _)| !name.starts_with("walden_"))
            .collect::<Vec<_>>()
    };
    let named = |name: &str, value| (name.to_owned(), value);
    assert_eq!(shown("pg3", 60), [named("pg_up", "0"), named("up", "1")]);
    assert_eq!(shown("pg1", 102), [named("up", "0")]);
    assert!(shown("pg3", 90).len() > 10);
    let truth = |name: &str, at: u64| {
        let series = format!("walden_true_{name}{{job=\"postgres\",instance=\"pg3\"}}");
        samples[&(&*series, at)].parse::<f64>().expect("a number")
    };
    assert!(truth("up", 60) == 0.0 && truth("up", 90) == 1.0);
    assert!(truth("replay_lag_seconds", 70) > 11.0, "it has seen nothing since 58 s");
    assert!(truth("flush_lag_bytes", 70) > truth("flush_lag_bytes", 60));
}

/// What OpenMetrics asks of the text as such.
#[test]
fn families_stand_together_and_series_go_on_in_time() {
    let room = room("export-form", 15);
    room.write(
        "v.toml",
        format!("{PLAYED}\n[variant.off]\nset = {{ 'workload.orders.rate' = '10/s' }}\n"),
    );
    for run in ["x.toml", "v.toml"] {
        let text = room.run(&["export", run, "-f", "openmetrics"]).ends(0).out;
        assert!(text.ends_with("\n# EOF\n"));
        let (mut families, mut seen) = (BTreeSet::new(), BTreeSet::new());
        let (mut family, mut last) = (String::new(), (String::new(), 0));
        for line in text.lines().take_while(|line| *line != "# EOF") {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                family = rest.split(' ').next().expect("a name").to_owned();
                assert!(families.insert(family.clone()), "{family} stands in two places");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                assert_eq!(rest.split(' ').next(), Some(&*family));
                let counter = rest.ends_with(" counter");
                assert!(counter || rest.ends_with(" gauge"), "{line}");
            } else {
                let (series, rest) = line.rsplit_once("} ").expect("labels");
                let name = series.split('{').next().expect("a name");
                assert_eq!(name.strip_suffix("_total").unwrap_or(name), family);
                let at: u64 = rest.split(' ').nth(1).and_then(|at| at.parse().ok()).expect("when");
                if last.0 == series {
                    assert!(at > last.1, "{line}");
                } else {
                    assert!(seen.insert(series.to_owned()), "{series} stands in two places");
                }
                last = (series.to_owned(), at);
            }
        }
        assert_eq!(text.contains("variant=\"off\""), run == "v.toml");
        assert!(families.len() > 20 && seen.len() > 40);
    }
}

#[test]
fn the_same_run_gives_the_same_bytes_and_a_part_is_a_part() {
    let room = room("export-same", 17);
    let export = |args: &[&str]| room.run(&[&["export"], args].concat()).ends(0);
    let whole = export(&["latest", "-f", "openmetrics"]).out;
    assert_eq!(export(&["x.toml", "-f", "openmetrics"]).out, whole);
    export(&["latest", "-f", "openmetrics", "-o", "a.om"]);
    export(&["latest", "-f", "openmetrics", "-o", "a.om"]);
    assert_eq!(fs::read_to_string(room.path("a.om")).expect("it was written"), whole);
    let part = export(&["latest", "-f", "openmetrics", "--from", "30s", "--to", "1min"]).out;
    let (whole, part) = (samples(&whole), samples(&part));
    let inside = |(series, at): &(&str, u64)| (30..=60).contains(at) && !series.is_empty();
    let wanted: BTreeMap<_, _> = whole.into_iter().filter(|(key, _)| inside(key)).collect();
    assert_eq!(part, wanted);
    // The digests are those of a run that nobody looks at.
    room.run(&["replay", "latest"]).ends(0);
}

#[test]
fn csv_has_the_same_samples() {
    let room = room("export-csv", 17);
    let text = room.run(&["export", "latest", "-f", "openmetrics"]).ends(0).out;
    let csv = room.run(&["export", "latest", "-f", "csv"]).ends(0).out;
    let mut rows = csv.lines();
    assert_eq!(rows.next(), Some("time_seconds,server,variant,metric,labels,value"));
    let rows: Vec<Vec<&str>> = rows.map(|row| row.split(',').collect()).collect();
    let samples: Vec<(&str, &str)> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (series, rest) = line.rsplit_once("} ").expect("labels");
            (series.split('{').next().expect("a name"), rest.split(' ').next().expect("a value"))
        })
        .collect();
    assert!(rows.iter().all(|row| row.len() == 6 && row[2] == "base"));
    assert_eq!(rows.iter().map(|row| (row[3], row[5])).collect::<Vec<_>>(), samples);
    let slot = "90,pg1,base,pg_replication_slots_wal_status,\
                slot_name=standby_slot;slot_type=physical;wal_status=reserved,1";
    assert!(csv.lines().any(|row| row == slot), "{csv}");
}

/// A trace of the played run: its events.
fn trace(room: &Room, from: &str, to: &str) -> Vec<Value> {
    let args = ["export", "latest", "-f", "trace", "--from", from, "--to", to];
    let text = room.run(&args).ends(0).out;
    assert!(text.starts_with("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n"));
    let mut trace: Value = serde_json::from_str(&text).expect("it is JSON");
    let Value::Array(events) = trace["traceEvents"].take() else { panic!("no events") };
    events
}

/// Nanoseconds of a field in microseconds.
fn nanos(event: &Value, field: &str) -> u64 {
    (event[field].as_f64().expect("a number") * 1_000.0).round() as u64
}

fn is(event: &Value, phase: &str) -> bool {
    event["ph"] == phase
}

/// The thread of an event.
fn thread(event: &Value) -> (u64, u64) {
    (event["pid"].as_u64().expect("a process"), event["tid"].as_u64().expect("a thread"))
}

/// What a viewer of traces relies on.
fn is_well_formed(events: &[Value]) {
    let (mut processes, mut threads) = (BTreeSet::new(), BTreeSet::new());
    let (mut now, mut open) = (0, BTreeMap::<_, Vec<(u64, u64)>>::new());
    let mut arrows: BTreeMap<u64, u64> = BTreeMap::new();
    for event in events {
        if is(event, "M") {
            assert!(threads.is_empty() || event["name"] == "thread_name", "names come first");
            match event["name"].as_str() {
                Some("process_name") => {
                    assert!(processes.insert(event["pid"].as_u64()), "named once: {event}");
                }
                Some("thread_name") => assert!(threads.insert(thread(event)), "once: {event}"),
                _ => {}
            }
            continue;
        }
        let at = nanos(event, "ts");
        assert!(at >= now && processes.contains(&event["pid"].as_u64()), "{event}");
        now = at;
        if is(event, "C") {
            continue;
        }
        assert!(threads.contains(&thread(event)), "{event}");
        // Spans that have not ended contain those that begin now.
        let open = open.entry(thread(event)).or_default();
        open.retain(|(_, end)| *end > at);
        match event["ph"].as_str() {
            Some("X") => {
                let end = at + nanos(event, "dur");
                assert!(open.iter().all(|(_, outer)| end <= *outer), "it sticks out: {event}");
                open.push((at, end));
            }
            Some("s") => {
                assert!(!open.is_empty(), "an arrow begins at nothing: {event}");
                let id = event["id"].as_u64().expect("a number");
                assert_eq!(arrows.insert(id, at), None, "{event}");
            }
            Some("f") => {
                assert!(!open.is_empty(), "an arrow ends at nothing: {event}");
                let sent = arrows.remove(&event["id"].as_u64().expect("a number"));
                assert!(sent.is_some_and(|sent| sent <= at), "{event}");
            }
            Some("i") => {}
            other => panic!("{other:?}: {event}"),
        }
    }
    assert_eq!(arrows, BTreeMap::new(), "arrows that end nowhere");
}

#[test]
fn a_trace_has_every_commit_and_every_message_between_both_ends() {
    let room = room("export-trace", 17);
    let events = trace(&room, "72s", "78s");
    is_well_formed(&events);
    let spans = |name: &str| {
        let named = |event: &&Value| is(event, "X") && event["name"] == name;
        events.iter().filter(named).collect::<Vec<_>>()
    };
    let commits = spans("COMMIT");
    // The run's own series count the same.
    let samples = fs::read_to_string(room.path("runs/latest/base/samples.csv")).expect("series");
    let counted = samples.lines().skip(1).filter_map(|row| {
        let mut cells = row.split(',');
        let at: f64 = cells.next()?.parse().ok()?;
        let count: usize = cells.next()?.parse().ok()?;
        (72.0..78.0).contains(&at).then_some(count)
    });
    assert_eq!(commits.len(), counted.sum::<usize>());
    assert!(commits.len() > 2_500, "{}", commits.len());
    // What a commit waited for adds up to it.
    let stages = ["service", "LWLock:WALWrite", "IO:WalSync", "IPC:SyncRep"];
    let inside: u64 = stages.iter().flat_map(|name| spans(name)).map(|e| nanos(e, "dur")).sum();
    assert_eq!(inside, commits.iter().map(|commit| nanos(commit, "dur")).sum::<u64>());
    // What has lasted for long is cut where the window begins: a viewer shows all of a trace.
    for (name, since) in [("connection", 0.0), ("streaming", 0.0), ("down", 58.0)] {
        let spans = spans(name);
        assert!(!spans.is_empty(), "no {name}");
        assert!(spans.iter().all(|span| nanos(span, "ts") >= 72_000_000_000), "{name}");
        let told = |span: &&Value| span["args"]["since_seconds"].as_f64() == Some(since);
        assert!(spans.iter().any(told), "{name}: {spans:?}");
    }
    // WAL goes one way and replies the other, and each takes half of the round trip or more.
    for (name, from) in [("XLogData", 1), ("status update", 2)] {
        let of = |phase: &str| {
            let named = |event: &&Value| is(event, phase) && event["name"] == name;
            let ends = events.iter().filter(named);
            ends.map(|event| (event["id"].as_u64(), (nanos(event, "ts"), event["pid"].as_u64())))
                .collect::<BTreeMap<_, _>>()
        };
        let (starts, ends) = (of("s"), of("f"));
        assert!(starts.len() > 1_000, "{} of {name}", starts.len());
        for (id, (sent, pid)) in &starts {
            assert!(ends[id].0 > *sent, "{name} {id:?}");
            assert_eq!(*pid == Some(1), from == 1, "{name} comes from one side");
        }
    }
    // Counters are the same numbers as the other formats have.
    let csv = room.run(&["export", "latest", "-f", "csv", "--from", "75s", "--to", "75s"]).ends(0);
    let row = "75,pg2,base,walden_true_replay_lag_bytes,,";
    let lag = csv.out.lines().find_map(|line| line.strip_prefix(row)).expect("pg2's lag");
    let counter = events.iter().find(|event| {
        is(event, "C")
            && event["name"] == "WAL not replayed"
            && event["pid"] == 2
            && nanos(event, "ts") == 75_000_000_000
    });
    assert_eq!(counter.expect("a counter")["args"]["bytes"].to_string(), lag);
}

#[test]
fn a_trace_shows_who_was_away_and_what_was_done() {
    let room = room("export-trace-faults", 17);
    for (from, to, names) in [
        ("39s", "41s", &[("checkpointer", "checkpoint"), ("action tidy", "checkpoint")][..]),
        ("57s", "79s", &[("postmaster", "down"), ("fault away", "crash")]),
        ("99s", "106s", &[("postmaster", "frozen"), ("fault ice", "freeze")]),
    ] {
        let events = trace(&room, from, to);
        is_well_formed(&events);
        let named = |event: &&Value| is(event, "M") && event["name"] == "thread_name";
        let threads: BTreeMap<_, _> =
            events.iter().filter(named).map(|e| (thread(e), e["args"]["name"].clone())).collect();
        for (process, name) in names {
            let there = |event: &Value| {
                is(event, "X") && event["name"] == *name && threads[&thread(event)] == *process
            };
            assert!(events.iter().any(there), "no {name} of {process}");
        }
        let again = trace(&room, from, to);
        assert!(again == events, "the same bytes each time");
    }
}

#[test]
fn what_is_wrong_with_a_command_line_is_told() {
    let room = room("export-wrong", 17);
    room.write("other.txt", "mine\n");
    for (name, code, args) in [
        ("format", 2, &["latest", "-f", "prometheus"][..]),
        ("no-format", 2, &["latest"]),
        ("from", 3, &["latest", "-f", "csv", "--from", "90"]),
        ("after-the-end", 3, &["latest", "-f", "csv", "--to", "3min"]),
        ("backwards", 3, &["latest", "-f", "csv", "--from", "1min", "--to", "30s"]),
        ("negative", 3, &["latest", "-f", "csv", "--from", "-1s"]),
        ("no-step", 3, &["latest", "-f", "csv", "--every", "0"]),
        ("too-fine", 3, &["latest", "-f", "csv", "--every", "1500us"]),
        ("too-many", 3, &["basics/from_production", "-f", "csv", "--every", "10ms"]),
        ("variant", 3, &["latest", "-f", "csv", "--variant", "bas"]),
        ("nowhere", 3, &["nowhere", "-f", "csv"]),
        ("in-the-way", 3, &["latest", "-f", "csv", "-o", "other.txt"]),
        ("folder", 2, &["latest", "-f", "csv", "-o", "runs"]),
        ("no-folder", 5, &["latest", "-f", "csv", "-o", "nowhere/x.csv"]),
        ("no-variant", 3, &["sync/five_levels", "-f", "trace"]),
        (
            "too-much",
            3,
            &["faults/frozen_or_dead", "-f", "trace", "--variant", "dead", "--to", "5min"],
        ),
    ] {
        let done = room.run(&[&["export"], args].concat()).ends(code);
        assert_eq!(done.out, "", "{name}");
        let golden = format!("tests/export/{name}.txt");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(golden);
        if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
            fs::create_dir_all(path.parent().expect("it has one")).expect("it can be made");
            fs::write(&path, &done.err).expect("the golden can be written");
        }
        assert_eq!(done.err, fs::read_to_string(&path).unwrap_or_default(), "{name}");
    }
    assert_eq!(fs::read_to_string(room.path("other.txt")).expect("it is there"), "mine\n");
}

#[test]
fn a_run_that_does_not_repeat_is_not_written() {
    let room = room("export-differs", 17);
    let stored = fs::read_to_string(room.path("runs/latest/run.toml")).expect("a stored run");
    let body = stored.split_once('\n').expect("it has lines").1;
    let toml: toml::Table = body.parse().expect("it is TOML");
    let first = toml["variant"][0]["moments"][0].as_str().expect("a digest");
    let changed = body.replace(first, "0123456789abcdef");
    let sealed =
        format!("checksum = 'crc32 {:08x}'\n{changed}", crc32fast::hash(changed.as_bytes()));
    room.write("y.toml", sealed);
    let done = room.run(&["export", "y.toml", "-f", "csv", "-o", "y.csv"]).ends(1);
    done.complains("base differs at moment 1 of 64");
    assert!(!room.path("y.csv").exists());
}
