//! Real PostgreSQL servers, for the tests that hold Walden against them.
//!
//! `cargo test -p live` starts servers on loopback, in a temporary folder that is gone afterwards,
//! and needs nothing but PostgreSQL's binaries: those beside `pg_config`, or those in the folder
//! that `WALDEN_PG_BINDIR` names. A server refuses to run as root, so that root's tests run it as
//! the user `postgres`, which PostgreSQL's packages make, or else as `nobody`.
//!
//! The package is not among the workspace's default members: `cargo test` alone needs no server.

pub mod divergences;
mod installation;
mod proxy;
mod server;

pub use installation::Installation;
pub use proxy::Proxy;
pub use server::{Reply, Server};

/// What keeps a real server from being used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There are no binaries.
    #[error(
        "PostgreSQL is not installed ({0}): install it (Debian: apt-get install postgresql), or \
         name the folder of its binaries in WALDEN_PG_BINDIR"
    )]
    NotInstalled(String),
    /// Tests run as root, and there is nobody else.
    #[error("a server does not run as root: make a user with `useradd postgres`")]
    NoUser,
    /// A command failed.
    #[error("{what} failed:\n{output}")]
    Failed {
        /// The command.
        what: String,
        /// What it printed.
        output: String,
    },
    /// The operating system refused something.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why not.
        source: std::io::Error,
    },
}

/// Says what was tried when the operating system refuses.
fn tried<T>(what: &str, result: std::io::Result<T>) -> Result<T, Error> {
    result.map_err(|source| Error::Io { what: what.to_owned(), source })
}
