//! The schemas are those of the tables, and a validator that others use believes them.
//!
//! `UPDATE_GOLDENFILES=1 cargo test -p scenarios --test schema` writes `*.schema.json` again.

use std::fs;
use std::path::PathBuf;

use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use scenarios::{ScenarioFile, catalog, keys, schema};
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn validator() -> Validator {
    jsonschema::draft202012::new(&schema::scenario()).expect("a schema")
}

fn json(text: &str) -> Option<Value> {
    let table: toml::Table = text.parse().ok()?;
    serde_json::to_value(table).ok()
}

/// What the validator says against a text.
fn against(validator: &Validator, text: &str) -> Vec<String> {
    let value = json(text).expect("TOML");
    validator.iter_errors(&value).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

#[test]
fn the_committed_schemas_are_those_of_this_version() {
    for (name, schema) in
        [("scenario.schema.json", schema::scenario()), ("summary.schema.json", schema::summary())]
    {
        let path = root().join(name);
        let wanted = serde_json::to_string_pretty(&schema).expect("JSON") + "\n";
        if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
            fs::write(&path, &wanted).expect("written");
        }
        let there = fs::read_to_string(&path).unwrap_or_default();
        assert!(there == wanted, "{name} is stale: see this file's header");
    }
}

#[test]
fn they_are_schemas() {
    for schema in [schema::scenario(), schema::summary()] {
        jsonschema::meta::validate(&schema).unwrap_or_else(|e| panic!("{e}"));
        // Editors read them by the older draft.
        jsonschema::draft7::new(&schema).expect("a schema of draft 7 too");
    }
}

#[test]
fn every_scenario_of_the_catalogue_is_valid() {
    let validator = validator();
    for entry in catalog::all() {
        let errors = against(&validator, entry.text);
        assert!(errors.is_empty(), "{}: {errors:#?}", entry.name);
    }
}

/// Whether the reader takes it, without the files that it names.
fn is_read(text: &str) -> bool {
    ScenarioFile::parse("x", text, &mut |_| Err("no files here".to_owned())).is_ok()
}

#[test]
fn what_the_reader_takes_is_valid_however_it_is_written() {
    let validator = validator();
    let hold = |text: &str| {
        let errors = against(&validator, text);
        assert!(errors.is_empty(), "{errors:#?}\n{text}");
    };
    let mut read = 0;
    let files = fs::read_dir(root().join("tests/check")).expect("tests/check");
    for path in files.map(|entry| entry.expect("an entry").path()) {
        if path.extension().is_some_and(|end| end == "toml") {
            let text = fs::read_to_string(path).expect("a scenario");
            if is_read(&text) {
                hold(&text);
                read += 1;
            }
        }
    }
    hold(include_str!("../../sim/cli/src/starter.toml"));
    assert!(read >= 40, "{read} files");
    let base = "duration = '1min'\n[server.pg1]\n[server.pg2]\nupstream = 'pg1'\n";
    for more in [
        "[postgresql]\nfsync = 'TRUE'\nwal_keep_size = 0x10\ndatestyle = 'iso'",
        "[postgresql]\nsynchronous_commit = 'Remote_Apply'\nhot_standby = 'y'",
        "[postgresql]\nfull_page_writes = 1",
        "[postgresql]\npg_stat_statements.max = 5\n'auto_explain.log_analyze' = true",
        "[postgresql]\nwork_mem = '1e3kB'",
        "[postgresql]\narchive_timeout = '0s'\nrestore_command = ''\narchive_mode = false",
        "[postgresql]\ncheckpoint_completion_target = '.5'\nsort_mem = ' 64 MB '",
        "[network]\nrtt = 0\nbandwidth = '1.5 Gbit/s'\nloss = 0\n[workload.w]\nrate = ' 5 / s '",
        "[workload.w]\nclients = 3\nthink = { min = 0, max = '1ms' }\nservice = '40 us'",
        "[workload.w]\ndaily = ['0/s', '1MB/min']\nstep = '1s'",
        "[expect]\ncommits.lost = 0\nstandbys.pg2 = { lost = false }",
        "[expect]\n'servers.pg1'.timeline = 1\n'latency_ms.max' = '< 1.5 s'\ndigest = '!= x'",
        "[expect]\n'slots.pg1/s.restart_lsn' = '== null'\n'slots.pg1/s'.safe_wal_size = '< -5'",
        "[variant.a.set.network]\nrtt = '1ms'",
        "[variant.b]\nset = { \"server.'pg2'.replay\" = '1MB/s' }",
        "[variant.a]\n[expect]\norder.tps = ['base', 'a']",
        "[variant.a]\n[expect]\n'order.latency_ms.p50' = ['a', '<= base']",
        "[matrix]\nnetwork.rtt = ['1ms', 0]\n'server.pg2.disk' = ['ssd', { write = '1MB/s' }]",
        "[fault.x]\nkind = 'freeze'\nserver = 'pg2'\nat = { between = ['1s', '5s'] }\nfor = '1s'",
        "[[step]]\ndo = [{ observe = 'pg_stat_replication' }, { wait = ' pg2  streaming ' }]",
    ] {
        let text = format!("{base}{more}");
        assert!(is_read(&text), "{more}");
        hold(&text);
    }
}

