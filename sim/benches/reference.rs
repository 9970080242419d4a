//! `cargo bench -p sim --bench reference`: the reference workloads, and the gates on them.
//!
//! Prints a line a workload: simulated seconds a second (median of five runs), nanoseconds and
//! instructions a commit, peak memory, latencies, digest. Arguments after `--`: `--json` prints
//! JSON lines, `--quick` plays a tenth, a name such as `R1` selects.
//!
//! What gates does not depend on the machine: instructions a commit, ratios taken in one run,
//! latencies and digests. Rounds go over all workloads in turn, so that a ratio's two sides see the
//! same minutes of the machine. A broken gate, or a workload that cannot be played, exits with 1.
//! Without valgrind the counts are `n/a`. Against madsim alone the gate is on speed; the ratio of
//! the counts is shown beside it and does not gate.

mod madsim_only;
mod many;
mod measure;
mod workloads;

use std::process::ExitCode;

use measure::Measured;
use serde_json::{Value, json};

/// The name of the madsim-only version of R1.
const MADSIM_ONLY: &str = "R1-madsim-only";
/// Runs of which the median is taken, of most.
const ROUNDS: usize = 5;
/// `--quick` plays one part in this many.
const QUICK: u64 = 10;

/// The most instructions a commit of R1 may take.
const CORE_INSTRUCTIONS: f64 = 500.0;
/// The most instructions a commit may take madsim alone, so that it is no straw man.
const MADSIM_INSTRUCTIONS: f64 = 2_600.0;
/// How many times as fast as madsim alone the core must be.
const RATIO: f64 = 4.0;
/// How far the two versions' percentiles may lie apart.
const APART: f64 = 0.01;

/// One line of the table, before it is measured.
struct Plan {
    name: &'static str,
    what: &'static str,
    /// Simulated seconds of a timed run.
    seconds: u64,
    /// Runs of which the median is taken.
    rounds: usize,
    /// Simulated seconds of the two counted runs; `None` without commits. A run is looked at two
    /// thousand times however long it is, so short ones would count looks.
    counted: Option<(u64, u64)>,
}

const PLANS: [Plan; 6] = [
    Plan {
        name: "R1",
        what: "10,000 commits/s",
        seconds: 300,
        rounds: ROUNDS,
        counted: Some((10, 30)),
    },
    Plan {
        name: MADSIM_ONLY,
        what: "the same on madsim",
        seconds: 60,
        rounds: ROUNDS,
        counted: Some((10, 30)),
    },
    Plan {
        name: "R2",
        what: "1,000 commits/s",
        seconds: 1_000,
        rounds: ROUNDS,
        counted: Some((5, 25)),
    },
    Plan {
        name: "R3",
        what: "100,000 commits/s",
        seconds: 60,
        rounds: ROUNDS,
        counted: Some((2, 3)),
    },
    Plan {
        name: "R4",
        what: "WAL in 1 s steps",
        seconds: 30 * 86_400,
        rounds: ROUNDS,
        counted: None,
    },
    // A thousand seeds of ten minutes each, on as many threads as there are cores.
    Plan { name: "R5", what: "1,000 seeds, faults", seconds: 600_000, rounds: 1, counted: None },
];

/// One line of the table, measured.
struct Row {
    plan: &'static Plan,
    seconds: u64,
    runs: Result<Vec<Measured>, String>,
    instructions: Option<Result<f64, String>>,
}

/// Something that must hold.
struct Gate {
    name: &'static str,
    /// What was found; `None`: not measured this time.
    found: Option<f64>,
    /// The bound in words.
    bound: String,
    held: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if let [flag, name, seconds] = arguments.as_slice()
        && flag == measure::CHILD
    {
        return match measure::child(name, seconds) {
            Ok(()) => ExitCode::SUCCESS,
            Err(message) => fail(&message),
        };
    }
    let (flags, names): (Vec<_>, Vec<_>) = arguments.iter().partition(|a| a.starts_with("--"));
    if let Some(unknown) = flags.iter().find(|f| !["--json", "--quick"].contains(&f.as_str())) {
        return fail(&format!("unknown argument {unknown}; there are --json, --quick and names"));
    }
    let has = |flag: &str| flags.iter().any(|f| *f == flag);
    let selected: Vec<&Plan> = PLANS
        .iter()
        .filter(|plan| names.is_empty() || names.iter().any(|n| plan.name.starts_with(n.as_str())))
        .collect();
    if selected.is_empty() {
        return fail(&format!("no such workload; there are {}", PLANS.map(|p| p.name).join(", ")));
    }
    let rows = run_all(&selected, has("--quick"));
    let gates = gates(&rows);
    if has("--json") {
        print_json(&rows, &gates)
    } else {
        print_table(&rows, &gates)
    }
    let broken = gates.iter().any(|g| !g.held) || rows.iter().any(|row| row.failure().is_some());
    ExitCode::from(u8::from(broken))
}

