//! `walden import`: from files on disk to a profile that a scenario runs with.
//!
//! What each source makes of its files is held in `scenarios/tests/import`; this is the command
//! around it, and the way back: a run with the profile makes the WAL that was recorded.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::Room;
use models::units::{Bytes, Duration};
use scenarios::ScenarioFile;
use scenarios::import::Input;
use scenarios::import::lsn_samples::WalHistory;
use sim::{Options, Outside};

/// A file of the tests of the sources.
fn sample(source: &str, name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/tests/import");
    path.join(source).join(name).to_str().expect("our paths are UTF-8").to_owned()
}

/// The recorded history of a production day.
fn recorded() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/basics/production");
    folder.join("wal_lsn_history.csv")
}

const MINIMAL: &str = "\
include  = 'data/db1.toml'
duration = '30min'

[server.pg1]
";

#[test]
fn one_file_is_recognised_and_becomes_a_profile_and_a_history() {
    let room = Room::new("import-one");
    let history = recorded();
    let done = room.run(&["import", history.to_str().expect("UTF-8")]).ends(0);
    let done = done.says(": taken for lsn-samples").says("1,929 rows read, 1,929 used");
    assert!(done.out.ends_with("wrote profile.toml\nwrote profile.wal.csv\n"), "{}", done.out);
    let profile = fs::read_to_string(room.path("profile.toml")).expect("a profile");
    assert!(profile.contains("history = 'profile.wal.csv'"), "{profile}");
    assert!(!profile.contains("wal_lsn_history"), "a name of a file: {profile}");
}

#[test]
fn several_sources_make_one_profile_that_check_takes() {
    let room = Room::new("import-several");
    fs::create_dir(room.path("data")).expect("a folder");
    let history = recorded();
    let words = [
        "import",
        "lsn-samples",
        history.to_str().expect("UTF-8"),
        "pg-settings",
        &sample("pg-settings", "good.csv"),
        "pg-test-fsync",
        &sample("pg-test-fsync", "good.txt"),
        "ping",
        &sample("ping", "good.txt"),
        "pg-stat-wal",
        &sample("pg-stat-wal", "good.csv"),
        "pg-stat-replication",
        &sample("pg-stat-replication", "good.csv"),
        "pgbench-summary",
        &sample("pgbench-summary", "good.txt"),
        "-o",
        "data/db1.toml",
    ];
    room.run(&words).ends(0);
    let first = fs::read(room.path("data/db1.toml")).expect("a profile");
    room.run(&words).ends(0);
    assert_eq!(fs::read(room.path("data/db1.toml")).expect("a profile"), first);
    room.write("minimal.toml", MINIMAL);
    room.run(&["check", "minimal.toml"]).ends(0);
    let text = String::from_utf8(first).expect("UTF-8");
    for table in ["[workload.imported]", "[disk]", "[network]", "[postgresql]", "pg_version = 15"] {
        assert!(text.contains(table), "no {table}:\n{text}");
    }
}

#[test]
fn names_stay_out_unless_they_are_asked_for() {
    let room = Room::new("import-names");
    room.write(
        "settings.csv",
        "name,setting\ncluster_name,db1.example.com\narchive_command,scp %p backup@db2:\n\
         max_wal_size,2048\n",
    );
    room.run(&["import", "settings.csv"]).ends(0);
    let without = fs::read_to_string(room.path("profile.toml")).expect("a profile");
    assert!(!without.contains("db1") && !without.contains("scp"), "{without}");
    room.run(&["import", "settings.csv", "--keep-names"]).ends(0);
    let with = fs::read_to_string(room.path("profile.toml")).expect("a profile");
    assert!(with.contains("cluster_name = 'db1.example.com'"), "{with}");
}

#[test]
fn a_mistake_in_any_file_is_told_and_nothing_is_written() {
    let room = Room::new("import-wrong");
    room.write("ping.txt", fs::read(sample("ping", "bad_comma.txt")).expect("a sample"));
    let history = recorded();
    let words = ["import", "lsn-samples", history.to_str().expect("UTF-8"), "ping", "ping.txt"];
    let done = room.run(&words).ends(3).complains("ping.txt:2:1: there is no time in this answer");
    assert!(done.err.ends_with("\n1 mistake; nothing was written\n"), "{}", done.err);
    assert_eq!(room.names("."), ["long.toml", "ping.txt", "small.toml"]);
}

#[test]
fn what_is_not_known_says_what_there_is() {
    let room = Room::new("import-unknown");
    room.write("notes.txt", "call Bob\n");
    let ends = |words: &[&str], code| room.run(&[&["import"], words].concat()).ends(code);
    ends(&["notes.txt"], 3).complains("does not show what it is").complains("lsn-samples, pg-");
    ends(&["lsn-sample", "notes.txt"], 3).complains("did you mean lsn-samples?");
    ends(&["none.csv"], 3).complains("none.csv: No such file");
    ends(&["ping"], 2).complains("no file is named behind ping");
    ends(&["ping", "pg-settings", "notes.txt"], 2).complains("behind ping");
    ends(&[], 2);
}

