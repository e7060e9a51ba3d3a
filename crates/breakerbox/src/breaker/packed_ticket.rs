//! What one call was given on its way, in two words.
//!
//! A ticket and the instant at which its call began take 48 bytes, which every
//! permit would carry through memory, for something that most calls leave empty.
//! Two words stay in registers.

use std::num::NonZeroU64;
use std::time::Instant;

use breakerbox_core::{Generation, Notice, Role, Ticket};

use crate::moment::Moment;

#[derive(Debug)]
pub(super) struct PackedTicket {
    /// `since:61 in_time:1 role:2`: when the call began, where that matters, and
    /// whether its answer began before it was slow.
    call: u64,
    /// `generation:63`, and 1: so that no packed ticket is zero.
    generation: NonZeroU64,
}

impl PackedTicket {
    pub(super) fn new(ticket: &Ticket, begun: Option<Instant>) -> Self {
        let notice = ticket.notice();
        let (role, since) = match notice.role() {
            Role::Plain => (PLAIN, begun),
            Role::Counted => (COUNTED, begun),
            Role::Last => (LAST, begun),
            Role::Probe { since } => (PROBE, Some(since)),
        };
        Self {
            call: Moment::bits(since.map(Moment::of)) << 3 | role,
            ..Self::plain(notice.generation())
        }
    }

    /// Of a call of which nothing but the verdict matters.
    #[inline]
    pub(super) fn plain(generation: Generation) -> Self {
        Self {
            call: PLAIN,
            generation: NonZeroU64::MIN | generation.number() << 1,
        }
    }

    #[inline]
    pub(super) fn generation(&self) -> Generation {
        Generation::new(self.generation.get() >> 1)
    }

    /// Whether nothing but the verdict matters.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.call == PLAIN
    }

    /// From when on the call takes time, where that matters; None also if its
    /// answer has begun in time.
    pub(super) fn since(&self) -> Option<Instant> {
        (self.call & IN_TIME == 0).then(|| self.begun())?
    }

    /// Its answer has begun before it was slow: what follows is not timed.
    pub(super) fn note_in_time(&mut self) {
        self.call |= IN_TIME;
    }

    pub(super) fn is_probe(&self) -> bool {
        self.call & ROLE == PROBE
    }

    /// When a probe began.
    pub(super) fn probe_since(&self) -> Option<Instant> {
        self.is_probe().then(|| self.begun())?
    }

    /// What its call is to the breaker.
    pub(super) fn notice(&self) -> Notice {
        self.ticket().notice()
    }

    fn begun(&self) -> Option<Instant> {
        Moment::from_bits(self.call >> 3).map(Moment::instant)
    }

    /// The ticket of the call, which is settled once.
    pub(super) fn into_ticket(self) -> Ticket {
        self.ticket()
    }

    fn ticket(&self) -> Ticket {
        let role = match (self.call & ROLE, self.begun()) {
            (COUNTED, _) => Role::Counted,
            (LAST, _) => Role::Last,
            (PROBE, Some(since)) => Role::Probe { since },
            _ => Role::Plain,
        };
        Ticket::new(self.generation(), role)
    }
}

const ROLE: u64 = 0b011;
const IN_TIME: u64 = 0b100;

const COUNTED: u64 = 1;
const LAST: u64 = 2;
const PLAIN: u64 = 0;
const PROBE: u64 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let since = Instant::now();
        for role in [
            Role::Plain,
            Role::Counted,
            Role::Last,
            Role::Probe { since },
        ] {
            for begun in [None, Some(since)] {
                let ticket = Ticket::new(Generation::new(7), role);
                let packed = PackedTicket::new(&ticket, begun);
                let plain = role == Role::Plain && begun.is_none();
                assert_eq!(packed.is_plain(), plain, "{role:?}");
                let is_probe = matches!(role, Role::Probe { .. });
                assert_eq!(packed.probe_since().is_some(), is_probe, "{role:?}");
                assert_eq!(packed.since().is_some(), is_probe || begun.is_some());
                let mut packed = packed;
                packed.note_in_time();
                assert_eq!(packed.since(), None);
                assert_eq!(packed.into_ticket(), ticket);
            }
        }
    }
}
