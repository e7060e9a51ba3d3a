//! How many messages wait for a child while it is down.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use breakerbox_core::{Backoff, OnLimit, Phase, RestartIntensity, Strategy};
use futures_util::future::join_all;
use ractor::Actor;
use tokio::time::sleep;

use super::scripted::{Ask, Idle, Script};
use super::worker::Log;
use super::{SECOND, exited, spec, supervise, until};
use crate::AskError;
use crate::ask::ask_until;
use crate::supervisor::{CastError, Child, ChildSpec, Supervisor, SupervisorSpec};

/// A child that is down for a minute after each failure, for which so many may wait.
fn limited(log: &Arc<Log>, limit: usize) -> ChildSpec {
    let child = Script::new(log).child("child");
    child.backoff(MINUTE).queue_while_down(limit)
}

const MINUTE: Backoff = Backoff::fixed(super::Duration::from_secs(60));

async fn down(supervisor: &Supervisor) -> Child<Ask> {
    let mut events = supervisor.events();
    let child = supervisor.child::<Ask>("child").unwrap();
    child.cast(Ask::Fail).unwrap();
    until(&mut events, exited).await;
    child
}

fn all(spec: SupervisorSpec) -> SupervisorSpec {
    SupervisorSpec {
        strategy: Strategy::OneForAll,
        ..spec
    }
}

fn dropped(supervisor: &Supervisor) -> u64 {
    supervisor.snapshot().children[0].dropped
}

/// A question to the bare address, which no handle has a say in.
async fn ask_address(child: &Child<Ask>) -> Result<u64, AskError> {
    let hour = 3_600 * SECOND;
    ask_until(&child.actor(), Ask::Who, hour, sleep(hour)).await
}

/// R31: the handle refuses what is too much, and gives it back; the shell drops what it
/// was sent past the handle, and says so.
#[tokio::test(start_paused = true)]
async fn r31_no_more_messages_wait_for_a_child_that_is_down_than_its_limit() {
    let log = Log::new();
    let supervisor = supervise([limited(&log, 3)]).await;
    let child = down(&supervisor).await;
    let waiting = join_all((0..3).map(|_| child.ask(Ask::Who, 90 * SECOND)));
    let too_many = async {
        tokio::task::yield_now().await;
        let refused = child.cast(Ask::Fail).unwrap_err();
        assert_eq!(refused.to_string(), AskError::QueueFull.to_string());
        let CastError::QueueFull(Ask::Fail) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(child.ask(Ask::Who, SECOND).await, Err(AskError::QueueFull));
        assert_eq!(ask_address(&child).await, Err(AskError::Crashed));
    };
    let (answers, ()) = tokio::join!(waiting, too_many);
    assert_eq!(answers, [Ok(2); 3]);
    assert_eq!(dropped(&supervisor), 1);
    let drawn = supervisor.snapshot().to_string();
    assert!(
        drawn.contains("1 restarts  1 messages dropped  last exit"),
        "{drawn}"
    );
    // Up again, it takes what it is sent.
    let many = join_all((0..10).map(|_| child.ask(Ask::Who, SECOND)));
    assert_eq!(many.await, [Ok(2); 10]);
    // The next time, as many may wait again.
    let child = down(&supervisor).await;
    let places = [(); 4].map(|()| child.cast(Ask::Fail).is_ok());
    assert_eq!(places, [true, true, true, false]);
    assert_eq!(dropped(&supervisor), 1, "a refusal is no drop");
}

/// R31: in whatever way it is down.
#[tokio::test(start_paused = true)]
async fn r31_a_queue_is_limited_in_a_pause_in_a_group_and_during_an_end() {
    let none = RestartIntensity::new(0, SECOND);
    let log = Log::new();
    let pauses = limited(&log, 0).intensity(none, OnLimit::Pause(MINUTE));
    let supervisor = supervise([pauses]).await;
    let child = down(&supervisor).await;
    assert_eq!(child.status().phase, Phase::Paused);
    assert!(child.cast(Ask::Fail).is_err());

    let group = spec([
        limited(&log, 0),
        Script::new(&log).child("other").backoff(MINUTE),
    ]);
    let group = all(group).start().await.unwrap();
    let mut events = group.events();
    let other = group.child::<Ask>("other").unwrap();
    other.cast(Ask::Fail).unwrap();
    until(&mut events, exited).await;
    until(&mut events, exited).await;
    let child = group.child::<Ask>("child").unwrap();
    assert_eq!(child.status().phase, Phase::BackingOff);
    assert!(child.cast(Ask::Fail).is_err());

    let lingers = Script::new(&log).post_stop(|_, _| async {
        sleep(SECOND).await;
        Ok(())
    });
    let lingers = lingers.child("child").queue_while_down(0);
    let supervisor = supervise([lingers]).await;
    let child = supervisor.child::<Ask>("child").unwrap();
    let meanwhile = async {
        sleep(SECOND / 2).await;
        child.ask(Ask::Who, SECOND).await
    };
    let (restarted, answer) = tokio::join!(supervisor.restart("child"), meanwhile);
    assert_eq!((restarted, answer), (Ok(()), Err(AskError::QueueFull)));
    child.ask(Ask::Who, SECOND).await.unwrap();
}

