//! `walden list` from end to end: everything there is, some of it, and what there is not.

mod common;

use common::Room;

#[test]
fn a_name_narrows_every_list() {
    let room = Room::new("list-names");
    let all = |what: &str| room.run(&["list", what]).ends(0).out;
    for (what, name, other) in [
        ("scenarios", "disk_full", "five_levels"),
        ("keys", "link", "checkpoint"),
        ("faults", "crash", "link_cut"),
        ("actions", "slot_create", "switch_wal"),
        ("presets", "nvme", "hdd"),
        ("metrics", "commits.lost", "latency_ms"),
        ("settings", "wal_keep_size", "fsync"),
        ("findings", "WAL005", "SLT001"),
        ("views", "pg_stat_wal_receiver", "pg_ls_waldir"),
    ] {
        assert!(all(what).contains(name) && all(what).contains(other), "{what}");
        let done = room.run(&["list", what, name]).ends(0).says(name);
        assert!(!done.out.contains(other), "{what} {name}: {}", done.out);
    }
    room.run(&["list", "findings", "wal005"]).ends(0).says("WAL005 warning");
    room.run(&["list", "faults", "earthquake"]).ends(2).complains("none of the faults");
    room.run(&["list", "fault"]).ends(2).complains("'faults'");
}

#[test]
fn every_key_of_a_scenario_says_where_it_stands_and_what_it_takes() {
    let room = Room::new("list-keys");
    let all = room.run(&["list", "keys"]).ends(0).out;
    for section in scenarios::keys::SECTIONS {
        assert!(all.contains(&format!("{}\n    ", section.title)), "{}", section.title);
        for key in section.keys {
            assert!(all.contains(&format!("\n    {} = ", key.name)), "{}", key.name);
        }
    }
    let done = room.run(&["list", "keys", "bandwidth"]).ends(0);
    done.says("[link.X]\n").says("    bandwidth = a bandwidth, '1Gbit/s'\n        Each direction.");
    room.run(&["list", "keys", "bandwith"]).ends(2).complains("none of the keys");
    // The kinds come first: they are what is looked for.
    let faults = room.run(&["list", "faults"]).ends(0).out;
    assert!(faults.starts_with("kind = 'crash'") && faults.contains("[fault.X]\n"), "{faults}");
}

#[test]
fn settings_say_their_default_and_since_when() {
    let room = Room::new("list-settings");
    let done = room.run(&["list", "settings"]).ends(0);
    done.says("Default: 1GB. Needs a reload.")
        .says("64 segments by default")
        .says("Default: 0.9. Needs a reload.")
        .says("-1: any amount")
        .says("Since PostgreSQL 18.")
        .says("further settings are accepted and change nothing");
}

#[test]
fn what_is_left_out_comes_from_the_code_itself() {
    let room = Room::new("list-not-modelled");
    let done = room.run(&["list", "--not-modelled"]).ends(0);
    done.says("fault partition")
        .says("setting recovery_target_lsn")
        .says("models/src/postgres/slot.rs\n    Logical and temporary slots");
    room.run(&["list", "faults", "--not-modelled"]).ends(2);
}
