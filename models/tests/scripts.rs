//! Stories of the machines: each file of `scripts/<machine>/` is commands and what came of them.
//!
//! The name of a file is its claim. `UPDATE_GOLDENFILES=1 cargo test -p models --test scripts`
//! records the output anew; the diff is to be read. The commands of each directory are listed at
//! its runner: [`Servers`], [`Wire`], [`Workload`].

mod common;

use std::collections::BTreeSet;
use std::fmt::Write;

use common::script::{
    self, Output, bytes, duration, key, millis, moment, number, rate, set_link, word,
};
use common::wire::Wire;
use common::{Plan, Seen, ServerPlan, World};
use goldenscript::{ArgumentConsumer, Command, Context, Runner};
use models::clients::{self, ArrivalKind, Clients, ClientsConfig, PageSet};
use models::latency::Quantiles;
use models::postgres::PgVersion;
use models::postgres::command::{Command as Ask, Interrupt, StopMode, Waiters};
use models::postgres::guc::SynchronousCommit;
use models::postgres::protocol::{Body, Message};
use models::postgres::server::{Server, State};
use models::postgres::views;

use models::trace::Run;
use models::trace::fact::{Fact, Facts, Scope, ServerId, What};
use models::trace::histogram::Histogram;
use models::trace::messages::Words;
use models::trace::observation::Observations;
use models::trace::sample::Samples;
use models::trace::summary::Summary;
use models::units::{Bytes, Duration, Lsn, SimTime};

#[test]
fn servers() {
    script::run_all("server", Servers::default);
}

#[test]
fn links() {
    script::run_all("link", Wire::new);
}

#[test]
fn clients() {
    script::run_all("clients", || Workload { clients: None });
}

/// Scripts of servers, in a [`World`].
///
/// Before anything happens:
/// * `servers A [B ...] [version=17] [at=LSN]`: A is a primary, the others stream from it, all
///   with an fsync of 1 ms and a link of 2 ms there and back. WAL ends at 0/3000028.
/// * `set A NAME=VALUE ...`: settings, as in postgresql.conf.
/// * `host A [fsync=1ms] [disk=100MB] [replay=10MB] [ahead=4] [most=9] [slot=NAME] [missing=1]
///   [down]`: rates are a second; `ahead` is the number of segment files that wait to be written
///   to, `most` how many there is room for; `slot` is the one it uses at its upstream, where it is
///   missing at first, or exists.
/// * `link A [rtt=2ms] [bandwidth=10MB] [window=64kB]`: between A and its upstream.
///
/// Then:
/// * `commit [N] [wal=100B] [level=off] [after=0s] [every=0s]`: N commits on the primary, the
///   first after some time, the next each `every` later.
/// * `wal BYTES [in=0s]`: so much WAL in steps of at most 1 MB that are flushed like commits,
///   though nobody waits.
/// * `run DURATION`, `step [N]`: what happens until then, or the next N things.
/// * `checkpoint A`, `switch_wal A`, `write A BYTES`, `write_to A LSN`, `stop A fast|immediate`.
/// * `crash A processes|host`, `start A`, `freeze A processes|host`, `thaw A`.
/// * `fill A`, `clear A`: pg_wal's volume takes no new file, or does again.
/// * `cut A B`, `heal A B`, `hold A B`, `release A B`: the link between two servers.
/// * `slot A create|drop NAME [reserve]`, `reload A NAME=VALUE ...`, `pause A`, `resume A`: what
///   an operator asks for. There are slot names `a`, `b` and `c` beside those that standbys use.
/// * `interrupt A cancel|terminate|disconnect [nth=N]`: of the sessions that wait for standbys all,
///   or the N-th. `waits A`: what `pg_stat_activity` shows of them.
/// * `slots A`: what `pg_replication_slots` shows.
/// * `session A`: what somebody hears who wants a session now.
/// * `counts A`: its commits that did not end well, and its checkpoints and restartpoints.
/// * `status A ...`: a server's own positions and files. `views A`: what its
///   `pg_stat_replication` and `pg_replication_slots` show.
/// * `show [sends] [arrivals] [commits] [facts]`: what is printed from now on; at first all but
///   arrivals.
#[derive(Default)]
struct Servers {
    plan: Option<Plan>,
    world: Option<World>,
    run: Option<Run>,
    hidden: BTreeSet<&'static str>,
}

