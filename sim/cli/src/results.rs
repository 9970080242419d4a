//! Where results live: `<out>/runs/<scenario>/<seed>-<digest prefix>/`, written whole or not at
//! all.
//!
//! A run fills a temporary folder beside the place it is meant for, `.unfinished-<pid>-<n>`, and
//! holds a lock on it. When all is there and on disk, the folder is renamed; `runs/latest`, a
//! symbolic link, is replaced in the same way. Who is killed leaves an unfinished folder whose
//! lock is free: the scenario's next run removes it. An older result of the same name is set
//! aside first (`.replaced-<name>`) and removed last; killed between the two, the next run puts it
//! back. Every change of names happens under a lock on `runs/`, so that two runs at once are safe.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::errors::Failure;

/// Starts the name of a folder that is being filled.
const UNFINISHED: &str = ".unfinished-";
/// Starts the name of an older result that is being replaced.
const REPLACED: &str = ".replaced-";
/// Longest name of a scenario's folder in bytes: file systems take 255.
const LONGEST_NAME: usize = 160;

/// A result that is being made. Dropped before [`Results::publish`] it leaves nothing.
#[derive(Debug)]
pub struct Results {
    runs: PathBuf,
    scenario: PathBuf,
    unfinished: PathBuf,
    /// Held as long as the folder is ours.
    _lock: File,
}

impl Results {
    /// Makes the temporary folder, so that a place that cannot be written to is found before
    /// anything is played.
    pub fn begin(out: &Path, scenario: &str) -> Result<Results, Failure> {
        // `runs/...` reads better than `./runs/...`.
        let out = if out == Path::new(".") { Path::new("") } else { out };
        let runs = out.join("runs");
        let scenario = runs.join(folder_name(scenario));
        fs::create_dir_all(&scenario).map_err(|e| unwritable(&scenario, &e))?;
        let gate = lock_folder(&runs)?;
        sweep(&scenario).map_err(|e| unwritable(&scenario, &e))?;
        let unfinished = unused(&scenario);
        let lock = fs::create_dir(&unfinished).map_err(|e| unwritable(&unfinished, &e));
        let lock = lock.and_then(|()| lock_folder(&unfinished))?;
        drop(gate);
        Ok(Results { runs, scenario, unfinished, _lock: lock })
    }

    /// The folder to fill.
    pub fn folder(&self) -> &Path {
        &self.unfinished
    }

    /// Gives the folder its name, once all in it is on disk, and points `runs/latest` at it.
    pub fn publish(self, seed: u64, digest: u64) -> Result<PathBuf, Failure> {
        let name = format!("{seed}-{:08x}", digest >> 32);
        let place = self.scenario.join(&name);
        let set_aside = self.scenario.join(format!("{REPLACED}{name}"));
        let publish = || -> io::Result<()> {
            sync_tree(&self.unfinished)?;
            let _gate = File::open(&self.runs).and_then(|gate| gate.lock().map(|()| gate))?;
            if place.symlink_metadata().is_ok() {
                fs::rename(&place, &set_aside)?;
            }
            fs::rename(&self.unfinished, &place)?;
            sync_folder(&self.scenario)?;
            remove(&set_aside)?;
            self.point_latest_at(&name)
        };
        publish().map_err(|e| unwritable(&place, &e))?;
        Ok(place)
    }

    fn point_latest_at(&self, name: &str) -> io::Result<()> {
        let folder = self.scenario.file_name().unwrap_or(OsStr::new("."));
        let target = Path::new(folder).join(name);
        let new = self.runs.join(".latest");
        remove(&new)?;
        std::os::unix::fs::symlink(target, &new)?;
        fs::rename(&new, self.runs.join("latest"))?;
        sync_folder(&self.runs)
    }
}

impl Drop for Results {
    fn drop(&mut self) {
        // Published, there is nothing of that name; else nothing of ours may stay behind. What
        // cannot be removed now is removed by the next run.
        let _ = remove(&self.unfinished);
        let _ = fs::remove_dir(&self.scenario);
        let _ = fs::remove_dir(&self.runs);
    }
}

/// A scenario's name as that of one folder: separators and whatever a shell or another file
/// system might trip over become `-`.
pub fn folder_name(scenario: &str) -> String {
    let safe = |c: char| c.is_alphanumeric() || "_+=,.-".contains(c);
    let mut name: String = scenario.chars().map(|c| if safe(c) { c } else { '-' }).collect();
    if name.is_empty() || name.starts_with('.') || name == "latest" {
        name.insert(0, '_');
    }
    if name.len() > LONGEST_NAME {
        let end = (0..=LONGEST_NAME).rev().find(|&i| name.is_char_boundary(i)).unwrap_or(0);
        name.truncate(end);
        name.push_str("...");
    }
    name
}

/// A name for an unfinished folder. Process ids are unique on one host; a folder that several
/// share, such as one mounted into containers, needs the number behind it.
fn unused(scenario: &Path) -> PathBuf {
    let pid = std::process::id();
    let name = |n: u32| scenario.join(format!("{UNFINISHED}{pid}-{n}"));
    (0..).map(name).find(|path| path.symlink_metadata().is_err()).unwrap_or_else(|| name(0))
}

/// Removes what killed runs left behind, and puts back what they had set aside.
fn sweep(scenario: &Path) -> io::Result<()> {
    for entry in fs::read_dir(scenario)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.starts_with(UNFINISHED) {
            // Whoever lives still holds the lock.
            if File::open(entry.path())?.try_lock().is_ok() {
                remove(&entry.path())?;
            }
        } else if let Some(place) = name.strip_prefix(REPLACED) {
            let place = scenario.join(place);
            if place.symlink_metadata().is_ok() {
                remove(&entry.path())?;
            } else {
                fs::rename(entry.path(), place)?;
            }
        }
    }
    Ok(())
}

fn lock_folder(folder: &Path) -> Result<File, Failure> {
    File::open(folder)
        .and_then(|gate| gate.lock().map(|()| gate))
        .map_err(|e| unwritable(folder, &e))
}

/// Removes a file, a link or a whole folder; that there is none is no error.
fn remove(path: &Path) -> io::Result<()> {
    let removed = match path.symlink_metadata() {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn sync_tree(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    sync_folder(folder)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The results cannot go there.
pub fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::Unwritable { path: path.display().to_string(), why: error.to_string() }
}
