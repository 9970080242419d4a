//! What can be typed behind `--set`: every path that a scenario has or could have, for shells.
//!
//! Paths come from the same list of keys that the reader goes by, below the names that the file
//! has. Settings are many, so they come only once a path leads to them.

use models::postgres::PgVersion;
use models::postgres::guc::{self, Kind};

use super::ScenarioFile;
use crate::keys::{self, FAULT, LOADS, ROOT, Section, Shape, WORKLOAD};
use crate::presets;
use crate::schema::told_of;
use crate::tree::{Node, Table};

/// A path that `--set` takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settable {
    /// The path, such as `server.pg2.replay`.
    pub path: String,
    /// What it means.
    pub doc: String,
    /// Words that are values of it; none where it takes numbers or texts.
    pub words: Vec<&'static str>,
}

impl ScenarioFile {
    /// The paths that begin with `typed`.
    pub fn settable(&self, typed: &str) -> Vec<Settable> {
        let mut found = Vec::new();
        walk(&ROOT, "", Some(&self.root), typed, &mut found);
        found.retain(|settable| settable.path.starts_with(typed));
        found
    }
}

fn walk(
    section: &Section,
    prefix: &str,
    table: Option<&Table>,
    typed: &str,
    found: &mut Vec<Settable>,
) {
    for key in section.keys.iter().filter(|key| goes_with_the_kind(section, table, key.name)) {
        let path = format!("{prefix}{}", key.name);
        let below = format!("{path}.");
        let node = table.and_then(|table| table.get(key.name)).and_then(Node::table);
        match key.shape {
            Shape::Table(section) => walk(section, &below, node, typed, found),
            Shape::PresetOr(section) => {
                let words = presets::disk_names().collect();
                found.push(Settable { path, doc: key.doc.to_owned(), words });
                walk(section, &below, node, typed, found);
            }
            Shape::Named(section) if section.title != "[variant.X]" => {
                for entry in node.map_or(&[][..], |table| &table.entries) {
                    let below = format!("{below}{}.", entry.key);
                    walk(section, &below, entry.node.table(), typed, found);
                }
            }
            Shape::Settings => {
                if typed.starts_with(&format!("{prefix}p")) {
                    settings(&below, found);
                }
            }
            // Tables and lists of their own, which nobody types on a command line.
            Shape::Named(_)
            | Shape::Expectations
            | Shape::Assignments
            | Shape::Paths
            | Shape::Matrix
            | Shape::Listed(_)
            | Shape::Deeds => {}
            shape => {
                let words = words(shape);
                found.push(Settable { path, doc: key.doc.to_owned(), words });
            }
        }
    }
}

/// Whether a key goes with the kind that a fault or a workload of the file has.
fn goes_with_the_kind(section: &Section, table: Option<&Table>, key: &str) -> bool {
    let Some(table) = table else { return true };
    if std::ptr::eq(section, &FAULT) {
        let kind = table.get("kind").and_then(Node::scalar).and_then(|kind| keys::fault(&kind));
        let always = ["at", "for", "every", "times"].contains(&key);
        kind.is_none_or(|kind| always || kind.with.contains(&key))
    } else if std::ptr::eq(section, &WORKLOAD) {
        let load = LOADS.iter().find(|(kind, _)| table.get(kind).is_some());
        load.is_none_or(|(kind, with)| *kind == key || with.contains(&key))
    } else {
        true
    }
}

fn words(shape: Shape) -> Vec<&'static str> {
    match shape {
        Shape::Word(words) => words.to_vec(),
        Shape::Bool => vec!["true", "false"],
        Shape::DiskPreset => presets::disk_names().collect(),
        Shape::Wal => presets::workload_names().collect(),
        Shape::Views => keys::VIEWS.to_vec(),
        _ => Vec::new(),
    }
}

fn settings(prefix: &str, found: &mut Vec<Settable>) {
    for name in guc::names(PgVersion::NEWEST) {
        let Some(row) = guc::find(name, PgVersion::NEWEST).filter(|row| !row.is_fixed()) else {
            continue;
        };
        let words = match row.kind {
            Kind::Bool => vec!["on", "off"],
            Kind::Enum(words, _) => words.to_vec(),
            Kind::Integer(..) | Kind::Real(..) | Kind::Text => Vec::new(),
        };
        let doc = told_of(name).map_or(String::new(), |[does, _]| does);
        found.push(Settable { path: format!("{prefix}{name}"), doc, words });
    }
}
