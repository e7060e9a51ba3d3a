//! How a gateway ends.

use tokio::net::TcpStream;

use crate::get;
use crate::process::within;
use crate::wire::Front;

#[tokio::test]
async fn a_signal_lets_requests_under_way_end_and_nobody_new_in() {
    let mut front = Front::open("drain").await;
    let ready = front.gateway.url("/.gateway/ready");
    assert_eq!(get(&ready).await.as_deref(), Ok(""));
    let mut idle = front.client().await;
    idle.send("GET /.gateway/ready HTTP/1.1\r\nHost: shop\r\n\r\n")
        .await;
    idle.head().await;
    let mut client = front.client().await;
    client.send("GET / HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    let mut server = front.accept().await;
    server.head().await;

    front.gateway.signal("-TERM").await;
    // It serves on for a while, so that load balancers can notice.
    let unready = async { while get(&ready).await.is_ok() {} };
    within("the drain", unready).await;
    assert_eq!(get(&ready).await.unwrap_err(), "503 Service Unavailable ");
    // Then connections that wait for a request are the first to go.
    idle.ended().await;
    let refused = TcpStream::connect(front.gateway.address).await;
    assert!(refused.is_err(), "{refused:?}");

    server
        .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .await;
    let answer = client.read_to("ok").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    client.ended().await;
    assert_eq!(front.gateway.ended().await, Some(0));
    let said = front.gateway.says().await;
    assert!(said.contains("stopped after SIGTERM"), "{said}");
}

#[tokio::test]
async fn a_pool_of_a_reload_ends_after_the_last_request_is_answered() {
    let mut front = Front::open("drain-reload").await;
    let text = front.file.read().replace("shop", "till");
    front
        .file
        .write(&text.replace("consecutive_failures = 5", "consecutive_failures = 1"));
    front.gateway.signal("-HUP").await;
    let said = front.gateway.says().await;
    assert!(said.starts_with("reloaded "), "{said}");
    let (mut client, mut idle) = (front.client().await, front.client().await);
    client.send("GET / HTTP/1.1\r\nHost: till\r\n\r\n").await;
    let mut server = front.accept().await;
    server.head().await;

    front.gateway.signal("-TERM").await;
    // Connections without a request are the first to go.
    idle.ended().await;
    // The breaker opens as ever, so this is not sent again.
    let failed = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";
    server.send(failed).await;
    let answer = client.head().await;
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    assert_eq!(front.gateway.ended().await, Some(0));
}
