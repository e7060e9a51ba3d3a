//! Children that have a new address with each incarnation.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use breakerbox_core::{Backoff, Incarnation, OnLimit, Restart, RestartIntensity, Strategy};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ractor::{Actor, ActorStatus};

use super::scripted::{Ask, Idle, Script};
use super::worker::{Fault, Log, WorkerMessage, worker};
use super::{SECOND, restarted, spec, until};
use crate::AskError;
use crate::supervisor::{Child, ChildSpec, Supervisor, SupervisorEvent, SupervisorEvents};

/// What becomes of the address.
const SETTINGS: [fn(ChildSpec) -> ChildSpec; 2] = [|spec| spec, ChildSpec::new_address];

/// A child whose incarnations all link an actor of one name, which must be free then.
fn child(log: &Arc<Log>) -> ChildSpec {
    // ractor's names are global to the process.
    let name = format!(
        "linked to child {}",
        CHILDREN.fetch_add(1, Ordering::Relaxed)
    );
    let script = Script::new(log).pre_start(move |_, myself| {
        let name = name.clone();
        async move {
            Idle::spawn_linked(Some(name), Idle, (), myself.get_cell()).await?;
            Ok(())
        }
    });
    script.child("child")
}

static CHILDREN: AtomicU64 = AtomicU64::new(0);

fn handle(supervisor: &Supervisor) -> Child<Ask> {
    supervisor.child("child").unwrap()
}

/// Something that ends an incarnation, after which there is another one.
type Way = for<'a> fn(&'a Supervisor) -> BoxFuture<'a, ()>;

const WAYS: [(&str, Way); 6] = [
    ("crash", |it| {
        async { handle(it).actor().cast(Ask::Fail).unwrap() }.boxed()
    }),
    ("drain", |it| {
        async { handle(it).actor().drain().unwrap() }.boxed()
    }),
    ("kill", |it| async { handle(it).actor().kill() }.boxed()),
    ("restart", |it| {
        async { it.restart("child").await.unwrap() }.boxed()
    }),
    ("restart of the group", |it| {
        async {
            let other = it.child::<WorkerMessage>("other").unwrap();
            let fail = |reply| WorkerMessage::Fail(Fault::Error, reply);
            other.ask(fail, SECOND).await.unwrap_err();
        }
        .boxed()
    }),
    ("stop", |it| async { handle(it).actor().stop(None) }.boxed()),
];

/// What has happened to the child until it was up again, and how it is then.
async fn until_restarted(events: &mut SupervisorEvents) -> Vec<SupervisorEvent> {
    let mut happened = Vec::new();
    loop {
        let event = events.next().await.unwrap();
        let is_over =
            matches!(&event, SupervisorEvent::Restarted { child, .. } if **child == *"child");
        happened.push(event);
        if is_over {
            return happened;
        }
    }
}

/// R41: whatever ends an incarnation ends its address, and all else is as it always is.
#[tokio::test(start_paused = true)]
async fn r41_a_new_address_changes_nothing_else() {
    for (name, way) in WAYS {
        let mut happened = Vec::new();
        for set in SETTINGS {
            let log = Log::new();
            let mut spec = spec([worker("other"), set(child(&log))]);
            spec.strategy = Strategy::OneForAll;
            let supervisor = spec.start().await.unwrap();
            let mut events = supervisor.events();
            for _ in 0..5 {
                way(&supervisor).await;
                happened.push(until_restarted(&mut events).await);
            }
            assert_eq!(
                handle(&supervisor).ask(Ask::Who, SECOND).await,
                Ok(6),
                "{name}"
            );
            assert_eq!(handle(&supervisor).status().incarnation, sixth(), "{name}");
            assert_eq!(log.most_running.load(Ordering::SeqCst), 1, "{name}");
            let report = supervisor.shutdown().await;
            assert_eq!(report.unclean().count(), 0, "{name}");
        }
        let (kept, new) = happened.split_at(5);
        assert_eq!(new, kept, "{name}");
    }
}

fn sixth() -> Incarnation {
    (0..5).fold(Incarnation::FIRST, |it, _| it.next())
}

/// R41: a handle follows, and the former address is one of an actor that has ended.
#[tokio::test(start_paused = true)]
async fn r41_a_handle_leads_to_the_new_address() {
    for (name, way) in WAYS {
        let log = Log::new();
        let mut spec = spec([worker("other"), child(&log).new_address()]);
        spec.strategy = Strategy::OneForAll;
        let supervisor = spec.start().await.unwrap();
        let mut events = supervisor.events();
        let child = handle(&supervisor);
        for restarts in 1..=5 {
            let former = child.actor();
            way(&supervisor).await;
            until_restarted(&mut events).await;
            assert_eq!(former.get_status(), ActorStatus::Stopped, "{name}");
            assert_ne!(child.actor(), former, "{name}");
            assert!(former.cast(Ask::Fail).is_err(), "{name}");
            let answer = child.ask(Ask::Who, SECOND).await;
            assert_eq!(answer, Ok(restarts + 1), "{name}");
        }
    }
}

/// R41: its mailbox ends with the address, and whoever waits in it is told.
#[tokio::test(start_paused = true)]
async fn r41_the_mailbox_ends_with_the_address() {
    let log = Log::new();
    let supervisor = spec([child(&log).new_address()]).start().await;
    let supervisor = supervisor.unwrap();
    let mut events = supervisor.events();
    let child = handle(&supervisor);
    child.actor().cast(Ask::Fail).unwrap();
    assert_eq!(child.ask(Ask::Who, SECOND).await, Err(AskError::Crashed));
    until(&mut events, restarted).await;
    assert_eq!(child.ask(Ask::Who, SECOND).await, Ok(2));
    assert_eq!(log.read(), ["2 answers"]);
}

