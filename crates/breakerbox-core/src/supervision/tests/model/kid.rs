use super::*;

/// What a child is added with, in the model's and in the machine's words.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Draft {
    /// Doubles up to eight times itself.
    pub(in super::super) backoff: Option<u64>,
    pub(in super::super) bound: Option<Bound>,
    /// It does not come back after an error.
    pub(in super::super) fatal_errors: bool,
    pub(in super::super) restart: Restart,
    pub(in super::super) side_by_side: bool,
    pub(in super::super) significant: bool,
}

impl Draft {
    pub(in super::super) fn policy(self) -> ChildPolicy {
        let mut policy = ChildPolicy::new()
            .restart(self.restart)
            .calm_after(Duration::from_millis(self.calm_after()));
        if let Some(initial) = self.backoff {
            policy = policy.backoff(meter::doubling(initial));
        }
        if let Some(bound) = self.bound {
            policy = policy.intensity(bound.intensity(), bound.on_limit());
        }
        if self.fatal_errors {
            policy = policy.restart_if(|exit| !matches!(exit, Exit::Error(_)));
        }
        if self.side_by_side {
            policy = policy.side_by_side();
        }
        if self.significant {
            policy = policy.significant();
        }
        policy
    }

    pub(super) const fn calm_after(self) -> u64 {
        3_000
    }

    pub(super) fn comes_back_after(self, exit: &Exit) -> bool {
        match exit {
            Exit::Normal => self.restart == Restart::Permanent,
            _ => !self.is_temporary() && !self.is_hopeless_after(exit),
        }
    }

    pub(super) fn is_hopeless_after(self, exit: &Exit) -> bool {
        self.fatal_errors && !self.is_temporary() && matches!(exit, Exit::Error(_))
    }

    pub(super) fn is_temporary(self) -> bool {
        self.restart == Restart::Temporary
    }
}

pub(super) struct Kid {
    pub(super) draft: Draft,
    pub(super) ever_up: bool,
    pub(super) failing: u32,
    pub(super) life: Life,
    pub(super) meter: Meter,
    pub(super) number: u64,
    /// From when to when it was up, since its last failure that was charged.
    pub(super) spans: Vec<(u64, u64)>,
    pub(super) up_since: u64,
}

impl Kid {
    pub(super) fn new(draft: Draft) -> Self {
        Self {
            draft,
            ever_up: false,
            failing: 0,
            life: Life::Turn,
            meter: Meter::new(draft.bound.unwrap_or(Bound::NONE)),
            number: 0,
            spans: Vec::new(),
            up_since: 0,
        }
    }

    pub(super) fn back_off(&mut self) -> Option<u64> {
        self.failing += 1;
        let failing = self.failing;
        self.draft
            .backoff
            .map(|initial| meter::nth(initial, failing))
    }

    pub(super) fn is_forgotten_after(&self, why: &str) -> bool {
        matches!(why, "removed" | "start failed") || why == "finished" && self.draft.is_temporary()
    }

    pub(super) fn phase(&self) -> Phase {
        match self.life {
            Life::Turn | Life::Starting => Phase::Starting,
            Life::Up => Phase::Up,
            Life::Ending | Life::Stopping(..) => Phase::Stopping,
            Life::EndingStuck | Life::Stuck(..) => Phase::Stuck,
            Life::Held(Some((Nap::Pause, _))) | Life::Asleep(Nap::Pause, _) => Phase::Paused,
            Life::Held(_) | Life::Asleep(..) => Phase::BackingOff,
            Life::Down(_) => Phase::Down,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Life {
    Turn,
    Starting,
    Up,
    Ending,
    Held(Option<(Nap, u64)>),
    Asleep(Nap, u64),
    /// Why, and whether it comes back.
    Stopping(&'static str, bool),
    EndingStuck,
    /// Why, and whether it comes back.
    Stuck(&'static str, bool),
    Down(&'static str),
}

impl Life {
    /// Whether nobody waits for its end any more.
    pub(super) const fn is_done(self) -> bool {
        matches!(self, Self::Down(_) | Self::Stuck(_, false))
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Nap {
    Backoff,
    Pause,
}
