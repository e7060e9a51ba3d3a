use std::fmt;

use breakerbox_core::Ending;

use super::{catch, log};

/// A function that is called once, when it is certain that a child, or a supervisor,
/// stays down.
///
/// The call cannot be lost: dropping it uncalled, as with a recipe that is
/// refused, calls it.
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

    pub(super) fn call(&mut self, why: Ending) {
        if let Some(hook) = self.hook.take()
            && let Err(panic) = catch::call(|| hook(why))
        {
            log::hook_panicked(&panic);
        }
    }
}

impl fmt::Debug for DownHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DownHook").finish_non_exhaustive()
    }
}

impl Drop for DownHook {
    fn drop(&mut self) {
        self.call(Ending::ShutDown);
    }
}
