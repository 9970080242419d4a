//! `walden schema`: what it prints is what is committed, and real summaries are as it says.

mod common;

use std::fs;
use std::path::Path;

use common::Room;
use serde_json::Value;

fn committed(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios").join(name);
    fs::read_to_string(path).expect("the schema is committed")
}

#[test]
fn what_is_printed_is_what_is_committed() {
    let room = Room::new("schema-printed");
    for (args, name) in [
        (&["schema"][..], "scenario.schema.json"),
        (&["schema", "scenario"], "scenario.schema.json"),
        (&["schema", "summary"], "summary.schema.json"),
    ] {
        assert!(room.run(args).ends(0).out == committed(name), "{args:?}");
    }
    room.run(&["schema", "summry"]).ends(2).complains("summary");
}

#[test]
fn summaries_of_runs_are_as_the_schema_says() {
    let room = Room::new("schema-summaries");
    let schema: Value = serde_json::from_str(&committed("summary.schema.json")).expect("JSON");
    let validator = jsonschema::draft202012::new(&schema).expect("a schema");
    // Variants and sizes; statements, refused and answered; rows; a slot that is lost; a crash.
    for scenarios in [
        &["small.toml"][..],
        &["small.toml", "basics/standby_is_read_only"],
        &["basics/rows_arrive"],
        &["slots/offline_capped"],
        &["faults/crash_at_random"],
    ] {
        let done = room.run(&[&["run", "--json"], scenarios].concat());
        let summary: Value = serde_json::from_str(&done.out).expect("JSON");
        let errors: Vec<String> = validator
            .iter_errors(&summary)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{scenarios:?}: {errors:#?}");
        every_other_shape_is_refused(&validator, &summary);
    }
}

/// Without any one key, with one more, or with a text for a number it is another format.
fn every_other_shape_is_refused(validator: &jsonschema::Validator, summary: &Value) {
    let mut pointers = Vec::new();
    walk("", summary, &mut pointers);
    assert!(pointers.len() > 50, "{}", pointers.len());
    for pointer in pointers {
        let mut changed = summary.clone();
        let value = changed.pointer_mut(&pointer).expect("it is there");
        if let Some(table) = value.as_object_mut() {
            table.insert("another".to_owned(), Value::Null);
            assert!(!validator.is_valid(&changed), "{pointer} takes any key");
        } else {
            *value = Value::Array(vec![Value::Null]);
            assert!(!validator.is_valid(&changed), "{pointer} takes anything");
        }
        let (above, key) = pointer.rsplit_once('/').expect("a pointer");
        let mut changed = summary.clone();
        let above_value = changed.pointer_mut(above).expect("it is there");
        let by_name = above.ends_with("/settings") || above.ends_with("/rows") || key == "rows";
        if let Some(table) = above_value.as_object_mut().filter(|_| !by_name) {
            table.remove(key);
            assert!(!validator.is_valid(&changed), "{pointer} may be absent");
        }
    }
}

fn walk(path: &str, value: &Value, found: &mut Vec<String>) {
    let below: Vec<(String, &Value)> = match value {
        Value::Object(table) => table.iter().map(|(key, v)| (key.clone(), v)).collect(),
        Value::Array(items) => {
            items.first().map(|item| ("0".to_owned(), item)).into_iter().collect()
        }
        _ => Vec::new(),
    };
    for (key, value) in below {
        let path = format!("{path}/{key}");
        walk(&path, value, found);
        found.push(path);
    }
}
