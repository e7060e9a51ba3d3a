use proptest::prelude::{Just, prop, prop_oneof};
use proptest::strategy::Strategy as Generator;

use super::super::model::Then;
use super::*;

/// How far the boot is when the history begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Boot {
    Begun,
    Done,
}

/// Mostly done, as anything that ends while it boots ends the history.
pub(super) fn any_boot() -> impl Generator<Value = Boot> {
    prop_oneof![1 => Just(Boot::Begun), 4 => Just(Boot::Done)]
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Input {
    Added,
    Crashed,
    Deadline,
    /// It returned an error.
    Failed,
    Finished,
    Removed,
    Restarted,
    Shutdown,
    ShutdownAtOnce,
    Started,
    Stopped,
    Stuck,
}

pub(super) fn any_input() -> impl Generator<Value = Input> {
    prop_oneof![
        4 => Just(Input::Added),
        40 => Just(Input::Crashed),
        32 => Just(Input::Deadline),
        12 => Just(Input::Failed),
        24 => Just(Input::Finished),
        5 => Just(Input::Removed),
        16 => Just(Input::Restarted),
        1 => Just(Input::Shutdown),
        1 => Just(Input::ShutdownAtOnce),
        90 => Just(Input::Started),
        10 => Just(Input::Stopped),
        24 => Just(Input::Stuck),
    ]
}

/// Often no time at all, so that things happen at the same time.
pub(super) fn any_pause() -> impl Generator<Value = u64> {
    prop_oneof![4 => Just(0), 4 => 1..600_u64, 1 => 2_500..3_500_u64]
}

pub(super) fn any_strategy() -> impl Generator<Value = Strategy> {
    prop_oneof![
        Just(Strategy::OneForAll),
        Just(Strategy::OneForOne),
        Just(Strategy::RestForOne)
    ]
}

pub(super) fn any_auto_shutdown() -> impl Generator<Value = AutoShutdown> {
    prop_oneof![
        1 => Just(AutoShutdown::AllSignificant),
        1 => Just(AutoShutdown::AnySignificant),
        6 => Just(AutoShutdown::Never)
    ]
}

pub(super) fn any_bound() -> impl Generator<Value = Bound> {
    let then = prop_oneof![
        1 => Just(Then::Escalate),
        4 => Just(Then::Pause(400)),
        1 => Just(Then::StopChild)
    ];
    let bounds = (0_u32..6, prop_oneof![Just(500_u64), Just(5_000)], then);
    bounds.prop_map(|(restarts, period, then)| Bound {
        period,
        restarts,
        then,
    })
}

pub(super) fn any_draft() -> impl Generator<Value = Draft> {
    let restart = prop_oneof![
        4 => Just(Restart::Permanent),
        3 => Just(Restart::Transient),
        2 => Just(Restart::Temporary)
    ];
    let backoff = prop::option::of(Just(300));
    let bound = prop::option::weighted(0.3, any_bound());
    let often = prop::bool::weighted(0.6);
    let rarely = prop::bool::weighted(0.3);
    let parts = (backoff, bound, rarely, restart, often, rarely);
    parts.prop_map(
        |(backoff, bound, fatal_errors, restart, side_by_side, significant)| Draft {
            backoff,
            bound,
            fatal_errors,
            restart,
            side_by_side,
            significant,
        },
    )
}
