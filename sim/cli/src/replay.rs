//! `walden replay`: repeats a stored run and checks its digests.

use std::path::PathBuf;

use clap::Args;
use models::trace::Run;

use crate::archive::{Archive, StoredVariant, hex};
use crate::errors::Failure;
use crate::exit::Exit;
use crate::play::{self, How, Plan};
use crate::standin::ScenarioFile;
use crate::stop::Stop;
use crate::terminal::{ColorChoice, Style, Terminal, plain};

/// `--help` closes with these.
const EXAMPLES: &str = "\
Examples:
  walden replay latest
      the last run below the current directory
  walden replay runs/basics-one_standby/42-0c5a8b1f
      a run by its folder, or by the run.toml in it: that file alone is enough";

/// Repeats a stored run and checks its digests.
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
    /// Prints no progress and no answer: the exit code tells.
    #[arg(long, short)]
    pub quiet: bool,
}

/// Does it.
pub fn replay(args: &ReplayArgs, color: ColorChoice) -> Result<Exit, Failure> {
    let stop = Stop::listen().map_err(|e| Failure::Internal { message: e.to_string() })?;
    let archive = Archive::read(&args.run, &args.out)?;
    let mut files = Vec::with_capacity(archive.files.len());
    for stored in &archive.files {
        let none = |_: &str| Err(std::io::Error::from(std::io::ErrorKind::NotFound));
        let file =
            ScenarioFile::parse(&stored.name, &stored.text, none).map_err(Failure::Scenario)?;
        files.push(file.with(&[], Some(archive.seed)).map_err(Failure::Scenario)?);
    }
    let plan = Plan::new(&files)?;
    let how = How { threads: args.threads.map(usize::from), quiet: args.quiet };
    let runs = play::play(&plan, how, &stop)?;

    let mut terminal = Terminal::new(color);
    let repeats = compare(&archive, &runs, &mut terminal, args.quiet);
    terminal.finish()?;
    Ok(if repeats { Exit::Met } else { Exit::NotMet })
}

/// Says of every variant whether it repeats; returns whether all do.
fn compare(archive: &Archive, runs: &[Run], terminal: &mut Terminal, quiet: bool) -> bool {
    let mut lines = Vec::new();
    let mut repeats = archive.variants.len() == runs.len();
    if !repeats {
        let (stored, played) = (archive.variants.len(), runs.len());
        lines.push(format!("✗ the stored run has {stored} variants, the scenario {played}"));
    }
    for (stored, run) in archive.variants.iter().zip(runs) {
        match difference(stored, run) {
            None => lines.push(format!("✓ {}  {}", plain(&stored.name), stored.digest)),
            Some(where_) => {
                repeats = false;
                lines.push(format!("✗ {}: {where_}", plain(&stored.name)));
            }
        }
    }
    if !quiet {
        let name = plain(&archive.scenario);
        terminal.line(format!("{name}, seed {}, Walden {}", archive.seed, archive.walden));
        for line in lines {
            let style = if line.starts_with('✓') { Style::Good } else { Style::Bad };
            terminal.line(terminal.paint(style, &line));
        }
        terminal.line(if repeats {
            format!("the run repeats, digest {}", archive.digest)
        } else {
            format!("the run does not repeat: stored digest {}", archive.digest)
        });
    }
    repeats
}

/// Where a variant first differs from what was stored.
fn difference(stored: &StoredVariant, run: &Run) -> Option<String> {
    if stored.name != run.variant {
        return Some(format!("the scenario now has {} in its place", plain(&run.variant)));
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
