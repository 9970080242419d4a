//! A server's settings, read by PostgreSQL's rules.
//!
//! In this order, the later one wins: the version's defaults, `conf_file`, `[postgresql]`,
//! `[server.X.postgresql]`. PostgreSQL's own check of every value runs, with its own messages.
//! A setting that would change the run and that nothing simulates yet is refused; one that has
//! no effect on what is simulated is accepted and listed as not modelled.

use std::collections::BTreeMap;

use models::postgres::PgVersion;
use models::postgres::guc::{self, SettingError, Settings};
use models::postgres::syncrep::StandbyNames;
use models::units::SegmentSize;

use super::{Context, Fields, Finding, Span, Table};
use crate::conf;
use crate::error::nearest;

/// A server's settings and where they were given.
pub(crate) struct Configured {
    /// As the server has them.
    pub settings: Settings,
    /// What was given, by lower-case name: the value that counts and its place.
    given: BTreeMap<String, (String, Span)>,
}

impl Configured {
    /// Where a setting was given.
    pub fn span(&self, name: &str) -> Option<Span> {
        self.given.get(name).map(|(_, span)| *span)
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
    let mut configured =
        Configured { settings: Settings::defaults(version), given: BTreeMap::new() };
    if let (Some(path), Some(node)) = (server.text("conf_file"), server.get("conf_file")) {
        read_file(cx, path, node.span, &mut configured);
    }
    if let Some((table, _)) = cx.table("postgresql") {
        read_table(cx, table, &mut configured);
    }
    if let Some(node) = server.get("postgresql") {
        match node.table() {
            Some(table) => read_table(cx, table, &mut configured),
            None => cx.report(Finding::new(
                node.span,
                format!("`postgresql` is a table of settings, not {}", node.kind()),
            )),
        }
    }
    if configured.settings.cluster_name.is_empty() {
        // A name that PostgreSQL refuses has been reported as a server's name.
        let _ = configured.settings.set("cluster_name", name);
    }
    check_not_built(cx, &configured);
    check_standby_names(cx, &configured);
    check_start(cx, &configured, server.span);
    configured
}

/// A `postgresql.conf`.
fn read_file(cx: Context<'_>, path: &str, span: Span, configured: &mut Configured) {
    let Some(text) = cx.library.text(path, span, cx.findings) else { return };
    for line in conf::lines(&text.text) {
        let place = Span::at(text.base, line.span.clone());
        match line.setting {
            Ok((name, value)) => set(cx, configured, &name, &value, place, Some(span)),
            Err(message) => cx.report(Finding::new(place, message).label(span, "it is read here")),
        }
    }
}

/// A `[postgresql]` table.
fn read_table(cx: Context<'_>, table: &Table, configured: &mut Configured) {
    for (name, entry) in table.flatten() {
        match entry.node.scalar() {
            Some(value) => set(cx, configured, &name, &value, entry.node.span, None),
            None => {
                let message =
                    format!("`{name}` is {}, and a setting has one value", entry.node.kind());
                let help = format!("as in postgresql.conf: {name} = '...'");
                cx.report(Finding::new(entry.node.span, message).help(help));
            }
        }
    }
}

fn set(
    cx: Context<'_>,
    configured: &mut Configured,
    name: &str,
    value: &str,
    span: Span,
    from: Option<Span>,
) {
    if let Err(error) = configured.settings.set(name, value) {
        let mut finding = Finding::new(span, error.message())
            .maybe_help(help(&error, configured.settings.version()));
        if let Some(from) = from {
            finding = finding.label(from, "the file is read here");
        }
        return cx.report(finding);
    }
    configured.given.insert(name.to_ascii_lowercase(), (value.to_owned(), span));
}

/// PostgreSQL's hint or detail, or the nearest name.
fn help(error: &SettingError, version: PgVersion) -> Option<String> {
    if let SettingError::Unrecognized { name } = error {
        let near = nearest(name, guc::names(version).collect::<Vec<_>>());
        return Some(match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "no supported version of PostgreSQL has it".to_owned(),
        });
    }
    error.hint().map(str::to_owned).or_else(|| error.detail())
}

/// What would keep PostgreSQL from starting.
fn check_start(cx: Context<'_>, configured: &Configured, server: Span) {
    for error in configured.settings.check_start() {
        let message = error.message();
        // The message names the settings that do not go together.
        let place = configured.given.iter().find(|(name, _)| message.contains(name.as_str()));
        let span = place.map_or(server, |(_, (_, span))| *span);
        cx.report(Finding::new(span, message).label(server, "this server would not start"));
    }
}

fn check_standby_names(cx: Context<'_>, configured: &Configured) {
    let Some((value, span)) = configured.given.get("synchronous_standby_names") else { return };
    if let Err(error) = StandbyNames::parse(value) {
        let help = match error.detail() {
            Some(detail) => format!("{detail}; {NAMES_HELP}"),
            None => NAMES_HELP.to_owned(),
        };
        cx.report(Finding::new(*span, error.to_string()).help(help));
    }
}

const NAMES_HELP: &str = "write 'FIRST 1 (pg2, pg3)', 'ANY 2 (pg2, pg3, pg4)' or '*'; quote a name \
                          that has other characters: '\"pg-2\"'";

/// Refuses what would change the run and is not simulated yet.
fn check_not_built(cx: Context<'_>, configured: &Configured) {
    let settings = &configured.settings;
    let shown = |name: &str| settings.show(name).unwrap_or_default();
    for (name, harmless, instead) in NOT_BUILT {
        let Some(span) = configured.span(name) else { continue };
        let value = shown(name);
        if harmless.contains(&value.as_str()) {
            continue;
        }
        let value = if value.len() > 40 { "...".to_owned() } else { value };
        let message = format!("{name} = '{value}' is not built yet");
        cx.report(Finding::new(span, message).help(*instead));
    }
}

/// Settings that would change the run, the values that do not, and what is possible.
const NOT_BUILT: &[(&str, &[&str], &str)] = &[
    ("archive_mode", &["off"], ARCHIVE),
    ("restore_command", &[""], ARCHIVE),
    ("archive_timeout", &["0"], ARCHIVE),
    (
        "primary_conninfo",
        &[""],
        "say where a standby streams from with `upstream` of its [server.X]",
    ),
    ("primary_slot_name", &[""], "name the slot with `slot` of the standby's [server.X]"),
    ("recovery_min_apply_delay", &["0"], "a standby replays at once: take it out"),
    ("wal_level", &["replica", "logical"], "streaming needs replica or logical"),
    ("fsync", &["on"], "every flush reaches the disk: make the disk's `fsync` short instead"),
    ("hot_standby", &["on"], "every standby accepts queries once it is consistent"),
    ("recovery_target", &[""], RECOVERY_TARGET),
    ("recovery_target_lsn", &[""], RECOVERY_TARGET),
    ("recovery_target_name", &[""], RECOVERY_TARGET),
    ("recovery_target_time", &[""], RECOVERY_TARGET),
    ("recovery_target_xid", &[""], RECOVERY_TARGET),
];

const ARCHIVE: &str = "there is no WAL archive yet; `[postgresql] archive_mode = 'off'` overrides a \
                       conf_file";
const RECOVERY_TARGET: &str = "standbys follow their upstream to the end: take it out";
