//! Clients that stall, and servers that stop because of it or by themselves.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::file::{File, config};
use crate::get;
use crate::process::{Process, within};
use crate::wire::Wire;

#[tokio::test]
async fn r60_clients_that_stop_reading_a_download_do_not_open_a_breaker() {
    let (gave_up, mut gives_up) = mpsc::unbounded_channel();
    let server = serve(async move |path, stream| {
        if path == "/large" {
            begin(stream, "content-length: 1073741824").await;
            // As servers do: nginx's `send_timeout`, or Go's `WriteTimeout`.
            let piece = [b'x'; 64 * 1_024];
            while timeout(GIVE_UP, stream.write_all(&piece)).await.is_ok() {}
            gave_up.send(()).unwrap();
        }
    });
    let gateway = Gateway::open("stalled-readers", server.await, "").await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = gateway.asks("/large").await;
        client.head().await;
        clients.push(client);
    }
    for _ in &clients {
        within("an end of patience", gives_up.recv()).await.unwrap();
    }
    for client in &mut clients {
        client.discard().await;
    }
    assert_eq!(gateway.get("/").await.as_deref(), Ok("ok"));
}

#[tokio::test]
async fn r60_streams_that_are_quiet_for_too_long_do_not_open_a_breaker() {
    for (framing, expected) in [
        ("transfer-encoding: chunked", Ok("ok")),
        // Of which not all has come: that is broken.
        ("content-length: 1000000", Err("503 Service Unavailable ")),
    ] {
        let server = serve(async move |path, stream| {
            if path == "/events" {
                begin(stream, framing).await;
                stream.write_all(b"5\r\nevent\r\n").await.unwrap();
                // Until the gateway hangs up.
                let _ended = stream.read(&mut [0; 1]).await;
            }
        });
        let name = format!("quiet-{}", framing.len());
        let gateway = Gateway::open(&name, server.await, "idle_timeout = \"100ms\"").await;
        for _ in 0..CLIENTS {
            let mut client = gateway.asks("/events").await;
            client.discard().await;
        }
        let answer = gateway.get("/").await;
        let answer = answer.as_ref().map(String::as_str);
        assert_eq!(answer.map_err(String::as_str), expected, "{framing}");
    }
}

#[tokio::test]
async fn r60_an_upload_that_is_refused_early_gets_the_answer_of_the_server() {
    let server = serve(async |path, stream| {
        if path == "/upload" {
            stream.write_all(REFUSED.as_bytes()).await.unwrap();
        }
    });
    let gateway = Gateway::open("refused", server.await, "").await;
    for nth in 0..UPLOADS {
        let mut client = Wire::to(gateway.process.address).await;
        let head = "POST /upload HTTP/1.1\r\nHost: shop\r\nContent-Length: 1000000\r\n\r\n";
        client.send(head).await;
        let answer = client.upload("x".repeat(1_000_000)).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{nth}: {answer}");
    }
    assert_eq!(gateway.get("/").await.as_deref(), Ok("ok"));
}

#[tokio::test]
async fn r60_uploads_that_break_for_different_clients_open_a_breaker() {
    for (clients, expected) in [
        (["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"], 3),
        (["192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.1"], 4),
        // What a client says itself makes it nobody else.
        (
            ["a, 192.0.2.1", "b, 192.0.2.1", "c, 192.0.2.1", "192.0.2.1"],
            4,
        ),
        // One network is one client's.
        (
            ["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4"],
            4,
        ),
    ] {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let north = serve(async move |_path, _stream| {
            counter.fetch_add(1, Ordering::SeqCst);
        });
        let south = serve(async |_path, stream| {
            let good = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
            stream.write_all(good).await.unwrap();
        });
        let text = config(&[north.await, south.await]);
        let text = text.replace("consecutive_failures = 5", "consecutive_failures = 1");
        let file = File::new("clients", &format!("behind_proxy = true\n{text}"));
        let gateway = Process::start(&[file.path()]).await;
        for client in clients {
            let mut wire = Wire::to(gateway.address).await;
            wire.send(&format!(
                "PUT /upload HTTP/1.1\r\nHost: shop\r\nX-Forwarded-For: {client}\r\n\
                 Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
            ))
            .await;
            let answer = wire.read_to("ok").await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{client}: {answer}");
        }
        assert_eq!(asked.load(Ordering::SeqCst), expected, "{clients:?}");
    }
}

/// A gateway before one server.
struct Gateway {
    _file: File,
    process: Process,
}

impl Gateway {
    async fn open(name: &str, server: SocketAddr, line: &str) -> Self {
        let text = config(&[server]);
        let text = text.replace("attempts = 3", &format!("attempts = 1\n{line}"));
        let file = File::new(name, &text);
        Self {
            process: Process::start(&[file.path()]).await,
            _file: file,
        }
    }

    async fn get(&self, path: &str) -> Result<String, String> {
        get(&self.process.url(path)).await
    }

    /// A client that has asked for this, and has read nothing yet.
    async fn asks(&self, path: &str) -> Wire {
        let mut client = Wire::to(self.process.address).await;
        let request = format!("GET {path} HTTP/1.1\r\nHost: shop\r\n\r\n");
        client.send(&request).await;
        client
    }
}

/// A server that answers requests for `/` with "ok", and others as it is told. It
/// hangs up then.
async fn serve(answer: impl AsyncFn(&str, &mut TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        let listener = listener.into_std().unwrap();
        let tasks = tokio::task::LocalSet::new();
        tasks.block_on(&runtime, async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((mut stream, _)) = listener.accept().await {
                let answer = answer.clone();
                tokio::task::spawn_local(async move {
                    let path = asked_for(&mut stream).await;
                    if path == "/" {
                        let good = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                        stream.write_all(good).await.unwrap();
                    }
                    answer(&path, &mut stream).await;
                });
            }
        });
    });
    address
}

async fn asked_for(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return String::new(),
        }
    }
    let head = String::from_utf8(head).unwrap();
    head.split(' ').nth(1).unwrap().to_owned()
}

async fn begin(stream: &mut TcpStream, framing: &str) {
    let head = format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
}

/// As many failures as open a breaker.
const CLIENTS: usize = 5;
/// More than a second, from which on a reader that does not read has stalled.
const GIVE_UP: Duration = Duration::from_millis(1_500);
/// Without saying that it closes, the connection may be used again before it is closed.
const REFUSED: &str = "HTTP/1.1 413 Content Too Large\r\n\
    Connection: close\r\nContent-Length: 8\r\n\r\ntoo much";
const UPLOADS: usize = 30;
