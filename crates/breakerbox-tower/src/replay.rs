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
//! 1. At most one attempt reads the body; an older one that still tries is told
//!    that it is superseded.
//! 2. The body that was given is polled outside of the lock.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use breakerbox::Repeat;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request};
use http_body::{Body, Frame, SizeHint};

use crate::lock;

/// A request, and what is known of its body.
pub(crate) struct Replay<B> {
    head: Parts,
    tape: Arc<Mutex<Tape<B>>>,
    wanted: Repeat,
}

impl<B: Body<Data = Bytes>> Replay<B> {
    /// Keeps up to `limit` bytes of the body.
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

    /// The request for one attempt more, which takes the body over.
    pub(crate) fn attempt(&self) -> (Request<ReplayBody<B>>, Underway<B>) {
        let (attempt, size) = lock::with(&self.tape, |tape| (tape.begin(), tape.size));
        let body = match size.exact() {
            Some(0) => ReplayBody::default(),
            _ => ReplayBody {
                source: Source::Tape(Reader {
                    attempt,
                    piece: 0,
                    size,
                    tape: Arc::clone(&self.tape),
                }),
            },
        };
        let underway = Underway {
            attempt,
            tape: Arc::clone(&self.tape),
        };
        (Request::from_parts(self.head.clone(), body), underway)
    }

    /// Whether it may be sent again by now.
    pub(crate) fn repeat(&self) -> Repeat {
        lock::with(&self.tape, |tape| {
            if tape.size.exact() == Some(0) {
                self.wanted
            } else if tape.is_incomplete() {
                Repeat::Never
            } else if tape.is_underway {
                // No hedge: it would take the body from the attempt beside it.
                Repeat::Unsent
            } else {
                self.wanted
            }
        })
    }
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

/// What a body gives when it is polled.
type Read<E> = Option<Result<Frame<Bytes>, E>>;

/// One attempt's place in the body.
struct Reader<B> {
    attempt: u64,
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
            Turn::End => Poll::Ready(None),
            Turn::Gone => Poll::Ready(Some(Err(ReplayError::Superseded))),
            Turn::Read(body) => self.read_on(body, context),
            Turn::Wait => Poll::Pending,
        }
    }

    /// Reads what nobody has read before.
    fn read_on(
        &mut self,
        body: Pin<Box<B>>,
        context: &mut Context<'_>,
    ) -> Poll<Read<ReplayError<B::Error>>> {
        let mut reading = Reading {
            body: Some(body),
            tape: &self.tape,
        };
        let polled = reading.poll_frame(context);
        let (is_reader, kept) = reading.give_back(self.attempt, &polled);
        if !is_reader {
            return Poll::Ready(Some(Err(ReplayError::Superseded)));
        }
        polled.map(|frame| {
            self.piece += usize::from(kept);
            let frame = frame?.map(|frame| self.pass(frame));
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
    /// Another attempt sends the body now.
    Superseded,
}

impl<E: Error + 'static> Error for ReplayError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Body(error) => Some(error),
            Self::Superseded => None,
        }
    }
}

impl<E> fmt::Display for ReplayError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Body(_) => "the body of the request is broken",
            Self::Superseded => "another attempt sends the body of the request now",
        })
    }
}

/// What has been read of a body, and the rest.
struct Tape<B> {
    /// Who reads it now.
    attempt: u64,
    is_underway: bool,
    /// Too much was read to keep it.
    is_unkept: bool,
    limit: usize,
    pieces: Vec<Piece>,
    rest: Rest<B>,
    size: SizeHint,
    /// Who wants to read on while somebody else still does.
    waiting: Option<Waker>,
}

enum Rest<B> {
    /// Somebody is reading, outside of the lock.
    Away,
    Ended,
    Here(Pin<Box<B>>),
    /// It broke, or whoever read it panicked.
    Lost,
}

#[derive(Clone)]
enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
}

impl Piece {
    fn of(frame: &Frame<Bytes>) -> Option<Self> {
        let data = frame.data_ref().cloned().map(Self::Data);
        data.or_else(|| frame.trailers_ref().cloned().map(Self::Trailers))
    }

