//! What a shell makes of orders that overtake one another.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::blocking::Trap;
use super::scripted::{Ask, Script};
use super::worker::Log;
use super::{SECOND, exited, restarted, supervise, until};
use crate::supervisor::{Departure, RemoveError, Shutdown};

/// R34: the order to end holds until the end, whatever the shell was doing.
#[tokio::test(start_paused = true)]
async fn r34_a_post_stop_is_cut_in_time_where_the_stop_came_during_a_restart() {
    let go_on = Arc::new(Notify::new());
    let (starts, released) = (Arc::new(Notify::new()), Arc::clone(&go_on));
    let entered = Arc::clone(&starts);
    let script = Script::new(&Log::new())
        .post_start(move |number, _| {
            let (entered, released) = (Arc::clone(&entered), Arc::clone(&released));
            async move {
                if number == 2 {
                    entered.notify_one();
                    released.notified().await;
                }
                Ok(())
            }
        })
        .post_stop(|number, _| async move {
            if number == 2 {
                pending::<()>().await;
            }
            Ok(())
        });
    let child = script.child("child").shutdown(Shutdown::Within(5 * SECOND));
    let supervisor = supervise([child]).await;
    let restarting = supervisor.clone();
    let _restarted = tokio::spawn(async move { restarting.restart("child").await });
    starts.notified().await;
    let began = Instant::now();
    let stopping = supervisor.clone();
    let report = tokio::spawn(async move { stopping.shutdown().await });
    tokio::time::sleep(SECOND).await;
    go_on.notify_one();
    let report = report.await.unwrap();
    assert_eq!(report.stopped[0].departure, Departure::Killed);
    assert_eq!(began.elapsed(), 5 * SECOND);
}

/// R33, R42: nor does the order to start make it forget the one to end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r42_a_callback_that_was_given_up_ends_when_it_awaits() {
    let (trap, release) = Trap::set();
    let script = Script::new(&Log::new()).post_start({
        let trap = Arc::clone(&trap);
        move |number, _| {
            let trap = Arc::clone(&trap);
            async move {
                if number == 1 {
                    tokio::task::yield_now().await;
                    trap.enter();
                    pending::<()>().await;
                }
                Ok(())
            }
        }
    });
    let child = script.child("child").shutdown(Shutdown::Kill);
    let supervisor = supervise([child.start_timeout(60 * SECOND)]).await;
    trap.entered.notified().await;
    let mut events = supervisor.events();
    let restarting = supervisor.clone();
    let restarting = tokio::spawn(async move { restarting.restart("child").await });
    // It is given up after a second, and the next start is ordered.
    until(&mut events, exited).await;
    let answer = supervisor.stop("nobody").await;
    assert!(matches!(answer, Err(RemoveError::Unknown { .. })));
    drop(release);
    let came_up = tokio::time::timeout(10 * SECOND, restarting).await;
    assert_eq!(came_up.expect("the callback ends").unwrap(), Ok(()));
    supervisor.shutdown().await;
}

/// R31, R34, R42: no span that a child is given is too long.
#[tokio::test(start_paused = true)]
async fn r42_a_child_with_endless_timeouts_starts_crashes_and_stops() {
    let child = Script::new(&Log::new()).child("child");
    let child = child.start_timeout(Duration::MAX);
    let supervisor = supervise([child.shutdown(Shutdown::Within(Duration::MAX))]).await;
    let child = supervisor.child::<Ask>("child").unwrap();
    let mut events = supervisor.events();
    child.actor().cast(Ask::Fail).unwrap();
    until(&mut events, restarted).await;
    let before = child.actor();
    assert_eq!(child.ask(Ask::Who, SECOND).await, Ok(2));
    before.stop(None);
    until(&mut events, restarted).await;
    assert_eq!(child.ask(Ask::Who, SECOND).await, Ok(3));
    assert_eq!(supervisor.restart("child").await, Ok(()));
    assert_eq!(supervisor.shutdown().await.unclean().count(), 0);
}

/// R33, R42: whoever stopped an actor by its address, a restart bounds its `post_stop`.
#[tokio::test(start_paused = true)]
async fn r42_a_restart_bounds_the_post_stop_of_an_actor_that_was_stopped_before() {
    for is_in_post_stop in [true, false] {
        let script = Script::new(&Log::new()).post_stop(|number, _| async move {
            if number == 1 {
                pending::<()>().await;
            }
            Ok(())
        });
        let child = script.child("child").shutdown(Shutdown::Within(5 * SECOND));
        let supervisor = supervise([child]).await;
        let child = supervisor.child::<Ask>("child").unwrap();
        let began = Instant::now();
        let stop = async {
            child.actor().stop(None);
            if is_in_post_stop {
                tokio::task::yield_now().await;
            }
        };
        let restarted = if is_in_post_stop {
            stop.await;
            supervisor.restart("child").await
        } else {
            // The order to end is given before the shell sees the stop.
            tokio::join!(biased; supervisor.restart("child"), stop).0
        };
        assert_eq!(restarted, Ok(()));
        assert_eq!(began.elapsed(), 5 * SECOND);
        assert_eq!(child.ask(Ask::Who, SECOND).await, Ok(2));
        supervisor.shutdown().await;
    }
}
