use std::time::Instant;

use crate::Generation;

/// Leave for one call, to be settled once.
///
/// It is neither `Copy` nor `Clone`: settling consumes it.
#[derive(Debug, Eq, PartialEq)]
#[must_use = "a ticket that is not settled tells the breaker nothing"]
pub struct Ticket {
    generation: Generation,
    probe_since: Option<Instant>,
}

impl Ticket {
    pub(crate) const fn plain(generation: Generation) -> Self {
        Self {
            generation,
            probe_since: None,
        }
    }

    pub(crate) const fn probe(generation: Generation, since: Instant) -> Self {
        Self {
            generation,
            probe_since: Some(since),
        }
    }

    /// The generation it was admitted in.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// Whether its call is a probe, whose verdict decides about the recovery.
    #[must_use]
    pub const fn is_probe(&self) -> bool {
        self.probe_since.is_some()
    }

    /// What the owner is told of it, where the standing answer gave it out.
    pub const fn notice(&self) -> Notice {
        Notice {
            generation: self.generation,
            probe_since: self.probe_since,
        }
    }

    /// All that is left of it once it is settled.
    pub(crate) const fn into_notice(self) -> Notice {
        self.notice()
    }
}

/// Word of a ticket that was given out without asking the owner.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "a notice is for the owner"]
pub struct Notice {
    pub(crate) generation: Generation,
    /// When the call was admitted, if it is a probe.
    ///
    /// Two probes of the same instant have the same deadline, so this is all
    /// the identity that a probe needs.
    pub(crate) probe_since: Option<Instant>,
}
