//! How long a standby without a slot may be away: the closed form beside the simulation.
//!
//! A standby that goes away needs the segment that holds the end of what it has. WAL is removed
//! only when a checkpoint ends: below the segment of its redo point, and not above the current
//! segment less `wal_keep_size`. So with `W` the WAL written until the standby is back, `K` whole
//! segments of `wal_keep_size` and `C` the WAL of one checkpoint cycle:
//!
//! * `W <= K - 1` segments: it survives whatever checkpoints do;
//! * `W` above both `K + 2` segments and the next two checkpoints' WAL, plus a cycle: it is lost;
//! * in between, within a checkpoint cycle of the edge, it depends on where in the cycle it left
//!   and came back: lost if and only if one of the checkpoints that ended meanwhile had its redo
//!   point in a later segment and ended more than `K` segments after the one needed.

use models::trace::Run;
use models::trace::fact::{Fact, ServerId, What};
use models::units::{Die, Lsn, SimTime};
use scenarios::file::ScenarioFile;
use sim::{Options, Outside};

const SEGMENT: u64 = 16 << 20;
const STANDBY: ServerId = ServerId(1);

/// One set of numbers. Sizes in MB, times in seconds, the target in percent.
#[derive(Clone, Copy, Debug)]
struct Case {
    rate_kb: u64,
    keep: u64,
    leaves: u64,
    outage: u64,
    timeout: u64,
    max_wal_size: u64,
    target: u64,
}

impl Case {
    /// Outages reach from far below what `wal_keep_size` covers to far above.
    fn draw(n: u64) -> Case {
        let mut die = Die::new(n, "survival", "case");
        let mut between = |low: u64, high: u64| low + die.throw() % (high - low + 1);
        let rate_kb = [200, 500, 1_000, 4_000, 12_000][between(0, 4) as usize];
        let keep = [0, 0, 8, 64, 100, 512, 1_024, 4_096][between(0, 7) as usize];
        let timeout = [30, 60, 300, 900][between(0, 3) as usize];
        let max_wal_size = [64, 256, 1_024, 4_096][between(0, 3) as usize];
        let target = [0, 50, 90, 100][between(0, 3) as usize];
        let case = Case { rate_kb, keep, leaves: 0, outage: 0, timeout, max_wal_size, target };
        let covered = (keep << 10) / rate_kb;
        let cycle = (case.cycle() >> 10) / rate_kb;
        let most = (2 * covered + 4 * cycle + 60).min(24 * 3_600);
        let (leaves, outage) = (timeout + between(0, 2 * cycle + 60), between(10, most));
        Case { leaves, outage, ..case }
    }

    /// WAL from the start of one checkpoint to the start of the next, in bytes.
    fn cycle(&self) -> u64 {
        let segments = self.max_wal_size / 16;
        let by_size = (segments * 100 / (100 + self.target)).max(1) * SEGMENT;
        by_size.min(self.rate_kb * 1_024 * self.timeout)
    }

    fn play(&self, seed: u64) -> Run {
        self.play_with(seed, Slot::Without)
    }

    fn play_with(&self, seed: u64, slot: Slot) -> Run {
        let Case { rate_kb, keep, leaves, outage, timeout, max_wal_size, target } = self;
        let (limit, slot) = match slot {
            Slot::Without => (String::new(), ""),
            Slot::UpTo(most) => (format!("max_slot_wal_keep_size = {most}\n"), "slot = 'kept'\n"),
        };
        let text = format!(
            "seed = {seed}\nduration = '{}s'\n[postgresql]\nwal_keep_size = '{keep}MB'\n\
             checkpoint_timeout = '{timeout}s'\nmax_wal_size = '{max_wal_size}MB'\n\
             min_wal_size = '32MB'\ncheckpoint_completion_target = {}\n{limit}[server.pg1]\n\
             [server.pg2]\n{slot}upstream = 'pg1'\nreplay = '10GB/s'\n[workload.w]\n\
             wal_rate = '{rate_kb}kB/s'\n[fault.away]\nkind = 'crash'\nserver = 'pg2'\n\
             what = 'host'\nat = '{leaves}s'\nfor = '{outage}s'\n",
            leaves + outage + 20,
            *target as f64 / 100.0,
        );
        let file = ScenarioFile::parse("survival", &text, &mut |f| Err(f.to_owned()));
        let scenario = file.expect("a scenario").variants().expect("its variants").remove(0);
        sim::run(&scenario, Options::default(), &Outside::default()).expect("a run")
    }
}

/// What the closed form says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Survives,
    Lost,
    NearTheEdge,
}

/// WAL of `bytes` written while the standby was away.
fn closed_form(case: &Case, bytes: u64) -> Verdict {
    let (keep, cycle) = (case.keep / 16 * SEGMENT, case.cycle() + SEGMENT);
    let redo_moves = cycle + cycle * case.target / 100;
    if bytes + SEGMENT <= keep {
        Verdict::Survives
    } else if bytes > (keep + 2 * SEGMENT + cycle).max(redo_moves + cycle) {
        Verdict::Lost
    } else {
        Verdict::NearTheEdge
    }
}

/// Where the standby was when it left, and when it asked for WAL again.
fn absence(run: &Run) -> (Lsn, SimTime, SimTime) {
    let of_standby = |what: fn(&What) -> bool| {
        let mut facts = run.facts.iter().filter(|f| f.server == Some(STANDBY));
        facts.find(|f| what(&f.what)).map(|f| f.at)
    };
    let left = of_standby(|what| matches!(what, What::Crashed { .. })).expect("it leaves");
    let asked = run
        .facts
        .iter()
        .find(|fact| fact.at > left && matches!(fact.what, What::SenderStarted { .. }));
    let asked = asked.expect("it comes back");
    let What::SenderStarted { start, .. } = asked.what else { unreachable!("just found") };
    (start, left, asked.at)
}

