//! The drawing of a diagram.
//!
//! plotters knows neither titles of shapes nor styles, so the SVG is written as the page is.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, PreEscaped, html};
use models::trace::fact::{ServerId, What};
use models::trace::flow::{Flush, Inserted, Passed, Stop, Window};
use models::trace::messages::{LogLine, Process, Words};
use models::units::{Duration, SimTime, human};

use super::place::{Column, ROW, Scale};
use super::{Diagram, Message, exactly, style};
use crate::export::commits::{Commit, commits};
use crate::picture::shortened;

/// Where the lines of processes begin.
pub(super) const TOP: i32 = 226;
/// The space around everything.
pub(super) const MARGIN: i32 = 32;
/// Right edge of the times.
const TIMES: i32 = 184;
/// Right edge of the names of a followed commit's stages.
pub(super) const STAGES: i32 = 420;
/// Width of a followed commit's bar.
pub(super) const BAR: i32 = 22;
/// Distance of commits side by side.
const PITCH: i32 = 14;
/// So many commits are drawn side by side; further ones are only counted.
const SIDE_BY_SIDE: usize = 12;
/// So many commits are drawn at all.
const MOST_COMMITS: usize = 400;
/// So many commits have room of their own.
const MOST_APART: usize = 60;
/// So many flushes and so many commit records are drawn.
const MOST_MARKS: usize = 1_000;
/// So many log messages are drawn.
const MOST_LOGGED: usize = 60;
/// From the backends' line to the walsenders'.
const INSIDE: i32 = 250;
/// From one server to the next: what replies say stands there, or the shorter part of it.
const APART: [i32; 2] = [830, 560];
/// Room at the right, without and with log messages there.
const ASIDE: [i32; 2] = [90, 620];
/// A label of more characters has a row of its own.
const LONG: usize = 34;
/// Characters of a log message that are shown.
const LOGGED: usize = 48;

/// The drawing of these messages, and how many others there are.
pub fn draw(of: &Diagram<'_>, messages: &[Message], left_out: usize) -> String {
    let drawing = Drawing::new(of, messages);
    let (width, height) = (drawing.width, drawing.height(left_out));
    let (title, about) = (drawing.title(), drawing.about());
    let svg = html! {
        title { (title) }
        desc { (drawing.description()) }
        style { (PreEscaped(style::sheet())) }
        (style::heads())
        rect class="paper" width=(width) height=(height) {}
        text class="title" x=(MARGIN) y="48" { (title) }
        text class="muted" x=(MARGIN) y="86" { (about) }
        (drawing.faults())
        (drawing.times())
        (drawing.lines())
        (drawing.bars())
        @for message in messages { (drawing.arrow(message)) }
        (drawing.way())
        (drawing.logged())
        (drawing.labels())
        (drawing.table())
        (drawing.notes(left_out))
    };
    // Maud writes elements as HTML does: those without content would stay open.
    let size = format!("width=\"{}\" height=\"{}\"", width / 2, height / 2);
    let view = format!("viewBox=\"0 0 {width} {height}\" role=\"img\"");
    format!("{} {size} {view}>{}</svg>\n", super::START, svg.into_string())
}

/// A log message, where it stands.
struct Logged {
    at: SimTime,
    place: (i32, i32),
    line: LogLine,
    text: Option<String>,
}

/// A diagram, and where everything is.
pub(super) struct Drawing<'a> {
    pub(super) of: &'a Diagram<'a>,
    pub(super) messages: &'a [Message],
    commits: Vec<Commit<'a>>,
    /// Of each commit that is drawn its place among those side by side.
    beside: Vec<Option<usize>>,
    /// What stands in a row of its own.
    pub(super) rows: BTreeSet<(SimTime, Column)>,
    log: Vec<(SimTime, LogLine)>,
    pub(super) scale: Scale,
    /// The line of the primary's backends.
    pub(super) backend: i32,
    /// That of its walsenders.
    pub(super) sender: i32,
    /// Those of standbys' walreceivers.
    receivers: BTreeMap<ServerId, i32>,
    width: i32,
}

