//! The help texts, held as goldens: a change of the command line shows up in a review.
//!
//! `UPDATE_GOLDENFILES=1 cargo test -p walden --test help` rewrites them.

mod common;

use std::fs;
use std::path::Path;

use common::Room;

#[test]
fn help_texts_are_what_the_goldens_say() {
    let room = Room::new("help");
    for (name, args) in [
        ("walden-short", &["-h"][..]),
        ("walden", &["--help"]),
        ("run-short", &["run", "-h"]),
        ("run", &["run", "--help"]),
        ("sweep", &["sweep", "--help"]),
        ("replay", &["replay", "--help"]),
        ("view", &["view", "--help"]),
        ("plan", &["plan", "--help"]),
        ("list", &["list", "--help"]),
        ("check", &["check", "--help"]),
        ("new", &["new", "--help"]),
        ("import", &["import", "--help"]),
        ("export", &["export", "--help"]),
        ("schema", &["schema", "--help"]),
        ("completions", &["completions", "--help"]),
        ("man", &["man", "--help"]),
    ] {
        let done = room.run(args).ends(0);
        let trimmed: Vec<&str> = done.out.lines().map(str::trim_end).collect();
        let help = format!("{}\n", trimmed.join("\n"));
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/help/{name}.txt"));
        if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
            fs::write(&golden, &help).expect("the golden can be written");
        }
        let wanted = fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(help, wanted, "`walden {}`: see this file's header", args.join(" "));
    }
}

#[test]
fn the_version_is_the_packages() {
    let room = Room::new("version-flag");
    let done = room.run(&["--version"]).ends(0);
    assert_eq!(done.out, format!("walden {}\n", env!("CARGO_PKG_VERSION")));
}
