use std::convert::Infallible;
use std::fmt;
use std::pin::pin;
use std::time::Duration;

use breakerbox_core::{Backoff, Ratio};
use futures_util::{Stream, StreamExt};
use tokio::time::sleep_until;

use super::{Endpoint, Pool, PoolStartError, WeakPool, log};
use crate::{CancellationToken, ChildSpec, clock, lock};

impl<T: Clone + Send + Sync + 'static> Pool<T> {
    /// Follows a stream of complete sets, each as in [`update`](Self::update).
    ///
    /// An update that is empty, contradicts itself or is an error changes nothing
    /// and is logged; there is at most one of those a second. `source` is asked for
    /// another stream when one has ended, a second later and up to a minute later.
    /// It is a child of the box's tree, named `pool/discovery`.
    ///
    /// # Errors
    ///
    /// [`PoolStartError::Taken`] if the pool follows a stream already,
    /// [`PoolStartError::Stopped`] if the box has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping it does not take the command back.
    pub async fn follow<S, E>(
        &self,
        source: impl Fn() -> S + Send + Sync + 'static,
    ) -> Result<(), PoolStartError>
    where
        S: Stream<Item = Result<Vec<Endpoint<T>>, E>> + Send + 'static,
        E: fmt::Display + Send + 'static,
    {
        let name = discovery_name(&self.shared.name);
        let pool = self.downgrade();
        let follow = ChildSpec::task(name.clone(), move |stop| run(pool.clone(), source(), stop));
        let followed = self.change(|pool| async move {
            let follow = follow.backoff(AGAIN).side_by_side();
            let (key, supervisor) = (follow.key(), pool.breakers.supervisor());
            if let Err(error) = supervisor.add(follow).await {
                let why = supervisor.why_not_added(error, &name, &key).await;
                return Err(PoolStartError::of_child(why, &name));
            }
            lock::with(&pool.shared.follower, |follower| *follower = Some(key));
            Ok(())
        });
        followed.await.unwrap_or(Err(PoolStartError::Stopped))
    }
}

/// The name of the child that follows the stream of a pool.
pub(super) fn discovery_name(pool: &str) -> String {
    format!("{pool}/discovery")
}

/// Follows one stream to its end, which is an error.
async fn run<T, S, E>(
    pool: WeakPool<T>,
    updates: S,
    stop: CancellationToken,
) -> Result<(), &'static str>
where
    T: Clone + Send + Sync + 'static,
    S: Stream<Item = Result<Vec<Endpoint<T>>, E>> + Send,
    E: fmt::Display,
{
    let follow = async {
        let mut updates = pin!(updates);
        loop {
            let asked = clock::now();
            let update = updates.next().await?;
            let pool = pool.upgrade()?;
            if let Err(error) = apply(&pool, update).await {
                log::not_updated(pool.name(), &error);
                // Who fails at once would be asked again and again.
                sleep_until((asked + AT_MOST_EVERY).into()).await;
            }
        }
    };
    let ended: Option<Option<Infallible>> = stop.run_until_cancelled(follow).await;
    match ended {
        None => Ok(()),
        Some(_) => Err("the stream of endpoints has ended"),
    }
}

async fn apply<T, E>(pool: &Pool<T>, update: Result<Vec<Endpoint<T>>, E>) -> Result<(), String>
where
    T: Clone + Send + Sync + 'static,
    E: fmt::Display,
{
    let endpoints = update.map_err(|error| error.to_string())?;
    let updated = pool.update(endpoints).await;
    updated.map_err(|error| error.to_string())
}

/// How often an update may be refused, and a host name be looked up.
pub(super) const AT_MOST_EVERY: Duration = Duration::from_secs(1);

const AGAIN: Backoff = Backoff::exponential(Duration::from_secs(1), Duration::from_secs(60))
    .jitter(Ratio::percent(20));
