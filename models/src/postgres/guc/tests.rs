//! Answers of real servers, 13.23 to 18.4, to `SET`, `ALTER SYSTEM SET`, `SHOW` and their start.

use super::*;
use crate::units::{Bytes, Duration, SegmentSize};

fn version(major: u8) -> PgVersion {
    PgVersion::new(major).expect("a supported version")
}

fn versions() -> impl Iterator<Item = PgVersion> {
    (13..=18).map(version)
}

/// What `SHOW` says after `SET`, or the error with detail and hint behind bars.
fn set(major: u8, name: &str, value: &str) -> String {
    let mut settings = Settings::defaults(version(major));
    match settings.set(name, value) {
        Ok(()) => settings.show(name).expect("it was just set"),
        Err(error) => {
            let more = [error.detail(), error.hint().map(str::to_owned)];
            let more = more.into_iter().flatten().map(|text| format!(" | {text}"));
            format!("{}{}", error.message(), more.collect::<String>())
        }
    }
}

fn check(major: u8, name: &str, vectors: &[(&str, &str)]) {
    for (value, answer) in vectors {
        assert_eq!(set(major, name, value), *answer, "{name} = '{value}' in {major}");
    }
}

const MEMORY: &str =
    "Valid units for this parameter are \"B\", \"kB\", \"MB\", \"GB\", and \"TB\".";
const TIME: &str =
    "Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\".";

#[test]
fn the_table_is_sorted_and_versions_of_a_setting_do_not_overlap() {
    for pair in table::TABLE.windows(2) {
        let (a, b) = (&pair[0], &pair[1]);
        match order(a.name, b.name) {
            Ordering::Less => {}
            Ordering::Equal => assert!(a.name == b.name && a.until < b.since, "{}", b.name),
            Ordering::Greater => panic!("{} is after {}", a.name, b.name),
        }
    }
    // What pg_settings has, and the six that it hides.
    let hidden = 6;
    let counts = [331, 346, 353, 362, 378, 398];
    for (version, count) in versions().zip(counts) {
        assert_eq!(names(version).count(), count + hidden, "{version}");
    }
}

#[test]
fn every_default_is_taken_and_shown_as_something_that_can_be_set_again() {
    for version in versions() {
        let defaults = Settings::defaults(version);
        assert_eq!(defaults.changed(), []);
        assert_eq!(defaults.check_start(), []);
        for name in names(version) {
            let guc = find(name, version).expect("it is in this version");
            let shown = defaults.show(name).expect("it is in this version");
            if guc.context == Context::Internal || shown == "unavailable" {
                continue;
            }
            let mut settings = defaults.clone();
            assert_eq!(settings.set(&name.to_uppercase(), &shown), Ok(()), "{name}");
            assert_eq!(settings.show(name), Some(shown), "{name}");
        }
    }
}

#[test]
fn sizes_are_read_and_shown_as_postgresql_does() {
    check(
        17,
        "work_mem",
        &[
            ("64", "64kB"),
            (" 65 ", "65kB"),
            ("0x40", "64kB"),
            ("0100", "64kB"),
            ("1e2", "100kB"),
            ("0x80.8p1", "257kB"),
            ("0x10MB", "16MB"),
            ("1 MB ", "1MB"),
            ("1.5MB", "1536kB"),
            ("0.1GB", "102MB"),
            ("65537B", "64kB"),
            ("65.5", "66kB"),
            (".5GB", "512MB"),
            ("1.GB", "1GB"),
            ("64.5", "64kB"),
            ("2147483647.4", "2147483647kB"),
            (
                "3000GB",
                "invalid value for parameter \"work_mem\": \"3000GB\" | Value exceeds integer range.",
            ),
            (
                "5",
                "5 kB is outside the valid range for parameter \"work_mem\" (64 kB .. 2147483647 kB)",
            ),
            ("08", &format!("invalid value for parameter \"work_mem\": \"08\" | {MEMORY}")),
            ("1gb", &format!("invalid value for parameter \"work_mem\": \"1gb\" | {MEMORY}")),
            ("1 M B", &format!("invalid value for parameter \"work_mem\": \"1 M B\" | {MEMORY}")),
            ("1s", &format!("invalid value for parameter \"work_mem\": \"1s\" | {MEMORY}")),
            ("MB", "invalid value for parameter \"work_mem\": \"MB\""),
            ("", "invalid value for parameter \"work_mem\": \"\""),
            // `parse_int`: without a digit before it only a bare point leads to `strtod`.
            (".", "invalid value for parameter \"work_mem\": \".\""),
            (".MB", "invalid value for parameter \"work_mem\": \".MB\""),
            ("+.25GB", "invalid value for parameter \"work_mem\": \"+.25GB\""),
            ("0x.8MB", &format!("invalid value for parameter \"work_mem\": \"0x.8MB\" | {MEMORY}")),
            ("nan", "invalid value for parameter \"work_mem\": \"nan\""),
            ("1e400", "invalid value for parameter \"work_mem\": \"1e400\""),
        ],
    );
    check(13, "wal_buffers", &[("16MB", "16MB"), ("2", "32kB"), ("-1", "4MB")]);
    check(13, "max_slot_wal_keep_size", &[("-1", "-1"), ("1.5GB", "1536MB"), ("0", "0")]);
}

