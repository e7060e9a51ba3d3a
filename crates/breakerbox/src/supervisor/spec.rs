use std::collections::HashSet;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use breakerbox_core::{AutoShutdown, Ending, Exit, OnLimit, RestartIntensity, Strategy};
use ractor::Actor;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::actor::{SupervisorActor, SupervisorArguments};
use super::down_hook::DownHook;
use super::{ChildSpec, Supervisor, catch};

/// The recipe of a supervisor: its children, and how many restarts it allows.
#[derive(Debug)]
#[must_use = "a supervisor starts with `start`"]
pub struct SupervisorSpec {
    pub(super) auto_shutdown: AutoShutdown,
    pub(super) children: Vec<ChildSpec>,
    /// Called once nothing of it is left.
    pub(super) end_hook: DownHook,
    pub(super) intensity: RestartIntensity,
    /// The most children at a time, and who ends for good is forgotten.
    pub(super) maximum: Option<usize>,
    pub(super) name: Arc<str>,
    pub(super) on_limit: OnLimit,
    /// How long its end may take.
    pub(super) shutdown_within: Option<Duration>,
    pub(super) strategy: Strategy,
}

impl SupervisorSpec {
    /// A supervisor without children; its name is for logs and snapshots.
    pub fn new(name: impl Into<Arc<str>>, strategy: Strategy) -> Self {
        Self {
            auto_shutdown: AutoShutdown::Never,
            children: Vec::new(),
            end_hook: DownHook::none(),
            intensity: INTENSITY,
            maximum: None,
            name: name.into(),
            on_limit: OnLimit::Escalate,
            shutdown_within: None,
            strategy,
        }
    }

    /// Whether it ends with its significant children; never unless set.
    pub const fn auto_shutdown(mut self, auto_shutdown: AutoShutdown) -> Self {
        self.auto_shutdown = auto_shutdown;
        self
    }

    /// How many restarts it allows; 3 within 5 seconds unless set, as in Elixir.
    ///
    /// One more, and it does what [`on_limit`](Self::on_limit) says.
    pub const fn intensity(mut self, intensity: RestartIntensity) -> Self {
        self.intensity = intensity;
        self
    }

    /// What follows one restart too many; [`OnLimit::Escalate`] unless set.
    ///
    /// To escalate is to stop all children and end, which is a failure for the
    /// supervisor above, if there is one.
    pub const fn on_limit(mut self, on_limit: OnLimit) -> Self {
        self.on_limit = on_limit;
        self
    }

    /// Bounds the time that its end takes, over all its children; no bound unless set.
    ///
    /// Children stop one after another, each within its own
    /// [`Shutdown`](crate::Shutdown), so ten of them with the default of 5 seconds may
    /// take 50. When this time is over, those that are left are killed at once, at any
    /// depth, whether they have been asked to stop or not; no `post_stop` runs then. The
    /// [`Report`](crate::Report) names each that was killed, and each that is stuck as it
    /// blocks its thread: those are waited for a second longer.
    ///
    /// The time begins when the end does, for whatever reason: a shutdown, the drop of
    /// the last handle, an escalation, a stop of its actor, the end of a supervisor above
    /// or a restart. A level may have a bound of its own, and the one that is over first
    /// counts. Zero kills all without asking.
    ///
    /// A cluster that ends a process sends SIGKILL after its grace period, which is
    /// `terminationGracePeriodSeconds` in Kubernetes, 30 unless set. Keep the sum of
    /// [`Lifecycle::drain_delay`](crate::Lifecycle::drain_delay), this and some two
    /// seconds for what is stuck below it: 5 seconds and 20 do.
    pub const fn shutdown_within(mut self, time: Duration) -> Self {
        self.shutdown_within = Some(time);
        self
    }

    /// Adds a child, which starts after those before it and stops before them.
    pub fn child(mut self, child: ChildSpec) -> Self {
        self.children.push(child);
        self
    }

    pub(crate) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Makes it a set, which children join and leave.
    pub(super) const fn set_of(mut self, maximum: usize) -> Self {
        self.maximum = Some(maximum);
        self
    }

    /// Calls `hook` once, when it has ended, however it has, or was never started.
    ///
    /// It runs in the supervisor's actor and must not block; its panic is caught.
    pub(crate) fn on_end(mut self, hook: impl FnOnce(Ending) + Send + 'static) -> Self {
        self.end_hook = DownHook::new(hook);
        self
    }

