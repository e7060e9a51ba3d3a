use std::error::Error;
use std::io::{self, ErrorKind, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use http::Uri;
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use tower_service::Service;

/// A connector whose connections hear a server out that has stopped reading.
///
/// A server that refuses an upload, say with 413, answers before it has read all, and
/// hangs up. Then a client cannot write on, and hyper's reports that, though the
/// answer has come: whether it reads or writes first is a matter of luck. Here a
/// write that fails because the server has hung up is not reported. The client reads
/// on instead, and finds either the answer or the end of the connection.
///
/// # Examples
///
/// ```
/// use breakerbox_tower::{EarlyAnswer, ReplayBody};
/// use hyper_util::client::legacy::{Client, connect::HttpConnector};
/// use hyper_util::rt::TokioExecutor;
/// # use http_body_util::Full;
/// # use bytes::Bytes;
///
/// let connector = EarlyAnswer::new(HttpConnector::new());
/// let client: Client<_, ReplayBody<Full<Bytes>>> =
///     Client::builder(TokioExecutor::new()).build(connector);
/// # drop(client);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct EarlyAnswer<C> {
    connector: C,
}

impl<C> EarlyAnswer<C> {
    /// The connections of this connector.
    #[must_use]
    pub const fn new(connector: C) -> Self {
        Self { connector }
    }
}

impl<C> Service<Uri> for EarlyAnswer<C>
where
    C: Service<Uri>,
    C::Error: Into<Box<dyn Error + Send + Sync>>,
    C::Future: Send + 'static,
{
    type Response = EarlyAnswerIo<C::Response>;
    type Error = C::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, C::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.connector.call(uri);
        Box::pin(async move { Ok(EarlyAnswerIo::new(connecting.await?)) })
    }
}

/// A connection that is read to its end though nothing can be written any more.
///
/// [`EarlyAnswer`] makes them; use it by itself around a connection that is made in
/// another way, before a handshake of hyper's. TLS belongs around it, not within.
#[derive(Debug)]
pub struct EarlyAnswerIo<I> {
    io: I,
    /// The task that waits to write until another one has read.
    writer: Option<Waker>,
    writing: Writing,
}

#[derive(Clone, Copy, Debug)]
enum Writing {
    /// The peer takes nothing any more.
    Broken {
        kind: ErrorKind,
        reading: Reading,
    },
    Open,
}

/// The progress of reading since writing broke.
#[derive(Clone, Copy, Debug)]
enum Reading {
    /// Reading brought something, or has not been tried. Writes have waited so often.
    Due { waits: u8 },
    /// Reading has ended.
    Ended,
    /// A reader waits for more, or for the end.
    Waits,
}

impl Reading {
    const FIRST: Self = Self::Due { waits: 0 };
}

impl<I> EarlyAnswerIo<I> {
    /// This connection.
    #[must_use]
    pub const fn new(io: I) -> Self {
        Self {
            io,
            writer: None,
            writing: Writing::Open,
        }
    }
}

impl<I: Unpin> EarlyAnswerIo<I> {
    /// Writes, as long as that is possible.
    ///
    /// Once the peer has hung up, reading comes first: if the rest of an upload were lost
    /// at once, it would look as if the server had taken it. Where nobody reads on,
    /// writes are lost all the same. Otherwise they would wait forever, and the
    /// connection would stay open.
    fn write_by(
        &mut self,
        context: &mut Context<'_>,
        length: usize,
        write: impl FnOnce(Pin<&mut I>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let (kind, reading) = match self.writing {
            Writing::Broken { kind, reading } => (kind, reading),
            Writing::Open => match write(Pin::new(&mut self.io), context) {
                Poll::Ready(Err(error)) if is_hangup(error.kind()) => {
                    (error.kind(), Reading::FIRST)
                }
                polled => return polled,
            },
        };
        let reading = match reading {
            Reading::Due { waits } if waits >= MOST_WAITS => return Poll::Ready(Ok(length)),
            Reading::Due { waits } => {
                context.waker().wake_by_ref();
                Reading::Due { waits: waits + 1 }
            }
            Reading::Ended => return Poll::Ready(Err(kind.into())),
            Reading::Waits => {
                self.writer = Some(context.waker().clone());
                Reading::Waits
            }
        };
        self.writing = Writing::Broken { kind, reading };
        Poll::Pending
    }

    /// There is nobody to flush to, or to say goodbye to, once writing is broken.
    fn end_by(
        &mut self,
        end: impl FnOnce(Pin<&mut I>) -> Poll<io::Result<()>>,
    ) -> Poll<io::Result<()>> {
        match self.writing {
            Writing::Broken { .. } => Poll::Ready(Ok(())),
            Writing::Open => end(Pin::new(&mut self.io)),
        }
    }
}

/// Whether the peer has hung up. Reading ends then, too: with an answer, or without.
const fn is_hangup(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
    )
}

impl<I: Read + Unpin> Read for EarlyAnswerIo<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let Writing::Broken { kind, .. } = self.writing else {
            return Pin::new(&mut self.io).poll_read(context, buffer);
        };
        let mut bytes = [MaybeUninit::uninit(); READ_AT_ONCE];
        let most = buffer.remaining().min(READ_AT_ONCE);
        let mut read = ReadBuf::uninit(&mut bytes[..most]);
        let polled = Pin::new(&mut self.io).poll_read(context, read.unfilled());
        buffer.put_slice(read.filled());
        let is_end = most > 0 && read.filled().is_empty();
        let reading = match polled {
            Poll::Pending => Reading::Waits,
            Poll::Ready(Ok(())) if !is_end => Reading::FIRST,
            Poll::Ready(_) => Reading::Ended,
        };
        self.writing = Writing::Broken { kind, reading };
        if polled.is_ready()
            && let Some(writer) = self.writer.take()
        {
            writer.wake();
        }
        polled
    }
}

impl<I: Write + Unpin> Write for EarlyAnswerIo<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write_by(context, buffer.len(), |io, context| {
            io.poll_write(context, buffer)
        })
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end_by(|io| io.poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end_by(|io| io.poll_shutdown(context))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = buffers.iter().map(|buffer| buffer.len()).sum();
        self.write_by(context, length, |io, context| {
            io.poll_write_vectored(context, buffers)
        })
    }
}

impl<I: Connection> Connection for EarlyAnswerIo<I> {
    fn connected(&self) -> Connected {
        self.io.connected()
    }
}

/// What a server says before it hangs up is an answer, and short.
const READ_AT_ONCE: usize = 4_096;

/// hyper reads between any two writes.
const MOST_WAITS: u8 = 8;

#[cfg(test)]
mod tests;
