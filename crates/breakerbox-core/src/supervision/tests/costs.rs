mod town;

use super::*;
use town::Town;

/// R44: what n children cost is near to linear in n, whatever happens to them, and
/// no input is about all of them but those that have to be.
#[test]
fn r44_children_cost_what_they_do_alone() {
    for (name, history) in HISTORIES {
        for strategy in STRATEGIES {
            let (few, many) = (
                costs(strategy, FEW, *history),
                costs(strategy, 4 * FEW, *history),
            );
            // Four times as much would be linear, and sixteen times quadratic.
            let total = |costs: &[u64]| costs.iter().sum::<u64>();
            let (few_total, many_total) = (total(&few), total(&many));
            assert!(
                many_total < 6 * few_total,
                "{name}, {strategy:?}: {few_total}, then {many_total} in all"
            );
            // As much would be constant, and four times linear.
            let (one_of_few, one_of_many) = (few[ABOUT_ALL], many[ABOUT_ALL]);
            assert!(
                one_of_many < 2 * one_of_few,
                "{name}, {strategy:?}: {one_of_few}, then {one_of_many} for one input"
            );
        }
    }
}

/// What each input of a history costs, the dearest first.
fn costs(strategy: Strategy, children: usize, history: fn(&mut Town)) -> Vec<u64> {
    let mut town = Town::of(strategy, children);
    history(&mut town);
    town.costs.sort_unstable_by(|one, other| other.cmp(one));
    town.costs
}

const FEW: usize = 256;

/// How many inputs of a history may be about all children: a boot, the beginning
/// of a group restart, the moment when a group is down, and a shutdown.
const ABOUT_ALL: usize = 4;

const STRATEGIES: [Strategy; 3] = [
    Strategy::OneForAll,
    Strategy::OneForOne,
    Strategy::RestForOne,
];

type History = (&'static str, fn(&mut Town));

const HISTORIES: &[History] = &[
    ("a boot", Town::boot),
    ("a boot beside crashes of others", |town| {
        town.half_boot();
        for child in town.lower_half() {
            town.crash(child);
            town.answer_of(child);
        }
        town.answer_all();
    }),
    ("a boot beside commands to others", |town| {
        town.half_boot();
        for (nth, child) in town.lower_half().into_iter().enumerate() {
            town.command(nth, child);
        }
        town.answer_all();
    }),
    ("a crash of the first", |town| {
        town.boot();
        town.crash(town.first());
        town.answer_all();
    }),
    ("a crash of each at once, in order", |town| {
        town.boot();
        for child in town.children.clone() {
            town.crash(child);
        }
        town.answer_all();
    }),
    ("a crash of each at once, in reverse", |town| {
        town.boot();
        for child in town.reversed() {
            town.crash(child);
        }
        town.answer_all();
    }),
    ("a crash of each at once, and then once more", |town| {
        town.boot();
        for child in town.children.clone() {
            town.crash(child);
            town.answer_next();
        }
        for child in town.reversed() {
            town.crash(child);
            town.answer_next();
        }
        town.answer_all();
    }),
    ("many crashes of the first while it starts", |town| {
        town.boot();
        town.crash_many_times(town.first());
    }),
    ("many crashes of the last while it starts", |town| {
        town.boot();
        town.crash_many_times(town.last());
    }),
    ("many crashes before others that are down", |town| {
        town.boot();
        for (nth, child) in town.but_the_first().into_iter().enumerate() {
            match nth % 3 {
                0 => town.finish(child),
                1 => drop(town.input(|it, now| it.stop(child, now))),
                _ => drop(town.input(|it, now| it.remove(child, now))),
            }
            town.answer_all();
        }
        town.crash_many_times(town.first());
    }),
    ("commands while a group stops", |town| {
        town.boot();
        town.crash(town.first());
        for (nth, child) in town.but_the_first().into_iter().enumerate() {
            town.command(nth, child);
        }
        town.answer_all();
    }),
    ("commands while a group starts", |town| {
        town.boot();
        town.crash(town.first());
        town.answer_until_a_start();
        for (nth, child) in town.but_the_first().into_iter().enumerate() {
            town.command(nth, child);
        }
        town.answer_all();
    }),
    ("additions while a group restarts", |town| {
        town.boot();
        town.crash(town.first());
        for _ in 0..town.children.len() {
            town.add();
        }
        town.answer_until_a_start();
        for _ in 0..town.children.len() {
            town.add();
        }
        town.answer_all();
    }),
    ("a backoff of each, the last one first", |town| {
        town.policy = town.policy.backoff(Backoff::fixed(SECOND));
        town.boot();
        for child in town.reversed() {
            town.crash(child);
            town.answer_next();
            town.now += SECOND / 1_000;
        }
        town.wait_and_answer_all();
    }),
    ("a stop, a restart and a removal of each", |town| {
        town.boot();
        for child in town.children.clone() {
            town.input(|it, now| it.stop(child, now));
            town.answer_all();
            town.input(|it, now| it.restart(child, now));
            town.answer_all();
            town.input(|it, now| it.remove(child, now));
            town.answer_all();
        }
    }),
    ("a group of which all are stuck", |town| {
        town.boot();
        town.crash(town.last());
        for _ in 0..town.size {
            town.get_stuck_next();
        }
        for child in town.reversed() {
            town.crash(child);
        }
        town.answer_all();
    }),
    ("a shutdown in which each gets stuck", |town| {
        town.boot();
        town.input(Supervision::shutdown);
        while !town.directives.is_empty() {
            town.get_stuck_next();
        }
        for child in town.children.clone() {
            town.crash(child);
        }
    }),
    ("an end of each significant one", |town| {
        town.boot();
        for child in town.children.clone() {
            town.finish(child);
            town.answer_all();
        }
    }),
    ("a shutdown", |town| {
        town.boot();
        town.input(Supervision::shutdown);
        town.answer_all();
    }),
    ("a shutdown side by side", |town| {
        town.policy = town.policy.side_by_side();
        town.boot();
        town.input(Supervision::shutdown);
        town.answer_all();
    }),
    ("a shutdown at once, in the middle of one", |town| {
        town.boot();
        town.input(Supervision::shutdown);
        for _ in 0..town.size / 2 {
            town.answer_next();
        }
        town.input(Supervision::shutdown_at_once);
        town.answer_all();
    }),
    ("a shutdown while each crashes", |town| {
        town.boot();
        town.input(Supervision::shutdown);
        for child in town.children.clone() {
            town.crash(child);
        }
        town.answer_all();
    }),
];
