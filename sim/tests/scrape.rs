//! What monitoring learns of a run, held against the run itself: every number about commits against
//! the list of all commits, and the exporter's numbers where they say something else than what is.

use models::trace::fact::ServerId;
use models::trace::flow::Window;
use models::trace::scrape::{Answer, Behind, Collector, Scrape};
use models::units::{Duration, Lsn, SimTime, UsableBytes};
use scenarios::file::ScenarioFile;
use scenarios::scenario::Scenario;
use sim::Outside;
use sim::passage::passage;
use sim::scrape::scrape;

const STANDBY: ServerId = ServerId(1);

fn scenario(text: &str) -> Scenario {
    let file = ScenarioFile::parse("scrape", text, &mut |f| Err(f.to_owned()));
    let variants = file.and_then(|file| file.variants());
    variants.unwrap_or_else(|problems| panic!("{problems}\n{text}")).remove(0)
}

/// Visits from the start to the end, so far apart.
fn visits(scenario: &Scenario, every: Duration) -> Vec<Scrape> {
    let at: Vec<SimTime> =
        (0..=scenario.duration.0 / every.0).map(|n| SimTime(n * every.0)).collect();
    let (mut all, outside) = (Vec::new(), [Outside::default(), Outside::default()]);
    scrape(scenario, &at, [&outside[0], &outside[1]], &mut |scrape| all.push(scrape))
        .unwrap_or_else(|error| panic!("{error}"));
    all
}

/// A column of the first row of what a collector found on the standby.
fn cell(scrape: &Scrape, collector: Collector, column: &str) -> Option<String> {
    let Answer::Results(results) = &scrape.answer else { return None };
    let (_, table) = results.iter().find(|(of, _)| *of == collector)?;
    let index = table.columns.iter().position(|found| found.name == column)?;
    table.rows.first()?[index].clone()
}

/// `pg_replication_lag_seconds` and `pg_replication_last_replay_seconds`.
fn shown(scrape: &Scrape) -> Option<[f64; 2]> {
    let number = |column| {
        let text = cell(scrape, Collector::Replication, column)?;
        Some(text.parse::<f64>().expect("a number"))
    };
    Some([number("lag")?, number("last_replay")?])
}

fn behind(scrape: &Scrape) -> Behind {
    scrape.truth.behind.expect("it is a standby")
}

fn of_standby(all: &[Scrape]) -> impl Iterator<Item = &Scrape> + Clone {
    all.iter().filter(|scrape| scrape.server == STANDBY)
}

fn at(all: &[Scrape], seconds: u64) -> &Scrape {
    let at = SimTime(seconds * 1_000_000_000);
    of_standby(all).find(|scrape| scrape.at == at).expect("a visit then")
}

#[test]
fn ages_are_those_of_the_last_commit_seen_and_of_the_first_unseen() {
    let mut compared = [0; 3];
    for (level, fault) in [
        ("on", "kind = 'link_cut'\nbetween = ['pg1', 'pg2']"),
        ("off", "kind = 'crash'\nserver = 'pg1'\nwhat = 'host'"),
        ("on", "kind = 'replay_pause'\nserver = 'pg2'"),
        ("off", "kind = 'freeze'\nserver = 'pg2'"),
        ("on", "kind = 'crash'\nserver = 'pg2'"),
    ] {
        let scenario = scenario(&format!(
            "duration = '60s'\n[postgresql]\nsynchronous_commit = '{level}'\n[server.pg1]\n\
             [server.pg2]\nupstream = 'pg1'\nreplay = '2MB/s'\n[workload.orders]\nrate = '300/s'\n\
             wal = '4kB'\n[fault.trouble]\n{fault}\nat = '20s'\nfor = '11s'\n"
        ));
        let all = visits(&scenario, Duration::ms(700));
        let whole = Window { from: SimTime::ZERO, to: SimTime::ZERO + scenario.duration };
        let passed = passage(&scenario, whole, &Outside::default());
        let passed = passed.expect("it was not stopped").expect("there is room");
        let seen = |scrape: &Scrape| {
            let primary = all.iter().find(|other| other.at == scrape.at && other.server.0 == 0);
            let flushed = primary.expect("all servers are visited").truth.flushed;
            UsableBytes::from_lsn(Lsn(flushed.0 - behind(scrape).replay.0), passed.size)
        };
        for scrape in of_standby(&all).filter(|scrape| behind(scrape).replay.0 > 0) {
            let (now, seen) = (scrape.at, seen(scrape));
            // What a crash took back was made and is no more.
            let mut made = passed.flow.inserted.iter().filter(|record| record.at <= now);
            let after = made.clone().find(|record| record.end > seen).map(|record| record.at);
            let age = after.map_or(Duration::ZERO, |at| now.since(at));
            assert_eq!(behind(scrape).age, age, "{fault} at {now}");
            compared[0] += 1;
            let last = made.rfind(|record| record.end <= seen);
            let (Some([lag, last_replay]), Some(record)) = (shown(scrape), last) else { continue };
            let age = now.since(record.at).0 as f64 / 1e9;
            // A standby that has begun anew has replayed no commit since.
            if last_replay != 0.0 {
                assert!((last_replay - age).abs() < 2e-6, "{fault} at {now}: {last_replay} {age}");
                compared[1] += 1;
            }
            assert!(lag == 0.0 || lag == last_replay, "{fault} at {now}: {lag}");
            compared[2] += usize::from(lag != 0.0);
        }
    }
    assert!(compared.into_iter().all(|times| times > 20), "{compared:?}");
}

