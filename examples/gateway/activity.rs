//! Who keeps whom waiting on the connection of a client.
//!
//! A client that asks for nothing, or does not take what it asked for, holds a
//! connection and perhaps that of a server as well, and hyper has no limit for either
//! in HTTP/2. So a connection is watched: as long as a request waits for the gateway,
//! its client may wait too; otherwise it has so long to ask or to read on.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::clients::RequestUnderWay;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, sleep, sleep_until};

/// What happens on a connection. All orderings are relaxed: it is looked at now and
/// then, and a moment late is in time.
pub(crate) struct Activity {
    began: Instant,
    /// When the client last did anything, in milliseconds since the beginning.
    latest: AtomicU64,
    /// Requests that wait for the gateway.
    owed: AtomicU32,
    /// Requests whose response has not ended.
    under_way: AtomicU32,
}

/// How long a client may keep the gateway waiting.
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

    /// A request begins.
    pub(crate) fn enter(self: &Arc<Self>) -> Turn {
        self.owed.fetch_add(1, Ordering::Relaxed);
        self.under_way.fetch_add(1, Ordering::Relaxed);
        Turn {
            activity: Arc::clone(self),
            whose: Whose::Gateway,
        }
    }

    /// Waits until the client has kept the gateway waiting for too long, by now.
    pub(crate) async fn is_given_up(&self, patience: Patience) {
        loop {
            match self.patient_until(patience) {
                Some(at) if at <= Instant::now() => return,
                Some(at) => sleep_until(at).await,
                None => sleep(patience.for_reading.min(patience.for_request)).await,
            }
        }
    }

    /// Returns whether a response has not ended.
    pub(crate) fn is_request_under_way(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) > 0
    }

    /// The client has as long as if it had just done something.
    pub(crate) fn begin_anew(&self) {
        let since = self.began.elapsed().as_millis();
        let since = u64::try_from(since).unwrap_or(u64::MAX);
        self.latest.store(since, Ordering::Relaxed);
    }

    /// Returns how long the client has; None while it waits itself.
    fn patient_until(&self, patience: Patience) -> Option<Instant> {
        if self.owed.load(Ordering::Relaxed) > 0 {
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

/// Whose turn it is in a request.
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
    /// Something waits to be read.
    fn is_of_client(&mut self) {
        if self.whose == Whose::Gateway {
            self.whose = Whose::Client;
            self.activity.begin_anew();
            self.activity.owed.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The client waits for more.
    fn is_of_gateway(&mut self) {
        if self.whose == Whose::Client {
            self.whose = Whose::Gateway;
            self.activity.owed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.is_of_client();
        self.activity.begin_anew();
        self.activity.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The body of a response, and all that ends with it. It is in the client's hands while
/// that holds a part of it.
pub(crate) struct Watched<B> {
    body: B,
    _place: Option<RequestUnderWay>,
    turn: Turn,
}

impl<B> Watched<B> {
    pub(crate) fn new(body: B, mut turn: Turn, place: Option<RequestUnderWay>) -> Self {
        turn.is_of_client();
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
        this.turn.is_of_gateway();
        let frame = ready!(Pin::new(&mut this.body).poll_frame(context));
        this.turn.is_of_client();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
