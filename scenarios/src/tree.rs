//! A TOML document as a tree whose every part knows where it was written.
//!
//! `toml` reads the text and reports every syntax mistake at once; this tree keeps what a
//! scenario needs beyond that: the order of the file, numbers as they were written (a setting is
//! text to PostgreSQL), and values that were put in from elsewhere by a variant, an include or
//! `--set`, each with the place it came from.

use toml::de::{DeTable, DeValue};

use crate::error::Finding;
use crate::source::{Sources, Span};
use crate::syntax;

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// The value's text.
    pub span: Span,
    /// The value.
    pub value: Value,
}

/// A TOML value.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// A string.
    Text(String),
    /// A whole number, as written.
    Integer(String),
    /// A number with a fraction or an exponent, as written.
    Float(String),
    /// `true` or `false`.
    Bool(bool),
    /// A date or time, which no key takes.
    Date(String),
    /// A list.
    List(Vec<Node>),
    /// A table.
    Table(Table),
}

/// A table, in the order of the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    /// Its header, or the braces.
    pub span: Span,
    /// Its entries.
    pub entries: Vec<Entry>,
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The key.
    pub key: String,
    /// Where the key was written.
    pub key_span: Span,
    /// The value.
    pub node: Node,
}

impl Node {
    /// What kind of value it is, for messages.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Text(_) => "a string",
            Value::Integer(_) | Value::Float(_) => "a number",
            Value::Bool(_) => "a boolean",
            Value::Date(_) => "a date",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }

    /// The text of a single value as PostgreSQL would read it; `None` for lists and tables.
    pub fn scalar(&self) -> Option<String> {
        match &self.value {
            Value::Text(text) | Value::Integer(text) | Value::Float(text) => Some(text.clone()),
            Value::Bool(true) => Some("true".to_owned()),
            Value::Bool(false) => Some("false".to_owned()),
            Value::Date(_) | Value::List(_) | Value::Table(_) => None,
        }
    }

    /// A short text of any value, for names and screens.
    pub fn show(&self) -> String {
        match &self.value {
            Value::List(items) => {
                format!("[{}]", items.iter().map(Node::show).collect::<Vec<_>>().join(", "))
            }
            Value::Table(table) => {
                let show = |e: &Entry| format!("{} = {}", e.key, e.node.show());
                format!("{{ {} }}", table.entries.iter().map(show).collect::<Vec<_>>().join(", "))
            }
            Value::Date(text) => text.clone(),
            _ => self.scalar().unwrap_or_default(),
        }
    }

    /// The table, if it is one.
    pub fn table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }
}

impl Table {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|e| &e.node)
    }

    /// The key and its value.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|e| e.key == key)
    }

    /// Puts a value, in the place of an older one if there is one.
    pub fn put(&mut self, entry: Entry) {
        match self.entries.iter_mut().find(|e| e.key == entry.key) {
            Some(old) => *old = entry,
            None => self.entries.push(entry),
        }
    }

    /// Puts a value at a path, making the tables on the way. A preset's name in the way becomes
    /// a table with that `preset`.
    pub fn put_at(&mut self, path: &[String], key_span: Span, node: Node) {
        let [head, rest @ ..] = path else { return };
        if rest.is_empty() {
            return self.put(Entry { key: head.clone(), key_span, node });
        }
        if self.entry(head).is_none() {
            let table = Value::Table(Table { span: key_span, entries: Vec::new() });
            let node = Node { span: key_span, value: table };
            self.entries.push(Entry { key: head.clone(), key_span, node });
        }
        let Some(entry) = self.entries.iter_mut().find(|e| e.key == *head) else { return };
        if !matches!(entry.node.value, Value::Table(_)) {
            let preset = Entry {
                key: "preset".to_owned(),
                key_span: entry.key_span,
                node: entry.node.clone(),
            };
            entry.node.value = Value::Table(Table { span: entry.node.span, entries: vec![preset] });
        }
        if let Value::Table(table) = &mut entry.node.value {
            table.put_at(rest, key_span, node);
        }
    }

    /// The entry at a path.
    pub fn at(&self, path: &[String]) -> Option<&Entry> {
        let (head, rest) = path.split_first()?;
        let entry = self.entry(head)?;
        if rest.is_empty() { Some(entry) } else { entry.node.table()?.at(rest) }
    }

    /// Removes what is at a path; whether there was something.
    pub fn remove_at(&mut self, path: &[String]) -> bool {
        let Some((head, rest)) = path.split_first() else { return false };
        if rest.is_empty() {
            let before = self.entries.len();
            self.entries.retain(|e| e.key != *head);
            return self.entries.len() < before;
        }
        match self.entries.iter_mut().find(|e| e.key == *head).map(|e| &mut e.node.value) {
            Some(Value::Table(table)) => table.remove_at(rest),
            _ => false,
        }
    }

    /// Takes over what `other` has and this table has not.
    pub fn fill_from(&mut self, other: Table) {
        for theirs in other.entries {
            match self.entries.iter_mut().find(|e| e.key == theirs.key) {
                None => self.entries.push(theirs),
                Some(ours) => {
                    if let (Value::Table(ours), Value::Table(theirs)) =
                        (&mut ours.node.value, theirs.node.value)
                    {
                        ours.fill_from(theirs);
                    }
                }
            }
        }
    }

    /// Every value below, by its dotted path: how settings and expectations are read, since
    /// `a.b = 1` and `'a.b' = 1` mean the same there.
    pub fn flatten(&self) -> Vec<(String, &Entry)> {
        fn walk<'a>(table: &'a Table, prefix: &str, out: &mut Vec<(String, &'a Entry)>) {
            for entry in &table.entries {
                let path = match prefix {
                    "" => entry.key.clone(),
                    _ => format!("{prefix}.{}", entry.key),
                };
                match &entry.node.value {
                    Value::Table(inner) if !inner.entries.is_empty() => walk(inner, &path, out),
                    _ => out.push((path, entry)),
                }
            }
        }
        let mut out = Vec::new();
        walk(self, "", &mut out);
        out
    }
}

