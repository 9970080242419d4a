//! What README.md and the book show and link to is there.
//!
//! `UPDATE_GOLDENFILES=1 cargo test -p walden --test readme` pastes the screen again.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::Room;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The lines between the first fence of that kind and its end.
fn block<'a>(text: &'a str, fence: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("\n{fence}\n")).expect("there is such a block");
    rest.split_once("\n```\n").expect("it ends").0
}

/// Every page of the book, by its path below `book/src`.
fn pages() -> Vec<String> {
    let mut pages = Vec::new();
    for folder in ["", "reference/"] {
        let path = root().join("book/src").join(folder);
        for entry in fs::read_dir(path).expect("the book is there").flatten() {
            pages.push(format!("{folder}{}", entry.file_name().to_string_lossy()));
        }
    }
    pages.retain(|page| page.ends_with(".md"));
    pages
}

#[test]
fn the_readme_has_two_commands_to_set_up() {
    let readme = read("README.md");
    let commands: Vec<&str> = block(&readme, "```sh").lines().collect();
    assert_eq!(commands, ["cargo run --release -- run basics/one_standby", "cargo test"]);
}

#[test]
fn the_readme_shows_what_is_printed() {
    let room = Room::new("readme");
    let screen = room.run(&["run", "basics/one_standby"]).ends(0).out;
    let readme = read("README.md");
    let shown = block(&readme, "```text");
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        let new = readme.replacen(shown, screen.trim_end(), 1);
        fs::write(root().join("README.md"), new).expect("README.md can be written");
        return;
    }
    assert_eq!(shown, screen.trim_end(), "see this file's header");
}

#[test]
fn every_link_leads_somewhere() {
    let mut texts = vec!["README.md".to_owned(), "CONTRIBUTING.md".to_owned()];
    texts.extend(pages().into_iter().map(|page| format!("book/src/{page}")));
    for path in &texts {
        let text = read(path);
        let folder = root().join(path).parent().expect("a file is in a folder").to_owned();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or("");
            if !target.contains("://") && !target.is_empty() {
                assert!(folder.join(target).exists(), "{path} links to {target}");
            }
        }
    }
}

#[test]
fn every_piece_of_code_in_a_chapter_is_in_its_file() {
    let mut found = 0;
    for page in pages() {
        let chapter = format!("book/src/{page}");
        let text = read(&chapter);
        let folder = Path::new(&chapter).parent().expect("a page is in a folder");
        for what in text.split("{{#include ").skip(1).filter_map(|rest| rest.split("}}").next()) {
            // A scenario is included whole, and so is the page on all of them.
            let (file, anchor) = what.rsplit_once(':').unwrap_or((what, ""));
            let code = read(folder.join(file).to_str().expect("our paths are UTF-8"));
            if anchor.is_empty() {
                let whole = file.ends_with(".toml") || file.ends_with(".md");
                assert!(whole, "{chapter}: no anchor in {file}");
                continue;
            }
            for mark in ["ANCHOR", "ANCHOR_END"] {
                let line = format!("// {mark}: {anchor}\n");
                assert!(code.contains(&line), "{chapter}: {file} has no {mark} {anchor}");
            }
            found += 1;
        }
    }
    assert!(found > 0, "chapters include code");
}

#[test]
fn every_chapter_is_in_the_summary() {
    let summary = read("book/src/SUMMARY.md");
    for page in pages().into_iter().filter(|page| page != "SUMMARY.md") {
        assert!(summary.contains(&format!("({page})")), "{page} is in no list");
    }
}
