//! `walden run`: plays scenarios, prints one screen, writes the results.

use std::path::{Path, PathBuf};

use clap::Args;
use models::trace::Run;
use reports::{Context, ReportError, Verdict};
use scenarios::{Problems, ScenarioFile};

use crate::errors::{Failure, Origin};
use crate::exit::Exit;
use crate::input;
use crate::play::{self, How, Plan};
use crate::remarks;
use crate::results::{self, Results};
use crate::screen::{Screen, quoted};
use crate::stop::Stop;
use crate::stored::{self, StoredRun};
use crate::terminal::{ColorChoice, Terminal};

/// `--help` closes with these.
const EXAMPLES: &str = "\
Examples:
  walden run basics/one_standby
      a scenario of the catalogue (`walden list` shows them)
  walden run outage.toml --set server.pg2.replay=20MB/s
      a file of your own, with one thing changed
  walden run before.toml after.toml --seed 7
      two files in one comparison, with the same dice
  walden run outage.toml --json | jq '.variants[].commits.lost'
      numbers for a script";

/// Play scenarios and their variants, print one screen, write the results.
///
/// Several files make one comparison: all play with the first one's seed. Results go to
/// runs/SCENARIO/SEED-DIGEST/ below --out, whole or not at all, and runs/latest points
/// there. The same file, seed and version give the same bytes.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct RunArgs {
    /// Scenario files, or names of the catalogue such as basics/one_standby.
    #[arg(value_name = "FILE|NAME", required = true)]
    pub scenarios: Vec<String>,
    /// Set one value of the scenario; may be repeated.
    ///
    /// The path is the one in the file, such as server.pg2.replay or
    /// postgresql.wal_keep_size. The value is read as TOML, else as a string.
    #[arg(long, value_name = "PATH=VALUE", value_parser = set)]
    pub set: Vec<(String, String)>,
    /// Play with other dice than the scenario's own.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = seed)]
    pub seed: Option<u64>,
    /// Print summary.json instead of the screen, and nothing else.
    #[arg(long)]
    pub json: bool,
    /// Where the folder `runs` is made.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub out: PathBuf,
    /// Variants played at once; as many as there are cores unless given. Changes no result.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// Print no progress and no screen: the exit code and the files tell.
    #[arg(long, short)]
    pub quiet: bool,
}

/// Splits `path=value`.
pub fn set(argument: &str) -> Result<(String, String), String> {
    match argument.split_once('=') {
        Some((path, value)) if !path.trim().is_empty() => {
            Ok((path.trim().to_owned(), value.trim().to_owned()))
        }
        Some(_) | None => Err("wanted PATH=VALUE, such as server.pg2.replay=20MB/s".to_owned()),
    }
}

/// A seed.
pub fn seed(argument: &str) -> Result<u64, String> {
    argument.parse().map_err(|_| "a seed is a whole number from 0, such as 42".to_owned())
}

/// Does it.
pub fn run(args: &RunArgs, color: ColorChoice) -> Result<Exit, Failure> {
    let stop = Stop::listen().map_err(|e| Failure::Internal { message: e.to_string() })?;
    let files = input::read_all(&args.scenarios, &args.set, args.seed)?;
    let plan = Plan::new(&files).map_err(inconsistent)?;
    let results = Results::begin(&args.out, &plan.name)?;
    let how = How { threads: args.threads.map(usize::from), quiet: args.quiet, looks: true };
    let runs = play::play(&plan, how, &stop)?;

    let repeat = repeat(args, plan.seed);
    let remarks = remarks::remarks(&files, &plan.scenarios, &runs);
    let context = Context {
        command: &repeat,
        digest: &stored::hex(stored::digest_of(&runs)),
        remarks: &remarks,
        not_modelled: &plan.not_modelled(),
        omissions: &plan.omissions(),
    };
    write(results.folder(), &plan, &files, &runs, &context)?;
    stop.check()?;
    let folder = results.publish(plan.seed, stored::digest_of(&runs))?;

    let mut terminal = Terminal::new(color);
    if args.json {
        terminal.line(reports::summary_json(&runs).map_err(unreportable)?.trim_end());
    } else if !args.quiet {
        let screen = Screen { plan: &plan, runs: &runs, context: &context, folder: &folder };
        screen.print(&mut terminal);
    }
    terminal.finish()?;
    Ok(match reports::verdict(&runs) {
        Verdict::Met => Exit::Met,
        Verdict::Failed => Exit::NotMet,
    })
}

/// Fills the folder.
fn write(
    folder: &Path,
    plan: &Plan,
    files: &[ScenarioFile],
    runs: &[Run],
    context: &Context<'_>,
) -> Result<(), Failure> {
    reports::render(runs, folder, context).map_err(unreportable)?;
    let archives = files.iter().map(ScenarioFile::archive).collect::<Result<_, _>>();
    let archives = archives.map_err(inconsistent)?;
    let stored = StoredRun::new(&plan.name, plan.seed, archives, runs);
    let path = folder.join("run.toml");
    std::fs::write(&path, stored.to_text()?).map_err(|e| results::unwritable(&path, &e))
}

fn unreportable(error: ReportError) -> Failure {
    match error {
        ReportError::Write { path, source } => results::unwritable(&path, &source),
        ReportError::Drawing(_) | ReportError::Json(_) | ReportError::Csv(_) => {
            Failure::Internal { message: error.to_string() }
        }
    }
}

/// A file that was parsed has no mistakes; should it have one after all, it is shown.
pub fn inconsistent(problems: Problems) -> Failure {
    Failure::Scenario { problems, origin: Origin::default() }
}

/// The command that plays the same again, as a shell takes it.
fn repeat(args: &RunArgs, seed: u64) -> String {
    let mut words = vec!["walden".to_owned(), "run".to_owned()];
    words.extend(args.scenarios.iter().map(|scenario| quoted(scenario)));
    for (path, value) in &args.set {
        words.push("--set".to_owned());
        words.push(quoted(&format!("{path}={value}")));
    }
    words.push(format!("--seed {seed}"));
    words.join(" ")
}
