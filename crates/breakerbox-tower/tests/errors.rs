//! What the errors of clients say: what was surely not sent, and what may have been.

#![cfg(test)]

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use breakerbox::{
    BreakerBox, BreakerConfig, CallError, Endpoint, Override, PoolConfig, PoolError, Verdict,
};
use breakerbox_tower::{BreakerLayer, ByResult, Gather, GatherError, Lazy, error_verdict};
use bytes::Bytes;
use h2::Reason;
use http::{Request, Response, Uri};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, duplex};
use tokio::net::TcpListener;
use tokio_test::io::Builder;
use tower::{Layer, Service, ServiceExt, service_fn};

#[tokio::test]
async fn r53_what_breaks_a_connection_that_exists_may_have_been_sent() {
    for (kind, expected) in [
        (ErrorKind::AddrNotAvailable, Verdict::Ambiguous),
        (ErrorKind::ConnectionRefused, Verdict::Sent),
        (ErrorKind::HostUnreachable, Verdict::Sent),
        (ErrorKind::NetworkUnreachable, Verdict::Sent),
        (ErrorKind::OutOfMemory, Verdict::Ambiguous),
    ] {
        let server = Builder::new().write(GET).read_error(kind.into()).build();
        let (mut client, connection) = connect(server).await;
        let connection = tokio::spawn(connection);
        let error = client.send_request(get()).await.unwrap_err();
        assert_eq!(error_verdict(&error), expected, "{error:?}");
        drop(connection);
    }
}

/// A client of hyper's takes a hundred headers unless it is told otherwise.
#[tokio::test]
async fn r62_an_answer_with_too_large_a_head_is_an_answer() {
    let mut answer = "HTTP/1.1 200 OK\r\n".to_owned();
    (0..200).for_each(|nth| answer += &format!("x-{nth}: {nth}\r\n"));
    answer += "\r\n";
    let server = Builder::new().write(GET).read(answer.as_bytes()).build();
    let (mut client, connection) = connect(server).await;
    let connection = tokio::spawn(connection);
    let error = client.send_request(get()).await.unwrap_err();
    let verdict = error_verdict(&error);
    assert!(
        verdict.is_answer() && verdict.outcome().is_failure(),
        "{verdict:?}: {error:?}"
    );
    drop(connection);
}

#[tokio::test]
async fn r61_what_this_process_is_out_of_is_nobodys_failure_and_was_not_sent() {
    for (name, make) in shortages() {
        let resolver = service_fn(move |_name: Name| async move {
            Err::<std::vec::IntoIter<SocketAddr>, _>(make())
        });
        // tonic connects by hyper-util's connector, and reqwest by its client.
        let mut connector = HttpConnector::new_with_resolver(resolver);
        let uri = Uri::from_static("http://peer.invalid");
        let error = connector.call(uri.clone()).await.unwrap_err();
        assert_eq!(
            error_verdict(&error),
            Verdict::OutOfResources,
            "{name}: {error:?}"
        );

        let client = Client::builder(TokioExecutor::new());
        let client: Client<_, Empty<Bytes>> = client.build(connector);
        let error = client.get(uri).await.unwrap_err();
        assert!(error.is_connect(), "{error:?}");
        assert_eq!(
            error_verdict(&error),
            Verdict::OutOfResources,
            "{name}: {error:?}"
        );

        let no_service = service_fn(move |()| async move {
            Err::<tower::util::BoxCloneSyncService<(), (), io::Error>, _>(make())
        });
        let error = Lazy::new(no_service, ()).oneshot(()).await.unwrap_err();
        assert_eq!(
            error_verdict(&error),
            Verdict::OutOfResources,
            "{name}: {error:?}"
        );

        for error in [
            make(),
            io::Error::other(make()),
            io::Error::other(io::Error::other(make())),
        ] {
            assert_eq!(
                error_verdict(&error),
                Verdict::OutOfResources,
                "{name}: {error:?}"
            );
            let error = CallError::Failed(error);
            assert_eq!(
                error_verdict(&error),
                Verdict::OutOfResources,
                "{name}: {error:?}"
            );
        }
    }
}

type Make = fn() -> io::Error;

