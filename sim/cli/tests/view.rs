//! `walden view` from outside: every view of a run in its three forms, what is wrong with a command
//! line, and servers that do not answer.
//!
//! `UPDATE_GOLDENFILES=1 cargo test -p walden --test view` records `tests/view/*.txt` anew.

mod common;

use std::fs;
use std::path::Path;

use common::{Done, Room};
use models::postgres::views::Query;

/// Two standbys, one of them synchronous, the other with a slot and away for a while.
const PLAYED: &str = "\
title      = 'To look at'
seed       = 3
duration   = '2min'

[postgresql]
max_slot_wal_keep_size    = '64MB'
synchronous_standby_names = 'pg2'

[server.pg1]

[server.pg2]
upstream = 'pg1'

[server.pg3]
upstream = 'pg1'
slot     = 'standby_slot'

[workload.orders]
rate = '100/s'
wal  = '4kB'

[action.slot]
kind   = 'slot_create'
server = 'pg1'
slot   = 'spare'
at     = '10s'

[action.tidy]
kind   = 'checkpoint'
server = 'pg1'
at     = '40s'

[fault.away]
kind   = 'crash'
server = 'pg3'
at     = '60s'
for    = '20s'

[fault.ice]
kind   = 'freeze'
server = 'pg1'
at     = '100s'
for    = '5s'
";

fn room(test: &str, version: u8) -> Room {
    let room = Room::new(test);
    room.write("x.toml", format!("pg_version = {version}\n{PLAYED}"));
    room.run(&["run", "x.toml", "--quiet"]).ends(0);
    room
}

/// Standard output and error, as a terminal shows them.
fn shown(done: &Done) -> String {
    format!("{}{}", done.out, done.err)
}

fn compare(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/view/{name}.txt"));
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("it can be made");
        fs::write(&path, text).expect("the golden can be written");
    }
    let wanted = fs::read_to_string(&path).unwrap_or_default();
    assert!(text == wanted, "{name}: see this file's header; now it is\n{text}");
}

#[test]
fn every_view_is_what_the_goldens_say() {
    for version in [13, 16, 18] {
        let room = room(&format!("view-{version}"), version);
        for (server, at) in [("pg1", "70s"), ("pg3", "50s")] {
            let mut text = String::new();
            for query in Query::NAMED {
                let done =
                    room.run(&["view", "latest", query.name(), "--at", at, "--server", server]);
                // Some are no view of that version, or nothing that such a server answers.
                let code = done.code;
                assert!(code == Some(i32::from(done.err.starts_with("ERROR:"))), "{done:?}");
                text += &format!("$ {}\n{}", query.name(), shown(&done));
            }
            compare(&format!("{version}-{server}"), &text);
        }
    }
}

#[test]
fn all_three_forms_and_the_overview_are_what_the_goldens_say() {
    let room = room("view-forms", 17);
    for (name, args) in [
        ("aligned", &["pg_stat_replication"][..]),
        ("expanded", &["pg_stat_replication", "-x"]),
        ("csv", &["pg_stat_replication", "--csv"]),
        ("monitor", &["monitor"]),
        ("monitor-pg2", &["monitor", "--server", "pg2"]),
    ] {
        let done = room.run(&[&["view", "latest", "--at", "65s"], args].concat()).ends(0);
        assert_eq!(done.err, "", "{name}");
        compare(name, &done.out);
    }
}

#[test]
fn who_does_not_answer_is_told_as_psql_does() {
    let room = room("view-nobody", 17);
    let ask = |at: &str, server: &str| {
        room.run(&["view", "latest", "role", "--at", at, "--server", server]).ends(1)
    };
    let refused = ask("65s", "pg3");
    assert_eq!(
        refused.err,
        "psql: error: connection to server at \"pg3\" (192.0.2.3), port 5432 failed: \
         Connection refused\n\tIs the server running on that host and accepting TCP/IP \
         connections?\n"
    );
    assert_eq!(refused.out, "");
    ask("102s", "pg1").complains("port 5432 failed: timeout expired");
    let done = room.run(&["view", "latest", "pg_current_wal_lsn", "--at", "5s", "--server", "pg2"]);
    assert_eq!(
        done.ends(1).err,
        "ERROR:  recovery is in progress\n\
         HINT:  WAL control functions cannot be executed during recovery.\n"
    );
}

