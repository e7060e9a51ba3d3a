//! What a proxy must not pass on (RFC 9110, 7.6.1), and what it adds.

use std::net::IpAddr;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Version};

/// Makes a client's request one of the gateway's own.
pub(crate) fn of_request<B>(request: &mut Request<B>, client: IpAddr) {
    let client = Some(client.to_string());
    let headers = request.headers_mut();
    of_hop(headers);
    // The client of the upstream knows whom it talks to.
    let host = headers.remove(header::HOST);
    if let Some(client) = client {
        let known = headers
            .get(FORWARDED_FOR)
            .and_then(|value| value.to_str().ok());
        let all = known.map_or(client.clone(), |known| format!("{known}, {client}"));
        if let Ok(all) = HeaderValue::try_from(all) {
            headers.insert(FORWARDED_FOR, all);
        }
    }
    if let Some(host) = host {
        headers.entry(FORWARDED_HOST).or_insert(host);
    }
    *request.version_mut() = Version::HTTP_11;
}

/// Takes out what is meant for one connection only.
pub(crate) fn of_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP) {
        headers.remove(name);
    }
}

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
