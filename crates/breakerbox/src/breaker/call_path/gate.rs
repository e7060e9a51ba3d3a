//! The owner's standing answer to "may I?", in one atomic word.
//!
//! Asking a mailbox for leave costs a microsecond, queues without bound, and
//! makes a crashed owner an outage. So the owner publishes its answer, callers
//! work out their own admission from it, and nobody waits for anybody.
//!
//! # Invariants
//!
//! 1. Every change of the word is a read-modify-write, so no place in HalfOpen is
//!    given out twice and none is lost.
//! 2. The owner changes the places of a generation only when it begins it; after
//!    that they belong to the callers.
//! 3. Once orphaned, it stays so until a new owner publishes.

use std::time::Instant;

use breakerbox_core::{
    Admission, Forced, Generation, InFlight, Notice, Orphaned, Outcome, RejectReason, Standing,
    State, Ticket, Wake,
};

use crate::Rejected;
use crate::moment::Moment;
use crate::sync::{AtomicU64, Ordering};

#[derive(Debug)]
pub(super) struct Gate {
    /// When a rejected call may come back, in the bits of a `Moment`. Only a hint: it is read after the word, not with it.
    retry_at: AtomicU64,
    word: AtomicU64,
}

impl Gate {
    pub(super) fn new(standing: Standing) -> Self {
        Self {
            retry_at: AtomicU64::new(Moment::bits(None)),
            word: AtomicU64::new(encode(standing)),
        }
    }

    /// The answer that most calls get, read off the word as it is.
    ///
    /// It is what [`admit`](Self::admit) says, at a tenth of the price.
    #[inline]
    pub(super) fn glance(&self) -> Glance {
        // Acquire: as in `admit`.
        let word = self.word.load(Ordering::Acquire);
        if word & ALL_BUT_GENERATION == 0 {
            Glance::Admitted(Generation::new(word >> 31))
        } else if word & RULERS == OPEN {
            Glance::Rejected(self.rejected(RejectReason::Open))
        } else {
            Glance::Unclear
        }
    }

    /// Admits a call or says why not; never waits.
    pub(super) fn admit(&self) -> Result<Admitted, Rejected> {
        // Acquire: who is admitted in a generation has seen what began it.
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            let standing = decode(word);
            let admission = standing
                .admit(draw)
                .map_err(|reason| self.rejected(reason))?;
            let Some(next) = admission.becomes() else {
                return Ok(Admitted {
                    admission,
                    generation: standing.generation,
                });
            };
            // AcqRel: a place taken comes after the word it was taken from, and
            // before whatever the next one to change the word does.
            match self.word.compare_exchange_weak(
                word,
                encode(next),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => {
                    return Ok(Admitted {
                        admission,
                        generation: standing.generation,
                    });
                }
                Err(changed) => word = changed,
            }
        }
    }

    /// Gives a probe's place back, if its generation still lasts.
    pub(super) fn hand_back(&self, notice: Notice, outcome: Outcome) {
        self.change(|standing| standing.hand_back(notice, outcome));
    }

    /// Sets what the owner says from now on.
    pub(super) fn publish(&self, standing: Standing, retry_at: Option<Instant>) {
        let nanos = Moment::bits(retry_at.map(Moment::of));
        // Relaxed: a hint, and the word's release comes after it.
        self.retry_at.store(nanos, Ordering::Relaxed);
        self.change(|current| {
            let begun = current.generation == standing.generation;
            let places = if begun {
                current.places
            } else {
                standing.places
            };
            Some(Standing { places, ..standing })
        });
    }

    /// Sets what callers get from now on because there is no owner any more.
    pub(super) fn orphan(&self, choice: Orphaned) {
        self.change(|standing| {
            Some(Standing {
                orphaned: Some(choice),
                ..standing
            })
        });
    }

    pub(super) fn standing(&self) -> Standing {
        // Acquire: who sees a state has seen what led to it.
        decode(self.word.load(Ordering::Acquire))
    }

    /// From when on a rejected call is worth another try, where that is known.
    #[inline]
    pub(super) fn retry_at(&self) -> Option<Moment> {
        // Relaxed: a hint.
        Moment::from_bits(self.retry_at.load(Ordering::Relaxed))
    }

    #[inline]
    fn rejected(&self, reason: RejectReason) -> Rejected {
        let hint = match reason {
            RejectReason::ForcedOpen | RejectReason::Open => self.retry_at(),
            _ => None,
        };
        Rejected::new(reason, hint)
    }

    fn change(&self, mut change: impl FnMut(Standing) -> Option<Standing>) {
        // AcqRel on success: it both sees what earlier changes published and
        // publishes what led to this one. A change that does not apply is none.
        let _unchanged = self
            .word
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                change(decode(word)).map(encode)
            });
    }
}

