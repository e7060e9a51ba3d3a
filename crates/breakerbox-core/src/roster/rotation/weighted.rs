/// Draws a place by weight, as fast for a thousand as for ten.
///
/// It is the alias method (Walker, 1977; built as by Vose, 1991): each place has
/// a column of the same height, topped up by one other place.
#[derive(Clone, Debug)]
pub(super) struct Weighted {
    columns: Vec<Column>,
}

#[derive(Clone, Copy, Debug)]
struct Column {
    /// Below it the column's own place is drawn, of 2^32.
    own: u64,
    other: usize,
}

impl Weighted {
    pub(super) fn new(weights: &[u64]) -> Self {
        let all = weights.iter().sum::<u64>().max(1);
        let height =
            |weight: &u64| u128::from(*weight) * weights.len() as u128 * FULL / all as u128;
        let mut heights: Vec<u128> = weights.iter().map(height).collect();
        let mut columns: Vec<_> = (0..weights.len())
            .map(|other| Column {
                own: FULL as u64,
                other,
            })
            .collect();
        let (mut low, mut high): (Vec<_>, Vec<_>) =
            (0..weights.len()).partition(|place| heights[*place] < FULL);
        while let (Some(short), Some(tall)) = (low.pop(), high.last().copied()) {
            columns[short] = Column {
                own: heights[short] as u64,
                other: tall,
            };
            heights[tall] -= FULL - heights[short];
            if heights[tall] < FULL {
                high.pop();
                low.push(tall);
            }
        }
        Self { columns }
    }

    /// The place that these random bits fall on; there must be one.
    #[inline]
    pub(super) fn at(&self, bits: u64) -> usize {
        let place = (((bits >> 32) * self.columns.len() as u64) >> 32) as usize;
        let column = self.columns[place];
        if bits & 0xFFFF_FFFF < column.own {
            place
        } else {
            column.other
        }
    }
}

const FULL: u128 = 1 << 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dice;

    #[test]
    fn places_are_drawn_as_often_as_their_weights_say() {
        for weights in [
            &[1, 1][..],
            &[1, 2, 3, 4],
            &[100, 1],
            &[7],
            &[5, 5, 90, 1_000, 30],
        ] {
            let (table, all) = (Weighted::new(weights), weights.iter().sum::<u64>());
            let mut dice = Dice::seeded(1);
            let mut drawn = vec![0_i64; weights.len()];
            for _ in 0..100_000 {
                drawn[table.at(dice.draw())] += 1;
            }
            for (drawn, weight) in drawn.into_iter().zip(weights) {
                let due = i64::try_from(weight * 100_000 / all).unwrap();
                assert!((drawn - due).abs() < 700, "{weights:?}: {drawn} of {due}");
            }
        }
    }
}
