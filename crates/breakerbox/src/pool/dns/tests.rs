use std::collections::VecDeque;
use std::future::ready;
use std::pin::Pin;
use std::sync::Mutex;

use super::*;
use crate::{BreakerBox, PoolConfig};

#[allow(
    clippy::duplicate_mod,
    dead_code,
    reason = "other tests use the rest of it"
)]
#[path = "../../supervisor/tests/captured.rs"]
mod captured;

use captured::Captured;

const A1: &str = "192.0.2.1:80";
const A2: &str = "192.0.2.2:80";
const B1: &str = "[2001:db8::1]:80";

type Answer = io::Result<BTreeSet<SocketAddr>>;

fn addresses(texts: &[&str]) -> Answer {
    Ok(texts.iter().map(|text| text.parse().unwrap()).collect())
}

/// A resolver that gives these answers, one after the other.
fn resolver(answers: Vec<Answer>) -> impl Fn() -> std::future::Ready<Answer> {
    let answers = Mutex::new(VecDeque::from(answers));
    move || {
        ready(
            answers
                .lock()
                .unwrap()
                .pop_front()
                .expect("it is asked once more"),
        )
    }
}

fn is_v4(address: SocketAddr) -> bool {
    address.is_ipv4()
}

fn endpoint(address: SocketAddr) -> Endpoint<SocketAddr> {
    Endpoint::new(address.to_string(), address)
}

type Found = Pin<Box<dyn Stream<Item = io::Result<Vec<Endpoint<SocketAddr>>>> + Send>>;

fn found(
    answers: Vec<Answer>,
    has_route: fn(SocketAddr) -> bool,
    make: fn(SocketAddr) -> Option<Endpoint<SocketAddr>>,
) -> Found {
    let every = Duration::from_secs(30);
    let host = "ledger.internal:8080".into();
    Box::pin(endpoints_of(
        host,
        every,
        resolver(answers),
        has_route,
        make,
    ))
}

async fn next(found: &mut Found) -> Result<Vec<String>, String> {
    let found = found.next().await.unwrap();
    let names =
        |found: Vec<Endpoint<SocketAddr>>| found.iter().map(|it| it.name.to_string()).collect();
    found.map(names).map_err(|error| error.to_string())
}

#[tokio::test(start_paused = true)]
async fn r58_addresses_without_a_route_and_those_that_are_refused_are_left_out() {
    let all = |_: SocketAddr| true;
    let none = |_: SocketAddr| false;
    let refused = "none of the 3 addresses of ledger.internal:8080 is left: each has no route or \
                   was refused";
    for (has_route, make, expected) in [
        (
            all as fn(_) -> _,
            (|at| Some(endpoint(at))) as fn(_) -> _,
            Ok(vec![A1, A2, B1]),
        ),
        (is_v4, |at| Some(endpoint(at)), Ok(vec![A1, A2])),
        (all, |at| at.is_ipv6().then(|| endpoint(at)), Ok(vec![B1])),
        (is_v4, |at| at.is_ipv6().then(|| endpoint(at)), Err(refused)),
        (none, |at| Some(endpoint(at)), Err(refused)),
        (all, |_| None, Err(refused)),
    ] {
        let mut found = found(vec![addresses(&[A1, A2, B1])], has_route, make);
        let expected = expected
            .map(|names| names.into_iter().map(str::to_owned).collect())
            .map_err(str::to_owned);
        assert_eq!(next(&mut found).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn r58_a_name_that_is_not_found_is_told() {
    let error = io::Error::new(io::ErrorKind::NotFound, "no such name");
    let mut found = found(vec![Err(error)], |_| true, |at| Some(endpoint(at)));
    let text = "cannot look up ledger.internal:8080: no such name";
    assert_eq!(next(&mut found).await, Err(text.to_owned()));
}

#[tokio::test(start_paused = true)]
async fn r58_a_pool_that_follows_a_name_uses_no_address_without_a_route() {
    let breakers = BreakerBox::start("test").await.unwrap();
    let pool = breakers
        .pool("ledger", PoolConfig::new(), [])
        .await
        .unwrap();
    let mut events = pool.events();
    // The third answer has nothing to use, and so the pool keeps what it has.
    let answers = [&[A1, B1][..], &[A1, A2, B1], &[B1], &[A2, B1]];
    pool.follow(move || {
        let answers = answers.map(addresses).into_iter().collect();
        let forever = futures_util::stream::pending();
        let found = found(answers, is_v4, |at| Some(endpoint(at)));
        found.take(4).chain(forever)
    })
    .await
    .unwrap();
    let mut seen = BTreeSet::new();
    while pool.endpoints().len() != 1 || !seen.contains(A2) {
        events.next().await;
        seen.extend(pool.endpoints().iter().map(ToString::to_string));
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [A1, A2]);
    assert_eq!(pool.endpoints()[..], [A2.into()]);
    let snapshot = pool.snapshot();
    assert_eq!(snapshot.tiers[0].load, 100, "nothing goes to a standby");
}

#[tokio::test(start_paused = true)]
async fn r58_a_family_that_is_left_out_is_logged_once() {
    let captured = Captured::up_to(tracing::Level::INFO);
    let sets = [&[A1][..], &[A1, B1], &[A1, A2, B1], &[A1], &[A1, B1]];
    let answers = sets.map(addresses).into_iter().collect();
    let mut found = found(answers, is_v4, |at| Some(endpoint(at)));
    let mut lines = Vec::new();
    for nth in 1..=5 {
        next(&mut found).await.unwrap();
        for line in captured.take() {
            assert_eq!(line.field("dns.host"), "ledger.internal:8080");
            assert_eq!(line.field("dns.family"), "IPv6");
            lines.push((nth, line.level, line.message().to_owned()));
        }
    }
    let (warn, info) = (tracing::Level::WARN, tracing::Level::INFO);
    let expected = [
        (2, warn, "no route to addresses"),
        (4, info, "addresses are back"),
        (5, warn, "no route to addresses"),
    ];
    assert_eq!(
        lines,
        expected.map(|(nth, level, text)| (nth, level, text.to_owned()))
    );
}
