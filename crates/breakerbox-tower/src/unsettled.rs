use breakerbox::{Decision, OwnedPermit, PoolPermit, Verdict};

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
            Permit::Breaker(permit) => permit.settle(verdict.outcome_without_pool()),
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
