//! What holds for those who talk to a breaker's actor in messages, and for a breaker
//! whose actor is gone.

#![cfg(test)]

use std::time::Duration;

use breakerbox::{
    Abandoned, Backoff, Breaker, BreakerBox, BreakerConfig, BreakerMessage, Event, Forced,
    Orphaned, Outcome, Override, Permit, RejectReason, Rejected, State, TripPolicy, Window,
};
use ractor::RpcReplyPort;
use tokio::runtime::Builder;
use tokio::time::advance;
use tokio_test::{assert_pending, task};

/// Opens on the second failure in a row, for 10 s, and closes after one probe.
const CONFIG: BreakerConfig = BreakerConfig::new()
    .window(Window::unbounded())
    .trip_on(TripPolicy::consecutive_failures(2))
    .open_for(Backoff::fixed(OPEN_FOR))
    .probes(1);

const OPEN_FOR: Duration = Duration::from_secs(10);

async fn breaker(config: BreakerConfig) -> (BreakerBox, Breaker) {
    let breakers = BreakerBox::start("test").await.unwrap();
    let breaker = breakers.breaker("peer", config).await.unwrap();
    (breakers, breaker)
}

async fn failures_and_ignored(breaker: &Breaker) -> (u64, u64) {
    let counts = breaker.snapshot().await.counts;
    (counts.failures, counts.ignored)
}

