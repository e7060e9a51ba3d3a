use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use breakerbox_core::{EndpointId, Load, Pick, Rotation, Why};

use super::search::Search;
use super::slot::{Obstacle, Slot};
use crate::OwnedPermit;

/// Whom callers may choose, as the owner published it last.
pub(super) struct Lineup<T> {
    rotation: Rotation,
    /// As the rotation's seats.
    slots: Vec<Arc<Slot<T>>>,
}

/// A pick, and what it may go by.
pub(super) struct Boarded<T> {
    pub(super) id: EndpointId,
    pub(super) instead_of: Option<Arc<str>>,
    pub(super) leave: Leave,
    pub(super) passed_over: usize,
    pub(super) slot: Arc<Slot<T>>,
    pub(super) tier: u8,
    pub(super) why: Why,
}

/// What an attempt may go by.
pub(super) enum Leave {
    /// Nothing: every breaker rejected it, and it goes on all the same.
    LastResort,
    /// The permit of the endpoint's breaker.
    Permit(OwnedPermit),
}

impl<T> Lineup<T> {
    pub(super) fn new(rotation: Rotation, slots: Vec<Arc<Slot<T>>>) -> Self {
        Self { rotation, slots }
    }

    /// Chooses an endpoint and takes its breaker's leave. Who rejects is passed
    /// over, and so is who was tried, as long as there is somebody else.
    pub(super) fn board(
        &self,
        search: &Search<'_>,
        mut turn: impl FnMut() -> u64,
    ) -> Option<Boarded<T>> {
        let untried = self.board_another(search, &mut turn);
        if untried.is_some() || search.tried.is_empty() {
            return untried;
        }
        let search = Search {
            tried: &[],
            ..*search
        };
        self.board_another(&search, &mut turn)
    }

    /// As [`board`](Self::board), but never chooses one that was tried.
    pub(super) fn board_another(
        &self,
        search: &Search<'_>,
        turn: &mut impl FnMut() -> u64,
    ) -> Option<Boarded<T>> {
        // Each of them is asked once, however many there are.
        let mut rejecting = BTreeSet::new();
        loop {
            let pick = self.rotation.pick(search.wish, &mut *turn, |seat| {
                let load = self.look(seat, search);
                let load = load.filter(|_| !rejecting.contains(&seat))?;
                if self.slots[seat].rejects() {
                    rejecting.insert(seat);
                    return None;
                }
                Some(load)
            });
            let pick = pick?;
            match self.slots[pick.seat].enter(search.moment) {
                Some(permit) => {
                    let passed_over = search.tried.len() + rejecting.len();
                    return Some(self.boarded(&pick, permit, passed_over));
                }
                None => rejecting.insert(pick.seat),
            };
        }
    }

    /// Returns whether there is another one to board.
    pub(super) fn has_another(&self, search: &Search<'_>, turn: impl FnMut() -> u64) -> bool {
        let pick = self.rotation.pick(search.wish, turn, |seat| {
            let load = self.look(seat, search);
            load.filter(|_| !self.slots[seat].rejects())
        });
        pick.is_some()
    }

    /// Returns what kept a call from each endpoint that may serve.
    fn obstacles(&self, search: &Search<'_>) -> impl Iterator<Item = Obstacle> {
        let serving = self.rotation.serving();
        serving.map(|seat| self.slots[seat].obstacle(search))
    }

    /// Returns whether nobody is left but such as have asked to be left alone.
    pub(super) fn are_only_busy_left(&self, search: &Search<'_>) -> bool {
        let mut left = self
            .obstacles(search)
            .filter(|it| *it != Obstacle::Rejects)
            .peekable();
        left.peek().is_some() && left.all(|it| it == Obstacle::Busy)
    }

    /// Returns the endpoint for a call that every breaker rejects, by its seat: the one
    /// that answered last, unless another one is of a better tier or less busy.
    pub(super) fn last_resort(&self, search: &Search<'_>) -> Option<usize> {
        let mut obstacles = self.obstacles(search);
        if obstacles.any(|it| it != Obstacle::Rejects) {
            return None;
        }
        let ranked = self.rotation.returning().filter_map(|seat| {
            let tier = self.rotation.tier_of(seat);
            let rank = self.slots[seat].rank_as_last_resort(search, tier)?;
            Some((rank, seat))
        });
        ranked.min().map(|(_, seat)| seat)
    }

    /// Boards the last resort, without asking its breaker.
    pub(super) fn board_last_resort(&self, seat: usize) -> Option<Boarded<T>> {
        let slot = &self.slots[seat];
        slot.enter_beside_breaker().then(|| Boarded {
            id: self.id(seat),
            instead_of: None,
            leave: Leave::LastResort,
            passed_over: self.slots.len() - 1,
            slot: Arc::clone(slot),
            tier: self.rotation.tier_of(seat),
            why: Why::LastResort,
        })
    }

    /// How busy an endpoint is; None if it is excluded.
    fn look(&self, seat: usize, search: &Search<'_>) -> Option<Load> {
        let load = self.slots[seat].load(search);
        load.filter(|_| !search.tried.contains(&self.id(seat)))
    }

    fn boarded(&self, pick: &Pick, permit: OwnedPermit, passed_over: usize) -> Boarded<T> {
        let name = |seat: usize| Arc::clone(&self.slots[seat].name);
        Boarded {
            id: self.id(pick.seat),
            instead_of: pick.instead_of.map(name),
            leave: Leave::Permit(permit),
            passed_over,
            slot: Arc::clone(&self.slots[pick.seat]),
            tier: pick.tier,
            why: pick.why,
        }
    }

    /// Returns the soonest that an endpoint is worth another try. None if that is not
    /// known of one of them: it may be at any time.
    pub(super) fn retry_at(&self, search: &Search<'_>) -> Option<Instant> {
        let returning = self.rotation.returning();
        let times = returning.map(|seat| self.slots[seat].retry_at(search));
        // None is the least.
        times.min().flatten()
    }

    fn id(&self, seat: usize) -> EndpointId {
        self.rotation.seats()[seat]
    }
}
