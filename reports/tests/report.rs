//! What is written: every file is there, hostile and empty runs do no harm, the same runs give the
//! same bytes.

mod common;

use std::fs;
use std::path::Path;

use common::{directory, empty_run, example_run, example_runs, golden};
use models::trace::Run;
use models::trace::fact::{Fact, Scope, ServerId, What};
use models::trace::law::{Law, Violation};
use models::units::{Bytes, SimTime};
use reports::{Context, Omission, Verdict, render, verdict};

fn context(lines: &[String]) -> Context<'_> {
    Context {
        command: "walden run sync/ocean.toml --seed 42",
        digest: "9abcdef012345678",
        remarks: &lines[..lines.len().min(1)],
        not_modelled: lines,
        omissions: &[],
    }
}

fn rendered(test: &str, runs: &[Run]) -> std::path::PathBuf {
    let dir = directory(test);
    let lines = ["Lock contention between backends.".to_owned(), "TLS.".to_owned()];
    render(runs, &dir, &context(&lines)).expect("a report");
    dir
}

fn files_of(dir: &Path, into: &mut Vec<(String, Vec<u8>)>, root: &Path) {
    let mut entries: Vec<_> =
        fs::read_dir(dir).expect("a directory").map(|e| e.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files_of(&path, into, root);
        } else {
            let name = path.strip_prefix(root).expect("below the root").display().to_string();
            into.push((name, fs::read(&path).expect("a file")));
        }
    }
}

fn all_files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    files_of(dir, &mut files, dir);
    files
}

#[test]
fn every_file_is_written_and_again_the_same() {
    let first = all_files(&rendered("every_file", &example_runs()));
    let second = all_files(&rendered("every_file_again", &example_runs()));
    assert!(first == second);
    let names: Vec<_> = first.iter().map(|(name, _)| name.as_str()).collect();
    golden("files.txt", &(names.join("\n") + "\n"));
    for (name, content) in &first {
        assert!(!content.is_empty() || name.ends_with("pg3.log"), "{name}");
    }
}

#[test]
fn the_picture_files_keep_their_bytes() {
    let sums: String = all_files(&rendered("bytes", &example_runs()))
        .iter()
        .filter(|(name, _)| name.starts_with("plots/"))
        .map(|(name, content)| format!("{name} {:016x}\n", fnv(content)))
        .collect();
    golden("plots.sums", &sums);
}

fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |h, &b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

