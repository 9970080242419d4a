//! The table of settings, row by row as real servers have it.
//!
//! `conformance/settings.tsv` is `pg_settings` of servers of 13.23, 14.23, 15.18, 16.14, 17.10 and
//! 18.4 that initdb has just made, in single-user mode, where nothing is set for a session: name,
//! versions, context, vartype, unit, min_val, max_val, enumvals, boot_val. Versions that agree are
//! one line.
//!
//! **Not compared.** Words that those builds lacked, and defaults that initdb or the start sets
//! anyway: where the table is to differ is told in its header, and listed here.

use models::postgres::PgVersion;
use models::postgres::guc::{self, Context, Guc, Kind};

/// A line of the recording.
struct Row<'a> {
    name: &'a str,
    context: &'a str,
    kind: [&'a str; 5],
    default: &'a str,
}

/// The lines, each with the versions that it holds for.
fn recorded() -> impl Iterator<Item = (u8, u8, Row<'static>)> {
    let lines = include_str!("conformance/settings.tsv").lines().skip(1);
    lines.map(|line| {
        let fields: Vec<&str> = line.split('\t').collect();
        let &[name, since, until, context, ref kind @ .., default] = &fields[..] else {
            panic!("too few fields: {line}")
        };
        let version = |text: &str| text.parse().expect("a version");
        let kind = kind.try_into().expect("type, unit, bounds and words");
        (version(since), version(until), Row { name, context, kind, default })
    })
}

fn context(context: Context) -> &'static str {
    match context {
        Context::Internal => "internal",
        Context::Postmaster => "postmaster",
        Context::Sighup => "sighup",
        Context::SuperuserBackend => "superuser-backend",
        Context::Backend => "backend",
        Context::Superuser => "superuser",
        Context::User => "user",
    }
}

/// `vartype`, `unit`, `min_val`, `max_val` and `enumvals` of a setting.
fn columns(guc: &Guc) -> [String; 5] {
    let row = |columns: [&str; 5]| columns.map(str::to_owned);
    match guc.kind {
        Kind::Bool => row(["bool", "", "", "", ""]),
        Kind::Text => row(["string", "", "", "", ""]),
        Kind::Enum(words, _) => row(["enum", "", "", "", &words.join(" ")]),
        Kind::Integer(unit, least, most) => {
            row(["integer", unit.name(), &least.to_string(), &most.to_string(), ""])
        }
        Kind::Real(unit, least, most) => row(["real", unit.name(), &real(least), &real(most), ""]),
    }
}

/// A bound with as many digits as `%g` has.
fn real(number: f64) -> String {
    format!("{number:.5e}")
}

/// The words of these settings depend on what PostgreSQL was built with.
const BUILT: [&str; 3] = ["default_toast_compression", "io_method", "wal_compression"];
/// The defaults of these are found out by initdb or at the start.
const FOUND_OUT: [&str; 4] =
    ["data_checksums", "max_stack_depth", "shared_buffers", "timezone_abbreviations"];

#[test]
fn every_setting_has_the_context_type_unit_bounds_and_default_of_real_servers() {
    let mut wrong = Vec::new();
    for (since, until, row) in recorded() {
        let mut kind = row.kind.map(str::to_owned);
        if row.kind[0] == "real" {
            let bounds = [row.kind[2], row.kind[3]].map(|bound| real(bound.parse().expect(bound)));
            [kind[2], kind[3]] = bounds;
        }
        for version in (since..=until).filter_map(PgVersion::new) {
            let guc = guc::find(row.name, version).expect(row.name);
            let mut ours = columns(guc);
            if BUILT.contains(&row.name) {
                let has = |word| ours[4].split(' ').any(|ours| ours == word);
                assert!(kind[4].split(' ').all(has), "{}", row.name);
                ours[4].clone_from(&kind[4]);
            }
            if (guc.name, context(guc.context), &ours) != (row.name, row.context, &kind) {
                wrong.push(format!("{version}: {guc:?}, not {} {kind:?}", row.context));
            }
            if guc.default != row.default && !FOUND_OUT.contains(&row.name) {
                wrong.push(format!("{version}: {} is {}", row.name, row.default));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