/// Every error that says that this process or its machine is out of something.
fn shortages() -> [(&'static str, Make); 9] {
    [
        ("EMFILE", || io::Error::from_raw_os_error(24)),
        ("ENFILE", || io::Error::from_raw_os_error(23)),
        ("ENOMEM", || io::Error::from_raw_os_error(12)),
        #[cfg(target_os = "linux")]
        ("ENOBUFS", || io::Error::from_raw_os_error(105)),
        #[cfg(not(target_os = "linux"))]
        ("ENOBUFS", || io::Error::from_raw_os_error(55)),
        #[cfg(target_os = "linux")]
        ("EADDRNOTAVAIL", || io::Error::from_raw_os_error(99)),
        #[cfg(not(target_os = "linux"))]
        ("EADDRNOTAVAIL", || io::Error::from_raw_os_error(49)),
        ("AddrInUse", || ErrorKind::AddrInUse.into()),
        ("AddrNotAvailable", || ErrorKind::AddrNotAvailable.into()),
        ("OutOfMemory", || ErrorKind::OutOfMemory.into()),
        ("QuotaExceeded", || ErrorKind::QuotaExceeded.into()),
    ]
}

/// tonic connects by hyper-util's connector, and has its errors among its causes.
#[tokio::test]
async fn r53_to_a_server_that_is_not_found_nothing_was_sent() {
    let nobody = service_fn(|_name: Name| async {
        Err::<std::vec::IntoIter<SocketAddr>, _>(io::Error::other("no such host"))
    });
    let mut connector = HttpConnector::new_with_resolver(nobody);
    let uri = Uri::from_static("http://peer.invalid");
    let error = connector.call(uri).await.unwrap_err();
    assert_eq!(error_verdict(&error), Verdict::NotSent, "{error:?}");
}

#[tokio::test]
async fn r53_a_request_that_hyper_gives_back_was_not_sent() {
    let (mut client, connection) = connect(Builder::new().build()).await;
    drop(connection);
    let error = client.send_request(get()).await.unwrap_err();
    assert!(error.is_canceled(), "{error:?}");
    assert_eq!(error_verdict(&error), Verdict::NotSent);
}

#[tokio::test]
async fn r53_what_the_task_of_a_connection_took_with_it_may_have_been_sent() {
    let (ours, mut theirs) = duplex(64);
    let (mut client, connection) = connect(ours).await;
    let connection = tokio::spawn(connection);
    let sending = tokio::spawn(async move { client.send_request(get()).await });
    theirs.read_exact(&mut [0; GET.len()]).await.unwrap();
    connection.abort();
    let error = sending.await.unwrap().unwrap_err();
    // hyper calls it an error of the user's.
    assert!(error.is_user(), "{error:?}");
    assert_eq!(error_verdict(&error), Verdict::Sent);
}

#[tokio::test]
async fn r53_a_stream_that_its_server_refused_was_not_sent() {
    for (reason, expected) in [
        (Reason::CANCEL, Verdict::Sent),
        (Reason::INTERNAL_ERROR, Verdict::Sent),
        (Reason::REFUSED_STREAM, Verdict::NotSent),
    ] {
        let address = resets(reason).await;
        let client = Client::builder(TokioExecutor::new())
            .http2_only(true)
            .build_http::<Empty<Bytes>>();
        let uri = format!("http://{address}/").parse().unwrap();
        let error = client.get(uri).await.unwrap_err();
        assert_eq!(error_verdict(&error), expected, "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn r53_what_a_breaker_or_a_pool_further_down_rejects_was_not_sent() {
    let breakers = BreakerBox::start("test").await.unwrap();
    let breaker = breakers.breaker("peer", BreakerConfig::new()).await;
    let breaker = breaker.unwrap();
    let word = Override::forced_open("test");
    breaker.force(word).await.unwrap();
    let service = service_fn(|()| async { Err::<(), _>(io::Error::other("asked")) });
    let service = BreakerLayer::new(breaker, ByResult).layer(service);
    let error = service.oneshot(()).await.unwrap_err();
    assert!(matches!(error, CallError::Rejected(_)), "{error:?}");
    assert_eq!(error_verdict(&error), Verdict::NotSent);

    let none: [Endpoint<()>; 0] = [];
    let pool = breakers.pool("shop", PoolConfig::new(), none).await;
    let pool = pool.unwrap();
    let called = pool.call(|()| async { Ok::<_, Infallible>(()) }).await;
    let error = called.unwrap_err();
    assert!(matches!(error, PoolError::Rejected(_)), "{error:?}");
    assert_eq!(error_verdict(&error), Verdict::NotSent);
}

#[tokio::test]
async fn r53_a_response_whose_body_breaks_was_asked_for_whatever_broke_it() {
    for kind in [ErrorKind::ConnectionRefused, ErrorKind::ConnectionReset] {
        let answer = move |()| async move { Ok::<_, io::Error>(Response::new(Broken(kind))) };
        let service = service_fn(answer);
        let gathered = Gather::up_to(4).layer(service).oneshot(()).await;
        let error = gathered.map(drop).unwrap_err();
        assert!(matches!(error, GatherError::Body(_)), "{error:?}");
        assert_eq!(error_verdict(&error), Verdict::Sent, "{kind:?}");
    }
}

const GET: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

fn get() -> Request<Empty<Bytes>> {
    Request::new(Empty::new())
}

async fn connect<I>(
    io: I,
) -> (
    http1::SendRequest<Empty<Bytes>>,
    http1::Connection<TokioIo<I>, Empty<Bytes>>,
)
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    http1::handshake(TokioIo::new(io)).await.unwrap()
}

/// A server that resets each stream for this reason.
async fn resets(reason: Reason) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((_request, mut respond))) = connection.accept().await {
            respond.send_reset(reason);
        }
    });
    address
}

/// Four bytes of which none comes.
#[derive(Debug)]
struct Broken(ErrorKind);

impl Body for Broken {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(Some(Err(self.0.into())))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(4)
    }
}
