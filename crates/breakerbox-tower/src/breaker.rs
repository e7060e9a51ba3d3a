use std::fmt;
use std::future::ready;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use breakerbox::{Breaker, CallError, Rejected};
use futures_util::TryFutureExt;
use tower_layer::Layer;
use tower_service::Service;

use crate::{Classify, Unsettled};

/// Guards services with one breaker.
///
/// All services that one layer makes, and all their clones, share the breaker: a
/// router that applies its layers to each route, or again for each connection,
/// has one all the same.
///
/// It does not see how much of a request was sent: an exchange that breaks during an
/// upload is a failure here, while a [`PoolService`](crate::PoolService) judges nobody
/// by it.
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until it is applied"]
pub struct BreakerLayer<C> {
    breaker: Breaker,
    classify: C,
    while_open: WhileOpen,
}

impl<C> BreakerLayer<C> {
    /// A layer on this breaker, that judges answers by `classify`.
    ///
    /// Its services are ready while the breaker rejects, and answer with the
    /// rejection: the error of a service that is not ready would end a buffer.
    pub const fn new(breaker: Breaker, classify: C) -> Self {
        Self {
            breaker,
            classify,
            while_open: WhileOpen::Answer,
        }
    }

    /// For services among which a balancer chooses: they are not ready as long as
    /// the breaker rejects every call, so that the balancer goes elsewhere.
    pub const fn wait_while_open(mut self) -> Self {
        self.while_open = WhileOpen::Wait;
        self
    }
}

impl<S, C: Clone> Layer<S> for BreakerLayer<C> {
    type Service = BreakerService<S, C>;

    fn layer(&self, service: S) -> Self::Service {
        BreakerService {
            layer: self.clone(),
            opening: None,
            readiness: Readiness::Unasked,
            service,
        }
    }
}

/// What a service does while its breaker is Open.
#[derive(Clone, Copy, Debug)]
enum WhileOpen {
    Answer,
    Wait,
}

/// A service behind a breaker, from a [`BreakerLayer`].
///
/// The breaker is asked for leave before the service is called, and hears how the
/// call ended when the answer has ended.
/// [`BreakerConfig::call_timeout`](breakerbox::BreakerConfig::call_timeout)
/// limits the time until the answer begins, sending the request included: it must
/// be longer than a slow client's upload, which a [`PoolService`](crate::PoolService)
/// does not count. So must
/// [`BreakerConfig::probe_deadline`](breakerbox::BreakerConfig::probe_deadline).
///
/// The service within must be `Clone`. One that is ready may hold a place for its
/// next request, in a queue or among those that are in flight; if the breaker
/// opens before that comes, a clone takes its place and the reserved one is free
/// for others. Kept, it would be missing until somebody calls this very service,
/// which may be never. What is not `Clone` can be behind a buffer.
pub struct BreakerService<S, C> {
    layer: BreakerLayer<C>,
    /// Ready when the breaker does not reject every call any more.
    opening: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
    readiness: Readiness,
    service: S,
}

/// What the service within was asked since it was last called.
#[derive(Clone, Copy, Debug)]
enum Readiness {
    /// It was asked, so it may hold a place.
    Asked,
    /// It was not, and the service is ready to answer with this.
    TurnedAway(Rejected),
    Unasked,
}

impl<S, C> BreakerService<S, C> {
    /// The breaker, for instance to force it open.
    pub const fn breaker(&self) -> &Breaker {
        &self.layer.breaker
    }
}

impl<S: Clone, C> BreakerService<S, C> {
    fn poll_opening(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.layer.breaker.rejection().is_some() {
            self.turn(Readiness::Unasked);
            let opening = self.opening.get_or_insert_with(|| {
                let breaker = self.layer.breaker.clone();
                Box::pin(async move { breaker.ready().await })
            });
            ready!(opening.as_mut().poll(context));
            self.opening = None;
        }
        Poll::Ready(())
    }

    /// The service within will not be called for now, so it shall hold no place.
    fn turn(&mut self, readiness: Readiness) {
        if let Readiness::Asked = std::mem::replace(&mut self.readiness, readiness) {
            self.service = self.service.clone();
        }
    }
}

impl<S, C, Request> Service<Request> for BreakerService<S, C>
where
    S: Service<Request> + Clone,
    S::Error: Send + 'static,
    S::Future: Send + 'static,
    S::Response: Send + 'static,
    C: Classify<S::Response, S::Error>,
    C::Watched: Send,
{
    type Response = C::Watched;
    type Error = CallError<S::Error>;
    type Future = Pin<Box<dyn Future<Output = Result<C::Watched, CallError<S::Error>>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // The breaker first: a service that is down may never be ready.
        match self.layer.while_open {
            WhileOpen::Answer => {
                if let Some(rejected) = self.layer.breaker.rejection() {
                    self.turn(Readiness::TurnedAway(rejected));
                    return Poll::Ready(Ok(()));
                }
            }
            WhileOpen::Wait => ready!(self.poll_opening(context)),
        }
        self.readiness = Readiness::Asked;
        self.service.poll_ready(context).map_err(CallError::Failed)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let acquired = match self.readiness {
            Readiness::TurnedAway(rejected) => Err(rejected),
            Readiness::Asked | Readiness::Unasked => self.layer.breaker.try_acquire_owned(),
        };
        let permit = match acquired {
            Ok(permit) => permit,
            Err(rejected) => {
                self.turn(Readiness::Unasked);
                return Box::pin(ready(Err(CallError::Rejected(rejected))));
            }
        };
        self.readiness = Readiness::Unasked;
        let (classify, watch) = (self.layer.classify.clone(), self.layer.classify.clone());
        let judge = move |result: &Result<_, _>| {
            let verdict = classify.verdict(result)?;
            Some(verdict.outcome_without_pool())
        };
        let calling = permit.call_streaming(judge, self.service.call(request));
        Box::pin(calling.map_ok(move |(answer, permit)| {
            let unsettled = permit.map(Unsettled::from);
            watch.watch(answer, unsettled)
        }))
    }
}

impl<S: Clone, C: Clone> Clone for BreakerService<S, C> {
    fn clone(&self) -> Self {
        Self {
            layer: self.layer.clone(),
            // What made one ready does not make the other ready.
            opening: None,
            readiness: Readiness::Unasked,
            service: self.service.clone(),
        }
    }
}

impl<S: fmt::Debug, C> fmt::Debug for BreakerService<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BreakerService")
            .field("breaker", &self.layer.breaker)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}
