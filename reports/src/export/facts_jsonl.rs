//! `facts.jsonl`: what happened, a JSON object a line.
//!
//! Keys: `at_seconds`, `server` (null for what is outside of all), the fact's kind (`what`) and
//! fields with names instead of ids, `text` (plain words) and `log` (PostgreSQL's messages, as
//! they stand in the servers' logs).

use models::trace::Run;
use models::trace::fact::Fact;
use models::trace::messages::{LogLine, Words};
use serde_json::{Map, Value, json};

use crate::ReportError;

/// All facts of a run.
pub fn facts_jsonl(run: &Run) -> Result<String, ReportError> {
    let words = Words::new(run);
    let mut text = String::new();
    for fact in run.facts.iter() {
        text.push_str(&line(&words, fact)?);
        text.push('\n');
    }
    if run.facts.dropped() > 0 {
        text.push_str(&json!({ "what": "no_room", "facts": run.facts.dropped() }).to_string());
        text.push('\n');
    }
    Ok(text)
}

fn line(words: &Words, fact: &Fact) -> Result<String, ReportError> {
    let fields = match serde_json::to_value(fact.what)? {
        Value::Object(fields) => fields,
        other => Map::from_iter([("what".to_owned(), other)]),
    };
    let mut line = Map::new();
    let nanos = fact.at.0;
    line.insert("at_seconds".to_owned(), json!(nanos as f64 / 1e9));
    line.insert("server".to_owned(), fact.server.map_or(Value::Null, |s| json!(words.name(s))));
    for (key, value) in fields {
        let value = match (key.as_str(), value.as_u64()) {
            ("upstream" | "standby", Some(id)) => {
                let id = models::trace::fact::ServerId(u8::try_from(id).unwrap_or(u8::MAX));
                json!(words.name(id))
            }
            ("fault", Some(index)) => {
                let fault = usize::try_from(index).ok().and_then(|i| words.run().faults.get(i));
                fault.map_or(value, |fault| json!(fault.name))
            }
            ("action", Some(index)) => {
                let action = usize::try_from(index).ok().and_then(|i| words.run().actions.get(i));
                action.map_or(value, |action| json!(action.place))
            }
            // Durations are nanoseconds, other plain numbers bytes or counts.
            ("took", Some(nanos)) => {
                line.insert("took_seconds".to_owned(), json!(nanos as f64 / 1e9));
                continue;
            }
            ("lost" | "distance", Some(_)) => {
                line.insert(format!("{key}_bytes"), value);
                continue;
            }
            // A position, told apart from the moment.
            ("at", _) => {
                line.insert("lsn".to_owned(), value);
                continue;
            }
            _ => value,
        };
        line.insert(key, value);
    }
    line.insert("text".to_owned(), json!(words.plain(fact)));
    let log: Vec<Value> = words.log_lines(fact).iter().map(|l| message(words, l)).collect();
    if !log.is_empty() {
        line.insert("log".to_owned(), Value::Array(log));
    }
    Ok(serde_json::to_string(&line)?)
}

fn message(words: &Words, line: &LogLine) -> Value {
    let mut message = Map::new();
    message.insert("server".to_owned(), json!(words.name(line.server)));
    message.insert("level".to_owned(), json!(line.level.name()));
    message.insert("process".to_owned(), json!(line.process.name()));
    message.insert("text".to_owned(), json!(line.text));
    let rest = [("detail", &line.detail), ("hint", &line.hint), ("statement", &line.statement)];
    for (key, text) in rest {
        if let Some(text) = text {
            message.insert(key.to_owned(), json!(text));
        }
    }
    Value::Object(message)
}
