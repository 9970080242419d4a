//! Planning: what trials of the real models say about a setting.

#[path = "../benches/plan/calibration.rs"]
mod calibration;

use models::latency::Quantiles;
use models::units::{Bytes, Duration, Rate};
use scenarios::file::ScenarioFile;
use scenarios::presets;
use scenarios::workload::TransactionWal;
use sim::Outside;
use sim::estimate::Share;
use sim::plan::disk::taken;
use sim::plan::history::{History, Sample};
use sim::plan::measure::{Found, Quantity, find};
use sim::plan::outage::Outages;
use sim::plan::sawtooth;
use sim::plan::trial::Stage;
use sim::plan::{Answer, Keep, Question, Sampling, Watcher, solve};

const MB: u64 = 1 << 20;
const HOUR: u64 = 3_600;

fn stage(keep: Keep, history: History, outages: Outages) -> Stage {
    let slot = if keep == Keep::MaxSlotWalKeepSize { "slot = 's'\n" } else { "" };
    let text = format!(
        "duration = '1h'\n[server.pg1]\n[server.pg2]\nupstream = 'pg1'\n{slot}\
         [workload.w]\nwal_rate = '1kB/s'\n"
    );
    let file = ScenarioFile::parse("plan", &text, &mut |f| Err(f.to_owned())).expect("a scenario");
    let scenario = file.variants().expect("its variants").remove(0);
    let transactions = TransactionWal { records: Quantiles::constant(300), pages: Vec::new() };
    Stage { scenario, standby: 1, history, transactions, outages, seed: 1 }
}

fn question(stage: Stage, risk: f64, trials: usize) -> Question {
    let history = stage.history.clone();
    Question { stage, history, sampling: Sampling { risk, trials: Some(trials) } }
}

fn answer(keep: Keep, question: &Question, threads: usize) -> Answer {
    let outside = Outside::default();
    let watcher = Watcher { threads, progress: &|| (), outside: &outside };
    solve(keep, question, &watcher).expect("an answer")
}

/// A week, busy by day and quiet by night, with a load of `bulk` bytes a second each Sunday night.
fn week(bulk: u64) -> History {
    let mut samples = vec![Sample::default()];
    for minute in 1..=7 * 24 * 60 {
        let (day, hour) = (minute / 1_440, minute / 60 % 24);
        let rate = match (day, hour) {
            (6, 2) => bulk,
            (_, 8..18) => 2 * MB,
            _ => MB / 4,
        };
        let last = samples[samples.len() - 1];
        samples.push(Sample {
            at: Duration::s(60 * minute),
            bytes: Bytes(last.bytes.0 + 60 * rate),
            known: true,
        });
    }
    History::new(samples).expect("a history")
}

#[test]
fn a_setting_in_force_keeps_and_loses_the_very_standbys_that_were_foretold() {
    for keep in [Keep::WalKeepSize, Keep::MaxSlotWalKeepSize] {
        let outages = Outages::Past(vec![Duration::s(600), Duration::s(2 * HOUR)]);
        let stage = stage(keep, week(8 * MB), outages);
        let question = question(stage, 0.1, 150);
        let answer = answer(keep, &question, 2);
        let lost = answer.again.iter().filter(|(_, trial)| trial.lost).count();
        assert!(lost > 0 && lost < answer.again.len(), "{lost} of {}", answer.again.len());
        assert_eq!(answer.as_predicted(), answer.again.len(), "{keep:?}");
        assert!(answer.lost_below.hits > answer.lost.hits, "{:?}", answer.lost);
    }
}

#[test]
fn an_answer_does_not_depend_on_threads() {
    let stage = stage(Keep::WalKeepSize, week(8 * MB), Outages::Fixed(Duration::s(HOUR)));
    let question = question(stage, 0.2, 40);
    let one = |threads| answer(Keep::WalKeepSize, &question, threads);
    let (one, three) = (one(1), one(3));
    assert_eq!(one.trials, three.trials);
    assert_eq!((one.value, one.again), (three.value, three.again));
}

