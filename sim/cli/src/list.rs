//! `walden list`: what there is to run and to write in a scenario, and what is left out.

use clap::{Args, ValueEnum};
use models::postgres::PgVersion;
use models::postgres::guc::{self, MODELLED};
use models::postgres::views::Query;
use models::trace::law::Law;
use scenarios::check::RULES;
use scenarios::expect::METRICS;
use scenarios::import::source::SOURCES;
use scenarios::keys::Shape;
use scenarios::{catalog, keys, presets, schema};

use crate::errors::Failure;
use crate::exit::Exit;
use crate::terminal::{ColorChoice, Style, Terminal, plain, wrap};

/// `--help` closes with these.
const EXAMPLES: &str = "\
Examples:
  walden list
      the catalogue: every name is one that `walden run NAME` plays
  walden list keys
      all that a scenario file may say: its tables, their keys, what each takes
  walden list keys bandwidth
      where that is said, and how
  walden list faults crash
      one fault
  walden list findings WAL005
      what a code of `walden check` means
  walden list settings timeout
      settings that change a run and have `timeout` in their name
  walden list --not-modelled
      what Walden leaves out, to know how far to trust it";

/// What to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Listed {
    /// The catalogue: scenarios that `walden run NAME` plays.
    #[default]
    Scenarios,
    /// Tables and keys of a scenario file.
    Keys,
    /// Faults and their fields.
    Faults,
    /// What an operator can do, as an action or a step.
    Actions,
    /// Disks and workloads that go by a name.
    Presets,
    /// What `[expect]` can ask for: paths into summary.json.
    Metrics,
    /// What never happens, and is looked at in every run.
    Laws,
    /// PostgreSQL's settings that change a run.
    Settings,
    /// What `walden check` looks for, by code.
    Findings,
    /// What `walden view` shows of a server.
    Views,
    /// What `walden import` reads, and what that gives.
    Sources,
}

/// List scenarios, keys of a scenario file, faults, settings, metrics, views and more.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct ListArgs {
    /// What to list.
    #[arg(value_enum, default_value_t)]
    pub what: Listed,
    /// Only what has this in its name.
    pub name: Option<String>,
    /// List what no model has: what is refused in a scenario, and what each file leaves out.
    #[arg(long, conflicts_with_all = ["what", "name"])]
    pub not_modelled: bool,
}

/// Does it.
pub fn list(args: &ListArgs, color: ColorChoice) -> Result<Exit, Failure> {
    let only = args.name.as_deref().map(str::to_lowercase);
    let mut list = List { terminal: Terminal::new(color), only, shown: 0 };
    match args.what {
        _ if args.not_modelled => not_modelled(&mut list),
        Listed::Scenarios => scenarios(&mut list),
        Listed::Keys => keys(&mut list),
        Listed::Faults => faults(&mut list),
        Listed::Actions => actions(&mut list),
        Listed::Presets => presets(&mut list),
        Listed::Metrics => metrics(&mut list),
        Listed::Laws => laws(&mut list),
        Listed::Settings => settings(&mut list),
        Listed::Findings => findings(&mut list),
        Listed::Views => views(&mut list),
        Listed::Sources => sources(&mut list),
    }
    list.terminal.finish()?;
    match &args.name {
        Some(name) if list.shown == 0 => {
            let what = args.what.to_possible_value().map(|what| what.get_name().to_owned());
            let message =
                format!("none of the {} has `{name}` in its name", what.unwrap_or_default());
            Err(Failure::Usage { message })
        }
        Some(_) | None => Ok(Exit::Met),
    }
}

fn scenarios(list: &mut List) {
    for entry in catalog::all() {
        let question = entry.question();
        let text = if question.is_empty() { entry.title() } else { question };
        list.item(entry.name, &[&text]);
    }
}

fn sources(list: &mut List) {
    for entry in &SOURCES {
        list.item(entry.name, &[entry.reads, &format!("Gives: {}", entry.gives), entry.collect]);
    }
}

/// Every table of a scenario, with its keys below it.
fn keys(list: &mut List) {
    for section in keys::SECTIONS {
        let title = section.title.to_lowercase();
        let whole = list.only.as_ref().is_none_or(|only| title.contains(only));
        let wanted: Vec<&keys::Key> =
            section.keys.iter().filter(|key| whole || list.names(key.name)).collect();
        if wanted.is_empty() {
            continue;
        }
        list.shown += 1;
        list.section(section);
        for key in wanted {
            list.key(key);
        }
    }
}

fn faults(list: &mut List) {
    for fault in keys::FAULTS {
        let takes = format!("Takes {}.", fault.with.join(", "));
        list.item(&format!("kind = '{}'", fault.name), &[fault.doc, &takes]);
    }
    if list.only.is_none() {
        list.section(&keys::FAULT);
        for key in keys::FAULT.keys {
            list.key(key);
        }
    }
}

