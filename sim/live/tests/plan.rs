//! A real server agrees with a plan: what a standby that is away needs to be kept is kept, and one
//! segment less is lost.
//!
//! Outages of three lengths are predicted before they happen: Walden plays the writes and the
//! checkpoints that are meant to come, with all WAL kept, and says how large `wal_keep_size` has to
//! be (`standbys[].wal_needed_bytes`), or for a standby with a slot `max_slot_wal_keep_size`
//! (`slots[].wal_needed_bytes`). Then a pair of real servers goes through the outage with that
//! value, and another pair with one segment less. The first standby has to come back, the second
//! has to be lost; and Walden, which then plays what was seen with the value in force, has to say
//! so of either.
//!
//! **Not compared.** Positions: real servers insert records of their own accord. Writes end in the
//! middle of a segment, so that these decide nothing.

#![expect(clippy::disallowed_methods, reason = "real servers live in real time")]

mod common;

use std::fmt::Write;
use std::thread;
use std::time::Duration;

use live::{Error, Server};
use models::postgres::PgVersion;
use models::trace::Run;
use models::units::{Lsn, SegmentSize, TimelineId, WalSegment};
use scenarios::file::ScenarioFile;
use sim::{Options, Outside};

use common::{Room, installation, room};

const SEGMENT_MB: u64 = 1;
const SEGMENT: u64 = SEGMENT_MB << 20;
/// Seconds of simulated time from one step to the next: everything has settled long before.
const APART: usize = 60;

/// Segments that are written before each checkpoint of an outage, and after the last one.
const OUTAGES: [(&[u64], u64); 3] = [(&[2], 1), (&[3, 3, 4], 2), (&[5, 5, 5, 5, 5, 5], 3)];

/// What keeps the WAL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    WalKeepSize,
    MaxSlotWalKeepSize,
}

impl Keep {
    /// Settings; `None`: all WAL is kept.
    fn settings(self, megabytes: Option<u64>) -> String {
        let value = match (self, megabytes) {
            (_, Some(megabytes)) => format!("'{megabytes}MB'"),
            (Keep::WalKeepSize, None) => "'1TB'".to_owned(),
            (Keep::MaxSlotWalKeepSize, None) => "-1".to_owned(),
        };
        let name = match self {
            Keep::WalKeepSize => "wal_keep_size",
            Keep::MaxSlotWalKeepSize => "max_slot_wal_keep_size",
        };
        format!(
            "checkpoint_timeout = '1h'\nmax_wal_size = '512MB'\nmin_wal_size = '2MB'\n\
             wal_retrieve_retry_interval = '100ms'\nautovacuum = 'off'\n{name} = {value}\n"
        )
    }

    fn slot(self) -> Option<&'static str> {
        (self == Keep::MaxSlotWalKeepSize).then_some("s1")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    /// About up to here.
    WriteTo(Lsn),
    Checkpoint,
    StopStandby,
    StartStandby,
}

impl Deed {
    fn keys(self) -> String {
        match self {
            Deed::WriteTo(lsn) => format!("kind = 'write_to'\nlsn = '{lsn}'"),
            Deed::Checkpoint => "kind = 'checkpoint'".to_owned(),
            Deed::StopStandby => "kind = 'stop'\nserver = 'pg2'".to_owned(),
            Deed::StartStandby => "kind = 'start'\nserver = 'pg2'".to_owned(),
        }
    }
}

/// What is to happen from a position on.
fn deeds(from: Lsn, outage: (&[u64], u64)) -> Vec<Deed> {
    let mut segment = from.0 / SEGMENT + 1;
    let mut write = |segments: u64| {
        segment += segments;
        Deed::WriteTo(Lsn(segment * SEGMENT + SEGMENT / 2))
    };
    let (rounds, rest) = outage;
    let mut deeds = vec![write(1), Deed::Checkpoint, write(1), Deed::StopStandby];
    for segments in rounds {
        deeds.extend([write(*segments), Deed::Checkpoint]);
    }
    deeds.extend([write(rest), Deed::StartStandby]);
    deeds
}

/// Where a primary is, and which files it has.
#[derive(Clone, Debug)]
struct Start {
    insert: Lsn,
    files: Vec<String>,
}

fn insert(server: &Server) -> Result<Lsn, Error> {
    let printed = server.query("SELECT pg_current_wal_insert_lsn()")?;
    Ok(printed.parse().unwrap_or_else(|_| panic!("{printed} is not a position")))
}

