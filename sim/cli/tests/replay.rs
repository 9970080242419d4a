//! `walden replay` from outside: what repeats, what does not, and what cannot be trusted.

mod common;

use std::fs;

use common::{Room, SMALL, sealed};

fn stored(room: &Room) -> String {
    fs::read_to_string(room.path("runs/latest/run.toml")).expect("there is a stored run")
}

fn body(stored: &str) -> &str {
    stored.split_once('\n').expect("it has lines").1
}

#[test]
fn a_run_is_found_by_its_folder_its_file_or_as_the_latest() {
    let room = Room::new("found");
    room.run(&["run", "small.toml", "--out", "out", "--quiet"]).ends(0);
    let folder = format!("out/runs/small/{}", room.names("out/runs/small")[0]);
    for args in [
        &["replay", &folder][..],
        &["replay", &format!("{folder}/run.toml")],
        &["replay", "latest", "--out", "out"],
    ] {
        room.run(args).ends(0).says("the run repeats").says("✓ base");
    }
    room.run(&["replay", "latest"]).ends(3).complains("runs/latest");
    room.run(&["replay", "out"]).ends(3).complains("run.toml");
}

#[test]
fn run_toml_alone_is_enough() {
    let room = Room::new("alone");
    room.write("profile.toml", "[workload.orders]\nrate = '150/s'\n");
    let text = SMALL.replace("rate = '200/s'\n", "").replace("[workload.orders]\n", "");
    room.write("x.toml", format!("include = 'profile.toml'\n{text}"));
    room.run(&["run", "x.toml", "--set", "server.pg2.replay=1MB/s", "--quiet"]).ends(0);
    room.write("moved.toml", stored(&room));
    fs::remove_file(room.path("profile.toml")).expect("it is there");
    fs::remove_file(room.path("x.toml")).expect("it is there");
    fs::remove_dir_all(room.path("runs")).expect("it is there");
    room.run(&["replay", "moved.toml"]).ends(0).says("the run repeats");
}

#[test]
fn flipped_bytes_are_noticed_wherever_they_are() {
    let room = Room::new("flipped");
    room.run(&["run", "small.toml", "--quiet"]).ends(0);
    let text = stored(&room).into_bytes();
    let step = (text.len() / 300).max(1);
    for place in (0..text.len()).step_by(step).chain(0..40) {
        let mut flipped = text.clone();
        flipped[place] ^= 1 << (place % 8);
        room.write("run.toml", &flipped);
        let done = room.run(&["replay", "run.toml"]);
        assert!(matches!(done.code, Some(1 | 3)), "byte {place}: {done:?}");
        assert!(done.err.contains("the checksum does not match"), "byte {place}: {done:?}");
    }
}

#[test]
fn the_first_moment_that_differs_is_named() {
    let room = Room::new("differs");
    room.run(&["run", "small.toml", "--quiet"]).ends(0);
    let text = stored(&room);
    let toml: toml::Table = body(&text).parse().expect("it is TOML");
    let moments = toml["variant"][0]["moments"].as_array().expect("a list");
    assert_eq!(moments.len(), 64);
    let tenth = moments[9].as_str().expect("a digest");
    room.write("x.toml", sealed(&body(&text).replace(tenth, "0123456789abcdef")));
    let done = room.run(&["replay", "x.toml"]).ends(1);
    done.says("✗ base: differs first between").says("moment 10 of 64").says("does not repeat");
}

#[test]
fn another_version_is_refused_with_advice() {
    let room = Room::new("version");
    room.run(&["run", "small.toml", "--quiet"]).ends(0);
    let version = format!("walden = \"{}\"", env!("CARGO_PKG_VERSION"));
    let text = stored(&room);
    assert!(body(&text).contains(&version), "{text}");
    room.write("x.toml", sealed(&body(&text).replace(&version, "walden = \"0.0.1\"")));
    let done = room.run(&["replay", "x.toml"]).ends(3);
    done.complains("0.0.1").complains("check out the tag v0.0.1");
}

#[test]
fn every_scenario_of_the_catalogue_repeats() {
    let room = Room::new("catalogue");
    let list = room.run(&["list"]).ends(0).out;
    let names: Vec<&str> = list.lines().filter(|l| !l.starts_with(' ') && !l.is_empty()).collect();
    assert!(names.contains(&"basics/one_standby"), "{list}");
    for name in names {
        let done = room.run(&["run", name, "--quiet"]);
        // Whether it meets its expectations is not asked here.
        assert!(matches!(done.code, Some(0 | 1)), "{name}: {}", done.err);
        room.run(&["replay", "latest", "--quiet"]).ends(0);
    }
}
