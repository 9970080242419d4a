//! The lines of both servers' logs, in both directions: one that only the real server or only Walden
//! writes is a difference, unless `divergences.toml` has it.
//!
//! Of lines that come again and again, once for each attempt, the numbers may differ by one, or by a
//! fifth. What must differ is taken out: process ids, ports and addresses, times, and positions,
//! of which only where a stream starts is kept.
//!
//! **Not compared.** The order of lines of different processes. What a checkpoint wrote and how
//! long it took: the counts of files are.

use std::collections::BTreeMap;

use live::Installation;
use live::divergences::{self, Tally};
use models::trace::Run;
use models::trace::messages::Words;

use crate::real::Played;

/// Lines of one log, and how often each came.
type Log = BTreeMap<String, usize>;

/// From here on a run is past its start, in nanoseconds.
const SETTLED: u64 = 500_000_000;

/// A real log. Lines that go on begin with a tab.
fn theirs(text: &str) -> Log {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix('\t'), line.split_once("] ")) {
            (Some(rest), _) => *lines.last_mut().expect("a line before it") += &format!("\n{rest}"),
            (None, Some((_, said))) => lines.push(said.to_owned()),
            (None, None) => lines.push(line.to_owned()),
        }
    }
    counted(lines)
}

/// Walden's logs.
fn ours(run: &Run, server: usize) -> Log {
    let words = Words::new(run);
    let mut lines = Vec::new();
    for fact in run.facts.iter().filter(|fact| fact.at.0 > SETTLED) {
        for line in words.log_lines(fact).into_iter().filter(|l| l.server.index() == server) {
            lines.push(format!("{}:  {}", line.level.name(), line.text));
            lines.extend(line.detail.map(|detail| format!("DETAIL:  {detail}")));
            lines.extend(line.hint.map(|hint| format!("HINT:  {hint}")));
            lines.extend(line.statement.map(|sql| format!("STATEMENT:  {sql}")));
        }
    }
    counted(lines)
}

fn counted(lines: Vec<String>) -> Log {
    let mut log = Log::new();
    for line in lines {
        *log.entry(normal(&line)).or_default() += 1;
    }
    log
}

/// A line without what must differ.
fn normal(line: &str) -> String {
    let mut line = line.to_owned();
    for (start, end) in [
        (" system usage: ", "\n"),
        ("last known up at ", "\n"),
        ("at log time ", "\n"),
        ("was shut down at ", "\n"),
        ("was shut down in recovery at ", "\n"),
        ("starting PostgreSQL ", "\n"),
        ("complete: ", "; "),
        ("; write=", "\n"),
    ] {
        if let Some((before, rest)) = line.split_once(start) {
            let after = rest.find(end).map_or("", |at| &rest[at..]);
            line = format!("{before}{start}...{after}");
        }
    }
    if let Some((before, rest)) = line.split_once("server at \"") {
        let after = rest.find(" failed").map_or("", |at| &rest[at..]);
        line = format!("{before}server at ...{after}");
    }
    if let Some((before, rest)) = line.split_once("on host \"") {
        let after = rest.find(" and accepting").map_or("", |at| &rest[at..]);
        line = format!("{before}on host ...{after}");
    }
    let keeps = line.contains("started streaming") || line.contains("START_REPLICATION");
    let words = line.split_inclusive([' ', '\n', ',', ';', ':', '.', ')', '?']);
    let mut before = "";
    let mut normal = String::new();
    for word in words {
        let bare = word.trim_end_matches([' ', '\n', ',', ';', ':', '.', ')', '?']);
        let is_pid = ["PID ", "(PID ", "process ", "port "].contains(&before) && number(bare);
        let is_lsn = bare.split_once('/').is_some_and(|(high, low)| hex(high) && hex(low));
        normal += &match (is_pid, is_lsn && !keeps) {
            (false, false) => word.to_owned(),
            _ => word.replace(bare, "..."),
        };
        before = word;
    }
    normal
}

fn number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Compares the logs of both servers.
pub fn compare(name: &str, real: &Played, run: &Run, tally: &mut Tally) {
    let register = divergences::all();
    for (server, log) in real.logs.iter().enumerate() {
        let (theirs, ours) = (theirs(log), ours(run, server));
        let lines: std::collections::BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
        for line in lines {
            let count = |log: &Log| log.get(line).copied().unwrap_or(0);
            let (real, here) = (count(&theirs), count(&ours));
            let known = register.iter().find(|(_, known)| known.covers(line));
            let near = real > 0 && here > 0 && real.abs_diff(here) <= 1 + real.max(here) / 5;
            let what = format!("{name}, pg{}: {line:?}", server + 1);
            let here = if near { real } else { here };
            tally.compare(&what, known.map(|(name, _)| name.as_str()), &real, &here);
        }
    }
}

/// The registered differences of logs that show in this version.
pub fn expected(installed: &Installation) -> Vec<String> {
    let major = installed.version.major();
    let shows = |known: &divergences::Divergence| {
        let of_version = known.versions.is_empty() || known.versions.contains(&major);
        !known.lines.is_empty() && !known.race && of_version
    };
    divergences::all().into_iter().filter(|(_, known)| shows(known)).map(|(name, _)| name).collect()
}