/// What `show` knows.
const KINDS: [&str; 4] = ["sends", "arrivals", "commits", "facts"];

impl Runner for Servers {
    type Command = Command;

    fn start_script(&mut self) -> Result<(), Box<dyn std::error::Error>> {
        self.hidden.insert("arrivals");
        Ok(())
    }

    fn run(&mut self, command: &Command, _: &Context) -> Output {
        let mut args = command.consume_args();
        match command.name.as_str() {
            "servers" => self.servers(&mut args)?,
            "set" => self.set(&mut args)?,
            "host" => self.host(&mut args)?,
            "link" => self.link(&mut args)?,
            "show" => {
                self.hidden = KINDS.into_iter().collect();
                while let Some(kind) = args.next_pos() {
                    self.hidden.remove(kind);
                }
            }
            _ => return self.act(&command.name, &mut args),
        }
        args.reject_next()?;
        Ok(String::new())
    }
}

impl Servers {
    fn servers(
        &mut self,
        args: &mut ArgumentConsumer<'_>,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let version = key(args, "version", number)?.unwrap_or(17);
        let version = PgVersion::new(u8::try_from(version)?).ok_or("no such version")?;
        let start = args.take_key("at").unwrap_or("0/3000028").parse()?;
        let mut servers = Vec::new();
        while let Some(name) = args.next_pos() {
            let upstream = (!servers.is_empty()).then_some(0);
            servers.push(ServerPlan::new(name, upstream, version));
        }
        self.plan = Some(Plan { version, seed: 1, start, servers });
        Ok(())
    }

    fn planned(&mut self, name: &str) -> Result<&mut ServerPlan, Box<dyn std::error::Error>> {
        assert!(self.world.is_none(), "the world is already built");
        let plan = self.plan.as_mut().ok_or("no servers")?;
        plan.servers.iter_mut().find(|s| s.name == name).ok_or_else(|| "no such server".into())
    }

