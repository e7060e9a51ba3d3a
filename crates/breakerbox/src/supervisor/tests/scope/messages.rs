use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use breakerbox_core::{Backoff, Exit};
use futures_util::future::join_all;
use ractor::OutputPort;
use tokio::sync::Notify;

use super::super::worker::Log;
use super::super::{SECOND, exited, restarted, until};
use super::noter::{Note, noter, scope_of, spec_of, supervise_noter};
use crate::supervisor::{Departure, Scope, ScopeEnded, SupervisorEvent};

/// R41: neither waits until the other is empty.
#[tokio::test(start_paused = true)]
async fn r41_mailbox_and_scope_take_turns() {
    let log = Log::new();
    let (_supervisor, actor) = noter(&log).await;
    let run = Note::run(|scope| {
        for line in ["a", "b", "c", "d", "e"] {
            scope.send_self(Note::Line(line)).unwrap();
        }
    });
    actor.cast(run).unwrap();
    for line in ["1", "2", "3"] {
        actor.cast(Note::Line(line)).unwrap();
    }
    tokio::time::sleep(SECOND).await;
    assert_eq!(log.read(), ["a", "1", "b", "2", "c", "3", "d", "e"]);
}

/// R41: also where the shell has taken messages out of its mailbox before.
#[tokio::test(start_paused = true)]
async fn r41_mailbox_and_scope_take_turns_after_a_restart() {
    let log = Log::new();
    let (supervisor, actor) = supervise_noter(spec_of(&log).backoff(Backoff::fixed(SECOND))).await;
    actor.cast(Note::Wait(SECOND)).unwrap();
    actor.cast(Note::run(|_| panic!("it was told to"))).unwrap();
    let run = Note::run(|scope| {
        for line in ["a", "b", "c"] {
            scope.send_self(Note::Line(line)).unwrap();
        }
    });
    actor.cast(run).unwrap();
    for line in ["1", "2", "3"] {
        actor.cast(Note::Line(line)).unwrap();
    }
    let mut events = supervisor.events();
    until(&mut events, restarted).await;
    tokio::time::sleep(SECOND).await;
    assert_eq!(log.read(), ["a", "1", "b", "2", "c", "3"]);
}

/// R41: a message loop without an end is worked off beside the mailbox.
#[tokio::test(start_paused = true)]
async fn r41_an_endless_message_loop_starves_no_mailbox() {
    let log = Log::new();
    let (supervisor, actor) = noter(&log).await;
    actor.cast(Note::run(run_again)).unwrap();
    for _ in 0..100 {
        scope_of(&actor).await;
    }
    let stopped = supervisor.stop("noter").await.unwrap();
    assert_eq!(stopped, Departure::Stopped);
}

/// R41: also where another thread may ring for the loop.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r41_an_endless_message_loop_starves_no_mailbox_on_two_threads() {
    let (supervisor, actor) = noter(&Log::new()).await;
    actor.cast(Note::run(run_again)).unwrap();
    for _ in 0..1_000 {
        scope_of(&actor).await;
    }
    supervisor.stop("noter").await.unwrap();
}

/// R41: neither is a message lost, nor does it wait until something else wakes the shell.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn r41_messages_of_a_scope_from_many_threads_are_all_handled() {
    let (_supervisor, actor) = noter(&Log::new()).await;
    let scope = scope_of(&actor).await;
    let handled = Arc::new(AtomicU64::new(0));
    let senders = (0..4).map(|_| {
        let (actor, scope, handled) = (actor.clone(), scope.clone(), Arc::clone(&handled));
        tokio::spawn(async move {
            for number in 0..2_000 {
                let (count, done) = (Arc::clone(&handled), Arc::new(Notify::new()));
                let is_done = Arc::clone(&done);
                let note = Note::run(move |_| {
                    count.fetch_add(1, Ordering::SeqCst);
                    done.notify_one();
                });
                match number % 3 {
                    0 => actor.cast(note).unwrap(),
                    _ => scope.send_self(note).unwrap(),
                }
                if number % 5 == 0 {
                    // The shell is idle, or about to be.
                    tokio::time::timeout(60 * SECOND, is_done.notified())
                        .await
                        .unwrap();
                }
            }
        })
    });
    for sender in join_all(senders).await {
        sender.unwrap();
    }
    // Behind all others of the scope and of the mailbox.
    let (sender, last) = tokio::sync::oneshot::channel();
    scope
        .send_self(Note::run(|_| sender.send(()).unwrap()))
        .unwrap();
    last.await.unwrap();
    scope_of(&actor).await;
    assert_eq!(handled.load(Ordering::SeqCst), 8_000);
}

