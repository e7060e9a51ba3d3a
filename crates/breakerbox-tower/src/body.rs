mod lag;

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use breakerbox::{Decision, Verdict};
use bytes::Buf;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::{Unsettled, grpc};
use lag::Lag;

pin_project! {
    /// The body of a response, which settles its call's permit at its end.
    ///
    /// Read to its end it is a success, or what gRPC's trailers say; if it breaks
    /// it is a failure; dropped before that, the call is abandoned. Whoever has
    /// seen its end meets a breaker that has decided on it.
    ///
    /// A server gives up writing where nobody reads. So a break is
    /// [`Verdict::Ambiguous`] if the reader had kept the server waiting for a second
    /// in all, less the time for which the reader has waited for the server since.
    /// No limit on writing that is in use is shorter, and a reader that is slow only
    /// now and then stays below. The reader keeps the server waiting from when it
    /// gets a frame, or the head, until it asks for the next frame.
    pub struct WatchedBody<B: Body> {
        #[pin]
        body: B,
        kind: Kind,
        last: Option<Last<B::Data, B::Error>>,
        length: Length,
        of_break: fn(&B::Error) -> Verdict,
        // None once it is settled, or if there is nothing to settle.
        watched: Option<Watched>,
    }
}

/// A call that is settled at the end of its body.
struct Watched {
    lag: Lag,
    unsettled: Unsettled,
}

impl Watched {
    fn settle(mut self, verdict: Verdict) -> Decision {
        let verdict = match verdict {
            Verdict::Sent => {
                self.lag.record_frame(now());
                match self.lag.is_stall() {
                    true => Verdict::Ambiguous,
                    false => Verdict::Sent,
                }
            }
            verdict => verdict,
        };
        self.unsettled.settle(verdict)
    }
}

/// The last frame, held back until the breaker has decided.
struct Last<D, E> {
    decision: Decision,
    frame: Option<Result<Frame<D>, E>>,
}

/// How much of a body has come.
struct Length {
    has_begun: bool,
    /// Bytes to come, where that is known.
    left: Option<u64>,
}

impl Length {
    const fn promised(bytes: Option<u64>) -> Self {
        Self {
            has_begun: false,
            left: bytes,
        }
    }

    fn record<D: Buf>(&mut self, frame: &Frame<D>) {
        let read = frame.data_ref().map_or(0, |data| data.remaining() as u64);
        self.has_begun |= read > 0;
        self.left = self.left.map(|left| left.saturating_sub(read));
    }

    /// Whether a body that ends now is a part of what it says itself. A header is no
    /// proof of that: the answer to a HEAD promises bytes of which none comes, and
    /// whoever changes a body may have left it there.
    fn is_short<B: Body>(&self, body: &B) -> bool {
        self.has_begun && body.size_hint().exact().is_some_and(|left| left > 0)
    }
}

/// What the end of a body means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// The trailers have a status.
    Grpc,
    /// All is well.
    Http,
    /// As of gRPC, from a server that limits this process as a whole.
    LimitedGrpc,
}

impl<B: Body> WatchedBody<B> {
    pub(crate) fn new(
        body: B,
        kind: Kind,
        promised: Option<u64>,
        unsettled: Option<Unsettled>,
    ) -> Self {
        Self {
            body,
            kind,
            last: None,
            length: Length::promised(promised),
            of_break: |_| Verdict::Sent,
            watched: unsettled.map(|unsettled| Watched {
                lag: Lag::new(now()),
                unsettled,
            }),
        }
    }

    /// The same body, of which `verdict` judges an error that breaks it;
    /// [`Verdict::Sent`] unless set.
    ///
    /// [`body_verdict`](crate::body_verdict) knows the errors of this crate.
    #[must_use]
    pub fn judge_break_by(mut self, verdict: fn(&B::Error) -> Verdict) -> Self {
        self.of_break = verdict;
        self
    }
}

impl Kind {
    /// Whether there is nothing left to read. Not every body says so by itself, and
    /// nobody reads beyond the length that was promised.
    pub(crate) fn is_over<B: Body>(self, body: &B, left: Option<u64>) -> bool {
        let is_counted_out = self == Self::Http && left == Some(0);
        is_counted_out || body.is_end_stream()
    }

    fn of_trailers(self, trailers: Option<&HeaderMap>) -> Option<Verdict> {
        match self {
            Self::Grpc => grpc::verdict(trailers?),
            Self::Http => None,
            Self::LimitedGrpc => grpc::limited_verdict(trailers?),
        }
    }

    pub(crate) const fn of_end(self) -> Verdict {
        match self {
            // It ended without a status.
            Self::Grpc | Self::LimitedGrpc => Verdict::Sent,
            Self::Http => Verdict::Success,
        }
    }
}

impl<B: Body> WatchedBody<B> {
    fn poll_body(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Polled<B>> {
        let this = self.project();
        let polled = this.body.poll_frame(context);
        match (&polled, this.watched) {
            (Poll::Pending, Some(watched)) => watched.lag.record_wait(now),
            (Poll::Ready(Some(Ok(frame))), _) => this.length.record(frame),
            _ => {}
        }
        polled
    }

    /// The verdict on a call, once there is one. Who reads a body need not ask
    /// again after a frame with which it says that it is at its end.
    fn verdict(&self, polled: Option<&Result<Frame<B::Data>, B::Error>>) -> Option<Verdict> {
        match polled {
            None if self.kind == Kind::Http && self.length.is_short(&self.body) => {
                Some(Verdict::Sent)
            }
            None => Some(self.kind.of_end()),
            Some(Err(error)) => Some((self.of_break)(error)),
            Some(Ok(frame)) => self.kind.of_trailers(frame.trailers_ref()).or_else(|| {
                // Nothing comes after trailers, and whoever sends them on asks no more.
                let is_over =
                    frame.is_trailers() || self.kind.is_over(&self.body, self.length.left);
                is_over.then(|| self.kind.of_end())
            }),
        }
    }
}

impl<B: Body> Body for WatchedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        if self.last.is_none() {
            let frame = ready!(self.as_mut().poll_body(context));
            let verdict = self.verdict(frame.as_ref());
            let this = self.as_mut().project();
            match verdict.and_then(|verdict| Some((verdict, this.watched.take()?))) {
                None => {
                    if let Some(watched) = this.watched {
                        watched.lag.record_frame(now());
                    }
                    return Poll::Ready(frame);
                }
                Some((verdict, watched)) => {
                    let decision = watched.settle(verdict);
                    *this.last = Some(Last { decision, frame });
                }
            }
        }
        let this = self.project();
        if let Some(last) = this.last {
            ready!(Pin::new(&mut last.decision).poll(context));
        }
        Poll::Ready(this.last.take().and_then(|last| last.frame))
    }

    fn is_end_stream(&self) -> bool {
        // Who is told that this is the end reads no further, and an unsettled call
        // would be abandoned.
        self.watched.is_none() && self.last.is_none() && self.body.is_end_stream()
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
            .field("settled", &self.watched.is_none())
            .finish_non_exhaustive()
    }
}

/// What a body gives when it is polled.
type Polled<B> = Option<Result<Frame<<B as Body>::Data>, <B as Body>::Error>>;

/// By the clock that breakers and pools go by.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
