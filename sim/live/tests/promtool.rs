//! What `walden export --format openmetrics` writes, as Prometheus' own tool judges it: it takes
//! it, it finds nothing to say about the names that are Walden's, and alert rules fire on it where
//! they should, and do not where those of the world do not.
//!
//! Needs `promtool` (Debian: `apt-get install prometheus`), on the path or in `WALDEN_PROMTOOL`.
//!
//! **Source.** The rules are awesome-prometheus-alerts' `PostgresqlReplicationLag`
//! (`dist/rules/postgresql/postgres-exporter.yml`, August 2026) and, with the exporter's name for
//! the same number, pgmonitor's `PGReplicationByteLag` at its critical level.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::{Room, room};
use models::units::{Duration, SimTime};
use reports::export::metrics::Samples;
use reports::export::openmetrics::openmetrics;
use scenarios::catalog;
use sim::Outside;
use sim::scrape::scrape;

/// Runs promtool.
fn promtool(args: &[&str], input: Option<&Path>) -> Output {
    let tool = std::env::var_os("WALDEN_PROMTOOL").unwrap_or_else(|| "promtool".into());
    let input = input
        .map_or(Stdio::null(), |path| fs::File::open(path).expect("the export was written").into());
    let done = Command::new(&tool).args(args).stdin(input).output();
    done.unwrap_or_else(|error| {
        panic!(
            "{} cannot be run ({error}): install it (Debian: apt-get install prometheus), or name \
             it in WALDEN_PROMTOOL",
            tool.display()
        )
    })
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// A scenario of the catalogue, with all its variants, as the command would export it.
fn export(name: &str, every: Duration) -> String {
    let file = catalog::find(name).expect("it is in the catalogue").parse();
    let variants = file.and_then(|file| file.variants());
    let variants = variants.unwrap_or_else(|problems| panic!("{problems}"));
    let names = variants.iter().map(|scenario| scenario.variant.clone()).collect();
    let servers = variants.iter().map(|scenario| {
        scenario.servers.iter().map(|server| server.name.clone()).collect::<Vec<_>>()
    });
    let mut samples = Samples::new(names, servers.collect());
    for (index, scenario) in variants.iter().enumerate() {
        let moments = 0..=scenario.duration.0 / every.0;
        let at: Vec<SimTime> = moments.map(|n| SimTime(n * every.0)).collect();
        let outside = [Outside::default(), Outside::default()];
        let take = &mut |scrape| samples.add(index, &scrape);
        scrape(scenario, &at, [&outside[0], &outside[1]], take)
            .unwrap_or_else(|error| panic!("{error}"));
    }
    openmetrics(&samples, "postgres")
}

fn written(room: &Room, name: &str, text: &str) -> std::path::PathBuf {
    let path = room.join(name);
    fs::write(&path, text).expect("a file of the test can be written");
    path
}

/// Lines that are samples.
fn samples(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.starts_with('#'))
}

#[test]
fn prometheus_takes_every_sample() {
    let room = room("promtool-blocks");
    for (name, every) in [
        ("lag/link_cut", Duration::s(15)),
        ("slots/offline_capped", Duration::s(60)),
        ("faults/frozen_or_dead", Duration::ms(2_500)),
    ] {
        let text = export(name, every);
        let path = written(&room, "run.om", &text);
        let blocks = room.join(&name.replace('/', "-"));
        let (path, blocks) = (path.display().to_string(), blocks.display().to_string());
        let done = promtool(&["tsdb", "create-blocks-from", "openmetrics", &path, &blocks], None);
        assert!(done.status.success(), "{name}: {}", said(&done));
        // ULID, first and last moment, duration, samples, chunks, series, size.
        let said = said(&done);
        let counts =
            said.lines().filter_map(|line| line.split_whitespace().nth(4)?.parse::<usize>().ok());
        let (taken, wanted) = (counts.sum::<usize>(), samples(&text).count());
        assert!(taken == wanted && wanted > 1_000, "{name}: {taken} of {wanted} samples\n{said}");
    }
}

#[test]
fn the_names_that_are_ours_are_as_prometheus_wants_them() {
    let room = room("promtool-lint");
    let text = export("lag/link_cut", Duration::s(15));
    assert!(text.contains("\nwalden_true_replay_lag_bytes{"), "{text}");
    let path = written(&room, "run.om", &text);
    let done = promtool(&["check", "metrics"], Some(&path));
    for line in said(&done).lines() {
        // The exporter's counters: OpenMetrics describes a counter under its name without
        // `_total`, where the older form that this tool reads has it under all of it.
        let known = line.starts_with("pg_stat_") && line.ends_with("_total no help text");
        assert!(known, "{line}");
    }
}

