//! A standing answer as one machine word.
//!
//! Most calls get their answer from a single load, so most answers must be the
//! same bits: plainly Closed is all zeros but for the generation.

use super::{InFlight, Look, Orphaned, Standing, WHOLE, Wake};
use crate::{Forced, Generation, RejectReason, State};

/// What a caller reads beside the word when it is told to look beyond it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Beside {
    /// The limit of calls in flight, where they are counted.
    pub limit: Option<u16>,
    /// How many calls of a hundred are admitted while Closed.
    pub share: u8,
}

/// `generation:32 free:7 count:16 look:1 wake:1 counted:1 orphaned:2 forced:2 state:2`.
///
/// The count is that of places in HalfOpen and of calls in flight in Closed.
impl Standing {
    /// The bits in which nothing but plainly Closed is zero.
    pub const ALL_BUT_GENERATION: u64 = (1 << GENERATION) - 1;
    /// Packs the answer into a word.
    #[must_use]
    pub const fn pack(self) -> u64 {
        let (state, count, counted) = match (self.state, self.in_flight) {
            (State::Closed, InFlight::Counted { calls, .. }) => (CLOSED, calls, COUNTED),
            (State::Closed, InFlight::Exceeded) => (CUT, 0, COUNTED),
            (State::Closed, InFlight::Uncounted { calls }) => (CLOSED, calls, 0),
            (State::HalfOpen, _) => (HALF_OPEN, self.places, 0),
            (State::Open, _) => (OPEN, 0, 0),
        };
        let forced = match self.forced {
            None => 0,
            Some(Forced::Closed) => FORCED_CLOSED,
            Some(Forced::Open) => FORCED_OPEN,
        };
        let orphaned = match self.orphaned {
            None => 0,
            Some(Orphaned::Admit) => ORPHANED_ADMIT,
            Some(Orphaned::Reject) => ORPHANED_REJECT,
        };
        let wake = match self.wake {
            Wake::Awake => 0,
            Wake::Asleep => 1,
        };
        let look = match self.look {
            Look::NoFurther => 0,
            Look::Beyond => 1,
        };
        self.generation.number() << GENERATION
            | (count as u64) << 9
            | look << 8
            | wake << 7
            | counted
            | orphaned << 4
            | forced << 2
            | state
    }

    /// Returns what the word has no room for.
    #[must_use]
    pub const fn beside(self) -> Beside {
        Beside {
            limit: self.in_flight.limit(),
            share: self.share,
        }
    }

    /// Returns the generation of a packed answer.
    #[must_use]
    pub const fn generation_of(word: u64) -> Generation {
        Generation::new(word >> GENERATION)
    }

    /// Returns why no call is admitted, where a packed answer says so by itself.
    ///
    /// None where calls may be admitted, and where something else takes part.
    #[must_use]
    pub const fn rejection_of(word: u64) -> Option<RejectReason> {
        match (word >> 4 & 0b11, word >> 2 & 0b11, word & 0b11) {
            (_, FORCED_OPEN, _) => Some(RejectReason::ForcedOpen),
            (ORPHANED_REJECT, ..) => Some(RejectReason::Orphaned),
            (0, 0, OPEN) => Some(RejectReason::Open),
            (0, 0, HALF_OPEN) if word >> 9 & COUNT == 0 => Some(RejectReason::HalfOpen),
            _ => None,
        }
    }

    /// Unpacks an answer, with what was read beside its word.
    #[must_use]
    pub const fn unpack(word: u64, beside: Beside) -> Self {
        let count = (word >> 9) as u16;
        let in_flight = match (word & 0b11, beside.limit) {
            (CUT, _) => InFlight::Exceeded,
            (CLOSED, Some(limit)) if word & COUNTED > 0 => InFlight::Counted {
                calls: count,
                limit,
            },
            (CLOSED, _) => InFlight::Uncounted { calls: count },
            _ => InFlight::Uncounted { calls: 0 },
        };
        let state = match word & 0b11 {
            CLOSED | CUT => State::Closed,
            HALF_OPEN => State::HalfOpen,
            _ => State::Open,
        };
        Self {
            forced: match word >> 2 & 0b11 {
                0 => None,
                FORCED_CLOSED => Some(Forced::Closed),
                _ => Some(Forced::Open),
            },
            generation: Self::generation_of(word),
            in_flight,
            look: if word >> 8 & 1 == 0 {
                Look::NoFurther
            } else {
                Look::Beyond
            },
            orphaned: match word >> 4 & 0b11 {
                0 => None,
                ORPHANED_ADMIT => Some(Orphaned::Admit),
                _ => Some(Orphaned::Reject),
            },
            places: match state {
                State::HalfOpen => count,
                State::Closed | State::Open => 0,
            },
            share: match state {
                State::Closed => beside.share,
                State::HalfOpen | State::Open => WHOLE,
            },
            state,
            wake: if word >> 7 & 1 == 0 {
                Wake::Awake
            } else {
                Wake::Asleep
            },
        }
    }
}

