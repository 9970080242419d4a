//! Space-time diagrams from outside: `walden export --format diagram` and
//! `walden explain --commit N --diagram FILE`.
//!
//! What a diagram shows is read back from the SVG, and held against the trace of the same window
//! and against `walden explain --json`.

mod common;

use std::fs;

use common::Room;
use serde_json::Value;

/// A standby that commits wait for, whose link is held and then cut; one across an ocean.
const PLAYED: &str = "\
duration = '40s'

[postgresql]
synchronous_standby_names = 'pg2'

[server.pg1]

[server.pg2]
upstream = 'pg1'

[server.pg3]
upstream = 'pg1'
site     = 'overseas'

[link.ocean]
between = ['pg1', 'overseas']
rtt     = '60ms'

[workload.orders]
rate = '40/s'

[fault.hold]
kind    = 'link_hold'
between = ['pg1', 'pg2']
at      = '10s'
for     = '100ms'

[fault.cut]
kind    = 'link_cut'
between = ['pg1', 'pg2']
at      = '20s'
for     = '100ms'

[fault.death]
kind   = 'crash'
what   = 'host'
server = 'pg3'
at     = '30s'
for    = '2s'
";

fn room(test: &str) -> Room {
    let room = Room::new(test);
    room.write("x.toml", PLAYED);
    room.run(&["run", "x.toml", "--quiet"]).ends(0);
    room
}

/// A message as it is drawn.
#[derive(Clone, Debug)]
struct Drawn {
    sent: u64,
    arrived: Option<u64>,
    title: String,
    /// Its lines, from one point to another, and whether it has a head.
    lines: Vec<[i64; 4]>,
    has_head: bool,
    is_stopped: bool,
}

fn attribute<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.split(&format!(" {name}=\"")).nth(1)?.split('"').next()
}

/// What stands in the first element of a name.
fn inside<'a>(text: &'a str, element: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("<{element}>")).expect("there is one");
    rest.split_once(&format!("</{element}>")).expect("it ends").0
}

fn number<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("no number: {text}"))
}

fn messages(svg: &str) -> Vec<Drawn> {
    let groups = svg.split("<g class=\"message").skip(1);
    let groups = groups.map(|rest| rest.split("</g>").next().expect("a group ends"));
    let line = |d: &str| {
        let numbers: Vec<i64> =
            d.split(['M', 'L', ' ']).filter(|s| !s.is_empty()).map(number).collect();
        <[i64; 4]>::try_from(numbers).expect("a straight line")
    };
    let drawn = |group: &str| Drawn {
        sent: number(attribute(group, "data-sent").expect("when it was sent")),
        arrived: attribute(group, "data-arrived").map(number),
        title: inside(group, "title").to_owned(),
        lines: group
            .split("<path class=\"arrow")
            .skip(1)
            .map(|path| line(attribute(path, "d").expect("a way")))
            .collect(),
        has_head: group.contains("marker-end"),
        is_stopped: group.contains("class=\"stop\""),
    };
    groups.map(drawn).collect()
}

/// Elements that are opened are closed, in order.
fn is_well_formed(svg: &str) {
    assert!(
        svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\"") && svg.ends_with("</svg>\n")
    );
    let mut open = Vec::new();
    for tag in svg.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').expect("a tag ends");
        let name = tag.split(' ').next().expect("a name");
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None => open.push(name),
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
    }
    assert_eq!(open, Vec::<&str>::new());
    for wanted in ["role=\"img\"", "<title>", "<desc>", "prefers-color-scheme:dark"] {
        assert!(svg.contains(wanted), "no {wanted}");
    }
}

fn export(room: &Room, from: &str, to: &str) -> String {
    let args = ["export", "latest", "-f", "diagram", "--from", from, "--to", to];
    room.run(&args).ends(0).out
}

