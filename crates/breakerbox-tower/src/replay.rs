//! A request that can be sent again, though its body is a stream.
//!
//! Buffering each body before it is sent would make a proxy slow, and sending a
//! body only once would mean that a refused connection fails an upload of which
//! not a byte had left. So what is read of a body is kept, up to a limit, and the
//! next attempt begins with that. Beyond the limit nothing is kept, and the
//! request is not sent again. (linkerd's replay body works alike.)
//!
//! # Invariants
//!
//! 1. At most one attempt reads the body; an older one is woken and told that it
//!    is superseded.
//! 2. An attempt reads the body from its beginning to its end, or gets an error:
//!    what looks like a whole request never is a part of one.
//! 3. The body that was given is polled outside of the lock.

mod delivery;
mod tape;

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use breakerbox::{Progress, Repeat};
use bytes::Bytes;
use http::Request;
use http::request::Parts;
use http_body::{Body, Frame, SizeHint};

pub(crate) use delivery::Delivery;

use crate::lock;
use tape::{Given, Read, Reading, Tape, Turn};

/// A request, and what is known of its body.
pub(crate) struct Replay<B> {
    head: Parts,
    tape: Arc<Mutex<Tape<B>>>,
    wanted: Repeat,
}

impl<B: Body<Data = Bytes>> Replay<B> {
    /// Keeps what counts for up to `limit` bytes of the body, as long as there may be
    /// another attempt: until it is dropped.
    pub(crate) fn new(
        request: Request<B>,
        wanted: impl FnOnce(&Parts) -> Repeat,
        limit: usize,
    ) -> Self {
        let (head, body) = request.into_parts();
        let wanted = wanted(&head);
        Self {
            head,
            tape: Arc::new(Mutex::new(Tape::new(body, limit))),
            wanted,
        }
    }

    pub(crate) const fn head(&self) -> &Parts {
        &self.head
    }

    /// The request for one attempt more, which takes the body over.
    pub(crate) fn attempt(&self) -> Attempt<B> {
        let ((attempt, before), size) = lock::with(&self.tape, |tape| (tape.begin(), tape.size));
        if let Some(before) = before {
            before.wake();
        }
        let (body, delivery) = match size.exact() {
            Some(0) => (ReplayBody::default(), Delivery::of_nothing()),
            _ => self.reader(attempt, size),
        };
        Attempt {
            delivery,
            request: Request::from_parts(self.head.clone(), body),
            underway: Underway {
                attempt,
                tape: Arc::clone(&self.tape),
            },
        }
    }

    fn reader(&self, attempt: u64, size: SizeHint) -> (ReplayBody<B>, Delivery) {
        let delivery = Delivery::begin();
        let reader = Reader {
            attempt,
            delivery: delivery.clone(),
            piece: 0,
            size,
            tape: Arc::clone(&self.tape),
        };
        let source = Source::Tape(reader);
        (ReplayBody { source }, delivery)
    }

    /// Whether it may be sent again by now, and how far the current attempt is.
    pub(crate) fn progress(&self) -> Progress {
        lock::with(&self.tape, |tape| {
            if tape.size.exact() == Some(0) {
                return self.wanted.into();
            }
            let repeat = if tape.is_incomplete() {
                Repeat::Never
            } else if tape.is_underway {
                // No hedge: it would take the body from the attempt beside it.
                Repeat::Unsent
            } else {
                self.wanted
            };
            let upload = tape.upload;
            Progress { repeat, upload }
        })
    }
}

impl<B> Drop for Replay<B> {
    fn drop(&mut self) {
        lock::with(&self.tape, Tape::finish);
    }
}

/// What one attempt sends, and how far it is with that.
pub(crate) struct Attempt<B> {
    pub(crate) delivery: Delivery,
    pub(crate) request: Request<ReplayBody<B>>,
    pub(crate) underway: Underway<B>,
}

/// Makes it known that an attempt has ended.
pub(crate) struct Underway<B> {
    attempt: u64,
    tape: Arc<Mutex<Tape<B>>>,
}

impl<B> Drop for Underway<B> {
    fn drop(&mut self) {
        lock::with(&self.tape, |tape| {
            tape.is_underway &= tape.attempt != self.attempt;
        });
    }
}

