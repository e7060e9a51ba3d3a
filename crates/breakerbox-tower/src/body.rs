use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use breakerbox::Verdict;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::{Unsettled, grpc};

pin_project! {
    /// The body of a response, which settles its call's permit at its end.
    ///
    /// Read to its end it is a success, or what gRPC's trailers say; if it breaks
    /// it is a failure; dropped before that, the call is abandoned.
    pub struct WatchedBody<B> {
        #[pin]
        body: B,
        kind: Kind,
        unsettled: Option<Unsettled>,
    }
}

/// What the end of a body means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// The trailers have a status.
    Grpc,
    /// All is well.
    Http,
}

impl<B> WatchedBody<B> {
    pub(crate) fn new(body: B, kind: Kind, unsettled: Option<Unsettled>) -> Self {
        Self {
            body,
            kind,
            unsettled,
        }
    }
}

impl Kind {
    /// The verdict on a call whose body goes on after this frame, if there is one.
    fn of_frame<D>(self, frame: &Frame<D>) -> Option<Verdict> {
        match self {
            Self::Grpc => grpc::verdict(frame.trailers_ref()?),
            Self::Http => None,
        }
    }

    const fn of_end(self) -> Verdict {
        match self {
            // It ended without a status.
            Self::Grpc => Verdict::Sent,
            Self::Http => Verdict::Success,
        }
    }
}

impl<B: Body> Body for WatchedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let frame = ready!(this.body.as_mut().poll_frame(context));
        let verdict = match &frame {
            // Who reads it need not ask again once it says that it is at its end.
            Some(Ok(frame)) => this
                .kind
                .of_frame(frame)
                .or_else(|| this.body.is_end_stream().then(|| this.kind.of_end())),
            Some(Err(_)) => Some(Verdict::Sent),
            None => Some(this.kind.of_end()),
        };
        if let Some(verdict) = verdict
            && let Some(unsettled) = this.unsettled.take()
        {
            // It is recorded by now. Waiting for the decision would hold up the body.
            drop(unsettled.settle(verdict));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B: Default> Default for WatchedBody<B> {
    /// A body that no call waits for.
    fn default() -> Self {
        Self::new(B::default(), Kind::Http, None)
    }
}

impl<B> fmt::Debug for WatchedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedBody")
            .field("kind", &self.kind)
            .field("settled", &self.unsettled.is_none())
            .finish_non_exhaustive()
    }
}
