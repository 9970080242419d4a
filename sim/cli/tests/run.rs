//! `walden run` from outside: what it prints, writes and returns.

mod common;

use std::fs;
use std::path::Path;

use common::{Room, SMALL, contents};

#[test]
fn a_run_prints_one_screen_and_writes_everything() {
    let room = Room::new("everything");
    let done = room.run(&["run", "small.toml"]).ends(0);
    assert_eq!(done.err, "", "nothing on standard error where it is no terminal");
    for text in ["small", "A small one", "Does anything get lost", "PostgreSQL 17", "seed 7"] {
        assert!(done.out.contains(text), "no {text:?} in:\n{}", done.out);
    }
    let done =
        done.says("✓ base  commits.lost == 0").says("repeat  walden run small.toml --seed 7");
    assert!(!done.out.contains('\x1b'), "colours only on a terminal");
    for file in ["report.html", "summary.json", "run.toml", "base/samples.csv", "base/facts.jsonl"]
    {
        let file = Path::new("runs/latest").join(file);
        let length = fs::metadata(room.path(&file.to_string_lossy())).map_or(0, |m| m.len());
        assert!(length > 0, "{} is missing or empty", file.display());
    }
    assert_eq!(room.names("runs"), ["latest", "small"]);
    assert_eq!(room.names("runs/small").len(), 1);
    assert!(room.names("runs/small")[0].starts_with("7-"));
}

#[test]
fn one_screen_is_enough() {
    let room = Room::new("screen");
    let done = room.run(&["run", "small.toml"]).ends(0);
    assert!(done.out.lines().count() <= 40, "{}", done.out);
    for width in [100, 80, 40] {
        let output = room
            .walden(&["run", "small.toml"])
            .env("COLUMNS", width.to_string())
            .output()
            .expect("walden starts");
        let out = String::from_utf8(output.stdout).expect("walden writes UTF-8");
        let table = out.lines().skip(3).take_while(|line| !line.starts_with("Expect"));
        for line in table {
            assert!(line.chars().count() <= width, "wider than {width}: {line}");
        }
    }
}

#[test]
fn the_same_bytes_on_any_number_of_threads() {
    let room = Room::new("threads");
    room.write("three.toml", format!("{SMALL}\n[variant.async]\nset = {{ 'seed' = 7 }}\n"));
    let first = room.run(&["run", "small.toml", "--threads", "1", "--out", "a"]).ends(0);
    let second = room.run(&["run", "small.toml", "--threads", "8", "--out", "b"]).ends(0);
    assert_eq!(first.out.replace("a/runs", "b/runs"), second.out);
    assert_eq!(contents(&room.path("a/runs/small")), contents(&room.path("b/runs/small")));
}

#[test]
fn a_rerun_lands_in_the_same_place() {
    let room = Room::new("rerun");
    let first = room.run(&["run", "small.toml"]).ends(0);
    let before = contents(&room.path("runs/small"));
    let second = room.run(&["run", "small.toml"]).ends(0);
    assert_eq!(first.out, second.out);
    assert_eq!(before, contents(&room.path("runs/small")));
}

#[test]
fn the_command_it_prints_repeats_it() {
    let room = Room::new("repeat");
    room.write("it's odd $(x).toml", SMALL);
    let args = ["run", "it's odd $(x).toml", "--set", "workload.orders.rate=100/s"];
    let done = room.run(&args).ends(0);
    let line = done.out.lines().find_map(|l| l.strip_prefix("repeat  walden ")).expect("a command");
    let again = std::process::Command::new("sh")
        .arg("-c")
        .arg(format!("exec \"$WALDEN\" {line}"))
        .env("WALDEN", env!("CARGO_BIN_EXE_walden"))
        .current_dir(room.path(""))
        .output()
        .expect("a shell starts");
    assert_eq!(String::from_utf8_lossy(&again.stdout), done.out);
}

#[test]
fn json_is_all_there_is_on_standard_output() {
    let room = Room::new("json");
    let done = room.run(&["run", "small.toml", "--json"]).ends(0);
    let json: serde_json::Value = serde_json::from_str(&done.out).expect("it is JSON");
    assert_eq!(json["schema"], "walden.summary/1");
    assert_eq!(json["verdict"], "met");
    assert_eq!(json["seed"], 7);
    assert_eq!(json["variants"][0]["commits"]["lost"], 0);
    assert_eq!(done.err, "");
    let written = fs::read_to_string(room.path("runs/latest/summary.json")).expect("it is written");
    assert_eq!(done.out.trim_end(), written.trim_end());
}

#[test]
fn quiet_is_quiet() {
    let room = Room::new("quiet");
    let done = room.run(&["run", "small.toml", "--quiet"]).ends(0);
    assert_eq!((done.out.as_str(), done.err.as_str()), ("", ""));
    assert!(room.path("runs/latest/report.html").is_file());
}

