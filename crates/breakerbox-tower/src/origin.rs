use std::error::Error;
use std::fmt;
use std::task::{Context, Poll};

use http::uri::{Authority, Scheme, Uri};
use http::{Request, Version};
use tower_service::Service;

/// A client whose requests all go to one server, whatever their URI says.
///
/// Clients such as hyper-util's find their server in the URI, so one client can
/// be the endpoint of a pool once for each server. Path and query stay, and so
/// does a `Host` header that is there.
///
/// The version of a request becomes HTTP/1.1, which stands for whatever the client
/// speaks with the server. That of a caller is between it and us (RFC 9112, 2.3):
/// a request that came by HTTP/2 would be refused by a client of HTTP/1.1, and that
/// looks like a failure of the server.
#[derive(Clone, Debug)]
pub struct Origin<S> {
    authority: Authority,
    scheme: Scheme,
    service: S,
}

impl<S> Origin<S> {
    /// Sends what `service` is given to the scheme, host and port of `uri`.
    ///
    /// # Errors
    ///
    /// [`InvalidOrigin`] if `uri` has no scheme or no host, or if it has a path or a
    /// query, which would be ignored.
    pub fn new(service: S, uri: &Uri) -> Result<Self, InvalidOrigin> {
        match (uri.scheme(), uri.authority(), uri.path(), uri.query()) {
            (Some(scheme), Some(authority), "" | "/", None) => Ok(Self {
                authority: authority.clone(),
                scheme: scheme.clone(),
                service,
            }),
            _ => Err(InvalidOrigin { uri: uri.clone() }),
        }
    }
}

impl<S, B> Service<Request<B>> for Origin<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        if parts.path_and_query.is_none() {
            parts.path_and_query = Some(http::uri::PathAndQuery::from_static("/"));
        }
        *request.uri_mut() = Uri::from_parts(parts).expect("it has all of its parts");
        *request.version_mut() = Version::default();
        self.service.call(request)
    }
}

/// A URI does not name a server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidOrigin {
    uri: Uri,
}

impl Error for InvalidOrigin {}

impl fmt::Display for InvalidOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} does not name a server: expected a scheme, a host and neither path \
             nor query, such as http://10.0.0.7:8080",
            self.uri.to_string()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_and_a_host_and_nothing_that_would_be_ignored() {
        for (uri, is_origin) in [
            ("http://10.0.0.7:8080", true),
            ("http://10.0.0.7:8080/", true),
            ("https://shop.example", true),
            ("http://10.0.0.7:8080/v1", false),
            ("http://10.0.0.7:8080?region=eu", false),
            ("http://10.0.0.7:8080/?region=eu", false),
            ("10.0.0.7:8080", false),
            ("/v1", false),
        ] {
            let origin = Origin::new((), &uri.parse().unwrap());
            assert_eq!(origin.is_ok(), is_origin, "{uri}");
        }
    }
}
