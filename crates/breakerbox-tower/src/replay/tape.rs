use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use breakerbox::Upload;
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use crate::lock;

/// What has been read of a body, and the rest.
pub(super) struct Tape<B> {
    /// Who reads it now.
    pub(super) attempt: u64,
    pub(super) is_underway: bool,
    keeping: Keeping,
    /// What the pieces may cost yet.
    left: usize,
    pub(super) pieces: Vec<Piece>,
    rest: Rest<B>,
    pub(super) size: SizeHint,
    /// How far the current attempt is.
    pub(super) upload: Upload,
    /// The attempt that read too much to keep it. No other one can have it all.
    unkept_by: Option<u64>,
    /// Wakes whoever has the body now, once it was told to wait.
    waiting: Option<Waker>,
}

/// For whom pieces are kept.
enum Keeping {
    /// For the current attempt: what an older one is reading, and nothing else.
    ForCurrent,
    /// For attempts that may yet begin.
    ForLater,
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
pub(super) enum Piece {
    Data(Bytes),
    Trailers(Box<HeaderMap>),
}

impl Piece {
    fn of(frame: &Frame<Bytes>) -> Option<Self> {
        let data = frame.data_ref().cloned().map(Self::Data);
        data.or_else(|| Some(Self::Trailers(Box::new(frame.trailers_ref()?.clone()))))
    }

    pub(super) fn frame(self) -> Frame<Bytes> {
        match self {
            Self::Data(data) => Frame::data(data),
            Self::Trailers(trailers) => Frame::trailers(*trailers),
        }
    }

    /// What it counts for. Bodies can come byte by byte, and then the place that a
    /// piece takes is most of it.
    fn cost(&self) -> usize {
        let len = match self {
            Self::Data(data) => data.len(),
            Self::Trailers(trailers) => trailers
                .iter()
                .map(|(name, value)| name.as_str().len() + value.len() + HEADER)
                .sum(),
        };
        len.max(PIECE)
    }
}

/// What a body gives when it is polled.
pub(super) type Read<E> = Option<Result<Frame<Bytes>, E>>;

/// What a reader has to do.
pub(super) enum Turn<B> {
    Again(Piece),
    End,
    Lost,
    Read(Pin<Box<B>>),
    Superseded,
    Wait,
}

impl<B: Body<Data = Bytes>> Tape<B> {
    pub(super) fn new(body: B, limit: usize) -> Self {
        let size = match (body.is_end_stream(), body.size_hint()) {
            (true, _) => SizeHint::with_exact(0),
            // No data, but perhaps trailers.
            (false, hint) if hint.exact() == Some(0) => SizeHint::default(),
            (false, hint) => hint,
        };
        Self {
            attempt: 0,
            is_underway: false,
            keeping: Keeping::ForLater,
            left: limit,
            pieces: Vec::new(),
            rest: Rest::Here(Box::pin(body)),
            size,
            unkept_by: None,
            upload: Upload::AtOnce,
            waiting: None,
        }
    }

    /// Another attempt has the body now. Who had it is to be woken, to hear that it
    /// is superseded: nothing else would, and its connection would wait for ever.
    pub(super) fn begin(&mut self) -> (u64, Option<Waker>) {
        self.attempt += 1;
        self.is_underway = true;
        // What is sent again is no news from the client, so it puts off no deadline.
        // But nobody has asked the client for more on behalf of this attempt yet.
        if self.upload == Upload::Awaited {
            self.upload = Upload::TakenAt(now());
        }
        (self.attempt, self.waiting.take())
    }

    /// Whether an attempt that began now would miss something.
    pub(super) const fn is_incomplete(&self) -> bool {
        matches!(self.rest, Rest::Lost) || self.unkept_by.is_some()
    }

    pub(super) fn turn(&mut self, attempt: u64, piece: usize, waker: &Waker) -> Turn<B> {
        if attempt != self.attempt {
            return Turn::Superseded;
        }
        if self.unkept_by.is_some_and(|reader| reader != attempt) {
            return Turn::Lost;
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
                Turn::Lost
            }
        }
    }

    /// Takes note of what `reader` read. False if it is not kept.
    fn keep(&mut self, reader: u64, frame: &Frame<Bytes>) -> bool {
        if frame.data_ref().is_some_and(Bytes::is_empty) {
            // Nobody will miss it.
            return false;
        }
        let piece = Piece::of(frame).filter(|_| self.keeps_from(reader));
        let kept = piece.and_then(|piece| Some((self.left.checked_sub(piece.cost())?, piece)));
        let Some((left, piece)) = kept else {
            self.unkept_by = Some(reader);
            self.pieces = Vec::new();
            return false;
        };
        self.left = left;
        self.pieces.push(piece);
        true
    }

    fn keeps_from(&self, reader: u64) -> bool {
        let is_wanted = match self.keeping {
            Keeping::ForCurrent => reader != self.attempt,
            Keeping::ForLater => true,
        };
        is_wanted && self.unkept_by.is_none()
    }
}

impl<B> Tape<B> {
    /// No other attempt will begin.
    pub(super) const fn finish(&mut self) {
        self.keeping = Keeping::ForCurrent;
    }
}

/// The rest of a body, taken from its tape, which has it back in any case.
pub(super) struct Reading<'a, B: Body<Data = Bytes>> {
    /// None once it is back.
    body: Option<Pin<Box<B>>>,
    reader: u64,
    tape: &'a Mutex<Tape<B>>,
}

impl<'a, B: Body<Data = Bytes>> Reading<'a, B> {
    pub(super) const fn new(tape: &'a Mutex<Tape<B>>, reader: u64, body: Pin<Box<B>>) -> Self {
        Self {
            body: Some(body),
            reader,
            tape,
        }
    }

    pub(super) fn poll_frame(mut self, context: &mut Context<'_>) -> (Poll<Read<B::Error>>, Given) {
        let body = self.body.as_mut().expect("it is not back yet");
        let polled = body.as_mut().poll_frame(context);
        let given = self.give_back(&polled, context.waker());
        (polled, given)
    }

    fn give_back(mut self, polled: &Poll<Read<B::Error>>, waker: &Waker) -> Given {
        let body = self.body.take().expect("it is not back yet");
        // What is over is dropped after the lock: its drop is its maker's.
        let (rest, _over) = match polled {
            Poll::Pending | Poll::Ready(Some(Ok(_))) => (Rest::Here(body), None),
            Poll::Ready(None) => (Rest::Ended, Some(body)),
            Poll::Ready(Some(Err(_))) => (Rest::Lost, Some(body)),
        };
        let (given, waiting) = lock::with(self.tape, |tape| {
            tape.rest = rest;
            let kept = match polled {
                Poll::Ready(Some(Ok(frame))) => tape.keep(self.reader, frame),
                _ => false,
            };
            if tape.attempt != self.reader {
                return (Given::Superseded, tape.waiting.take());
            }
            if polled.is_pending() {
                tape.upload = Upload::Awaited;
                tape.waiting = Some(waker.clone());
            } else {
                tape.upload = Upload::TakenAt(now());
            }
            (Given::Back { kept }, None)
        });
        if let Some(waiting) = waiting {
            waiting.wake();
        }
        given
    }
}

/// What has become of a body that was given back.
pub(super) enum Given {
    /// Its reader still has it.
    Back { kept: bool },
    /// Another attempt has it.
    Superseded,
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

/// By the clock that the pool goes by.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The least that a piece counts for: about what it takes besides its bytes.
const PIECE: usize = 64;
/// What a header counts for besides its text, as in HTTP/2 (RFC 9113, 6.5.2).
const HEADER: usize = 32;
