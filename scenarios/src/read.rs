//! Reading a table of the file: every getter gives a value or leaves a finding.
//!
//! A [`Fields`] stands for one table and its [`Section`]. Making one already reports every key
//! that the section does not have; a getter returns `None` both for a key that is absent and for
//! one whose value is wrong, since a wrong one has been reported and nothing is simulated then.

use std::ops::RangeInclusive;

use models::latency::{ONE, Quantiles};
use models::network::Loss;
use models::units::{Bytes, Duration, Lsn, LsnError, Rate};

use crate::error::{Finding, Findings, choices, enumerate};
use crate::keys::{QUANTILES, ROOT, Section, Shape, VARIANT};
use crate::limits;
use crate::quantity::{self, Unreadable};
use crate::source::Span;
use crate::tree::{Entry, Node, Table, Value};

/// One table that is being read.
pub(crate) struct Fields<'a> {
    /// The table.
    pub table: &'a Table,
    /// What it may hold.
    pub section: &'static Section,
    /// How messages call it, such as `[server.pg2]`.
    pub title: String,
    /// Where it was named.
    pub span: Span,
    /// Where findings go.
    pub findings: &'a Findings,
}

impl<'a> Fields<'a> {
    /// Stands for a table; reports keys that it may not have.
    pub fn new(
        table: &'a Table,
        section: &'static Section,
        title: &str,
        span: Span,
        findings: &'a Findings,
    ) -> Fields<'a> {
        let fields = Fields { table, section, title: title.to_owned(), span, findings };
        for entry in &table.entries {
            if section.key(&entry.key).is_none() {
                findings.push(fields.unknown(entry));
            }
        }
        fields
    }

    fn unknown(&self, entry: &Entry) -> Finding {
        let Entry { key, key_span, .. } = entry;
        let title = &self.title;
        if let Some((_, instead)) = self.section.not_built.iter().find(|(k, _)| k == key) {
            let what = if title == "the file" {
                format!("`{key}`")
            } else {
                format!("`{key}` of {title}")
            };
            return Finding::new(*key_span, format!("{what} is not built yet")).help(*instead);
        }
        let help = match ROOT.key(key).filter(|_| std::ptr::eq(self.section, &VARIANT)) {
            Some(_) => {
                let path = first_path(entry);
                format!("a variant changes it by its path: set = {{ '{path}' = ... }}")
            }
            None => choices(key, "it takes", self.section.names()),
        };
        Finding::new(*key_span, format!("{title} has no key `{key}`")).help(help)
    }

    /// A key's value.
    pub fn get(&self, key: &str) -> Option<&'a Node> {
        self.table.get(key)
    }

    /// Reports a required key as missing.
    pub fn missing(&self, key: &str, help: &str) {
        let message = format!("{} needs `{key}`", self.title);
        self.findings.push(Finding::new(self.span, message).help(help));
    }

    fn wrong(&self, node: &Node, key: &str, wants: &str) {
        let message = format!("`{key}` is {wants}, not {}", node.kind());
        self.findings.push(Finding::new(node.span, message));
    }

    /// A key's text.
    pub fn text(&self, key: &str) -> Option<&'a str> {
        let node = self.get(key)?;
        match &node.value {
            Value::Text(text) => Some(text),
            _ => {
                self.wrong(node, key, "a string");
                None
            }
        }
    }

    /// `true` or `false`.
    pub fn switch(&self, key: &str) -> Option<bool> {
        let node = self.get(key)?;
        match node.value {
            Value::Bool(value) => Some(value),
            _ => {
                self.wrong(node, key, "`true` or `false`");
                None
            }
        }
    }

    /// A WAL position.
    pub fn lsn(&self, key: &str) -> Option<Lsn> {
        let text = self.text(key)?;
        let lsn: Result<Lsn, LsnError> = text.parse();
        if let Err(error) = &lsn {
            let span = self.get(key)?.span;
            let help = "a WAL position is written '0/3000028'";
            self.findings.push(Finding::new(span, error.to_string()).help(help));
        }
        lsn.ok()
    }

    /// A key's whole number within the bounds of its shape.
    pub fn count(&self, key: &str) -> Option<u64> {
        let node = self.get(key)?;
        let (low, high) = match self.section.key(key)?.shape {
            Shape::Count(low, high) => (low, high),
            _ => (0, u64::MAX),
        };
        match &node.value {
            Value::Integer(number) => {
                let value = number.parse::<u64>().ok().filter(|v| (low..=high).contains(v));
                if value.is_none() {
                    let message = format!("`{key}` is {number}");
                    let help = format!("it is a whole number from {low} to {high}");
                    self.findings.push(Finding::new(node.span, message).help(help));
                }
                value
            }
            _ => {
                self.wrong(node, key, "a whole number");
                None
            }
        }
    }

    /// A number from 1 to a million, in millionths.
    pub fn factor(&self, key: &str) -> Option<u64> {
        self.millionths(key, 1_000_000..=1_000_000_000_000, "a number from 1 to 1,000,000")
    }

    /// A share of packets.
    pub fn loss(&self, key: &str) -> Option<Loss> {
        let wants = "a share from 0 to 0.9: 0.05 is 5 %, 0.001 one packet in a thousand";
        self.millionths(key, 0..=900_000, wants).map(Loss::millionths)
    }

    /// A number between `bounds`, in millionths.
    fn millionths(&self, key: &str, bounds: RangeInclusive<u64>, wants: &str) -> Option<u64> {
        let node = self.get(key)?;
        let found = match &node.value {
            Value::Integer(text) | Value::Float(text) => quantity::decimal(text),
            _ => None,
        };
        let found = found
            .and_then(|(n, d)| u64::try_from(u128::from(n) * 1_000_000 / u128::from(d)).ok())
            .filter(|n| bounds.contains(n));
        if found.is_none() {
            let message = format!("`{key}` cannot be `{}`", node.show());
            self.findings.push(Finding::new(node.span, message).help(format!("it is {wants}")));
        }
        found
    }

    /// One of the words of the key's shape.
    pub fn word(&self, key: &str) -> Option<&'a str> {
        let text = self.text(key)?;
        let Some(Shape::Word(words)) = self.section.key(key).map(|k| k.shape) else {
            return Some(text);
        };
        if words.contains(&text) {
            return Some(text);
        }
        let help = choices(text, "it is one of", words.iter().copied());
        let message = format!("`{key}` cannot be `{text}`");
        self.findings.push(Finding::new(self.get(key)?.span, message).help(help));
        None
    }

    /// A quantity that `read` understands; a bare zero needs no unit.
    fn quantity<T>(&self, key: &str, read: impl Fn(&str) -> Result<T, Unreadable>) -> Option<T> {
        self.quantity_of(key, self.get(key)?, read)
    }

    fn quantity_of<T>(
        &self,
        key: &str,
        node: &Node,
        read: impl Fn(&str) -> Result<T, Unreadable>,
    ) -> Option<T> {
        let text = match &node.value {
            Value::Text(text) | Value::Integer(text) | Value::Float(text) => text,
            _ => {
                self.wrong(node, key, "a quantity with a unit");
                return None;
            }
        };
        match read(text) {
            Ok(value) => Some(value),
            Err(e) => {
                let message = format!("`{key}`: {}", e.message);
                self.findings.push(Finding::new(node.span, message).help(e.help));
                None
            }
        }
    }

    /// A time.
    pub fn duration(&self, key: &str) -> Option<Duration> {
        self.quantity(key, quantity::duration)
    }

    /// A time above zero.
    pub fn positive_duration(&self, key: &str) -> Option<Duration> {
        let value = self.duration(key)?;
        if value > Duration::ZERO {
            return Some(value);
        }
        let span = self.get(key)?.span;
        self.findings.push(Finding::new(span, format!("`{key}` has to be above zero")));
        None
    }

    /// A time forward or back, in nanoseconds; not zero.
    pub fn signed_time(&self, key: &str) -> Option<i64> {
        let by = self.quantity(key, |text| {
            let (back, rest) = match text.trim_start().strip_prefix('-') {
                Some(rest) => (true, rest),
                None => (false, text.trim_start().trim_start_matches('+')),
            };
            let by = i64::try_from(quantity::duration(rest)?.0).unwrap_or(i64::MAX);
            Ok(if back { -by } else { by })
        })?;
        if by == 0 {
            let finding = Finding::new(self.get(key)?.span, format!("`{key}` is zero"));
            self.findings.push(finding.help("say how far: by = '90s', or by = '-5min'"));
            return None;
        }
        Some(by)
    }

    /// A size.
    pub fn size(&self, key: &str) -> Option<Bytes> {
        self.quantity(key, quantity::size)
    }

    /// Bytes a second, above zero.
    pub fn byte_rate(&self, key: &str) -> Option<Rate> {
        self.quantity(key, quantity::byte_rate)
    }

    /// A bandwidth, above zero.
    pub fn link_rate(&self, key: &str) -> Option<Rate> {
        self.quantity(key, quantity::link_rate)
    }

    /// The mean gap of a rate of events.
    pub fn event_gap(&self, key: &str) -> Option<Duration> {
        self.quantity(key, quantity::event_gap)
    }

    /// A list of byte rates, which may be zero.
    pub fn byte_rates(&self, key: &str) -> Option<Vec<u64>> {
        let node = self.get(key)?;
        let Value::List(items) = &node.value else {
            self.wrong(node, key, "a list of rates");
            return None;
        };
        if items.is_empty() || items.len() > 1440 {
            let message = format!("`{key}` has {} rates", items.len());
            let help = "it has from 1 to 1,440, one for each equal part of a day";
            self.findings.push(Finding::new(node.span, message).help(help));
            return None;
        }
        let read = |item: &Node| self.quantity_of(key, item, quantity::bytes_per_second);
        let rates: Vec<Option<u64>> = items.iter().map(read).collect();
        rates.into_iter().collect()
    }

    /// Two names and where they are written.
    pub fn two_names(&self, key: &str) -> Option<[(&'a str, Span); 2]> {
        let node = self.get(key)?;
        if let Value::List(items) = &node.value {
            let names: Option<Vec<(&str, Span)>> = items
                .iter()
                .map(|item| match &item.value {
                    Value::Text(text) => Some((text.as_str(), item.span)),
                    _ => None,
                })
                .collect();
            if let Some([a, b]) = names.as_deref() {
                return Some([*a, *b]);
            }
        }
        let message = format!("`{key}` is a list of two servers or sites");
        let help = format!("write {key} = ['a', 'b']");
        self.findings.push(Finding::new(node.span, message).help(help));
        None
    }

    /// Strings: one, or a list of them.
    pub fn texts(&self, key: &str) -> Vec<(&'a str, Span)> {
        let Some(node) = self.get(key) else { return Vec::new() };
        let items = match &node.value {
            Value::Text(text) => return vec![(text, node.span)],
            Value::List(items) => items,
            _ => {
                self.wrong(node, key, "a string or a list of strings");
                return Vec::new();
            }
        };
        let mut texts = Vec::new();
        for item in items {
            match &item.value {
                Value::Text(text) => texts.push((text.as_str(), item.span)),
                _ => self.wrong(item, key, "a list of strings"),
            }
        }
        texts
    }

    /// A time or its quantiles, in nanoseconds.
    pub fn time_quantiles(&self, key: &str) -> Option<Quantiles> {
        self.quantiles_of(key, self.get(key)?, &|text| quantity::duration(text).map(|d| d.0))
    }

    /// A size or its quantiles, in bytes.
    pub fn size_quantiles(&self, key: &str) -> Option<Quantiles> {
        self.quantiles_of(key, self.get(key)?, &|text| quantity::size(text).map(|b| b.0))
    }

    fn quantiles_of(
        &self,
        key: &str,
        node: &Node,
        read: &dyn Fn(&str) -> Result<u64, Unreadable>,
    ) -> Option<Quantiles> {
        let Some(table) = node.table() else {
            return self.quantity_of(key, node, read).map(Quantiles::constant);
        };
        let title = format!("`{key}`");
        let fields = Fields::new(table, &QUANTILES, &title, node.span, self.findings);
        let mut points: Vec<(&Entry, u64, u64)> = Vec::new();
        let mut complete = true;
        for (name, p) in POINTS {
            let Some(entry) = table.entry(name) else { continue };
            match fields.quantity_of(&format!("{key}.{name}"), &entry.node, read) {
                Some(value) => points.push((entry, p, value)),
                None => complete = false,
            }
        }
        if !complete {
            return None;
        }
        self.join_points(key, node, &points)
    }

    fn join_points(
        &self,
        key: &str,
        node: &Node,
        points: &[(&Entry, u64, u64)],
    ) -> Option<Quantiles> {
        let report = |span, message: String, help: &str| {
            self.findings.push(Finding::new(span, message).help(help));
            None
        };
        let has = |p| points.iter().find(|(_, at, _)| *at == p);
        if has(ONE).is_none() {
            let help = "percentiles without an upper end say nothing of the worst: add `max`";
            return report(node.span, format!("`{key}` has no `max`"), help);
        }
        let smallest = match (has(0), has(ONE / 2)) {
            (Some((_, _, value)), _) => *value,
            (None, Some((_, _, p50))) => p50 / 2,
            (None, None) => {
                let help = "add `p50` (the smallest value is then half of it) or `min`";
                return report(node.span, format!("`{key}` has neither `p50` nor `min`"), help);
            }
        };
        for pair in points.windows(2) {
            let [(low, _, below), (high, _, above)] = pair else { continue };
            if above < below {
                let message = format!("`{}` of `{key}` is below its `{}`", high.key, low.key);
                let finding = Finding::new(high.node.span, message)
                    .label(low.node.span, format!("`{}` is here", low.key));
                self.findings.push(finding);
                return None;
            }
        }
        let mut curve: Vec<(u64, u64)> = vec![(0, smallest)];
        curve.extend(points.iter().filter(|(_, p, _)| *p > 0).map(|(_, p, value)| (*p, *value)));
        Quantiles::new(&curve)
    }
}