#[test]
fn a_fault_needs_what_its_row_says() {
    for fault in keys::FAULTS {
        let text = format!(
            "duration = '1min'\n[server.pg1]\n[fault.x]\nkind = '{}'\nat = '1s'\n",
            fault.name
        );
        let problems = ScenarioFile::parse("x", &text, &mut |_| Err(String::new()));
        let said = problems.expect_err("something is missing").to_string();
        for key in fault.needs {
            assert!(said.contains(&format!("needs `{key}`")), "{}: {key}: {said}", fault.name);
        }
    }
}

/// Words of the messages about a mistake of shape: an unknown key, a missing one, one that does not
/// go with another, a value of another type, a word or a unit that there is not.
const OF_SHAPE: &[&str] = &[
    "has no key",
    "needs `",
    "does not go with",
    "is not a key of",
    "two actions",
    "has both",
    "does not say",
    ", not a string",
    ", not a number",
    ", not a boolean",
    ", not a list",
    ", not a table",
    "cannot be `",
    "no name for",
    "has an empty name",
    "is not a unit",
    "has no unit",
    "is not a rate",
    "is more than one number",
    "is no comparison",
    "cannot be compared",
    "there is no metric",
    "there is no fault of kind",
    "there is no action of kind",
    "there is no disk preset",
    "there is no workload preset",
    "there is no view",
    "there is no law",
    "leads nowhere",
    "is no path",
    "a variant cannot change",
    "unrecognized configuration parameter",
    "invalid value for parameter",
    "requires a Boolean value",
    "cannot be changed",
    "invalid input syntax",
];

/// Mistakes of shape that the schema does not see, by file and line, and why not.
const UNSEEN: &[(&str, usize, &str)] = &[
    ("expect_shares.toml", 10, "a text that is parsed further"),
    ("fault_disks.toml", 6, "one of two keys is needed"),
    ("fault_worse.toml", 18, "it depends on `between`"),
    ("setting_of_another_version.toml", 4, "it depends on `pg_version`"),
    ("standby_names.toml", 3, "a text that is parsed further"),
    ("step_set.toml", 13, "it can be set before the start"),
    ("step_set.toml", 15, "a text that is parsed further"),
    ("variant_values.toml", 7, "values behind paths are not looked at"),
    ("variant_values.toml", 9, "values behind paths are not looked at"),
];

/// What the schema says and the reader does not, and why.
const ONLY_THE_SCHEMA: &[(&str, usize, &str)] = &[
    ("setting_values.toml", 10, "the reader takes it for the setting of an extension"),
    ("workload_kinds.toml", 13, "the reader has given up on that workload"),
];

