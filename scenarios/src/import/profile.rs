//! What was imported, together.
//!
//! Each source fills in what it knows. Where two know the same, the better one counts: LSN samples
//! before Prometheus, `pg_stat_wal` and `sent_lsn`; ping before `write_lag`; `pg_test_fsync` before
//! the mean of `pg_stat_wal`; a history before pgbench's rate. How it is written for a scenario is
//! in `profile/written.rs`.

mod written;

use std::cell::RefCell;

use models::postgres::PgVersion;

use super::pg_stat_replication::{self, Standbys};
use super::pg_stat_wal::{self, WalStatistics};
use super::pg_test_fsync::{self, FlushTimes};
use super::pgbench_aggregate::{self, Intervals};
use super::pgbench_log::{self, Transactions};
use super::pgbench_summary::{self, Runs};
use super::ping::{self, RoundTrips};
use super::postgresql_conf::ConfError;
use super::prometheus::{self, Kept};
use super::settings::{self, Imported, Line, Lines};
use super::source::Source;
use super::wal_history::WalHistory;
use super::{File, Told, lsn_samples, pg_settings};
use crate::error::{Finding, Findings, Problems};
use crate::library::{Library, Read};
use crate::source::{Sources, Span};

pub use written::told_lines;

/// Files of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What they are.
    pub source: Source,
    /// Their paths, as the caller's reader takes them.
    pub files: Vec<String>,
}

/// What is wanted of an import.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Keep texts among the settings and the names of standbys.
    pub keep_names: bool,
    /// The server's version; else what `pg_settings` says, else the default.
    pub version: Option<PgVersion>,
}

/// What was imported.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// What became of the rows, by source in the order of the list of sources.
    pub told: Vec<(Source, Told)>,
    /// Settings and the version they are for.
    pub settings: Option<(Imported, PgVersion)>,
    /// The best history there is, and where it is from.
    pub history: Option<(Source, WalHistory)>,
    /// Of `pg_stat_wal`.
    pub statistics: Option<WalStatistics>,
    /// Of `pg_stat_replication`.
    pub standbys: Option<Standbys>,
    /// Of `pg_test_fsync`.
    pub flush: Option<FlushTimes>,
    /// Of `ping`.
    pub round_trips: Option<RoundTrips>,
    /// Of pgbench's log of transactions.
    pub transactions: Option<Transactions>,
    /// Of pgbench's log of intervals.
    pub intervals: Option<Intervals>,
    /// Of what pgbench printed.
    pub runs: Option<Runs>,
    /// Of Prometheus.
    pub kept: Option<Kept>,
    /// Whether names of standbys are written.
    pub keep_names: bool,
}

impl Profile {
    /// Reads everything. `read` gives the text of a path, also of files that a configuration
    /// includes.
    ///
    /// # Errors
    ///
    /// Every mistake in every file.
    pub fn read(
        parts: &[Part],
        options: Options,
        read: &mut Read<'_>,
    ) -> Result<Profile, Problems> {
        let read = RefCell::new(read);
        let read = |path: &str| (read.borrow_mut())(path);
        let library = Library::new(Sources::default(), &read);
        let findings = Findings::default();
        let mut profile = Profile { keep_names: options.keep_names, ..Profile::default() };
        let mut lines = Lines::default();
        let mut sources: Vec<Source> = parts.iter().map(|part| part.source).collect();
        sources.sort_unstable();
        sources.dedup();
        for source in sources {
            let paths = parts.iter().filter(|part| part.source == source).flat_map(|p| &p.files);
            let paths: Vec<&str> = paths.map(String::as_str).collect();
            // A mistake in one source hides none in another.
            let own = Findings::default();
            profile.take(source, &paths, &mut lines, &library, &own);
            own.take().into_iter().for_each(|finding| findings.push(finding));
        }
        profile.take_settings(lines, options, &findings);
        let found = findings.take();
        if found.is_empty() {
            profile.choose_history();
            Ok(profile)
        } else {
            Err(Problems::new(found, &library.into_files().1))
        }
    }

