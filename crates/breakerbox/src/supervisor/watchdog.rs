//! The thread that minds the others while the user's code blocks one.
//!
//! A worker of tokio's multi-threaded runtime keeps the task that it woke last in a
//! slot of its own (its LIFO slot), and no other worker takes it from there. If the
//! worker then runs code that blocks, that task waits as long: a supervisor that has
//! just been told of a start does not answer. And if it was the clock that had woken
//! the worker, no other one minds the clock, and nothing in the process is due.
//!
//! To push the task out of the slot, by spawning others, costs microseconds each
//! time. So nothing is woken right before the user's code runs: what is to be told is
//! kept until the code has returned. If that takes longer than a [`TICK`] or two, the
//! watchdog tells it. It does so from outside of the runtime, which wakes an idle
//! worker, and that one minds the clock again.
//!
//! # Invariants
//!
//! 1. The messages of a thread are sent in their order, each once.
//! 2. No thread that runs the user's code for longer than two ticks goes unnoticed.
//! 3. The watchdog sleeps while nobody runs the user's code.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::thread::{self, Thread};
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};

use super::log;
use crate::lock;

/// Calls the user's code, which may block this thread.
pub(super) fn guard<T>(run: impl FnOnce() -> T) -> T {
    let _guarded = Guarded::enter();
    run()
}

/// Tells somebody of something; inside of [`guard`] only once that has returned, or
/// blocks.
pub(super) fn after_user_code(tell: impl FnOnce() + Send + 'static) {
    let is_guarded = POST.try_with(|post| post.depth.get() > 0);
    if is_guarded != Ok(true) {
        return tell();
    }
    let _it_is_there = POST.try_with(|post| post.keep(Box::new(tell)));
}

/// A runtime whose workers the watchdog wakes, until this is dropped.
pub(super) struct Minded {
    runtime: Handle,
}

impl Minded {
    /// The runtime that this thread is in.
    pub(super) fn current() -> Option<Self> {
        let runtime = Handle::try_current().ok()?;
        // Where there is one worker, nobody is left to be woken.
        if runtime.runtime_flavor() == RuntimeFlavor::CurrentThread {
            return None;
        }
        WATCHDOG.start();
        lock::with(&WATCHDOG.runtimes, |runtimes| {
            let known = runtimes.iter_mut().find(|(it, _)| it.id() == runtime.id());
            match known {
                Some((_, minded)) => *minded += 1,
                None => runtimes.push((runtime.clone(), 1)),
            }
        });
        Some(Self { runtime })
    }
}

impl Drop for Minded {
    fn drop(&mut self) {
        let dropped = lock::with(&WATCHDOG.runtimes, |runtimes| {
            let at = runtimes
                .iter()
                .position(|(it, _)| it.id() == self.runtime.id())?;
            runtimes[at].1 -= 1;
            (runtimes[at].1 == 0).then(|| runtimes.swap_remove(at))
        });
        drop(dropped);
    }
}

/// The time for which this thread runs the user's code.
struct Guarded;

impl Guarded {
    fn enter() -> Self {
        // An error means that the thread ends; what it drops then wakes nobody.
        let _thread_ends = POST.try_with(Post::enter);
        Self
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let _thread_ends = POST.try_with(Post::leave);
    }
}

/// What a thread knows of itself.
struct Post {
    /// How many guards there are, one within another.
    depth: Cell<u32>,
    has_kept: Cell<bool>,
    watched: Arc<Watched>,
}

thread_local! {
    static POST: Post = Post::new();
}

impl Post {
    fn new() -> Self {
        let watched = Arc::new(Watched::default());
        let seen = Seen {
            turn: 0,
            watched: Arc::downgrade(&watched),
        };
        lock::with(&WATCHDOG.posts, |posts| posts.push(seen));
        Self {
            depth: Cell::new(0),
            has_kept: Cell::new(false),
            watched,
        }
    }

    fn enter(&self) {
        let depth = self.depth.get();
        self.depth.set(depth + 1);
        if depth == 0 {
            self.watched.enter();
            WATCHDOG.wake();
        }
    }

    fn leave(&self) {
        let depth = self.depth.get() - 1;
        self.depth.set(depth);
        if depth == 0 {
            self.watched.leave();
            if self.has_kept.take() {
                self.watched.tell_kept();
            }
        }
    }

    fn keep(&self, tell: Tell) {
        self.has_kept.set(true);
        lock::with(&self.watched.kept, |kept| kept.push(tell));
    }
}

/// The thread ends; the watchdog, which may never have been started, forgets it.
impl Drop for Post {
    fn drop(&mut self) {
        let watched = Arc::as_ptr(&self.watched);
        lock::with(&WATCHDOG.posts, |posts| {
            posts.retain(|seen| seen.watched.as_ptr() != watched);
        });
    }
}