#[test]
fn a_run_is_found_as_by_replay_and_scenarios_by_their_names() {
    let room = room("view-found", 17);
    let folder = format!("runs/x/{}", room.names("runs/x")[0]);
    let first = room.run(&["view", "latest", "lag", "--at", "1s"]).ends(0);
    for run in [&*folder, &format!("{folder}/run.toml"), "x.toml"] {
        let again = room.run(&["view", run, "lag", "--at", "1s"]).ends(0);
        assert_eq!(again.out, first.out, "{run}");
    }
    room.run(&["view", "basics/one_standby", "pg_is_in_recovery()", "--at", "1s"])
        .ends(0)
        .says(" f\n");
    let none = room.run(&["view", "nowhere", "lag", "--at", "1s"]).ends(3);
    none.complains("nowhere: there is no stored run");
    let nearly = room.run(&["view", "basics/one_standbi", "lag", "--at", "1s"]).ends(3);
    nearly.complains("did you mean basics/one_standby?");
    let nearly = room.run(&["view", "small", "lag", "--at", "1s"]).ends(3);
    nearly.complains("small: no such file").complains("did you mean small.toml?");
    room.run(&["view", "x.toml", "lag", "--at", "0"]).ends(0).says("(2 rows)");
    room.run(&["view", "x.toml", "lag", "--at", "2min"]).ends(0).says("(2 rows)");
}

#[test]
fn words_that_name_nothing_are_explained() {
    let room = room("view-wrong", 17);
    room.write(
        "v.toml",
        format!("{PLAYED}\n[variant.off]\nset = {{ 'postgresql.synchronous_commit' = 'off' }}\n"),
    );
    for (name, args) in [
        ("view", &["latest", "pg_stat_replicaton", "--at", "1s"][..]),
        ("view-unlike-any", &["latest", "tables", "--at", "1s"]),
        ("after-the-end", &["latest", "lag", "--at", "3min"]),
        ("unit", &["latest", "lag", "--at", "90m"]),
        ("no-unit", &["latest", "lag", "--at", "90"]),
        ("two-units", &["latest", "lag", "--at", "1min 30s"]),
        ("negative", &["latest", "lag", "--at", "-1s"]),
        ("server", &["latest", "lag", "--at", "1s", "--server", "pg4"]),
        ("no-variant", &["v.toml", "lag", "--at", "1s"]),
        ("variant", &["v.toml", "lag", "--at", "1s", "--variant", "of"]),
    ] {
        let done = room.run(&[&["view"], args].concat()).ends(3);
        assert_eq!(done.out, "", "{name}");
        compare(&format!("bad/{name}"), &done.err);
    }
    room.run(&["view", "v.toml", "lag", "--at", "1s", "--variant", "off"]).ends(0);
    let form = room.run(&["view", "latest", "monitor", "--at", "1s", "--csv"]).ends(2);
    form.complains("neither -x nor --csv");
    room.run(&["view", "latest", "lag"]).ends(2).complains("--at");
}

#[test]
fn a_run_that_does_not_repeat_is_not_shown() {
    let room = room("view-differs", 17);
    let stored = fs::read_to_string(room.path("runs/latest/run.toml")).expect("a stored run");
    let body = stored.split_once('\n').expect("it has lines").1;
    let toml: toml::Table = body.parse().expect("it is TOML");
    let first = toml["variant"][0]["moments"][0].as_str().expect("a digest");
    let changed = body.replace(first, "0123456789abcdef");
    let sealed =
        format!("checksum = 'crc32 {:08x}'\n{changed}", crc32fast::hash(changed.as_bytes()));
    room.write("y.toml", sealed);
    let done = room.run(&["view", "y.toml", "lag", "--at", "60s"]).ends(1);
    assert_eq!(done.out, "");
    done.complains("base differs at moment 1 of 64").complains("walden replay y.toml");
}

#[test]
fn every_view_is_in_the_help_text() {
    let help = Room::new("view-help").run(&["view", "--help"]).ends(0).out;
    for query in Query::NAMED {
        assert!(help.contains(query.name()), "{}", query.name());
    }
}

/// What psql printed of a real server: `models/tests/psql/*.json`.
fn recorded(version: u8) -> serde_json::Value {
    let path = format!("../../models/tests/psql/{version}.json");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let json = fs::read_to_string(path).expect("a recording");
    serde_json::from_str(&json).expect("JSON")
}

/// The first value of a recorded query.
fn value<'a>(recorded: &'a serde_json::Value, role: &str, query: &str) -> &'a str {
    recorded[role][query]["rows"][0][0].as_str().expect("a value")
}

/// A pair in the state of the recorded one: the same WAL, the same slots, nothing going on.
fn pair_like(recorded: &serde_json::Value, version: u8) -> String {
    let slots = recorded["primary"]["pg_replication_slots"]["rows"].as_array().expect("rows");
    let names: Vec<_> = slots.iter().map(|row| row[0].as_str().expect("a name")).collect();
    assert_eq!(names, ["standby_slot", "never_used", "kept"]);
    let kept = slots[2][10].as_str().expect("it is reserved");
    let end = value(recorded, "primary", "pg_current_wal_lsn");
    format!(
        "pg_version = {version}\nduration = '5min'\n[start]\nlsn = '{kept}'\n\
         [postgresql]\nmax_slot_wal_keep_size = '256MB'\nwal_receiver_status_interval = '2s'\n\
         [server.pg1]\n[server.standby1]\nupstream = 'pg1'\nslot = 'standby_slot'\n\
         [[step]]\ndo = [{{ slot_create = 'never_used', server = 'pg1', reserve = false }}, \
         {{ slot_create = 'kept', server = 'pg1', reserve = true }}, \
         {{ write_to = '{end}', server = 'pg1' }}]\n"
    )
}

