//! The owner's standing answer to "may I?", in one atomic word.
//!
//! Asking a mailbox for leave costs a microsecond, queues without bound, and
//! makes a crashed owner an outage. So the owner publishes its answer, callers
//! work out their own admission from it, and nobody waits for anybody.
//!
//! The answer has an end where time changes it: an opening, an override or a step
//! of the ramp is over. That instant is published beside it, so a caller that
//! comes later sees that the answer is due to change, whatever the owner does.
//!
//! # Invariants
//!
//! 1. Every change of the word is a read-modify-write, so no place in HalfOpen is
//!    given out twice and none is lost.
//! 2. What callers have taken in a generation stays taken while it lasts.
//! 3. Once orphaned, it stays so.
//! 4. While the word says Open there is an instant at which that ends, or the word
//!    is about to change.

use std::time::Instant;

use breakerbox_core::{
    Admission, Beside, Circuit, Generation, Notice, Orphaned, Outcome, RejectReason, Standing,
    State, Ticket, Wake,
};

use crate::moment::Moment;
use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::{Rejected, clock};

#[derive(Debug)]
pub(super) struct Gate {
    /// What the word has no room for: `limit:16 share:8`.
    beside: AtomicU32,
    /// When a rejected call may come back, in the bits of a `Moment`.
    retry_at: AtomicU64,
    /// When the answer changes by itself, in the bits of a `Moment`.
    until: AtomicU64,
    word: AtomicU64,
}

impl Gate {
    pub(super) fn new(standing: Standing) -> Self {
        Self {
            beside: AtomicU32::new(pack_beside(standing.beside())),
            retry_at: AtomicU64::new(Moment::bits(None)),
            until: AtomicU64::new(Moment::bits(None)),
            word: AtomicU64::new(standing.pack()),
        }
    }

    /// Returns the answer that most calls get, read off the word as it is.
    ///
    /// It is what [`admit`](Self::admit) says, at a tenth of the price; None where
    /// that must be worked out.
    #[inline]
    pub(super) fn try_fast(&self) -> Option<Result<Generation, Rejected>> {
        // Acquire: as in `admit`.
        let word = self.word.load(Ordering::Acquire);
        if word & Standing::ALL_BUT_GENERATION == 0 {
            return Some(Ok(Standing::generation_of(word)));
        }
        self.try_reject().map(Err)
    }

    /// Rejects a call where the word says so by itself.
    ///
    /// The word is read again here: to keep it from the first look would cost each
    /// call that passes most of a nanosecond.
    #[inline]
    fn try_reject(&self) -> Option<Rejected> {
        // Acquire: as in `admit`.
        let reason = Standing::rejection_of(self.word.load(Ordering::Acquire))?;
        // Relaxed: it was stored before the word that was read, or after; then the
        // word has changed, and this rejection comes before that.
        let lasts = match Moment::from_bits(self.until.load(Ordering::Relaxed)) {
            None => reason != RejectReason::Open,
            Some(until) => !until.has_passed(),
        };
        self.rejected(reason).filter(|_| lasts)
    }

