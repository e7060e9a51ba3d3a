//! Why a tree ends, and when a signal comes.

use std::process::ExitCode;

use breakerbox_core::{AutoShutdown, Restart, RestartIntensity};
use ractor::ActorCell;
use tokio::task::JoinHandle;

use super::*;

/// What ends a tree, beside signals.
#[derive(Clone, Copy, Debug)]
enum Reason {
    Escalation,
    Finish,
    Kill,
    Shutdown,
    /// Other code stops the supervisor's actor.
    StopOfActor,
}

/// When a signal comes, as seen from that reason.
#[derive(Clone, Copy, Debug)]
enum When {
    Never,
    /// A second before it, and the drain delay is longer.
    Before,
    /// Half a second after it, and the tree takes two seconds to end.
    While,
    /// As `While`, and again half a second later.
    WhileTwice,
    After,
}

struct Service {
    lifecycle: Lifecycle,
    readiness: Readiness,
    stopper: Stopper,
    tree: Supervisor,
}

impl Service {
    async fn start() -> Self {
        let worker = |name, seconds| {
            let stops_within = seconds * SECOND;
            ChildSpec::actor(name, move || (Worker { stops_within }, ()))
        };
        let quits = worker("quits", 0).restart(Restart::Transient).significant();
        let tree = SupervisorSpec::new("tree", Strategy::OneForOne)
            .intensity(RestartIntensity::new(0, SECOND))
            .auto_shutdown(AutoShutdown::AnySignificant)
            .child(worker("slow", 2))
            .child(quits);
        let lifecycle = Lifecycle::new().drain_delay(4 * SECOND);
        Self {
            readiness: lifecycle.readiness(),
            stopper: lifecycle.stopper(),
            tree: tree.start().await.unwrap(),
            lifecycle,
        }
    }

    /// Ends the tree for this reason.
    fn end(tree: Supervisor, reason: Reason) {
        let actor = tree.child::<()>("quits").unwrap().actor();
        let supervisor: ActorCell = actor.try_get_supervisor().unwrap();
        match reason {
            Reason::Escalation => actor.cast(()).unwrap(),
            Reason::Finish => actor.stop(None),
            Reason::Kill => supervisor.kill(),
            Reason::Shutdown => drop(tokio::spawn(async move { tree.shutdown().await })),
            Reason::StopOfActor => supervisor.stop(None),
        }
    }

    /// Ends it while it runs, which shows at once.
    async fn end_running(tree: Supervisor, mut readiness: Readiness, reason: Reason) {
        Self::end(tree, reason);
        let decided = Instant::now();
        soon(readiness.not_ready()).await;
        assert_eq!(decided.elapsed(), Duration::ZERO, "{reason:?}");
        assert!(!readiness.is_ready(), "{reason:?}");
        assert!(!soon(readiness.ready()).await, "{reason:?}");
    }

    /// Runs it until this reason and this signal have ended it.
    async fn run(self, reason: Reason, when: When) -> LifecycleReport {
        let Self {
            lifecycle,
            mut readiness,
            stopper,
            tree,
        } = self;
        if let When::After = when {
            Self::end(tree.observer(), reason);
            soon(tree.ended()).await;
            stopper.stop();
            return soon(lifecycle.run(tree)).await.unwrap();
        }
        let end = Self::end_running(tree.observer(), readiness.clone(), reason);
        let run: JoinHandle<_> = tokio::spawn(lifecycle.run(tree));
        assert!(soon(readiness.ready()).await);
        if let When::Before = when {
            stopper.stop();
            tokio::time::sleep(SECOND).await;
        }
        end.await;
        let signals = match when {
            When::Never | When::Before | When::After => 0,
            When::While => 1,
            When::WhileTwice => 2,
        };
        for _ in 0..signals {
            tokio::time::sleep(SECOND / 2).await;
            stopper.stop();
        }
        soon(run).await.unwrap().unwrap()
    }
}

