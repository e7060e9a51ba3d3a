use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::breakerbox::{
    Backoff, Breaker, BreakerBox, BreakerConfig, Endpoint, Outcome, Override, Pool, PoolConfig,
    Ratio, State, TripPolicy, Window,
};
use tokio::runtime::Runtime;

use super::{AsyncGuard, Breaks, Guard, Shape, ready};
use crate::work::Failed;

/// Where the measured breakers come from: a box, and a name for each.
pub struct Shop {
    breakers: BreakerBox,
    made: AtomicU64,
    runtime: Runtime,
}

impl Shop {
    /// Opens with its owners on this runtime.
    ///
    /// # Panics
    ///
    /// If the box cannot be started.
    #[must_use]
    pub fn new(runtime: Runtime) -> Self {
        let breakers = runtime
            .block_on(BreakerBox::start("bench"))
            .expect("a box starts");
        Self {
            breakers,
            made: AtomicU64::new(0),
            runtime,
        }
    }

    /// The runtime of the owners and of all tasks.
    #[must_use]
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// A new breaker of this shape.
    #[must_use]
    pub fn breaker(&self, shape: Shape) -> Breaker {
        self.configured(config(shape))
    }

    /// A new breaker that no failure opens.
    #[must_use]
    pub fn judged_by(&self, judge: Judge) -> Breaker {
        let config = config(Shape::HalfOfTwenty);
        self.configured(match judge {
            Judge::BuiltIn => {
                config.trip_on(TripPolicy::failure_rate(Ratio::percent(50), u32::MAX))
            }
            Judge::Custom => config.trip_on(TripPolicy::custom(|_| false)),
        })
    }

    /// A new breaker that has opened, for an hour.
    ///
    /// # Panics
    ///
    /// If it has not.
    #[must_use]
    pub fn open(&self) -> Breaker {
        let breaker = self.breaker(Shape::InARow(1));
        let _failed = self.runtime.block_on(breaker.call(ready(true)));
        assert_eq!(breaker.state(), State::Open);
        breaker
    }

    /// A new breaker in HalfOpen, all of whose probes are under way for good.
    ///
    /// # Panics
    ///
    /// If it is not.
    #[must_use]
    pub fn half_open(&self) -> Breaker {
        let soon = Backoff::fixed(Duration::from_nanos(1));
        let breaker = self.configured(
            config(Shape::InARow(1))
                .open_for(soon)
                .without_probe_deadline()
                .probes(1),
        );
        let _failed = self.runtime.block_on(breaker.call(ready(true)));
        let probe = breaker.try_acquire_owned();
        // Not dropped, which would abandon it.
        std::mem::forget(probe.expect("its time has come"));
        assert_eq!(breaker.state(), State::HalfOpen);
        breaker
    }

    /// A new breaker that the operator has forced open.
    ///
    /// # Panics
    ///
    /// If it has no owner.
    #[must_use]
    pub fn forced_open(&self) -> Breaker {
        let breaker = self.breaker(Shape::InARow(1));
        self.runtime
            .block_on(breaker.force(Override::forced_open("measured")))
            .expect("the breaker has an owner");
        breaker
    }

    /// A new pool of so many endpoints in one tier, each of which has been called:
    /// the first call in a breaker's window is one that its owner hears of.
    ///
    /// # Panics
    ///
    /// If the box has ended.
    #[must_use]
    pub fn pool(&self, endpoints: usize) -> Pool<()> {
        let pool = self.pool_of(std::iter::repeat_n((), endpoints));
        self.runtime.block_on(async {
            for _ in 0..20 * pool.endpoints().len() {
                let _worked = pool.call(|()| ready(false)).await;
            }
        });
        pool
    }

