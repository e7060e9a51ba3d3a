//! What a breaker promises its callers, with a real owner behind it.

use std::future::{pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use breakerbox::{
    Abandoned, Backoff, Breaker, BreakerBox, BreakerConfig, BreakerMessage, CallError,
    CommandError, Counts, Event, Forced, Outcome, Override, Ramp, Ratio, Reason, RejectReason,
    State, TripPolicy, TripReason, Window,
};
use tokio::sync::oneshot::error::TryRecvError;
use tokio::time::{Instant, advance, sleep, timeout};

/// Opens on the second failure in a row, for 10 s; two probes close it.
const CONFIG: BreakerConfig = BreakerConfig::new()
    .window(Window::unbounded())
    .trip_on(TripPolicy::consecutive_failures(2))
    .open_for(Backoff::fixed(OPEN_FOR))
    .probe_deadline(PROBE_DEADLINE)
    .probes(2);

const OPEN_FOR: Duration = Duration::from_secs(10);
const PROBE_DEADLINE: Duration = Duration::from_secs(3);

type Answer = Result<u8, &'static str>;

async fn breaker(config: BreakerConfig) -> (BreakerBox, Breaker) {
    let breakers = BreakerBox::start("test")
        .await
        .expect("an empty box starts");
    let breaker = breakers
        .breaker("peer", config)
        .await
        .expect("the name is free");
    (breakers, breaker)
}

async fn fail(breaker: &Breaker) {
    let answer = breaker.call(ready(Answer::Err("down"))).await;
    assert_eq!(answer, Err(CallError::Failed("down")));
}

async fn succeed(breaker: &Breaker) {
    assert_eq!(breaker.call(ready(Answer::Ok(1))).await, Ok(1));
}

/// Opens the breaker.
async fn open(breaker: &Breaker) {
    fail(breaker).await;
    fail(breaker).await;
    assert_eq!(breaker.state(), State::Open);
}

/// Opens the breaker and lets its time pass.
async fn half_open(breaker: &Breaker) {
    open(breaker).await;
    advance(OPEN_FOR).await;
    assert_eq!(breaker.snapshot().await.state, State::HalfOpen);
}

fn rejection(breaker: &Breaker) -> Option<RejectReason> {
    breaker
        .try_acquire()
        .err()
        .map(|rejected| rejected.reason())
}

async fn counts(breaker: &Breaker) -> Counts {
    breaker.snapshot().await.counts
}

#[tokio::test(start_paused = true)]
async fn r01_half_open_admits_as_many_probes_as_configured() {
    let (_box, breaker) = breaker(CONFIG).await;
    half_open(&breaker).await;
    let first = breaker.try_acquire().unwrap();
    let second = breaker.try_acquire().unwrap();
    assert_eq!(rejection(&breaker), Some(RejectReason::HalfOpen));
    first.ignore();
    let third = breaker.try_acquire().unwrap();
    drop(second);
    let fourth = breaker.try_acquire().unwrap();
    assert_eq!(rejection(&breaker), Some(RejectReason::HalfOpen));
    third.settle(Outcome::Success).await;
    assert_eq!(breaker.state(), State::HalfOpen);
    fourth.settle(Outcome::Success).await;
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn r02_a_verdict_of_an_older_generation_only_counts_as_late() {
    let (_box, breaker) = breaker(CONFIG).await;
    let straggler = breaker.try_acquire().unwrap();
    let other = breaker.try_acquire().unwrap();
    half_open(&breaker).await;
    straggler.success();
    other.failure().await;
    let snapshot = breaker.snapshot().await;
    assert_eq!((snapshot.state, snapshot.late), (State::HalfOpen, 2));
    assert_eq!(snapshot.counts, Counts::default());
    assert_eq!(
        (snapshot.totals.failures, snapshot.totals.successes),
        (2, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn r03_a_dropped_future_counts_as_configured() {
    let slow = Duration::from_secs(2);
    for (abandoned, ran, failures, ignored) in [
        (Abandoned::Ignored, slow, 0, 1),
        (Abandoned::Failure, Duration::ZERO, 1, 0),
        (
            Abandoned::FailureAfter(slow),
            slow - Duration::from_millis(1),
            0,
            1,
        ),
        (Abandoned::FailureAfter(slow), slow, 1, 0),
    ] {
        let (_box, breaker) = breaker(CONFIG.abandoned(abandoned)).await;
        let call = breaker.call(pending::<Answer>());
        assert!(timeout(ran, call).await.is_err());
        let counts = counts(&breaker).await;
        assert_eq!(
            (counts.failures, counts.ignored),
            (failures, ignored),
            "{abandoned:?} {ran:?}"
        );
    }
}

#[test]
fn r03_a_permit_may_be_dropped_outside_a_runtime_and_after_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (breakers, breaker) = runtime.block_on(breaker(CONFIG));
    drop(breaker.try_acquire().unwrap());
    let _decided_later = breaker.try_acquire_owned().unwrap().failure();
    assert_eq!(runtime.block_on(counts(&breaker)).failures, 1);
    let orphan = breaker.try_acquire_owned().unwrap();
    drop(breakers);
    drop(runtime);
    drop(orphan);
    drop(breaker.try_acquire());
}

#[tokio::test(start_paused = true)]
async fn r04_the_call_that_is_one_too_many_in_flight_opens_and_is_admitted() {
    let (_box, breaker) = breaker(CONFIG.trip_on(TripPolicy::in_flight(3))).await;
    for _ in 0..10 {
        let (one, other) = (
            breaker.try_acquire().unwrap(),
            breaker.try_acquire().unwrap(),
        );
        one.success();
        drop(other);
    }
    let calls: Vec<_> = (0..3).map(|_| breaker.try_acquire().unwrap()).collect();
    assert_eq!(rejection(&breaker), Some(RejectReason::Open));
    let reason = breaker.snapshot().await.last_transition.unwrap().reason;
    assert_eq!(reason, Reason::Tripped(TripReason::InFlight));
    assert_eq!(rejection(&breaker), Some(RejectReason::Open));
    drop(calls);
    assert_eq!(breaker.snapshot().await.late, 3);
}

#[tokio::test(start_paused = true)]
async fn r05_a_failed_probe_opens_again_and_successful_ones_close() {
    let (_box, breaker) = breaker(CONFIG).await;
    half_open(&breaker).await;
    fail(&breaker).await;
    assert_eq!(breaker.state(), State::Open);
    advance(OPEN_FOR).await;
    assert_eq!(breaker.snapshot().await.state, State::HalfOpen);
    succeed(&breaker).await;
    succeed(&breaker).await;
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn r06_a_probe_that_hangs_counts_as_a_failure_at_its_deadline() {
    let (_box, breaker) = breaker(CONFIG).await;
    half_open(&breaker).await;
    let mut events = breaker.events();
    let admitted = Instant::now();
    let hung = breaker.try_acquire().unwrap();
    let Some(Event::Changed { transition, .. }) = events.next().await else {
        panic!("the deadline changes the state")
    };
    assert_eq!(
        (transition.to, transition.reason),
        (State::Open, Reason::ProbeOverdue)
    );
    assert_eq!(transition.at, (admitted + PROBE_DEADLINE).into_std());
    hung.success();
    assert_eq!(breaker.snapshot().await.late, 1);
}

#[tokio::test(start_paused = true)]
async fn r07_an_open_breaker_turns_half_open_on_time_without_traffic() {
    let (_box, breaker) = breaker(CONFIG).await;
    let mut events = breaker.events();
    open(&breaker).await;
    let opened = Instant::now();
    let Some(Event::Changed { transition, .. }) = events.next().await else {
        panic!()
    };
    assert_eq!(
        transition.reason,
        Reason::Tripped(TripReason::ConsecutiveFailures)
    );
    let Some(Event::Changed { transition, .. }) = events.next().await else {
        panic!()
    };
    assert_eq!(
        (transition.to, transition.at),
        (State::HalfOpen, (opened + OPEN_FOR).into_std())
    );
    assert_eq!(breaker.state(), State::HalfOpen);
}

#[tokio::test(start_paused = true)]
async fn r08_a_rejection_says_why_and_when_to_come_back() {
    let (_box, breaker) = breaker(CONFIG).await;
    fail(&breaker).await;
    breaker
        .try_acquire()
        .unwrap()
        .failure_after(2 * OPEN_FOR)
        .await;
    advance(OPEN_FOR).await;
    let rejected = breaker.try_acquire().unwrap_err();
    assert_eq!(rejected.reason(), RejectReason::Open);
    assert_eq!(rejected.retry_after(), Some(OPEN_FOR));
    assert_eq!(rejected.to_string(), "the breaker is open");
}

#[tokio::test(start_paused = true)]
async fn r09_a_fixed_window_begins_with_the_first_call_after_the_last_one() {
    let window = Duration::from_secs(4);
    let (_box, breaker) = breaker(CONFIG.window(Window::fixed(window))).await;
    fail(&breaker).await;
    advance(window + window / 4).await;
    assert_eq!(counts(&breaker).await, Counts::default());
    let first = breaker.try_acquire().unwrap();
    advance(window / 2).await;
    first.failure().await;
    advance(window / 4).await;
    assert_eq!(counts(&breaker).await.failures, 1);
    advance(window / 4).await;
    assert_eq!(counts(&breaker).await.failures, 0);
}

#[tokio::test(start_paused = true)]
async fn r09_a_fixed_window_begins_with_a_success_of_a_call_of_before() {
    let window = Duration::from_secs(4);
    let (_box, breaker) = breaker(CONFIG.window(Window::fixed(window))).await;
    let straggler = breaker.try_acquire().unwrap();
    // Past the second look of an owner that falls asleep.
    advance(window).await;
    assert_eq!(counts(&breaker).await, Counts::default());
    advance(window / 4).await;
    assert_eq!(counts(&breaker).await, Counts::default());
    straggler.success();
    tokio::task::yield_now().await;
    advance(window / 2).await;
    assert_eq!(counts(&breaker).await.successes, 1);
    advance(window / 2).await;
    assert_eq!(counts(&breaker).await.successes, 0);
}

#[tokio::test(start_paused = true)]
async fn r10_a_success_that_the_owner_heard_of_counts_in_a_row_with_those_that_it_did_not() {
    let rolling = Window::rolling(2 * OPEN_FOR, 2);
    let (_box, breaker) = breaker(CONFIG.window(rolling)).await;
    for in_a_row in 1..=3 {
        // The first one wakes the owner.
        succeed(&breaker).await;
        assert_eq!(counts(&breaker).await.consecutive_successes, in_a_row);
    }
    breaker.try_acquire().unwrap().ignore();
    assert_eq!(counts(&breaker).await.consecutive_successes, 3);
    fail(&breaker).await;
    succeed(&breaker).await;
    let counts = counts(&breaker).await;
    assert_eq!((counts.successes, counts.consecutive_successes), (4, 1));
}

#[tokio::test(start_paused = true)]
async fn r10_a_run_of_any_length_is_counted() {
    let all = TripPolicy::failure_rate(Ratio::percent(100), 1);
    let (_box, breaker) = breaker(CONFIG.trip_on(all)).await;
    succeed(&breaker).await;
    for length in [400_000, 600_000] {
        for _ in 0..length {
            fail(&breaker).await;
        }
        assert_eq!(counts(&breaker).await.consecutive_failures, length);
        succeed(&breaker).await;
    }
    assert_eq!(counts(&breaker).await.consecutive_failures, 0);
}

#[tokio::test(start_paused = true)]
async fn r12_a_panic_is_a_failure_and_goes_on() {
    let (_box, breaker) = breaker(CONFIG).await;
    let victim = breaker.clone();
    let call = async move { victim.call(async { panic!("on fire") as Answer }).await };
    let panic = tokio::spawn(call).await.unwrap_err().into_panic();
    assert_eq!(panic.downcast_ref(), Some(&"on fire"));
    assert_eq!(counts(&breaker).await.failures, 1);
}

#[tokio::test(start_paused = true)]
async fn r12_a_rejected_call_is_never_polled() {
    let (_box, breaker) = breaker(CONFIG).await;
    open(&breaker).await;
    let call = breaker.call(async { panic!("polled") as Answer });
    assert!(matches!(call.await, Err(CallError::Rejected(_))));
    let run = breaker.run(|| panic!("run") as Answer);
    assert!(matches!(run, Err(CallError::Rejected(_))));
}

#[tokio::test(start_paused = true)]
async fn r12_a_classifier_judges_but_does_not_change_the_answer() {
    let (_box, breaker) = breaker(CONFIG).await;
    for (verdict, failures, ignored, successes) in [
        (Outcome::Success, 0, 0, 1),
        (Outcome::Ignored, 0, 1, 1),
        (Outcome::failure(), 1, 1, 1),
    ] {
        let answer = breaker
            .call_with(|_| verdict, ready(Answer::Err("not found")))
            .await;
        assert_eq!(answer, Err(CallError::Failed("not found")));
        let counts = counts(&breaker).await;
        assert_eq!(
            (counts.failures, counts.ignored, counts.successes),
            (failures, ignored, successes)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn r12_a_panic_is_a_failure_before_the_call_is_dropped() {
    let (_box, breaker) = breaker(CONFIG).await;
    let mut call = pin!(breaker.call(async { panic!("on fire") as Answer }));
    let mut context = Context::from_waker(Waker::noop());
    let poll = || call.as_mut().poll(&mut context).is_ready();
    assert!(catch_unwind(AssertUnwindSafe(poll)).is_err());
    assert_eq!(counts(&breaker).await.failures, 1);
}

#[tokio::test(start_paused = true)]
async fn r12_a_call_that_is_polled_after_its_end_judges_nothing() {
    let (_box, breaker) = breaker(CONFIG).await;
    let mut call = pin!(breaker.call(ready(Answer::Ok(1))));
    assert_eq!(call.as_mut().await, Ok(1));
    let mut context = Context::from_waker(Waker::noop());
    let poll = || call.as_mut().poll(&mut context).is_ready();
    assert!(catch_unwind(AssertUnwindSafe(poll)).is_err());
    let counts = counts(&breaker).await;
    assert_eq!((counts.failures, counts.successes), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn r12_a_call_takes_little_more_room_than_what_it_waits_for() {
    let (_box, breaker) = breaker(CONFIG).await;
    let large = [0_u8; 4_096];
    let future = async move {
        tokio::task::yield_now().await;
        Answer::Ok(large[0])
    };
    let size = size_of_val(&future);
    let call = breaker.call(future);
    assert!(size_of_val(&call) < size + 256, "{}", size_of_val(&call));
    assert_eq!(call.await, Ok(0));
}

#[tokio::test(start_paused = true)]
async fn r14_a_call_that_keeps_its_thread_to_itself_times_out_all_the_same() {
    let limit = Duration::from_secs(1);
    let (_box, breaker) = breaker(CONFIG.call_timeout(limit)).await;
    let call = breaker.call(async {
        advance(limit).await;
        loop {
            tokio::task::consume_budget().await;
        }
        #[expect(unreachable_code, reason = "it says what the call would return")]
        Answer::Ok(1)
    });
    assert_eq!(call.await, Err(CallError::TimedOut(limit)));
}

#[tokio::test(start_paused = true)]
async fn r14_a_call_that_times_out_is_a_failure_and_its_future_is_dropped() {
    let limit = Duration::from_secs(1);
    let (_box, breaker) = breaker(CONFIG.call_timeout(limit)).await;
    let (alive, mut dropped) = tokio::sync::oneshot::channel::<()>();
    let call = async move {
        let _alive = alive;
        pending::<Answer>().await
    };
    let mut call = pin!(breaker.call(call));
    assert_eq!(call.as_mut().await, Err(CallError::TimedOut(limit)));
    assert_eq!(
        dropped.try_recv(),
        Err(TryRecvError::Closed),
        "the call is not"
    );
    assert_eq!(counts(&breaker).await.failures, 1);
    succeed(&breaker).await;
}

#[tokio::test(start_paused = true)]
async fn r14_slow_calls_open_where_the_policy_watches_them() {
    let slow = Duration::from_secs(1);
    let watching = CONFIG
        .slow_after(slow)
        .trip_on(TripPolicy::slow_rate(Ratio::percent(50), 4));
    let (_box, breaker) = breaker(watching).await;
    let call = |span| {
        breaker.call(async move {
            advance(span).await;
            Answer::Ok(1)
        })
    };
    call(slow - Duration::from_millis(1)).await.unwrap();
    call(slow).await.unwrap();
    call(Duration::ZERO).await.unwrap();
    assert_eq!(counts(&breaker).await.slow, 1);
    assert_eq!(breaker.state(), State::Closed);
    call(2 * slow).await.unwrap();
    assert_eq!(breaker.state(), State::Open, "half of four calls were slow");
}

#[tokio::test(start_paused = true)]
async fn r15_after_closing_admission_grows_from_a_share_to_all() {
    let span = Duration::from_secs(20);
    let (_box, breaker) = breaker(CONFIG.ramp(Ramp::linear(Ratio::percent(50), span))).await;
    half_open(&breaker).await;
    succeed(&breaker).await;
    succeed(&breaker).await;
    let withheld = || {
        (0..1_000)
            .filter(|_| rejection(&breaker) == Some(RejectReason::Ramp))
            .count()
    };
    let half = withheld();
    assert!(
        (400..600).contains(&half),
        "{half} of 1 000 at half of the load"
    );
    advance(span / 2).await;
    breaker.snapshot().await;
    let quarter = withheld();
    assert!(
        (150..350).contains(&quarter),
        "{quarter} of 1 000 halfway up"
    );
    advance(span / 2).await;
    breaker.snapshot().await;
    assert_eq!(withheld(), 0);
}

#[tokio::test(start_paused = true)]
async fn r16_an_override_rules_until_it_expires_and_the_machine_goes_on_beneath() {
    let (_box, breaker) = breaker(CONFIG).await;
    let shadow = Override::forced_closed("trying it out").expires_after(2 * OPEN_FOR);
    breaker.force(shadow).await.unwrap();
    let mut events = breaker.events();
    open(&breaker).await;
    let Some(Event::Changed { transition, .. }) = events.next().await else {
        panic!()
    };
    assert_eq!(transition.overridden_by, Some(Forced::Closed));
    assert_eq!(rejection(&breaker), None);
    breaker
        .force(Override::forced_open("maintenance"))
        .await
        .unwrap();
    assert_eq!(rejection(&breaker), Some(RejectReason::ForcedOpen));
    breaker.release().await.unwrap();
    assert_eq!(rejection(&breaker), Some(RejectReason::Open));
}

#[tokio::test(start_paused = true)]
async fn r16_an_override_survives_a_crash_and_expires_on_time() {
    let (_box, breaker) = breaker(CONFIG).await;
    breaker
        .force(Override::forced_open("drill").expires_after(OPEN_FOR))
        .await
        .unwrap();
    crash(&breaker).await;
    assert_eq!(rejection(&breaker), Some(RejectReason::ForcedOpen));
    assert_eq!(
        breaker.try_acquire().unwrap_err().retry_after(),
        Some(OPEN_FOR)
    );
    advance(OPEN_FOR).await;
    assert!(breaker.snapshot().await.overriding.is_none());
    assert_eq!(rejection(&breaker), None);
}

#[tokio::test(start_paused = true)]
async fn r16_the_end_of_an_override_is_told_once_also_by_expiry() {
    let (_box, breaker) = breaker(CONFIG).await;
    let mut events = breaker.events();
    let drill = || Override::forced_open("drill").expires_after(OPEN_FOR);
    breaker.force(drill()).await.unwrap();
    advance(OPEN_FOR).await;
    breaker.force(drill()).await.unwrap();
    breaker.release().await.unwrap();
    for is_begin in [true, false, true, false] {
        let Some(Event::Overridden { word, .. }) = events.next().await else {
            panic!()
        };
        assert_eq!(word.is_some(), is_begin);
    }
    let more = timeout(OPEN_FOR * 2, events.next()).await;
    assert!(more.is_err(), "{more:?}");
}

#[tokio::test(start_paused = true)]
async fn r17_reconfiguring_keeps_state_permits_and_counts() {
    let (_box, breaker) = breaker(CONFIG).await;
    fail(&breaker).await;
    let permit = breaker.try_acquire().unwrap();
    let patient = CONFIG.trip_on(TripPolicy::consecutive_failures(3));
    breaker.reconfigure(patient).await.unwrap();
    permit.failure().await;
    assert_eq!(breaker.state(), State::Closed);
    fail(&breaker).await;
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.snapshot().await.config, patient);
}

#[tokio::test(start_paused = true)]
async fn r17_a_contradiction_is_refused_and_the_old_configuration_stays() {
    let (_box, breaker) = breaker(CONFIG).await;
    let never = CONFIG.window(Window::last(1));
    let Err(CommandError::Config(error)) = breaker.reconfigure(never).await else {
        panic!()
    };
    assert_eq!(error.key(), "trip.consecutive_failures");
    assert_eq!(breaker.snapshot().await.config, CONFIG);
}

#[tokio::test(start_paused = true)]
async fn r18_events_come_in_order_and_a_slow_listener_is_told_what_it_missed() {
    let (_box, breaker) = breaker(CONFIG).await;
    let (mut prompt, mut slow) = (breaker.events(), breaker.events());
    let mut last = 0;
    for _ in 0..2_000 {
        breaker.reset().await.unwrap();
        let Some(Event::Changed { transition, .. }) = prompt.next().await else {
            panic!()
        };
        assert_eq!(transition.sequence, last + 1);
        last = transition.sequence;
    }
    let Some(Event::Missed { events: missed }) = slow.next().await else {
        panic!()
    };
    let Some(Event::Changed { transition, .. }) = slow.next().await else {
        panic!()
    };
    assert_eq!(transition.sequence, missed + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r20_who_has_seen_a_call_return_sees_its_effect() {
    for _ in 0..200 {
        let (_box, breaker) = breaker(CONFIG.trip_on(TripPolicy::consecutive_failures(1))).await;
        fail(&breaker).await;
        let elsewhere = breaker.clone();
        let seen = tokio::task::spawn_blocking(move || rejection(&elsewhere));
        assert_eq!(seen.await.unwrap(), Some(RejectReason::Open));
    }
}

#[tokio::test(start_paused = true)]
async fn r23_whoever_waits_for_a_custom_policy_is_answered_when_another_failure_has_opened() {
    let (_box, breaker) = breaker(CONFIG.trip_on(TripPolicy::custom(|_| true))).await;
    let permits = [(); 3].map(|()| breaker.try_acquire().unwrap());
    // The first one opens, so the policy is not asked about the others.
    for decision in permits.map(breakerbox::Permit::failure) {
        let answered = timeout(OPEN_FOR / 2, decision).await;
        assert!(answered.is_ok(), "nobody will answer before the deadline");
    }
    assert_eq!(breaker.state(), State::Open);
}

/// Kills the owner and waits for the next one.
async fn crash(breaker: &Breaker) {
    let incarnation = breaker.snapshot().await.incarnation;
    breaker.actor().kill();
    while breaker.snapshot().await.incarnation == incarnation {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn r21_an_owner_killed_in_closed_keeps_its_counts_and_permits() {
    let (_box, breaker) = breaker(CONFIG).await;
    fail(&breaker).await;
    let permit = breaker.try_acquire().unwrap();
    crash(&breaker).await;
    assert_eq!(counts(&breaker).await.failures, 1);
    permit.failure().await;
    assert_eq!(breaker.state(), State::Open);
}

/// T22.
#[tokio::test(start_paused = true)]
async fn r21_an_owner_killed_in_open_turns_half_open_at_the_same_instant() {
    let (_box, breaker) = breaker(CONFIG).await;
    open(&breaker).await;
    let opened = Instant::now();
    advance(OPEN_FOR / 2).await;
    crash(&breaker).await;
    assert_eq!(rejection(&breaker), Some(RejectReason::Open));
    let mut events = breaker.events();
    let Some(Event::Changed { transition, .. }) = events.next().await else {
        panic!()
    };
    assert_eq!(
        (transition.to, transition.at),
        (State::HalfOpen, (opened + OPEN_FOR).into_std())
    );
}

/// T23.
#[tokio::test(start_paused = true)]
async fn r21_an_owner_killed_in_half_open_keeps_its_places_and_deadlines() {
    let (_box, breaker) = breaker(CONFIG).await;
    half_open(&breaker).await;
    let _hung = breaker.try_acquire().unwrap();
    advance(PROBE_DEADLINE / 2).await;
    crash(&breaker).await;
    succeed(&breaker).await;
    assert_eq!(rejection(&breaker), Some(RejectReason::HalfOpen));
    advance(PROBE_DEADLINE / 2).await;
    let reason = breaker.snapshot().await.last_transition.unwrap().reason;
    assert_eq!(
        (breaker.state(), reason),
        (State::Open, Reason::ProbeOverdue)
    );
}

#[tokio::test(start_paused = true)]
async fn r21_reports_made_while_no_owner_lives_count_once() {
    let (_box, breaker) = breaker(CONFIG.trip_on(TripPolicy::consecutive_failures(100))).await;
    for round in 1..=20 {
        breaker.actor().kill();
        let decision = breaker.try_acquire().unwrap().failure();
        decision.await;
        assert_eq!(counts(&breaker).await.failures, round);
        // Out of the way of the limit on restarts, which is not the point here.
        advance(Duration::from_secs(60)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn r21_a_policy_that_panics_counts_its_failure_and_is_not_asked_about_it_again() {
    let touchy = TripPolicy::custom(|counts| {
        assert_ne!(counts.failures, 2, "I cannot count to two");
        counts.failures > 2
    });
    let (_box, breaker) = breaker(CONFIG.trip_on(touchy)).await;
    let actor = breaker.actor();
    fail(&breaker).await;
    fail(&breaker).await;
    let snapshot = breaker.snapshot().await;
    assert_eq!(
        (snapshot.state, snapshot.counts.failures),
        (State::Closed, 2)
    );
    assert_eq!(snapshot.incarnation, 2);
    assert_eq!(
        actor.get_id(),
        breaker.actor().get_id(),
        "it was restarted in place"
    );
    fail(&breaker).await;
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn r21_an_owner_that_keeps_crashing_leaves_its_callers_with_what_is_configured() {
    let hopeless = TripPolicy::custom(|_| panic!("never"));
    for (choice, reason) in [
        (breakerbox::Orphaned::Admit, None),
        (breakerbox::Orphaned::Reject, Some(RejectReason::Orphaned)),
    ] {
        let (_box, breaker) = breaker(CONFIG.trip_on(hopeless).orphaned(choice)).await;
        let mut events = breaker.events();
        let orphaned = async {
            loop {
                if let Some(Event::Orphaned { choice, .. }) = events.next().await {
                    break choice;
                }
            }
        };
        let calls = async {
            loop {
                fail_or_be_rejected(&breaker).await;
            }
        };
        let told = tokio::select! {
            told = orphaned => told,
            () = calls => unreachable!("it calls for ever"),
        };
        assert_eq!((told, rejection(&breaker)), (choice, reason));
        assert_eq!(breaker.reset().await, Err(CommandError::Stopped));
        breaker.snapshot().await;
    }
}

async fn fail_or_be_rejected(breaker: &Breaker) {
    let _either = breaker.call(ready(Answer::Err("down"))).await;
    // A rejection is immediate, and this loop shares its thread with the owner.
    tokio::task::yield_now().await;
}

#[tokio::test]
async fn r22_reports_that_nobody_awaits_share_one_message() {
    let (_box, breaker) = breaker(CONFIG.trip_on(TripPolicy::consecutive_failures(5_000))).await;
    for _ in 0..1_000 {
        breaker.try_acquire().unwrap().success();
        let _not_awaited = breaker.try_acquire().unwrap().failure();
    }
    assert_eq!(counts(&breaker).await.judged(), 2_000);
}

#[tokio::test(start_paused = true)]
async fn r40_a_breaker_that_outlives_its_box_follows_its_orphaned_choice() {
    let (breakers, breaker) = breaker(CONFIG.orphaned(breakerbox::Orphaned::Reject)).await;
    let permit = breaker.try_acquire_owned().unwrap();
    breakers.shutdown().await;
    assert_eq!(rejection(&breaker), Some(RejectReason::Orphaned));
    permit.failure().await;
    assert_eq!(breaker.snapshot().await.state, State::Closed);
}

#[tokio::test(start_paused = true)]
async fn other_actors_can_take_part_by_message() {
    let (_box, breaker) = breaker(CONFIG).await;
    let actor = breaker.actor();
    for _ in 0..2 {
        let permit = ractor::call!(actor, BreakerMessage::Acquire)
            .unwrap()
            .unwrap();
        actor
            .cast(BreakerMessage::Settle(permit, Outcome::failure()))
            .unwrap();
    }
    let snapshot = ractor::call!(actor, BreakerMessage::Inspect).unwrap();
    assert_eq!((snapshot.state, snapshot.counts.failures), (State::Open, 2));
    assert!(
        ractor::call!(actor, BreakerMessage::Acquire)
            .unwrap()
            .is_err()
    );
    ractor::call!(actor, BreakerMessage::Reset).unwrap();
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn r20_who_has_seen_the_call_return_that_was_one_too_many_in_flight_is_rejected() {
    let (_box, breaker) = breaker(CONFIG.trip_on(TripPolicy::in_flight(2))).await;
    let _first = breaker.try_acquire().unwrap();
    succeed(&breaker).await;
    assert_eq!(rejection(&breaker), Some(RejectReason::Open));
}

/// R20: a success that the owner reads before the run that it ends still ends it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r20_five_failures_and_a_success_are_never_six_in_a_row() {
    let breakers = BreakerBox::start("test").await.unwrap();
    let config = BreakerConfig::gobreaker();
    for round in 0..20 {
        let breaker = breakers.breaker(round.to_string(), config).await.unwrap();
        for call in 0..30_000 {
            let permit = breaker.try_acquire().expect("it is Closed");
            if call % 6 < 5 {
                drop(permit.failure());
            } else {
                permit.success();
            }
        }
    }
}

/// T3, T4: who has stopped waiting takes no place, and is no call.
#[tokio::test(start_paused = true)]
async fn r01_a_permit_that_nobody_waits_for_is_not_given_out() {
    let (_box, breaker) = breaker(CONFIG).await;
    let actor = breaker.actor();
    let (sender, receiver) = ractor::concurrency::oneshot();
    drop(receiver);
    let port = ractor::RpcReplyPort::from(sender);
    actor.cast(BreakerMessage::Acquire(port)).unwrap();
    assert_eq!(counts(&breaker).await.ignored, 0);
    let answer = actor.call(BreakerMessage::Acquire, None).await.unwrap();
    drop(answer);
    assert_eq!(
        counts(&breaker).await.ignored,
        1,
        "one that was given is abandoned"
    );
}

#[tokio::test(start_paused = true)]
async fn r03_a_streamed_answer_is_judged_at_its_end() {
    let (_breakers, breaker) = breaker(CONFIG).await;
    for _ in 0..2 {
        let begun = breaker.call_streaming(|_| None, ready(Ok::<_, ()>("head")));
        let (head, permit) = begun.await.unwrap();
        assert_eq!(head, "head");
        permit.unwrap().failure().await;
    }
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn r03_a_streamed_call_that_fails_at_once_has_no_permit_left() {
    let (_breakers, breaker) = breaker(CONFIG).await;
    let failed = breaker.call_streaming(|_| None, ready(Err::<(), _>("refused")));
    assert_eq!(failed.await.unwrap_err(), CallError::Failed("refused"));
    let complete = breaker.call_streaming(|_| Some(Outcome::Success), ready(Ok::<_, ()>(())));
    assert!(complete.await.unwrap().1.is_none());
    let counts = counts(&breaker).await;
    assert_eq!((counts.failures, counts.successes), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn r06_a_probe_whose_answer_goes_on_has_succeeded_halfway_to_its_deadline() {
    let (_breakers, breaker) = breaker(CONFIG).await;
    half_open(&breaker).await;
    let probe = async || {
        let begun = breaker.call_streaming(|_| None, ready(Ok::<_, ()>("head")));
        begun.await.unwrap().1.unwrap()
    };
    let streams = [probe().await, probe().await];
    // And a little longer, in which whoever watches the time has a turn.
    sleep(PROBE_DEADLINE / 2 + Duration::from_millis(1)).await;
    assert_eq!(breaker.state(), State::Closed);
    for stream in streams {
        stream.failure().await;
    }
    assert_eq!(breaker.state(), State::Closed, "each is judged once");
}

#[tokio::test(start_paused = true)]
async fn r06_a_probe_whose_answer_breaks_before_that_has_failed() {
    let (_breakers, breaker) = breaker(CONFIG).await;
    half_open(&breaker).await;
    let begun = breaker.call_streaming(|_| None, ready(Ok::<_, ()>("head")));
    let (_, stream) = begun.await.unwrap();
    advance(PROBE_DEADLINE / 3).await;
    stream.unwrap().failure().await;
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn r06_a_probe_whose_answer_begins_late_is_judged_by_that() {
    let (_breakers, breaker) = breaker(CONFIG.probes(1)).await;
    half_open(&breaker).await;
    let head = async {
        sleep(PROBE_DEADLINE * 2 / 3).await;
        Ok::<_, ()>("head")
    };
    let stream = breaker.call_streaming(|_| None, head).await.unwrap();
    sleep(Duration::from_millis(1)).await;
    assert_eq!(breaker.state(), State::Closed);
    drop(stream);
}

#[tokio::test(start_paused = true)]
async fn r03_a_streaming_probe_that_is_dropped_gives_its_place_back() {
    let (_breakers, breaker) = breaker(CONFIG.probes(1)).await;
    half_open(&breaker).await;
    let begun = breaker.call_streaming(|_| None, ready(Ok::<_, ()>("head")));
    let stream = begun.await.unwrap();
    assert_eq!(rejection(&breaker), Some(RejectReason::HalfOpen));
    drop(stream);
    assert_eq!(rejection(&breaker), None);
    advance(PROBE_DEADLINE).await;
    assert_eq!(breaker.snapshot().await.state, State::HalfOpen);
}

#[tokio::test(start_paused = true)]
async fn r03_a_streamed_answer_that_is_dropped_is_judged_by_its_beginning() {
    let limit = Abandoned::FailureAfter(Duration::from_secs(1));
    let (_breakers, breaker) = breaker(CONFIG.abandoned(limit)).await;
    for (begins_after, expected) in [(0, (1, 0)), (2, (1, 1))] {
        let head = async {
            sleep(Duration::from_secs(begins_after)).await;
            Ok::<_, ()>("head")
        };
        let stream = breaker.call_streaming(|_| None, head).await.unwrap();
        sleep(Duration::from_secs(60)).await;
        drop(stream);
        let totals = breaker.snapshot().await.totals;
        assert_eq!((totals.ignored, totals.failures), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn r14_a_streamed_answer_is_as_slow_as_its_beginning() {
    let slow = TripPolicy::slow_rate(Ratio::percent(50), 2);
    let config = CONFIG.trip_on(slow).slow_after(Duration::from_secs(1));
    let (_breakers, breaker) = breaker(config).await;
    for begins_after in [0, 2] {
        let head = async {
            sleep(Duration::from_secs(begins_after)).await;
            Ok::<_, ()>("head")
        };
        let (_, stream) = breaker.call_streaming(|_| None, head).await.unwrap();
        sleep(Duration::from_secs(60)).await;
        stream.unwrap().success();
    }
    let counts = counts(&breaker).await;
    assert_eq!((counts.successes, counts.slow), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn r07_who_waits_for_a_breaker_is_woken_when_it_turns_half_open() {
    let (_breakers, breaker) = breaker(CONFIG).await;
    breaker.ready().await;
    assert_eq!(breaker.rejection(), None);
    open(&breaker).await;
    let rejected = breaker.rejection().unwrap();
    assert_eq!(rejected.reason(), RejectReason::Open);
    let before = Instant::now();
    breaker.ready().await;
    assert_eq!(before.elapsed(), OPEN_FOR);
    assert_eq!(breaker.state(), State::HalfOpen);
    assert_eq!(breaker.rejection(), None);
}

#[tokio::test(start_paused = true)]
async fn r16_who_waits_for_a_breaker_is_woken_when_the_operator_lets_go() {
    let (_breakers, breaker) = breaker(CONFIG).await;
    let word = Override::forced_open("maintenance");
    breaker.force(word).await.unwrap();
    let waiting = tokio::spawn({
        let breaker = breaker.clone();
        async move { breaker.ready().await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    breaker.release().await.unwrap();
    waiting.await.unwrap();
}
