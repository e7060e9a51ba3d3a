use super::*;

/// How much is borne, and what then.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Bound {
    pub(in super::super) period: u64,
    pub(in super::super) restarts: u32,
    pub(in super::super) then: Then,
}

#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Then {
    Escalate,
    Pause(u64),
    StopChild,
}

impl Bound {
    pub(super) const NONE: Self = Self {
        period: 1,
        restarts: u32::MAX,
        then: Then::Escalate,
    };

    pub(in super::super) fn intensity(self) -> RestartIntensity {
        RestartIntensity::new(self.restarts, Duration::from_millis(self.period))
    }

    pub(in super::super) fn on_limit(self) -> OnLimit {
        match self.then {
            Then::Escalate => OnLimit::Escalate,
            Then::Pause(initial) => OnLimit::Pause(doubling(initial)),
            Then::StopChild => OnLimit::StopChild,
        }
    }
}

/// Counts by looking at all failures there ever were.
pub(super) struct Meter {
    bound: Bound,
    pauses: u32,
    times: Vec<u64>,
    pub(super) until: u64,
}

/// A failure, and when the child had been up before it.
pub(super) struct Blow {
    pub(super) at: u64,
    pub(super) calm_after: u64,
    pub(super) spans: Vec<(u64, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Answer {
    Bear,
    Escalate,
    Pause(u64),
    StopChild,
}

impl Answer {
    pub(super) const fn of_a_child(self) -> &'static str {
        match self {
            Self::Bear => "a failure within a child's limit",
            Self::Escalate => "an escalation by a child's limit",
            Self::Pause(_) => "a pause by a child's limit",
            Self::StopChild => "a child given up by its limit",
        }
    }
}

impl Meter {
    pub(super) const fn new(bound: Bound) -> Self {
        Self {
            bound,
            pauses: 0,
            times: Vec::new(),
            until: 0,
        }
    }

    pub(super) fn hit(&mut self, blow: &Blow) -> Answer {
        let calm = blow.calm_after;
        let is_calm = |(from, to): &(u64, u64)| to - from >= calm && *to >= self.until + calm;
        if self.pauses > 0 && blow.spans.iter().any(is_calm) {
            self.pauses = 0;
            self.times.clear();
        }
        if self.pauses > 0 && blow.at < self.until {
            return Answer::Pause(self.until - blow.at);
        }
        if self.pauses == 0 {
            self.times.push(blow.at);
            let recent = |at: &&u64| blow.at - **at <= self.bound.period;
            if self.times.iter().filter(recent).count() <= self.bound.restarts as usize {
                return Answer::Bear;
            }
        }
        match self.bound.then {
            Then::Escalate => Answer::Escalate,
            Then::Pause(initial) => {
                self.pauses += 1;
                let span = nth(initial, self.pauses);
                self.until = blow.at + span;
                Answer::Pause(span)
            }
            Then::StopChild => Answer::StopChild,
        }
    }
}

pub(super) fn nth(initial: u64, n: u32) -> u64 {
    initial << (n - 1).min(3)
}

pub(super) const fn doubling(initial: u64) -> Backoff {
    Backoff::exponential(
        Duration::from_millis(initial),
        Duration::from_millis(8 * initial),
    )
}
