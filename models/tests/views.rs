//! The views of a server, held against real ones of every major version.
//!
//! `psql/*.json`, recorded with `psql/record.py`, has every query on a primary and on its standby:
//! the columns with their types, the rows, or the error. Ours have the same columns, are asked with
//! the same words, and fail in the same way; where a server has nothing to show, so have ours.

use models::disk::Disk;
use models::latency::Quantiles;
use models::postgres::PgVersion;
use models::postgres::command::SlotName;
use models::postgres::effect::Out;
use models::postgres::guc::Settings;
use models::postgres::host::Names;
use models::postgres::server::{Server, ServerConfig};
use models::postgres::views::{LatestEnd, Query, Session, conninfo};
use models::postgres::wal::{Room, WalFiles};
use models::trace::fact::{Scope, ServerId};
use models::trace::scrape::Collector;
use models::trace::table::{SqlError, Table};
use models::units::{Die, Duration, Lsn, Rate, SimTime, TimelineId};
use serde_json::Value;

const PRIMARY: ServerId = ServerId(0);
const STANDBY: ServerId = ServerId(1);
const RECORDED: [(u8, &str); 6] = [
    (13, include_str!("psql/13.json")),
    (14, include_str!("psql/14.json")),
    (15, include_str!("psql/15.json")),
    (16, include_str!("psql/16.json")),
    (17, include_str!("psql/17.json")),
    (18, include_str!("psql/18.json")),
];

fn server(id: ServerId, upstream: Option<ServerId>, settings: &Settings) -> Server {
    let (lsn, rate) = (Lsn(0x300_0028), Rate::new(100 << 20).expect("a rate"));
    let die = Die::new(1, "fsync", "pg");
    let disk = Disk::new(Quantiles::constant(1_000_000), rate, Duration::ZERO, die);
    let size = settings.wal_segment_size;
    let files = WalFiles {
        size,
        written: lsn,
        flushed: lsn,
        oldest: 3,
        newest: 3,
        redo: lsn,
        room: Room::default(),
    };
    Server::new(ServerConfig {
        id,
        settings: settings.clone(),
        upstream,
        replay: rate,
        disk,
        files,
        timeline: TimelineId(1),
        names: Names {
            applications: vec!["pg1".to_owned(), "pg2".to_owned()],
            slots: vec!["standby_slot".to_owned()],
            workloads: Vec::new(),
        },
        slots: if upstream.is_none() { vec![SlotName(0)] } else { Vec::new() },
        primary_slot_name: upstream.map(|_| SlotName(0)),
    })
}

/// A primary and its standby, which streams with a slot.
fn pair(version: PgVersion) -> Vec<Server> {
    let settings = Settings::defaults(version);
    let mut servers =
        vec![server(PRIMARY, None, &settings), server(STANDBY, Some(PRIMARY), &settings)];
    servers.iter_mut().for_each(|server| server.start_running(SimTime::ZERO, version));
    let connection = servers[1].start_streaming(SimTime::ZERO).expect("it is a standby");
    servers[0].serve_streaming(SimTime::ZERO, STANDBY, connection, Some(SlotName(0)));
    servers
}

fn ask(servers: &[Server], server: ServerId, query: Query) -> Result<Table, SqlError> {
    let names = ["pg1".to_owned(), "pg2".to_owned()];
    let latest_end = Some(LatestEnd { lsn: Lsn(0x300_0028), raised: None });
    let now = SimTime(90_000_000_000);
    Session { servers, names: &names, server, now, latest_end, last_commit: None }.ask(query)
}

fn all() -> impl Iterator<Item = Query> {
    let parts = [Query::MonitorStandbys, Query::MonitorSlots, Query::MonitorRecovery];
    let asked = Collector::ALL.into_iter().map(Query::of);
    let asked = asked.filter(|query| !Query::NAMED.contains(query));
    Query::NAMED.into_iter().chain(parts).chain(asked)
}

fn each(mut take: impl FnMut(PgVersion, &Value)) {
    for (major, json) in RECORDED {
        let version = PgVersion::new(major).expect("a version");
        take(version, &serde_json::from_str(json).expect("JSON"));
    }
}

