//! One real server: its folder, its settings, its life, and what it answers.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use crate::{Error, Installation, tried};

/// A server in a folder, running or not. It is stopped and its folder removed in the end.
#[derive(Debug)]
pub struct Server {
    installation: Installation,
    folder: PathBuf,
    port: u16,
    running: bool,
}

/// What a statement of a script came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Rows, each on a line.
    Rows(String),
    /// An error's SQLSTATE and message.
    Error {
        /// The code.
        sqlstate: String,
        /// The text.
        message: String,
    },
}

impl Server {
    /// Makes a new one in `folder`, with WAL segments of so many MB; it does not run yet.
    pub fn create(
        installation: &Installation,
        folder: &Path,
        segment_mb: u32,
    ) -> Result<Server, Error> {
        installation.folder(folder)?;
        let data = folder.join("data");
        let mut initdb = installation.program("initdb");
        initdb.arg("-D").arg(&data).args(["-U", "postgres", "-A", "trust", "-E", "UTF8"]);
        initdb.args(["--locale=C", "--no-sync"]).arg(format!("--wal-segsize={segment_mb}"));
        run("initdb", &mut initdb)?;
        Server::at(installation, folder)
    }

    /// Copies one that does not run, files and all.
    pub fn copy(&self, folder: &Path) -> Result<Server, Error> {
        self.installation.folder(folder)?;
        // As the server's user, so that the copies are that user's.
        let mut copy = self.installation.program("cp");
        copy.arg("-a").arg(self.folder.join("data")).arg(folder);
        run("cp", &mut copy)?;
        Server::at(&self.installation, folder)
    }

    fn at(installation: &Installation, folder: &Path) -> Result<Server, Error> {
        let port = free_port()?;
        let folder = folder.to_owned();
        Ok(Server { installation: installation.clone(), folder, port, running: false })
    }

    /// The TCP port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Appends lines to its postgresql.conf.
    pub fn configure(&self, lines: &str) -> Result<(), Error> {
        self.append("postgresql.conf", lines)
    }

    /// Makes it a standby of the server at `port`, through a slot if there is one; it forgets the
    /// slots of the server that it is a copy of.
    pub fn follow(&self, port: u16, name: &str, slot: Option<&str>) -> Result<(), Error> {
        self.append("standby.signal", "")?;
        let slots = self.folder.join("data/pg_replslot");
        for entry in tried("reading slots", fs::read_dir(slots))?.flatten() {
            tried("removing a slot", fs::remove_dir_all(entry.path()))?;
        }
        let slot = slot.map_or_else(String::new, |slot| format!("primary_slot_name = '{slot}'\n"));
        self.configure(&format!(
            "primary_conninfo = 'host=127.0.0.1 port={port} user=postgres \
             application_name={name}'\n{slot}"
        ))
    }

    fn append(&self, file: &str, lines: &str) -> Result<(), Error> {
        let mut append = self.installation.program("sh");
        append.args(["-c", "cat >> \"$0\""]).arg(self.folder.join("data").join(file));
        fed(file, &mut append, &format!("{lines}\n")).map(|_| ())
    }

