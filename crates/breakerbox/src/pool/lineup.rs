use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use breakerbox_core::{EndpointId, Load, Pick, Rotation, Why, Wish};

use super::slot::Slot;
use crate::OwnedPermit;

/// Whom callers may choose, as the owner published it last.
pub(super) struct Lineup<T> {
    rotation: Rotation,
    /// As the rotation's seats.
    slots: Vec<Arc<Slot<T>>>,
}

/// A pick, and the leave of the endpoint's breaker.
pub(super) struct Boarded<T> {
    pub(super) id: EndpointId,
    pub(super) instead_of: Option<Arc<str>>,
    pub(super) passed_over: usize,
    pub(super) permit: OwnedPermit,
    pub(super) slot: Arc<Slot<T>>,
    pub(super) tier: u8,
    pub(super) why: Why,
}

impl<T> Lineup<T> {
    pub(super) fn new(rotation: Rotation, slots: Vec<Arc<Slot<T>>>) -> Self {
        Self { rotation, slots }
    }

    /// Chooses an endpoint and takes its breaker's leave. Who rejects is passed
    /// over, and so is who was tried, as long as there is somebody else.
    pub(super) fn board(
        &self,
        wish: Wish,
        tried: &[EndpointId],
        mut turn: impl FnMut() -> u64,
        now: Instant,
    ) -> Option<Boarded<T>> {
        let untried = self.board_without(wish, tried, &mut turn, now);
        if untried.is_some() || tried.is_empty() {
            return untried;
        }
        self.board_without(wish, &[], &mut turn, now)
    }

    /// As [`board`](Self::board), but only on somebody else.
    pub(super) fn board_without(
        &self,
        wish: Wish,
        without: &[EndpointId],
        turn: &mut impl FnMut() -> u64,
        now: Instant,
    ) -> Option<Boarded<T>> {
        // Each of them is asked once, however many there are.
        let mut rejecting = BTreeSet::new();
        loop {
            let pick = self.rotation.pick(wish, &mut *turn, |seat| {
                let load = self.look(seat, without, now);
                let load = load.filter(|_| !rejecting.contains(&seat))?;
                if self.slots[seat].rejects() {
                    rejecting.insert(seat);
                    return None;
                }
                Some(load)
            });
            let pick = pick?;
            match self.slots[pick.seat].enter() {
                Some(permit) => {
                    let passed_over = without.len() + rejecting.len();
                    return Some(self.boarded(&pick, permit, passed_over));
                }
                None => rejecting.insert(pick.seat),
            };
        }
    }

    /// Whether there is somebody else to board.
    pub(super) fn has_another(
        &self,
        wish: Wish,
        without: &[EndpointId],
        turn: impl FnMut() -> u64,
        now: Instant,
    ) -> bool {
        let pick = self.rotation.pick(wish, turn, |seat| {
            let load = self.look(seat, without, now);
            load.filter(|_| !self.slots[seat].rejects())
        });
        pick.is_some()
    }

    /// How busy an endpoint is; None if it is excluded.
    fn look(&self, seat: usize, without: &[EndpointId], now: Instant) -> Option<Load> {
        let load = self.slots[seat].load(now);
        load.filter(|_| !without.contains(&self.id(seat)))
    }

    fn boarded(&self, pick: &Pick, permit: OwnedPermit, passed_over: usize) -> Boarded<T> {
        let name = |seat: usize| Arc::clone(&self.slots[seat].name);
        Boarded {
            id: self.id(pick.seat),
            instead_of: pick.instead_of.map(name),
            passed_over,
            permit,
            slot: Arc::clone(&self.slots[pick.seat]),
            tier: pick.tier,
            why: pick.why,
        }
    }

    /// The soonest that an endpoint is worth another try. None if that is not known
    /// of one of them: it may be at any time.
    pub(super) fn retry_at(&self, now: Instant) -> Option<Instant> {
        let returning = self.rotation.returning();
        let times = returning.map(|seat| self.slots[seat].retry_at(now));
        // None is the least.
        times.min().flatten()
    }

    fn id(&self, seat: usize) -> EndpointId {
        self.rotation.seats()[seat]
    }
}
