//! The commit path against formulas.
//!
//! Where nothing is random the latency of a commit is a sum that can be written down
//! (`postgres.md` 2.6), group commit has a law (2.2), and several standbys make an order
//! statistic (3.5). The formulas are written here from PostgreSQL's rules and share nothing with
//! the models but units. No segment ends in these runs, and the walwriter has nothing to do
//! except with `off`, which does not wait for it.

mod commit_path;

use commit_path::{Cluster, START, Standby};
use models::latency::Quantiles;
use models::postgres::guc::SynchronousCommit;
use models::trace::Run;
use models::units::{Bytes, Duration, Rate};
use rand::RngExt;
use sim::world::dice::DieRng;

const LEVELS: [SynchronousCommit; 5] = [
    SynchronousCommit::Off,
    SynchronousCommit::Local,
    SynchronousCommit::RemoteWrite,
    SynchronousCommit::On,
    SynchronousCommit::RemoteApply,
];
/// What a formula may be off by where nothing is random.
const EXACT: u64 = Duration::us(1).0;

fn rng(purpose: &str) -> DieRng {
    DieRng::new(42, purpose, "closed_form")
}

/// A duration from `from` to `to` microseconds.
fn between(rng: &mut DieRng, from: u64, to: u64) -> Duration {
    Duration::us(rng.random_range(from..=to))
}

/// A number from `low` on over as many doublings as `octaves`, each equally likely.
fn scaled(rng: &mut DieRng, low: u64, octaves: u32) -> u64 {
    let low = low << rng.random_range(0..octaves);
    rng.random_range(low..low * 2)
}

fn rate(rng: &mut DieRng, low: u64, octaves: u32) -> Rate {
    Rate::new(scaled(rng, low, octaves)).expect("not zero")
}

/// The middle one, the lower of two.
fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values[(values.len() - 1) / 2]
}

/// The latencies of all commits in order, from the run's series: a bucket of these runs sees one
/// commit at most.
fn latencies(run: &Run) -> Vec<u64> {
    let (commits, sums) = (&run.samples.commits, &run.samples.latency_sum);
    let buckets = commits.iter().zip(sums.iter()).filter_map(|(c, s)| Some((c.1?, s.1?)));
    buckets
        .filter(|&(commits, _)| commits > 0)
        .inspect(|&(commits, _)| assert_eq!(commits, 1, "a bucket is narrower than a commit"))
        .map(|(_, sum)| sum)
        .collect()
}

/// The distance in LSN of each of the first `count` commits: records and the commit record of 40
/// bytes, and the headers of the pages begun (`postgres.md` 1.2: 40 bytes on a segment's first
/// page of 8,192 and 24 on the others; an end at the end of a page does not count the next one).
fn payloads(records: Bytes, count: u64) -> Vec<u64> {
    const PAGE: u64 = 8192;
    let size = records.0.next_multiple_of(8) + 40;
    let first_page = START.0 % PAGE;
    assert!(first_page == 40 && size * (count + 1) < 16_000_000, "one segment holds the run");
    let end = |used: u64| match used.checked_sub(PAGE - 40) {
        None if used == 0 => 0,
        None => 40 + used,
        Some(rest) => PAGE + rest + rest.div_ceil(PAGE - 24) * 24,
    };
    (0..count).map(|n| end(size * (n + 1)) - end(size * n)).collect()
}

