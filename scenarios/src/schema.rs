//! JSON Schemas, for editors that complete and check while one types, and for programs that read
//! what Walden writes.
//!
//! The schema of a scenario file is made from [`keys`], the list that the reader itself goes by,
//! and from the tables of GUCs, presets and metrics: a key that can be written is completed, with
//! its own sentence, and a new one cannot be forgotten. [`summary`](fn@summary) is that of
//! `summary.json`. Both keep to what draft 7 and draft 2020-12 have in common, since editors read
//! either.
//!
//! **Not modelled.** What needs more than one place to see: names that exist, times within the
//! run, settings that only another version has, quantities out of range behind a unit, and values
//! behind paths (`set`, `[matrix]`). A table half of which stands in an included file lacks what
//! is there. `walden check` says all of it.

mod metrics;
mod paths;
mod settings;
mod summary;

use serde_json::{Map, Value, json};

use crate::keys::{
    self, ACTION, ACTIONS, CONDITIONS, DEED, FAULT, FAULTS, Key, LOADS, MOMENT, QUANTILES, ROOT,
    SECTIONS, Section, Shape, VIEWS, WORKLOAD,
};
use crate::limits::LONGEST_NAME;
use crate::presets;
use crate::quantity::{BITS, SIZE, TIME};

pub use settings::told_of;
pub use summary::summary;

/// The dialect that both schemas name.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// The scenario schema's title, by which a file is known for one.
pub const TITLE: &str = "A Walden scenario";

/// A number as it stands before a unit.
const NUMBER: &str = r"([0-9]+\.?[0-9]*|\.[0-9]+)";
/// Nothing, which needs no unit.
const ZERO: &str = r"(0+\.?0*|\.0+)";
/// Units of time that end a rate.
const PER: &str = "/ *(s|min|h|d)";

/// The schema of a scenario file.
pub fn scenario() -> Value {
    let mut defs = Map::new();
    for section in SECTIONS.iter().filter(|section| !is(section, &ROOT)) {
        if is(section, &QUANTILES) {
            for (name, point) in [("quantiles_of_time", time()), ("quantiles_of_size", size())] {
                defs.insert(name.to_owned(), table(section, &point));
            }
        } else {
            defs.insert(name_of(section).to_owned(), table(section, &Value::Bool(true)));
        }
    }
    defs.insert("settings".to_owned(), settings::table());
    metrics::define(&mut defs);
    let mut schema = table(&ROOT, &Value::Bool(true));
    // What a file leaves out may stand in one that it includes.
    let required = schema["required"].take();
    schema["if"] = json!({ "not": { "required": ["include"] } });
    schema["then"] = json!({ "required": required });
    if let Some(schema) = schema.as_object_mut() {
        schema.remove("required");
    }
    schema["$schema"] = DIALECT.into();
    schema["title"] = TITLE.into();
    schema["$defs"] = defs.into();
    schema
}

fn is(a: &Section, b: &Section) -> bool {
    std::ptr::eq(a, b)
}

/// What a section is called among the definitions: `[server.X]` is `server`.
fn name_of(section: &Section) -> &'static str {
    let title = section.title.trim_start_matches("a ").trim_start_matches(['[', '`']);
    title.split(['.', ']', '`', ' ']).next().unwrap_or(title)
}

fn reference(section: &Section) -> Value {
    json!({ "$ref": format!("#/$defs/{}", name_of(section)) })
}

