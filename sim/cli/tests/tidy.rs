//! The house rules as tests: what may import what, how long things get, which words we say.
//!
//! A rule is a function from a file to complaints; the tests below run every rule over the whole
//! workspace, and prove of every rule that it can fail. Rules read lines, not syntax: rustfmt
//! keeps the code in the shape that they rely on.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// What each crate may depend on (not counting what its tests need).
const ALLOWED: &[(&str, &[&str])] = &[
    ("models", &["serde", "thiserror"]),
    ("scenarios", &["csv", "models", "serde", "serde_json", "strsim", "thiserror", "toml"]),
    ("sim", &["futures-util", "madsim", "models", "rand", "scenarios", "thiserror"]),
    ("reports", &["csv", "maud", "models", "plotters", "png", "serde", "serde_json", "thiserror"]),
    (
        "sim/cli",
        &[
            "clap",
            "clap_complete",
            "clap_mangen",
            "comfy-table",
            "crc32fast",
            "indicatif",
            "miette",
            "models",
            "reports",
            "scenarios",
            "serde",
            "serde_json",
            "signal-hook",
            "sim",
            "strsim",
            "terminal_size",
            "thiserror",
            "toml",
        ],
    ),
];

/// Files longer than [`FILE_LINES`]: tables, where length is content.
const LONG_FILES: &[&str] = &["models/src/postgres/guc/table.rs", "models/src/trace/messages.rs"];

/// Files with longer lines: recorded answers of servers, where a row stays a row.
const WIDE_FILES: &[&str] = &["models/src/postgres/guc/tests.rs"];

/// Columns of a line.
const COLUMNS: usize = 100;
/// Lines of a function.
const FUNCTION_LINES: usize = 70;
/// Lines of a file, without its tests.
const FILE_LINES: usize = 600;

/// Words that PostgreSQL has better ones for.
const BANNED: &[(&str, &str)] = &[
    ("replica", "standby"),
    ("replicas", "standbys"),
    ("master", "primary"),
    ("masters", "primaries"),
    ("slave", "standby"),
    ("slaves", "standbys"),
];

/// What code in a crate's `src` must not say, by the start of its path.
const NEVER: &[(&str, &[&str])] = &[
    (
        "models/src/",
        &[
            "std::time",
            "std::thread",
            "std::fs",
            "std::net",
            "std::env",
            "HashMap",
            "HashSet",
            "async fn",
            "madsim",
            "tokio",
            "rand::",
            "println!",
            "eprintln!",
        ],
    ),
    ("scenarios/src/", &["madsim", "sim::", "std::thread", "std::time", "println!", "eprintln!"]),
    ("sim/src/", &["reports::", "plotters", "clap", "indicatif", "println!", "eprintln!"]),
    ("reports/src/", &["scenarios::", "sim::", "madsim", "std::time", "rand::", "println!"]),
    // Printing goes through `terminal`, which survives a closed pipe.
    ("sim/cli/src/", &["println!", "eprintln!", "print!("]),
];

/// A file of the workspace.
struct Source {
    /// From the root of the workspace, with `/`.
    path: String,
    text: String,
}

/// A rule that does not hold, and where.
#[derive(Debug, PartialEq, Eq)]
struct Complaint {
    path: String,
    line: usize,
    what: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

impl Source {
    fn new(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Code of a crate, as opposed to its tests and benches.
    fn is_src(&self) -> bool {
        self.is_rust() && self.path.contains("/src/") && !self.path.ends_with("/tests.rs")
    }

    /// Numbered lines, without the tests at the end.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().take_while(|(_, line)| *line != "#[cfg(test)]")
    }

    /// Numbered lines.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    fn complaint(&self, line: usize, what: impl Into<String>) -> Complaint {
        Complaint { path: self.path.clone(), line, what: what.into() }
    }
}

