//! Planning: settings that the run feeds back on, searched for by bisection.

use models::latency::Quantiles;
use models::units::{Bytes, Die, Duration, Rate};
use scenarios::file::ScenarioFile;
use scenarios::presets;
use scenarios::workload::TransactionWal;
use sim::estimate::Quantile;
use sim::plan::bandwidth::{Bandwidth, carries, stretch};
use sim::plan::history::{History, Sample};
use sim::plan::keep::Kept;
use sim::plan::max_wal_size::MaxWalSize;
use sim::plan::outage::Outages;
use sim::plan::room::room;
use sim::plan::search::{Sight, Sought, search};
use sim::plan::trial::Stage;
use sim::plan::{Keep, Sampling, Watcher, play_all};
use sim::{Outside, RunError};

const MB: u64 = 1 << 20;

fn stage(history: History, outage: u64, extra: &str) -> Stage {
    let text = format!(
        "duration = '1h'\n{extra}\n[server.pg1]\n[server.pg2]\nupstream = 'pg1'\nslot = 's'\n"
    );
    let file = ScenarioFile::parse("plan", &text, &mut |f| Err(f.to_owned())).expect("a scenario");
    let scenario = file.variants().expect("its variants").remove(0);
    let transactions = TransactionWal { records: Quantiles::constant(300), pages: Vec::new() };
    let outages = Outages::Fixed(Duration::s(outage));
    Stage { scenario, standby: 1, history, transactions, outages, seed: 1 }
}

fn sampling(risk: f64, trials: usize) -> Sampling {
    Sampling { risk, trials: Some(trials) }
}

