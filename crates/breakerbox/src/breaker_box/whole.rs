use std::any::Any;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::FutureExt;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::guarded;

/// Work that is done to its end, whether somebody waits for it or not.
///
/// Half-done work would be a breaker without an owner, or an endpoint without checks.
/// So the work has a task of its own. A result for a caller that has stopped waiting
/// is taken back. The output is None if the runtime has ended.
#[must_use = "what nobody waits for is taken back"]
pub(crate) struct Whole<T> {
    outcome: oneshot::Receiver<Outcome<T>>,
    take_back: fn(T),
}

/// The result of the work, or the panic that ended it.
type Outcome<T> = Result<T, Box<dyn Any + Send>>;

impl<T: Send + 'static> Whole<T> {
    pub(crate) fn begin(
        runtime: &Handle,
        work: impl Future<Output = T> + Send + 'static,
        take_back: fn(T),
    ) -> Self {
        let (reply, outcome) = oneshot::channel();
        runtime.spawn(async move {
            let done = AssertUnwindSafe(work).catch_unwind().await;
            if let Err(Ok(unwanted)) = reply.send(done) {
                take_back(unwanted);
            }
        });
        Self { outcome, take_back }
    }
}

impl<T> Future for Whole<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let waker = guarded::waker(context.waker());
        let mut context = Context::from_waker(&waker);
        match ready!(Pin::new(&mut self.outcome).poll(&mut context)) {
            Ok(Ok(done)) => Poll::Ready(Some(done)),
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_runtime_ended) => Poll::Ready(None),
        }
    }
}

impl<T> Drop for Whole<T> {
    fn drop(&mut self) {
        self.outcome.close();
        if let Ok(Ok(unwanted)) = self.outcome.try_recv() {
            (self.take_back)(unwanted);
        }
    }
}
