//! A window of a run as a space-time diagram: an SVG that needs nothing else.
//!
//! A line downwards is a process, or several of a kind: the primary's backends and walsenders, a
//! standby's walreceiver. A slanted arrow is a message, from the moment when it was sent to that
//! when it arrived; what it says stands at its beginning, and all of it in its title. Commits lie
//! beside the backends' line as bars cut into the stages that they went through. One commit may be
//! followed: its way from its start to its answer is then drawn over everything else, each of its
//! points has a number, and a table has what lies between them. In such a diagram messages that
//! have nothing to do with it are left out when there are many.
//!
//! A message that a cut or a hold stopped ends on its way; if it arrived later, it goes on from
//! there, dashed. Colours are CSS variables that follow the reader's light or dark setting, and
//! say nothing that a form does not.
//!
//! * `place`: where moments are.
//! * `svg`: the drawing; `arrows`: its messages; `followed`: what it has of one commit;
//!   `style`: colours and forms.
//!
//! **Source.** Lamport, "Time, Clocks, and the Ordering of Events in a Distributed System" (1978),
//! for the form.
//!
//! **Not modelled.** Where on its way a message was stopped. What the startup process does shows
//! only in what replies say.

mod arrows;
mod followed;
mod place;
mod style;
mod svg;

use std::collections::BTreeSet;

use models::trace::Run;
use models::trace::fact::ServerId;
use models::trace::flow::{Flow, Kind, Passed, Stop, Window};
use models::units::{Lsn, SegmentSize, SimTime, UsableBytes, human};

/// How every diagram begins.
pub const START: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"messages\"";
/// So many messages a diagram has at most.
pub const MOST: usize = 200;
/// So many messages that have nothing to do with a commit are drawn beside its own.
const MOST_OTHERS: usize = 40;

/// What a diagram is made of.
#[derive(Clone, Copy, Debug)]
pub struct Diagram<'a> {
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
    /// The commit that is followed, if one is.
    pub commit: Option<&'a Followed>,
}

/// A commit that is followed.
#[derive(Clone, Debug)]
pub struct Followed {
    /// Which, and how long it took.
    pub title: String,
    /// Whose it is, and what it waited for.
    pub about: String,
    /// Where its record ends.
    pub end: UsableBytes,
    /// The standby whose reply released it.
    pub standby: Option<ServerId>,
    /// Its points in order of time, from its start to its answer.
    pub steps: Vec<Step>,
}

/// A point on the way of a commit.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its name in data.
    pub key: &'static str,
    /// When it was reached.
    pub at: SimTime,
    /// By whom.
    pub place: Place,
    /// What was done in the part that ends here.
    pub what: String,
    /// The stage that this part belongs to; that of the first point is none.
    pub stage: Option<&'static str>,
}

/// A process on the way of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The client's backend.
    Backend,
    /// The walsender of the standby that released it.
    WalSender,
    /// That standby's walreceiver.
    WalReceiver,
}

/// More messages than a diagram has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany {
    /// So many there are.
    pub messages: usize,
    /// A window that ends here has room for all of its own.
    pub until: SimTime,
}