/// The time from the local flush to the answer of a standby that was waiting for WAL, for a commit
/// whose WAL is `payload` bytes; zero for a level that does not wait for it.
///
/// With the WAL fsync f_s, the round trip 2d, the write() w, the bandwidth B and the replay rate
/// of the standby:
///
/// ```text
/// remote_write  2d + (payload + 30)/B + w + 39/B
/// on            2d + (payload + 30)/B + w + 39/B + f_s
/// remote_apply  2d + (payload + 30)/B + w + 39/B + f_s + max(payload/replay, 39/B)
/// ```
///
/// 30 bytes is what a message of WAL adds and 39 is a reply. The last maximum is there since the
/// reply after the fsync is on the wire before the one after replay. The sum holds for one message
/// (128 kB), and while 39/B is less than f_s.
fn remote(standby: &Standby, level: SynchronousCommit, payload: u64) -> u64 {
    let reply = standby.bandwidth.time_for(Bytes(39)).0;
    let wire = standby.rtt.max() + standby.bandwidth.time_for(Bytes(payload + 30)).0 + reply;
    let written = wire + standby.write_call.0;
    let flushed = written + standby.fsync.0;
    match level {
        SynchronousCommit::Off | SynchronousCommit::Local => 0,
        SynchronousCommit::RemoteWrite => written,
        SynchronousCommit::On => flushed,
        SynchronousCommit::RemoteApply => {
            flushed + standby.replay.time_for(Bytes(payload)).0.max(reply)
        }
    }
}

/// Draws a cluster of one client and one standby, everything constant. Half of the clients are
/// back to back, and most of the clusters have a near standby, a fast
/// primary and small transactions.
fn draw_single(rng: &mut DieRng) -> Cluster {
    let near = rng.random_bool(0.75);
    let (fsyncs, trips, records) = if near { (4, 4, 8_000) } else { (8, 11, 60_000) };
    let think = if rng.random_bool(0.5) { Duration::ZERO } else { between(rng, 0, 10_000) };
    let standby = Standby {
        fsync: Duration(scaled(rng, 100_000, 7)),
        write_call: between(rng, 0, 50),
        rtt: Quantiles::constant(2 * scaled(rng, 10_000, trips)),
        bandwidth: rate(rng, 1_250_000, 10),
        replay: rate(rng, 10 << 20, 7),
    };
    Cluster {
        fsync: Duration(scaled(rng, 50_000, fsyncs)),
        standbys: vec![standby],
        names: "*".to_owned(),
        clients: 1,
        level: LEVELS[rng.random_range(0..LEVELS.len())],
        service: Quantiles::constant(between(rng, 0, 500).0),
        think: Quantiles::constant(think.0),
        records: Bytes(rng.random_range(0..records)),
    }
}

/// `postgres.md` 2.6 as a sum: s with off, s + f_p with local, and the answer of the standby on
/// top of that with the other levels. s is the service time, f_p the fsync of the primary.
fn sum_of_parts(cluster: &Cluster, payload: u64) -> u64 {
    let flush = if cluster.level == SynchronousCommit::Off { 0 } else { cluster.fsync.0 };
    cluster.service.max() + flush + remote(&cluster.standbys[0], cluster.level, payload)
}

/// The exception to the sum: what a `remote_write` takes at least because of the walreceiver.
///
/// It acknowledges a write, then fsyncs, and does not read meanwhile. If the next WAL arrives
/// before that fsync is over it is written when the walreceiver reads again, one f_s + w after
/// the write before. A client that thinks for z between an answer and its next transaction sees
/// the rest of that time: f_s + w - z, and `remote_write` is the larger of this and its sum. With
/// `on` and `remote_apply` the answer comes after the fsync, so the standby waits for the client.
fn receiver_bound(cluster: &Cluster) -> u64 {
    let standby = &cluster.standbys[0];
    match cluster.level {
        SynchronousCommit::RemoteWrite => {
            (standby.fsync.0 + standby.write_call.0).saturating_sub(cluster.think.max())
        }
        SynchronousCommit::Off
        | SynchronousCommit::Local
        | SynchronousCommit::On
        | SynchronousCommit::RemoteApply => 0,
    }
}

/// Whether the formulas leave it open what comes first: the sum and the exception are so close that
/// the larger may change with the page headers in a message; or the reply after the replay of one
/// commit is on the wire just when the reply is due that the next commit waits for.
fn is_a_tie(cluster: &Cluster, payloads: &[u64]) -> bool {
    let (bound, standby) = (receiver_bound(cluster), &cluster.standbys[0]);
    payloads.iter().any(|&payload| {
        let sum = sum_of_parts(cluster, payload);
        let next = sum.max(bound) + cluster.think.max();
        let replay = standby.replay.time_for(Bytes(payload)).0;
        let wire = 2 * standby.bandwidth.time_for(Bytes(39)).0;
        let meets = match cluster.level {
            SynchronousCommit::RemoteWrite => (standby.fsync.0 + replay).abs_diff(next) <= wire,
            SynchronousCommit::On => replay.abs_diff(next) <= wire,
            SynchronousCommit::Off | SynchronousCommit::Local | SynchronousCommit::RemoteApply => {
                false
            }
        };
        meets || (bound > 0 && bound.abs_diff(sum) < TIE.0)
    })
}