    /// A new pool of these in one tier.
    ///
    /// # Panics
    ///
    /// If the box has ended.
    #[must_use]
    pub fn pool_of<T>(&self, values: impl IntoIterator<Item = T>) -> Pool<T>
    where
        T: Clone + Send + Sync + 'static,
    {
        let endpoints = values.into_iter().enumerate();
        let endpoints = endpoints.map(|(nth, value)| Endpoint::new(nth.to_string(), value));
        let pool = self
            .breakers
            .pool(self.new_name(), PoolConfig::new(), endpoints);
        self.runtime.block_on(pool).expect("the box makes a pool")
    }

    fn configured(&self, config: BreakerConfig) -> Breaker {
        self.runtime
            .block_on(self.breakers.breaker(self.new_name(), config))
            .expect("the box makes a breaker")
    }

    fn new_name(&self) -> String {
        // Relaxed: only a number for each.
        self.made.fetch_add(1, Ordering::Relaxed).to_string()
    }
}

/// Who must judge each failure.
#[derive(Clone, Copy, Debug)]
pub enum Judge {
    /// The signals that every caller can evaluate.
    BuiltIn,
    /// A policy of the user's own, which the breaker's actor asks.
    Custom,
}

/// A breaker that is asked for permits, settled by hand.
#[derive(Clone, Debug)]
pub struct ByHand(pub Breaker);

impl Breaks for ByHand {
    fn protect(&self, call: impl FnOnce() -> Result<u64, Failed>) -> bool {
        match self.0.try_acquire() {
            Ok(permit) => {
                let worked = call().is_ok();
                if worked {
                    permit.success();
                } else {
                    drop(permit.failure());
                }
                worked
            }
            Err(rejected) => {
                black_box(rejected);
                false
            }
        }
    }
}

/// A breaker that calls are given to.
#[derive(Clone, Debug)]
pub struct Boxed(pub Breaker);

impl Breaks for Boxed {
    fn protect(&self, call: impl FnOnce() -> Result<u64, Failed>) -> bool {
        self.0.run(call).is_ok()
    }
}

impl AsyncGuard for Boxed {
    async fn call(&mut self, fails: bool) -> bool {
        self.0.call(ready(fails)).await.is_ok()
    }
}

/// A breaker that must judge each failure, because it comes with advice.
#[derive(Clone, Debug)]
pub struct Judged(pub Breaker);

impl AsyncGuard for Judged {
    async fn call(&mut self, fails: bool) -> bool {
        let classify = |result: &Result<_, _>| match result {
            Ok(_) => Outcome::Success,
            Err(_) => Outcome::failure_after(Duration::from_nanos(1)),
        };
        self.0.call_with(classify, ready(fails)).await.is_ok()
    }
}

/// A pool that calls are given to.
#[derive(Clone, Debug)]
pub struct InPool(pub Pool<()>);

impl AsyncGuard for InPool {
    async fn call(&mut self, fails: bool) -> bool {
        self.0.call(|()| ready(fails)).await.is_ok()
    }
}

/// A breaker whose rejections are asked when to come back.
#[derive(Clone, Debug)]
pub struct Hinted(pub Breaker);

impl Guard for Hinted {
    fn run(&self, _fails: bool) -> bool {
        let rejected = self.0.try_acquire().expect_err("it is open");
        black_box(rejected.retry_after()).is_some()
    }
}

pub(super) fn config(shape: Shape) -> BreakerConfig {
    let config = BreakerConfig::new().open_for(Backoff::fixed(HOUR));
    match shape {
        Shape::HalfOfTwenty => config
            .trip_on(TripPolicy::failure_rate(Ratio::percent(50), 20))
            .window(Window::rolling(Duration::from_secs(10), 10)),
        Shape::InARow(failures) => config
            .trip_on(TripPolicy::consecutive_failures(failures))
            .window(Window::unbounded()),
        Shape::LastHundred => config
            .trip_on(TripPolicy::failure_rate(Ratio::percent(50), 100))
            .window(Window::last(100)),
    }
}

const HOUR: Duration = Duration::from_secs(3_600);
