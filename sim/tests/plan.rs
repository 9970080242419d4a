//! Planning: what trials of the real models say about a setting.

use models::units::Duration;
use scenarios::file::ScenarioFile;
use sim::Outside;
use sim::plan::history::History;
use sim::plan::outage::Outages;
use sim::plan::trial::Stage;

fn stage(rate_kb: u64, outage: Duration) -> Stage {
    let text = "duration = '1h'\n[postgresql]\nwal_keep_size = '1TB'\n[server.pg1]\n\
                [server.pg2]\nupstream = 'pg1'\n[workload.w]\nwal_rate = '1kB/s'\n";
    let file = ScenarioFile::parse("plan", text, &mut |f| Err(f.to_owned())).expect("a scenario");
    let scenario = file.variants().expect("its variants").remove(0);
    let history = History::constant(rate_kb * 1_024);
    Stage { scenario, standby: 1, history, outages: Outages::Fixed(outage), seed: 1 }
}

#[test]
fn a_trial() {
    let stage = stage(4_096, Duration::s(7_200));
    let t = std::time::Instant::now();
    for n in 0..20 {
        let trial = stage.play(n, &Outside::default()).expect("a trial");
        println!("{:?}", trial.needed.0 >> 20);
        println!(
            "{:?} {:?} {:?} {:?}",
            trial.caught_up,
            trial.pg_wal,
            trial.checkpoints,
            trial.growth.len()
        );
    }
    println!("{:?}", t.elapsed());
}

fn day() -> sim::plan::history::History {
    use scenarios::import::{Input, lsn_samples::WalHistory};
    let text = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../scenarios/basics/production/wal_lsn_history.csv"
    ))
    .expect("the file");
    let read = WalHistory::read(&[Input { file: "h", text: &text }]).expect("a history");
    let sample = |s: &scenarios::import::lsn_samples::LsnSample| sim::plan::history::Sample {
        at: s.at,
        bytes: s.bytes,
        known: true,
    };
    History::new(read.samples.iter().map(sample).collect())
        .expect("a history")
        .stretched(48, 1)
        .expect("fits")
}

#[test]
fn a_day() {
    use sim::plan::{Keep, Question, Watcher, solve};
    let stage = Stage { history: day(), ..stage(1, Duration::s(7_200)) };
    let t = std::time::Instant::now();
    let question = Question { keep: Keep::WalKeepSize, stage, risk: 0.01, trials: None };
    let outside = Outside::default();
    let watcher = Watcher { threads: 2, progress: &|| (), outside: &outside };
    let answer = solve(&question, &watcher).expect("an answer");
    println!(
        "{:?} {:?} {:?} {:?} written {:?} {} trials",
        answer.value,
        answer.interval,
        answer.lost,
        answer.lost_below,
        answer.again.len(),
        answer.trials.len()
    );
    for (n, trial) in &answer.again {
        assert_eq!(trial.lost, answer.trials[*n].needed > answer.value.unwrap(), "{n}");
    }
    println!("{:?} {:?}", answer.again.len(), t.elapsed());
}
