use std::error::Error;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use breakerbox_core::ChildStatus;
use ractor::{ActorRef, Message, RpcReplyPort};

use super::ChildKind;
use super::published::ChildEntry;
use crate::{AskError, ask};

/// A handle on one child of a supervisor, which takes messages of type `M`.
///
/// It stays good across the child's restarts. Dropping it ends nothing, and it
/// keeps nothing alive: when the supervisor has stopped, it leads to an actor
/// that is not running.
pub struct Child<M> {
    messages: PhantomData<fn(M)>,
    entry: Arc<ChildEntry>,
}

impl<M: Message> Child<M> {
    pub(super) fn new(entry: Arc<ChildEntry>) -> Result<Self, ChildError> {
        let child = || entry.name().to_string();
        let other_messages = || ChildError::OtherMessages {
            asked_for: std::any::type_name::<M>(),
            child: child(),
        };
        if entry.runnable().kind() != ChildKind::Actor {
            return Err(other_messages());
        }
        let Some(shell) = entry.shell() else {
            return Err(ChildError::Starting { child: child() });
        };
        // `None` is for actors on other nodes, which a child never is.
        if shell.is_message_type_of::<M>() == Some(false) {
            return Err(other_messages());
        }
        Ok(Self {
            messages: PhantomData,
            entry,
        })
    }

    /// The actor that stands for it.
    ///
    /// It is the same across crashes. Only when that actor itself was stopped,
    /// drained or killed is the next incarnation run by another one; so do not
    /// keep it where somebody does that.
    #[must_use]
    pub fn actor(&self) -> ActorRef<M> {
        let shell = self.entry.shell();
        ActorRef::from(shell.expect("there was one when this handle was made"))
    }

    /// Asks it, and waits `within` a time for its reply.
    ///
    /// A question that is asked between two incarnations waits for the next one.
    ///
    /// # Errors
    ///
    /// [`AskError::Crashed`] when it dropped the question, because it crashed
    /// over it, ended before it got there, or forgot to reply: whether it had an
    /// effect is unknown. [`AskError::NotRunning`] when the question never
    /// reached it. [`AskError::TimedOut`] when it took too long; it may still
    /// handle the question, and can look at `reply.is_closed()` before it does.
    ///
    /// # Cancel safety
    ///
    /// Dropping it does not take the question back.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(RpcReplyPort<T>) -> M,
        within: Duration,
    ) -> Result<T, AskError> {
        ask::ask(&self.actor(), question, within).await
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.entry.name()
    }

    /// How it does, as its supervisor last published it.
    #[must_use]
    pub fn status(&self) -> ChildStatus {
        self.entry.status()
    }
}

impl<M> Clone for Child<M> {
    fn clone(&self) -> Self {
        Self {
            messages: PhantomData,
            entry: Arc::clone(&self.entry),
        }
    }
}

impl<M> fmt::Debug for Child<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("name", &self.entry.name())
            .field("status", &self.entry.status())
            .finish()
    }
}

/// A supervisor has no such child to hand out.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ChildError {
    /// The child is no supervisor.
    NoSupervisor {
        /// The child's name.
        child: String,
    },
    /// The child takes messages of another type, or none as it is no actor.
    OtherMessages {
        /// The type that was asked for.
        asked_for: &'static str,
        /// The child's name.
        child: String,
    },
    /// The child has not come up yet.
    Starting {
        /// The child's name.
        child: String,
    },
    /// There is no child of that name.
    Unknown {
        /// The name that was asked for.
        child: String,
    },
}

impl Error for ChildError {}

impl fmt::Display for ChildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherMessages { asked_for, child } => {
                write!(
                    f,
                    "child {child:?} does not take messages of type {asked_for}"
                )
            }
            Self::NoSupervisor { child } => write!(f, "child {child:?} is no supervisor"),
            Self::Starting { child } => write!(f, "child {child:?} has not come up yet"),
            Self::Unknown { child } => write!(f, "there is no child {child:?}"),
        }
    }
}
