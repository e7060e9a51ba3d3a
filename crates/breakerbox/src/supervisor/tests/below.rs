//! Actors linked below an incarnation: each has a name, and one linked to itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use breakerbox_core::{Exit, Strategy};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, ActorStatus};

use super::scripted::{Ask, Script};
use super::worker::Log;
use super::{SECOND, supervise, until};
use crate::supervisor::{
    AddError, ChildSpec, Supervisor, SupervisorEvent, SupervisorEvents, SupervisorSpec,
};

/// A supervisor without a limit, with these children.
fn spec(strategy: Strategy, children: impl IntoIterator<Item = ChildSpec>) -> SupervisorSpec {
    let spec = super::spec(children);
    SupervisorSpec { strategy, ..spec }
}

/// An actor that links another one, so many levels deep.
struct Link;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Link {
    type Msg = ();
    type State = ();
    type Arguments = Chain;

    async fn pre_start(
        &self,
        myself: ActorRef<()>,
        chain: Chain,
    ) -> Result<(), ActorProcessingErr> {
        chain.linked.lock().unwrap().push(myself.get_cell());
        chain.link_next(&myself).await
    }

    async fn post_stop(&self, _: ActorRef<()>, (): &mut ()) -> Result<(), ActorProcessingErr> {
        // Long enough for the next incarnation, if that did not wait.
        tokio::task::yield_now().await;
        Ok(())
    }
}

#[derive(Clone)]
struct Chain {
    levels: usize,
    linked: Arc<Mutex<Vec<ActorCell>>>,
    name: Arc<str>,
}

impl Chain {
    fn new(levels: usize) -> Self {
        static TESTS: AtomicU64 = AtomicU64::new(0);
        let test = TESTS.fetch_add(1, Ordering::SeqCst);
        Self {
            levels,
            linked: Arc::default(),
            name: format!("below {test}").into(),
        }
    }

    async fn link_next<M: ractor::Message>(
        &self,
        above: &ActorRef<M>,
    ) -> Result<(), ActorProcessingErr> {
        if self.levels > 0 {
            let name = format!("{} level {}", self.name, self.levels);
            let mut next = self.clone();
            next.levels -= 1;
            // Boxed, as this calls itself.
            Box::pin(Link::spawn_linked(Some(name), Link, next, above.get_cell())).await?;
        }
        Ok(())
    }

    /// How many of all that were ever linked have not ended.
    fn running(&self) -> usize {
        let linked = self.linked.lock().unwrap();
        let running = |actor: &&ActorCell| actor.get_status() != ActorStatus::Stopped;
        linked.iter().filter(running).count()
    }

    /// Waits until all that were ever linked have ended.
    async fn ended(&self) {
        let linked = self.linked.lock().unwrap().clone();
        for actor in linked {
            actor.wait(None).await.unwrap();
        }
    }

    /// A child whose incarnations have the chain below them.
    fn child(&self) -> ChildSpec {
        self.child_whose_start(|_| Start::Succeeds)
    }

    /// The same, which comes up or not as this says of the number of an incarnation.
    fn child_whose_start(&self, start: impl Fn(u64) -> Start + Send + Sync + 'static) -> ChildSpec {
        let chain = self.clone();
        let script = Script::new(&Log::new()).pre_start(move |number, myself| {
            let (chain, start) = (chain.clone(), start(number));
            async move {
                chain.link_next(&myself).await?;
                match start {
                    Start::Fails => Err("it did not come up".into()),
                    Start::Hangs => std::future::pending().await,
                    Start::Succeeds => Ok(()),
                }
            }
        });
        script.child("child")
    }
}

/// How a start goes once the chain is there.
#[derive(Clone, Copy, Debug)]
enum Start {
    Fails,
    Hangs,
    Succeeds,
}

/// Waits until the child is up again, or one of its starts has failed.
async fn next_start(events: &mut SupervisorEvents) -> SupervisorEvent {
    let is = |event: &SupervisorEvent| match event {
        SupervisorEvent::Restarted { child, .. } => &**child == "child",
        SupervisorEvent::Exited { exit, .. } => matches!(exit, Exit::InitFailed(_)),
        _ => false,
    };
    until(events, is).await
}

/// The ways in which an incarnation ends and another one follows.
#[derive(Clone, Copy, Debug)]
enum Way {
    Drain,
    Error,
    Group,
    Kill,
    Panic,
    Restart,
    Stop,
}

impl Way {
    const ALL: [Self; 7] = [
        Self::Drain,
        Self::Error,
        Self::Group,
        Self::Kill,
        Self::Panic,
        Self::Restart,
        Self::Stop,
    ];