#[test]
fn set_and_seed_change_what_is_played() {
    let room = Room::new("set");
    let digest = |args: &[&str]| {
        let done = room.run(&[&["run", "small.toml"], args].concat()).ends(0);
        done.out.lines().find_map(|l| l.strip_prefix("digest  ")).expect("a digest").to_owned()
    };
    let plain = digest(&[]);
    assert_ne!(plain, digest(&["--set", "workload.orders.rate=100/s"]));
    assert_ne!(plain, digest(&["--seed", "8"]));
    assert_eq!(plain, digest(&["--seed", "7"]));
}

#[test]
fn several_files_are_one_comparison() {
    let room = Room::new("several");
    room.write("other.toml", SMALL.replace("seed     = 7", "seed = 9"));
    let done = room.run(&["run", "small.toml", "other.toml", "--json"]).ends(0);
    let json: serde_json::Value = serde_json::from_str(&done.out).expect("it is JSON");
    assert_eq!(json["scenario"], "small+other");
    assert_eq!(json["variants"][0]["name"], "small/base");
    assert_eq!(json["variants"][1]["name"], "other/base");
    let digests = [0, 1].map(|i| json["variants"][i]["digest"].clone());
    assert_eq!(digests[0], digests[1], "they share the first one's seed");
    assert_eq!(room.names("runs"), ["latest", "small+other"]);
    room.run(&["replay", "latest"]).ends(0);
}

#[test]
fn an_expectation_that_is_not_met_is_exit_code_1() {
    let room = Room::new("not-met");
    room.write("x.toml", SMALL.replace("'== 0'", "'> 5'"));
    let done = room.run(&["run", "x.toml"]).ends(1);
    done.says("✗ base  commits.lost > 5").says("Expectations: 0 of 1 met");
    assert!(room.path("runs/latest/report.html").is_file(), "the results are written all the same");
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    let room = Room::new("usage");
    for args in [
        &["run"][..],
        &["play", "small.toml"],
        &["run", "small.toml", "--seed", "many"],
        &["run", "small.toml", "--set", "novalue"],
        &["run", "small.toml", "--threads", "0"],
        &["replay"],
        &[],
    ] {
        let done = room.run(args).ends(2);
        assert!(!done.err.is_empty() && done.out.is_empty(), "{args:?}: {done:?}");
    }
    assert!(!room.path("runs").exists());
}

#[test]
fn a_wrong_scenario_is_exit_code_3_with_every_mistake_at_its_place() {
    let room = Room::new("mistakes");
    room.write("bad.toml", SMALL.replace("[server.pg2]\nupstream", "[server.pg2]\nupsteam"));
    let done = room.run(&["run", "bad.toml"]).ends(3);
    assert_eq!(done.out, "");
    done.complains("upsteam")
        .complains("upstream")
        .complains("bad.toml:9:")
        .complains("nothing was run");
    let two = SMALL.replace("'3s'", "'3 parsecs'").replace("link_cut", "link_cute");
    room.write("two.toml", two);
    room.run(&["run", "two.toml"]).ends(3).complains("parsecs").complains("link_cute");
    room.run(&["run", "small.toml", "--set", "server.pgX.replay=20MB/s"]).ends(3).complains("pgX");
    assert!(!room.path("runs").exists(), "nothing is left of what did not run");
}

#[test]
fn a_mistake_in_another_file_is_one_mistake_with_two_places() {
    let room = Room::new("two-places");
    room.write("wal.csv", "2026-01-01 00:00:00,0/1\n2026-01-01 00:00:01,zz\n");
    room.write("x.toml", "duration = '1s'\n[server.a]\n[workload.w]\nhistory = 'wal.csv'\n");
    let done = room.run(&["run", "x.toml"]).ends(3);
    assert!(!done.err.contains("Error:"), "{}", done.err);
    done.complains("wal.csv:2:21").complains("x.toml:4:11").complains("1 mistake;");
}

#[test]
fn an_unknown_name_gets_the_nearest() {
    let room = Room::new("nearest");
    let done = room.run(&["run", "basics/one_stanby"]).ends(3);
    done.complains("did you mean basics/one_standby");
    room.run(&["run", "one_standby"]).ends(3).complains("basics/one_standby");
    room.run(&["run", "qqqqqqqqqqqq"]).ends(3).complains("walden list");
    room.run(&["run", "runs/nothing.toml"]).ends(3).complains("no such file");
    room.write("ours.toml", "");
    for wrong in ["ours", "our.toml", "./ours.tml"] {
        room.run(&["run", wrong]).ends(3).complains("ours.toml?");
    }
}

#[test]
fn a_file_that_is_not_text_is_exit_code_3() {
    let room = Room::new("binary");
    room.write("x.toml", [0xff, 0xfe, 0x00]);
    room.run(&["run", "x.toml"]).ends(3).complains("x.toml: it is UTF-16: save it as UTF-8");
    room.write("x.toml", b"# one\ntitle = 'b\xfccher'\n");
    let done = room.run(&["run", "x.toml"]).ends(3);
    done.complains("x.toml: line 2 is not UTF-8: save the file as UTF-8");
    room.run(&["run", "."]).ends(3).complains("is a folder");
}

