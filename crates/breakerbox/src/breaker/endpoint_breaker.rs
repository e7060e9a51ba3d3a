use std::ops::Deref;
use std::sync::Arc;

use super::Shared;

/// A pool's hold on the breaker of one of its endpoints.
///
/// It keeps the breaker from being retired, as any hold does. But the box has pools of
/// its own accord, so a pool alone does not mean that anybody uses the breaker.
#[derive(Debug)]
pub(crate) struct EndpointBreaker {
    shared: Arc<Shared>,
}

impl EndpointBreaker {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        shared.add_pool();
        Self { shared }
    }
}

impl Clone for EndpointBreaker {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.shared))
    }
}

impl Deref for EndpointBreaker {
    type Target = Arc<Shared>;

    fn deref(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Drop for EndpointBreaker {
    fn drop(&mut self) {
        self.shared.remove_pool();
    }
}
