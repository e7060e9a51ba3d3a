//! How long ends take.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use breakerbox_core::{Backoff, Exit, Phase, Restart, Strategy};
use ractor::{Actor, ActorStatus};
use tokio::time::{Instant, sleep};

use super::blocking::Trap;
use super::scripted::{Ask, Idle, Script};
use super::worker::Log;
use super::{SECOND, exited, restarted, spec, supervise, until};
use crate::AskError;
use crate::ask::ask_until;
use crate::supervisor::{AddError, ChildSpec, Departure, Shutdown, SupervisorSpec};

/// R42: whoever has the address of a child may end it at any time.
#[tokio::test(start_paused = true)]
async fn r42_an_actor_that_waits_for_its_restart_stops_at_once() {
    let hour = 3_600 * SECOND;
    let child = Script::new(&Log::new()).child("child");
    let supervisor = supervise([child.backoff(Backoff::fixed(hour))]).await;
    let child = supervisor.child::<Ask>("child").unwrap();
    let mut events = supervisor.events();
    let actor = child.actor();
    actor.cast(Ask::Fail).unwrap();
    until(&mut events, exited).await;
    let began = Instant::now();
    let waiting = actor.clone();
    let asked = tokio::spawn(async move { ask_until(&waiting, Ask::Who, hour, sleep(hour)).await });
    tokio::task::yield_now().await;
    actor.stop(None);
    actor.wait(Some(60 * SECOND)).await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(
        asked.await.unwrap(),
        Err(AskError::Crashed),
        "ractor drops it"
    );
    assert_eq!(
        child.status().phase,
        Phase::BackingOff,
        "it is to be restarted"
    );
    until(&mut events, restarted).await;
    assert_ne!(child.actor().get_id(), actor.get_id());
    assert_eq!(child.ask(Ask::Who, SECOND).await, Ok(2));
    supervisor.shutdown().await;
}

/// R42: and where its restart type asks for no other one after a stop, none follows.
#[tokio::test(start_paused = true)]
async fn r42_a_transient_actor_that_is_stopped_before_its_restart_is_done() {
    let child = Script::new(&Log::new()).child("child");
    let child = child.restart(Restart::Transient);
    let supervisor = supervise([child.backoff(Backoff::fixed(60 * SECOND))]).await;
    let child = supervisor.child::<Ask>("child").unwrap();
    let mut events = supervisor.events();
    child.actor().cast(Ask::Fail).unwrap();
    until(&mut events, exited).await;
    child.actor().stop(None);
    until(&mut events, super::stopped).await;
    assert_eq!(child.status().phase, Phase::Down);
    assert_eq!(child.status().restarts, 0);
    supervisor.shutdown().await;
}

/// R31, R42: a drain keeps its promise, though the restart comes late.
#[tokio::test(start_paused = true)]
async fn r42_an_actor_that_drains_waits_for_its_restart_only_while_it_has_messages() {
    for has_messages in [true, false] {
        let log = Log::new();
        let child = Script::new(&log).child("child");
        let supervisor = supervise([child.backoff(Backoff::fixed(60 * SECOND))]).await;
        let child = supervisor.child::<Ask>("child").unwrap();
        let mut events = supervisor.events();
        let actor = child.actor();
        actor.cast(Ask::Fail).unwrap();
        until(&mut events, exited).await;
        let began = Instant::now();
        let waiting = actor.clone();
        let asked = has_messages.then(|| {
            let over = sleep(100 * SECOND);
            tokio::spawn(async move { ask_until(&waiting, Ask::Who, 100 * SECOND, over).await })
        });
        tokio::task::yield_now().await;
        actor.drain_and_wait(None).await.unwrap();
        match asked {
            Some(asked) => assert_eq!(asked.await.unwrap(), Ok(2)),
            None => assert_eq!(began.elapsed(), Duration::ZERO),
        }
        assert_eq!(actor.get_status(), ActorStatus::Stopped);
        supervisor.shutdown().await;
    }
}

/// R42: a set ends in the time of its slowest child.
#[tokio::test(start_paused = true)]
async fn r42_a_set_stops_its_children_side_by_side() {
    // One second each, and for ever.
    for (hangs, takes) in [(false, 1), (true, 5)] {
        let (set, children) = ChildSpec::set("set", 100, move |number: u32| {
            ChildSpec::task(number.to_string(), move |stop| async move {
                stop.cancelled().await;
                tokio::time::sleep(SECOND).await;
                if hangs {
                    pending::<()>().await;
                }
                Ok::<_, Infallible>(())
            })
        });
        let supervisor = spec([set]).start().await.unwrap();
        for number in 0..100 {
            children.add(number).await.unwrap();
        }
        let began = Instant::now();
        let report = supervisor.shutdown().await;
        assert_eq!(began.elapsed(), takes * SECOND);
        let unclean = report.unclean().count();
        assert_eq!(unclean, if hangs { 100 } else { 0 });
    }
}

