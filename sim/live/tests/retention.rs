//! Random sequences of what an operator does to a primary and a standby with a slot, on real
//! servers and in Walden: after each step both have to show the same slots and the same files.
//!
//! A sequence is drawn from a seed: WAL is written, segments are switched, checkpoints are made,
//! the slot is dropped and made again, the connection is reset, the standby stops and starts, the
//! primary restarts. The real servers go first. What they insert of their own accord (the bgwriter's
//! records, the headers of a message) is not for Walden to guess: it writes up to the positions
//! that were seen, and has to find all else by itself.
//!
//! Equal have to be, when nothing moves any more: the insert and write positions, redo and the
//! checkpoint's own position, every file of pg_wal, each slot's `active`, `restart_lsn`,
//! `wal_status` and the position at which `safe_wal_size` is zero, and the state of each stream.
//!
//! **Not compared.** Redo and the checkpoint up to the first one: a run begins with its own.
//!
//! `WALDEN_LIVE_SEED` chooses the first seed, `WALDEN_LIVE_SEQUENCES` how many there are.

#![expect(clippy::disallowed_methods, reason = "real servers live in real time")]

mod common;

use std::thread;
use std::time::Duration;

use live::divergences::Tally;
use live::{Error, Installation, Proxy, Server};
use models::postgres::PgVersion;
use models::postgres::views::{ReplicationSlot, Rows};
use models::trace::Run;
use models::units::{Die, Lsn, SegmentSize, TimelineId, WalSegment};
use scenarios::file::ScenarioFile;
use sim::{Options, Outside};

use common::{Room, Throws, installation, number, room, seed};

const SEGMENT_MB: u32 = 1;
/// Seconds of simulated time from one step to the next: everything has settled long before.
const APART: usize = 60;
const STEPS: usize = 8;

/// What is done in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Write { kilobytes: usize },
    Switch,
    Checkpoint,
    SlotDrop,
    SlotCreate,
    Reset,
    StopStandby,
    StartStandby,
    RestartPrimary,
}

impl Deed {
    fn draw(die: &mut Die, standby_runs: bool) -> Deed {
        match die.below(14) {
            0..4 => Deed::Write { kilobytes: 64 + die.below(5_000) },
            4 => Deed::Switch,
            5..8 => Deed::Checkpoint,
            8 => Deed::SlotDrop,
            9 => Deed::SlotCreate,
            10 if standby_runs => Deed::Reset,
            11 => Deed::RestartPrimary,
            _ if standby_runs => Deed::StopStandby,
            _ => Deed::StartStandby,
        }
    }

    /// The same in Walden's file; `insert` is where a write led.
    fn keys(self, insert: Lsn) -> String {
        match self {
            Deed::Write { .. } => format!("kind = 'write_to'\nlsn = '{insert}'"),
            Deed::Switch => "kind = 'switch_wal'".to_owned(),
            Deed::Checkpoint => "kind = 'checkpoint'".to_owned(),
            Deed::SlotDrop => "kind = 'slot_drop'\nslot = 's1'".to_owned(),
            Deed::SlotCreate => "kind = 'slot_create'\nslot = 's1'\nreserve = true".to_owned(),
            Deed::Reset => "kind = 'link_reset'\nbetween = ['pg1', 'pg2']".to_owned(),
            Deed::StopStandby => "kind = 'stop'\nserver = 'pg2'".to_owned(),
            Deed::StartStandby => "kind = 'start'\nserver = 'pg2'".to_owned(),
            Deed::RestartPrimary => "kind = 'restart'\nserver = 'pg1'".to_owned(),
        }
    }
}

/// What both show.
#[derive(Clone, Debug, PartialEq)]
struct Look {
    insert: Lsn,
    write: Lsn,
    redo: Lsn,
    checkpoint: Lsn,
    files: Vec<String>,
    slots: Vec<Slot>,
    /// State, `flush_lsn` and `replay_lsn` of each stream.
    streams: Vec<(String, Lsn, Lsn)>,
}

#[derive(Clone, Debug, PartialEq)]
struct Slot {
    active: bool,
    restart: Option<Lsn>,
    wal_status: Option<String>,
    /// The write position less this is `safe_wal_size`.
    safe_until: Option<i64>,
}

const LOOK: &str = "
    SELECT pg_current_wal_insert_lsn(), pg_current_wal_lsn(), redo_lsn, checkpoint_lsn
      FROM pg_control_checkpoint();
    SELECT string_agg(name, ' ' ORDER BY name) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$';
    SELECT coalesce(string_agg(concat_ws(' ', active, coalesce(restart_lsn::text, '-'),
           coalesce(wal_status, '-'), coalesce(safe_wal_size::text, '-')), ','), '')
      FROM pg_replication_slots;
    SELECT coalesce(string_agg(concat_ws(' ', state, coalesce(flush_lsn, '0/0'),
           coalesce(replay_lsn, '0/0')), ','), '') FROM pg_stat_replication";

