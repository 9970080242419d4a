//! What `wal_status` and `safe_wal_size` promise, in every history: a primary with segments of
//! 1 MB writes, makes checkpoints and changes what it keeps; two standbys use slots and come and
//! go; two more slots are made and dropped. After each event the laws are looked at:
//!
//! * What is not invalidated and not `unreserved` has the file that it needs.
//! * `reserved`, `extended` and `unreserved` follow each other in any order, as WAL, settings and
//!   confirmations come. A slot gets `lost` only in a checkpoint, or when a walsender that had what
//!   was removed in hand lets go of it. `lost` is the end; only up to 15 a standby that
//!   still finds its WAL revives its slot, and a walsender that owns a lost one shows it as
//!   `unreserved`.
//! * `safe_wal_size` is there as long as there is a cap and the slot is not lost. As long as the
//!   slot keeps what it keeps, it falls with each byte written, and ends with a segment. The slot
//!   that keeps most is `unreserved` exactly when it is not above zero.
//!
//! The primary does not restart: then it does not know any more what it has removed.

mod common;

use std::collections::BTreeMap;

use common::{Plan, Seen, ServerPlan, World};
use models::postgres::PgVersion;
use models::postgres::command::{Command, StopMode};
use models::postgres::server::State;
use models::postgres::views::{self, ReplicationSlot, WalStatus};
use models::trace::fact::{ServerId, What};
use models::units::{Bytes, Die, Duration, Lsn, Rate};

const HISTORIES: u64 = 400;
const EVENTS: usize = 120;
const SEGMENT: u64 = 1 << 20;

/// A primary and what is remembered of its slots.
struct Play {
    seed: u64,
    die: Die,
    plan: Plan,
    world: World,
    /// Each slot as it was at the last look.
    before: BTreeMap<String, Shown>,
    /// A checkpoint ran at the last look.
    runs: bool,
    /// How often a slot went from one status to another.
    moves: BTreeMap<(WalStatus, WalStatus), u64>,
}

/// A row, and the position that had been written.
#[derive(Clone, Debug)]
struct Shown {
    row: ReplicationSlot,
    written: Lsn,
    /// `max_slot_wal_keep_size` and `wal_keep_size` in whole segments.
    keeps: (Option<u64>, u64),
}

impl Play {
    fn new(seed: u64) -> Play {
        let mut die = Die::new(seed, "history", "slots");
        let version = PgVersion::new(13 + (die.throw() % 6) as u8).expect("a version");
        let servers =
            [("pg1", None), ("pg2", Some(0)), ("pg3", Some(0))].map(|(name, upstream)| {
                let mut server = ServerPlan::new(name, upstream, version);
                let mut set =
                    |name: &str, value: &str| server.settings.set(name, value).expect(value);
                set("wal_segment_size", "1MB");
                set("min_wal_size", "2MB");
                set("max_wal_size", ["2MB", "4MB", "16MB"][(seed % 3) as usize]);
                set("wal_retrieve_retry_interval", "500ms");
                server.slot = upstream.map(|_| name.to_owned());
                // Slow enough that a standby is behind for a while.
                server.link.bandwidth = Rate::new(3_000_000).expect("not zero");
                server.link.window = Bytes(300_000);
                server
            });
        let plan = Plan { version, seed, start: Lsn(0x30_0028), servers: servers.into() };
        let world = World::new(&plan);
        let (before, moves) = (BTreeMap::new(), BTreeMap::new());
        Play { seed, die, plan, world, before, runs: false, moves }
    }

    fn pick(&mut self, n: u64) -> u64 {
        self.die.throw() % n
    }

    fn ask(&mut self, server: usize, command: &Command) {
        self.world.with_server(server, |server, now, out| server.command(now, command, out));
    }

    fn something_happens(&mut self) {
        let standby = 1 + self.pick(2) as usize;
        let slot = ["a", "b"][self.pick(2) as usize];
        let slot = self.plan.slot_name(slot).expect("a name of the plan");
        match self.pick(16) {
            0..5 => {
                let bytes = Bytes(1 + self.pick(5 * SEGMENT / 2));
                self.ask(0, &Command::Write(bytes));
            }
            5 | 6 => self.ask(0, &Command::Checkpoint),
            7 => self.ask(0, &Command::SwitchWal),
            8 => self.ask(standby, &Command::Stop(StopMode::Fast)),
            9 | 10 => self.world.start(standby),
            11 => {
                let reserve = self.pick(2) == 0;
                self.ask(0, &Command::SlotCreate { slot, reserve });
            }
            12 => self.ask(0, &Command::SlotDrop { slot }),
            13 => self.reload("max_slot_wal_keep_size", &["-1", "0", "1MB", "3MB", "8MB"]),
            14 => self.reload("wal_keep_size", &["0", "2MB", "6MB"]),
            _ if self.plan.version.major() >= 18 => {
                self.reload("idle_replication_slot_timeout", &["0", "2s"]);
            }
            _ => self.reload("max_wal_size", &["2MB", "4MB", "16MB"]),
        }
    }

    fn reload(&mut self, name: &str, values: &[&str]) {
        let mut settings = self.world.servers[0].settings().clone();
        let value = values[self.pick(values.len() as u64) as usize];
        settings.set(name, value).expect(value);
        self.ask(0, &Command::Reload(Box::new(settings)));
    }

    /// Plays on, looking after each event.
    fn run(&mut self, span: Duration) {
        let until = self.world.now + span;
        while self.world.next_event() <= until {
            self.world.step();
            self.look();
        }
        self.world.run_until(until);
    }

