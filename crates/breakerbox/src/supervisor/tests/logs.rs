//! R46: no death is silent, and none is told twice.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use breakerbox_core::{OnLimit, Phase, Restart, RestartIntensity, Strategy};
use tokio::runtime::Builder;
use tokio::sync::Notify;
use tracing::dispatcher::set_default as set_dispatch;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::set_default;
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

use super::captured::{Capture, Captured, Line};
use super::troubled::{Act, Leaf, Life, Nest, ORDERLY, Shop, UNLIMITED, settle, tell};
use super::worker::{block, worker};
use super::{SECOND, kill, supervise};
use crate::supervisor::{ChildSpec, Departure, Shutdown, Supervisor, SupervisorSpec};

const RESTARTS: [Restart; 3] = [Restart::Permanent, Restart::Temporary, Restart::Transient];

/// What a line about an exit says: its kind, its text, its incarnation.
type Said = (&'static str, &'static str, &'static str);

/// What is above INFO, all of it said of this child.
fn warned_of(path: &str, lines: &[Line]) -> Vec<(String, String, String)> {
    let warnings = lines.iter().filter(|line| line.level <= Level::WARN);
    let said = warnings.map(|line| {
        assert_eq!(line.level, Level::WARN, "{line:?}");
        assert_eq!(line.target, "breakerbox::supervisor");
        assert_eq!(line.message(), "child exited", "{line:?}");
        assert_eq!(line.field("child.path"), path, "{line:?}");
        let field = |name| line.field(name).to_owned();
        (
            field("exit.kind"),
            field("exit.text"),
            field("child.incarnation"),
        )
    });
    said.collect()
}

fn assert_warned_of(path: &str, lines: &[Line], expected: &[Said], case: &str) {
    let expected: Vec<_> = expected
        .iter()
        .map(|(kind, text, incarnation)| {
            let [kind, text, incarnation] = [kind, text, incarnation].map(|it| (*it).to_owned());
            (kind, text, incarnation)
        })
        .collect();
    assert_eq!(warned_of(path, lines), expected, "{case}");
}

const RUN_ERROR: Said = ("error", "an error while it runs", "1");
const RUN_PANIC: Said = ("panicked", "a panic while it runs", "1");
const START_ERROR: Said = ("init_failed", "an error at the start", "2");
const START_PANIC: Said = ("init_failed", "a panic at the start", "2");
const START_TIMEOUT: Said = ("init_failed", "it did not start within 5s", "2");

fn second_start(act: Act) -> fn(u64) -> Act {
    match act {
        Act::Error => |incarnation| only_second(incarnation, Act::Error),
        Act::Panic => |incarnation| only_second(incarnation, Act::Panic),
        Act::Hang => |incarnation| only_second(incarnation, Act::Hang),
        Act::Pass | Act::Slow => |_| Act::Pass,
    }
}

const fn only_second(incarnation: u64, act: Act) -> Act {
    match incarnation {
        2 => act,
        _ => Act::Pass,
    }
}

/// Each restart type, each kind of child, each place, each way to fail while it runs and
/// while it starts again.
#[tokio::test(start_paused = true)]
async fn r46_each_failure_is_warned_of_once_with_its_text_path_and_incarnation() {
    let cases: [(Act, Act, &[Said]); 6] = [
        (Act::Error, Act::Pass, &[RUN_ERROR]),
        (Act::Panic, Act::Pass, &[RUN_PANIC]),
        (Act::Error, Act::Error, &[RUN_ERROR, START_ERROR]),
        (Act::Panic, Act::Panic, &[RUN_PANIC, START_PANIC]),
        (Act::Error, Act::Hang, &[RUN_ERROR, START_TIMEOUT]),
        (Act::Pass, Act::Pass, &[]),
    ];
    let log = Captured::up_to(Level::INFO);
    for (runs, again, expected) in cases {
        for restart in RESTARTS {
            for (kind, nest) in Leaf::ALL
                .into_iter()
                .flat_map(|it| Nest::ALL.map(|n| (it, n)))
            {
                let case = format!("{runs:?}, {again:?}, {restart:?}, {kind:?}, {nest:?}");
                let starts = second_start(again);
                let life = Life {
                    runs,
                    starts,
                    ..ORDERLY
                };
                let shop = Shop::open(kind, nest, life, restart).await;
                let path = format!("shop/{}", shop.leaf());
                shop.tell().await;
                let mut lines = log.take();
                let told = warned_of(&path, &lines).len();
                assert!(told >= expected.len().min(1), "{case}: told at once");
                tokio::time::sleep(10 * SECOND).await;
                shop.root.shutdown().await;
                lines.extend(log.take());
                let ends_here = restart == Restart::Temporary;
                let told = if ends_here {
                    expected.len().min(1)
                } else {
                    expected.len()
                };
                assert_warned_of(&path, &lines, &expected[..told], &case);
            }
        }
    }
}

/// A first start: at the boot of a supervisor, and of a child that is added later.
#[tokio::test(start_paused = true)]
async fn r46_a_first_start_that_fails_is_warned_of() {
    let cases: [(Act, Said); 3] = [
        (Act::Error, ("init_failed", "an error at the start", "1")),
        (Act::Panic, ("init_failed", "a panic at the start", "1")),
        (
            Act::Hang,
            ("init_failed", "it did not start within 5s", "1"),
        ),
    ];
    let log = Captured::up_to(Level::INFO);
    for kind in Leaf::ALL {
        for (act, expected) in cases {
            let starts: fn(u64) -> Act = match act {
                Act::Error => |_| Act::Error,
                Act::Panic => |_| Act::Panic,
                _ => |_| Act::Hang,
            };
            let go = Arc::new(Notify::new());
            let leaf = || kind.spec("leaf", Life { starts, ..ORDERLY }, &go);
            let spec = || SupervisorSpec::new("shop", Strategy::OneForOne);
            let shop = spec().start().await.unwrap();
            shop.add(leaf()).await.unwrap_err();
            shop.shutdown().await;
            assert_warned_of("shop/leaf", &log.take(), &[expected], "added");

            spec().child(leaf()).start().await.unwrap_err();
            let (errors, others) = split_errors(log.take());
            assert_warned_of("shop/leaf", &others, &[expected], "booted");
            let [error] = &errors[..] else {
                panic!("{errors:?}")
            };
            assert_eq!(error.message(), "supervisor stops because of child");
            assert_eq!(error.field("exit.text"), expected.1);
        }
    }
}

/// A kill from outside, and what fails when it is stopped from outside or in order.
#[tokio::test(start_paused = true)]
async fn r46_a_kill_from_outside_and_a_failure_over_a_stop_are_warned_of_once() {
    let stop_error: Said = ("error", "an error at the stop", "1");
    let stop_panic: Said = ("panicked", "a panic at the stop", "1");
    let killed: Said = ("killed", "", "1");
    let log = Captured::up_to(Level::INFO);
    for (kind, nest) in Leaf::ALL
        .into_iter()
        .flat_map(|it| Nest::ALL.map(|n| (it, n)))
    {
        for (stops, said) in [(Act::Error, stop_error), (Act::Panic, stop_panic)] {
            for how in ["remove", "shutdown", "stop", "restart", "outside"] {
                let life = Life { stops, ..ORDERLY };
                let shop = Shop::open(kind, nest, life, Restart::Temporary).await;
                let path = format!("shop/{}", shop.leaf());
                let leaf = shop.leaf();
                match how {
                    "remove" => drop(shop.root.remove(leaf).await.unwrap()),
                    "stop" => drop(shop.root.stop(leaf).await.unwrap()),
                    "restart" => {
                        shop.root.restart(leaf).await.unwrap();
                        let lines = log.take();
                        assert_warned_of(&path, &lines, &[said], how);
                        // The next incarnation fails over its stop as well.
                        shop.root.shutdown().await;
                        log.take();
                        continue;
                    }
                    "outside" if kind == Leaf::Task => {}
                    "outside" => shop.root.child::<()>(leaf).unwrap().actor().stop(None),
                    _ => {}
                }
                settle().await;
                shop.root.shutdown().await;
                assert_warned_of(&path, &log.take(), &[said], how);
            }
        }
        if kind != Leaf::Task {
            for restart in RESTARTS {
                let shop = Shop::open(kind, nest, ORDERLY, restart).await;
                let path = format!("shop/{}", shop.leaf());
                shop.root.child::<()>(shop.leaf()).unwrap().actor().kill();
                settle().await;
                shop.root.shutdown().await;
                assert_warned_of(&path, &log.take(), &[killed], "killed");
            }
        }
    }
}

/// The supervisor that stops reads no messages, and one that is killed none at all.
#[tokio::test(start_paused = true)]
async fn r46_a_failure_while_the_others_stop_is_warned_of_when_it_happens() {
    let slow = Life {
        stops: Act::Slow,
        ..ORDERLY
    };
    let log = Captured::up_to(Level::INFO);
    for kind in Leaf::ALL {
        for runs in [Act::Error, Act::Panic] {
            for is_end in [false, true] {
                let go = [(); 2].map(|()| Arc::new(Notify::new()));
                let life = Life { runs, ..ORDERLY };
                let shop = SupervisorSpec::new("shop", Strategy::OneForAll)
                    .intensity(UNLIMITED)
                    .child(kind.spec("leaf", life, &go[0]))
                    .child(Leaf::Task.spec("slow", slow, &go[1]))
                    .start()
                    .await
                    .unwrap();
                let other = shop.clone();
                let stopping = tokio::spawn(async move {
                    match is_end {
                        true => drop(other.shutdown().await),
                        false => other.restart("slow").await.unwrap(),
                    }
                });
                settle().await;
                tell(&shop, "leaf", kind, &go[0]);
                settle().await;
                let said = if runs == Act::Error {
                    RUN_ERROR
                } else {
                    RUN_PANIC
                };
                let case = format!("{kind:?} {runs:?} {is_end}");
                assert_warned_of("shop/leaf", &log.take(), &[said], &case);
                stopping.await.unwrap();
                shop.shutdown().await;
                assert_warned_of("shop/leaf", &log.take(), &[], &case);
            }
        }
    }
}

/// A failure climbs to the root, and each level says what it knows of it.
#[tokio::test(start_paused = true)]
async fn r46_giving_up_and_escalation_are_errors_with_the_failure() {
    let never = RestartIntensity::new(0, SECOND);
    let log = Captured::up_to(Level::INFO);
    for kind in Leaf::ALL {
        let go = Arc::new(Notify::new());
        let named = Arc::clone(&go);
        let life = Life {
            runs: Act::Error,
            ..ORDERLY
        };
        let level = ChildSpec::supervisor("orders", move || {
            SupervisorSpec::new("anything", Strategy::OneForOne)
                .intensity(never)
                .child(kind.spec("consumer", life, &named))
        });
        let spec = SupervisorSpec::new("shop", Strategy::OneForOne).intensity(never);
        let shop = spec.child(level).start().await.unwrap();
        tell(&shop, "orders/consumer", kind, &go);
        shop.ended().await;
        let said: Vec<_> = log
            .take()
            .iter()
            .map(|line| {
                format!(
                    "{} {} {} {}",
                    line.level,
                    line.message(),
                    line.field("child.path"),
                    line.field("exit.text")
                )
            })
            .collect();
        let below = "an error while it runs";
        let above = format!("its child \"consumer\" failed: {below}");
        let expected = [
            format!("WARN child exited shop/orders/consumer {below}"),
            format!("ERROR supervisor stops because of child shop/orders/consumer {below}"),
            format!("ERROR gave up on child shop/orders/consumer {below}"),
            format!("WARN child exited shop/orders {above}"),
            format!("ERROR supervisor stops because of child shop/orders {above}"),
            format!("ERROR gave up on child shop/orders {above}"),
        ];
        assert_eq!(said, expected, "{kind:?}");
    }
}

/// Nothing that ends as it was asked to worries anybody.
#[tokio::test(start_paused = true)]
async fn r46_a_clean_end_logs_nothing_above_info() {
    let log = Captured::up_to(Level::TRACE);
    for (kind, nest) in Leaf::ALL
        .into_iter()
        .flat_map(|it| Nest::ALL.map(|n| (it, n)))
    {
        for how in ["shutdown", "dropped", "restart", "remove"] {
            let shop = Shop::open(kind, nest, ORDERLY, Restart::Permanent).await;
            match how {
                "dropped" => {}
                "restart" => shop.root.restart(shop.leaf()).await.unwrap(),
                "remove" => drop(shop.root.remove(shop.leaf()).await.unwrap()),
                _ => drop(shop.root.shutdown().await),
            }
            drop(shop);
            settle().await;
            let lines = log.take();
            assert!(!lines.is_empty(), "it is told, at DEBUG");
            let loud: Vec<_> = lines.iter().filter(|it| it.level < Level::INFO).collect();
            assert!(loud.is_empty(), "{kind:?} {nest:?} {how}: {loud:?}");
        }
    }
    // A child that is to be killed was asked to end, and so was one that still started.
    let go = Arc::new(Notify::new());
    let life = Life {
        stops: Act::Hang,
        ..ORDERLY
    };
    let spec = SupervisorSpec::new("shop", Strategy::OneForOne);
    let leaf = Leaf::Task.spec("leaf", life, &go).shutdown(Shutdown::Kill);
    spec.child(leaf).start().await.unwrap().shutdown().await;
    assert!(log.take().iter().all(|line| line.level >= Level::INFO));
}

#[tokio::test(start_paused = true)]
async fn r46_a_child_that_does_not_stop_in_time_is_warned_of_once() {
    let log = Captured::up_to(Level::INFO);
    for kind in Leaf::ALL {
        for in_place in [false, true] {
            let life = Life {
                stops: Act::Hang,
                ..ORDERLY
            };
            let shop = Shop::open(kind, Nest::Direct, life, Restart::Permanent).await;
            match in_place {
                true => shop.root.restart("leaf").await.unwrap(),
                false => drop(shop.root.stop("leaf").await.unwrap()),
            }
            let lines = log.take();
            let warnings: Vec<_> = lines.iter().filter(|it| it.level < Level::INFO).collect();
            let [line] = warnings[..] else {
                panic!("{kind:?} {in_place}: {lines:?}")
            };
            assert_eq!(line.message(), "child did not stop in time");
            kill(&shop.root);
            settle().await;
            log.take();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r46_a_supervisor_that_is_killed_from_outside_is_warned_of_once() {
    let log = Captured::up_to(Level::INFO);
    for (kind, nest) in Leaf::ALL
        .into_iter()
        .flat_map(|it| Nest::ALL.map(|n| (it, n)))
    {
        let shop = Shop::open(kind, nest, ORDERLY, Restart::Permanent).await;
        kill(&shop.root);
        settle().await;
        let lines = log.take();
        let [line] = &lines[..] else {
            panic!("{lines:?}")
        };
        assert_eq!(
            (line.level, line.message()),
            (Level::WARN, "supervisor was killed")
        );
    }
    let shop = Shop::open(
        Leaf::Task,
        Nest::BelowASupervisor,
        ORDERLY,
        Restart::Permanent,
    )
    .await;
    kill(&shop.root.supervisor("level").unwrap());
    settle().await;
    shop.root.shutdown().await;
    assert_warned_of("shop/level", &log.take(), &[("killed", "", "1")], "a level");
}

/// A crash loop: each crash is in the log, or in the number of what was left out.
#[tokio::test(start_paused = true)]
async fn r46_a_crash_loop_has_five_lines_a_second_and_accounts_for_the_rest() {
    let log = Captured::up_to(Level::INFO);
    for (kind, ends_by) in [
        (Leaf::Actor, "shutdown"),
        (Leaf::Task, "kill"),
        (Leaf::Task, "remove"),
    ] {
        let life = Life {
            runs: Act::Error,
            ..ORDERLY
        };
        let shop = Shop::open(kind, Nest::Direct, life, Restart::Permanent).await;
        let began = tokio::time::Instant::now();
        for _ in 0..1_000 {
            shop.tell().await;
        }
        let seconds = began.elapsed().as_secs() as usize;
        let lines = log.take();
        assert!(
            (5..=5 * (seconds + 1)).contains(&lines.len()),
            "{}",
            lines.len()
        );
        match ends_by {
            "kill" => kill(&shop.root),
            "remove" => drop(shop.root.remove("leaf").await.unwrap()),
            _ => drop(shop.root.shutdown().await),
        }
        settle().await;
        let rest = log.take();
        let all = lines.iter().chain(&rest);
        let left_out: usize = all.clone().map(Line::left_out).sum();
        let about_it = all.filter(|it| matches!(it.message(), "child exited" | "child restarted"));
        assert_eq!(about_it.count() + left_out, 2_000, "{ends_by}: {rest:?}");
        assert!(
            rest.iter()
                .any(|it| it.level == Level::WARN && it.left_out() > 0)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn r46_giving_up_is_logged_however_many_lines_there_were() {
    let log = Captured::up_to(Level::INFO);
    let go = Arc::new(Notify::new());
    let life = Life {
        runs: Act::Error,
        ..ORDERLY
    };
    let limit = RestartIntensity::new(20, SECOND);
    let leaf = Leaf::Task
        .spec("leaf", life, &go)
        .intensity(limit, OnLimit::StopChild);
    let shop = SupervisorSpec::new("shop", Strategy::OneForOne).intensity(UNLIMITED);
    let shop = shop.child(leaf).start().await.unwrap();
    for _ in 0..21 {
        go.notify_one();
        settle().await;
    }
    let (errors, others) = split_errors(log.take());
    let [error] = &errors[..] else {
        panic!("{errors:?}")
    };
    assert_eq!(error.message(), "gave up on child");
    assert_eq!((others.len(), error.left_out()), (5, 41 - 5));
    shop.shutdown().await;
    assert_eq!(log.take().len(), 0, "it has been told");
}

#[tokio::test(start_paused = true)]
async fn r46_a_text_is_cut_to_what_a_line_may_hold() {
    let log = Captured::up_to(Level::WARN);
    let shop = SupervisorSpec::new("shop", Strategy::OneForOne)
        .start()
        .await
        .unwrap();
    let long = ChildSpec::task("leaf", |_| async { Err("\u{e9}".repeat(10_000)) });
    shop.add(long.restart(Restart::Temporary)).await.unwrap();
    settle().await;
    assert_eq!(log.take()[0].field("exit.text").len(), 1_024);
}

/// Whoever does not read lines is told of none that were left out.
#[tokio::test(start_paused = true)]
async fn r46_lines_that_nobody_reads_leave_nothing_out() {
    let log = Captured::up_to(Level::ERROR);
    let life = Life {
        runs: Act::Error,
        ..ORDERLY
    };
    let shop = Shop::open(Leaf::Task, Nest::Direct, life, Restart::Permanent).await;
    for _ in 0..100 {
        shop.tell().await;
    }
    let entry = shop.root.path.child("leaf").unwrap().now();
    assert!(!entry.has_history());
    let louder = Captured::up_to(Level::WARN);
    shop.tell().await;
    let lines = louder.take();
    assert_eq!((lines.len(), lines[0].left_out()), (1, 0));
    assert!(entry.has_history());
    drop((log, louder));
}

/// What a subscriber does when it is given a line.
#[derive(Clone, Copy, Debug)]
enum Misbehaves {
    CallsBack,
    Panics,
}

struct Hostile {
    how: Misbehaves,
    lines: Arc<AtomicU64>,
    root: Arc<OnceLock<Supervisor>>,
}

impl Subscriber for Hostile {
    fn enabled(&self, line: &Metadata<'_>) -> bool {
        // Of ractor's own lines those who use ractor are to take care.
        line.target().starts_with("breakerbox")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        self.lines.fetch_add(1, Ordering::Relaxed);
        match self.how {
            Misbehaves::CallsBack => {
                let root = self.root.get().unwrap();
                assert_eq!(root.snapshot().children.len(), 1);
                drop(root.events());
                let _gone = root.child::<()>("leaf").map(|leaf| leaf.status());
            }
            Misbehaves::Panics => panic!("on purpose"),
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test(start_paused = true)]
async fn r46_a_subscriber_that_panics_or_calls_back_costs_no_more_than_its_line() {
    for how in [Misbehaves::CallsBack, Misbehaves::Panics] {
        for kind in Leaf::ALL {
            let life = Life {
                runs: Act::Error,
                ..ORDERLY
            };
            let shop = Shop::open(kind, Nest::Direct, life, Restart::Permanent).await;
            let (lines, root) = (Arc::default(), Arc::new(OnceLock::new()));
            let hostile = Hostile {
                how,
                lines: Arc::clone(&lines),
                root: Arc::clone(&root),
            };
            assert!(root.set(shop.root.clone()).is_ok());
            let _until_then = set_default(hostile);
            let shell = || {
                let leaf = shop.root.path.child("leaf").unwrap().now();
                leaf.shell().map(|it| it.get_id())
            };
            let before = shell();
            for restarts in 1..=3 {
                shop.tell().await;
                let snapshot = shop.root.snapshot();
                let status = snapshot.child("leaf").unwrap();
                assert_eq!(
                    (status.phase, status.restarts),
                    (Phase::Up, restarts),
                    "{how:?}"
                );
            }
            let is_in_place = shell() == before;
            let has_new_address = kind == Leaf::ActorOfNewAddresses;
            assert_ne!(is_in_place, has_new_address, "{how:?}");
            assert!(lines.load(Ordering::Relaxed) >= 5, "{how:?}");
            assert_eq!(shop.root.shutdown().await.unclean().count(), 0, "{how:?}");
        }
    }
}

/// A runtime that ends takes a tree along that nobody has killed.
#[test]
fn r46_the_end_of_a_runtime_is_no_kill() {
    let log = Captured::up_to(Level::INFO);
    let runtime = || Builder::new_current_thread().enable_all().build().unwrap();
    for kind in Leaf::ALL {
        let runtime = runtime();
        let shop = runtime.block_on(Shop::open(kind, Nest::Direct, ORDERLY, Restart::Permanent));
        drop(runtime);
        drop(shop);
        assert!(log.take().is_empty());
    }
}

/// What blocks a thread needs more than one, so the lines are kept for all of them.
#[test]
fn r46_a_child_that_is_stuck_is_warned_of() {
    let capture = Capture::up_to(Level::INFO);
    let lines = Arc::clone(&capture.lines);
    let dispatch = Dispatch::new(capture);
    let runtime = Builder::new_multi_thread()
        .worker_threads(3)
        .enable_all()
        .on_thread_start(move || std::mem::forget(set_dispatch(&dispatch)))
        .build()
        .unwrap();
    runtime.block_on(async {
        let supervisor = supervise([worker("leaf").shutdown(Shutdown::Kill)]).await;
        let release = block(&supervisor.child("leaf").unwrap()).await;
        assert_eq!(supervisor.stop("leaf").await, Ok(Departure::Stuck));
        supervisor.shutdown().await;
        drop(release);
    });
    let lines = lines.lock().unwrap();
    let said: Vec<_> = lines
        .iter()
        .map(|line| (line.level, line.message()))
        .collect();
    assert_eq!(said, [(Level::WARN, "child is stuck")]);
    assert_eq!(lines[0].field("child.path"), "tests/leaf");
}

fn split_errors(lines: Vec<Line>) -> (Vec<Line>, Vec<Line>) {
    lines
        .into_iter()
        .partition(|line| line.level == Level::ERROR)
}