    fn set(&mut self, args: &mut ArgumentConsumer<'_>) -> Result<(), Box<dyn std::error::Error>> {
        let server = self.planned(word(args)?)?;
        while let Some((name, value)) = args.next_key() {
            server.settings.set(name, value).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn host(&mut self, args: &mut ArgumentConsumer<'_>) -> Result<(), Box<dyn std::error::Error>> {
        let server = self.planned(word(args)?)?;
        if let Some(fsync) = key(args, "fsync", duration)? {
            server.fsync = Quantiles::constant(fsync.0);
        }
        server.disk = key(args, "disk", rate)?.unwrap_or(server.disk);
        server.replay = key(args, "replay", rate)?.unwrap_or(server.replay);
        server.ahead = key(args, "ahead", number)?.unwrap_or(server.ahead);
        server.most = key(args, "most", number)?.unwrap_or(server.most);
        server.slot = args.take_key("slot").map(str::to_owned).or(server.slot.take());
        server.slot_is_missing |= args.take_key("missing").is_some();
        server.down |= args.next_pos() == Some("down");
        Ok(())
    }

    fn link(&mut self, args: &mut ArgumentConsumer<'_>) -> Result<(), Box<dyn std::error::Error>> {
        let server = self.planned(word(args)?)?;
        set_link(&mut server.link, args)
    }

    fn act(&mut self, command: &str, args: &mut ArgumentConsumer<'_>) -> Output {
        if self.world.is_none() {
            let plan = self.plan.as_ref().ok_or("no servers")?;
            self.world = Some(World::new(plan));
            self.run = Some(empty_run(plan));
        }
        let world = self.world.as_mut().ok_or("no world")?;
        let plan = self.plan.as_ref().ok_or("no servers")?;
        let find =
            |name: &str| plan.servers.iter().position(|s| s.name == name).ok_or("no such server");
        let mut output = String::new();
        match command {
            "commit" => commit(world, args)?,
            "wal" => wal(world, bytes(word(args)?)?, key(args, "in", duration)?),
            "run" => world.run_until(world.now + duration(word(args)?)?),
            "step" => (0..args.next_pos().map_or(Ok(1), number)?).for_each(|_| world.step()),
            "crash" => world.crash(find(word(args)?)?, scope(word(args)?)?),
            "start" => world.start(find(word(args)?)?),
            "checkpoint" | "switch_wal" | "write" | "write_to" | "stop" => {
                let server = find(word(args)?)?;
                let order = order(command, args)?;
                world.with_server(server, |server, now, out| server.command(now, &order, out));
            }
            "freeze" => world.freeze(find(word(args)?)?, scope(word(args)?)?),
            "thaw" => world.thaw(find(word(args)?)?),
            "fill" | "clear" => {
                let full = command == "fill";
                world.with_server(find(word(args)?)?, |server, _, _| server.fill_disk(full));
            }
            "cut" => world.link(find(word(args)?)?, find(word(args)?)?, |l, _| l.cut(0)),
            "heal" => world.link(find(word(args)?)?, find(word(args)?)?, |l, now| {
                l.heal(now, 0);
            }),
            "hold" => world.link(find(word(args)?)?, find(word(args)?)?, |l, _| l.hold(0)),
            "release" => {
                world.link(find(word(args)?)?, find(word(args)?)?, |l, now| l.release(now, 0));
            }
            "status" => {
                while let Some(name) = args.next_pos() {
                    status(&mut output, name, &world.servers[find(name)?], world.now)?;
                }
            }
            "slot" => slot_command(world, plan, find(word(args)?)?, args)?,
            "reload" => reload(world, find(word(args)?)?, args)?,
            "interrupt" => interrupt(world, find(word(args)?)?, args)?,
            "waits" => waits(&mut output, &world.servers[find(word(args)?)?])?,
            "pause" => ask(world, find(word(args)?)?, Ask::ReplayPause),
            "resume" => ask(world, find(word(args)?)?, Ask::ReplayResume),
            "slots" => slots(&mut output, &world.servers[find(word(args)?)?])?,
            "session" => {
                let server = &world.servers[find(word(args)?)?];
                match server.refuses_sessions() {
                    None => writeln!(output, "a session")?,
                    Some(failure) => writeln!(output, "{failure:?}")?,
                }
            }
            "counts" => counts(&mut output, &world.servers[find(word(args)?)?])?,
            "views" => views(&mut output, plan, &world.servers[find(word(args)?)?])?,
            _ => return Err(format!("no command {command}").into()),
        }
        args.reject_next()?;
        let seen = self.seen()?;
        Ok(output + &seen)
    }

    /// What was seen since the last command.
    fn seen(&mut self) -> Output {
        let mut output = String::new();
        let (Some(world), Some(run)) = (&mut self.world, &mut self.run) else { return Ok(output) };
        for (at, seen) in std::mem::take(&mut world.seen) {
            let name = |server: ServerId| run.servers[server.index()].clone();
            let (kind, lines) = match seen {
                Seen::Sent(from, to, message) => {
                    ("sends", vec![format!("{} -> {} {}", name(from), name(to), say(&message))])
                }
                Seen::Arrived(from, to, message) => {
                    ("arrivals", vec![format!("{} <- {} {}", name(to), name(from), say(&message))])
                }
                Seen::Inserted(..) => continue,
                Seen::Answered(commit, latency) => {
                    ("commits", vec![format!("commit {commit} answered after {}", millis(latency))])
                }
                Seen::Disconnected(commit) => {
                    ("commits", vec![format!("commit {commit} lost its connection")])
                }
                Seen::Cancelled(commit) => {
                    ("commits", vec![format!("commit {commit} answered with a warning")])
                }
                Seen::Refused(commit) => ("commits", vec![format!("commit {commit} was refused")]),
                Seen::Fact(server, what) => {
                    let fact = Fact { at, server: Some(server), what };
                    run.facts.push(fact);
                    // PostgreSQL prints it with the end of its checkpoint.
                    let silent = matches!(what, What::CheckpointFiles { .. });
                    let words = if silent { Vec::new() } else { in_postgresqls_words(run, &fact) };
                    ("facts", words)
                }
            };
            if !self.hidden.contains(kind) {
                for line in lines {
                    writeln!(output, "{} {line}", moment(at))?;
                }
            }
        }
        Ok(output)
    }
}

/// An operator asks a server for something.
fn ask(world: &mut World, server: usize, command: Ask) {
    world.with_server(server, |server, now, out| server.command(now, &command, out));
}

fn slot_command(
    world: &mut World,
    plan: &Plan,
    server: usize,
    args: &mut ArgumentConsumer<'_>,
) -> Result<(), Box<dyn std::error::Error>> {
    let what = word(args)?;
    let slot = plan.slot_name(word(args)?).ok_or("no such slot name")?;
    let command = match what {
        "create" => Ask::SlotCreate { slot, reserve: args.next_pos() == Some("reserve") },
        "drop" => Ask::SlotDrop { slot },
        _ => return Err("create or drop".into()),
    };
    ask(world, server, command);
    Ok(())
}

fn reload(
    world: &mut World,
    server: usize,
    args: &mut ArgumentConsumer<'_>,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut settings = world.servers[server].settings().clone();
    while let Some((name, value)) = args.next_key() {
        settings.set(name, value).map_err(|error| error.to_string())?;
    }
    ask(world, server, Ask::Reload(Box::new(settings)));
    Ok(())
}

fn interrupt(
    world: &mut World,
    server: usize,
    args: &mut ArgumentConsumer<'_>,
) -> Result<(), Box<dyn std::error::Error>> {
    let how = match word(args)? {
        "cancel" => Interrupt::Cancel,
        "terminate" => Interrupt::Terminate,
        "disconnect" => Interrupt::Disconnect,
        _ => return Err("cancel, terminate or disconnect".into()),
    };
    let nth = key(args, "nth", number)?.map(u32::try_from).transpose()?;
    ask(world, server, Ask::Interrupt { how, waiters: Waiters { workload: 0, nth } });
    Ok(())
}

/// What `pg_stat_activity` shows of sessions that wait for standbys.
fn waits(output: &mut String, server: &Server) -> std::fmt::Result {
    for row in views::stat_activity(server) {
        let (pid, since) = (row.pid, moment(row.query_start));
        writeln!(output, "{pid} {}/{} since {since}", row.wait_event_type, row.wait_event)?;
    }
    Ok(())
}

/// What has become of a server's commits since the world began, and how often it made a checkpoint.
fn counts(output: &mut String, server: &Server) -> std::fmt::Result {
    let (toll, checkpoints) = (server.toll(), server.checkpoints());
    writeln!(
        output,
        "{} lost, {} cancelled, {} unknown, {checkpoints} checkpoints",
        toll.lost, toll.cancelled, toll.unknown
    )
}

/// What `pg_replication_slots` shows.
fn slots(output: &mut String, server: &Server) -> std::fmt::Result {
    for row in views::replication_slots(server) {
        let null = || "NULL".to_owned();
        let active = row.active_pid.map_or("inactive".to_owned(), |pid| format!("active {pid}"));
        write!(
            output,
            "{} {active} restart_lsn {} wal_status {} safe_wal_size {}",
            row.slot_name,
            row.restart_lsn.map_or_else(null, |lsn| lsn.to_string()),
            row.wal_status.map_or("NULL", views::WalStatus::name),
            row.safe_wal_size.map_or_else(null, |size| size.to_string()),
        )?;
        if let Some(since) = row.inactive_since {
            write!(output, " inactive_since {}", since.map_or_else(null, moment))?;
        }
        if let Some(reason) = row.invalidation_reason {
            write!(output, " invalidation_reason {}", reason.unwrap_or("NULL"))?;
        }
        writeln!(output)?;
    }
    Ok(())
}

fn commit(
    world: &mut World,
    args: &mut ArgumentConsumer<'_>,
) -> Result<(), Box<dyn std::error::Error>> {
    let count = args.next_pos().map_or(Ok(1), number)?;
    let size = key(args, "wal", bytes)?.unwrap_or(Bytes(100));
    let after = key(args, "after", duration)?.unwrap_or(Duration::ZERO);
    let every = key(args, "every", duration)?.unwrap_or(Duration::ZERO);
    let level = key(args, "level", level)?;
    for n in 0..count {
        world.commit(after + Duration(every.0 * n), size, level, ArrivalKind::Commit);
    }
    world.run_until(world.now);
    Ok(())
}

fn wal(world: &mut World, all: Bytes, over: Option<Duration>) {
    let steps = all.0.div_ceil(1 << 20);
    let over = over.unwrap_or(Duration::ZERO);
    for n in 0..steps {
        let size = Bytes(all.0 * (n + 1) / steps - all.0 * n / steps);
        world.commit(Duration(over.0 * n / steps), size, None, ArrivalKind::Step);
    }
    world.run_until(world.now);
}

fn level(text: &str) -> Result<SynchronousCommit, Box<dyn std::error::Error>> {
    Ok(match text {
        "off" => SynchronousCommit::Off,
        "local" => SynchronousCommit::Local,
        "remote_write" => SynchronousCommit::RemoteWrite,
        "on" => SynchronousCommit::On,
        "remote_apply" => SynchronousCommit::RemoteApply,
        _ => return Err("no such level".into()),
    })
}

/// What an operator asks of a server.
fn order(
    command: &str,
    args: &mut ArgumentConsumer<'_>,
) -> Result<Ask, Box<dyn std::error::Error>> {
    Ok(match command {
        "checkpoint" => Ask::Checkpoint,
        "switch_wal" => Ask::SwitchWal,
        "write" => Ask::Write(bytes(word(args)?)?),
        "write_to" => Ask::WriteTo(word(args)?.parse()?),
        _ => Ask::Stop(match word(args)? {
            "fast" => StopMode::Fast,
            "immediate" => StopMode::Immediate,
            _ => return Err("fast or immediate".into()),
        }),
    })
}

fn scope(text: &str) -> Result<Scope, Box<dyn std::error::Error>> {
    match text {
        "processes" => Ok(Scope::Processes),
        "host" => Ok(Scope::Host),
        _ => Err("processes or host".into()),
    }
}

/// A run without anything in it, for the words of its facts.
fn empty_run(plan: &Plan) -> Run {
    let servers: Vec<String> = plan.servers.iter().map(|s| s.name.clone()).collect();
    let upstream = |s: &ServerPlan| Some((s.name.clone(), servers[s.upstream?].clone()));
    let standbys: Vec<(String, String)> = plan.servers.iter().filter_map(upstream).collect();
    let duration = Duration::s(3600);
    Run {
        actions: Vec::new(),
        scenario: String::new(),
        title: String::new(),
        question: String::new(),
        variant: String::new(),
        seed: 1,
        walden: String::new(),
        pg_version: plan.version,
        duration,
        streams: Vec::new(),
        limits: Vec::new(),
        settings: Vec::new(),
        faults: Vec::new(),
        summary: Summary::default(),
        digest: 0,
        moments: Vec::new(),
        latency: Histogram::default(),
        facts: Facts::default(),
        slots: plan.slots(),
        workloads: vec!["commits".to_owned()],
        observations: Observations::default(),
        looks: Vec::new(),
        samples: Samples::new(duration, &servers, &standbys),
        violations: Default::default(),
        servers,
    }
}

/// The log lines of a fact, or plain words where PostgreSQL logs nothing.
fn in_postgresqls_words(run: &Run, fact: &Fact) -> Vec<String> {
    let words = Words::new(run);
    let mut lines = Vec::new();
    for line in words.log_lines(fact) {
        let text: Vec<&str> = line.text.lines().map(str::trim).collect();
        lines.push(format!(
            "{} {}:  {}",
            words.name(line.server),
            line.level.name(),
            text.join(" ")
        ));
        let more = [("DETAIL", &line.detail), ("HINT", &line.hint)];
        let more = more.into_iter().filter_map(|(what, text)| Some((what, text.as_ref()?)));
        lines.extend(more.map(|(what, text)| format!("  {what}:  {text}")));
    }
    if lines.is_empty() {
        lines.push(words.plain(fact));
    }
    lines
}

/// A message on one line.
fn say(message: &Message) -> String {
    let wanted = |wanted| if wanted { ", wants a reply" } else { "" };
    match message.body {
        Body::XLogData { start, end, chunks: 1, .. } => format!("XLogData {start}..{end}"),
        Body::XLogData { start, end, chunks, .. } => {
            format!("XLogData {start}..{end} ({chunks} messages)")
        }
        Body::Keepalive { reply_requested } => format!("keepalive{}", wanted(reply_requested)),
        Body::StatusUpdate { write, flush, apply, reply_requested } => {
            let wanted = wanted(reply_requested);
            format!("status update write {write} flush {flush} replay {apply}{wanted}")
        }
        Body::StartReplication { start, slot: _ } => format!("START_REPLICATION {start}"),
        Body::IdentifySystem => "IDENTIFY_SYSTEM".to_owned(),
        Body::System { timeline } => format!("timeline {timeline}"),
        Body::Refused(why) => format!("refused: {why:?}"),
        Body::CopyBoth => "CopyBothResponse".to_owned(),
        Body::Connect => "connect".to_owned(),
        Body::Accepted => "accepted".to_owned(),
        Body::CopyDone => "end of WAL".to_owned(),
        Body::Terminate => "terminate".to_owned(),
        Body::Close => "close".to_owned(),
    }
}

/// A server's own view of itself.
fn status(output: &mut String, name: &str, server: &Server, now: SimTime) -> std::fmt::Result {
    let files = &server.host.files;
    match server.state() {
        _ if server.frozen().is_some() => writeln!(output, "{name}: frozen")?,
        State::Down => writeln!(output, "{name}: down")?,
        State::Recovering { .. } => writeln!(output, "{name}: recovering")?,
        State::Primary(primary) => {
            let insert = primary.wal.insert_lsn();
            writeln!(output, "{name}: primary, insert {insert}")?;
        }
        State::Standby(standby) => {
            let (written, flushed) = standby.receiver.positions();
            let receiver = match standby.receiver.is_off() {
                true => "no walreceiver".to_owned(),
                false => format!("walreceiver written {written} flushed {flushed}"),
            };
            let replayed = standby.replayed_at(now);
            writeln!(output, "{name}: standby, {receiver}, replayed {replayed}")?;
        }
    }
    let (written, flushed, redo) = (files.written, files.flushed, files.redo);
    writeln!(output, "  on disk: written {written}, durable {flushed}, redo {redo}")?;
    let segment = |number| server.host.segment(number);
    let (oldest, newest) = (segment(files.oldest), segment(files.newest));
    writeln!(output, "  pg_wal: {oldest} to {newest}")
}

/// `pg_stat_replication` and `pg_replication_slots`.
fn views(output: &mut String, plan: &Plan, server: &Server) -> std::fmt::Result {
    let Some(primary) = server.primary() else { return writeln!(output, "no primary") };
    let lsn = |lsn: Lsn| if lsn.is_valid() { lsn.to_string() } else { "NULL".to_owned() };
    let lag = |lag: Option<Duration>| lag.map_or("NULL".to_owned(), millis);
    for (index, sender) in primary.senders() {
        let name = &plan.servers[sender.standby().index()].name;
        let state = format!("{:?}", sender.phase()).to_lowercase();
        let known = &primary.standbys()[index];
        let (sync, priority) = primary.syncrep().sync_state(primary.standbys(), index);
        writeln!(
            output,
            "{name} {state} sent {} write {} flush {} replay {} {sync} {priority}",
            lsn(sender.sent()),
            lsn(known.write),
            lsn(known.flush),
            lsn(known.apply),
        )?;
        let lags = sender.columns();
        let (write, flush) = (lag(lags.write_lag), lag(lags.flush_lag));
        writeln!(output, "  lag: write {write} flush {flush} replay {}", lag(lags.replay_lag))?;
    }
    for slot in server.host.slots.iter() {
        let active = if slot.owner.is_some() { "active" } else { "inactive" };
        let restart = slot.restart.map_or("NULL".to_owned(), lsn);
        let name = server.host.slot_name(slot.name);
        writeln!(output, "slot {name} {active} restart_lsn {restart}")?;
    }
    Ok(())
}

/// Scripts of one workload's clients.
///
/// * `closed CLIENTS [think=0s]`, `open gap=10ms [poisson=1]`, `bulk BYTES over=1s [at=0s]`,
///   `wal RATE step=100ms`: the workload. All take `service=0s`, `records=100B`, and
///   `pages=N image=BYTES touches=PER_THOUSAND` for pages of which the first touch after a redo
///   point costs an image.
/// * `take [N]`: the next N that want to insert.
/// * `answer CLIENT at=DURATION`: a client has its answer.
/// * `redo`: a redo point has moved.
struct Workload {
    clients: Option<Clients>,
}

impl Runner for Workload {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Output {
        let mut args = command.consume_args();
        let mut output = String::new();
        match command.name.as_str() {
            "closed" | "open" | "bulk" | "wal" => {
                let config = clients_config(&command.name, &mut args)?;
                self.clients = Some(Clients::new(config, true, 1, "script"));
            }
            "take" => {
                let clients = self.clients.as_mut().ok_or("no clients")?;
                for _ in 0..args.next_pos().map_or(Ok(1), number)? {
                    take(&mut output, clients)?;
                }
            }
            "answer" => {
                let client = u32::try_from(number(word(&mut args)?)?)?;
                let at = key(&mut args, "at", duration)?.unwrap_or(Duration::ZERO);
                let clients = self.clients.as_mut().ok_or("no clients")?;
                clients.answered(SimTime::ZERO + at, client);
            }
            "redo" => self.clients.as_mut().ok_or("no clients")?.redo_moved(),
            name => return Err(format!("no command {name}").into()),
        }
        args.reject_next()?;
        Ok(output)
    }
}

fn take(output: &mut String, clients: &mut Clients) -> std::fmt::Result {
    if clients.next_insert() == SimTime::NEVER {
        return writeln!(output, "nobody, without an answer");
    }
    let arrival = clients.take();
    let what = match arrival.kind {
        ArrivalKind::Commit => format!("client {} commits", arrival.client),
        ArrivalKind::Step => "a step".to_owned(),
        ArrivalKind::Transactions => "a step of transactions".to_owned(),
        ArrivalKind::Records => "records".to_owned(),
    };
    let (at, start) = (moment(arrival.at), moment(arrival.start));
    writeln!(output, "{at} {what} after {} bytes of WAL, begun at {start}", arrival.wal.0)
}

fn clients_config(
    load: &str,
    args: &mut ArgumentConsumer<'_>,
) -> Result<ClientsConfig, Box<dyn std::error::Error>> {
    let mut time = |name| key(args, name, duration).map(|d| d.unwrap_or(Duration::ZERO));
    let (service, think, gap) = (time("service")?, time("think")?, time("gap")?);
    let (at, over, step) = (time("at")?, time("over")?, time("step")?);
    let records = key(args, "records", bytes)?.unwrap_or(Bytes(100));
    let touches = key(args, "touches", number)?.unwrap_or(1000);
    let image = key(args, "image", bytes)?.unwrap_or(Bytes::kb(8));
    let pages = key(args, "pages", number)?.map(|pages| PageSet {
        pages,
        touches_per_thousand: u32::try_from(touches).expect("a small number"),
        image,
    });
    let poisson = args.take_key("poisson").is_some();
    let load = match load {
        "closed" => clients::Load::Closed {
            clients: u32::try_from(number(word(args)?)?)?,
            think: Quantiles::constant(think.0),
        },
        "open" => clients::Load::Open { gap, poisson },
        "bulk" => clients::Load::Bulk {
            at: SimTime::ZERO + at,
            every: None,
            bytes: bytes(word(args)?)?,
            over,
        },
        _ => clients::Load::Wal {
            step,
            profile: clients::WalProfile::Constant(bytes(word(args)?)?.0),
        },
    };
    Ok(ClientsConfig {
        load,
        records: Quantiles::constant(records.0),
        pages: pages.into_iter().collect(),
        service: Quantiles::constant(service.0),
        transactions: None,
        end: SimTime::ZERO + Duration::s(3600),
    })
}
