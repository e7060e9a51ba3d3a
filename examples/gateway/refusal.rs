//! Why a request is not let in.
//!
//! Where the gateway and a server understand the same message differently, a client
//! can smuggle requests past the gateway, or make the server believe that somebody
//! else was asked. So what is ambiguous is refused. hyper refuses what frames a
//! message wrongly; the rest is found here.

use http::header::{self, HeaderMap, HeaderValue};
use http::uri::Uri;
use http::{Method, Request, StatusCode, Version};

use crate::{headers, host};

/// Returns the status with which a request is refused, if it is.
pub(crate) fn refusal<B>(request: &Request<B>) -> Option<StatusCode> {
    let (headers, uri) = (request.headers(), request.uri());
    let is_tunnel = request.method() == Method::CONNECT;
    let is_understood = has_one_host(request.version(), headers, uri)
        && (is_tunnel || has_path(request.method(), uri))
        && headers::has_readable_options(headers);
    if !is_understood {
        Some(StatusCode::BAD_REQUEST)
    } else if is_tunnel || headers::is_coded(headers) {
        // It has no tunnels at all, so 405 would promise too much.
        Some(StatusCode::NOT_IMPLEMENTED)
    } else {
        None
    }
}

/// Returns whether the host that a request is for is known and is a host (RFC 9112,
/// 3.2, and for HTTP/2 RFC 9113, 8.3.1).
fn has_one_host(version: Version, headers: &HeaderMap, uri: &Uri) -> bool {
    let target = uri.authority().map(|target| target.as_str().as_bytes());
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next().map(HeaderValue::as_bytes);
    let agrees = match (version, host, target) {
        (Version::HTTP_11, host, _) => host.is_some(),
        // Before, the target overrules the header; here they have to be the same.
        (Version::HTTP_2, Some(host), Some(target)) => host.eq_ignore_ascii_case(target),
        (Version::HTTP_2, None, None) => false,
        _ => true,
    };
    let mut named = host.into_iter().chain(target);
    agrees && hosts.next().is_none() && named.all(host::is_valid)
}

/// Returns whether the target is a path, or a URL of HTTP, or says `*` where it may:
/// the forms of RFC 9112, 3.2.
fn has_path(method: &Method, uri: &Uri) -> bool {
    let is_form = match (uri.scheme_str(), uri.authority()) {
        (Some("http" | "https"), Some(_)) | (None, None) => true,
        // Such as `GET shop.example`, which has no path.
        _ => false,
    };
    is_form && (uri.path().starts_with('/') || is_of_server(method, uri))
}

/// Returns whether a request is about the server and nothing that it has: `OPTIONS *`.
pub(crate) fn is_of_server(method: &Method, uri: &Uri) -> bool {
    method == Method::OPTIONS && uri.path() == "*"
}
