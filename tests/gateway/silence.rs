use crate::wire::{Front, Wire};

const REQUEST: &str = "GET /price HTTP/1.1\r\nHost: shop\r\n\r\n";

/// Two calls without an answer in time open the breaker of the server.
fn impatient(config: &str) -> String {
    config
        .replace("attempts = 3", "attempts = 1")
        .replace("\"2s\"", "\"1s\"")
        .replace("\"30s\"", "\"100ms\"")
        .replace("consecutive_failures = 5", "consecutive_failures = 2")
}

async fn asks(front: &Front) -> Wire {
    let mut client = front.client().await;
    client.send(REQUEST).await;
    client
}

/// Begins an answer, which keeps the connection to itself until it ends.
async fn begins_to_answer(server: &mut Wire) {
    server.head().await;
    server
        .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
}

const END: &str = "0\r\n\r\n";

#[tokio::test]
async fn r64_a_probe_uses_none_of_the_connections_that_died_in_silence() {
    let front = Front::by("silence", |config| impatient(&config)).await;
    let mut connections = Vec::new();
    for _ in 0..4 {
        let mut client = asks(&front).await;
        let mut server = front.accept().await;
        begins_to_answer(&mut server).await;
        assert!(client.head().await.starts_with("HTTP/1.1 200"));
        connections.push((client, server));
    }
    for (client, server) in &mut connections {
        server.send(END).await;
        client.read_to(END).await;
    }
    // From now on the server says nothing on these four.
    for _ in 0..2 {
        let head = asks(&front).await.head().await;
        assert!(head.starts_with("HTTP/1.1 504"), "{head}");
    }
    let (mut client, _server) = loop {
        let mut client = asks(&front).await;
        tokio::select! {
            mut server = front.accept() => {
                begins_to_answer(&mut server).await;
                break (client, server);
            }
            head = client.head() => {
                assert!(head.starts_with("HTTP/1.1 503"), "{head}");
            }
        }
    };
    assert!(client.head().await.starts_with("HTTP/1.1 200"));
}
