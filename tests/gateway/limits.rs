//! What clients may take of a gateway, and what becomes of those who want more.

use reqwest::StatusCode;

use crate::get;
use crate::mirror::Mirrored;
use crate::process::within;
use crate::wire::Front;

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let line = "limits = { head_bytes = 8192 }\n";
    let gateway = Mirrored::changed("head-size", |text| format!("{line}{text}")).await;
    for (bytes, expected) in [(7_000, 200), (9_000, 431)] {
        let long = "x".repeat(bytes);
        let request = format!("GET / HTTP/1.1\r\nHost: shop\r\nX-Long: {long}\r\n\r\n");
        assert_eq!(
            gateway.ask(request).await.0,
            expected,
            "{bytes} in a header"
        );
        let request = format!("GET /{long} HTTP/1.1\r\nHost: shop\r\n\r\n");
        assert_eq!(gateway.ask(request).await.0, expected, "{bytes} in a path");
    }
    let client = reqwest::Client::builder()
        .no_proxy()
        .http2_prior_knowledge();
    let client = client.build().unwrap();
    for (bytes, expected) in [(7_000, 200), (9_000, 431)] {
        let request = client.get(gateway.gateway.url("/"));
        let request = request.header("x-long", "x".repeat(bytes)).send();
        let answer = within("an answer", request).await.unwrap();
        assert_eq!(answer.status(), expected, "{bytes} by HTTP/2");
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_and_is_nobodys_failure() {
    let front = Front::with("body-size", "limits = { body_bytes = 10 }").await;
    let head = "POST / HTTP/1.1\r\nHost: shop\r\n";
    // A client that says so beforehand does not reach a server.
    let known = format!("{head}Content-Length: 11\r\n\r\n");
    assert_eq!(front.refuses(known).await, TOO_LARGE);
    let waits = format!("{head}Content-Length: 11\r\nExpect: 100-continue\r\n\r\n");
    let mut client = front.client().await;
    client.send(waits).await;
    // It is not told to go on.
    let answer = client.head().await;
    assert!(answer.starts_with(TOO_LARGE), "{answer}");
    client.ended().await;

    for body in ["b\r\n12345678901\r\n", "5\r\n12345\r\n6\r\n678901\r\n"] {
        // More often than the breaker takes.
        for _ in 0..10 {
            let mut client = front.client().await;
            let head = format!("{head}Transfer-Encoding: chunked\r\n\r\n");
            client.send(format!("{head}{body}")).await;
            let _server = front.accept().await;
            let answer = client.head().await;
            assert!(answer.starts_with(TOO_LARGE), "{answer}");
        }
    }
    let pools = get(&front.gateway.url("/.gateway/pools")).await.unwrap();
    assert!(pools.contains("  available"), "{pools}");

    for lines in [
        "Content-Length: 10\r\n\r\n1234567890",
        "Transfer-Encoding: chunked\r\n\r\na\r\n1234567890\r\n0\r\n\r\n",
    ] {
        let seen = front.passes_on(format!("{head}{lines}")).await;
        assert!(seen.starts_with("POST / HTTP/1.1\r\n"), "{seen}");
    }
}

#[tokio::test]
async fn a_client_that_goes_on_sending_reads_why_it_was_refused() {
    let gateway = Mirrored::changed("lingering", |text| {
        format!("limits = {{ body_bytes = 10 }}\n{text}")
    })
    .await;
    let body = "x".repeat(8_000_000);
    for (line, status) in [
        ("POST / HTTP/1.1\r\nHost: shop", 413),
        ("POST / HTTP/1.1\r\nHost: a b", 400),
        ("POST /a%2fb HTTP/1.1\r\nHost: shop", 400),
        ("POST /.gateway/nothing HTTP/1.1\r\nHost: shop", 404),
    ] {
        let length = body.len();
        for framed in [
            format!("Content-Length: {length}\r\n\r\n{body}"),
            format!("Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"),
        ] {
            // It sends everything before it reads anything.
            let answer = gateway.ask(format!("{line}\r\n{framed}")).await;
            assert_eq!(answer, (status, String::new()), "{line}");
        }
    }
}

/// One that waited to be told to go on, and was told so, reads what the server says.
#[tokio::test]
async fn a_client_that_was_told_to_go_on_reads_why_it_was_refused() {
    let front = Front::open("told-to-go-on").await;
    let body = "x".repeat(8_000_000);
    let head = format!(
        "POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        body.len()
    );
    for _ in 0..10 {
        let mut client = front.client().await;
        client.send(&head).await;
        let mut server = front.accept().await;
        server.head().await;
        assert!(client.head().await.starts_with("HTTP/1.1 100 "));
        server
            .send(
                "HTTP/1.1 413 Payload Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            )
            .await;
        drop(server);
        // It sends everything before it reads anything.
        client.send(&body).await;
        let answer = client.head().await;
        assert!(answer.starts_with(TOO_LARGE), "{answer:?}");
    }
}

#[tokio::test]
async fn a_client_too_many_is_told_so_and_a_probe_is_answered() {
    let line = "limits = { connections = 2 }\n";
    let gateway = Mirrored::changed("connections", |text| format!("{line}{text}")).await;
    let mut served = [gateway.client().await, gateway.client().await];
    for client in &mut served {
        client.send(GET).await;
        assert_eq!(client.answer().await.0, 200);
    }
    for _ in 0..20 {
        let mut client = gateway.client().await;
        client.send(GET).await;
        let head = client.head().await;
        assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
        assert!(head.contains("\r\nretry-after: 1\r\n"), "{head}");
        client.ended().await;
        assert_eq!(gateway.ask(READY).await.0, StatusCode::OK);
    }
    // An upload is read for a while, so that its client can read the answer.
    let body = "x".repeat(1_000_000);
    let upload = format!(
        "POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    assert_eq!(gateway.ask(upload).await.0, 503);
    // Whoever has a place keeps it.
    let [mut first, second] = served;
    first.send(GET).await;
    assert_eq!(first.answer().await.0, 200);
    // Somebody goes, and somebody else may come.
    drop(second);
    let let_in = async { while gateway.ask(GET).await.0 != 200 {} };
    within("a place", let_in).await;
}

#[tokio::test]
async fn clients_too_many_that_say_nothing_keep_no_probe_out() {
    let line = "limits = { connections = 1 }\n";
    let gateway = Mirrored::changed("silent-ones", |text| format!("{line}{text}")).await;
    let mut silent = Vec::new();
    for _ in 0..400 {
        silent.push(gateway.client().await);
    }
    assert_eq!(gateway.ask(READY).await.0, 200);
    for client in &mut silent {
        client.ended().await;
    }
    assert_eq!(gateway.ask(GET).await.0, 200);
}

#[tokio::test]
async fn a_head_has_as_long_as_the_file_says() {
    let [soon, late] = ["100ms", "1h"].map(async |time| {
        let line = format!("limits = {{ head_timeout = \"{time}\" }}\n");
        Mirrored::changed(&format!("head-{time}"), |text| line + &text).await
    });
    let (soon, late) = (soon.await, late.await);
    let [mut waits, mut pauses] = [late.client().await, late.client().await];
    pauses.send(GET).await;
    assert_eq!(pauses.answer().await.0, 200);
    for said in ["", "P", "GET / HTTP/1.1\r\nhost:", "PRI * HTTP/2.0\r\n"] {
        let mut client = soon.client().await;
        client.send(said).await;
        client.ended().await;
    }
    let mut between_two = soon.client().await;
    between_two.send(GET).await;
    assert_eq!(between_two.answer().await.0, 200);
    between_two.ended().await;
    // These have been idle for longer than all of them.
    for client in [&mut waits, &mut pauses] {
        client.send(GET).await;
        assert_eq!(client.answer().await.0, 200);
    }
}

#[tokio::test]
async fn a_reload_changes_the_limits() {
    let mut front = Front::with("reload-limits", "limits = { body_bytes = 10 }").await;
    let upload = "POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 11\r\n\r\n12345678901";
    assert_eq!(front.refuses(upload).await, TOO_LARGE);
    let text = front.file.read();
    front
        .file
        .write(&text.replace("body_bytes = 10", "body_bytes = 11"));
    front.gateway.signal("-HUP").await;
    let said = front.gateway.says().await;
    assert!(said.starts_with("reloaded "), "{said}");
    front.passes_on(upload).await;
}

const GET: &str = "GET / HTTP/1.1\r\nHost: shop\r\n\r\n";
const READY: &str = "GET /.gateway/ready HTTP/1.1\r\nHost: shop\r\n\r\n";
const TOO_LARGE: &str = "HTTP/1.1 413 Payload Too Large";