/// What can be said at a glance.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::breaker) enum Glance {
    /// Admitted as one of many in this generation.
    Admitted(Generation),
    /// Not admitted.
    Rejected(Rejected),
    /// It must be worked out by the rule.
    Unclear,
}

/// A call that was let through.
#[derive(Clone, Copy, Debug)]
pub(in crate::breaker) struct Admitted {
    admission: Admission,
    generation: Generation,
}

impl Admitted {
    pub(in crate::breaker) fn ticket(self, now: impl FnOnce() -> Instant) -> Ticket {
        self.admission.ticket(self.generation, now)
    }

    /// Whether the owner must hear of it.
    pub(in crate::breaker) fn is_news(self) -> bool {
        self.admission.is_news()
    }
}

/// A number from 0 to 99, for a breaker that admits a part of the calls.
fn draw() -> u8 {
    fastrand::u8(..100)
}

/// `generation:32 withheld:7 counted:1 places:16 wake:1 orphaned:2 forced:2 state:2`;
/// the top bit is free. Plainly Closed, and all calls admitted, is all zeros but
/// for the generation.
fn encode(standing: Standing) -> u64 {
    let state = match standing.state {
        State::Closed => 0,
        State::HalfOpen => 1,
        State::Open => 2,
    };
    let forced = match standing.forced {
        None => 0,
        Some(Forced::Closed) => 1,
        Some(Forced::Open) => 2,
    };
    let orphaned = match standing.orphaned {
        None => 0,
        Some(Orphaned::Admit) => 1,
        Some(Orphaned::Reject) => 2,
    };
    let wake = match standing.wake {
        Wake::Awake => 0,
        Wake::Asleep => 1,
    };
    let counted = match standing.in_flight {
        InFlight::Counted => 1,
        InFlight::Uncounted => 0,
    };
    let withheld = u64::from(100 - standing.share);
    let generation = standing.generation.number() & GENERATIONS;
    generation << 31
        | withheld << 24
        | counted << 23
        | u64::from(standing.places) << 7
        | wake << 6
        | orphaned << 4
        | forced << 2
        | state
}

fn decode(word: u64) -> Standing {
    Standing {
        forced: match word >> 2 & 3 {
            0 => None,
            1 => Some(Forced::Closed),
            _ => Some(Forced::Open),
        },
        generation: Generation::new(word >> 31),
        in_flight: if word >> 23 & 1 == 0 {
            InFlight::Uncounted
        } else {
            InFlight::Counted
        },
        orphaned: match word >> 4 & 3 {
            0 => None,
            1 => Some(Orphaned::Admit),
            _ => Some(Orphaned::Reject),
        },
        places: (word >> 7) as u16,
        share: 100 - (word >> 24 & 127) as u8,
        state: match word & 3 {
            0 => State::Closed,
            1 => State::HalfOpen,
            _ => State::Open,
        },
        wake: if word >> 6 & 1 == 0 {
            Wake::Awake
        } else {
            Wake::Asleep
        },
    }
}

