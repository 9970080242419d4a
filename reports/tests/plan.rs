//! The page of a plan: its figures have the numbers that it is given, it loads nothing, odd answers
//! do no harm.

mod common;

use std::fmt::Write;

use common::golden;
use models::units::{Bytes, Duration};
use reports::plan::{
    Alert, Clock, Disk, DiskRow, Distribution, Figure, Part, Plan, Season, SeasonPart, Survival,
    SurvivalLine, Tried, TriedRow, plan_page,
};
use reports::plots::planned::chart;
use reports::plots::planned::tried::series;

const GB: u64 = 1 << 30;
const HOUR: Duration = Duration::s(3_600);

/// A week, busy by day, with a load on Sunday night before which the worst outages begin.
fn season() -> Season {
    let part = |hour: u64| {
        let (day, of_day) = (hour / 24, hour % 24);
        let median = match (day, of_day) {
            (6, 2) => 64 << 20,
            (_, 8..18) => 2 << 20,
            _ => 1 << 18,
        };
        let worst = match (day, of_day) {
            (6, 0) => 3,
            (6, 1) => 9,
            (2, 14) => 1,
            _ => 0,
        };
        SeasonPart {
            from: Duration(hour * HOUR.0),
            to: Duration((hour + 1) * HOUR.0),
            median: (hour != 30).then_some(median),
            most: (hour != 30).then_some(median * 3 / 2),
            worst,
        }
    };
    let parts = (0..168).map(part).collect();
    Season { clock: Clock::Week, times: 4, parts, worst: "that need most" }
}

fn survival() -> Survival {
    let lengths = || (0..=12).map(|n| (n, Duration(n * HOUR.0 / 6)));
    let line = |quarters: u64| {
        // Nothing is lost as far as the value reaches; then one in fifty for each step.
        let share = |n: u64| 1.0 - 0.02 * n.saturating_sub(3 * quarters) as f64;
        SurvivalLine {
            label: format!("{quarters}GB"),
            value: Bytes(quarters * GB),
            points: lengths().map(|(n, length)| (length, Some(share(n)))).collect(),
        }
    };
    Survival {
        setting: "wal_keep_size",
        risk: 0.01,
        trials: 400,
        lines: (1..=4).map(line).collect(),
        is_recommended: true,
        interval: lengths().map(|(_, length)| (length, 0.9908, 1.0)).collect(),
    }
}

fn disk(volume: Option<Bytes>) -> Disk {
    let row = |quarters: u64| DiskRow {
        label: format!("{quarters}GB"),
        value: Bytes(quarters * GB),
        median: Bytes(quarters.min(3) * GB + GB / 2),
        most: Bytes(quarters * GB + GB),
    };
    let rows = (1..=6).map(row).collect();
    Disk { setting: "wal_keep_size", rows, enough: Bytes(4 * GB), is_recommended: true, volume }
}

fn alert() -> Alert {
    let behind = |minutes: u64| (4 * GB).checked_sub((40 * minutes) << 20).map(Bytes);
    let row = |n: u64| (Duration::s(300 * n), behind(5 * n));
    Alert { asked: Duration::s(900), rows: (1..=24).map(row).collect() }
}

fn distribution(is_falling: bool) -> Distribution {
    let trials = 200;
    let values = (0..if is_falling { 120 } else { trials }).map(|n| (30 + n * n / 100) * HOUR.0);
    Distribution {
        title: "Time to catch up",
        measure: "from the standby's return",
        is_bytes: false,
        is_falling,
        values: values.collect(),
        trials: trials as usize,
        risk: 0.05,
        value: Some(400 * HOUR.0),
        other: Some(360 * HOUR.0),
    }
}

/// Nine tenths fewer are bad for each step.
fn tried() -> Tried {
    let mbit = 125_000;
    let row = |(step, bad): (u64, f64)| TriedRow {
        label: format!("{}Mbit/s", 20 * step),
        value: 20 * step * mbit,
        bad,
        interval: (bad * 0.8, (bad * 1.2 + 0.001).min(1.0)),
    };
    let bad = [0.9, 0.09, 0.009, 0.0009, 0.0, 0.0, 0.0];
    Tried {
        setting: "bandwidth",
        bad: "behind after an hour".to_owned(),
        is_bandwidth: true,
        rows: (1..).zip(bad).map(row).collect(),
        enough: 60 * mbit,
        is_recommended: true,
        low: 50 * mbit,
        trials: 2_000,
        risk: 0.01,
    }
}

