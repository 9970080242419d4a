//! `walden plan`: from a WAL history, an outage and an accepted risk to a line for
//! `postgresql.conf`.
//!
//! * [`given`]: what the command line and its files give, as a question to `sim::plan`.
//! * [`told`]: the answer, on the screen and as JSON. [`measured`]: the same where what is asked
//!   for is no setting that keeps WAL. [`sought`]: where the run feeds back on the setting.
//! * [`report`]: the answer with its curves, as a page and as JSON ([`curves`]). [`page`]: where
//!   the page is written.

mod curves;
mod given;
mod measured;
mod outages;
mod page;
mod report;
mod sought;
mod told;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use clap::{Args, ValueEnum};
use models::units::{Bytes, Duration};
use reports::plan::Plan;
use sim::plan::bandwidth::Bandwidth;
use sim::plan::keep::Kept;
use sim::plan::max_wal_size::{Brings, MaxWalSize};
use sim::plan::measure::{Found, Quantity, find};
use sim::plan::room::{Room, room};
use sim::plan::search::{Sight, search};
use sim::plan::{Answer, Keep, Sampling, Watcher, disk, solve};
use sim::{Outside, RunError};

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
use sought::Looked;
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

  walden plan max_slot_wal_keep_size --history wal.csv --outage night --disk 100GB
      both risks side by side: the standby lost, and pg_wal's volume full
  walden plan max_wal_size --history wal.csv
      so that checkpoints come by time and not because of WAL
  walden plan bandwidth --history wal.csv --outage 2h --within 30min
      so that the standby is back in time; without --outage, never further behind

Exit codes:
  0  an answer
  1  there is none: the standby does not catch up, or no value meets both risks
  3  a history, a file of outages or a scenario is wrong, or cannot be read
  5  the page of --report is there already, or cannot be written

--json prints an object: schema (\"walden.plan/1\"), walden (version), setting, value_bytes, line,
alter_system, accepted_risk, lost{ trials, of, share, low, high }, lost_one_segment_less{ same },
edge_bytes{ low, middle, high }, written_bytes, checked{ trials, as_predicted },
pg_wal_bytes{ p50, most }, catch_up_seconds{ p50, most }, alert{ minutes, behind_bytes },
survival[]: outage_seconds, value_bytes, share; with --disk volume{ size_bytes, largest_bytes,
at_largest{ full{ trials, of, share, low, high }, bad{ same } }, at_value{ same } }. For
max_wal_size and bandwidth: setting, unit, value, line, edge{ low, middle, high }, by_history,
bad{ same }, bad_one_step_less{ same }, checked{ same }, curve[]: value, bad{ same }, volume. Where
no setting is asked for: quantity, value, middle and other end of the interval (bytes or seconds),
unit, beyond{ trials, of, share, low, high }. With --report also curves: season{ clock, times,
parts[] }: from_seconds, to_seconds, median_bytes_per_second, most_bytes_per_second, worst_outages;
survival[]: value_bytes, points[]: outage_seconds, share, low, high; disk[]: value_bytes, p50, most;
alert[]: minutes, behind_bytes; or distribution{ trials, values[] }.";

/// How long before a loss `--alert` warns unless something else is said.
const ALERT: &str = "15min";

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
    /// The size of pg_wal's volume: for --until disk_full, or as the other risk of a size.
    #[arg(long, value_name = "SIZE", required_if_eq("until", "disk_full"))]
    pub disk: Option<String>,
    /// Samples of now(), pg_current_wal_lsn(): CSV, or what psql prints; may be repeated.
    #[arg(long, value_name = "FILE")]
    pub history: Vec<PathBuf>,
    /// A constant rate of WAL instead, such as 8MB/s.
    #[arg(long, value_name = "RATE", conflicts_with_all = ["history", "stretch"])]
    pub rate: Option<String>,
    /// How long the standby is away: a length, quantiles, a name, or a file of lengths.
    #[arg(long, value_name = "OUTAGE")]
    pub outage: Option<String>,
    /// For bandwidth: how long it may take to catch up; without --outage how far behind it may be.
    #[arg(long, value_name = "TIME")]
    pub within: Option<String>,
    /// The share of outages, or stretches, that may turn out worse.
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
    #[arg(long, value_name = "TIME", default_value = ALERT)]
    pub alert: String,
    /// So many trials, instead of as many as decide.
    #[arg(long, value_name = "N")]
    pub trials: Option<u32>,
    /// Seed of the trials.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = crate::run::seed)]
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
    /// WAL between checkpoints, so that they come by time.
    MaxWalSize,
    /// The size of pg_wal's volume, with the other settings as they are.
    PgWal,
    /// Bandwidth of the standby's link, for --within.
    Bandwidth,
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
    /// What the run feeds back on.
    Search(Searched),
}

