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
use crate::price_source::PriceSource;
use crate::quote::{PassedOver, Quote};

/// Prices orders: `GET /order/umbrella?quantity=3`.
pub(crate) struct Shop {
    pub(crate) discounts: Discounts,
    /// The best first; each stands in for those before it.
    pub(crate) sources: Vec<PriceSource>,
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

    /// The price of one item, and who knew it, from the best source that does.
    async fn price(&self, item: &str) -> Priced<'_> {
        let mut passed_over = Vec::new();
        for source in &self.sources {
            match source.price(item).await {
                Ok(price) => {
                    return Priced {
                        found: Some((price, source.name())),
                        passed_over,
                    };
                }
                Err(reason) => passed_over.push(reason),
            }
        }
        Priced {
            found: None,
            passed_over,
        }
    }
}

/// What came of asking one source after the other.
struct Priced<'a> {
    /// Of the first that answered: the price, if it has the item, and its name.
    found: Option<(Option<u64>, &'a str)>,
    passed_over: Vec<PassedOver>,
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
    let (priced, discount) = tokio::join!(shop.price(&item), shop.discounts.percent(quantity));
    let discount_percent = discount.ok();
    let Some((price, served_by)) = priced.found else {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(priced.passed_over)).into_response();
    };
    let Some(cents) = price else {
        return (StatusCode::NOT_FOUND, format!("there is no {item} here\n")).into_response();
    };
    let total = cents.saturating_mul(quantity);
    Json(Quote {
        total_cents: total.saturating_mul(100 - discount_percent.unwrap_or(0)) / 100,
        item,
        quantity,
        discount_percent,
        served_by: served_by.to_owned(),
        passed_over: priced.passed_over,
    })
    .into_response()
}

/// Longer than any order takes.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);
