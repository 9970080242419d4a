//! What led to a standby's loss, or where its lag sat when it was largest.

use models::trace::Run;
use models::trace::fact::Fact as Happened;
use models::trace::messages::Words;
use models::units::{Bytes, Lsn, SegmentSize, SimTime, human};
use scenarios::fault::Fault;
use serde::Serialize;
use sim::Options;
use sim::explain::standby::{BEFORE, Lag, Loss, lag, loss};

use super::Asked;
use crate::errors::Failure;
use crate::screen::grid;
use crate::terminal::{Style, Terminal, wrap};

/// Facts of a chain that are shown.
const SHOWN: usize = 20;

/// Prints it; whether there is something to explain.
pub fn explain(asked: &Asked<'_>, name: &str, terminal: &mut Terminal) -> Result<bool, Failure> {
    let scenario = asked.scenario();
    let standbys = scenario.servers.iter().filter(|server| server.upstream.is_some());
    let names: Vec<&str> = standbys.map(|server| server.name.as_str()).collect();
    let index = scenario.servers.iter().position(|server| server.name == name);
    let index = index.filter(|_| names.contains(&name)).ok_or_else(|| {
        let help = scenarios::choices(name, "there are", names.iter().copied());
        Failure::Argument { message: format!("the run has no standby {name}"), help: Some(help) }
    })?;
    let run = asked.play(1, |outside| sim::run(scenario, Options::default(), outside))?;
    asked.run.check_repeats(asked.variant, &run.moments)?;
    let upstream = scenario.servers[index].upstream.expect("a standby has one");
    let told = Told {
        name,
        upstream: &scenario.servers[upstream].name,
        segment: scenario.servers[upstream].settings.wal_segment_size,
        slot: scenario.servers[index].slot.as_deref(),
        loss: loss(&run, scenario, index),
        lag: lag(&run, scenario, index),
        link: scenario.link(upstream, index).map(|link| link.bandwidth.bytes_per_second()),
        replay: scenario.servers[index].replay.bytes_per_second(),
        faults: &scenario.faults,
        run: &run,
    };
    if asked.args.json {
        terminal.line(super::json(asked, "standby", super::value(&told.data())?)?);
    } else {
        told.print(terminal);
    }
    Ok(told.loss.is_some() || told.lag.is_some())
}

struct Told<'a> {
    name: &'a str,
    upstream: &'a str,
    segment: SegmentSize,
    slot: Option<&'a str>,
    loss: Option<Loss>,
    lag: Option<Lag>,
    link: Option<u64>,
    replay: u64,
    faults: &'a [Fault],
    run: &'a Run,
}

