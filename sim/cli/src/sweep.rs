//! `walden sweep`: the same scenario with many dice, and what all of it comes to.

mod screen;
mod written;

use std::path::PathBuf;
use std::thread;

use clap::Args;
use scenarios::ScenarioFile;
use scenarios::expect::{self, METRICS};
use scenarios::nearest;
use scenarios::scenario::Scenario;
use sim::sweep::{Sweep, Verdict, play_all};
use sim::{Options, Outside, RunError};

use crate::errors::Failure;
use crate::exit::Exit;
use crate::file;
use crate::input;
use crate::play::{self, Plan};
use crate::progress::{self, Shown};
use crate::run::{inconsistent, set};
use crate::screen::quoted;
use crate::stop::Stop;
use crate::terminal::{ColorChoice, Terminal};

use screen::Screen;

/// `--help` closes with these.
const EXAMPLES: &str = "\
Examples:
  walden sweep basics/one_standby --seeds 200
      how much of a result is luck
  walden sweep outage.toml --seeds 1000 --metric standbys.pg2.lost
      in what share of runs a standby is lost, and with which seed first
  walden sweep outage.toml --seeds 5000 --decide
      no more runs than are needed to decide what the file expects of a share
  walden sweep outage.toml --csv outage.csv
      every number of every run, a row a run, for a spreadsheet

What has to hold in every run: expectations, orders and laws. What has to hold of all runs together:
  [expect]
  'share(commits.lost > 0)' = '< 5%'
It is decided when the 95 % interval of the share (Clopper and Pearson) lies on one side of 5 %.
Intervals of a median or another quantile have two of the runs as their ends, by their ranks.

Variants play with the same seeds, so that their differences are those of pairs: what luck does to
both is out of them.

Exit codes:
  0  everything holds
  1  an expectation or a law does not hold in some run, or a share is on the wrong side
  3  the scenario is wrong
  4  a share is not known well enough: more seeds are needed

--json prints an object: schema (\"walden.sweep/1\"), walden (version), scenario, verdict (\"met\",
\"failed\", \"undecided\"), first_seed, seeds, digest, variants[]: scenario, name, metrics{ path:
{ count, mean, least{ value, seed }, most{ same }, p5{ value, low, high }, p50, p95, p99 } or
{ words[]: value, count, first_seed } }, claims[]: metric, wanted, held, broken, first_seed,
measured; shares[]: metric, wanted, of, hits, share, low, high, verdict, first_seed. Numbers have
the units of summary.json; low or high is null where there are too few seeds for it.";

/// Play a scenario with many seeds: distributions, intervals, and a verdict that may be undecided.
///
/// Every variant is played with each seed. The same file, options and version give the same bytes,
/// for any number of threads.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct SweepArgs {
    /// Scenario files, or names of the catalogue such as basics/one_standby.
    #[arg(value_name = "FILE|NAME", required = true)]
    pub scenarios: Vec<String>,
    /// How many seeds, one after the other.
    #[arg(long, value_name = "N", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub seeds: u32,
    /// The first of them; the scenario's own unless given.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// Set one value of the scenario; may be repeated.
    #[arg(long, value_name = "PATH=VALUE", value_parser = set)]
    pub set: Vec<(String, String)>,
    /// Show this metric, and no others but those that are expected; may be repeated.
    #[arg(long, value_name = "METRIC")]
    pub metric: Vec<String>,
    /// Stop as soon as every share is decided, or something is broken; --seeds is then the most.
    ///
    /// Looks are taken at 50 seeds, 100, 200 and so on. Each has a wider interval, so that all of
    /// them together are wrong no more often than one.
    #[arg(long)]
    pub decide: bool,
    /// Write every number of every run into this file, a row a run.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Print one object for a program.
    #[arg(long)]
    pub json: bool,
    /// Runs at once; as many as there are cores unless given. Changes no result.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// Print no progress and no screen: the exit code and the file tell.
    #[arg(long, short)]
    pub quiet: bool,
}

/// Seeds that are played before their numbers are taken.
const BATCH: usize = 64;
/// Seeds of the first look, which every further one doubles.
const FIRST_LOOK: usize = 50;