    /// Admits a call or says why not; never waits.
    pub(super) fn admit(&self) -> Result<Admitted, NotAdmitted> {
        // Acquire: a caller that is admitted in a generation has seen what began it.
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            let standing = self.unpack(word);
            if let Some(now) = self.is_due(standing) {
                return Err(NotAdmitted::Due(now));
            }
            let admission = standing.admit(draw).map_err(|reason| {
                let rejected = self.rejected(reason);
                rejected.map_or_else(|| NotAdmitted::Due(clock::now()), NotAdmitted::Rejected)
            })?;
            let admitted = Admitted {
                admission,
                generation: standing.generation,
            };
            let Some(next) = admission.becomes() else {
                return Ok(admitted);
            };
            // AcqRel: a place taken comes after the word it was taken from, and
            // before whatever the next one to change the word does.
            match self.word.compare_exchange_weak(
                word,
                next.pack(),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return Ok(admitted),
                Err(changed) => word = changed,
            }
        }
    }

    /// Gives a place back, if its generation still lasts.
    pub(super) fn hand_back(&self, notice: Notice, outcome: Outcome) {
        self.change(|standing| standing.hand_back(notice, outcome));
    }

    /// Sets what callers get from now on.
    pub(super) fn publish(&self, answer: Answer) {
        let bits = |instant: Option<Instant>| Moment::bits(instant.map(Moment::of));
        // Relaxed, three times: the word's release comes after them.
        //
        // Only Closed has something beside its word. A caller that still holds the
        // word of a Closed generation must not read that nothing is limited.
        if answer.standing.state == State::Closed {
            self.beside
                .store(pack_beside(answer.standing.beside()), Ordering::Relaxed);
        }
        self.retry_at
            .store(bits(answer.retry_at), Ordering::Relaxed);
        self.until.store(bits(answer.until), Ordering::Relaxed);
        self.change(|current| Some(current.followed_by(answer.standing)));
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

    /// Returns the answer that stands, and now if that is due to change.
    pub(super) fn standing(&self) -> (Standing, Option<Instant>) {
        // Acquire: a reader that sees a state has seen what led to it.
        let standing = self.unpack(self.word.load(Ordering::Acquire));
        (standing, self.is_due(standing))
    }

    /// Whether a call of this generation has cut the gate.
    pub(super) fn is_cut_in(&self, generation: Generation) -> bool {
        // Acquire: as in `standing`.
        let standing = self.unpack(self.word.load(Ordering::Acquire));
        standing.generation == generation && standing.is_cut()
    }

    /// From when on a rejected call is worth another try, where that is known.
    #[inline]
    pub(super) fn retry_at(&self) -> Option<Moment> {
        // Relaxed: it says nothing of the word.
        Moment::from_bits(self.retry_at.load(Ordering::Relaxed))
    }

    /// Returns now, if the answer is over or about to be replaced.
    fn is_due(&self, standing: Standing) -> Option<Instant> {
        // Relaxed: as in `try_fast`.
        let until = self.until.load(Ordering::Relaxed);
        let about_to_change = standing.is_cut() || standing.state == State::Open && until == NEVER;
        if until == NEVER && !about_to_change {
            return None;
        }
        let now = clock::now();
        let is_over = Moment::of(now).number() >= until;
        (about_to_change || is_over).then_some(now)
    }

    /// Rejects for a reason that was read off the word.
    ///
    /// None where the opening is over by now: a caller must learn when to come back.
    #[inline]
    pub(super) fn rejected(&self, reason: RejectReason) -> Option<Rejected> {
        let hint = match reason {
            RejectReason::ForcedOpen => self.retry_at(),
            RejectReason::Open => Some(self.retry_at()?),
            _ => None,
        };
        Some(Rejected::new(reason, hint))
    }

    fn unpack(&self, word: u64) -> Standing {
        // Relaxed: what it says was stored before the word, or belongs to a later
        // one, against which no place can be taken.
        let beside = unpack_beside(self.beside.load(Ordering::Relaxed));
        Standing::unpack(word, beside)
    }

    fn change(&self, mut change: impl FnMut(Standing) -> Option<Standing>) {
        // AcqRel on success: it both sees what earlier changes published and
        // publishes what led to this one. A change that does not apply is none.
        let _unchanged = self
            .word
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                change(self.unpack(word)).map(Standing::pack)
            });
    }
}

/// What a gate says, and for how long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Answer {
    retry_at: Option<Instant>,
    standing: Standing,
    until: Option<Instant>,
}

impl Answer {
    pub(super) fn of(circuit: &Circuit) -> Self {
        Self {
            retry_at: circuit.retry_at(),
            standing: circuit.standing(),
            until: circuit.standing_until(),
        }
    }

    pub(super) fn wake(&self) -> Wake {
        self.standing.wake
    }
}

/// A call that was let through.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admitted {
    admission: Admission,
    generation: Generation,
}

impl Admitted {
    pub(super) fn ticket(self) -> Ticket {
        self.admission.ticket(self.generation, clock::now)
    }

    /// Whether the ledger must learn about it.
    pub(super) fn is_news(self) -> bool {
        self.admission.is_news()
    }
}

/// Why a call was not let through.
#[derive(Clone, Copy, Debug)]
pub(super) enum NotAdmitted {
    /// The answer is over: it must be brought up to this instant first.
    Due(Instant),
    Rejected(Rejected),
}

/// A number from 0 to 99, for a breaker that admits a part of the calls.
fn draw() -> u8 {
    fastrand::u8(..100)
}

fn pack_beside(beside: Beside) -> u32 {
    u32::from(beside.limit.unwrap_or(NO_LIMIT)) << 8 | u32::from(beside.share)
}

fn unpack_beside(packed: u32) -> Beside {
    let limit = (packed >> 8) as u16;
    Beside {
        limit: (limit != NO_LIMIT).then_some(limit),
        share: packed as u8,
    }
}

/// No moment, in the bits of one.
const NEVER: u64 = 0;
/// A limit is at least 2.
const NO_LIMIT: u16 = 0;

#[cfg(all(test, not(loom)))]
mod tests;
