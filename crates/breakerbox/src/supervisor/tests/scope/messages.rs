use std::sync::Arc;
use std::time::Duration;

use breakerbox_core::{Backoff, Exit};
use ractor::{Actor, ActorProcessingErr, ActorRef, OutputPort};

use super::super::worker::Log;
use super::super::{SECOND, exited, restarted, supervise, until};
use crate::supervisor::{ChildSpec, Scope, ScopeEnded, Supervisor, SupervisorEvent};

/// An actor that does what it is told with its scope, and writes lines.
struct Noter {
    log: Arc<Log>,
    scope: Scope<Note>,
}

enum Note {
    Line(&'static str),
    Run(Job),
    Wait(Duration),
}

type Job = Box<dyn FnOnce(&Scope<Note>) + Send>;

#[cfg(feature = "cluster")]
impl ractor::Message for Note {}

impl Note {
    fn run(run: impl FnOnce(&Scope<Self>) + Send + 'static) -> Self {
        Self::Run(Box::new(run))
    }
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Noter {
    type Msg = Note;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Note>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Note>,
        note: Note,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match note {
            Note::Line(line) => self.log.write(line),
            Note::Run(run) => run(&self.scope),
            Note::Wait(span) => tokio::time::sleep(span).await,
        }
        Ok(())
    }
}

async fn noter(log: &Arc<Log>) -> (Supervisor, ActorRef<Note>) {
    supervise_noter(spec_of(log)).await
}

async fn supervise_noter(spec: ChildSpec) -> (Supervisor, ActorRef<Note>) {
    let supervisor = supervise([spec]).await;
    let actor = supervisor.child("noter").unwrap().actor();
    (supervisor, actor)
}

fn spec_of(log: &Arc<Log>) -> ChildSpec {
    let log = Arc::clone(log);
    let make = move |scope| {
        let log = Arc::clone(&log);
        (Noter { log, scope }, ())
    };
    ChildSpec::actor_with("noter", make)
}

/// A handle on the scope of the incarnation that runs.
async fn scope_of(actor: &ActorRef<Note>) -> Scope<Note> {
    let (sender, scope) = tokio::sync::oneshot::channel();
    let run = Note::run(|scope| sender.send(scope.clone()).unwrap());
    actor.cast(run).unwrap();
    scope.await.unwrap()
}

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
    assert_eq!(stopped, crate::supervisor::Departure::Stopped);
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

/// R41: a timer that is cancelled sends nothing more, also if its message waits.
#[tokio::test(start_paused = true)]
async fn r41_a_timer_of_a_scope_can_be_cancelled_until_it_is_handled() {
    let log = Log::new();
    let (_supervisor, actor) = noter(&log).await;
    let scope = scope_of(&actor).await;
    let once = scope.send_after(SECOND, || Note::Line("once"));
    let each = scope.send_interval(SECOND, || Note::Line("each"));
    actor.cast(Note::Wait(3 * SECOND + SECOND / 4)).unwrap();
    tokio::time::sleep(2 * SECOND).await;
    once.cancel();
    tokio::time::sleep(3 * SECOND + SECOND / 2).await;
    each.cancel();
    tokio::time::sleep(10 * SECOND).await;
    // What waited until 3.25 s, at 4 s and at 5 s.
    assert_eq!(log.read(), ["each"; 3]);
}

/// R41: ticks neither pile up nor drift.
#[tokio::test(start_paused = true)]
async fn r41_an_interval_of_a_scope_has_one_tick_waiting_at_most() {
    let log = Log::new();
    let (_supervisor, actor) = noter(&log).await;
    let scope = scope_of(&actor).await;
    scope.send_interval(SECOND, || Note::Line("tick"));
    actor.cast(Note::Wait(5 * SECOND + SECOND / 2)).unwrap();
    tokio::time::sleep(5 * SECOND + SECOND / 4 * 3).await;
    assert_eq!(log.read(), ["tick"]);
    tokio::time::sleep(SECOND / 2).await;
    assert_eq!(log.read(), ["tick"; 2]);
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
