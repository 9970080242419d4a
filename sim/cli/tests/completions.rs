//! `walden completions` and `walden man`: scripts that shells take, answers that fit, and pages.

mod common;

use std::path::Path;
use std::process::{Command, Stdio};

use common::{Done, Room};

/// What comes of TAB behind the last of these words.
fn offered(room: &Room, words: &[&str]) -> Vec<String> {
    let mut command = room.walden(&[&["--", "walden"], words].concat());
    command.env("WALDEN_COMPLETE", "bash").env("_CLAP_IFS", "\n");
    command.env("_CLAP_COMPLETE_INDEX", words.len().to_string());
    let done = Done::new(command.output().expect("walden starts")).ends(0);
    assert_eq!(done.err, "", "{words:?}");
    done.out.lines().map(str::to_owned).collect()
}

#[test]
fn names_files_runs_and_paths_are_completed() {
    let room = Room::new("completions");
    room.run(&["run", "small.toml", "--quiet"]).ends(0);
    let run = format!("runs/small/{}", room.names("runs/small")[0]);
    for (words, wanted) in [
        (&["sch"][..], &["schema"][..]),
        (&["run", "slots/offline_w"], &["slots/offline_without_slot", "slots/offline_with_slot"]),
        (&["run", "sm"], &["small.toml"]),
        (&["run", "--qu"], &["--quiet"]),
        (&["run", "--color", "a"], &["auto", "always"]),
        (&["run", "small.toml", "--set", "server.pg2.re"], &["server.pg2.replay="]),
        (&["run", "small.toml", "--set", "fault.cable.k"], &[]),
        (&["run", "small.toml", "--set", "fault.cable.b"], &["fault.cable.between="]),
        (&["run", "small.toml", "--set", "workload.orders.c"], &[]),
        (
            &["check", "sync/five_levels", "--set", "server.pg1.postgresql.max_slot_wal"],
            &["server.pg1.postgresql.max_slot_wal_keep_size="],
        ),
        (
            &["plan", "--scenario", "small.toml", "--set", "postgresql.wal_level="],
            &[
                "postgresql.wal_level=minimal",
                "postgresql.wal_level=replica",
                "postgresql.wal_level=logical",
            ],
        ),
        (&["run", "nothing.toml", "--set", "server."], &[]),
        (&["replay", "l"], &["latest", "long.toml"]),
        (&["replay", "runs/s"], &[&run, "runs/small/"]),
        (&["view", "latest", "mon"], &["monitor"]),
        (&["export", "lat"], &["latest"]),
        (&["view", "latest", "lag", "--server", "p"], &["pg1", "pg2"]),
        (&["explain", "latest", "--standby", "p"], &["pg2"]),
        (
            &["explain", "sync/five_levels", "--variant", "remote_"],
            &["remote_write", "remote_apply"],
        ),
        (&["export", "latest", "--variant", ""], &["base"]),
        (&["view", "nothing", "lag", "--server", "p"], &[]),
        (&["explain", "WAL005"], &["WAL005"]),
        (&["import", "pgbench-l"], &["pgbench-log"]),
        (&["new", "--from", "slots/k"], &["slots/keep_size"]),
        (&["list", "fi"], &["findings"]),
        (&["completions", "z"], &["zsh"]),
    ] {
        let mut offered = offered(&room, words);
        let mut wanted = wanted.to_vec();
        offered.sort();
        wanted.sort_unstable();
        assert_eq!(offered, wanted, "{words:?}");
    }
}

/// The shell, if it is there.
fn shell(name: &str) -> Option<Command> {
    let found = Command::new(name).arg("-c").arg("exit").stdin(Stdio::null()).status();
    found.is_ok_and(|status| status.success()).then(|| Command::new(name))
}

#[test]
fn every_shell_takes_its_script() {
    let room = Room::new("completions-scripts");
    for name in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = room.run(&["completions", name]).ends(0).out;
        assert!(script.contains("WALDEN_COMPLETE") && script.contains("walden"), "{script}");
        room.write(name, &script);
        if ["bash", "fish", "zsh"].contains(&name)
            && let Some(mut shell) = shell(name)
        {
            let checked = shell.arg("-n").arg(room.path(name)).output().expect("it starts");
            assert!(checked.status.success(), "{name}: {checked:?}");
        }
    }
    room.run(&["completions", "tcsh"]).ends(2).complains("possible values");
}

#[test]
fn bash_completes_with_it() {
    let Some(mut bash) = shell("bash") else { return };
    let room = Room::new("completions-bash");
    let folder = Path::new(env!("CARGO_BIN_EXE_walden")).parent().expect("a folder");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    let script = "source <(walden completions bash)
        COMP_WORDS=(walden run basics/two) COMP_CWORD=2 COMP_TYPE=9
        _clap_complete_walden walden basics/two run
        printf '%s\\n' \"${COMPREPLY[@]}\"";
    bash.args(["-c", script]).current_dir(room.path(".")).env("PATH", path);
    let done = Done::new(bash.output().expect("bash starts")).ends(0);
    assert_eq!(done.out, "basics/two_roles\n", "{}", done.err);
}

#[test]
fn there_is_a_manual_page_of_every_command() {
    let room = Room::new("man");
    let whole = room.run(&["man"]).ends(0).out;
    assert!(whole.contains(".TH walden 1"), "{whole}");
    let help = room.run(&["-h"]).ends(0).out;
    let (_, commands) = help.split_once("Commands:\n").expect("there are commands");
    let (commands, _) = commands.split_once("\n\n").expect("they end");
    let names = commands.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let mut pages = 0;
    for name in names.filter_map(|line| line.split_whitespace().next()) {
        if name == "help" {
            continue;
        }
        let page = room.run(&["man", name]).ends(0).out;
        assert!(page.contains(&format!(".TH walden-{name} 1")), "{page}");
        assert!(page.contains("Examples:"), "{name}");
        pages += 1;
    }
    assert!(pages >= 12, "{pages} pages");
    room.run(&["man", "rum"]).ends(2).complains("there are run, ");
}
