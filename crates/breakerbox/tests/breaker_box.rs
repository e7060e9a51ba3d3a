//! What a box of breakers promises: names, finding, ends.

use std::error::Error;
use std::time::Duration;

use breakerbox::{
    AskError, BreakerBox, BreakerBoxSpec, BreakerConfig, BreakerError, CallError, ChildSpec, Event,
    RejectReason, State, Strategy, SupervisorSpec, TripPolicy, Window,
};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};

const CONFIG: BreakerConfig =
    BreakerConfig::gobreaker().trip_on(TripPolicy::consecutive_failures(1));

#[tokio::test(start_paused = true)]
async fn r19_the_same_name_and_configuration_is_the_same_breaker() {
    let breakers = BreakerBox::start("test").await.unwrap();
    let one = breakers.breaker("peer", CONFIG).await.unwrap();
    let same = breakers.breaker("peer", CONFIG).await.unwrap();
    one.try_acquire().unwrap().failure().await;
    assert_eq!(same.state(), State::Open);
    assert_eq!(
        breakers.find("peer").map(|found| found.state()),
        Some(State::Open)
    );
    assert!(breakers.find("other").is_none());
}

#[tokio::test(start_paused = true)]
async fn r19_the_same_name_with_another_configuration_is_an_error() {
    let breakers = BreakerBox::start("test").await.unwrap();
    let breaker = breakers.breaker("peer", CONFIG).await.unwrap();
    let other = CONFIG.probes(7);
    let refused = breakers.breaker("peer", other).await.unwrap_err();
    assert_eq!(refused, BreakerError::Conflict("peer".into()));

    breaker.reconfigure(other).await.unwrap();
    assert!(
        breakers.breaker("peer", other).await.is_ok(),
        "what it has now"
    );
    assert!(
        breakers.breaker("peer", CONFIG).await.is_ok(),
        "what it was made with"
    );
}

#[tokio::test(start_paused = true)]
async fn r19_two_boxes_never_meet() {
    let (left, right) = (
        BreakerBox::start("test").await.unwrap(),
        BreakerBox::start("test").await.unwrap(),
    );
    let open = left.breaker("peer", CONFIG).await.unwrap();
    let closed = right.breaker("peer", CONFIG).await.unwrap();
    open.try_acquire().unwrap().failure().await;
    assert_eq!((open.state(), closed.state()), (State::Open, State::Closed));
}

