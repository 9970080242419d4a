//! `walden export`: a run for the programs that people look at their servers with.
//!
//! What a format wants is no part of a stored run, so the run is played again, and what is played
//! has to be what was stored.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use models::units::{Duration, SimTime};
use reports::export::metrics::Samples;
use reports::export::metrics_csv::{self, metrics_csv};
use reports::export::openmetrics::openmetrics;
use scenarios::scenario::Scenario;
use sim::Outside;
use sim::scrape::scrape;

use crate::errors::Failure;
use crate::exit::Exit;
use crate::file;
use crate::opened::Opened;
use crate::play;
use crate::progress::{self, Shown};
use crate::stop::Stop;
use crate::terminal::{ColorChoice, Terminal};

/// `--help` closes with these.
const MORE: &str = "\
Formats:
  openmetrics   what Prometheus would have scraped from postgres_exporter, with the exporter's
                names, labels and mistakes, and what is really so as walden_true_*
  csv           the same samples as a long table: a row a sample

Examples:
  walden export latest --format openmetrics -o run.om
  promtool tsdb create-blocks-from openmetrics run.om data
      the last run as blocks of Prometheus, for Grafana and for alert rules
  walden export faults/cut_or_reset --variant base --format openmetrics --from 50s --to 3min
      a part of a scenario of the catalogue
  walden export latest --format csv --every 1s | head
      a sample a second

Every server is an `instance`; with several variants, each sample says of which it is. Time 0 of a
run is 2000-01-01 00:00:00 UTC. The book's page on `walden export` tells of each metric what it is
and when it misleads.

Exit codes:
  0  it was written
  1  a stored run does not repeat; nothing was written
  2  the command line is wrong
  3  the run, or a word about it, is wrong
  5  the file could not be written";

/// What it becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// What Prometheus would have scraped, and the truth.
    Openmetrics,
    /// The same as a long table.
    Csv,
}

/// Turn a run into what Prometheus, a spreadsheet or a trace viewer reads.
///
/// The run is played again, and visited at moments like those at which Prometheus scrapes.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = MORE)]
pub struct ExportArgs {
    /// The run's folder, its run.toml, or `latest`; or a scenario or a name of the catalogue.
    #[arg(value_name = "RUN")]
    pub run: String,
    /// What it becomes.
    #[arg(long, short, value_name = "FORMAT", value_enum)]
    pub format: Format,
    /// The file; standard output unless given.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The distance of samples, such as 15s: Prometheus' scrape_interval.
    #[arg(long, value_name = "TIME", default_value = "15s", allow_hyphen_values = true)]
    pub every: String,
    /// The first moment; the start of the run unless given.
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub from: Option<String>,
    /// The last moment; the end of the run unless given.
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub to: Option<String>,
    /// Of which variant; all of them unless given.
    #[arg(long, value_name = "NAME")]
    pub variant: Option<String>,
    /// The label `job` of all samples.
    #[arg(long, value_name = "NAME", default_value = "postgres")]
    pub job: String,
    /// Where the folder `runs` is that `latest` is looked up in.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub out: PathBuf,
    /// Print no progress.
    #[arg(long, short)]
    pub quiet: bool,
}

/// The most moments that a run is visited at.
const MOST_MOMENTS: u64 = 1_000_000;

/// What Prometheus tells moments apart by.
const MILLISECOND: Duration = Duration::ms(1);

/// Does it.
pub fn export(args: &ExportArgs, color: ColorChoice) -> Result<Exit, Failure> {
    let stop = Stop::listen().map_err(|e| Failure::Internal { message: e.to_string() })?;
    let every = time("every", &args.every)?;
    if every == Duration::ZERO {
        return Err(wrong("--every 0 takes no step".to_owned(), "write a time, such as 15s"));
    }
    let run = Opened::find(&args.run, &args.out)?;
    let variants = match &args.variant {
        Some(wanted) => vec![run.variant(wanted)?],
        None => (0..run.names().len()).collect(),
    };
    if let Some(output) = &args.output {
        check_place(output)?;
    }
    let window = window(args, &run, &variants)?;
    let samples = visit(args, &run, &variants, every, &window, &stop)?;
    let text = match args.format {
        Format::Openmetrics => openmetrics(&samples, &args.job),
        Format::Csv => metrics_csv(&samples).map_err(internal)?,
    };
    let mut terminal = Terminal::new(color);
    match &args.output {
        None => terminal.bytes(text.as_bytes()),
        Some(path) => file::write(path, &text)?,
    }
    terminal.finish()?;
    Ok(Exit::Met)
}

