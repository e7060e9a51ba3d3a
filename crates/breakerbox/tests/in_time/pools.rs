//! R23 and R24 through a pool, whose owner hears of its breakers later than callers.

use std::future::ready;
use std::time::Duration;

use breakerbox::{Backoff, BreakerBox, Endpoint, Pool, PoolConfig, PoolError, Ratio};
use tokio::time::sleep;

use crate::conditions::{Condition, Place, at_once, pass, runtimes};
use crate::{CONFIG, MILLISECOND, NANOSECOND, SECOND};

/// How a call is made, and how many endpoints it can be made to.
#[derive(Clone, Copy, Debug)]
struct Case {
    endpoints: u8,
    is_idempotent: bool,
}

impl Case {
    const ALL: [Self; 4] = [
        Self::new(1, false),
        Self::new(1, true),
        Self::new(3, false),
        Self::new(3, true),
    ];

    const fn new(endpoints: u8, is_idempotent: bool) -> Self {
        Self {
            endpoints,
            is_idempotent,
        }
    }

    /// A pool whose last endpoint is a standby, if there are several.
    async fn pool(self, breakers: &BreakerBox, open_for: Backoff) -> Pool<()> {
        let config = PoolConfig::new()
            .breaker(CONFIG.open_for(open_for))
            .attempts(1);
        let endpoints = (0..self.endpoints).map(|nth| {
            let tier = u8::from(nth > 1);
            Endpoint::new(nth.to_string(), ()).tier(tier)
        });
        breakers.pool("prices", config, endpoints).await.unwrap()
    }

    /// Makes a call that fails wherever it goes. Returns when to come back, if it
    /// goes nowhere.
    async fn fail(self, pool: &Pool<()>) -> Option<Duration> {
        let down = |()| ready(Err::<(), _>("down"));
        let ended = if self.is_idempotent {
            pool.call_idempotent(down).await
        } else {
            pool.call(down).await
        };
        match ended.unwrap_err() {
            PoolError::Rejected(unavailable) => Some(unavailable.retry_after().unwrap()),
            _ => None,
        }
    }
}

#[test]
fn r24_a_caller_that_waits_as_long_as_a_pool_says_is_admitted() {
    for case in Case::ALL {
        for runtime in runtimes() {
            let admitted = runtime.block_on(async {
                let breakers = BreakerBox::start("test").await.unwrap();
                let pool = case.pool(&breakers, Backoff::fixed(2 * MILLISECOND)).await;
                let callers = async move {
                    let mut admitted = 0;
                    for _ in 0..ROUNDS {
                        let wait = loop {
                            if let Some(wait) = case.fail(&pool).await {
                                break wait;
                            }
                        };
                        sleep(wait).await;
                        admitted += u32::from(case.fail(&pool).await.is_none());
                    }
                    admitted
                };
                tokio::spawn(callers).await.unwrap()
            });
            assert_eq!(admitted, ROUNDS, "{case:?} {runtime:?}");
        }
    }
}

/// What a pool's owner hears of its breakers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Hears {
    Nothing,
    ThatTheyOpened,
}

#[test]
fn r24_a_pool_comes_back_whatever_its_owner_has_heard() {
    let growing = Backoff::exponential(SECOND, 60 * SECOND).jitter(Ratio::percent(50));
    let cases = Case::ALL.iter();
    for (case, hears) in
        cases.flat_map(|case| [Hears::Nothing, Hears::ThatTheyOpened].map(|hears| (*case, hears)))
    {
        let mut place = Place::new(Condition::Undriven, CONFIG);
        let breakers = place.breakers.clone();
        let pool = place.run(case.pool(&breakers, growing));
        let fail = |place: &Place| {
            let _clock = place.enter();
            at_once(case.fail(&pool)).unwrap()
        };
        let mut made = 0;
        for round in 0..5 {
            let wait = loop {
                match fail(&place) {
                    Some(wait) => break wait,
                    None => made += 1,
                }
            };
            // Then the one whose opening is over first.
            let opens = if round == 0 {
                3 * u32::from(case.endpoints)
            } else {
                1
            };
            assert_eq!(made, opens, "{case:?} {hears:?}");
            if hears == Hears::ThatTheyOpened {
                place.run(hear());
            }
            let pass = |span| {
                let _clock = place.enter();
                pass(span);
            };
            pass(wait - NANOSECOND);
            assert_eq!(fail(&place), Some(NANOSECOND), "{case:?} {hears:?}");
            pass(NANOSECOND);
            made = 0;
        }
    }
}

/// Lets all owners do what they have to, in no time.
async fn hear() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

const ROUNDS: u32 = 200;