fn run_again(scope: &Scope<Note>) {
    scope.send_self(Note::run(run_again)).unwrap();
}

/// R41: a panic there is one of the incarnation, whoever waits for the message.
#[tokio::test(start_paused = true)]
async fn r41_a_function_of_a_scope_that_panics_crashes_its_incarnation() {
    let port = Arc::new(OutputPort::default());
    let converts = Arc::clone(&port);
    let ways: [Note; 3] = [
        Note::run(|scope| drop(scope.send_after(SECOND, || panic!("it was told to")))),
        Note::run(|scope| drop(scope.send_interval(SECOND, || panic!("it was told to")))),
        Note::run(move |scope| scope.subscribe(&converts, |()| panic!("it was told to"))),
    ];
    for way in ways {
        let (supervisor, actor) = noter(&Log::new()).await;
        let mut events = supervisor.events();
        actor.cast(way).unwrap();
        tokio::time::sleep(SECOND / 2).await;
        port.send(());
        let SupervisorEvent::Exited { exit, .. } = until(&mut events, exited).await else {
            unreachable!("it is awaited");
        };
        assert_eq!(exit, Exit::panicked("it was told to"));
        until(&mut events, restarted).await;
        tokio::time::sleep(10 * SECOND).await;
        let snapshot = supervisor.snapshot();
        assert_eq!(snapshot.child("noter").unwrap().restarts, 1);
    }
}

/// R41: as with the mailbox, what was sent before is handled, and no more is taken.
#[tokio::test(start_paused = true)]
async fn r41_a_drain_works_off_what_a_scope_has_taken() {
    let log = Log::new();
    let (supervisor, actor) = noter(&log).await;
    let scope = scope_of(&actor).await;
    let mut events = supervisor.events();
    actor.cast(Note::Wait(SECOND)).unwrap();
    actor.cast(Note::Line("1")).unwrap();
    tokio::time::sleep(SECOND / 2).await;
    for line in ["a", "b", "c"] {
        scope.send_self(Note::Line(line)).unwrap();
    }
    scope.send_interval(SECOND / 4, || Note::Line("tick"));
    actor.drain().unwrap();
    assert_eq!(scope.send_self(Note::Line("d")), Err(ScopeEnded));
    until(&mut events, restarted).await;
    assert_eq!(log.read(), ["a", "1", "b", "c"]);
}

/// R41: what is worked off may crash, which is then how the address has ended.
#[tokio::test(start_paused = true)]
async fn r41_a_crash_in_a_drain_is_the_exit_of_a_new_address() {
    let (supervisor, actor) = supervise_noter(spec_of(&Log::new()).new_address()).await;
    let scope = scope_of(&actor).await;
    let mut events = supervisor.events();
    actor.cast(Note::Wait(SECOND)).unwrap();
    tokio::time::sleep(SECOND / 2).await;
    let panics = Note::run(|_| panic!("it was told to"));
    scope.send_self(panics).unwrap();
    actor.drain().unwrap();
    let SupervisorEvent::Exited { exit, .. } = until(&mut events, exited).await else {
        unreachable!("it is awaited");
    };
    assert_eq!(exit, Exit::panicked("it was told to"));
    until(&mut events, restarted).await;
}
