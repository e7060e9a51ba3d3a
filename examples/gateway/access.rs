//! The line that is written about each request.
//!
//! It is written when the response has ended, or has broken off, or when the client
//! has gone before there was any: then there is no status. Requests that hyper does
//! not understand never get here, and have no line.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use axum::body::{Body, Bytes};
use http::{Method, Request, Response, StatusCode, Uri, header};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tracing::{Level, enabled, info};

use crate::trail::{ServedBy, Trail};

/// Answers a request, and sees to it that a line is written about that.
pub(crate) async fn logged<B, F>(
    mut request: Request<B>,
    client: IpAddr,
    answer: impl FnOnce(Request<B>) -> F,
) -> Response<Logged>
where
    F: Future<Output = Response<Body>>,
{
    if !enabled!(target: "gateway::access", Level::INFO) {
        let response = answer(request).await;
        return response.map(|body| Logged { body, line: None });
    }
    let mut line = Line::new(&request, client);
    request.extensions_mut().insert(Arc::clone(&line.trail));
    let response = answer(request).await;
    line.status = Some(response.status());
    line.endpoint = response.extensions().get().cloned();
    line.left = promised(&response, &line.method);
    let line = Some(Box::new(line));
    response.map(|body| Logged { body, line })
}

/// Returns how many bytes a response has, where that is known.
fn promised(response: &Response<Body>, method: &Method) -> Option<u64> {
    let known = response.body().size_hint().exact();
    if let (&Method::HEAD, _) | (_, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) =
        (method, response.status())
    {
        return Some(0);
    }
    known.or_else(|| {
        let length = response.headers().get(header::CONTENT_LENGTH)?;
        length.to_str().ok()?.parse().ok()
    })
}

/// What is known about a request by now; written when it is dropped.
struct Line {
    began: Instant,
    bytes: u64,
    client: IpAddr,
    end: End,
    endpoint: Option<ServedBy>,
    /// Bytes to come, where that is known.
    left: Option<u64>,
    method: Method,
    status: Option<StatusCode>,
    trail: Arc<Trail>,
    uri: Uri,
}

/// How far the response came.
#[derive(Clone, Copy, Debug)]
enum End {
    BrokenOff,
    Complete,
}

impl Line {
    fn new<B>(request: &Request<B>, client: IpAddr) -> Self {
        Self {
            began: Instant::now(),
            bytes: 0,
            client,
            end: End::BrokenOff,
            endpoint: None,
            left: None,
            method: request.method().clone(),
            status: None,
            trail: Arc::default(),
            uri: request.uri().clone(),
        }
    }

    /// The client gets this.
    fn hand_on(&mut self, frame: &Frame<Bytes>) {
        let read = frame.data_ref().map_or(0, |data| data.len() as u64);
        self.bytes += read;
        self.left = self.left.map(|left| left.saturating_sub(read));
        if frame.is_trailers() {
            // Whoever sends them on reads no further.
            self.left = Some(0);
        }
    }

    fn write(&self) {
        let endpoint = self
            .endpoint
            .as_ref()
            .map(|ServedBy(name)| Arc::clone(name));
        let endpoint = endpoint.or_else(|| self.trail.last());
        let took = self.began.elapsed();
        info!(
            target: "gateway::access",
            client = %self.client,
            method = %self.method,
            path = self.uri.path(),
            status = self.status.map(|status| status.as_u16()),
            bytes = self.bytes,
            // Whole microseconds, so that no digit is noise.
            time_ms = took.as_micros() as f64 / 1_000.0,
            pool.name = self.trail.pool(),
            endpoint.name = endpoint.as_deref(),
            attempts = self.trail.attempts(),
            end = match self.end {
                End::BrokenOff => "broken off",
                End::Complete => "complete",
            },
            "request"
        );
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.write();
    }
}

/// The body of a response, whose line is written at its end, if at all.
pub(crate) struct Logged {
    body: Body,
    line: Option<Box<Line>>,
}

impl HttpBody for Logged {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(line) = &mut self.line {
            match &frame {
                Some(Ok(frame)) => line.hand_on(frame),
                Some(Err(_)) => {}
                None => line.left = Some(0),
            }
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

impl Drop for Logged {
    fn drop(&mut self) {
        let Some(line) = &mut self.line else {
            return;
        };
        // Nobody reads on where no more can come.
        if line.left == Some(0) || self.body.is_end_stream() {
            line.end = End::Complete;
        }
    }
}
