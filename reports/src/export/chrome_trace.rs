//! A window of a run as a trace, for ui.perfetto.dev and chrome://tracing.
//!
//! A process is a server; a thread is one of its processes, with the process id that its log has.
//! A commit is a span from its intended start to its answer, with the wait events it went through
//! inside; since the sessions of a workload overlap, each takes the first thread that is free.
//! Checkpoints, recovery, connections and faults are spans, log messages are moments, lag and WAL
//! are counters. A message is an arrow from the moment at which it was sent to that at which it
//! arrived, between two slices of 10 us or less: arrows want something to hold on to, and people
//! something to click on.
//!
//! **Source.** "Trace Event Format" (Chrome's), the JSON object form; Perfetto's manual, "Other
//! trace formats".
//!
//! **Not modelled.** Commits that were not answered in the window are not there; neither are
//! messages that did not arrive.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use models::trace::Run;
use models::trace::fact::{Fact, ServerId, What};
use models::trace::flow::{Flow, Passed, Window};
use models::trace::messages::{Process, Words};
use models::trace::scrape::Scrape;
use models::units::{Duration, SegmentSize, SimTime};
use serde_json::{Value, json};

use super::commits::{Commit, commits};
use crate::ReportError;

/// How every trace begins.
pub const START: &str = "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n";

/// What a trace is made of.
#[derive(Clone, Copy, Debug)]
pub struct Passage<'a> {
    /// The run, at least up to the window's end.
    pub run: &'a Run,
    /// The server that clients write to.
    pub primary: ServerId,
    /// What passed in the window.
    pub flow: &'a Flow,
    /// The window.
    pub window: Window,
    /// The size of a segment of WAL.
    pub size: SegmentSize,
    /// What was so at moments of the window.
    pub scrapes: &'a [Scrape],
}

/// The trace, a line an event, in order of time.
pub fn chrome_trace(passage: &Passage<'_>) -> Result<String, ReportError> {
    let mut trace = Trace::new(passage);
    trace.commits()?;
    trace.facts()?;
    trace.messages()?;
    trace.counters()?;
    trace.text()
}

/// A thread: its process and its own number.
type Thread = (u32, u32);

/// An event that is yet to be put in order.
struct Event {
    /// Nanoseconds from the start of the run.
    at: u64,
    /// At one moment spans come first, those that contain others before those, then arrows.
    rank: (u8, Reverse<u64>),
    text: String,
}

/// A span that has begun.
struct Open {
    thread: Thread,
    since: SimTime,
    name: String,
    text: String,
}

/// What a span is of; there is at most one at a time, but of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Of {
    Checkpoint(ServerId),
    Recovery(ServerId),
    State(ServerId),
    Ice(ServerId),
    Receiver(ServerId),
    Sender(ServerId, ServerId, u32),
    Fault(u16),
    Action(u16),
}

struct Trace<'a> {
    of: &'a Passage<'a>,
    words: Words<'a>,
    events: Vec<Event>,
    threads: BTreeMap<Thread, String>,
    open: BTreeMap<Of, Open>,
    /// Where spans of a thread begin and end, and messages.
    bounds: BTreeMap<Thread, BTreeSet<SimTime>>,
    arrows: u64,
}

/// The slice that an arrow begins or ends at, unless something else happens there before.
const SLICE: Duration = Duration::us(10);
/// The thread of the primary's flushes, which backends and the walwriter do in turn.
const FLUSHES: u32 = 90;
/// The first thread of faults: it is not the number of a process, whose main thread that would be.
const FAULTS: u32 = 1_000;
/// The first thread of what an operator does.
const ACTIONS: u32 = FAULTS + u16::MAX as u32 + 1;
/// The first thread of sessions.
const SESSIONS: u32 = 200;
/// So many standbys there are at most: the distance of two walsenders of one standby.
const STANDBYS: u32 = 16;

