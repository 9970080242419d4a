//! The reference in `README.md` has every key, and no other.
//!
//! `UPDATE_GOLDENFILES=1 cargo test -p scenarios` writes the tables of the README again.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use models::trace::law::Law;
use scenarios::keys::{self, Section};
use scenarios::{catalog, expect, presets};

const BEGIN: &str = "<!-- tables: written by tests/reference.rs -->";
const END: &str = "<!-- end of tables -->";

fn section(out: &mut String, section: &Section) {
    let _ = writeln!(out, "### {}\n\n{}\n", section.title, section.doc);
    let _ = writeln!(out, "| key | takes | default | |\n|---|---|---|---|");
    for key in section.keys {
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} |",
            key.name,
            key.shape.takes(),
            if key.required { "required" } else { key.default },
            key.doc
        );
    }
    if !section.not_built.is_empty() {
        let names: Vec<String> =
            section.not_built.iter().map(|(name, _)| format!("`{name}`")).collect();
        let _ = writeln!(out, "\nNot built yet: {}.", names.join(", "));
    }
    out.push('\n');
}

/// Faults, actions, and what `wait` and `observe` take.
fn kinds(out: &mut String) {
    let quoted =
        |names: &[&str]| names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
    let _ = writeln!(out, "### Faults\n\n| kind | takes | |\n|---|---|---|");
    for fault in keys::FAULTS {
        let _ = writeln!(out, "| `{}` | {} | {} |", fault.name, quoted(fault.with), fault.doc);
    }
    let _ = writeln!(out, "\n### Actions\n\n| kind | in [action.X] | also | |\n|---|---|---|---|");
    for kind in keys::ACTIONS {
        let value = match kind.place {
            keys::Place::Everywhere => format!("`{}`", kind.value),
            keys::Place::Step => "only in a [[step]]".to_owned(),
        };
        let with = quoted(kind.with);
        let _ = writeln!(out, "| `{}` | {value} | {with} | {} |", kind.name, kind.doc);
    }
    let _ = writeln!(out, "\n`wait` takes a server and one of these:\n\n| | |\n|---|---|");
    for (word, doc) in keys::CONDITIONS {
        let _ = writeln!(out, "| `{word}` | {doc} |");
    }
    let _ = writeln!(out, "\n`observe` takes {}.\n", quoted(keys::VIEWS));
}

fn tables() -> String {
    let mut out = String::new();
    for table in keys::SECTIONS {
        section(&mut out, table);
    }
    kinds(&mut out);
    let _ = writeln!(out, "### Disks\n\n| preset | | source |\n|---|---|---|");
    for disk in &presets::DISKS {
        let [min, p50, p99, p999, max] = disk.fsync_us;
        let _ = writeln!(
            out,
            "| `{}` | {} fsync {min}/{p50}/{p99}/{p999}/{max} us (min, p50, p99, p999, max), \
             write {} MB/s | {} |",
            disk.name, disk.doc, disk.write_mb, disk.source
        );
    }
    let _ = writeln!(out, "\n### Workloads\n\n| preset | | source |\n|---|---|---|");
    for workload in &presets::WORKLOADS {
        let _ = writeln!(out, "| `{}` | {} | {} |", workload.name, workload.doc, workload.source);
    }
    let _ = writeln!(out, "\n### Metrics\n\n| path | compared with | |\n|---|---|---|");
    for metric in expect::METRICS {
        let with = metric.unit.describe();
        let _ = writeln!(out, "| `{}` | {with} | {} |", metric.path, metric.doc);
    }
    let _ = writeln!(out, "\n### Laws\n\n| law | |\n|---|---|");
    for law in Law::ALL {
        let _ = writeln!(out, "| `{}` | {} |", law.name(), law.doc());
    }
    let _ = writeln!(out, "\n### Catalogue\n\n| name | question |\n|---|---|");
    for entry in catalog::all() {
        let _ = writeln!(out, "| `{}` | {} |", entry.name, entry.question());
    }
    out
}

#[test]
fn the_readme_has_every_key() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).expect("README.md");
    let (before, rest) = readme.split_once(BEGIN).expect("a place for the tables");
    let (_, after) = rest.split_once(END).expect("an end of the tables");
    let wanted = format!("{before}{BEGIN}\n\n{}\n{END}{after}", tables());
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        fs::write(&path, &wanted).expect("written");
    } else {
        assert!(readme == wanted, "README.md is stale: UPDATE_GOLDENFILES=1 cargo test");
    }
}

#[test]
fn every_example_of_the_readme_is_a_scenario() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(path).expect("README.md");
    let mut examples = readme.split("```toml\n").skip(1);
    let mut count = 0;
    for example in examples.by_ref().filter_map(|e| e.split("```").next()) {
        scenarios::ScenarioFile::parse("README", example, &mut |_| Err("no files here".to_owned()))
            .unwrap_or_else(|e| panic!("{e}"));
        count += 1;
    }
    assert!(count >= 1);
}
