use std::convert::Infallible;

use breakerbox_core::Strategy;

use super::worker::{Fault, WorkerMessage, worker};
use super::{SECOND, restarted, supervise, until};
use crate::supervisor::{Child, ChildSpec, SupervisorSpec};

/// R37: the tree is drawn with what a person asks first.
#[tokio::test(start_paused = true)]
async fn r37_a_snapshot_draws_the_tree() {
    let level = ChildSpec::supervisor("level", || {
        SupervisorSpec::new("level", Strategy::OneForOne)
            .child(ChildSpec::task("consumer", |stop| async move {
                stop.cancelled().await;
                Ok::<_, Infallible>(())
            }))
            .child(worker("deep"))
    });
    let root = supervise([worker("first"), level, worker("last")]).await;
    let deep: Child<WorkerMessage> = root.child("level/deep").unwrap();
    let mut events = root.events();
    let failed = |reply| WorkerMessage::Fail(Fault::Error, reply);
    deep.ask(failed, SECOND).await.unwrap_err();
    until(&mut events, restarted).await;
    root.stop("last").await.unwrap();
    tokio::time::advance(75 * SECOND).await;
    let expected = "\
tests up
├ first       actor       up           1 min 15 s    0 restarts
├ level       supervisor  up           1 min 15 s    0 restarts
│ ├ consumer  task        up           1 min 15 s    0 restarts
│ └ deep      actor       up           1 min 15 s    1 restarts  last exit: failed: failed
└ last        actor       down         1 min 15 s    0 restarts  last exit: ended normally";
    assert_eq!(root.snapshot().to_string(), expected);
}
