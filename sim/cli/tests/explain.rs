//! `walden explain` from outside: a commit's parts, a standby's loss, kept WAL, a finding, and what
//! is wrong with a command line.
//!
//! `UPDATE_GOLDENFILES=1 cargo test -p walden --test explain` records `tests/explain/*.txt` anew.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use common::Room;
use serde_json::Value;

fn compare(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/explain/{name}.txt"));
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        fs::write(&path, text).expect("the golden can be written");
    }
    let wanted = fs::read_to_string(&path).unwrap_or_default();
    assert!(text == wanted, "{name}: see this file's header; now it is\n{text}");
}

#[test]
fn each_question_has_its_answer() {
    let room = Room::new("explain-answers");
    let capped = ["slots/offline_capped", "--variant", "base"];
    room.write(
        "cut.toml",
        "duration = '2min'\n[server.pg1]\n[server.pg2]\nupstream = 'pg1'\n\
         [workload.orders]\nrate = '500/s'\n[fault.cut]\nkind = 'link_cut'\n\
         between = ['pg1', 'pg2']\nat = '20s'\nfor = '40s'\n",
    );
    for (name, run, question) in [
        (
            "slowest",
            &["sync/five_levels", "--variant", "remote_apply"][..],
            &["--commit", "slowest"][..],
        ),
        ("off", &["sync/five_levels", "--variant", "off"], &["--commit", "1000"]),
        ("bulk", &["faults/bulk_write", "--variant", "thin_link"], &["--commit", "slowest"]),
        ("no-commit", &["sync/five_levels", "--variant", "on"], &["--commit", "100000000"]),
        ("lost-slot", &capped, &["--standby", "pg2"]),
        ("lost", &["slots/keep_size", "--variant", "2h30min,1GB"], &["--standby", "pg2"]),
        (
            "lost-connected",
            &["slots/connected_without_slot", "--variant", "base"],
            &["--standby", "pg2"],
        ),
        ("behind-link", &["lag/growing_link", "--variant", "base"], &["--standby", "pg2"]),
        ("behind-disk", &["lag/growing_disk", "--variant", "base"], &["--standby", "pg2"]),
        (
            "behind-replay",
            &["sync/remote_apply_slow_replay", "--variant", "on"],
            &["--standby", "pg2"],
        ),
        ("behind-away", &["slots/offline_with_slot", "--variant", "base"], &["--standby", "pg2"]),
        ("behind-cut", &["cut.toml"], &["--standby", "pg2"]),
        ("wal", &capped, &["--wal", "--at", "90min"]),
        ("wal-standby", &capped, &["--wal", "--server", "pg2"]),
        ("wal-keep", &["slots/keep_size", "--variant", "2h30min,1GB"], &["--wal"]),
        ("finding", &["wal005"], &[]),
    ] {
        let args = [&["explain"][..], run, question].concat();
        let done = room.run(&args).ends(i32::from(name == "no-commit"));
        assert_eq!(done.err, "", "{name}");
        compare(name, &done.out);
    }
}

