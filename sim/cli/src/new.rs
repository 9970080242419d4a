//! `walden new`: a scenario to start from, as a file of one's own.
//!
//! Either the starter, which says what it could say, or a scenario of the catalogue with the
//! files that it reads. Nothing that is there is written over, but the schema of an earlier Walden.
//!
//! A file begins with the line by which editors find its schema, which is written beside it: there
//! need be no checkout and no network, and whoever gets both files has both. Standard output has
//! no such line, since there is nothing beside it.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use scenarios::catalog::{self, CatalogEntry};
use scenarios::schema::TITLE;

use crate::errors::{Failure, Origin};
use crate::exit::Exit;
use crate::file::{self, Older};
use crate::schema::{self, Document};
use crate::screen::quoted;
use crate::terminal::{ColorChoice, Terminal};

/// What a new scenario is unless it comes from the catalogue.
const STARTER: &str = include_str!("starter.toml");

/// `--help` closes with these.
const EXAMPLES: &str = "\
Examples:
  walden new outage
      writes outage.toml, which runs as it is: `walden run outage.toml`; and beside it
      scenario.schema.json, by which editors complete and check it
  walden new --from slots/disk_full
      writes disk_full.toml, a copy of the catalogue's, to change
  walden new --stdout | less
      writes nothing";

/// Write a scenario to start from.
///
/// It runs as it is, and says in comments what else it could say. A file that is there already
/// is left as it is.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct NewArgs {
    /// The file, with or without .toml; `-` is standard output.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Copy a scenario of the catalogue, and the files it reads.
    #[arg(long, value_name = "SCENARIO")]
    pub from: Option<String>,
    /// Print it instead of writing a file.
    #[arg(long, conflicts_with = "name")]
    pub stdout: bool,
}

/// Does it.
pub fn new(args: &NewArgs, color: ColorChoice) -> Result<Exit, Failure> {
    let entry = args.from.as_deref().map(find).transpose()?;
    let text = entry.map_or(STARTER, |entry| entry.text);
    let mut terminal = Terminal::new(color);
    if args.stdout || args.name.as_deref() == Some("-") {
        for line in text.lines() {
            terminal.line(line);
        }
        terminal.finish()?;
        return Ok(Exit::Met);
    }
    let path = path(args, entry)?;
    let mut files = vec![(path.clone(), format!("#:schema {}\n{text}", schema::FILE))];
    for (file, text) in beside(entry)? {
        files.push((path.with_file_name(file), text));
    }
    let schema = (path.with_file_name(schema::FILE), schema::text(Document::Scenario)?);
    let of_old = old_schema(&schema);
    if of_old.is_none() {
        files.push(schema.clone());
    }
    for (path, text) in &files {
        let same = fs::read_to_string(path).is_ok_and(|there| there == *text);
        if path.symlink_metadata().is_ok() && !(same && *path != files[0].0) {
            let help = "name another file, or print it with `walden new --stdout`";
            return Err(Failure::Exists { path: path.display().to_string(), help });
        }
    }
    for (path, _) in &files {
        file::make_room(path)?;
    }
    file::write_all(&files, Older::Keep)?;
    if of_old == Some(true) {
        file::write(&schema.0, &schema.1)?;
        files.push(schema);
    }
    for (path, _) in &files {
        terminal.line(format!("wrote {}", path.display()));
    }
    let name = quoted(&path.display().to_string());
    terminal.line(format!("run    walden run {name}"));
    terminal.line(format!("check  walden check {name}"));
    terminal.finish()?;
    Ok(Exit::Met)
}

fn find(name: &str) -> Result<&'static CatalogEntry, Failure> {
    catalog::find(name).ok_or_else(|| Failure::NotInCatalogue {
        name: name.to_owned(),
        nearest: catalog::nearest_name(name).map(str::to_owned),
    })
}

/// Where it is written.
fn path(args: &NewArgs, entry: Option<&CatalogEntry>) -> Result<PathBuf, Failure> {
    let name = match (&args.name, entry) {
        (Some(name), None) if catalog::find(name).is_some() => {
            let message = format!(
                "{name} is in the catalogue: `walden new --from {name}` copies it, `walden run \
                 {name}` plays it"
            );
            return Err(Failure::Usage { message });
        }
        (Some(name), _) => name.as_str(),
        (None, Some(entry)) => entry.name.rsplit('/').next().unwrap_or(entry.name),
        (None, None) => "scenario",
    };
    let path = Path::new(name);
    match path.file_name().and_then(|file| file.to_str()) {
        Some(file) if !name.ends_with('/') => {
            let toml =
                if file.ends_with(".toml") { file.to_owned() } else { format!("{file}.toml") };
            Ok(path.with_file_name(toml))
        }
        Some(_) | None => Err(Failure::Usage { message: format!("`{name}` is no name of a file") }),
    }
}

/// The files that a scenario of the catalogue reads.
fn beside(entry: Option<&CatalogEntry>) -> Result<Vec<(String, String)>, Failure> {
    let Some(entry) = entry else { return Ok(Vec::new()) };
    let file = entry
        .parse()
        .map_err(|problems| Failure::Scenario { problems, origin: Origin::default() })?;
    Ok(file.files().iter().map(|(path, text)| (path.clone(), text.clone())).collect())
}

/// Whether there is a schema where one goes, and then whether it is another version's.
fn old_schema((path, text): &(PathBuf, String)) -> Option<bool> {
    let there = fs::read_to_string(path).ok()?;
    let json: serde_json::Value = serde_json::from_str(&there).ok()?;
    (json.get("title")?.as_str()? == TITLE).then_some(there != *text)
}