/// Names of the points of a quantile function and their probabilities.
const POINTS: [(&str, u64); 6] = [
    ("min", 0),
    ("p50", ONE / 2),
    ("p90", ONE / 10 * 9),
    ("p99", ONE / 100 * 99),
    ("p999", ONE / 1000 * 999),
    ("max", ONE),
];

/// Tables by name: `[server.X]` and its like, in the order of the file, with wrong names and
/// values that are no tables reported and left out.
pub(crate) fn named<'a>(
    root: &'a Table,
    kind: &str,
    most: usize,
    findings: &Findings,
) -> Vec<(&'a Entry, &'a Table)> {
    let Some(entry) = root.entry(kind) else { return Vec::new() };
    let Some(tables) = entry.node.table() else {
        let message = format!("`{kind}` is {}", entry.node.kind());
        let help = format!("a {kind} is a table with a name: [{kind}.some_name]");
        findings.push(Finding::new(entry.node.span, message).help(help));
        return Vec::new();
    };
    if tables.entries.len() > most {
        let message = format!("{} {kind}s are too many", tables.entries.len());
        findings.push(Finding::new(entry.key_span, message).help(format!("at most {most}")));
        return Vec::new();
    }
    let mut list = Vec::new();
    for named in &tables.entries {
        name_is_good(&named.key, named.key_span, kind, findings);
        match named.node.table() {
            Some(table) => list.push((named, table)),
            None => {
                let message =
                    format!("[{kind}] takes tables with names, not a key `{}`", named.key);
                let help = format!("a {kind} is a table with a name: [{kind}.some_name]");
                findings.push(Finding::new(named.key_span, message).help(help));
            }
        }
    }
    list
}

