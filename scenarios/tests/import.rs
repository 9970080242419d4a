//! Every file in `import/<source>/` gives what stands beside it, in a file that ends in `.out`.
//!
//! `good*` and `odd*` are read: what is told of their rows and the profile they make. `bad*` are
//! refused: the messages. `UPDATE_GOLDENFILES=1 cargo test -p scenarios --test import` writes them
//! again: read the diff as somebody would who has that file.

use std::fs;
use std::path::{Path, PathBuf};

use models::units::Die;
use scenarios::ScenarioFile;
use scenarios::import::profile::{Options, Part, Profile, told_lines};
use scenarios::import::source::{SOURCES, Source, SourceEntry};
use scenarios::import::sql;

fn folder(source: Source) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import").join(source.name())
}

/// The files of a source, with their names, in order.
fn files(source: Source) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(folder(source)).expect("a folder for every source");
    let mut files: Vec<(String, PathBuf)> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file() && path.extension().is_none_or(|end| end != "out"))
        .map(|path| (path.file_name().and_then(|n| n.to_str()).expect("a name").to_owned(), path))
        .collect();
    files.sort();
    files
}

fn read(source: Source, file: &str) -> Result<Profile, String> {
    let part = Part { source, files: vec![file.to_owned()] };
    let mut read = |path: &str| {
        fs::read_to_string(folder(source).join(path)).map_err(|_| "no such file".to_owned())
    };
    Profile::read(&[part], Options::default(), &mut read).map_err(|problems| problems.to_string())
}

fn told(profile: &Profile) -> String {
    let lines = profile.told.iter().flat_map(|(s, told)| told_lines(*s, told, &|_| String::new()));
    lines.map(|line| line + "\n").collect()
}

/// What is shown of a file: what was told and made of it, or why it was refused.
fn shown(source: Source, file: &str) -> (bool, String) {
    match read(source, file) {
        Ok(profile) => {
            let mut text = profile.toml("profile.wal.csv");
            if let Some(csv) = profile.history_csv() {
                let rows: Vec<&str> = csv.lines().collect();
                let first = rows.iter().take(4).map(|row| format!("{row}\n"));
                text += &format!("\n{}... {} rows\n", first.collect::<String>(), rows.len() - 1);
            }
            (true, text)
        }
        Err(messages) => (false, messages),
    }
}

