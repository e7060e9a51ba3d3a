//! Messages of which two servers could see the end in different places.

use crate::mirror::Mirrored;
use crate::wire::Front;

/// hyper refuses these already; here is written down that somebody does.
#[tokio::test]
async fn a_message_with_two_ends_or_broken_lines_is_refused() {
    let gateway = Mirrored::open("framing").await;
    let mut wrong = Vec::new();
    for (lines, expected) in [
        (&b"Content-Length: 3\r\nContent-Length: 4"[..], 400),
        (b"Content-Length: 3, 4", 400),
        (b"Content-Length: 3, 3", 400),
        (b"Content-Length: +3", 400),
        (b"Content-Length: -3", 400),
        (b"Content-Length: 0x3", 400),
        (b"Content-Length: 3 3", 400),
        (b"Content-Length:", 400),
        (b"Content-Length: 99999999999999999999", 400),
        (b"Transfer-Encoding: xchunked", 400),
        (b"Transfer-Encoding: identity", 400),
        (b"Transfer-Encoding: chunked, identity", 400),
        (b"Transfer-Encoding: chunked, chunked", 501),
        (
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            501,
        ),
        (b"Transfer-Encoding: \"chunked\"", 400),
        (b"Transfer-Encoding:\x0bchunked", 400),
        (b"Transfer-Encoding : chunked", 400),
        (b"Transfer-Encoding: gzip, chunked", 501),
        (b"X-One: 1\r\n Content-Length: 3", 400),
        (b"X-One: 1\r\n\tX-Two: 2", 400),
        (b"X One: 1", 400),
        (b"X-One : 1", 400),
        (b" X-One: 1", 400),
        (b": 1", 400),
        (b"X-One", 400),
        (b"X-\xff: 1", 400),
        (b"X(One): 1", 400),
        (b"X-One: 1\x002", 400),
        (b"X-One: 1\r2", 400),
        (b"Host: shop", 400),
    ] {
        let start = b"POST / HTTP/1.1\r\nHost: shop\r\n";
        let request = [&start[..], lines, b"\r\n\r\n"].concat();
        let (status, seen) = gateway.ask(request).await;
        if status != expected {
            let lines = String::from_utf8_lossy(lines);
            wrong.push(format!(
                "{status} instead of {expected} for {lines:?}: {seen}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a_body_with_a_length_and_chunks_is_passed_on_in_chunks_and_ends_its_connection() {
    let front = Front::open("two-lengths").await;
    for lines in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 3",
    ] {
        let mut client = front.client().await;
        let smuggled = "GET /smuggled HTTP/1.1\r\nHost: shop\r\n\r\n";
        let request =
            format!("POST / HTTP/1.1\r\nHost: shop\r\n{lines}\r\n\r\n0\r\n\r\n{smuggled}");
        client.send(request).await;
        let mut server = front.accept().await;
        let seen = server.head().await;
        assert!(
            seen.contains("\r\ntransfer-encoding: chunked\r\n"),
            "{seen}"
        );
        assert!(!seen.contains("content-length"), "{seen}");
        assert_eq!(server.read_to("0\r\n\r\n").await, "0\r\n\r\n");
        server.send("HTTP/1.1 204 No Content\r\n\r\n").await;
        let answer = client.head().await;
        assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
        client.ended().await;
    }
}
