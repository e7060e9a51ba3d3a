//! The connections of clients.
//!
//! One that asks for nothing is hung up on, and so is one that stops in the middle
//! of a head or an upload; but hyper has no limit on writes, so a client that stops
//! reading its answer keeps its connection until it goes away or a drain ends.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use breakerbox::{Backoff, CancellationToken, ChildSpec, Shutdown};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::gateway::Gateway;

/// Takes connections and hands their requests to a gateway.
pub(crate) struct Server {
    gateway: Arc<Gateway>,
    protocol: Builder<TokioExecutor>,
    /// Listens beyond a crash of the task that accepts from it: clients wait for
    /// the next one. None once it drains.
    socket: Mutex<Option<StdListener>>,
}

impl Server {
    pub(crate) fn new(socket: StdListener, gateway: Arc<Gateway>) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let mut protocol = Builder::new(TokioExecutor::new());
        protocol
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_WITHIN);
        protocol
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_EVERY);
        Ok(Self {
            gateway,
            protocol,
            socket: Mutex::new(Some(socket)),
        })
    }

    /// As a child of a supervisor.
    pub(crate) fn child(self) -> ChildSpec {
        let server = Arc::new(self);
        let run = move |stop| {
            let server = Arc::clone(&server);
            async move { server.run(stop).await }
        };
        ChildSpec::task("listener", run)
            .backoff(AGAIN)
            .shutdown(Shutdown::Within(DRAIN_WITHIN))
    }

    /// Serves until it is told to stop, and then until all is answered that was
    /// asked. Nobody may connect by then: a connection that waited in the backlog
    /// would be reset with the request that it had sent.
    async fn run(&self, stop: CancellationToken) -> io::Result<()> {
        let Some(listener) = self.listener()? else {
            return Ok(());
        };
        let connections = GracefulShutdown::new();
        while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
            match accepted {
                Ok((stream, client)) => {
                    let connection = self.serve(stream, client, connections.watcher());
                    tokio::spawn(connection);
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    // Most likely there are too many of them, for a while.
                    sleep(ACCEPT_AGAIN).await;
                }
            }
        }
        self.close(listener);
        connections.shutdown().await;
        Ok(())
    }

    fn listener(&self) -> io::Result<Option<TcpListener>> {
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        let socket = socket.as_ref().map(StdListener::try_clone).transpose()?;
        socket.map(TcpListener::from_std).transpose()
    }

    fn close(&self, listener: TcpListener) {
        drop(listener);
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        *socket = None;
    }

    fn serve(
        &self,
        stream: TcpStream,
        client: SocketAddr,
        watcher: Watcher,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (gateway, protocol) = (Arc::clone(&self.gateway), self.protocol.clone());
        let has_asked = Arc::new(AtomicBool::new(false));
        let asks = Arc::clone(&has_asked);
        let service = service_fn(move |request| {
            asks.store(true, Ordering::Relaxed);
            let gateway = Arc::clone(&gateway);
            async move { Ok::<_, Infallible>(gateway.answer(request, client).await) }
        });
        async move {
            // Without it, small answers are slower, and no less right.
            let _slower = stream.set_nodelay(true);
            let connection = protocol.serve_connection(TokioIo::new(stream), service);
            let mut connection = pin!(watcher.watch(connection));
            // Hyper has no limit until it knows which HTTP it is, and none for the
            // first request of HTTP/2.
            let ended = match timeout(HEAD_WITHIN, connection.as_mut()).await {
                Ok(ended) => ended,
                Err(_) if has_asked.load(Ordering::Relaxed) => connection.await,
                Err(_) => return,
            };
            if let Err(error) = ended {
                tracing::debug!(error, "a connection ended early");
            }
        }
    }
}

const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
const AGAIN: Backoff = Backoff::exponential(Duration::from_millis(10), Duration::from_secs(1));
/// With the drain delay of the lifecycle it is less than the 30 s of Kubernetes.
const DRAIN_WITHIN: Duration = Duration::from_secs(20);
/// For the head of a request, and so for the pause between two of them.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
const PING_EVERY: Duration = Duration::from_secs(20);