/// The body of a request that a [`PoolService`](crate::PoolService) sends.
///
/// Endpoints of such a pool are services for requests with this body, whatever
/// body the callers' requests have.
pub struct ReplayBody<B> {
    source: Source<B>,
}

enum Source<B> {
    Tape(Reader<B>),
    Whole(Option<Bytes>),
}

/// One attempt's place in the body.
struct Reader<B> {
    attempt: u64,
    delivery: Delivery,
    piece: usize,
    size: SizeHint,
    tape: Arc<Mutex<Tape<B>>>,
}

impl<B: Body<Data = Bytes>> Reader<B> {
    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Read<ReplayError<B::Error>>> {
        let turn = lock::with(&self.tape, |tape| {
            tape.turn(self.attempt, self.piece, context.waker())
        });
        match turn {
            Turn::Again(piece) => {
                self.piece += 1;
                Poll::Ready(Some(Ok(self.pass(piece.frame()))))
            }
            Turn::End => {
                self.delivery.complete();
                Poll::Ready(None)
            }
            Turn::Lost => Poll::Ready(Some(Err(ReplayError::Lost))),
            Turn::Read(body) => self.read_on(body, context),
            Turn::Superseded => Poll::Ready(Some(Err(ReplayError::Superseded))),
            Turn::Wait => Poll::Pending,
        }
    }

    /// Reads what nobody has read before.
    fn read_on(
        &mut self,
        body: Pin<Box<B>>,
        context: &mut Context<'_>,
    ) -> Poll<Read<ReplayError<B::Error>>> {
        let (polled, given) = Reading::new(&self.tape, self.attempt, body).poll_frame(context);
        let Given::Back { kept } = given else {
            return Poll::Ready(Some(Err(ReplayError::Superseded)));
        };
        polled.map(|frame| {
            self.piece += usize::from(kept);
            let Some(frame) = frame else {
                self.delivery.complete();
                return None;
            };
            let frame = frame.map(|frame| self.pass(frame));
            Some(frame.map_err(ReplayError::Body))
        })
    }

    /// Notes that there is so much less to come.
    fn pass(&mut self, frame: Frame<Bytes>) -> Frame<Bytes> {
        let read = frame.data_ref().map_or(0, Bytes::len) as u64;
        self.size = match self.size.exact() {
            Some(exact) => SizeHint::with_exact(exact.saturating_sub(read)),
            None => SizeHint::default(),
        };
        if self.size.exact() == Some(0) {
            // Nobody reads beyond the length that was promised.
            self.delivery.complete();
        }
        frame
    }
}

impl<B: Body<Data = Bytes>> Body for ReplayBody<B> {
    type Data = Bytes;
    type Error = ReplayError<B::Error>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut self.source {
            Source::Tape(reader) => reader.poll_frame(context),
            Source::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            // There may be trailers.
            Source::Tape(_) => false,
            Source::Whole(bytes) => bytes.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Tape(reader) => reader.size,
            Source::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64)
            }
        }
    }
}

impl<B> Default for ReplayBody<B> {
    /// An empty body.
    fn default() -> Self {
        Self {
            source: Source::Whole(None),
        }
    }
}

impl<B> From<Bytes> for ReplayBody<B> {
    fn from(bytes: Bytes) -> Self {
        Self {
            source: Source::Whole(Some(bytes)),
        }
    }
}

impl<B> fmt::Debug for ReplayBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayBody").finish_non_exhaustive()
    }
}

/// The body of a request gave nothing more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ReplayError<E> {
    /// The body that the caller gave is broken.
    Body(E),
    /// A part of it is gone: it was too much to keep for another attempt, or the
    /// body broke while an older attempt was reading it.
    Lost,
    /// Another attempt sends the body now.
    Superseded,
}

impl<E: Error + 'static> Error for ReplayError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Body(error) => Some(error),
            Self::Lost | Self::Superseded => None,
        }
    }
}

impl<E> fmt::Display for ReplayError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Body(_) => "the body of the request is broken",
            Self::Lost => "a part of the body of the request is gone",
            Self::Superseded => "another attempt sends the body of the request now",
        })
    }
}

#[cfg(test)]
mod tests;
