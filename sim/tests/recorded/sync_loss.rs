//! What ends a commit's wait when its only synchronous standby is lost, and what does not.
//!
//! All recorded cases are played in one run, in their order and at about their pace, because what
//! a walsender announces depends on the case before. Each is one commit after the standby was
//! lost, a look at `pg_stat_activity` a second later, what was done about it, and a second look.
//! Equal have to be whether the commit waited, what its client heard, and the lines of the
//! primary's log, in order.
//!
//! **Not compared.** Times, which are of the machine; SQLSTATEs of warnings; the counts in
//! `checkpoint complete`. Statements that only read, and rollbacks, are not modelled: one case.

use models::postgres::command::Interrupt;
use models::postgres::views::Rows;
use models::trace::Run;
use models::trace::fact::What;
use models::trace::messages::Words;
use serde_json::{Value, json};

use super::agreement::Agreement;
use super::retention::observable;
use super::{PRIMARY, observations, play};

const RECORDING: &str = include_str!("g_sync_loss.json");

/// A recorded case, and when it is played.
struct Case {
    recorded: Value,
    /// In milliseconds.
    from: u64,
    until: u64,
}

impl Case {
    fn how(&self) -> &str {
        self.recorded["how"].as_str().expect("a name")
    }

    /// How long the commit is left to wait, in milliseconds.
    fn patience(&self) -> u64 {
        match self.how() {
            how if how.contains("timeout") => 4_000,
            "client_disconnects_while_waiting" => 3_000,
            _ => 1_000,
        }
    }

    /// When something is done about it.
    fn release(&self) -> u64 {
        self.from + 200 + self.patience()
    }

    /// When the standby is back.
    fn back(&self) -> u64 {
        match self.how() {
            // The walsender's timeout is over by then.
            "restart_primary_fast" => self.release() + 58_000,
            "standby_returns" | "pg_wal_replay_resume" => self.release(),
            how if how.contains("'700ms'") => self.release(),
            how if how.contains('(') => self.release() + 2_200,
            // Recorded after the names were given back where processes had been stopped: what
            // walsenders announce in the next case tells.
            _ if self.recorded["loss"] == "sigstop" => self.release() + 600,
            _ => self.release() + 300,
        }
    }

    /// What the file says about this case.
    fn text(&self, index: usize) -> String {
        let (lost, back) = (self.from + 100, self.back());
        let mut text = format!(
            "[workload.c{index}]\nbulk = '64B'\nat = '{}ms'\nover = '1ms'\n",
            self.from + 200
        );
        if let Some(level) = self.recorded["level"].as_str() {
            text += &format!("synchronous_commit = '{level}'\n");
        }
        let mut fault = |kind: &str, whom: &str| {
            text += &format!(
                "[fault.c{index}]\nkind = '{kind}'\n{whom}\nat = '{lost}ms'\nfor = '{}ms'\n",
                back - lost
            );
        };
        match (self.recorded["loss"].as_str(), self.how()) {
            (Some("shutdown"), _) => {}
            (Some("replay paused"), _) | (_, "remote_apply_replay_paused") => {
                fault("replay_pause", "server = 's1'");
            }
            (Some("blackhole"), _) => fault("link_hold", "between = ['pg1', 's1']"),
            (_, _) => fault("freeze", "server = 's1'"),
        }
        let mut actions = vec![(self.release() - 1, LOOK.to_owned())];
        if self.recorded["loss"] == "shutdown" {
            actions.push((lost, "kind = 'stop'\nserver = 's1'".to_owned()));
            actions.push((back, "kind = 'start'\nserver = 's1'".to_owned()));
        }
        self.remedy(index, &mut actions);
        actions.push((self.release() + 50, LOOK.to_owned()));
        actions.push((self.until - 50, LOOK.to_owned()));
        for (n, (at, action)) in actions.iter().enumerate() {
            text += &format!("[action.c{index}_{n}]\nat = '{at}ms'\n{action}\n");
        }
        text
    }