/// What the watchdog sees of a thread.
#[derive(Default)]
struct Watched {
    kept: Mutex<Vec<Tell>>,
    /// Counts entries and exits; odd while the thread runs the user's code.
    turn: AtomicU64,
}

type Tell = Box<dyn FnOnce() + Send>;

impl Watched {
    /// # Memory ordering
    ///
    /// Sequentially consistent with the look at `asleep` that follows: either this
    /// thread sees that the watchdog is about to sleep, or that one sees the entry.
    fn enter(&self) {
        let turn = self.turn.load(Ordering::Relaxed);
        self.turn.store(turn + 1, Ordering::SeqCst);
    }

    fn leave(&self) {
        let turn = self.turn.load(Ordering::Relaxed);
        // Nothing is read by this; the watchdog may act for nothing.
        self.turn.store(turn + 1, Ordering::Relaxed);
    }

    /// Tells what is kept; under the lock, so that nobody overtakes it.
    fn tell_kept(&self) {
        lock::with(&self.kept, |kept| kept.drain(..).for_each(|tell| tell()));
    }
}

static WATCHDOG: Watchdog = Watchdog {
    asleep: AtomicBool::new(false),
    posts: Mutex::new(Vec::new()),
    runtimes: Mutex::new(Vec::new()),
    thread: OnceLock::new(),
};

struct Watchdog {
    asleep: AtomicBool,
    posts: Mutex<Vec<Seen>>,
    /// With how many supervisors there are in each.
    runtimes: Mutex<Vec<(Handle, usize)>>,
    /// None if the system has no thread for it, and then nobody is nudged.
    thread: OnceLock<Option<Thread>>,
}

/// A thread as the watchdog saw it last.
struct Seen {
    turn: u64,
    watched: Weak<Watched>,
}

impl Watchdog {
    fn start(&'static self) {
        self.thread.get_or_init(|| {
            let thread = thread::Builder::new().name("breakerbox-watchdog".to_owned());
            match thread.spawn(|| self.watch()) {
                Ok(running) => Some(running.thread().clone()),
                Err(error) => {
                    log::no_watchdog(&error);
                    None
                }
            }
        });
    }

    fn wake(&self) {
        if self.asleep.load(Ordering::SeqCst)
            && self.asleep.swap(false, Ordering::SeqCst)
            && let Some(Some(thread)) = self.thread.get()
        {
            thread.unpark();
        }
    }

    fn watch(&self) {
        let mut quiet = 0;
        loop {
            thread::sleep(TICK);
            quiet = match self.look() {
                Look::Busy => 0,
                Look::Quiet => quiet + 1,
            };
            if quiet == QUIET_TICKS {
                self.asleep.store(true, Ordering::SeqCst);
                while self.look() == Look::Quiet && self.asleep.load(Ordering::SeqCst) {
                    thread::park();
                }
                self.asleep.store(false, Ordering::SeqCst);
                quiet = 0;
            }
        }
    }

    /// Helps the threads that have run the same code since the last look.
    fn look(&self) -> Look {
        let mut look = Look::Quiet;
        let mut blocked = Vec::new();
        lock::with(&self.posts, |posts| {
            posts.retain_mut(|seen| {
                let Some(watched) = seen.watched.upgrade() else {
                    return false;
                };
                let turn = watched.turn.load(Ordering::SeqCst);
                let runs = turn % 2 == 1;
                if runs || turn != seen.turn {
                    look = Look::Busy;
                }
                if runs && turn == seen.turn {
                    blocked.push(watched);
                }
                seen.turn = turn;
                true
            });
        });
        if !blocked.is_empty() {
            blocked.iter().for_each(|watched| watched.tell_kept());
            self.nudge();
        }
        look
    }

    /// Wakes an idle worker of each runtime, which then minds the clock.
    fn nudge(&self) {
        lock::with(&self.runtimes, |runtimes| {
            for (runtime, _) in runtimes {
                drop(runtime.spawn(std::future::ready(())));
            }
        });
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Look {
    Busy,
    Quiet,
}

/// Long beside a message to an actor, short beside what a caller waits for.
const TICK: Duration = Duration::from_millis(5);

/// The watchdog sleeps after a second without work.
const QUIET_TICKS: u32 = 200;

#[cfg(test)]
mod tests {
    use std::thread;

    use super::{WATCHDOG, guard};
    use crate::lock;

    /// R26: memory does not grow with the threads that ever ran the user's code.
    #[test]
    fn r26_a_thread_that_has_ended_is_forgotten() {
        for _ in 0..100 {
            thread::spawn(|| guard(|| ())).join().unwrap();
            let ended = lock::with(&WATCHDOG.posts, |posts| {
                let has_ended = |seen: &&super::Seen| seen.watched.strong_count() == 0;
                posts.iter().filter(has_ended).count()
            });
            assert_eq!(ended, 0);
        }
    }
}
