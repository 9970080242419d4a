//! Dotted paths into a file: in `set`, `unset`, `[matrix]` and `--set`.
//!
//! A path is checked against the list of keys before it is followed, so that a typing mistake is
//! an error instead of a new key that nobody reads. Below a name (`server.pg2`) the table has to
//! exist, unless the path ends there and brings a whole new table.

use models::postgres::PgVersion;
use models::postgres::guc;

use crate::error::{Finding, Findings, choices};
use crate::keys::{ROOT, Section, Shape};
use crate::read::no_such;
use crate::source::Span;
use crate::tree::{Table, Value};

/// Where a path is written, which decides how far it reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Where {
    /// `--set`: everything.
    CommandLine,
    /// A variant or the matrix: the world, not the dice.
    Variant,
}

/// What variants cannot change.
pub(crate) const FIXED: [&str; 7] =
    ["include", "title", "seed", "base", "expect", "variant", "matrix"];

/// The parts of a path; a part in quotes may hold dots. `None` if it cannot be read.
pub(super) fn split(path: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = path;
    loop {
        let (part, after) = match rest.chars().next()? {
            quote @ ('\'' | '"') => {
                let inner = &rest[1..];
                let end = inner.find(quote)?;
                (&inner[..end], &inner[end + 1..])
            }
            _ => rest.split_at(rest.find('.').unwrap_or(rest.len())),
        };
        if part.is_empty() || parts.len() >= 16 {
            return None;
        }
        parts.push(part.to_owned());
        match after.strip_prefix('.') {
            Some(after) => rest = after,
            None if after.is_empty() => return Some(join(parts)),
            None => return None,
        }
    }
}

/// Makes the files that an included table names relative to the scenario: they are written
/// relative to the file they stand in, which lies in `folder`.
pub(super) fn rebase(table: &mut Table, section: &Section, folder: &str) {
    for entry in &mut table.entries {
        let Some(key) = section.key(&entry.key) else { continue };
        match (key.shape, &mut entry.node.value) {
            (Shape::File | Shape::Files, Value::Text(path)) => *path = below(folder, path),
            (Shape::Files, Value::List(paths)) => {
                for node in paths {
                    if let Value::Text(path) = &mut node.value {
                        *path = below(folder, path);
                    }
                }
            }
            (Shape::Named(section), Value::Table(named)) => {
                for entry in &mut named.entries {
                    if let Value::Table(table) = &mut entry.node.value {
                        rebase(table, section, folder);
                    }
                }
            }
            _ => {}
        }
    }
}

fn below(folder: &str, path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("{folder}/{path}") }
}

/// Names of settings and metrics have dots of their own ([`crate::tree::join_names`]).
fn join(mut parts: Vec<String>) -> Vec<String> {
    let from = match parts.as_slice() {
        [head, ..] if matches!(head.as_str(), "expect" | "matrix" | "postgresql") => 1,
        [head, _, key, ..] if head == "server" && key == "postgresql" => 3,
        [head, _, key, ..] if head == "variant" && key == "expect" => 3,
        _ => return parts,
    };
    if parts.len() > from {
        let name = parts.split_off(from).join(".");
        parts.push(name);
    }
    parts
}

/// The finding for a path that [`split`] does not understand.
pub(super) fn unreadable(path: &str, span: Span) -> Finding {
    let message = format!("`{}` is no path", path.escape_debug());
    Finding::new(span, message).help("parts are joined by dots: server.pg2.replay")
}

/// Whether a path leads to something that a file may say; reports it if not.
pub(super) fn check(
    root: &Table,
    parts: &[String],
    path: &str,
    span: Span,
    from: Where,
    findings: &Findings,
) -> bool {
    let report = |finding: Finding| {
        findings.push(finding);
        false
    };
    let Some((head, rest)) = parts.split_first() else { return report(unreadable(path, span)) };
    if from == Where::Variant && FIXED.contains(&head.as_str()) {
        let message = format!("a variant cannot change `{head}`");
        let help = match head.as_str() {
            "seed" => "variants share their dice: for other dice use --seed or a sweep",
            "expect" => "use `expect` of the variant",
            _ => "it can change servers, settings, links, workloads, faults and times",
        };
        return report(Finding::new(span, message).help(help));
    }
    let Some(key) = ROOT.key(head) else {
        if let Some((_, instead)) = ROOT.not_built.iter().find(|(k, _)| k == head) {
            return report(Finding::new(span, format!("`{head}` is not built yet")).help(*instead));
        }
        let help = match guc::find(head, PgVersion::NEWEST) {
            Some(guc) if rest.is_empty() => format!("did you mean `postgresql.{}`?", guc.name),
            Some(_) | None => choices(head, "a path begins with one of", ROOT.names()),
        };
        return report(Finding::new(span, format!("`{path}` leads nowhere")).help(help));
    };
    match key.shape {
        Shape::Named(section) => {
            let Some((name, below)) = rest.split_first() else {
                let message = format!("`{path}` names no {head}");
                return report(Finding::new(span, message).help(format!("write {head}.NAME")));
            };
            let tables = root.get(head).and_then(|n| n.table());
            let exists = tables.is_some_and(|t| t.get(name).is_some());
            if !exists && !below.is_empty() {
                let names = tables.map(|t| t.entries.iter().map(|e| e.key.as_str()).collect());
                let names: Vec<&str> = names.unwrap_or_default();
                return report(no_such(span, head, name, names));
            }
            below_section(section, below, path, span, findings)
        }
        shape => below_shape(shape, rest, path, span, findings),
    }
}

fn below_section(
    section: &'static Section,
    parts: &[String],
    path: &str,
    span: Span,
    findings: &Findings,
) -> bool {
    let Some((head, rest)) = parts.split_first() else { return true };
    let Some(key) = section.key(head) else {
        let not_built = section.not_built.iter().find(|(k, _)| k == head);
        let finding = match not_built {
            Some((_, instead)) => {
                Finding::new(span, format!("`{path}` is not built yet")).help(*instead)
            }
            None => {
                let help = choices(head, &format!("{} takes", section.title), section.names());
                Finding::new(span, format!("`{path}` leads nowhere")).help(help)
            }
        };
        findings.push(finding);
        return false;
    };
    below_shape(key.shape, rest, path, span, findings)
}

fn below_shape(
    shape: Shape,
    parts: &[String],
    path: &str,
    span: Span,
    findings: &Findings,
) -> bool {
    if parts.is_empty() {
        return true;
    }
    match shape {
        Shape::Table(section) | Shape::PresetOr(section) => {
            below_section(section, parts, path, span, findings)
        }
        Shape::TimeQuantiles | Shape::Wal => {
            below_section(&crate::keys::QUANTILES, parts, path, span, findings)
        }
        // Names of settings and of metrics have dots of their own, and are checked as such.
        Shape::Settings | Shape::Expectations | Shape::Assignments | Shape::Matrix => true,
        Shape::Named(section) => match parts.split_first() {
            Some((_, below)) => below_section(section, below, path, span, findings),
            None => true,
        },
        _ => {
            let message = format!("`{path}` leads nowhere");
            let rest = parts.join(".");
            let finding = Finding::new(span, message);
            findings.push(finding.help(format!("there is nothing below it: leave out `.{rest}`")));
            false
        }
    }
}
