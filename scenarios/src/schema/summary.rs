//! The schema of `summary.json`.
//!
//! Made from the summary itself: two of them are written as JSON, one in which there is something
//! of everything and one in which nothing that may be absent is there. So the compiler asks for a
//! new field here, its type is the one that is written, and what is `null` or left out in the
//! second may be. Metrics have the sentence and the words that [`METRICS`] has; names and texts,
//! which no expectation asks for, have theirs in [`TEXTS`].

use models::trace::law::Law;
use models::trace::summary::{
    Commits, ExpectationSummary, FailoverSummary, LagBands, LatencyMs, LawSummary, MaxEnd,
    ServerSummary, SlotSummary, StandbySummary, StatementSummary, Summary, TimeInBands,
};
use models::units::{Duration, Lsn, TimelineId};
use serde_json::{Map, Value, json};

use super::DIALECT;
use crate::expect::{METRICS, Unit};

/// The name and version of the format.
const FORMAT: &str = "walden.summary/1";

/// What is no metric, by its path.
const TEXTS: &[(&str, &str)] = &[
    ("name", "The variant's name; `base` without one. Of several files: scenario/variant."),
    ("settings", "What the variant sets: paths and values, as in the file."),
    ("settings.X", "The value that this path has."),
    ("commits", "What became of the commits."),
    ("latency_ms", "Commit latency in milliseconds, from intended start; 0 without commits."),
    ("servers", "Every server, in the order of the file."),
    ("servers.X", "A server."),
    ("servers.X.name", "Its name."),
    ("servers.X.pg_wal_bytes", "Bytes of the files in pg_wal."),
    (
        "servers.X.rows",
        "Rows of each workload that a session sees at the end; in runs whose file asks for rows.",
    ),
    ("standbys", "Every standby, in the order of the file."),
    ("standbys.X", "A standby."),
    ("standbys.X.name", "Its name."),
    ("standbys.X.lag_bytes", "The primary's flush_lsn less what it has replayed."),
    ("standbys.X.lag_bands", "How long it was close to the primary, and how long far behind."),
    ("standbys.X.lag_bands.by_bytes", "The same by bytes alone."),
    ("standbys.X.lag_bands.by_time", "The same by time alone."),
    ("standbys.X.replay_lag_seconds", "replay_lag as its upstream's view shows it."),
    ("slots", "Every replication slot that ever existed."),
    ("slots.X", "A replication slot."),
    ("slots.X.server", "The server that has it."),
    ("slots.X.slot_name", "Its name."),
    ("slots.X.retained_bytes", "WAL from restart_lsn to the insert position."),
    ("failovers", "Every failover, in order."),
    ("failovers.X", "A failover."),
    ("statements", "What statements were answered, in order; at most 1,000."),
    ("statements.X", "A statement and its answer."),
    ("statements.X.name", "The [action.X] that sent it; of a [[step]] its number."),
    ("statements.X.server", "The server."),
    ("statements.X.sql", "As SQL."),
    ("statements.X.message", "Why it failed; null if it did not."),
    ("expectations", "What the scenario expects, and what was measured."),
    ("expectations.X", "An expectation."),
    ("expectations.X.metric", "The path into the variant."),
    ("expectations.X.wanted", "The comparison, as in the file."),
    ("expectations.X.measured", "What was measured, as text."),
    ("expectations.X.met", "Whether it held."),
    ("laws", "What PostgreSQL never breaks, and every run is held against."),
    ("laws.X", "A law."),
    ("laws.X.name", "Its name."),
];

/// The schema of `summary.json`.
pub fn summary() -> Value {
    let [full, least] = [full(), least()].map(|summary| {
        serde_json::to_value(summary).expect("a summary is plain data, which JSON has words for")
    });
    let mut variant = of("", &full, Some(&least));
    variant["description"] = "One variant.".into();
    json!({
        "$schema": DIALECT,
        "title": "summary.json of a Walden run",
        "description": "The numbers of a run: what `walden run --json` prints.",
        "type": "object",
        "properties": {
            "schema": { "const": FORMAT, "description": "The format." },
            "walden": { "type": "string", "description": "The version that made it." },
            "scenario": {
                "type": "string", "description": "The scenario's name; several joined by `+`.",
            },
            "seed": { "type": "integer", "minimum": 0, "description": "The seed of every die." },
            "verdict": {
                "enum": ["met", "failed"],
                "description": "Whether all expectations and laws held, in every variant.",
            },
            "variants": {
                "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/variant" },
                "description": "Every variant, in the order in which they are reported.",
            },
        },
        "required": ["schema", "walden", "scenario", "seed", "verdict", "variants"],
        "additionalProperties": false,
        "$defs": { "variant": variant },
    })
}

