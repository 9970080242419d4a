//! The page of `walden plan --report`: it has the numbers of the JSON, is the same on any number of
//! threads, needs nothing else, and is written whole, over nothing, or not at all.

mod common;

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use common::{Done, Room};
use models::units::human;
use serde_json::Value;

/// Twenty-five hours by the ten minutes, from 22:00 on, with a load from 02:00 to 03:00.
fn day() -> String {
    let mut text = "timestamp,lsn_position\n".to_owned();
    let mut lsn: u64 = 0x1_0000_0000;
    for minute in (22 * 60..=47 * 60).step_by(10) {
        text += &format!(
            "2026-11-{:02} {:02}:{:02}:00+00,{:X}/{:X}\n",
            22 + minute / 1_440,
            minute / 60 % 24,
            minute % 60,
            lsn >> 32,
            lsn & 0xFFFF_FFFF
        );
        let load = (26 * 60..27 * 60).contains(&minute);
        lsn += 600 * if load { 4 << 20 } else { 200 << 10 };
    }
    text
}

const SHORT: [&str; 4] = ["--risk", "10%", "--trials", "60"];
const RATE: [&str; 6] = ["plan", "wal_keep_size", "--rate", "1MB/s", "--outage", "30min"];

/// Plans with a page: its text and the JSON.
fn planned(room: &Room, args: &[&str], code: i32) -> (String, Value) {
    let _ = fs::remove_file(room.path("page.html"));
    let args = [&["plan"], args, &SHORT, &["--report", "page.html", "--json"]].concat();
    let done = room.run(&args).ends(code);
    assert_eq!(done.err, "", "{args:?}");
    let page = fs::read_to_string(room.path("page.html")).expect("the page is there");
    (page, serde_json::from_str(&done.out).expect("it is JSON"))
}

/// The cells of the table behind a plot, row by row.
fn cells(page: &str, plot: &str) -> Vec<Vec<String>> {
    let (_, rest) = page.split_once(&format!("<caption>{plot}</caption>")).expect("its table");
    let (_, rest) = rest.split_once("<tbody>").expect("a body");
    let (body, _) = rest.split_once("</tbody>").expect("its end");
    let cell = |cell: &str| Some(cell.split_once('>')?.1.split('<').next()?.to_owned());
    let row = |row: &str| row.replace("<th", "<td").split("<td").skip(1).filter_map(cell).collect();
    body.split("<tr>").skip(1).map(row).collect()
}

#[test]
fn the_page_has_the_numbers_of_the_json() {
    let room = Room::new("plan-report");
    room.write("wal.csv", day());
    let asked = ["wal_keep_size", "--history", "wal.csv", "--outage", "p50=20min,max=2h"];
    let (page, json) = planned(&room, &asked, 0);
    let text = |key: &str| json[key].as_str().expect("a text").to_owned();
    for wanted in [text("line"), text("alter_system"), text("repeat_with")] {
        assert!(page.contains(&wanted), "{wanted}");
    }
    let curves = &json["curves"];
    let bytes = |value: &Value| human::bytes(value.as_u64().expect("bytes"));

    let disk: Vec<Vec<String>> = cells(&page, "Disk that pg_wal takes");
    let rows = curves["disk"].as_array().expect("rows");
    assert_eq!(disk.len(), rows.len());
    for (cells, row) in disk.iter().zip(rows) {
        assert_eq!(cells[1..], [bytes(&row["p50"]), bytes(&row["most"])]);
    }
    let most = |row: &Value| row["most"].as_u64();
    assert!(rows.is_sorted_by_key(most) && rows.len() == 6, "{rows:?}");
    assert_eq!(rows[3]["value_bytes"], json["value_bytes"]);

    let alarms = cells(&page, "When to warn");
    let asked = alarms.iter().find(|row| row[0] == "15min").expect("what was asked for");
    assert_eq!(asked[1], bytes(&json["alert"]["behind_bytes"]));
    let minutes = curves["alert"].as_array().expect("rows").iter().map(|row| &row["minutes"]);
    assert_eq!(minutes.clone().count(), 24, "from 5 to 120");

    // The recommended value is the last column, and the last of the JSON.
    let survival = cells(&page, "Standbys that survive");
    let points = json["survival"].as_array().expect("points");
    let table: Vec<&String> = survival.iter().flat_map(|row| &row[1..]).collect();
    assert_eq!(table.len(), points.len());
    for (cell, point) in table.iter().zip(points) {
        assert_eq!(**cell, human::share(point["share"].as_f64().expect("a share")));
    }
    let last = curves["survival"].as_array().and_then(|values| values.last()).expect("a value");
    assert_eq!(last["value_bytes"], json["value_bytes"]);
    let end = last["points"].as_array().and_then(|points| points.last()).expect("a point");
    assert!(end["low"].as_f64() < end["high"].as_f64(), "{end}");
}

