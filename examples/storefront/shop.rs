use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::discounts::Discounts;
use crate::prices::{Price, Prices};
use crate::quote::Quote;
use crate::root;

/// Prices orders: `GET /order/umbrella?quantity=3`.
pub(crate) struct Shop {
    pub(crate) discounts: Discounts,
    pub(crate) prices: Arc<Prices>,
}

impl Shop {
    /// Opens it on any free port of this machine.
    pub(crate) async fn open(self) -> io::Result<OpenShop> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let router = Router::new()
            .route("/order/{item}", get(order))
            .with_state(Arc::new(self));
        let (close, closed) = oneshot::channel();
        let server = axum::serve(listener, router).with_graceful_shutdown(async {
            // Also when nobody is left to close it.
            let _closed = closed.await;
        });
        Ok(OpenShop {
            address,
            close,
            serving: tokio::spawn(server.into_future()),
        })
    }
}

/// A shop that serves customers.
pub(crate) struct OpenShop {
    address: SocketAddr,
    close: oneshot::Sender<()>,
    serving: JoinHandle<io::Result<()>>,
}

impl OpenShop {
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets no one in any more, and returns when the last order is answered.
    pub(crate) async fn close(self) {
        drop(self.close);
        // Somebody who holds a connection open cannot keep it from ending.
        let _in_time = timeout(CLOSE_WITHIN, self.serving).await;
    }
}

#[derive(Deserialize)]
struct Basket {
    #[serde(default = "one")]
    quantity: u64,
}

const fn one() -> u64 {
    1
}

async fn order(
    State(shop): State<Arc<Shop>>,
    Path(item): Path<String>,
    Query(Basket { quantity }): Query<Basket>,
) -> Response {
    let (priced, discount) = tokio::join!(shop.prices.of(&item), shop.discounts.percent(quantity));
    let Price {
        attempts,
        cents,
        served_by,
    } = match priced {
        Ok(price) => price,
        Err(error) => {
            let why = format!("{error}: {}\n", root(&error));
            return (StatusCode::SERVICE_UNAVAILABLE, why).into_response();
        }
    };
    let discount_percent = discount.ok();
    let Some(cents) = cents else {
        return (StatusCode::NOT_FOUND, format!("there is no {item} here\n")).into_response();
    };
    let total = cents.saturating_mul(quantity);
    Json(Quote {
        attempts,
        total_cents: total.saturating_mul(100 - discount_percent.unwrap_or(0)) / 100,
        item,
        quantity,
        discount_percent,
        served_by,
    })
    .into_response()
}

/// Longer than any order takes.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);
