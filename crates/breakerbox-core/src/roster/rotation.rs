//! What a pool's calls need to choose an endpoint, as of one moment.
//!
//! Whoever picks must neither wait nor ask, so the roster puts all that it has
//! decided into one value that does not change: who may be used, how the load is
//! divided, and tables that make a draw as cheap with a thousand endpoints as
//! with ten. What changes with every call, latency and calls in flight, is the
//! caller's to look up.
//!
//! # Invariants
//!
//! 1. A pick is never an endpoint that is disabled or draining.
//! 2. It is one whose breaker is not Closed only as a probe.
//! 3. It is one whose breaker is Open only where nobody else can be picked: it may
//!    have turned HalfOpen since.
//! 4. It is one that is ejected or unhealthy only where its tier panics.
//! 5. Seven of eight first attempts leave out a tier that seems to be down, if another
//!    tier has an endpoint that does not fail.
//! 6. While `look` gives a load for somebody who may be picked, there is a pick.

mod candidate;
mod stride;
mod tier;
mod weighted;

use std::sync::Arc;

use super::{EndpointId, FailureRate, Selection, TierLoad};
use crate::{Dice, Repeat};
pub(super) use tier::{Member, Tier};

/// Who may be picked, and how.
#[derive(Clone, Debug)]
pub struct Rotation {
    pub(super) half_open: Vec<Recovering>,
    pub(super) open: Vec<Recovering>,
    /// The seats of those who may be used, or will be after a while.
    pub(super) returning: Vec<usize>,
    pub(super) seats: Arc<[EndpointId]>,
    pub(super) selection: Selection,
    /// The tier of each seat.
    pub(super) tier_of: Vec<u8>,
    pub(super) tiers: Vec<Tier>,
}

impl Rotation {
    /// The endpoints, by seat: what [`Pick::seat`] counts.
    #[must_use]
    pub fn seats(&self) -> &[EndpointId] {
        &self.seats
    }

    /// The seats of all but those that wait for something other than time to be
    /// used: an operator, or a health check.
    pub fn returning(&self) -> impl Iterator<Item = usize> {
        self.returning.iter().copied()
    }

    /// The seats of all that may be picked as they are, as no probe.
    pub fn serving(&self) -> impl Iterator<Item = usize> {
        let members = self.tiers.iter().flat_map(|tier| &tier.members);
        members.map(|member| member.seat)
    }

    /// Returns the tier of the endpoint at a seat.
    #[must_use]
    pub fn tier_of(&self, seat: usize) -> u8 {
        self.tier_of[seat]
    }

    /// What each tier can carry and gets, the best one first.
    pub fn loads(&self) -> impl Iterator<Item = TierLoad> {
        self.tiers.iter().map(|tier| tier.load)
    }

    /// Chooses an endpoint; None if `look` excludes all who may be chosen.
    ///
    /// `look` is asked for the load of an endpoint by its seat, and gives None to
    /// exclude it, as one whose breaker is known to reject. `turn` is asked for the next of a row of numbers that all
    /// picks share, where endpoints take turns.
    pub fn pick(
        &self,
        wish: Wish,
        turn: impl FnMut() -> u64,
        mut look: impl FnMut(usize) -> Option<Load>,
    ) -> Option<Pick> {
        let (mut turn, mut dice) = (turn, Dice::seeded(wish.bits));
        let shun = match wish.attempt {
            Attempt::First => {
                let is_wanted = |it: &Recovering| {
                    let is_home = wish.key.is_none_or(|key| self.is_home(it, key));
                    is_home && (it.for_all || wish.repeat != Repeat::Never)
                };
                let mut may = |seat: usize| look(seat).filter(|load| !load.probed_in_vain);
                let probe = probe(&self.half_open, is_wanted, &mut dice, &mut may);
                if probe.is_some() {
                    return probe;
                }
                None
            }
            Attempt::Next { shun } => shun,
        };
        let is_shunned = |place: &usize| Some(self.tiers[*place].load.tier) == shun;
        let first = self.draw_tier(wish.key.map_or_else(|| dice.draw(), spread));
        let first = first.filter(|place| !is_shunned(place));
        let picked = first
            .and_then(|place| {
                self.pick_of(&self.tiers[place], wish, &mut dice, &mut turn, &mut look)
            })
            .or_else(|| {
                self.others(first, shun)
                    .find_map(|tier| self.pick_of(tier, wish, &mut dice, &mut turn, &mut look))
            });
        let picked = match (wish.attempt, picked) {
            (Attempt::First, Some(pick)) if self.leaves_out_tier(&pick, &mut dice, &mut look) => {
                let elsewhere = self.elsewhere(pick, wish, &mut dice, &mut turn, &mut look);
                elsewhere.or(picked)
            }
            _ => picked,
        };
        // A call that would be rejected otherwise is a probe, whatever it risks.
        picked
            .or_else(|| probe(&self.half_open, |_| true, &mut dice, &mut look))
            .or_else(|| probe(&self.open, |_| true, &mut dice, &mut look))
    }