impl Told<'_> {
    fn print(&self, terminal: &mut Terminal) {
        match (&self.loss, &self.lag) {
            (Some(loss), _) => self.lost(loss, terminal),
            (None, Some(lag)) => self.behind(lag, terminal),
            (None, None) => {
                terminal.line(format!("{} was never behind {}.", self.name, self.upstream));
            }
        }
    }

    fn lost(&self, loss: &Loss, terminal: &mut Terminal) {
        let title =
            format!("{} is lost: WAL that it needs is gone from {}", self.name, self.upstream);
        terminal.line(terminal.paint(Style::Bold, &title));
        terminal.line("");
        let words = Words::new(self.run);
        let left_out = loss.chain.len().saturating_sub(SHOWN);
        let shown = loss.chain.iter().enumerate();
        let shown = shown.filter(|(n, _)| *n < SHOWN / 2 || *n >= SHOWN / 2 + left_out);
        let rows: Vec<Vec<String>> =
            shown.map(|(_, fact)| vec![human::moment(fact.at.0), words.plain(fact)]).collect();
        let room = terminal.width().saturating_sub(14).max(30);
        for row in &rows {
            for (n, line) in wrap(&row[1], room).iter().enumerate() {
                let at = if n == 0 { row[0].as_str() } else { "" };
                terminal.line(format!("  {at:>10}  {line}"));
            }
        }
        if left_out > 0 {
            terminal.line(format!("  {left_out} more in between are in facts.jsonl"));
        }
        terminal.line("");
        for line in wrap(&self.remedy(), terminal.width()) {
            terminal.line(line);
        }
    }

    /// What would have kept it.
    fn remedy(&self) -> String {
        let standby = self.run.summary.standbys.iter().find(|standby| standby.name == self.name);
        let slot = self.slot.and_then(|slot| {
            self.run.summary.slots.iter().find(|summary| summary.slot_name == slot)
        });
        let size = |bytes: u64| format!("{}MB", bytes.div_ceil(1 << 20));
        match (slot, standby) {
            (Some(slot), _) => format!(
                "A max_slot_wal_keep_size of {} would have kept it, if nothing else had changed; \
                 at least so much, if it was lost to the end.",
                size(slot.wal_needed_bytes)
            ),
            (None, Some(standby)) => format!(
                "A wal_keep_size of {} would have kept it, if nothing else had changed, or a slot \
                 on {}; at least so much, if it was lost to the end.",
                size(standby.wal_needed_bytes),
                self.upstream
            ),
            (None, None) => String::new(),
        }
    }

    fn behind(&self, lag: &Lag, terminal: &mut Terminal) {
        let title = format!(
            "{} was furthest behind at {}: by {}",
            self.name,
            human::moment(lag.at.0),
            human::bytes(lag.all.0)
        );
        terminal.line(terminal.paint(Style::Bold, &title));
        terminal.line("");
        let rows: Vec<Vec<String>> = self
            .parts(lag)
            .iter()
            .map(|(what, bytes)| {
                let share = 100.0 * bytes.0 as f64 / lag.all.0.max(1) as f64;
                vec![what.clone(), human::bytes(bytes.0), format!("{share:.0} %")]
            })
            .collect();
        for line in grid(&rows) {
            terminal.line(format!("  {line}"));
        }
        terminal.line("");
        for line in wrap(&self.reason(lag), terminal.width()) {
            terminal.line(line);
        }
    }

    fn parts(&self, lag: &Lag) -> [(String, Bytes); 4] {
        let unsent = match lag.connected {
            true => format!("not sent by {}", self.upstream),
            false => format!("not sent by {}: no walsender serves it", self.upstream),
        };
        [
            (unsent, lag.unsent),
            (format!("sent, and not written by {}", self.name), lag.sent),
            ("written, and not flushed".to_owned(), lag.written),
            ("flushed, and not replayed".to_owned(), lag.flushed),
        ]
    }

    /// What the largest part comes from.
    fn reason(&self, lag: &Lag) -> String {
        let rate = |bytes: u64| format!("{}/s", human::bytes(bytes));
        let rates = format!(
            "In the minute before, {} made {} of WAL and {} replayed {}.",
            self.upstream,
            rate(lag.made.0),
            self.name,
            rate(lag.replayed.0)
        );
        let [unsent, sent, written, flushed] = self.parts(lag).map(|(_, bytes)| bytes);
        let most = unsent.max(sent).max(written).max(flushed);
        let why = if let Some((left, back)) = lag.away {
            format!(
                "It had just come back: it was away from {} to {}.",
                human::moment(left.0),
                human::moment(back.0)
            )
        } else if !lag.connected {
            "No walsender served it: it was away, or could not connect.".to_owned()
        } else if most == flushed {
            format!("It waits for replay, which takes {} at most.", rate(self.replay))
        } else if most == written || written.0 > 0 {
            // What is not flushed yet keeps its walreceiver from reading on.
            "It waits for the standby's disk: its walreceiver reads on when that has flushed."
                .to_owned()
        } else {
            let link = self.link.map_or_else(String::new, |link| {
                format!(", which carries {} when nothing is wrong with it", rate(link))
            });
            format!("It waits for the link{link}.")
        };
        let told = |fault: &Fault| {
            let begins = SimTime::ZERO + fault.at;
            let over = fault.lasts.map(|lasts| begins + lasts).filter(|over| *over < lag.at);
            // What it held back may come long after it.
            if begins > lag.at || over.is_some_and(|over| lag.at.since(over) > BEFORE) {
                return None;
            }
            let until = over.map(|over| format!(" until {}", human::moment(over.0)));
            let (name, kind) = (&fault.name, fault.kind.name());
            Some(format!(" Fault {name} ({kind}) was on{}.", until.unwrap_or_default()))
        };
        format!("{rates} {why}{}", self.faults.iter().filter_map(told).collect::<String>())
    }

    fn data(&self) -> Data<'_> {
        let words = Words::new(self.run);
        let step = |fact: &Happened| Step {
            at_seconds: fact.at.since(SimTime::ZERO).as_seconds(),
            text: words.plain(fact),
        };
        let chain = self.loss.as_ref().map(|loss| loss.chain.iter().map(step).collect());
        let segment = self.loss.as_ref().and_then(|loss| loss.segment);
        Data {
            name: self.name,
            upstream: self.upstream,
            lost: self.loss.is_some(),
            segment_start: segment.map(|n| Lsn(n * self.segment.bytes()).to_string()),
            chain: chain.unwrap_or_default(),
            lag: self.lag.map(|lag| LagData {
                at_seconds: lag.at.since(SimTime::ZERO).as_seconds(),
                bytes: lag.all.0,
                unsent_bytes: lag.unsent.0,
                sent_bytes: lag.sent.0,
                written_bytes: lag.written.0,
                flushed_bytes: lag.flushed.0,
                connected: lag.connected,
                made_per_second: lag.made.0,
                replayed_per_second: lag.replayed.0,
            }),
        }
    }
}

#[derive(Serialize)]
struct Data<'a> {
    name: &'a str,
    upstream: &'a str,
    lost: bool,
    segment_start: Option<String>,
    chain: Vec<Step>,
    lag: Option<LagData>,
}

#[derive(Serialize)]
struct Step {
    at_seconds: f64,
    text: String,
}

#[derive(Serialize)]
struct LagData {
    at_seconds: f64,
    bytes: u64,
    unsent_bytes: u64,
    sent_bytes: u64,
    written_bytes: u64,
    flushed_bytes: u64,
    connected: bool,
    made_per_second: u64,
    replayed_per_second: u64,
}
