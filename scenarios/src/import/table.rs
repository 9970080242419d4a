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

use super::moment::{self, Moment};
use super::{File, Told};
use crate::error::{Finding, Findings, enumerate, nearest};

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

/// Names of the column of time, the likeliest first.
pub(super) const TIME_NAMES: [&str; 11] = [
    "timestamp",
    "now",
    "time",
    "ts",
    "clock_timestamp",
    "current_timestamp",
    "sampled_at",
    "collected_at",
    "created_at",
    "date",
    "epoch",
];

/// Most rows of one import: half a year of one a second.
pub(super) const MOST_ROWS: u64 = 16_000_000;
/// What a time stamp is.
pub(super) const TIME_HELP: &str = "a time stamp is such as 2026-11-23 05:59:58.343596+00 \
                                    (datestyle = 'ISO'), or seconds since 1970";
/// Why a row is dropped that lacks what it is for.
pub(super) const EMPTY: &str = "an empty field";
/// Why the last row of a file is dropped that ends within it.
pub(super) const CUT: &str = "the file ends within the row";

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

/// The names of the columns.
pub(super) struct Header {
    fields: StringRecord,
}

impl Header {
    /// Where the column of that name is.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.eq_ignore_ascii_case(name))
    }

    /// Where the first column is that has one of these names.
    pub fn any_of(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|name| self.column(name))
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter()
    }
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

    /// The first row, which names the columns; those that are needed have to be among them.
    pub fn header(
        &mut self,
        needed: &[&str],
        told: &mut Told,
        findings: &Findings,
    ) -> Option<Header> {
        let Some(row) = self.next(told, findings) else {
            let help = match needed {
                [] => "the first row names the columns".to_owned(),
                _ => format!("the first row names the columns: {}", enumerate(needed.to_vec())),
            };
            let finding = Finding::new(self.file.first_line(), "the file has no rows");
            findings.push(finding.help(help));
            return None;
        };
        let header = Header { fields: row.fields };
        let missing: Vec<&&str> = needed.iter().filter(|n| header.column(n).is_none()).collect();
        for name in &missing {
            let names = header.fields.iter().filter(|name| !name.is_empty());
            let meant = nearest(name, names.clone());
            let meant = meant.map_or(String::new(), |near| format!("perhaps `{near}` is it; "));
            let help = format!("{meant}the columns are {}", enumerate(names));
            let message = format!("there is no column `{name}`");
            let span = self.file.span(row.span.clone());
            findings.push(Finding::new(span, message).help(help));
        }
        missing.is_empty().then_some(header)
    }

    /// The next row of data: as many fields as there are columns.
    pub fn data(&mut self, header: &Header, told: &mut Told, findings: &Findings) -> Option<Row> {
        loop {
            let row = self.next(told, findings)?;
            if row.fields == header.fields {
                // `\watch` writes the names again every time.
                continue;
            }
            told.rows += 1;
            let (has, needs) = (row.fields.len(), header.fields.len());
            if told.rows > MOST_ROWS {
                let finding = Finding::new(self.file.span(row.span), "more than 16,000,000 rows");
                findings.push(finding.help("keep every tenth row"));
                return None;
            } else if has == needs {
                return Some(row);
            } else if has < needs && self.is_cut(&row) {
                told.drop_row(CUT, self.file.name, row.line);
            } else {
                let message = format!("this row has {has} fields, and there are {needs} columns");
                let help = "a field with a separator in it has to be quoted";
                findings.push(Finding::new(self.file.span(row.span), message).help(help));
            }
        }
    }

    /// A mistake in a field.
    pub fn wrong(&self, row: &Row, column: usize, what: &str, help: &str) -> Finding {
        let text = row.fields.get(column).unwrap_or("");
        let message = format!("`{}` is {what}", text.escape_debug());
        Finding::new(self.file.span(self.field(row, column)), message).help(help)
    }

    /// The number in a field; `None` if it is empty or, which is a mistake, anything else.
    pub fn number(&self, row: &Row, column: usize, findings: &Findings) -> Option<u64> {
        let text = row.fields.get(column).filter(|text| !text.is_empty())?;
        // Exporters and pgbench write whole numbers with a fraction of zeros.
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let number = whole.parse().ok().filter(|_| fraction.bytes().all(|b| b.is_ascii_digit()));
        if number.is_none() {
            findings.push(self.wrong(row, column, "no number", "a whole number, not below zero"));
        }
        number
    }

    /// The moment in a field. `None` is a mistake, or an empty field, for which the row is dropped.
    pub fn moment(
        &self,
        row: &Row,
        column: usize,
        told: &mut Told,
        findings: &Findings,
    ) -> Option<Moment> {
        let text = row.fields.get(column).unwrap_or("");
        if text.is_empty() {
            told.drop_row(EMPTY, self.file.name, row.line);
            return None;
        }
        let Some(stamp) = moment::stamp(text) else {
            findings.push(self.wrong(row, column, "no timestamp", TIME_HELP));
            return None;
        };
        if !stamp.zoned {
            told.remark("no time zone: taken as UTC", self.file.name, row.line);
        }
        Some(stamp.moment)
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
