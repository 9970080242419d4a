//! Ten thousand broken scenario files, and hundreds of whole ones that nobody would write.
//!
//! A mutant is a file of the catalogue with a few edits, some of them gentle (another number,
//! another setting, one more fault), some of them not (a line gone, text cut off, rubbish). It
//! goes through the parser and, if it is still a scenario, through a second of the core. Nothing
//! may panic, and nothing may take for ever. All is drawn from a die: a failure prints the text.

mod scenes;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use models::postgres::server::{Server, State};
use models::units::{Die, Duration, Lsn, SimTime};
use scenarios::catalog::{self, CatalogEntry};
use scenarios::{ScenarioFile, scenario::Scenario};
use sim::world::World;
use sim::{Options, Outside, control};

const MUTANTS: u64 = 10_000;
/// More events than the busiest mutant needs for its second.
const MOST_EVENTS: u64 = 50_000_000;
/// Longer than the slowest mutant takes on a busy machine.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// Choices of one case.
struct Dice(Die);

impl Dice {
    fn new(what: &str, case: u64) -> Dice {
        Dice(Die::new(case, what, "fuzz"))
    }

    fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.0.throw()) * n as u128) >> 64) as usize
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    fn number(&mut self, from: u64, to: u64) -> u64 {
        from + self.below((to - from + 1) as usize) as u64
    }
}

const NUMBERS: &[&str] = &[
    "0", "1", "2", "3", "5", "8", "16", "17", "18", "40", "64", "100", "1000", "4096", "1e3", "-1",
];
const TIMES: &[&str] =
    &["0", "1us", "40us", "1ms", "7ms", "100ms", "1s", "10s", "61s", "5min", "2h", "1d", "3"];
const SIZES: &[&str] = &["0", "64kB", "1MB", "16MB", "80MB", "1GB", "50GB", "8kB", "100B"];
const LEVELS: &[&str] = &["off", "local", "remote_write", "on", "remote_apply"];
/// Settings with values that PostgreSQL takes.
const SETTINGS: &[(&str, &[&str])] = &[
    ("synchronous_commit", LEVELS),
    ("synchronous_standby_names", &["", "*", "ANY 1 (*)", "FIRST 2 (*)", "pg2", "near, far", "x"]),
    ("commit_delay", &["0", "10", "1000", "100000"]),
    ("commit_siblings", &["0", "1", "5", "1000"]),
    ("wal_buffers", &["64kB", "1MB", "16MB", "-1"]),
    ("wal_writer_delay", &["1ms", "200ms", "10s"]),
    ("wal_writer_flush_after", &["0", "8kB", "1MB", "1GB"]),
    ("max_wal_size", &["32MB", "64MB", "1GB", "20GB"]),
    ("min_wal_size", &["32MB", "80MB"]),
    ("checkpoint_timeout", &["30s", "5min", "1d"]),
    ("checkpoint_completion_target", &["0", "0.5", "1"]),
    ("wal_keep_size", &["0", "64MB", "10GB"]),
    ("max_slot_wal_keep_size", &["-1", "0", "64MB", "10GB"]),
    ("wal_sender_timeout", &["0", "1ms", "500ms", "3s", "60s"]),
    ("wal_receiver_timeout", &["0", "1ms", "500ms", "3s", "60s"]),
    ("wal_receiver_status_interval", &["0", "1s", "10s"]),
    ("wal_retrieve_retry_interval", &["1ms", "100ms", "5s"]),
    ("max_wal_senders", &["4", "10"]),
    ("full_page_writes", &["on", "off"]),
    ("fsync", &["on", "off"]),
    ("cluster_name", &["pg2", "x", ""]),
];
const FAULTS: &[&str] = &["crash", "freeze", "link_cut", "link_hold", "link_reset"];

/// Names of the servers of a text.
fn servers(text: &str) -> Vec<String> {
    let tables = text.lines().filter_map(|line| line.strip_prefix("[server."));
    let names = tables.filter_map(|rest| rest.split(['.', ']']).next());
    let mut found: Vec<String> = names.map(str::to_owned).collect();
    found.dedup();
    found
}

