//! Children that block a thread that the clock has woken.
//!
//! One thread of tokio's waits for the next deadline, and the others for work. So
//! nothing is due any more once that one has been woken and is blocked, until
//! another is woken.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use breakerbox_core::{Backoff, Strategy};
use futures_util::future::ready;

use super::blocking::{Bait, Trap};
use super::scripted::{Ask, Script};
use super::worker::Log;
use super::{SECOND, kill, supervise};
use crate::supervisor::{ChildSpec, Shutdown, SupervisorSpec};

/// What somebody does whom the clock wakes.
#[derive(Clone, Copy, Debug)]
enum Act {
    Fail,
    /// Restarts it while it holds something that enters the trap when it is dropped.
    Interrupt,
    Kill,
    Restart,
    Stop,
}

/// Has "stuck" enter the trap, and waits for the clock while it is in there.
async fn assert_that_the_clock_goes_on(act: Act, child: impl FnOnce(Arc<Trap>) -> ChildSpec) {
    let (trap, release) = Trap::set();
    let child = child(Arc::clone(&trap)).backoff(Backoff::fixed(TICK));
    let supervisor = supervise([child]).await;
    if let Ok(child) = supervisor.child::<Ask>("stuck") {
        // What comes before the first message would wake a thread.
        child.ask(Ask::Who, 60 * SECOND).await.unwrap();
    }
    let acting = supervisor.clone();
    let entered = Arc::clone(&trap);
    let acted = tokio::spawn(async move {
        tokio::time::sleep(TICK).await;
        match act {
            Act::Fail => {
                let actor = acting.child::<Ask>("stuck").unwrap().actor();
                actor.cast(Ask::Fail).unwrap();
            }
            Act::Interrupt => {
                let child = acting.child::<Ask>("stuck").unwrap();
                let hold = |reply| Ask::Hold(Box::new(Bait(entered)), reply);
                child.ask(hold, 60 * SECOND).await.unwrap();
                drop(acting.restart("stuck").await);
            }
            Act::Kill => kill(&acting.supervisor("stuck").unwrap()),
            Act::Restart => drop(acting.restart("stuck").await),
            Act::Stop => drop(acting.stop("stuck").await),
        }
    });
    trap.entered.notified().await;
    tokio::time::sleep(TICK).await;
    assert!(!trap.is_given_up.load(Ordering::SeqCst));
    drop(release);
    acted.await.unwrap();
    supervisor.shutdown().await;
}

const TICK: Duration = Duration::from_millis(10);

/// R35: a task may block when it is asked to stop.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r35_a_task_that_blocks_when_it_is_asked_to_stop_does_not_stop_the_clock() {
    assert_that_the_clock_goes_on(Act::Stop, |trap| {
        ChildSpec::task("stuck", move |stop| {
            let trap = Arc::clone(&trap);
            async move {
                stop.cancelled().await;
                trap.enter();
                Ok::<_, Infallible>(())
            }
        })
    })
    .await;
}

/// R35: or when it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r35_a_task_that_blocks_when_it_is_dropped_does_not_stop_the_clock() {
    assert_that_the_clock_goes_on(Act::Stop, |trap| {
        ChildSpec::task("stuck", move |_| {
            let bait = Bait(Arc::clone(&trap));
            async move {
                pending::<()>().await;
                drop(bait);
                Ok::<_, Infallible>(())
            }
        })
        .shutdown(Shutdown::Within(TICK))
    })
    .await;
}

/// R35: so may an actor.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r35_an_actor_that_blocks_when_it_is_stopped_does_not_stop_the_clock() {
    for act in [Act::Restart, Act::Stop] {
        assert_that_the_clock_goes_on(act, |trap| {
            let script = Script::new(&Log::new()).post_stop(move |_, _| {
                trap.enter();
                ready(Ok(()))
            });
            script.child("stuck")
        })
        .await;
    }
}

/// R35: also in the `post_stop` that takes too long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r35_an_actor_that_blocks_when_it_is_killed_does_not_stop_the_clock() {
    for act in [Act::Restart, Act::Stop] {
        assert_that_the_clock_goes_on(act, |trap| {
            let script = Script::new(&Log::new()).post_stop(move |_, _| {
                let bait = Bait(Arc::clone(&trap));
                async move {
                    pending::<()>().await;
                    drop(bait);
                    Ok(())
                }
            });
            // Enough for it to begin.
            script.child("stuck").shutdown(Shutdown::Within(SECOND))
        })
        .await;
    }
}

/// R35: or when it starts again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r35_an_actor_that_blocks_when_it_is_restarted_does_not_stop_the_clock() {
    assert_that_the_clock_goes_on(Act::Fail, |trap| {
        let script = Script::new(&Log::new()).pre_start(move |number, _| {
            if number == 2 {
                trap.enter();
            }
            ready(Ok(()))
        });
        script.child("stuck")
    })
    .await;
}

/// R35: or in a message that it is not to end any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r35_an_actor_that_blocks_when_it_is_interrupted_does_not_stop_the_clock() {
    assert_that_the_clock_goes_on(Act::Interrupt, |_| {
        let child = Script::new(&Log::new()).child("stuck");
        child.shutdown(Shutdown::Within(TICK))
    })
    .await;
}

/// R35: or when a level is made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r35_a_level_that_blocks_when_it_is_made_does_not_stop_the_clock() {
    assert_that_the_clock_goes_on(Act::Kill, |trap| {
        let made = AtomicU64::new(0);
        ChildSpec::supervisor("stuck", move || {
            if made.fetch_add(1, Ordering::SeqCst) == 1 {
                trap.enter();
            }
            SupervisorSpec::new("stuck", Strategy::OneForOne)
        })
    })
    .await;
}
