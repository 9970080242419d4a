//! Everything that can keep a command from its end, with its exit code and its words.
//!
//! Mistakes in a scenario are drawn by miette, here and nowhere else: file, line, column, the line
//! itself with a caret, the other place where two disagree, and help; all of them at once.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, Severity,
    SourceCode, SourceSpan,
};
use scenarios::{Problem, Problems};

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
    fn shown(&self, file: &str) -> String {
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
    /// A command line that clap could not know to be wrong.
    #[error("{message}")]
    Usage {
        /// What is wrong with it.
        message: String,
    },
    /// No such file, and no such name in the catalogue.
    #[error("{name}: no such file, and the catalogue has no scenario of that name")]
    Unknown {
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
            | Failure::Unknown { .. }
            | Failure::Unreadable { .. }
            | Failure::NotAScenario { .. }
            | Failure::NotARun { .. }
            | Failure::NoRun { .. }
            | Failure::Damaged { .. }
            | Failure::OtherVersion { .. } => Exit::WrongInput,
            Failure::Usage { .. } => Exit::Usage,
            Failure::Unwritable { .. } | Failure::Unprintable { .. } => Exit::Unwritable,
            Failure::Stopped { signal } => Exit::Signal(*signal),
            Failure::Internal { .. } => Exit::Internal,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Failure::Scenario { .. }
            | Failure::Usage { .. }
            | Failure::Unreadable { .. }
            | Failure::Unprintable { .. }
            | Failure::Stopped { .. } => None,
            Failure::Unknown { nearest: None, .. } => {
                Some("`walden list` shows the catalogue".to_owned())
            }
            Failure::Unknown { nearest: Some(nearest), .. } => {
                Some(format!("did you mean {nearest}? `walden list` shows all"))
            }
            Failure::NotAScenario { path } => {
                Some(format!("`walden replay {}` repeats it", quoted(path)))
            }
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
            Failure::Scenario { problems, origin } => draw(problems, origin, colour),
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

/// All mistakes of a scenario, drawn.
fn draw(problems: &Problems, origin: &Origin, colour: bool) -> String {
    let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_links(false).with_width(100);
    let mut drawn = String::new();
    let list = problems.report();
    for problem in &list {
        let (mistake, elsewhere) = Mistake::new(problem, problems, origin);
        for part in std::iter::once(&mistake).chain(&elsewhere) {
            if handler.render_report(&mut drawn, part).is_err() {
                drawn.push_str(&plain(&part.to_string()));
            }
        }
        drawn.push('\n');
    }
    let count = list.len() + problems.more();
    let noun = if count == 1 { "mistake" } else { "mistakes" };
    drawn.push_str(&format!("{count} {noun}; nothing was run\n"));
    drawn
}

/// One mistake as miette wants it, or what belongs to it in another file: advice below it.
#[derive(Debug)]
struct Mistake {
    place: String,
    message: String,
    help: Option<String>,
    source: Option<NamedSource<String>>,
    labels: Vec<LabeledSpan>,
    severity: Severity,
}

impl Mistake {
    fn new(problem: &Problem, problems: &Problems, origin: &Origin) -> (Mistake, Vec<Mistake>) {
        let place = |file: &str, line: usize, column: usize| {
            format!("{}:{line}:{column}", origin.shown(file))
        };
        let mut labels = vec![LabeledSpan::new_primary_with_span(
            Some("here".to_owned()),
            SourceSpan::from(problem.span.clone()),
        )];
        let mut elsewhere = Vec::new();
        for label in &problem.labels {
            let span = LabeledSpan::new_with_span(
                Some(plain(&label.text)),
                SourceSpan::from(label.span.clone()),
            );
            if label.file == problem.file {
                labels.push(span);
            } else {
                elsewhere.push(Mistake {
                    place: place(&label.file, label.line, label.column),
                    message: label.text.clone(),
                    help: None,
                    source: named(&label.file, problems, origin),
                    labels: vec![span],
                    severity: Severity::Advice,
                });
            }
        }
        let mistake = Mistake {
            place: place(&problem.file, problem.line, problem.column),
            message: problem.message.clone(),
            help: problem.help.as_deref().map(plain),
            source: named(&problem.file, problems, origin),
            labels,
            severity: Severity::Error,
        };
        (mistake, elsewhere)
    }
}

fn named(file: &str, problems: &Problems, origin: &Origin) -> Option<NamedSource<String>> {
    problems.source(file).map(|text| NamedSource::new(origin.shown(file), text.to_owned()))
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", plain(&self.place), plain(&self.message))
    }
}

impl std::error::Error for Mistake {}

impl Diagnostic for Mistake {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        // Without its text there is nothing to draw the labels on.
        self.source.as_ref()?;
        Some(Box::new(self.labels.iter().cloned()))
    }

    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }
}
