//! A scenario file as one value that can be stored and read again.
//!
//! The archive holds what was written, not what it came to: the text, the text of every file it
//! read, what the command line set. Reading it again goes through the same checks and gives the
//! same scenarios, so there is one way from a file to a run and no second format to keep right.
//! The fault schedule that it came to is stored too; an archive whose faults resolve differently
//! now (by another version of Walden) is refused rather than played.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ScenarioFile, load};
use crate::error::{Finding, Problems};
use crate::scenario::Scenario;
use crate::source::{Sources, Span};

/// What `run.toml` has of the scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// [`Archive::FORMAT`].
    pub format: String,
    /// The name it was parsed under.
    pub name: String,
    /// `--seed`, if given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// `--set`: path and value, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<(String, String)>,
    /// The file as it was written.
    pub text: String,
    /// Every file that it read, by path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// The fault schedule of every variant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<ArchivedFault>,
}

/// One fault of one variant, resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchivedFault {
    /// The variant.
    pub variant: String,
    /// The fault's key in the file.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// When it begins, in nanoseconds.
    pub at_ns: u64,
    /// How long it holds, in nanoseconds; absent: to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_ns: Option<u64>,
}

impl Archive {
    /// The format's name and version.
    pub const FORMAT: &'static str = "walden.scenario/1";
}

impl ScenarioFile {
    /// All that is needed to have this scenario again.
    ///
    /// # Errors
    ///
    /// As [`ScenarioFile::variants`].
    pub fn archive(&self) -> Result<Archive, Problems> {
        Ok(Archive {
            format: Archive::FORMAT.to_owned(),
            name: self.name.clone(),
            seed: self.seed,
            set: self.sets.clone(),
            text: self.text.clone(),
            files: self.files.clone(),
            faults: faults(&self.variants()?),
        })
    }

    /// The scenario of an archive.
    ///
    /// # Errors
    ///
    /// An unknown format, mistakes that this version of Walden finds, and faults that come out
    /// differently than when it was stored.
    pub fn from_archive(archive: &Archive) -> Result<ScenarioFile, Problems> {
        if archive.format != Archive::FORMAT {
            let message = format!("`{}` is not a format of this version", archive.format);
            return Err(refused(archive, message, format!("it reads {}", Archive::FORMAT)));
        }
        let mut read = |path: &str| {
            let found = archive.files.get(path).cloned();
            found.ok_or_else(|| "it is not in the archive".to_owned())
        };
        let file = load(&archive.name, &archive.text, &archive.set, archive.seed, &mut read)?;
        if faults(&file.variants()?) != archive.faults {
            let message = "the fault schedule is not the one that was stored".to_owned();
            let help = "this version of Walden reads the file differently: rerun the scenario";
            return Err(refused(archive, message, help.to_owned()));
        }
        Ok(file)
    }
}

fn refused(archive: &Archive, message: String, help: String) -> Problems {
    let mut sources = Sources::default();
    sources.add(&archive.name, &archive.text);
    Problems::new(vec![Finding::new(Span::default(), message).help(help)], &sources)
}

fn faults(scenarios: &[Scenario]) -> Vec<ArchivedFault> {
    let of = |scenario: &Scenario| {
        let variant = scenario.variant.clone();
        let archived = scenario.faults.iter().map(move |fault| ArchivedFault {
            variant: variant.clone(),
            name: fault.name.clone(),
            kind: fault.kind.name().to_owned(),
            at_ns: fault.at.0,
            for_ns: fault.lasts.map(|d| d.0),
        });
        archived.collect::<Vec<_>>()
    };
    scenarios.iter().flat_map(of).collect()
}
