//! When each side notices a link that went silent, and when the standby is back.
//!
//! The link holds what is sent and passes it on when it heals, as the recorded proxy did. Under
//! load a side notices `T` after the last message, within 0.1 s; an idle one between `T/2` and
//! `T`, by where it was between two pings: both the recorded moment and those of 40 phases played
//! here have to lie there, and the played ones have to fill it.
//!
//! The logs of all cases are played in one run, in their order and at their pace, because a line
//! about the end of WAL is only written where it has moved. Equal have to be all lines of both
//! servers, in order, with the positions that do not depend on what was written in between.
//!
//! **Not compared.** `log_replication_commands`, which no model has: the commands, and the
//! `STATEMENT` lines. Where WAL ended. The one attempt to connect that came while the primary
//! restarted: it met the recorded proxy, which took it and hung up.

use models::trace::fact::{ConnectionEnd, What};
use models::trace::messages::Words;
use models::units::Lsn;
use serde_json::Value;

use super::agreement::{Agreement, Unit};
use super::{PRIMARY, Run, STANDBY, moments, observations, play, seconds};

const RECORDING: &str = include_str!("j_timeouts.json");
/// What comes on top of a timer: connecting, scheduling, the recorded machine.
const SLACK: f64 = 0.1;

fn number(observation: &Value, key: &str) -> Option<f64> {
    observation[key].as_f64()
}

/// A primary and a standby on one host, idle or with some commits a second.
fn servers(observation: &Value, duration: f64) -> String {
    let seconds = |key: &str, default: f64| number(observation, key).unwrap_or(default);
    let mut text = format!(
        "pg_version = 15\nduration = '{duration}s'\n[postgresql]\nwal_sender_timeout = '{}s'\n\
         wal_receiver_timeout = '{}s'\nwal_retrieve_retry_interval = '{}s'\n\
         wal_receiver_status_interval = '{}s'\ncheckpoint_timeout = '1h'\n\
         [server.pg1]\n[server.pg2]\nupstream = 'pg1'\n[network]\nrtt = '600us'\n",
        seconds("wal_sender_timeout_s", 60.0),
        seconds("wal_receiver_timeout_s", 60.0),
        seconds("wal_retrieve_retry_interval_s", 5.0),
        seconds("status_interval_s", 10.0),
    );
    if observation["load"] == "writing" {
        text += "[workload.w]\nrate = '50/s'\nwal = '1kB'\n";
    }
    text
}

/// The link is silent for as long as it was, from `at` on.
fn silence(observation: &Value, at: f64) -> Run {
    let silent = number(observation, "blackhole_s").expect("how long it was silent");
    play(&format!(
        "{}[fault.silence]\nkind = 'link_hold'\nbetween = ['pg1', 'pg2']\nat = '{at}s'\n\
         for = '{silent}s'\n",
        servers(observation, at + silent + 10.0)
    ))
}

fn noticed(run: &Run, at: f64) -> [Option<f64>; 2] {
    let sender =
        |what: &What| matches!(what, What::SenderEnded { why: ConnectionEnd::Timeout, .. });
    let receiver =
        |what: &What| matches!(what, What::ReceiverEnded { why: ConnectionEnd::Timeout, .. });
    let first = |moments: Vec<f64>| moments.first().map(|moment| moment - at);
    [first(moments(run, PRIMARY, at, sender)), first(moments(run, STANDBY, at, receiver))]
}

fn back(run: &Run, since: f64) -> Option<f64> {
    let started = |what: &What| matches!(what, What::StreamingStarted { .. });
    moments(run, STANDBY, since, started).first().map(|at| at - since)
}

