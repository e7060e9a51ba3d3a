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
    /// The most children at a time, if this is a set, which forgets ended children.
    pub(super) maximum: Option<usize>,
    pub(super) name: Arc<str>,
    pub(super) on_limit: OnLimit,
    /// The time that its end may take.
    pub(super) shutdown_within: Option<Duration>,
    pub(super) strategy: Strategy,
}

impl SupervisorSpec {
    /// Makes the recipe of a supervisor without children.
    ///
    /// The name of a root appears in logs and snapshots. A supervisor below another one is
    /// found by the name of its [`ChildSpec`].
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

    /// Sets whether it ends with its significant children; never unless set.
    pub const fn auto_shutdown(mut self, auto_shutdown: AutoShutdown) -> Self {
        self.auto_shutdown = auto_shutdown;
        self
    }

    /// Sets how many restarts it allows; 3 within 5 seconds unless set, as in Elixir.
    ///
    /// After one failure more, it does what [`on_limit`](Self::on_limit) says.
    pub const fn intensity(mut self, intensity: RestartIntensity) -> Self {
        self.intensity = intensity;
        self
    }

    /// Sets what follows a failure beyond the limit; [`OnLimit::Escalate`] unless set.
    ///
    /// A supervisor that escalates stops all its children and ends. The supervisor above,
    /// if there is one, takes that as a failure.
    pub const fn on_limit(mut self, on_limit: OnLimit) -> Self {
        self.on_limit = on_limit;
        self
    }

    /// Limits the time that its end takes, over all its children; no limit unless set.
    ///
    /// Children stop one after another, each within its own
    /// [`Shutdown`](crate::Shutdown), so ten children with the default of 5 seconds may
    /// take 50 seconds. When this time is over, the supervisor kills at once all that are
    /// left, at any depth, whether they have been asked to stop or not; no `post_stop`
    /// runs then. The supervisor waits a second longer for children that block their
    /// thread. The [`Report`](crate::Report) names each child that was killed, and each
    /// that is stuck.
    ///
    /// The time begins when the end begins, for whatever reason: a shutdown, the drop of
    /// the last handle, an escalation, a stop of its actor, the end of a supervisor above
    /// or a restart. A level may have a limit of its own, and the limit that is reached
    /// first counts. Zero kills all children without asking.
    ///
    /// A cluster that ends a process sends SIGKILL after its grace period, which is
    /// `terminationGracePeriodSeconds` in Kubernetes, 30 unless set. Keep the sum of
    /// [`Lifecycle::drain_delay`](crate::Lifecycle::drain_delay), this time and about two
    /// seconds for stuck children below the grace period: a delay of 5 seconds and a limit
    /// of 20 fit into 30.
    pub const fn shutdown_within(mut self, time: Duration) -> Self {
        self.shutdown_within = Some(time);
        self
    }

    /// Adds a child, which starts after the children before it and stops before them.
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
    /// The hook runs in the supervisor's actor and must not block; its panic is caught.
    pub(crate) fn on_end(mut self, hook: impl FnOnce(Ending) + Send + 'static) -> Self {
        self.end_hook = DownHook::new(hook);
        self
    }

    /// Starts the children in order, and returns when every one is up.
    ///
    /// Dropping the last clone of the returned handle stops the tree in the background.
    ///
    /// # Errors
    ///
    /// Returns [`StartError::Duplicate`], [`StartError::NoRuntime`] or
    /// [`StartError::NoTimers`] before anything is started. Returns [`StartError::Child`]
    /// if a child does not come up, after the children before it have been stopped, and
    /// [`StartError::Interrupted`] if the supervisor is ended while it starts.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops in the background what was started.
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
    /// Returns the errors of [`start`](Self::start) for which nothing was started.
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

/// Refuses a place without a runtime or timers.
fn refuse_bad_runtime() -> Result<(), StartError> {
    if Handle::try_current().is_err() {
        return Err(StartError::NoRuntime);
    }
    // tokio tells only by a panic.
    let has_timers = catch::call(|| drop(tokio::time::sleep(Duration::ZERO))).is_ok();
    has_timers.then_some(()).ok_or(StartError::NoTimers)
}

/// The reason why a supervisor did not come up.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum StartError {
    /// A child did not come up, or failed too often while others came up.
    Child {
        /// The child's name.
        child: String,
        /// The exit of its last incarnation.
        exit: Exit,
    },
    /// Two children have the same name.
    Duplicate {
        /// The name that two children have.
        child: String,
    },
    /// The supervisor's actor was stopped or killed meanwhile, or its runtime ended.
    Interrupted,
    /// The caller is not in a tokio runtime, and named none.
    NoRuntime,
    /// The system cannot start the thread that a box is to have of its own.
    NoThread {
        /// The error of the system.
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
