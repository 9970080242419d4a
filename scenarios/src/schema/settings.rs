//! `[postgresql]`: every setting of every supported version, with its type, unit, range and words.
//!
//! A setting that changed from one version to the next takes what any of them takes; its text
//! says since when and until when there is it. Names with dots are extensions' own. What is said
//! of a setting ([`told_of`]) is also what `walden list settings` prints.
//!
//! **Source.** The table of GUCs ([`guc`]); numbers as `guc.c:parse_int` and `parse_real` read
//! them, words as `bool.c:parse_bool` does.

use std::collections::BTreeSet;

use models::postgres::PgVersion;
use models::postgres::guc::{self, Context, Guc, Kind, MODELLED, Settings, Unit};
use serde_json::{Map, Value, json};

use super::say;
use crate::resolve::settings::NOT_BUILT;

/// A number without a unit, as C reads it.
const NUMBER: &str = r"[+-]?(0[xX][0-9A-Fa-f]+|([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?)";
/// Nothing, with or without a unit.
const NOTHING: &str = "^ *0+ *[A-Za-z]* *$";
/// Words that switch something on, and unambiguous starts of them.
const ON: &str = "[Tt]([Rr]([Uu][Ee]?)?)?|[Yy]([Ee][Ss]?)?|[Oo][Nn]|1";
/// Words that switch something off.
const OFF: &str = "[Ff]([Aa]([Ll]([Ss][Ee]?)?)?)?|[Nn][Oo]?|[Oo][Ff][Ff]?|0";

/// A table of settings.
pub(super) fn table() -> Value {
    let mut properties = Map::new();
    for name in names() {
        let rows: Vec<&Guc> = guc::rows(name).iter().filter(|guc| !guc.is_fixed()).collect();
        if rows.is_empty() {
            continue;
        }
        let lower = name.to_ascii_lowercase();
        // Names are compared without regard to case, and are mostly written in small letters.
        for name in BTreeSet::from([name.to_owned(), lower]) {
            properties.insert(name, setting(&rows));
        }
    }
    for (old, new) in guc::old_names(PgVersion::NEWEST) {
        let rows: Vec<&Guc> = guc::rows(new).iter().collect();
        properties.insert(old.to_owned(), setting(&rows));
    }
    json!({
        "type": "object",
        "description": "PostgreSQL's settings, as in postgresql.conf.",
        "properties": properties,
        "patternProperties": { r"\.": { "type": ["string", "number", "boolean"] } },
        "additionalProperties": { "type": "object", "description": "Settings of an extension." },
    })
}

fn names() -> BTreeSet<&'static str> {
    let versions =
        (PgVersion::OLDEST.major()..=PgVersion::NEWEST.major()).filter_map(PgVersion::new);
    versions.flat_map(guc::names).collect()
}

