//! The control plane keeps its order, its dead and its promises, on a small world.

mod common;

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::{Diary, Hostile, commits, fault, play, scenario};
use futures_util::{FutureExt, select_biased};
use models::trace::fact::{Scope, ServerId, What};
use models::units::{Bytes, Duration, SimTime};
use scenarios::fault::FaultKind;
use scenarios::scenario::{Scenario, ServerState};
use sim::control::{
    self, Hosts, Node, Touch, after, apply, is_up, kill, mailbox, node, now, pause, restart,
    resume, sleep, sleep_until, spawn, timeout, wait_for, with,
};
use sim::world::{Action, Watch, World};
use sim::{Options, Outside, RunError};

const A: ServerId = ServerId(0);
const B: ServerId = ServerId(1);
const C: ServerId = ServerId(2);
const D: ServerId = ServerId(3);

fn at(ms: u64) -> SimTime {
    SimTime(ms * 1_000_000)
}

fn last_number(line: &str) -> u64 {
    line.rsplit(' ').next().and_then(|n| n.parse().ok()).expect("a line with a number at its end")
}

#[test]
fn bookings_of_one_moment_fire_in_booked_order_with_data_events_between() {
    let diary = Diary::default();
    let mut scenario = scenario(4, 1);
    // Primaries of their own, whose recovery takes no time: a start is a data event at once.
    for server in &mut scenario.servers[1..] {
        (server.upstream, server.state) = (None, ServerState::Down);
    }
    play(&scenario, |_| {
        let note = |who: &'static str, server| {
            let diary = diary.clone();
            move || {
                diary.note(format!("{who} {}", with(World::events)));
                apply(Action::Start { server });
            }
        };
        // Booked for the same moment: the late one by the task that was spawned first.
        let (first, second, third) = (note("first", B), note("second", C), note("third", D));
        spawn(async move {
            sleep_until(at(5)).await;
            sleep_until(at(10)).await;
            third();
        });
        spawn(async move {
            sleep_until(at(10)).await;
            first();
        });
        after(Duration::ms(1), move || after(Duration::ms(9), second));
    });
    let lines = diary.lines();
    let events: Vec<u64> = lines.iter().map(|l| last_number(l)).collect();
    assert!(lines[0].starts_with("first") && lines[1].starts_with("second"), "{lines:?}");
    assert_eq!(events, [events[0], events[0] + 1, events[0] + 2], "{lines:?}");
}

#[test]
fn tasks_woken_together_run_in_the_order_they_were_spawned() {
    let diary = Diary::default();
    play(&scenario(2, 1), |_| {
        for (who, wait) in [("one", 3), ("two", 2), ("three", 1)] {
            let diary = diary.clone();
            spawn(async move {
                sleep(Duration::ms(wait)).await;
                wait_for(Watch::Down(A)).await;
                diary.note(who);
            });
        }
        after(Duration::ms(10), || apply(Action::Crash { server: A, scope: Scope::Host }));
    });
    assert_eq!(diary.lines(), ["one", "two", "three"]);
}

#[test]
fn a_sleep_that_is_over_still_lets_others_go_first() {
    let diary = Diary::default();
    play(&scenario(1, 1), |_| {
        let (one, two) = (diary.clone(), diary.clone());
        spawn(async move {
            sleep(Duration::ZERO).await;
            one.note("late");
        });
        spawn(async move { two.note("early") });
    });
    assert_eq!(diary.lines(), ["early", "late"]);
}

#[test]
fn what_is_booked_for_the_end_happens() {
    let diary = Diary::default();
    let played = play(&scenario(1, 1), |_| {
        let (one, two) = (diary.clone(), diary.clone());
        spawn(async move {
            sleep_until(at(1000)).await;
            one.note("at the end");
            sleep(Duration::ZERO).await;
            one.note("still at the end");
        });
        spawn(async move {
            sleep_until(SimTime(1_000_000_001)).await;
            two.note("behind the end");
        });
    });
    assert_eq!(diary.lines(), ["at the end", "still at the end"]);
    assert_eq!(played.world.now(), at(1000));
}

