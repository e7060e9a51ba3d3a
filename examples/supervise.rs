//! A tree of three levels, from its start to its exit code.
//!
//! A shop: a catalogue that all others need, orders that are taken and billed
//! together, and vans. Some of it crashes; what depends on it is restarted with
//! it. After two seconds the program sends itself SIGTERM, as a cluster would:
//! it is not ready any more, serves on for a while, and stops in order.
//!
//! ```text
//! cargo run --example supervise              # ends by itself
//! cargo run --example supervise -- --serve   # until you end it: Ctrl-C, or kill
//! ```
//!
//! With `--serve` it serves on for half a minute once it is asked to end, unless
//! it is asked again.

use std::error::Error;
use std::process::{Command, ExitCode};
use std::time::Duration;

use breakerbox::{
    Backoff, CancellationToken, ChildSpec, Lifecycle, Readiness, Ready, Restart, RestartIntensity,
    Shutdown, Stopper, Strategy, SupervisorSpec,
};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    // The panics are part of the show; their messages are not.
    std::panic::set_hook(Box::new(|_| {}));
    let serving = is_serving()?;
    let drain_delay = Duration::from_millis(if serving { 30_000 } else { 500 });
    let lifecycle = Lifecycle::new().drain_delay(drain_delay);
    let told = tokio::spawn(tell(lifecycle.readiness()));
    tokio::spawn(show(
        (!serving).then(|| lifecycle.stopper()),
        lifecycle.readiness(),
    ));
    let report = lifecycle.run(shop()).await?;
    told.await?;
    println!("\n{report}");
    Ok(report.exit_code())
}

/// Whether it is to serve until it is ended from outside.
fn is_serving() -> Result<bool, String> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => Ok(false),
        [only] if only == "--serve" => Ok(true),
        other => Err(format!("expected --serve or nothing, got {other:?}")),
    }
}

/// Who comes later needs who came before, so what fails takes the rest along.
fn shop() -> SupervisorSpec {
    SupervisorSpec::new("shop", Strategy::RestForOne)
        .intensity(RestartIntensity::new(20, Duration::from_secs(10)))
        .child(ChildSpec::actor("catalogue", || (Catalogue, ())))
        .child(ChildSpec::supervisor("orders", orders))
}

/// Orders are taken and billed together, or not at all.
fn orders() -> SupervisorSpec {
    let soon = Backoff::exponential(Duration::from_millis(50), Duration::from_secs(5));
    SupervisorSpec::new("orders", Strategy::OneForAll)
        .intensity(RestartIntensity::new(20, Duration::from_secs(10)))
        .child(ChildSpec::task_with_readiness("intake", take_orders))
        .child(ChildSpec::task("billing", bill).backoff(soon))
        .child(ChildSpec::supervisor("vans", vans))
}

fn vans() -> SupervisorSpec {
    let van = |name: &'static str| {
        ChildSpec::task(name, move |stop| drive(name, stop))
            .restart(Restart::Transient)
            .shutdown(Shutdown::Within(Duration::from_secs(2)))
    };
    SupervisorSpec::new("vans", Strategy::OneForOne)
        .child(van("blue"))
        .child(van("red"))
}

/// Is ready once it has, let us say, bound its port.
async fn take_orders(stop: CancellationToken, ready: Ready) -> Result<(), String> {
    tokio::time::sleep(Duration::from_millis(20)).await;
    ready.notify();
    stop.cancelled().await;
    Ok(())
}

/// Fails every now and then.
async fn bill(stop: CancellationToken) -> Result<(), String> {
    let works = tokio::time::sleep(Duration::from_millis(700));
    match stop.run_until_cancelled(works).await {
        Some(()) => Err("the bank does not answer".to_owned()),
        None => Ok(()),
    }
}

/// Brings its last parcel before it stops.
async fn drive(van: &'static str, stop: CancellationToken) -> Result<(), String> {
    stop.cancelled().await;
    let last_parcel = if van == "red" { 300 } else { 50 };
    tokio::time::sleep(Duration::from_millis(last_parcel)).await;
    Ok(())
}

/// Tells what happens from the moment that all are up to the end.
async fn tell(mut readiness: Readiness) {
    readiness.ready().await;
    let Some(shop) = readiness.supervisor() else {
        return;
    };
    let mut events = shop.events();
    println!("started\n{}\n", shop.snapshot());
    while let Some(event) = events.next().await {
        println!("  {event}");
    }
    shop.ended().await;
    println!("\nended\n{}", shop.snapshot());
}

/// Crashes the catalogue, shows what became of it, and asks the process to end,
/// given the means to.
async fn show(stopper: Option<Stopper>, mut readiness: Readiness) {
    readiness.ready().await;
    let Some(shop) = readiness.supervisor() else {
        return;
    };
    tokio::time::sleep(Duration::from_secs(1)).await;
    if let Ok(catalogue) = shop.child::<Lookup>("catalogue") {
        let question = |reply| Lookup {
            article: "a nonexistent one",
            reply,
        };
        let asked = catalogue.ask(question, Duration::from_secs(1)).await;
        println!("  (asked the catalogue for what it does not have: {asked:?})");
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    println!("\nafter two seconds\n{}\n", shop.snapshot());
    drop(shop);
    if let Some(stopper) = stopper {
        terminate_self(&stopper);
    }
    readiness.not_ready().await;
    println!("  (not ready any more, and serving on)");
}

/// Sends SIGTERM to this process, or where there is none, its like.
fn terminate_self(stopper: &Stopper) {
    let own = std::process::id().to_string();
    let sent = Command::new("kill").args(["-TERM", &own]).status();
    if !sent.is_ok_and(|status| status.success()) {
        stopper.stop();
    }
}

/// Knows the price of everything, and panics over what it does not know.
struct Catalogue;

struct Lookup {
    article: &'static str,
    reply: RpcReplyPort<u32>,
}

impl Actor for Catalogue {
    type Msg = Lookup;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Lookup>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Lookup>,
        Lookup { article, reply }: Lookup,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        let prices = [("tea", 3), ("bread", 4)];
        let known = prices.iter().find(|(name, _)| *name == article);
        let (_, price) = known.expect("everything is in the catalogue");
        Ok(reply.send(*price)?)
    }
}
