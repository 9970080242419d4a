//! `run.toml`: all that it takes to repeat a run, and to notice that it does not repeat.
//!
//! Self-contained: the scenarios with everything they include, what was set on the command line,
//! the seed, the version, the fault schedule, and each variant's digest at 64 moments. The first
//! line is a checksum over all the lines below it, so that a file that was edited, cut short or
//! damaged is told from a run that does not repeat.
//!
//! **Source.** The checksum is the CRC-32 of zip and PNG: it finds every change of up to 32
//! neighbouring bits. It guards against accidents, not against somebody who means harm.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use models::trace::Run;
use scenarios::Archive;
use serde::{Deserialize, Serialize};

use crate::errors::Failure;

/// The form of the file below its checksum.
const SCHEMA: &str = "walden.run/1";

/// How every file begins.
const CHECKSUM: &str = "checksum = 'crc32 ";

/// The largest `run.toml` that is read: hundreds of variants fit.
const LARGEST: u64 = 64 << 20;

/// A run as stored. Fields are in the order of the file: TOML wants tables last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredRun {
    /// The form of this file.
    pub schema: String,
    /// The version of Walden that played it.
    pub walden: String,
    /// The scenario's name, or several joined by `+`.
    pub scenario: String,
    /// The seed of every die.
    pub seed: u64,
    /// The digest of the variants' digests, 16 hexadecimal digits.
    pub digest: String,
    /// The scenarios, self-contained.
    #[serde(rename = "scenario_file")]
    pub files: Vec<Archive>,
    /// The variants in the order in which they are reported.
    #[serde(rename = "variant")]
    pub variants: Vec<StoredVariant>,
}

/// What one variant did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredVariant {
    /// Its name.
    pub name: String,
    /// Its digest at the end.
    pub digest: String,
    /// Simulated time that was asked for.
    pub simulated: String,
    /// The digest at 64 moments, evenly spread; the last one is at the end.
    pub moments: Vec<String>,
}

impl StoredRun {
    /// Takes down what was played.
    pub fn new(scenario: &str, seed: u64, files: Vec<Archive>, runs: &[Run]) -> StoredRun {
        StoredRun {
            schema: SCHEMA.to_owned(),
            walden: sim::VERSION.to_owned(),
            scenario: scenario.to_owned(),
            seed,
            digest: hex(digest_of(runs)),
            files,
            variants: runs
                .iter()
                .zip(reports::variant_names(runs))
                .map(|(run, name)| StoredVariant::new(run, name))
                .collect(),
        }
    }

    /// The file's bytes.
    pub fn to_text(&self) -> Result<String, Failure> {
        let body = toml::to_string_pretty(self).map_err(|e| Failure::Internal {
            message: format!("run.toml of {} cannot be written: {e}", self.scenario),
        })?;
        Ok(format!("{}{body}", checksum_line(body.as_bytes())))
    }

    /// Reads a stored run: its folder, its `run.toml`, or `latest` for the last one below `out`.
    pub fn read(run: &Path, out: &Path) -> Result<StoredRun, Failure> {
        let path = locate(run, out);
        let shown = path.display().to_string();
        let unreadable = |why: String| Failure::Unreadable { path: shown.clone(), why };
        let length = match fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(Failure::NoRun { path: shown });
            }
            Err(e) => return Err(unreadable(e.to_string())),
        };
        if length > LARGEST {
            return Err(unreadable(format!("{length} bytes are too many for a run.toml")));
        }
        let bytes = fs::read(&path).map_err(|e| unreadable(e.to_string()))?;
        StoredRun::from_bytes(&bytes, &shown)
    }

    /// Checks the checksum, then the version, then reads the rest.
    pub fn from_bytes(bytes: &[u8], path: &str) -> Result<StoredRun, Failure> {
        let damaged = |why: String| Failure::Damaged { path: path.to_owned(), why };
        if !is_stored(bytes) {
            return Err(Failure::NotARun { path: path.to_owned() });
        }
        let wrong =
            || damaged("the checksum does not match: the file was changed or damaged".into());
        let line = bytes.iter().position(|&b| b == b'\n').ok_or_else(wrong)? + 1;
        let (first, body) = bytes.split_at(line);
        if first != checksum_line(body).as_bytes() {
            return Err(wrong());
        }
        let text = std::str::from_utf8(body).map_err(|_| wrong())?;
        // Another version may have had another form: all that is asked of it is its version.
        let header: Header = toml::from_str(text).map_err(|e| damaged(e.to_string()))?;
        if header.walden != sim::VERSION {
            return Err(Failure::OtherVersion {
                path: path.to_owned(),
                theirs: header.walden,
                ours: sim::VERSION.to_owned(),
            });
        }
        let stored: StoredRun = toml::from_str(text).map_err(|e| damaged(e.to_string()))?;
        if stored.schema != SCHEMA {
            return Err(damaged(format!("its form is {}, wanted {SCHEMA}", stored.schema)));
        }
        Ok(stored)
    }
}

