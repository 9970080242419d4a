//! `walden check`: what is accepted and seldom meant, without playing anything.

use std::path::Path;

use clap::{Args, ValueEnum};
use models::postgres::PgVersion;
use scenarios::check::{Finding, Level, Report, Role, configuration};
use serde::Serialize;

use crate::drawing;
use crate::errors::{Failure, Origin};
use crate::exit::Exit;
use crate::input;
use crate::run::set;
use crate::terminal::{ColorChoice, Style, Terminal, plain};

/// `--help` closes with these.
const EXAMPLES: &str = "\
Examples:
  walden check outage.toml
      a scenario of your own, each of its variants
  walden check basics/from_production
      one of the catalogue
  walden check /etc/postgresql/17/main/postgresql.conf --pg-version 17
      a configuration file, and the files it includes
  walden check standby.conf --role standby
      the same, where it is known what the server is to be
  walden check *.toml --strict --quiet && echo good
      for a script

Codes such as WAL005 are explained by `walden list findings`.

Exit codes:
  0  nothing that cannot work; warnings and notes are allowed unless --strict is given
  3  an error was found, with --strict also a warning, or a file cannot be read

--json prints an object: schema (\"walden.check/1\"), walden (version), errors, warnings, notes,
and files[]: file, findings[]: code, level (error, warning, note), title, file, line, column,
message, help, variants[] (empty: all), labels[]: file, line, column, text.";

/// Find what is accepted and seldom meant, without playing anything.
///
/// Takes scenarios, and a postgresql.conf by itself. Names what cannot work, what works and is
/// seldom meant, and what is worth knowing, each with a code, its place, its numbers and what to
/// do about it.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct CheckArgs {
    /// Scenario files, names of the catalogue, or configuration files (.conf).
    #[arg(value_name = "FILE|NAME", required = true)]
    pub files: Vec<String>,
    /// Set one value of the scenarios first; may be repeated.
    #[arg(long, value_name = "PATH=VALUE", value_parser = set)]
    pub set: Vec<(String, String)>,
    /// Major version of the server that a configuration file is for.
    #[arg(long, value_name = "N", default_value_t = PgVersion::DEFAULT.major())]
    #[arg(value_parser = clap::value_parser!(u8).range(13..=18))]
    pub pg_version: u8,
    /// What the server of a configuration file is.
    #[arg(long, value_enum)]
    pub role: Option<RoleArg>,
    /// Treat warnings as errors.
    #[arg(long)]
    pub strict: bool,
    /// Print one object for a program.
    #[arg(long)]
    pub json: bool,
    /// Print nothing: the exit code tells.
    #[arg(long, short)]
    pub quiet: bool,
}

/// `--role`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RoleArg {
    /// It takes writes.
    Primary,
    /// It is in recovery.
    Standby,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Role {
        match role {
            RoleArg::Primary => Role::Primary,
            RoleArg::Standby => Role::Standby,
        }
    }
}

/// Does it.
pub fn check(args: &CheckArgs, color: ColorChoice) -> Result<Exit, Failure> {
    let mut reports = Vec::with_capacity(args.files.len());
    for file in &args.files {
        let (report, origin) = report(args, file)?;
        reports.push((file.as_str(), report, origin));
    }
    let mut terminal = Terminal::new(color);
    if args.json {
        let whole = Whole::new(&reports);
        let text = serde_json::to_string_pretty(&whole)
            .map_err(|error| Failure::Internal { message: error.to_string() })?;
        terminal.line(text);
    } else if !args.quiet {
        for (file, report, origin) in &reports {
            show(&mut terminal, file, report, origin);
        }
    }
    terminal.finish()?;
    let worst = reports.iter().flat_map(|(_, report, _)| report.findings());
    let allowed = if args.strict { Level::Note } else { Level::Warning };
    let good = worst.map(|finding| finding.rule.level).all(|level| level <= allowed);
    Ok(if good { Exit::Met } else { Exit::WrongInput })
}

