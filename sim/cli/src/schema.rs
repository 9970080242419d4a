//! `walden schema`: the JSON Schemas, for editors and for programs.

use clap::{Args, ValueEnum};
use scenarios::schema;

use crate::errors::Failure;
use crate::exit::Exit;
use crate::terminal::{ColorChoice, Terminal};

/// `--help` closes with these.
const EXAMPLES: &str = "\
Examples:
  walden schema > scenario.schema.json
      for editors: a scenario beside it that begins with the line
      #:schema scenario.schema.json
      is checked and completed while you type, settings of PostgreSQL with what they do
  walden schema summary
      what summary.json and `walden run --json` have, key by key

`walden new` writes both, the line and the schema. Editors that read such lines have taplo inside:
Even Better TOML in VS Code, the TOML language servers of Helix, Neovim and Zed.";

/// Which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Document {
    /// A scenario file.
    #[default]
    Scenario,
    /// What `walden run --json` prints: summary.json.
    Summary,
}

/// Print the JSON Schema of scenario files or of summary.json.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct SchemaArgs {
    /// Of what.
    #[arg(value_enum, default_value_t)]
    pub of: Document,
}

/// What the file is called that [`text`] goes into, and the first line of a scenario beside it.
pub const FILE: &str = "scenario.schema.json";

/// The schema as it is printed, ending in a newline.
pub fn text(document: Document) -> Result<String, Failure> {
    let schema = match document {
        Document::Scenario => schema::scenario(),
        Document::Summary => schema::summary(),
    };
    let text = serde_json::to_string_pretty(&schema)
        .map_err(|error| Failure::Internal { message: error.to_string() })?;
    Ok(text + "\n")
}

/// Does it.
pub fn schema(args: &SchemaArgs, color: ColorChoice) -> Result<Exit, Failure> {
    let mut terminal = Terminal::new(color);
    terminal.line(text(args.of)?.trim_end());
    terminal.finish()?;
    Ok(Exit::Met)
}
