use std::fmt;
use std::time::Instant;

use super::Health;

/// Which endpoint of one roster; never used for a second one.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EndpointId(pub(super) u64);

/// What a roster must know of an endpoint to begin with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "a spec does nothing until an endpoint is added with it"]
pub struct EndpointSpec {
    pub(super) tier: u8,
    pub(super) weight: u16,
}

impl EndpointSpec {
    /// In the best tier, with a weight of 1.
    pub const fn new() -> Self {
        Self { tier: 0, weight: 1 }
    }

    /// The tier it is in; 0 is the best.
    pub const fn tier(mut self, tier: u8) -> Self {
        self.tier = tier;
        self
    }

    /// How much of its tier's load it takes, beside the others' weights.
    ///
    /// # Panics
    ///
    /// If it is zero: disable an endpoint that shall get nothing.
    pub const fn weight(mut self, weight: u16) -> Self {
        assert!(weight > 0, "an endpoint's weight is at least 1");
        self.weight = weight;
        self
    }
}

impl Default for EndpointSpec {
    fn default() -> Self {
        Self::new()
    }
}

/// What the operator wants of an endpoint.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Duty {
    /// It gets no calls until it is enabled.
    Disabled,
    /// It gets no new calls, because it is to be removed.
    Draining,
    /// It gets calls.
    Enabled,
}

/// Whether an endpoint may be used, and if not, why.
///
/// Where several reasons hold, it is the first of these.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum EndpointStatus {
    /// The operator disabled it.
    Disabled,
    /// It gets no new calls, because it is to be removed.
    Draining,
    /// Its breaker rejects.
    Open,
    /// It fails its health checks.
    Unhealthy,
    /// Its breaker admits probes.
    HalfOpen,
    /// It failed more often than its peers.
    Ejected {
        /// Until when.
        until: Instant,
    },
    /// It may be used.
    Available,
}

impl EndpointStatus {
    /// Whether it may be used as any other.
    #[must_use]
    pub const fn is_available(self) -> bool {
        matches!(self, Self::Available)
    }

    /// Whether it is used when its tier panics: what speaks against it may be
    /// wrong. An open breaker is a fact, and so is the operator's word.
    pub(super) const fn is_usable_in_panic(self) -> bool {
        matches!(
            self,
            Self::Available | Self::Ejected { .. } | Self::Unhealthy
        )
    }
}

impl fmt::Display for EndpointStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Available => "available",
            Self::Disabled => "disabled",
            Self::Draining => "draining",
            Self::Ejected { .. } => "ejected",
            Self::HalfOpen => "half open",
            Self::Open => "open",
            Self::Unhealthy => "unhealthy",
        })
    }
}

/// An endpoint as its roster knows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct EndpointView {
    /// How often in a row it was ejected, less the healthy sweeps since.
    pub ejections: u32,
    /// What its health checks say.
    pub health: Health,
    /// Which it is.
    pub id: EndpointId,
    /// How many of a hundred calls it gets, of those that it would get: less
    /// than all while it comes back.
    pub share: u8,
    /// Since when it has its status.
    pub since: Instant,
    /// Whether it may be used.
    pub status: EndpointStatus,
    /// The tier it is in.
    pub tier: u8,
    /// Its weight within the tier.
    pub weight: u16,
}