/// The schema of the value at a path, from the one that is there and the one that need not be.
fn of(path: &str, full: &Value, least: Option<&Value>) -> Value {
    let mut schema = match full {
        Value::Object(fields) if is_by_name(path) => {
            let of_name =
                |_: &String| format!("{path}.{}", if path == "settings" { "X" } else { "Y" });
            let below = fields.iter().next().map(|(name, value)| of(&of_name(name), value, None));
            json!({ "type": "object", "additionalProperties": below })
        }
        Value::Object(fields) => object(path, fields, least),
        Value::Array(items) => {
            let entry = format!("{path}.X");
            let fewest = least.and_then(|list| list.get(0));
            let items = items.first().map(|item| match item {
                Value::Object(_) => of(&entry, item, fewest),
                _ => json!({ "enum": words(path) }),
            });
            json!({ "type": "array", "items": items })
        }
        Value::String(_) => text(path, least),
        Value::Number(number) if number.is_f64() => json!({ "type": "number" }),
        Value::Number(_) => json!({ "type": "integer" }),
        Value::Bool(_) => json!({ "type": "boolean" }),
        Value::Null => json!({ "type": "null" }),
    };
    if least.is_some_and(Value::is_null) {
        match schema.get_mut("enum").and_then(Value::as_array_mut) {
            Some(words) => words.push(Value::Null),
            None => schema["type"] = json!([schema["type"], "null"]),
        }
    }
    if let Some(told) = told(path) {
        schema["description"] = told.into();
    }
    schema
}

/// Tables whose keys are names.
fn is_by_name(path: &str) -> bool {
    path == "settings" || path == "servers.X.rows"
}

fn object(path: &str, fields: &Map<String, Value>, least: Option<&Value>) -> Value {
    let below = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    let absent = |name: &str| least.is_some_and(|least| least.get(name).is_none());
    let properties: Map<String, Value> = fields
        .iter()
        .map(|(name, value)| {
            let least = least.and_then(|least| least.get(name));
            (name.clone(), of(&below(name), value, least))
        })
        .collect();
    let required: Vec<&String> = fields.keys().filter(|name| !absent(name)).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// A text: one of the metric's words, a position, or any.
fn text(path: &str, least: Option<&Value>) -> Value {
    let unit = METRICS.iter().find(|metric| metric.path == path).map(|metric| metric.unit);
    match unit {
        Some(Unit::Lsn) => json!({ "type": "string", "pattern": "^[0-9A-F]{1,8}/[0-9A-F]{1,8}$" }),
        Some(Unit::Word(some)) if !some.is_empty() => {
            let mut words = words(path);
            // A view may have nothing there.
            if least.and_then(Value::as_str) == Some("") {
                words.push("");
            }
            json!({ "enum": words })
        }
        _ if path == "laws.X.name" => {
            json!({ "enum": Law::ALL.into_iter().map(Law::name).collect::<Vec<_>>() })
        }
        Some(_) | None => json!({ "type": "string" }),
    }
}

fn words(path: &str) -> Vec<&'static str> {
    match METRICS.iter().find(|metric| metric.path == path).map(|metric| metric.unit) {
        Some(Unit::Word(words) | Unit::Words(words)) => words.to_vec(),
        Some(_) | None => Vec::new(),
    }
}

fn told(path: &str) -> Option<&'static str> {
    let metric = METRICS.iter().find(|metric| metric.path == path).map(|metric| metric.doc);
    metric.or_else(|| TEXTS.iter().find(|(known, _)| *known == path).map(|(_, text)| *text))
}

/// Any position, text and two sizes.
const LSN: Lsn = Lsn(0x300_0028);
const SIZE: MaxEnd<u64> = MaxEnd { max: 1, end: 1 };

fn word() -> String {
    "x".to_owned()
}

