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
    for pace in [Pace::AtOnce, Pace::InTurns] {
        let (answers, counts) = upload_to(answers_early().await, pace).await;
        for answer in answers {
            let answer = answer.unwrap_or_else(|error| panic!("{pace:?}: {error}"));
            assert_eq!(answer, (413, "too much".into()), "{pace:?}");
        }
        assert_eq!(counts, (0, UPLOADS), "{pace:?}");
    }
}

/// What is left of the upload is not taken for sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r60_an_upload_that_is_hung_up_on_early_judges_nobody() {
    for pace in [Pace::AtOnce, Pace::InTurns] {
        let (answers, counts) = upload_to(hangs_up_early().await, pace).await;
        assert!(answers.iter().all(Result::is_err), "{pace:?}: {answers:?}");
        assert_eq!(counts, (0, 0), "{pace:?}");
    }
}

type Answer = Result<(u16, Bytes), String>;

/// The answers to a hundred uploads, and the failures and successes of the server.
async fn upload_to(server: SocketAddr, pace: Pace) -> (Vec<Answer>, (u64, u64)) {
    let uri: Uri = format!("http://{server}").parse().unwrap();
    let client: Client<_, ReplayBody<Body>> =
        Client::builder(TokioExecutor::new()).build(EarlyAnswer::new(HttpConnector::new()));
    let endpoint = Endpoint::new("north", Origin::new(client, &uri).unwrap());
    let breakers = BreakerBox::start("test").await.unwrap();
    let config = PoolConfig::new().attempts(1);
    let pool = breakers.pool("shop", config, [endpoint]).await.unwrap();
    let shop = PoolService::new(pool.clone(), Http);
    let mut answers = Vec::new();
    for _ in 0..UPLOADS {
        let mut request = Request::new(upload(pace));
        *request.method_mut() = Method::POST;
        answers.push(match within(shop.clone().oneshot(request)).await {
            Ok(answer) => {
                let status = answer.status().as_u16();
                let body = within(answer.into_body().collect()).await.unwrap();
                Ok((status, body.to_bytes()))
            }
            Err(error) => Err(format!("{error:?}")),
        });
    }
    let counts = pool.breaker("north").unwrap().snapshot().await.counts;
    (answers, (counts.failures, counts.successes))
}

/// A server that answers once it has the head of a request, and hangs up at once.
async fn answers_early() -> SocketAddr {
    refuses(ANSWER).await
}

/// The same without an answer.
async fn hangs_up_early() -> SocketAddr {
    refuses("").await
}

async fn refuses(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _head = stream.read(&mut [0; 64]).await;
            let _gone = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

/// How the pieces of an upload come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Pace {
    /// All are there.
    AtOnce,
    /// They come while others are sent.
    InTurns,
}

/// More than any system takes before it is read, in pieces.
fn upload(pace: Pace) -> Body {
    let pieces = stream::unfold(0, move |sent| async move {
        if pace == Pace::InTurns {
            tokio::task::yield_now().await;
        }
        let piece = Frame::data(Bytes::from_static(&[b'x'; 16 * 1_024]));
        (sent < 2_048).then_some((Ok(piece), sent + 1))
    });
    StreamBody::new(pieces).boxed_unsync()
}

/// Without saying that it closes, the connection may be used again before it is closed.
const ANSWER: &str = "HTTP/1.1 413 Content Too Large\r\n\
    connection: close\r\ncontent-length: 8\r\n\r\ntoo much";
const UPLOADS: u64 = 100;
