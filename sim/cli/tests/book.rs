//! What the book's chapters run, and what they show of it.
//!
//! A block fenced as `console` is executed, line by line that begins with `$ `; below each command
//! stands what it prints, where a line `...` stands for any lines, and before that `? 1` if it
//! does not end with 0. All commands of a chapter run one after the other in one folder, which has
//! the files of its blocks fenced as `toml,file=NAME` (or `csv`, `text`). A picture
//! `figures/RUN.PLOT.svg` is `runs/RUN/*/plots/PLOT.svg` of that folder afterwards, unless a
//! command has written a file of its name there.
//!
//! `UPDATE_GOLDENFILES=1 cargo test -p walden --test book` pastes output that has no `...`, and
//! draws the figures again.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::Room;
use reports::export::metrics::{METRICS, Metric};

fn book() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../book/src")
}

fn updating() -> bool {
    std::env::var_os("UPDATE_GOLDENFILES").is_some()
}

/// Names and texts of all chapters.
fn chapters() -> Vec<(String, String)> {
    let names = |folder: &'static str| {
        let entries = fs::read_dir(book().join(folder)).expect("the book is there").flatten();
        entries.map(move |entry| {
            format!("{folder}{}", entry.file_name().into_string().expect("our names are UTF-8"))
        })
    };
    let chapters = names("").chain(names("reference/")).filter(|name| name.ends_with(".md"));
    chapters
        .map(|name| {
            let text = fs::read_to_string(book().join(&name)).expect("a chapter can be read");
            (name, text)
        })
        .collect()
}

/// A command of a block, and what the chapter says it prints.
struct Shown {
    command: String,
    code: i32,
    output: String,
}

impl Shown {
    /// Its lines above the output.
    fn head(&self) -> String {
        match self.code {
            0 => format!("$ {}\n", self.command),
            code => format!("$ {}\n? {code}\n", self.command),
        }
    }
}

fn commands(block: &str) -> Vec<Shown> {
    let mut shown: Vec<Shown> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), shown.last_mut()) {
            (Some(command), _) => {
                shown.push(Shown { command: command.to_owned(), code: 0, output: String::new() });
            }
            (None, Some(last)) => match line.strip_prefix("? ") {
                Some(code) if last.output.is_empty() => {
                    last.code = code.parse().expect("an exit code is a number");
                }
                _ => last.output += &format!("{line}\n"),
            },
            (None, None) => panic!("a block begins with a command, not with {line:?}"),
        }
    }
    shown
}

/// Whether `printed` is what was shown, `...` standing for any lines.
fn matches(shown: &str, printed: &str) -> bool {
    let mut rest = printed;
    let mut free = false;
    for piece in shown.split_inclusive('\n') {
        if piece == "...\n" {
            free = true;
        } else if let Some(after) = rest.strip_prefix(piece) {
            (rest, free) = (after, false);
        } else if let (true, Some(at)) = (free, rest.find(&format!("\n{piece}"))) {
            (rest, free) = (&rest[at + 1 + piece.len()..], false);
        } else {
            return false;
        }
    }
    free || rest.is_empty()
}

/// Runs a command of the book; what it prints.
fn run(room: &Room, chapter: &str, shown: &Shown) -> String {
    let mut words = shown.command.split_whitespace();
    assert_eq!(words.next(), Some("walden"), "{chapter}: {}", shown.command);
    let args: Vec<&str> = words.map(|word| word.trim_matches('\'')).collect();
    let done = room.run(&args).ends(shown.code);
    format!("{}{}", done.out, done.err).trim_end().to_owned() + "\n"
}

#[test]
fn every_console_block_prints_what_the_chapter_shows() {
    let mut found = 0;
    for (name, text) in chapters() {
        let room = Room::new(&format!("book-{}", name.replace('/', "-")));
        for block in text.split("\n```").skip(1) {
            let (fence, content) = block.split_once('\n').unwrap_or((block, ""));
            if let Some((_, file)) = fence.split_once(",file=") {
                room.write(file, format!("{content}\n"));
            }
        }
        let mut new = text.clone();
        for block in text.split("\n```console\n").skip(1) {
            let (block, _) = block.split_once("\n```\n").expect("a block ends");
            for shown in commands(&format!("{block}\n")) {
                found += 1;
                let printed = run(&room, &name, &shown);
                if matches(&shown.output, &printed) {
                    continue;
                }
                let (from, head) = (&shown.output, shown.head());
                let paste = updating() && !from.contains("...\n");
                assert!(paste, "{name}: {head}prints\n{printed}");
                new = new.replacen(&format!("{head}{from}"), &format!("{head}{printed}"), 1);
            }
        }
        if new != text {
            fs::write(book().join(&name), new).expect("a chapter can be written");
        }
        compare_figures(&room, &name, &text);
    }
    assert!(found >= 10, "only {found} commands in the book");
}

/// Where the commands have drawn a figure.
fn drawn(room: &Room, chapter: &str, figure: &str) -> PathBuf {
    let written = room.path(figure);
    if written.exists() {
        return written;
    }
    let (run, plot) = figure.split_once('.').expect("a figure is named RUN.PLOT.svg");
    let [folder] = &room.names(&format!("runs/{run}"))[..] else {
        panic!("{chapter}: {figure} is of no run, or of several");
    };
    room.path(&format!("runs/{run}/{folder}/plots/{plot}"))
}