#[test]
fn times_are_read_and_shown_as_postgresql_does() {
    check(
        16,
        "checkpoint_timeout",
        &[
            ("300", "5min"),
            ("1.01h", "61min"),
            ("29.5s", "30s"),
            ("36000000ms", "10h"),
            (
                "29s",
                "29 s is outside the valid range for parameter \"checkpoint_timeout\" (30 .. 86400)",
            ),
            ("1m", &format!("invalid value for parameter \"checkpoint_timeout\": \"1m\" | {TIME}")),
        ],
    );
    check(
        16,
        "commit_delay",
        &[("10", "10"), ("10us", "invalid value for parameter \"commit_delay\": \"10us\"")],
    );
    check(
        18,
        "vacuum_cost_delay",
        &[
            ("0.7us", "0.7us"),
            ("33.333ms", "33333us"),
            ("1.0005", "1000.5us"),
            (
                "100.1",
                "100.1 ms is outside the valid range for parameter \"vacuum_cost_delay\" (0 ms .. 100 ms)",
            ),
            (
                "inf",
                "Infinity ms is outside the valid range for parameter \"vacuum_cost_delay\" (0 ms .. 100 ms)",
            ),
        ],
    );
    check(
        13,
        "random_page_cost",
        &[
            ("1e-7", "1e-07"),
            ("123456.789", "123457"),
            ("1234567.89", "1.23457e+06"),
            (
                "-1",
                "-1 is outside the valid range for parameter \"random_page_cost\" (0 .. 1.79769e+308)",
            ),
        ],
    );
}

#[test]
fn switches_take_any_clear_beginning() {
    let wrong = "parameter \"fsync\" requires a Boolean value";
    for (words, answer) in [
        (["t", "TRU", "yes", "on", "1"], "on"),
        (["f", "fals", "n", "of", "0"], "off"),
        (["o", "", "truex", " on", "2"], wrong),
    ] {
        check(15, "fsync", &words.map(|word| (word, answer)));
    }
}

#[test]
fn enums_know_their_hidden_words() {
    let names = "local, remote_write, remote_apply, on, off";
    check(
        17,
        "synchronous_commit",
        &[
            ("true", "on"),
            ("YES", "on"),
            ("1", "on"),
            ("0", "off"),
            ("Remote_Apply", "remote_apply"),
            (
                "t",
                &format!(
                    "invalid value for parameter \"synchronous_commit\": \"t\" | Available values: {names}."
                ),
            ),
        ],
    );
    check(17, "wal_level", &[("hot_standby", "replica"), ("archive", "replica")]);
    check(14, "wal_compression", &[("tr", "on")]);
    check(15, "wal_compression", &[("on", "pglz"), ("no", "off"), ("lz4", "lz4")]);
    check(17, "client_min_messages", &[("debug", "debug2"), ("info", "info")]);
    check(13, "password_encryption", &[("on", "md5")]);
}

#[test]
fn names_are_those_of_the_version() {
    check(
        17,
        "wal_keep_segments",
        &[("1", "unrecognized configuration parameter \"wal_keep_segments\"")],
    );
    check(
        17,
        "idle_replication_slot_timeout",
        &[(
            "1h",
            "unrecognized configuration parameter \"idle_replication_slot_timeout\" | It exists in PostgreSQL 18; this server is 17.",
        )],
    );
    check(
        18,
        "promote_trigger_file",
        &[(
            "x",
            "unrecognized configuration parameter \"promote_trigger_file\" | It exists in PostgreSQL 13 to 15; this server is 18.",
        )],
    );
    check(
        17,
        "Sort_Mem",
        &[
            ("1MB", "1MB"),
            (
                "1",
                "1 kB is outside the valid range for parameter \"Sort_Mem\" (64 kB .. 2147483647 kB)",
            ),
        ],
    );
    check(
        18,
        "Sort_Mem",
        &[(
            "1",
            "1 kB is outside the valid range for parameter \"work_mem\" (64 kB .. 2147483647 kB)",
        )],
    );
    check(17, "block_size", &[("8192", "parameter \"block_size\" cannot be changed")]);
    check(17, "pg_stat_statements.max", &[("10000", "10000")]);
    check(13, "a.1b", &[("x", "x")]);
    check(
        14,
        "a.1b",
        &[(
            "x",
            "invalid configuration parameter name \"a.1b\" | Custom parameter names must be two or more simple identifiers separated by dots.",
        )],
    );
}

