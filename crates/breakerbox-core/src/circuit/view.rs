use std::sync::Arc;
use std::time::Instant;

use super::{Circuit, Phase};
use crate::counts::Sums;
use crate::standing::WHOLE;
use crate::{
    ActiveOverride, BreakerConfig, Counts, Forced, Generation, InFlight, Look, Reason, Standing,
    State, Transition, Wake,
};

/// What a circuit shows of itself.
impl Circuit {
    /// What callers may be told until the next input or deadline.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let (in_flight, share) = match &self.phase {
            Phase::Closed(closed) => (closed.in_flight, closed.share()),
            Phase::HalfOpen(_) | Phase::Open { .. } => (InFlight::none(None), WHOLE),
        };
        let says_all = in_flight.limit().is_none() && share == WHOLE && !self.config.is_timed();
        Standing {
            forced: self.forced(),
            generation: self.generation,
            in_flight,
            look: if says_all {
                Look::NoFurther
            } else {
                Look::Beyond
            },
            orphaned: None,
            places: match &self.phase {
                Phase::HalfOpen(probes) => probes.free_places(),
                Phase::Closed(_) | Phase::Open { .. } => 0,
            },
            share,
            state: self.state(),
            wake: if self.verdicts.is_asleep() {
                Wake::Asleep
            } else {
                Wake::Awake
            },
        }
    }

    /// When the standing answer changes by itself: an opening, an override or a
    /// step of the ramp ends.
    ///
    /// It does not tell of an overdue probe, which changes the answer too.
    #[must_use]
    pub fn standing_until(&self) -> Option<Instant> {
        let state_until = match &self.phase {
            Phase::Closed(closed) => closed.next_deadline(),
            Phase::HalfOpen(_) => None,
            Phase::Open { until } => Some(*until),
        };
        let expires = self.override_until();
        expires.into_iter().chain(state_until).min()
    }

    /// From when on a rejected call is worth another try, where that is known.
    #[must_use]
    pub fn retry_at(&self) -> Option<Instant> {
        let forced_until = match &self.overriding {
            Some(word) if word.forced() == Forced::Open => Some(word.expires_at()?),
            Some(_) | None => None,
        };
        let open_until = match self.phase {
            Phase::Open { until } => Some(until),
            Phase::Closed(_) | Phase::HalfOpen(_) => None,
        };
        forced_until.max(open_until)
    }

    /// The state beneath any override.
    #[must_use]
    pub const fn state(&self) -> State {
        match self.phase {
            Phase::Closed(_) => State::Closed,
            Phase::HalfOpen(_) => State::HalfOpen,
            Phase::Open { .. } => State::Open,
        }
    }

    /// The configuration in use.
    pub fn config(&self) -> &Arc<BreakerConfig> {
        &self.config
    }

    /// The verdicts in the window.
    ///
    /// HalfOpen counts from its start. An Open breaker keeps those that opened
    /// it, and adds the calls that an override admits meanwhile.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.verdicts.counts()
    }

    /// How many times in a row it has opened, less the healthy spans since.
    #[must_use]
    pub fn openings(&self) -> u32 {
        self.openings_remembered()
    }

    /// Returns whether it could be forgotten, and made again on request, without losing
    /// anything that counts.
    ///
    /// While Closed that is what is in the window, past openings that are still
    /// remembered, and the ramp; a HalfOpen breaker has nothing that is worth keeping
    /// for a name that nobody asks for. Never while Open, or under an override.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        let is_blank_beneath = match &self.phase {
            Phase::Closed(closed) => {
                let is_seen = self.counts().judged() > 0 || self.openings_remembered() > 0;
                !is_seen && closed.climb.is_none()
            }
            Phase::HalfOpen(_) => true,
            Phase::Open { .. } => false,
        };
        is_blank_beneath && self.overriding.is_none()
    }

    /// The generation that calls are admitted in.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// The latest change of its state.
    #[must_use]
    pub fn last_transition(&self) -> Option<&Transition> {
        self.last_transition.as_deref()
    }

    /// Returns why it opened last, whatever happened since; None while it is Closed.
    #[must_use]
    pub const fn opened_by(&self) -> Option<Reason> {
        self.opened_by
    }

    /// The verdicts of its whole life, without those that came late.
    #[must_use]
    pub const fn totals(&self) -> Sums {
        self.totals
    }

    /// Verdicts that came after the generation of their call, in its whole life.
    #[must_use]
    pub const fn late(&self) -> u64 {
        self.late
    }

    /// The override in force.
    #[must_use]
    pub const fn overriding(&self) -> Option<&ActiveOverride> {
        self.overriding.as_ref()
    }
}