/// See [`is_a_tie`]: longer than a page header and two replies need on the slowest link.
const TIE: Duration = Duration::us(100);
/// Parameter sets of one client.
const SETS: u32 = 400;
const COMMITS: u64 = 120;

#[test]
fn the_latency_of_one_client_is_the_sum_of_its_parts_at_every_level() {
    let mut rng = rng("single");
    let (mut played, mut bound_by_receiver) = ([0; LEVELS.len()], 0);
    while played.iter().sum::<u32>() < SETS {
        let mut cluster = draw_single(&mut rng);
        let payloads = payloads(cluster.records, COMMITS);
        if sum_of_parts(&cluster, payloads[0]) + cluster.think.max() < Duration::us(1_100).0 {
            // Commits nearly as close as the series' narrowest bucket.
            cluster.think = Quantiles::constant(Duration::us(1_100).0);
        }
        if is_a_tie(&cluster, &payloads) {
            continue;
        }
        let bound = receiver_bound(&cluster);
        bound_by_receiver += u32::from(bound > sum_of_parts(&cluster, payloads[0]));
        let expected = payloads.iter().map(|&p| sum_of_parts(&cluster, p).max(bound)).collect();
        assert_median(&cluster, expected);
        played[LEVELS.iter().position(|&l| l == cluster.level).expect("one of the five")] += 1;
    }
    let enough = played.iter().all(|&sets| sets >= 30) && bound_by_receiver >= 10;
    assert!(enough, "{played:?} sets, {bound_by_receiver} of them bound by the walreceiver");
}

/// Plays the commits whose latencies are expected, and holds the medians against each other.
fn assert_median(cluster: &Cluster, mut expected: Vec<u64>) {
    let duration = expected.iter().map(|latency| latency + cluster.think.max()).sum();
    let got = latencies(&cluster.play(1, Duration(duration)).run);
    // The last one or two are not over when the run ends.
    assert!(got.len() + 2 >= expected.len(), "{} commits: {cluster:#?}", got.len());
    expected.truncate(got.len());
    let (got, wanted) = (median(got), median(expected));
    assert!(got.abs_diff(wanted) <= EXACT, "{got} ns, not {wanted} ns: {cluster:#?}");
}

/// A standby `rtt` away that is ready for WAL at any time.
fn standby(fsync: Duration, rtt: Quantiles) -> Standby {
    let bandwidth = Rate::new(1_250_000_000).expect("not zero");
    let replay = Rate::new(200 << 20).expect("not zero");
    Standby { fsync, write_call: Duration::ZERO, rtt, bandwidth, replay }
}

/// Clients in a closed loop under the cohort law.
///
/// While a flush runs, whoever inserts waits for its end and shares the next one: a *cohort*. A
/// cohort's clients are back a time R + s after its flush, R being what they wait for from the
/// standby (0 with `local`) and s their service; then they wait for the flush that runs. So at
/// most G = floor((R + s)/f) + 2 cohorts are served in turn, f being the fsync. With C >= G
/// clients there are so many, flushes follow each other without a gap, and a commit takes G x f
/// from its start; C/G of them share an fsync. With fewer clients each has a flush of its own
/// and a commit takes s + f + R. The standby's flush is R's part beside the way: R = 2d + f_s.
///
/// **Domain.** f_s below f, or the standby is the bottleneck, shares its own fsyncs, and R grows
/// by up to f_s; R + s not near a multiple of f, where it is luck which flush a cohort meets.
struct Cohorts {
    cluster: Cluster,
    /// R.
    remote: Duration,
}

