//! `walden plan` from outside: an answer in its one shape, the same bytes again, and what is wrong
//! with a command line or its files.
//!
//! `UPDATE_GOLDENFILES=1 cargo test -p walden --test plan` records `tests/plan/*.txt` anew.

mod common;

use std::fs;
use std::path::Path;

use common::Room;

fn compare(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/plan/{name}.txt"));
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("it can be made");
        fs::write(&path, text).expect("the golden can be written");
    }
    let wanted = fs::read_to_string(&path).unwrap_or_default();
    assert!(text == wanted, "{name}: see this file's header; now it is\n{text}");
}

/// A day by the ten minutes, with a load at night, two rows in the wrong order and one twice.
fn day() -> String {
    let mut text = "timestamp,lsn_position\n".to_owned();
    let mut lsn: u64 = 0x1_0000_0000;
    let mut rows = Vec::new();
    for minute in (0..=24 * 60).step_by(10) {
        rows.push(format!(
            "2026-11-{:02} {:02}:{:02}:00+00,{:X}/{:X}\n",
            22 + minute / 1_440,
            minute / 60 % 24,
            minute % 60,
            lsn >> 32,
            lsn & 0xFFFF_FFFF
        ));
        let night = (120..180).contains(&minute);
        lsn += 600 * if night { 4 << 20 } else { 200 << 10 };
    }
    rows.swap(70, 71);
    rows.insert(100, rows[100].clone());
    rows.iter().for_each(|row| text += row);
    text
}

#[test]
fn an_answer_has_one_shape() {
    let room = Room::new("plan-answer");
    room.write("wal.csv", day());
    room.write("past.txt", "# last year\n5min\n35min   # a new kernel\n\n2h\n");
    let short = ["--risk", "10%", "--trials", "60"];
    for (name, args) in [
        ("keep", &["wal_keep_size", "--history", "wal.csv", "--outage", "1h"][..]),
        ("slot", &["max_slot_wal_keep_size", "--history", "wal.csv", "--outage", "past.txt"]),
        (
            "rate",
            &[
                "wal_keep_size",
                "--rate",
                "1MB/s",
                "--outage",
                "p50=10min,max=1h",
                "--alert",
                "5min",
            ],
        ),
        ("json", &["wal_keep_size", "--rate", "1MB/s", "--outage", "30min", "--json"]),
        ("quiet", &["wal_keep_size", "--rate", "1MB/s", "--outage", "30min", "--quiet"]),
        ("pg-wal", &["pg_wal", "--rate", "1MB/s", "--outage", "1h"]),
        ("back", &["--until", "caught_up", "--rate", "1MB/s", "--outage", "1h", "--json"]),
        ("full", &["--until", "disk_full", "--disk", "2GB", "--rate", "1MB/s", "--outage", "1h"]),
        (
            "not-full",
            &["--until", "disk_full", "--disk", "9GB", "--rate", "1MB/s", "--outage", "1h"],
        ),
        (
            "both",
            &["max_slot_wal_keep_size", "--rate", "4MB/s", "--outage", "10min", "--disk", "2GB"],
        ),
        ("fits", &["wal_keep_size", "--rate", "1MB/s", "--outage", "10min", "--disk", "3GB"]),
        ("checkpoints", &["max_wal_size", "--history", "wal.csv"]),
        (
            "checkpoints-json",
            &[
                "max_wal_size",
                "--rate",
                "5MB/s",
                "--images",
                "pgbench-tpcb-like",
                "--disk",
                "4GB",
                "--json",
            ],
        ),
        ("link", &["bandwidth", "--rate", "1MB/s", "--outage", "10min", "--within", "10min"]),
        ("behind", &["bandwidth", "--history", "wal.csv", "--within", "5s"]),
        ("link-quiet", &["bandwidth", "--rate", "1MB/s", "--within", "5s", "--quiet"]),
        (
            "never",
            &[
                "wal_keep_size",
                "--rate",
                "8MB/s",
                "--outage",
                "10min",
                "--set",
                "server.standby.replay=4MB/s",
            ],
        ),
    ] {
        let args = [&["plan"][..], args, &short].concat();
        let code = i32::from(["never", "both"].contains(&name));
        let done = room.run(&args).ends(code);
        assert_eq!(done.err, "", "{name}");
        compare(name, &done.out);
        assert_eq!(room.run(&args).ends(code).out, done.out, "{name} does not repeat");
    }
}

