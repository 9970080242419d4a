//! Every rule has a file that shows it, beside what is said about it, and one where it is silent.
//!
//! `check/CODE.toml` is a scenario that shows the rule as it stands and not in its variant
//! `silent`; `check/CODE.conf` is a configuration that shows it, `check/CODE.silent.conf` one that
//! does not. Other names are further cases. `# pg_version 18` and `# role standby` in the first
//! lines of a configuration say for what server it is checked.
//!
//! `check/catalogue.txt` has the scenarios of the catalogue that are warned of; each of them is
//! about what the warning says. The book's reference of findings is made from the rules.
//!
//! `UPDATE_GOLDENFILES=1 cargo test -p scenarios --test check` writes the texts and the page again.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use models::postgres::PgVersion;
use scenarios::check::{Level, RULES, Report, Role, Rule, configuration, rules};
use scenarios::{ScenarioFile, catalog};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check")
}

fn files() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).expect("tests/check");
    let mut files: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "toml" || e == "conf"));
    files.sort();
    files
}

fn report(path: &Path) -> Report {
    let text = fs::read_to_string(path).expect("a text");
    let name = path.file_name().and_then(|n| n.to_str()).expect("a name");
    let mut read = |file: &str| {
        fs::read_to_string(folder().join(file)).map_err(|_| "cannot be read: no such file".into())
    };
    if name.ends_with(".toml") {
        return match ScenarioFile::parse(name, &text, &mut read) {
            Ok(file) => file.check(),
            Err(problems) => Report::from(problems),
        };
    }
    let word = |key: &str| text.lines().find_map(|l| l.strip_prefix(key)).map(str::trim);
    let version = word("# pg_version").and_then(|v| PgVersion::new(v.parse().expect("a version")));
    let role = match word("# role") {
        Some("primary") => Some(Role::Primary),
        Some("standby") => Some(Role::Standby),
        _ => None,
    };
    configuration(name, version.unwrap_or(PgVersion::DEFAULT), role, &mut read)
}

fn codes(report: &Report, variant: &str) -> BTreeSet<&'static str> {
    let is_about =
        |variants: &[String]| variants.is_empty() || variants.iter().any(|v| v == variant);
    let of_variant = report.findings().iter().filter(|f| is_about(&f.variants));
    of_variant.map(|f| f.rule.code).collect()
}

#[test]
fn what_is_said_is_beside_each_file() {
    let update = std::env::var_os("UPDATE_GOLDENFILES").is_some();
    let mut wrong = Vec::new();
    for path in files() {
        let golden = PathBuf::from(format!("{}.txt", path.display()));
        let said = report(&path).to_string();
        if update {
            fs::write(&golden, &said).expect("written");
        } else if fs::read_to_string(&golden).unwrap_or_default() != said {
            wrong.push(format!("{}:\n{said}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_is_shown_by_a_file_and_silent_in_another() {
    for rule in RULES {
        let code = rule.code;
        let scenario = folder().join(format!("{code}.toml"));
        let (shows, silent) = if scenario.exists() {
            let report = report(&scenario);
            (codes(&report, "base"), codes(&report, "silent"))
        } else if code == "FIL001" {
            (codes(&report(&folder().join("FIL001.broken.toml")), ""), BTreeSet::new())
        } else {
            let conf = |end: &str| report(&folder().join(format!("{code}{end}.conf")));
            (codes(&conf(""), ""), codes(&conf(".silent"), ""))
        };
        assert!(shows.contains(code), "{code} is not in its own file: {shows:?}");
        assert!(!silent.contains(code), "{code} is not silent where it should be");
    }
}

#[test]
fn every_finding_says_where_what_and_what_to_do() {
    for path in files() {
        for finding in report(&path).findings() {
            let (problem, code) = (&finding.problem, finding.rule.code);
            let text = &problem.message;
            assert!(!text.is_empty() && !text.ends_with('.'), "{code}: {text}");
            assert!(problem.help.is_some() || code == "FIL001", "{code}: {text}");
            assert!(problem.line >= 1 && problem.column >= 1 && !problem.file.is_empty(), "{code}");
        }
    }
}

#[test]
fn codes_are_a_family_and_a_number_and_come_in_order() {
    let mut families: Vec<(&str, u32)> = Vec::new();
    for rule in RULES {
        let (family, number) = rule.code.split_at(3);
        assert!(family.bytes().all(|b| b.is_ascii_uppercase()), "{}", rule.code);
        let number: u32 = number.parse().expect(rule.code);
        match families.iter_mut().find(|(f, _)| *f == family) {
            Some((_, last)) => {
                assert_eq!(number, *last + 1, "{}", rule.code);
                *last = number;
            }
            None => families.push((family, number)),
        }
        assert!(!rule.title.ends_with('.') && rule.explanation.ends_with('.'), "{}", rule.code);
        assert!(std::ptr::eq(rules::rule(rule.code).expect("it is there"), *rule));
    }
    assert!(rules::rule("WAL999").is_none());
}

/// The page of the book: its first part is written by hand, up to this line.
const TABLES: &str = "<!-- findings: written by scenarios/tests/check.rs -->";

#[test]
fn the_book_has_every_rule() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../book/src/reference/findings.md");
    let page = fs::read_to_string(&path).expect("the page");
    let (before, _) = page.split_once(TABLES).expect("a place for the rules");
    let mut wanted = format!("{before}{TABLES}\n");
    for rule in RULES {
        let Rule { code, level, title, explanation, .. } = rule;
        wanted.push_str(&format!("\n## {code}\n\n**{title}** ({level}).\n\n{explanation}\n"));
    }
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        fs::write(&path, &wanted).expect("written");
    } else {
        assert!(page == wanted, "findings.md is stale: UPDATE_GOLDENFILES=1 cargo test");
    }
}

#[test]
fn the_catalogue_warns_only_of_what_it_is_about() {
    let mut warned = String::new();
    for entry in catalog::all() {
        let report = entry.parse().expect(entry.name).check();
        assert_eq!(report.count(Level::Error), 0, "{}:\n{report}", entry.name);
        let warnings = report.findings().iter().filter(|f| f.rule.level == Level::Warning);
        let codes: BTreeSet<&str> = warnings.map(|f| f.rule.code).collect();
        let codes: Vec<&str> = codes.into_iter().collect();
        if !codes.is_empty() {
            warned.push_str(&format!("{}: {}\n", entry.name, codes.join(", ")));
        }
    }
    let golden = folder().join("catalogue.txt");
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        fs::write(&golden, &warned).expect("written");
    }
    let known = fs::read_to_string(&golden).unwrap_or_default();
    assert_eq!(warned, known, "if a scenario is about the warning: UPDATE_GOLDENFILES=1");
}
