//! Variants and the matrix: which changes make which scenario.

use super::paths::{self, Where};
use crate::error::{Finding, Findings, enumerate, nearest};
use crate::expect::order;
use crate::keys;
use crate::limits;
use crate::read::{Fields, named};
use crate::source::Span;
use crate::tree::{Entry, Node, Table, Value};

/// One scenario to be: the file with these changes.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Its name.
    pub name: String,
    /// Path and value of every change, for screens.
    pub settings: Vec<(String, String)>,
    /// Where it is defined, unless it is the base.
    span: Option<Span>,
    changes: Vec<Change>,
    /// Expectations that replace the file's.
    expect: Vec<(String, Entry)>,
}

#[derive(Clone, Debug)]
struct Change {
    path: Vec<String>,
    shown: String,
    span: Span,
    /// `None`: taken out.
    value: Option<Node>,
}

impl Plan {
    fn base() -> Plan {
        Plan {
            name: "base".to_owned(),
            settings: Vec::new(),
            span: None,
            changes: Vec::new(),
            expect: Vec::new(),
        }
    }

    /// Says of a mistake that only this plan makes which plan it is.
    pub fn explain(&self, finding: Finding) -> Finding {
        match self.span {
            Some(span) => finding.label(span, format!("in variant `{}`", self.name)),
            None => finding,
        }
    }

    /// The file with this plan's changes.
    pub fn apply(&self, root: &Table) -> Table {
        let mut root = root.clone();
        for change in &self.changes {
            match &change.value {
                Some(node) => root.put_at(&change.path, change.span, node.clone()),
                None => {
                    root.remove_at(&change.path);
                }
            }
        }
        if !self.expect.is_empty() {
            replace_expectations(&mut root, &self.expect);
        }
        root
    }
}

/// Key by key, whichever way the keys were written.
fn replace_expectations(root: &mut Table, own: &[(String, Entry)]) {
    let mut lines: Vec<(String, Entry)> = match root.get("expect").and_then(Node::table) {
        Some(table) => table.flatten().into_iter().map(|(m, e)| (m, e.clone())).collect(),
        None => Vec::new(),
    };
    for (metric, entry) in own {
        match lines.iter_mut().find(|(m, _)| m == metric) {
            Some((_, old)) => *old = entry.clone(),
            None => lines.push((metric.clone(), entry.clone())),
        }
    }
    let span = root.entry("expect").map_or(Span::default(), |e| e.key_span);
    let entries = lines.into_iter().map(|(metric, entry)| Entry { key: metric, ..entry }).collect();
    let node = Node { span, value: Value::Table(Table { span, entries }) };
    root.put(Entry { key: "expect".to_owned(), key_span: span, node });
}

/// The base, the variants, each with every combination of the matrix.
pub(super) fn cases(root: &Table, findings: &Findings) -> Vec<Plan> {
    let with_base = match root.get("base") {
        Some(node) => !matches!(node.value, Value::Bool(false)),
        None => true,
    };
    let variants = read_variants(root, findings);
    let axes = read_matrix(root, findings);
    check_both(&variants, &axes, findings);
    let mut plans = Vec::new();
    if with_base || variants.is_empty() {
        plans.push(Plan::base());
    }
    let only_matrix = variants.is_empty();
    plans.extend(variants);
    check_base(root, findings);
    let mut number = plans.len();
    for axis in &axes {
        number = number.saturating_mul(axis.values.len());
    }
    if number > limits::MOST_VARIANTS {
        let span = root.entry("matrix").or(root.entry("variant")).map_or(root.span, |e| e.key_span);
        let finding = Finding::new(span, format!("{number} variants are too many"));
        findings.push(finding.help("at most 200: shorten the lists of the matrix"));
        return vec![Plan::base()];
    }
    for axis in &axes {
        plans = plans.iter().flat_map(|plan| axis.split(plan, only_matrix)).collect();
    }
    check_names(&plans, findings);
    plans
}

/// Two values with commas in them may join to the same name.
fn check_names(plans: &[Plan], findings: &Findings) {
    for (i, plan) in plans.iter().enumerate() {
        // A variant called `base` has been reported as such.
        let twice = plan.name != "base" && plans[..i].iter().any(|p| p.name == plan.name);
        if let (true, Some(span)) = (twice, plan.span) {
            let message = format!("two variants would be called `{}`", plan.name);
            findings.push(Finding::new(span, message).help("write one of the values differently"));
            return;
        }
    }
}

/// Reports paths of `--set` that the matrix would set again.
pub(super) fn check_sets(root: &Table, sets: &[(Vec<String>, Span)], findings: &Findings) {
    for axis in read_matrix(root, &Findings::default()) {
        for (path, span) in sets.iter().filter(|(path, _)| overlap(path, &axis.path)) {
            let message = format!("`{}` is set by the matrix", path.join("."));
            let help = format!("set its list instead: --set \"matrix.{}=[...]\"", axis.shown);
            findings.push(Finding::new(*span, message).label(axis.span, "here").help(help));
        }
    }
}