fn internal(error: reports::ReportError) -> Failure {
    Failure::Internal { message: error.to_string() }
}

fn wrong(message: String, help: impl Into<String>) -> Failure {
    Failure::Argument { message, help: Some(help.into()) }
}

/// A time of the command line, in whole milliseconds.
fn time(option: &str, text: &str) -> Result<Duration, Failure> {
    let time = scenarios::duration(text).map_err(|unreadable| Failure::Argument {
        message: format!("--{option}: {}", unreadable.message),
        help: Some(unreadable.help),
    })?;
    if time.0 % MILLISECOND.0 != 0 {
        let message = format!("--{option} {text} is no whole number of milliseconds");
        return Err(wrong(message, "Prometheus tells no finer moments apart"));
    }
    Ok(time)
}

/// The first and the last moment.
fn window(
    args: &ExportArgs,
    run: &Opened,
    variants: &[usize],
) -> Result<(SimTime, SimTime), Failure> {
    let longest = variants.iter().map(|index| run.scenarios[*index].duration).max();
    let whole = longest.unwrap_or(Duration::ZERO);
    let moment = |option: &str, text: &Option<String>, default: Duration| {
        let Some(text) = text else { return Ok(default) };
        let at = time(option, text)?;
        if at > whole {
            let message = format!("--{option} {text} is after the end of the run");
            return Err(wrong(message, format!("the run takes {whole}")));
        }
        Ok(at)
    };
    let (from, to) = (moment("from", &args.from, Duration::ZERO)?, moment("to", &args.to, whole)?);
    if from > to {
        let message = format!("--from {from} is after --to {to}");
        return Err(wrong(message, "the first moment comes before the last"));
    }
    Ok((SimTime::ZERO + from, SimTime::ZERO + to))
}

/// What is there already, and was not made by an export, is not written over.
fn check_place(output: &Path) -> Result<(), Failure> {
    if output.is_dir() || output.file_name().is_none() {
        let message = format!("`{}` is no name of a file", output.display());
        return Err(Failure::Usage { message });
    }
    let Ok(there) = fs::read(output) else { return Ok(()) };
    let ours = ["# HELP up ".to_owned(), metrics_csv::HEADER.join(",")];
    if there.is_empty() || ours.iter().any(|start| there.starts_with(start.as_bytes())) {
        return Ok(());
    }
    let message = format!("{} is there already, and was not made by an export", output.display());
    Err(wrong(message, "name another file with -o"))
}

/// Plays the variants and takes their samples.
fn visit(
    args: &ExportArgs,
    run: &Opened,
    variants: &[usize],
    every: Duration,
    (from, to): &(SimTime, SimTime),
    stop: &Stop,
) -> Result<Samples, Failure> {
    let moments = to.since(*from).0 / every.0 + 1;
    if moments > MOST_MOMENTS {
        let message = format!("{moments} moments are too many: there is room for {MOST_MOMENTS}");
        return Err(wrong(message, "give a longer --every, or a part with --from and --to"));
    }
    let at: Vec<SimTime> = (0..moments).map(|n| *from + Duration(n * every.0)).collect();
    let chosen: Vec<&Scenario> = variants.iter().map(|index| &run.scenarios[*index]).collect();
    let names = run.names();
    let names = variants.iter().map(|index| names[*index].clone()).collect();
    let servers =
        |scenario: &&Scenario| scenario.servers.iter().map(|server| server.name.clone()).collect();
    let mut samples = Samples::new(names, chosen.iter().map(servers).collect());
    for (number, scenario) in chosen.iter().enumerate() {
        let end = SimTime::ZERO + scenario.duration;
        let at = &at[..at.partition_point(|at| *at <= end)];
        let outside = [Outside::default(), Outside::default()];
        let total = 2 * at.last().map_or(0, |last| last.0);
        let shown = Shown { what: &scenario.name, total, quiet: args.quiet };
        let take = &mut |scrape| {
            samples.add(number, &scrape);
            if samples.is_full() {
                outside[1].ask_to_stop();
            }
        };
        let played = progress::watch(shown, &progress::of(&outside), &outside, stop, || {
            scrape(scenario, at, [&outside[0], &outside[1]], take)
        })?;
        stop.check()?;
        if samples.is_full() {
            let limit = Samples::LIMIT;
            let message = format!("that makes more than {limit} samples, and there is no room");
            return Err(wrong(message, "give a longer --every, or a part with --from and --to"));
        }
        let digests = played.map_err(|error| play::failure(&error, stop))?;
        run.check_repeats(variants[number], &digests)?;
    }
    Ok(samples)
}