fn lsn(text: &str) -> Lsn {
    text.parse().unwrap_or_else(|_| panic!("{text} is not a position"))
}

impl Look {
    fn at(server: &Server) -> Result<Look, Error> {
        let printed = server.query(LOOK)?;
        let lines: Vec<&str> = printed.split('\n').collect();
        let [positions, files, rest @ ..] = &lines[..] else { panic!("four rows, not {printed}") };
        let positions: Vec<Lsn> = positions.split('|').map(lsn).collect();
        let [insert, write, redo, checkpoint] = positions[..] else { panic!("{printed}") };
        let list = |n: usize| {
            let text: &str = rest.get(n).copied().unwrap_or_default();
            text.split(',').filter(|row| !row.is_empty()).map(str::to_owned).collect::<Vec<_>>()
        };
        let slot = |row: &String| {
            let fields: Vec<&str> = row.split(' ').collect();
            let known = |n: usize| (fields[n] != "-").then_some(fields[n]);
            let size = known(3).map(|size| size.parse::<i64>().expect("a size"));
            Slot {
                active: fields[0] == "t",
                restart: known(1).map(lsn),
                wal_status: known(2).map(str::to_owned),
                safe_until: size.map(|size| size + i64::try_from(write.0).expect("small")),
            }
        };
        let stream = |row: &String| {
            let fields: Vec<&str> = row.split(' ').collect();
            (fields[0].to_owned(), lsn(fields[1]), lsn(fields[2]))
        };
        Ok(Look {
            insert,
            write,
            redo,
            checkpoint,
            files: files.split(' ').map(str::to_owned).collect(),
            slots: list(0).iter().map(slot).collect(),
            streams: list(1).iter().map(stream).collect(),
        })
    }

    /// Walden's `n`-th.
    fn of(run: &Run, n: usize) -> Look {
        let mut all = run.observations.iter().map(|look| &look.rows).skip(n * VIEWS.len());
        let mut look = Look {
            insert: Lsn::INVALID,
            write: Lsn::INVALID,
            redo: Lsn::INVALID,
            checkpoint: Lsn::INVALID,
            files: Vec::new(),
            slots: Vec::new(),
            streams: Vec::new(),
        };
        for rows in all.by_ref().take(VIEWS.len()) {
            match rows {
                Rows::WalLsn(rows) => {
                    (look.insert, look.write) = (
                        rows[0].insert_lsn.unwrap_or_default(),
                        rows[0].write_lsn.unwrap_or_default(),
                    );
                }
                Rows::ControlCheckpoint(rows) => {
                    (look.redo, look.checkpoint) = (rows[0].redo_lsn, rows[0].checkpoint_lsn);
                }
                Rows::LsWaldir(rows) => {
                    look.files = rows.iter().map(|file| file.name.to_string()).collect();
                }
                Rows::ReplicationSlots(rows) => {
                    look.slots = rows.iter().map(|row| Slot::of(row, look.write)).collect();
                }
                Rows::StatReplication(rows) => {
                    let position = |at: Option<Lsn>| at.unwrap_or_default();
                    look.streams = rows
                        .iter()
                        .map(|row| {
                            let (flush, replay) = (row.flush_lsn, row.replay_lsn);
                            (row.state.to_owned(), position(flush), position(replay))
                        })
                        .collect();
                }
                Rows::StatActivity(_) => {}
            }
        }
        look
    }

    /// Whether every stream has all there is.
    fn is_caught_up(&self) -> bool {
        self.streams.iter().all(|(state, flush, replay)| {
            state == "streaming" && *flush == self.write && *replay == self.write
        })
    }
}

impl Slot {
    fn of(row: &ReplicationSlot, write: Lsn) -> Slot {
        let write = i64::try_from(write.0).expect("small");
        Slot {
            active: row.active,
            restart: row.restart_lsn,
            wal_status: row.wal_status.map(|status| status.name().to_owned()),
            safe_until: row.safe_wal_size.map(|size| size + write),
        }
    }
}

/// In the order in which [`Look::of`] reads them.
const VIEWS: [&str; 5] = [
    "pg_current_wal_lsn",
    "pg_control_checkpoint",
    "pg_ls_waldir",
    "pg_replication_slots",
    "pg_stat_replication",
];

/// A primary and a standby that uses its slot, through a proxy.
struct Pair {
    primary: Server,
    standby: Server,
    way: Proxy,
    standby_runs: bool,
}