/// The line up to a comment. Good enough for `//` outside of strings with URLs.
fn without_comment(line: &str) -> &str {
    let trimmed = line.trim_start();
    if trimmed.starts_with("//") { "" } else { line.split(" // ").next().unwrap_or(line) }
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

fn opens_with_a_header(source: &Source) -> Vec<Complaint> {
    if source.is_rust() && !source.text.starts_with("//! ") {
        return vec![source.complaint(1, "a file opens with `//!`: what it is, how it works")];
    }
    Vec::new()
}

fn lines_are_short(source: &Source) -> Vec<Complaint> {
    let read = source.is_rust() && !WIDE_FILES.contains(&source.path.as_str());
    let lines = source.lines().filter(|(_, line)| read && line.chars().count() > COLUMNS);
    lines.map(|(n, _)| source.complaint(n, format!("more than {COLUMNS} columns"))).collect()
}

fn functions_are_short(source: &Source) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    if !source.is_src() {
        return complaints;
    }
    let lines: Vec<(usize, &str)> = source.code().collect();
    for (index, (first, line)) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let before = line.trim_start().split("fn ").next().unwrap_or("");
        let opens = line.contains("fn ")
            && words(before)
                .all(|w| ["pub", "crate", "super", "const", "async", "unsafe"].contains(&w))
            && before.chars().all(|c| c.is_alphanumeric() || " ()".contains(c));
        if !opens || line.trim_end().ends_with([';', '}']) {
            continue;
        }
        let close = format!("{}}}", " ".repeat(indent));
        let end = lines[index..].iter().find(|(_, line)| *line == close);
        let length = end.map_or(0, |(last, _)| last - first + 1);
        if length > FUNCTION_LINES {
            complaints.push(source.complaint(
                *first,
                format!("a function of {length} lines; {FUNCTION_LINES} are enough"),
            ));
        }
    }
    complaints
}

fn files_are_short(source: &Source) -> Vec<Complaint> {
    let length = source.code().count();
    let exempt = LONG_FILES.contains(&source.path.as_str()) || !source.is_src();
    if length > FILE_LINES && !exempt {
        let what = format!("{length} lines without tests; {FILE_LINES} are enough");
        return vec![source.complaint(FILE_LINES, what)];
    }
    Vec::new()
}

fn words_are_postgresqls(source: &Source) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (n, line) in source.lines() {
        // `replica` is PostgreSQL's own word for the value of two settings, and in the name of a
        // metric of postgres_exporter.
        let settings = ["wal_level", "WalLevel", "session_replication_role", "is_replica"];
        let setting = source.path.starts_with("models/src/postgres/guc");
        if setting || settings.iter().any(|name| line.contains(name)) {
            continue;
        }
        let lower = line.to_lowercase();
        for (banned, say) in BANNED {
            if words(&lower).any(|word| word == *banned) {
                complaints.push(source.complaint(n, format!("say {say}, not {banned}")));
            }
        }
    }
    complaints
}

fn nothing_is_unwrapped(source: &Source) -> Vec<Complaint> {
    let found = |line: &str| without_comment(line).contains(".unwrap()");
    let lines = source.code().filter(|(_, line)| source.is_src() && found(line));
    lines.map(|(n, _)| source.complaint(n, "`unwrap` is for tests")).collect()
}

fn no_test_is_ignored(source: &Source) -> Vec<Complaint> {
    // In two pieces, so that this file may be read as well.
    let attributes = [concat!("#[ig", "nore"), concat!("#[should_", "panic")];
    let mut complaints = Vec::new();
    for (n, line) in source.lines().filter(|_| source.is_rust()) {
        for attribute in attributes {
            if line.trim_start().starts_with(attribute) {
                complaints.push(source.complaint(n, format!("no {attribute}]")));
            }
        }
    }
    complaints
}

fn no_path_of_a_machine(source: &Source) -> Vec<Complaint> {
    let places = [concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/ho", "me/")];
    let mut complaints = Vec::new();
    for (n, line) in source.lines() {
        for place in places.iter().chain(&[concat!("/Us", "ers/")]) {
            if line.contains(place) {
                complaints.push(source.complaint(n, format!("a path of one machine: {place}")));
            }
        }
    }
    complaints
}

fn crates_stay_pure(source: &Source) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (start, never) in NEVER {
        if !source.path.starts_with(start) {
            continue;
        }
        for (n, line) in source.code() {
            for word in *never {
                if says(without_comment(line), word) {
                    complaints.push(source.complaint(n, format!("{start} never says `{word}`")));
                }
            }
        }
    }
    if source.path.starts_with("scenarios/src/") && source.path != "scenarios/src/catalog.rs" {
        for (n, line) in source.code().filter(|(_, line)| line.contains("std::fs")) {
            let _ = line;
            complaints.push(source.complaint(n, "only catalog.rs reads files"));
        }
    }
    complaints
}

