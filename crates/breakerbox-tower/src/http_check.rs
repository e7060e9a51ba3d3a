use std::fmt;
use std::marker::PhantomData;

use async_trait::async_trait;
use breakerbox::{CheckError, HealthCheck};
use http::{Request, Response, Uri};
use tower_service::Service;

use crate::ready::ready;

/// Asks an endpoint by HTTP GET, through the very service that serves its calls.
///
/// Any 2xx means that it is well. The body of the answer is not read.
pub struct HttpCheck<B> {
    body: PhantomData<fn() -> B>,
    uri: Uri,
}

impl<B> HttpCheck<B> {
    /// Asks for this URI; a path such as `/healthz` is enough where the endpoint
    /// knows its server, as an [`Origin`](crate::Origin) does.
    #[must_use]
    pub const fn get(uri: Uri) -> Self {
        Self {
            body: PhantomData,
            uri,
        }
    }
}

#[async_trait]
impl<S, B, R> HealthCheck<S> for HttpCheck<B>
where
    S: Service<Request<B>, Response = Response<R>> + Send + 'static,
    S::Error: Into<CheckError> + Send,
    S::Future: Send,
    B: Default + Send + 'static,
    R: Send,
{
    async fn check(&self, endpoint: S) -> Result<(), CheckError> {
        let mut request = Request::new(B::default());
        *request.uri_mut() = self.uri.clone();
        let response = async { ready(endpoint).await?.call(request).await };
        let response = response.await.map_err(Into::into)?;
        match response.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("{} answered {status}, expected 2xx", self.uri).into()),
        }
    }
}

impl<B> fmt::Debug for HttpCheck<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpCheck").field("uri", &self.uri).finish()
    }
}
