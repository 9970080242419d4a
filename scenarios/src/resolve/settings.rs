//! A server's settings, read by PostgreSQL's rules.
//!
//! In this order, the later one wins: the version's defaults, `conf_file`, `[postgresql]`,
//! `[server.X.postgresql]`. PostgreSQL's own check of every value runs, with its own messages.
//! A setting that would change the run and that nothing simulates yet is refused; one that has
//! no effect on what is simulated is accepted and listed as not modelled.

use std::collections::BTreeMap;

use models::postgres::PgVersion;
use models::postgres::guc::{self, Context as SetBy, SettingError, Settings, WalLevel};
use models::postgres::syncrep::StandbyNames;
use models::units::SegmentSize;

use super::{Context, Fields, Finding, Span, Table, limits};
use crate::error::nearest;

/// A server's settings and where they were given.
pub(crate) struct Configured {
    /// As the server has them.
    pub settings: Settings,
    /// What was given, by lower-case name: the value that counts and its place.
    pub given: BTreeMap<String, Given>,
}

/// One line that sets something, in order.
struct Line {
    name: String,
    name_span: Span,
    given: Given,
}

/// A value that was given.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    /// As it was written.
    pub value: String,
    /// The value's place.
    pub span: Span,
    /// Where the file that it stands in was named.
    pub file: Option<Span>,
    /// Whether it was given to all servers at once, in `[postgresql]`.
    pub shared: bool,
}

impl Configured {
    /// Where a setting was given.
    pub fn span(&self, name: &str) -> Option<Span> {
        self.given.get(name).map(|given| given.span)
    }

    /// Size of a WAL segment.
    pub fn segment_size(&self) -> SegmentSize {
        self.settings.wal_segment_size
    }

    /// Names of settings that were given and that no model reads.
    pub fn not_modelled(&self) -> impl Iterator<Item = &str> {
        self.given.keys().map(String::as_str).filter(|name| !Settings::is_modelled(name))
    }
}

/// Reads the settings of one server.
pub(super) fn read(
    cx: Context<'_>,
    server: &Fields<'_>,
    name: &str,
    version: PgVersion,
) -> Configured {
    let mut lines = Vec::new();
    if let (Some(path), Some(node)) = (server.text("conf_file"), server.get("conf_file")) {
        read_file(cx, path, node.span, &mut lines);
    }
    if let Some((table, _)) = cx.table("postgresql") {
        read_table(cx, table, &mut lines);
        let of_table = lines.iter_mut().filter(|line| line.given.file.is_none());
        of_table.for_each(|line| line.given.shared = true);
    }
    if let Some(node) = server.get("postgresql") {
        match node.table() {
            Some(table) => read_table(cx, table, &mut lines),
            None => cx.report(Finding::new(
                node.span,
                format!("`postgresql` is a table of settings, not {}", node.kind()),
            )),
        }
    }
    let mut configured = apply(cx, lines, version);
    if configured.settings.cluster_name.is_empty() {
        // A name that PostgreSQL refuses has been reported as a server's name.
        let _ = configured.settings.set("cluster_name", name);
    }
    check_not_built(cx, &configured);
    check_standby_names(cx, &configured);
    check_start(cx, &configured, server.span);
    configured
}

/// What `ALTER SYSTEM SET` changes on a server: names and values, checked as PostgreSQL does.
/// Each change starts from the settings of the file: what other changes do is not looked at.
pub(super) fn changes(
    cx: Context<'_>,
    table: &Table,
    server: &Configured,
) -> Option<Vec<(String, String)>> {
    let mut lines = Vec::new();
    read_table(cx, table, &mut lines);
    let version = server.settings.version();
    let mut changed = Configured { settings: server.settings.clone(), given: BTreeMap::new() };
    let mut pairs = Vec::new();
    for line in lines {
        let fixed = guc::find(&line.name, version).is_some_and(|g| g.context == SetBy::Internal);
        if fixed {
            let error = SettingError::CannotBeChanged { name: line.name.clone() };
            report(cx, &error, &line, version);
        } else if let Err(error) = changed.settings.set(&line.name, &line.given.value) {
            report(cx, &error, &line, version);
        } else {
            pairs.push((line.name.clone(), line.given.value.clone()));
            changed.given.insert(line.name.to_ascii_lowercase(), line.given);
        }
    }
    check_not_built(cx, &changed);
    check_standby_names(cx, &changed);
    let errors = changed.settings.check_start();
    for error in &errors {
        let message = error.message();
        let place = changed.given.iter().find(|(name, _)| message.contains(name.as_str()));
        // What the file itself gets wrong has been said.
        if let Some((_, given)) = place {
            let finding = Finding::new(given.span, message);
            cx.report(finding.help("with this the server would not start again"));
        }
    }
    let minimal = changed.settings.wal_level == WalLevel::Minimal;
    if let (true, Some(given)) = (minimal && errors.is_empty(), changed.given.get("wal_level")) {
        let message = "wal_level = 'minimal' is not built yet as a change in a run";
        cx.report(Finding::new(given.span, message).help(MINIMAL));
    }
    (!pairs.is_empty()).then_some(pairs)
}