/// Whether the line has the word, not as the end of a longer one.
fn says(line: &str, word: &str) -> bool {
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}

fn reports_name_only_the_trace(source: &Source) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    if !source.path.starts_with("reports/src/") {
        return complaints;
    }
    let allowed = ["trace", "units", "postgres::PgVersion"];
    for (n, line) in source.code() {
        for (at, found) in without_comment(line).match_indices("models::") {
            let rest = &line[at + found.len()..];
            if !allowed.iter().any(|name| rest.starts_with(name)) {
                let what =
                    format!("reports read {} and nothing else of models", allowed.join(", "));
                complaints.push(source.complaint(n, what));
            }
        }
    }
    complaints
}

fn dependencies_are_few(source: &Source) -> Vec<Complaint> {
    let Some(krate) = source.path.strip_suffix("/Cargo.toml") else { return Vec::new() };
    let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == krate) else {
        return Vec::new();
    };
    let mut complaints = Vec::new();
    let mut inside = false;
    for (n, line) in source.lines() {
        if line.starts_with('[') {
            inside = line == "[dependencies]" || line.ends_with(".dependencies]");
            continue;
        }
        let name = line.split(['.', ' ', '=']).next().unwrap_or("");
        if inside && !name.is_empty() && !name.starts_with('#') && !allowed.contains(&name) {
            let what = format!("{krate} may not depend on {name}: that changes the architecture");
            complaints.push(source.complaint(n, what));
        }
    }
    complaints
}

/// Every rule with a file that breaks it.
type Rule = fn(&Source) -> Vec<Complaint>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every file of the workspace that rules read.
fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<_> = fs::read_dir(root().join(&folder))
            .expect("a folder of the workspace can be read")
            .map(|entry| entry.expect("an entry can be read"))
            .collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = folder.join(&name);
            let kind = entry.file_type().expect("an entry has a type");
            let skipped = ["target", ".git", "runs", "live"].contains(&name.as_str())
                || path == Path::new("book/book");
            if kind.is_dir() && !skipped {
                folders.push(path);
            } else if kind.is_file() && (name == "run" || reads(&name)) {
                let text = fs::read_to_string(root().join(&path)).expect("a source is UTF-8");
                found.push(Source::new(&path.to_string_lossy(), &text));
            }
        }
    }
    found
}

fn reads(name: &str) -> bool {
    [".rs", ".toml", ".md", ".py", ".sh", ".sql"].iter().any(|end| name.ends_with(end))
}

