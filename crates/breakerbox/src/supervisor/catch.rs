//! Running the user's code, whose panics end neither a shell nor a supervisor.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use breakerbox_core::Exit;
use pin_project_lite::pin_project;
use tokio::runtime::Handle;

use super::{log, watchdog};

/// Runs a hook of the user's; an error or a panic becomes an exit.
pub(super) fn hook<F: Future<Output = Result<T, E>>, T, E: fmt::Display>(hook: F) -> Hook<F> {
    Hook { hook: Some(hook) }
}

pin_project! {
    /// A hook of the user's that runs.
    ///
    /// It is no async function, as that would hold the user's future twice: once as its
    /// argument, and once where it waits for it. It is a part of each idle shell.
    pub(super) struct Hook<F> {
        #[pin]
        hook: Option<F>,
    }
}

impl<F: Future<Output = Result<T, E>>, T, E: fmt::Display> Future for Hook<F> {
    type Output = Result<T, Exit>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T, Exit>> {
        let mut hook = self.project().hook;
        // The user's error is turned into text in here, because that may panic as well;
        // so may what the hook holds when it is dropped.
        let polled = call(|| {
            let running = hook.as_mut().as_pin_mut();
            let done = ready!(
                running
                    .expect("it is polled until it is done")
                    .poll(context)
            );
            hook.set(None);
            Poll::Ready(done.map_err(|error| error.to_string()))
        });
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(done)) => Poll::Ready(done.map_err(Exit::error)),
            Err(panic) => {
                run_drop(|| hook.set(None));
                Poll::Ready(Err(Exit::panicked(panic)))
            }
        }
    }
}

/// Runs a future of the user's for so long; `None` when it was dropped as too late.
///
/// What it holds may panic when it is dropped, which is logged.
pub(super) async fn within<T>(timeout: Duration, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(Some(future));
    let running = future.as_mut().as_pin_mut().expect("it is set above");
    let done = tokio::time::timeout(timeout, running).await;
    run_drop(|| future.set(None));
    done.ok()
}

/// Calls the user's code; a panic becomes its text.
pub(super) fn call<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    watchdog::guard(|| catch_unwind(AssertUnwindSafe(call)).map_err(text_of))
}

/// Drops a value of the user's; a panic is logged.
pub(crate) fn drop_of<T>(value: T) {
    run_drop(|| drop(value));
}

/// Drops a value of the user's in a task of its own, as that may block.
///
/// Many are dropped in one task: it costs more than most drops.
pub(crate) fn drop_apart<T: Send + 'static>(value: T) {
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn(async move { drop_of(value) })),
        Err(_outside) => drop_of(value),
    }
}

/// Values of the user's, of which each is dropped though another one panics.
pub(super) struct DropEach<T>(pub(super) Vec<T>);

impl<T> Drop for DropEach<T> {
    fn drop(&mut self) {
        self.0.drain(..).for_each(drop_of);
    }
}

/// Calls what drops something of the user's; a panic is logged.
pub(super) fn run_drop(drop: impl FnOnce()) {
    if let Err(panic) = call(drop) {
        log::drop_panicked(&panic);
    }
}

/// What a panic said.
pub(super) fn text_of(panic: Box<dyn Any + Send>) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        return (*text).to_owned();
    }
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(other) => {
            // The payload may panic again when it is dropped.
            std::mem::forget(other);
            "a panic without a text".to_owned()
        }
    }
}