#[test]
fn a_watch_ends_at_the_close_of_the_moment_at_which_it_holds() {
    let diary = Diary::default();
    let mut scenario = scenario(2, 1);
    scenario.workloads = vec![commits(1_000)];
    let played = play(&scenario, |_| {
        let diary = diary.clone();
        spawn(async move {
            let target = with(|w| w.servers()[B.index()].flushed()) + Bytes(10_000);
            wait_for(Watch::Flushed(B, target)).await;
            let over = with(|w| w.servers()[B.index()].flushed()).since(target);
            diary.note(format!("flushed, one flush over at most: {}", over < Bytes(8192)));
            apply(Action::Crash { server: A, scope: Scope::Processes });
            wait_for(Watch::Down(A)).await;
            sleep_until(at(100)).await;
            apply(Action::Start { server: A });
            wait_for(Watch::Ready(A)).await;
            diary.note(format!("ready at {} ns", now().0));
        });
    });
    let run = played.world.finish(&scenario);
    let ready = run.facts.iter().find(|f| f.what == What::Ready).expect("it recovers");
    assert!(ready.at > at(100), "recovery takes time");
    let ready = format!("ready at {} ns", ready.at.0);
    assert_eq!(diary.lines(), ["flushed, one flush over at most: true", ready.as_str()]);
}

#[test]
fn a_watch_that_no_longer_holds_is_waited_for_again() {
    let diary = Diary::default();
    play(&scenario(1, 1), |_| {
        let (one, two) = (diary.clone(), diary.clone());
        spawn(async move {
            wait_for(Watch::Down(A)).await;
            one.note("first sees it down");
            apply(Action::Start { server: A });
        });
        spawn(async move {
            wait_for(Watch::Down(A)).await;
            two.note(format!("second sees it down at {}", now()));
        });
        let crash = || apply(Action::Crash { server: A, scope: Scope::Processes });
        after(Duration::ms(10), crash);
        after(Duration::ms(20), crash);
    });
    assert_eq!(diary.lines(), ["first sees it down", "second sees it down at 0.020 s"]);
}

/// A node with two tasks that sleep for ever and note when they are dropped.
fn node_with_guards(diary: &Diary, name: &'static str) -> Node {
    let diary = diary.clone();
    node(name, move || {
        let diary = diary.clone();
        async move {
            diary.note(format!("{name} boots"));
            let child = diary.guard(format!("{name} child dropped"));
            spawn(async move {
                let _child = child;
                pending::<()>().await;
            });
            let _init = diary.guard(format!("{name} init dropped"));
            sleep(Duration::ms(100)).await;
            diary.note(format!("{name} slept"));
            pending::<()>().await;
        }
    })
}

#[test]
fn kill_and_restart_at_one_moment_drop_the_old_life_before_the_new_begins() {
    let diary = Diary::default();
    play(&scenario(1, 1), |_| {
        let host = node_with_guards(&diary, "x");
        let diary = diary.clone();
        spawn(async move {
            sleep_until(at(50)).await;
            for round in 1..=2 {
                kill(host);
                diary.note(format!("killed {round}"));
                restart(host);
            }
            restart(host);
            diary.note("restarted");
            sleep_until(at(149)).await;
            diary.note("the old sleep is gone");
        });
    });
    let expected = "x boots, x init dropped, x child dropped, killed 1, killed 2, restarted, \
                    x boots, the old sleep is gone, x slept, x init dropped, x child dropped";
    assert_eq!(diary.lines().join(", "), expected);
}

#[test]
fn a_task_that_kills_its_own_node_is_dropped_last_and_spawns_nothing() {
    let diary = Diary::default();
    play(&scenario(1, 1), |_| {
        let own: Rc<Cell<Option<Node>>> = Rc::default();
        let (mine, diary) = (Rc::clone(&own), diary.clone());
        let host = node("x", move || {
            let (own, diary) = (Rc::clone(&mine), diary.clone());
            async move {
                let _guard = diary.guard("killer dropped");
                let sibling = diary.guard("sibling dropped");
                spawn(async move {
                    let _sibling = sibling;
                    pending::<()>().await;
                });
                sleep(Duration::ms(1)).await;
                kill(own.get().expect("set before it runs"));
                diary.note("killer goes on");
                let child = diary.guard("child dropped");
                let join = spawn(async move {
                    let _child = child;
                    diary_never();
                });
                diary.note(format!("the dead get {:?}", join.now_or_never()));
                sleep(Duration::ms(1)).await;
                diary.note("never");
            }
        });
        own.set(Some(host));
    });
    let expected = "sibling dropped, killer goes on, child dropped, the dead get Some(None), \
                    killer dropped";
    assert_eq!(diary.lines().join(", "), expected);
}

