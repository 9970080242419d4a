//! Runs work on a thread of its own while this one draws a bar, on standard error and only on a
//! terminal, and passes a signal on. The work knows of neither.

use std::io::{self, IsTerminal};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration as WallTime;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use models::units::Duration;
use sim::Outside;

use crate::errors::Failure;
use crate::stop::Stop;

/// How often the bar moves and signals are looked at.
const POLL: WallTime = WallTime::from_millis(50);

/// What is shown.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// What is being played.
    pub what: &'a str,
    /// Simulated time of all of it.
    pub total: Duration,
    /// `--quiet`: no bar at all.
    pub quiet: bool,
}

/// Does `work`, and tells the world about it through `outside`.
pub fn watch<T: Send>(
    shown: Shown<'_>,
    outside: &[Outside],
    stop: &Stop,
    work: impl FnOnce() -> T + Send,
) -> Result<T, Failure> {
    let bar = bar(shown);
    thread::scope(|scope| {
        // Dropped with the worker, whether it returns or panics.
        let (done, ended) = mpsc::channel::<()>();
        let worker = scope.spawn(move || {
            let _done = done;
            work()
        });
        while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(POLL) {
            if stop.asked() {
                outside.iter().for_each(Outside::ask_to_stop);
            }
            bar.set_position(outside.iter().map(|one| one.played.load(Ordering::Relaxed)).sum());
        }
        bar.finish_and_clear();
        worker.join().map_err(|_| Failure::Internal {
            message: format!("playing {} panicked; its message is above", shown.what),
        })
    })
}

fn bar(shown: Shown<'_>) -> ProgressBar {
    if shown.quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(shown.total.0), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {percent:>3} %  {elapsed}") {
        bar.set_style(style);
    }
    bar.set_message(shown.what.to_owned());
    bar
}
