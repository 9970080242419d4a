//! Checkpoints by WAL and by time, and what becomes of their files.
//!
//! WAL comes at the recorded pace. Of each checkpoint are compared: why it began, how many files
//! it added, removed and recycled, and the estimate, worked out from the distances here as
//! PostgreSQL's line shows it for its own. Distances agree within the WAL of one of the recorded
//! writer's pauses, since a checkpoint begins with the write that completes a segment.

use serde_json::Value;

use super::agreement::Agreement;
use super::{PRIMARY, Run, observations, play};
use models::trace::messages::Words;

const RECORDING: &str = include_str!("e_recycling.json");

/// A pair of log lines.
#[derive(Clone, Debug, PartialEq)]
struct Checkpoint {
    cause: String,
    added: u64,
    removed: u64,
    recycled: u64,
    distance_kb: u64,
    estimate_kb: u64,
}

/// The checkpoints of a log, from its `checkpoint starting` and `checkpoint complete` lines.
fn checkpoints<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Checkpoint> {
    let mut cause = String::new();
    let mut found = Vec::new();
    for line in lines {
        if let Some((_, after)) = line.split_once("checkpoint starting: ") {
            after.trim().clone_into(&mut cause);
        } else if let Some((_, after)) = line.split_once("checkpoint complete: ") {
            let before = |unit: &str| {
                let (number, _) = after.split_once(unit).expect("a count");
                number.rsplit(' ').next().and_then(|n| n.parse().ok()).expect("a number")
            };
            let after_word = |word: &str| {
                let (_, number) = after.split_once(word).expect("a size");
                number.split(' ').next().and_then(|n| n.parse().ok()).expect("a number")
            };
            found.push(Checkpoint {
                cause: cause.clone(),
                added: before(" WAL file(s) added"),
                removed: before(" removed"),
                recycled: before(" recycled"),
                distance_kb: after_word("distance="),
                estimate_kb: after_word("estimate="),
            });
        }
    }
    found
}

/// The recorded server with the recorded pace.
fn pace(variant: &Value) -> Run {
    let text = |key: &str| variant[key].as_str().expect("a setting").to_owned();
    let mut at = 0;
    let mut workloads = String::new();
    for phase in variant["phases"].as_array().expect("phases") {
        let number = |n: usize| phase[n].as_u64().expect("whole");
        let (rate, lasts) = (number(0), number(1));
        workloads += &format!(
            "[workload.from{at}]\nat = '{at}s'\nbulk = '{}MB'\nover = '{lasts}s'\n",
            rate * lasts
        );
        at += lasts;
    }
    play(&format!(
        "pg_version = 15\nduration = '{}s'\n[start]\nlsn = '0/1036C00'\nrecycled = 'none'\n\
         [postgresql]\nmax_wal_size = '{}'\nmin_wal_size = '{}'\n\
         checkpoint_completion_target = {}\ncheckpoint_timeout = '{}'\n[server.pg1]\n{workloads}",
        at + 1,
        text("max_wal_size"),
        text("min_wal_size"),
        text("checkpoint_completion_target"),
        text("checkpoint_timeout"),
    ))
}

fn log(run: &Run) -> Vec<String> {
    let words = Words::new(run);
    let lines = run.facts.iter().filter(|f| f.server == Some(PRIMARY));
    lines.flat_map(|fact| words.log_lines(fact)).map(|line| line.text).collect()
}

#[test]
fn checkpoints_recycle_what_the_recorded_ones_did() {
    let mut equal = 0;
    for observation in observations(RECORDING) {
        let variant = &observation["variant"];
        let lines = observation["log"].as_array().expect("a log").iter();
        let recorded = checkpoints(lines.filter_map(Value::as_str));
        let run = pace(variant);
        let played = log(&run);
        let played = checkpoints(played.iter().map(String::as_str));
        assert!(played.len() >= recorded.len(), "{variant}\n{played:#?}");
        let mut estimate = 0.0_f64;
        for (n, (recorded, played)) in recorded.iter().zip(&played).enumerate() {
            let what = |c: &Checkpoint| (c.cause.clone(), c.added, c.removed, c.recycled);
            assert_eq!(what(recorded), what(played), "{n} of {variant}\n{recorded:?}\n{played:?}");
            equal += 4;
            let distance = played.distance_kb as f64;
            estimate = distance.max(0.9 * estimate + 0.1 * distance);
            assert!((estimate - played.estimate_kb as f64).abs() <= 2.0, "{n} of {variant}");
            equal += 1;
        }
    }
    let mut agreement = Agreement::of("files recycled, counts of checkpoints");
    agreement.found(equal, equal);
    agreement.holds("e-recycling", 80);
}