#[test]
fn every_message_of_a_window_is_there_once_and_none_goes_back_in_time() {
    let room = room("diagram-messages");
    for (from, to, stopped) in [
        ("5s", "5300ms", 0),
        ("9990ms", "10150ms", 2),
        ("19950ms", "20350ms", 3),
        ("29970ms", "30100ms", 5),
    ] {
        let svg = export(&room, from, to);
        is_well_formed(&svg);
        let drawn = messages(&svg);
        let args = ["export", "latest", "-f", "trace", "--from", from, "--to", to];
        let trace: Value = serde_json::from_str(&room.run(&args).ends(0).out).expect("JSON");
        let events = trace["traceEvents"].as_array().expect("events");
        let ends = |phase: &str| {
            let mut ends: Vec<(u64, u64)> = events
                .iter()
                .filter(|event| event["ph"] == phase)
                .map(|event| {
                    let at = event["ts"].as_f64().expect("a time") * 1_000.0;
                    (event["id"].as_u64().expect("a number"), at.round() as u64)
                })
                .collect();
            ends.sort_unstable();
            ends
        };
        let mut traced: Vec<(u64, u64)> =
            ends("s").into_iter().zip(ends("f")).map(|(s, f)| (s.1, f.1)).collect();
        let mut arrived: Vec<(u64, u64)> =
            drawn.iter().filter_map(|m| m.arrived.map(|at| (m.sent, at))).collect();
        traced.sort_unstable();
        arrived.sort_unstable();
        assert!(arrived.len() > 20, "{from}: {}", arrived.len());
        assert_eq!(arrived, traced, "{from}");
        for message in &drawn {
            assert!(message.arrived.is_none_or(|at| at > message.sent), "{message:?}");
            for [_, above, _, below] in &message.lines {
                assert!(above <= below, "{message:?}");
            }
            assert!(message.lines.len() < 3, "{message:?}");
        }
        let held_up = drawn.iter().filter(|message| message.is_stopped).count();
        assert!(held_up >= stopped && (stopped > 0) == (held_up > 0), "{from}: {held_up}");
        assert_eq!(export(&room, from, to), svg, "the same bytes each time");
    }
}

#[test]
fn what_is_stopped_says_so_and_has_no_head_until_it_arrives() {
    let room = room("diagram-stopped");
    let of = |from: &str, to: &str| {
        let all = messages(&export(&room, from, to));
        all.into_iter().filter(|message| message.is_stopped).collect::<Vec<_>>()
    };
    for (window, then, said, later) in [
        (("20010ms", "20090ms"), "20350ms", "lost on a link that is cut", "sent again after a cut"),
        (("10010ms", "10090ms"), "10350ms", "held by the link", "held by the link"),
    ] {
        let during = of(window.0, window.1);
        assert!(!during.is_empty());
        for message in &during {
            assert!(message.title.ends_with(said), "{message:?}");
            assert!(!message.has_head && message.arrived.is_none(), "{message:?}");
        }
        let after = of(window.0, then);
        for message in &during {
            let late = after.iter().find(|other| other.sent == message.sent).expect("still there");
            assert!(late.title.contains(later) && late.has_head, "{late:?}");
            assert!(late.lines.len() == 2 && late.arrived.is_some(), "{late:?}");
        }
    }
}

/// Names, moments and stages of a diagram of a commit.
fn points(svg: &str) -> Vec<(String, u64)> {
    let groups = svg.split("<g class=\"point\"").skip(1);
    groups
        .map(|group| {
            let at = number(attribute(group, "data-at").expect("when"));
            (attribute(group, "data-point").expect("a name").to_owned(), at)
        })
        .collect()
}

#[test]
fn a_commits_points_are_those_that_explain_lists() {
    let room = room("diagram-commit");
    for commit in ["slowest", "100", "1"] {
        let args = ["explain", "latest", "--commit", commit, "--json", "--diagram", "c.svg"];
        let told: Value = serde_json::from_str(&room.run(&args).ends(0).out).expect("an object");
        let svg = fs::read_to_string(room.path("c.svg")).expect("it was drawn");
        is_well_formed(&svg);
        let told = &told["commit"];
        let nanos = |value: &Value| (value.as_f64().expect("seconds") * 1e9).round() as u64;
        let mut wanted = vec![("started".to_owned(), nanos(&told["start_seconds"]))];
        wanted.extend(told["parts"].as_array().expect("parts").iter().map(|part| {
            (part["point"].as_str().expect("a name").to_owned(), nanos(&part["until_seconds"]))
        }));
        assert_eq!(points(&svg), wanted, "{commit}");
        let stages = svg.split("<g class=\"stage\"").skip(1);
        let sum: u64 =
            stages.map(|group| number::<u64>(attribute(group, "data-nanos").expect("ns"))).sum();
        assert_eq!(sum, nanos(&told["latency_seconds"]), "{commit}: its stages sum to it");
        // The record goes to both standbys, and the one across the ocean is waited for to see it.
        let end = told["end_lsn"].as_str().expect("a position");
        for standby in ["pg2", "pg3"] {
            let brought = format!("to {standby}, ");
            let all = messages(&svg);
            let has = |m: &&Drawn| m.title.contains(&brought) && m.title.contains(end);
            assert!(all.iter().any(|m| has(&m)), "{commit}: {standby} gets {end}");
        }
        let args = ["explain", "latest", "--commit", commit, "--diagram", "c.svg"];
        room.run(&args).ends(0).says("together");
        let again = fs::read_to_string(room.path("c.svg")).expect("it was drawn");
        assert!(again == svg, "the same bytes each time");
    }
}

