use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use breakerbox::{Decision, Verdict};
use bytes::Buf;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::{Unsettled, grpc};

pin_project! {
    /// The body of a response, which settles its call's permit at its end.
    ///
    /// Read to its end it is a success, or what gRPC's trailers say; if it breaks
    /// it is a failure; dropped before that, the call is abandoned. Whoever has
    /// seen its end meets a breaker that has decided on it.
    pub struct WatchedBody<B: Body> {
        #[pin]
        body: B,
        kind: Kind,
        last: Option<Last<B::Data, B::Error>>,
        // Bytes to come, where that is known.
        left: Option<u64>,
        unsettled: Option<Unsettled>,
    }
}

/// The last frame, held back until the breaker has decided.
struct Last<D, E> {
    decision: Decision,
    frame: Option<Result<Frame<D>, E>>,
}

/// What the end of a body means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// The trailers have a status.
    Grpc,
    /// All is well.
    Http,
}

impl<B: Body> WatchedBody<B> {
    pub(crate) fn new(
        body: B,
        kind: Kind,
        left: Option<u64>,
        unsettled: Option<Unsettled>,
    ) -> Self {
        Self {
            body,
            kind,
            last: None,
            left,
            unsettled,
        }
    }
}

impl Kind {
    /// Whether there is nothing left to read. Not every body says so by itself, and
    /// nobody reads beyond the length that was promised.
    pub(crate) fn is_over<B: Body>(self, body: &B, left: Option<u64>) -> bool {
        let is_counted_out = self == Self::Http && left == Some(0);
        is_counted_out || body.is_end_stream()
    }

    /// The verdict on a call, once there is one. Who reads a body need not ask
    /// again after a frame with which it says that it is at its end.
    fn of_frame<D, E>(
        self,
        frame: Option<&Result<Frame<D>, E>>,
        is_at_end: bool,
    ) -> Option<Verdict> {
        match frame {
            None => Some(self.of_end()),
            Some(Err(_)) => Some(Verdict::Sent),
            Some(Ok(frame)) => self
                .of_trailers(frame.trailers_ref())
                .or_else(|| is_at_end.then(|| self.of_end())),
        }
    }

    fn of_trailers(self, trailers: Option<&HeaderMap>) -> Option<Verdict> {
        match self {
            Self::Grpc => grpc::verdict(trailers?),
            Self::Http => None,
        }
    }

    pub(crate) const fn of_end(self) -> Verdict {
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
        if this.last.is_none() {
            let frame = ready!(this.body.as_mut().poll_frame(context));
            if let Some(Ok(frame)) = &frame {
                let read = frame.data_ref().map_or(0, |data| data.remaining() as u64);
                *this.left = this.left.map(|left| left.saturating_sub(read));
            }
            let is_at_end = this.kind.is_over(&*this.body, *this.left);
            let verdict = this.kind.of_frame(frame.as_ref(), is_at_end);
            match verdict.and_then(|verdict| Some((verdict, this.unsettled.take()?))) {
                None => return Poll::Ready(frame),
                Some((verdict, unsettled)) => {
                    let decision = unsettled.settle(verdict);
                    *this.last = Some(Last { decision, frame });
                }
            }
        }
        if let Some(last) = this.last {
            ready!(Pin::new(&mut last.decision).poll(context));
        }
        Poll::Ready(this.last.take().and_then(|last| last.frame))
    }

    fn is_end_stream(&self) -> bool {
        // Who is told that this is the end reads no further, and an unsettled call
        // would be abandoned.
        self.unsettled.is_none() && self.last.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let held = self.last.as_ref().and_then(|last| last.frame.as_ref());
        match held.and_then(|frame| frame.as_ref().ok()?.data_ref()) {
            // What is left of the body does not include it any more.
            Some(_) => SizeHint::default(),
            None => self.body.size_hint(),
        }
    }
}

impl<B: Body + Default> Default for WatchedBody<B> {
    /// A body that no call waits for.
    fn default() -> Self {
        Self::new(B::default(), Kind::Http, None, None)
    }
}

impl<B: Body> fmt::Debug for WatchedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedBody")
            .field("kind", &self.kind)
            .field("settled", &self.unsettled.is_none())
            .finish_non_exhaustive()
    }
}
