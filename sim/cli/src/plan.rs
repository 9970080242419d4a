//! `walden plan`: from a WAL history, an outage and an accepted risk to a line for
//! `postgresql.conf`.
//!
//! * [`given`]: what the command line and its files give, as a question to `sim::plan`.
//! * [`told`]: the answer, on the screen and as JSON. [`measured`]: the same where what is asked
//!   for is no setting that keeps WAL.
//! * [`report`]: the answer with its curves, as a page and as JSON ([`curves`]). [`page`]: where
//!   the page is written.

mod curves;
mod given;
mod measured;
mod page;
mod report;
mod told;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use clap::{Args, ValueEnum};
use sim::Outside;
use sim::plan::measure::{Found, Quantity, find};
use sim::plan::{Answer, Keep, Watcher, disk, solve};

use crate::errors::Failure;
use crate::exit::Exit;
use crate::play;
use crate::progress::{self, Shown};
use crate::run::set;
use crate::stop::Stop;
use crate::terminal::{ColorChoice, Terminal};
use given::Given;
use measured::Measured;
use page::Output;
use told::Told;

/// `--help` closes with these.
const EXAMPLES: &str = "\
Examples:
  walden plan wal_keep_size --history wal.csv --outage 2h --risk 1%
      from samples of now(), pg_current_wal_lsn()
  walden plan max_slot_wal_keep_size --rate 8MB/s --outage 'p50=20min,p99=4h,max=12h'
      from a constant rate, and outages that differ
  walden plan wal_keep_size --scenario mine.toml --outage night --growth 1.5
      with servers, settings and the history of a file of your own, half as much WAL again
  walden plan wal_keep_size --history wal.csv --outage past.txt --set postgresql.max_wal_size=4GB
      outages that there have been, one length a line; another setting
  walden plan pg_wal --history wal.csv --outage night
      how large pg_wal's volume has to be, with a slot that keeps everything
  walden plan wal_keep_size --history wal.csv --outage 2h --report plan.html
      the same answer as a page with plots
  walden plan --until disk_full --disk 100GB --history wal.csv --outage weekend
      how long there is to act; --until caught_up: when the standby is back

A file of outages has a length such as 35min in each line. Named outages: reboot (5min),
patch (30min), repair (4h), night (12h), weekend (64h).

Exit codes:
  0  an answer
  1  there is none: the standby does not catch up
  3  a history, a file of outages or a scenario is wrong, or cannot be read
  5  the page of --report is there already, or cannot be written