/// A summary with something of everything. Floats have a fraction, so that they are written so.
fn full() -> Summary {
    Summary {
        name: word(),
        settings: [(word(), word())].into(),
        digest: word(),
        simulated_seconds: 0.5,
        events: 1,
        commits: Commits::default(),
        tps: 0.5,
        latency_ms: LatencyMs::default(),
        servers: vec![ServerSummary {
            name: word(),
            role: "primary",
            timeline: TimelineId(1),
            insert_lsn: LSN,
            flush_lsn: LSN,
            pg_wal_bytes: SIZE,
            checkpoints: 1,
            downtime_seconds: 0.5,
            rows: [(word(), 1)].into(),
        }],
        standbys: vec![standby()],
        slots: vec![SlotSummary {
            server: word(),
            slot_name: word(),
            active: true,
            restart_lsn: Some(LSN),
            wal_status: Some("reserved"),
            wal_status_seen: vec!["reserved"],
            safe_wal_size: Some(1),
            retained_bytes: SIZE,
            wal_needed_bytes: 1,
        }],
        failovers: vec![FailoverSummary {
            at_seconds: 0.5,
            from: word(),
            to: word(),
            timeline: TimelineId(2),
            lost_commits: 1,
            downtime_seconds: 0.5,
        }],
        statements: vec![statement()],
        expectations: vec![ExpectationSummary {
            metric: word(),
            wanted: word(),
            measured: word(),
            met: true,
        }],
        laws: vec![LawSummary { name: Law::Forward.name(), held: true, violations: 0 }],
    }
}

fn standby() -> StandbySummary {
    let half = Duration::ms(500);
    let bands = TimeInBands { good: half, between: half, concerning: half };
    StandbySummary {
        name: word(),
        upstream: word(),
        connected: true,
        lost: false,
        sent_lsn: LSN,
        write_lsn: LSN,
        flush_lsn: LSN,
        replay_lsn: LSN,
        lag_bytes: SIZE,
        lag_bands: LagBands { both: bands, by_bytes: bands, by_time: bands },
        replay_lag_seconds: MaxEnd { max: 0.5, end: 0.5 },
        sync_state: "async",
        wal_needed_bytes: 1,
    }
}

fn statement() -> StatementSummary {
    StatementSummary {
        name: word(),
        server: word(),
        at_seconds: 0.5,
        sql: word(),
        value: Some("t"),
        count: Some(1),
        sqlstate: Some("00000"),
        message: Some(word()),
    }
}

/// The same without what may be absent.
fn least() -> Summary {
    let mut summary = full();
    for server in &mut summary.servers {
        server.rows.clear();
    }
    for standby in &mut summary.standbys {
        standby.sync_state = "";
    }
    for slot in &mut summary.slots {
        slot.restart_lsn = None;
        slot.wal_status = None;
        slot.safe_wal_size = None;
    }
    for statement in &mut summary.statements {
        statement.value = None;
        statement.count = None;
        statement.sqlstate = None;
        statement.message = None;
    }
    summary
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every path of a schema, those of lists with an X.
    fn paths(path: &str, schema: &Value, found: &mut Vec<(String, bool)>) {
        found.push((path.to_owned(), schema.get("description").is_some()));
        let below = |name: &str| match path {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        };
        for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
            paths(&below(name), schema, found);
        }
        if schema["items"]["type"] == "object" {
            paths(&below("X"), &schema["items"], found);
        }
        if schema["additionalProperties"].is_object() {
            let name = if path == "settings" { "X" } else { "Y" };
            paths(&below(name), &schema["additionalProperties"], found);
        }
    }

    #[test]
    fn every_key_says_what_it_is_and_every_sentence_is_of_a_key() {
        let mut found = Vec::new();
        paths("", &summary()["$defs"]["variant"], &mut found);
        let silent: Vec<&String> =
            found.iter().filter(|(_, told)| !told).map(|(path, _)| path).collect();
        assert!(silent.is_empty(), "no sentence in METRICS or TEXTS: {silent:?}");
        let has = |path: &str| found.iter().any(|(found, _)| found == path);
        let stale: Vec<&str> = TEXTS.iter().map(|(path, _)| *path).filter(|p| !has(p)).collect();
        assert!(stale.is_empty(), "{stale:?}");
        let metrics: Vec<&str> = METRICS.iter().map(|m| m.path).filter(|p| !has(p)).collect();
        assert!(metrics.is_empty(), "{metrics:?}");
    }
}
