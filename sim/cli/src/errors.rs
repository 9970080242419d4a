//! Everything that can keep a command from its end, with its exit code and its words.
//!
//! Mistakes in a scenario are drawn ([`drawing`]): all of them at once.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use scenarios::Problems;

use crate::drawing;
use crate::exit::Exit;
use crate::screen::quoted;
use crate::terminal::{ColorChoice, plain};

/// Where a scenario comes from, so that a place in it can be named as the user would.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// What the scenario's own text is called in its problems.
    pub name: String,
    /// The file as it was typed; empty if there is none. What it includes lies beside it.
    pub path: PathBuf,
}

impl Origin {
    /// A file as the user would name it.
    pub fn shown(&self, file: &str) -> String {
        if self.path.as_os_str().is_empty() || file.starts_with("--") {
            file.to_owned()
        } else if file == self.name {
            self.path.display().to_string()
        } else {
            self.path.with_file_name(file).display().to_string()
        }
    }
}

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// What is wrong with a scenario.
    #[error("the scenario has mistakes")]
    Scenario {
        /// All of them.
        problems: Problems,
        /// What they are mistakes in.
        origin: Origin,
    },
    /// What is wrong with the files of an import.
    #[error("the files have mistakes")]
    Import {
        /// All of them.
        problems: Problems,
    },
    /// A command line that clap could not know to be wrong.
    #[error("{message}")]
    Usage {
        /// What is wrong with it.
        message: String,
    },
    /// A word on the command line that names nothing in the run, or no moment of it.
    #[error("{message}")]
    Argument {
        /// What is wrong with it.
        message: String,
        /// What is allowed.
        help: Option<String>,
    },
    /// A stored run that does not repeat.
    #[error("{path} does not repeat: {why}")]
    NotRepeated {
        /// Which.
        path: String,
        /// What is different.
        why: String,
    },
    /// No such file, and no such name in the catalogue.
    #[error("{name}: no such file, and the catalogue has no scenario of that name")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The nearest name there is.
        nearest: Option<String>,
    },
    /// No such name in the catalogue.
    #[error("the catalogue has no scenario {name}")]
    NotInCatalogue {
        /// What was asked for.
        name: String,
        /// The nearest name there is.
        nearest: Option<String>,
    },
    /// A file that cannot be read.
    #[error("{path}: {why}")]
    Unreadable {
        /// Which.
        path: String,
        /// Why not.
        why: String,
    },
    /// A stored run where a scenario is wanted.
    #[error("{path} is a stored run, not a scenario")]
    NotAScenario {
        /// Which.
        path: String,
    },
    /// A server's configuration where a scenario is wanted.
    #[error("{path} is a server's configuration, not a scenario")]
    Configuration {
        /// Which.
        path: String,
    },
    /// Something else where a stored run is wanted.
    #[error("{path} is not a stored run")]
    NotARun {
        /// Which.
        path: String,
    },
    /// No stored run there.
    #[error("{path}: there is no stored run")]
    NoRun {
        /// Where it was looked for.
        path: String,
    },
    /// A stored run that is not what was once written.
    #[error("{path}: {why}")]
    Damaged {
        /// Which.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// A stored run of another version.
    #[error("{path} was made by Walden {theirs}; this is {ours}")]
    OtherVersion {
        /// Which.
        path: String,
        /// The version that made it.
        theirs: String,
        /// The version that should repeat it.
        ours: String,
    },
    /// Results that cannot be written.
    #[error("cannot write the results: {path}: {why}")]
    Unwritable {
        /// Where to.
        path: String,
        /// Why not.
        why: String,
    },
    /// A file that is there already and is not written over.
    #[error("{path} is there already, and is left as it is")]
    Exists {
        /// Which.
        path: String,
        /// What to do instead.
        help: &'static str,
    },
    /// A file that cannot be made.
    #[error("cannot write {path}: {why}")]
    NotMade {
        /// Which.
        path: String,
        /// Why not.
        why: String,
    },
    /// Standard output that cannot be written to.
    #[error("cannot print: {why}")]
    Unprintable {
        /// Why not.
        why: String,
    },
    /// A signal.
    #[error("stopped; nothing was written")]
    Stopped {
        /// Its number.
        signal: u8,
    },
    /// A bug in Walden.
    #[error("{message}")]
    Internal {
        /// What was found.
        message: String,
    },
}

