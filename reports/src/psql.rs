//! A query's result as psql prints it: aligned, expanded (`-x`) and CSV; and an error as it does.
//!
//! The aligned form has each column as wide as its longest line, names in the middle, numbers to
//! the right, and a `+` where a value goes on in the next line. The expanded form has a block a
//! row and a line a column. NULL is printed as nothing. An error that has a place in the query
//! shows that line of it, cut to 60 characters around the place.
//!
//! No library does this byte for byte: the rules where the last column is padded, where a line is
//! continued and what stands below an empty result are psql's own.
//!
//! **Source.** `fe_utils/print.c:print_aligned_text`, `print_aligned_vertical`, `csv_escaped_print`
//! and libpq's `fe-protocol3.c:reportErrorPosition`, with psql's defaults (`border` 1, `ascii`).
//!
//! **Not modelled.** Characters that are not one column wide: PostgreSQL lets only ASCII into the
//! names that views show (`pg_clean_ascii`). Pagers, and what psql does by the terminal's width.

use models::trace::table::{SqlError, Table};

/// What is printed of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// psql's own.
    #[default]
    Aligned,
    /// `-x`.
    Expanded,
    /// `--csv`.
    Csv,
}

/// The result, as psql prints it with its default settings.
pub fn table(table: &Table, form: Form) -> String {
    match form {
        Form::Aligned => aligned(table),
        Form::Expanded => expanded(table),
        Form::Csv => csv(table),
    }
}

/// A name or a value, line by line.
fn lines(text: &str) -> Vec<&str> {
    text.split('\n').collect()
}

fn width(line: &str) -> usize {
    line.chars().count()
}

fn widest<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.flat_map(|text| text.split('\n')).map(width).max().unwrap_or(0)
}

fn is_multiline(text: &str) -> bool {
    text.contains('\n')
}

fn cell(row: &[Option<String>], column: usize) -> &str {
    row.get(column).and_then(Option::as_deref).unwrap_or("")
}

fn blanks(count: usize) -> String {
    " ".repeat(count)
}

fn aligned(table: &Table) -> String {
    let columns = table.columns.iter().enumerate();
    let widths: Vec<usize> = columns
        .map(|(index, column)| {
            let cells = table.rows.iter().map(|row| cell(row, index));
            widest(std::iter::once(column.name.as_str()).chain(cells))
        })
        .collect();
    let mut out = names(table, &widths);
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    out += &format!("-{}-\n", rule.join("-+-"));
    for row in &table.rows {
        out += &aligned_row(table, &widths, row);
    }
    let count = table.rows.len();
    out + &format!("({count} row{})\n\n", if count == 1 { "" } else { "s" })
}

/// The lines above the rule, each name in the middle of its column.
fn names(table: &Table, widths: &[usize]) -> String {
    let names: Vec<Vec<&str>> = table.columns.iter().map(|column| lines(&column.name)).collect();
    let height = names.iter().map(Vec::len).max().unwrap_or(0);
    let mut out = String::new();
    for line in 0..height {
        let cells = names.iter().zip(widths).map(|(name, &column)| {
            let Some(text) = name.get(line) else { return blanks(column + 2) };
            let free = column - width(text);
            let (left, right) = (blanks(free / 2), blanks(free.div_ceil(2)));
            format!(" {left}{text}{right}{}", if line + 1 < name.len() { "+" } else { " " })
        });
        out += &cells.collect::<Vec<_>>().join("|");
        out.push('\n');
    }
    out
}

/// The lines of one row. The last column is padded only where a `+` follows.
fn aligned_row(table: &Table, widths: &[usize], row: &[Option<String>]) -> String {
    let cells: Vec<Vec<&str>> = (0..widths.len()).map(|c| lines(cell(row, c))).collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    let mut out = String::new();
    for line in 0..height {
        for (index, cell) in cells.iter().enumerate() {
            let last = index + 1 == cells.len();
            let goes_on = line + 1 < cell.len();
            let text = cell.get(line).copied().unwrap_or("");
            let padding = blanks(widths[index] - width(text));
            let to_the_right = table.columns[index].sql_type.is_right_aligned();
            out.push(' ');
            match to_the_right && line < cell.len() {
                true => out += &format!("{padding}{text}"),
                false if last && !goes_on => out += text,
                false => out += &format!("{text}{padding}"),
            }
            match (goes_on, last) {
                (true, _) => out.push('+'),
                (false, false) => out.push(' '),
                (false, true) => {}
            }
            out.push(if last { '\n' } else { '|' });
        }
    }
    out
}

