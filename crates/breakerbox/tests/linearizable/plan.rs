use std::time::Duration;

use breakerbox::Outcome;

/// How a history begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Start {
    Closed,
    HalfOpen,
}

impl Start {
    pub(crate) fn draw(rng: &mut fastrand::Rng) -> Self {
        if rng.u8(..4) == 0 {
            Self::HalfOpen
        } else {
            Self::Closed
        }
    }
}

/// What a thread does, one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// Makes a call; when it returns the breaker has decided.
    Call(Outcome),
    /// Makes a call and does not wait for the decision.
    Forget(Outcome),
    /// Kills the owner.
    Kill,
}

impl Step {
    pub(crate) fn is_kill(&self) -> bool {
        matches!(self, Self::Kill)
    }
}

/// Up to five calls of up to four threads: ten operations.
pub(crate) fn draw(rng: &mut fastrand::Rng) -> [Vec<Step>; 4] {
    let mut programs: [Vec<Step>; 4] = Default::default();
    let threads = rng.usize(2..=4);
    for _ in 0..5 {
        let outcome = outcome(rng);
        let step = if rng.u8(..8) == 0 {
            Step::Forget(outcome)
        } else {
            Step::Call(outcome)
        };
        programs[rng.usize(..threads)].push(step);
    }
    if rng.u8(..16) == 0 {
        let program = &mut programs[rng.usize(..threads)];
        program.insert(rng.usize(..=program.len()), Step::Kill);
    }
    programs
}

fn outcome(rng: &mut fastrand::Rng) -> Outcome {
    match rng.u8(..16) {
        0 => Outcome::Ignored,
        1..=6 => Outcome::Success,
        // One that is always reported.
        7..=8 => Outcome::failure_after(Duration::from_secs(1)),
        _ => Outcome::failure(),
    }
}
