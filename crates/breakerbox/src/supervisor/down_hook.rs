use breakerbox_core::Ending;

use super::living::contained_call;

/// Tells one listener, once, that a child will not live again.
///
/// It cannot be lost: dropped untold, it says that the supervisor is gone.
pub(super) struct DownHook {
    hook: Option<Hook>,
}

type Hook = Box<dyn FnOnce(Ending) + Send>;

impl DownHook {
    pub(super) const fn none() -> Self {
        Self { hook: None }
    }

    pub(super) fn new(hook: impl FnOnce(Ending) + Send + 'static) -> Self {
        Self {
            hook: Some(Box::new(hook)),
        }
    }

    pub(super) fn tell(&mut self, why: Ending) {
        if let Some(hook) = self.hook.take()
            && let Err(panic) = contained_call(|| hook(why))
        {
            tracing::error!(panic, "being told that a child is down panicked");
        }
    }
}

impl Drop for DownHook {
    fn drop(&mut self) {
        self.tell(Ending::ShutDown);
    }
}
