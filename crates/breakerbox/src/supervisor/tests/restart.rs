use std::sync::Arc;
use std::sync::atomic::Ordering;

use breakerbox_core::{Backoff, Exit, Phase, Restart};
use futures_util::future::join_all;
use ractor::rpc::CallResult;
use tokio::sync::Notify;

use super::worker::{Fault, Log, WorkerMessage, WorkerSpec, worker};
use super::{SECOND, exited, restarted, stopped, supervise, until};
use crate::AskError;
use crate::supervisor::Child;

/// R31: address, id and queue survive; the failing message is not replayed.
#[tokio::test(start_paused = true)]
async fn r31_a_crash_keeps_the_address_and_the_queue() {
    for fault in Fault::ALL {
        let log = Log::new();
        let supervisor = supervise([WorkerSpec::new("worker", &log).spec()]).await;
        let child = supervisor.child::<WorkerMessage>("worker").unwrap();
        let before = child.actor();
        let fail = |reply| WorkerMessage::Fail(fault, reply);
        // All are sent before the worker runs, as join_all polls them in order.
        let crashed = child.ask(fail, SECOND);
        let queued = join_all((0..10).map(|_| child.ask(WorkerMessage::Incarnation, SECOND)));
        let (crashed, queued) = tokio::join!(crashed, queued);
        assert_eq!(crashed, Err(AskError::Crashed), "{fault:?}");
        assert_eq!(queued, [Ok(2); 10], "{fault:?}");
        assert_eq!(child.actor(), before);
        assert_eq!(
            before
                .call(WorkerMessage::Incarnation, None)
                .await
                .unwrap()
                .unwrap(),
            2
        );
        assert_eq!(log.handled.load(Ordering::SeqCst), 12);
        assert_eq!(log.most_running.load(Ordering::SeqCst), 1);
        let status = child.status();
        assert_eq!((status.phase, status.restarts), (Phase::Up, 1));
        let exit = match fault {
            Fault::Error => Exit::Error("failed".into()),
            Fault::Panic => Exit::Panicked("failed".into()),
        };
        assert_eq!(status.last_exit, Some(exit));
    }
}

/// R31: a plain ractor call over which the child crashed is told so.
#[tokio::test(start_paused = true)]
async fn r31_a_plain_call_sees_its_reply_port_dropped() {
    let supervisor = supervise([worker("worker")]).await;
    let actor = supervisor.child::<WorkerMessage>("worker").unwrap().actor();
    let fail = |reply| WorkerMessage::Fail(Fault::Panic, reply);
    let answer = actor.call(fail, None).await.unwrap();
    assert!(matches!(answer, CallResult::SenderError));
}

/// T2: a handle from before a hundred restarts is as good as a new one.
#[tokio::test(start_paused = true)]
async fn r31_a_handle_stays_good_for_a_hundred_restarts() {
    let supervisor = supervise([worker("worker")]).await;
    let child = supervisor.child::<WorkerMessage>("worker").unwrap();
    let actor = child.actor();
    for restarts in 1..=100 {
        let fail = |reply| WorkerMessage::Fail(Fault::Panic, reply);
        assert_eq!(child.ask(fail, SECOND).await, Err(AskError::Crashed));
        let answer = child.ask(WorkerMessage::Incarnation, SECOND).await;
        assert_eq!(answer, Ok(restarts + 1));
        assert_eq!(child.status().restarts, restarts);
    }
    let answer = actor.call(WorkerMessage::Incarnation, None).await.unwrap();
    assert!(matches!(answer, CallResult::Success(101)));
    actor.kill();
    actor.wait(None).await.unwrap();
    let answer = child.ask(WorkerMessage::Incarnation, SECOND).await;
    assert!(
        matches!(answer, Ok(102) | Err(AskError::NotRunning)),
        "{answer:?}"
    );
}

/// T24: a handler that forgets to reply is an error for its caller, not a hang.
#[tokio::test(start_paused = true)]
async fn r31_a_question_that_is_forgotten_is_an_error() {
    let supervisor = supervise([worker("worker")]).await;
    let child = supervisor.child::<WorkerMessage>("worker").unwrap();
    let answer = child.ask(WorkerMessage::Forget, SECOND).await;
    assert_eq!(answer, Err(AskError::Crashed));
    assert_eq!(child.status().restarts, 0);
}

