use crate::wire::{Front, Wire};

const GET: &str = "GET /price HTTP/1.1\r\nHost: shop\r\n\r\n";
/// It may be sent once only.
const POST: &str = "POST /orders HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\n\r\n";
const EMPTY: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// The server answers a request that comes on this connection.
async fn answers(client: &mut Wire, server: &mut Wire) {
    client.send(GET).await;
    server.head().await;
    server.send(EMPTY).await;
    assert!(client.head().await.starts_with("HTTP/1.1 204"));
}

#[tokio::test]
async fn a_client_s_requests_follow_one_another_on_one_connection_to_the_server() {
    let front = Front::open("one-connection").await;
    let mut client = front.client().await;
    client.send(GET).await;
    let mut server = front.accept().await;
    server.head().await;
    server.send(EMPTY).await;
    client.head().await;
    for _ in 0..3 {
        answers(&mut client, &mut server).await;
    }
}

#[tokio::test]
async fn a_connection_that_is_in_use_is_nobody_else_s() {
    let front = Front::open("in-use").await;
    let (mut one, mut other) = (front.client().await, front.client().await);
    one.send(GET).await;
    let mut to_one = front.accept().await;
    to_one.head().await;
    // Its answer has begun, and is far from its end.
    to_one
        .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    one.head().await;
    other.send(GET).await;
    let mut to_other = front.accept().await;
    to_other.head().await;
    to_other.send(EMPTY).await;
    other.head().await;
    to_one.send("2\r\nok\r\n0\r\n\r\n").await;
    one.read_to("0\r\n\r\n").await;
    answers(&mut other, &mut to_other).await;
}

#[tokio::test]
async fn a_connection_that_its_server_has_ended_is_not_used_for_what_may_be_sent_once_only() {
    let front = Front::open("ended-by-server").await;
    let mut client = front.client().await;
    client.send(GET).await;
    let mut server = front.accept().await;
    server.head().await;
    server.send(EMPTY).await;
    client.head().await;
    server.hang_up().await;
    // The gateway knows.
    server.ended().await;
    client.send(POST).await;
    let mut server = front.accept().await;
    assert!(server.head().await.starts_with("POST /orders"));
    server.send(EMPTY).await;
    assert!(client.head().await.starts_with("HTTP/1.1 204"));
}

#[tokio::test]
async fn a_connection_that_nobody_needs_ends() {
    let front = Front::open("idle").await;
    let mut client = front.client().await;
    client.send(GET).await;
    let mut server = front.accept().await;
    server.head().await;
    server.send(EMPTY).await;
    client.head().await;
    server.ended().await;
}

#[tokio::test]
async fn a_connection_whose_answer_nobody_reads_to_its_end_is_not_used_again() {
    let front = Front::open("broken-off").await;
    let mut client = front.client().await;
    client.send(GET).await;
    let mut server = front.accept().await;
    server.head().await;
    server
        .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
        .await;
    client.read_to("ok\r\n").await;
    drop(client);
    server.discard().await;
    let mut client = front.client().await;
    client.send(GET).await;
    let mut server = front.accept().await;
    server.head().await;
    server.send(EMPTY).await;
    assert!(client.head().await.starts_with("HTTP/1.1 204"));
}
