//! `walden new` from end to end: what it writes runs as it is, and nothing is written over.

mod common;

use std::fs;

use common::Room;

#[test]
fn the_starter_runs_and_its_expectations_are_met() {
    let room = Room::new("new-starter");
    let done = room.run(&["new", "outage"]).ends(0);
    done.says("wrote outage.toml").says("walden run outage.toml");
    let text = fs::read_to_string(room.path("outage.toml")).expect("it was written");
    assert!(text.starts_with("#:schema scenario.schema.json\n# "), "{text}");
    let lines = text.lines().count();
    assert!((20..=45).contains(&lines), "{lines} lines");
    assert!(text.lines().all(|line| line.chars().count() <= 100));
    room.run(&["run", "outage.toml"]).ends(0).says("Expectations: 7 of 7 met");
    let checked = room.run(&["check", "outage.toml"]).ends(0);
    assert!(!checked.out.contains(" (base) "), "the base is beyond doubt: {}", checked.out);
}

#[test]
fn nothing_is_written_over() {
    let room = Room::new("new-twice");
    room.run(&["new"]).ends(0).says("wrote scenario.toml");
    room.write("scenario.toml", "mine");
    room.run(&["new"]).ends(5).complains("scenario.toml is there already");
    room.run(&["new", "scenario.toml"]).ends(5).complains("left as it is");
    assert_eq!(fs::read_to_string(room.path("scenario.toml")).expect("it is there"), "mine");
    room.write("folder", "in the way");
    room.run(&["new", "folder/mine"]).ends(5).complains("cannot write folder/mine.toml");
}

#[test]
fn the_schema_lies_beside_the_scenario_and_is_this_versions() {
    let room = Room::new("new-schema");
    let done = room.run(&["new", "mine/outage"]).ends(0);
    done.says("wrote mine/outage.toml").says("wrote mine/scenario.schema.json");
    let read = || fs::read_to_string(room.path("mine/scenario.schema.json")).expect("a schema");
    let printed = room.run(&["schema"]).ends(0).out;
    assert_eq!(read(), printed);
    // Another scenario shares it.
    let done = room.run(&["new", "mine/lag", "--from", "lag/growing_link"]).ends(0);
    assert!(!done.out.contains("wrote mine/scenario.schema.json"), "{}", done.out);
    // That of another version makes place, any other file does not.
    room.write("mine/scenario.schema.json", r#"{ "title": "A Walden scenario" }"#);
    room.run(&["new", "mine/third"]).ends(0).says("wrote mine/scenario.schema.json");
    assert_eq!(read(), printed);
    room.write("mine/scenario.schema.json", r#"{ "title": "mine" }"#);
    room.run(&["new", "mine/fourth"]).ends(5).complains("scenario.schema.json is there already");
    assert!(!room.path("mine/fourth.toml").exists());
}

#[test]
fn standard_output_gets_the_scenario_and_nothing_else() {
    let room = Room::new("new-stdout");
    let text = room.run(&["new", "--stdout"]).ends(0).out;
    assert_eq!(room.run(&["new", "-"]).ends(0).out, text);
    assert!(text.starts_with("# ") && text.ends_with('\n'), "{text}");
    room.write("mine.toml", &text);
    room.run(&["check", "mine.toml"]).ends(0);
    room.run(&["new", "--stdout", "mine"]).ends(2);
}

#[test]
fn a_scenario_of_the_catalogue_comes_with_its_files() {
    let room = Room::new("new-from");
    room.run(&["new", "--from", "slots/disk_full"]).ends(0).says("wrote disk_full.toml");
    let done = room.run(&["new", "mine/prod", "--from", "basics/from_production"]).ends(0);
    done.says("wrote mine/prod.toml").says("wrote mine/production/postgresql.conf");
    room.run(&["check", "mine/prod.toml"]).ends(0).says("SLT003");
    // Another copy shares the files that are the same.
    room.run(&["new", "mine/again", "--from", "basics/from_production"]).ends(0);
    room.write("mine/production/postgresql.conf", "# changed");
    let done = room.run(&["new", "mine/third", "--from", "basics/from_production"]).ends(5);
    done.complains("mine/production/postgresql.conf is there already");
    assert!(!room.path("mine/third.toml").exists());
}

#[test]
fn names_that_were_not_meant_are_told_apart() {
    let room = Room::new("new-names");
    let done = room.run(&["new", "--from", "slots/disk_ful"]).ends(3);
    done.complains("did you mean slots/disk_full?");
    room.run(&["new", "slots/disk_full"]).ends(2).complains("--from slots/disk_full");
    room.run(&["new", "mine/"]).ends(2).complains("no name of a file");
    room.run(&["neww"]).ends(2).complains("'new'");
}