fn actions(list: &mut List) {
    if list.only.is_none() {
        list.section(&keys::ACTION);
        list.section(&keys::STEP);
    }
    for kind in keys::ACTIONS {
        let keys = || std::iter::once(kind.value).chain(kind.with.iter().copied());
        let takes = match kind.place {
            keys::Place::Everywhere => {
                format!("[action.X] takes {}.", keys().collect::<Vec<_>>().join(", "))
            }
            keys::Place::Step => "Only in a [[step]].".to_owned(),
        };
        list.item(kind.name, &[kind.doc, &takes]);
    }
    for (word, doc) in keys::CONDITIONS {
        list.item(&format!("wait = 'SERVER {word}'"), &[doc]);
    }
}

fn presets(list: &mut List) {
    for disk in &presets::DISKS {
        list.item(&format!("disk {}", disk.name), &[disk.doc, &source(disk.source)]);
    }
    for workload in &presets::WORKLOADS {
        let name = format!("workload wal {}", workload.name);
        list.item(&name, &[workload.doc, &source(workload.source)]);
    }
}

fn metrics(list: &mut List) {
    for metric in METRICS {
        let compared = format!("Compared with: {}.", metric.unit.describe());
        list.item(metric.path, &[metric.doc, &compared]);
    }
}

fn laws(list: &mut List) {
    for law in Law::ALL {
        list.item(law.name(), &[law.doc()]);
    }
}

fn settings(list: &mut List) {
    for (name, _) in MODELLED {
        if let Some([does, told]) = schema::told_of(name) {
            list.item(name, &[&does, &told]);
        }
    }
    if list.only.is_none() {
        let all = guc::names(PgVersion::NEWEST).count();
        let rest = all.saturating_sub(MODELLED.len());
        list.terminal.line("");
        list.terminal.line(format!("{rest} further settings are accepted and change nothing."));
    }
}

fn findings(list: &mut List) {
    for rule in RULES {
        let name = format!("{} {}", rule.code, rule.level);
        let title = format!("{}.", rule.title);
        list.item(&name, &[&title, rule.explanation]);
    }
}

fn views(list: &mut List) {
    for query in Query::NAMED {
        if list.takes(query.name()) {
            list.heading(query.name());
            for line in wrap(query.doc(), list.terminal.width().saturating_sub(4)) {
                list.terminal.line(format!("    {line}"));
            }
            for line in query.sql().lines() {
                list.terminal.line(format!("        {line}"));
            }
        }
    }
}

/// What each file of the models says it leaves out: a path and a paragraph a line.
const LEFT_OUT: &str = include_str!(concat!(env!("OUT_DIR"), "/not_modelled.txt"));

fn not_modelled(list: &mut List) {
    list.heading("Refused in a scenario, since a run without it would mislead");
    for fault in keys::FAULT_KINDS_NOT_BUILT {
        list.item(&format!("fault {fault}"), &[]);
    }
    for section in keys::SECTIONS {
        for (key, instead) in section.not_built {
            let place = section.title;
            list.item(&format!("key {key} of {place}"), &[&format!("Instead: {instead}.")]);
        }
    }
    for (name, instead) in scenarios::settings_not_built() {
        list.item(&format!("setting {name}"), &[&format!("Instead: {instead}.")]);
    }
    list.terminal.line("");
    list.heading("Left out of the models, file by file");
    for (path, paragraph) in LEFT_OUT.lines().filter_map(|line| line.split_once('\t')) {
        list.item(path, &[paragraph]);
    }
}

fn source(text: &str) -> String {
    format!("Source: {text}.")
}

/// What is printed, and how much of it there was.
struct List {
    terminal: Terminal,
    /// Only names that have this in them, in small letters.
    only: Option<String>,
    shown: usize,
}

impl List {
    /// Whether a name is to be shown.
    fn takes(&mut self, name: &str) -> bool {
        let takes = self.names(name);
        self.shown += usize::from(takes);
        takes
    }

    /// Whether a name has in it what was asked for.
    fn names(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.to_lowercase().contains(only))
    }

    fn heading(&mut self, text: &str) {
        self.terminal.line(self.terminal.paint(Style::Bold, text));
    }

    /// A table of a scenario.
    fn section(&mut self, section: &keys::Section) {
        self.heading(&plain(section.title));
        self.paragraph(4, section.doc);
    }

    /// A key of a table: what it takes, what it means, and what holds without it.
    fn key(&mut self, key: &keys::Key) {
        let mut takes = key.shape.takes().replace('`', "");
        if let Shape::Named(table) | Shape::Table(table) | Shape::Listed(table) = key.shape {
            takes = format!("{takes}: {}", table.title);
        }
        self.paragraph(4, &format!("{} = {takes}", key.name));
        let default = match key.default {
            _ if key.required => " Required.".to_owned(),
            "" => String::new(),
            default => format!(" Default: {default}."),
        };
        self.paragraph(8, &format!("{}{default}", key.doc));
    }

    fn paragraph(&mut self, indent: usize, text: &str) {
        for line in wrap(&plain(text), self.terminal.width().saturating_sub(indent)) {
            self.terminal.line(format!("{:indent$}{line}", ""));
        }
    }

    /// A name, and what there is to say about it.
    fn item(&mut self, name: &str, paragraphs: &[&str]) {
        if !self.takes(name) {
            return;
        }
        self.heading(name);
        for paragraph in paragraphs {
            self.paragraph(4, paragraph);
        }
    }
}
