use std::time::Duration;

use breakerbox_core::{
    Abandoned, Backoff, BreakerConfig, Counts, Ratio, TripPolicy, TripReason, Window,
};

use crate::draw::Draw;

/// A configuration, as plain as the promises speak of it.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) abandoned: Abandoned,
    pub(crate) cap: Duration,
    pub(crate) factor: u32,
    pub(crate) healthy_span: Duration,
    pub(crate) initial: Duration,
    pub(crate) jitter: u32,
    pub(crate) longest: Duration,
    pub(crate) probe_deadline: Option<Duration>,
    pub(crate) probes: u16,
    pub(crate) signals: Vec<Signal>,
    pub(crate) span: Span,
}

/// Which verdicts count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Span {
    Fixed(Duration),
    Last(u32),
    Rolling(Duration, u16),
    Unbounded,
}

/// What opens a breaker.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    Custom,
    InRow(u32),
    Rate { millionths: u32, min_calls: u32 },
}

impl Plan {
    pub(crate) fn draw(draw: &mut Draw) -> Self {
        let initial = draw.span();
        Self {
            abandoned: match draw.below(3) {
                0 => Abandoned::Ignored,
                1 => Abandoned::Failure,
                _ => Abandoned::FailureAfter(draw.span()),
            },
            cap: draw.span(),
            factor: draw.up_to(3),
            healthy_span: draw.span(),
            initial,
            jitter: if draw.one_in(5) { draw.up_to(100) } else { 0 },
            longest: initial + 3 * draw.span(),
            probe_deadline: (!draw.one_in(5)).then(|| draw.span()),
            probes: draw.choose(&[(1, 1), (1, 2), (1, 3)]),
            span: Span::draw(draw),
            signals: (0..draw.up_to(3)).map(|_| Signal::draw(draw)).collect(),
        }
    }

    pub(crate) fn config(&self) -> BreakerConfig {
        let policies = self.signals.iter().map(|signal| signal.policy());
        let window = match self.span {
            Span::Fixed(span) => Window::fixed(span),
            Span::Last(calls) => Window::last(calls),
            Span::Rolling(span, slices) => Window::rolling(span, slices),
            Span::Unbounded => Window::unbounded(),
        };
        let config = BreakerConfig::new()
            .abandoned(self.abandoned)
            .healthy_span(self.healthy_span)
            .open_for(self.backoff())
            .probes(self.probes)
            .retry_after_cap(self.cap)
            .trip_on(
                policies
                    .reduce(TripPolicy::or)
                    .expect("a plan has a signal"),
            )
            .window(window);
        match self.probe_deadline {
            Some(span) => config.probe_deadline(span),
            None => config.without_probe_deadline(),
        }
    }

    pub(crate) fn with_span(&self, span: Span) -> Self {
        Self {
            span,
            ..self.clone()
        }
    }

    pub(crate) fn backoff(&self) -> Backoff {
        Backoff::exponential(self.initial, self.longest)
            .factor(self.factor)
            .jitter(Ratio::percent(self.jitter))
    }

    /// Whether a signal needs more calls than the window can hold.
    pub(crate) fn contradicts_itself(&self) -> bool {
        let Span::Last(calls) = self.span else {
            return false;
        };
        self.signals.iter().any(|signal| match *signal {
            Signal::Custom => false,
            Signal::InRow(needed) => needed > calls,
            Signal::Rate { min_calls, .. } => min_calls > calls,
        })
    }

    /// The signal that these counts reach, if any.
    pub(crate) fn trips_on(&self, counts: &Counts) -> Option<TripReason> {
        let judged = counts.successes + counts.failures;
        let reached = |signal: &Signal| {
            let (reached, reason) = match *signal {
                Signal::Custom => (lopsided(counts), TripReason::Custom),
                Signal::InRow(failures) => (
                    counts.consecutive_failures >= u64::from(failures),
                    TripReason::ConsecutiveFailures,
                ),
                Signal::Rate {
                    millionths,
                    min_calls,
                } => (
                    judged >= u64::from(min_calls)
                        && counts.failures * 1_000_000 >= judged * u64::from(millionths),
                    TripReason::FailureRate,
                ),
            };
            reached.then_some(reason)
        };
        // Custom ones are asked where no other one has opened it.
        let (custom, built_in): (Vec<_>, Vec<_>) =
            (self.signals.iter()).partition(|signal| matches!(signal, Signal::Custom));
        built_in.into_iter().chain(custom).find_map(reached)
    }
}

impl Span {
    pub(crate) fn draw(draw: &mut Draw) -> Self {
        match draw.below(4) {
            0 => Self::Unbounded,
            1 => Self::Fixed(draw.span()),
            2 => Self::Last(draw.up_to(10) + 1),
            _ => Self::Rolling(draw.span(), draw.choose(&[(1, 1), (1, 2), (1, 3), (1, 5)])),
        }
    }
}

impl Signal {
    fn draw(draw: &mut Draw) -> Self {
        match draw.below(3) {
            0 => Self::InRow(draw.up_to(5)),
            1 => Self::Rate {
                millionths: match draw.below(4) {
                    0 => 333_334,
                    1 => 666_667,
                    _ => draw.up_to(100) * 10_000,
                },
                min_calls: draw.up_to(7),
            },
            _ => Self::Custom,
        }
    }

    fn policy(self) -> TripPolicy {
        match self {
            Self::Custom => TripPolicy::custom(lopsided),
            Self::InRow(failures) => TripPolicy::consecutive_failures(failures),
            Self::Rate {
                millionths,
                min_calls,
            } => TripPolicy::failure_rate(Ratio::parts_per_million(millionths), min_calls),
        }
    }
}

/// A policy of the user's own: failures far outweigh successes.
fn lopsided(counts: &Counts) -> bool {
    counts.failures >= counts.successes * 2 + 3
}