#[test]
fn a_constant_rate_needs_what_the_arithmetic_says() {
    // 1 MB/s for an hour: 225 segments; a checkpoint every 300 s takes WAL up to its record.
    let stage = stage(Keep::WalKeepSize, History::constant(MB), Outages::Fixed(Duration::s(HOUR)));
    let question = question(stage, 0.05, 200);
    let answer = answer(Keep::WalKeepSize, &question, 2);
    let written = HOUR * MB;
    for trial in &answer.trials {
        let most = written + 2 * 16 * MB;
        let least = written - (300 + 270) * MB - 2 * 16 * MB;
        assert!((least..=most).contains(&trial.needed.0), "{trial:?}");
    }
    assert_eq!(question.written(&question.stage.outages), Bytes(written));
}

#[test]
fn a_path_keeps_the_hour_and_the_weekday() {
    let history = week(64 * MB);
    for n in 0..300 {
        let path = history.path(Duration::s(36 * HOUR), 7, n);
        for pair in path.points.windows(2) {
            let [(from, before), (to, after)] = pair else { unreachable!("pairs") };
            if to.0 == from.0 {
                continue;
            }
            let second = (path.starts.0 + from.0 + 1) / 1_000_000_000;
            let (day, hour) = (second / 86_400 % 7, second / HOUR % 24);
            let rate = u128::from(after.0 - before.0) * 1_000_000_000 / u128::from(to.0 - from.0);
            let wanted = match (day, hour) {
                (6, 2) => 64 * MB,
                (_, 8..18) => 2 * MB,
                _ => MB / 4,
            };
            // Samples stand at the ends of minutes.
            let near = u128::from(wanted).abs_diff(rate) <= u128::from(wanted) / 100;
            assert!(near || second % HOUR < 60 || second % HOUR >= 3_540, "{n}: {second} {rate}");
        }
    }
}

#[test]
fn a_path_goes_round_what_nobody_knows() {
    let sample =
        |(hour, bytes, known)| Sample { at: Duration::s(hour * HOUR), bytes: Bytes(bytes), known };
    // Two days; of the second one the hours from 3 to 9 are unknown and count as none.
    let rows = (0..=48).map(|hour: u64| {
        let unknown = (28..=33).contains(&hour);
        let lost = hour.saturating_sub(27).min(6);
        (hour, (hour - lost) * MB, !unknown)
    });
    let history = History::new(rows.map(sample).collect()).expect("a history");
    for n in 0..200 {
        assert_eq!(history.written(Duration::s(24 * HOUR), 3, n).0 / MB, 24, "{n}");
    }
}

/// The benchmark `plan calibration` does it for 2,000.
/// Three days by the ten minutes, each day and each hour with a rate of its own, in bytes a second.
fn three_days(known: impl Fn(u64) -> bool) -> History {
    let mut samples = vec![Sample::default()];
    for minute in (10..=3 * 1_440).step_by(10) {
        let (day, hour) = ((minute - 1) / 1_440, (minute - 1) / 60 % 24);
        let rate = 1_000 * (day + 1) + hour;
        let last = samples[samples.len() - 1];
        samples.push(Sample {
            at: Duration::s(60 * minute),
            bytes: Bytes(last.bytes.0 + 600 * rate),
            known: known(minute),
        });
    }
    History::new(samples).expect("a history")
}

#[test]
fn rates_of_an_hour_are_those_that_every_day_had_at_that_hour() {
    let hours = |n: u64| Duration::s(HOUR * n);
    let history = three_days(|_| true);
    assert_eq!(history.season(), hours(24));
    for hour in 0..24 {
        let wanted: Vec<u64> = (1..=3).map(|day| 1_000 * day + hour).collect();
        assert_eq!(history.rates(hours(hour), hours(1)), wanted, "{hour}");
    }
    // The mean of two hours; and over midnight, where half of the first and the last is known.
    assert_eq!(history.rates(hours(9), hours(2)), [1_009, 2_009, 3_009]);
    assert_eq!(history.rates(hours(23), hours(2)), [1_000, 1_511, 2_511, 3_023]);
}

#[test]
fn rates_leave_out_what_is_less_than_half_known() {
    let hours = |n: u64| Duration::s(HOUR * n);
    // Of the second day's 9 to 10 o'clock nobody looked at the first minutes.
    let unknown = |minutes: u64| {
        let nine = 1_440 + 9 * 60;
        three_days(move |minute| !(nine + 1..=nine + minutes).contains(&minute))
    };
    let rates = |minutes| unknown(minutes).rates(hours(9), hours(1));
    assert_eq!(rates(20), [1_009, 2_009, 3_009]);
    assert_eq!(rates(30), [1_009, 2_009, 3_009]);
    assert_eq!(rates(40), [1_009, 3_009]);
}

