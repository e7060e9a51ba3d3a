//! A breaker around reqwest, as tower middleware.
//!
//! A server answers, then breaks the middle of each response, then answers again.
//! The heads of its responses are all "200 OK"; the breaker opens all the same,
//! because the verdict waits for the end of the body.
//!
//! ```text
//! cargo run --example reqwest_client
//! ```

use std::error::Error;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use breakerbox::{Backoff, BreakerBox, BreakerConfig, CallError, TripPolicy};
use breakerbox_tower::{BreakerLayer, Http};
use futures_util::stream;
use http_body_util::BodyExt;
use tokio::net::TcpListener;
use tokio::time::sleep;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

const CATALOGUE: BreakerConfig = BreakerConfig::new()
    .trip_on(TripPolicy::consecutive_failures(3))
    .open_for(Backoff::fixed(Duration::from_secs(2)))
    .probes(1)
    .call_timeout(Duration::from_secs(2));

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = start_server().await?;
    let breakers = BreakerBox::start("shop").await?;
    let catalogue = breakers.breaker("catalogue", CATALOGUE).await?;

    let client = reqwest::Client::builder()
        // A redirect is an answer. To follow it is another call, whose errors say
        // nothing about this one.
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        // The breaker's limit is for the head; a body that stalls fails by this one.
        .read_timeout(Duration::from_secs(2))
        // Of connections that died in silence, probes would take one after the other.
        // As an endpoint of a pool the client could be made again: see `Renewable`.
        .pool_idle_timeout(Duration::from_secs(4))
        .build()?;
    let mut client = ServiceBuilder::new()
        .layer(BreakerLayer::new(catalogue.clone(), Http))
        .service(service_fn(move |request| send(client.clone(), request)));

    for nth in 0..8 {
        if nth == 6 {
            catalogue.ready().await;
        }
        IS_WELL.store(!(1..6).contains(&nth), Ordering::Relaxed);
        let request = http::Request::get(&url).body(reqwest::Body::default())?;
        let said = match client.ready().await?.call(request).await {
            Ok(response) => match response.into_body().collect().await {
                Ok(body) => format!("{} bytes", body.to_bytes().len()),
                Err(error) => format!("the body broke: {error}"),
            },
            Err(CallError::Rejected(rejected)) => format!("not sent: {rejected}"),
            Err(error) => return Err(error.into()),
        };
        println!("{nth}: {said}; the breaker is {}", catalogue.state());
    }
    breakers.shutdown().await;
    Ok(())
}

/// reqwest's client as a service of the types that all HTTP crates share.
async fn send(
    client: reqwest::Client,
    request: http::Request<reqwest::Body>,
) -> reqwest::Result<http::Response<reqwest::Body>> {
    let response = client.execute(request.try_into()?).await?;
    Ok(response.into())
}

/// A server whose responses break in the middle unless it is well.
async fn start_server() -> std::io::Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}/umbrellas", listener.local_addr()?);
    let page = || async {
        let is_well = IS_WELL.load(Ordering::Relaxed);
        Body::from_stream(stream::unfold(0, move |piece| async move {
            // Each piece leaves on its own.
            sleep(Duration::from_millis(5)).await;
            match piece {
                0 => Some((Ok("red, "), 1)),
                1 if is_well => Some((Ok("blue, black"), 2)),
                1 => Some((Err("as it was told"), 2)),
                _ => None,
            }
        }))
    };
    let router = Router::new().route("/umbrellas", get(page));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

static IS_WELL: AtomicBool = AtomicBool::new(true);
