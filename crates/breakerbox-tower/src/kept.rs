use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::age::Age;
use crate::lock;

/// What all clones of a [`Lazy`](crate::Lazy) share: a place for its service.
///
/// To let go of the service is to put an empty place there. Whoever has the old place
/// goes on with it, and also whoever still makes a service for it: so nobody who
/// comes later waits for a connection that will never be there.
#[derive(Debug)]
pub(crate) struct Kept<S> {
    place: Mutex<Arc<Place<S>>>,
}

/// A place for one service, which whoever is first makes.
#[derive(Debug)]
pub(crate) struct Place<S> {
    made: OnceCell<Made<S>>,
}

/// A service and its age.
#[derive(Debug)]
pub(crate) struct Made<S> {
    pub(crate) age: Age,
    pub(crate) service: S,
}

impl<S> Made<S> {
    pub(crate) fn new(service: S, max_age: Option<Duration>) -> Self {
        Self {
            age: Age::new(max_age),
            service,
        }
    }
}

impl<S> Kept<S> {
    pub(crate) fn new() -> Self {
        Self {
            place: Mutex::new(Arc::new(Place::empty())),
        }
    }

    pub(crate) fn place(&self) -> Arc<Place<S>> {
        lock::with(&self.place, |place| Arc::clone(place))
    }

    /// Lets go of the service, whichever it is.
    pub(crate) fn clear(&self) {
        self.put(|_| true, Place::empty());
    }

    /// Lets go of the service at this place, unless that has been done.
    pub(crate) fn let_go_of(&self, old: &Arc<Place<S>>) {
        self.replace(old, Place::empty());
    }

    /// Puts another place there, unless somebody has.
    pub(crate) fn replace(&self, old: &Arc<Place<S>>, new: Place<S>) {
        self.put(|current| Arc::ptr_eq(current, old), new);
    }

    fn put(&self, when: impl FnOnce(&Arc<Place<S>>) -> bool, new: Place<S>) {
        let mut new = Arc::new(new);
        lock::with(&self.place, |current| {
            if when(current) {
                std::mem::swap(current, &mut new);
            }
        });
        // Dropped without the lock: the service is the user's.
        drop(new);
    }
}

impl<S> Place<S> {
    pub(crate) const fn empty() -> Self {
        Self {
            made: OnceCell::const_new(),
        }
    }

    pub(crate) fn of(made: Made<S>) -> Self {
        Self {
            made: OnceCell::new_with(Some(made)),
        }
    }

    /// What has been made.
    pub(crate) fn get(&self) -> Option<&Made<S>> {
        self.made.get()
    }

    /// What has been made; if nothing has, it is made now, and whoever else comes
    /// waits for it.
    pub(crate) async fn get_or_make<E>(
        &self,
        make: impl Future<Output = Result<Made<S>, E>>,
    ) -> Result<&Made<S>, E> {
        self.made.get_or_try_init(|| make).await
    }
}
