//! How every command behaves where nobody watches, where somebody stops it, and where nobody reads.
//!
//! One table ([`CASES`]) has every command; each test goes through all of it. A new command has to
//! be put there: the first test says so.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{Done, Room, sealed, signal};

/// What keeps a command busy until it is stopped.
enum Busy {
    /// These arguments: it plays for hours.
    Long(&'static [&'static str]),
    /// These arguments: the file is a pipe that nobody writes into.
    Reads(&'static [&'static str]),
    /// Its output is more than fits into a pipe that nobody reads.
    Prints,
    /// Nothing: it is over before anybody could.
    Over,
}

/// A command, and how it is used here.
struct Case {
    /// As it is called.
    args: &'static [&'static str],
    /// Whether its answer has colours.
    coloured: bool,
    /// What `--quiet` leaves of its answer; `None`: there is no such option, since it shows no
    /// progress.
    quiet: Option<Left>,
    busy: Busy,
}

/// What `--quiet` leaves.
#[derive(Clone, Copy)]
enum Left {
    Nothing,
    /// What was asked for, without what is said about it.
    Something,
}

const CASES: &[Case] = &[
    Case {
        args: &["run", "small.toml"],
        coloured: true,
        quiet: Some(Left::Nothing),
        busy: Busy::Long(&["run", "long.toml"]),
    },
    Case {
        args: &["sweep", "small.toml", "--seeds", "3"],
        coloured: true,
        quiet: Some(Left::Nothing),
        busy: Busy::Long(&["sweep", "small.toml", "--seeds", "900000"]),
    },
    Case {
        args: &["replay", "latest"],
        coloured: true,
        quiet: Some(Left::Nothing),
        busy: Busy::Long(&["replay", "hours.toml"]),
    },
    Case {
        args: &["view", "latest", "--at", "2s", "pg_stat_replication"],
        coloured: false,
        quiet: Some(Left::Something),
        busy: Busy::Long(&["view", "long.toml", "--at", "99h", "pg_stat_replication"]),
    },
    Case {
        args: &["explain", "latest", "--commit", "slowest"],
        coloured: true,
        quiet: Some(Left::Something),
        busy: Busy::Long(&["explain", "long.toml", "--commit", "slowest"]),
    },
    Case {
        args: &["export", "latest", "--format", "csv"],
        coloured: false,
        quiet: Some(Left::Something),
        busy: Busy::Long(&["export", "long.toml", "--format", "csv", "-o", "out.csv"]),
    },
    Case {
        args: &["plan", "wal_keep_size", "--rate", "1MB/s", "--outage", "5min", "--trials", "3"],
        coloured: true,
        quiet: Some(Left::Something),
        busy: Busy::Long(&[
            "plan",
            "wal_keep_size",
            "--rate",
            "9MB/s",
            "--outage",
            "60h",
            "--trials",
            "90000",
        ]),
    },
    Case {
        args: &["check", "small.toml"],
        coloured: true,
        quiet: Some(Left::Nothing),
        busy: Busy::Reads(&["check", "pipe.toml"]),
    },
    Case {
        args: &["import", "wal.csv", "-o", "wal.toml"],
        coloured: false,
        quiet: None,
        busy: Busy::Reads(&["import", "pipe.toml", "-o", "out.toml"]),
    },
    Case { args: &["new", "--stdout"], coloured: false, quiet: None, busy: Busy::Over },
    Case { args: &["list"], coloured: true, quiet: None, busy: Busy::Over },
    Case { args: &["schema"], coloured: false, quiet: None, busy: Busy::Prints },
    Case { args: &["completions", "zsh"], coloured: false, quiet: None, busy: Busy::Over },
    Case { args: &["man"], coloured: false, quiet: None, busy: Busy::Over },
];

/// A room with a stored run, one that would take hours to repeat, samples, and a pipe.
fn furnished(test: &str) -> Room {
    let room = Room::new(test);
    let samples: String = (0..100)
        .map(|n| format!("2026-11-23 05:{:02}:{:02}+00,0/{:X}\n", n / 60, n % 60, (3 + n) << 20))
        .collect();
    room.write("wal.csv", samples);
    room.run(&["run", "small.toml", "--quiet"]).ends(0);
    let stored = fs::read_to_string(room.path("runs/latest/run.toml")).expect("a stored run");
    let (_, body) = stored.split_once('\n').expect("it has lines");
    room.write("hours.toml", sealed(&body.replace("duration = '3s'", "duration = '100h'")));
    let pipe = Command::new("mkfifo").arg(room.path("pipe.toml")).status();
    assert!(pipe.expect("mkfifo starts").success());
    room
}

