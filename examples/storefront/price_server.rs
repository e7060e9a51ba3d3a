use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, put};
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio::{io, signal};

use crate::Failure;

/// A server that knows what things cost, in a process of its own.
///
/// Its delay can be set while it runs: `curl -X PUT http://…/delay/2000`.
pub(crate) struct PriceServer {
    /// 0 for any that is free.
    pub(crate) port: u16,
    pub(crate) delay: Duration,
}

impl PriceServer {
    /// Prints its address and serves until its standard input ends.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await?;
        let delay = Delay::of(self.delay);
        let router = Router::new()
            .route("/price/{item}", get(price))
            .route("/delay/{milliseconds}", put(set_delay))
            .with_state(delay);
        println!("{}", listener.local_addr()?);
        tokio::spawn(ignore_interrupts());
        tokio::select! {
            served = axum::serve(listener, router) => served?,
            () = parent_gone() => {}
        }
        Ok(())
    }
}

/// What an item costs, in cents.
async fn price(State(delay): State<Delay>, Path(item): Path<String>) -> Result<String, StatusCode> {
    sleep(delay.get()).await;
    let priced = PRICES.iter().find(|(known, _)| *known == item);
    priced
        .map(|(_, cents)| cents.to_string())
        .ok_or(StatusCode::NOT_FOUND)
}

async fn set_delay(State(delay): State<Delay>, Path(milliseconds): Path<u64>) {
    delay.set(milliseconds);
}

#[derive(Clone)]
struct Delay {
    milliseconds: Arc<AtomicU64>,
}

impl Delay {
    fn of(delay: Duration) -> Self {
        let milliseconds = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        Self {
            milliseconds: Arc::new(milliseconds.into()),
        }
    }

    fn get(&self) -> Duration {
        Duration::from_millis(self.milliseconds.load(Ordering::Relaxed))
    }

    fn set(&self, milliseconds: u64) {
        self.milliseconds.store(milliseconds, Ordering::Relaxed);
    }
}

/// Ends when the parent has ended, by whatever end: it holds the other end of
/// standard input and writes nothing to it.
async fn parent_gone() {
    // An error to read from it means no less.
    let _read = io::copy(&mut io::stdin(), &mut io::sink()).await;
}

/// Ctrl-C reaches every process in the terminal, but it is the parent's to say
/// when its servers end.
async fn ignore_interrupts() {
    while signal::ctrl_c().await.is_ok() {}
}

/// What there is to buy.
pub(crate) const PRICES: [(&str, u64); 3] =
    [("kettle", 3_490), ("lantern", 2_400), ("umbrella", 1_250)];
