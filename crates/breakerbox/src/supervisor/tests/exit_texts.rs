//! What is kept of what a child said when it ended.

use breakerbox_core::{Exit, Strategy};

use super::{exited, supervise, until};
use crate::supervisor::{AddError, ChildSpec, SupervisorEvent, SupervisorSpec};

/// R26: an error or a panic of a megabyte is not kept by each who hears of it.
#[tokio::test(start_paused = true)]
async fn r26_the_text_of_an_exit_is_cut_before_anybody_keeps_it() {
    let megabyte = || "x".repeat(1 << 20);
    let failing = ChildSpec::task("child", move |_stop| async move {
        tokio::task::yield_now().await;
        Err::<(), _>(megabyte())
    });
    let panicking = ChildSpec::task("child", move |_stop| async move {
        tokio::task::yield_now().await;
        std::panic::panic_any(megabyte());
        #[expect(unreachable_code, reason = "it says what the task returns")]
        Ok::<(), String>(())
    });
    for child in [failing, panicking] {
        let supervisor = supervise([]).await;
        let mut events = supervisor.events();
        supervisor.add(child).await.unwrap();
        let SupervisorEvent::Exited { exit, .. } = until(&mut events, exited).await else {
            unreachable!("that is what was waited for");
        };
        assert!(is_cut(&exit), "{}", exit.kind());
        let status = supervisor.snapshot().children[0].status.clone();
        assert!(status.last_exit.as_ref().is_some_and(is_cut));
    }
}

/// R26: nor is that of one that could not be started, at whatever level.
#[tokio::test(start_paused = true)]
async fn r26_the_text_of_a_failed_start_is_cut_at_each_level() {
    let root = supervise([]).await;
    let child = ChildSpec::supervisor("level", || {
        let panicking =
            ChildSpec::supervisor("child", || std::panic::panic_any("x".repeat(1 << 20)));
        SupervisorSpec::new("level", Strategy::OneForOne).child(panicking)
    });
    let Err(AddError::Failed { exit, .. }) = root.add(child).await else {
        unreachable!("its child panics");
    };
    assert!(is_cut(&exit), "{exit}");
}

/// Whether 1,024 bytes of it are left, and a few words.
fn is_cut(exit: &Exit) -> bool {
    (1_024..1_100).contains(&exit.to_string().len())
}
