//! What a gateway writes about its requests and its breakers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Notify;

use crate::file::{File, config};
use crate::mirror::Mirror;
use crate::process::{Process, within};
use crate::wire::Wire;

#[tokio::test]
async fn each_request_has_a_line_that_says_what_became_of_it() {
    let Mirror(address) = Mirror::start("mirror").await;
    let file = File::new("access", &config(&[address]));
    let mut gateway = Process::logging(&[file.path()], "info").await;
    let host = "Host: shop\r\n\r\n";
    let served = format!("pool.name=\"shop\" endpoint.name=\"0@{address}\" attempts=1");
    for (request, texts) in [
        (
            format!("GET /a?b=c HTTP/1.1\r\n{host}"),
            &[
                "method=GET",
                "path=\"/a\"",
                "status=200",
                " bytes=1",
                &served,
            ][..],
        ),
        (
            format!("HEAD /a HTTP/1.1\r\n{host}"),
            &["method=HEAD", "status=200", " bytes=0", &served],
        ),
        (
            // As it came, though it is not passed on like that.
            format!("GET /a/../b HTTP/1.1\r\n{host}"),
            &["path=\"/a/../b\"", "status=200", &served],
        ),
        (
            "GET /a HTTP/1.1\r\nHost: a b\r\n\r\n".to_owned(),
            &["path=\"/a\"", "status=400", " bytes=0", "attempts=0"],
        ),
        (
            format!("GET /.gateway/ready HTTP/1.1\r\n{host}"),
            &["path=\"/.gateway/ready\"", "status=200", "attempts=0"],
        ),
    ] {
        let mut client = Wire::to(gateway.address).await;
        client.send(&request).await;
        client.head().await;
        let line = gateway.complains_of(&["gateway::access"]).await;
        let common = [
            "INFO",
            "request client=127.0.0.1",
            "time_ms=",
            "end=\"complete\"",
        ];
        for text in common.iter().chain(texts) {
            assert!(line.contains(text), "{text} in {line}");
        }
    }
}

#[tokio::test]
async fn a_response_that_breaks_off_has_a_line_that_says_so() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let file = File::new("broken-off", &config(&[server.local_addr().unwrap()]));
    let mut gateway = Process::logging(&[file.path()], "gateway=info").await;
    let mut client = Wire::to(gateway.address).await;
    client.send("POST / HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    let (stream, _) = within("a connection", server.accept()).await.unwrap();
    let mut upstream = Wire::of(stream);
    upstream.head().await;
    // The client goes before there is a status.
    drop(client);
    let line = gateway.complains_of(&["gateway::access"]).await;
    assert!(line.contains("end=\"broken off\""), "{line}");
    assert!(
        line.contains("method=POST") && !line.contains("status="),
        "{line}"
    );

    let mut client = Wire::to(gateway.address).await;
    client.send("GET / HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    let (stream, _) = within("a connection", server.accept()).await.unwrap();
    let mut upstream = Wire::of(stream);
    upstream.head().await;
    let piece = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    upstream.send(piece).await;
    client.read_to("abc\r\n").await;
    drop(upstream);
    let line = gateway.complains_of(&["gateway::access"]).await;
    for text in ["status=200", " bytes=3", "end=\"broken off\""] {
        assert!(line.contains(text), "{text} in {line}");
    }
}

#[tokio::test]
async fn a_hedged_request_has_a_line_that_names_the_server_that_answered() {
    let meeting = Arc::new(Meeting::default());
    let addresses = [meeting.server().await, meeting.server().await];
    let text = config(&addresses).replace("attempts = 3", "hedge = true");
    let text = text
        .replace("tier = 1", "tier = 0")
        .replace("\"2s\"", "\"1h\"");
    let file = File::new("hedged", &text.replace("\"10s\"", "\"1h\""));
    let mut gateway = Process::logging(&[file.path()], "info").await;
    let mut client = Wire::to(gateway.address).await;
    // So many make known how long one takes.
    for _ in 0..120 {
        client.send("GET / HTTP/1.1\r\nHost: shop\r\n\r\n").await;
        client.answer().await;
    }
    client
        .send("GET /slow HTTP/1.1\r\nHost: shop\r\n\r\n")
        .await;
    let (_status, address) = client.answer().await;
    let line = gateway.complains_of(&["gateway::access", "/slow"]).await;
    assert!(line.contains(&format!("@{address}\" attempts=2")), "{line}");
}

/// Two servers, of which the one that is asked first answers what is slow, once the
/// other one has been asked as well.
#[derive(Default)]
struct Meeting {
    both: Notify,
    has_first: AtomicBool,
}

impl Meeting {
    async fn server(self: &Arc<Self>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, meeting) = (listener.local_addr().unwrap(), Arc::clone(self));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let meeting = Arc::clone(&meeting);
                tokio::spawn(async move { meeting.serve(Wire::of(stream), address).await });
            }
        });
        address
    }

    async fn serve(&self, mut wire: Wire, address: SocketAddr) {
        while let Some(head) = wire.next_head().await {
            if head.contains("/slow") {
                match self.has_first.swap(true, Ordering::Relaxed) {
                    true => {
                        self.both.notify_one();
                        std::future::pending::<()>().await;
                    }
                    false => self.both.notified().await,
                }
            }
            let (body, length) = (address.to_string(), address.to_string().len());
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            wire.send(head + &body).await;
        }
    }
}

