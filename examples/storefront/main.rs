//! A storefront that keeps answering while what it depends on breaks.
//!
//! The shop prices orders over HTTP. It asks a pool of two price servers, each a
//! process of its own behind its breaker, and a supervised worker actor for the
//! discount. Then comes an outage: the first price server is killed, comes back
//! slow, and recovers; the worker panics. Every order is to be answered.
//!
//! ```text
//! cargo run --example storefront             # watch the outage, about 15 s
//! cargo run --example storefront -- --serve  # try it yourself with curl
//! ```

mod arguments;
mod discounts;
mod journal;
mod orders;
mod play;
mod price_server;
mod prices;
mod processes;
mod quote;
mod report;
mod shop;
mod storefront;
mod summary;
mod table;
mod timeline;
mod traffic;

use std::error::Error;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

use tokio::signal;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use arguments::{Arguments, USAGE};
use storefront::Storefront;
use timeline::Timeline;

/// Whatever keeps the example from going on.
type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    log_as_asked();
    let ended = match Arguments::parse(std::env::args().skip(1)) {
        Ok(Arguments::Help) => {
            print!("{USAGE}");
            Ok(())
        }
        Ok(Arguments::Play) => play().await,
        Ok(Arguments::PriceServer(server)) => server.run().await,
        Ok(Arguments::Serve) => serve().await,
        Err(unknown) => {
            eprint!("storefront: {unknown}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("storefront: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Plays the outage; an order that nobody answered is an error.
async fn play() -> Result<(), Failure> {
    let timeline = Timeline::begin();
    let mut storefront = Storefront::open(timeline).await?;
    let played = tokio::select! {
        played = play::play(&mut storefront) => played,
        _ = signal::ctrl_c() => Err("interrupted".into()),
    };
    println!();
    storefront.close().await;
    let summary = played?;
    print!("\n{summary}");
    summary.verdict()?;
    println!("every request was answered");
    Ok(())
}

/// Keeps the shop open until Ctrl-C.
async fn serve() -> Result<(), Failure> {
    let storefront = Storefront::open(Timeline::begin()).await?;
    let invite = async { println!("\n{}\n", storefront.invitation()) };
    // Whoever reads of Ctrl-C may send it, so it is listened for first.
    let (interrupted, ()) = tokio::join!(biased; signal::ctrl_c(), invite);
    interrupted?;
    println!();
    storefront.close().await;
    Ok(())
}

/// Writes logs to stderr where `RUST_LOG` asks for them, such as `breakerbox=debug`.
fn log_as_asked() {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::OFF.into())
        .from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .init();
}

/// The root of an error, which is what a person wants to read.
fn root<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    error.source().map_or(error, root)
}

/// An HTTP client for this machine, whatever proxy the environment names.
///
/// It follows no redirect: if the place that one points to refuses the connection,
/// it would look as if the server had not been asked.
fn loopback_client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
}
