//! `walden completions`: what a shell reads to complete Walden's words, and the answers to it.
//!
//! The script that is printed asks this program at every TAB, by an environment variable
//! ([`VARIABLE`]), so that it completes what a script alone cannot know: scenarios of the
//! catalogue, stored runs, and the paths that `--set` takes in the scenario that stands on the
//! command line.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use clap::builder::StyledStr;
use clap::{Args, Command, ValueEnum};
use clap_complete::CompleteEnv;
use clap_complete::engine::{
    ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};
use clap_complete::env::Shells;
use models::postgres::views::Query;
use scenarios::catalog;
use scenarios::check::RULES;
use scenarios::import::source::SOURCES;
use scenarios::scenario::Server;

use crate::errors::Failure;
use crate::exit::Exit;
use crate::input;
use crate::opened::Opened;
use crate::terminal::{ColorChoice, Terminal};

/// `--help` closes with these.
const EXAMPLES: &str = "\
Examples:
  walden completions bash >> ~/.bashrc
  walden completions zsh >> ~/.zshrc
  walden completions fish > ~/.config/fish/completions/walden.fish
  walden completions elvish >> ~/.config/elvish/rc.elv
  walden completions powershell >> $PROFILE

Completed are commands, options and their values, scenario files and names of the catalogue,
stored runs, their variants and servers, views, sources, and paths for --set:
`walden run my.toml --set server.<TAB>`.";

/// Tells the program that a shell asks.
const VARIABLE: &str = "WALDEN_COMPLETE";

/// For which shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// GNU Bash.
    Bash,
    /// Elvish.
    Elvish,
    /// fish.
    Fish,
    /// PowerShell.
    Powershell,
    /// Z shell.
    Zsh,
}

impl Shell {
    fn name(self) -> &'static str {
        match self {
            Shell::Bash => "bash",
            Shell::Elvish => "elvish",
            Shell::Fish => "fish",
            Shell::Powershell => "powershell",
            Shell::Zsh => "zsh",
        }
    }
}

/// Print what makes a shell complete walden's words.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Does it.
pub fn completions(args: &CompletionsArgs, color: ColorChoice) -> Result<Exit, Failure> {
    let internal = |message: String| Failure::Internal { message };
    let shells = Shells::builtins();
    let shell = shells
        .completer(args.shell.name())
        .ok_or_else(|| internal(format!("nobody completes for {}", args.shell.name())))?;
    let mut script = Vec::new();
    shell
        .write_registration(VARIABLE, "walden", "walden", "walden", &mut script)
        .map_err(|error| internal(error.to_string()))?;
    let mut terminal = Terminal::new(color);
    terminal.line(String::from_utf8_lossy(&script).trim());
    terminal.finish()?;
    Ok(Exit::Met)
}

/// Answers a shell that asks, and ends; else does nothing.
pub fn answer(command: impl Fn() -> Command) {
    CompleteEnv::with_factory(|| with_completers(command())).var(VARIABLE).complete();
}

/// Gives what there is to choose from behind what was typed.
type Completer = fn(&OsStr) -> Vec<CompletionCandidate>;

/// What completes which argument of which command; options and their words complete themselves.
const COMPLETERS: &[(&str, &str, Completer)] = &[
    ("run", "scenarios", scenarios),
    ("run", "set", set),
    ("replay", "run", runs),
    ("view", "run", runs_and_scenarios),
    ("view", "view", views),
    ("view", "server", servers),
    ("view", "variant", variants),
    ("explain", "what", runs_scenarios_and_codes),
    ("explain", "standby", standbys),
    ("explain", "server", servers),
    ("explain", "variant", variants),
    ("export", "run", runs_and_scenarios),
    ("export", "variant", variants),
    ("plan", "scenario", scenarios),
    ("plan", "set", set),
    ("check", "files", scenarios_and_files),
    ("check", "set", set),
    ("import", "words", sources),
    ("new", "from", catalogue),
];

fn with_completers(command: Command) -> Command {
    COMPLETERS.iter().fold(command, |command, (name, argument, completer)| {
        command.mut_subcommand(name, |sub| {
            sub.mut_arg(argument, |arg| arg.add(ArgValueCompleter::new(*completer)))
        })
    })
}

/// Scenario files and folders, and names of the catalogue.
fn scenarios(typed: &OsStr) -> Vec<CompletionCandidate> {
    let mut found = catalogue(typed);
    let is_wanted = |path: &Path| path.is_dir() || path.extension().is_some_and(|e| e == "toml");
    found.extend(PathCompleter::any().filter(is_wanted).complete(typed));
    found
}

/// Names of the catalogue, and all files.
fn scenarios_and_files(typed: &OsStr) -> Vec<CompletionCandidate> {
    let mut found = catalogue(typed);
    found.extend(PathCompleter::any().complete(typed));
    found
}