impl Diagram<'_> {
    /// The drawing.
    ///
    /// # Errors
    /// If there is no room for all messages, and no commit to choose them by.
    pub fn svg(&self) -> Result<String, TooMany> {
        let mut messages = self.messages();
        let mut left_out = 0;
        if let Some(commit) = self.commit {
            let others = messages.iter().filter(|message| !message.of_commit).count();
            if others > MOST_OTHERS {
                messages.retain(|message| message.of_commit);
                left_out = others;
            }
            debug_assert!(commit.steps.is_sorted_by_key(|step| step.at));
        } else if let Some(first_left) = messages.get(MOST) {
            // One more than there is room for has been sent then.
            let until = SimTime(first_left.passed.sent.0.saturating_sub(1));
            let until = until.max(self.window.from);
            return Err(TooMany { messages: messages.len(), until });
        }
        Ok(svg::draw(self, &messages, left_out))
    }

    /// All messages that are sent or arrive in the window, by when they were sent.
    fn messages(&self) -> Vec<Message> {
        let window = self.window;
        let Flow { messages, waiting, lost, .. } = self.flow;
        let passes = |passed: &&Passed| passed.sent <= window.to && passed.arrived >= window.from;
        let stays = |passed: &&Passed| window.has(passed.sent);
        let missing = waiting.iter().chain(lost).filter(stays);
        let all = messages.iter().filter(passes).chain(missing);
        let mut all: Vec<&Passed> = all.collect();
        all.sort_by_key(|passed| (passed.sent, passed.arrived, passed.from, passed.to));
        let size = self.size;
        let brought = |commit: &Followed| Brought { end: commit.end, size, said: BTreeSet::new() };
        let mut brought = self.commit.map(brought);
        let mut told: Vec<Message> = Vec::with_capacity(all.len());
        for passed in all {
            let same = |m: &&Message| {
                let other = &m.passed;
                (other.from, other.connection) == (passed.from, passed.connection)
                    && other.kind() == Kind::Reply
            };
            let before = told.iter().rev().find(same).map(|message| &message.passed);
            told.push(Message {
                passed: *passed,
                label: label(passed, before),
                is_lost: self.flow.lost.contains(passed),
                of_commit: brought.as_mut().is_some_and(|brought| brought.by(passed)),
            });
        }
        told
    }

    fn is_standby(&self, server: ServerId) -> bool {
        server != self.primary
    }

    fn name(&self, server: ServerId) -> &str {
        self.run.servers.get(server.index()).map_or("?", String::as_str)
    }

    /// All that there is to say about a message.
    fn title(&self, message: &Message) -> String {
        let Passed { sent, arrived, from, to, .. } = message.passed;
        let positions = message.passed.positions();
        let positions: String =
            positions.iter().map(|(name, lsn)| format!("\n{name} {lsn}")).collect();
        let fate = match (message.is_lost, message.passed.stopped, arrived == SimTime::NEVER) {
            (true, _, _) => "lost, and not sent again".to_owned(),
            (_, Some(Stop::Cut), true) => "lost on a link that is cut".to_owned(),
            (_, Some(Stop::Hold), true) => "held by the link".to_owned(),
            (_, stopped, _) => {
                let why = match stopped {
                    None => "",
                    Some(Stop::Cut) => ", sent again after a cut",
                    Some(Stop::Hold) => ", held by the link",
                };
                let took = human::duration(arrived.since(sent).0);
                format!("arrived {}{why}: {took}", exactly(arrived))
            }
        };
        format!(
            "{} from {} to {}, {}{positions}\nsent {}\n{fate}",
            message.passed.name(),
            self.name(from),
            self.name(to),
            human::bytes(message.passed.size().0),
            exactly(sent),
        )
    }
}

/// Which messages bring a commit's record to a standby, or are the first to say that it has it.
struct Brought {
    end: UsableBytes,
    size: SegmentSize,
    /// Standbys that have said that they have written, flushed, replayed it.
    said: BTreeSet<(ServerId, usize)>,
}

impl Brought {
    fn has(&self, lsn: Lsn) -> bool {
        lsn.is_valid() && UsableBytes::from_lsn(lsn, self.size) >= self.end
    }

    /// Whether the next message does.
    fn by(&mut self, passed: &Passed) -> bool {
        let positions = passed.positions();
        let has = |this: &Brought, n: usize| positions.get(n).is_some_and(|said| this.has(said.1));
        match passed.kind() {
            Kind::Wal => has(self, 1) && !has(self, 0),
            Kind::Reply => (0..positions.len()).fold(false, |new, n| {
                let says = has(self, n) && self.said.insert((passed.from, n));
                says || new
            }),
            Kind::Keepalive | Kind::Other => false,
        }
    }
}

/// A message of the diagram.
struct Message {
    passed: Passed,
    label: String,
    is_lost: bool,
    of_commit: bool,
}

/// What stands at an arrow. A reply says what is new since the one before on its connection.
fn label(passed: &Passed, before: Option<&Passed>) -> String {
    let said = match passed.kind() {
        Kind::Wal => match passed.positions()[..] {
            [(_, start), (_, end), ..] => {
                format!("WAL {start} to {end}, {}", human::bytes(end.0 - start.0))
            }
            _ => passed.name().to_owned(),
        },
        Kind::Reply => reply(passed, before),
        Kind::Keepalive => passed.name().to_owned(),
        Kind::Other => {
            let positions = passed.positions();
            let positions = positions.iter().map(|(_, lsn)| format!(" {lsn}"));
            format!("{}{}", passed.name(), positions.collect::<String>())
        }
    };
    if passed.asks_for_a_reply() { format!("{said}, asks for a reply") } else { said }
}

fn reply(passed: &Passed, before: Option<&Passed>) -> String {
    let old = before.map(Passed::positions).unwrap_or_default();
    let new = passed.positions().into_iter().filter(|said| !old.contains(said));
    let mut said = String::new();
    let mut last = None;
    for (name, lsn) in new {
        let name = name.trim_end_matches("_lsn");
        match last {
            Some(same) if same == lsn => said += &format!(", {name}"),
            Some(other) => said += &format!(" {other}; {name}"),
            None => said += &format!("reply: {name}"),
        }
        last = Some(lsn);
    }
    last.map_or_else(|| "reply: nothing new".to_owned(), |lsn| format!("{said} {lsn}"))
}

/// A moment to the nanosecond.
fn exactly(at: SimTime) -> String {
    format!("{}.{:09} s", at.0 / 1_000_000_000, at.0 % 1_000_000_000)
}
