//! The pattern of a dotted path: what `set`, `unset` and `[matrix]` may name.
//!
//! Made from the same list of keys as [`file`](crate::file)'s own check of paths, and as lenient:
//! a path may end at a table, the names of settings have dots of their own, and a part may stand
//! in quotes. What is written as tables (`set.server.pg2.replay = ..`) shows its first part only.

use serde_json::{Value, json};

use super::{name, one_or_several};
use crate::file::FIXED;
use crate::keys::{QUANTILES, ROOT, Section, Shape};

/// Paths and values.
pub(super) fn assignments() -> Value {
    json!({ "type": "object", "propertyNames": { "pattern": pattern() } })
}

/// Paths and lists of values.
pub(super) fn matrix() -> Value {
    json!({
        "type": "object",
        "propertyNames": { "pattern": pattern() },
        "additionalProperties": { "anyOf": [
            { "type": "array", "minItems": 1, "uniqueItems": true }, { "type": "object" },
        ] },
    })
}

/// Paths alone.
pub(super) fn list() -> Value {
    one_or_several(json!({ "type": "string", "pattern": pattern() }))
}

/// The pattern of a path that a variant may change.
fn pattern() -> String {
    let keys = ROOT.keys.iter().filter(|key| !FIXED.contains(&key.name));
    let paths: Vec<String> = keys.map(|key| format!("{}{}", key.name, below(key.shape))).collect();
    format!("^({})$", paths.join("|"))
}

/// What may follow a key.
fn below(shape: Shape) -> String {
    match shape {
        Shape::Table(section) | Shape::PresetOr(section) => below_section(section),
        Shape::TimeQuantiles | Shape::Wal => below_section(&QUANTILES),
        Shape::Named(section) => {
            let name = name();
            format!(r#"(\.({name}|'[^']+'|"[^"]+"){})?"#, below_section(section))
        }
        Shape::Settings | Shape::Expectations | Shape::Assignments | Shape::Matrix => {
            r"(\..+)?".to_owned()
        }
        Shape::Text
        | Shape::Name
        | Shape::Word(_)
        | Shape::Count(..)
        | Shape::Bool
        | Shape::Time
        | Shape::SignedTime
        | Shape::Moment
        | Shape::Size
        | Shape::ByteRate
        | Shape::LinkRate
        | Shape::EventRate
        | Shape::Point
        | Shape::Stretch
        | Shape::Factor
        | Shape::Loss
        | Shape::Lsn
        | Shape::TwoNames
        | Shape::ByteRates
        | Shape::File
        | Shape::Files
        | Shape::DiskPreset
        | Shape::Paths
        | Shape::Listed(_)
        | Shape::Deeds
        | Shape::Views
        | Shape::Condition => String::new(),
    }
}

fn below_section(section: &Section) -> String {
    let keys: Vec<String> =
        section.keys.iter().map(|key| format!("{}{}", key.name, below(key.shape))).collect();
    format!(r"(\.({}))?", keys.join("|"))
}
