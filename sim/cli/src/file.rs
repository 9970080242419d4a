//! A file that `-o` names: written whole or not at all.

use std::fs;
use std::io;
use std::path::Path;

use crate::errors::Failure;

/// Writes a file whole or not at all.
pub fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let told = |error: io::Error| Failure::NotMade {
        path: path.display().to_string(),
        why: error.to_string(),
    };
    let name = path.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned());
    let unfinished = path.with_file_name(format!(".unfinished-{}-{name}", std::process::id()));
    let result = fs::write(&unfinished, text).and_then(|()| fs::rename(&unfinished, path));
    if result.is_err() {
        // It may never have come to be.
        let _ = fs::remove_file(&unfinished);
    }
    result.map_err(told)
}