/// Makes the two ways of writing a name with dots the same: in `[expect]`, `[matrix]` and
/// settings `a.b = 1` is `'a.b' = 1`, so that includes, variants and `--set` find it.
pub(crate) fn join_names(root: &mut Table) {
    for entry in &mut root.entries {
        let Value::Table(table) = &mut entry.node.value else { continue };
        match entry.key.as_str() {
            "expect" | "matrix" | "postgresql" => table.join(),
            "server" => table.join_below("postgresql"),
            "variant" => table.join_below("expect"),
            _ => {}
        }
    }
}

impl Table {
    fn join(&mut self) {
        let flat = self.flatten().into_iter();
        self.entries = flat.map(|(key, entry)| Entry { key, ..entry.clone() }).collect();
    }

    /// Joins the names of one table of each named table.
    fn join_below(&mut self, key: &str) {
        for named in &mut self.entries {
            let Value::Table(table) = &mut named.node.value else { continue };
            for entry in table.entries.iter_mut().filter(|e| e.key == key) {
                if let Value::Table(table) = &mut entry.node.value {
                    table.join();
                }
            }
        }
    }
}

/// The largest text that is read as a scenario.
pub(crate) const LARGEST_TEXT: usize = 4 << 20;
/// Parts of a dotted key, beyond which a text is not read: tables would nest deeper than the
/// stack.
const MOST_PARTS: usize = 64;

/// Whether some line could be a key of too many parts: dots between no other punctuation.
fn is_too_deep(text: &str) -> bool {
    let dots = |piece: &str| piece.bytes().filter(|b| *b == b'.').count();
    let code = |line: &str| line.split('#').next().unwrap_or("").to_owned();
    text.lines()
        .any(|line| code(line).split(['=', ',', '{', '}', '[', ']']).any(|p| dots(p) > MOST_PARTS))
}

/// Reads a text as TOML. On mistakes, all of them.
pub(crate) fn parse(sources: &mut Sources, name: &str, text: &str) -> Result<Table, Vec<Finding>> {
    let base = sources.add(name, text);
    parse_at(base, text)
}

/// Reads a text that is already among the sources, at `base`.
pub(crate) fn parse_at(base: usize, text: &str) -> Result<Table, Vec<Finding>> {
    let start = Span { start: base, end: base };
    if text.len() > LARGEST_TEXT {
        return Err(vec![Finding::new(start, "the file is larger than 4 MB")]);
    }
    if is_too_deep(text) {
        return Err(vec![Finding::new(start, "a line has more than 64 dots in a row of names")]);
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        let span = Span::at(base, table.span());
        let mut root = convert_table(base, span, table.get_ref());
        join_names(&mut root);
        return Ok(root);
    }
    Err(syntax::mistakes(base, text, &errors))
}

/// Reads one value, as `--set` has it: TOML, else a string.
pub(crate) fn parse_value(base: usize, text: &str) -> Node {
    let span = Span::at(base, 0..text.len());
    if is_too_deep(text) || text.len() > LARGEST_TEXT {
        return Node { span, value: Value::Text(text.to_owned()) };
    }
    match DeValue::parse(text) {
        Ok(value) => {
            let mut node = convert(base, Span::at(base, value.span()), value.get_ref());
            // A version or a date without quotes is meant as text.
            if let Value::Date(_) = node.value {
                node.value = Value::Text(text.to_owned());
            }
            node
        }
        _ => Node { span, value: Value::Text(text.to_owned()) },
    }
}

fn convert_table(base: usize, span: Span, table: &DeTable<'_>) -> Table {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, node)| Entry {
            key: key.get_ref().to_string(),
            key_span: Span::at(base, key.span()),
            node: convert(base, Span::at(base, node.span()), node.get_ref()),
        })
        .collect();
    entries.sort_by_key(|e| e.key_span.start);
    Table { span, entries }
}

fn convert(base: usize, span: Span, value: &DeValue<'_>) -> Node {
    let value = match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Integer(number.to_string()),
            Err(_) => Value::Integer(number.as_str().to_owned()),
        },
        DeValue::Float(number) => Value::Float(number.as_str().to_owned()),
        DeValue::Boolean(b) => Value::Bool(*b),
        DeValue::Datetime(date) => Value::Date(date.to_string()),
        DeValue::Array(items) => Value::List(
            items.iter().map(|i| convert(base, Span::at(base, i.span()), i.get_ref())).collect(),
        ),
        DeValue::Table(table) => Value::Table(convert_table(base, span, table)),
    };
    Node { span, value }
}