#[test]
fn more_of_a_setting_takes_more_disk_until_nothing_needs_it() {
    for keep in [Keep::WalKeepSize, Keep::MaxSlotWalKeepSize] {
        let lengths = (1..=9).map(|n| Duration::s(20 * 60 * n)).collect();
        let outages = Outages::Past(lengths);
        let question = question(stage(keep, History::constant(4 * MB), outages), 0.1, 60);
        let answer = answer(keep, &question, 1);
        let outside = Outside::default();
        let of = |threads| {
            let watcher = Watcher { threads, progress: &|| (), outside: &outside };
            taken(keep, &question, &answer, &watcher).expect("it is played")
        };
        let disks = of(1);
        assert_eq!(disks, of(3), "the same on any number of threads");
        let value = answer.value.expect("one is enough");
        let wanted: Vec<u64> = [1, 2, 3, 4, 5, 6]
            .map(|quarters| {
                value.0 * quarters / 4 / answer.segment.bytes() * answer.segment.bytes()
            })
            .to_vec();
        assert_eq!(disks.iter().map(|disk| disk.value.0).collect::<Vec<_>>(), wanted);
        assert!(disks.iter().all(|disk| disk.median <= disk.most), "{disks:?}");
        assert!(disks.is_sorted_by_key(|disk| (disk.most, disk.median)), "{disks:?}");
        // What one setting keeps is kept; beside it lies what checkpoints keep, at most 1 GB or so.
        for disk in &disks {
            let beside = 2 << 30;
            assert!(disk.most.0 <= disk.value.0 + beside, "{keep:?}: {disk:?}");
        }
        let most = disks.iter().map(|disk| disk.most).max();
        assert!(most > disks.first().map(|disk| disk.most), "{keep:?}: {disks:?}");
    }
}

#[test]
fn intervals_hold_the_quantile_of_histories_whose_answer_is_known() {
    let covered = calibration::covered(16, 600, 2);
    // At 95 % fewer than 13 of 16 are a matter of one in a hundred.
    assert!(covered >= 13, "{covered} of 16");
}

#[test]
fn a_share_of_no_trials_is_nothing() {
    assert_eq!(Share::new(0, 0).value(), 0.0);
}

/// WAL of each minute of a trial's first hour, without its outage.
fn by_minute(stage: &Stage, n: u64) -> Vec<u64> {
    let mut scenario = stage.scene(n).scenario;
    scenario.faults.clear();
    scenario.duration = Duration::s(HOUR);
    let run = sim::run(&scenario, sim::Options::default(), &Outside::default()).expect("a run");
    let looks = run.samples.servers[0].insert_lsn.iter();
    let looks: Vec<(u64, u64)> =
        looks.filter_map(|(at, lsn)| Some((at.0 / 1_000_000_000, lsn?))).collect();
    let position = |second| looks.iter().take_while(|(at, _)| *at <= second).last();
    let positions: Vec<u64> =
        (0..60).map(|minute| position(60 * minute).map_or(0, |(_, lsn)| *lsn)).collect();
    positions.windows(2).map(|w| w[1] - w[0]).collect()
}

#[test]
fn images_made_anew_keep_the_rate_and_make_a_sawtooth() {
    let preset = presets::workload("pgbench-simple-update").expect("a preset");
    let mut transactions = preset;
    transactions.records =
        Quantiles::constant(transactions.records.mean() + presets::COMMIT_RECORD.0);
    let whole = History::constant(MB / 2);
    let cycle = sawtooth::Cycle { time: Duration::s(300), wal: Bytes(1 << 40) };
    let records = sawtooth::without_images(&whole, &transactions, cycle).expect("a history");
    let outages = Outages::Fixed(Duration::s(HOUR));
    let stage = Stage { transactions, ..stage(Keep::WalKeepSize, records, outages) };
    let made = by_minute(&stage, 1);
    // Ten cycles.
    let middle = &made[5..55];
    let mean = middle.iter().sum::<u64>() / middle.len() as u64;
    assert!(mean.abs_diff(60 * MB / 2) < 60 * MB / 2 / 20, "{mean}: {middle:?}");
    let (first, last) = (middle.iter().max().expect("some"), middle.iter().min().expect("some"));
    assert!(*first > 2 * last, "{middle:?}");
}

