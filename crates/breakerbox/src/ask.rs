use std::error::Error;
use std::fmt;
use std::time::Duration;

use ractor::concurrency::{OneshotReceiver, oneshot};
use ractor::{ActorRef, Message, RpcReplyPort};
use tokio::time::sleep;

/// An actor did not reply.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum AskError {
    /// It dropped the question: most likely it crashed over it.
    ///
    /// Whether the question had an effect is unknown. It is not asked again by
    /// itself, because it may be what the actor crashed over.
    Crashed,
    /// It is not running, so the question never reached it.
    NotRunning,
    /// It is down, and as many messages wait for its next incarnation as may.
    ///
    /// The question never reached it. Only [`Child::ask`](crate::Child::ask) says so; see
    /// [`ChildSpec::queue_while_down`](crate::ChildSpec::queue_while_down).
    QueueFull,
    /// It did not reply within this time; it may still handle the question.
    TimedOut(Duration),
}

impl Error for AskError {}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crashed => f.write_str("the actor dropped the question without a reply"),
            Self::NotRunning => f.write_str("the actor is not running"),
            Self::QueueFull => f.write_str("the actor is down and its queue is full"),
            Self::TimedOut(within) => write!(f, "the actor did not reply within {within:?}"),
        }
    }
}

/// Asks an actor by way of `send`, and waits `within` a time for its reply.
pub(crate) async fn ask_by<M: Message, T: Send + 'static>(
    send: impl FnOnce(M) -> Result<(), AskError>,
    question: impl FnOnce(RpcReplyPort<T>) -> M,
    within: Duration,
) -> Result<T, AskError> {
    let (reply, answer) = oneshot();
    send(question(reply.into()))?;
    reply_until(answer, within, sleep(within)).await
}

/// Asks an actor and waits for its reply until the time is over.
pub(crate) async fn ask_until<M: Message, T: Send + 'static>(
    actor: &ActorRef<M>,
    question: impl FnOnce(RpcReplyPort<T>) -> M,
    within: Duration,
    over: impl Future<Output = ()>,
) -> Result<T, AskError> {
    let (reply, answer) = oneshot();
    if actor.cast(question(reply.into())).is_err() {
        return Err(AskError::NotRunning);
    }
    reply_until(answer, within, over).await
}

async fn reply_until<T>(
    answer: OneshotReceiver<T>,
    within: Duration,
    over: impl Future<Output = ()>,
) -> Result<T, AskError> {
    tokio::select! {
        biased;
        answer = answer => answer.map_err(|_dropped| AskError::Crashed),
        () = over => Err(AskError::TimedOut(within)),
    }
}
