//! Uploads that are refused before they have been read.

use std::net::SocketAddr;

use breakerbox::{BreakerBox, Endpoint, PoolConfig};
use breakerbox_tower::{EarlyAnswer, Http, Origin, PoolService, ReplayBody};
use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, Uri};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tower::ServiceExt;

use crate::client::{Body, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r60_an_upload_that_is_refused_early_is_answered_by_what_the_server_said() {
    let uri: Uri = format!("http://{}", refuses().await).parse().unwrap();
    let client: Client<_, ReplayBody<Body>> =
        Client::builder(TokioExecutor::new()).build(EarlyAnswer::new(HttpConnector::new()));
    let endpoint = Endpoint::new("north", Origin::new(client, &uri).unwrap());
    let breakers = BreakerBox::start("test").await.unwrap();
    let config = PoolConfig::new().attempts(1);
    let pool = breakers.pool("shop", config, [endpoint]).await.unwrap();
    let shop = PoolService::new(pool.clone(), Http);
    for nth in 0..UPLOADS {
        let mut request = Request::new(upload());
        *request.method_mut() = Method::POST;
        let answer = within(shop.clone().oneshot(request)).await;
        let answer = answer.unwrap_or_else(|error| panic!("upload {nth}: {error:?}"));
        assert_eq!(answer.status(), 413);
        let body = within(answer.into_body().collect()).await.unwrap();
        assert_eq!(body.to_bytes(), "too much");
    }
    let counts = pool.breaker("north").unwrap().snapshot().await.counts;
    assert_eq!((counts.failures, counts.successes), (0, UPLOADS));
}

/// A server that answers once it has the head of a request, and hangs up at once.
async fn refuses() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _head = stream.read(&mut [0; 64]).await;
            let _gone = stream.write_all(ANSWER.as_bytes()).await;
        }
    });
    address
}

/// A megabyte, in pieces that come while others are sent.
fn upload() -> Body {
    let pieces = stream::unfold(0, |sent| async move {
        tokio::task::yield_now().await;
        let piece = Frame::data(Bytes::from_static(&[b'x'; 16 * 1_024]));
        (sent < 64).then_some((Ok(piece), sent + 1))
    });
    StreamBody::new(pieces).boxed_unsync()
}

/// Without saying that it closes, the connection may be used again before it is closed.
const ANSWER: &str = "HTTP/1.1 413 Content Too Large\r\n\
    connection: close\r\ncontent-length: 8\r\n\r\ntoo much";
const UPLOADS: u64 = 100;
