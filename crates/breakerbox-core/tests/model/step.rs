use std::fmt;
use std::time::Duration;

use breakerbox_core::Forced;
use proptest::prelude::*;

use crate::draw::Draw;
use crate::plan::{Plan, Span};

/// A breaker's configuration and what happens to it.
#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(crate) plan: Plan,
    pub(crate) seed: u64,
    pub(crate) steps: Vec<Step>,
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}, {:?}", self.seed, self.plan)?;
        for (place, step) in self.steps.iter().enumerate() {
            writeln!(f, "{place:>3} {:?} {:?}", step.when, step.input)?;
        }
        Ok(())
    }
}

/// One input, and the time it comes with.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) input: Input,
    pub(crate) when: When,
}

impl Step {
    fn draw(draw: &mut Draw) -> Self {
        Self {
            when: When::draw(draw),
            input: Input::draw(draw),
        }
    }
}

/// What the circuit is told.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    Acquire(Way),
    /// A call that is over as soon as it is admitted.
    Call(Verdict),
    Force {
        expires_after: Option<Duration>,
        forced: Forced,
    },
    /// Nothing but the time.
    Pass,
    Reconfigure(Box<Plan>),
    Release,
    /// Nothing of the configuration but the window.
    Resize(Span),
    Reset,
    /// All of the configuration but the window.
    Retune(Box<Plan>),
    /// One of the calls in flight ends.
    Settle {
        verdict: Verdict,
        which: u32,
    },
}

impl Input {
    fn draw(draw: &mut Draw) -> Self {
        match draw.below(88) {
            0..12 => Self::Pass,
            12..36 => Self::Acquire(draw.choose(&[(1, Way::Directly), (1, Way::ByStanding)])),
            36..56 => Self::Call(Verdict::draw(draw)),
            56..80 => Self::Settle {
                which: draw.below(256),
                verdict: Verdict::draw(draw),
            },
            80..82 => Self::Force {
                forced: draw.choose(&[(3, Forced::Closed), (1, Forced::Open)]),
                expires_after: (!draw.one_in(3)).then(|| draw.span()),
            },
            82..84 => Self::Release,
            84 => Self::Reset,
            85 => Self::Resize(Span::draw(draw)),
            86 => Self::Reconfigure(Box::new(Plan::draw(draw))),
            _ => Self::Retune(Box::new(Plan::draw(draw))),
        }
    }
}

/// How admission is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    /// By the standing answer, as callers do.
    ByStanding,
    /// By the circuit itself.
    Directly,
}

/// How a call ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verdict {
    Abandon,
    Fail,
    FailAndAsk(Duration),
    Ignore,
    Succeed,
}

impl Verdict {
    fn draw(draw: &mut Draw) -> Self {
        match draw.below(21) {
            0..8 => Self::Fail,
            8..16 => Self::Succeed,
            16..18 => Self::Ignore,
            18..20 => Self::Abandon,
            _ => Self::FailAndAsk(2 * draw.span()),
        }
    }
}

/// When an input comes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    /// At the next deadline.
    AtDeadline,
    /// One nanosecond after it.
    AfterDeadline,
    /// As long before the latest instant that was told.
    Back(Duration),
    /// One nanosecond before the next deadline.
    BeforeDeadline,
    Later(Duration),
    /// A minute later, or so: long enough for many deadlines.
    MuchLater(Duration),
    Now,
}

impl When {
    fn draw(draw: &mut Draw) -> Self {
        match draw.below(24) {
            0..10 => Self::Now,
            10..13 => Self::AtDeadline,
            13 => Self::AfterDeadline,
            14 => Self::BeforeDeadline,
            15 => Self::Back(draw.span()),
            16 => Self::Later(draw.span()),
            17 => Self::MuchLater(7 * draw.span()),
            _ => Self::Later(Duration::from_nanos(draw.up_to(3_000_000_000).into())),
        }
    }
}

pub(crate) fn histories() -> impl Strategy<Value = History> {
    let steps = prop::collection::vec(any::<u128>(), 0..=2 * USUAL_LENGTH);
    (any::<u128>(), any::<u64>(), steps).prop_map(|(plan, seed, steps)| History {
        plan: Plan::draw(&mut Draw::from(plan)),
        seed,
        steps: steps
            .into_iter()
            .map(|step| Step::draw(&mut Draw::from(step)))
            .collect(),
    })
}

/// How many steps a history has, on average.
pub(crate) const USUAL_LENGTH: usize = 100;
