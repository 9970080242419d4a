//! What a primary keeps for a standby that is away: without a slot and with one, segment by
//! segment.
//!
//! The recorded steps are played as `[[step]]`s: WAL up to the recorded insert position, a
//! CHECKPOINT, a look at the views. Equal have to be, after every checkpoint, the positions, the
//! files, redo, whether the standby could still start and the error if not, the checkpoint's own
//! counts and the lines about slots; with a slot also its row after every step, and what becomes
//! of the standby at the end.
//!
//! **Not compared.** How much of the inserted WAL was already written when somebody looked, which
//! depends on when the recorded walwriter came round: hence file counts without a checkpoint in the
//! recording without a slot, and of `safe_wal_size` there is compared the position at which it
//! would reach zero. In six recorded samples WAL was written between the two queries that give
//! the two numbers; they tell themselves by not ending at a segment.

use models::trace::messages::Words;
use serde_json::{Value, json};

use super::agreement::Agreement;
use super::{PRIMARY, Run, STANDBY, observations, play, seconds};

const WITHOUT_SLOT: &str = include_str!("c_retention_noslot.json");
const WITH_SLOT: &str = include_str!("d_retention_slot.json");

/// Compares an observable of a step.
pub(super) fn observable(
    tally: &mut Agreement,
    what: &str,
    at: &Value,
    recorded: &Value,
    played: &Value,
) {
    let step = (&at["variant"]["name"], &at["step"], &at["after"]);
    tally.equal(&format!("{what} at {step:?}"), recorded, played);
}

/// The observations of each variant, in order.
fn variants(recording: &str) -> Vec<Vec<Value>> {
    let mut variants: Vec<Vec<Value>> = Vec::new();
    for observation in observations(recording) {
        match variants.last_mut().filter(|rows| rows[0]["variant"] == observation["variant"]) {
            Some(rows) if observation["step"] != -1 => rows.push(observation),
            _ => variants.push(vec![observation]),
        }
    }
    variants
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}"))
}

/// A file that plays a variant: `steps` is what follows the first look.
fn scenario(first: &Value, slot: bool, steps: &str) -> String {
    let (variant, wal) = (&first["variant"], &first["wal"]);
    let number = |key: &str| wal[key].as_u64().expect("a number");
    let setting = |key: &str| match variant[key].as_str() {
        Some(value) => format!("{key} = '{value}'\n"),
        None => String::new(),
    };
    let settings = ["wal_keep_size", "max_wal_size", "min_wal_size", "max_slot_wal_keep_size"];
    format!(
        "pg_version = 15\nduration = '5min'\n[start]\nlsn = '{}'\nfiles_before = {}\n\
         files_after = {}\n[postgresql]\nwal_segment_size = '{}MB'\ncheckpoint_timeout = '1h'\n\
         wal_retrieve_retry_interval = '1s'\nmax_wal_senders = 12\n{}[server.pg1]\n\
         [server.pg2]\nupstream = 'pg1'\n{}{steps}",
        // With a slot the run begins after that checkpoint, which the slot of its time held back.
        text(wal, if slot { "write_lsn" } else { "redo_lsn" }),
        number("redo_seg") - number("oldest_seg"),
        number("newest_seg") - number("redo_seg"),
        variant["segsize_mb"],
        settings.map(setting).concat(),
        if slot { "slot = 's1'\n" } else { "" },
    )
}

fn step(deeds: &str) -> String {
    format!("[[step]]\ndo = [{deeds}]\n")
}

const LOOK: &str = "{ observe = ['pg_replication_slots', 'pg_ls_waldir', \
                    'pg_current_wal_lsn', 'pg_control_checkpoint'], server = 'pg1' }";

/// The rows of a view at the `n`-th look of a run.
fn rows(run: &Run, n: usize, view: &str) -> Value {
    let looks = run.observations.iter().map(|look| serde_json::to_value(&look.rows));
    let mut looks = looks.map(|look| look.expect("JSON")).filter(|look| look["view"] == view);
    looks.nth(n).map_or(Value::Null, |mut look| look["rows"].take())
}

/// What the recording has under `wal`, as far as it is compared.
fn wal(run: &Run, n: usize) -> Value {
    let (positions, control) =
        (rows(run, n, "pg_current_wal_lsn"), rows(run, n, "pg_control_checkpoint"));
    let files = rows(run, n, "pg_ls_waldir");
    let files = files.as_array().map_or(&[][..], Vec::as_slice);
    let name = |file: Option<&Value>| file.map_or(Value::Null, |file| file["name"].clone());
    json!({
        "write_lsn": positions[0]["write_lsn"],
        "insert_lsn": positions[0]["insert_lsn"],
        "redo_lsn": control[0]["redo_lsn"],
        "ckpt_lsn": control[0]["checkpoint_lsn"],
        "n_files": files.len(),
        "first_file": name(files.first()),
        "last_file": name(files.last()),
    })
}