#[test]
fn fields_follow_what_is_set_and_an_error_changes_nothing() {
    let mut settings = Settings::defaults(version(17));
    assert_eq!(settings.max_slot_wal_keep_size, None);
    assert_eq!(settings.wal_sender_timeout, Some(Duration::s(60)));
    assert_eq!(settings.checkpoint_completion_target, 900_000);
    assert_eq!(settings.idle_replication_slot_timeout, None);
    assert_eq!(settings.wal_writer_flush_after, Bytes::mb(1));
    for (name, value) in [
        ("max_slot_wal_keep_size", "0"),
        ("max_standby_streaming_delay", "-1"),
        ("max_standby_archive_delay", "0"),
        ("wal_sender_timeout", "0"),
        ("commit_delay", "10"),
        ("Synchronous_Commit", "remote_apply"),
        ("wal_sync_method", "open_sync"),
    ] {
        assert_eq!(settings.set(name, value), Ok(()), "{name}");
    }
    assert_eq!(settings.max_slot_wal_keep_size, Some(Bytes(0)));
    assert_eq!(settings.max_standby_streaming_delay, None);
    assert_eq!(settings.max_standby_archive_delay, Some(Duration::ZERO));
    assert_eq!(settings.wal_sender_timeout, None);
    assert_eq!(settings.commit_delay, Duration::us(10));
    assert_eq!(settings.synchronous_commit, SynchronousCommit::RemoteApply);
    let before = settings.clone();
    assert!(settings.set("commit_delay", "100001").is_err());
    assert_eq!(settings, before);
    let changed: Vec<_> = settings.changed().into_iter().map(|(name, _)| name).collect();
    let expected = [
        "commit_delay",
        "max_slot_wal_keep_size",
        "max_standby_archive_delay",
        "max_standby_streaming_delay",
        "synchronous_commit",
        "wal_sender_timeout",
        "wal_sync_method",
    ];
    assert_eq!(changed, expected);
    assert!(Settings::is_modelled("commit_delay") && !Settings::is_modelled("wal_sync_method"));
}

#[test]
fn wal_sizes_follow_the_segment_size_as_initdb_makes_them() {
    let mut settings = Settings::defaults(version(15));
    assert_eq!((settings.max_wal_size, settings.min_wal_size), (Bytes::gb(1), Bytes::mb(80)));
    assert_eq!(settings.wal_buffers, Bytes::mb(4));
    settings.set("wal_segment_size", "1MB").expect("a segment size");
    settings.set("shared_buffers", "8GB").expect("a size");
    assert_eq!((settings.max_wal_size, settings.min_wal_size), (Bytes::mb(64), Bytes::mb(5)));
    assert_eq!(settings.wal_buffers, Bytes::mb(1));
    assert_eq!(Some(settings.wal_segment_size), SegmentSize::new(1 << 20));
    check(
        15,
        "wal_segment_size",
        &[(
            "3MB",
            "invalid value for parameter \"wal_segment_size\": 3145728 | The WAL segment size must be a power of two between 1 MB and 1 GB.",
        )],
    );
}