fn expanded(table: &Table) -> String {
    if table.rows.is_empty() {
        return "(0 rows)\n\n".to_owned();
    }
    let names = widest(table.columns.iter().map(|column| column.name.as_str()));
    let cells = table.rows.iter().flatten().flatten().map(String::as_str);
    let values = widest(cells);
    let long_values = table.rows.iter().flatten().flatten().any(|cell| is_multiline(cell));
    let mut out = String::new();
    for (number, row) in table.rows.iter().enumerate() {
        out += &record_line(number + 1, names, values);
        for (index, column) in table.columns.iter().enumerate() {
            let (name, value) = (lines(&column.name), lines(cell(row, index)));
            for line in 0..name.len().max(value.len()) {
                out += &match name.get(line) {
                    Some(text) => {
                        let goes_on = line + 1 < name.len();
                        let padding = blanks(names - width(text));
                        format!("{text}{padding}{}|", if goes_on { "+" } else { " " })
                    }
                    None => format!("{}|", blanks(names + 1)),
                };
                if let Some(text) = value.get(line) {
                    out += &format!(" {text}");
                    if long_values && line + 1 < value.len() {
                        out += &format!("{}+", blanks(values - width(text)));
                    }
                }
                out.push('\n');
            }
        }
    }
    out + "\n"
}

/// `-[ RECORD 1 ]---+-----`: as long as the lines below it, or as the words in it
/// (`print_aligned_vertical_line`).
fn record_line(number: usize, names: usize, values: usize) -> String {
    let words = format!("[ RECORD {number} ]");
    let mut line = format!("-{words}");
    let mut taken = words.len() + 1;
    line += &"-".repeat(names.saturating_sub(taken));
    // What the words take beyond the names they take from what comes next, mark by mark.
    taken = taken.saturating_sub(names);
    for mark in ['-', '+', '-'] {
        if taken == 0 {
            line.push(mark);
        }
        taken = taken.saturating_sub(1);
    }
    line += &"-".repeat(values.saturating_sub(taken));
    line + "\n"
}

fn csv(table: &Table) -> String {
    let names = table.columns.iter().map(|column| field(&column.name));
    let mut out = names.collect::<Vec<_>>().join(",") + "\n";
    for row in &table.rows {
        let cells = (0..table.columns.len()).map(|index| field(cell(row, index)));
        out += &(cells.collect::<Vec<_>>().join(",") + "\n");
    }
    out
}

/// A field, in quotes if it needs them (`print_csv_field`).
fn field(text: &str) -> String {
    match text.contains([',', '"', '\r', '\n']) || text == "\\." {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

/// An error, as `psql -c QUERY` prints it.
pub fn error(error: &SqlError, query: &str) -> String {
    let mut out = format!("ERROR:  {}\n", error.message);
    if let Some(position) = error.position {
        out += &place(query, position);
    }
    if let Some(hint) = error.hint {
        out += &format!("HINT:  {hint}\n");
    }
    out
}

/// Columns of a line of a query that are shown.
const DISPLAY_SIZE: usize = 60;
/// Columns that are shown to the right of the place at least.
const MIN_RIGHT_CUT: usize = 10;

/// The line of the query with the place marked below.
fn place(query: &str, position: usize) -> String {
    let before = &query[..position.min(query.len())];
    let number = before.matches('\n').count() + 1;
    let begin = before.rfind('\n').map_or(0, |at| at + 1);
    let line: Vec<char> = query[begin..].split('\n').next().unwrap_or("").chars().collect();
    let place = query[begin..before.len()].chars().count();
    let (mut first, mut end) = (0, line.len());
    if line.len() > DISPLAY_SIZE {
        if DISPLAY_SIZE >= place + MIN_RIGHT_CUT {
            end = DISPLAY_SIZE;
        } else {
            end = end.min(place + MIN_RIGHT_CUT);
            first = end - DISPLAY_SIZE;
        }
    }
    let dots = |cut: bool| if cut { "..." } else { "" };
    let head = format!("LINE {number}: {}", dots(first > 0));
    let text: String = line[first..end].iter().collect();
    let tail = dots(end < line.len());
    format!("{head}{text}{tail}\n{}^\n", blanks(head.len() + place - first))
}