#[test]
fn a_file_that_is_somebodys_own_is_left_alone() {
    let room = Room::new("import-own");
    let history = recorded();
    let history = history.to_str().expect("UTF-8");
    room.run(&["import", history, "-o", "small.toml"]).ends(3).complains("is there already");
    assert!(!room.path("small.wal.csv").exists());
    room.write("mine.wal.csv", "precious\n");
    room.run(&["import", history, "-o", "mine.toml"]).ends(3).complains("mine.wal.csv is there");
    assert!(!room.path("mine.toml").exists());
    room.run(&["import", history, "-o", "none/mine.toml"]).ends(5).complains("cannot write");
}

#[test]
fn a_configuration_brings_the_files_it_includes() {
    let room = Room::new("import-conf");
    let conf = sample("postgresql-conf", "odd_includes.conf");
    room.run(&["import", &conf, "--pg-version", "16"]).ends(0);
    let profile = fs::read_to_string(room.path("profile.toml")).expect("a profile");
    assert!(profile.contains("wal_keep_size = '1GB'\n"), "{profile}");
    assert!(profile.contains("pg_version = 16"), "{profile}");
}

#[test]
fn the_statements_are_those_of_the_sources_that_are_named() {
    let room = Room::new("import-sql");
    let all = room.run(&["import", "--sql"]).ends(0).says("CREATE TABLE").says("pg_stat_wal");
    let one = room.run(&["import", "--sql", "lsn-samples"]).ends(0).says("CREATE TABLE");
    assert!(all.out.contains(&one.out) && !one.out.contains("pg_stat_wal"), "{}", one.out);
    room.run(&["import", "--sql", "ping"]).ends(0).says("-- ping: no statement; ping -c");
    room.run(&["import", "--sql", "tea"]).ends(3).complains("no source of that name");
}

/// WAL since the first sample at a time, from samples of it.
fn until(samples: &[(Duration, u64)], at: Duration) -> u64 {
    let next = samples.partition_point(|(time, _)| *time < at).clamp(1, samples.len() - 1);
    let ((from, before), (to, after)) = (samples[next - 1], samples[next]);
    let part = (at - from).as_seconds() / (to - from).as_seconds();
    before + ((after - before) as f64 * part.clamp(0.0, 1.0)).round() as u64
}

/// When checkpoints of the recorded server began, in seconds since the first sample: from its
/// log, without those that fell into the bulk job at the end.
const CHECKPOINTS: [u64; 7] = [463, 613, 735, 862, 1_011, 1_149, 1_287];

#[test]
fn a_run_with_the_profile_makes_the_wal_that_was_recorded() {
    let room = Room::new("import-round-trip");
    fs::create_dir(room.path("data")).expect("a folder");
    let path = recorded();
    room.run(&["import", path.to_str().expect("UTF-8"), "-o", "data/db1.toml"]).ends(0);
    let text = fs::read_to_string(&path).expect("the recording");
    let history = WalHistory::read(&[Input { file: "recorded", text: &text }]).expect("a history");
    let recorded: Vec<(Duration, u64)> =
        history.samples.iter().map(|s| (s.at, s.bytes.0)).collect();

    let mut read = |file: &str| fs::read_to_string(room.path(file)).map_err(|e| e.to_string());
    let file = ScenarioFile::parse("minimal", MINIMAL, &mut read);
    let file = file.unwrap_or_else(|problems| panic!("{problems}"));
    let scenario = file.variants().expect("one variant").remove(0);
    let run = sim::run(&scenario, Options::default(), &Outside::default()).expect("a run");
    let start = scenario.start.lsn;
    let series = &run.samples.servers[0].insert_lsn;
    let period = series.period();
    // A bucket holds its last value, which is the one of its end.
    let simulated: Vec<(Duration, u64)> = series
        .iter()
        .filter_map(|(at, lsn)| Some((Duration(at.0) + period, lsn?.saturating_sub(start.0))))
        .collect();

    let minute = |samples: &[(Duration, u64)], n: u64| {
        until(samples, Duration::s(60 * (n + 1))) - until(samples, Duration::s(60 * n))
    };
    for n in 0..30 {
        let (real, ours) = (minute(&recorded, n), minute(&simulated, n));
        let error = ours.abs_diff(real) as f64 / real as f64;
        assert!(error < 0.05, "minute {n}: {} recorded, {} simulated", Bytes(real), Bytes(ours));
    }
    let tooth = |samples: &[(Duration, u64)], at: u64| {
        let [before, from, after] = [at - 30, at, at + 30].map(|s| until(samples, Duration::s(s)));
        (after - from) as f64 / (from - before) as f64
    };
    for at in CHECKPOINTS {
        let (real, ours) = (tooth(&recorded, at), tooth(&simulated, at));
        assert!(real > 1.2, "at {at} s there is a tooth: {real}");
        assert!((ours / real - 1.0).abs() < 0.1, "at {at} s: {real} recorded, {ours} simulated");
    }
}