#[test]
fn each_side_notices_when_the_recorded_one_did() {
    let mut agreement = nothing_yet();
    for observation in observations(RECORDING) {
        if number(&observation, "blackhole_s").is_none() || observation["mode"] != "proxy" {
            continue;
        }
        let idle = observation["load"] == "idle";
        let recorded =
            ["sender", "receiver"].map(|side| number(&observation, &format!("{side}_notice_s")));
        let timeouts = ["sender", "receiver"]
            .map(|side| number(&observation, &format!("wal_{side}_timeout_s")).expect("one"));
        let mut played = [Vec::new(), Vec::new()];
        for phase in 0..if idle { 40 } else { 1 } {
            let at = 10.0 + f64::from(phase) * 0.37;
            let run = silence(&observation, at);
            for (side, moment) in noticed(&run, at).into_iter().enumerate() {
                played[side].push(moment);
            }
            let until = at + number(&observation, "blackhole_s").expect("some");
            let recorded = number(&observation, "reconnect_after_heal_s");
            match (recorded, back(&run, at)) {
                (None, back) => assert_eq!(back, None, "{observation}"),
                (Some(recorded), Some(_)) => {
                    let back = back(&run, until).expect("it is back after the silence");
                    assert!(recorded <= SLACK && back <= SLACK, "{back} {observation}");
                    agreement.within("back", recorded, back, SLACK);
                }
                (Some(_), None) => panic!("never back: {observation}"),
            }
            agreement.found(1, 1);
        }
        for side in 0..2 {
            let (timeout, played) = (timeouts[side], &played[side]);
            let span = if idle {
                timeout / 2.0 - SLACK..=timeout + SLACK
            } else {
                timeout - SLACK..=timeout + SLACK
            };
            let Some(recorded) = recorded[side] else {
                // The other side ended it first, or the silence was too short.
                assert!(played.iter().all(Option::is_none), "{played:?} {observation}");
                continue;
            };
            assert!(span.contains(&recorded), "{recorded} in {observation}");
            let within: Vec<f64> = played.iter().flatten().copied().collect();
            assert!(within.iter().all(|at| span.contains(at)), "{within:?} {observation}");
            assert!(!within.is_empty(), "{observation}");
            agreement.found(within.len(), within.len());
            if !idle {
                agreement.within("noticed", recorded, within[0], SLACK);
            }
            if idle && side == 0 {
                let (least, most) =
                    within.iter().fold((f64::MAX, 0f64), |(a, b), &x| (a.min(x), b.max(x)));
                assert!(most - least > timeout / 4.0, "{least} to {most}: {observation}");
            }
        }
    }
    agreement.holds("j-timeouts-silence", 300);
}

/// Nothing yet of this recording.
fn nothing_yet() -> Agreement {
    Agreement::told_in("timeouts and reconnects", Unit::Of("s"))
}

#[test]
fn after_a_reset_the_standby_is_back_at_once_or_an_interval_after_its_last_attempt() {
    let mut agreement = nothing_yet();
    for observation in observations(RECORDING).iter().filter(|o| o["kind"] == "drop") {
        let interval = number(observation, "wal_retrieve_retry_interval_s").expect("one");
        let recorded = number(observation, "reconnect_s").expect("one");
        // A late return tells when the attempt before was: the drop before this one.
        let before = if recorded > SLACK { Some(interval - recorded) } else { None };
        let mut text = servers(observation, 60.0);
        let mut reset = |at: f64| {
            text += &format!(
                "[fault.at{}]\nkind = 'link_reset'\nbetween = ['pg1', 'pg2']\nat = '{at}s'\n",
                (at * 1000.0) as u64
            );
        };
        if let Some(before) = before {
            reset(30.0 - before);
        }
        reset(30.0);
        let back = back(&play(&text), 30.0).expect("it comes back");
        agreement.within("back", recorded, back, SLACK);
    }
    agreement.holds("j-timeouts-reset", 3);
}

