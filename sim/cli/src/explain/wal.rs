//! For each segment of pg_wal what keeps it.

use models::postgres::server::Server;
use models::trace::fact::ServerId;
use models::units::{SimTime, human};
use serde::Serialize;
use sim::explain::wal::{Rule, Segments, kept};
use sim::look::Moment;

use super::Asked;
use crate::errors::Failure;
use crate::screen::grid;
use crate::terminal::{Style, Terminal};

/// Prints it.
pub fn explain(asked: &Asked<'_>, terminal: &mut Terminal) -> Result<bool, Failure> {
    let scenario = asked.scenario();
    let end = SimTime::ZERO + scenario.duration;
    let at = asked.args.at.as_deref().map(|text| super::moment(text, scenario.duration));
    let at = at.transpose()?.unwrap_or(end);
    let names: Vec<&str> = scenario.servers.iter().map(|server| server.name.as_str()).collect();
    let index = match &asked.args.server {
        None => scenario.primary(),
        Some(wanted) => names.iter().position(|name| name == wanted).ok_or_else(|| {
            let help = scenarios::choices(wanted, "there are", names.iter().copied());
            let message = format!("the run has no server {wanted}");
            Failure::Argument { message, help: Some(help) }
        })?,
    };
    let seen = asked.play(1, |outside| Moment::of(scenario, at, &[], outside))?;
    asked.run.check_repeats(asked.variant, seen.digests())?;
    let id = ServerId(u8::try_from(index).expect("a scenario has at most 16 servers"));
    let told = Told { name: names[index], at, server: seen.server(id), slots: &scenario.slots };
    if asked.args.json {
        terminal.line(super::json(asked, "wal", super::value(&told.data())?)?);
    } else {
        told.print(terminal);
    }
    Ok(true)
}

struct Told<'a> {
    name: &'a str,
    at: SimTime,
    server: &'a Server,
    slots: &'a [String],
}

impl Told<'_> {
    fn print(&self, terminal: &mut Terminal) {
        let files = &self.server.host.files;
        let title = format!(
            "pg_wal of {} at {}: {} files, {}",
            self.name,
            human::moment(self.at.0),
            files.newest + 1 - files.oldest,
            human::bytes(files.bytes().0)
        );
        terminal.line(terminal.paint(Style::Bold, &title));
        terminal.line("");
        let all = kept(self.server);
        let mut rows = vec![["from", "to", "files", "bytes"].map(str::to_owned).to_vec()];
        rows.extend(all.iter().map(|kept| {
            let count = kept.to + 1 - kept.from;
            let bytes = human::bytes(count * files.size.bytes());
            vec![self.file(kept.from), self.file(kept.to), count.to_string(), bytes]
        }));
        let lines = grid(&rows);
        let why = all.iter().map(|kept| self.rules(kept).join("; "));
        let why = std::iter::once("kept by".to_owned()).chain(why);
        for (line, why) in lines.iter().zip(why) {
            terminal.line(format!("  {line}  {why}"));
        }
    }

    fn file(&self, segment: u64) -> String {
        self.server.host.segment(segment).to_string()
    }

    fn rules(&self, kept: &Segments) -> Vec<String> {
        kept.rules.iter().map(|rule| self.rule(rule)).collect()
    }

    fn rule(&self, rule: &Rule) -> String {
        match rule {
            Rule::Ahead => "waits to be written".to_owned(),
            Rule::Current => "is being written".to_owned(),
            Rule::Redo { redo } => format!("the last checkpoint's redo point ({redo})"),
            Rule::WalKeepSize { size } => {
                format!("wal_keep_size = '{}MB'", size.0 >> 20)
            }
            Rule::Slot { slot, restart } => {
                let name = self.slots.get(usize::from(slot.0)).map_or("?", String::as_str);
                format!("slot {name} (restart_lsn {restart})")
            }
            Rule::Nothing => "nothing: goes when the next checkpoint ends".to_owned(),
        }
    }

    fn data(&self) -> Data<'_> {
        let files = &self.server.host.files;
        let part = |kept: &Segments| Part {
            from: self.file(kept.from),
            to: self.file(kept.to),
            files: kept.to + 1 - kept.from,
            rules: self.rules(kept),
        };
        Data {
            server: self.name,
            at_seconds: self.at.since(SimTime::ZERO).as_seconds(),
            files: files.newest + 1 - files.oldest,
            bytes: files.bytes().0,
            kept: kept(self.server).iter().map(part).collect(),
        }
    }
}

#[derive(Serialize)]
struct Data<'a> {
    server: &'a str,
    at_seconds: f64,
    files: u64,
    bytes: u64,
    kept: Vec<Part>,
}

#[derive(Serialize)]
struct Part {
    from: String,
    to: String,
    files: u64,
    rules: Vec<String>,
}
