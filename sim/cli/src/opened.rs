//! A run that is named on the command line, to be played again: stored, or a scenario.
//!
//! A stored run holds its scenarios; what is played again has to repeat its digests as far as it
//! goes. A file or a name of the catalogue is a scenario unless the file is a stored run.

use std::fs;
use std::path::Path;

use scenarios::scenario::Scenario;
use scenarios::{ScenarioFile, catalog};

use crate::errors::{Failure, Origin};
use crate::input;
use crate::play::Plan;
use crate::stored::{self, StoredRun, StoredVariant, hex};

/// A run and its variants.
#[derive(Clone, Debug)]
pub struct Opened {
    /// As it was named.
    pub run: String,
    /// All its variants.
    pub scenarios: Vec<Scenario>,
    /// What was stored of each, if it was.
    stored: Option<Vec<StoredVariant>>,
}

impl Opened {
    /// Finds it; `latest` is looked up below `out`.
    pub fn find(run: &str, out: &Path) -> Result<Opened, Failure> {
        if let Some(nearest) = mistyped(run) {
            return Err(Failure::Unknown { name: run.to_owned(), nearest: Some(nearest) });
        }
        let stored = match is_scenario(run) {
            true => None,
            false => Some(StoredRun::read(Path::new(run), out)?),
        };
        let unplayable = |problems| Failure::Scenario { problems, origin: Origin::default() };
        let files = match &stored {
            Some(stored) => stored.files.iter().map(ScenarioFile::from_archive).collect(),
            None => Ok(input::read_all(&[run.to_owned()], &[], None)?),
        };
        let plan = files.and_then(|files: Vec<_>| Plan::new(&files)).map_err(unplayable)?;
        let stored = stored.map(|stored| stored.variants);
        if stored.as_ref().is_some_and(|stored| stored.len() > plan.scenarios.len()) {
            return Err(Failure::NotRepeated {
                path: run.to_owned(),
                why: format!("the scenario now has {} variants", plan.scenarios.len()),
            });
        }
        Ok(Opened { run: run.to_owned(), scenarios: plan.scenarios, stored })
    }

    /// The variants' names: those that were stored, if any were.
    pub fn names(&self) -> Vec<String> {
        match &self.stored {
            Some(stored) => stored.iter().map(|variant| variant.name.clone()).collect(),
            None => self.scenarios.iter().map(|scenario| scenario.variant.clone()).collect(),
        }
    }

    /// The index of the variant of that name.
    pub fn variant(&self, wanted: &str) -> Result<usize, Failure> {
        let names = self.names();
        names.iter().position(|name| name == wanted).ok_or_else(|| Failure::Argument {
            message: format!("the run has no variant {wanted}"),
            help: Some(scenarios::choices(
                wanted,
                "there are",
                names.iter().map(String::as_str).collect::<Vec<_>>(),
            )),
        })
    }

    /// The index of the variant that is meant: the one of that name, or the only one.
    pub fn one_variant(&self, wanted: Option<&str>) -> Result<usize, Failure> {
        let names = self.names();
        match (wanted, names.len()) {
            (Some(wanted), _) => self.variant(wanted),
            (None, 1) => Ok(0),
            (None, count) => Err(Failure::Argument {
                message: format!("the run has {count} variants, and --variant names none"),
                help: Some(scenarios::choices(
                    "",
                    "there are",
                    names.iter().map(String::as_str).collect::<Vec<_>>(),
                )),
            }),
        }
    }

    /// What was played of a variant is what was stored, as far as it goes.
    pub fn check_repeats(&self, variant: usize, digests: &[u64]) -> Result<(), Failure> {
        let Some(stored) = self.stored.as_ref().map(|stored| &stored[variant]) else {
            return Ok(());
        };
        let mut played = digests.iter().copied().map(hex).zip(&stored.moments);
        match played.position(|(now, then)| now != *then) {
            None => Ok(()),
            Some(moment) => Err(Failure::NotRepeated {
                path: self.run.clone(),
                why: format!("{} differs at moment {} of 64", stored.name, moment + 1),
            }),
        }
    }
}

/// The name of the catalogue or the file that was meant, if it is no path and only nearly a name.
fn mistyped(run: &str) -> Option<String> {
    if run == "latest" || Path::new(run).exists() || catalog::find(run).is_some() {
        return None;
    }
    let name = catalog::nearest_name(run).map(str::to_owned);
    name.or_else(|| input::nearest_file(Path::new(run)))
}

/// Whether it is to be played as a scenario, not as a stored run.
fn is_scenario(run: &str) -> bool {
    let path = Path::new(run);
    if !path.exists() {
        return catalog::find(run).is_some();
    }
    let is_stored = || fs::read(path).is_ok_and(|bytes| stored::is_stored(&bytes));
    path.is_file() && !is_stored()
}