/// R31: places are taken one by one, whoever sends, and nothing is lost uncounted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r31_a_queue_is_limited_exactly_whoever_sends_at_the_same_time() {
    for (by_handle, by_address) in [(4, 0), (0, 4), (2, 2)] {
        let log = Log::new();
        let supervisor = supervise([limited(&log, 100)]).await;
        let child = down(&supervisor).await;
        let (accepted, sent) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..by_handle {
                scope.spawn(|| {
                    let casts = (0..200).filter(|_| child.cast(who()).is_ok());
                    accepted.fetch_add(casts.count(), Ordering::Relaxed);
                });
            }
            for _ in 0..by_address {
                scope.spawn(|| {
                    let casts = (0..200).filter(|_| child.actor().cast(who()).is_ok());
                    sent.fetch_add(casts.count(), Ordering::Relaxed);
                });
            }
        });
        let (accepted, sent) = (accepted.into_inner(), sent.into_inner());
        if by_address == 0 {
            assert_eq!(accepted, 100);
        }
        // What was sent to the address has to be taken out first.
        while (dropped(&supervisor) as usize) + 100 < accepted + sent {
            tokio::task::yield_now().await;
        }
        supervisor.restart("child").await.unwrap();
        child.ask(Ask::Who, 60 * SECOND).await.unwrap();
        assert_eq!(log.read().len(), 100 + 1, "and the last question");
        assert_eq!(dropped(&supervisor) as usize + 100, accepted + sent);
    }
}

/// A question whose answer nobody awaits.
fn who() -> Ask {
    Ask::Who(ractor::concurrency::oneshot().0.into())
}

/// R31: what is there before a restart at once is not taken out, so it is not dropped.
#[tokio::test(start_paused = true)]
async fn r31_a_restart_at_once_keeps_what_is_beyond_the_limit() {
    let supervisor = supervise([Script::new(&Log::new()).child("child").queue_while_down(0)]).await;
    let child = supervisor.child::<Ask>("child").unwrap();
    child.cast(Ask::Fail).unwrap();
    let waiting = join_all((0..100).map(|_| child.ask(Ask::Who, SECOND)));
    assert_eq!(waiting.await, [Ok(2); 100]);
    assert_eq!(dropped(&supervisor), 0);
}

/// R31: the queue has no end unless that is asked for.
#[tokio::test(start_paused = true)]
async fn r31_without_a_limit_all_messages_wait() {
    let log = Log::new();
    let supervisor = supervise([Script::new(&log).child("child").backoff(MINUTE)]).await;
    let child = down(&supervisor).await;
    for _ in 0..10_000 {
        child.cast(who()).unwrap();
    }
    assert_eq!(child.ask(Ask::Who, 90 * SECOND).await, Ok(2));
    assert_eq!(log.read().len(), 10_001);
}

/// R31: an actor that is gone is not merely full.
#[tokio::test(start_paused = true)]
async fn r31_a_child_whose_actor_ended_while_it_was_down_is_not_running() {
    let supervisor = supervise([limited(&Log::new(), 0)]).await;
    let child = down(&supervisor).await;
    assert!(matches!(
        child.cast(Ask::Fail),
        Err(CastError::QueueFull(_))
    ));
    child.actor().kill();
    child.actor().wait(None).await.unwrap();
    tokio::task::yield_now().await;
    let refused = child.cast(Ask::Fail).unwrap_err();
    assert!(matches!(refused.into_message(), Ask::Fail));
    assert_eq!(child.ask(Ask::Who, SECOND).await, Err(AskError::NotRunning));
    sleep(61 * SECOND).await;
    assert_eq!(child.ask(Ask::Who, SECOND).await, Ok(2));
}

/// R31: nor is it while its next incarnation comes up at another address.
#[tokio::test(start_paused = true)]
async fn r31_an_address_that_has_ended_is_not_running_while_the_next_one_starts() {
    for limit in [0, 1] {
        let script = Script::new(&Log::new()).pre_start(|number, _| async move {
            if number > 1 {
                sleep(SECOND).await;
            }
            Ok(())
        });
        let child = script.child("child").queue_while_down(limit);
        let supervisor = supervise([child.new_address()]).await;
        let child = supervisor.child::<Ask>("child").unwrap();
        child.cast(Ask::Fail).unwrap();
        sleep(SECOND / 2).await;
        assert_eq!(child.status().phase, Phase::Starting);
        let refused = [(); 3].map(|()| child.cast(who()).unwrap_err());
        assert!(
            refused
                .iter()
                .all(|it| matches!(it, CastError::NotRunning(_)))
        );
        sleep(SECOND).await;
        assert_eq!(child.ask(Ask::Who, SECOND).await, Ok(2));
    }
}

/// R31: events of what an incarnation has linked are no messages.
#[tokio::test(start_paused = true)]
async fn r31_a_limit_drops_no_supervision_events() {
    let log = Log::new();
    let script = Script::new(&log).pre_start(|_, myself| async move {
        let (linked, _) = Idle::spawn_linked(None, Idle, (), myself.get_cell()).await?;
        linked.kill_and_wait(None).await?;
        Ok(())
    });
    let supervisor = supervise([script.child("child").queue_while_down(0)]).await;
    for incarnation in 1..=3 {
        let child = supervisor.child::<Ask>("child").unwrap();
        assert_eq!(child.ask(Ask::Who, SECOND).await, Ok(incarnation));
        supervisor.restart("child").await.unwrap();
    }
    let lost = log
        .read()
        .into_iter()
        .filter(|line| line.ends_with("lost a linked actor"));
    assert_eq!(lost.count(), 3);
}
