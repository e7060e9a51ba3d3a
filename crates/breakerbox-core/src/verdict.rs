use std::time::Duration;

use crate::{FailureKind, Outcome};

/// What became of an attempt that a pool made at one of its endpoints.
///
/// An [`Outcome`] judges the endpoint; this also says whether another endpoint may
/// be asked instead, and how much one call can prove. The difference that matters for
/// the first is whether the request can have been carried out: gRPC's retry design
/// (A6) and Envoy's `retry_on` draw the same line. What matters for the second is
/// who else has a part in how a call ends: its client, and this process.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Verdict {
    /// The exchange broke off while its client had a part in it: the client had
    /// stopped reading, or was still sending. One such call judges nobody. Calls of
    /// three different clients in a row that break so at one endpoint, and at none of
    /// its siblings, are that endpoint's failure.
    Ambiguous,
    /// An answer that is about the request or about who made it, such as "bad
    /// request" or "too many of you": every endpoint would give it. It says nothing
    /// about the endpoint.
    Final,
    /// The endpoint limits this process as a whole, or the key that the call belongs
    /// to: 429 from an upstream with one account. The endpoint is not asked again on
    /// behalf of that key before `retry_after` has passed.
    Limited {
        /// How long the limit lasts, zero if the endpoint does not say; None where
        /// this call must not be repeated at all.
        retry_after: Option<Duration>,
    },
    /// It failed before anything was sent: no connection, a refused stream.
    NotSent,
    /// Nothing was sent because this process is out of something: files, ports,
    /// memory, or its own limits. That is no endpoint's failure.
    OutOfResources,
    /// The endpoint is up but asks to be left alone: 503 with `Retry-After`. That is
    /// busy, not broken, so it is no failure.
    Pushback {
        /// For how long; None where this call must not be repeated at all.
        retry_after: Option<Duration>,
    },
    /// It failed without an answer, and may have been carried out all the same: a
    /// timeout, a connection that broke.
    Sent,
    /// The endpoint answered that it failed: HTTP 500, gRPC `INTERNAL`. The request
    /// may have been carried out, and another request may fare better.
    ServerError(FailureKind),
    /// The endpoint did its job.
    Success,
}

impl Verdict {
    /// Returns what the endpoint's breaker learns of it.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Ambiguous
            | Self::Final
            | Self::Limited { .. }
            | Self::OutOfResources
            | Self::Pushback { .. } => Outcome::Ignored,
            Self::NotSent => Outcome::failure_of(FailureKind::REFUSED),
            Self::Sent => Outcome::failure_of(FailureKind::BROKEN),
            Self::ServerError(kind) => Outcome::failure_of(kind),
            Self::Success => Outcome::Success,
        }
    }

    /// Returns what a breaker learns of it that belongs to no pool.
    ///
    /// A pool leaves a busy endpoint alone. Without one nobody does but the
    /// breaker, so pushback is a failure there, with its advice.
    #[must_use]
    pub const fn outcome_without_pool(self) -> Outcome {
        match self {
            Self::Limited { retry_after } | Self::Pushback { retry_after } => Outcome::Failure {
                kind: None,
                retry_after,
            },
            _ => self.outcome(),
        }
    }

    /// Returns whether the endpoint answered, be it that it failed: a status was
    /// received.
    #[must_use]
    pub const fn is_answer(self) -> bool {
        match self {
            Self::Final
            | Self::Limited { .. }
            | Self::Pushback { .. }
            | Self::ServerError(_)
            | Self::Success => true,
            Self::Ambiguous | Self::NotSent | Self::OutOfResources | Self::Sent => false,
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
            (
                _,
                Verdict::Limited { retry_after: None } | Verdict::Pushback { retry_after: None },
            ) => false,
            (Self::Unsent, verdict) => {
                matches!(verdict, Verdict::NotSent | Verdict::OutOfResources)
            }
            (Self::Idempotent, _) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUSY: Option<Duration> = Some(Duration::from_secs(1));

    const ERROR: Verdict = Verdict::ServerError(FailureKind::named("500"));

    #[test]
    fn r53_who_may_run_again_after_what() {
        let limited = |retry_after| Verdict::Limited { retry_after };
        let pushback = |retry_after| Verdict::Pushback { retry_after };
        for (verdict, after_never, after_unsent, after_idempotent) in [
            (Verdict::Ambiguous, false, false, true),
            (Verdict::Final, false, false, false),
            (limited(BUSY), false, false, true),
            (limited(None), false, false, false),
            (Verdict::NotSent, false, true, true),
            (Verdict::OutOfResources, false, true, true),
            (pushback(BUSY), false, false, true),
            (pushback(None), false, false, false),
            (Verdict::Sent, false, false, true),
            (ERROR, false, false, true),
            (Verdict::Success, false, false, false),
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
    fn r60_only_what_is_the_endpoints_own_doing_counts_against_it() {
        let (failed, ignored) = (Outcome::failure_of, Outcome::Ignored);
        let asked = Outcome::failure_after(Duration::from_secs(1));
        let (limited, pushback) = (
            Verdict::Limited { retry_after: BUSY },
            Verdict::Pushback { retry_after: BUSY },
        );
        for (verdict, in_pool, alone, is_answer) in [
            (Verdict::Ambiguous, ignored, ignored, false),
            (Verdict::Final, ignored, ignored, true),
            (limited, ignored, asked, true),
            (
                Verdict::NotSent,
                failed(FailureKind::REFUSED),
                failed(FailureKind::REFUSED),
                false,
            ),
            (Verdict::OutOfResources, ignored, ignored, false),
            (pushback, ignored, asked, true),
            (
                Verdict::Sent,
                failed(FailureKind::BROKEN),
                failed(FailureKind::BROKEN),
                false,
            ),
            (
                ERROR,
                failed(FailureKind::named("500")),
                failed(FailureKind::named("500")),
                true,
            ),
            (Verdict::Success, Outcome::Success, Outcome::Success, true),
        ] {
            assert_eq!(verdict.outcome(), in_pool, "{verdict:?}");
            assert_eq!(verdict.outcome_without_pool(), alone, "{verdict:?}");
            assert_eq!(verdict.is_answer(), is_answer, "{verdict:?}");
        }
    }
}