fn compare_figures(room: &Room, chapter: &str, text: &str) {
    for figure in text.split("](figures/").skip(1).filter_map(|rest| rest.split(')').next()) {
        let drawn = fs::read(drawn(room, chapter, figure));
        let drawn = drawn.unwrap_or_else(|error| panic!("{chapter}: {figure}: {error}"));
        let kept = book().join("figures").join(figure);
        if updating() {
            fs::create_dir_all(book().join("figures")).expect("the figures have a folder");
            fs::write(&kept, &drawn).expect("a figure can be written");
        }
        assert!(fs::read(&kept).is_ok_and(|kept| kept == drawn), "{chapter}: {figure} is stale");
    }
}

#[test]
fn every_figure_is_in_a_chapter() {
    let texts: String = chapters().into_iter().map(|(_, text)| text).collect();
    for entry in fs::read_dir(book().join("figures")).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().expect("our names are UTF-8");
        assert!(texts.contains(&format!("](figures/{name})")), "{name} is in no chapter");
    }
}

#[test]
fn dots_stand_for_any_lines() {
    assert!(matches("a\n...\nd\n", "a\nb\nc\nd\n"));
    assert!(matches("...\nd\n", "d\n"));
    assert!(matches("a\n...\n", "a\nb\n"));
    assert!(!matches("a\n...\nd\n", "a\nb\n"));
    assert!(!matches("a\n", "a\nb\n"));
}

/// `sim/live/divergences.toml` as a table.
fn divergences() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../live/divergences.toml");
    let register = fs::read_to_string(path).expect("the register is there");
    let register: toml::Table = register.parse().expect("the register is TOML");
    let row = |entry: &toml::Value| {
        let say = |key: &str| entry[key].as_str().expect("a text").to_owned();
        format!("| {} | {} | {} |\n", say("what"), say("why"), say("size"))
    };
    let rows: String = register.values().map(row).collect();
    format!("| what differs | why | how much |\n|---|---|---|\n{rows}")
}

/// `book/agreement/*.toml` as a table: what several tests found of one recording is one row.
fn agreements() -> String {
    let folder = book().join("../agreement");
    let entries = fs::read_dir(folder).expect("the tests have left their numbers").flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    let mut rows: Vec<(String, [i64; 4], Vec<String>)> = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).expect("a file can be read");
        let found: toml::Table = text.parse().expect("it is TOML");
        let what = found["what"].as_str().expect("a text").to_owned();
        let numbers = ["equal", "compared", "within", "continuous"]
            .map(|key| found.get(key).map_or(0, |n| n.as_integer().expect("a number")));
        let worst = found.get("worst").map(|worst| worst.as_str().expect("a text").to_owned());
        match rows.last_mut().filter(|row| row.0 == what) {
            Some(row) => {
                for (sum, number) in row.1.iter_mut().zip(numbers) {
                    *sum += number;
                }
                row.2.extend(worst);
            }
            None => rows.push((what, numbers, worst.into_iter().collect())),
        }
    }
    let of = |part: i64, whole: i64| match whole {
        0 => String::new(),
        _ => format!("{} of {}", thousands(part), thousands(whole)),
    };
    let row = |(what, [equal, compared, within, continuous], mut worst): (_, [i64; 4], Vec<_>)| {
        // Of the same unit, so that the longest and then the last is the greatest.
        worst.sort_by_key(|text: &String| (text.len(), text.clone()));
        let worst = worst.pop().unwrap_or_default();
        format!("| {what} | {} | {} | {worst} |\n", of(equal, compared), of(within, continuous))
    };
    let rows: String = rows.into_iter().map(row).collect();
    format!(
        "| recording | equal of compared | within its tolerance | worst |\n\
         |---|---|---|---|\n{rows}"
    )
}

fn thousands(number: i64) -> String {
    match number {
        0..1_000 => number.to_string(),
        _ => format!("{},{:03}", number / 1_000, number % 1_000),
    }
}

/// A chapter with a table between two comments, as `table` has it.
fn with_table(text: &str, name: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = text.split_once(&begin).expect("a place for the table");
    let (_, after) = rest.split_once(&end).expect("an end of the table");
    format!("{before}{begin}\n{table}\n{end}{after}")
}

/// All metrics of an export as a table.
fn metrics() -> String {
    let row =
        |metric: &Metric| format!("| `{}` | {} | {} |\n", metric.name, metric.help, metric.beware);
    let rows: String = METRICS.iter().map(row).collect();
    format!("| metric | is | beware |\n|---|---|---|\n{rows}")
}

#[test]
fn the_page_on_exports_has_every_metric() {
    let path = book().join("reference/export.md");
    let text = fs::read_to_string(&path).expect("the chapter is there");
    let wanted = with_table(&text, "metrics", &metrics());
    if updating() {
        fs::write(&path, wanted).expect("a chapter can be written");
    } else {
        assert!(text == wanted, "export.md is stale: UPDATE_GOLDENFILES=1 cargo test");
    }
}

#[test]
fn the_page_on_trust_has_the_numbers_and_differences_that_tests_go_by() {
    let path = book().join("trust.md");
    let text = fs::read_to_string(&path).expect("the chapter is there");
    let wanted = with_table(&text, "agreement", &agreements());
    let wanted = with_table(&wanted, "divergences", &divergences());
    if updating() {
        fs::write(&path, wanted).expect("a chapter can be written");
    } else {
        assert!(text == wanted, "trust.md is stale: UPDATE_GOLDENFILES=1 cargo test");
    }
}