--json prints an object: schema (\"walden.plan/1\"), walden (version), setting, value_bytes, line,
alter_system, accepted_risk, lost{ trials, of, share, low, high }, lost_one_segment_less{ same },
edge_bytes{ low, middle, high }, written_bytes, checked{ trials, as_predicted },
pg_wal_bytes{ p50, most }, catch_up_seconds{ p50, most }, alert{ minutes, behind_bytes },
survival[]: outage_seconds, value_bytes, share. Where no setting is asked for: quantity, value,
middle and other end of the interval (bytes or seconds), unit, beyond{ trials, of, share, low,
high }. With --report also curves: season{ clock, times, parts[] }: from_seconds, to_seconds,
median_bytes_per_second, most_bytes_per_second, worst_outages; survival[]: value_bytes, points[]:
outage_seconds, share, low, high; disk[]: value_bytes, p50, most; alert[]: minutes, behind_bytes;
or distribution{ trials, values[] }.";

/// Solve for a setting: what keeps a standby that is away for some time.
///
/// Each trial places an outage in the WAL history, keeps the hour of the day, and is played by the
/// models of PostgreSQL, from a checkpoint cycle before it until the standby has caught up. The
/// same history, options and seed give the same answer.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct PlanArgs {
    /// What to solve for.
    #[arg(value_name = "SETTING", value_enum, required_unless_present = "until")]
    pub setting: Option<SettingArg>,
    /// When that is, instead of a setting: disk_full counts from the moment the standby leaves.
    #[arg(long, value_name = "EVENT", value_enum, conflicts_with = "setting")]
    pub until: Option<UntilArg>,
    /// The size of pg_wal's volume, for --until disk_full.
    #[arg(long, value_name = "SIZE", required_if_eq("until", "disk_full"), requires = "until")]
    pub disk: Option<String>,
    /// Samples of now(), pg_current_wal_lsn(): CSV, or what psql prints; may be repeated.
    #[arg(long, value_name = "FILE")]
    pub history: Vec<PathBuf>,
    /// A constant rate of WAL instead, such as 8MB/s.
    #[arg(long, value_name = "RATE", conflicts_with_all = ["history", "stretch"])]
    pub rate: Option<String>,
    /// How long the standby is away: a length, quantiles, a name, or a file of lengths.
    #[arg(long, value_name = "OUTAGE")]
    pub outage: String,
    /// The share of outages after which it may be lost.
    #[arg(long, value_name = "SHARE", default_value = "1%")]
    pub risk: String,
    /// Time of the history, multiplied: its rate of WAL stays.
    #[arg(long, value_name = "FACTOR")]
    pub stretch: Option<String>,
    /// Full-page images: those that the history has, or made anew by the plan's checkpoints as a
    /// workload preset makes them; anew if the history is stretched.
    #[arg(long, value_name = "PRESET|history")]
    pub images: Option<String>,
    /// WAL of the history, multiplied.
    #[arg(long, value_name = "FACTOR")]
    pub growth: Option<String>,
    /// Every outage lasts so many times as long.
    #[arg(long, value_name = "FACTOR")]
    pub stress: Option<String>,
    /// Servers, links and settings, and the history if no other is given.
    #[arg(long, value_name = "FILE|NAME")]
    pub scenario: Option<String>,
    /// The standby that goes away, if the scenario has several.
    #[arg(long, value_name = "NAME", requires = "scenario")]
    pub standby: Option<String>,
    /// Set one value of the scenario; may be repeated.
    #[arg(long, value_name = "PATH=VALUE", value_parser = set)]
    pub set: Vec<(String, String)>,
    /// Warn so long before the standby may be lost.
    #[arg(long, value_name = "TIME", default_value = "15min")]
    pub alert: String,
    /// So many trials, instead of as many as decide.
    #[arg(long, value_name = "N")]
    pub trials: Option<u32>,
    /// Seed of the trials.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Trials at once; as many as there are cores unless given. Changes no result.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// Write the answer as a page with plots, too; a file that is there is left as it is.
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    /// Print one object for a program.
    #[arg(long)]
    pub json: bool,
    /// Print the line for postgresql.conf and nothing else.
    #[arg(long, short, conflicts_with = "json")]
    pub quiet: bool,
}

/// `SETTING`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum SettingArg {
    /// WAL kept for all standbys, for those without a slot.
    WalKeepSize,
    /// WAL that a slot may keep.
    MaxSlotWalKeepSize,
    /// The size of pg_wal's volume, with the other settings as they are.
    PgWal,
}

/// `--until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum UntilArg {
    /// The standby has replayed all that it missed.
    CaughtUp,
    /// pg_wal takes all of its volume.
    DiskFull,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// A setting that keeps WAL.
    Keep(Keep),
    /// What outages do with the settings as they are.
    Measure(Quantity),
}

impl Goal {
    /// As it is called on the command line.
    fn name(self) -> &'static str {
        match self {
            Goal::Keep(keep) => keep.name(),
            Goal::Measure(Quantity::PgWal) => "pg_wal",
            Goal::Measure(Quantity::CaughtUp) => "caught_up",
            Goal::Measure(Quantity::DiskFull(_)) => "disk_full",
        }
    }
}

