//! A reverse proxy that does nothing but pass requests on, by hyper alone.
//!
//! `bare_proxy <port> <upstream>...`, where each upstream is a port on this machine. Any
//! proxy made with hyper has to do as much, so the difference in cost is the price of
//! what a gateway does beyond that. It has one thread, speaks HTTP/1.1, and has no
//! limits; a request that fails ends its connection.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::{LocalSet, spawn_local};

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let ports: Vec<u16> = std::env::args()
        .skip(1)
        .map(|port| port.parse())
        .collect::<Result<_, _>>()?;
    let [port, upstreams @ ..] = &ports[..] else {
        return Err("expected a port, and the ports of upstreams".into());
    };
    let runtime = Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, serve(*port, Upstreams::new(upstreams)))
}

async fn serve(port: u16, upstreams: Rc<Upstreams>) -> Result<(), Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    loop {
        let (stream, _client) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let upstreams = Rc::clone(&upstreams);
        spawn_local(async move {
            let service = service_fn(|request| pass_on(Rc::clone(&upstreams), request));
            let mut server = hyper::server::conn::http1::Builder::new();
            server.timer(TokioTimer::new());
            let _ended = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn pass_on(
    upstreams: Rc<Upstreams>,
    mut request: Request<Incoming>,
) -> Result<Response<Returned>, Failure> {
    let upstream = upstreams.next();
    request.headers_mut().remove(header::CONNECTION);
    let headers = request.headers_mut();
    headers.insert(header::HOST, upstream.host.clone());
    let mut connection = upstream.connection().await?;
    let response = connection.send_request(request).await?;
    Ok(response.map(|body| Returned {
        body,
        connection: Some(connection),
        upstream,
    }))
}

struct Upstreams {
    all: Vec<Rc<Upstream>>,
    next: Cell<usize>,
}

struct Upstream {
    host: HeaderValue,
    idle: RefCell<Vec<SendRequest<Incoming>>>,
    port: u16,
}

impl Upstreams {
    fn new(ports: &[u16]) -> Rc<Self> {
        let all = ports.iter().map(|port| {
            Rc::new(Upstream {
                host: HeaderValue::try_from(format!("127.0.0.1:{port}")).expect("it is a host"),
                idle: RefCell::default(),
                port: *port,
            })
        });
        Rc::new(Self {
            all: all.collect(),
            next: Cell::new(0),
        })
    }

    fn next(&self) -> Rc<Upstream> {
        let next = self.next.get();
        self.next.set(next + 1);
        Rc::clone(&self.all[next % self.all.len()])
    }
}

impl Upstream {
    async fn connection(&self) -> Result<SendRequest<Incoming>, Failure> {
        loop {
            let idle = self.idle.borrow_mut().pop();
            match idle {
                None => break,
                Some(mut idle) => {
                    if idle.ready().await.is_ok() {
                        return Ok(idle);
                    }
                }
            }
        }
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        spawn_local(connection);
        Ok(sender)
    }
}

/// The body of a response, which gives its connection back when it is dropped.
struct Returned {
    body: Incoming,
    connection: Option<SendRequest<Incoming>>,
    upstream: Rc<Upstream>,
}

impl Body for Returned {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Returned {
    fn drop(&mut self) {
        // A connection with an answer that was not read to its end is never ready.
        self.upstream
            .idle
            .borrow_mut()
            .extend(self.connection.take());
    }
}