    /// Returns whether a call leaves out the tier of its pick, which seems to be down:
    /// another endpoint of that tier, drawn at random, has failed its latest calls too.
    ///
    /// Each breaker of the tier has to learn that for itself, so an eighth of the calls
    /// go there all the same. The others would only need another attempt.
    fn leaves_out_tier(
        &self,
        pick: &Pick,
        dice: &mut Dice,
        look: &mut impl FnMut(usize) -> Option<Load>,
    ) -> bool {
        if !pick.is_failing {
            return false;
        }
        let mut tiers = self.tiers.iter();
        let tier = tiers.find(|tier| tier.load.tier == pick.tier);
        let other = tier.and_then(|tier| tier.draw_another(pick.seat, dice, look));
        other.is_some_and(|load| load.failure_rate.is_failing()) && dice.up_to(7) > 0
    }

    /// Chooses an endpoint of another tier, if there is one that is not failing.
    fn elsewhere(
        &self,
        left_out: Pick,
        wish: Wish,
        dice: &mut Dice,
        turn: &mut impl FnMut() -> u64,
        look: &mut impl FnMut(usize) -> Option<Load>,
    ) -> Option<Pick> {
        let mut others = self
            .tiers
            .iter()
            .filter(|tier| tier.load.tier != left_out.tier);
        let pick = others.find_map(|tier| {
            let pick = self.pick_of(tier, wish, dice, turn, look)?;
            (!pick.is_failing).then_some(pick)
        })?;
        Some(Pick {
            instead_of: Some(left_out.seat),
            ..pick
        })
    }

    /// Whether a key would belong to an endpoint if it were up.
    fn is_home(&self, recovering: &Recovering, key: u64) -> bool {
        let mut tiers = self.tiers.iter();
        let tier = tiers.find(|tier| tier.load.tier == recovering.tier);
        let score = recovering.member.score(key);
        tier.is_none_or(|tier| tier.members.iter().all(|it| it.score(key) < score))
    }

    #[inline]
    fn draw_tier(&self, bits: u64) -> Option<usize> {
        let mut place = below(bits, 100);
        self.tiers.iter().position(|tier| {
            let load = usize::from(tier.load.load);
            let here = place < load;
            place = place.saturating_sub(load);
            here
        })
    }

    /// All tiers but one, the one to shun last.
    fn others(&self, first: Option<usize>, shun: Option<u8>) -> impl Iterator<Item = &Tier> {
        let others = move || {
            let tiers = self.tiers.iter().enumerate();
            let others = tiers.filter(move |(place, _)| Some(*place) != first);
            others.map(|(_, tier)| tier)
        };
        let is_shunned = move |tier: &&Tier| Some(tier.load.tier) == shun;
        others()
            .filter(move |tier| !is_shunned(tier))
            .chain(others().filter(is_shunned))
    }