/// Does it.
pub fn plan(args: &PlanArgs, color: ColorChoice) -> Result<Exit, Failure> {
    let stop = Stop::listen().map_err(|e| Failure::Internal { message: e.to_string() })?;
    let given = given::read(args)?;
    let output = args.report.as_deref().map(Output::begin).transpose()?;
    let outside = [Outside::default()];
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let done = AtomicUsize::new(0);
    let watcher = Watcher {
        threads: args.threads.map_or_else(cores, usize::from),
        progress: &|| _ = done.fetch_add(1, Ordering::Relaxed),
        outside: &outside[0],
    };
    let more = if output.is_some() { disk::MOST_TRIALS } else { 0 };
    let shown = Shown {
        what: given.goal.name(),
        total: (given.question.sampling.most_trials() + more) as u64,
        quiet: args.quiet,
    };
    let played = || done.load(Ordering::Relaxed) as u64;
    let Given { goal, question, .. } = &given;
    let answered = progress::watch(shown, &played, &outside, &stop, || match goal {
        Goal::Keep(keep) => {
            let answer = solve(*keep, question, &watcher)?;
            let disk = match output {
                Some(_) => disk::taken(*keep, question, &answer, &watcher)?,
                None => Vec::new(),
            };
            Ok(Answered::Keep(*keep, answer, disk))
        }
        Goal::Measure(quantity) => {
            let found = find(*quantity, &question.stage, question.sampling, &watcher);
            found.map(|found| Answered::Measure(*quantity, found))
        }
    })?;
    stop.check()?;
    let answered = answered.map_err(|error| play::failure(&error, &stop))?;
    let mut terminal = Terminal::new(color);
    let (there, plan) = match &answered {
        Answered::Keep(keep, answer, disk) => {
            let told = Told { given: &given, keep: *keep, answer, repeat: repeat(args, *goal) };
            let plan = output.is_some().then(|| report::told(&told, disk, None));
            match (args.json, args.quiet) {
                (true, _) => terminal.line(told.json(plan.as_ref())?),
                (false, true) => terminal.line(told.line().unwrap_or_default()),
                (false, false) => told.print(&mut terminal),
            }
            (answer.value.is_some(), plan)
        }
        Answered::Measure(quantity, found) => {
            let repeat = repeat(args, *goal);
            let told = Measured { given: &given, quantity: *quantity, found, repeat };
            // That the disk does not fill up is an answer.
            let there = found.value.is_some() || matches!(quantity, Quantity::DiskFull(_));
            let plan = output.is_some().then(|| report::measured(&told, there));
            match (args.json, args.quiet) {
                (true, _) => terminal.line(told.json(plan.as_ref())?),
                (false, true) => terminal.line(told.value()),
                (false, false) => told.print(&mut terminal),
            }
            (there, plan)
        }
    };
    if let (Some(output), Some(plan)) = (output, plan) {
        let shown = (!args.json && !args.quiet).then_some(&mut terminal);
        output.publish(&plan, shown)?;
    }
    terminal.finish()?;
    Ok(if there { Exit::Met } else { Exit::NotMet })
}

/// What came of it.
enum Answered {
    Keep(Keep, Answer, Vec<disk::Disk>),
    Measure(Quantity, Found),
}

/// The command that gives the same answer.
fn repeat(args: &PlanArgs, goal: Goal) -> String {
    let what = match args.until {
        None => goal.name().to_owned(),
        Some(_) => format!("--until {}", goal.name()),
    };
    let mut words = vec!["walden plan".to_owned(), what];
    let mut add = |flag: &str, value: &str| {
        words.push(format!("--{flag} {}", crate::screen::quoted(value)));
    };
    args.history.iter().for_each(|path| add("history", &path.display().to_string()));
    let options = [
        ("disk", &args.disk),
        ("rate", &args.rate),
        ("stretch", &args.stretch),
        ("images", &args.images),
        ("growth", &args.growth),
        ("stress", &args.stress),
        ("scenario", &args.scenario),
        ("standby", &args.standby),
    ];
    for (flag, value) in options {
        value.iter().for_each(|value| add(flag, value));
    }
    add("outage", &args.outage);
    add("risk", &args.risk);
    args.set.iter().for_each(|(path, value)| add("set", &format!("{path}={value}")));
    args.trials.iter().for_each(|trials| add("trials", &trials.to_string()));
    add("seed", &args.seed.to_string());
    words.join(" ")
}
