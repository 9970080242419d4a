//! What the control plane of one run knows, and the only door to its world.
//!
//! [`Ctl`] lives in a thread-local of the run's own thread, so control code needs no handle: it
//! says [`now`], [`with`], [`apply`]. Each field sits in a cell of its own and no borrow outlives
//! a statement, so a guard that is dropped in the middle of a kill may call anything here.
//!
//! Every touch of the world by control code is one entry of a log ([`super::replay`]): the list,
//! played on a bare world, gives the same digest without any task.
//!
//! **Source.** Walden's own.
//!
//! **Not modelled.** Nothing: this is machinery.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::task::Waker;

use madsim::runtime::Handle;
use madsim::time::TimeHandle;
use models::postgres::statement::Statement;
use models::trace::fact::{ServerId, What};
use models::units::SimTime;
use scenarios::action::View;

use super::book::{Book, Watchers};
use super::replay::{Logged, Touch};
use super::task::{NodeState, Task, TaskId};
use super::trouble::Trouble;
use crate::world::{Action, World};

/// The control plane of one run.
pub(super) struct Ctl {
    pub(super) world: RefCell<World>,
    /// What the control plane did to the world, in order.
    pub(super) log: RefCell<Vec<Logged>>,
    /// Whether it did something since the world last moved: that may have made data events at
    /// this same moment, which come before the next booking.
    pub(super) touched: Cell<bool>,
    pub(super) book: RefCell<Book>,
    pub(super) watchers: RefCell<Watchers>,
    pub(super) tasks: RefCell<BTreeMap<TaskId, Task>>,
    pub(super) last_task: Cell<TaskId>,
    /// Indexed by [`super::Node`]; the first is the stage, which no host stands for.
    pub(super) nodes: RefCell<Vec<NodeState>>,
    /// Tasks to poll, lowest id first: the order in which they were woken has no say.
    pub(super) ready: RefCell<BTreeSet<TaskId>>,
    /// The task whose code runs, or whose future is being dropped.
    pub(super) current: Cell<Option<TaskId>>,
    /// The task that the driver waits for.
    pub(super) granted: Cell<Option<TaskId>>,
    /// The driver's waker while it waits.
    pub(super) baton: RefCell<Option<Waker>>,
    /// A panic in a task, for the driver to find.
    pub(super) trouble: RefCell<Option<Trouble>>,
    /// Polls of tasks so far.
    pub(super) polls: Cell<u64>,
    /// Set for good when the run is taken apart: nothing is booked or spawned any more.
    pub(super) closing: Cell<bool>,
    /// Somebody has seen enough: the run ends here.
    pub(super) finished: Cell<bool>,
    pub(super) handle: Handle,
    pub(super) clock: TimeHandle,
}

thread_local! {
    static CTL: RefCell<Option<Rc<Ctl>>> = const { RefCell::new(None) };
}

/// The control plane of the run that plays on this thread.
pub(super) fn ctl() -> Rc<Ctl> {
    try_ctl().expect("control code runs on the thread of a run, between its start and its end")
}

/// The same, for guards and wakers, which may outlive the run.
pub(super) fn try_ctl() -> Option<Rc<Ctl>> {
    CTL.try_with(|ctl| ctl.borrow().clone()).ok().flatten()
}

/// Keeps a [`Ctl`] installed on this thread, and takes it apart when dropped: a panic that
/// unwinds past the driver leaves no future behind that could look for its `ctl` in vain.
pub(super) struct Installed;

impl Installed {
    pub(super) fn new(ctl: Rc<Ctl>) -> Installed {
        CTL.with(|slot| slot.replace(Some(ctl)));
        Installed
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        if let Some(ctl) = try_ctl() {
            ctl.take_apart();
        }
        CTL.with(|slot| slot.take());
    }
}

impl Ctl {
    /// A control plane without nodes. To be called in the context of a madsim runtime.
    pub(super) fn new(world: World, handle: Handle) -> Ctl {
        Ctl {
            world: RefCell::new(world),
            log: RefCell::default(),
            touched: Cell::new(false),
            book: RefCell::default(),
            watchers: RefCell::default(),
            tasks: RefCell::default(),
            last_task: Cell::default(),
            nodes: RefCell::default(),
            ready: RefCell::default(),
            current: Cell::default(),
            granted: Cell::default(),
            baton: RefCell::default(),
            trouble: RefCell::default(),
            polls: Cell::default(),
            closing: Cell::default(),
            finished: Cell::default(),
            handle,
            clock: TimeHandle::current(),
        }
    }

    pub(super) fn now(&self) -> SimTime {
        self.world.borrow().now()
    }

    /// Does something to the world and logs it, with the number of data events before it: two
    /// things done in one wake-up have no event between them, and their time does not say so.
    fn touch(&self, touch: Touch) {
        let mut world = self.world.borrow_mut();
        let (at, events) = (world.now(), world.events());
        self.log.borrow_mut().push(Logged { at, events, touch: touch.clone() });
        touch.play(&mut world);
        self.touched.set(true);
    }

    /// Drops every future and every booking in order, while this is still installed. A madsim
    /// runtime drops none of its suspended tasks, so all nodes are killed; their empty shells
    /// are dropped by the executor before `block_on` returns.
    pub(super) fn take_apart(&self) {
        self.closing.set(true);
        let nodes = self.nodes.borrow().len();
        (0..nodes).for_each(|node| self.kill_node(node));
        // Only if a guard panicked in an earlier attempt is there anything left.
        while let Some(id) = self.tasks.borrow().first_key_value().map(|(id, _)| *id) {
            self.drop_task(id);
        }
        self.ready.take();
        drop(self.book.take());
        drop(self.watchers.take());
        self.nodes.borrow_mut().clear();
    }
}

/// The moment up to which the world has been played.
pub fn now() -> SimTime {
    ctl().now()
}

/// Looks at the world.
pub fn with<R>(look: impl FnOnce(&World) -> R) -> R {
    look(&ctl().world.borrow())
}

/// Does something to the world, now.
pub fn apply(action: Action) {
    ctl().touch(Touch::Action(action));
}

/// Writes down what a view of a server shows.
pub fn observe(server: ServerId, view: View) {
    ctl().touch(Touch::Look(server, view));
}

/// Sends a statement to a server, for the action of that number.
pub fn ask(server: ServerId, statement: Statement, action: u16) {
    ctl().touch(Touch::Ask(server, statement, action));
}

/// Leaves a fact that only the control plane knows.
pub fn fact(server: Option<ServerId>, what: What) {
    ctl().touch(Touch::Fact(server, what));
}

/// Ends the run at this moment, when all that was woken has had its turn.
pub fn finish() {
    ctl().touch(Touch::Finish);
    ctl().finished.set(true);
}
