/// Takes turns by weight, without a queue to keep.
///
/// Turns are counted up in rounds of one turn for each place. In each round a
/// place is passed over unless its weight has added up to the heaviest one since
/// it was last served: gRPC's static stride scheduling. With equal weights it is
/// plain round robin.
#[derive(Clone, Debug)]
pub(super) struct Stride {
    /// Of [`FULL`].
    weights: Vec<u64>,
}

impl Stride {
    pub(super) fn new(weights: &[u64]) -> Self {
        let heaviest = weights.iter().copied().max().unwrap_or(1).max(1);
        let scaled = |weight: &u64| (weight * FULL / heaviest).max(1);
        Self {
            weights: weights.iter().map(scaled).collect(),
        }
    }

    /// The place whose turn it is; there must be one.
    pub(super) fn next(&self, turn: &mut impl FnMut() -> u64) -> usize {
        let count = self.weights.len() as u64;
        loop {
            let turn = turn();
            let (round, place) = (turn / count, turn % count);
            let weight = self.weights[place as usize];
            // Places of one weight are not served in the same round.
            let offset = place * (FULL / 2) / count;
            let since =
                (u128::from(weight) * u128::from(round) + u128::from(offset)) % FULL as u128;
            if since as u64 >= FULL - weight {
                return place as usize;
            }
        }
    }
}

const FULL: u64 = 0xFFFF;

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(weights: &[u64], picks: usize) -> Vec<usize> {
        let stride = Stride::new(weights);
        let mut turn = 0;
        let mut next = || {
            turn += 1;
            turn - 1
        };
        (0..picks).map(|_| stride.next(&mut next)).collect()
    }

    #[test]
    fn equal_weights_are_plain_round_robin() {
        assert_eq!(turns(&[100, 100, 100], 7), [0, 1, 2, 0, 1, 2, 0]);
    }

    #[test]
    fn each_is_served_as_often_as_its_weight_says() {
        let served = turns(&[100, 200, 400], 7_000);
        for (place, due) in [(0, 1_000), (1, 2_000), (2, 4_000)] {
            let count = served.iter().filter(|served| **served == place).count();
            assert!(count.abs_diff(due) <= 2, "{place} was served {count} times");
        }
    }

    #[test]
    fn places_of_one_weight_are_not_served_in_the_same_round() {
        for round in turns(&[100, 100, 200], 100).chunks(2) {
            assert!(round.contains(&2), "half of all, evenly: {round:?}");
        }
    }
}
