use std::error::Error;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
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
    writing: Writing,
}

#[derive(Clone, Copy, Debug)]
enum Writing {
    /// The peer takes nothing any more, and something was read since.
    Answered,
    /// The peer takes nothing any more. What is written is lost, which does no harm:
    /// whoever reads the connection learns that it has ended.
    Broken,
    Open,
}

impl<I> EarlyAnswerIo<I> {
    /// This connection.
    #[must_use]
    pub const fn new(io: I) -> Self {
        Self {
            io,
            writing: Writing::Open,
        }
    }
}

impl<I: Unpin> EarlyAnswerIo<I> {
    /// Writes, as long as that is possible.
    ///
    /// Afterwards reading has to come first: an upload that is lost at once would look
    /// as if the server had taken it. But a writer that waited for longer would wait
    /// forever where nobody reads on, and its connection would stay.
    fn write_by(
        &mut self,
        context: &mut Context<'_>,
        length: usize,
        write: impl FnOnce(Pin<&mut I>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match self.writing {
            Writing::Answered => {}
            Writing::Broken => return Poll::Ready(Ok(length)),
            Writing::Open => match write(Pin::new(&mut self.io), context) {
                Poll::Ready(Err(error)) if is_hangup(error.kind()) => {}
                polled => return polled,
            },
        }
        self.writing = Writing::Broken;
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// There is nobody to flush to, or to say goodbye to, once writing is broken.
    fn end_by(
        &mut self,
        end: impl FnOnce(Pin<&mut I>) -> Poll<io::Result<()>>,
    ) -> Poll<io::Result<()>> {
        match self.writing {
            Writing::Answered | Writing::Broken => Poll::Ready(Ok(())),
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
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_read(context, buffer);
        if let (Writing::Broken, Poll::Ready(_)) = (self.writing, &polled) {
            self.writing = Writing::Answered;
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

#[cfg(test)]
mod tests;