    /// Starts it; returns when it accepts connections.
    pub fn start(&mut self) -> Result<(), Error> {
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off",
            self.port
        );
        let mut start = self.pg_ctl("start");
        start.arg("-l").arg(self.folder.join("log")).args(["-o", &options]);
        // A server keeps what it inherits open: nothing may wait for the end of its output.
        start.stdout(Stdio::null()).stderr(Stdio::null());
        let done = tried("pg_ctl start", start.status())?;
        self.running = true;
        if done.success() {
            return Ok(());
        }
        Err(Error::Failed { what: "pg_ctl start".to_owned(), output: self.log() })
    }

    /// Stops it in order; returns when it is down.
    pub fn stop(&mut self) -> Result<(), Error> {
        self.stop_as("fast")
    }

    /// Stops it in one of the modes of `pg_ctl stop`; returns when it is down.
    pub fn stop_as(&mut self, mode: &str) -> Result<(), Error> {
        self.running = false;
        run("pg_ctl stop", self.pg_ctl("stop").args(["-m", mode])).map(|_| ())
    }

    /// Promotes it; returns when it is a primary.
    pub fn promote(&self) -> Result<(), Error> {
        run("pg_ctl promote", &mut self.pg_ctl("promote")).map(|_| ())
    }

    fn pg_ctl(&self, verb: &str) -> Command {
        let mut command = self.installation.program("pg_ctl");
        command.arg(verb).arg("-w").arg("-D").arg(self.folder.join("data"));
        command
    }

    /// All that it has logged.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.folder.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The rows of a statement, without headings; columns are parted by `|`.
    pub fn query(&self, sql: &str) -> Result<String, Error> {
        let mut psql = self.psql();
        psql.args(["-v", "ON_ERROR_STOP=1", "-c", sql]);
        run(sql, &mut psql)
    }

    /// psql with a statement and an `application_name`: it prints how long the statement took.
    pub fn session(&self, name: &str, sql: &str) -> Command {
        let mut psql = self.psql();
        psql.env("PGAPPNAME", name).args(["-c", "\\timing on", "-c", sql]);
        psql
    }

    /// What psql prints of a statement, with an option of its own: the result, and the error.
    pub fn prints(&self, sql: &str, option: Option<&str>) -> Result<(String, String), Error> {
        let mut psql = self.installation.program("psql");
        psql.args(["-h", "127.0.0.1", "-U", "postgres", "-d", "postgres", "-X", "-p"]);
        psql.arg(self.port.to_string()).args(option).args(["-c", sql]);
        psql.env("PGCONNECT_TIMEOUT", "10").env("PGCLIENTENCODING", "UTF8");
        let output = tried(sql, psql.output())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((text(&output.stdout), text(&output.stderr)))
    }

    /// What each statement of a session comes to, errors included.
    pub fn script(&self, statements: &[String]) -> Result<Vec<Reply>, Error> {
        let mut text = String::from("\\set VERBOSITY default\n");
        for statement in statements {
            text += &format!("{statement};\n\\echo {MARK} :SQLSTATE :LAST_ERROR_MESSAGE\n");
            text += "\\set LAST_ERROR_MESSAGE ''\n";
        }
        let mut psql = self.psql();
        psql.stderr(Stdio::null());
        let printed = fed("a script", &mut psql, &text)?;
        let mut replies = Vec::with_capacity(statements.len());
        let mut rows = String::new();
        for line in printed.lines() {
            let Some(told) = line.strip_prefix(MARK) else {
                rows += &format!("{line}\n");
                continue;
            };
            let (sqlstate, message) = told.trim_start().split_once(' ').unwrap_or((told, ""));
            replies.push(match sqlstate.trim() {
                "00000" => Reply::Rows(rows.trim_end().to_owned()),
                code => Reply::Error { sqlstate: code.to_owned(), message: message.to_owned() },
            });
            rows.clear();
        }
        Ok(replies)
    }

    fn psql(&self) -> Command {
        let mut psql = self.installation.program("psql");
        psql.args(["-h", "127.0.0.1", "-U", "postgres", "-d", "postgres", "-XAtq", "-p"]);
        psql.arg(self.port.to_string()).env("PGCONNECT_TIMEOUT", "10");
        psql
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.running {
            let mut stop = self.installation.program("pg_ctl");
            stop.arg("stop").arg("-D").arg(self.folder.join("data")).args(["-m", "immediate"]);
            // Nothing can be done about a server that will not stop.
            let _ = stop.output();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A port that nobody listens on. It is below those that the kernel gives to clients, so that it
/// stays free while its server is down, and no two servers of a program have the same.
pub(crate) fn free_port() -> Result<u16, Error> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 20_000;
    const PORTS: u16 = 10_000;
    // Programs that run at the same time begin elsewhere.
    let begin = (std::process::id().wrapping_mul(97) % u32::from(PORTS)) as u16;
    let mut tries = (0..PORTS).map(|_| {
        let next = NEXT.fetch_add(1, Ordering::Relaxed) % PORTS;
        FIRST + (begin + next) % PORTS
    });
    let free = tries.find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
    let none = || std::io::Error::other("none is free");
    tried("looking for a port", free.ok_or_else(none))
}

/// Stands before what psql knows about the statement before it.
const MARK: &str = "\u{1}done";

/// Runs a command that has to succeed; what it prints.
fn run(what: &str, command: &mut Command) -> Result<String, Error> {
    let output = tried(what, command.output())?;
    printed(what, &output)
}

/// The same for one that reads `input`.
fn fed(what: &str, command: &mut Command, input: &str) -> Result<String, Error> {
    let mut child = tried(what, command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn())?;
    let mut pipe = child.stdin.take().expect("it was asked for");
    // It prints while it reads: a full pipe must not stop both.
    let output = std::thread::scope(|scope| {
        scope.spawn(move || pipe.write_all(input.as_bytes()));
        child.wait_with_output()
    });
    printed(what, &tried(what, output)?)
}

fn printed(what: &str, output: &std::process::Output) -> Result<String, Error> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let output = format!("{}\n{}", text(&output.stdout), text(&output.stderr));
    Err(Error::Failed { what: what.to_owned(), output })
}