#[test]
fn a_task_may_restart_its_own_node() {
    let diary = Diary::default();
    play(&scenario(1, 1), |_| {
        let own: Rc<Cell<Option<Node>>> = Rc::default();
        let (mine, inner) = (Rc::clone(&own), diary.clone());
        let host = node("x", move || {
            let (own, diary) = (Rc::clone(&mine), inner.clone());
            async move {
                diary.note(format!("boots at {}", now()));
                let _guard = diary.guard("dropped");
                sleep(Duration::ms(400)).await;
                let host = own.get().expect("set before it runs");
                (0..3).for_each(|_| restart(host));
                diary.note("goes on");
                sleep(Duration::ZERO).await;
                diary.note("never");
            }
        });
        own.set(Some(host));
    });
    let life = |at| format!("boots at 0.{at}00 s, goes on, dropped");
    let expected = format!("{}, {}, boots at 0.800 s, dropped", life(0), life(4));
    assert_eq!(diary.lines().join(", "), expected);
}

fn diary_never() {
    unreachable!("a dead task's child ran");
}

#[test]
fn a_paused_node_hears_of_everything_when_it_goes_on() {
    let diary = Diary::default();
    play(&scenario(1, 1), |_| {
        let (post, inbox) = mailbox::<&str>();
        let inbox = Rc::new(Cell::new(Some(inbox)));
        let inner = diary.clone();
        let host = node("x", move || {
            let (diary, inbox) = (inner.clone(), inbox.take());
            async move {
                let Some(mut inbox) = inbox else { return diary.note("booted again") };
                let got = timeout(Duration::ms(30), inbox.recv()).await;
                diary.note(format!("{got:?} at {}", now()));
                sleep_until(at(60)).await;
                diary.note(format!("slept to {}", now()));
                let got = timeout(Duration::ms(10), inbox.recv()).await;
                diary.note(format!("{got:?} at {}", now()));
                wait_for(Watch::Down(A)).await;
                diary.note("never: it was up again");
            }
        });
        let diary = diary.clone();
        spawn(async move {
            sleep_until(at(10)).await;
            pause(host);
            pause(host);
            assert!(!is_up(host));
            post.send(Duration::ms(5), "a letter");
            sleep_until(at(50)).await;
            resume(host);
            resume(host);
            sleep_until(at(100)).await;
            pause(host);
            apply(Action::Crash { server: A, scope: Scope::Processes });
            sleep_until(at(200)).await;
            apply(Action::Start { server: A });
            resume(host);
            sleep_until(at(300)).await;
            pause(host);
            kill(host);
            resume(host);
            restart(host);
            diary.note("restarted");
        });
    });
    let expected = "Some(\"a letter\") at 0.050 s, slept to 0.060 s, None at 0.070 s, restarted, \
                    booted again";
    assert_eq!(diary.lines().join(", "), expected);
}

#[test]
fn a_losing_arm_leaves_nothing_booked() {
    let played = play(&scenario(1, 10), |_| {
        spawn(async {
            for _ in 0..1000 {
                select_biased! {
                    () = sleep(Duration::s(3600)).fuse() => unreachable!(),
                    () = wait_for(Watch::Down(A)).fuse() => unreachable!(),
                    () = sleep(Duration::ms(1)).fuse() => {}
                }
            }
        });
    });
    assert_eq!(played.polls, 1001 + 4, "the loop; stage, injector, boot and postmaster once each");
}

#[test]
fn a_join_gives_the_output_or_says_that_there_is_none() {
    let diary = Diary::default();
    play(&scenario(1, 1), |_| {
        let diary = diary.clone();
        spawn(async move {
            let done = spawn(async { 7 });
            let aborted = spawn(pending::<u8>());
            let unpolled = spawn(async { 8 });
            unpolled.abort();
            sleep(Duration::ms(1)).await;
            aborted.abort();
            diary.note(format!("{:?} {:?} {:?}", done.await, aborted.await, unpolled.await));
        });
    });
    assert_eq!(diary.lines(), ["Some(7) None None"]);
}

