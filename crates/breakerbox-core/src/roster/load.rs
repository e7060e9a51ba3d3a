use super::Tiering;
use crate::Ratio;

/// What a tier can carry and what it gets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct TierLoad {
    /// How many of its endpoints are available.
    pub available: usize,
    /// How many of a hundred calls go to it first.
    pub load: u8,
    /// How many endpoints it has.
    pub members: usize,
    /// Whether it uses endpoints that look bad as well.
    pub panics: bool,
    /// Which tier; 0 is the best.
    pub tier: u8,
}

/// One tier, before its load is known. Weights are in hundredths.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strength {
    pub(super) available: usize,
    /// Whether one of the available has shown that it holds.
    pub(super) holds: bool,
    pub(super) members: usize,
    pub(super) tier: u8,
    /// Of what is available, as if all of it had come back.
    pub(super) up: u64,
    /// Of what is available, as far as it has come back after a failure.
    pub(super) back: u64,
    /// Of what is usable in panic.
    pub(super) usable: u64,
    pub(super) whole: u64,
}

/// Divides a hundred calls among the tiers, the best one first.
///
/// The formula is Envoy's ("Priority levels", "Panic threshold"), with weights
/// in place of counts: what a tier is worth is the share of it that is available,
/// times the overprovisioning, up to 100. Where all of them are worth less than
/// 100 together, each is scaled up, and one below the panic threshold panics.
pub(super) fn divide(tiers: &[Strength], rules: &Rules) -> Vec<TierLoad> {
    let worth = |part: fn(&Strength) -> u64| -> Vec<u64> {
        let worth = |tier| rules.worth(part(tier), tier.whole);
        tiers.iter().map(worth).collect()
    };
    let up = worth(|tier| tier.up);
    let is_short = up.iter().sum::<u64>() < WHOLE;
    let mut parts = fill(worth(|tier| tier.back), &up);
    if parts.iter().all(|part| *part == 0) {
        parts = worth(|tier| tier.usable);
    }
    let loads = match rules.tiering {
        Tiering::Spill => spill(&parts),
        Tiering::Strict => strict(tiers, &parts),
    };
    let entitled = tiers.iter().zip(loads);
    entitled
        .map(|(tier, load)| TierLoad {
            available: tier.available,
            load,
            members: tier.members,
            panics: is_short && rules.panics(tier),
            tier: tier.tier,
        })
        .collect()
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) overprovisioned: u32,
    pub(super) panic_below: Ratio,
    pub(super) tiering: Tiering,
}

impl Rules {
    /// What such a part of a whole tier is worth, in percent of all calls.
    fn worth(&self, part: u64, whole: u64) -> u64 {
        let worth = u128::from(part) * u128::from(self.overprovisioned) / u128::from(whole.max(1));
        u64::try_from(worth).map_or(WHOLE, |worth| worth.min(WHOLE))
    }

    fn panics(&self, tier: &Strength) -> bool {
        !self.panic_below.is_zero() && !self.panic_below.is_reached_by(tier.up, tier.whole)
    }
}

/// Where what has come back does not carry all, nobody can be spared: the best
/// tiers take more, up to all that is up.
fn fill(mut parts: Vec<u64>, up: &[u64]) -> Vec<u64> {
    let mut lacking = WHOLE.saturating_sub(parts.iter().sum());
    for (part, up) in parts.iter_mut().zip(up) {
        let more = lacking.min(up.saturating_sub(*part));
        *part += more;
        lacking -= more;
    }
    parts
}

fn spill(parts: &[u64]) -> Vec<u8> {
    let all = parts.iter().sum::<u64>().min(WHOLE);
    if all == 0 {
        return vec![0; parts.len()];
    }
    let mut left = WHOLE;
    let mut loads: Vec<_> = parts
        .iter()
        .map(|part| {
            let load = ((2 * part * WHOLE + all) / (2 * all)).min(left);
            left -= load;
            load
        })
        .collect();
    // What rounding left over goes to the best tier that takes calls.
    if let Some(load) = loads.iter_mut().find(|load| **load > 0) {
        *load += left;
    }
    loads.into_iter().map(percent).collect()
}