fn found(quantity: Quantity, question: &Question) -> Found {
    let outside = Outside::default();
    let watcher = Watcher { threads: 2, progress: &|| (), outside: &outside };
    find(quantity, &question.stage, question.sampling, &watcher).expect("it is found")
}

#[test]
fn a_slot_without_limit_fills_the_disk_when_the_arithmetic_says() {
    // 4 MB/s: 1 GB more than what was there takes 256 s, give or take a checkpoint's leavings.
    let outages = Outages::Fixed(Duration::s(HOUR));
    let stage = stage(Keep::MaxSlotWalKeepSize, History::constant(4 * MB), outages);
    let question = question(stage, 0.1, 40);
    let full = |size| found(Quantity::DiskFull(Bytes(size)), &question).value;
    let (four, eight) = (full(4 << 30).expect("full"), full(8 << 30).expect("full"));
    let apart = (eight - four) / 1_000_000_000;
    assert!((1_000..=1_050).contains(&apart), "{four} {eight}");
    assert_eq!(full(64 << 30), None);
    // And pg_wal takes an hour's WAL and what checkpoints leave.
    let most = found(Quantity::PgWal, &question).value.expect("bytes");
    let hour = HOUR * 4 * MB;
    assert!((hour..hour + (2 << 30)).contains(&most), "{most}");
}

#[test]
fn a_standby_is_back_when_link_or_replay_have_caught_up_with_the_backlog() {
    let outages = Outages::Fixed(Duration::s(600));
    let mut stage = stage(Keep::MaxSlotWalKeepSize, History::constant(2 * MB), outages);
    stage.scenario.servers[1].replay = Rate::new(6 * MB).expect("a rate");
    let back = found(Quantity::CaughtUp, &question(stage, 0.1, 40)).value.expect("it is back");
    // 1,200 MB of backlog at 6 - 2 MB/s; and after a crash it replays again from its last
    // restartpoint, up to two checkpoint cycles before.
    assert!((300..=300 + 2 * 300).contains(&(back / 1_000_000_000)), "{back}");
    let mut slow = self::stage(
        Keep::MaxSlotWalKeepSize,
        History::constant(2 * MB),
        Outages::Fixed(Duration::s(60)),
    );
    slow.scenario.servers[1].replay = Rate::new(MB).expect("a rate");
    assert_eq!(found(Quantity::CaughtUp, &question(slow, 0.1, 40)).value, None);
}

#[test]
fn a_scenario_lends_its_servers_and_nothing_that_happens_in_it() {
    let servers = "duration = '1h'\n[server.pg1]\n[server.pg2]\nupstream = 'pg1'\n\
                   [server.pg3]\nupstream = 'pg1'\n";
    let busy = "[workload.a]\nwal_rate = '5MB/s'\n[workload.b]\nrate = '100/s'\n\
                [action.c]\nkind = 'checkpoint'\nserver = 'pg1'\nat = '6min'\n\
                [fault.d]\nkind = 'link_reset'\nbetween = ['pg1', 'pg3']\nat = '40min'\n";
    let answer = |text: &str| {
        let outages = Outages::Fixed(Duration::s(900));
        let mut stage = stage(Keep::WalKeepSize, History::constant(4 * MB), outages);
        let file = ScenarioFile::parse("plan", text, &mut |f| Err(f.to_owned())).expect("valid");
        stage.scenario = file.variants().expect("its variants").remove(0);
        answer(Keep::WalKeepSize, &question(stage, 0.2, 20), 2)
    };
    let (quiet, busy) = (answer(servers), answer(&format!("{servers}{busy}")));
    assert_eq!(quiet.trials, busy.trials);
    // What was needed in the end is what had been needed when it came back, or what one
    // checkpoint more needs: 33 segments and those that it lasts.
    for trial in &quiet.trials {
        let grown = trial.growth.last().map_or(Bytes(0), |(_, needed)| *needed);
        assert!(grown <= trial.needed && trial.needed.0 <= grown.0 + 40 * (16 << 20), "{trial:?}");
    }
}
