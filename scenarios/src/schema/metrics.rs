//! `[expect]`: every metric, however its path is written, and what it is compared with.
//!
//! `'commits.lost' = '== 0'`, `commits.lost = '== 0'` and a table `[expect.commits]` mean the same.
//! So there is a definition for every beginning of a path, with every rest of it as one name.

use std::collections::BTreeMap;

use models::trace::law::Law;
use serde_json::{Map, Value, json};

use super::{NUMBER, any, name, say, units};
use crate::expect::{METRICS, Metric, Unit};
use crate::quantity::{SIZE, TIME};

/// The definition of the whole table; those of tables in it have the path behind it.
const EXPECT: &str = "expect";

/// Adds the definitions that `#/$defs/expect` needs.
pub(super) fn define(defs: &mut Map<String, Value>) {
    let mut values: BTreeMap<String, Value> = BTreeMap::new();
    for metric in METRICS {
        let with = metric.unit.describe();
        let told = format!("{}\n\nCompared with: {with}.", metric.doc);
        values.insert(metric.path.to_owned(), say(compared(metric.unit), &told));
        if is_ordered(metric.unit) {
            let told =
                format!("Variants, each of which measures more than the last: {}", metric.doc);
            values.insert(format!("order.{}", metric.path), say(variants(), &told));
        }
    }
    for (path, table) in tables(values.keys()) {
        defs.insert(definition(&path), table);
    }
    let all = &mut defs[EXPECT];
    all["description"] = "What has to hold at the end: metrics and comparisons.".into();
    all["patternProperties"][share()] = json!({
        "description": "In what share of runs this is so: `walden sweep` decides it.",
        "type": "string",
        "pattern": format!("^ *(<=|>=|<|>) *{NUMBER} *%? *$"),
    });
    defs.extend(values.into_iter().map(|(path, value)| (definition(&path), value)));
}

/// What a path's definition is called.
fn definition(path: &str) -> String {
    if path.is_empty() { EXPECT.to_owned() } else { format!("{EXPECT}.{path}") }
}

/// A table for every beginning of every path, with every rest of it.
fn tables<'p>(paths: impl Iterator<Item = &'p String>) -> BTreeMap<String, Value> {
    let mut found: BTreeMap<String, [Map<String, Value>; 2]> = BTreeMap::new();
    for path in paths {
        let parts: Vec<&str> = path.split('.').collect();
        let list = parts.iter().find(|part| **part != "order").copied().unwrap_or_default();
        for start in 0..parts.len() {
            let [plain, patterns] = found.entry(parts[..start].join(".")).or_default();
            for end in start + 1..=parts.len() {
                let target = definition(&parts[..end].join("."));
                let target = json!({ "$ref": format!("#/$defs/{target}") });
                let below = &parts[start..end];
                if below.iter().any(|part| matches!(*part, "X" | "Y")) {
                    patterns.insert(pattern(below, list), target);
                } else {
                    plain.insert(below.join("."), target);
                }
            }
        }
    }
    let table = |[plain, patterns]: [Map<String, Value>; 2]| {
        json!({
            "type": "object",
            "properties": plain,
            "patternProperties": patterns,
            "additionalProperties": false,
        })
    };
    found.into_iter().map(|(path, keys)| (path, table(keys))).collect()
}

/// The pattern of a part of a path of this list.
fn pattern(parts: &[&str], list: &str) -> String {
    let parts: Vec<String> = parts
        .iter()
        .map(|part| match *part {
            "X" => named(list),
            "Y" => name(),
            part => part.to_owned(),
        })
        .collect();
    format!("^{}$", parts.join(r"\."))
}

/// The pattern of `share(...)`. What a metric is compared with there is more than it can tell.
fn share() -> String {
    let path = |metric: &Metric| {
        let parts: Vec<&str> = metric.path.split('.').collect();
        // Behind `^` and before `$`.
        let pattern = pattern(&parts, parts[0]);
        pattern[1..pattern.len() - 1].to_owned()
    };
    let paths: Vec<String> = METRICS.iter().map(path).collect();
    format!(r"^share\( *({}) *(==|!=|<=|>=|<|>).+\)$", paths.join("|"))
}

/// How an entry of a list is named.
fn named(list: &str) -> String {
    match list {
        "slots" => format!("{}/[a-z0-9_]{{1,63}}", name()),
        "failovers" => "[1-9][0-9]*".to_owned(),
        "laws" => any(Law::ALL.into_iter().map(Law::name)),
        _ => name(),
    }
}

fn is_ordered(unit: Unit) -> bool {
    match unit {
        Unit::Number | Unit::Millis | Unit::Seconds | Unit::Bytes | Unit::Lsn => true,
        Unit::Bool | Unit::Word(_) | Unit::Words(_) => false,
    }
}

fn variants() -> Value {
    json!({
        "type": "array", "items": { "type": "string" }, "minItems": 2, "uniqueItems": true,
    })
}

/// A comparison, or a bare value that it has to be.
fn compared(unit: Unit) -> Value {
    const EQUAL: &str = "^ *(==|!=) *";
    const ORDER: &str = "(==|!=|<=|>=|<|>) *";
    let ordered = |operand: &str| format!("^ *({ORDER}{operand}|(==|!=) *null) *$");
    let number = |units: &str| ordered(&format!("(-?{NUMBER}|{NUMBER} *({units}))"));
    let text = |pattern: String| json!({ "type": "string", "pattern": pattern });
    let or_number = |pattern: String| json!({ "type": ["string", "number"], "pattern": pattern });
    match unit {
        Unit::Number => or_number(ordered(&format!("-?{NUMBER}"))),
        Unit::Millis | Unit::Seconds => or_number(number(&units(&TIME))),
        Unit::Bytes => or_number(number(&units(&SIZE))),
        Unit::Bool => json!({
            "type": ["string", "boolean"], "pattern": format!("{EQUAL}(true|false|null) *$"),
        }),
        Unit::Lsn => text(ordered("[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}")),
        Unit::Word([]) => json!({
            "type": ["string", "number", "boolean"], "pattern": format!("{EQUAL}[^ ].*$"),
        }),
        Unit::Word(words) | Unit::Words(words) => {
            text(format!("{EQUAL}{} *$", any(words.iter().copied().chain(["null"]))))
        }
    }
}
