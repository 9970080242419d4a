//! The JSON Schema of a scenario file, for editors that complete and check while one types.
//!
//! Made from [`keys`](crate::keys), the list that the reader itself goes by, and from the table
//! of GUCs: a key that can be written is completed, with its own sentence. The reader says more
//! than a schema can (names that exist, times within the run); an editor's check is the first
//! half of it.

use std::collections::BTreeMap;

use models::postgres::PgVersion;
use models::postgres::guc;
use schemars::{Schema, json_schema};

use crate::expect::METRICS;
use crate::keys::{CONDITIONS, DEED, Key, MOMENT, QUANTILES, ROOT, Section, Shape, VIEWS};
use crate::presets;

/// The schema of a scenario file.
pub fn schema() -> Schema {
    let mut schema = table(&ROOT);
    schema.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
    schema.insert("title".to_owned(), "A Walden scenario".into());
    schema.insert("required".to_owned(), vec!["duration".to_owned(), "server".to_owned()].into());
    schema
}

fn table(section: &Section) -> Schema {
    let properties: BTreeMap<&str, Schema> =
        section.keys.iter().map(|key| (key.name, property(key))).collect();
    json_schema!({
        "type": "object",
        "description": section.doc,
        "properties": properties,
        "additionalProperties": false,
    })
}

fn property(key: &Key) -> Schema {
    let mut schema = shape(key.shape);
    let default = match key.default {
        "" => String::new(),
        default => format!(" Default: {default}."),
    };
    schema.insert("description".to_owned(), format!("{}{default}", key.doc).into());
    schema
}

fn shape(shape: Shape) -> Schema {
    match shape {
        Shape::Text | Shape::Name | Shape::File => json_schema!({ "type": "string" }),
        Shape::Word(words) => json_schema!({ "enum": words }),
        Shape::Count(low, high) => {
            json_schema!({ "type": "integer", "minimum": low, "maximum": high })
        }
        Shape::Bool => json_schema!({ "type": "boolean" }),
        Shape::Time => time(),
        Shape::Moment => json_schema!({ "anyOf": [time(), table(&MOMENT)] }),
        Shape::SignedTime => pattern(r"^ *[+-]? *[0-9.]+ *(us|ms|s|min|h|d) *$"),
        Shape::Size => pattern(r"^ *[0-9.]+ *(B|kB|MB|GB|TB) *$"),
        Shape::ByteRate => byte_rate(),
        Shape::LinkRate => pattern(r"^ *[0-9.]+ *(B|kB|MB|GB|TB|bit|kbit|Mbit|Gbit)/(s|min|h|d)$"),
        Shape::EventRate => pattern(r"^ *[0-9.]+/(s|min|h|d)$"),
        Shape::TimeQuantiles => json_schema!({ "anyOf": [time(), table(&QUANTILES)] }),
        Shape::Wal => {
            let names: Vec<&str> = presets::workload_names().collect();
            let size = shape_of_size();
            json_schema!({ "anyOf": [{ "enum": names }, size, table(&QUANTILES)] })
        }
        Shape::Stretch => json_schema!({ "type": ["number", "string"] }),
        Shape::Factor => json_schema!({ "type": "number", "minimum": 1 }),
        Shape::Loss => json_schema!({ "type": "number", "minimum": 0, "maximum": 0.9 }),
        Shape::Lsn => pattern("^[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}$"),
        Shape::TwoNames => json_schema!({
            "type": "array", "items": { "type": "string" }, "minItems": 2, "maxItems": 2,
        }),
        Shape::ByteRates => json_schema!({ "type": "array", "items": byte_rate() }),
        Shape::Files => json_schema!({
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }],
        }),
        Shape::PresetOr(section) => {
            let names: Vec<&str> = presets::disk_names().collect();
            json_schema!({ "anyOf": [{ "enum": names }, table(section)] })
        }
        Shape::Table(section) => table(section),
        Shape::Named(section) => json_schema!({
            "type": "object",
            "description": section.doc,
            "additionalProperties": table(section),
        }),
        Shape::Settings => settings(),
        Shape::Expectations => expectations(),
        Shape::Assignments => json_schema!({ "type": "object" }),
        Shape::Paths => json_schema!({ "type": "array", "items": { "type": "string" } }),
        Shape::Matrix => json_schema!({ "type": "object" }),
        Shape::Listed(section) => json_schema!({ "type": "array", "items": table(section) }),
        Shape::Deeds => json_schema!({ "type": "array", "minItems": 1, "items": table(&DEED) }),
        Shape::Views => json_schema!({ "type": "array", "items": { "enum": VIEWS } }),
        Shape::Condition => {
            let words: Vec<&str> = CONDITIONS.iter().map(|(word, _)| *word).collect();
            let rows = "rows +[A-Za-z0-9_-]+ +>= +[0-9]+";
            pattern(&format!("^ *[A-Za-z0-9_-]+ +({}|{rows}) *$", words.join("|")))
        }
    }
}

fn pattern(regex: &str) -> Schema {
    json_schema!({ "type": "string", "pattern": regex })
}

fn time() -> Schema {
    json_schema!({
        "anyOf": [pattern(r"^ *[0-9.]+ *(us|ms|s|min|h|d) *$"), { "enum": [0, "0"] }],
    })
}

fn shape_of_size() -> Schema {
    shape(Shape::Size)
}

fn byte_rate() -> Schema {
    pattern(r"^ *[0-9.]+ *(B|kB|MB|GB|TB)/(s|min|h|d)$")
}

/// Every setting of any version; extensions' own have dots and are not listed.
fn settings() -> Schema {
    let mut properties: BTreeMap<&str, Schema> = BTreeMap::new();
    for major in PgVersion::OLDEST.major()..=PgVersion::NEWEST.major() {
        let Some(version) = PgVersion::new(major) else { continue };
        for name in guc::names(version) {
            properties
                .entry(name)
                .or_insert_with(|| json_schema!({ "type": ["string", "number", "boolean"] }));
        }
    }
    json_schema!({ "type": "object", "properties": properties })
}

/// Metrics without a name in them; the others are too many to list.
fn expectations() -> Schema {
    let value = || json_schema!({ "type": ["string", "number", "boolean"] });
    let plain = METRICS.iter().map(|metric| metric.path).filter(|m| !m.contains(".X."));
    let mut properties: BTreeMap<&str, Schema> = plain.map(|metric| (metric, value())).collect();
    let variants = json_schema!({ "type": "array", "items": { "type": "string" }, "minItems": 2 });
    let order = json_schema!({ "type": "object", "additionalProperties": variants });
    properties.insert("order", order);
    json_schema!({ "type": "object", "properties": properties })
}