/// R45: a failure is none the less one where a signal comes as well.
#[tokio::test(start_paused = true)]
async fn r45_the_exit_code_tells_whether_the_tree_failed_whenever_a_signal_comes() {
    const FAILS: Reason = Reason::Escalation;
    let (asked, by_itself) = (
        LifecycleEnd::Asked(Signal::Stopper),
        LifecycleEnd::TreeEnded,
    );
    let again = LifecycleEnd::AskedAgain(Signal::Stopper);
    let killed = 143;
    let table = [
        (FAILS, When::Never, &by_itself, 1, 0),
        (FAILS, When::Before, &asked, 1, 3_000),
        (FAILS, When::While, &asked, 1, 1_500),
        (FAILS, When::WhileTwice, &again, 1, 500),
        (FAILS, When::After, &asked, 1, 0),
        (Reason::Finish, When::Never, &by_itself, 0, 0),
        (Reason::Finish, When::Before, &asked, 0, 3_000),
        (Reason::Finish, When::While, &asked, 0, 1_500),
        (Reason::Finish, When::WhileTwice, &again, killed, 500),
        (Reason::Finish, When::After, &asked, 0, 0),
        (Reason::Shutdown, When::Never, &by_itself, 0, 0),
        (Reason::Shutdown, When::Before, &asked, 0, 3_000),
        (Reason::Shutdown, When::While, &asked, 0, 1_500),
        (Reason::Shutdown, When::WhileTwice, &again, killed, 500),
        (Reason::Shutdown, When::After, &asked, 0, 0),
        (Reason::StopOfActor, When::Never, &by_itself, 0, 0),
        (Reason::StopOfActor, When::Before, &asked, 0, 3_000),
        (Reason::StopOfActor, When::While, &asked, 0, 1_500),
        (Reason::StopOfActor, When::WhileTwice, &again, killed, 500),
        (Reason::StopOfActor, When::After, &asked, 0, 0),
        // Nothing takes time once it is killed, so no signal comes while it ends.
        (Reason::Kill, When::Never, &by_itself, 1, 0),
        (Reason::Kill, When::Before, &asked, 1, 1_000),
        (Reason::Kill, When::After, &asked, 1, 0),
    ];
    for (reason, when, end, code, took) in table {
        let report = Service::start().await.run(reason, when).await;
        let row = format!("{reason:?} {when:?}: {report}");
        assert_eq!(report.end, *end, "{row}");
        assert_eq!(report.exit_code(), ExitCode::from(code), "{row}");
        assert_eq!(report.took, Duration::from_millis(took), "{row}");
    }
}

/// R45: who reads the log learns why it ended, and who had asked for that.
#[tokio::test(start_paused = true)]
async fn r45_a_report_says_what_the_tree_did_and_what_a_signal_did() {
    let failed = "failed: \"quits\" failed: it was told to fail";
    let finished = "finished with \"quits\", which ended normally";
    let by_others = "shut down by other code";
    let of_two = "2 of 2 children stopped by themselves";
    let table = [
        (
            Reason::Escalation,
            When::Never,
            format!("{failed}; {of_two}"),
        ),
        (
            Reason::Escalation,
            When::While,
            format!("{failed}; stopped after stop in 1.5s; {of_two}"),
        ),
        (
            Reason::Escalation,
            When::WhileTwice,
            format!("{failed}; killed by a second stop after 500.0ms; 0 of 0 children"),
        ),
        (Reason::Finish, When::Never, format!("{finished}; {of_two}")),
        (
            Reason::Finish,
            When::While,
            format!("{finished}; stopped after stop in 1.5s; {of_two}"),
        ),
        (
            Reason::Shutdown,
            When::Never,
            format!("{by_others}; {of_two}"),
        ),
        (
            Reason::Shutdown,
            When::While,
            format!("stopped after stop in 1.5s; {of_two}"),
        ),
        (
            Reason::Kill,
            When::Never,
            "killed by other code; 0 of 0 children".to_owned(),
        ),
        (
            Reason::Kill,
            When::Before,
            "killed by other code; stopped after stop in 1.0s; 0 of 0 children".to_owned(),
        ),
    ];
    for (reason, when, says) in table {
        let report = Service::start().await.run(reason, when).await;
        let report = report.to_string();
        assert!(report.starts_with(&format!("tree: {says}")), "{report}");
    }
}

/// R45: a job that failed is not done, though nobody restarts it.
#[tokio::test(start_paused = true)]
async fn r45_a_significant_child_that_failed_is_a_failure_of_the_service() {
    for (result, code) in [(Ok(()), 0), (Err("the disk is full"), 1)] {
        let job = ChildSpec::task("job", move |_| async move { result });
        let spec = SupervisorSpec::new("tree", Strategy::OneForOne)
            .auto_shutdown(AutoShutdown::AnySignificant)
            .child(job.restart(Restart::Temporary).significant());
        let report = soon(Lifecycle::new().run(spec)).await.unwrap();
        assert!(matches!(report.tree.end, End::Finished { .. }), "{report}");
        assert_eq!(report.exit_code(), ExitCode::from(code), "{report}");
    }
}

/// R45: nobody is left to serve in the delay.
#[tokio::test(start_paused = true)]
async fn r45_a_drain_delay_is_over_when_the_tree_ends() {
    let mut service = Service::start().await;
    service.lifecycle = service.lifecycle.drain_delay(3_600 * SECOND);
    let report = service.run(Reason::Escalation, When::Before).await;
    assert_eq!(report.took, 3 * SECOND, "a second, and the worker's stop");
}