/// A fault table on servers of this text.
fn any_fault(dice: &mut Dice, servers: &[String], at: &str, lasts: &str) -> String {
    let name = format!("f{}", dice.number(0, 999_999));
    let kind = dice.one(FAULTS);
    let one = dice.below(servers.len().max(1));
    let name_of = |n: usize| servers.get(n).map_or("pg1", String::as_str);
    let whom = if kind.starts_with("link") {
        // Links end at the primary, which comes first.
        let other = 1 + dice.below(servers.len().saturating_sub(1).max(1));
        format!("between = ['{}', '{}']", name_of(other), name_of(0))
    } else {
        let what = dice.one(&["processes", "host"]);
        format!("server = '{}'\nwhat = '{what}'", name_of(one))
    };
    let lasts = if kind == "link_reset" { "" } else { lasts };
    format!("\n[fault.{name}]\nkind = '{kind}'\nat = '{at}'\n{whom}\n{lasts}\n")
}

/// An edit that leaves most files whole.
fn gently(dice: &mut Dice, text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    match dice.below(8) {
        0 => replace_number(dice, text),
        1 => {
            let (at, lasts) = (dice.one(&["0", "1ms", "300ms", "900ms"]), dice.one(&["", "1s"]));
            let lasts = if lasts.is_empty() { String::new() } else { format!("for = '{lasts}'") };
            format!("{text}{}", any_fault(dice, &servers(text), at, &lasts))
        }
        2 => {
            let (name, values) = SETTINGS[dice.below(SETTINGS.len())];
            let setting = format!("{name} = '{}'", dice.one(values));
            match lines.iter().position(|line| line == "[postgresql]") {
                Some(at) => lines.insert(at + 1, setting),
                None => lines.extend(["[postgresql]".to_owned(), setting]),
            }
            lines.join("\n")
        }
        3 => {
            let load = match dice.below(4) {
                0 => format!("rate = '{}/s'", dice.number(1, 5_000)),
                1 => format!("clients = {}\nthink = '1ms'", dice.number(1, 200)),
                2 => format!("wal_rate = '{}kB/s'", dice.number(1, 50_000)),
                _ => format!("bulk = '{}'\nover = '{}ms'", dice.one(SIZES), dice.number(1, 3_000)),
            };
            let level = dice.one(LEVELS);
            let level = if load.starts_with("wal_rate") {
                String::new()
            } else {
                format!("synchronous_commit = '{level}'\n")
            };
            format!("{text}\n[workload.w{}]\n{load}\n{level}", dice.number(0, 99_999))
        }
        4 => {
            let upstream = servers(text).first().cloned().unwrap_or_default();
            format!("{text}\n[server.s{}]\nupstream = '{upstream}'\n", dice.number(0, 99_999))
        }
        5 => replace_quoted(dice, text, &["'1ms'", "'5ms'", "'100us'", "'2s'"]),
        6 => {
            // Expectations go: names they speak of may go as well.
            let upto = lines.iter().position(|line| line == "[expect]").unwrap_or(lines.len());
            lines.truncate(upto);
            lines.join("\n")
        }
        _ => format!("{text}\n[start]\nlsn = '{:X}/{:X}'\n", dice.number(0, 9), 0x100_0028_u64),
    }
}

/// Another number in place of one.
fn replace_number(dice: &mut Dice, text: &str) -> String {
    let starts: Vec<usize> = text
        .char_indices()
        .filter(|&(at, c)| {
            c.is_ascii_digit() && !text[..at].ends_with(|c: char| c.is_alphanumeric())
        })
        .map(|(at, _)| at)
        .collect();
    let Some(&at) = starts.get(dice.below(starts.len().max(1))) else { return text.to_owned() };
    let end = text[at..].find(|c: char| !c.is_ascii_digit()).map_or(text.len(), |n| at + n);
    format!("{}{}{}", &text[..at], dice.one(NUMBERS), &text[end..])
}

/// Another value in place of a quoted one.
fn replace_quoted(dice: &mut Dice, text: &str, values: &[&str]) -> String {
    let quotes: Vec<usize> = text.match_indices('\'').map(|(at, _)| at).collect();
    let pairs = quotes.chunks_exact(2).count();
    if pairs == 0 {
        return text.to_owned();
    }
    let pair = dice.below(pairs) * 2;
    let (from, to) = (quotes[pair], quotes[pair + 1]);
    format!("{}{}{}", &text[..from], dice.one(values), &text[to + 1..])
}

