//! `walden list`: what there is to run and to write in a scenario.

use clap::{Args, ValueEnum};
use models::trace::law::Law;
use scenarios::expect::METRICS;
use scenarios::{catalog, keys, presets};

use crate::errors::Failure;
use crate::exit::Exit;
use crate::terminal::{ColorChoice, Style, Terminal, plain, wrap};

/// What to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Listed {
    /// The catalogue: scenarios that `walden run NAME` plays.
    #[default]
    Scenarios,
    /// Faults and their fields.
    Faults,
    /// What an operator can do, in [action.X] and [[step]].
    Actions,
    /// Disks and workloads that go by a name.
    Presets,
    /// What `[expect]` can ask for: paths into summary.json.
    Metrics,
    /// What never happens, and is looked at in every run.
    Laws,
}

/// List scenarios, faults, actions, presets, metrics or laws.
#[derive(Args, Clone, Debug)]
pub struct ListArgs {
    /// What to list.
    #[arg(value_enum, default_value_t)]
    pub what: Listed,
}

/// Does it.
pub fn list(args: &ListArgs, color: ColorChoice) -> Result<Exit, Failure> {
    let mut terminal = Terminal::new(color);
    match args.what {
        Listed::Scenarios => scenarios(&mut terminal),
        Listed::Faults => faults(&mut terminal),
        Listed::Actions => actions(&mut terminal),
        Listed::Presets => presets(&mut terminal),
        Listed::Metrics => metrics(&mut terminal),
        Listed::Laws => laws(&mut terminal),
    }
    terminal.finish()?;
    Ok(Exit::Met)
}

fn scenarios(terminal: &mut Terminal) {
    for entry in catalog::all() {
        let question = entry.question();
        let text = if question.is_empty() { entry.title() } else { question };
        item(terminal, entry.name, &[&text]);
    }
}

fn faults(terminal: &mut Terminal) {
    terminal.line(terminal.paint(Style::Bold, keys::FAULT.title));
    terminal.line(format!("    {}", keys::FAULT.doc));
    for key in keys::FAULT.keys {
        let default = match key.default {
            "" => String::new(),
            default => format!("Default: {default}."),
        };
        item(terminal, key.name, &[key.doc, &default]);
    }
    for fault in keys::FAULTS {
        let takes = format!("Takes {}.", fault.with.join(", "));
        item(terminal, &format!("kind = '{}'", fault.name), &[fault.doc, &takes]);
    }
}

fn actions(terminal: &mut Terminal) {
    for section in [&keys::ACTION, &keys::STEP] {
        terminal.line(terminal.paint(Style::Bold, section.title));
        terminal.line(format!("    {}", section.doc));
    }
    for kind in keys::ACTIONS {
        let keys = || std::iter::once(kind.value).chain(kind.with.iter().copied());
        let takes = match kind.place {
            keys::Place::Everywhere => {
                format!("[action.X] takes {}.", keys().collect::<Vec<_>>().join(", "))
            }
            keys::Place::Step => "Only in a [[step]].".to_owned(),
        };
        item(terminal, kind.name, &[kind.doc, &takes]);
    }
    for (word, doc) in keys::CONDITIONS {
        item(terminal, &format!("wait = 'SERVER {word}'"), &[doc]);
    }
}

fn presets(terminal: &mut Terminal) {
    for disk in &presets::DISKS {
        item(terminal, &format!("disk {}", disk.name), &[disk.doc, &source(disk.source)]);
    }
    for workload in &presets::WORKLOADS {
        let name = format!("workload wal {}", workload.name);
        item(terminal, &name, &[workload.doc, &source(workload.source)]);
    }
}

fn metrics(terminal: &mut Terminal) {
    for metric in METRICS {
        let compared = format!("Compared with: {}.", metric.unit.describe());
        item(terminal, metric.path, &[metric.doc, &compared]);
    }
}

fn laws(terminal: &mut Terminal) {
    for law in Law::ALL {
        item(terminal, law.name(), &[law.doc()]);
    }
}

fn source(text: &str) -> String {
    format!("Source: {text}.")
}

/// A name, and what there is to say about it.
fn item(terminal: &mut Terminal, name: &str, paragraphs: &[&str]) {
    terminal.line(terminal.paint(Style::Bold, name));
    for paragraph in paragraphs {
        for line in wrap(&plain(paragraph), terminal.width().saturating_sub(4)) {
            terminal.line(format!("    {line}"));
        }
    }
}
