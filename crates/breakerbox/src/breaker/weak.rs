use std::fmt;
use std::sync::{Arc, Weak};

use super::{Breaker, Shared};
use crate::{BreakerBox, WeakBreakerBox};

/// A handle on a [`Breaker`] that keeps neither the breaker nor its box alive.
///
/// Use it in children of the box's own tree, such as a worker that calls through a
/// breaker of the box that supervises it: the tree ends when nobody else has a handle.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use breakerbox::{BreakerBox, BreakerConfig, CallError, ChildSpec};
///
/// # async fn next_job() -> u8 { std::future::pending().await }
/// # async fn mail(_job: u8) -> Result<(), std::io::Error> { Ok(()) }
/// let breakers = BreakerBox::start("checkout").await?;
/// let smtp = breakers.breaker("smtp", BreakerConfig::new()).await?.downgrade();
/// let mailer = ChildSpec::task("mailer", move |stop| {
///     let smtp = smtp.clone();
///     async move {
///         while let Some(job) = stop.run_until_cancelled(next_job()).await {
///             let Some(smtp) = smtp.upgrade() else { break };
///             smtp.call(mail(job)).await?;
///         }
///         Ok::<_, CallError<std::io::Error>>(())
///     }
/// });
/// breakers.supervisor().add(mailer).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct WeakBreaker {
    breakers: WeakBreakerBox,
    name: Arc<str>,
    shared: Weak<Shared>,
}

impl WeakBreaker {
    pub(super) fn new(breakers: &BreakerBox, shared: &Arc<Shared>) -> Self {
        Self {
            breakers: breakers.downgrade(),
            name: Arc::clone(shared.name()),
            shared: Arc::downgrade(shared),
        }
    }

    /// Returns the breaker's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the breaker.
    ///
    /// Returns None once the breaker has been removed or retired, has lost its owner for
    /// good, or its box has ended or has no handle left.
    #[must_use]
    pub fn upgrade(&self) -> Option<Breaker> {
        self.breakers.upgrade()?.find_this(&self.name, &self.shared)
    }
}

impl fmt::Debug for WeakBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakBreaker")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
