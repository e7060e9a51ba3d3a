//! Circuit breakers as supervised actors, on tokio and ractor.

mod ask;
mod breaker;
mod breaker_box;
mod clock;
mod error;
mod event;
mod lock;
mod supervisor;

pub use ask::AskError;
pub use breaker::{Breaker, BreakerMessage, Decision, OwnedPermit, Permit, Snapshot};
pub use breaker_box::{BreakerBox, BreakerError};
pub use breakerbox_core::{
    Abandoned, ActiveOverride, Backoff, BreakerConfig, ChildStatus, ConfigError, Counts, Ending,
    Exit, Forced, Generation, Incarnation, OnLimit, Orphaned, Outcome, Override, Phase, Ratio,
    Reason, RejectReason, Restart, RestartIntensity, State, Strategy, Transition, TripPolicy,
    TripReason, Window,
};
pub use error::{CallError, CommandError, Rejected};
pub use event::{Event, Events};
pub use supervisor::{
    AddError, Child, ChildError, ChildSnapshot, ChildSpec, Departure, End, RemoveError, Report,
    Shutdown, StartError, Stopped, Supervisor, SupervisorEvent, SupervisorEvents,
    SupervisorSnapshot, SupervisorSpec,
};
