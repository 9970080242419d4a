//! `synchronous_standby_names` against a real server: every observation of a recorded
//! PostgreSQL 15.18 with up to three standbys is played, and must come out the same.
//!
//! The recording (`conformance/f_sync_names.json`) holds what `pg_stat_replication` showed for a
//! value of the setting (`states`), whether a commit blocked while some standbys were stopped
//! but connected (`block`) or shut down (`down`) or shared a name (`dup`), and what the server
//! said to values it refused (`invalid`). A commit is played as the walsenders see it: every
//! standby has reported an earlier position, then those that can report the commit's.

mod agreement;

use agreement::Agreement;
use models::postgres::syncrep::{Standby, StandbyNames, SyncRep, WaitMode};
use models::units::Lsn;
use serde_json::Value;

const RECORDING: &str = include_str!("conformance/f_sync_names.json");

const BEFORE: Lsn = Lsn(0x300_0060);
const COMMIT: Lsn = Lsn(0x300_0148);

/// A primary and its standbys, all streaming, in the order of their walsender slots.
struct Primary {
    syncrep: SyncRep,
    names: Vec<String>,
    standbys: Vec<Standby>,
}

impl Primary {
    /// All standbys have reported `BEFORE`.
    fn new(setting: &str, names: Vec<String>) -> Primary {
        let setting = StandbyNames::parse(setting).expect("a setting the server took");
        let priorities = names.iter().map(|name| setting.priority(name));
        let standbys: Vec<Standby> = priorities.map(|p| reporting(BEFORE, p)).collect();
        let mut syncrep = SyncRep::new(setting);
        for index in 0..standbys.len() {
            syncrep.release(&standbys, index);
        }
        Primary { syncrep, names, standbys }
    }

    /// Every connected standby that `answers` reports `COMMIT`; whether the commit still waits.
    fn commit_blocks(&mut self, answers: impl Fn(&str) -> bool) -> bool {
        for index in 0..self.standbys.len() {
            if self.standbys[index].connected && answers(&self.names[index]) {
                self.standbys[index] = reporting(COMMIT, self.standbys[index].priority);
                self.syncrep.release(&self.standbys, index);
            }
        }
        self.syncrep.must_wait(WaitMode::Flush, COMMIT)
    }

    /// The rows of `pg_stat_replication` by slot: name, `sync_state`, `sync_priority`.
    fn rows(&self) -> Vec<(String, String, u64)> {
        let connected = (0..self.standbys.len()).filter(|&index| self.standbys[index].connected);
        let row = |index| {
            let (state, priority) = self.syncrep.sync_state(&self.standbys, index);
            (self.names[index].clone(), state.to_string(), u64::from(priority))
        };
        connected.map(row).collect()
    }
}

/// A standby that has written, flushed and replayed up to `lsn`.
fn reporting(lsn: Lsn, priority: u32) -> Standby {
    let (write, flush, apply) = (lsn, lsn, lsn);
    Standby { connected: true, streaming: true, priority, write, flush, apply }
}

fn text<'a>(observation: &'a Value, key: &str) -> &'a str {
    observation[key].as_str().unwrap_or_else(|| panic!("no {key} in {observation}"))
}

fn list(value: &Value) -> Vec<String> {
    let items = value.as_array().expect("a list").iter();
    items.map(|item| item.as_str().expect("a string").to_owned()).collect()
}

/// The recorded rows, in the order of their names, as slots are not recorded for all of them.
fn recorded_rows(observation: &Value) -> Vec<(String, String, u64)> {
    let rows = observation["rows"].as_array().expect("rows").iter();
    let mut rows: Vec<_> = rows
        .map(|row| {
            let priority = row["sync_priority"].as_u64().expect("a priority");
            (text(row, "application_name").to_owned(), text(row, "sync_state").to_owned(), priority)
        })
        .collect();
    rows.sort();
    rows
}

fn sorted<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort();
    items
}

/// The names in slot order. Standbys take the lowest free slot as they connect, so it is the
/// order of connection, unless some have been replaced: then the recording lists the slots.
fn slots(observation: &Value) -> Vec<String> {
    let named = |row: &Value| text(row, "application_name").to_owned();
    match (observation["pids"].as_array(), observation["connected"].as_array()) {
        (Some(slots), _) => slots.iter().map(named).collect(),
        (None, Some(_)) => list(&observation["connected"]),
        (None, None) => observation["rows"].as_array().expect("rows").iter().map(named).collect(),
    }
}

fn three() -> Vec<String> {
    ["s1", "s2", "s3"].map(str::to_owned).to_vec()
}

/// Whether the observation comes out as recorded.
fn play(observation: &Value) -> bool {
    let setting = text(observation, "setting");
    let blocked = observation["blocked"].as_bool();
    match text(observation, "kind") {
        "states" => {
            let primary = Primary::new(setting, slots(observation));
            sorted(primary.rows()) == recorded_rows(observation)
        }
        "dup" => {
            let mut primary = Primary::new(setting, slots(observation));
            sorted(primary.rows()) == recorded_rows(observation)
                && Some(primary.commit_blocks(|_| true)) == blocked
        }
        "block" => {
            let frozen = list(&observation["frozen"]);
            let mut primary = Primary::new(setting, three());
            let blocks = primary.commit_blocks(|name| !frozen.iter().any(|f| f == name));
            // Once all are let go, the commit ends by itself or has to be cancelled.
            let for_ever = primary.commit_blocks(|_| true);
            Some(blocks) == blocked && Some(for_ever) == observation["needed_cancel"].as_bool()
        }
        "down" => {
            let down = list(&observation["down"]);
            let mut primary = Primary::new(setting, three());
            for (name, standby) in primary.names.iter().zip(&mut primary.standbys) {
                if down.contains(name) {
                    *standby = Standby::default();
                }
            }
            sorted(primary.rows()) == recorded_rows(observation)
                && Some(primary.commit_blocks(|_| true)) == blocked
        }
        "invalid" => match StandbyNames::parse(setting) {
            Ok(_) => observation["ok"] == true,
            Err(error) => {
                observation["ok"] == false
                    && observation["error"].as_str() == Some(&error.to_string())
                    && observation["detail"].as_str() == error.detail()
                    && observation["sqlstate"].as_str() == Some(error.sqlstate())
            }
        },
        other => panic!("an observation of unknown kind {other}"),
    }
}

#[test]
fn every_recorded_observation_comes_out_the_same() {
    let recording: Value = serde_json::from_str(RECORDING).expect("JSON");
    let observations = recording["observations"].as_array().expect("observations");
    let wrong: Vec<_> = observations.iter().filter(|&o| !play(o)).collect();
    assert!(wrong.is_empty(), "{} differ: {wrong:#?}", wrong.len());
    let mut agreement = Agreement::of("`synchronous_standby_names`");
    agreement.found(observations.len(), observations.len());
    agreement.holds("f-sync_names", 111);
}
