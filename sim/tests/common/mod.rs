//! What the tests of the control plane share.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use models::latency::Quantiles;
use models::network::Loss;
use models::postgres::PgVersion;
use models::postgres::guc::Settings;
use models::trace::fact::Scope;
use models::units::{Bytes, Duration, Lsn, Rate, TimelineId};
use scenarios::fault::{Fault, FaultKind};
use scenarios::scenario::{Disk, Link, Recycled, Route, Scenario, Server, ServerState, Start};
use scenarios::workload::{Arrivals, Load, TransactionWal, Workload};
use sim::control::{self, Hosts, Played, mailbox, now, sleep, timeout, with};
use sim::world::{Action, World};
use sim::{Options, Outside};

/// A scenario with `servers` servers, pg1 the primary, and `seconds` of time.
pub fn scenario(servers: usize, seconds: u64) -> Scenario {
    let rate = Rate::new(200 << 20).expect("not zero");
    let server = |n: usize| Server {
        name: format!("pg{}", n + 1),
        site: None,
        upstream: (n > 0).then_some(0),
        slot: None,
        state: ServerState::Up,
        disk: Disk {
            fsync: Quantiles::constant(1_000_000),
            write: rate,
            write_call: Duration::us(20),
            capacity: None,
        },
        separate_wal_disk: false,
        replay: rate,
        settings: Settings::defaults(PgVersion::DEFAULT),
    };
    let link = |&(a, b): &(usize, usize)| Link {
        name: format!("{a}-{b}"),
        rtt: Quantiles::constant(500_000),
        bandwidth: Rate::new(1_250_000_000).expect("not zero"),
        window: Bytes::mb(6),
        loss: Loss::NONE,
    };
    let pairs: Vec<(usize, usize)> =
        (0..servers).flat_map(|b| (0..b).map(move |a| (a, b))).collect();
    Scenario {
        name: "toy".to_owned(),
        variant: "base".to_owned(),
        variant_settings: Vec::new(),
        title: String::new(),
        question: String::new(),
        seed: 42,
        duration: Duration::s(seconds),
        pg_version: PgVersion::DEFAULT,
        start: Start {
            lsn: Lsn(0x300_0028),
            timeline: TimelineId(1),
            recycled: Recycled::Max,
            files_before: 0,
        },
        servers: (0..servers).map(server).collect(),
        routes: pairs.iter().enumerate().map(|(link, &(a, b))| Route { a, b, link }).collect(),
        links: pairs.iter().map(link).collect(),
        workloads: Vec::new(),
        faults: Vec::new(),
        expect: Vec::new(),
        order: Vec::new(),
        shares: Vec::new(),
        actions: Vec::new(),
        steps: Vec::new(),
        slots: Vec::new(),
        not_modelled: Vec::new(),
    }
}

/// Commits of 500 bytes in an open loop, so many a second.
pub fn commits(rate: u64) -> Workload {
    Workload {
        name: "commits".to_owned(),
        load: Load::Open { gap: Duration(1_000_000_000 / rate), arrivals: Arrivals::Constant },
        wal: TransactionWal { records: Quantiles::constant(500), pages: Vec::new() },
        synchronous_commit: None,
        service: Quantiles::constant(40_000),
        transactions: None,
        rows: 1,
    }
}

/// A fault from `at` for `lasts`, both in milliseconds.
pub fn fault(at: u64, lasts: Option<u64>, kind: FaultKind) -> Fault {
    Fault { name: "f".to_owned(), at: Duration::ms(at), lasts: lasts.map(Duration::ms), kind }
}

/// Plays a run that ends well.
pub fn play(scenario: &Scenario, cast: impl FnOnce(&Rc<Hosts>) + Send) -> Played {
    let outside = Outside::default();
    control::play(scenario, Options::default(), &outside, cast, |played| played)
        .expect("a run that ends well")
}