/// The same situation on a real server and here is the same bytes, in all three forms: positions,
/// slots with their `wal_status` and `safe_wal_size`, sizes, roles, errors. What differs by nature
/// is made equal first: a process id and an address.
#[test]
fn the_same_situation_prints_the_same_bytes_as_a_real_server() {
    let mut compared = 0;
    for version in 13..=18 {
        let room = Room::new(&format!("view-real-{version}"));
        let recorded = recorded(version);
        room.write("x.toml", pair_like(&recorded, version));
        for (role, server) in [("primary", "pg1"), ("standby", "standby1")] {
            for query in Query::NAMED {
                let theirs = &recorded[role][query.name()];
                // Times, counts and files are each server's own.
                let own = match query {
                    Query::StatReplication | Query::StatWalReceiver => theirs["rows"][0].is_array(),
                    Query::StatWal | Query::StatBgwriter | Query::StatCheckpointer => {
                        theirs["error"].is_null()
                    }
                    Query::ReplicationSlots => version >= 17 && role == "primary",
                    Query::LsWaldir => true,
                    Query::LastReplay | Query::LastXactReplayTimestamp => role == "standby",
                    // The lag of the last activity was still to be seen on some.
                    Query::Status => !theirs["rows"][0][8].is_null(),
                    _ => false,
                };
                if own {
                    continue;
                }
                for (form, option) in [("aligned", "-q"), ("expanded", "-x"), ("csv", "--csv")] {
                    let args = ["view", "x.toml", query.name(), "--at", "2min", "--server"];
                    let done = room.run(&[&args[..], &[server, option]].concat());
                    let place = format!("{} on the {role} of {version}, {form}", query.name());
                    if let Some(error) = theirs["error"].as_str() {
                        assert_eq!(done.ends(1).err, error, "{place}");
                    } else {
                        let done = done.ends(0);
                        let pid = theirs["rows"][0][7].as_str();
                        let (ours, theirs) = (done.out, theirs[form].as_str().expect("a text"));
                        let theirs = match pid {
                            Some(pid) if query == Query::ReplicationSlots => like_ours(theirs, pid),
                            Some(_) | None => theirs.to_owned(),
                        };
                        let theirs = theirs.replace("127.0.0.1", "192.0.2.2");
                        assert!(ours == theirs, "{place}\nours:\n{ours}\na server's:\n{theirs}");
                    }
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 500, "only {compared} were compared");
}

/// Their process id becomes ours: the aligned column is as wide as its name.
fn like_ours(theirs: &str, pid: &str) -> String {
    let aligned = theirs.replace(&format!("{pid:>10} |"), &format!("{:>10} |", 1101));
    aligned.replace(&format!("| {pid}\n"), "| 1101\n").replace(&format!(",{pid},"), ",1101,")
}

/// The rows of a form without quotes, cell by cell.
fn cells(csv: &str) -> Vec<Vec<&str>> {
    csv.lines().map(|line| line.split(',').collect()).collect()
}

/// The same for the views that have times, ports and process ids in every row: all other columns
/// are equal.
#[test]
fn what_is_not_of_its_own_time_and_place_is_what_a_real_server_shows() {
    let own = [
        "pid",
        "active_pid",
        "client_addr",
        "client_port",
        "backend_start",
        "write_lag",
        "flush_lag",
        "replay_lag",
        "reply_time",
        "inactive_since",
        "last_msg_send_time",
        "last_msg_receipt_time",
        "latest_end_time",
        "sender_host",
        "sender_port",
        "conninfo",
    ];
    let mut compared = 0;
    for version in 13..=18 {
        let room = Room::new(&format!("view-alike-{version}"));
        let recorded = recorded(version);
        room.write("x.toml", pair_like(&recorded, version));
        for (role, server, query) in [
            ("primary", "pg1", Query::StatReplication),
            ("standby", "standby1", Query::StatWalReceiver),
            ("primary", "pg1", Query::ReplicationSlots),
        ] {
            let args =
                ["view", "x.toml", query.name(), "--at", "2min", "--server", server, "--csv"];
            let done = room.run(&args).ends(0);
            let theirs = recorded[role][query.name()]["csv"].as_str().expect("a text");
            let (ours, theirs) = (cells(&done.out), cells(theirs));
            assert_eq!(ours.len(), theirs.len(), "{} of {version}", query.name());
            for (ours_row, theirs_row) in ours.iter().zip(&theirs) {
                for (index, name) in ours[0].iter().enumerate() {
                    if own.contains(name) {
                        continue;
                    }
                    let place = format!("{name} of {}, version {version}", query.name());
                    assert_eq!(ours_row[index], theirs_row[index], "{place}");
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 500, "only {compared} were compared");
}
