//! What only a proxy may say, and names that a server may take for its.

use crate::mirror::Mirrored;

#[tokio::test]
async fn what_only_a_proxy_may_say_is_dropped_from_a_client_in_any_spelling() {
    let gateway = Mirrored::open("forged").await;
    let mut passed_on = Vec::new();
    for name in BY_A_PROXY.iter().chain(&FRAMES) {
        let is_framing = FRAMES.contains(name);
        for said in spellings(name) {
            // As it is, this one means something to the gateway.
            if is_framing && said.contains('-') {
                continue;
            }
            let seen = gateway.ask(get(&said)).await.1;
            if seen.contains("forged") || !seen.contains("GET / HTTP/1.1") {
                passed_on.push(said);
            }
        }
    }
    assert!(passed_on.is_empty(), "{passed_on:#?}");
}

#[tokio::test]
async fn what_a_proxy_says_is_passed_on_but_for_what_no_proxy_writes() {
    let gateway = Mirrored::changed("said", |text| format!("behind_proxy = true\n{text}")).await;
    let mut wrong = Vec::new();
    for name in BY_A_PROXY {
        for said in spellings(name) {
            let seen = gateway.ask(get(&said)).await.1;
            let is_as_written = said.eq_ignore_ascii_case(name);
            if seen.contains("forged") != is_as_written {
                wrong.push(said);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn other_names_are_passed_on_however_they_are_written() {
    let gateway = Mirrored::open("others").await;
    for name in [
        "Accept_Language",
        "Authorization",
        "Client-Id",
        "Origin",
        "Referer",
        "X.Custom",
        "X-Api-Key",
        "X-Forward",
        "X-Http-Method-Override",
        "X-Request-Id",
        "X-Requested-With",
        "X_Custom_Header",
    ] {
        let seen = gateway.ask(get(name)).await.1;
        let line = format!("\r\n{}: forged\r\n", name.to_lowercase());
        assert!(seen.contains(&line), "{line} in {seen}");
    }
}

#[tokio::test]
async fn a_proxy_variable_of_cgi_is_not_for_clients_to_set() {
    for line in ["", "behind_proxy = true\n"] {
        let gateway = Mirrored::changed("httpoxy", |text| format!("{line}{text}")).await;
        let seen = gateway.ask(get("Proxy")).await.1;
        assert!(!seen.contains("forged"), "{seen}");
    }
}

#[tokio::test]
async fn what_may_not_be_in_a_head_is_not_in_the_trailers_either() {
    let front = crate::wire::Front::open("trailers").await;
    let mut client = front.client().await;
    let trailers = [
        "Content-Length",
        "Host",
        "X_Forwarded_For",
        "X-Forwarded-For",
        "X-Real-IP",
        "X-Sum",
    ];
    let lines = trailers.map(|name| format!("{name}: forged\r\n")).concat();
    let names = trailers.join(", ");
    client
        .send(format!(
            "POST / HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\
             Trailer: {names}\r\n\r\n0\r\n{lines}\r\n"
        ))
        .await;
    let mut server = front.accept().await;
    server.head().await;
    let seen = server.read_to("\r\n\r\n").await;
    assert_eq!(seen, "0\r\nx-sum: forged\r\n\r\n");
}

#[tokio::test]
async fn the_pools_are_shown_to_nobody_whom_a_proxy_speaks_for() {
    let gateway = Mirrored::open("spoken-for").await;
    for (line, expected) in [
        ("", 200),
        ("X-Request-Id: 1\r\n", 200),
        ("X-Real-IP: 192.0.2.1\r\n", 404),
        ("X-Forwarded-Proto: https\r\n", 404),
        ("True-Client-IP: 192.0.2.1\r\n", 404),
    ] {
        let request = format!("GET /.gateway/pools HTTP/1.1\r\nHost: shop\r\n{line}\r\n");
        assert_eq!(gateway.ask(request).await.0, expected, "{line}");
    }
}

#[tokio::test]
async fn a_pool_may_have_the_host_that_its_clients_ask_for() {
    for (line, is_kept) in [
        ("", false),
        ("preserve_host = false", false),
        ("preserve_host = true", true),
    ] {
        let change = |text: String| text.replace("attempts = 3", &format!("attempts = 3\n{line}"));
        let gateway = Mirrored::changed("preserve-host", change).await;
        for (request, host) in [
            (
                "GET / HTTP/1.1\r\nHost: shop.example:81\r\n\r\n",
                "shop.example:81",
            ),
            (
                "GET http://a.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n",
                "a.example",
            ),
            ("GET / HTTP/1.0\r\nHost: old.example\r\n\r\n", "old.example"),
        ] {
            let seen = gateway.ask(request).await.1;
            let has_line = |line: String| seen.lines().any(|it| it == line);
            assert_eq!(has_line(format!("host: {host}")), is_kept, "{line}: {seen}");
            assert!(has_line(format!("x-forwarded-host: {host}")), "{seen}");
            assert_eq!(seen.matches("\r\nhost: ").count(), 1, "{seen}");
        }
        // Without one, the server still gets one.
        let seen = gateway.ask("GET / HTTP/1.0\r\n\r\n").await.1;
        assert_eq!(seen.matches("\r\nhost: 127.0.0.1:").count(), 1, "{seen}");
    }
}

fn get(name: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: shop\r\n{name}: forged\r\n\r\n")
}

/// A name as servers that make variables of names may read it.
fn spellings(name: &str) -> impl Iterator<Item = String> {
    let mixed = name.replacen('-', "_", 1);
    let all = [
        name.to_owned(),
        name.to_uppercase(),
        name.replace('-', "_"),
        name.to_uppercase().replace('-', "_"),
        name.replace('-', "."),
        mixed,
    ];
    // Some names have no dash at all.
    let all: std::collections::BTreeSet<_> = all.into_iter().collect();
    all.into_iter()
}

const BY_A_PROXY: [&str; 72] = [
    "Ali-Cdn-Real-Ip",
    "Cdn-Src-Ip",
    "CF-Access-Authenticated-User-Email",
    "CF-Connecting-IP",
    "CF-Connecting-IPv6",
    "CF-Visitor",
    "Client-Cert",
    "Client-Cert-Chain",
    "Client-IP",
    "CloudFront-Forwarded-Proto",
    "CloudFront-Viewer-Address",
    "DO-Connecting-IP",
    "Fastly-Client-IP",
    "Fastly-SSL",
    "Fly-Client-IP",
    "Forwarded",
    "Forwarded-For",
    "Front-End-Https",
    "Proxy-Client-IP",
    "Remote-Addr",
    "Remote-User",
    "SSL-Client-Verify",
    "Tailscale-User-Login",
    "True-Client-IP",
    "WL-Proxy-Client-IP",
    "X-Accel-Mapping",
    "X-Amzn-Oidc-Identity",
    "X-AppEngine-User-IP",
    "X-ARR-ClientCert",
    "X-Auth-Request-User",
    "X-Authenticated-User",
    "X-Azure-ClientIP",
    "X-Client-Cert",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "X-Envoy-External-Address",
    "X-Envoy-Original-Path",
    "X-Forwarded",
    "X-Forwarded-By",
    "X-Forwarded-Client-Cert",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Scheme",
    "X-Forwarded-Server",
    "X-Forwarded-Ssl",
    "X-Forwarded-Uri",
    "X-Forwarded-User",
    "X-Goog-Authenticated-User-Email",
    "X-Goog-IAP-JWT-Assertion",
    "X-Host",
    "X-MS-Client-Principal",
    "X-MS-Client-Principal-Name",
    "X-MS-Token-AAD-Id-Token",
    "X-Original-Host",
    "X-Original-Method",
    "X-Original-Uri",
    "X-Original-URL",
    "X-Originating-IP",
    "X-ProxyUser-Ip",
    "X-Real-IP",
    "X-Real-Port",
    "X-Remote-Addr",
    "X-Remote-Group",
    "X-Remote-IP",
    "X-Remote-User",
    "X-Rewrite-URL",
    "X-Scheme",
    "X-Sendfile-Type",
    "X-SSL-Client-Cert",
    "X-Url-Scheme",
    "X-Vercel-Forwarded-For",
    "X-WebAuth-User",
];
/// What frames a message, and what says what is for one connection only.
const FRAMES: [&str; 5] = [
    "Content-Length",
    "Keep-Alive",
    "Proxy-Authorization",
    "Proxy-Connection",
    "Transfer-Encoding",
];
