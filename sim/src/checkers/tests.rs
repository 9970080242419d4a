//! Each law is broken once: a world is played, and then does what a wrong model would do.

use models::postgres::command::{Command, SlotName};
use models::postgres::effect::Out;
use models::postgres::protocol::{Body, Message};
use models::postgres::server::Server;
use models::postgres::slot::Invalidation;
use models::postgres::wal::Wal;
use models::trace::fact::{CheckpointCause, Obsolete, Scope, ServerId, What};
use models::trace::law::{Law, Violation};
use models::units::{Bytes, Duration, Lsn, SimTime};
use scenarios::ScenarioFile;

use super::Checks;
use crate::world::{Action, World};

const PG1: ServerId = ServerId(0);
const PG2: ServerId = ServerId(1);
const PG3: ServerId = ServerId(2);
const MB: u64 = 1 << 20;

/// Three servers, and commits at a rate that keeps flushes and links busy.
fn world(settings: &str) -> World {
    let text = format!(
        "duration = '20s'\npg_version = 17\n[postgresql]\n{settings}\n\
         [server.pg1]\ndisk = 'hdd'\n[server.pg2]\nupstream = 'pg1'\nslot = 's2'\n\
         [server.pg3]\nupstream = 'pg1'\n[workload.w]\nrate = '3000/s'\nwal = '2kB'\n"
    );
    let mut nothing = |_: &str| Err("no such file".to_owned());
    let file = ScenarioFile::parse("test", &text, &mut nothing);
    let file = file.unwrap_or_else(|problems| panic!("{problems}"));
    let scenario = file.variants().expect("it was read").swap_remove(0);
    let mut world = World::new(&scenario, true);
    world.check_laws(Checks::Moments);
    world
}

fn play(world: &mut World, duration: Duration) {
    let until = world.now() + duration;
    world.run_until(until, &[]);
}

/// What was found after another 10 ms.
fn found(mut world: World) -> Vec<Violation> {
    play(&mut world, Duration::ms(10));
    let violations = world.take_violations().expect("it was checked");
    violations.iter().cloned().collect()
}

/// Asserts that the law is among those that were broken, and gives what was found first.
fn assert_broken(world: World, law: Law) -> String {
    let at = world.now();
    let all = found(world);
    let first = all.iter().find(|violation| violation.law == law);
    let first = first.unwrap_or_else(|| panic!("{} held: {all:?}", law.name()));
    assert!(first.at >= SimTime(at.0.saturating_sub(Duration::s(1).0)), "{first:?}");
    first.found.clone()
}

fn insert_lsn(server: &Server) -> Lsn {
    server.primary().expect("a primary").wal.insert_lsn()
}

/// pg3 seems to say that it has everything up to `upto`.
fn forge_reply(world: &mut World, upto: Lsn) {
    let connection = world.servers()[PG3.index()].stream().expect("it streams");
    let body = Body::StatusUpdate { write: upto, flush: upto, apply: upto, reply_requested: false };
    world.tamper(PG1.index(), |pg1, now, out| {
        pg1.receive(now, now, PG3, &Message { connection, body }, out);
    });
}

/// A checkpoint ends that removes so many files.
fn remove(pg1: &mut Server, files: u32, out: &mut Out) {
    let redo = pg1.host.files.redo;
    pg1.host.files.oldest += u64::from(files);
    out.fact(What::CheckpointStarted { cause: CheckpointCause::TIME, redo });
    out.fact(What::CheckpointFiles {
        buffers: 0,
        shared_buffers: 16_384,
        write: Duration::ZERO,
        estimate: Bytes(0),
        added: 0,
        removed: files,
        recycled: 0,
    });
    let end = pg1.host.files.flushed;
    out.fact(What::CheckpointDone { redo, end, distance: Bytes(0), took: Duration::ZERO });
}

#[test]
fn a_world_that_nobody_breaks_keeps_all_laws() {
    for names in ["", "pg2, pg3", "FIRST 2 (pg2, pg3)", "ANY 1 (pg2, pg3)", "ANY 2 (pg2, pg3)"] {
        let mut world = world(&format!("synchronous_standby_names = '{names}'"));
        play(&mut world, Duration::s(1));
        assert_eq!(found(world), [], "{names}");
    }
}