#[test]
fn a_server_refuses_to_start_in_its_versions_words() {
    let refusals = |major, changes: &[(&str, &str)]| {
        let mut settings = Settings::defaults(version(major));
        for (name, value) in changes {
            settings.set(name, value).expect("each is good alone");
        }
        settings.check_start().iter().map(SettingError::message).collect::<Vec<_>>()
    };
    let minimal = [("wal_level", "minimal"), ("archive_mode", "on")];
    assert_eq!(
        refusals(16, &minimal),
        [
            "WAL archival cannot be enabled when wal_level is \"minimal\"",
            "WAL streaming (max_wal_senders > 0) requires wal_level \"replica\" or \"logical\"",
        ]
    );
    assert_eq!(
        refusals(17, &minimal),
        [
            "WAL archival cannot be enabled when \"wal_level\" is \"minimal\"",
            "WAL streaming (\"max_wal_senders\" > 0) requires \"wal_level\" to be \"replica\" or \
             \"logical\"",
        ]
    );
    assert_eq!(
        refusals(
            17,
            &[("wal_level", "minimal"), ("max_wal_senders", "0"), ("summarize_wal", "on")]
        ),
        ["WAL cannot be summarized when \"wal_level\" is \"minimal\""]
    );
    assert_eq!(
        refusals(15, &[("max_wal_size", "31MB"), ("min_wal_size", "20MB")]),
        [
            "\"min_wal_size\" must be at least twice \"wal_segment_size\"",
            "\"max_wal_size\" must be at least twice \"wal_segment_size\"",
        ]
    );
    let connections = [("max_connections", "3")];
    for (major, message) in [
        (15, "superuser_reserved_connections (3) must be less than max_connections (3)"),
        (
            16,
            "superuser_reserved_connections (3) plus reserved_connections (0) must be less than max_connections (3)",
        ),
        (
            17,
            "\"superuser_reserved_connections\" (3) plus \"reserved_connections\" (0) must be less than \"max_connections\" (3)",
        ),
    ] {
        assert_eq!(refusals(major, &connections), [message]);
    }
}

#[test]
fn any_text_is_an_answer_and_never_a_panic() {
    let pieces = ["", " ", "-", "+", ".", "0", "0x", "9", "e", "p", "inf", "nan", "kB", "\u{e9}"];
    let names = ["work_mem", "vacuum_cost_delay", "fsync", "wal_level", "cluster_name", "\u{e9}."];
    let mut settings = Settings::defaults(version(18));
    for n in 0..pieces.len().pow(4) {
        let text = [n, n / 14, n / 196, n / 2744].map(|digit| pieces[digit % 14]).concat();
        let name = names[n % names.len()];
        if let Err(error) = settings.set(name, &text) {
            assert!(error.message().contains(name), "{name} = '{text}': {error}");
        }
    }
    for text in ["1".repeat(400), format!("0x{}", "f".repeat(400)), format!("1e{}", "9".repeat(40))]
    {
        assert!(settings.set("work_mem", &text).is_err(), "{text}");
        assert!(settings.set("random_page_cost", &format!("0x1p-{text}")).is_err(), "{text}");
    }
}

#[test]
fn a_reload_leaves_what_needs_a_restart() {
    let mut running = Settings::defaults(PgVersion::DEFAULT);
    running.set("wal_keep_size", "64MB").expect("a setting");
    running.set("max_wal_senders", "5").expect("a setting");
    let mut files = Settings::defaults(PgVersion::DEFAULT);
    files.set("max_wal_senders", "7").expect("a setting");
    files.set("synchronous_standby_names", "s1").expect("a setting");
    let changes: Vec<_> = running
        .changes(&files)
        .into_iter()
        .map(|change| (change.name, change.value, change.needs_restart))
        .collect();
    assert_eq!(
        changes,
        [
            ("max_wal_senders", "7".to_owned(), true),
            ("synchronous_standby_names", "s1".to_owned(), false),
            ("wal_keep_size", "0".to_owned(), false),
        ]
    );
    let reloaded = running.reloaded(&files);
    assert_eq!(reloaded.max_wal_senders, 5);
    assert_eq!(reloaded.synchronous_standby_names, "s1");
    assert_eq!(reloaded.wal_keep_size, Bytes(0));
    assert!(reloaded.reloaded(&files).changes(&files).iter().all(|change| change.needs_restart));
}

#[test]
fn too_many_processes_together_are_refused_until_17() {
    let refused = "invalid value for parameter \"max_worker_processes\": 262143";
    for major in 13..18 {
        check(major, "max_worker_processes", &[("262143", refused), ("262029", "262029")]);
        check(major, "max_connections", &[("262121", "262121")]);
    }
    check(18, "max_worker_processes", &[("262143", "262143")]);
    let mut settings = Settings::defaults(version(18));
    for (count, starts) in [("262013", true), ("262016", false)] {
        settings.set("max_worker_processes", count).expect("a value");
        assert_eq!(settings.check_start().is_empty(), starts, "{count}");
    }
}

#[test]
fn buffers_in_banks_are_multiples_of_sixteen() {
    let refused = |stop: &str| {
        format!(
            "invalid value for parameter \"notify_buffers\": 102 | \"notify_buffers\" must be a \
             multiple of 16{stop}"
        )
    };
    check(17, "notify_buffers", &[("102", &refused("")), ("816kB", &refused("")), ("96", "768kB")]);
    check(18, "notify_buffers", &[("102", &refused("."))]);
}