/// The part of the file that every version has.
#[derive(Deserialize)]
struct Header {
    walden: String,
}

impl StoredVariant {
    fn new(run: &Run, name: String) -> StoredVariant {
        StoredVariant {
            name,
            digest: hex(run.digest),
            simulated: run.duration.to_string(),
            moments: run.moments.iter().copied().map(hex).collect(),
        }
    }
}

/// The digest of a run: that of its variants' digests, in order.
pub fn digest_of(runs: &[Run]) -> u64 {
    runs.iter().fold(0, |digest, run| models::units::mix(digest.rotate_left(1) ^ run.digest))
}

/// A digest as people read it.
pub fn hex(digest: u64) -> String {
    format!("{digest:016x}")
}

/// Whether this is a stored run, be it damaged: it has the beginning of one, or else its form.
pub fn is_stored(bytes: &[u8]) -> bool {
    let form = format!("schema = \"{}", SCHEMA.trim_end_matches(char::is_numeric));
    let text = String::from_utf8_lossy(bytes);
    text.starts_with(CHECKSUM) || text.lines().take(3).any(|line| line.starts_with(&form))
}

fn checksum_line(body: &[u8]) -> String {
    format!("{CHECKSUM}{:08x}'\n", crc32fast::hash(body))
}

fn locate(run: &Path, out: &Path) -> PathBuf {
    let run = if run == Path::new("latest") && !run.exists() {
        out.join("runs").join("latest")
    } else {
        run.to_owned()
    };
    if run.is_dir() { run.join("run.toml") } else { run }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> StoredRun {
        StoredRun {
            schema: SCHEMA.to_owned(),
            walden: sim::VERSION.to_owned(),
            scenario: "basics/one_standby".to_owned(),
            seed: 42,
            digest: hex(1),
            files: vec![Archive {
                format: Archive::FORMAT.to_owned(),
                name: "basics/one_standby".to_owned(),
                seed: Some(42),
                set: vec![("duration".to_owned(), "1s".to_owned())],
                text: "# 'Why'?\nduration = \"2s\"\n'''quoted'''\n[server.pg1]\n".to_owned(),
                files: [("a b.csv".to_owned(), "x,\ty\r\n\u{7f}\n".to_owned())].into(),
                faults: Vec::new(),
            }],
            variants: vec![StoredVariant {
                name: "base".to_owned(),
                digest: hex(2),
                simulated: "1s".to_owned(),
                moments: vec![hex(3); 64],
            }],
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let text = run().to_text().expect("it can be written");
        assert_eq!(StoredRun::from_bytes(text.as_bytes(), "x").expect("it can be read"), run());
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let text = run().to_text().expect("it can be written");
        for place in 0..text.len() {
            for bit in 0..8 {
                let mut bytes = text.clone().into_bytes();
                bytes[place] ^= 1 << bit;
                let read = StoredRun::from_bytes(&bytes, "x");
                let told = read.expect_err("a changed bit is noticed").to_string();
                assert!(told.contains("the checksum does not match"), "byte {place}: {told}");
            }
        }
    }

    #[test]
    fn a_file_cut_short_is_noticed() {
        let text = run().to_text().expect("it can be written");
        for length in 0..text.len() {
            assert!(StoredRun::from_bytes(&text.as_bytes()[..length], "x").is_err());
        }
    }

    #[test]
    fn a_scenario_is_not_taken_for_a_damaged_run() {
        for text in ["", "duration = '1s'\n[server.pg1]\n", "{\n  \"schema\": 1\n}\n"] {
            let told = StoredRun::from_bytes(text.as_bytes(), "x").expect_err("no stored run");
            assert!(matches!(told, Failure::NotARun { .. }), "{told}");
        }
    }

    #[test]
    fn another_version_is_named_whatever_else_its_file_says() {
        let body = "walden = '9.9.9'\nwhat_we_do_not_know = true\n";
        let text = format!("{}{body}", checksum_line(body.as_bytes()));
        let told = StoredRun::from_bytes(text.as_bytes(), "x").expect_err("another version");
        assert!(matches!(told, Failure::OtherVersion { .. }), "{told}");
    }
}
