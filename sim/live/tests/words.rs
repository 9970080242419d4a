//! Random words put to a real server and to Walden: values of settings, lists of synchronous
//! standbys, names of WAL segments. Both have to take the same, show the same, and refuse the rest
//! with the same text.
//!
//! A failure shows the seed, what was said, and both answers. `WALDEN_LIVE_SEED` chooses the seed.

mod common;

use live::divergences::Tally;
use live::{Reply, Server};
use models::postgres::guc::{self, Context, Guc, Kind, Settings};
use models::postgres::syncrep::StandbyNames;
use models::units::{Die, Lsn, SegmentSize, TimelineId, WalSegment};

use common::{Throws, installation, room, seed};

/// A number as somebody might write it, near what is allowed or far from it.
fn number(die: &mut Die, least: f64, most: f64) -> String {
    let edges = [least - 1.0, least, least + 1.0, most - 1.0, most, most + 1.0];
    let near = edges[die.below(6)];
    let small = die.below(2_000) as f64 - 200.0;
    match die.below(12) {
        0 => format!("{near}"),
        1 => format!("{:.0}", near / 1024.0),
        2 => format!("{:.3}", near / 1000.0),
        3 => format!("{}.{}", small, die.below(1_000)),
        4 => format!(".{}", die.below(100)),
        5 => format!("{}e{}", die.below(50), die.below(12) as i64 - 4),
        6 => format!("0x{:X}", die.below(70_000)),
        7 => format!("0{}", die.below(900)),
        8 => format!("+{small}"),
        9 => ["", " ", "-", "1 2", "NaN", "infinity", "1_000", "1,5", "١", "off"][die.below(10)]
            .into(),
        _ => format!("{small}"),
    }
}

fn value(die: &mut Die, guc: &Guc) -> String {
    const UNITS: [&str; 20] = [
        "", "", "", "", "B", "kB", "MB", "GB", "TB", "us", "ms", "s", "min", "h", "d", "KB", "mb",
        "sec", "M", "kB ",
    ];
    let (least, most) = match guc.kind {
        Kind::Integer(_, least, most) => (f64::from(least), f64::from(most)),
        Kind::Real(_, least, most) => (least, most),
        Kind::Bool | Kind::Text | Kind::Enum(..) => (0.0, 1.0),
    };
    let space = ["", "", " ", "\t"][die.below(4)];
    format!("{space}{}{space}{}", number(die, least, most), UNITS[die.below(UNITS.len())])
}

/// How a value is put to a server: in a session where that is allowed, else into its file.
fn put(guc: &Guc, value: &str) -> String {
    let quoted = value.replace('\'', "''");
    let verb = if in_session(guc) { "SET" } else { "ALTER SYSTEM SET" };
    format!("{verb} {} = '{quoted}'", guc.name)
}

fn in_session(guc: &Guc) -> bool {
    matches!(guc.context, Context::User | Context::Superuser)
}

/// What is shown, or why it is refused.
type Answer = Result<String, String>;

/// Puts values to both, and compares what they show or why they refuse.
fn compare(
    server: &Server,
    tries: &[(&Guc, String)],
    ours: impl Fn(&Guc, &str) -> Answer,
) -> Tally {
    let mut statements = Vec::new();
    for (guc, value) in tries {
        statements.push(put(guc, value));
        statements.push(format!("SHOW {}", guc.name));
        // The next is not to find what this one left.
        statements.push(format!("RESET {}", guc.name));
    }
    let replies = server.script(&statements).expect("psql");
    assert_eq!(replies.len(), statements.len(), "psql answered each statement");
    let mut tally = Tally::default();
    for ((guc, value), replies) in tries.iter().zip(replies.chunks(3)) {
        let real = match &replies[..2] {
            [Reply::Error { message, .. }, _] => Err(message.clone()),
            [_, Reply::Rows(rows)] if in_session(guc) => Ok(rows.clone()),
            _ => Ok(String::new()),
        };
        // What was written into a file shows only after a reload.
        let ours =
            ours(guc, value).map(|shown| if in_session(guc) { shown } else { String::new() });
        let known = match guc.name {
            name if name.starts_with("tcp_") => Some("tcp_show"),
            "max_stack_depth" => Some("stack_of_the_machine"),
            _ => None,
        };
        tally.compare(&format!("{} = '{value}'", guc.name), known, &real, &ours);
    }
    tally
}