fn report(args: &CheckArgs, file: &str) -> Result<(Report, Origin), Failure> {
    let path = Path::new(file);
    if !is_configuration(path) {
        return input::check(file, &args.set);
    }
    let unreadable = |why: String| Failure::Unreadable { path: file.to_owned(), why };
    let other = ["pg_hba.conf", "pg_ident.conf"].iter().find(|name| path.ends_with(name));
    if let Some(name) = other {
        return Err(unreadable(format!("{name} has no settings; postgresql.conf has")));
    }
    // Read once to tell that it cannot be read from what it includes.
    input::read_text(path).map_err(|error| unreadable(error.to_string()))?;
    let version = PgVersion::new(args.pg_version).unwrap_or(PgVersion::DEFAULT);
    let name = path.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned());
    let mut beside = |file: &str| input::beside(path, file);
    let report = configuration(&name, version, args.role.map(Role::from), &mut beside);
    Ok((report, Origin { name, path: path.to_owned() }))
}

/// Whether a file is a server's configuration: by its name, or else by what no scenario lacks.
fn is_configuration(path: &Path) -> bool {
    match path.extension().and_then(|end| end.to_str()) {
        _ if input::is_conf(path) => true,
        Some("toml") => false,
        _ if !path.is_file() => false,
        _ => input::read_text(path).is_ok_and(|text| {
            !text.lines().any(|line| line.trim_start().starts_with("[server"))
                && !text.lines().any(|line| line.trim_start().starts_with("duration"))
        }),
    }
}

fn show(terminal: &mut Terminal, file: &str, report: &Report, origin: &Origin) {
    let drawn = drawing::findings(report, origin, terminal.colour());
    for line in drawn.lines() {
        terminal.line(line);
    }
    let count = |level: Level| {
        let count = report.count(level);
        let plural = if count == 1 { "" } else { "s" };
        (count > 0).then(|| format!("{count} {level}{plural}"))
    };
    let levels = [Level::Error, Level::Warning, Level::Note];
    let counts: Vec<String> = levels.into_iter().filter_map(count).collect();
    let (style, counts) = match report.findings().iter().map(|finding| finding.rule.level).max() {
        None => (Style::Good, "nothing to say".to_owned()),
        Some(Level::Error) => (Style::Bad, counts.join(", ")),
        Some(Level::Warning | Level::Note) => (Style::Bold, counts.join(", ")),
    };
    let more = match report.more() {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    terminal.line(terminal.paint(style, &format!("{}: {counts}{more}", plain(file))));
}

/// What `--json` prints.
#[derive(Serialize)]
struct Whole<'a> {
    schema: &'static str,
    walden: &'static str,
    errors: usize,
    warnings: usize,
    notes: usize,
    files: Vec<File<'a>>,
}

#[derive(Serialize)]
struct File<'a> {
    file: &'a str,
    findings: Vec<Told<'a>>,
}

#[derive(Serialize)]
struct Told<'a> {
    code: &'static str,
    level: &'static str,
    title: &'static str,
    file: String,
    line: usize,
    column: usize,
    message: &'a str,
    help: Option<&'a str>,
    variants: &'a [String],
    labels: Vec<Label<'a>>,
}

#[derive(Serialize)]
struct Label<'a> {
    file: String,
    line: usize,
    column: usize,
    text: &'a str,
}

impl<'a> Whole<'a> {
    fn new(reports: &'a [(&'a str, Report, Origin)]) -> Whole<'a> {
        let count =
            |level: Level| reports.iter().map(|(_, report, _)| report.count(level)).sum::<usize>();
        let files = reports.iter().map(|(file, report, origin)| File {
            file,
            findings: report.findings().iter().map(|found| Told::new(found, origin)).collect(),
        });
        Whole {
            schema: "walden.check/1",
            walden: sim::VERSION,
            errors: count(Level::Error),
            warnings: count(Level::Warning),
            notes: count(Level::Note),
            files: files.collect(),
        }
    }
}

impl<'a> Told<'a> {
    fn new(finding: &'a Finding, origin: &Origin) -> Told<'a> {
        let Finding { rule, problem, variants } = finding;
        let labels = problem.labels.iter().map(|label| Label {
            file: origin.shown(&label.file),
            line: label.line,
            column: label.column,
            text: &label.text,
        });
        Told {
            code: rule.code,
            level: rule.level.name(),
            title: rule.title,
            file: origin.shown(&problem.file),
            line: problem.line,
            column: problem.column,
            message: &problem.message,
            help: problem.help.as_deref(),
            variants,
            labels: labels.collect(),
        }
    }
}
