use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use axum::routing::{get, post, put};
use breakerbox_tower::http::unavailable;
use tokio::io;
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::Failure;

/// A server to try the gateway with, in a process of its own.
///
/// It answers with its name, or as `curl -X PUT http://…/mode/broken` tells it.
/// It ends when its standard input does, so it never outlives its parent.
pub(crate) struct Upstream {
    pub(crate) name: String,
    /// 0 for any that is free.
    pub(crate) port: u16,
}

impl Upstream {
    /// Prints its address and serves.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let listener = TcpListener::bind(address).await?;
        println!("{}", listener.local_addr()?);
        let served = Served {
            asked: Arc::default(),
            mode: Arc::new(Mutex::new("well".to_owned())),
            name: self.name,
        };
        let router = Router::new()
            .route("/healthz", get(respond))
            .route("/count", get(count))
            .route("/echo", post(|body: Body| async { body }))
            .route("/mode/{mode}", put(set_mode))
            .fallback(answer)
            .with_state(served);
        tokio::select! {
            served = axum::serve(listener, router) => Ok(served?),
            // An error to read from it means no less.
            _ended = async { io::copy(&mut io::stdin(), &mut io::sink()).await } => Ok(()),
        }
    }
}

#[derive(Clone)]
struct Served {
    asked: Arc<AtomicU64>,
    mode: Arc<Mutex<String>>,
    name: String,
}

impl Served {
    fn mode(&self) -> String {
        self.mode.lock().expect("nobody panics with it").clone()
    }
}

async fn set_mode(State(served): State<Served>, Path(mode): Path<String>) -> StatusCode {
    if !MODES.contains(&&*mode) {
        return StatusCode::NOT_FOUND;
    }
    *served.mode.lock().expect("nobody panics with it") = mode;
    StatusCode::NO_CONTENT
}

/// How many requests have come, but for those of health checks.
async fn count(State(served): State<Served>) -> String {
    served.asked.load(Ordering::Relaxed).to_string()
}

async fn answer(State(served): State<Served>) -> Response<Body> {
    served.asked.fetch_add(1, Ordering::Relaxed);
    respond(State(served)).await
}

async fn respond(State(served): State<Served>) -> Response<Body> {
    match &*served.mode() {
        "broken" => broken(),
        "busy" => unavailable(Some(Duration::from_secs(2))),
        "failing" => {
            let mut response = Response::new(Body::from("as it was told"));
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
        "slow" => {
            sleep(Duration::from_secs(60)).await;
            Response::new(Body::from(served.name))
        }
        _ => Response::new(Body::from(served.name)),
    }
}

/// The connection ends before as much has come as was promised.
fn broken() -> Response<Body> {
    let pieces = futures_util::stream::unfold(0, |piece| async move {
        // The first piece leaves before the connection ends.
        tokio::task::yield_now().await;
        match piece {
            0 => Some((Ok("half"), 1)),
            _ => Some((Err("as it was told"), 2)),
        }
    });
    let mut response = Response::new(Body::from_stream(pieces));
    response.headers_mut().insert("content-length", 8.into());
    response
}

const MODES: [&str; 5] = ["broken", "busy", "failing", "slow", "well"];
