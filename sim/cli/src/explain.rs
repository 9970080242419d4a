//! `walden explain`: why a commit took so long, why a standby is lost or behind, what keeps WAL,
//! what a finding's code means.
//!
//! * [`commit`], [`standby`], [`wal`]: the answers, on the screen and as JSON.
//! * [`drawn`]: a commit's as a picture.

mod commit;
mod drawn;
mod standby;
mod wal;

use std::path::PathBuf;

use clap::Args;
use models::units::{Duration, SimTime};
use reports::export::diagram;
use scenarios::check::rules;
use scenarios::scenario::Scenario;
use sim::world::trail::Sought;
use sim::{Outside, RunError};

use crate::errors::Failure;
use crate::exit::Exit;
use crate::file;
use crate::opened::Opened;
use crate::play;
use crate::progress::{self, Shown};
use crate::stop::Stop;
use crate::terminal::{ColorChoice, Style, Terminal, wrap};

/// `--help` closes with these.
const MORE: &str = "\
Examples:
  walden explain latest --commit slowest
      where the time of the slowest commit of the last run went
  walden explain sync/five_levels --variant on --commit 1000
      the thousandth commit of a scenario of the catalogue
  walden explain latest --commit slowest --diagram slowest.svg
      the same as a picture of the messages on its way
  walden explain slots/offline_without_slot --variant base --standby pg2
      what led to a standby's loss, or where its lag sits
  walden explain latest --wal --at 1h
      for each segment in pg_wal what keeps it
  walden explain WAL005
      what a finding of `walden check` means

The run is played again, and must repeat what was stored. Commits count from 1 in the order of
their answers. Where a workload's commits wait for standbys, the path is that of the standby whose
reply released the commit.

A diagram goes on until the standbys have said that they have the commit, a second at most. Of
the messages that have nothing to do with it, it has up to forty.

Exits with 1 if there is nothing to explain: no such commit, no lag.

--json prints an object: schema (\"walden.explain/1\"), walden, scenario, variant, and one of
commit{ number, start_seconds, at_seconds, latency_seconds, level, workload, client, end_lsn,
  standby, ahead_bytes, together, parts[]: point, stage, server, until_seconds, seconds }
standby{ name, upstream, lost, segment_start, chain[]: at_seconds, text; lag{ at_seconds, bytes,
  unsent_bytes, sent_bytes, written_bytes, flushed_bytes, connected, made_per_second,
  replayed_per_second } }
wal{ server, at_seconds, files, bytes, kept[]: from, to, files, rules[] }";

/// Say why: a commit's latency, a lost standby, WAL that is kept, a finding.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = MORE)]
pub struct ExplainArgs {
    /// The run's folder, its run.toml, or `latest`; a scenario or a name of the catalogue; or the
    /// code of a finding.
    #[arg(value_name = "RUN|CODE")]
    pub what: String,
    /// One commit: its number in the order of answers, or `slowest`.
    #[arg(long, value_name = "N", group = "question")]
    pub commit: Option<String>,
    /// With --commit: also draw the messages on its way, as an SVG.
    #[arg(long, value_name = "FILE")]
    pub diagram: Option<PathBuf>,
    /// One standby: how it was lost, or where its lag was when it was largest.
    #[arg(long, value_name = "NAME", group = "question")]
    pub standby: Option<String>,
    /// The segments of pg_wal, and what keeps each.
    #[arg(long, group = "question")]
    pub wal: bool,
    /// The moment for --wal; the end of the run unless given.
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub at: Option<String>,
    /// The server for --wal; the primary unless given.
    #[arg(long, value_name = "NAME")]
    pub server: Option<String>,
    /// Of which variant, if the run has several.
    #[arg(long, value_name = "NAME")]
    pub variant: Option<String>,
    /// Where the folder `runs` is that `latest` is looked up in.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub out: PathBuf,
    /// Print one object for a program.
    #[arg(long)]
    pub json: bool,
    /// Print no progress.
    #[arg(long, short)]
    pub quiet: bool,
}

/// What an answer is printed with.
struct Asked<'a> {
    args: &'a ExplainArgs,
    run: &'a Opened,
    variant: usize,
    stop: &'a Stop,
}

