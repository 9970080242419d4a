//! Views as psql prints them of a real pair, and as Walden does of one in the same situation: the
//! same WAL, the same slots, nothing going on. All three forms are to be the same bytes.
//!
//! `models/tests/psql` holds recordings of six major versions against the same code; this looks at
//! the server that is installed.

mod common;

use live::divergences::Tally;
use live::{Installation, Server};
use models::postgres::PgVersion;
use models::postgres::views::Query;
use models::trace::fact::ServerId;
use models::trace::scrape::Collector;
use models::units::SimTime;
use reports::psql::{self, Form};
use scenarios::ScenarioFile;
use sim::Outside;
use sim::look::Moment;

use common::{installation, room};

const SETTINGS: &str = "max_slot_wal_keep_size = '256MB'\nwal_receiver_status_interval = '1s'\n";
const FORMS: [(Form, Option<&str>); 3] =
    [(Form::Aligned, None), (Form::Expanded, Some("-x")), (Form::Csv, Some("--csv"))];

/// A primary with three slots, one of them in use by its standby.
fn pair(installed: &Installation, room: &common::Room) -> Result<[Server; 2], live::Error> {
    let mut primary = Server::create(installed, &room.join("primary"), 16)?;
    primary.configure(&format!("{SETTINGS}autovacuum = off\ntimezone = 'UTC'\n"))?;
    let mut standby = primary.copy(&room.join("standby"))?;
    standby.follow(primary.port(), "standby1", Some("standby_slot"))?;
    primary.start()?;
    for call in ["'standby_slot'", "'never_used'", "'kept', true"] {
        primary.query(&format!("select pg_create_physical_replication_slot({call})"))?;
    }
    standby.start()?;
    primary.query("create table t as select generate_series(1, 100000)")?;
    // Until both are idle: the lags become NULL, and everything is replayed.
    for _ in 0..300 {
        let idle = "select replay_lag is null and replay_lsn = pg_current_wal_insert_lsn() \
                    from pg_stat_replication";
        if primary.query(idle)? == "t" {
            break;
        }
        primary.query("select pg_sleep(0.1)")?;
    }
    Ok([primary, standby])
}

/// The same here.
fn scenario(version: PgVersion, kept: &str, end: &str) -> scenarios::scenario::Scenario {
    let text = format!(
        "pg_version = {version}\nduration = '5min'\n[start]\nlsn = '{kept}'\n[postgresql]\n{SETTINGS}\
         [server.pg1]\n[server.standby1]\nupstream = 'pg1'\nslot = 'standby_slot'\n\
         [[step]]\ndo = [{{ slot_create = 'never_used', server = 'pg1', reserve = false }}, \
         {{ slot_create = 'kept', server = 'pg1', reserve = true }}, \
         {{ write_to = '{end}', server = 'pg1' }}]\n"
    );
    let file = ScenarioFile::parse("live", &text, &mut |_: &str| Err("no file".to_owned()));
    let variants = file.and_then(|file| file.variants());
    variants.unwrap_or_else(|problems| panic!("{problems}\n{text}")).swap_remove(0)
}

/// Whether its values are not each server's own: times, counts, files, process ids.
fn is_alike(query: Query, primary: bool, version: PgVersion) -> bool {
    match query {
        Query::StatReplication => !primary,
        Query::LastXactReplayTimestamp
        | Query::LastReplay
        | Query::StatWalReceiver
        | Query::ExporterReplication
        | Query::ExporterStatWalReceiver => primary,
        Query::ExporterStatReplication => !primary,
        Query::StatWal => version.major() < 14,
        Query::StatCheckpointer => version.major() < 17,
        Query::StatBgwriter | Query::LsWaldir | Query::ExporterWal => false,
        // `inactive_since` is a moment.
        Query::ReplicationSlots => !primary || version.major() < 17,
        Query::IsInRecovery
        | Query::CurrentWalLsn
        | Query::CurrentWalInsertLsn
        | Query::CurrentWalFlushLsn
        | Query::LastWalReceiveLsn
        | Query::LastWalReplayLsn
        | Query::Status
        | Query::Lag
        | Query::Slots
        | Query::Role
        | Query::LagTimestamp
        | Query::MonitorStandbys
        | Query::MonitorSlots
        | Query::ExporterReplicationSlots
        | Query::ExporterSlotPositions => true,
        Query::MonitorRecovery => primary,
    }
}