#[test]
fn commits_that_are_answered_one_standby_early_break_commit_level() {
    for level in ["remote_write", "on", "remote_apply"] {
        let names = "synchronous_standby_names = 'ANY 2 (pg2, pg3)'";
        let mut world = world(&format!("{names}\nsynchronous_commit = '{level}'"));
        play(&mut world, Duration::s(1));
        world.apply(Action::Cut { a: PG1, b: PG3 });
        play(&mut world, Duration::ms(100));
        let flushed = world.servers()[PG1.index()].flushed();
        forge_reply(&mut world, flushed);
        let found = assert_broken(world, Law::CommitLevel);
        assert!(found.contains("which 2 standbys had to have"), "{found}");
    }
}

#[test]
fn commits_that_a_standby_of_lower_priority_releases_break_commit_level() {
    let mut world = world("synchronous_standby_names = 'FIRST 1 (pg3, pg2)'");
    play(&mut world, Duration::s(1));
    world.apply(Action::Cut { a: PG1, b: PG3 });
    play(&mut world, Duration::ms(100));
    let has = world.servers()[PG2.index()].flushed();
    forge_reply(&mut world, has);
    let found = assert_broken(world, Law::CommitLevel);
    assert!(found.contains("they had: pg3"), "{found}");
}

#[test]
fn commits_that_are_answered_before_their_flush_break_commit_level() {
    let mut world = world("synchronous_standby_names = 'pg2'");
    play(&mut world, Duration::s(1));
    while world.servers()[PG1.index()].flushing() == Some(false) {
        play(&mut world, Duration::us(10));
    }
    play(&mut world, Duration::us(100));
    let mut settings = world.servers()[PG1.index()].settings().clone();
    settings.set("synchronous_standby_names", "").expect("a value");
    world.tamper(PG1.index(), |pg1, now, out| {
        let (size, buffers) = (pg1.host.files.size, pg1.settings().wal_buffers);
        // It takes everything for flushed that is inserted, and lets everybody go.
        pg1.with_backends(|primary, _| {
            primary.wal = Wal::new(size, buffers, primary.wal.insert_lsn());
        });
        pg1.command(now, &Command::Reload(Box::new(settings)), out);
    });
    let found = assert_broken(world, Law::CommitLevel);
    assert!(found.starts_with("commits up to ") && found.ends_with(" is flushed"), "{found}");
}

#[test]
fn a_disk_that_forgets_breaks_commit_durability() {
    let mut world = world("");
    play(&mut world, Duration::s(1));
    world.tamper(PG1.index(), |pg1, _, _| {
        let files = &mut pg1.host.files;
        files.flushed.0 -= MB;
        files.written = files.flushed;
    });
    world.apply(Action::Crash { server: PG1, scope: Scope::Host });
    assert_broken(world, Law::CommitDurability);
}

#[test]
fn commits_that_nobody_counts_break_commit_count() {
    let mut world = world("synchronous_standby_names = 'nobody'");
    play(&mut world, Duration::s(1));
    world.tamper(PG1.index(), |pg1, _, out| {
        // Sessions end, and their clients are not told.
        let flushed = pg1.flushed();
        let effects = std::mem::take(&mut out.effects);
        pg1.with_backends(|primary, _| primary.crash(flushed, out));
        out.effects = effects;
    });
    let found = assert_broken(world, Law::CommitCount);
    let counted = " attempted, but 0 acknowledged, 0 cancelled, 0 unknown";
    assert!(found.contains(counted), "{found}");
}

#[test]
fn positions_out_of_order_break_wal_order() {
    let mut world = world("");
    play(&mut world, Duration::s(1));
    world.tamper(PG1.index(), |pg1, _, _| pg1.host.files.written = insert_lsn(pg1) + Bytes(8_192));
    let found = assert_broken(world, Law::WalOrder);
    assert!(
        found.starts_with("write_lsn is at ") && found.contains("beyond insert_lsn"),
        "{found}"
    );
}

#[test]
fn wal_that_is_sent_before_it_is_flushed_breaks_stream_order() {
    let mut world = world("");
    play(&mut world, Duration::s(1));
    play(&mut world, Duration::us(100));
    world.tamper(PG1.index(), |pg1, now, out| {
        let flushed = pg1.flushed();
        pg1.host.files.flushed = insert_lsn(pg1) + Bytes(8_192);
        pg1.room(now, PG2, Bytes(MB), out);
        pg1.host.files.flushed = flushed;
    });
    let found = assert_broken(world, Law::StreamOrder);
    assert!(found.contains("was sent to pg2, and "), "{found}");
}

#[test]
fn replay_of_what_is_not_flushed_breaks_replay_order() {
    let mut world = world("");
    play(&mut world, Duration::s(1));
    world.tamper(PG2.index(), |pg2, _, _| pg2.host.files.flushed.0 -= MB);
    assert_broken(world, Law::ReplayOrder);
}