const CLOSED: u64 = 0;
const HALF_OPEN: u64 = 1;
const OPEN: u64 = 2;
/// Closed, and the limit of calls in flight was reached.
const CUT: u64 = 3;
const FORCED_CLOSED: u64 = 1;
const FORCED_OPEN: u64 = 2;
const ORPHANED_ADMIT: u64 = 1;
const ORPHANED_REJECT: u64 = 2;
const COUNT: u64 = u16::MAX as u64;
const COUNTED: u64 = 1 << 6;
const GENERATION: u32 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_packed_and_unpacked_is_the_same() {
        for state in [State::Closed, State::HalfOpen, State::Open] {
            for forced in [None, Some(Forced::Closed), Some(Forced::Open)] {
                for orphaned in [None, Some(Orphaned::Admit), Some(Orphaned::Reject)] {
                    for answer in answers(state, forced, orphaned) {
                        let unpacked = Standing::unpack(answer.pack(), answer.beside());
                        assert_eq!(unpacked, answer);
                    }
                }
            }
        }
    }

    #[test]
    fn what_a_word_rejects_by_itself_is_what_the_rule_says() {
        let mut rejected = Vec::new();
        for state in [State::Closed, State::HalfOpen, State::Open] {
            for forced in [None, Some(Forced::Closed), Some(Forced::Open)] {
                for orphaned in [None, Some(Orphaned::Admit), Some(Orphaned::Reject)] {
                    for answer in answers(state, forced, orphaned) {
                        let full = Standing {
                            places: 0,
                            ..answer
                        };
                        for answer in [answer, full] {
                            let reason = Standing::rejection_of(answer.pack());
                            let admitted = answer.admit(|| 0);
                            assert!(reason.is_none_or(|reason| admitted == Err(reason)));
                            rejected.extend(reason);
                        }
                    }
                }
            }
        }
        for reason in RejectReason::ALL {
            let takes_more = matches!(reason, RejectReason::InFlight | RejectReason::Ramp);
            assert_eq!(rejected.contains(&reason), !takes_more, "{reason}");
        }
    }

    #[test]
    fn plainly_closed_is_all_zeros_but_for_the_generation() {
        let plain = answers(State::Closed, None, None).filter(|answer| {
            answer.wake == Wake::Awake
                && answer.look == Look::NoFurther
                && answer.in_flight == InFlight::none(None)
        });
        for answer in plain {
            assert_eq!(answer.pack() & Standing::ALL_BUT_GENERATION, 0);
        }
    }

    /// All answers of these rulers, with the largest numbers.
    fn answers(
        state: State,
        forced: Option<Forced>,
        orphaned: Option<Orphaned>,
    ) -> impl Iterator<Item = Standing> {
        let most = u16::MAX;
        let in_flight = match state {
            State::Closed => vec![
                InFlight::none(None),
                InFlight::none(Some(2)),
                InFlight::Counted {
                    calls: most,
                    limit: most,
                },
                InFlight::Exceeded,
                InFlight::Uncounted { calls: most },
            ],
            State::HalfOpen | State::Open => vec![InFlight::none(None)],
        };
        let answer = move |in_flight, wake, look| Standing {
            forced,
            generation: Generation::new(u32::MAX.into()),
            in_flight,
            look,
            orphaned,
            places: if state == State::HalfOpen { most } else { 0 },
            share: if state == State::Closed { 1 } else { WHOLE },
            state,
            wake,
        };
        in_flight.into_iter().flat_map(move |in_flight| {
            [
                answer(in_flight, Wake::Awake, Look::NoFurther),
                answer(in_flight, Wake::Awake, Look::Beyond),
                answer(in_flight, Wake::Asleep, Look::NoFurther),
                answer(in_flight, Wake::Asleep, Look::Beyond),
            ]
        })
    }
}
