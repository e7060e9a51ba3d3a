use super::super::SECOND;
use super::super::worker::Log;
use super::noter::{Note, noter, scope_of};

/// R41: a timer that is cancelled sends nothing more, also if its message waits.
#[tokio::test(start_paused = true)]
async fn r41_a_timer_of_a_scope_can_be_cancelled_until_it_is_handled() {
    let log = Log::new();
    let (_supervisor, actor) = noter(&log).await;
    let scope = scope_of(&actor).await;
    let once = scope.send_after(SECOND, || Note::Line("once"));
    let each = scope.send_interval(SECOND, || Note::Line("each"));
    actor.cast(Note::Wait(3 * SECOND + SECOND / 4)).unwrap();
    tokio::time::sleep(2 * SECOND).await;
    once.cancel();
    tokio::time::sleep(3 * SECOND + SECOND / 2).await;
    each.cancel();
    tokio::time::sleep(10 * SECOND).await;
    // What waited until 3.25 s, at 4 s and at 5 s.
    assert_eq!(log.read(), ["each"; 3]);
}

/// R41: ticks neither pile up nor drift.
#[tokio::test(start_paused = true)]
async fn r41_an_interval_of_a_scope_has_one_tick_waiting_at_most() {
    let log = Log::new();
    let (_supervisor, actor) = noter(&log).await;
    let scope = scope_of(&actor).await;
    scope.send_interval(SECOND, || Note::Line("tick"));
    actor.cast(Note::Wait(5 * SECOND + SECOND / 2)).unwrap();
    tokio::time::sleep(5 * SECOND + SECOND / 4 * 3).await;
    assert_eq!(log.read(), ["tick"]);
    tokio::time::sleep(SECOND / 2).await;
    assert_eq!(log.read(), ["tick"; 2]);
}
