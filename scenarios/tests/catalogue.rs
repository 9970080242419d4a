//! Every scenario of the catalogue is whole, listed, and says what it asks.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use scenarios::{ScenarioFile, catalog, keys};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Scenario files below the crate, without tests.
fn files(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|n| n.to_str()).expect("a name");
        if path.is_dir() && !["tests", "src", "target"].contains(&name) {
            files(&path, found);
        } else if name.ends_with(".toml") && name != "Cargo.toml" {
            let below = path.strip_prefix(root()).expect("below the crate");
            let below = below.to_str().expect("a path").trim_end_matches(".toml");
            found.insert(below.to_owned());
        }
    }
}

#[test]
fn every_scenario_file_is_in_the_catalogue() {
    let mut found = BTreeSet::new();
    files(&root(), &mut found);
    let listed: BTreeSet<String> = catalog::all().iter().map(|e| e.name.to_owned()).collect();
    assert_eq!(found, listed);
}

#[test]
fn every_scenario_parses_and_asks_a_question() {
    for entry in catalog::all() {
        let file = entry.parse().unwrap_or_else(|e| panic!("{}:\n{e}", entry.name));
        let scenarios = file.variants().unwrap_or_else(|e| panic!("{}:\n{e}", entry.name));
        assert!(entry.question().ends_with('?'), "{}: {}", entry.name, entry.question());
        assert!(entry.text.starts_with("# "), "{}", entry.name);
        assert!((15..=45).contains(&entry.text.lines().count()), "{}", entry.name);
        for scenario in scenarios {
            assert!(!scenario.expect.is_empty(), "{} {}", entry.name, scenario.variant);
            assert_eq!(scenario.title, entry.title());
            assert_eq!(scenario.question, entry.question());
        }
    }
}

#[test]
fn every_fault_has_a_scenario() {
    let mut played = BTreeSet::new();
    for entry in catalog::all() {
        let file = entry.parse().unwrap_or_else(|e| panic!("{}:\n{e}", entry.name));
        for scenario in file.variants().unwrap_or_else(|e| panic!("{}:\n{e}", entry.name)) {
            played.extend(scenario.faults.iter().map(|fault| fault.kind.name()));
        }
    }
    let all: BTreeSet<&str> = keys::FAULTS.iter().map(|fault| fault.name).collect();
    assert_eq!(played, all);
}

#[test]
fn the_archive_of_a_scenario_gives_the_same_scenarios() {
    for entry in catalog::all() {
        let sets = [("duration".to_owned(), "20h".to_owned())];
        let file = entry.parse().and_then(|f| f.with(&sets, Some(7))).expect(entry.name);
        let stored = toml::to_string(&file.archive().expect(entry.name)).expect("TOML");
        let archive = toml::from_str(&stored).expect("an archive");
        let again = ScenarioFile::from_archive(&archive).expect(entry.name);
        let show = |f: &ScenarioFile| format!("{:?}", f.variants().expect(entry.name));
        assert_eq!(show(&file), show(&again));
        assert!(show(&again).contains("seed: 7"));
    }
}

#[test]
fn names_are_found_with_and_without_their_folder() {
    assert!(catalog::find("sync/five_levels.toml").is_some());
    assert_eq!(catalog::find("five_levels"), None);
    assert_eq!(catalog::nearest_name("five_level"), Some("sync/five_levels"));
    assert_eq!(catalog::nearest_name("sync/five_levls"), Some("sync/five_levels"));
    assert_eq!(catalog::nearest_name("nothing like it"), None);
}
