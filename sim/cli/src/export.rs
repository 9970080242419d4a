//! `walden export`: a run for the programs that people look at their servers with.
//!
//! What a format wants is no part of a stored run, so the run is played again, and what is played
//! has to be what was stored. A diagram is of messages: see also `walden explain --diagram`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use models::trace::flow::Window;
use models::trace::scrape::{Answer, Scrape};
use models::units::{Duration, SimTime, human};
use reports::export::chrome_trace::{self, Passage};
use reports::export::diagram::{self, Diagram};
use reports::export::metrics::Samples;
use reports::export::metrics_csv::{self, metrics_csv};
use reports::export::openmetrics::openmetrics;
use scenarios::scenario::Scenario;
use sim::Outside;
use sim::passage::{self, passage};
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
  trace         what passed in a window, 10 s unless told otherwise: commits and what they waited
                for, checkpoints, messages, lag; open it with ui.perfetto.dev or chrome://tracing
  diagram       the messages of a window, 10 ms unless told otherwise, as arrows between servers:
                an SVG for browsers and documents

Examples:
  walden export latest --format openmetrics -o run.om
  promtool tsdb create-blocks-from openmetrics run.om data
      the last run as blocks of Prometheus, for Grafana and for alert rules
  walden export faults/cut_or_reset --variant base --format openmetrics --from 50s --to 3min
      a part of a scenario of the catalogue
  walden export latest --format csv --every 1s | head
      a sample a second
  walden export latest --format trace --from 59s --to 61s -o run.json
      two seconds, message by message
  walden export latest --format diagram --from 59.99s --to 60.01s -o run.svg
      20 ms as a picture, around a moment at which something happened

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
    /// What passed in a window, for ui.perfetto.dev.
    Trace,
    /// The messages of a window as a space-time diagram.
    Diagram,
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
    /// The distance of samples: 15s unless given, Prometheus' scrape_interval; of a trace 100ms.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub every: Option<String>,
    /// The first moment; the start of the run unless given.
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub from: Option<String>,
    /// The last moment; unless given the end of the run, of a trace 10s after the first, and of a
    /// diagram 10ms after it.
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub to: Option<String>,
    /// Of which variant; all of them unless given. A trace is of one, and so is a diagram.
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

/// The most visits of a trace: as many points a counter has.
const MOST_COUNTED: usize = 1_000_000;

/// What Prometheus tells moments apart by.
const MILLISECOND: Duration = Duration::ms(1);

