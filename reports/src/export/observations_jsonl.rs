//! `observations.jsonl`: what views showed when an operator looked, a JSON object a look.
//!
//! Keys: `at_seconds`, `server`, `view` and `rows`, each row with the columns of the view in the
//! run's version. Intervals and moments are numbers of seconds, and their columns say so.

use models::trace::Run;
use models::trace::messages::Words;
use models::trace::observation::Observation;
use serde_json::{Map, Value, json};

use crate::ReportError;

/// All observations of a run; `None` if nobody looked.
pub fn observations_jsonl(run: &Run) -> Result<Option<String>, ReportError> {
    let words = Words::new(run);
    let mut text = String::new();
    for observation in run.observations.iter() {
        text.push_str(&line(&words, observation)?);
        text.push('\n');
    }
    if run.observations.dropped() > 0 {
        let dropped = run.observations.dropped();
        text.push_str(&json!({ "view": "no_room", "observations": dropped }).to_string());
        text.push('\n');
    }
    Ok((!text.is_empty()).then_some(text))
}

fn line(words: &Words, observation: &Observation) -> Result<String, ReportError> {
    let mut line = Map::new();
    line.insert("at_seconds".to_owned(), json!(observation.at.0 as f64 / 1e9));
    line.insert("server".to_owned(), json!(words.name(observation.server)));
    if let Value::Object(fields) = serde_json::to_value(&observation.rows)? {
        for (key, value) in fields {
            let value = match value {
                Value::Array(rows) => Value::Array(rows.into_iter().map(row).collect()),
                other => other,
            };
            line.insert(key, value);
        }
    }
    Ok(serde_json::to_string(&line)?)
}

/// Columns whose values are nanoseconds.
const TIMES: [&str; 4] = ["write_lag", "flush_lag", "replay_lag", "inactive_since"];

fn row(row: Value) -> Value {
    let Value::Object(columns) = row else { return row };
    let told = |(key, value): (String, Value)| {
        if !TIMES.contains(&key.as_str()) {
            return (key, value);
        }
        let seconds = value.as_u64().map_or(Value::Null, |nanos| json!(nanos as f64 / 1e9));
        (format!("{key}_seconds"), seconds)
    };
    Value::Object(columns.into_iter().map(told).collect())
}
