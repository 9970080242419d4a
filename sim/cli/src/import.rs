//! `walden import`: from what people have to a profile that a scenario includes.
//!
//! Words of the command line are names of sources and files: a source says what the files behind
//! it are, a file before any source is recognised by what is in it. What is wrong with any file is
//! told at once, and then nothing is written; otherwise the profile and the history beside it
//! appear whole, each by a rename.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use models::postgres::PgVersion;
use scenarios::import::profile::{Options, Part, Profile, told_lines};
use scenarios::import::source::{SOURCES, Source};
use scenarios::import::sql;
use scenarios::nearest;

use crate::errors::Failure;
use crate::exit::Exit;
use crate::file::{self, Older};
use crate::input;
use crate::terminal::{ColorChoice, Terminal, plain};

/// `--help` closes with these.
const EXAMPLES: &str = "\
Examples:
  walden import wal_lsn_history.csv
      recognises what it is, and writes profile.toml and profile.wal.csv
  walden import lsn-samples wal.csv pg-settings settings.csv ping ping.txt -o db1.toml
      several sources, named, in one profile
  walden import pgbench-log pgbench_log.*
      several files of one source
  walden import --sql
      the statements that collect it, for psql
  walden import --sql lsn-samples | psql
      those of one source

A scenario takes a profile with

  include = 'profile.toml'

and what the scenario says itself counts before what the profile says. `walden list sources` shows
what each source reads and gives.

Numbers only: texts among the settings and names of standbys stay out unless --keep-names is given.

Exit codes:
  0  the profile was written
  3  a file is wrong or cannot be read; nothing was written
  5  the profile could not be written";

/// The first line of every profile begins with this.
const OURS: &str = "# Made by `walden import`";

/// Turn what you have (LSN samples, settings, pgbench, ping, ...) into a profile.
///
/// Reads samples, settings, logs and series of a real server, says how many rows were read, used
/// and dropped and why, and writes a TOML file that a scenario includes, with the WAL history
/// beside it.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct ImportArgs {
    /// Files, and before them the name of their source.
    #[arg(value_name = "SOURCE|FILE", required_unless_present = "sql")]
    pub words: Vec<String>,
    /// The profile; the history goes beside it.
    #[arg(long, short, value_name = "FILE", default_value = "profile.toml")]
    pub output: PathBuf,
    /// Keep texts among the settings (commands, paths) and names of standbys.
    #[arg(long)]
    pub keep_names: bool,
    /// Major version of the server, if no source says so.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(13..=18))]
    pub pg_version: Option<u8>,
    /// Print the statements that collect it, of the sources that are named or of all.
    #[arg(long)]
    pub sql: bool,
}

/// Does it.
pub fn import(args: &ImportArgs, color: ColorChoice) -> Result<Exit, Failure> {
    let mut terminal = Terminal::new(color);
    if args.sql {
        statements(args, &mut terminal)?;
        terminal.finish()?;
        return Ok(Exit::Met);
    }
    let parts = parts(&args.words, &mut terminal)?;
    let options =
        Options { keep_names: args.keep_names, version: args.pg_version.and_then(PgVersion::new) };
    // A path is read as it was typed; what a configuration includes lies beside it.
    let mut read = |path: &str| input::beside(Path::new("-"), path);
    let profile = Profile::read(&parts, options, &mut read)
        .map_err(|problems| Failure::Import { problems })?;
    let several = parts.iter().map(|part| part.files.len()).sum::<usize>() > 1;
    let place = |file: &str| if several { format!("{file} ") } else { String::new() };
    for (source, told) in &profile.told {
        for line in told_lines(*source, told, &place) {
            terminal.line(plain(&line));
        }
    }
    write_all(&args.output, &profile, &mut terminal)?;
    terminal.finish()?;
    Ok(Exit::Met)
}