    fn frame(self) -> Frame<Bytes> {
        match self {
            Self::Data(data) => Frame::data(data),
            Self::Trailers(trailers) => Frame::trailers(trailers),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Data(data) => data.len(),
            Self::Trailers(_) => 0,
        }
    }
}

/// What a reader has to do.
enum Turn<B> {
    Again(Piece),
    End,
    Gone,
    Read(Pin<Box<B>>),
    Wait,
}

impl<B: Body<Data = Bytes>> Tape<B> {
    fn new(body: B, limit: usize) -> Self {
        let size = match body.is_end_stream() {
            true => SizeHint::with_exact(0),
            false => body.size_hint(),
        };
        Self {
            attempt: 0,
            is_underway: false,
            is_unkept: false,
            limit,
            pieces: Vec::new(),
            rest: Rest::Here(Box::pin(body)),
            size,
            waiting: None,
        }
    }

    /// Another attempt has the body now.
    fn begin(&mut self) -> u64 {
        self.attempt += 1;
        self.is_underway = true;
        self.attempt
    }

    /// Whether an attempt that began now would miss something.
    const fn is_incomplete(&self) -> bool {
        matches!(self.rest, Rest::Lost) || self.is_unkept
    }

    fn turn(&mut self, attempt: u64, piece: usize, waker: &Waker) -> Turn<B> {
        if attempt != self.attempt {
            return Turn::Gone;
        }
        if let Some(piece) = self.pieces.get(piece) {
            return Turn::Again(piece.clone());
        }
        match std::mem::replace(&mut self.rest, Rest::Away) {
            Rest::Away => {
                self.waiting = Some(waker.clone());
                Turn::Wait
            }
            Rest::Ended => {
                self.rest = Rest::Ended;
                Turn::End
            }
            Rest::Here(body) => Turn::Read(body),
            Rest::Lost => {
                self.rest = Rest::Lost;
                Turn::Gone
            }
        }
    }

    /// Takes note of what was read. False if it is not kept.
    fn keep(&mut self, frame: &Frame<Bytes>) -> bool {
        let piece = Piece::of(frame).filter(|piece| {
            let kept: usize = self.pieces.iter().map(Piece::len).sum();
            !self.is_unkept && kept + piece.len() <= self.limit
        });
        let Some(piece) = piece else {
            self.is_unkept = true;
            self.pieces.clear();
            return false;
        };
        self.pieces.push(piece);
        true
    }
}

/// The rest of a body, taken from its tape, which has it back in any case.
struct Reading<'a, B: Body<Data = Bytes>> {
    /// None once it is back.
    body: Option<Pin<Box<B>>>,
    tape: &'a Mutex<Tape<B>>,
}

impl<B: Body<Data = Bytes>> Reading<'_, B> {
    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Read<B::Error>> {
        let body = self.body.as_mut().expect("it is not back yet");
        body.as_mut().poll_frame(context)
    }

    /// Gives the rest back. Says whether this reader still is the one that has the
    /// body, and whether the frame was kept.
    fn give_back(mut self, reader: u64, polled: &Poll<Read<B::Error>>) -> (bool, bool) {
        let body = self.body.take().expect("it is not back yet");
        let (kept, is_reader, waiting) = lock::with(self.tape, |tape| {
            let mut kept = false;
            tape.rest = match polled {
                Poll::Pending => Rest::Here(body),
                Poll::Ready(None) => Rest::Ended,
                Poll::Ready(Some(Err(_))) => Rest::Lost,
                Poll::Ready(Some(Ok(frame))) => {
                    kept = tape.keep(frame);
                    Rest::Here(body)
                }
            };
            (kept, tape.attempt == reader, tape.waiting.take())
        });
        if let Some(waiting) = waiting {
            waiting.wake();
        }
        (is_reader, kept)
    }
}

impl<B: Body<Data = Bytes>> Drop for Reading<'_, B> {
    fn drop(&mut self) {
        if self.body.is_some() {
            let waiting = lock::with(self.tape, |tape| {
                tape.rest = Rest::Lost;
                tape.waiting.take()
            });
            if let Some(waiting) = waiting {
                waiting.wake();
            }
        }
    }
}

#[cfg(test)]
mod tests;
