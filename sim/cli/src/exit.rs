//! What the process tells its caller when it ends.

use std::process::ExitCode;

/// The exit codes, as `walden --help` lists them; 101 is left to a panic, which would be a bug in
/// Walden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Every expectation and every law held; a replay repeated.
    Met,
    /// An expectation, a law or a replay did not hold.
    NotMet,
    /// The command line is wrong (clap's own code).
    Usage,
    /// A scenario or a stored run is wrong.
    WrongInput,
    /// More seeds are needed to decide what a scenario expects.
    Undecided,
    /// The results could not be written.
    Unwritable,
    /// Walden found itself in a state that cannot be.
    Internal,
    /// A signal asked it to end: 128 and the signal's number, as shells have it.
    Signal(u8),
}

impl Exit {
    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Exit::Met => 0,
            Exit::NotMet => 1,
            Exit::Usage => 2,
            Exit::WrongInput => 3,
            Exit::Undecided => 4,
            Exit::Unwritable => 5,
            Exit::Internal => 101,
            Exit::Signal(number) => 128u8.saturating_add(number),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}
