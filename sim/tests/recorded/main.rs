//! WAL retention, recycling, timeouts, lag, lost standbys, crashes and the volume of WAL against
//! recorded runs of PostgreSQL 15.18.
//!
//! Each recording is played step by step as a scenario file would say it, and every observable
//! that does not depend on the recorded machine has to come out equal. What is compared within a
//! tolerance, and what is not compared, stands at the head of each file.

#[path = "../../../models/tests/agreement/mod.rs"]
mod agreement;
#[path = "../commit_path/base_costs.rs"]
mod base_costs;
#[path = "../commit_path/mod.rs"]
mod commit_path;
mod crash;
mod lag;
mod recycling;
mod retention;
mod sync_loss;
mod timeouts;
mod wal_volume;

use models::trace::Run;
use models::trace::fact::{ServerId, What};
use models::units::SimTime;
use scenarios::file::ScenarioFile;
use serde_json::Value;
use sim::{Options, Outside};

const PRIMARY: ServerId = ServerId(0);
const STANDBY: ServerId = ServerId(1);

/// A recording's observations.
fn observations(recording: &str) -> Vec<Value> {
    let mut recording: Value = serde_json::from_str(recording).expect("JSON");
    match recording["observations"].take() {
        Value::Array(observations) => observations,
        other => panic!("no list of observations: {other}"),
    }
}

/// Plays what a file of this text says.
fn play(text: &str) -> Run {
    let file = ScenarioFile::parse("recorded", text, &mut |f| Err(f.to_owned()));
    let file = file.unwrap_or_else(|problems| panic!("{problems:?}\n{text}"));
    let scenario = file.variants().unwrap_or_else(|p| panic!("{p:?}\n{text}")).remove(0);
    sim::run(&scenario, Options::default(), &Outside::default()).expect("a run")
}

/// The moments from `since` on at which something like this happened to a server.
fn moments(run: &Run, server: ServerId, since: f64, like: impl Fn(&What) -> bool) -> Vec<f64> {
    let facts = run.facts.iter().filter(|f| f.server == Some(server) && like(&f.what));
    facts.map(|f| seconds(f.at)).filter(|at| *at >= since).collect()
}

fn seconds(at: SimTime) -> f64 {
    at.0 as f64 / 1e9
}