fn watched<T>(threads: usize, work: impl FnOnce(&Watcher<'_>) -> Result<T, RunError>) -> T {
    let outside = Outside::default();
    work(&Watcher { threads, progress: &|| (), outside: &outside }).expect("an answer")
}

/// Two days by the minute, from 1 to 9 MB a second.
fn two_days() -> History {
    let die = Die::new(1, "test", "minute");
    let mut samples = vec![Sample::default()];
    for minute in 1..=2 * 24 * 60 {
        let made = 60 * (MB + die.at(minute / 30) % (8 * MB));
        let bytes = Bytes(samples[samples.len() - 1].bytes.0 + made);
        samples.push(Sample { at: Duration::s(60 * minute), bytes, known: true });
    }
    History::new(samples).expect("a history")
}

/// Trials whose edges are known; those of `odd` are good again below theirs.
struct Known {
    steps: usize,
    guess: usize,
    odd: bool,
}

impl Known {
    fn edge(&self, n: u64) -> usize {
        (Die::new(7, "test", "edge").at(n) % (self.steps as u64 + self.steps as u64 / 20)) as usize
    }
}

impl Sought for Known {
    fn steps(&self) -> usize {
        self.steps
    }

    fn value(&self, step: usize) -> u64 {
        10 * step as u64
    }

    fn guess(&self) -> usize {
        self.guess
    }

    fn is_good(&self, step: usize, n: u64, _: &Outside) -> Result<bool, RunError> {
        let edge = self.edge(n);
        Ok(step >= edge || self.odd && step < edge / 2)
    }
}

#[test]
fn a_search_finds_the_same_quantile_as_sorting_all_edges() {
    for (steps, trials, risk) in
        [(2, 400, 0.3), (50, 100, 0.1), (1_000, 200, 0.2), (5_000, 500, 0.1)]
    {
        for guess in [0, steps / 3, steps - 1] {
            let known = Known { steps, guess, odd: false };
            let sight = watched(3, |watcher| search(&known, sampling(risk, trials), watcher));
            let edges: Vec<u64> = (0..trials as u64).map(|n| 10 * known.edge(n) as u64).collect();
            let sorted = Quantile::of(edges.clone(), risk);
            let there = |edge: u64| (edge < 10 * steps as u64).then_some(edge);
            assert_eq!(sight.value, there(sorted.high()), "{steps} steps from {guess}");
            assert_eq!(sight.middle, there(sorted.middle()));
            assert_eq!(sight.low, there(sorted.low()));
            let last = sight.value.unwrap_or(10 * (steps as u64 - 1));
            assert_eq!(sight.bad, sorted.above(last));
            assert_eq!(sight.bad_below, sorted.above(last.saturating_sub(10)));
            for (value, bad) in &sight.curve {
                assert_eq!(*bad, sorted.above(*value), "at {value}");
            }
            assert_eq!(sight.checked.0, sight.checked.1);
            assert!(sight.checked.0 > 0);
        }
    }
}

#[test]
fn trials_that_are_good_again_at_smaller_values_are_told() {
    let known = Known { steps: 1_000, guess: 500, odd: true };
    let sight = watched(1, |watcher| search(&known, sampling(0.1, 200), watcher));
    assert!(sight.checked.1 < sight.checked.0, "{:?}", sight.checked);
}

#[test]
fn a_search_plays_each_trial_a_few_times() {
    let known = Known { steps: 5_000, guess: 4_500, odd: false };
    let sight = watched(1, |watcher| search(&known, sampling(0.05, 1_000), watcher));
    assert!(sight.plays < 5 * sight.trials, "{} plays", sight.plays);
}

fn bandwidth(stage: &Stage, outage: bool, within: u64) -> Sight {
    let within = Duration::s(within);
    let sought = Bandwidth { stage, outage, within, guess: 10 * MB };
    watched(2, |watcher| search(&sought, sampling(0.2, 20), watcher))
}

#[test]
fn bandwidth_carries_what_was_missed_and_what_comes_meanwhile() {
    // 4 MB/s for 600 s and the 300 s of its way back: 900 x 4 / 300.
    let stage = stage(History::constant(4 * MB), 600, "");
    let sight = bandwidth(&stage, true, 300);
    let value = sight.value.expect("a value");
    let carried = 12 * MB;
    assert!((carried..carried * 106 / 100).contains(&value), "{value} for {carried}");
    assert_eq!(sight.checked.0, sight.checked.1);
}

#[test]
fn no_bandwidth_helps_a_standby_that_replays_too_slowly() {
    let mut stage = stage(History::constant(4 * MB), 600, "");
    stage.scenario.servers[1].replay = Rate::new(5 * MB).expect("a rate");
    let sight = bandwidth(&stage, true, 300);
    assert_eq!(sight.value, None);
    assert_eq!(sight.bad.hits, sight.bad.of);
}

#[test]
fn without_an_outage_a_standby_is_behind_where_the_link_is_slower_than_the_wal() {
    let stage = stage(two_days(), 600, "");
    let sight = bandwidth(&stage, false, 30);
    let value = sight.value.expect("a value");
    let (within, seed) = (Duration::s(30), stage.seed);
    let needs = |n| carries(&stage.history.path(stretch(within), seed, n).points, within);
    let by_history = Quantile::of((0..20).map(needs).collect(), 0.2);
    // The link has headers to carry, too, and how far behind is known to two seconds.
    let (low, high) = (by_history.high() * 97 / 100, by_history.high() * 110 / 100);
    assert!((low..=high).contains(&value), "{value} is not in {low}..={high}");
}

#[test]
fn checkpoints_come_by_time_if_max_wal_size_holds_the_wal_of_a_timeout() {
    let stage = stage(two_days(), 600, "[postgresql]\ncheckpoint_timeout = '5min'");
    let timeout = Outages::Fixed(Duration::s(300));
    let written = |n| stage.history.written(timeout.longest(), 99, n).0;
    let by_history = Quantile::of((0..2_000).map(written).collect(), 0.1).middle();
    let guess = MaxWalSize::for_wal(&stage, Bytes(by_history));
    let sought = MaxWalSize { stage: &stage, guess };
    let sight = watched(2, |watcher| search(&sought, sampling(0.1, 200), watcher));
    let (low, high) = (sight.low.expect("an end"), sight.value.expect("an end"));
    assert!(low <= guess.0 && guess.0 <= high, "{guess:?} is not in {low}..={high}");
    assert_eq!(sight.checked.0, sight.checked.1);
    assert!(sight.bad_below.hits > sight.bad.hits);
}

#[test]
fn checkpoints_that_come_early_make_images_anew() {
    let mut with = stage(History::constant(2 * MB), 600, "");
    with.transactions = presets::workload(presets::DEFAULT_WORKLOAD).expect("a preset");
    let without = stage(History::constant(2 * MB), 600, "");
    let of = |stage: &Stage| {
        let sought = MaxWalSize { stage, guess: Bytes(1_200 * MB) };
        watched(2, |watcher| search(&sought, sampling(0.2, 40), watcher)).value.expect("a value")
    };
    assert!(of(&with) > of(&without) + 100 * MB);
}

#[test]
fn two_risks_of_a_setting_stand_side_by_side() {
    let stage = stage(two_days(), 3_600, "");
    let keep = Keep::MaxSlotWalKeepSize;
    let all = Stage { scenario: keep.in_force(&stage.scenario, None), ..stage.clone() };
    let numbers: Vec<usize> = (0..40).collect();
    let trials = watched(2, |watcher| play_all(&numbers, &all, watcher));
    let by = |trials, volume, value| {
        let kept = Kept { keep, stage: &stage, trials };
        let (volume, value) = (Bytes(volume * MB), Some(Bytes(value * MB)));
        watched(2, |watcher| room(&kept, value, volume, sampling(0.1, 40), watcher))
    };
    // What the first pass says spares most of the plays, and changes nothing.
    let of = |volume, value| by(&trials[..], volume, value);
    assert_eq!(of(12_000, 20_000), by(&[][..], 12_000, 20_000));
    let tight = of(12_000, 20_000);
    let (largest, risks) = (tight.largest.expect("it fits"), tight.at_largest.expect("both"));
    assert!(largest.0 < 12_000 * MB && risks.full.hits <= 4 && risks.bad.hits > 0, "{tight:?}");
    let asked = tight.at_value.expect("both risks");
    assert!(asked.full.hits > risks.full.hits && asked.bad.hits < risks.bad.hits, "{tight:?}");
    let wide = of(100_000, 20_000);
    assert_eq!(wide.at_value.expect("both risks").full.hits, 0);
    // The files of max_wal_size alone are more than that.
    assert_eq!(of(64, 20_000).largest, None);
}
