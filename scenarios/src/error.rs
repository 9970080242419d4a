//! What is wrong with a scenario, said so that it can be put right.
//!
//! A check never stops at the first mistake: it leaves a finding and goes on, and
//! [`Problems`] is all of them in the order of the file. Each says where (file, line, column,
//! bytes), what is wrong, and what would be right; where two places disagree it names both.
//! Nothing is printed here: `Display` is a plain rendering, and a program that can do better
//! takes [`Problems::report`] and [`Problems::source`].

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;

use crate::source::{Place, Sources, Span};

/// All mistakes of a scenario, in the order of the file.
#[derive(Clone, Debug, thiserror::Error)]
pub struct Problems {
    list: Vec<Problem>,
    more: usize,
    sources: Sources,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file it is in, as named when it was read; `--set` for the command line.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Bytes of the file that are meant.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What is allowed, or the nearest name.
    pub help: Option<String>,
    /// Other places that have to do with it.
    pub labels: Vec<Label>,
}

/// Another place that has to do with a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The file it is in.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Bytes of that file.
    pub span: Range<usize>,
    /// What it is, such as `defined here`.
    pub text: String,
}

impl Problems {
    /// Every mistake, sorted by place; at most [`Problems::LIMIT`].
    pub fn report(&self) -> Vec<Problem> {
        self.list.clone()
    }

    /// How many more there were than are kept.
    pub fn more(&self) -> usize {
        self.more
    }

    /// The text of a file that a problem or a label names.
    pub fn source(&self, file: &str) -> Option<&str> {
        self.sources.text(file)
    }

    /// The texts that it is about.
    pub(crate) fn sources(&self) -> &Sources {
        &self.sources
    }

    /// How many mistakes are kept: nobody reads more at once.
    pub const LIMIT: usize = 50;

    /// Puts findings in order, each once.
    pub(crate) fn new(mut findings: Vec<Finding>, sources: &Sources) -> Problems {
        findings.sort_by(|a, b| (a.span, &a.message).cmp(&(b.span, &b.message)));
        findings.dedup_by(|a, b| a.span == b.span && a.message == b.message);
        let more = findings.len().saturating_sub(Problems::LIMIT);
        findings.truncate(Problems::LIMIT);
        let list = findings.into_iter().map(|f| f.resolve(sources)).collect();
        Problems { list, more, sources: sources.clone() }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.list.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            problem.show(f, &self.sources)?;
        }
        if self.more > 0 {
            writeln!(f, "\n... and {} more", self.more)?;
        }
        Ok(())
    }
}

impl Problem {
    /// What it says, the lines that are meant with carets below, and help.
    pub(crate) fn show(&self, f: &mut fmt::Formatter<'_>, sources: &Sources) -> fmt::Result {
        writeln!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        quote(f, sources, &self.file, (self.line, self.column), &self.span)?;
        for label in &self.labels {
            writeln!(f, "  {}:{}:{}: {}", label.file, label.line, label.column, label.text)?;
            quote(f, sources, &label.file, (label.line, label.column), &label.span)?;
        }
        if let Some(help) = &self.help {
            writeln!(f, "  help: {help}")?;
        }
        Ok(())
    }
}

/// The line with carets below what is meant.
fn quote(
    f: &mut fmt::Formatter<'_>,
    sources: &Sources,
    file: &str,
    (line, column): (usize, usize),
    span: &Range<usize>,
) -> fmt::Result {
    let Some(text) = sources.text(file).and_then(|t| t.lines().nth(line - 1)) else {
        return Ok(());
    };
    // Long lines are cut, tabs become blanks, so that carets stay below what they mean.
    let first = column.saturating_sub(40).max(1);
    let shown: String = text
        .chars()
        .skip(first - 1)
        .take(90)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let marked = sources.text(file).and_then(|t| t.get(span.clone())).unwrap_or("");
    let width = marked.lines().next().unwrap_or("").chars().count();
    let room = shown.chars().count().saturating_sub(column - first);
    let carets = "^".repeat(width.min(room).max(1));
    let gutter = line.to_string().len().max(4);
    let blank = " ".repeat(column - first);
    writeln!(f, "{line:>gutter$} | {}", shown.trim_end())?;
    writeln!(f, "{:>gutter$} | {blank}{carets}", "")
}