/// Generations are kept in 32 bits: at one change a second, 136 years.
const GENERATIONS: u64 = (1 << 32) - 1;
const ALL_BUT_GENERATION: u64 = (1 << 31) - 1;
/// Where orphaned, forced and state stand, and how they stand when Open rules.
const RULERS: u64 = 0b11_1111;
const OPEN: u64 = 2;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn standing(state: State, places: u16) -> Standing {
        Standing {
            forced: None,
            generation: Generation::new(7),
            in_flight: InFlight::Uncounted,
            orphaned: None,
            places,
            share: 100,
            state,
            wake: Wake::Awake,
        }
    }

    #[test]
    fn what_is_published_is_what_is_read() {
        for state in [State::Closed, State::HalfOpen, State::Open] {
            for forced in [None, Some(Forced::Closed), Some(Forced::Open)] {
                for orphaned in [None, Some(Orphaned::Admit), Some(Orphaned::Reject)] {
                    for wake in [Wake::Awake, Wake::Asleep] {
                        let generation = Generation::new(GENERATIONS);
                        let (in_flight, share) = (InFlight::Counted, 1);
                        let published = Standing {
                            forced,
                            generation,
                            in_flight,
                            orphaned,
                            share,
                            wake,
                            ..standing(state, u16::MAX)
                        };
                        assert_eq!(decode(encode(published)), published);
                        agree(published);
                        agree(Standing {
                            in_flight: InFlight::Uncounted,
                            places: 0,
                            share: 100,
                            ..published
                        });
                    }
                }
            }
        }
    }

    /// A glance says what the rule says, or nothing.
    fn agree(standing: Standing) {
        let gate = Gate::new(standing);
        match (gate.glance(), standing.admit(|| 0)) {
            (Glance::Admitted(generation), Ok(Admission::Plain)) => {
                assert_eq!(generation, standing.generation);
            }
            (Glance::Rejected(rejected), Err(reason)) => assert_eq!(rejected.reason(), reason),
            (Glance::Unclear, _) => {}
            other => panic!("{standing:?}: {other:?}"),
        }
    }

    #[test]
    fn r01_places_are_given_out_once_and_come_back() {
        let gate = Gate::new(standing(State::HalfOpen, 2));
        let first = gate.admit().unwrap().ticket(Instant::now);
        let _second = gate.admit().unwrap().ticket(Instant::now);
        assert_eq!(gate.admit().unwrap_err().reason(), RejectReason::HalfOpen);

        gate.hand_back(first.notice(), Outcome::failure());
        assert!(
            gate.admit().is_err(),
            "only a probe that judged nothing gives its place back"
        );
        gate.hand_back(first.notice(), Outcome::Ignored);
        assert!(gate.admit().is_ok());
    }

    #[test]
    fn r02_a_place_of_an_older_generation_does_not_come_back() {
        let gate = Gate::new(standing(State::HalfOpen, 1));
        let straggler = gate.admit().unwrap().ticket(Instant::now);
        let next = Standing {
            generation: Generation::new(9),
            ..standing(State::HalfOpen, 1)
        };
        gate.publish(next, None);
        gate.hand_back(straggler.notice(), Outcome::Ignored);
        assert_eq!(gate.standing().places, 1);
    }

    #[test]
    fn publishing_within_a_generation_leaves_its_places_to_the_callers() {
        let gate = Gate::new(standing(State::HalfOpen, 2));
        let _probe = gate.admit().unwrap();
        gate.publish(standing(State::HalfOpen, 2), None);
        assert_eq!(gate.standing().places, 1);
    }

    #[test]
    fn only_the_first_caller_wakes_the_owner() {
        let asleep = Standing {
            wake: Wake::Asleep,
            ..standing(State::Closed, 0)
        };
        let gate = Gate::new(asleep);
        assert!(gate.admit().unwrap().is_news());
        assert!(!gate.admit().unwrap().is_news());
    }
}