/// The log of a server: seconds and text, with `DETAIL` behind it.
fn log(run: &Run, server: models::trace::fact::ServerId) -> Vec<(f64, String)> {
    let words = Words::new(run);
    let lines = run
        .facts
        .iter()
        .flat_map(|fact| words.log_lines(fact).into_iter().map(move |line| (fact.at, line)));
    lines
        .filter(|(_, line)| line.server == server)
        .map(|(at, line)| (seconds(at), line.text))
        .collect()
}

/// The message of a recorded log line.
fn message(line: &Value) -> &str {
    let line = line.as_str().expect("a line");
    ["LOG:  ", "FATAL:  ", "ERROR:  "]
        .iter()
        .filter_map(|level| line.split_once(level))
        .map(|(before, message)| (before.len(), message))
        .min()
        .map_or(line, |(_, message)| message)
}

/// The counts of a `checkpoint complete` line.
fn counts(message: &str) -> Option<&str> {
    let (_, after) = message.split_once("buffers (")?.1.split_once("; ")?;
    after.split_once("; write=").map(|(counts, _)| counts)
}

/// Plays the steps of a recording; the look before the first step comes first.
fn steps(rows: &[Value]) -> String {
    let mut text = match rows[0]["after"] == "streaming" {
        true => step(LOOK),
        false => step(&format!("{{ checkpoint = 'pg1' }}, {{ wait = 'pg2 caught_up' }}, {LOOK}")),
    };
    text += &step("{ stop = 'pg2' }");
    for row in &rows[1..] {
        let write_to = |row: &Value| {
            format!(
                "{{ write_to = '{}', server = 'pg1' }}",
                row["wal"]["insert_lsn"].as_str().expect("a position")
            )
        };
        text += &match row["after"].as_str().expect("what came before") {
            "gen" => step(&format!("{}, {{ sleep = '1s' }}, {LOOK}", write_to(row))),
            "checkpoint" | "checkpoint2" => {
                step(&format!("{{ checkpoint = 'pg1' }}, {{ sleep = '1s' }}, {LOOK}"))
            }
            "reconnect" if row["slot"]["active"] == true => step(&format!(
                "{{ start = 'pg2' }}, {{ wait = 'pg2 caught_up' }}, {{ sleep = '1s' }}, {LOOK}"
            )),
            "reconnect" => step(&format!(
                "{{ start = 'pg2' }}, {{ sleep = '10s' }}, {}, {{ sleep = '1s' }}, {LOOK}",
                write_to(row)
            )),
            "standby_restart" => step("{ start = 'pg2' }, { sleep = '10s' }"),
            other => panic!("what is {other}?"),
        };
    }
    text
}

#[test]
fn without_a_slot_the_primary_keeps_what_the_recorded_one_kept() {
    let mut tally = Agreement::of("WAL kept without a slot");
    for recorded in variants(WITHOUT_SLOT) {
        let run = play(&scenario(&recorded[0], false, &steps(&recorded)));
        for (n, row) in recorded.iter().enumerate() {
            let played = wal(&run, n);
            let exact: &[&str] = match row["after"].as_str() {
                Some("gen") => &["insert_lsn", "redo_lsn", "ckpt_lsn"],
                Some("standby_restart") => &[],
                _ => &[
                    "insert_lsn",
                    "write_lsn",
                    "redo_lsn",
                    "ckpt_lsn",
                    "n_files",
                    "first_file",
                    "last_file",
                ],
            };
            for key in exact {
                observable(&mut tally, key, row, &row["wal"][key], &played[key]);
            }
            if row["after"] == "checkpoint" {
                could_start(&mut tally, row, &played);
            }
        }
        if let Some(end) = recorded.last().filter(|row| row["after"] == "standby_restart") {
            came_back(&mut tally, end, &run);
        }
    }
    tally.holds("c-retention_noslot", 350);
}

