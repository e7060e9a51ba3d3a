//! A reverse proxy that fails over.
//!
//! Requests go by their path to a pool of servers in tiers. A server that dies,
//! hangs or breaks its responses is noticed by the requests themselves and by
//! health checks; what may be sent twice is sent to another one. Bodies are
//! streamed both ways. On SIGHUP the file is read again, and what stays in it
//! keeps its breakers; a file that is wrong changes nothing, and `--check` finds that
//! out beforehand.
//!
//! What two servers could understand differently is refused: a host that is none, a
//! path with an encoded slash, a `Connection` header that cannot be read. A path is
//! normalized before a route is chosen by it. What only a proxy may say, such as
//! `X-Forwarded-For`, is dropped unless `behind_proxy` is set.
//!
//! Each request has a line in the log, with the target `gateway::access`, and a breaker
//! that opens has one that says why. `RUST_LOG=info,gateway::access=off` leaves out the
//! former, and `--json` makes JSON of all of them.
//!
//! ```text
//! cargo run --example gateway -- --demo                   # see a failover, 15 s
//! ```
//!
//! Or by hand, with each server in a terminal of its own. As long as there is none,
//! the first curl gets 502, and 503 once the breakers are open.
//!
//! ```text
//! cargo run --example gateway -- --upstream north 9001
//! cargo run --example gateway -- --upstream south 9002
//! cargo run --example gateway -- --upstream stand-in 9003
//! cargo run --example gateway -- examples/gateway/gateway.toml
//! curl localhost:8080/                                    # goes to a server
//! curl localhost:8080/.gateway/pools                      # how they are, if asked here
//! curl localhost:8080/.gateway/ready                      # 503 before it ends
//! ```

mod access;
mod activity;
mod client;
mod client_address;
mod clients;
mod config;
mod connection;
mod connections;
mod demo;
mod forwarding;
mod gateway;
mod headers;
mod host;
mod judge;
mod logging;
mod path;
mod pools;
mod refusal;
mod reloader;
mod rules;
mod server;
mod trail;
mod upload;
mod upstream;

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use breakerbox::{BreakerBox, Lifecycle, Strategy, SupervisorSpec};

use config::Config;
use gateway::Gateway;
use logging::Format;
use reloader::Reloader;
use server::Server;
use upstream::Upstream;

/// Whatever keeps the example from going on.
type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let (format, arguments) = match &arguments[..] {
        ["--json", rest @ ..] => (Format::Json, rest),
        all => (Format::Text, all),
    };
    if let Err(error) = logging::start(format) {
        complain(&causes(&*error));
        return ExitCode::FAILURE;
    }
    let ended = match *arguments {
        ["--check", file] => check(Path::new(file)),
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
            complain(&causes(&*error));
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

/// Says whether the gateway would start with this file, and starts nothing.
fn check(file: &Path) -> Result<ExitCode, Failure> {
    Config::read(file)?;
    say("ok");
    Ok(ExitCode::SUCCESS)
}

/// Serves until SIGTERM or SIGINT.
async fn run(file: &Path) -> Result<ExitCode, Failure> {
    let config = Config::read(file)?;
    let lifecycle = Lifecycle::new();
    let mut readiness = lifecycle.readiness();
    let breakers = BreakerBox::start("pools").await?;
    let gateway = Arc::new(Gateway::new(breakers.clone(), readiness.clone()));
    gateway.apply(&config).await?;

    let socket = server::listen(config.listen)
        .map_err(|error| format!("cannot listen on {}: {error}", config.listen))?;
    let address = socket.local_addr()?;
    let reloader = Reloader::new(file, config.listen, Arc::clone(&gateway))?;
    // A tree of its own, which ends before the box: requests need the pools to the
    // last, and a reload adds pools to the box after all that is in it.
    let tree = SupervisorSpec::new("gateway", Strategy::OneForOne)
        .child(Server::new(socket, gateway).child())
        .child(reloader.child());
    let ended = tokio::spawn(lifecycle.run(tree));
    // Who is told that it listens may send it signals, so it has to hear them.
    if readiness.ready().await {
        say(&format!("listening on {address}"));
    }
    let report = ended.await??;
    breakers.shutdown().await;
    say(&report.to_string());
    Ok(report.exit_code())
}

/// Tells whoever started it. That nobody reads it any more is no reason to panic.
fn say(line: &str) {
    let _unread = writeln!(io::stdout(), "{line}");
}

fn complain(line: &str) {
    let _unread = writeln!(io::stderr(), "gateway: {line}");
}

/// An error and all that led to it.
fn causes(error: &(dyn Error + 'static)) -> String {
    let causes: Vec<_> = chain(error).map(ToString::to_string).collect();
    causes.join(": ")
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

const USAGE: &str = "\
usage: gateway [--json] FILE.toml     serve as the file says; --json: log JSON lines
       gateway --check FILE.toml      say \"ok\", or what is wrong with the file, and exit
       gateway --demo                 see a failover, which takes 15 s
       gateway --upstream NAME PORT   be a server to try it with, until stdin ends
";