fn queries() -> impl Iterator<Item = Query> {
    let parts = [Query::MonitorStandbys, Query::MonitorSlots, Query::MonitorRecovery];
    let asked = Collector::ALL.into_iter().map(Query::of);
    let asked = asked.filter(|query| !Query::NAMED.contains(query));
    Query::NAMED.into_iter().chain(parts).chain(asked)
}

/// What psql prints: a result or an error.
fn theirs(server: &Server, query: Query, option: Option<&str>) -> Result<String, live::Error> {
    let (result, error) = server.prints(&query.sql(), option)?;
    Ok(result + &error)
}

/// What Walden prints.
fn ours(moment: &Moment, server: ServerId, query: Query, form: Form) -> String {
    match moment.ask(server, query).expect("a session can be had") {
        Ok(table) => psql::table(&table, form),
        Err(error) => psql::error(&error, &query.sql()),
    }
}

/// All that is compared, as long as the server's WAL stands still meanwhile.
fn look(
    servers: &[Server; 2],
    version: PgVersion,
) -> Result<Option<(String, Vec<String>)>, live::Error> {
    let before = servers[0].query("select pg_current_wal_insert_lsn()")?;
    let mut all = Vec::new();
    for (server, primary) in servers.iter().zip([true, false]) {
        for query in queries().filter(|query| is_alike(*query, primary, version)) {
            for (_, option) in FORMS {
                all.push(theirs(server, query, option)?);
            }
        }
    }
    let after = servers[0].query("select pg_current_wal_insert_lsn()")?;
    Ok((before == after).then_some((after, all)))
}

#[test]
fn a_real_pair_and_walden_print_the_same_views() -> Result<(), live::Error> {
    let (installed, room) = (installation(), room("views"));
    let servers = pair(&installed, &room)?;
    let seen = (0..10).find_map(|_| look(&servers, installed.version).transpose());
    let (end, theirs) = seen.expect("a server that nobody uses writes WAL once in 15 s")?;
    let slot = |what: &str, name: &str| {
        servers[0]
            .query(&format!("select {what} from pg_replication_slots where slot_name = '{name}'"))
    };
    let (kept, pid) = (slot("restart_lsn", "kept")?, slot("active_pid", "standby_slot")?);
    let scenario = scenario(installed.version, &kept, &end);
    let at = SimTime(120_000_000_000);
    let moment = Moment::of(&scenario, at, &[], &Outside::default());
    let moment = moment.unwrap_or_else(|error| panic!("{error}"));
    let (mut tally, mut theirs) = (Tally::default(), theirs.into_iter());
    for (server, primary) in [(ServerId(0), true), (ServerId(1), false)] {
        for query in queries().filter(|query| is_alike(*query, primary, installed.version)) {
            for (form, _) in FORMS {
                let real = theirs.next().expect("as many were asked");
                let real = real.replace("127.0.0.1", "192.0.2.2");
                let real = match query {
                    Query::ReplicationSlots if primary => with_our_pid(&real, &pid),
                    _ => real,
                };
                let what = format!("{} of server {}, {form:?}", query.name(), server.0);
                tally.compare(&what, None, &real, &ours(&moment, server, query, form));
            }
        }
    }
    tally.holds(80, &[]);
    Ok(())
}

/// Their process id becomes ours: the aligned column is as wide as its name.
fn with_our_pid(text: &str, pid: &str) -> String {
    let aligned = text.replace(&format!("{pid:>10} |"), &format!("{:>10} |", 1101));
    aligned.replace(&format!("| {pid}\n"), "| 1101\n").replace(&format!(",{pid},"), ",1101,")
}