#[test]
fn wal_is_shown_at_its_hours_and_so_are_the_outages_that_need_most() {
    let room = Room::new("plan-report-hours");
    room.write("wal.csv", day());
    let asked = ["wal_keep_size", "--history", "wal.csv", "--outage", "30min"];
    let (page, json) = planned(&room, &asked, 0);
    let season = &json["curves"]["season"];
    assert_eq!((season["clock"].as_str(), season["times"].as_u64()), (Some("day"), Some(1)));
    let parts = season["parts"].as_array().expect("parts");
    assert_eq!(parts.len(), 48);
    for part in parts {
        let hour = part["from_seconds"].as_f64().expect("seconds") / 3_600.0;
        let rate = if (2.0..3.0).contains(&hour) { 4 << 20 } else { 200 << 10 };
        let told = part["median_bytes_per_second"].as_u64().expect("a rate");
        assert!(told.abs_diff(rate) <= 1, "{part}");
        // Outages of half an hour that see all of them in the load begin from 02:00 to 02:30.
        let worst = part["worst_outages"].as_u64().expect("a count");
        assert!(worst == 0 || (1.5..3.0).contains(&hour), "{part}");
    }
    let worst = parts.iter().filter_map(|part| part["worst_outages"].as_u64()).sum::<u64>();
    assert_eq!(worst, 3, "a twentieth of 60");
    assert!(page.contains("of 3 begin here"), "no label");
    assert!(page.contains("hour of the day, UTC"), "no axis");
}

#[test]
fn the_page_is_the_same_on_any_number_of_threads_and_loads_nothing() {
    let room = Room::new("plan-report-threads");
    let mut pages = Vec::new();
    for threads in ["1", "3"] {
        let name = format!("{threads}.html");
        let args = [&RATE[..], &SHORT, &["--threads", threads, "--report", &name]].concat();
        let done = room.run(&args).ends(0).says(&format!("report  {name}"));
        assert_eq!(done.err, "");
        pages.push(fs::read_to_string(room.path(&name)).expect("a page"));
    }
    assert!(pages[0] == pages[1], "threads change the page");
    for forbidden in ["http://", "https://", "<script", "<link", "@import", "url(", "<img"] {
        assert!(!pages[0].contains(forbidden), "{forbidden}");
    }
    let constant = pages[0].contains("WAL over the");
    assert!(!constant, "a constant rate has no hours");
}

#[test]
fn a_plan_without_an_answer_has_a_page_that_says_so() {
    let room = Room::new("plan-report-never");
    let slow = ["--outage", "10min", "--set", "server.standby.replay=4MB/s"];
    let asked = [&["wal_keep_size", "--rate", "8MB/s"], &slow[..]].concat();
    let (page, json) = planned(&room, &asked, 1);
    assert!(page.contains("✗ No wal_keep_size is enough."), "no verdict");
    assert!(page.contains("link or replay are slower than the WAL"), "no reason");
    assert!(!page.contains("ALTER SYSTEM") && !page.contains("Plot: "), "no value, no plot");
    assert!(json["curves"]["disk"].is_null(), "{json}");
}