#[test]
fn a_reply_that_promises_too_much_breaks_standby_report() {
    let mut world = world("");
    play(&mut world, Duration::s(1));
    let much = world.servers()[PG1.index()].flushed() + Bytes(MB);
    forge_reply(&mut world, much);
    let found = assert_broken(world, Law::StandbyReport);
    assert!(found.starts_with("pg3 is said to have written "), "{found}");
}

#[test]
fn a_checkpoint_that_removes_what_a_slot_needs_breaks_wal_kept() {
    let settings = "max_wal_size = '32MB'\nmin_wal_size = '32MB'";
    for (settings, by_slot) in [(settings, true), ("wal_keep_size = '64MB'", false)] {
        let mut world = world(settings);
        world.apply(Action::Cut { a: PG1, b: PG2 });
        play(&mut world, Duration::s(12));
        world.tamper(PG1.index(), |pg1, _, out| remove(pg1, 1, out));
        let found = assert_broken(world, Law::WalKept);
        assert!(found.starts_with("slot s2 at ") == by_slot, "{found}");
    }
}

#[test]
fn a_slot_that_is_invalidated_without_a_limit_breaks_slot_invalidation() {
    let mut world = world("");
    play(&mut world, Duration::s(1));
    world.tamper(PG1.index(), |pg1, _, out| {
        let slot = pg1.host.slots.find_mut(SlotName(0)).expect("s2");
        let restart = slot.restart.take().expect("it is in use");
        slot.invalid = Some(Invalidation::WalRemoved);
        let why = Obsolete::WalRemoved { restart, excess: Bytes(MB) };
        out.fact(What::SlotInvalidated { slot: SlotName(0), why });
    });
    let found = assert_broken(world, Law::SlotInvalidation);
    assert!(found.contains("max_slot_wal_keep_size is unlimited"), "{found}");
}

#[test]
fn a_slot_that_lives_again_breaks_slot_invalidation() {
    let mut world = world("max_slot_wal_keep_size = '16MB'");
    world.apply(Action::Crash { server: PG2, scope: Scope::Processes });
    play(&mut world, Duration::s(15));
    world.apply(Action::Command { server: PG1, command: Command::Checkpoint });
    play(&mut world, Duration::s(1));
    world.tamper(PG1.index(), |pg1, _, _| {
        let slot = pg1.host.slots.find_mut(SlotName(0)).expect("s2");
        assert_eq!(slot.invalid.take(), Some(Invalidation::WalRemoved));
    });
    let found = assert_broken(world, Law::SlotInvalidation);
    assert_eq!(found, "slot s2 is valid again");
}

#[test]
fn files_that_come_from_nowhere_break_wal_files() {
    let mut world = world("");
    play(&mut world, Duration::s(1));
    world.tamper(PG1.index(), |pg1, _, _| pg1.host.files.newest += 1);
    let found = assert_broken(world, Law::WalFiles);
    assert!(found.starts_with("there should be segments 3 to "), "{found}");
}

#[test]
fn files_that_recovery_needs_and_that_are_gone_break_wal_files() {
    let mut world = world("");
    play(&mut world, Duration::s(1));
    world.tamper(PG1.index(), |pg1, _, out| remove(pg1, 2, out));
    assert_broken(world, Law::WalFiles);
}

#[test]
fn a_clock_or_a_position_that_goes_back_breaks_forward() {
    let mut clock = world("");
    play(&mut clock, Duration::s(1));
    clock.turn_back(Duration::us(200));
    let found = assert_broken(clock, Law::Forward);
    assert!(found.starts_with("the clock went from 1.000 s back to "), "{found}");

    let mut redo = world("");
    play(&mut redo, Duration::s(1));
    redo.tamper(PG2.index(), |pg2, _, _| pg2.host.files.redo.0 -= 8);
    let found = assert_broken(redo, Law::Forward);
    assert!(found.starts_with("the redo point went from "), "{found}");
}

#[test]
fn a_violation_says_where_and_what_came_before() {
    let mut world = world("");
    play(&mut world, Duration::s(1));
    world.apply(Action::Crash { server: PG2, scope: Scope::Processes });
    world.tamper(PG1.index(), |pg1, _, _| pg1.host.files.newest += 1);
    let violation = found(world).swap_remove(0);
    assert_eq!((violation.law, violation.server), (Law::WalFiles, PG1));
    let crashed = |what: &What| matches!(what, What::Crashed { .. });
    assert!(violation.before.iter().any(|fact| crashed(&fact.what)), "{violation:?}");
}