    /// Starts the child, and for the restart of a group a sibling that fails for it.
    async fn start(self, child: ChildSpec) -> Supervisor {
        let spec = match self {
            Self::Group => {
                let sibling = Script::new(&Log::new()).child("sibling");
                spec(Strategy::OneForAll, [sibling, child])
            }
            _ => spec(Strategy::OneForOne, [child]),
        };
        spec.start().await.unwrap()
    }

    async fn end(self, supervisor: &Supervisor) {
        let child = |name| supervisor.child::<Ask>(name).unwrap().actor();
        match self {
            Self::Drain => child("child").drain().unwrap(),
            Self::Error => child("child").cast(Ask::Fail).unwrap(),
            Self::Group => child("sibling").cast(Ask::Fail).unwrap(),
            Self::Kill => child("child").kill(),
            Self::Panic => child("child").cast(Ask::Panic).unwrap(),
            Self::Restart => supervisor.restart("child").await.unwrap(),
            Self::Stop => child("child").stop(None),
        }
    }
}

/// R41: no start fails because a name is still that of something that is ending.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r41_the_next_incarnation_starts_when_all_below_the_former_one_has_ended() {
    for levels in 0..=4 {
        for way in Way::ALL {
            let chain = Chain::new(levels);
            let supervisor = way.start(chain.child()).await;
            let mut events = supervisor.events();
            for _ in 0..20 {
                way.end(&supervisor).await;
                let next = next_start(&mut events).await;
                let has_started = matches!(next, SupervisorEvent::Restarted { .. });
                assert!(has_started, "{levels} levels, {way:?}: {next:?}");
                // After a kill from outside, ractor has detached and killed all below:
                // that ends by itself.
                if !matches!(way, Way::Kill) {
                    assert_eq!(chain.running(), levels, "{way:?}");
                }
            }
            supervisor.shutdown().await;
            if matches!(way, Way::Kill) {
                chain.ended().await;
            }
            assert_eq!(chain.running(), 0, "{way:?}");
        }
    }
}

/// R41: whether the start returned an error or took too long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r41_a_start_that_fails_leaves_nothing_of_what_it_had_linked() {
    for start in [Start::Fails, Start::Hangs] {
        for levels in 0..=4 {
            let chain = Chain::new(levels);
            let supervisor = supervise([]).await;
            let child = chain.child_whose_start(move |_| start);
            let child = child.start_timeout(Duration::from_millis(50));
            let added = supervisor.add(child).await;
            assert!(matches!(added, Err(AddError::Failed { .. })), "{added:?}");
            assert_eq!(chain.running(), 0, "{levels} levels");
        }
    }
}

/// R41: also where it was the start of a next incarnation, and the one after that links
/// the same names.
#[tokio::test(start_paused = true)]
async fn r41_a_restart_that_fails_leaves_nothing_to_the_one_after_it() {
    for start in [Start::Fails, Start::Hangs] {
        for levels in 0..=4 {
            let chain = Chain::new(levels);
            let child = chain.child_whose_start(move |number| match number {
                2 => start,
                _ => Start::Succeeds,
            });
            let supervisor = supervise([child]).await;
            let mut events = supervisor.events();
            Way::Error.end(&supervisor).await;
            let failed = next_start(&mut events).await;
            assert!(
                matches!(failed, SupervisorEvent::Exited { .. }),
                "{failed:?}"
            );
            let next = next_start(&mut events).await;
            let has_started = matches!(next, SupervisorEvent::Restarted { .. });
            assert!(has_started, "{levels} levels, {start:?}: {next:?}");
            assert_eq!(chain.running(), levels, "{start:?}");
            supervisor.shutdown().await;
            assert_eq!(chain.running(), 0, "{start:?}");
        }
    }
}

/// R41: the whole tree has ended when a boot that failed or a shutdown is reported.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r41_nothing_is_left_when_a_boot_has_failed() {
    for levels in 0..=4 {
        let chain = Chain::new(levels);
        let fails = Script::new(&Log::new())
            .pre_start(|_, _| std::future::ready(Err("it did not come up".into())));
        let children = [chain.child(), fails.child("fails")];
        let started = spec(Strategy::OneForOne, children).start().await;
        started.unwrap_err();
        assert_eq!(chain.running(), 0, "{levels} levels");
    }
}

/// R41: a message to itself that the former incarnation left is delivered once, so it
/// is not taken for something that goes on.
#[tokio::test(start_paused = true)]
async fn r41_what_waits_for_a_crashed_incarnation_is_delivered_once() {
    let log = Log::new();
    let supervisor = supervise([Script::new(&log).child("child")]).await;
    let child = supervisor.child::<Ask>("child").unwrap();
    child.actor().cast(Ask::Fail).unwrap();
    let waiting = (0..3).map(|_| child.ask(Ask::Who, SECOND));
    let answers = futures_util::future::join_all(waiting).await;
    assert_eq!(answers, [Ok(2); 3]);
    assert_eq!(log.read(), ["2 answers"; 3]);
}