/// What is searched for by halving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Searched {
    /// `max_wal_size`.
    MaxWalSize,
    /// The bandwidth of the standby's link.
    Bandwidth {
        /// How long it may take to catch up, or how far behind it may be.
        within: Duration,
        /// Whether it is away.
        outage: bool,
    },
}

impl Goal {
    /// As it is called on the command line.
    fn name(self) -> &'static str {
        match self {
            Goal::Keep(keep) => keep.name(),
            Goal::Measure(Quantity::PgWal) => "pg_wal",
            Goal::Measure(Quantity::CaughtUp) => "caught_up",
            Goal::Measure(Quantity::DiskFull(_)) => "disk_full",
            Goal::Search(searched) => searched.name(),
        }
    }
}

impl Searched {
    /// As it is called on the command line.
    fn name(self) -> &'static str {
        match self {
            Searched::MaxWalSize => "max_wal_size",
            Searched::Bandwidth { .. } => "bandwidth",
        }
    }
}

/// Does it.
pub fn plan(args: &PlanArgs, color: ColorChoice) -> Result<Exit, Failure> {
    let stop = Stop::listen().map_err(|e| Failure::Internal { message: e.to_string() })?;
    let given = given::read(args)?;
    let output = args.report.as_deref().map(Output::begin).transpose()?;
    let report = output.is_some();
    let outside = [Outside::default()];
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let done = AtomicUsize::new(0);
    let watcher = Watcher {
        threads: args.threads.map_or_else(cores, usize::from),
        progress: &|| _ = done.fetch_add(1, Ordering::Relaxed),
        outside: &outside[0],
    };
    let shown = Shown {
        what: given.goal.name(),
        total: given.question.sampling.most_trials() as u64 * given.plays_a_trial()
            + if report { disk::MOST_TRIALS as u64 } else { 0 },
        quiet: args.quiet,
    };
    let played = || done.load(Ordering::Relaxed) as u64;
    let answered = || answered(&given, &watcher, report);
    let answered = progress::watch(shown, &played, &outside, &stop, answered)?;
    stop.check()?;
    let answered = answered.map_err(|error| play::failure(&error, &stop))?;
    let mut terminal = Terminal::new(color);
    let (there, plan) = tell(args, &given, &answered, &mut terminal)?;
    if let (Some(output), Some(plan)) = (output, plan) {
        let shown = (!args.json && !args.quiet).then_some(&mut terminal);
        output.publish(&plan, shown)?;
    }
    terminal.finish()?;
    Ok(if there { Exit::Met } else { Exit::NotMet })
}

/// What came of it.
enum Answered {
    Keep(Keep, Answer, Option<Room>, Vec<disk::Disk>),
    Measure(Quantity, Found),
    Sought(Searched, Sight, Vec<Brings>, Option<Room>),
}

