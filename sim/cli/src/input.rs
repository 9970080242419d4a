//! What `FILE|NAME` on the command line means: a file, or else a scenario of the catalogue.
//!
//! A file's scenario is called by its stem, so that the same file gives the same results wherever
//! it lies; where two files have one stem, by their paths. Several scenarios play with the first
//! one's seed: a comparison is worth something only with the same dice.

use std::fs;
use std::io;
use std::path::Path;

use scenarios::check::Report;
use scenarios::{Problems, ScenarioFile, catalog, nearest};

use crate::errors::{Failure, Origin};
use crate::stored;

/// The largest file that is read: a WAL history of years.
const LARGEST: u64 = 256 << 20;

/// Reads every scenario that is named, with what the command line sets.
pub fn read_all(
    arguments: &[String],
    sets: &[(String, String)],
    seed: Option<u64>,
) -> Result<Vec<ScenarioFile>, Failure> {
    let mut files: Vec<ScenarioFile> = Vec::with_capacity(arguments.len());
    let mut seed = seed;
    for argument in arguments {
        let file = read(argument, &name_of(argument, arguments), sets, seed)?;
        if files.iter().any(|other| other.name() == file.name()) {
            return Err(Failure::Usage { message: format!("{argument} is named twice") });
        }
        if seed.is_none() && arguments.len() > 1 {
            let variants = file.variants().map_err(|problems| mistakes(problems, argument))?;
            seed = variants.first().map(|scenario| scenario.seed);
        }
        files.push(file);
    }
    Ok(files)
}

fn read(
    argument: &str,
    name: &str,
    sets: &[(String, String)],
    seed: Option<u64>,
) -> Result<ScenarioFile, Failure> {
    let path = Path::new(argument);
    if path.is_dir() {
        let why = "is a folder; a scenario is a file".to_owned();
        return Err(Failure::Unreadable { path: argument.to_owned(), why });
    }
    if is_conf(path) && path.is_file() {
        return Err(Failure::Configuration { path: argument.to_owned() });
    }
    if path.exists() {
        let text = read_text(path)
            .map_err(|e| Failure::Unreadable { path: argument.to_owned(), why: e.to_string() })?;
        if stored::is_stored(text.as_bytes()) {
            return Err(Failure::NotAScenario { path: argument.to_owned() });
        }
        let beside = |file: &str| beside(path, file);
        return ScenarioFile::parse(name, &text, &mut { beside })
            .and_then(|file| file.with_files(sets, seed, &mut { beside }))
            .map_err(|problems| mistakes(problems, argument));
    }
    let Some(entry) = catalog::find(argument) else {
        let nearest =
            nearest_file(path).or_else(|| catalog::nearest_name(argument).map(str::to_owned));
        return Err(Failure::Unknown { name: argument.to_owned(), nearest });
    };
    entry
        .parse()
        .and_then(|file| file.with_files(sets, seed, &mut |path| entry.read(path)))
        .map_err(|problems| Failure::Scenario { problems, origin: Origin::default() })
}

/// The scenario that a word names, if it is one and has no mistakes.
pub fn scenario(word: &str) -> Option<ScenarioFile> {
    let is_one = word.ends_with(".toml") || catalog::find(word).is_some();
    is_one.then(|| read(word, word, &[], None).ok()).flatten()
}

/// The scenario file beside `path` that was probably meant.
pub fn nearest_file(path: &Path) -> Option<String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let entries = fs::read_dir(folder.unwrap_or(Path::new("."))).ok()?;
    let mut names: Vec<String> = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    names.sort();
    let near = nearest(&path.file_name()?.to_string_lossy(), names.iter().map(String::as_str))?;
    Some(path.with_file_name(near).display().to_string())
}

/// A file that another one names, or the names in a folder if it ends in `/`.
pub fn beside(path: &Path, file: &str) -> Result<String, String> {
    let path = path.with_file_name(file);
    let told = |error: io::Error| error.to_string();
    if !file.ends_with('/') {
        return read_text(&path).map_err(told);
    }
    let entries = fs::read_dir(&path).map_err(told)?;
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    Ok(names.collect::<Vec<_>>().join("\n"))
}

/// What there is to say about one scenario without playing it, and how its places are named.
/// That it has mistakes is a finding, too.
pub fn check(argument: &str, sets: &[(String, String)]) -> Result<(Report, Origin), Failure> {
    let all = [argument.to_owned()];
    match read(argument, &name_of(argument, &all), sets, None) {
        Ok(file) if Path::new(argument).exists() => Ok((file.check(), origin(argument))),
        Ok(file) => Ok((file.check(), Origin::default())),
        Err(Failure::Scenario { problems, origin }) => Ok((problems.into(), origin)),
        Err(other) => Err(other),
    }
}

fn mistakes(problems: Problems, argument: &str) -> Failure {
    Failure::Scenario { problems, origin: origin(argument) }
}

fn origin(argument: &str) -> Origin {
    Origin { name: format!("{}.toml", stem(argument)), path: argument.into() }
}

fn name_of(argument: &str, all: &[String]) -> String {
    if !Path::new(argument).exists() {
        return argument.to_owned();
    }
    let stems = all.iter().filter(|other| stem(other) == stem(argument)).count();
    if stems > 1 { argument.trim_end_matches(".toml").to_owned() } else { stem(argument) }
}

fn stem(argument: &str) -> String {
    let stem = Path::new(argument).file_stem();
    stem.map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}

/// Whether a file is named as servers' configurations are.
pub fn is_conf(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "conf")
}

/// The text of a file, unless it is too long or no text. PostgreSQL reads bytes, so a comment of a
/// configuration may be in any encoding.
pub fn read_text(path: &Path) -> io::Result<String> {
    let length = fs::metadata(path)?.len();
    if length > LARGEST {
        return Err(io::Error::other(format!("{length} bytes are too many")));
    }
    if is_conf(path) {
        return Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned());
    }
    let bytes = fs::read(path)?;
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(io::Error::other("it is UTF-16: save it as UTF-8"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        io::Error::other(format!("line {line} is not UTF-8: save the file as UTF-8"))
    })
}