/// The recorded lines of a log: seconds since the recording began, and the text.
fn recorded_log(observation: &Value, key: &str) -> Vec<(f64, String)> {
    let mut lines: Vec<(f64, String)> = Vec::new();
    for line in observation[key].as_array().map_or(&[][..], Vec::as_slice) {
        let line = line.as_str().expect("a line");
        let Some((head, said)) = line.split_once("] ") else {
            // A message goes on behind a tab.
            let (_, text) = lines.last_mut().expect("a line before it");
            *text += &format!("\n{}", line.strip_prefix('\t').expect("a tab"));
            continue;
        };
        let clock = head.split(' ').nth(1).expect("a time of day");
        let of_day = clock
            .split(':')
            .fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().expect("a number"));
        lines.push((of_day - BEGAN, said.to_owned()));
    }
    let left_out = ["received replication command", "STATEMENT:", "could not connect"];
    lines.retain(|(_, text)| !left_out.iter().any(|what| text.contains(what)));
    lines
}

/// When the recording began, in seconds of its day.
const BEGAN: f64 = 5.0 * 3_600.0 + 17.0 * 60.0 + 30.0;

/// A case in the run of all cases.
struct Case {
    recorded: Value,
    /// When the link was silent, was reset, or the primary was told to restart.
    at: f64,
}

impl Case {
    fn of(recorded: Value, before: f64) -> Case {
        let first = |key: &str| recorded_log(&recorded, key).first().map(|line| line.0);
        let noticed = number(&recorded, "sender_notice_s");
        let at = match (first("primary_log"), noticed) {
            (Some(line), Some(noticed)) => line - noticed,
            // Nobody noticed anything: some time after the case before.
            _ => first("standby_log").unwrap_or(before + 15.0),
        };
        Case { recorded, at }
    }

    /// What the file says about this case. `wal` is where WAL has to end.
    fn text(&self, n: usize, wal: Lsn) -> String {
        let ms = |at: f64| (at * 1e3).round() as u64;
        let mut text = format!(
            "[action.wal{n}]\nkind = 'write_to'\nlsn = '{wal}'\nat = '{}ms'\n",
            ms(self.at - 3.5)
        );
        let mut set = |server: &str, settings: &[(&str, &str)]| {
            let given = settings.iter().filter_map(|(name, key)| {
                Some(format!("{name} = '{}s'", number(&self.recorded, key)?))
            });
            let given = given.collect::<Vec<_>>().join(", ");
            text += &format!(
                "[action.{server}_{n}]\nkind = 'set'\nserver = '{server}'\nat = '{}ms'\n\
                 settings = {{ {given} }}\n",
                ms(self.at - 4.0)
            );
        };
        let interval = ("wal_retrieve_retry_interval", "wal_retrieve_retry_interval_s");
        let receiver = ("wal_receiver_timeout", "wal_receiver_timeout_s");
        let status = ("wal_receiver_status_interval", "status_interval_s");
        set("pg2", &[interval, receiver, status]);
        let at = ms(self.at);
        match self.recorded["kind"].as_str() {
            Some("primary_restart") => {
                let up = at + ms(number(&self.recorded, "restart_s").expect("how long"));
                text += &format!(
                    "[action.stop{n}]\nkind = 'stop'\nserver = 'pg1'\nat = '{at}ms'\n\
                     [action.start{n}]\nkind = 'start'\nserver = 'pg1'\nat = '{up}ms'\n"
                );
            }
            Some(_) => {
                let mut reset = |at: u64| {
                    text += &format!(
                        "[fault.at{at}]\nkind = 'link_reset'\nbetween = ['pg1', 'pg2']\n\
                         at = '{at}ms'\n"
                    );
                };
                let recorded = number(&self.recorded, "reconnect_s").expect("one");
                if recorded > SLACK {
                    let (_, key) = interval;
                    let interval = number(&self.recorded, key).expect("one");
                    reset(ms(self.at - interval + recorded));
                }
                reset(at);
            }
            None => {
                set("pg1", &[("wal_sender_timeout", "wal_sender_timeout_s")]);
                let silent = number(&self.recorded, "blackhole_s").expect("how long");
                text += &format!(
                    "[fault.silence{n}]\nkind = 'link_hold'\nbetween = ['pg1', 'pg2']\n\
                     at = '{at}ms'\nfor = '{}ms'\n",
                    ms(silent)
                );
            }
        }
        text
    }

