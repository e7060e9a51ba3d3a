use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::interval;

use crate::orders::{Answer, Mix, Orders};
use crate::price_server::PRICES;
use crate::quote::Quote;
use crate::root;
use crate::timeline::Timeline;

/// Customers that come at a fixed rate, however long the shop takes.
///
/// One who waits for answers before the next order would come less often to a
/// shop in trouble, and hide it.
pub(crate) struct Traffic {
    customer: Customer,
    generator: JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

impl Traffic {
    pub(crate) fn start(client: Client, shop: String, timeline: Timeline) -> Self {
        let customer = Customer {
            client,
            orders: Arc::default(),
            shop,
        };
        let (stop, stopped) = oneshot::channel();
        let generator = tokio::spawn(generate(customer.clone(), timeline, stopped));
        Self {
            customer,
            generator,
            stop,
        }
    }

    /// The orders up to now, and those to come.
    pub(crate) fn orders(&self) -> watch::Receiver<Orders> {
        self.customer.orders.subscribe()
    }

    /// Places one order more.
    pub(crate) async fn order(&self, item: &str, quantity: u64) {
        self.customer.order(item, quantity).await;
    }

    /// Places no more, and returns all when the last is answered.
    pub(crate) async fn stop(self) -> Orders {
        drop(self.stop);
        // It has no code that panics; if it did, orders would be missing.
        let _ended = self.generator.await;
        self.customer.orders.borrow().clone()
    }
}

async fn generate(customer: Customer, timeline: Timeline, mut stopped: oneshot::Receiver<()>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut beat = interval(Duration::from_secs(1) / RATE);
    let mut look = interval(Duration::from_secs(1));
    let mut observer = Observer {
        seen: 0,
        timeline,
        was: Mix::default(),
    };
    let mut underway = JoinSet::new();
    for turn in 0.. {
        tokio::select! {
            _ = beat.tick() => {}
            _ = look.tick() => {
                observer.look(&customer.orders.borrow());
                continue;
            }
            _ = &mut stopped => break,
        }
        while underway.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            break;
        };
        let (customer, (item, _)) = (customer.clone(), PRICES[turn % PRICES.len()]);
        underway.spawn(async move {
            customer.order(item, turn as u64 % 5 + 1).await;
            drop(place);
        });
    }
    underway.join_all().await;
}

/// Someone who places orders and writes down what comes of them.
#[derive(Clone)]
struct Customer {
    client: Client,
    orders: Arc<watch::Sender<Orders>>,
    shop: String,
}

impl Customer {
    async fn order(&self, item: &str, quantity: u64) {
        let placed = Instant::now();
        self.orders.send_modify(|orders| orders.placed += 1);
        let quote = self.ask(item, quantity).await;
        let at = Instant::now();
        let answer = Answer {
            at,
            quote,
            took: at - placed,
        };
        self.orders
            .send_modify(|orders| orders.answers.push(answer));
    }

    async fn ask(&self, item: &str, quantity: u64) -> Result<Quote, String> {
        let url = format!("{}/order/{item}?quantity={quantity}", self.shop);
        let said = |error: reqwest::Error| root(&error).to_string();
        let response = self
            .client
            .get(url)
            .timeout(PATIENCE)
            .send()
            .await
            .map_err(said)?;
        match response.status() {
            StatusCode::OK => response.json().await.map_err(said),
            other => Err(format!("{other}: {}", response.text().await.map_err(said)?)),
        }
    }
}

/// Looks once a second who served, and says so when that has changed.
struct Observer {
    seen: usize,
    timeline: Timeline,
    was: Mix,
}

impl Observer {
    fn look(&mut self, orders: &Orders) {
        let mix = Mix::of(&orders.answers[self.seen..]);
        self.seen = orders.answers.len();
        if !mix.is_like(&self.was) {
            self.timeline.say("orders", &mix);
        }
        self.was = mix;
    }
}

/// Orders a second.
pub(crate) const RATE: u32 = 300;

/// Bounds the open sockets should this machine stand still for a while.
const AT_ONCE: usize = 150;

/// So long that giving up means the shop is at fault.
const PATIENCE: Duration = Duration::from_secs(20);