/// A `postgresql.conf`.
fn read_file(cx: Context<'_>, path: &str, span: Span, lines: &mut Vec<Line>) {
    let Some(conf) = cx.library.configuration(path, span, cx.findings) else { return };
    for error in &conf.errors {
        let place = cx.library.line(&error.place().file, error.place().line);
        cx.report(Finding::new(place, error.to_string()).label(span, FILE_IS_READ));
    }
    let settings = conf.effective();
    if settings.len() > limits::MOST_SETTINGS {
        let message = format!("`{path}` has {} settings", settings.len());
        return cx.report(Finding::new(span, message).help("at most 1,000"));
    }
    for setting in settings {
        let place = cx.library.line(&setting.place.file, setting.place.line);
        let given =
            Given { value: setting.value.clone(), span: place, file: Some(span), shared: false };
        lines.push(Line { name: setting.name.clone(), name_span: place, given });
    }
}

/// A `[postgresql]` table.
fn read_table(cx: Context<'_>, table: &Table, lines: &mut Vec<Line>) {
    let settings = table.flatten();
    if settings.len() > limits::MOST_SETTINGS {
        let message = format!("{} settings are too many", settings.len());
        return cx.report(Finding::new(table.span, message).help("at most 1,000"));
    }
    for (name, entry) in settings {
        match entry.node.scalar() {
            Some(value) => {
                let given = Given { value, span: entry.node.span, file: None, shared: false };
                lines.push(Line { name, name_span: entry.key_span, given });
            }
            None => {
                let message =
                    format!("`{name}` is {}, and a setting has one value", entry.node.kind());
                let help = format!("as in postgresql.conf: {name} = '...'");
                cx.report(Finding::new(entry.node.span, message).help(help));
            }
        }
    }
}

const FILE_IS_READ: &str = "the file is read here";

/// Sets everything in order, and reports what PostgreSQL does not take.
fn apply(cx: Context<'_>, lines: Vec<Line>, version: PgVersion) -> Configured {
    let pairs: Vec<(&str, &str)> =
        lines.iter().map(|l| (l.name.as_str(), l.given.value.as_str())).collect();
    let (settings, errors) = &*cx.library.settings(version, &pairs);
    let mut configured = Configured { settings: settings.clone(), given: BTreeMap::new() };
    for (line, error) in lines.into_iter().zip(errors) {
        match error {
            Some(error) => report(cx, error, &line, version),
            None => {
                configured.given.insert(line.name.to_ascii_lowercase(), line.given);
            }
        }
    }
    configured
}

fn report(cx: Context<'_>, error: &SettingError, line: &Line, version: PgVersion) {
    let span = match error {
        SettingError::Unrecognized { .. }
        | SettingError::OtherVersion { .. }
        | SettingError::CustomName { .. }
        | SettingError::CannotBeChanged { .. } => line.name_span,
        SettingError::NotBoolean { .. }
        | SettingError::Invalid { .. }
        | SettingError::Rejected { .. }
        | SettingError::OutOfRange { .. }
        | SettingError::Start(_) => line.given.span,
    };
    let finding = Finding::new(span, error.message()).maybe_help(help(error, version));
    cx.report(in_file(finding, line.given.file));
}

/// Says where the file was named that a finding is in.
fn in_file(finding: Finding, file: Option<Span>) -> Finding {
    match file {
        Some(span) => finding.label(span, FILE_IS_READ),
        None => finding,
    }
}

/// PostgreSQL's hint or detail, or the nearest name.
pub(crate) fn help(error: &SettingError, version: PgVersion) -> Option<String> {
    if let SettingError::Unrecognized { name } = error {
        if let Some((_, instead)) = FORMER.iter().find(|(old, _)| name.eq_ignore_ascii_case(old)) {
            return Some((*instead).to_owned());
        }
        let near = nearest(name, guc::names(version).collect::<Vec<_>>());
        return Some(match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "no supported version of PostgreSQL has it".to_owned(),
        });
    }
    error.hint().map(str::to_owned).or_else(|| error.detail())
}

/// Settings of versions before 13 that people still have, and what became of them.
const FORMER: &[(&str, &str)] = &[
    ("wal_keep_segments", "since PostgreSQL 13 it is `wal_keep_size`, a size"),
    ("checkpoint_segments", "since PostgreSQL 9.5 it is `max_wal_size`, a size"),
    ("standby_mode", "a standby is a [server.X] with an `upstream`"),
    ("trigger_file", "since PostgreSQL 12 promotion is `pg_promote()`"),
];