#[test]
fn columns_errors_and_empty_results_are_those_of_real_servers() {
    let (mut columns, mut errors) = (0, 0);
    each(|version, recorded| {
        let servers = pair(version);
        for (server, role) in [(PRIMARY, "primary"), (STANDBY, "standby")] {
            for query in all() {
                let theirs = &recorded[role][query.name()];
                let place = format!("{} on the {role}, version {version}", query.name());
                assert_eq!(theirs["query"].as_str(), Some(&*query.sql()), "{place}");
                let ours = match (ask(&servers, server, query), theirs["error"].as_str()) {
                    (Ok(table), None) => table,
                    (Err(error), Some(text)) => {
                        assert_eq!(
                            text.lines().next(),
                            Some(&*format!("ERROR:  {}", error.message))
                        );
                        let hint = text.lines().find_map(|line| line.strip_prefix("HINT:  "));
                        assert_eq!(error.hint, hint, "{place}");
                        assert_eq!(error.position.is_some(), text.contains("LINE "), "{place}");
                        errors += 1;
                        continue;
                    }
                    (ours, theirs) => panic!("{place}: {ours:?}, but a server says {theirs:?}"),
                };
                let named = ours.columns.iter().map(|c| [c.name.as_str(), c.sql_type.name()]);
                let ours_named = serde_json::to_value(named.collect::<Vec<_>>()).expect("texts");
                assert_eq!(ours_named, theirs["columns"], "{place}");
                columns += ours.columns.len();
                if let Some(rows) = theirs["rows"].as_array() {
                    // Theirs have more slots and other files than ours.
                    assert_eq!(ours.rows.is_empty(), rows.is_empty(), "{place}");
                }
            }
        }
    });
    assert!(columns > 1_400 && errors >= 40, "{columns} columns, {errors} errors");
}

#[test]
fn a_column_is_null_where_it_is_on_a_real_server_or_is_named_as_not_modelled() {
    let mut compared = 0;
    each(|version, recorded| {
        let servers = pair(version);
        for (server, role) in [(PRIMARY, "primary"), (STANDBY, "standby")] {
            for query in all().filter(|query| !query.shows_commit_time()) {
                let theirs = &recorded[role][query.name()];
                let (Some(theirs), Ok(ours)) =
                    (theirs["rows"].as_array(), ask(&servers, server, query))
                else {
                    continue;
                };
                let (Some(theirs), Some(ours_row)) = (theirs.first(), ours.rows.first()) else {
                    continue;
                };
                for (index, column) in ours.columns.iter().enumerate() {
                    let place = format!("{} of {} on the {role}", column.name, query.name());
                    // A lag is NULL when nothing happens, and a slot is safe without a limit.
                    if column.name.ends_with("_lag") || column.name == "safe_wal_size" {
                        continue;
                    }
                    if query.not_modelled(version).contains(&&*column.name) {
                        // A standby makes no WAL, and that is known.
                        let known = server == STANDBY && query == Query::StatWal;
                        let null = ours_row[index].is_none();
                        assert!(!theirs[index].is_null() && null != known, "{place}");
                    } else {
                        let ours = ours_row[index].is_none();
                        assert_eq!(ours, theirs[index].is_null(), "{place}, version {version}");
                    }
                    compared += 1;
                }
            }
        }
    });
    assert!(compared > 500, "{compared} columns");
}

#[test]
fn conninfo_is_what_a_standby_of_that_version_shows() {
    each(|version, recorded| {
        let columns = recorded["standby"]["pg_stat_wal_receiver"]["columns"].as_array();
        let at = columns.expect("columns").iter().position(|column| column[0] == "conninfo");
        let rows = &recorded["standby"]["pg_stat_wal_receiver"]["rows"];
        let theirs = rows[0][at.expect("it has one")].as_str().expect("a text");
        let port = theirs.split(' ').find(|word| word.starts_with("port=")).expect("a port");
        let named = "application_name=standby1 fallback_application_name=walreceiver";
        let theirs = theirs
            .replace("host=127.0.0.1", "host=pg1")
            .replace(port, "port=5432")
            .replace(named, "fallback_application_name=pg2")
            // The recorded servers of all versions but one were built without GSSAPI.
            .replace("gssencmode=disable", "gssencmode=prefer");
        assert_eq!(conninfo(version, "pg1", "pg2"), theirs, "version {version}");
    });
}

/// As recorded: a primary that has recovered from a crash says how far it has replayed, and nothing
/// else that a standby would.
#[test]
fn a_primary_that_has_recovered_knows_what_it_has_replayed() {
    each(|version, recorded| {
        let mut servers = pair(version);
        let mut out = Out::default();
        servers[0].crash(SimTime(1_000_000_000), Scope::Processes, &mut out);
        servers[0].start(SimTime(2_000_000_000), &mut out);
        for _ in 0..100 {
            let due = servers[0].next_deadline();
            if servers[0].is_ready() {
                break;
            }
            servers[0].deadline(due, &mut out);
        }
        assert!(servers[0].is_ready(), "it has recovered");
        for query in Query::NAMED {
            let theirs = &recorded["after_crash"][query.name()];
            let Some(rows) = theirs["rows"].as_array() else { continue };
            let ours = ask(&servers, PRIMARY, query).expect("a result");
            let null = (ours.rows[0][0].is_none(), rows[0][0].is_null());
            assert_eq!(null.0, null.1, "{}, version {version}", query.name());
        }
    });
}