/// An edit that seldom leaves a file whole.
fn roughly(dice: &mut Dice, text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let (one, other) = (dice.below(lines.len().max(1)), dice.below(lines.len().max(1)));
    if lines.is_empty() {
        return "\u{feff}[".to_owned();
    }
    match dice.below(9) {
        0 => _ = lines.remove(one),
        1 => lines.insert(other, lines[one].clone()),
        2 => lines.swap(one, other),
        3 => lines.truncate(one),
        4 => {
            let whole = text.chars().count();
            return text.chars().take(dice.below(whole + 1)).collect();
        }
        5 => {
            let at = dice.below(text.chars().count().max(1));
            let rubbish =
                dice.one(&["'", "\"", "[", "]", "=", "\u{0}", "ß", "\u{1f418}", "#", "."]);
            let (head, tail): (String, String) =
                (text.chars().take(at).collect(), text.chars().skip(at + 1).collect());
            return format!("{head}{rubbish}{tail}");
        }
        6 => {
            let pool = [NUMBERS, TIMES, SIZES, LEVELS].concat();
            let value = format!("'{}'", dice.one(&pool));
            return replace_quoted(dice, text, &[&value]);
        }
        7 => {
            let words: Vec<&str> = text.split_whitespace().collect();
            let (from, to) = (dice.one(&words).to_owned(), dice.one(&words).to_owned());
            return text.replacen(&from, &to, 1 + dice.below(3));
        }
        _ => lines[one] = lines[one].split('=').rev().collect::<Vec<_>>().join("="),
    }
    lines.join("\n")
}

fn mutant(case: u64) -> (&'static CatalogEntry, String) {
    let mut dice = Dice::new("mutant", case);
    let entries = catalog::all();
    let entry = &entries[dice.below(entries.len())];
    let mut text = entry.text.to_owned();
    let rough = dice.below(2) == 0;
    for _ in 0..dice.number(1, 3) {
        text = if rough { roughly(&mut dice, &text) } else { gently(&mut dice, &text) };
    }
    (entry, text)
}

/// Parses a mutant and plays a second of each of its variants; how many those were.
fn survive(entry: &CatalogEntry, text: &str) -> usize {
    let parsed = ScenarioFile::parse(entry.name, text, &mut |path| entry.read(path));
    let file = match parsed {
        Ok(file) => file,
        Err(problems) => {
            assert!(!problems.to_string().is_empty() && !problems.report().is_empty());
            return 0;
        }
    };
    let scenarios = file.variants().expect("what was parsed has variants");
    scenarios.iter().for_each(play_a_second);
    scenarios.len()
}

fn play_a_second(scenario: &Scenario) {
    let mut world = World::new(scenario, true);
    let end = world.end().min(SimTime::ZERO + Duration::s(1));
    for step in 1..=1_000 {
        let at = (SimTime::ZERO + Duration::ms(step)).min(end);
        world.run_until(at, &[]);
        assert_eq!(world.now(), at);
        assert!(world.events() < MOST_EVENTS, "{} events by {at}", world.events());
    }
    assert_lawful(&world, &mut Past::default());
}

#[test]
fn ten_thousand_mutants_neither_panic_nor_hang() {
    let current = Arc::new(Mutex::new(String::new()));
    let (post, inbox) = mpsc::channel();
    let writes = Arc::clone(&current);
    let work = move || {
        for case in 0..MUTANTS {
            let (entry, text) = mutant(case);
            let shown = format!("mutant {case} of {}:\n{text}", entry.name);
            *writes.lock().expect("nobody panics with it") = shown;
            let played = catch_unwind(AssertUnwindSafe(|| survive(entry, &text)));
            if post.send(played).is_err() {
                return;
            }
        }
    };
    // Not scoped: one that hangs is left behind.
    let worker = std::thread::Builder::new().name("mutants".to_owned()).spawn(work);
    drop(worker.expect("a thread"));
    let (mut alive, mut variants) = (0, 0);
    for _ in 0..MUTANTS {
        let played = inbox.recv_timeout(PATIENCE);
        let shown = || current.lock().expect("nobody panics with it").clone();
        let played = played.unwrap_or_else(|error| panic!("{error}: {}", shown()));
        let played = played.unwrap_or_else(|_| panic!("a panic in {}", shown()));
        alive += u64::from(played > 0);
        variants += played;
    }
    println!("{alive} of {MUTANTS} mutants reached the core, with {variants} variants");
    assert!(alive * 100 >= MUTANTS * 30, "only {alive} of {MUTANTS} mutants reached the core");
    assert!(alive * 100 <= MUTANTS * 90, "{alive} of {MUTANTS}: the parser has nothing to do");
}