impl Cohorts {
    fn draw(rng: &mut DieRng, level: SynchronousCommit) -> Cohorts {
        let fsync = between(rng, 2_000, 8_000);
        let standby_fsync = Duration(fsync.0 * rng.random_range(1..=90) / 100);
        let rtt = 2 * between(rng, 0, 15_000).0;
        let remote = match level {
            SynchronousCommit::On => Duration(rtt + standby_fsync.0),
            _ => Duration::ZERO,
        };
        let most = 1 << rng.random_range(0..=6);
        let cluster = Cluster {
            fsync,
            standbys: vec![standby(standby_fsync, Quantiles::constant(rtt))],
            names: "*".to_owned(),
            clients: rng.random_range(1..=most),
            level,
            service: Quantiles::constant(between(rng, 20, 1_000).0),
            think: Quantiles::constant(0),
            records: Bytes(72),
        };
        Cohorts { cluster, remote }
    }

    /// R + s.
    fn away(&self) -> u64 {
        self.remote.0 + self.cluster.service.max()
    }

    /// G.
    fn most(&self) -> u64 {
        self.away() / self.cluster.fsync.0 + 2
    }

    /// Whether R + s is at least 5 % of an fsync away from a multiple of it.
    fn is_clear(&self) -> bool {
        let percent = self.away() * 100 / self.cluster.fsync.0 % 100;
        (5..95).contains(&percent)
    }

    /// Whether there are clients enough for all cohorts.
    fn is_full(&self) -> bool {
        u64::from(self.cluster.clients) >= self.most()
    }

    /// Latency in nanoseconds, and commits that share an fsync.
    fn law(&self) -> (u64, f64) {
        if self.is_full() {
            let shared = f64::from(self.cluster.clients) / self.most() as f64;
            (self.most() * self.cluster.fsync.0, shared)
        } else {
            (self.away() + self.cluster.fsync.0, 1.0)
        }
    }
}

#[test]
fn commits_share_fsyncs_as_the_cohort_law_says() {
    let mut rng = rng("cohorts");
    for level in [SynchronousCommit::Local, SynchronousCommit::On] {
        let mut played = [0; 2];
        while played.iter().sum::<u32>() < 100 {
            let cohorts = Cohorts::draw(&mut rng, level);
            if !cohorts.is_clear() {
                continue;
            }
            let (latency, shared) = cohorts.law();
            let run = cohorts.cluster.play(1, Duration(latency * 500));
            let got = run.run.latency.percentile(500_000).expect("commits").0;
            let got_shared = run.run.latency.count() as f64 / run.flushes as f64;
            assert!(
                got.abs_diff(latency) * 50 <= latency && (got_shared / shared - 1.0).abs() <= 0.02,
                "{got} ns, not {latency} ns; {got_shared:.2} commits an fsync, not {shared:.2}: \
                 {:#?}",
                cohorts.cluster
            );
            played[usize::from(cohorts.is_full())] += 1;
        }
        assert!(played.iter().all(|&sets| sets >= 15), "{level:?}: {played:?} sets");
    }
}

/// How `synchronous_standby_names` chooses: `FIRST` or `ANY` so many of the standbys in a list.
struct Choice {
    any: bool,
    count: usize,
    /// Indexes of the standbys in the order of the list.
    list: Vec<usize>,
}

impl Choice {
    fn draw(rng: &mut DieRng, standbys: usize) -> Choice {
        let mut list: Vec<usize> = (0..standbys).collect();
        for n in (1..standbys).rev() {
            list.swap(n, rng.random_range(0..=n));
        }
        Choice { any: rng.random_bool(0.5), count: rng.random_range(1..=standbys), list }
    }

    /// The value of the setting.
    fn names(&self) -> String {
        let list: Vec<String> = self.list.iter().map(|n| format!("s{}", n + 1)).collect();
        let method = if self.any { "ANY" } else { "FIRST" };
        format!("{method} {} ({})", self.count, list.join(", "))
    }