#[test]
fn the_page_loads_nothing() {
    let page =
        fs::read_to_string(rendered("loads", &example_runs()).join("report.html")).expect("a page");
    // The name of SVG is not fetched.
    let page = page.replace("http://www.w3.org/2000/svg", "");
    let links = ["http://", "https://", "<link", "@import", "url(", "<img", "src=", "import("];
    for forbidden in links.into_iter().chain(["fetch(", "XMLHttpRequest", "WebSocket", "eval("]) {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert!(page.contains("default-src 'none'"), "nor could it");
    for wanted in ["<caption", "role=\"img\"", "prefers-color-scheme:dark", "lang=\"en\"", "✗"] {
        assert!(page.contains(wanted), "{wanted}");
    }
    assert!(page.contains("terminating walreceiver due to timeout"));
    assert!(page.contains("walden run sync/ocean.toml --seed 42"));
}

/// Headings, what unfolds, captions and column heads, a line each, indented by their level.
fn outline(page: &str) -> String {
    let tags =
        [("<h1", 0), ("<h2", 1), ("<h3", 2), ("<summary", 3), ("<caption", 3), ("<thead", 4)];
    let mut outline = String::new();
    for (at, _) in page.match_indices('<') {
        let Some((tag, level)) = tags.iter().find(|(tag, _)| page[at..].starts_with(tag)) else {
            continue;
        };
        let end = page[at..].find(&tag.replace('<', "</")).expect("the tag is closed") + at;
        let words = page[at..end].replace("</th>", "</th> · ");
        let mut inside = false;
        let plain: String = words
            .chars()
            .filter(|&c| {
                inside = (inside || c == '<') && !(inside && c == '>');
                !inside && c != '>'
            })
            .collect();
        let plain = plain.trim().trim_end_matches('·').trim();
        outline.push_str(&format!("{}{}: {plain}\n", "  ".repeat(*level), &tag[1..]));
    }
    outline
}

#[test]
fn the_page_has_its_parts_in_the_order_in_which_people_ask() {
    let page = |runs: &[Run], test: &str| {
        fs::read_to_string(rendered(test, runs).join("report.html")).expect("a page")
    };
    golden("outline.txt", &outline(&page(&example_runs(), "outline")));
    golden("outline_empty.txt", &outline(&page(&[empty_run()], "outline_empty")));
}

#[test]
fn what_is_left_out_is_said_and_what_weighs_here_first() {
    let omission = |what: &str, touches| Omission { what: what.to_owned(), touches };
    let omissions = [omission("Pigs that fly.", false), omission("Locks.", true)];
    let dir = directory("omissions");
    let context = Context { omissions: &omissions, ..context(&[]) };
    render(&example_runs(), &dir, &context).expect("a report");
    let page = fs::read_to_string(dir.join("report.html")).expect("a page");
    let at = |what: &str| page.find(what).expect("it is said");
    assert!(at("Locks.") < at("Left out as well") && at("Left out as well") < at("Pigs"));
}

#[test]
fn hostile_names_are_only_text() {
    let evil = "<script>alert('x')</script>,/../\"\u{1}";
    let mut runs = vec![example_run(evil, 100), example_run("../..", 60)];
    for run in &mut runs {
        run.title = evil.to_owned();
        run.question = evil.to_owned();
        run.servers[1] = evil.to_owned();
        run.samples.standbys[0].name = evil.to_owned();
        run.faults[0].name = evil.to_owned();
        run.summary.standbys[0].name = evil.to_owned();
        run.summary.expectations[0].measured = evil.to_owned();
        run.summary.settings.insert(evil.to_owned(), evil.to_owned());
    }
    let dir = rendered("hostile", &runs);
    for (name, content) in all_files(&dir) {
        let markup = name.ends_with(".html") || name.ends_with(".svg");
        let text = String::from_utf8_lossy(&content);
        let own = if name.ends_with(".html") { 2 } else { 0 };
        assert!(!markup || text.matches("<script").count() == own, "{name}");
    }
    let directories = reports::variant_directories(&runs);
    assert!(
        directories.iter().all(|d| !d.contains('/') && dir.join(d).is_dir()),
        "{directories:?}"
    );
}

#[test]
fn a_run_without_commits_shows_none() {
    let page = |runs: &[Run], test: &str| {
        fs::read_to_string(rendered(test, runs).join("report.html")).expect("a page")
    };
    let mut run = example_run("base", 50);
    run.summary.laws.clear();
    run.summary.expectations.clear();
    let with = page(std::slice::from_ref(&run), "with_commits");
    assert!(with.contains("commits lost") && with.contains("Plot: Throughput"));
    assert!(with.contains("No expectation was set.") && !with.contains("every law held"));
    run.summary.commits = Default::default();
    let without = page(&[run], "without_commits");
    assert!(!without.contains("commits lost") && !without.contains("Plot: Throughput"));
    assert!(without.contains("Plot: Size of pg_wal"));
}

#[test]
fn nothing_at_all_is_reported_too() {
    let page =
        fs::read_to_string(rendered("empty", &[empty_run()]).join("report.html")).expect("a page");
    assert!(page.contains("No data: there is no standby."));
    rendered("no_runs", &[]);
}

#[test]
fn twenty_variants_are_readable() {
    let runs: Vec<_> = (0..20u64)
        .map(|i| example_run(&format!("{}Mbit/s,window={i}", 10 << (i % 8)), 50 + i * 25))
        .collect();
    let dir = rendered("twenty", &runs);
    let lag = fs::read_to_string(dir.join("plots/lag.svg")).expect("a plot");
    assert!(lag.contains("10Mbit/s,window=0") && lag.contains("80Mbit/s,window=19"));
    // Five sixths of it are drawings.
    assert!(fs::metadata(dir.join("report.html")).expect("a page").len() < 3_300_000);
}

#[test]
fn pixels_appear() {
    let dir = rendered("pixels", &example_runs());
    for (name, content) in all_files(&dir.join("plots")) {
        if name.ends_with(".png") {
            assert!(content.starts_with(b"\x89PNG"), "{name}");
            // White alone compresses to a few kilobytes.
            assert!(content.len() > 15_000, "{name}: {}", content.len());
        }
    }
}

#[test]
fn the_verdict_is_of_all_variants() {
    let mut runs = example_runs();
    assert_eq!(verdict(&runs), Verdict::Failed);
    runs.remove(1);
    assert_eq!(verdict(&runs), Verdict::Met);
    runs[0].summary.laws[0].held = false;
    assert_eq!(verdict(&runs), Verdict::Failed);
}

#[test]
fn a_broken_law_is_told_with_what_came_before_it() {
    let mut run = example_run("base", 50);
    let (at, server) = (SimTime(1_500_000_000), ServerId(0));
    let crash = What::Crashed { scope: Scope::Host, lost: Bytes(8_192) };
    let before = vec![Fact { at: SimTime(1_000_000_000), server: Some(server), what: crash }];
    let found = "slot s2 needs segment 3".to_owned();
    let violation = Violation { law: Law::WalKept, at, server, found, before };
    run.violations.push(Law::WalKept, || violation.clone());
    run.summary.laws = run.violations.summary();
    let [law] = &reports::tables::laws(std::slice::from_ref(&run))[..] else { panic!("one law") };
    let name = &run.servers[0];
    let wanted = format!("broken once, at 1.500 s on {name}: slot s2 needs segment 3");
    assert_eq!((law.law, &law.found), ("wal_kept", &wanted));
    assert_eq!(law.before.len(), 1);
    let page = fs::read_to_string(rendered("broken_law", &[run]).join("report.html"));
    let page = page.expect("a page");
    assert!(page.contains("A law of replication was broken."), "no verdict");
    assert!(page.contains(&law.found) && page.contains(&law.before[0]), "{law:?}");
}

#[test]
fn variants_of_several_scenarios_carry_its_name() {
    let mut runs = example_runs();
    runs[2].scenario = "slots/cap".to_owned();
    assert_eq!(reports::scenario_name(&runs), "sync/ocean+slots/cap");
    let names = ["sync/ocean/base", "sync/ocean/async", "slots/cap/remote_apply"];
    assert_eq!(reports::variant_names(&runs), names);
}
