//! The log lines about a child: only here is decided which line tells of what, at which
//! level and with which fields. `docs/logging.md` lists them.

use breakerbox_core::{ChildStatus, Exit, Incarnation, Phase};
use tracing::{Level, enabled, event};

use super::super::super::log::LONGEST_TEXT;
use super::super::super::{Departure, Shutdown};
use super::ChildEntry;
use super::history::{History, LeftOut, Weight};
use crate::logging::{self, SUPERVISOR};
use crate::text::start_of;
use crate::{clock, lock};

/// Writes a line about a child if the function `admitted` returns what was left out.
///
/// Where nobody reads lines of its level, the function is not called.
macro_rules! line {
    ($level:ident, $child:expr, $facts:expr, $admitted:expr, $message:literal) => {{
        let (child, facts): (&ChildEntry, Facts<'_>) = ($child, $facts);
        logging::write(|| {
            if enabled!(target: SUPERVISOR, Level::$level)
                && let Some(left_out) = $admitted()
            {
                event!(
                    target: SUPERVISOR,
                    Level::$level,
                    supervisor.name = child.place.name(),
                    child.name = &*child.name,
                    child.path = &*child.place.path_of(&child.name),
                    child.incarnation = facts.incarnation.number(),
                    exit.kind = facts.exit.map(Exit::kind),
                    exit.text = facts.exit.and_then(text_of),
                    restart.count = facts.restarts,
                    log.suppressed = (left_out.lines > 0).then_some(left_out.lines),
                    $message
                );
            }
        });
    }};
}

/// What a line says about a child, beside its place and its name.
#[derive(Clone, Copy)]
struct Facts<'a> {
    exit: Option<&'a Exit>,
    incarnation: Incarnation,
    restarts: Option<u64>,
}

impl<'a> Facts<'a> {
    const fn of_exit(incarnation: Incarnation, exit: &'a Exit) -> Self {
        Self {
            exit: Some(exit),
            incarnation,
            restarts: None,
        }
    }

    const fn of_status(status: &'a ChildStatus) -> Self {
        Self {
            exit: status.last_exit.as_ref(),
            incarnation: status.incarnation,
            restarts: Some(status.restarts),
        }
    }
}

impl ChildEntry {
    /// Logs an exit as whoever runs the incarnation reports it.
    ///
    /// An end that the supervisor has asked for is logged by [`log_stop`](Self::log_stop),
    /// but an error or a panic is logged wherever it is seen first.
    pub(in super::super::super) fn log_own_exit(&self, incarnation: Incarnation, exit: &Exit) {
        let is_failure = !matches!(exit, Exit::Killed | Exit::Normal);
        let facts = Facts::of_exit(incarnation, exit);
        match self.phase() {
            Phase::Stopping | Phase::Down if !is_failure => {}
            // Too late for the line that says what was left out.
            Phase::Down => {
                let admitted = || self.admit_late_exit(incarnation);
                line!(WARN, self, facts, admitted, "child exited");
            }
            _ => self.log_exit(incarnation, exit),
        }
    }

    /// Logs an exit that nobody in the tree has asked for.
    pub(in super::super::super) fn log_exit(&self, incarnation: Incarnation, exit: &Exit) {
        let facts = Facts::of_exit(incarnation, exit);
        if exit.is_abnormal() {
            let admitted = || self.admit_exit(incarnation, Weight::Warning);
            line!(WARN, self, facts, admitted, "child exited");
        } else {
            let admitted = || self.admit_exit(incarnation, Weight::Information);
            line!(INFO, self, facts, admitted, "child exited");
        }
    }

