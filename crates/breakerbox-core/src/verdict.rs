use std::time::Duration;

use crate::Outcome;

/// What became of an attempt that a pool made at one of its endpoints.
///
/// An [`Outcome`] judges the endpoint; this also says whether another endpoint
/// may be asked instead. The difference that matters is whether the request can
/// have been carried out: gRPC's retry design (A6) and Envoy's `retry_on` draw
/// the same line.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Verdict {
    /// An error that every endpoint would answer with, such as "bad request".
    /// It says nothing about the endpoint.
    Final,
    /// It failed before anything was sent: no connection, a refused stream.
    NotSent,
    /// The endpoint is up but asks to be left alone: 429, or 503 with
    /// `Retry-After`. That is busy, not broken, so it is no failure.
    Pushback {
        /// For how long; None where this call must not be repeated at all.
        retry_after: Option<Duration>,
    },
    /// It failed, and may have been carried out all the same: a timeout, a
    /// connection that broke, an internal error.
    Sent,
    /// The endpoint did its job.
    Success,
}

impl Verdict {
    /// What the endpoint's breaker hears of it.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Final | Self::Pushback { .. } => Outcome::Ignored,
            Self::NotSent | Self::Sent => Outcome::failure(),
            Self::Success => Outcome::Success,
        }
    }

    /// What a breaker hears of it that belongs to no pool.
    ///
    /// A pool leaves a busy endpoint alone. Without one nobody does but the
    /// breaker, so pushback is a failure there, with its advice.
    #[must_use]
    pub const fn outcome_without_pool(self) -> Outcome {
        match self {
            Self::Pushback { retry_after } => Outcome::Failure {
                kind: None,
                retry_after,
            },
            Self::Final | Self::NotSent | Self::Sent | Self::Success => self.outcome(),
        }
    }
}

/// Whether a call may be made again after an attempt that did not work.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Repeat {
    /// After whatever another endpoint may do better: twice is as good as once.
    Idempotent,
    /// Never.
    Never,
    /// Only when nothing was sent.
    Unsent,
}

impl Repeat {
    /// Whether a call of this kind may be made again after `verdict`.
    #[must_use]
    pub const fn allows(self, verdict: Verdict) -> bool {
        match (self, verdict) {
            (_, Verdict::Success | Verdict::Final) | (Self::Never, _) => false,
            (_, Verdict::Pushback { retry_after: None }) => false,
            (Self::Unsent, Verdict::NotSent) => true,
            (Self::Unsent, Verdict::Sent | Verdict::Pushback { .. }) => false,
            (Self::Idempotent, _) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r53_who_may_run_again_after_what() {
        let later = Verdict::Pushback {
            retry_after: Some(Duration::from_secs(1)),
        };
        let never = Verdict::Pushback { retry_after: None };
        for (verdict, after_never, after_unsent, after_idempotent) in [
            (Verdict::Success, false, false, false),
            (Verdict::Final, false, false, false),
            (Verdict::NotSent, false, true, true),
            (Verdict::Sent, false, false, true),
            (later, false, false, true),
            (never, false, false, false),
        ] {
            assert_eq!(Repeat::Never.allows(verdict), after_never, "{verdict:?}");
            assert_eq!(Repeat::Unsent.allows(verdict), after_unsent, "{verdict:?}");
            assert_eq!(
                Repeat::Idempotent.allows(verdict),
                after_idempotent,
                "{verdict:?}"
            );
        }
    }

    #[test]
    fn r54_pushback_is_no_failure_of_the_endpoint() {
        let busy = Verdict::Pushback {
            retry_after: Some(Duration::from_secs(1)),
        };
        assert_eq!(busy.outcome(), Outcome::Ignored);
        let alone = Outcome::failure_after(Duration::from_secs(1));
        assert_eq!(busy.outcome_without_pool(), alone);
        assert_eq!(Verdict::Final.outcome(), Outcome::Ignored);
        assert_eq!(Verdict::Final.outcome_without_pool(), Outcome::Ignored);
        assert_eq!(Verdict::NotSent.outcome(), Outcome::failure());
        assert_eq!(Verdict::Sent.outcome(), Outcome::failure());
        assert_eq!(Verdict::Success.outcome(), Outcome::Success);
    }
}
