//! A breaker around some routes of an axum server.
//!
//! The routes need a database that goes down. Once the breaker is open, requests
//! are answered 503 with `Retry-After`, and the database is left alone. axum
//! applies a layer to each route anew; the breaker is one all the same.
//!
//! The layer is around the whole handler, and with it around the extractors that
//! read an upload. A `call_timeout` of the breaker would span that as well, and slow
//! clients would open the breaker of the database. So the limit is where the
//! database is asked, and an answer of 504 tells the breaker.
//!
//! ```text
//! cargo run --example axum_server
//! ```

use std::error::Error;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::error_handling::HandleErrorLayer;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use breakerbox::{Backoff, Breaker, BreakerBox, BreakerConfig, CallError, TripPolicy};
use breakerbox_tower::http::unavailable;
use breakerbox_tower::{BreakerLayer, Http};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tower::ServiceBuilder;

const DATABASE: BreakerConfig = BreakerConfig::new()
    .trip_on(TripPolicy::consecutive_failures(3))
    .open_for(Backoff::fixed(Duration::from_secs(2)))
    .probes(1);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let breakers = BreakerBox::start("shop").await?;
    let database = breakers.breaker("database", DATABASE).await?;
    let url = start_server(&database).await?;

    let client = reqwest::Client::builder().no_proxy().build()?;
    let show = async |path: &str| -> reqwest::Result<()> {
        let response = client.get(format!("{url}{path}")).send().await?;
        let advice = response.headers().get("retry-after");
        let advice = advice.and_then(|value| value.to_str().ok()).unwrap_or("-");
        println!("{path}: {}, retry after {advice}", response.status());
        Ok(())
    };
    show("/orders").await?;
    println!("the database goes down");
    IS_UP.store(false, Ordering::Relaxed);
    for path in ["/orders", "/invoices", "/orders", "/invoices", "/orders"] {
        show(path).await?;
    }
    show("/healthz").await?;
    println!("the database is back");
    IS_UP.store(true, Ordering::Relaxed);
    database.ready().await;
    show("/orders").await?;
    println!("it was asked {} times", ASKED.load(Ordering::Relaxed));
    breakers.shutdown().await;
    Ok(())
}

async fn start_server(database: &Breaker) -> std::io::Result<String> {
    let guard = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(refuse))
        .layer(BreakerLayer::new(database.clone(), Http));
    let router = Router::new()
        .route("/orders", get(query))
        .route("/invoices", get(query))
        .route_layer(guard)
        // What is not behind the breaker does not need the database.
        .route("/healthz", get(|| async { "ok" }));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

/// What the client is told when the breaker did not let its request through.
async fn refuse(error: CallError<std::convert::Infallible>) -> Response {
    match error {
        CallError::Rejected(rejected) => unavailable::<Body>(rejected.retry_after()),
        error => (StatusCode::GATEWAY_TIMEOUT, error.to_string()).into_response(),
    }
}

async fn query() -> Result<&'static str, StatusCode> {
    let answer = timeout(Duration::from_secs(2), ask_database()).await;
    answer.unwrap_or(Err(StatusCode::GATEWAY_TIMEOUT))
}

async fn ask_database() -> Result<&'static str, StatusCode> {
    ASKED.fetch_add(1, Ordering::Relaxed);
    match IS_UP.load(Ordering::Relaxed) {
        true => Ok("rows"),
        false => Err(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

static ASKED: AtomicU32 = AtomicU32::new(0);
static IS_UP: AtomicBool = AtomicBool::new(true);