impl Pair {
    /// Both from stopped servers, with settings of their own, streaming.
    fn start(template: &Server, folder: &Room, name: &str, settings: &str) -> Result<Pair, Error> {
        let mut primary = template.copy(&folder.join(&format!("{name}-pg1")))?;
        let mut standby = template.copy(&folder.join(&format!("{name}-pg2")))?;
        let way = Proxy::before(primary.port())?;
        primary.configure(settings)?;
        standby.configure(settings)?;
        standby.follow(way.port(), "pg2", Some("s1"))?;
        primary.start()?;
        standby.start()?;
        Ok(Pair { primary, standby, way, standby_runs: true })
    }

    fn act(&mut self, deed: Deed) -> Result<(), Error> {
        let ask = |sql: &str| self.primary.query(sql).map(|_| ());
        match deed {
            Deed::Write { kilobytes } => ask(&format!(
                "SELECT pg_logical_emit_message(true, 'w', repeat('x', {} * 1024))",
                kilobytes
            )),
            Deed::Switch => ask("SELECT pg_switch_wal()"),
            Deed::Checkpoint => ask("CHECKPOINT"),
            // Both may be refused, and so they are by Walden.
            Deed::SlotDrop => {
                let _ = ask("SELECT pg_drop_replication_slot('s1')");
                Ok(())
            }
            Deed::SlotCreate => {
                let _ = ask("SELECT pg_create_physical_replication_slot('s1', true)");
                Ok(())
            }
            Deed::Reset => {
                self.way.reset();
                Ok(())
            }
            Deed::StopStandby => {
                self.standby_runs = false;
                self.standby.stop()
            }
            Deed::StartStandby => {
                self.standby_runs = true;
                self.standby.start()
            }
            Deed::RestartPrimary => {
                self.primary.stop()?;
                self.primary.start()
            }
        }
    }

    /// Looks until nothing has moved for half a second; at most 20 s.
    fn settled(&self) -> Result<Look, Error> {
        let mut look = Look::at(&self.primary)?;
        let mut quiet = 0;
        for _ in 0..300 {
            thread::sleep(Duration::from_millis(60));
            let next = Look::at(&self.primary)?;
            quiet = if next == look { quiet + 1 } else { 0 };
            look = next;
            if quiet >= 7 && look.is_caught_up() {
                break;
            }
        }
        Ok(look)
    }
}

/// A step that was done: where the insert position was before it, and what was seen after.
struct Done {
    deed: Deed,
    before: Lsn,
    after: Look,
}

/// Plays the steps on real servers: the first look, and the steps.
fn real(die: &mut Die, pair: &mut Pair) -> Result<(Look, Vec<Done>), Error> {
    let first = pair.settled()?;
    let mut steps = Vec::with_capacity(STEPS);
    for _ in 0..STEPS {
        let deed = Deed::draw(die, pair.standby_runs);
        let before = lsn(&pair.primary.query("SELECT pg_current_wal_insert_lsn()")?);
        pair.act(deed)?;
        steps.push(Done { deed, before, after: pair.settled()? });
    }
    Ok((first, steps))
}

/// The file that plays the same.
fn scenario(version: PgVersion, settings: &str, first: &Look, steps: &[Done]) -> String {
    let size = SegmentSize::new(u64::from(SEGMENT_MB) << 20).expect("a power of two");
    let number = first.insert.segment(size);
    let own = WalSegment { timeline: TimelineId(1), number, size }.to_string();
    let before = first.files.iter().filter(|file| **file < own).count();
    let after = first.files.iter().filter(|file| **file > own).count();
    let mut text = format!(
        "pg_version = {version}\nduration = '{}s'\n[start]\nlsn = '{}'\nfiles_before = {before}\n\
         files_after = {after}\n[postgresql]\nwal_segment_size = '{SEGMENT_MB}MB'\n{settings}\
         [server.pg1]\n[server.pg2]\nupstream = 'pg1'\nslot = 's1'\n",
        APART * (steps.len() + 2),
        first.insert,
    );
    let views = VIEWS.map(|view| format!("'{view}'")).join(", ");
    for (n, Done { deed, before, after }) in steps.iter().enumerate() {
        let at = APART * (n + 1);
        let mut action = |name: &str, at: usize, keys: &str| {
            let table = if keys.contains("link_reset") { "fault" } else { "action" };
            text += &format!("[{table}.{name}{n}]\nat = '{at}s'\n{keys}\n");
        };
        // Records that the real server inserted of its own accord, before and after.
        action("before", at - 5, &format!("kind = 'write_to'\nlsn = '{before}'"));
        action("deed", at, &deed.keys(after.insert));
        action("rest", at + 40, &format!("kind = 'write_to'\nlsn = '{}'", after.insert));
        action("look", at + 50, &format!("kind = 'observe'\nviews = [{views}]"));
    }
    text
}