/// What the phase of the cycle says: whether a checkpoint that ended meanwhile took the segment.
fn taken_by_a_checkpoint(case: &Case, run: &Run, needed: u64, until: SimTime) -> bool {
    let keep = case.keep / 16;
    run.facts.iter().filter(|fact| fact.at <= until).any(|fact| match fact.what {
        What::CheckpointDone { redo, end, .. } if fact.server != Some(STANDBY) => {
            let (redo, current) = (redo.0 / SEGMENT, end.0 / SEGMENT);
            redo > needed && current.saturating_sub(keep) > needed
        }
        _ => false,
    })
}

#[test]
fn survival_is_what_the_closed_form_says_and_at_the_edge_what_the_cycle_says() {
    let (mut clear, mut near) = ([0; 2], [0; 2]);
    for n in 0..500 {
        let case = Case::draw(n);
        let run = case.play(n);
        let (start, left, back) = absence(&run);
        let written = (back.0 - left.0) / 1_000_000 * case.rate_kb * 1_024 / 1_000;
        let lost = run.summary.standbys[0].lost;
        assert_ne!(lost, run.summary.standbys[0].connected, "{case:?}");
        let verdict = closed_form(&case, written);
        match verdict {
            Verdict::Survives => assert!(!lost, "{n}: {case:?}"),
            Verdict::Lost => assert!(lost, "{n}: {case:?}"),
            Verdict::NearTheEdge => {}
        }
        let taken = taken_by_a_checkpoint(&case, &run, start.0 / SEGMENT, back);
        assert_eq!(lost, taken, "{n}: {case:?} needs {start}");
        let count = if verdict == Verdict::NearTheEdge { &mut near } else { &mut clear };
        count[usize::from(lost)] += 1;
    }
    println!("clear: {clear:?} survive and lost; near the edge: {near:?}");
    // The closed form decides most, both ways, and at the edge it goes both ways.
    assert!(clear.iter().all(|&n| n >= 50) && clear.iter().sum::<u32>() >= 250, "{clear:?}");
    assert!(near.iter().all(|&n| n >= 10), "{near:?}");
}

/// A slot on the primary that the standby uses, and what it may keep.
#[derive(Clone, Copy, Debug)]
enum Slot {
    Without,
    /// `max_slot_wal_keep_size` in MB.
    UpTo(i64),
}

#[test]
fn the_wal_that_a_standby_needed_is_the_edge_of_wal_keep_size() {
    let mut edges = 0;
    for n in 0..150 {
        let kept = Case { keep: 1 << 20, ..Case::draw(n) };
        let standby = &kept.play(n).summary.standbys[0];
        assert!(!standby.lost, "{n}: {kept:?}");
        let needed = standby.wal_needed_bytes >> 20;
        let at = |keep| Case { keep, ..kept }.play(n).summary.standbys[0].clone();
        assert!(!at(needed).lost, "{n}: {kept:?} with {needed} MB");
        if needed > 0 {
            edges += 1;
            let less = at(needed - 16);
            assert!(less.lost, "{n}: {kept:?} with 16 MB less than {needed} MB");
            assert!(less.wal_needed_bytes >> 20 >= needed, "{n}: {less:?}");
        }
    }
    assert!(edges >= 70, "{edges}");
}

#[test]
fn the_wal_that_a_slot_needed_is_the_edge_of_max_slot_wal_keep_size() {
    let mut edges = 0;
    for n in 0..150 {
        let case = Case { keep: 0, ..Case::draw(n) };
        let at = |most| case.play_with(n, Slot::UpTo(most)).summary.slots[0].clone();
        let kept = at(-1);
        let needed = i64::try_from(kept.wal_needed_bytes >> 20).expect("small");
        assert_ne!(at(needed).wal_status, Some("lost"), "{n}: {case:?} with {needed} MB");
        if needed > 0 {
            edges += 1;
            let less = case.play_with(n, Slot::UpTo(needed - 16));
            // A slot that moves on while its walsender is told to end is not invalidated.
            let told = |fact: &Fact| matches!(fact.what, What::SlotOwnerTerminated { .. });
            let lost = less.summary.slots[0].wal_status == Some("lost");
            assert!(lost || less.facts.iter().any(told), "{n}: {case:?}, less than {needed} MB");
        }
    }
    assert!(edges >= 70, "{edges}");
}

/// A slot is lost when more than its limit is there: pg_wal has been as large as that, even if it
/// was so only for a moment before a checkpoint took it away.
#[test]
fn pg_wal_was_once_as_large_as_what_a_lost_slot_kept() {
    let text = "duration = '20h'\n[postgresql]\nmax_slot_wal_keep_size = '4GB'\n[server.pg1]\n\
                [server.pg2]\nslot = 's'\nupstream = 'pg1'\n[workload.w]\nwal_rate = '50MB/s'\n\
                [fault.away]\nkind = 'crash'\nserver = 'pg2'\nat = '1h'\nfor = '1h'\n";
    let file = ScenarioFile::parse("peak", text, &mut |f| Err(f.to_owned())).expect("valid");
    let scenario = file.variants().expect("its variants").remove(0);
    let run = sim::run(&scenario, Options::default(), &Outside::default()).expect("plays");
    assert!(run.summary.standbys[0].lost);
    let most = run.summary.servers[0].pg_wal_bytes.max;
    assert!(most >= 4 << 30, "{most}");
    assert_eq!(run.samples.servers[0].pg_wal_bytes.peak(), Some(most));
}