#[test]
fn the_exporters_lag_is_0_while_nothing_arrives_and_an_age_while_something_waits() {
    let text = |fault: &str| {
        format!(
            "duration = '60s'\n[server.pg1]\n[server.pg2]\nupstream = 'pg1'\n[workload.orders]\n\
             rate = '100/s'\n[fault.trouble]\n{fault}\nat = '20s'\nfor = '20s'\n"
        )
    };
    let cut =
        visits(&scenario(&text("kind = 'link_cut'\nbetween = ['pg1', 'pg2']")), Duration::s(1));
    let [lag, last_replay] = shown(at(&cut, 35)).expect("it answers");
    assert!(lag == 0.0 && (14.9..15.1).contains(&last_replay), "{lag} {last_replay}");
    assert!(behind(at(&cut, 35)).age > Duration::ms(14_900) && !behind(at(&cut, 35)).is_linked);
    let paused = visits(&scenario(&text("kind = 'replay_pause'\nserver = 'pg2'")), Duration::s(1));
    let [lag, last_replay] = shown(at(&paused, 35)).expect("it answers");
    assert!(lag == last_replay && (14.9..15.1).contains(&lag), "{lag} {last_replay}");
    assert!(behind(at(&paused, 35)).is_linked);
}

#[test]
fn a_clock_that_has_jumped_is_in_the_exporters_ages_and_not_in_the_true_one() {
    let text = |by: &str| {
        format!(
            "duration = '60s'\n[server.pg1]\n[server.pg2]\nupstream = 'pg1'\nreplay = '100kB/s'\n\
             [workload.orders]\nrate = '100/s'\nwal = '4kB'\n[fault.ntp]\nkind = 'clock_jump'\n\
             server = 'pg2'\nby = '{by}'\nat = '20s'\n"
        )
    };
    let ahead = visits(&scenario(&text("1h")), Duration::s(10));
    let [lag, _] = shown(at(&ahead, 30)).expect("it answers");
    assert!((3_600.0..3_640.0).contains(&lag), "{lag}");
    assert!(behind(at(&ahead, 30)).age < Duration::s(40));
    let back = visits(&scenario(&text("-1h")), Duration::s(10));
    assert_eq!(shown(at(&back, 30)), Some([0.0, 0.0]), "GREATEST(0, ...)");
    assert!(behind(at(&back, 30)).age > Duration::s(1));
}

#[test]
fn a_standby_is_lost_when_what_it_needs_is_removed_and_not_when_it_finds_out() {
    let scenario = scenario(
        "duration = '6min'\n[postgresql]\ncheckpoint_timeout = '30s'\nmax_wal_size = '64MB'\n\
         [server.pg1]\n[server.pg2]\nupstream = 'pg1'\n[workload.bulk]\nwal_rate = '500kB/s'\n\
         [fault.away]\nkind = 'stop'\nserver = 'pg2'\nat = '1min'\nfor = '4min'\n",
    );
    let all = visits(&scenario, Duration::s(5));
    let lost = of_standby(&all).find(|scrape| behind(scrape).is_lost).expect("it is lost").at;
    assert!(lost < SimTime(300_000_000_000), "before it comes back: {lost}");
    let later = of_standby(&all).filter(|scrape| scrape.at >= lost);
    assert!(later.clone().all(|scrape| behind(scrape).is_lost), "for good");
    let down = later.filter(|scrape| !scrape.truth.is_up);
    assert!(down.clone().count() > 5);
    assert!(down.map(|scrape| behind(scrape).age).is_sorted(), "it grows while nobody looks");
    // The file that it asks for is that in which its WAL ends.
    let size = 16 << 20;
    for scrape in of_standby(&all).filter(|scrape| !scrape.truth.is_up) {
        let primary = all.iter().find(|other| other.at == scrape.at && other.server.0 == 0);
        let primary = primary.expect("all servers are visited").truth;
        let oldest = (primary.flushed.0 - primary.kept.0).div_ceil(size);
        let is_lost = scrape.truth.flushed.0 / size < oldest;
        assert_eq!(behind(scrape).is_lost, is_lost, "{}", scrape.at);
    }
}

#[test]
fn a_standby_that_is_down_shows_what_it_had_replayed_and_no_more() {
    let scenario = scenario(
        "duration = '60s'\n[server.pg1]\n[server.pg2]\nupstream = 'pg1'\nreplay = '200kB/s'\n\
         [workload.orders]\nrate = '100/s'\nwal = '4kB'\n[fault.away]\nkind = 'crash'\n\
         server = 'pg2'\nat = '30500ms'\nfor = '20s'\n",
    );
    let all = visits(&scenario, Duration::s(1));
    let [before, after] = [30, 31].map(|seconds| behind(at(&all, seconds)));
    assert!(before.replay.0 > 1 << 20 && before.flush.0 < 1 << 20, "{before:?}");
    assert!(after.replay >= before.replay && after.age > before.age, "{before:?} {after:?}");
    assert!(matches!(at(&all, 31).answer, Answer::Refused));
}