fn without_escapes(text: &str) -> String {
    let mut pieces = text.split("\x1b[");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| text + piece.split_once('m').map_or(piece, |(_, rest)| rest))
}

/// Everything below the room, by path.
fn paths(room: &Room) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut folders = vec![room.path("")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder {
                folders.push(entry.path());
            }
            found.insert(entry.path());
        }
    }
    found
}

#[test]
fn every_command_is_looked_at() {
    let help = Room::new("manners-all").run(&["-h"]).ends(0).out;
    let (_, commands) = help.split_once("Commands:\n").expect("there are commands");
    let (commands, _) = commands.split_once("\n\n").expect("they end");
    let names = commands.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names: BTreeSet<&str> = names.filter_map(|line| line.split_whitespace().next()).collect();
    let looked_at = CASES.iter().map(|case| case.args[0]).chain(["help"]).collect();
    assert_eq!(names, looked_at);
}

#[test]
fn where_nobody_watches_there_is_the_answer_and_nothing_else() {
    let room = furnished("manners-plain");
    for case in CASES {
        let done = room.run(case.args).ends(0);
        assert_eq!(done.err, "", "{:?}", case.args);
        let is_text = |c: char| !c.is_control() || c == '\n' || c == '\t';
        assert!(done.out.chars().all(is_text), "{:?}", case.args);
        assert!(!done.out.is_empty(), "{:?}", case.args);
        assert_eq!(room.run(case.args).ends(0).out, done.out, "{:?} once more", case.args);
    }
}

#[test]
fn colours_are_an_addition_and_follow_the_flag_then_the_environment() {
    let room = furnished("manners-colour");
    let run = |args: &[&str], choice: &[&str], env: &[&str]| {
        let mut command = room.walden(&[args, choice].concat());
        command.envs(env.iter().map(|name| (name, "1")));
        Done::new(command.output().expect("walden starts"))
    };
    let all = CASES.iter().map(|case| (case.args, case.coloured));
    // Errors and help have colours too.
    let others = [(&["run", "nothing"][..], true), (&["runn"], true), (&["run", "-h"], true)];
    for (args, coloured) in all.chain(others) {
        let show = |done: Done| format!("{}{}", done.out, done.err);
        let plain = show(run(args, &[], &[]));
        let always = show(run(args, &["--color", "always"], &[]));
        assert_eq!(always.contains('\x1b'), coloured, "{args:?}");
        assert_eq!(without_escapes(&always), plain, "{args:?}");
        let forced = show(run(args, &[], &["CLICOLOR_FORCE"]));
        assert_eq!(forced, always, "{args:?}");
        let flag_first = show(run(args, &["--color=always"], &["NO_COLOR"]));
        assert_eq!(flag_first, always, "{args:?}");
        let never = show(run(args, &["--color=never"], &["CLICOLOR_FORCE"]));
        assert_eq!(never, plain, "{args:?}");
        let none = show(run(args, &[], &["NO_COLOR", "CLICOLOR_FORCE"]));
        assert_eq!(none, plain, "{args:?}");
    }
}

#[test]
fn quiet_leaves_what_was_asked_for() {
    let room = furnished("manners-quiet");
    for case in CASES {
        let said = room.run(case.args).ends(0).out;
        for option in ["--quiet", "-q"] {
            let done = room.run(&[case.args, &[option]].concat());
            let Some(left) = case.quiet else {
                done.ends(2).complains(option);
                continue;
            };
            let done = done.ends(0);
            assert_eq!(done.err, "", "{:?}", case.args);
            match left {
                Left::Nothing => assert_eq!(done.out, "", "{:?}", case.args),
                Left::Something => {
                    assert!(
                        !done.out.is_empty() && done.out.len() <= said.len(),
                        "{:?}",
                        case.args
                    );
                }
            }
        }
    }
}