#[test]
fn a_stored_run_and_a_scenario_are_told_apart() {
    let room = Room::new("apart");
    room.run(&["run", "small.toml", "--quiet"]).ends(0);
    let done = room.run(&["run", "runs/latest/run.toml"]).ends(3);
    done.complains("is a stored run, not a scenario")
        .complains("`walden replay runs/latest/run.toml`");
    let done = room.run(&["replay", "small.toml"]).ends(3);
    done.complains("small.toml is not a stored run").complains("`walden run small.toml`");
    room.run(&["replay", "runs/latest/summary.json"]).ends(3).complains("is not a stored run");
    room.run(&["replay", "nowhere"]).ends(3).complains("there is no stored run");
    let seed = room.run(&["run", "small.toml", "--seed", "monday"]).ends(2);
    seed.complains("a whole number from 0");
}

#[test]
fn variants_in_which_the_same_happens_share_a_story() {
    let room = Room::new("stories");
    let variants = "\n[variant.other_title]\nset = { 'workload.orders.wal' = '1kB' }\n";
    room.write("same.toml", format!("{}{variants}", common::SMALL));
    let done = room.run(&["run", "same.toml"]).ends(0);
    assert_eq!(done.out.matches("fault cable (link_cut) begins").count(), 1, "{}", done.out);
    done.says("\n  all      1.000 s  fault cable (link_cut) begins\n");
    let longer = "[variant.longer]\nset = { 'fault.cable.for' = '700ms' }\n";
    room.write("other.toml", format!("{}{variants}{longer}", common::SMALL));
    let done = room.run(&["run", "other.toml"]).ends(0);
    done.says("\n  base, other_title      1.000 s  fault cable").says("\n  longer   ");
}

#[test]
fn what_explains_the_numbers_is_said_before_them() {
    let room = Room::new("notes");
    let names = "server.pg1.postgresql.synchronous_standby_names";
    let set = |value: &str| format!("{names}={value}");
    let done = room.run(&["run", "small.toml", "--set", &set("pg3")]).ends(0);
    done.says("synchronous_standby_names of `pg1` names `pg3`: no standby is called that (SYN002)")
        .says("commits was answered");
    let page = fs::read_to_string(room.path("runs/latest/report.html")).expect("a report");
    assert!(page.contains("no standby is called that"), "{page}");
    let done = room.run(&["run", "small.toml", "--set", &set("FIRST 2 (pg2)")]).ends(0);
    done.says("asks for 2 standbys and one is there").says("(SYN003)");
    let done = room.run(&["run", "small.toml", "--set", &set("pg2, PG3")]).ends(0);
    assert!(!done.out.contains("SYN003"), "{}", done.out);
    for fine in ["*", "PG2", ""] {
        let done = room.run(&["run", "small.toml", "--set", &set(fine)]).ends(0);
        assert!(!done.out.contains("Notes"), "{fine}: {}", done.out);
    }
    let done = room.run(&["run", "small.toml", "--set", "postgresql.work_mem=64MB"]).ends(0);
    done.says("Notes").says("not modelled");
}

#[test]
fn a_place_that_cannot_be_written_to_is_exit_code_5() {
    let room = Room::new("unwritable");
    room.write("file", "in the way");
    room.run(&["run", "small.toml", "--out", "file"]).ends(5).complains("--out");
    fs::create_dir(room.path("full")).expect("a folder can be made");
    room.write("full/runs", "in the way");
    room.run(&["run", "small.toml", "--out", "full"]).ends(5).complains("cannot write");
}

#[test]
fn names_cannot_leave_their_folder() {
    let room = Room::new("names");
    for name in ["latest.toml", "...toml", "a b;c.toml", "ü.toml"] {
        room.write(name, SMALL);
        room.run(&["run", name, "--quiet"]).ends(0);
        room.run(&["replay", "latest", "--quiet"]).ends(0);
    }
    assert_eq!(room.names("runs"), ["_..", "_latest", "a-b-c", "latest", "ü"]);
    let long: String = "n".repeat(250);
    room.write(&format!("{long}.toml"), SMALL);
    room.run(&["run", &format!("{long}.toml"), "--quiet"]).ends(0);
}

#[test]
fn colour_is_asked_for_and_refused() {
    let room = Room::new("colour");
    assert!(room.run(&["run", "small.toml", "--color", "always"]).ends(0).out.contains('\x1b'));
    let with = |name: &str, value: &str, args: &[&str]| {
        let output = room.walden(args).env(name, value).output().expect("walden starts");
        String::from_utf8_lossy(&output.stdout).contains('\x1b')
    };
    assert!(with("CLICOLOR_FORCE", "1", &["run", "small.toml"]));
    assert!(!with("CLICOLOR_FORCE", "1", &["run", "small.toml", "--color", "never"]));
    assert!(!with("NO_COLOR", "1", &["run", "small.toml"]));
}
