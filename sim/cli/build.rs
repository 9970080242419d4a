//! Collects what the models leave out, for `walden list --not-modelled`.
//!
//! Every file of the models says in its header, after **Not modelled**, what it leaves out. Those
//! paragraphs are gathered when the program is built, so that the list is that of the code it was
//! built from and nobody has to keep it.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// Crates whose files model something, from this one's folder.
const CRATES: [&str; 3] = ["../../models/src", "../../sim/src", "../../scenarios/src"];
/// How the paragraph begins.
const BEGIN: &str = "**Not modelled.**";

fn main() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let mut list = String::new();
    for folder in CRATES {
        println!("cargo::rerun-if-changed={folder}");
        let mut files = Vec::new();
        gather(&here.join(folder), &mut files)?;
        files.sort();
        for file in files {
            let text = fs::read_to_string(&file)?;
            // Where there is nothing to model, nothing is left out.
            let Some(left_out) = left_out(&text).filter(|text| !text.starts_with("Nothing")) else {
                continue;
            };
            let below = file.strip_prefix(here.join("../.."))?;
            list.push_str(&format!("{}\t{left_out}\n", below.display()));
        }
    }
    fs::write(Path::new(&std::env::var("OUT_DIR")?).join("not_modelled.txt"), list)?;
    Ok(())
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            gather(&path, files)?;
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// The paragraph of a file's header, on one line and without the marks of links.
fn left_out(text: &str) -> Option<String> {
    let header = text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim);
    let lines = header.skip_while(|line| !line.starts_with(BEGIN)).take_while(|l| !l.is_empty());
    let joined = lines.collect::<Vec<_>>().join(" ");
    let paragraph = joined.strip_prefix(BEGIN)?.trim();
    Some(paragraph.replace("[`", "`").replace("`]", "`"))
}