#[test]
fn values_of_settings_are_taken_shown_and_refused_alike() {
    let installation = installation();
    let room = room("values");
    let mut server = Server::create(&installation, &room.join("pg"), 16).expect("initdb");
    server.start().expect("a server");
    let mut die = Die::new(seed(), "live", "values");
    let version = installation.version;
    let numeric: Vec<&Guc> = guc::names(version)
        .filter_map(|name| guc::find(name, version))
        .filter(|guc| matches!(guc.kind, Kind::Integer(..) | Kind::Real(..)))
        .filter(|guc| guc.context != Context::Internal)
        .collect();
    let drawn = (0..600).map(|_| {
        let guc = numeric[die.below(numeric.len())];
        (guc, value(&mut die, guc))
    });
    let known = [("tcp_keepalives_idle", "0"), ("max_stack_depth", "2147483647")];
    let known = known.map(|(name, value)| {
        (guc::find(name, version).expect("every version has it"), value.to_owned())
    });
    let tries: Vec<(&Guc, String)> = drawn.chain(known).collect();
    let ours = |guc: &Guc, value: &str| {
        let mut settings = Settings::defaults(version);
        let taken = settings.set(guc.name, value).map_err(|error| error.message());
        taken.map(|()| settings.show(guc.name).unwrap_or_default())
    };
    compare(&server, &tries, ours).holds(600, &["tcp_show", "stack_of_the_machine"]);
}

/// A list as the grammar allows it, with an accident now and then.
fn standby_names(die: &mut Die) -> String {
    const NAMES: [&str; 12] = [
        "pg2",
        "pg3",
        "*",
        "\"pg 4\"",
        "PG2",
        "_x",
        "node-1",
        "\"a\"\"b\"",
        "a$b",
        "any",
        "first",
        "été",
    ];
    let list: Vec<&str> = (0..1 + die.below(4)).map(|_| NAMES[die.below(NAMES.len())]).collect();
    let list = list.join([", ", ",", " , ", " "][if die.below(8) == 0 { 3 } else { die.below(3) }]);
    let number = ["1", "2", "5", "0", "-1", "99", "2147483648", "1.5"][die.below(8)];
    let number = if die.below(3) == 0 { number } else { "1" };
    let mut text = match die.below(6) {
        0 => list,
        1 => format!("{number} ({list})"),
        2 => format!("FIRST {number} ({list})"),
        3 => format!("ANY {number}({list})"),
        4 => format!("any {number} ( {list} )"),
        _ => format!("First {number} ({list})"),
    };
    if die.below(4) == 0 {
        let accident = ["(", ")", ",", "\"", " ", "ANY", "1", "'", "\t", "--x", "é"][die.below(11)];
        let places: Vec<usize> =
            text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        text.insert_str(places[die.below(places.len())], accident);
    }
    text
}

#[test]
fn lists_of_synchronous_standbys_are_taken_and_refused_alike() {
    let installation = installation();
    let room = room("names");
    let mut server = Server::create(&installation, &room.join("pg"), 16).expect("initdb");
    server.start().expect("a server");
    let mut die = Die::new(seed(), "live", "names");
    let version = installation.version;
    let guc = guc::find("synchronous_standby_names", version).expect("every version has it");
    let tries: Vec<_> = (0..400).map(|_| (guc, standby_names(&mut die))).collect();
    let ours = |_: &Guc, value: &str| {
        let parsed = StandbyNames::parse(value).map_err(|error| error.to_string());
        parsed.map(|_| String::new())
    };
    compare(&server, &tries, ours).holds(400, &[]);
}

#[test]
fn segments_have_the_names_that_the_server_gives_them() {
    let installation = installation();
    let room = room("segments");
    for megabytes in [1, 16, 64] {
        let folder = room.join(&format!("pg{megabytes}"));
        let mut server = Server::create(&installation, &folder, megabytes).expect("initdb");
        server.start().expect("a server");
        let size = SegmentSize::new(u64::from(megabytes) << 20).expect("a power of two");
        let mut die = Die::new(seed(), "live", "segments");
        let lsns: Vec<Lsn> = (0..300)
            .map(|_| {
                let bits = 24 + die.below(36);
                // At a boundary versions differ, and within a segment nothing does.
                Lsn((die.throw() >> (64 - bits)) | 1)
            })
            .collect();
        let list: Vec<String> = lsns.iter().map(|lsn| format!("'{lsn}'")).collect();
        let sql =
            format!("SELECT pg_walfile_name(l::pg_lsn) FROM unnest(ARRAY[{}]) l", list.join(","));
        let real = server.query(&sql).expect("names");
        assert_eq!(real.lines().count(), lsns.len());
        for (lsn, real) in lsns.iter().zip(real.lines()) {
            let number = lsn.segment(size);
            let segment = WalSegment { timeline: TimelineId(1), number, size };
            assert_eq!(segment.to_string(), real, "{lsn} with segments of {megabytes} MB");
        }
    }
}