fn hold(rule: Rule, reads: impl Fn(&Source) -> bool) {
    let complaints: Vec<String> = sources()
        .iter()
        .filter(|source| reads(source))
        .flat_map(rule)
        .map(|complaint| complaint.to_string())
        .collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// The rule must complain about `bad` on this line, and say nothing about `good`.
fn proven(rule: Rule, path: &str, bad: &str, line: usize, good: &str) {
    let told = rule(&Source::new(path, bad));
    assert_eq!(told.iter().map(|c| c.line).collect::<Vec<_>>(), [line], "{told:?}");
    assert_eq!(rule(&Source::new(path, good)), [], "the good example of {path}");
}

#[test]
fn the_whole_workspace_is_read() {
    let sources = sources();
    for path in ["Cargo.toml", "models/src/lib.rs", "sim/cli/tests/tidy.rs", "README.md"] {
        assert!(sources.iter().any(|source| source.path == path), "{path} is not read");
    }
}

#[test]
fn every_file_opens_with_what_it_is() {
    proven(opens_with_a_header, "models/src/a.rs", "use std::fmt;\n", 1, "//! A file.\n");
    hold(opens_with_a_header, |_| true);
}

#[test]
fn lines_fit_a_hundred_columns() {
    let (bad, good) = (format!("\n// {}\n", "x".repeat(98)), format!("// {}\n", "ü".repeat(97)));
    proven(lines_are_short, "models/src/a.rs", &bad, 2, &good);
    hold(lines_are_short, |_| true);
}

#[test]
fn functions_fit_a_page() {
    let of = |lines: usize| {
        format!(
            "impl X {{\n    pub(crate) fn f(\n        x: u8) {{\n{}    }}\n}}\n",
            "        a;\n".repeat(lines - 3)
        )
    };
    proven(functions_are_short, "models/src/a.rs", &of(71), 2, &of(70));
    let in_tests = format!("#[cfg(test)]\n{}", of(100));
    assert_eq!(functions_are_short(&Source::new("models/src/a.rs", &in_tests)), []);
    hold(functions_are_short, |_| true);
}

#[test]
fn files_fit_six_hundred_lines() {
    let (bad, good) = ("a\n".repeat(601), format!("{}#[cfg(test)]\n{0}", "a\n".repeat(600)));
    proven(files_are_short, "models/src/a.rs", &bad, 600, &good);
    assert_eq!(files_are_short(&Source::new(LONG_FILES[0], &bad)), []);
    hold(files_are_short, |_| true);
}

#[test]
fn the_words_are_postgresqls_own() {
    let good = "the postmaster\nwal_level = 'replica'\n";
    for (word, _) in BANNED {
        let bad = format!("\nfn promote_{word}() {{}}\n");
        proven(words_are_postgresqls, "models/src/a.rs", &bad, 2, good);
    }
    // This file has to name the words; the documents of licences and changes are read too.
    hold(words_are_postgresqls, |source| source.path != "sim/cli/tests/tidy.rs");
}

#[test]
fn nothing_is_unwrapped_outside_of_tests() {
    let good = "// never .unwrap() this\n#[cfg(test)]\nx.unwrap();\n";
    proven(nothing_is_unwrapped, "models/src/a.rs", "x\n    .unwrap();\n", 2, good);
    hold(nothing_is_unwrapped, |_| true);
}

#[test]
fn every_test_runs() {
    for bad in [concat!("#[ig", "nore]\n"), concat!("#[ig", "nore = \"slow\"]\n")] {
        proven(no_test_is_ignored, "sim/tests/a.rs", bad, 1, "#[test]\n");
    }
    proven(no_test_is_ignored, "sim/tests/a.rs", concat!("#[should_", "panic]\n"), 1, "#[test]\n");
    hold(no_test_is_ignored, |_| true);
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    for bad in [concat!("cd /ro", "ot/x"), concat!("/wo", "rk/x"), concat!("/ho", "me/me/x")] {
        proven(no_path_of_a_machine, "README.md", bad, 1, "runs/latest/report.html");
    }
    hold(no_path_of_a_machine, |_| true);
}

#[test]
fn crates_keep_to_what_is_theirs() {
    for (start, never) in NEVER {
        let path = format!("{start}a.rs");
        for word in *never {
            let good = format!("// {word}\nmy_{word}\n");
            proven(crates_stay_pure, &path, &format!("x;\ny = {word}z;\n"), 2, &good);
        }
    }
    proven(crates_stay_pure, "scenarios/src/a.rs", "use std::fs;\n", 1, "use std::io;\n");
    hold(crates_stay_pure, |_| true);
}

#[test]
fn reports_read_the_trace_and_nothing_else() {
    let good =
        "use models::trace::Run;\nuse models::units::Lsn;\nuse models::postgres::PgVersion;\n";
    let bad = "use models::trace::Run;\nuse models::postgres::slot::Slot;\n";
    proven(reports_name_only_the_trace, "reports/src/a.rs", bad, 2, good);
    proven(reports_name_only_the_trace, "reports/src/a.rs", "use models::{trace};\n", 1, good);
    hold(reports_name_only_the_trace, |_| true);
}

#[test]
fn every_dependency_was_decided_upon() {
    let good = "[dependencies]\nserde.workspace = true\n[dev-dependencies]\nrand = \"1\"\n";
    let bad =
        "[package]\nname = \"models\"\n[dependencies]\nserde.workspace = true\nrand = \"1\"\n";
    proven(dependencies_are_few, "models/Cargo.toml", bad, 5, good);
    for (krate, _) in ALLOWED {
        let path = root().join(krate).join("Cargo.toml");
        assert!(path.is_file(), "{krate} is in the list and not in the workspace");
    }
    hold(dependencies_are_few, |_| true);
}
