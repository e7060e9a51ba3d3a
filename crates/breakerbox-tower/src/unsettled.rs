use breakerbox::{Decision, Outcome, OwnedPermit, PoolPermit, Verdict};

/// The permit of a call whose answer has begun, to be settled at its end.
///
/// Dropped unsettled, its call counts as abandoned.
#[derive(Debug)]
#[must_use = "dropped at once, it abandons its call"]
pub struct Unsettled {
    permit: Permit,
}

#[derive(Debug)]
enum Permit {
    Breaker(OwnedPermit),
    Pool(PoolPermit),
}

impl Unsettled {
    /// The answer ended like this. It is recorded at once; await it to know that
    /// the breaker has decided.
    pub fn settle(self, verdict: Verdict) -> Decision {
        match self.permit {
            Permit::Breaker(permit) => permit.settle(outcome(verdict)),
            Permit::Pool(permit) => permit.settle(verdict),
        }
    }
}

impl From<OwnedPermit> for Unsettled {
    fn from(permit: OwnedPermit) -> Self {
        Self {
            permit: Permit::Breaker(permit),
        }
    }
}

impl From<PoolPermit> for Unsettled {
    fn from(permit: PoolPermit) -> Self {
        Self {
            permit: Permit::Pool(permit),
        }
    }
}

/// What a breaker without a pool hears.
///
/// A pool leaves a busy endpoint alone. Without one nobody does but the breaker,
/// so pushback is a failure there, and the next opening as long as was asked.
pub(crate) const fn outcome(verdict: Verdict) -> Outcome {
    match verdict {
        Verdict::Pushback { retry_after } => Outcome::Failure { retry_after },
        other => other.outcome(),
    }
}