#[test]
fn every_file_gives_what_stands_beside_it() {
    let update = std::env::var_os("UPDATE_GOLDENFILES").is_some();
    let mut wrong = Vec::new();
    for source in SOURCES.iter().map(|entry| entry.source) {
        for (name, path) in files(source) {
            let golden = PathBuf::from(format!("{}.out", path.display()));
            let (good, text) = shown(source, &name);
            assert_eq!(good, !name.starts_with("bad"), "{}/{name}:\n{text}", source.name());
            if update {
                fs::write(&golden, &text).expect("written");
            } else if fs::read_to_string(&golden).unwrap_or_default() != text {
                wrong.push(format!("{}:\n{text}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_source_has_a_faithful_sample_and_ten_broken_ones_whose_messages_help() {
    for source in SOURCES.iter().map(|entry| entry.source) {
        let files = files(source);
        let count = |start: &str| files.iter().filter(|(name, _)| name.starts_with(start)).count();
        assert!(count("good") >= 1, "{}", source.name());
        assert!(count("bad") >= 10, "{}: {}", source.name(), count("bad"));
        for (name, _) in files.iter().filter(|(name, _)| name.starts_with("bad")) {
            let (_, text) = shown(source, name);
            assert!(text.contains("  help: "), "{}/{name}:\n{text}", source.name());
            assert!(text.starts_with(&format!("{name}:")), "{}/{name}:\n{text}", source.name());
        }
    }
}

#[test]
fn rows_that_are_used_and_rows_that_are_dropped_make_up_all_rows() {
    for source in SOURCES.iter().map(|entry| entry.source) {
        for (name, _) in files(source).iter().filter(|(name, _)| !name.starts_with("bad")) {
            let profile = read(source, name).expect("good");
            let (_, told) = profile.told.first().expect("something is told");
            assert_eq!(
                told.rows,
                told.used + told.rows_dropped(),
                "{name}: {}",
                self::told(&profile)
            );
        }
    }
}

#[test]
fn a_faithful_sample_shows_what_it_is() {
    for source in SOURCES.iter().map(|entry| entry.source) {
        for (name, path) in files(source).iter().filter(|(name, _)| name.starts_with("good")) {
            let text = fs::read_to_string(path).expect("a text");
            assert_eq!(Source::detect(&text), Some(source), "{name}");
        }
    }
}

#[test]
fn every_profile_is_one_that_a_scenario_can_include() {
    for source in SOURCES.iter().map(|entry| entry.source) {
        for (name, _) in files(source).iter().filter(|(name, _)| !name.starts_with("bad")) {
            let profile = read(source, name).expect("good");
            let mut files = |path: &str| match path {
                "data/profile.toml" => Ok(profile.toml("profile.wal.csv")),
                "data/profile.wal.csv" => profile.history_csv().ok_or_else(|| "none".to_owned()),
                _ => Err("no such file".to_owned()),
            };
            let text = "include = 'data/profile.toml'\nduration = '1min'\n[server.pg1]\n\
                        [server.pg2]\nupstream = 'pg1'\n";
            let file = ScenarioFile::parse("minimal", text, &mut files);
            let file = file.unwrap_or_else(|problems| panic!("{name}: {problems}"));
            assert_eq!(file.variants().expect("good").len(), 1, "{name}");
        }
    }
}

#[test]
fn the_same_files_give_the_same_bytes() {
    for source in SOURCES.iter().map(|entry| entry.source) {
        for (name, _) in files(source) {
            assert_eq!(shown(source, &name), shown(source, &name), "{name}");
        }
    }
}

#[test]
fn a_history_of_very_many_rows_is_thinned_to_what_a_scenario_takes() {
    let mut text = "now,lsn\n".to_owned();
    for n in 0..400_000_u64 {
        text += &format!("{},0/{:X}\n", 1_795_410_000 + n, 0x100_0000 + n * 1_000);
    }
    let parts = [Part { source: Source::LsnSamples, files: vec!["long.csv".to_owned()] }];
    let profile = Profile::read(&parts, Options::default(), &mut |_| Ok(text.clone()));
    let profile = profile.unwrap_or_else(|problems| panic!("{problems}"));
    let csv = profile.history_csv().expect("a history");
    let toml = profile.toml("profile.wal.csv");
    let rows = csv.lines().count() - 1;
    assert!((100_000..=200_000).contains(&rows), "{rows}");
    assert!(toml.contains("every 3rd of its 400,000 rows"), "{toml}");
    let mut files = |path: &str| match path {
        "profile.toml" => Ok(toml.clone()),
        _ => Ok(csv.clone()),
    };
    let minimal = "include = 'profile.toml'\nduration = '1min'\n[server.pg1]\n";
    ScenarioFile::parse("minimal", minimal, &mut files).unwrap_or_else(|p| panic!("{p}"));
    let whole = profile.history.map(|(_, history)| history.bytes().0).expect("a history");
    let last = csv.lines().last().and_then(|row| row.rsplit('/').next()).expect("a position");
    let last = u64::from_str_radix(last, 16).expect("hexadecimal");
    assert_eq!(last, 0x100_0000 + whole);
}

/// What is put into files where it does not belong.
const WORDS: [&str; 16] = [
    "18446744073709551615",
    "0",
    "-1",
    "1e308",
    "NaN",
    "FFFFFFFF/FFFFFFFF",
    "0/0",
    "9999-12-31 23:59:59.999999999+00",
    "1970-01-01 00:00:00-15",
    "2261-12-31 23:59:60Z",
    "99999999 days 00:00:00",
    "\"",
    ",,,,",
    "|",
    "\n",
    "é",
];

/// The text with a few bytes, words or lines changed.
fn mutated(text: &str, die: &mut Die) -> String {
    let mut text = text.to_owned();
    let mut below = |n: usize| (die.throw() % (n.max(1) as u64)) as usize;
    for _ in 0..=below(3) {
        let mut at = below(text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        // Up to the end of the word, so that a number gives way to another.
        let end = text[at..].find([',', ' ', '\n', '"', '|']).map_or(text.len(), |n| at + n);
        match below(5) {
            0 => text.truncate(at),
            1 => text.insert_str(at, WORDS[below(WORDS.len())]),
            2 => text.replace_range(at..end, WORDS[below(WORDS.len())]),
            3 => text.replace_range(at..end, ""),
            _ => {
                let lines: Vec<&str> = text.lines().collect();
                let (from, to) = (below(lines.len()), below(lines.len()));
                let mut swapped = lines.clone();
                if from < lines.len() {
                    swapped.swap(from, to);
                }
                text = swapped.join("\n");
            }
        }
    }
    text
}

#[test]
fn no_change_of_a_sample_makes_it_panic_or_makes_a_profile_that_nobody_can_include() {
    for source in SOURCES.iter().map(|entry| entry.source) {
        for (name, path) in files(source) {
            let whole = fs::read_to_string(path).expect("a text");
            let text: String = whole.lines().take(25).map(|line| format!("{line}\n")).collect();
            let mut die = Die::new(1, source.name(), &name);
            for _ in 0..300 {
                let text = mutated(&text, &mut die);
                let parts = [Part { source, files: vec![name.clone()] }];
                let mut read = |_: &str| Ok(text.clone());
                let Ok(profile) = Profile::read(&parts, Options::default(), &mut read) else {
                    continue;
                };
                let mut files = |path: &str| match path {
                    "profile.toml" => Ok(profile.toml("profile.wal.csv")),
                    _ => profile.history_csv().ok_or_else(|| "none".to_owned()),
                };
                let minimal = "include = 'profile.toml'\nduration = '1min'\n[server.pg1]\n";
                if let Err(problems) = ScenarioFile::parse("minimal", minimal, &mut files) {
                    panic!("{}/{name}:\n{text}\n{problems}", source.name());
                }
            }
        }
    }
}

/// The page of the book up to here is written by hand.
const LIST: &str = "<!-- sources: written by scenarios/tests/import.rs -->";

#[test]
fn the_book_has_every_source() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../book/src/reference/import.md");
    let page = fs::read_to_string(&path).expect("the page");
    let (before, _) = page.split_once(LIST).expect("a place for the sources");
    let mut wanted = format!("{before}{LIST}\n");
    for entry in &SOURCES {
        let SourceEntry { name, reads, gives, collect, .. } = entry;
        wanted.push_str(&format!("\n## {name}\n\n{reads}\n\nGives: {gives}\n"));
        let statements = sql::statements(Some(entry.source));
        if !statements.is_empty() {
            wanted.push_str(&format!("\n```sql\n{statements}```\n"));
        } else if !collect.is_empty() {
            wanted.push_str(&format!("\n```sh\n{collect}\n```\n"));
        }
    }
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        fs::write(&path, &wanted).expect("written");
    } else {
        assert!(page == wanted, "import.md is stale: UPDATE_GOLDENFILES=1 cargo test");
    }
}

#[test]
fn what_cannot_be_asked_of_a_server_says_how_it_is_collected() {
    for entry in &SOURCES {
        let has_sql = !sql::statements(Some(entry.source)).is_empty();
        let is_there = entry.source == Source::PostgresqlConf;
        assert!(has_sql || is_there || !entry.collect.is_empty(), "{}", entry.name);
        assert!(sql::statements(None).contains(&sql::statements(Some(entry.source))));
    }
}
