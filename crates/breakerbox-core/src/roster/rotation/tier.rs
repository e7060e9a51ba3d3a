use std::cmp::Ordering;

use super::candidate::Candidate;
use super::stride::Stride;
use super::weighted::Weighted;
use super::{Load, Pick, Why, below, spread};
use crate::Dice;
use crate::roster::TierLoad;
use crate::roster::record::Record;

/// One who may be picked. Its weight is in hundredths.
#[derive(Clone, Copy, Debug)]
pub(in crate::roster) struct Member {
    pub(in crate::roster) identity: u64,
    pub(in crate::roster) seat: usize,
    pub(in crate::roster) weight: u64,
}

impl Member {
    /// With all of its weight.
    pub(in crate::roster) fn whole(seat: usize, record: &Record) -> Self {
        Self {
            identity: record.identity,
            seat,
            weight: record.whole_weight(),
        }
    }

    /// Who scores best with a key, by weight, is whom it belongs to.
    pub(super) fn score(&self, key: u64) -> f64 {
        let hash = spread(key ^ self.identity) >> 11;
        let part = (hash as f64 + 0.5) / (1_u64 << 53) as f64;
        -(self.weight as f64) / part.ln()
    }
}

/// A tier and those of it who may be picked.
#[derive(Clone, Debug)]
pub(in crate::roster) struct Tier {
    pub(in crate::roster) load: TierLoad,
    /// The mean weight.
    mean: u64,
    pub(in crate::roster) members: Vec<Member>,
    stride: Stride,
    weighted: Weighted,
}

impl Tier {
    pub(in crate::roster) fn new(load: TierLoad, members: Vec<Member>) -> Self {
        let weights: Vec<_> = members.iter().map(|member| member.weight).collect();
        let all = weights.iter().sum::<u64>();
        Self {
            load,
            mean: (all / members.len().max(1) as u64).max(1),
            stride: Stride::new(&weights),
            weighted: Weighted::new(&weights),
            members,
        }
    }

    /// The draws give each its share. Of two that are alike, the one that has waited
    /// longer takes the call. Otherwise the second one takes the place of the first if
    /// it is clearly less busy, but one of less weight only as often as that weight
    /// says, or a fast endpoint that has just come back would get everything.
    pub(super) fn better_of_two(
        &self,
        dice: &mut Dice,
        look: &mut impl FnMut(usize) -> Option<Load>,
    ) -> Option<Pick> {
        let first = self.draw(dice, None, look)?;
        let Some(second) = self.draw(dice, Some(first.place), look) else {
            return Some(self.pick(first.place, &first.load, Why::Only));
        };
        let second_wins = match second.compare(&first, self.mean) {
            Ordering::Less => {
                second.weight >= first.weight || dice.up_to(first.weight - 1) < second.weight
            }
            Ordering::Equal => second.has_waited_longer(&first),
            Ordering::Greater => false,
        };
        let (winner, loser) = match second_wins {
            true => (&second, &first),
            false => (&first, &second),
        };
        Some(Pick {
            instead_of: Some(self.members[loser.place].seat),
            ..self.pick(winner.place, &winner.load, Why::Better)
        })
    }

    /// Draws one other than that at a seat.
    pub(super) fn draw_another(
        &self,
        seat: usize,
        dice: &mut Dice,
        look: &mut impl FnMut(usize) -> Option<Load>,
    ) -> Option<Load> {
        let mut members = self.members.iter();
        let place = members.position(|member| member.seat == seat)?;
        self.draw(dice, Some(place), look).map(|it| it.load)
    }

    /// Draws by weight; one who is excluded is drawn again a few times, then the
    /// next in the row is taken.
    #[inline(always)]
    fn draw(
        &self,
        dice: &mut Dice,
        without: Option<usize>,
        look: &mut impl FnMut(usize) -> Option<Load>,
    ) -> Option<Candidate> {
        if self.members.len() <= usize::from(without.is_some()) {
            return None;
        }
        for _ in 0..DRAWS {
            let place = self.weighted.at(dice.draw());
            if Some(place) != without
                && let Some(load) = look(self.members[place].seat)
            {
                return Some(self.candidate(place, load));
            }
        }
        let start = below(dice.draw(), self.members.len());
        self.from(start)
            .filter(|place| Some(*place) != without)
            .find_map(|place| {
                let load = look(self.members[place].seat)?;
                Some(self.candidate(place, load))
            })
    }

    #[inline]
    fn candidate(&self, place: usize, load: Load) -> Candidate {
        Candidate {
            load,
            place,
            weight: self.members[place].weight.max(1),
        }
    }

    pub(super) fn next_in_turn(
        &self,
        turn: &mut impl FnMut() -> u64,
        look: &mut impl FnMut(usize) -> Option<Load>,
    ) -> Option<Pick> {
        if self.members.is_empty() {
            return None;
        }
        let start = self.stride.next(turn);
        self.from(start).find_map(|place| {
            let load = look(self.members[place].seat)?;
            Some(self.pick(place, &load, Why::Turn))
        })
    }

    /// Rendezvous hashing by weight: each endpoint scores with the key, and the
    /// best one takes it (Thaler and Ravishankar, 1998; weights by Schindelhauer
    /// and Schomaker, 2005). When one leaves, nobody else's keys move.
    pub(super) fn by_key(
        &self,
        key: u64,
        look: &mut impl FnMut(usize) -> Option<Load>,
    ) -> Option<Pick> {
        let scores: Vec<_> = self.members.iter().map(|it| it.score(key)).collect();
        let mut left: Vec<_> = (0..self.members.len()).collect();
        loop {
            let score = |nth: &usize| scores[left[*nth]];
            let best = (0..left.len()).max_by(|a, b| score(a).total_cmp(&score(b)))?;
            let best = left.swap_remove(best);
            if let Some(load) = look(self.members[best].seat) {
                return Some(self.pick(best, &load, Why::Key));
            }
        }
    }

    /// All places, from one on.
    fn from(&self, start: usize) -> impl Iterator<Item = usize> + use<> {
        let count = self.members.len();
        (0..count).map(move |step| (start + step) % count)
    }

    #[inline]
    fn pick(&self, place: usize, load: &Load, why: Why) -> Pick {
        Pick {
            instead_of: None,
            is_failing: load.failure_rate.is_failing(),
            seat: self.members[place].seat,
            tier: self.load.tier,
            why,
        }
    }
}

const DRAWS: usize = 4;
