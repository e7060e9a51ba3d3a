//! The log lines about a breaker: only here is decided which line tells of what, at
//! which level and with which fields. `docs/logging.md` lists them.

use breakerbox_core::{FailureKind, Orphaned, State, Transition};
use tracing::{Level, event};

use crate::LastFailure;
use crate::logging::{self, BREAKER};

/// Logs a change of state; a warning if the breaker opens.
pub(super) fn changed(breaker: &str, transition: &Transition, failure: Option<&LastFailure>) {
    macro_rules! line {
        ($level:ident) => {
            event!(
                target: BREAKER,
                Level::$level,
                breaker.name = breaker,
                breaker.from = transition.from.as_str(),
                breaker.to = transition.to.as_str(),
                trip.reason = transition.reason.as_str(),
                failure.kind = failure.and_then(|it| it.kind).map(FailureKind::as_str),
                failure.text = failure.and_then(|it| it.text.as_deref()),
                "breaker changed state"
            )
        };
    }
    logging::write(|| match transition.to {
        State::Open => line!(WARN),
        State::Closed | State::HalfOpen => line!(INFO),
    });
}

/// Logs that an owner that was stuck has left out so many events.
pub(super) fn missed(breaker: &str, events: u64) {
    logging::write(|| {
        event!(
            target: BREAKER,
            Level::WARN,
            breaker.name = breaker,
            breaker.events_missed = events,
            "breaker told nothing while its owner was stuck"
        );
    });
}

/// Logs that a breaker has lost its owner for good, but nobody has the breaker.
pub(super) fn orphaned(breaker: &str, choice: Orphaned) {
    logging::write(|| {
        event!(
            target: BREAKER,
            Level::DEBUG,
            breaker.name = breaker,
            breaker.admits = matches!(choice, Orphaned::Admit),
            "breaker has no owner any more"
        );
    });
}

/// Logs that a breaker has lost its owner for good while somebody has the breaker.
pub(super) fn orphaned_in_use(breaker: &str, choice: Orphaned) {
    logging::write(|| {
        event!(
            target: BREAKER,
            Level::WARN,
            breaker.name = breaker,
            breaker.admits = matches!(choice, Orphaned::Admit),
            "breaker has no owner any more, and is still in use"
        );
    });
}