fn check_base(root: &Table, findings: &Findings) {
    let Some(entry) = root.entry("base") else { return };
    if matches!(entry.node.value, Value::Bool(false)) && root.entry("variant").is_none() {
        let message = "`base = false` leaves nothing to run: the file has no [variant.X]";
        findings.push(Finding::new(entry.node.span, message));
    } else if !matches!(entry.node.value, Value::Bool(_)) {
        let message = format!("`base` is `true` or `false`, not {}", entry.node.kind());
        findings.push(Finding::new(entry.node.span, message));
    }
}

fn read_variants(root: &Table, findings: &Findings) -> Vec<Plan> {
    let tables = named(root, "variant", limits::MOST_VARIANTS, findings);
    let mut plans = Vec::new();
    for (entry, table) in tables {
        if entry.key == "base" {
            let message = "`base` is the name of the file without a variant's changes";
            findings.push(Finding::new(entry.key_span, message).help("give the variant another"));
        }
        let title = format!("[variant.{}]", entry.key);
        let fields = Fields::new(table, &keys::VARIANT, &title, entry.key_span, findings);
        plans.push(read_variant(root, &entry.key, &fields));
    }
    plans
}

fn read_variant(root: &Table, name: &str, fields: &Fields<'_>) -> Plan {
    let findings = fields.findings;
    let mut plan = Plan { name: name.to_owned(), span: Some(fields.span), ..Plan::base() };
    for (path, span) in fields.texts("unset") {
        let Some(parts) = usable(root, path, span, findings) else { continue };
        if root.at(&parts).is_none() {
            findings.push(nothing_there(root, &parts, path, span));
            continue;
        }
        if plan.changes.len() >= limits::MOST_CHANGES {
            let message = format!("`{name}` changes more than 200 things");
            findings.push(Finding::new(span, message).help("make it a file of its own"));
            break;
        }
        plan.settings.push((path.to_owned(), "(unset)".to_owned()));
        plan.changes.push(Change { path: parts, shown: path.to_owned(), span, value: None });
    }
    if let Some(node) = fields.get("set") {
        match node.table() {
            Some(table) => {
                for (path, entry) in assignments(table) {
                    plan.set(root, &path, entry, findings);
                }
            }
            None => {
                let message = format!("`set` is a table of paths and values, not {}", node.kind());
                let help = "write set = { 'server.pg2.replay' = '20MB/s' }";
                findings.push(Finding::new(node.span, message).help(help));
            }
        }
    }
    if let Some(node) = fields.get("expect") {
        match node.table() {
            Some(table) => {
                plan.expect = table.flatten().into_iter().map(|(m, e)| (m, e.clone())).collect();
                for (_, entry) in order::lines(table) {
                    let message = "an order compares variants: it is none of one variant's";
                    let finding = Finding::new(entry.key_span, message);
                    findings.push(finding.help("put it into the file's own [expect]"));
                }
            }
            None => {
                let message = format!("`expect` is a table of comparisons, not {}", node.kind());
                findings.push(Finding::new(node.span, message));
            }
        }
    }
    plan
}

/// Paths and values of a table whose keys may be quoted (`'a.b' = 1`) or plain (`a.b = 1`). A
/// quoted path's own table is a value: `'fault.cut' = { kind = ... }`.
fn assignments(table: &Table) -> Vec<(String, &Entry)> {
    let mut out = Vec::new();
    for entry in &table.entries {
        match &entry.node.value {
            Value::Table(inner) if !entry.key.contains('.') => {
                let below = assignments(inner);
                out.extend(below.into_iter().map(|(path, e)| (format!("{}.{path}", entry.key), e)));
            }
            _ => out.push((entry.key.clone(), entry)),
        }
    }
    out
}

impl Plan {
    fn set(&mut self, root: &Table, path: &str, entry: &Entry, findings: &Findings) {
        let Some(parts) = usable(root, path, entry.key_span, findings) else { return };
        if self.changes.len() >= limits::MOST_CHANGES {
            let message = format!("`{}` changes more than 200 things", self.name);
            findings.push(Finding::new(entry.key_span, message).help("make it a file of its own"));
            return;
        }
        if let Some(other) = self.changes.iter().find(|c| overlap(&c.path, &parts)) {
            let message = format!("`{path}` is changed twice by one variant");
            let finding = Finding::new(entry.key_span, message);
            findings.push(finding.label(other.span, format!("`{}` is changed here", other.shown)));
            return;
        }
        self.settings.push((path.to_owned(), entry.node.show()));
        self.changes.push(Change {
            path: parts,
            shown: path.to_owned(),
            span: entry.key_span,
            value: Some(entry.node.clone()),
        });
    }
}

/// The parts of a path that a variant may change; `None` if it was reported.
fn usable(root: &Table, path: &str, span: Span, findings: &Findings) -> Option<Vec<String>> {
    let Some(parts) = paths::split(path) else {
        findings.push(paths::unreadable(path, span));
        return None;
    };
    paths::check(root, &parts, path, span, Where::Variant, findings).then_some(parts)
}

