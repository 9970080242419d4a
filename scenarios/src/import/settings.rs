//! Settings of a real server on their way into a scenario.
//!
//! They come from [`pg_settings`](super::pg_settings) or from
//! [`postgresql_conf`](super::postgresql_conf), and go through the table of GUCs as they would on
//! the server, so that a value out of range is found with PostgreSQL's words. What differs from the
//! defaults of the server's version is kept. Texts (commands, connection strings, names, paths) are
//! dropped unless names are to be kept: people attach profiles to issues. What a scenario would
//! refuse, since it changes a run and is not simulated, stays a comment.
//!
//! **Source.** `pg_settings.source` and `context`: `guc_tables.c`, PostgreSQL 13 to 18.

use models::postgres::PgVersion;
use models::postgres::guc::{self, Context, Kind, SettingError, Settings};

use super::Told;
use crate::error::{Finding, Findings};
use crate::resolve::settings::{help, is_not_built};
use crate::source::Span;

/// Settings that differ from the defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The server's version, if the source says so.
    pub version: Option<PgVersion>,
    /// Names and values, in the order of the table of GUCs.
    pub changed: Vec<(String, String)>,
    /// Those that would change a run and are not simulated yet, which no scenario takes.
    pub not_built: Vec<(String, String)>,
    /// What became of the rows.
    pub told: Told,
}

/// One setting as a source has it.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub name: String,
    pub value: String,
    /// `pg_settings.source`; empty where the source has none.
    pub source: String,
    /// Whether the server is known to have it: then a name that we do not know is its own.
    pub is_the_servers: bool,
    pub file: String,
    pub line: usize,
    pub span: Span,
}

/// What sources say of one server, the later over the earlier.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    pub version: Option<PgVersion>,
    pub lines: Vec<Line>,
    pub told: Told,
}

/// Puts settings through the table of GUCs of `version`.
pub(super) fn apply(
    lines: Lines,
    version: PgVersion,
    keep_names: bool,
    findings: &Findings,
) -> Imported {
    let Lines { version: said, lines, mut told } = lines;
    let mut settings = Settings::defaults(version);
    let mut set: Vec<(&Line, &'static str)> = Vec::new();
    for line in &lines {
        match take(&mut settings, line, version, keep_names) {
            Ok(name) => set.push((line, name)),
            Err(Left::Dropped(why)) => told.drop_row(&why, &line.file, line.line),
            Err(Left::Wrong(error)) => {
                let help = help(&error, version).unwrap_or_else(|| match &error {
                    SettingError::NotBoolean { .. } => "on, off, true, false, yes, no".to_owned(),
                    SettingError::OutOfRange { .. } => {
                        format!("no server of PostgreSQL {version} runs with it")
                    }
                    SettingError::Unrecognized { .. }
                    | SettingError::OtherVersion { .. }
                    | SettingError::CustomName { .. }
                    | SettingError::CannotBeChanged { .. }
                    | SettingError::Invalid { .. }
                    | SettingError::Rejected { .. }
                    | SettingError::Start(_) => format!("PostgreSQL {version} does not take it"),
                });
                findings.push(Finding::new(line.span, error.message()).help(help));
            }
        }
    }
    for error in settings.check_start() {
        let message = error.message();
        // The message names the settings that do not go together.
        let named = set.iter().find(|(_, name)| message.contains(*name)).map(|(line, _)| line.span);
        let help = "with these settings the server would not start";
        findings.push(Finding::new(named.unwrap_or_default(), message).help(help));
    }
    let changed = settings.changed();
    for (line, name) in set {
        match changed.iter().find(|(changed, _)| *changed == name) {
            None => told.drop_row("the default", &line.file, line.line),
            Some((_, value)) if is_not_built(name, value) => {
                let why = format!("it would change a run, and is not simulated yet: {name}");
                told.drop_row(&why, &line.file, line.line);
            }
            Some(_) => told.used += 1,
        }
    }
    let changed = changed.into_iter().map(|(name, value)| (name.to_owned(), value));
    let (not_built, changed) = changed.partition(|(name, value)| is_not_built(name, value));
    Imported { version: said, changed, not_built, told }
}

/// Why a setting is not taken.
enum Left {
    Dropped(String),
    Wrong(SettingError),
}

fn take(
    settings: &mut Settings,
    line: &Line,
    version: PgVersion,
    keep_names: bool,
) -> Result<&'static str, Left> {
    let dropped = |why: &str| Err(Left::Dropped(why.to_owned()));
    match line.source.as_str() {
        "default" => return dropped("the default"),
        "override" => return dropped("the server found the value itself (source: override)"),
        "client"
        | "session"
        | "user"
        | "database"
        | "database user"
        | "interactive"
        | "environment variable"
        | "test"
        | "global" => {
            return dropped("of a session, a role or a database (source)");
        }
        _ => {}
    }
    let Some(guc) = guc::find(&line.name, version) else {
        if line.name.contains('.') {
            return dropped("a setting of an extension");
        }
        if line.is_the_servers {
            let why = format!("PostgreSQL {version} has no setting {}", line.name);
            return Err(Left::Dropped(why));
        }
        return match settings.set(&line.name, &line.value) {
            Err(error) => Err(Left::Wrong(error)),
            Ok(()) => dropped("a setting of an extension"),
        };
    };
    if matches!(guc.kind, Kind::Text) && !keep_names {
        return dropped("a text, which may have names in it (--keep-names keeps it)");
    }
    match settings.set(&line.name, &line.value) {
        Ok(()) => Ok(guc.name),
        Err(SettingError::CannotBeChanged { .. })
            if guc.context == Context::Internal && line.is_the_servers =>
        {
            dropped("reports how the server was built")
        }
        Err(error) => Err(Left::Wrong(error)),
    }
}