/// What would keep PostgreSQL from starting.
fn check_start(cx: Context<'_>, configured: &Configured, server: Span) {
    for error in configured.settings.check_start() {
        let message = error.message();
        // The message names the settings that do not go together.
        let place = configured.given.iter().find(|(name, _)| message.contains(name.as_str()));
        let span = place.map_or(server, |(_, given)| given.span);
        cx.report(Finding::new(span, message).label(server, "this server would not start"));
    }
}

fn check_standby_names(cx: Context<'_>, configured: &Configured) {
    let Some(given) = configured.given.get("synchronous_standby_names") else { return };
    if let Err(error) = StandbyNames::parse(&given.value) {
        let help = match error.detail() {
            Some(detail) => format!("{detail}; {NAMES_HELP}"),
            None => NAMES_HELP.to_owned(),
        };
        let finding = Finding::new(given.span, error.to_string()).help(help);
        cx.report(in_file(finding, given.file));
    }
}

/// How `synchronous_standby_names` is written.
pub(crate) const NAMES_HELP: &str = "write 'FIRST 1 (pg2, pg3)', 'ANY 2 (pg2, pg3, pg4)' or '*'; \
                                     quote a name that has other characters: '\"pg-2\"'";

/// Refuses what would change the run and is not simulated yet.
fn check_not_built(cx: Context<'_>, configured: &Configured) {
    for (name, given, instead) in not_built(&configured.settings, &configured.given) {
        let value = configured.settings.show(name).unwrap_or_default();
        let value = if value.len() > 40 { "...".to_owned() } else { value };
        let message = format!("{name} = '{value}' is not built yet");
        cx.report(in_file(Finding::new(given.span, message).help(instead), given.file));
    }
}

/// What was given that would change a run and is not simulated yet, and what is possible.
pub(crate) fn not_built<'a>(
    settings: &Settings,
    given: &'a BTreeMap<String, Given>,
) -> Vec<(&'static str, &'a Given, &'static str)> {
    let found = NOT_BUILT.iter().filter_map(|(name, _, instead)| {
        let given = given.get(*name)?;
        let value = settings.show(name).unwrap_or_default();
        is_not_built(name, &value).then_some((*name, given, *instead))
    });
    found.collect()
}

/// Whether a setting with this value would change a run and is not simulated yet.
pub(crate) fn is_not_built(name: &str, value: &str) -> bool {
    NOT_BUILT.iter().any(|(other, harmless, _)| *other == name && !harmless.contains(&value))
}

/// Settings that a scenario cannot give another value than the harmless one, and what is possible.
pub fn settings_not_built() -> impl Iterator<Item = (&'static str, &'static str)> {
    NOT_BUILT.iter().map(|(name, _, instead)| (*name, *instead))
}

/// Settings that would change the run, the values that do not, and what is possible.
pub(crate) const NOT_BUILT: &[(&str, &[&str], &str)] = &[
    ("archive_mode", &["off"], ARCHIVE),
    ("restore_command", &[""], RESTORE),
    ("archive_timeout", &["0"], ARCHIVE),
    (
        "primary_conninfo",
        &[""],
        "say where a standby streams from with `upstream` of its [server.X]",
    ),
    ("primary_slot_name", &[""], "name the slot with `slot` of the standby's [server.X]"),
    ("recovery_min_apply_delay", &["0"], "a standby replays at once: take it out"),
    ("fsync", &["on"], "every flush reaches the disk: make the disk's `fsync` short instead"),
    ("recovery_target", &[""], RECOVERY_TARGET),
    ("recovery_target_lsn", &[""], RECOVERY_TARGET),
    ("recovery_target_name", &[""], RECOVERY_TARGET),
    ("recovery_target_time", &[""], RECOVERY_TARGET),
    ("recovery_target_xid", &[""], RECOVERY_TARGET),
];

/// Why no standby can follow a primary at `wal_level = minimal`.
pub(super) const MINIMAL: &str = "a standby cannot replay such WAL: PostgreSQL would say: WAL was \
                                  generated with wal_level=minimal, cannot continue recovering";

const ARCHIVE: &str = "there is no WAL archive yet: take it out, or over a conf_file say \
                       [postgresql] archive_mode = 'off' and archive_timeout = 0";
const RESTORE: &str = "there is no WAL archive yet, a standby streams: take it out, or over a \
                       conf_file say [postgresql] restore_command = ''";
const RECOVERY_TARGET: &str = "standbys follow their upstream to the end: take it out";
