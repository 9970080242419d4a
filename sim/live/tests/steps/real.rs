//! A scenario's steps on two real servers with a proxy between them.

use std::process::{Command, Stdio};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use live::{Error, Proxy, Server};
use models::postgres::command::{Interrupt, StopMode};
use models::postgres::guc::SynchronousCommit;
use models::units::{Lsn, SegmentSize};
use scenarios::action::{Condition, Deed};
use scenarios::fault::{FaultKind, Worse};
use scenarios::scenario::Scenario;
use scenarios::workload::{Load, Workload};

use crate::Answered;
use crate::common::Room;
use crate::seen::{self, Look};

/// Where the run began: the insert position, and how many files were older and newer than its own.
pub struct Start {
    pub lsn: Lsn,
    pub before: u64,
    pub after: u64,
}

/// What came of it.
pub struct Played {
    pub start: Start,
    /// What was done, in order: all but waiting.
    pub done: Vec<Done>,
    /// What each view of each `observe` showed.
    pub looks: Vec<Look>,
    /// Commits that were answered.
    pub answered: Vec<Answered>,
    /// What each server logged since the start.
    pub logs: [String; 2],
}

/// A deed that was done.
pub struct Done {
    /// When it began, since the start.
    pub at: models::units::Duration,
    pub deed: Deed,
    /// Where the insert position was after it.
    pub end: Option<Lsn>,
}

/// Both servers, and when they began.
struct Pair<'a> {
    scenario: &'a Scenario,
    servers: [Server; 2],
    way: &'a Proxy,
    began: Instant,
    done: Vec<Done>,
    looks: Vec<Look>,
}

fn wait_until(at: Instant) {
    thread::sleep(at.saturating_duration_since(Instant::now()));
}

fn real(duration: models::units::Duration) -> Duration {
    Duration::from_nanos(duration.0)
}

/// Plays it to its end.
pub fn play(
    template: &Server,
    room: &Room,
    name: &str,
    scenario: &Scenario,
) -> Result<Played, Error> {
    let mut primary = template.copy(&room.join(&format!("{name}-pg1")))?;
    let mut standby = template.copy(&room.join(&format!("{name}-pg2")))?;
    let way = Proxy::before(primary.port())?;
    for (server, config) in [&primary, &standby].into_iter().zip(&scenario.servers) {
        server.configure(&settings(config))?;
    }
    let slot = scenario.servers[1].slot.as_deref();
    standby.follow(way.port(), &scenario.servers[1].name, slot)?;
    primary.start()?;
    if let Some(slot) = slot {
        primary.query(&format!("SELECT pg_create_physical_replication_slot('{slot}', true)"))?;
    }
    standby.start()?;
    let mut pair = Pair {
        scenario,
        servers: [primary, standby],
        way: &way,
        began: Instant::now(),
        done: Vec::new(),
        looks: Vec::new(),
    };
    // Replay begins with the first record.
    pair.primary().query("SELECT pg_logical_emit_message(true, 'w', 'first')")?;
    pair.wait(1, Condition::CaughtUp)?;
    let start = pair.start()?;
    let before = [pair.servers[0].log().len(), pair.servers[1].log().len()];
    pair.began = Instant::now();
    let answered = pair.run()?;
    let log = |n: usize| pair.servers[n].log().split_off(before[n]);
    Ok(Played { start, logs: [log(0), log(1)], answered, done: pair.done, looks: pair.looks })
}

/// What a scenario sets, and what keeps a server from doing more than it is told.
fn settings(config: &scenarios::scenario::Server) -> String {
    let own = ["wal_segment_size", "cluster_name"];
    let changed = config.settings.changed().into_iter().filter(|(name, _)| !own.contains(name));
    let lines = changed.map(|(name, value)| format!("{name} = '{value}'\n"));
    "autovacuum = off\ncheckpoint_timeout = '1h'\n".to_owned() + &lines.collect::<String>()
}

