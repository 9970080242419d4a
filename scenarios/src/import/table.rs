//! Rows of fields as psql, `COPY` and spreadsheets write them.
//!
//! `psql --csv`, `COPY ... CSV`, psql's aligned and unaligned output, tabs and semicolons: the
//! separator is what the first line that has one has most of. What psql writes around a table is
//! passed over: the line of dashes, `(3 rows)`, the title of `\watch`, `Time: 1.2 ms`, `SET`. Its
//! messages (`ERROR: ...`) stand for a row that did not come, and are told.
//!
//! **Source.** `fe_utils/print.c` (PostgreSQL 13 to 18); quotes as the `csv` crate reads them.
//!
//! **Not modelled.** Fields that run over lines in psql's aligned output, its expanded output.

use std::ops::Range;

use csv::StringRecord;

use super::{File, Told};
use crate::error::{Finding, Findings};

/// What psql writes in place of a row begins with one of these.
const MESSAGES: [&str; 14] = [
    "psql: ",
    "ERROR:",
    "FATAL:",
    "WARNING:",
    "NOTICE:",
    "HINT:",
    "DETAIL:",
    "LINE ",
    "CONTEXT:",
    "server closed the connection",
    "connection to server",
    "The connection to the server",
    "\tThis probably means",
    "\tIs the server",
];

/// Why a message is no row.
const MESSAGE: &str = "a message in place of a row";

/// A file, row by row.
pub(super) struct Rows<'a> {
    file: File<'a>,
    reader: csv::Reader<&'a [u8]>,
    separator: u8,
    /// Whether quotes mean something: not in psql's aligned output.
    quotes: bool,
    /// Where the text begins behind a byte order mark.
    skipped: usize,
}

/// A row.
pub(super) struct Row {
    /// The line it begins in, from 1.
    pub line: usize,
    /// Bytes of the file, without the end of the line.
    pub span: Range<usize>,
    /// Its fields, without the blanks and the quotes around them.
    pub fields: StringRecord,
}

impl<'a> Rows<'a> {
    /// Rows of a file.
    pub fn new(file: File<'a>) -> Rows<'a> {
        let text = file.text.trim_start_matches('\u{feff}');
        let separator = separator(text);
        let quotes = separator != b'|';
        let reader = csv::ReaderBuilder::new()
            .delimiter(separator)
            .quoting(quotes)
            .flexible(true)
            .has_headers(false)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        Rows { file, reader, separator, quotes, skipped: file.text.len() - text.len() }
    }

    /// The next row of names or of data. Messages in place of one are told.
    pub fn next(&mut self, told: &mut Told, findings: &Findings) -> Option<Row> {
        loop {
            let row = self.any(findings)?;
            let whole = &self.file.text[row.span.clone()];
            if MESSAGES.iter().any(|start| whole.starts_with(start)) {
                told.rows += 1;
                told.drop_row(MESSAGE, self.file.name, row.line);
            } else if !is_decoration(whole) {
                return Some(row);
            }
        }
    }

    fn any(&mut self, findings: &Findings) -> Option<Row> {
        let text = self.file.text;
        let mut fields = StringRecord::new();
        // What can go wrong with flexible rows of a text in memory is nothing.
        if !self.reader.read_record(&mut fields).unwrap_or(false) {
            return None;
        }
        let mut start = self.skipped + position(fields.position()?.byte());
        let mut line = position(fields.position()?.line());
        // A row is said to begin at the blank lines before it.
        while let Some(blank) = text[start..].chars().next().filter(|c| matches!(c, '\n' | '\r')) {
            line += usize::from(blank == '\n');
            start += blank.len_utf8();
        }
        let end = self.skipped + position(self.reader.position().byte());
        let whole = text[start..end].trim_end_matches(['\n', '\r']);
        let span = start..start + whole.len();
        if self.quotes && end == text.len() && whole.matches('"').count() % 2 == 1 {
            let even = |line: &&str| line.matches('"').count().is_multiple_of(2);
            let lines = whole.split_inclusive('\n');
            let before: usize = lines.take_while(even).map(str::len).sum();
            let first = whole[before..].lines().next().unwrap_or("");
            let at = start + before + first.rfind('"').unwrap_or(0);
            let message = "a quote is opened here and never closed";
            let help = "a quote within a quoted field is written twice";
            findings.push(Finding::new(self.file.span(at..at + 1), message).help(help));
            return None;
        }
        Some(Row { line, span, fields })
    }

    /// Where a field of a row stands; the row if it has none of that number.
    pub fn field(&self, row: &Row, number: usize) -> Range<usize> {
        let whole = &self.file.text[row.span.clone()];
        let mut quoted = false;
        let mut start = 0;
        let mut seen = 0;
        for (at, byte) in whole.bytes().enumerate().chain([(whole.len(), self.separator)]) {
            match byte {
                b'"' if self.quotes => quoted = !quoted,
                _ if byte == self.separator && (!quoted || at == whole.len()) => {
                    if seen == number {
                        let field = &whole[start..at];
                        let from = row.span.start + start + field.len() - field.trim_start().len();
                        return from..(from + field.trim().len()).max(from);
                    }
                    seen += 1;
                    start = at + 1;
                }
                _ => {}
            }
        }
        row.span.clone()
    }

    /// Whether a row is the last one of a file that ends within a line.
    pub fn is_cut(&self, row: &Row) -> bool {
        row.span.end == self.file.text.len()
    }
}

/// A number of the `csv` crate's; files are shorter than memory.
fn position(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// What stands between the fields of a file.
fn separator(text: &str) -> u8 {
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty()).take(20);
    if lines().any(is_rule) {
        return b'|';
    }
    let most = |line: &str| {
        // Of two as frequent the first.
        let count = |s: &u8| line.bytes().filter(|b| b == s).count();
        let separators = [b',', b'\t', b';', b'|'];
        let most = separators.iter().rev().max_by_key(|s| count(s)).copied();
        most.filter(|s| count(s) > 0)
    };
    lines().filter(|line| !is_decoration(line)).find_map(most).unwrap_or(b',')
}

/// The line between psql's names and its rows.
fn is_rule(line: &str) -> bool {
    line.contains("---") && line.bytes().all(|b| matches!(b, b'-' | b'+'))
}

/// What psql writes around a table.
fn is_decoration(line: &str) -> bool {
    let line = line.trim();
    let rows = line.strip_prefix('(').and_then(|rest| rest.strip_suffix(" rows)"));
    is_rule(line)
        || rows.is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
        || line == "(1 row)"
        || line.ends_with(')') && line.contains("(every ")
        || line.starts_with("Time: ")
        || matches!(line, "SET" | "Timing is on." | "Output format is csv." | "Pager usage is off.")
}
