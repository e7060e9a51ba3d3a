use std::io;
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The timers of callers that are outside of tokio.
///
/// They have a thread of their own: the runtime of the box may be stuck in the user's
/// code, or have ended. The thread ends when this is dropped.
#[derive(Debug)]
pub(super) struct Timers {
    _ends: oneshot::Sender<()>,
    runtime: Handle,
}

impl Timers {
    pub(super) fn start() -> io::Result<Self> {
        let (ends, ended) = oneshot::channel();
        let runtime = Builder::new_current_thread().enable_time().build()?;
        let handle = runtime.handle().clone();
        let drive = move || {
            // An error is what it waits for: the sender is dropped.
            let _ended = runtime.block_on(ended);
        };
        thread::Builder::new()
            .name("breakerbox timers".to_owned())
            .spawn(drive)?;
        Ok(Self {
            _ends: ends,
            runtime: handle,
        })
    }

    /// Returns the runtime whose timers these are.
    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }
}