impl Pair<'_> {
    fn primary(&self) -> &Server {
        &self.servers[0]
    }

    fn insert_lsn(&self) -> Result<Lsn, Error> {
        let printed = self.primary().query("SELECT pg_current_wal_insert_lsn()")?;
        Ok(printed.parse().unwrap_or_else(|_| panic!("{printed} is not a position")))
    }

    fn start(&self) -> Result<Start, Error> {
        let size = SegmentSize::new(1 << 20).expect("a power of two");
        let lsn = self.insert_lsn()?;
        let own = format!("{:08X}{:016X}", 1, lsn.segment(size));
        let files = "SELECT count(*) FILTER (WHERE name < $$OWN$$), \
                     count(*) FILTER (WHERE name > $$OWN$$) FROM pg_ls_waldir() \
                     WHERE name ~ '^[0-9A-F]{24}$'";
        let printed = self.primary().query(&files.replace("OWN", &own))?;
        let (before, after) = printed.split_once('|').expect("two columns");
        let number = |text: &str| text.parse().expect("a count");
        Ok(Start { lsn, before: number(before), after: number(after) })
    }

    /// Faults and clients at their moments, and the steps.
    fn run(&mut self) -> Result<Vec<Answered>, Error> {
        let (scenario, way, began) = (self.scenario, self.way, self.began);
        let end = began + real(scenario.duration);
        let clients = scenario.workloads.iter().map(|workload| client(workload, &self.servers[0]));
        let clients: Vec<_> = clients.collect();
        thread::scope(|scope| {
            disturb(scope, scenario, way, began);
            let commit = |(at, psql): (Duration, Command)| {
                scope.spawn(move || commit(psql, began, began + at, end))
            };
            let clients: Vec<_> = clients.into_iter().map(commit).collect();
            for deed in scenario.steps.iter().flat_map(|step| &step.deeds) {
                let at = models::units::Duration(began.elapsed().as_nanos() as u64);
                self.act(deed)?;
                let end = match deed {
                    Deed::Wait(..) | Deed::Sleep(_) => continue,
                    Deed::Write(..) => Some(self.insert_lsn()?),
                    _ => None,
                };
                self.done.push(Done { at, deed: deed.clone(), end });
            }
            assert!(Instant::now() < end, "{} takes longer than it says", scenario.name);
            wait_until(end);
            let answers = clients.into_iter().map(|client| client.join().expect("no panic"));
            Ok(answers.flatten().collect())
        })
    }

    fn act(&mut self, deed: &Deed) -> Result<(), Error> {
        let ask = |server: usize, sql: &str| self.servers[server].query(sql).map(|_| ());
        match deed {
            Deed::Checkpoint(server) => ask(*server, "CHECKPOINT"),
            Deed::SwitchWal(server) => ask(*server, "SELECT pg_switch_wal()"),
            Deed::Write(server, bytes) => {
                let write = "SELECT pg_logical_emit_message(true, 'w', repeat('x', ";
                ask(*server, &format!("SET synchronous_commit = local; {write}{}))", bytes.0))
            }
            Deed::Set(server, settings) => {
                for (name, value) in settings {
                    ask(*server, &format!("ALTER SYSTEM SET {name} = '{value}'"))?;
                }
                ask(*server, "SELECT pg_reload_conf()")
            }
            // Both may be refused, and so they are by Walden: the logs tell.
            Deed::SlotCreate { server, slot, reserve } => {
                let slot = &self.scenario.slots[*slot];
                let create = "SELECT pg_create_physical_replication_slot";
                let _ = ask(*server, &format!("{create}('{slot}', {reserve})"));
                Ok(())
            }
            Deed::SlotDrop { server, slot } => {
                let slot = &self.scenario.slots[*slot];
                let _ = ask(*server, &format!("SELECT pg_drop_replication_slot('{slot}')"));
                Ok(())
            }
            Deed::Interrupt { server, how, workload, nth: None } => {
                let call = match how {
                    Interrupt::Cancel => "pg_cancel_backend",
                    Interrupt::Terminate => "pg_terminate_backend",
                    Interrupt::Disconnect => panic!("no client here goes away by itself"),
                };
                let name = &self.scenario.workloads[*workload].name;
                let whose = format!("wait_event = 'SyncRep' AND application_name = '{name}'");
                ask(*server, &format!("SELECT {call}(pid) FROM pg_stat_activity WHERE {whose}"))
            }
            Deed::Stop(server, mode) => self.stop(*server, *mode),
            Deed::Start(server) => self.servers[*server].start(),
            Deed::Restart(server, mode) => {
                self.stop(*server, *mode)?;
                self.servers[*server].start()
            }
            Deed::Promote(server) => self.servers[*server].promote(),
            Deed::Observe(server, views) => {
                for (n, view) in views.iter().enumerate() {
                    let look = seen::look(&self.servers[*server], *server, *view, n == 0)?;
                    self.looks.push(look);
                }
                Ok(())
            }
            Deed::Wait(server, condition) => self.wait(*server, *condition),
            Deed::Sleep(time) => {
                thread::sleep(real(*time));
                Ok(())
            }
            Deed::WriteTo(..)
            | Deed::Interrupt { .. }
            | Deed::Statement(..)
            | Deed::WaitRows { .. } => panic!("{} is not played on real servers", deed.name()),
        }
    }

    fn stop(&mut self, server: usize, mode: StopMode) -> Result<(), Error> {
        // The last psql's backend is to be gone.
        thread::sleep(Duration::from_millis(100));
        self.servers[server].stop_as(match mode {
            StopMode::Fast => "fast",
            StopMode::Immediate => "immediate",
        })
    }

    /// Waits until it is so, at most half a minute.
    fn wait(&self, server: usize, condition: Condition) -> Result<(), Error> {
        let name = &self.scenario.servers[server].name;
        let (whom, sql) = match condition {
            Condition::Ready => (server, "SELECT true".to_owned()),
            Condition::Streaming => (0, rows_of(name, "state = 'streaming'")),
            Condition::CaughtUp => (0, rows_of(name, "replay_lsn = pg_current_wal_insert_lsn()")),
            Condition::Disconnected => (0, rows_of(name, "true").replace("> 0", "= 0")),
            Condition::Down | Condition::Lost => {
                panic!("{} is not waited for on real servers", condition.name())
            }
        };
        for _ in 0..600 {
            if self.servers[whom].query(&sql).is_ok_and(|answer| answer == "t") {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        let what = format!("{}: waiting until {name} is {}", self.scenario.name, condition.name());
        Err(Error::Failed { what, output: self.servers[server].log() })
    }
}

fn rows_of(standby: &str, that: &str) -> String {
    format!(
        "SELECT count(*) > 0 FROM pg_stat_replication \
         WHERE application_name = '{standby}' AND {that}"
    )
}

/// What befalls the link, at its moments.
fn disturb<'scope>(
    scope: &'scope Scope<'scope, '_>,
    scenario: &'scope Scenario,
    way: &'scope Proxy,
    began: Instant,
) {
    for fault in &scenario.faults {
        scope.spawn(move || {
            wait_until(began + real(fault.at));
            match &fault.kind {
                FaultKind::LinkHold { .. } => way.hold(),
                FaultKind::LinkCut { .. } => way.drop_all(),
                FaultKind::LinkReset { .. } => return way.reset(),
                FaultKind::LinkWorse { how: Worse::Delay(delay), .. } => {
                    way.delay(Duration::from_nanos(delay.mean()));
                }
                other => panic!("{} is not played on real servers", other.name()),
            }
            if let Some(lasts) = fault.lasts {
                wait_until(began + real(fault.at + lasts));
                way.open();
                way.delay(Duration::ZERO);
            }
        });
    }
}

