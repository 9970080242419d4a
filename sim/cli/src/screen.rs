//! What `walden run` prints: one screen, the answer first.
//!
//! A table with a row a variant, the events that mattered in PostgreSQL's own words, expectations
//! with what was measured, the digest, and the commands that go on from here. Where the table is
//! wider than the terminal, each variant gets a block of its own instead.

use std::collections::BTreeMap;
use std::path::Path;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use models::trace::Run;
use models::units::SimTime;
use reports::Context;
use reports::tables::{self, Cell, Entry};

use crate::play::Plan;
use crate::stored::{digest_of, hex};
use crate::terminal::{Style, Terminal, plain, wrap};

/// Events shown; the rest is in `facts.jsonl`.
const EVENTS: usize = 24;
/// Events of one variant that make a short story.
const STORY: usize = 8;
/// Characters of the names that share a story.
const LONGEST_NAMES: usize = 20;

/// All that is shown.
#[derive(Clone, Copy, Debug)]
pub struct Screen<'a> {
    /// What was played.
    pub plan: &'a Plan,
    /// What came of it.
    pub runs: &'a [Run],
    /// What there is to say beyond the numbers: remarks, and the command that plays it again.
    pub context: &'a Context<'a>,
    /// Where the results are.
    pub folder: &'a Path,
}