    fn pick_of(
        &self,
        tier: &Tier,
        wish: Wish,
        dice: &mut Dice,
        turn: &mut impl FnMut() -> u64,
        look: &mut impl FnMut(usize) -> Option<Load>,
    ) -> Option<Pick> {
        match (wish.key, self.selection) {
            (Some(key), _) => tier.by_key(key, look),
            (None, Selection::PowerOfTwo) => tier.better_of_two(dice, look),
            (None, Selection::RoundRobin) => tier.next_in_turn(turn, look),
        }
    }
}

/// What is known of a call when an endpoint is chosen for it.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// Which attempt of the call it is.
    pub attempt: Attempt,
    /// Random bits.
    pub bits: u64,
    /// Calls of one key go to one endpoint, while that may be used.
    pub key: Option<u64>,
    /// Whether it may be made again: one that may not is not risked on a probe
    /// as long as there is somebody else and one that may could come by.
    pub repeat: Repeat,
}

/// Which attempt of its call one is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Attempt {
    /// The first; it may have to probe.
    First,
    /// One that follows on another.
    Next {
        /// A tier that failed the call twice in a row: it is asked last.
        shun: Option<u8>,
    },
}

/// How busy an endpoint is.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// How many of its recent calls failed.
    pub failure_rate: FailureRate,
    /// Calls in flight.
    pub in_flight: u32,
    /// How long its calls take of late, in nanoseconds; None where nobody knows.
    pub latency: Option<u64>,
    /// Whether it was probed a moment ago and its breaker is none the wiser. Then
    /// it is not probed as long as there is somebody else.
    pub probed_in_vain: bool,
    /// How long ago it was last picked, in nanoseconds; None if it never was.
    pub since_pick: Option<u64>,
}

/// An endpoint that was chosen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Pick {
    /// The seat of the one that was compared with it and lost.
    pub instead_of: Option<usize>,
    /// Whether its latest calls failed.
    pub(super) is_failing: bool,
    /// Its place in [`Rotation::seats`].
    pub seat: usize,
    /// Its tier.
    pub tier: u8,
    /// How it was chosen.
    pub why: Why,
}

/// How an endpoint was chosen.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Why {
    /// It was the less busy of two that were drawn, or had waited longer.
    Better,
    /// The key of the call belongs to it.
    Key,
    /// Every breaker rejected, by answers alone, and it was the one that answered last.
    LastResort,
    /// Nobody else was left in its tier, or none was drawn.
    Only,
    /// Its breaker needs a call to learn whether it is up again.
    Probe,
    /// It was its turn.
    Turn,
}

/// An endpoint whose breaker is not Closed, as far as the roster has heard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recovering {
    /// Calls that may not be made again are probes too, though another endpoint
    /// would take them.
    pub(super) for_all: bool,
    pub(super) member: Member,
    pub(super) tier: u8,
}

/// An endpoint whose breaker would like to know whether it is up again: the first
/// that may be chosen, from a random one on.
fn probe(
    recovering: &[Recovering],
    is_wanted: impl Fn(&Recovering) -> bool,
    dice: &mut Dice,
    look: &mut impl FnMut(usize) -> Option<Load>,
) -> Option<Pick> {
    if recovering.is_empty() {
        return None;
    }
    let start = below(dice.draw(), recovering.len());
    let (before, from) = recovering.split_at(start);
    let chosen = from
        .iter()
        .chain(before)
        .find(|it| is_wanted(it) && look(it.member.seat).is_some())?;
    Some(Pick {
        instead_of: None,
        is_failing: false,
        seat: chosen.member.seat,
        tier: chosen.tier,
        why: Why::Probe,
    })
}

/// A number below `limit`, of 64 random bits.
#[inline]
fn below(bits: u64, limit: usize) -> usize {
    let scaled = u128::from(bits) * limit as u128;
    usize::try_from(scaled >> 64).expect("it is below the limit")
}

/// Spreads a key over all bits.
#[inline]
fn spread(key: u64) -> u64 {
    Dice::seeded(key).draw()
}