fn figures() -> Vec<Figure> {
    vec![
        Figure::Season(season()),
        Figure::Survival(survival()),
        Figure::Disk(disk(Some(Bytes(6 * GB)))),
        Figure::Alert(alert()),
        Figure::Distribution(distribution(false)),
        Figure::Distribution(distribution(true)),
        Figure::Tried(tried()),
    ]
}

fn plan(figures: Vec<Figure>) -> Plan {
    Plan {
        name: "wal_keep_size".to_owned(),
        question: "How large must wal_keep_size be?".to_owned(),
        answer: "wal_keep_size = '4GB'".to_owned(),
        is_line: true,
        is_found: true,
        paste: vec!["ALTER SYSTEM SET wal_keep_size = '4GB';".to_owned()],
        facts: vec![("outages", "2h".to_owned())],
        parts: vec![Part { title: "It takes", said: vec!["pg_wal grows".to_owned()], figures }],
        repeat: "walden plan wal_keep_size --outage 2h".to_owned(),
    }
}

#[test]
fn figures_have_the_numbers_that_they_are_given() {
    let mut text = String::new();
    for figure in figures() {
        let chart = chart(&figure);
        writeln!(text, "{}\n{}\n", chart.title(), chart.reading()).expect("a String");
        writeln!(text, "{}", chart.table().markdown()).expect("a String");
    }
    golden("plan_tables.txt", &text);
}

