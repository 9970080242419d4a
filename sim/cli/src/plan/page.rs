//! Where the page of a plan is written: whole or not at all, and over nothing.
//!
//! The place is tried before anything is played: beside the page an unfinished file is made, which
//! gets the page's name once all of it is on disk.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use reports::plan::{Plan, plan_page};

use crate::errors::Failure;
use crate::terminal::{Terminal, plain};

/// A page that is being made. Dropped before [`Output::publish`] it leaves nothing.
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
    unfinished: PathBuf,
    file: File,
}

impl Output {
    /// Finds out whether there is a place for it.
    pub fn begin(path: &Path) -> Result<Output, Failure> {
        let name = path.file_name().filter(|_| !path.is_dir());
        let Some(name) = name.filter(|_| !path.as_os_str().to_string_lossy().ends_with('/')) else {
            let message = format!("--report: `{}` is no name of a file", path.display());
            return Err(Failure::Usage { message });
        };
        refuse(path)?;
        let unfinished = format!(".unfinished-{}-{}", std::process::id(), name.to_string_lossy());
        let unfinished = path.with_file_name(unfinished);
        let file = File::create_new(&unfinished).map_err(|error| not_made(path, &error))?;
        Ok(Output { path: path.to_owned(), unfinished, file })
    }

    /// Writes the page, and says so where something is shown.
    pub fn publish(mut self, plan: &Plan, shown: Option<&mut Terminal>) -> Result<(), Failure> {
        let text =
            plan_page(plan).map_err(|error| Failure::Internal { message: error.to_string() })?;
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_all());
        written.map_err(|error| not_made(&self.path, &error))?;
        // Somebody else may have been faster.
        refuse(&self.path)?;
        fs::rename(&self.unfinished, &self.path).map_err(|error| not_made(&self.path, &error))?;
        if let Some(terminal) = shown {
            terminal.line("");
            terminal.line(format!("report  {}", plain(&self.path.display().to_string())));
        }
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // Published, there is nothing of that name.
        let _ = fs::remove_file(&self.unfinished);
    }
}

fn refuse(path: &Path) -> Result<(), Failure> {
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    let help = "name another file with --report";
    Err(Failure::Exists { path: path.display().to_string(), help })
}

fn not_made(path: &Path, error: &io::Error) -> Failure {
    Failure::NotMade { path: path.display().to_string(), why: error.to_string() }
}
