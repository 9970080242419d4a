//! What a plan promises, on large numbers: `cargo bench -p sim --bench plan [NAME]`.
//!
//! * `speed`: 1,000 trials of an outage of two hours on a history of thirty days.
//! * `fresh`: 10,000 trials with other dice at the value that a plan recommends for the history in
//!   `basics/production`, time stretched to a day, and at one segment less.
//! * `calibration`: how often the interval of a quantile holds it, over 2,000 histories.
//!
//! Each ends with exit code 1 if what it promises does not hold.

#[path = "plan/calibration.rs"]
mod calibration;

use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use models::latency::Quantiles;
use models::postgres::checkpointer::CheckpointConfig;
use models::units::{Bytes, Die, Duration};
use scenarios::file::ScenarioFile;
use scenarios::import::Input;
use scenarios::import::lsn_samples::{LsnSample, WalHistory};
use scenarios::presets;
use sim::Outside;
use sim::estimate::Share;
use sim::plan::history::{History, Sample};
use sim::plan::outage::Outages;
use sim::plan::sawtooth::{Cycle, without_images};
use sim::plan::trial::Stage;
use sim::plan::{Answer, Keep, Question, Sampling, Watcher, play_all, solve};

const HOUR: u64 = 3_600;
/// Of the plan, and of the trials that try it.
const SEEDS: (u64, u64) = (1, 2);

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let wanted = |name: &str| names.is_empty() || names.iter().any(|n| n == name);
    // All that are wanted are measured, whatever the first says.
    let held = [
        !wanted("speed") || speed(),
        !wanted("fresh") || fresh(),
        !wanted("calibration") || calibrated(),
    ];
    if held.iter().all(|held| *held) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// A primary and a standby, two hours away.
fn question(history: History, seed: u64, trials: Option<usize>) -> Question {
    let text = "duration = '1h'\n[server.pg1]\n[server.pg2]\nupstream = 'pg1'\n\
                [workload.w]\nwal_rate = '1kB/s'\n";
    let file = ScenarioFile::parse("plan", text, &mut |f| Err(f.to_owned())).expect("a scenario");
    let scenario = file.variants().expect("its variants").remove(0);
    let mut transactions = presets::workload(presets::DEFAULT_WORKLOAD).expect("a preset");
    let records = transactions.records.mean() + presets::COMMIT_RECORD.0;
    transactions.records = Quantiles::constant(records);
    let settings = &scenario.servers[0].settings;
    let config = CheckpointConfig::from(settings);
    let wal = Bytes(config.segments(settings.wal_segment_size) * settings.wal_segment_size.bytes());
    let cycle = Cycle { time: config.timeout, wal };
    let records = without_images(&history, &transactions, cycle).expect("a history");
    let outages = Outages::Fixed(Duration::s(2 * HOUR));
    let stage = Stage { scenario, standby: 1, history: records, transactions, outages, seed };
    let sampling = Sampling { risk: 0.01, trials };
    Question { stage, history, sampling }
}

fn answered(question: &Question) -> Answer {
    let outside = Outside::default();
    let watcher = Watcher { threads: threads(), progress: &|| (), outside: &outside };
    solve(Keep::WalKeepSize, question, &watcher).expect("an answer")
}

/// Thirty days by the minute, busy by day.
fn thirty_days() -> History {
    let die = Die::new(1, "bench", "minute");
    let mut samples = vec![Sample::default()];
    for minute in 1..=30 * 24 * 60 {
        let rate = if (8..18).contains(&(minute / 60 % 24)) { 4 << 20 } else { 1 << 20 };
        let made = 60 * rate / 2 + die.at(minute) % (60 * rate);
        let bytes = Bytes(samples[samples.len() - 1].bytes.0 + made);
        samples.push(Sample { at: Duration::s(60 * minute), bytes, known: true });
    }
    History::new(samples).expect("a history")
}

// It measures the machine.
#[allow(clippy::disallowed_methods)]
fn speed() -> bool {
    let question = question(thirty_days(), SEEDS.0, Some(1_000));
    let begin = Instant::now();
    let answer = answered(&question);
    let took = begin.elapsed().as_secs_f64();
    println!(
        "speed: {} trials of 2 h on 30 days and {} again, {took:.1} s on {} cores (20 s allowed)",
        answer.trials.len(),
        answer.again.len(),
        threads()
    );
    took < 20.0
}

/// The history in the catalogue: half an hour for a day, so time is stretched by 48.
fn production() -> History {
    let path =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios/basics/production/wal_lsn_history.csv");
    let text = std::fs::read_to_string(path).expect("the catalogue's history");
    let read = WalHistory::read(&[Input { file: path, text: &text }]).expect("a history");
    let sample = |s: &LsnSample| Sample { at: s.at, bytes: s.bytes, known: true };
    let history = History::new(read.samples.iter().map(sample).collect());
    history.and_then(|history| history.stretched(48, 1)).expect("a history")
}

fn fresh() -> bool {
    let planned = answered(&question(production(), SEEDS.0, None));
    let value = planned.value.expect("a value");
    let lost_with = |value: Bytes| {
        let mut stage = question(production(), SEEDS.1, None).stage;
        stage.scenario = Keep::WalKeepSize.in_force(&stage.scenario, Some(value));
        let outside = Outside::default();
        let watcher = Watcher { threads: threads(), progress: &|| (), outside: &outside };
        let numbers: Vec<usize> = (0..10_000).collect();
        let trials = play_all(&numbers, &stage, &watcher).expect("trials");
        Share::new(trials.iter().filter(|trial| trial.lost).count(), trials.len())
    };
    let at = lost_with(value);
    let below = lost_with(Bytes(value.0 - planned.segment.bytes()));
    let promised = (planned.lost.low, planned.lost.high);
    println!(
        "fresh: wal_keep_size = {} MB promises {:.4} to {:.4}; seed {}: {} of {} lost, {} with a \
         segment less",
        value.0 >> 20,
        promised.0,
        promised.1,
        SEEDS.1,
        at.hits,
        at.of,
        below.hits
    );
    promised.0 <= at.value() && at.value() <= promised.1 && below.hits > at.hits
}

fn calibrated() -> bool {
    let histories = 2_000;
    let covered = calibration::covered(histories, 20_000, threads());
    let share = covered as f64 / histories as f64;
    println!("calibration: {covered} of {histories} intervals hold the quantile ({share:.4})");
    (0.935..=0.975).contains(&share)
}