#[test]
fn a_closed_pipe_ends_quietly_with_the_code_that_there_would_have_been() {
    let room = furnished("manners-pipe");
    let failed = &["run", "small.toml", "--set", "expect.tps='> 1000000'"];
    let json = &["run", "small.toml", "--json"];
    let all = CASES.iter().map(|case| (case.args, 0));
    let others = [(&failed[..], 1), (json, 0), (&["--help"], 0), (&["--version"], 0)];
    for (args, code) in all.chain(others) {
        for bytes in [0, 1] {
            let mut command = room.walden(args);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().expect("walden starts");
            let mut out = child.stdout.take().expect("a pipe");
            // Nobody reads, or `head` has seen enough.
            let _ = out.read(&mut vec![0; bytes]);
            drop(out);
            let done = Done::new(child.wait_with_output().expect("walden ends")).ends(code);
            assert_eq!(done.err, "", "{args:?}");
        }
    }
}

/// Waits until a signal would be caught.
fn wait_until_it_listens(child: &Child) {
    let status = format!("/proc/{}/status", child.id());
    let caught = || {
        let text = fs::read_to_string(&status).ok()?;
        let mask = text.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
        u64::from_str_radix(mask.trim(), 16).ok()
    };
    let begun = Instant::now();
    while caught().unwrap_or(0) & (1 << 1) == 0 && begun.elapsed() < Duration::from_secs(20) {
        thread::sleep(Duration::from_millis(5));
    }
    // It goes on to whatever keeps it busy.
    thread::sleep(Duration::from_millis(200));
}

#[test]
fn ctrl_c_and_sigterm_end_every_command_and_leave_nothing() {
    let room = furnished("manners-signals");
    let before = paths(&room);
    for (name, code) in [("-INT", 130), ("-TERM", 143)] {
        for case in CASES {
            let (args, says) = match case.busy {
                Busy::Long(args) => (args, "stopped; nothing was written\n"),
                Busy::Reads(args) => (args, ""),
                Busy::Prints => (case.args, ""),
                Busy::Over => continue,
            };
            let mut command = room.walden(args);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            let child = command.spawn().expect("walden starts");
            wait_until_it_listens(&child);
            signal(&child, name);
            let done = Done::new(child.wait_with_output().expect("walden ends")).ends(code);
            assert_eq!(done.err, says, "{args:?}");
            assert!(done.out.is_empty() || matches!(case.busy, Busy::Prints), "{args:?}");
            assert_eq!(paths(&room), before, "{args:?}");
        }
    }
}

#[test]
fn stopped_at_any_moment_files_are_whole_or_not_there() {
    let room = furnished("manners-files");
    for args in [
        &["import", "wal.csv", "-o", "out/profile.toml"][..],
        &["new", "out/mine", "--from", "basics/from_production"],
        &["export", "latest", "--format", "csv", "-o", "out/samples.csv"],
    ] {
        fs::create_dir(room.path("out")).expect("a folder");
        let begun = Instant::now();
        room.run(args).ends(0);
        let took = begun.elapsed();
        let whole = common::contents(&room.path("out"));
        for step in 0..25 {
            fs::remove_dir_all(room.path("out")).expect("it is there");
            fs::create_dir(room.path("out")).expect("a folder");
            let mut command = room.walden(args);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            let mut child = command.spawn().expect("walden starts");
            thread::sleep(took * step / 20);
            let _ = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
            child.wait().expect("it ends");
            for (path, bytes) in common::contents(&room.path("out")) {
                assert!(whole.get(&path) == Some(&bytes), "{} of {args:?}", path.display());
            }
        }
        fs::remove_dir_all(room.path("out")).expect("it is there");
    }
}

/// What a terminal is sent, where there is a program that gives one.
fn on_a_terminal(room: &Room, args: &str) -> Option<String> {
    let walden = env!("CARGO_BIN_EXE_walden");
    let mut command = Command::new("script");
    command.args(["-qec", &format!("{walden} {args}"), "/dev/null"]);
    command.current_dir(room.path("")).stdin(Stdio::null());
    command.env("TERM", "xterm").env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    Some(String::from_utf8_lossy(&command.output().ok()?.stdout).into_owned())
}

#[test]
fn on_a_terminal_there_is_progress_unless_quiet() {
    let room = Room::new("manners-terminal");
    let args = "run long.toml --set duration=30s";
    let Some(sent) = on_a_terminal(&room, args) else { return };
    assert!(sent.contains('%') && sent.contains("left"), "a bar: {sent:?}");
    assert!(sent.contains("\x1b[1m"), "colours: {sent:?}");
    assert_eq!(on_a_terminal(&room, &format!("{args} --quiet")).as_deref(), Some(""));
}

