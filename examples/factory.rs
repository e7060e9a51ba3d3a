//! ractor's factory of workers under a supervisor, where it crashes again and again.
//!
//! A factory sets timers on its own address, and its workers end with that address. So
//! it is right for a child that has a new address with each incarnation: the timers and
//! workers of a factory that has crashed are gone when the next one starts. Whoever has
//! a `Child` finds the next one, and asks it again for what was lost with the former.
//!
//! ```text
//! cargo run --example factory
//! ```

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use breakerbox::{Child, ChildSpec, RestartIntensity, Strategy, Supervisor, SupervisorSpec};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ractor::factory::queues::DefaultQueue;
use ractor::factory::routing::QueuerRouting;
use ractor::factory::{
    Factory, FactoryArguments, FactoryMessage, FactoryRef, Job, Worker, WorkerCapacityController,
    WorkerId, worker_builder,
};
use ractor::rpc::CallResult;
use ractor::{ActorProcessingErr, RpcReplyPort};
use tokio::task::JoinSet;

const CRASHES: u64 = 9;
const ITEMS: u64 = 99;

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    // The panics are part of the show; their messages are not.
    std::panic::set_hook(Box::new(|_| {}));
    let manager = Arc::new(Manager::default());
    let shop = start_shop(&manager).await?;
    let prices = shop.child::<PriceMessage>("prices")?;

    let mut callers = JoinSet::new();
    for crash in 1..=CRASHES {
        for item in 0..ITEMS / CRASHES {
            callers.spawn(price_of(prices.clone(), item));
        }
        // In the middle of that.
        manager.must_fail.store(true, Ordering::Relaxed);
        restarted(&prices, crash).await;
    }
    let mut asked = 0;
    while let Some(times) = callers.join_next().await {
        asked += times?;
    }
    println!("{}\n", shop.snapshot());
    println!("{ITEMS} callers got a price, and asked {asked} times for it");

    let before = manager.looks.load(Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let looks = manager.looks.load(Ordering::Relaxed) - before;
    let restarts = prices.status().restarts;
    println!("after {restarts} restarts, {looks} looks at the workers in a second");

    let report = shop.shutdown().await;
    // Of ten factories there would be a hundred.
    let works_once = looks <= 20 && restarts == CRASHES;
    Ok(if works_once && report.unclean().count() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A supervisor with a factory of three workers.
async fn start_shop(manager: &Arc<Manager>) -> Result<Supervisor, Box<dyn Error>> {
    let manager = Arc::clone(manager);
    let factory = ChildSpec::actor("prices", move || (Prices::default(), arguments(&manager)));
    let shop = SupervisorSpec::new("shop", Strategy::OneForOne)
        .intensity(RestartIntensity::new(100, Duration::from_secs(1)))
        .child(factory.new_address())
        .start()
        .await?;
    Ok(shop)
}

type Prices = Factory<u64, Price, (), Clerk, QueuerRouting<u64, Price>, DefaultQueue<u64, Price>>;
type PriceArguments =
    FactoryArguments<u64, Price, (), Clerk, QueuerRouting<u64, Price>, DefaultQueue<u64, Price>>;
type PriceMessage = FactoryMessage<u64, Price>;

/// What each factory starts from; called again after each crash.
fn arguments(manager: &Arc<Manager>) -> PriceArguments {
    FactoryArguments::builder()
        .worker_builder(Box::new(worker_builder(|_| (Clerk, ()))))
        .queue(DefaultQueue::default())
        .router(QueuerRouting::default())
        .num_initial_workers(3)
        .capacity_controller(Box::new(Looks(Arc::clone(manager))))
        .build()
}

/// Asks until there is an answer; returns how often that was.
async fn price_of(prices: Child<PriceMessage>, item: u64) -> u64 {
    let mut asked = 0;
    loop {
        asked += 1;
        // After a crash this is another address.
        let factory = prices.actor();
        let answer = factory.call_job(item, Price, Some(Duration::from_secs(1)));
        match answer.await {
            Ok(CallResult::Success(_price)) => return asked,
            // The job was lost with its factory, or there is none just now.
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Waits until the factory has been restarted so many times.
async fn restarted(prices: &Child<PriceMessage>, restarts: u64) {
    while prices.status().restarts < restarts {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A job: the price of an item.
struct Price(RpcReplyPort<u64>);

struct Clerk;

impl Worker for Clerk {
    type Key = u64;
    type Message = Price;
    type State = ();
    type Arguments = ();

    async fn pre_start(
        &self,
        _: WorkerId,
        _: &FactoryRef<u64, Price>,
        (): (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: WorkerId,
        _: &FactoryRef<u64, Price>,
        job: Job<u64, Price>,
        (): &mut (),
    ) -> Result<u64, ActorProcessingErr> {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let _caller_left_meanwhile = job.msg.0.send(100 + job.key);
        Ok(job.key)
    }
}

/// What outlives the factories.
#[derive(Default)]
struct Manager {
    looks: AtomicU64,
    must_fail: AtomicBool,
}

/// Decides how many workers there are, ten times a second, and has a bug.
struct Looks(Arc<Manager>);

impl WorkerCapacityController for Looks {
    fn get_pool_size(&mut self, current: usize) -> BoxFuture<'_, usize> {
        async move {
            self.0.looks.fetch_add(1, Ordering::Relaxed);
            assert!(!self.0.must_fail.swap(false, Ordering::Relaxed), "a bug");
            current
        }
        .boxed()
    }
}
