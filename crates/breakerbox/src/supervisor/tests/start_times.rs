//! How long a level has to come up.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use breakerbox_core::Strategy;
use tokio::time::Instant;

use super::{SECOND, spec};
use crate::supervisor::{AddError, ChildSpec, SupervisorSpec};

/// A level whose children each take so long to come up, and may take 5 seconds.
fn level(name: &'static str, takes: [u32; 3]) -> ChildSpec {
    ChildSpec::supervisor(name, move || {
        let children = takes.iter().enumerate().map(|(index, seconds)| {
            let takes = *seconds * SECOND;
            ChildSpec::task_with_readiness(index.to_string(), move |stop, ready| async move {
                let starts = async {
                    tokio::time::sleep(takes).await;
                    ready.notify();
                    pending::<()>().await;
                };
                tokio::select! {
                    () = starts => {}
                    () = stop.cancelled() => {}
                }
                Ok::<_, Infallible>(())
            })
        });
        children.fold(
            SupervisorSpec::new(name, Strategy::OneForOne),
            SupervisorSpec::child,
        )
    })
}

fn nested(levels: impl Fn() -> Vec<ChildSpec> + Send + Sync + 'static) -> ChildSpec {
    ChildSpec::supervisor("outer", move || {
        let outer = SupervisorSpec::new("outer", Strategy::OneForOne);
        levels().into_iter().fold(outer, SupervisorSpec::child)
    })
}

/// What a root with this level becomes, and when.
async fn started(level: ChildSpec) -> (Result<(), String>, Duration) {
    let began = Instant::now();
    let started = spec([level]).start().await;
    let started = started.map(drop).map_err(|error| error.to_string());
    (started, began.elapsed())
}

/// R30: children that start one after another take their time one after another.
#[tokio::test(start_paused = true)]
async fn r30_a_level_has_the_time_of_all_its_children() {
    assert_eq!(started(level("level", [4; 3])).await, (Ok(()), 12 * SECOND));
}

/// R30: but no more.
#[tokio::test(start_paused = true)]
async fn r30_a_child_that_is_too_slow_fails_its_level_in_the_time_of_the_child() {
    let (started, took) = started(level("level", [4, 6, 4])).await;
    assert_eq!(took, 9 * SECOND);
    let error = started.unwrap_err();
    assert!(error.contains("\"1\""), "{error}");
}

/// R30: a time that is set holds.
#[tokio::test(start_paused = true)]
async fn r30_a_level_with_a_start_timeout_is_given_up_in_that_time() {
    let level = level("level", [4; 3]).start_timeout(10 * SECOND);
    let (started, took) = started(level).await;
    assert_eq!(took, 10 * SECOND);
    let error = started.unwrap_err();
    assert!(error.contains("did not start within 10s"), "{error}");
}

/// R30: levels of levels add up, too, and a level in between may have less.
#[tokio::test(start_paused = true)]
async fn r30_a_level_has_the_time_of_the_levels_below() {
    let two = || vec![level("one", [4; 3]), level("two", [4; 3])];
    assert_eq!(started(nested(two)).await, (Ok(()), 24 * SECOND));

    let three = || vec![nested(|| vec![level("one", [4; 3])])];
    assert_eq!(started(nested(three)).await, (Ok(()), 12 * SECOND));

    let (outer, took) = started(nested(two).start_timeout(20 * SECOND)).await;
    assert!(outer.unwrap_err().contains("did not start within 20s"));
    assert_eq!(took, 20 * SECOND);

    let inner = || vec![level("one", [4; 3]).start_timeout(10 * SECOND)];
    let (inner, took) = started(nested(inner)).await;
    assert!(inner.unwrap_err().contains("did not start within 10s"));
    assert_eq!(took, 10 * SECOND);
}

/// R30: what a spec adds up to is found out anew at each start; an empty one has some time.
#[tokio::test(start_paused = true)]
async fn r30_the_time_of_a_level_is_found_out_at_each_start() {
    let (set, children) = ChildSpec::set("set", 10, |takes| level("level", [takes; 3]));
    let root = spec([set, level("again", [4; 3])]).start().await.unwrap();
    assert_eq!(root.restart("again").await, Ok(()));
    assert!(children.add(4).await.is_ok());
    children.remove("level").await.unwrap();
    let refused = children.add(6).await;
    assert!(
        matches!(refused, Err(AddError::Failed { .. })),
        "{refused:?}"
    );
}

/// R30: a sum that no clock can tell is as good as none.
#[tokio::test(start_paused = true)]
async fn r30_times_that_are_endless_add_up() {
    let endless = ChildSpec::supervisor("level", || {
        let children = ["one", "two"].map(|name| {
            let task = ChildSpec::task(name, |stop| async move {
                stop.cancelled().await;
                Ok::<_, Infallible>(())
            });
            task.start_timeout(Duration::MAX)
        });
        let level = SupervisorSpec::new("level", Strategy::OneForOne);
        children.into_iter().fold(level, SupervisorSpec::child)
    });
    assert_eq!(started(endless).await.0, Ok(()));
}
