//! How a workload is measured: every figure comes from a child process of its own.
//!
//! The benchmark executes itself again (`--child NAME SECONDS`) and reads one line of JSON. So
//! peak memory is one workload's alone, nothing is warm from another, and the same child can be
//! run under callgrind. Instructions a commit are the difference of two simulated durations, which
//! cancels start-up and teardown; they are exact, whatever else the machine does.

use std::fmt::Display;
use std::process::Command;
use std::time::Instant;

use models::trace::Run;
use models::trace::histogram::Histogram;
use models::units::{Duration, mix};
use serde_json::{Value, json};
use sim::sweep::run_each;
use sim::{Options, Outside, RunError};

use crate::{madsim_only, many, workloads};

/// The seed of every reference run.
const SEED: u64 = 1;
/// The argument that makes this process a child.
pub const CHILD: &str = "--child";

/// What one child reports.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Wall time of the run alone.
    pub nanos: u64,
    /// Commits acknowledged.
    pub commits: u64,
    /// Median latency in nanoseconds; 0 without commits.
    pub p50: u64,
    /// 99th percentile in nanoseconds; 0 without commits.
    pub p99: u64,
    /// Digest of the run.
    pub digest: u64,
    /// Peak resident memory in kB (`VmHWM`), where the system says so.
    pub peak_kb: Option<u64>,
}

/// Plays `name` for `seconds` of simulated time and prints what was measured: the child's whole
/// life.
// A benchmark measures the machine's time.
#[allow(clippy::disallowed_methods)]
pub fn child(name: &str, seconds: &str) -> Result<(), String> {
    let seconds: u64 = seconds.parse().map_err(|e| format!("seconds {seconds:?}: {e}"))?;
    let begun = Instant::now();
    let (latency, commits, digest) = play(name, Duration::s(seconds))?;
    let nanos = begun.elapsed().as_nanos();
    let percentile = |share| latency.percentile(share).map_or(0, |d| d.0);
    let line = json!({
        "nanos": u64::try_from(nanos).unwrap_or(u64::MAX),
        "commits": commits,
        "p50": percentile(500_000),
        "p99": percentile(990_000),
        "digest": digest,
        "peak_kb": peak_kb(),
    });
    println!("{line}");
    Ok(())
}

fn play(name: &str, duration: Duration) -> Result<(Histogram, u64, u64), String> {
    if name == crate::MADSIM_ONLY {
        let outcome = madsim_only::run(SEED, duration);
        let digest = outcome.digest();
        return Ok((outcome.latency.clone(), outcome.latency.count(), digest));
    }
    if name == many::NAME {
        return play_many(duration);
    }
    let scenario = workloads::scenario(name, SEED, duration);
    let scenario = scenario.ok_or_else(|| format!("no workload {name:?}"))?;
    let run = sim::run(&scenario, Options::default(), &Outside::default());
    let run = run.map_err(|e| e.to_string())?;
    Ok((run.latency, run.summary.commits.acknowledged, run.digest))
}

/// As many seeds as fit into this time, on all cores.
fn play_many(duration: Duration) -> Result<(Histogram, u64, u64), String> {
    let seeds = duration.0 / many::EACH.0;
    let scenarios: Vec<_> = (1..=seeds).map(many::scenario).collect();
    let outside: Vec<Outside> = scenarios.iter().map(|_| Outside::default()).collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let numbers = |_: usize, run: Result<Run, RunError>| {
        run.map(|run| (run.latency, run.summary.commits.acknowledged, run.digest))
    };
    let played = run_each(&scenarios, threads, Options::default(), &outside, numbers);
    let (mut latency, mut commits, mut digest) = (Histogram::default(), 0, 0_u64);
    for run in played {
        let (of_run, answered, digest_of_run) = run.map_err(|e| e.to_string())?;
        latency.merge(&of_run);
        commits += answered;
        digest = mix(digest.rotate_left(1) ^ digest_of_run);
    }
    Ok((latency, commits, digest))
}

/// `VmHWM`; `None` where there is no such file.
fn peak_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Runs a child once.
pub fn once(name: &str, seconds: u64) -> Result<Measured, String> {
    let me = std::env::current_exe().map_err(text)?;
    read(Command::new(me).args(arguments(name, seconds))).map(|(measured, _)| measured)
}

/// Instructions between `short` and `long` seconds of simulated time, and commits between them.
pub fn instructions(name: &str, short: u64, long: u64) -> Result<f64, String> {
    let count = |seconds| -> Result<(u64, u64), String> {
        let me = std::env::current_exe().map_err(text)?;
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(me);
        let (measured, log) = read(valgrind.args(arguments(name, seconds)))?;
        let collected = log.lines().find_map(|line| line.split_once("Collected : "));
        let (_, count) = collected.ok_or("callgrind printed no count")?;
        // Only instructions are counted, so the first number is the only one.
        let count = count.trim().parse().map_err(|e| format!("callgrind's {count:?}: {e}"))?;
        Ok((count, measured.commits))
    };
    let ((few, some), (many, more)) = (count(short)?, count(long)?);
    if many <= few || more <= some {
        return Err(format!("{name} did no more in {long} s than in {short} s"));
    }
    Ok((many - few) as f64 / (more - some) as f64)
}

/// Whether valgrind is here.
pub fn has_valgrind() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok_and(|out| out.status.success())
}

fn arguments(name: &str, seconds: u64) -> [String; 3] {
    [CHILD.to_owned(), name.to_owned(), seconds.to_string()]
}

fn read(command: &mut Command) -> Result<(Measured, String), String> {
    let out = command.output().map_err(text)?;
    let log = String::from_utf8_lossy(&out.stderr).into_owned();
    if !out.status.success() {
        return Err(log.lines().last().unwrap_or("the child failed").to_owned());
    }
    let line: Value = serde_json::from_slice(&out.stdout).map_err(text)?;
    let field = |key: &str| line[key].as_u64();
    let need = |key: &str| field(key).ok_or_else(|| format!("the child reported no {key}"));
    let measured = Measured {
        nanos: need("nanos")?,
        commits: need("commits")?,
        p50: need("p50")?,
        p99: need("p99")?,
        digest: need("digest")?,
        peak_kb: field("peak_kb"),
    };
    Ok((measured, log))
}

fn text(error: impl Display) -> String {
    error.to_string()
}
