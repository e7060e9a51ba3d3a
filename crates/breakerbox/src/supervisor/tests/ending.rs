//! When it shows that a supervisor ends.

use std::sync::Arc;

use breakerbox_core::{AutoShutdown, Exit, Incarnation, Phase, Restart, RestartIntensity};
use futures_util::FutureExt;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::oneshot;

use super::worker::worker;
use super::{SECOND, spec, supervise};
use crate::supervisor::actor::SupervisorArguments;
use crate::supervisor::inbox::Notice;
use crate::supervisor::message::SupervisorMessage;
use crate::supervisor::published::Published;
use crate::supervisor::state::SupervisorState;
use crate::supervisor::{ChildSpec, End, StartError, Supervisor, SupervisorSpec};

/// Stands in for a supervisor's actor, and does nothing: the test does what it would.
struct Idle;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Idle {
    type Msg = SupervisorMessage;
    type State = ();
    type Arguments = ();

    async fn pre_start(
        &self,
        _: ActorRef<SupervisorMessage>,
        (): (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

/// R45: the actor's next step may come late, so this one must say it.
#[tokio::test(start_paused = true)]
async fn r45_the_step_that_decides_the_end_of_a_supervisor_publishes_it() {
    let failing = spec([child()]).intensity(RestartIntensity::new(0, SECOND));
    let significant = child().restart(Restart::Transient).significant();
    let finishing = spec([significant]).auto_shutdown(AutoShutdown::AnySignificant);
    let finished = End::Finished {
        child: "child".into(),
        exit: Exit::Normal,
    };
    let exit = Exit::Error("oh".into());
    let escalated = End::Escalated {
        child: "child".into(),
        exit: exit.clone(),
    };
    for (spec, exit, end) in [
        (failing, exit, escalated),
        (finishing, Exit::Normal, finished),
    ] {
        let (mut state, published, _) = boot(spec).await;
        let child = published.id("child").unwrap();
        state.notice(Notice::Started(child, Incarnation::FIRST));
        assert_eq!((published.phase(), published.end()), (Phase::Up, None));
        state.notice(Notice::Exited(child, Incarnation::FIRST, exit));
        let ends = (published.phase(), published.end());
        assert_eq!(ends, (Phase::Stopping, Some(end)));
        drop(state);
        assert_eq!(published.phase(), Phase::Down);
    }
}

/// R45: on one thread, nobody but the caller has run yet.
#[tokio::test(start_paused = true)]
async fn r45_whoever_asks_for_the_end_of_a_supervisor_publishes_it() {
    // Each leaves a handle, as dropping the last one is a way of its own.
    type Ask = fn(Supervisor) -> Option<Supervisor>;
    let asks: [Ask; 3] = [
        |_| None,
        |supervisor| {
            assert_eq!(supervisor.kill().now_or_never(), None);
            Some(supervisor)
        },
        |supervisor| {
            assert_eq!(supervisor.shutdown().now_or_never(), None);
            Some(supervisor)
        },
    ];
    for ask in asks {
        let supervisor = supervise([worker("worker")]).await;
        let observer = supervisor.observer();
        assert_eq!(observer.phase(), Phase::Up);
        let _left = ask(supervisor);
        assert_eq!(observer.phase(), Phase::Stopping);
        observer.ended().await;
        assert_eq!(observer.phase(), Phase::Down);
    }
}

/// R45, R30: the last child comes up after somebody has asked for the end.
#[tokio::test(start_paused = true)]
async fn r45_a_supervisor_that_was_asked_to_end_while_it_started_is_never_up() {
    let (mut state, published, booted) = boot(spec([child()])).await;
    published.enter(Phase::Stopping);
    let child = published.id("child").unwrap();
    state.notice(Notice::Started(child, Incarnation::FIRST));
    assert_eq!(published.phase(), Phase::Stopping);
    state.shutdown().await;
    assert_eq!(booted.await, Ok(Err(StartError::Interrupted)));
}

/// The state of a supervisor of which no actor runs, so that it does one step at a time.
async fn boot(spec: SupervisorSpec) -> (SupervisorState, Arc<Published>, Booted) {
    let (idle, _) = Actor::spawn(None, Idle, ()).await.unwrap();
    let (sender, booted) = oneshot::channel();
    let arguments = SupervisorArguments::new(spec, sender);
    let published = Arc::clone(arguments.publisher.published());
    (SupervisorState::boot(idle, arguments), published, booted)
}

type Booted = oneshot::Receiver<Result<(), StartError>>;

fn child() -> ChildSpec {
    ChildSpec::task("child", |_| std::future::pending::<Result<(), String>>())
}
