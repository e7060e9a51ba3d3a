use std::sync::Arc;
use std::time::Duration;

use ractor::OutputPort;

use super::super::SECOND;
use super::super::worker::Log;
use super::noter::{Note, noter, scope_of};
use crate::supervisor::ScopeEnded;

/// R41: somebody else has what is left of a handle.
#[tokio::test(start_paused = true)]
async fn r41_the_methods_of_a_scope_that_has_ended_do_nothing() {
    let log = Log::new();
    let (supervisor, actor) = noter(&log).await;
    let scope = scope_of(&actor).await;
    supervisor.restart("noter").await.unwrap();
    let port = OutputPort::default();
    let held = Arc::new(());
    let holds = Arc::clone(&held);
    let convert = move |()| {
        let _held = &holds;
        Some(Note::Line("published"))
    };
    scope.subscribe(&port, convert);
    scope.join_group("a group of nobody");
    scope.monitor_group("a group of nobody");
    scope.send_after(SECOND, || Note::Line("once")).cancel();
    scope.send_interval(SECOND, || Note::Line("each"));
    assert_eq!(scope.send_self(Note::Line("sent")), Err(ScopeEnded));
    assert!(scope.token().is_cancelled());
    port.send(());
    tokio::time::sleep(10 * SECOND).await;
    assert_eq!(log.read(), <[String; 0]>::default());
    assert_eq!(ractor::pg::get_members(&"a group of nobody".to_owned()), []);
    assert_eq!(Arc::strong_count(&held), 1);
}

/// R41: its handle neither keeps the tree nor hinders its end.
#[tokio::test(start_paused = true)]
async fn r41_a_handle_on_a_scope_keeps_nothing_alive() {
    let (supervisor, actor) = noter(&Log::new()).await;
    let scope = scope_of(&actor).await;
    let timer = scope.send_interval(SECOND, || Note::Line("tick"));
    let ended = supervisor.observer();
    drop(supervisor);
    let report = tokio::time::timeout(SECOND, ended.ended()).await.unwrap();
    assert_eq!(report.unclean().count(), 0);
    assert_eq!(scope.send_self(Note::Line("late")), Err(ScopeEnded));
    timer.cancel();
}

/// R41: whatever thread has the handle.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn r41_a_scope_can_be_used_outside_of_its_runtime() {
    let log = Log::new();
    let (_supervisor, actor) = noter(&log).await;
    let scope = scope_of(&actor).await;
    let (sender, mut lines) = tokio::sync::mpsc::unbounded_channel();
    let port = Arc::new(OutputPort::<()>::default());
    let published = Arc::clone(&port);
    std::thread::spawn(move || {
        let sends = sender.clone();
        scope
            .send_self(Note::run(move |_| sends.send("sent").unwrap()))
            .unwrap();
        let sends = sender.clone();
        scope.send_after(Duration::ZERO, || {
            Note::run(move |_| sends.send("timer").unwrap())
        });
        scope.monitor_group("a group that a thread monitors");
        scope.token()
    })
    .join()
    .unwrap();
    drop(published);
    let mut received = [lines.recv().await.unwrap(), lines.recv().await.unwrap()];
    received.sort_unstable();
    assert_eq!(received, ["sent", "timer"]);
}

/// R41: a port that ends leaves nothing of its subscriptions, and loses no value.
#[tokio::test(start_paused = true)]
async fn r41_a_subscription_of_a_scope_ends_with_its_port() {
    let log = Log::new();
    let (_supervisor, actor) = noter(&log).await;
    let scope = scope_of(&actor).await;
    let held = Arc::new(());
    let holds = Arc::clone(&held);
    let port = OutputPort::default();
    scope.subscribe(&port, move |number| {
        let _held = &holds;
        Some(Note::Line(if number == 0 { "first" } else { "last" }))
    });
    port.send(0_u64);
    port.send(1);
    drop(port);
    tokio::time::sleep(SECOND).await;
    assert_eq!(log.read(), ["first", "last"]);
    assert_eq!(Arc::strong_count(&held), 1);
}