/// On one thread, so that the owner handles nothing before the test awaits something.
#[tokio::test(start_paused = true)]
async fn r21_a_verdict_that_is_in_the_mailbox_of_a_killed_owner_counts() {
    for (outcome, expected) in [
        (Outcome::failure(), (1, 0)),
        (Outcome::Ignored, (0, 1)),
        (Outcome::Success, (0, 0)),
    ] {
        let (_box, breaker) = breaker(CONFIG).await;
        let actor = breaker.actor();
        let permit = breaker.try_acquire_owned().unwrap();
        actor.cast(BreakerMessage::Settle(permit, outcome)).unwrap();
        actor.kill();
        assert_eq!(failures_and_ignored(&breaker).await, (0, 0), "not yet");
        actor.wait(None).await.unwrap();
        let counted = failures_and_ignored(&breaker).await;
        assert_eq!(counted, expected, "{outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn r21_a_verdict_counts_also_where_the_policy_panics_over_it() {
    let panics = TripPolicy::custom(|counts| panic!("after {counts:?}"));
    let (_box, breaker) = breaker(CONFIG.trip_on(panics)).await;
    let permit = breaker.try_acquire_owned().unwrap();
    let message = BreakerMessage::Settle(permit, Outcome::failure());
    breaker.actor().cast(message).unwrap();
    while breaker.snapshot().await.incarnation == 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(failures_and_ignored(&breaker).await, (1, 0));
}

#[tokio::test(start_paused = true)]
async fn r03_a_permit_that_does_not_reach_who_asked_judges_nothing() {
    for choice in [
        Abandoned::Failure,
        Abandoned::FailureAfter(Duration::ZERO),
        Abandoned::Ignored,
    ] {
        let (_box, breaker) = breaker(CONFIG.abandoned(choice)).await;
        let (sender, receiver) = ractor::concurrency::oneshot();
        let message = BreakerMessage::Acquire(RpcReplyPort::from(sender));
        let actor = breaker.actor();
        actor.cast(message).unwrap();
        // The reply has been sent when a later question has its answer.
        drop(actor.call(BreakerMessage::Inspect, None).await.unwrap());
        assert!(!receiver.is_empty(), "its permit is there");
        drop(receiver);
        assert_eq!(failures_and_ignored(&breaker).await, (0, 1), "{choice:?}");
    }
}

/// Nobody looks between the end of the first override and the second one.
#[tokio::test(start_paused = true)]
async fn r16_overrides_are_told_in_the_order_in_which_they_began_and_ended() {
    let (_box, breaker) = breaker(CONFIG).await;
    let mut events = breaker.events();
    let brief = Override::forced_open("first").expires_after(OPEN_FOR);
    breaker.force(brief).await.unwrap();
    advance(2 * OPEN_FOR).await;
    breaker
        .force(Override::forced_closed("second"))
        .await
        .unwrap();
    let mut told = Vec::new();
    while told.len() < 3 {
        if let Some(Event::Overridden { word, .. }) = events.next().await {
            told.push(word.map(|word| word.reason().to_owned()));
        }
    }
    assert_eq!(told, [Some("first".into()), None, Some("second".into())]);
}

#[test]
fn r16_an_override_ends_though_its_owner_is_never_polled() {
    let undriven = Builder::new_current_thread().enable_all().build().unwrap();
    let (_box, breaker) = undriven.block_on(breaker(CONFIG));
    let mut callers = Builder::new_current_thread();
    let callers = callers.enable_all().start_paused(true).build().unwrap();
    let brief = Override::forced_open("test").expires_after(OPEN_FOR);
    undriven.block_on(breaker.force(brief)).unwrap();
    assert_eq!(
        Next::of(breaker.try_acquire()),
        Next::Rejects(RejectReason::ForcedOpen)
    );
    callers.block_on(async {
        // Their clock stands still since before the override began.
        advance(2 * OPEN_FOR).await;
        assert_eq!(Next::of(breaker.try_acquire()), Next::Admits);
        assert_eq!(breaker.snapshot().await.overriding, None);
        assert_eq!(breaker.rejection(), None);
    });
}

/// What a breaker does with the next call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Next {
    Admits,
    Rejects(RejectReason),
}

impl Next {
    fn of(admission: Result<Permit<'_>, Rejected>) -> Self {
        match admission {
            Ok(permit) => {
                permit.ignore();
                Self::Admits
            }
            Err(rejected) => Self::Rejects(rejected.reason()),
        }
    }

    /// The operator's word, then the lack of an owner, then the state.
    fn expected(forced: Option<Forced>, orphaned: Option<Orphaned>, beneath: Beneath) -> Self {
        match (forced, orphaned, beneath) {
            (Some(Forced::Open), ..) => Self::Rejects(RejectReason::ForcedOpen),
            (_, Some(Orphaned::Reject), _) => Self::Rejects(RejectReason::Orphaned),
            (_, Some(Orphaned::Admit), _) | (Some(Forced::Closed), ..) => Self::Admits,
            (None, None, Beneath::Open) => Self::Rejects(RejectReason::Open),
            (None, None, Beneath::HalfOpenAndFull) => Self::Rejects(RejectReason::HalfOpen),
            (None, None, Beneath::Closed | Beneath::HalfOpen) => Self::Admits,
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Beneath {
    Closed,
    HalfOpen,
    HalfOpenAndFull,
    Open,
}

impl Beneath {
    async fn reach(self, breaker: &Breaker) -> Option<Permit<'_>> {
        if self == Self::Closed {
            return None;
        }
        for _ in 0..2 {
            breaker.try_acquire().unwrap().failure().await;
        }
        if self == Self::Open {
            return None;
        }
        advance(OPEN_FOR).await;
        let probe = breaker.try_acquire().unwrap();
        if self == Self::HalfOpenAndFull {
            return Some(probe);
        }
        probe.ignore();
        None
    }

    fn state(self) -> State {
        match self {
            Self::Closed => State::Closed,
            Self::HalfOpen | Self::HalfOpenAndFull => State::HalfOpen,
            Self::Open => State::Open,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r40_one_rule_says_what_override_orphaned_and_state_make_of_a_call() {
    for beneath in [
        Beneath::Closed,
        Beneath::HalfOpen,
        Beneath::HalfOpenAndFull,
        Beneath::Open,
    ] {
        for word in [
            None,
            Some(Override::forced_closed("test")),
            Some(Override::forced_open("test")),
        ] {
            for orphaned in [None, Some(Orphaned::Admit), Some(Orphaned::Reject)] {
                check(beneath, word.clone(), orphaned).await;
            }
        }
    }
}

async fn check(beneath: Beneath, word: Option<Override>, orphaned: Option<Orphaned>) {
    let forced = word.as_ref().map(Override::forced);
    let place = format!("{beneath:?} {forced:?} {orphaned:?}");
    let config = CONFIG.orphaned(orphaned.unwrap_or(Orphaned::Admit));
    let (breakers, breaker) = breaker(config).await;
    let _probe = beneath.reach(&breaker).await;
    if let Some(word) = word {
        breaker.force(word).await.unwrap();
    }
    if orphaned.is_some() {
        breakers.shutdown().await;
    }
    let expected = Next::expected(forced, orphaned, beneath);

    assert_eq!(Next::of(breaker.try_acquire()), expected, "{place}");
    let rejection = breaker.rejection().map(|rejected| rejected.reason());
    let told = match expected {
        // For a moment only: the probe may hand its place back.
        Next::Admits | Next::Rejects(RejectReason::HalfOpen) => None,
        Next::Rejects(reason) => Some(reason),
    };
    assert_eq!(rejection, told, "{place}");
    let mut ready = task::spawn(breaker.ready());
    match expected {
        Next::Admits => assert!(ready.poll().is_ready(), "{place}"),
        Next::Rejects(_) => {
            assert_pending!(ready.poll(), "{place}");
            tokio::task::yield_now().await;
            assert_pending!(ready.poll(), "{place}: nothing has changed");
        }
    }
    assert_eq!(breaker.state(), beneath.state(), "{place}");
    let snapshot = breaker.snapshot().await;
    let shown = (
        snapshot.state,
        snapshot.overriding.map(|word| word.forced()),
        snapshot.orphaned,
    );
    assert_eq!(shown, (beneath.state(), forced, orphaned), "{place}");
}
