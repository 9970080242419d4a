//! Same run, same numbers: the series behind the plots, the tables, the exports.

mod common;

use std::fmt::Write;

use common::{at, empty_run, example_run, example_runs, golden};
use models::trace::Run;
use models::trace::fact::{Fact, Refusal, ServerId, What};
use models::units::{Bytes, SegmentSize, TimelineId, WalSegment};
use reports::export::facts_jsonl::facts_jsonl;
use reports::export::samples_csv::samples_csv;
use reports::plots::marks::Moment;
use reports::plots::panels::{Label, Points};
use reports::plots::{
    Chart, PLOTS, checkpoints, commit_latency, commit_stages, lag, lag_bytes, lag_time,
    stages_over_time, throughput, wal_retained,
};
use reports::tables::{comparison, timeline};
use reports::variant_names;

#[test]
fn series_are_as_recorded() {
    let runs = example_runs();
    let mut text = String::new();
    for curve in commit_latency::series(&runs, &variant_names(&runs)) {
        writeln!(text, "commit latency of {}", curve.label).expect("a String");
        for (share, nanos) in curve.points {
            writeln!(text, "  {share:>7} ppm {nanos:>12} ns").expect("a String");
        }
    }
    let mut add = |what: String, points: Points| {
        writeln!(text, "{what}, {} points", points.len()).expect("a String");
        for (start, value) in points.iter().step_by(20) {
            writeln!(text, "  {start} {value:?}").expect("a String");
        }
    };
    for (label, points) in lag::series(&runs[0]) {
        add(format!("lag of {label:?}"), points);
    }
    for (label, points) in wal_retained::series(&runs[0]) {
        add(format!("WAL kept by {label:?}"), points);
    }
    for (name, lines) in lag_bytes::series(&runs[0]).into_iter().chain(lag_time::series(&runs[0])) {
        for (stage, points) in lines {
            add(format!("lag of {name}, {stage}"), points);
        }
    }
    for (name, lines) in checkpoints::series(&runs[0]) {
        for (what, points) in lines {
            add(format!("checkpoints of {name}, {what}"), points);
        }
    }
    for (stage, points) in stages_over_time::series(&runs[0]) {
        add(format!("mean time in {stage}"), points);
    }
    for run in &runs {
        writeln!(text, "stages of {}: {:?}", run.variant, commit_stages::series(run))
            .expect("a String");
    }
    golden("series.txt", &text);
}

#[test]
fn a_thinned_sum_is_a_rate() {
    let run = example_run("base", 100);
    let [(Label::Variant, points)] = &throughput::series(&run)[..] else { panic!("one line") };
    assert_eq!(points[10].1, Some(4_000));
    let crashed = points.iter().filter(|p| p.1 == Some(0)).count();
    assert_eq!(crashed, 11, "12 of 120 seconds in 125 spans, of which two are not wholly inside");
}

#[test]
fn tables_are_as_recorded() {
    let runs = example_runs();
    let mut text = comparison(&runs).markdown();
    let names = variant_names(&runs);
    for plot in &PLOTS {
        let chart = (plot.chart)(&runs, &names);
        writeln!(text, "\n{}\n{}", chart.title(), chart.table().markdown()).expect("a String");
    }
    for entry in timeline(&runs[0], 100).entries {
        let quote = entry.quote.unwrap_or_default();
        writeln!(text, "{} x{} {} | {quote}", entry.at, entry.times, entry.plain)
            .expect("a String");
    }
    golden("tables.txt", &text);
}

#[test]
fn checkpoints_are_found_from_start_to_end() {
    let all = checkpoints::checkpoints(&example_run("base", 100));
    let first = all[0];
    assert_eq!((first.from, first.until), (at(20_000), Some(at(26_500))));
    assert!(first.cause.is_wal() && first.distance > Bytes(0));
    let last = all.last().expect("a restartpoint");
    assert_eq!((last.server, last.until), (ServerId(1), None), "it never completed");
}

#[test]
fn without_slots_the_needs_of_the_standbys_stand_beside_the_files() {
    let mut run = example_run("base", 100);
    run.samples.slots.clear();
    let labels: Vec<_> = wal_retained::series(&run)
        .into_iter()
        .map(|(label, points)| {
            assert!(points.iter().any(|point| point.1.is_some()), "{label:?}");
            label
        })
        .collect();
    let named = |name: &str| Label::Server(name.to_owned());
    let wanted = ["needed by pg2", "needed by pg3", "files on pg1 reach back"].map(named);
    assert_eq!(labels, wanted);
}