    /// What was done about it.
    fn remedy(&self, index: usize, actions: &mut Vec<(u64, String)>) {
        let at = self.release();
        let set =
            |name: &str, value: &str| format!("kind = 'set'\nsettings = {{ {name} = '{value}' }}");
        let names = |value: &str| set("synchronous_standby_names", value);
        let of_session = |kind: &str| format!("kind = '{kind}'\nworkload = 'c{index}'");
        match self.how() {
            "names_empty_reload" | "remote_apply_replay_paused" => {
                actions.push((at, names("")));
                actions.push((at + 500, names("s1")));
            }
            "names_changed_to_absent_standby(stays blocked)" => {
                actions.push((at, names("nosuch")));
                actions.push((at + 1_650, names("")));
                actions.push((at + 2_100, names("s1")));
            }
            "set sync_commit=local globally (does it release?)" => {
                actions.push((at, set("synchronous_commit", "local")));
                actions.push((at + 1_650, names("")));
                actions.push((at + 1_800, set("synchronous_commit", "on")));
                actions.push((at + 2_100, names("s1")));
            }
            "pg_cancel_backend" => actions.push((at, of_session("cancel_backend"))),
            "pg_terminate_backend" => actions.push((at, of_session("terminate_backend"))),
            "restart_primary_fast" => {
                actions.push((at, "kind = 'restart'\nserver = 'pg1'".to_owned()));
            }
            "client_disconnects_while_waiting" => {
                actions.push((self.from + 300, of_session("client_disconnect")));
            }
            _ => {}
        }
    }
}

const LOOK: &str = "kind = 'observe'\nviews = ['pg_stat_activity']";

/// All cases but the one that nothing is played for.
fn cases() -> Vec<Case> {
    let mut from = 1_000;
    let mut cases = Vec::new();
    for recorded in observations(RECORDING) {
        if recorded["how"] == "select_and_rollback_do_not_wait" {
            continue;
        }
        let mut case = Case { recorded, from, until: 0 };
        case.until = case.back() + 900;
        from = case.until;
        cases.push(case);
    }
    cases
}

fn file(cases: &[Case]) -> String {
    let end = cases.last().expect("some cases").until;
    let mut text = format!(
        "pg_version = 15\nduration = '{end}ms'\n[postgresql]\ncheckpoint_timeout = '1h'\n\
         wal_retrieve_retry_interval = '1s'\nstatement_timeout = '700ms'\n\
         lock_timeout = '700ms'\nidle_in_transaction_session_timeout = '700ms'\n\
         [server.pg1.postgresql]\nsynchronous_standby_names = 's1'\n\
         [server.s1]\nupstream = 'pg1'\n"
    );
    for (index, case) in cases.iter().enumerate() {
        text += &case.text(index);
    }
    text
}

/// The sessions that waited at each look of a case.
fn looks(run: &Run, case: &Case) -> Vec<Value> {
    let within = case.from * 1_000_000..case.until * 1_000_000;
    let looks = run.observations.iter().filter(|look| within.contains(&look.at.0));
    let shown = looks.filter_map(|look| match &look.rows {
        Rows::StatActivity(rows) => Some(serde_json::to_value(rows).expect("JSON")),
        _ => None,
    });
    shown.collect()
}

/// The lines of the primary's log within a case, of the kinds that were recorded.
fn log(run: &Run, case: &Case) -> Vec<String> {
    let words = Words::new(run);
    let within = case.from * 1_000_000..case.until * 1_000_000;
    let mut lines = Vec::new();
    for fact in run.facts.iter().filter(|fact| within.contains(&fact.at.0)) {
        for line in words.log_lines(fact).into_iter().filter(|line| line.server == PRIMARY) {
            let who = line.process.name();
            lines.push(format!("{who}: {}:  {}", line.level.name(), line.text));
            lines.extend(line.detail.map(|detail| format!("{who}: DETAIL:  {detail}")));
        }
    }
    let kinds = ["parameter \"sync", "is now a sync", "synchronous replication", "DETAIL", "FATAL"];
    lines.retain(|l| l.contains("checkpoint complete") || kinds.iter().any(|k| l.contains(k)));
    lines.iter().map(|line| without_counts(line)).collect()
}

