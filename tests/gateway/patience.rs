//! These clients keep the gateway waiting: between two requests, in the middle of one,
//! and while they should read. Each loses its connection in time.

use reqwest::StatusCode;

use crate::frames;
use crate::mirror::Mirrored;
use crate::process::within;
use crate::wire::{Front, Wire};

#[tokio::test]
async fn clients_that_ask_for_nothing_are_hung_up_on() {
    let gateway = Mirrored::changed("idle", |text| {
        format!("limits = {{ head_timeout = \"100ms\" }}\n{text}")
    })
    .await;
    let mut clients = Vec::new();
    for requests in 0..3 {
        let mut one = gateway.client().await;
        for _ in 0..requests {
            one.send(GET).await;
            assert_eq!(one.answer().await.0, 200);
        }
        clients.push(one);
        let mut two = gateway.client().await;
        frames::connect(&mut two).await;
        for nth in 0..requests {
            frames::request(&mut two, 2 * nth + 1, HEADERS).await;
            assert_eq!(frames::answer(&mut two).await, frames::Answer::Status(200));
        }
        clients.push(two);
    }
    for mut client in clients {
        client.discard().await;
    }
}

#[tokio::test]
async fn a_client_waits_for_its_answer_as_long_as_it_takes() {
    let limits = "limits = { head_timeout = \"50ms\", send_timeout = \"50ms\" }";
    let front = Front::with("slow-answer", limits).await;
    let mut one = front.client().await;
    one.send(GET).await;
    let mut server_of_one = front.accept().await;
    server_of_one.head().await;
    let mut two = front.client().await;
    frames::connect(&mut two).await;
    frames::request(&mut two, 1, HEADERS).await;
    let mut server_of_two = front.accept().await;
    server_of_two.head().await;
    // Others come and go meanwhile.
    for _ in 0..10 {
        front.client().await.ended().await;
    }
    for server in [&mut server_of_one, &mut server_of_two] {
        server.send("HTTP/1.1 204 No Content\r\n\r\n").await;
    }
    assert_eq!(one.answer().await.0, 204);
    assert_eq!(frames::answer(&mut two).await, frames::Answer::Status(204));
}

#[tokio::test]
async fn a_client_that_stops_reading_is_hung_up_on_and_its_server_is_free() {
    let front = Front::with("no-reader", "limits = { send_timeout = \"100ms\" }").await;
    for version in [1, 2] {
        let mut client = front.client().await;
        match version {
            1 => client.send(GET).await,
            _ => {
                frames::connect(&mut client).await;
                frames::request(&mut client, 1, HEADERS).await;
            }
        }
        let mut server = front.accept().await;
        server.head().await;
        server.send("HTTP/1.1 200 OK\r\n\r\n").await;
        server.send_until_refused().await;
        client.discard().await;
    }
}

#[tokio::test]
async fn one_client_of_http2_has_no_more_requests_than_there_may_be() {
    let front = Front::with("streams", "limits = { connections = 2 }").await;
    let client = reqwest::Client::builder().no_proxy();
    let client = client.http2_prior_knowledge().build().unwrap();
    let get = |path: &str| {
        let request = client.get(front.gateway.url(path)).send();
        async { within("an answer", request).await.unwrap() }
    };
    let first = [tokio::spawn(get("/")), tokio::spawn(get("/"))];
    let mut servers = Vec::new();
    for _ in &first {
        let mut server: Wire = front.accept().await;
        server.head().await;
        servers.push(server);
    }
    let one_too_many = get("/").await;
    assert_eq!(one_too_many.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(one_too_many.headers()["retry-after"], "1");
    assert_eq!(get("/.gateway/ready").await.status(), StatusCode::OK);
    for mut server in servers {
        server.send("HTTP/1.1 204 No Content\r\n\r\n").await;
    }
    for answer in first {
        assert_eq!(answer.await.unwrap().status(), StatusCode::NO_CONTENT);
    }
    let mut again = front.client().await;
    again.send(GET).await;
    let mut server = front.accept().await;
    server.head().await;
}

const GET: &str = "GET / HTTP/1.1\r\nHost: shop\r\n\r\n";

const HEADERS: &[(&str, &[u8])] = &[
    (":method", b"GET"),
    (":scheme", b"http"),
    (":authority", b"shop"),
    (":path", b"/"),
];
