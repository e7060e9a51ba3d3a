use std::sync::Arc;
use std::time::Duration;

use breakerbox::{BreakerBox, BreakerConfig, ChildSpec, Strategy, Supervisor, SupervisorSpec};
use reqwest::Client;
use tokio::sync::watch;

use crate::discounts::{DiscountWorker, Discounts};
use crate::journal::Journal;
use crate::prices::Prices;
use crate::processes::PriceServerProcess;
use crate::shop::{OpenShop, Shop};
use crate::timeline::Timeline;
use crate::{Failure, loopback_client};

/// The shop and all that it depends on.
pub(crate) struct Storefront {
    pub(crate) breakers: BreakerBox,
    pub(crate) client: Client,
    pub(crate) journal: watch::Receiver<Journal>,
    pub(crate) north: PriceServerProcess,
    pub(crate) prices: Arc<Prices>,
    pub(crate) shop: OpenShop,
    pub(crate) south: PriceServerProcess,
    pub(crate) timeline: Timeline,
    pub(crate) workers: Supervisor,
}

impl Storefront {
    /// Returns when the shop is ready for customers.
    pub(crate) async fn open(timeline: Timeline) -> Result<Self, Failure> {
        let client = loopback_client()?;
        let north = start_server(NORTH, timeline).await?;
        let south = start_server(SOUTH, timeline).await?;
        let breakers = BreakerBox::start("breakers").await?;
        let workers = SupervisorSpec::new("workers", Strategy::OneForOne)
            .child(ChildSpec::actor(DISCOUNTS, || (DiscountWorker, ())))
            .start()
            .await?;
        let servers = [(&north, PATIENCE), (&south, LAST_PATIENCE)];
        let prices = Arc::new(Prices::open(&breakers, &client, servers).await?);
        let events = (breakers.events(), prices.events(), workers.events());
        let journal = Journal::keep(events, timeline);
        let breaker = breakers.breaker(DISCOUNTS, BreakerConfig::new()).await?;
        let discounts = Discounts::new(breaker, workers.child(DISCOUNTS)?);
        let shop = Shop {
            discounts,
            prices: Arc::clone(&prices),
        };
        let shop = shop.open().await?;
        timeline.say("shop", format_args!("open at {}", shop.url()));
        Ok(Self {
            breakers,
            client,
            journal,
            north,
            prices,
            shop,
            south,
            timeline,
            workers,
        })
    }

    /// Closes the shop first, then ends what it depended on.
    pub(crate) async fn close(self) {
        drop(self.journal);
        self.shop.close().await;
        self.workers.shutdown().await;
        self.breakers.shutdown().await;
        self.north.stop().await;
        self.south.stop().await;
        self.timeline.say(
            "shop",
            "closed; workers, breakers and price servers are stopped",
        );
    }

    /// What somebody at a terminal may want to try.
    pub(crate) fn invitation(&self) -> String {
        let Self { north, shop, .. } = self;
        format!(
            "order:     curl '{shop}/order/umbrella?quantity=3'\n\
             slow:      curl -X PUT {north}/delay/2000    (and /delay/0)\n\
             outage:    kill -9 {id}\n\
             back:      cargo run --example storefront -- --price-server {NORTH} {port} 0\n\
             crash:     curl '{shop}/order/umbrella?quantity=0'\n\
             the end:   Ctrl-C",
            shop = shop.url(),
            north = north.url(),
            id = north.id(),
            port = north.port(),
        )
    }
}

async fn start_server(
    name: &'static str,
    timeline: Timeline,
) -> Result<PriceServerProcess, Failure> {
    let server = PriceServerProcess::start(name).await?;
    let up = format!("up as process {} at {}", server.id(), server.url());
    timeline.say(&format!("server {name}"), up);
    Ok(server)
}

pub(crate) const DISCOUNTS: &str = "discounts";
pub(crate) const NORTH: &str = "north";
pub(crate) const NORTH_BREAKER: &str = "prices/north";
pub(crate) const SOUTH: &str = "south";

/// How long the shop waits for a price that somebody else knows as well.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long for one that nobody else knows: better late than never.
const LAST_PATIENCE: Duration = Duration::from_secs(3);