/// Whether a standby that needs the recorded segment could start, and the error if not.
fn could_start(tally: &mut Agreement, row: &Value, played: &Value) {
    let oldest = played["first_file"].as_str().unwrap_or_default();
    let needed = match row["probe"]["error"].as_str() {
        Some(error) => error.split(' ').find(|word| word.len() == 24).expect("a segment"),
        None => {
            let segment = row["need_seg"].as_u64().expect("a segment");
            &format!("{:08X}{:016X}", 1, segment)
        }
    };
    observable(tally, "could start", row, &row["probe"]["ok"], &json!(needed >= oldest));
}

/// The standby's log after its restart: the same lines in the same order, each attempt within
/// 0.1 s of its place in the recorded cadence.
fn came_back(tally: &mut Agreement, row: &Value, run: &Run) {
    let recorded: Vec<&str> =
        row["standby_log"].as_array().expect("a log").iter().map(message).collect();
    let log = log(run, STANDBY);
    let wanted = |text: &str| {
        ["started streaming", "could not receive data", "waiting for WAL", "invalid record length"]
            .iter()
            .any(|start| text.starts_with(start))
    };
    let restart = log.iter().rposition(|(_, text)| text.starts_with("entering standby mode"));
    let played: Vec<&(f64, String)> =
        log[restart.unwrap_or(0)..].iter().filter(|(_, text)| wanted(text)).collect();
    for (n, line) in recorded.iter().enumerate() {
        let played = played.get(n).map(|(_, text)| text.lines().next());
        observable(tally, "the standby's log", row, &json!(line), &json!(played));
    }
    let attempts: Vec<f64> = played
        .iter()
        .filter(|(_, text)| text.starts_with("started streaming"))
        .map(|(at, _)| *at)
        .collect();
    // The first two follow each other at once, then one each wal_retrieve_retry_interval.
    let cadence = attempts.iter().skip(1).map(|at| at - attempts[0]);
    for (n, after) in cadence.take(5).enumerate() {
        assert!((after - n as f64).abs() <= 0.1, "attempt {n}: {after}");
    }
}

#[test]
fn a_slot_fares_as_the_recorded_one_did() {
    let mut tally = Agreement::of("WAL kept by a slot, `wal_status`");
    for recorded in variants(WITH_SLOT) {
        let run = play(&scenario(&recorded[0], true, &steps(&recorded)));
        let mut lines = log(&run, PRIMARY).into_iter().map(|(_, text)| text);
        for (n, row) in recorded.iter().enumerate() {
            let played = wal(&run, n);
            for key in ["insert_lsn", "n_files", "first_file", "last_file"] {
                observable(&mut tally, key, row, &row["wal"][key], &played[key]);
            }
            // Up to the first CHECKPOINT redo is where the run began.
            for key in ["redo_lsn", "ckpt_lsn"].iter().filter(|_| n >= 2) {
                observable(&mut tally, key, row, &row["wal"][key], &played[key]);
            }
            if row["after"] != "gen" {
                let key = "write_lsn";
                observable(&mut tally, key, row, &row["wal"][key], &played[key]);
            }
            slot(&mut tally, row, &rows(&run, n, "pg_replication_slots")[0], &played);
            if row["after"] == "streaming" {
                continue;
            }
            for line in row["log"].as_array().expect("a log").iter().map(message) {
                if let Some(recorded) = counts(line) {
                    let played = lines.find_map(|text| counts(&text).map(str::to_owned));
                    observable(&mut tally, "counts", row, &json!(recorded), &json!(played));
                } else if line.starts_with("invalidating slot") {
                    let played = lines.find(|text| text.starts_with("invalidating slot"));
                    observable(&mut tally, "invalidation", row, &json!(line), &json!(played));
                }
            }
        }
    }
    tally.holds("d-retention_slot", 1_000);
}

/// The slot's row; of `safe_wal_size` the position at which it is zero.
fn slot(tally: &mut Agreement, row: &Value, played: &Value, wal: &Value) {
    let recorded = &row["slot"];
    for key in ["active", "restart_lsn", "wal_status"] {
        observable(tally, key, row, &recorded[key], &played[key]);
    }
    let segment = row["variant"]["segsize_mb"].as_i64().expect("a size") << 20;
    let zero_at = |slot: &Value, wal: &Value| {
        let write: Option<models::units::Lsn> = wal["write_lsn"].as_str()?.parse().ok();
        let safe = slot["safe_wal_size"].as_i64()?;
        write.map(|write| safe + i64::try_from(write.0).expect("small"))
    };
    let recorded = zero_at(recorded, &row["wal"]);
    if recorded.is_none_or(|at| at % segment == 0) {
        observable(tally, "safe_wal_size", row, &json!(recorded), &json!(zero_at(played, wal)));
    }
}
