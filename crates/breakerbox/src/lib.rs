//! Circuit breakers as supervised actors, on tokio and ractor.
//!
//! A service calls other services. One of them slows down or dies, its callers
//! pile up, and the outage spreads. A [`Breaker`] in front of each of them stops
//! that: it notices, keeps calls away for a while, and tries again with a few.
//!
//! - [`BreakerBox`] makes breakers, keeps them alive and finds them by name.
//! - [`Breaker::call`] wraps a call; [`Breaker::try_acquire`] gives a [`Permit`]
//!   to settle by hand; [`Breaker::ask`] guards a question to another actor.
//! - [`Pool`] calls one of several endpoints that stand in for one another.
//! - [`BreakerConfig`] says when to open and for how long.
//! - [`Breaker::snapshot`] and [`Breaker::events`] show what is going on.
//! - [`SupervisorSpec`] and [`ChildSpec`] do for any ractor actor what a box does
//!   for its breakers, and for any async function: restart it when it crashes.
//!
//! What holds, promise by promise, is in `docs/semantics.md` of the repository.

mod abort_on_drop;
mod ask;
mod breaker;
mod breaker_box;
mod bus;
mod clock;
mod error;
mod event;
mod failure;
mod guarded;
mod lifecycle;
mod lifo_slot;
mod lock;
mod logging;
mod moment;
mod pool;
mod rejected;
mod supervisor;
mod sync;
mod text;

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
mod readme {}

#[cfg(doctest)]
#[doc = include_str!("../../../docs/failover.md")]
mod failover {}

#[cfg(doctest)]
#[doc = include_str!("../../../docs/supervision.md")]
mod supervision {}

pub use ask::AskError;
pub use breaker::{Breaker, BreakerMessage, Decision, OwnedPermit, Permit, Snapshot, WeakBreaker};
pub use breaker_box::{BreakerBox, BreakerBoxSpec, BreakerError, WeakBreakerBox};
pub use breakerbox_core::{
    Abandoned, ActiveOverride, AutoShutdown, Backoff, BreakerConfig, Budget, CheckPlan,
    ChildStatus, ConfigError, Counts, Ejection, Ending, EndpointStatus, Exit, ExitText, Failback,
    FailureKind, Forced, Generation, Health, Hedge, Incarnation, OnLimit, Orphaned, Outcome,
    Override, Phase, PoolConfig, Ramp, Ratio, Reason, RejectReason, Repeat, Restart,
    RestartIntensity, Selection, State, Strategy, Sums, TierLoad, Tiering, Transition, TripPolicy,
    TripReason, Verdict, Why, Window,
};
pub use error::{CallError, CommandError};
pub use event::{Event, Events};
pub use failure::{Failure, Judgement, LastFailure};
pub use lifecycle::{
    Lifecycle, LifecycleEnd, LifecycleReport, LifecycleTree, Readiness, Signal, Stopper,
};
pub use pool::{
    CheckError, Endpoint, EndpointSnapshot, HealthCheck, PickRecord, Pool, PoolError, PoolEvent,
    PoolEvents, PoolPermit, PoolSnapshot, PoolStartError, Progress, TcpCheck, Unavailable, Upload,
    WeakPool, dns,
};
pub use rejected::Rejected;
pub use supervisor::{
    AddError, AnyMessage, CancellationToken, CastError, Child, ChildError, ChildKind, ChildSet,
    ChildSnapshot, ChildSpec, Departure, End, Ready, RemoveError, Report, RestartError, Scope,
    ScopeEnded, ScopeTimer, Shutdown, StartError, Stopped, Supervisor, SupervisorEvent,
    SupervisorEvents, SupervisorSnapshot, SupervisorSpec, TaskScope, WeakSupervisor,
};
