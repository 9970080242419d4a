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
