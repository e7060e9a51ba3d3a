//! When an actor crashed, was started again, and answered again.
//!
//! Supervised actors are made anew by whoever supervises them, so what they note
//! is in one place, for all of them. Only one tree may crash at a time.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Notes that an actor has crashed, or is about to.
pub fn crashed() {
    let now = Instant::now();
    log().push(Crash {
        crashed: now,
        started: None,
        answered: None,
    });
}

/// Notes that an actor starts, which matters if one has crashed.
pub fn started() {
    let now = Instant::now();
    if let Some(Crash {
        started: started @ None,
        ..
    }) = log().last_mut()
    {
        *started = Some(now);
    }
}

/// Notes that an actor has answered.
pub fn answered() {
    let now = Instant::now();
    if let Some(Crash {
        answered: answered @ None,
        ..
    }) = log().last_mut()
    {
        *answered = Some(now);
    }
}

/// How long it took after each crash until the start, and until the answer.
///
/// Empties the log.
#[must_use]
pub fn take() -> [Vec<Duration>; 2] {
    let log = std::mem::take(&mut *log());
    let after = |crash: &Crash, then: Option<Instant>| Some(then?.duration_since(crash.crashed));
    [
        log.iter().filter_map(|it| after(it, it.started)).collect(),
        log.iter().filter_map(|it| after(it, it.answered)).collect(),
    ]
}

struct Crash {
    crashed: Instant,
    started: Option<Instant>,
    answered: Option<Instant>,
}

fn log() -> MutexGuard<'static, Vec<Crash>> {
    LOG.lock().expect("nobody panics with it")
}

static LOG: Mutex<Vec<Crash>> = Mutex::new(Vec::new());
