//! Tasks, the nodes they live on, and how both die.
//!
//! The real future of a task lies in a table of [`Ctl`]. madsim runs one *shell* a node: a task
//! without state that polls, when the driver has granted it, one future of its node, and hands
//! back. So one task runs at a time, madsim's random pick has one live candidate, and the order
//! is ours: ready tasks are polled lowest id first, ids being given in the order of spawning.
//!
//! A kill drops the node's futures from the table at once, in the order of spawning: bookings,
//! watches and tasks are gone when it returns, while madsim drops the empty shell when it gets
//! round to it. A task that kills its own node goes on to its next await and is dropped after its
//! siblings. The dead spawn nothing. On a paused node wake-ups are set aside and delivered when
//! it goes on.
//!
//! **Source.** madsim 0.2.34, `sim/task/mod.rs`: `kill`, `restart`, `pause`, `resume`.
//!
//! **Not modelled.** A node that ends with its first task: here a node lives until it is killed.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use super::ctl::{Ctl, ctl, try_ctl};
use super::trouble::{Trouble, caught};

type Life = Pin<Box<dyn Future<Output = ()>>>;

/// A task of this run, counted from 1 in the order of spawning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TaskId(u64);

/// A living task.
pub(super) struct Task {
    node: usize,
    /// Absent while it is being polled.
    life: Option<Life>,
    waker: Waker,
    spawned: &'static Location<'static>,
}

/// A node of this run: what dies, freezes and boots as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node(usize);

impl Node {
    /// The node that stands for no host; it is there before all others and never dies. What is
    /// spawned outside of any task lives here.
    pub const STAGE: Node = Node(0);
}

/// How a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Up,
    Paused,
    Down,
}

/// What is known of a node.
pub(super) struct NodeState {
    name: String,
    health: Health,
    madsim: madsim::task::NodeId,
    /// Makes its first task, at every boot.
    init: Rc<dyn Fn() -> Life>,
    /// The shell's waker; none before it was first polled, when it is in madsim's queue anyway.
    shell: Option<Waker>,
    /// Tasks that were woken while the node was paused.
    set_aside: BTreeSet<TaskId>,
}

/// Puts a task into the ready set, through the thread-local: a waker must be `Send`.
struct Alarm(TaskId);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        if let Some(ctl) = try_ctl() {
            ctl.ready.borrow_mut().insert(self.0);
        }
    }
}

/// What madsim runs on a node. It owns nothing, so it matters little when madsim drops it.
async fn shell(node: usize) {
    poll_fn(|cx| {
        if let Some(ctl) = try_ctl() {
            ctl.attend(node, cx);
        }
        Poll::<()>::Pending
    })
    .await;
}

impl Ctl {
    /// The next task to poll: lowest id first, passing over the dead and setting the paused aside.
    pub(super) fn pop_ready(&self) -> Option<TaskId> {
        loop {
            let id = self.ready.borrow_mut().pop_first()?;
            let Some(node) = self.tasks.borrow().get(&id).map(|task| task.node) else { continue };
            let state = &mut self.nodes.borrow_mut()[node];
            match state.health {
                Health::Up => return Some(id),
                Health::Paused => _ = state.set_aside.insert(id),
                Health::Down => {}
            }
        }
    }