fn touches(scenario: &Scenario) -> Vec<String> {
    let played = play(scenario, |_| ());
    let line = |l: &control::Logged| {
        let ms = l.at.0 / 1_000_000;
        match &l.touch {
            Touch::Action(action) => Some(format!("{ms} {}", common::short(action))),
            Touch::Fact(_, What::FaultBegan { .. } | What::FaultHealed { .. }) => None,
            Touch::Fact(..) | Touch::Look(..) | Touch::Ask(..) | Touch::Finish => {
                Some("?".to_owned())
            }
        }
    };
    played.log.iter().filter_map(line).collect()
}

#[test]
fn a_link_cut_twice_stays_cut_until_both_healed() {
    let mut scenario = scenario(3, 1);
    scenario.faults = vec![
        fault(10, Some(20), FaultKind::LinkCut { between: vec![(0, 1), (2, 0)] }),
        fault(20, Some(30), FaultKind::LinkCut { between: vec![(1, 0)] }),
        fault(50, Some(10), FaultKind::LinkCut { between: vec![(0, 1)] }),
        fault(15, Some(1), FaultKind::LinkHold { between: vec![(0, 1)] }),
        fault(70, None, FaultKind::LinkReset { between: vec![(0, 1)] }),
        fault(80, None, FaultKind::LinkHold { between: vec![(0, 1)] }),
    ];
    let expected = "10 cut 01, 10 cut 02, 15 hold 01, 16 release 01, 30 heal 02, 60 heal 01, \
                    70 reset 01, 80 hold 01";
    assert_eq!(touches(&scenario).join(", "), expected);
}

#[test]
fn a_server_comes_back_when_the_last_fault_lets_it_go() {
    let crash = |what| FaultKind::Crash { what, server: 0 };
    let freeze = |what| FaultKind::Freeze { what, server: 0 };
    let (p, h) = (Scope::Processes, Scope::Host);
    for (faults, expected) in [
        (vec![fault(10, Some(10), crash(p))], "10 crash P 0, 20 start 0"),
        (vec![fault(10, Some(10), crash(h))], "10 crash H 0, 20 start 0"),
        (vec![fault(10, None, crash(h))], "10 crash H 0"),
        (
            vec![fault(10, Some(10), crash(p)), fault(15, Some(10), crash(p))],
            "10 crash P 0, 25 start 0",
        ),
        (
            vec![fault(10, Some(10), crash(p)), fault(20, Some(10), crash(p))],
            "10 crash P 0, 30 start 0",
        ),
        (
            vec![fault(10, Some(30), crash(p)), fault(15, Some(10), crash(h))],
            "10 crash P 0, 15 crash H 0, 40 start 0",
        ),
        (vec![fault(10, Some(30), crash(h)), fault(15, None, crash(p))], "10 crash H 0"),
        (
            vec![fault(10, Some(20), freeze(p)), fault(15, Some(30), freeze(h))],
            "10 freeze P 0, 15 freeze H 0, 45 thaw 0",
        ),
        (
            vec![fault(10, Some(30), freeze(h)), fault(15, Some(5), crash(p))],
            "10 freeze H 0, 15 crash P 0, 40 start 0",
        ),
        (
            vec![fault(10, Some(30), crash(p)), fault(15, Some(5), freeze(h))],
            "10 crash P 0, 40 start 0",
        ),
    ] {
        let mut scenario = scenario(2, 1);
        scenario.faults = faults;
        assert_eq!(touches(&scenario).join(", "), expected, "{:?}", scenario.faults);
    }
}

#[test]
fn a_fault_does_not_start_what_was_shut_down() {
    let mut scenario = scenario(2, 1);
    scenario.servers[1].state = ServerState::Down;
    scenario.faults = vec![
        fault(10, Some(10), FaultKind::Crash { what: Scope::Processes, server: 1 }),
        fault(30, Some(10), FaultKind::Crash { what: Scope::Host, server: 1 }),
        fault(50, Some(10), FaultKind::Freeze { what: Scope::Processes, server: 1 }),
    ];
    assert_eq!(touches(&scenario), ["30 crash H 1"]);
}

