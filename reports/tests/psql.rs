//! What is printed of a result, held against psql byte for byte.
//!
//! `models/tests/psql/*.json` has what psql printed of queries on real servers of six major
//! versions, in its three forms, with the values: printing the same values gives the same bytes.

use models::trace::table::{SqlError, SqlType, Table, TableColumn};
use reports::psql::{self, Form};
use serde_json::Value;

const RECORDED: [(&str, &str); 6] = [
    ("13", include_str!("../../models/tests/psql/13.json")),
    ("14", include_str!("../../models/tests/psql/14.json")),
    ("15", include_str!("../../models/tests/psql/15.json")),
    ("16", include_str!("../../models/tests/psql/16.json")),
    ("17", include_str!("../../models/tests/psql/17.json")),
    ("18", include_str!("../../models/tests/psql/18.json")),
];

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

/// The values that psql was given.
fn table(recorded: &Value) -> Table {
    let column = |column: &Value| TableColumn {
        name: text(&column[0]).to_owned(),
        sql_type: SqlType::named(text(&column[1])).unwrap_or_else(|| panic!("type of {column}")),
    };
    let cell = |cell: &Value| cell.as_str().map(str::to_owned);
    Table {
        columns: list(&recorded["columns"]).iter().map(column).collect(),
        rows: list(&recorded["rows"])
            .iter()
            .map(|row| list(row).iter().map(cell).collect())
            .collect(),
    }
}

/// Every recorded query: where, and what came of it.
fn each(mut take: impl FnMut(&str, &Value)) {
    for (major, json) in RECORDED {
        let file: Value = serde_json::from_str(json).expect("JSON");
        let servers = file.as_object().expect("an object").iter();
        for (server, queries) in servers.filter(|(_, queries)| queries.is_object()) {
            for (name, recorded) in queries.as_object().expect("an object") {
                take(&format!("{major}, {server}, {name}"), recorded);
            }
        }
    }
}

#[test]
fn results_are_printed_as_psql_prints_them() {
    let mut printed = 0;
    each(|place, recorded| {
        if recorded["rows"].is_null() {
            return;
        }
        let table = table(recorded);
        for (form, name) in
            [(Form::Aligned, "aligned"), (Form::Expanded, "expanded"), (Form::Csv, "csv")]
        {
            let (ours, theirs) = (psql::table(&table, form), text(&recorded[name]));
            assert_eq!(ours, theirs, "{place}, {name}\nours:\n{ours}\npsql's:\n{theirs}");
            printed += 1;
        }
    });
    assert!(printed > 1_000, "only {printed} were compared");
}

#[test]
fn errors_are_printed_as_psql_prints_them() {
    let mut printed = 0;
    each(|place, recorded| {
        let Some(theirs) = recorded["error"].as_str() else { return };
        let query = text(&recorded["query"]);
        let line = |start: &str| {
            theirs.lines().find_map(|line| line.strip_prefix(start)).map(str::to_owned)
        };
        let name = theirs.split('"').nth(1);
        let error = SqlError {
            message: line("ERROR:  ").expect("a message"),
            position: name.map(|name| query.find(name).expect("it is in the query")),
            hint: line("HINT:  ").map(|hint| &*hint.leak()),
        };
        let ours = psql::error(&error, query);
        assert_eq!(ours, theirs, "{place}\nours:\n{ours}\npsql's:\n{theirs}");
        printed += 1;
    });
    assert!(printed > 40, "only {printed} were compared");
}
