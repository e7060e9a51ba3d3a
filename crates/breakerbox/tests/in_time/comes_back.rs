//! R24: the first call at the deadline of an Open breaker is a probe.

use breakerbox::{
    Backoff, Breaker, BreakerConfig, Event, Outcome, Override, Ramp, Ratio, Reason, RejectReason,
    State, TripPolicy,
};
use tokio::time::{Instant, sleep};

use crate::conditions::{Condition, Place, pass, runtimes};
use crate::{CONFIG, MILLISECOND, NANOSECOND, SECOND};

fn fail(breaker: &Breaker) {
    let failed = breaker.run(|| Err::<(), _>("down"));
    assert!(failed.is_err());
}

fn open(breaker: &Breaker) {
    while breaker.state() == State::Closed {
        fail(breaker);
    }
}

fn reason(breaker: &Breaker) -> Option<RejectReason> {
    let rejected = breaker.try_acquire().err()?;
    Some(rejected.reason())
}

/// Opens for longer each time, and never for exactly as long.
const GROWING: BreakerConfig = CONFIG
    .open_for(Backoff::exponential(SECOND, SECOND.saturating_mul(60)).jitter(Ratio::percent(50)));

#[test]
fn r24_an_owner_that_is_never_polled_lets_a_breaker_open_and_come_back_five_times() {
    let mut place = Place::new(Condition::Undriven, GROWING);
    let breaker = place.breaker.clone();
    let mut events = breaker.events();
    let clock = place.enter();
    let mut deadlines = Vec::new();
    for round in 0..5 {
        if round == 0 {
            open(&breaker);
        } else {
            fail(&breaker);
        }
        assert_eq!(breaker.state(), State::Open);
        let rejected = breaker.try_acquire().unwrap_err();
        assert_eq!(rejected.reason(), RejectReason::Open);
        deadlines.push(rejected.retry_at().unwrap());

        let wait = rejected.retry_after().unwrap();
        let longest = SECOND * 2_u32.pow(round);
        assert!(wait <= longest && wait >= longest / 2, "{round}: {wait:?}");
        pass(wait - NANOSECOND);
        assert_eq!(reason(&breaker), Some(RejectReason::Open));
        pass(NANOSECOND);
        let probe = breaker.try_acquire().unwrap();
        assert_eq!(reason(&breaker), Some(RejectReason::HalfOpen));
        assert_eq!(breaker.state(), State::HalfOpen);
        probe.ignore();
    }
    drop(clock);
    // The owner finds what callers did, and tells it as if it had done so.
    let told = place.run(async {
        let mut told = Vec::new();
        while told.len() < 10 {
            match events.next().await {
                Some(Event::Changed { transition, .. }) => told.push(transition),
                other => panic!("{other:?}"),
            }
        }
        told
    });
    let openings = told.iter().filter(|it| it.to == State::Open);
    assert!(openings.clone().map(|it| it.until.unwrap()).eq(deadlines));
    for (place, transition) in told.iter().enumerate() {
        assert_eq!(transition.sequence, place as u64 + 1);
        let expected = match place {
            0 => (State::Closed, State::Open),
            odd if odd % 2 == 1 => (State::Open, State::HalfOpen),
            _ => (State::HalfOpen, State::Open),
        };
        assert_eq!((transition.from, transition.to), expected);
    }
}

#[test]
fn r24_probes_that_succeed_close_a_breaker_whose_owner_is_never_polled() {
    let place = Place::new(Condition::Undriven, CONFIG.probes(2));
    let breaker = &place.breaker;
    let _clock = place.enter();
    open(breaker);
    pass(SECOND);
    let (one, other) = (
        breaker.try_acquire().unwrap(),
        breaker.try_acquire().unwrap(),
    );
    assert_eq!(reason(breaker), Some(RejectReason::HalfOpen));
    one.success();
    assert_eq!(reason(breaker), Some(RejectReason::HalfOpen));
    other.success();
    assert_eq!((reason(breaker), breaker.state()), (None, State::Closed));
}

#[test]
fn r07_every_reader_sees_the_deadline_pass_whatever_the_owner_does() {
    for condition in Condition::ALL {
        let place = Place::new(condition, CONFIG);
        let breaker = &place.breaker;
        let paused = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let _clock = paused.enter();
        open(breaker);
        pass(SECOND);
        assert_eq!(breaker.state(), State::HalfOpen, "{condition:?}");
        assert_eq!(breaker.rejection(), None);
    }
}

