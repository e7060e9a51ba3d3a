use std::error::Error;
use std::net::SocketAddr;

use async_trait::async_trait;
use tokio::net::TcpStream;

/// A question to an endpoint that says whether it is well.
///
/// A closure is one: `|client: Client| async move { client.ping().await }`. It
/// is asked as [`PoolConfig::checks`](crate::PoolConfig::checks) says, by a task
/// of the box's tree. An error, no answer in time and a panic all mean "not well".
#[async_trait]
pub trait HealthCheck<T>: Send + Sync + 'static {
    /// Asks an endpoint by its value.
    ///
    /// # Errors
    ///
    /// Whatever shows that it is not well.
    ///
    /// # Cancel safety
    ///
    /// It is dropped when its time is over.
    async fn check(&self, endpoint: T) -> Result<(), CheckError>;
}

/// Why an endpoint is not well.
pub type CheckError = Box<dyn Error + Send + Sync>;

#[async_trait]
impl<T, F, R, E> HealthCheck<T> for F
where
    T: Send + 'static,
    F: Fn(T) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), E>> + Send,
    E: Into<CheckError>,
{
    async fn check(&self, endpoint: T) -> Result<(), CheckError> {
        self(endpoint).await.map_err(Into::into)
    }
}

/// Whether an address takes TCP connections.
#[derive(Clone, Copy, Debug)]
pub struct TcpCheck {
    address: SocketAddr,
}

impl TcpCheck {
    /// Connects to this address, and hangs up.
    #[must_use]
    pub const fn new(address: SocketAddr) -> Self {
        Self { address }
    }
}

#[async_trait]
impl<T: Send + 'static> HealthCheck<T> for TcpCheck {
    async fn check(&self, _endpoint: T) -> Result<(), CheckError> {
        TcpStream::connect(self.address).await?;
        Ok(())
    }
}