impl<'a> Drawing<'a> {
    fn new(of: &'a Diagram<'a>, messages: &'a [Message]) -> Drawing<'a> {
        let commits = if of.commit.is_some() { Vec::new() } else { commits(of.flow) };
        let beside = beside(&commits);
        let log = log(of);
        let rows = rows(of, messages, &log);
        let window = of.window;
        let ends = messages.iter().flat_map(|m| [m.passed.sent, m.passed.arrived]);
        // What flushes and commits do not have room for lies within a hair's breadth.
        let few = beside.iter().flatten().count() <= MOST_APART;
        let shown = commits.iter().zip(&beside).filter(|(_, place)| few && place.is_some());
        let stages = shown.flat_map(|(commit, _)| &commit.stages).flat_map(|s| [s.1, s.2]);
        let scale = Scale::new(window, TOP, rows.iter().copied().collect(), ends.chain(stages));
        let side = beside.iter().flatten().max().map_or(0, |most| *most as i32 + 1);
        let backend = match of.commit {
            Some(_) => STAGES + BAR + 90,
            None => TIMES + 60 + (side * PITCH).max(120),
        };
        let sender = backend + INSIDE;
        let there: BTreeSet<ServerId> = messages
            .iter()
            .flat_map(|message| [message.passed.from, message.passed.to])
            .chain(of.run.streams.iter().map(|stream| stream.standby))
            .filter(|server| of.is_standby(*server))
            .collect();
        let place = |(n, server): (i32, ServerId)| {
            (server, sender + APART[0] + n * APART[usize::from(there.len() > 2)])
        };
        let receivers: BTreeMap<ServerId, i32> =
            (0..).zip(there.iter().copied()).map(place).collect();
        let last = receivers.last_key_value().map_or((of.primary, sender), |(id, x)| (*id, *x));
        let aside = log.iter().any(|(_, line)| line.server == last.0);
        let width = last.1 + ASIDE[usize::from(aside)] + MARGIN;
        Drawing {
            of,
            messages,
            commits,
            beside,
            rows,
            log,
            scale,
            backend,
            sender,
            receivers,
            width,
        }
    }

    /// The line of a server's end of its streams.
    pub(super) fn line_of(&self, server: ServerId) -> i32 {
        self.receivers.get(&server).copied().unwrap_or(self.sender)
    }

    /// The line of a process.
    fn line_of_process(&self, server: ServerId, process: Process) -> i32 {
        match process {
            Process::WalSender(_) => self.sender,
            _ if server == self.of.primary => self.backend,
            _ => self.line_of(server),
        }
    }

    fn title(&self) -> String {
        match self.of.commit {
            Some(commit) => commit.title.clone(),
            None => {
                let Window { from, to } = self.of.window;
                let [from, to] = [from, to].map(|at| human::moment(at.0));
                format!("Messages from {from} to {to}")
            }
        }
    }

    fn about(&self) -> String {
        let run = self.of.run;
        let about = match self.of.commit {
            Some(commit) => commit.about.clone(),
            None => run.title.clone(),
        };
        let room = usize::try_from(self.width / 12).unwrap_or(80);
        shortened(&format!("{about} ({}, {})", run.scenario, run.variant), room)
    }

    /// For who does not see it.
    fn description(&self) -> String {
        let sent = self.messages.iter().filter(|m| m.passed.from == self.of.primary).count();
        let (primary, others) = (self.of.name(self.of.primary), self.messages.len() - sent);
        let stopped = self.messages.iter().filter(|m| m.passed.stopped.is_some()).count();
        let mut said = format!(
            "Time runs down, from {} to {}. {sent} messages go from {primary} to standbys, \
             {others} from standbys to {primary}; {stopped} of all were stopped on their way.",
            exactly(self.of.window.from),
            exactly(self.of.window.to)
        );
        for step in self.of.commit.iter().flat_map(|commit| &commit.steps) {
            let what = if step.what.is_empty() { "it begins" } else { &step.what };
            said += &format!(" {}: {what}.", exactly(step.at));
        }
        said
    }

    /// What befell the world, behind everything.
    fn faults(&self) -> Markup {
        let Window { from, to } = self.of.window;
        let all = self.of.run.faults.iter().filter(|fault| {
            let until = fault.until.unwrap_or(if fault.momentary { fault.from } else { to });
            fault.from <= to && until >= from
        });
        html! {
            @for fault in all {
                @let top = self.scale.y(fault.from);
                @let until = fault.until.unwrap_or(if fault.momentary { fault.from } else { to });
                @let height = (self.scale.y(until) - top).max(3);
                g {
                    title { "fault " (fault.name) " (" (fault.kind) "), " (exactly(fault.from)) }
                    rect class="fault" x=(TIMES + 10) y=(top) width=(self.width - TIMES - 10)
                        height=(height) {}
                    text class="fault-name end" x=(self.width - 14) y=(top + 24) {
                        (fault.name) " (" (fault.kind) ")"
                    }
                }
            }
        }
    }

    /// Times at the left: those of the commit's points, and others where there is room.
    fn times(&self) -> Markup {
        let steps = self.of.commit.iter().flat_map(|commit| &commit.steps).map(|step| step.at);
        let ends = [self.of.window.from, self.of.window.to];
        let mut placed: Vec<(i32, SimTime)> = Vec::new();
        for (at, room) in steps.map(|at| (at, 26)).chain(ends.map(|at| (at, 26))) {
            place_time(&mut placed, (self.scale.y(at), at), room);
        }
        for (at, y) in self.scale.moments() {
            place_time(&mut placed, (y, at), 80);
        }
        let long = self.of.window.to.since(self.of.window.from) >= Duration::s(10);
        let (unit, name) = if long { (1_000_000_000, "s") } else { (1_000_000, "ms") };
        let since = |at: SimTime| {
            let nanos = at.since(self.of.window.from).0;
            format!("+{}.{:03}{name}", nanos / unit, nanos % unit / (unit / 1_000))
        };
        let from = self.of.window.from;
        let time = |at: SimTime| if at == from { human::moment(at.0) } else { since(at) };
        html! {
            @for (y, at) in placed {
                path class="grid" d={ "M" (TIMES + 10) " " (y) "H" (self.width - MARGIN) } {}
                text class="muted end" x=(TIMES) y=(y + 8) {
                    title { (exactly(at)) }
                    (time(at))
                }
            }
        }
    }

    /// The lines of processes, with their names.
    fn lines(&self) -> Markup {
        let primary = self.of.primary;
        let mut lines = vec![(primary, self.backend, "client backends")];
        match self.receivers.len() {
            0 => {}
            1 => lines.push((primary, self.sender, "walsender")),
            _ => lines.push((primary, self.sender, "walsenders")),
        }
        lines.extend(self.receivers.iter().map(|(id, x)| (*id, *x, "walreceiver")));
        let primary_x = (self.backend + self.sender) / 2;
        let bottom = self.scale.bottom();
        html! {
            text class="server" x=(primary_x) y="150" { (shortened(self.of.name(primary), 30)) }
            @for (id, x) in &self.receivers {
                text class="server" x=(x) y="150" { (shortened(self.of.name(*id), 30)) }
            }
            @for (server, x, name) in lines {
                text class="muted middle" x=(x) y="186" { (name) }
                @if bottom > 1_600 {
                    text class="muted middle" x=(x) y=(bottom + 34) { (name) }
                }
                @for (class, from, to) in states(self.of, server) {
                    path class={ "line " (class) }
                        d={ "M" (x) " " (self.scale.y(from)) "V" (self.scale.y(to)) } {
                        @if !class.is_empty() { title { (self.of.name(server)) " is " (class) } }
                    }
                }
            }
        }
    }

    /// Flushes, and commits with their stages.
    fn bars(&self) -> Markup {
        let window = self.of.window;
        let seen = |flush: &&Flush| flush.began <= window.to && flush.done >= window.from;
        let lsn = |at: models::units::UsableBytes| at.end_lsn(self.of.size);
        let shown = self.commits.iter().zip(&self.beside);
        let inserted = self.of.flow.inserted.iter().take(MOST_MARKS);
        html! {
            @for flush in self.of.flow.flushes.iter().filter(seen).take(MOST_MARKS) {
                @let top = self.scale.y(flush.began);
                @let height = (self.scale.y(flush.done) - top).max(2);
                rect class="flush" x=(self.backend - 6) y=(top) width="12" height=(height) {
                    title {
                        "flush of " (lsn(flush.from)) " to " (lsn(flush.to)) ", "
                        (human::duration(flush.done.since(flush.began).0))
                    }
                }
            }
            @if self.of.commit.is_none() {
                @for Inserted { at, end, .. } in inserted.filter(|record| window.has(record.at)) {
                    @let y = self.scale.y(*at);
                    path class="record" d={ "M" (self.backend - 12) " " (y) "h24" } {
                        title { "a commit record is inserted, ends at " (lsn(*end)) }
                    }
                }
            }
            @for (commit, place) in shown {
                @if let Some(place) = place {
                    @let x = self.backend - 30 - PITCH * (*place as i32);
                    (self.commit(commit, x))
                }
            }
        }
    }

    fn commit(&self, commit: &Commit<'_>, x: i32) -> Markup {
        let answer = commit.answer;
        let version = self.of.run.pg_version;
        html! {
            g class="commit" data-number=(answer.number) {
                title {
                    "commit " (answer.number) ", "
                    (human::duration(answer.at.since(answer.start).0))
                    ", record ends at " (answer.end.end_lsn(self.of.size))
                    @for (stage, from, to) in &commit.stages {
                        "\n" (stage.name(version)) " " (human::duration(to.since(*from).0))
                    }
                }
                @for (stage, from, to) in &commit.stages {
                    @let (top, end) = (self.scale.y(*from), self.scale.y(*to));
                    @if end > top {
                        @let class = style::of_stage(stage.name(version));
                        rect class=(class) x=(x - 5) y=(top) width="10" height=(end - top) {}
                    }
                }
            }
        }
    }

    /// Messages in the servers' logs.
    fn logged(&self) -> Markup {
        let mut seen = BTreeSet::new();
        let place = |(at, line): &(SimTime, LogLine)| {
            let first = line.text.lines().next().unwrap_or_default();
            let text = format!("{}: {}", line.level.name(), first);
            let text = seen.insert((*at, line.server)).then(|| shortened(&text, LOGGED));
            let place = (self.line_of_process(line.server, line.process), self.scale.y(*at));
            Logged { at: *at, place, line: line.clone(), text }
        };
        let logged: Vec<Logged> = self.log.iter().map(place).collect();
        html! {
            @for Logged { at, place: (x, y), line, text } in logged {
                g {
                    title {
                        (self.of.name(line.server)) ", " (line.process.name()) ", " (exactly(at))
                        "\n"
                        (line.level.name()) ": " (line.text)
                    }
                    path class="log" d={ "M" (x) " " (y - 10) "l10 10l-10 10l-10 -10z" } {}
                    @if let Some(text) = text {
                        text class="label log" x=(x + 22) y=(y + 8) { (text) }
                    }
                }
            }
        }
    }

    /// Where the lines of processes and their names end.
    pub(super) fn below(&self) -> i32 {
        self.scale.bottom() + if self.scale.bottom() > 1_600 { 60 } else { 30 }
    }

    fn said(&self, left_out: usize) -> Vec<String> {
        let mut said =
            vec!["Time runs down, to scale but where lines of text need room.".to_owned()];
        let stopped = |stop| self.messages.iter().any(|m| m.passed.stopped == Some(stop));
        if stopped(Stop::Cut) {
            said.push(
                "A cross: lost where the way was cut. What goes on, dashed, was sent again."
                    .to_owned(),
            );
        }
        if stopped(Stop::Hold) {
            said.push("Two bars: held by the link, and passed on when it let go.".to_owned());
        }
        if left_out > 0 {
            let count = human::count(left_out as u64);
            said.push(format!("{count} other messages passed meanwhile and are not drawn."));
        }
        let hidden = self.beside.iter().filter(|place| place.is_none()).count();
        if hidden > 0 {
            let count = human::count(hidden as u64);
            said.push(format!("{count} more commits were answered and are not drawn."));
        }
        let marks = self.of.flow.flushes.len().max(self.of.flow.inserted.len());
        if self.of.commit.is_none() && marks > MOST_MARKS {
            said.push(format!("Only the first {MOST_MARKS} flushes and commit records are drawn."));
        }
        if self.log.len() == MOST_LOGGED {
            said.push(format!("Only the first {MOST_LOGGED} log messages are drawn."));
        }
        let older = self.of.flow.waiting.iter().filter(|p| p.sent < self.of.window.from).count();
        if older > 0 {
            let count = human::count(older as u64);
            said.push(format!("{count} older messages wait for the way and are not drawn."));
        }
        if self.messages.is_empty() {
            said.insert(0, "No message passed.".to_owned());
        }
        said
    }

    fn notes_top(&self) -> i32 {
        let steps = self.of.commit.map_or(0, |commit| commit.steps.len() as i32);
        self.below() + ROW * steps + if steps > 0 { 20 } else { 0 }
    }

    fn notes(&self, left_out: usize) -> Markup {
        html! {
            @for (y, note) in (1..).map(|n| self.notes_top() + ROW * n).zip(self.said(left_out)) {
                text class="muted" x=(MARGIN) y=(y) { (note) }
            }
        }
    }

    fn height(&self, left_out: usize) -> i32 {
        self.notes_top() + ROW * self.said(left_out).len() as i32 + MARGIN
    }
}

/// Takes a time if there is room for it.
fn place_time(placed: &mut Vec<(i32, SimTime)>, time: (i32, SimTime), room: i32) {
    if placed.iter().all(|(y, _)| (y - time.0).abs() >= room) {
        placed.push(time);
    }
}

/// Of each commit its place among those side by side, as far as there is room.
fn beside(commits: &[Commit<'_>]) -> Vec<Option<usize>> {
    let mut taken: Vec<SimTime> = Vec::new();
    let mut drawn = 0;
    let mut place = |commit: &Commit<'_>| {
        let (from, to) = (commit.answer.start, commit.answer.at);
        let free = taken.iter().position(|until| *until <= from).unwrap_or(taken.len());
        if free >= SIDE_BY_SIDE || drawn == MOST_COMMITS {
            return None;
        }
        drawn += 1;
        match taken.get_mut(free) {
            Some(until) => *until = to,
            None => taken.push(to),
        }
        Some(free)
    };
    commits.iter().map(&mut place).collect()
}

/// What stands in a row of its own: in the diagram of a commit, its own messages and few others.
fn rows(
    of: &Diagram<'_>,
    messages: &[Message],
    log: &[(SimTime, LogLine)],
) -> BTreeSet<(SimTime, Column)> {
    let few = of.commit.is_none() || messages.len() <= 24;
    let told = messages.iter().filter(|message| few || message.of_commit);
    let told = told.flat_map(|message| {
        let Passed { sent, from, to, .. } = message.passed;
        // What is long leaves no room for what the other one says at that height.
        let other = (message.label.chars().count() > LONG).then_some(to);
        std::iter::once(from).chain(other).map(move |server| (sent, Column::Said(server)))
    });
    let steps = of.commit.iter().flat_map(|commit| &commit.steps);
    let steps = steps.map(|step| (step.at, Column::Steps));
    let log = log.iter().map(|(at, line)| (*at, Column::Said(line.server)));
    let faults = of.run.faults.iter().map(|fault| (fault.from, Column::Edge));
    let all = told.chain(steps).chain(log).chain(faults);
    all.filter(|(at, _)| of.window.has(*at)).collect()
}

/// What servers logged in the window.
fn log(of: &Diagram<'_>) -> Vec<(SimTime, LogLine)> {
    let words = Words::new(of.run);
    let facts = of.run.facts.iter().filter(|fact| of.window.has(fact.at));
    let lines = facts.flat_map(|fact| {
        let lines = words.log_lines(fact);
        lines.into_iter().map(|line| (fact.at, line)).collect::<Vec<_>>()
    });
    lines.take(MOST_LOGGED).collect()
}

/// From when to when a server was up, down or frozen.
fn states(of: &Diagram<'_>, server: ServerId) -> Vec<(&'static str, SimTime, SimTime)> {
    let Window { from, to } = of.window;
    let mut states = Vec::new();
    let (mut state, mut since) = ("", from);
    let own = of.run.facts.iter().filter(|fact| fact.server == Some(server) && fact.at <= to);
    for fact in own {
        let next = match fact.what {
            What::Crashed { .. } | What::ShutDown => "down",
            What::Frozen { .. } => "frozen",
            What::Starting | What::Thawed => "",
            _ => continue,
        };
        if fact.at > since {
            states.push((state, since, fact.at));
        }
        (state, since) = (next, fact.at.max(from));
    }
    states.push((state, since, to));
    states
}
