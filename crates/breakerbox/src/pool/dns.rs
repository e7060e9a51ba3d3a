//! Endpoints by their host name.
//!
//! A name stands for addresses that come and go, and not every one of them can be
//! reached from here: most hosts without a route for IPv6 still get `AAAA` records.
//! As endpoints those would fail every call, count as members of their tier that are
//! down, and so send a part of the calls to the standby for good. So addresses
//! without a route are left out.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use tokio::net::lookup_host;
use tokio::time::sleep;

use super::discovery::AT_MOST_EVERY;
use super::{Endpoint, log};

mod family;
mod route;

pub(super) use family::Family;
use route::has_route;

/// The endpoints that a host name stands for, looked up again and again.
///
/// For [`Pool::follow`](super::Pool::follow). Each address becomes what `make` says,
/// in the order of the addresses; an address for which `make` says None is left out.
/// `host` has a port, such as `ledger.internal:8080`. The system's resolver is asked,
/// which does not tell how long an answer is good for: every 30 s is what most clients
/// do, and once a second is the most.
///
/// An address that this host has no route to is left out as well, for as long as that
/// is so: mostly all of IPv6. The routing table is asked, at each lookup, and no packet
/// is sent.
///
/// # Errors
///
/// An item is an error, which names the host, if the name cannot be looked up, or if
/// none of its addresses is left. The pool then keeps the endpoints that it has.
///
/// # Examples
///
/// Only addresses of IPv4:
///
/// ```
/// # use std::time::Duration;
/// # use breakerbox::{Endpoint, Pool, PoolStartError, dns};
/// # use std::net::SocketAddr;
/// # async fn example(ledger: Pool<SocketAddr>) -> Result<(), PoolStartError> {
/// ledger
///     .follow(|| {
///         dns("ledger.internal:8080", Duration::from_secs(30), |address| {
///             let endpoint = || Endpoint::new(address.to_string(), address);
///             address.is_ipv4().then(endpoint)
///         })
///     })
///     .await
/// # }
/// ```
///
/// All of them; then `make` need not say `Some`:
///
/// ```
/// # use std::time::Duration;
/// # use breakerbox::{Endpoint, Pool, PoolStartError, dns};
/// # use std::net::SocketAddr;
/// # async fn example(ledger: Pool<SocketAddr>) -> Result<(), PoolStartError> {
/// ledger
///     .follow(|| {
///         dns("ledger.internal:8080", Duration::from_secs(30), |address| {
///             Endpoint::new(address.to_string(), address)
///         })
///     })
///     .await
/// # }
/// ```
pub fn dns<T, E: Into<Option<Endpoint<T>>>>(
    host: impl Into<String>,
    every: Duration,
    make: impl Fn(SocketAddr) -> E,
) -> impl Stream<Item = io::Result<Vec<Endpoint<T>>>> {
    let host: Arc<str> = host.into().into();
    let name = Arc::clone(&host);
    let look_up = move || look_up(Arc::clone(&name));
    endpoints_of(host, every, look_up, has_route, make)
}

/// As [`dns`], by any resolver and any routing table.
fn endpoints_of<T, E, F>(
    host: Arc<str>,
    every: Duration,
    look_up: impl Fn() -> F,
    has_route: impl Fn(SocketAddr) -> bool,
    make: impl Fn(SocketAddr) -> E,
) -> impl Stream<Item = io::Result<Vec<Endpoint<T>>>>
where
    E: Into<Option<Endpoint<T>>>,
    F: Future<Output = io::Result<BTreeSet<SocketAddr>>>,
{
    let every = every.max(AT_MOST_EVERY);
    let rounds = stream::unfold(
        (look_up, Duration::ZERO),
        move |(look_up, wait)| async move {
            sleep(wait).await;
            let found = look_up().await;
            Some((found, (look_up, every)))
        },
    );
    let mut reachable = Reachable::new(host, has_route);
    rounds.map(move |found| {
        let host = Arc::clone(&reachable.host);
        let found = found.map_err(|error| named(&host, &error))?;
        let routed = reachable.among(&found);
        let made: Vec<_> = routed
            .into_iter()
            .filter_map(|at| make(at).into())
            .collect();
        match (made.is_empty(), found.len()) {
            (true, 1..) => Err(none_is_left(&host, found.len())),
            _ => Ok(made),
        }
    })
}

/// The addresses of a host that there is a route to, and what was left out last.
struct Reachable<R> {
    has_route: R,
    host: Arc<str>,
    left_out: BTreeSet<Family>,
}

impl<R: Fn(SocketAddr) -> bool> Reachable<R> {
    fn new(host: Arc<str>, has_route: R) -> Self {
        Self {
            has_route,
            host,
            left_out: BTreeSet::new(),
        }
    }

    /// Leaves out what there is no route to, and logs where that changes for a family.
    fn among(&mut self, found: &BTreeSet<SocketAddr>) -> Vec<SocketAddr> {
        let addresses = found.iter().copied();
        let (routed, rest): (Vec<_>, Vec<_>) = addresses.partition(|at| (self.has_route)(*at));
        let left_out: BTreeSet<_> = rest.iter().map(Family::of).collect();
        for family in left_out.difference(&self.left_out) {
            log::addresses_left_out(&self.host, *family);
        }
        for family in self.left_out.difference(&left_out) {
            log::addresses_back(&self.host, *family);
        }
        self.left_out = left_out;
        routed
    }
}

async fn look_up(host: Arc<str>) -> io::Result<BTreeSet<SocketAddr>> {
    Ok(lookup_host(&*host).await?.collect())
}

fn named(host: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot look up {host}: {error}"))
}

fn none_is_left(host: &str, found: usize) -> io::Error {
    let text = format!(
        "none of the {found} addresses of {host} is left: each has no route or was refused"
    );
    io::Error::new(io::ErrorKind::AddrNotAvailable, text)
}

#[cfg(test)]
mod tests;