#[test]
fn the_pictures_keep_their_bytes() {
    let mut sums = String::new();
    for figure in figures() {
        let chart = chart(&figure);
        let svg = chart.draw().svg(chart.title()).expect("a picture");
        let fnv = svg.bytes().fold(0xcbf2_9ce4_8422_2325, |h: u64, b| {
            (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
        });
        writeln!(sums, "{} {fnv:016x}", chart.title()).expect("a String");
    }
    golden("plan_plots.sums", &sums);
}

/// What is written in a figure.
fn words(figure: Figure) -> Vec<String> {
    let svg = chart(&figure).draw().svg("").expect("a picture");
    let texts = svg.split("<text ").skip(1).filter_map(|text| {
        let (_, inside) = text.split_once('>')?;
        Some(inside.split('<').next()?.trim().replace("&apos;", "'"))
    });
    texts.collect()
}

#[test]
fn what_matters_is_named_in_the_picture() {
    let has = |figure: Figure, wanted: &[&str]| {
        let words = words(figure);
        for wanted in wanted {
            assert!(words.iter().any(|word| word == wanted), "{wanted}: {words:?}");
        }
    };
    has(
        Figure::Season(season()),
        &["12 of 13 begin here", "median of 4 weeks", "largest of 4 weeks", "Mon", "Sun"],
    );
    has(
        Figure::Survival(survival()),
        &["4GB, recommended", "1GB", "accepted risk 1 %", "99 %", "100 %"],
    );
    has(
        Figure::Disk(disk(Some(Bytes(6 * GB)))),
        &["4GB, recommended", "pg_wal's volume 6GB", "largest", "median"],
    );
    has(Figure::Alert(alert()), &["3.41GB leaves 15min"]);
    has(Figure::Distribution(distribution(true)), &["accepted risk 5 %", "16d 16h"]);
    let volumes = words(Figure::Disk(disk(None)));
    assert!(!volumes.iter().any(|word| word.contains("volume")), "{volumes:?}");
    let too_much = words(Figure::Disk(Disk { is_recommended: false, ..disk(None) }));
    assert!(!too_much.iter().any(|word| word.contains("recommended")), "{too_much:?}");
}

#[test]
fn tried_values_are_drawn_as_far_as_twice_the_one_that_is_enough() {
    let tried = tried();
    let curve = series(&tried);
    let shares =
        [0.1, 0.91, 0.991, 0.9991, 1.0, 1.0].map(|share: f64| (share * 1e6).round() as u64);
    let reached =
        tried.rows.iter().map(|row| row.value).take_while(|value| *value <= 2 * tried.enough);
    let wanted: Vec<_> = reached.zip(shares.map(Some)).collect();
    assert_eq!(wanted.len(), 6, "the seventh lies beyond");
    assert_eq!(curve.points, wanted);
    // The band is that of the good ones: it lies around the line, its lower end first.
    let around = |((at, low, high), point): (&(u64, u64, u64), &(u64, Option<u64>))| {
        *at == point.0 && point.1.is_some_and(|share| *low <= share && share <= *high)
    };
    assert!(curve.band.len() == 6 && curve.band.iter().zip(&curve.points).all(around), "{curve:?}");
    // The table has them all.
    assert_eq!(chart(&Figure::Tried(tried)).table().rows.len(), 7);
}

#[test]
fn names_lie_inside_the_picture_and_apart() {
    for figure in figures() {
        let chart = chart(&figure);
        let picture = chart.draw();
        let mut taken: Vec<(String, [i32; 4])> = Vec::new();
        for shape in &picture.shapes {
            let reports::picture::Shape::Text { at, text, anchor, .. } = shape else { continue };
            let width = reports::picture::text_width(text);
            let left = match anchor {
                reports::picture::Anchor::Start => at.0,
                reports::picture::Anchor::Middle => at.0 - width / 2,
                reports::picture::Anchor::End => at.0 - width,
            };
            let room = [left, at.1 - 14, left + width, at.1 + 14];
            assert!(room[0] >= 0 && room[2] <= picture.width, "{}: {text}", chart.title());
            assert!(room[1] >= 0 && room[3] <= picture.height, "{}: {text}", chart.title());
            for (other, there) in &taken {
                let apart = room[2] <= there[0]
                    || there[2] <= room[0]
                    || room[3] <= there[1]
                    || there[3] <= room[1];
                assert!(apart, "{}: {text} on {other}", chart.title());
            }
            taken.push((text.clone(), room));
        }
    }
}

#[test]
fn the_page_loads_nothing_and_has_its_parts() {
    let page = plan_page(&plan(figures())).expect("a page");
    for forbidden in ["http://", "https://", "<script", "<link", "@import", "url(", "<img"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    for wanted in [
        "<h1>How large must wal_keep_size be?</h1>",
        "<code>wal_keep_size = '4GB'</code>",
        "ALTER SYSTEM SET wal_keep_size",
        "href=\"#it-takes\"",
        "id=\"it-takes\"",
        "prefers-color-scheme:dark",
        "aria-label=\"Plot: Standbys that survive\"",
        "walden plan wal_keep_size --outage 2h",
    ] {
        assert!(page.contains(wanted), "{wanted}");
    }
}

#[test]
fn hostile_words_are_only_text() {
    let evil = "</title><script>alert('x')</script>\"";
    let mut plan = plan(figures());
    (plan.name, plan.question, plan.answer) = (evil.to_owned(), evil.to_owned(), evil.to_owned());
    (plan.paste, plan.repeat) = (vec![evil.to_owned()], evil.to_owned());
    plan.facts.push(("what", evil.to_owned()));
    plan.parts[0].said.push(evil.to_owned());
    let mut disk = disk(None);
    disk.rows[3].label = evil.to_owned();
    plan.parts[0].figures.push(Figure::Disk(disk));
    let page = plan_page(&plan).expect("a page");
    assert!(!page.contains("<script"));
}

#[test]
fn odd_answers_are_drawn_or_said_to_have_nothing() {
    let nothing = Distribution { values: Vec::new(), ..distribution(true) };
    let none = Alert { rows: vec![(Duration::s(900), None)], ..alert() };
    let no_disk = Disk { rows: Vec::new(), ..disk(None) };
    let unknown: Vec<SeasonPart> = season()
        .parts
        .into_iter()
        .map(|part| SeasonPart { median: None, most: None, worst: 0, ..part })
        .collect();
    let unknown = Season { parts: unknown, ..season() };
    let empty = Survival { lines: Vec::new(), interval: Vec::new(), ..survival() };
    let page = plan_page(&plan(vec![
        Figure::Distribution(nothing),
        Figure::Alert(none),
        Figure::Disk(no_disk),
        Figure::Season(unknown),
        Figure::Survival(empty),
    ]));
    assert_eq!(page.expect("a page").matches("No data: ").count(), 5);
    // All in one place, and hardly anything at all.
    let one = Distribution {
        values: vec![0; 3],
        value: Some(0),
        other: Some(0),
        trials: 3,
        ..distribution(false)
    };
    let short = SeasonPart { to: Duration(1), worst: 1, ..season().parts[0] };
    let short = Season { parts: vec![short], clock: Clock::Unknown, times: 1, ..season() };
    let large = Alert {
        asked: Duration(u64::MAX / 4),
        rows: vec![(Duration(u64::MAX / 4), Some(Bytes(u64::MAX / 4)))],
    };
    let figures = vec![Figure::Distribution(one), Figure::Season(short), Figure::Alert(large)];
    plan_page(&plan(figures)).expect("a page");
}