#[test]
fn a_stored_run_is_explained_with_numbers_that_sum_and_agree() {
    let room = Room::new("explain-stored");
    room.write(
        "mine.toml",
        "duration = '20s'\n[postgresql]\nsynchronous_standby_names = 'pg2'\n[server.pg1]\n\
         [server.pg2]\nupstream = 'pg1'\nslot = 's'\n[workload.orders]\nrate = '200/s'\n\
         [fault.cut]\nkind = 'link_cut'\nbetween = ['pg1', 'pg2']\nat = '8s'\nfor = '3s'\n",
    );
    room.run(&["run", "mine.toml"]).ends(0);
    let summary: Value =
        serde_json::from_str(&room.run(&["run", "mine.toml", "--json"]).ends(0).out)
            .expect("an object");
    let asked = |question: &[&str]| -> Value {
        let args = [&["explain", "latest", "--json"][..], question].concat();
        serde_json::from_str(&room.run(&args).ends(0).out).expect("an object")
    };
    let commit = asked(&["--commit", "slowest"])["commit"].clone();
    let seconds = |value: &Value| value.as_f64().expect("a number");
    let parts = commit["parts"].as_array().expect("parts");
    let sum: f64 = parts.iter().map(|part| seconds(&part["seconds"])).sum();
    let latency = seconds(&commit["latency_seconds"]);
    assert!((sum - latency).abs() < 1e-9 && latency > 2.0, "{commit}");
    let most = seconds(&summary["variants"][0]["latency_ms"]["max"]);
    assert!((most - 1_000.0 * latency).abs() <= 0.01 * most, "{most} and {latency}");
    assert_eq!(commit["standby"], "pg2");
    let standby = asked(&["--standby", "pg2"])["standby"].clone();
    assert_eq!(standby["lost"], false);
    let lag = &standby["lag"];
    let part = |name: &str| lag[name].as_u64().expect("bytes");
    let parts = ["unsent_bytes", "sent_bytes", "written_bytes", "flushed_bytes"];
    assert_eq!(parts.map(part).iter().sum::<u64>(), part("bytes"), "{lag}");
    let wal = asked(&["--wal", "--at", "10s"])["wal"].clone();
    let kept = wal["kept"].as_array().expect("ranges");
    let files: u64 = kept.iter().map(|range| range["files"].as_u64().expect("a number")).sum();
    assert_eq!(Some(files), wal["files"].as_u64());
    assert!(kept.iter().any(|range| range["rules"].to_string().contains("slot s (")), "{wal}");
}

/// Names of all members of an object, and of those inside.
fn keys(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            into.extend(members.keys().cloned());
            members.values().for_each(|member| keys(member, into));
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn help_and_book_name_every_key_of_the_objects() {
    let room = Room::new("explain-keys");
    let mut all = BTreeSet::new();
    for (run, variant, question) in [
        ("sync/five_levels", "on", &["--commit", "1"][..]),
        ("slots/connected_without_slot", "base", &["--standby", "pg2"]),
        ("sync/remote_apply_slow_replay", "on", &["--standby", "pg2"]),
        ("slots/offline_capped", "base", &["--wal"]),
    ] {
        let args = [&["explain", run, "--variant", variant, "--json"], question].concat();
        let told: Value = serde_json::from_str(&room.run(&args).ends(0).out).expect("an object");
        keys(&told, &mut all);
    }
    assert!(all.len() > 40, "{all:?}");
    let help = room.run(&["explain", "--help"]).ends(0).out;
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../book/src/reference/explain.md");
    let book = fs::read_to_string(book).expect("the page is there");
    let words: BTreeSet<&str> =
        help.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    for key in &all {
        assert!(words.contains(key.as_str()), "help has no {key}");
        assert!(
            book.contains(&format!("`{key}`")) || book.contains(&format!("`{key}[]`")),
            "{key}"
        );
    }
}

#[test]
fn what_is_wrong_is_told_with_what_is_allowed() {
    let room = Room::new("explain-wrong");
    let mut told = String::new();
    for args in [
        &["sync/five_levels"][..],
        &["sync/five_levels", "--commit", "1"],
        &["sync/five_levels", "--variant", "sometimes", "--commit", "1"],
        &["sync/five_levels", "--variant", "on", "--commit", "0"],
        &["sync/five_levels", "--variant", "on", "--commit", "fastest"],
        &["sync/five_levels", "--variant", "on", "--commit", "1", "--wal"],
        &["sync/five_levels", "--variant", "on", "--commit", "1", "--at", "3s"],
        &["sync/five_levels", "--variant", "on", "--standby", "pg1"],
        &["sync/five_levels", "--variant", "on", "--wal", "--at", "3"],
        &["sync/five_levels", "--variant", "on", "--wal", "--at", "3d"],
        &["sync/five_levels", "--variant", "on", "--wal", "--server", "pg9"],
        &["WAL005", "--commit", "1"],
        &["WAL999", "--commit", "1"],
        &["latest", "--commit", "1"],
    ] {
        let done = room.run(&[&["explain"][..], args].concat());
        assert_eq!(done.out, "", "{args:?}");
        let code = done.code.expect("it ends by itself");
        assert!(code == 2 || code == 3, "{args:?} ends with {code}");
        told += &format!("$ walden explain {}\n? {code}\n{}\n", args.join(" "), done.err);
    }
    compare("wrong", &told);
}
