//! What `walden run` prints: one screen, the answer first.
//!
//! A table with a row a variant, the events that mattered in PostgreSQL's own words, expectations
//! with what was measured, the digest, and the commands that go on from here. Where the table is
//! wider than the terminal, each variant gets a block of its own instead.

use std::fmt::Write as _;
use std::path::Path;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use models::trace::Run;

use crate::archive::{digest_of, hex};
use crate::play::Plan;
use crate::standin::reports::{self, Comparison};
use crate::terminal::{Style, Terminal, plain};

/// Events shown; the rest is in `facts.jsonl`.
const EVENTS: usize = 12;

/// All that is shown.
#[derive(Clone, Copy, Debug)]
pub struct Screen<'a> {
    /// What was played.
    pub plan: &'a Plan,
    /// What came of it.
    pub runs: &'a [Run],
    /// The command that plays it again.
    pub repeat: &'a str,
    /// Where the results are.
    pub folder: &'a Path,
}

impl Screen<'_> {
    /// Prints it.
    pub fn print(&self, terminal: &mut Terminal) {
        self.heading(terminal);
        terminal.line("");
        let comparison = reports::comparison(self.runs);
        for line in table(&comparison, terminal.width()) {
            terminal.line(line);
        }
        self.events(terminal);
        self.expectations(terminal);
        self.closing(terminal);
    }

    fn heading(&self, terminal: &mut Terminal) {
        let Some(first) = self.runs.first() else { return };
        let title = if self.plan.several { "" } else { &first.title };
        let colon = if title.is_empty() || title == self.plan.name { "" } else { ": " };
        let title = if colon.is_empty() { "" } else { title };
        let heading = plain(&format!("{}{colon}{title}", self.plan.name));
        terminal.line(terminal.paint(Style::Bold, &heading));
        if !self.plan.several && !first.question.is_empty() {
            terminal.line(plain(&first.question));
        }
        terminal.line(terminal.paint(
            Style::Dim,
            &format!(
                "PostgreSQL {}, seed {}, {} simulated, Walden {}",
                first.pg_version, self.plan.seed, first.duration, first.walden
            ),
        ));
    }

    fn events(&self, terminal: &mut Terminal) {
        let mut lines = Vec::new();
        let mut more = 0;
        let share = (EVENTS / self.runs.len().max(1)).max(1);
        for run in self.runs {
            let events = reports::events(run, share);
            let room = EVENTS.saturating_sub(lines.len());
            let shown = events.lines.len().min(room);
            more += events.more + (events.lines.len() - shown);
            for event in &events.lines[..shown] {
                let variant =
                    if self.runs.len() > 1 { format!("{}  ", run.variant) } else { String::new() };
                lines.push(plain(&format!("{variant}{event}")));
            }
        }
        if lines.is_empty() && more == 0 {
            return;
        }
        terminal.line("");
        terminal.line(terminal.paint(Style::Bold, "What happened"));
        for line in lines {
            terminal.line(format!("  {}", cut(&line, terminal.width().saturating_sub(2))));
        }
        if more > 0 {
            terminal.line(format!("  and {more} more in facts.jsonl"));
        }
    }

    fn expectations(&self, terminal: &mut Terminal) {
        let lines: Vec<(bool, String)> = self.runs.iter().flat_map(verdicts).collect();
        terminal.line("");
        let (met, all) = (lines.iter().filter(|(met, _)| *met).count(), lines.len());
        let laws = self.runs.iter().flat_map(|run| &run.summary.laws).count();
        let heading = if all == 0 {
            format!("No expectations; all {laws} laws held")
        } else {
            format!("Expectations: {met} of {all} met")
        };
        terminal.line(terminal.paint(Style::Bold, &heading));
        for (met, line) in lines {
            let (mark, style) = if met { ("✓", Style::Good) } else { ("✗", Style::Bad) };
            terminal.line(format!("  {} {line}", terminal.paint(style, mark)));
        }
    }

    fn closing(&self, terminal: &mut Terminal) {
        terminal.line("");
        let folder = self.folder.display().to_string();
        terminal.line(format!("digest  {}", hex(digest_of(self.runs))));
        terminal.line(format!("repeat  {}", self.repeat));
        terminal.line(format!("check   walden replay {}", quoted(&folder)));
        let report = self.folder.join("report.html").display().to_string();
        terminal.line(format!("report  {}", plain(&report)));
    }
}

/// The expectations of a run, and those laws that it broke.
fn verdicts(run: &Run) -> Vec<(bool, String)> {
    let mut lines = Vec::new();
    for e in &run.summary.expectations {
        let wanted = format!("{}  {} {}", run.variant, e.metric, e.wanted);
        let measured = if e.measured.is_empty() { "nothing" } else { &e.measured };
        lines.push((e.met, plain(&format!("{wanted}  (measured {measured})"))));
    }
    for law in run.summary.laws.iter().filter(|law| !law.held) {
        let times = if law.violations == 1 { "time" } else { "times" };
        let broken = format!("broken {} {times}: a bug in Walden", law.violations);
        lines.push((false, plain(&format!("{}  law {}  {broken}", run.variant, law.name))));
    }
    lines
}

/// The comparison as lines, in the form that fits.
fn table(comparison: &Comparison, width: usize) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(&comparison.columns);
    for row in &comparison.rows {
        table.add_row(row.iter().map(|cell| plain(cell)));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    if lines.iter().all(|line| line.chars().count() <= width) { lines } else { blocks(comparison) }
}

/// A block a variant, a line a number: fits any terminal.
fn blocks(comparison: &Comparison) -> Vec<String> {
    let widest = comparison.columns.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for row in &comparison.rows {
        for (index, (column, cell)) in comparison.columns.iter().zip(row).enumerate() {
            let mut line = String::new();
            // Writing to a string cannot fail.
            let _ = match index {
                0 => write!(line, "{}", plain(cell)),
                _ => write!(line, "  {column:widest$}  {}", plain(cell)),
            };
            lines.push(line);
        }
    }
    lines
}

/// The line, cut to the width with a mark that it was.
fn cut(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    line.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// A word as a POSIX shell takes it.
pub fn quoted(word: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "_-+=./:,@%".contains(c);
    if !word.is_empty() && word.chars().all(bare) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_the_shell() {
        assert_eq!(quoted("basics/one_standby"), "basics/one_standby");
        assert_eq!(quoted("server.pg2.replay=20MB/s"), "server.pg2.replay=20MB/s");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("~/x"), "'~/x'");
    }

    #[test]
    fn a_table_that_is_too_wide_becomes_blocks() {
        let comparison = Comparison {
            columns: vec!["variant".into(), "tps".into()],
            rows: vec![vec!["base".into(), "1,000".into()]],
        };
        assert_eq!(table(&comparison, 80).len(), 2);
        assert_eq!(table(&comparison, 10), ["base", "  tps      1,000"]);
    }

    #[test]
    fn a_cut_line_says_so() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
    }
}
