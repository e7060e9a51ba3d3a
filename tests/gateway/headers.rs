//! What a gateway passes on, and what not.

use crate::file::{File, config};
use crate::process::{Process, within};
use crate::wire::{Front, Wire};

#[tokio::test]
async fn a_request_is_passed_on_as_one_of_the_gateways_own() {
    let front = Front::open("request").await;
    let seen = front
        .passes_on(
            "GET http://shop.example/x?y=1 HTTP/1.1\r\nHost: other.example\r\n\
             Forwarded: host=forged.example\r\nX-Forwarded-For: 192.0.2.1\r\n\
             X-Forwarded-Host: forged.example\r\nX-Forwarded-Host: forged.example\r\n\
             X-Forwarded-Port: 1\r\nX-Forwarded-Proto: https\r\n\
             Connection: x-secret, host, content-type, x-forwarded-for\r\n\
             Content-Type: text/plain\r\nX-Secret: 1\r\nProxy-Connection: keep-alive\r\n\
             TE: trailers\r\nTrailer: x-sum\r\nVia: 1.0 other\r\n\r\n",
        )
        .await;
    let host = format!("host: {}", front.server());
    for line in [
        "GET /x?y=1 HTTP/1.1",
        "content-type: text/plain",
        &host,
        "trailer: x-sum",
        "via: 1.0 other",
        "via: 1.1 gateway",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-host: shop.example",
        "x-forwarded-proto: http",
    ] {
        assert!(seen.lines().any(|it| it == line), "{line:?} in {seen}");
    }
    for absent in [
        "\nconnection:",
        "\nproxy-connection:",
        "\nte:",
        "\nx-secret:",
        "forged.example",
        "x-forwarded-port",
        "x-forwarded-proto: https",
    ] {
        assert!(!seen.contains(absent), "{absent:?} in {seen}");
    }
}

#[tokio::test]
async fn what_a_proxy_in_front_says_of_its_client_is_passed_on() {
    let front = Front::behind_proxy("proxy").await;
    let seen = front
        .passes_on(
            "GET / HTTP/1.1\r\nHost: gateway.internal\r\nForwarded: proto=https\r\n\
             X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.2, 192.0.2.3\r\n\
             X-Forwarded-Host: shop.example\r\nX-Forwarded-Proto: https\r\n\
             Connection: x-forwarded-proto\r\n\r\n",
        )
        .await;
    for line in [
        "forwarded: proto=https",
        "x-forwarded-for: 192.0.2.1, 192.0.2.2, 192.0.2.3, 127.0.0.1",
        "x-forwarded-host: shop.example",
        "x-forwarded-proto: https",
    ] {
        assert!(seen.lines().any(|it| it == line), "{line:?} in {seen}");
    }
    let pools = "GET /.gateway/pools HTTP/1.1\r\nHost: shop\r\n\r\n";
    assert_eq!(front.refuses(pools).await, "HTTP/1.1 404 Not Found");
}

#[tokio::test]
async fn a_request_by_http_2_is_passed_on_by_http_1_with_its_authority() {
    let front = Front::open("http-2").await;
    let client = reqwest::Client::builder()
        .no_proxy()
        .http2_prior_knowledge();
    let request = client.build().unwrap().get(front.gateway.url("/"));
    let request = request.header("cookie", "a=1").header("cookie", "b=2; c=3");
    let request = tokio::spawn(request.send());
    let mut server = front.accept().await;
    let seen = server.head().await;
    server.send("HTTP/1.1 204 No Content\r\n\r\n").await;
    let response = within("an answer", request).await.unwrap().unwrap();
    assert_eq!(response.version(), reqwest::Version::HTTP_2);
    let host = format!("x-forwarded-host: {}", front.gateway.address);
    for line in [
        "GET / HTTP/1.1",
        // HTTP/2 may have them apart.
        "cookie: a=1; b=2; c=3",
        "via: 2.0 gateway",
        &host,
    ] {
        assert!(seen.lines().any(|it| it == line), "{line:?} in {seen}");
    }
}

#[tokio::test]
async fn the_body_of_a_get_in_chunks_is_passed_on() {
    let front = Front::open("chunks").await;
    let mut client = front.client().await;
    let body = "3\r\nabc\r\n0\r\n\r\n";
    let head = "GET / HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n";
    client.send(&format!("{head}{body}")).await;
    let mut server = front.accept().await;
    let seen = server.head().await;
    assert!(seen.contains("\ntransfer-encoding: chunked\r"), "{seen}");
    assert_eq!(server.read_to("0\r\n\r\n").await, body);
}

#[tokio::test]
async fn what_can_be_understood_in_two_ways_is_refused() {
    let front = Front::open("refused").await;
    for (request, status) in [
        ("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", "501"),
        ("GET / HTTP/1.1\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "501",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\
             Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "501",
        ),
    ] {
        let answer = front.refuses(request).await;
        assert!(answer.contains(status), "{answer} to {request}");
    }
}

#[tokio::test]
async fn a_response_is_handed_back_as_one_of_the_gateways_own() {
    let front = Front::open("response").await;
    let seen = front
        .hands_back(
            GET,
            "HTTP/1.0 200 OK\r\nConnection: x-hop\r\nX-Hop: 1\r\nContent-Length: 2\r\n\r\nok",
        )
        .await;
    assert!(seen.starts_with("HTTP/1.1 200 OK\r\n"), "{seen}");
    assert!(seen.contains("\nvia: 1.0 gateway\r"), "{seen}");
    assert!(seen.contains("\ncontent-length: 2\r"), "{seen}");
    assert!(!seen.contains("x-hop"), "{seen}");

    let overruled = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n\
                     2\r\nok\r\n0\r\n\r\n";
    let seen = front.hands_back(GET, overruled).await;
    assert!(seen.contains("\ntransfer-encoding: chunked\r"), "{seen}");
    assert!(!seen.contains("content-length"), "{seen}");
}

#[tokio::test]
async fn a_response_that_no_client_could_read_is_a_bad_gateway() {
    for response in [
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ] {
        let front = Front::open("foreign").await;
        let seen = front.hands_back(GET, response).await;
        assert!(seen.starts_with("HTTP/1.1 502 "), "{seen} for {response}");
    }
}

#[tokio::test]
async fn head_has_the_length_that_the_server_says_or_none() {
    let front = Front::open("head").await;
    for (line, expected) in [("", None), ("Content-Length: 7\r\n", Some("7"))] {
        let response = format!("HTTP/1.1 200 OK\r\n{line}\r\n");
        let request = "HEAD / HTTP/1.1\r\nHost: shop\r\n\r\n";
        let seen = front.hands_back(request, &response).await;
        let lengths = seen
            .lines()
            .filter_map(|line| line.strip_prefix("content-length: "));
        assert!(lengths.eq(expected), "{seen}");
    }
}

#[tokio::test]
async fn bodies_are_streamed_both_ways() {
    let upstream = Process::upstream("north").await;
    let file = File::new("streams", &config(&[upstream.address]));
    let gateway = Process::start(&[file.path()]).await;
    let mut client = Wire::to(gateway.address).await;
    let head = "POST /echo HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n";
    client.send(head).await;
    // More than is kept for another attempt, or gathered of a response.
    let half = "#".repeat(500_000);
    let chunk = format!("{:x}\r\n{half}\r\n", half.len());
    client.exchange(&chunk, b'#', half.len()).await;
    client.exchange(&chunk, b'#', half.len()).await;
    client.send("0\r\n\r\n").await;
    client.read_to("0\r\n\r\n").await;
}

const GET: &str = "GET / HTTP/1.1\r\nHost: shop\r\n\r\n";
