use std::panic::catch_unwind;
use std::time::Duration;

use super::{Exit, OnLimit, RestartIntensity};
use crate::Backoff;
use crate::span;

/// After which exits a child is restarted.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Restart {
    /// After every exit.
    Permanent,
    /// After every exit but a normal one.
    Transient,
    /// After none; once ended, also with its group, the child is forgotten.
    Temporary,
}

impl Restart {
    pub(super) const fn wants_another(self, exit: &Exit) -> bool {
        match self {
            Self::Permanent => true,
            Self::Transient => exit.is_abnormal(),
            Self::Temporary => false,
        }
    }
}

/// When and how often a child is restarted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "a policy does nothing until a child is added with it"]
pub struct ChildPolicy {
    pub(super) backoff: Option<Backoff>,
    pub(super) calm_after: Duration,
    pub(super) is_side_by_side: bool,
    pub(super) limit: Option<(RestartIntensity, OnLimit)>,
    pub(super) restart: Restart,
    pub(super) restart_if: Option<RestartIf>,
    pub(super) significance: Significance,
}

impl ChildPolicy {
    /// Permanent, at once, and limited by the supervisor's intensity alone.
    pub const fn new() -> Self {
        Self {
            backoff: None,
            calm_after: CALM_AFTER,
            is_side_by_side: false,
            limit: None,
            restart: Restart::Permanent,
            restart_if: None,
            significance: Significance::Ordinary,
        }
    }

    /// After which exits it is restarted; [`Restart::Permanent`] unless set.
    pub const fn restart(mut self, restart: Restart) -> Self {
        self.restart = restart;
        self
    }

    /// Restarts it after an abnormal exit only if `is_worth_it` says so of that.
    ///
    /// A restart type looks at the kind of an exit alone, but some errors are the
    /// same next time, such as a wrong password. After one for which the answer is
    /// no, the child is done, as a transient child is that ends normally: its end is
    /// [`Ending::Finished`](super::Ending::Finished), nobody is charged, and only its
    /// group or a command starts it again.
    ///
    /// It is not asked where nothing depends on the answer: after normal exits, of
    /// [temporary](Restart::Temporary) children, when a first incarnation does not
    /// come up, and while the children are being stopped. The supervisor calls it, so
    /// it must not block. A panic in it counts as yes.
    pub const fn restart_if(mut self, is_worth_it: fn(&Exit) -> bool) -> Self {
        self.restart_if = Some(RestartIf { is_worth_it });
        self
    }

    /// Returns whether the child is restarted after an exit that nobody asked for.
    pub(super) fn wants_another(&self, exit: &Exit) -> bool {
        let is_worth_it = |restart_if: RestartIf| restart_if.is_worth_it(exit);
        self.restart.wants_another(exit)
            && (!exit.is_abnormal() || self.restart_if.is_none_or(is_worth_it))
    }

    /// Lets it stop at the same time as its neighbours, when all are shut down.
    ///
    /// Children are stopped one after another, in reverse order, because a later
    /// one may need an earlier one until it is down. Where that is not so, as in a
    /// set of connections, one that takes long to stop need not delay the others:
    /// children that were added one after another and all stop side by side are
    /// stopped together, at most 1,000 at a time. They still wait for those behind
    /// them, and those ahead wait for them.
    ///
    /// The restart of a group is not concerned.
    pub const fn side_by_side(mut self) -> Self {
        self.is_side_by_side = true;
        self
    }

    /// A limit of its own, which is looked at before the supervisor's.
    ///
    /// A failure beyond it is not charged to the supervisor where the child
    /// alone is given up or paused, so that one bad child cannot use up the
    /// restarts of its siblings. One within it is charged to both.
    pub const fn intensity(mut self, intensity: RestartIntensity, on_limit: OnLimit) -> Self {
        self.limit = Some((intensity, on_limit));
        self
    }

    /// The same, unless it has a limit of its own already.
    pub const fn or_intensity(self, intensity: RestartIntensity, on_limit: OnLimit) -> Self {
        match self.limit {
            None => self.intensity(intensity, on_limit),
            Some(_) => self,
        }
    }

    /// How long to wait before the n-th restart in a row; not at all unless set.
    pub const fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = Some(backoff);
        self
    }

    /// How long it must be up for its backoff to begin anew; a minute unless set.
    ///
    /// A restart that a pause let through has succeeded after it, too.
    ///
    /// # Panics
    ///
    /// If the span is zero or longer than 100 years.
    pub const fn calm_after(mut self, uptime: Duration) -> Self {
        self.calm_after = span::checked(uptime);
        self
    }

    /// Its end can be the end of its supervisor; see [`AutoShutdown`].
    ///
    /// OTP refuses a permanent child that is significant, for it never ends by
    /// itself. Here it can be given up, so it is allowed, and counts then.
    ///
    /// [`AutoShutdown`]: super::AutoShutdown
    pub const fn significant(mut self) -> Self {
        self.significance = Significance::Significant;
        self
    }
}

impl Default for ChildPolicy {
    fn default() -> Self {
        Self::new()
    }
}

/// The user's word on which abnormal exits are worth a restart.
///
/// Two are equal when they are the same function, which the compiler may merge with
/// another one of the same code.
#[derive(Clone, Copy, Debug, Eq)]
pub(super) struct RestartIf {
    is_worth_it: fn(&Exit) -> bool,
}

impl RestartIf {
    /// Asks the user's function, whose panic must not take down the supervisor.
    fn is_worth_it(self, exit: &Exit) -> bool {
        catch_unwind(|| (self.is_worth_it)(exit)).unwrap_or(true)
    }
}

impl PartialEq for RestartIf {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::fn_addr_eq(self.is_worth_it, other.is_worth_it)
    }
}

/// Whether a child's end can be the end of its supervisor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Significance {
    Ordinary,
    Significant,
}

/// Longer than most backoffs wait at most, so that a child which fails as soon
/// as it gets work still climbs them.
const CALM_AFTER: Duration = Duration::from_secs(60);
