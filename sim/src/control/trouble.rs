//! What ends a run before its time: a panic in a task or in the world, or a task that never rests.
//!
//! A panic's source line is known only to the panic hook. One hook is set, once a process; on the
//! threads of runs it keeps the line for [`caught`] and prints nothing, elsewhere it hands on to
//! the hook it found.
//!
//! **Source.** Walden's own.
//!
//! **Not modelled.** A loop without an await in a task cannot be ended from outside.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;

use models::units::SimTime;

/// A bug, with all that is needed to find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// When, if the run had begun.
    pub(super) at: Option<SimTime>,
    /// In whose code, such as `task 3 on pg1, spawned at sim/src/control/host.rs:80`.
    pub(super) place: String,
    /// What was found, with its source line.
    pub(super) message: String,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = self.at {
            write!(f, "at {at} ({} ns), ", at.0)?;
        }
        write!(f, "in {}: {}", self.place, self.message)
    }
}

thread_local! {
    static OF_A_RUN: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Makes this thread one of a run: panics on it are kept, not printed.
pub(super) fn keep_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if OF_A_RUN.try_with(Cell::get).unwrap_or(false) {
                keep(info);
            } else {
                before(info);
            }
        }));
    });
    OF_A_RUN.set(true);
}

fn keep(info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("a panic without a message");
    let line = info.location().map_or(String::new(), |l| format!(", at {}:{}", l.file(), l.line()));
    // A borrow that is held here would panic within the panic; rather lose the note.
    let _ = LAST.try_with(|last| {
        if let Ok(mut last) = last.try_borrow_mut() {
            *last = Some(format!("{message}{line}"));
        }
    });
}

/// Runs `f`; a panic comes back as its message and source line.
pub(super) fn caught<R>(f: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|_| {
        let note = LAST.try_with(|last| last.borrow_mut().take()).ok().flatten();
        note.unwrap_or_else(|| "a panic that left no message".to_owned())
    })
}
