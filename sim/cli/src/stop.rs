//! Ctrl-C and its kin: a command is asked to end, and ends cleanly with 128 and the signal's
//! number.
//!
//! While a command only reads and prints, a signal ends the process at once: nothing is left
//! behind. Who plays a run or writes a file listens ([`Stop::listen`]): then the first signal is
//! noted, and whoever does the work looks at the note and stops. A second one ends the process at
//! once: what it leaves then is removed by the next run (see `results`).

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::errors::Failure;

/// Whether a signal came, and which.
#[derive(Clone, Debug)]
pub struct Stop {
    /// Nobody has listened yet: end at once.
    at_once: Arc<AtomicBool>,
    asked: Arc<AtomicBool>,
    signal: Arc<AtomicUsize>,
}

/// A process has one.
static STOP: OnceLock<Stop> = OnceLock::new();

impl Stop {
    /// From now on a signal ends the process with its exit code.
    pub fn prepare() -> io::Result<()> {
        let stop = Stop {
            at_once: Arc::new(AtomicBool::new(true)),
            asked: Arc::default(),
            signal: Arc::default(),
        };
        for (number, name) in [(SIGINT, 2), (SIGTERM, 15)] {
            // Order matters: the shutdowns look at the notes before this signal makes one.
            flag::register_conditional_shutdown(number, 128 + number, Arc::clone(&stop.at_once))?;
            flag::register_conditional_shutdown(number, 128 + number, Arc::clone(&stop.asked))?;
            flag::register_usize(number, Arc::clone(&stop.signal), name)?;
            flag::register(number, Arc::clone(&stop.asked))?;
        }
        STOP.set(stop).map_err(|_| io::Error::other("signals are prepared for once"))
    }

    /// From now on the first signal is noted, and looked for with [`Stop::asked`].
    pub fn listen() -> io::Result<Stop> {
        let stop = STOP.get().ok_or_else(|| io::Error::other("signals are not prepared for"))?;
        stop.at_once.store(false, Ordering::SeqCst);
        Ok(stop.clone())
    }

    /// Whether somebody wants us to end.
    pub fn asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// Ends the work in hand with `?` if somebody wants us to end.
    pub fn check(&self) -> Result<(), Failure> {
        if self.asked() { Err(self.failure()) } else { Ok(()) }
    }

    /// What the end of the work is called after [`Stop::asked`].
    pub fn failure(&self) -> Failure {
        let signal = u8::try_from(self.signal.load(Ordering::SeqCst)).unwrap_or(2);
        Failure::Stopped { signal }
    }
}