    fn take(
        &mut self,
        source: Source,
        paths: &[&str],
        lines: &mut Lines,
        library: &Library<'_>,
        findings: &Findings,
    ) {
        if source == Source::PostgresqlConf {
            paths.iter().for_each(|path| configuration(path, lines, library, findings));
            return;
        }
        let texts: Vec<_> =
            paths.iter().filter_map(|p| library.text(p, Span::default(), findings)).collect();
        let files: Vec<File<'_>> = paths
            .iter()
            .zip(&texts)
            .map(|(name, text)| File { name, text: &text.text, base: text.base })
            .collect();
        let told = match source {
            Source::LsnSamples => {
                let history = lsn_samples::parse(&files, findings);
                let told = history.as_ref().map(|history| history.told.clone());
                self.history = history.map(|history| (source, history));
                told
            }
            Source::PgSettings => {
                files.iter().for_each(|file| pg_settings::parse(*file, lines, findings));
                None
            }
            Source::PostgresqlConf => None,
            Source::PgStatWal => {
                self.statistics = pg_stat_wal::parse(&files, findings);
                self.statistics.as_ref().map(|s| s.history.told.clone())
            }
            Source::PgStatReplication => {
                self.standbys = pg_stat_replication::parse(&files, findings);
                self.standbys.as_ref().map(|s| s.history.told.clone())
            }
            Source::PgTestFsync => {
                self.flush = pg_test_fsync::parse(&files, findings);
                self.flush.as_ref().map(|flush| flush.told.clone())
            }
            Source::Ping => {
                self.round_trips = ping::parse(&files, findings);
                self.round_trips.as_ref().map(|trips| trips.told.clone())
            }
            Source::PgbenchLog => {
                self.transactions = pgbench_log::parse(&files, findings);
                self.transactions.as_ref().map(|log| log.told.clone())
            }
            Source::PgbenchAggregate => {
                self.intervals = pgbench_aggregate::parse(&files, findings);
                self.intervals.as_ref().map(|log| log.told.clone())
            }
            Source::PgbenchSummary => {
                self.runs = pgbench_summary::parse(&files, findings);
                self.runs.as_ref().map(|runs| runs.told.clone())
            }
            Source::Prometheus => {
                self.kept = prometheus::parse(&files, findings);
                self.kept.as_ref().map(|kept| kept.told.clone())
            }
        };
        self.told.extend(told.map(|told| (source, told)));
    }

    fn take_settings(&mut self, mut lines: Lines, options: Options, findings: &Findings) {
        if lines.lines.is_empty() {
            return;
        }
        lines.version = options.version.or(lines.version);
        let version = lines.version.unwrap_or(PgVersion::DEFAULT);
        let source = match lines.lines.iter().all(|line| line.is_the_servers) {
            true => Source::PgSettings,
            false => Source::PostgresqlConf,
        };
        let imported = settings::apply(lines, version, options.keep_names, findings);
        let at = self.told.partition_point(|(other, _)| *other < source);
        self.told.insert(at, (source, imported.told.clone()));
        self.settings = Some((imported, version));
    }

    /// The best history among the sources.
    fn choose_history(&mut self) {
        if self.history.is_some() {
            return;
        }
        let kept = self.kept.as_ref().and_then(|kept| kept.history.clone());
        let statistics = || self.statistics.as_ref().map(|s| s.history.clone());
        let standbys = || self.standbys.as_ref().map(|s| s.history.clone());
        self.history = kept
            .map(|history| (Source::Prometheus, history))
            .or_else(|| statistics().map(|history| (Source::PgStatWal, history)))
            .or_else(|| standbys().map(|history| (Source::PgStatReplication, history)));
    }
}

/// A configuration file and those it includes.
fn configuration(path: &str, lines: &mut Lines, library: &Library<'_>, findings: &Findings) {
    let Some(conf) = library.configuration(path, Span::default(), findings) else { return };
    for error in &conf.errors {
        let place = error.place();
        let finding = Finding::new(library.line(&place.file, place.line), error.to_string());
        let help = match error {
            ConfError::Syntax { .. } | ConfError::TooMany { .. } => {
                "a line is: name = 'value'; quote what is not a plain word or number"
            }
            ConfError::EmptyName { .. }
            | ConfError::Missing { .. }
            | ConfError::Recursion { .. }
            | ConfError::TooDeep { .. } => "files that are included have to lie beside it",
        };
        findings.push(finding.help(help));
    }
    let effective = conf.effective();
    lines.told.rows += conf.settings.len() as u64;
    for setting in &conf.settings {
        let place = &setting.place;
        if effective.iter().any(|other| other.place == *place) {
            lines.lines.push(Line {
                name: setting.name.clone(),
                value: setting.value.clone(),
                source: String::new(),
                is_the_servers: false,
                file: place.file.clone(),
                line: place.line,
                span: library.line(&place.file, place.line),
            });
        } else {
            lines.told.drop_row("a later line sets it again", &place.file, place.line);
        }
    }
    if conf.settings.is_empty() && conf.errors.is_empty() {
        let message = "there is no setting in it";
        let help = "every line is empty or a comment: every setting is at its default";
        findings.push(Finding::new(library.line(path, 1), message).help(help));
    }
}
