//! Files that a command is asked for: each is there whole or not at all.
//!
//! All of a command's files are first written under other names and then renamed, so that a signal
//! or a full disk in between leaves what was there before.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::errors::Failure;
use crate::stop::Stop;

/// What becomes of a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Older {
    /// The new one takes its place.
    Replace,
    /// It stays: that it is there was found good, or it came in the meantime.
    Keep,
}

/// What is there already is not written over, unless it begins as what is `made` here does.
pub fn check_place(path: &Path, made: &[&str], by: &str) -> Result<(), Failure> {
    if path.is_dir() || path.file_name().is_none() {
        let message = format!("`{}` is no name of a file", path.display());
        return Err(Failure::Usage { message });
    }
    let Ok(there) = fs::read(path) else { return Ok(()) };
    if there.is_empty() || made.iter().any(|start| there.starts_with(start.as_bytes())) {
        return Ok(());
    }
    let message = format!("{} is there already, and was not {by}", path.display());
    Err(Failure::Argument { message, help: Some("name another file".to_owned()) })
}

/// Writes a file, in the place of an older one.
pub fn write(path: &Path, text: &str) -> Result<(), Failure> {
    write_all(&[(path.to_owned(), text.to_owned())], Older::Replace)
}

/// Makes the folder that a file goes into.
pub fn make_room(path: &Path) -> Result<(), Failure> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => fs::create_dir_all(folder).map_err(|error| not_made(path, &error)),
        None => Ok(()),
    }
}

fn not_made(path: &Path, error: &io::Error) -> Failure {
    Failure::NotMade { path: path.display().to_string(), why: error.to_string() }
}

/// Writes files into folders that are there.
pub fn write_all(files: &[(PathBuf, String)], older: Older) -> Result<(), Failure> {
    let stop = Stop::listen().map_err(|e| Failure::Internal { message: e.to_string() })?;
    let mut unfinished = Unfinished(Vec::new());
    for (path, text) in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let beside = path.with_file_name(format!(".unfinished-{}-{name}", std::process::id()));
        unfinished.0.push(beside.clone());
        fs::write(beside, text).map_err(|error| not_made(path, &error))?;
    }
    stop.check()?;
    for ((path, _), beside) in files.iter().zip(&unfinished.0) {
        let placed = match older {
            Older::Replace => fs::rename(beside, path),
            // A link is made only where there is nothing; the other name goes with `unfinished`.
            Older::Keep => match fs::hard_link(beside, path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                // Some file systems have no such links.
                Err(_) => fs::rename(beside, path),
                Ok(()) => Ok(()),
            },
        };
        placed.map_err(|error| not_made(path, &error))?;
    }
    Ok(())
}

/// Files under other names. Those that are left are removed.
struct Unfinished(Vec<PathBuf>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        for path in &self.0 {
            // It may have been renamed, or never have come to be.
            let _ = fs::remove_file(path);
        }
    }
}