impl Screen<'_> {
    /// Prints it.
    pub fn print(&self, terminal: &mut Terminal) {
        self.heading(terminal);
        terminal.line("");
        for line in table(&tables::comparison(self.runs), terminal.width()) {
            terminal.line(line);
        }
        self.notes(terminal);
        self.events(terminal);
        self.expectations(terminal);
        self.closing(terminal);
    }

    fn heading(&self, terminal: &mut Terminal) {
        let Some(first) = self.runs.first() else { return };
        // Several scenarios have no title and no question in common.
        let one = first.scenario == self.plan.name;
        let name = plain(&self.plan.name);
        let titled = one && !first.title.is_empty() && first.title != self.plan.name;
        let heading = if titled { format!("{name}: {}", plain(&first.title)) } else { name };
        terminal.line(terminal.paint(Style::Bold, &heading));
        if one && !first.question.is_empty() {
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

    fn notes(&self, terminal: &mut Terminal) {
        let mut notes: Vec<String> = self.context.remarks.iter().map(|r| plain(r)).collect();
        match self.context.not_modelled.len() {
            0 => {}
            1 => notes.push("one setting is not modelled; the report names it".to_owned()),
            n => notes.push(format!("{n} settings are not modelled; the report lists them")),
        }
        if notes.is_empty() {
            return;
        }
        terminal.line("");
        terminal.line(terminal.paint(Style::Bold, "Notes"));
        for note in notes {
            for (n, line) in wrap(&note, terminal.width().saturating_sub(4)).iter().enumerate() {
                terminal.line(format!("  {}{line}", if n == 0 { "" } else { "  " }));
            }
        }
    }

    fn events(&self, terminal: &mut Terminal) {
        let (events, more) = self.told();
        if events.is_empty() {
            return;
        }
        terminal.line("");
        terminal.line(terminal.paint(Style::Bold, "What happened"));
        for (place, said) in events {
            // Under the first word of what is said, so that the eye finds the next moment.
            let indent = " ".repeat(place.chars().count());
            let room = terminal.width().saturating_sub(place.chars().count() + 2).max(16);
            for (n, line) in wrap(&said, room).into_iter().enumerate() {
                terminal.line(format!("  {}{line}", if n == 0 { &place } else { &indent }));
            }
        }
        if more > 0 {
            terminal.line(format!("  and {more} more in facts.jsonl"));
        }
    }

    /// At most [`EVENTS`] events, the same share for each story but enough for a short one: where
    /// and when, and what; and how many facts there were besides.
    fn told(&self) -> (Vec<(String, String)>, u64) {
        let stories = self.stories();
        let widest = stories.iter().map(|story| story.of.chars().count()).max().unwrap_or(0);
        let share = EVENTS.div_ceil(stories.len().max(1)).max(STORY);
        let (mut told, mut more) = (Vec::new(), 0);
        for Story { of, events, minor } in stories {
            let room = share.min(EVENTS - told.len());
            more += events.iter().skip(room).map(|event| event.times).sum::<u64>() + minor;
            for event in events.into_iter().take(room) {
                let at = format!("{:>11}  ", event.at.to_string());
                let place = match self.runs.len() {
                    1 => at,
                    _ => plain(&format!("{of:widest$}  {at}")),
                };
                told.push((place, plain(&event.words())));
            }
        }
        (told, more)
    }

    /// What happened in each variant; those in which the same happened at the same moments share
    /// one story.
    fn stories(&self) -> Vec<Story> {
        let names = reports::variant_names(self.runs);
        let mut stories: Vec<(Vec<String>, Vec<Event>, u64)> = Vec::new();
        for (run, name) in self.runs.iter().zip(names) {
            let timeline = tables::timeline(run, usize::MAX);
            let events = grouped(&timeline.entries);
            let minor = timeline.left_out + timeline.minor;
            match stories.iter_mut().find(|(_, known, _)| *known == events) {
                Some((of, _, all)) => {
                    of.push(name);
                    *all += minor;
                }
                None => stories.push((vec![name], events, minor)),
            }
        }
        let story = |(names, events, minor): (Vec<String>, _, _)| {
            let joined = names.join(", ");
            let of = match names.as_slice() {
                [_] => joined,
                all if all.len() == self.runs.len() => "all".to_owned(),
                _ if joined.chars().count() <= LONGEST_NAMES => joined,
                [first, others @ ..] => format!("{first} and {} more", others.len()),
                [] => joined,
            };
            Story { of, events, minor }
        };
        stories.into_iter().map(story).collect()
    }

    fn expectations(&self, terminal: &mut Terminal) {
        let expected = tables::expectations(self.runs);
        let met = expected.iter().filter(|outcome| outcome.met).count();
        let heading = match expected.len() {
            0 => "No expectations".to_owned(),
            all => format!("Expectations: {met} of {all} met"),
        };
        terminal.line("");
        terminal.line(terminal.paint(Style::Bold, &heading));
        for outcome in expected {
            let (mark, style) =
                if outcome.met { ("✓", Style::Good) } else { ("✗", Style::Bad) };
            let wanted = format!("{}  {} {}", outcome.variant, outcome.what, outcome.wanted);
            let line = plain(&format!("{wanted}  (measured {})", outcome.measured));
            terminal.line(format!("  {} {line}", terminal.paint(style, mark)));
        }
        for law in tables::laws(self.runs) {
            let broken = format!("{}  law {}: {}", law.variant, law.law, law.found);
            let mark = terminal.paint(Style::Bad, "✗");
            terminal.line(format!("  {mark} {}", plain(&broken)));
            for line in law.before {
                terminal.line(format!("      before: {}", plain(&line)));
            }
            terminal.line("      This is a bug of Walden: the numbers are not to be believed.");
        }
    }

    fn closing(&self, terminal: &mut Terminal) {
        terminal.line("");
        let folder = self.folder.display().to_string();
        terminal.line(format!("digest  {}", hex(digest_of(self.runs))));
        terminal.line(format!("repeat  {}", self.context.command));
        terminal.line(format!("check   walden replay {}", quoted(&folder)));
        let report = self.folder.join("report.html").display().to_string();
        terminal.line(format!("report  {}", plain(&report)));
    }
}

/// What happened in one or more variants.
struct Story {
    /// Their names.
    of: String,
    events: Vec<Event>,
    /// Facts that are not among them.
    minor: u64,
}

/// Something that happened, once or again and again in the same words.
#[derive(Debug, PartialEq, Eq)]
struct Event {
    at: SimTime,
    until: SimTime,
    times: u64,
    said: String,
}

impl Event {
    fn words(&self) -> String {
        match self.times {
            1 => self.said.clone(),
            times => format!("{} ({times} times until {})", self.said, self.until),
        }
    }
}

/// The entries, where what is said in the same words is told once, at its first moment. That
/// standbys stream at time 0 is how every run begins, and is left out.
fn grouped(entries: &[Entry]) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    let told = |entry: &&Entry| entry.at > SimTime::ZERO || entry.fault || entry.action;
    for entry in entries.iter().filter(told) {
        // PostgreSQL's own words, or plain ones where it has none.
        let said = match (&entry.quote, entry.plain.split_once(": ")) {
            (Some(quote), Some((server, _))) => format!("{server}  {quote}"),
            (None, _) | (Some(_), None) => entry.plain.clone(),
        };
        let index = *known.entry(said.clone()).or_insert(events.len());
        match events.get_mut(index) {
            Some(event) => {
                event.until = entry.until;
                event.times += entry.times;
            }
            None => {
                let Entry { at, until, times, .. } = *entry;
                events.push(Event { at, until, times, said });
            }
        }
    }
    events
}

