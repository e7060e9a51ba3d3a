//! How a gateway ends.

use tokio::net::TcpStream;

use crate::get;
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
    while get(&ready).await.is_ok() {}
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
