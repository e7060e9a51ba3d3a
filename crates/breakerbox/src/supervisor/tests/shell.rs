use std::sync::Arc;

use breakerbox_core::Incarnation;
use futures_util::future::ready;
use ractor::ActorRef;
use tokio::sync::broadcast;
use tokio_test::{assert_pending, assert_ready, task};

use super::scripted::{Ask, Script};
use super::worker::{Log, worker};
use super::{SECOND, supervise};
use crate::ask;
use crate::supervisor::event::EventSender;
use crate::supervisor::notifier::Notifier;
use crate::supervisor::runnable::StartRequest;

/// R31: a shell that is late does not run the `post_start` of a later incarnation.
#[tokio::test(start_paused = true)]
async fn r31_an_incarnation_runs_its_post_start_once_though_its_shell_is_late() {
    let supervisor = supervise([worker("somebody else")]).await;
    let request = |incarnation| StartRequest {
        events: EventSender::new(broadcast::Sender::new(1)),
        incarnation,
        notifier: Notifier::new(
            supervisor.published.id("somebody else").unwrap(),
            supervisor.actor.clone(),
        ),
        start_timeout: SECOND,
        stop_timeout: SECOND,
    };
    let log = Log::new();
    let script = Script::new(&log).post_start({
        let log = Arc::clone(&log);
        move |number, _| {
            log.write(format!("{number} after its start"));
            ready(Ok(()))
        }
    });
    let child = script.child("child").runnable;
    let first = Arc::clone(&child).start(request(Incarnation::FIRST));
    first.await.unwrap();
    // The shell has not had a turn since, and has none while this is polled.
    let second = Arc::clone(&child).start(request(Incarnation::FIRST.next()));
    let mut second = task::spawn(second);
    assert_pending!(second.poll());
    assert_ready!(second.poll()).unwrap();
    let shell = ActorRef::from(child.shell().unwrap());
    assert_eq!(ask::ask(&shell, Ask::Who, SECOND).await, Ok(2));
    assert_eq!(log.read(), ["2 after its start", "2 answers"]);
}