    /// Logs how an incarnation ended that its supervisor has asked to end.
    pub(in super::super::super) fn log_stop(
        &self,
        incarnation: Incarnation,
        exit: &Exit,
        departure: Departure,
        shutdown: Shutdown,
    ) {
        let facts = Facts::of_exit(incarnation, exit);
        match (departure, exit, shutdown) {
            (Departure::Stuck, ..) => {
                let admitted = || self.admit(Weight::Warning);
                line!(WARN, self, facts, admitted, "child is stuck");
            }
            (Departure::Killed, Exit::Killed, Shutdown::Within(_)) => {
                let admitted = || self.admit_exit(incarnation, Weight::Warning);
                line!(WARN, self, facts, admitted, "child did not stop in time");
            }
            (Departure::Killed, Exit::Killed, Shutdown::Kill) | (_, Exit::Normal, _) => {
                let admitted = || Some(LeftOut::default());
                line!(DEBUG, self, facts, admitted, "child stopped");
            }
            // Killed by somebody else while it was to stop, or failed over it.
            _ => self.log_exit(incarnation, exit),
        }
    }

    pub(in super::super::super) fn log_restarted(&self, status: &ChildStatus) {
        let facts = Facts::of_status(status);
        let admitted = || self.admit(Weight::Information);
        line!(INFO, self, facts, admitted, "child restarted");
    }

    pub(in super::super::super) fn log_gave_up(&self, status: &ChildStatus) {
        let (facts, left_out) = (Facts::of_status(status), || Some(self.take_left_out()));
        line!(ERROR, self, facts, left_out, "gave up on child");
    }

    pub(in super::super::super) fn log_escalated(&self, status: &ChildStatus) {
        let (facts, left_out) = (Facts::of_status(status), || Some(self.take_left_out()));
        line!(
            ERROR,
            self,
            facts,
            left_out,
            "supervisor stops because of child"
        );
    }

    pub(in super::super::super) fn log_finished(&self, status: &ChildStatus) {
        let (facts, left_out) = (Facts::of_status(status), || Some(LeftOut::default()));
        line!(
            INFO,
            self,
            facts,
            left_out,
            "supervisor finishes with child"
        );
    }

    /// Logs how many lines were left out that no other line has told of, as the child
    /// is down or nobody is left to supervise it.
    pub(in super::super::super) fn log_left_out(&self) {
        let LeftOut { lines, warnings } = self.with_history(|history| history.left_out());
        if lines == 0 {
            return;
        }
        let status = self.status();
        let (facts, left_out) = (Facts::of_status(&status), || Some(self.take_left_out()));
        if warnings > 0 {
            line!(
                WARN,
                self,
                facts,
                left_out,
                "lines about child were left out"
            );
        } else {
            line!(
                INFO,
                self,
                facts,
                left_out,
                "lines about child were left out"
            );
        }
    }

    /// Admits a line, unless there were too many of late.
    fn admit(&self, weight: Weight) -> Option<LeftOut> {
        let now = clock::now();
        self.with_new_history(|history| history.admit(weight, now))
    }

    /// Admits the line about an exit, unless it was told or there were too many.
    fn admit_exit(&self, incarnation: Incarnation, weight: Weight) -> Option<LeftOut> {
        let now = clock::now();
        self.with_new_history(|history| {
            let is_news = history.tells_exit_of(incarnation);
            is_news.then(|| history.admit(weight, now)).flatten()
        })
    }

    /// Admits the line about the exit of a child that is down, unless it was told.
    fn admit_late_exit(&self, incarnation: Incarnation) -> Option<LeftOut> {
        self.with_new_history(|history| {
            let is_news = history.tells_exit_of(incarnation);
            is_news.then(|| history.take_left_out())
        })
    }

    fn take_left_out(&self) -> LeftOut {
        self.with_history(History::take_left_out)
    }

    fn with_new_history<T>(&self, act: impl FnOnce(&mut History) -> T) -> T {
        lock::with(&self.history, |history| {
            act(history.get_or_insert_with(Box::default))
        })
    }

    /// Reads or changes the history; a child without one has left nothing out.
    fn with_history(&self, act: impl FnOnce(&mut History) -> LeftOut) -> LeftOut {
        lock::with(&self.history, |history| {
            history.as_deref_mut().map(act).unwrap_or_default()
        })
    }
}

/// Returns what an exit says, up to a bound: an error may quote a whole answer.
fn text_of(exit: &Exit) -> Option<&str> {
    match exit {
        Exit::Error(text) | Exit::InitFailed(text) | Exit::Panicked(text) => {
            Some(start_of(text, LONGEST_TEXT))
        }
        _ => None,
    }
}
