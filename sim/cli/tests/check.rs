//! `walden check` from end to end: what it prints, for whom, and how it ends.

mod common;

use std::fs;

use common::Room;

/// A standby that nobody goes by the name of, and a disk that a slot fills.
const DOUBTFUL: &str = "\
duration = '1h'

[server.pg1]
disk = { capacity = '10GB' }

[server.pg1.postgresql]
synchronous_standby_names = 'pg3'

[server.pg2]
upstream = 'pg1'
slot     = 'standby_slot'

[workload.steady]
wal_rate = '1MB/s'
";

#[test]
fn what_is_found_has_a_code_a_place_and_advice() {
    let room = Room::new("check-found");
    room.write("doubtful.toml", DOUBTFUL);
    let done = room.run(&["check", "doubtful.toml"]).ends(3);
    done.says("error SYN003 doubtful.toml:7:29")
        .says("warning SYN002 doubtful.toml:7:29")
        .says("warning SLT001 doubtful.toml:3:9")
        .says("fills the 10GB of")
        .says("help: max_slot_wal_keep_size = '8GB'")
        .says("doubtful.toml: 1 error, 2 warnings");
    assert!(!room.path("runs").exists(), "a check writes nothing");
}

#[test]
fn warnings_are_allowed_unless_they_are_not() {
    let room = Room::new("check-strict");
    room.write("doubtful.toml", DOUBTFUL);
    let names = "server.pg1.postgresql.synchronous_standby_names=";
    let check =
        |more: &[&str]| room.run(&[&["check", "doubtful.toml", "--set", names], more].concat());
    check(&[]).ends(0).says("doubtful.toml: 1 warning");
    check(&["--strict"]).ends(3).says("doubtful.toml: 1 warning");
    assert_eq!(check(&["--strict", "--quiet"]).ends(3).out, "");
    let cap = ["--set", "postgresql.max_slot_wal_keep_size=4GB"];
    check(&[&cap[..], &["--strict"]].concat()).ends(0).says("doubtful.toml: nothing to say");
}

#[test]
fn mistakes_of_a_scenario_are_findings_too() {
    let room = Room::new("check-mistakes");
    room.write("wrong.toml", "duration = '1h'\n[sever.pg1]\n");
    let done = room.run(&["check", "wrong.toml"]).ends(3);
    done.says("error FIL001 wrong.toml:2:2").says("did you mean `server`?").says("2 errors");
    room.run(&["check", "nowhere.toml"]).ends(3).complains("nowhere.toml: no such file");
    room.run(&["check", "nowhere.conf"]).ends(3).complains("nowhere.conf");
    room.run(&["check", "basics/one_standbi"])
        .ends(3)
        .complains("did you mean basics/one_standby?");
    room.run(&["check"]).ends(2);
}

#[test]
fn a_configuration_is_known_by_its_name_or_its_text() {
    let room = Room::new("check-conf");
    fs::create_dir_all(room.path("etc/conf.d")).expect("a folder can be made");
    let conf = "include_dir 'conf.d'\nidle_replication_slot_timeout = '1h'\n";
    room.write("etc/postgresql.conf", conf);
    room.write("etc/conf.d/10-wal.conf", "max_slot_wal_keep_size = 8GB\nhot_standby = on\n");
    room.write("etc/conf.d/readme.txt", "not a configuration");
    room.write("etc/saved", conf);
    for file in ["etc/postgresql.conf", "etc/saved"] {
        let done = room.run(&["check", file]).ends(3);
        done.says(&format!("error CFG002 {file}:2:1")).says("It exists in PostgreSQL 18");
        room.run(&["check", file, "--pg-version", "18"]).ends(0).says("nothing to say");
        let args = ["check", file, "--pg-version", "18", "--role", "primary"];
        room.run(&args).ends(0).says("note STB001 etc/conf.d/10-wal.conf:2:1");
    }
    room.run(&["check", "etc/saved", "--pg-version", "12"]).ends(2).complains("13..=18");
}

#[test]
fn files_that_were_not_meant_are_told_apart() {
    let room = Room::new("check-others");
    room.write("pg_hba.conf", "host all all 0.0.0.0/0 md5\n");
    room.run(&["check", "pg_hba.conf"]).ends(3).complains("postgresql.conf has");
    room.write("old.conf", b"# gr\xf6\xdfer\nmax_slot_wal_keep_size = 8GB\n");
    room.run(&["check", "old.conf"]).ends(0).says("old.conf: nothing to say");
    room.run(&["run", "old.conf"]).ends(3).complains("`walden check old.conf`");
    room.run(&["small.toml"]).ends(2).complains("`walden run small.toml` plays it");
    room.run(&["basics/one_standby"]).ends(2).complains("`walden run basics/one_standby`");
    assert!(!room.run(&["chek"]).ends(2).err.contains("plays it"));
}

#[test]
fn json_is_one_object_and_nothing_else() {
    let room = Room::new("check-json");
    room.write("doubtful.toml", DOUBTFUL);
    let done = room.run(&["check", "doubtful.toml", "slots/keep_size", "--json"]).ends(3);
    let whole: serde_json::Value = serde_json::from_str(&done.out).expect("JSON");
    assert_eq!(whole["schema"], "walden.check/1");
    assert_eq!((&whole["errors"], &whole["warnings"]), (&1.into(), &6.into()));
    let first = &whole["files"][0]["findings"][0];
    assert_eq!((&first["code"], &first["file"]), (&"SLT001".into(), &"doubtful.toml".into()));
    assert_eq!((&first["line"], &first["column"]), (&3.into(), &9.into()));
    let second = whole["files"][1]["findings"].as_array().expect("a list");
    assert!(second.iter().any(|f| f["variants"] == serde_json::json!(["1h,1GB"])), "{second:?}");
}

#[test]
fn a_closed_pipe_and_colours_are_as_everywhere() {
    let room = Room::new("check-manners");
    room.write("doubtful.toml", DOUBTFUL);
    let coloured = room.run(&["check", "doubtful.toml", "--color", "always"]).ends(3);
    assert!(coloured.out.contains('\x1b'));
    assert!(!room.run(&["check", "doubtful.toml"]).ends(3).out.contains('\x1b'));
}
