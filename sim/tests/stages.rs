//! Where the time of commits goes: stages sum to latencies, and each is as long as its cause.

use models::trace::Run;
use models::trace::commit::Stage;
use models::trace::series::Series;
use scenarios::ScenarioFile;
use sim::{Options, Outside, run};

/// Every variant of a scenario.
fn play(text: &str) -> Vec<Run> {
    let file = ScenarioFile::parse("stages", text, &mut |f| Err(f.to_owned())).expect("a scenario");
    let variants = file.variants().expect("a scenario without mistakes");
    let played = variants.iter().map(|s| run(s, Options::default(), &Outside::default()));
    played.map(|run| run.expect("a run")).collect()
}

fn sum(series: &Series) -> u64 {
    series.iter().filter_map(|(_, value)| value).sum()
}

/// The mean time of a commit in a stage, in microseconds.
fn mean_us(run: &Run, stage: Stage) -> u64 {
    sum(&run.samples.stages[stage as usize]) / sum(&run.samples.commits) / 1_000
}

/// Holds of every run, whatever happens in it.
fn assert_they_sum(run: &Run) {
    let stages: u64 = run.samples.stages.iter().map(sum).sum();
    assert_eq!(stages, sum(&run.samples.latency_sum), "{}", run.variant);
}

const LEVELS: &str = "
duration = '20s'
[postgresql]
synchronous_standby_names = 'pg2'
[server.pg1]
disk = { fsync = '1ms' }
[server.pg2]
upstream = 'pg1'
disk = { fsync = '1ms' }
[network]
rtt = '5ms'
[workload.orders]
clients = 1
think = '10ms'
service = '40us'
[matrix]
'workload.orders.synchronous_commit' = ['off', 'local', 'remote_write', 'on']
";

#[test]
fn each_level_waits_where_its_name_says() {
    let runs = play(LEVELS);
    runs.iter().for_each(assert_they_sum);
    let stages = |run: &Run| Stage::ALL.map(|stage| mean_us(run, stage));
    let [off, local, remote_write, on] = &runs[..] else { panic!("four levels") };
    assert_eq!(stages(off), [40, 0, 0, 0, 0]);
    let [service, queue, locked, synced, standbys] = stages(local);
    assert_eq!((service, queue, standbys), (40, 0, 0));
    assert!((1_000..1_010).contains(&synced) && locked < 50, "{locked} {synced}");
    assert!((5_000..5_200).contains(&mean_us(remote_write, Stage::SyncRep)));
    assert!((6_000..6_200).contains(&mean_us(on, Stage::SyncRep)));
}

#[test]
fn who_comes_while_a_flush_runs_waits_for_its_end() {
    let text = "
duration = '20s'
[server.pg1]
disk = { fsync = '2ms' }
[workload.orders]
rate = '4000/s'
";
    let run = &play(text)[0];
    assert_they_sum(run);
    // Arrivals are spread over the flush that runs: half of it on average.
    let locked = mean_us(run, Stage::WalWrite);
    assert!((950..1_100).contains(&locked), "{locked}");
    assert!((2_000..2_050).contains(&mean_us(run, Stage::WalSync)));
}

#[test]
fn stages_sum_to_latencies_through_crashes_cuts_and_freezes() {
    let text = "
duration = '60s'
[postgresql]
synchronous_standby_names = 'pg2'
[server.pg1]
[server.pg2]
upstream = 'pg1'
[workload.orders]
rate = '500/s'
[workload.careless]
rate = '500/s'
synchronous_commit = 'off'
[fault.cut]
kind = 'link_cut'
between = ['pg1', 'pg2']
at = '10s'
for = '5s'
[fault.freeze]
kind = 'freeze'
server = 'pg1'
at = '25s'
for = '2s'
[fault.death]
kind = 'crash'
what = 'host'
server = 'pg1'
at = '40s'
for = '5s'
";
    let run = &play(text)[0];
    assert_they_sum(run);
    // A frozen server lets nobody in: at two seconds, a second on average for two in sixty.
    assert!(mean_us(run, Stage::Queue) > 10_000, "{}", mean_us(run, Stage::Queue));
    let longest = run.samples.stages[Stage::SyncRep as usize].peak();
    assert!(longest.is_some_and(|nanos| nanos > 1_000_000_000), "the cut: {longest:?}");
}