#[test]
fn what_outages_come_to_is_shown_one_by_one() {
    let room = Room::new("plan-report-measured");
    room.write("wal.csv", day());
    for (args, plot, found) in [
        (&["pg_wal"][..], "Size of pg_wal", 60),
        (&["--until", "caught_up"], "Time to catch up", 60),
        (&["--until", "disk_full", "--disk", "3GB"], "Time until the volume is full", 0),
    ] {
        let asked = [args, &["--history", "wal.csv", "--outage", "1h"]].concat();
        let (page, json) = planned(&room, &asked, 0);
        assert!(page.contains(&format!("Plot: {plot}")), "{plot}");
        let of = &json["curves"]["distribution"];
        let values = of["values"].as_array().expect("values");
        assert_eq!(of["trials"], 60);
        assert!(values.is_sorted_by_key(|value| value.as_f64()), "{plot}");
        assert!(values.len() == found || found == 0 && values.len() < 60, "{}", values.len());
        assert!(json["value"].is_null() || values.contains(&json["value"]), "{plot}");
    }
}

#[test]
fn values_that_were_tried_have_the_shares_of_the_json() {
    let room = Room::new("plan-report-tried");
    room.write("wal.csv", day());
    for asked in [&["bandwidth", "--outage", "10min", "--within", "10min"][..], &["max_wal_size"]] {
        let history = ["--history", "wal.csv"];
        let (page, json) = planned(&room, &[asked, &history].concat(), 0);
        let tried = cells(&page, "Values that were tried");
        let rows = json["curve"].as_array().expect("rows");
        assert!(!rows.is_empty() && tried.len() == rows.len(), "{asked:?}: {json}");
        for (cells, row) in tried.iter().zip(rows) {
            let share = |key: &str| human::share(row["bad"][key].as_f64().expect("a share"));
            assert_eq!(cells[1], share("share"), "{asked:?}");
            let interval = format!("{} to {}", share("low"), share("high"));
            assert_eq!(cells[2], interval, "{asked:?}");
        }
    }
}

#[test]
fn nothing_is_written_over_and_nothing_half_written_stays() {
    let room = Room::new("plan-report-refused");
    room.write("there.html", "mine");
    fs::create_dir(room.path("folder")).expect("a folder can be made");
    let before = room.names(".");
    for (place, code, why) in [
        ("there.html", 5, "there.html is there already, and is left as it is"),
        ("none/page.html", 5, "cannot write none/page.html: No such file or directory"),
        ("there.html/page.html", 5, "cannot write there.html/page.html: Not a directory"),
        ("folder", 2, "`folder` is no name of a file"),
        ("folder/", 2, "`folder/` is no name of a file"),
        ("new/", 2, "`new/` is no name of a file"),
        ("..", 2, "`..` is no name of a file"),
    ] {
        // More trials than anybody waits for: the place is tried first.
        let args = [&RATE[..], &["--trials", "4000000000", "--report", place]].concat();
        let done = room.run(&args).ends(code).complains(why);
        assert_eq!(done.out, "", "{place}");
        assert_eq!(room.names("."), before, "{place}");
    }
    assert_eq!(fs::read(room.path("there.html")).expect("it is there"), b"mine");
    // A wrong question leaves nothing either.
    room.run(&["plan", "pg_wal", "--outage", "1h", "--report", "page.html"]).ends(3);
    assert_eq!(room.names("."), before);
}

#[test]
fn a_plan_that_is_stopped_leaves_no_page() {
    let room = Room::new("plan-report-stopped");
    let before = room.names(".");
    let args = [&RATE[..], &["--trials", "1000000", "--report", "page.html"]].concat();
    let mut command = room.walden(&args);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    for _ in 0..1_000 {
        if room.names(".").iter().any(|name| name.starts_with(".unfinished-")) {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.expect("`kill` starts").success());
    let done = Done::new(child.wait_with_output().expect("it ends")).ends(130);
    done.complains("stopped; nothing was written");
    assert_eq!(room.names("."), before);
}