impl<'a> Trace<'a> {
    fn new(of: &'a Passage<'a>) -> Trace<'a> {
        Trace {
            of,
            words: Words::new(of.run),
            events: Vec::new(),
            threads: BTreeMap::new(),
            open: BTreeMap::new(),
            bounds: BTreeMap::new(),
            arrows: 0,
        }
    }

    /// A process of a server.
    fn process(&mut self, server: ServerId, process: Process) -> Thread {
        let name = match process {
            Process::WalSender(standby) => format!("walsender {}", self.words.name(standby)),
            other => other.name().to_owned(),
        };
        self.thread((pid(server), process.pid(server)), name)
    }

    fn thread(&mut self, thread: Thread, name: String) -> Thread {
        self.threads.entry(thread).or_insert(name);
        thread
    }

    /// The process that stands for what is outside of all servers.
    fn outside(&self) -> u32 {
        u32::try_from(self.of.run.servers.len()).map_or(u32::MAX, |servers| servers + 1)
    }

    fn add(&mut self, at: SimTime, rank: (u8, u64), event: &Value) -> Result<(), ReportError> {
        let text = serde_json::to_string(event)?;
        self.events.push(Event { at: at.0, rank: (rank.0, Reverse(rank.1)), text });
        Ok(())
    }

    /// A span, if it has a length.
    fn span(
        &mut self,
        (pid, tid): Thread,
        (from, to): (SimTime, SimTime),
        name: &str,
        args: Value,
    ) -> Result<(), ReportError> {
        let length = to.since(from).0;
        if length == 0 {
            return Ok(());
        }
        self.bounds.entry((pid, tid)).or_default().extend([from, to]);
        let event = json!({
            "ph": "X", "name": name, "pid": pid, "tid": tid, "ts": micros(from.0),
            "dur": micros(length), "args": args,
        });
        self.add(from, (0, length), &event)
    }

    /// Commits in the order in which they began, and flushes.
    fn commits(&mut self) -> Result<(), ReportError> {
        let primary = self.of.primary;
        // Of each workload, until when its threads are taken.
        let mut lanes: Vec<(u16, SimTime)> = Vec::new();
        for commit in commits(self.of.flow) {
            let answer = commit.answer;
            let workload = answer.session.workload;
            let free = |lane: &(u16, SimTime)| lane.0 == workload && lane.1 <= answer.start;
            let lane = lanes.iter().position(free).unwrap_or(lanes.len());
            match lanes.get_mut(lane) {
                Some(lane) => lane.1 = answer.at,
                None => lanes.push((workload, answer.at)),
            }
            let number = u32::try_from(lane).unwrap_or(u32::MAX - SESSIONS);
            let thread = (pid(primary), first(primary) + SESSIONS + number);
            let name = format!("client backend ({})", self.words.workload(workload));
            let thread = self.thread(thread, name);
            self.commit(thread, &commit)?;
        }
        let flushes = &self.of.flow.flushes;
        if !flushes.is_empty() {
            let thread = (pid(primary), first(primary) + FLUSHES);
            let thread = self.thread(thread, "WAL flush".to_owned());
            for flush in flushes {
                let args = json!({
                    "from_lsn": flush.from.end_lsn(self.of.size).to_string(),
                    "flush_lsn": flush.to.end_lsn(self.of.size).to_string(),
                });
                self.span(thread, (flush.began, flush.done), "flush", args)?;
            }
        }
        Ok(())
    }

    fn commit(&mut self, thread: Thread, commit: &Commit<'_>) -> Result<(), ReportError> {
        let answer = commit.answer;
        let (from, to) = (answer.start, answer.at);
        let args = json!({
            "number": answer.number,
            "lsn": answer.end.end_lsn(self.of.size).to_string(),
            "latency_us": micros(to.since(from).0),
        });
        self.span(thread, (from, to), "COMMIT", args)?;
        for &(stage, since, until) in &commit.stages {
            let name = stage.name(self.of.run.pg_version);
            self.span(thread, (since, until), name, json!({}))?;
        }
        Ok(())
    }

    fn messages(&mut self) -> Result<(), ReportError> {
        let primary = self.of.primary;
        let mut ends = Vec::new();
        for message in &self.of.flow.messages {
            let mut end = |here: ServerId, there: ServerId, at: SimTime| {
                let process =
                    if here == primary { Process::WalSender(there) } else { Process::WalReceiver };
                let thread = self.process(here, process);
                self.bounds.entry(thread).or_default().insert(at);
                thread
            };
            let from = end(message.from, message.to, message.sent);
            ends.push((from, end(message.to, message.from, message.arrived)));
        }
        let messages = self.of.flow.messages.iter().zip(ends);
        messages.into_iter().try_for_each(|(message, (from, to))| self.arrow(message, from, to))
    }

    /// Where the slice of a message ends.
    fn slice(&self, thread: Thread, at: SimTime) -> SimTime {
        let after = (Bound::Excluded(at), Bound::Unbounded);
        let next = self.bounds.get(&thread).and_then(|bounds| bounds.range(after).next());
        next.map_or(at + SLICE, |next| (at + SLICE).min(*next))
    }

    fn arrow(&mut self, message: &Passed, from: Thread, to: Thread) -> Result<(), ReportError> {
        self.arrows += 1;
        let (name, id) = (message.name(), self.arrows);
        let mut args = serde_json::Map::from_iter([("bytes".to_owned(), json!(message.size().0))]);
        let positions = message.positions().into_iter();
        args.extend(positions.map(|(name, lsn)| (name.to_owned(), json!(lsn.to_string()))));
        let ends = [(message.sent, from, "s"), (message.arrived, to, "f")];
        for (at, (pid, tid), phase) in ends {
            let args = Value::Object(args.clone());
            self.span((pid, tid), (at, self.slice((pid, tid), at)), name, args)?;
            let mut event = json!({
                "ph": phase, "id": id, "name": name, "cat": "message", "pid": pid, "tid": tid,
                "ts": micros(at.0),
            });
            if phase == "f" {
                event["bp"] = json!("e");
            }
            self.add(at, (2, 0), &event)?;
        }
        Ok(())
    }

    fn counters(&mut self) -> Result<(), ReportError> {
        for scrape in self.of.scrapes {
            // Viewers put the name of the value behind the counter's.
            let mut counters = vec![("WAL kept", json!({ "bytes": scrape.truth.kept.0 }))];
            if let Some(behind) = scrape.truth.behind {
                counters.push(("WAL not replayed", json!({ "bytes": behind.replay.0 })));
                let seconds = behind.age.0 as f64 / 1e9;
                counters.push(("replay lag", json!({ "seconds": seconds })));
            }
            for (name, args) in counters {
                let event = json!({
                    "ph": "C", "name": name, "pid": pid(scrape.server), "ts": micros(scrape.at.0),
                    "args": args,
                });
                self.add(scrape.at, (1, 0), &event)?;
            }
        }
        Ok(())
    }

    /// Spans that begin and end with facts, and log messages.
    fn facts(&mut self) -> Result<(), ReportError> {
        for stream in &self.of.run.streams {
            let since = SimTime::ZERO;
            self.connect(stream.upstream, stream.standby, since);
            self.receive(stream.standby, stream.upstream, since);
        }
        let facts: Vec<Fact> = self.of.run.facts.iter().copied().collect();
        for fact in facts.iter().filter(|fact| fact.at <= self.of.window.to) {
            if let Some(server) = fact.server {
                self.happened(server, fact)?;
            }
            self.befell(fact)?;
            if self.of.window.has(fact.at) {
                self.log(fact)?;
            }
        }
        let open: Vec<Of> = self.open.keys().copied().collect();
        open.into_iter().try_for_each(|of| self.close(of, self.of.window.to))
    }

    fn begin(&mut self, of: Of, thread: Thread, fact: &Fact, name: &str) {
        let text = self.words.plain(fact);
        let (since, name) = (fact.at, name.to_owned());
        self.open.insert(of, Open { thread, since, name, text });
    }

    /// A span ends, and is written if it reaches into the window.
    fn close(&mut self, of: Of, at: SimTime) -> Result<(), ReportError> {
        let Some(open) = self.open.remove(&of) else { return Ok(()) };
        if at < self.of.window.from {
            return Ok(());
        }
        // A viewer opens with all of a trace in sight.
        let from = open.since.max(self.of.window.from);
        let args = json!({ "what": open.text, "since_seconds": open.since.0 as f64 / 1e9 });
        self.span(open.thread, (from, at), &open.name, args)
    }

    fn connect(&mut self, upstream: ServerId, standby: ServerId, since: SimTime) {
        // The walsender of an earlier connection may not have noticed its end.
        let taken: BTreeSet<u32> = self
            .open
            .keys()
            .filter_map(|of| match of {
                Of::Sender(up, to, lane) if (*up, *to) == (upstream, standby) => Some(*lane),
                _ => None,
            })
            .collect();
        let lane = (0..).find(|lane| !taken.contains(lane)).unwrap_or(0);
        let (pid, tid) = self.process(upstream, Process::WalSender(standby));
        let name = format!("walsender {}", self.words.name(standby));
        let thread = self.thread((pid, tid + STANDBYS * lane), name.clone());
        let text = format!("serves {}", self.words.name(standby));
        let name = "connection".to_owned();
        self.open.insert(Of::Sender(upstream, standby, lane), Open { thread, since, name, text });
    }

    fn receive(&mut self, standby: ServerId, upstream: ServerId, since: SimTime) {
        let thread = self.process(standby, Process::WalReceiver);
        let (text, name) =
            (format!("streams from {}", self.words.name(upstream)), "streaming".to_owned());
        self.open.insert(Of::Receiver(standby), Open { thread, since, name, text });
    }

    fn happened(&mut self, server: ServerId, fact: &Fact) -> Result<(), ReportError> {
        let at = fact.at;
        match fact.what {
            What::CheckpointStarted { .. } => {
                let name =
                    if self.words.is_standby(server, at) { "restartpoint" } else { "checkpoint" };
                let thread = self.process(server, Process::Checkpointer);
                self.begin(Of::Checkpoint(server), thread, fact, name);
            }
            What::CheckpointDone { .. } => self.close(Of::Checkpoint(server), at)?,
            What::RecoveryStarted { .. } => {
                let thread = self.process(server, Process::Startup);
                self.begin(Of::Recovery(server), thread, fact, "redo");
            }
            What::RecoveryDone { .. } => self.close(Of::Recovery(server), at)?,
            What::Starting => {
                self.close(Of::State(server), at)?;
                let thread = self.process(server, Process::Postmaster);
                self.begin(Of::State(server), thread, fact, "starting");
            }
            What::Ready | What::ReadyReadOnly { .. } | What::Consistent { .. } => {
                self.close(Of::State(server), at)?;
            }
            What::Crashed { .. } | What::ShutDown => {
                let own: Vec<Of> =
                    self.open.keys().copied().filter(|of| of.server() == Some(server)).collect();
                own.into_iter().try_for_each(|of| self.close(of, at))?;
                let thread = self.process(server, Process::Postmaster);
                self.begin(Of::State(server), thread, fact, "down");
            }
            What::Frozen { .. } => {
                let thread = self.process(server, Process::Postmaster);
                self.begin(Of::Ice(server), thread, fact, "frozen");
            }
            What::Thawed => self.close(Of::Ice(server), at)?,
            What::SenderStarted { standby, .. } => self.connect(server, standby, at),
            What::SenderEnded { standby, .. } => {
                let oldest =
                    |of: &&Of| matches!(of, Of::Sender(a, b, _) if (*a, *b) == (server, standby));
                let own = self.open.iter().filter(|(of, _)| oldest(of));
                let ends = own.min_by_key(|(_, open)| open.since).map(|(of, _)| *of);
                ends.map_or(Ok(()), |of| self.close(of, at))?;
            }
            What::StreamingStarted { upstream, .. } => self.receive(server, upstream, at),
            What::ReceiverEnded { .. } => self.close(Of::Receiver(server), at)?,
            _ => {}
        }
        Ok(())
    }

    /// Faults and what an operator does.
    fn befell(&mut self, fact: &Fact) -> Result<(), ReportError> {
        let run = self.of.run;
        match fact.what {
            What::FaultBegan { fault } => {
                let Some(span) = run.faults.get(usize::from(fault)) else { return Ok(()) };
                let thread = (self.outside(), FAULTS + u32::from(fault));
                let thread = self.thread(thread, format!("fault {}", span.name));
                self.begin(Of::Fault(fault), thread, fact, span.kind);
            }
            What::FaultHealed { fault } => self.close(Of::Fault(fault), fact.at)?,
            What::ActionBegan { action } => {
                let Some(done) = run.actions.get(usize::from(action)) else { return Ok(()) };
                let thread = (self.outside(), ACTIONS + u32::from(action));
                let thread = self.thread(thread, done.place.clone());
                self.begin(Of::Action(action), thread, fact, &done.what);
            }
            What::ActionEnded { action } => self.close(Of::Action(action), fact.at)?,
            _ => {}
        }
        Ok(())
    }

    fn log(&mut self, fact: &Fact) -> Result<(), ReportError> {
        for line in self.words.log_lines(fact) {
            let (pid, tid) = self.process(line.server, line.process);
            let event = json!({
                "ph": "i", "s": "t", "name": format!("{}: {}", line.level.name(), line.text),
                "cat": "log", "pid": pid, "tid": tid, "ts": micros(fact.at.0),
            });
            self.add(fact.at, (1, 0), &event)?;
        }
        Ok(())
    }

    /// Names first, then everything in order of time.
    fn text(mut self) -> Result<String, ReportError> {
        self.events.sort_by_key(|event| (event.at, event.rank));
        let mut lines = Vec::with_capacity(self.events.len() + self.threads.len());
        let run = self.of.run;
        let mut processes: Vec<(u32, &str)> =
            run.servers.iter().zip(1..).map(|(name, pid)| (pid, name.as_str())).collect();
        let outside = self.outside();
        if self.threads.keys().any(|(pid, _)| *pid == outside) {
            processes.push((outside, "faults and actions"));
        }
        for (pid, name) in processes {
            for (what, args) in [
                ("process_name", json!({ "name": name })),
                ("process_sort_index", json!({ "sort_index": pid })),
            ] {
                lines.push(serde_json::to_string(
                    &json!({ "ph": "M", "name": what, "pid": pid, "args": args }),
                )?);
            }
        }
        for ((pid, tid), name) in &self.threads {
            lines.push(serde_json::to_string(&json!({
                "ph": "M", "name": "thread_name", "pid": pid, "tid": tid, "args": { "name": name },
            }))?);
        }
        lines.extend(self.events.into_iter().map(|event| event.text));
        Ok(format!("{START}{}\n]}}\n", lines.join(",\n")))
    }
}

impl Of {
    /// The server whose end it does not survive.
    fn server(self) -> Option<ServerId> {
        match self {
            Of::Checkpoint(server)
            | Of::Recovery(server)
            | Of::State(server)
            | Of::Ice(server)
            | Of::Receiver(server)
            | Of::Sender(server, _, _) => Some(server),
            Of::Fault(_) | Of::Action(_) => None,
        }
    }
}

/// The process of a server.
fn pid(server: ServerId) -> u32 {
    u32::from(server.0) + 1
}

/// The process id of its postmaster.
fn first(server: ServerId) -> u32 {
    Process::Postmaster.pid(server)
}

/// Nanoseconds as the format wants them. Up to three months that is exact.
fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1_000.0
}
