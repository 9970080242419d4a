//! Tables as data: the page makes HTML of them, the screen and Markdown their own.

mod comparison;
mod details;
mod expectations;
mod settings;
mod timeline;

pub use comparison::comparison;
pub use details::{commits, servers, slots, standbys};
pub use expectations::{Broken, Outcome, expectations, laws};
pub use settings::settings;
pub use timeline::{Entry, Timeline, timeline};

/// A table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Names of the columns, with their units where the cells have none.
    pub columns: Vec<String>,
    /// Rows of as many cells; the first one names the row.
    pub rows: Vec<Vec<Cell>>,
    /// The index of the run that each row is of; empty where they are of none or all of one.
    pub runs: Vec<usize>,
}

/// One cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// The value, with its unit.
    pub text: String,
    /// How it compares with the first row, or what else there is to say.
    pub note: Option<String>,
    /// Whether it is something bad in itself: lost commits, a lost slot.
    pub alarming: bool,
}

impl Cell {
    /// A value and nothing else.
    pub fn new(text: impl Into<String>) -> Cell {
        Cell { text: text.into(), note: None, alarming: false }
    }
}

impl Table {
    /// Whether a column holds words rather than numbers: words begin at the left.
    pub fn is_text(&self, column: usize) -> bool {
        let cells = || self.rows.iter().filter_map(|row| row.get(column));
        let number = |cell: &Cell| cell.text.starts_with(|c: char| c.is_ascii_digit() || c == '-');
        column == 0 || (!self.rows.is_empty() && !cells().any(number))
    }

    /// The table in Markdown, for wikis and issues. Notes stand in parentheses.
    pub fn markdown(&self) -> String {
        let clean = |text: &str| -> String {
            let one_line = text.replace(['\n', '\r'], " ");
            one_line.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;")
        };
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let mut markdown = line(self.columns.iter().map(|c| clean(c)).collect());
        let rules = (0..self.columns.len()).map(|i| if i == 0 { "---" } else { "---:" });
        markdown.push_str(&line(rules.map(str::to_owned).collect()));
        for row in &self.rows {
            let cell = |cell: &Cell| match &cell.note {
                Some(note) => format!("{} ({})", clean(&cell.text), clean(note)),
                None => clean(&cell.text),
            };
            markdown.push_str(&line(row.iter().map(cell).collect()));
        }
        markdown
    }
}
