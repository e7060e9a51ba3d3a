use super::*;

/// R36, R33, T7: what every input makes of a child in every state.
#[test]
fn r36_every_state_answers_every_input() {
    for (given, answers) in TABLE {
        for (input, answer) in INPUTS.into_iter().zip(answers) {
            let (mut harness, child) = given_in(*given);
            feed(&mut harness, child, input);
            assert_eq!(seen(&mut harness, child), *answer, "{given:?} {input:?}");
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Given {
    Queued,
    Starting,
    Restarting,
    Up,
    EndingIncarnation,
    Held,
    BackingOff,
    Paused,
    Stopping,
    StoppingToStart,
    Stuck,
    StuckIncarnation,
    StuckToStart,
    Down,
}

#[derive(Clone, Copy, Debug)]
enum Input {
    Crashed,
    Deadline,
    Removed,
    Restarted,
    Shutdown,
    Started,
    Stopped,
    Stuck,
}

/// A child in this state, in a supervision that has nothing else to do for it.
fn given_in(given: Given) -> (Harness, ChildId) {
    use Given::*;
    let strategy = match given {
        Held => Strategy::OneForAll,
        _ => Strategy::OneForOne,
    };
    let own = RestartIntensity::new(1, 1_000 * SECOND);
    let policy = backing_off().intensity(own, OnLimit::Pause(Backoff::fixed(2 * SECOND)));
    let mut harness = Harness::around(Supervision::new(strategy, GENEROUS, 7));
    let child = match given {
        Queued => {
            harness.add(policy);
            let behind = harness.add(policy);
            harness.supervision.boot(harness.now);
            behind
        }
        Starting => {
            harness.supervision.boot(harness.now);
            harness.add(policy)
        }
        _ => harness.up(policy),
    };
    match given {
        Queued | Starting | Up => {}
        Restarting => {
            harness.crash(child);
            harness.jump_to_the_deadline();
        }
        EndingIncarnation => assert!(harness.restart(child)),
        Held => {
            harness.up(policy);
            harness.crash(child);
        }
        BackingOff => harness.crash(child),
        Paused => {
            harness.crash(child);
            harness.jump_to_the_deadline();
            harness.crash(child);
        }
        Stopping => assert!(harness.stop(child)),
        StoppingToStart => assert!(harness.stop(child) && harness.restart(child)),
        Stuck => {
            assert!(harness.stop(child));
            harness.stuck(child);
        }
        StuckIncarnation => {
            assert!(harness.restart(child));
            harness.stuck(child);
        }
        StuckToStart => {
            assert!(harness.stop(child) && harness.restart(child));
            harness.stuck(child);
        }
        Down => {
            assert!(harness.stop(child));
            harness.end(child);
        }
    }
    harness.take_directives();
    (harness, child)
}

fn feed(harness: &mut Harness, child: ChildId, input: Input) {
    match input {
        Input::Crashed => harness.crash(child),
        Input::Deadline => harness.jump_to_the_deadline(),
        Input::Removed => assert!(harness.remove(child)),
        Input::Restarted => assert!(harness.restart(child)),
        Input::Shutdown => harness.shutdown(),
        Input::Started => harness.start(child),
        Input::Stopped => assert!(harness.stop(child)),
        Input::Stuck => harness.stuck(child),
    }
}

/// The child's phase, and what was asked for that concerns it.
fn seen(harness: &mut Harness, child: ChildId) -> String {
    let directives = harness.take_directives().into_iter();
    let own = directives
        .filter(|(id, _)| *id == child)
        .map(|(_, text)| text);
    let phase = harness.phase(child);
    let phase = phase.map_or_else(|| "gone".to_owned(), |phase| phase.to_string());
    std::iter::once(phase)
        .chain(own)
        .collect::<Vec<_>>()
        .join(", ")
}

const INPUTS: [Input; 8] = [
    Input::Crashed,
    Input::Deadline,
    Input::Removed,
    Input::Restarted,
    Input::Shutdown,
    Input::Started,
    Input::Stopped,
    Input::Stuck,
];

/// The answers to the inputs above, in their order.
const TABLE: &[(Given, [&str; 8])] = &[
    (
        Given::Queued,
        [
            "starting",
            "starting",
            "gone, ended removed",
            "starting",
            "down, ended shut down",
            "starting",
            "down, ended stopped",
            "starting",
        ],
    ),
    (
        Given::Starting,
        [
            "stopping, stop 1",
            "starting",
            "stopping, stop 1",
            "stopping, end 1",
            "stopping, stop 1",
            "up",
            "stopping, stop 1",
            "starting",
        ],
    ),
    (
        Given::Restarting,
        [
            "paused",
            "starting",
            "stopping, stop 2",
            "stopping, end 2",
            "stopping, stop 2",
            "up",
            "stopping, stop 2",
            "starting",
        ],
    ),
    (
        Given::Up,
        [
            "backing off",
            "up",
            "stopping, stop 1",
            "stopping, end 1",
            "stopping, stop 1",
            "up",
            "stopping, stop 1",
            "up",
        ],
    ),
    (
        Given::EndingIncarnation,
        [
            "starting, start 2",
            "stopping",
            "stopping, stop 1",
            "stopping",
            "stopping, stop 1",
            "stopping",
            "stopping, stop 1",
            "stuck",
        ],
    ),
    (
        Given::Held,
        [
            "backing off",
            "backing off",
            "stopping, stop 1",
            "backing off",
            "backing off",
            "backing off",
            "stopping, stop 1",
            "backing off",
        ],
    ),
    (
        Given::BackingOff,
        [
            "backing off",
            "starting, start 2",
            "stopping, stop 1",
            "starting, start 2",
            "stopping, stop 1",
            "backing off",
            "stopping, stop 1",
            "backing off",
        ],
    ),
    (
        Given::Paused,
        [
            "paused",
            "starting, start 3",
            "stopping, stop 2",
            "starting, start 3",
            "stopping, stop 2",
            "paused",
            "stopping, stop 2",
            "paused",
        ],
    ),
    (
        Given::Stopping,
        [
            "down, ended stopped",
            "stopping",
            "stopping",
            "stopping",
            "stopping",
            "stopping",
            "stopping",
            "stuck, ended stopped",
        ],
    ),
    (
        Given::StoppingToStart,
        [
            "starting, ended stopped, start 2",
            "stopping",
            "stopping",
            "stopping",
            "stopping",
            "stopping",
            "stopping",
            "stuck, ended stopped",
        ],
    ),
    (
        Given::Stuck,
        [
            "down",
            "stuck",
            "stuck, ended removed",
            "stuck",
            "stuck",
            "stuck",
            "stuck, ended stopped",
            "stuck",
        ],
    ),
    (
        Given::StuckIncarnation,
        [
            "starting, start 2",
            "stuck",
            "stopping, stop 1",
            "stuck",
            "stopping, stop 1",
            "stuck",
            "stopping, stop 1",
            "stuck",
        ],
    ),
    (
        Given::StuckToStart,
        [
            "starting, start 2",
            "stuck",
            "stuck, ended removed",
            "stuck",
            "stuck, ended shut down",
            "stuck",
            "stuck, ended stopped",
            "stuck",
        ],
    ),
    (
        Given::Down,
        [
            "down",
            "down",
            "gone",
            "starting, start 2",
            "down",
            "down",
            "down",
            "down",
        ],
    ),
];