fn fail(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::from(2)
}

fn run_all(selected: &[&'static Plan], quick: bool) -> Vec<Row> {
    let valgrind = measure::has_valgrind();
    let mut rows: Vec<Row> = selected
        .iter()
        .map(|&plan| Row {
            plan,
            seconds: if quick { plan.seconds / QUICK } else { plan.seconds },
            runs: Ok(Vec::new()),
            instructions: None,
        })
        .collect();
    for round in 0..ROUNDS {
        for row in rows.iter_mut().filter(|row| round < row.plan.rounds) {
            let Ok(runs) = &mut row.runs else { continue };
            match measure::once(row.plan.name, row.seconds) {
                Ok(measured) => runs.push(measured),
                Err(message) => row.runs = Err(message),
            }
        }
    }
    for row in rows.iter_mut().filter(|row| valgrind && row.runs.is_ok()) {
        row.instructions =
            row.plan.counted.map(|(short, long)| measure::instructions(row.plan.name, short, long));
    }
    rows
}

impl Row {
    fn first(&self) -> Option<&Measured> {
        self.runs.as_ref().ok()?.first()
    }

    /// Why there are no figures.
    fn failure(&self) -> Option<&str> {
        let counting = self.instructions.as_ref().and_then(|i| i.as_ref().err());
        self.runs.as_ref().err().or(counting).map(String::as_str)
    }

    /// The median wall time in nanoseconds.
    fn nanos(&self) -> Option<f64> {
        let mut nanos: Vec<u64> = self.runs.as_ref().ok()?.iter().map(|run| run.nanos).collect();
        nanos.sort_unstable();
        nanos.get(nanos.len() / 2).map(|&n| n as f64)
    }

    fn speed(&self) -> Option<f64> {
        self.nanos().map(|nanos| self.seconds as f64 * 1e9 / nanos)
    }

    fn nanos_per_commit(&self) -> Option<f64> {
        let commits = self.first()?.commits;
        self.nanos().filter(|_| commits > 0).map(|nanos| nanos / commits as f64)
    }

    fn instructions(&self) -> Option<f64> {
        self.instructions.as_ref()?.as_ref().ok().copied()
    }

    /// p50 and p99 in nanoseconds, if there were commits.
    fn latencies(&self) -> Option<[f64; 2]> {
        let run = self.first().filter(|run| run.commits > 0)?;
        Some([run.p50 as f64, run.p99 as f64])
    }

    fn peak_mb(&self) -> Option<f64> {
        let runs = self.runs.as_ref().ok()?;
        runs.iter().filter_map(|run| run.peak_kb).max().map(|kb| kb as f64 / 1024.0)
    }
}

fn gates(rows: &[Row]) -> Vec<Gate> {
    let row = |name| rows.iter().find(|row| row.plan.name == name);
    let at_most = |name, found: Option<f64>, most: f64| Gate {
        name,
        found,
        bound: format!("at most {most}"),
        held: found.is_none_or(|found| found <= most),
    };
    let pair = row("R1").zip(row(MADSIM_ONLY));
    let counted = pair.and_then(|(a, b)| Some(b.instructions()? / a.instructions()?));
    let timed = pair.and_then(|(a, b)| Some(a.speed()? / b.speed()?));
    let apart = pair.and_then(|(a, b)| Some(apart(a.latencies()?, b.latencies()?)));
    let differing = rows.iter().filter_map(|row| row.runs.as_ref().ok());
    let differing = differing.filter(|runs| runs.iter().any(|r| r.digest != runs[0].digest));
    let core = row("R1").and_then(Row::instructions);
    let madsim = row(MADSIM_ONLY).and_then(Row::instructions);
    vec![
        at_most("instructions a commit of R1", core, CORE_INSTRUCTIONS),
        at_most("instructions a commit on madsim alone", madsim, MADSIM_INSTRUCTIONS),
        Gate {
            name: "times the speed of madsim alone",
            found: timed,
            bound: format!("at least {RATIO}"),
            held: timed.is_none_or(|ratio| ratio >= RATIO),
        },
        Gate {
            name: "times fewer instructions than madsim alone",
            found: counted,
            bound: "no gate".to_owned(),
            held: true,
        },
        at_most("share by which their p50 or p99 differ", apart, APART),
        at_most("workloads whose digest changed", Some(differing.count() as f64), 0.0),
    ]
}

/// The largest relative difference.
fn apart(a: [f64; 2], b: [f64; 2]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs() / b).fold(0.0, f64::max)
}

