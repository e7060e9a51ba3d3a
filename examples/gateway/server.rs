//! The connections of clients.
//!
//! One that asks for nothing is hung up on, and so is one that stops in the middle
//! of a head or an upload, or that stops reading its answer.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::num::NonZero;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

use breakerbox::{Backoff, CancellationToken, ChildSpec, Shutdown};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::sleep;
use tokio_util::task::{LocalPoolHandle, TaskTracker};

use crate::clients::Clients;
use crate::connection::Connection;
use crate::gateway::Gateway;

/// Takes connections and hands their requests to a gateway.
pub(crate) struct Server {
    clients: Clients,
    /// A thread for each core, with a runtime of its own. A connection stays on one
    /// thread, so no request is handed over to another thread.
    cores: LocalPoolHandle,
    gateway: Arc<Gateway>,
    protocol: Builder<TokioExecutor>,
    /// Listens beyond a crash of the task that accepts from it: clients wait for
    /// the next one. None once it drains.
    socket: Mutex<Option<StdListener>>,
}

/// Listens with room for many clients that come at once.
pub(crate) fn listen(address: SocketAddr) -> io::Result<StdListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

impl Server {
    pub(crate) fn new(socket: StdListener, gateway: Arc<Gateway>) -> Self {
        let mut protocol = Builder::new(TokioExecutor::new());
        protocol.http1().timer(TokioTimer::new());
        protocol
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_EVERY)
            .max_concurrent_streams(STREAMS);
        Self {
            clients: Clients::default(),
            cores: LocalPoolHandle::new(available_parallelism().map_or(1, NonZero::get)),
            gateway,
            protocol,
            socket: Mutex::new(Some(socket)),
        }
    }

    /// Returns the server as a child for a supervisor.
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
        let (connections, drains) = (TaskTracker::new(), CancellationToken::new());
        let mut last = Ok(());
        while let Some(accepted) = stop.run_until_cancelled(self.accept(&listener)).await {
            match accepted {
                Ok(accepted) => {
                    last = Ok(());
                    let serving = self.serve(accepted, drains.clone());
                    let serving = connections.track_future(serving);
                    self.cores.spawn_pinned(move || serving);
                }
                Err(error) => {
                    // Most likely there are too many of them, for a while.
                    if last.is_ok() {
                        tracing::warn!(%error, "cannot accept a connection");
                    }
                    last = Err(error);
                    sleep(ACCEPT_AGAIN).await;
                }
            }
        }
        self.close(listener);
        drains.cancel();
        connections.close();
        connections.wait().await;
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

    /// Takes a connection.
    async fn accept(&self, listener: &TcpListener) -> io::Result<Connection> {
        let (stream, client) = listener.accept().await?;
        let most = self.gateway.limits().connections;
        Ok(Connection {
            client,
            gateway: Arc::clone(&self.gateway),
            place: self.clients.enter(most),
            stream: stream.into_std()?,
        })
    }

    fn serve(
        &self,
        connection: Connection,
        drains: CancellationToken,
    ) -> impl Future<Output = ()> + use<> {
        let limits = self.gateway.limits();
        let mut protocol = self.protocol.clone();
        protocol
            .http1()
            .header_read_timeout(limits.head_timeout())
            .max_buf_size(limits.head_bytes as usize);
        protocol.http2().max_header_list_size(limits.head_bytes);
        connection.serve(protocol, limits, drains)
    }
}

const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
const AGAIN: Backoff = Backoff::exponential(Duration::from_millis(10), Duration::from_secs(1));
/// Linux allows no more by default.
const BACKLOG: u32 = 4_096;
/// With the drain delay of the lifecycle it is less than the 30 s of Kubernetes.
const DRAIN_WITHIN: Duration = Duration::from_secs(20);
const PING_EVERY: Duration = Duration::from_secs(20);
/// The most requests of one client at once. Each may need a connection to a server.
const STREAMS: u32 = 32;