/// Plays; what only a page shows, if there is to be one.
fn answered(given: &Given, watcher: &Watcher<'_>, report: bool) -> Result<Answered, RunError> {
    let Given { goal, question, volume, .. } = given;
    let (stage, sampling) = (&question.stage, question.sampling);
    Ok(match *goal {
        Goal::Keep(keep) => {
            let answer = solve(keep, question, watcher)?;
            let weigh = |volume| {
                let sampling = Sampling { trials: Some(answer.trials.len()), ..sampling };
                room(
                    &Kept { keep, stage, trials: &answer.trials },
                    answer.value,
                    volume,
                    sampling,
                    watcher,
                )
            };
            let room = volume.filter(|_| answer.value.is_some()).map(weigh).transpose()?;
            let disk = match report {
                true => disk::taken(keep, question, &answer, watcher)?,
                false => Vec::new(),
            };
            Answered::Keep(keep, answer, room, disk)
        }
        Goal::Measure(quantity) => {
            Answered::Measure(quantity, find(quantity, stage, sampling, watcher)?)
        }
        Goal::Search(searched @ Searched::Bandwidth { within, outage }) => {
            let guess = sought::by_history(given, searched);
            let sight = search(&Bandwidth { stage, outage, within, guess }, sampling, watcher)?;
            Answered::Sought(searched, sight, Vec::new(), None)
        }
        Goal::Search(searched @ Searched::MaxWalSize) => {
            let guess = Bytes(sought::by_history(given, searched));
            let sought = MaxWalSize { stage, guess };
            let sight = search(&sought, sampling, watcher)?;
            let Some(value) = sight.value.map(Bytes) else {
                return Ok(Answered::Sought(searched, sight, Vec::new(), None));
            };
            let all: Vec<usize> = (0..sight.trials).collect();
            let brings = sought.brings(value, &all, watcher)?;
            let sampling = Sampling { trials: Some(sight.trials), ..sampling };
            let weigh = |volume| room(&sought, Some(value), volume, sampling, watcher);
            let room = volume.map(weigh).transpose()?;
            Answered::Sought(searched, sight, brings, room)
        }
    })
}

/// Prints it, and says whether it is an answer; and what a page shows, if there is to be one.
fn tell(
    args: &PlanArgs,
    given: &Given,
    answered: &Answered,
    terminal: &mut Terminal,
) -> Result<(bool, Option<Plan>), Failure> {
    let repeat = repeat(args, given.goal);
    Ok(match answered {
        Answered::Keep(keep, answer, room, disk) => {
            let told = Told { given, keep: *keep, answer, room: room.as_ref(), repeat };
            let plan = args.report.as_ref().map(|_| report::told(&told, disk));
            match (args.json, args.quiet) {
                (true, _) => terminal.line(told.json(plan.as_ref())?),
                (false, true) => told.line().iter().for_each(|line| terminal.line(line)),
                (false, false) => told.print(terminal),
            }
            (told.value().is_some(), plan)
        }
        Answered::Measure(quantity, found) => {
            let told = Measured { given, quantity: *quantity, found, repeat };
            // That the disk does not fill up is an answer.
            let there = found.value.is_some() || matches!(quantity, Quantity::DiskFull(_));
            let plan = args.report.as_ref().map(|_| report::measured(&told, there));
            match (args.json, args.quiet) {
                (true, _) => terminal.line(told.json(plan.as_ref())?),
                (false, true) => terminal.line(told.value()),
                (false, false) => told.print(terminal),
            }
            (there, plan)
        }
        Answered::Sought(searched, sight, brings, room) => {
            let told =
                Looked { given, searched: *searched, sight, brings, room: room.as_ref(), repeat };
            let plan = args.report.as_ref().map(|_| report::sought(&told));
            match (args.json, args.quiet) {
                (true, _) => terminal.line(told.json(plan.as_ref())?),
                (false, true) => told.line().iter().for_each(|line| terminal.line(line)),
                (false, false) => told.print(terminal),
            }
            (told.value().is_some(), plan)
        }
    })
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
        ("outage", &args.outage),
        ("within", &args.within),
    ];
    for (flag, value) in options {
        value.iter().for_each(|value| add(flag, value));
    }
    add("risk", &args.risk);
    if args.alert != ALERT {
        add("alert", &args.alert);
    }
    args.set.iter().for_each(|(path, value)| add("set", &format!("{path}={value}")));
    args.trials.iter().for_each(|trials| add("trials", &trials.to_string()));
    add("seed", &args.seed.to_string());
    words.join(" ")
}
