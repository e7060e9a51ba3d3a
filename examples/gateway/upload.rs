//! What a client uploads.
//!
//! A client that is answered before it has sent everything goes on sending. If its
//! connection ended then, with bytes that nobody has read, the system would reset it,
//! and the client would lose the answer that says what is wrong. So what is left of
//! an upload is read and thrown away for a while, as nginx's `lingering_close` does.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Bytes;
use http::{Request, Version, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::headers;

/// The body of a request, which may not be larger than a limit.
pub(crate) struct Upload {
    body: Option<Incoming>,
    /// Whether the client sends, and does not wait to be told to.
    is_coming: bool,
    left: u64,
    rest: Rest,
}

/// What becomes of the part of an upload that nobody wants.
#[derive(Clone, Copy, Debug)]
enum Rest {
    /// HTTP/2 has a way to say that it is not wanted.
    Refused,
    ReadForAWhile,
}

impl Upload {
    /// Limits the body of a request to so many bytes.
    pub(crate) fn limited(request: Request<Incoming>, bytes: u64) -> Request<Self> {
        let is_coming = !request.headers().contains_key(header::EXPECT);
        let rest = match request.version() {
            Version::HTTP_10 | Version::HTTP_11 => Rest::ReadForAWhile,
            _ => Rest::Refused,
        };
        request.map(|body| Self {
            body: Some(body),
            is_coming,
            left: bytes,
            rest,
        })
    }

    /// Returns whether it says that it is larger than it may be.
    pub(crate) fn is_too_large(&self) -> bool {
        self.size_hint().lower() > self.left
    }

    /// Counts what was read, and takes out what a client may not say.
    fn check(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, TooLarge> {
        let read = frame.data_ref().map_or(0, |data| data.len() as u64);
        self.left = self.left.checked_sub(read).ok_or(TooLarge)?;
        Ok(match frame.into_trailers() {
            Ok(mut trailers) => {
                headers::of_trailers(&mut trailers);
                Frame::trailers(trailers)
            }
            Err(data) => data,
        })
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        // Who asks for it lets it come.
        self.is_coming = true;
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(body).poll_frame(context));
        Poll::Ready(frame.map(|frame| Ok(self.check(frame?)?)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map(Incoming::size_hint)
            .unwrap_or_default()
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let is_left = self.is_coming && !self.is_end_stream();
        if let (Rest::ReadForAWhile, true) = (self.rest, is_left)
            && let (Some(body), Ok(runtime)) = (self.body.take(), Handle::try_current())
        {
            runtime.spawn(timeout(LINGER, read_to_the_end(body)));
        }
    }
}

async fn read_to_the_end(mut body: Incoming) {
    while let Some(Ok(_unwanted)) = body.frame().await {}
}

/// An upload is larger than it may be.
#[derive(Debug)]
pub(crate) struct TooLarge;

impl Error for TooLarge {}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the upload is larger than it may be")
    }
}

/// As long as nginx waits for more at once (`lingering_timeout` is 5 s), or less: a
/// client that has not read its answer by then is too slow for it.
const LINGER: Duration = Duration::from_secs(2);
