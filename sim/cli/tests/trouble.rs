//! A run that is killed, or has nowhere to print: nothing half-written, nothing in the way.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use common::{Done, Room, contents, signal};

/// Starts a run, and waits until it is playing.
fn start(room: &Room, args: &[&str]) -> Child {
    let mut command = room.walden(args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("walden starts");
    for _ in 0..1000 {
        if room.names("runs/long").iter().any(|name| name.starts_with(".unfinished-")) {
            return child;
        }
        thread::sleep(Duration::from_millis(10));
    }
    child
}

#[test]
fn killed_while_playing_it_leaves_nothing_that_looks_like_a_result() {
    let room = Room::new("killed");
    let mut child = start(&room, &["run", "long.toml"]);
    signal(&child, "-KILL");
    child.wait().expect("it ends");
    assert!(room.path("runs/latest").symlink_metadata().is_err());
    let left = room.names("runs/long");
    assert!(left.iter().all(|name| name.starts_with(".unfinished-")), "{left:?}");
    // The next run of that scenario tidies up.
    let duration = ["--set", "duration=1s", "--quiet"];
    room.run(&[&["run", "long.toml"], &duration[..]].concat()).ends(0);
    assert_eq!(room.names("runs/long").len(), 1, "{:?}", room.names("runs/long"));
}

#[test]
fn killed_at_any_moment_it_leaves_a_whole_result_or_none() {
    let room = Room::new("any-moment");
    room.run(&["run", "small.toml", "--quiet", "--out", "whole"]).ends(0);
    let whole = contents(&room.path("whole/runs/small"));
    for delay in (0..).map(|n| Duration::from_millis(n * 7)).take(40) {
        let mut command = room.walden(&["run", "small.toml", "--quiet"]);
        let mut child = command.spawn().expect("walden starts");
        thread::sleep(delay);
        let _ = child.kill();
        child.wait().expect("it ends");
        let folder = room.path("runs/small");
        let found = if folder.exists() { contents(&folder) } else { whole.clone() };
        for (path, bytes) in found {
            let hidden = path.iter().any(|part| part.to_string_lossy().starts_with('.'));
            if !hidden {
                assert!(whole.get(&path) == Some(&bytes), "{} after {delay:?}", path.display());
            }
        }
        let results = room.names("runs/small").into_iter().filter(|n| !n.starts_with('.'));
        for result in results {
            let files = contents(&folder_of(&room, &result)).len();
            assert_eq!(files, whole.len(), "a result is whole, after {delay:?}");
        }
    }
    room.run(&["run", "small.toml", "--quiet"]).ends(0);
    assert_eq!(contents(&room.path("runs/small")), whole, "a rerun gives the same bytes");
}

fn folder_of(room: &Room, result: &str) -> std::path::PathBuf {
    room.path("runs/small").join(Path::new(result))
}

#[test]
fn an_older_result_that_was_changed_is_replaced() {
    let room = Room::new("replaced");
    room.run(&["run", "small.toml", "--quiet"]).ends(0);
    let whole = contents(&room.path("runs/small"));
    room.write("runs/latest/report.html", "changed");
    room.write("runs/latest/more", "of it");
    room.run(&["run", "small.toml", "--quiet"]).ends(0);
    assert_eq!(contents(&room.path("runs/small")), whole);
}

#[test]
fn what_a_killed_run_had_set_aside_is_put_back() {
    let room = Room::new("put-back");
    room.run(&["run", "small.toml", "--quiet"]).ends(0);
    let whole = contents(&room.path("runs/small"));
    let name = room.names("runs/small")[0].clone();
    let folder = room.path("runs/small");
    // Killed between the two renames: the old result has been set aside, no new one is there.
    fs::rename(folder.join(&name), folder.join(format!(".replaced-{name}"))).expect("it is there");
    room.run(&["run", "small.toml", "--seed", "8", "--quiet"]).ends(0);
    let names = room.names("runs/small");
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names.contains(&name), "{names:?}");
    assert_eq!(contents(&folder.join(&name)).len(), whole.len());
}

#[test]
fn two_runs_at_once_do_not_disturb_each_other() {
    let room = Room::new("at-once");
    let mut children: Vec<Child> = (0..6)
        .map(|_| room.walden(&["run", "small.toml", "--quiet"]).spawn().expect("walden starts"))
        .collect();
    for child in &mut children {
        assert!(child.wait().expect("it ends").success());
    }
    assert_eq!(room.names("runs/small").len(), 1, "{:?}", room.names("runs/small"));
    room.run(&["replay", "latest"]).ends(0);
}

#[test]
fn a_full_standard_output_is_not_blamed_on_the_folder() {
    let Ok(full) = fs::File::options().write(true).open("/dev/full") else { return };
    let room = Room::new("full-output");
    let mut command = room.walden(&["run", "small.toml"]);
    let output = command.stdout(full).output().expect("walden starts");
    let done = Done::new(output).ends(5);
    assert!(!done.err.contains("--out"), "{}", done.err);
    done.complains("cannot print");
}

#[test]
fn no_room_for_the_results_is_told_as_that_whatever_file_it_hits() {
    let room = Room::new("no-room");
    // As on a full disk: no file may grow beyond so many blocks, and who tries gets an error.
    let script = "trap '' XFSZ; ulimit -f $0; exec \"$@\"";
    let walden = env!("CARGO_BIN_EXE_walden");
    let mut full = 0;
    for blocks in ["0", "1", "4", "16", "24", "32", "64", "200"] {
        let mut command = Command::new("sh");
        command.args(["-c", script, blocks, walden, "run", "small.toml"]);
        let output = command.current_dir(room.path("")).output().expect("a shell starts");
        let done = Done::new(output);
        if done.code == Some(0) {
            continue;
        }
        full += 1;
        let done = done.ends(5).complains("cannot write the results: runs/");
        assert!(!done.err.contains("bug"), "{}", done.err);
        assert_eq!(room.names("runs"), Vec::<String>::new(), "with {blocks} blocks");
    }
    assert!(full >= 4, "only {full} runs had no room");
}