/// A mistake while it is being looked for: spans instead of lines.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    /// Where.
    pub span: Span,
    /// What is wrong.
    pub message: String,
    help: Option<String>,
    labels: Vec<(Span, String)>,
}

impl Finding {
    /// Something is wrong there.
    pub fn new(span: Span, message: impl Into<String>) -> Finding {
        Finding { span, message: message.into(), help: None, labels: Vec::new() }
    }

    /// What would be right.
    pub fn help(mut self, help: impl Into<String>) -> Finding {
        self.help = Some(help.into());
        self
    }

    /// What would be right, if that can be said.
    pub fn maybe_help(mut self, help: Option<String>) -> Finding {
        self.help = help;
        self
    }

    /// Another place that has to do with it.
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Finding {
        self.labels.push((span, text.into()));
        self
    }

    /// Whether it says the same about the same place.
    pub fn same(&self, other: &Finding) -> bool {
        self.span == other.span && self.message == other.message
    }

    /// The mistake with its places as people name them.
    pub fn resolve(self, sources: &Sources) -> Problem {
        let Place { file, line, column, span } = sources.place(self.span);
        let labels = self
            .labels
            .into_iter()
            .map(|(span, text)| {
                let Place { file, line, column, span } = sources.place(span);
                Label { file, line, column, span, text }
            })
            .collect();
        Problem { file, line, column, span, message: self.message, help: self.help, labels }
    }
}

/// Where checks leave what they find.
#[derive(Debug, Default)]
pub(crate) struct Findings(RefCell<Vec<Finding>>);

impl Findings {
    /// Leaves one. More than anybody will read are not kept.
    pub fn push(&self, finding: Finding) {
        let mut list = self.0.borrow_mut();
        if list.len() < 10_000 {
            list.push(finding);
        }
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// All of them.
    pub fn take(self) -> Vec<Finding> {
        self.0.into_inner()
    }
}

/// The name that was probably meant: the nearest one at most two edits away and less than half of
/// the word, if no other is as near; or the first that begins with the word.
pub fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Text of any length arrives here, and the distance costs the product of the lengths.
    if wrong.len() > 80 {
        return None;
    }
    let lower = wrong.to_lowercase();
    let mut near: Vec<(usize, &str)> = names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), name))
        .collect();
    near.sort_by_key(|(distance, _)| *distance);
    let close = |d: usize, name: &str| d <= 2 && d * 2 <= name.chars().count().max(2);
    match near.as_slice() {
        [(d, name)] if close(*d, name) => Some(name),
        [(d, name), (other, _), ..] if close(*d, name) && other > d => Some(name),
        _ if lower.len() >= 3 => {
            near.iter().map(|(_, name)| *name).find(|name| name.starts_with(lower.as_str()))
        }
        _ => None,
    }
}

/// `did you mean ...?` and the list, or the list alone.
pub fn choices<'a>(
    wrong: &str,
    what: &str,
    names: impl IntoIterator<Item = &'a str> + Clone,
) -> String {
    let list = enumerate(names.clone());
    let list = if list.is_empty() { String::new() } else { format!("{what} {list}") };
    match nearest(wrong, names) {
        Some(name) if list.is_empty() => format!("did you mean `{name}`?"),
        Some(name) => format!("did you mean `{name}`? {}", capital(&list)),
        None => list,
    }
}

/// `a, b and c`, with backquotes.
pub(crate) fn enumerate<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|n| format!("`{n}`")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

/// The text with a capital first letter.
pub(crate) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |c| c.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_names_as_near_the_one_that_begins_so_was_meant() {
        assert_eq!(nearest("rat", ["at", "rate", "wal_rate"]), Some("rate"));
        assert_eq!(nearest("bat", ["bar", "cat"]), None);
        assert_eq!(nearest("wal_rat", ["at", "rate", "wal_rate"]), Some("wal_rate"));
        assert_eq!(nearest("nothing", ["at", "rate", "wal_rate"]), None);
    }
}
