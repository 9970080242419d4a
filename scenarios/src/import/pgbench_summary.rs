//! What pgbench prints when it ends: what it ran, how often, how long it took.
//!
//! A run begins with its line `transaction type:` and ends with `tps = `; several runs make one
//! load, whose rate is that of all transactions over all time. Lines of progress (`--progress`)
//! are counted and not used: the summary has their sum.
//!
//! **Source.** `pgbench.c:printResults`, `printProgressReport` (PostgreSQL 13 to 18).
//!
//! **Not modelled.** Statistics of single scripts and statements (`-r`).

use std::ops::Range;

use super::{File, Told, in_unit};
use crate::error::{Finding, Findings};

/// Runs of pgbench.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runs {
    /// In the order of the text; at least one.
    pub list: Vec<Run>,
    /// What became of the runs.
    pub told: Told,
}

/// One run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// What it ran, such as `<builtin: simple update>` or `multiple scripts`.
    pub script: String,
    /// `-c`.
    pub clients: u64,
    /// Transactions that ended well.
    pub transactions: u64,
    /// Transactions in a thousand seconds; never zero.
    pub per_thousand_seconds: u64,
    /// Mean time of a transaction in nanoseconds, where it was measured.
    pub latency: Option<u64>,
    /// Whether `--rate` was given.
    pub is_throttled: bool,
}

impl Runs {
    /// Transactions of all runs in a thousand seconds.
    pub fn per_thousand_seconds(&self) -> u64 {
        let transactions: u128 = self.list.iter().map(|run| u128::from(run.transactions)).sum();
        // Milliseconds that each run took.
        let took = |run: &Run| {
            u128::from(run.transactions) * 1_000_000_000 / u128::from(run.per_thousand_seconds)
        };
        let micros: u128 = self.list.iter().map(took).sum();
        u64::try_from(transactions * 1_000_000_000 / micros.max(1)).unwrap_or(u64::MAX)
    }

    /// Mean time of a transaction in nanoseconds, if every run has it.
    pub fn latency(&self) -> Option<u64> {
        let weighted = |run: &Run| Some(u128::from(run.latency?) * u128::from(run.transactions));
        let sum = self.list.iter().map(weighted).sum::<Option<u128>>()?;
        let all: u128 = self.list.iter().map(|run| u128::from(run.transactions)).sum();
        u64::try_from(sum / all.max(1)).ok()
    }

    /// What all of them ran; nothing if they ran different scripts.
    pub fn script(&self) -> Option<&str> {
        let first = self.list.first()?;
        self.list.iter().all(|run| run.script == first.script).then_some(first.script.as_str())
    }
}

const HELP: &str = "take what pgbench prints at its end, from `transaction type:` to `tps = `";
const NUMBER_HELP: &str = "a whole number";

/// A run that is being read.
#[derive(Default)]
struct Draft {
    run: Run,
    begins: Range<usize>,
    line: usize,
    wrong: bool,
}

/// Reads the output of runs; what is wrong is left in `findings`.
pub(super) fn parse(files: &[File<'_>], findings: &Findings) -> Option<Runs> {
    let mut runs = Runs { list: Vec::new(), told: Told::default() };
    for file in files {
        let mut draft: Option<Draft> = None;
        let before = runs.told.rows;
        for (number, span, line) in file.lines() {
            if let Some(script) = line.strip_prefix("transaction type: ") {
                end(draft.take(), *file, &mut runs, findings);
                runs.told.rows += 1;
                let run = Run { script: script.trim().to_owned(), ..Run::default() };
                draft = Some(Draft { run, begins: span, line: number, wrong: false });
            } else if let Some(open) = &mut draft {
                match open.line(line) {
                    Ok(false) => {}
                    Ok(true) => end(draft.take(), *file, &mut runs, findings),
                    Err((message, help)) => {
                        open.wrong = true;
                        findings.push(Finding::new(file.span(span), message).help(help));
                    }
                }
            } else if line.starts_with("tps = ") && !line.contains("including") {
                let message = "a run ends here that did not begin";
                findings.push(Finding::new(file.span(span), message).help(HELP));
            }
        }
        end(draft, *file, &mut runs, findings);
        if runs.told.rows == before && findings.is_empty() {
            let message = "there is no summary of pgbench in it";
            findings.push(Finding::new(file.first_line(), message).help(HELP));
        }
    }
    if !findings.is_empty() {
        return None;
    }
    if runs.list.is_empty() {
        let message = "no run in it has a transaction that ended well";
        findings.push(Finding::new(files.first()?.first_line(), message).help(HELP));
        return None;
    }
    Some(runs)
}

/// Takes a run that has ended, or says what it lacks.
fn end(draft: Option<Draft>, file: File<'_>, runs: &mut Runs, findings: &Findings) {
    let Some(Draft { run, begins, line, wrong }) = draft else { return };
    if wrong {
        return;
    }
    let nothing = run.transactions == 0;
    let lacks = if run.clients == 0 {
        Some("number of clients")
    } else if run.per_thousand_seconds == 0 && !nothing {
        Some("tps")
    } else {
        None
    };
    match lacks {
        Some(what) => {
            let message = format!("the run that begins here has no `{what}`");
            findings.push(Finding::new(file.span(begins), message).help(HELP));
        }
        None if nothing => runs.told.drop_row("a run without transactions", file.name, line),
        None => {
            runs.told.used += 1;
            runs.list.push(run);
        }
    }
}

impl Draft {
    /// Takes a line; whether the run ends with it.
    fn line(&mut self, line: &str) -> Result<bool, (String, &'static str)> {
        let wrong = |what: &str, text: &str, help| {
            Err((format!("`{}` is no {what}", text.trim().escape_debug()), help))
        };
        let run = &mut self.run;
        if let Some(text) = line.strip_prefix("number of clients: ") {
            match text.trim().parse() {
                Ok(clients) if clients > 0 => run.clients = clients,
                _ => return wrong("number of clients", text, NUMBER_HELP),
            }
        } else if let Some(text) = line.strip_prefix("number of transactions actually processed: ")
        {
            // With -t: `1000/1000`.
            let done = text.split('/').next().unwrap_or(text);
            match done.trim().parse() {
                Ok(transactions) => run.transactions = transactions,
                Err(_) => return wrong("number of transactions", text, NUMBER_HELP),
            }
        } else if let Some(text) = line.strip_prefix("latency average = ") {
            let number = text.trim().strip_suffix(" ms").and_then(|n| in_unit(n, 1_000_000));
            match number {
                Some(nanos) => run.latency = Some(nanos),
                None => return wrong("time", text, "a time is such as 2.740 ms"),
            }
        } else if line.starts_with("rate limit schedule lag:") {
            run.is_throttled = true;
        } else if let Some(text) = line.strip_prefix("tps = ") {
            let number = text.split_whitespace().next().unwrap_or("");
            match in_unit(number, 1_000) {
                Some(rate) if rate > 0 => run.per_thousand_seconds = rate,
                // No transaction, no rate: `tps = 0.000000` or `-nan`.
                _ if run.transactions == 0 => {}
                _ => return wrong("rate", number, "a rate is such as tps = 139.518598"),
            }
            // Until 13 there are two lines: including connections, and excluding.
            return Ok(!text.contains("including"));
        }
        Ok(false)
    }
}