impl Asked<'_> {
    fn scenario(&self) -> &Scenario {
        &self.run.scenarios[self.variant]
    }

    /// Plays the run again as often as `times`, behind a bar.
    fn play<T: Send>(
        &self,
        times: u64,
        work: impl FnOnce(&Outside) -> Result<T, RunError> + Send,
    ) -> Result<T, Failure> {
        let outside = [Outside::default()];
        let scenario = self.scenario();
        let total = times * scenario.duration.0;
        let shown = Shown { what: &scenario.name, total, quiet: self.args.quiet };
        let played = progress::watch(shown, &progress::of(&outside), &outside, self.stop, || {
            work(&outside[0])
        })?;
        self.stop.check()?;
        played.map_err(|error| play::failure(&error, self.stop))
    }
}

/// Does it.
pub fn explain(args: &ExplainArgs, color: ColorChoice) -> Result<Exit, Failure> {
    let mut terminal = Terminal::new(color);
    if args.diagram.is_some() && args.commit.is_none() {
        return Err(Failure::Usage { message: "--diagram goes with --commit".to_owned() });
    }
    if let Some(rule) = rules::rule(&args.what) {
        finding(args, rule, &mut terminal)?;
        terminal.finish()?;
        return Ok(Exit::Met);
    }
    if !args.wal && (args.at.is_some() || args.server.is_some()) {
        let message = "--at and --server go with --wal".to_owned();
        return Err(Failure::Usage { message });
    }
    if let Some(file) = &args.diagram {
        file::check_place(file, &[diagram::START], "drawn by Walden")?;
    }
    let stop = Stop::listen().map_err(|e| Failure::Internal { message: e.to_string() })?;
    let run = Opened::find(&args.what, &args.out)?;
    let variant = run.one_variant(args.variant.as_deref())?;
    let asked = Asked { args, run: &run, variant, stop: &stop };
    let found = match (&args.commit, &args.standby, args.wal) {
        (Some(commit), _, _) => commit::explain(&asked, sought(commit)?, &mut terminal)?,
        (_, Some(standby), _) => standby::explain(&asked, standby, &mut terminal)?,
        (_, _, true) => wal::explain(&asked, &mut terminal)?,
        (None, None, false) => {
            let message = "what is to be explained? --commit N, --commit slowest, --standby NAME \
                           or --wal";
            return Err(Failure::Usage { message: message.to_owned() });
        }
    };
    terminal.finish()?;
    Ok(if found { Exit::Met } else { Exit::NotMet })
}

fn sought(text: &str) -> Result<Sought, Failure> {
    if text == "slowest" {
        return Ok(Sought::Slowest);
    }
    let number = text.parse().ok().filter(|number| *number > 0);
    number.map(Sought::Number).ok_or_else(|| Failure::Argument {
        message: format!("--commit cannot be `{}`", text.escape_debug()),
        help: Some("a number from 1, or `slowest`".to_owned()),
    })
}

fn finding(args: &ExplainArgs, rule: &rules::Rule, terminal: &mut Terminal) -> Result<(), Failure> {
    let questions = [args.commit.is_some(), args.standby.is_some(), args.wal, args.json];
    if questions.contains(&true) {
        let message = format!("{} is a finding, and takes no question and no --json", rule.code);
        return Err(Failure::Usage { message });
    }
    let title = format!("{} ({}): {}", rule.code, rule.level.name(), rule.title);
    terminal.line(terminal.paint(Style::Bold, &title));
    terminal.line("");
    for line in wrap(rule.explanation, terminal.width()) {
        terminal.line(line);
    }
    Ok(())
}

/// A moment of the run.
fn moment(text: &str, whole: Duration) -> Result<SimTime, Failure> {
    let wrong = |help: String| Failure::Argument {
        message: format!("--at cannot be `{}`", text.escape_debug()),
        help: Some(help),
    };
    let at = scenarios::duration(text).map_err(|why| wrong(why.help))?;
    if at > whole {
        return Err(wrong(format!("the run takes {whole}")));
    }
    Ok(SimTime::ZERO + at)
}

/// The object for a program.
fn json(asked: &Asked<'_>, key: &str, value: serde_json::Value) -> Result<String, Failure> {
    let scenario = asked.scenario();
    let mut whole = serde_json::Map::new();
    whole.insert("schema".to_owned(), "walden.explain/1".into());
    whole.insert("walden".to_owned(), sim::VERSION.into());
    whole.insert("scenario".to_owned(), scenario.name.clone().into());
    whole.insert("variant".to_owned(), scenario.variant.clone().into());
    whole.insert(key.to_owned(), value);
    serde_json::to_string_pretty(&whole).map_err(|e| Failure::Internal { message: e.to_string() })
}

/// As JSON.
fn value(part: &impl serde::Serialize) -> Result<serde_json::Value, Failure> {
    serde_json::to_value(part).map_err(|e| Failure::Internal { message: e.to_string() })
}
