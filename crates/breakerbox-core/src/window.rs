use std::fmt;
use std::time::Duration;

use crate::span;

mod verdicts;

pub(crate) use verdicts::Verdicts;

/// Which verdicts a Closed breaker remembers when it judges.
///
/// A verdict counts from when its call ended, however long the call took, so a
/// call that hangs for longer than the window still counts in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Window(pub(crate) Shape);

impl Window {
    /// One window after another, each forgetting the one before.
    ///
    /// The first begins when the breaker closes, each later one with the first
    /// call or verdict after the one before has ended. Cheap and crude: a burst
    /// of failures that straddles an end is seen in two halves.
    ///
    /// # Panics
    ///
    /// If the span is zero or longer than 100 years.
    #[must_use]
    pub const fn fixed(span: Duration) -> Self {
        Self(Shape::Fixed {
            span: span::checked(span),
        })
    }

    /// The last `calls` successes and failures.
    ///
    /// It really slides: each new verdict pushes out the oldest. Ignored calls
    /// take no place in it, so they are counted since the breaker closed.
    ///
    /// # Panics
    ///
    /// Unless there are 1 to 1 048 576 calls.
    #[must_use]
    pub const fn last(calls: u32) -> Self {
        assert!(
            calls > 0 && calls <= MAX_CALLS,
            "a window of last calls holds 1 to 1 048 576"
        );
        Self(Shape::Last { calls })
    }

    /// The last `span`, which moves on by one of its `slices` at a time.
    ///
    /// The slices are aligned to when the breaker closed. The newest one is
    /// still filling, so what counts is between `slices - 1` slices and all.
    ///
    /// # Panics
    ///
    /// If the span is zero or longer than 100 years, or unless there are 1 to
    /// 1 024 slices.
    #[must_use]
    pub const fn rolling(span: Duration, slices: u16) -> Self {
        assert!(
            slices > 0 && slices <= MAX_SLICES,
            "a rolling window has 1 to 1 024 slices"
        );
        Self(Shape::Rolling {
            span: span::checked(span),
            slices,
        })
    }

    /// Everything since the breaker closed.
    ///
    /// Only sound with a policy that forgets by itself, as failures in a row
    /// do: a rate over all time needs ever more failures to be reached.
    #[must_use]
    pub const fn unbounded() -> Self {
        Self(Shape::Unbounded)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Shape::Fixed { span } => write!(f, "a fixed {span:?}"),
            Shape::Last { calls } => write!(f, "the last {calls} calls"),
            Shape::Rolling { span, slices } => write!(f, "a rolling {span:?} in {slices} slices"),
            Shape::Unbounded => f.write_str("all calls since it closed"),
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shape {
    Fixed { span: Duration },
    Last { calls: u32 },
    Rolling { span: Duration, slices: u16 },
    Unbounded,
}

pub(crate) const MAX_CALLS: u32 = 1 << 20;
pub(crate) const MAX_SLICES: u16 = 1 << 10;