/// The files of mistakes, without those that are no TOML.
fn bad() -> Vec<(String, String)> {
    let entries = fs::read_dir(root().join("tests/bad")).expect("tests/bad");
    let mut files: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "toml"));
    files.sort();
    let read = |path: PathBuf| {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        (name, fs::read_to_string(&path).expect("a scenario"))
    };
    files.into_iter().map(read).filter(|(_, text)| json(text).is_some()).collect()
}

/// The reader's messages about the file itself, by line.
fn messages(name: &str) -> Vec<(usize, String)> {
    let golden = root().join("tests/bad").join(name).with_extension("txt");
    let text = fs::read_to_string(golden).expect("messages");
    let of_file = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let message = |line: &str| {
        let (place, message) = line.split_once(": ")?;
        Some((place.split(':').next()?.parse().ok()?, message.to_owned()))
    };
    of_file.filter_map(message).collect()
}

/// Lines that the validator complains about.
fn complaints(validator: &Validator, text: &str) -> Vec<(usize, String)> {
    let value = json(text).expect("TOML");
    let tree = DeTable::parse(text).expect("TOML");
    let line = |at: usize| text[..at].matches('\n').count() + 1;
    let mut found = Vec::new();
    for error in validator.iter_errors(&value) {
        let keys: Vec<Option<String>> = match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                unexpected.iter().cloned().map(Some).collect()
            }
            ValidationErrorKind::PropertyNames { error } => {
                vec![error.instance().as_str().map(str::to_owned)]
            }
            _ => vec![None],
        };
        for key in keys {
            let mut path: Vec<String> =
                error.instance_path().iter().map(|part| part.to_string()).collect();
            path.extend(key);
            found.push((line(place(&tree, &path)), format!("{}: {error}", path.join(" "))));
        }
    }
    found
}

/// Where the value at a path is written: at its key, or as an item of a list.
fn place(tree: &Spanned<DeTable<'_>>, path: &[String]) -> usize {
    let mut at = 0;
    let mut value: Option<&DeValue<'_>> = None;
    for part in path {
        let next = match value {
            Some(DeValue::Array(items)) => {
                let next = items.get(part.parse::<usize>().expect("a number")).expect("an item");
                at = next.span().start;
                next
            }
            within => {
                let table = within.map_or(Some(tree.get_ref()), DeValue::as_table);
                let entry = table.and_then(|table| table.get_key_value(part.as_str()));
                let (key, next) = entry.expect("a key");
                at = key.span().start;
                next
            }
        };
        value = Some(next.get_ref());
    }
    at
}

#[test]
fn mistakes_of_shape_are_seen_where_the_reader_sees_them() {
    let validator = validator();
    let (mut wrong, mut of_shape) = (Vec::new(), 0);
    for (name, text) in bad() {
        let complaints = complaints(&validator, &text);
        let known = |list: &[(&str, usize, &str)], line: usize| {
            list.iter().any(|(file, at, _)| *file == name && *at == line)
        };
        for (line, message) in messages(&name) {
            let is_of_shape = OF_SHAPE.iter().any(|words| message.contains(words));
            let seen = complaints.iter().any(|(l, _)| *l == line);
            of_shape += usize::from(is_of_shape && seen);
            if is_of_shape && seen == known(UNSEEN, line) {
                wrong.push(format!("{name}:{line} seen: {seen}. {message}"));
            }
        }
        for (line, complaint) in &complaints {
            let said = messages(&name).iter().any(|(l, _)| l == line);
            if said == known(ONLY_THE_SCHEMA, *line) {
                wrong.push(format!("{name}:{line} said: {said}. {complaint}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(of_shape >= 155, "{of_shape} messages");
}

#[test]
fn files_of_mistakes_are_refused_by_the_dozen() {
    let validator = validator();
    let all = bad();
    let refused = all.iter().filter(|(_, text)| !against(&validator, text).is_empty()).count();
    // The others have every key and every value in its place, and are wrong all the same.
    assert!(refused >= 59, "{refused} of {}", all.len());
}