    /// Where the standby found the end of WAL, if it said so.
    fn end_of_wal(&self) -> Option<Lsn> {
        let lines = recorded_log(&self.recorded, "standby_log");
        let line = lines.iter().find(|(_, text)| text.contains("invalid record length at "))?;
        let (_, rest) = line.1.split_once(" at ")?;
        rest.split_once(':')?.0.parse().ok()
    }
}

/// Every case, one after the other, in one file.
fn all_cases(cases: &[Case]) -> String {
    let mut wal = cases[0].end_of_wal().expect("the first standby says it");
    let last = cases.last().expect("some").at;
    let mut text = format!(
        "pg_version = 15\nduration = '{}s'\n[postgresql]\n\
         checkpoint_timeout = '1h'\nwal_retrieve_retry_interval = '1s'\n[server.pg1]\n\
         [server.pg2]\nupstream = 'pg1'\n[network]\nrtt = '600us'\n",
        last.ceil() + 10.0
    );
    for (n, case) in cases.iter().enumerate() {
        // What a restart writes is not for the file to write before it.
        if case.recorded["kind"] != "primary_restart" {
            wal = case.end_of_wal().unwrap_or(wal);
        }
        text += &case.text(n, wal);
    }
    text
}

/// Lines of a server's log from `from` until `until`, of processes that were recorded.
fn log(run: &Run, whose: models::trace::fact::ServerId, from: f64, until: f64) -> Vec<String> {
    let words = Words::new(run);
    let mut lines = Vec::new();
    for fact in run.facts.iter().filter(|f| (from..until).contains(&seconds(f.at))) {
        for line in words.log_lines(fact).into_iter().filter(|line| line.server == whose) {
            let who = line.process.name();
            lines.push(format!("{who}: {}:  {}", line.level.name(), line.text));
            lines.extend(line.detail.map(|detail| format!("{who}: DETAIL:  {detail}")));
        }
    }
    let recorded = ["walsender", "walreceiver", "startup"];
    lines.retain(|l| recorded.iter().any(|who| l.starts_with(who)));
    lines.retain(|l| !l.contains("could not connect"));
    lines.iter().map(|line| without_end(line)).collect()
}

/// A line without the position at which WAL ended.
fn without_end(line: &str) -> String {
    for before in ["invalid record length at ", "become available at ", "on timeline 1 at "] {
        if let Some((head, rest)) = line.split_once(before) {
            let rest = rest.trim_start_matches(|c: char| c.is_ascii_hexdigit() || c == '/');
            return format!("{head}{before}...{rest}");
        }
    }
    line.to_owned()
}

#[test]
fn both_logs_say_what_the_recorded_ones_said() {
    let mut cases: Vec<Case> = Vec::new();
    for recorded in observations(RECORDING) {
        let before = cases.last().map_or(0.0, |case| case.at);
        cases.push(Case::of(recorded, before));
    }
    let run = play(&all_cases(&cases));
    let mut agreement = nothing_yet();
    for (n, case) in cases.iter().enumerate() {
        let until = cases.get(n + 1).map_or(f64::MAX, |next| next.at - 4.5);
        for (server, key) in [(PRIMARY, "primary_log"), (STANDBY, "standby_log")] {
            if case.recorded[key].is_null() {
                continue;
            }
            // Only what was noticed after the silence began was recorded.
            let played = log(&run, server, case.at - SLACK, until);
            let recorded = recorded_log(&case.recorded, key);
            let recorded: Vec<String> =
                recorded.iter().map(|(_, text)| without_end(text)).collect();
            agreement.equal(&format!("lines of {key}, case {n}"), &recorded.len(), &played.len());
            for (recorded, played) in recorded.iter().zip(&played) {
                agreement.equal(&format!("{key}, case {n}"), recorded, played);
            }
        }
    }
    agreement.holds("j-timeouts-logs", 60);
}
