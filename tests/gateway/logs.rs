//! What a gateway writes about its breakers.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

use crate::file::{File, config};
use crate::mirror::Mirror;
use crate::process::Process;
use crate::wire::Wire;

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