    /// Lets one task run up to its next await. The driver waits here meanwhile; it always leaves
    /// a granted shell in madsim's queue, so that the queue never runs dry.
    pub(super) async fn hand_over(&self, id: TaskId) -> Result<(), Trouble> {
        self.polls.set(self.polls.get() + 1);
        self.granted.set(Some(id));
        let node = self.tasks.borrow().get(&id).map(|task| task.node);
        let shell = node.and_then(|node| self.nodes.borrow()[node].shell.clone());
        if let Some(shell) = shell {
            shell.wake();
        }
        poll_fn(|cx| {
            if self.granted.get().is_none() {
                return Poll::Ready(());
            }
            self.baton.replace(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await;
        self.trouble.take().map_or(Ok(()), Err)
    }

    /// A shell's turn: polls the granted task if it is one of this node, and hands back.
    fn attend(&self, node: usize, cx: &mut Context<'_>) {
        if let Some(state) = self.nodes.borrow_mut().get_mut(node) {
            state.shell = Some(cx.waker().clone());
        }
        let Some(id) = self.granted.get() else { return };
        if self.tasks.borrow().get(&id).is_none_or(|task| task.node != node) {
            return;
        }
        self.poll_task(id);
        self.granted.set(None);
        let driver = self.baton.take();
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    fn poll_task(&self, id: TaskId) {
        let taken = {
            let mut tasks = self.tasks.borrow_mut();
            let place = |t: &Task| (t.node, t.spawned);
            tasks.get_mut(&id).and_then(|t| Some((t.life.take()?, t.waker.clone(), place(t))))
        };
        let Some((mut life, waker, (node, spawned))) = taken else { return };
        let before = self.current.replace(Some(id));
        let polled = caught(|| {
            if life.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
                // If it is no longer there it died while it ran, and is dropped here and now.
                let mut tasks = self.tasks.borrow_mut();
                if let Some(task) = tasks.get_mut(&id) {
                    task.life = Some(life);
                    return;
                }
            } else {
                self.tasks.borrow_mut().remove(&id);
            }
            drop(life);
        });
        self.current.set(before);
        if let Err(message) = polled {
            self.tasks.borrow_mut().remove(&id);
            let place = self.place(id, node, spawned);
            self.trouble.replace(Some(self.trouble_in(&place, message)));
        }
    }

    /// A task's place in messages; it may have died meanwhile.
    fn place(&self, id: TaskId, node: usize, spawned: &Location<'_>) -> String {
        let name = &self.nodes.borrow()[node].name;
        format!("task {} on {name}, spawned at {}:{}", id.0, spawned.file(), spawned.line())
    }

    /// The task that was granted last, for messages.
    pub(super) fn place_of(&self, id: TaskId) -> String {
        let known = self.tasks.borrow().get(&id).map(|task| (task.node, task.spawned));
        known.map_or_else(
            || format!("task {}, which is dead", id.0),
            |(node, spawned)| self.place(id, node, spawned),
        )
    }

    pub(super) fn trouble_in(&self, place: &str, message: String) -> Trouble {
        // A panic in the world has let go of it: a borrow never outlives its statement.
        let at = self.world.try_borrow().ok().map(|world| world.now());
        Trouble { at, place: place.to_owned(), message }
    }

    /// Adds a task, ready to be polled. `None`, and the future is dropped, on a dead node and when
    /// the run is over.
    fn admit(
        &self,
        node: usize,
        spawned: &'static Location<'static>,
        life: Life,
    ) -> Option<TaskId> {
        let up = self.nodes.borrow().get(node).is_some_and(|n| n.health != Health::Down);
        if !up || self.closing.get() {
            return None;
        }
        let id = TaskId(self.last_task.get().0 + 1);
        self.last_task.set(id);
        let waker = Waker::from(Arc::new(Alarm(id)));
        self.tasks.borrow_mut().insert(id, Task { node, life: Some(life), waker, spawned });
        self.ready.borrow_mut().insert(id);
        Some(id)
    }

    /// Drops a task's future, as its own act. One that runs is dropped at its next await.
    pub(super) fn drop_task(&self, id: TaskId) {
        let Some(task) = self.tasks.borrow_mut().remove(&id) else { return };
        let before = self.current.replace(Some(id));
        drop(task);
        self.current.set(before);
    }

    // The only place that may call madsim's own verbs: everything else that must happen with a
    // kill or a pause happens here too.
    #[allow(clippy::disallowed_methods)]
    pub(super) fn kill_node(&self, node: usize) {
        let madsim = {
            let state = &mut self.nodes.borrow_mut()[node];
            if state.health == Health::Down {
                return;
            }
            state.health = Health::Down;
            state.shell = None;
            state.set_aside.clear();
            state.madsim
        };
        self.handle.kill(madsim);
        let of_node: Vec<TaskId> = {
            let tasks = self.tasks.borrow();
            tasks.iter().filter(|(_, task)| task.node == node).map(|(id, _)| *id).collect()
        };
        of_node.into_iter().for_each(|id| self.drop_task(id));
    }

    #[allow(clippy::disallowed_methods)]
    fn boot_node(&self, node: usize, spawned: &'static Location<'static>) {
        let (madsim, init) = {
            let state = &mut self.nodes.borrow_mut()[node];
            state.health = Health::Up;
            (state.madsim, Rc::clone(&state.init))
        };
        self.handle.restart(madsim);
        self.admit(node, spawned, init());
    }
}

/// Makes a node and boots it: `init` makes its first task, now and at every [`restart`].
#[track_caller]
pub fn node<F>(name: &str, init: impl Fn() -> F + 'static) -> Node
where
    F: Future<Output = ()> + 'static,
{
    let ctl = ctl();
    let index = ctl.nodes.borrow().len();
    // madsim holds a spin lock while it makes a shell: the closure only makes a future.
    let made = ctl.handle.create_node().name(name).init(move || shell(index)).build();
    let init: Rc<dyn Fn() -> Life> = Rc::new(move || Box::pin(init()));
    ctl.nodes.borrow_mut().push(NodeState {
        name: name.to_owned(),
        health: Health::Up,
        madsim: made.id(),
        init: Rc::clone(&init),
        shell: None,
        set_aside: BTreeSet::new(),
    });
    ctl.admit(index, Location::caller(), init());
    Node(index)
}

/// Kills a node: all its tasks and all they have booked are gone when this returns. A dead node
/// stays as it is.
pub fn kill(node: Node) {
    ctl().kill_node(node.0);
}

/// Boots a node; a living one is killed first.
#[track_caller]
pub fn restart(node: Node) {
    let ctl = ctl();
    ctl.kill_node(node.0);
    ctl.boot_node(node.0, Location::caller());
}

/// Stops a node's tasks where they are. What they sleep for passes; they hear of it when they go
/// on. Nothing happens to a node that is paused or dead.
#[allow(clippy::disallowed_methods)]
pub fn pause(node: Node) {
    let ctl = ctl();
    let state = &mut ctl.nodes.borrow_mut()[node.0];
    if state.health == Health::Up {
        state.health = Health::Paused;
        ctl.handle.pause(state.madsim);
    }
}

/// Lets a paused node go on; whatever came meanwhile arrives now.
#[allow(clippy::disallowed_methods)]
pub fn resume(node: Node) {
    let ctl = ctl();
    let state = &mut ctl.nodes.borrow_mut()[node.0];
    if state.health == Health::Paused {
        state.health = Health::Up;
        ctl.handle.resume(state.madsim);
        ctl.ready.borrow_mut().append(&mut state.set_aside);
    }
}

/// Whether a node is neither dead nor paused.
pub fn is_up(node: Node) -> bool {
    ctl().nodes.borrow()[node.0].health == Health::Up
}

/// Starts a task on the caller's node; outside of any task, on [`Node::STAGE`].
#[track_caller]
pub fn spawn<T: 'static>(f: impl Future<Output = T> + 'static) -> Join<T> {
    let ctl = ctl();
    // A dead caller is turned away, whatever node this says.
    let here = ctl.current.get().and_then(|id| Some(ctl.tasks.borrow().get(&id)?.node));
    spawn_at(&ctl, here.unwrap_or(Node::STAGE.0), Location::caller(), f)
}

/// Starts a task on another node.
#[track_caller]
pub fn spawn_on<T: 'static>(node: Node, f: impl Future<Output = T> + 'static) -> Join<T> {
    spawn_at(&ctl(), node.0, Location::caller(), f)
}

fn spawn_at<T: 'static>(
    ctl: &Ctl,
    node: usize,
    spawned: &'static Location<'static>,
    f: impl Future<Output = T> + 'static,
) -> Join<T> {
    let end = Rc::new(RefCell::new(End { output: None, over: false, waiting: None }));
    let announce = Announce(Rc::clone(&end));
    let life = async move {
        let output = f.await;
        announce.0.borrow_mut().output = Some(output);
        drop(announce);
    };
    let caller_lives = ctl.current.get().is_none_or(|id| ctl.tasks.borrow().contains_key(&id));
    let task = if caller_lives { ctl.admit(node, spawned, Box::pin(life)) } else { None };
    Join { task, end }
}

/// How a task ended.
struct End<T> {
    output: Option<T>,
    over: bool,
    waiting: Option<Waker>,
}

/// Dropped with its task, however that ends.
struct Announce<T>(Rc<RefCell<End<T>>>);

impl<T> Drop for Announce<T> {
    fn drop(&mut self) {
        self.0.borrow_mut().over = true;
        let waiting = self.0.borrow_mut().waiting.take();
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}

/// Waits for a task: its output, or `None` if it was killed. Dropping this lets the task be.
pub struct Join<T> {
    task: Option<TaskId>,
    end: Rc<RefCell<End<T>>>,
}

impl<T> Join<T> {
    /// Kills the task: it and all it has booked are gone when this returns.
    pub fn abort(&self) {
        if let (Some(id), Some(ctl)) = (self.task, try_ctl()) {
            ctl.drop_task(id);
        }
    }
}

impl<T> fmt::Debug for Join<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join").field("task", &self.task).finish_non_exhaustive()
    }
}

impl<T> Future for Join<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut end = self.end.borrow_mut();
        if end.over {
            return Poll::Ready(end.output.take());
        }
        end.waiting = Some(cx.waker().clone());
        Poll::Pending
    }
}
