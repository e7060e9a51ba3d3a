//! The decisions of breakerbox, as plain values.
//!
//! A breaker that reads the clock, spawns tasks and takes locks can only be
//! tested by waiting and hoping. So everything that is *decided* is decided
//! here, by values that are told what happened and what time it is: a table of
//! inputs is a test, and yesterday's traffic can be replayed in a second. There
//! is no clock, task, lock, log line or dependency in this crate; the
//! `breakerbox` crate is what acts on it.
//!
//! One shape, for every machine: inputs are methods that end in `now`; time is
//! idempotent (early, late, twice: harmless); outputs are polled.
//!
//! With the feature `serde` a [`BreakerConfig`] can be read from a file.

mod backoff;
mod circuit;
mod config;
mod counts;
mod failure_kind;
mod operator;
mod outcome;
mod probe_time;
mod question;
mod ramp;
mod ratio;
mod rejected;
mod roster;
mod span;
mod standing;
mod state;
mod supervision;
mod tally;
mod ticket;
mod transition;
mod trip;
mod verdict;
mod window;

pub use backoff::{Backoff, Dice};
pub use circuit::Circuit;
#[cfg(feature = "serde")]
pub use config::ConfigFile;
pub use config::{BreakerConfig, ConfigError};
pub use counts::{Counts, Sums};
pub use failure_kind::FailureKind;
pub use operator::{ActiveOverride, Forced, Override};
pub use outcome::{Abandoned, Outcome, Pace};
pub use probe_time::ProbeTime;
pub use question::Question;
pub use ramp::Ramp;
pub use ratio::Ratio;
pub use rejected::{RejectReason, Rejected, retry_after};
pub use roster::{
    Attempt, Blame, Breaks, Budget, Check, CheckPlan, Duty, Ejection, EndpointId, EndpointSpec,
    EndpointStatus, EndpointView, Failback, FailureRate, Health, Hedge, Judged, LastResort, Load,
    Pick, PoolConfig, Roster, RosterChange, Rotation, Selection, TierLoad, Tiering, Why, Wish,
};
pub use standing::{Admission, Beside, InFlight, Look, Orphaned, Standing, Wake};
pub use state::{Generation, State};
pub use supervision::{
    AutoShutdown, ChildId, ChildPolicy, ChildStatus, Directive, Ending, Exit, ExitText,
    Incarnation, OnLimit, Phase, Restart, RestartIntensity, Strategy, Supervision,
};
pub use tally::{Fuse, Streak, Tally};
pub use ticket::{Notice, Role, Ticket};
pub use transition::{Reason, Transition};
pub use trip::{TripPolicy, TripReason};
pub use verdict::{Repeat, Verdict};
pub use window::Window;