/// Notes how what it monitors has ended.
#[cfg(feature = "monitors")]
struct Monitor(Arc<Log>);

#[cfg(feature = "monitors")]
#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Monitor {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(
        &self,
        _: ractor::ActorRef<()>,
        (): (),
    ) -> Result<(), ractor::ActorProcessingErr> {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ractor::ActorRef<()>,
        event: ractor::SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ractor::ActorProcessingErr> {
        self.0.write(match event {
            ractor::SupervisionEvent::ActorFailed(..) => "failed",
            ractor::SupervisionEvent::ActorTerminated(..) => "terminated",
            _ => "something else",
        });
        Ok(())
    }
}

/// R41: whoever monitors an address sees what ractor alone would report.
#[cfg(feature = "monitors")]
#[tokio::test(start_paused = true)]
async fn r41_monitors_see_how_an_address_has_ended() {
    for (name, way) in WAYS {
        let mut spec = spec([worker("other"), child(&Log::new()).new_address()]);
        spec.strategy = Strategy::OneForAll;
        let supervisor = spec.start().await.unwrap();
        let log = Log::new();
        let (monitor, _task) = Monitor::spawn(None, Monitor(Arc::clone(&log)), ())
            .await
            .unwrap();
        monitor.monitor(handle(&supervisor).actor().get_cell());
        let mut events = supervisor.events();
        way(&supervisor).await;
        until_restarted(&mut events).await;
        let expected = match name {
            "crash" => "failed",
            _ => "terminated",
        };
        assert_eq!(log.read(), [expected], "{name}");
    }
}

/// R41: limits, backoffs and restart types decide as for others.
#[tokio::test(start_paused = true)]
async fn r41_a_child_of_new_addresses_is_given_up_as_others_are() {
    let limit = RestartIntensity::new(2, 60 * SECOND);
    let policies: [fn(ChildSpec, RestartIntensity) -> ChildSpec; 5] = [
        |spec, limit| spec.intensity(limit, OnLimit::StopChild),
        |spec, limit| spec.intensity(limit, OnLimit::Escalate),
        |spec, limit| spec.intensity(limit, OnLimit::Pause(Backoff::fixed(SECOND))),
        |spec, limit| {
            spec.intensity(limit, OnLimit::StopChild)
                .backoff(Backoff::fixed(SECOND))
        },
        |spec, _| spec.restart(Restart::Temporary),
    ];
    for (number, policy) in policies.into_iter().enumerate() {
        let mut happened = Vec::new();
        for set in SETTINGS {
            let child = policy(set(child(&Log::new())), limit);
            let supervisor = spec([worker("other"), child]).start().await.unwrap();
            happened.push(history(&supervisor).await);
        }
        assert_eq!(happened[1], happened[0], "{number}");
    }
}

/// What happens while the child is told to fail each two seconds.
async fn history(supervisor: &Supervisor) -> Vec<String> {
    let mut events = supervisor.events();
    let child = handle(supervisor);
    for _ in 0..4 {
        let _is_down = child.actor().cast(Ask::Fail);
        tokio::time::sleep(2 * SECOND).await;
    }
    let snapshot = supervisor.snapshot().to_string();
    let report = supervisor.shutdown().await;
    let mut happened = vec![snapshot, format!("{report:?}")];
    while let Some(event) = events.next().await {
        happened.push(format!("{event:?}"));
    }
    happened
}

/// R41: also one that starts again, but does not come up.
#[tokio::test(start_paused = true)]
async fn r41_a_start_at_a_new_address_may_fail_or_hang() {
    for hangs in [false, true] {
        let mut happened = Vec::new();
        for set in SETTINGS {
            let script = Script::new(&Log::new()).pre_start(move |number, _| async move {
                if number != 2 {
                    return Ok(());
                }
                if hangs {
                    std::future::pending::<()>().await;
                }
                Err("it was told to".into())
            });
            let spec = spec([set(script.child("child"))]);
            let supervisor = spec.start().await.unwrap();
            let mut events = supervisor.events();
            let first = handle(&supervisor).actor();
            first.cast(Ask::Fail).unwrap();
            happened.push(until_restarted(&mut events).await);
            assert_eq!(handle(&supervisor).ask(Ask::Who, SECOND).await, Ok(3));
        }
        assert_eq!(happened[1], happened[0], "{hangs}");
    }
}

/// R41: it is stopped, started again, removed and killed as others are.
#[tokio::test(start_paused = true)]
async fn r41_a_child_of_new_addresses_obeys_commands() {
    let mut answers = Vec::new();
    for set in SETTINGS {
        let child = set(child(&Log::new()));
        let supervisor = spec([child.shutdown(crate::Shutdown::Within(SECOND))]);
        let supervisor = supervisor.start().await.unwrap();
        let stopped = supervisor.stop("child").await;
        let restarted = supervisor.restart("child").await;
        hold(&supervisor).await;
        // It holds out for longer than it has.
        let again = supervisor.restart("child").await;
        hold(&supervisor).await;
        let incarnation = handle(&supervisor).status();
        let removed = supervisor.remove("child").await;
        let exit = incarnation.last_exit;
        answers.push((stopped, restarted, again, exit, removed));
    }
    assert_eq!(answers[1], answers[0]);
}

/// Has it handle a message for ever.
async fn hold(supervisor: &Supervisor) {
    let child = handle(supervisor);
    let held = child.ask(|reply| Ask::Hold(Box::new(()), reply), SECOND);
    held.await.unwrap();
}