#[test]
fn what_is_wrong_is_told_with_what_is_allowed() {
    let room = Room::new("plan-wrong");
    room.write("wal.csv", day());
    room.write(
        "bad.csv",
        "timestamp,lsn_position\n2026-11-22 00:00:00+00,0/1000\nyesterday,0/2000\n",
    );
    room.write("past.txt", "5min\nan hour\n");
    room.write("empty.txt", "# none\n");
    let servers = "[server.a]\n[server.b]\nupstream = 'a'\nslot = 's'\n[server.c]\nupstream = 'a'";
    room.write("slot.toml", format!("duration = '1h'\n{servers}\n"));
    let mut told = String::new();
    for args in [
        &["wal_keep_size"][..],
        &["wal_keep_sise", "--outage", "1h"],
        &["--outage", "1h"],
        &["wal_keep_size", "--until", "caught_up", "--outage", "1h"],
        &["--until", "disk_full", "--rate", "8MB/s", "--outage", "1h"],
        &["--until", "disk_full", "--disk", "8", "--rate", "8MB/s", "--outage", "1h"],
        &["--until", "caught_up", "--disk", "8GB", "--rate", "8MB/s"],
        &["wal_keep_size", "--rate", "8MB/s"],
        &["wal_keep_size", "--outage", "1h", "--rate", "8MB/s", "--within", "5min"],
        &["wal_keep_size", "--outage", "1h", "--rate", "8MB/s", "--disk", "8MB"],
        &["pg_wal", "--outage", "1h", "--rate", "8MB/s", "--disk", "8GB"],
        &["max_wal_size", "--outage", "1h", "--rate", "8MB/s"],
        &["max_wal_size", "--stress", "2", "--rate", "8MB/s"],
        &["bandwidth", "--outage", "1h", "--rate", "8MB/s"],
        &["bandwidth", "--rate", "8MB/s", "--within", "5"],
        &["bandwidth", "--rate", "8MB/s", "--within", "100ms"],
        &["wal_keep_size", "--outage", "1h"],
        &["wal_keep_size", "--outage", "1h", "--rate", "8"],
        &["wal_keep_size", "--outage", "1h", "--rate", "0MB/s"],
        &["wal_keep_size", "--outage", "2hours", "--rate", "8MB/s"],
        &["wal_keep_size", "--outage", "90d", "--rate", "8MB/s"],
        &["wal_keep_size", "--outage", "p50=1h,p99=2h", "--rate", "8MB/s"],
        &["wal_keep_size", "--outage", "past.txt", "--rate", "8MB/s"],
        &["wal_keep_size", "--outage", "empty.txt", "--rate", "8MB/s"],
        &["wal_keep_size", "--outage", "1h", "--rate", "8MB/s", "--risk", "0"],
        &["wal_keep_size", "--outage", "1h", "--rate", "8MB/s", "--growth", "-2"],
        &["wal_keep_size", "--outage", "30d", "--rate", "8MB/s", "--stress", "3"],
        &["wal_keep_size", "--outage", "60d", "--rate", "100GB/s", "--growth", "1000000"],
        &["wal_keep_size", "--outage", "1h", "--history", "none.csv"],
        &["wal_keep_size", "--outage", "1h", "--history", "bad.csv"],
        &["wal_keep_size", "--outage", "1h", "--history", "wal.csv", "--images", "pgbench"],
        &["wal_keep_size", "--outage", "1h", "--rate", "8MB/s", "--scenario", "slot.toml"],
        &[
            "wal_keep_size",
            "--outage",
            "1h",
            "--rate",
            "8MB/s",
            "--scenario",
            "slot.toml",
            "--standby",
            "b",
        ],
        &[
            "wal_keep_size",
            "--outage",
            "1h",
            "--rate",
            "8MB/s",
            "--scenario",
            "slot.toml",
            "--standby",
            "d",
        ],
        &[
            "wal_keep_size",
            "--outage",
            "1h",
            "--rate",
            "8MB/s",
            "--set",
            "postgresql.max_wal_sice=4GB",
        ],
        &["max_wal_size", "--rate", "8MB/s", "--set", "postgresql.max_wal_size=4GB"],
        &[
            "bandwidth",
            "--rate",
            "8MB/s",
            "--within",
            "5min",
            "--set",
            "server.primary.postgresql.wal_keep_size=4GB",
        ],
    ] {
        let done = room.run(&[&["plan"][..], args].concat());
        assert_eq!(done.out, "", "{args:?}");
        let code = done.code.expect("it ends by itself");
        assert!(code == 2 || code == 3, "{args:?} ends with {code}");
        told += &format!("$ walden plan {}\n? {code}\n{}\n", args.join(" "), done.err);
    }
    compare("wrong", &told);
}