/// A section; `point` is what its points of a quantile function are.
fn table(section: &Section, point: &Value) -> Value {
    let properties: Map<String, Value> = section
        .keys
        .iter()
        .map(|key| (key.name.to_owned(), described(key, shape(key.shape, point))))
        .collect();
    let required: Vec<&str> =
        section.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    let mut table = json!({
        "type": "object",
        "description": section.doc,
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        table["required"] = required.into();
    }
    if let (Some(table), Value::Object(cases)) = (table.as_object_mut(), cases(section)) {
        table.extend(cases);
    }
    table
}

/// The key's own sentence, what it takes, and what holds without it.
fn described(key: &Key, schema: Value) -> Value {
    let default = match key.default {
        _ if key.required => " Required.".to_owned(),
        "" => String::new(),
        default => format!(" Default: {default}."),
    };
    let takes = key.shape.takes();
    say(schema, &format!("{}\n\nTakes {takes}.{default}", key.doc))
}

/// Describes a schema; of several forms the first too, whose text editors show.
fn say(mut schema: Value, text: &str) -> Value {
    let first = schema.get_mut("anyOf").and_then(|forms| forms.get_mut(0));
    if let Some(first) = first.filter(|form| form.get("$ref").is_none()) {
        first["description"] = text.into();
    }
    schema["description"] = text.into();
    schema
}

/// What goes with what: of a fault, an action and a workload their kind decides it. One case after
/// the other, since editors complete no keys of a table that has an `allOf`.
fn cases(section: &Section) -> Value {
    let (cases, other): (Vec<Case>, Value) = if is(section, &FAULT) {
        let of = |fault: &keys::FaultEntry| {
            let keys = ["kind", "at", "for", "every", "times"];
            // It is over as soon as it began.
            let momentary = fault.name == "link_reset";
            let keys = keys.into_iter().filter(|key| !(momentary && *key == "for"));
            of_kind(fault.name, keys.chain(fault.with.iter().copied()), fault.needs)
        };
        (FAULTS.iter().map(of).collect(), json!({}))
    } else if is(section, &ACTION) {
        let everywhere = ACTIONS.iter().filter(|kind| kind.place == keys::Place::Everywhere);
        let of = |kind: &keys::ActionEntry| {
            let keys = ["kind", "at", kind.value].into_iter().chain(kind.with.iter().copied());
            let needs = [kind.value];
            of_kind(kind.name, keys, if kind.is_of_server() { &[] } else { &needs })
        };
        (everywhere.map(of).collect(), json!({}))
    } else if is(section, &DEED) {
        let of = |kind: &keys::ActionEntry| beside(kind.name, kind.with.iter().copied());
        (ACTIONS.iter().map(of).collect(), one_of(ACTIONS.iter().map(|kind| kind.name)))
    } else if is(section, &WORKLOAD) {
        let of =
            |(kind, with): &(&'static str, &[&'static str])| beside(kind, with.iter().copied());
        (LOADS.iter().map(of).collect(), one_of(LOADS.iter().map(|(kind, _)| *kind)))
    } else {
        (Vec::new(), json!({}))
    };
    let chain = |other, (condition, then)| json!({ "if": condition, "then": then, "else": other });
    cases.into_iter().rev().fold(other, chain)
}

/// A condition, and what holds with it.
type Case = (Value, Value);

/// With this `kind` there are these keys and no others.
fn of_kind<'k>(kind: &str, keys: impl Iterator<Item = &'k str>, needs: &[&str]) -> Case {
    (
        json!({ "properties": { "kind": { "const": kind } }, "required": ["kind"] }),
        json!({ "propertyNames": { "enum": keys.collect::<Vec<_>>() }, "required": needs }),
    )
}

/// Beside this key there are these and no others.
fn beside<'k>(key: &'k str, others: impl Iterator<Item = &'k str>) -> Case {
    let keys: Vec<&str> = std::iter::once(key).chain(others).collect();
    (json!({ "required": [key] }), json!({ "propertyNames": { "enum": keys } }))
}

fn one_of<'k>(keys: impl Iterator<Item = &'k str>) -> Value {
    json!({ "anyOf": keys.map(|key| json!({ "required": [key] })).collect::<Vec<_>>() })
}

