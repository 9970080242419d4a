//! Synthetic histories whose answer is known, and how often an interval holds it.
//!
//! WAL at a constant rate is a matter of time alone: what a standby needs is the rate times the
//! time from its leaving to the end of the last checkpoint before its return, whatever the rate,
//! as long as `checkpoint_timeout` starts all checkpoints. So one long list of trials at one rate
//! gives that time's distribution. A history is busy for a part of each day and four times as
//! quiet for the rest: the quiet part never needs as much as the busy part's quantiles.

use models::latency::Quantiles;
use models::units::{Bytes, Die, Duration};
use scenarios::file::ScenarioFile;
use scenarios::workload::TransactionWal;
use sim::Outside;
use sim::estimate::Ranks;
use sim::plan::history::{History, Sample};
use sim::plan::outage::Outages;
use sim::plan::trial::{Stage, Trial};
use sim::plan::{Keep, Watcher, play_all};

/// Trials of one history.
pub const TRIALS: usize = 200;
/// The share that lies above the quantile.
pub const ABOVE: f64 = 0.1;

const DAY: u64 = 86_400;
const MB: u64 = 1 << 20;

/// Twenty minutes away, checkpoints every five.
fn stage(history: History, seed: u64) -> Stage {
    let text = "duration = '1h'\n[postgresql]\nwal_segment_size = '1MB'\nmax_wal_size = '1TB'\n\
                checkpoint_timeout = '5min'\n[server.pg1]\n[server.pg2]\nupstream = 'pg1'\n\
                replay = '10GB/s'\n[network]\nbandwidth = '100Gbit/s'\n\
                [workload.w]\nwal_rate = '1kB/s'\n";
    let file = ScenarioFile::parse("plan", text, &mut |f| Err(f.to_owned())).expect("a scenario");
    let scenario = file.variants().expect("its variants").remove(0);
    let transactions = TransactionWal { records: Quantiles::constant(300), pages: Vec::new() };
    let outages = Outages::Fixed(Duration::s(1_200));
    Stage {
        scenario: Keep::WalKeepSize.in_force(&scenario, None),
        standby: 1,
        history,
        transactions,
        outages,
        seed,
    }
}

fn play(stage: &Stage, trials: usize, threads: usize) -> Vec<Trial> {
    let outside = Outside::default();
    let watcher = Watcher { threads, progress: &|| (), outside: &outside };
    let numbers: Vec<usize> = (0..trials).collect();
    play_all(&numbers, stage, &watcher).expect("trials")
}

/// Busy for a part of the day.
struct Day {
    busy: u64,
    rate: u64,
}

impl Day {
    fn draw(seed: u64) -> Day {
        let die = Die::new(seed, "calibration", "day");
        let between = |n, low: u64, high: u64| low + die.at(n) % (high - low);
        Day { busy: between(0, DAY * 4 / 10, DAY * 9 / 10), rate: between(1, MB, 4 * MB) }
    }

    fn history(&self) -> History {
        let busy = self.busy * self.rate;
        let sample = |at, bytes| Sample { at: Duration::s(at), bytes: Bytes(bytes), known: true };
        let whole = busy + (DAY - self.busy) * self.rate / 4;
        let samples = vec![sample(0, 0), sample(self.busy, busy), sample(DAY, whole)];
        History::new(samples).expect("a day")
    }

    /// What a share of [`ABOVE`] of its outages needs more than, by times in nanoseconds.
    fn truth(&self, times: &[u64]) -> u64 {
        let above = ABOVE * DAY as f64 / self.busy as f64;
        let place = ((1.0 - above) * times.len() as f64) as usize;
        let nanos = times[place.min(times.len() - 1)];
        (u128::from(nanos) * u128::from(self.rate) / 1_000_000_000) as u64
    }
}

/// Of so many histories, those whose interval holds what is known of them; `known` trials make the
/// list of times.
pub fn covered(histories: u64, known: usize, threads: usize) -> u64 {
    let rate = 2 * MB;
    let list = play(&stage(History::constant(rate), 0), known, threads);
    let nanos =
        |trial: &Trial| (u128::from(trial.needed.0) * 1_000_000_000 / u128::from(rate)) as u64;
    let mut times: Vec<u64> = list.iter().map(nanos).collect();
    times.sort_unstable();
    let Ranks { low: Some(low), high: Some(high) } = Ranks::of(TRIALS, ABOVE) else {
        panic!("{TRIALS} trials are enough for {ABOVE}")
    };
    let holds = |seed: &u64| {
        let day = Day::draw(*seed);
        let trials = play(&stage(day.history(), *seed), TRIALS, threads);
        let mut needed: Vec<u64> = trials.iter().map(|trial| trial.needed.0).collect();
        needed.sort_unstable();
        (needed[low - 1]..=needed[high - 1]).contains(&day.truth(&times))
    };
    (1..=histories).filter(holds).count() as u64
}
