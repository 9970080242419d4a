//! What the end-to-end tests share: a room of one's own, the binary, folders as bytes.

// Each test binary uses its own part of this.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A scenario that is over at once, with an expectation that is met.
pub const SMALL: &str = "\
# Does anything get lost when nothing goes wrong?
title    = 'A small one'
seed     = 7
duration = '3s'

[server.pg1]

[server.pg2]
upstream = 'pg1'

[workload.orders]
rate = '200/s'

[fault.cable]
kind    = 'link_cut'
between = ['pg1', 'pg2']
at      = '1s'
for     = '500ms'

[expect]
'commits.lost' = '== 0'
";

/// A scenario that takes long enough to be interrupted, on any machine.
pub const LONG: &str = "\
duration = '100h'

[server.pg1]

[workload.orders]
rate = '5000/s'
";

/// A folder of one test, empty at its start and gone at its end.
pub struct Room {
    path: PathBuf,
}

impl Room {
    /// A room with `small.toml` and `long.toml` in it.
    pub fn new(test: &str) -> Room {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("the test's folder can be made");
        let room = Room { path };
        room.write("small.toml", SMALL);
        room.write("long.toml", LONG);
        room
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).expect("a file of the test can be written");
    }

    /// `walden` in this room, in an environment that says nothing of colours.
    pub fn walden(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_walden"));
        command.args(args).current_dir(&self.path).stdin(Stdio::null());
        for name in ["NO_COLOR", "CLICOLOR_FORCE", "COLUMNS", "TERM", "RUST_BACKTRACE"] {
            command.env_remove(name);
        }
        command
    }

    /// Runs it to its end.
    pub fn run(&self, args: &[&str]) -> Done {
        Done::new(self.walden(args).output().expect("walden starts"))
    }

    /// Names of what lies in a folder, `.unfinished` and all.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path(folder))
            .map(|entries| entries.flatten().map(|e| e.file_name().into_string()))
            .into_iter()
            .flatten()
            .map(|name| name.expect("our names are UTF-8"))
            .collect();
        names.sort();
        names
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Done {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Done {
    /// From a process that has ended.
    pub fn new(output: Output) -> Done {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("walden writes UTF-8");
        Done { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Ended with this code and did not panic.
    #[track_caller]
    pub fn ends(self, code: i32) -> Done {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self
    }

    /// Says this on standard error.
    #[track_caller]
    pub fn complains(self, text: &str) -> Done {
        assert!(self.err.contains(text), "no {text:?} in:\n{}", self.err);
        self
    }

    /// Says this on standard output.
    #[track_caller]
    pub fn says(self, text: &str) -> Done {
        assert!(self.out.contains(text), "no {text:?} in:\n{}", self.out);
        self
    }
}

/// Sends a signal, such as `-INT`, to a process that runs.
pub fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(sent.expect("`kill` starts").success());
}

/// The line that a changed `run.toml` needs to be believed, as `archive.rs` makes it.
pub fn sealed(body: &str) -> String {
    format!("checksum = 'crc32 {:08x}'\n{body}", crc32fast::hash(body.as_bytes()))
}

/// Every file below a folder, by its path in it.
pub fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("a result can be read").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let inside = path.strip_prefix(folder).expect("it is inside").to_owned();
                files.insert(inside, fs::read(&path).expect("a result can be read"));
            }
        }
    }
    files
}