/// Does it.
pub fn export(args: &ExportArgs, color: ColorChoice) -> Result<Exit, Failure> {
    let stop = Stop::listen().map_err(|e| Failure::Internal { message: e.to_string() })?;
    let every = match (&args.every, args.format) {
        (Some(text), _) => time("every", text, MILLISECOND)?,
        (None, Format::Openmetrics | Format::Csv) => Duration::s(15),
        (None, Format::Trace | Format::Diagram) => Duration::ms(100),
    };
    if every == Duration::ZERO {
        return Err(wrong("--every 0 takes no step".to_owned(), "write a time, such as 15s"));
    }
    let run = Opened::find(&args.run, &args.out)?;
    let variants = match (&args.variant, args.format) {
        (None, Format::Openmetrics | Format::Csv) => (0..run.names().len()).collect(),
        (wanted, _) => vec![run.one_variant(wanted.as_deref())?],
    };
    if let Some(output) = &args.output {
        let csv = metrics_csv::HEADER.join(",");
        let ours = ["# HELP up ", &csv, chrome_trace::START, diagram::START];
        file::check_place(output, &ours, "made by an export")?;
    }
    let window = window(args, &run, &variants)?;
    let at = match args.format {
        Format::Openmetrics | Format::Csv | Format::Trace => moments(window, every)?,
        Format::Diagram => Vec::new(),
    };
    let export = Export { args, run: &run, stop: &stop, at };
    let text = match args.format {
        Format::Openmetrics => openmetrics(&export.samples(&variants)?, &args.job),
        Format::Csv => metrics_csv(&export.samples(&variants)?).map_err(internal)?,
        Format::Trace => export.trace(variants[0], window)?,
        Format::Diagram => export.diagram(variants[0], window)?,
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

/// A time of the command line.
fn time(option: &str, text: &str, finest: Duration) -> Result<Duration, Failure> {
    let time = scenarios::duration(text).map_err(|unreadable| Failure::Argument {
        message: format!("--{option}: {}", unreadable.message),
        help: Some(unreadable.help),
    })?;
    if time.0 % finest.0 != 0 {
        let message = format!("--{option} {text} is no whole number of milliseconds");
        return Err(wrong(message, "Prometheus tells no finer moments apart"));
    }
    Ok(time)
}

/// The first and the last moment.
fn window(args: &ExportArgs, run: &Opened, variants: &[usize]) -> Result<Window, Failure> {
    let longest = variants.iter().map(|index| run.scenarios[*index].duration).max();
    let whole = longest.unwrap_or(Duration::ZERO);
    let finest = match args.format {
        Format::Openmetrics | Format::Csv => MILLISECOND,
        Format::Trace | Format::Diagram => Duration(1),
    };
    let moment = |option: &str, text: &str| {
        let at = time(option, text, finest)?;
        if at > whole {
            let message = format!("--{option} {text} is after the end of the run");
            return Err(wrong(message, format!("the run takes {whole}")));
        }
        Ok(SimTime::ZERO + at)
    };
    let from = args.from.as_ref().map_or(Ok(SimTime::ZERO), |text| moment("from", text))?;
    let to = match (&args.to, args.format) {
        (Some(text), _) => moment("to", text)?,
        (None, Format::Openmetrics | Format::Csv) => SimTime::ZERO + whole,
        (None, Format::Trace) => (from + Duration::s(10)).min(SimTime::ZERO + whole),
        (None, Format::Diagram) => (from + Duration::ms(10)).min(SimTime::ZERO + whole),
    };
    if from > to {
        let [from, to] = [from, to].map(|at| at.since(SimTime::ZERO));
        let message = format!("--from {from} is after --to {to}");
        return Err(wrong(message, "the first moment comes before the last"));
    }
    Ok(Window { from, to })
}

/// The moments of a grid.
fn moments(window: Window, every: Duration) -> Result<Vec<SimTime>, Failure> {
    let moments = window.to.since(window.from).0 / every.0 + 1;
    if moments > MOST_MOMENTS {
        let message = format!("{moments} moments are too many: there is room for {MOST_MOMENTS}");
        return Err(wrong(message, "give a longer --every, or a part with --from and --to"));
    }
    Ok((0..moments).map(|n| window.from + Duration(n * every.0)).collect())
}

/// What is exported, and how it is watched and stopped.
struct Export<'a> {
    args: &'a ExportArgs,
    run: &'a Opened,
    stop: &'a Stop,
    /// When servers are visited.
    at: Vec<SimTime>,
}

impl Export<'_> {
    /// Plays the variants and takes their samples.
    fn samples(&self, variants: &[usize]) -> Result<Samples, Failure> {
        let names = self.run.names();
        let names = variants.iter().map(|index| names[*index].clone()).collect();
        let servers = |index: &usize| {
            let servers = self.run.scenarios[*index].servers.iter();
            servers.map(|server| server.name.clone()).collect()
        };
        let mut samples = Samples::new(names, variants.iter().map(servers).collect());
        for (number, index) in variants.iter().enumerate() {
            self.visit(*index, |scrape| {
                samples.add(number, &scrape);
                !samples.is_full()
            })?;
        }
        Ok(samples)
    }

    /// Plays one variant, and hands over what visits find, as long as there is room for more.
    fn visit(
        &self,
        variant: usize,
        mut take: impl FnMut(Scrape) -> bool + Send,
    ) -> Result<(), Failure> {
        let scenario = &self.run.scenarios[variant];
        let end = SimTime::ZERO + scenario.duration;
        let at = &self.at[..self.at.partition_point(|at| *at <= end)];
        let outside = [Outside::default(), Outside::default()];
        let total = 2 * at.last().map_or(0, |last| last.0);
        let mut full = false;
        let take = &mut |scrape| {
            if !take(scrape) {
                full = true;
                outside[1].ask_to_stop();
            }
        };
        let played = self.play(scenario, total, &outside, || {
            scrape(scenario, at, [&outside[0], &outside[1]], take)
        })?;
        if full {
            let message = format!("that makes more than {} samples: too many", Samples::LIMIT);
            return Err(wrong(message, "give a longer --every, or a part with --from and --to"));
        }
        let digests = played.map_err(|error| play::failure(&error, self.stop))?;
        self.run.check_repeats(variant, &digests)
    }

    fn play<T: Send>(
        &self,
        scenario: &Scenario,
        total: u64,
        outside: &[Outside],
        work: impl FnOnce() -> T + Send,
    ) -> Result<T, Failure> {
        let shown = Shown { what: &scenario.name, total, quiet: self.args.quiet };
        let done = progress::watch(shown, &progress::of(outside), outside, self.stop, work)?;
        self.stop.check()?;
        Ok(done)
    }

    /// What passed in a window.
    fn trace(&self, variant: usize, window: Window) -> Result<String, Failure> {
        let mut scrapes = Vec::new();
        self.visit(variant, |scrape| {
            scrapes.push(Scrape { answer: Answer::Silence, ..scrape });
            scrapes.len() <= MOST_COUNTED
        })?;
        let passed = self.passage(variant, window)?;
        chrome_trace::chrome_trace(&Passage {
            run: &passed.run,
            primary: passed.primary,
            flow: &passed.flow,
            window,
            size: passed.size,
            scrapes: &scrapes,
        })
        .map_err(internal)
    }

    fn diagram(&self, variant: usize, window: Window) -> Result<String, Failure> {
        let passed = self.passage(variant, window)?;
        let diagram = Diagram {
            run: &passed.run,
            primary: passed.primary,
            flow: &passed.flow,
            window,
            size: passed.size,
            commit: None,
        };
        diagram.svg().map_err(|too_many| {
            let message = format!(
                "{} messages pass in that window: a diagram has room for {}",
                human::count(too_many.messages as u64),
                diagram::MOST
            );
            let micros = too_many.until.since(SimTime::ZERO).0 / 1_000;
            wrong(message, format!("there is room for those up to --to {micros}us"))
        })
    }

    /// Plays a variant again and notes what passes in a window.
    fn passage(&self, variant: usize, window: Window) -> Result<passage::Passage, Failure> {
        let scenario = &self.run.scenarios[variant];
        let outside = [Outside::default()];
        let played =
            self.play(scenario, window.to.0, &outside, || passage(scenario, window, &outside[0]))?;
        let passed = played.map_err(|error| play::failure(&error, self.stop))?;
        let Some(passed) = passed else {
            let message = "too much passes in that window for one file".to_owned();
            return Err(wrong(message, "give a shorter one with --from and --to"));
        };
        self.run.check_repeats(variant, &passed.digests)?;
        Ok(passed)
    }
}
