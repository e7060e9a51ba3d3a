//! Requests that a gateway does not let in, because two servers could understand
//! them differently.

use crate::frames::{self, Answer};
use crate::mirror::Mirrored;
use crate::wire::Front;

#[tokio::test]
async fn a_host_that_is_none_is_a_bad_request() {
    let gateway = Mirrored::open("host").await;
    let mut wrong = Vec::new();
    let hosts = BAD_HOSTS.map(|host| (host, 400)).into_iter();
    for (host, expected) in hosts.chain(GOOD_HOSTS.map(|host| (host, 200))) {
        let shown = String::from_utf8_lossy(host);
        for version in ["1.0", "1.1"] {
            let request = bytes(&[b"GET / HTTP/", version.as_bytes(), b"\r\nHost: ", host, END]);
            let (status, seen) = gateway.ask(request).await;
            let passed_on = seen.contains(&format!("\r\nx-forwarded-host: {shown}\r\n"));
            if status != expected || passed_on != (expected == 200) {
                wrong.push(format!("{status} for {shown:?} by HTTP/{version}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a_target_with_a_host_that_is_none_is_a_bad_request() {
    let gateway = Mirrored::open("target-host").await;
    let mut wrong = Vec::new();
    // In a URL these are the beginning of something else, which may well be there.
    let is_ended = |host: &&[u8]| host.iter().any(|byte| b"/?#".contains(byte));
    let bad = BAD_HOSTS.into_iter().filter(|host| !is_ended(host));
    let bad = bad.map(|host| (host, 400));
    let good = [&b"shop"[..], b"shop:80", b"127.0.0.1:80", b"[::1]:80"];
    for (host, expected) in bad.chain(good.map(|host| (host, 200))) {
        let shown = String::from_utf8_lossy(host);
        let request = bytes(&[b"GET http://", host, b"/ HTTP/1.1\r\nHost: other", END]);
        let (status, seen) = gateway.ask(request).await;
        if status != expected {
            wrong.push(format!("{status} for {shown:?} in the target"));
        }
        assert!(!seen.contains("other"), "the target overrules it: {seen}");

        let is_understood = match by_http_2(&gateway, &[(":authority", host)]).await {
            Answer::Reset => false,
            Answer::Status(status) => status != 400,
        };
        if is_understood != (expected == 200) {
            wrong.push(format!("{shown:?} by HTTP/2"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a_request_by_http_2_for_two_hosts_or_none_is_a_bad_request() {
    let gateway = Mirrored::open("two-hosts").await;
    for (headers, expected) in [
        (&[(":authority", &b"shop"[..]), ("host", b"shop")][..], 200),
        (&[(":authority", b"shop"), ("host", b"SHOP")], 200),
        (&[("host", b"shop")], 200),
        (&[(":authority", b"shop"), ("host", b"other")], 400),
        (&[(":authority", b"shop"), ("host", b"a b")], 400),
        (&[("host", b"a@b")], 400),
        (&[], 400),
        (&[("host", b"a"), ("host", b"a")], 400),
    ] {
        let answer = by_http_2(&gateway, headers).await;
        assert_eq!(answer, Answer::Status(expected), "{headers:?}");
    }
}

#[tokio::test]
async fn a_target_of_another_form_than_its_method_takes_is_a_bad_request() {
    let gateway = Mirrored::open("form").await;
    let mut wrong = Vec::new();
    for (line, expected) in [
        ("GET / HTTP/1.1", 200),
        ("GET http://shop HTTP/1.1", 200),
        ("GET http://shop/x HTTP/1.1", 200),
        ("GET https://shop/x HTTP/1.1", 200),
        // The gateway itself, and none of its servers.
        ("OPTIONS * HTTP/1.1", 204),
        ("CONNECT shop:443 HTTP/1.1", 501),
        ("GET evil.example HTTP/1.1", 400),
        ("GET evil.example:80 HTTP/1.1", 400),
        ("GET admin HTTP/1.1", 400),
        ("HEAD evil.example HTTP/1.1", 400),
        ("OPTIONS evil.example HTTP/1.1", 400),
        ("POST evil.example HTTP/1.1", 400),
        ("GET * HTTP/1.1", 400),
        ("POST * HTTP/1.1", 400),
        ("GET *x HTTP/1.1", 400),
        ("GET ?x HTTP/1.1", 400),
        ("GET ftp://shop/ HTTP/1.1", 400),
        ("GET file:///etc/passwd HTTP/1.1", 400),
        ("GET http:///x HTTP/1.1", 400),
        ("GET http://user@shop/ HTTP/1.1", 400),
        ("GET http://user:word@shop/ HTTP/1.1", 400),
        ("GET /a b HTTP/1.1", 400),
        ("GET  / HTTP/1.1", 400),
        ("GET HTTP/1.1", 400),
    ] {
        let (status, _) = gateway.ask(format!("{line}\r\nHost: shop\r\n\r\n")).await;
        if status != expected {
            wrong.push(format!("{status} instead of {expected} for {line}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a_connection_that_is_no_list_of_tokens_is_a_bad_request() {
    let gateway = Mirrored::open("connection").await;
    let mut wrong = Vec::new();
    for (lines, expected) in [
        (&b"Connection: x-secret"[..], 200),
        (b"Connection: keep-alive, X-Secret", 200),
        (b"Connection: ,, x-secret\t,", 200),
        (b"Connection: keep-alive\r\nConnection: x-secret", 200),
        (b"Connection: x-secret, \xff", 400),
        (b"Connection: \xff, x-secret", 400),
        (b"Connection: x-secret\r\nConnection: \xff", 400),
        (b"Connection: keep-alive, \xc3\xb6", 400),
        (b"Connection: keep-alive x-secret", 400),
        (b"Connection: \"x-secret\"", 400),
        (b"Connection: x-secret; q=1", 400),
        (b"Connection: x-secret=1", 400),
        (b"Connection: (x-secret)", 400),
        (b"Connection: x-secret, @", 400),
    ] {
        let shown = String::from_utf8_lossy(lines);
        let request = bytes(&[
            b"GET / HTTP/1.1\r\nHost: shop\r\nX-Secret: 1\r\n",
            lines,
            END,
        ]);
        let (status, seen) = gateway.ask(request).await;
        if status != expected || seen.contains("secret") {
            wrong.push(format!("{status} for {shown:?}: {seen}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a_response_whose_connection_cannot_be_read_is_a_bad_gateway() {
    for (line, expected) in [
        (&b"Connection: x-secret"[..], "HTTP/1.1 204 "),
        (b"Connection: x-secret, \xff", "HTTP/1.1 502 "),
        (b"Connection: x-secret; q=1", "HTTP/1.1 502 "),
    ] {
        let front = Front::open("unreadable").await;
        let response = bytes(&[b"HTTP/1.1 204 No Content\r\nX-Secret: 1\r\n", line, END]);
        let request = "GET / HTTP/1.1\r\nHost: shop\r\n\r\n";
        let seen = front.hands_back(request, response).await;
        let line = String::from_utf8_lossy(line);
        assert!(seen.starts_with(expected), "{seen} for {line}");
        assert!(!seen.contains("secret"), "{seen} for {line}");
    }
}

async fn by_http_2(gateway: &Mirrored, headers: &[(&str, &[u8])]) -> Answer {
    let common = [
        (":method", &b"GET"[..]),
        (":scheme", b"http"),
        (":path", b"/"),
    ];
    // Those that begin with a colon have to come first.
    let (first, rest): (Vec<_>, Vec<_>) = headers
        .iter()
        .partition(|(name, _value)| name.starts_with(':'));
    let all = [&common[..], &first, &rest].concat();
    frames::ask(&mut gateway.client().await, &all).await
}

fn bytes(pieces: &[&[u8]]) -> Vec<u8> {
    pieces.concat()
}

const BAD_HOSTS: [&[u8]; 46] = [
    b"",
    b":80",
    b"sh op",
    b"sh\top",
    b"shop other",
    b"shop, other",
    b"\"shop\"",
    b"shop\"",
    b"<shop>",
    b"{shop}",
    b"shop|other",
    b"shop^",
    b"shop`",
    b"sh[op",
    b"shop]",
    b"[shop]",
    b"[]",
    b"[::1",
    b"::1]",
    b"::1",
    b"[::1]x",
    b"x[::1]",
    b"[::1]80",
    b"[::1]:x",
    b"[::1%25eth0]",
    b"[::1][::1]",
    b"[192.0.2.1]",
    b"shop/",
    b"shop/admin",
    b"http://shop",
    b"shop\\admin",
    b"user@shop",
    b"@shop",
    b"shop@",
    b"shop?x",
    b"shop#x",
    b"shop:80a",
    b"shop:-1",
    b"shop:+1",
    b"shop:65536",
    b"shop:80:80",
    b"shop%",
    b"shop%4",
    b"shop%zz",
    b"sh\xc3\xb6p",
    b"shop\xff",
];
const END: &[u8] = b"\r\n\r\n";
const GOOD_HOSTS: [&[u8]; 13] = [
    b"shop",
    b"SHOP.example.",
    b"xn--shp-sna.example",
    b"shop_1-2~3",
    b"shop:80",
    b"shop:65535",
    b"shop:",
    b"192.0.2.1",
    b"192.0.2.1:8080",
    b"[::1]",
    b"[2001:DB8::1]:8080",
    b"[::ffff:192.0.2.1]",
    b"shop%20!$&'()*+,;=",
];