/// R31, R33 (T1): in a storm of crashes only the crashing questions are lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r31_a_crash_storm_loses_only_the_crashing_questions() {
    let log = Log::new();
    let supervisor = supervise([WorkerSpec::new("worker", &log).spec()]).await;
    let child = supervisor.child::<WorkerMessage>("worker").unwrap();
    let callers = (0..8).map(|caller| tokio::spawn(storm(child.clone(), caller)));
    let answered: u64 = join_all(callers)
        .await
        .into_iter()
        .map(Result::unwrap)
        .sum();
    assert_eq!(answered, 8 * (QUESTIONS - CRASHES));
    assert_eq!(log.handled.load(Ordering::SeqCst), 8 * QUESTIONS);
    assert_eq!(log.most_running.load(Ordering::SeqCst), 1);
    assert_eq!(log.incarnations.load(Ordering::SeqCst), 8 * CRASHES + 1);
}

async fn storm(child: Child<WorkerMessage>, caller: u64) -> u64 {
    let mut answered = 0;
    for question in 0..QUESTIONS {
        if question % 7 == 0 {
            let fault = Fault::ALL[usize::from(caller.is_multiple_of(2))];
            let fail = |reply| WorkerMessage::Fail(fault, reply);
            assert_eq!(child.ask(fail, 60 * SECOND).await, Err(AskError::Crashed));
        } else {
            child
                .ask(WorkerMessage::Incarnation, 60 * SECOND)
                .await
                .unwrap();
            answered += 1;
        }
    }
    answered
}

const QUESTIONS: u64 = 140;
const CRASHES: u64 = 20;