/// Positions when they were looked at last.
#[derive(Default)]
struct Past(Vec<(Lsn, Lsn)>);

/// What postgres.md 12 says of servers at any moment, as far as it shows.
fn assert_lawful(world: &World, past: &mut Past) {
    let servers = world.servers();
    past.0.resize(servers.len(), (Lsn::INVALID, Lsn::INVALID));
    let now = world.now();
    let primary = servers.iter().find(|s| !matches!(s.state(), State::Standby(_))).expect("one");
    for (server, past) in servers.iter().zip(&mut past.0) {
        let files = &server.host.files;
        let what = || format!("server {} at {now}: {files:?}", server.id().0);
        assert!(files.flushed <= files.written, "{}", what());
        assert!(files.oldest <= files.newest, "{}", what());
        assert!(files.redo.segment(files.size) >= files.oldest, "{}", what());
        assert!(files.flushed.previous_segment(files.size) <= files.newest, "{}", what());
        assert!(files.flushed >= past.0 && files.redo >= past.1, "{} before {past:?}", what());
        *past = (files.flushed, files.redo);
        match server.state() {
            State::Primary(primary) => {
                assert!(files.written <= primary.wal.insert_lsn(), "{}", what());
            }
            State::Standby(standby) => {
                assert!(standby.replayed_at(now) <= files.flushed, "{}", what());
                assert!(files.written <= primary.host.files.flushed, "{}", what());
            }
            State::Down | State::Recovering { .. } => {}
        }
        assert_standbys_are_known(server, servers, now);
    }
}

/// What a primary believes of its standbys is behind the truth.
fn assert_standbys_are_known(server: &Server, servers: &[Server], now: SimTime) {
    let State::Primary(primary) = server.state() else { return };
    for (index, sender) in primary.senders() {
        let standby = &servers[sender.standby().index()];
        let known = &primary.standbys()[index];
        let truth = &standby.host.files;
        let what = format!("{known:?} of {truth:?} at {now}");
        assert!(sender.sent() <= server.flushed(), "{what}: sent {}", sender.sent());
        // Written is not durable: a crash of the standby's host takes it back.
        assert!(known.flush <= truth.flushed && known.write <= server.flushed(), "{what}");
        assert!(known.apply <= known.flush.max(truth.flushed), "{what}");
    }
    for slot in server.host.slots.iter() {
        let uses = |standby: &&Server| standby.host.primary_slot_name == Some(slot.name);
        let truth = servers.iter().filter(uses).map(Server::flushed).max().unwrap_or(Lsn(u64::MAX));
        assert!(
            slot.restart.is_none_or(|restart| restart <= truth),
            "{slot:?} of {truth} at {now}"
        );
    }
}