#[test]
fn a_process_crash_leaves_agents_alone_and_a_host_crash_kills_them() {
    let mut scenario = scenario(2, 1);
    scenario.faults = vec![
        fault(10, Some(10), FaultKind::Crash { what: Scope::Processes, server: 0 }),
        fault(30, Some(10), FaultKind::Crash { what: Scope::Host, server: 0 }),
    ];
    let diary = Diary::default();
    play(&scenario, |hosts| {
        let diary = diary.clone();
        control::spawn_on(hosts.node(A), async move {
            let _guard = diary.guard("agent dies");
            loop {
                sleep(Duration::ms(25)).await;
                diary.note(format!("agent lives at {}", now()));
            }
        });
    });
    assert_eq!(diary.lines(), ["agent lives at 0.025 s", "agent dies"]);
}

#[test]
fn an_operator_starts_what_was_down_and_boots_keep_it() {
    let mut scenario = scenario(2, 1);
    scenario.servers[1].state = ServerState::Down;
    scenario.faults = vec![fault(30, Some(10), FaultKind::Crash { what: Scope::Host, server: 1 })];
    let played = play(&scenario, |hosts| {
        let hosts = Rc::clone(hosts);
        spawn(async move {
            sleep_until(at(10)).await;
            hosts.start(B);
            hosts.start(B);
        });
    });
    let starts = |l: &&control::Logged| l.touch == Touch::Action(Action::Start { server: B });
    let starts: Vec<u64> = played.log.iter().filter(starts).map(|l| l.at.0 / 1_000_000).collect();
    assert_eq!(starts, [10, 40]);
}

#[test]
fn faults_leave_facts() {
    let mut scenario = scenario(2, 1);
    scenario.faults = vec![
        fault(10, Some(10), FaultKind::LinkCut { between: vec![(0, 1)] }),
        fault(5, None, FaultKind::LinkReset { between: vec![(0, 1)] }),
        fault(2000, Some(1), FaultKind::LinkCut { between: vec![(0, 1)] }),
    ];
    let played = play(&scenario, |_| ());
    let run = played.world.finish(&scenario);
    let of_faults = run.facts.iter().filter(|f| f.server.is_none());
    let facts: Vec<(u64, What)> = of_faults.map(|f| (f.at.0 / 1_000_000, f.what)).collect();
    let (began, healed) = (|fault| What::FaultBegan { fault }, |fault| What::FaultHealed { fault });
    assert_eq!(facts, [(5, began(1)), (10, began(0)), (20, healed(0))]);
}

fn trouble(scenario: &Scenario, cast: impl FnOnce(&Rc<Hosts>) + Send) -> String {
    let end = control::play(scenario, Options::default(), &Outside::default(), cast, |_| ());
    end.expect_err("this run ends in trouble").to_string()
}

#[test]
fn a_panic_in_a_task_names_scenario_time_task_and_line() {
    let message = trouble(&scenario(2, 1), |hosts| {
        control::spawn_on(hosts.node(B), async {
            sleep(Duration::ms(123)).await;
            panic!("the agent is confused");
        });
    });
    let head = "internal error in scenario toy, variant base, seed 42: at 0.123 s (123000000 ns), \
                in task 5 on pg2, spawned at sim/tests/control.rs:";
    assert!(message.starts_with(head), "{message}");
    assert!(message.contains(": the agent is confused, at sim/tests/control.rs:"), "{message}");
}

#[test]
fn a_panic_anywhere_else_ends_the_run_too() {
    let outside = ServerId(200);
    let in_the_world = trouble(&scenario(1, 1), |_| {
        spawn(async move {
            sleep(Duration::ms(1)).await;
            apply(Action::Start { server: outside });
        });
    });
    assert!(in_the_world.contains("in task 4 on the stage"), "{in_the_world}");
    assert!(in_the_world.contains("sim/src/world/mod.rs:"), "{in_the_world}");
    let in_a_delivery = trouble(&scenario(1, 1), |_| after(Duration::ms(1), || panic!("lost")));
    assert!(in_a_delivery.contains("sent with `after`: lost, at"), "{in_a_delivery}");
    let on_the_stage = trouble(&scenario(1, 1), |_| panic!("no cast"));
    assert!(on_the_stage.contains("in setting up: no cast, at"), "{on_the_stage}");
    let in_a_guard = trouble(&scenario(1, 1), |_| {
        struct Bad;
        impl Drop for Bad {
            fn drop(&mut self) {
                panic!("a bad guard");
            }
        }
        spawn(async {
            let _bad = Bad;
            pending::<()>().await;
        });
    });
    assert!(in_a_guard.contains("in taking the run apart: a bad guard, at"), "{in_a_guard}");
    let end = control::play(
        &scenario(1, 1),
        Options::default(),
        &Outside::default(),
        |_| (),
        |_| panic!("a bad epilogue"),
    );
    let end: Result<(), RunError> = end;
    let end = end.expect_err("trouble");
    assert!(end.to_string().contains("in the engine: a bad epilogue, at"), "{end}");
}

