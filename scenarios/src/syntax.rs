//! What is wrong with a text that is no TOML, said so that it can be put right.
//!
//! The parser of `toml` goes on after a mistake, and finds several where a person made one: a text
//! without quotes, a table that is there twice, a line of YAML. Here each line is told once, what
//! follows from the same mistake is left out, and where the line shows what was meant, help has it
//! as it should stand. A text without any line of TOML is no scenario, and is told as that.

use std::ops::Range;

use toml::de::Error;

use crate::error::Finding;
use crate::import::source::Source;
use crate::source::Span;

/// Every mistake of a text that begins at `base`, as the parser found them.
pub(crate) fn mistakes(base: usize, text: &str, errors: &[Error]) -> Vec<Finding> {
    if let Some(finding) = something_else(base, text) {
        return vec![finding];
    }
    let whole = text.len();
    let mut found: Vec<(Range<usize>, &str)> =
        errors.iter().map(|e| (e.span().unwrap_or(whole..whole), e.message())).collect();
    found.sort_by_key(|(span, _)| span.start);
    let mut findings = Vec::new();
    let mut told: Option<Line<'_>> = None;
    // A table that is there twice has most of its keys twice.
    let mut in_second_table = false;
    for (span, message) in found {
        let line = Line::at(text, span.start);
        if told.is_some_and(|told| told.start == line.start) {
            continue;
        }
        let between = told.map_or(0, |told| told.start)..line.start;
        in_second_table &= !text[between].lines().skip(1).any(|line| is_header(line.trim()));
        if message == TWICE && in_second_table && !is_header(line.code()) {
            continue;
        }
        in_second_table = message == TWICE && is_header(line.code());
        told = Some(line);
        findings.push(finding(base, text, line, span, message));
    }
    findings
}

/// What the parser says of a key or a table that is there twice.
const TWICE: &str = "duplicate key";

fn finding(base: usize, text: &str, line: Line<'_>, span: Range<usize>, said: &str) -> Finding {
    if said == TWICE {
        return twice(base, text, line, span);
    }
    if let Some((key, value)) = line.halves('=')
        && let Some(text) = bare_text(value)
    {
        let start = line.start + line.text.find(text).unwrap_or(0);
        let span = Span::at(base, start..start + text.len());
        let message = format!("`{}` has no quotes", text.escape_debug());
        return Finding::new(span, message).help(format!("a text has them: {key} = '{text}'"));
    }
    let finding = Finding::new(Span::at(base, span), said);
    if let Some((key, value)) = line.halves(':').or_else(|| line.halves(' '))
        && !line.code().contains('=')
    {
        let quoted = bare_text(value).map_or(value.to_owned(), |text| format!("'{text}'"));
        return finding.help(format!("between a key and its value stands `=`: {key} = {quoted}"));
    }
    finding
}

/// A key or a table that is there twice, and the first of the two.
fn twice(base: usize, text: &str, line: Line<'_>, span: Range<usize>) -> Finding {
    let code = line.code();
    let header = is_header(code);
    let name = text.get(span.clone()).unwrap_or("");
    let what = if header { code } else { name };
    let finding = Finding::new(Span::at(base, span), format!("`{what}` is there twice"))
        .help("one of the two has to go, or have another name");
    let before = &text[..line.start];
    // A key's first is in the same table.
    let from = match header {
        true => 0,
        false => Lines::of(before).filter(|l| is_header(l.code())).last().map_or(0, |l| l.start),
    };
    let is_first = |other: &Line<'_>| match header {
        true => other.code() == code,
        false => other.halves('=').is_some_and(|(key, _)| key == name),
    };
    match Lines::of(before).filter(|line| line.start >= from).find(is_first) {
        Some(first) => {
            let start = first.start + first.text.find(first.code()).unwrap_or(0);
            let end = start + if header { code.len() } else { name.len() };
            finding.label(Span::at(base, start..end), "the first one")
        }
        None => finding,
    }
}

/// A text none of whose lines could be one of a scenario.
fn something_else(base: usize, text: &str) -> Option<Finding> {
    let mut lines = Lines::of(text).filter(|line| !line.code().is_empty());
    let first = lines.next()?;
    let is_toml = |line: &Line<'_>| is_header(line.code()) || line.code().contains(['=', ':']);
    let is_csv = |line: &Line<'_>| line.code().contains(',') && !line.code().contains('=');
    let found = Source::detect(text);
    if is_toml(&first) && !(is_csv(&first) && found.is_some()) {
        return None;
    }
    if lines.take(20).any(|line| is_toml(&line) && !is_csv(&line)) {
        return None;
    }
    let start = first.start + first.text.find(first.code()).unwrap_or(0);
    let span = Span::at(base, start..start + first.code().len());
    let help = found.map_or("a line of one is: key = 'value', or [table]".to_owned(), |source| {
        format!("it looks like {}: `walden import` makes a profile of it", source.name())
    });
    Some(Finding::new(span, "this is no scenario").help(help))
}

/// A value that was meant as a text and has no quotes around it.
fn bare_text(value: &str) -> Option<&str> {
    let quotes = |c: char| c == '\'' || c == '"' || c == '[' || c == '{' || c.is_control();
    let is_text = value.contains(|c: char| c.is_alphabetic()) && !value.contains(quotes);
    (is_text && !matches!(value, "true" | "false")).then_some(value)
}

fn is_header(code: &str) -> bool {
    code.starts_with('[')
}

/// A line of a text.
#[derive(Clone, Copy)]
struct Line<'t> {
    /// Its first byte in the text.
    start: usize,
    text: &'t str,
}

impl<'t> Line<'t> {
    /// The one that a byte is in; at an end of file, the last.
    fn at(text: &'t str, byte: usize) -> Line<'t> {
        let byte = (0..=byte.min(text.len())).rev().find(|&b| text.is_char_boundary(b));
        let byte = byte.unwrap_or(0);
        let start = text[..byte].rfind('\n').map_or(0, |end| end + 1);
        Line { start, text: text[start..].lines().next().unwrap_or("") }
    }

    /// Without the comment and the blanks around it.
    fn code(self) -> &'t str {
        let end = match self.text.find(['\'', '"']) {
            // A `#` may be in a text.
            Some(_) => self.text.len(),
            None => self.text.find('#').unwrap_or(self.text.len()),
        };
        self.text[..end].trim_start_matches('\u{feff}').trim()
    }

    /// A key and what stands behind the first `between`, both without blanks.
    fn halves(self, between: char) -> Option<(&'t str, &'t str)> {
        let (key, value) = self.code().split_once(between)?;
        let (key, value) = (key.trim(), value.trim());
        let is_key = |c: char| c.is_ascii_alphanumeric() || "_-.'\"".contains(c);
        (!key.is_empty() && !value.is_empty() && key.chars().all(is_key)).then_some((key, value))
    }
}

/// All lines of a text.
struct Lines<'t> {
    text: &'t str,
    start: usize,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Lines<'t> {
        Lines { text, start: 0 }
    }
}

impl<'t> Iterator for Lines<'t> {
    type Item = Line<'t>;

    fn next(&mut self) -> Option<Line<'t>> {
        if self.start >= self.text.len() {
            return None;
        }
        let line = Line::at(self.text, self.start);
        let rest = &self.text[self.start..];
        self.start += rest.find('\n').map_or(rest.len(), |end| end + 1);
        Some(line)
    }
}
