//! A slot keeps WAL for a standby that is away, up to its cap; beyond that it is lost, keeps
//! nothing any more, and the standby asks in vain.

use models::trace::Run;
use models::trace::fact::{Refusal, ServerId, What};
use models::units::SimTime;
use scenarios::file::ScenarioFile;
use sim::{Options, Outside};

/// A standby with a slot is away for ten minutes at 2 MB/s; the slot may keep `cap`.
fn away(cap: &str, version: u8) -> Run {
    let text = format!(
        "duration = '30min'\npg_version = {version}\n[postgresql]\nmax_wal_size = '256MB'\n\
         checkpoint_timeout = '1min'\nmax_slot_wal_keep_size = '{cap}'\n[server.pg1]\n\
         [server.pg2]\nupstream = 'pg1'\nslot = 's'\n[workload.w]\nwal_rate = '2MB/s'\n\
         [fault.away]\nkind = 'crash'\nserver = 'pg2'\nwhat = 'host'\nat = '2min'\nfor = '10min'\n"
    );
    let file = ScenarioFile::parse("slots", &text, &mut |f| Err(f.to_owned())).expect("a scenario");
    let scenario = file.variants().expect("its variants").remove(0);
    sim::run(&scenario, Options::default(), &Outside::default()).expect("a run")
}

#[test]
fn a_slot_that_may_keep_enough_brings_its_standby_back() {
    let run = away("2GB", 17);
    let (slot, standby) = (&run.summary.slots[0], &run.summary.standbys[0]);
    assert_eq!(slot.wal_status_seen, ["reserved", "extended"]);
    assert_eq!(slot.wal_status, Some("reserved"));
    // Ten minutes at 2 MB/s, and the minute until the walsender has noticed.
    let outage = 600 * 2_000_000;
    assert!((outage..outage * 12 / 10).contains(&slot.retained_bytes.max), "{slot:?}");
    assert!(standby.connected && !standby.lost, "{standby:?}");
}

#[test]
fn a_slot_beyond_its_cap_is_lost_and_its_wal_goes() {
    for version in [13, 15, 16, 18] {
        let run = away("512MB", version);
        let (slot, standby) = (&run.summary.slots[0], &run.summary.standbys[0]);
        assert_eq!(slot.wal_status_seen, ["reserved", "extended", "unreserved", "lost"]);
        assert_eq!((slot.restart_lsn, slot.safe_wal_size), (None, None), "{version}");
        assert!(standby.lost && !standby.connected, "{standby:?}");
        // The cap, and at most a checkpoint's WAL beyond it; afterwards only what redo needs.
        let pg_wal = run.summary.servers[0].pg_wal_bytes;
        assert!((512 << 20..820 << 20).contains(&pg_wal.max), "{pg_wal:?}");
        assert!(pg_wal.end < 300 << 20, "{pg_wal:?}");
        let removed = |what: &What| {
            // Since 18 the slot itself is refused.
            match what {
                What::ConnectFailed { why: Refusal::SegmentRemoved { .. }, .. } => version < 18,
                What::ConnectFailed { why: Refusal::SlotInvalid { .. }, .. } => version >= 18,
                _ => false,
            }
        };
        assert!(run.facts.iter().filter(|fact| removed(&fact.what)).count() > 100);
    }
}

/// What the slot keeps grows until the standby is back, and is then what the standby missed: from
/// where it had been shut down to where the primary's WAL was when it asked again.
#[test]
fn what_a_slot_keeps_until_reconnection_is_what_the_standby_missed() {
    let entry = scenarios::catalog::find("slots/offline_with_slot").expect("in the catalogue");
    let scenario = entry.parse().expect("a scenario").variants().expect("its variants").remove(0);
    let run = sim::run(&scenario, Options::default(), &Outside::default()).expect("a run");
    let on_standby = |what: fn(&What) -> bool| {
        let mut facts = run.facts.iter().filter(|f| f.server == Some(ServerId(1)));
        facts.rfind(|fact| what(&fact.what)).expect("it happened")
    };
    let back = on_standby(|what| matches!(what, What::StreamingStarted { .. })).at;
    let What::EndOfWal { at: missed_from } =
        on_standby(|what| matches!(what, What::EndOfWal { .. })).what
    else {
        unreachable!("just found")
    };
    // 1 MB/s in steps of a second; the series has the last value of each of its spans.
    let inserted = run.samples.servers[0].insert_lsn.iter();
    let inserted: Vec<(SimTime, u64)> = inserted.filter_map(|(at, lsn)| Some((at, lsn?))).collect();
    let next = inserted.partition_point(|(at, _)| *at < back);
    let bounds = (inserted[next - 2].1 - missed_from.0, inserted[next].1 - missed_from.0);
    let kept = run.summary.slots[0].retained_bytes.max;
    let segment = 16 << 20;
    assert!((bounds.0..=bounds.1).contains(&kept), "{kept} outside {bounds:?}");
    assert!(bounds.1 - bounds.0 <= segment, "{bounds:?} is within a segment");
    assert!(kept > 7_000 << 20, "{kept}");
}