    /// Starts the children in order, and returns when every one is up.
    ///
    /// # Errors
    ///
    /// When two children have the same name, or there is no tokio runtime with timers,
    /// before anything is started; and when a child does not come up, after those
    /// before it have been stopped.
    ///
    /// # Cancel safety
    ///
    /// Dropping it stops in the background what was started.
    pub async fn start(self) -> Result<Supervisor, StartError> {
        let (supervisor, booted) = self.begin().await?;
        booted.outcome().await?;
        Ok(supervisor)
    }

    /// Begins to start the children, and returns while they come up.
    ///
    /// Dropping the handle calls the start off, as it ends any supervisor.
    ///
    /// # Errors
    ///
    /// When nothing was started, as [`start`](Self::start) says.
    pub(crate) async fn begin(self) -> Result<(Supervisor, Booted), StartError> {
        refuse_bad_runtime()?;
        self.refuse_duplicates()?;
        let (booted_sender, booted) = oneshot::channel();
        let arguments = SupervisorArguments::new(self, booted_sender);
        // Before the children start, as they may look for it.
        let supervisor = Supervisor::keeping(&arguments.running);
        let spawned = Actor::spawn(None, SupervisorActor, arguments).await;
        spawned.map_err(|_killed| StartError::Interrupted)?;
        Ok((supervisor, Booted { booted }))
    }

    pub(super) fn refuse_duplicates(&self) -> Result<(), StartError> {
        let mut names = HashSet::new();
        match self
            .children
            .iter()
            .find(|child| !names.insert(&child.name))
        {
            None => Ok(()),
            Some(second) => Err(StartError::Duplicate {
                child: second.name.to_string(),
            }),
        }
    }
}

/// The outcome of a start that was begun.
pub(crate) struct Booted {
    booted: oneshot::Receiver<Result<(), StartError>>,
}

impl Booted {
    /// Waits until every child is up, or the supervisor has ended without that.
    pub(crate) async fn outcome(self) -> Result<(), StartError> {
        self.booted.await.unwrap_or(Err(StartError::Interrupted))
    }
}

/// Nothing is restarted in time where there is no time.
fn refuse_bad_runtime() -> Result<(), StartError> {
    if Handle::try_current().is_err() {
        return Err(StartError::NoRuntime);
    }
    // tokio tells only by a panic.
    let has_timers = catch::call(|| drop(tokio::time::sleep(Duration::ZERO))).is_ok();
    has_timers.then_some(()).ok_or(StartError::NoTimers)
}

/// A supervisor did not come up.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum StartError {
    /// A child did not come up, or failed too often while others came up.
    Child {
        /// Its name.
        child: String,
        /// How it ended.
        exit: Exit,
    },
    /// Two children have the same name.
    Duplicate {
        /// The name.
        child: String,
    },
    /// The supervisor's actor was stopped or killed meanwhile, or its runtime ended.
    Interrupted,
    /// This is no tokio runtime, and none was named.
    NoRuntime,
    /// The thread that a box is to have of its own cannot be started.
    NoThread {
        /// What the system says.
        error: String,
    },
    /// The runtime has no timers.
    NoTimers,
    /// This thread drives the runtime that a box is to live on, and must not block.
    WouldBlock,
}

impl Error for StartError {}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Child { child, exit } => write!(f, "child {child:?} {exit}"),
            Self::Duplicate { child } => write!(f, "two children are named {child:?}"),
            Self::Interrupted => f.write_str("the supervisor was ended while it started"),
            Self::NoRuntime => f.write_str(
                "there is no tokio runtime here: start it inside of one, or give a box \
                 `own_thread` or a `runtime`",
            ),
            Self::NoThread { error } => write!(f, "the box has got no thread: {error}"),
            Self::NoTimers => f.write_str(
                "the tokio runtime has no timers: call `enable_time` or `enable_all` on its \
                 builder",
            ),
            Self::WouldBlock => f.write_str(
                "this thread drives the runtime that the box is to live on, and would wait \
                 for itself: await `start` here, or give the box `own_thread`",
            ),
        }
    }
}

/// Elixir's default. OTP's, 1 in 5 seconds, gives up at the second failure.
const INTENSITY: RestartIntensity = RestartIntensity::new(3, Duration::from_secs(5));
