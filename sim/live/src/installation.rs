//! PostgreSQL's binaries, and the user that runs them.
//!
//! **Source.** The folders are those of `pg_config` and of Debian's packages.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use models::postgres::PgVersion;

use crate::{Error, tried};

/// The binaries of one version.
#[derive(Clone, Debug)]
pub struct Installation {
    bindir: PathBuf,
    /// The one beside `pg_config`, or of a package, for programs that `bindir` has not.
    usual: Option<PathBuf>,
    /// What `postgres --version` says.
    pub banner: String,
    /// Its major version.
    pub version: PgVersion,
    /// Numbers of the user and group that run servers, if that is another one than runs this.
    user: Option<(u32, u32)>,
}

impl Installation {
    /// The one that `WALDEN_PG_BINDIR` names, or else the one of `pg_config`, or else the newest
    /// where Debian's packages put them.
    pub fn find() -> Result<Installation, Error> {
        let usual = said(Command::new("pg_config").arg("--bindir")).map(PathBuf::from);
        let usual = usual.or_else(|error| newest_package().ok_or(error));
        let (bindir, usual) = match std::env::var_os("WALDEN_PG_BINDIR") {
            Some(bindir) => (PathBuf::from(bindir), usual.ok()),
            None => {
                let usual = usual?;
                (usual.clone(), Some(usual))
            }
        };
        let banner = said(Command::new(bindir.join("postgres")).arg("--version"))?;
        let word = banner.split(' ').nth(2).unwrap_or_default();
        let major = word.split(|c: char| !c.is_ascii_digit()).next().and_then(|m| m.parse().ok());
        let version = major
            .and_then(PgVersion::new)
            .ok_or_else(|| Error::NotInstalled(format!("{banner} is not a version known here")))?;
        Ok(Installation { bindir, usual, banner, version, user: user()? })
    }

    /// One of its programs, to be run by a user that it accepts; where it has none of that name,
    /// that of another installation.
    pub fn program(&self, name: &str) -> Command {
        let folders = [Some(&self.bindir), self.usual.as_ref()];
        let mut programs = folders.into_iter().flatten().map(|folder| folder.join(name));
        let program = programs.find(|path| path.exists());
        let mut command = Command::new(program.unwrap_or_else(|| PathBuf::from(name)));
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command.current_dir("/").stdin(Stdio::null());
        command
    }

    /// Makes a folder that only that user reads.
    pub fn folder(&self, path: &Path) -> Result<(), Error> {
        let what = format!("making {}", path.display());
        tried(&what, fs::create_dir_all(path))?;
        match self.user {
            Some((uid, gid)) => tried(&what, std::os::unix::fs::chown(path, Some(uid), Some(gid))),
            None => Ok(()),
        }
    }
}

/// The binaries of the newest version that Debian's packages have installed.
fn newest_package() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let major = |entry: &fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
    let newest = versions.max_by_key(|entry| major(entry))?;
    Some(newest.path().join("bin"))
}

/// The first line that a command prints.
fn said(command: &mut Command) -> Result<String, Error> {
    let what = command.get_program().display().to_string();
    let told = |why: String| Error::NotInstalled(format!("{what}: {why}"));
    let output = command.output().map_err(|error| told(error.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let first = text.lines().next().filter(|_| output.status.success());
    first.map(str::to_owned).ok_or_else(|| told("it says nothing".to_owned()))
}

/// Who runs servers in place of root.
fn user() -> Result<Option<(u32, u32)>, Error> {
    // Whoever runs this owns what it runs as.
    let me = tried("reading /proc/self", fs::metadata("/proc/self"))?.uid();
    if me != 0 {
        return Ok(None);
    }
    let users = tried("reading /etc/passwd", fs::read_to_string("/etc/passwd"))?;
    let find = |name: &str| {
        users.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let [user, _, uid, gid, ..] = fields[..] else { return None };
            (user == name).then(|| Some((uid.parse().ok()?, gid.parse().ok()?)))?
        })
    };
    find("postgres").or_else(|| find("nobody")).map(Some).ok_or(Error::NoUser)
}
