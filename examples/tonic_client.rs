//! Failover of a gRPC client over two servers, as tower middleware.
//!
//! The generated client knows nothing of it: it talks to a service that is a
//! pool. One server ends midway, and no call fails. The service is gRPC's own
//! health service, with which the pool also checks its endpoints.
//!
//! ```text
//! cargo run --example tonic_client
//! ```

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use breakerbox::{Backoff, BreakerBox, BreakerConfig, Endpoint, PoolConfig};
use breakerbox_tower::{Grpc, GrpcCheck, PoolService, Renewable, ReplayBody};
use http::Request;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::body::Body;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::ServiceBuilder;

const HEALTH: PoolConfig = PoolConfig::new()
    .breaker(
        BreakerConfig::new()
            .call_timeout(Duration::from_secs(2))
            .open_for(Backoff::fixed(Duration::from_secs(5))),
    )
    .deadline(Duration::from_secs(5));

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (north, end_north) = start_server().await?;
    let (south, _end_south) = start_server().await?;

    let breakers = BreakerBox::start("shop").await?;
    let endpoints = [("north", north, 0), ("south", south, 1)].map(|(name, address, tier)| {
        let channel = channel(address);
        let server = ServiceBuilder::new()
            .map_request(|request: Request<ReplayBody<Body>>| request.map(Body::new))
            .service(channel.clone());
        Endpoint::new(name, server)
            .check(GrpcCheck::new(""))
            // A probe on a connection that died in silence would only time out, too.
            .renew(move |_server| channel.renew())
            .tier(tier)
    });
    let pool = breakers.pool("health", HEALTH, endpoints).await?;
    let mut client = HealthClient::new(PoolService::new(pool.clone(), Grpc));

    let mut end_north = Some(end_north);
    for nth in 0..12 {
        if nth == 4 {
            println!("north ends");
            drop(end_north.take());
        }
        let answer = client.check(HealthCheckRequest::default()).await?;
        let picks = pool.explain();
        let asked = picks.last().map_or("nobody", |pick| &*pick.endpoint);
        println!("{nth}: {:?} by {asked}", answer.into_inner().status());
    }
    println!("\n{}", pool.snapshot());
    breakers.shutdown().await;
    Ok(())
}

/// The connection to a server.
///
/// If the server's host loses power, nothing says so: calls time out until the system
/// gives the connection up, which takes a quarter of an hour. Two things end that
/// earlier. The endpoint's breaker opens, and then its connection is left; and an
/// answer to a ping is missing, which is noticed without any call.
fn channel(address: SocketAddr) -> Renewable<Channel> {
    let uri = format!("http://{address}").parse().expect("it is a URI");
    let channel = Channel::builder(uri)
        .connect_timeout(Duration::from_millis(500))
        .http2_keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(Duration::from_secs(5))
        .keep_alive_while_idle(true);
    Renewable::new(move || channel.connect_lazy()).max_age(Duration::from_secs(300))
}

/// A server that is well, until the sender is dropped.
async fn start_server() -> Result<(SocketAddr, oneshot::Sender<()>), Box<dyn Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let (end, ended) = oneshot::channel();
    let (_reporter, health) = tonic_health::server::health_reporter();
    let server = Server::builder().add_service(health);
    tokio::spawn(
        server.serve_with_incoming_shutdown(TcpIncoming::from(listener), async {
            // An error means that the sender is gone, as it should be.
            let _dropped = ended.await;
        }),
    );
    Ok((address, end))
}

/// Servers take more than a ping in ten seconds for an attack, and say so with a
/// GOAWAY of ENHANCE_YOUR_CALM. gRPC's own allow one in five minutes, unless they are
/// told otherwise.
const PING_EVERY: Duration = Duration::from_secs(20);
