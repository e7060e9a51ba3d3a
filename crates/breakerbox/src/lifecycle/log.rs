//! The log lines about a service: only here is decided which line tells of what, at which
//! level and with which fields. `docs/logging.md` lists them.

use tracing::{Level, event};

use super::Signal;
use crate::logging::{self, LIFECYCLE};

/// Writes a line about the service's tree, and about the signal that led to it.
macro_rules! line {
    ($level:ident, $tree:expr, $signal:expr, $message:literal) => {
        logging::write(|| {
            event!(
                target: LIFECYCLE,
                Level::$level,
                supervisor.name = $tree,
                signal.name = $signal.as_str(),
                $message
            );
        })
    };
}

/// Logs that the service was asked to end while its tree started.
pub(super) fn calling_off(tree: &str, signal: Signal) {
    line!(INFO, tree, signal, "calling the start off");
}

/// Logs that the service was asked to end.
pub(super) fn draining(tree: &str, signal: Signal) {
    line!(
        INFO,
        tree,
        signal,
        "not ready, serving on for the drain delay"
    );
}

/// Logs that the service was asked to end, and that its tree does so already.
pub(super) fn ends_already(tree: &str, signal: Signal) {
    line!(INFO, tree, signal, "the tree ends already");
}

/// Logs that the service was asked to end once more, and does so at once.
pub(super) fn killing(tree: &str, signal: Signal) {
    line!(WARN, tree, signal, "killing what is left");
}

/// Logs that the drain delay is over.
pub(super) fn stopping(tree: &str) {
    logging::write(|| {
        event!(target: LIFECYCLE, Level::INFO, supervisor.name = tree, "stopping the tree");
    });
}

/// Logs that a signal came twice, and does not count the second time.
pub(super) fn repeated(signal: Signal) {
    logging::write(|| {
        event!(
            target: LIFECYCLE,
            Level::INFO,
            signal.name = signal.as_str(),
            "repeated signal counts as one"
        );
    });
}

/// Logs that no signal counts as a repeated one any more.
pub(super) fn awaiting_another() {
    logging::write(|| {
        event!(target: LIFECYCLE, Level::DEBUG, "another signal kills what is left");
    });
}

/// Logs how the service ended: an error if its tree has failed.
pub(super) fn ended(tree: &str, signal: Option<Signal>, tree_did: Option<&str>, has_failed: bool) {
    macro_rules! line {
        ($level:ident, $message:literal) => {
            event!(
                target: LIFECYCLE,
                Level::$level,
                supervisor.name = tree,
                signal.name = signal.map(Signal::as_str),
                tree.end = tree_did,
                $message
            )
        };
    }
    logging::write(|| match has_failed {
        true => line!(ERROR, "service failed"),
        false => line!(INFO, "service ended"),
    });
}
