//! R02 and R03 under real threads: every call that was admitted is somewhere.
//!
//! Whenever all threads have ended, what they were admitted to is what they
//! still hold, what is in the window, what the windows before it held when
//! their generation ended, and what came late.

#![cfg(test)]

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use breakerbox::{
    Abandoned, Backoff, Breaker, BreakerBox, BreakerConfig, Counts, Event, Events, OwnedPermit,
    Ratio, State, TripPolicy, Window,
};
use tokio::runtime::Handle;
use tokio::time::advance;

const BASE: BreakerConfig = BreakerConfig::new()
    .window(Window::unbounded())
    .open_for(Backoff::fixed(OPEN_FOR))
    .probe_deadline(Duration::from_secs(86_400))
    .probes(3);
const OPEN_FOR: Duration = Duration::from_secs(10);

const RUN: TripPolicy = TripPolicy::consecutive_failures(5);
const RATE: TripPolicy = TripPolicy::failure_rate(Ratio::percent(50), 20);

#[test]
fn r02_every_verdict_is_in_a_window_or_late_while_generations_change() {
    check(1, BASE.trip_on(RUN));
    check(2, BASE.trip_on(RATE).abandoned(Abandoned::Failure));
    check(
        3,
        BASE.trip_on(TripPolicy::custom(|counts| counts.failures > 9)),
    );
}

#[test]
fn r02_every_verdict_is_in_the_window_while_none_changes() {
    let never = TripPolicy::failure_rate(Ratio::percent(100), 1_000_000);
    check(4, BASE.trip_on(never));
    check(5, BASE.trip_on(TripPolicy::consecutive_failures(1_000_000)));
}

/// Rounds of threads that call at random, and then a count.
fn check(seed: u64, config: BreakerConfig) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let breakers = BreakerBox::start("books").await.unwrap();
        let breaker = breakers.breaker("peer", config).await.unwrap();
        let mut books = Books::of(&breaker);
        for round in 0..ROUNDS {
            books.play(seed << 32 | round).await;
            books.balance().await;
            // Past the limit on restarts, and into HalfOpen if it is open.
            advance(2 * OPEN_FOR).await;
        }
        books.held.clear();
        books.balance().await;
    });
}

const ROUNDS: u64 = 60;
const THREADS: u64 = 4;
const CALLS: u64 = 200;

struct Books {
    admitted: u64,
    breaker: Breaker,
    /// What the windows of generations that are over held.
    closed: u64,
    events: Events,
    /// How many changes of state have been heard of.
    heard: u64,
    held: Vec<OwnedPermit>,
    /// What the window held when its generation began.
    opening: u64,
}

impl Books {
    fn of(breaker: &Breaker) -> Self {
        Self {
            admitted: 0,
            breaker: breaker.clone(),
            closed: 0,
            events: breaker.events(),
            heard: 0,
            held: Vec::new(),
            opening: 0,
        }
    }

    /// Lets threads call, each of them new, while the owner is disturbed.
    async fn play(&mut self, seed: u64) {
        let held = Arc::new(Mutex::new(std::mem::take(&mut self.held)));
        let (breaker, runtime, shelf) = (self.breaker.clone(), Handle::current(), held.clone());
        // Tokio lets no paused time pass while something blocks.
        let calls = tokio::task::spawn_blocking(move || {
            thread::scope(|scope| {
                let threads: Vec<_> = (0..THREADS)
                    .map(|number| {
                        let (breaker, shelf, runtime) = (&breaker, &shelf, &runtime);
                        scope.spawn(move || {
                            let _clock = runtime.enter();
                            Caller::new(breaker, shelf, seed << 8 | number).run()
                        })
                    })
                    .collect();
                threads
                    .into_iter()
                    .map(|it| it.join().unwrap())
                    .sum::<u64>()
            })
        });
        let mut rng = fastrand::Rng::with_seed(seed);
        self.disturb(&mut rng).await;
        self.admitted += calls.await.unwrap();
        self.held = Arc::into_inner(held).unwrap().into_inner().unwrap();
    }

    async fn disturb(&self, rng: &mut fastrand::Rng) {
        for _ in 0..rng.u8(..4) {
            match rng.u8(..3) {
                0 => self.breaker.actor().kill(),
                1 => self.breaker.reset().await.unwrap(),
                _ => drop(self.breaker.snapshot().await),
            }
            tokio::task::yield_now().await;
        }
    }

    /// Asserts that nothing is missing and nothing is there twice.
    async fn balance(&mut self) {
        let snapshot = self.breaker.snapshot().await;
        let changes = snapshot.last_transition.map_or(0, |last| last.sequence);
        self.hear_until(changes).await;
        let living = all(snapshot.counts) - self.opening;
        let settled = self.closed + living + snapshot.late;
        assert_eq!(
            self.admitted,
            settled + self.held.len() as u64,
            "{} in closed windows, {living} in this one, {} late, {} held",
            self.closed,
            snapshot.late,
            self.held.len(),
        );
    }

    /// Closes the windows of the generations that have ended.
    async fn hear_until(&mut self, sequence: u64) {
        let mut heard = self.heard;
        while heard < sequence {
            match self.events.next().await {
                Some(Event::Changed { transition, .. }) => {
                    let evidence = all(transition.evidence);
                    self.closed += evidence - self.opening;
                    // An Open breaker keeps the counts that opened it.
                    self.opening = if transition.to == State::Open {
                        evidence
                    } else {
                        0
                    };
                    heard = transition.sequence;
                }
                Some(Event::Missed { .. }) | None => panic!("it listens often enough"),
                Some(_) => {}
            }
        }
        self.heard = heard;
    }
}

fn all(counts: Counts) -> u64 {
    counts.judged() + counts.ignored
}

/// One thread.
struct Caller<'a> {
    breaker: &'a Breaker,
    rng: fastrand::Rng,
    /// Permits that others may settle, in this round or a later one.
    shelf: &'a Mutex<Vec<OwnedPermit>>,
}

impl<'a> Caller<'a> {
    fn new(breaker: &'a Breaker, shelf: &'a Mutex<Vec<OwnedPermit>>, seed: u64) -> Self {
        Self {
            breaker,
            rng: fastrand::Rng::with_seed(seed),
            shelf,
        }
    }

    /// Returns how many calls were admitted.
    fn run(mut self) -> u64 {
        let mut admitted = 0;
        for _ in 0..CALLS {
            let permit = self.breaker.try_acquire_owned();
            admitted += u64::from(permit.is_ok());
            match permit {
                Ok(permit) if self.rng.u8(..8) == 0 => self.shelve(permit),
                Ok(permit) => self.settle(permit),
                Err(_) => std::hint::spin_loop(),
            }
        }
        admitted
    }

    /// Keeps a permit for later, and settles another one from another thread.
    fn shelve(&mut self, permit: OwnedPermit) {
        let other = {
            let mut shelf = self.shelf.lock().unwrap();
            shelf.push(permit);
            let other = self.rng.usize(..shelf.len());
            (shelf.len() > 8).then(|| shelf.swap_remove(other))
        };
        if let Some(other) = other {
            self.settle(other);
        }
    }

    fn settle(&mut self, permit: OwnedPermit) {
        match self.rng.u8(..16) {
            0 => drop(permit),
            1 => permit.ignore(),
            2 => drop(permit.failure_after(Duration::from_secs(1))),
            3..=7 => drop(permit.failure()),
            _ => permit.success(),
        }
    }
}
