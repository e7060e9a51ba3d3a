use proptest::prelude::{ProptestConfig, prop, prop_assert, prop_assert_eq, proptest};
use proptest::test_runner::{RngSeed, TestCaseError};

use super::model::{LASTS, Model};
use super::*;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(),
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    })]

    /// R50, R51, R52, R56, R57, R58: after each input the roster is as the model
    /// says, and its picks are of those who may be picked.
    #[test]
    fn r52_every_history_comes_out_as_in_the_model(
        config in 0_usize..4,
        endpoints in prop::collection::vec((0_u8..3, 1_u16..4), 1..9),
        history in prop::collection::vec((0_u8..22, 0_usize..12, 0_u64..9, prop::num::u64::ANY), 1..120),
    ) {
        let mut both = Both::new(CONFIGS[config]);
        for (tier, weight) in endpoints {
            both.add(EndpointSpec::new().tier(tier).weight(weight), false);
        }
        for (input, who, pause, bits) in history {
            both.feed(input, who, pause, bits);
            both.agree(bits)?;
        }
    }
}

/// How many histories; the long run asks for more.
fn cases() -> u32 {
    let cases = std::env::var("BREAKERBOX_ROSTERS").ok();
    cases.map_or(500, |cases| cases.parse().expect("a number of histories"))
}

const EJECTING: PoolConfig = PoolConfig::new().ejection(Ejection::of_outliers().lasts(LASTS));

const CONFIGS: [PoolConfig; 4] = [
    EJECTING,
    EJECTING
        .tiering(Tiering::Strict)
        .selection(Selection::RoundRobin),
    EJECTING.panic_below(Ratio::percent(0)),
    PoolConfig::new()
        .without_ejection()
        .selection(Selection::RoundRobin),
];

/// The roster and its model, which are told the same.
struct Both {
    model: Model,
    now: Instant,
    roster: Roster,
}

impl Both {
    fn new(config: PoolConfig) -> Self {
        Self {
            model: Model::new(config, epoch()),
            now: epoch(),
            roster: Roster::new(config, 1),
        }
    }

    fn add(&mut self, spec: EndpointSpec, joins: bool) {
        let name = format!("e{}", self.model.facts.len());
        let id = if joins {
            self.roster.join(&name, spec, self.now)
        } else {
            self.roster.add(&name, spec, self.now)
        };
        self.model.add(id, spec, joins, self.now);
    }

    fn feed(&mut self, input: u8, who: usize, pause: u64, bits: u64) {
        // Often at once, seldom long, and now and then back in time.
        let pause =
            Duration::from_millis([0, 0, 0, 10, 700, 1_500, 3_000, 10_000, 45_000][pause as usize]);
        self.now = if input == 21 {
            self.now - SECOND
        } else {
            self.now + pause
        };
        let nth = who % self.model.facts.len().max(1);
        let Some(id) = self.model.facts.get(nth).map(|it| it.id) else {
            return self.add(EndpointSpec::new(), true);
        };
        let now = self.now;
        match input {
            0 => return self.add(EndpointSpec::new().tier((bits % 3) as u8), true),
            1 if bits.is_multiple_of(4) => {
                self.roster.remove(id, now);
                self.model.facts.remove(nth);
            }
            2 | 3 => {
                let duty = [Duty::Disabled, Duty::Draining, Duty::Enabled, Duty::Enabled]
                    [bits as usize % 4];
                self.roster.assign(id, duty, now);
                self.model.facts[nth].duty = duty;
            }
            4 => {
                let spec = EndpointSpec::new()
                    .tier((bits % 3) as u8)
                    .weight(1 + (bits % 5) as u16);
                self.roster.adjust(id, spec, now);
                self.model.facts[nth].spec = spec;
            }
            5..=8 => {
                let state =
                    [State::Closed, State::Closed, State::HalfOpen, State::Open][bits as usize % 4];
                self.roster.breaker_changed(id, state, now);
                self.model.facts[nth].breaker = state;
            }
            9..=12 => {
                let check = if bits % 5 < 3 {
                    Check::Failed
                } else {
                    Check::Passed
                };
                self.roster.checked(id, check, now);
                self.model.check(nth, check);
            }
            13..=17 => return self.work(bits),
            18 => {
                let config = CONFIGS[bits as usize % 4];
                self.roster.reconfigure(config, now);
                self.model.config = config;
                self.model.forget_sweep();
            }
            _ => {
                let due = self.roster.next_deadline().unwrap_or(now);
                self.now = if input == 19 { due.max(now) } else { now };
                self.roster.handle_deadline(self.now);
            }
        }
        self.model.pass(self.now);
    }

