//! What a gateway must not pass on, and what it adds (RFC 9110, 7.6).
//!
//! What frames a message is never for a client to take out, and who asked whom for
//! what is never for a client to say.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode, Version};
use hyper::body::Body;

use crate::client_address::Peer;
use crate::forwarding::{is_by_a_proxy, is_look_alike};

/// How a request comes to the gateway, and how it goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way<'a> {
    /// The client, or the proxy between it and the gateway.
    pub(crate) client: &'a Peer,
    /// Whether that is a proxy, whose word counts.
    pub(crate) is_from_proxy: bool,
    pub(crate) host: HostSent,
}

/// The host that a server is told it was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum HostSent {
    /// The address of the server.
    Server,
    /// What the client said.
    Client,
}

/// Returns whether a response is one that the client would not understand.
pub(crate) fn is_foreign<B>(response: &Response<B>) -> bool {
    let headers = response.headers();
    response.status() == StatusCode::SWITCHING_PROTOCOLS
        || is_coded(headers)
        || !has_readable_options(headers)
}

/// Returns whether somebody has passed the request on before us.
pub(crate) fn is_forwarded<B>(request: &Request<B>) -> bool {
    let mut names = request.headers().keys();
    names.any(|name| *name == header::VIA || is_by_a_proxy(name))
}

/// Returns whether `Connection` is a list of tokens.
///
/// It says which headers are not for the next server, and has to be obeyed (RFC 9110,
/// 7.6.1). Of one that cannot be read nobody knows which headers those are, so the
/// message is malformed: to pass on what was not meant for others can do harm, and
/// no client has a reason to write such a line.
pub(crate) fn has_readable_options(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::CONNECTION).iter();
    let mut options = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    options.all(|option| {
        let option = option.trim_ascii();
        option.is_empty() || is_keep_alive(option) || HeaderName::from_bytes(option).is_ok()
    })
}

/// Returns whether this is the usual option; most messages have no other.
fn is_keep_alive(option: &[u8]) -> bool {
    option.eq_ignore_ascii_case(b"keep-alive")
}

/// Makes a client's request one of the gateway's own.
///
/// What it says about whom it comes from, and by which way, is anybody's to say, and
/// links are made of it. So that goes, unless the client is a proxy that is known.
pub(crate) fn of_request<B: Body>(request: &mut Request<B>, way: Way<'_>) {
    let (body, via) = (request.body(), via(request.version()));
    let is_streamed = !body.is_end_stream() && body.size_hint().exact().is_none();
    let target = request
        .uri()
        .authority()
        .and_then(|authority| HeaderValue::try_from(authority.as_str()).ok());
    let headers = request.headers_mut();
    let of_hop = of_hop(headers);
    remove(headers, |name| {
        let is_proxys = !way.is_from_proxy && is_by_a_proxy(name);
        of_hop(name) || is_proxys || is_look_alike(name, is_gateways)
    });
    let host = headers.remove(header::HOST);
    if let Some(host) = target.or(host) {
        if let HostSent::Client = way.host {
            headers.insert(header::HOST, host.clone());
        }
        // The client of the upstream knows whom it talks to.
        headers.entry(FORWARDED_HOST).or_insert(host);
    }
    headers.entry(FORWARDED_PROTO).or_insert(HTTP);
    forwarded_for(headers, way.client);
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
    let of_hop = of_hop(headers);
    remove(headers, of_hop);
    headers.append(header::VIA, via);
}

/// Takes out of the trailers of a request what may only be in its head, or not at
/// all: some servers add trailers to the headers.
pub(crate) fn of_trailers(trailers: &mut HeaderMap) {
    remove(trailers, |name| {
        let is_known = is_gateways(name.as_str()) || is_by_a_proxy(name);
        is_known || is_look_alike(name, is_gateways)
    });
}

/// Returns a test that is true for headers that are meant for one connection only.
fn of_hop(headers: &HeaderMap) -> impl Fn(&HeaderName) -> bool + use<> {
    let named: Vec<HeaderName> = values(headers, header::CONNECTION)
        // It is among `HOP`.
        .filter(|name| !is_keep_alive(name.as_bytes()))
        .filter_map(|name| name.parse().ok())
        .filter(|name| !FOR_ALL.contains(name) && !is_by_a_proxy(name))
        .collect();
    move |name| HOP.contains(name) || named.contains(name)
}

/// Returns whether a header of this name is only the gateway's to write.
fn is_gateways(name: &str) -> bool {
    FRAMES.iter().chain(&HOP).any(|own| own == name)
}

fn remove(headers: &mut HeaderMap, is_unwanted: impl Fn(&HeaderName) -> bool) {
    let names = headers.keys().filter(|name| is_unwanted(name));
    for name in names.cloned().collect::<Vec<_>>() {
        headers.remove(name);
    }
}

/// Adds the client to those that are known.
fn forwarded_for(headers: &mut HeaderMap, client: &Peer) {
    let known: Vec<_> = values(headers, FORWARDED_FOR).collect();
    let all = match known[..] {
        [] => client.in_header.clone(),
        _ => {
            let all = format!("{}, {}", known.join(", "), client.address);
            HeaderValue::try_from(all).expect("each of them was in a header")
        }
    };
    headers.insert(FORWARDED_FOR, all);
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

/// Returns whether the body is coded otherwise than in chunks, which hyper takes off.
pub(crate) fn is_coded(headers: &HeaderMap) -> bool {
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

const CHUNKED: HeaderValue = HeaderValue::from_static("chunked");
pub(crate) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// Meant for all on the way, whatever `Connection` says.
static FOR_ALL: [HeaderName; 8] = [
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::HOST,
    header::VIA,
];
/// What says where a message goes and where it ends, beside what is in [`HOP`].
static FRAMES: [HeaderName; 3] = [header::CONTENT_LENGTH, header::HOST, header::TRAILER];
static HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    // No header at all, but CGI makes HTTP_PROXY of it, which clients obey.
    HeaderName::from_static("proxy"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
const HTTP: HeaderValue = HeaderValue::from_static("http");