#[test]
fn a_task_that_never_rests_is_named() {
    let sleepless = trouble(&scenario(1, 1), |_| {
        spawn(async {
            sleep(Duration::ms(7)).await;
            loop {
                let mut polled = false;
                std::future::poll_fn(|cx| {
                    cx.waker().wake_by_ref();
                    let ready = std::mem::replace(&mut polled, true);
                    if ready { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
                })
                .await;
            }
        });
    });
    assert!(sleepless.contains("at 0.007 s (7000000 ns), in task 4 on the stage"), "{sleepless}");
    assert!(sleepless.contains("1000000 wake-ups at one moment"), "{sleepless}");
}

#[test]
fn stop_works_at_once() {
    let outside = Outside::default();
    outside.ask_to_stop();
    let end = sim::run(&scenario(1, 1), Options::default(), &outside);
    assert!(matches!(end, Err(RunError::Stopped(SimTime::ZERO))));

    let outside = Arc::new(Outside::default());
    let from_within = Arc::clone(&outside);
    let cast = move |_: &Rc<Hosts>| {
        after(Duration::ms(250), move || from_within.ask_to_stop());
    };
    let end = control::play(&scenario(1, 100), Options::default(), &outside, cast, |_| ());
    assert!(matches!(end, Err(RunError::Stopped(t)) if t == at(250)), "{end:?}");
    assert_eq!(outside.played.load(Ordering::Relaxed), at(250).0);

    // From another thread, in the middle of a run that would take for ever.
    let outside = Outside::default();
    let endless = scenario(1, 1_000_000_000);
    let end = std::thread::scope(|scope| {
        let run = scope.spawn(|| sim::run(&endless, Options::default(), &outside));
        while outside.played.load(Ordering::Relaxed) < at(1000).0 {
            std::hint::spin_loop();
        }
        outside.ask_to_stop();
        run.join().expect("no panic")
    });
    assert!(matches!(end, Err(RunError::Stopped(_))), "{end:?}");
}

#[test]
fn nothing_outlives_a_run() {
    let life = Arc::new(());
    let held = || Arc::clone(&life);
    play(&scenario(2, 1), |hosts| {
        let (a, b, c, d, e) = (held(), held(), held(), held(), held());
        spawn(async move {
            let _a = a;
            pending::<()>().await;
        });
        after(Duration::s(100), move || drop(b));
        let x = node("x", move || {
            let c = Arc::clone(&c);
            async move {
                let _c = c;
                sleep(Duration::s(100)).await;
            }
        });
        let (post, mut inbox) = mailbox();
        post.send(Duration::ms(1), d);
        spawn(async move {
            sleep(Duration::s(100)).await;
            inbox.recv().await
        });
        let hosts = Rc::clone(hosts);
        spawn(async move {
            sleep_until(at(1000)).await;
            pause(x);
            hosts.freeze(A, Scope::Host);
            // Never polled: spawned on a host that stands still.
            control::spawn_on(hosts.node(A), async move {
                let _e = e;
                pending::<()>().await;
            });
        });
    });
    assert_eq!(Arc::strong_count(&life), 1);
}

/// Twelve rounds a second of all that may go wrong, with wakers that come in an order drawn from
/// madsim's dice.
fn stress(hosts: &Rc<Hosts>, diary: &Diary) {
    let hostile = Hostile::default();
    let nodes: Vec<Node> = (0..6)
        .map(|n| {
            let (diary, hostile) = (diary.clone(), hostile.clone());
            node(&format!("n{n}"), move || {
                let (diary, hostile) = (diary.clone(), hostile.clone());
                async move {
                    for t in 0..8 {
                        let (diary, hostile) = (diary.clone(), hostile.clone());
                        spawn(common::hand(n, t, diary, hostile));
                    }
                    pending::<()>().await;
                }
            })
        })
        .collect();
    let (hosts, diary) = (Rc::clone(hosts), diary.clone());
    spawn(async move {
        for round in 0..60_usize {
            sleep(Duration::us(83_333)).await;
            diary.note(format!("round {round} {}", with(World::digest)));
            hostile.notify();
            let x = nodes[round % 6];
            match round % 5 {
                0 => kill(x),
                1 => nodes.iter().for_each(|&n| restart(n)),
                2 => pause(x),
                3 => nodes.iter().for_each(|&n| resume(n)),
                _ => {
                    kill(x);
                    restart(x);
                    hosts.freeze(C, Scope::Host);
                    sleep(Duration::ZERO).await;
                    hosts.thaw(C);
                }
            }
        }
    });
}

fn stressful() -> Scenario {
    let mut scenario = scenario(3, 5);
    scenario.workloads = vec![commits(500)];
    for n in 0..40 {
        let (at, lasts) = (n * 113 % 4900, Some(n * 37 % 300));
        let server = usize::from(n % 3 == 0);
        scenario.faults.push(fault(
            at,
            lasts,
            match n % 5 {
                0 => FaultKind::Crash { what: Scope::Host, server },
                1 => FaultKind::Crash { what: Scope::Processes, server },
                2 => FaultKind::Freeze { what: Scope::Host, server },
                3 => FaultKind::LinkCut { between: vec![(0, 1), (1, 2)] },
                _ => FaultKind::LinkReset { between: vec![(0, 2)] },
            },
        ));
    }
    scenario
}

fn play_stress(madsim_seed: u64) -> (control::Played, Vec<String>) {
    let diary = Diary::default();
    let options = Options { madsim_seed, ..Options::default() };
    let cast = |hosts: &Rc<Hosts>| stress(hosts, &diary);
    let played = control::play(&stressful(), options, &Outside::default(), cast, |played| played);
    (played.expect("an honest run"), diary.lines())
}

#[test]
fn madsims_seed_has_no_say() {
    let (reference, lines) = play_stress(0);
    assert!(reference.log.len() > 100 && lines.len() > 5_000, "{} lines", lines.len());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (reference, lines) = (&reference, &lines);
            scope.spawn(move || {
                for seed in (thread..64).step_by(4) {
                    let (played, said) = play_stress(seed);
                    assert_eq!(played.world.digest(), reference.world.digest(), "seed {seed}");
                    assert!(played.log == reference.log && said == *lines, "seed {seed}");
                }
            });
        }
    });
}