/// Does it.
pub fn sweep(args: &SweepArgs, color: ColorChoice) -> Result<Exit, Failure> {
    let stop = Stop::listen().map_err(|e| Failure::Internal { message: e.to_string() })?;
    args.metric.iter().try_for_each(|metric| known(metric))?;
    let files = input::read_all(&args.scenarios, &args.set, args.seed)?;
    let plan = Plan::new(&files).map_err(inconsistent)?;
    let last = plan.seed.checked_add(u64::from(args.seeds) - 1);
    let last = last.ok_or_else(|| Failure::Argument {
        message: format!("{} seeds from {} on are too many", args.seeds, plan.seed),
        help: Some("begin with a smaller --seed".to_owned()),
    })?;
    // That the last one can be had, before hours of the others.
    scenarios(&files, last)?;
    if let Some(path) = &args.csv {
        file::make_room(path)?;
    }
    let looks = looks(args);
    let played = play(args, &files, &plan, &looks, &stop)?;
    let answer = Answer { args, plan: &plan, sweep: &played, looks: looks.len() };
    if let Some(path) = &args.csv {
        file::write(path, &written::csv(&played)?)?;
    }
    let mut terminal = Terminal::new(color);
    if args.json {
        terminal.line(written::json(&answer)?);
    } else if !args.quiet {
        Screen(&answer).print(&mut terminal);
    }
    terminal.finish()?;
    Ok(match answer.verdict() {
        Verdict::Met => Exit::Met,
        Verdict::Undecided => Exit::Undecided,
        Verdict::Failed => Exit::NotMet,
    })
}

/// What was played, and for whom.
struct Answer<'a> {
    args: &'a SweepArgs,
    plan: &'a Plan,
    sweep: &'a Sweep,
    /// How often it was looked at.
    looks: usize,
}

impl Answer<'_> {
    fn verdict(&self) -> Verdict {
        self.sweep.verdict(self.looks)
    }

    /// The command that gives the same answer.
    fn repeat(&self) -> String {
        let mut words = vec!["walden sweep".to_owned()];
        words.extend(self.args.scenarios.iter().map(|scenario| quoted(scenario)));
        let sets = self.args.set.iter().map(|(path, value)| format!("{path}={value}"));
        words.extend(sets.map(|set| format!("--set {}", quoted(&set))));
        words.push(format!("--seeds {} --seed {}", self.args.seeds, self.plan.seed));
        words.extend(self.args.metric.iter().map(|metric| format!("--metric {}", quoted(metric))));
        words.extend(self.args.decide.then(|| "--decide".to_owned()));
        words.join(" ")
    }
}

/// Refuses what no summary has.
fn known(metric: &str) -> Result<(), Failure> {
    if expect::unit(metric).is_some() {
        return Ok(());
    }
    let help = match nearest(metric, METRICS.iter().map(|metric| metric.path)) {
        Some(near) => format!("did you mean {near}?"),
        None => "`walden list metrics` shows them".to_owned(),
    };
    let message = format!("there is no metric `{}`", metric.escape_debug());
    Err(Failure::Argument { message, help: Some(help) })
}

/// After how many seeds it is looked at.
fn looks(args: &SweepArgs) -> Vec<usize> {
    let most = args.seeds as usize;
    let first = if args.decide { FIRST_LOOK } else { most };
    let mut looks: Vec<usize> = std::iter::successors(Some(first), |n| n.checked_mul(2))
        .take_while(|n| *n < most)
        .collect();
    looks.push(most);
    looks
}

/// All variants of all files with this seed.
fn scenarios(files: &[ScenarioFile], seed: u64) -> Result<Vec<Scenario>, Failure> {
    let mut all = Vec::new();
    for file in files {
        let file = file.with(&[], Some(seed)).map_err(inconsistent)?;
        all.extend(file.variants().map_err(inconsistent)?);
    }
    Ok(all)
}

/// Plays until the last look, or the first that decides.
fn play(
    args: &SweepArgs,
    files: &[ScenarioFile],
    plan: &Plan,
    looks: &[usize],
    stop: &Stop,
) -> Result<Sweep, Failure> {
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let threads = args.threads.map_or_else(cores, usize::from);
    let (seeds, variants) = (args.seeds as usize, plan.scenarios.len());
    let outside: Vec<Outside> = (0..seeds * variants).map(|_| Outside::default()).collect();
    let total = plan.total().0.saturating_mul(u64::from(args.seeds));
    let shown = Shown { what: &plan.name, total, quiet: args.quiet };
    let work = || -> Result<Sweep, Failure> {
        let mut sweep = Sweep::new(&plan.scenarios);
        for &look in looks {
            while sweep.seeds.len() < look {
                let from = sweep.seeds.len();
                let to = look.min(from + BATCH);
                let seeds: Vec<u64> = (from..to).map(|n| plan.seed + n as u64).collect();
                let mut batch = Vec::with_capacity(seeds.len() * variants);
                for seed in &seeds {
                    batch.extend(scenarios(files, *seed)?);
                }
                let outside = &outside[from * variants..to * variants];
                let played = play_all(&batch, threads, Options::default(), outside);
                let played = played.map_err(|error: RunError| play::failure(&error, stop))?;
                for (seed, runs) in seeds.iter().zip(played.chunks(variants)) {
                    sweep.add(*seed, runs);
                }
            }
            if args.decide && sweep.verdict(looks.len()) != Verdict::Undecided {
                break;
            }
        }
        Ok(sweep)
    };
    let sweep = progress::watch(shown, &progress::of(&outside), &outside, stop, work)?;
    stop.check()?;
    sweep
}
