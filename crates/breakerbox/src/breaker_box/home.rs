use std::sync::mpsc;
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::{BreakerBox, BreakerBoxSpec, Whole};
use crate::StartError;

/// The place where a box lives.
#[derive(Clone, Debug)]
pub(super) enum Home {
    /// The runtime that the box is started on.
    Current,
    /// A thread of its own, with a runtime of its own.
    OwnThread,
    /// This runtime.
    Runtime(Handle),
}

impl Home {
    pub(super) async fn start(self, spec: BreakerBoxSpec) -> Result<BreakerBox, StartError> {
        let start = BreakerBox::start_here(spec);
        match self {
            Self::Current => start.await,
            Self::OwnThread => {
                let (reply, started) = oneshot::channel();
                // A caller that has stopped waiting leaves the box without a handle.
                on_own_thread(start, |box_or_error| drop(reply.send(box_or_error)))?;
                started.await.unwrap_or(Err(StartError::Interrupted))
            }
            Self::Runtime(runtime) => {
                let started = Whole::begin(&runtime, start, drop).await;
                started.unwrap_or(Err(StartError::Interrupted))
            }
        }
    }

    pub(super) fn start_blocking(self, spec: BreakerBoxSpec) -> Result<BreakerBox, StartError> {
        let start = BreakerBox::start_here(spec);
        let (reply, started) = mpsc::sync_channel(1);
        let tell = move |box_or_error| drop(reply.send(box_or_error));
        match self {
            Self::Current => {
                let is_inside = Handle::try_current().is_ok();
                return Err(match is_inside {
                    true => StartError::WouldBlock,
                    false => StartError::NoRuntime,
                });
            }
            Self::Runtime(runtime) if is_current(&runtime) => return Err(StartError::WouldBlock),
            Self::OwnThread => on_own_thread(start, tell)?,
            Self::Runtime(runtime) => {
                runtime.spawn(async move { tell(start.await) });
            }
        }
        started.recv().unwrap_or(Err(StartError::Interrupted))
    }
}

/// Reports whether this thread belongs to the runtime, and so must not wait for it.
pub(super) fn is_current(runtime: &Handle) -> bool {
    Handle::try_current().is_ok_and(|current| current.id() == runtime.id())
}

/// Starts a box on a thread that ends when the box has ended.
fn on_own_thread(
    start: impl Future<Output = Result<BreakerBox, StartError>> + Send + 'static,
    tell: impl FnOnce(Result<BreakerBox, StartError>) + Send + 'static,
) -> Result<(), StartError> {
    let no_thread = |error: std::io::Error| StartError::NoThread {
        error: error.to_string(),
    };
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(no_thread)?;
    let live = move || {
        let started = runtime.block_on(start);
        let supervisor = match &started {
            Ok(breakers) => Some(breakers.supervisor().observer()),
            Err(_) => None,
        };
        tell(started);
        if let Some(supervisor) = supervisor {
            runtime.block_on(supervisor.ended());
        }
    };
    let thread = thread::Builder::new().name("breakerbox".to_owned());
    thread.spawn(live).map_err(no_thread)?;
    Ok(())
}