/// Names of the catalogue.
fn catalogue(typed: &OsStr) -> Vec<CompletionCandidate> {
    let all = catalog::all().iter();
    beginning(typed, all.map(|entry| (entry.name.to_owned(), entry.question())))
}

/// Stored runs below the current directory, and folders.
fn runs(typed: &OsStr) -> Vec<CompletionCandidate> {
    let mut runs = vec![("latest".to_owned(), "the last run".to_owned())];
    for scenario in folders(Path::new("runs")) {
        for run in folders(Path::new(&scenario)) {
            if Path::new(&run).join("run.toml").is_file() {
                runs.push((run, String::new()));
            }
        }
    }
    let mut found = beginning(typed, runs.into_iter());
    found.extend(PathCompleter::any().complete(typed));
    found
}

/// Stored runs, and what can be played.
fn runs_and_scenarios(typed: &OsStr) -> Vec<CompletionCandidate> {
    let mut found = runs(typed);
    found.extend(catalogue(typed));
    found
}

/// Stored runs, what can be played, and codes of findings.
fn runs_scenarios_and_codes(typed: &OsStr) -> Vec<CompletionCandidate> {
    let codes = RULES.iter().map(|rule| (rule.code.to_owned(), rule.title.to_owned()));
    let mut found = runs_and_scenarios(typed);
    found.extend(beginning(typed, codes));
    found
}

/// What `walden view` shows.
fn views(typed: &OsStr) -> Vec<CompletionCandidate> {
    let monitor = ("monitor".to_owned(), "an overview of all servers".to_owned());
    let named = Query::NAMED.iter().map(|query| (query.name().to_owned(), query.doc().to_owned()));
    beginning(typed, named.chain([monitor]))
}

/// What `walden import` reads: sources and files.
fn sources(typed: &OsStr) -> Vec<CompletionCandidate> {
    let all = SOURCES.iter().map(|entry| (entry.name.to_owned(), entry.reads.to_owned()));
    let mut found = beginning(typed, all);
    found.extend(PathCompleter::any().complete(typed));
    found
}

/// `PATH=VALUE` of the scenario that the command line names.
fn set(typed: &OsStr) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    let Some(file) = std::env::args().skip(1).find_map(|word| input::scenario(&word)) else {
        return Vec::new();
    };
    let (path, value) = match typed.split_once('=') {
        Some((path, _)) => (path, true),
        None => (&*typed, false),
    };
    let settable = file.settable(path).into_iter();
    let candidates = settable.flat_map(|settable| {
        let (path, doc) = (settable.path, settable.doc);
        let words = if value { settable.words } else { vec![""] };
        words.into_iter().map(move |word| (format!("{path}={word}"), doc.clone()))
    });
    beginning(OsStr::new(&*typed), candidates)
}

/// The first word of the command line that is a stored run or a scenario, opened.
fn run_on_the_line() -> Option<Opened> {
    let mut words = std::env::args().skip(1);
    words.find_map(|word| {
        let is_one =
            word == "latest" || catalog::find(&word).is_some() || word.contains(['/', '.']);
        is_one.then(|| Opened::find(&word, Path::new(".")).ok()).flatten()
    })
}

/// Variants of the run on the command line.
fn variants(typed: &OsStr) -> Vec<CompletionCandidate> {
    let names = run_on_the_line().map(|run| run.names()).unwrap_or_default();
    beginning(typed, names.into_iter().map(|name| (name, String::new())))
}

/// Servers of the run on the command line.
fn servers(typed: &OsStr) -> Vec<CompletionCandidate> {
    servers_that(typed, |_| true)
}

/// Its standbys.
fn standbys(typed: &OsStr) -> Vec<CompletionCandidate> {
    servers_that(typed, |server| server.upstream.is_some())
}

fn servers_that(typed: &OsStr, wanted: fn(&Server) -> bool) -> Vec<CompletionCandidate> {
    let run = run_on_the_line();
    let servers = run.iter().flat_map(|run| &run.scenarios).flat_map(|s| &s.servers);
    let names: BTreeSet<&str> = servers.filter(|s| wanted(s)).map(|s| &*s.name).collect();
    beginning(typed, names.into_iter().map(|name| (name.to_owned(), String::new())))
}

/// Candidates that begin with what was typed.
fn beginning(
    typed: &OsStr,
    candidates: impl Iterator<Item = (String, String)>,
) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    let candidate = |(value, help): (String, String)| {
        let help = (!help.is_empty()).then(|| StyledStr::from(help));
        CompletionCandidate::new(value).help(help)
    };
    candidates.filter(|(value, _)| value.starts_with(&*typed)).map(candidate).collect()
}

fn folders(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir() && !path.is_symlink())
        .map(|path| path.display().to_string())
        .collect()
}