/// The processor's name and how many cores there are.
fn machine() -> (String, usize) {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("processor unknown", |m| m.trim_start_matches([' ', '\t', ':']));
    (model.to_owned(), cores)
}

fn print_table(rows: &[Row], gates: &[Gate]) {
    let (model, cores) = machine();
    println!("{model}, {cores} cores; median of {ROUNDS} runs, one core each; R5 once, on all\n");
    println!(
        "{:<15} {:<19} {:>9} {:>10} {:>10} {:>13} {:>8} {:>8} {:>8}  digest",
        "workload",
        "",
        "sim s",
        "sim s/s",
        "ns/commit",
        "instr/commit",
        "peak MB",
        "p50 ms",
        "p99 ms"
    );
    let number = |value: Option<f64>, digits: usize| {
        value.map_or("n/a".to_owned(), |value| format!("{value:.digits$}"))
    };
    for row in rows {
        let Some(first) = row.first() else {
            let why = row.failure().unwrap_or("no runs");
            println!("{:<15} {:<19} not played: {why}", row.plan.name, row.plan.what);
            continue;
        };
        let latency = |i: usize| row.latencies().map(|l| l[i] / 1e6);
        println!(
            "{:<15} {:<19} {:>9} {:>10} {:>10} {:>13} {:>8} {:>8} {:>8}  {:016x}",
            row.plan.name,
            row.plan.what,
            row.seconds,
            number(row.speed(), 0),
            number(row.nanos_per_commit(), 1),
            number(row.instructions(), 1),
            number(row.peak_mb(), 1),
            number(latency(0), 3),
            number(latency(1), 3),
            first.digest
        );
        if let Some(why) = row.failure() {
            println!("{:<15} not counted: {why}", "");
        }
    }
    println!();
    for gate in gates {
        let verdict = match (gate.found, gate.held) {
            (None, _) => "not measured",
            (Some(_), true) => "held",
            (Some(_), false) => "BROKEN",
        };
        let found = gate.found.map_or("n/a".to_owned(), |found| format!("{found:.4}"));
        println!("{:<42} {found:>10}  {:<14} {verdict}", gate.name, gate.bound);
    }
}

fn print_json(rows: &[Row], gates: &[Gate]) {
    let (model, cores) = machine();
    println!("{}", json!({ "kind": "machine", "processor": model, "cores": cores }));
    for row in rows {
        let latency = |i: usize| row.latencies().map(|l| l[i] / 1e6);
        let digest = row.first().map(|run| format!("{:016x}", run.digest));
        let line: Value = json!({
            "kind": "workload",
            "name": row.plan.name,
            "simulated_seconds": row.seconds,
            "simulated_seconds_per_second": row.speed(),
            "nanoseconds_per_commit": row.nanos_per_commit(),
            "instructions_per_commit": row.instructions(),
            "peak_mb": row.peak_mb(),
            "p50_ms": latency(0),
            "p99_ms": latency(1),
            "digest": digest,
            "failure": row.failure(),
        });
        println!("{line}");
    }
    for gate in gates {
        let Gate { name, found, bound, held } = gate;
        let held = found.map(|_| held);
        println!(
            "{}",
            json!({ "kind": "gate", "name": name, "found": found, "bound": bound, "held": held })
        );
    }
}
