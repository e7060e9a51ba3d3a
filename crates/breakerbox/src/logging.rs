//! Log lines run a subscriber, which is the user's code.
//!
//! A subscriber may panic, and would then end whatever has something to say: a
//! supervisor, the owner of a breaker, a call. So every line is written in here, and
//! never while a lock of ours is held, as a subscriber may also call back.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// The target of the lines about breakers and boxes.
pub(crate) const BREAKER: &str = "breakerbox::breaker";

/// The target of the lines about a service from its start to its end.
pub(crate) const LIFECYCLE: &str = "breakerbox::lifecycle";

/// The target of the lines about pools and their endpoints.
pub(crate) const POOL: &str = "breakerbox::pool";

/// The target of the lines about supervisors and their children.
pub(crate) const SUPERVISOR: &str = "breakerbox::supervisor";

/// Writes lines to the log; a subscriber that panics costs those lines and no more.
pub(crate) fn write(lines: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(lines)) {
        // There is nobody to tell, and the payload may panic again when it is dropped.
        std::mem::forget(panic);
    }
}
