use breakerbox::{Decision, OwnedPermit, PoolPermit, Verdict};

use crate::replay::Delivery;

/// The permit of a call whose answer has begun, to be settled at its end.
///
/// Dropped unsettled, its call counts as abandoned.
#[derive(Debug)]
#[must_use = "dropped at once, it abandons its call"]
pub struct Unsettled {
    /// None where nobody knows how much of the request was sent.
    delivery: Option<Delivery>,
    permit: Permit,
}

#[derive(Debug)]
enum Permit {
    Breaker(OwnedPermit),
    Pool(PoolPermit),
}

impl Unsettled {
    /// The permit of a call that may still be sending its request.
    pub(crate) const fn of_delivery(permit: PoolPermit, delivery: Delivery) -> Self {
        Self {
            delivery: Some(delivery),
            permit: Permit::Pool(permit),
        }
    }

    /// The answer ended like this. It is recorded at once; await it to know that
    /// the breaker has decided.
    ///
    /// An answer that broke while a [`PoolService`](crate::PoolService) was still
    /// sending the request counts as [`Verdict::Ambiguous`].
    pub fn settle(self, verdict: Verdict) -> Decision {
        let verdict = match self.delivery {
            Some(delivery) => delivery.judge(verdict),
            None => verdict,
        };
        match self.permit {
            Permit::Breaker(permit) => permit.settle(verdict.outcome_without_pool()),
            Permit::Pool(permit) => permit.settle(verdict),
        }
    }
}

impl From<OwnedPermit> for Unsettled {
    fn from(permit: OwnedPermit) -> Self {
        Self {
            delivery: None,
            permit: Permit::Breaker(permit),
        }
    }
}

impl From<PoolPermit> for Unsettled {
    fn from(permit: PoolPermit) -> Self {
        Self {
            delivery: None,
            permit: Permit::Pool(permit),
        }
    }
}