    /// When a commit is released whose standbys answer at `answers`: `ANY n`, with the n-th
    /// answer; `FIRST n`, with the last of the first n in the list.
    fn released(&self, answers: &[u64]) -> u64 {
        let mut answers: Vec<u64> = self.list.iter().map(|&n| answers[n]).collect();
        if self.any {
            answers.sort_unstable();
            answers[self.count - 1]
        } else {
            answers[..self.count].iter().copied().max().expect("at least one")
        }
    }
}

#[test]
fn several_standbys_release_a_commit_at_their_order_statistic() {
    let mut rng = rng("several");
    for _ in 0..100 {
        let count = rng.random_range(2..=5);
        let choice = Choice::draw(&mut rng, count);
        let standbys: Vec<Standby> = (0..count)
            .map(|_| {
                let rtt = Quantiles::constant(2 * scaled(&mut rng, 50_000, 9));
                standby(Duration(scaled(&mut rng, 100_000, 7)), rtt)
            })
            .collect();
        // Longer than any fsync here: nobody is busy when the next commit comes.
        let think = Duration::ms(15);
        let cluster = Cluster {
            fsync: Duration(scaled(&mut rng, 50_000, 8)),
            names: choice.names(),
            clients: 1,
            level: LEVELS[rng.random_range(2..LEVELS.len())],
            service: Quantiles::constant(between(&mut rng, 0, 500).0),
            think: Quantiles::constant(think.0),
            records: Bytes(72),
            standbys,
        };
        let expected = payloads(cluster.records, 40).into_iter().map(|payload| {
            let answer = |standby| remote(standby, cluster.level, payload);
            let answers: Vec<u64> = cluster.standbys.iter().map(answer).collect();
            cluster.service.max() + cluster.fsync.0 + choice.released(&answers)
        });
        assert_median(&cluster, expected.collect());
    }
}

/// The median of the order statistic of round trips, by throwing dice: a direction's delay is
/// half of a draw each 100 ms and linear in between (product.md), so all links are at the same
/// place between two draws.
fn thrown_median(rng: &mut DieRng, choice: &Choice, standbys: &[(Duration, [u64; 2])]) -> u64 {
    let released = (0..100_000).map(|_| {
        let along: f64 = rng.random();
        let mut direction = |[low, high]: [u64; 2]| {
            let mut draw = || rng.random_range(low..=high) as f64 / 2.0;
            draw() * (1.0 - along) + draw() * along
        };
        let answers: Vec<u64> = standbys
            .iter()
            .map(|&(fsync, rtt)| fsync.0 + (direction(rtt) + direction(rtt)) as u64)
            .collect();
        choice.released(&answers)
    });
    median(released.collect())
}

#[test]
fn jittery_links_have_the_median_of_their_order_statistic() {
    let us = |n: u64| Duration::us(n).0;
    let links = [
        (Duration::us(1_000), [us(2_000), us(12_000)]),
        (Duration::us(2_000), [us(1_000), us(10_000)]),
        (Duration::us(500), [us(4_000), us(20_000)]),
    ];
    let mut rng = rng("jitter");
    let fsync = Duration::us(500);
    for (any, count) in [(true, 1), (true, 2), (true, 3), (false, 1), (false, 2)] {
        let choice = Choice { any, count, list: vec![1, 0, 2] };
        let standbys =
            links.map(|(fsync, [low, high])| standby(fsync, Quantiles::uniform(low, high)));
        let cluster = Cluster {
            fsync,
            standbys: standbys.to_vec(),
            names: choice.names(),
            clients: 1,
            level: SynchronousCommit::On,
            service: Quantiles::constant(0),
            // Commits come anywhere between two draws of a link, and so rarely that a slow answer
            // hardly makes them rarer.
            think: Quantiles::uniform(us(100_000), us(300_000)),
            records: Bytes(72),
        };
        let run = cluster.play(1, Duration::s(6_000)).run;
        let got = run.latency.percentile(500_000).expect("commits").0;
        let wanted = fsync.0 + thrown_median(&mut rng, &choice, &links);
        let names = choice.names();
        assert!(got.abs_diff(wanted) * 50 <= wanted, "{names}: {got} ns, not {wanted} ns");
    }
}
