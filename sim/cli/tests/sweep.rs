//! `walden sweep` from outside: the same bytes for any number of threads, the numbers that `run`
//! has for each seed, and a verdict that may be undecided.
//!
//! `UPDATE_GOLDENFILES=1 cargo test -p walden --test sweep` records `tests/sweep/*.txt` anew.

mod common;

use std::fs;
use std::path::Path;

use common::Room;
use serde_json::Value;

/// Commits before a crash of the host: some are lost with level `off`, and none otherwise.
const CRASH: &str = "\
# Which level loses commits when the primary's host dies?
duration = '3s'
[server.pg1]
[server.pg2]
upstream = 'pg1'
[workload.orders]
rate = '200/s'
[fault.crash]
kind = 'crash'
what = 'host'
server = 'pg1'
at = '2s'
for = '500ms'
[expect]
'latency_ms.p50' = '< 5ms'
[variant.off]
set = { 'postgresql.synchronous_commit' = 'off' }
";

fn room(test: &str, expect: &str) -> Room {
    let room = Room::new(test);
    room.write("crash.toml", CRASH.replace("[expect]", &format!("[expect]\n{expect}")));
    room
}

fn compare(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/sweep/{name}.txt"));
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("it can be made");
        fs::write(&path, text).expect("the golden can be written");
    }
    let wanted = fs::read_to_string(&path).unwrap_or_default();
    assert!(text == wanted, "{name}: see this file's header; now it is\n{text}");
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("an object")
}

#[test]
fn the_screen_has_distributions_and_what_was_expected() {
    let room = room("sweep-screen", "'share(commits.lost > 20)' = '< 30%'");
    let done = room.run(&["sweep", "crash.toml", "--seeds", "40"]).ends(1);
    assert_eq!(done.err, "");
    compare("screen", &done.out);
}

#[test]
fn threads_change_nothing_and_every_run_is_that_of_its_seed() {
    let room = room("sweep-threads", "");
    let args = ["sweep", "crash.toml", "--seeds", "9", "--seed", "5", "--json", "--csv"];
    let one = room.run(&[&args[..], &["one.csv", "--threads", "1"]].concat()).ends(0);
    let many = room.run(&[&args[..], &["many.csv", "--threads", "7"]].concat()).ends(0);
    assert_eq!(one.out, many.out);
    let table = fs::read_to_string(room.path("one.csv")).expect("a table");
    assert_eq!(table, fs::read_to_string(room.path("many.csv")).expect("a table"));
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 1 + 9 * 2, "a head, and a row a run");
    let column = |name: &str| rows[0].iter().position(|head| *head == name).expect("a column");
    let of = |row: &[&str], name: &str| row[column(name)].to_owned();
    for seed in [5, 8, 13] {
        let run = room.run(&["run", "crash.toml", "--json", "--seed", &seed.to_string()]).ends(0);
        for variant in json(&run.out)["variants"].as_array().expect("variants") {
            let name = variant["name"].as_str().expect("a name");
            let is_it = |row: &&Vec<&str>| row[0] == seed.to_string() && row[2] == name;
            let row = rows.iter().find(is_it).expect("its row");
            assert_eq!(of(row, "digest"), variant["digest"].as_str().expect("a digest"));
            assert_eq!(of(row, "commits.lost"), variant["commits"]["lost"].to_string());
            let lag = variant["standbys"][0]["lag_bytes"]["max"].to_string();
            assert_eq!(of(row, "standbys.pg2.lag_bytes.max"), lag);
        }
    }
    let most = &json(&one.out)["variants"][1]["metrics"]["commits.lost"]["most"];
    let (seed, value) = (most["seed"].to_string(), most["value"].as_f64().expect("a number"));
    let lost = |row: &&Vec<&str>| of(row, "commits.lost").parse::<f64>().expect("a number");
    let off = || rows.iter().skip(1).filter(|row| row[2] == "off");
    assert_eq!(off().map(|row| lost(&row)).fold(0.0, f64::max), value);
    assert_eq!(off().find(|row| lost(row) == value).expect("a row")[0], seed);
}

#[test]
fn a_share_is_decided_by_its_interval() {
    // The lost tail differs from seed to seed: some share lies in between.
    for (expect, seeds, code) in [
        ("'share(commits.lost > 0)' = '<= 100%'", "3", 0),
        ("'share(commits.lost > 41)' = '< 60%'", "10", 4),
        ("'share(commits.lost > 0)' = '< 5%'", "30", 1),
        ("'share(commits.lost < 100)' = '> 85%'", "30", 0),
        ("'share(commits.lost < 100)' = '> 99%'", "30", 4),
        ("'commits.lost' = '== 0'", "2", 1),
    ] {
        let room = room("sweep-shares", expect);
        let done = room.run(&["sweep", "crash.toml", "--seeds", seeds, "--json"]).ends(code);
        let verdict = json(&done.out)["verdict"].clone();
        let word = ["met", "failed", "", "", "undecided"][code as usize];
        assert_eq!(verdict, word, "{expect}");
    }
}

#[test]
fn one_run_leaves_a_share_out_and_says_so() {
    let room = room("sweep-run", "'share(commits.lost > 0)' = '< 5%'");
    let done = room.run(&["run", "crash.toml"]).ends(0);
    done.says("one expectation is about a share of many runs, which `walden sweep` decides")
        .says("Expectations: 2 of 2 met");
}

#[test]
fn it_stops_where_more_seeds_would_decide_nothing() {
    let room = room("sweep-decide", "'share(commits.lost >= 0)' = '> 80%'");
    let args = ["sweep", "crash.toml", "--seeds", "400", "--decide"];
    let done = room.run(&[&args[..], &["--json"]].concat()).ends(0);
    assert_eq!(json(&done.out)["seeds"], 50, "the first look decides");
    // Four looks, so each has a wider interval than a look at the end alone.
    let low = |done: &str| json(done)["variants"][0]["shares"][0]["low"].as_f64().expect("low");
    let alone = room.run(&["sweep", "crash.toml", "--seeds", "50", "--json"]).ends(0);
    assert!(low(&done.out) < low(&alone.out), "{} {}", low(&done.out), low(&alone.out));
}

#[test]
fn what_is_wrong_is_told_with_what_is_allowed() {
    let room = room("sweep-wrong", "");
    for (args, code, said) in [
        (&["--seeds", "0"][..], 2, "0 is not in 1..=1000000"),
        (&["--seeds", "many"], 2, "invalid value 'many'"),
        (&["--metric", "commits.lots"], 3, "did you mean commits.lost?"),
        (&["--metric", "nonsense"], 3, "`walden list metrics` shows them"),
        (&["--seed", "9223372036854775800"], 3, "is too large for a seed"),
        (&["--seed", "18446744073709551600"], 3, "is too large for a seed"),
        (&["--set", "server.pg9.replay=1MB/s"], 3, "pg9"),
        (&["--csv", "crash.toml/x.csv"], 5, "x.csv"),
    ] {
        let done = room.run(&[&["sweep", "crash.toml"][..], args].concat()).ends(code);
        assert_eq!(done.out, "", "{args:?}");
        done.complains(said);
    }
    room.run(&["sweep", "none.toml"]).ends(3).complains("no such file");
}
