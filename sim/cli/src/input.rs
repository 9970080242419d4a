//! What `FILE|NAME` on the command line means: a file, or else a scenario of the catalogue.

use std::fs;
use std::io;
use std::path::Path;

use crate::errors::Failure;
use crate::standin::{ScenarioFile, catalog};

/// The largest scenario file that is read.
const LARGEST: u64 = 16 << 20;

/// Reads one argument. A file wins over a name; `.toml` and `/` at its start make it a file.
pub fn read(argument: &str) -> Result<ScenarioFile, Failure> {
    let path = Path::new(argument);
    if path.is_file() {
        let text = read_text(path)
            .map_err(|e| Failure::Unreadable { path: argument.to_owned(), why: e.to_string() })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        return ScenarioFile::parse(&name_of(path), &text, |included| {
            read_text(&folder.join(included))
        })
        .map_err(Failure::Scenario);
    }
    if path.is_dir() {
        let why = "is a folder; a scenario is a file".to_owned();
        return Err(Failure::Unreadable { path: argument.to_owned(), why });
    }
    let Some(entry) = catalog::find(argument) else {
        return Err(Failure::Unknown { name: argument.to_owned(), nearest: nearest(argument) });
    };
    let none = |_: &str| Err(io::Error::from(io::ErrorKind::NotFound));
    ScenarioFile::parse(entry.name, entry.text, none).map_err(Failure::Scenario)
}

/// The name of a scenario that is a file of the user's: its stem.
fn name_of(path: &Path) -> String {
    path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}

fn read_text(path: &Path) -> io::Result<String> {
    let length = fs::metadata(path)?.len();
    if length > LARGEST {
        return Err(io::Error::other(format!("{length} bytes are too many for a scenario")));
    }
    fs::read_to_string(path)
}

/// The names of the catalogue that are closest: by letters, and by the last part alone.
fn nearest(wanted: &str) -> Vec<String> {
    let wanted = wanted.trim_end_matches(".toml");
    let last = |name: &str| name.rsplit('/').next().unwrap_or("").to_owned();
    let distance = |name: &str| {
        strsim::damerau_levenshtein(wanted, name)
            .min(strsim::damerau_levenshtein(&last(wanted), &last(name)))
    };
    let mut near: Vec<(usize, &str)> =
        catalog::all().iter().map(|entry| (distance(entry.name), entry.name)).collect();
    near.sort_unstable();
    near.retain(|(distance, name)| *distance <= 2.max(last(name).len() / 3));
    near.into_iter().take(3).map(|(_, name)| name.to_owned()).collect()
}
