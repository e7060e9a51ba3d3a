use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};

pin_project! {
    /// A body that breaks when nothing comes for too long.
    ///
    /// Only the time for which its reader waits counts. A limit on the time between
    /// two frames, such as tower-http's `TimeoutBody`, takes a client that stops
    /// reading for a server that stops sending.
    pub struct IdleTimeoutBody<B> {
        #[pin]
        body: B,
        limit: Duration,
        // None unless its reader waits.
        sleep: Option<Pin<Box<Sleep>>>,
    }
}

impl<B> IdleTimeoutBody<B> {
    /// This body, which breaks when its reader has waited for `limit`.
    #[must_use]
    pub const fn new(body: B, limit: Duration) -> Self {
        Self {
            body,
            limit,
            sleep: None,
        }
    }
}

impl<B> Body for IdleTimeoutBody<B>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = B::Data;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, Self::Error>>> {
        let mut this = self.project();
        // First: what has come while nobody asked is not late.
        if let Poll::Ready(frame) = this.body.as_mut().poll_frame(context) {
            *this.sleep = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let limit = *this.limit;
        let sleep = this.sleep.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(sleep.as_mut().poll(context));
        let error = IdleTimeout {
            limit,
            missing: this.body.size_hint().exact(),
        };
        Poll::Ready(Some(Err(error.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> fmt::Debug for IdleTimeoutBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdleTimeoutBody")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

/// The error of an [`IdleTimeoutBody`] whose reader has waited for too long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct IdleTimeout {
    limit: Duration,
    missing: Option<u64>,
}

impl IdleTimeout {
    /// Returns how many bytes were still to come, if the body had a length.
    ///
    /// A body with a length has been promised. One without, such as a stream of
    /// events, may have nothing to say for as long as it likes.
    #[must_use]
    pub const fn missing(&self) -> Option<u64> {
        self.missing
    }
}

impl Error for IdleTimeout {}

impl fmt::Display for IdleTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing of the body has come for {:?}", self.limit)?;
        match self.missing {
            Some(bytes) => write!(f, ", and {bytes} bytes are missing"),
            None => Ok(()),
        }
    }
}
