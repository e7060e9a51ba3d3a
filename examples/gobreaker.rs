//! The program that started this project, said in breakerbox.
//!
//! gobreaker's settings are `Name: "myCircuitBreaker"`, `MaxRequests: 3`,
//! `Interval: 3s`, `Timeout: 60s`; here they are a fixed window of 3 s, 3 probes
//! and 60 s open. Five GETs go through the breaker, one after the other.
//!
//! ```text
//! cargo run --example gobreaker                        # to a server it starts itself
//! cargo run --example gobreaker -- http://localhost:1  # to yours
//! ```

use std::error::Error;
use std::net::Ipv4Addr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use breakerbox::{Backoff, BreakerBox, BreakerConfig, CallError, Window};
use tokio::net::TcpListener;

const MY_CIRCUIT_BREAKER: BreakerConfig = BreakerConfig::gobreaker()
    .probes(3)
    .window(Window::fixed(Duration::from_secs(3)))
    .open_for(Backoff::fixed(Duration::from_secs(60)));

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (url, client) = match std::env::args().nth(1) {
        Some(url) => (url, reqwest::Client::new()),
        // Its own server is here, whatever proxy the environment names.
        None => (
            start_server().await?,
            reqwest::Client::builder().no_proxy().build()?,
        ),
    };
    let breakers = BreakerBox::start("gobreaker").await?;
    let breaker = breakers
        .breaker("myCircuitBreaker", MY_CIRCUIT_BREAKER)
        .await?;

    for attempt in 1..=5 {
        let request = client.get(&url).send();
        match breaker.call(request).await {
            Ok(response) => println!("{attempt}: {}", response.status()),
            Err(CallError::Failed(error)) => println!("{attempt}: failed: {}", root(&error)),
            Err(error) => println!("{attempt}: {}", root(&error)),
        }
    }
    breakers.shutdown().await;
    Ok(())
}

/// Serves a friendly word on a free port of this machine.
async fn start_server() -> Result<String, Box<dyn Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let router = Router::new().route("/", get(|| async { "hello" }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

/// The cause beneath the wrapping, which is what a person wants to read.
fn root<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    error.source().map_or(error, root)
}