#[test]
fn r16_an_override_ends_in_time_whatever_the_owner_does() {
    for forced_open in [true, false] {
        let mut place = Place::new(
            Condition::Undriven,
            CONFIG.open_for(Backoff::fixed(9 * SECOND)),
        );
        let breaker = place.breaker.clone();
        let (word, before, after) = if forced_open {
            let word = Override::forced_open("maintenance");
            (word, Some(RejectReason::ForcedOpen), None)
        } else {
            let word = Override::forced_closed("trust me");
            (word, None, Some(RejectReason::Open))
        };
        place
            .run(breaker.force(word.expires_after(5 * SECOND)))
            .unwrap();
        let _clock = place.enter();
        if !forced_open {
            open(&breaker);
        }
        assert_eq!(reason(&breaker), before);
        pass(5 * SECOND);
        assert_eq!(reason(&breaker), after);
    }
}

#[test]
fn r15_a_ramp_grows_in_time_whatever_the_owner_does() {
    let ramp = Ramp::linear(Ratio::percent(10), 20 * SECOND);
    let place = Place::new(Condition::Undriven, CONFIG.ramp(ramp));
    let breaker = &place.breaker;
    let _clock = place.enter();
    open(breaker);
    pass(SECOND);
    breaker.try_acquire().unwrap().success();
    let withheld = || {
        let asked = (0..1_000).map(|_| reason(breaker));
        asked.filter(|it| *it == Some(RejectReason::Ramp)).count()
    };
    assert!((850..950).contains(&withheld()), "{}", withheld());
    pass(10 * SECOND);
    assert!((350..550).contains(&withheld()), "{}", withheld());
    pass(10 * SECOND);
    assert_eq!(withheld(), 0);
}

/// Opens a breaker of one's own and comes back exactly when it says; how often it
/// was admitted then.
async fn comes_back(breaker: &Breaker, rounds: u32) -> u32 {
    let mut admitted = 0;
    for _ in 0..rounds {
        // Also where this thread is late, and the opening over when it asks.
        let rejected = loop {
            match breaker.try_acquire() {
                Ok(permit) => permit.failure().await,
                Err(rejected) => break rejected,
            }
        };
        let wait = rejected.retry_after().unwrap();
        assert!(wait >= NANOSECOND);
        sleep(wait).await;
        // It fails, and so the breaker opens again.
        if let Ok(probe) = breaker.try_acquire() {
            admitted += 1;
            probe.failure().await;
        }
    }
    admitted
}

#[test]
fn r24_a_caller_that_waits_as_long_as_it_was_told_is_admitted() {
    let soon = CONFIG.open_for(Backoff::fixed(2 * MILLISECOND));
    for runtime in runtimes() {
        let admitted = runtime.block_on(async {
            let breakers = breakerbox::BreakerBox::start("test").await.unwrap();
            let breaker = breakers.breaker("peer", soon).await.unwrap();
            tokio::spawn(async move { comes_back(&breaker, ROUNDS).await })
                .await
                .unwrap()
        });
        assert_eq!(admitted, ROUNDS, "{runtime:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn r08_what_the_owner_was_told_meanwhile_lengthens_the_opening() {
    let breakers = breakerbox::BreakerBox::start("test").await.unwrap();
    let breaker = breakers.breaker("peer", CONFIG).await.unwrap();
    let patient = breaker.try_acquire().unwrap();
    drop(patient.settle(Outcome::failure_after(30 * SECOND)));
    open(&breaker);
    let rejected = breaker.try_acquire().unwrap_err();
    assert_eq!(rejected.retry_after(), Some(30 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn r24_too_many_in_flight_come_back_as_any_other_opening() {
    let breakers = breakerbox::BreakerBox::start("test").await.unwrap();
    let config = CONFIG.trip_on(TripPolicy::in_flight(2));
    let breaker = breakers.breaker("peer", config).await.unwrap();
    let hung = [
        breaker.try_acquire().unwrap(),
        breaker.try_acquire().unwrap(),
    ];
    let opened = Instant::now();
    let rejected = breaker.try_acquire().unwrap_err();
    assert_eq!(rejected.retry_at(), Some((opened + SECOND).into_std()));
    sleep(rejected.retry_after().unwrap()).await;
    breaker.try_acquire().unwrap().success();
    assert_eq!(breaker.state(), State::Closed);
    drop(hung);
    let snapshot = breaker.snapshot().await;
    assert_eq!((snapshot.late, snapshot.in_flight), (2, Some(0)));
    let reason = snapshot.last_transition.unwrap().reason;
    assert_eq!(reason, Reason::ProbesSucceeded);
}

const ROUNDS: u32 = 200;
