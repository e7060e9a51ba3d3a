use std::cmp::Ordering;

use super::Load;

/// An endpoint that was drawn, to be compared with another one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) load: Load,
    pub(super) place: usize,
    /// In hundredths, at least one.
    pub(super) weight: u64,
}

impl Candidate {
    /// Compares how busy two are: `Less` if this one clearly is less busy, and `Equal`
    /// if neither is.
    ///
    /// Small differences come and go. If they decided, of two endpoints that are
    /// alike one would get everything, and then the other. So failures that
    /// chance explains are not compared at all.
    #[inline]
    pub(super) fn compare(&self, other: &Self, mean_weight: u64) -> Ordering {
        let [own, others] = latencies(&self.load, &other.load);
        let [weight, its_weight] = [self, other].map(|it| u128::from(it.weight));
        let mut own = self.queue(own, mean_weight) * its_weight;
        let mut others = other.queue(others, mean_weight) * weight;
        let penalties = self.load.failure_rate.penalties(other.load.failure_rate);
        let [penalty, its_penalty] = penalties.map(u128::from);
        own += penalty * weight * its_weight;
        others += its_penalty * weight * its_weight;
        if 4 * own < 3 * others {
            Ordering::Less
        } else if 4 * others < 3 * own {
            Ordering::Greater
        } else {
            Ordering::Equal
        }
    }

    /// Returns whether it has waited longer for a call than another one, by weight.
    ///
    /// Chance alone would give the luckiest of ten endpoints a fifth more than its
    /// share of 500 calls. But where calls fail, chance it is: taking turns, the
    /// endpoints of a tier that is down would all open their breakers at the very end.
    #[inline]
    pub(super) fn has_waited_longer(&self, other: &Self) -> bool {
        let waits = [self, other].map(|it| {
            if it.load.failure_rate.failed_last() {
                return None;
            }
            let wait = u128::from(it.load.since_pick?);
            Some(wait * u128::from(it.weight))
        });
        matches!(waits, [Some(own), Some(others)] if own > others)
    }

    /// The latency times the calls in flight by weight, itself times the weight: a
    /// division would take longer than all the rest.
    #[inline]
    fn queue(&self, latency: u64, mean_weight: u64) -> u128 {
        let calls = u128::from(self.load.in_flight) * u128::from(mean_weight);
        u128::from(latency.max(1)) * (calls + u128::from(self.weight))
    }
}

/// How long the calls of two take; where that is not known of one, it counts for
/// neither.
#[inline]
fn latencies(one: &Load, other: &Load) -> [u64; 2] {
    match (one.latency, other.latency) {
        (Some(one), Some(other)) => [one, other],
        (Some(known), None) | (None, Some(known)) => [known, known],
        (None, None) => [1, 1],
    }
}