#[tokio::test]
async fn lines_are_json_where_that_is_asked_for() {
    let Mirror(address) = Mirror::start("mirror").await;
    let file = File::new("json", &config(&[address]));
    let mut gateway = Process::logging(&["--json", file.path()], "info").await;
    let mut client = Wire::to(gateway.address).await;
    client.send("GET /\"a HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    client.answer().await;
    let line = gateway.complains_of(&["gateway::access"]).await;
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    for (field, expected) in [
        ("attempts", 1.into()),
        ("client", "127.0.0.1".into()),
        ("end", "complete".into()),
        ("endpoint.name", format!("0@{address}").into()),
        ("level", "INFO".into()),
        ("message", "request".into()),
        ("method", "GET".into()),
        ("path", "/\"a".into()),
        ("pool.name", "shop".into()),
        ("status", 200.into()),
        ("target", "gateway::access".into()),
    ] {
        let expected: serde_json::Value = expected;
        assert_eq!(line[field], expected, "{field} in {line}");
    }
    assert!(line["bytes"].is_u64() && line["time_ms"].is_f64(), "{line}");
}

#[tokio::test]
async fn a_breaker_that_opens_says_why() {
    for (way, kind) in [
        (Way::Refuse, "refused"),
        (Way::Say(""), "broken"),
        (
            Way::Say("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf"),
            "broken",
        ),
        (
            Way::Say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
            "broken",
        ),
        (Way::Say("no HTTP\r\n\r\n"), "broken"),
        (
            Way::Say("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"),
            "500",
        ),
        (
            Way::Say("HTTP/1.1 502 Oh\r\nContent-Length: 0\r\n\r\n"),
            "502",
        ),
        (
            Way::Say("HTTP/1.1 503 Oh\r\nContent-Length: 0\r\n\r\n"),
            "503",
        ),
        (
            Way::Say("HTTP/1.1 599 Oh\r\nContent-Length: 0\r\n\r\n"),
            "5xx",
        ),
        (Way::BeSilent, "timeout"),
        (
            Way::Stop("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf"),
            "timeout",
        ),
    ] {
        let address = way.start().await;
        let text = config(&[address]).replace("\"2s\"", "\"200ms\"");
        let text = text.replace("attempts = 3", "attempts = 1");
        let file = File::new("why", &text.replace("failures = 5", "failures = 1"));
        let mut gateway = Process::logging(&[file.path()], "info").await;
        let mut client = Wire::to(gateway.address).await;
        client.send("GET / HTTP/1.1\r\nHost: shop\r\n\r\n").await;
        let changed = [
            "WARN",
            "breakerbox::breaker:",
            "breaker changed state",
            "to=\"open\"",
        ];
        let line = gateway.complains_of(&changed).await;
        let text = format!("failure.kind=\"{kind}\"");
        assert!(line.contains(&text), "{text} after {way:?}: {line}");
    }
}

#[tokio::test]
async fn what_is_written_to_a_pipe_has_no_colors() {
    let Mirror(address) = Mirror::start("mirror").await;
    let file = File::new("colors", &config(&[address]));
    let mut gateway = Process::logging(&[file.path()], "debug").await;
    let mut client = Wire::to(gateway.address).await;
    client.send("GET / HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    let line = gateway.complains_of(&["DEBUG"]).await;
    assert!(!line.contains('\x1b'), "{line}");
    let line = gateway.complains_of(&["gateway::access"]).await;
    assert!(!line.contains('\x1b'), "{line}");
}

/// How a server fails.
#[derive(Clone, Copy, Debug)]
enum Way {
    BeSilent,
    Refuse,
    /// Says so much and hangs up.
    Say(&'static str),
    /// Says so much and no more.
    Stop(&'static str),
}

impl Way {
    async fn start(self) -> SocketAddr {
        let any = "127.0.0.1:0".parse().unwrap();
        if let Self::Refuse = self {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(any).unwrap();
            let address = socket.local_addr().unwrap();
            // While it is bound, nobody else has the port.
            std::mem::forget(socket);
            return address;
        }
        let listener = TcpListener::bind(any).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let mut kept = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                let mut wire = Wire::of(stream);
                let _head = wire.next_head().await;
                match self {
                    Self::Say(text) => wire.send(text).await,
                    Self::Stop(text) => {
                        wire.send(text).await;
                        kept.push(wire);
                    }
                    Self::BeSilent | Self::Refuse => kept.push(wire),
                }
            }
        });
        address
    }
}
