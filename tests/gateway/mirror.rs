use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};

use crate::file::{File, config};
use crate::process::Process;
use crate::wire::Wire;

/// A server that answers each request with its own name and the head that it got.
pub(crate) struct Mirror(pub(crate) SocketAddr);

impl Mirror {
    pub(crate) async fn start(name: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(reflect(Wire::of(stream), name));
            }
        });
        Self(address)
    }
}

async fn reflect(mut wire: Wire, name: &'static str) {
    while let Some(head) = wire.next_head().await {
        let body = format!("{name} {head}");
        let length = body.len();
        wire.send(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
        .await;
    }
}

/// A gateway before a mirror.
pub(crate) struct Mirrored {
    _file: File,
    pub(crate) gateway: Process,
}

impl Mirrored {
    pub(crate) async fn open(name: &str) -> Self {
        Self::changed(name, |text| text).await
    }

    pub(crate) async fn changed(name: &str, change: impl FnOnce(String) -> String) -> Self {
        let Mirror(address) = Mirror::start("mirror").await;
        Self::before(name, &change(config(&[address]))).await
    }

    pub(crate) async fn before(name: &str, text: &str) -> Self {
        let file = File::new(name, text);
        Self {
            gateway: Process::start(&[file.path()]).await,
            _file: file,
        }
    }

    pub(crate) async fn client(&self) -> Wire {
        Wire::of(TcpStream::connect(self.gateway.address).await.unwrap())
    }

    /// The status for this request, and what the mirror got, if that is who answered.
    pub(crate) async fn ask(&self, request: impl AsRef<[u8]>) -> (u16, String) {
        let mut client = self.client().await;
        client.send(request).await;
        client.answer().await
    }
}
