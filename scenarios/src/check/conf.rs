//! A `postgresql.conf` by itself: what PostgreSQL would refuse, and what its settings say
//! without a cluster around them.

use std::collections::BTreeMap;

use models::postgres::PgVersion;
use models::postgres::guc::{SettingError, Settings};
use models::postgres::syncrep::StandbyNames;

use super::settings::{self, Names, Subject};
use super::{Found, Report, rules};
use crate::error::Findings;
use crate::import::postgresql_conf::{ConfError, ConfSetting, PostgresqlConf};
use crate::library::{Library, Read};
use crate::resolve::Written;
use crate::resolve::settings::{Given, NAMES_HELP, help, not_built};
use crate::source::{Sources, Span};

/// What the server is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It takes writes.
    Primary,
    /// It is in recovery.
    Standby,
}

/// What there is to say about the configuration file `name`, whose text `read` gives, as it gives
/// those that it includes.
pub fn configuration(
    name: &str,
    version: PgVersion,
    role: Option<Role>,
    read: &mut Read<'_>,
) -> Report {
    let read = std::cell::RefCell::new(read);
    let read = |path: &str| (read.borrow_mut())(path);
    let library = Library::new(Sources::default(), &read);
    let unreadable = Findings::default();
    let conf = library.configuration(name, Span::default(), &unreadable);
    let mut found: Vec<Found> = Vec::new();
    if let Some(conf) = conf {
        check(&library, &conf, version, role, &mut found);
    }
    for draft in unreadable.take() {
        found.push(Found { rule: &rules::CFG001, draft });
    }
    let (_, sources) = library.into_files();
    Report::new(found, &sources)
}

fn check(
    library: &Library<'_>,
    conf: &PostgresqlConf,
    version: PgVersion,
    role: Option<Role>,
    found: &mut Vec<Found>,
) {
    let place = |setting: &ConfSetting| library.line(&setting.place.file, setting.place.line);
    for error in &conf.errors {
        let span = library.line(&error.place().file, error.place().line);
        let help = match error {
            ConfError::Syntax { .. } | ConfError::TooMany { .. } => {
                "a line is: name = 'value'; quote what is not a plain word or number"
            }
            ConfError::EmptyName { .. }
            | ConfError::Missing { .. }
            | ConfError::Recursion { .. }
            | ConfError::TooDeep { .. } => {
                "PostgreSQL refuses the whole file for it; what may be missing is include_if_exists"
            }
        };
        found.push(Found::new(&rules::CFG001, span, error.to_string(), help));
    }
    given_twice(conf, &place, found);
    let mut settings = Settings::defaults(version);
    let mut written = Written { span: Span { start: 0, end: 0 }, given: BTreeMap::new() };
    for line in conf.effective() {
        match settings.set(&line.name, &line.value) {
            Ok(()) => {
                let (value, span) = (line.value.clone(), place(line));
                let given = Given { value, span, file: None, shared: false };
                written.given.insert(line.name.to_ascii_lowercase(), given);
            }
            Err(error) => found.push(refused(&error, place(line), version)),
        }
    }
    for error in settings.check_start() {
        let message = error.message();
        let named = written.given.iter().find(|(name, _)| message.contains(name.as_str()));
        let span = named.map_or(written.span, |(_, given)| given.span);
        let help = "change one of them: the server would not start";
        found.push(Found::new(&rules::CFG003, span, message, help));
    }
    names(&written, found);
    not_read(&settings, &written, found);
    let subject = Subject { role, streams: None, settings: &settings, written: &written };
    settings::check(&subject, found);
}

fn refused(error: &SettingError, span: Span, version: PgVersion) -> Found {
    let rule = match error {
        SettingError::OtherVersion { .. } => &rules::CFG002,
        SettingError::Unrecognized { .. }
        | SettingError::CustomName { .. }
        | SettingError::CannotBeChanged { .. }
        | SettingError::NotBoolean { .. }
        | SettingError::Invalid { .. }
        | SettingError::Rejected { .. }
        | SettingError::OutOfRange { .. }
        | SettingError::Start(_) => &rules::CFG001,
    };
    let help = help(error, version)
        .unwrap_or_else(|| format!("PostgreSQL {version} does not take it: correct the value"));
    Found::new(rule, span, error.message(), help)
}

/// Lines that a later one overrules.
fn given_twice(
    conf: &PostgresqlConf,
    place: &dyn Fn(&ConfSetting) -> Span,
    found: &mut Vec<Found>,
) {
    let mut last: BTreeMap<String, &ConfSetting> = BTreeMap::new();
    for setting in &conf.settings {
        let name = setting.name.to_ascii_lowercase();
        let Some(earlier) = last.insert(name, setting) else { continue };
        if earlier.value != setting.value {
            let name = &setting.name;
            let what = format!("{name} is given again: this line counts, '{}'", setting.value);
            let found_it =
                Found::new(&rules::CFG005, place(setting), what, "leave one of them out");
            let label = format!("'{}' does not count", earlier.value);
            found.push(found_it.label(Some(place(earlier)), label));
        }
    }
}

fn names(written: &Written, found: &mut Vec<Found>) {
    let Some(given) = written.given.get("synchronous_standby_names") else { return };
    if let Err(error) = StandbyNames::parse(&given.value) {
        let what = match error.detail() {
            Some(detail) => format!("{error}: {detail}"),
            None => error.to_string(),
        };
        found.push(Found::new(&rules::SYN001, given.span, what, NAMES_HELP));
    }
}

/// Settings without a model, and those whose effect is not simulated yet.
fn not_read(settings: &Settings, written: &Written, found: &mut Vec<Found>) {
    let mut unread: Names<'_> = BTreeMap::new();
    for (name, given) in &written.given {
        if !Settings::is_modelled(name) {
            unread.insert(given.span, name);
        }
    }
    for (name, given, instead) in not_built(settings, &written.given) {
        unread.remove(&given.span);
        let what = format!("{name} would change a run, and its effect is not simulated yet");
        found.push(Found::new(&rules::CFG006, given.span, what, instead));
    }
    found.extend(settings::unread(&unread));
}