#[test]
fn short_help_fits_a_screen_and_long_help_has_examples() {
    let room = Room::new("manners-help");
    for command in CASES.iter().map(|case| case.args[0]) {
        let short = room.run(&[command, "-h"]).ends(0).out;
        let long = room.run(&[command, "--help"]).ends(0).out;
        assert!(!short.contains("Examples:") && short.lines().count() < 45, "{short}");
        assert!(long.contains("\nExamples:\n") && long.len() > short.len(), "{long}");
        assert_eq!(room.run(&["help", command]).ends(0).out, long);
        assert!(long.lines().all(|line| line.chars().count() <= 100), "{long}");
    }
}

/// The examples of a help text that are walden's, without what they are joined to.
fn examples(help: &str) -> Vec<String> {
    let (_, rest) = help.split_once("\nExamples:\n").expect("there are examples");
    let lines = rest.lines().filter_map(|line| line.strip_prefix("  walden "));
    let alone = |line: &str| {
        let end = [" | ", " > ", " >> ", " && ", "   "].iter().filter_map(|end| line.find(end));
        line[..end.min().unwrap_or(line.len())].to_owned()
    };
    lines.map(alone).collect()
}

/// The files that examples name, and two stored runs.
fn files_of_examples(room: &Room) {
    let imports = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/tests/import");
    let sample = |source: &str| fs::read(imports.join(source)).expect("a sample");
    for name in ["before.toml", "after.toml", "my.toml", "outage.toml"] {
        room.write(name, common::SMALL.replace("'3s'", "'2h'").replace("200/s", "2/s"));
    }
    let mine = common::SMALL.replace("rate = '200/s'", "wal_rate = '1MB/s'");
    room.write("mine.toml", mine);
    fs::create_dir_all(room.path("etc/postgresql/17/main")).expect("a folder");
    for name in ["postgresql.conf", "standby.conf", "etc/postgresql/17/main/postgresql.conf"] {
        room.write(name, "wal_keep_size = 1GB\n");
    }
    for (name, source) in [
        ("wal.csv", "lsn-samples/good.csv"),
        ("wal_lsn_history.csv", "lsn-samples/good.csv"),
        ("settings.csv", "pg-settings/good.csv"),
        ("ping.txt", "ping/good.txt"),
        ("pgbench_log.1", "pgbench-log/good.log"),
    ] {
        room.write(name, sample(source));
    }
    room.write("past.txt", "35min\n2h\n");
    room.run(&["run", "basics/one_standby", "--seed", "42", "--quiet"]).ends(0);
    let runs = room.path("runs/basics-one_standby");
    let run = room.names("runs/basics-one_standby").remove(0);
    fs::rename(runs.join(run), runs.join("42-0c5a8b1f")).expect("it is there");
    room.run(&["run", "outage.toml", "--quiet"]).ends(0);
}

#[test]
fn every_example_works() {
    let room = Room::new("manners-examples");
    files_of_examples(&room);
    let folder = Path::new(env!("CARGO_BIN_EXE_walden")).parent().expect("a folder");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    let mut count = 0;
    for command in CASES.iter().map(|case| case.args[0]).chain(["--color=auto"]) {
        let help = room.run(&[command, "--help"]).ends(0).out;
        for example in examples(&help) {
            // What is made anew is not written over.
            let made = match example.strip_prefix("new ") {
                Some("--from slots/disk_full") => Some("disk_full"),
                made => made.filter(|made| !made.starts_with('-')),
            };
            if let Some(made) = made {
                let _ = fs::remove_file(room.path(&format!("{made}.toml")));
            }
            // Some take minutes without optimisation: that they have begun is enough.
            let is_long = example.starts_with("plan ") || example.starts_with("sweep ");
            let patience = if is_long { "timeout -s INT 1 " } else { "" };
            let line = format!("{patience}walden {}", example.replace(" /etc/", " etc/"));
            let mut shell = Command::new("sh");
            shell.args(["-c", &line]).current_dir(room.path(""));
            shell.env("PATH", &path).stdin(Stdio::null());
            let done = Done::new(shell.output().expect("sh starts"));
            // --strict finds something in some of the files.
            let allowed: &[i32] = match example.split(' ').next() {
                Some("plan" | "sweep") => &[0, 1, 124],
                Some("check") if line.contains("--strict") => &[0, 3],
                _ => &[0],
            };
            assert!(done.code.is_some_and(|code| allowed.contains(&code)), "{line}: {done:?}");
            count += 1;
        }
    }
    assert!(count > 45, "{count} examples");
}
