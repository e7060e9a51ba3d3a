use tokio::sync::watch;

/// Whether a service is ready for requests; clones watch the same one.
///
/// It is for the readiness probe. A probe for liveness must not ask it: a service
/// that drains is alive.
#[derive(Clone, Debug)]
pub struct Readiness {
    ready: watch::Receiver<bool>,
}

impl Readiness {
    pub(super) const fn new(ready: watch::Receiver<bool>) -> Self {
        Self { ready }
    }

    /// Whether the tree runs and nobody has asked it to end.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        // Once the lifecycle is gone, what it said last may not hold any more.
        *self.ready.borrow() && self.ready.has_changed().is_ok()
    }

    /// Waits until it is ready, or never will be: then false.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing; call it again.
    pub async fn ready(&mut self) -> bool {
        let was_ready = self.ready.wait_for(|ready| *ready).await.is_ok();
        was_ready && self.is_ready()
    }

    /// Waits until it is not ready.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing; call it again.
    pub async fn not_ready(&mut self) {
        // An error means that the lifecycle is gone, so it is not ready either.
        let _gone = self.ready.wait_for(|ready| !*ready).await;
    }
}