#[tokio::test(start_paused = true)]
async fn r19_a_removed_breaker_frees_its_name_and_leaves_its_handles_orphaned() {
    let breakers = BreakerBox::start("test").await.unwrap();
    let rejecting = CONFIG.orphaned(breakerbox::Orphaned::Reject);
    let old = breakers.breaker("peer", rejecting).await.unwrap();
    assert!(breakers.remove("peer").await.is_some());
    assert!(breakers.remove("peer").await.is_none());
    assert_eq!(
        old.try_acquire().unwrap_err().reason(),
        RejectReason::Orphaned
    );
    let new = breakers.breaker("peer", CONFIG).await.unwrap();
    assert!(new.try_acquire().is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r19_a_name_that_many_ask_for_at_once_is_made_once() {
    let breakers = BreakerBox::start("test").await.unwrap();
    let asking: Vec<_> = (0..50)
        .map(|_| {
            let breakers = breakers.clone();
            tokio::spawn(async move { breakers.breaker("peer", CONFIG).await.unwrap() })
        })
        .collect();
    let mut made = Vec::new();
    for breaker in asking {
        made.push(breaker.await.unwrap());
    }
    made[0].try_acquire().unwrap().failure().await;
    assert!(made.iter().all(|breaker| breaker.state() == State::Open));
}

#[tokio::test(start_paused = true)]
async fn r19_a_full_box_makes_no_further_breaker() {
    let spec = BreakerBoxSpec::new("hosts").maximum(2);
    let breakers = spec.start().await.unwrap();
    let _one = breakers.breaker("one", CONFIG).await.unwrap();
    let _two = breakers.breaker("two", CONFIG).await.unwrap();
    assert_eq!(
        breakers.breaker("three", CONFIG).await.unwrap_err(),
        BreakerError::Full(2)
    );
    assert!(
        breakers.breaker("one", CONFIG).await.is_ok(),
        "it is there already"
    );
    breakers.remove("two").await;
    assert!(breakers.breaker("three", CONFIG).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn r17_a_contradiction_is_refused_when_a_breaker_is_made() {
    let breakers = BreakerBox::start("test").await.unwrap();
    let never = CONFIG
        .window(Window::last(5))
        .trip_on(TripPolicy::consecutive_failures(6));
    let refused = breakers.breaker("peer", never).await.unwrap_err();
    let why = refused.source().unwrap().to_string();
    assert!(why.contains("the window holds the last 5"), "{why}");
    assert!(breakers.find("peer").is_none());
}

#[tokio::test(start_paused = true)]
async fn r18_a_box_tells_of_all_its_breakers_in_order() {
    let breakers = BreakerBox::start("test").await.unwrap();
    let mut events = breakers.events();
    for name in ["one", "two", "three"] {
        let breaker = breakers.breaker(name, CONFIG).await.unwrap();
        breaker.try_acquire().unwrap().failure().await;
    }
    for name in ["one", "two", "three"] {
        let Some(Event::Changed {
            breaker,
            transition,
            ..
        }) = events.next().await
        else {
            panic!()
        };
        assert_eq!((&*breaker, transition.to), (name, State::Open));
    }
    let states: Vec<_> = breakers
        .snapshots()
        .await
        .into_iter()
        .map(|each| each.name)
        .collect();
    assert_eq!(
        states.iter().map(|name| &**name).collect::<Vec<_>>(),
        ["one", "three", "two"]
    );
}

#[tokio::test(start_paused = true)]
async fn r40_a_box_that_has_ended_makes_no_breakers() {
    let breakers = BreakerBox::start("test").await.unwrap();
    breakers.breaker("peer", CONFIG).await.unwrap();
    let report = breakers.shutdown().await;
    assert_eq!(report.unclean().count(), 0);
    assert_eq!(
        breakers.breaker("late", CONFIG).await.unwrap_err(),
        BreakerError::Stopped
    );
}

#[tokio::test(start_paused = true)]
async fn r40_dropping_the_last_handle_ends_the_box() {
    let breakers = BreakerBox::start("test").await.unwrap();
    let rejecting = CONFIG.orphaned(breakerbox::Orphaned::Reject);
    let breaker = breakers.breaker("peer", rejecting).await.unwrap();
    let permit = breaker.try_acquire_owned().unwrap();
    let mut events = [breakers.events(), breaker.events()];
    drop(breakers);
    breaker.try_acquire().unwrap().success();
    drop(breaker);
    for events in &mut events {
        assert!(matches!(events.next().await, Some(Event::Orphaned { .. })));
        assert!(events.next().await.is_none(), "nothing can happen any more");
    }
    permit.failure().await;
}

/// Answers, crashes over a question, or never answers.
struct Moody;

enum Question {
    Crash(#[expect(dead_code, reason = "it is dropped by the crash")] RpcReplyPort<u8>),
    Hang(RpcReplyPort<u8>),
    Please(RpcReplyPort<u8>),
}

#[cfg(feature = "cluster")]
impl ractor::Message for Question {}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Moody {
    type Msg = Question;
    type State = Vec<RpcReplyPort<u8>>;
    type Arguments = ();

    async fn pre_start(
        &self,
        _: ActorRef<Question>,
        (): (),
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(Vec::new())
    }

    async fn handle(
        &self,
        _: ActorRef<Question>,
        question: Question,
        unanswered: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match question {
            Question::Crash(_) => Err("a bad question".into()),
            Question::Hang(reply) => {
                unanswered.push(reply);
                Ok(())
            }
            Question::Please(reply) => Ok(reply.send(42)?),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_guarded_question_is_answered_or_fails_for_a_reason() {
    let workers = SupervisorSpec::new("workers", Strategy::OneForOne)
        .child(ChildSpec::actor("moody", || (Moody, ())))
        .start()
        .await
        .unwrap();
    let moody = workers.child::<Question>("moody").unwrap().actor();
    let breakers = BreakerBox::start("test").await.unwrap();
    let patient = CONFIG.trip_on(TripPolicy::consecutive_failures(3));
    let breaker = breakers.breaker("moody", patient).await.unwrap();
    let within = Duration::from_secs(1);

    assert_eq!(breaker.ask(&moody, Question::Please, within).await, Ok(42));
    let crashed = breaker.ask(&moody, Question::Crash, within).await;
    assert_eq!(crashed, Err(CallError::Failed(AskError::Crashed)));
    assert_eq!(breaker.ask(&moody, Question::Please, within).await, Ok(42));
    let hung = breaker.ask(&moody, Question::Hang, within).await;
    assert_eq!(hung, Err(CallError::Failed(AskError::TimedOut(within))));
    workers.shutdown().await;
    for _ in 0..2 {
        let gone = breaker.ask(&moody, Question::Please, within).await;
        assert_eq!(gone, Err(CallError::Failed(AskError::NotRunning)));
    }
    assert_eq!(breaker.state(), State::Open);
    let rejected = breaker.ask(&moody, Question::Please, within).await;
    assert!(matches!(rejected, Err(CallError::Rejected(_))));
}

#[tokio::test(start_paused = true)]
async fn r34_breakers_and_workers_are_children_of_one_tree() {
    let breakers = BreakerBox::start("checkout").await.unwrap();
    breakers
        .breaker("payments", BreakerConfig::new())
        .await
        .unwrap();
    let worker = ChildSpec::actor("worker", || (Moody, ()));
    breakers.supervisor().add(worker).await.unwrap();
    let taken = breakers.breaker("worker", BreakerConfig::new()).await;
    assert!(matches!(taken, Err(BreakerError::Taken(name)) if *name == *"worker"));
    let tree = breakers.supervisor().snapshot().to_string();
    assert!(
        tree.contains("payments") && tree.contains("worker"),
        "{tree}"
    );
    let report = breakers.shutdown().await;
    let stopped: Vec<_> = report.stopped.iter().map(|it| &*it.child).collect();
    assert_eq!(stopped, ["worker", "payments"]);
}
