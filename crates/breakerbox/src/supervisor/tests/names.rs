//! Names may be any text, and still everything can be found, drawn and logged.

use std::sync::Arc;

use breakerbox_core::{Backoff, Phase, Restart, Strategy};
use tracing::Level;

use super::captured::Captured;
use super::worker::{WorkerMessage, idle, worker};
use super::{SECOND, spec, supervise};
use crate::supervisor::{ChildError, ChildSpec, SupervisorEvent, SupervisorSpec};

/// Names as users have them, and how they stand in a path.
const NAMES: [(&str, &str); 8] = [
    ("plain", "plain"),
    (
        "https://eu.example:8080/v1",
        "https:%2F%2Feu.example:8080%2Fv1",
    ),
    ("/", "%2F"),
    ("two\nlines", "two%0Alines"),
    ("\u{1b}[31mred", "%1B[31mred"),
    ("100% é", "100% é"),
    ("a%2Fb", "a%252Fb"),
    ("", ""),
];

/// A level of this name, with a level of this name, with a worker of this name.
fn nested(name: &'static str) -> ChildSpec {
    let level = move || {
        SupervisorSpec::new(name, Strategy::OneForOne)
            .child(worker(name))
            .child(idle("task"))
    };
    ChildSpec::supervisor(name, move || {
        SupervisorSpec::new(name, Strategy::OneForOne).child(ChildSpec::supervisor(name, level))
    })
}

/// R43: a name is found by its path whatever it is, everywhere alike.
#[tokio::test(start_paused = true)]
async fn r43_a_child_of_any_name_is_found_by_its_path() {
    for (name, escaped) in NAMES {
        let root = supervise([nested(name)]).await;
        let level = format!("{escaped}/{escaped}");
        let path = format!("{level}/{escaped}");
        let worker = root.child::<WorkerMessage>(&path).unwrap();
        assert!(worker.ask(WorkerMessage::Incarnation, SECOND).await.is_ok());
        assert_eq!(worker.name(), name);
        assert_eq!(root.snapshot().child(&path).unwrap().phase, Phase::Up);
        assert!(root.any_child(name).is_ok(), "its own child as it is");
        assert!(root.any_child(escaped).is_ok(), "or as it stands in a path");
        assert!(root.snapshot().child(name).is_some());
        assert!(root.snapshot().child(escaped).is_some());
        let below = root.supervisor(&level).unwrap();
        assert_eq!(below.name(), name);
        assert!(below.child::<WorkerMessage>(name).is_ok());

        root.restart(&path).await.unwrap();
        assert_eq!(worker.status().incarnation.number(), 2);
        root.stop(&format!("{level}/task")).await.unwrap();
        root.remove(&path).await.unwrap();
        assert!(root.any_child(&path).is_err());
    }
}

/// R43: a level that has not come up yet is no unknown one, whatever it is called.
#[tokio::test(start_paused = true)]
async fn r43_what_is_below_a_level_of_any_name_that_starts_is_not_unknown() {
    for (name, escaped) in NAMES {
        let late = ChildSpec::task_with_readiness("late", |_, ready| async move {
            tokio::time::sleep(SECOND).await;
            ready.notify();
            std::future::pending::<Result<(), String>>().await
        });
        let (root, booted) = spec([late, nested(name)]).begin().await.unwrap();
        let path = format!("{escaped}/{escaped}/{escaped}");
        let child = name.to_owned();
        assert_eq!(
            root.any_child(&path).unwrap_err(),
            ChildError::Starting { child }
        );
        booted.outcome().await.unwrap();
        root.any_child(&path).unwrap();
    }
}

fn child_of(event: SupervisorEvent) -> Arc<str> {
    match event {
        SupervisorEvent::Exited { child, .. }
        | SupervisorEvent::Restarted { child, .. }
        | SupervisorEvent::Stopped { child, .. } => child,
        other => panic!("{other:?}"),
    }
}

/// R43: what is told of a child has a path that leads to it.
#[tokio::test(start_paused = true)]
async fn r43_events_and_reports_name_a_child_by_a_path_that_leads_to_it() {
    for (name, escaped) in NAMES {
        let root = supervise([nested(name)]).await;
        let path = format!("{escaped}/{escaped}/{escaped}");
        let mut events = root.events();
        root.restart(&path).await.unwrap();
        root.stop(&path).await.unwrap();
        for _ in ["exited", "restarted", "stopped"] {
            assert_eq!(*child_of(events.next().await.unwrap()), path);
        }
        let report = root.shutdown().await;
        let stopped: Vec<_> = report.stopped.iter().map(|it| &*it.child).collect();
        let level = format!("{escaped}/{escaped}");
        assert_eq!(stopped, [&format!("{level}/task"), &level, escaped]);
    }
}

/// R37: a line of the drawn tree is a child's, whatever it is called and says.
#[tokio::test(start_paused = true)]
async fn r37_no_name_and_no_error_breaks_the_drawn_tree() {
    for (name, escaped) in NAMES {
        let says = ChildSpec::task("says", |_| async { Err::<(), _>("one\ntwo\u{1b}[0m") })
            .backoff(Backoff::fixed(60 * SECOND));
        let root = supervise([nested(name), says]).await;
        let drawn = root.snapshot().to_string();
        assert_eq!(drawn.lines().count(), 6, "{drawn}");
        assert!(!drawn.contains(|it: char| it.is_control() && it != '\n'));
        let rows: Vec<_> = drawn.lines().collect();
        assert!(rows[1].contains(escaped), "{drawn}");
        assert!(rows[5].ends_with(r"one\ntwo\u{1b}[0m"), "{drawn}");
    }
}

/// R46: a log line has the path that commands take.
#[tokio::test(start_paused = true)]
async fn r46_the_path_in_a_log_line_leads_to_the_child() {
    for (name, escaped) in NAMES {
        let lines = Captured::up_to(Level::INFO);
        let level = ChildSpec::supervisor(name, move || {
            let fails = ChildSpec::task(name, |_| async { Err::<(), _>("fails") })
                .restart(Restart::Temporary);
            SupervisorSpec::new("level", Strategy::OneForOne).child(fails)
        });
        let _root = supervise([level]).await;
        tokio::time::sleep(SECOND).await;
        let lines = lines.take();
        let exited = lines.iter().find(|it| it.message() == "child exited");
        let exited = exited.unwrap();
        let path = format!("tests/{escaped}/{escaped}");
        assert_eq!(exited.field("child.path"), path);
        assert_eq!(exited.field("child.name"), name, "as it is");
    }
}
