use std::time::Instant;

use crate::Generation;

/// Leave for one call, to be settled once.
///
/// It is neither `Copy` nor `Clone`: settling consumes it.
#[derive(Debug, Eq, PartialEq)]
#[must_use = "a ticket that is not settled tells the breaker nothing"]
pub struct Ticket {
    notice: Notice,
}

impl Ticket {
    /// The ticket of a call that was admitted like this, for who keeps it in
    /// another form meanwhile.
    pub const fn new(generation: Generation, role: Role) -> Self {
        Self {
            notice: Notice { generation, role },
        }
    }

    /// The generation it was admitted in.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.notice.generation
    }

    /// Whether its call is a probe, whose verdict decides about the recovery.
    #[must_use]
    pub const fn is_probe(&self) -> bool {
        matches!(self.notice.role, Role::Probe { .. })
    }

    /// What the owner is told of it, where the standing answer gave it out.
    pub const fn notice(&self) -> Notice {
        self.notice
    }

    /// All that is left of it once it is settled.
    pub(crate) const fn into_notice(self) -> Notice {
        self.notice
    }
}

/// Word of a ticket that was given out without asking the owner.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "a notice is for the owner"]
pub struct Notice {
    pub(crate) generation: Generation,
    pub(crate) role: Role,
}

impl Notice {
    /// The generation that the call was admitted in.
    #[must_use]
    pub const fn generation(self) -> Generation {
        self.generation
    }

    /// What the call is to the breaker.
    #[must_use]
    pub const fn role(self) -> Role {
        self.role
    }

    /// Whether its call holds a place that it may give back when it ends.
    #[must_use]
    pub const fn holds_place(self) -> bool {
        !matches!(self.role, Role::Plain)
    }
}

/// What a call is to the breaker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// One of those in flight, where they are counted.
    Counted,
    /// The one in flight that is one too many: it opens the breaker.
    Last,
    /// One of many.
    Plain,
    /// A probe.
    Probe {
        /// Two probes of the same instant have the same deadline, so this is all
        /// the identity that a probe needs.
        since: Instant,
    },
}
