//! The log lines about a supervisor itself; those about its children are in
//! `published/child_entry/log.rs`. `docs/logging.md` lists them.

use tracing::{Level, event};

use crate::logging::{self, SUPERVISOR};
use crate::text::start_of;

/// Logs that a supervisor was killed, and so many children with it.
pub(super) fn killed(supervisor: &str, children: usize) {
    logging::write(|| {
        event!(
            target: SUPERVISOR,
            Level::WARN,
            supervisor.name = supervisor,
            supervisor.children = children,
            "supervisor was killed"
        );
    });
}

/// Logs that the time for the end of a supervisor is over, and so many children are left.
pub(super) fn out_of_time(supervisor: &str, children: usize) {
    logging::write(|| {
        event!(
            target: SUPERVISOR,
            Level::WARN,
            supervisor.name = supervisor,
            supervisor.children = children,
            "supervisor did not stop in time"
        );
    });
}

/// Logs that a value of the user's panicked when it was dropped.
pub(super) fn drop_panicked(panic: &str) {
    logging::write(|| {
        event!(
            target: SUPERVISOR,
            Level::WARN,
            panic = start_of(panic, LONGEST_TEXT),
            "dropping what a child left panicked"
        );
    });
}

/// Logs that a hook of ours panicked, which it must not.
pub(super) fn hook_panicked(panic: &str) {
    logging::write(|| {
        event!(
            target: SUPERVISOR,
            Level::ERROR,
            panic = start_of(panic, LONGEST_TEXT),
            "the hook for a child that is down panicked"
        );
    });
}

/// Logs that the system has no thread for the watchdog, so nobody is nudged.
pub(super) fn no_watchdog(error: &std::io::Error) {
    logging::write(|| {
        event!(target: SUPERVISOR, Level::WARN, %error, "no thread for the watchdog");
    });
}

/// Enough for an error with its causes.
pub(super) const LONGEST_TEXT: usize = 1_024;
