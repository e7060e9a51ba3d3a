//! Random histories, played to a [`Circuit`](breakerbox_core::Circuit) and to a naive model of it.
//!
//! The model is written from the promises in `docs/semantics.md` and is as slow
//! and as plain as they are: it keeps every verdict with its time and counts
//! from scratch each time it is asked. What it met on the way it notes down, so
//! that a run is measured by the promises it exercised and not by its length.
//!
//! A bounded, seeded run is part of the ordinary tests. `BREAKERBOX_MODEL_STEPS`
//! makes it longer and `BREAKERBOX_MODEL_SEED` begins it elsewhere.

use std::cell::RefCell;
use std::env;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

#[path = "model/agree.rs"]
mod agree;
#[path = "model/change.rs"]
mod change;
#[path = "model/draw.rs"]
mod draw;
#[path = "model/met.rs"]
mod met;
#[path = "model/openings.rs"]
mod openings;
#[path = "model/plan.rs"]
mod plan;
#[path = "model/play.rs"]
mod play;
#[path = "model/reference.rs"]
mod reference;
#[path = "model/step.rs"]
mod step;
#[path = "model/window.rs"]
mod window;

use met::{Met, Tally};
use play::Play;
use step::{History, histories};

#[test]
fn a_circuit_and_the_promises_tell_the_same_story() {
    let steps = number("BREAKERBOX_MODEL_STEPS").unwrap_or(100_000);
    let mut seed = number("BREAKERBOX_MODEL_SEED").unwrap_or(1);
    let tally = RefCell::new(Tally::EMPTY);
    while tally.borrow().steps < steps {
        if let Err(found) = batch(seed, &tally) {
            panic!("BREAKERBOX_MODEL_SEED={seed} leads to\n{found}");
        }
        seed += 1;
    }
    let tally = tally.into_inner();
    println!("{tally}");
    let missed: Vec<_> = Met::ALL
        .into_iter()
        .filter(|met| tally.of(*met) == 0)
        .collect();
    assert!(missed.is_empty(), "no history has met {missed:?}");
}

/// Plays many histories; tells the shortest one that it finds to go wrong.
fn batch(seed: u64, tally: &RefCell<Tally>) -> Result<(), String> {
    let config = Config {
        cases: HISTORIES_IN_BATCH,
        failure_persistence: None,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    TestRunner::new_with_rng(config, rng)
        .run(&histories(), |history| {
            let met = play(&history).map_err(TestCaseError::fail)?;
            tally.borrow_mut().add(&history, &met);
            Ok(())
        })
        .map_err(|error| match error {
            TestError::Fail(reason, history) => format!("{history}{reason}"),
            TestError::Abort(reason) => reason.to_string(),
        })
}

fn play(history: &History) -> Result<Vec<Met>, String> {
    let mut play = Play::new(history);
    for (place, step) in history.steps.iter().enumerate() {
        play.step(step)
            .map_err(|wrong| format!("after step {place}: {wrong}"))?;
    }
    Ok(play.met())
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    let number = text.replace('_', "").parse();
    Some(number.unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

const HISTORIES_IN_BATCH: u32 = 250;
