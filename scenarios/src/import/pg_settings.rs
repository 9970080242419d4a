//! `pg_settings` as CSV, or `SHOW ALL`: the settings a server really has.
//!
//! Needed are the columns `name` and `setting`; `source` tells what somebody set from what is a
//! default or belongs to the session that asked. A number without a unit is in the setting's own,
//! which is what the view shows; `SHOW ALL` writes units. `server_version_num` names the version.
//!
//! **Source.** `guc_funcs.c:show_all_settings` (PostgreSQL 13 to 18).
//!
//! **Not modelled.** `pending_restart`: a value that waits for a restart is not shown, so it is
//! not seen.

use models::postgres::PgVersion;

use super::File;
use super::settings::{Line, Lines};
use super::table::Rows;
use crate::error::{Finding, Findings};

/// The columns that are needed.
const NEEDED: [&str; 2] = ["name", "setting"];

/// Reads rows; what is wrong is left in `findings`.
pub(super) fn parse(file: File<'_>, lines: &mut Lines, findings: &Findings) {
    let mut rows = Rows::new(file);
    let Some(header) = rows.header(&NEEDED, &mut lines.told, findings) else { return };
    let [Some(name), Some(setting)] = NEEDED.map(|name| header.column(name)) else { return };
    let source = header.column("source");
    let before = lines.lines.len();
    let mut seen = std::collections::BTreeMap::new();
    while let Some(row) = rows.data(&header, &mut lines.told, findings) {
        let (key, value) = (&row.fields[name], &row.fields[setting]);
        let span = file.span(rows.field(&row, name));
        if key.is_empty() {
            let help = "every setting has one";
            findings.push(Finding::new(file.span(row.span), "a row without a name").help(help));
            continue;
        }
        if let Some(earlier) = seen.insert(key.to_ascii_lowercase(), span) {
            let finding = Finding::new(span, format!("{} is there twice", key.escape_debug()));
            findings.push(finding.label(earlier, "the other one").help("pg_settings has it once"));
        }
        match (key, version(key, value)) {
            ("server_version_num", Some(Ok(version))) => lines.version = Some(version),
            ("server_version", Some(Ok(version))) => {
                lines.version = lines.version.or(Some(version));
            }
            (_, Some(Err(message))) => {
                let at = file.span(rows.field(&row, setting));
                findings.push(Finding::new(at, message).help("13 to 18 are known"));
            }
            _ => {}
        }
        lines.lines.push(Line {
            name: key.to_owned(),
            value: value.to_owned(),
            source: source.map_or("", |source| &row.fields[source]).to_owned(),
            is_the_servers: true,
            file: file.name.to_owned(),
            line: row.line,
            span,
        });
    }
    if lines.lines.len() == before && findings.is_empty() {
        let help = "take SELECT name, setting, unit, source FROM pg_settings in psql --csv";
        findings.push(Finding::new(file.first_line(), "there is no setting in it").help(help));
    }
}

/// The version that a row says, if it is one of those that do.
fn version(name: &str, value: &str) -> Option<Result<PgVersion, String>> {
    let major = match name {
        "server_version_num" => value.parse::<u32>().ok().map(|number| number / 10_000),
        "server_version" => {
            let digits = value.bytes().take_while(u8::is_ascii_digit).count();
            value[..digits].parse::<u32>().ok()
        }
        _ => return None,
    };
    let known = major.and_then(|major| PgVersion::new(u8::try_from(major).ok()?));
    Some(known.ok_or_else(|| match major {
        Some(major) => format!("the server is PostgreSQL {major}"),
        None => format!("`{}` is no version", value.escape_debug()),
    }))
}