/// The first tier that holds, or else the first that has anything.
fn strict(tiers: &[Strength], parts: &[u64]) -> Vec<u8> {
    let chosen = tiers
        .iter()
        .position(|tier| tier.holds)
        .or_else(|| parts.iter().position(|part| *part > 0));
    (0..tiers.len())
        .map(|tier| percent(if Some(tier) == chosen { WHOLE } else { 0 }))
        .collect()
}

fn percent(load: u64) -> u8 {
    u8::try_from(load).expect("a load is at most 100")
}

const WHOLE: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules {
        overprovisioned: 140,
        panic_below: Ratio::percent(50),
        tiering: Tiering::Spill,
    };

    /// Tiers of a hundred endpoints, of which so many are available.
    fn tiers(available: &[usize]) -> Vec<Strength> {
        let tier = |(tier, available): (usize, &usize)| Strength {
            available: *available,
            back: *available as u64 * 100,
            holds: *available > 0,
            members: 100,
            tier: tier as u8,
            up: *available as u64 * 100,
            usable: 10_000,
            whole: 10_000,
        };
        available.iter().enumerate().map(tier).collect()
    }

    fn loads(available: &[usize], rules: &Rules) -> Vec<u8> {
        let loads = divide(&tiers(available), rules);
        loads.iter().map(|tier| tier.load).collect()
    }

    fn panics(available: &[usize], rules: &Rules) -> Vec<bool> {
        let loads = divide(&tiers(available), rules);
        loads.iter().map(|tier| tier.panics).collect()
    }

    #[test]
    fn r50_tier_load_follows_the_golden_vectors_of_envoy() {
        for (available, golden) in [
            (&[100][..], &[100][..]),
            (&[100, 100], &[100, 0]),
            (&[72, 100], &[100, 0]),
            (&[71, 100], &[99, 1]),
            (&[50, 100], &[70, 30]),
            (&[25, 100], &[35, 65]),
            (&[25, 25], &[50, 50]),
            (&[25, 25, 20], &[36, 36, 28]),
            (&[5, 65], &[7, 93]),
            (&[50, 60], &[70, 30]),
            (&[0, 100], &[0, 100]),
            (&[0, 0], &[100, 0]),
            (&[0, 0, 100], &[0, 0, 100]),
            (&[30], &[100]),
        ] {
            assert_eq!(loads(available, &RULES), golden, "{available:?}");
        }
    }

    #[test]
    fn r56_where_nobody_has_come_back_yet_the_best_tier_takes_over() {
        for (available, back, golden) in [
            (&[100, 100][..], &[10, 10][..], &[86, 14][..]),
            (&[100, 100], &[10, 100], &[14, 86]),
            (&[50, 100], &[5, 20], &[70, 30]),
            (&[50, 10], &[5, 10], &[83, 17]),
            (&[0, 100], &[0, 10], &[0, 100]),
        ] {
            let mut tiers = tiers(available);
            for (tier, back) in tiers.iter_mut().zip(back) {
                tier.back = *back as u64 * 100;
            }
            let loads: Vec<_> = divide(&tiers, &RULES).iter().map(|it| it.load).collect();
            assert_eq!(loads, golden, "{available:?}, of which {back:?} are back");
        }
    }

    #[test]
    fn r50_a_tier_panics_below_half_only_when_all_together_are_short() {
        for (available, golden) in [
            (&[100][..], &[false][..]),
            (&[25, 100], &[false, false]),
            (&[5, 65], &[true, false]),
            (&[5, 67], &[false, false]),
            (&[25, 25], &[true, true]),
            (&[50], &[false]),
            (&[49], &[true]),
            (&[0, 0], &[true, true]),
        ] {
            assert_eq!(panics(available, &RULES), golden, "{available:?}");
        }
        let never = Rules {
            panic_below: Ratio::percent(0),
            ..RULES
        };
        assert_eq!(panics(&[0, 0], &never), [false, false]);
    }

    #[test]
    fn r50_strict_gives_all_to_the_best_tier_that_holds() {
        let strict = Rules {
            tiering: Tiering::Strict,
            ..RULES
        };
        assert_eq!(loads(&[1, 100], &strict), [100, 0]);
        assert_eq!(loads(&[0, 100], &strict), [0, 100]);
        let mut tiers = tiers(&[100, 100]);
        tiers[0].holds = false;
        let loads: Vec<_> = divide(&tiers, &strict).iter().map(|it| it.load).collect();
        assert_eq!(loads, [0, 100], "a primary that is back must hold first");
    }
}
