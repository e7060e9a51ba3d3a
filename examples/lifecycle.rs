//! What a service does with a signal: while it starts, serves, and gives up.
//!
//! Send it SIGTERM or press Ctrl-C at any time, and twice to see it killed. All that
//! takes time waits until you press Enter, so that you can do so at leisure.
//!
//! ```text
//! cargo run --example lifecycle -- serve        # serves until a signal comes
//! cargo run --example lifecycle -- slow-start   # one part of it never comes up
//! cargo run --example lifecycle -- fail         # one part fails once it is up
//! ```

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use breakerbox::{
    CancellationToken, ChildSpec, Lifecycle, Ready, RestartIntensity, Shutdown, Strategy,
    SupervisorSpec,
};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::oneshot;
use tracing_subscriber::EnvFilter;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<ExitCode> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("breakerbox=debug"))
        .with_writer(io::stdout)
        .without_time()
        .init();
    let Some(service) = std::env::args().nth(1).and_then(|mode| service(&mode)) else {
        eprintln!("usage: lifecycle serve|slow-start|fail");
        return Ok(ExitCode::from(2));
    };
    let lifecycle = Lifecycle::new().drain_delay(Duration::ZERO);
    let mut readiness = lifecycle.readiness();
    tokio::spawn(async move {
        if readiness.ready().await {
            println!("ready");
            readiness.not_ready().await;
        }
        println!("not ready");
    });
    let report = lifecycle.run(service).await?;
    println!("{report}");
    Ok(report.exit_code())
}

/// A store that all else needs, and an index that may be in trouble.
fn service(mode: &str) -> Option<SupervisorSpec> {
    let store = ChildSpec::actor("store", || (Store, ())).shutdown(Shutdown::Within(FOREVER));
    let service = SupervisorSpec::new("service", Strategy::OneForOne)
        .intensity(RestartIntensity::new(0, Duration::from_secs(1)))
        .child(store);
    let index = match mode {
        "serve" => return Some(service),
        "slow-start" => ChildSpec::task_with_readiness("index", never_ready).start_timeout(FOREVER),
        "fail" => ChildSpec::task("index", fail),
        _ => return None,
    };
    Some(service.child(index))
}

/// Has to write something down before it stops.
struct Store;

impl Actor for Store {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        println!("store: up");
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<()>, (): &mut ()) -> Result<(), ActorProcessingErr> {
        println!("store: stopping, press Enter");
        enter().await;
        println!("store: stopped");
        Ok(())
    }
}

/// Reads an index that is never read to its end.
async fn never_ready(stop: CancellationToken, ready: Ready) -> io::Result<()> {
    println!("index: starting");
    stop.cancelled().await;
    drop(ready);
    println!("index: stopped");
    Ok(())
}

/// Finds its index damaged, and there is no use in another look.
async fn fail(_: CancellationToken) -> Result<(), String> {
    println!("index: failing");
    Err("the index is damaged".to_owned())
}

/// Waits for Enter. On a thread that nobody waits for: a runtime that ends would wait
/// for tokio's stdin, also where the service was killed.
async fn enter() {
    let (pressed, enter) = oneshot::channel();
    std::thread::spawn(move || {
        let _end = io::stdin().read_line(&mut String::new());
        pressed.send(())
    });
    let _pressed_or_end = enter.await;
}

const FOREVER: Duration = Duration::from_secs(86_400);