fn statements(args: &ImportArgs, terminal: &mut Terminal) -> Result<(), Failure> {
    let wanted = args.words.iter().map(|word| Source::find(word).ok_or_else(|| unknown(word)));
    let wanted = wanted.collect::<Result<Vec<Source>, Failure>>()?;
    let texts: Vec<String> = match wanted.as_slice() {
        [] => vec![sql::statements(None)],
        some => some.iter().map(|source| sql::statements(Some(*source))).collect(),
    };
    for line in texts.join("\n").lines() {
        terminal.line(line);
    }
    for source in wanted.iter().filter(|source| sql::statements(Some(**source)).is_empty()) {
        let entry = source.entry();
        let collect = if entry.collect.is_empty() { "it is there already" } else { entry.collect };
        terminal.line(format!("-- {}: no statement; {collect}", entry.name));
    }
    Ok(())
}

/// Which files are of which source.
fn parts(words: &[String], terminal: &mut Terminal) -> Result<Vec<Part>, Failure> {
    let mut parts: Vec<Part> = Vec::new();
    let mut named: Option<Source> = None;
    for word in words {
        if let Some(source) = Source::find(word) {
            if let Some(empty) = named.filter(|_| parts.last().is_some_and(|p| p.files.is_empty()))
            {
                return Err(no_file(empty));
            }
            named = Some(source);
            parts.push(Part { source, files: Vec::new() });
            continue;
        }
        let path = Path::new(word);
        if !path.exists() && nearest(word, SOURCES.iter().map(|entry| entry.name)).is_some() {
            return Err(unknown(word));
        }
        let text = input::read_text(path)
            .map_err(|e| Failure::Unreadable { path: word.clone(), why: e.to_string() })?;
        if named.is_none() {
            let source = if input::is_conf(path) {
                Some(Source::PostgresqlConf)
            } else {
                Source::detect(&text)
            };
            let Some(source) = source else {
                return Err(Failure::Argument {
                    message: format!("{word}: it does not show what it is"),
                    help: Some(format!("name its source before it: {}", names())),
                });
            };
            terminal.line(format!("{}: taken for {}", plain(word), source.name()));
            parts.push(Part { source, files: Vec::new() });
        }
        if let Some(part) = parts.last_mut() {
            part.files.push(word.clone());
        }
    }
    match parts.last() {
        Some(part) if part.files.is_empty() => Err(no_file(part.source)),
        Some(_) | None => Ok(parts),
    }
}

fn no_file(source: Source) -> Failure {
    Failure::Usage { message: format!("no file is named behind {}", source.name()) }
}

fn unknown(word: &str) -> Failure {
    let near = nearest(word, SOURCES.iter().map(|entry| entry.name));
    let near = near.map_or(String::new(), |near| format!("did you mean {near}? "));
    Failure::Argument {
        message: format!("{word}: no such file, and no source of that name"),
        help: Some(format!("{near}sources are {}", names())),
    }
}

fn names() -> String {
    SOURCES.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ")
}

/// Writes the profile, and the history beside it. What is not ours is not written over.
fn write_all(output: &Path, profile: &Profile, terminal: &mut Terminal) -> Result<(), Failure> {
    let name = output.file_name().and_then(|name| name.to_str());
    let Some(name) = name.filter(|_| !output.is_dir()) else {
        let message = format!("`{}` is no name of a file", output.display());
        return Err(Failure::Usage { message });
    };
    let stem = name.strip_suffix(".toml").unwrap_or(name);
    let csv = format!("{stem}.wal.csv");
    let mut files: Vec<(PathBuf, String)> = Vec::new();
    if let Some(text) = profile.history_csv() {
        files.push((output.with_file_name(&csv), text));
    }
    files.push((output.to_owned(), profile.toml(&csv)));
    let is_ours = fs::read_to_string(output).is_ok_and(|text| text.starts_with(OURS));
    if let Some((path, _)) = files.iter().find(|(path, text)| {
        path.symlink_metadata().is_ok()
            && !is_ours
            && !fs::read_to_string(path).is_ok_and(|there| there == *text)
    }) {
        return Err(Failure::Argument {
            message: format!("{} is there already, and was not made by an import", path.display()),
            help: Some("name another file with -o".to_owned()),
        });
    }
    file::write_all(&files, Older::Replace)?;
    for (path, _) in files.iter().rev() {
        terminal.line(format!("wrote {}", plain(&path.display().to_string())));
    }
    Ok(())
}