#[test]
fn a_lost_standby_is_marked_where_it_was_first_refused() {
    let mut run = example_run("base", 100);
    run.samples.slots.clear();
    let segment = WalSegment { timeline: TimelineId(1), number: 3, size: SegmentSize::DEFAULT };
    for moment in [60_000, 65_000] {
        let why = Refusal::SegmentRemoved { segment };
        let what = What::ConnectFailed {
            upstream: ServerId(0),
            why,
            start: models::units::Lsn(0x300_0000),
        };
        run.facts.push(Fact { at: at(moment), server: Some(ServerId(2)), what });
    }
    let drawn =
        |run: &Run| match wal_retained::chart(std::slice::from_ref(run), &["base".to_owned()]) {
            Chart::OverTime(chart) => chart.panels[0].clone(),
            Chart::Percentiles(_) | Chart::Bars(_) | Chart::Curves(_) => panic!("over time"),
        };
    assert_eq!(drawn(&run).moments, [], "it streams again in the end");
    run.summary.standbys[1].lost = true;
    let panel = drawn(&run);
    assert_eq!(panel.moments, [Moment { run: 0, label: "pg3 lost".to_owned(), at: at(60_000) }]);
    let last = |line: usize| {
        let points = panel.lines[line].points.iter().rev();
        points.copied().find(|point| point.1.is_some()).map(|point| point.0)
    };
    assert_eq!(last(1), Some(at(60_000)), "what it needs is of no use from then on");
    assert!(last(0) > Some(at(119_000)));
}

#[test]
fn samples_have_a_column_for_every_series() {
    let csv = samples_csv(&example_run("base", 100)).expect("CSV");
    let csv = String::from_utf8(csv).expect("text");
    let mut lines = csv.lines();
    golden("samples_header.txt", &(lines.next().expect("a header").replace(',', "\n") + "\n"));
    assert_eq!(lines.next().expect("a row").split(',').next(), Some("0.000000"));
    assert_eq!(csv.lines().count(), 2_001);
    let empty = String::from_utf8(samples_csv(&empty_run()).expect("CSV")).expect("text");
    assert_eq!(empty.lines().nth(1), Some("0.000000,0,,,0.000,0.000,0.000,0.000,0.000,,,,"));
}

#[test]
fn facts_carry_names_words_and_messages() {
    let facts = facts_jsonl(&example_run("base", 100)).expect("JSON");
    for line in facts.lines() {
        let fact: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert!(fact["at_seconds"].is_number() && fact["what"].is_string(), "{line}");
        assert!(fact["text"].as_str().is_some_and(|text| !text.is_empty()), "{line}");
    }
    golden("facts.jsonl", &facts);
}

#[test]
fn the_summary_has_the_documented_keys() {
    let runs = example_runs();
    let json = reports::summary_json(&runs[..1]).expect("JSON");
    golden("summary.json", &json);
    let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(value["schema"], "walden.summary/1");
    assert_eq!(value["verdict"], "met");
    assert_eq!(value["variants"][0]["standbys"][1]["lag_bytes"]["end"], 0);
}

/// The page's script finds the column of a moment by its number.
#[test]
fn what_a_pointer_finds_is_evenly_spaced_and_all_that_is_drawn() {
    let runs = example_runs();
    let mut lines = 0;
    for plot in &PLOTS {
        let chart = (plot.chart)(&runs, &variant_names(&runs));
        let Chart::OverTime(drawn) = &chart else { continue };
        let hover = chart.hover().expect("a plot over time has columns");
        for (panel, found) in drawn.panels.iter().zip(&hover.panels) {
            for (line, found) in panel.lines.iter().zip(&found.lines) {
                let step = line.points.get(1).map_or(0, |(at, _)| at.0);
                let mut points = line.points.iter().enumerate();
                assert!(points.all(|(n, (at, _))| at.0 == n as u64 * step), "{}", plot.file);
                assert!(line.points.len() <= 500, "{}", plot.file);
                let columns = |stretch: &str| {
                    stretch
                        .split_once('*')
                        .map_or(1, |(_, n)| n.parse::<usize>().expect("a number"))
                };
                let columns: usize = found.texts.split('|').map(columns).sum();
                assert_eq!(columns, line.points.len(), "{}", plot.file);
                lines += 1;
            }
        }
    }
    assert!(lines > 20, "{lines}");
}