fn recorded_log(case: &Case) -> Vec<String> {
    let lines = case.recorded["primary_log"].as_array().map_or(&[][..], Vec::as_slice);
    let line = |line: &Value| {
        let (_, said) = line.as_str().expect("a line").split_once("] ").expect("a prefix");
        without_counts(said)
    };
    lines.iter().map(line).collect()
}

fn without_counts(line: &str) -> String {
    line.split_inclusive("checkpoint complete:").next().unwrap_or(line).to_owned()
}

#[test]
fn a_wait_ends_as_the_recorded_one_did() {
    let cases = cases();
    let run = play(&file(&cases));
    let mut tally = Agreement::of("what releases a waiting commit");
    for (index, case) in cases.iter().enumerate() {
        compare(&run, index, case, &mut tally);
    }
    let answered = |case: &&Case| case.recorded["result"]["tag"].is_string();
    let warned = |case: &&Case| case.how() == "pg_cancel_backend";
    let commits = run.summary.commits;
    let at = json!({ "variant": { "name": "all" } });
    let acknowledged = cases.iter().filter(answered).filter(|case| !warned(case)).count();
    observable(&mut tally, "acknowledged", &at, &json!(acknowledged), &json!(commits.acknowledged));
    observable(&mut tally, "cancelled", &at, &json!(1), &json!(commits.cancelled));
    let unknown = cases.len() - acknowledged - 1;
    observable(&mut tally, "unknown", &at, &json!(unknown), &json!(commits.unknown));
    tally.holds("g-sync_loss", 80);
}

fn compare(run: &Run, index: usize, case: &Case, tally: &mut Agreement) {
    let recorded = &case.recorded;
    let at = json!({ "variant": { "name": case.how() }, "step": recorded["loss"] });
    let looks = looks(run, case);
    let name = format!("c{index}");
    let waits = |look: &Value| {
        look.as_array().is_some_and(|rows| rows.iter().any(|row| row["application_name"] == name))
    };
    // A server that shuts down is not looked at.
    let (before, after, end) = match looks.as_slice() {
        [before, after, end] => (before, after, end),
        [before, end] => (before, end, end),
        _ => panic!("{looks:?} in {at}"),
    };
    observable(tally, "waits", &at, &json!(true), &json!(waits(before)));
    for key in ["wait_event_type", "wait_event", "state"] {
        let of = recorded["activity"].get(0).or(recorded["backend_still_waiting_after_3s"].get(0));
        if let Some(column) = of.and_then(|row| row.get(key)) {
            observable(tally, key, &at, column, &before[0][key]);
        }
    }
    // What is recorded as released late was not by what was done first.
    let late = recorded["release_ms"].as_f64().is_none_or(|ms| ms > 1_000.0);
    let late = late && recorded["still_blocked_after_4s"].is_null();
    observable(tally, "still waits", &at, &json!(late), &json!(waits(after)));
    observable(tally, "waits for ever", &at, &json!(false), &json!(waits(end)));
    let interrupted = run.facts.iter().find_map(|fact| match fact.what {
        What::WaitInterrupted { how, session } if usize::from(session.workload) == index => {
            Some(how)
        }
        _ => None,
    });
    let result = &recorded["result"];
    let wanted = match (result["notices"].as_array(), result["tag"].as_str()) {
        (Some(notices), Some(_)) if !notices.is_empty() => Some(Interrupt::Cancel),
        (_, Some(_)) => None,
        (Some(_), None) => Some(Interrupt::Terminate),
        (None, None) => Some(Interrupt::Disconnect),
    };
    observable(tally, "outcome", &at, &json!(wanted), &json!(interrupted));
    if recorded["primary_log"].is_array() {
        observable(tally, "log", &at, &json!(recorded_log(case)), &json!(log(run, case)));
    }
    for notice in result["notices"].as_array().map_or(&[][..], Vec::as_slice) {
        let said = log(run, case);
        let has = |text: &Value| {
            let text = text.as_str().expect("a text");
            said.iter().any(|line| line.ends_with(&format!(":  {text}")))
        };
        let both = json!([has(&notice[1]), has(&notice[2])]);
        observable(tally, "notice", &at, &json!([true, true]), &both);
    }
}
