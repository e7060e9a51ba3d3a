use std::time::{Duration, Instant};

use breakerbox::{Reason, State, Transition};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::journal::Journal;
use crate::orders::Orders;
use crate::storefront::{DISCOUNTS, NORTH, NORTH_BREAKER, SOUTH, Storefront};
use crate::summary::Summary;
use crate::timeline::seconds;
use crate::traffic::{RATE, Traffic};
use crate::{Failure, report};

/// Plays an outage in five acts, each of which ends when it has been seen.
pub(crate) async fn play(storefront: &mut Storefront) -> Result<Summary, Failure> {
    let timeline = storefront.timeline;
    let traffic = Traffic::start(storefront.client.clone(), storefront.shop.url(), timeline);
    let mut play = Play {
        act: 0,
        storefront,
        traffic,
    };
    play.healthy().await?;
    let (killed, opened) = play.outage().await?;
    play.slow().await?;
    let (healed, answered) = play.recovery().await?;
    play.crash().await?;
    Ok(Summary {
        orders: play.traffic.stop().await,
        to_detect: opened - killed,
        to_recover: answered - healed,
    })
}

struct Play<'a> {
    act: u8,
    storefront: &'a mut Storefront,
    traffic: Traffic,
}

impl Play<'_> {
    async fn healthy(&mut self) -> Result<(), Failure> {
        self.begin("both price servers are healthy");
        self.say("traffic", format!("{RATE} orders a second"));
        self.served_by(NORTH, 3).await?;
        self.end().await
    }

    /// Returns when north was killed, and when its breaker opened.
    async fn outage(&mut self) -> Result<(Instant, Instant), Failure> {
        self.begin("the first price server, north, is killed");
        self.happened("north's breaker to be closed", |journal| {
            journal.is_closed(NORTH_BREAKER)
        })
        .await?;
        self.say(
            "server north",
            format!("kill -9 {}", self.storefront.north.id()),
        );
        let killed = Instant::now();
        self.storefront.north.kill().await?;
        let opened = self
            .changed(killed, |change| change.to == State::Open)
            .await?;
        self.changed(opened.at, probe_failed).await?;
        self.served_by(SOUTH, 1).await?;
        self.end().await?;
        Ok((killed, opened.at))
    }

    async fn slow(&mut self) -> Result<(), Failure> {
        self.begin("north comes back, but slow");
        self.storefront.north.restart(SLOW).await?;
        let north = &self.storefront.north;
        let slow = format!(
            "up as process {}, answers after {}",
            north.id(),
            seconds(SLOW)
        );
        self.say("server north", slow);
        self.changed(Instant::now(), probe_failed).await?;
        self.end().await
    }

    /// Returns when north was healthy, and when it first answered through its
    /// closed breaker.
    async fn recovery(&mut self) -> Result<(Instant, Instant), Failure> {
        self.begin("north is healthy again");
        let url = format!("{}/delay/0", self.storefront.north.url());
        self.storefront
            .client
            .put(url)
            .send()
            .await?
            .error_for_status()?;
        let healed = Instant::now();
        self.say("server north", "answers at once");
        let closed = self
            .changed(healed, |change| change.to == State::Closed)
            .await?;
        let answer = |orders: &Orders| Some(orders.first_by(NORTH, closed.at)?.at);
        let answered = seen(self.traffic.orders(), "an answer by north", answer).await?;
        self.served_by(NORTH, 3).await?;
        self.end().await?;
        Ok((healed, answered))
    }

    async fn crash(&mut self) -> Result<(), Failure> {
        self.begin("the discount worker panics over an order of 0 lanterns");
        let closed = |journal: &Journal| journal.is_closed(DISCOUNTS);
        self.happened("the worker's breaker to be closed", closed)
            .await?;
        self.traffic.order("lantern", 0).await;
        let restarted = |journal: &Journal| journal.restarts(DISCOUNTS) > 0;
        self.happened("the worker to be restarted", restarted)
            .await?;
        self.served_by(NORTH, 2).await?;
        self.end().await
    }

    fn begin(&mut self, what: &str) {
        self.act += 1;
        println!("\n{}. {what}", self.act);
    }

    /// Shows how all actors do now.
    async fn end(&mut self) -> Result<(), Failure> {
        let Storefront {
            breakers,
            prices,
            workers,
            ..
        } = &self.storefront;
        let snapshots = breakers.snapshots().await;
        let knows_all = |journal: &Journal| {
            snapshots
                .iter()
                .all(|breaker| journal.knows(&breaker.name, breaker.generation))
        };
        self.happened("the journal to catch up", knows_all).await?;
        let actors = report::actors(&breakers.supervisor().snapshot(), &workers.snapshot());
        let breakers = report::breakers(&snapshots, &self.storefront.journal.borrow());
        println!("\n        Verdicts count for 10 s, or until the breaker changes its state.");
        print!("{breakers}\n{actors}\n");
        let pool = prices.snapshot().to_string();
        pool.lines().for_each(|line| println!("        {line}"));
        Ok(())
    }

    fn say(&self, who: &str, what: impl AsRef<str>) {
        self.storefront.timeline.say(who, what.as_ref());
    }

    /// Waits for a change of north's breaker since a time.
    async fn changed(
        &self,
        since: Instant,
        wanted: impl Fn(&Transition) -> bool,
    ) -> Result<Transition, Failure> {
        let change = |journal: &Journal| journal.first(NORTH_BREAKER, since, &wanted).copied();
        seen(
            self.storefront.journal.clone(),
            "north's breaker to change",
            change,
        )
        .await
    }

    async fn happened(&self, what: &str, wanted: impl Fn(&Journal) -> bool) -> Result<(), Failure> {
        let happened = |journal: &Journal| wanted(journal).then_some(());
        seen(self.storefront.journal.clone(), what, happened).await
    }

    /// Waits for as many answers by a server as come in so many calm seconds.
    async fn served_by(&self, server: &str, calm_seconds: usize) -> Result<(), Failure> {
        let (since, enough) = (Instant::now(), calm_seconds * RATE as usize);
        let served = |orders: &Orders| (orders.count_by(server, since) >= enough).then_some(());
        seen(
            self.traffic.orders(),
            &format!("answers by {server}"),
            served,
        )
        .await
    }
}

/// Waits until there is something to find in what is watched.
async fn seen<T, F>(
    mut watched: watch::Receiver<T>,
    what: &str,
    mut find: impl FnMut(&T) -> Option<F>,
) -> Result<F, Failure> {
    let mut found = None;
    let search = watched.wait_for(|watched| {
        found = find(watched);
        found.is_some()
    });
    // What ends without a find is as bad as what never comes.
    let _in_time = timeout(PATIENCE, search).await.map(|ended| ended.is_ok());
    found.ok_or_else(|| format!("waited for {what} in vain").into())
}

fn probe_failed(change: &Transition) -> bool {
    change.reason == Reason::ProbeFailed
}

/// Slower than the shop has patience.
const SLOW: Duration = Duration::from_secs(2);

/// A slow machine gets its time, one that hangs gets an end.
const PATIENCE: Duration = Duration::from_secs(15);
