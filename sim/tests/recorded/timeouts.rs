//! When each side notices a link that went silent, and when the standby is back.
//!
//! The link holds what is sent and passes it on when it heals, as the recorded proxy did. Under
//! load a side notices `T` after the last message, within 0.1 s; an idle one between `T/2` and
//! `T`, by where it was between two pings: both the recorded moment and those of 40 phases played
//! here have to lie there, and the played ones have to fill it.

use models::trace::fact::{ConnectionEnd, What};
use serde_json::Value;

use super::{PRIMARY, Run, STANDBY, moments, observations, play};

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
    let mut compared = 0;
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
                }
                (Some(_), None) => panic!("never back: {observation}"),
            }
            compared += 1;
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
            if idle && side == 0 {
                let (least, most) =
                    within.iter().fold((f64::MAX, 0f64), |(a, b), &x| (a.min(x), b.max(x)));
                assert!(most - least > timeout / 4.0, "{least} to {most}: {observation}");
            }
        }
    }
    println!("{compared} of {compared} within");
    assert!(compared > 300, "{compared}");
}

#[test]
fn after_a_reset_the_standby_is_back_at_once_or_an_interval_after_its_last_attempt() {
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
        assert!((back - recorded).abs() <= SLACK, "{back} {observation}");
    }
}