#[test]
fn the_log_on_a_bare_world_gives_the_same_run() {
    let scenario = stressful();
    let (played, _) = play_stress(1);
    let mut bare = World::new(&scenario, true);
    control::replay(&mut bare, &played.log, played.world.now());
    assert_eq!(bare.digest(), played.world.digest());
    assert_eq!(bare.events(), played.world.events());
    // And from a copy taken on the way.
    let middle = SimTime(played.world.now().0 / 2);
    let mut first = World::new(&scenario, true);
    control::replay(&mut first, &played.log, middle);
    let mut second = first.clone();
    let rest: Vec<_> = played.log.iter().filter(|l| l.at > middle).cloned().collect();
    control::replay(&mut second, &rest, played.world.now());
    assert_eq!(second.digest(), played.world.digest());
}

#[test]
fn many_runs_are_the_same_on_any_number_of_threads() {
    let scenarios: Vec<Scenario> = (0..12).map(|seed| Scenario { seed, ..stressful() }).collect();
    let outside: Vec<Outside> = scenarios.iter().map(|_| Outside::default()).collect();
    let digests = |threads| {
        sim::sweep::run_all(&scenarios, threads, Options::default(), &outside)
            .into_iter()
            .map(|run| run.map(|run| (run.seed, run.digest)).expect("an honest run"))
            .collect::<Vec<_>>()
    };
    let one = digests(1);
    assert_eq!(one.iter().map(|(seed, _)| *seed).collect::<Vec<_>>(), (0..12).collect::<Vec<_>>());
    for threads in [0, 2, 5, 64] {
        assert_eq!(digests(threads), one, "{threads} threads");
    }
    assert!(outside.iter().all(|o| o.played.load(Ordering::Relaxed) == at(5000).0));
}
