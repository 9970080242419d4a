//! `walden man`: manual pages, made from the same definition as `--help`.

use clap::{Args, Command};
use clap_mangen::Man;

use crate::errors::Failure;
use crate::exit::Exit;
use crate::terminal::{ColorChoice, Terminal};

/// `--help` closes with these.
const EXAMPLES: &str = "\
Examples:
  walden man | man -l -
      the page of walden itself
  walden man run > walden-run.1
      that of one command";

/// Print a manual page, for man to show.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct ManArgs {
    /// Of which command; of walden itself unless given.
    #[arg(value_name = "COMMAND")]
    pub command: Option<String>,
}

/// Does it, for the command line that `whole` is.
pub fn man(args: &ManArgs, whole: Command, color: ColorChoice) -> Result<Exit, Failure> {
    let mut whole = whole;
    whole.build();
    let page = match &args.command {
        None => whole,
        Some(name) => {
            let names: Vec<&str> = whole.get_subcommands().map(Command::get_name).collect();
            let Some(command) = whole.find_subcommand(name) else {
                let message = format!("there is no command {name}; there are {}", names.join(", "));
                return Err(Failure::Usage { message });
            };
            command.clone().version(sim::VERSION)
        }
    };
    let mut text = Vec::new();
    Man::new(page)
        .render(&mut text)
        .map_err(|error| Failure::Internal { message: error.to_string() })?;
    let mut terminal = Terminal::new(color);
    terminal.line(String::from_utf8_lossy(&text).trim_end());
    terminal.finish()?;
    Ok(Exit::Met)
}
