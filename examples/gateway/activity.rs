//! This module watches whose turn it is on the connection of a client.
//!
//! A client that sends no request, or does not read its response, holds a connection,
//! and perhaps a connection to a server as well. hyper limits neither in HTTP/2. So the
//! gateway watches each connection: while a request waits for the gateway, the client
//! may wait too. Otherwise the client has a limited time to send a request or to read.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::clients::RequestUnderWay;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, sleep, sleep_until};

/// The state of a connection.
///
/// Each stream of HTTP/2 runs as a task of its own. A check that finds no request
/// waiting for the gateway must also find the client's latest action, so `owed` is
/// released after `latest` is stored, and acquired before it is loaded. All other
/// orderings are relaxed.
pub(crate) struct Activity {
    began: Instant,
    /// The time of the client's latest action, in milliseconds since `began`.
    latest: AtomicU64,
    /// The number of requests that wait for the gateway.
    owed: AtomicU32,
    /// The number of requests whose response has not ended.
    under_way: AtomicU32,
}

/// The time for which a client may keep the gateway waiting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) for_reading: Duration,
    pub(crate) for_request: Duration,
}

impl Activity {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            latest: AtomicU64::new(0),
            owed: AtomicU32::new(0),
            under_way: AtomicU32::new(0),
        })
    }

    /// Counts a new request. It is the gateway's turn.
    pub(crate) fn enter(self: &Arc<Self>) -> Turn {
        self.owed.fetch_add(1, Ordering::Relaxed);
        self.under_way.fetch_add(1, Ordering::Relaxed);
        Turn {
            activity: Arc::clone(self),
            whose: Whose::Gateway,
        }
    }

    /// Waits until the client has kept the gateway waiting for too long.
    pub(crate) async fn client_is_too_slow(&self, patience: Patience) {
        loop {
            match self.patient_until(patience) {
                Some(at) if at <= Instant::now() => return,
                Some(at) => sleep_until(at).await,
                None => sleep(patience.for_reading.min(patience.for_request)).await,
            }
        }
    }

    /// Returns whether the response to any request has not ended.
    pub(crate) fn is_request_under_way(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) > 0
    }

    /// Records an action of the client, so that its time starts again.
    pub(crate) fn record_action(&self) {
        let since = self.began.elapsed().as_millis();
        let since = u64::try_from(since).unwrap_or(u64::MAX);
        self.latest.store(since, Ordering::Relaxed);
    }

    /// Returns the instant until which the client may wait; None if it is the gateway's
    /// turn.
    fn patient_until(&self, patience: Patience) -> Option<Instant> {
        if self.owed.load(Ordering::Acquire) > 0 {
            return None;
        }
        let latest = Duration::from_millis(self.latest.load(Ordering::Relaxed));
        let patience = match self.is_request_under_way() {
            true => patience.for_reading,
            false => patience.for_request,
        };
        Some(self.began + latest + patience)
    }
}

/// One request, and whose turn it is.
pub(crate) struct Turn {
    activity: Arc<Activity>,
    whose: Whose,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Whose {
    Client,
    Gateway,
}

impl Turn {
    /// Records that a part of the response waits for the client.
    fn pass_to_client(&mut self) {
        if self.whose == Whose::Gateway {
            self.whose = Whose::Client;
            self.activity.record_action();
            self.activity.owed.fetch_sub(1, Ordering::Release);
        }
    }

    /// Records that the client waits for more.
    fn pass_to_gateway(&mut self) {
        if self.whose == Whose::Client {
            self.whose = Whose::Gateway;
            self.activity.owed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.activity.record_action();
        if self.whose == Whose::Gateway {
            self.activity.owed.fetch_sub(1, Ordering::Release);
        }
        self.activity.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The body of a response, with the request's turn and place, which end with it.
///
/// It is the client's turn from each frame on until hyper polls for the next one.
pub(crate) struct Watched<B> {
    body: B,
    _place: Option<RequestUnderWay>,
    turn: Turn,
}

impl<B> Watched<B> {
    pub(crate) fn new(body: B, mut turn: Turn, place: Option<RequestUnderWay>) -> Self {
        turn.pass_to_client();
        Self {
            body,
            _place: place,
            turn,
        }
    }
}

impl<B: Body + Unpin> Body for Watched<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = &mut *self;
        this.turn.pass_to_gateway();
        let frame = ready!(Pin::new(&mut this.body).poll_frame(context));
        this.turn.pass_to_client();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