    /// Everybody makes calls, and some do badly.
    fn work(&mut self, bits: u64) {
        for nth in 0..self.model.facts.len() {
            let (calls, failures) = (
                [100, 100, 100, 50][(bits >> nth) as usize % 4],
                (bits >> (2 * nth)) % 40,
            );
            self.roster
                .absorb(self.model.facts[nth].id, calls, failures);
            self.model.absorb(nth, calls, failures);
        }
    }

    fn agree(&mut self, bits: u64) -> Result<(), TestCaseError> {
        let views = self.roster.endpoints();
        let views: Vec<_> = views
            .map(|it| (it.id, it.status, it.health, it.share, it.ejections))
            .collect();
        prop_assert_eq!(&views, &self.model.views());
        let rotation = self.roster.rotation();
        let loads: Vec<_> = rotation
            .loads()
            .map(|it| (it.tier, it.load, it.panics))
            .collect();
        prop_assert_eq!(&loads, &self.model.loads());
        let whole: u32 = loads.iter().map(|load| u32::from(load.1)).sum();
        prop_assert!(whole == 100 || whole == 0);
        while self.roster.poll_change().is_some() {}
        for nth in 0..4 {
            self.pick(&rotation, bits.rotate_left(16 * nth))?;
        }
        Ok(())
    }

    /// Picks where some are excluded.
    fn pick(&self, rotation: &Rotation, bits: u64) -> Result<(), TestCaseError> {
        let is_excluded = |seat: usize| bits >> (seat % 8) & 1 == 1;
        let was_probed_in_vain = |seat: usize| bits >> (seat % 8 + 8) & 1 == 1;
        let wish = Wish {
            bits,
            key: (bits.is_multiple_of(3)).then_some(bits),
            repeat: if bits.is_multiple_of(2) {
                Repeat::Never
            } else {
                Repeat::Idempotent
            },
            attempt: match bits % 7 {
                0 => Attempt::Next { shun: None },
                1 | 2 => Attempt::Next {
                    shun: Some((bits % 4) as u8),
                },
                _ => Attempt::First,
            },
        };
        let mut turn = bits >> 32;
        let next = || {
            turn += 1;
            turn
        };
        let load = |seat| Load {
            failure_rate: FailureRate::of((bits >> 8) as u32 % 4, 3 + (bits >> 16) as u32 % 99)
                .in_a_row((bits >> 24) as u32 % 9),
            in_flight: (bits >> seat) as u32 % 4,
            latency: Some(1_000),
            probed_in_vain: was_probed_in_vain(seat),
            since_pick: (seat % 3 > 0).then_some(bits >> seat),
        };
        let pick = rotation.pick(wish, next, |seat| (!is_excluded(seat)).then(|| load(seat)));
        let [plain, probes, open] = self.model.candidates();
        let none_of = |seats: &[usize]| seats.iter().all(|seat| is_excluded(*seat));
        match pick {
            Some(pick) => {
                prop_assert!(!is_excluded(pick.seat));
                let is_open = open.contains(&pick.seat);
                let whom = match pick.why {
                    Why::Probe if is_open => &open,
                    Why::Probe => &probes,
                    _ => &plain,
                };
                prop_assert!(whom.contains(&pick.seat), "{pick:?} of {whom:?}");
                let spares = pick.why != Why::Probe || !was_probed_in_vain(pick.seat);
                prop_assert!(spares || none_of(&plain), "{pick:?} was probed in vain");
                let is_last = none_of(&plain) && none_of(&probes);
                prop_assert!(!is_open || is_last, "{pick:?} is not the last resort");
            }
            None => prop_assert!(none_of(&plain) && none_of(&probes) && none_of(&open)),
        }
        Ok(())
    }
}
