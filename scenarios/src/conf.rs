//! The lines of a `postgresql.conf`, each with its place in the text.

use std::ops::Range;

/// A line that says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Where it is.
    pub span: Range<usize>,
    /// Name and value, or what is wrong.
    pub setting: Result<(String, String), String>,
}

/// Every line that is neither empty nor a comment.
pub(crate) fn lines(text: &str) -> Vec<Line> {
    let mut at = 0;
    let mut lines = Vec::new();
    for line in text.split_inclusive('\n') {
        let start = at + (line.len() - line.trim_start().len());
        at += line.len();
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        lines.push(Line { span: start..start + line.len(), setting: setting(line) });
    }
    lines
}

fn setting(line: &str) -> Result<(String, String), String> {
    let end = line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest).trim_start();
    if let Some(quoted) = rest.strip_prefix('\'') {
        let mut value = String::new();
        let mut chars = quoted.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\'' if chars.peek() == Some(&'\'') => {
                    chars.next();
                    value.push('\'');
                }
                '\'' => return Ok((name.to_owned(), value)),
                c => value.push(c),
            }
        }
        return Err("the quote is never closed".to_owned());
    }
    let value = rest.split('#').next().unwrap_or("").trim();
    if value.is_empty() {
        return Err(format!("syntax error: `{name}` has no value"));
    }
    Ok((name.to_owned(), value.to_owned()))
}
