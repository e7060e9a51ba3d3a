//! A reverse proxy that fails over.
//!
//! Requests go by their path to a pool of servers in tiers. A server that dies,
//! hangs or breaks its responses is noticed by the requests themselves and by
//! health checks; what may be sent twice is sent to another one. Bodies are
//! streamed both ways. On SIGHUP the file is read again, and what stays in it
//! keeps its breakers; a file that is wrong changes nothing.
//!
//! ```text
//! cargo run --example gateway -- --demo         # see a failover, 15 s
//! cargo run --example gateway -- examples/gateway/gateway.toml
//! curl localhost:8080/                          # goes to a server
//! curl localhost:8080/.gateway/pools            # how the servers are
//! ```

mod client;
mod config;
mod demo;
mod gateway;
mod headers;
mod pools;
mod upstream;

use std::error::Error;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use breakerbox::{BreakerBox, CancellationToken, ChildSpec, Lifecycle};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use config::Config;
use gateway::Gateway;
use upstream::Upstream;

/// Whatever keeps the example from going on.
type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
        .with_writer(io::stderr)
        .init();
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let ended = match arguments[..] {
        ["--demo"] => demo::run().await.map(|()| ExitCode::SUCCESS),
        ["--upstream", name, port] => try_out(name, port).await,
        [file] if !file.starts_with('-') => run(Path::new(file)).await,
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match ended {
        Ok(code) => code,
        Err(error) => {
            eprintln!("gateway: {}", causes(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn try_out(name: &str, port: &str) -> Result<ExitCode, Failure> {
    let upstream = Upstream {
        name: name.to_owned(),
        port: port
            .parse()
            .map_err(|_| format!("{port:?} is not a port"))?,
    };
    upstream.run().await?;
    Ok(ExitCode::SUCCESS)
}

/// Serves until SIGTERM or SIGINT.
async fn run(file: &Path) -> Result<ExitCode, Failure> {
    let config = Config::read(file)?;
    let lifecycle = Lifecycle::new();
    let breakers = BreakerBox::start("gateway").await?;
    let gateway = Arc::new(Gateway::new(breakers.clone()));
    gateway.apply(&config).await?;

    let listener = StdListener::bind(config.listen)
        .map_err(|error| format!("cannot listen on {}: {error}", config.listen))?;
    listener.set_nonblocking(true)?;
    println!("listening on {}", listener.local_addr()?);
    let supervisor = breakers.supervisor().clone();
    supervisor
        .add(serve(listener, Arc::clone(&gateway)))
        .await?;
    let mut hangups = signal(SignalKind::hangup())?;
    let file = PathBuf::from(file);
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            match reload(&file, &config, &gateway).await {
                Ok(()) => println!("reloaded {}", file.display()),
                Err(error) => eprintln!("gateway: not reloaded: {}", causes(&*error)),
            }
        }
    });
    let report = lifecycle.run(supervisor).await?;
    println!("{report}");
    Ok(report.exit_code())
}

/// Takes over what the file says now. The socket stays: nobody is hung up on.
async fn reload(file: &Path, first: &Config, gateway: &Gateway) -> Result<(), Failure> {
    let config = Config::read(file)?;
    if config.listen != first.listen {
        return Err(format!(
            "{}: listen has changed from {} to {}, which takes a restart",
            file.display(),
            first.listen,
            config.listen
        )
        .into());
    }
    gateway.apply(&config).await
}

/// The listener, which shares its socket with the one after it should it crash.
fn serve(socket: StdListener, gateway: Arc<Gateway>) -> ChildSpec {
    let socket = Arc::new(socket);
    ChildSpec::task("listener", move |stop: CancellationToken| {
        let (socket, gateway) = (Arc::clone(&socket), Arc::clone(&gateway));
        async move {
            let listener = TcpListener::from_std(socket.try_clone()?)?;
            let router = router(gateway).into_make_service_with_connect_info::<SocketAddr>();
            let served = axum::serve(listener, router);
            served.with_graceful_shutdown(stop.cancelled_owned()).await
        }
    })
}

fn router(gateway: Arc<Gateway>) -> Router {
    let pools = Arc::clone(&gateway);
    Router::new()
        .route("/.gateway/pools", get(|| async move { pools.pools() }))
        .fallback(|request| async move { gateway.serve(request).await })
}

/// An error and all that led to it.
fn causes(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    let causes: Vec<_> = causes.map(ToString::to_string).collect();
    causes.join(": ")
}

/// The names of those children of the box's supervisor that are no pools.
const CHILDREN: [&str; 1] = ["listener"];
const USAGE: &str = "\
usage: gateway FILE.toml              serve as the file says
       gateway --demo                 see a failover, which takes 15 s
       gateway --upstream NAME PORT   be a server to try it with, until stdin ends
";
