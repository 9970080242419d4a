//! The core against R1's commit path written as madsim tasks.
//!
//! The two share dice, units and histogram and no line of the model, so that what one of them gets
//! wrong the other shows. The anchors are the latencies that every correct version has had.

#[path = "../benches/madsim_only.rs"]
mod madsim_only;
#[path = "../benches/workloads.rs"]
mod workloads;

use models::trace::histogram::Histogram;
use models::units::Duration;
use sim::{Options, Outside};

const SEEDS: std::ops::RangeInclusive<u64> = 1..=5;
const PLAYED: Duration = Duration::s(20);
/// Percentiles (in millionths) and what they are known to be.
const ANCHORS: [(u32, Duration); 2] =
    [(500_000, Duration::us(3_390)), (990_000, Duration::us(4_240))];

fn assert_close(what: &str, share: u32, got: Duration, wanted: Duration, percent: u64) {
    assert!(
        got.0.abs_diff(wanted.0) * 100 <= wanted.0 * percent,
        "{what}, {share} millionths: {} ms is not within {percent} % of {} ms",
        got.as_millis(),
        wanted.as_millis()
    );
}

fn percentile(latency: &Histogram, share: u32) -> Duration {
    latency.percentile(share).expect("R1 has commits")
}

#[test]
fn madsim_alone_has_the_known_latencies_and_is_deterministic() {
    for seed in SEEDS {
        let outcome = madsim_only::run(seed, PLAYED);
        for (share, anchor) in ANCHORS {
            let got = percentile(&outcome.latency, share);
            assert_close(&format!("madsim alone, seed {seed}"), share, got, anchor, 3);
        }
        assert_eq!(madsim_only::run(seed, PLAYED).digest(), outcome.digest(), "seed {seed}");
    }
}

#[test]
fn the_core_and_madsim_alone_find_the_same_latencies() {
    for seed in SEEDS {
        let scenario = workloads::scenario("R1", seed, PLAYED).expect("R1 exists");
        let run = sim::run(&scenario, Options::default(), &Outside::default());
        let run = run.unwrap_or_else(|error| panic!("R1, seed {seed}: {error}"));
        let oracle = madsim_only::run(seed, PLAYED);
        for (share, anchor) in ANCHORS {
            let (core, madsim) =
                (percentile(&run.latency, share), percentile(&oracle.latency, share));
            assert_close(&format!("core, seed {seed}"), share, core, anchor, 3);
            assert_close(&format!("core against madsim, seed {seed}"), share, core, madsim, 1);
        }
        let (core, madsim) = (run.summary.commits.acknowledged, oracle.latency.count());
        assert!(core.abs_diff(madsim) * 1_000 <= madsim, "seed {seed}: {core}, {madsim} commits");
    }
}
