//! The headers by which a proxy says whom a request comes from, and what was asked.
//!
//! Servers believe them: they make links of the host, let an address or a user in, serve
//! the path that such a header names. So only a proxy that is known may say them.
//!
//! A server that hands headers on as variables (CGI, WSGI, Rack, PHP) reads
//! `X_Forwarded_For`, and some also `X.Forwarded.For`, as `X-Forwarded-For`. No proxy
//! writes its names like that, so such a look-alike is dropped whoever sends it.

use http::header::HeaderName;

/// Returns whether only a proxy may say this.
pub(crate) fn is_by_a_proxy(name: &HeaderName) -> bool {
    is_listed(name.as_str())
}

/// Returns whether servers may read this name as another one that no client may
/// say: one of a proxy, or one that is the gateway's own.
pub(crate) fn is_look_alike(name: &HeaderName, is_own: fn(&str) -> bool) -> bool {
    let name = name.as_str();
    let is_odd = |letter: char| !letter.is_ascii_alphanumeric() && letter != '-';
    if !name.contains(is_odd) {
        return false;
    }
    let read = name.replace(is_odd, "-");
    is_listed(&read) || is_own(&read)
}

fn is_listed(name: &str) -> bool {
    FAMILIES.iter().any(|family| name.starts_with(family)) || NAMES.binary_search(&name).is_ok()
}

/// How names begin of which there is no end.
const FAMILIES: [&str; 16] = [
    "cf-access-",
    "ssl-client-",
    "tailscale-user-",
    "x-accel-",
    "x-amzn-oidc-",
    "x-arr-",
    "x-auth-request-",
    "x-envoy-",
    "x-forwarded",
    "x-goog-authenticated-user-",
    "x-goog-iap-",
    "x-ms-client-principal",
    "x-ms-token-",
    "x-original-",
    "x-real-",
    "x-ssl-",
];
/// Other names, in the order of the alphabet: of the address of a client, of its user and
/// its certificate (RFC 9440 wants those dropped), of the scheme, host and path.
const NAMES: [&str; 49] = [
    "ali-cdn-real-ip",
    "cdn-src-ip",
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "cf-connecting-o2o",
    "cf-pseudo-ipv4",
    "cf-visitor",
    "client-cert",
    "client-cert-chain",
    "client-ip",
    "cloudfront-forwarded-proto",
    "cloudfront-viewer-address",
    "do-connecting-ip",
    "fastly-client-ip",
    "fastly-ssl",
    "fly-client-ip",
    "fly-forwarded-port",
    "fly-forwarded-proto",
    "forwarded",
    "forwarded-for",
    "front-end-https",
    "proxy-client-ip",
    "remote-addr",
    "remote-user",
    "true-client-ip",
    "wl-proxy-client-ip",
    "wl-proxy-ssl",
    "x-appengine-remote-addr",
    "x-appengine-user-ip",
    "x-authenticated-user",
    "x-azure-clientip",
    "x-azure-socketip",
    "x-client-cert",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-host",
    "x-nf-client-connection-ip",
    "x-originating-ip",
    "x-proxyuser-ip",
    "x-remote-addr",
    "x-remote-group",
    "x-remote-ip",
    "x-remote-user",
    "x-rewrite-url",
    "x-scheme",
    "x-sendfile-type",
    "x-url-scheme",
    "x-vercel-forwarded-for",
    "x-webauth-user",
];
