use std::future::poll_fn;

use tower_service::Service;

/// The service, once it is ready for a request.
pub(crate) async fn ready<S, Request>(mut service: S) -> Result<S, S::Error>
where
    S: Service<Request>,
{
    poll_fn(|context| service.poll_ready(context)).await?;
    Ok(service)
}