/// Walden's file of the deeds; `seen` has where the insert position was before and after each.
fn scenario(
    version: PgVersion,
    keep: Keep,
    megabytes: Option<u64>,
    start: &Start,
    deeds: &[Deed],
    seen: &[(Lsn, Lsn)],
) -> String {
    let size = SegmentSize::new(SEGMENT).expect("a power of two");
    let number = start.insert.segment(size);
    let own = WalSegment { timeline: TimelineId(1), number, size }.to_string();
    let before = start.files.iter().filter(|file| **file < own).count();
    let after = start.files.iter().filter(|file| **file > own).count();
    let slot = keep.slot().map_or(String::new(), |slot| format!("slot = '{slot}'\n"));
    let mut text = format!(
        "pg_version = {version}\nduration = '{}s'\n[start]\nlsn = '{}'\nfiles_before = {before}\n\
         files_after = {after}\n[postgresql]\nwal_segment_size = '{SEGMENT_MB}MB'\n{}\
         [server.pg1]\n[server.pg2]\nupstream = 'pg1'\n{slot}",
        APART * (deeds.len() + 2),
        start.insert,
        keep.settings(megabytes),
    );
    let mut action = |name: &str, n: usize, at: usize, deed: Deed| {
        write!(text, "[action.{name}{n}]\nat = '{at}s'\n{}\n", deed.keys()).expect("a string");
    };
    for (n, deed) in deeds.iter().enumerate() {
        let at = APART * (n + 1);
        match seen.get(n) {
            None => action("deed", n, at, *deed),
            Some((before, after)) => {
                // Records that the real server inserted of its own accord, before and after.
                action("before", n, at - 5, Deed::WriteTo(*before));
                if !matches!(deed, Deed::WriteTo(_)) {
                    action("deed", n, at, *deed);
                }
                action("rest", n, at + 40, Deed::WriteTo(*after));
            }
        }
    }
    text
}

fn play(text: &str) -> Run {
    let file = ScenarioFile::parse("live", text, &mut |f| Err(f.to_owned()));
    let file = file.unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    let scenario = file.variants().unwrap_or_else(|p| panic!("{p}\n{text}")).remove(0);
    sim::run(&scenario, Options::default(), &Outside::default()).expect("a run")
}

/// The smallest setting that keeps the standby, in MB.
fn needed(keep: Keep, run: &Run) -> u64 {
    let bytes = match keep {
        Keep::WalKeepSize => run.summary.standbys[0].wal_needed_bytes,
        Keep::MaxSlotWalKeepSize => run.summary.slots[0].wal_needed_bytes,
    };
    bytes >> 20
}

fn is_lost(keep: Keep, run: &Run) -> bool {
    match keep {
        Keep::WalKeepSize => run.summary.standbys[0].lost,
        Keep::MaxSlotWalKeepSize => run.summary.slots[0].wal_status == Some("lost"),
    }
}

/// A primary and its standby, streaming.
struct Pair {
    primary: Server,
    standby: Server,
    keep: Keep,
}

impl Pair {
    fn start(template: &Server, folder: &Room, name: &str, keep: Keep) -> Result<Pair, Error> {
        let mut primary = template.copy(&folder.join(&format!("{name}-pg1")))?;
        let mut standby = template.copy(&folder.join(&format!("{name}-pg2")))?;
        primary.configure(&keep.settings(None))?;
        standby.configure(&keep.settings(None))?;
        standby.follow(primary.port(), "pg2", keep.slot())?;
        primary.start()?;
        if let Some(slot) = keep.slot() {
            let make = format!("SELECT pg_create_physical_replication_slot('{slot}', true)");
            primary.query(&make)?;
        }
        standby.start()?;
        let pair = Pair { primary, standby, keep };
        assert!(!pair.waits_for_the_standby()?, "it streams: {}", pair.both_logs());
        Ok(pair)
    }

    fn both_logs(&self) -> String {
        format!("primary:\n{}\nstandby:\n{}", self.primary.log(), self.standby.log())
    }

    /// From now on so much is kept.
    fn keep(&self, megabytes: u64) -> Result<(), Error> {
        self.primary.configure(&self.keep.settings(Some(megabytes)))?;
        self.primary.query("SELECT pg_reload_conf()").map(|_| ())
    }

    fn look(&self) -> Result<Start, Error> {
        let files = self.primary.query(
            "SELECT string_agg(name, ' ' ORDER BY name) FROM pg_ls_waldir()
              WHERE name ~ '^[0-9A-F]{24}$'",
        )?;
        let files = files.split_whitespace().map(str::to_owned).collect();
        Ok(Start { insert: insert(&self.primary)?, files })
    }

    fn act(&mut self, deed: Deed) -> Result<(), Error> {
        match deed {
            Deed::WriteTo(target) => {
                let bytes = target.since(insert(&self.primary)?).0;
                // Headers of pages and of segments, of the message and its commit.
                let room = bytes / 8_192 * 24 + bytes / SEGMENT * 16 + 256;
                let message = bytes.saturating_sub(room);
                let emit = format!("pg_logical_emit_message(true, 'w', repeat('x', {message}))");
                self.primary.query(&format!("SELECT {emit}")).map(|_| ())
            }
            Deed::Checkpoint => self.primary.query("CHECKPOINT").map(|_| ()),
            Deed::StopStandby => self.standby.stop(),
            Deed::StartStandby => self.standby.start(),
        }
    }