/// Reports a name that could not stand in a path, a file name or a column.
pub(crate) fn name_is_good(name: &str, span: Span, kind: &str, findings: &Findings) -> bool {
    let of_letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let good = !name.is_empty() && name.len() <= limits::LONGEST_NAME && of_letters;
    if !good {
        let message = match name {
            "" => format!("a {kind} has an empty name"),
            _ => format!("`{}` is no name for a {kind}", name.escape_debug()),
        };
        let help = "a name has letters, digits, `_` and `-`, at most 63 of them";
        findings.push(Finding::new(span, message).help(help));
    }
    good
}

/// Reports a name that does not exist.
pub(crate) fn no_such<'a>(
    span: Span,
    kind: &str,
    name: &str,
    names: impl IntoIterator<Item = &'a str> + Clone,
) -> Finding {
    let has_any = names.clone().into_iter().next().is_some();
    let help = match crate::error::nearest(name, names.clone()) {
        Some(near) => format!("did you mean `{near}`? The file has {}", enumerate(names)),
        None if has_any => format!("the file has {}", enumerate(names)),
        None => format!("the file has no {kind}"),
    };
    Finding::new(span, format!("there is no {kind} `{}`", name.escape_debug())).help(help)
}

/// The dotted path of the first value at or below an entry.
fn first_path(entry: &Entry) -> String {
    let below = entry.node.table().and_then(|table| table.entries.first());
    below.map_or(entry.key.clone(), |below| format!("{}.{}", entry.key, first_path(below)))
}