/// R31, R32 (T9): what ends the shell itself, and whether another one follows.
#[tokio::test(start_paused = true)]
async fn r31_after_the_end_of_the_actor_itself_the_restart_type_decides() {
    use Restart::{Permanent, Temporary, Transient};
    let table = [
        (End::Stop, Permanent, true),
        (End::Drain, Permanent, true),
        (End::Kill, Permanent, true),
        (End::Stop, Transient, false),
        (End::Drain, Transient, false),
        (End::Kill, Transient, true),
        (End::Kill, Temporary, false),
    ];
    for (end, restart, again) in table {
        let log = Log::new();
        let spec = WorkerSpec::new("worker", &log).spec().restart(restart);
        let supervisor = supervise([spec]).await;
        let child = supervisor.child::<WorkerMessage>("worker").unwrap();
        let mut events = supervisor.events();
        let before = child.actor();
        match end {
            End::Drain => before.drain().unwrap(),
            End::Kill => before.kill(),
            End::Stop => before.stop(None),
        }
        if again {
            until(&mut events, restarted).await;
            assert_ne!(child.actor(), before, "{end:?} {restart:?}");
            assert_eq!(child.ask(WorkerMessage::Incarnation, SECOND).await, Ok(2));
        } else {
            until(&mut events, stopped).await;
            assert_eq!(child.status().phase, Phase::Down, "{end:?} {restart:?}");
            let answer = child.ask(WorkerMessage::Incarnation, SECOND).await;
            assert_eq!(answer, Err(AskError::NotRunning));
        }
        let ran_post_stop = log.read().contains(&"worker 1 stopped".to_owned());
        assert_eq!(ran_post_stop, end != End::Kill, "{end:?}");
        assert_eq!(log.most_running.load(Ordering::SeqCst), 1);
        let exit = child.status().last_exit.unwrap();
        assert_eq!(
            exit == Exit::Killed,
            end == End::Kill,
            "{end:?} is {exit:?}"
        );
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Drain,
    Kill,
    Stop,
}

/// R31: what was queued when it was drained is still answered.
#[tokio::test(start_paused = true)]
async fn r31_a_child_that_is_drained_while_it_backs_off_answers_its_queue_first() {
    let policy = Backoff::fixed(10 * SECOND);
    let spec = worker("worker").backoff(policy).restart(Restart::Transient);
    let supervisor = supervise([spec]).await;
    let mut events = supervisor.events();
    let child = supervisor.child::<WorkerMessage>("worker").unwrap();
    let fail = |reply| WorkerMessage::Fail(Fault::Error, reply);
    child.ask(fail, SECOND).await.unwrap_err();
    until(&mut events, exited).await;
    let drained = async { child.actor().drain().unwrap() };
    let (answer, ()) = tokio::join!(child.ask(WorkerMessage::Incarnation, 60 * SECOND), drained);
    assert_eq!(answer, Ok(2));
    until(&mut events, stopped).await;
    assert_eq!(child.status().last_exit, Some(Exit::Normal));
}

/// R31, R33: killed in `handle`, its state is dropped before the next one starts.
#[tokio::test(start_paused = true)]
async fn r31_a_child_that_is_killed_in_handle_never_overlaps_its_next_incarnation() {
    let log = Log::new();
    let supervisor = supervise([WorkerSpec::new("worker", &log).spec()]).await;
    let child = supervisor.child::<WorkerMessage>("worker").unwrap();
    let mut events = supervisor.events();
    let never = Arc::new(Notify::new());
    let held = child.ask(|reply| WorkerMessage::Hold(never, reply), SECOND);
    held.await.unwrap();
    child.actor().kill();
    until(&mut events, restarted).await;
    assert_eq!(log.most_running.load(Ordering::SeqCst), 1);
    assert_eq!(child.ask(WorkerMessage::Incarnation, SECOND).await, Ok(2));
}

/// R31 (T15): a panic in `post_start` or in a state's drop is one crash more.
#[tokio::test(start_paused = true)]
async fn r31_panics_in_post_start_and_in_drops_are_caught() {
    let log = Log::new();
    let mut worker = WorkerSpec::new("worker", &log);
    worker.panics_in_post_start_of = 2;
    worker.panics_in_drops_of = &[1, 2, 3];
    let supervisor = supervise([worker.spec()]).await;
    let child = supervisor.child::<WorkerMessage>("worker").unwrap();
    let fail = |reply| WorkerMessage::Fail(Fault::Panic, reply);
    child.ask(fail, SECOND).await.unwrap_err();
    assert_eq!(child.ask(WorkerMessage::Incarnation, SECOND).await, Ok(3));
    let report = supervisor.shutdown().await;
    assert_eq!(report.unclean().count(), 0);
    assert_eq!(log.running.load(Ordering::SeqCst), 0);
}

/// R31: the first incarnation's `post_start` is no different.
#[tokio::test(start_paused = true)]
async fn r31_a_first_incarnation_that_fails_in_post_start_is_restarted_in_place() {
    let log = Log::new();
    let mut worker = WorkerSpec::new("worker", &log);
    worker.panics_in_post_start_of = 1;
    let supervisor = supervise([worker.spec()]).await;
    let child = supervisor.child::<WorkerMessage>("worker").unwrap();
    assert_eq!(child.ask(WorkerMessage::Incarnation, SECOND).await, Ok(2));
}

/// R32: questions wait out a backoff, as long as their timeout allows.
#[tokio::test(start_paused = true)]
async fn r32_questions_wait_out_a_backoff() {
    let supervisor = supervise([worker("worker").backoff(Backoff::fixed(10 * SECOND))]).await;
    let child = supervisor.child::<WorkerMessage>("worker").unwrap();
    let began = tokio::time::Instant::now();
    let fail = |reply| WorkerMessage::Fail(Fault::Error, reply);
    child.ask(fail, SECOND).await.unwrap_err();
    let early = child.ask(WorkerMessage::Incarnation, SECOND).await;
    assert_eq!(early, Err(AskError::TimedOut(SECOND)));
    assert_eq!(child.status().phase, Phase::BackingOff);
    assert_eq!(
        child.ask(WorkerMessage::Incarnation, 60 * SECOND).await,
        Ok(2)
    );
    assert!(began.elapsed() >= 10 * SECOND);
}

/// R31: a shell that is killed during a backoff is replaced after it.
#[tokio::test(start_paused = true)]
async fn r31_a_child_that_is_killed_while_it_backs_off_gets_a_new_actor() {
    let supervisor = supervise([worker("worker").backoff(Backoff::fixed(10 * SECOND))]).await;
    let mut events = supervisor.events();
    let child = supervisor.child::<WorkerMessage>("worker").unwrap();
    let before = child.actor();
    let fail = |reply| WorkerMessage::Fail(Fault::Error, reply);
    child.ask(fail, SECOND).await.unwrap_err();
    let killed = async {
        until(&mut events, exited).await;
        before.kill();
    };
    let (answer, ()) = tokio::join!(child.ask(WorkerMessage::Incarnation, 60 * SECOND), killed);
    assert_eq!(answer, Err(AskError::Crashed));
    until(&mut events, restarted).await;
    assert_ne!(child.actor(), before);
    assert_eq!(child.ask(WorkerMessage::Incarnation, SECOND).await, Ok(2));
}

/// R32: a restart that does not come up is tried again, and charged.
#[tokio::test(start_paused = true)]
async fn r32_a_restart_that_hangs_is_given_up_at_its_timeout() {
    let log = Log::new();
    let mut worker = WorkerSpec::new("worker", &log);
    worker.hangs_in_pre_start_from = 2;
    let supervisor = supervise([worker.spec().start_timeout(2 * SECOND)]).await;
    let mut events = supervisor.events();
    let child = supervisor.child::<WorkerMessage>("worker").unwrap();
    let fail = |reply| WorkerMessage::Fail(Fault::Error, reply);
    child.ask(fail, SECOND).await.unwrap_err();
    until(&mut events, exited).await;
    until(&mut events, exited).await;
    let exit = Exit::InitFailed("it did not start within 2s".into());
    assert_eq!(child.status().last_exit, Some(exit));
    assert_eq!(log.most_running.load(Ordering::SeqCst), 1);
}