    /// Waits until the standby has all there is, or is told that it is gone; whether it is.
    fn waits_for_the_standby(&self) -> Result<bool, Error> {
        let caught_up = "SELECT count(*) FROM pg_stat_replication
            WHERE state = 'streaming' AND flush_lsn = pg_current_wal_lsn()";
        let lost_slot = "SELECT count(*) FROM pg_replication_slots WHERE wal_status = 'lost'";
        for _ in 0..300 {
            if self.primary.query(caught_up)? == "1" {
                return Ok(false);
            }
            let gone = match self.keep {
                Keep::WalKeepSize => self.standby.log().contains("has already been removed"),
                Keep::MaxSlotWalKeepSize => self.primary.query(lost_slot)? == "1",
            };
            if gone {
                return Ok(true);
            }
            thread::sleep(Duration::from_millis(60));
        }
        panic!("neither kept nor lost:\n{}", self.both_logs());
    }
}

/// A value that was tried.
struct Tried {
    keep: Keep,
    megabytes: u64,
    needed: u64,
    lost: bool,
}

/// One outage with `less` segments less than are needed: what came of it.
fn outage(
    template: &Server,
    folder: &Room,
    version: PgVersion,
    keep: Keep,
    n: usize,
    less: u64,
) -> Result<Tried, Error> {
    let mut pair = Pair::start(template, folder, &format!("{keep:?}-{n}-{less}"), keep)?;
    let start = pair.look()?;
    let deeds = deeds(start.insert, OUTAGES[n]);
    let needed = needed(keep, &play(&scenario(version, keep, None, &start, &deeds, &[])));
    let megabytes = needed - less * SEGMENT_MB;
    pair.keep(megabytes)?;
    let mut seen = Vec::with_capacity(deeds.len());
    for deed in &deeds {
        let before = insert(&pair.primary)?;
        pair.act(*deed)?;
        seen.push((before, insert(&pair.primary)?));
        if !deeds[..seen.len()].contains(&Deed::StopStandby) {
            // It leaves with all there is.
            pair.waits_for_the_standby()?;
        }
    }
    let lost = pair.waits_for_the_standby()?;
    let text = scenario(version, keep, Some(megabytes), &start, &deeds, &seen);
    let ours = is_lost(keep, &play(&text));
    let name = format!("{keep:?} = {megabytes}MB, outage {n}, {needed}MB predicted");
    let logs = || format!("{text}\n{deeds:?}\n{seen:?}\n{}", pair.both_logs());
    assert_eq!(lost, less > 0, "{name}: the real standby is lost: {lost}\n{}", logs());
    assert_eq!(ours, lost, "{name}: with what was seen, lost in Walden: {ours}\n{}", logs());
    println!("{name}: {}", if lost { "lost" } else { "kept" });
    pair.standby.stop()?;
    pair.primary.stop()?;
    Ok(Tried { keep, megabytes, needed, lost })
}

/// Every outage on both sides of its edge.
fn outages(template: &Server, folder: &Room, version: PgVersion, keep: Keep) -> Vec<Tried> {
    let both = |n| [(n, 0), (n, 1)];
    (0..OUTAGES.len())
        .flat_map(both)
        .map(|(n, less)| {
            let tried = outage(template, folder, version, keep, n, less);
            tried.unwrap_or_else(|error| panic!("{error}"))
        })
        .collect()
}

#[test]
fn what_a_plan_calls_enough_is_enough_and_one_segment_less_is_not() {
    let installation = installation();
    let folder = room("plan");
    let template = || -> Result<Server, Error> {
        let megabytes = u32::try_from(SEGMENT_MB).expect("small");
        let server = Server::create(&installation, &folder.join("template"), megabytes)?;
        // initdb's own limits are for segments of another size.
        server.configure("max_wal_size = '512MB'\nmin_wal_size = '2MB'\nautovacuum = off\n")?;
        Ok(server)
    };
    let template = template().unwrap_or_else(|error| panic!("{error}"));
    let version = installation.version;
    // Two at once: servers mostly wait.
    let tried: Vec<Tried> = thread::scope(|scope| {
        let kinds = [Keep::WalKeepSize, Keep::MaxSlotWalKeepSize];
        let both = kinds.map(|keep| {
            let (template, folder) = (&template, &folder);
            scope.spawn(move || outages(template, folder, version, keep))
        });
        both.into_iter().flat_map(|half| half.join().expect("it told why")).collect()
    });
    let count = |keep, lost| tried.iter().filter(|t| t.keep == keep && t.lost == lost).count();
    for keep in [Keep::WalKeepSize, Keep::MaxSlotWalKeepSize] {
        assert_eq!((count(keep, false), count(keep, true)), (OUTAGES.len(), OUTAGES.len()));
    }
    // The lengths are really different ones.
    let mut needed: Vec<u64> = tried.iter().map(|t| t.needed).collect();
    needed.sort_unstable();
    assert!(needed[0] * 5 < needed[needed.len() - 1], "{needed:?}");
    assert!(tried.iter().all(|t| t.megabytes >= SEGMENT_MB), "a value is none at all");
}
