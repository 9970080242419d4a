//! Ctrl-C and its kin: a run is asked to end, and ends cleanly.
//!
//! The first signal is noted; whoever does the work looks at the note and stops. A second one
//! ends the process at once: what it leaves then is removed by the next run (see `results`).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::errors::Failure;

/// Whether a signal came, and which.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    asked: Arc<AtomicBool>,
    signal: Arc<AtomicUsize>,
}

impl Stop {
    /// Listens from now on.
    pub fn listen() -> io::Result<Stop> {
        let stop = Stop::default();
        for (number, name) in [(SIGINT, 2), (SIGTERM, 15)] {
            // Order matters: the shutdown looks at the note before this signal makes it.
            let asked = || Arc::clone(&stop.asked);
            flag::register_conditional_shutdown(number, 128 + number, asked())?;
            flag::register_usize(number, Arc::clone(&stop.signal), name)?;
            flag::register(number, asked())?;
        }
        Ok(stop)
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