/// A scenario that is right in itself: servers, settings, load, and faults before `calm_ms`.
fn any_scenario(dice: &mut Dice, seconds: u64, calm_ms: u64, settings: &[&str]) -> String {
    let mut text =
        format!("duration = '{seconds}s'\nseed = {}\n[postgresql]\n", dice.number(1, 99));
    for (name, values) in SETTINGS.iter().filter(|(name, _)| settings.contains(name)) {
        if dice.below(2) == 0 {
            text += &format!("{name} = '{}'\n", dice.one(values));
        }
    }
    let standbys = dice.number(1, 4);
    let disks = ["nvme", "ssd", "cloud-ssd", "hdd"];
    text += &format!("[server.pg1]\ndisk = '{}'\n", dice.one(&disks));
    for n in 2..2 + standbys {
        let slot = if dice.below(2) == 0 { format!("slot = 's{n}'\n") } else { String::new() };
        let replay = dice.one(&["'1MB/s'", "'20MB/s'", "'200MB/s'"]);
        let disk = dice.one(&disks);
        text += &format!("[server.pg{n}]\nupstream = 'pg1'\ndisk = '{disk}'\n");
        text += &format!("{slot}replay = {replay}\n");
    }
    let rtt = dice.one(&["'100us'", "'5ms'", "{ p50 = '1ms', p99 = '9ms', max = '80ms' }"]);
    let bandwidth = dice.one(&["20Mbit/s", "1Gbit/s", "10Gbit/s"]);
    text += &format!("[network]\nrtt = {rtt}\nbandwidth = '{bandwidth}'\n");
    text += &format!("[workload.open]\nrate = '{}/s'\nwal = '500B'\n", dice.number(1, 2_000));
    if dice.below(2) == 0 {
        let level = dice.one(LEVELS);
        let clients = dice.number(1, 50);
        text += &format!("[workload.closed]\nclients = {clients}\nthink = '10ms'\n");
        text += &format!("wal = '2kB'\nsynchronous_commit = '{level}'\n");
    }
    if dice.below(3) == 0 {
        text += &format!("[workload.bulk]\nbulk = '{}MB'\nat = '1s'\n", dice.number(1, 100));
    }
    for _ in 0..dice.number(0, 6) {
        let begin = dice.number(0, calm_ms);
        let longest = (calm_ms - begin).max(1);
        let lasts = dice.number(1, longest);
        let at = format!("{begin}ms");
        let lasts = match dice.below(8) {
            0 if calm_ms >= seconds * 900 => String::new(),
            _ => format!("for = '{lasts}ms'"),
        };
        text += &any_fault(dice, &servers(&text), &at, &lasts);
    }
    text
}

/// Plays a text with a look at the laws every 50 ms.
fn play_lawfully(text: &str) -> models::trace::Run {
    let scenario = scenes::scenario(text);
    let cast = |_: &std::rc::Rc<control::Hosts>| {
        control::spawn(async {
            let mut past = Past::default();
            loop {
                control::with(|world| assert_lawful(world, &mut past));
                control::sleep(Duration::ms(50)).await;
            }
        });
    };
    let outside = Outside::default();
    let finish = |played: control::Played| played.world.finish(&scenario);
    let run = control::play(&scenario, Options::default(), &outside, cast, finish);
    let run = run.unwrap_or_else(|error| panic!("{error}\n{text}"));
    let sane = catch_unwind(AssertUnwindSafe(|| scenes::assert_sane(&run)));
    assert!(sane.is_ok(), "{text}");
    run
}

#[test]
fn three_hundred_random_scenarios_keep_the_laws_at_every_look() {
    // What is not built yet is refused.
    let names = SETTINGS.iter().map(|(name, _)| *name);
    let all: Vec<&str> = names.filter(|&name| name != "fsync").collect();
    for case in 0..300 {
        let text = any_scenario(&mut Dice::new("scenario", case), 20, 20_000 - 1, &all);
        play_lawfully(&text);
    }
}

#[test]
fn after_a_hundred_random_storms_everybody_has_caught_up() {
    let harmless = [
        "synchronous_commit",
        "commit_delay",
        "commit_siblings",
        "wal_writer_delay",
        "wal_writer_flush_after",
        "wal_receiver_status_interval",
        "wal_retrieve_retry_interval",
        "checkpoint_timeout",
        "full_page_writes",
    ];
    for case in 0..100 {
        let mut dice = Dice::new("storm", case);
        let text = any_scenario(&mut dice, 150, 30_000, &harmless);
        let text = text.replace("[postgresql]\n", "[postgresql]\nwal_keep_size = '100GB'\n");
        // Everybody is fast enough for the load.
        let text = text.replace("20Mbit/s", "1Gbit/s").replace("'1MB/s'", "'50MB/s'");
        let text = text.replace("'2kB'", "'500B'");
        let run = play_lawfully(&text);
        for standby in &run.summary.standbys {
            assert!(standby.connected && !standby.lost, "case {case}: {standby:?}\n{text}");
            assert!(standby.lag_bytes.end < 2 << 20, "case {case}: {standby:?}\n{text}");
        }
    }
}