/// R42, R33: the name is taken for as long as something of the child is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r42_the_name_of_a_stuck_child_stays_taken_until_it_is_gone() {
    let (trap, release) = Trap::set();
    let entered = std::sync::Arc::clone(&trap);
    let child = ChildSpec::task("stuck", move |_| {
        let trap = std::sync::Arc::clone(&entered);
        async move {
            tokio::task::yield_now().await;
            trap.enter();
            Ok::<_, Infallible>(())
        }
    });
    let supervisor = supervise([child.shutdown(Shutdown::Kill)]).await;
    trap.entered.notified().await;
    assert_eq!(supervisor.remove("stuck").await, Ok(Departure::Stuck));
    let again = || Script::new(&Log::new()).child("stuck");
    let refused = supervisor.add(again()).await;
    assert!(
        matches!(refused, Err(AddError::Duplicate { .. })),
        "{refused:?}"
    );
    let phase = supervisor.snapshot().child("stuck").map(|it| it.phase);
    assert_eq!(phase, Some(Phase::Stuck));
    drop(release);
    while supervisor.add(again()).await.is_err() {
        tokio::task::yield_now().await;
    }
    supervisor.shutdown().await;
}

/// R42: a start that blocks its thread is given up in its time as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r42_a_start_that_blocks_its_thread_is_given_up_at_its_timeout() {
    let (trap, release) = Trap::set();
    let entered = std::sync::Arc::clone(&trap);
    let child = Script::new(&Log::new()).pre_start(move |_, _| {
        entered.enter();
        std::future::ready(Ok(()))
    });
    let child = child.child("stuck").shutdown(Shutdown::Kill);
    let supervisor = supervise([]).await;
    let child = child.start_timeout(SECOND / 100);
    let added = tokio::time::timeout(60 * SECOND, supervisor.add(child)).await;
    let exit = Exit::init_failed("it did not start within 10ms");
    let child = "stuck".to_owned();
    assert_eq!(added.unwrap(), Err(AddError::Failed { child, exit }));
    drop(release);
    supervisor.shutdown().await;
}

/// R30, R42: so is the start of a level whose recipe blocks its thread.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r42_a_level_whose_recipe_blocks_its_thread_is_given_up_at_its_timeout() {
    let (trap, release) = Trap::set();
    let entered = std::sync::Arc::clone(&trap);
    let level = ChildSpec::supervisor("level", move || {
        entered.enter();
        SupervisorSpec::new("level", Strategy::OneForOne)
    });
    let supervisor = supervise([]).await;
    let level = level.start_timeout(SECOND / 100);
    let added = tokio::time::timeout(30 * SECOND, supervisor.add(level)).await;
    let exit = Exit::init_failed("it did not start within 10ms");
    let child = "level".to_owned();
    let added = added.expect("it does not wait for the recipe");
    assert_eq!(added, Err(AddError::Failed { child, exit }));
    drop(release);
    supervisor.shutdown().await;
}

/// R31, R42: ractor links nothing to an actor that drains, so what needs that would fail
/// to start there until its supervisor gives up.
#[tokio::test(start_paused = true)]
async fn r42_an_actor_that_cannot_start_while_it_drains_starts_at_a_new_address() {
    for has_queue in [false, true] {
        let script = Script::new(&Log::new()).pre_start(|_, myself| async move {
            Idle::spawn_linked(None, Idle, (), myself.get_cell()).await?;
            Ok(())
        });
        let child = script.child("child").backoff(Backoff::fixed(SECOND));
        let supervisor = supervise([child]).await;
        let child = supervisor.child::<Ask>("child").unwrap();
        let mut events = supervisor.events();
        let actor = child.actor();
        actor.cast(Ask::Fail).unwrap();
        if !has_queue {
            until(&mut events, exited).await;
        }
        let waiting = actor.clone();
        let over = sleep(9 * SECOND);
        let asked =
            tokio::spawn(async move { ask_until(&waiting, Ask::Who, 9 * SECOND, over).await });
        tokio::task::yield_now().await;
        actor.drain().unwrap();
        let again = tokio::time::timeout(60 * SECOND, until(&mut events, restarted));
        again.await.expect("it starts at a new address");
        assert_eq!(asked.await.unwrap(), Err(AskError::Crashed));
        assert_ne!(child.actor().get_id(), actor.get_id());
        // The crash, and the one start that failed.
        assert_eq!(child.status().restarts, 2);
        assert_eq!(child.ask(Ask::Who, SECOND).await, Ok(3));
        supervisor.shutdown().await;
    }
}

/// R40: a shell may be killed before it takes the order to start what it runs next.
#[tokio::test(start_paused = true)]
async fn r40_a_handle_on_a_child_keeps_no_recipe_of_it() {
    for turns in 0..5 {
        let recipe = Arc::new(());
        let held = Arc::clone(&recipe);
        let script = Script::new(&Log::new()).on_drop(move |_| {
            let _held = &held;
        });
        let minute = Backoff::fixed(60 * SECOND);
        let root = supervise([script.child("child").backoff(minute)]).await;
        let child = root.child::<Ask>("child").unwrap();
        child.cast(Ask::Fail).unwrap();
        tokio::time::sleep(SECOND).await;
        let killed = async {
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
            child.actor().kill();
        };
        let (_either_way, ()) = tokio::join!(root.restart("child"), killed);
        tokio::time::sleep(SECOND).await;
        root.shutdown().await;
        tokio::time::sleep(SECOND).await;
        assert_eq!(child.status().phase, Phase::Down);
        assert_eq!(Arc::strong_count(&recipe), 1, "after {turns} turns");
    }
}
