use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::file::{File, config};
use crate::process::{Process, within};

/// A connection of which a test says and reads each byte itself.
pub(crate) struct Wire(TcpStream);

impl Wire {
    pub(crate) async fn to(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    pub(crate) const fn of(stream: TcpStream) -> Self {
        Self(stream)
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sent = self.0.write_all(bytes.as_ref());
        within("a sending", sent).await.unwrap();
    }

    /// What comes, up to and including this.
    pub(crate) async fn read_to(&mut self, end: &str) -> String {
        let mut read = Vec::new();
        let reading = async {
            while !read.ends_with(end.as_bytes()) {
                read.push(self.0.read_u8().await?);
            }
            Ok::<_, std::io::Error>(())
        };
        let ended = within(&format!("{end:?}"), reading).await;
        let read = String::from_utf8_lossy(&read).into_owned();
        ended.unwrap_or_else(|error| panic!("{error} instead of {end:?} after {read:?}"));
        read
    }

    pub(crate) async fn read_exactly(&mut self, bytes: usize) -> Vec<u8> {
        let mut read = vec![0; bytes];
        let reading = within("some bytes", self.0.read_exact(&mut read)).await;
        reading.unwrap();
        read
    }

    /// The status and the body of a response that says how long it is.
    pub(crate) async fn answer(&mut self) -> (u16, String) {
        let head = self.head().await;
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse().unwrap());
        let body = self.read_exactly(length).await;
        (
            head[9..12].parse().unwrap(),
            String::from_utf8_lossy(&body).into_owned(),
        )
    }

    /// The head of a message.
    pub(crate) async fn head(&mut self) -> String {
        self.read_to("\r\n\r\n").await
    }

    /// The head of the next message, if another one comes.
    pub(crate) async fn next_head(&mut self) -> Option<String> {
        let mut read = Vec::new();
        while !read.ends_with(b"\r\n\r\n") {
            read.push(self.0.read_u8().await.ok()?);
        }
        Some(String::from_utf8_lossy(&read).into_owned())
    }

    /// Sends what the other side sends back meanwhile, of which so many bytes are
    /// these.
    pub(crate) async fn exchange(&mut self, text: &str, byte: u8, times: usize) {
        let (mut from, mut to) = self.0.split();
        let reading = async {
            let (mut found, mut buffer) = (0, vec![0; 64 * 1_024]);
            while found < times {
                let read = from.read(&mut buffer).await.unwrap();
                assert!(read > 0, "it ended after {found} of {times}");
                found += buffer[..read].iter().filter(|it| **it == byte).count();
            }
            assert_eq!(found, times);
        };
        let both = async { tokio::join!(reading, to.write_all(text.as_bytes())) };
        within("an echo", both).await.1.unwrap();
    }

    /// Sends until the other side takes no more and hangs up.
    pub(crate) async fn send_until_refused(&mut self) {
        let bytes = vec![b'x'; 64 * 1_024];
        let sending = async { while self.0.write_all(&bytes).await.is_ok() {} };
        within("a hangup", sending).await;
    }

    /// Reads whatever comes, until the other side hangs up.
    pub(crate) async fn discard(&mut self) {
        let mut buffer = vec![0; 64 * 1_024];
        let reading = async { while self.0.read(&mut buffer).await.is_ok_and(|read| read > 0) {} };
        within("a hangup", reading).await;
    }

    /// Sends as much of this as the other side takes, and says what head it answers.
    pub(crate) async fn upload(&mut self, text: String) -> String {
        let (mut from, mut to) = self.0.split();
        let mut answer = Vec::new();
        let reading = async {
            while !answer.ends_with(b"\r\n\r\n") {
                match from.read_u8().await {
                    Ok(byte) => answer.push(byte),
                    Err(_) => break,
                }
            }
        };
        let writing = async { to.write_all(text.as_bytes()).await };
        let _refused = within("an answer", async { tokio::join!(reading, writing) }).await;
        String::from_utf8(answer).unwrap()
    }

    /// Says that no more will be sent.
    pub(crate) async fn hang_up(&mut self) {
        self.0.shutdown().await.unwrap();
    }

    /// Waits until the other side hangs up.
    pub(crate) async fn ended(&mut self) {
        let read = within("a hangup", self.0.read(&mut [0; 1])).await;
        assert_eq!(read.unwrap_or_default(), 0);
    }
}

/// A gateway before a server whose answers a test says itself.
pub(crate) struct Front {
    pub(crate) file: File,
    pub(crate) gateway: Process,
    server: TcpListener,
}

impl Front {
    pub(crate) async fn open(name: &str) -> Self {
        Self::with(name, "").await
    }

    pub(crate) async fn behind_proxy(name: &str) -> Self {
        Self::with(name, "behind_proxy = true").await
    }

    /// With this line above all others of the file.
    pub(crate) async fn with(name: &str, line: &str) -> Self {
        Self::changed(name, |text| format!("{line}\n{text}")).await
    }

    /// By a changed configuration, and patient: the server answers when the test says
    /// so, which may be after a drain.
    pub(crate) async fn changed(name: &str, change: impl FnOnce(String) -> String) -> Self {
        let patient = |text| {
            change(text)
                .replace("\"2s\"", "\"1h\"")
                .replace("\"10s\"", "\"1h\"")
        };
        Self::by(name, patient).await
    }

    /// By a changed configuration.
    pub(crate) async fn by(name: &str, change: impl FnOnce(String) -> String) -> Self {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let text = change(config(&[server.local_addr().unwrap()]));
        let file = File::new(name, &text);
        Self {
            gateway: Process::start(&[file.path()]).await,
            file,
            server,
        }
    }

    pub(crate) fn server(&self) -> SocketAddr {
        self.server.local_addr().unwrap()
    }

    pub(crate) async fn client(&self) -> Wire {
        Wire::to(self.gateway.address).await
    }

    /// The next connection that the server gets.
    pub(crate) async fn accept(&self) -> Wire {
        let accepted = within("a connection", self.server.accept()).await;
        Wire(accepted.unwrap().0)
    }

    /// What the server gets for this request, if it has no body.
    pub(crate) async fn passes_on(&self, request: impl AsRef<[u8]>) -> String {
        let mut client = self.client().await;
        client.send(request).await;
        let mut server = self.accept().await;
        let head = server.head().await;
        server.send("HTTP/1.1 204 No Content\r\n\r\n").await;
        client.head().await;
        head
    }

    /// The head that a client gets for this response.
    pub(crate) async fn hands_back(&self, request: &str, response: impl AsRef<[u8]>) -> String {
        let mut client = self.client().await;
        client.send(request).await;
        let mut server = self.accept().await;
        server.head().await;
        server.send(response).await;
        client.head().await
    }

    /// The status line for a request that no server sees to its end.
    pub(crate) async fn refuses(&self, request: impl AsRef<[u8]>) -> String {
        let mut client = self.client().await;
        client.send(request).await;
        let head = client.head().await;
        head.lines().next().unwrap().to_owned()
    }
}
