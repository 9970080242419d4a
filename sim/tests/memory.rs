//! Memory does not grow with simulated time: every queue is bounded, and what a run leaves behind
//! has as many rows after a minute as after a day.
//!
//! Alone in its process, so that the peak of resident memory is its own.

#[allow(dead_code)]
#[path = "../benches/madsim_only.rs"]
mod madsim_only;
#[path = "../benches/workloads.rs"]
mod workloads;

use models::units::Duration;
use sim::{Options, Outside};

/// Peak of resident memory in kB; `None` where the system does not say.
fn peak_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn play(name: &str, duration: Duration) {
    let scenario = workloads::scenario(name, 1, duration).expect("a reference workload");
    let run = sim::run(&scenario, Options::default(), &Outside::default());
    let run = run.unwrap_or_else(|error| panic!("{error}"));
    assert!(run.summary.events > duration.0 / 1_000_000_000, "{name} does something");
}

#[test]
fn twenty_minutes_take_no_more_memory_than_a_minute() {
    play("R2", Duration::s(60));
    let Some(minute) = peak_kb() else { return };
    // R4 brings checkpoints, slots, and an outage of twenty minutes a day.
    for (name, seconds) in [("R2", 1_200), ("R4", 86_400)] {
        play(name, Duration::s(seconds));
        let peak = peak_kb().expect("it was there before");
        assert!(peak < minute + 4_096, "{name}: {peak} kB, {minute} kB after a minute of R2");
        assert!(peak < 32_768, "{name}: {peak} kB");
    }
}