#[test]
fn what_has_nothing_to_do_with_a_commit_is_left_out_if_there_is_much_of_it() {
    let room = Room::new("diagram-busy");
    let run = ["explain", "sync/quorum_across_ocean", "--variant", "both", "--commit", "1000"];
    room.run(&[&run[..], &["--diagram", "c.svg"]].concat()).ends(0);
    let svg = fs::read_to_string(room.path("c.svg")).expect("it was drawn");
    assert!(messages(&svg).len() < 20, "{}", messages(&svg).len());
    assert!(svg.contains("other messages passed meanwhile and are not drawn."));
}

#[test]
fn a_window_with_too_many_messages_says_which_one_has_room() {
    let room = Room::new("diagram-many");
    let run = ["export", "sync/five_levels", "--variant", "on", "-f", "diagram", "--from", "5s"];
    let done = room.run(&[&run[..], &["--to", "6s"]].concat()).ends(3);
    let done = done.complains("messages pass in that window: a diagram has room for 200");
    let fits = done.err.lines().last().and_then(|line| line.split("--to ").nth(1));
    let svg = room.run(&[&run[..], &["--to", fits.expect("a moment")]].concat()).ends(0).out;
    assert!((150..=200).contains(&messages(&svg).len()), "{}", messages(&svg).len());
    // 10 ms unless told otherwise.
    let args = ["export", "basics/one_standby", "-f", "diagram", "--from", "5s"];
    room.run(&args).ends(0).says("Messages from 5.000s to 5.010s");
}

#[test]
fn a_picture_stays_small_however_many_commits_there_are() {
    let room = Room::new("diagram-commits");
    room.write(
        "off.toml",
        "duration = '10s'\n[postgresql]\nsynchronous_commit = 'off'\n[server.pg1]\n\
         [server.pg2]\nupstream = 'pg1'\n[workload.w]\nrate = '8000/s'\n",
    );
    let args = ["export", "off.toml", "-f", "diagram", "--from", "5s", "--to", "6s"];
    let svg = room.run(&args).ends(0).out;
    is_well_formed(&svg);
    let drawn = svg.matches("<g class=\"commit\"").count();
    let height: u64 = number(attribute(&svg, "height").expect("a height"));
    assert!(drawn <= 400 && height < 2_000 && svg.len() < 1 << 20, "{drawn}, {height}");
    let told = svg.split(" more commits were answered and are not drawn.").next();
    let told = told.and_then(|before| before.rsplit('>').next()).expect("how many");
    let trace = room.run(&["export", "off.toml", "-f", "trace", "--from", "5s", "--to", "6s"]);
    let answered = trace.ends(0).out.matches("\"name\":\"COMMIT\"").count();
    assert_eq!(drawn + number::<usize>(&told.replace(',', "")), answered);
}

#[test]
fn files_that_are_in_the_way_and_stray_options_are_told() {
    let room = room("diagram-wrong");
    room.write("mine.svg", "<svg>mine</svg>\n");
    let args = ["explain", "latest", "--commit", "1", "--diagram", "mine.svg"];
    room.run(&args).ends(3).complains("mine.svg is there already, and was not drawn by Walden");
    let args = ["explain", "latest", "--standby", "pg2", "--diagram", "x.svg"];
    room.run(&args).ends(2).complains("--diagram goes with --commit");
    let args = ["explain", "latest", "--commit", "1", "--diagram", "nowhere/x.svg"];
    room.run(&args).ends(5);
    let args = ["export", "latest", "-f", "diagram", "-o", "mine.svg"];
    room.run(&args).ends(3).complains("was not made by an export");
    let args = ["export", "latest", "-f", "diagram", "--from", "41s"];
    room.run(&args).ends(3).complains("--from 41s is after the end of the run");
    assert_eq!(fs::read_to_string(room.path("mine.svg")).expect("still"), "<svg>mine</svg>\n");
}
