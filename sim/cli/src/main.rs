//! `walden`: a deterministic simulator of PostgreSQL physical streaming replication.
//!
//! * [`run`]: `walden run`. [`mod@sweep`]: `walden sweep`. [`replay`]: `walden replay`.
//!   [`view`]: `walden view`. [`explain`]: `walden explain`. [`export`]: `walden export`.
//!   [`plan`]: `walden plan`. [`check`]: `walden check`. [`import`]: `walden import`.
//!   [`new`]: `walden new`. [`list`]: `walden list`. [`mod@schema`]: `walden schema`.
//!   [`man`]: `walden man`. [`completions`]: `walden completions`, and answers to shells that ask.
//! * [`input`] and [`opened`]: what is named on the command line. [`play`]: from there to runs,
//!   behind a [`progress`] bar and a [`stop`] sign.
//! * [`screen`]: what is printed, on a [`terminal`]; [`remarks`]: its notes. [`results`]: what is
//!   written. [`stored`]: `run.toml`. [`mod@file`]: what `-o` names.
//! * [`errors`], [`drawing`] and [`exit`]: how it ends.
//!
//! Nothing here models anything, and nothing here touches the network.

mod check;
mod completions;
mod drawing;
mod errors;
mod exit;
mod explain;
mod export;
mod file;
mod import;
mod input;
mod list;
mod man;
mod new;
mod opened;
mod plan;
mod play;
mod progress;
mod remarks;
mod replay;
mod results;
mod run;
mod schema;
mod screen;
mod stop;
mod stored;
mod sweep;
mod terminal;
mod view;

use std::env;
use std::path::Path;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, Parser, Subcommand};
use scenarios::catalog;

use check::CheckArgs;
use completions::CompletionsArgs;
use errors::Failure;
use exit::Exit;
use explain::ExplainArgs;
use export::ExportArgs;
use import::ImportArgs;
use list::ListArgs;
use man::ManArgs;
use new::NewArgs;
use plan::PlanArgs;
use replay::ReplayArgs;
use run::RunArgs;
use schema::SchemaArgs;
use stop::Stop;
use sweep::SweepArgs;
use terminal::ColorChoice;
use view::ViewArgs;

/// `--help` closes with these.
const AFTER_HELP: &str = "\
Examples:
  walden run basics/one_standby       play a scenario of the catalogue
  walden run my.toml --set postgresql.synchronous_commit=remote_apply
  walden sweep my.toml --seeds 1000   how much of a result is luck, and in what share of runs
  walden replay latest                check that the last run repeats
  walden view latest --at 90s monitor
                                      look at its servers in the middle of it
  walden explain latest --commit slowest
                                      where the time of a commit went
  walden export latest --format openmetrics -o run.om
                                      what Prometheus would have of it, and what is so
  walden plan wal_keep_size --history wal.csv --outage 2h --risk 1%
                                      the line for postgresql.conf
  walden new my                       write my.toml to start from
  walden check my.toml                what is accepted and seldom meant
  walden check postgresql.conf        the same, for a server's configuration
  walden import wal_lsn_history.csv   a profile of your own server, for a scenario to include
  walden list                         what the catalogue has
  walden schema > scenario.schema.json
                                      editors complete and check scenarios with it

Exit codes:
  0    all expectations met; a replay that repeats; a check without errors
  1    an expectation, a law or a replay did not hold; a view's server gave an error
  2    the command line is wrong
  3    a scenario, a configuration, an import's file or a stored run is wrong
  4    a sweep's share is not known well enough
  5    results or a file could not be written
  130  stopped by Ctrl-C; nothing was written (143: by SIGTERM)

Answers go to standard output; progress, remarks and errors to standard error, progress only on a
terminal. NO_COLOR, CLICOLOR_FORCE and TERM=dumb are honoured, --color goes before them. A closed
pipe ends quietly with the code that there would have been. Nothing touches the network.";

/// Simulate PostgreSQL physical streaming replication: the same answer every time.
///
/// A scenario file describes servers, links, clients and a series of faults. Walden plays it and
/// tells what PostgreSQL would have done: commit latency, lag, WAL kept, standbys and commits
/// lost. The same file, seed and version give the same bytes.
#[derive(Debug, Parser)]
#[command(name = "walden", version, after_long_help = AFTER_HELP)]
struct Cli {
    /// When to use colour.
    #[arg(long, global = true, display_order = 100, value_name = "WHEN", value_enum)]
    #[arg(default_value_t)]
    color: ColorChoice,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(RunArgs),
    Sweep(SweepArgs),
    Replay(ReplayArgs),
    View(ViewArgs),
    Explain(ExplainArgs),
    Export(ExportArgs),
    Plan(Box<PlanArgs>),
    Check(CheckArgs),
    Import(ImportArgs),
    New(NewArgs),
    List(ListArgs),
    Schema(SchemaArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// What is wrong if a scenario stands where a command should.
fn meant_to_run(error: &clap::Error) -> Option<Failure> {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    let is_scenario = catalog::find(word).is_some() || Path::new(word).is_file();
    is_scenario.then(|| Failure::Usage {
        message: format!("{word} is no command: `walden run {}` plays it", screen::quoted(word)),
    })
}

fn main() -> ExitCode {
    completions::answer(Cli::command);
    if let Err(error) = Stop::prepare() {
        let failure = Failure::Internal { message: error.to_string() };
        failure.print(ColorChoice::Auto);
        return failure.exit().into();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(shown) => {
            let color = ColorChoice::of_arguments(env::args_os());
            terminal::show(&shown, color);
            if let Some(meant) = meant_to_run(&shown) {
                meant.print(color);
            }
            return if shown.use_stderr() { Exit::Usage.into() } else { Exit::Met.into() };
        }
    };
    let ended = match &cli.command {
        Command::Run(args) => run::run(args, cli.color),
        Command::Sweep(args) => sweep::sweep(args, cli.color),
        Command::Replay(args) => replay::replay(args, cli.color),
        Command::View(args) => view::view(args, cli.color),
        Command::Explain(args) => explain::explain(args, cli.color),
        Command::Export(args) => export::export(args, cli.color),
        Command::Plan(args) => plan::plan(args, cli.color),
        Command::Check(args) => check::check(args, cli.color),
        Command::Import(args) => import::import(args, cli.color),
        Command::New(args) => new::new(args, cli.color),
        Command::List(args) => list::list(args, cli.color),
        Command::Schema(args) => schema::schema(args, cli.color),
        Command::Completions(args) => completions::completions(args, cli.color),
        Command::Man(args) => man::man(args, Cli::command(), cli.color),
    };
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.print(cli.color);
            failure.exit().into()
        }
    }
}