fn setting(rows: &[&Guc]) -> Value {
    let mut kinds: Vec<Value> = Vec::new();
    for row in rows {
        let kind = match NOT_BUILT.iter().find(|(name, ..)| *name == row.name) {
            Some((_, harmless, _)) => only(row.kind, harmless),
            None => value(row.kind),
        };
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let schema = match kinds.as_slice() {
        [only] => only.clone(),
        several => json!({ "anyOf": several }),
    };
    match rows.last().and_then(|row| told_of(row.name)) {
        Some(told) => say(schema, &told.join("\n\n")),
        None => schema,
    }
}

fn value(kind: Kind) -> Value {
    match kind {
        Kind::Bool => json!({ "anyOf": [
            { "enum": ["on", "off", true, false, 1, 0] },
            { "type": "string", "pattern": format!("^({ON}|{OFF})$") },
        ] }),
        Kind::Integer(unit, low, high) => number(unit, f64::from(low), f64::from(high)),
        Kind::Real(unit, low, high) => number(unit, low, high),
        Kind::Text => json!({ "type": ["string", "number", "boolean"] }),
        Kind::Enum(words, hidden) => {
            let all = words.iter().chain(hidden.iter().map(|(word, _)| word));
            let any_case: Vec<String> = all.map(|word| without_case(word)).collect();
            let switch = hidden.iter().any(|(word, _)| *word == "true");
            let mut forms = vec![
                json!({ "enum": words }),
                json!({ "type": "string", "pattern": format!("^({})$", any_case.join("|")) }),
            ];
            if switch {
                forms.push(json!({ "enum": [true, false, 1, 0] }));
            }
            json!({ "anyOf": forms })
        }
    }
}

fn number(unit: Unit, low: f64, high: f64) -> Value {
    let units: Vec<&str> = unit.written().collect();
    let unit = if units.is_empty() { String::new() } else { format!(" *({})?", units.join("|")) };
    let mut schema = json!({
        "type": ["string", "number"],
        "pattern": format!("^ *{NUMBER}{unit} *$"),
    });
    for (key, end) in [("minimum", low), ("maximum", high)] {
        // A double's own end is none. Whole numbers are written as such.
        if end.abs() < f64::MAX {
            let whole = end.fract() == 0.0 && end.abs() < 1e15;
            schema[key] = if whole { json!(end as i64) } else { json!(end) };
        }
    }
    schema
}

/// What is left of a setting that nothing simulates: values that change nothing.
fn only(kind: Kind, harmless: &[&str]) -> Value {
    let has = |word: &str| harmless.contains(&word);
    match kind {
        Kind::Bool => {
            let (words, values) = if has("on") {
                (ON, json!(["on", true, 1]))
            } else {
                (OFF, json!(["off", false, 0]))
            };
            json!({ "anyOf": [
                { "enum": values }, { "type": "string", "pattern": format!("^({words})$") },
            ] })
        }
        Kind::Enum(..) => json!({ "anyOf": [
            { "enum": harmless },
            { "type": "string", "pattern": format!("^({OFF})$") },
            { "enum": [false, 0] },
        ] }),
        Kind::Integer(..) | Kind::Real(..) => json!({
            "type": ["string", "number"], "pattern": NOTHING, "minimum": 0, "maximum": 0,
        }),
        Kind::Text => json!({ "enum": harmless }),
    }
}

/// The pattern of a word in letters of either case.
fn without_case(word: &str) -> String {
    let both = |c: char| match c.is_ascii_alphabetic() {
        true => format!("[{}{}]", c.to_ascii_uppercase(), c.to_ascii_lowercase()),
        false if c.is_ascii_alphanumeric() || "_- ".contains(c) => c.to_string(),
        false => format!(r"\{c}"),
    };
    word.chars().map(both).collect()
}

/// What there is to say of a setting: what it does to a run, what it takes, its default, when it
/// takes effect and in which versions. `None` if no supported version has it.
pub fn told_of(name: &str) -> Option<[String; 2]> {
    let versions =
        (PgVersion::OLDEST.major()..=PgVersion::NEWEST.major()).filter_map(PgVersion::new);
    let known = versions.filter(|version| guc::find(name, *version).is_some());
    let (first, last) = (known.clone().min()?, known.max()?);
    // A setting's forms differ by version; the newest is the one to tell of.
    let row = guc::find(name, last)?;
    let lowest = match row.kind {
        Kind::Integer(_, lowest, _) => lowest.to_string(),
        Kind::Bool | Kind::Real(..) | Kind::Text | Kind::Enum(..) => String::new(),
    };
    let mut does = match MODELLED.iter().find(|(name, _)| *name == row.name) {
        Some((_, doc)) => doc.replace("`None`", &lowest),
        None => "Accepted, and changes nothing in a run.".to_owned(),
    };
    if let Some((_, _, instead)) = NOT_BUILT.iter().find(|(name, ..)| *name == row.name) {
        let not_built = format!("Another value is not built yet: {instead}.");
        let modelled = Settings::is_modelled(row.name);
        does = if modelled { format!("{does} {not_built}") } else { not_built };
    }
    let default = Settings::defaults(last).show(row.name).filter(|shown| !shown.is_empty());
    let default = default.unwrap_or_else(|| "empty".to_owned());
    let mut told = format!("Default: {default}. {}{}", takes_effect(row.context), takes(row.kind));
    if first != PgVersion::OLDEST {
        told.push_str(&format!(" Since PostgreSQL {first}."));
    }
    if last != PgVersion::NEWEST {
        told.push_str(&format!(" Until PostgreSQL {last}."));
    }
    Some([does, told])
}

/// Unit and range; words are said by whoever completes them.
fn takes(kind: Kind) -> String {
    let (unit, low, high) = match kind {
        Kind::Bool | Kind::Text => return String::new(),
        Kind::Enum(words, _) => return format!(" One of {}.", words.join(", ")),
        Kind::Integer(unit, low, high) => (unit, f64::from(low), f64::from(high)),
        Kind::Real(unit, low, high) => (unit, low, high),
    };
    let from = match unit {
        Unit::Plain => "From".to_owned(),
        Unit::Blocks => "A bare number counts blocks of 8kB, from".to_owned(),
        Unit::Bytes
        | Unit::Kilobytes
        | Unit::Megabytes
        | Unit::Milliseconds
        | Unit::Seconds
        | Unit::Minutes => format!("A bare number counts {}, from", unit.name()),
    };
    if high >= f64::from(i32::MAX) {
        format!(" {from} {low} up.")
    } else {
        format!(" {from} {low} to {high}.")
    }
}

fn takes_effect(context: Context) -> &'static str {
    match context {
        Context::Internal => "Decided by initdb.",
        Context::Postmaster => "Needs a restart.",
        Context::Sighup => "Needs a reload.",
        Context::SuperuserBackend | Context::Backend => "At the start of a session.",
        Context::Superuser | Context::User => "In any session.",
    }
}