impl Failure {
    /// How the process ends.
    pub fn exit(&self) -> Exit {
        match self {
            Failure::Scenario { .. }
            | Failure::Import { .. }
            | Failure::Argument { .. }
            | Failure::Unknown { .. }
            | Failure::NotInCatalogue { .. }
            | Failure::Unreadable { .. }
            | Failure::NotAScenario { .. }
            | Failure::Configuration { .. }
            | Failure::NotARun { .. }
            | Failure::NoRun { .. }
            | Failure::Damaged { .. }
            | Failure::OtherVersion { .. } => Exit::WrongInput,
            Failure::NotRepeated { .. } => Exit::NotMet,
            Failure::Usage { .. } => Exit::Usage,
            Failure::Exists { .. }
            | Failure::NotMade { .. }
            | Failure::Unwritable { .. }
            | Failure::Unprintable { .. } => Exit::Unwritable,
            Failure::Stopped { signal } => Exit::Signal(*signal),
            Failure::Internal { .. } => Exit::Internal,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Failure::Scenario { .. }
            | Failure::Import { .. }
            | Failure::Usage { .. }
            | Failure::Unreadable { .. }
            | Failure::NotMade { .. }
            | Failure::Unprintable { .. }
            | Failure::Stopped { .. } => None,
            Failure::Argument { help, .. } => help.clone(),
            Failure::NotRepeated { path, .. } => {
                Some(format!("`walden replay {}` says more", quoted(path)))
            }
            Failure::Exists { help, .. } => Some((*help).to_owned()),
            Failure::Unknown { nearest: None, .. }
            | Failure::NotInCatalogue { nearest: None, .. } => {
                Some("`walden list` shows the catalogue".to_owned())
            }
            Failure::Unknown { nearest: Some(nearest), .. }
            | Failure::NotInCatalogue { nearest: Some(nearest), .. } => {
                Some(format!("did you mean {nearest}? `walden list` shows all"))
            }
            Failure::NotAScenario { path } => {
                Some(format!("`walden replay {}` repeats it", quoted(path)))
            }
            Failure::Configuration { path } => Some(format!(
                "`walden check {}` looks at it; in a scenario `conf_file` of a [server.X] names it",
                quoted(path)
            )),
            Failure::NotARun { path } => Some(format!(
                "name a run's folder or the run.toml in it; `walden run {}` plays a scenario",
                quoted(path)
            )),
            Failure::NoRun { .. } => Some(
                "`walden run` makes one below `runs`; `latest` is looked up below `--out`".into(),
            ),
            Failure::Damaged { .. } => {
                Some("a stored run is never edited; make it again with `walden run`".into())
            }
            Failure::OtherVersion { theirs, .. } => Some(format!(
                "digests are comparable within one version only: check out the tag v{theirs} and \
                 build it, or run the scenario again with this version"
            )),
            Failure::Unwritable { .. } => Some("choose another place with `--out DIR`".to_owned()),
            Failure::Internal { .. } => Some(
                "this is a bug in Walden; what is printed here is enough to repeat it".to_owned(),
            ),
        }
    }

    /// Tells it on standard error.
    pub fn print(&self, choice: ColorChoice) {
        let colour = choice.colours(io::stderr().is_terminal());
        let text = match self {
            Failure::Scenario { problems, origin } => {
                drawing::problems(problems, origin, "nothing was run", colour)
            }
            Failure::Import { problems } => {
                drawing::problems(problems, &Origin::default(), "nothing was written", colour)
            }
            Failure::Stopped { .. } => format!("{self}\n"),
            other => {
                let error = if colour { "\x1b[31merror\x1b[0m" } else { "error" };
                let help = other.help().map(|help| format!("\n  help: {help}"));
                format!("{error}: {}{}\n", plain(&other.to_string()), help.unwrap_or_default())
            }
        };
        // Who closed standard error does not want to know.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}