/// Every series of an export: for each moment of the grid its value, if it has one.
fn grid(text: &str, every: Duration) -> BTreeMap<&str, BTreeMap<u64, &str>> {
    let mut series: BTreeMap<&str, BTreeMap<u64, &str>> = BTreeMap::new();
    for line in samples(text) {
        let (name, rest) = line.rsplit_once("} ").expect("every sample has labels");
        let (value, at) = rest.split_once(' ').expect("every sample has its moment");
        let at: u64 = at.parse().expect("whole seconds");
        let step = (at - 946_684_800) / (every.0 / 1_000_000_000);
        series.entry(&line[..=name.len()]).or_default().insert(step, value);
    }
    series
}

/// A series as the rules' tests have it: `_` is a scrape without it, and the first of those ends
/// it, as Prometheus does.
fn values(samples: &BTreeMap<u64, &str>, last: u64) -> String {
    let value = |step: u64| match samples.get(&step) {
        Some(value) => (*value).to_owned(),
        None if step > 0 && samples.contains_key(&(step - 1)) => "stale".to_owned(),
        None => "_".to_owned(),
    };
    (0..=last).map(value).collect::<Vec<_>>().join(" ")
}

const RULES: &str = "\
groups:
- name: copied
  rules:
  - alert: PostgresqlReplicationLag
    expr: 'pg_replication_lag_seconds > 5'
    for: 30s
  - alert: PGReplicationByteLag
    expr: 'pg_stat_replication_pg_wal_lsn_diff > 5.24288e+07'
    for: 15s
- name: so
  rules:
  - alert: SlotKeepsMuch
    expr: 'pg_replication_slots_pg_wal_lsn_diff > 5.24288e+07'
    for: 15s
  - alert: WaldenTrueLag
    expr: 'walden_true_replay_lag_seconds > 5'
    for: 30s
";

/// An alert, its labels when it fires, and from when to when it does.
#[derive(Clone, Copy)]
struct Fires {
    alert: &'static str,
    labels: &'static str,
    when: Option<(u64, u64)>,
}

const COPIED: Fires = Fires { alert: "PostgresqlReplicationLag", labels: "", when: None };
// Its walsender gives up 60 s into the cut, and then there is nothing to compare with 50 MB.
const IN_BYTES: Fires = Fires {
    alert: "PGReplicationByteLag",
    labels: "job: postgres, instance: pg1, application_name: pg2, client_addr: 192.0.2.2/32, \
             state: streaming, slot_name: standby_slot, pid: '1101'",
    when: Some((105, 105)),
};
const OF_SLOT: Fires = Fires {
    alert: "SlotKeepsMuch",
    labels: "job: postgres, instance: pg1, slot_name: standby_slot",
    when: Some((105, 240)),
};
const TRUE: Fires = Fires {
    alert: "WaldenTrueLag",
    labels: "job: postgres, instance: pg2",
    when: Some((105, 240)),
};

/// Seconds of `lag/link_cut`.
const END: u64 = 360;

/// A test of the rules by promtool: at every moment exactly those alerts fire.
fn rules_test(text: &str, fires: &[Fires]) -> String {
    let every = Duration::s(15);
    let mut test = "rule_files: [rules.yml]\nevaluation_interval: 15s\ntests:\n- interval: 15s\n\
                    \x20 input_series:\n"
        .to_owned();
    for (series, samples) in grid(text, every) {
        let values = values(&samples, END / 15);
        test += &format!("  - series: '{series}'\n    values: '{values}'\n");
    }
    test += "  alert_rule_test:\n";
    for at in (0..=END).step_by(15) {
        for Fires { alert, labels, when } in fires {
            let fires = when.is_some_and(|(from, to)| (from..=to).contains(&at));
            let wanted =
                if fires { format!("[{{exp_labels: {{{labels}}}}}]") } else { "[]".into() };
            test += &format!(
                "  - eval_time: {at}s\n    alertname: {alert}\n    exp_alerts: {wanted}\n"
            );
        }
    }
    test
}

/// The alert that is copied most looks at a number that is 0 while nothing arrives.
#[test]
fn the_most_copied_alert_misses_a_cut_that_the_one_in_bytes_shows() {
    let room = room("promtool-rules");
    let text = export("lag/link_cut", Duration::s(15));
    written(&room, "rules.yml", RULES);
    let judged = |fires: &[Fires]| {
        let test = written(&room, "test.yml", &rules_test(&text, fires));
        promtool(&["test", "rules", &test.display().to_string()], None)
    };
    let done = judged(&[COPIED, IN_BYTES, OF_SLOT, TRUE]);
    assert!(done.status.success(), "{}", said(&done));
    // It would have said so: expected where the truth is, the copied alert is missing.
    let hoped = [Fires { alert: COPIED.alert, ..TRUE }];
    let done = judged(&hoped);
    assert!(!done.status.success() && said(&done).contains("PostgresqlReplicationLag"));
}
