//! `walden replay`: repeats a stored run and checks its digests.

use std::path::PathBuf;

use clap::Args;
use models::trace::Run;
use scenarios::ScenarioFile;

use crate::errors::{Failure, Origin};
use crate::exit::Exit;
use crate::play::{self, How, Plan};
use crate::stop::Stop;
use crate::stored::{StoredRun, StoredVariant, hex};
use crate::terminal::{ColorChoice, Style, Terminal, plain};

/// `--help` closes with these.
const EXAMPLES: &str = "\
Examples:
  walden replay latest
      the last run below the current directory
  walden replay runs/basics-one_standby/42-0c5a8b1f
      a run by its folder, or by the run.toml in it: that file alone is enough";

/// Repeat a stored run and check its digests.
///
/// Exits with 0 if the run repeats and with 1 if it does not, naming the first moment and
/// variant that differ. A run of another version of Walden is refused: digests are comparable
/// within one version only.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct ReplayArgs {
    /// The run's folder, its run.toml, or `latest`.
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Where the folder `runs` is that `latest` is looked up in.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub out: PathBuf,
    /// Variants played at once; as many as there are cores unless given. Changes no result.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// Print no progress and no answer: the exit code tells.
    #[arg(long, short)]
    pub quiet: bool,
}

/// Does it.
pub fn replay(args: &ReplayArgs, color: ColorChoice) -> Result<Exit, Failure> {
    let stop = Stop::listen().map_err(|e| Failure::Internal { message: e.to_string() })?;
    let stored = StoredRun::read(&args.run, &args.out)?;
    let files: Result<Vec<_>, _> = stored.files.iter().map(ScenarioFile::from_archive).collect();
    let plan = files
        .and_then(|files| Plan::new(&files))
        .map_err(|problems| Failure::Scenario { problems, origin: Origin::default() })?;
    let how = How { threads: args.threads.map(usize::from), quiet: args.quiet, looks: false };
    let runs = play::play(&plan, how, &stop)?;

    let mut terminal = Terminal::new(color);
    let repeats = compare(&stored, &runs, &mut terminal, args.quiet);
    terminal.finish()?;
    Ok(if repeats { Exit::Met } else { Exit::NotMet })
}

/// Says of every variant whether it repeats; returns whether all do.
fn compare(stored: &StoredRun, runs: &[Run], terminal: &mut Terminal, quiet: bool) -> bool {
    let mut lines = Vec::new();
    let mut repeats = stored.variants.len() == runs.len();
    if !repeats {
        let (then, now) = (stored.variants.len(), runs.len());
        lines.push(format!("✗ the stored run has {then} variants, the scenario now has {now}"));
    }
    for ((then, run), name) in stored.variants.iter().zip(runs).zip(reports::variant_names(runs)) {
        match difference(then, run, &name) {
            None => lines.push(format!("✓ {}  {}", plain(&then.name), then.digest)),
            Some(place) => {
                repeats = false;
                lines.push(format!("✗ {}: {place}", plain(&then.name)));
            }
        }
    }
    if !quiet {
        let name = plain(&stored.scenario);
        terminal.line(format!("{name}, seed {}, Walden {}", stored.seed, stored.walden));
        for line in lines {
            let style = if line.starts_with('✓') { Style::Good } else { Style::Bad };
            terminal.line(terminal.paint(style, &line));
        }
        terminal.line(if repeats {
            format!("the run repeats, digest {}", stored.digest)
        } else {
            format!("the run does not repeat: stored digest {}", stored.digest)
        });
    }
    repeats
}

/// Where a variant first differs from what was stored.
fn difference(stored: &StoredVariant, run: &Run, name: &str) -> Option<String> {
    if stored.name != name {
        return Some(format!("the scenario now has {} in its place", plain(name)));
    }
    let moments = run.moments.len().max(stored.moments.len());
    let at = |moment: usize| stored.moments.get(moment).cloned();
    let differs = |&moment: &usize| at(moment) != run.moments.get(moment).copied().map(hex);
    if let Some(moment) = (0..moments).find(differs) {
        let nanoseconds = |moments_done: usize| {
            let share = u128::from(run.duration.0) * moments_done as u128 / moments as u128;
            models::units::SimTime(u64::try_from(share).unwrap_or(u64::MAX))
        };
        return Some(format!(
            "differs first between {} and {} (moment {} of {moments})",
            nanoseconds(moment),
            nanoseconds(moment + 1),
            moment + 1
        ));
    }
    let played = hex(run.digest);
    (stored.digest != played)
        .then(|| format!("differs only at its very end: stored {}, now {played}", stored.digest))
}
