use std::fmt;

/// What a breaker does with calls, unless an [`Override`](crate::Override) says otherwise.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum State {
    /// Admits all calls and watches how they end.
    Closed,
    /// Admits a few probes to learn whether the other side has recovered.
    HalfOpen,
    /// Admits none until its time is over.
    Open,
}

impl State {
    /// The name on the wire: `closed`, `half_open` or `open`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The span between two changes of a breaker's state, numbered from 1.
///
/// A verdict counts only in the generation that admitted its call: this is what
/// keeps a straggler from the outage from deciding about the recovery.
///
/// Numbers have 32 bits and wrap around, so a permit that is older by exactly
/// 2^32 generations would be taken for one of the living one. A breaker whose
/// probes all fail begins two generations for each opening: at an
/// [`open_for`](crate::BreakerConfig::open_for) of a second that takes 68 years,
/// at a millisecond 25 days.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Generation(u64);

impl Generation {
    /// The generation that a breaker is created in.
    pub const FIRST: Self = Self(1);

    /// The generation with this number, of which 32 bits count.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number & NUMBERS)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    pub(crate) const fn next(self) -> Self {
        Self::new(self.0 + 1)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

const NUMBERS: u64 = (1 << 32) - 1;
