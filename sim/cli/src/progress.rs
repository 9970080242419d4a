//! Runs work on a thread of its own while this one draws a bar, on standard error and only on a
//! terminal, and passes a signal on. The work knows of neither.

use std::io::{self, IsTerminal};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration as WallTime;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
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
    /// How far it goes: simulated time, or trials.
    pub total: u64,
    /// `--quiet`: no bar at all.
    pub quiet: bool,
}

/// Does `work`; `played` is how far it is, and through `outside` it is asked to stop.
pub fn watch<T: Send>(
    shown: Shown<'_>,
    played: &(dyn Fn() -> u64 + Sync),
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
            bar.set_position(played());
        }
        bar.finish_and_clear();
        worker.join().map_err(|_| Failure::Internal {
            message: format!("playing {} panicked; its message is above", shown.what),
        })
    })
}

/// How far runs have been played, all together.
pub fn of(outside: &[Outside]) -> impl Fn() -> u64 + Sync {
    || outside.iter().map(|one| one.played.load(Ordering::Relaxed)).sum()
}

fn bar(shown: Shown<'_>) -> ProgressBar {
    if shown.quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(shown.total), ProgressDrawTarget::stderr());
    if let Ok(style) =
        ProgressStyle::with_template("{msg} {wide_bar} {percent:>3} %  {elapsed}, {eta} left")
    {
        bar.set_style(style);
    }
    bar.set_message(shown.what.to_owned());
    bar
}