/// The comparison as lines, in the first form that fits: a row a variant, a column a variant,
/// the same without notes, or a block a variant.
fn table(comparison: &tables::Table, width: usize) -> Vec<String> {
    let with = |cell: fn(&Cell) -> String| {
        let mut rows = vec![comparison.columns.clone()];
        rows.extend(comparison.rows.iter().map(|row| row.iter().map(cell).collect()));
        rows
    };
    fitting(&[with(noted), with(|cell| plain(&cell.text))], width)
}

/// The first of these tables that fits, as it is or with rows for columns; else the first one, a
/// block a row.
pub fn fitting(forms: &[Vec<Vec<String>>], width: usize) -> Vec<String> {
    let fits = |lines: &Vec<String>| lines.iter().all(|line| line.chars().count() <= width);
    let mut tried = forms.iter().flat_map(|form| [grid(form), grid(&turned(form))]);
    let first = || forms.first().map_or(Vec::new(), |form| blocks(form));
    tried.find(fits).unwrap_or_else(first)
}

fn noted(cell: &Cell) -> String {
    match &cell.note {
        Some(note) => plain(&format!("{} ({note})", cell.text)),
        None => plain(&cell.text),
    }
}

/// Rows become columns.
fn turned(rows: &[Vec<String>]) -> Vec<Vec<String>> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let column = |n: usize| rows.iter().map(move |row| row.get(n).cloned().unwrap_or_default());
    (0..columns).map(|n| column(n).collect()).collect()
}

/// Lines of aligned columns, the first one to the left.
pub fn grid(rows: &[Vec<String>]) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.add_rows(rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// A block a variant, a line a number: fits any terminal.
fn blocks(rows: &[Vec<String>]) -> Vec<String> {
    let Some((columns, rows)) = rows.split_first() else { return Vec::new() };
    let widest = columns.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for row in rows {
        for (index, (column, cell)) in columns.iter().zip(row).enumerate() {
            lines.push(match index {
                0 => cell.clone(),
                _ => format!("  {column:widest$}  {cell}"),
            });
        }
    }
    lines
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
    fn a_table_takes_the_form_that_fits() {
        let comparison = tables::Table {
            columns: vec!["variant".into(), "commits/s".into(), "p50".into()],
            rows: vec![vec![Cell::new("base"), Cell::new("1,000"), Cell::new("5ms")]],
            runs: vec![0],
        };
        let rows = [" variant  commits/s  p50", " base         1,000  5ms"];
        assert_eq!(table(&comparison, 24), rows);
        let turned = [" variant     base", " commits/s  1,000", " p50          5ms"];
        assert_eq!(table(&comparison, 17), turned);
        assert_eq!(table(&comparison, 16), ["base", "  commits/s  1,000", "  p50        5ms"]);
    }

    #[test]
    fn what_happens_again_in_the_same_words_is_told_once() {
        let entry = |at: u64, plain: &str, quote: Option<&str>| Entry {
            at: SimTime(at),
            until: SimTime(at),
            times: 1,
            plain: plain.to_owned(),
            quote: quote.map(str::to_owned),
            fault: false,
            action: false,
        };
        let events = grouped(&[
            entry(0, "pg2: streams", Some("LOG:  started streaming")),
            entry(1, "pg2: the host died", None),
            entry(2, "pg2: streams", Some("LOG:  started streaming")),
            entry(3, "pg2: no", Some("FATAL:  no")),
            entry(4, "pg2: streams", Some("LOG:  started streaming")),
        ]);
        let words: Vec<String> = events.iter().map(Event::words).collect();
        let again = "pg2  LOG:  started streaming (2 times until 0.000 s)";
        assert_eq!(words, ["pg2: the host died", again, "pg2  FATAL:  no"]);
    }
}
