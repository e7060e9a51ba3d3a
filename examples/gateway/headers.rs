//! What a gateway must not pass on, and what it adds (RFC 9110, 7.6).
//!
//! Where a client and a server understand the same message differently, a client
//! can smuggle requests past the gateway. So what is ambiguous is refused, and
//! what frames a message is never for a client to take out.

use std::net::IpAddr;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::Body;

/// Why a request is not sent on, if it is not.
pub(crate) fn fault<B>(request: &Request<B>) -> Option<StatusCode> {
    let headers = request.headers();
    let hosts = headers.get_all(header::HOST).iter().count();
    let is_hostless = hosts == 0 && request.version() == Version::HTTP_11;
    if hosts > 1 || is_hostless {
        Some(StatusCode::BAD_REQUEST)
    } else if request.method() == Method::CONNECT || is_coded(headers) {
        // It has no tunnels at all, so 405 would promise too much.
        Some(StatusCode::NOT_IMPLEMENTED)
    } else {
        None
    }
}

/// Whether a response is one that the client would not understand.
pub(crate) fn is_foreign<B>(response: &Response<B>) -> bool {
    response.status() == StatusCode::SWITCHING_PROTOCOLS || is_coded(response.headers())
}

/// Whether somebody has passed the request on before us.
pub(crate) fn is_forwarded<B>(request: &Request<B>) -> bool {
    let by = [header::FORWARDED, header::VIA, FORWARDED_FOR];
    by.iter().any(|name| request.headers().contains_key(name))
}

/// Makes a client's request one of the gateway's own.
///
/// What it says about whom it comes from, and by which way, is anybody's to say, and
/// links are made of it. So that goes, unless the client is a proxy that is known.
pub(crate) fn of_request<B: Body>(request: &mut Request<B>, client: IpAddr, is_proxy: bool) {
    let (body, via) = (request.body(), via(request.version()));
    let is_streamed = !body.is_end_stream() && body.size_hint().exact().is_none();
    let target = request.uri().authority().and_then(|authority| {
        let address = authority.as_str().rsplit('@').next()?;
        HeaderValue::try_from(address).ok()
    });
    let headers = request.headers_mut();
    of_hop(headers);
    if !is_proxy {
        for name in &BY_A_PROXY {
            headers.remove(name);
        }
    }
    // The client of the upstream knows whom it talks to.
    let host = headers.remove(header::HOST);
    if let Some(host) = target.or(host) {
        headers.entry(FORWARDED_HOST).or_insert(host);
    }
    headers.entry(FORWARDED_PROTO).or_insert(HTTP);
    forwarded_for(headers, client);
    join_cookies(headers);
    headers.append(header::VIA, via);
    if is_streamed {
        // Else hyper's client takes it that a GET has no body.
        headers.insert(header::TRANSFER_ENCODING, CHUNKED);
    }
}

/// Makes a server's response one of the gateway's own.
pub(crate) fn of_response<B>(response: &mut Response<B>) {
    let via = via(response.version());
    *response.version_mut() = Version::HTTP_11;
    let headers = response.headers_mut();
    if headers.contains_key(header::TRANSFER_ENCODING) {
        // It was overruled (RFC 9112, 6.3).
        headers.remove(header::CONTENT_LENGTH);
    }
    of_hop(headers);
    headers.append(header::VIA, via);
}

/// Takes out what is meant for one connection only.
fn of_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = values(headers, header::CONNECTION)
        .filter_map(|name| name.parse().ok())
        .filter(|name| !FOR_ALL.contains(name))
        .collect();
    for name in named.iter().chain(&HOP) {
        headers.remove(name);
    }
}

/// Adds the client to those that are known.
fn forwarded_for(headers: &mut HeaderMap, client: IpAddr) {
    let client = client.to_string();
    let known = values(headers, FORWARDED_FOR);
    let all: Vec<_> = known.chain([&*client]).collect();
    let all = HeaderValue::try_from(all.join(", "));
    headers.insert(FORWARDED_FOR, all.expect("each of them was in a header"));
}

/// Makes one line of what HTTP/2 may have split (RFC 9113, 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let cookies = headers.get_all(header::COOKIE).iter();
    let all: Vec<_> = cookies.map(HeaderValue::as_bytes).collect();
    if !all.is_empty() {
        let all = HeaderValue::from_bytes(&all.join(&b"; "[..]));
        headers.insert(header::COOKIE, all.expect("each of them was in a header"));
    }
}

/// Whether the body is coded otherwise than in chunks, which hyper takes off.
fn is_coded(headers: &HeaderMap) -> bool {
    let mut codings = values(headers, header::TRANSFER_ENCODING);
    let chunked = codings.next();
    let is_other = chunked.is_some_and(|coding| !coding.eq_ignore_ascii_case("chunked"));
    is_other || codings.next().is_some()
}

/// The members of a list, which may be spread over any number of lines.
fn values(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .filter(|value| !value.is_empty())
}

const fn via(received: Version) -> HeaderValue {
    HeaderValue::from_static(match received {
        Version::HTTP_10 => "1.0 gateway",
        Version::HTTP_2 => "2.0 gateway",
        _ => "1.1 gateway",
    })
}

const BY_A_PROXY: [HeaderName; 6] = [
    header::FORWARDED,
    FORWARDED_FOR,
    FORWARDED_HOST,
    FORWARDED_PROTO,
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-prefix"),
];
const CHUNKED: HeaderValue = HeaderValue::from_static("chunked");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// Meant for all on the way, whatever `Connection` says.
const FOR_ALL: [HeaderName; 12] = [
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::FORWARDED,
    header::HOST,
    header::VIA,
    FORWARDED_FOR,
    FORWARDED_HOST,
    FORWARDED_PROTO,
];
const HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
const HTTP: HeaderValue = HeaderValue::from_static("http");