/// When a workload's one commit comes, and the session that makes it.
fn client(workload: &Workload, primary: &Server) -> (Duration, Command) {
    let Load::Bulk { at, bytes, every: None, .. } = workload.load else {
        panic!("{}: on real servers a workload is one `bulk`", workload.name)
    };
    let mut sql = String::new();
    if let Some(level) = workload.synchronous_commit {
        let level = match level {
            SynchronousCommit::Off => "off",
            SynchronousCommit::Local => "local",
            SynchronousCommit::RemoteWrite => "remote_write",
            SynchronousCommit::On => "on",
            SynchronousCommit::RemoteApply => "remote_apply",
        };
        sql = format!("SET synchronous_commit = {level}; ");
    }
    sql += &format!("SELECT pg_logical_emit_message(true, 'w', repeat('x', {}))", bytes.0);
    (real(at), primary.session(&workload.name, &sql))
}

/// Commits at its moment; the answer, unless the run is over before or it was a warning.
fn commit(mut psql: Command, began: Instant, at: Instant, end: Instant) -> Option<Answered> {
    wait_until(at);
    let mut psql =
        psql.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("psql can be started");
    while psql.try_wait().expect("it is a child").is_none() {
        if Instant::now() > end {
            let _ = psql.kill();
        }
        thread::sleep(Duration::from_millis(1));
    }
    let at = began.elapsed().as_secs_f64() * 1e3;
    let output = psql.wait_with_output().expect("it has ended");
    let printed = String::from_utf8_lossy(&output.stdout);
    let took = printed.lines().find_map(|line| line.strip_prefix("Time: "))?;
    let took = took.split(' ').next()?.parse().ok()?;
    output.stderr.is_empty().then_some(Answered { at, took })
}
