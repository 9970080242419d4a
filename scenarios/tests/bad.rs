//! Every mistake in `bad/*.toml` gives the message beside it.
//!
//! `UPDATE_GOLDENFILES=1 cargo test -p scenarios` writes the messages again: read the diff as
//! somebody would who made that mistake.

use std::fs;
use std::path::{Path, PathBuf};

use scenarios::ScenarioFile;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad")
}

fn files() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).expect("tests/bad");
    let mut files: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "toml"));
    files.sort();
    files
}

/// The messages for a file: `with.txt` files have what is set on the command line.
fn messages(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a scenario");
    let name = path.file_stem().and_then(|n| n.to_str()).expect("a name");
    let mut read = |file: &str| {
        fs::read_to_string(folder().join("files").join(file)).map_err(|_| "no such file".to_owned())
    };
    let file = ScenarioFile::parse(name, &text, &mut read);
    // A file that has `# --set path=value` in it is right until that is set.
    let sets: Vec<(String, String)> = text
        .lines()
        .filter_map(|l| l.strip_prefix("# --set ")?.split_once('='))
        .map(|(path, value)| (path.to_owned(), value.to_owned()))
        .collect();
    let result = match file {
        Ok(file) if !sets.is_empty() => file.with(&sets, None),
        other => other,
    };
    match result {
        Ok(_) => panic!("{name} has no mistake"),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn every_mistake_gives_the_message_beside_it() {
    let update = std::env::var_os("UPDATE_GOLDENFILES").is_some();
    let mut wrong = Vec::new();
    for path in files() {
        let golden = path.with_extension("txt");
        let messages = messages(&path);
        if update {
            fs::write(&golden, &messages).expect("written");
        } else if fs::read_to_string(&golden).unwrap_or_default() != messages {
            wrong.push(format!("{}:\n{messages}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn there_are_many_of_them_and_every_message_helps() {
    let files = files();
    assert!(files.len() >= 36, "{}", files.len());
    for path in files {
        let text = fs::read_to_string(path.with_extension("txt")).unwrap_or_default();
        assert!(text.lines().count() >= 3, "{}", path.display());
    }
}