    /// Looks at all slots.
    fn look(&mut self) {
        let mut ran = self.runs;
        for (_, seen) in std::mem::take(&mut self.world.seen) {
            match seen {
                Seen::Fact(ServerId(0), What::CheckpointStarted { .. }) => {
                    (self.runs, ran) = (true, true);
                }
                Seen::Fact(ServerId(0), What::CheckpointDone { .. }) => self.runs = false,
                _ => {}
            }
        }
        let server = &self.world.servers[0];
        let State::Primary(_) = server.state() else { panic!("seed {}: no primary", self.seed) };
        let (settings, files) = (server.settings(), &server.host.files);
        let (written, oldest) = (files.written, files.oldest);
        let whole = |bytes: Bytes| bytes.0 / SEGMENT;
        let keeps = (settings.max_slot_wal_keep_size.map(whole), whole(settings.wal_keep_size));
        let rows = views::replication_slots(server);
        let valid = |row: &&ReplicationSlot| {
            row.restart_lsn.is_some() && row.wal_status != Some(WalStatus::Lost)
        };
        let least = rows.iter().filter(valid).filter_map(|row| row.restart_lsn).min();
        let mut now = BTreeMap::new();
        for row in rows {
            let what = || format!("seed {}, {}: {row:?}, WAL {written}", self.seed, self.world.now);
            let (status, restart) = (row.wal_status, row.restart_lsn.map(|lsn| lsn.0 / SEGMENT));
            if let Some(WalStatus::Reserved | WalStatus::Extended) = status {
                assert!(restart.is_some_and(|needs| needs >= oldest), "{}", what());
            }
            let Shown { row, .. } =
                self.sizes(row, written, keeps, least.map(|lsn| lsn.0 / SEGMENT));
            if let Some(before) = self.before.get(&row.slot_name) {
                let from = before.row.clone();
                self.status(&from, &row, ran);
            }
            now.insert(row.slot_name.clone(), Shown { row, written, keeps });
        }
        self.before = now;
    }

    /// `safe_wal_size`, beside `wal_status` and what it was before.
    fn sizes(
        &self,
        row: ReplicationSlot,
        written: Lsn,
        keeps: (Option<u64>, u64),
        least: Option<u64>,
    ) -> Shown {
        let what = || format!("seed {}, {}: {row:?}, WAL {written}", self.seed, self.world.now);
        let lost = row.wal_status == Some(WalStatus::Lost);
        assert_eq!(row.safe_wal_size.is_some(), keeps.0.is_some() && !lost, "{}", what());
        let Some(safe) = row.safe_wal_size else { return Shown { row, written, keeps } };
        let ends = |safe: i64, written: Lsn| safe + i64::try_from(written.0).expect("small");
        assert_eq!(ends(safe, written).rem_euclid(SEGMENT as i64), 0, "{}", what());
        if let Some(before) = self.before.get(&row.slot_name)
            && before.keeps == keeps
            && before.row.restart_lsn == row.restart_lsn
            && let Some(earlier) = before.row.safe_wal_size
        {
            assert_eq!(ends(safe, written), ends(earlier, before.written), "{}", what());
        }
        let needs = row.restart_lsn.map(|lsn| lsn.0 / SEGMENT);
        // One that was invalidated and is in use keeps nothing; 16 does not tell them apart.
        let keeps_it = row.invalidation_reason.flatten().is_none();
        let keeps_it = keeps_it && self.plan.version.major() != 16;
        if needs.is_some() && needs == least && keeps_it {
            let unreserved = row.wal_status == Some(WalStatus::Unreserved);
            assert_eq!(unreserved, safe <= 0, "{}", what());
        }
        Shown { row, written, keeps }
    }

    /// From one status to another.
    fn status(&mut self, before: &ReplicationSlot, now: &ReplicationSlot, in_checkpoint: bool) {
        use WalStatus::{Extended, Lost, Reserved, Unreserved};
        let (Some(from), Some(to)) = (before.wal_status, now.wal_status) else {
            let made_anew = before.wal_status.is_some() && now.restart_lsn.is_none();
            assert!(now.wal_status != Some(Lost) && (before.wal_status.is_none() || made_anew));
            return;
        };
        if from != to {
            *self.moves.entry((from, to)).or_default() += 1;
        }
        let version = self.plan.version.major();
        let allowed = match (from, to) {
            (Reserved | Extended | Unreserved, Reserved | Extended | Unreserved) => true,
            (Lost, Lost) => true,
            (Reserved | Extended, Lost) => in_checkpoint,
            (Unreserved, Lost) => in_checkpoint || before.active && !now.active,
            (Lost, Unreserved) => now.active && version <= 17,
            (Lost, Reserved | Extended) => now.active && version <= 15,
        };
        let at = self.world.now;
        assert!(allowed, "seed {}, {at}, {version}: {before:?} to {now:?}", self.seed);
    }
}

#[test]
fn wal_status_goes_only_where_postgresql_lets_it() {
    let mut moves: BTreeMap<(WalStatus, WalStatus), u64> = BTreeMap::new();
    for seed in 0..HISTORIES {
        let mut play = Play::new(seed);
        for _ in 0..EVENTS {
            play.something_happens();
            play.look();
            let pause = Duration::us(play.pick(700_000));
            play.run(pause);
        }
        for (edge, count) in play.moves {
            *moves.entry(edge).or_default() += count;
        }
    }
    // All that may be has been.
    use WalStatus::{Extended, Lost, Reserved, Unreserved};
    for edge in [
        (Reserved, Extended),
        (Extended, Reserved),
        (Reserved, Unreserved),
        (Unreserved, Reserved),
        (Extended, Unreserved),
        (Unreserved, Extended),
        (Unreserved, Lost),
        (Lost, Reserved),
        (Lost, Unreserved),
    ] {
        assert!(moves.contains_key(&edge), "{edge:?} never happened: {moves:?}");
    }
}