fn nothing_there(root: &Table, parts: &[String], path: &str, span: Span) -> Finding {
    let finding = Finding::new(span, format!("there is nothing at `{path}` to take out"));
    let Some((last, above)) = parts.split_last() else { return finding };
    let table =
        if above.is_empty() { Some(root) } else { root.at(above).and_then(|e| e.node.table()) };
    let names: Vec<&str> =
        table.map(|t| t.entries.iter().map(|e| e.key.as_str()).collect()).unwrap_or_default();
    let help = match nearest(last, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => format!("the file has no `{}`", above.join(".")),
        None => format!("`{}` has {}", above.join("."), enumerate(names)),
    };
    finding.help(help)
}

/// Whether one path is the other, or leads to a part of it.
fn overlap(a: &[String], b: &[String]) -> bool {
    a.iter().zip(b).all(|(a, b)| a == b)
}

/// One line of the matrix.
struct Axis {
    path: Vec<String>,
    shown: String,
    span: Span,
    values: Vec<Node>,
}

impl Axis {
    /// A plan for each value. With only a matrix, values alone are the names.
    fn split(&self, plan: &Plan, only_matrix: bool) -> Vec<Plan> {
        let first = only_matrix && plan.changes.is_empty();
        let each = |value: &Node| {
            let mut plan = plan.clone();
            let text = value.show();
            plan.name = if first { text.clone() } else { format!("{},{text}", plan.name) };
            plan.span = plan.span.or(Some(value.span));
            plan.settings.push((self.shown.clone(), text));
            plan.changes.push(Change {
                path: self.path.clone(),
                shown: self.shown.clone(),
                span: self.span,
                value: Some(value.clone()),
            });
            plan
        };
        self.values.iter().map(each).collect()
    }
}

fn read_matrix(root: &Table, findings: &Findings) -> Vec<Axis> {
    let Some(node) = root.get("matrix") else { return Vec::new() };
    let Some(table) = node.table() else {
        let message = format!("`matrix` is a table of paths and lists, not {}", node.kind());
        let help = "write [matrix] and 'link.ocean.bandwidth' = ['10Mbit/s', '100Mbit/s']";
        findings.push(Finding::new(node.span, message).help(help));
        return Vec::new();
    };
    let lines = table.flatten();
    if lines.len() > limits::MOST_CHANGES {
        let message = format!("{} lines of the matrix are too many", lines.len());
        findings.push(Finding::new(node.span, message).help("at most 200"));
        return Vec::new();
    }
    let mut axes: Vec<Axis> = Vec::new();
    for (path, entry) in lines {
        let Some(parts) = usable(root, &path, entry.key_span, findings) else { continue };
        let Some(values) = values(&path, &entry.node, findings) else { continue };
        if let Some(other) = axes.iter().find(|a| overlap(&a.path, &parts)) {
            let message = format!("`{path}` and `{}` change the same thing", other.shown);
            findings.push(Finding::new(entry.key_span, message).label(other.span, "the other one"));
            continue;
        }
        axes.push(Axis { path: parts, shown: path, span: entry.key_span, values });
    }
    axes
}

fn values(path: &str, node: &Node, findings: &Findings) -> Option<Vec<Node>> {
    let Value::List(values) = &node.value else {
        let message = format!("`{path}` of the matrix is a list of values, not {}", node.kind());
        let help = format!("write '{path}' = ['one', 'another']");
        findings.push(Finding::new(node.span, message).help(help));
        return None;
    };
    if values.is_empty() {
        let message = format!("`{path}` has no values");
        let help = "an empty list would leave no variant: give it values, or take it out";
        findings.push(Finding::new(node.span, message).help(help));
        return None;
    }
    if values.len() > limits::MOST_VARIANTS {
        let message = format!("`{path}` has {} values", values.len());
        findings.push(Finding::new(node.span, message).help("at most 200"));
        return None;
    }
    for (i, value) in values.iter().enumerate() {
        if let Some(other) = values[..i].iter().find(|v| v.show() == value.show()) {
            let message = format!("`{}` is in the list twice", value.show());
            findings.push(Finding::new(value.span, message).label(other.span, "the first time"));
            return None;
        }
    }
    Some(values.clone())
}

/// Reports a path that a variant and the matrix both change.
fn check_both(variants: &[Plan], axes: &[Axis], findings: &Findings) {
    for change in variants.iter().flat_map(|v| &v.changes) {
        for axis in axes.iter().filter(|a| overlap(&a.path, &change.path)) {
            let message = format!("`{}` is changed by a variant and by the matrix", axis.shown);
            let finding = Finding::new(axis.span, message)
                .label(change.span, "the variant changes it here")
                .help("variants and matrix multiply: each path belongs to one of them");
            findings.push(finding);
        }
    }
}
