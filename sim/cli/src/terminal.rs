//! Standard output as a person or a pipe sees it: width, colour, and a quiet end when nobody
//! reads any more.
//!
//! Colour follows `--color`, then `NO_COLOR`, `CLICOLOR_FORCE`, `TERM=dumb`, then whether this is
//! a terminal. It never carries the only meaning.

use std::env;
use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;

use crate::errors::Failure;

/// `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless the environment says otherwise.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl ColorChoice {
    /// Whether to colour a stream that is a terminal or not.
    pub fn colours(self, terminal: bool) -> bool {
        self.decide(terminal, |name| env::var(name).ok())
    }

    /// What `--color` says on a command line that is not understood otherwise.
    pub fn of_arguments(arguments: impl Iterator<Item = OsString>) -> ColorChoice {
        let words: Vec<String> =
            arguments.map(|word| word.to_string_lossy().into_owned()).collect();
        let after = words.iter().zip(words.iter().skip(1)).find(|(word, _)| *word == "--color");
        let joined = words.iter().find_map(|word| word.strip_prefix("--color="));
        let said = after.map(|(_, value)| value.as_str()).or(joined);
        said.and_then(|value| ColorChoice::from_str(value, false).ok()).unwrap_or_default()
    }

    fn decide(self, terminal: bool, env: impl Fn(&str) -> Option<String>) -> bool {
        let set = |name| env(name).is_some_and(|value| !value.is_empty());
        let on = |name| env(name).is_some_and(|value| !value.is_empty() && value != "0");
        match self {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto if set("NO_COLOR") => false,
            ColorChoice::Auto if on("CLICOLOR_FORCE") => true,
            ColorChoice::Auto => terminal && env("TERM").is_none_or(|term| term != "dumb"),
        }
    }
}

/// How a piece of text is set off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A heading.
    Bold,
    /// Beside the point.
    Dim,
    /// It held.
    Good,
    /// It did not hold.
    Bad,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Style::Bold => "1",
            Style::Dim => "2",
            Style::Good => "32",
            Style::Bad => "31",
        }
    }
}

/// Width of what is printed where there is no terminal to ask: the same bytes everywhere.
const WIDTH_WITHOUT_TERMINAL: usize = 100;

/// Standard output.
#[derive(Debug)]
pub struct Terminal {
    colour: bool,
    width: usize,
    error: Option<io::Error>,
}

impl Terminal {
    /// Looks at standard output and the environment.
    pub fn new(choice: ColorChoice) -> Terminal {
        let terminal = io::stdout().is_terminal();
        Terminal { colour: choice.colours(terminal), width: width_of(terminal), error: None }
    }

    /// Columns there are.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Whether there are colours.
    pub fn colour(&self) -> bool {
        self.colour
    }

    /// The text, set off if there are colours.
    pub fn paint(&self, style: Style, text: &str) -> String {
        if self.colour { format!("\x1b[{}m{text}\x1b[0m", style.code()) } else { text.to_owned() }
    }

    /// Prints one line. After an error the rest is dropped; [`Terminal::finish`] tells.
    pub fn line(&mut self, text: impl Display) {
        if self.error.is_none()
            && let Err(error) = writeln!(io::stdout().lock(), "{text}")
        {
            self.error = Some(error);
        }
    }

    /// Prints bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        if self.error.is_none() {
            self.error = io::stdout().lock().write_all(bytes).err();
        }
    }

    /// Flushes. That nobody reads any more is no failure; that a disk is full is one.
    pub fn finish(mut self) -> Result<(), Failure> {
        let error = self.error.take().or_else(|| io::stdout().lock().flush().err());
        match error {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::Unprintable { why: error.to_string() })
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Prints help, the version, or what is wrong with the command line. A reader who has gone away
/// changes nothing.
pub fn show(text: &clap::Error, choice: ColorChoice) {
    let rendered = text.render();
    let on_error = text.use_stderr();
    let terminal = if on_error { io::stderr().is_terminal() } else { io::stdout().is_terminal() };
    let text = match choice.colours(terminal) {
        true => rendered.ansi().to_string(),
        false => rendered.to_string(),
    };
    let _ = match on_error {
        true => io::stderr().lock().write_all(text.as_bytes()),
        false => io::stdout().lock().write_all(text.as_bytes()),
    };
}

fn width_of(terminal: bool) -> usize {
    let asked = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let found =
        || terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0));
    asked.or_else(|| terminal.then(found).flatten()).unwrap_or(WIDTH_WITHOUT_TERMINAL).max(20)
}

/// Text from a file, without what would move a terminal's cursor.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Breaks text at blanks.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(choice: ColorChoice, terminal: bool, env: &[(&str, &str)]) -> bool {
        choice.decide(terminal, |name| {
            env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn colours_follow_the_flag_then_the_environment_then_the_terminal() {
        use ColorChoice::{Always, Auto, Never};
        assert!(decide(Auto, true, &[]));
        assert!(!decide(Auto, false, &[]));
        assert!(!decide(Auto, true, &[("NO_COLOR", "1")]));
        assert!(decide(Auto, true, &[("NO_COLOR", "")]));
        assert!(!decide(Auto, true, &[("TERM", "dumb")]));
        assert!(decide(Auto, false, &[("CLICOLOR_FORCE", "1")]));
        assert!(!decide(Auto, false, &[("CLICOLOR_FORCE", "0")]));
        assert!(!decide(Auto, false, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
        assert!(decide(Always, false, &[("NO_COLOR", "1")]));
        assert!(!decide(Never, true, &[("CLICOLOR_FORCE", "1")]));
    }

    #[test]
    fn text_from_a_file_cannot_move_the_cursor() {
        assert_eq!(plain("a\x1b[2Jb\n✓"), "a\u{fffd}[2Jb\u{fffd}✓");
    }

    #[test]
    fn text_is_broken_at_blanks_only() {
        assert_eq!(wrap("aa bb cc", 5), ["aa bb", "cc"]);
        assert_eq!(wrap("abcdefgh ij", 5), ["abcdefgh", "ij"]);
        assert!(wrap("", 5).is_empty());
    }
}