fn shape(shape: Shape, point: &Value) -> Value {
    match shape {
        Shape::Text | Shape::Name | Shape::File => json!({ "type": "string" }),
        Shape::Word(words) => json!({ "enum": words }),
        Shape::Count(low, high) => {
            json!({ "type": "integer", "minimum": low, "maximum": high })
        }
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::Time => time(),
        Shape::Size => size(),
        Shape::Point => point.clone(),
        Shape::ByteRate => byte_rate(),
        Shape::SignedTime => pattern(&format!("[+-]? *{NUMBER} *({})", units(&TIME))),
        Shape::LinkRate => link_rate(),
        Shape::EventRate => pattern(&format!("{NUMBER} *{PER}")),
        Shape::Stretch => stretch(),
        Shape::Factor => json!({ "type": "number", "minimum": 1, "maximum": 1_000_000 }),
        Shape::Loss => json!({ "type": "number", "minimum": 0, "maximum": 0.9 }),
        Shape::Lsn => pattern("[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}"),
        Shape::ByteRates => json!({
            "type": "array", "items": byte_rate(), "minItems": 1, "maxItems": 1440,
        }),
        Shape::Moment => json!({ "anyOf": [time(), reference(&MOMENT)] }),
        Shape::TimeQuantiles => or_table(time(), "quantiles_of_time"),
        Shape::Wal => {
            let quantiles = json!({ "$ref": "#/$defs/quantiles_of_size" });
            json!({ "anyOf": [one_of_words(presets::workload_names()), size(), quantiles] })
        }
        Shape::TwoNames => json!({
            "type": "array", "items": { "type": "string" }, "minItems": 2, "maxItems": 2,
        }),
        Shape::Files => one_or_several(json!({ "type": "string" })),
        Shape::DiskPreset => one_of_words(presets::disk_names()),
        Shape::PresetOr(section) => or_table(one_of_words(presets::disk_names()), name_of(section)),
        Shape::Table(section) => reference(section),
        Shape::Named(section) => json!({
            "type": "object",
            "description": section.doc,
            "propertyNames": { "pattern": format!("^{}$", name()) },
            "additionalProperties": reference(section),
        }),
        Shape::Settings => json!({ "$ref": "#/$defs/settings" }),
        Shape::Expectations => json!({ "$ref": "#/$defs/expect" }),
        Shape::Assignments => paths::assignments(),
        Shape::Paths => paths::list(),
        Shape::Matrix => paths::matrix(),
        Shape::Listed(section) => json!({ "type": "array", "items": reference(section) }),
        Shape::Deeds => json!({ "type": "array", "minItems": 1, "items": reference(&DEED) }),
        Shape::Views => one_or_several(one_of_words(VIEWS.iter().copied())),
        Shape::Condition => {
            let rows = format!("rows +{} +>= +[0-9]+", name());
            let words = CONDITIONS.iter().map(|(word, _)| *word);
            pattern(&format!("{} +{}", name(), any(words.chain([rows.as_str()]))))
        }
    }
}

fn link_rate() -> Value {
    pattern(&format!("{NUMBER} *({}|{}) *{PER}", units(&SIZE), units(&BITS)))
}

/// A factor, or a time to reach.
fn stretch() -> Value {
    json!({
        "type": ["number", "string"],
        "exclusiveMinimum": 0,
        "pattern": format!("^ *{NUMBER} *({})? *$", units(&TIME)),
    })
}

fn one_of_words<'w>(words: impl Iterator<Item = &'w str>) -> Value {
    json!({ "enum": words.collect::<Vec<_>>() })
}

/// A value, or a list of them.
fn one_or_several(value: Value) -> Value {
    json!({ "anyOf": [value, { "type": "array", "items": value }] })
}

/// A name that tables can have.
fn name() -> String {
    format!("[A-Za-z0-9_-]{{1,{LONGEST_NAME}}}")
}

fn or_table(value: Value, table: &str) -> Value {
    json!({ "anyOf": [value, { "$ref": format!("#/$defs/{table}") }] })
}

fn pattern(regex: &str) -> Value {
    json!({ "type": "string", "pattern": format!("^ *{regex} *$") })
}

/// A quantity with a unit; nothing needs none.
fn quantity(units: &str) -> Value {
    json!({
        "type": ["string", "number"],
        "pattern": format!("^ *({NUMBER} *({units})|{ZERO}) *$"),
        "minimum": 0,
        "maximum": 0,
    })
}

fn time() -> Value {
    quantity(&units(&TIME))
}

fn size() -> Value {
    quantity(&units(&SIZE))
}

fn byte_rate() -> Value {
    pattern(&format!("({NUMBER} *({})|{ZERO}) *{PER}", units(&SIZE)))
}

fn units(units: &[(&str, u64)]) -> String {
    units.iter().map(|(unit, _)| *unit).collect::<Vec<_>>().join("|")
}

/// The pattern of any of these words.
fn any<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    format!("({})", words.into_iter().collect::<Vec<_>>().join("|"))
}
