use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tower_service::Service;

use crate::kept::Made;
use crate::lock;

/// A client that is left for a new one, with all its connections.
///
/// For clients that have a pool of connections which cannot be emptied, such as
/// hyper-util's and reqwest's, and for tonic's `Channel`: one `Renewable` is one
/// endpoint of a pool. Its clones share a client, which is made when the first call
/// is. [`renew`](Self::renew) lets go of it: give it to
/// [`Endpoint::renew`](breakerbox::Endpoint::renew), and an endpoint whose breaker has
/// opened is probed by new connections, whatever became of the old ones.
///
/// Making must be quick, as it is where a client connects when it is called; a
/// service that has to be waited for is for [`Lazy`](crate::Lazy).
///
/// # Cancel safety
///
/// Dropping a call does what that does to a call of the client.
///
/// # Examples
///
/// ```
/// # use std::time::Duration;
/// # use breakerbox::Endpoint;
/// # use breakerbox_tower::Renewable;
/// # use hyper_util::client::legacy::{Client, connect::HttpConnector};
/// # use hyper_util::rt::TokioExecutor;
/// # use http_body_util::Empty;
/// # type Body = Empty<bytes::Bytes>;
/// let client = || Client::builder(TokioExecutor::new()).build_http::<Body>();
/// let client = Renewable::new(client).max_age(Duration::from_secs(300));
/// let north = Endpoint::new("north", client).renew(Renewable::renew);
/// # drop(north);
/// ```
pub struct Renewable<S> {
    client: Arc<Client<S>>,
    max_age: Option<Duration>,
    /// What is ready, or is to be, for the next call of this clone.
    picked: Option<Picked<S>>,
}

/// What all clones share.
struct Client<S> {
    /// None until it is made, and once it was let go of.
    current: Mutex<Option<Arc<Made<S>>>>,
    make: Box<dyn Fn() -> S + Send + Sync>,
}

struct Picked<S> {
    made: Arc<Made<S>>,
    service: S,
    trial: Option<Trial<S>>,
}

impl<S> Renewable<S> {
    /// The client that `make` makes; nothing is made yet.
    #[must_use]
    pub fn new(make: impl Fn() -> S + Send + Sync + 'static) -> Self {
        let client = Client {
            current: Mutex::new(None),
            make: Box::new(make),
        };
        Self {
            client: Arc::new(client),
            max_age: None,
            picked: None,
        }
    }

    /// How old a client becomes, give or take a tenth at random; any age unless set.
    ///
    /// A connection that is always busy never looks its host name up again, so it
    /// stays where the name pointed once. With a maximum age it follows. After that
    /// a call has another client to itself, and once one such call was answered, all
    /// have that client. While there is no answer, as in an outage of the resolver,
    /// calls go on with the old one, and another is tried ten seconds later. Calls
    /// under way are not disturbed.
    #[must_use]
    pub const fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Lets go of the client, for all clones: the next call has another one made.
    ///
    /// Calls under way keep the one that they have.
    pub fn renew(&self) {
        self.client.put(|_| true, None);
    }
}

impl<S: Clone> Renewable<S> {
    /// Returns a clone of the client for one call.
    fn pick(&self) -> Picked<S> {
        let current = lock::with(&self.client.current, |current| current.clone());
        match current {
            Some(made) if made.age.is_mine_to_replace() => {
                let mut trial = Trial::new(Arc::clone(&self.client), made);
                let made = trial.begin(self.max_age);
                Picked::new(made, Some(trial))
            }
            Some(made) => Picked::new(made, None),
            None => Picked::new(self.make(), None),
        }
    }

    /// Makes a client, unless another call is faster.
    fn make(&self) -> Arc<Made<S>> {
        let made = self.client.make(self.max_age);
        lock::with(&self.client.current, |current| {
            Arc::clone(current.get_or_insert_with(|| Arc::clone(&made)))
        })
    }
}

impl<S> Client<S> {
    fn make(&self, max_age: Option<Duration>) -> Arc<Made<S>> {
        Arc::new(Made::new((self.make)(), max_age))
    }

    /// Puts another client there, or none, if what is there is to be replaced.
    fn put(&self, when: impl FnOnce(&Arc<Made<S>>) -> bool, mut new: Option<Arc<Made<S>>>) {
        lock::with(&self.current, |current| {
            if current.as_ref().is_some_and(when) {
                std::mem::swap(current, &mut new);
            }
        });
        // Dropped without the lock: the client is the user's.
        drop(new);
    }

    /// Lets go of this client, unless that has been done.
    fn let_go_of(&self, old: &Arc<Made<S>>) {
        self.put(|current| Arc::ptr_eq(current, old), None);
    }
}

impl<S: Clone> Picked<S> {
    fn new(made: Arc<Made<S>>, trial: Option<Trial<S>>) -> Self {
        Self {
            service: made.service.clone(),
            made,
            trial,
        }
    }
}

/// A client that one call has to itself, in place of an old one.
///
/// Dropped before it was answered, it leaves the old one in use.
struct Trial<S> {
    client: Arc<Client<S>>,
    /// None until it is made, and once it has been put in the place of the old one.
    new: Option<Arc<Made<S>>>,
    old: Arc<Made<S>>,
}

impl<S> Trial<S> {
    fn new(client: Arc<Client<S>>, old: Arc<Made<S>>) -> Self {
        Self {
            client,
            new: None,
            old,
        }
    }

    fn begin(&mut self, max_age: Option<Duration>) -> Arc<Made<S>> {
        let new = self.client.make(max_age);
        self.new = Some(Arc::clone(&new));
        new
    }

    /// Gives the new client to everybody, unless the old one was let go of meanwhile.
    fn succeed(mut self) {
        let is_old = |current: &Arc<Made<S>>| Arc::ptr_eq(current, &self.old);
        let new = self.new.take();
        self.client.put(is_old, new);
    }
}

impl<S> Drop for Trial<S> {
    fn drop(&mut self) {
        self.old.age.put_off();
    }
}

impl<S, Request> Service<Request> for Renewable<S>
where
    S: Service<Request> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = RenewableFuture<S::Future, S>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        let mut picked = self.picked.take().unwrap_or_else(|| self.pick());
        let polled = picked.service.poll_ready(context);
        match &polled {
            // It is lost, and the next call has another one.
            Poll::Ready(Err(_)) => self.client.let_go_of(&picked.made),
            _ => self.picked = Some(picked),
        }
        polled
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let mut picked = self.picked.take().unwrap_or_else(|| self.pick());
        RenewableFuture {
            future: picked.service.call(request),
            trial: picked.trial,
        }
    }
}

pin_project! {
    /// A call of a [`Renewable`] client.
    pub struct RenewableFuture<F, S> {
        #[pin]
        future: F,
        trial: Option<Trial<S>>,
    }
}

impl<F, S, T, E> Future for RenewableFuture<F, S>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let result = ready!(this.future.poll(context));
        if let Some(trial) = this.trial.take()
            && result.is_ok()
        {
            trial.succeed();
        }
        Poll::Ready(result)
    }
}

impl<S> Clone for Renewable<S> {
    /// Shares the client, of which this takes a clone of its own when it is called.
    fn clone(&self) -> Self {
        Self {
            client: Arc::clone(&self.client),
            max_age: self.max_age,
            picked: None,
        }
    }
}

impl<S> fmt::Debug for Renewable<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewable")
            .field("max_age", &self.max_age)
            .finish_non_exhaustive()
    }
}