/// An action in a few letters.
pub fn short(action: &Action) -> String {
    let letter = |scope: &Scope| match scope {
        Scope::Processes => 'P',
        Scope::Host => 'H',
    };
    match action {
        Action::Crash { server, scope } => format!("crash {} {}", letter(scope), server.0),
        Action::Freeze { server, scope } => format!("freeze {} {}", letter(scope), server.0),
        Action::Start { server } => format!("start {}", server.0),
        Action::Thaw { server } => format!("thaw {}", server.0),
        Action::Command { server, command } => format!("{command:?} {}", server.0),
        Action::FillDisk { server, full } => format!("full {full} {}", server.0),
        Action::SlowDisk { server, slowdown } => format!("slow {slowdown:?} {}", server.0),
        Action::StallDisk { server, stalled } => format!("stall {stalled} {}", server.0),
        Action::JumpClock { server, by } => format!("jump {by} {}", server.0),
        Action::Cut { a, b } => format!("cut {}{}", a.0, b.0),
        Action::HealCut { a, b } => format!("heal {}{}", a.0, b.0),
        Action::Hold { a, b } => format!("hold {}{}", a.0, b.0),
        Action::Release { a, b } => format!("release {}{}", a.0, b.0),
        Action::Impair { from, to, .. } => format!("impair {}{}", from.0, to.0),
        Action::Reset { a, b } => format!("reset {}{}", a.0, b.0),
    }
}

/// Lines that tasks of a run leave for the test.
#[derive(Clone, Debug, Default)]
pub struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    /// Adds a line.
    pub fn note(&self, line: impl Into<String>) {
        self.0.lock().expect("not poisoned").push(line.into());
    }

    /// All lines.
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().expect("not poisoned").clone()
    }

    /// Adds a line when it is dropped.
    pub fn guard(&self, line: impl Into<String>) -> Note {
        Note(self.clone(), line.into())
    }
}

/// See [`Diary::guard`].
#[derive(Debug)]
pub struct Note(Diary, String);

impl Drop for Note {
    fn drop(&mut self) {
        self.0.note(std::mem::take(&mut self.1));
    }
}

/// A notification that wakes those who wait in an order drawn from madsim's dice, as some
/// libraries do.
#[derive(Clone, Default)]
pub struct Hostile(Rc<RefCell<(u64, Vec<Waker>)>>);

impl Hostile {
    /// Wakes everybody.
    #[allow(clippy::disallowed_methods)]
    pub fn notify(&self) {
        self.0.borrow_mut().0 += 1;
        let mut wakers = std::mem::take(&mut self.0.borrow_mut().1);
        while !wakers.is_empty() {
            let at = madsim::rand::random::<usize>() % wakers.len();
            wakers.swap_remove(at).wake();
        }
    }

    /// Waits for the next notification.
    pub async fn notified(&self) {
        let seen = self.0.borrow().0;
        poll_fn(|cx| {
            let (count, wakers) = &mut *self.0.borrow_mut();
            if *count != seen {
                return Poll::Ready(());
            }
            wakers.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// A task of the stress test: sleeps, writes to itself, waits to be notified, and says so.
pub async fn hand(node: usize, task: usize, diary: Diary, hostile: Hostile) {
    let _guard = diary.guard(format!("drop {node} {task}"));
    let (post, mut inbox) = mailbox();
    let mut round: u64 = 0;
    loop {
        round += 1;
        let events = with(World::events);
        diary.note(format!("{} {events} {node} {task} {round}", now().0));
        match (task as u64 + round) % 3 {
            0 => sleep(Duration::ms(10 * (1 + task as u64 % 2))).await,
            1 => {
                post.send(Duration::ms(20), round);
                let got = timeout(Duration::ms(15 + task as u64), inbox.recv()).await;
                diary.note(format!("{node} {task} got {got:?}"));
            }
            _ => hostile.notified().await,
        }
    }
}