fn play(text: &str) -> Run {
    let file = ScenarioFile::parse("live", text, &mut |f| Err(f.to_owned()));
    let file = file.unwrap_or_else(|problems| panic!("{problems:?}\n{text}"));
    let scenario = file.variants().unwrap_or_else(|p| panic!("{p:?}\n{text}")).remove(0);
    sim::run(&scenario, Options::default(), &Outside::default()).expect("a run")
}

/// Settings that decide what stays.
fn settings(die: &mut Die) -> String {
    let keep = ["0", "2MB", "5MB", "12MB"][die.below(4)];
    let cap = ["-1", "-1", "1MB", "4MB", "9MB"][die.below(5)];
    let least = ["2MB", "5MB", "20MB"][die.below(3)];
    format!(
        "checkpoint_timeout = '1h'\nmax_wal_size = '512MB'\nmin_wal_size = '{least}'\n\
         wal_keep_size = '{keep}'\nmax_slot_wal_keep_size = '{cap}'\n\
         wal_retrieve_retry_interval = '100ms'\nautovacuum = 'off'\n"
    )
}

fn sequence(template: &Server, folder: &Room, version: PgVersion, seed: u64) -> Tally {
    let mut die = Die::new(seed, "live", "retention");
    let settings = settings(&mut die);
    let mut pair = Pair::start(template, folder, &format!("{seed}"), &settings)
        .unwrap_or_else(|error| panic!("{error}"));
    let (first, steps) = real(&mut die, &mut pair).unwrap_or_else(|error| {
        panic!("seed {seed}: {error}\n{}\n{}", pair.primary.log(), pair.standby.log())
    });
    let text = scenario(version, &settings, &first, &steps);
    let run = play(&text);
    let mut tally = Tally::default();
    let mut checkpoints = false;
    let mut done = String::new();
    for (n, Done { deed, after, .. }) in steps.iter().enumerate() {
        done += &format!("{deed:?} ");
        let ours = Look::of(&run, n);
        let what = |what: &str| format!("seed {seed}, {what} after {done}");
        checkpoints |= matches!(deed, Deed::Checkpoint | Deed::RestartPrimary);
        tally.compare(&what("insert"), None, &after.insert, &ours.insert);
        tally.compare(&what("write"), None, &after.write, &ours.write);
        if checkpoints {
            tally.compare(&what("redo"), None, &after.redo, &ours.redo);
            tally.compare(&what("checkpoint"), None, &after.checkpoint, &ours.checkpoint);
        }
        tally.compare(&what("files"), None, &after.files, &ours.files);
        tally.compare(&what("slots"), None, &after.slots, &ours.slots);
        tally.compare(&what("streams"), None, &after.streams, &ours.streams);
    }
    tally
}

/// Servers that are down in order, one of them to be copied twice: with the slot in it.
fn template(installation: &Installation, folder: &Room) -> Result<Server, Error> {
    let mut server = Server::create(installation, &folder.join("template"), SEGMENT_MB)?;
    // initdb's own limits are for segments of another size.
    server.configure("max_wal_size = '512MB'\nmin_wal_size = '2MB'\nautovacuum = off\n")?;
    server.start()?;
    server.query("SELECT pg_create_physical_replication_slot('s1', true)")?;
    server.stop()?;
    Ok(server)
}

#[test]
fn what_stays_and_what_goes_is_the_same_after_every_step() {
    let installation = installation();
    let folder = room("retention");
    let template = template(&installation, &folder).unwrap_or_else(|error| panic!("{error}"));
    let (first, count) = (seed(), number("WALDEN_LIVE_SEQUENCES", 50));
    let version = installation.version;
    // Two at once: servers mostly wait.
    let tallies = thread::scope(|scope| {
        let halves: Vec<_> = (0..2)
            .map(|half| {
                let (template, folder) = (&template, &folder);
                scope.spawn(move || {
                    let seeds = (first..first + count).filter(|seed| seed % 2 == half);
                    let one = |seed| sequence(template, folder, version, seed);
                    seeds.map(one).collect::<Vec<Tally>>()
                })
            })
            .collect();
        let joined = halves.into_iter().map(|half| half.join());
        joined.flat_map(|tallies| tallies.expect("it told why")).collect::<Vec<Tally>>()
    });
    let sum = tallies.into_iter().fold(Tally::default(), Tally::and);
    sum.holds(usize::try_from(count).expect("few") * STEPS * 5, &[]);
}
